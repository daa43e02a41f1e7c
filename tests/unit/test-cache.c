// SPDX-License-Identifier: GPL-2.0-or-later
/* Recipes tell requests apart; copies of trees are whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "rootfs/cache/cache.h"
#include "hostfs-bridge/share/share.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static struct error err = ERROR_INIT;
static struct debian_archive *archive;
static char dir[UNIT_PATH];

static void setup(void)
{
	struct debian_config config = { .cache = dir };
	unit_dir(dir, "test-request");
	ck_assert_int_eq(chdir(dir), 0);
	ck_ok(debian_archive_open(&config, NULL, &archive, &err), &err);
}

static void teardown(void)
{
	debian_archive_close(archive);
	archive = NULL;
	ck_assert_int_eq(chdir("/"), 0);
	remove_tree(AT_FDCWD, dir, NULL);
	err_release(&err);
}

static void put(const char *name, const char *text, mode_t mode)
{
	ck_ok(file_replace(AT_FDCWD, name, text, strlen(text), mode, &err), &err);
}

static const char *network = "";

/* The key after @change was made to an ordinary request. */
static struct recipe key_after(void (*change)(struct fab_options *o))
{
	struct recipe recipe = { "" };
	struct target_request request = { .no_check = true };
	struct fab_options o;

	fab_options_init(&o);
	o.suite = xstrdup("s");
	o.target = xstrdup("x.tar");
	if (change)
		change(&o);
	request.name = o.target;
	ck_ok(target_parse(&o.out, &request, &err), &err);
	ck_ok(recipe_make(&o, archive, "kernel", network, &recipe, &err), &err);
	fab_options_release(&o);
	return recipe;
}

static void other_name(struct fab_options *o)
{
	free(o->target);
	o->target = xstrdup("/elsewhere/other.tar");
}

static void compressed(struct fab_options *o)
{
	free(o->target);
	o->target = xstrdup("x.tar.gz");
}

static void with_keys(struct fab_options *o)
{
	o->cache_keys = true;
}

static void with_include(struct fab_options *o)
{
	strv_add(&o->include, "more");
}

static void with_two_words(struct fab_options *o)
{
	strv_add(&o->include, "mo");
	strv_add(&o->include, "re");
}

static void with_hook_file(struct fab_options *o)
{
	cleanup_free char *path = path_join(dir, "hook");

	fab_options_add_hook(o, FAB_HOOK_CUSTOMIZE, false, path);
}

static void with_upload(struct fab_options *o)
{
	fab_options_add_hook(o, FAB_HOOK_CUSTOMIZE, false, "upload data /etc/data");
}

static void with_download(struct fab_options *o)
{
	fab_options_add_hook(o, FAB_HOOK_CUSTOMIZE, false, "download /etc/fstab fstab");
}

static void to_stdout(struct fab_options *o)
{
	free(o->target);
	o->target = xstrdup("-");
}

static void with_epoch(struct fab_options *o)
{
	o->source_date_epoch = 5;
}

START_TEST(what_matters_changes_the_key_and_the_name_does_not)
{
	void (*const changes[])(struct fab_options *) = { with_keys, with_include, with_two_words,
							  with_hook_file, with_epoch, NULL };
	struct recipe keys[ARRAY_SIZE(changes)];

	put("hook", "#!/bin/sh\n", 0755);
	ck_assert_str_eq(key_after(NULL).key, key_after(other_name).key);
	/* nor does the format: one tree, several outputs */
	ck_assert_str_eq(key_after(NULL).key, key_after(compressed).key);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		keys[i] = key_after(changes[i]);
		ck_assert_uint_eq(strlen(keys[i].key), 64);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(keys[i].key, keys[k].key);
	}
}
END_TEST

/* A hook that got everything made another tree than one that was refused. */
START_TEST(what_may_be_reached_matters)
{
	struct recipe all = key_after(NULL), some;

	network = "allow 192.0.2.1\n";
	some = key_after(NULL);
	ck_assert_str_ne(all.key, some.key);
	network = "deny 192.0.2.1\n";
	ck_assert_str_ne(some.key, key_after(NULL).key);
	network = "";
	ck_assert_str_eq(all.key, key_after(NULL).key);
}
END_TEST

START_TEST(the_content_of_hooks_and_uploads_matters)
{
	struct recipe hook, upload;

	put("hook", "#!/bin/sh\necho 1\n", 0755);
	put("data", "1", 0644);
	hook = key_after(with_hook_file);
	upload = key_after(with_upload);
	put("hook", "#!/bin/sh\necho 2\n", 0755);
	put("data", "2", 0644);
	ck_assert_str_ne(hook.key, key_after(with_hook_file).key);
	ck_assert_str_ne(upload.key, key_after(with_upload).key);
}
END_TEST

START_TEST(what_leaves_the_tree_is_not_kept)
{
	ck_assert_str_eq(key_after(with_download).key, "");
	ck_assert_str_eq(key_after(to_stdout).key, "");
}
END_TEST

static bool is_found(const struct strv *found, const char *path)
{
	for (size_t i = 0; i < found->n; i++)
		if (str_eq(found->v[i], path))
			return true;
	return false;
}

