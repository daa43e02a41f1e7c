// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists in columns and as JSON: see table.h. */
#include "umlcage/table/table.h"

#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "umlcage/base/str.h"

#define GAP 2

struct table {
	const struct column *columns;
	size_t n, rows;
	struct cell *cells;	/* row by row, texts our own */
};

struct table *table_new(const struct column *columns, size_t n)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->n = n;
	return t;
}

void table_free(struct table **tp)
{
	struct table *t = steal_ptr(tp);

	if (!t)
		return;
	for (size_t i = 0; i < t->rows * t->n; i++)
		free((char *)t->cells[i].text);
	free(t->cells);
	free(t);
}

void table_add(struct table *t, const struct cell *cells)
{
	struct cell *row;

	t->cells = xreallocarray(t->cells, (t->rows + 1) * t->n, sizeof(*t->cells));
	row = t->cells + t->rows++ * t->n;
	for (size_t i = 0; i < t->n; i++)
		row[i] = (struct cell){ cells[i].text ? xstrdup(cells[i].text) : NULL,
					cells[i].number };
}

static char *time_text(uint64_t seconds, const char *format)
{
	time_t when = (time_t)seconds;
	char text[64] = "";
	struct tm tm;

	if (localtime_r(&when, &tm))
		strftime(text, sizeof(text), format, &tm);
	return xstrdup(text);
}

/* A cell for people; malloc'ed.  No control characters of somebody else's onto a terminal. */
static char *cell_text(const struct column *c, const struct cell *cell)
{
	char *text;

	switch (c->kind) {
	case COLUMN_PID:
		if (!cell->number)
			return xstrdup("");
		return xasprintf("%llu", (unsigned long long)cell->number);
	case COLUMN_COUNT:
		return xasprintf("%llu", (unsigned long long)cell->number);
	case COLUMN_SIZE:
		return format_size(cell->number);
	case COLUMN_TIME:
		return cell->number ? time_text(cell->number, "%Y-%m-%d %H:%M") : xstrdup("");
	case COLUMN_TEXT:
		break;
	}
	text = xstrdup(cell->text ? cell->text : "");
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	return text;
}

static bool is_number(const struct column *c)
{
	return c->kind == COLUMN_COUNT || c->kind == COLUMN_SIZE;
}

/* Columns as wide as what is in them, the last one without blanks after it. */
static void add_line(const struct table *t, char *const *texts, const size_t *widths,
		     struct strbuf *out)
{
	size_t last = t->n, blanks = 0;

	while (last && (!t->columns[last - 1].title || !*texts[last - 1]))
		last--;
	for (size_t i = 0; i < last; i++) {
		size_t len = strlen(texts[i]), pad = widths[i] > len ? widths[i] - len : 0;
		bool right = is_number(&t->columns[i]);

		if (!t->columns[i].title)
			continue;
		sb_addf(out, "%*s%s", (int)(blanks + (right ? pad : 0)), "", texts[i]);
		blanks = GAP + (right ? 0 : pad);
	}
	sb_addc(out, '\n');
}

static void add_columns(const struct table *t, struct strbuf *out)
{
	size_t *widths = xcalloc(t->n, sizeof(*widths));
	char **texts = xcalloc((t->rows + 1) * t->n, sizeof(*texts));

	for (size_t i = 0; i < t->n; i++) {
		texts[i] = xstrdup(t->columns[i].title ? t->columns[i].title : "");
		widths[i] = strlen(texts[i]);
	}
	for (size_t i = 0; i < t->rows * t->n; i++) {
		char *text = cell_text(&t->columns[i % t->n], &t->cells[i]);

		texts[t->n + i] = text;
		if (strlen(text) > widths[i % t->n])
			widths[i % t->n] = strlen(text);
	}
	for (size_t i = 0; i <= t->rows; i++)
		add_line(t, texts + i * t->n, widths, out);
	for (size_t i = 0; i < (t->rows + 1) * t->n; i++)
		free(texts[i]);
	free(texts);
	free(widths);
}

/* Bytes that are not UTF-8 have no form in JSON: what cannot be said becomes U+FFFD. */
static json_object *json_text(const char *text)
{
	cleanup_strbuf struct strbuf quoted = STRBUF_INIT;

	sb_json_str(&quoted, text, strlen(text));
	return json_tokener_parse(sb_str(&quoted));
}

static json_object *json_cell(const struct column *c, const struct cell *cell)
{
	cleanup_free char *when = NULL;

	switch (c->kind) {
	case COLUMN_COUNT:
	case COLUMN_SIZE:
		return json_object_new_int64((int64_t)cell->number);
	case COLUMN_PID:
		return cell->number ? json_object_new_int64((int64_t)cell->number) : NULL;
	case COLUMN_TIME:
		if (!cell->number)
			return NULL;
		when = time_text(cell->number, "%Y-%m-%dT%H:%M:%S%z");
		return json_object_new_string(when);
	case COLUMN_TEXT:
		break;
	}
	return cell->text ? json_text(cell->text) : NULL;
}

static json_object *json_row(const struct table *t, size_t row)
{
	json_object *object = json_object_new_object();

	for (size_t i = 0; i < t->n; i++)
		json_object_object_add(object, t->columns[i].key,
				       json_cell(&t->columns[i], &t->cells[row * t->n + i]));
	return object;
}

/* Adds and lets go of it. */
static void add_json(struct strbuf *out, json_object *o)
{
	sb_adds(out, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						    JSON_C_TO_STRING_SPACED |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	sb_addc(out, '\n');
	json_object_put(o);
}

void table_text(const struct table *t, bool json, struct strbuf *out)
{
	json_object *array;

	if (!json) {
		add_columns(t, out);
		return;
	}
	array = json_object_new_array();
	for (size_t i = 0; i < t->rows; i++)
		json_object_array_add(array, json_row(t, i));
	add_json(out, array);
}

void table_text_one(const struct table *t, bool json, struct strbuf *out)
{
	if (json && t->rows)
		add_json(out, json_row(t, 0));
	for (size_t i = 0; i < t->n && t->rows && !json; i++) {
		cleanup_free char *text = cell_text(&t->columns[i], &t->cells[i]);
		cleanup_free char *title = NULL;

		if (!t->columns[i].title)
			continue;
		title = xasprintf("%s:", t->columns[i].title);
		for (char *p = title; *p; p++)
			*p = (char)tolower((unsigned char)*p);
		sb_addf(out, "%-9s %s\n", title, text);
	}
}
