/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded queue of bytes between two threads, so that compressing runs beside reading
 * and writing files.  One producer, one consumer; either may end early with an errno that
 * the other one then gets.
 */
#ifndef UMLCAGE_SHARE_RING_H
#define UMLCAGE_SHARE_RING_H

#include <stddef.h>
#include <sys/types.h>

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

#endif
