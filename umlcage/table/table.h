/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists for people and for programs, from the same values: columns under a header, or JSON
 * (through json-c) with a key for each column.
 */
#ifndef UMLCAGE_TABLE_H
#define UMLCAGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/str.h"

enum column_kind {
	COLUMN_TEXT,	/* .text; NULL: nothing, null in JSON */
	COLUMN_COUNT,	/* .number */
	COLUMN_PID,	/* .number; 0: none */
	COLUMN_SIZE,	/* .number, bytes: "1.4 GB", a number in JSON */
	COLUMN_TIME,	/* .number, seconds since 1970, 0: never: ISO 8601, local time, with zone in JSON */
};

struct column {
	const char *title;	/* "ON DISK"; NULL: only in JSON */
	const char *key;	/* "bytes" */
	enum column_kind kind;
};

struct cell {
	const char *text;	/* copied */
	uint64_t number;
};

struct table;

/* @columns, @n of them, are constant. */
struct table *table_new(const struct column *columns, size_t n);
void table_free(struct table **t);
#define cleanup_table __attribute__((cleanup(table_free)))
/* A row, @cells as many as columns. */
void table_add(struct table *t, const struct cell *cells);
/* Adds all of it to @out: in columns under a header, or as a JSON array. */
void table_text(const struct table *t, bool json, struct strbuf *out);
/* Adds its first row: as "title: value" lines, or as a JSON object. */
void table_text_one(const struct table *t, bool json, struct strbuf *out);

#endif
