/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the programs that run in a guest share: giving up, the clock, checks, and being process 1 of a
 * machine that has nothing else. A header, since each of them is one static file.
 */
#ifndef TESTS_BENCH_GUEST_H
#define TESTS_BENCH_GUEST_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL

/* Ends the process with status 2, naming errno. */
__attribute__((noreturn, format(printf, 1, 2)))
static inline void fail(const char *fmt, ...)
{
	const char *reason = strerror(errno);
	va_list ap;

	va_start(ap, fmt);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, ": %s\n", reason);
	va_end(ap);
	exit(2);
}

/* Microseconds of a clock that only goes forward. */
static inline double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* How many of check() have failed. */
static int failures;

/* One of several checks, 0 if all is well: a line with its name and how it went. */
static inline void check(const char *name, int (*fn)(void))
{
	int ret = fn();

	printf("%-24s %s\n", name, ret ? "FAILED" : "ok");
	fflush(stdout);
	failures += ret != 0;
}

/*
 * As process 1: mounts /proc and /dev, runs @run in a child without a limit on processes, says
 * with which status it ended, and powers the machine off.
 */
static inline void as_init(const char *name, int (*run)(int, char **), int argc, char **argv)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int st = 0;
	pid_t pid;

	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mkdir("/dev", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		setrlimit(RLIMIT_NPROC, &unlimited);
		exit(run(argc, argv));
	}
	while (wait(&st) != pid)
		;
	printf("%s: done, status %d\n", name,
	       WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st));
	fflush(stdout);
	reboot(RB_POWER_OFF);
}

#endif
