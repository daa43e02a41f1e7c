// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For mke2fs and debugfs, which read and write an image block by block, the same ones again and again:
 * preloaded, it keeps the blocks of the file that they have open to be written to, and writes them in
 * long pieces when there is no more room, and when it is synced or closed.  What cannot be written then is
 * an error of fsync() and close(), which both look at.  Neither has threads.  Like still.c it meets the C
 * library of the tools' root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "rootfs/image/preload.h"

#define BLOCK	4096u
#ifndef SLOTS
#define SLOTS	8192u		/* 32 MiB */
#endif
#define PARTS	256		/* at most, of what is written in one call */

/* One file at a time. */
static int file = -1;
static uint64_t size;		/* as the program has it */
static int failed;		/* errno of the first write that was one */

static unsigned char *blocks;	/* of the slots */
static uint64_t numbers[SLOTS];
static unsigned char dirty[SLOTS];
static uint32_t table[2 * SLOTS], used;	/* slots and 1, by their numbers */
static uint32_t order[SLOTS];

static long fails(long err)
{
	errno = (int)err;
	return -1;
}

static unsigned char *data_of(uint32_t slot)
{
	return blocks + (size_t)slot * BLOCK;
}

/* Where in the table it is, or would be. */
static uint32_t *place_of(uint64_t number)
{
	uint32_t i = (uint32_t)(number * 0x9e3779b97f4a7c15 >> 40) % (2 * SLOTS);

	while (table[i] && numbers[table[i] - 1] != number)
		i = (i + 1) % (2 * SLOTS);
	return &table[i];
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = numbers[*(const uint32_t *)a], y = numbers[*(const uint32_t *)b];

	return x < y ? -1 : x > y;
}

static int write_parts(struct iovec *parts, long n, uint64_t at)
{
	while (n) {
		long ret = preload_call(SYS_pwritev, file, (long)parts, n, (long)at, 0);

		if (ret == -EINTR)
			continue;
		if (ret <= 0)
			return ret ? (int)-ret : EIO;
		at += (uint64_t)ret;
		for (; n && (size_t)ret >= parts->iov_len; n--, parts++)
			ret -= (long)parts->iov_len;
		if (n) {
			parts->iov_base = (char *)parts->iov_base + ret;
			parts->iov_len -= (size_t)ret;
		}
	}
	return 0;
}

/* Dirty blocks that follow each other in the file, from the first of @slots; how many. */
static uint32_t write_run(const uint32_t *slots, uint32_t n)
{
	struct iovec parts[PARTS];
	uint64_t first = numbers[slots[0]];
	uint32_t i;
	int nparts = 0, err;

	for (i = 0; i < n && numbers[slots[i]] == first + i; i++) {
		uint64_t left = size - (first + i) * BLOCK;
		size_t len = left < BLOCK ? (size_t)left : BLOCK;
		struct iovec *last = nparts ? &parts[nparts - 1] : NULL;

		if (last && (unsigned char *)last->iov_base + last->iov_len == data_of(slots[i]))
			last->iov_len += len;
		else if (nparts == PARTS)
			break;
		else
			parts[nparts++] = (struct iovec){ data_of(slots[i]), len };
		dirty[slots[i]] = 0;
	}
	err = write_parts(parts, nparts, first * BLOCK);
	if (err && !failed)
		failed = err;
	return i;
}

/* All that was not written yet. */
static int flush(void)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < used; slot++)
		if (dirty[slot])
			order[n++] = slot;
	if (!n)
		return failed;
	qsort(order, n, sizeof(*order), by_number);
	/* a file of which nothing is cached is written past the kernel's cache */
	(void)preload_call(SYS_fadvise64, file, 0, 0, POSIX_FADV_DONTNEED, 0);
	for (uint32_t i = 0; i < n;)
		i += write_run(order + i, n - i);
	return failed;
}

static int forget(void)
{
	int err = flush();

	memset(table, 0, sizeof(table));
	used = 0;
	return err;
}

static int end(void)
{
	int err = forget();

	file = -1;
	failed = 0;
	return err;
}

static int find_size(void)
{
	struct stat st = { 0 };
	long ret = preload_call(SYS_fstat, file, (long)&st, 0, 0, 0);

	size = ret < 0 ? 0 : (uint64_t)st.st_size;
	return ret < 0 ? (int)-ret : S_ISREG(st.st_mode) ? 0 : ENOTSUP;
}

static int is_file(int fd)
{
	return fd >= 0 && fd == file;
}

