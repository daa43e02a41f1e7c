// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arguments of apt-get install: names, name=version, name/suite, globs, paths and
 * apt-patterns(7), as far as they make sense where nothing is installed yet.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/solve/solve.h"

void solve_set_add(struct solve_set *set, struct solve_pkg *p)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i] == p)
			return;
	if (set->n == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 64;
		set->v = xreallocarray(set->v, set->cap, sizeof(struct solve_pkg *));
	}
	set->v[set->n++] = p;
}

void solve_set_release(struct solve_set *set)
{
	free(set->v);
	memset(set, 0, sizeof(*set));
}

static int by_seq(const void *a, const void *b)
{
	const struct solve_pkg *pa = *(struct solve_pkg *const *)a;
	const struct solve_pkg *pb = *(struct solve_pkg *const *)b;

	return (pa->seq > pb->seq) - (pa->seq < pb->seq);
}

/* Adds the new ones among @found, in the order in which apt goes through them. */
static void add_sorted(struct solve_set *set, struct solve_set *found)
{
	if (found->n)
		qsort(found->v, found->n, sizeof(struct solve_pkg *), by_seq);
	for (size_t i = 0; i < found->n; i++)
		solve_set_add(set, found->v[i]);
	solve_set_release(found);
}

static bool of_suite(const struct solve *s, Id v, const char *suite)
{
	const struct solve_ver *sv = solve_ver(s, v);
	const struct solve_index *ix;

	if (!suite)
		return true;
	if (sv->index == UINT32_MAX)
		return false;
	ix = &s->indexes[sv->index];
	return str_eq(ix->name, suite) || str_eq(ix->codename, suite) ||
	       (!ix->name && !ix->codename && str_eq(ix->suite, suite));
}

int solve_select_essential(struct solve *s, const char *suite, struct solve_set *set)
{
	struct solve_set found = { NULL, 0, 0 };

	for (size_t i = 0; i < s->npkgs; i++)
		for (Id v = s->pkgs[i].essential ? s->pkgs[i].versions : 0; v;
		     v = solve_ver(s, v)->next)
			if (of_suite(s, v, suite) && s->pkgs[i].cand)
				solve_set_add(&found, &s->pkgs[i]);
	add_sorted(set, &found);
	return 0;
}

int solve_select_priority(struct solve *s, const char *suite, enum solve_priority least,
			  struct solve_set *set)
{
	struct solve_set found = { NULL, 0, 0 };

	for (size_t i = 0; i < s->npkgs; i++)
		for (Id v = s->pkgs[i].essential ? 0 : s->pkgs[i].versions; v;
		     v = solve_ver(s, v)->next) {
			unsigned int p = solve_ver(s, v)->priority;

			if (p != SOLVE_PRIO_NONE && p <= least && of_suite(s, v, suite) &&
			    s->pkgs[i].cand)
				solve_set_add(&found, &s->pkgs[i]);
		}
	add_sorted(set, &found);
	return 0;
}

/* ---- patterns ---- */

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
	const struct solve_index *ix = sv->index == UINT32_MAX ? NULL : &s->indexes[sv->index];
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
		return ix && re_matches(n, ix->name ? ix->name : ix->suite);
	case N_CODENAME:
		return ix && re_matches(n, ix->codename ? ix->codename : ix->suite);
	case N_VERSION:
		return re_matches(n, solve_version_str(s, v));
	case N_ARCHITECTURE:
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

static bool has_narrow(const struct node *n)
{
	for (size_t i = 0; i < n->n; i++)
		if (has_narrow(n->child[i]))
			return true;
	return n->kind == N_NARROW;
}

static bool matches_package(struct solve *s, const struct node *n, const struct solve_pkg *p)
{
	/* without ?narrow, each term may hold for another version: for a package with one
	 * version that is the same, and for the rest the candidate decides */
	if (!has_narrow(n))
		return p->cand && matches_version(s, n, p->cand);
	for (Id v = p->versions; v; v = solve_ver(s, v)->next)
		if (matches_version(s, n, v))
			return true;
	return false;
}

