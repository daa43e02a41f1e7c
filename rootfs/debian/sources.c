// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where packages come from: entries of sources.list(5) in both of its formats,
 * those of the host, and which of them is the mirror.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
	strv_release(&s->alternates);
	strv_release(&s->more_architectures);
	strv_release(&s->less_architectures);
}

void debian_sources_release(struct debian_sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		source_release(&s->v[i]);
	free(s->v);
	strv_release(&s->skipped);
	*s = (struct debian_sources)DEBIAN_SOURCES_INIT;
}

static bool known_transport(const char *uri)
{
	return strncasecmp(uri, "http://", 7) == 0 || strncasecmp(uri, "https://", 8) == 0 ||
	       strncasecmp(uri, "file:/", 6) == 0;
}

/*
 * file:/x and file:///x are the same, and so is copy: here, where nothing is used in place; one
 * form for all, without blanks, and without a slash at the end.
 */
static char *clean_uri(const char *mirror)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	if (mirror[0] == '/') {
		sb_adds(&sb, "file://");
		fetch_url_encode(&sb, mirror);
	} else {
		if (strncasecmp(mirror, "file:/", 6) == 0 || strncasecmp(mirror, "copy:/", 6) == 0) {
			mirror += 5;
			sb_adds(&sb, mirror[1] == '/' ? "file:" : "file://");
		}
		for (; *mirror; mirror++)
			if (*mirror == ' ')
				sb_adds(&sb, "%20");
			else
				sb_addc(&sb, *mirror);
	}
	while (sb.len > 8 && sb.s[sb.len - 1] == '/')
		sb.s[--sb.len] = '\0';
	return sb_steal(&sb);
}

/* A mirror and its place in a list: apt asks those with the lower number first. */
struct ranked {
	char *uri;
	unsigned long priority;
	size_t line;
};

static int by_priority(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->line < y->line ? -1 : 1;
}

/*
 * "mirror+file:/PATH", apt-transport-mirror(1): a file with an address a line, perhaps with
 * "priority:N" and other words behind.  The usable ones into @uris, in the order in which they
 * are to be asked.
 */
static int read_mirror_list(const char *path, struct strv *uris, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_free struct ranked *v = NULL;
	size_t n = 0;
	int ret = file_read(AT_FDCWD, path, MAX_SOURCES_FILE, &text, e);

	if (ret < 0)
		return err_wrap(e, "list of mirrors");
	strv_split(&lines, sb_str(&text), "\r\n");
	v = xcalloc(lines.n + 1, sizeof(*v));
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i] + strspn(lines.v[i], blanks);
		const char *priority = strstr(line, "priority:");
		cleanup_free char *word = xstrndup(line, strcspn(line, blanks));

		if (!*word || *word == '#')
			continue;
		v[n] = (struct ranked){ clean_uri(word), ULONG_MAX, i };
		if (priority)
			v[n].priority = strtoul(priority + strlen("priority:"), NULL, 10);
		n++;
	}
	qsort(v, n, sizeof(*v), by_priority);
	for (size_t i = 0; i < n; i++) {
		if (known_transport(v[i].uri))
			strv_add(uris, v[i].uri);
		free(v[i].uri);
	}
	return uris->n ? 0 : err_usage(e, "list of mirrors '%s' has no address with http:, https: "
				       "or file:", path);
}

/* What "mirror" means: its addresses, the first of them the one it is known by. */
static int resolve_mirror(const char *mirror, struct strv *uris, struct error *e)
{
	if (str_starts(mirror, "mirror+file:/")) {
		const char *path = mirror + strlen("mirror+file:");

		while (path[1] == '/')
			path++;
		return read_mirror_list(path, uris, e);
	}
	strv_take(uris, clean_uri(mirror));
	if (known_transport(uris->v[0]))
		return 0;
	return err_usage(e, "'%s' is not a mirror: expected http://..., https://..., file:/..., "
			 "copy:/..., mirror+file:/... or an absolute path", mirror);
}

struct debian_source *debian_sources_add(struct debian_sources *s, const char *mirror,
					   const char *suite, const char *components,
					   struct error *e)
{
	cleanup_strv struct strv uris = STRV_INIT;
	cleanup_free char *uri = NULL;
	struct strv parts = STRV_INIT;
	bool flat = str_ends(suite, "/");

