// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt's configuration, as --aptopt gives it: the language of apt.conf(5), read line by line
 * as apt-pkg/contrib/configuration.cc reads it.  What it says is kept as a flat list of full
 * names ("Acquire::http::Proxy") and values; a name that ends in "::" is an item of a list.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rootfs/options/options.h"
#include "umlcage/base/fd.h"

#define MAX_TEXT ((size_t)1 << 20)
#define MAX_DEPTH 10

/* ---- what was set ---- */

static void drop(struct fab_aptconf *c, size_t i)
{
	free(c->v[i].name);
	free(c->v[i].value);
	memmove(&c->v[i], &c->v[i + 1], (c->n - i - 1) * sizeof(*c->v));
	c->n--;
}

static void set(struct fab_aptconf *c, const char *name, const char *value)
{
	for (size_t i = 0; i < c->n && !str_ends(name, "::"); i++)
		if (strcasecmp(c->v[i].name, name) == 0) {
			free(c->v[i].value);
			c->v[i].value = xstrdup(value);
			return;
		}
	c->v = xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n++] = (struct fab_aptconf_item){ xstrdup(name), xstrdup(value) };
}

/* #clear: the name itself and all below it. */
static void clear(struct fab_aptconf *c, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = c->n; i-- > 0;)
		if (strncasecmp(c->v[i].name, name, len) == 0 &&
		    (!c->v[i].name[len] || str_starts(c->v[i].name + len, "::")))
			drop(c, i);
}

void fab_aptconf_release(struct fab_aptconf *c)
{
	while (c->n)
		drop(c, c->n - 1);
	free(c->v);
	memset(c, 0, sizeof(*c));
}

const char *fab_aptconf_value(const struct fab_aptconf *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcasecmp(c->v[i].name, name) == 0)
			return c->v[i].value[0] ? c->v[i].value : NULL;
	return NULL;
}

bool fab_aptconf_has(const struct fab_aptconf *c, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < c->n; i++)
		if (strncasecmp(c->v[i].name, name, len) == 0 &&
		    (!c->v[i].name[len] || str_starts(c->v[i].name + len, "::")))
			return true;
	return false;
}

int fab_aptconf_flag(const struct fab_aptconf *c, const char *name)
{
	/* apt's StringToBool() */
	static const char *const off[] = { "no", "false", "without", "off", "disable" };
	static const char *const on[] = { "yes", "true", "with", "on", "enable" };
	const char *value = fab_aptconf_value(c, name);
	char *end;
	long n;

	if (!value)
		return -1;
	n = strtol(value, &end, 0);
	if (end > value && !*end && (n == 0 || n == 1))
		return (int)n;
	for (size_t i = 0; i < ARRAY_SIZE(off); i++)
		if (strcasecmp(value, off[i]) == 0)
			return 0;
	for (size_t i = 0; i < ARRAY_SIZE(on); i++)
		if (strcasecmp(value, on[i]) == 0)
			return 1;
	return -1;
}

/* ---- reading ---- */

struct reader {
	struct fab_aptconf *conf;
	const char *where;		/* for messages */
	unsigned int line, depth;
	bool comment;			/* within one that spans lines */
	struct strbuf statement;	/* what was read of it so far */
	struct strv scopes;		/* names of the blocks around: each from the top */
};

static int read_text(struct fab_aptconf *c, const char *where, const char *text,
		     unsigned int depth, struct error *e);

#define syntax(r, e, ...) \
	err_wrap((err_usage(e, __VA_ARGS__), e), "%s, line %u", (r)->where, (r)->line)

static const char *scope(const struct reader *r)
{
	return r->scopes.n ? r->scopes.v[r->scopes.n - 1] : "";
}

static void leave(struct reader *r)
{
	if (r->scopes.n)
		free(r->scopes.v[--r->scopes.n]);
}

