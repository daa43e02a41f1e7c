// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of settings, and options that are set from them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/unit.h"
#include "umlcage/base/ini.h"
#include "umlcage/base/opts.h"

static int parse(struct ini *ini, const char *text, struct error *e)
{
	return ini_parse(ini, "x.conf", text, strlen(text), e);
}

START_TEST(entries_in_order_with_lines)
{
	static const struct ini_entry want[] = {
		{ "", "top", "1", 2 },
		{ "a b", NULL, NULL, 4 },
		{ "a b", "k", "x = y # no comment", 5 },
		{ "a b", "k", "second", 6 },
		{ "a b", "lines", "one\ntwo\n[three]", 7 },
		{ "a b", "late", "first\nsecond", 12 },
		{ "a b", "empty", "", 16 },
		{ "@p", NULL, NULL, 17 },
		{ "@p", "last", "no newline", 18 },
	};
	struct error e = ERROR_INIT;
	struct ini ini;

	ck_assert_int_eq(parse(&ini, "\xef\xbb\xbf# comment\n\ttop\t=  1 \r\n ; another\n[ a b ]\n"
				     "k=x = y # no comment\nk = second\nlines = one\n  two\n# not it\n"
				     "\t[three]\t\n\nlate =\n first\n second\n\nempty=\n[@p]\n"
				     "last = no newline", &e), -EINVAL);
	/* a line that begins with a blank continues one, and there is none at the top */
	ck_assert_str_eq(err_text(&e), "x.conf:2: the line begins with a blank, but there is no value "
				       "that it continues");
	err_release(&e);
	ck_assert_int_eq(parse(&ini, "\xef\xbb\xbf# comment\ntop\t=  1 \r\n ; another\n[ a b ]\n"
				     "k=x = y # no comment\nk = second\nlines = one\n  two\n# not it\n"
				     "\t[three]\t\n\nlate =\n first\n second\n\nempty=\n[@p]\n"
				     "last = no newline", &e), 0);
	ck_assert_uint_eq(ini.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < ini.n; i++) {
		ck_assert_str_eq(ini.v[i].section, want[i].section);
		ck_assert_pstr_eq(ini.v[i].key, want[i].key);
		ck_assert_pstr_eq(ini.v[i].value, want[i].value);
		ck_assert_uint_eq(ini.v[i].line, want[i].line);
	}
	ini_release(&ini);
	ck_assert_int_eq(parse(&ini, "", &e), 0);
	ck_assert_uint_eq(ini.n, 0);
	ini_release(&ini);
}
END_TEST

START_TEST(faults_have_their_line)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "a = 1\nquiet\n", "x.conf:2: 'quiet' has no value; write 'quiet = VALUE'" },
		{ "\n= 1\n", "x.conf:2: there is no name before the '='" },
		{ "a b = 1\n", "x.conf:1: 'a b' is not the name of a key" },
		{ "[a\n", "x.conf:1: a section is a line of its own, '[NAME]'" },
		{ "[a] # b\n", "x.conf:1: a section is a line of its own, '[NAME]'" },
		{ "[ ]\n", "x.conf:1: a section needs a name" },
		{ "[a]\n x\n", "x.conf:2: the line begins with a blank, but there is no value that it "
			       "continues" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = ERROR_INIT;
		struct ini ini;

		ck_assert_int_eq(parse(&ini, cases[i].text, &e), -EINVAL);
		ck_assert_str_eq(err_text(&e), cases[i].error);
		ck_assert_int_eq(err_kind(&e), ERR_USAGE);
		err_release(&e);
	}

	struct error e = ERROR_INIT;
	struct ini ini;

	ck_assert_int_eq(ini_parse(&ini, "x", "a\0b", 3, &e), -EINVAL);
	ck_assert_str_eq(err_text(&e), "'x' is not a text file");
	err_release(&e);
	ck_assert_int_eq(ini_read(&ini, AT_FDCWD, "/nonexistent", &e), -ENOENT);
	err_release(&e);
}
END_TEST

struct thing {
	const char *name, *maybe;
	struct strv list;
	unsigned int number;
	uint64_t size;
	bool flag, unflag;
	int count;
};

static int maybe(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	*(const char **)value = arg ? arg : "alone";
	return str_eq(arg, "bad") ? err_usage(e, "not this") : 0;
}

