// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters of system calls: what is compiled, run as the kernel runs it, against the rules. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/callfilter.h"

enum { OTHERWISE = SECCOMP_RET_ERRNO | ENOSYS };
static const uint32_t foreign = SECCOMP_RET_KILL_PROCESS;

/* The packet filter's machine, as far as it is used; every jump must stay inside. */
static uint32_t execute(const struct strbuf *code, const struct seccomp_data *data)
{
	const struct sock_filter *f = (const void *)code->s;
	size_t n = code->len / sizeof(*f);
	uint32_t a = 0;

	for (size_t pc = 0;; pc++) {
		if (pc >= n)
			ck_abort_msg("a jump to %zu of %zu", pc, n);
		switch (f[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f[pc].k + sizeof(a) > sizeof(*data))
				ck_abort_msg("a load from %u", f[pc].k);
			memcpy(&a, (const char *)data + f[pc].k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f[pc].k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == f[pc].k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= f[pc].k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_JMP | BPF_JA:
			pc += f[pc].k;
			break;
		case BPF_RET | BPF_K:
			return f[pc].k;
		default:
			ck_abort_msg("instruction %#x", f[pc].code);
		}
	}
}

static uint32_t expected(const struct callfilter *f, const struct seccomp_data *data)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct call_rule *r = &f->rules[i];
		bool fits = r->nr == data->nr;

		for (unsigned int k = 0; k < r->n && fits; k++)
			fits = ((data->args[r->tests[k].arg] & r->tests[k].mask) == r->tests[k].value) !=
			       r->tests[k].differs;
		if (fits)
			return r->action;
	}
	return OTHERWISE;
}

/* Values that are likely to be near what rules ask for. */
static uint64_t some_value(void)
{
	static const uint64_t values[] = { 0, 1, 2, 3, 0x80000000, 0xffffffff, 0x100000000, 0x100000001,
					   0xffffffff00000000, UINT64_MAX };

	return values[(unsigned int)rand() % ARRAY_SIZE(values)];
}

static struct call_test some_test(void)
{
	struct call_test t = { .arg = (unsigned int)rand() % 6, .mask = UINT64_MAX, .value = some_value() };

	if (rand() % 3 == 0) {
		t.mask = some_value();
		t.value &= t.mask;
	}
	t.differs = rand() % 4 == 0;
	return t;
}

static void add_some(struct callfilter *f)
{
	static const uint32_t actions[] = { SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF,
					    SECCOMP_RET_TRAP, OTHERWISE };
	uint32_t action = actions[(unsigned int)rand() % ARRAY_SIZE(actions)];
	int nr = rand() % 100;

	switch (rand() % 4) {
	case 0: callfilter_add1(f, action, nr, some_test()); break;
	case 1: callfilter_add2(f, action, nr, some_test(), some_test()); break;
	default: callfilter_add(f, action, nr);
	}
}

static void compare(const struct callfilter *f, const struct strbuf *code)
{
	int bad = 0;

	for (int i = 0; i < 4000; i++) {
		struct seccomp_data data = { .nr = i % 110, .arch = AUDIT_ARCH_X86_64 };

		for (int k = 0; k < 6; k++)
			data.args[k] = some_value();
		if (execute(code, &data) != expected(f, &data))
			ck_abort_msg("call %d: %#x, not %#x", data.nr, execute(code, &data), expected(f, &data));
		data.nr |= 0x40000000;
		bad += execute(code, &data) != foreign;
		data.nr = i % 110;
		data.arch = AUDIT_ARCH_I386;
		bad += execute(code, &data) != foreign;
	}
	ck_assert_int_eq(bad, 0);
}

START_TEST(answers_as_its_rules_do)
{
	srand(1);
	for (int round = 0; round < 60; round++) {
		struct callfilter f = CALLFILTER_INIT;
		struct strbuf code = STRBUF_INIT;

		/* from none to more than one jump reaches over */
		for (int i = 0; i < round * 5; i++)
			add_some(&f);
		callfilter_make(&f, OTHERWISE, foreign, &code);
		compare(&f, &code);
		callfilter_release(&f);
		sb_release(&code);
	}
}
END_TEST

START_TEST(finds_a_call_by_halving)
{
	struct callfilter f = CALLFILTER_INIT;
	struct strbuf code = STRBUF_INIT;

	for (int nr = 0; nr < 64; nr++)
		callfilter_add(&f, SECCOMP_RET_ALLOW, nr < 32 ? nr : 2 * nr);
	callfilter_make(&f, OTHERWISE, foreign, &code);
	/* 0 to 31 are one answer; 32 others have a gap before each: 65 parts, two instructions each */
	ck_assert_uint_le(code.len / sizeof(struct sock_filter), 140);
	callfilter_release(&f);
	sb_release(&code);
}
END_TEST

START_TEST(is_what_the_kernel_takes)
{
	struct callfilter f = CALLFILTER_INIT;
	struct strbuf code = STRBUF_INIT;
	int status;
	pid_t pid;

	callfilter_add1(&f, SECCOMP_RET_ERRNO | EDOM, SYS_getpriority, CALL_IS(1, 7));
	callfilter_make(&f, SECCOMP_RET_ALLOW, foreign, &code);
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(1);
		if (callfilter_enter(&code) < 0)
			_exit(errno == ENOSYS || errno == EINVAL ? 0 : 2);
		if (syscall(SYS_getpriority, 0, 7) != -1 || errno != EDOM)
			_exit(3);
		_exit(syscall(SYS_getpriority, 0, 0) < 0 ? 4 : 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	callfilter_release(&f);
	sb_release(&code);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base: filters of system calls");
	TCase *tc = tcase_create("callfilter");

	tcase_add_test(tc, answers_as_its_rules_do);
	tcase_add_test(tc, finds_a_call_by_halving);
	tcase_add_test(tc, is_what_the_kernel_takes);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
