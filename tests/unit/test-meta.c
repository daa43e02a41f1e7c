// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metadata codec of a share: what it writes it reads, what it must not read it refuses,
 * and nothing that the guest says puts a set-id bit or an unwritable file on the host.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "hostfs-bridge/meta/meta.h"
#include "tests/support/unit.h"
#include "umlcage/base/str.h"

Suite *meta_suite(void);

static int parse(const char *s, enum humfs_type host, struct humfs_meta *m)
{
	return humfs_meta_parse(s, strlen(s), host, m);
}

static void check_equal(const struct humfs_meta *a, const struct humfs_meta *b)
{
	ck_assert_uint_eq(a->uid, b->uid);
	ck_assert_uint_eq(a->gid, b->gid);
	ck_assert_uint_eq(a->mode, b->mode);
	ck_assert_int_eq(a->type, b->type);
	ck_assert_uint_eq(a->major, b->major);
	ck_assert_uint_eq(a->minor, b->minor);
}

static const struct {
	const char *text;
	struct humfs_meta meta;
} good[] = {
	{ "0:0:0755:dir", { 0, 0, 0755, HUMFS_DIR, 0, 0 } },
	{ "1000:1011:0644:file", { 1000, 1011, 0644, HUMFS_FILE, 0, 0 } },
	{ "0:0:4755:file", { 0, 0, 04755, HUMFS_FILE, 0, 0 } },
	{ "0:5:0620:char-5-1", { 0, 5, 0620, HUMFS_CHAR, 5, 1 } },
	{ "1005:1016:0600:block-8-0", { 1005, 1016, 0600, HUMFS_BLOCK, 8, 0 } },
	{ "0:0:0777:symlink", { 0, 0, 0777, HUMFS_SYMLINK, 0, 0 } },
	{ "1:2:0000:pipe", { 1, 2, 0, HUMFS_PIPE, 0, 0 } },
	{ "1:2:7777:socket", { 1, 2, 07777, HUMFS_SOCKET, 0, 0 } },
	{ "4294967295:4294967295:7777:block-4294967295-4294967295",
	  { UINT32_MAX, UINT32_MAX, 07777, HUMFS_BLOCK, UINT32_MAX, UINT32_MAX } },
};

START_TEST(both_ways)
{
	char text[HUMFS_META_MAX];
	struct humfs_meta m;

	ck_assert_int_eq(parse(good[_i].text, HUMFS_FILE, &m), 0);
	check_equal(&m, &good[_i].meta);
	ck_assert_int_eq(humfs_meta_format(&m, text), (int)strlen(good[_i].text));
	ck_assert_str_eq(text, good[_i].text);
}
END_TEST

/* What other writers of the attribute put there. */
START_TEST(foreign_forms)
{
	struct humfs_meta m;

	ck_assert_int_eq(parse("1:2:755", HUMFS_DIR, &m), 0);
	check_equal(&m, &(struct humfs_meta){ 1, 2, 0755, HUMFS_DIR, 0, 0 });
	ck_assert_int_eq(parse("1:2:100644", HUMFS_FILE, &m), 0);
	check_equal(&m, &(struct humfs_meta){ 1, 2, 0644, HUMFS_FILE, 0, 0 });
	ck_assert_int_eq(parse("1:2:0040755", HUMFS_DIR, &m), 0);
	ck_assert_uint_eq(m.mode, 0755);
	ck_assert_int_eq(parse("007:0:00000644:file", HUMFS_FILE, &m), 0);
	ck_assert_uint_eq(m.uid, 7);
}
END_TEST

static const char *const bad[] = {
	"", ":", "::", ":::", "0", "0:0", "0:0:", "0:0:0644:", "0:0:0644:zap", "0:0:0648:file",
	"0:0:0644:file ", " 0:0:0644:file", "0:0:0644:file:", "0:0:0644:filet", "+1:0:0644:file",
	"-1:0:0644:file", "0x1:0:0644:file", "4294967296:0:0644:file", "0:4294967296:0644:file",
	"99999999999999999999999999:0:0644:file", "0:0:200000:file", "0:0:0644:char",
	"0:0:0644:char-", "0:0:0644:char-1", "0:0:0644:char-1-", "0:0:0644:char-1-4294967296",
	"0:0:0644:char--1-3", "0:0:0644:char-1-3-4", "0:0:0644:file\n", "0:0:0644,file",
};

