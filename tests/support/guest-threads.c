// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether threads that run at the same time have one memory: one thread keeps writing to a page
 * while another takes it away, protects it, moves it or forks. What the first still writes after
 * the call of the second has returned is an error. For two processors, or more.
 *
 *	guest-threads [NAME...]
 *
 * One line per check; exit status 1 if one failed.
 */
#define _GNU_SOURCE
#include <linux/membarrier.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/bench/guest.h"

enum { ROUNDS = 300, OTHERS = 64, EXCHANGES = 500, BARRIERS = 20000 };
enum { LONG_ENOUGH_US = 30, AT_ONCE_US = 9000000 };

static volatile uint64_t *page;		/* what the writer writes to */
static volatile bool allowed, waits, stop;
static __thread sigjmp_buf again;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(again, 1);
}

static void *writer(void *arg)
{
	sigsetjmp(again, 1);
	while (!stop) {
		if (!allowed) {
			waits = true;
			continue;
		}
		waits = false;
		++*page;
	}
	return arg;
}

static void *map_at(void *at, size_t pages)
{
	void *p = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

static void busy_for(double us)
{
	double end = now_us() + us;

	while (now_us() < end)
		;
}

/* Let the writer write, and return while it does */
static void let_write(void)
{
	uint64_t before = *page;

	allowed = true;
	while (*page < before + 1000)
		;
}

static bool changes(volatile uint64_t *word)
{
	uint64_t before = *word;

	busy_for(LONG_ENOUGH_US);
	return *word != before;
}

/* Runs @round with the writer at work; the number of rounds that went wrong */
static int rounds(bool (*round)(void))
{
	struct sigaction sa = { .sa_handler = on_fault };
	pthread_t thread;
	int wrong = 0;

	sigaction(SIGSEGV, &sa, NULL);
	page = map_at(NULL, 1);
	allowed = stop = false;
	errno = pthread_create(&thread, NULL, writer, NULL);
	if (errno)
		fail("pthread_create");
	for (int i = 0; i < ROUNDS; i++) {
		let_write();
		wrong += round();
	}
	stop = true;
	pthread_join(thread, NULL);
	munmap((void *)page, PAGE);
	return wrong;
}

static bool protect(void)
{
	bool wrong;

	if (mprotect((void *)page, PAGE, PROT_READ))
		fail("mprotect");
	wrong = changes(page);
	allowed = false;
	if (mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE))
		fail("mprotect");
	return wrong;
}

static bool unmap(void)
{
	unsigned char *others = map_at(NULL, OTHERS);
	bool wrong = false;

	/* its memory is free then, and used for the others */
	munmap((void *)page, PAGE);
	memset(others, 0x55, OTHERS * PAGE);
	busy_for(LONG_ENOUGH_US);
	for (size_t i = 0; i < OTHERS * PAGE; i++)
		wrong |= others[i] != 0x55;
	allowed = false;
	/* it does not read the address again before that */
	while (!waits)
		;
	map_at((void *)page, 1);
	munmap(others, OTHERS * PAGE);
	return wrong;
}

static bool move(void)
{
	volatile uint64_t *there = map_at(NULL, 1);
	bool wrong;

	if (mremap((void *)page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, there) == MAP_FAILED)
		fail("mremap");
	wrong = changes(there);
	allowed = false;
	while (!waits)
		;
	map_at((void *)page, 1);
	munmap((void *)there, PAGE);
	return wrong;
}

/* The writer goes on, from 0 */
static bool discard(void)
{
	uint64_t before = *page;

	if (madvise((void *)page, PAGE, MADV_DONTNEED))
		fail("madvise");
	/* it may have read the old value before, and write it only now: once */
	busy_for(1);
	return before > 1000000000 && *page > before;
}

static bool fork_it(void)
{
	pid_t pid = fork();
	int st;

	if (pid < 0)
		fail("fork");
	if (!pid)
		_exit(changes(page));
	if (waitpid(pid, &st, 0) != pid)
		fail("waitpid");
	return !WIFEXITED(st) || WEXITSTATUS(st);
}

static int check_protect(void)
{
	return rounds(protect);
}

static int check_unmap(void)
{
	return rounds(unmap);
}

static int check_move(void)
{
	return rounds(move);
}

static int check_discard(void)
{
	return rounds(discard);
}

static int check_fork(void)
{
	return rounds(fork_it);
}

/* Two threads that wait for each other without system calls get on only if both run. */
static volatile unsigned int turn;

static void *answer(void *arg)
{
	for (unsigned int i = 0; i < EXCHANGES; i++) {
		while (turn != 2 * i + 1)
			;
		turn = 2 * i + 2;
	}
	return arg;
}

static int check_at_once(void)
{
	double begin = now_us();
	pthread_t thread;

	turn = 0;
	if (pthread_create(&thread, NULL, answer, NULL))
		fail("pthread_create");
	for (unsigned int i = 0; i < EXCHANGES; i++) {
		turn = 2 * i + 1;
		while (turn != 2 * i + 2)
			;
	}
	pthread_join(thread, NULL);
	return now_us() - begin > AT_ONCE_US;
}

/*
 * Each of two threads writes one word and then reads the other's. The first has no barrier in
 * between: that is what the second one's call has to provide. Not both may find nothing.
 */
static volatile unsigned int round_of, done_with, x, y, seen_by_first;

static void *first(void *arg)
{
	for (unsigned int i = 1; i <= BARRIERS; i++) {
		while (round_of != i)
			;
		x = 1;
		__asm__ volatile("" : : : "memory");
		seen_by_first = y;
		__atomic_store_n(&done_with, i, __ATOMIC_RELEASE);
	}
	return arg;
}

static int check_barrier(void)
{
	pthread_t thread;
	int wrong = 0;

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		fail("membarrier");
	if (pthread_create(&thread, NULL, first, NULL))
		fail("pthread_create");
	for (unsigned int i = 1; i <= BARRIERS; i++) {
		unsigned int seen;

		x = y = 0;
		__atomic_store_n(&round_of, i, __ATOMIC_SEQ_CST);
		y = 1;
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
			fail("membarrier");
		seen = x;
		while (__atomic_load_n(&done_with, __ATOMIC_ACQUIRE) != i)
			;
		wrong += !seen && !seen_by_first;
	}
	pthread_join(thread, NULL);
	return wrong;
}

static const struct {
	const char *name;
	int (*fn)(void);
} checks[] = {
	{ "at-once", check_at_once }, { "protect", check_protect }, { "unmap", check_unmap },
	{ "move", check_move }, { "discard", check_discard }, { "fork", check_fork },
	{ "barrier", check_barrier },
};

static int run(int argc, char **argv)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		bool wanted = argc < 2;
		int wrong;

		for (int k = 1; k < argc; k++)
			wanted |= !strcmp(argv[k], checks[i].name);
		if (!wanted)
			continue;
		wrong = checks[i].fn();
		failed |= wrong;
		if (wrong)
			printf("%s: %d wrong\n", checks[i].name, wrong);
		else
			printf("%s ok\n", checks[i].name);
		fflush(stdout);
	}
	return !!failed;
}

int main(int argc, char **argv)
{
	if (getpid() != 1)
		return run(argc, argv);
	as_init("guest-threads", run, argc, argv);
	return 1;
}
