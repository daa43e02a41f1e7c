// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether all ways to a file show the same: read(), write(), mappings and truncation in random
 * order against a copy in memory, while what the kernel has cached of it comes and goes; and
 * whether a process that reads while another writes sees what was written before it asked.
 *
 *	guest-files DIRECTORY [SEED]
 *
 * One line per check; exit status 1 if one failed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "tests/bench/guest.h"

enum { STEPS = 20000, FILE_MAX = 300000, WRITE_MAX = 90000 };
enum { GENERATIONS = 10000, RECORDS = 6000, READERS = 1, PAUSE_US = 60 };

static unsigned char want[FILE_MAX], data[FILE_MAX];
static size_t size;
static unsigned int seed = 1;
static int step;

static size_t any(size_t below)
{
	seed = seed * 1103515245 + 12345;
	return below ? (seed >> 8) % below : 0;
}

static void fill(unsigned char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (unsigned char)(seed + i * 7);
	any(2);
}

/* Between small and large, so that many end within a page and some have several. */
static size_t any_length(void)
{
	static const size_t below[] = { 20, 4096, 20000, WRITE_MAX };

	return 1 + any(below[any(4)]);
}

static void compare(const char *how, const unsigned char *got, size_t pos, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (got[i] != want[pos + i]) {
			printf("step %d: %s: byte %zu of %zu is %02x, not %02x\n", step, how,
			       pos + i, size, got[i], want[pos + i]);
			exit(1);
		}
}

static void grow_to(size_t end)
{
	size = end > size ? end : size;
}

static void do_write(int fd)
{
	size_t pos = any(2) ? size : any(size + 5000), len = any_length();

	if (pos + len > FILE_MAX)
		return;
	fill(data, len);
	if (pwrite(fd, data, len, (off_t)pos) != (ssize_t)len)
		fail("pwrite");
	memcpy(want + pos, data, len);
	grow_to(pos + len);
}

static void do_read(int fd)
{
	size_t pos = any(size + 1), len = any_length();
	ssize_t got = pread(fd, data, len, (off_t)pos);

	if (len > size - pos)
		len = size - pos;
	if (got != (ssize_t)len) {
		printf("step %d: read %zd of %zu bytes at %zu of %zu\n", step, got, len, pos, size);
		exit(1);
	}
	compare("read", data, pos, len);
}

static void do_truncate(int fd)
{
	size_t to = any(any(2) ? size + 1 : FILE_MAX);

	if (ftruncate(fd, (off_t)to))
		fail("ftruncate");
	if (to < size)
		memset(want + to, 0, size - to);
	size = to;
}

static unsigned char *map(int fd)
{
	void *p = mmap(NULL, FILE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

static void do_look(int fd)
{
	unsigned char *p = map(fd);

	compare("mapping", p, 0, size);
	munmap(p, FILE_MAX);
}

static void do_store(int fd)
{
	size_t pos = any(size), len = any_length();
	unsigned char *p = map(fd);

	if (len > size - pos)
		len = size - pos;
	fill(want + pos, len);
	memcpy(p + pos, want + pos, len);
	munmap(p, FILE_MAX);
}

/* From a mapping of the file itself, of which nothing may be in memory yet. */
static void do_write_own(int fd)
{
	size_t from = any(size), pos = any(size), len = any_length();
	unsigned char *p = map(fd);

	if (len > size - from)
		len = size - from;
	if (pos < from ? pos + len > from : from + len > pos)
		len = 0;
	if (len && pos + len <= FILE_MAX) {
		if (pwrite(fd, p + from, len, (off_t)pos) != (ssize_t)len)
			fail("pwrite from a mapping");
		memcpy(want + pos, want + from, len);
		grow_to(pos + len);
	}
	munmap(p, FILE_MAX);
}

static void do_forget(int fd)
{
	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		fail("forget");
}

static void check_ways(const char *name)
{
	static void (*const steps[])(int) = { do_write, do_write, do_write, do_read,
		do_read, do_truncate, do_look, do_store, do_write_own, do_forget, do_forget };
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		fail("open");
	for (step = 0; step < STEPS; step++)
		steps[any(sizeof(steps) / sizeof(steps[0]))](fd);
	do_look(fd);
	close(fd);
	printf("ways ok\n");
}

/* All records are of the generation that was written last when they were asked for, or newer. */
static void read_records(int fd, const volatile uint64_t *written)
{
	static uint64_t got[RECORDS];
	uint64_t least = *written;
	size_t from = any(RECORDS), n = 1 + any(RECORDS - from);
	ssize_t len = pread(fd, got, n * sizeof(*got), (off_t)(from * sizeof(*got)));

	if (len != (ssize_t)(n * sizeof(*got)))
		fail("pread");
	for (size_t i = 0; i < n; i++)
		if (got[i] < least) {
			printf("record %zu is of generation %llu after %llu\n", from + i,
			       (unsigned long long)got[i], (unsigned long long)least);
			exit(1);
		}
}

/* So that two of them run at the same time, where there are two CPUs. */
static void stay_on(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("sched_setaffinity");
}

static void pause_a_little(void)
{
	for (double until = now_us() + (double)any(PAUSE_US); now_us() < until;)
		;
}

static void reader(const char *name, const volatile uint64_t *written)
{
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		fail("open");
	stay_on(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	while (*written < GENERATIONS) {
		/* The first fills the cache, maybe while something is written; the second believes it. */
		read_records(fd, written);
		read_records(fd, written);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		pause_a_little();
	}
	exit(0);
}

static void check_readers(const char *name)
{
	static uint64_t records[RECORDS];
	volatile uint64_t *written = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	int failed = 0;

	if (written == MAP_FAILED || fd < 0)
		fail("open");
	stay_on(0);
	for (uint64_t g = 0; g <= GENERATIONS; g++) {
		for (size_t i = 0; i < RECORDS; i++)
			records[i] = g;
		if (pwrite(fd, records, sizeof(records), 0) != sizeof(records))
			fail("pwrite");
		*written = g;
		pause_a_little();
		for (int i = 0; !g && i < READERS; i++) {
			seed += 17;
			if (!fork())
				reader(name, written);
		}
	}
	for (int status, i = 0; i < READERS; i++) {
		wait(&status);
		failed |= status;
	}
	if (failed)
		exit(1);
	printf("readers ok\n");
}

int main(int argc, char **argv)
{
	char name[4096];

	if (argc < 2)
		fail("usage: guest-files DIRECTORY [SEED]");
	if (argc > 2)
		seed = (unsigned int)strtoul(argv[2], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(name, sizeof(name), "%s/guest-files", argv[1]);
	check_ways(name);
	check_readers(name);
	unlink(name);
	return 0;
}
