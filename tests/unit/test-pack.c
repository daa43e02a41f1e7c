// SPDX-License-Identifier: GPL-2.0-or-later
/* Modes and owners as texts, names of archives, and walking what is there. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/pack/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static struct error err = ERROR_INIT;

static const struct {
	const char *text;
	uint32_t mode;
	uint32_t want;
} mode_cases[] = {
	{ "0755", S_IFREG, 0755 },
	{ "4711", S_IFREG | 0644, 04711 },
	{ "0", S_IFREG | 0777, 0 },
	{ "u+s", S_IFREG | 0755, 04755 },
	{ "+s", S_IFREG | 0755, 06755 },
	{ "g-w,o-rwx", S_IFREG | 0666, 0640 },
	{ "a=rX", S_IFREG | 0600, 0444 },
	{ "a=rX", S_IFREG | 0700, 0555 },
	{ "a=rX", S_IFDIR | 0700, 0555 },
	{ "go=u", S_IFREG | 0750, 0777 },
	{ "o=g-w", S_IFREG | 0670, 0675 },
	{ "+t", S_IFDIR | 0777, 01777 },
	{ "u=rwx", S_IFDIR | 02070, 02770 },
	{ "u=rwx", S_IFREG | 06070, 02770 },
	{ "=", S_IFREG | 07777, 0 },
	{ "u+r+w+x", S_IFREG, 0700 },
};

START_TEST(modes_apply)
{
	uint32_t got;

	ck_ok(share_mode_apply(mode_cases[_i].text, mode_cases[_i].mode, &got, &err), &err);
	ck_assert_msg(got == mode_cases[_i].want, "%s on %o: %o instead of %o",
		      mode_cases[_i].text, mode_cases[_i].mode, got, mode_cases[_i].want);
}
END_TEST

START_TEST(bad_modes)
{
	static const char *const bad[] = { "", "8", "10000", "u", "u+q", "u+x,", "755,u+x", "-8",
					   "z+x", " 755" };
	uint32_t got = 42;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_fails(share_mode_apply(bad[i], 0, &got, &err), EINVAL, "bad mode", &err);
	ck_assert_uint_eq(got, 42);
}
END_TEST

START_TEST(mode_texts)
{
	char text[11];

	share_mode_text(S_IFREG | 04755, text);
	ck_assert_str_eq(text, "-rwsr-xr-x");
	share_mode_text(S_IFDIR | 01776, text);
	ck_assert_str_eq(text, "drwxrwxrwT");
	share_mode_text(S_IFCHR | 06000, text);
	ck_assert_str_eq(text, "c--S--S---");
	share_mode_text(S_IFSOCK | 0777, text);
	ck_assert_str_eq(text, "srwxrwxrwx");
}
END_TEST

START_TEST(owners)
{
	uint32_t uid = 7, gid = 8;

	ck_ok(share_owner_parse("5", &uid, &gid, &err), &err);
	ck_assert(uid == 5 && gid == 8);
	ck_ok(share_owner_parse(":6", &uid, &gid, &err), &err);
	ck_assert(uid == 5 && gid == 6);
	ck_ok(share_owner_parse("4294967294:0", &uid, &gid, &err), &err);
	ck_assert(uid == 4294967294u && gid == 0);
	ck_fails(share_owner_parse("4294967295", &uid, &gid, &err), EINVAL, "'4294967295'", &err);
	ck_fails(share_owner_parse("", &uid, &gid, &err), EINVAL, "bad owner", &err);
	ck_fails(share_owner_parse(":", &uid, &gid, &err), EINVAL, "bad owner", &err);
	ck_fails(share_owner_parse("root", &uid, &gid, &err), EINVAL, "'root'", &err);
	ck_fails(share_owner_parse("1:2:3", &uid, &gid, &err), EINVAL, "'2:3'", &err);
}
END_TEST

START_TEST(links_are_found_again)
{
	cleanup_links struct share_links *l = share_links_new();
	char path[16];

	for (unsigned int i = 1; i <= 5000; i++) {
		snprintf(path, sizeof(path), "%u", i);
		ck_assert_ptr_null(share_links_first(l, 1, i, path));
		ck_assert_uint_eq(share_links_number(l), i);
	}
	for (unsigned int i = 5000; i; i--) {
		snprintf(path, sizeof(path), "%u", i);
		ck_assert_str_eq(share_links_first(l, 1, i, "other"), path);
		ck_assert_uint_eq(share_links_number(l), i);
	}
	ck_assert_ptr_null(share_links_first(l, 2, 1, "another device"));
}
END_TEST

START_TEST(ring_ends_and_refuses)
{
	cleanup_ring struct ring *r = ring_new();
	static const char abc[] = { 'a', 'b', 'c' };
	const char *got;
	char *room;

	ck_assert_int_eq(ring_room(r, &room), 0);
	memcpy(room, abc, sizeof(abc));
	ring_filled(r, 3);
	ring_end(r, -EIO);
	ck_assert_int_eq(ring_next(r, &got), 3);
	ck_assert_mem_eq(got, abc, 3);
	ck_assert_int_eq(ring_next(r, &got), -EIO);
	ring_refuse(r, -ENOSPC);
	ck_assert_int_eq(ring_room(r, &room), -ENOSPC);
}
END_TEST

/* ---- walking ---- */

