// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stamina of a kernel with ARCH=um: processes that touch far more separate pages than the host
 * allows them mappings. Every page gets a value that depends on its place, in random order, is
 * changed once in another order, and is verified at the end. Static; as process 1 it powers the
 * machine off when done.
 *
 *	guest-stamina one MB | threads N MB | procs N MB | forks N
 *
 * Prints one line with the time per page; exit status 1 if a content was wrong.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "guest.h"

struct slice {
	uint64_t *base;
	size_t pages, step, first;	/* pages first, first + step, ... of a power of two */
	uint64_t seed;
	size_t wrong;
	pthread_barrier_t *start;
};

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdULL;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

/* A permutation of 0 .. pages-1 (a power of two): odd multiplier, different for each round. */
static size_t order(size_t i, size_t pages, uint64_t mul)
{
	size_t x = i * (mul | 1) & (pages - 1);

	x ^= x >> 7;
	return x * 0x9e3779b97f4a7c15ULL & (pages - 1);
}

static void *work(void *arg)
{
	struct slice *s = arg;

	if (s->start)
		pthread_barrier_wait(s->start);
	for (size_t i = s->first; i < s->pages; i += s->step) {
		size_t n = order(i, s->pages, 2654435761);
		uint64_t *p = s->base + n * (PAGE / 8);

		__atomic_add_fetch(&p[n % 512], mix(n ^ s->seed), __ATOMIC_RELAXED);
	}
	for (size_t i = s->first; i < s->pages; i += s->step) {
		size_t n = order(i, s->pages, 40503 * 8 + 1);
		uint64_t *p = s->base + n * (PAGE / 8);

		__atomic_add_fetch(&p[n % 512], n, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *verify(void *arg)
{
	struct slice *s = arg;

	for (size_t i = s->first; i < s->pages; i += s->step) {
		size_t n = order(i, s->pages, 0x5851f42d4c957f2dULL);
		uint64_t *p = s->base + n * (PAGE / 8);

		if (p[n % 512] != mix(n ^ s->seed) + n || p[(n + 1) % 512])
			s->wrong++;
	}
	return NULL;
}

static size_t power_of_two_pages(size_t mb)
{
	size_t pages = 1;

	while (pages * 2 * PAGE <= mb << 20)
		pages *= 2;
	return pages;
}

static uint64_t *memory(size_t pages)
{
	uint64_t *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap of %zu pages", pages);
	return p;
}

static int one(size_t mb, uint64_t seed, const char *what)
{
	struct slice s = { .pages = power_of_two_pages(mb), .step = 1, .seed = seed };
	double t = now_us(), touched;

	s.base = memory(s.pages);
	work(&s);
	touched = now_us();
	verify(&s);
	printf("%s: %zu pages, touched twice %.2f us/page, read %.2f us/page, %zu wrong\n", what,
	       s.pages, (touched - t) / s.pages / 2, (now_us() - touched) / s.pages,
	       s.wrong);
	fflush(stdout);
	return s.wrong != 0;
}

static int threads(int n, size_t mb)
{
	struct slice *s = calloc(n, sizeof(*s));
	pthread_t *th = calloc(n, sizeof(*th));
	pthread_barrier_t start;
	pthread_attr_t attr;
	size_t wrong = 0, pages = power_of_two_pages(mb);
	uint64_t *base = memory(pages);
	double t = now_us();
	void *(*const phase[])(void *) = { work, verify };

	if (!s || !th)
		fail("calloc");
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_barrier_init(&start, NULL, n);
	for (int ph = 0; ph < 2; ph++) {
		for (int i = 0; i < n; i++) {
			int rc;

			s[i] = (struct slice){ base, pages, n, i, 7, 0, &start };
			rc = pthread_create(&th[i], &attr, phase[ph], &s[i]);
			if (rc) {
				errno = rc;
				fail("thread %d", i);
			}
		}
		for (int i = 0; i < n; i++) {
			pthread_join(th[i], NULL);
			wrong += s[i].wrong;
		}
	}
	printf("%d threads: %zu pages, %.2f us/page, %zu wrong\n", n, pages,
	       (now_us() - t) / pages / 3, wrong);
	return wrong != 0;
}

static int procs(int n, size_t mb)
{
	int rc = 0, st;

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		char what[32];

		if (pid < 0)
			fail("fork");
		if (pid)
			continue;
		snprintf(what, sizeof(what), "process %d", i);
		exit(one(mb, i * 1000003, what));
	}
	while (wait(&st) > 0)
		rc |= st != 0;
	return rc;
}

/* As many sleeping processes as asked for, or as the machine gives; how it refuses more. */
static int forks(int n)
{
	int go[2], made = 0, err = 0;
	double t = now_us();
	char c;

	if (pipe(go))
		fail("pipe");
	for (; made < n; made++) {
		pid_t pid = fork();

		if (pid < 0) {
			err = errno;
			break;
		}
		if (!pid) {
			close(go[1]);
			_exit(read(go[0], &c, 1) != 0);
		}
	}
	printf("%d of %d processes alive at once, %.0f us each%s%s\n", made, n,
	       (now_us() - t) / (made ? made : 1), err ? ", then: " : "",
	       err ? strerror(err) : "");
	close(go[0]);
	close(go[1]);
	while (made > 0) {
		int st;

		if (wait(&st) < 0 || st)
			return 1;
		made--;
	}
	return err && err != EAGAIN;
}

static int run(int argc, char **argv)
{
	int rc;

	if (argc == 3 && !strcmp(argv[1], "one"))
		rc = one(atol(argv[2]), 0, "one process");
	else if (argc == 4 && !strcmp(argv[1], "threads"))
		rc = threads(atoi(argv[2]), atol(argv[3]));
	else if (argc == 4 && !strcmp(argv[1], "procs"))
		rc = procs(atoi(argv[2]), atol(argv[3]));
	else if (argc == 3 && !strcmp(argv[1], "forks"))
		rc = forks(atoi(argv[2]));
	else {
		fprintf(stderr, "usage: guest-stamina one MB | threads N MB | procs N MB | forks N\n");
		rc = 2;
	}
	fflush(stdout);
	return rc;
}

int main(int argc, char **argv)
{
	if (getpid() != 1)
		return run(argc, argv);
	as_init("guest-stamina", run, argc, argv);
	return 1;
}
