// SPDX-License-Identifier: GPL-2.0-or-later
/* Source packages: what the Sources files list, and lists of files with their sums. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

enum { MAX_FILES = 4096, MAX_NAME = 255 };

/* ---- lists of files ---- */

/* A name that is no path, no option and nothing hidden. */
static bool is_file_name(const char *s)
{
	size_t len = strlen(s);

	if (!len || len > MAX_NAME || !isalnum((unsigned char)s[0]))
		return false;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("+-._~:%", *p))
			return false;
	return true;
}

static int add_line(struct debian_files *f, const char *line, const char *what, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	uint64_t size;

	strv_split(&words, line, " \t\r");
	if (!words.n)
		return 0;
	if (words.n != 3 || !hash_valid(words.v[0]) || !is_file_name(words.v[2]) ||
	    parse_u64(words.v[1], 10, INT64_MAX, &size) < 0 || f->n == MAX_FILES)
		return err_set(e, EBADMSG, "%s: '%s' is not a sum, a size and a name", what, line);
	if (debian_files_find(f, words.v[2]))
		return err_set(e, EBADMSG, "%s: '%s' is listed twice", what, words.v[2]);
	f->v = xreallocarray(f->v, f->n + 1, sizeof(*f->v));
	f->v[f->n] = (struct debian_file){ .name = xstrdup(words.v[2]), .size = size };
	memcpy(f->v[f->n++].sum, words.v[0], SHA256_HEX + 1);
	return 0;
}

int debian_files_parse(struct debian_files *f, const char *field, const char *what,
		       struct error *e)
{
	cleanup_strv struct strv lines = STRV_INIT;
	int ret = 0;

	strv_split(&lines, field, "\n");
	for (size_t i = 0; i < lines.n && ret == 0; i++)
		ret = add_line(f, lines.v[i], what, e);
	return ret;
}

const struct debian_file *debian_files_find(const struct debian_files *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (str_eq(f->v[i].name, name))
			return &f->v[i];
	return NULL;
}

void debian_files_release(struct debian_files *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].name);
	free_ptr(&f->v);
	f->n = 0;
}

/* ---- looking one up ---- */

struct search {
	const char *name, *version;
	struct debian_source_package *best;
	struct strv others;	/* versions that were not asked for */
	char *source;		/* of a binary package of that name */
};

void debian_source_package_release(struct debian_source_package *p)
{
	free_ptr(&p->name);
	free_ptr(&p->version);
	free_ptr(&p->directory);
	debian_files_release(&p->files);
	p->index = NULL;
}

static int take_source(const struct deb822 *d, const struct debian_index *index, void *arg,
		       struct error *e)
{
	struct search *s = arg;
	const char *name = deb822_get(d, "Package"), *version = deb822_get(d, "Version");
	const char *directory = deb822_get(d, "Directory"), *sums;
	cleanup_free char *what = NULL;

	if (!name || !version)
		return 0;
	if (!str_eq(name, s->name)) {
		cleanup_strv struct strv binaries = STRV_INIT;
		const char *binary = s->source ? NULL : deb822_get(d, "Binary");

		/* a search in the whole field is fast and says no for almost all */
		if (!binary || !strstr(binary, s->name))
			return 0;
		strv_split(&binaries, binary, ", \n\t");
		if (strv_has(&binaries, s->name))
			s->source = xstrdup(name);
		return 0;
	}
	if (s->version && !str_eq(version, s->version)) {
		if (!strv_has(&s->others, version))
			strv_add(&s->others, version);
		return 0;
	}
	/* Extra-Source-Only: kept for the sake of others, and not what apt would take */
	if (!s->version && str_eq(deb822_get(d, "Extra-Source-Only"), "yes"))
		return 0;
	if (s->best->version && deb_version_cmp(version, s->best->version) <= 0)
		return 0;
	sums = deb822_get(d, "Checksums-Sha256");
	if (!sums || !directory || !fetch_path_is_below(directory))
		return err_set(e, EBADMSG, "%s:%u: source package '%s' lacks a field, or one is damaged",
			       d->name, d->line, name);
	debian_source_package_release(s->best);
	s->best->index = index;
	s->best->name = xstrdup(name);
	s->best->version = xstrdup(version);
	s->best->directory = xstrdup(directory);
	what = xasprintf("source package '%s'", name);
	return debian_files_parse(&s->best->files, sums, what, e);
}

static int not_found(const struct debian_archive *a, const struct search *s, struct error *e)
{
	cleanup_free char *others = strv_join(&s->others, ", ");

	if (!a->nsource_indexes)
		return err_set(e, ENOENT, "the archive has no list of source packages (Sources)");
	if (s->others.n)
		return err_set(e, ENOENT, "no version '%s' of source package '%s'; there is %s",
			       s->version, s->name, others);
	err_set(e, ENOENT, "no source package '%s' in the components and suites given", s->name);
	return s->source ? err_hint(e, "the binary package of that name is made from '%s'", s->source) :
			   -ENOENT;
}

int debian_find_source(struct debian_archive *a, const char *name, const char *version,
		       struct debian_source_package *out, struct error *e)
{
	struct search s = { name, version, out, STRV_INIT, NULL };
	int ret = 0;

	debian_source_package_release(out);
	for (size_t i = 0; i < a->nsource_indexes && ret == 0; i++)
		ret = debian_index_each(&a->source_indexes[i], take_source, &s, e);
	if (ret == 0 && !out->version)
		ret = not_found(a, &s, e);
	strv_release(&s.others);
	free(s.source);
	return ret;
}
