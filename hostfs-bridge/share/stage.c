// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shares that appear whole or not at all: made under a hidden name beside the final one, or
 * inside it where it cannot be replaced: a mounted filesystem, or one with a lost+found.
 * What a killed run left there is told from a running one by its lock, and removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/share/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/remains.h"

#define LOST_FOUND "lost+found"
#define UNMARKED_SECONDS 60	/* so old, a directory without a record is not just being made */

/* "DIR/NAME/" into "DIR" and "NAME"; -EINVAL for a name that is none. */
static int split(const char *path, char **dir, char **name)
{
	cleanup_free char *a = xstrdup(path), *b = xstrdup(path);

	*dir = xstrdup(dirname(a));
	*name = xstrdup(basename(b));
	if (**name && !str_eq(*name, ".") && !str_eq(*name, "..") && !str_eq(*name, "/"))
		return 0;
	free_ptr(dir);
	free_ptr(name);
	return -EINVAL;
}

/* ".NAME.XXXXXXXX.part", of @name (NULL: of any). */
static bool is_part(const char *file, const char *name)
{
	size_t len = strlen(file);

	if (len < 1 + 1 + 1 + 8 + 5 || file[0] != '.' || !str_ends(file, ".part") ||
	    file[len - 14] != '.')
		return false;
	for (size_t i = len - 13; i < len - 5; i++)
		if (!strchr("0123456789abcdef", file[i]))
			return false;
	return !name || (len - 15 == strnlen(name, 200) && strncmp(file + 1, name, len - 15) == 0);
}

/* Is lost+found empty, or, since only its owner may look, not ours? */
static bool is_lost_found(int dirfd, const char *name)
{
	cleanup_close int fd = -1;
	cleanup_strv struct strv names = STRV_INIT;

	if (!str_eq(name, LOST_FOUND))
		return false;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES;
	return dir_names(fd, &names, NULL) == 0 && names.n == 0;
}

/*
 * Is it there already, with something in it?  *@inside: it is empty, but cannot be replaced
 * by a rename.
 */
static int check_free(const char *dir, bool *inside, struct error *e)
{
	cleanup_free char *up = path_join(dir, "..");
	DIR *d = opendir(dir);
	struct stat st, above;
	bool used = false;
	int ret = 0;

	*inside = false;
	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot create '%s'", dir);
	if (fstat(dirfd(d), &st) == 0 && stat(up, &above) == 0)
		*inside = st.st_dev != above.st_dev;
	for (struct dirent *ent; !used && (ent = dir_next(d, &ret)) != NULL;) {
		used = !is_lost_found(dirfd(d), ent->d_name) && !is_part(ent->d_name, NULL);
		*inside = true;
	}
	closedir(d);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s'", dir);
	return used ? err_set(e, ENOTEMPTY, "'%s' exists and is not empty; empty it, or take another "
			      "name", dir) : 0;
}

