// SPDX-License-Identifier: GPL-2.0-or-later
/* Confined workers: what they cannot do, and what comes of those that fail. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/refused-calls.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/landlock.h"
#include "umlcage/base/worker.h"

static struct confine confine;
static struct worker worker;
static struct strbuf result;
static struct error err = ERROR_INIT;

static void setup(void)
{
	confine = (struct confine){ .memory = 256 << 20, .cpu_seconds = 20 };
	worker = (struct worker){ .what = "do it", .confine = &confine, .max_result = 1 << 20 };
	result = (struct strbuf)STRBUF_INIT;
}

static void teardown(void)
{
	sb_release(&result);
	err_release(&err);
}

static int run(int (*work)(void *, struct strbuf *, struct error *), void *arg)
{
	worker.work = work;
	worker.arg = arg;
	return worker_run(&worker, &result, &err);
}

/* ---- results ---- */

static int hello(void *arg, struct strbuf *out, struct error *e)
{
	(void)e;
	put_str(out, arg);
	put_str(out, NULL);
	put_u64(out, 7);
	return 0;
}

START_TEST(result_comes_back)
{
	struct taker t;
	uint64_t n;
	char *s;

	ck_ok(run(hello, (char[]){ "hello" }), &err);
	t = (struct taker){ result.s, result.s + result.len, false };
	ck_assert(take_str(&t, 100, true, &s));
	ck_assert_str_eq(s, "hello");
	free(s);
	ck_assert(take_str(&t, 100, false, &s));
	ck_assert_ptr_null(s);
	ck_assert(take_u64(&t, 7, &n) && n == 7);
	ck_assert(!take_u64(&t, 7, &n) && t.bad);
}
END_TEST

static int refuse(void *arg, struct strbuf *out, struct error *e)
{
	sb_adds(out, "half of it");
	return arg ? err_usage(e, "'%s' is not to be had", (char *)arg) :
		     err_set(e, ENOENT, "nothing there");
}

START_TEST(errors_come_back_as_they_are)
{
	ck_fails(run(refuse, NULL), ENOENT, "nothing there", &err);
	ck_assert_uint_eq(result.len, 0);
	ck_assert_int_eq(run(refuse, (char[]){ "x" }), -EINVAL);
	ck_assert(err.kind == ERR_USAGE);
	ck_assert_str_eq(err_text(&err), "'x' is not to be had");
}
END_TEST

static void check_bad(const void *data, size_t len, uint64_t max, bool string)
{
	const char *s = data;
	struct taker t = { s, s + len, false };
	uint64_t n;
	char *str;

	if (string)
		ck_assert(!take_str(&t, max, true, &str) && !str);
	else
		ck_assert(!take_u64(&t, max, &n));
	ck_assert(t.bad);
	ck_assert(!take_u64(&t, UINT64_MAX, &n));
}

START_TEST(records_are_checked)
{
	static const char *const bad[] = { "two\nlines", " blank", "blank\t", "return\r" };
	struct strbuf sb = STRBUF_INIT;

	put_u64(&sb, 5);
	check_bad(sb.s, sb.len, 4, false);
	check_bad(sb.s, sb.len - 1, 5, false);
	check_bad(sb.s, sb.len, 5, true);		/* five bytes that are not there */
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		sb_reset(&sb);
		put_str(&sb, bad[i]);
		check_bad(sb.s, sb.len, 100, true);
	}
	sb_reset(&sb);
	put_str(&sb, "12345");
	check_bad(sb.s, sb.len, 4, true);
	sb.s[9] = '\0';
	check_bad(sb.s, sb.len, 5, true);
	sb_reset(&sb);
	put_str(&sb, NULL);
	check_bad(sb.s, sb.len, 4, true);
	sb_reset(&sb);
	put_u64(&sb, UINT64_MAX);
	check_bad(sb.s, sb.len, UINT64_MAX, true);
	sb_release(&sb);
}
END_TEST

/* ---- what goes wrong ---- */

static int overflow(void *arg, struct strbuf *out, struct error *e)
{
	(void)arg;
	(void)out;
	(void)e;
	(void)dprintf(2, "*** buffer overflow\x1b[2J detected ***: terminated\n");
	abort();
}

static int eat(void *arg, struct strbuf *out, struct error *e)
{
	(void)e;
	while (out->len < (size_t)1 << 40) {
		sb_reserve(out, (size_t)1 << 20);
		out->len += (size_t)1 << 20;
		if (arg)
			out->len = 0;
	}
	return 0;
}

static int leave(void *arg, struct strbuf *out, struct error *e)
{
	(void)out;
	(void)e;
	_exit(*(int *)arg);
}

static int be_large(void *arg, struct strbuf *out, struct error *e)
{
	(void)arg;
	(void)e;
	memset(sb_reserve(out, 4 << 20), 'x', 4 << 20);
	out->len = 4 << 20;
	return 0;
}

