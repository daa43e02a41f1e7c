// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several architectures in one pool (deb-control(5) on Multi-Arch, apt's implicit relations).  A
 * package of a foreign architecture is one of its own, called "NAME@ARCH", and what relations
 * mean by a name is written out in the stanza that libsolv reads:
 *
 *	a dependency is on a package of the same architecture, "NAME:any" on a virtual "NAME@any"
 *	a conflict is with the packages of every architecture
 *	Multi-Arch: foreign provides its name, and what it provides, for every architecture
 *	Multi-Arch: allowed provides "NAME@any"
 *	Multi-Arch: same lives with itself in the same version only, others not at all
 *
 * Packages of all architectures count as native ones, as for apt.
 */
#include <string.h>

#include "rootfs/solve/private.h"

bool solve_is_foreign(const struct solve *s, const struct solve_pkg *p)
{
	return s->nforeign && strchr(pool_id2str(s->pool, p->name), '@') != NULL;
}

size_t solve_foreign_number(const struct solve *s, const char *arch, size_t len)
{
	for (size_t i = 0; i < s->nforeign; i++)
		if (strlen(s->foreign[i]) == len && strncmp(s->foreign[i], arch, len) == 0)
			return i + 1;
	return 0;
}

static void add_name(const struct solve *s, struct strbuf *out, const char *name, size_t len,
		     size_t foreign)
{
	sb_add(out, name, len);
	if (foreign)
		sb_addf(out, "@%s", s->foreign[foreign - 1]);
}

/* One alternative: "NAME[:QUALIFIER] REST". */
struct relation {
	const char *name, *arch, *rest;	/* arch: NULL without a qualifier */
	size_t name_len, arch_len, rest_len;
};

/* The next one at *@p, before @end; what separates it from the one before goes to @out. */
static bool next_relation(const char **p, const char *end, struct relation *r, struct strbuf *out)
{
	const char *at = *p;

	while (at < end && (*at == ' ' || *at == ',' || *at == '|'))
		at++;
	if (out)
		sb_add(out, *p, (size_t)(at - *p));
	if (at == end)
		return false;
	*r = (struct relation){ .name = at };
	while (at < end && !strchr(" ,|:(", *at))
		at++;
	r->name_len = (size_t)(at - r->name);
	if (at < end && *at == ':') {
		r->arch = ++at;
		while (at < end && !strchr(" ,|(", *at))
			at++;
		r->arch_len = (size_t)(at - r->arch);
	}
	r->rest = at;
	while (at < end && *at != ',' && *at != '|')
		at++;
	r->rest_len = (size_t)(at - r->rest);
	*p = at;
	return true;
}

static bool arch_is(const struct relation *r, const char *arch)
{
	return strlen(arch) == r->arch_len && strncmp(arch, r->arch, r->arch_len) == 0;
}

/* The name that the pool has for what @r is about, for a package of @foreign. */
static void add_target(const struct solve *s, const struct relation *r, size_t foreign,
		       struct strbuf *out)
{
	if (!r->arch)
		add_name(s, out, r->name, r->name_len, foreign);
	else if (arch_is(r, "native") || arch_is(r, s->arch) || arch_is(r, "all"))
		add_name(s, out, r->name, r->name_len, 0);
	else
		/* "any", a foreign one, or one that nothing is of */
		sb_addf(out, "%.*s@%.*s", (int)r->name_len, r->name, (int)r->arch_len, r->arch);
	sb_add(out, r->rest, r->rest_len);
}

void solve_foreign_depends(const struct solve *s, size_t foreign, const char *text, size_t len,
			   struct strbuf *out)
{
	const char *p = text, *end = text + len;
	struct relation r;

	while (next_relation(&p, end, &r, out))
		add_target(s, &r, foreign, out);
}

static void comma(struct strbuf *out, size_t begin)
{
	if (out->len > begin)
		sb_adds(out, ", ");
}

void solve_foreign_conflicts(const struct solve *s, const char *text, size_t len,
			     struct strbuf *out)
{
	const char *p = text, *end = text + len;
	size_t begin = out->len;
	struct relation r;

	while (next_relation(&p, end, &r, NULL))
		for (size_t i = 0; i <= (r.arch ? 0 : s->nforeign); i++) {
			comma(out, begin);
			add_target(s, &r, i, out);
		}
}

void solve_foreign_provides(const struct solve *s, const struct solve_stanza *st, const char *name,
			    size_t name_len, const char *version, size_t version_len,
			    const char *text, size_t len, struct strbuf *out)
{
	const char *p = text, *end = text + len;
	size_t begin = out->len, foreign = st->ver.foreign;
	struct relation r;

	while (next_relation(&p, end, &r, NULL)) {
		for (size_t i = 0; i <= s->nforeign; i++)
			if (i == foreign || (st->ma_foreign && !r.arch)) {
				comma(out, begin);
				add_target(s, &r, i, out);
			}
		if (st->ma_allowed && !r.arch) {
			comma(out, begin);
			sb_addf(out, "%.*s@any%.*s", (int)r.name_len, r.name, (int)r.rest_len, r.rest);
		}
	}
	for (size_t i = 0; st->ma_foreign && i <= s->nforeign; i++) {
		if (i == foreign)
			continue;
		comma(out, begin);
		add_name(s, out, name, name_len, i);
		sb_addf(out, " (= %.*s)", (int)version_len, version);
	}
	if (st->ma_allowed) {
		comma(out, begin);
		sb_addf(out, "%.*s@any (= %.*s)", (int)name_len, name, (int)version_len, version);
	}
}

void solve_foreign_others(const struct solve *s, const struct solve_stanza *st, const char *name,
			  size_t name_len, const char *version, size_t version_len,
			  struct strbuf *out)
{
	size_t begin = out->len;

	for (size_t i = 0; i <= s->nforeign; i++) {
		if (i == st->ver.foreign)
			continue;
		comma(out, begin);
		add_name(s, out, name, name_len, i);
		if (!st->ver.ma_same)
			continue;
		sb_addf(out, " (<< %.*s), ", (int)version_len, version);
		add_name(s, out, name, name_len, i);
		sb_addf(out, " (>> %.*s)", (int)version_len, version);
	}
}
