// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Indexes into the pool: libsolv parses them; a second, cheap pass over the same
 * bytes takes what it drops (Priority, Essential, Multi-Arch, where the stanza is).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/solve/solve.h"

#include <solv/poolarch.h>
#include <solv/repo_deb.h>

#include "umlcage/base/fd.h"

void solve_init(struct solve *s, const char *arch)
{
	memset(s, 0, sizeof(*s));
	s->arch = xstrdup(arch);
	s->pool = pool_create();
	pool_setdisttype(s->pool, DISTTYPE_DEB);
	pool_setarch(s->pool, arch);
}

void solve_release(struct solve *s)
{
	for (size_t i = 0; i < s->nindexes; i++)
		if (s->indexes[i].text)
			munmap(s->indexes[i].text, s->indexes[i].size);
	for (int v = 0; v < s->nvers; v++)
		free(s->vers[v].deps);
	free(s->vers);
	free(s->pkgs);
	free(s->debian_of_name);
	free(s->indexes);
	free(s->arch);
	strv_release(&s->local);
	if (s->pool)
		pool_free(s->pool);
	memset(s, 0, sizeof(*s));
}

static void grow_vers(struct solve *s)
{
	int n = s->pool->nsolvables;

	if (n <= s->nvers)
		return;
	s->vers = xreallocarray(s->vers, (size_t)n, sizeof(*s->vers));
	memset(s->vers + s->nvers, 0, sizeof(*s->vers) * (size_t)(n - s->nvers));
	s->nvers = n;
}

struct line {
	const char *name, *value;
	size_t name_len, value_len;
};

/* The next "Name: value" line at *@p, continuation lines skipped; false at the stanza's end. */
static bool next_line(const char **p, const char *end, struct line *l)
{
	while (*p < end && **p != '\n') {
		const char *eol = memchr(*p, '\n', (size_t)(end - *p));
		const char *start = *p, *colon;

		if (!eol)
			eol = end;
		*p = eol < end ? eol + 1 : end;
		if (*start == ' ' || *start == '\t' || *start == '#')
			continue;
		colon = memchr(start, ':', (size_t)(eol - start));
		if (!colon)
			continue;
		l->name = start;
		l->name_len = (size_t)(colon - start);
		for (colon++; colon < eol && (*colon == ' ' || *colon == '\t'); colon++)
			;
		while (eol > colon && (eol[-1] == ' ' || eol[-1] == '\t' || eol[-1] == '\r'))
			eol--;
		l->value = colon;
		l->value_len = (size_t)(eol - colon);
		return true;
	}
	return false;
}

static bool is(const char *s, size_t len, const char *what)
{
	return len == strlen(what) && strncasecmp(s, what, len) == 0;
}

static uint8_t priority_of(const char *s, size_t len)
{
	static const char *const names[] = {
		[SOLVE_REQUIRED] = "required", [SOLVE_IMPORTANT] = "important",
		[SOLVE_STANDARD] = "standard", [SOLVE_OPTIONAL] = "optional",
		[SOLVE_EXTRA] = "extra",
	};

	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (is(s, len, names[i]))
			return (uint8_t)i;
	return SOLVE_EXTRA;
}

/* Reads the stanza at *@p into @v; its package's name into @name.  false: no package in it. */
static bool scan_stanza(const char **p, const char *end, struct solve_ver *v, struct line *name)
{
	struct line l;

	name->value = NULL;
	v->priority = SOLVE_EXTRA;
	while (next_line(p, end, &l)) {
		switch (l.name[0] | 0x20) {
		case 'p':
			if (is(l.name, l.name_len, "Package"))
				*name = l;
			else if (is(l.name, l.name_len, "Priority"))
				v->priority = priority_of(l.value, l.value_len);
			else if (is(l.name, l.name_len, "Protected"))
				v->important |= is(l.value, l.value_len, "yes");
			break;
		case 'e':
			if (is(l.name, l.name_len, "Essential"))
				v->essential = is(l.value, l.value_len, "yes");
			break;
		case 'i':
			if (is(l.name, l.name_len, "Important"))
				v->important |= is(l.value, l.value_len, "yes");
			break;
		case 'm':
			if (is(l.name, l.name_len, "Multi-Arch"))
				v->ma_same = is(l.value, l.value_len, "same");
			break;
		}
	}
	return name->value != NULL;
}

/* Walks stanzas and solvables in step. */
static int scan_index(struct solve *s, struct solve_index *ix, Id first, struct error *e)
{
	const char *p = ix->text, *end = ix->text + ix->size;
	Id v = first;

	while (p < end) {
		struct solve_ver found = { 0 };
		struct line name;
		const char *start;
		const char *have;

		while (p < end && (*p == '\n' || *p == '\r'))
			p++;
		start = p;
		if (p >= end || !scan_stanza(&p, end, &found, &name))
			continue;
		if (v >= ix->repo->end)
			return err_set(e, EBADMSG, "index '%s' has stanzas that cannot be read",
				       ix->path);
		have = pool_id2str(s->pool, pool_id2solvable(s->pool, v)->name);
		/* the solver leaves out what it cannot make sense of */
		if (strlen(have) != name.value_len || strncmp(have, name.value, name.value_len) != 0)
			continue;
		found.index = (uint32_t)(ix - s->indexes);
		found.offset = (uint64_t)(start - ix->text);
		s->vers[v++] = found;
	}
	if (v != ix->repo->end)
		return err_set(e, EBADMSG, "index '%s' has stanzas that cannot be told apart",
			       ix->path);
	return 0;
}

