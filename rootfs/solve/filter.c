// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What libsolv gets to see of an index: the fields that decide what is installed, each in one
 * line and of a known form, and none of the rest.  Its reader copies checksums into a buffer
 * of fixed size (before 0.7.37, CVE-2026-9150), and follows alternatives by recursion.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "rootfs/deb822/deb822.h"
#include "rootfs/solve/private.h"

enum {
	MAX_NAME = 255, MAX_VERSION = 1024, MAX_ARCH = 64,
	MAX_RELATIONS = 1 << 20,	/* the largest of Debian has 40,000 bytes */
	MAX_ALTERNATIVES = 1024,	/* of one group */
};

/* The fields that are passed on.  Others have no place in a stanza of libsolv. */
enum field {
	PACKAGE, VERSION, ARCHITECTURE, PRE_DEPENDS, DEPENDS, CONFLICTS, BREAKS, PROVIDES,
	RECOMMENDS, SUGGESTS, REPLACES, NFIELDS,
};

static const char *const names[NFIELDS] = {
	[PACKAGE] = "Package", [VERSION] = "Version", [ARCHITECTURE] = "Architecture",
	[PRE_DEPENDS] = "Pre-Depends", [DEPENDS] = "Depends", [CONFLICTS] = "Conflicts",
	[BREAKS] = "Breaks", [PROVIDES] = "Provides", [RECOMMENDS] = "Recommends",
	[SUGGESTS] = "Suggests", [REPLACES] = "Replaces",
};

/* What a stanza has of them, in its own order. */
struct taken {
	struct {
		enum field field;
		struct deb822_line line;
	} v[NFIELDS];
	size_t n;
};

static void take(struct taken *t, enum field field, const struct deb822_line *l)
{
	size_t i = 0;

	while (i < t->n && t->v[i].field != field)
		i++;
	t->n += i == t->n;
	t->v[i].field = field;
	t->v[i].line = *l;	/* of two the last */
}

static const struct deb822_line *taken(const struct taken *t, enum field field)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].field == field)
			return &t->v[i].line;
	return NULL;
}

/* ---- fields for us ---- */

static bool value_is(const struct deb822_line *l, const char *what)
{
	return l->value_len == strlen(what) && strncasecmp(l->value, what, l->value_len) == 0;
}

static uint8_t priority_of(const struct deb822_line *l)
{
	static const char *const words[] = {
		[SOLVE_REQUIRED] = "required", [SOLVE_IMPORTANT] = "important",
		[SOLVE_STANDARD] = "standard", [SOLVE_OPTIONAL] = "optional",
		[SOLVE_EXTRA] = "extra",
	};

	for (size_t i = 1; i < ARRAY_SIZE(words); i++)
		if (value_is(l, words[i]))
			return (uint8_t)i;
	return SOLVE_EXTRA;
}

static void take_ours(struct solve_stanza *st, const struct deb822_line *l)
{
	struct solve_ver *v = &st->ver;

	switch (l->name[0] | 0x20) {
	case 'p':
		if (deb822_line_is(l, "Priority"))
			v->priority = priority_of(l);
		else if (deb822_line_is(l, "Protected"))
			v->important |= value_is(l, "yes");
		break;
	case 'e':
		if (deb822_line_is(l, "Essential"))
			v->essential = value_is(l, "yes");
		break;
	case 'i':
		if (deb822_line_is(l, "Important"))
			v->important |= value_is(l, "yes");
		break;
	case 'm':
		if (deb822_line_is(l, "Multi-Arch")) {
			st->ver.ma_same = value_is(l, "same");
			st->ma_foreign = value_is(l, "foreign");
			st->ma_allowed = value_is(l, "allowed");
		}
		break;
	}
}

/* Most lines of an index are none of these: told by their first letter. */
static void take_line(struct taken *t, struct solve_stanza *st, const struct deb822_line *l)
{
	char c = (char)(l->name[0] | 0x20);

	if (!c || !strchr("pvadcbrsemi", c))
		return;
	for (enum field f = 0; f < NFIELDS; f++)
		if ((names[f][0] | 0x20) == c && deb822_line_is(l, names[f])) {
			take(t, f, l);
			return;
		}
	take_ours(st, l);
}

/* ---- the form of a value ---- */

/* Letters, digits and @more, beginning with a letter or a digit. */
static bool is_word(const struct deb822_line *l, const char *more, size_t max)
{
	if (!l || !l->value_len || l->value_len > max || !isalnum((unsigned char)l->value[0]))
		return false;
	for (size_t i = 0; i < l->value_len; i++)
		if (!isalnum((unsigned char)l->value[i]) &&
		    (!l->value[i] || !strchr(more, l->value[i])))
			return false;
	return true;
}

/* A list of relations: printable, and no group of it beyond all measure. */
static bool are_relations(const char *s, size_t len)
{
	unsigned int alternatives = 0;

	if (len > MAX_RELATIONS)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
		alternatives = s[i] == ',' ? 0 : alternatives + (s[i] == '|');
		if (alternatives > MAX_ALTERNATIVES)
			return false;
	}
	return true;
}

