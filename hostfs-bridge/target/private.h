/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of target/: the tables. */
#ifndef HOSTFS_BRIDGE_TARGET_PRIVATE_H
#define HOSTFS_BRIDGE_TARGET_PRIVATE_H

#include "hostfs-bridge/target/target.h"

/* The row that --format (without a compression) names; NULL. */
const struct target_format *format_find(const char *name);
/* The row of a kind that there is once: TARGET_NOTHING, TARGET_DIRECTORY. */
const struct target_format *format_of_kind(enum target_kind kind);
/*
 * Format and compression by the ending of @name; *@format NULL where it says nothing.  With
 * @format set already, only the compression.
 */
void format_by_name(const char *name, const struct target_format **format,
		    const struct target_compression **compression);
/* By libarchive's name of it; NULL. */
const struct target_compression *compression_find(const char *name);
/* From --format, "cpio.gz"; a usage error for what there is not. */
int format_parse(const char *text, const struct target_format **format,
		 const struct target_compression **compression, struct error *e);
/* The usage error for a name that means no format, with what may have been meant. */
int format_unknown(const char *name, struct error *e);
/* Does @name look as if a format was meant, but for a slip or something there is not? */
bool format_meant(const char *name);

/* "-1a2b3c4d5e6f7a8b" of what is given of details and level, "" for nothing; malloc'ed. */
char *details_key(const struct target_details *d, const char *level);

/* ---- beside.c: the steps of a target, for what is beside it ---- */

int beside_check(const struct target *t, struct error *e);
int beside_begin(struct target *t, struct error *e);
int beside_commit(struct target *t, struct error *e);
void beside_abort(struct target *t);

#endif
