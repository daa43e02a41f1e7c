// SPDX-License-Identifier: GPL-2.0-or-later
/* Patterns of files that are not unpacked: see exclude.h. */
#include "kernel-config/exclude.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/str.h"

int exclude_parse(struct exclude *x, const char *text, const char *name, struct error *e)
{
	for (unsigned int nr = 1; *text; nr++) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = xstrndup(text, len);

		text += len + (text[len] == '\n');
		if (!*line || *line == '#')
			continue;
		if ((*line != '+' && *line != '-') || line[1] != ' ' || !line[2])
			return err_set(e, EINVAL, "%s:%u: cannot read '%s'; expected '+ PATTERN' or "
				       "'- PATTERN'", name, nr, line);
		if (x->n == x->cap) {
			x->cap = x->cap ? 2 * x->cap : 64;
			x->v = xreallocarray(x->v, x->cap, sizeof(*x->v));
		}
		x->v[x->n++] = (struct exclude_rule){ xstrdup(line + 2), *line == '+' };
	}
	return 0;
}

static bool matches(const char *pattern, const char *path)
{
	const char *deep = strstr(pattern, "/**/");
	const char *name = strrchr(path, '/');

	if (!deep)
		return fnmatch(pattern, path, FNM_PATHNAME | FNM_LEADING_DIR) == 0;
	return name && strncmp(pattern, path, (size_t)(deep - pattern) + 1) == 0 &&
	       fnmatch(deep + strlen("/**/"), name + 1, 0) == 0;
}

bool exclude_match(const struct exclude *x, const char *path)
{
	for (size_t i = 0; i < x->n; i++)
		if (matches(x->v[i].pattern, path))
			return !x->v[i].keep;
	return false;
}

void exclude_release(struct exclude *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->v[i].pattern);
	free(x->v);
	*x = (struct exclude)EXCLUDE_INIT;
}
