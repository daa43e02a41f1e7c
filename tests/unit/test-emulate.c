// SPDX-License-Identifier: GPL-2.0-or-later
/* Emulators: which root needs which, and what of them is kept. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/emulate/emulate.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static char dir[UNIT_PATH];
static int rootfd;
static struct error err;

static void setup(void)
{
	unit_dir(dir, "emulate");
	setenv("XDG_CACHE_HOME", dir, 1);
	rootfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = (struct error)ERROR_INIT;
}

static void teardown(void)
{
	close_fd(&rootfd);
	ck_ok(remove_tree(AT_FDCWD, dir, &err), &err);
	err_release(&err);
}

static void put(const char *path, const void *data, size_t len)
{
	cleanup_free char *above = xstrdup(path);

	*strrchr(above, '/') = '\0';
	ck_ok(make_dirs(rootfd, above, 0755, &err), &err);
	ck_ok(file_replace(rootfd, path, data, len, 0755, &err), &err);
}

/* The beginning of a program of that kind. */
static void put_program(const char *path, unsigned char class, unsigned char data,
			unsigned int machine)
{
	unsigned char h[20] = { 0x7f, 'E', 'L', 'F', class, data, 1 };
	bool big = data == ELFDATA2MSB;

	h[big ? 17 : 16] = ET_DYN;
	h[big ? 19 : 18] = (unsigned char)machine;
	put(path, h, sizeof(h));
}

static char *detected(void)
{
	cleanup_strv struct strv needed = STRV_INIT, useful = STRV_INIT;
	cleanup_free char *a = NULL, *b = NULL;

	emulate_detect(rootfd, &needed, &useful);
	a = strv_join(&needed, " ");
	b = strv_join(&useful, " ");
	return xasprintf("%s/%s", a, b);
}

static void found(const char *want)
{
	cleanup_free char *got = detected();

	ck_assert_str_eq(got, want);
}

START_TEST(a_root_needs_what_its_shell_is_made_for)
{
	found("/");
	put_program("usr/bin/dash", ELFCLASS64, ELFDATA2LSB, EM_AARCH64);
	ck_assert_int_eq(symlinkat("dash", rootfd, "usr/bin/sh"), 0);
	found("arm64/");
	put_program("usr/bin/dash", ELFCLASS64, ELFDATA2MSB, EM_S390);
	found("s390x/");
	put_program("usr/bin/dash", ELFCLASS32, ELFDATA2LSB, EM_ARM);
	found("armhf/");
	put_program("usr/bin/dash", ELFCLASS64, ELFDATA2LSB, EM_X86_64);
#ifdef __x86_64__
	found("/");
#endif
}
END_TEST

START_TEST(links_stay_in_the_root)
{
	put_program("elsewhere/sh", ELFCLASS64, ELFDATA2LSB, EM_RISCV);
	ck_assert_int_eq(mkdirat(rootfd, "usr", 0755), 0);
	ck_assert_int_eq(symlinkat("/elsewhere", rootfd, "usr/bin"), 0);
	found("riscv64/");
}
END_TEST

START_TEST(a_pipe_in_the_place_of_a_shell_is_not_waited_for)
{
	ck_ok(make_dirs(rootfd, "bin", 0755, &err), &err);
	ck_assert_int_eq(mkfifoat(rootfd, "bin/sh", 0600), 0);
	found("/");
}
END_TEST

START_TEST(what_dpkg_knows_is_useful)
{
	put_program("bin/sh", ELFCLASS64, ELFDATA2LSB, EM_AARCH64);
	put("var/lib/dpkg/arch", "arm64\narmhf\nhurd-i386\ni386\narmel\n", 33);
	found("arm64/armhf i386 armel");
}
END_TEST

START_TEST(one_emulator_serves_what_it_can_and_grows_old)
{
	cleanup_emulators struct emulators em = EMULATORS_INIT;
	struct timespec old[2] = { { 0, UTIME_NOW }, { .tv_sec = time(NULL) - EMULATE_AGE - 10 } };

	ck_assert_int_eq(emulate_open(&em, "armhf", false, &err), 1);
	put("umlcage/emulators/qemu-arm", "x", 1);
	ck_assert_int_eq(emulate_open(&em, "armhf", true, &err), 0);
	ck_assert_int_eq(emulate_open(&em, "armel", true, &err), 0);
	ck_assert_uint_eq(em.n, 1);
	ck_assert_str_eq(em.v[0].name, "arm");
	emulate_close(&em);
	ck_assert_int_eq(utimensat(rootfd, "umlcage/emulators/qemu-arm", old, 0), 0);
	ck_assert_int_eq(emulate_open(&em, "armhf", true, &err), 1);
	ck_assert_int_eq(emulate_open(&em, "armhf", false, &err), 0);
	ck_fails(emulate_open(&em, "vax", false, &err), EINVAL, "emulators for", &err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emulate");
	TCase *t = tcase_create("emulate");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_root_needs_what_its_shell_is_made_for);
	tcase_add_test(t, links_stay_in_the_root);
	tcase_add_test(t, a_pipe_in_the_place_of_a_shell_is_not_waited_for);
	tcase_add_test(t, what_dpkg_knows_is_useful);
	tcase_add_test(t, one_emulator_serves_what_it_can_and_grows_old);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
