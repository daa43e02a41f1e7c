// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What --root may be given, and archives as roots: unpacked once by whoever asks first, found
 * again by their contents.  Also many trees at work on one share.  Works in a directory of
 * its own below the current one, which must have user xattrs; skipped (77) where it has none.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static char *top, *old_cwd;
static struct error err = ERROR_INIT;

#define OK(expr) ck_ok(expr, &err)

static void setup(void)
{
	char name[UNIT_PATH];
	cleanup_free char *cache = NULL, *data = NULL;

	old_cwd = getcwd(NULL, 0);
	unit_dir(name, "roots-test");
	top = xstrdup(name);
	cache = path_join(top, "cache");
	data = path_join(top, "data");
	ck_assert_int_eq(setenv("XDG_CACHE_HOME", cache, 1), 0);
	ck_assert_int_eq(setenv("XDG_DATA_HOME", data, 1), 0);
	ck_assert_int_eq(setenv("XDG_STATE_HOME", data, 1), 0);
	ck_assert_int_eq(chdir(top), 0);
}

static void teardown(void)
{
	ck_assert_int_eq(chdir(old_cwd), 0);
	remove_tree(AT_FDCWD, top, NULL);
	free_ptr(&top);
	free_ptr(&old_cwd);
	err_release(&err);
}

/* A tar with the one file "etc/hostname". */
static void make_tar(const char *path, const char *text)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	archive_write_set_format_ustar(a);
	ck_assert_int_eq(archive_write_open_filename(a, path), ARCHIVE_OK);
	archive_entry_set_pathname(entry, "etc/hostname");
	archive_entry_set_mode(entry, S_IFREG | 0644);
	archive_entry_set_size(entry, (la_int64_t)strlen(text));
	ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_data(a, text, strlen(text)), (la_ssize_t)strlen(text));
	archive_entry_free(entry);
	ck_assert_int_eq(archive_write_free(a), ARCHIVE_OK);
}

static void check_hostname(const struct root_spec *r, const char *want)
{
	cleanup_free char *path = path_join(r->path, "etc/hostname");
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	OK(file_read(AT_FDCWD, path, 100, &text, &err));
	ck_assert_str_eq(sb_str(&text), want);
}

static ino_t inode(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_ino;
}

