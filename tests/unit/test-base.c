// SPDX-License-Identifier: GPL-2.0-or-later
/* The base layer: errors, strings, numbers, vectors, option tables, XDG paths. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/error.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/opts.h"
#include "umlcage/base/str.h"
#include "umlcage/base/xdg.h"

START_TEST(times_in_utc)
{
	static const struct {
		int64_t when;
		const char *format, *text;
	} times[] = {
		{ 0, UTC_RFC_3339, "1970-01-01T00:00:00Z" },
		{ 951782400, UTC_RFC_5322, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ -1, UTC_RFC_3339, "1969-12-31T23:59:59Z" },
		{ INT64_MAX, UTC_RFC_3339, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		cleanup_free char *text = utc_text(times[i].when, times[i].format);

		ck_assert_str_eq(text, times[i].text);
	}
}
END_TEST

START_TEST(error_fill_wrap_hint)
{
	struct error e = ERROR_INIT, to = ERROR_INIT;

	ck_assert_str_eq(err_text(&e), "unknown error");
	ck_assert_int_eq(err_set(&e, ENOENT, "no '%s'", "x"), -ENOENT);
	ck_assert_str_eq(err_text(&e), "no 'x'");
	ck_assert_int_eq(err_wrap(&e, "stage %d", 2), -ENOENT);
	ck_assert_str_eq(err_text(&e), "stage 2: no 'x'");
	ck_assert_int_eq(err_hint(&e, "make one"), -ENOENT);
	ck_assert_str_eq(err_text(&e), "stage 2: no 'x'; make one");
	ck_assert_int_eq(err_move(&to, &e), -ENOENT);
	ck_assert_ptr_null(e.text);
	ck_assert_int_eq(e.errnum, 0);
	ck_assert_str_eq(err_text(&to), "stage 2: no 'x'; make one");
	ck_assert_int_eq(err_sys(&to, EACCES, "open"), -EACCES);
	ck_assert_str_eq(err_text(&to), "open: Permission denied");
	ck_assert(to.kind != ERR_USAGE);
	ck_assert_int_eq(err_usage(&to, "bad"), -EINVAL);
	ck_assert(to.kind == ERR_USAGE);
	/* a real failure clears the mark of bad usage */
	ck_assert_int_eq(err_set(&to, 0, "late"), -EIO);
	ck_assert(to.kind != ERR_USAGE);
	/* nobody wants the text */
	ck_assert_int_eq(err_set(NULL, EBUSY, "x"), -EBUSY);
	err_release(&to);
	err_release(&to);
}
END_TEST

START_TEST(strbuf_holds_any_bytes)
{
	struct strbuf sb = STRBUF_INIT;

	ck_assert_str_eq(sb_str(&sb), "");
	for (int i = 0; i < 100000; i++)
		sb_addc(&sb, (char)i);
	ck_assert_uint_eq(sb.len, 100000);
	for (int i = 0; i < 100000; i++)
		ck_assert_int_eq((unsigned char)sb.s[i], i & 255);
	ck_assert_int_eq(sb.s[sb.len], 0);
	sb_reset(&sb);
	sb_addf(&sb, "%s-%d", "n", 5);
	sb_adds(&sb, "");
	ck_assert_str_eq(sb_str(&sb), "n-5");

	char *s = sb_steal(&sb);

	ck_assert_str_eq(s, "n-5");
	ck_assert_ptr_null(sb.s);
	free(s);
	s = sb_steal(&sb);
	ck_assert_str_eq(s, "");
	free(s);
}
END_TEST

START_TEST(strbuf_that_nothing_came_into)
{
	struct strbuf sb = STRBUF_INIT;

	/* memory that had something else in it */
	for (int i = 0; i < 100; i++)
		free(memset(xmalloc(200), 'x', 200));
	(void)sb_reserve(&sb, 100);
	ck_assert_str_eq(sb_str(&sb), "");
	sb_release(&sb);
}
END_TEST

