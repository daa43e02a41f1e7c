// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether memory allows what it has to and no more, and whose it is after fork(): the same is
 * done to a kernel's mappings and to a table of what has to come of it, and both are compared.
 * A kernel that leaves out what does not change on its host may leave out too much.
 *
 *	guest-memory [SEED]
 *
 * One line per check; exit status 1 if one failed.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "tests/bench/guest.h"

enum { PAGES = 300, CHANGES = 700, LOOKS = 8, FORKS = 25, DEPTH = 3 };

static uint64_t seed = 1;
static volatile uint64_t *memory;
static uint64_t holds[PAGES];		/* what each page has to hold */
static int allows[PAGES];		/* and what it has to allow */
static sigjmp_buf again;

static unsigned int any(unsigned int below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(seed >> 33) % below;
}

static volatile uint64_t *word_of(int page)
{
	return memory + page * (PAGE / sizeof(*memory)) + 1;
}

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(again, 1);
}

/* Reads, and writes if asked to; false if that faulted. */
static bool touches(int page, bool write, uint64_t *value)
{
	if (sigsetjmp(again, 1))
		return false;
	if (write)
		*word_of(page) = *value;
	else
		*value = *word_of(page);
	return true;
}

static bool wrong(const char *what, int page)
{
	printf("page %d: %s\n", page, what);
	return true;
}

/* Is anything about a page not as it has to be? */
static bool page_is_wrong(int page, bool write)
{
	uint64_t value = holds[page] + 1;
	bool may = allows[page] & (write ? PROT_WRITE : PROT_READ);

	if (touches(page, write, &value) != may)
		return wrong(may ? "refused" : "not refused", page);
	if (may && write)
		holds[page] = value;
	if (!(allows[page] & PROT_READ))
		return false;
	return !touches(page, false, &value) ? wrong("cannot be read", page) :
	       value != holds[page] ? wrong("holds something else", page) : false;
}

static int protect(int first, int num, int prot)
{
	if (mprotect((void *)(memory + first * (PAGE / sizeof(*memory))), (size_t)num * PAGE, prot))
		return -1;
	for (int i = first; i < first + num; i++)
		allows[i] = prot;
	return 0;
}

/* One change of what is allowed, or of what is there, and a look at some pages. */
static int change(void)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_WRITE };
	int first = (int)any(PAGES), num = 1 + (int)any(any(4) ? 12 : (unsigned int)(PAGES - first));
	char *at = (char *)memory + (size_t)first * PAGE;

	if (first + num > PAGES)
		num = PAGES - first;
	if (any(8)) {
		if (protect(first, num, prots[any(4)]))
			return -1;
	} else {
		if (mmap(at, (size_t)num * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
			return -1;
		memset(holds + first, 0, (size_t)num * sizeof(*holds));
		for (int i = first; i < first + num; i++)
			allows[i] = PROT_READ | PROT_WRITE;
	}
	for (int i = 0; i < LOOKS; i++)
		if (page_is_wrong(i < LOOKS / 2 ? first + (int)any((unsigned int)num) :
				  (int)any(PAGES), any(2)))
			return -1;
	return 0;
}

static int check_all(bool write)
{
	for (int i = 0; i < PAGES; i++)
		if (page_is_wrong(i, write && any(2)))
			return -1;
	return 0;
}

static int check_protections(void)
{
	int ret = 0;

	for (int i = 0; i < CHANGES && !ret; i++)
		ret = change();
	return ret ? ret : check_all(false);
}

/* A child goes through all, which must not be seen here, nor what is done here there. */
static int try_fork(int depth)
{
	int go[2], st, ret = 0;
	char c = 0;
	pid_t pid;

	if (pipe(go))
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		seed += (uint64_t)depth;
		close(go[1]);
		ret = any(2) && check_all(true);
		/* until the parent has written to its memory */
		ret |= read(go[0], &c, 1) != 0 || check_all(true);
		for (int i = 0; i < 20 && !ret; i++)
			ret = change();
		if (!ret && depth > 1)
			ret = try_fork(depth - 1);
		ret |= check_all(false);
		fflush(stdout);
		_exit(ret ? 1 : 0);
	}
	close(go[0]);
	for (int i = 0; i < 20 && !ret; i++)
		ret = change();
	ret |= check_all(true);
	close(go[1]);
	ret |= any(2) && check_all(true);
	if (waitpid(pid, &st, 0) != pid || st)
		ret = -1;
	return ret | check_all(true);
}

static int check_forks(void)
{
	int ret = 0;

	for (int i = 0; i < FORKS && !ret; i++)
		ret = try_fork(1 + (int)any(DEPTH));
	return ret;
}

/* A heap that grows and shrinks, written to in the order that malloc() does. */
static int check_heap(void)
{
	char *begin = sbrk(0), *end = begin;

	for (int i = 0; i < 40; i++) {
		size_t more = (1 + any(60)) * PAGE / 2;
		char *behind = end + any((unsigned int)more);

		if (sbrk((intptr_t)more) != end)
			return -1;
		/* what is left of a page that was begun may hold anything */
		for (char *p = (char *)(((uintptr_t)end + PAGE - 1) & ~(PAGE - 1)); p < end + more; p += 97)
			if (*p)
				return -1;
		*behind = 1;
		memset(end, i + 1, more);
		end += more;
		if (!any(4)) {
			size_t less = any((unsigned int)(end - begin));

			if (sbrk(-(intptr_t)less) != end)
				return -1;
			end -= less;
		}
		if (end > begin + 1 && !end[-1] && !end[-2])
			return -1;
	}
	return 0;
}

static int run(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_fault };

	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	for (int i = 0; i < PAGES; i++)
		allows[i] = PROT_READ | PROT_WRITE;
	if (sigaction(SIGSEGV, &sa, NULL))
		fail("sigaction");
	check("protections", check_protections);
	check("forks", check_forks);
	check("heap", check_heap);
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (getpid() != 1)
		return run(argc, argv);
	as_init("guest-memory", run, argc, argv);
	return 1;
}
