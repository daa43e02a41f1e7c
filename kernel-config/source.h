/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a kernel's source comes from.
 */
#ifndef KERNEL_CONFIG_SOURCE_H
#define KERNEL_CONFIG_SOURCE_H

#include <stdbool.h>

#include "kernel-config/kernel.h"
#include "kernel-config/tree.h"

struct source {
	char *name;	/* for people: "linux-source-7.3 7.3.4-1~bpo13+1" or a path */
	char *id;	/* what of it goes into the key */
	char *dir;	/* a directory to copy; NULL: */
	int fd;		/* a tarball or .deb, verified if it came from a mirror */
};

#define SOURCE_INIT { NULL, NULL, NULL, -1 }

/*
 * Finds what @req asks for, downloading it if it is a package: a directory that
 * exists, a file that exists, else the name of a suite; NULL: the suites of the
 * data file "suites".
 */
int source_open(struct source *s, const struct kernel_request *req, const struct exclude *x,
		struct error *e);
/* Puts it into @t. */
int source_extract(const struct source *s, struct tree *t, struct error *e);
void source_release(struct source *s);
#define cleanup_source __attribute__((cleanup(source_release)))

/*
 * The version in the text of Linux's top Makefile ("7.3.4"), malloc'ed; NULL if it
 * is none.
 */
char *source_version(const char *makefile);

#endif
