// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fetching and verifying, against a signed archive made for the occasion
 * (tests/support/make-archive) on a disk and on a web server of the loopback whose
 * faults are part of the address (tests/support/http-server).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs/archive-private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

static struct error err = ERROR_INIT;
static char top[] = "/tmp/umlcage-archive-XXXXXX";	/* everything is below */
static char *fixture, *server_log;	/* the archive on disk; the requests so far */
static unsigned int port;
static char *cache;	/* each test's own */
static struct strv key = STRV_INIT;

#define OK(call) ck_ok(call, &err)
#define FAILS(call, errnum, part) ck_fails(call, errnum, part, &err)

/* ---- tools ---- */

static void run(const char *const *words)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int status;

	strv_addv(&argv, words);
	OK(proc_capture(strv_argv(&argv), 65536, &out, NULL, &status, &err));
	ck_assert_msg(status == 0, "%s: %s", words[0], sb_str(&out));
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })
#define MAKE_ARCHIVE "tests/support/make-archive"

static char *web(const char *mode)
{
	return xasprintf("http://127.0.0.1:%u/%s", port, mode);
}

/* How many requests of the log so far have @part in them. */
static unsigned int requests(const char *part)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	unsigned int n = 0;

	(void)file_read(AT_FDCWD, server_log, 1 << 24, &text, NULL);
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		n += strstr(lines.v[i], part) != NULL;
	return n;
}

struct session {
	struct pkg_config config;
	struct pkg_sources sources;
	struct pkg_archive *a;
};

static void session_open(struct session *s, const char *uri)
{
	*s = (struct session){ .config = { .cache = cache, .keyrings = &key, .stall_seconds = 1 } };
	ck_assert_ptr_nonnull(pkg_sources_add(&s->sources, uri, "pen", "main", &err));
}

static int session_update(struct session *s)
{
	int ret;

	if (!s->a) {
		ret = pkg_archive_open(&s->config, &s->sources, &s->a, &err);
		if (ret < 0)
			return ret;
	}
	return pkg_archive_update(s->a, &err);
}

static void session_close(struct session *s)
{
	pkg_archive_close(s->a);
	pkg_sources_release(&s->sources);
}

/* A session at @uri that is up to date. */
static void session_start(struct session *s, const char *uri)
{
	session_open(s, uri);
	OK(session_update(s));
}

static void session_web(struct session *s, const char *mode)
{
	cleanup_free char *uri = web(mode);

	session_start(s, uri);
}

/* Updating at @mode fails so; nothing is left that counts. */
static void update_fails(const char *mode, int errnum, const char *part)
{
	cleanup_free char *uri = web(mode);
	struct session s;

	session_open(&s, uri);
	s.config.retries = 1;
	FAILS(session_update(&s), errnum, part);
	session_close(&s);
}

static struct strv names;	/* filenames of items, until the end */

static struct pkg_item item_of(struct session *s, const char *pattern)
{
	struct pkg_package p = PKG_PACKAGE_INIT;
	struct pkg_item item = { .fd = -1 };

	OK(pkg_find_newest(s->a, pattern, &p, &err));
	item = (struct pkg_item){ .uri = p.index->base, .filename = p.filename, .size = p.size };
	memcpy(item.sha256, p.sha256, sizeof(item.sha256));
	strv_take(&names, steal_ptr(&p.filename));
	pkg_package_release(&p);
	return item;
}

static int check_fd(struct pkg_item *item, void *arg, struct error *e)
{
	unsigned int *seen = arg;

	(void)e;
	ck_assert_int_eq(hash_matches(item->fd, item->size, item->sha256), 1);
	ck_assert_int_eq(lseek(item->fd, 0, SEEK_CUR), 0);
	++*seen;
	return 0;
}

static int fetch_one(struct session *s, const char *pattern)
{
	struct pkg_item item = item_of(s, pattern);
	unsigned int seen = 0;
	int ret = pkg_fetch(s->a, &item, 1, check_fd, &seen, &err);

	ck_assert_uint_eq(seen, ret == 0);
	return ret;
}

static bool in_cache(struct session *s, const char *pattern)
{
	struct pkg_item item = item_of(s, pattern);
	cleanup_free char *path = pkg_item_path(s->a, item.sha256);

	return access(path, F_OK) == 0;
}