/* A word that may have quoted parts, brackets and %XX; false: none, or a quote stays open. */
static bool quoted_word(const char **at, struct strbuf *out)
{
	const char *from = *at + strspn(*at, " "), *to = from;

	if (!*from)
		return false;
	for (; *to && !isspace((unsigned char)*to); to++) {
		if (*to == '"' || *to == '[')
			to = strchr(to + 1, *to == '"' ? '"' : ']');
		if (!to)
			return false;
	}
	for (; from < to; from++) {
		if (*from == '%' && from + 2 < to && isxdigit((unsigned char)from[1]) &&
		    isxdigit((unsigned char)from[2])) {
			char hex[] = { from[1], from[2], '\0' };

			sb_addc(out, (char)strtol(hex, NULL, 16));
			from += 2;
		} else if (*from != '"') {
			sb_addc(out, *from);
		}
	}
	*at = to + strspn(to, " ");
	return true;
}

/* Strings in quotes, one after the other as in C, and nothing else. */
static bool quoted_strings(const char **at, struct strbuf *out)
{
	const char *p = *at + strspn(*at, " ");

	if (!*p)
		return false;
	sb_reset(out);
	for (; *p; p++) {
		if (*p == '"') {
			const char *end = strchr(p + 1, '"');

			if (!end)
				return false;
			sb_add(out, p + 1, (size_t)(end - p - 1));
			p = end;
		} else if (!isspace((unsigned char)*p)) {
			return false;
		} else if (!isspace((unsigned char)p[-1])) {
			sb_addc(out, ' ');
		}
	}
	*at = p;
	return true;
}

static int directive(struct reader *r, const char *tag, const char *word, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret;

	if (*scope(r))
		return syntax(r, e, "'%s' within a block", tag);
	if (strcmp(tag, "#clear") == 0) {
		clear(r->conf, word);
		return 0;
	}
	if (strcmp(tag, "#x-apt-configure-index") == 0)
		return 0;
	if (strcmp(tag, "#include") != 0)
		return syntax(r, e, "there is no directive '%s'", tag);
	if (r->depth >= MAX_DEPTH)
		return syntax(r, e, "too many files include each other");
	if (str_ends(word, "/"))
		return syntax(r, e, "'%s': folders cannot be included", word);
	ret = file_read(AT_FDCWD, word, MAX_TEXT, &text, e);
	if (ret == 0)
		ret = read_text(r->conf, word, sb_str(&text), r->depth + 1, e);
	return ret ? err_wrap(e, "%s, line %u", r->where, r->line) : 0;
}

/* The statement that @end closed: ';', '{' or '}'. */
static int finish(struct reader *r, char end, struct error *e)
{
	cleanup_strbuf struct strbuf tag = STRBUF_INIT, word = STRBUF_INIT;
	cleanup_free char *statement = sb_steal(&r->statement), *name = NULL;
	const char *at = statement;
	bool has_word, has_tag = true;

	if (!quoted_word(&at, &tag))
		return syntax(r, e, "a quote is not closed in '%s'", statement);
	has_word = quoted_strings(&at, &word);
	if (!has_word) {
		sb_reset(&word);
		has_word = quoted_word(&at, &word);
	}
	if (*at)
		return syntax(r, e, "'%s' follows the value of '%s'; write the value in quotes", at,
			      sb_str(&tag));
	if (!has_word && end != '{') {
		/* an item of a list, which has no name */
		if (!*scope(r))
			return syntax(r, e, "'%s' has no value; options of apt are written NAME "
				      "\"VALUE\"", statement);
		sb_adds(&word, sb_str(&tag));
		has_tag = false;
		has_word = true;
	}
	if (has_tag && sb_str(&tag)[0] == '#')
		return directive(r, sb_str(&tag), sb_str(&word), e);
	if (!*scope(r))
		name = xstrdup(sb_str(&tag));
	else
		name = xasprintf("%s::%s", scope(r), has_tag ? sb_str(&tag) : "");
	if (has_word)
		set(r->conf, name, sb_str(&word));
	if (end == '{')
		strv_add(&r->scopes, name);
	return 0;
}

/* Adds a part of a line to the statement, without the blanks around. */
static void add_part(struct reader *r, const char *from, const char *to)
{
	while (from < to && isspace((unsigned char)*from))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	if (to == from)
		return;
	if (r->statement.len)
		sb_addc(&r->statement, ' ');
	sb_add(&r->statement, from, (size_t)(to - from));
}

