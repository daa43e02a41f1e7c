/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of containers: the OCI image layout (image-spec 1.0) as a directory or in a tar file,
 * and with docker's own manifest.json beside it what `docker load` takes.  Written with one
 * layer, read with any number.
 *
 * The same share, configuration and epoch make the same bytes, and so the same digests.
 */
#ifndef HOSTFS_BRIDGE_OCI_H
#define HOSTFS_BRIDGE_OCI_H

#include <stdbool.h>
#include <stdint.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

/* How a container of it runs; zeroes: not said. */
struct oci_config {
	const char *entrypoint, *cmd;	/* words as a shell splits them */
	const char *user, *workdir;
	const char *tag;		/* "NAME:TAG", "NAME", ":TAG" */
	struct strv env, labels;	/* "NAME=VALUE" */
	struct strv ports;		/* "80", "53/udp" */
};

/* The first of these that is given ("entrypoint"), NULL: none. */
const char *oci_config_given(const struct oci_config *c);
/* Usage errors: what is no NAME=VALUE, no port, no absolute folder, a quote that stays open. */
int oci_config_check(const struct oci_config *c, struct error *e);

struct oci_opts {
	const struct oci_config *config;
	bool docker;		/* manifest.json, too; layers are not compressed */
	const char *level;	/* of the layer's compression, NULL: its default */
	unsigned int threads;
	int64_t epoch;		/* no time is later than this, and the image is as old; -1: any */
	struct progress *progress;	/* may be NULL */
};

/* The layout into the empty directory @dirfd; @name is for messages. */
int oci_write_directory(struct share *s, int dirfd, const char *name, const struct oci_opts *o,
			struct share_totals *totals, struct error *e);
/* The layout as a tar file to @fd, which may be a pipe. */
int oci_write_archive(struct share *s, int fd, const char *name, const struct oci_opts *o,
		      struct share_totals *totals, struct error *e);

/* ---- reading ---- */

enum oci_kind {
	OCI_NONE,
	OCI_LAYOUT,	/* index.json and blobs */
	OCI_DOCKER,	/* manifest.json, as docker wrote before it wrote both */
};

/* What the directory @dirfd has in it. */
enum oci_kind oci_kind(int dirfd);

struct oci_read_opts {
	struct share_import_opts import;	/* its limit is for all layers */
	const char *tag;	/* which image, "NAME:TAG" or its end; NULL: there is only one */
};

/*
 * Lays the layers of the image in the directory @dirfd one over the other into the empty share
 * @s: what the root filesystem of a container of it would be.  Nothing in there is believed: its
 * documents are read in a confined process, each blob is checked against its digest, layers are
 * unpacked as share_import() unpacks.  -ENOENT if there is none for linux/amd64 or of that tag,
 * -ENOTUNIQ if there are several, -EBADMSG for what is damaged.
 */
int oci_read(int dirfd, const char *name, const struct oci_read_opts *o, struct share *s,
	     struct share_totals *totals, struct error *e);

#endif
