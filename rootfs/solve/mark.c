// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt's marking: which packages a request pulls in, alternative by alternative.
 * This follows pkgDepCache::MarkInstall, restricted to what can happen here:
 * packages are new or already there in their candidate version, nothing is
 * upgraded or removed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/solve/private.h"

#define MAX_DEPTH 3000

static bool mark_install(struct solve *s, struct solve_pkg *p, bool follow, int depth, bool user);

static bool critical(enum solve_dep_type t)
{
	return t == SOLVE_PREDEPENDS || t == SOLVE_DEPENDS || t == SOLVE_CONFLICTS;
}

static bool wanted(const struct solve *s, enum solve_dep_type t)
{
	return critical(t) || (t == SOLVE_RECOMMENDS && s->config.recommends) ||
	       (t == SOLVE_SUGGESTS && s->config.suggests);
}

/* The package of a target; NULL if it counts for nothing (foreign, or itself in a conflict). */
static struct solve_pkg *pkg_of_target(const struct solve *s, Id v, const struct solve_pkg *owner,
				       bool negative)
{
	struct solve_pkg *p = solve_ver(s, v)->pkg;

	return negative && p == owner ? NULL : p;
}

static bool alternative_ok(struct solve *s, const struct solve_pkg *owner,
			   const struct solve_dep *d)
{
	for (const Id *v = solve_targets(s, d->rel); *v; v++) {
		const struct solve_pkg *p = pkg_of_target(s, *v, owner,
							  d->type == SOLVE_CONFLICTS);

		if (p && p->inst == *v)
			return true;
	}
	return false;
}

bool solve_group_ok(struct solve *s, const struct solve_pkg *owner, const struct solve_dep *d,
		    size_t *len)
{
	bool found = false;
	size_t n = 0;

	do {
		found |= alternative_ok(s, owner, &d[n]);
	} while (d[n++].or_next);
	*len = n;
	return d->type == SOLVE_CONFLICTS ? !found : found;
}

bool solve_broken(struct solve *s, const struct solve_pkg *p)
{
	const struct solve_dep *d;
	size_t n, len;

	if (!p->inst)
		return false;
	d = solve_deps(s, p->inst, &n);
	for (size_t i = 0; i < n; i += len) {
		bool ok = solve_group_ok(s, p, d + i, &len);

		if (!ok && wanted(s, d[i].type))
			return true;
	}
	return false;
}

/* ---- who could satisfy a group ---- */

struct solutions {
	Id *v;
	size_t n, cap;
};

static void solutions_add(struct solutions *so, Id v)
{
	for (size_t i = 0; i < so->n; i++)
		if (so->v[i] == v)
			return;
	if (so->n == so->cap) {
		so->cap = so->cap ? so->cap * 2 : 8;
		so->v = xreallocarray(so->v, so->cap, sizeof(*so->v));
	}
	so->v[so->n++] = v;
}

/* Names that differ in the architecture only? */
static bool same_group(const struct solve *s, Id a, Id b)
{
	const char *na = pool_id2str(s->pool, a), *nb = pool_id2str(s->pool, b);
	size_t la = strcspn(na, "@"), lb = strcspn(nb, "@");

	return la == lb && strncmp(na, nb, la) == 0;
}

/* apt's CompareProviders: does @a come before @b for an alternative that names @target? */
static bool provider_before(const struct solve *s, Id a, Id b, Id target)
{
	const struct solve_ver *va = solve_ver(s, a), *vb = solve_ver(s, b);
	const struct solve_pkg *pa = va->pkg, *pb = vb->pkg;

	if (pa->protected != pb->protected)
		return pa->protected;
	if (va->ma_same || vb->ma_same) {
		bool ia = va->ma_same && pa->current, ib = vb->ma_same && pb->current;

		if (ia != ib)
			return ia;
	}
	if (!pa->current != !pb->current)
		return pa->current != 0;
	if (s->nforeign) {
		bool ga = same_group(s, pa->name, target), gb = same_group(s, pb->name, target);

		if (ga != gb)
			return ga;
		if (ga && va->foreign != vb->foreign)
			return va->foreign < vb->foreign;
	}
	if ((pa->name == target) != (pb->name == target))
		return pa->name == target;
	if (pa->essential != pb->essential)
		return pa->essential;
	if (pa->important != pb->important)
		return pa->important;
	if (va->priority != vb->priority)
		return va->priority < vb->priority;
	if (va->foreign != vb->foreign)
		return va->foreign < vb->foreign;
	return pa->seq > pb->seq;
}

