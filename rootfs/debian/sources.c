// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where packages come from: entries of sources.list(5) in both of its formats,
 * those of the host, and which of them is the mirror.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

enum { MAX_SOURCES_FILE = 4 * 1024 * 1024 };
static const char blanks[] = " \t\r\n";

static void source_release(struct debian_source *s)
{
	free(s->uri);
	free(s->suite);
	free(s->key);
	strv_release(&s->components);
	strv_release(&s->architectures);
	strv_release(&s->keyrings);
	strv_release(&s->fingerprints);
}

void debian_sources_release(struct debian_sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		source_release(&s->v[i]);
	free(s->v);
	*s = (struct debian_sources)DEBIAN_SOURCES_INIT;
}

static bool known_transport(const char *uri)
{
	return strncasecmp(uri, "http://", 7) == 0 || strncasecmp(uri, "https://", 8) == 0 ||
	       strncasecmp(uri, "file:/", 6) == 0;
}

/* file:/x and file:///x are the same; one form for all, without a slash at the end. */
static char *clean_uri(const char *mirror)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	if (mirror[0] == '/') {
		sb_adds(&sb, "file://");
		fetch_url_encode(&sb, mirror);
	} else if (strncasecmp(mirror, "file:/", 6) == 0 && mirror[6] != '/') {
		sb_addf(&sb, "file://%s", mirror + 5);
	} else {
		sb_adds(&sb, mirror);
	}
	while (sb.len > 8 && sb.s[sb.len - 1] == '/')
		sb.s[--sb.len] = '\0';
	return sb_steal(&sb);
}

struct debian_source *debian_sources_add(struct debian_sources *s, const char *mirror,
					   const char *suite, const char *components,
					   struct error *e)
{
	cleanup_free char *uri = clean_uri(mirror);
	struct strv parts = STRV_INIT;
	bool flat = str_ends(suite, "/");

	if (!known_transport(uri) || strpbrk(uri, blanks)) {
		err_usage(e, "'%s' is not a mirror: expected http://..., https://..., file:/... or an "
			  "absolute path", mirror);
		return NULL;
	}
	if (!fetch_path_is_below(suite) || strpbrk(suite, blanks)) {
		err_usage(e, "'%s' is not a suite", suite);
		return NULL;
	}
	strv_split(&parts, components ? components : "", " \t,");
	for (size_t i = 0; i < parts.n; i++) {
		if (fetch_path_is_below(parts.v[i]))
			continue;
		err_usage(e, "'%s' is not a component", parts.v[i]);
		strv_release(&parts);
		return NULL;
	}
	if (flat != !parts.n) {
		err_usage(e, flat ? "suite '%s' of '%s' is a path and takes no components" :
			  "suite '%s' of '%s' needs a component such as 'main'", suite, uri);
		strv_release(&parts);
		return NULL;
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 8;
		s->v = xreallocarray(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n] = (struct debian_source){
		.uri = steal_ptr(&uri), .suite = xstrdup(suite), .components = parts,
	};
	return &s->v[s->n++];
}

/* ---- options of an entry, in either format ---- */

static bool yes(const char *v)
{
	return strcasecmp(v, "yes") == 0 || strcasecmp(v, "true") == 0 || str_eq(v, "1");
}

static bool no(const char *v)
{
	return strcasecmp(v, "no") == 0 || strcasecmp(v, "false") == 0 || str_eq(v, "0");
}

/* A key in the entry: deb822 writes an empty line of it as " .". */
static char *unfold_key(const char *v)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	while (*v) {
		size_t len = strcspn(v, "\n");
		const char *line = v;

		v += len + (v[len] == '\n');
		while (len && (*line == ' ' || *line == '\t')) {
			line++;
			len--;
		}
		if (!(len == 1 && *line == '.'))
			sb_add(&sb, line, len);
		sb_addc(&sb, '\n');
	}
	return sb_steal(&sb);
}

