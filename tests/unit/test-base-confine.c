// SPDX-License-Identifier: GPL-2.0-or-later
/* Confined workers: what they cannot do, and what comes of those that fail. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

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
	cleanup_strbuf struct strbuf said = STRBUF_INIT;
	int fd = memfd_with("progress", "", 0, &err), pipes[2];

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
	ck_assert_str_eq(sb_str(&said), "umlcage: warning: one\numlcage: warning: two?[2J\n");
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
}
END_TEST

/* ---- what it cannot do ---- */

static char secret[UNIT_PATH];
static int stray = -1, kept = -1;

static long try_exec_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED ? -1 : 0;
}

static const struct { const char *name; long nr; long a, b, c; } attempts[] = {
	{ "open", SYS_open, (long)secret, O_RDONLY, 0 },
	{ "openat", SYS_openat, AT_FDCWD, (long)secret, O_RDONLY },
	{ "openat2", SYS_openat2, AT_FDCWD, (long)secret, 0 },
	{ "open path", SYS_openat, AT_FDCWD, (long)secret, O_PATH },
	{ "create", SYS_openat, AT_FDCWD, (long)"/tmp/umlcage-confine-new", O_CREAT | O_WRONLY },
	{ "stat", SYS_stat, (long)secret, 0, 0 },
	{ "readlink", SYS_readlink, (long)"/proc/self/exe", 0, 0 },
	{ "chmod", SYS_chmod, (long)secret, 0777, 0 },
	{ "fchmod", SYS_fchmod, 3, 0777, 0 },
	{ "truncate", SYS_truncate, (long)secret, 0, 0 },
	{ "unlink", SYS_unlink, (long)secret, 0, 0 },
	{ "rename", SYS_rename, (long)secret, (long)"/tmp/umlcage-confine-new", 0 },
	{ "mkdir", SYS_mkdir, (long)"/tmp/umlcage-confine-new", 0700, 0 },
	{ "setxattr", SYS_setxattr, (long)secret, (long)"user.x", 0 },
	{ "socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0 },
	{ "inet", SYS_socket, AF_INET, SOCK_STREAM, 0 },
	{ "fork", SYS_fork, 0, 0, 0 },
	{ "clone", SYS_clone, SIGCHLD, 0, 0 },
	{ "execve", SYS_execve, (long)"/nonexistent", 0, 0 },
	{ "kill", SYS_kill, 1, 0, 0 },
	{ "kill all", SYS_kill, -1, 0, 0 },
	{ "tgkill", SYS_tgkill, 1, 1, 0 },
	{ "ptrace", SYS_ptrace, 0, 0, 0 },
	{ "prlimit", SYS_prlimit64, 0, 0, 0 },
	{ "memfd", SYS_memfd_create, (long)"x", 0, 0 },
	{ "prctl", SYS_prctl, 0, 0, 0 },
	{ "ioctl", SYS_ioctl, 0, 0, 0 },
	{ "dup", SYS_dup, 0, 0, 0 },
	{ "pidfd", SYS_pidfd_open, 1, 0, 0 },
	{ "io_uring", SYS_io_uring_setup, 1, 0, 0 },
	{ "bpf", SYS_bpf, 0, 0, 0 },
	{ "mount", SYS_mount, 0, 0, 0 },
	{ "unshare", SYS_unshare, 0, 0, 0 },
	{ "write to the stray file", SYS_write, -2, (long)"x", 1 },
	{ "read of the stray file", SYS_lseek, -2, 0, 0 },
	{ "write to the kept file", SYS_write, -3, (long)"x", 1 },
};

static int try_all(void *arg, struct strbuf *out, struct error *e)
{
	(void)arg;
	(void)e;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		long a = attempts[i].a == -2 ? stray : attempts[i].a == -3 ? kept : attempts[i].a;
		pid_t self = getpid();
		long ret = syscall(attempts[i].nr, a, attempts[i].b, attempts[i].c, 0);

		if (getpid() != self)
			_exit(0);
		/* of descriptors it does not have, any failure will do */
		if (ret >= 0 || (attempts[i].a > -2 && errno != ENOSYS))
			sb_addf(out, "%s ", attempts[i].name);
	}
	if (try_exec_memory() == 0)
		sb_adds(out, "executable memory ");
	return 0;
}

START_TEST(nothing_of_the_users_is_in_reach)
{
	int fds[1];

	unit_dir(secret, "confine");
	strcat(secret, "/s");
	stray = open(secret, O_RDWR | O_CREAT | O_EXCL, 0600);
	kept = open(secret, O_RDONLY);
	fds[0] = kept;
	worker.fds = fds;
	worker.nfds = 1;
	ck_ok(run(try_all, NULL), &err);
	ck_assert_str_eq(sb_str(&result), "");
	close(kept);
	close(stray);
	ck_assert_int_eq(unlink(secret), 0);
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
	tcase_add_test(tc, interruption_ends_it);
	tcase_add_test(tc, warnings_are_passed_on_and_nothing_else);
	tcase_add_test(tc, nothing_of_the_users_is_in_reach);
	tcase_add_test(tc, reads_what_it_was_given);
	tcase_add_test(tc, opens_only_what_is_listed);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
