// SPDX-License-Identifier: GPL-2.0-or-later
/* A sequence of keys in what is typed: what is written, and what is passed on, in whatever pieces. */
#include <errno.h>
#include <string.h>

#include "tests/support/unit.h"
#include "umlcage/base/keys.h"
#include "umlcage/base/str.h"

static struct error err = ERROR_INIT;

static const struct {
	const char *text, *seq;		/* NULL: it is refused */
} texts[] = {
	{ "ctrl-p,ctrl-q", "\x10\x11" }, { "", "" }, { "a", "a" }, { "ctrl-],d", "\x1d" "d" },
	{ "ctrl-a,A,ctrl-_", "\x01" "A\x1f" }, { "ctrl-[,ctrl-\\,ctrl-^", "\x1b\x1c\x1e" },
	{ "ctrl-", NULL }, { "ctrl-@", NULL }, { "ctrl-P", NULL }, { "ab", NULL }, { "a,", NULL },
	{ ",a", NULL }, { "ctrl-pp", NULL }, { "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", NULL },
};

START_TEST(sequences_are_read)
{
	struct keys k;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int ret = keys_parse(&k, texts[i].text, &err);

		ck_assert_int_eq(ret, texts[i].seq ? 0 : -EINVAL);
		ck_assert_str_eq(k.seq, texts[i].seq ? texts[i].seq : "");
		ck_assert_uint_eq(k.n, strlen(k.seq));
		err_release(&err);
	}
}
END_TEST

static const struct {
	const char *keys, *typed, *passed;
	bool hit;
} cases[] = {
	{ "pq", "hello", "hello", false }, { "pq", "pq", "", true }, { "pq", "ppq", "p", true },
	{ "pq", "pxq", "pxq", false }, { "pq", "apq lost", "a", true }, { "pq", "qp", "q", false },
	{ "aab", "aaab", "a", true }, { "aab", "aacaab", "aac", true }, { "abac", "ababac", "ab", true },
	{ "a", "xxa", "xx", true }, { "", "pq", "pq", false },
};

/* Whatever the pieces are that it comes in. */
START_TEST(what_is_typed_is_passed_on)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t piece = 1; piece <= strlen(cases[i].typed); piece++) {
			cleanup_strbuf struct strbuf passed = STRBUF_INIT;
			size_t len = strlen(cases[i].typed);
			bool hit = false;
			struct keys k;

			keys_set(&k, cases[i].keys);
			for (size_t at = 0; at < len && !hit; at += piece) {
				char data[64];
				size_t n = len - at < piece ? len - at : piece;

				memcpy(data, cases[i].typed + at, n);
				n = keys_filter(&k, data, n, &hit);
				sb_add(&passed, data, n);
			}
			ck_assert_str_eq(sb_str(&passed), cases[i].passed);
			ck_assert(hit == cases[i].hit);
		}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base-keys");
	TCase *t = tcase_create("keys");

	tcase_add_test(t, sequences_are_read);
	tcase_add_test(t, what_is_typed_is_passed_on);
	suite_add_tcase(s, t);
	return unit_run(s);
}
