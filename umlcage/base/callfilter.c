// SPDX-License-Identifier: GPL-2.0-or-later
/* Filters of system calls: see callfilter.h. */
#include "umlcage/base/callfilter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers of x32 are those of x86-64 with this bit. */
enum { X32_BIT = 0x40000000, JUMP_MAX = 255 };

static void add(struct callfilter *f, struct call_rule rule)
{
	f->rules = xreallocarray(f->rules, f->n + 1, sizeof(*f->rules));
	f->rules[f->n++] = rule;
}

void callfilter_add(struct callfilter *f, uint32_t action, int nr)
{
	add(f, (struct call_rule){ .nr = nr, .action = action });
}

void callfilter_add1(struct callfilter *f, uint32_t action, int nr, struct call_test test)
{
	add(f, (struct call_rule){ .nr = nr, .action = action, .n = 1, .tests = { test } });
}

void callfilter_add2(struct callfilter *f, uint32_t action, int nr, struct call_test a, struct call_test b)
{
	add(f, (struct call_rule){ .nr = nr, .action = action, .n = 2, .tests = { a, b } });
}

void callfilter_release(struct callfilter *f)
{
	free_ptr(&f->rules);
	f->n = 0;
}

/* ---- instructions ---- */

static size_t length(const struct strbuf *code)
{
	return code->len / sizeof(struct sock_filter);
}

static void emit(struct strbuf *code, unsigned int op, uint32_t k, size_t yes, size_t no)
{
	const struct sock_filter i = { (uint16_t)op, (uint8_t)yes, (uint8_t)no, k };

	sb_add(code, &i, sizeof(i));
}