START_TEST(root_names_are_names)
{
	static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "-x", "a b", "a\n" };

	ck_ok(root_check_name("debian-13_x.y", &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_fails(root_check_name(bad[i], &err), EINVAL, "bad name", &err);
}
END_TEST

START_TEST(images_are_told_apart)
{
	static const unsigned char ext4[] = { 0x53, 0xef }, mbr[] = { 0x55, 0xaa };
	char head[2048] = "";
	const char *fstype;
	cleanup_close int fd = -1;

	memcpy(head + 1024 + 56, ext4, sizeof(ext4));
	fd = memfd_with("ext4", head, sizeof(head), &err);
	ck_ok(root_sniff_image(fd, "x", &fstype, &err), &err);
	ck_assert_str_eq(fstype, "ext4");
	close_fd(&fd);
	memset(head, 0, sizeof(head));
	memcpy(head + 510, mbr, sizeof(mbr));
	fd = memfd_with("mbr", head, sizeof(head), &err);
	ck_fails(root_sniff_image(fd, "x", &fstype, &err), ENOMEDIUM, "partitions", &err);
	close_fd(&fd);
	fd = memfd_with("none", "x", 1, &err);
	ck_ok(root_sniff_image(fd, "x", &fstype, &err), &err);
	ck_assert_ptr_null(fstype);
}
END_TEST

START_TEST(archives_are_unpacked_once)
{
	cleanup_root_spec struct root_spec a = ROOT_SPEC_INIT, b = ROOT_SPEC_INIT,
					   c = ROOT_SPEC_INIT, d = ROOT_SPEC_INIT;

	make_tar("one.tar", "one");
	make_tar("same.tar", "one");
	make_tar("two.tar", "two");
	OK(root_resolve(&a, "./one.tar", NULL, &err));
	ck_assert_int_eq(a.kind, ROOT_SHARE);
	ck_assert(a.cached && !a.name);
	check_hostname(&a, "one");

	ino_t made = inode(a.path);

	OK(root_resolve(&b, "one.tar", NULL, &err));
	ck_assert_str_eq(a.path, b.path);
	OK(root_resolve(&c, "same.tar", NULL, &err));
	ck_assert_str_eq(a.path, c.path);
	ck_assert_uint_eq(inode(a.path), made);
	OK(root_resolve(&d, "two.tar", NULL, &err));
	ck_assert_str_ne(a.path, d.path);
	check_hostname(&d, "two");
	check_hostname(&a, "one");
}
END_TEST

START_TEST(changed_archives_are_unpacked_anew)
{
	cleanup_root_spec struct root_spec a = ROOT_SPEC_INIT, b = ROOT_SPEC_INIT;

	make_tar("root.tar", "old");
	OK(root_resolve(&a, "root.tar", NULL, &err));
	/* as long, and within the same tick */
	make_tar("root.tar", "new");
	OK(root_resolve(&b, "root.tar", NULL, &err));
	ck_assert_str_ne(a.path, b.path);
	check_hostname(&b, "new");
}
END_TEST

START_TEST(many_ask_at_once)
{
	enum { ASKERS = 6 };
	cleanup_root_spec struct root_spec r = ROOT_SPEC_INIT;
	pid_t pids[ASKERS];

	make_tar("root.tar", "root");
	for (int i = 0; i < ASKERS; i++) {
		pids[i] = fork();
		ck_assert_int_ge(pids[i], 0);
		if (pids[i] == 0)
			_exit(root_resolve(&r, "root.tar", NULL, &err) < 0);
	}
	for (int i = 0; i < ASKERS; i++) {
		int status = -1;

		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	OK(root_resolve(&r, "root.tar", NULL, &err));
	check_hostname(&r, "root");
}
END_TEST

START_TEST(damaged_archives_leave_nothing)
{
	cleanup_root_spec struct root_spec r = ROOT_SPEC_INIT;

	make_tar("root.tar", "root");
	ck_assert_int_eq(truncate("root.tar", 514), 0);
	ck_fails(root_resolve(&r, "root.tar", NULL, &err), EBADMSG, "root.tar", &err);
	ck_assert_int_ne(system("ls -A cache/umlcage/roots | grep -v -e lock$ -e ^stat"), 0);
}
END_TEST

static void put(const char *path, off_t at, const char *bytes, size_t len)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 100000), 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(fd);
}

START_TEST(images_are_told)
{
	cleanup_root_spec struct root_spec ext4 = ROOT_SPEC_INIT, squash = ROOT_SPEC_INIT,
					   disk = ROOT_SPEC_INIT;

	put("ext4.img", 1024 + 56, "\x53\xef", 2);
	put("squash.img", 0, "hsqs", 4);
	put("disk.img", 510, "\x55\xaa", 2);
	OK(root_resolve(&ext4, "ext4.img", NULL, &err));
	ck_assert_int_eq(ext4.kind, ROOT_IMAGE);
	ck_assert_str_eq(ext4.fstype, "ext4");
	OK(root_resolve(&squash, "./squash.img", NULL, &err));
	ck_assert_str_eq(squash.fstype, "squashfs");
	ck_fails(root_resolve(&disk, "disk.img", NULL, &err), ENOMEDIUM, "partitions", &err);
}
END_TEST

START_TEST(names_come_first)
{
	cleanup_root_spec struct root_spec kept = ROOT_SPEC_INIT, path = ROOT_SPEC_INIT;
	struct share_import_opts opts = { .progress = NULL };
	cleanup_share struct share s = SHARE_INIT;

	make_tar("root.tar", "root");
	OK(root_import("mine", "root.tar", &opts, NULL, NULL, &err));
	OK(share_create(&s, "mine", &err));
	OK(root_resolve(&kept, "mine", NULL, &err));
	ck_assert_str_eq(kept.name, "mine");
	ck_assert(!kept.cached);
	check_hostname(&kept, "root");
	OK(root_resolve(&path, "./mine", NULL, &err));
	ck_assert_ptr_null(path.name);
	ck_assert_str_eq(path.path, "./mine");
}
END_TEST

