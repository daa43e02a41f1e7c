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

/* ---- kind.c: files of an image ---- */

/*
 * A file or directory of the image, without following a link or "..": descriptor or -errno; the
 * second one a regular file, with an error.
 */
int oci_open_plain(int dirfd, const char *path);
int oci_open(int dirfd, const char *path, struct error *e);

/* ---- find.c: the layers of an image, found in its JSON documents ---- */

struct oci_files {
	/* all of a file of the image, -EFBIG if it has more than @max bytes */
	int (*read)(void *arg, const char *path, size_t max, struct strbuf *out, struct error *e);
	void *arg;
	bool unchecked;		/* fuzzing: no sum of a document is looked at */
};

struct oci_layer {
	char *path;		/* in the image; docker's may be anything */
	char sha256[SHA256_HEX + 1];	/* "": not known */
	uint64_t size;		/* with a sum of OCI's; 0: not known */
};

struct oci_layers {
	struct oci_layer *v;	/* the lowest first */
	size_t n;
};

/*
 * The layers of the image called @tag (NULL: of the only one) for linux/amd64 into @out, also on
 * failure to be released.  -EBADMSG for what is not as specified, -ENOENT, -ENOTUNIQ.
 */
int oci_find(const struct oci_files *files, bool docker, const char *tag, struct oci_layers *out,
	     struct error *e);
void oci_layers_release(struct oci_layers *l);

#endif
