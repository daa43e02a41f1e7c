/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters of system calls, as the kernel takes them (seccomp(2)): a list of rules is compiled to a
 * program of the packet filter's (linux/filter.h), which finds a call by halving.
 *
 * Not by libseccomp, whose 2.5 computes for ever or crashes where an allocation of its own fails,
 * does not see that its result could not be written, and takes 0.9 ms for the list of a cage, which
 * is 0.03 ms of work.
 */
#ifndef UMLCAGE_BASE_CALLFILTER_H
#define UMLCAGE_BASE_CALLFILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/str.h"

/* Of all 64 bits of argument @arg (0 to 5) those in @mask are @value; with @differs, are not. */
struct call_test {
	unsigned int arg;
	uint64_t mask, value;
	bool differs;
};

#define CALL_IS(arg, value)		((struct call_test){ (arg), UINT64_MAX, (uint64_t)(value), false })
#define CALL_IS_NOT(arg, value)		((struct call_test){ (arg), UINT64_MAX, (uint64_t)(value), true })
#define CALL_MASKED(arg, mask, value) \
	((struct call_test){ (arg), (uint64_t)(mask), (uint64_t)(value), false })

struct call_rule {
	int nr;
	uint32_t action;	/* SECCOMP_RET_... */
	unsigned int n;		/* tests, each of which must hold */
	struct call_test tests[2];
};

struct callfilter {
	struct call_rule *rules;
	size_t n;
};

#define CALLFILTER_INIT { NULL, 0 }

/* Of the rules of one call the first that fits counts. */
void callfilter_add(struct callfilter *f, uint32_t action, int nr);
void callfilter_add1(struct callfilter *f, uint32_t action, int nr, struct call_test test);
void callfilter_add2(struct callfilter *f, uint32_t action, int nr, struct call_test a, struct call_test b);

/*
 * Appends the program to @code, an array of struct sock_filter.  @otherwise is the answer to calls
 * that no rule fits, @foreign that to calls of another architecture, x32 among them.
 */
void callfilter_make(const struct callfilter *f, uint32_t otherwise, uint32_t foreign,
		     struct strbuf *code);
void callfilter_release(struct callfilter *f);

/* Enters a program that callfilter_make() made.  Returns 0 or -errno; async-signal-safe. */
int callfilter_enter(const struct strbuf *code);

#endif
