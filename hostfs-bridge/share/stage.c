// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shares that appear whole or not at all: made under a hidden name beside the final one.
 * What a killed run left there is told from a running one by its lock, and removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

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

/* Is it there already, with something in it? */
static int check_free(const char *dir, struct error *e)
{
	DIR *d = opendir(dir);
	bool used = false;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot create '%s'", dir);
	for (struct dirent *ent; !used && (ent = readdir(d)) != NULL;)
		used = !str_eq(ent->d_name, ".") && !str_eq(ent->d_name, "..");
	closedir(d);
	return used ? err_set(e, ENOTEMPTY, "'%s' exists and is not empty", dir) : 0;
}

/* Removes what killed runs left of the share @name in @parent. */
static void remove_stale(const char *parent, const char *name)
{
	cleanup_free char *prefix = xasprintf(".%.200s.", name);
	DIR *d = opendir(parent);

	if (!d)
		return;
	for (struct dirent *ent; (ent = readdir(d)) != NULL;) {
		struct share s = SHARE_INIT;
		cleanup_free char *path = NULL;

		if (!str_starts(ent->d_name, prefix) || !str_ends(ent->d_name, ".part") ||
		    strlen(ent->d_name) != strlen(prefix) + 8 + strlen(".part"))
			continue;
		path = path_join(parent, ent->d_name);
		if (share_open(&s, path, SHARE_WRITE, NULL) < 0)
			continue;
		remove_tree(AT_FDCWD, path, NULL);
		share_close(&s);
	}
	closedir(d);
}

int share_stage_begin(struct share_stage *st, const char *dir, struct error *e)
{
	cleanup_free char *parent = NULL, *name = NULL, *path = NULL;
	int ret;

	*st = (struct share_stage)SHARE_STAGE_INIT;
	if (split(dir, &parent, &name) < 0)
		return err_usage(e, "bad name of a share: '%s'", dir);
	ret = check_free(dir, e);
	if (ret < 0)
		return ret;
	remove_stale(parent, name);
	path = xasprintf("%s/.%.200s.%08x.part", parent, name, (unsigned int)random_u64());
	ret = share_create(&st->share, path, e);
	if (ret == 0)
		st->dir = xstrdup(dir);
	return ret;
}

int share_stage_commit(struct share_stage *st, struct error *e)
{
	int ret = share_sync(&st->share, e);

	/* what was asked to stop does not deliver, however late it was asked */
	if (ret == 0 && interrupted())
		ret = err_set(e, EINTR, "interrupted");
	if (ret == 0 && rename(st->share.path, st->dir) < 0)
		ret = err_sys(e, errno, "cannot put the share at '%s'", st->dir);
	if (ret < 0) {
		share_stage_abort(st);
		return ret;
	}

	cleanup_close int up = openat(st->share.fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (up >= 0)
		(void)fsync(up);
	free_ptr(&st->share.path);
	st->share.path = steal_ptr(&st->dir);
	return 0;
}

void share_stage_abort(struct share_stage *st)
{
	if (st->dir)
		remove_tree(AT_FDCWD, st->share.path, NULL);
	free_ptr(&st->dir);
	share_close(&st->share);
}
