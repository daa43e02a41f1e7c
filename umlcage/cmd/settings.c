// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage.conf: see settings.h. */
#include "umlcage/cmd/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/xdg.h"

const struct opt settings_opts[] = {
	{ OPT_STRING, 0, "config", "FILE", OPT_STR(struct settings_options, file),
	  "take settings from FILE instead of ~/.config/umlcage/" SETTINGS_FILE " "
	  "('umlcage help " SETTINGS_FILE "' explains it)" },
	{ OPT_FLAG, 0, "no-config", NULL, OPT_BOOL(struct settings_options, none),
	  "take no settings from any file" },
	{ OPT_FLAG, 0, "print-config", NULL, OPT_BOOL(struct settings_options, print),
	  "print what is in force and where it comes from, and stop" },
	OPT_END,
};

/* Those that are about the file are not for it. */
static bool is_about_files(const struct opt *opt)
{
	return opt >= settings_opts && opt < settings_opts + ARRAY_SIZE(settings_opts);
}

static const struct opt *find_option(const struct opt_spec *spec, const char *key)
{
	const struct opt *opt = opts_find(spec, key);

	return opt && !is_about_files(opt) ? opt : NULL;
}

/* ---- the file ---- */

/* The values of options point into files: these stay. */
static struct kept {
	struct ini ini;
	struct kept *next;
} *kept;

/* The path of the file to read; NULL: none.  *@must: it has been named. */
static char *choose(const struct settings_options *o, bool *must)
{
	const char *variable = getenv(SETTINGS_VARIABLE);

	*must = o->file != NULL;
	if (o->none) {
		(void)setenv(SETTINGS_VARIABLE, "", 1);
		return NULL;
	}
	if (o->file) {
		cleanup_free char *full = realpath(o->file, NULL);

		(void)setenv(SETTINGS_VARIABLE, full ? full : o->file, 1);
		return xstrdup(o->file);
	}
	if (variable) {
		*must = *variable != '\0';
		return *variable ? xstrdup(variable) : NULL;
	}
	return xdg_config_path(SETTINGS_FILE);
}

/* 1: *@ini is what is in force; 0: there is none. */
static int open_file(const struct settings_options *o, const struct ini **ini, struct error *e)
{
	bool must;
	cleanup_free char *path = choose(o, &must);
	struct kept *k;
	int ret;

	/* EACCES: in a home that is another user's, as setpriv and su leave it in HOME */
	if (!path || (!must && access(path, F_OK) < 0 &&
		      (errno == ENOENT || errno == ENOTDIR || errno == EACCES)))
		return 0;
	k = xcalloc(1, sizeof(*k));
	ret = ini_read(&k->ini, AT_FDCWD, path, e);
	if (ret < 0) {
		free(k);
		return must && ret != -EINVAL ? err_wrap(e, "--config") : ret;
	}
	k->next = kept;
	kept = k;
	*ini = &k->ini;
	return 1;
}

/* ---- what is in it ---- */

static bool is_section(const char *word)
{
	return word[0] == '[';
}

/* The keys of the section, up to the next, in what is known; NULL: there is no such section. */
static const char *const *keys_of(const char *section)
{
	cleanup_free char *head = xasprintf("[%s]", section);

	for (const char *const *k = settings_known(); *k; k++)
		if (str_eq(*k, head))
			return k + 1;
	return NULL;
}

static bool has(const char *const *keys, const char *key)
{
	for (; keys && *keys && !is_section(*keys); keys++)
		if (str_eq(*keys, key))
			return true;
	return false;
}

/* Does any command have it? */
static bool any_has(const char *key)
{
	for (const char *const *k = settings_known(); *k; k++)
		if (str_eq(*k, key))
			return true;
	return false;
}

/* The commands that take profiles. */
static const char *const takers[] = { "run", "shell", "session start" };

static bool profiles_have(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++)
		if (has(keys_of(takers[i]), key))
			return true;
	return false;
}

static int unknown_section(const struct ini *ini, const struct ini_entry *ent, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near;

	strv_add(&names, SETTINGS_ALL);
	for (const char *const *k = settings_known(); *k; k++)
		if (is_section(*k))
			strv_addf(&names, "%.*s", (int)strlen(*k) - 2, *k + 1);
	near = str_closest(ent->section, (const char *const *)strv_argv(&names));
	ini_error(ini, ent, e, "[%s] is the name of no command, nor [" SETTINGS_ALL "], nor a profile "
		  "[@NAME]", ent->section);
	return near ? err_hint(e, "did you mean [%s]?", near) : -EINVAL;
}

/* @section: of which it is not one; NULL: of none. */
static int unknown_key(const struct ini *ini, const struct ini_entry *ent, const char *section,
		       struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near;

	if (!section)
		return ini_error(ini, ent, e, "no command has an option '%s'", ent->key);
	for (const char *const *k = keys_of(section); k && *k && !is_section(*k); k++)
		strv_add(&names, *k);
	near = str_closest(ent->key, (const char *const *)strv_argv(&names));
	ini_error(ini, ent, e, "'%s' is not an option of [%s]", ent->key, ent->section);
	return near ? err_hint(e, "did you mean '%s'?", near) : -EINVAL;
}

