// SPDX-License-Identifier: GPL-2.0-or-later
/* Option tables over getopt_long: see opts.h. */
#include "umlcage/base/opts.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#include "umlcage/base/ini.h"

enum { LONG_BASE = 256, HELP_COLUMN = 30, HELP_WIDTH = 100, HELP_LEAST = 60 };

static bool is_end(const struct opt *o)
{
	return o->kind == OPT_HEADING && !o->help;
}

/* An option and where its value is: in a struct of its own, else at an offset in the command's. */
struct place {
	const struct opt *opt;
	void *base;
	size_t at;
};

struct places {
	struct place *v;
	size_t n;
};

static void places_collect(struct places *p, const struct opt_spec *spec)
{
	*p = (struct places){ NULL, 0 };
	for (const struct opt_group *g = spec->groups; g && g->opts; g++)
		for (const struct opt *o = g->opts; !is_end(o); o++) {
			if (o->kind == OPT_HEADING)
				continue;
			p->v = xreallocarray(p->v, p->n + 1, sizeof(*p->v));
			p->v[p->n++] = (struct place){ o, g->base, g->at + o->at };
		}
}

static void *place_value(const struct place *p, void *values)
{
	void *base = p->base ? p->base : values;

	return base ? (char *)base + p->at : NULL;
}

static int bad_value(const struct opt *o, const char *given, const char *arg, struct error *e)
{
	switch (o->kind) {
	case OPT_UINT:
		return err_usage(e, "%s: '%s' is not a number from 0 to %u", given, arg, UINT_MAX);
	case OPT_SIZE:
		return err_usage(e, "%s: '%s' is not a size; give bytes or a number with K, M, G "
				 "or T", given, arg);
	default:
		return err_usage(e, "%s: '%s' is not a time; give seconds or a number with ms, s, "
				 "m, h or d", given, arg);
	}
}

static int call(const struct opt *o, const char *given, const char *arg, void *value,
		struct error *e)
{
	int ret = o->call(o, arg, value, e);

	if (ret < 0 && e) {
		enum error_kind kind = e->kind;

		ret = err_wrap(e, "%s", given);
		e->kind = kind;
	}
	return ret;
}

static int apply(const struct opt *o, void *value, const char *given, const char *arg,
		 struct error *e)
{
	uint64_t number;

	switch (o->kind) {
	case OPT_HEADING:
		break;
	case OPT_FLAG:
		*(bool *)value = true;
		break;
	case OPT_UNFLAG:
		*(bool *)value = false;
		break;
	case OPT_COUNT:
		++*(int *)value;
		break;
	case OPT_STRING:
		*(const char **)value = arg;
		break;
	case OPT_LIST:
		strv_add(value, arg);
		break;
	case OPT_PASS:
		strv_addf(value, arg ? "--%s=%s" : "--%s", o->name, arg);
		break;
	case OPT_UINT:
		if (parse_u64(arg, 10, UINT_MAX, &number) < 0)
			return bad_value(o, given, arg, e);
		*(unsigned int *)value = (unsigned int)number;
		break;
	case OPT_SIZE:
		return parse_size(arg, value) < 0 ? bad_value(o, given, arg, e) : 0;
	case OPT_DURATION:
		return parse_duration(arg, value) < 0 ? bad_value(o, given, arg, e) : 0;
	case OPT_CALL:
		return call(o, given, arg, value, e);
	case OPT_FOREIGN:
		return err_usage(e, "%s: %s", given, o->help);
	}
	return 0;
}

/* What may be suggested: the long names, without those of other tools. */
static void own_names(const struct places *all, struct strv *names)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].opt->name && all->v[i].opt->kind != OPT_FOREIGN)
			strv_add(names, all->v[i].opt->name);
}

static int unknown(const struct places *all, char **argv, int arg_error, struct error *e)
{
	const char *given = argv[optind - 1], *near = NULL;
	char letter[3] = { '-', (char)optopt, '\0' };
	cleanup_strv struct strv names = STRV_INIT;

	if (optopt && optopt < LONG_BASE)
		given = letter;
	if (arg_error == ':')
		return err_usage(e, "option '%s' needs an argument; see '%s --help'", given, argv[0]);
	own_names(all, &names);
	if (str_starts(given, "--")) {
		cleanup_free char *word = xstrndup(given + 2, strcspn(given + 2, "="));

		/* known, so it is its argument that was not wanted */
		if (strv_has(&names, word))
			return err_usage(e, "option '--%s' takes no argument; see '%s --help'", word,
					 argv[0]);
		near = str_closest(word, (const char *const *)strv_argv(&names));
	}
	return near ? err_usage(e, "unknown option '%s'; did you mean '--%s'? See '%s --help'",
				given, near, argv[0]) :
		      err_usage(e, "unknown option '%s'; see '%s --help'", given, argv[0]);
}

