// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The MIRROR operands: as mmdebstrap reads them, into the files below etc/apt that
 * the new root gets and that the indexes are fetched by.
 *
 *	none			UMLCAGE_MIRROR, or the host's own mirror; -updates and -security
 *				of stable releases with it
 *	scheme://...		deb [signed-by] MIRROR SUITE COMPONENTS
 *	"deb ..."		itself
 *	a file			its text, one-line or deb822
 *	-			standard input, likewise
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debian/debian.h"
#include "rootfs/options/options.h"
#include "umlcage/base/fd.h"

#define MAX_SOURCES (1 << 20)

struct entry {
	char *content;
	char *fname;	/* basename of the file it came from; NULL: none */
	bool deb822;
};

struct entries {
	struct entry *v;
	size_t n;
};

static void entries_release(struct entries *es)
{
	for (size_t i = 0; i < es->n; i++) {
		free(es->v[i].content);
		free(es->v[i].fname);
	}
	free(es->v);
}

/* Appends to the last entry where it is of the same kind and has no name, as mmdebstrap does. */
static void add_entry(struct entries *es, const char *content, const char *fname, bool deb822)
{
	struct entry *last = es->n ? &es->v[es->n - 1] : NULL;

	if (last && !fname && !last->fname && last->deb822 == deb822) {
		char *joined = xasprintf("%s%s%s", last->content, deb822 ? "\n\n" : "\n", content);

		free(last->content);
		last->content = joined;
		return;
	}
	es->v = xreallocarray(es->v, es->n + 1, sizeof(*es->v));
	es->v[es->n++] = (struct entry){ xstrdup(content), fname ? xstrdup(fname) : NULL, deb822 };
}

/* 1: deb822, 0: one-line, -1: neither. */
static int guess_format(const char *text)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		size_t len;

		if (str_starts(p, "deb ") || str_starts(p, "deb-src "))
			return 0;
		len = strcspn(p, "#: \t\r\n");
		if (len && p[len] == ':')
			return 1;
	}
	return -1;
}

static int add_text(struct entries *es, const char *text, const char *fname, const char *name,
		    struct error *e)
{
	int format = guess_format(text);

	if (fname && str_ends(fname, ".list"))
		format = 0;
	else if (fname && str_ends(fname, ".sources"))
		format = 1;
	if (format < 0)
		return err_usage(e, "%s holds neither sources.list lines nor deb822 sources", name);
	add_entry(es, text, fname, format);
	return 0;
}

static int add_stdin(struct entries *es, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int r = fd_read_all(STDIN_FILENO, MAX_SOURCES, &text);

	if (r < 0)
		return err_sys(e, -r, "cannot read sources from standard input");
	if (!sb_str(&text)[strspn(sb_str(&text), " \t\r\n")])
		return 0;
	return add_text(es, sb_str(&text), NULL, "standard input", e);
}

/*
 * mmdebstrap adds [signed-by=FILE] where the host's apt does not trust the archive's key.
 * Here the host need not have apt: the line stays plain, as on a Debian host.
 */
static void add_uri(struct entries *es, const struct fab_options *o, const char *uri,
		    const char *suite)
{
	cleanup_free char *components = strv_join(&o->components, " ");
	cleanup_free char *line = str_ends(suite, "/") ?
		xasprintf("deb %s %s\n", uri, suite) :
		xasprintf("deb %s %s %s\n", uri, suite, components);

	add_entry(es, line, NULL, false);
}

static int add_operand(struct entries *es, const struct fab_options *o, const char *m,
		       struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	const char *base;
	struct stat st;
	int r;

	if (strcmp(m, "-") == 0)
		return add_stdin(es, e);
	if (str_starts(m, "deb ") || str_starts(m, "deb-src ")) {
		cleanup_free char *line = xasprintf("%s\n", m);

		add_entry(es, line, NULL, false);
		return 0;
	}
	if (strstr(m, "://")) {
		add_uri(es, o, m, o->suite);
		return 0;
	}
	if (!*m)
		return 0;
	if (stat(m, &st) < 0)
		return err_usage(e, "mirror '%s' is not an address, a sources.list line or a file",
				 m);
	if (S_ISDIR(st.st_mode)) {
		cleanup_free char *real = realpath(m, NULL);
		cleanup_free char *uri = real ? xasprintf("file://%s", real) : xstrdup(m);

		add_uri(es, o, uri, o->suite);
		return 0;
	}
	r = file_read(AT_FDCWD, m, MAX_SOURCES, &text, e);
	if (r)
		return err_wrap(e, "cannot read mirror file '%s'", m);
	base = strrchr(m, '/');
	return add_text(es, sb_str(&text), base ? base + 1 : m, m, e);
}

