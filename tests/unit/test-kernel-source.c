// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel sources: archives in archives, what must not leave the tree, copies of trees. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-config/exclude.h"
#include "kernel-config/needs.h"
#include "kernel-config/source.h"
#include "kernel-config/tree.h"
#include "tests/support/kernel-top.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

/* ---- sources ---- */

struct entry {
	const char *path, *content;	/* content NULL: a folder; "->x": a link */
	mode_t mode;
};

/* Writes @entries as an archive of @format into memory. */
static int pack(const char *filter, bool ar, const struct entry *entries, size_t n,
		const void *blob, size_t blob_len)
{
	cleanup_free char *path = xasprintf("%s/pack-XXXXXX", top);
	int fd = mkstemp(path);
	struct archive *a = archive_write_new();

	ck_assert_int_ge(fd, 0);
	unlink(path);
	if (ar)
		archive_write_set_format_ar_svr4(a);
	else
		archive_write_set_format_ustar(a);
	if (!str_eq(filter, "none"))
		ck_assert_int_eq(archive_write_add_filter_by_name(a, filter), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_open_fd(a, fd), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *entry = archive_entry_new();
		const char *content = entries[i].content;
		bool link = content && str_starts(content, "->");
		const void *data = content && !*content ? blob : content;
		size_t len = content && !*content ? blob_len : content ? strlen(content) : 0;

		archive_entry_set_pathname(entry, entries[i].path);
		archive_entry_set_mode(entry, (content ? link ? S_IFLNK : S_IFREG : S_IFDIR) |
				       entries[i].mode);
		if (link)
			archive_entry_set_symlink(entry, content + 2);
		archive_entry_set_size(entry, link || !content ? 0 : (la_int64_t)len);
		ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
		if (content && !link)
			ck_assert_int_eq(archive_write_data(a, data, len), (int)len);
		archive_entry_free(entry);
	}
	archive_write_free(a);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static const struct entry linux_entries[] = {
	{ "linux-source-7.3/", NULL, 0755 },
	{ "linux-source-7.3/Makefile", "VERSION = 7\nPATCHLEVEL = 3\n", 0644 },
	{ "linux-source-7.3/scripts/run.sh", "#!/bin/sh\n", 0775 },
	{ "linux-source-7.3/drivers/gpu/x.c", "no", 0644 },
	{ "linux-source-7.3/fs/a/b/c.c", "deep", 0644 },
	{ "linux-source-7.3/fs/link", "->a/b/c.c", 0777 },
};

static int unpack_into(const char *name, int fd, struct error *e)
{
	cleanup_free char *dir = path_join(top, name);
	cleanup_exclude struct exclude x = EXCLUDE_INIT;
	cleanup_tree struct tree t = TREE_INIT;
	cleanup_close int at = -1;

	ck_assert_int_eq(exclude_parse(&x, "- drivers\n", "x", NULL), 0);
	ck_assert_int_eq(make_dirs(AT_FDCWD, dir, 0700, NULL), 0);
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.fd = at;
	t.exclude = &x;
	return tree_unpack(&t, fd, name, e);
}

static void check_tree(const char *name)
{
	cleanup_free char *dir = path_join(top, name);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_close int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	ck_assert_int_eq(file_read(at, "fs/a/b/c.c", 100, &text, NULL), 0);
	ck_assert_str_eq(sb_str(&text), "deep");
	ck_assert_int_eq(fstatat(at, "scripts/run.sh", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0755);
	ck_assert_int_eq(fstatat(at, "fs/link", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(faccessat(at, "drivers", F_OK, 0), -1);
}

START_TEST(unpack_tarball_and_package)
{
	struct error e = ERROR_INIT;
	cleanup_close int tar = pack("xz", false, linux_entries, ARRAY_SIZE(linux_entries), NULL, 0);
	struct strbuf blob = STRBUF_INIT, data = STRBUF_INIT;

	ck_ok(unpack_into("tar", tar, &e), &e);
	check_tree("tar");

	/* the same in a data.tar.xz in a .deb */
	lseek(tar, 0, SEEK_SET);
	ck_assert_int_eq(fd_read_all(tar, 1 << 20, &blob), 0);

	const struct entry inner[] = {
		{ "./usr/share/doc/x", "y", 0644 }, { "./usr/src/linux-source-7.3.tar.xz", "", 0644 },
	};
	cleanup_close int data_fd = pack("xz", false, inner, 2, blob.s, blob.len);

	ck_assert_int_eq(fd_read_all(data_fd, 1 << 20, &data), 0);

	const struct entry members[] = {
		{ "debian-binary", "2.0\n", 0644 }, { "control.tar.xz", "junk", 0644 },
		{ "data.tar.xz", "", 0644 },
	};
	cleanup_close int deb = pack("none", true, members, 3, data.s, data.len);
	cleanup_close int bare = pack("none", true, members, 2, NULL, 0);
	cleanup_close int wrong = pack("none", true, members, 3, blob.s, blob.len);

	ck_ok(unpack_into("deb", deb, &e), &e);
	check_tree("deb");
	ck_fails(unpack_into("bare", bare, &e), EBADMSG, "not a linux-source package", &e);
	ck_fails(unpack_into("wrong", wrong, &e), EBADMSG, "not a linux-source package", &e);

	/* cut short, it says so */
	ck_assert_int_eq(ftruncate(deb, (off_t)data.len / 2), 0);
	lseek(deb, 0, SEEK_SET);
	ck_assert_int_lt(unpack_into("cut", deb, &e), 0);
	ck_assert_ptr_nonnull(strstr(err_text(&e), "cannot unpack 'cut'"));
	err_release(&e);
	sb_release(&blob);
	sb_release(&data);
}
END_TEST

START_TEST(nothing_leaves_the_tree)
{
	static const struct entry evil[][2] = {
		{ { "l/../../escape", "x", 0644 }, { "l/a", "x", 0644 } },
		{ { "l/link", "->..", 0777 }, { "l/link/escape", "x", 0644 } },
		{ { "l//etc/escape", "x", 0644 }, { "l/a", "x", 0644 } },
		{ { "l/f", "->../escape", 0777 }, { "l/f", "x", 0644 } },
	};
	cleanup_free char *escape = path_join(top, "escape");
	cleanup_free char *dir = xasprintf("evil%d", _i);
	cleanup_close int fd = pack("none", false, evil[_i], 2, NULL, 0);
	struct error e = ERROR_INIT;

	ck_assert_int_lt(unpack_into(dir, fd, &e), 0);
	ck_assert_int_eq(access(escape, F_OK), -1);
	err_release(&e);
}
END_TEST

START_TEST(copying_leaves_the_build_behind)
{
	static const char *const files[] = {
		"src/Makefile", "src/fs/open.c", "src/fs/open.o", "src/fs/.open.o.cmd", "src/.config",
		"src/include/generated/x.h", "src/include/linux/x.h", "src/drivers/gpu/x.c",
	};
	cleanup_free char *src = path_join(top, "src"), *dst = path_join(top, "dst"), *id = NULL;
	cleanup_free char *again = NULL, *changed = NULL;
	cleanup_exclude struct exclude x = EXCLUDE_INIT;
	cleanup_tree struct tree t = TREE_INIT;
	cleanup_close int top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), at = -1;
	struct error e = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *parent = xstrdup(files[i]);

		*strrchr(parent, '/') = '\0';
		ck_ok(make_dirs(top_fd, parent, 0755, &e), &e);
		ck_ok(file_replace(top_fd, files[i], "text", 4, 0644, &e), &e);
	}
	ck_ok(make_dirs(top_fd, "dst", 0755, &e), &e);
	ck_ok(exclude_parse(&x, "- drivers\n", "x", &e), &e);
	at = open(dst, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.fd = at;
	t.exclude = &x;
	ck_ok(tree_copy(&t, src, &e), &e);
	ck_assert_uint_eq(t.files, 3);
	ck_assert_int_eq(faccessat(at, "fs/open.c", F_OK, 0), 0);
	ck_assert_int_eq(faccessat(at, "include/linux/x.h", F_OK, 0), 0);

	/* the identity follows what would be copied, and nothing else */
	ck_ok(tree_identity(&x, src, &id, &e), &e);
	ck_ok(file_replace(top_fd, "src/fs/open.o", "other", 5, 0644, &e), &e);
	ck_ok(file_replace(top_fd, "src/drivers/gpu/x.c", "other", 5, 0644, &e), &e);
	ck_ok(tree_identity(&x, src, &again, &e), &e);
	ck_assert_str_eq(id, again);
	ck_ok(file_replace(top_fd, "src/fs/open.c", "other", 5, 0644, &e), &e);
	ck_ok(tree_identity(&x, src, &changed, &e), &e);
	ck_assert_str_ne(id, changed);
}
END_TEST

/* ---- what is wanted and not there ---- */

START_TEST(left_out_files_are_missed)
{
	static const struct {
		const char *path, *text;
	} files[] = {
		{ "lk/drivers/Makefile", "obj-y += gpu/\nobj-$(CONFIG_NET)\t+= net/ \\\n\tusb/\n"
		  "obj-$(CONFIG_OFF) += off/\n" },
		{ "lk/drivers/gpu/Makefile", "obj-$(CONFIG_A) += a.o\nobj-$(CONFIG_B)\t:= kept/x.o\n"
		  "# obj-$(CONFIG_NET) += none.o\nobj-y += y.o\n" },
		{ "lk/drivers/net/Makefile", "ifdef CONFIG_A\nobj-$(CONFIG_C) += c.o # text\nelse\n"
		  "obj-$(CONFIG_NET) += never.o\nendif\nifneq ($(X),y)\nobj-$(CONFIG_NET) += n.o\n"
		  "endif\nobj-$(CONFIG_NET) += $(dynamic).o\n" },
		{ "lk/drivers/usb/Makefile", "obj-$(CONFIG_D) += d.o\nd-y := core.o\n" },
		{ "lk/drivers/off/Makefile", "obj-$(CONFIG_NET) += never.o\n" },
		{ "lk/fs/Makefile", "obj-$(CONFIG_NET) += open.o\n" },
	};
	static const char none[] = "CONFIG_NET=y\n# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_C=y\n";
	static const char all[] = "CONFIG_NET=y\nCONFIG_A=y\nCONFIG_C=y\nCONFIG_D=y\n";
	cleanup_free char *path = path_join(top, "lk");
	cleanup_close int top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_exclude struct exclude x = EXCLUDE_INIT;
	struct error e = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *parent = xstrdup(files[i].path);

		*strrchr(parent, '/') = '\0';
		ck_ok(make_dirs(top_fd, parent, 0755, &e), &e);
		ck_ok(file_replace(top_fd, files[i].path, files[i].text, strlen(files[i].text), 0644, &e),
		      &e);
	}
	ck_ok(exclude_parse(&x, "+ drivers/**/Makefile\n+ drivers/gpu/kept\n- drivers\n", "x", &e), &e);
	ck_ok(needs_check(path, &x, none, &e), &e);
	ck_fails(needs_check(path, &x, "CONFIG_A=y\n", &e), EINVAL,
		 "cannot have that: CONFIG_A needs drivers/gpu/a.c, which", &e);
	ck_fails(needs_check(path, &x, all, &e), EINVAL, "cannot have those: CONFIG_", &e);
	ck_fails(needs_check(path, &x, all, &e), EINVAL, "CONFIG_C needs drivers/net/c.c", &e);
	ck_fails(needs_check(path, &x, all, &e), EINVAL, "CONFIG_D needs what is in drivers/usb", &e);
	ck_assert_int_eq(needs_check(path, &x, all, &e), -EINVAL);
	ck_assert_ptr_null(strstr(err_text(&e), "CONFIG_NET"));
	err_release(&e);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel-source");
	TCase *tc = tcase_create("source");

	tcase_add_checked_fixture(tc, make_top, remove_top);
	tcase_add_test(tc, unpack_tarball_and_package);
	tcase_add_loop_test(tc, nothing_leaves_the_tree, 0, 4);
	tcase_add_test(tc, copying_leaves_the_build_behind);
	tcase_add_test(tc, left_out_files_are_missed);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