static int chatter(void *arg, struct strbuf *out, struct error *e)
{
	static const char much[65536];

	(void)arg;
	(void)out;
	(void)e;
	for (int i = 0; i < 64; i++)
		if (write(1, much, sizeof(much)) < 0)
			break;
	return 0;
}

START_TEST(death_is_an_error_with_its_cause)
{
	int zero = 0, seven = 7;

	ck_assert_int_eq(run(overflow, NULL), -EBADMSG);
	ck_assert_str_eq(err_text(&err), "cannot do it: the process for it ended early (killed by "
			 "signal 6 (Aborted)), saying: *** buffer overflow?[2J detected ***: "
			 "terminated");
	err_release(&err);
	ck_fails(run(leave, &seven), EBADMSG, "exit status 7", &err);
	ck_fails(run(leave, &zero), EBADMSG, "did not answer", &err);
	ck_fails(run(be_large, NULL), EBADMSG, "larger than", &err);
	ck_fails(run(chatter, NULL), EBADMSG, "larger than", &err);
	worker.max_result = 16 << 20;
	ck_fails(run(chatter, NULL), EBADMSG, "did not answer", &err);
}
END_TEST

START_TEST(limits_hold)
{
#ifndef __SANITIZE_ADDRESS__
	ck_fails(run(eat, NULL), EBADMSG, "out of memory", &err);
#endif
	confine.cpu_seconds = 1;
	ck_fails(run(eat, (char[]){ "" }), EBADMSG, "more than 1 s", &err);
}
END_TEST

static int sleep_for_ever(void *arg, struct strbuf *out, struct error *e)
{
	uint32_t word = 0;

	(void)arg;
	(void)out;
	(void)e;
	while (syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0) < 0 || !word)
		;
	return 0;
}

static int stop_itself(void *arg, struct strbuf *out, struct error *e)
{
	(void)arg;
	(void)out;
	(void)e;
	return (int)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
}

static int compute(void *arg, struct strbuf *out, struct error *e)
{
	struct timespec t = { 0 };

	(void)arg;
	(void)out;
	(void)e;
	while (t.tv_sec < 2)
		ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
	return 0;
}

START_TEST(one_that_only_sleeps_is_ended)
{
	worker.patience = 1;
	ck_fails(run(sleep_for_ever, NULL), EBADMSG,
		 "cannot do it: the process for it slept for 1 s instead of answering", &err);
	ck_fails(run(stop_itself, NULL), EBADMSG, "slept for 1 s", &err);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	/* what it takes to work it has */
	ck_ok(run(compute, NULL), &err);
}
END_TEST

static int wait_long(void *arg, struct strbuf *out, struct error *e)
{
	char c;

	(void)out;
	(void)e;
	return (int)read(*(int *)arg, &c, 1);
}

