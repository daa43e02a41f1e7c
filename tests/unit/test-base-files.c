// SPDX-License-Identifier: GPL-2.0-or-later
/* The base layer's files: transfers, trees, output files that appear whole, locks. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/remains.h"

static char top[UNIT_PATH];
static int dir = -1;

static void setup(void)
{
	unit_dir(top, "test-files");
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
}

static void teardown(void)
{
	close_fd(&dir);
	ck_assert_int_eq(remove_tree(AT_FDCWD, top, NULL), 0);
}

static void expect_file(const char *name, const char *want)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	struct error e = ERROR_INIT;

	ck_ok(file_read(dir, name, 1 << 20, &sb, &e), &e);
	ck_assert_str_eq(sb_str(&sb), want);
}

/* How many names the directory has, hidden ones too. */
static size_t entries(void)
{
	DIR *d = opendir(top);
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

START_TEST(output_appears_at_commit)
{
	struct outfile of = OUTFILE_INIT;
	struct error e = ERROR_INIT;
	struct stat st;

	ck_ok(file_replace(dir, "a", "old", 3, 0600, &e), &e);
	ck_ok(outfile_open(&of, dir, "a", 0644, &e), &e);
	ck_assert_int_eq(write_full(of.fd, "newer", 5), 0);
	expect_file("a", "old");
	ck_ok(outfile_commit(&of, &e), &e);
	expect_file("a", "newer");
	outfile_abort(&of);
	expect_file("a", "newer");
	ck_assert_uint_eq(entries(), 1);
	ck_assert_int_eq(fstatat(dir, "a", &st, 0), 0);
	ck_assert_int_eq(st.st_mode & 0777 & ~0022, 0644 & ~0022);
}
END_TEST

START_TEST(output_aborted_leaves_nothing)
{
	struct outfile of = OUTFILE_INIT;
	struct error e = ERROR_INIT;

	ck_ok(file_replace(dir, "a", "old", 3, 0600, &e), &e);
	ck_ok(outfile_open(&of, dir, "a", 0644, &e), &e);
	ck_assert_int_eq(write_full(of.fd, "x", 1), 0);
	outfile_abort(&of);
	outfile_abort(&of);
	expect_file("a", "old");
	ck_assert_uint_eq(entries(), 1);
	ck_fails(outfile_open(&of, dir, "no/such", 0644, &e), ENOENT, "no/such", &e);
	outfile_abort(&of);
}
END_TEST

/* A full disk, as a limit on the size of files: the old content stays. */
START_TEST(output_that_does_not_fit)
{
	struct rlimit lim = { 4096, 4096 };
	struct error e = ERROR_INIT;
	static char big[10000];

	signal(SIGXFSZ, SIG_IGN);
	ck_ok(file_replace(dir, "a", "old", 3, 0600, &e), &e);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
	ck_fails(file_replace(dir, "a", big, sizeof(big), 0600, &e), EFBIG, "'a'", &e);
	expect_file("a", "old");
	ck_assert_uint_eq(entries(), 1);
}
END_TEST

START_TEST(directories_made_and_removed)
{
	struct error e = ERROR_INIT;
	struct stat st;

	ck_ok(make_dirs(dir, "a/b/c", 0700, &e), &e);
	ck_ok(make_dirs(dir, "a/b/c", 0700, &e), &e);
	ck_ok(make_dirs(dir, "a//b/d/", 0700, &e), &e);
	ck_assert_int_eq(fstatat(dir, "a/b/d", &st, 0), 0);
	ck_ok(file_replace(dir, "a/b/c/file", "x", 1, 0600, &e), &e);
	ck_fails(make_dirs(dir, "a/b/c/file", 0700, &e), ENOTDIR, "a/b/c/file", &e);
	ck_assert_int_lt(make_dirs(dir, "a/b/c/file/more", 0700, &e), 0);
	err_release(&e);

	/* a link out of the tree is removed, not followed; closed directories open up */
	ck_ok(make_dirs(dir, "keep", 0700, &e), &e);
	ck_ok(file_replace(dir, "keep/me", "x", 1, 0600, &e), &e);
	ck_assert_int_eq(symlinkat("../../keep", dir, "a/b/link"), 0);
	ck_assert_int_eq(fchmodat(dir, "a/b/c", 0, 0), 0);
	ck_assert_int_eq(fchmodat(dir, "a/b", 0500, 0), 0);
	ck_ok(remove_tree(dir, "a", &e), &e);
	ck_assert_int_eq(fstatat(dir, "a", &st, 0), -1);
	expect_file("keep/me", "x");
	ck_ok(remove_tree(dir, "a", &e), &e);
	ck_ok(remove_tree(dir, "keep/me", &e), &e);
}
END_TEST

START_TEST(whole_file_with_a_limit)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	struct error e = ERROR_INIT;
	static char data[200000];

	memset(data, 'x', sizeof(data));
	ck_ok(file_replace(dir, "a", data, sizeof(data), 0600, &e), &e);
	ck_ok(file_read(dir, "a", sizeof(data), &sb, &e), &e);
	ck_assert_uint_eq(sb.len, sizeof(data));
	ck_assert_mem_eq(sb.s, data, sizeof(data));
	sb_reset(&sb);
	ck_fails(file_read(dir, "a", sizeof(data) - 1, &sb, &e), EFBIG, "'a'", &e);
	ck_fails(file_read(dir, "b", 1, &sb, &e), ENOENT, "'b'", &e);
}
END_TEST