static uint64_t partial_bytes(struct session *s, const char *pattern)
{
	struct pkg_item item = item_of(s, pattern);
	cleanup_free char *path = xasprintf("%s/archives/partial/%s.deb", cache, item.sha256);
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* A copy of the archive to spoil. */
static char *copy_fixture(const char *name)
{
	char *dir = path_join(top, name);

	RUN("cp", "-a", fixture, dir);
	return dir;
}

static void setup(void)
{
	static char template[64];

	snprintf(template, sizeof(template), "%s/cache-XXXXXX", top);
	cache = mkdtemp(template);
	ck_assert_ptr_nonnull(cache);
	OK(truncate(server_log, 0));
}

/* ---- what works ---- */

static const char *const good_modes[] = {
	"plain", "norange", "nolength", "flaky", "redirect", "detached", "nohash", "cut", "stall",
};

START_TEST(packages_come_through_every_curable_fault)
{
	struct session s;
	const struct pkg_index *indexes;

	session_web(&s, good_modes[_i]);
	ck_assert_uint_eq(pkg_indexes(s.a, &indexes), 1);
	ck_assert_str_eq(indexes[0].component, "main");
	ck_assert_str_eq(indexes[0].architecture, pkg_native_architecture());
	ck_assert_int_eq(hash_matches(indexes[0].fd, indexes[0].size, indexes[0].sha256), 1);
	ck_assert_str_eq(pkg_release_at(s.a, 0)->codename, "hutch");
	ck_assert_ptr_null(pkg_release_at(s.a, 1));
	/* of the faults that recur, a megabyte would take too many turns */
	OK(fetch_one(&s, _i < 7 ? "pen-big" : "pen-gz"));
	OK(fetch_one(&s, "pen-versions"));
	ck_assert(in_cache(&s, "pen-versions"));
	session_close(&s);
}
END_TEST

START_TEST(a_directory_is_a_mirror)
{
	struct session s;

	session_start(&s, fixture);
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests(""), 0);
	session_close(&s);
}
END_TEST

START_TEST(the_second_time_only_asks_if_anything_changed)
{
	struct session s;

	session_web(&s, "plain");
	OK(fetch_one(&s, "pen-big"));
	session_close(&s);
	ck_assert_uint_eq(requests("GET"), 3);
	session_web(&s, "plain");
	OK(fetch_one(&s, "pen-big"));
	session_close(&s);
	ck_assert_uint_eq(requests("GET"), 4);
	ck_assert_uint_eq(requests("InRelease - 304"), 1);

	/* and without a network nothing at all */
	cleanup_free char *uri = web("plain");

	session_open(&s, uri);
	s.config.offline = true;
	OK(session_update(&s));
	OK(fetch_one(&s, "pen-big"));
	FAILS(fetch_one(&s, "pen-gz"), ENETDOWN, "not in the cache");
	session_close(&s);
	ck_assert_uint_eq(requests("GET"), 4);
}
END_TEST

START_TEST(many_packages_in_parallel)
{
	struct pkg_item items[40];
	struct pkg_package p = PKG_PACKAGE_INIT;
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	const struct pkg_index *index;
	unsigned int seen = 0;
	struct session s;
	size_t n = 0;

	session_web(&s, "plain");
	ck_assert_uint_eq(pkg_indexes(s.a, &index), 1);
	deb822_init_fd(&d, index->fd, "index");
	while (n < ARRAY_SIZE(items) && deb822_next(&d, &err) > 0) {
		OK(pkg_package_read(&p, &d, index, &err));
		items[n] = (struct pkg_item){ .uri = index->base, .filename = p.filename,
					      .size = p.size };
		strv_take(&names, steal_ptr(&p.filename));
		memcpy(items[n++].sha256, p.sha256, sizeof(p.sha256));
	}
	pkg_package_release(&p);
	ck_assert_uint_eq(n, ARRAY_SIZE(items));
	OK(pkg_fetch(s.a, items, n, check_fd, &seen, &err));
	ck_assert_uint_eq(seen, n);
	/* and from several threads' point of view: handed out once each */
	struct pkg_transfer *t;
	struct pkg_item *item;

	OK(pkg_fetch_start(s.a, items, n, &t, &err));
	for (seen = 0; pkg_fetch_next(t, &item, &err) > 0; seen++)
		close_fd(&item->fd);
	ck_assert_uint_eq(seen, n);
	ck_assert_int_eq(pkg_fetch_next(t, &item, &err), 0);
	pkg_fetch_end(t);
	session_close(&s);
}
END_TEST

