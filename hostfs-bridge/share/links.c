// SPDX-License-Identifier: GPL-2.0-or-later
/* Inodes with several names, in a hash table: see links.h. */
#include "hostfs-bridge/share/share.h"

#include <stdbool.h>
#include <stdlib.h>

#include "umlcage/base/str.h"

struct link {
	dev_t dev;
	ino_t ino;
	uint64_t number;
	uint64_t left;		/* names not counted yet */
	char *path;		/* NULL: a free place */
};

struct share_links {
	struct link *table;
	size_t size;		/* a power of two */
	size_t used;
	uint64_t last;
};

struct share_links *share_links_new(void)
{
	struct share_links *l = xcalloc(1, sizeof(*l));

	l->size = 256;
	l->table = xcalloc(l->size, sizeof(*l->table));
	return l;
}

void share_links_free(struct share_links **lp)
{
	struct share_links *l = *lp;

	if (!l)
		return;
	for (size_t i = 0; i < l->size; i++)
		free(l->table[i].path);
	free(l->table);
	free_ptr(lp);
}

/* The place of the inode, or the free one where it would be. */
static struct link *find(const struct share_links *l, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 40) * 0x9e3779b97f4a7c15ull;
	size_t i = (size_t)(h >> 32) & (l->size - 1);

	while (l->table[i].path && (l->table[i].ino != ino || l->table[i].dev != dev))
		i = (i + 1) & (l->size - 1);
	return &l->table[i];
}

static void grow(struct share_links *l)
{
	struct link *old = l->table;
	size_t n = l->size;

	l->size *= 2;
	l->table = xcalloc(l->size, sizeof(*l->table));
	for (size_t i = 0; i < n; i++)
		if (old[i].path)
			*find(l, old[i].dev, old[i].ino) = old[i];
	free(old);
}

const char *share_links_first(struct share_links *l, dev_t dev, ino_t ino, const char *path)
{
	struct link *at = find(l, dev, ino);

	if (at->path) {
		l->last = at->number;
		return at->path;
	}
	l->last = ++l->used;
	*at = (struct link){ dev, ino, l->used, 0, xstrdup(path) };
	if (l->used * 2 > l->size)
		grow(l);
	return NULL;
}

uint64_t share_links_number(const struct share_links *l)
{
	return l->last;
}

void share_links_count(struct share_links *l, dev_t dev, ino_t ino, const char *path, uint64_t nlink)
{
	bool known = share_links_first(l, dev, ino, path) != NULL;
	struct link *at = find(l, dev, ino);

	if (!known)
		at->left = nlink;
	if (at->left)
		at->left--;
}

void share_links_incomplete(const struct share_links *l, void (*fn)(const char *path, void *arg), void *arg)
{
	for (size_t i = 0; i < l->size; i++)
		if (l->table[i].path && l->table[i].left)
			fn(l->table[i].path, arg);
}
