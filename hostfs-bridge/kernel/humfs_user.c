// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs on the host: names, attributes and extended attributes.
 *
 * Every name is one component, relative to a descriptor, and a link is not
 * followed: nothing the guest does can name a file outside of the share.  But
 * this kernel may have fallen to its guest, and then only what the host checks
 * counts.  So there are three kinds of calls here:
 *
 *  - On descriptors: fstat, statx with a NULL path, fchmod, fchown, f*xattr,
 *    utimensat with a NULL path.  They reach what was opened and nothing else.
 *  - That open, make, move and remove names: openat, mkdirat, mknodat,
 *    symlinkat, linkat, renameat2, unlinkat.  Landlock's rules hold for each.
 *    openat, not openat2, so that a filter can see the flags; never with
 *    O_PATH, which opens anything.
 *  - By name, for which no descriptor can be had without O_PATH: statx,
 *    readlinkat and utimensat of a symbolic link or a special file, and statx of
 *    anything in a plain share.  humfs_host_*_name() are all of them, for a filter
 *    or somebody trusted to bound; refused, they fail for these files alone.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <time.h>
#include "humfs.h"
#include "humfs_user.h"

#ifndef O_TMPFILE
#define O_TMPFILE	(020000000 | O_DIRECTORY)
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH	0x1000
#endif

static int have_null_path = 1;

/* One component that stays where it is: the kernel's VFS passes nothing else. */
static int check_name(const char *name)
{
	if (!*name || strchr(name, '/') || !strcmp(name, "..") || !strcmp(name, "."))
		return -EINVAL;
	return 0;
}

