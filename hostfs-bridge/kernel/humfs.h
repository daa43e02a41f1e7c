/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The border between humfs' kernel half and its host half.
 *
 * Everything here is in neutral types, because one side sees the kernel's
 * headers and the other the C library's.  Every function returns 0 or something
 * positive, or -errno of the host (whose numbers are the kernel's own).
 *
 * A name is one component of a path, never followed if it is a symbolic link,
 * and always relative to an open directory of the share.
 */
#ifndef HUMFS_H
#define HUMFS_H

struct humfs_time {
	long long sec;
	unsigned int nsec;
};

/* What the host knows of one of its files. */
struct humfs_stat {
	unsigned long long dev;
	unsigned long long ino;
	unsigned long long size;
	unsigned long long blocks;	/* of 512 bytes */
	unsigned int mode;
	unsigned int uid;
	unsigned int gid;
	unsigned int nlink;
	unsigned int rdev_major;
	unsigned int rdev_minor;
	struct humfs_time atime;
	struct humfs_time mtime;
	struct humfs_time ctime;
	struct humfs_time btime;
};

struct humfs_statfs {
	unsigned long long blocks;
	unsigned long long bfree;
	unsigned long long bavail;
	unsigned long long files;
	unsigned long long ffree;
	unsigned int bsize;
	unsigned int namelen;
};

/* The same in memory as the host's struct iovec. */
struct humfs_vec {
	void *base;
	unsigned long len;
};

/* The same in memory as the host's struct linux_dirent64. */
struct humfs_dirent {
	unsigned long long ino;
	long long off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

enum humfs_open {
	HUMFS_OPEN_READ,	/* without changing the access time */
	HUMFS_OPEN_WRITE,	/* for reading, too */
	HUMFS_OPEN_DIR,
};

enum humfs_rename {
	HUMFS_RENAME_NOREPLACE = 1,
	HUMFS_RENAME_EXCHANGE = 2,
};

/* humfs_user.c: names.  What returns a descriptor, returns it close-on-exec. */
enum humfs_adopted {
	HUMFS_ADOPTED_DIR,
	HUMFS_ADOPTED_FILE,	/* a regular file that may be written to */
	HUMFS_ADOPTED_READ,	/* one that is only good for reading */
};

/* One of enum humfs_adopted, or -errno. */
int humfs_host_adopt(int fd);
unsigned int humfs_host_uid(void);
unsigned int humfs_host_gid(void);
unsigned long humfs_host_max_fds(void);
void humfs_host_close(int fd);
int humfs_host_open(int dirfd, const char *name, enum humfs_open how);
int humfs_host_open_self(int dirfd);
/* Another number for the same description. */
int humfs_host_dup(int fd);
/* @onto means the description of @fd from now on; @fd stays open. */
int humfs_host_replace(int fd, int onto);
int humfs_host_create(int dirfd, const char *name, unsigned int mode);
int humfs_host_tmpfile(int dirfd, unsigned int mode);
int humfs_host_stat(int fd, struct humfs_stat *st);
int humfs_host_mkdir(int dirfd, const char *name, unsigned int mode);
int humfs_host_mknod(int dirfd, const char *name, unsigned int mode);
int humfs_host_symlink(const char *target, int dirfd, const char *name);
int humfs_host_link(int from_fd, const char *from, int to_fd, const char *to);
int humfs_host_link_fd(int fd, int to_fd, const char *to);
int humfs_host_unlink(int dirfd, const char *name, int is_dir);
int humfs_host_rename(int from_fd, const char *from, int to_fd, const char *to,
		      unsigned int flags);
int humfs_host_chmod(int fd, unsigned int mode);
/* Only a kernel that is root on the host may: anybody else's cannot make the call. */
int humfs_host_chown(int fd, unsigned int uid, unsigned int gid);
/* A NULL time is left as it is. */
int humfs_host_utimes(int fd, const struct humfs_time *atime, const struct humfs_time *mtime);
int humfs_host_getxattr(int fd, const char *attr, void *buf, unsigned long len);
int humfs_host_listxattr(int fd, char *buf, unsigned long len);
int humfs_host_setxattr(int fd, const char *attr, const void *buf, unsigned long len, int flags);
int humfs_host_removexattr(int fd, const char *attr);

/* What no descriptor can be had for: see the top of humfs_user.c. */
int humfs_host_stat_name(int dirfd, const char *name, struct humfs_stat *st);
int humfs_host_readlink_name(int dirfd, const char *name, char *buf, unsigned long len);
int humfs_host_utimes_name(int dirfd, const char *name, const struct humfs_time *atime,
			   const struct humfs_time *mtime);

/* humfs_io_user.c: contents. */
long humfs_host_readv(int fd, const struct humfs_vec *vec, int n, unsigned long long pos);
long humfs_host_writev(int fd, const struct humfs_vec *vec, int n, unsigned long long pos);
long humfs_host_read(int fd, void *buf, unsigned long len, unsigned long long pos);
int humfs_host_write_all(int fd, const void *buf, unsigned long len);
int humfs_host_truncate(int fd, unsigned long long size);
int humfs_host_fallocate(int fd, int mode, unsigned long long pos, unsigned long long len);
long long humfs_host_seek_data(int fd, unsigned long long pos);
long long humfs_host_seek_hole(int fd, unsigned long long pos);
long humfs_host_copy_range(int from, unsigned long long from_pos, int to,
			   unsigned long long to_pos, unsigned long len);
int humfs_host_sync(int fd, int datasync);
int humfs_host_syncfs(int fd);
int humfs_host_statfs(int fd, struct humfs_statfs *sf);
int humfs_host_getdents(int fd, void *buf, unsigned long len);
int humfs_host_seekdir(int fd, long long pos);

#endif
