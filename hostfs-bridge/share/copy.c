// SPDX-License-Identifier: GPL-2.0-or-later
/* Copying trees of the host: see tree-copy.h. */
#include "hostfs-bridge/share/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/str.h"

struct seen {
	dev_t dev;
	ino_t ino;
	char *path;	/* below the top of the copy */
};

struct copy {
	int top;		/* of the copy */
	struct seen *table;	/* open addressing, a power of two */
	size_t n, cap;
	struct strbuf path;	/* of what is being copied, below the top */
	struct error *e;
};

/* Bytes [@at, @end) through memory. */
static int copy_by_hand(int from, int to, off_t at, off_t end, struct error *e)
{
	cleanup_free char *buf = xmalloc(1 << 18);

	while (at < end) {
		size_t want = end - at < 1 << 18 ? (size_t)(end - at) : 1 << 18;
		ssize_t n = pread_full(from, buf, want, at);
		int r = n <= 0 ? (int)n : pwrite_full(to, buf, (size_t)n, at);

		if (n < 0 || r < 0)
			return err_sys(e, n < 0 ? (int)-n : -r, "cannot copy");
		if (n == 0)
			break;
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		at += n;
	}
	return 0;
}

/*
 * The same in the kernel, as far as it goes: across file systems, from and to some of them,
 * or where a filter of calls knows nothing of it, that is not far.  Only a full disk and a
 * medium that fails are errors here; whatever else there is shows by hand, too.
 */
static int copy_range(int from, int to, off_t at, off_t end, struct error *e)
{
	while (at < end) {
		off_t in = at, out = at;
		size_t want = end - at < 1 << 26 ? (size_t)(end - at) : 1 << 26;
		ssize_t n = copy_file_range(from, &in, to, &out, want, 0);

		if (n <= 0 && errno == EINTR && !interrupted())
			continue;
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG))
			return err_sys(e, errno, "cannot copy");
		if (n <= 0)
			return copy_by_hand(from, to, at, end, e);
		at += n;
	}
	return 0;
}

/* To what has no positions. */
static int copy_stream(int from, int to, struct error *e)
{
	cleanup_free char *buf = xmalloc(1 << 18);
	ssize_t n;

	while ((n = read_full(from, buf, 1 << 18)) > 0) {
		int r = interrupted() ? -EINTR : write_full(to, buf, (size_t)n);

		if (r)
			return err_sys(e, -r, "cannot copy");
	}
	return n < 0 ? err_sys(e, (int)-n, "cannot copy") : 0;
}

int share_copy_file(int from, int to, struct error *e)
{
	struct stat st, out;
	off_t at = 0;

	if (fstat(from, &st) < 0 || fstat(to, &out) < 0)
		return err_sys(e, errno, "cannot copy");
	/* files of /proc have no size */
	if (!S_ISREG(st.st_mode) || !S_ISREG(out.st_mode) || st.st_size == 0)
		return copy_stream(from, to, e);
	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while (at < st.st_size) {
		off_t data = lseek(from, at, SEEK_DATA);
		off_t end = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		int r;

		if (data < 0 && errno == ENXIO)
			break;		/* a hole to its end */
		data = data < 0 ? at : data;
		end = end < 0 ? st.st_size : end;
		r = copy_range(from, to, data, end, e);
		if (r)
			return r;
		at = end;
	}
	return ftruncate(to, st.st_size) < 0 ? err_sys(e, errno, "cannot copy") : 0;
}

static size_t slot_of(const struct copy *c, dev_t dev, ino_t ino)
{
	size_t i = (size_t)((ino * 0x9e3779b97f4a7c15ull) ^ dev) & (c->cap - 1);

	while (c->table[i].path && (c->table[i].ino != ino || c->table[i].dev != dev))
		i = (i + 1) & (c->cap - 1);
	return i;
}

/* The name an inode with several names was copied to before; NULL: now it is the first. */
static const char *first_name(struct copy *c, const struct stat *st)
{
	size_t i;

	if (c->n * 2 >= c->cap) {
		struct seen *old = c->table;
		size_t oldcap = c->cap;

		c->cap = oldcap ? oldcap * 2 : 256;
		c->table = xcalloc(c->cap, sizeof(*c->table));
		for (size_t k = 0; k < oldcap; k++)
			if (old[k].path)
				c->table[slot_of(c, old[k].dev, old[k].ino)] = old[k];
		free(old);
	}
	i = slot_of(c, st->st_dev, st->st_ino);
	if (c->table[i].path)
		return c->table[i].path;
	c->table[i] = (struct seen){ st->st_dev, st->st_ino, xstrdup(sb_str(&c->path)) };
	c->n++;
	return NULL;
}

