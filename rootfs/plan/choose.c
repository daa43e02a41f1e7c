// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is chosen: mmdebstrap's two stages (run_download and run_install there), each solved and
 * ordered as apt does it.  Runs confined, with the indexes and package files as descriptors.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rootfs/plan/private.h"
#include "rootfs/solve/solve.h"

struct choice {
	const struct plan_request *rq;
	struct solve *s;
	size_t *number;		/* of the package, by version, + 1; 0: not chosen */
	size_t n, nbase, nsteps;
	struct strbuf packages, steps;
};

/* apt's pin of a release that no preferences name; @target: APT::Default-Release or NULL. */
static int pin_of(const struct debian_release *r, const char *target)
{
	if (target && *target && (str_eq(r->name, target) || str_eq(r->codename, target) ||
				  str_eq(r->version, target)))
		return 990;
	if (!r->not_automatic)
		return 500;
	return r->but_automatic_upgrades ? 100 : 1;
}

static int add_indexes(const struct choice *c, struct error *e)
{
	const struct plan_request *rq = c->rq;
	int r = 0;

	for (size_t i = 0; i < rq->nindexes && !r; i++) {
		const struct debian_index *ix = &rq->indexes[i];
		const struct debian_release *rel = ix->release;
		const struct solve_source source = {
			.fd = ix->fd, .path = ix->path, .suite = rel->suite, .name = rel->name,
			.codename = rel->codename, .pin = pin_of(rel, rq->target),
		};

		r = solve_add_index(c->s, &source, e);
	}
	for (size_t i = 0; i < rq->ndebs && !r; i++)
		r = solve_add_deb(c->s, rq->debs[i], rq->deb_paths[i], e);
	if (!r && rq->installed >= 0) {
		const struct solve_source status = {
			.fd = rq->installed, .path = "/var/lib/dpkg/status", .suite = "",
			.pin = 100, .installed = true,
		};

		r = solve_add_index(c->s, &status, e);
	}
	return r;
}

/* ---- the answer ---- */

static void put_package(struct choice *c, int version)
{
	struct solve_version v;

	solve_describe(c->s, version, &v);
	put_u64(&c->packages, v.local);
	put_u64(&c->packages, v.source);
	put_u64(&c->packages, v.offset);
	put_u64(&c->packages, (v.automatic ? PLAN_AUTO : 0) |
		(v.essential ? PLAN_ESSENTIAL : 0) | (v.required ? PLAN_REQUIRED : 0));
	if (v.local) {
		put_str(&c->packages, v.name);
		put_str(&c->packages, v.version);
		put_str(&c->packages, v.arch);
	}
	c->number[version] = ++c->n;
}

static void put_step(struct choice *c, enum plan_step_kind kind, const struct strbuf *pkgs)
{
	put_u64(&c->steps, kind);
	put_u64(&c->steps, pkgs->len / sizeof(uint64_t));
	sb_add(&c->steps, sb_str(pkgs), pkgs->len);
	c->nsteps++;
}

/* Orders what is marked and adds it to the answer as one stage. */
static int add_stage(struct choice *c, bool base, struct error *e)
{
	cleanup_free struct solve_action *actions = NULL;
	cleanup_strbuf struct strbuf pkgs = STRBUF_INIT;
	enum plan_step_kind kind = PLAN_INSTALL;
	size_t n = 0;
	int r = solve_order(c->s, &actions, &n, e);

	if (r)
		return r;
	for (size_t i = 0; i < n; i++) {
		enum plan_step_kind next = base ? PLAN_INSTALL :
			actions[i].op == SOLVE_UNPACK ? PLAN_UNPACK : PLAN_CONFIGURE;

		if (actions[i].op == SOLVE_UNPACK)
			put_package(c, actions[i].version);
		else if (base)
			continue;	/* dpkg --install does both */
		if (pkgs.len && next != kind) {
			put_step(c, kind, &pkgs);
			sb_reset(&pkgs);
		}
		kind = next;
		put_u64(&pkgs, c->number[actions[i].version] - 1);
	}
	if (pkgs.len)
		put_step(c, kind, &pkgs);
	sb_reset(&pkgs);
	if (n && !base)
		put_step(c, PLAN_CONFIGURE_PENDING, &pkgs);
	if (base)
		c->nbase = c->n;
	return 0;
}