static void emit_return(struct strbuf *code, uint32_t action)
{
	emit(code, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_load(struct strbuf *code, size_t offset)
{
	emit(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* ---- one call ---- */

/* Where a test fails, a jump of no length yet (FAILS) leads over the rest of its rule. */
enum { FAILS = JUMP_MAX };

/* What counts of an argument's half. */
static void emit_masked(struct strbuf *code, unsigned int arg, unsigned int half, uint32_t mask)
{
	emit_load(code, offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) +
		  half * sizeof(uint32_t));
	if (mask != UINT32_MAX)
		emit(code, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
}

static void emit_same(struct strbuf *code, const struct call_test *t)
{
	for (unsigned int half = 0; half < 2; half++) {
		uint32_t mask = (uint32_t)(t->mask >> 32 * half);
		uint32_t value = (uint32_t)(t->value >> 32 * half);

		if (!mask && !value)
			continue;
		emit_masked(code, t->arg, half, mask);
		emit(code, BPF_JMP | BPF_JEQ | BPF_K, value, 0, FAILS);
	}
}

static void emit_different(struct strbuf *code, const struct call_test *t)
{
	cleanup_strbuf struct strbuf upper = STRBUF_INIT;

	emit_masked(&upper, t->arg, 1, (uint32_t)(t->mask >> 32));
	emit(&upper, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(t->value >> 32), FAILS, 0);
	emit_masked(code, t->arg, 0, (uint32_t)t->mask);
	/* one half that differs is enough */
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)t->value, 0, length(&upper));
	sb_add(code, upper.s, upper.len);
}

static void emit_rule(struct strbuf *code, const struct call_rule *r)
{
	size_t start = length(code), end;
	struct sock_filter *f;

	for (unsigned int i = 0; i < r->n; i++) {
		if (r->tests[i].differs)
			emit_different(code, &r->tests[i]);
		else
			emit_same(code, &r->tests[i]);
	}
	emit_return(code, r->action);
	f = (void *)code->s;
	end = length(code);
	for (size_t i = start; i < end; i++) {
		if (BPF_CLASS(f[i].code) != BPF_JMP)
			continue;
		if (f[i].jt == FAILS)
			f[i].jt = (uint8_t)(end - i - 1);
		if (f[i].jf == FAILS)
			f[i].jf = (uint8_t)(end - i - 1);
	}
}

/* ---- all of them ---- */

/* From the call @nr on until the next part. */
struct part {
	uint32_t nr;
	const struct call_rule **rules;	/* NULL: the answer is @otherwise */
	size_t n;
};

/* Whether a call has one answer, whatever its arguments. */
static bool is_plain(const struct part *p, uint32_t otherwise, uint32_t *action)
{
	*action = p->n ? p->rules[0]->action : otherwise;
	return p->n == 0 || p->rules[0]->n == 0;
}

static void emit_part(struct strbuf *code, const struct part *p, uint32_t otherwise)
{
	for (size_t i = 0; i < p->n; i++) {
		emit_rule(code, p->rules[i]);
		if (p->rules[i]->n == 0)
			return;
	}
	emit_return(code, otherwise);
}

static void emit_parts(struct strbuf *code, const struct part *p, size_t n, uint32_t otherwise)
{
	cleanup_strbuf struct strbuf lower = STRBUF_INIT;

	if (n == 1) {
		emit_part(code, p, otherwise);
		return;
	}
	emit_parts(&lower, p, n / 2, otherwise);
	if (length(&lower) <= JUMP_MAX) {
		emit(code, BPF_JMP | BPF_JGE | BPF_K, p[n / 2].nr, length(&lower), 0);
	} else {
		emit(code, BPF_JMP | BPF_JGE | BPF_K, p[n / 2].nr, 0, 1);
		emit(code, BPF_JMP | BPF_JA, (uint32_t)length(&lower), 0, 0);
	}
	sb_add(code, lower.s, lower.len);
	emit_parts(code, p + n / 2, n - n / 2, otherwise);
}

/* By number, and those of one call in their order. */
static int compare(const void *a, const void *b)
{
	const struct call_rule *const *x = a, *const *y = b;

	if ((*x)->nr != (*y)->nr)
		return (*x)->nr < (*y)->nr ? -1 : 1;
	return *x < *y ? -1 : *x > *y;
}

/* Adds it, unless what comes before answers the same. */
static void add_part(struct part *parts, size_t *n, struct part p, uint32_t otherwise)
{
	uint32_t a, b;

	if (*n && is_plain(&parts[*n - 1], otherwise, &a) && is_plain(&p, otherwise, &b) && a == b)
		return;
	parts[(*n)++] = p;
}

void callfilter_make(const struct callfilter *f, uint32_t otherwise, uint32_t foreign, struct strbuf *code)
{
	cleanup_free const struct call_rule **sorted = xcalloc(f->n, sizeof(*sorted));
	cleanup_free struct part *parts = xcalloc(2 * f->n + 1, sizeof(*parts));
	size_t nparts = 0;

	for (size_t i = 0; i < f->n; i++)
		sorted[i] = &f->rules[i];
	qsort(sorted, f->n, sizeof(*sorted), compare);
	add_part(parts, &nparts, (struct part){ 0, NULL, 0 }, otherwise);
	for (size_t i = 0, n; i < f->n; i += n) {
		uint32_t nr = (uint32_t)sorted[i]->nr;

		for (n = 1; i + n < f->n && sorted[i + n]->nr == sorted[i]->nr; n++)
			;
		if (nparts && parts[nparts - 1].nr == nr)
			nparts--;
		add_part(parts, &nparts, (struct part){ nr, sorted + i, n }, otherwise);
		add_part(parts, &nparts, (struct part){ nr + 1, NULL, 0 }, otherwise);
	}
	emit_load(code, offsetof(struct seccomp_data, arch));
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	emit_return(code, foreign);
	emit_load(code, offsetof(struct seccomp_data, nr));
	emit(code, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	emit_return(code, foreign);
	emit_parts(code, parts, nparts, otherwise);
}

int callfilter_enter(const struct strbuf *code)
{
	const struct sock_fprog prog = {
		.len = (unsigned short)length(code), .filter = (void *)code->s,
	};

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0 ? -errno : 0;
}