/* A section that is not this command's. */
static int check_entry(const struct ini *ini, const struct ini_entry *ent, struct error *e)
{
	const char *const *keys;

	if (ent->section[0] == '@')
		return !ent->key || profiles_have(ent->key) ? 0 : unknown_key(ini, ent, takers[0], e);
	if (strcmp(ent->section, SETTINGS_ALL) == 0)
		return !ent->key || any_has(ent->key) ? 0 : unknown_key(ini, ent, NULL, e);
	if (!*ent->section)
		return ini_error(ini, ent, e, "'%s' is in no section; write [" SETTINGS_ALL "] before it",
				 ent->key);
	keys = keys_of(ent->section);
	if (!keys)
		return unknown_section(ini, ent, e);
	return !ent->key || has(keys, ent->key) ? 0 : unknown_key(ini, ent, ent->section, e);
}

static int check(const struct settings *s, const struct ini *ini, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < ini->n; i++) {
		const struct ini_entry *ent = &ini->v[i];
		bool own = strcmp(ent->section, s->section) == 0;

		if (own && ent->key && !find_option(s->spec, ent->key))
			ret = unknown_key(ini, ent, s->section, e);
		else if (!own && !(strcmp(ent->section, SETTINGS_ALL) == 0 &&
				   (!ent->key || find_option(s->spec, ent->key))))
			ret = check_entry(ini, ent, e);
	}
	return ret;
}

/* ---- setting ---- */

static void note(struct settings *s, const struct opt *opt, const char *value, char *origin)
{
	s->seen = xreallocarray(s->seen, s->nseen + 1, sizeof(*s->seen));
	s->seen[s->nseen++] = (struct settings_seen){ opt, value ? xstrdup(value) : NULL, origin };
}

void settings_note(const struct opt *opt, const char *arg, void *settings)
{
	if (!is_about_files(opt))
		note(settings, opt, arg, NULL);
}

static int set_section(struct settings *s, const struct ini *ini, const char *section, struct error *e)
{
	bool there = false;

	for (size_t i = 0; i < ini->n; i++) {
		const struct ini_entry *ent = &ini->v[i];
		const struct opt *opt;
		int ret;

		if (strcmp(ent->section, section) != 0)
			continue;
		there = true;
		opt = ent->key ? find_option(s->spec, ent->key) : NULL;
		/* of another command that the section is for, too */
		if (!opt)
			continue;
		ret = opts_set(s->spec, s->values, ent->key, ent->value, e);
		if (ret < 0) {
			err_wrap(e, "%s:%u", ini->name, ent->line);
			e->kind = ERR_USAGE;
			return ret;
		}
		note(s, opt, ent->value, xasprintf("%s:%u", ini->name, ent->line));
	}
	return there ? 1 : 0;
}

static int absent_profile(const struct ini *ini, const char *name, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *near;

	for (size_t i = 0; ini && i < ini->n; i++)
		if (!ini->v[i].key && ini->v[i].section[0] == '@')
			strv_add(&names, ini->v[i].section + 1);
	near = str_closest(name, (const char *const *)strv_argv(&names));
	err_usage(e, "there is no profile '@%s'", name);
	if (near)
		return err_hint(e, "did you mean '@%s'?", near);
	return ini ? err_hint(e, "'%s' has no section [@%s]", ini->name, name) :
		     err_hint(e, "profiles are sections of " SETTINGS_FILE ", and there is no such file");
}

int settings_apply(struct settings *s, const struct settings_options *o, const struct strv *profiles,
		   struct error *e)
{
	const struct ini *ini = NULL;
	int ret = open_file(o, &ini, e);

	if (ret > 0)
		ret = check(s, ini, e);
	if (ret == 0 && ini)
		ret = set_section(s, ini, SETTINGS_ALL, e);
	if (ret >= 0 && ini)
		ret = set_section(s, ini, s->section, e);
	for (size_t i = 0; ret >= 0 && i < profiles->n; i++) {
		cleanup_free char *section = xasprintf("@%s", profiles->v[i]);

		ret = ini ? set_section(s, ini, section, e) : 0;
		if (ret == 0)
			ret = absent_profile(ini, profiles->v[i], e);
	}
	return ret < 0 ? ret : 0;
}

/* ---- showing ---- */

static bool is_list(const struct opt *o)
{
	return o->kind == OPT_LIST || o->kind == OPT_PASS || o->kind == OPT_CALL;
}

static void print_value(FILE *out, const char *value)
{
	for (; *value; value++) {
		fputc(*value, out);
		if (*value == '\n')
			fputs("    ", out);
	}
	fputc('\n', out);
}

void settings_print(const struct settings *s, FILE *out)
{
	fprintf(out, "# umlcage %s: what is in force and not the default\n[%s]\n", s->section, s->section);
	for (size_t i = 0; i < s->nseen; i++) {
		const struct settings_seen *now = &s->seen[i];
		bool later = false;

		for (size_t j = i + 1; j < s->nseen && !is_list(now->opt); j++)
			later |= s->seen[j].opt == now->opt;
		/* what has no long name cannot stand in a file */
		if (later || !now->opt->name)
			continue;
		fprintf(out, "# %s\n%s = ", now->origin ? now->origin : "the command line", now->opt->name);
		print_value(out, now->value ? now->value : "yes");
	}
}

void settings_release(struct settings *s)
{
	for (size_t i = 0; i < s->nseen; i++) {
		free(s->seen[i].value);
		free(s->seen[i].origin);
	}
	free_ptr(&s->seen);
	s->nseen = 0;
}