/* What getopt_long() wants to know. */
static struct option *describe(const struct opt_spec *spec, const struct places *all,
			       struct strbuf *letters)
{
	struct option *longs = xcalloc(all->n + 2, sizeof(*longs));
	size_t n = 0;

	sb_adds(letters, spec->stop_at_operand ? "+:h" : ":h");
	for (size_t i = 0; i < all->n; i++) {
		const struct opt *o = all->v[i].opt;
		int has_arg = !o->arg ? no_argument :
			      o->optional_arg ? optional_argument : required_argument;

		if (o->name)
			longs[n++] = (struct option){ o->name, has_arg, NULL, LONG_BASE + (int)i };
		if (o->letter)
			sb_addf(letters, "%c%s", o->letter,
				!o->arg ? "" : o->optional_arg ? "::" : ":");
	}
	longs[n] = (struct option){ "help", no_argument, NULL, 'h' };
	return longs;
}

static const struct place *found(const struct places *all, int c)
{
	if (c >= LONG_BASE)
		return &all->v[c - LONG_BASE];
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].opt->letter == c)
			return &all->v[i];
	return NULL;
}

int opts_parse(const struct opt_spec *spec, void *values, int *argc, char ***argv,
	       struct error *e)
{
	struct places all;
	cleanup_strbuf struct strbuf letters = STRBUF_INIT;
	int ret = 0;

	places_collect(&all, spec);

	cleanup_free struct place *all_v = all.v;
	cleanup_free struct option *longs = describe(spec, &all, &letters);

	(void)all_v;
	optind = 0;
	opterr = 0;
	for (int c; ret == 0 && (c = getopt_long(*argc, *argv, sb_str(&letters), longs, NULL)) != -1;) {
		const struct place *p;

		if (c == '?' || c == ':')
			return unknown(&all, *argv, c, e);
		p = found(&all, c);
		if (!p)
			return 1;

		cleanup_free char *given = c >= LONG_BASE ? xasprintf("--%s", p->opt->name) :
							    xasprintf("-%c", p->opt->letter);

		void *value = place_value(p, values);

		if (value)
			ret = apply(p->opt, value, given, optarg, e);
		if (ret == 0 && value && spec->seen)
			spec->seen(p->opt, optarg, spec->seen_arg);
	}
	if (ret < 0)
		return ret;
	*argc -= optind;
	*argv += optind;
	return 0;
}

/* ---- one by its name ---- */

static bool find(const struct opt_spec *spec, const char *name, struct place *out)
{
	struct places all;
	bool known = false;

	places_collect(&all, spec);
	for (size_t i = 0; i < all.n && !known; i++) {
		known = str_eq(all.v[i].opt->name, name);
		*out = all.v[i];
	}
	free_ptr(&all.v);
	return known;
}

const struct opt *opts_find(const struct opt_spec *spec, const char *name)
{
	struct place p;

	return find(spec, name, &p) ? p.opt : NULL;
}

const char *opts_nearest(const struct opt_spec *spec, const char *name)
{
	cleanup_strv struct strv names = STRV_INIT;
	struct places all;
	const char *near;

	places_collect(&all, spec);
	own_names(&all, &names);
	near = str_closest(name, (const char *const *)strv_argv(&names));
	/* the string of the table, not of the list that ends here */
	for (size_t i = 0; near && i < all.n; i++)
		if (str_eq(all.v[i].opt->name, near)) {
			near = all.v[i].opt->name;
			break;
		}
	free_ptr(&all.v);
	return near;
}

/* An option that needs no argument: given, or not. */
static int set_given(const struct opt *o, void *value, bool given, struct error *e)
{
	if (given)
		return apply(o, value, o->name, NULL, e);
	if (o->kind == OPT_FLAG || o->kind == OPT_UNFLAG)
		*(bool *)value = o->kind == OPT_UNFLAG;
	else if (o->kind == OPT_COUNT)
		*(int *)value = 0;
	return 0;
}

int opts_set(const struct opt_spec *spec, void *values, const char *name, const char *value,
	     struct error *e)
{
	uint64_t count;
	struct place p;
	bool given;
	void *at;

