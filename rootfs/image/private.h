/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of image/. */
#ifndef ROOTFS_IMAGE_PRIVATE_H
#define ROOTFS_IMAGE_PRIVATE_H

#include "rootfs/image/image.h"

#define IMAGE_BLOCK 4096u
/* Where the image is made, as the cage has it, and a file there. */
#define IMAGE_GUEST_OUT "/out"
#define IMAGE_SCRIPT "script"

/* What a tree needs of a file system. */
struct image_needs {
	uint64_t inodes, blocks;	/* of IMAGE_BLOCK bytes, files and directories */
	uint64_t bytes;			/* in files */
	int64_t newest;			/* time, no later than the epoch */
	struct share_attr top;		/* of the root directory, without attributes */
	uint64_t acls;			/* files with POSIX ACLs */
	unsigned char hash[32];		/* of names, kinds, owners, sizes and times */
};

int image_measure(struct share *s, int64_t epoch, struct image_needs *needs, struct error *e);
/* Bytes of the smallest ext4 that surely takes it. */
uint64_t image_ext4_size(const struct image_needs *needs);
/*
 * What mke2fs does not take from a tar file, as a script for debugfs with its values, in the
 * directory @dirfd.
 */
int image_ext4_rest(struct share *s, int64_t epoch, int dirfd, struct progress *progress,
		    struct error *e);
/* A UUID (RFC 9562, version 8) out of the hash, the @n'th of two. */
void image_uuid(const struct image_needs *needs, unsigned int n, char uuid[37]);

#endif
