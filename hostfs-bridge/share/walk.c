// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Walking a share: see walk.h.  A stack of directories instead of recursion; of a deep
 * one only the lowest directories are kept open, the others are found again by ".." and
 * checked to be the same.
 */
#include "hostfs-bridge/share/share.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/share/private.h"
#include "umlcage/base/fd.h"

#define KEEP_OPEN 64	/* directories */

struct frame {
	int fd;			/* -1: closed to save descriptors */
	dev_t dev;
	ino_t ino;
	char *blob;		/* the names, NUL-terminated */
	char **names;
	size_t n, next;
	size_t path_len;	/* of this directory's own path */
};

struct walker {
	unsigned int flags;
	int (*fn)(const struct share_entry *entry, void *arg, struct error *e);
	void *arg;
	struct frame *stack;
	size_t depth, cap;
	struct strbuf path;
	struct strbuf target;
	struct strbuf list;		/* names of xattrs */
	struct strbuf values;		/* their values, one after the other */
	struct share_xattr *xattrs;
	size_t xattr_cap;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names in @fd, sorted, into @f. */
static int read_names(int fd, struct frame *f)
{
	cleanup_strbuf struct strbuf blob = STRBUF_INIT;
	cleanup_free char *buf = xmalloc(65536);
	size_t count = 0;

	for (;;) {
		ssize_t len = getdents64(fd, buf, 65536);

		if (len < 0)
			return -errno;
		if (len == 0)
			break;
		for (ssize_t at = 0; at < len;) {
			const struct dirent64 *d = (const void *)(buf + at);

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
				continue;
			sb_add(&blob, d->d_name, strlen(d->d_name) + 1);
			count++;
		}
	}
	f->names = xreallocarray(NULL, count + 1, sizeof(*f->names));
	f->blob = sb_steal(&blob);
	for (char *s = f->blob; f->n < count; s += strlen(s) + 1)
		f->names[f->n++] = s;
	qsort(f->names, f->n, sizeof(*f->names), compare_names);
	return 0;
}

static void release_frame(struct frame *f)
{
	close_fd(&f->fd);
	free_ptr(&f->blob);
	free_ptr(&f->names);
}

/* Enters the directory @fd (takes it), whose path is the walker's. */
static int push(struct walker *w, int fd, const struct stat *st, struct error *e)
{
	if (w->depth == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 32;
		w->stack = xreallocarray(w->stack, w->cap, sizeof(*w->stack));
	}

	struct frame *f = &w->stack[w->depth++];
	int ret;

	*f = (struct frame){ .fd = fd, .dev = st->st_dev, .ino = st->st_ino,
			     .path_len = w->path.len };
	ret = read_names(fd, f);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read the directory '%s'", sb_str(&w->path));
	if (w->depth > KEEP_OPEN)
		close_fd(&w->stack[w->depth - 1 - KEEP_OPEN].fd);
	return 0;
}

/* Leaves the lowest directory; its parent is open afterwards. */
static int pop(struct walker *w, struct error *e)
{
	struct frame *f = &w->stack[--w->depth];
	struct frame *up = w->depth ? f - 1 : NULL;
	struct stat st;
	int ret = 0;

	if (up && up->fd < 0) {
		up->fd = openat(f->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (up->fd < 0 || fstat(up->fd, &st) < 0)
			ret = err_sys(e, errno, "cannot go back up from '%s'", sb_str(&w->path));
		else if (st.st_dev != up->dev || st.st_ino != up->ino)
			ret = err_set(e, EAGAIN, "cannot read the share: '%s' was moved meanwhile",
				      sb_str(&w->path));
	}
	release_frame(f);
	return ret;
}

static void add_xattr(struct walker *w, struct share_attr *a, const char *name, size_t at,
		      size_t len)
{
	if (a->nxattrs == w->xattr_cap) {
		w->xattr_cap = w->xattr_cap ? w->xattr_cap * 2 : 8;
		w->xattrs = xreallocarray(w->xattrs, w->xattr_cap, sizeof(*w->xattrs));
	}
	/* the offset for now: the buffer may still move */
	w->xattrs[a->nxattrs++] = (struct share_xattr){ (char *)name, (void *)at, len };
}

static int compare_xattrs(const void *a, const void *b)
{
	return strcmp(((const struct share_xattr *)a)->name,
		      ((const struct share_xattr *)b)->name);
}

/* One value behind the others in w->values; its length or -errno. */
static ssize_t read_value(struct walker *w, int fd, const char *name)
{
	for (size_t room = 256; ; room = 65536) {
		ssize_t len = fgetxattr(fd, name, sb_reserve(&w->values, room), room);

		if (len >= 0) {
			w->values.len += (size_t)len;
			return len;
		}
		if (errno != ERANGE || room == 65536)
			return -errno;
	}
}

static ssize_t list_xattrs(struct walker *w, int fd)
{
	for (size_t room = 1024; ; room = 65536) {
		ssize_t len;

		sb_reset(&w->list);
		len = flistxattr(fd, sb_reserve(&w->list, room), room);
		if (len >= 0)
			return len;
		if (errno == EOPNOTSUPP)
			return 0;
		if (errno != ERANGE || room == 65536)
			return -errno;
	}
}

/* The record and the xattrs of an open file or directory. */
static int read_attr(struct walker *w, struct share_entry *ent)
{
	struct share_attr *a = &ent->attr;
	struct humfs_meta m;
	ssize_t len = list_xattrs(w, ent->fd);
	bool recorded = false;
	size_t n = 0;
	int ret;

	if (len < 0)
		return (int)len;
	sb_reset(&w->values);
	a->nxattrs = 0;
	for (const char *name = w->list.s; name < w->list.s + len; name += strlen(name) + 1) {
		const char *guest = humfs_xattr_to_guest(name);
		size_t at = w->values.len;
		ssize_t size;

		if (strcmp(name, HUMFS_META_XATTR) == 0)
			recorded = true;
		if (!guest || (w->flags & SHARE_WALK_NO_XATTRS))
			continue;
		size = read_value(w, ent->fd, name);
		if (size == -ENODATA)
			continue;
		if (size < 0)
			return (int)size;
		add_xattr(w, a, guest, at, (size_t)size);
	}
	n = a->nxattrs;
	for (size_t i = 0; i < n; i++)
		w->xattrs[i].value = w->values.s + (size_t)w->xattrs[i].value;
	if (n)
		qsort(w->xattrs, n, sizeof(*w->xattrs), compare_xattrs);
	ret = recorded ? share_meta_read(ent->fd, ent->host.st_mode, &m) : 0;
	if (ret < 0)
		return ret;
	if (!recorded)
		humfs_meta_default((enum humfs_type)humfs_type_of_mode(ent->host.st_mode),
				   ent->host.st_mode & 07777, &m);
	share_attr_of_meta(&m, a);
	a->mtime = ent->host.st_mtim;
	a->xattrs = w->xattrs;
	a->nxattrs = n;
	return 0;
}

static int read_target(struct walker *w, struct share_entry *ent)
{
	size_t room = (size_t)ent->host.st_size + 1;
	char *to;
	ssize_t len;

	if (room > 65536)
		return -EINVAL;
	sb_reset(&w->target);
	to = sb_reserve(&w->target, room);
	len = ent->fd < 0 ? readlinkat(ent->dirfd, ent->name, to, room) :
	      pread_full(ent->fd, to, room, 0);
	if (len < 0)
		return ent->fd < 0 ? -errno : (int)len;
	if ((size_t)len >= room)
		return -EAGAIN;
	to[len] = '\0';
	w->target.len = (size_t)len;
	ent->target = w->target.s;
	return 0;
}

/* Opens and reads one entry; ent->bad has what is wrong with its metadata. */
static int read_entry(struct walker *w, struct share_entry *ent)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): every entry has a name */
	ent->fd = openat(ent->dirfd, ent->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
			 O_NOCTTY);
	if (ent->fd < 0) {
		int errnum = errno;

		if (fstatat(ent->dirfd, ent->name, &ent->host, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		if (!S_ISLNK(ent->host.st_mode)) {
			/* a socket, or no permission on the host */
			ent->bad = S_ISREG(ent->host.st_mode) || S_ISDIR(ent->host.st_mode) ?
				   -errnum : -EINVAL;
			return 0;
		}
		ent->attr = (struct share_attr){ .mode = S_IFLNK | 0777,
						 .mtime = ent->host.st_mtim };
		return read_target(w, ent);
	}
	if (fstat(ent->fd, &ent->host) < 0)
		return -errno;
	if (!S_ISREG(ent->host.st_mode) && !S_ISDIR(ent->host.st_mode)) {
		ent->bad = -EINVAL;
		return 0;
	}
	ent->bad = read_attr(w, ent);
	if (ent->bad == 0 && S_ISLNK(ent->attr.mode))
		ent->bad = read_target(w, ent);
	return 0;
}

/* One entry to the callback, and down into a directory. */
static int visit(struct walker *w, int dirfd, const char *name, struct error *e)
{
	struct share_entry ent = { .path = sb_str(&w->path), .dirfd = dirfd, .name = name,
				   .fd = -1 };
	int ret = read_entry(w, &ent);

	if (ret == 0 && !(w->flags & SHARE_WALK_RAW))
		ret = ent.bad;
	if (ret == -EINVAL)
		ret = err_set(e, EINVAL, "bad metadata on '%s'; see 'umlcage share verify'",
			      ent.path);
	else if (ret < 0)
		ret = err_sys(e, -ret, "cannot read '%s'", *ent.path ? ent.path : "/");
	else
		ret = w->fn(&ent, w->arg, e);
	if (ret == 0 && ent.fd >= 0 && S_ISDIR(ent.host.st_mode))
		return push(w, ent.fd, &ent.host, e);
	close_fd(&ent.fd);
	return ret;
}

/* A filesystem's own folder, which belongs to the host's root and is nothing of the share's. */
static bool is_lost_found(int dirfd, const char *name)
{
	struct stat st;

	return str_eq(name, "lost+found") && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_uid != geteuid();
}

static int walk(struct walker *w, int rootfd, struct error *e)
{
	int ret = visit(w, rootfd, ".", e);

	while (ret >= 0 && w->depth) {
		struct frame *f = &w->stack[w->depth - 1];

		w->path.len = f->path_len;
		if (w->path.s)
			w->path.s[w->path.len] = '\0';
		if (f->next == f->n) {
			ret = pop(w, e);
			continue;
		}

		const char *name = f->names[f->next++];

		if (w->depth == 1 && is_lost_found(f->fd, name))
			continue;
		if (w->path.len)
			sb_addc(&w->path, '/');
		sb_adds(&w->path, name);
		ret = visit(w, f->fd, name, e);
		/* removed between the listing and now: a share in use */
		if (ret == -ENOENT && (w->flags & SHARE_WALK_RAW)) {
			err_release(e);
			ret = 0;
		}
	}
	return ret < 0 ? ret : 0;
}

int share_walk(int rootfd, unsigned int flags,
	       int (*fn)(const struct share_entry *entry, void *arg, struct error *e),
	       void *arg, struct error *e)
{
	struct walker w = { .flags = flags, .fn = fn, .arg = arg };
	int ret = walk(&w, rootfd, e);

	while (w.depth)
		release_frame(&w.stack[--w.depth]);
	free(w.stack);
	free(w.xattrs);
	sb_release(&w.path);
	sb_release(&w.target);
	sb_release(&w.list);
	sb_release(&w.values);
	return ret;
}
