// SPDX-License-Identifier: GPL-2.0-or-later
/* Files of settings: see ini.h. */
#include "umlcage/base/ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

#define BLANKS " \t\r\v\f"

struct reader {
	struct ini *ini;
	const char *section;
	char *value, *end;	/* the last value in the text, and where a further line goes; NULL: none */
	unsigned int line;
};

static struct ini_entry *add(struct reader *r, const char *key, const char *value)
{
	struct ini *ini = r->ini;

	ini->v = xreallocarray(ini->v, ini->n + 1, sizeof(*ini->v));
	ini->v[ini->n] = (struct ini_entry){ r->section, key, value, r->line };
	return &ini->v[ini->n++];
}

static int bad(const struct reader *r, struct error *e, const char *text)
{
	const struct ini_entry here = { .line = r->line };

	return ini_error(r->ini, &here, e, "%s", text);
}

/* Without the blanks around it, in place. */
static char *trim(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	for (len = strlen(s); len && strchr(BLANKS, s[len - 1]); len--)
		;
	s[len] = '\0';
	return s;
}

static int take_section(struct reader *r, char *line, struct error *e)
{
	char *close = strchr(line, ']');

	if (!close || close[1])
		return bad(r, e, "a section is a line of its own, '[NAME]'");
	*close = '\0';
	r->section = trim(line + 1);
	if (!*r->section)
		return bad(r, e, "a section needs a name");
	r->end = NULL;
	add(r, NULL, NULL);
	return 0;
}

static int take_key(struct reader *r, char *line, struct error *e)
{
	char *equals = strchr(line, '='), *key, *value;
	struct ini_entry here = { .line = r->line };

	if (!equals)
		return ini_error(r->ini, &here, e, "'%s' has no value; write '%s = VALUE'", line, line);
	*equals = '\0';
	key = trim(line);
	value = trim(equals + 1);
	if (!*key)
		return bad(r, e, "there is no name before the '='");
	if (key[strcspn(key, BLANKS "[]")])
		return ini_error(r->ini, &here, e, "'%s' is not the name of a key", key);
	add(r, key, value);
	r->value = value;
	r->end = value + strlen(value);
	return 0;
}

/*
 * A further line of a value.  The lines before end in front of this one, so there is room to
 * move it up.
 */
static int continue_value(struct reader *r, char *line, struct error *e)
{
	size_t len = strlen(line);

	if (!r->end)
		return bad(r, e, "the line begins with a blank, but there is no value that it continues");
	if (r->end > r->value)
		*r->end++ = '\n';
	memmove(r->end, line, len + 1);
	r->end += len;
	return 0;
}

static int take_line(struct reader *r, char *line, struct error *e)
{
	bool indented = *line && strchr(BLANKS, *line);

	line = trim(line);
	if (!*line || *line == '#' || *line == ';') {
		/* a blank line ends a value, a comment does not */
		if (!*line)
			r->end = NULL;
		return 0;
	}
	if (indented)
		return continue_value(r, line, e);
	return *line == '[' ? take_section(r, line, e) : take_key(r, line, e);
}

int ini_parse(struct ini *ini, const char *name, const char *text, size_t len, struct error *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	struct reader r = { .ini = ini, .section = "" };
	char *next, *end;
	int ret = 0;

	*ini = (struct ini){ .name = xstrdup(name), .text = xstrndup(text, len) };
	if (strlen(ini->text) != len) {
		ret = err_usage(e, "'%s' is not a text file", name);
		ini_release(ini);
		return ret;
	}
	next = ini->text;
	if (str_starts(next, bom))
		next += strlen(bom);
	for (end = ini->text + len; ret == 0 && next < end;) {
		char *line = next;

		next += strcspn(next, "\n");
		*next++ = '\0';
		r.line++;
		ret = take_line(&r, line, e);
	}
	if (ret < 0)
		ini_release(ini);
	return ret;
}

int ini_read(struct ini *ini, int dirfd, const char *path, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret = file_read(dirfd, path, INI_MAX, &text, e);

	return ret < 0 ? ret : ini_parse(ini, path, sb_str(&text), text.len, e);
}

int ini_error(const struct ini *ini, const struct ini_entry *entry, struct error *e,
	      const char *fmt, ...)
{
	cleanup_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	return err_usage(e, "%s:%u: %s", ini->name, entry->line, text);
}

int ini_bool(const char *value, bool *out)
{
	static const char *const words[][2] = {
		{ "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (int yes = 0; yes < 2; yes++)
			if (strcmp(value, words[i][yes]) == 0) {
				*out = yes;
				return 0;
			}
	return -EINVAL;
}

void ini_release(struct ini *ini)
{
	free_ptr(&ini->name);
	free_ptr(&ini->text);
	free_ptr(&ini->v);
	ini->n = 0;
}
