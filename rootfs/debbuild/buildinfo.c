// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a build says of itself, so that it can be done again: deb-buildinfo(5).  The file is of
 * somebody else; what becomes a part of a path, an argument or an assignment is checked.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/debbuild/private.h"
#include "rootfs/fetch/fetch.h"
#include "umlcage/base/fd.h"

enum { MAX_BUILDINFO = 16 << 20 };

void buildinfo_release(struct buildinfo *i)
{
	free(i->path);
	free(i->source);
	free(i->source_version);
	free(i->version);
	free(i->arch);
	free(i->build_path);
	free(i->date);
	free(i->depends);
	free(i->entry);
	strv_release(&i->env);
	debian_files_release(&i->files);
	*i = (struct buildinfo)BUILDINFO_INIT;
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static void read_types(struct buildinfo *i, const char *field)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, field, " \t\n");
	for (size_t k = 0; k < words.n; k++)
		if (!str_eq(words.v[k], "source"))
			i->types |= str_eq(words.v[k], "all") ? BUILD_ALL : BUILD_ANY;
}

/* The lines of a changelog as they were: one blank less in front, and "." for an empty one. */
static void read_entry(struct buildinfo *i, const char *field)
{
	cleanup_strbuf struct strbuf s = STRBUF_INIT;

	/* it begins on the line after the name of the field */
	for (const char *line = field + (*field == '\n'), *next; *line; line = next) {
		const char *text = line + (*line == ' ');
		size_t len = strcspn(text, "\n");

		next = text + len + (text[len] == '\n');
		if (len == 1 && *text == '.')
			len = 0;
		sb_add(&s, text, len);
		sb_adds(&s, "\n");
	}
	sb_adds(&s, "\n");
	i->entry = xstrdup(sb_str(&s));
}

static bool is_variable(const char *name, size_t len)
{
	return len > 0 && !isdigit((unsigned char)*name) &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") >= len;
}

/* NAME="VALUE" lines, with \" and \\. */
static void read_environment(struct buildinfo *i, const char *field)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, field, "\n");
	for (size_t k = 0; k < lines.n; k++) {
		const char *name = lines.v[k] + strspn(lines.v[k], " "), *eq = strchr(name, '=');
		cleanup_strbuf struct strbuf s = STRBUF_INIT;

		if (!eq || eq[1] != '"' || !is_variable(name, (size_t)(eq - name)))
			continue;
		sb_add(&s, name, (size_t)(eq + 1 - name));
		for (const char *p = eq + 2; *p && *p != '"'; p++) {
			p += *p == '\\' && p[1];
			sb_add(&s, p, 1);
		}
		strv_add(&i->env, sb_str(&s));
	}
}

/* Where it was built, if that can be made in a cage, and is in nothing's way. */
static char *safe_path(const char *path)
{
	if (!path || !str_starts(path, "/build/") || strstr(path, "/.") ||
	    path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+-._~")])
		return NULL;
	return xstrdup(path);
}

static int read_fields(struct buildinfo *i, const struct deb822 *d, struct error *e)
{
	static const char *const wanted[] = { "Source", "Version", "Architecture", "Build-Architecture",
					      "Checksums-Sha256", "Installed-Build-Depends" };

	int ret;

	for (size_t k = 0; k < ARRAY_SIZE(wanted); k++)
		if (!deb822_get(d, wanted[k]))
			return err_usage(e, "'%s' is not a .buildinfo: it has no %s", i->path, wanted[k]);
	ret = debbuild_source_of(d, i->path, &i->source, &i->source_version, e);
	if (ret < 0)
		return ret;
	i->version = copy(deb822_get(d, "Version"));
	read_types(i, deb822_get(d, "Architecture"));
	i->arch = copy(deb822_get(d, "Build-Architecture"));
	i->date = copy(deb822_get(d, "Build-Date"));
	i->depends = copy(deb822_get(d, "Installed-Build-Depends"));
	i->build_path = safe_path(deb822_get(d, "Build-Path"));
	if (deb822_get(d, "Binary-Only-Changes"))
		read_entry(i, deb822_get(d, "Binary-Only-Changes"));
	if (deb822_get(d, "Environment"))
		read_environment(i, deb822_get(d, "Environment"));
	if (!debsrc_is_word(i->version, DEBSRC_VERSION) || !debsrc_is_word(i->arch, "-"))
		return err_usage(e, "'%s' has no version and architecture that make sense: '%s', '%s'",
				 i->path, i->version, i->arch);
	if (!i->types)
		return err_usage(e, "'%s' is of a source package alone: there is nothing to build again",
				 i->path);
	return debian_files_parse(&i->files, deb822_get(d, "Checksums-Sha256"), i->path, e);
}

int buildinfo_parse(struct buildinfo *i, const struct strbuf *text, struct error *e)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	cleanup_free char *plain = fetch_unsigned(text);
	int ret;

	deb822_init_mem(&d, plain, strlen(plain), i->path);
	ret = deb822_next(&d, e);
	if (ret == 0)
		return err_usage(e, "'%s' is not a .buildinfo: it is empty", i->path);
	return ret < 0 ? ret : read_fields(i, &d, e);
}

int buildinfo_read(struct buildinfo *i, const char *path, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret;

	i->path = realpath(path, NULL);
	if (!i->path)
		return err_sys(e, errno, "cannot open '%s'", path);
	ret = file_read(AT_FDCWD, i->path, MAX_BUILDINFO, &text, e);
	return ret < 0 ? ret : buildinfo_parse(i, &text, e);
}

char *buildinfo_what(const struct buildinfo *i)
{
	char *dsc = debbuild_dsc_beside(i->path, i->source, i->source_version);

	return dsc ? dsc : xasprintf("%s=%s", i->source, i->source_version);
}

/* ---- what came of it ---- */

static bool is_package(const char *name)
{
	return str_ends(name, ".deb") || str_ends(name, ".udeb");
}

int buildinfo_compare(const struct buildinfo *i, struct debbuild_result *r, struct error *e)
{
	cleanup_strv struct strv other = STRV_INIT;
	cleanup_free char *list = NULL;
	size_t n = 0;

	r->compared = true;
	for (size_t k = 0; k < i->files.n; k++) {
		const struct debian_file *was = &i->files.v[k], *is = debian_files_find(&r->files, was->name);

		if (!is_package(was->name))
			continue;
		n++;
		if (!is || !str_eq(is->sum, was->sum))
			strv_add(&r->differ, was->name);
	}
	if (!n)
		return err_usage(e, "'%s' lists no packages", i->path);
	for (size_t k = 0; k < r->files.n; k++)
		if (is_package(r->files.v[k].name) && !debian_files_find(&i->files, r->files.v[k].name))
			strv_add(&r->differ, r->files.v[k].name);
	if (!r->differ.n)
		return 0;
	list = strv_join(&r->differ, ", ");
	err_set(e, EBADMSG, "%zu of %zu packages are not what '%s' lists: %s", r->differ.n, n, i->path, list);
	err_hint(e, "diffoscope shows where two packages differ");
	return err_mark(e, ERR_OTHER);
}
