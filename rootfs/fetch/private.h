/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the bytes of a download go (store.c), between the files of this module. */
#ifndef ROOTFS_FETCH_PRIVATE_H
#define ROOTFS_FETCH_PRIVATE_H

#include "rootfs/fetch/fetch.h"

/*
 * Makes the place for @d's bytes.  1: the file was in the cache and is d->fd; 0:
 * fetch from d->got on; -EWOULDBLOCK: another run is fetching this file.
 */
int fetch_store_begin(struct fetch_item *d, struct error *e);
int fetch_store_write(struct fetch_item *d, const void *data, size_t len);	/* 0 or -errno */
/* Forgets what there is so far. */
int fetch_store_restart(struct fetch_item *d);
/* Explains what fetch_store_write() returned. */
void fetch_store_explain(const struct fetch_item *d, const char *url, int errnum, struct error *e);
/*
 * All has come from @url; @whole if the server said how much that is.  0 if it is right,
 * and then the file has its final name and is d->fd; -EAGAIN if it was cut short; -EBADMSG
 * if it is wrong, the place is empty again then.
 */
int fetch_store_complete(struct fetch_item *d, const char *url, bool whole, struct error *e);
/* Lets go of an unfinished file; it is resumed later. */
void fetch_store_close(struct fetch_item *d);

#endif
