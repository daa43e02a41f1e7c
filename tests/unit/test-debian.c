// SPDX-License-Identifier: GPL-2.0-or-later
/* The archive module's readers, without a network: sources, stanzas, versions, dates. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

static struct error err = ERROR_INIT;

#define OK(call) ck_ok(call, &err)
#define FAILS(call, errnum, part) ck_fails(call, errnum, part, &err)

/* ---- stanzas ---- */

START_TEST(stanzas_are_read_field_by_field)
{
	static const char text[] =
		"\n# a comment\nPackage: one\nVersion:1.0  \nDescription: short\n"
		" long line\n# in between\n .\n last\n\n  \nPackage: two\nEmpty:\npackage: again\n";
	cleanup_deb822 struct deb822 d = DEB822_INIT;

	deb822_init_mem(&d, text, sizeof(text) - 1, "t");
	ck_assert_int_eq(deb822_next(&d, &err), 1);
	ck_assert_str_eq(deb822_get(&d, "package"), "one");
	ck_assert_str_eq(deb822_get(&d, "Version"), "1.0");
	ck_assert_str_eq(deb822_get(&d, "Description"), "short\n long line\n .\n last");
	ck_assert_ptr_null(deb822_get(&d, "Pack"));
	ck_assert_int_eq(deb822_next(&d, &err), 1);
	ck_assert_str_eq(deb822_get(&d, "Package"), "again");
	ck_assert_str_eq(deb822_get(&d, "Empty"), "");
	ck_assert_ptr_null(deb822_get(&d, "Version"));
	ck_assert_int_eq(deb822_next(&d, &err), 0);
	ck_assert_int_eq(deb822_next(&d, &err), 0);
}
END_TEST

static const struct {
	const char *text, *complaint;
} bad_stanzas[] = {
	{ "Package: a\nnonsense\n", "t:2: expected 'Field: value'" },
	{ " continued\n", "t:1: a continuation line without a field" },
	{ "A: b\n\n: no name\n", "t:3: expected" },
	{ "two words: x\n", "t:1: expected" },
	{ "-----BEGIN: x\n", "t:1: expected" },
};

START_TEST(bad_stanzas_are_told_by_line)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	int ret;

	deb822_init_mem(&d, bad_stanzas[_i].text, strlen(bad_stanzas[_i].text), "t");
	while ((ret = deb822_next(&d, &err)) > 0)
		;
	FAILS(ret, EBADMSG, bad_stanzas[_i].complaint);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;

	deb822_init_mem(&d, "A: b\0c\n", 7, "t");
	FAILS(deb822_next(&d, &err), EBADMSG, "NUL");
}
END_TEST

/* Stanzas across the edges of what is read at a time. */
START_TEST(files_of_many_stanzas_are_streamed)
{
	cleanup_close int fd = memfd_create("stanzas", MFD_CLOEXEC);
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	enum { N = 20000 };

	for (int i = 0; i < N; i++)
		sb_addf(&text, "Number: %d\nText: %.*s\n x\n\n", i, i % 97,
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	OK(write_full(fd, text.s, text.len));
	lseek(fd, 0, SEEK_SET);
	deb822_init_fd(&d, fd, "t");
	for (int i = 0; i < N; i++) {
		cleanup_free char *number = xasprintf("%d", i);

		ck_assert_int_eq(deb822_next(&d, &err), 1);
		ck_assert_str_eq(deb822_get(&d, "number"), number);
		ck_assert_uint_eq(strlen(deb822_get(&d, "Text")), (size_t)i % 97 + 3);
	}
	ck_assert_int_eq(deb822_next(&d, &err), 0);
}
END_TEST

/* ---- versions: deb-version(7) and dpkg's own test cases ---- */

static const char *const ascending[] = {
	"0~~", "0~~a", "0~", "0", "0-1", "0a", "0+", "1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1.1",
	"1.0a-1", "1.0+dfsg-1", "1.0.1", "1.9-1", "1.10-1", "7.2.12-1~bpo13+1", "7.2.12-1",
	"7.3.4-1~bpo13+1", "10", "99999999999999999999999999", "1:0.1", "1:0.1-0.1", "2:0",
};

START_TEST(versions_compare_as_in_dpkg)
{
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ascending); k++) {
			int cmp = deb_version_cmp(ascending[i], ascending[k]);

			ck_assert_msg((cmp > 0) - (cmp < 0) == (i > k) - (i < k),
				      "'%s' and '%s': %d", ascending[i], ascending[k], cmp);
		}
	}
	ck_assert_int_eq(deb_version_cmp("0:1.0-0", "1.0"), 0);
	ck_assert_int_eq(deb_version_cmp("1.00", "1.0"), 0);
}
END_TEST

