// SPDX-License-Identifier: GPL-2.0-or-later
/* Making, changing and removing single entries of a share: see tree.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/share/private.h"
#include "umlcage/base/fd.h"

static int bad_name(struct error *e, const char *path)
{
	return err_set(e, EINVAL, "bad path '%s': it is the root of the share", path);
}

/* Removes what is in the way if the tree's flags say so; -EEXIST if it stays. */
static int make_way(struct share_tree *t, int dir, const char *name)
{
	if (!(share_tree_flags(t) & SHARE_REPLACE))
		return -EEXIST;

	int ret = unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;

	if (ret == -EISDIR)
		ret = unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
	/* the directory or a link to it may be in the table; @dir, too, so last */
	share_tree_forget(t);
	return ret;
}

/* Makes the regular file of the host for @m; the descriptor or -errno. */
static int create_host_file(struct share_tree *t, const char *path, const struct humfs_meta *m,
			    struct error *e)
{
	mode_t mode = m->type == HUMFS_SYMLINK ? 0600 : humfs_host_mode(m);

	for (;;) {
		const char *name;
		int dir = share_parent(t, path, &name, e);

		if (dir < 0)
			return dir;
		if (!*name)
			return bad_name(e, path);

		int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				mode);
		int ret = fd < 0 ? -errno : share_tree_fix_mode(t, fd, mode);

		if (fd >= 0 && ret == 0)
			return fd;
		if (fd >= 0) {
			close(fd);
			unlinkat(dir, name, 0);
		} else if (ret == -EEXIST) {
			ret = make_way(t, dir, name);
			if (ret == 0)
				continue;
		}
		return err_sys(e, -ret, "cannot create '%s'", path);
	}
}

/* A regular file of the host with all metadata but the time. */
static int begin(struct share_tree *t, const char *path, const struct share_attr *a,
		 struct error *e)
{
	struct humfs_meta m;

	if (share_meta_of_attr(a, &m) < 0)
		return err_set(e, EINVAL, "cannot create '%s': bad type %#o", path,
			       a->mode & S_IFMT);

	int fd = create_host_file(t, path, &m, e);

	if (fd < 0)
		return fd;

	int ret = share_meta_write(fd, &m, m.type == HUMFS_SYMLINK ||
			     (share_tree_flags(t) & SHARE_RECORD_ALL));

	if (ret < 0)
		ret = share_xattr_error(e, -ret, path);
	else if (a->nxattrs)
		ret = share_attr_write_xattrs(fd, path, a, e);
	if (ret == 0)
		return fd;
	share_file_abort(t, path, fd);
	return ret;
}

int share_file_begin(struct share_tree *t, const char *path, const struct share_attr *a,
		     struct error *e)
{
	struct share_attr file = *a;

	file.mode = (a->mode & 07777) | S_IFREG;
	return begin(t, path, &file, e);
}

int share_file_end(struct share_tree *t, const char *path, int fd, const struct share_attr *a,
		   struct error *e)
{
	struct timespec ts[2] = { { 0, UTIME_OMIT }, a->mtime };
	int ret = 0;

	(void)t;
	if (a->mtime.tv_nsec != UTIME_OMIT && futimens(fd, ts) < 0)
		ret = err_sys(e, errno, "cannot set the time of '%s'", path);
	/* NFS and the like report a full disk here */
	if (close(fd) < 0 && ret == 0 && errno != EINTR)
		ret = err_sys(e, errno, "cannot write '%s'", path);
	return ret;
}

void share_file_abort(struct share_tree *t, const char *path, int fd)
{
	const char *name;
	int dir;

	close(fd);
	dir = share_parent(t, path, &name, NULL);
	if (dir >= 0)
		unlinkat(dir, name, 0);
}

static int whole(struct share_tree *t, const char *path, const struct share_attr *a,
		 const void *data, size_t len, struct error *e)
{
	int fd = begin(t, path, a, e);

	if (fd < 0)
		return fd;

	int ret = len ? write_full(fd, data, len) : 0;

	if (ret < 0) {
		share_file_abort(t, path, fd);
		return err_sys(e, -ret, "cannot write '%s'", path);
	}
	return share_file_end(t, path, fd, a, e);
}

int share_file(struct share_tree *t, const char *path, const struct share_attr *a,
	       const void *data, size_t len, struct error *e)
{
	struct share_attr file = *a;

	file.mode = (a->mode & 07777) | S_IFREG;
	return whole(t, path, &file, data, len, e);
}

