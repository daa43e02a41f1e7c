// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages with another version than their source: binary-only uploads (binNMUs), and what is
 * appended to a version.  The changelog gets an entry in front, in sbuild's words.  Developer's
 * Reference 5.10.2, deb-changelog(5).
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs/debbuild/private.h"

/* --maintainer, or what devscripts and sbuild look for in the environment. */
static char *maintainer_of(const struct debbuild *b)
{
	const char *name = getenv("DEBFULLNAME"), *address = getenv("DEBEMAIL");

	if (b->maintainer)
		return xstrdup(b->maintainer);
	if (address && strchr(address, '<'))
		return xstrdup(address);
	return name && address ? xasprintf("%s <%s>", name, address) : NULL;
}

static void add_line(struct strbuf *s, const char *text)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++)
		sb_addf(s, "  %s %s\n", i ? " " : "*", lines.v[i]);
}

static int make_entry(struct job *j, struct error *e)
{
	const struct debbuild *b = j->b;
	cleanup_free char *who = maintainer_of(b), *date = utc_text(j->r->began, UTC_RFC_5322);
	cleanup_strbuf struct strbuf s = STRBUF_INIT;

	if (!who)
		return err_usage(e, "the changelog of another version is signed by a maintainer: name one "
				 "with --maintainer 'NAME <ADDRESS>', or by DEBFULLNAME and DEBEMAIL");
	if (!strstr(who, " <") || !str_ends(who, ">") || strchr(who, '\n'))
		return err_usage(e, "--maintainer: '%s' is not NAME <ADDRESS>", who);
	sb_addf(&s, "%s (%s) %s; urgency=low, binary-only=yes\n\n", j->source.name, j->r->built,
		j->r->distribution ? j->r->distribution : j->r->suite);
	if (b->append)
		sb_addf(&s, "  * Append %s to version number; no source changes\n", b->append);
	if (b->binnmu)
		sb_addf(&s, "  * Binary-only non-maintainer upload for %s; no source changes.\n",
			j->r->architecture);
	if (b->binnmu_why)
		add_line(&s, b->binnmu_why);
	sb_addf(&s, "\n -- %s  %s\n\n", who, date);
	j->entry = xstrdup(sb_str(&s));
	return 0;
}

/* As it was built before. */
static int repeat(struct job *j, struct error *e)
{
	const char *version = j->info->version, *colon = strchr(version, ':');

	j->r->built = xstrdup(version);
	j->source.built_version = xstrdup(colon ? colon + 1 : version);
	if (str_eq(version, j->source.version))
		return 0;
	if (!j->info->entry)
		return err_usage(e, "'%s' is of version %s of source version %s, but does not say what was "
				 "changed (Binary-Only-Changes)", j->info->path, version, j->source.version);
	j->entry = xstrdup(j->info->entry);
	return 0;
}

int nmu_prepare(struct job *j, struct error *e)
{
	const struct debbuild *b = j->b;
	cleanup_free char *number = b->binnmu ? xasprintf("+b%u", b->binnmu) : xstrdup("");
	cleanup_free char *more = xasprintf("%s%s", b->append ? b->append : "", number);

	free(j->r->built);
	free(j->source.built_version);
	if (j->info)
		return repeat(j, e);
	j->r->built = xasprintf("%s%s", j->source.version, more);
	j->source.built_version = xasprintf("%s%s", j->source.file_version, more);
	return *more ? make_entry(j, e) : 0;
}
