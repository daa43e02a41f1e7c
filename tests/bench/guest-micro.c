// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Micro-benchmarks of what a kernel with ARCH=um is slow at: system calls, page faults, processes,
 * threads, hand-over between tasks. Static, without arguments beyond names; the same binary runs on
 * the host for the native figure. As process 1 it mounts /proc, runs what its arguments name, and
 * powers the machine off, so it can be the whole initramfs.
 *
 *	guest-micro [-n RUNS] [NAME...]
 *
 * One line per benchmark: name, unit, minimum, median, maximum of RUNS (default 5) runs.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "guest.h"

#define MAX_RUNS 101

static const char *self_path;

static double bench_getppid(void)
{
	const int n = 50000;
	double t = now_us();

	for (int i = 0; i < n; i++)
		syscall(SYS_getppid);
	return (now_us() - t) / n;
}

/* A write and a read of one byte: calls that copy from and to user memory. */
static double bench_pipe_self(void)
{
	const int n = 10000;
	int fd[2];
	char c = 0;
	double t;

	if (pipe(fd))
		fail("pipe");
	t = now_us();
	for (int i = 0; i < n; i++)
		if (write(fd[1], &c, 1) != 1 || read(fd[0], &c, 1) != 1)
			fail("pipe self");
	t = (now_us() - t) / n / 2;
	close(fd[0]);
	close(fd[1]);
	return t;
}

static double touch(size_t pages, int random)
{
	unsigned char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double t;

	if (p == MAP_FAILED)
		fail("mmap");
	t = now_us();
	/* an odd multiplier visits every page of a power of two once, in no useful order */
	for (size_t i = 0; i < pages; i++)
		p[(random ? i * 2654435761UL % pages : i) * PAGE]++;
	t = (now_us() - t) / pages;
	munmap(p, pages * PAGE);
	return t;
}

static double bench_touch_seq(void)
{
	return touch(8192, 0);
}

static double bench_touch_random(void)
{
	return touch(8192, 1);
}

static double bench_touch_100m(void)
{
	return touch(32768, 1);
}

static double bench_touch_1g(void)
{
	return touch(262144, 1);
}

/* Small mappings, each touched in a few pages: what malloc and ld.so do. */
static double bench_mmap_small(void)
{
	const int n = 2000;
	double t = now_us();

	for (int i = 0; i < n; i++) {
		char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			fail("mmap");
		for (int k = 0; k < 4; k++)
			p[k * PAGE] = 1;
		munmap(p, 16 * PAGE);
	}
	return (now_us() - t) / n;
}

static double bench_fork(void)
{
	const int n = 300;
	double t = now_us();

	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		int st;

		if (pid < 0)
			fail("fork");
		if (!pid)
			_exit(0);
		if (waitpid(pid, &st, 0) != pid || st)
			fail("wait");
	}
	return (now_us() - t) / n;
}

static double bench_fork_rw(void)
{
	const int n = 100, pages = 512;
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double t;

	if (p == MAP_FAILED)
		fail("mmap");
	memset(p, 1, pages * PAGE);
	t = now_us();
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		int st;

		if (pid < 0)
			fail("fork");
		if (!pid) {
			for (int k = 0; k < 64; k++)
				p[k * PAGE] = 2;
			_exit(0);
		}
		if (waitpid(pid, &st, 0) != pid || st)
			fail("wait");
	}
	t = (now_us() - t) / n;
	munmap(p, pages * PAGE);
	return t;
}

static double bench_vfork_exec(void)
{
	enum { N = 200 };
	static int i;
	double t = now_us();

	for (i = 0; i < N; i++) {
		pid_t pid = vfork();
		int st;

		if (pid < 0)
			fail("vfork");
		if (!pid) {
			execl(self_path, "true", (char *)NULL);
			_exit(127);
		}
		if (waitpid(pid, &st, 0) != pid || st)
			fail("exec of %s", self_path);
	}
	return (now_us() - t) / N;
}

static void *thread_nothing(void *arg)
{
	return arg;
}

static double bench_thread(void)
{
	const int n = 1000;
	double t = now_us();

	for (int i = 0; i < n; i++) {
		pthread_t th;

		if (pthread_create(&th, NULL, thread_nothing, NULL))
			fail("pthread_create");
		pthread_join(th, NULL);
	}
	return (now_us() - t) / n;
}

