// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls of one kind, made many times over, of which is counted from outside what they
 * cost: guest-calls looks at what all have to keep.
 *
 *	guest-sites mappings | turns | closed | narrow | foreign
 *
 * Calls that change mappings; by instructions that take turns; that close a file; by those
 * with no padding behind; and calls that a kernel for 64 bit alone does not have.  One line per
 * check; exit status 1 if one failed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/timerfd.h>

#include "tests/support/guest-call.h"

/* @nr with three arguments, and all registers kept */
static int mapping_kept(long nr, char *at, size_t len, long prot, uint64_t seed)
{
	struct registers in = any_registers(&seed);

	in.di = (uint64_t)at;
	in.si = len;
	in.dx = (uint64_t)prot;
	in.r10 = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	in.r8 = (uint64_t)-1;
	in.r9 = 0;
	return call_keeps(&in, nr, nr == SYS_mmap ? (long)at : 0);
}

/* What a call has changed is in force when it returns, also if it was interrupted there. */
static int check_mappings(void)
{
	enum { N = 16, ROUNDS = 3 * OFTEN };
	char *at = mmap(NULL, N * PAGE, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ret = 0;

	if (at == MAP_FAILED)
		return -1;
	alarm_every(1000, SA_RESTART);
	for (int i = 0; i < ROUNDS && !ret; i++) {
		char *page = at + i % N * PAGE;

		ret |= mapping_kept(SYS_mmap, page, PAGE, PROT_READ | PROT_WRITE, (uint64_t)i);
		ret |= page[0] || page[PAGE - 1] ? -1 : 0;
		memset(page, i, PAGE);
		ret |= mapping_kept(SYS_mprotect, at, N * PAGE, PROT_READ, (uint64_t)i);
		ret |= page[1] != (char)i || (i % 8 && page[-1] != (char)(i - 1)) ? -1 : 0;
		ret |= mapping_kept(SYS_mprotect, at, N * PAGE, PROT_READ | PROT_WRITE, (uint64_t)i);
		page[2] = (char)(i + 1);
		ret |= page[2] != (char)(i + 1) ? -1 : 0;
		if (i % 8 == 7)
			ret |= mapping_kept(SYS_munmap, page, PAGE, 0, (uint64_t)i) ||
			       mapping_kept(SYS_mmap, page, PAGE, PROT_READ | PROT_WRITE, 1) ||
			       page[2] ? -1 : 0;
	}
	alarm_every(0, SA_RESTART);
	munmap(at, N * PAGE);
	return ret;
}

/*
 * Instructions at the same place of their pages, which a kernel is likely to count in one place:
 * first many, some times each, then a few that are called often and in turn.
 */
static int check_turns(void)
{
	static const unsigned char code[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	enum { SITES = 24, SOME = 16, NOP = 0x90 };
	unsigned char *at = mmap(NULL, SITES * PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long (*site[SITES])(void), parent = getppid();

	if (at == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < SITES; i++) {
		unsigned char *page = at + i * PAGE;

		memset(page, NOP, 64);
		memcpy(page, code, sizeof(code));
		memcpy(&site[i], &page, sizeof(page));
	}
	for (int i = 0; i < 3 * SOME; i++) {
		if (site[i % SOME]() != parent)
			return -1;
	}
	for (int i = 0; i < 3 * OFTEN; i++) {
		if (site[SOME + i % (SITES - SOME)]() != parent)
			return -1;
	}
	return munmap(at, SITES * PAGE);
}

/* A kernel may have work left when a call that closed something returns. */
static int check_closed(void)
{
	static const char name[] = "/guest-sites";
	int kept = open(name, O_RDWR | O_CREAT, 0600);
	uint64_t seed = 11;

	if (kept < 0)
		return -1;
	for (int i = 0; i < 3 * OFTEN; i++) {
		struct registers in = any_registers(&seed);
		int fd = open(name, O_RDONLY);

		in.di = (uint64_t)fd;
		if (fd < 0 || call_keeps(&in, SYS_close, 0) < 0 || close(fd) == 0)
			return -1;
	}
	close(kept);
	return unlink(name);
}

/*
 * Functions with no padding near their system call instruction, which is 64 bytes and more
 * from the beginning of the page: the instruction before it has the number.
 */
static unsigned char *narrow_code(const unsigned char *code, size_t len)
{
	enum { AT = 512, NOP = 0x90 };
	static const unsigned char move[] = { 0x48, 0x89, 0xc2 };	/* mov %rax, %rdx */
	unsigned char *page = mmap(NULL, PAGE, 7, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	memset(page, NOP, AT);
	for (size_t at = AT; at + sizeof(move) <= PAGE; at += sizeof(move))
		memcpy(page + at, move, sizeof(move));
	memcpy(page + AT - len, code, len);
	page[PAGE - 1] = 0xc3;
	return page + AT - len;
}

/* The instruction before is replaced; whoever jumps behind it makes another call. */
static int check_narrow(void)
{
	/* mov $110, %eax; syscall; ret */
	static const unsigned char code[] = { 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	unsigned char *at = narrow_code(code, sizeof(code));
	long (*call)(void), parent = getppid(), pid = getpid(), got;

	if (!at)
		return -1;
	memcpy(&call, &at, sizeof(at));
	for (int i = 0; i < 3 * OFTEN; i++) {
		if (call() != parent)
			return -1;
		if (i % 100)
			continue;
		__asm__ volatile("call *%2" : "=a"(got) : "a"(SYS_getpid), "r"(at + 5)
				 : "rcx", "r11", "memory");
		if (got != pid)
			return -1;
	}
	return at[5] == 0x0f && at[6] == 0x05 ? 0 : -1;
}

/* The bytes are the same, but the end of an instruction that has another register. */
static int check_longer(void)
{
	/* mov %edi, %eax; mov $110, %r8d; syscall; mov %r8, %rax; ret */
	static const unsigned char code[] = { 0x89, 0xf8, 0x41, 0xb8, 110, 0, 0, 0,
					      0x0f, 0x05, 0x4c, 0x89, 0xc0, 0xc3 };
	unsigned char *at = narrow_code(code, sizeof(code));
	long (*call)(long nr);

	if (!at)
		return -1;
	memcpy(&call, &at, sizeof(at));
	for (int i = 0; i < OFTEN; i++) {
		if (call(SYS_getppid) != 110)
			return -1;
	}
	return memcmp(at, code, sizeof(code));
}

/* What a signal interrupts is restarted, by the instruction that is still there. */
static int check_restarted(void)
{
	/* mov $SYS_read, %eax; syscall; ret */
	static const unsigned char code[] = { 0xb8, SYS_read, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	struct itimerspec every = { { 0, 2000000 }, { 0, 2000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0), ret = 0;
	unsigned char *at = narrow_code(code, sizeof(code));
	ssize_t (*call)(int fd, void *buf, size_t len);
	uint64_t times;

	if (fd < 0 || !at || timerfd_settime(fd, 0, &every, NULL) < 0)
		return -1;
	memcpy(&call, &at, sizeof(at));
	alarm_every(700, SA_RESTART);
	for (int i = 0; i < 300 && !ret; i++)
		ret = call(fd, &times, sizeof(times)) == sizeof(times) ? 0 : -1;
	alarm_every(0, SA_RESTART);
	close(fd);
	return !ret && alarms > 100 && at[0] == 0xe9 ? 0 : -1;
}

static int check_32_bit(void)
{
	long ax = 20;

	__asm__ volatile("int $0x80" : "+a"(ax) : : "memory");
	return ax == -ENOSYS ? 0 : -1;
}

static int check_x32(void)
{
	for (int i = 0; i < OFTEN; i++) {
		if (syscall(0x40000000L + SYS_getppid) != -1 || errno != ENOSYS)
			return -1;
	}
	return 0;
}

static int run(int argc, char **argv)
{
	static const struct {
		const char *kind, *name;
		int (*fn)(void);
	} checks[] = {
		{ "mappings", "mappings", check_mappings },
		{ "turns", "turns", check_turns },
		{ "closed", "closed", check_closed },
		{ "narrow", "narrow", check_narrow },
		{ "narrow", "longer", check_longer },
		{ "narrow", "restarted", check_restarted },
		{ "foreign", "32-bit", check_32_bit },
		{ "foreign", "x32", check_x32 },
	};
	bool known = false;

	for (size_t i = 0; argc == 2 && i < sizeof(checks) / sizeof(*checks); i++) {
		if (strcmp(checks[i].kind, argv[1]) != 0)
			continue;
		check(checks[i].name, checks[i].fn);
		known = true;
	}
	if (!known) {
		fprintf(stderr, "usage: guest-sites mappings | turns | closed | foreign\n");
		return 2;
	}
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (getpid() != 1)
		return run(argc, argv);
	as_init("guest-sites", run, argc, argv);
	return 1;
}
