// SPDX-License-Identifier: GPL-2.0-or-later
/* Manifests and keys of cached kernels: see manifest.h. */
#include "kernel-config/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/hash.h"
#include "umlcage/base/str.h"

/* One table for both directions. */
static const struct field {
	const char *name;
	size_t offset;
	bool number;
} fields[] = {
	{ "Key", offsetof(struct kernel_info, key), false },
	{ "Version", offsetof(struct kernel_info, version), false },
	{ "Source", offsetof(struct kernel_info, source), false },
	{ "Compiler", offsetof(struct kernel_info, compiler), false },
	{ "Fragments", offsetof(struct kernel_info, fragments), false },
	{ "Recipe", offsetof(struct kernel_info, recipe), false },
	{ "Size", offsetof(struct kernel_info, size), true },
	{ "Built", offsetof(struct kernel_info, built), true },
	{ "Seconds", offsetof(struct kernel_info, seconds), true },
	{ "Units", offsetof(struct kernel_info, units), true },
};

void manifest_format(const struct kernel_info *k, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const char *at = (const char *)k + fields[i].offset;

		if (fields[i].number)
			sb_addf(out, "%s: %llu\n", fields[i].name,
				(unsigned long long)*(const uint64_t *)(const void *)at);
		else
			sb_addf(out, "%s: %s\n", fields[i].name, *(char *const *)(const void *)at);
	}
}

static int take(struct kernel_info *k, const struct field *f, const char *value)
{
	char *at = (char *)k + f->offset;

	if (f->number)
		return parse_u64(value, 10, UINT64_MAX, (uint64_t *)(void *)at);
	free(*(char **)(void *)at);
	*(char **)(void *)at = xstrdup(value);
	return 0;
}

int manifest_parse(const char *text, struct kernel_info *k, struct error *e)
{
	unsigned int seen = 0;

	while (*text) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = xstrndup(text, len);
		char *value = strstr(line, ": ");

		text += len + (text[len] == '\n');
		if (!value)
			return err_set(e, EBADMSG, "a line of the manifest is not 'Field: value'");
		*value = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
			if (!str_eq(line, fields[i].name))
				continue;
			if (take(k, &fields[i], value + 2) < 0)
				return err_set(e, EBADMSG, "the manifest's %s is not a number", line);
			seen |= 1U << i;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!(seen & 1U << i))
			return err_set(e, EBADMSG, "the manifest has no %s", fields[i].name);
	if (!hash_valid(k->key))
		return err_set(e, EBADMSG, "the manifest's Key is not a sha256");
	return 0;
}