/* ---- dates ---- */

START_TEST(dates_of_release_files)
{
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 UTC"), 1795227046);
	ck_assert_int_eq(debian_release_date("Thu,  1 Jan 1970 00:00:00 UTC"), 0);
	ck_assert_int_eq(debian_release_date("Fri, 29 Feb 2036 23:59:59 +0000"), 2087942399);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 Z"), 1795227046);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 gmt"), 1795227046);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 -0000"), 1795227046);
	/* apt knows no zone but UTC; what has another would be refused by it */
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 04:10:46 +0200"), 1795227046);
	ck_assert_int_eq(debian_release_date("Fri, 20 Nov 2026 20:40:46 -0530"), 1795227046);
	ck_assert_int_eq(debian_release_date("Thu,  1 Jan 1970 00:00:00 +0100"), -1);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 +9900"), -1);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 +02:00"), -1);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 CET"), -1);
	ck_assert_int_eq(debian_release_date("Sat, 21 ovN 2026 02:10:46 UTC"), -1);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 25:10:46 UTC"), -1);
	ck_assert_int_eq(debian_release_date("Sat, 21 Nov 2026 02:10:46 UTC and more"), -1);
	ck_assert_int_eq(debian_release_date(""), -1);
}
END_TEST

/* ---- sources ---- */

/* What the entries say, in one line each. */
static char *describe(const struct debian_sources *s)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	for (size_t i = 0; i < s->n; i++) {
		const struct debian_source *x = &s->v[i];
		cleanup_free char *components = strv_join(&x->components, ",");
		cleanup_free char *archs = strv_join(&x->architectures, ",");
		cleanup_free char *rings = strv_join(&x->keyrings, ",");
		cleanup_free char *prints = strv_join(&x->fingerprints, ",");
		cleanup_free char *more = strv_join(&x->more_architectures, ",");
		cleanup_free char *less = strv_join(&x->less_architectures, ",");

		sb_addf(&sb, "%s %s %s [%s%s%s%s%s] [%s] [%s]%s%s%s%s%s\n", x->uri, x->suite,
			components, archs, *more ? "+" : "", more, *less ? "-" : "", less, rings,
			prints, x->key ? " key" : "", x->trusted ? " trusted" : "",
			x->no_valid_until ? " old" : "", x->allow_insecure ? " insecure" : "",
			x->no_date ? " undated" : "");
	}
	return sb_steal(&sb);
}

