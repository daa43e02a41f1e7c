/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the solver share: the indexes in a libsolv pool and, on top
 * of them, apt's view: packages with a candidate each, and what is marked.
 *
 * libsolv reads the indexes, compares versions and knows who provides what; it
 * also has the last word where apt's greedy marking ends in a conflict.  But the
 * choice between alternatives is apt's (pkgDepCache::MarkInstall of apt 2.6, the
 * classic solver of apt 3), so that the set is the one mmdebstrap installs.
 * Only new installations into one architecture happen here: no upgrade, no removal.
 */
#ifndef ROOTFS_SOLVE_H
#define ROOTFS_SOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <solv/pool.h>
#include <solv/evr.h>
#include <solv/repo.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

enum solve_priority {	/* as pkgCache::State::VerPriority */
	SOLVE_PRIO_NONE, SOLVE_REQUIRED, SOLVE_IMPORTANT, SOLVE_STANDARD, SOLVE_OPTIONAL,
	SOLVE_EXTRA,
};

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
	uint32_t index;			/* in solve.indexes; UINT32_MAX: a local file */
	uint64_t offset;		/* of its stanza in the index */
	uint8_t priority;		/* enum solve_priority */
	bool essential, important, ma_same;
	const char *local;		/* path of a local file; NULL */
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
	uint16_t order_flags;		/* of solve-order.c */
};

struct solve_index {
	const char *uri, *suite, *component;	/* the caller's */
	const char *name, *codename;	/* Suite and Codename of the Release file; may be NULL */
	const char *path;
	int pin;			/* 500, 100 or 1 */
	Repo *repo;
	char *text;			/* mapped while it is read */
	size_t size;
};

struct solve {
	Pool *pool;
	char *arch;
	struct solve_index *indexes;
	size_t nindexes;
	struct solve_ver *vers;		/* by solvable */
	int nvers;
	struct solve_pkg *pkgs;
	size_t npkgs;
	uint32_t *debian_of_name;		/* by name id: index into pkgs + 1 */
	int nnames;
	struct strv local;		/* paths */
	bool recommends, suggests;
	bool force_apt;			/* apt counts as essential */
};

/* ---- solve-index.c ---- */

void solve_init(struct solve *s, const char *arch);
void solve_release(struct solve *s);
/* Adds one uncompressed Packages file. */
int solve_add_index(struct solve *s, const char *path, const char *uri, const char *suite,
		    const char *component, const char *name, const char *codename, int pin,
		    struct error *e);
/* Adds a package file. */
int solve_add_deb(struct solve *s, const char *path, struct error *e);
/* After the last addition: packages, candidates, order of mention. */
int solve_finish(struct solve *s, struct error *e);

struct solve_pkg *solve_pkg_of(const struct solve *s, Id name);	/* NULL: no versions */
struct solve_pkg *solve_pkg_named(const struct solve *s, const char *name);
static inline struct solve_ver *solve_ver(const struct solve *s, Id v)
{
	return &s->vers[v];
}
/* The dependencies of a version, in apt's order. */
const struct solve_dep *solve_deps(struct solve *s, Id v, size_t *n);
/* Whom an alternative names: the package, even if it is virtual. */
Id solve_target(const struct solve *s, Id rel);
/* 0-terminated list of versions that satisfy it, valid until the pool changes. */
const Id *solve_targets(const struct solve *s, Id rel);
/* The stanza's text of a version in an index, found by its offset. */
const char *solve_version_str(const struct solve *s, Id v);
const char *solve_name_str(const struct solve *s, Id v);
/* Fills @out with a field of the version's stanza; false if absent. */
bool solve_field(const struct solve *s, Id v, const char *field, struct strbuf *out);

/* ---- solve-mark.c ---- */

/* Marks @pkgs (with their candidates) as apt-get install would. */
int solve_install(struct solve *s, struct solve_pkg **pkgs, size_t n, struct error *e);
/* Marks as apt-get dist-upgrade does on an empty system: what is essential. */
int solve_install_essential(struct solve *s, struct error *e);
/* What is marked becomes current. */
void solve_commit(struct solve *s);
/* Whether the installed version of @p has all it needs. */
bool solve_broken(struct solve *s, const struct solve_pkg *p);
/* Is any alternative of the group at deps[i] satisfied by what is to be installed? */
bool solve_group_ok(struct solve *s, const struct solve_pkg *owner, const struct solve_dep *d,
		    size_t *len);

/* ---- solve-sat.c ---- */

/* libsolv's answer where marking left something broken, or its reason in words. */
int solve_repair(struct solve *s, struct solve_pkg **pkgs, size_t n, struct error *e);

/* ---- solve-select.c ---- */

struct solve_set {
	struct solve_pkg **v;
	size_t n, cap;
};
void solve_set_add(struct solve_set *set, struct solve_pkg *p);	/* once */
void solve_set_release(struct solve_set *set);
/* One argument of apt-get install: a name, name=version, name/suite, a glob, a
 * pattern, a path added with solve_add_deb(). */
int solve_select(struct solve *s, const char *arg, struct solve_set *set, struct error *e);
/* The first and second pattern of mmdebstrap: see mmdebstrap's run_download, run_install. */
int solve_select_essential(struct solve *s, const char *suite, struct solve_set *set);
int solve_select_priority(struct solve *s, const char *suite, enum solve_priority least,
			  struct solve_set *set);

/* ---- solve-order.c ---- */

enum solve_op { SOLVE_UNPACK, SOLVE_CONFIGURE };
struct solve_action {
	enum solve_op op;
	Id ver;
};
/* apt's order for what is marked; malloc'ed into *@out. */
int solve_order(struct solve *s, struct solve_action **out, size_t *n, struct error *e);

#endif
