/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed byte streams on a thread of their own, both ways, through libarchive's
 * filters.  Only those that need no other program are used.
 */
#ifndef HOSTFS_BRIDGE_PACK_PRIVATE_H
#define HOSTFS_BRIDGE_PACK_PRIVATE_H

#include <archive_entry.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hostfs-bridge/pack/pack.h"
#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

/* share_import() itself, without a process of its own. */
int import_in_place(struct share *s, int fd, const char *name,
		    const struct share_import_opts *opts, struct share_totals *totals,
		    struct error *e);

/* Loads libarchive and what the locale needs, for a worker: nothing is opened for them later. */
void pack_prepare(void *arg);
/* What @a may be compressed by: what needs no other program. */
void pack_filters(struct archive *a);

struct stream;

/* Starts decompressing (or copying) @fd, which stays the caller's. */
int stream_reader(struct stream **st, int fd, const char *name, struct error *e);
/* The next bytes, valid until the next call: length, 0 at the end, -errno. */
ssize_t stream_read(struct stream *st, const void **buf);

/* Starts compressing to @fd, as @opts say. */
int stream_writer(struct stream **st, int fd, const char *name,
		  const struct share_export_opts *opts, struct error *e);
/* 0 or -errno of the other side. */
int stream_write(struct stream *st, const void *data, size_t len);

/*
 * Ends the thread: with @error (-errno) at once, with 0 (a writer) after all is written.
 * What went wrong over there is in @e, unless that is what @error told it.
 */
int stream_end(struct stream **st, int error, struct error *e);

/*
 * A bounded queue of bytes between two threads, so that compressing runs beside reading
 * and writing files.  One producer, one consumer; either may end early with an errno that
 * the other one then gets.
 */

struct ring;

#define RING_CHUNK ((size_t)256 << 10)	/* most bytes of one piece */

struct ring *ring_new(void);
void ring_free(struct ring **r);
#define cleanup_ring __attribute__((cleanup(ring_free)))

/* The producer: room of RING_CHUNK bytes (waits), then how much of it was filled.
 * 0, or the consumer's -errno. */
int ring_room(struct ring *r, char **buf);
void ring_filled(struct ring *r, size_t len);
/* No more; @error 0 or -errno. */
void ring_end(struct ring *r, int error);

/* The consumer: the next piece (waits), valid until the next call; its length, 0 at the
 * end, or the producer's -errno. */
ssize_t ring_next(struct ring *r, const char **buf);
/* Wants no more, for @error (-errno). */
void ring_refuse(struct ring *r, int error);

/* Compressing with gzip, @threads at once; the bytes are the same for any number of them. */

struct gzip;
/* Takes what comes out: 0 or -errno, which gzip_write() and gzip_end() return then. */
typedef int gzip_sink(void *arg, const void *buf, size_t len);

struct gzip *gzip_new(unsigned int threads, int level, gzip_sink *sink, void *arg);
int gzip_write(struct gzip *g, const char *data, size_t len);
/* All that is left. */
int gzip_end(struct gzip *g);
void gzip_free(struct gzip *g);

/*
 * POSIX ACLs of an archive entry in the form Linux keeps them in system.posix_acl_access
 * and _default (include/uapi/linux/posix_acl_xattr.h).
 */

/*
 * The ACL of that type (ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT) into @out, which is
 * left empty if the entry has none.  *@mask gets the group bits of the mode if there
 * is a mask entry, -1 otherwise.  0, or -EINVAL for a user or group known by name only.
 */
int acl_from_entry(struct archive_entry *entry, int type, struct strbuf *out, int *mask);

#endif
