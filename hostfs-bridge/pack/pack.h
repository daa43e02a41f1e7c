/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shares from and to archives: tar (pax when written) and cpio (newc), compressed or not.
 * The only user of libarchive for shares.
 */
#ifndef UMLCAGE_SHARE_PACK_H
#define UMLCAGE_SHARE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "hostfs-bridge/share/share.h"
#include "umlcage/base/progress.h"

/*
 * Layers of images of containers: a file ".wh.NAME" says that NAME of the layers below is gone,
 * ".wh..wh..opq" that all of its folder is (OCI image-spec 1.1, "layer").
 */
enum share_whiteouts {
	SHARE_WHITEOUTS_NONE,	/* they are files like others */
	SHARE_WHITEOUTS_ONLY,	/* removes what they say and unpacks nothing */
	SHARE_WHITEOUTS_SKIP,	/* unpacks the rest, over whatever is there */
};

struct strv;

struct share_import_opts {
	uint64_t limit;		/* bytes on the disk, counting 4096 for each entry; 0: none */
	struct progress *progress;	/* may be NULL */
	bool record_all;	/* see SHARE_RECORD_ALL */
	enum share_whiteouts whiteouts;
};

struct share_totals {
	uint64_t entries;
	uint64_t bytes;		/* contents of regular files */
};

/*
 * Unpacks the archive read from @fd (called @name in messages) into @s, as the guest's
 * root would: what exists is replaced.  Nothing outside the share can be reached: leading
 * slashes are dropped, a ".." in a name is refused, links are followed as in a chroot.
 * Stops at the first entry it refuses, with its name in the error: -EINVAL for bad names
 * and owners, -EFBIG for more than the limit, -EBADMSG for a damaged archive; -EINTR
 * after a signal, see interrupt.h.
 */
int share_import(struct share *s, int fd, const char *name,
		 const struct share_import_opts *opts, struct share_totals *totals,
		 struct error *e);

/* A format that libarchive writes, and what it can say. */
struct share_format {
	const char *format;	/* libarchive's name of it */
	bool xattrs;		/* extended attributes */
	bool sparse;		/* holes in files */
	bool sockets;
	bool dot;		/* names begin with "./" */
	bool init;		/* it has a /init: a link to /sbin/init, if the tree has none */
	bool numbered;		/* names of one file are told by a number, not by its first name */
};

extern const struct share_format share_tar;	/* pax */
/* Without "./": mksquashfs refuses names in which that alone is in the header's field for prefixes. */
extern const struct share_format share_tar_bare;
extern const struct share_format share_cpio;	/* newc */
extern const struct share_format share_initramfs;	/* newc, for a kernel */

struct hash;

struct share_export_opts {
	const struct share_format *format;
	const char *compression;	/* libarchive's "gzip", "xz", "zstd", ...; NULL: none */
	const char *level;		/* of the compression; NULL: its default */
	unsigned int threads;		/* that compress; 0: as many as processors */
	int64_t epoch;		/* no time is later than this; -1: any */
	/* tar: leave out the holes of files, which not every reader of tar files understands */
	bool sparse;
	struct hash *hash;	/* what is written is added to it, before compression; NULL: no */
	struct progress *progress;	/* may be NULL */
};

#define SHARE_EXPORT_OPTS_INIT { .format = &share_tar, .epoch = -1 }

/* Does this libarchive compress that way by itself? */
bool share_compresses(const char *compression);
/*
 * Does it compress with several threads?  Then the bytes are the same for any number of
 * them, also for one.
 */
bool share_compresses_in_threads(const char *compression);

/* An archive read from @from, compressed or not, to @fd as @opts say of compression. */
int share_recompress(int from, int fd, const char *name, const struct share_export_opts *opts,
		     struct error *e);

/*
 * Adds how the archive at @after (tar or cpio, compressed or not) differs from the one at @before to
 * @out: "PATH: mode 0644 -> 0600, content or attributes", sorted, without control characters.
 * They are read in a process that is confined.  -EBADMSG if one is not an archive.
 */
int share_compare_archives(int before, int after, struct strv *out, struct error *e);
/* The same for two open shares. */
int share_compare(int before, int after, struct strv *out, struct error *e);

/* Writes all of @s to @fd, which may be a pipe (called @name in messages). */
int share_export(struct share *s, int fd, const char *name,
		 const struct share_export_opts *opts, struct share_totals *totals,
		 struct error *e);

#endif
