/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel of a cage counts: signals, faults, mappings of the host, and where time goes.
 * It counts in a file of memory that the supervisor gives it, a list of names and numbers, which
 * is read once the kernel has ended, however it has.  Nothing in it is trusted.
 */
#ifndef UMLCAGE_CAGE_STATS_H
#define UMLCAGE_CAGE_STATS_H

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

/* The file: a descriptor, or -errno. */
int stats_open(struct error *e);
/* What is in it, as columns or as a JSON object; a line that says so where there is nothing. */
void stats_text(int fd, bool json, struct strbuf *out);

#endif
