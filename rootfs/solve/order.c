// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order in which apt has dpkg unpack and configure new packages: apt's
 * pkgOrderList::OrderUnpack (four passes) and pkgPackageManager::OrderInstall,
 * without what only upgrades and removals need.  Order is visible in the result:
 * postinsts that create users hand out ids in it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/solve/private.h"

enum {
	ADDED = 1, PENDING = 2, IN_LIST = 4, IMMEDIATE = 8, LOOP = 16,
	UNPACKED = 32, CONFIGURED = 64,
};

/* turns of one loop over a package's dependencies, as apt's MaxLoopCount: circles of them can
 * go on for ever */
enum { MAX_TURNS = 5000 };

/* which dependencies of a package come before it */
enum rule { RULE_NONE, RULE_CRITICAL, RULE_DEEP, RULE_PRE, RULE_DEPENDS };

struct order {
	struct solve *s;
	struct solve_pkg **list;
	size_t n;
	struct solve_pkg **next;
	size_t nnext;
	enum rule first, second;
	int depth;
	struct solve_action *actions;
	size_t nactions, cap;
};

static void visit(struct order *o, struct solve_pkg *p);

static int score(struct solve *s, const struct solve_pkg *p)
{
	static const int by_priority[] = { 0, 5, 4, 3, 1, 0 };
	const struct solve_dep *d;
	size_t n;
	int sum = 0;

	if (p->essential)
		sum += 200;
	if (p->order_flags & IMMEDIATE)
		sum += 10;
	d = solve_deps(s, p->inst, &n);
	if (n && d[0].type == SOLVE_PREDEPENDS)
		sum += 50;
	return sum + by_priority[solve_ver(s, p->inst)->priority];
}

static int by_score(const void *a, const void *b, void *arg)
{
	struct solve *s = arg;
	const struct solve_pkg *pa = *(struct solve_pkg *const *)a;
	const struct solve_pkg *pb = *(struct solve_pkg *const *)b;
	int c = score(s, pb) - score(s, pa);

	return c ? c : strcmp(pool_id2str(s->pool, pa->name), pool_id2str(s->pool, pb->name));
}

/* Is the alternative satisfied by what is there already or has been added before? */
static bool dep_done(const struct order *o, const struct solve_dep *d)
{
	for (const Id *v = solve_targets(o->s, d->rel); *v; v++) {
		const struct solve_pkg *p = solve_ver(o->s, *v)->pkg;

		if (!p)
			continue;
		if (p->order_flags & ADDED ? p->inst == *v : p->current == *v)
			return true;
	}
	return false;
}

static void visit_targets(struct order *o, const struct solve_dep *d)
{
	Id target = solve_target(o->s, d->rel);

	/* the package of that name first, then those that provide it */
	for (int own = 1; own >= 0; own--)
		for (const Id *v = solve_targets(o->s, d->rel); *v; v++) {
			struct solve_pkg *p = solve_ver(o->s, *v)->pkg;

			if (p && (p->name == target) == own && p->marked && p->inst == *v)
				visit(o, p);
		}
}

static void visit_deps(struct order *o, struct solve_pkg *p, enum rule rule)
{
	const struct solve_dep *d;
	size_t n;

	if (rule == RULE_NONE)
		return;
	d = solve_deps(o->s, p->inst, &n);
	for (size_t i = 0; i < n; i++) {
		bool pre = d[i].type == SOLVE_PREDEPENDS;
		struct solve_pkg *t;
		enum rule old;

		if (!pre && d[i].type != SOLVE_DEPENDS)
			continue;
		if (rule == RULE_DEPENDS) {
			if (!pre)
				visit_targets(o, &d[i]);
			continue;
		}
		if (rule == RULE_CRITICAL && !pre)
			continue;
		if (rule == RULE_PRE && !pre && o->depth == 1 && !(p->order_flags & IMMEDIATE))
			continue;
		t = solve_pkg_of(o->s, solve_target(o->s, d[i].rel));
		if (dep_done(o, &d[i]))
			continue;
		if (t && (t->order_flags & (ADDED | PENDING)))
			continue;
		old = o->first;
		if (rule == RULE_CRITICAL)
			o->first = RULE_DEEP;
		visit_targets(o, &d[i]);
		o->first = old;
	}
}

