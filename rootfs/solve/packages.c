// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt's view of the pool: packages with their versions and candidates, and what these depend
 * on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/deb822/deb822.h"
#include "rootfs/solve/private.h"


static bool installable(const struct solve *s, const Solvable *so)
{
	return so->arch == ARCH_ALL || strcmp(pool_id2str(s->pool, so->arch), s->arch) == 0;
}

static uint32_t *name_slot(struct solve *s, Id name)
{
	if (name >= s->nnames) {
		int n = s->pool->ss.nstrings;

		s->pkg_of_name = xreallocarray(s->pkg_of_name, (size_t)n, sizeof(uint32_t));
		memset(s->pkg_of_name + s->nnames, 0, sizeof(uint32_t) * (size_t)(n - s->nnames));
		s->nnames = n;
	}
	return &s->pkg_of_name[name];
}

struct solve_pkg *solve_pkg_of(const struct solve *s, Id name)
{
	if (name <= 0 || ISRELDEP(name) || name >= s->nnames || !s->pkg_of_name[name])
		return NULL;
	return &s->pkgs[s->pkg_of_name[name] - 1];
}

struct solve_pkg *solve_pkg_named(const struct solve *s, const char *name)
{
	return solve_pkg_of(s, pool_str2id(s->pool, name, 0));
}

static int pin_of(const struct solve *s, Id v)
{
	return solve_index_of(s, v)->source.pin;
}

static void choose_candidate(struct solve *s, struct solve_pkg *p)
{
	for (Id v = p->versions; v; v = s->vers[v].next) {
		int c;

		if (!p->cand) {
			p->cand = v;
			continue;
		}
		c = pin_of(s, v) - pin_of(s, p->cand);
		if (!c)
			c = pool_evrcmp(s->pool, pool_id2solvable(s->pool, v)->evr,
					pool_id2solvable(s->pool, p->cand)->evr, EVRCMP_COMPARE);
		/* the list runs from the last source to the first, which wins a tie */
		if (c >= 0)
			p->cand = v;
	}
	p->cand0 = p->cand;
}

/* What is there is neither upgraded nor removed here. */
static void note_installed(struct solve *s, struct solve_pkg *p)
{
	for (Id v = p->versions; v; v = s->vers[v].next)
		if (solve_index_of(s, v)->source.installed)
			p->current = p->inst = p->cand = p->cand0 = v;
}

/* Numbers names in the order in which apt would first meet them. */
static void number_names(struct solve *s)
{
	uint32_t *seen = xcalloc((size_t)s->pool->ss.nstrings, sizeof(*seen));
	uint32_t next = 1;

	for (Id v = 1; v < s->nvers; v++) {
		const Solvable *so = pool_id2solvable(s->pool, v);
		const struct solve_dep *d;
		Id *prv;
		size_t n;

		if (!s->vers[v].pkg)
			continue;
		if (!seen[so->name])
			seen[so->name] = next++;
		d = solve_deps(s, v, &n);
		for (size_t i = 0; i < n; i++) {
			Id t = solve_target(s, d[i].rel);

			if (t > 0 && !seen[t])
				seen[t] = next++;
		}
		free(s->vers[v].deps);
		s->vers[v].deps = NULL;
		if (!so->provides)
			continue;
		for (prv = so->repo->idarraydata + so->provides; *prv; prv++) {
			Id t = solve_target(s, *prv);

			if (t > 0 && !seen[t])
				seen[t] = next++;
		}
	}
	for (size_t i = 0; i < s->npkgs; i++)
		s->pkgs[i].seq = seen[s->pkgs[i].name];
	free(seen);
}

int solve_finish(struct solve *s, struct error *e)
{
	size_t cap = 0;

	if (s->pool->nsolvables <= 2)
		return err_set(e, ENOENT, "the package indexes are empty");
	for (Id v = 2; v < s->nvers; v++) {
		const Solvable *so = pool_id2solvable(s->pool, v);
		uint32_t *slot;

		if (!so->repo || !so->name || !installable(s, so))
			continue;
		slot = name_slot(s, so->name);
		if (!*slot) {
			if (s->npkgs == cap) {
				cap = cap ? cap * 2 : 4096;
				s->pkgs = xreallocarray(s->pkgs, cap, sizeof(*s->pkgs));
			}
			s->pkgs[s->npkgs] = (struct solve_pkg){ .name = so->name };
			*slot = (uint32_t)++s->npkgs;
		}
		s->vers[v].next = s->pkgs[*slot - 1].versions;
		s->pkgs[*slot - 1].versions = v;
	}
	for (size_t i = 0; i < s->npkgs; i++) {
		struct solve_pkg *p = &s->pkgs[i];

		for (Id v = p->versions; v; v = s->vers[v].next) {
			s->vers[v].pkg = p;
			p->essential |= s->vers[v].essential;
			p->important |= s->vers[v].important;
		}
		choose_candidate(s, p);
		note_installed(s, p);
	}
	pool_addfileprovides(s->pool);
	pool_createwhatprovides(s->pool);
	number_names(s);
	return 0;
}

