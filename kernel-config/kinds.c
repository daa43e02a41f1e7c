// SPDX-License-Identifier: GPL-2.0-or-later
/* The kinds of kernels that there are: see recipe.h; the table is made by recipe-main.c. */
#include "kernel-config/kernel.h"
#include "kernel-config/recipe.h"

static const struct kernel_kind *find(const char *name)
{
	for (const struct kernel_kind *k = kernel_kinds; k->name; k++)
		if (str_eq(k->name, name))
			return k;
	return NULL;
}

bool kernel_is_kind(const char *name)
{
	return *name && find(name);
}

const char *recipe_of_kind(const char *name)
{
	const struct kernel_kind *k = find(name);

	return k ? k->recipe : kernel_kinds[0].recipe;
}
