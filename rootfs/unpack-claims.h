/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who put what where: a table of all paths of all packages, shared by the unpacking
 * threads, that notices when two packages want the same file.
 */
#ifndef ROOTFS_UNPACK_CLAIMS_H
#define ROOTFS_UNPACK_CLAIMS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostfs-bridge/lib/tree.h"

enum claim_kind { CLAIM_DIR, CLAIM_LINK, CLAIM_OTHER };

#define CLAIM_BEFORE	(-1)	/* owner: it was there */

struct claim {
	char *path;		/* canonical: through the links at the top */
	char *target;		/* of a CLAIM_LINK */
	enum claim_kind kind;
	int owner;		/* index of the package */
	int rank;		/* of what a directory's attributes come from; higher wins */
	struct share_attr attr;	/* a directory's */
};

enum claim_answer {
	CLAIM_MAKE,	/* go on and make it */
	CLAIM_THERE,	/* a directory that is or will be there: nothing to make */
	CLAIM_CLASH,	/* somebody else's: not settled here */
};

struct claims {
	pthread_mutex_t lock;
	struct claim **slots;
	size_t n, size;
};

void claims_init(struct claims *c);
void claims_release(struct claims *c);
/* A directory; the attributes with the highest @rank are kept. */
enum claim_answer claims_dir(struct claims *c, const char *path, int owner, int rank,
			     const struct share_attr *attr);
/* Anything else.  A link to the same target as the one there is already is CLAIM_THERE. */
enum claim_answer claims_file(struct claims *c, const char *path, int owner,
			      enum claim_kind kind, const char *target);
/* The entry or NULL; for when no other thread is at work. */
struct claim *claims_find(struct claims *c, const char *path);
void claims_set(struct claims *c, const char *path, int owner, enum claim_kind kind,
		const char *target);
/* All of them, sorted by path; malloc'ed array. */
struct claim **claims_sorted(const struct claims *c);

#endif