bool share_is_abandoned(int fd)
{
	struct stat st;

	/* who makes one locks it when it is a share; nobody's lock is to be in the way then */
	return fstat(fd, &st) == 0 &&
	       (share_is_share(fd, ".") || st.st_mtim.tv_sec + UNMARKED_SECONDS <= time(NULL)) &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void share_stage_sweep(const char *parent, const char *name)
{
	DIR *d = opendir(parent);
	int unused;

	if (!d)
		return;
	for (struct dirent *ent; (ent = dir_next(d, &unused)) != NULL;) {
		if (!is_part(ent->d_name, name))
			continue;

		cleanup_close int fd = openat(dirfd(d), ent->d_name,
					      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0 && share_is_abandoned(fd))
			remove_tree(dirfd(d), ent->d_name, NULL);
	}
	closedir(d);
}

int share_stage_check(const char *dir, struct error *e)
{
	cleanup_free char *parent = NULL, *name = NULL;
	bool inside;
	int ret;

	if (split(dir, &parent, &name) < 0)
		return err_usage(e, "bad name of a directory: '%s'", dir);
	ret = check_free(dir, &inside, e);
	if (ret == 0 && faccessat(AT_FDCWD, inside ? dir : parent, W_OK | X_OK, AT_EACCESS) < 0)
		ret = err_sys(e, errno, "cannot create '%s' in '%s'", dir, inside ? dir : parent);
	return ret;
}

static int begin(struct share_stage *st, const char *dir, bool over, struct error *e)
{
	cleanup_free char *parent = NULL, *name = NULL, *path = NULL;
	bool inside = false;
	int ret;

	*st = (struct share_stage)SHARE_STAGE_INIT;
	if (split(dir, &parent, &name) < 0)
		return err_usage(e, "bad name of a share: '%s'", dir);
	ret = over ? 0 : check_free(dir, &inside, e);
	if (ret < 0)
		return ret;
	share_stage_sweep(parent, name);
	share_stage_sweep(dir, name);
	path = xasprintf("%s/.%.200s.%08x.part", inside ? dir : parent, name,
			 (unsigned int)random_u64());
	remains_add(path);
	ret = share_create(&st->share, path, e);
	if (ret < 0)
		remains_drop(path);
	if (ret == 0) {
		st->dir = xstrdup(dir);
		st->inside = inside;
		st->over = over;
	}
	return ret;
}

int share_stage_begin(struct share_stage *st, const char *dir, struct error *e)
{
	return begin(st, dir, false, e);
}

int share_stage_begin_over(struct share_stage *st, const char *dir, struct error *e)
{
	return begin(st, dir, access(dir, F_OK) == 0, e);
}

/* The share that is there goes where this one was made, and from there. */
static int exchange(struct share_stage *st, struct error *e)
{
	cleanup_close int old = open(st->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (old < 0)
		return err_sys(e, errno, "cannot open '%s'", st->dir);
	if (flock(old, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, EBUSY, "'%s' is in use", st->dir);
	if (renameat2(AT_FDCWD, st->share.path, AT_FDCWD, st->dir, RENAME_EXCHANGE) < 0)
		return err_sys(e, errno, "cannot put the share at '%s'", st->dir);
	/* what is left of it is swept up like what a killed process leaves */
	(void)remove_tree(AT_FDCWD, st->share.path, NULL);
	return 0;
}

/* The entries of the share move up into the directory it was made in, which becomes the share. */
static int move_up(struct share_stage *st, struct error *e)
{
	cleanup_close int up = open(st->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv names = STRV_INIT;
	struct stat top;
	int ret = up < 0 ? err_sys(e, errno, "cannot open '%s'", st->dir) :
		  dir_names(st->share.fd, &names, e);

	for (size_t i = 0; ret == 0 && i < names.n; i++)
		if (renameat2(st->share.fd, names.v[i], up, names.v[i], RENAME_NOREPLACE) < 0)
			ret = err_sys(e, errno, "cannot move '%s' into '%s'", names.v[i], st->dir);
	if (ret == 0 && fstat(st->share.fd, &top) == 0)
		ret = share_copy_attr(st->share.fd, up, &top, e);
	if (ret == 0 && flock(up, LOCK_EX | LOCK_NB) < 0)
		ret = err_sys(e, errno, "cannot lock '%s'", st->dir);
	if (ret == 0 && rmdir(st->share.path) < 0)
		ret = err_sys(e, errno, "cannot remove '%s'", st->share.path);
	if (ret < 0)
		return ret;
	close_fd(&st->share.fd);
	st->share.fd = steal_fd(&up);
	return 0;
}

int share_stage_commit(struct share_stage *st, struct error *e)
{
	int ret = share_sync(&st->share, e);

	/* what was asked to stop does not deliver, however late it was asked */
	if (ret == 0 && interrupted())
		ret = err_set(e, EINTR, "interrupted");
	if (ret == 0 && st->inside)
		ret = move_up(st, e);
	else if (ret == 0 && st->over)
		ret = exchange(st, e);
	else if (ret == 0 && rename(st->share.path, st->dir) < 0)
		ret = err_sys(e, errno, "cannot put the share at '%s'", st->dir);
	if (ret < 0) {
		share_stage_abort(st);
		return ret;
	}

	cleanup_close int up = openat(st->share.fd, st->inside ? "." : "..",
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (up >= 0)
		(void)fsync(up);
	remains_drop(st->share.path);
	free_ptr(&st->share.path);
	st->share.path = steal_ptr(&st->dir);
	return 0;
}

void share_stage_abort(struct share_stage *st)
{
	if (st->dir) {
		remove_tree(AT_FDCWD, st->share.path, NULL);
		remains_drop(st->share.path);
	}
	free_ptr(&st->dir);
	share_close(&st->share);
}

int share_discard(const char *path, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *parent = NULL, *name = NULL, *aside = NULL;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, EBUSY, "'%s' is in use", path);
	if (split(path, &parent, &name) < 0)
		return err_set(e, EINVAL, "bad name of a directory: '%s'", path);
	aside = xasprintf("%s/.%.200s.%08x.part", parent, name, (unsigned int)random_u64());
	if (rename(path, aside) < 0)
		return err_sys(e, errno, "cannot remove '%s'", path);
	return remove_tree(AT_FDCWD, aside, e);
}
