// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host takes for the parts of a system call in a cage, each alone: the signal by
 * which a trapped call reaches its handler and the return from it, and handing over to
 * another process and back, on the same processor and on another one, asleep or spinning.
 * A kernel that works by these means cannot be faster than their sum.
 *
 *	host-handover [-n RUNS]
 *
 * One line per part: name, unit, minimum, median, maximum of RUNS (default 5) runs.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "guest.h"

#define CALLS	20000
#define MAX_RUNS 101

static void on_sigsys(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
}

/* As UML does: getppid is trapped, a few calls are allowed by number. */
static void trap_getppid(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(*code), code };
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };

	if (sigaltstack(&ss, NULL) || sigaction(SIGSYS, &sa, NULL))
		fail("sigaction");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		fail("seccomp");
}

static double trapped_call(void)
{
	double t;

	trap_getppid();
	t = now_us();
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return (now_us() - t) / CALLS;
}

static _Atomic uint32_t *turn;	/* of which of the two: 0, 1; 2: the end */

static void use_processor(int wanted)
{
	cpu_set_t allowed, one;
	int n = -1;

	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed) && ++n == wanted) {
			CPU_ZERO(&one);
			CPU_SET(i, &one);
			sched_setaffinity(0, sizeof(one), &one);
			return;
		}
	errno = ENODEV;
	fail("processor %d", wanted);
}

static void hand_over(uint32_t mine, int spin)
{
	uint32_t theirs = !mine;

	atomic_store(turn, theirs);
	if (!spin)
		syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	while (atomic_load(turn) == theirs)
		if (!spin)
			syscall(SYS_futex, turn, FUTEX_WAIT, theirs, NULL, NULL, 0);
}

static double hand_overs(int other_processor, int spin)
{
	pid_t pid;
	double t;

	turn = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (turn == MAP_FAILED)
		fail("mmap");
	pid = fork();
	if (pid < 0)
		fail("fork");
	use_processor(pid ? 0 : other_processor);
	if (!pid) {
		while (atomic_load(turn) == 0)
			if (!spin)
				syscall(SYS_futex, turn, FUTEX_WAIT, 0, NULL, NULL, 0);
		while (atomic_load(turn) == 1)
			hand_over(1, spin);
		_exit(0);
	}
	t = now_us();
	for (int i = 0; i < CALLS; i++)
		hand_over(0, spin);
	t = (now_us() - t) / CALLS;
	atomic_store(turn, 2);
	syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
	if (waitpid(pid, NULL, 0) != pid)
		fail("wait");
	munmap((void *)turn, PAGE);
	return t;
}

static double futex_same(void)
{
	return hand_overs(0, 0);
}

static double futex_other(void)
{
	return hand_overs(1, 0);
}

static double spin_other(void)
{
	return hand_overs(1, 1);
}

/* What a call in a cage takes at least, as long as it is made of these. */
static double trap_and_hand_over(void)
{
	double us = futex_same();

	return us + trapped_call();
}

static const struct part {
	const char *name;
	double (*run)(void);
} parts[] = {
	{ "trapped-call", trapped_call },
	{ "futex-same-processor", futex_same },
	{ "trap-and-hand-over", trap_and_hand_over },
	{ "futex-other-processor", futex_other },
	{ "spin-other-processor", spin_other },
};

/* In a child: what it does to itself ends with it. */
static double once(const struct part *part)
{
	int fds[2], status;
	double us = 0;
	pid_t pid;

	if (pipe(fds))
		fail("pipe");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		us = part->run();
		_exit(write(fds[1], &us, sizeof(us)) != sizeof(us));
	}
	close(fds[1]);
	if (read(fds[0], &us, sizeof(us)) != sizeof(us) || waitpid(pid, &status, 0) != pid ||
	    status)
		fail("%s", part->name);
	close(fds[0]);
	return us;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	int runs = argc == 3 && strcmp(argv[1], "-n") == 0 ? atoi(argv[2]) : 5;
	double us[MAX_RUNS];

	if (runs < 1 || runs > MAX_RUNS || (argc != 1 && argc != 3)) {
		fprintf(stderr, "usage: host-handover [-n RUNS]\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (strstr(parts[i].name, "other-processor") && sysconf(_SC_NPROCESSORS_ONLN) < 2)
			continue;
		for (int r = 0; r < runs; r++)
			us[r] = once(&parts[i]);
		qsort(us, (size_t)runs, sizeof(*us), compare);
		printf("%s us %.3f %.3f %.3f\n", parts[i].name, us[0], us[runs / 2], us[runs - 1]);
		fflush(stdout);
	}
	return 0;
}