static const struct {
	const char *text, *says;
} sources[] = {
	{ "# nothing\n\n", "" },
	{ "deb http://a.example/debian/ pen main contrib # more\n"
	  "deb-src http://a.example/d pen main\n",
	  "http://a.example/debian pen main,contrib [] [] []\n" },
	{ "  deb [ arch=amd64,i386 signed-by=/k.gpg trusted=yes check-valid-until=no ] "
	  "https://a.example/x pen/updates main",
	  "https://a.example/x pen/updates main [amd64,i386] [/k.gpg] [] trusted old\n" },
	{ "deb [signed-by=0123456789abcdef!] file:/srv/a ./\n",
	  "file:///srv/a ./ [] [] []\n"
	  /* the fingerprint is filled in below */ },
	{ "deb /srv/a%20b pen main", "file:///srv/a%2520b pen main [] [] []\n" },
	{ "Types: deb deb-src\nURIs: http://a.example/debian http://b.example/debian\n"
	  "Suites: pen pen-more\nComponents: main\n contrib\nSigned-By: /k.gpg\n\n"
	  "# off\nEnabled: no\nTypes: deb\nURIs: http://c.example\nSuites: x\nComponents: main\n",
	  "http://a.example/debian pen main,contrib [] [/k.gpg] []\n"
	  "http://a.example/debian pen-more main,contrib [] [/k.gpg] []\n"
	  "http://b.example/debian pen main,contrib [] [/k.gpg] []\n"
	  "http://b.example/debian pen-more main,contrib [] [/k.gpg] []\n" },
	{ "Types: deb\nURIs: http://a.example/\nSuites: ./\nTrusted: yes\nSigned-By:\n"
	  " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n AAAA\n -----END PGP PUBLIC KEY BLOCK-----\n",
	  "http://a.example ./  [] [] [] key trusted\n" },
	{ "Types: deb-src\nURIs: http://a.example/\nSuites: x\nComponents: main\n", "" },
	/* each of these as apt 2.6.1 has them */
	{ "deb http://a.example/x /\ndeb http://a.example/x /sub/\n",
	  "http://a.example/x ./  [] [] []\nhttp://a.example/x sub/  [] [] []\n" },
	{ "Types: deb\nURIs: http://a.example/x\nSuites: /\n",
	  "http://a.example/x ./  [] [] []\n" },
	{ "deb [ signed-by=\"/a.gpg\" arch=\"amd64\" ] \"http://a.example/x y/\" pen main\r\n",
	  "http://a.example/x%20y pen main [amd64] [/a.gpg] []\n" },
	{ "deb [arch=i386 arch+=amd64,arm64 arch-=i386] http://a.example pen main",
	  "http://a.example pen main [i386+amd64,arm64-i386] [] []\n" },
	{ "Types: deb\nURIs: http://a.example\nSuites: pen\nComponents: main\n"
	  "Architectures-Remove: amd64\nArchitectures-Add: i386 arm64\n",
	  "http://a.example pen main [+i386,arm64-amd64] [] []\n" },
	{ "deb http://a.example/$(ARCH)/x-$(ARCH) $(ARCH)/$(ARCH)/",
	  "http://a.example/amd64/x-amd64 amd64/amd64/  [] [] []\n" },
	{ "deb copy:/srv/a pen main\ndeb copy:///srv/b/ pen main\ndeb file:///srv/c pen main",
	  "file:///srv/a pen main [] [] []\nfile:///srv/b pen main [] [] []\n"
	  "file:///srv/c pen main [] [] []\n" },
	{ "deb [foo=bar allow-insecure=yes check-date=no] http://a.example pen main",
	  "http://a.example pen main [] [] [] insecure undated\n" },
	{ "Types: deb\r\nURIs: http://a.example/x\r\nSuites: pen\r\nComponents: main\r\n\r\n"
	  "Types: deb\r\nURIs: http://b.example/x\r\nSuites: pen\r\nComponents: main\r\n",
	  "http://a.example/x pen main [] [] []\nhttp://b.example/x pen main [] [] []\n" },
	{ "Types: deb\nURIs:\n http://a.example/x\n http://b.example\nSuites: pen\n"
	  "Components: main\n contrib\nSigned-By:\n",
	  "http://a.example/x pen main,contrib [] [] []\nhttp://b.example pen main,contrib [] [] []\n" },
	/* a line of blanks ends nothing, and the last of two counts */
	{ "Types: deb\nURIs: http://a.example/x\nSuites: pen\nComponents: main\n  \n"
	  "Types: deb\nURIs: http://b.example/x\nSuites: pen\nComponents: main\n",
	  "http://b.example/x pen main [] [] []\n" },
	{ "Enabled: no\nTypes: deb\n", "" },
};

