// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finding the directory an entry goes into, safely and rarely: the guest's path is
 * resolved by the kernel with the share as its root, and the directories found are kept
 * open in a small table, since entries come grouped by directory.
 */
#include "hostfs-bridge/share/private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/fd.h"

#define LONGEST (64 << 10)	/* bytes of a path; each level beyond PATH_MAX costs a call */
#define SLOTS 128	/* directories kept open; well below the usual limit of descriptors */

struct slot {
	char *path;
	size_t len;
	int fd;
};

struct dir_time {
	char *path;
	struct timespec mtime;
};

struct share_tree {
	int rootfd;
	unsigned int flags;
	mode_t umask;
	struct slot slots[SLOTS];
	struct strbuf norm;		/* the path at hand, normalised */
	struct dir_time *times;
	size_t ntimes, cap;
};

/* The process's umask, without the usual moment of having another one. */
static mode_t read_umask(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	unsigned int mask = 022;
	const char *line;

	if (file_read(AT_FDCWD, "/proc/self/status", 1 << 20, &text, NULL) == 0 &&
	    (line = strstr(sb_str(&text), "\nUmask:")) != NULL)
		(void)sscanf(line, "\nUmask: %o", &mask);
	return (mode_t)mask;
}

struct share_tree *share_tree_new(int rootfd, unsigned int flags)
{
	struct share_tree *t = xcalloc(1, sizeof(*t));

	t->rootfd = rootfd;
	t->flags = flags;
	t->umask = read_umask();
	for (size_t i = 0; i < SLOTS; i++)
		t->slots[i].fd = -1;
	return t;
}

static void drop_slot(struct slot *s)
{
	close_fd(&s->fd);
	free_ptr(&s->path);
}

void share_tree_forget(struct share_tree *t)
{
	for (size_t i = 0; i < SLOTS; i++)
		drop_slot(&t->slots[i]);
}

void share_tree_free(struct share_tree **tp)
{
	struct share_tree *t = *tp;

	if (!t)
		return;
	share_tree_forget(t);
	for (size_t i = 0; i < t->ntimes; i++)
		free(t->times[i].path);
	free(t->times);
	sb_release(&t->norm);
	free(t);
	*tp = NULL;
}

unsigned int share_tree_flags(const struct share_tree *t)
{
	return t->flags;
}

bool share_tree_masks(const struct share_tree *t, mode_t mode)
{
	return mode & t->umask;
}

int share_tree_fix_mode(const struct share_tree *t, int fd, mode_t mode)
{
	return share_tree_masks(t, mode) && fchmod(fd, mode) < 0 ? -errno : 0;
}

int share_tree_root(const struct share_tree *t)
{
	return t->rootfd;
}

void share_tree_later(struct share_tree *t, const char *path, const struct timespec *mtime)
{
	if (mtime->tv_nsec == UTIME_OMIT)
		return;
	if (t->ntimes == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->times = xreallocarray(t->times, t->cap, sizeof(*t->times));
	}
	t->times[t->ntimes++] = (struct dir_time){ xstrdup(path), *mtime };
}

int share_tree_finish(struct share_tree *t, struct error *e)
{
	size_t done = 0;
	int ret = 0;

	for (; ret == 0 && done < t->ntimes; done++) {
		struct dir_time *d = &t->times[done];
		struct timespec ts[2] = { { 0, UTIME_OMIT }, d->mtime };
		const char *name;
		int dir = share_parent(t, d->path, &name, e);

		/* gone again, or something else by now: then the time is of no use */
		if (dir == -ENOENT || dir == -ENOTDIR)
			err_release(e);
		else if (dir < 0)
			ret = dir;
		else if (utimensat(dir, *name ? name : ".", ts, AT_SYMLINK_NOFOLLOW) < 0 &&
			 errno != ENOENT)
			ret = err_sys(e, errno, "cannot set the time of '%s'", d->path);
		free_ptr(&d->path);
	}
	for (; done < t->ntimes; done++)
		free_ptr(&t->times[done].path);
	t->ntimes = 0;
	return ret;
}