static char top[UNIT_PATH];
static struct share share;

static void setup(void)
{
	unit_dir(top, "walk-test");

	cleanup_free char *path = path_join(top, "s");

	ck_ok(share_create(&share, path, &err), &err);
}

static void teardown(void)
{
	share_close(&share);
	remove_tree(AT_FDCWD, top, NULL);
	err_release(&err);
}

static int note(const struct share_entry *ent, void *arg, struct error *e)
{
	(void)e;
	strv_add(arg, ent->path);
	return strstr(ent->path, "skip") != NULL;
}

START_TEST(walk_is_sorted_and_deep)
{
	cleanup_share_tree struct share_tree *t = share_tree_new(share.fd, SHARE_PARENTS);
	struct share_attr file = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	cleanup_strv struct strv seen = STRV_INIT;
	cleanup_strbuf struct strbuf deep = STRBUF_INIT;
	cleanup_free char *all = NULL;

	ck_ok(share_file(t, "b/2", &file, "", 0, &err), &err);
	ck_ok(share_file(t, "b/10", &file, "", 0, &err), &err);
	ck_ok(share_file(t, "b-", &file, "", 0, &err), &err);
	ck_ok(share_file(t, "a", &file, "", 0, &err), &err);
	ck_ok(share_file(t, "skip/this", &file, "", 0, &err), &err);
	ck_ok(share_walk(share.fd, 0, note, &seen, &err), &err);
	all = strv_join(&seen, " ");
	ck_assert_str_eq(all, " a b b/10 b/2 b- skip");

	/* deeper than descriptors are kept, and than a path may be long */
	for (int i = 0; i < 1500; i++)
		sb_addf(&deep, "%d-directory/", i);
	sb_adds(&deep, "end");
	ck_assert_uint_gt(deep.len, 4 * 4096);
	ck_ok(share_file(t, deep.s, &file, "", 0, &err), &err);
	ck_ok(share_file(t, "zz", &file, "", 0, &err), &err);
	strv_release(&seen);
	ck_ok(share_walk(share.fd, 0, note, &seen, &err), &err);
	ck_assert(strv_has(&seen, deep.s));
	ck_assert_str_eq(seen.v[seen.n - 1], "zz");
	ck_ok(share_remove(t, "0-directory", &err), &err);
	ck_assert_int_eq(faccessat(share.fd, "0-directory", F_OK, 0), -1);
	while (deep.len < 70000)
		sb_adds(&deep, "/x");
	ck_fails(share_file(t, deep.s, &file, "", 0, &err), ENAMETOOLONG, "0-directory", &err);
}
END_TEST

START_TEST(walk_names_bad_records)
{
	cleanup_share_tree struct share_tree *t = share_tree_new(share.fd, 0);
	struct share_attr file = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	cleanup_strv struct strv seen = STRV_INIT;
	char proc[64];

	ck_ok(share_file(t, "f", &file, "", 0, &err), &err);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/f", share.fd);
	ck_assert_int_eq(setxattr(proc, "user.containers.override_stat", "0:0:0755:dir", 12, 0), 0);
	ck_fails(share_walk(share.fd, 0, note, &seen, &err), EINVAL, "'f'", &err);
	ck_ok(share_walk(share.fd, SHARE_WALK_RAW, note, &seen, &err), &err);
}
END_TEST

START_TEST(stage_appears_whole_or_not)
{
	cleanup_free char *path = path_join(top, "new");
	struct share_stage st;

	ck_ok(share_stage_begin(&st, path, &err), &err);
	ck_assert_int_eq(access(path, F_OK), -1);
	share_stage_abort(&st);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_ok(share_stage_begin(&st, path, &err), &err);
	ck_ok(share_stage_commit(&st, &err), &err);
	ck_assert_str_eq(st.share.path, path);
	ck_assert(share_is_share(AT_FDCWD, path));
	share_stage_abort(&st);
	ck_assert(share_is_share(AT_FDCWD, path));
	ck_fails(share_stage_begin(&st, "a/..", &err), EINVAL, "bad name", &err);
	share_stage_abort(&st);
	ck_fails(share_stage_begin(&st, top, &err), ENOTEMPTY, "not empty", &err);
	share_stage_abort(&st);
}
END_TEST

