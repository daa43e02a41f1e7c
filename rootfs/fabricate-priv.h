/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of fabricate*.c, configure.c and hooks.c. */
#ifndef ROOTFS_FABRICATE_PRIV_H
#define ROOTFS_FABRICATE_PRIV_H

#include "hostfs-bridge/lib/share.h"
#include "hostfs-bridge/lib/tree.h"
#include "rootfs/configure.h"
#include "rootfs/fabricate.h"
#include "rootfs/unpack.h"

struct fabricate {
	const struct fab_options *o;
	const struct plan *plan;
	struct pkg_archive *archive;
	const char *kernel;
	struct progress *progress;
	struct share *share;		/* the tree in the making */
	struct unpack *unpack;
	struct strv dirs;		/* made by the setup */
	struct strv links;		/* the top's links into usr/ */
	bool usrmerge;			/* those that usrmerge would have made */
	bool hooks;			/* some run in the cage */
	struct guest *guest;		/* NULL: no cage runs */
};

/* ---- fabricate-setup.c: the tree before and after, natively ---- */

/* mmdebstrap's run_setup(): directories, apt's configuration, devices. */
int fabricate_setup(struct fabricate *f, struct error *e);
/*
 * After the setup hooks: what apt would heed from now on, but the plan, which is made
 * already, does not, is an error.
 */
int fabricate_check_setup(struct fabricate *f, struct error *e);
/* What the cage needs once all is unpacked: policy-rc.d, packages for dpkg, apt's states. */
int fabricate_prepare(struct fabricate *f, struct error *e);
/* mmdebstrap's run_cleanup(), as far as --skip allows. */
int fabricate_cleanup(struct fabricate *f, struct error *e);
/* The options of dpkg.cfg.d/99mmdebstrap that filter paths. */
int fabricate_filters(const struct fab_options *o, struct strv *filters, struct error *e);

/* ---- fabricate-apt.c ---- */

/* Indexes as apt-get update leaves them. */
int fabricate_put_lists(struct fabricate *f, struct share_tree *t, struct error *e);
/* apt's note of what was installed for others only. */
int fabricate_put_states(struct fabricate *f, struct share_tree *t, struct error *e);

/* ---- fabricate.c ---- */

struct work;
/* The first stage's packages, only unpacked, in a share of their own: a root for setup hooks. */
int fabricate_tools(struct fabricate *f, struct work *tools, struct error *e);

#endif