START_TEST(what_is_no_root)
{
	struct root_spec r = ROOT_SPEC_INIT;

	ck_fails(root_resolve(&r, "nothing", NULL, &err), ENOENT, "no root 'nothing'", &err);
	ck_fails(root_resolve(&r, "./nothing", NULL, &err), ENOENT, "'./nothing'", &err);
	ck_assert_int_eq(mkdir("folder", 0700), 0);
	ck_fails(root_resolve(&r, "./folder", NULL, &err), EINVAL, "it is not a share", &err);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_fails(root_resolve(&r, "./fifo", NULL, &err), EINVAL, "neither", &err);
}
END_TEST

/* ---- kept changes know their root ---- */

/* What binding the changes @name to the root @root gives; they are made if they are not there. */
static int bind(const char *name, const char *root)
{
	cleanup_share struct share layer = SHARE_INIT, base = SHARE_INIT;
	cleanup_free char *where = NULL;
	cleanup_root_spec struct root_spec spec = ROOT_SPEC_INIT;

	OK(root_path(STORE_CHANGES, name, &where, &err));
	if (access(where, F_OK) < 0)
		OK(share_create(&layer, where, &err));
	else
		OK(share_open(&layer, where, SHARE_WRITE, &err));
	OK(root_resolve(&spec, root, NULL, &err));
	OK(share_open(&base, spec.path, SHARE_READ, &err));
	return changes_bind(&layer, name, &base, &err);
}

static void import(const char *name, const char *text)
{
	struct share_import_opts opts = { .progress = NULL };

	make_tar("import.tar", text);
	OK(root_import(name, "import.tar", &opts, NULL, NULL, &err));
}

static void write_to(const char *root)
{
	cleanup_share struct share s = SHARE_INIT;
	cleanup_free char *path = NULL;

	OK(root_path(STORE_ROOTS, root, &path, &err));
	OK(share_open(&s, path, SHARE_WRITE, &err));
	OK(share_mark_dirty(&s, &err));
	OK(share_mark_clean(&s, &err));
}

START_TEST(changes_are_of_one_root)
{
	import("one", "1");
	import("two", "2");
	OK(bind("a", "one"));
	OK(bind("a", "one"));
	ck_fails(bind("a", "two"), EINVAL, "not of", &err);
	/* a root of that name that is another one */
	OK(root_remove(STORE_ROOTS, "one", true, &err));
	import("one", "other");
	ck_fails(bind("a", "one"), ESTALE, "do not fit the root", &err);
	/* the same one again */
	OK(root_remove(STORE_ROOTS, "one", true, &err));
	import("one", "1");
	OK(bind("a", "one"));
	write_to("one");
	ck_fails(bind("a", "one"), ESTALE, "remove --changes a", &err);
}
END_TEST

START_TEST(changes_hold_their_root)
{
	import("one", "1");
	OK(bind("a", "one"));
	OK(bind("b", "one"));
	ck_fails(root_remove(STORE_ROOTS, "one", false, &err), EBUSY, "'a', 'b'", &err);
	OK(root_rename(STORE_ROOTS, "one", "two", &err));
	OK(bind("a", "two"));
	ck_fails(root_remove(STORE_ROOTS, "two", false, &err), EBUSY, "remove --changes a b", &err);
	OK(root_remove(STORE_CHANGES, "a", false, &err));
	OK(root_remove(STORE_CHANGES, "b", false, &err));
	OK(root_remove(STORE_ROOTS, "two", false, &err));
}
END_TEST

