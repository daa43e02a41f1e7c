// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether system calls keep what they have to keep, however a kernel hands them over: each
 * check makes the same call many times over, so that a kernel which replaces instructions it
 * sees often has replaced it, and then does what such a kernel may get wrong.
 *
 *	guest-calls [replaced | untouched]
 *
 * With one of the two, also whether the instructions are there no more, or are there still.
 * One line per check; exit status 1 if one failed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "tests/support/guest-call.h"

enum { PEERS = 30 };

static bool exited_with(pid_t pid, int code)
{
	int st;

	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == code;
}

static int check_registers(void)
{
	return registers_kept(SYS_getppid, getppid(), 10 * OFTEN, 1);
}

static int check_signals(void)
{
	int ret = 0;

	alarm_every(1000, SA_RESTART);
	for (double until = now_us() + 1e6; !ret && now_us() < until;)
		ret = registers_kept(SYS_getppid, getppid(), 100, 7);
	alarm_every(0, SA_RESTART);
	return ret || alarms < 10 ? -1 : 0;
}

/* A read that sleeps, is interrupted, and goes on or ends with EINTR as it should. */
static int interrupted_read(int flags)
{
	int p[2], ret = 0;
	char c;

	if (pipe(p))
		fail("pipe");
	for (int i = 0; i < OFTEN; i++)
		if (any_call(SYS_write, p[1], "x", 1) != 1 || any_call(SYS_read, p[0], &c, 1) != 1)
			return -1;

	pid_t pid = fork();

	/* what should be interrupted has all the time for it, on a busy machine, too */
	if (!pid) {
		usleep(flags & SA_RESTART ? 30000 : 5000000);
		_exit(write(p[1], "y", 1) != 1);
	}
	alarm_every(5000, flags);
	long got = any_call(SYS_read, p[0], &c, 1);
	alarm_every(0, flags);

	if (flags & SA_RESTART)
		ret = got == 1 && c == 'y' ? 0 : -1;
	else
		ret = got == -EINTR ? 0 : -1;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(p[0]);
	close(p[1]);
	return ret;
}

static int check_restart(void)
{
	return interrupted_read(SA_RESTART);
}

static int check_eintr(void)
{
	return interrupted_read(0);
}

/* The instruction that served harmless calls serves those that change everything. */
static int check_any_call(void)
{
	uint64_t mask = 1ULL << (SIGUSR1 - 1), old = 0;
	long pid, st = 0;
	char *at;

	for (int i = 0; i < OFTEN; i++)
		if (any_call(SYS_getppid) != getppid())
			return -1;
	for (int i = 0; i < 20; i++) {
		at = (char *)any_call(SYS_mmap, 0L, 4 * PAGE, 3, 0x22, -1, 0);
		if ((long)at < 0 && (long)at > -4096)
			return -1;
		memset(at, i + 1, 4 * PAGE);
		if (any_call(SYS_mprotect, at, PAGE, 1) || at[5] != i + 1)
			return -1;
		pid = any_call(SYS_fork);
		if (!pid) {
			int bad = at[PAGE] != i + 1 || registers_kept(SYS_getppid, getppid(), 200, 3);

			any_call(SYS_exit_group, bad ? 1 : 42);
		}
		if (pid < 0 || any_call(SYS_wait4, pid, &st, 0, 0) != pid || WEXITSTATUS(st) != 42)
			return -1;
		if (any_call(SYS_munmap, at, 4 * PAGE))
			return -1;
	}
	if (any_call(SYS_rt_sigprocmask, SIG_BLOCK, &mask, 0L, 8) ||
	    any_call(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, &old, 8) || !(old & mask))
		return -1;
	if (any_call(SYS_sched_yield) || any_call(100000) != -ENOSYS)
		return -1;
	return registers_kept(SYS_getppid, getppid(), 200, 5);
}

static __thread uint64_t own;

static void *thread(void *arg)
{
	own = (uint64_t)arg;
	for (int i = 0; i < 20; i++) {
		if (registers_kept(i % 4 ? SYS_getppid : SYS_sched_yield, -1, OFTEN / 4,
				   (uint64_t)arg * 977))
			return (void *)1;
		if (own != (uint64_t)arg)
			return (void *)1;
	}
	return NULL;
}

static int check_threads(void)
{
	pthread_t th[6];
	void *bad;
	int ret = 0;

	alarm_every(2000, SA_RESTART);
	for (uint64_t i = 0; i < 6; i++)
		if (pthread_create(&th[i], NULL, thread, (void *)(i + 1)))
			fail("thread");
	for (int i = 0; i < 6; i++) {
		pthread_join(th[i], &bad);
		ret |= bad ? -1 : 0;
	}
	alarm_every(0, SA_RESTART);
	return ret;
}