START_TEST(interruption_ends_it)
{
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	worker.fds = pipes;
	worker.nfds = 1;
	interrupt_begin();
	raise(SIGTERM);
	ck_fails(run(wait_long, &pipes[0]), EINTR, "interrupted", &err);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

static struct progress progress;
static int ticks;

static int warn_twice(void *arg, struct strbuf *out, struct error *e)
{
	char c;

	(void)out;
	(void)e;
	progress_stage(&progress, "a stage", 0);
	progress_note(&progress, "a note");
	progress_warn(&progress, "one");
	(void)dprintf(2, "from a library\n");
	progress_warn(&progress, "two\x1b[2J");
	return read(*(int *)arg, &c, 1) == 1 ? 0 : -EIO;
}

static void count(void *arg)
{
	/* not before both warnings are there, or it has taken very long */
	if (++ticks >= 3)
		(void)!write(((int *)arg)[1], "", 1);
}

START_TEST(warnings_are_passed_on_and_nothing_else)
{
	static const char passed_on[] = "umlcage: warning: one\numlcage: warning: two?[2J\n";
	cleanup_strbuf struct strbuf said = STRBUF_INIT;
	int fd = memfd_with("progress", "", 0, &err), pipes[2];
	const char *rest;

	ck_assert_int_eq(pipe(pipes), 0);
	progress_init(&progress, fd, 0);
	worker.progress = &progress;
	worker.tick = count;
	worker.fds = pipes;
	worker.nfds = 1;
	ck_ok(run(warn_twice, pipes), &err);
	ck_assert_int_ge(ticks, 3);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_ge(fd_read_all(fd, 4096, &said), 0);
	ck_assert(str_starts(sb_str(&said), passed_on));
	/* where it cannot be confined that is said, too */
	rest = sb_str(&said) + strlen(passed_on);
	ck_assert_msg(!*rest || (str_starts(rest, "umlcage: warning: this host has no ") &&
				 strchr(rest, '\n') == rest + strlen(rest) - 1), "%s", rest);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}
END_TEST

/* ---- one that stays ---- */

static struct confine_call receive[] = { { SYS_recvmsg, 0, WORKER_SOCKET } };
static struct worker_peer peer;

static void stay(int (*work)(void *, struct strbuf *, struct error *))
{
	confine.calls = receive;
	confine.ncalls = 1;
	confine.descriptors = 1;
	worker.work = work;
	ck_ok(worker_start(&worker, &peer, &err), &err);
	ck_ok(worker_ready(&peer, &err), &err);
}

/* Says what it hears, behind what the descriptor has that came along. */
static int echo(void *arg, struct strbuf *out, struct error *e)
{
	char text[64];
	ssize_t n;
	int fd;

	(void)arg;
	(void)e;
	while ((n = worker_asked(text, sizeof(text), &fd)) > 0) {
		sb_reset(out);
		if (fd >= 0)
			(void)fd_read_all(fd, 100, out);
		close_fd(&fd);
		sb_add(out, text, (size_t)n);
		if (worker_say(out->s, out->len) < 0)
			break;
	}
	return 0;
}

START_TEST(one_that_stays_is_asked_many_times)
{
	char heard[64];

	stay(echo);
	for (int i = 0; i < 5; i++) {
		cleanup_close int fd = i & 1 ? memfd_with("a", "file, ", 6, &err) : -1;
		ssize_t n;

		ck_ok(worker_tell(&peer, "hello", 5, fd, &err), &err);
		n = worker_hear(&peer, heard, sizeof(heard), &err);
		ck_assert_int_eq(n, i & 1 ? 11 : 5);
		ck_assert_int_eq(memcmp(heard, i & 1 ? "file, hello" : "hello", (size_t)n), 0);
	}
	/* what is longer than expected is not cut off */
	ck_ok(worker_tell(&peer, "hello", 5, -1, &err), &err);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), EBADMSG, "did not answer", &err);
	worker_stop(&peer);
	worker_stop(&peer);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_fails(worker_tell(&peer, "hello", 5, -1, &err), ESRCH, "has ended", &err);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), ESRCH, "has ended", &err);
}
END_TEST

static int overflow_when_asked(void *arg, struct strbuf *out, struct error *e)
{
	char c;
	int fd;

	return worker_asked(&c, 1, &fd) > 0 ? overflow(arg, out, e) : 0;
}

static int hang_up(void *arg, struct strbuf *out, struct error *e)
{
	(void)arg;
	(void)out;
	(void)e;
	close(WORKER_SOCKET);
	close(2);
	while (sched_yield() == 0)
		;
	return 0;
}

START_TEST(its_death_is_an_error_with_its_cause)
{
	char heard[4];

	stay(overflow_when_asked);
	ck_ok(worker_tell(&peer, "x", 1, -1, &err), &err);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), EBADMSG, "ended early (killed by signal 6 "
		 "(Aborted)), saying: *** buffer overflow?[2J detected ***", &err);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), ESRCH, "has ended", &err);
	stay(hang_up);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), EBADMSG, "killed by signal 9", &err);
	stay(echo);
	ck_assert_int_eq(kill(peer.pid, SIGKILL), 0);
	/* it may take a message before it is dead */
	while (worker_tell(&peer, "x", 1, -1, &err) == 0)
		;
	ck_assert_str_eq(err_text(&err), "cannot do it: the process for it ended early (killed by "
			 "signal 9 (Killed))");
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static int compute_when_asked(void *arg, struct strbuf *out, struct error *e)
{
	char c;
	int fd;

	return worker_asked(&c, 1, &fd) > 0 ? compute(arg, out, e) : 0;
}

START_TEST(one_that_does_not_answer_is_ended)
{
	char heard[4];

	worker.patience = 1;
	/* unasked: it sleeps */
	stay(echo);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), EBADMSG,
		 "cannot do it: the process for it slept for 1 s instead of answering", &err);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), ESRCH, "has ended", &err);
	stay(compute_when_asked);
	ck_ok(worker_tell(&peer, "x", 1, -1, &err), &err);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), EBADMSG,
		 "cannot do it: it took more than 1 s of computing", &err);
	/* it takes no messages, either */
	stay(sleep_for_ever);
	while (worker_tell(&peer, "x", 1, -1, &err) == 0)
		;
	ck_assert_msg(strstr(err_text(&err), "slept for 1 s"), "%s", err_text(&err));
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	err_release(&err);
	/* with each answer it has the time again */
	stay(echo);
	for (int i = 0; i < 4; i++) {
		ck_ok(worker_tell(&peer, "x", 1, -1, &err), &err);
		ck_assert_int_eq(usleep(400000), 0);
		ck_assert_int_eq(worker_hear(&peer, heard, sizeof(heard), &err), 1);
	}
	worker_stop(&peer);
}
END_TEST

