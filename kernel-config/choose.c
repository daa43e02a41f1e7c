// SPDX-License-Identifier: GPL-2.0-or-later
/* Choosing a version of Linux: see choose.h. */
#include "kernel-config/choose.h"

#include <stdlib.h>
#include <string.h>

#include "kernel-config/config.h"
#include "kernel-config/kernel.h"
#include "rootfs/deb822/deb822.h"
#include "umlcage/base/str.h"

#define DIGITS "0123456789"

/* How long the first two numbers of @version are, with the dot between them. */
static size_t series_length(const char *version)
{
	size_t n = strspn(version, DIGITS), m;

	if (!n || version[n] != '.')
		return n;
	m = strspn(version + n + 1, DIGITS);
	return m ? n + 1 + m : n;
}

bool is_linux_series(const char *name)
{
	return *name && strchr(name, '.') && series_length(name) == strlen(name);
}

enum kernel_fit kernel_fit(const char *version)
{
	cleanup_free char *series = xstrndup(version, series_length(version));

	if (version_compare(series, KERNEL_OLDEST) < 0)
		return KERNEL_TOO_OLD;
	return version_compare(series, KERNEL_NEWEST) > 0 ? KERNEL_UNTESTED : KERNEL_TESTED;
}

static bool fits(const struct choice *c, const char *version)
{
	cleanup_free char *series = xstrndup(version, series_length(version));
	enum kernel_fit fit = kernel_fit(version);

	if (c->series && !str_eq(c->series, series))
		return false;
	return fit == KERNEL_TESTED || (fit == KERNEL_UNTESTED && (c->newer || c->series));
}

static bool take_higher(char **best, const char *version)
{
	if (*best && deb_version_cmp(version, *best) <= 0)
		return false;
	free(*best);
	*best = xstrdup(version);
	return true;
}

bool choose(struct choice *c, const char *version)
{
	(void)take_higher(&c->newest, version);
	return fits(c, version) && take_higher(&c->best, version);
}

void choice_release(struct choice *c)
{
	free_ptr(&c->best);
	free_ptr(&c->newest);
}
