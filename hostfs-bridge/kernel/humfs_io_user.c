// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs on the host: the contents of files and directories, by descriptor.
 */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include "humfs.h"
#include "humfs_user.h"

#ifndef SEEK_DATA
#define SEEK_DATA	3
#define SEEK_HOLE	4
#endif

static_assert(sizeof(struct humfs_vec) == sizeof(struct iovec) &&
	       offsetof(struct humfs_vec, len) == offsetof(struct iovec, iov_len),
	       "struct humfs_vec is passed as struct iovec");

/* Short only at the end of the file or before an error. */
long humfs_host_readv(int fd, const struct humfs_vec *vec, int n, unsigned long long pos)
{
	return HOST_CALL(__NR_preadv, fd, vec, n, (unsigned long)pos, 0UL);
}

long humfs_host_writev(int fd, const struct humfs_vec *vec, int n, unsigned long long pos)
{
	return HOST_CALL(__NR_pwritev, fd, vec, n, (unsigned long)pos, 0UL);
}

long humfs_host_read(int fd, void *buf, unsigned long len, unsigned long long pos)
{
	return HOST_CALL(__NR_pread64, fd, buf, len, pos);
}

int humfs_host_write_all(int fd, const void *buf, unsigned long len)
{
	unsigned long done = 0;

	while (done < len) {
		long ret = HOST_CALL(__NR_pwrite64, fd, (const char *)buf + done, len - done, done);

		if (ret <= 0)
			return ret ? ret : -EIO;
		done += ret;
	}
	return 0;
}

int humfs_host_truncate(int fd, unsigned long long size)
{
	return HOST_CALL(__NR_ftruncate, fd, size);
}

int humfs_host_fallocate(int fd, int mode, unsigned long long pos, unsigned long long len)
{
	return HOST_CALL(__NR_fallocate, fd, mode, pos, len);
}

long long humfs_host_seek_data(int fd, unsigned long long pos)
{
	return HOST_CALL(__NR_lseek, fd, pos, SEEK_DATA);
}

long long humfs_host_seek_hole(int fd, unsigned long long pos)
{
	return HOST_CALL(__NR_lseek, fd, pos, SEEK_HOLE);
}

long humfs_host_copy_range(int from, unsigned long long from_pos, int to,
			   unsigned long long to_pos, unsigned long len)
{
	return HOST_CALL(__NR_copy_file_range, from, &from_pos, to, &to_pos, len, 0);
}

int humfs_host_sync(int fd, int datasync)
{
	return HOST_CALL(datasync ? __NR_fdatasync : __NR_fsync, fd);
}

int humfs_host_syncfs(int fd)
{
	return HOST_CALL(__NR_syncfs, fd);
}

int humfs_host_statfs(int fd, struct humfs_statfs *sf)
{
	struct statfs host;
	int ret = HOST_CALL(__NR_fstatfs, fd, &host);

	if (ret)
		return ret;
	sf->blocks = host.f_blocks;
	sf->bfree = host.f_bfree;
	sf->bavail = host.f_bavail;
	sf->files = host.f_files;
	sf->ffree = host.f_ffree;
	sf->bsize = host.f_bsize;
	sf->namelen = host.f_namelen;
	return 0;
}

int humfs_host_getdents(int fd, void *buf, unsigned long len)
{
	return HOST_CALL(__NR_getdents64, fd, buf, len);
}

int humfs_host_seekdir(int fd, long long pos)
{
	long ret = HOST_CALL(__NR_lseek, fd, pos, SEEK_SET);

	return ret < 0 ? ret : 0;
}
