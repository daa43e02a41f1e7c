/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed byte streams on a thread of their own, both ways, through libarchive's
 * filters.  Only those that need no other program are used.
 */
#ifndef UMLCAGE_SHARE_STREAM_H
#define UMLCAGE_SHARE_STREAM_H

#include <sys/types.h>

#include "umlcage/base/error.h"

struct stream;

/* Starts decompressing (or copying) @fd, which stays the caller's. */
int stream_reader(struct stream **st, int fd, const char *name, struct error *e);
/* The next bytes, valid until the next call: length, 0 at the end, -errno. */
ssize_t stream_read(struct stream *st, const void **buf);

/* Starts compressing to @fd; @compression NULL: none, @level NULL: the default. */
int stream_writer(struct stream **st, int fd, const char *name, const char *compression,
		  const char *level, struct error *e);
/* 0 or -errno of the other side. */
int stream_write(struct stream *st, const void *data, size_t len);

/*
 * Ends the thread: with @error (-errno) at once, with 0 (a writer) after all is written.
 * What went wrong over there is in @e, unless that is what @error told it.
 */
int stream_end(struct stream **st, int error, struct error *e);

#endif
