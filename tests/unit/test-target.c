// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Targets: what names and --format mean, what is refused before any work, that the target
 * appears whole or not at all and that its bytes do not depend on threads.  Works in a
 * directory of its own below the current one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/target/target.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"

static struct error err = ERROR_INIT;
static struct target target = TARGET_INIT;
static char *top, *old_cwd;
static int saved_stdout = -1;

static void setup(void)
{
	char name[UNIT_PATH];
	int fd;

	old_cwd = getcwd(NULL, 0);
	unit_dir(name, "target-test");
	top = xstrdup(name);
	ck_assert_int_eq(chdir(top), 0);
	/* not a terminal, and not /dev/null either */
	saved_stdout = dup(1);
	fd = open("stdout", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(dup2(fd, 1), 1);
	close(fd);
}

static void teardown(void)
{
	dup2(saved_stdout, 1);
	close_fd(&saved_stdout);
	target_release(&target);
	ck_assert_int_eq(chdir(old_cwd), 0);
	remove_tree(AT_FDCWD, top, NULL);
	free_ptr(&top);
	free_ptr(&old_cwd);
	err_release(&err);
}

static int parse(const char *name, const char *format, bool directories)
{
	const struct target_request r = { .name = name, .format = format,
					  .directories = directories };

	target_release(&target);
	return target_parse(&target, &r, &err);
}

static const struct {
	const char *name, *format, *form;
} meanings[] = {
	{ "x.tar", NULL, "tar" }, { "x.tar.zst", NULL, "tar.zst" }, { "x.tgz", NULL, "tar.gz" },
	{ "x.taz", NULL, "tar.gz" }, { "x.tz2", NULL, "tar.bz2" }, { "x.taZ", NULL, "tar.Z" },
	{ "dir.d/x.tar.xz", "auto", "tar.xz" }, { "x.cpio.gz", NULL, "cpio.gz" },
	{ "x", NULL, "directory" }, { "x.tar.d", NULL, "directory" }, { "x/", NULL, "directory" },
	{ "debian-12.5", NULL, "directory" }, { "my.roots", NULL, "directory" },
	{ "there.tar", NULL, "directory" }, { "/dev/null", NULL, "null" }, { "-", NULL, "tar" },
	{ "pipe", NULL, "tar" }, { "pipe.cpio", NULL, "cpio" }, { ".tar", NULL, "directory" },
	{ "x", "tar", "tar" }, { "x.img", "tar", "tar" }, { "x.gz", "tar", "tar.gz" },
	{ "x.tar.gz", "cpio", "cpio.gz" }, { "x.gz", "tar.xz", "tar.xz" }, { "-", "tar.zst", "tar.zst" },
	{ "-", "cpio", "cpio" }, { "x.tar.gz", "dir", "directory" }, { "x", "tgz", "tar.gz" },
	{ "x", "null", "null" }, { "x.squashfs", NULL, "squashfs" }, { "x", "ext4", "ext4" },
	{ "x.img", NULL, "ext4" }, { "x.btrfs", NULL, "btrfs" }, { "x.xfs", NULL, "xfs" },
	{ "x.erofs", NULL, "erofs" }, { "x.oci.tar", NULL, "oci-archive" },
	{ "x.docker.tar", NULL, "docker-archive" }, { "x.oci", NULL, "oci" }, { "-", "ext4", "ext4" },
};

START_TEST(names_and_formats_mean)
{
	cleanup_free char *form = NULL;

	ck_assert_int_eq(mkdir("there.tar", 0755) | mkdir("dir.d", 0755) | mkfifo("pipe", 0600) |
			 mkfifo("pipe.cpio", 0600), 0);
	ck_ok(parse(meanings[_i].name, meanings[_i].format, true), &err);
	form = target_form(&target);
	ck_assert_str_eq(form, meanings[_i].form);
}
END_TEST

static const struct {
	const char *name, *format, *says;
} refused[] = {
	{ "x.squashfs.gz", NULL, "cannot tell a format" }, { "x", "ext5", "did you mean 'ext" },
	{ "x.ext4.xz", NULL, "cannot tell a format" }, { "-", "oci", "standard output" },
	{ "x.tar.lzo", NULL, "lzop" }, { "x.tar.gzz", NULL, "did you mean '.tar.gz'?" },
	{ "x.tra.gz", NULL, "did you mean '.tar.gz'?" }, { "x.tgx", NULL, "did you mean '.tgz'?" },
	{ "x.tar.br", NULL, "there are .tar, .cpio, .initramfs (each also with .gz" },
	{ "x", "tra", "did you mean 'tar'?" }, { "x", "minix", "there are auto, directory, oci-archive" },
	{ "-", "directory", "standard output" }, { "/", "directory", "root directory" },
	{ "", NULL, "empty" },
};

START_TEST(what_there_is_not_is_a_usage_error)
{
	ck_fails(parse(refused[_i].name, refused[_i].format, true), EINVAL, refused[_i].says, &err);
	ck_fails(parse("x", NULL, false), EINVAL, "cannot tell a format", &err);
	ck_assert_int_eq(parse(refused[_i].name, refused[_i].format, true), -EINVAL);
	ck_assert_int_eq(err.kind, ERR_USAGE);
}
END_TEST

START_TEST(what_is_in_the_way_is_told_at_once)
{
	ck_assert_int_eq(mkdir("full", 0755) | mkdir("full/x", 0755) | mkdir("closed", 0555), 0);
	ck_ok(file_replace(AT_FDCWD, "file", "x", 1, 0644, &err), &err);
	ck_fails(parse("full", NULL, true), ENOTEMPTY, "'full' exists and is not empty", &err);
	ck_fails(parse("full", "tar", true), EISDIR, "it is a directory", &err);
	ck_fails(parse("file", "directory", true), ENOTDIR, "a file is there", &err);
	ck_fails(parse("gone/x.tar", NULL, true), ENOENT, "its directory 'gone'", &err);
	ck_fails(parse("file/x.tar", NULL, true), ENOTDIR, "'file/x.tar'", &err);
	if (geteuid() != 0) {
		ck_fails(parse("closed/x.tar", NULL, true), EACCES, "'closed'", &err);
		ck_fails(parse("closed/x", NULL, true), EACCES, "'closed'", &err);
	}
	ck_ok(parse("x.tar", NULL, true), &err);
	ck_fails(target_room(&target, 1ull << 60, &err), ENOSPC, "not enough room for 'x.tar'", &err);
	ck_ok(target_room(&target, 1, &err), &err);
}
END_TEST

static void make_share(const char *path, size_t bytes)
{
	cleanup_share struct share s = SHARE_INIT;
	cleanup_share_tree struct share_tree *t = NULL;
	struct share_attr a = { .mode = S_IFREG | 0640, .uid = 5, .gid = 6,
				.mtime = { .tv_sec = 1000 } };
	cleanup_free unsigned char *data = xmalloc(bytes + 1);

	/* neither all the same nor all different */
	for (size_t i = 0; i < bytes; i++)
		data[i] = (unsigned char)((i * 2654435761u >> 13) ^ (i >> 9));
	ck_ok(share_create(&s, path, &err), &err);
	t = share_tree_new(s.fd, SHARE_PARENTS);
	ck_ok(share_file(t, "etc/file", &a, data, bytes, &err), &err);
	ck_ok(share_tree_finish(t, &err), &err);
}

static void write_target(const char *share)
{
	cleanup_share struct share s = SHARE_INIT;

	ck_ok(share_open(&s, share, SHARE_READ, &err), &err);
	ck_ok(target_begin(&target, &err), &err);
	ck_ok(target_write(&target, &s, NULL, NULL, &err), &err);
}

START_TEST(files_are_replaced_whole_or_not_at_all)
{
	struct stat st;

	make_share("share", 1000);
	ck_ok(file_replace(AT_FDCWD, "x.tar", "old", 3, 0600, &err), &err);
	ck_ok(parse("x.tar", NULL, true), &err);
	write_target("share");
	target_abort(&target);
	ck_assert_int_eq(stat("x.tar", &st) | (st.st_size != 3), 0);
	write_target("share");
	ck_assert_int_eq(stat("x.tar", &st) | (st.st_size != 3), 0);
	ck_ok(target_commit(&target, &err), &err);
	ck_assert_int_eq(stat("x.tar", &st) | (st.st_size < 1000), 0);
}
END_TEST

START_TEST(a_directory_may_hold_lost_and_found)
{
	struct stat st;

	make_share("share", 10);
	ck_assert_int_eq(mkdir("out", 0755) | mkdir("out/lost+found", 0700), 0);
	ck_ok(parse("out", NULL, true), &err);
	write_target("share");
	ck_assert_int_eq(stat("out/etc", &st), -1);
	ck_ok(target_commit(&target, &err), &err);
	ck_assert_int_eq(stat("out/lost+found", &st) | stat("out/etc/file", &st), 0);
	ck_assert(share_is_share(AT_FDCWD, "out"));

	cleanup_close int fd = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv names = STRV_INIT;

	ck_ok(dir_names(fd, &names, &err), &err);
	ck_assert_uint_eq(names.n, 2);
	ck_assert_int_eq(mkdir("out2", 0755) | mkdir("out2/lost+found", 0700) |
			 mkdir("out2/lost+found/x", 0700), 0);
	ck_fails(parse("out2", NULL, true), ENOTEMPTY, "'out2'", &err);
}
END_TEST

START_TEST(threads_do_not_change_the_bytes)
{
	static const char *const names[] = { "x.tar.xz", "x.tar.zst", "x.tar.gz" };
	char first[SHA256_HEX + 1] = "", hex[SHA256_HEX + 1];

	/* several blocks of zstd; those of xz are 24 MB */
	make_share("share", _i ? 20 << 20 : 30 << 20);
	for (unsigned int n = 1; n <= 5; n++) {
		struct target_request r = { .name = names[_i], .threads = n, .level = "1" };
		cleanup_close int fd = -1;

		target_release(&target);
		ck_ok(target_parse(&target, &r, &err), &err);
		write_target("share");
		ck_ok(target_commit(&target, &err), &err);
		fd = open(names[_i], O_RDONLY | O_CLOEXEC);
		ck_assert_int_eq(hash_fd(fd, hex), 0);
		if (n == 1)
			memcpy(first, hex, sizeof(first));
		ck_assert_str_eq(hex, first);
	}
}
END_TEST

START_TEST(levels_are_checked)
{
	struct target_request r = { .name = "x.tar.gz", .level = "10" };

	ck_fails(target_parse(&target, &r, &err), EINVAL, "from 0 to 9", &err);
	target_release(&target);
	r.name = "x.tar";
	ck_fails(target_parse(&target, &r, &err), EINVAL, "not compressed", &err);
	target_release(&target);
	r = (struct target_request){ .name = "x.tar.zst", .level = "19" };
	ck_ok(target_parse(&target, &r, &err), &err);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("target");
	TCase *t = tcase_create("target");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, names_and_formats_mean, 0, ARRAY_SIZE(meanings));
	tcase_add_loop_test(t, what_there_is_not_is_a_usage_error, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, what_is_in_the_way_is_told_at_once);
	tcase_add_test(t, files_are_replaced_whole_or_not_at_all);
	tcase_add_test(t, a_directory_may_hold_lost_and_found);
	tcase_add_loop_test(t, threads_do_not_change_the_bytes, 0, 3);
	tcase_add_test(t, levels_are_checked);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