static int select_pattern(struct solve *s, const char *arg, struct solve_set *set,
			  struct error *e)
{
	struct parser ps = { arg, arg, e };
	struct solve_set found = { NULL, 0, 0 };
	struct node *n = parse_or(&ps);

	if (!n)
		return -EINVAL;
	if (*ps.p) {
		node_free(n);
		bad(&ps, "end expected");
		return -EINVAL;
	}
	for (size_t i = 0; i < s->npkgs; i++)
		if (s->pkgs[i].cand && matches_package(s, n, &s->pkgs[i]))
			solve_set_add(&found, &s->pkgs[i]);
	node_free(n);
	if (!found.n)
		return err_usage(e, "no package matches the pattern '%s'", arg);
	add_sorted(set, &found);
	return 0;
}

/* ---- names ---- */

/* Makes the version of @p that is in @suite its candidate, and of what it needs likewise. */
static bool switch_release(struct solve *s, struct solve_pkg *p, const char *suite, int depth)
{
	const struct solve_dep *d;
	Id best = 0;
	size_t n, len;

	for (Id v = p->versions; v; v = solve_ver(s, v)->next)
		if ((of_suite(s, v, suite) ||
		     (solve_ver(s, v)->index != UINT32_MAX &&
		      str_eq(s->indexes[solve_ver(s, v)->index].suite, suite))) &&
		    (!best || pool_evrcmp(s->pool, pool_id2solvable(s->pool, v)->evr,
					  pool_id2solvable(s->pool, best)->evr,
					  EVRCMP_COMPARE) > 0))
			best = v;
	if (!best)
		return false;
	if (p->cand == best && depth)
		return true;
	p->cand = p->cand0 = best;
	if (depth > 64)
		return true;
	d = solve_deps(s, best, &n);
	for (size_t i = 0; i < n; i += len) {
		struct solve_pkg *alt = NULL;
		bool ok = false;

		for (len = 0; !len || d[i + len - 1].or_next; len++)
			for (const Id *v = solve_targets(s, d[i + len].rel); *v && !ok; v++) {
				struct solve_pkg *t = solve_ver(s, *v)->pkg;

				ok = t && t->cand == *v;
				if (t && !alt && of_suite(s, *v, suite))
					alt = t;
			}
		if (!ok && alt && d[i].type != SOLVE_CONFLICTS && d[i].type != SOLVE_SUGGESTS)
			switch_release(s, alt, suite, depth + 1);
	}
	return true;
}

static int choose_version(struct solve *s, struct solve_pkg *p, const char *want,
			  struct error *e)
{
	cleanup_strbuf struct strbuf have = STRBUF_INIT;
	Id found = 0;

	for (Id v = p->versions; v; v = solve_ver(s, v)->next) {
		const char *version = solve_version_str(s, v);

		if (str_eq(version, want) || (!found && fnmatch(want, version, 0) == 0))
			found = v;
		sb_addf(&have, "%s%s", have.len ? ", " : "", version);
	}
	if (!found)
		return err_usage(e, "no version '%s' of package '%s'; there is %s", want,
				 pool_id2str(s->pool, p->name), have.s);
	p->cand = p->cand0 = found;
	return 0;
}

/* A virtual package: fine if just one package provides it. */
static struct solve_pkg *only_provider(struct solve *s, const char *name, struct strbuf *all)
{
	Id id = pool_str2id(s->pool, name, 0);
	struct solve_pkg *only = NULL;
	size_t n = 0;

	for (const Id *v = id ? solve_targets(s, id) : NULL; v && *v; v++) {
		struct solve_pkg *p = solve_ver(s, *v)->pkg;

		if (!p || p->cand != *v || p == only)
			continue;
		only = p;
		sb_addf(all, "%s%s", n++ ? ", " : "", pool_id2str(s->pool, p->name));
	}
	return n == 1 ? only : NULL;
}

static int select_name(struct solve *s, const char *name, struct solve_set *set,
		       struct error *e)
{
	cleanup_strbuf struct strbuf providers = STRBUF_INIT;
	struct solve_set found = { NULL, 0, 0 };
	struct solve_pkg *p = solve_pkg_named(s, name);