/* Candidates that satisfy the group of @len alternatives, the preferred first. */
static void possible_solutions(struct solve *s, const struct solve_pkg *owner,
			       const struct solve_dep *d, size_t len, struct solutions *out)
{
	bool negative = d->type == SOLVE_CONFLICTS;
	struct solutions fresh = { NULL, 0, 0 };

	for (size_t i = 0; i < len; i++) {
		struct solutions one = { NULL, 0, 0 };
		Id target = solve_target(s, d[i].rel);

		for (const Id *v = solve_targets(s, d[i].rel); *v; v++) {
			const struct solve_pkg *p = pkg_of_target(s, *v, owner, negative);

			if (!p || p->cand != *v)
				continue;
			if (!negative && p->protected && !p->marked && !p->current)
				continue;	/* ruled out before */
			solutions_add(&one, *v);
		}
		for (size_t k = 1; k < one.n; k++)
			for (size_t m = k; m && provider_before(s, one.v[m], one.v[m - 1], target);
			     m--) {
				Id t = one.v[m];

				one.v[m] = one.v[m - 1];
				one.v[m - 1] = t;
			}
		for (size_t k = 0; k < one.n; k++)
			solutions_add(solve_ver(s, one.v[k])->pkg->current ? out : &fresh,
				      one.v[k]);
		free(one.v);
	}
	for (size_t k = 0; k < fresh.n; k++)
		solutions_add(out, fresh.v[k]);
	free(fresh.v);
}

/* ---- state changes ---- */

static bool mark_keep(struct solve_pkg *p)
{
	if (!p->marked)
		return true;
	if (p->protected)
		return false;
	p->marked = false;
	p->inst = p->current;
	return true;
}

static void discard_install(struct solve_pkg *p)
{
	p->marked = false;
	p->inst = p->current;
	p->cand = p->inst;
}

static void set_installed(struct solve_pkg *p, bool user)
{
	if (p->protected && p->inst == p->cand)
		return;
	if (!p->current)
		p->automatic = !user;
	p->marked = p->cand != p->current;
	p->inst = p->cand;
}

/* Is there a candidate for everything it needs?  If not, it is no candidate any more. */
static bool satisfiable(struct solve *s, struct solve_pkg *p)
{
	const struct solve_dep *d;
	size_t n, i = 0;

	if (p->cand == p->current)
		return true;
	d = solve_deps(s, p->cand, &n);
	while (i < n) {
		bool found = false, more = true;
		enum solve_dep_type type = d[i].type;

		for (; more; i++) {
			more = d[i].or_next;
			for (const Id *v = solve_targets(s, d[i].rel); !found && *v; v++) {
				const struct solve_pkg *t = solve_ver(s, *v)->pkg;

				found = t && (t->cand == *v || t->inst == *v);
			}
		}
		if (found || !critical(type) || type == SOLVE_CONFLICTS)
			continue;
		if (!p->protected) {
			p->cand = p->current;
			p->marked = false;
			p->inst = p->current;
		}
		return false;
	}
	return true;
}