START_TEST(transfers_end_early_at_end_of_file)
{
	cleanup_close int fd = memfd_with("t", "hello", 5, NULL);
	char buf[16];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(read_full(fd, buf, sizeof(buf)), 5);
	ck_assert_int_eq(read_full(fd, buf, sizeof(buf)), 0);
	ck_assert_int_eq(pread_full(fd, buf, 3, 2), 3);
	ck_assert_mem_eq(buf, "llo", 3);
	ck_assert_int_eq(pwrite_full(fd, "J", 1, 0), 0);
	ck_assert_int_eq(pread_full(fd, buf, sizeof(buf), 0), 5);
	ck_assert_mem_eq(buf, "Jello", 5);
	close_fd(&fd);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(read_full(-1, buf, 1), -EBADF);
	ck_assert_int_eq(write_full(-1, buf, 1), -EBADF);
}
END_TEST

START_TEST(lock_is_held_until_death)
{
	struct error e = ERROR_INIT;
	int ours = lock_file(dir, "lock", true, false, &e), status;
	pid_t pid = fork();

	ck_assert_msg(ours >= 0, "%s", err_text(&e));
	if (pid == 0)
		_exit(lock_file(dir, "lock", false, false, NULL) == -EWOULDBLOCK ? 7 : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	close_fd(&ours);

	int first = lock_file(dir, "lock", false, false, &e);
	int second = lock_file(dir, "lock", false, false, &e);

	ck_assert(first >= 0 && second >= 0);
	ck_fails(lock_file(dir, "lock", true, false, &e), EWOULDBLOCK, "'lock'", &e);
	close_fd(&first);
	close_fd(&second);
	ours = lock_file(dir, "lock", true, true, &e);
	ck_assert_int_ge(ours, 0);
	close_fd(&ours);
}
END_TEST

START_TEST(space_is_counted)
{
	struct error e = ERROR_INIT;
	uint64_t bytes = 0;

	ck_ok(free_space(top, &bytes, &e), &e);
	ck_assert_uint_gt(bytes, 0);
	ck_fails(free_space("/no/such", &bytes, &e), ENOENT, "/no/such", &e);
}
END_TEST

START_TEST(one_that_stays_does_not_keep_the_rest)
{
	struct error e = ERROR_INIT;

	ck_ok(make_dirs(dir, "t/a/b", 0700, &e), &e);
	ck_ok(make_dirs(dir, "t/busy", 0700, &e), &e);
	ck_ok(file_replace(dir, "t/a/b/f", "", 0, 0600, &e), &e);
	ck_ok(file_replace(dir, "t/z", "", 0, 0600, &e), &e);
	/* a mount cannot be removed */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
	    chdir(top) < 0 || mount("t/a", "t/busy", NULL, MS_BIND, NULL) < 0)
		return;
	ck_fails(remove_tree(dir, "t", &e), EBUSY, "'t'", &e);
	ck_assert_int_ne(faccessat(dir, "t/a", F_OK, 0), 0);
	ck_assert_int_ne(faccessat(dir, "t/z", F_OK, 0), 0);
	ck_assert_int_eq(umount2("t/busy", MNT_DETACH), 0);
}
END_TEST

/* How a child ends that has begun a folder and then runs @fn; its words in @said. */
static int end_of(void (*fn)(void), struct strbuf *said)
{
	int pipes[2], status;

	ck_assert_int_eq(pipe(pipes), 0);

	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(top) < 0 || dup2(pipes[1], STDERR_FILENO) < 0)
			_exit(9);
		memory_status(7);
		remains_begin();
		remains_add("begun");
		remains_add("kept");
		if (make_dirs(AT_FDCWD, "begun/a/b", 0700, NULL) < 0 || mkdir("kept", 0700) < 0)
			_exit(9);
		remains_drop("kept");
		fn();
		remains_drop("begun");
		remains_end();
		exit(0);
	}
	close(pipes[1]);
	ck_assert_int_eq(fd_read_all(pipes[0], 4096, said), 0);
	close(pipes[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void want_too_much(void)
{
	struct rlimit r = { 64 << 20, 64 << 20 };

	(void)setrlimit(RLIMIT_AS, &r);
	free(xmalloc((size_t)1 << 40));
}

static void leave(void)
{
	exit(3);
}

static void nothing(void)
{
}

START_TEST(what_was_begun_goes_before_an_early_end)
{
	cleanup_strbuf struct strbuf said = STRBUF_INIT;

	ck_assert_int_eq(end_of(leave, &said), 3);
	ck_assert_ptr_nonnull(strstr(sb_str(&said), "a library gave up"));
	ck_assert_int_eq(entries(), 1);
	ck_assert_int_eq(unlinkat(dir, "kept", AT_REMOVEDIR), 0);
#ifndef __SANITIZE_ADDRESS__
	sb_reset(&said);
	ck_assert_int_eq(end_of(want_too_much, &said), 7);
	ck_assert_str_eq(sb_str(&said), "umlcage: out of memory\n");
	ck_assert_int_eq(entries(), 1);
	ck_assert_int_eq(unlinkat(dir, "kept", AT_REMOVEDIR), 0);
#endif
	sb_reset(&said);
	ck_assert_int_eq(end_of(nothing, &said), 0);
	ck_assert_str_eq(sb_str(&said), "");
	ck_assert_int_eq(entries(), 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base files");
	TCase *tc = tcase_create("files");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, output_appears_at_commit);
	tcase_add_test(tc, output_aborted_leaves_nothing);
	tcase_add_test(tc, output_that_does_not_fit);
	tcase_add_test(tc, directories_made_and_removed);
	tcase_add_test(tc, whole_file_with_a_limit);
	tcase_add_test(tc, transfers_end_early_at_end_of_file);
	tcase_add_test(tc, one_that_stays_does_not_keep_the_rest);
	tcase_add_test(tc, what_was_begun_goes_before_an_early_end);
	tcase_add_test(tc, lock_is_held_until_death);
	tcase_add_test(tc, space_is_counted);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