static int refuse(struct pkg_item *item, void *arg, struct error *e)
{
	(void)item;
	(void)arg;
	return err_set(e, EDOM, "no more, please");
}

START_TEST(the_caller_can_stop_it)
{
	struct pkg_item items[2];
	struct session s;

	session_web(&s, "plain");
	items[0] = item_of(&s, "pen-big");
	items[1] = item_of(&s, "pen-gz");
	FAILS(pkg_fetch(s.a, items, 2, refuse, NULL, &err), EDOM, "no more");
	session_close(&s);
}
END_TEST

START_TEST(the_newest_is_found)
{
	struct pkg_package p = PKG_PACKAGE_INIT;
	struct session s;

	session_start(&s, fixture);
	OK(pkg_find_newest(s.a, "linux-source-[0-9]*", &p, &err));
	ck_assert_str_eq(p.name, "linux-source-9.1");
	ck_assert_str_eq(p.version, "9.1.2-1~bpo1+1");
	OK(pkg_find_newest(s.a, "pen-versions", &p, &err));
	ck_assert_str_eq(p.version, "1:0.5-1");
	FAILS(pkg_find_newest(s.a, "pen-nothing*", &p, &err), ENOENT, "pen-nothing*");
	pkg_package_release(&p);
	session_close(&s);
}
END_TEST

START_TEST(a_proxy_from_the_environment_is_used)
{
	cleanup_free char *proxy = web("");
	struct session s;

	setenv("http_proxy", proxy, 1);
	session_start(&s, "http://mirror.invalid/plain");
	OK(fetch_one(&s, "pen-gz"));
	session_close(&s);
	ck_assert_uint_eq(requests("proxy GET plain"), 3);
	/* and left out where it is not wanted */
	setenv("no_proxy", "127.0.0.1", 1);
	session_web(&s, "plain");
	session_close(&s);
	ck_assert_uint_eq(requests("proxy GET"), 3);
}
END_TEST

/* Releases with binary-all apart, only zstd, without hash of the plain text listed. */
static const char *const shapes[][6] = {
	{ "--split-all", "--forms", ",.xz" },
	{ "--forms", ",.zst", "--hide-plain" },
	{ "--forms", ".gz" },
	{ "--forms", ".bz2,.xz", "--no-by-hash" },
	{ "--forms", "" },
};

START_TEST(indexes_in_every_shape)
{
	cleanup_free char *dir = xasprintf("%s/shape-%d", top, _i);
	cleanup_free char *keys = path_join(fixture, "gnupg"), *ours = path_join(dir, "gnupg");
	cleanup_strv struct strv argv = STRV_INIT;
	const struct pkg_index *indexes;
	struct session s;

	OK(make_dirs(AT_FDCWD, dir, 0700, &err));
	RUN("cp", "-a", keys, ours);
	strv_addv(&argv, (const char *const[]){ MAKE_ARCHIVE, dir, NULL });
	strv_addv(&argv, shapes[_i]);
	run((const char *const *)strv_argv(&argv));
	session_start(&s, dir);
	ck_assert_uint_eq(pkg_indexes(s.a, &indexes), _i == 0 ? 2 : 1);
	OK(fetch_one(&s, "pen-native"));
	OK(fetch_one(&s, "pen-gz"));
	session_close(&s);
}
END_TEST

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
		{ "wrong", "its sha256 is" }, { "longer", "is larger than" }, { "nopool", "404" },
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
	ck_assert_ptr_nonnull(pkg_sources_add(&s.sources, fixture, "nosuch", "main", &err));
	FAILS(session_update(&s), ENOENT, "no suite 'nosuch'");
	session_close(&s);
	session_open(&s, fixture);
	pkg_sources_add(&s.sources, fixture, "nosuch", "main", &err)->optional = true;
	OK(session_update(&s));
	session_close(&s);
	session_open(&s, fixture);
	ck_assert_ptr_nonnull(pkg_sources_add(&s.sources, fixture, "pen", "contrib", &err));
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
	{ "-----END PGP SIGNATURE-----\n", "-----END PGP SIGNATURE-----\nSHA256:\n", "nothing else" },
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
	ck_assert_uint_eq(strlen(pkg_release_at(s.a, 0)->signer), 40);
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
	ck_assert_ptr_null(pkg_release_at(s.a, 0)->signer);
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
	ck_assert_ptr_null(pkg_release_at(s.a, 0));
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
	ck_assert_str_eq(pkg_release_at(s.a, 0)->codename, "moved");
	OK(fetch_one(&s, "pen-gz"));
	session_close(&s);
}
END_TEST