	if (!p)
		p = only_provider(s, name, &providers);
	if (p) {
		solve_set_add(set, p);
		return 0;
	}
	if (providers.len)
		return err_usage(e, "package '%s' is virtual, provided by %s; name one of them",
				 name, providers.s);
	if (strpbrk(name, "*?[")) {
		for (size_t i = 0; i < s->npkgs; i++)
			if (s->pkgs[i].cand &&
			    fnmatch(name, pool_id2str(s->pool, s->pkgs[i].name), 0) == 0)
				solve_set_add(&found, &s->pkgs[i]);
		if (found.n) {
			add_sorted(set, &found);
			return 0;
		}
	}
	return err_usage(e, "there is no package '%s' in the components and suites given", name);
}

static int select_task(struct solve *s, const char *task, struct solve_set *set,
		       struct error *e)
{
	cleanup_strbuf struct strbuf f = STRBUF_INIT;
	struct solve_set found = { NULL, 0, 0 };

	for (size_t i = 0; i < s->npkgs; i++) {
		cleanup_strv struct strv words = STRV_INIT;

		if (!s->pkgs[i].cand || !solve_field(s, s->pkgs[i].cand, "Task", &f))
			continue;
		strv_split(&words, f.s, ", ");
		if (strv_has(&words, task))
			solve_set_add(&found, &s->pkgs[i]);
	}
	if (!found.n)
		return err_usage(e, "there is no task '%s'", task);
	add_sorted(set, &found);
	return 0;
}

static int select_local(struct solve *s, const char *path, struct solve_set *set,
			struct error *e)
{
	for (Id v = 2; v < s->nvers; v++) {
		struct solve_pkg *p = s->vers[v].pkg;

		if (!s->vers[v].local || !str_eq(s->vers[v].local, path))
			continue;
		if (!p)
			return err_usage(e, "package '%s' is not for architecture %s", path,
					 s->arch);
		p->cand = p->cand0 = v;
		solve_set_add(set, p);
		return 0;
	}
	return err_usage(e, "package file '%s' was not read", path);
}

int solve_select(struct solve *s, const char *arg, struct solve_set *set, struct error *e)
{
	cleanup_free char *name = xstrdup(arg);
	char *mark, *colon;
	size_t had = set->n, len = strlen(name);
	int r;

	if (strchr("?~!(", arg[0]))
		return select_pattern(s, arg, set, e);
	if (arg[0] == '/')
		return select_local(s, arg, set, e);
	if (len && name[len - 1] == '^') {
		name[len - 1] = '\0';
		return select_task(s, name, set, e);
	}
	if (len && (name[len - 1] == '-' || name[len - 1] == '+') && !solve_pkg_named(s, name)) {
		bool without = name[len - 1] == '-';
		struct solve_pkg *p;

		name[len - 1] = '\0';
		p = solve_pkg_named(s, name);
		if (p && without) {
			p->cand = p->cand0 = 0;	/* not to be installed, whoever wants it */
			return 0;
		}
	}
	mark = strrchr(name, '=');
	if (!mark)
		mark = strrchr(name, '/');
	if (mark) {
		char kind = *mark;

		*mark++ = '\0';
		colon = strchr(name, ':');
		if (colon)
			*colon = '\0';
		r = select_name(s, name, set, e);
		for (size_t i = had; i < set->n && !r; i++)
			if (kind == '=')
				r = choose_version(s, set->v[i], mark, e);
			else if (!switch_release(s, set->v[i], mark, 0))
				r = err_usage(e, "suite '%s' has no package '%s'", mark, name);
		return r;
	}
	colon = strchr(name, ':');
	if (colon && !str_eq(colon + 1, s->arch) && !str_eq(colon + 1, "native") &&
	    !str_eq(colon + 1, "any") && !str_eq(colon + 1, "all"))
		return err_usage(e, "package '%s' is for another architecture than %s", arg,
				 s->arch);
	if (colon)
		*colon = '\0';
	return select_name(s, name, set, e);
}
