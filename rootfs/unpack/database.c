// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing dpkg's database: see unpack.h. */
#include "rootfs/unpack/private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "umlcage/base/fd.h"

/* A package's stanza of status, as dpkg would write it. */
static void add_stanza(const struct unpacked *p, struct strbuf *out)
{
	const struct deb_facts *f = p->facts;

	sb_adds(out, f->before);
	if (f->nconffiles)
		sb_adds(out, "Conffiles:\n");
	for (size_t i = 0; i < f->nconffiles; i++)
		sb_addf(out, " %s %s%s\n", f->conffiles[i].path, p->sums[i][0] ? p->sums[i] : "newconffile",
			f->conffiles[i].remove_on_upgrade ? " remove-on-upgrade" : "");
	sb_adds(out, f->behind);
	sb_addc(out, '\n');
}

/* ---- triggers ---- */

struct interest {
	char *trigger;
	struct strbuf lines;
};

static struct strbuf *lines_of(struct interest **v, size_t *n, const char *trigger)
{
	for (size_t i = 0; i < *n; i++)
		if (strcmp((*v)[i].trigger, trigger) == 0)
			return &(*v)[i].lines;
	*v = xreallocarray(*v, *n + 1, sizeof(**v));
	(*v)[*n] = (struct interest){ xstrdup(trigger), STRBUF_INIT };
	return &(*v)[(*n)++].lines;
}

/* What is in a file already, unless all is made anew. */
static void keep(struct share_tree *tree, bool add, const char *path, struct strbuf *out)
{
	if (add)
		(void)unpack_read(tree, path, out, NULL);
}

static int write_triggers(struct share_tree *tree, const struct unpacked *const *pkgs, size_t n,
			  bool add, struct error *e)
{
	struct share_attr attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	struct strbuf file = STRBUF_INIT;
	struct interest *v = NULL;
	size_t nv = 0;
	int ret = 0;

	for (size_t i = 0; i < n; i++) {
		const struct deb_facts *f = pkgs[i]->facts;

		for (size_t k = 0; k < f->ninterests; k++) {
			const char *name = f->interests[k].trigger;

			sb_addf(name[0] == '/' ? &file : lines_of(&v, &nv, name), "%s%s%s%s\n",
				name[0] == '/' ? name : "", name[0] == '/' ? " " : "",
				pkgs[i]->spec, f->interests[k].noawait ? "/noawait" : "");
		}
	}
	if (file.len) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;

		keep(tree, add, "var/lib/dpkg/triggers/File", &text);
		sb_add(&text, file.s, file.len);
		ret = share_file(tree, "var/lib/dpkg/triggers/File", &attr, text.s, text.len, e);
	}
	for (size_t i = 0; i < nv; i++) {
		cleanup_free char *path = xasprintf("var/lib/dpkg/triggers/%s", v[i].trigger);
		cleanup_strbuf struct strbuf text = STRBUF_INIT;

		keep(tree, add, path, &text);
		sb_add(&text, v[i].lines.s, v[i].lines.len);
		if (ret == 0)
			ret = share_file(tree, path, &attr, text.s, text.len, e);
		sb_release(&v[i].lines);
		free(v[i].trigger);
	}
	free(v);
	sb_release(&file);
	return ret;
}

/* ---- the whole ---- */

static int write_list(struct share_tree *tree, const struct unpacked *p, struct error *e)
{
	struct share_attr attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	cleanup_free char *path = xasprintf("var/lib/dpkg/info/%s.list", p->spec);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < p->list.n; i++)
		sb_addf(&text, "%s\n", p->list.v[i]);
	return share_file(tree, path, &attr, text.s, text.len, e);
}

static int by_name(const void *a, const void *b)
{
	const struct unpacked *p = *(const struct unpacked *const *)a;
	const struct unpacked *q = *(const struct unpacked *const *)b;
	int c = strcmp(p->facts->name, q->facts->name);

	return c ? c : strcmp(p->facts->arch, q->facts->arch);
}

/* Enters packages; with @add after those that are there, which dpkg sorts when it writes next. */
static int enter(struct share_tree *tree, const struct unpacked *const *pkgs, size_t n, bool add,
		 struct error *e)
{
	struct share_attr attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	const struct unpacked **sorted = xcalloc(n, sizeof(struct unpacked *));
	cleanup_strbuf struct strbuf status = STRBUF_INIT;
	int ret = 0;