START_TEST(refused)
{
	struct humfs_meta m = { .uid = 42 };

	ck_assert_int_eq(parse(bad[_i], HUMFS_FILE, &m), -EINVAL);
	ck_assert_uint_eq(m.uid, 42);
}
END_TEST

START_TEST(bytes_are_counted)
{
	static const char zeros[HUMFS_META_READ_MAX + 1] =
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000001:2:0644:f";
	struct humfs_meta m;

	ck_assert_int_eq(humfs_meta_parse("0:0:0644:filejunk", 13, HUMFS_DIR, &m), 0);
	ck_assert_int_eq(m.type, HUMFS_FILE);
	ck_assert_int_eq(humfs_meta_parse("0:0:0644:file\0", 14, HUMFS_FILE, &m), -EINVAL);
	ck_assert_int_eq(humfs_meta_parse(zeros, sizeof(zeros), HUMFS_FILE, &m), -EINVAL);
}
END_TEST

START_TEST(format_refuses)
{
	char text[HUMFS_META_MAX];

	ck_assert_int_eq(humfs_meta_format(&(struct humfs_meta){ .mode = 010000 }, text),
			 -EINVAL);
	ck_assert_int_eq(humfs_meta_format(&(struct humfs_meta){ .type = 7 }, text), -EINVAL);
}
END_TEST

/* Every mode of every type, root's and another's. */
START_TEST(host_side)
{
	struct humfs_meta m = { .type = _i };

	for (m.mode = 0; m.mode <= 07777; m.mode++) {
		for (m.uid = 0; m.uid < 2; m.uid++) {
			uint32_t mode = humfs_host_mode(&m);
			enum humfs_type host = humfs_host_type(&m);
			struct humfs_meta plain;

			ck_assert_uint_eq(mode & ~0777u, 0);
			ck_assert_uint_eq(mode & 0600, 0600);
			if (host == HUMFS_DIR)
				ck_assert_uint_eq(mode & 0700, 0700);
			ck_assert(host == HUMFS_FILE || host == HUMFS_DIR || host == HUMFS_SYMLINK);
			ck_assert(humfs_meta_fits(&m, host));
			if (humfs_meta_needed(&m) || m.type == HUMFS_SYMLINK)
				continue;
			humfs_meta_default(host, mode, &plain);
			check_equal(&plain, &m);
		}
	}
}
END_TEST

START_TEST(symlinks)
{
	struct humfs_meta m = { .type = HUMFS_SYMLINK, .mode = 0777 };

	ck_assert_int_eq(humfs_host_type(&m), HUMFS_SYMLINK);
	ck_assert(!humfs_meta_needed(&m));
	m.gid = 5;
	ck_assert_int_eq(humfs_host_type(&m), HUMFS_FILE);
	ck_assert_uint_eq(humfs_host_mode(&m), 0600);
	ck_assert(humfs_meta_needed(&m));
}
END_TEST

START_TEST(fitting)
{
	ck_assert(!humfs_meta_fits(&(struct humfs_meta){ .type = HUMFS_DIR }, HUMFS_FILE));
	ck_assert(!humfs_meta_fits(&(struct humfs_meta){ .type = HUMFS_FILE }, HUMFS_DIR));
	ck_assert(!humfs_meta_fits(&(struct humfs_meta){ .type = HUMFS_CHAR }, HUMFS_DIR));
	ck_assert(humfs_meta_fits(&(struct humfs_meta){ .type = HUMFS_CHAR }, HUMFS_FILE));
	ck_assert(humfs_meta_fits(&(struct humfs_meta){ .type = HUMFS_CHAR }, HUMFS_CHAR));
}
END_TEST

