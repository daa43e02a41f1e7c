/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of oci/. */
#ifndef HOSTFS_BRIDGE_OCI_PRIVATE_H
#define HOSTFS_BRIDGE_OCI_PRIVATE_H

#include "hostfs-bridge/oci/oci.h"
#include "umlcage/base/hash.h"

struct json_object;

/* ---- config.c: the texts ---- */

struct oci_blob {
	char sha256[SHA256_HEX + 1];
	uint64_t size;
};

/* The image's configuration, with the sha256 of the uncompressed layer; malloc'ed. */
char *oci_config_text(const struct oci_opts *o, const char *layer_sha256, int64_t created);
char *oci_manifest_text(const struct oci_opts *o, const struct oci_blob *config,
			const struct oci_blob *layer);
char *oci_index_text(const struct oci_opts *o, const struct oci_blob *manifest);
/* docker's manifest.json. */
char *oci_docker_text(const struct oci_opts *o, const struct oci_blob *config,
		      const struct oci_blob *layer);

/* ---- layout.c: the files ---- */

/* A directory, or a tar file in the making. */
struct layout;

struct layout *layout_directory(int dirfd, const char *name);
int layout_archive(struct layout **l, int fd, const char *name, int64_t time, struct error *e);
int layout_folder(struct layout *l, const char *path, struct error *e);
int layout_text(struct layout *l, const char *path, const char *text, struct error *e);
/* @size bytes of the open file @fd from its beginning. */
int layout_file(struct layout *l, const char *path, int fd, uint64_t size, struct error *e);
/* An unnamed file for a blob before its name is known. */
int layout_scratch(struct layout *l, struct error *e);
/* The end of a tar file. */
int layout_finish(struct layout *l, struct error *e);
void layout_free(struct layout **l);
#define cleanup_layout __attribute__((cleanup(layout_free)))

#endif
