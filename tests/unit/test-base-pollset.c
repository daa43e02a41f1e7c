// SPDX-License-Identifier: GPL-2.0-or-later
/* Waiting with and without a look before the sleep: what is ready, deadlines, and no more than that. */
#include <time.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/pollset.h"
#include "umlcage/base/progress.h"

enum { LOOK_NS = 50000, NAP_MS = 30 };

static struct pollset ps = POLLSET_INIT;
static int pair[2], at;

static void setup(void)
{
	ck_assert_int_eq(pipe(pair), 0);
}

static void teardown(void)
{
	close_fd(&pair[0]);
	close_fd(&pair[1]);
	pollset_release(&ps);
	ps = (struct pollset)POLLSET_INIT;
}

static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* A turn that ends in NAP_MS at the latest. */
static short turn(void)
{
	pollset_reset(&ps);
	at = pollset_add(&ps, pair[0], POLLIN);
	pollset_until(&ps, clock_ms() + NAP_MS);
	ck_assert_int_eq(pollset_wait_awake(&ps, LOOK_NS), 0);
	return pollset_revents(&ps, at);
}

START_TEST(what_is_ready_is_found)
{
	for (int awake = 0; awake <= 1; awake++) {
		ck_assert_int_eq(turn(), 0);
		ck_assert_int_eq(write(pair[1], "x", 1), 1);
		ps.awake = awake;
		ck_assert_int_eq(turn(), POLLIN);
		ck_assert_int_eq(read(pair[0], &(char){ 0 }, 1), 1);
	}
	close_fd(&pair[1]);
	ps.awake = true;
	ck_assert_int_eq(turn(), POLLHUP);
}
END_TEST

START_TEST(where_nothing_comes_it_sleeps)
{
	int64_t began = clock_ms(), used = cpu_us();

	ps.awake = true;
	ck_assert_int_eq(turn(), 0);
	/* the deadline is kept, and most of the time until then was slept */
	ck_assert_int_ge(clock_ms() - began, NAP_MS - 1);
	ck_assert_int_lt(cpu_us() - used, NAP_MS * 1000 / 2);
	/* after such a sleep it does not look first */
	ck_assert(!ps.awake);
	ck_assert_int_eq(turn(), 0);
	ck_assert(!ps.awake);
}
END_TEST

START_TEST(nothing_may_be_waited_for)
{
	pollset_reset(&ps);
	ck_assert_int_eq(pollset_add(&ps, -1, POLLIN), -1);
	pollset_until(&ps, 0);
	ps.awake = true;
	ck_assert_int_eq(pollset_wait_awake(&ps, LOOK_NS), 0);
	ck_assert_int_eq(pollset_revents(&ps, -1), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base-pollset");
	TCase *t = tcase_create("pollset");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_is_ready_is_found);
	tcase_add_test(t, where_nothing_comes_it_sleeps);
	tcase_add_test(t, nothing_may_be_waited_for);
	suite_add_tcase(s, t);
	return unit_run(s);
}
