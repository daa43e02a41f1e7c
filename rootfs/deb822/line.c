// SPDX-License-Identifier: GPL-2.0-or-later
/* Stanzas in place, without a copy: for indexes of 50 MB and more. */
#include "rootfs/deb822/deb822.h"

#include <string.h>
#include <strings.h>

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The end of the line at @p: its newline, or @end. */
static const char *line_end(const char *p, const char *end)
{
	const char *eol = memchr(p, '\n', (size_t)(end - p));

	return eol ? eol : end;
}

static bool stanza_ends(const char *p, const char *end)
{
	while (p < end && *p == '\r')
		p++;
	return p >= end || *p == '\n';
}

bool deb822_line(const char **p, const char *end, struct deb822_line *l)
{
	while (!stanza_ends(*p, end)) {
		const char *start = *p, *eol = line_end(start, end);
		const char *colon = memchr(start, ':', (size_t)(eol - start));

		/* the lines that belong to it, and comments among them */
		for (*p = eol + (eol < end); *p < end && (**p == ' ' || **p == '\t' || **p == '#');
		     *p = eol + (eol < end))
			eol = line_end(*p, end);
		if (!colon || colon == start || blank(*start) || *start == '#')
			continue;
		l->name = start;
		l->name_len = (size_t)(colon - start);
		for (colon++; colon < eol && blank(*colon); colon++)
			;
		while (eol > colon && (blank(eol[-1]) || eol[-1] == '\n'))
			eol--;
		l->value = colon;
		l->value_len = (size_t)(eol - colon);
		return true;
	}
	return false;
}

bool deb822_line_is(const struct deb822_line *l, const char *field)
{
	return l->name_len == strlen(field) && strncasecmp(l->name, field, l->name_len) == 0;
}

void deb822_unfold(const struct deb822_line *l, struct strbuf *out)
{
	const char *p = l->value, *end = l->value + l->value_len;

	while (p < end) {
		const char *eol = line_end(p, end), *last = eol;

		if (*p != '#') {
			while (p < eol && blank(*p))
				p++;
			while (last > p && blank(last[-1]))
				last--;
			if (out->len && last > p)
				sb_addc(out, ' ');
			sb_add(out, p, (size_t)(last - p));
		}
		p = eol + (eol < end);
	}
}

bool deb822_find(const char *stanza, const char *end, const char *field, struct strbuf *out)
{
	struct deb822_line l;
	bool found = false;

	sb_reset(out);
	while (deb822_line(&stanza, end, &l)) {
		if (!deb822_line_is(&l, field))
			continue;
		sb_reset(out);
		deb822_unfold(&l, out);
		found = true;
	}
	return found;
}
