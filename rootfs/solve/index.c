// SPDX-License-Identifier: GPL-2.0-or-later
/* Indexes and package files into the pool, through the filter: see filter.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/deb/deb.h"
#include "rootfs/solve/private.h"

#include <solv/poolarch.h>
#include <solv/repo_deb.h>

void solve_load(void)
{
	static char stanza[] = "Package: x\n\n";
	Pool *pool = pool_create();
	FILE *f = fmemopen(stanza, sizeof(stanza) - 1, "r");

	if (f) {
		repo_add_debpackages(repo_create(pool, ""), f, 0);
		fclose(f);
	}
	pool_free(pool);
	deb_load();
}

struct solve *solve_new(const struct solve_config *config)
{
	struct solve *s = xcalloc(1, sizeof(*s));

	s->config = *config;
	s->arch = xstrdup(config->arch);
	s->foreign = config->foreign;
	while (s->foreign && s->foreign[s->nforeign] && s->nforeign < SOLVE_FOREIGN_MAX)
		s->nforeign++;
	s->pool = pool_create();
	pool_setdisttype(s->pool, DISTTYPE_DEB);
	pool_setarch(s->pool, s->arch);
	return s;
}

void solve_free(struct solve *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nindexes; i++) {
		struct solve_index *ix = &s->indexes[i];

		if (ix->size)
			munmap((void *)(uintptr_t)ix->text, ix->size);
		free(ix->first_skipped);
	}
	for (int v = 0; v < s->nvers; v++)
		free(s->vers[v].deps);
	free(s->vers);
	free(s->pkgs);
	free(s->pkg_of_name);
	free(s->indexes);
	free(s->arch);
	pool_free(s->pool);
	free(s);
}

/* Does "name:@arch" mean what is here, where there is one architecture? */
static bool is_here(const struct solve *s, const char *arch)
{
	return str_eq(arch, "any") || str_eq(arch, "native") || str_eq(arch, s->arch);
}

/*
 * @id with "name:any" and the like as plain names.  What is qualified with another architecture
 * is there in none: the name with its colon, which no package has.
 */
static Id without_arch(const struct solve *s, Id id)
{
	Pool *pool = s->pool;
	const char *str, *colon;
	const Reldep *rd;
	Id name, evr;

	if (ISRELDEP(id)) {
		rd = GETRELDEP(pool, id);
		name = without_arch(s, rd->name);
		evr = rd->flags == REL_OR ? without_arch(s, rd->evr) : rd->evr;
		rd = GETRELDEP(pool, id);	/* the table may have moved */
		if (rd->flags == REL_MULTIARCH || rd->flags == REL_ARCH) {
			cleanup_free char *full = NULL;

			if (ISRELDEP(name) || is_here(s, pool_id2str(pool, evr)))
				return name;
			full = xasprintf("%s:%s", pool_id2str(pool, name), pool_id2str(pool, evr));
			return pool_str2id(pool, full, 1);
		}
		if (name == rd->name && evr == rd->evr)
			return id;
		return pool_rel2id(pool, name, evr, rd->flags, 1);
	}
	str = pool_id2str(pool, id);
	colon = strchr(str, ':');
	if (!colon || strncmp(str, "solvable:", 9) == 0 || !is_here(s, colon + 1))
		return id;
	return pool_strn2id(pool, str, (unsigned int)(colon - str), 1);
}

static void drop_architectures(const struct solve *s, Repo *repo)
{
	for (int i = 0; i < repo->idarraysize; i++)
		if (repo->idarraydata[i] > 1 || ISRELDEP(repo->idarraydata[i]))
			repo->idarraydata[i] = without_arch(s, repo->idarraydata[i]);
}

