// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A command's streams and its end, as an agent tells them, in any order: what was announced is
 * waited for, what was not never comes, and nothing is taken twice or for another command.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/cage-turn.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/cage/internal.h"

enum { COMMANDS = 2, STREAMS_MAX = 16, OUT = 1 << CHAN_STDOUT, ERR = 1 << CHAN_STDERR };

/* A cage without a kernel; the test is its agent. */
static struct {
	struct cage cage;
	int control;
	struct cage_command *commands[COMMANDS];
	struct strbuf said[COMMANDS];
	unsigned int ended[COMMANDS];
} k;

static void on_output(int channel, const char *data, size_t len, void *arg)
{
	struct strbuf *said = arg;

	sb_add(said, channel == 1 ? "o:" : "e:", 2);
	sb_add(said, data, len);
}

static void on_end(struct cage_command *x, void *arg)
{
	(void)x;
	++*(unsigned int *)arg;
}

static void turn(void)
{
	turn_without_guest(&k.cage);
	ck_assert_uint_eq(k.cage.control.nstreams, 0);
}

static void turns(void)
{
	for (int i = 0; i < 4; i++)
		turn();
}

/* The agent's end of a new stream that says @data. */
static int stream(uint32_t exec, enum proto_channel channel, const char *data)
{
	struct proto_hello h = { PROTO_HELLO_MAGIC, channel, exec, PROTO_VERSION };
	unsigned char hello[PROTO_HELLO_SIZE];
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	proto_hello_encode(&h, hello);
	ck_assert_int_eq(write_full(pair[1], hello, sizeof(hello)), 0);
	ck_assert_int_eq(write_full(pair[1], data, strlen(data)), 0);
	control_add(&k.cage.control, pair[0]);
	return pair[1];
}

/* The same, ended. */
static void whole_stream(uint32_t exec, enum proto_channel channel, const char *data)
{
	close(stream(exec, channel, data));
}

static void tell_exit(uint32_t exec, uint64_t streams, uint64_t lost)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, MSG_EXITED);
	proto_number(&m, F_EXEC, exec);
	proto_number(&m, F_STATUS, 0);
	if (streams != UINT64_MAX)
		proto_number(&m, F_STREAMS, streams);
	proto_number(&m, F_ERRNO, lost);
	ck_assert_int_eq(proto_encode(&m, &out), 0);
	ck_assert_int_eq(write_full(k.control, out.s, out.len), 0);
	proto_release(&m);
}

static void tell(enum proto_type type, uint32_t exec, uint64_t status)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, type);
	proto_number(&m, F_EXEC, exec);
	proto_number(&m, F_STATUS, status);
	ck_assert_int_eq(proto_encode(&m, &out), 0);
	ck_assert_int_eq(write_full(k.control, out.s, out.len), 0);
	proto_release(&m);
}

static void setup(void)
{
	static char name[] = "true", *const argv[] = { name, NULL };

	memset(&k, 0, sizeof(k));
	k.cage = (struct cage){ .pid = getpid(), .pidfd = -1, .console = { .fd = -1 },
				.control = { .listener = -1, .name_fd = -1, .fd = -1, .index = -1,
					     .listener_index = -1, .streams_max = STREAMS_MAX } };
	k.control = stream(0, CHAN_CONTROL, "");
	for (size_t i = 0; i < COMMANDS; i++) {
		struct cage_exec what = { .argv = argv, .stdin_fd = -1, .stdout_fd = -1,
					  .stderr_fd = -1, .output = on_output,
					  .output_arg = &k.said[i], .ended = on_end,
					  .ended_arg = &k.ended[i] };

		ck_assert_int_eq(cage_command_start(&k.commands[i], &k.cage, &what, NULL), 0);
	}
	turns();
}

static void teardown(void)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		cage_command_free(k.commands[i]);
		sb_release(&k.said[i]);
	}
	loop_release(&k.cage);
	control_close(&k.cage.control);
	close(k.control);
}

/* Command @i has ended with @said; or not yet. */
static void expect(size_t i, bool ended, const char *said)
{
	turns();
	ck_assert_uint_eq(k.ended[i], ended);
	ck_assert_int_eq(cage_command_exit(k.commands[i]) != NULL, ended);
	ck_assert_str_eq(sb_str(&k.said[i]), said);
}

START_TEST(silence_has_no_streams)
{
	expect(0, false, "");
	tell_exit(1, 0, 0);
	expect(0, true, "");
	expect(1, false, "");
	ck_assert_int_eq(cage_command_exit(k.commands[0])->output_error, 0);
}
END_TEST

START_TEST(announced_streams_are_waited_for)
{
	tell_exit(1, OUT, 0);
	expect(0, false, "");
	whole_stream(1, CHAN_STDOUT, "late");
	expect(0, true, "o:late");
	/* who does not say which has both */
	tell_exit(2, UINT64_MAX, 0);
	whole_stream(2, CHAN_STDERR, "x");
	expect(1, false, "e:x");
	whole_stream(2, CHAN_STDOUT, "");
	expect(1, true, "e:x");
}
END_TEST

START_TEST(open_streams_are_read_to_their_end)
{
	int s = stream(1, CHAN_STDERR, "a");

	expect(0, false, "e:a");
	/* whatever is said of it later */
	tell_exit(1, 0, 0);
	expect(0, false, "e:a");
	ck_assert_int_eq(write_full(s, "b", 1), 0);
	expect(0, false, "e:ae:b");
	close(s);
	expect(0, true, "e:ae:b");
}
END_TEST