/* ---- dependencies ---- */

static void add_rel(struct solve_ver *sv, size_t *cap, Id rel, enum solve_dep_type type,
		    const Pool *pool)
{
	for (;;) {
		bool more = false;
		Id one = rel;

		if (ISRELDEP(rel)) {
			const Reldep *rd = GETRELDEP(pool, rel);

			if (rd->flags == REL_OR) {
				one = rd->name;
				rel = rd->evr;
				more = true;
			}
		}
		if (sv->ndeps == *cap) {
			*cap = *cap ? *cap * 2 : 16;
			sv->deps = xreallocarray(sv->deps, *cap, sizeof(*sv->deps));
		}
		sv->deps[sv->ndeps++] = (struct solve_dep){ one, type, more };
		if (!more)
			return;
	}
}

static void add_array(struct solve_ver *sv, size_t *cap, const Solvable *so, Id key, Id marker,
		      enum solve_dep_type type)
{
	Queue q;

	queue_init(&q);
	solvable_lookup_deparray((Solvable *)so, key, &q, marker);
	for (int i = 0; i < q.count; i++)
		add_rel(sv, cap, q.elements[i], type, so->repo->pool);
	queue_free(&q);
}

const struct solve_dep *solve_deps(struct solve *s, Id v, size_t *n)
{
	struct solve_ver *sv = &s->vers[v];

	if (!sv->deps) {
		const Solvable *so = pool_id2solvable(s->pool, v);
		size_t cap = 4;

		sv->deps = xcalloc(cap, sizeof(*sv->deps));
		sv->ndeps = 0;
		/* a marker separates Depends from Pre-Depends; apt reads the latter first */
		add_array(sv, &cap, so, SOLVABLE_REQUIRES, 1, SOLVE_PREDEPENDS);
		add_array(sv, &cap, so, SOLVABLE_REQUIRES, -1, SOLVE_DEPENDS);
		add_array(sv, &cap, so, SOLVABLE_CONFLICTS, 0, SOLVE_CONFLICTS);
		add_array(sv, &cap, so, SOLVABLE_RECOMMENDS, 0, SOLVE_RECOMMENDS);
		add_array(sv, &cap, so, SOLVABLE_SUGGESTS, 0, SOLVE_SUGGESTS);
	}
	*n = sv->ndeps;
	return sv->deps;
}

Id solve_target(const struct solve *s, Id rel)
{
	while (ISRELDEP(rel))
		rel = GETRELDEP(s->pool, rel)->name;
	return rel;
}

const Id *solve_targets(const struct solve *s, Id rel)
{
	return s->pool->whatprovidesdata + pool_whatprovides(s->pool, rel);
}

const char *solve_version_str(const struct solve *s, Id v)
{
	return pool_id2str(s->pool, pool_id2solvable(s->pool, v)->evr);
}

const char *solve_name_str(const struct solve *s, Id v)
{
	return pool_id2str(s->pool, pool_id2solvable(s->pool, v)->name);
}

bool solve_field(const struct solve *s, Id v, const char *field, struct strbuf *out)
{
	const struct solve_index *ix = solve_index_of(s, v);

	return deb822_find(ix->text + s->vers[v].offset, ix->text + ix->size, field, out);
}

void solve_describe(const struct solve *s, int version, struct solve_version *v)
{
	const struct solve_ver *sv = solve_ver(s, version);
	const struct solve_index *ix = solve_index_of(s, version);

	*v = (struct solve_version){
		.local = ix->local, .source = ix->number, .offset = sv->offset,
		.name = solve_name_str(s, version), .version = solve_version_str(s, version),
		.arch = sv->foreign ? s->foreign[sv->foreign - 1] :
			pool_id2str(s->pool, pool_id2solvable(s->pool, version)->arch),
		.essential = sv->pkg->essential,
		.required = sv->priority == SOLVE_REQUIRED, .automatic = sv->pkg->automatic,
	};
}

size_t solve_versions(const struct solve *s)
{
	return (size_t)s->nvers;
}