/* Has libsolv read @clean, which has the stanzas @found. */
static int feed(struct solve *s, uint32_t index, struct strbuf *clean,
		const struct solve_stanza *found, size_t n, struct error *e)
{
	const struct solve_index *ix = &s->indexes[index];
	Repo *repo = repo_create(s->pool, ix->source.path);
	Id first = s->pool->nsolvables;
	FILE *f;
	int ret;

	if (!n)
		return 0;
	f = fmemopen(clean->s, clean->len, "r");
	if (!f)
		return err_sys(e, errno, "cannot read index '%s'", ix->source.path);
	ret = repo_add_debpackages(repo, f, 0);
	fclose(f);
	if (ret)
		return err_set(e, EBADMSG, "cannot read index '%s': %s", ix->source.path,
			       pool_errstr(s->pool));
	if ((size_t)(s->pool->nsolvables - first) != n)
		return err_set(e, EBADMSG, "index '%s' has stanzas that cannot be told apart",
			       ix->source.path);
	drop_architectures(s, repo);
	s->nvers = s->pool->nsolvables;
	s->vers = xreallocarray(s->vers, (size_t)s->nvers, sizeof(*s->vers));
	if (first == 2)		/* libsolv's own two at the beginning */
		memset(s->vers, 0, 2 * sizeof(*s->vers));
	for (size_t i = 0; i < n; i++) {
		struct solve_ver *v = &s->vers[first + (Id)i];

		*v = found[i].ver;
		v->index = index;
		v->offset = (uint64_t)(found[i].start - ix->text);
	}
	return 0;
}

static int add_text(struct solve *s, uint32_t index, struct error *e)
{
	cleanup_strbuf struct strbuf clean = STRBUF_INIT;
	cleanup_free struct solve_stanza *found = NULL;
	struct solve_index *ix = &s->indexes[index];
	const char *p = ix->text, *end = p + ix->size;
	size_t n = 0, cap = 0;

	do {
		if (n == cap) {
			cap = cap ? cap * 2 : 64;
			found = xreallocarray(found, cap, sizeof(*found));
		}
	} while (solve_next_stanza(s, ix, &p, end, &clean, &found[n]) && ++n);
	return feed(s, index, &clean, found, n, e);
}

static struct solve_index *new_index(struct solve *s, const struct solve_source *source,
				     bool local)
{
	struct solve_index *ix;

	s->indexes = xreallocarray(s->indexes, s->nindexes + 1, sizeof(*s->indexes));
	ix = &s->indexes[s->nindexes];
	*ix = (struct solve_index){
		.source = *source, .local = local,
		.number = local ? s->nlocal : s->nindexes - s->nlocal,
	};
	s->nlocal += local;
	s->nindexes++;
	return ix;
}

int solve_add_index(struct solve *s, const struct solve_source *source, struct error *e)
{
	struct solve_index *ix = new_index(s, source, false);
	struct stat st;
	void *text;

	if (fstat(source->fd, &st) < 0)
		return err_sys(e, errno, "cannot read index '%s'", source->path);
	if (st.st_size == 0)
		return 0;
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, source->fd, 0);
	if (text == MAP_FAILED)
		return err_sys(e, errno, "cannot map index '%s'", source->path);
	ix->text = text;
	ix->size = (size_t)st.st_size;
	return add_text(s, (uint32_t)(s->nindexes - 1), e);
}

int solve_add_deb(struct solve *s, int fd, const char *path, struct error *e)
{
	const struct solve_source source = { .fd = fd, .path = path, .pin = 1000 };
	cleanup_deb struct deb deb = DEB_INIT;
	struct solve_index *ix = new_index(s, &source, true);
	const struct deb_member *control;
	int before = s->nvers, ret = deb_open(&deb, fd, path, e);

	if (ret == 0) {
		control = deb_member(&deb, "control");
		/* mapped, to be like the others */
		ix->text = mmap(NULL, control->data.len + 1, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (ix->text == MAP_FAILED)
			return err_sys(e, errno, "cannot read package '%s'", path);
		ix->size = control->data.len + 1;
		memcpy((void *)(uintptr_t)ix->text, sb_str(&control->data), control->data.len);
		ret = add_text(s, (uint32_t)(s->nindexes - 1), e);
	}
	if (ret == 0 && s->nvers != (before ? before : 2) + 1)
		ret = err_set(e, EBADMSG, "its control file makes no sense");
	if (ret == 0)
		return 0;
	err_wrap(e, "cannot read package '%s'", path);
	(void)err_mark(e, ERR_USAGE);
	return ret;
}
