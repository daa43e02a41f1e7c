// SPDX-License-Identifier: GPL-2.0-or-later
/* The hashes that name kernels: see recipe.h. */
#include "kernel-config/recipe.h"

#include <stdlib.h>
#include <string.h>

#include "umlcage/base/hash.h"
#include "umlcage/base/str.h"

const char *const recipe_fragments[] = {
	"base.config", "fs.config", "net.config", "defaults.config", "humfs.config", NULL,
};

bool recipe_has_fragment(const char *name)
{
	for (size_t i = 0; recipe_fragments[i]; i++)
		if (str_eq(name, recipe_fragments[i]))
			return true;
	return false;
}

/* Ends and releases @h; malloc'ed. */
static char *end_hash(struct hash *h)
{
	char *hex = xmalloc(SHA256_HEX + 1);

	hash_end(h, hex);
	hash_release(h);
	return hex;
}

static bool in_recipe(const char *name, const char *kind)
{
	size_t len = strlen(kind);

	if (str_starts(name, "patches/") || str_starts(name, "humfs/") || recipe_has_fragment(name))
		return true;
	return len && strncmp(name, kind, len) == 0 && str_eq(name + len, ".config");
}

/* Where what counts of @a begins: the words above a patch change no kernel. */
static const char *content(const struct asset *a)
{
	static const char mark[] = "\ndiff --git ";
	const char *diff = NULL;

	if (str_ends(a->name, ".patch"))
		diff = memmem(a->start, (size_t)(a->end - a->start), mark, strlen(mark));
	return diff ? diff : a->start;
}

char *recipe_hash(const struct asset *assets, const char *kind)
{
	struct hash h = { NULL };

	hash_start(&h);
	for (const struct asset *a = assets; a->name; a++) {
		const char *start = content(a);
		uint64_t len = (uint64_t)(a->end - start);

		if (!in_recipe(a->name, kind))
			continue;
		hash_add_field(&h, a->name);
		hash_add(&h, &len, sizeof(len));
		hash_add(&h, start, len);
	}
	return end_hash(&h);
}

char *recipe_key(const char *recipe, const char *source_id, const char *compiler, const char *extra)
{
	struct hash h = { NULL };

	hash_start(&h);
	hash_add_field(&h, recipe);
	hash_add_field(&h, source_id);
	hash_add_field(&h, compiler);
	hash_add_field(&h, extra);
	return end_hash(&h);
}
