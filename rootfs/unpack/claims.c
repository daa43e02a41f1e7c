// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of claimed paths: open addressing, one lock; see unpack-claims.h. */
#include "rootfs/unpack/private.h"

#include <stdlib.h>
#include <string.h>

#include "umlcage/base/str.h"

void claims_init(struct claims *c)
{
	*c = (struct claims){ .size = 1 << 14 };
	pthread_mutex_init(&c->lock, NULL);
	c->slots = xcalloc(c->size, sizeof(struct claim *));
}

void claims_release(struct claims *c)
{
	for (size_t i = 0; i < c->size; i++) {
		if (!c->slots[i])
			continue;
		free(c->slots[i]->path);
		free(c->slots[i]->target);
		free(c->slots[i]);
	}
	free(c->slots);
	c->slots = NULL;
	c->size = c->n = 0;
	pthread_mutex_destroy(&c->lock);
}

static size_t hash(const char *s)
{
	uint64_t h = 14695981039346656037ULL;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ULL;
	return (size_t)(h ^ h >> 32);
}

static struct claim **slot_of(const struct claims *c, const char *path)
{
	size_t i = hash(path) & (c->size - 1);

	while (c->slots[i] && strcmp(c->slots[i]->path, path) != 0)
		i = (i + 1) & (c->size - 1);
	return &c->slots[i];
}

static void grow(struct claims *c)
{
	struct claims bigger = { .size = c->size * 2 };

	bigger.slots = xcalloc(bigger.size, sizeof(struct claim *));
	for (size_t i = 0; i < c->size; i++)
		if (c->slots[i])
			*slot_of(&bigger, c->slots[i]->path) = c->slots[i];
	free(c->slots);
	c->slots = bigger.slots;
	c->size = bigger.size;
}

static struct claim *add(struct claims *c, const char *path, int owner, enum claim_kind kind,
			 const char *target)
{
	struct claim *claim = xcalloc(1, sizeof(*claim));

	if (c->n * 2 >= c->size)
		grow(c);
	*claim = (struct claim){ .path = xstrdup(path), .kind = kind, .owner = owner,
				 .target = target ? xstrdup(target) : NULL };
	*slot_of(c, path) = claim;
	c->n++;
	return claim;
}

enum claim_answer claims_dir(struct claims *c, const char *path, int owner, int rank,
			     const struct share_attr *attr)
{
	enum claim_answer answer = CLAIM_THERE;

	pthread_mutex_lock(&c->lock);

	struct claim *claim = *slot_of(c, path);

	if (!claim) {
		claim = add(c, path, owner, CLAIM_DIR, NULL);
		claim->rank = rank;
		claim->attr = *attr;
		answer = CLAIM_MAKE;
	} else if (claim->kind == CLAIM_LINK && claim->owner == CLAIM_BEFORE) {
		/* leads to a directory, made beforehand */
		answer = CLAIM_THERE;
	} else if (claim->kind != CLAIM_DIR) {
		answer = CLAIM_CLASH;
	} else if (claim->rank < rank) {
		claim->rank = rank;
		claim->attr = *attr;
	}
	pthread_mutex_unlock(&c->lock);
	return answer;
}

enum claim_answer claims_file(struct claims *c, const char *path, int owner,
			      enum claim_kind kind, const char *target)
{
	enum claim_answer answer = CLAIM_MAKE;

	pthread_mutex_lock(&c->lock);

	struct claim *claim = *slot_of(c, path);

	if (!claim)
		add(c, path, owner, kind, target);
	else if (kind == CLAIM_LINK && claim->kind == CLAIM_LINK &&
		 str_eq(claim->target, target))
		answer = CLAIM_THERE;
	else if (claim->kind == CLAIM_DIR || (claim->owner != owner && claim->owner != CLAIM_BEFORE))
		answer = CLAIM_CLASH;
	pthread_mutex_unlock(&c->lock);
	return answer;
}

struct claim *claims_find(struct claims *c, const char *path)
{
	return *slot_of(c, path);
}

void claims_set(struct claims *c, const char *path, int owner, enum claim_kind kind,
		const char *target)
{
	struct claim *claim = *slot_of(c, path);

	if (!claim) {
		add(c, path, owner, kind, target);
		return;
	}
	claim->owner = owner;
	claim->kind = kind;
	free(claim->target);
	claim->target = target ? xstrdup(target) : NULL;
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(struct claim *const *)a)->path, (*(struct claim *const *)b)->path);
}

struct claim **claims_sorted(const struct claims *c)
{
	struct claim **v = xcalloc(c->n, sizeof(struct claim *));
	size_t n = 0;

	for (size_t i = 0; i < c->size; i++)
		if (c->slots[i])
			v[n++] = c->slots[i];
	qsort(v, n, sizeof(struct claim *), by_path);
	return v;
}