START_TEST(changed_copies_in_the_cache_are_made_anew)
{
	cleanup_root_spec struct root_spec a = ROOT_SPEC_INIT, b = ROOT_SPEC_INIT,
					   c = ROOT_SPEC_INIT, d = ROOT_SPEC_INIT;
	cleanup_free char *file = NULL;
	struct stat st;
	int fd;

	make_tar("root.tar", "root");
	OK(root_resolve(&a, "root.tar", NULL, &err));
	OK(bind("k", "./root.tar"));
	file = path_join(a.path, "etc/hostname");
	ck_assert_int_eq(stat(file, &st), 0);
	/* another byte, with the times as they were */
	fd = open(file, O_WRONLY);
	ck_assert_int_eq((int)pwrite(fd, "b", 1, 0), 1);
	ck_assert_int_eq(futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim }), 0);
	close(fd);
	OK(root_resolve(&b, "root.tar", NULL, &err));
	check_hostname(&b, "root");
	ck_assert_int_eq(unlink(file), 0);
	OK(root_resolve(&c, "root.tar", NULL, &err));
	check_hostname(&c, "root");
	/* which is the same root for the changes kept of it */
	OK(bind("k", "./root.tar"));
	/* untouched ones stay, also where their inodes have been touched */
	fd = open(file, O_RDONLY);
	ck_assert_int_eq(fchmod(fd, 0600) | fchmod(fd, 0644), 0);
	close(fd);
	ino_t ino = inode(c.path);

	OK(root_resolve(&d, "root.tar", NULL, &err));
	ck_assert_uint_eq(inode(d.path), ino);
}
END_TEST

