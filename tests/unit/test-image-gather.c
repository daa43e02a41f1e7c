// SPDX-License-Identifier: GPL-2.0-or-later
/* What is preloaded to mke2fs: a file has in the end what the same calls would have put in it without. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <signal.h>
#include <unistd.h>

#include "tests/support/unit.h"

/* a cache that is soon full, under names of its own */
#define SLOTS 64u
#define GATHER_TEST
#define pread64 gather_pread
#define pwrite64 gather_pwrite
#define fsync gather_fsync
#define close gather_close
#define fallocate64 gather_fallocate
#define ftruncate64 gather_ftruncate
#define lseek64 gather_lseek
ssize_t gather_pread(int fd, void *buf, size_t len, off_t at);
ssize_t gather_pwrite(int fd, const void *buf, size_t len, off_t at);
int gather_fsync(int fd);
int gather_close(int fd);
int gather_fallocate(int fd, int mode, off_t at, off_t len);
int gather_ftruncate(int fd, off_t len);
off_t gather_lseek(int fd, off_t at, int from);
/* NOLINTNEXTLINE(bugprone-suspicious-include) ; it is in no library */
#include "rootfs/image/gather.c"
#undef close

enum { MOST = 2 << 20, PIECE = 20000, STEPS = 600 };

static char dir[UNIT_PATH], path[UNIT_PATH + 8];
static int fd;
static unsigned char want[MOST + PIECE], got[MOST + PIECE];

static void setup(void)
{
	unit_dir(dir, "gather");
	snprintf(path, sizeof(path), "%s/image", dir);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
}

static void put(size_t at, size_t len, size_t *end)
{
	memset(want + at, (int)random(), len);
	want[at + len / 2] = (unsigned char)random();
	ck_assert_int_eq(gather_pwrite(fd, want + at, len, (off_t)at), (ssize_t)len);
	*end = at + len > *end ? at + len : *end;
}

static void cut(size_t at, size_t len, size_t *end)
{
	if (random() % 3 == 0) {
		ck_assert_int_eq(gather_ftruncate(fd, (off_t)at), 0);
		if (at < *end)
			memset(want + at, 0, *end - at);
		*end = at;
		return;
	}
	ck_assert_int_eq(gather_fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, (off_t)at,
					  (off_t)len), 0);
	memset(want + at, 0, len);
}

START_TEST(file_is_what_was_written)
{
	size_t end = 0;

	srandom((unsigned int)_i);
	for (int i = 0; i < STEPS; i++) {
		size_t at = (size_t)(random() % MOST), len = random() % 3 ? BLOCK : (size_t)(random() % PIECE) + 1;
		long what = random() % 20;
		size_t there;

		if (random() % 2)
			at -= at % BLOCK;
		there = at >= end ? 0 : len < end - at ? len : end - at;
		if (what < 9) {
			put(at, len, &end);
		} else if (what < 18) {
			ck_assert_int_eq(gather_pread(fd, got, len, (off_t)at), (ssize_t)there);
			ck_assert_int_eq(memcmp(got, want + at, there), 0);
		} else if (what == 18) {
			cut(at, len, &end);
		} else if (random() % 2) {
			ck_assert_int_eq(gather_fsync(fd), 0);
		} else {
			/* another way to read it */
			ck_assert_int_eq(gather_lseek(fd, (off_t)at, SEEK_SET), (off_t)at);
			ck_assert_int_eq(read(fd, got, len), (ssize_t)there);
			ck_assert_int_eq(memcmp(got, want + at, there), 0);
		}
	}
	ck_assert_int_eq(gather_close(fd), 0);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, got, sizeof(got)), (ssize_t)end);
	ck_assert_int_eq(memcmp(got, want, end), 0);
	close(fd);
}
END_TEST

/* What does not come to the file in the end is known to who closes it. */
START_TEST(full_disk_is_told)
{
	const struct rlimit little = { 100 * BLOCK, 100 * BLOCK };
	int written = 0;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0);
	while (written < 1000 && gather_pwrite(fd, want, BLOCK, (off_t)written * BLOCK) == BLOCK)
		written++;
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_lt(written, 300);
	ck_assert_int_eq(gather_fsync(fd), -1);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(gather_close(fd), -1);
	ck_assert_int_eq(errno, EFBIG);
	/* the next file is another one */
	fd = open(path, O_RDWR);
	ck_assert_int_eq(gather_pwrite(fd, "x", 1, 0), 1);
	ck_assert_int_eq(gather_close(fd), 0);
}
END_TEST

/* Until it is synced, nobody else sees what was written. */
START_TEST(who_only_reads_is_passed_on)
{
	int plain;

	ck_assert_int_eq(gather_pwrite(fd, "first", 5, 0), 5);
	plain = open(path, O_RDONLY);
	ck_assert_int_eq(gather_pread(plain, got, 5, 0), 0);
	ck_assert_int_eq(gather_fsync(fd), 0);
	ck_assert_int_eq(gather_pread(plain, got, 5, 0), 5);
	ck_assert_int_eq(memcmp(got, "first", 5), 0);
	ck_assert_int_eq(gather_close(plain), 0);
	ck_assert_int_eq(gather_close(fd), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("image-gather");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(files, setup, NULL);
	tcase_add_loop_test(files, file_is_what_was_written, 1, 9);
	tcase_add_test(files, full_disk_is_told);
	tcase_add_test(files, who_only_reads_is_passed_on);
	suite_add_tcase(s, files);
	return unit_run(s);
}
