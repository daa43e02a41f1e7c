// SPDX-License-Identifier: GPL-2.0-or-later
/* Pairs of sockets joined both ways: bytes, half an end, an end, and how many there are. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/relay.h"

enum { TURNS = 20 };

static struct relays all;
static int ends[2];	/* the outer ends of the first pair */

static void turns(void)
{
	struct pollset ps = POLLSET_INIT;

	for (int i = 0; i < TURNS; i++) {
		pollset_reset(&ps);
		pollset_until(&ps, 0);
		relays_fill(&all, &ps);
		(void)pollset_wait(&ps);
		relays_dispatch(&all, &ps);
	}
	pollset_release(&ps);
}

static int join(int outer[2])
{
	int a[2], b[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b), 0);
	outer[0] = a[0];
	outer[1] = b[0];
	return relays_add(&all, a[1], b[1]);
}

static void setup(void)
{
	ck_assert_int_eq(join(ends), 0);
}

static void teardown(void)
{
	relays_close(&all);
	close_fd(&ends[0]);
	close_fd(&ends[1]);
}

/* Has @want come to @fd, "" meaning its end? */
static void came(int fd, const char *want)
{
	char got[32] = "";

	turns();
	ck_assert_int_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), (ssize_t)strlen(want));
	ck_assert_str_eq(got, want);
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

START_TEST(half_an_end_is_passed_on_and_no_more)
{
	say(ends[0], "question");
	came(ends[1], "question");
	say(ends[1], "answer");
	came(ends[0], "answer");
	ck_assert_int_eq(shutdown(ends[0], SHUT_WR), 0);
	came(ends[1], "");
	say(ends[1], "late");
	came(ends[0], "late");
	ck_assert_uint_eq(all.n, 1);
	close_fd(&ends[1]);
	came(ends[0], "");
	ck_assert_uint_eq(all.n, 0);
}
END_TEST

START_TEST(last_words_arrive)
{
	say(ends[0], "bye");
	close_fd(&ends[0]);
	came(ends[1], "bye");
	came(ends[1], "");
	close_fd(&ends[1]);
	turns();
	ck_assert_uint_eq(all.n, 0);
}
END_TEST

START_TEST(there_are_so_many)
{
	int outer[2], i;

	for (i = 1; join(outer) == 0; i++) {
		close(outer[0]);
		close(outer[1]);
	}
	ck_assert_int_eq(i, RELAYS_MAX);
	/* what is refused is closed */
	came(outer[0], "");
	came(outer[1], "");
	close(outer[0]);
	close(outer[1]);
	/* and those that have ended have made room: only the first is left */
	ck_assert_uint_eq(all.n, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base-relay");
	TCase *t = tcase_create("relay");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, half_an_end_is_passed_on_and_no_more);
	tcase_add_test(t, last_words_arrive);
	tcase_add_test(t, there_are_so_many);
	suite_add_tcase(s, t);
	return unit_run(s);
}
