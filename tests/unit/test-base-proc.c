// SPDX-License-Identifier: GPL-2.0-or-later
/* The base layer's subprocesses, and progress as plain lines. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/progress.h"

static char *const list_fds[] = { "sh", "-c", "cd /proc/self/fd && echo * && cat <&5", NULL };

START_TEST(child_has_only_its_descriptors)
{
	cleanup_close int in = memfd_with("in", "five", 4, NULL);
	cleanup_close int out = memfd_with("out", "", 0, NULL);
	/* left open without close-on-exec on purpose, where the child's numbers are */
	int strays[8], status;
	struct proc_fd fds[] = { { in, 5 }, { out, 1 } };
	struct proc_opts o = { .argv = list_fds, .fds = fds, .nfds = 2 };
	struct error e = ERROR_INIT;
	char text[64] = "";
	pid_t pid;

	for (int i = 0; i < 8; i++)
		strays[i] = open("/dev/null", O_RDONLY);
	ck_ok(proc_start(&o, &pid, NULL, &e), &e);
	ck_ok(proc_wait(pid, &status, &e), &e);
	ck_assert_int_eq(status, 0);
	ck_assert_int_ge(pread_full(out, text, sizeof(text) - 1, 0), 0);
	/* the shell's own descriptor of the directory may come on top */
	ck_assert_msg(strncmp(text, "0 1 2 ", 6) == 0 && strstr(text, "5\nfive"), "'%s'", text);
	for (int i = 0; i < 8; i++)
		close(strays[i]);
}
END_TEST

/* 5 becomes 6 and 6 becomes 5: neither is overwritten before it was copied. */
START_TEST(descriptors_may_change_places)
{
	int a = memfd_with("a", "A", 1, NULL), b = memfd_with("b", "B", 1, NULL);
	cleanup_close int out = memfd_with("out", "", 0, NULL);
	struct proc_fd fds[] = { { a, b }, { b, a }, { out, 1 } };
	char cmd[64], text[8] = "";
	char *const shell[] = { "sh", "-c", cmd, NULL };
	struct proc_opts o = { .argv = shell, .fds = fds, .nfds = 3 };
	struct error e = ERROR_INIT;
	int status;
	pid_t pid;

	snprintf(cmd, sizeof(cmd), "cat <&%d; cat <&%d", b, a);
	ck_ok(proc_start(&o, &pid, NULL, &e), &e);
	ck_ok(proc_wait(pid, &status, &e), &e);
	ck_assert_int_eq(pread_full(out, text, 8, 0), 2);
	ck_assert_str_eq(text, "AB");
	close_fd(&a);
	close_fd(&b);
}
END_TEST

static int refuse(void *arg, const char **what)
{
	*what = arg;
	return -ENOSYS;
}

