// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where marking ends in a conflict, libsolv decides: the same request, with what
 * was marked as its favourites.  If there is no answer, it says why in words.
 */
#include "rootfs/solve/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <solv/solver.h>
#include <solv/problems.h>

/* Only candidates may be chosen, except where nothing of the package was one. */
static void consider_candidates(struct solve *s, Map *considered)
{
	map_init(considered, s->pool->nsolvables);
	for (size_t i = 0; i < s->npkgs; i++) {
		const struct solve_pkg *p = &s->pkgs[i];
		Id v = p->current ? p->current : p->manual && p->cand ? p->cand : p->cand0;

		if (v)
			MAPSET(considered, v);
	}
}

static void explain(Solver *solver, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	unsigned int problems = solver_problem_count(solver);

	for (unsigned int i = 1; i <= problems && i <= 5; i++) {
		Queue rules;

		queue_init(&rules);
		solver_findallproblemrules(solver, (Id)i, &rules);
		for (int k = 0; k < rules.count && k < 6; k++) {
			Id from, to, dep;
			SolverRuleinfo type = solver_ruleinfo(solver, rules.elements[k], &from,
							      &to, &dep);
			const char *s = solver_problemruleinfo2str(solver, type, from, to, dep);

			/* "conflicting requests" says nothing where there is more to say */
			if (type == SOLVER_RULE_JOB && rules.count > 1)
				continue;
			if (text.len)
				sb_adds(&text, "; ");
			sb_adds(&text, s);
		}
		queue_free(&rules);
	}
	/* as everybody but the pool calls them */
	for (size_t i = 0; i < text.len; i++)
		if (text.s[i] == '@')
			text.s[i] = ':';
	err_usage(e, "the packages asked for cannot be installed together: %s",
		  text.len ? text.s : "no reason known");
}

static void take(struct solve *s, Solver *solver)
{
	Queue decisions;

	for (size_t i = 0; i < s->npkgs; i++) {
		struct solve_pkg *p = &s->pkgs[i];
		bool was = p->marked;

		p->marked = false;
		p->inst = p->current;
		if (!was)
			p->automatic = !p->manual;
	}
	queue_init(&decisions);
	solver_get_decisionqueue(solver, &decisions);
	for (int i = 0; i < decisions.count; i++) {
		Id v = decisions.elements[i];
		struct solve_pkg *p = v > 1 ? solve_ver(s, v)->pkg : NULL;

		if (!p || p->current)
			continue;
		p->cand = p->inst = v;
		p->marked = true;
	}
	queue_free(&decisions);
}

int solve_repair(struct solve *s, struct solve_pkg *const *pkgs, size_t n, struct error *e)
{
	Map considered, *before = s->pool->considered;
	Solver *solver;
	Queue job;
	int problems, r = 0;

	for (size_t i = 0; i < n; i++)
		if (!pkgs[i]->cand)
			pkgs[i]->cand = pkgs[i]->cand0;
	consider_candidates(s, &considered);
	s->pool->considered = &considered;
	pool_createwhatprovides(s->pool);
	queue_init(&job);
	for (size_t i = 0; i < s->npkgs; i++) {
		const struct solve_pkg *p = &s->pkgs[i];

		if (p->current)
			queue_push2(&job, SOLVER_INSTALL | SOLVER_SOLVABLE, p->current);
		else if (p->marked)
			queue_push2(&job, SOLVER_FAVOR | SOLVER_SOLVABLE, p->inst);
	}
	for (size_t i = 0; i < n; i++)
		if (pkgs[i]->cand && !pkgs[i]->current)
			queue_push2(&job, SOLVER_INSTALL | SOLVER_SOLVABLE, pkgs[i]->cand);
	solver = solver_create(s->pool);
	solver_set_flag(solver, SOLVER_FLAG_IGNORE_RECOMMENDED, !s->config.recommends);
	problems = solver_solve(solver, &job);
	if (problems) {
		explain(solver, e);
		r = -EINVAL;
	} else {
		take(s, solver);
	}
	solver_free(solver);
	queue_free(&job);
	s->pool->considered = before;
	map_free(&considered);
	pool_createwhatprovides(s->pool);
	return r;
}