static void visit(struct order *o, struct solve_pkg *p)
{
	enum rule old = o->first;

	if ((p->order_flags & (ADDED | PENDING)) || !(p->order_flags & IN_LIST))
		return;
	o->depth++;
	p->order_flags |= PENDING;
	if ((p->order_flags & IMMEDIATE) && o->first != RULE_PRE)
		o->first = RULE_DEEP;
	visit_deps(o, p, o->first);
	visit_deps(o, p, o->second);
	p->order_flags = (p->order_flags & (uint16_t)~PENDING) | ADDED;
	o->next[o->nnext++] = p;
	o->first = old;
	o->depth--;
}

static void run(struct order *o, enum rule first, enum rule second)
{
	struct solve_pkg **t;

	for (size_t i = 0; i < o->s->npkgs; i++)
		o->s->pkgs[i].order_flags &= (uint16_t)~(ADDED | PENDING | LOOP | IN_LIST);
	for (size_t i = 0; i < o->n; i++)
		o->list[i]->order_flags |= IN_LIST;
	o->first = first;
	o->second = second;
	o->nnext = 0;
	o->depth = 0;
	for (size_t i = 0; i < o->n; i++)
		visit(o, o->list[i]);
	t = o->list;
	o->list = o->next;
	o->next = t;
}

/* What essential packages depend on is configured at once, too. */
static void flag_immediate(struct solve *s, struct solve_pkg *p)
{
	const struct solve_dep *d;
	size_t n;

	if (!p->inst)
		return;
	d = solve_deps(s, p->inst, &n);
	for (size_t i = 0; i < n; i++) {
		struct solve_pkg *t;

		if (d[i].type != SOLVE_PREDEPENDS && d[i].type != SOLVE_DEPENDS)
			continue;
		t = solve_pkg_of(s, solve_target(s, d[i].rel));
		if (!t || (t->order_flags & IMMEDIATE))
			continue;
		t->order_flags |= IMMEDIATE;
		flag_immediate(s, t);
	}
}

/* ---- unpacking and configuring in that order ---- */

static bool unpack(struct order *o, struct solve_pkg *p, bool immediate, int depth);
static bool configure(struct order *o, struct solve_pkg *p, int depth);

static void act(struct order *o, enum solve_op op, Id v)
{
	if (o->nactions == o->cap) {
		o->cap = o->cap ? o->cap * 2 : 256;
		o->actions = xreallocarray(o->actions, o->cap, sizeof(*o->actions));
	}
	o->actions[o->nactions++] = (struct solve_action){ op, v };
}

static bool in_place(const struct solve_pkg *p, Id v)
{
	return p->current == v;
}

static bool untouched(const struct solve_pkg *p)
{
	return !(p->order_flags & (UNPACKED | CONFIGURED));
}

enum what { DO_UNPACK, DO_CONFIGURE };

static bool without_loop(struct order *o, enum what what, struct solve_pkg *p,
			 struct solve_pkg *t, int depth, bool loop, bool *bad, bool *changed)
{
	bool ok;

	if (!loop)
		p->order_flags |= LOOP;
	ok = what == DO_UNPACK ? unpack(o, t, true, depth + 1) : configure(o, t, depth + 1);
	if (!loop)
		p->order_flags &= (uint16_t)~LOOP;
	if (!ok)
		return false;
	*bad = false;
	if (!(t->order_flags & LOOP))
		*changed = true;
	return true;
}