	if (resolve_mirror(mirror, &uris, e) < 0)
		return NULL;
	uri = xstrdup(uris.v[0]);
	/* apt takes "/" and "/x/" for "./" and "x/" */
	if (flat)
		suite += strspn(suite, "/");
	if (flat && !*suite)
		suite = "./";
	if (!known_transport(uri) || strpbrk(uri, blanks)) {
		err_usage(e, "'%s' is not an address", mirror);
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
	for (size_t i = 1; i < uris.n; i++)
		strv_add(&s->v[s->n].alternates, uris.v[i]);
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
	const struct {
		const char *line, *stanza;	/* names in either format */
		struct strv *list;
	} lists[] = {
		{ "arch", "Architectures", &src->architectures },
		{ "arch+", "Architectures-Add", &src->more_architectures },
		{ "arch-", "Architectures-Remove", &src->less_architectures },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (strcasecmp(name, lists[i].line) == 0 || strcasecmp(name, lists[i].stanza) == 0)
			strv_split(lists[i].list, value, " \t\n,");
	if (strcasecmp(name, "signed-by") == 0)
		set_signed_by(src, value);
	else if (strcasecmp(name, "trusted") == 0)
		src->trusted = yes(value);
	else if (strcasecmp(name, "allow-insecure") == 0)
		src->allow_insecure = yes(value);
	else if (strcasecmp(name, "check-valid-until") == 0)
		src->no_valid_until = no(value);
	else if (strcasecmp(name, "check-date") == 0)
		src->no_date = no(value);
}

/* $(ARCH) in a URI or a suite. */
static char *expand_arch(const char *s)
{
	static const char variable[] = "$(ARCH)";
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;
	const char *at;

	for (; (at = strstr(s, variable)); s = at + strlen(variable)) {
		sb_add(&sb, s, (size_t)(at - s));
		sb_adds(&sb, debian_native_architecture());
	}
	sb_adds(&sb, s);
	return sb_steal(&sb);
}

/* ---- one-line format ---- */

/*
 * The next word at *@p, up to a blank or one of @ends: 1, 0 at the end, -EINVAL.  As apt's
 * ParseQuoteWord(), a quoted part may have blanks in it, and loses its quotes; so may one in
 * brackets, which stay.
 */
static int take_word(const char **p, const char *ends, struct strbuf *out)
{
	sb_reset(out);
	*p += strspn(*p, blanks);
	if (!**p || strchr(ends, **p))
		return 0;
	for (; **p && !strchr(blanks, **p) && !strchr(ends, **p); ++*p) {
		char close = **p == '"' ? '"' : **p == '[' ? ']' : '\0';
		const char *end = close ? strchr(*p + 1, close) : NULL;

		if (close && !end)
			return -EINVAL;
		if (close == '"')
			sb_add(out, *p + 1, (size_t)(end - *p - 1));
		else
			sb_add(out, *p, (size_t)((end ? end : *p) - *p + 1));
		*p = end ? end : *p;
	}
	return 1;
}

/* "[ a=b c=d ]" at @*line into @options, and moves on. */
static int take_options(const char **line, struct strv *options, struct error *e)
{
	cleanup_strbuf struct strbuf word = STRBUF_INIT;
	int ret;

	*line += strspn(*line, blanks);
	if (**line != '[')
		return 0;
	if (!strchr(++*line, ']'))
		return err_usage(e, "'[' without ']'");
	while ((ret = take_word(line, "]", &word)) > 0) {
		if (!strchr(sb_str(&word), '='))
			return err_usage(e, "option '%s' has no value", sb_str(&word));
		strv_add(options, sb_str(&word));
	}
	if (ret < 0 || **line != ']')
		return err_usage(e, "a quote that is not closed");
	++*line;
	return 0;
}

static int add_entry(struct debian_sources *s, const char *mirror, const char *suite,
		     const char *components, struct debian_source **src, struct error *e)
{
	cleanup_free char *uri = expand_arch(mirror), *at = expand_arch(suite);

	*src = debian_sources_add(s, uri, at, components, e);
	return *src ? 0 : -EINVAL;
}

static int parse_line(struct debian_sources *s, const char *line, struct error *e)
{
	static const char expected[] = "expected 'deb [options] URI suite component...'";
	cleanup_strv struct strv words = STRV_INIT, options = STRV_INIT;
	cleanup_strbuf struct strbuf word = STRBUF_INIT;
	cleanup_free char *components = NULL;
	struct debian_source *src;
	struct strv rest;
	int ret;

	line += strspn(line, blanks);
	if (!*line || str_starts(line, "deb-src"))
		return 0;
	if (!str_starts(line, "deb") || !strchr(" \t[", line[3]))
		return err_usage(e, "%s", expected);
	line += 3;
	ret = take_options(&line, &options, e);
	if (ret < 0)
		return ret;
	while ((ret = take_word(&line, "", &word)) > 0)
		strv_add(&words, sb_str(&word));
	if (ret < 0)
		return err_usage(e, "a quote that is not closed");
	if (words.n < 2)
		return err_usage(e, "%s", expected);
	rest = (struct strv){ .v = words.v + 2, .n = words.n - 2 };
	components = strv_join(&rest, " ");
	ret = add_entry(s, words.v[0], words.v[1], components, &src, e);
	for (size_t i = 0; i < options.n && ret == 0; i++) {
		char *value = strchr(options.v[i], '=');

		*value++ = '\0';
		set_option(src, options.v[i], value);
	}
	return ret;
}

/* What to do about an entry that cannot be used: of the host's, it is noted and passed over. */
static int put_up_with(struct debian_sources *s, bool hosts, struct error *why, struct error *e)
{
	if (!hosts)
		return err_move(e, why);
	strv_add(&s->skipped, err_text(why));
	err_release(why);
	return 0;
}

static int parse_lines(struct debian_sources *s, const char *text, const char *name, bool hosts,
		       struct error *e)
{
	unsigned int number = 0;
	int ret = 0;

	while (*text && ret == 0) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = xstrndup(text, len);
		struct error why = ERROR_INIT;

		number++;
		line[strcspn(line, "#")] = '\0';
		ret = parse_line(s, line, &why);
		if (ret < 0) {
			err_wrap(&why, "%s:%u", name, number);
			ret = put_up_with(s, hosts, &why, e);
		}
		text += len + (text[len] == '\n');
	}
	return ret;
}

/* ---- deb822 format ---- */

static int add_stanza(struct debian_sources *s, const struct deb822 *d, struct error *e)
{
	static const char *const names[] = {
		"Architectures", "Architectures-Add", "Architectures-Remove", "Signed-By",
		"Trusted", "Allow-Insecure", "Check-Valid-Until", "Check-Date",
	};
	cleanup_strv struct strv types = STRV_INIT, uris = STRV_INIT, suites = STRV_INIT;
	const char *enabled = deb822_get(d, "Enabled"), *v = deb822_get(d, "Components");
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_free char *components = NULL;

	strv_split(&types, (deb822_get(d, "Types") ?: ""), blanks);
	strv_split(&uris, (deb822_get(d, "URIs") ?: ""), blanks);
	strv_split(&suites, (deb822_get(d, "Suites") ?: ""), blanks);
	strv_split(&parts, v ? v : "", blanks);
	components = strv_join(&parts, " ");
	if (enabled && no(enabled))
		return 0;
	if (!types.n || !uris.n || !suites.n)
		return err_usage(e, "the stanza before has no Types, URIs or Suites");
	if (!strv_has(&types, "deb"))
		return 0;
	for (size_t i = 0; i < uris.n * suites.n; i++) {
		struct debian_source *src;
		int ret = add_entry(s, uris.v[i / suites.n], suites.v[i % suites.n], components,
				    &src, e);

		if (ret < 0)
			return ret;
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			const char *value = deb822_get(d, names[k]);

			if (value)
				set_option(src, names[k], value);
		}
	}
	return 0;
}