/* Is it the file, or does it become that? */
static int is_ours(int fd)
{
	long flags;
	void *room;

	if (fd < 0 || fd == file)
		return is_file(fd);
	flags = preload_call(SYS_fcntl, fd, F_GETFL, 0, 0, 0);
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || file >= 0)
		return 0;
	file = fd;
	room = blocks ? blocks : mmap(NULL, (size_t)SLOTS * BLOCK, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || find_size()) {
		file = -1;
		return 0;
	}
	blocks = room;
	return 1;
}

/* Its slot, with what the file has there unless all of it is going to be written; -1 with errno. */
static long slot_of(uint64_t number, int all)
{
	uint32_t *place = place_of(number), slot;
	long n = 0;

	if (*place)
		return *place - 1;
	if (used == SLOTS) {
		int err = forget();

		if (err)
			return fails(err);
		place = place_of(number);
	}
	slot = used;
	if (!all) {
		n = preload_call(SYS_pread64, file, (long)data_of(slot), BLOCK, (long)(number * BLOCK), 0);
		if (n < 0)
			return fails(-n);
		memset(data_of(slot) + n, 0, BLOCK - (size_t)n);
	}
	used++;
	numbers[slot] = number;
	dirty[slot] = 0;
	*place = slot + 1;
	return slot;
}

/* From or to the blocks; how much. */
static ssize_t copy(unsigned char *to, const unsigned char *from, size_t len, uint64_t at)
{
	size_t done = 0;

	while (done < len) {
		size_t in = (size_t)((at + done) % BLOCK), left = len - done;
		size_t n = BLOCK - in < left ? BLOCK - in : left;
		long slot = slot_of((at + done) / BLOCK, from && n == BLOCK);

		if (slot < 0)
			return done ? (ssize_t)done : -1;
		if (from) {
			memcpy(data_of((uint32_t)slot) + in, from + done, n);
			dirty[slot] = 1;
			size = at + done + n > size ? at + done + n : size;
		} else if (to) {
			memcpy(to + done, data_of((uint32_t)slot) + in, n);
		}
		done += n;
	}
	return (ssize_t)done;
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t at)
{
	if (at < 0 || !is_ours(fd)) {
		long ret = preload_call(SYS_pread64, fd, (long)buf, (long)len, at, 0);

		return ret < 0 ? fails(-ret) : ret;
	}
	if ((uint64_t)at >= size)
		return 0;
	return copy(buf, NULL, len < size - (uint64_t)at ? len : (size_t)(size - (uint64_t)at), (uint64_t)at);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
	if (at < 0 || !is_ours(fd)) {
		long ret = preload_call(SYS_pwrite64, fd, (long)buf, (long)len, at, 0);

		return ret < 0 ? fails(-ret) : ret;
	}
	return failed ? fails(failed) : copy(NULL, buf, len, (uint64_t)at);
}

int fsync(int fd)
{
	int err = is_file(fd) ? flush() : 0;
	long ret = preload_call(SYS_fsync, fd, 0, 0, 0, 0);

	return err ? (int)fails(err) : ret < 0 ? (int)fails(-ret) : 0;
}

int close(int fd)
{
	int err = is_file(fd) ? end() : 0;
	long ret = preload_call(SYS_close, fd, 0, 0, 0, 0);

	return err ? (int)fails(err) : ret < 0 ? (int)fails(-ret) : 0;
}

/* What looks at the file or changes it otherwise finds it written, and nothing is kept. */
static long pass(int fd, long nr, long a, long b, long c)
{
	int ours = is_file(fd), err = ours ? forget() : 0;
	long ret = err ? -err : preload_call(nr, fd, a, b, c, 0);

	if (ours)
		(void)find_size();
	return ret < 0 ? fails(-ret) : ret;
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	return (int)pass(fd, SYS_fallocate, mode, at, len);
}

int ftruncate64(int fd, off64_t len)
{
	return (int)pass(fd, SYS_ftruncate, len, 0, 0);
}

off64_t lseek64(int fd, off64_t at, int from)
{
	return pass(fd, SYS_lseek, at, from, 0);
}

#ifndef GATHER_TEST
#define ALIAS(name) __attribute__((alias(name)))
ssize_t pread(int fd, void *buf, size_t len, off_t at) ALIAS("pread64");
ssize_t pwrite(int fd, const void *buf, size_t len, off_t at) ALIAS("pwrite64");
int fallocate(int fd, int mode, off_t at, off_t len) ALIAS("fallocate64");
int ftruncate(int fd, off_t len) ALIAS("ftruncate64");
off_t lseek(int fd, off_t at, int from) ALIAS("lseek64");
#endif

/* Whoever ends without closing it. */
__attribute__((destructor)) static void finish(void)
{
	if (file >= 0 && end())
		_exit(1);
}