/* Deals with one Pre-Depends group: 1 fine, 0 not satisfied, -1 failed. */
static int before_unpack(struct order *o, struct solve_pkg *p, const struct solve_dep *d,
			 size_t len, int depth, bool loop, bool *changed)
{
	bool bad = true;

	for (size_t i = 0; i < len && bad; i++)
		for (const Id *v = solve_targets(o->s, d[i].rel); *v && bad; v++) {
			struct solve_pkg *t = solve_ver(o->s, *v)->pkg;

			bad = !(t && in_place(t, *v));
		}
	for (size_t i = 0; i < len && bad; i++)
		for (const Id *v = solve_targets(o->s, d[i].rel); *v; v++) {
			struct solve_pkg *t = solve_ver(o->s, *v)->pkg;
			enum what what = DO_CONFIGURE;

			if (!t || t->inst != *v || !t->marked)
				continue;
			if (t->order_flags & CONFIGURED) {
				bad = false;
				break;
			}
			if (!(t->order_flags & UNPACKED)) {
				if ((t->order_flags & LOOP) && loop)
					continue;
				what = DO_UNPACK;
			}
			if (!without_loop(o, what, p, t, depth, loop, &bad, changed))
				return -1;
			break;
		}
	return !bad;
}

static bool unpack(struct order *o, struct solve_pkg *p, bool immediate, int depth)
{
	bool loop = p->order_flags & LOOP, changed, failed = false;
	const struct solve_dep *d;
	int turns = 0;
	size_t n;

	do {
		if (turns++ == MAX_TURNS)
			return false;
		changed = false;
		d = solve_deps(o->s, p->inst, &n);
		for (size_t i = 0, len; i < n; i += len) {
			int r;

			for (len = 1; d[i + len - 1].or_next; len++)
				;
			if (d[i].type != SOLVE_PREDEPENDS)
				continue;
			r = before_unpack(o, p, d + i, len, depth, loop, &changed);
			if (r < 0)
				return false;
			failed |= r == 0;
		}
	} while (changed);
	if (failed)
		return false;
	if (loop)
		return true;
	p->order_flags = (p->order_flags & (uint16_t)~CONFIGURED) | UNPACKED;
	act(o, SOLVE_UNPACK, p->inst);
	if (immediate)
		configure(o, p, depth + 1);	/* if not now, then with the rest */
	return true;
}

/* A package that depends on itself has what it needs. */
static bool itself(const struct order *o, const struct solve_pkg *p, const struct solve_dep *d,
		   size_t len)
{
	for (size_t i = 0; i < len; i++)
		for (const Id *v = solve_targets(o->s, d[i].rel); *v; v++)
			if (*v == p->inst)
				return true;
	return false;
}

/* Is one alternative in place?  If not, unpacks what would do.  -1: failed. */
static int unpack_missing(struct order *o, struct solve_pkg *p, const struct solve_dep *d,
			  size_t len, int depth, bool loop, bool *changed)
{
	bool bad = true;

	for (size_t i = 0; i < len && bad; i++)
		for (const Id *v = solve_targets(o->s, d[i].rel); *v; v++) {
			struct solve_pkg *t = solve_ver(o->s, *v)->pkg;

			if (t && in_place(t, *v)) {
				bad = false;
				break;
			}
			if (!t || t->inst != *v || !untouched(t))
				continue;
			if (loop && (t->order_flags & UNPACKED))
				bad = false;
		}
	if (!bad)
		return 1;
	for (size_t i = 0; i < len && bad; i++)
		for (const Id *v = solve_targets(o->s, d[i].rel); *v; v++) {
			struct solve_pkg *t = solve_ver(o->s, *v)->pkg;

			if (!t || in_place(t, *v) || t->inst != *v || !untouched(t))
				continue;
			if (loop) {
				if (t->order_flags & UNPACKED)
					bad = false;
			} else if (!without_loop(o, DO_UNPACK, p, t, depth, loop, &bad, changed)) {
				return -1;
			}
			break;
		}
	return !bad;
}

/* Configures what one group needs configured.  -1: failed, 0: not satisfied. */
static int configure_needed(struct order *o, struct solve_pkg *p, const struct solve_dep *d,
			    size_t len, int depth, bool loop, bool *changed)
{
	bool bad = true;

	for (size_t i = 0; i < len && bad; i++)
		for (const Id *v = solve_targets(o->s, d[i].rel); *v; v++) {
			struct solve_pkg *t = solve_ver(o->s, *v)->pkg;

			if (!t || t->inst != *v)
				continue;
			if (t->order_flags & UNPACKED) {
				if ((t->order_flags & LOOP) && loop) {
					bad = false;
					break;
				}
				if (!without_loop(o, DO_CONFIGURE, p, t, depth, loop, &bad,
						  changed))
					return -1;
				break;
			}
			if (t->order_flags & CONFIGURED) {
				bad = false;
				break;
			}
		}
	return !bad;
}

