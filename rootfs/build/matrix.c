// SPDX-License-Identifier: GPL-2.0-or-later
/* [Matrix]: one file for several builds, each with a word of every list. */
#include <stdlib.h>
#include <string.h>

#include "rootfs/build/private.h"

#define COMBINATIONS_MAX 100

struct list {
	char *name;
	struct strv words;
};

static bool is_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz") == strlen(s) && !str_eq(s, "name") &&
	       !str_eq(s, "date") && !str_eq(s, "git");
}

/* It becomes part of names of files. */
static bool is_word(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p == '/' || *p == '$' || (unsigned char)*p < ' ')
			return false;
	return *s && *s != '.';
}

static int add_list(const struct ini *ini, const struct ini_entry *entry, struct list **v, size_t *n,
		    struct error *e)
{
	struct list *l;

	if (!is_name(entry->key))
		return ini_error(ini, entry, e, "'%s' cannot be a variable: small letters, and not "
				 "name, date or git", entry->key);
	for (size_t i = 0; i < *n; i++)
		if (str_eq((*v)[i].name, entry->key))
			return ini_error(ini, entry, e, "there is a list '%s' already", entry->key);
	*v = xreallocarray(*v, *n + 1, sizeof(**v));
	l = &(*v)[(*n)++];
	*l = (struct list){ .name = xstrdup(entry->key) };
	strv_split(&l->words, entry->value, " \t\n");
	for (size_t i = 0; i < l->words.n; i++)
		if (!is_word(l->words.v[i]))
			return ini_error(ini, entry, e, "'%s' cannot be part of a name", l->words.v[i]);
	return l->words.n ? 0 : ini_error(ini, entry, e, "'%s' has no words", entry->key);
}

/* The next combination, the last list turning first; false after the last one. */
static bool next(const struct list *v, size_t n, size_t *at)
{
	for (size_t i = n; i-- > 0;) {
		if (++at[i] < v[i].words.n)
			return true;
		at[i] = 0;
	}
	return false;
}

static void add_combination(struct build_matrix *m, const struct list *v, size_t n, const size_t *at)
{
	struct strv *one;

	m->v = xreallocarray(m->v, m->n + 1, sizeof(*m->v));
	one = &m->v[m->n++];
	*one = (struct strv)STRV_INIT;
	for (size_t i = 0; i < n; i++)
		strv_addf(one, "%s=%s", v[i].name, v[i].words.v[at[i]]);
}

int build_matrix_read(const char *path, int dirfd, struct build_matrix *m, struct error *e)
{
	cleanup_ini struct ini ini = INI_INIT;
	struct list *v = NULL;
	size_t n = 0, *at;
	int ret = ini_read(&ini, dirfd, path, e);

	*m = (struct build_matrix){ NULL, 0 };
	for (size_t i = 0; i < ini.n && ret == 0; i++)
		if (ini.v[i].key && strcasecmp(ini.v[i].section, "matrix") == 0)
			ret = add_list(&ini, &ini.v[i], &v, &n, e);
	at = xcalloc(n + 1, sizeof(*at));
	if (ret == 0)
		do {
			add_combination(m, v, n, at);
		} while (next(v, n, at) && m->n < COMBINATIONS_MAX + 1);
	if (m->n > COMBINATIONS_MAX)
		ret = err_usage(e, "%s: [Matrix] makes more than %d builds", path, COMBINATIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		free(v[i].name);
		strv_release(&v[i].words);
	}
	free(v);
	free(at);
	return ret;
}

void build_matrix_release(struct build_matrix *m)
{
	for (size_t i = 0; i < m->n; i++)
		strv_release(&m->v[i]);
	free(m->v);
}

const char *build_matrix_value(const struct strv *combination, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < combination->n; i++)
		if (strncmp(combination->v[i], name, len) == 0 && combination->v[i][len] == '=')
			return combination->v[i] + len + 1;
	return NULL;
}

char *build_matrix_name(const char *file, const struct strv *combination)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	sb_adds(&out, file);
	for (size_t i = 0; i < combination->n; i++)
		sb_addf(&out, "-%s", strchr(combination->v[i], '=') + 1);
	return sb_steal(&out);
}
