// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that a configuration needs and that are not there: see needs.h. */
#include "kernel-config/needs.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

struct needs {
	const char *top;
	const struct exclude *exclude;
	struct config got;
	struct strbuf missing;
	struct strv named;	/* symbols that are in it */
};

static bool is_on(const struct needs *needs, const char *name)
{
	for (size_t i = 0; i < needs->got.n; i++)
		if (str_eq(needs->got.v[i].name, name))
			return str_eq(needs->got.v[i].value, "y");
	return false;
}

/* Joins lines that end in a backslash. */
static void join_lines(char *text)
{
	for (char *p = text; (p = strstr(p, "\\\n")) != NULL;)
		p[0] = p[1] = ' ';
}

/* Whether @text, a makefile, makes @object of others: "object-y += a.o". */
static bool is_made_of_others(const char *text, const char *object)
{
	static const char *const kinds[] = { "-y ", "-y\t", "-y:", "-y+", "-objs", "-$(" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		cleanup_free char *start = xasprintf("\n%s%s", object, kinds[i]);

		if (strstr(text, start))
			return true;
	}
	return false;
}

static void look_at_object(struct needs *needs, const char *dir, const char *text,
			   const char *symbol, const char *word)
{
	size_t len = strlen(word);
	cleanup_free char *object = NULL, *file = NULL;

	if (len < 3 || !str_ends(word, ".o") || strchr(word, '$'))
		return;
	object = xstrndup(word, len - 2);
	file = xasprintf("%s/%s.c", dir, object);
	/* of a folder that is left out, all that an object is made of is */
	if (!exclude_match(needs->exclude, file) || strv_has(&needs->named, symbol))
		return;
	strv_add(&needs->named, symbol);
	sb_addf(&needs->missing, "%s%s needs %s%s", needs->named.n > 1 ? ", " : "", symbol,
		is_made_of_others(text, object) ? "what is in " : "",
		is_made_of_others(text, object) ? dir : file);
}

/*
 * The words of a line "obj-$(CONFIG_X) += a.o b/" whose symbol is on, which goes into *@symbol
 * ("y" of "obj-y"); NULL for any other line.  Cuts @line up.
 */
static char *words_of(const struct needs *needs, char *line, const char **symbol)
{
	char *p;

	if (str_starts(line, "obj-$(")) {
		*symbol = line + strlen("obj-$(");
		p = strchr(*symbol, ')');
		if (!p)
			return NULL;
		*p++ = '\0';
		if (!is_on(needs, *symbol))
			return NULL;
	} else if (str_starts(line, "obj-y")) {
		p = line + strlen("obj-y");
		*symbol = "y";
	} else {
		return NULL;
	}
	p += strspn(p, " \t");
	p += *p == '+' || *p == ':';
	if (*p++ != '=')
		return NULL;
	p[strcspn(p, "#")] = '\0';
	return p;
}

/* The makefile of @dir, with its lines joined; empty if there is none. */
static void read_makefile(const struct needs *needs, const char *dir, struct strbuf *text)
{
	static const char *const names[] = { "Kbuild", "Makefile" };

	for (size_t i = 0; i < ARRAY_SIZE(names) && !text->len; i++) {
		cleanup_free char *path = xasprintf("%s/%s/%s", needs->top, dir, names[i]);

		(void)file_read(AT_FDCWD, path, 1 << 20, text, NULL);
	}
	if (text->len)
		join_lines(text->s);
}

/* Whether the makefile of @parent leads to the folder @below it. */
static bool leads_to(const struct needs *needs, const char *parent, const char *below)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_free char *wanted = xasprintf("%s/", below);
	const char *symbol;

	read_makefile(needs, parent, &text);
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		char *save = NULL, *words = words_of(needs, lines.v[i], &symbol);

		for (char *w = words ? strtok_r(words, " \t", &save) : NULL; w;
		     w = strtok_r(NULL, " \t", &save))
			if (str_eq(w, wanted))
				return true;
	}
	return false;
}