/* ---- the cache ---- */

START_TEST(a_spoilt_cache_is_found_out)
{
	struct session s;
	struct pkg_item item;

	session_web(&s, "plain");
	OK(fetch_one(&s, "pen-big"));
	item = item_of(&s, "pen-big");

	cleanup_free char *path = pkg_item_path(s.a, item.sha256);
	cleanup_close int fd = open(path, O_WRONLY);
	const struct pkg_index *index;

	ck_assert_int_eq(pwrite(fd, "spoilt", 6, 1000), 6);
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb - 200"), 2);
	/* an index, too */
	ck_assert_uint_eq(pkg_indexes(s.a, &index), 1);
	OK(truncate(index->path, 100));
	session_close(&s);
	session_web(&s, "plain");
	ck_assert_uint_eq(requests("by-hash"), 2);
	session_close(&s);
}
END_TEST

START_TEST(what_is_left_of_a_download_is_resumed)
{
	struct session s;
	struct pkg_item item;

	session_web(&s, "plain");
	item = item_of(&s, "pen-big");

	cleanup_free char *deb = path_join(fixture, item.filename);
	cleanup_free char *part = xasprintf("%s/archives/partial/%s.deb", cache, item.sha256);

	RUN("cp", deb, part);
	OK(truncate(part, 1000000));
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("bytes=1000000- 206"), 1);

	/* a part that is wrong costs a second try, not the download */
	cleanup_free char *done = pkg_item_path(s.a, item.sha256);

	OK(rename(done, part));
	OK(truncate(part, 1000000));
	cleanup_close int fd = open(part, O_WRONLY);

	ck_assert_int_eq(pwrite(fd, "spoilt", 6, 1000), 6);
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("bytes=1000000- 206"), 2);
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb - 200"), 1);

	/* one that has it all needs no network */
	OK(rename(done, part));
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb"), 3);
	session_close(&s);
}
END_TEST

START_TEST(runs_at_the_same_time_share_one_download)
{
	enum { RUNS = 5 };
	pid_t pids[RUNS];
	int status;

	for (int i = 0; i < RUNS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct session s;

			session_web(&s, "slow");
			OK(fetch_one(&s, "pen-big"));
			session_close(&s);
			_exit(0);
		}
	}
	for (int i = 0; i < RUNS; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb"), 1);
}
END_TEST

START_TEST(a_killed_run_is_carried_on_by_another)
{
	struct session s;
	pid_t pid;
	int status;

	session_web(&s, "slow");
	pid = fork();
	if (pid == 0) {
		struct session own;

		session_web(&own, "slow");
		_exit(fetch_one(&own, "pen-big") < 0);
	}
	while (partial_bytes(&s, "pen-big") < 300000)
		usleep(10000);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb bytes="), 1);
	session_close(&s);
}
END_TEST

START_TEST(an_interrupt_ends_it_soon)
{
	struct session s;
	int64_t began;

	session_web(&s, "slow");
	interrupt_begin();
	ck_assert_int_eq(raise(SIGTERM), 0);
	began = clock_ms();
	FAILS(fetch_one(&s, "pen-big"), EINTR, "interrupted");
	ck_assert_int_lt(clock_ms() - began, 1000);
	session_close(&s);
	/* interrupt_end() would end this process, as it should */
}
END_TEST

