/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of unpack*.c. */
#ifndef ROOTFS_UNPACK_PRIV_H
#define ROOTFS_UNPACK_PRIV_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "rootfs/unpack-claims.h"
#include "rootfs/unpack.h"

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
/* Do dpkg's filters leave @path out? */
bool unpack_filtered(const struct strv *filters, const char *path, bool dir_or_link);
/* What to do about a clash: 1 make it, 0 leave what is there, -errno. */
int unpack_settle(struct job *j, const char *path, const char *target, bool dir,
		  struct error *e);

#endif
