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

static void take_ours(struct solve_ver *v, const struct deb822_line *l)
{
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
		if (deb822_line_is(l, "Multi-Arch"))
			v->ma_same = value_is(l, "same");
		break;
	}
}

/* Most lines of an index are none of these: told by their first letter. */
static void take_line(struct taken *t, struct solve_ver *v, const struct deb822_line *l)
{
	char c = (char)(l->name[0] | 0x20);

	if (!c || !strchr("pvadcbrsemi", c))
		return;
	for (enum field f = 0; f < NFIELDS; f++)
		if ((names[f][0] | 0x20) == c && deb822_line_is(l, names[f])) {
			take(t, f, l);
			return;
		}
	take_ours(v, l);
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

static void skip(struct solve_index *ix, const struct taken *t)
{
	const struct deb822_line *name = taken(t, PACKAGE);

	if (!ix->skipped++ && is_word(name, "+-._", MAX_NAME))
		ix->first_skipped = xstrndup(name->value, name->value_len);
}

bool solve_next_stanza(struct solve_index *ix, const char **p, const char *end,
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
			take_line(&t, &found->ver, &l);
		if (*p == start)
			break;
		if (write_stanza(&t, clean))
			return true;
		skip(ix, &t);
	}
	return false;
}