START_TEST(a_second_stream_is_not_taken)
{
	int first = stream(1, CHAN_STDOUT, "1");

	expect(0, false, "o:1");
	whole_stream(1, CHAN_STDOUT, "2");
	expect(0, false, "o:1");
	close(first);
	tell_exit(1, OUT | ERR, 0);
	expect(0, false, "o:1");
	whole_stream(1, CHAN_STDOUT, "3");
	expect(0, false, "o:1");
	whole_stream(1, CHAN_STDERR, "");
	expect(0, true, "o:1");
}
END_TEST

START_TEST(a_stream_after_the_end_is_not_taken)
{
	char byte;
	int s;

	tell_exit(1, 0, 0);
	expect(0, true, "");
	s = stream(1, CHAN_STDOUT, "late");
	expect(0, true, "");
	/* it is closed, with what was said on it unread */
	ck_assert_int_le(recv(s, &byte, 1, MSG_DONTWAIT), 0);
	ck_assert_int_ne(errno, EAGAIN);
	close(s);
	/* the same in one turn with the end, for both and for no command at all */
	whole_stream(2, CHAN_STDOUT, "in time");
	whole_stream(7, CHAN_STDOUT, "whose?");
	tell_exit(2, 0, 0);
	expect(1, true, "o:in time");
	expect(0, true, "");
}
END_TEST

START_TEST(the_end_is_told_once)
{
	tell_exit(1, 0, 0);
	tell_exit(1, OUT, EIO);
	expect(0, true, "");
	tell_exit(1, OUT, EIO);
	expect(0, true, "");
	ck_assert_int_eq(cage_command_exit(k.commands[0])->output_error, 0);
}
END_TEST

START_TEST(lost_output_is_told)
{
	tell_exit(1, OUT, ECONNRESET);
	whole_stream(1, CHAN_STDOUT, "half");
	expect(0, true, "o:half");
	ck_assert_int_eq(cage_command_exit(k.commands[0])->output_error, ECONNRESET);
	/* not an errno */
	tell_exit(2, 0, UINT64_MAX);
	expect(1, true, "");
	ck_assert_int_eq(cage_command_exit(k.commands[1])->output_error, EIO);
}
END_TEST

struct counts {
	unsigned int left, ended;
};

static void count_left(struct cage_command *x, void *arg)
{
	ck_assert(cage_command_detach(x));
	((struct counts *)arg)->left++;
}

static void count_end(struct cage_command *x, void *arg)
{
	(void)x;
	((struct counts *)arg)->ended++;
}

/* One more, that begins without anybody. */
static struct cage_command *start_detached(struct counts *n)
{
	static char name[] = "true", *const argv[] = { name, NULL };
	struct cage_exec what = { .argv = argv, .tty = true, .detached = true, .stdin_fd = -1,
				  .stdout_fd = -1, .stderr_fd = -1, .ended = count_end,
				  .ended_arg = n, .left = count_left };
	struct cage_command *x;

	ck_assert_int_eq(cage_command_start(&x, &k.cage, &what, NULL), 0);
	turns();
	return x;
}

START_TEST(a_detached_start_is_told_and_attached_to)
{
	struct counts n = { 0, 0 };
	struct cage_command *x = start_detached(&n);
	int pair[2], out;
	char got[16];

	/* others did not ask */
	tell(MSG_STARTED, COMMANDS, 0);
	out = stream(x->id, CHAN_STDOUT, "early");
	turns();
	ck_assert_uint_eq(n.left, 0);
	tell(MSG_STARTED, x->id, 0);
	turns();
	ck_assert_uint_eq(n.left, 1);
	close(out);
	tell_exit(x->id, OUT, 0);
	turns();
	/* it has ended, and waits for somebody to ask */
	ck_assert(cage_command_exited(x) && !cage_command_exit(x));
	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert_int_eq(cage_command_attach(x, -1, pair[1], NULL, NULL), 0);
	close(pair[1]);
	turns();
	ck_assert_uint_eq(n.ended, 1);
	ck_assert_int_eq(read(pair[0], got, sizeof(got)), 5);
	ck_assert_mem_eq(got, "early", 5);
	close(pair[0]);
	cage_command_free(x);
}
END_TEST

START_TEST(a_detached_start_that_is_refused_ends)
{
	struct counts n = { 0, 0 };
	struct cage_command *x = start_detached(&n);

	tell(MSG_REFUSED, x->id, 127);
	/* too late */
	tell(MSG_STARTED, x->id, 0);
	turns();
	ck_assert_uint_eq(n.left, 0);
	ck_assert_uint_eq(n.ended, 1);
	ck_assert_int_eq(cage_command_exit(x)->status, 127);
	cage_command_free(x);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cage-command");
	TCase *tc = tcase_create("streams");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, silence_has_no_streams);
	tcase_add_test(tc, announced_streams_are_waited_for);
	tcase_add_test(tc, open_streams_are_read_to_their_end);
	tcase_add_test(tc, a_second_stream_is_not_taken);
	tcase_add_test(tc, a_stream_after_the_end_is_not_taken);
	tcase_add_test(tc, the_end_is_told_once);
	tcase_add_test(tc, lost_output_is_told);
	tcase_add_test(tc, a_detached_start_is_told_and_attached_to);
	tcase_add_test(tc, a_detached_start_that_is_refused_ends);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