START_TEST(sources_in_both_formats)
{
	cleanup_debian_sources struct debian_sources s = DEBIAN_SOURCES_INIT;

	OK(debian_sources_parse(&s, sources[_i].text, "t", &err));
	if (s.n && s.v[0].fingerprints.n) {
		ck_assert_str_eq(s.v[0].fingerprints.v[0], "0123456789ABCDEF");
		ck_assert_str_eq(s.v[0].uri, "file:///srv/a");
		ck_assert_uint_eq(s.n, 1);
		return;
	}

	cleanup_free char *says = describe(&s);

	ck_assert_str_eq(says, sources[_i].says);
}
END_TEST

static const struct {
	const char *text, *complaint;
} bad_sources[] = {
	{ "deb http://a.example/\n", "t:1: expected 'deb [options] URI suite component...'" },
	{ "\nrpm http://a.example/ x main", "t:2: expected" },
	{ "deb http://a.example/ pen", "t:1: suite 'pen' of 'http://a.example' needs a component" },
	{ "deb http://a.example/ ./ main", "takes no components" },
	{ "deb http://a.example/ ../up main", "'../up' is not a suite" },
	{ "deb http://a.example/ pen ../main", "'../main' is not a component" },
	{ "deb [arch=x http://a.example/ pen main", "'[' without ']'" },
	{ "deb [arch] http://a.example/ pen main", "option 'arch' has no value" },
	{ "deb [arch=\"x] http://a.example/ pen main", "a quote that is not closed" },
	{ "deb \"http://a.example/ pen main", "a quote that is not closed" },
	{ "deb http://a.example/ pen \"ma/../../in\"", "is not a component" },
	{ "deb cdrom:[x]/ pen main", "'cdrom:[x]/' is not a mirror" },

	{ "Types: deb\nURIs: http://a.example/\n", "no Types, URIs or Suites" },
	{ "Types: deb\nnonsense\n", "t:2: expected 'Field: value'" },
};

START_TEST(bad_sources_are_usage_errors_with_a_line)
{
	cleanup_debian_sources struct debian_sources s = DEBIAN_SOURCES_INIT;
	int ret = debian_sources_parse(&s, bad_sources[_i].text, "t", &err);

	ck_assert_int_lt(ret, 0);
	ck_assert_msg(err.kind == ERR_USAGE, "%s", err_text(&err));
	ck_assert_msg(strstr(err_text(&err), bad_sources[_i].complaint), "%s", err_text(&err));
	err_release(&err);
}
END_TEST

