// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptors, whole-file reads and transfers, trees and locks: see fd.h. */
#include "umlcage/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

void close_fd(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
	*fd = -1;
}

ssize_t read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t pread_full(int fd, void *buf, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int write_full(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int pwrite_full(int fd, const void *buf, size_t len, off_t offset)
{
	const char *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		offset += n;
		len -= (size_t)n;
	}
	return 0;
}

int send_fd(int to, const void *data, size_t len, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		m.msg_control = control.space;
		m.msg_controllen = sizeof(control.space);
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t receive_fd(int from, void *data, size_t len, int flags, int *fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
			    .msg_controllen = sizeof(control.space) };
	ssize_t n = recvmsg(from, &m, flags | MSG_CMSG_CLOEXEC);
	struct cmsghdr *h = n < 0 ? NULL : CMSG_FIRSTHDR(&m);

	*fd = -1;
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(h), sizeof(*fd));
	return n < 0 ? -errno : n;
}

bool in_background(int fd)
{
	pid_t foreground = tcgetpgrp(fd);

	return foreground > 0 && foreground != getpgrp();
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_move_up(int fd)
{
	enum { ABOVE = 300 };	/* more than proc_start() hands over */
	int up = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);

	if (up < 0)
		return fd;
	close(fd);
	return up;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_read_all(int fd, size_t max, struct strbuf *out)
{
	for (;;) {
		char *to = sb_reserve(out, 65536);
		ssize_t n = read(fd, to, 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		out->len += (size_t)n;
		out->s[out->len] = '\0';
		if (out->len > max)
			return -EFBIG;
		if (n == 0)
			return 0;
	}
}

int file_read(int dirfd, const char *path, size_t max, struct strbuf *out, struct error *e)
{
	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", path);

	int ret = fd_read_all(fd, max, out);

	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", path) : 0;
}

int make_dirs(int dirfd, const char *path, mode_t mode, struct error *e)
{
	cleanup_free char *copy = xstrdup(path);

	for (char *p = copy + (*copy == '/'); ; p++) {
		if (*p != '/' && *p)
			continue;

		char saved = *p;

		*p = '\0';
		if (*copy && mkdirat(dirfd, copy, mode) < 0 && errno != EEXIST) {
			int errnum = errno;
			struct stat st;

			/* a component we may not create in but that is there */
			if (fstatat(dirfd, copy, &st, 0) < 0 || !S_ISDIR(st.st_mode))
				return err_sys(e, errnum, "cannot create directory '%s'",
					       errnum == EIO || errnum == ENOSPC ? path : copy);
		}
		*p = saved;
		if (!saved)
			break;
	}

	struct stat st;

	if (fstatat(dirfd, path, &st, 0) < 0)
		return err_sys(e, errno, "cannot create directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "cannot create directory '%s': it exists and is not one",
			       path);
	return 0;
}

/*
 * Trees may be deeper than a process has descriptors.  A directory this far down is
 * moved up, next to where the removal began, under a name of its own, and its turn comes
 * when that directory is read again.
 */
#define REMOVE_DEPTH 64

struct removal {
	int top;		/* what was moved up is here; -1 until it is open */
	unsigned int depth;
	unsigned long moved;
};

static int remove_entry(int dirfd, const char *path, struct removal *r);

/* One pass over what is in @fd (stays open): the number of entries seen, or -errno. */
static long remove_contents(int fd, struct removal *r)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	long seen = 0;
	int ret = 0, last;

	if (!dir) {
		ret = -errno;
		close_fd(&own);
		return ret;
	}
	/* what cannot be removed does not keep the rest */
	for (struct dirent *d; (d = dir_next(dir, &last)) != NULL; seen++) {
		int one = remove_entry(fd, d->d_name, r);

		ret = ret < 0 ? ret : one;
	}
	closedir(dir);
	return ret < 0 ? ret : last < 0 ? last : seen;
}

static int move_up(int dirfd, const char *path, struct removal *r)
{
	char name[32];

	/* ".." of a directory can only be changed by who may write to it */
	(void)fchmodat(dirfd, path, 0700, 0);
	do {
		snprintf(name, sizeof(name), ".removed.%lu", r->moved++);
		if (renameat2(dirfd, path, r->top, name, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return -errno;
}

static int remove_entry(int dirfd, const char *path, struct removal *r)
{
	/* Nearly everything is no directory: one call. */
	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (r->depth == REMOVE_DEPTH)
		return move_up(dirfd, path, r);

	cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	bool top = r->top < 0;
	long seen;

	if (fd < 0 && errno == EACCES && fchmodat(dirfd, path, 0700, 0) == 0)
		fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	if (top)
		r->top = fd;
	r->depth++;
	do {
		unsigned long before = r->moved;

		seen = remove_contents(fd, r);
		if (seen >= 0 && !(top && r->moved != before))
			break;
	} while (seen > 0);
	r->depth--;
	if (seen < 0)
		return (int)seen;
	return unlinkat(dirfd, path, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int remove_tree(int dirfd, const char *path, struct error *e)
{
	struct removal r = { .top = -1 };
	int ret = remove_entry(dirfd, path, &r);

	/* nothing is to be left for the sake of a fault that has passed */
	if (ret < 0 && ret != -EACCES && ret != -EPERM && ret != -EROFS) {
		r = (struct removal){ .top = -1, .moved = r.moved };
		ret = remove_entry(dirfd, path, &r);
	}
	return ret < 0 ? err_sys(e, -ret, "cannot remove '%s'", path) : 0;
}

struct dirent *dir_next(DIR *dir, int *ret)
{
	struct dirent *d;

	do {
		errno = 0;
		d = readdir(dir);
	} while (d && (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0));
	*ret = d ? 0 : -errno;
	return d;
}

int dir_names(int dirfd, struct strv *names, struct error *e)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int ret;

	if (!dir) {
		int errnum = errno;

		close_fd(&fd);
		return err_sys(e, errnum, "cannot read a directory");
	}
	for (struct dirent *d; (d = dir_next(dir, &ret)) != NULL;)
		strv_add(names, d->d_name);
	closedir(dir);
	return ret < 0 ? err_sys(e, -ret, "cannot read a directory") : 0;
}

int lock_file(int dirfd, const char *path, bool exclusive, bool wait, struct error *e)
{
	cleanup_close int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot open the lock '%s'", path);
	while (flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot lock '%s'", path);
	return steal_fd(&fd);
}

int free_space(const char *path, uint64_t *bytes, struct error *e)
{
	struct statvfs st;

	if (statvfs(path, &st) < 0)
		return err_sys(e, errno, "cannot read the free space of '%s'", path);
	*bytes = (uint64_t)st.f_bavail * st.f_frsize;
	return 0;
}

int memfd_with(const char *name, const void *data, size_t len, struct error *e)
{
	cleanup_close int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "cannot create a memory file");

	int ret = write_full(fd, data, len);

	if (ret < 0)
		return err_sys(e, -ret, "cannot write a memory file");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "cannot rewind a memory file");
	return steal_fd(&fd);
}
