/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the solver share: the indexes in a libsolv pool and, on top of them, apt's
 * view: packages with a candidate each, and what is marked.
 *
 * libsolv compares versions and knows who provides what; it also has the last word where apt's
 * greedy marking ends in a conflict.  But the choice between alternatives is apt's
 * (pkgDepCache::MarkInstall of apt 2.6, the classic solver of apt 3), so that the set is the
 * one mmdebstrap installs.  Only new installations happen here: no upgrade, no removal.
 */
#ifndef ROOTFS_SOLVE_PRIVATE_H
#define ROOTFS_SOLVE_PRIVATE_H

#include <solv/pool.h>
#include <solv/evr.h>
#include <solv/repo.h>

#include "rootfs/solve/solve.h"
#include "umlcage/base/str.h"

enum solve_dep_type {
	SOLVE_PREDEPENDS, SOLVE_DEPENDS, SOLVE_CONFLICTS, SOLVE_RECOMMENDS, SOLVE_SUGGESTS,
};

struct solve_dep {
	Id rel;				/* one alternative */
	enum solve_dep_type type;
	bool or_next;			/* the next entry is another alternative */
};

/* A version: what libsolv does not keep of its stanza. */
struct solve_ver {
	struct solve_pkg *pkg;		/* NULL: not installable (foreign architecture) */
	Id next;			/* older entry of the same package; 0: none */
	uint32_t index;			/* in solve.indexes */
	uint64_t offset;		/* of its stanza in the index */
	uint8_t priority;		/* enum solve_priority */
	bool essential, important, ma_same;
	uint8_t foreign;		/* number of its architecture in solve.foreign, from 1; 0: native */
	struct solve_dep *deps;		/* in apt's order; NULL until asked for */
	size_t ndeps;
};

/* A package: one name. */
struct solve_pkg {
	Id name;
	Id versions;			/* list through solve_ver.next */
	Id cand;			/* candidate, 0: none */
	Id cand0;			/* what it was at first */
	Id current;			/* installed before this stage */
	Id inst;			/* to be installed, or current */
	uint32_t seq;			/* order of first mention, as apt numbers packages */
	bool essential, important;	/* of any version */
	bool marked;			/* to be newly installed */
	bool automatic, protected;
	bool manual;			/* asked for by name or pattern */
	bool needed;			/* not garbage */
	uint16_t order_flags;		/* of order.c */
};

struct solve_index {
	struct solve_source source;	/* of a package file only path and pin */
	bool local;			/* a package file: its control file is the text */
	size_t number;			/* how many of its kind were added before */
	const char *text;		/* the caller's file, mapped, or ours */
	size_t size;
	size_t skipped;			/* stanzas left out */
	char *first_skipped;		/* the name in the first of them; NULL: none */
};

struct solve {
	struct solve_config config;
	Pool *pool;
	char *arch;
	const char *const *foreign;	/* config.foreign */
	size_t nforeign;
	struct solve_index *indexes;
	size_t nindexes, nlocal;
	struct solve_ver *vers;		/* by solvable */
	int nvers;
	struct solve_pkg *pkgs;
	size_t npkgs;
	uint32_t *pkg_of_name;		/* by name id: index into pkgs + 1 */
	int nnames;
};

/* ---- filter.c ---- */

/* One stanza on its way from an index to libsolv. */
struct solve_stanza {
	const char *start;		/* in the text */
	struct solve_ver ver;		/* what of it is for us */
	bool ma_foreign, ma_allowed;
};

/*
 * Goes to the next stanza of [*@p, @end) that makes sense, appends what is for libsolv to
 * @clean and fills in the rest.  False at the end.  Counts what it leaves out in @ix.
 */
bool solve_next_stanza(const struct solve *s, struct solve_index *ix, const char **p, const char *end,
		       struct strbuf *clean, struct solve_stanza *found);

/* ---- foreign.c: several architectures ---- */

/* Most of them in one pool. */
enum { SOLVE_FOREIGN_MAX = 15 };
/* Is it of an architecture that is not the native one? */
bool solve_is_foreign(const struct solve *s, const struct solve_pkg *p);
/* The number of the architecture in s->foreign, from 1; 0: it is none of them. */
size_t solve_foreign_number(const struct solve *s, const char *arch, size_t len);
/* Relations as the pool is to have them, appended: of a package of architecture @foreign ... */
void solve_foreign_depends(const struct solve *s, size_t foreign, const char *text, size_t len,
			   struct strbuf *out);
void solve_foreign_conflicts(const struct solve *s, const char *text, size_t len,
			     struct strbuf *out);
void solve_foreign_provides(const struct solve *s, const struct solve_stanza *st, const char *name,
			    size_t name_len, const char *version, size_t version_len,
			    const char *text, size_t len, struct strbuf *out);
/* What it cannot be installed with of its own name. */
void solve_foreign_others(const struct solve *s, const struct solve_stanza *st, const char *name,
			  size_t name_len, const char *version, size_t version_len,
			  struct strbuf *out);

/* ---- packages.c ---- */

struct solve_pkg *solve_pkg_of(const struct solve *s, Id name);	/* NULL: no versions */
struct solve_pkg *solve_pkg_named(const struct solve *s, const char *name);
static inline struct solve_ver *solve_ver(const struct solve *s, Id v)
{
	return &s->vers[v];
}
static inline const struct solve_index *solve_index_of(const struct solve *s, Id v)
{
	return &s->indexes[s->vers[v].index];
}
/* The dependencies of a version, in apt's order. */
const struct solve_dep *solve_deps(struct solve *s, Id v, size_t *n);
/* Whom an alternative names: the package, even if it is virtual. */
Id solve_target(const struct solve *s, Id rel);
/* 0-terminated list of versions that satisfy it, valid until the pool changes. */
const Id *solve_targets(const struct solve *s, Id rel);
const char *solve_version_str(const struct solve *s, Id v);
const char *solve_name_str(const struct solve *s, Id v);
/* Fills @out with a field of the version's stanza; false if absent. */
bool solve_field(const struct solve *s, Id v, const char *field, struct strbuf *out);

/* ---- mark.c ---- */

/* Whether the installed version of @p has all it needs. */
bool solve_broken(struct solve *s, const struct solve_pkg *p);
/* Is any alternative of the group at deps[i] satisfied by what is to be installed? */
bool solve_group_ok(struct solve *s, const struct solve_pkg *owner, const struct solve_dep *d,
		    size_t *len);

/* ---- sat.c ---- */

/* libsolv's answer where marking left something broken, or its reason in words. */
int solve_repair(struct solve *s, struct solve_pkg *const *pkgs, size_t n, struct error *e);

/* ---- select.c ---- */

void solve_set_add(struct solve_set *set, struct solve_pkg *p);	/* once */
/* Adds the new ones among @found, in the order in which apt goes through them; releases it. */
void solve_set_add_sorted(struct solve_set *set, struct solve_set *found);
/* Is it in @suite (Suite or Codename of the Release file)?  NULL: in any. */
bool solve_of_suite(const struct solve *s, Id v, const char *suite);

/* ---- pattern.c ---- */

/* An argument that is a pattern of apt's. */
int solve_select_pattern(struct solve *s, const char *arg, struct solve_set *set,
			 struct error *e);

#endif
