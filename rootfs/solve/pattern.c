// SPDX-License-Identifier: GPL-2.0-or-later
/* apt-patterns(7), as far as they make sense where nothing is installed yet. */
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/solve/private.h"

enum node_kind {
	N_AND, N_OR, N_NOT, N_NARROW, N_TRUE, N_FALSE, N_ESSENTIAL, N_PRIORITY, N_NAME,
	N_EXACT_NAME, N_SECTION, N_ARCHIVE, N_CODENAME, N_VERSION, N_ARCHITECTURE, N_VIRTUAL,
	N_SOURCE, N_EXACT_SOURCE,
};

struct node {
	enum node_kind kind;
	struct node *child[32];
	size_t n;
	char *word;
	regex_t re;
	bool has_re;
};

struct parser {
	const char *p, *all;
	struct error *e;
};

static void node_free(struct node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++)
		node_free(n->child[i]);
	if (n->has_re)
		regfree(&n->re);
	free(n->word);
	free(n);
}

static struct node *node_new(enum node_kind kind)
{
	struct node *n = xcalloc(1, sizeof(*n));

	n->kind = kind;
	return n;
}

static struct node *bad(struct parser *ps, const char *what)
{
	err_usage(ps->e, "cannot read pattern '%s': %s at '%s'", ps->all, what, ps->p);
	return NULL;
}

static const struct term {
	const char *name;
	char letter;
	enum node_kind kind;
	int args;	/* -1: patterns; 0: none; 1: a word */
	bool regex;
} terms[] = {
	{ "and", 0, N_AND, -1, false }, { "or", 0, N_OR, -1, false },
	{ "not", 0, N_NOT, -1, false }, { "narrow", 0, N_NARROW, -1, false },
	{ "true", 0, N_TRUE, 0, false }, { "false", 0, N_FALSE, 0, false },
	{ "essential", 'E', N_ESSENTIAL, 0, false }, { "virtual", 'v', N_VIRTUAL, 0, false },
	{ "priority", 'p', N_PRIORITY, 1, false }, { "name", 'n', N_NAME, 1, true },
	{ "exact-name", 0, N_EXACT_NAME, 1, false }, { "section", 's', N_SECTION, 1, true },
	{ "archive", 'A', N_ARCHIVE, 1, true }, { "codename", 0, N_CODENAME, 1, true },
	{ "version", 'V', N_VERSION, 1, true },
	{ "architecture", 'r', N_ARCHITECTURE, 1, false },
	{ "source-package", 'e', N_SOURCE, 1, true },
	{ "exact-source-package", 0, N_EXACT_SOURCE, 1, false },
};

static void skip_blanks(struct parser *ps)
{
	while (isspace((unsigned char)*ps->p))
		ps->p++;
}

static struct node *parse_or(struct parser *ps);

static char *parse_word(struct parser *ps, bool in_parens)
{
	struct strbuf w = STRBUF_INIT;
	int depth = 0;

	skip_blanks(ps);
	if (*ps->p == '"') {
		for (ps->p++; *ps->p && *ps->p != '"'; ps->p++)
			sb_addc(&w, *ps->p);
		if (*ps->p)
			ps->p++;
		return sb_steal(&w);
	}
	for (; *ps->p; ps->p++) {
		char c = *ps->p;

		if (c == '(')
			depth++;
		else if ((c == ')' && depth-- == 0) ||
			 (in_parens ? c == ',' && depth == 0 : strchr("|,!~?", c) || isspace(c)))
			break;
		sb_addc(&w, c);
	}
	while (w.len && isspace((unsigned char)w.s[w.len - 1]))
		w.s[--w.len] = '\0';
	return sb_steal(&w);
}

static struct node *with_word(struct parser *ps, const struct term *t, char *word)
{
	struct node *n = node_new(t->kind);

	n->word = word;
	if (t->regex && regcomp(&n->re, word, REG_EXTENDED | REG_NOSUB | REG_ICASE)) {
		node_free(n);
		return bad(ps, "bad regular expression");
	}
	n->has_re = t->regex;
	return n;
}

static struct node *parse_args(struct parser *ps, const struct term *t)
{
	struct node *n;

	if (t->args == 0)
		return node_new(t->kind);
	skip_blanks(ps);
	if (*ps->p != '(')
		return bad(ps, "'(' expected");
	ps->p++;
	if (t->args == 1) {
		char *w = parse_word(ps, true);

		if (*ps->p != ')') {
			free(w);
			return bad(ps, "')' expected");
		}
		ps->p++;
		return with_word(ps, t, w);
	}
	n = node_new(t->kind);
	for (;;) {
		struct node *c;

		skip_blanks(ps);
		if (*ps->p == ')')
			break;
		c = n->n < ARRAY_SIZE(n->child) ? parse_or(ps) : bad(ps, "too many arguments");
		if (!c) {
			node_free(n);
			return NULL;
		}
		n->child[n->n++] = c;
		skip_blanks(ps);
		if (*ps->p == ',')
			ps->p++;
		else if (*ps->p != ')') {
			node_free(n);
			return bad(ps, "',' or ')' expected");
		}
	}
	ps->p++;
	return n;
}

static struct node *parse_term(struct parser *ps)
{
	struct node *n, *c;