/* A line without comments; quotes end with it. */
static void without_comments(struct reader *r, const char *p, struct strbuf *out)
{
	static const char *const magic[] = { "#clear", "#include", "#x-apt-configure-index" };
	bool quote = false;

	for (; *p; p++) {
		if (r->comment) {
			p = strstr(p, "*/");
			if (!p)
				return;
			r->comment = false;
			p++;
			continue;
		}
		if (*p == '"')
			quote = !quote;
		if (!quote && p[0] == '/' && p[1] == '*') {
			r->comment = true;
			p++;
			continue;
		}
		if (!quote && *p == '#') {
			bool word = false;

			for (size_t i = 0; i < ARRAY_SIZE(magic); i++)
				word |= str_starts(p, magic[i]);
			if (!word)
				return;
		}
		if (!quote && p[0] == '/' && p[1] == '/')
			return;
		sb_addc(out, *p == '\t' ? ' ' : *p);
	}
}

static int read_line(struct reader *r, const char *line, struct error *e)
{
	cleanup_strbuf struct strbuf clean = STRBUF_INIT;
	const char *from, *p;
	bool quote = false;
	int ret = 0;

	without_comments(r, line, &clean);
	for (from = p = sb_str(&clean); *p && ret == 0; p++) {
		if (*p == '"')
			quote = !quote;
		if (quote || !strchr("{};", *p))
			continue;
		add_part(r, from, p);
		from = p + 1;
		if (r->statement.len)
			ret = finish(r, *p, e);
		else if (*p == '{')
			ret = syntax(r, e, "a block has no name");
		if (*p == '}')
			leave(r);
	}
	if (ret == 0)
		add_part(r, from, p);
	return ret;
}

static int read_text(struct fab_aptconf *c, const char *where, const char *text,
		     unsigned int depth, struct error *e)
{
	struct reader r = { .conf = c, .where = where, .depth = depth };
	int ret = 0;

	while (*text && ret == 0) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = xstrndup(text, len);

		r.line++;
		ret = read_line(&r, line, e);
		text += len + (text[len] == '\n');
	}
	if (ret == 0 && r.statement.len)
		ret = syntax(&r, e, "'%s' does not end with ';'", r.statement.s);
	sb_release(&r.statement);
	strv_release(&r.scopes);
	return ret;
}

int fab_aptconf_parse(struct fab_aptconf *c, const char *where, const char *text,
		      struct error *e)
{
	return read_text(c, where, text, 0, e);
}

unsigned int fab_aptconf_number(const struct fab_aptconf *c, const char *name, unsigned int otherwise)
{
	/* apt's FindI(): what follows the digits does not matter */
	const char *value = fab_aptconf_value(c, name);
	char *end;
	long n;

	if (!value)
		return otherwise;
	n = strtol(value, &end, 0);
	if (end == value)
		return otherwise;
	return n < 0 ? 0 : n > INT_MAX ? INT_MAX : (unsigned int)n;
}

/* ---- what it says of proxies ---- */

char *fab_aptconf_proxy(const struct fab_aptconf *c, const char *url)
{
	const char *end = strstr(url, "://"), *proxy = NULL;
	cleanup_free char *scheme = end ? xstrndup(url, (size_t)(end - url)) : NULL;
	const char *schemes[] = { scheme, scheme && strcmp(scheme, "https") == 0 ? "http" : NULL };
	const char *host = end ? end + 3 : "";
	size_t len;

	host += strcspn(host, "@/") == strcspn(host, "/") ? 0 : strcspn(host, "@") + 1;
	len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");
	for (size_t i = 0; i < ARRAY_SIZE(schemes) && schemes[i] && !proxy; i++) {
		cleanup_free char *general = xasprintf("Acquire::%s::Proxy", schemes[i]);
		cleanup_free char *special = xasprintf("%s::%.*s", general, (int)len, host);

		proxy = fab_aptconf_value(c, special);
		if (!proxy)
			proxy = fab_aptconf_value(c, general);
	}
	if (!proxy)
		return NULL;
	return xstrdup(strcmp(proxy, "DIRECT") == 0 || strcmp(proxy, "false") == 0 ? "" : proxy);
}