static void set_signed_by(struct debian_source *src, const char *value)
{
	cleanup_strv struct strv words = STRV_INIT;

	if (strstr(value, "-----BEGIN")) {
		src->key = unfold_key(value);
		return;
	}
	strv_split(&words, value, " \t\n,");
	for (size_t i = 0; i < words.n; i++) {
		char *w = words.v[i];

		if (w[0] == '/') {
			strv_add(&src->keyrings, w);
			continue;
		}
		if (str_ends(w, "!"))
			w[strlen(w) - 1] = '\0';
		for (char *c = w; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		strv_add(&src->fingerprints, w);
	}
}

static void set_option(struct debian_source *src, const char *name, const char *value)
{
	if (strcasecmp(name, "arch") == 0 || strcasecmp(name, "architectures") == 0)
		strv_split(&src->architectures, value, " \t\n,");
	else if (strcasecmp(name, "signed-by") == 0)
		set_signed_by(src, value);
	else if (strcasecmp(name, "trusted") == 0)
		src->trusted = yes(value);
	else if (strcasecmp(name, "check-valid-until") == 0)
		src->no_valid_until = no(value);
}

/* $(ARCH) in a URI or a suite. */
static char *expand_arch(const char *s)
{
	const char *at = strstr(s, "$(ARCH)");

	if (!at)
		return xstrdup(s);
	return xasprintf("%.*s%s%s", (int)(at - s), s, debian_native_architecture(), at + 7);
}

/* ---- one-line format ---- */

/* "[ a=b c=d ]" at @*line: copies it out and moves on; false: no closing bracket. */
static bool take_options(const char **line, char **options)
{
	const char *end;

	*line += strspn(*line, blanks);
	if (**line != '[')
		return true;
	end = strchr(*line, ']');
	if (!end)
		return false;
	*options = xstrndup(*line + 1, (size_t)(end - *line - 1));
	*line = end + 1;
	return true;
}

static int parse_line(struct debian_sources *s, const char *line, const char *name,
		      unsigned int number, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT, pairs = STRV_INIT;
	cleanup_free char *options = NULL, *components = NULL;
	struct strv rest;

	line += strspn(line, blanks);
	if (!*line || str_starts(line, "deb-src"))
		return 0;
	if (!str_starts(line, "deb") || !strchr(" \t[", line[3]))
		return err_usage(e, "%s:%u: expected 'deb [options] URI suite component...'", name,
				 number);
	line += 3;
	if (!take_options(&line, &options))
		return err_usage(e, "%s:%u: '[' without ']'", name, number);
	strv_split(&words, line, blanks);
	if (words.n < 2)
		return err_usage(e, "%s:%u: expected 'deb [options] URI suite component...'", name,
				 number);
	if (!known_transport(words.v[0]) && words.v[0][0] != '/')
		return 0;
	rest = (struct strv){ .v = words.v + 2, .n = words.n - 2 };
	components = strv_join(&rest, " ");

	cleanup_free char *uri = expand_arch(words.v[0]), *suite = expand_arch(words.v[1]);
	struct debian_source *src = debian_sources_add(s, uri, suite, components, e);

	if (!src)
		return err_wrap(e, "%s:%u", name, number);
	strv_split(&pairs, options ? options : "", blanks);
	for (size_t i = 0; i < pairs.n; i++) {
		char *value = strchr(pairs.v[i], '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (value > pairs.v[i] + 1 && strchr("+-", value[-2]))
			value[-2] = '\0';
		set_option(src, pairs.v[i], value);
	}
	return 0;
}

static int parse_lines(struct debian_sources *s, const char *text, const char *name,
		       struct error *e)
{
	unsigned int number = 0;
	int ret = 0;

	while (*text && ret == 0) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = xstrndup(text, len);

		number++;
		line[strcspn(line, "#")] = '\0';
		ret = parse_line(s, line, name, number, e);
		text += len + (text[len] == '\n');
	}
	return ret;
}

/* ---- deb822 format ---- */

static int add_stanza(struct debian_sources *s, const struct deb822 *d, struct error *e)
{
	static const char *const names[] = { "Architectures", "Signed-By", "Trusted",
					     "Check-Valid-Until" };
	cleanup_strv struct strv types = STRV_INIT, uris = STRV_INIT, suites = STRV_INIT;
	const char *enabled = deb822_get(d, "Enabled"), *v = deb822_get(d, "Components");
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_free char *components = NULL;

	strv_split(&types, (deb822_get(d, "Types") ?: ""), blanks);
	strv_split(&uris, (deb822_get(d, "URIs") ?: ""), blanks);
	strv_split(&suites, (deb822_get(d, "Suites") ?: ""), blanks);
	strv_split(&parts, v ? v : "", blanks);
	components = strv_join(&parts, " ");
	if (!types.n || !uris.n || !suites.n)
		return err_usage(e, "%s:%u: the stanza before has no Types, URIs or Suites",
				 d->name, d->line);
	if ((enabled && no(enabled)) || !strv_has(&types, "deb"))
		return 0;
	for (size_t i = 0; i < uris.n * suites.n; i++) {
		cleanup_free char *uri = expand_arch(uris.v[i / suites.n]);
		cleanup_free char *suite = expand_arch(suites.v[i % suites.n]);
		struct debian_source *src;

		if (!known_transport(uri) && uri[0] != '/')
			continue;
		src = debian_sources_add(s, uri, suite, components, e);
		if (!src)
			return err_wrap(e, "%s:%u", d->name, d->line);
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			const char *value = deb822_get(d, names[k]);

			if (value)
				set_option(src, names[k], value);
		}
	}
	return 0;
}

