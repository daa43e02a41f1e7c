// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What must not be believed: bad mirrors, forged signatures, other keys, other times,
 * other names.
 */
#include <time.h>

#include "tests/support/debian-fixture.h"

/* ---- what must not work ---- */

static const struct {
	const char *mode;
	int errnum;
	const char *part;
} bad_modes[] = {
	{ "login", EBADMSG, "login page" },
	{ "wrongindex", EBADMSG, "is not what its index says" },
	{ "broken", EREMOTEIO, "503" },
	{ "silent", ETIMEDOUT, "stalled" },
	{ "loop", EIO, "redirects" },
};

START_TEST(bad_mirrors_are_told)
{
	struct session s;

	update_fails(bad_modes[_i].mode, bad_modes[_i].errnum, bad_modes[_i].part);
	/* the cache is as good as before */
	session_web(&s, "plain");
	session_close(&s);
}
END_TEST

START_TEST(bad_packages_are_told)
{
	static const struct {
		const char *mode, *part;
	} cases[] = {
		{ "wrong", "its sum is" }, { "longer", "is larger than" }, { "nopool", "404" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct session s;

		session_web(&s, cases[i].mode);
		FAILS(fetch_one(&s, "pen-big"), ESTALE, cases[i].part);
		ck_assert(!in_cache(&s, "pen-big"));
		ck_assert_uint_eq(partial_bytes(&s, "pen-big"), 0);
		session_close(&s);
	}
	struct session s;

	session_web(&s, "plain");
	OK(fetch_one(&s, "pen-big"));
	session_close(&s);
}
END_TEST

START_TEST(nobody_there)
{
	struct session s;

	session_open(&s, "http://127.0.0.1:1/debian");
	s.config.retries = 1;
	FAILS(session_update(&s), ECONNREFUSED, "127.0.0.1");
	session_close(&s);
	session_open(&s, "/nowhere");
	FAILS(session_update(&s), ENOENT, "no suite 'pen' at 'file:///nowhere'");
	session_close(&s);
}
END_TEST

START_TEST(absent_suites_and_components)
{
	struct session s;

	session_open(&s, fixture);
	ck_assert_ptr_nonnull(debian_sources_add(&s.sources, fixture, "nosuch", "main", &err));
	FAILS(session_update(&s), ENOENT, "no suite 'nosuch'");
	session_close(&s);
	session_open(&s, fixture);
	debian_sources_add(&s.sources, fixture, "nosuch", "main", &err)->optional = true;
	OK(session_update(&s));
	session_close(&s);
	session_open(&s, fixture);
	ck_assert_ptr_nonnull(debian_sources_add(&s.sources, fixture, "pen", "contrib", &err));
	FAILS(session_update(&s), ENOENT, "no component 'contrib' for architecture");
	session_close(&s);
}
END_TEST

/* ---- signatures ---- */

/* Replaces @from by @to in @path of the archive @dir. */
static void edit(const char *dir, const char *path, const char *from, const char *to)
{
	cleanup_free char *full = path_join(dir, path);
	cleanup_strbuf struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
	char *at;

	OK(file_read(AT_FDCWD, full, 1 << 24, &text, &err));
	at = strstr(text.s, from);
	ck_assert_msg(at, "no '%s' in %s", from, path);
	sb_add(&out, text.s, (size_t)(at - text.s));
	sb_adds(&out, to);
	sb_adds(&out, at + strlen(from));
	OK(file_replace(AT_FDCWD, full, out.s, out.len, 0600, &err));
}

static const struct {
	const char *from, *to, *part;
} forgeries[] = {
	{ "Suite: pen", "Suite: pan", "was changed after it was signed" },
	{ "-----BEGIN PGP SIGNED", "Origin: Evil\n\n-----BEGIN PGP SIGNED", "nothing else" },
	{ "-----END PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----\nSHA256:\n",
	  "nothing else" },
	{ "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP SOMETHING-----", "nothing else" },
	{ "\n\n", "\nNotDashEscaped: x\nOrigin: Evil\n\n", "signed" },
};

START_TEST(forged_inreleases_are_refused)
{
	cleanup_free char *dir = xasprintf("%s/forged-%d", top, _i);
	struct session s;

	RUN("cp", "-a", fixture, dir);
	edit(dir, "dists/pen/InRelease", forgeries[_i].from, forgeries[_i].to);
	session_open(&s, dir);
	FAILS(session_update(&s), EBADMSG, forgeries[_i].part);
	session_close(&s);
}
END_TEST

START_TEST(a_detached_signature_counts_as_much)
{
	cleanup_free char *dir = copy_fixture("detached");
	cleanup_free char *in = path_join(dir, "dists/pen/InRelease");
	cleanup_free char *gpg = path_join(dir, "dists/pen/Release.gpg");
	struct session s;

	OK(unlink(in));
	session_start(&s, dir);
	session_close(&s);
	edit(dir, "dists/pen/Release", "Suite: pen", "Suite: pan");
	session_open(&s, dir);
	FAILS(session_update(&s), EBADMSG, "was changed after it was signed");
	session_close(&s);
	OK(unlink(gpg));
	session_open(&s, dir);
	FAILS(session_update(&s), EBADMSG, "is not signed");
	session_close(&s);
}
END_TEST

START_TEST(only_keys_of_the_keyring_count)
{
	cleanup_free char *other = path_join(fixture, "other.gpg");
	cleanup_free char *armoured = path_join(fixture, "key.asc");
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv rings = STRV_INIT;
	struct session s;

	session_open(&s, fixture);
	strv_add(&rings, other);
	s.config.keyrings = &rings;
	FAILS(session_update(&s), ENOKEY, "has no such key");
	session_close(&s);

	/* an entry's own keyring goes before the session's: as a file, as text, as a folder */
	session_open(&s, fixture);
	s.config.keyrings = &rings;
	strv_add(&s.sources.v[0].keyrings, armoured);
	OK(session_update(&s));
	session_close(&s);
	OK(file_read(AT_FDCWD, armoured, 65536, &text, &err));
	session_open(&s, fixture);
	s.config.keyrings = &rings;
	s.sources.v[0].key = sb_steal(&text);
	OK(session_update(&s));
	session_close(&s);
	session_open(&s, fixture);
	strv_add(&s.sources.v[0].keyrings, fixture);
	OK(session_update(&s));
	ck_assert_uint_eq(strlen(debian_release_at(s.a, 0)->signer), 40);
	session_close(&s);

	/* a fingerprint that is not the signer's */
	session_open(&s, fixture);
	strv_add(&s.sources.v[0].fingerprints, "0123456789ABCDEF0123456789ABCDEF01234567");
	FAILS(session_update(&s), EBADMSG, "cannot verify");
	session_close(&s);

	session_open(&s, fixture);
	strv_add(&s.sources.v[0].keyrings, "/nonexistent.gpg");
	FAILS(session_update(&s), ENOENT, "/nonexistent.gpg");
	session_close(&s);
}
END_TEST

START_TEST(a_trusted_entry_needs_no_signature)
{
	cleanup_free char *dir = copy_fixture("trusted");
	cleanup_free char *in = path_join(dir, "dists/pen/InRelease");
	cleanup_free char *gpg = path_join(dir, "dists/pen/Release.gpg");
	struct session s;

	OK(unlink(in));
	OK(unlink(gpg));
	session_open(&s, dir);
	s.sources.v[0].trusted = true;
	OK(session_update(&s));
	ck_assert_ptr_null(debian_release_at(s.a, 0)->signer);
	session_close(&s);
}
END_TEST

/* ---- time and name ---- */

START_TEST(expired_and_future_releases)
{
	struct session s;
	time_t now = time(NULL);

	session_open(&s, fixture);
	s.config.now = now + 8 * 86400;
	FAILS(session_update(&s), ESTALE, "has expired");
	session_close(&s);
	session_open(&s, fixture);
	s.config.now = now - 86400;
	FAILS(session_update(&s), ESTALE, "from the future");
	session_close(&s);

	session_open(&s, fixture);
	s.config.now = now + 8 * 86400;
	s.config.no_valid_until = true;
	OK(session_update(&s));
	session_close(&s);
	session_open(&s, fixture);
	s.config.now = now + 8 * 86400;
	s.sources.v[0].no_valid_until = true;
	OK(session_update(&s));
	session_close(&s);
	/* an optional one is left out */
	session_open(&s, fixture);
	s.config.now = now + 8 * 86400;
	s.sources.v[0].optional = true;
	OK(session_update(&s));
	ck_assert_ptr_null(debian_release_at(s.a, 0));
	session_close(&s);
}
END_TEST

START_TEST(another_suites_release_is_refused)
{
	cleanup_free char *dir = copy_fixture("renamed");
	cleanup_free char *from = path_join(dir, "dists/pen"), *to = path_join(dir, "dists/hen");
	struct session s;

	OK(rename(from, to));
	session_open(&s, dir);
	free(s.sources.v[0].suite);
	s.sources.v[0].suite = xstrdup("hen");
	FAILS(session_update(&s), EBADMSG, "another suite's: it says 'pen' and 'hutch'");
	session_close(&s);
	/* the codename is as good as the name */
	OK(rename(to, from));
	cleanup_free char *hutch = path_join(dir, "dists/hutch");

	OK(rename(from, hutch));
	session_open(&s, dir);
	free(s.sources.v[0].suite);
	s.sources.v[0].suite = xstrdup("hutch");
	OK(session_update(&s));
	session_close(&s);
}
END_TEST

/* A mirror that moves on after its index was read. */
START_TEST(a_mirror_that_changes_in_between)
{
	cleanup_free char *dir = copy_fixture("moving");
	cleanup_free char *old = path_join(dir, "pool/main/p/pen-gz");
	struct session s;

	session_start(&s, dir);
	OK(remove_tree(AT_FDCWD, old, &err));
	FAILS(fetch_one(&s, "pen-gz"), ESTALE, "the mirror may have changed");
	RUN(MAKE_ARCHIVE, dir, "--says", "pen", "--codename", "moved");
	OK(session_update(&s));
	ck_assert_str_eq(debian_release_at(s.a, 0)->codename, "moved");
	OK(fetch_one(&s, "pen-gz"));
	session_close(&s);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *t = cases("refused");

	tcase_add_loop_test(t, bad_mirrors_are_told, 0, ARRAY_SIZE(bad_modes));
	tcase_add_test(t, bad_packages_are_told);
	tcase_add_test(t, nobody_there);
	tcase_add_test(t, absent_suites_and_components);
	tcase_add_loop_test(t, forged_inreleases_are_refused, 0, ARRAY_SIZE(forgeries));
	tcase_add_test(t, a_detached_signature_counts_as_much);
	tcase_add_test(t, only_keys_of_the_keyring_count);
	tcase_add_test(t, a_trusted_entry_needs_no_signature);
	tcase_add_test(t, expired_and_future_releases);
	tcase_add_test(t, another_suites_release_is_refused);
	tcase_add_test(t, a_mirror_that_changes_in_between);
	suite_add_tcase(suite, t);
}

int main(void)
{
	return fixture_main("archive-trust", add_tests);
}