static const struct opt opts[] = {
	{ OPT_STRING, 'n', "name", "NAME", OPT_STR(struct thing, name), "" },
	{ OPT_LIST, 0, "list", "X", OPT_STRV(struct thing, list), "" },
	{ OPT_UINT, 0, "number", "N", OPT_UNSIGNED(struct thing, number), "" },
	{ OPT_SIZE, 0, "size", "SIZE", OPT_U64(struct thing, size), "" },
	{ OPT_FLAG, 0, "flag", NULL, OPT_BOOL(struct thing, flag), "" },
	{ OPT_UNFLAG, 0, "no-thing", NULL, OPT_BOOL(struct thing, unflag), "" },
	{ OPT_COUNT, 'v', "verbose", NULL, OPT_INT(struct thing, count), "" },
	{ OPT_CALL, 0, "maybe", "X", OPT_STR(struct thing, maybe), "", maybe, true },
	OPT_END,
};
static const struct opt_spec spec = { .usage = "x", .summary = "",
				      .groups = OPT_GROUPS({ NULL, opts, 0 }) };

START_TEST(options_by_name)
{
	static const struct {
		const char *name, *value;
		int ret;
		const char *error;
	} cases[] = {
		{ "name", "a b", 0, NULL }, { "list", "1", 0, NULL }, { "list", "2", 0, NULL },
		{ "number", "7", 0, NULL }, { "size", "2K", 0, NULL }, { "flag", "yes", 0, NULL },
		{ "no-thing", "no", 0, NULL }, { "verbose", "3", 0, NULL }, { "maybe", "it", 0, NULL },
		{ "number", "x", -EINVAL, "number: 'x' is not a number from 0 to 4294967295" },
		{ "flag", "maybe", -EINVAL, "flag: 'maybe' is neither yes nor no" },
		{ "maybe", "bad", -EINVAL, "maybe: not this" },
		{ "nmae", "x", -ENOENT, NULL }, { "n", "x", -ENOENT, NULL },
	};
	struct thing t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error e = ERROR_INIT;

		ck_assert_int_eq(opts_set(&spec, &t, cases[i].name, cases[i].value, &e), cases[i].ret);
		if (cases[i].error)
			ck_assert_str_eq(err_text(&e), cases[i].error);
		err_release(&e);
		if (i != 8)
			continue;
		ck_assert_str_eq(t.name, "a b");
		ck_assert_uint_eq(t.list.n, 2);
		ck_assert_str_eq(t.list.v[1], "2");
		ck_assert_uint_eq(t.number, 7);
		ck_assert_uint_eq(t.size, 2048);
		ck_assert(t.flag && t.unflag);
		ck_assert_int_eq(t.count, 3);
		ck_assert_str_eq(t.maybe, "it");
	}
	ck_assert_int_eq(opts_set(&spec, &t, "maybe", "yes", NULL), 0);
	ck_assert_str_eq(t.maybe, "alone");
	ck_assert_int_eq(opts_set(&spec, &t, "flag", "off", NULL), 0);
	ck_assert(!t.flag);
	ck_assert_str_eq(opts_nearest(&spec, "nmae"), "name");
	ck_assert_ptr_null(opts_nearest(&spec, "zzzzzz"));
	ck_assert_ptr_eq(opts_find(&spec, "list"), &opts[1]);
	strv_release(&t.list);
}
END_TEST

/* A first look at the options of others, without those of the command. */
START_TEST(options_of_others)
{
	struct thing others = { 0 }, t = { 0 };
	const struct opt_group groups[] = {
		{ NULL, opts, 0 },
		{ "others", &opts[3], 0, &others },
		{ NULL, NULL, 0 },
	};
	static const struct opt mine[] = {
		{ OPT_STRING, 'n', "name", "NAME", OPT_STR(struct thing, name), "" }, OPT_END,
	};
	struct opt_group all[3] = { { NULL, mine, 0 }, groups[1], groups[2] };
	const struct opt_spec s = { .usage = "x", .summary = "", .groups = all };
	char *words[] = { "x", "--name", "--size", "--size=1K", "end", NULL }, **argv = words;
	int argc = 5;

	ck_assert_int_eq(opts_parse(&s, NULL, &argc, &argv, NULL), 0);
	ck_assert_uint_eq(others.size, 1024);
	ck_assert_int_eq(argc, 1);
	argc = 5;
	argv = words;
	ck_assert_int_eq(opts_parse(&s, &t, &argc, &argv, NULL), 0);
	ck_assert_str_eq(t.name, "--size");
	ck_assert_str_eq(argv[0], "end");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base: files of settings");
	TCase *tc = tcase_create("ini");

	tcase_add_test(tc, entries_in_order_with_lines);
	tcase_add_test(tc, faults_have_their_line);
	tcase_add_test(tc, options_by_name);
	tcase_add_test(tc, options_of_others);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