static void make_tar_with(const char *path, const char *const *names)
{
	struct archive *a = archive_write_new();

	archive_write_set_format_ustar(a);
	ck_assert_int_eq(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (; *names; names++) {
		struct archive_entry *entry = archive_entry_new();
		bool dir = str_ends(*names, "/");

		archive_entry_set_pathname(entry, *names);
		archive_entry_set_mode(entry, dir ? S_IFDIR | 0751 : S_IFREG | 0644);
		archive_entry_set_size(entry, 0);
		archive_entry_set_uid(entry, 7);
		ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
		archive_entry_free(entry);
	}
	ck_assert_int_eq(archive_write_free(a), ARCHIVE_OK);
}

START_TEST(a_folder_around_the_root_is_taken_off)
{
	static const char *const wrapped[] = { "rootfs/", "rootfs/etc/", "rootfs/etc/x",
					       "rootfs/usr/", NULL };
	static const char *const plain[] = { "only/", "only/x", NULL };
	struct share_import_opts opts = { .progress = NULL };
	cleanup_free char *path = NULL, *inside = NULL;
	cleanup_share struct share s = SHARE_INIT;
	struct share_attr a;

	make_tar_with("wrapped.tar", wrapped);
	make_tar_with("plain.tar", plain);
	OK(root_import("w", "wrapped.tar", &opts, NULL, NULL, &err));
	OK(root_import("p", "plain.tar", &opts, NULL, NULL, &err));
	OK(root_path(STORE_ROOTS, "w", &path, &err));
	inside = path_join(path, "etc/x");
	ck_assert_int_eq(access(inside, F_OK), 0);
	OK(share_open(&s, path, SHARE_READ, &err));
	OK(share_fstat(s.fd, ".", &a, &err));
	ck_assert_uint_eq(a.uid, 7);
	ck_assert_uint_eq(a.mode & 07777, 0751);
	free_ptr(&path);
	free_ptr(&inside);
	OK(root_path(STORE_ROOTS, "p", &path, &err));
	inside = path_join(path, "only/x");
	ck_assert_int_eq(access(inside, F_OK), 0);
}
END_TEST

START_TEST(shares_are_imported_and_leftovers_go)
{
	struct share_import_opts opts = { .progress = NULL };
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *path = NULL, *roots = NULL, *left = NULL;

	import("one", "1");
	OK(root_path(STORE_ROOTS, "one", &path, &err));
	OK(root_import("two", path, &opts, NULL, NULL, &err));
	ck_assert_int_eq(mkdir("folder", 0700), 0);
	ck_fails(root_import("three", "folder", &opts, NULL, NULL, &err), EINVAL, "not a share", &err);
	/* a killed run's */
	roots = path_join(top, "data/umlcage/roots");
	left = path_join(roots, ".gone.0123abcd.part");
	cleanup_share struct share s = SHARE_INIT;

	OK(share_create(&s, left, &err));
	OK(root_names(STORE_ROOTS, &names, &err));
	ck_assert_int_eq(access(left, F_OK), 0);
	share_close(&s);
	strv_release(&names);
	OK(root_names(STORE_ROOTS, &names, &err));
	ck_assert_int_eq(access(left, F_OK), -1);
	ck_assert_uint_eq(names.n, 2);
}
END_TEST

/* ---- trees of several threads ---- */

enum { WORKERS = 8, ROUNDS = 60, DEPTH = 5 };

static struct share shared;
static pthread_barrier_t barrier;

static void *work(void *arg)
{
	struct share_attr a = { .mode = S_IFREG | 0644, .mtime = { 1, 0 } };
	struct share_tree *tree = share_tree_new(shared.fd, SHARE_PARENTS);
	struct error *e = xcalloc(1, sizeof(*e));
	int ret = 0;

	for (int round = 0; round < ROUNDS; round++) {
		cleanup_free char *path = xasprintf("%d/a/b/c/d/%d", round, (int)(intptr_t)arg);

		/* all of them miss the same parents at the same moment */
		pthread_barrier_wait(&barrier);
		if (ret == 0)
			ret = share_file(tree, path, &a, "x", 1, e);
	}
	share_tree_free(&tree);
	if (ret == 0)
		free_ptr(&e);
	return e;
}

START_TEST(threads_make_the_same_parents)
{
	pthread_t threads[WORKERS];

	OK(share_create(&shared, "shared", &err));
	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, WORKERS), 0);
	for (intptr_t i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < WORKERS; i++) {
		void *e = NULL;

		ck_assert_int_eq(pthread_join(threads[i], &e), 0);
		ck_assert_msg(!e, "thread %d: %s", i, e ? err_text(e) : "");
	}
	for (int i = 0; i < ROUNDS * WORKERS; i++) {
		cleanup_free char *path = xasprintf("shared/%d/a/b/c/d/%d", i / WORKERS, i % WORKERS);

		ck_assert_msg(access(path, F_OK) == 0, "'%s' is missing", path);
	}
	share_close(&shared);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("share-roots");
	TCase *roots = tcase_create("roots"), *threads = tcase_create("threads");
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 || fsetxattr(fd, "user.probe", "", 0, 0) < 0) {
		fprintf(stderr, "skipped: the current directory has no user xattrs\n");
		return 77;
	}
	close(fd);
	tcase_add_checked_fixture(roots, setup, teardown);
	tcase_add_test(roots, archives_are_unpacked_once);
	tcase_add_test(roots, changed_archives_are_unpacked_anew);
	tcase_add_test(roots, many_ask_at_once);
	tcase_add_test(roots, damaged_archives_leave_nothing);
	tcase_add_test(roots, images_are_told);
	tcase_add_test(roots, names_come_first);
	tcase_add_test(roots, what_is_no_root);
	tcase_add_test(roots, changes_are_of_one_root);
	tcase_add_test(roots, changes_hold_their_root);
	tcase_add_test(roots, changed_copies_in_the_cache_are_made_anew);
	tcase_add_test(roots, a_folder_around_the_root_is_taken_off);
	tcase_add_test(roots, shares_are_imported_and_leftovers_go);
	tcase_add_checked_fixture(threads, setup, teardown);
	tcase_add_test(threads, threads_make_the_same_parents);
	tcase_add_test(roots, root_names_are_names);
	tcase_add_test(roots, images_are_told_apart);
	suite_add_tcase(s, roots);
	suite_add_tcase(s, threads);
	return unit_run(s);
}
