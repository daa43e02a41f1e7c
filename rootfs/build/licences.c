// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Licences of packages, from their machine-readable copyright files (copyright-format 1.0, DEP-5),
 * as SPDX expressions (SPDX 2.3, annex D).  What SPDX's list has no name for is a LicenseRef-.
 * Files of another form say nothing that a program could rely on.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/build/private.h"
#include "rootfs/deb822/deb822.h"

#define COPYRIGHT_MAX ((size_t)4 << 20)

/* Debian's short names, in lower case, where SPDX's are others; see copyright-format, 7.1.1. */
static const struct {
	const char *debian, *spdx;
} names[] = {
	{ "apache-2", "Apache-2.0" }, { "artistic", "Artistic-1.0" }, { "artistic-2", "Artistic-2.0" },
	{ "bsd-2", "BSD-2-Clause" }, { "bsd-3", "BSD-3-Clause" }, { "boost-1.0", "BSL-1.0" },
	{ "cc0", "CC0-1.0" }, { "expat", "MIT" }, { "openldap-2.8", "OLDAP-2.8" },
	{ "psf-2", "PSF-2.0" }, { "zope-2.1", "ZPL-2.1" },
};

/* Those that are the same but for capitals. */
static const char *const same[] = {
	"0BSD", "AFL-2.1", "Apache-1.1", "Apache-2.0", "Artistic-1.0", "Artistic-2.0", "BSD-2-Clause",
	"BSD-3-Clause", "BSD-4-Clause", "BSD-4-Clause-UC", "BSL-1.0", "bzip2-1.0.6", "CC-BY-3.0",
	"CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0", "CPL-1.0", "curl", "EFL-2.0",
	"EPL-1.0", "EPL-2.0", "FSFAP", "FSFUL", "FSFULLR", "FTL", "HPND", "ICU", "IJG", "ISC", "Libpng",
	"LPPL-1.3c", "MIT", "MIT-0", "MPL-1.0", "MPL-1.1", "MPL-2.0", "NCSA", "OFL-1.1", "OLDAP-2.8",
	"OpenSSL", "PSF-2.0", "QPL-1.0", "Ruby", "SGI-B-2.0", "Sleepycat", "SMLNJ", "Unicode-DFS-2016",
	"Unlicense", "Vim", "W3C", "WTFPL", "X11", "Zlib", "ZPL-2.1",
};

/* The GNU licences, each with its versions. */
static const struct {
	const char *debian, *spdx, *versions;
} gnu[] = {
	{ "gpl-", "GPL-", "1.0 2.0 3.0" }, { "lgpl-", "LGPL-", "2.0 2.1 3.0" },
	{ "agpl-", "AGPL-", "1.0 3.0" }, { "gfdl-", "GFDL-", "1.1 1.2 1.3" },
};

/* "gpl-2+" */
static bool add_gnu(const char *word, struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(gnu); i++) {
		const char *version = word + strlen(gnu[i].debian);
		size_t len = str_starts(word, gnu[i].debian) ? strspn(version, "0123456789.") : 0;
		cleanup_free char *full = xasprintf("%.*s%s", (int)len, version,
						    memchr(version, '.', len) ? "" : ".0");
		cleanup_strv struct strv known = STRV_INIT;
		bool later = len && str_eq(version + len, "+");

		strv_split(&known, gnu[i].versions, " ");
		if (!len || (version[len] && !later) || !strv_has(&known, full))
			continue;
		sb_addf(out, "%s%s-%s", gnu[i].spdx, full, later ? "or-later" : "only");
		return true;
	}
	return false;
}

static const char *known(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i].debian, word))
			return names[i].spdx;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		if (strcasecmp(same[i], word) == 0)
			return same[i];
	return NULL;
}

