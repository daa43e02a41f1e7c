// SPDX-License-Identifier: GPL-2.0-or-later
/* Inodes with several names, in a hash table: see links.h. */
#include "hostfs-bridge/lib/links.h"

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

struct links {
	struct link *table;
	size_t size;		/* a power of two */
	size_t used;
	uint64_t last;
};

struct links *links_new(void)
{
	struct links *l = xcalloc(1, sizeof(*l));

	l->size = 256;
	l->table = xcalloc(l->size, sizeof(*l->table));
	return l;
}

void links_free(struct links **lp)
{
	struct links *l = *lp;

	if (!l)
		return;
	for (size_t i = 0; i < l->size; i++)
		free(l->table[i].path);
	free(l->table);
	free_ptr(lp);
}

/* The place of the inode, or the free one where it would be. */
static struct link *find(const struct links *l, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 40) * 0x9e3779b97f4a7c15ull;
	size_t i = (size_t)(h >> 32) & (l->size - 1);

	while (l->table[i].path && (l->table[i].ino != ino || l->table[i].dev != dev))
		i = (i + 1) & (l->size - 1);
	return &l->table[i];
}

static void grow(struct links *l)
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

const char *links_first(struct links *l, dev_t dev, ino_t ino, const char *path)
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

uint64_t links_number(const struct links *l)
{
	return l->last;
}

void links_count(struct links *l, dev_t dev, ino_t ino, const char *path, uint64_t nlink)
{
	bool known = links_first(l, dev, ino, path) != NULL;
	struct link *at = find(l, dev, ino);

	if (!known)
		at->left = nlink;
	if (at->left)
		at->left--;
}

void links_incomplete(const struct links *l, void (*fn)(const char *path, void *arg), void *arg)
{
	for (size_t i = 0; i < l->size; i++)
		if (l->table[i].path && l->table[i].left)
			fn(l->table[i].path, arg);
}
