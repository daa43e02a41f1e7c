// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits of control groups, in folders that look like a host's. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/cgroup.h"
#include "umlcage/base/fd.h"

static char top[UNIT_PATH];
static struct cgroup groups;

static void put(const char *path, const char *text)
{
	cleanup_free char *file = xasprintf("%s%s", top, path), *dir = xstrdup(file);

	*strrchr(dir, '/') = '\0';
	ck_ok(make_dirs(AT_FDCWD, dir, 0700, NULL), NULL);
	ck_ok(file_replace(AT_FDCWD, file, text, strlen(text), 0600, NULL), NULL);
}

static void setup(void)
{
	unit_dir(top, "test-cgroup");
}

static void teardown(void)
{
	cgroup_release(&groups);
	ck_assert_int_eq(remove_tree(AT_FDCWD, top, NULL), 0);
}

static void expect(enum cgroup_kind kind, uint64_t limit, const char *file)
{
	ck_assert_uint_eq(groups.v[kind].limit, limit);
	if (!file)
		ck_assert_ptr_null(groups.v[kind].file);
	else
		ck_assert_str_eq(groups.v[kind].file + strlen(top), file);
}

static void met(const char *want)
{
	cleanup_free char *text = cgroup_met(&groups, top);

	if (!want)
		ck_assert_ptr_null(text);
	else
		ck_assert_msg(text && strstr(text, want), "'%s' is not in '%s'", want, text);
}

static void version_2(void)
{
	put("/proc/self/cgroup", "0::/user.slice/mine\n");
	put("/proc/self/mountinfo",
	    "22 1 0:20 / /proc rw,nosuid - proc proc rw\n"
	    "30 22 0:26 / /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
	put("/cg/user.slice/mine/memory.max", "max\n");
	put("/cg/user.slice/mine/memory.events", "low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\n");
	put("/cg/user.slice/mine/pids.max", "max\n");
	put("/cg/user.slice/mine/pids.events", "max 0\n");
	put("/cg/user.slice/memory.max", "536870912\n");
	put("/cg/user.slice/memory.events", "oom_kill 9\n");
	put("/cg/user.slice/pids.max", "100\n");
	put("/cg/user.slice/pids.events", "max 4\n");
}

START_TEST(least_of_all_above)
{
	version_2();
	cgroup_read(&groups, top);
	expect(CGROUP_MEMORY, 512 << 20, "/cg/user.slice/memory.max");
	expect(CGROUP_PIDS, 100, "/cg/user.slice/pids.max");
	cgroup_release(&groups);
	put("/cg/user.slice/mine/pids.max", "50\n");
	cgroup_read(&groups, top);
	expect(CGROUP_PIDS, 50, "/cg/user.slice/mine/pids.max");
}
END_TEST

START_TEST(what_was_met_since)
{
	version_2();
	cgroup_read(&groups, top);
	met(NULL);
	/* another group's */
	put("/cg/user.slice/memory.events", "oom_kill 10\n");
	met(NULL);
	put("/cg/user.slice/pids.events", "max 5\n");
	met("no more processes (the limit is 100");
	put("/cg/user.slice/mine/memory.events", "oom 3\noom_kill 4\n");
	met("for want of memory (the limit is 537 MB: '");
	met("/cg/user.slice/memory.max')");
}
END_TEST

START_TEST(version_1_and_a_mount_of_a_part)
{
	put("/proc/self/cgroup", "9:pids:/job\n4:cpu,memory:/docker/abc/sub\n0::/\n");
	put("/proc/self/mountinfo",
	    "35 31 0:32 /docker/abc /cg/memory rw - cgroup cgroup rw,cpu,memory\n"
	    "39 31 0:36 / /cg/pids rw - cgroup cgroup rw,pids\n"
	    "41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n");
	put("/cg/memory/sub/memory.limit_in_bytes", "9223372036854771712\n");
	put("/cg/memory/memory.limit_in_bytes", "268435456\n");
	put("/cg/memory/sub/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
	put("/cg/pids/job/pids.max", "max\n");
	cgroup_read(&groups, top);
	expect(CGROUP_MEMORY, 256 << 20, "/cg/memory/memory.limit_in_bytes");
	expect(CGROUP_PIDS, CGROUP_NO_LIMIT, NULL);
	put("/cg/memory/sub/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n");
	met("for want of memory (the limit is 268 MB");
}
END_TEST

START_TEST(nothing_or_nonsense_is_no_limit)
{
	cgroup_read(&groups, top);
	expect(CGROUP_MEMORY, CGROUP_NO_LIMIT, NULL);
	put("/proc/self/cgroup", "0::\n::\nx\n3:memory:/../../up\n");
	put("/proc/self/mountinfo", "- cgroup\n1 2 3\n35 31 0:32 / /cg rw - cgroup cgroup rw,memory\n -");
	put("/cg/memory.limit_in_bytes", "many\n");
	cgroup_read(&groups, top);
	expect(CGROUP_MEMORY, CGROUP_NO_LIMIT, NULL);
	put("/cg/memory.limit_in_bytes", "4096");
	cgroup_read(&groups, top);
	expect(CGROUP_MEMORY, 4096, "/cg/memory.limit_in_bytes");
	met(NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base cgroup");
	TCase *tc = tcase_create("cgroup");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, least_of_all_above);
	tcase_add_test(tc, what_was_met_since);
	tcase_add_test(tc, version_1_and_a_mount_of_a_part);
	tcase_add_test(tc, nothing_or_nonsense_is_no_limit);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