static double bench_ctxsw(void)
{
	const int n = 3000;
	int a[2], b[2];
	char c = 0;
	double t;
	pid_t pid;

	if (pipe(a) || pipe(b))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		close(a[1]);
		while (read(a[0], &c, 1) == 1)
			if (write(b[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	t = now_us();
	for (int i = 0; i < n; i++)
		if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1)
			fail("ping");
	t = (now_us() - t) / n;
	close(a[0]);
	close(a[1]);
	close(b[0]);
	close(b[1]);
	waitpid(pid, NULL, 0);
	return t;
}

/* As many processes as CPUs, each in a getppid loop: time per call and CPU. */
static double bench_getppid_all(void)
{
	int ncpu = sysconf(_SC_NPROCESSORS_ONLN);
	const int n = 50000;
	double t = now_us();

	for (int k = 0; k < ncpu; k++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (!pid) {
			for (int i = 0; i < n; i++)
				syscall(SYS_getppid);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
	return (now_us() - t) / n;
}

static void *thread_getppid(void *arg)
{
	for (int i = 0; i < 20000; i++)
		syscall(SYS_getppid);
	return arg;
}

/* Two threads of one process calling at once: they share one stub. */
static double bench_getppid_threads(void)
{
	pthread_t th[2];
	double t = now_us();

	for (int k = 0; k < 2; k++)
		if (pthread_create(&th[k], NULL, thread_getppid, NULL))
			fail("pthread_create");
	for (int k = 0; k < 2; k++)
		pthread_join(th[k], NULL);
	return (now_us() - t) / 40000;
}

static double bench_cpu(void)
{
	volatile uint64_t x = 1;
	double t = now_us();

	for (int i = 0; i < 20000000; i++)
		x = x * 6364136223846793005ULL + 1;
	return (now_us() - t) / 1000;
}

static const struct bench {
	const char *name, *unit;
	double (*fn)(void);
	int on_request;
} benches[] = {
	{ "getppid", "us", bench_getppid, 0 },
	{ "getppid-all-cpus", "us", bench_getppid_all, 0 },
	{ "getppid-2-threads", "us", bench_getppid_threads, 0 },
	{ "pipe-byte", "us", bench_pipe_self, 0 },
	{ "touch-sequential", "us/page", bench_touch_seq, 0 },
	{ "touch-random", "us/page", bench_touch_random, 0 },
	{ "touch-random-128m", "us/page", bench_touch_100m, 1 },
	{ "touch-random-1g", "us/page", bench_touch_1g, 1 },
	{ "mmap-touch4-munmap", "us", bench_mmap_small, 0 },
	{ "fork-exit-wait", "us", bench_fork, 0 },
	{ "fork-2m-write64", "us", bench_fork_rw, 0 },
	{ "vfork-exec-wait", "us", bench_vfork_exec, 0 },
	{ "thread-create-join", "us", bench_thread, 0 },
	{ "pipe-ping-pong", "us", bench_ctxsw, 0 },
	{ "cpu-loop", "ms", bench_cpu, 0 },
};

static int cmp_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run(const struct bench *b, int runs)
{
	double v[MAX_RUNS] = { 0 };

	for (int i = 0; i < runs; i++)
		v[i] = b->fn();
	qsort(v, runs, sizeof(v[0]), cmp_double);
	printf("%-20s %-8s %10.2f %10.2f %10.2f\n", b->name, b->unit,
	       v[0], v[runs / 2], v[runs - 1]);
	fflush(stdout);
}

static int run_all(int argc, char **argv)
{
	int runs = 5, i = 1, rc = 0;

	if (argc > 2 && !strcmp(argv[1], "-n")) {
		runs = atoi(argv[2]);
		if (runs < 1 || runs > MAX_RUNS)
			runs = 5;
		i = 3;
	}
	if (i >= argc) {
		for (size_t k = 0; k < sizeof(benches) / sizeof(benches[0]); k++)
			if (!benches[k].on_request)
				run(&benches[k], runs);
		return 0;
	}
	for (; i < argc; i++) {
		size_t k;

		for (k = 0; k < sizeof(benches) / sizeof(benches[0]); k++)
			if (!strcmp(argv[i], benches[k].name))
				break;
		if (k == sizeof(benches) / sizeof(benches[0])) {
			fprintf(stderr, "guest-micro: no benchmark '%s'\n", argv[i]);
			rc = 2;
			continue;
		}
		run(&benches[k], runs);
	}
	return rc;
}

int main(int argc, char **argv)
{
	self_path = getpid() == 1 ? "/init" : "/proc/self/exe";
	if (argc && !strcmp(argv[0], "true"))
		return 0;
	if (getpid() == 1) {
		as_init("guest-micro", run_all, argc, argv);
		return 1;
	}
	if (!access("/init", X_OK))
		self_path = "/init";
	return run_all(argc, argv);
}