/* @id with "name:any" and the like as plain names: there is one architecture here. */
static Id without_arch(Pool *pool, Id id)
{
	const char *str, *colon;
	const Reldep *rd;
	Id name, evr;

	if (ISRELDEP(id)) {
		rd = GETRELDEP(pool, id);
		name = without_arch(pool, rd->name);
		evr = rd->flags == REL_OR ? without_arch(pool, rd->evr) : rd->evr;
		rd = GETRELDEP(pool, id);	/* the table may have moved */
		if (rd->flags == REL_MULTIARCH || rd->flags == REL_ARCH)
			return name;
		if (name == rd->name && evr == rd->evr)
			return id;
		return pool_rel2id(pool, name, evr, rd->flags, 1);
	}
	str = pool_id2str(pool, id);
	colon = strchr(str, ':');
	if (!colon || strncmp(str, "solvable:", 9) == 0)
		return id;
	return pool_strn2id(pool, str, (unsigned int)(colon - str), 1);
}

static void drop_architectures(Repo *repo)
{
	for (int i = 0; i < repo->idarraysize; i++)
		if (repo->idarraydata[i] > 1 || ISRELDEP(repo->idarraydata[i]))
			repo->idarraydata[i] = without_arch(repo->pool, repo->idarraydata[i]);
}

int solve_add_index(struct solve *s, const char *path, const char *uri, const char *suite,
		    const char *component, const char *name, const char *codename, int pin,
		    struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct solve_index *ix;
	struct stat st;
	Id first = s->pool->nsolvables;
	FILE *f;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot open index '%s'", path);
	s->indexes = xreallocarray(s->indexes, s->nindexes + 1, sizeof(*s->indexes));
	ix = &s->indexes[s->nindexes];
	*ix = (struct solve_index){ .uri = uri, .suite = suite, .component = component,
		.name = name, .codename = codename, .path = path, .pin = pin };
	ix->repo = repo_create(s->pool, path);
	s->nindexes++;
	if (st.st_size == 0)
		return 0;
	ix->size = (size_t)st.st_size;
	ix->text = mmap(NULL, ix->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (ix->text == MAP_FAILED) {
		ix->text = NULL;
		return err_sys(e, errno, "cannot map index '%s'", path);
	}
	f = fdopen(fd, "r");
	if (!f)
		return err_sys(e, errno, "cannot read index '%s'", path);
	steal_fd(&fd);
	r = repo_add_debpackages(ix->repo, f, 0);
	fclose(f);
	if (r)
		return err_set(e, EBADMSG, "cannot read index '%s': %s", path,
			       pool_errstr(s->pool));
	drop_architectures(ix->repo);
	grow_vers(s);
	return scan_index(s, ix, first, e);
}

int solve_add_deb(struct solve *s, const char *path, struct error *e)
{
	Repo *repo = repo_create(s->pool, path);
	Id v = repo_add_deb(repo, path, REPO_REUSE_REPODATA | DEBS_ADD_WITH_PKGID);

	if (!v)
		return err_usage(e, "cannot read package '%s': %s", path,
				 pool_errstr(s->pool));
	drop_architectures(repo);
	grow_vers(s);
	strv_add(&s->local, path);
	s->vers[v].local = s->local.v[s->local.n - 1];
	s->vers[v].index = UINT32_MAX;
	s->vers[v].priority = SOLVE_OPTIONAL;
	return 0;
}

/* ---- packages ---- */

static bool installable(const struct solve *s, const Solvable *so)
{
	return so->arch == ARCH_ALL || strcmp(pool_id2str(s->pool, so->arch), s->arch) == 0;
}

static uint32_t *name_slot(struct solve *s, Id name)
{
	if (name >= s->nnames) {
		int n = s->pool->ss.nstrings;

		s->debian_of_name = xreallocarray(s->debian_of_name, (size_t)n, sizeof(uint32_t));
		memset(s->debian_of_name + s->nnames, 0, sizeof(uint32_t) * (size_t)(n - s->nnames));
		s->nnames = n;
	}
	return &s->debian_of_name[name];
}

struct solve_pkg *solve_pkg_of(const struct solve *s, Id name)
{
	if (name <= 0 || ISRELDEP(name) || name >= s->nnames || !s->debian_of_name[name])
		return NULL;
	return &s->pkgs[s->debian_of_name[name] - 1];
}

struct solve_pkg *solve_pkg_named(const struct solve *s, const char *name)
{
	return solve_pkg_of(s, pool_str2id(s->pool, name, 0));
}

static int pin_of(const struct solve *s, Id v)
{
	const struct solve_ver *sv = &s->vers[v];

	return sv->index == UINT32_MAX ? 1000 : s->indexes[sv->index].pin;
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
	grow_vers(s);
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
		if (s->force_apt && strcmp(pool_id2str(s->pool, p->name), "apt") == 0)
			p->essential = p->important = true;
		choose_candidate(s, p);
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
	const struct solve_ver *sv = &s->vers[v];
	const struct solve_index *ix;
	const char *p, *end;
	bool found = false;
	struct line l;

	sb_reset(out);
	if (sv->index == UINT32_MAX)
		return false;
	ix = &s->indexes[sv->index];
	p = ix->text + sv->offset;
	end = ix->text + ix->size;
	/* of a field that is there twice, libsolv and the scan, too, take the last */
	while (next_line(&p, end, &l)) {
		if (!is(l.name, l.name_len, field))
			continue;
		sb_reset(out);
		sb_add(out, l.value, l.value_len);
		found = true;
	}
	return found;
}