static bool has_updates(const char *suite)
{
	/* rolling suites and what is a pocket already have none; a Debian release has */
	static const char *const none[] = { "sid", "unstable", "testing", "experimental",
					    "rc-buggy" };

	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (strcmp(suite, none[i]) == 0)
			return false;
	return !strchr(suite, '-') && !strchr(suite, '/');
}

/* No operand: the mirror of the environment or the host, with updates and security. */
static int add_default(struct entries *es, const struct fab_options *o,
		       struct progress *progress, struct error *e)
{
	cleanup_free char *mirror = NULL, *security = NULL, *suite = NULL;
	cleanup_error struct error none = ERROR_INIT;
	int r = debian_mirror_find(NULL, &mirror, progress, e);

	if (r)
		return r;
	add_uri(es, o, mirror, o->suite);
	if (!has_updates(o->suite))
		return 0;
	suite = xasprintf("%s-updates", o->suite);
	/* a mirror of one's own need not carry them: only the host's is known to */
	if (getenv("UMLCAGE_MIRROR"))
		return 0;
	add_uri(es, o, mirror, suite);
	if (debian_mirror_security(&security, &none) == 0) {
		free(suite);
		suite = xasprintf("%s-security", o->suite);
		/* mmdebstrap has them as one text, without blank lines between */
		add_uri(es, o, security, suite);
	}
	return 0;
}

/* mmdebstrap's name for entry @i. */
static char *file_name(const struct entry *en, size_t i)
{
	const char *ending = en->deb822 ? ".sources" : ".list";

	if (i == 0 && !en->deb822 && !en->fname)
		return xstrdup("etc/apt/sources.list");
	if (!en->fname)
		return xasprintf("etc/apt/sources.list.d/%04zumain%s", i, ending);
	if (strstr(en->fname, ".list") || strstr(en->fname, ".sources"))
		ending = "";
	return xasprintf("etc/apt/sources.list.d/%04zu%s%s", i, en->fname, ending);
}

static void drop_blank_lines(char *text)
{
	char *to = text;

	for (char *p = text; *p; p++)
		if (*p != '\n' || (p > text && p[-1] != '\n'))
			*to++ = *p;
	*to = '\0';
}

static void take_entries(struct fab_options *o, struct entries *es, bool automatic)
{
	o->sources = xcalloc(es->n + 1, sizeof(*o->sources));
	for (size_t i = 0; i < es->n; i++) {
		o->sources[i].path = file_name(&es->v[i], i);
		o->sources[i].content = steal_ptr(&es->v[i].content);
		o->sources[i].deb822 = es->v[i].deb822;
		if (automatic)
			drop_blank_lines(o->sources[i].content);
	}
	o->nsources = es->n;
}

int fab_resolve_sources(struct fab_options *o, struct progress *progress, struct error *e)
{
	struct entries es = { NULL, 0 };
	bool automatic = o->suite && *o->suite && !o->mirrors.n;
	int r = 0;

	if (!o->suite)
		r = add_stdin(&es, e);
	else if (automatic)
		r = add_default(&es, o, progress, e);
	for (size_t i = 0; i < o->mirrors.n && !r; i++)
		r = add_operand(&es, o, o->mirrors.v[i], e);
	/* an empty SUITE may do without, and a setup hook may make them */
	if (!r && !es.n && !(o->suite && !*o->suite) && !o->hooks[FAB_HOOK_SETUP].n)
		r = err_usage(e, "there is no mirror");
	if (!r)
		take_entries(o, &es, automatic);
	entries_release(&es);
	return r;
}
