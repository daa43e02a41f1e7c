// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots of the disks of sessions: see snapshot.h. */
#include "umlcage/snapshot/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/remains.h"
#include "umlcage/base/xdg.h"
#include "umlcage/session/session.h"

enum { NEW_NAMES = 10000, ABOUT_MAX = 2 << 20 };

static int check_name(const char *name, struct error *e)
{
	if (session_check_name(name, NULL) == 0)
		return 0;
	return err_usage(e, "'%s' is not the name of a snapshot: letters, digits, '.', '_' and '-', the "
			 "first one a letter or a digit, at most 64", name);
}

/* The folder of the snapshots of @session; made if @make. */
static int folder_of(const char *session, bool make, char **path, struct error *e)
{
	cleanup_free char *top = NULL;
	int ret = session_check_name(session, e);

	if (ret == 0)
		ret = xdg_dir(XDG_STATE, ROOTS_SNAPSHOTS, &top, e);
	if (ret < 0)
		return ret;
	*path = path_join(top, session);
	if (make && mkdir(*path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot make '%s'", *path);
	return 0;
}

/* ---- lists ---- */

static int names_in(const char *folder, struct strv *names, struct error *e)
{
	cleanup_close int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv all = STRV_INIT;
	int ret;

	if (dir < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot read '%s'", folder);
	ret = dir_names(dir, &all, e);
	for (size_t i = 0; ret == 0 && i < all.n; i++)
		if (check_name(all.v[i], NULL) == 0)
			strv_add(names, all.v[i]);
	strv_sort(names);
	return ret;
}

int snapshot_sessions(struct strv *names, struct error *e)
{
	cleanup_free char *top = NULL;
	int ret = xdg_dir(XDG_STATE, ROOTS_SNAPSHOTS, &top, e);

	return ret < 0 ? ret : names_in(top, names, e);
}

int snapshot_names(const char *session, struct strv *names, struct error *e)
{
	cleanup_free char *folder = NULL;
	int ret = folder_of(session, false, &folder, e);

	if (ret < 0)
		return ret;
	share_stage_sweep(folder, NULL);
	return names_in(folder, names, e);
}

static int absent(const char *session, const char *name, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near = NULL;

	err_set(e, ENOENT, "the session '%s' has no snapshot '%s'", session, name);
	if (snapshot_names(session, &names, NULL) == 0)
		near = str_closest(name, (const char *const *)strv_argv(&names));
	return near ? err_hint(e, "did you mean '%s'?", near) :
		      err_hint(e, "see 'umlcage session snapshots'");
}

/* ---- making one ---- */

static int new_name(const char *session, char **name, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	int ret = snapshot_names(session, &names, e);

	for (int i = 0; ret == 0 && i < NEW_NAMES; i++) {
		cleanup_free char *candidate = xasprintf("snap%d", i);

		if (!strv_has(&names, candidate)) {
			*name = steal_ptr(&candidate);
			return 0;
		}
	}
	return ret < 0 ? ret : err_set(e, EEXIST, "the session '%s' has %d snapshots already; give this "
				       "one a name", session, NEW_NAMES);
}

int snapshot_begin(struct snapshot *s, const char *session, const char *name, struct error *e)
{
	cleanup_free char *folder = NULL, *to = NULL;
	int ret = folder_of(session, true, &folder, e);

	*s = (struct snapshot)SNAPSHOT_INIT;
	if (ret == 0 && name)
		ret = check_name(name, e);
	if (ret == 0 && name)
		s->name = xstrdup(name);
	else if (ret == 0)
		ret = new_name(session, &s->name, e);
	if (ret < 0)
		return ret;
	s->session = xstrdup(session);
	share_stage_sweep(folder, NULL);
	to = path_join(folder, s->name);
	if (access(to, F_OK) == 0)
		return err_set(e, EEXIST, "the session '%s' has a snapshot '%s' already; choose another "
			       "name, or remove it with 'umlcage session snapshot --remove'", session, name);
	/* the form of name that share_stage_sweep() knows */
	s->path = xasprintf("%s/.%s.%08x.part", folder, s->name, (unsigned int)random_u64());
	if (mkdir(s->path, 0700) < 0)
		return err_sys(e, errno, "cannot make '%s'", s->path);
	s->making = true;
	remains_add(s->path);
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0 || flock(s->fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, errno, "cannot lock '%s'", s->path);
	return 0;
}

int snapshot_take_layer(struct snapshot *s, const char *path, struct error *e)
{
	cleanup_free char *to = path_join(s->path, "layer");
	cleanup_share struct share from = SHARE_INIT, layer = SHARE_INIT;
	int ret = share_open(&from, path, SHARE_PEEK, e);

	if (ret == 0)
		ret = share_create(&layer, to, e);
	return ret < 0 ? ret : share_copy(from.fd, layer.fd, e);
}

static void ignore(const struct share_problem *p, void *arg)
{
	(void)p;
	(void)arg;
}

/* What was under way when the cage stood still is taken back, or brought to its end. */
int snapshot_mend_layer(struct snapshot *s, struct error *e)
{
	cleanup_free char *path = path_join(s->path, "layer");
	cleanup_share struct share layer = SHARE_INIT;
	struct share_report report = { 0 };
	int ret = share_verify(path, true, false, ignore, NULL, &report, e);

	if (ret == 0)
		ret = share_open(&layer, path, SHARE_WRITE, e);
	return ret < 0 ? ret : share_mark_clean(&layer, e);
}

int snapshot_take_cow(struct snapshot *s, const char *path, struct error *e)
{
	cleanup_close int from = open(path, O_RDONLY | O_CLOEXEC), to = -1;

	if (from < 0)
		return err_sys(e, errno, "cannot open the COW file '%s'", path);
	to = openat(s->fd, "cow", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(e, errno, "cannot make a file in '%s'", s->path);
	return share_copy_file(from, to, e);
}

int snapshot_commit(struct snapshot *s, const struct strv *words, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *folder = NULL, *to = NULL, *taken = NULL;
	cleanup_close int up = -1;
	int ret = folder_of(s->session, false, &folder, e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < words->n; i++)
		sb_add(&text, words->v[i], strlen(words->v[i]) + 1);
	taken = xasprintf("taken=%lld", (long long)time(NULL));
	sb_add(&text, taken, strlen(taken) + 1);
	ret = file_replace(s->fd, "about", sb_str(&text), text.len, 0600, e);
	if (ret < 0)
		return ret;
	if (syncfs(s->fd) < 0)
		return err_sys(e, errno, "cannot write back '%s'", s->path);
	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	to = path_join(folder, s->name);
	if (renameat2(AT_FDCWD, s->path, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		return err_sys(e, errno, "cannot put the snapshot at '%s'", to);
	remains_drop(s->path);
	s->making = false;
	free(s->path);
	s->path = steal_ptr(&to);
	up = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up >= 0)
		(void)fsync(up);
	return 0;
}

/* ---- using one ---- */

static int open_locked(struct snapshot *s, const char *session, const char *name, int lock,
		       struct error *e)
{
	cleanup_free char *folder = NULL;
	int ret = folder_of(session, false, &folder, e);

	*s = (struct snapshot)SNAPSHOT_INIT;
	if (ret == 0)
		ret = check_name(name, e);
	if (ret < 0)
		return ret;
	s->session = xstrdup(session);
	s->name = xstrdup(name);
	s->path = path_join(folder, name);
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0)
		return errno == ENOENT ? absent(session, name, e) :
					 err_sys(e, errno, "cannot open '%s'", s->path);
	if (flock(s->fd, lock | LOCK_NB) < 0)
		return err_set(e, EBUSY, "the snapshot '%s' of '%s' is in use", name, session);
	return 0;
}

int snapshot_open(struct snapshot *s, const char *session, const char *name, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret = open_locked(s, session, name, LOCK_SH, e);

	if (ret == 0)
		ret = file_read(s->fd, "about", ABOUT_MAX, &text, e);
	for (size_t at = 0; ret == 0 && at < text.len; at += strlen(text.s + at) + 1)
		strv_add(&s->words, text.s + at);
	return ret;
}

int snapshot_find(struct snapshot *s, const char *both, struct error *e)
{
	const char *slash = strchr(both, '/');
	cleanup_free char *session = slash ? xstrndup(both, (size_t)(slash - both)) : NULL;

	*s = (struct snapshot)SNAPSHOT_INIT;
	return session ? snapshot_open(s, session, slash + 1, e) :
			 err_usage(e, "'%s' is not a snapshot of a session, SESSION/NAME", both);
}

static char *have(const struct snapshot *s, const char *name)
{
	return faccessat(s->fd, name, F_OK, 0) == 0 ? path_join(s->path, name) : NULL;
}

char *snapshot_layer(const struct snapshot *s)
{
	return have(s, "layer");
}

char *snapshot_cow(const struct snapshot *s)
{
	return have(s, "cow");
}

int snapshot_remove(const char *session, const char *name, struct error *e)
{
	cleanup_snapshot struct snapshot s = SNAPSHOT_INIT;
	cleanup_free char *folder = NULL, *aside = NULL;
	int ret = open_locked(&s, session, name, LOCK_EX, e);

	if (ret == 0)
		ret = folder_of(session, false, &folder, e);
	if (ret < 0)
		return ret;
	aside = xasprintf("%s/.%s.%08x.part", folder, name, (unsigned int)random_u64());
	if (rename(s.path, aside) < 0)
		return err_sys(e, errno, "cannot remove '%s'", s.path);
	ret = remove_tree(AT_FDCWD, aside, e);
	/* the last one's folder */
	(void)rmdir(folder);
	return ret;
}

void snapshot_close(struct snapshot *s)
{
	if (s->making) {
		cleanup_free char *folder = xstrdup(s->path);

		(void)remove_tree(AT_FDCWD, s->path, NULL);
		remains_drop(s->path);
		*strrchr(folder, '/') = '\0';
		(void)rmdir(folder);
	}
	close_fd(&s->fd);
	strv_release(&s->words);
	free_ptr(&s->session);
	free_ptr(&s->name);
	free_ptr(&s->path);
	s->making = false;
}
