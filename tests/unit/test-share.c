// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A share's entries, made and changed from the host: what the guest would see, what is on
 * the host under it, and that no path leads out.  Works in a directory of its own below
 * the current one, which must have user xattrs; skipped (77) where it has none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static char top[UNIT_PATH];
static struct share share;
static struct share_tree *tree;
static struct error err = ERROR_INIT;

#define OK(expr) ck_ok(expr, &err)
#define FAILS(expr, errnum) ck_fails(expr, errnum, "'", &err)

static struct share_attr attr(uint32_t mode, uint32_t uid, uint32_t gid)
{
	return (struct share_attr){ .mode = mode, .uid = uid, .gid = gid,
				    .mtime = { 1000000000, 5 } };
}

static void setup_flags(unsigned int flags)
{
	unit_dir(top, "share-test");

	cleanup_free char *path = path_join(top, "s");

	OK(share_create(&share, path, &err));
	tree = share_tree_new(share.fd, flags);
}

static void setup(void)
{
	setup_flags(0);
}

static void setup_replacing(void)
{
	setup_flags(SHARE_PARENTS | SHARE_REPLACE);
}

static void teardown(void)
{
	share_tree_free(&tree);
	share_close(&share);
	remove_tree(AT_FDCWD, top, NULL);
	err_release(&err);
}

