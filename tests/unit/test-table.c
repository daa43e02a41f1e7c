// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists: the same values in columns and as JSON, also ones that fit neither. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/unit.h"
#include "umlcage/table/table.h"

static const struct column columns[] = {
	{ "NAME", "name", COLUMN_TEXT },
	{ "SIZE", "bytes", COLUMN_SIZE },
	{ NULL, "path", COLUMN_TEXT },
	{ "USED", "used", COLUMN_TIME },
	{ "WHAT", "what", COLUMN_TEXT },
};

static struct table *make(void)
{
	struct table *t = table_new(columns, ARRAY_SIZE(columns));

	setenv("TZ", "UTC", 1);
	tzset();
	table_add(t, (struct cell[]){ { "a", 0 }, { NULL, 1500000 }, { "/a", 0 }, { NULL, 86400 },
				      { "x\x1b[1m \"y\"", 0 } });
	table_add(t, (struct cell[]){ { "longer", 0 }, { NULL, 5 }, { "/b\xff", 0 }, { NULL, 0 },
				      { NULL, 0 } });
	return t;
}

START_TEST(columns_are_aligned_and_clean)
{
	cleanup_table struct table *t = make();
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	table_text(t, false, &out);
	ck_assert_str_eq(sb_str(&out), "NAME       SIZE  USED              WHAT\n"
				       "a        1.5 MB  1970-01-02 00:00  x?[1m \"y\"\n"
				       "longer  5 bytes\n");
	sb_reset(&out);
	table_text_one(t, false, &out);
	ck_assert_str_eq(sb_str(&out), "name:     a\nsize:     1.5 MB\nused:     1970-01-02 00:00\n"
				       "what:     x?[1m \"y\"\n");
}
END_TEST

START_TEST(json_says_the_same)
{
	cleanup_table struct table *t = make();
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	json_object *array, *row, *cell;

	table_text(t, true, &out);
	array = json_tokener_parse(sb_str(&out));
	ck_assert_uint_eq(json_object_array_length(array), 2);
	row = json_object_array_get_idx(array, 0);
	ck_assert(json_object_object_get_ex(row, "what", &cell));
	ck_assert_str_eq(json_object_get_string(cell), "x\x1b[1m \"y\"");
	ck_assert(json_object_object_get_ex(row, "bytes", &cell));
	ck_assert_int_eq(json_object_get_int64(cell), 1500000);
	ck_assert(json_object_object_get_ex(row, "used", &cell));
	ck_assert_str_eq(json_object_get_string(cell), "1970-01-02T00:00:00+0000");
	row = json_object_array_get_idx(array, 1);
	ck_assert(json_object_object_get_ex(row, "path", &cell));
	ck_assert_str_eq(json_object_get_string(cell), "/b\xef\xbf\xbd");
	ck_assert(json_object_object_get_ex(row, "what", &cell) && !cell);
	json_object_put(array);
}
END_TEST

START_TEST(an_empty_list_is_a_list)
{
	cleanup_table struct table *t = table_new(columns, ARRAY_SIZE(columns));
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	table_text(t, true, &out);
	ck_assert_str_eq(sb_str(&out), "[\n]\n");
	sb_reset(&out);
	table_text(t, false, &out);
	ck_assert_str_eq(sb_str(&out), "NAME  SIZE  USED  WHAT\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *t = tcase_create("table");

	tcase_add_test(t, columns_are_aligned_and_clean);
	tcase_add_test(t, json_says_the_same);
	tcase_add_test(t, an_empty_list_is_a_list);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