/* Puts what conflicts out of the way; false if something that is wanted is in it. */
static bool rule_out_conflicts(struct solve *s, struct solve_pkg *p, const struct solve_dep *d,
			       bool propagate, bool user)
{
	struct solutions sol = { NULL, 0, 0 };
	bool ok = true;

	possible_solutions(s, p, d, 1, &sol);
	for (size_t i = 0; i < sol.n; i++) {
		struct solve_pkg *t = solve_ver(s, sol.v[i])->pkg;

		/* nothing that is there is removed here */
		if (t->current == sol.v[i] || (t->marked && !mark_keep(t))) {
			ok = false;
		} else if (propagate) {
			t->cand = t->inst;
			if (!t->current)
				t->protected = true;
		}
		if (!ok && !propagate && !user)
			break;
	}
	free(sol.v);
	return ok;
}

/* Installs the best that satisfies the group; false if a critical one stays open. */
static bool install_group(struct solve *s, struct solve_pkg *p, const struct solve_dep *d,
			  size_t len, int depth, bool propagate)
{
	struct solutions sol = { NULL, 0, 0 };
	bool is_critical = critical(d->type), ok = true, found = false;
	size_t unused;

	if (solve_group_ok(s, p, d, &unused)) {
		struct solve_pkg *t;

		if (!propagate || !is_critical)
			return true;
		/* what satisfies it without a choice is as wanted as @p */
		possible_solutions(s, p, d, len, &sol);
		if (sol.n == 1) {
			t = solve_ver(s, sol.v[0])->pkg;
			if (!t->protected) {
				t->protected = true;
				ok = mark_install(s, t, true, depth + 1, false);
			}
		}
		free(sol.v);
		return ok;
	}
	possible_solutions(s, p, d, len, &sol);
	for (size_t i = 0; i < sol.n && !found; i++) {
		struct solve_pkg *t = solve_ver(s, sol.v[i])->pkg;

		if (t->cand != sol.v[i])
			continue;
		if (propagate && is_critical && sol.n == 1) {
			if (!mark_install(s, t, false, depth + 1, false))
				continue;
			t->protected = true;
		}
		found = mark_install(s, t, true, depth + 1, false);
	}
	free(sol.v);
	return found || !is_critical;
}

/* The dependencies of @p's candidate; false if one cannot be satisfied. */
static bool mark_dependencies(struct solve *s, struct solve_pkg *p, int depth, bool propagate,
			      bool user, const size_t *groups, size_t ngroups)
{
	bool ok = true;
	size_t n;

	for (size_t i = 0; i < ngroups; i++) {
		/* asked anew each time: the recursion may have moved what it points to */
		const struct solve_dep *d = solve_deps(s, p->cand ? p->cand : p->inst, &n);
		size_t len = 1;

		while (d[groups[i] + len - 1].or_next)
			len++;
		if (!install_group(s, p, d + groups[i], len, depth, propagate)) {
			ok = false;
			if (!propagate && !user)
				break;
		}
	}
	return ok;
}

/* What of @p's dependencies is to be dealt with: offsets of groups into @todo. */
static bool collect(struct solve *s, struct solve_pkg *p, bool propagate, bool user,
		    size_t **todo, size_t *ntodo)
{
	const struct solve_dep *d;
	size_t n, len;
	bool ok = true;

	d = solve_deps(s, p->cand, &n);
	*todo = xmalloc((n + 1) * sizeof(**todo));
	*ntodo = 0;
	for (size_t i = 0; i < n; i += len) {
		bool done = solve_group_ok(s, p, d + i, &len);

		if ((done && !propagate) || !wanted(s, d[i].type))
			continue;
		if (d[i].type != SOLVE_CONFLICTS)
			(*todo)[(*ntodo)++] = i;
		else if (ok || propagate || user)
			ok &= rule_out_conflicts(s, p, d + i, propagate, user);
	}
	return ok;
}