START_TEST(type_bits)
{
	static const struct {
		enum humfs_type type;
		mode_t bits;
	} pairs[] = {
		{ HUMFS_FILE, S_IFREG }, { HUMFS_DIR, S_IFDIR }, { HUMFS_SYMLINK, S_IFLNK },
		{ HUMFS_PIPE, S_IFIFO }, { HUMFS_SOCKET, S_IFSOCK }, { HUMFS_BLOCK, S_IFBLK },
		{ HUMFS_CHAR, S_IFCHR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		ck_assert_uint_eq(humfs_type_bits(pairs[i].type), pairs[i].bits);
		ck_assert_int_eq(humfs_type_of_mode(pairs[i].bits | 04755), (int)pairs[i].type);
	}
	ck_assert_int_eq(humfs_type_of_mode(0644), -EINVAL);
}
END_TEST

static const struct {
	const char *guest;
	const char *host;	/* NULL: refused with */
	int err;
} names[] = {
	{ "user.a", "user.a", 0 },
	{ "user.containersx", "user.containersx", 0 },
	{ "user.containers.override_stat", NULL, -EPERM },
	{ "user.containers.x", NULL, -EPERM },
	{ "security.capability", "user.containers.override_security.capability", 0 },
	{ "trusted.overlay.opaque", "user.containers.override_trusted.overlay.opaque", 0 },
	{ "system.posix_acl_access", "user.containers.override_system.posix_acl_access", 0 },
	{ "system.posix_acl_default", "user.containers.override_system.posix_acl_default", 0 },
	{ "system.nfs4_acl", NULL, -EOPNOTSUPP },
	{ "system.posix_acl_accessx", NULL, -EOPNOTSUPP },
	{ "user.", NULL, -EOPNOTSUPP },
	{ "trusted.", NULL, -EOPNOTSUPP },
	{ "stat", NULL, -EOPNOTSUPP },
	{ "", NULL, -EOPNOTSUPP },
};

START_TEST(names_both_ways)
{
	char host[HUMFS_XATTR_NAME_MAX + 1];
	int ret = humfs_xattr_to_host(names[_i].guest, host);

	if (!names[_i].host) {
		ck_assert_int_eq(ret, names[_i].err);
		return;
	}
	ck_assert_int_eq(ret, (int)strlen(names[_i].host));
	ck_assert_str_eq(host, names[_i].host);
	ck_assert_str_eq(humfs_xattr_to_guest(host), names[_i].guest);
}
END_TEST

START_TEST(long_names)
{
	char guest[512] = "user.";
	char host[HUMFS_XATTR_NAME_MAX + 1];
	size_t room = HUMFS_XATTR_NAME_MAX - strlen(HUMFS_XATTR_PREFIX);

	memset(guest + 5, 'x', HUMFS_XATTR_NAME_MAX - 5);
	ck_assert_int_eq(humfs_xattr_to_host(guest, host), HUMFS_XATTR_NAME_MAX);
	guest[HUMFS_XATTR_NAME_MAX] = 'x';
	ck_assert_int_eq(humfs_xattr_to_host(guest, host), -ERANGE);

	memset(guest, 0, sizeof(guest));
	strcpy(guest, "trusted.");
	memset(guest + 8, 'x', room - 8);
	ck_assert_int_eq(humfs_xattr_to_host(guest, host), HUMFS_XATTR_NAME_MAX);
	ck_assert_str_eq(humfs_xattr_to_guest(host), guest);
	guest[room] = 'x';
	ck_assert_int_eq(humfs_xattr_to_host(guest, host), -ERANGE);
}
END_TEST

START_TEST(hidden_names)
{
	static const char *const hidden[] = {
		HUMFS_META_XATTR, "user.containers.dirty", HUMFS_XATTR_PREFIX,
		(HUMFS_XATTR_PREFIX "user.a"), (HUMFS_XATTR_PREFIX "system.x"), "security.selinux",
		"trusted.x", "system.posix_acl_access", "user.", "",
	};

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		ck_assert_msg(!humfs_xattr_to_guest(hidden[i]), "'%s'", hidden[i]);
}
END_TEST

Suite *meta_suite(void)
{
	Suite *suite = suite_create("meta");
	TCase *tc = tcase_create("codec");

	tcase_add_loop_test(tc, both_ways, 0, ARRAY_SIZE(good));
	tcase_add_test(tc, foreign_forms);
	tcase_add_loop_test(tc, refused, 0, ARRAY_SIZE(bad));
	tcase_add_test(tc, bytes_are_counted);
	tcase_add_test(tc, format_refuses);
	tcase_add_loop_test(tc, host_side, HUMFS_FILE, HUMFS_CHAR + 1);
	tcase_add_test(tc, symlinks);
	tcase_add_test(tc, fitting);
	tcase_add_test(tc, type_bits);
	suite_add_tcase(suite, tc);

	tc = tcase_create("names");
	tcase_add_loop_test(tc, names_both_ways, 0, ARRAY_SIZE(names));
	tcase_add_test(tc, long_names);
	tcase_add_test(tc, hidden_names);
	suite_add_tcase(suite, tc);
	return suite;
}

int main(void)
{
	return unit_run(meta_suite());
}
