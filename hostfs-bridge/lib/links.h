/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inodes with several names: which name came first. */
#ifndef UMLCAGE_SHARE_LINKS_H
#define UMLCAGE_SHARE_LINKS_H

#include <stdint.h>
#include <sys/types.h>

struct links;

struct links *links_new(void);
void links_free(struct links **l);
#define cleanup_links __attribute__((cleanup(links_free)))

/* The name this inode was asked about first; NULL the first time, when @path is noted. */
const char *links_first(struct links *l, dev_t dev, ino_t ino, const char *path);
/* The same for counting: notes one more of the inode's @nlink names. */
void links_count(struct links *l, dev_t dev, ino_t ino, const char *path, uint64_t nlink);
/* Calls @fn with the first name of every inode that was counted less often than it has
 * names. */
void links_incomplete(const struct links *l, void (*fn)(const char *path, void *arg), void *arg);
/* A number of the inode last asked about: 1 for the first one, and so on. */
uint64_t links_number(const struct links *l);

#endif
