// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whether system calls keep what they have to keep, however a kernel hands them over: each
 * check makes the same call many times over, so that a kernel which replaces instructions it
 * sees often has replaced it, and then does what such a kernel may get wrong.
 *
 *	guest-calls [replaced | untouched | foreign | mappings | turns | closed]
 *
 * With one of the first two, also whether the instructions are there no more, or are there still.
 * With the third, only what becomes of calls that a kernel for 64 bit alone does not have; then
 * only calls that change mappings, by instructions that take turns, and that close a file.
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

#include "tests/bench/guest.h"

enum { OFTEN = 2000, PEERS = 30 };

/* As a C library makes them, with room behind, and as its syscall() does. */
long quick_getppid(void);
long any_call(long nr, ...);
extern const unsigned char quick_site[], any_site[], call_with_site[];
__asm__(".text\n"
	".p2align 4\n"
	"quick_getppid:\n"
	"	mov $110, %eax\n"
	"quick_site:\n"
	"	syscall\n"
	"	ret\n"
	"	.p2align 4\n"
	"	.skip 16, 0x90\n"
	"any_call:\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"any_site:\n"
	"	syscall\n"
	"	ret\n"
	"	.p2align 4\n"
	"	.skip 16, 0x90\n");

/* What is loaded before a call and compared after it: 15 general ones, flags, 16 vectors. */
struct registers {
	uint64_t bx, dx, si, di, bp, r8, r9, r10, r12, r13, r14, r15, flags, fs;
	uint64_t xmm[16][2];
} __attribute__((aligned(16)));

/* rax: number and result; rcx and r11 are lost. @in and @out are found again on the stack. */
long call_with(const struct registers *in, struct registers *out, long nr);
__asm__(".text\n"
	".p2align 4\n"
	"call_with:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	push %rsi\n"
	"	mov %rdx, %rax\n"
	"	mov %rdi, %rcx\n"
	".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqa 112+16*\\r(%rcx), %xmm\\r\n"
	".endr\n"
	"	push 96(%rcx); popfq\n"
	"	mov (%rcx), %rbx; mov 8(%rcx), %rdx; mov 16(%rcx), %rsi; mov 24(%rcx), %rdi\n"
	"	mov 32(%rcx), %rbp; mov 40(%rcx), %r8; mov 48(%rcx), %r9; mov 56(%rcx), %r10\n"
	"	mov 64(%rcx), %r12; mov 72(%rcx), %r13; mov 80(%rcx), %r14; mov 88(%rcx), %r15\n"
	"call_with_site:\n"
	"	syscall\n"
	"	jmp 1f\n"
	"	.p2align 4\n"
	"	.skip 32, 0x90\n"
	"1:	mov (%rsp), %rcx\n"
	"	mov %rbx, (%rcx); mov %rdx, 8(%rcx); mov %rsi, 16(%rcx); mov %rdi, 24(%rcx)\n"
	"	mov %rbp, 32(%rcx); mov %r8, 40(%rcx); mov %r9, 48(%rcx); mov %r10, 56(%rcx)\n"
	"	mov %r12, 64(%rcx); mov %r13, 72(%rcx); mov %r14, 80(%rcx); mov %r15, 88(%rcx)\n"
	"	pushfq; pop 96(%rcx)\n"
	"	mov %fs:0, %rdx; mov %rdx, 104(%rcx)\n"
	".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqa %xmm\\r, 112+16*\\r(%rcx)\n"
	".endr\n"
	"	add $8, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 8;
}

static bool exited_with(pid_t pid, int code)
{
	int st;

	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == code;
}

/* Carry, parity, adjust, zero, sign and overflow; the second bit is always set */
#define FLAGS 0x8d5UL

static struct registers any_registers(uint64_t *seed)
{
	struct registers r = { 0 };
	uint64_t *word = (uint64_t *)&r;

	for (size_t k = 0; k < sizeof(r) / 8; k++)
		word[k] = next(seed);
	r.flags = (r.flags & FLAGS) | 0x202;
	__asm__ volatile ("mov %%fs:0, %0" : "=r" (r.fs));
	return r;
}

/* @want: the result, or negative for any */
static int call_keeps(const struct registers *in, long nr, long want)
{
	struct registers out;
	long got = call_with(in, &out, nr);

	out.flags &= FLAGS | 0x202;
	return (want >= 0 && got != want) || memcmp(in, &out, sizeof(out)) != 0 ? -1 : 0;
}

static int registers_kept(long nr, long want, int times, uint64_t seed)
{
	for (int i = 0; i < times; i++) {
		struct registers in = any_registers(&seed);

		if (call_keeps(&in, nr, want) < 0)
			return -1;
	}
	return 0;
}

static int check_registers(void)
{
	return registers_kept(SYS_getppid, getppid(), 10 * OFTEN, 1);
}

static volatile sig_atomic_t alarms;

/* Uses what the interrupted must not lose, and makes calls by the same instructions. */
static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
	if (registers_kept(SYS_getppid, getppid(), 2, (uint64_t)alarms) < 0 || quick_getppid() != getppid())
		_exit(9);
}

static void alarm_every(int us, int flags)
{
	struct itimerval it = { { 0, us }, { 0, us } };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
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
	static const char name[] = "/guest-calls";
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

static bool replaced(const unsigned char *site)
{
	return site[0] != 0x0f || site[1] != 0x05;
}

static int run(int argc, char **argv)
{
	bool wanted = argc == 2 && strcmp(argv[1], "replaced") == 0;

	if (argc == 2 && strcmp(argv[1], "foreign") == 0) {
		check("32-bit", check_32_bit);
		check("x32", check_x32);
		return failures ? 1 : 0;
	}
	if (argc == 2 && strcmp(argv[1], "mappings") == 0) {
		check("mappings", check_mappings);
		return failures ? 1 : 0;
	}
	if (argc == 2 && strcmp(argv[1], "turns") == 0) {
		check("turns", check_turns);
		return failures ? 1 : 0;
	}
	if (argc == 2 && strcmp(argv[1], "closed") == 0) {
		check("closed", check_closed);
		return failures ? 1 : 0;
	}
	if (argc > 2 || (argc == 2 && !wanted && strcmp(argv[1], "untouched") != 0)) {
		fprintf(stderr, "usage: guest-calls [replaced | untouched | foreign | mappings | turns | "
			"closed]\n");
		return 2;
	}
	check("registers", check_registers);
	check("signals", check_signals);
	check("restart", check_restart);
	check("eintr", check_eintr);
	check("any-call", check_any_call);
	check("mappings", check_mappings);
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
	if (argc == 2 && (replaced(quick_site) != wanted || replaced(any_site) != wanted ||
			  replaced(call_with_site) != wanted)) {
		printf("the instructions are %02x %02x, %02x %02x and %02x %02x\n", quick_site[0],
		       quick_site[1], any_site[0], any_site[1], call_with_site[0], call_with_site[1]);
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