/* One sleeps in a call while others of the process run, and one of them ends it. */
static void *sleeper(void *arg)
{
	int *p = arg;
	char c;

	for (int i = 0; i < OFTEN; i++)
		any_call(SYS_getppid);
	return (void *)(any_call(SYS_read, p[0], &c, 1) == 1 && c == 'z' &&
			!registers_kept(SYS_getppid, getppid(), 10, 8) ? 0L : 1L);
}

static int check_sleeping_thread(void)
{
	pthread_t th;
	void *bad = NULL;
	int p[2], ret;

	if (pipe(p) || pthread_create(&th, NULL, sleeper, p))
		fail("thread");
	usleep(20000);
	ret = registers_kept(SYS_getppid, getppid(), OFTEN, 6);
	if (write(p[1], "z", 1) != 1)
		return -1;
	pthread_join(th, &bad);
	close(p[0]);
	close(p[1]);
	return ret || bad ? -1 : 0;
}

/* A tracer steps over the instruction, watches calls, and exchanges a vector register. */
static int check_traced(void)
{
	struct user_regs_struct regs;
	struct user_fpregs_struct fp;
	int st, calls = 0, steps = 0;
	pid_t pid = fork();

	if (!pid) {
		uint64_t got[2];

		for (int i = 0; i < OFTEN; i++)
			quick_getppid();
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		__asm__ volatile ("pcmpeqb %%xmm3, %%xmm3\n"
				  "call quick_getppid\n"
				  "movdqu %%xmm3, %0\n"
				  : "=m" (got) : : "rax", "rcx", "r11", "xmm3", "memory", "cc");
		_exit(got[0] == 0x1122334455667788ULL && got[1] == 5 ? 17 : 18);
	}
	if (waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
		return -1;
	/* to the call, by system call stops, which is not the first */
	while (calls < 40) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) || waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
			return -1;
		if (ptrace(PTRACE_GETREGS, pid, 0, &regs))
			return -1;
		calls++;
		if (regs.orig_rax == SYS_getppid)
			break;
	}
	if (regs.orig_rax != SYS_getppid || ptrace(PTRACE_GETFPREGS, pid, 0, &fp))
		return -1;
	if (fp.xmm_space[12] != 0xffffffff || fp.xmm_space[15] != 0xffffffff)
		return -1;
	memcpy(&fp.xmm_space[12], (uint64_t[]){ 0x1122334455667788ULL, 5 }, 16);
	if (ptrace(PTRACE_SETFPREGS, pid, 0, &fp))
		return -1;
	for (; steps < 400; steps++) {
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) || waitpid(pid, &st, 0) != pid)
			return -1;
		if (WIFEXITED(st))
			break;
	}
	if (!WIFEXITED(st)) {
		kill(pid, SIGKILL);
		waitpid(pid, &st, 0);
		return -1;
	}
	return WEXITSTATUS(st) == 17 ? 0 : -1;
}

/* Stepped from before the instruction to behind it: the result has to be there. */
static int check_stepped(void)
{
	int st;
	pid_t pid = fork();

	if (!pid) {
		long sum = 0;

		for (int i = 0; i < OFTEN; i++)
			quick_getppid();
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (int i = 0; i < 5; i++)
			sum += quick_getppid() == getppid();
		_exit((int)sum);
	}
	if (waitpid(pid, &st, 0) != pid || !WIFSTOPPED(st))
		return -1;
	for (int steps = 0; steps < 5000 && !WIFEXITED(st); steps++)
		if (ptrace(PTRACE_SINGLESTEP, pid, 0, 0) || waitpid(pid, &st, 0) != pid)
			return -1;
	if (!WIFEXITED(st)) {
		kill(pid, SIGKILL);
		waitpid(pid, &st, 0);
	}
	return WIFEXITED(st) && WEXITSTATUS(st) == 5 ? 0 : -1;
}

/* A filter that ends one thread for a call; the others go on. */
static void *doomed(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(*code), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		fail("seccomp");
	for (int i = 0; i < OFTEN; i++)
		if (any_call(SYS_getsid, 0) != -77)
			_exit(3);
	*(volatile int *)arg = 1;
	any_call(SYS_getpgrp);
	_exit(4);
}

