// SPDX-License-Identifier: GPL-2.0-or-later
/* Names, and what sessions leave of themselves on the host: see session.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"
#include "umlcage/session/private.h"

enum {
	NAME_MAX_LENGTH = 64, NEW_NAMES = 10000,
	LOCK_TRIES = 40, LOCK_MS = 50,	/* what a killed session leaves takes a moment to die */
};

/*
 * Not in XDG_RUNTIME_DIR: a session outlives the login that this is for, and is there for who has
 * none, as jobs of cron.
 */
#define SOCKETS "sockets"
#define STATES "running"	/* sessions/ has what is kept by name, see roots.h */

int session_check_name(const char *name, struct error *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (!*name || strlen(name) > NAME_MAX_LENGTH || strchr("._-", name[0]) ||
	    name[strspn(name, allowed)])
		return err_usage(e, "'%s' is not the name of a session: letters, digits, '.', '_' and '-', "
				 "the first one a letter or a digit, at most %d", name, NAME_MAX_LENGTH);
	return 0;
}

/* ---- records ---- */

const char *session_get(const struct strv *words, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < words->n; i++)
		if (strncmp(words->v[i], key, len) == 0 && words->v[i][len] == '=')
			return words->v[i] + len + 1;
	return NULL;
}

void session_get_all(const struct strv *words, const char *key, struct strv *values)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < words->n; i++)
		if (strncmp(words->v[i], key, len) == 0 && words->v[i][len] == '=')
			strv_add(values, words->v[i] + len + 1);
}

void session_record_release(struct session_record *r)
{
	strv_release(&r->words);
}

/* A path below the folder of states: "NAME", or "NAME/FILE"; its folder is made. */
static int state_path(const char *name, const char *file, bool make, char **path, struct error *e)
{
	cleanup_free char *top = NULL;
	int ret = xdg_dir(XDG_STATE, STATES, &top, e);

	if (ret < 0)
		return ret;

	cleanup_free char *dir = path_join(top, name);

	if (make && mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot make '%s'", dir);
	*path = file ? path_join(dir, file) : steal_ptr(&dir);
	return 0;
}

int session_log_path(const char *name, char **path, struct error *e)
{
	int ret = session_check_name(name, e);

	return ret < 0 ? ret : state_path(name, "log", false, path, e);
}

int session_write_record(const char *name, const struct strv *words, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *path = NULL;
	int ret = state_path(name, "record", true, &path, e);

	for (size_t i = 0; i < words->n; i++)
		sb_add(&text, words->v[i], strlen(words->v[i]) + 1);
	return ret < 0 ? ret : file_replace(AT_FDCWD, path, sb_str(&text), text.len, 0600, e);
}

int session_read_record(const char *name, struct session_record *r, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *path = NULL;
	int ret = session_check_name(name, e);

	if (ret == 0)
		ret = state_path(name, "record", false, &path, e);
	if (ret == 0)
		ret = file_read(AT_FDCWD, path, WIRE_MAX, &text, e);
	for (size_t at = 0; ret == 0 && at < text.len; at += strlen(text.s + at) + 1)
		strv_add(&r->words, text.s + at);
	return ret;
}

int session_names(struct strv *names, struct error *e)
{
	cleanup_free char *top = NULL;
	cleanup_strv struct strv all = STRV_INIT;
	cleanup_close int dir = -1;
	int ret = xdg_dir(XDG_STATE, STATES, &top, e);

	if (ret < 0)
		return ret;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, errno, "cannot open '%s'", top);
	ret = dir_names(dir, &all, e);
	for (size_t i = 0; ret == 0 && i < all.n; i++)
		if (session_check_name(all.v[i], NULL) == 0)
			strv_add(names, all.v[i]);
	strv_sort(names);
	return ret;
}

int session_new_name(char **name, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	int ret = session_names(&names, e);

	if (ret < 0)
		return ret;
	for (int i = 1; i < NEW_NAMES; i++) {
		cleanup_free char *candidate = xasprintf("s%d", i);

		if (!strv_has(&names, candidate)) {
			*name = steal_ptr(&candidate);
			return 0;
		}
	}
	return err_set(e, EEXIST, "there are %d sessions already; give this one a name", NEW_NAMES - 1);
}

int session_absent(const char *name, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near = NULL;

	err_set(e, ENOENT, "there is no session '%s'", name);
	if (session_names(&names, NULL) == 0)
		near = str_closest(name, (const char *const *)strv_argv(&names));
	return near ? err_hint(e, "did you mean '%s'?", near) :
		      err_hint(e, "see 'umlcage session list'");
}

/* ---- sockets and locks ---- */

/* The folder of sockets and locks, open, with nobody else let in. */
static int open_sockets(struct error *e)
{
	cleanup_free char *dir = NULL;
	cleanup_close int fd = -1;
	struct stat st;
	int ret = xdg_dir(XDG_STATE, SOCKETS, &dir, e);

	if (ret < 0)
		return ret;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot use '%s'", dir);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(e, EPERM, "cannot use '%s': others can reach it; it must be yours with mode "
			       "0700", dir);
	return steal_fd(&fd);
}

int session_address(const char *name, struct sockaddr_un *sun, int *dirfd, struct error *e)
{
	int fd = open_sockets(e);

	if (fd < 0)
		return fd;
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(sun->sun_path, sizeof(sun->sun_path), "/proc/self/fd/%d/%s.socket", fd, name);
	*dirfd = fd;
	return 0;
}

/* As lock_file(), of a file that others remove while they have it: see session_unlock(). */
static int lock_named(int dir, const char *file, struct error *e)
{
	for (;;) {
		int fd = lock_file(dir, file, true, false, e);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0 || st.st_nlink > 0)
			return fd;
		close(fd);
	}
}

int session_lock(const char *name, struct error *e)
{
	cleanup_free char *file = xasprintf("%s.lock", name);
	cleanup_close int dir = open_sockets(e);

	for (int i = 0; dir >= 0; i++) {
		cleanup_close int fd = -1;
		int lock = lock_named(dir, file, e);

		if (lock != -EWOULDBLOCK || i == LOCK_TRIES)
			return lock;
		fd = session_connect(name, NULL);
		if (fd >= 0)
			return lock;
		err_release(e);
		(void)usleep(LOCK_MS * 1000);
	}
	return dir;
}

void session_unlock(const char *name, int *lock)
{
	cleanup_free char *file = xasprintf("%s.lock", name);
	cleanup_close int dir = open_sockets(NULL);

	if (dir >= 0)
		(void)unlinkat(dir, file, 0);
	close_fd(lock);
}

void session_remove(const char *name)
{
	cleanup_free char *state = NULL, *file = xasprintf("%s.socket", name);
	cleanup_close int dir = open_sockets(NULL);

	if (dir >= 0)
		(void)unlinkat(dir, file, 0);
	if (state_path(name, NULL, false, &state, NULL) == 0)
		(void)remove_tree(AT_FDCWD, state, NULL);
}

int session_forget(const char *name, struct error *e)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	cleanup_close int lock = -1;
	int ret = session_check_name(name, e);

	if (ret < 0)
		return ret;
	lock = session_lock(name, NULL);
	if (lock == -EWOULDBLOCK)
		return err_set(e, EBUSY, "the session '%s' runs; end it with 'umlcage session stop %s'",
			       name, name);
	ret = session_read_record(name, &r, NULL);
	if (ret == 0)
		session_remove(name);
	if (lock >= 0)
		session_unlock(name, &lock);
	return ret < 0 ? session_absent(name, e) : 0;
}