static bool mark_install(struct solve *s, struct solve_pkg *p, bool follow, int depth, bool user)
{
	bool was_protected = p->protected, fail_early = !p->protected && !user, ok = true;
	size_t *todo = NULL, ntodo = 0;

	if (depth > MAX_DEPTH)
		return false;
	if (!(p->protected && !p->marked && p->cand && p->cand == p->current) &&
	    !user && !p->marked && p->protected)
		return false;
	if (!p->cand)
		return false;
	if (!p->protected && !solve_broken(s, p) && (p->cand == p->current || p->marked))
		return true;
	if (follow && !satisfiable(s, p))
		return false;
	if (user)
		set_installed(p, true);
	if (follow) {
		ok = collect(s, p, p->protected, user, &todo, &ntodo);
		if (!ok && fail_early) {
			free(todo);
			return false;
		}
	}
	if (!user)
		set_installed(p, false);
	if (follow) {
		p->protected = true;
		ok &= mark_dependencies(s, p, depth, was_protected, user, todo, ntodo);
		if (!was_protected)
			p->protected = false;
		free(todo);
	}
	if (!ok && fail_early)
		discard_install(p);
	return ok;
}

/* ---- the two requests ---- */

static void need(struct solve *s, struct solve_pkg *p)
{
	const struct solve_dep *d;
	size_t n;

	if (p->needed || !p->inst)
		return;
	p->needed = true;
	d = solve_deps(s, p->inst, &n);
	for (size_t i = 0; i < n; i++) {
		if (d[i].type == SOLVE_CONFLICTS)
			continue;
		for (const Id *v = solve_targets(s, d[i].rel); *v; v++) {
			struct solve_pkg *t = solve_ver(s, *v)->pkg;

			if (t && t->inst == *v)
				need(s, t);
		}
	}
}

/* Unmarks what nothing needs any more, as apt's automatic removal does. */
static void drop_garbage(struct solve *s)
{
	for (size_t i = 0; i < s->npkgs; i++)
		s->pkgs[i].needed = false;
	for (size_t i = 0; i < s->npkgs; i++) {
		struct solve_pkg *p = &s->pkgs[i];

		if (p->current || (p->marked && (!p->automatic || p->essential)))
			need(s, p);
	}
	for (size_t i = 0; i < s->npkgs; i++)
		if (s->pkgs[i].marked && !s->pkgs[i].needed) {
			s->pkgs[i].marked = false;
			s->pkgs[i].inst = s->pkgs[i].current;
		}
}

static bool critically_broken(struct solve *s, const struct solve_pkg *p)
{
	const struct solve_dep *d;
	size_t n, len;

	if (!p->inst)
		return false;
	d = solve_deps(s, p->inst, &n);
	for (size_t i = 0; i < n; i += len)
		if (!solve_group_ok(s, p, d + i, &len) && critical(d[i].type))
			return true;
	return false;
}

static int finish(struct solve *s, struct solve_pkg *const *pkgs, size_t n, struct error *e)
{
	bool broken = false;

	drop_garbage(s);
	for (size_t i = 0; i < n; i++)
		broken |= !pkgs[i]->inst;
	for (size_t i = 0; i < s->npkgs && !broken; i++)
		broken = critically_broken(s, &s->pkgs[i]);
	return broken ? solve_repair(s, pkgs, n, e) : 0;
}

int solve_install(struct solve *s, const struct solve_set *set, struct error *e)
{
	for (size_t i = 0; i < set->n; i++) {
		set->v[i]->protected = true;
		set->v[i]->manual = true;
		mark_install(s, set->v[i], false, 0, true);
	}
	for (size_t i = 0; i < set->n; i++)
		mark_install(s, set->v[i], true, 0, true);
	return finish(s, set->v, set->n, e);
}

void solve_commit(struct solve *s)
{
	for (size_t i = 0; i < s->npkgs; i++) {
		struct solve_pkg *p = &s->pkgs[i];

		if (p->marked)
			p->current = p->inst;
		p->marked = p->automatic = p->protected = p->manual = false;
		p->cand = p->current ? p->current : p->cand0;
	}
}