static int check_filtered(void)
{
	pid_t pid = fork();

	if (!pid) {
		volatile int there = 0;
		pthread_t th;

		pthread_create(&th, NULL, doomed, (void *)&there);
		while (!there)
			sched_yield();
		for (int i = 0; i < 20; i++) {
			usleep(1000);
			if (registers_kept(SYS_getppid, getppid(), 200, 2))
				_exit(5);
		}
		_exit(0);
	}
	return exited_with(pid, 0) ? 0 : -1;
}

static int check_killed_in_call(void)
{
	int st, p[2];
	char c;

	if (pipe(p))
		fail("pipe");
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (!pid) {
			for (int k = 0; k < 200; k++)
				any_call(SYS_getppid);
			any_call(SYS_read, p[0], &c, 1);
			_exit(1);
		}
		usleep(3000);
		kill(pid, SIGKILL);
		if (waitpid(pid, &st, 0) != pid || !WIFSIGNALED(st))
			return -1;
	}
	close(p[0]);
	close(p[1]);
	return 0;
}

/* A call that the processor ends in 32-bit mode must not leave others there. */
static int check_sysenter(void)
{
	pid_t pids[PEERS];
	int failed = 0;

	for (size_t i = 0; i < PEERS; i++) {
		long ax = 20;

		pids[i] = fork();
		if (!pids[i]) {
			__asm__ volatile("sysenter" : "+a"(ax) : : "memory");
			_exit(0);
		}
	}
	for (size_t i = 0; i < PEERS; i++)
		failed |= waitpid(pids[i], NULL, 0) != pids[i];
	for (size_t i = 0; i < PEERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(7);
	}
	for (size_t i = 0; i < PEERS; i++)
		failed |= !exited_with(pids[i], 7);
	return failed;
}

__attribute__((noreturn))
static void wait_for_last(const sigset_t *set)
{
	siginfo_t si;

	while (sigwaitinfo(set, &si) < 0 || si.si_value.sival_int >= 0)
		;
	_exit(0);
}

__attribute__((noreturn))
static void flood(const sigset_t *set)
{
	const int times = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 3000 : 100;
	pid_t pids[PEERS];
	int failed = 0;

	for (size_t i = 0; i < PEERS; i++) {
		pids[i] = fork();
		if (!pids[i])
			wait_for_last(set);
	}
	for (int i = 0; i < times * PEERS; i++)
		sigqueue(pids[i % PEERS], SIGRTMIN + 1, (union sigval){ .sival_int = i });
	for (size_t i = 0; i < PEERS; i++) {
		while (sigqueue(pids[i], SIGRTMIN + 1, (union sigval){ .sival_int = -1 }) < 0)
			sched_yield();
		failed |= !exited_with(pids[i], 0);
	}
	_exit(failed);
}

/* Many queued signals to processes that sleep and wake on all processors at once. */
static int check_flood(void)
{
	sigset_t set, old;
	pid_t pids[2];
	int failed = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (size_t i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i])
			flood(&set);
	}
	for (size_t i = 0; i < 2; i++)
		failed |= !exited_with(pids[i], 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return failed;
}

static bool replaced(const unsigned char *site)
{
	return site[0] != 0x0f || site[1] != 0x05;
}

static int run(int argc, char **argv)
{
	bool wanted = argc == 2 && strcmp(argv[1], "replaced") == 0;

	if (argc > 2 || (argc == 2 && !wanted && strcmp(argv[1], "untouched") != 0)) {
		fprintf(stderr, "usage: guest-calls [replaced | untouched]\n");
		return 2;
	}
	check("registers", check_registers);
	check("signals", check_signals);
	check("restart", check_restart);
	check("eintr", check_eintr);
	check("any-call", check_any_call);
	check("threads", check_threads);
	check("sleeping-thread", check_sleeping_thread);
	check("traced", check_traced);
	check("stepped", check_stepped);
	check("filtered", check_filtered);
	check("killed-in-call", check_killed_in_call);
	check("flood", check_flood);
	check("sysenter", check_sysenter);
	for (int i = 0; i < OFTEN; i++)
		quick_getppid();
	/* the first by way of the instruction before it */
	if (argc == 2 && ((quick_mov[0] == 0xe9) != wanted || replaced(any_site) != wanted ||
			  replaced(call_with_site) != wanted)) {
		printf("the instructions are %02x, %02x %02x and %02x %02x\n", quick_mov[0],
		       any_site[0], any_site[1], call_with_site[0], call_with_site[1]);
		failures++;
	}
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (getpid() != 1)
		return run(argc, argv);
	as_init("guest-calls", run, argc, argv);
	return 1;
}
