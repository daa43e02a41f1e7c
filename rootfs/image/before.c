// SPDX-License-Identifier: GPL-2.0-or-later
/* What was compressed before: see private.h, and blocks.c for what is in it. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/cache/cache.h"
#include "rootfs/image/private.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/xdg.h"

#define BLOCKS_MAX ((uint64_t)4 << 30)	/* bytes of all of them */

/*
 * Of the image by that name in this folder or one beside it, as a build has for each night.  NULL for
 * what has no name.
 */
static char *path_of(const struct image_job *j)
{
	cleanup_free char *cache = NULL, *folder = NULL, *name = NULL, *copy = NULL;
	struct hash hash = { NULL };
	char key[SHA256_HEX + 1];

	if (!j->t->name || j->t->is_stdout || j->t->is_device ||
	    xdg_dir(XDG_CACHE, "blocks", &cache, NULL) < 0)
		return NULL;
	name = xstrdup(j->t->name);
	copy = xstrdup(j->t->name);
	folder = realpath(dirname(copy), NULL);
	if (!folder)
		return NULL;
	hash_start(&hash);
	hash_add_field(&hash, dirname(folder));
	hash_add_field(&hash, basename(name));
	hash_add_field(&hash, j->tool->name);
	hash_add_field(&hash, j->t->level ? j->t->level : "");
	hash_end(&hash, key);
	hash_release(&hash);
	return path_join(cache, key);
}

void image_blocks_fetch(struct image_job *j)
{
	cleanup_free char *path = path_of(j);

	/* it is only read there, and another one is put in its place */
	if (path)
		(void)linkat(AT_FDCWD, path, j->work.share.fd, IMAGE_BLOCKS, 0);
}

void image_blocks_keep(struct image_job *j)
{
	cleanup_free char *path = path_of(j);
	uint64_t bytes;
	size_t count, held;

	if (path && renameat(j->work.share.fd, IMAGE_BLOCKS ".new", AT_FDCWD, path) == 0)
		(void)cache_prune("blocks", BLOCKS_MAX, 0, &bytes, &count, &held, NULL);
}