/* An archive of the files of @names, with @mode each; the name of the file it is in. */
static char *make_archive(const char *name, const char *const *names, mode_t mode)
{
	char *path = path_join(top, name);
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	archive_write_set_format_pax_restricted(a);
	ck_assert_int_eq(archive_write_open_filename(a, path), ARCHIVE_OK);
	for (; *names; names++) {
		archive_entry_clear(entry);
		archive_entry_set_pathname(entry, *names);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, mode);
		archive_entry_set_size(entry, 1);
		ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
		ck_assert_int_eq(archive_write_data(a, "x", 1), 1);
	}
	archive_entry_free(entry);
	archive_write_free(a);
	return path;
}

START_TEST(archives_are_compared)
{
	static const char *const some[] = { "./both", "./gone", "./up\033[2J", NULL };
	static const char *const others[] = { "./both", "./new", "./up\033[2J", NULL };
	cleanup_free char *before = make_archive("before.tar", some, 0644);
	cleanup_free char *same = make_archive("same.tar", some, 0644);
	cleanup_free char *after = make_archive("after.tar", others, 0600);
	cleanup_close int one = open(before, O_RDONLY), alike = open(same, O_RDONLY);
	cleanup_close int other = open(after, O_RDONLY), none = open(top, O_RDONLY);
	cleanup_strv struct strv out = STRV_INIT;

	ck_ok(share_compare_archives(one, alike, &out, &err), &err);
	ck_assert_uint_eq(out.n, 0);
	ck_ok(share_compare_archives(one, other, &out, &err), &err);
	ck_assert_uint_eq(out.n, 4);
	ck_assert_str_eq(out.v[0], "./both: mode 0644 -> 0600");
	ck_assert_str_eq(out.v[1], "./gone: is not there any more");
	ck_assert_str_eq(out.v[2], "./new: was not there");
	ck_assert_str_eq(out.v[3], "./up?[2J: mode 0644 -> 0600");
	ck_assert_int_eq(truncate(same, 700), 0);
	ck_fails(share_compare_archives(one, alike, &out, &err), EBADMSG, "not a tar", &err);
	ck_assert_int_lt(share_compare_archives(one, none, &out, &err), 0);
}
END_TEST

static void put_file(struct share *s, const char *name, mode_t mode)
{
	cleanup_share_tree struct share_tree *t = share_tree_new(s->fd, 0);
	const struct share_attr attr = { .mode = S_IFREG | mode };

	ck_ok(share_file(t, name, &attr, "x", 1, &err), &err);
}

static void put_xattr(const struct share *s, const char *file, const char *name, const char *value,
		      size_t len)
{
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/%s", s->fd, file);
	ck_assert_int_eq(setxattr(proc, name, value, len, 0), 0);
}

START_TEST(shares_are_compared)
{
	cleanup_free char *path = path_join(top, "t");
	cleanup_share struct share other = SHARE_INIT;
	cleanup_strv struct strv out = STRV_INIT;

	ck_ok(share_create(&other, path, &err), &err);
	put_file(&share, "f", 0644);
	put_file(&other, "f", 0644);
	put_file(&share, "\xff", 0644);
	put_file(&other, "\xff", 0600);
	put_file(&share, "gone", 0644);
	/* one after the other these are the same bytes */
	put_xattr(&share, "f", "user.a", "user.b", 7);
	put_xattr(&other, "f", "user.a", "", 0);
	put_xattr(&other, "f", "user.b", "", 0);
	ck_ok(share_clamp_times(share.fd, 0, &err), &err);
	ck_ok(share_clamp_times(other.fd, 0, &err), &err);
	ck_ok(share_compare(share.fd, other.fd, &out, &err), &err);
	ck_assert_uint_eq(out.n, 3);
	ck_assert_str_eq(out.v[0], "./f: content or attributes");
	ck_assert_str_eq(out.v[1], "./gone: is not there any more");
	ck_assert_str_eq(out.v[2], "./\xef\xbf\xbd: mode 0644 -> 0600");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("share-pack");
	TCase *texts = tcase_create("texts"), *trees = tcase_create("trees");

	tcase_add_loop_test(texts, modes_apply, 0, ARRAY_SIZE(mode_cases));
	tcase_add_test(texts, bad_modes);
	tcase_add_test(texts, mode_texts);
	tcase_add_test(texts, owners);
	tcase_add_test(texts, links_are_found_again);
	tcase_add_test(texts, ring_ends_and_refuses);
	suite_add_tcase(s, texts);
	tcase_add_checked_fixture(trees, setup, teardown);
	tcase_add_test(trees, walk_is_sorted_and_deep);
	tcase_add_test(trees, walk_names_bad_records);
	tcase_add_test(trees, stage_appears_whole_or_not);
	tcase_add_test(trees, archives_are_compared);
	tcase_add_test(trees, shares_are_compared);
	suite_add_tcase(s, trees);
	return unit_run(s);
}