static int copy_xattrs(struct copy *c, int from, int to)
{
	char names[4096], value[65536];
	ssize_t n = flistxattr(from, names, sizeof(names));

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 :
			err_sys(c->e, errno, "cannot list xattrs of '%s'", sb_str(&c->path));
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		ssize_t len;

		if (!str_starts(p, "user."))
			continue;
		len = fgetxattr(from, p, value, sizeof(value));
		if (len < 0 || fsetxattr(to, p, value, (size_t)len, 0) < 0)
			return err_sys(c->e, errno, "cannot copy xattr '%s' of '%s'", p,
				       sb_str(&c->path));
	}
	return 0;
}

static int finish_entry(struct copy *c, int from, int to, const struct stat *st)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	int r = copy_xattrs(c, from, to);

	if (r)
		return r;
	if (fchmod(to, st->st_mode & 07777) < 0 || futimens(to, times) < 0)
		return err_sys(c->e, errno, "cannot set mode or times of '%s'", sb_str(&c->path));
	return 0;
}

int share_copy_attr(int from, int to, const struct stat *st, struct error *e)
{
	struct copy c = { .e = e };
	int r;

	sb_adds(&c.path, ".");
	r = finish_entry(&c, from, to, st);
	sb_release(&c.path);
	return r;
}

static int copy_dir(struct copy *c, int from, int to);

static int copy_entry(struct copy *c, int from, int to, const char *name)
{
	cleanup_close int in = -1, out = -1;
	const char *first;
	struct stat st;
	int r;

	if (interrupted())
		return err_set(c->e, EINTR, "interrupted");
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		goto failed;
	if (!S_ISDIR(st.st_mode) && st.st_nlink > 1) {
		first = first_name(c, &st);
		if (first && linkat(c->top, first, to, name, 0) == 0)
			return 0;
		if (first)
			goto failed;
	}
	if (S_ISLNK(st.st_mode)) {
		const struct timespec times[2] = { st.st_atim, st.st_mtim };
		char target[4097];
		ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

		if (n < 0)
			goto failed;
		target[n] = '\0';
		if (symlinkat(target, to, name) < 0 ||
		    utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0)
			goto failed;
		return 0;
	}
	if (S_ISDIR(st.st_mode)) {
		in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (in < 0 || mkdirat(to, name, 0700) < 0)
			goto failed;
		out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (out < 0)
			goto failed;
		r = copy_dir(c, in, out);
		return r ? r : finish_entry(c, in, out, &st);
	}
	if (!S_ISREG(st.st_mode))
		return err_set(c->e, EINVAL, "cannot copy '%s': neither file, directory nor link",
			       sb_str(&c->path));
	in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		goto failed;
	r = st.st_size ? share_copy_file(in, out, c->e) : 0;
	if (r)
		return err_wrap(c->e, "'%s'", sb_str(&c->path));
	return finish_entry(c, in, out, &st);
failed:
	return err_sys(c->e, errno, "cannot copy '%s'", sb_str(&c->path));
}

static int copy_dir(struct copy *c, int from, int to)
{
	size_t len = c->path.len;
	DIR *d = fdopendir(fcntl(from, F_DUPFD_CLOEXEC, 3));
	const struct dirent *de;
	int r = 0, last = 0;

	if (!d)
		return err_sys(c->e, errno, "cannot read directory '%s'", sb_str(&c->path));
	rewinddir(d);
	while (!r && (de = dir_next(d, &last))) {
		if (interrupted()) {
			r = err_set(c->e, EINTR, "interrupted");
			break;
		}
		if (len)
			sb_addc(&c->path, '/');
		sb_adds(&c->path, de->d_name);
		r = copy_entry(c, from, to, de->d_name);
		c->path.len = len;
		c->path.s[len] = '\0';
	}
	if (!r && last < 0)
		r = err_sys(c->e, -last, "cannot read directory '%s'", sb_str(&c->path));
	closedir(d);
	return r;
}

int share_copy(int from, int to, struct error *e)
{
	struct copy c = { .top = to, .e = e };
	struct stat st;
	int r = copy_dir(&c, from, to);

	if (!r && fstat(from, &st) == 0)
		r = finish_entry(&c, from, to, &st);
	for (size_t i = 0; i < c.cap; i++)
		free(c.table[i].path);
	free(c.table);
	sb_release(&c.path);
	return r;
}

static int clamp(const struct share_entry *ent, void *arg, struct error *e)
{
	const int64_t *newest = arg;
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = *newest } };

	if (ent->attr.mtime.tv_sec < *newest ||
	    (ent->attr.mtime.tv_sec == *newest && !ent->attr.mtime.tv_nsec) ||
	    utimensat(ent->dirfd, ent->name, times, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return err_sys(e, errno, "cannot set the time of '%s'", ent->path);
}

int share_clamp_times(int rootfd, int64_t newest, struct error *e)
{
	return share_walk(rootfd, SHARE_WALK_NO_XATTRS, clamp, &newest, e);
}