/* ---- the two stages ---- */

static int select_includes(struct solve *s, const struct fab_options *o, struct solve_set *set,
			   struct error *e)
{
	int r = 0;

	/* apt deals with files after everything that has a name */
	for (int files = 0; files <= 1; files++)
		for (size_t i = 0; i < o->include.n && !r; i++)
			if ((o->include.v[i][0] == '/') == files)
				r = solve_select(s, o->include.v[i], set, e);
	return r;
}

static int first_stage(struct solve *s, const struct fab_options *o, struct error *e)
{
	struct solve_set set = SOLVE_SET_INIT;
	int r = 0;

	if (o->variant == FAB_EXTRACT || o->variant == FAB_CUSTOM)
		r = select_includes(s, o, &set, e);
	else
		solve_select_essential(s, o->suite, &set);
	if (!r)
		r = solve_install(s, &set, e);
	solve_set_release(&set);
	return r;
}

static int second_stage(struct solve *s, const struct fab_options *o, struct error *e)
{
	static const enum solve_priority least[] = {
		[FAB_REQUIRED] = SOLVE_REQUIRED, [FAB_BUILDD] = SOLVE_REQUIRED,
		[FAB_IMPORTANT] = SOLVE_IMPORTANT, [FAB_STANDARD] = SOLVE_STANDARD,
	};
	struct solve_set set = SOLVE_SET_INIT;
	int r;

	r = select_includes(s, o, &set, e);
	if (!r && o->variant != FAB_ESSENTIAL)
		r = solve_select(s, "apt", &set, e);
	if (!r && o->variant == FAB_BUILDD)
		r = solve_select(s, "build-essential", &set, e);
	if (!r && o->variant >= FAB_REQUIRED)
		solve_select_priority(s, o->suite, least[o->variant], &set);
	if (!r)
		r = solve_install(s, &set, e);
	solve_set_release(&set);
	return r;
}

/* One package and what it needs, on top of what is there. */
static int choose_wanted(struct choice *c, struct error *e)
{
	struct solve_set set = SOLVE_SET_INIT;
	int r = solve_select(c->s, c->rq->wanted, &set, e);

	if (!r)
		r = solve_install(c->s, &set, e);
	solve_set_release(&set);
	return r ? r : add_stage(c, false, e);
}

static int choose(struct choice *c, struct error *e)
{
	const struct fab_options *o = c->rq->o;
	int r = add_indexes(c, e);

	if (!r)
		r = solve_finish(c->s, e);
	if (r)
		return r;
	c->number = xcalloc(solve_versions(c->s), sizeof(*c->number));
	if (c->rq->wanted)
		return choose_wanted(c, e);
	r = first_stage(c->s, o, e);
	if (!r)
		r = add_stage(c, true, e);
	if (r || o->variant == FAB_EXTRACT || o->variant == FAB_CUSTOM)
		return r;
	solve_commit(c->s);
	r = second_stage(c->s, o, e);
	return r ? r : add_stage(c, false, e);
}

static struct solve *new_solve(const struct plan_request *rq)
{
	const struct fab_options *o = rq->o;
	struct solve_config config = {
		.arch = o->architectures.n ? o->architectures.v[0] : debian_native_architecture(),
		.recommends = rq->recommends, .suggests = rq->suggests,
	};

	if (o->architectures.n > 1)
		config.foreign = (const char *const *)strv_argv(&o->architectures) + 1;
	return solve_new(&config);
}

void plan_prepare(void *request)
{
	(void)request;
	solve_load();
}

int plan_choose(void *request, struct strbuf *answer, struct error *e)
{
	struct choice c = { .rq = request };
	int r;

	c.s = new_solve(c.rq);
	r = choose(&c, e);
	if (!r) {
		put_u64(answer, c.n);
		put_u64(answer, c.nbase);
		sb_add(answer, sb_str(&c.packages), c.packages.len);
		put_u64(answer, c.nsteps);
		sb_add(answer, sb_str(&c.steps), c.steps.len);
	}
	free(c.number);
	sb_release(&c.packages);
	sb_release(&c.steps);
	solve_free(c.s);
	return r;
}