START_TEST(strv_split_sort_join)
{
	struct strv sv = STRV_INIT;

	ck_assert_ptr_nonnull(strv_argv(&sv));
	ck_assert_ptr_null(strv_argv(&sv)[0]);
	strv_split(&sv, ",b,,a c,", ", ");
	ck_assert_uint_eq(sv.n, 3);
	strv_sort(&sv);

	char *joined = strv_join(&sv, "|");

	ck_assert_str_eq(joined, "a|b|c");
	free(joined);
	ck_assert(strv_has(&sv, "b"));
	ck_assert(!strv_has(&sv, "bb"));
	for (int i = 0; i < 1000; i++)
		strv_addf(&sv, "%d", i);
	ck_assert_uint_eq(sv.n, 1003);
	ck_assert_str_eq(sv.v[1002], "999");
	ck_assert_ptr_null(strv_argv(&sv)[1003]);
	strv_release(&sv);
}
END_TEST

static const struct {
	const char *text;
	int ret;
	uint64_t value;
} sizes[] = {
	{ "0", 0, 0 }, { "17", 0, 17 }, { "4K", 0, 4096 }, { "4k", 0, 4096 }, { "1M", 0, 1 << 20 },
	{ "2GiB", 0, 2ULL << 30 }, { "1TB", 0, 1ULL << 40 }, { "12B", 0, 12 },
	{ "16777215T", 0, 16777215ULL << 40 }, { "16777216T", -ERANGE, 0 },
	{ "18446744073709551615", 0, UINT64_MAX }, { "18446744073709551616", -ERANGE, 0 },
	{ "", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { "+1", -EINVAL, 0 }, { " 1", -EINVAL, 0 },
	{ "1 ", -EINVAL, 0 }, { "1X", -EINVAL, 0 }, { "1iB", -EINVAL, 0 }, { "1KK", -EINVAL, 0 },
	{ "K", -EINVAL, 0 }, { "0x10", -EINVAL, 0 }, { "1.5G", -EINVAL, 0 },
};

START_TEST(size_parsing)
{
	uint64_t value = 0;
	int ret = parse_size(sizes[_i].text, &value);

	ck_assert_msg(ret == sizes[_i].ret, "'%s': %d", sizes[_i].text, ret);
	if (ret == 0)
		ck_assert_uint_eq(value, sizes[_i].value);
}
END_TEST

static const struct {
	const char *text;
	int ret;
	uint64_t ms;
} durations[] = {
	{ "90", 0, 90000 }, { "90s", 0, 90000 }, { "1.5m", 0, 90000 }, { "2h", 0, 7200000 },
	{ "250ms", 0, 250 }, { "1d", 0, 86400000 }, { "0", 0, 0 }, { "0.25", 0, 250 },
	{ "0.0005s", 0, 0 }, { "1.9999999999999999999s", 0, 1999 },
	{ "", -EINVAL, 0 }, { ".5", -EINVAL, 0 }, { "1.", -EINVAL, 0 }, { "1x", -EINVAL, 0 },
	{ "-1", -EINVAL, 0 }, { "1 s", -EINVAL, 0 }, { "99999999999999999999", -ERANGE, 0 },
};

START_TEST(duration_parsing)
{
	uint64_t ms = 0;
	int ret = parse_duration(durations[_i].text, &ms);

	ck_assert_msg(ret == durations[_i].ret, "'%s': %d", durations[_i].text, ret);
	if (ret == 0)
		ck_assert_uint_eq(ms, durations[_i].ms);
}
END_TEST

START_TEST(number_parsing)
{
	uint64_t value = 7;

	ck_assert_int_eq(parse_u64("755", 8, UINT64_MAX, &value), 0);
	ck_assert_uint_eq(value, 0755);
	ck_assert_int_eq(parse_u64("8", 8, UINT64_MAX, &value), -EINVAL);
	ck_assert_int_eq(parse_u64("fFfF", 16, 0xffff, &value), 0);
	ck_assert_uint_eq(value, 0xffff);
	ck_assert_int_eq(parse_u64("10000", 16, 0xffff, &value), -ERANGE);
	ck_assert_int_eq(parse_u64("256", 10, 255, &value), -ERANGE);
	ck_assert_int_eq(parse_u64("5", 10, 3, &value), -ERANGE);
	ck_assert_uint_eq(value, 0xffff);
}
END_TEST

START_TEST(size_formatting)
{
	static const struct { uint64_t bytes; const char *text; } cases[] = {
		{ 0, "0 bytes" }, { 999, "999 bytes" }, { 1000, "1.0 kB" }, { 1440, "1.4 kB" },
		{ 9940, "9.9 kB" }, { 99400, "99 kB" }, { 999900, "1.0 MB" }, { 1400000000, "1.4 GB" },
		{ 5000000000000, "5.0 TB" }, { 5000000000000000, "5000 TB" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = format_size(cases[i].bytes);

		ck_assert_str_eq(text, cases[i].text);
		free(text);
	}
}
END_TEST

START_TEST(paths_and_hex)
{
	static const char *const cases[][3] = {
		{ "a", "b", "a/b" }, { "a/", "b", "a/b" }, { "a", "/b", "a/b" }, { "", "b", "b" },
		{ "/", "b", "/b" },
	};
	char hex[9];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = path_join(cases[i][0], cases[i][1]);

		ck_assert_str_eq(path, cases[i][2]);
		free(path);
	}
	hex_encode("\x00\xff\x1a\x7f", 4, hex);
	ck_assert_str_eq(hex, "00ff1a7f");
	ck_assert(str_starts("abc", "ab") && !str_starts("ab", "abc"));
	ck_assert(str_ends("abc", "bc") && !str_ends("bc", "abc"));
	ck_assert(str_eq(NULL, NULL) && !str_eq(NULL, "") && str_eq("a", "a"));
	ck_assert(str_is_hostname("box-1.example") && !str_is_hostname("") && !str_is_hostname("-x"));
	ck_assert(!str_is_hostname(".x") && !str_is_hostname("a b") && !str_is_hostname("#"));
}
END_TEST

START_TEST(json_strings)
{
	static const struct { const char *bytes; size_t len; const char *json; } cases[] = {
		{ "a\"\\b", 4, "\"a\\\"\\\\b\"" }, { "\0\n\x7f", 3, "\"\\u0000\\u000a\\u007f\"" },
		{ "\xc3\xa9", 2, "\"\xc3\xa9\"" }, { "\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"" },
		/* a lone byte, a cut sequence, an overlong slash, a surrogate, beyond U+10FFFF */
		{ "\xff", 1, "\"\xef\xbf\xbd\"" }, { "\xc3", 1, "\"\xef\xbf\xbd\"" },
		{ "\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct strbuf sb = STRBUF_INIT;

		sb_json_str(&sb, cases[i].bytes, cases[i].len);
		ck_assert_str_eq(sb_str(&sb), cases[i].json);
		sb_release(&sb);
	}
}
END_TEST

struct given {
	bool flag, off;
	int count;
	const char *string;
	struct strv list;
	struct inner {
		unsigned int number;
		uint64_t size, time;
		int calls;
		struct strv passed;
	} inner;
};

static int on_call(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	ck_assert_str_eq(opt->name, "call");
	if (arg && strcmp(arg, "bad") == 0)
		return err_usage(e, "'%s' will not do", arg);
	*(int *)value += arg ? 10 : 1;
	return 0;
}

static const struct opt given_opts[] = {
	{ OPT_HEADING, .help = "things" },
	{ OPT_FLAG, 'f', "flag", NULL, OPT_BOOL(struct given, flag), "h" },
	{ OPT_UNFLAG, 0, "no-off", NULL, OPT_BOOL(struct given, off), "h" },
	{ OPT_COUNT, 'v', "verbose", NULL, OPT_INT(struct given, count), "h" },
	{ OPT_STRING, 's', "string", "S", OPT_STR(struct given, string), "h\nsecond line" },
	{ OPT_LIST, 'l', "list", "L", OPT_STRV(struct given, list), "h" },
	OPT_END,
};

/* A second table, of a struct within the first. */
static const struct opt inner_opts[] = {
	{ OPT_UINT, 0, "number", "N", OPT_UNSIGNED(struct inner, number), "h" },
	{ OPT_SIZE, 0, "size", "N", OPT_U64(struct inner, size), "h" },
	{ OPT_DURATION, 0, "time", "T", OPT_U64(struct inner, time), "h" },
	{ OPT_CALL, 'c', "call", "C", OPT_INT(struct inner, calls), "h", on_call, true },
	{ OPT_FOREIGN, 0, "theirs", "N", 0, "use --number", NULL, false },
	{ OPT_PASS, 0, "pass", "P", OPT_STRV(struct inner, passed), "h" },
	{ OPT_PASS, 0, "pass-flag", NULL, OPT_STRV(struct inner, passed), NULL },
	OPT_END,
};

static const struct opt_group given_groups[] = {
	{ NULL, given_opts, 0 },
	{ "more", inner_opts, offsetof(struct given, inner) },
	{ NULL, NULL, 0 },
};

/* Parses a line of words into @g; *@rest gets the operands joined. */
static int parse(struct given *g, const char *line, bool stop, char **rest, struct error *e)
{
	const struct opt_spec spec = { .usage = "prog [options]", .summary = "Does it.",
				       .groups = given_groups, .stop_at_operand = stop };
	struct strv words = STRV_INIT, left = STRV_INIT;

	strv_split(&words, line, " ");

	int argc = (int)words.n;
	char **argv = xmemdup(words.v, (words.n + 1) * sizeof(*words.v)), **all = argv;
	int ret = opts_parse(&spec, g, &argc, &argv, e);

	if (ret == 0) {
		for (int i = 0; i < argc; i++)
			strv_add(&left, argv[i]);
		*rest = strv_join(&left, " ");
	}
	/* strings point into argv: keep it */
	if (g->string)
		g->string = xstrdup(g->string);
	free(all);
	strv_release(&words);
	strv_release(&left);
	return ret;
}

START_TEST(options_of_every_kind)
{
	struct given g = { .off = true };
	struct error e = ERROR_INIT;
	char *rest = NULL;

	ck_ok(parse(&g, "prog -f x --no-off -vv --verbose -sone --string=two -l a --list b "
		    "--number 7 --size 2K --time 1.5 --call --call=x -c --pass q --pass-flag y -- -z",
		    false, &rest, &e), &e);
	ck_assert(g.flag && !g.off);
	ck_assert_int_eq(g.count, 3);
	ck_assert_str_eq(g.string, "two");
	ck_assert_uint_eq(g.list.n, 2);
	ck_assert_str_eq(g.list.v[1], "b");
	ck_assert_uint_eq(g.inner.number, 7);
	ck_assert_uint_eq(g.inner.size, 2048);
	ck_assert_uint_eq(g.inner.time, 1500);
	ck_assert_int_eq(g.inner.calls, 12);
	ck_assert_uint_eq(g.inner.passed.n, 2);
	ck_assert_str_eq(g.inner.passed.v[0], "--pass=q");
	ck_assert_str_eq(g.inner.passed.v[1], "--pass-flag");
	ck_assert_str_eq(rest, "x y -z");
	free(rest);
	free((char *)g.string);
	strv_release(&g.list);
	strv_release(&g.inner.passed);
}
END_TEST

START_TEST(words_that_were_meant)
{
	static const char *const list[] = { "fabricate", "run", "root", "shell", "share", NULL };
	static const struct { const char *given, *meant; } cases[] = {
		{ "fabrciate", "fabricate" }, { "fabricat", "fabricate" }, { "shel", "shell" },
		{ "rot", "root" }, { "build", NULL }, { "x", NULL }, { "", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = str_closest(cases[i].given, list);

		ck_assert_msg(str_eq(got, cases[i].meant), "'%s' gave '%s'", cases[i].given,
			      got ? got : "nothing");
	}
}
END_TEST

START_TEST(passwords_are_hidden)
{
	static const struct {
		const char *given, *shown;
	} cases[] = {
		{ "cannot download 'https://me:secret@host:80/a@b': no", "cannot download 'https://host:80/a@b': no" },
		{ "http://token@host http://a:b@c", "http://host http://c" },
		{ "http://a:b@c@d/", "http://d/" },
		{ "http://me:a/b@host/x", "http://host/x" },
		{ "http://me:a?b#c@host", "http://host" },
		{ "deb [trusted=yes] http://a:b@[::1]:80/ sid main\nx", "deb [trusted=yes] http://[::1]:80/ sid main\nx" },
		{ "Proxy \"http://a:'b'@c:3128\"; mail me@home", "Proxy \"http://c:3128\"; mail me@home" },
		/* nothing is hidden of what has none */
		{ "http://host/~a@b 'file:///a@b' http://[::1]/@", "http://host/~a@b 'file:///a@b' http://[::1]/@" },
		{ "http://host:80/a@b", "http://host:80/a@b" },
		{ "://", "://" },
		{ "", "" },
	};
	struct error e = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = xstrdup(cases[i].given);

		str_hide_passwords(text);
		ck_assert_str_eq(text, cases[i].shown);
		free(text);
	}
	err_set(&e, EIO, "'%s'", "http://a:b@c/");
	err_wrap(&e, "'%s'", "http://d:e@f/");
	err_hint(&e, "not '%s'", "http://g:h@i/");
	ck_assert_str_eq(err_text(&e), "'http://f/': 'http://c/'; not 'http://i/'");
	err_release(&e);
}
END_TEST

START_TEST(kinds_of_errors)
{
	struct error e = ERROR_INIT;

	err_sys(&e, ENOENT, "x");
	ck_assert_int_eq(err_kind(&e), ERR_ABSENT);
	err_sys(&e, ENOSPC, "x");
	ck_assert_int_eq(err_kind(&e), ERR_DISK);
	err_sys(&e, ETIMEDOUT, "x");
	ck_assert_int_eq(err_kind(&e), ERR_NETWORK);
	ck_assert_int_eq(err_mark(&e, ERR_PACKAGES), -ETIMEDOUT);
	ck_assert_int_eq(err_kind(&e), ERR_PACKAGES);
	err_usage(&e, "x");
	(void)err_mark(&e, ERR_NETWORK);
	ck_assert_int_eq(err_kind(&e), ERR_USAGE);
	err_set(&e, EBADMSG, "x");
	ck_assert_int_eq(err_kind(&e), ERR_OTHER);
	err_release(&e);
}
END_TEST

START_TEST(options_stop_at_operand)
{
	struct given g = { .off = true };
	struct error e = ERROR_INIT;
	char *rest = NULL;

	ck_ok(parse(&g, "prog -f ls -v --nonsense", true, &rest, &e), &e);
	ck_assert_str_eq(rest, "ls -v --nonsense");
	ck_assert_int_eq(g.count, 0);
	free(rest);
	ck_assert_int_eq(parse(&g, "prog --help", true, &rest, &e), 1);
	ck_assert_int_eq(parse(&g, "prog -h", true, &rest, &e), 1);
}
END_TEST

static const char *const bad_lines[][2] = {
	{ "prog --nonsense", "--nonsense" }, { "prog -x", "-x" }, { "prog -fx", "-x" },
	{ "prog --string", "--string" }, { "prog -s", "-s" }, { "prog --number=-1", "--number" },
	{ "prog --number 4294967296", "4294967296" }, { "prog --size=big", "big" },
	{ "prog --time=soon", "soon" }, { "prog --call=bad", "will not do" },
	{ "prog --flag=yes", "option '--flag' takes no argument" },
	{ "prog --nubmer=3", "did you mean '--number'?" }, { "prog --flg", "did you mean '--flag'?" },
	{ "prog --theirs=x", "--theirs: use --number" },
};

START_TEST(options_refused)
{
	struct given g = { .off = true };
	struct error e = ERROR_INIT;
	char *rest = NULL;
	int ret = parse(&g, bad_lines[_i][0], false, &rest, &e);

	ck_assert_msg(ret == -EINVAL, "'%s' was accepted", bad_lines[_i][0]);
	ck_assert(e.kind == ERR_USAGE);
	ck_assert_msg(strstr(err_text(&e), bad_lines[_i][1]), "'%s' gives '%s'", bad_lines[_i][0],
		      err_text(&e));
	err_release(&e);
}
END_TEST

START_TEST(help_lists_every_option)
{
	static const struct opt first[] = {
		{ OPT_FLAG, 'f', "flag", NULL, 0, "one two" },
		{ OPT_FLAG, 0, "hidden", NULL, 0, NULL },
		{ OPT_HEADING, .help = "more" },
		{ OPT_STRING, 0, "a-rather-long-option", "VALUE", 0, "three" },
		{ OPT_FLAG, 0, "long", NULL, 0, "words that take more than the seventy columns which there are, "
		  "so that some have to go to the next line" },
		OPT_END,
	}, second[] = {
		{ OPT_COUNT, 'v', NULL, NULL, 0, "four" },
		OPT_END,
	};
	const struct opt_spec spec = { .usage = "prog [options]", .summary = "Does it.",
				       .groups = OPT_GROUPS({ NULL, first, 0 }, { "last", second, 0 }),
				       .epilogue = "The end.\n  Of which a line is longer than what fits into a hundred "
						   "columns, which is what help has on a wide screen." };
	char text[2048] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	opts_help(&spec, out);
	fclose(out);
	ck_assert_str_eq(text,
		"usage: prog [options]\n\nDoes it.\n\noptions:\n"
		"  -f, --flag                  one two\n"
		"\nmore:\n"
		"      --a-rather-long-option=VALUE\n"
		"                              three\n"
		"      --long                  words that take more than the seventy columns which there are, so that\n"
		"                              some have to go to the next line\n"
		"\nlast:\n"
		"  -v                          four\n"
		"\nThe end.\n"
		"  Of which a line is longer than what fits into a hundred columns, which is what help has on a wide\n"
		"  screen.\n");
}
END_TEST

START_TEST(xdg_paths)
{
	char top[UNIT_PATH], link[UNIT_PATH + 16];
	struct error e = ERROR_INIT;
	struct stat st;
	char *path = NULL;

	unit_dir(top, "test-base");
	ck_assert_int_eq(setenv("HOME", top, 1), 0);
	unsetenv("XDG_CACHE_HOME");
	unsetenv("XDG_RUNTIME_DIR");
	ck_ok(xdg_dir(XDG_CACHE, "kernels/x", &path, &e), &e);
	ck_assert(str_starts(path, top) && str_ends(path, "/.cache/umlcage/kernels/x"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0700);
	free(path);

	/* a relative value is to be ignored, says the specification */
	setenv("XDG_CACHE_HOME", "here", 1);
	ck_ok(xdg_dir(XDG_CACHE, "", &path, &e), &e);
	ck_assert(str_ends(path, "/.cache/umlcage"));
	free(path);

	/* a runtime directory that is not ours is not used */
	setenv("XDG_RUNTIME_DIR", "/", 1);
	if (geteuid() != 0) {
		ck_ok(xdg_dir(XDG_RUNTIME, "", &path, &e), &e);
		ck_assert(str_starts(path, "/tmp/umlcage-"));
		free(path);
	}
	setenv("XDG_RUNTIME_DIR", top, 1);
	ck_ok(xdg_dir(XDG_RUNTIME, "cages", &path, &e), &e);
	ck_assert(str_starts(path, top));
	free(path);

	/* a file in the way: the error names it and the variable */
	snprintf(link, sizeof(link), "%s/file", top);
	ck_ok(file_replace(AT_FDCWD, link, "x", 1, 0600, &e), &e);
	setenv("XDG_DATA_HOME", link, 1);
	ck_assert_int_lt(xdg_dir(XDG_DATA, "roots", &path, &e), 0);
	ck_assert(strstr(err_text(&e), link) && strstr(err_text(&e), "XDG_DATA_HOME"));
	err_release(&e);
	ck_ok(remove_tree(AT_FDCWD, top, &e), &e);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base");
	TCase *tc = tcase_create("error");

	tcase_add_test(tc, times_in_utc);
	tcase_add_test(tc, error_fill_wrap_hint);
	suite_add_tcase(s, tc);

	tc = tcase_create("str");
	tcase_add_test(tc, strbuf_holds_any_bytes);
	tcase_add_test(tc, strbuf_that_nothing_came_into);
	tcase_add_test(tc, strv_split_sort_join);
	tcase_add_loop_test(tc, size_parsing, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(tc, duration_parsing, 0, ARRAY_SIZE(durations));
	tcase_add_test(tc, number_parsing);
	tcase_add_test(tc, size_formatting);
	tcase_add_test(tc, paths_and_hex);
	tcase_add_test(tc, json_strings);
	suite_add_tcase(s, tc);

	tc = tcase_create("opts");
	tcase_add_test(tc, options_of_every_kind);
	tcase_add_test(tc, words_that_were_meant);
	tcase_add_test(tc, kinds_of_errors);
	tcase_add_test(tc, passwords_are_hidden);
	tcase_add_test(tc, options_stop_at_operand);
	tcase_add_loop_test(tc, options_refused, 0, ARRAY_SIZE(bad_lines));
	tcase_add_test(tc, help_lists_every_option);
	suite_add_tcase(s, tc);

	tc = tcase_create("xdg");
	tcase_add_test(tc, xdg_paths);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