	skip_blanks(ps);
	if (*ps->p == '!') {
		ps->p++;
		c = parse_term(ps);
		if (!c)
			return NULL;
		n = node_new(N_NOT);
		n->child[n->n++] = c;
		return n;
	}
	if (*ps->p == '(') {
		ps->p++;
		c = parse_or(ps);
		skip_blanks(ps);
		if (c && *ps->p != ')') {
			node_free(c);
			return bad(ps, "')' expected");
		}
		if (c)
			ps->p++;
		return c;
	}
	if (*ps->p == '~') {
		for (size_t i = 0; i < ARRAY_SIZE(terms); i++)
			if (terms[i].letter && terms[i].letter == ps->p[1]) {
				ps->p += 2;
				return terms[i].args ?
					with_word(ps, &terms[i], parse_word(ps, false)) :
					node_new(terms[i].kind);
			}
		return bad(ps, "unknown short pattern");
	}
	if (*ps->p == '?') {
		size_t len = strcspn(ps->p + 1, "( \t,)|");

		for (size_t i = 0; i < ARRAY_SIZE(terms); i++)
			if (strlen(terms[i].name) == len &&
			    strncmp(terms[i].name, ps->p + 1, len) == 0) {
				ps->p += 1 + len;
				return parse_args(ps, &terms[i]);
			}
		return bad(ps, "unknown pattern");
	}
	return bad(ps, "pattern expected");
}

static struct node *parse_list(struct parser *ps, bool any)
{
	struct node *n = node_new(any ? N_OR : N_AND);

	for (;;) {
		struct node *c = n->n < ARRAY_SIZE(n->child) ?
			(any ? parse_list(ps, false) : parse_term(ps)) :
			bad(ps, "too many terms");

		if (!c) {
			node_free(n);
			return NULL;
		}
		n->child[n->n++] = c;
		skip_blanks(ps);
		if (any) {
			if (*ps->p != '|')
				return n;
			ps->p++;
		} else if (!*ps->p || strchr("|,)", *ps->p)) {
			return n;
		}
	}
}

static struct node *parse_or(struct parser *ps)
{
	return parse_list(ps, true);
}

static bool re_matches(const struct node *n, const char *s)
{
	return s && regexec(&n->re, s, 0, NULL, 0) == 0;
}

static bool matches_version(struct solve *s, const struct node *n, Id v)
{
	static const char *const prio[] = { "", "required", "important", "standard", "optional",
					    "extra" };
	cleanup_strbuf struct strbuf f = STRBUF_INIT;
	const struct solve_ver *sv = solve_ver(s, v);
	const struct solve_index *ix = solve_index_of(s, v);
	const struct solve_source *src = ix->local ? NULL : &ix->source;
	const char *name = solve_name_str(s, v);

	switch (n->kind) {
	case N_AND:
	case N_NARROW:
		for (size_t i = 0; i < n->n; i++)
			if (!matches_version(s, n->child[i], v))
				return false;
		return true;
	case N_OR:
		for (size_t i = 0; i < n->n; i++)
			if (matches_version(s, n->child[i], v))
				return true;
		return false;
	case N_NOT:
		return n->n && !matches_version(s, n->child[0], v);
	case N_TRUE:
		return true;
	case N_FALSE:
	case N_VIRTUAL:
		return false;
	case N_ESSENTIAL:
		return sv->pkg->essential;
	case N_PRIORITY:
		return str_eq(prio[sv->priority], n->word);
	case N_NAME:
		return re_matches(n, name);
	case N_EXACT_NAME:
		return str_eq(name, n->word);
	case N_SECTION:
		return solve_field(s, v, "Section", &f) && re_matches(n, f.s);
	case N_ARCHIVE:
		return src && re_matches(n, src->name ? src->name : src->suite);
	case N_CODENAME:
		return src && re_matches(n, src->codename ? src->codename : src->suite);
	case N_VERSION:
		return re_matches(n, solve_version_str(s, v));
	case N_ARCHITECTURE:
		if (sv->foreign)
			return str_eq(n->word, s->foreign[sv->foreign - 1]);
		return str_eq(n->word, s->arch) || str_eq(n->word, "native") ||
		       str_eq(n->word, "all");
	case N_SOURCE:
	case N_EXACT_SOURCE:
		if (solve_field(s, v, "Source", &f)) {
			f.s[strcspn(sb_str(&f), " (")] = '\0';
			name = f.s;
		}
		return n->kind == N_SOURCE ? re_matches(n, name) : str_eq(n->word, name);
	}
	return false;
}

static bool has_kind(const struct node *n, enum node_kind kind)
{
	for (size_t i = 0; i < n->n; i++)
		if (has_kind(n->child[i], kind))
			return true;
	return n->kind == kind;
}

static bool matches_package(struct solve *s, const struct node *n, const struct solve_pkg *p)
{
	/* without ?narrow, each term may hold for another version: for a package with one
	 * version that is the same, and for the rest the candidate decides */
	if (!has_kind(n, N_NARROW))
		return p->cand && matches_version(s, n, p->cand);
	for (Id v = p->versions; v; v = solve_ver(s, v)->next)
		if (matches_version(s, n, v))
			return true;
	return false;
}

int solve_select_pattern(struct solve *s, const char *arg, struct solve_set *set,
			  struct error *e)
{
	struct parser ps = { arg, arg, e };
	struct solve_set found = SOLVE_SET_INIT;
	struct node *n = parse_or(&ps);
	bool all;

	if (!n)
		return -EINVAL;
	if (*ps.p) {
		node_free(n);
		bad(&ps, "end expected");
		return -EINVAL;
	}
	/* of the native architecture, unless it speaks of architectures */
	all = has_kind(n, N_ARCHITECTURE);
	for (size_t i = 0; i < s->npkgs; i++)
		if (s->pkgs[i].cand && (all || !solve_is_foreign(s, &s->pkgs[i])) &&
		    matches_package(s, n, &s->pkgs[i]))
			solve_set_add(&found, &s->pkgs[i]);
	node_free(n);
	if (!found.n)
		return err_usage(e, "no package matches the pattern '%s'", arg);
	solve_set_add_sorted(set, &found);
	return 0;
}