static int open_at(int dirfd, const char *name, int flags, unsigned int mode)
{
	return HOST_CALL(__NR_openat, dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

/* Makes a descriptor of the command line close-on-exec: a directory, or a regular file. */
int humfs_host_adopt(int fd)
{
	struct humfs_stat st;
	int ret = humfs_host_stat(fd, &st);
	bool dir = (st.mode & S_IFMT) == S_IFDIR;

	if (!ret && !dir && (st.mode & S_IFMT) != S_IFREG)
		ret = -ENOTDIR;
	if (!ret)
		ret = HOST_CALL(__NR_fcntl, fd, F_SETFD, FD_CLOEXEC);
	if (!ret)
		ret = HOST_CALL(__NR_fcntl, fd, F_GETFL);
	if (ret < 0)
		return ret;
	if (dir)
		return HUMFS_ADOPTED_DIR;
	return (ret & O_ACCMODE) == O_RDWR ? HUMFS_ADOPTED_FILE : HUMFS_ADOPTED_READ;
}

unsigned int humfs_host_uid(void)
{
	return HOST_CALL(__NR_geteuid);
}

unsigned int humfs_host_gid(void)
{
	return HOST_CALL(__NR_getegid);
}

unsigned long humfs_host_max_fds(void)
{
	struct rlimit limit = { 1024, 1024 };

	if (HOST_CALL(__NR_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) < 0)
		return 1024;
	return limit.rlim_cur;
}

void humfs_host_close(int fd)
{
	syscall(__NR_close, fd);
}

static int open_flags(enum humfs_open how)
{
	switch (how) {
	case HUMFS_OPEN_DIR:
		return O_RDONLY | O_DIRECTORY;
	case HUMFS_OPEN_WRITE:
		return O_RDWR | O_NONBLOCK | O_NOCTTY;
	default:
		return O_RDONLY | O_NONBLOCK | O_NOCTTY;
	}
}

/* O_NOATIME is the owner's alone, so a foreign file is opened without it. */
int humfs_host_open(int dirfd, const char *name, enum humfs_open how)
{
	int ret = check_name(name);

	if (ret)
		return ret;
	ret = open_at(dirfd, name, open_flags(how) | O_NOATIME, 0);
	if (ret == -EPERM)
		ret = open_at(dirfd, name, open_flags(how), 0);
	return ret;
}

/* A second description of an open directory, with a position of its own. */
int humfs_host_open_self(int dirfd)
{
	int ret = open_at(dirfd, ".", O_RDONLY | O_DIRECTORY | O_NOATIME, 0);

	if (ret == -EPERM)
		ret = open_at(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	return ret;
}

int humfs_host_dup(int fd)
{
	return HOST_CALL(__NR_fcntl, fd, F_DUPFD_CLOEXEC, 0);
}

int humfs_host_replace(int fd, int onto)
{
	int ret = HOST_CALL(__NR_dup3, fd, onto, O_CLOEXEC);

	return ret < 0 ? ret : 0;
}

/*
 * Where new files are somebody else's, the host makes the file before it refuses
 * O_NOATIME.
 */
int humfs_host_create(int dirfd, const char *name, unsigned int mode)
{
	static int noatime = O_NOATIME;
	int ret = check_name(name);

	if (ret)
		return ret;
	ret = open_at(dirfd, name, O_RDWR | O_CREAT | O_EXCL | noatime, mode);
	if (ret != -EPERM || !noatime)
		return ret;
	if (HOST_CALL(__NR_unlinkat, dirfd, name, 0) == 0)
		noatime = 0;
	return open_at(dirfd, name, O_RDWR | O_CREAT | O_EXCL, mode);
}

int humfs_host_tmpfile(int dirfd, unsigned int mode)
{
	int ret = open_at(dirfd, ".", O_RDWR | O_TMPFILE | O_NOATIME, mode);

	if (ret == -EPERM)
		ret = open_at(dirfd, ".", O_RDWR | O_TMPFILE, mode);
	return ret;
}

static void copy_time(struct humfs_time *to, const struct statx_timestamp *from)
{
	to->sec = from->tv_sec;
	to->nsec = from->tv_nsec;
}

static void copy_statx(struct humfs_stat *st, const struct statx *sx)
{
	st->dev = ((unsigned long long)sx->stx_dev_major << 32) | sx->stx_dev_minor;
	st->ino = sx->stx_ino;
	st->size = sx->stx_size;
	st->blocks = sx->stx_blocks;
	st->mode = sx->stx_mode;
	st->uid = sx->stx_uid;
	st->gid = sx->stx_gid;
	st->nlink = sx->stx_nlink;
	st->rdev_major = sx->stx_rdev_major;
	st->rdev_minor = sx->stx_rdev_minor;
	copy_time(&st->atime, &sx->stx_atime);
	copy_time(&st->mtime, &sx->stx_mtime);
	copy_time(&st->ctime, &sx->stx_ctime);
	copy_time(&st->btime, &sx->stx_btime);
}

static void copy_timespec(struct humfs_time *to, const struct timespec *from)
{
	to->sec = from->tv_sec;
	to->nsec = from->tv_nsec;
}

/* All but the time of birth, for which the change of the inode must do. */
static int stat_fd(int fd, struct humfs_stat *st)
{
	struct stat old;
	int ret = HOST_CALL(__NR_fstat, fd, &old);

	if (ret)
		return ret;
	st->dev = ((unsigned long long)major(old.st_dev) << 32) | minor(old.st_dev);
	st->ino = old.st_ino;
	st->size = old.st_size;
	st->blocks = old.st_blocks;
	st->mode = old.st_mode;
	st->uid = old.st_uid;
	st->gid = old.st_gid;
	st->nlink = old.st_nlink;
	st->rdev_major = major(old.st_rdev);
	st->rdev_minor = minor(old.st_rdev);
	copy_timespec(&st->atime, &old.st_atim);
	copy_timespec(&st->mtime, &old.st_mtim);
	copy_timespec(&st->ctime, &old.st_ctim);
	st->btime = st->ctime;
	return 0;
}

/*
 * Since Linux 6.11 a NULL path means the descriptor.  Before, that takes an empty
 * one, which a filter cannot tell from any other.
 */
int humfs_host_stat(int fd, struct humfs_stat *st)
{
	struct statx sx;
	int ret;

	if (have_null_path) {
		ret = HOST_CALL(__NR_statx, fd, NULL, AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
				STATX_BASIC_STATS | STATX_BTIME, &sx);
		if (!ret)
			copy_statx(st, &sx);
		if (ret != -EFAULT && ret != -ENOSYS && ret != -EPERM && ret != -EINVAL)
			return ret;
		have_null_path = 0;
	}
	return stat_fd(fd, st);
}

int humfs_host_stat_name(int dirfd, const char *name, struct humfs_stat *st)
{
	struct statx sx;
	int ret = check_name(name);

	if (ret)
		return ret;
	ret = HOST_CALL(__NR_statx, dirfd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
			STATX_BASIC_STATS | STATX_BTIME, &sx);
	if (!ret)
		copy_statx(st, &sx);
	return ret;
}

int humfs_host_mkdir(int dirfd, const char *name, unsigned int mode)
{
	int ret = check_name(name);

	return ret ? ret : HOST_CALL(__NR_mkdirat, dirfd, name, mode);
}

int humfs_host_mknod(int dirfd, const char *name, unsigned int mode)
{
	int ret = check_name(name);

	return ret ? ret : HOST_CALL(__NR_mknodat, dirfd, name, mode, 0);
}

int humfs_host_symlink(const char *target, int dirfd, const char *name)
{
	int ret = check_name(name);

	return ret ? ret : HOST_CALL(__NR_symlinkat, target, dirfd, name);
}

int humfs_host_readlink_name(int dirfd, const char *name, char *buf, unsigned long len)
{
	int ret = check_name(name);

	return ret ? ret : HOST_CALL(__NR_readlinkat, dirfd, name, buf, len);
}

int humfs_host_link(int from_fd, const char *from, int to_fd, const char *to)
{
	int ret = check_name(from);

	if (!ret)
		ret = check_name(to);
	return ret ? ret : HOST_CALL(__NR_linkat, from_fd, from, to_fd, to, 0);
}

/*
 * A name for an open file that has none.  Since Linux 6.10 the opener may do
 * this; before that it takes the detour over /proc.
 */
int humfs_host_link_fd(int fd, int to_fd, const char *to)
{
	char path[32];
	int ret = check_name(to);

	if (ret)
		return ret;
	ret = HOST_CALL(__NR_linkat, fd, "", to_fd, to, AT_EMPTY_PATH);
	if (ret != -ENOENT && ret != -EPERM)
		return ret;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return HOST_CALL(__NR_linkat, AT_FDCWD, path, to_fd, to, AT_SYMLINK_FOLLOW);
}

int humfs_host_unlink(int dirfd, const char *name, int is_dir)
{
	int ret = check_name(name);

	return ret ? ret : HOST_CALL(__NR_unlinkat, dirfd, name, is_dir ? AT_REMOVEDIR : 0);
}

/* NOREPLACE is already the guest kernel's promise; some hosts do not know it. */
int humfs_host_rename(int from_fd, const char *from, int to_fd, const char *to,
		      unsigned int flags)
{
	int ret = check_name(from);

	if (!ret)
		ret = check_name(to);
	if (ret)
		return ret;
	ret = HOST_CALL(__NR_renameat2, from_fd, from, to_fd, to, flags);
	if (ret == -EINVAL && flags == HUMFS_RENAME_NOREPLACE)
		ret = HOST_CALL(__NR_renameat2, from_fd, from, to_fd, to, 0);
	return ret;
}

int humfs_host_chmod(int fd, unsigned int mode)
{
	return HOST_CALL(__NR_fchmod, fd, mode);
}

int humfs_host_chown(int fd, unsigned int uid, unsigned int gid)
{
	return HOST_CALL(__NR_fchown, fd, uid, gid);
}

static struct timespec to_timespec(const struct humfs_time *t)
{
	if (!t)
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	return (struct timespec){ .tv_sec = t->sec, .tv_nsec = t->nsec };
}

int humfs_host_utimes(int fd, const struct humfs_time *atime, const struct humfs_time *mtime)
{
	struct timespec ts[2] = { to_timespec(atime), to_timespec(mtime) };

	return HOST_CALL(__NR_utimensat, fd, NULL, ts, 0);
}

int humfs_host_utimes_name(int dirfd, const char *name, const struct humfs_time *atime,
			   const struct humfs_time *mtime)
{
	struct timespec ts[2] = { to_timespec(atime), to_timespec(mtime) };
	int ret = check_name(name);

	return ret ? ret : HOST_CALL(__NR_utimensat, dirfd, name, ts, AT_SYMLINK_NOFOLLOW);
}

int humfs_host_getxattr(int fd, const char *attr, void *buf, unsigned long len)
{
	return HOST_CALL(__NR_fgetxattr, fd, attr, buf, len);
}

int humfs_host_listxattr(int fd, char *buf, unsigned long len)
{
	return HOST_CALL(__NR_flistxattr, fd, buf, len);
}

int humfs_host_setxattr(int fd, const char *attr, const void *buf, unsigned long len, int flags)
{
	return HOST_CALL(__NR_fsetxattr, fd, attr, buf, len, flags);
}

int humfs_host_removexattr(int fd, const char *attr)
{
	return HOST_CALL(__NR_fremovexattr, fd, attr);
}