/* The recorded text of @path, or "" without one. */
static const char *record(const char *path)
{
	static char text[256];
	char proc[300];
	ssize_t len;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", share.fd, path);
	len = getxattr(proc, "user.containers.override_stat", text, sizeof(text) - 1);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static struct stat host(const char *path)
{
	struct stat st;

	ck_assert_int_eq(fstatat(share.fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void check_attr(const char *path, uint32_t mode, uint32_t uid, uint32_t gid)
{
	struct share_attr a;

	OK(share_stat(tree, path, &a, &err));
	ck_assert_uint_eq(a.mode, mode);
	ck_assert_uint_eq(a.uid, uid);
	ck_assert_uint_eq(a.gid, gid);
}

START_TEST(plain_file_has_no_xattr)
{
	struct share_attr a = attr(S_IFREG | 0644, 0, 0);

	OK(share_file(tree, "f", &a, "hello", 5, &err));
	ck_assert_str_eq(record("f"), "");
	ck_assert_uint_eq(host("f").st_mode, S_IFREG | 0644);
	ck_assert_int_eq(host("f").st_mtim.tv_sec, 1000000000);
	ck_assert_int_eq(host("f").st_mtim.tv_nsec, 5);
	ck_assert_int_eq(host("f").st_size, 5);
	check_attr("f", S_IFREG | 0644, 0, 0);
	FAILS(share_file(tree, "f", &a, "x", 1, &err), EEXIST);
	ck_assert_int_eq(host("f").st_size, 5);
}
END_TEST

START_TEST(umask_does_not_matter)
{
	mode_t old = umask(077);
	struct share_attr file = attr(S_IFREG | 0666, 0, 0), dir = attr(S_IFDIR | 0777, 0, 0);

	share_tree_free(&tree);
	tree = share_tree_new(share.fd, SHARE_PARENTS);
	OK(share_mkdir(tree, "d", &dir, &err));
	OK(share_file(tree, "d/f", &file, "x", 1, &err));
	OK(share_file(tree, "p/q/f", &file, "x", 1, &err));
	umask(old);
	ck_assert_uint_eq(host("d").st_mode, S_IFDIR | 0777);
	ck_assert_uint_eq(host("d/f").st_mode, S_IFREG | 0666);
	ck_assert_uint_eq(host("p").st_mode, S_IFDIR | 0755);
	ck_assert_uint_eq(host("p/q").st_mode, S_IFDIR | 0755);
}
END_TEST

START_TEST(special_modes_and_owners)
{
	struct share_attr a = attr(S_IFREG | 04755, 0, 0);

	OK(share_file(tree, "su", &a, "x", 1, &err));
	ck_assert_str_eq(record("su"), "0:0:4755:file");
	ck_assert_uint_eq(host("su").st_mode, S_IFREG | 0755);

	a = attr(S_IFREG | 0, 1000, 4294967294u);
	OK(share_file(tree, "zero", &a, "x", 1, &err));
	ck_assert_str_eq(record("zero"), "1000:4294967294:0000:file");
	ck_assert_uint_eq(host("zero").st_mode, S_IFREG | 0600);

	a = attr(S_IFDIR | 01777, 0, 0);
	OK(share_mkdir(tree, "tmp", &a, &err));
	ck_assert_str_eq(record("tmp"), "0:0:1777:dir");
	ck_assert_uint_eq(host("tmp").st_mode, S_IFDIR | 0777);
	check_attr("tmp", S_IFDIR | 01777, 0, 0);

	a = attr(S_IFDIR | 0555, 0, 0);
	OK(share_mkdir(tree, "ro", &a, &err));
	ck_assert_uint_eq(host("ro").st_mode, S_IFDIR | 0755);
	check_attr("ro", S_IFDIR | 0555, 0, 0);
	OK(share_file(tree, "ro/f", &a, "x", 1, &err));
	OK(share_tree_finish(tree, &err));
	ck_assert_int_eq(host("ro").st_mtim.tv_sec, 1000000000);
	ck_assert_int_eq(host("tmp").st_mtim.tv_sec, 1000000000);
}
END_TEST

START_TEST(nodes)
{
	struct share_attr a = attr(S_IFCHR | 0620, 0, 5);

	a.major = 5;
	OK(share_node(tree, "console", &a, &err));
	ck_assert_str_eq(record("console"), "0:5:0620:char-5-0");
	ck_assert_uint_eq(host("console").st_mode, S_IFREG | 0600);
	check_attr("console", S_IFCHR | 0620, 0, 5);
	a = attr(S_IFIFO | 0600, 0, 0);
	OK(share_node(tree, "fifo", &a, &err));
	ck_assert_str_eq(record("fifo"), "0:0:0600:pipe");
	a = attr(S_IFREG | 0600, 0, 0);
	FAILS(share_node(tree, "none", &a, &err), EINVAL);
}
END_TEST

START_TEST(symlinks)
{
	struct share_attr root = attr(S_IFLNK | 0777, 0, 0), user = attr(S_IFLNK | 0777, 5, 6);
	char text[32];

	OK(share_symlink(tree, "l", "/etc/passwd", &root, &err));
	ck_assert(S_ISLNK(host("l").st_mode));
	ck_assert_int_eq(host("l").st_mtim.tv_sec, 1000000000);
	check_attr("l", S_IFLNK | 0777, 0, 0);
	OK(share_symlink(tree, "u", "target", &user, &err));
	ck_assert_str_eq(record("u"), "5:6:0777:symlink");
	check_attr("u", S_IFLNK | 0777, 5, 6);
	FAILS(share_symlink(tree, "empty", "", &root, &err), EINVAL);

	/* an owner turns the one kind into the other */
	user.mtime.tv_nsec = UTIME_OMIT;
	OK(share_setattr(tree, "l", &user, &err));
	ck_assert_str_eq(record("l"), "5:6:0777:symlink");
	ck_assert_int_eq(host("l").st_mtim.tv_sec, 1000000000);
	memset(text, 0, sizeof(text));

	cleanup_close int fd = openat(share.fd, "l", O_RDONLY);

	ck_assert_int_eq(read(fd, text, sizeof(text)), 11);
	ck_assert_str_eq(text, "/etc/passwd");
	OK(share_setattr(tree, "l", &root, &err));
	check_attr("l", S_IFLNK | 0777, 0, 0);
}
END_TEST

START_TEST(hard_links)
{
	struct share_attr a = attr(S_IFREG | 0644, 7, 7);

	OK(share_file(tree, "a", &a, "x", 1, &err));
	OK(share_hardlink(tree, "b", "a", &err));
	ck_assert_uint_eq(host("a").st_ino, host("b").st_ino);
	OK(share_hardlink(tree, "b", "a", &err));
	OK(share_file(tree, "other", &a, "x", 1, &err));
	FAILS(share_hardlink(tree, "other", "a", &err), EEXIST);
	FAILS(share_hardlink(tree, "c", "missing", &err), ENOENT);
}
END_TEST

START_TEST(setattr_and_back)
{
	struct share_attr a = attr(S_IFREG | 0644, 0, 0);

	OK(share_file(tree, "f", &a, "x", 1, &err));
	a = attr(02711, 33, 33);
	OK(share_setattr(tree, "f", &a, &err));
	check_attr("f", S_IFREG | 02711, 33, 33);
	ck_assert_uint_eq(host("f").st_mode, S_IFREG | 0711);
	a = attr(0640, 0, 0);
	OK(share_setattr(tree, "f", &a, &err));
	ck_assert_str_eq(record("f"), "");
	check_attr("f", S_IFREG | 0640, 0, 0);
	/* the root of the share keeps its record and its host mode */
	OK(share_setattr(tree, "", &a, &err));
	ck_assert_str_eq(record("."), "0:0:0640:dir");
	ck_assert_uint_eq(host(".").st_mode, S_IFDIR | 0700);
	a = attr(0755, 0, 0);
	OK(share_mkdir(tree, "./", &a, &err));
	ck_assert_str_eq(record("."), "0:0:0755:dir");
	ck_assert_uint_eq(host(".").st_mode, S_IFDIR | 0700);
}
END_TEST

START_TEST(xattrs)
{
	static const unsigned char cap[20] = { 1, 0, 0, 2, 0, 0x20 };
	struct share_xattr x = { (char *)"security.capability", (void *)cap, sizeof(cap) };
	struct share_attr a = attr(S_IFREG | 0755, 0, 0);
	char proc[64], value[64];

	a.xattrs = &x;
	a.nxattrs = 1;
	OK(share_file(tree, "ping", &a, "x", 1, &err));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/ping", share.fd);
	ck_assert_int_eq(getxattr(proc, "user.containers.override_security.capability", value,
				  sizeof(value)), 20);
	ck_assert_mem_eq(value, cap, 20);
	OK(share_setxattr(tree, "ping", "user.note", "hi", 2, &err));
	ck_assert_int_eq(getxattr(proc, "user.note", value, sizeof(value)), 2);
	OK(share_setxattr(tree, "ping", "user.note", NULL, 0, &err));
	ck_assert_int_eq(getxattr(proc, "user.note", value, sizeof(value)), -1);
	FAILS(share_setxattr(tree, "ping", "user.containers.override_stat", "0:0:0", 5, &err),
	      EPERM);
	FAILS(share_setxattr(tree, "ping", "system.other", "x", 1, &err), EOPNOTSUPP);
}
END_TEST

START_TEST(nothing_leads_out)
{
	struct share_attr file = attr(S_IFREG | 0644, 0, 0), link = attr(S_IFLNK | 0777, 0, 0);
	struct share_attr dir = attr(S_IFDIR | 0755, 0, 0), a;
	cleanup_free char *outside = path_join(top, "outside");

	ck_assert_int_eq(mkdir(outside, 0755), 0);
	FAILS(share_file(tree, "../outside/f", &file, "x", 1, &err), EINVAL);
	FAILS(share_file(tree, "a/../../outside/f", &file, "x", 1, &err), EINVAL);
	OK(share_symlink(tree, "up", "../outside", &link, &err));
	FAILS(share_file(tree, "up/f", &file, "x", 1, &err), ENOENT);
	OK(share_symlink(tree, "leave", "/proc/self/root", &link, &err));
	FAILS(share_file(tree, "leave/etc/f", &file, "x", 1, &err), ENOENT);
	/* the same names inside are fine, as in a chroot */
	OK(share_mkdir(tree, "outside", &dir, &err));
	OK(share_file(tree, "up/f", &file, "x", 1, &err));
	OK(share_stat(tree, "outside/f", &a, &err));
	OK(share_file(tree, "/abs", &file, "x", 1, &err));
	OK(share_stat(tree, "abs", &a, &err));
	/* a last component that is a link is never followed */
	OK(share_symlink(tree, "link", "outside/f", &link, &err));
	FAILS(share_file(tree, "link", &file, "x", 1, &err), EEXIST);
	ck_assert_int_eq(rmdir(outside), 0);
	FAILS(share_remove(tree, "", &err), EINVAL);
	FAILS(share_file(tree, "", &file, "x", 1, &err), EINVAL);
}
END_TEST

START_TEST(reading_takes_regular_files_alone)
{
	struct share_attr file = attr(S_IFREG | 0644, 0, 0), link = attr(S_IFLNK | 0777, 0, 0);
	struct share_attr owned = attr(S_IFLNK | 0777, 7, 7), fifo = attr(S_IFIFO | 0644, 0, 0);
	cleanup_free char *outside = path_join(top, "outside"), *at = realpath(top, NULL);
	cleanup_free char *target = path_join(at, "outside");
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	OK(file_replace(AT_FDCWD, outside, "secret", 6, 0644, &err));
	OK(share_file(tree, "f", &file, "text", 4, &err));
	OK(share_read(tree, "/f", 4, &text, &err));
	ck_assert_str_eq(sb_str(&text), "text");
	FAILS(share_read(tree, "f", 3, &text, &err), EFBIG);
	sb_reset(&text);
	OK(share_symlink(tree, "out", target, &link, &err));
	FAILS(share_read(tree, "out", 99, &text, &err), ELOOP);
	OK(share_symlink(tree, "owned", target, &owned, &err));
	FAILS(share_read(tree, "owned", 99, &text, &err), ELOOP);
	OK(share_node(tree, "fifo", &fifo, &err));
	FAILS(share_read(tree, "fifo", 99, &text, &err), EINVAL);
	FAILS(share_read(tree, ".", 99, &text, &err), EINVAL);
	FAILS(share_read(tree, "none", 99, &text, &err), ENOENT);
	ck_assert_str_eq(sb_str(&text), "");
	ck_assert_int_eq(unlink(outside), 0);
}
END_TEST

START_TEST(replacing)
{
	struct share_attr file = attr(S_IFREG | 0644, 0, 0), link = attr(S_IFLNK | 0777, 0, 0);
	struct share_attr dir = attr(S_IFDIR | 0700, 3, 3);

	OK(share_file(tree, "a/b/c", &file, "one", 3, &err));
	OK(share_hardlink(tree, "a/d", "a/b/c", &err));
	OK(share_file(tree, "a/b/c", &file, "three", 5, &err));
	ck_assert_int_eq(host("a/d").st_size, 3);
	ck_assert_int_eq(host("a/b/c").st_size, 5);
	/* a hard link onto itself loses nothing */
	OK(share_hardlink(tree, "a/b/c", "a/b/c", &err));
	ck_assert_int_eq(host("a/b/c").st_size, 5);
	OK(share_mkdir(tree, "a", &dir, &err));
	check_attr("a", S_IFDIR | 0700, 3, 3);
	FAILS(share_file(tree, "a", &file, "x", 1, &err), ENOTEMPTY);

	/* a looked-up directory that becomes a link is not written to behind it */
	OK(share_mkdir(tree, "x", &dir, &err));
	OK(share_file(tree, "x/f", &file, "x", 1, &err));
	OK(share_remove(tree, "x", &err));
	OK(share_symlink(tree, "x", "a", &link, &err));
	OK(share_file(tree, "x/f", &file, "x", 1, &err));
	ck_assert_int_eq(host("a/f").st_size, 1);
	OK(share_mkdir(tree, "x", &dir, &err));
	ck_assert(S_ISDIR(host("x").st_mode));
	FAILS(share_file(tree, "x/../y", &file, "x", 1, &err), EINVAL);
	OK(share_rename(tree, "a/b", "x/b", &err));
	FAILS(share_stat(tree, "a/b/c", &dir, &err), ENOENT);
	OK(share_file(tree, "x/b/e", &file, "x", 1, &err));
	OK(share_tree_finish(tree, &err));
}
END_TEST

START_TEST(paths_beyond_path_max)
{
	cleanup_strbuf struct strbuf path = STRBUF_INIT;
	struct share_attr file = attr(S_IFREG | 0644, 0, 0), a;

	for (int i = 0; i < 30; i++) {
		for (int j = 0; j < 200; j++)
			sb_addc(&path, (char)('a' + i % 26));
		sb_addc(&path, '/');
	}
	sb_addc(&path, 'f');
	OK(share_file(tree, path.s, &file, "deep", 4, &err));
	OK(share_stat(tree, path.s, &a, &err));
	ck_assert_uint_eq(a.mode, S_IFREG | 0644);
}
END_TEST

/* From a filesystem in memory, whose files the kernel does not copy to another one. */
START_TEST(files_are_copied_across_filesystems_with_holes)
{
	cleanup_free char *path = path_join(top, "copy");
	cleanup_close int from = memfd_with("from", "begin", 5, &err);
	cleanup_close int to = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cleanup_close int small = memfd_with("small", "", 0, &err);
	char got[6] = "";
	struct stat st;

	ck_assert_int_eq(ftruncate(from, 64 << 20), 0);
	ck_assert_int_eq((int)pwrite(from, "middle", 6, 32 << 20), 6);
	OK(share_copy_file(from, to, &err));
	ck_assert_int_eq(fstat(to, &st), 0);
	ck_assert_int_eq(st.st_size, 64 << 20);
	ck_assert_int_lt(st.st_blocks * 512, 2 << 20);
	ck_assert_int_eq((int)pread(to, got, 5, 0), 5);
	ck_assert_str_eq(got, "begin");
	ck_assert_int_eq((int)pread(to, got, 6, 32 << 20), 6);
	ck_assert_mem_eq(got, "middle", 6);
	/* an empty file, and a pipe */
	OK(share_copy_file(small, to, &err));

	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	close_fd(&small);
	small = memfd_with("small", "x", 1, &err);
	ck_assert_int_eq((int)lseek(small, 0, SEEK_SET), 0);
	OK(share_copy_file(small, ends[1], &err));
	ck_assert_int_eq((int)read(ends[0], got, 6), 1);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(locks)
{
	struct share second = SHARE_INIT;

	FAILS(share_open(&second, share.path, SHARE_READ, &err), EBUSY);
	OK(share_open(&second, share.path, SHARE_PEEK, &err));
	share_close(&second);
	OK(share_relock(&share, SHARE_READ, &err));
	OK(share_open(&second, share.path, SHARE_READ, &err));
	FAILS(share_relock(&share, SHARE_WRITE, &err), EBUSY);
	share_close(&second);
	OK(share_relock(&share, SHARE_WRITE, &err));
}
END_TEST

static bool has(const char *dir, const char *name)
{
	cleanup_free char *path = path_join(dir, name);

	return access(path, F_OK) == 0;
}

/* Who has just made a folder, and is about to lock it, does not find it locked by one who looks. */
START_TEST(looking_whether_it_is_abandoned_is_in_nobodys_way)
{
	cleanup_free char *path = path_join(top, ".new.part");
	cleanup_close int looks = -1, makes = -1;

	ck_assert_int_eq(mkdir(path, 0700), 0);
	looks = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	makes = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert(!share_is_abandoned(looks));
	ck_assert_int_eq(flock(makes, LOCK_EX | LOCK_NB), 0);
	ck_assert(!share_is_abandoned(looks));
	/* an hour later, and nobody's */
	ck_assert_int_eq(futimens(makes, (const struct timespec[]){ { 0, UTIME_OMIT }, { time(NULL) - 3600, 0 } }), 0);
	ck_assert(!share_is_abandoned(looks));
	close_fd(&makes);
	ck_assert(share_is_abandoned(looks));
}
END_TEST

/* Nor is there a moment in which a new share is one and has no lock. */
START_TEST(new_share_is_locked_before_it_is_one)
{
	cleanup_free char *path = path_join(top, ".new.part");
	cleanup_close int other = -1;
	struct share s = SHARE_INIT;

	ck_assert_int_eq(mkdir(path, 0700), 0);
	other = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	FAILS(share_create(&s, path, &err), EBUSY);
	ck_assert(!share_is_share(AT_FDCWD, path));
	ck_assert_int_eq(flock(other, LOCK_UN), 0);
	OK(share_create(&s, path, &err));
	ck_assert_int_lt(flock(other, LOCK_EX | LOCK_NB), 0);
	share_close(&s);
}
END_TEST

/* What is there stays until the new one takes its place, and while somebody uses it. */
START_TEST(a_share_takes_the_place_of_another)
{
	cleanup_free char *path = path_join(top, "place");
	const struct share_attr a = attr(S_IFREG | 0644, 1, 2);
	struct share_stage st = SHARE_STAGE_INIT;

	for (int i = 0; i < 3; i++) {
		cleanup_free char *name = xasprintf("file%d", i), *last = xasprintf("file%d", i - 1);
		cleanup_share_tree struct share_tree *t = NULL;

		OK(share_stage_begin_over(&st, path, &err));
		t = share_tree_new(st.share.fd, 0);
		OK(share_file(t, name, &a, "x", 1, &err));
		ck_assert(!has(path, name));
		ck_assert(i == 0 || has(path, last));
		OK(share_stage_commit(&st, &err));
		ck_assert(has(path, name) && !has(path, last));
		/* it is locked still */
		if (i == 1) {
			struct share_stage other = SHARE_STAGE_INIT;

			OK(share_stage_begin_over(&other, path, &err));
			FAILS(share_stage_commit(&other, &err), EBUSY);
			share_stage_abort(&other);
			ck_assert(has(path, name));
		}
		share_stage_abort(&st);
	}
	cleanup_strv struct strv left = STRV_INIT;
	cleanup_close int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	OK(dir_names(dir, &left, &err));
	ck_assert_uint_eq(left.n, 2);
}
END_TEST

START_TEST(dirty_mark)
{
	struct share second = SHARE_INIT;

	OK(share_mark_dirty(&share, &err));
	OK(share_open(&second, share.path, SHARE_PEEK, &err));
	ck_assert(second.dirty);
	share_close(&second);
	OK(share_mark_clean(&share, &err));
	OK(share_open(&second, share.path, SHARE_PEEK, &err));
	ck_assert(!second.dirty);
	share_close(&second);
}
END_TEST

START_TEST(refusals)
{
	struct share second = SHARE_INIT;

	FAILS(share_open(&second, top, SHARE_READ, &err), EINVAL);
	ck_assert(!share_is_share(AT_FDCWD, top));
	ck_assert(share_is_share(share.fd, ""));
	FAILS(share_create(&second, top, &err), ENOTEMPTY);
	FAILS(share_create(&second, "no/such/parent", &err), ENOENT);
	ck_assert_uint_eq(host(".").st_mode, S_IFDIR | 0700);
}
END_TEST

static bool has_user_xattrs(void)
{
	char name[] = "/var/tmp/umlcage-probe.XXXXXX";	/* beside UNIT_TMP */
	int fd = mkstemp(name);
	bool has = fd >= 0 && fsetxattr(fd, "user.probe", "x", 1, 0) == 0;

	if (fd >= 0) {
		close(fd);
		unlink(name);
	}
	return has;
}

int main(void)
{
	Suite *s = suite_create("share");
	TCase *fresh = tcase_create("entries"), *over = tcase_create("replacing");

	if (!has_user_xattrs()) {
		fprintf(stderr, "skipped: /var/tmp has no user xattrs\n");
		return 77;
	}
	tcase_add_checked_fixture(fresh, setup, teardown);
	tcase_add_test(fresh, plain_file_has_no_xattr);
	tcase_add_test(fresh, umask_does_not_matter);
	tcase_add_test(fresh, special_modes_and_owners);
	tcase_add_test(fresh, nodes);
	tcase_add_test(fresh, symlinks);
	tcase_add_test(fresh, hard_links);
	tcase_add_test(fresh, setattr_and_back);
	tcase_add_test(fresh, xattrs);
	tcase_add_test(fresh, nothing_leads_out);
	tcase_add_test(fresh, reading_takes_regular_files_alone);
	tcase_add_test(fresh, locks);
	tcase_add_test(fresh, files_are_copied_across_filesystems_with_holes);
	tcase_add_test(fresh, a_share_takes_the_place_of_another);
	tcase_add_test(fresh, looking_whether_it_is_abandoned_is_in_nobodys_way);
	tcase_add_test(fresh, new_share_is_locked_before_it_is_one);
	tcase_add_test(fresh, dirty_mark);
	tcase_add_test(fresh, refusals);
	tcase_add_checked_fixture(over, setup_replacing, teardown);
	tcase_add_test(over, replacing);
	tcase_add_test(over, paths_beyond_path_max);
	suite_add_tcase(s, fresh);
	suite_add_tcase(s, over);

	return unit_run(s);
}
