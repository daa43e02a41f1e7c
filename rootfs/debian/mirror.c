// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which mirror to use when nobody says: the one the host itself is kept up to
 * date from.  The host may have sources of third parties too, so the entry for
 * the host's own release is wanted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

/* VERSION_CODENAME of os-release(5); "" if there is none. */
static char *host_codename(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;

	if (file_read(AT_FDCWD, "/etc/os-release", 65536, &text, NULL) < 0)
		return xstrdup("");
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		char *v = lines.v[i];

		if (!str_starts(v, "VERSION_CODENAME="))
			continue;
		v += strlen("VERSION_CODENAME=");
		v += *v == '"';
		return xstrndup(v, strcspn(v, "\""));
	}
	return xstrdup("");
}

/* How likely the entry is the distribution's own archive; 0: not. */
static int rank(const struct debian_source *s, const char *codename, bool security)
{
	static const char *const rolling[] = { "sid", "unstable", "testing", "stable",
					       "oldstable", NULL };
	bool is_security = strstr(s->suite, "-security") || strstr(s->suite, "/updates");
	size_t len = strlen(codename);

	if (is_security != security || !strv_has(&s->components, "main"))
		return 0;
	if (security)
		return len && str_starts(s->suite, codename) ? 2 : 1;
	if (len && str_eq(s->suite, codename))
		return 4;
	for (size_t i = 0; rolling[i]; i++)
		if (str_eq(s->suite, rolling[i]))
			return 3;
	if (len && strncmp(s->suite, codename, len) == 0 && s->suite[len] == '-')
		return 2;
	return str_ends(s->uri, "/debian") ? 1 : 0;
}

static int from_host(bool security, char **mirror, struct progress *progress, struct error *e)
{
	cleanup_debian_sources struct debian_sources sources = DEBIAN_SOURCES_INIT;
	cleanup_free char *codename = host_codename();
	const struct debian_source *best = NULL;
	int best_rank = 0;

	debian_sources_host(&sources, NULL);
	for (size_t i = 0; i < sources.skipped.n; i++)
		progress_warn(progress, "left out of this host's own sources: %s",
			      sources.skipped.v[i]);
	for (size_t i = 0; i < sources.n; i++) {
		int r = rank(&sources.v[i], codename, security);

		if (r > best_rank) {
			best = &sources.v[i];
			best_rank = r;
		}
	}
	if (!best)
		return err_set(e, ENOENT, "no %s given and none found in this host's apt sources; "
			       "use --mirror or set UMLCAGE_MIRROR",
			       security ? "mirror of security suites" : "mirror");
	*mirror = xstrdup(best->uri);
	return 0;
}

int debian_mirror_find(const char *option, char **mirror, struct progress *progress,
		       struct error *e)
{
	const char *set = option ? option : getenv("UMLCAGE_MIRROR");
	cleanup_debian_sources struct debian_sources check = DEBIAN_SOURCES_INIT;

	if (!set || !*set)
		return from_host(false, mirror, progress, e);

	const struct debian_source *s = debian_sources_add(&check, set, "any", "main", e);

	if (!s)
		return -EINVAL;
	*mirror = xstrdup(s->uri);
	return 0;
}

int debian_mirror_security(char **mirror, struct error *e)
{
	return from_host(true, mirror, NULL, e);
}