START_TEST(addresses_are_encoded)
{
	static const struct {
		const char *path, *url;
	} cases[] = {
		{ "pool/a/a_1+b~c:1_all.deb", "http://x/d/pool/a/a_1+b~c:1_all.deb" },
		{ "a b%3a", "http://x/d/a%20b%253a" },
		{ "\303\274", "http://x/d/%C3%BC" },
		{ "a?b#c", "http://x/d/a%3Fb%23c" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free char *url = fetch_url_join("http://x/d", cases[i].path);

		ck_assert_str_eq(url, cases[i].url);
	}
	ck_assert(fetch_path_is_below("a/b"));
	ck_assert(fetch_path_is_below("a..b/..c"));
	ck_assert(!fetch_path_is_below("a/../b"));
	ck_assert(!fetch_path_is_below(".."));
	ck_assert(!fetch_path_is_below("a/.."));
	ck_assert(!fetch_path_is_below("/a"));
	ck_assert(!fetch_path_is_below(""));
}
END_TEST

/* ---- the mirror ---- */

START_TEST(the_mirror_is_the_option_then_the_environment)
{
	cleanup_free char *a = NULL, *b = NULL, *c = NULL, *d = NULL;

	setenv("UMLCAGE_MIRROR", "http://env.example/debian/", 1);
	OK(debian_mirror_find("https://option.example/x", &a, NULL, &err));
	ck_assert_str_eq(a, "https://option.example/x");
	OK(debian_mirror_find(NULL, &b, NULL, &err));
	ck_assert_str_eq(b, "http://env.example/debian");
	OK(debian_mirror_find("/srv/mirror", &c, NULL, &err));
	ck_assert_str_eq(c, "file:///srv/mirror");
	FAILS(debian_mirror_find("ftp://old.example", &d, NULL, &err), EINVAL, "is not a mirror");
}
END_TEST

static void put(const char *top, const char *path, const char *text)
{
	cleanup_free char *full = path_join(top, path);

	OK(file_replace(AT_FDCWD, full, text, strlen(text), 0600, &err));
}

START_TEST(the_hosts_sources_are_all_read)
{
	char top[UNIT_PATH];
	cleanup_debian_sources struct debian_sources s = DEBIAN_SOURCES_INIT;

	unit_dir(top, "umlcage-cache");

	cleanup_free char *dir = path_join(top, "etc/apt/sources.list.d");

	debian_sources_host(&s, top);
	ck_assert_uint_eq(s.n, 0);
	OK(make_dirs(AT_FDCWD, dir, 0700, &err));
	put(top, "etc/apt/sources.list", "deb http://a.example/ pen main\n");
	put(dir, "b.list", "deb http://b.example/ pen main\n");
	put(dir, "a.sources", "Types: deb\nURIs: http://c.example\nSuites: x\nComponents: main\n");
	put(dir, "c.list.save", "deb http://no.example/ pen main\n");
	debian_sources_host(&s, top);

	cleanup_free char *says = describe(&s);

	OK(remove_tree(AT_FDCWD, top, &err));
	ck_assert_str_eq(says, "http://a.example pen main [] [] []\n"
			 "http://c.example x main [] [] []\nhttp://b.example pen main [] [] []\n");
}
END_TEST

static const struct {
	const char *file, *text, *skipped;
} unusable[] = {
	{ "sources.list", "deb http://a.example/\n", "sources.list:1: expected 'deb" },
	{ "sources.list", "\nnonsense\n", "sources.list:2: expected 'deb" },
	{ "sources.list", "deb cdrom:[Debian 12]/ pen main\n", "cdrom:" },
	{ "sources.list.d/x.list", "deb tor+http://x.example/ pen main\n", "tor+http:" },
	{ "sources.list.d/x.sources", "Types: deb\nURIs: http://x.example\n", "no Types" },
	{ "sources.list.d/x.sources", "Types: deb\nnonsense\n", "x.sources:2: expected 'Field" },
	{ "sources.list.d/x.sources", "Types: deb\nURIs: http://x.example\nSuites: /\n"
	  "Components: main\n", "takes no components" },
};

START_TEST(what_cannot_be_used_of_the_hosts_is_passed_over)
{
	char top[UNIT_PATH];
	cleanup_debian_sources struct debian_sources s = DEBIAN_SOURCES_INIT;

	unit_dir(top, "umlcage-cache");

	cleanup_free char *apt = path_join(top, "etc/apt");
	cleanup_free char *dir = path_join(apt, "sources.list.d");

	OK(make_dirs(AT_FDCWD, dir, 0700, &err));
	put(dir, "good.list", "deb http://a.example/ pen main\ndeb [arch-=i386] "
	    "http://b.example/ /\n");
	put(apt, unusable[_i].file, unusable[_i].text);
	debian_sources_host(&s, top);
	OK(remove_tree(AT_FDCWD, top, &err));

	cleanup_free char *says = describe(&s);

	ck_assert_str_eq(says, "http://a.example pen main [] [] []\n"
			 "http://b.example ./  [-i386] [] []\n");
	ck_assert_uint_eq(s.skipped.n, 1);
	ck_assert_msg(strstr(s.skipped.v[0], unusable[_i].skipped), "%s", s.skipped.v[0]);
}
END_TEST

START_TEST(a_list_of_mirrors_is_asked_by_priority)
{
	cleanup_debian_sources struct debian_sources s = DEBIAN_SOURCES_INIT;
	char path[UNIT_PATH + 8];
	cleanup_close int fd = -1;
	static const char list[] = "# ours\nhttp://c.example/x\tpriority:3\n"
				   "ftp://no.example/ priority:1\nhttp://d.example\r\n"
				   "file:/srv/a priority:1 type:index\n\nhttps://b.example/\tpriority:2\n";

	unit_dir(path, "mirrors");
	strcat(path, "/list");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_eq(write_full(fd, list, sizeof(list) - 1), 0);

	cleanup_free char *line = xasprintf("deb mirror+file:%s pen main\n", path);

	OK(debian_sources_parse(&s, line, "t", &err));

	cleanup_free char *others = strv_join(&s.v[0].alternates, " ");

	ck_assert_str_eq(s.v[0].uri, "file:///srv/a");
	ck_assert_str_eq(others, "https://b.example http://c.example/x http://d.example");
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	FAILS(debian_sources_parse(&s, line, "t", &err), EINVAL, "has no address");
	unlink(path);
}
END_TEST

/* ---- the cache ---- */

#define HASH_A "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HASH_B "3cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

START_TEST(files_that_nobody_used_for_long_go)
{
	static const struct {
		const char *name;
		int days;
		bool stays;
	} files[] = {
		{ HASH_A, 15, false },		{ HASH_B, 13, true },
		{ HASH_B ".xz", 15, false },	{ "partial/" HASH_A ".xz", 15, false },
		{ "partial/" HASH_B, 1, true },	{ "123456_mirror_InRelease", 400, true },
	};
	char top[UNIT_PATH];
	cleanup_close int fd = -1;
	cleanup_free char *path = NULL;

	unit_dir(top, "umlcage-cache");
	OK(fetch_open_dir(top, "indexes", &path, &fd, &err));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct timespec t = { .tv_sec = time(NULL) - files[i].days * 86400 };

		put(path, files[i].name, "x");
		OK(utimensat(fd, files[i].name, (const struct timespec[]){ t, t }, 0));
	}
	fetch_prune(fd, 14);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		ck_assert_msg((faccessat(fd, files[i].name, F_OK, 0) == 0) == files[i].stays, "%s",
			      files[i].name);
	OK(remove_tree(AT_FDCWD, top, &err));
}
END_TEST

