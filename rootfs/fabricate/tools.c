// SPDX-License-Identifier: GPL-2.0-or-later
/* Where roots with tools are kept.  Apart from making them, which takes all of fabrication. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

const struct fabricate_root fabricate_roots[] = {
	{ "default", "" },
	{ "tools", "debootstrap,mmdebstrap,cdebootstrap,debian-archive-keyring" },
	{ NULL, NULL },
};

/* Of the suite and the packages, in the folder of tools; malloc'ed. */
const char *fabricate_tools_named(const char *name)
{
	for (const struct fabricate_root *r = fabricate_roots; r->name; r++)
		if (strcmp(name, r->name) == 0)
			return r->include;
	return NULL;
}

/* VERSION_CODENAME of a Debian host: its mirror has that suite. */
char *fabricate_host_suite(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	char *suite = NULL;
	bool debian = false;

	if (file_read(AT_FDCWD, "/etc/os-release", 1 << 16, &text, NULL))
		return xstrdup("stable");
	strv_split(&lines, sb_str(&text), "\n\"");
	for (size_t i = 0; i < lines.n; i++) {
		debian |= strcmp(lines.v[i], "ID=debian") == 0;
		if (!suite && str_starts(lines.v[i], "VERSION_CODENAME="))
			suite = xstrdup(lines.v[i] + strlen("VERSION_CODENAME="));
	}
	if (debian && suite)
		return suite;
	free(suite);
	return xstrdup("stable");
}

/* Seconds since the epoch when the tools at @path were made; 0: nobody knows. */
static int64_t made_at(const char *path)
{
	char text[32] = "";
	uint64_t at = 0;

	if (getxattr(path, FABRICATE_MADE_XATTR, text, sizeof(text) - 1) < 0 ||
	    parse_u64(text, 10, INT64_MAX, &at) < 0)
		return 0;
	return (int64_t)at;
}

/* Changes that are kept of it (run --keep) fit no other. */
static bool is_held(const char *path)
{
	cleanup_share struct share s = SHARE_INIT;
	cleanup_strv struct strv names = STRV_INIT;

	if (share_open(&s, path, SHARE_PEEK, NULL) == 0)
		changes_of(&s, &names);
	return names.n > 0;
}

static char *tools_name(const char *suite, const char *include)
{
	char *name = xasprintf("%s-%s", suite, include);

	for (char *p = name; *p; p++)
		if (*p == '/' || *p == ',')
			*p = *p == '/' ? '_' : '+';
	return name;
}

char *fabricate_root_find(const struct fabricate_root *r)
{
	cleanup_free char *suite = fabricate_host_suite(), *name = tools_name(suite, r->include), *dir = NULL;
	cleanup_free char *path = NULL;

	if (xdg_dir(XDG_CACHE, "tools", &dir, NULL) < 0)
		return NULL;
	path = path_join(dir, name);
	return share_is_share(AT_FDCWD, path) ? steal_ptr(&path) : NULL;
}

bool fabricate_tools_old(const char *path)
{
	return time(NULL) - made_at(path) > FABRICATE_TOOLS_AGE && !is_held(path);
}

/* Is it there as it was made? */
static bool is_ready(const char *path, bool check)
{
	cleanup_share struct share s = SHARE_INIT;

	return share_is_share(AT_FDCWD, path) && share_open(&s, path, SHARE_PEEK, NULL) == 0 &&
	       (!check || share_seal_check(&s) == 0) && !fabricate_tools_old(path);
}

int fabricate_tools_find(const char *suite, const char *include, bool check, char **path,
			 struct error *e)
{
	cleanup_free char *own = suite ? xstrdup(suite) : fabricate_host_suite(), *dir = NULL;
	cleanup_free char *name = tools_name(own, include);
	int r = xdg_dir(XDG_CACHE, "tools", &dir, e);

	if (r)
		return r;
	*path = path_join(dir, name);
	return !is_ready(*path, check);
}
