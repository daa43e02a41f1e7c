// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration fragments: see config.h. */
#include "kernel-config/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char not_set[] = " is not set";

int version_compare(const char *a, const char *b)
{
	while (*a || *b) {
		char *a_end, *b_end;
		unsigned long x = strtoul(a, &a_end, 10), y = strtoul(b, &b_end, 10);

		if (x != y)
			return x < y ? -1 : 1;
		if (a_end == a && b_end == b)
			return strcmp(a, b);
		a = *a_end == '.' ? a_end + 1 : a_end;
		b = *b_end == '.' ? b_end + 1 : b_end;
	}
	return 0;
}

static struct config_symbol *lookup(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(c->v[i].name, name))
			return &c->v[i];
	return NULL;
}

static void set(struct config *c, char *name, char *value, const char *file, unsigned int line)
{
	struct config_symbol *s = lookup(c, name);

	if (s) {
		free(name);
		free(s->value);
	} else {
		if (c->n == c->cap) {
			c->cap = c->cap ? 2 * c->cap : 128;
			c->v = xreallocarray(c->v, c->cap, sizeof(*c->v));
		}
		s = &c->v[c->n++];
		s->name = name;
	}
	s->value = value;
	s->file = file;
	s->line = line;
}

/* The length of "CONFIG_[A-Za-z0-9_]+" at @s, 0 if there is none. */
static size_t symbol_length(const char *s)
{
	size_t n = strlen("CONFIG_");

	if (!str_starts(s, "CONFIG_"))
		return 0;
	while (isalnum((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n > strlen("CONFIG_") ? n : 0;
}

/* A value is y, m, n, a number or a quoted text without further quotes. */
static bool value_ok(const char *v)
{
	size_t n = strlen(v);

	if (v[0] == '"')
		return n >= 2 && strchr(v + 1, '"') == v + n - 1;
	if (n == 1 && strchr("ymn", v[0]))
		return true;
	if (v[0] == '-')
		v++;
	if (str_starts(v, "0x"))
		return v[2] && strspn(v + 2, "0123456789abcdefABCDEF") == strlen(v + 2);
	return *v && strspn(v, "0123456789") == strlen(v);
}

/* "#? < 7.3", "#? >= 7.3": whether the lines below count for @version; -EINVAL. */
static int condition(const char *line, const char *version)
{
	const char *p = line + 2;
	bool below;

	p += strspn(p, " \t");
	if (str_starts(p, ">="))
		below = false;
	else if (*p == '<')
		below = true;
	else
		return -EINVAL;
	p += below ? 1 : 2;
	p += strspn(p, " \t");
	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	return !version || (version_compare(version, p) < 0) == below;
}

static int parse_line(struct config *c, const char *line, const char *file, unsigned int nr,
		      bool active, struct error *e)
{
	bool off = str_starts(line, "# CONFIG_") && str_ends(line, not_set);
	const char *sym = off ? line + 2 : line;
	size_t len = symbol_length(sym);

	if (!off && line[0] == '#')
		return 0;
	if (off ? !str_eq(sym + len, not_set) : !len || sym[len] != '=' || !value_ok(sym + len + 1))
		return err_usage(e, "%s:%u: cannot read '%s'; expected 'CONFIG_NAME=value', "
				 "'# CONFIG_NAME is not set' or a comment", file, nr, line);
	if (active)
		set(c, xstrndup(sym, len), xstrdup(off ? "n" : sym + len + 1), file, nr);
	return 0;
}

int config_parse(struct config *c, const char *text, const char *name, const char *version,
		 struct error *e)
{
	unsigned int nr = 0;
	bool active = true;

	strv_add(&c->files, name);

	const char *file = c->files.v[c->files.n - 1];

	while (*text) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = xstrndup(text, len);
		int ret = 0;

		text += len + (text[len] == '\n');
		nr++;
		for (size_t n = len; n && isspace((unsigned char)line[n - 1]); n--)
			line[n - 1] = '\0';
		if (!*line) {
			active = true;
		} else if (str_starts(line, "#?")) {
			ret = condition(line, version);
			if (ret < 0)
				return err_usage(e, "%s:%u: cannot read '%s'; expected '#? < VERSION' "
						 "or '#? >= VERSION'", file, nr, line);
			active = ret;
		} else {
			ret = parse_line(c, line, file, nr, active, e);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

void config_text(const struct config *c, struct strbuf *out)
{
	for (size_t i = 0; i < c->n; i++) {
		if (str_eq(c->v[i].value, "n"))
			sb_addf(out, "# %s%s\n", c->v[i].name, not_set);
		else
			sb_addf(out, "%s=%s\n", c->v[i].name, c->v[i].value);
	}
}

static bool numbers_equal(const char *a, const char *b)
{
	char *a_end, *b_end;
	long long x = strtoll(a, &a_end, 0), y = strtoll(b, &b_end, 0);

	return a_end != a && b_end != b && !*a_end && !*b_end && x == y;
}

int config_check(const struct config *wanted, const char *dotconfig, struct error *e)
{
	cleanup_config struct config got = CONFIG_INIT;
	cleanup_strbuf struct strbuf lost = STRBUF_INIT;
	size_t n = 0;
	int ret = config_parse(&got, dotconfig, ".config", NULL, e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < wanted->n; i++) {
		const struct config_symbol *w = &wanted->v[i], *g = lookup(&got, w->name);
		const char *value = g ? g->value : "n";

		if (str_eq(value, w->value) || numbers_equal(value, w->value))
			continue;
		sb_addf(&lost, "%s%s=%s (%s:%u) became %s", n++ ? ", " : "", w->name, w->value,
			w->file, w->line, !g ? "unknown or unavailable" :
			str_eq(value, "n") ? "'not set'" : value);
	}
	if (!n)
		return 0;
	return err_set(e, EINVAL, "the kernel's configuration lost %zu wanted symbol%s: %s; a symbol "
		       "it depends on is missing, or this source has no such symbol", n,
		       n == 1 ? "" : "s", sb_str(&lost));
}

void config_release(struct config *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].name);
		free(c->v[i].value);
	}
	free(c->v);
	strv_release(&c->files);
	*c = (struct config)CONFIG_INIT;
}