/* Appends the stanza; false, and nothing is appended, if it makes no sense. */
static bool write_stanza(const struct taken *t, struct strbuf *out)
{
	size_t before = out->len;
	bool good = is_word(taken(t, PACKAGE), "+-._", MAX_NAME) &&
		    is_word(taken(t, VERSION), ".+-~:", MAX_VERSION) &&
		    is_word(taken(t, ARCHITECTURE), "-", MAX_ARCH);

	for (size_t i = 0; i < t->n && good; i++) {
		size_t at;

		sb_adds(out, names[t->v[i].field]);
		sb_adds(out, ": ");
		at = out->len;
		if (t->v[i].field > ARCHITECTURE) {
			cleanup_strbuf struct strbuf value = STRBUF_INIT;

			deb822_unfold(&t->v[i].line, &value);
			good = are_relations(sb_str(&value), value.len);
			sb_add(out, sb_str(&value), good ? value.len : 0);
		} else {
			sb_add(out, t->v[i].line.value, t->v[i].line.value_len);
		}
		/* libsolv knows no field without a value */
		if (out->len == at)
			out->len = at - strlen(names[t->v[i].field]) - 2;
		else
			sb_addc(out, '\n');
	}
	if (good)
		sb_addc(out, '\n');
	else
		out->len = before;
	return good;
}

/* The value of a relation, unfolded, if it makes sense. */
static bool relations(const struct taken *t, enum field field, struct strbuf *value)
{
	const struct deb822_line *l = taken(t, field);

	sb_reset(value);
	if (l)
		deb822_unfold(l, value);
	return are_relations(sb_str(value), value->len);
}

/* Appends "FIELD: " and returns where its value begins; end_field() takes back an empty one. */
static size_t begin_field(enum field field, struct strbuf *out)
{
	sb_addf(out, "%s: ", names[field]);
	return out->len;
}

static void end_field(enum field field, size_t at, struct strbuf *out)
{
	if (out->len == at)
		out->len = at - strlen(names[field]) - 2;
	else
		sb_addc(out, '\n');
}

/* The same for a pool of several architectures: see foreign.c. */
static bool write_foreign(const struct solve *s, const struct taken *t, struct solve_stanza *st,
			  struct strbuf *out)
{
	static const enum field depends[] = { PRE_DEPENDS, DEPENDS, RECOMMENDS, SUGGESTS };
	static const enum field conflicts[] = { CONFLICTS, BREAKS, REPLACES };
	const struct deb822_line *name = taken(t, PACKAGE), *version = taken(t, VERSION);
	const struct deb822_line *arch = taken(t, ARCHITECTURE);
	cleanup_strbuf struct strbuf value = STRBUF_INIT;
	size_t before = out->len, at;
	bool good = is_word(name, "+-._", MAX_NAME) && is_word(version, ".+-~:", MAX_VERSION) &&
		    is_word(arch, "-", MAX_ARCH);

	if (!good)
		return false;
	st->ver.foreign = (uint8_t)solve_foreign_number(s, arch->value, arch->value_len);
	sb_addf(out, "Package: %.*s", (int)name->value_len, name->value);
	if (st->ver.foreign)
		sb_addf(out, "@%s", s->foreign[st->ver.foreign - 1]);
	sb_addf(out, "\nVersion: %.*s\n", (int)version->value_len, version->value);
	if (st->ver.foreign)
		sb_addf(out, "Architecture: %s\n", s->arch);
	else
		sb_addf(out, "Architecture: %.*s\n", (int)arch->value_len, arch->value);
	for (size_t i = 0; i < ARRAY_SIZE(depends) && good; i++) {
		at = begin_field(depends[i], out);
		good = relations(t, depends[i], &value);
		if (good)
			solve_foreign_depends(s, st->ver.foreign, sb_str(&value), value.len, out);
		end_field(depends[i], at, out);
	}
	for (size_t i = 0; i < ARRAY_SIZE(conflicts) && good; i++) {
		at = begin_field(conflicts[i], out);
		if (conflicts[i] == CONFLICTS)
			solve_foreign_others(s, st, name->value, name->value_len, version->value,
					     version->value_len, out);
		good = relations(t, conflicts[i], &value);
		if (good && value.len && out->len > at)
			sb_adds(out, ", ");
		if (good)
			solve_foreign_conflicts(s, sb_str(&value), value.len, out);
		end_field(conflicts[i], at, out);
	}
	at = begin_field(PROVIDES, out);
	good = good && relations(t, PROVIDES, &value);
	if (good)
		solve_foreign_provides(s, st, name->value, name->value_len, version->value,
				       version->value_len, sb_str(&value), value.len, out);
	end_field(PROVIDES, at, out);
	if (good)
		sb_addc(out, '\n');
	else
		out->len = before;
	return good;
}

static void skip(struct solve_index *ix, const struct taken *t)
{
	const struct deb822_line *name = taken(t, PACKAGE);

	if (!ix->skipped++ && is_word(name, "+-._", MAX_NAME))
		ix->first_skipped = xstrndup(name->value, name->value_len);
}

bool solve_next_stanza(const struct solve *s, struct solve_index *ix, const char **p, const char *end,
		       struct strbuf *clean, struct solve_stanza *found)
{
	while (*p < end) {
		struct taken t = { .n = 0 };
		struct deb822_line l;
		const char *start;

		while (*p < end && (**p == '\n' || **p == '\r'))
			++*p;
		start = *p;
		*found = (struct solve_stanza){ .start = start,
						.ver = { .priority = SOLVE_EXTRA } };
		while (deb822_line(p, end, &l))
			take_line(&t, found, &l);
		if (*p == start)
			break;
		if (s->nforeign ? write_foreign(s, &t, found, clean) : write_stanza(&t, clean))
			return true;
		skip(ix, &t);
	}
	return false;
}