static bool configure_deps(struct order *o, struct solve_pkg *p, int depth, bool loop,
			   size_t *todo, const struct solve_dep *d, size_t n)
{
	bool changed, bad = false;
	int turns = 0;
	size_t ntodo;

	do {
		if (turns++ == MAX_TURNS)
			return false;
		changed = false;
		ntodo = 0;
		for (size_t i = 0, len; i < n; i += len) {
			int r;

			for (len = 1; d[i + len - 1].or_next; len++)
				;
			if (d[i].type != SOLVE_PREDEPENDS && d[i].type != SOLVE_DEPENDS)
				continue;
			if (d[i].type == SOLVE_DEPENDS && itself(o, p, d + i, len))
				continue;
			r = unpack_missing(o, p, d + i, len, depth, loop, &changed);
			if (r < 0)
				return false;
			if (!r)
				todo[ntodo++] = i;
		}
	} while (changed);
	do {
		if (turns++ == MAX_TURNS)
			return false;
		changed = bad = false;
		for (size_t k = 0; k < ntodo; k++) {
			size_t i = todo[k], len = 1;
			int r;

			while (d[i + len - 1].or_next)
				len++;
			r = configure_needed(o, p, d + i, len, depth, loop, &changed);
			if (r < 0)
				return false;
			bad = !r;
		}
	} while (changed);
	return !bad;
}

static bool configure(struct order *o, struct solve_pkg *p, int depth)
{
	bool loop = p->order_flags & LOOP, ok;
	const struct solve_dep *d;
	size_t *todo, n;

	d = solve_deps(o->s, p->inst, &n);
	todo = xmalloc((n + 1) * sizeof(*todo));
	ok = configure_deps(o, p, depth, loop, todo, d, n);
	free(todo);
	if (!ok)
		return false;
	if (loop)
		return true;
	if (p->order_flags & CONFIGURED)
		return false;
	act(o, SOLVE_CONFIGURE, p->inst);
	p->order_flags = (p->order_flags & (uint16_t)~UNPACKED) | CONFIGURED;
	return true;
}

int solve_order(struct solve *s, struct solve_action **out, size_t *n, struct error *e)
{
	struct order o = { .s = s };
	int r = 0;

	o.list = xcalloc(s->npkgs + 1, sizeof(struct solve_pkg *));
	o.next = xcalloc(s->npkgs + 1, sizeof(struct solve_pkg *));
	for (size_t i = 0; i < s->npkgs; i++)
		s->pkgs[i].order_flags = 0;
	for (size_t i = 0; i < s->npkgs; i++) {
		struct solve_pkg *p = &s->pkgs[i];

		if (p->essential) {
			p->order_flags |= IMMEDIATE;
			flag_immediate(s, p);
		}
		if (p->marked)
			o.list[o.n++] = p;
	}
	qsort_r(o.list, o.n, sizeof(struct solve_pkg *), by_score, s);
	run(&o, RULE_CRITICAL, RULE_DEPENDS);
	run(&o, RULE_CRITICAL, RULE_NONE);
	run(&o, RULE_CRITICAL, RULE_NONE);
	run(&o, RULE_PRE, RULE_NONE);
	for (size_t i = 0; i < o.n && !r; i++)
		if (untouched(o.list[i]) &&
		    !unpack(&o, o.list[i], o.list[i]->order_flags & IMMEDIATE, 0))
			r = err_set(e, EINVAL, "cannot order package '%s': its Pre-Depends go "
				    "in a circle", solve_name_str(s, o.list[i]->inst));
	free(o.list);
	free(o.next);
	if (r) {
		free(o.actions);
		return r;
	}
	*out = o.actions;
	*n = o.nactions;
	return 0;
}
