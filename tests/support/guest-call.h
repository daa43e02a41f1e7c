/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls of programs in a guest, by instructions of their own: whether one keeps all
 * registers, also where it is interrupted. A header, as guest.h is.
 */
#ifndef TESTS_SUPPORT_GUEST_CALL_H
#define TESTS_SUPPORT_GUEST_CALL_H

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "tests/bench/guest.h"

enum { OFTEN = 2000 };

/* As a C library makes them, with room behind, and as its syscall() does. */
long quick_getppid(void);
long any_call(long nr, ...);
extern const unsigned char quick_mov[], any_site[], call_with_site[];
__asm__(".text\n"
	".p2align 4\n"
	"quick_getppid:\n"
	"quick_mov:\n"
	"	mov $110, %eax\n"
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

static inline uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return *seed >> 8;
}

/* Carry, parity, adjust, zero, sign and overflow; the second bit is always set */
#define FLAGS 0x8d5UL

static inline struct registers any_registers(uint64_t *seed)
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
static inline int call_keeps(const struct registers *in, long nr, long want)
{
	struct registers out;
	long got = call_with(in, &out, nr);

	out.flags &= FLAGS | 0x202;
	return (want >= 0 && got != want) || memcmp(in, &out, sizeof(out)) != 0 ? -1 : 0;
}

static inline int registers_kept(long nr, long want, int times, uint64_t seed)
{
	for (int i = 0; i < times; i++) {
		struct registers in = any_registers(&seed);

		if (call_keeps(&in, nr, want) < 0)
			return -1;
	}
	return 0;
}

static volatile sig_atomic_t alarms;

/* Uses what the interrupted must not lose, and makes calls by the same instructions. */
static inline void on_alarm(int sig)
{
	(void)sig;
	alarms++;
	if (registers_kept(SYS_getppid, getppid(), 2, (uint64_t)alarms) < 0 || quick_getppid() != getppid())
		_exit(9);
}

static inline void alarm_every(int us, int flags)
{
	struct itimerval it = { { 0, us }, { 0, us } };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

#endif