static int parse_stanzas(struct debian_sources *s, const char *text, const char *name, bool hosts,
			 struct error *e)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	struct error why = ERROR_INIT;
	int ret;

	deb822_init_mem(&d, text, strlen(text), name);
	while ((ret = deb822_next(&d, &why)) > 0) {
		ret = add_stanza(s, &d, &why);
		if (ret < 0) {
			err_wrap(&why, "%s:%u", d.name, d.line);
			ret = put_up_with(s, hosts, &why, e);
		}
		if (ret < 0)
			return ret;
	}
	if (ret < 0) {
		(void)err_mark(&why, ERR_USAGE);
		ret = put_up_with(s, hosts, &why, e);
	}
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

static int parse(struct debian_sources *s, const char *text, const char *name, bool hosts,
		 struct error *e)
{
	return looks_like_stanzas(text) ? parse_stanzas(s, text, name, hosts, e) :
					  parse_lines(s, text, name, hosts, e);
}

int debian_sources_parse(struct debian_sources *s, const char *text, const char *name,
			  struct error *e)
{
	return parse(s, text, name, false, e);
}

int debian_sources_read(struct debian_sources *s, const char *path, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret;

	if (!str_eq(path, "-")) {
		ret = file_read(AT_FDCWD, path, MAX_SOURCES_FILE, &text, e);
		return ret < 0 ? ret : parse(s, sb_str(&text), path, false, e);
	}
	ret = fd_read_all(STDIN_FILENO, MAX_SOURCES_FILE, &text);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read standard input");
	return parse(s, sb_str(&text), "standard input", false, e);
}

/* One file of the host's, if it can be read. */
static void read_hosts(struct debian_sources *s, const char *path)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct error why = ERROR_INIT;
	int ret = file_read(AT_FDCWD, path, MAX_SOURCES_FILE, &text, &why);

	if (ret == 0)
		(void)parse(s, sb_str(&text), path, true, NULL);
	else if (ret != -ENOENT)
		strv_add(&s->skipped, err_text(&why));
	err_release(&why);
}

void debian_sources_host(struct debian_sources *s, const char *root)
{
	cleanup_free char *apt = path_join(root ? root : "/", "etc/apt");
	cleanup_free char *list = path_join(apt, "sources.list");
	cleanup_free char *dir = path_join(apt, "sources.list.d");
	cleanup_strv struct strv names = STRV_INIT;
	DIR *d = opendir(dir);
	int ret = d || errno == ENOENT ? 0 : -errno;

	read_hosts(s, list);
	for (const struct dirent *entry; d && (entry = dir_next(d, &ret));)
		if (entry->d_name[0] != '.' &&
		    (str_ends(entry->d_name, ".list") || str_ends(entry->d_name, ".sources")))
			strv_take(&names, path_join(dir, entry->d_name));
	if (d)
		closedir(d);
	if (ret < 0)
		strv_addf(&s->skipped, "cannot read '%s': %s", dir, strerror(-ret));
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++)
		read_hosts(s, names.v[i]);
}