START_TEST(keys_are_told_from_other_files)
{
	static const struct {
		const char *path, *text;
		bool is_key;
	} files[] = {
		{ "etc/ssh/ssh_host_ed25519_key", "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n", true },
		{ "etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA root@x\n", false },
		{ "etc/ssl/private/x.key", "-----BEGIN PRIVATE KEY-----\nx\n", true },
		{ "etc/ssl/x.pem", "-----BEGIN CERTIFICATE-----\nx\n", false },
		{ "etc/note", "-----BEGIN CERTIFICATE-----\nPRIVATE KEY-----\n", false },
		{ "etc/machine-id", "0123456789abcdef0123456789abcdef\n", true },
		{ "var/lib/dbus/machine-id", "uninitialized\n", false },
		{ "etc/dropbear/dropbear_rsa_host_key", "x", true },
		{ "etc/bind/rndc.key", "key \"rndc-key\" {\n secret \"abc\";\n};\n", true },
		{ "usr/share/example.key", "-----BEGIN PRIVATE KEY-----\n", false },
	};
	cleanup_strv struct strv found = STRV_INIT;
	cleanup_close int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *parent = xstrndup(files[i].path, (size_t)(strrchr(files[i].path, '/') -
									     files[i].path));

		ck_ok(make_dirs(AT_FDCWD, parent, 0755, &err), &err);
		put(files[i].path, files[i].text, 0600);
	}
	fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tree_secrets(fd, &found);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		ck_assert_msg(is_found(&found, files[i].path) == files[i].is_key, "%s", files[i].path);
}
END_TEST

START_TEST(copies_keep_links_modes_times_and_xattrs)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1234567, .tv_nsec = 89 } };
	char value[8] = "", target[8] = "";
	struct stat a, b;
	int from, to;

	ck_assert_int_eq(mkdir("from", 0755) | mkdir("to", 0700) | mkdir("from/sub", 0750), 0);
	put("from/sub/file", "hello", 0640);
	ck_assert_int_eq(link("from/sub/file", "from/again"), 0);
	ck_assert_int_eq(symlink("gone", "from/link"), 0);
	ck_assert_int_eq(setxattr("from/sub/file", "user.x", "y", 1, 0), 0);
	ck_assert_int_eq(utimensat(AT_FDCWD, "from/sub/file", times, 0), 0);
	from = open("from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = open("to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_ok(share_copy(from, to, &err), &err);
	close(from);
	close(to);
	ck_assert_int_eq(stat("to/sub/file", &a) | stat("to/again", &b), 0);
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	ck_assert_uint_eq(a.st_mode & 07777, 0640);
	ck_assert_int_eq(a.st_mtim.tv_sec, 1234567);
	ck_assert_int_eq(a.st_mtim.tv_nsec, 89);
	ck_assert_int_eq(a.st_size, 5);
	ck_assert_int_eq(stat("to/sub", &a) | stat("to", &b), 0);
	ck_assert_uint_eq(a.st_mode & 07777, 0750);
	ck_assert_uint_eq(b.st_mode & 07777, 0755);
	ck_assert_int_eq((int)getxattr("to/again", "user.x", value, sizeof(value)), 1);
	ck_assert_str_eq(value, "y");
	ck_assert_int_eq((int)readlink("to/link", target, sizeof(target) - 1), 4);
}
END_TEST

START_TEST(a_pipe_in_a_tree_is_refused)
{
	int from, to;

	ck_assert_int_eq(mkdir("from", 0755) | mkdir("to", 0755) | mkfifo("from/pipe", 0600), 0);
	from = open("from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to = open("to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_fails(share_copy(from, to, &err), EINVAL, "'pipe'", &err);
	close(from);
	close(to);
}
END_TEST

/* What the one finished tree takes. */
static uint64_t tree_bytes(int64_t *used)
{
	struct cache_items items;
	uint64_t bytes;

	ck_ok(cache_list(&items, &err), &err);
	ck_assert_uint_eq(items.n, 1);
	bytes = items.v[0].bytes;
	*used = items.v[0].used;
	cache_items_release(&items);
	return bytes;
}

START_TEST(a_finished_tree_is_looked_through_once)
{
	const struct timespec times[2] = { { 2000000000, 0 }, { 2000000000, 0 } };
	char text[100] = "";
	uint64_t before;
	int64_t used;

	ck_assert_int_eq(setenv("XDG_CACHE_HOME", dir, 1), 0);
	ck_ok(make_dirs(AT_FDCWD, "umlcage/trees/abc/share", 0700, &err), &err);
	put("umlcage/trees/abc/manifest", "what: a tree\n", 0600);
	put("umlcage/trees/abc/share/one", "1", 0600);
	before = tree_bytes(&used);
	if (getxattr("umlcage/trees/abc", "user.containers.umlcage_usage", text, sizeof(text) - 1) < 0)
		return;	/* no place for it here */
	/* it is noted: what is in the tree is not looked at, only when it was used */
	put("umlcage/trees/abc/share/two", "2", 0600);
	ck_assert_int_eq(utimensat(AT_FDCWD, "umlcage/trees/abc/manifest", times, 0), 0);
	ck_assert_uint_eq(tree_bytes(&used), before);
	ck_assert_int_eq(used, 2000000000);
	/* what was put beside it is */
	put("umlcage/trees/abc/file.tar", "3", 0600);
	ck_assert_uint_gt(tree_bytes(&used), before);
	before = tree_bytes(&used);
	ck_assert_uint_eq(tree_bytes(&used), before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("request");
	TCase *t = tcase_create("request");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_matters_changes_the_key_and_the_name_does_not);
	tcase_add_test(t, what_may_be_reached_matters);
	tcase_add_test(t, the_content_of_hooks_and_uploads_matters);
	tcase_add_test(t, what_leaves_the_tree_is_not_kept);
	tcase_add_test(t, keys_are_told_from_other_files);
	tcase_add_test(t, copies_keep_links_modes_times_and_xattrs);
	tcase_add_test(t, a_pipe_in_a_tree_is_refused);
	tcase_add_test(t, a_finished_tree_is_looked_through_once);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
