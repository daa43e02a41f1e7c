// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arguments of apt-get install: names, name=version, name/suite, globs, tasks, paths.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/solve/private.h"

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
void solve_set_add_sorted(struct solve_set *set, struct solve_set *found)
{
	if (found->n)
		qsort(found->v, found->n, sizeof(struct solve_pkg *), by_seq);
	for (size_t i = 0; i < found->n; i++)
		solve_set_add(set, found->v[i]);
	solve_set_release(found);
}

bool solve_of_suite(const struct solve *s, Id v, const char *suite)
{
	const struct solve_index *ix = solve_index_of(s, v);
	const struct solve_source *src = &ix->source;

	/* an empty one is none, as for mmdebstrap */
	if (!suite || !*suite)
		return true;
	if (ix->local)
		return false;
	return str_eq(src->name, suite) || str_eq(src->codename, suite) ||
	       (!src->name && !src->codename && str_eq(src->suite, suite));
}

void solve_select_essential(struct solve *s, const char *suite, struct solve_set *set)
{
	struct solve_set found = SOLVE_SET_INIT;

	for (size_t i = 0; i < s->npkgs; i++)
		for (Id v = s->pkgs[i].essential && !solve_is_foreign(s, &s->pkgs[i]) ?
			    s->pkgs[i].versions : 0; v;
		     v = solve_ver(s, v)->next)
			if (solve_of_suite(s, v, suite) && s->pkgs[i].cand)
				solve_set_add(&found, &s->pkgs[i]);
	solve_set_add_sorted(set, &found);
}

void solve_select_priority(struct solve *s, const char *suite, enum solve_priority least,
			  struct solve_set *set)
{
	struct solve_set found = SOLVE_SET_INIT;

	for (size_t i = 0; i < s->npkgs; i++)
		for (Id v = s->pkgs[i].essential || solve_is_foreign(s, &s->pkgs[i]) ?
			    0 : s->pkgs[i].versions; v;
		     v = solve_ver(s, v)->next) {
			unsigned int p = solve_ver(s, v)->priority;

			if (p != SOLVE_PRIO_NONE && p <= least && solve_of_suite(s, v, suite) &&
			    s->pkgs[i].cand)
				solve_set_add(&found, &s->pkgs[i]);
		}
	solve_set_add_sorted(set, &found);
}

/* ---- names ---- */

/* Makes the version of @p that is in @suite its candidate, and of what it needs likewise. */
static bool switch_release(struct solve *s, struct solve_pkg *p, const char *suite, int depth)
{
	const struct solve_dep *d;
	Id best = 0;
	size_t n, len;

	for (Id v = p->versions; v; v = solve_ver(s, v)->next)
		if ((solve_of_suite(s, v, suite) ||
		     str_eq(solve_index_of(s, v)->source.suite, suite)) &&
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
				if (t && !alt && solve_of_suite(s, *v, suite))
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

/* What was left out of the indexes may be what is missed. */
static int hint_skipped(const struct solve *s, struct error *e)
{
	for (size_t i = 0; i < s->nindexes; i++) {
		const struct solve_index *ix = &s->indexes[i];

		if (ix->skipped)
			return err_hint(e, "%zu stanzas of index '%s' make no sense and were left "
					"out, the first of package '%s'", ix->skipped,
					ix->source.path, ix->first_skipped ?: "?");
	}
	return -EINVAL;
}

static int select_name(struct solve *s, const char *name, struct solve_set *set,
		       struct error *e)
{
	cleanup_strbuf struct strbuf providers = STRBUF_INIT;
	struct solve_set found = SOLVE_SET_INIT;
	struct solve_pkg *p = solve_pkg_named(s, name);

	/* one that only another architecture has, as apt does */
	for (size_t i = 0; i < s->nforeign && !p; i++) {
		cleanup_free char *other = xasprintf("%s@%s", name, s->foreign[i]);

		p = solve_pkg_named(s, other);
	}
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
			if (s->pkgs[i].cand && !solve_is_foreign(s, &s->pkgs[i]) &&
			    fnmatch(name, pool_id2str(s->pool, s->pkgs[i].name), 0) == 0)
				solve_set_add(&found, &s->pkgs[i]);
		if (found.n) {
			solve_set_add_sorted(set, &found);
			return 0;
		}
	}
	err_usage(e, "there is no package '%s' in the components and suites given", name);
	return hint_skipped(s, e);
}

static int select_task(struct solve *s, const char *task, struct solve_set *set,
		       struct error *e)
{
	cleanup_strbuf struct strbuf f = STRBUF_INIT;
	struct solve_set found = SOLVE_SET_INIT;

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
	solve_set_add_sorted(set, &found);
	return 0;
}

static int select_local(struct solve *s, const char *path, struct solve_set *set,
			struct error *e)
{
	for (Id v = 2; v < s->nvers; v++) {
		struct solve_pkg *p = s->vers[v].pkg;
		const struct solve_index *ix = solve_index_of(s, v);

		if (!ix->local || !str_eq(ix->source.path, path))
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

/* "NAME:ARCH" and what may follow as the pool has it: "NAME@ARCH" for a foreign one. */
static void take_arch(const struct solve *s, char *name)
{
	char *colon = strchr(name, ':'), *end = name + strcspn(name, "=/");
	size_t len;

	if (!colon || colon > end)
		return;
	len = (size_t)(end - colon) - 1;
	/* what says that it is, or is not, to be installed */
	if (len && *end == '\0' && (end[-1] == '-' || end[-1] == '+'))
		len--;
	if (solve_foreign_number(s, colon + 1, len))
		*colon = '@';
}

int solve_select(struct solve *s, const char *arg, struct solve_set *set, struct error *e)
{
	cleanup_free char *name = xstrdup(arg);
	char *mark, *colon;
	size_t had = set->n, len = strlen(name);
	int r;

	if (strchr("?~!(", arg[0]))
		return solve_select_pattern(s, arg, set, e);
	if (arg[0] == '/')
		return select_local(s, arg, set, e);
	take_arch(s, name);
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