/* "./a//b/" becomes "a/b"; -EINVAL for "..". */
static int normalise(struct strbuf *out, const char *path)
{
	sb_reset(out);
	sb_adds(out, "");
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.')
			return -EINVAL;
		if (len && !(len == 1 && path[0] == '.')) {
			if (out->len)
				sb_addc(out, '/');
			sb_add(out, path, len);
		}
		path += len;
		path += *path == '/';
	}
	return 0;
}

static int open_beneath(int dirfd, const char *path, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = resolve | RESOLVE_NO_MAGICLINKS,
	};

	/* EAGAIN: something was renamed meanwhile and ".." could not be trusted */
	for (int tries = 0; ; tries++) {
		int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

		if (fd >= 0)
			return fd;
		if (errno != EAGAIN || tries == 128)
			return -errno;
	}
}

static size_t hash(const char *s, size_t len)
{
	size_t h = 5381;

	while (len--)
		h = h * 33 + (unsigned char)*s++;
	return (h ^ h >> 7) % SLOTS;
}

/* A missing parent directory. */
static int make_parent(const struct share_tree *t, int above, const char *name)
{
	int fd, ret;

	if (mkdirat(above, name, 0755) < 0) {
		if (errno != EEXIST)
			return -errno;
		/* another thread's tree made it just now; or it is a link to nothing */
		fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -ENOENT : fd;
	}
	fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = share_tree_fix_mode(t, fd, 0755);
	if (ret == 0 && (t->flags & SHARE_RECORD_ALL))
		ret = share_meta_write(fd, &(struct humfs_meta){ .mode = 0755, .type = HUMFS_DIR }, true);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

static int dir_at(struct share_tree *t, const char *path, size_t len);

/*
 * A directory whose path is longer than a system call takes: the beginning as usual, then
 * step by step and without links.  A new descriptor.
 */
static int deep_dir(struct share_tree *t, const char *path, size_t len)
{
	size_t at = PATH_MAX - 2;
	int fd;

	while (at && path[at] != '/')
		at--;
	fd = dir_at(t, path, at);
	fd = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	while (fd >= 0 && at < len) {
		cleanup_close int above = fd;
		const char *name = path + at + 1;
		size_t n = strcspn(name, "/");
		cleanup_free char *copy = xstrndup(name, n);

		fd = open_beneath(above, copy, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
		if (fd == -ENOENT && (t->flags & SHARE_PARENTS))
			fd = make_parent(t, above, copy);
		at += 1 + n;
	}
	return fd;
}

/* The directory at the first @len bytes of the normalised @path; the tree's descriptor. */
static int dir_at(struct share_tree *t, const char *path, size_t len)
{
	if (len == 0)
		return t->rootfd;

	struct slot *s = &t->slots[hash(path, len)];

	if (s->path && s->len == len && memcmp(s->path, path, len) == 0)
		return s->fd;

	cleanup_free char *dir = xstrndup(path, len);
	int fd = len < PATH_MAX - 1 ? open_beneath(t->rootfd, dir, RESOLVE_IN_ROOT) :
		 deep_dir(t, dir, len);

	if (fd == -ENOENT && len < PATH_MAX - 1 && (t->flags & SHARE_PARENTS)) {
		char *slash = strrchr(dir, '/');
		int above = dir_at(t, path, slash ? (size_t)(slash - dir) : 0);

		fd = above < 0 ? above : make_parent(t, above, slash ? slash + 1 : dir);
	}
	if (fd < 0)
		return fd;
	drop_slot(s);
	*s = (struct slot){ steal_ptr(&dir), len, fd };
	return fd;
}

int share_parent(struct share_tree *t, const char *path, const char **name, struct error *e)
{
	if (normalise(&t->norm, path) < 0)
		return err_set(e, EINVAL, "bad path '%s': it has a '..' in it", path);
	if (t->norm.len > LONGEST)
		return err_set(e, ENAMETOOLONG, "bad path '%.80s...': it is longer than %d bytes",
			       path, LONGEST);

	char *slash = strrchr(t->norm.s, '/');
	int fd = slash ? dir_at(t, t->norm.s, (size_t)(slash - t->norm.s)) : t->rootfd;

	if (fd < 0)
		return err_sys(e, -fd, "cannot enter the directory of '%s'", path);
	*name = slash ? slash + 1 : t->norm.s;
	return fd;
}