/* One licence, of one word or, with an exception, of several. */
static void add_term(const struct strv *words, size_t from, size_t to, struct strbuf *out)
{
	cleanup_strbuf struct strbuf whole = STRBUF_INIT;
	cleanup_free char *lower = NULL;

	for (size_t i = from; i < to; i++)
		sb_addf(&whole, "%s%s", i > from ? "-" : "", words->v[i]);
	lower = xstrdup(sb_str(&whole));
	for (char *p = lower; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (to == from + 1 && add_gnu(lower, out))
		return;
	if (to == from + 1 && known(lower)) {
		sb_adds(out, known(lower));
		return;
	}
	sb_adds(out, "LicenseRef-");
	for (const char *p = sb_str(&whole); *p; p++)
		sb_addc(out, isalnum((unsigned char)*p) || *p == '.' ? *p : '-');
}

static bool joins(const char *word)
{
	return strcasecmp(word, "and") == 0 || strcasecmp(word, "or") == 0 ||
	       strcasecmp(word, "and/or") == 0;
}

/* "A or B and C": what binds closer is the same to both. */
static void add_terms(const struct strv *words, size_t from, size_t to, struct strbuf *out)
{
	for (size_t at = from, end; at < to; at = end + 1) {
		for (end = at; end < to && !joins(words->v[end]); end++)
			;
		if (at > from)
			sb_adds(out, strcasecmp(words->v[at - 1], "and") == 0 ? " AND " : " OR ");
		if (end > at)
			add_term(words, at, end, out);
		else
			sb_adds(out, "LicenseRef-unnamed");
	}
}

/* Whole names: a comma ends a part, which "and" or "or" joins to the next. */
void build_licence(const char *text, struct strbuf *out)
{
	cleanup_strv struct strv parts = STRV_INIT;

	strv_split(&parts, text, ",");
	for (size_t i = 0; i < parts.n; i++) {
		cleanup_strv struct strv words = STRV_INIT;
		size_t from = 0;

		strv_split(&words, parts.v[i], " \t");
		if (i && words.n && joins(words.v[0]))
			from = 1;
		if (i)
			sb_adds(out, from && strcasecmp(words.v[0], "and") != 0 ? " OR " : " AND ");
		if (parts.n > 1 && words.n > from + 1)
			sb_addc(out, '(');
		add_terms(&words, from, words.n, out);
		if (words.n == from)
			sb_adds(out, "LicenseRef-unnamed");
		if (parts.n > 1 && words.n > from + 1)
			sb_addc(out, ')');
	}
}

/* What is said of files, each once. */
static void read_copyright(const struct strbuf *text, struct strv *licences)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	const char *format;
	int ret;

	deb822_init_mem(&d, sb_str(text), text->len, "copyright");
	ret = deb822_next(&d, NULL);
	format = ret == 1 ? deb822_get(&d, "Format") : NULL;
	if (!format || !strstr(format, "copyright-format"))
		return;
	for (bool first = true; ret == 1; ret = deb822_next(&d, NULL), first = false) {
		const char *value = deb822_get(&d, "License");
		cleanup_free char *name = value ? xstrndup(value, strcspn(value, "\n")) : NULL;
		cleanup_strbuf struct strbuf out = STRBUF_INIT;

		if (!name || !*name || (!first && !deb822_get(&d, "Files")))
			continue;
		build_licence(name, &out);
		if (!strv_has(licences, sb_str(&out)))
			strv_add(licences, sb_str(&out));
	}
	/* half of what it says is not what it says */
	if (ret < 0)
		strv_release(licences);
}

static void note(struct share_tree *tree, struct json_object *package)
{
	cleanup_free char *path = xasprintf("usr/share/doc/%s/copyright", json_text(package, "name"));
	cleanup_strbuf struct strbuf text = STRBUF_INIT, all = STRBUF_INIT;
	cleanup_strv struct strv licences = STRV_INIT;

	if (share_read(tree, path, COPYRIGHT_MAX, &text, NULL) < 0)
		return;
	read_copyright(&text, &licences);
	for (size_t i = 0; i < licences.n; i++) {
		bool inner = licences.n > 1 && strstr(licences.v[i], " OR ");

		sb_addf(&all, "%s%s%s%s", i ? " AND " : "", inner ? "(" : "", licences.v[i],
			inner ? ")" : "");
	}
	if (all.len)
		json_add_text(package, "license", sb_str(&all));
}

void build_note_licences(struct json_object *packages, const char *path)
{
	cleanup_share struct share s = SHARE_INIT;

	if (share_open(&s, path, SHARE_PEEK, NULL) < 0)
		return;

	cleanup_share_tree struct share_tree *tree = share_tree_new(s.fd, 0);

	for (size_t i = 0; i < json_object_array_length(packages); i++)
		note(tree, json_object_array_get_idx(packages, i));
}