int share_symlink(struct share_tree *t, const char *path, const char *target,
		  const struct share_attr *a, struct error *e)
{
	struct timespec ts[2] = { { 0, UTIME_OMIT }, a->mtime };
	struct share_attr link = *a;

	link.mode = S_IFLNK | 0777;
	if (!*target)
		return err_set(e, EINVAL, "cannot create '%s': a symbolic link to nothing", path);
	if (a->uid || a->gid || a->nxattrs)
		return whole(t, path, &link, target, strlen(target), e);
	for (;;) {
		const char *name;
		int dir = share_parent(t, path, &name, e);
		int ret;

		if (dir < 0)
			return dir;
		if (!*name)
			return bad_name(e, path);
		if (symlinkat(target, dir, name) == 0) {
			if (a->mtime.tv_nsec != UTIME_OMIT &&
			    utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
				return err_sys(e, errno, "cannot set the time of '%s'", path);
			return 0;
		}
		ret = errno == EEXIST ? make_way(t, dir, name) : -errno;
		if (ret < 0)
			return err_sys(e, -ret, "cannot create '%s'", path);
	}
}

int share_hardlink(struct share_tree *t, const char *path, const char *old, struct error *e)
{
	int ret;

	do {
		const char *name;
		int dir = share_parent(t, old, &name, e);

		if (dir >= 0 && !*name)
			dir = bad_name(e, old);
		if (dir < 0) {
			if (e)
				err_wrap(e, "cannot link '%s'", path);
			return dir;
		}

		/* the next lookup may close the descriptor and overwrites the name */
		cleanup_free char *old_name = xstrdup(name);
		cleanup_close int from = fcntl(dir, F_DUPFD_CLOEXEC, 3);

		if (from < 0)
			return err_sys(e, errno, "cannot link '%s'", path);
		dir = share_parent(t, path, &name, e);
		if (dir < 0)
			return dir;
		if (!*name)
			return bad_name(e, path);
		if (linkat(from, old_name, dir, name, 0) == 0)
			return 0;
		ret = -errno;
		if (ret == -EEXIST) {
			struct stat a, b;

			/* a link to itself must not lose the file */
			if (fstatat(from, old_name, &a, AT_SYMLINK_NOFOLLOW) == 0 &&
			    fstatat(dir, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
			    a.st_ino == b.st_ino && a.st_dev == b.st_dev)
				return 0;
			ret = make_way(t, dir, name);
		}
	} while (ret == 0);
	return err_sys(e, -ret, "cannot link '%s' to '%s'", path, old);
}

int share_node(struct share_tree *t, const char *path, const struct share_attr *a,
	       struct error *e)
{
	switch (a->mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return whole(t, path, a, NULL, 0, e);
	default:
		return err_set(e, EINVAL, "cannot create '%s': bad type %#o", path,
			       a->mode & S_IFMT);
	}
}

/* Opens what is there if it is a directory, not following. */
static int open_dir(int dir, const char *name)
{
	int fd = openat(dir, *name ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* An existing directory gets the metadata, by the tree's flags; -ENOTDIR if it is none. */
static int adopt_dir(struct share_tree *t, int dir, const char *name, const char *path,
		     const struct share_attr *a, struct error *e)
{
	cleanup_close int fd = open_dir(dir, name);

	if (fd < 0)
		return -ENOTDIR;
	if (*name && (share_tree_flags(t) & SHARE_KEEP_DIRS))
		return 0;
	if (*name && !(share_tree_flags(t) & SHARE_REPLACE))
		return err_sys(e, EEXIST, "cannot create '%s'", path);

	struct share_attr d = *a;
	int ret;

	d.mode = (a->mode & 07777) | S_IFDIR;
	/* the share's own directory is always 0700 on the host and always recorded */
	ret = share_attr_write(fd, path, &d, !*name || (share_tree_flags(t) & SHARE_RECORD_ALL), e);
	if (ret == 0 && !*name && fchmod(fd, 0700) < 0)
		ret = err_sys(e, errno, "cannot set the mode of the share");
	if (ret == 0)
		share_tree_later(t, path, &a->mtime);
	return ret;
}

int share_mkdir(struct share_tree *t, const char *path, const struct share_attr *a,
		struct error *e)
{
	bool record = share_tree_flags(t) & SHARE_RECORD_ALL;
	struct share_attr attr = *a;
	struct humfs_meta m;

	attr.mode = (a->mode & 07777) | S_IFDIR;
	(void)share_meta_of_attr(&attr, &m);
	for (;;) {
		const char *name;
		int dir = share_parent(t, path, &name, e);
		mode_t mode = humfs_host_mode(&m);
		int ret;

		if (dir < 0)
			return dir;
		if (!*name)
			return adopt_dir(t, dir, name, path, a, e);
		if (mkdirat(dir, name, mode) < 0) {
			if (errno != EEXIST)
				return err_sys(e, errno, "cannot create '%s'", path);
			ret = adopt_dir(t, dir, name, path, a, e);
			if (ret != -ENOTDIR)
				return ret;
			ret = make_way(t, dir, name);
			if (ret < 0)
				return err_sys(e, -ret, "cannot create '%s'", path);
			continue;
		}
		if (record || humfs_meta_needed(&m) || a->nxattrs || share_tree_masks(t, mode)) {
			cleanup_close int fd = open_dir(dir, name);

			ret = fd < 0 ? err_sys(e, -fd, "cannot open '%s'", path) :
			      share_attr_write(fd, path, &attr, record, e);
			if (ret < 0) {
				unlinkat(dir, name, AT_REMOVEDIR);
				return ret;
			}
		}
		share_tree_later(t, path, &a->mtime);
		return 0;
	}
}

int share_make(struct share_tree *t, const char *path, const char *target,
	       const struct share_attr *a, struct error *e)
{
	switch (a->mode & S_IFMT) {
	case S_IFDIR:
		return share_mkdir(t, path, a, e);
	case S_IFLNK:
		return share_symlink(t, path, target, a, e);
	case S_IFREG:
		return share_file(t, path, a, NULL, 0, e);
	default:
		return share_node(t, path, a, e);
	}
}

int share_open_entry(struct share_tree *t, const char *path, struct error *e)
{
	const char *name;
	int dir = share_parent(t, path, &name, e);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, *name ? name : ".", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "cannot open '%s'", path) : fd;
}

int share_open_file(struct share_tree *t, const char *path, struct error *e)
{
	cleanup_close int fd = share_open_entry(t, path, e);
	struct share_attr a;
	int ret;

	if (fd < 0)
		return fd;
	ret = share_fstat(fd, path, &a, e);
	if (ret < 0)
		return ret;
	if (!S_ISREG(a.mode))
		return err_set(e, S_ISLNK(a.mode) ? ELOOP : EINVAL, "cannot read '%s': it is not a "
			       "regular file", path);
	return steal_fd(&fd);
}

int share_read(struct share_tree *t, const char *path, size_t max, struct strbuf *out,
	       struct error *e)
{
	cleanup_close int fd = share_open_file(t, path, e);
	int ret;

	if (fd < 0)
		return fd;
	ret = fd_read_all(fd, max, out);
	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", path) : 0;
}

int share_stat(struct share_tree *t, const char *path, struct share_attr *a, struct error *e)
{
	const char *name;
	struct stat st;
	int dir = share_parent(t, path, &name, e);

	if (dir < 0)
		return dir;
	if (fstatat(dir, *name ? name : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "cannot stat '%s'", path);
	if (S_ISLNK(st.st_mode)) {
		*a = (struct share_attr){ .mode = S_IFLNK | 0777, .mtime = st.st_mtim };
		return 0;
	}

	cleanup_close int fd = share_open_entry(t, path, e);

	return fd < 0 ? fd : share_fstat(fd, path, a, e);
}

/* Makes a real symbolic link one that can have an owner: a file with the target in it. */
static int own_symlink(struct share_tree *t, const char *path, const struct share_attr *a,
		       struct error *e)
{
	char target[4096 + 1];
	struct stat st;
	const char *name;
	int dir = share_parent(t, path, &name, e);

	if (dir < 0)
		return dir;

	ssize_t len = readlinkat(dir, name, target, sizeof(target) - 1);

	if (len < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "cannot read the link '%s'", path);
	target[len] = '\0';
	if (st.st_nlink > 1)
		return err_set(e, EMLINK, "cannot give '%s' an owner: it is a symbolic link with "
			       "several names", path);

	/* the name that the kernel's filesystem uses for this, too: see verify.c */
	cleanup_free char *tmp = xasprintf("%.*s.humfs-%016llx", (int)(strlen(path) - strlen(name)),
					   path, (unsigned long long)random_u64());
	struct share_attr link = *a;
	int ret;

	if (link.mtime.tv_nsec == UTIME_OMIT)
		link.mtime = st.st_mtim;
	ret = share_symlink(t, tmp, target, &link, e);
	if (ret == 0 && (ret = share_rename(t, tmp, path, e)) < 0)
		(void)share_remove(t, tmp, NULL);
	return ret;
}

int share_setattr(struct share_tree *t, const char *path, const struct share_attr *a,
		  struct error *e)
{
	struct share_attr now, want = *a;
	struct timespec ts[2] = { { 0, UTIME_OMIT }, a->mtime };
	int ret = share_stat(t, path, &now, e);
	const char *name;

	if (ret < 0)
		return ret;
	want.mode = (a->mode & 07777) | (now.mode & S_IFMT);
	want.major = now.major;
	want.minor = now.minor;

	int dir = share_parent(t, path, &name, e);
	struct stat st;

	if (dir < 0)
		return dir;
	if (fstatat(dir, *name ? name : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, errno, "cannot stat '%s'", path);

	bool top = !*name;

	if (S_ISLNK(st.st_mode)) {
		if (want.uid || want.gid || want.nxattrs)
			return own_symlink(t, path, &want, e);
		if (a->mtime.tv_nsec != UTIME_OMIT &&
		    utimensat(dir, name, ts, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, errno, "cannot set the time of '%s'", path);
		return 0;
	}

	cleanup_close int fd = share_open_entry(t, path, e);

	if (fd < 0)
		return fd;
	ret = share_attr_write(fd, path, &want, top, e);
	if (ret == 0 && top && fchmod(fd, 0700) < 0)
		ret = err_sys(e, errno, "cannot set the mode of the share");
	if (ret == 0 && a->mtime.tv_nsec != UTIME_OMIT && futimens(fd, ts) < 0)
		ret = err_sys(e, errno, "cannot set the time of '%s'", path);
	return ret;
}