START_TEST(nobody_waits_for_it_in_vain)
{
	static atomic_bool stop;
	char heard[4];

	worker.stop = &stop;
	stay(echo);
	atomic_store(&stop, true);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), ECANCELED, "given up", &err);
	interrupt_begin();
	raise(SIGTERM);
	ck_fails((int)worker_hear(&peer, heard, 4, &err), EINTR, "interrupted", &err);
	/* a terminal's signals are not for it */
	ck_assert_int_eq(kill(peer.pid, SIGINT), 0);
	atomic_store(&stop, false);
	ck_ok(worker_tell(&peer, "x", 1, -1, &err), &err);
	ck_assert_int_eq(recv(peer.fd, heard, 4, 0), 1);
	worker_stop(&peer);
}
END_TEST

/* ---- what it cannot do ---- */

static int try_all(void *arg, struct strbuf *out, struct error *e)
{
	(void)arg;
	(void)e;
	refused_try(out);
	return 0;
}

START_TEST(nothing_of_the_users_is_in_reach)
{
	int fds[1];

	if (unit_without("filter", "nothing_of_the_users_is_in_reach"))
		return;
	refused_begin();
	fds[0] = kept;
	worker.fds = fds;
	worker.nfds = 1;
	ck_ok(run(try_all, NULL), &err);
	ck_assert_str_eq(sb_str(&result), "");
	refused_end();
}
END_TEST

/* ---- what it can ---- */

static int read_kept(void *arg, struct strbuf *out, struct error *e)
{
	const int *fds = arg;
	struct stat st;

	for (size_t i = 0; i < 3; i++)
		if (fstat(fds[i], &st) < 0 || fd_read_all(fds[i], 100, out) < 0)
			return err_sys(e, errno, "cannot read");
	return 0;
}

START_TEST(reads_what_it_was_given)
{
	int fds[3] = { memfd_with("c", "C", 1, NULL), memfd_with("a", "A", 1, NULL),
		       memfd_with("b", "B", 1, NULL) };
	int swapped[3] = { fds[2], fds[0], fds[1] };

	worker.fds = swapped;	/* in any order */
	worker.nfds = 3;
	ck_ok(run(read_kept, fds), &err);
	ck_assert_str_eq(sb_str(&result), "CAB");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}
END_TEST

static int open_below(void *arg, struct strbuf *out, struct error *e)
{
	static const char *const names[] = { "%s/in", "%s/../passwd", "/etc/passwd", "%s/new" };

	(void)e;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *name = xasprintf(names[i], (char *)arg);
		int fd = open(name, i == 3 ? O_WRONLY | O_CREAT : O_RDONLY, 0600);

		sb_addc(out, fd >= 0 ? '1' : '0');
	}
	return 0;
}

START_TEST(opens_only_what_is_listed)
{
	static const struct confine_call calls[] = { { SYS_openat, CONFINE_ANY, 0 } };
	char dir[UNIT_PATH];
	struct confine_path path = { .directory = true };

	if (landlock_abi() == 0)
		return;
	unit_dir(dir, "umlcage-confine");
	path.fd = open(dir, O_PATH);
	ck_ok(file_replace(path.fd, "in", "", 0, 0600, &err), &err);
	confine.paths = &path;
	confine.npaths = 1;
	confine.calls = calls;
	confine.ncalls = 1;
	confine.descriptors = 4;
	ck_ok(run(open_below, dir), &err);
	ck_assert_str_eq(sb_str(&result), "1000");
	sb_reset(&result);
	path.writable = true;
	ck_ok(run(open_below, dir), &err);
	ck_assert_str_eq(sb_str(&result), "1001");
	close(path.fd);
	ck_ok(remove_tree(AT_FDCWD, dir, &err), &err);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base-confine");
	TCase *tc = tcase_create("worker");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, result_comes_back);
	tcase_add_test(tc, errors_come_back_as_they_are);
	tcase_add_test(tc, records_are_checked);
	tcase_add_test(tc, death_is_an_error_with_its_cause);
	tcase_add_test(tc, limits_hold);
	tcase_add_test(tc, one_that_only_sleeps_is_ended);
	tcase_add_test(tc, interruption_ends_it);
	tcase_add_test(tc, warnings_are_passed_on_and_nothing_else);
	tcase_add_test(tc, one_that_stays_is_asked_many_times);
	tcase_add_test(tc, its_death_is_an_error_with_its_cause);
	tcase_add_test(tc, one_that_does_not_answer_is_ended);
	tcase_add_test(tc, nobody_waits_for_it_in_vain);
	tcase_add_test(tc, nothing_of_the_users_is_in_reach);
	tcase_add_test(tc, reads_what_it_was_given);
	tcase_add_test(tc, opens_only_what_is_listed);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