/* A limit on the size of files stands in for a full disk. */
START_TEST(no_room_is_told_and_passes)
{
	struct rlimit old, small;
	struct session s;

	session_web(&s, "plain");
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 100000, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	FAILS(fetch_one(&s, "pen-big"), EFBIG, "cannot store 'pen-big_1.0_all.deb' in the cache");
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_uint_eq(partial_bytes(&s, "pen-big"), 0);
	OK(fetch_one(&s, "pen-big"));
	session_close(&s);
}
END_TEST

/* ---- ---- */

static TCase *cases(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	return t;
}

static void add_tests(Suite *suite)
{
	TCase *t = cases("works");

	tcase_add_loop_test(t, packages_come_through_every_curable_fault, 0, ARRAY_SIZE(good_modes));
	tcase_add_test(t, a_directory_is_a_mirror);
	tcase_add_test(t, the_second_time_only_asks_if_anything_changed);
	tcase_add_test(t, many_packages_in_parallel);
	tcase_add_test(t, the_caller_can_stop_it);
	tcase_add_test(t, the_newest_is_found);
	tcase_add_test(t, a_proxy_from_the_environment_is_used);
	tcase_add_loop_test(t, indexes_in_every_shape, 0, ARRAY_SIZE(shapes));
	suite_add_tcase(suite, t);

	t = cases("refused");
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

	t = cases("cache");
	tcase_add_test(t, a_spoilt_cache_is_found_out);
	tcase_add_test(t, what_is_left_of_a_download_is_resumed);
	tcase_add_test(t, runs_at_the_same_time_share_one_download);
	tcase_add_test(t, a_killed_run_is_carried_on_by_another);
	tcase_add_test(t, an_interrupt_ends_it_soon);
	tcase_add_test(t, no_room_is_told_and_passes);
	suite_add_tcase(suite, t);
}

/* Starts the server; *@stop ends it when closed. */
static int start_server(pid_t *pid, int *stop)
{
	char *argv[] = { (char[]){ "tests/support/http-server" }, fixture, server_log, NULL };
	int in[2], out[2];
	char line[32] = "";

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return err_sys(&err, errno, "pipe");

	struct proc_fd fds[] = { { in[0], 0 }, { out[1], 1 }, { 2, 2 } };
	struct proc_opts opts = { .argv = argv, .fds = fds, .nfds = 3 };
	int ret = proc_start(&opts, pid, NULL, &err);

	close(in[0]);
	close(out[1]);
	*stop = in[1];
	for (size_t n = 0; ret == 0 && n < sizeof(line) - 1 && !strchr(line, '\n'); n++)
		if (read(out[0], line + n, 1) != 1)
			ret = err_set(&err, EIO, "the server says nothing");
	close(out[0]);
	port = (unsigned int)atoi(line);
	return ret;
}

static int make_fixture(void)
{
	char *argv[] = { (char[]){ MAKE_ARCHIVE }, fixture, NULL };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int status, ret = proc_capture(argv, 65536, &out, NULL, &status, &err);

	if (ret == 0 && status != 0)
		ret = err_set(&err, EIO, "make-archive: %s", sb_str(&out));
	return ret;
}

int main(void)
{
	Suite *suite = suite_create("archive-fetch");
	int stop = -1, status, ret;
	pid_t pid;

	(void)unsetenv("http_proxy");
	(void)unsetenv("no_proxy");
	if (!mkdtemp(top))
		return EXIT_FAILURE;
	fixture = path_join(top, "fixture");
	server_log = path_join(top, "log");
	strv_take(&key, path_join(fixture, "key.gpg"));
	ret = make_fixture();
	if (ret == 0)
		ret = file_replace(AT_FDCWD, server_log, "", 0, 0600, &err);
	if (ret == 0)
		ret = start_server(&pid, &stop);
	if (ret < 0) {
		fprintf(stderr, "%s\n", err_text(&err));
		remove_tree(AT_FDCWD, top, NULL);
		return EXIT_FAILURE;
	}
	add_tests(suite);
	ret = unit_run(suite);
	close(stop);
	(void)proc_wait(pid, &status, NULL);
	remove_tree(AT_FDCWD, top, NULL);
	return ret;
}