static int parse_stanzas(struct debian_sources *s, const char *text, const char *name,
			 struct error *e)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	int ret;

	deb822_init_mem(&d, text, strlen(text), name);
	while ((ret = deb822_next(&d, e)) > 0) {
		ret = add_stanza(s, &d, e);
		if (ret < 0)
			return ret;
	}
	if (ret < 0 && e)
		e->kind = ERR_USAGE;
	return ret;
}

/* The first line that says something has "deb" as its word, or "Field:". */
static bool looks_like_stanzas(const char *text)
{
	while (*text) {
		const char *line = text + strspn(text, " \t\r\n");
		size_t len = strcspn(line, "\n"), word = strcspn(line, " \t[\r\n");

		if (*line && *line != '#')
			return memchr(line, ':', word) != NULL;
		text = line + len;
	}
	return false;
}

int debian_sources_parse(struct debian_sources *s, const char *text, const char *name,
			  struct error *e)
{
	return looks_like_stanzas(text) ? parse_stanzas(s, text, name, e) :
					  parse_lines(s, text, name, e);
}

static int sources_read_at(struct debian_sources *s, int dirfd, const char *path,
			   const char *name, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret = file_read(dirfd, path, MAX_SOURCES_FILE, &text, e);

	return ret < 0 ? ret : debian_sources_parse(s, sb_str(&text), name, e);
}

int debian_sources_read(struct debian_sources *s, const char *path, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret;

	if (!str_eq(path, "-"))
		return sources_read_at(s, AT_FDCWD, path, path, e);
	ret = fd_read_all(STDIN_FILENO, MAX_SOURCES_FILE, &text);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read standard input");
	return debian_sources_parse(s, sb_str(&text), "standard input", e);
}

int debian_sources_host(struct debian_sources *s, const char *root, struct error *e)
{
	cleanup_free char *apt = path_join(root ? root : "/", "etc/apt");
	cleanup_free char *list = path_join(apt, "sources.list");
	cleanup_free char *dir = path_join(apt, "sources.list.d");
	cleanup_strv struct strv names = STRV_INIT;
	DIR *d = opendir(dir);
	int ret = 0;

	if (access(list, R_OK) == 0)
		ret = debian_sources_read(s, list, e);
	for (const struct dirent *entry; d && (entry = readdir(d));)
		if (entry->d_name[0] != '.' &&
		    (str_ends(entry->d_name, ".list") || str_ends(entry->d_name, ".sources")))
			strv_take(&names, path_join(dir, entry->d_name));
	if (d)
		closedir(d);
	strv_sort(&names);
	for (size_t i = 0; i < names.n && ret == 0; i++)
		if (access(names.v[i], R_OK) == 0)
			ret = debian_sources_read(s, names.v[i], e);
	return ret;
}
