/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share. */
#ifndef ROOTFS_UNPACK_PRIVATE_H
#define ROOTFS_UNPACK_PRIVATE_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/unpack/unpack.h"

/*
 * Who put what where: a table of all paths of all packages, shared by the unpacking
 * threads, that notices when two packages want the same file.
 */

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

/* ---- the work ---- */

struct unpack {
	struct unpack_config cfg;
	struct unpacked *pkgs;
	struct claims claims;
	atomic_bool clash;	/* the order matters: all is to be done again */
	bool ordered;		/* it is being done again */
};

/* One package in work. */
struct job {
	struct unpack *u;
	size_t index;
	struct unpacked *pkg;
	struct deb *deb;
	struct share_tree *tree;
	char *buf;
	EVP_MD_CTX *md;
	struct strbuf *sums;		/* md5sums to be made; NULL: the package brings them */
	struct strbuf path, canonical;
};

void unpack_claim_before(struct unpack *u);
/* @path through the links at the top. */
void unpack_canonical(const struct unpack *u, const char *path, struct strbuf *out);
/* How much the attributes count that package @index has for a directory; higher wins. */
int unpack_rank(const struct unpack *u, int index);
/* Do dpkg's filters leave @path out? */
bool unpack_filtered(const struct strv *filters, const char *path, bool dir_or_link);
/* All of a file of the tree; -ENOENT if it is not there. */
int unpack_read(struct share_tree *tree, const char *path, struct strbuf *out, struct error *e);
/* Gives entries that name their owners the numbers of @passwd and @group, as the files read. */
int unpack_name_owners(struct unpack *u, struct unpacked *p, struct share_tree *tree,
		       const char *passwd, const char *group, struct error *e);
/* What to do about a clash: 1 make it, 0 leave what is there, -errno. */
int unpack_settle(struct job *j, const char *path, const char *target, bool dir,
		  struct error *e);

#endif
