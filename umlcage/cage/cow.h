/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UML's copy-on-write file, version 3, as arch/um/drivers/cow_user.c of Linux
 * defines it: a packed big-endian header, a bitmap with one bit per sector, the
 * data.  Here: make one, and read a header that somebody else wrote.
 *
 * The format has the backing file's time in seconds, in which an image is easily made or
 * replaced twice.  What is made here says the nanoseconds, too, in the bytes between the header
 * and the bitmap, which nobody else reads.
 */
#ifndef UMLCAGE_CAGE_COW_H
#define UMLCAGE_CAGE_COW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/error.h"

enum {
	COW_HEADER_SIZE = 4132,	/* bytes; the bitmap begins at the next multiple of alignment */
	COW_PATH_MAX = 4096,	/* with its NUL */
	COW_EXACT_SIZE = COW_HEADER_SIZE + 12,	/* with the nanoseconds */
	COW_SECTOR = 512,
	COW_ALIGNMENT = 4096,
};

struct cow_header {
	uint32_t mtime;		/* of the backing file, seconds */
	bool exact;		/* mtime_nsec is known */
	uint32_t mtime_nsec;	/* of the backing file, below 10^9 */
	uint64_t size;		/* of the backing file, bytes */
	uint32_t sector_size;	/* bytes, a power of two from 512 to 64 KiB */
	uint32_t alignment;	/* bytes, a power of two */
	char backing_file[COW_PATH_MAX];
};

void cow_encode(const struct cow_header *h, unsigned char out[COW_EXACT_SIZE]);
/* 0; -EINVAL: no COW file; -ENOTSUP: another version or format; -EBADMSG: damaged. */
int cow_decode(const unsigned char *in, size_t len, struct cow_header *h);

/* Where the bitmap and the data begin, and how long the whole file is, in bytes. */
void cow_layout(const struct cow_header *h, uint64_t *bitmap, uint64_t *data, uint64_t *total);

/*
 * Makes the empty file @fd a COW file of the open file @backing, recording it as
 * @path.
 */
int cow_create(int fd, int backing, const char *path, struct error *e);
/* Checks that @fd is a COW file of @backing as it is now; @name is for messages. */
int cow_check(int fd, int backing, const char *name, struct error *e);

#endif
