// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The examination of a host, on hosts that lack something: a filter takes one system
 * call away, a limit or a variable does the rest.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <fcntl.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"
#include "umlcage/doctor/doctor.h"

static char top[UNIT_PATH];
static struct doctor_report report;

static void setup(void)
{
	unit_dir(top, "test-doctor");
	setenv("HOME", top, 1);
	unsetenv("XDG_CACHE_HOME");
	unsetenv("XDG_DATA_HOME");
	setenv("XDG_RUNTIME_DIR", top, 1);
	report = (struct doctor_report)DOCTOR_REPORT_INIT;
}

static void teardown(void)
{
	doctor_release(&report);
	ck_assert_int_eq(remove_tree(AT_FDCWD, top, NULL), 0);
}

/* The address sanitizer's; NULL without it. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

static void refuse(long nr, int errnum)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(code), .filter = code };

	/* it looks for leaks once, at the end unless told to, and by ptrace */
	if (nr == SYS_ptrace && __lsan_do_leak_check)
		__lsan_do_leak_check();
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static const struct doctor_check *find(const char *name)
{
	for (size_t i = 0; i < report.n; i++)
		if (strcmp(report.v[i].name, name) == 0)
			return &report.v[i];
	ck_abort_msg("no finding '%s'", name);
}

static void expect(const char *name, enum doctor_state state)
{
	const struct doctor_check *c = find(name);

	ck_assert_msg(c->state == state, "%s is %s: %s; %s", name, doctor_state_name(c->state),
		      c->found, c->meaning);
}

START_TEST(every_finding_is_complete)
{
	doctor_examine(&report, true);
	ck_assert_uint_ge(report.n, 16);
	for (size_t i = 0; i < report.n; i++) {
		ck_assert_ptr_eq(find(report.v[i].name), &report.v[i]);
		ck_assert(*report.v[i].found && *report.v[i].meaning);
		ck_assert_ptr_null(strchr(report.v[i].meaning, '\n'));
		if (report.v[i].state == DOCTOR_FAIL)
			ck_assert(!report.usable);
	}
}
END_TEST

static const struct {
	long nr;
	int errnum;
	const char *name;
	enum doctor_state state;
	bool usable;
} refusals[] = {
	{ SYS_memfd_create, EPERM, "memory-file", DOCTOR_FAIL, false },
	{ SYS_openat2, ENOSYS, "system-calls", DOCTOR_FAIL, false },
	{ SYS_pidfd_open, EPERM, "system-calls", DOCTOR_FAIL, false },
	{ SYS_close_range, ENOSYS, "system-calls", DOCTOR_FAIL, false },
	{ SYS_fsetxattr, EOPNOTSUPP, "data-folder", DOCTOR_FAIL, false },
	{ SYS_landlock_create_ruleset, ENOSYS, "landlock", DOCTOR_WARN, true },
	{ SYS_landlock_create_ruleset, EOPNOTSUPP, "landlock", DOCTOR_WARN, true },
	{ SYS_mount, EPERM, "namespaces", DOCTOR_WARN, true },
	{ SYS_seccomp, EPERM, "seccomp", DOCTOR_WARN, true },
	{ SYS_ptrace, EPERM, "ptrace", DOCTOR_OK, true },
	{ SYS_sched_setaffinity, EPERM, "processors", DOCTOR_WARN, true },
};

START_TEST(refused_call)
{
	/* without one, it takes the other */
	if (refusals[_i].nr == SYS_ptrace && unit_without("filter", "refused_call of ptrace"))
		return;
	refuse(refusals[_i].nr, refusals[_i].errnum);
	doctor_examine(&report, true);
	expect(refusals[_i].name, refusals[_i].state);
	if (!refusals[_i].usable)
		ck_assert(!report.usable);
}
END_TEST

START_TEST(no_seccomp_and_no_ptrace)
{
	refuse(SYS_ptrace, EPERM);
	refuse(SYS_seccomp, ENOSYS);
	doctor_probe_system_calls(&report);
	expect("seccomp", DOCTOR_FAIL);
	expect("ptrace", DOCTOR_FAIL);
	ck_assert(!report.usable);
}
END_TEST

START_TEST(few_descriptors)
{
	struct rlimit lim = { 256, 512 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	doctor_probe_limits(&report);
	expect("open-files", DOCTOR_WARN);
	ck_assert_ptr_nonnull(strstr(find("open-files")->found, "512"));
	ck_assert(report.usable);
}
END_TEST

START_TEST(tools_matter_only_without_a_kernel)
{
	setenv("PATH", top, 1);
	doctor_probe_tools(&report, true);
	expect("compiler", DOCTOR_WARN);
	expect("signatures", DOCTOR_WARN);
	ck_assert(report.usable);
	doctor_release(&report);
	doctor_probe_tools(&report, false);
	expect("compiler", DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(find("compiler")->found, "flex"));
	ck_assert(!report.usable);
}
END_TEST

START_TEST(folder_that_cannot_be_made)
{
	setenv("XDG_DATA_HOME", "/proc/self/none", 1);
	doctor_probe_folders(&report, true);
	expect("data-folder", DOCTOR_FAIL);
	ck_assert_ptr_nonnull(strstr(find("data-folder")->meaning, "XDG_DATA_HOME"));
	expect("cache-folder", DOCTOR_OK);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("doctor");
	TCase *tc = tcase_create("doctor");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_finding_is_complete);
	tcase_add_loop_test(tc, refused_call, 0, ARRAY_SIZE(refusals));
	tcase_add_test(tc, no_seccomp_and_no_ptrace);
	tcase_add_test(tc, few_descriptors);
	tcase_add_test(tc, tools_matter_only_without_a_kernel);
	tcase_add_test(tc, folder_that_cannot_be_made);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