START_TEST(failures_before_exec_are_errors)
{
	static char *const missing[] = { "/no/such/program", NULL };
	static char *const a_dir[] = { "/", NULL };
	static char *const fine[] = { "true", NULL };
	struct proc_opts o = { .argv = missing };
	struct error e = ERROR_INIT;
	pid_t pid = -7;

	ck_fails(proc_start(&o, &pid, NULL, &e), ENOENT, "/no/such/program", &e);
	o.argv = a_dir;
	ck_fails(proc_start(&o, &pid, NULL, &e), EACCES, "'/'", &e);
	o.argv = fine;
	o.cwd = "/no/such";
	ck_fails(proc_start(&o, &pid, NULL, &e), ENOENT, "working directory", &e);
	o.cwd = NULL;
	o.before_exec = refuse;
	o.before_exec_arg = "install a filter";
	ck_fails(proc_start(&o, &pid, NULL, &e), ENOSYS, "install a filter", &e);
	ck_assert_int_eq(pid, -7);
	/* nothing waits to be reaped */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(environment_group_and_signals)
{
	char *const env[] = { "A=1", NULL };
	static char *const argv[] = { "/bin/sh", "-c",
		"[ $A$HOME = 1 ] && grep -q '^SigBlk:\t0*$' /proc/self/status && "
		/* signals 32 and 33 are libc's own, out of sigaction()'s reach */
		"grep -qE '^SigIgn:\t0{7}[01][08]0{7}$' /proc/self/status",

		NULL };
	struct proc_opts o = { .argv = argv, .env = env, .own_group = true };
	struct error e = ERROR_INIT;
	sigset_t all;
	int status, pidfd = -1;
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	ck_ok(proc_start(&o, &pid, &pidfd, &e), &e);
	ck_assert_int_eq(getpgid(pid), pid);
	ck_assert_int_ge(pidfd, 0);
	ck_ok(proc_wait(pid, &status, &e), &e);
	ck_assert_int_eq(status, 0);
	close_fd(&pidfd);
}
END_TEST

/* sched(7): "/autogroup-N nice NICE" */
START_TEST(session_of_its_own_keeps_nice)
{
	static char *const argv[] = { "/bin/sh", "-c",
		"[ \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$ ] || exit 3; "
		"[ ! -e /proc/self/autogroup ] || grep -q ' nice 5$' /proc/self/autogroup || exit 4",
		NULL };
	struct proc_opts o = { .argv = argv, .own_session = true };
	struct error e = ERROR_INIT;
	int status;
	pid_t pid;

	ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, 5), 0);
	ck_ok(proc_start(&o, &pid, NULL, &e), &e);
	ck_ok(proc_wait(pid, &status, &e), &e);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(child_dies_with_its_parent)
{
	static char *const argv[] = { "sleep", "1000", NULL };
	int pipes[2], status;
	char c;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);

	pid_t parent = fork();

	if (parent == 0) {
		struct proc_fd fds[] = { { pipes[1], 1 } };
		struct proc_opts o = { .argv = argv, .fds = fds, .nfds = 1 };
		pid_t pid;

		if (proc_start(&o, &pid, NULL, NULL) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	close(pipes[1]);
	ck_assert_int_eq(waitpid(parent, &status, 0), parent);
	ck_assert(WIFSIGNALED(status));
	/* end of file comes when the grandchild, the last writer, is gone */
	ck_assert_int_eq(read(pipes[0], &c, 1), 0);
	close(pipes[0]);
}
END_TEST

/* In a process of its own, as each test is. */
START_TEST(processors_are_those_that_may_be_used)
{
	unsigned int all = proc_cpus();
	cpu_set_t one;

	ck_assert_uint_ge(all, 1);
	ck_assert_uint_le(all, (unsigned int)sysconf(_SC_NPROCESSORS_ONLN));
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_uint_eq(proc_cpus(), 1);
}
END_TEST

START_TEST(captured_output)
{
	static char *const both[] = { "sh", "-c", "echo out; echo err >&2; exit 3", NULL };
	static char *const flood[] = { "sh", "-c", "head -c 300000 /dev/zero | tr '\\0' a; echo end; "
				       "head -c 300000 /dev/zero >&2; cat", NULL };
	struct strbuf out = STRBUF_INIT, err = STRBUF_INIT;
	struct error e = ERROR_INIT;
	int status;

	ck_ok(proc_capture(both, 1000, &out, &err, &status, &e), &e);
	ck_assert_str_eq(sb_str(&out), "out\n");
	ck_assert_str_eq(sb_str(&err), "err\n");
	ck_assert_int_eq(WEXITSTATUS(status), 3);
	sb_reset(&out);
	sb_reset(&err);
	ck_ok(proc_capture(both, 1000, &out, NULL, &status, &e), &e);
	ck_assert_str_eq(sb_str(&out), "out\nerr\n");

	/* the newest bytes are kept, and a full pipe does not stop it */
	sb_reset(&out);
	ck_ok(proc_capture(flood, 10, &out, &err, &status, &e), &e);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(sb_str(&out), "aaaaaaend\n");
	ck_assert_uint_eq(err.len, 10);
	ck_ok(proc_capture(flood, 10, NULL, NULL, &status, &e), &e);
	sb_release(&out);
	sb_release(&err);

	char *text = proc_status_text(3 << 8);

	ck_assert_str_eq(text, "exit status 3");
	free(text);
	text = proc_status_text(SIGKILL);
	ck_assert_str_eq(text, "killed by signal 9 (Killed)");
	free(text);
}
END_TEST

START_TEST(progress_in_a_file_is_lines)
{
	cleanup_close int fd = memfd_with("p", "", 0, NULL);
	char text[4096] = "";
	struct progress p;

	progress_init(&p, fd, 0);
	progress_stage(&p, "downloading", 100);
	for (uint64_t i = 0; i <= 100; i++)
		progress_step(&p, i, 100, "x");
	progress_note(&p, "kept %d", 1);
	progress_detail(&p, "only with --verbose");
	progress_warn(&p, "careful");
	progress_end(&p);
	ck_assert_int_ge(pread_full(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_msg(strstr(text, "kept 1\n") && strstr(text, "warning: careful\n"), "%s", text);
	ck_assert_msg(!strstr(text, "only with") && !strchr(text, '\033') && !strchr(text, '\r'),
		      "%s", text);

	/* quiet: warnings only; nobody there: nothing happens */
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	memset(text, 0, sizeof(text));
	progress_init(&p, fd, -1);
	progress_stage(&p, "downloading", 100);
	progress_note(&p, "kept");
	progress_warn(&p, "careful");
	progress_end(&p);
	ck_assert_int_ge(pread_full(fd, text, sizeof(text) - 1, 0), 0);
	ck_assert_str_eq(text, "umlcage: warning: careful\n");
	progress_stage(NULL, "x", 0);
	progress_step(NULL, 1, 2, NULL);
	progress_note(NULL, "x");
	progress_end(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base processes");
	TCase *tc = tcase_create("proc");

	tcase_add_test(tc, child_has_only_its_descriptors);
	tcase_add_test(tc, descriptors_may_change_places);
	tcase_add_test(tc, failures_before_exec_are_errors);
	tcase_add_test(tc, environment_group_and_signals);
	tcase_add_test(tc, session_of_its_own_keeps_nice);
	tcase_add_test(tc, child_dies_with_its_parent);
	tcase_add_test(tc, processors_are_those_that_may_be_used);
	tcase_add_test(tc, captured_output);
	tcase_add_test(tc, progress_in_a_file_is_lines);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