	if (add)
		ret = unpack_read(tree, "var/lib/dpkg/status", &status, e);
	memcpy(sorted, pkgs, n * sizeof(*pkgs));
	qsort(sorted, n, sizeof(struct unpacked *), by_name);
	for (size_t i = 0; i < n && ret == 0; i++) {
		ret = write_list(tree, sorted[i], e);
		add_stanza(sorted[i], &status);
	}
	free(sorted);
	if (ret == 0)
		ret = share_file(tree, "var/lib/dpkg/status", &attr, status.s, status.len, e);
	if (ret == 0)
		ret = share_file(tree, "var/lib/dpkg/info/format", &attr, "1\n", 2, e);
	return ret ? ret : write_triggers(tree, pkgs, n, add, e);
}

int dpkg_db_write(struct share_tree *tree, const struct unpacked *pkgs, size_t n,
		  struct error *e)
{
	const struct unpacked **natives = xcalloc(n, sizeof(struct unpacked *));
	cleanup_strbuf struct strbuf status = STRBUF_INIT;
	size_t count = 0;
	int ret;

	for (size_t i = 0; i < n; i++)
		if (pkgs[i].native)
			natives[count++] = &pkgs[i];
	/* setup hooks may have installed something */
	ret = enter(tree, natives, count, unpack_read(tree, "var/lib/dpkg/status", &status, NULL) == 0 &&
		    status.len, e);
	free(natives);
	return ret;
}

int dpkg_db_add(struct share_tree *tree, const struct unpacked *const *pkgs, size_t n,
		struct error *e)
{
	return enter(tree, pkgs, n, true, e);
}

/* ---- afterwards ---- */

struct line {
	char *text;
	size_t rank;	/* the index of the package it names; n: none of ours */
	size_t at;
};

static int by_rank(const void *a, const void *b)
{
	const struct line *p = a, *q = b;

	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	return p->at < q->at ? -1 : p->at > q->at;
}

static size_t rank_of(const char *line, const struct unpacked *const *pkgs, size_t n)
{
	const char *name = strrchr(line, ' ');
	size_t len;

	name = name ? name + 1 : line;
	len = strcspn(name, "/");
	for (size_t i = 0; i < n; i++)
		if (strlen(pkgs[i]->spec) == len && strncmp(pkgs[i]->spec, name, len) == 0)
			return i;
	return n;
}

static int sort_one(struct share_tree *tree, int dir, const char *name,
		    const struct unpacked *const *pkgs, size_t n, struct error *e)
{
	struct share_attr attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	cleanup_free char *path = xasprintf("var/lib/dpkg/triggers/%s", name);
	cleanup_strbuf struct strbuf text = STRBUF_INIT, sorted = STRBUF_INIT;
	struct strv lines = STRV_INIT;
	int ret = file_read(dir, name, (size_t)16 << 20, &text, e);

	if (ret < 0)
		return ret;
	strv_split(&lines, sb_str(&text), "\n");

	struct line *v = xcalloc(lines.n, sizeof(*v));

	for (size_t i = 0; i < lines.n; i++)
		v[i] = (struct line){ lines.v[i], rank_of(lines.v[i], pkgs, n), i };
	qsort(v, lines.n, sizeof(*v), by_rank);
	for (size_t i = 0; i < lines.n; i++)
		sb_addf(&sorted, "%s\n", v[i].text);
	free(v);
	strv_release(&lines);
	if (str_eq(sb_str(&sorted), sb_str(&text)))
		return 0;
	return share_file(tree, path, &attr, sorted.s, sorted.len, e);
}

int dpkg_db_sort_triggers(struct share_tree *tree, const struct unpacked *const *pkgs, size_t n,
			  struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *unused;
	int ret = 0, dir = share_parent(tree, "var/lib/dpkg/triggers/x", &unused, NULL);
	DIR *d = dir < 0 ? NULL : fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *de;

	if (!d)
		return 0;
	while ((de = dir_next(d, &ret)) != NULL)
		if (de->d_name[0] != '.' && strcmp(de->d_name, "Lock") != 0 &&
		    strcmp(de->d_name, "Unincorp") != 0)
			strv_add(&names, de->d_name);
	if (ret < 0)
		err_sys(e, -ret, "cannot read '/var/lib/dpkg/triggers' in the root");
	for (size_t i = 0; i < names.n && ret == 0; i++)
		ret = sort_one(tree, dirfd(d), names.v[i], pkgs, n, e);
	closedir(d);
	return ret;
}