	if (!find(spec, name, &p))
		return -ENOENT;
	at = place_value(&p, values);
	if (p.opt->arg && !p.opt->optional_arg)
		return apply(p.opt, at, name, value, e);
	if (p.opt->kind == OPT_COUNT && parse_u64(value, 10, INT_MAX, &count) == 0) {
		*(int *)at = (int)count;
		return 0;
	}
	if (ini_bool(value, &given) == 0)
		return set_given(p.opt, at, given, e);
	if (p.opt->arg)
		return apply(p.opt, at, name, value, e);
	return err_usage(e, "%s: '%s' is neither yes nor no", name, value);
}

void opts_each(const struct opt_spec *spec, void (*fn)(const struct opt *o, void *arg), void *arg)
{
	for (const struct opt_group *g = spec->groups; g && g->opts; g++) {
		const struct opt title = { .kind = OPT_HEADING, .help = g->title };

		if (g->title)
			fn(&title, arg);
		for (const struct opt *o = g->opts; !is_end(o); o++)
			if (o->help && o->kind != OPT_FOREIGN)
				fn(o, arg);
	}
}

/* ---- help ---- */

char *opt_text(const struct opt *o)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct strbuf text = STRBUF_INIT;

	sb_adds(&text, o->help);
	if (o->words)
		o->words(&words);
	for (size_t i = 0; i < words.n; i++)
		sb_addf(&text, " %s%s", words.v[i], i + 1 < words.n ? "," : "");
	return sb_steal(&text);
}

struct help {
	FILE *out;
	size_t width;	/* of a line */
	bool begun;
};

/* As a terminal has it, if it is a narrow one. */
static size_t help_width(FILE *out)
{
	struct winsize ws;

	if (ioctl(fileno(out), TIOCGWINSZ, &ws) < 0 || ws.ws_col < HELP_LEAST || ws.ws_col > HELP_WIDTH)
		return HELP_WIDTH;
	return ws.ws_col;
}

/* Prints @text up to its @end from @column on, where further lines begin, too; and ends the line. */
static void wrap(const struct help *h, const char *text, const char *end, size_t column)
{
	size_t room = h->width > column ? h->width - column : 1;

	while ((size_t)(end - text) > room) {
		const char *cut = text + room;

		while (cut > text && *cut != ' ')
			cut--;
		if (cut == text)
			cut += strcspn(text, " \n");
		if (cut >= end)
			break;
		fprintf(h->out, "%.*s\n%*s", (int)(cut - text), text, (int)column, "");
		text = cut + 1;
	}
	fprintf(h->out, "%.*s\n", (int)(end - text), text);
}

/* Text whose lines are what they are, but for those that are too long. */
static void show_prose(const struct help *h, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n"), indent = strspn(text, " ");

		fprintf(h->out, "%*s", (int)indent, "");
		wrap(h, text + indent, text + len, indent);
		text += len + (text[len] == '\n');
	}
}

static void show(const struct opt *o, void *arg)
{
	cleanup_strbuf struct strbuf left = STRBUF_INIT;
	struct help *h = arg;

	if (o->kind == OPT_HEADING) {
		fprintf(h->out, "\n%s:\n", o->help);
		h->begun = true;
		return;
	}
	if (!h->begun)
		fputs("\noptions:\n", h->out);
	h->begun = true;
	sb_addf(&left, "  %c%c%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		o->letter && o->name ? ", " : "  ");
	if (o->name)
		sb_addf(&left, "--%s", o->name);
	if (o->arg)
		sb_addf(&left, o->optional_arg ? "[=%s]" : o->name ? "=%s" : "%s", o->arg);
	fputs(sb_str(&left), h->out);

	cleanup_free char *text = opt_text(o);

	if (left.len >= HELP_COLUMN - 1)
		fprintf(h->out, "\n%*s", HELP_COLUMN, "");
	else
		fprintf(h->out, "%*s", HELP_COLUMN - (int)left.len, "");
	wrap(h, text, text + strlen(text), HELP_COLUMN);
}

void opts_help(const struct opt_spec *spec, FILE *out)
{
	struct help h = { out, help_width(out), false };

	fprintf(out, "usage: %s\n\n", spec->usage);
	show_prose(&h, spec->summary);
	opts_each(spec, show, &h);
	if (!spec->epilogue)
		return;
	fputc('\n', out);
	show_prose(&h, spec->epilogue);
}