/* ---- hashes ---- */

START_TEST(hashes_of_files)
{
	static const char hello[] =
		"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	cleanup_close int fd = memfd_with("x", "hello", 5, &err);

	ck_assert_int_eq(hash_matches(fd, 5, hello), 1);
	ck_assert_int_eq(hash_matches(fd, 4, hello), 0);
	pwrite(fd, "H", 1, 0);
	ck_assert_int_eq(hash_matches(fd, 5, hello), 0);
	ck_assert(hash_valid(hello));
	ck_assert(!hash_valid("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"));
	ck_assert(!hash_valid("2cf2"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("archive");
	TCase *t = tcase_create("readers");

	tcase_add_test(t, stanzas_are_read_field_by_field);
	tcase_add_loop_test(t, bad_stanzas_are_told_by_line, 0, ARRAY_SIZE(bad_stanzas));
	tcase_add_test(t, nul_bytes_are_refused);
	tcase_add_test(t, files_of_many_stanzas_are_streamed);
	tcase_add_test(t, versions_compare_as_in_dpkg);
	tcase_add_test(t, dates_of_release_files);
	tcase_add_loop_test(t, sources_in_both_formats, 0, ARRAY_SIZE(sources));
	tcase_add_loop_test(t, bad_sources_are_usage_errors_with_a_line, 0,
			    ARRAY_SIZE(bad_sources));
	tcase_add_test(t, addresses_are_encoded);
	tcase_add_test(t, the_mirror_is_the_option_then_the_environment);
	tcase_add_test(t, the_hosts_sources_are_all_read);
	tcase_add_loop_test(t, what_cannot_be_used_of_the_hosts_is_passed_over, 0,
			    ARRAY_SIZE(unusable));
	tcase_add_test(t, a_list_of_mirrors_is_asked_by_priority);
	tcase_add_test(t, files_that_nobody_used_for_long_go);
	tcase_add_test(t, hashes_of_files);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