/* Whether kbuild enters @dir, from a folder at the top on. */
static bool is_entered(const struct needs *needs, const char *dir)
{
	cleanup_free char *parent = xstrdup(dir);

	if (!strchr(dir, '/'))
		return true;
	for (char *slash; (slash = strrchr(parent, '/')) != NULL;) {
		*slash = '\0';
		if (leads_to(needs, parent, dir + (slash - parent) + 1))
			return is_entered(needs, parent);
	}
	return false;
}

/*
 * Follows the conditionals of a makefile: @off counts those that are open since the first
 * whose lines do not count, 0 where they do.  Of "ifdef CONFIG_X" that is known; whatever
 * else is asked, nothing is said about what depends on it.  True if @line is one of them.
 */
static bool is_conditional(const struct needs *needs, const char *line, unsigned int *off)
{
	line += strspn(line, " \t");
	if (str_starts(line, "endif")) {
		*off -= *off ? 1 : 0;
		return true;
	}
	if (str_starts(line, "else")) {
		*off = *off > 1 ? *off : 1;
		return true;
	}
	if (!str_starts(line, "if"))
		return false;

	const char *name = line + strcspn(line, " \t");
	cleanup_free char *symbol = NULL;

	name += strspn(name, " \t");
	symbol = xstrndup(name, strcspn(name, " \t#"));
	if (*off || !str_starts(line, "ifdef ") || !is_on(needs, symbol))
		++*off;
	return true;
}

static void look_at_makefile(struct needs *needs, const char *dir)
{
	unsigned int off = 0;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	const char *symbol;

	read_makefile(needs, dir, &text);
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		if (is_conditional(needs, lines.v[i], &off) || off)
			continue;

		char *save = NULL, *words = words_of(needs, lines.v[i], &symbol);

		if (!words || str_eq(symbol, "y"))
			continue;
		for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
			look_at_object(needs, dir, sb_str(&text), symbol, w);
	}
}

/* Only folders whose files are left out are of interest, and few of these are configured. */
static bool is_left_out(const struct needs *needs, const char *dir)
{
	cleanup_free char *file = path_join(dir, "any.c");

	return exclude_match(needs->exclude, file);
}

int needs_check(const char *path, const struct exclude *x, const char *dotconfig, struct error *e)
{
	struct needs needs = { .top = path, .exclude = x, .got = CONFIG_INIT, .missing = STRBUF_INIT,
			       .named = STRV_INIT };
	cleanup_free char *top = xstrdup(path);
	char *const tops[] = { top, NULL };
	FTS *fts = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	int ret = config_parse(&needs.got, dotconfig, ".config", NULL, e);

	if (!fts && ret == 0)
		ret = err_sys(e, errno, "cannot read '%s'", path);
	for (FTSENT *f; ret == 0 && (f = fts_read(fts)) != NULL;) {
		if (f->fts_info != FTS_F || f->fts_level < 2 ||
		    (!str_eq(f->fts_name, "Makefile") && !str_eq(f->fts_name, "Kbuild")))
			continue;

		const char *below = f->fts_path + strlen(top) + 1;
		cleanup_free char *dir = xstrndup(below, strlen(below) - f->fts_namelen - 1);

		if (is_left_out(&needs, dir) && is_entered(&needs, dir))
			look_at_makefile(&needs, dir);
	}
	if (fts)
		fts_close(fts);
	if (ret == 0 && needs.named.n)
		ret = err_set(e, EINVAL, "the kernel cannot have %s: %s, which is not unpacked of a Linux "
			      "source, since a cage has no such hardware",
			      needs.named.n == 1 ? "that" : "those", sb_str(&needs.missing));
	config_release(&needs.got);
	sb_release(&needs.missing);
	strv_release(&needs.named);
	return ret;
}
