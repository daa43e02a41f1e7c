// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From the stage into the tree: see unpack_merge().  Only what has nothing in its way goes
 * this way, so what is left to do is what tarobject() in dpkg's archives.c does in the
 * simplest case.  Everything else stays in the stage, for dpkg itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/unpack/private.h"
#include "umlcage/base/fd.h"

struct merge {
	struct unpack *u;
	struct share_tree *from, *look, *to;	/* the stage; the tree, as it is; made to fit */
	struct strv filters;
	struct strv special;		/* paths of diversions and overrides */
	bool odd;			/* dpkg has options that only it understands */
	struct strbuf passwd, group, canonical;
	struct strv made;		/* directories */
};

/* ---- what dpkg would heed ---- */

/* Options of dpkg that leave unpacking as it is where nothing is in the way. */
static bool is_harmless(const char *option)
{
	static const char *const known[] = { "log", "no-debsig", "no-pager", "debug",
					     "abort-after", "status-fd", "status-logger" };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(option, known[i]) == 0)
			return true;
	return str_starts(option, "force-") || str_starts(option, "no-force-") ||
	       str_starts(option, "refuse-");
}

/* A line as dpkg_options_load_file() reads it: a name, then "=" or blanks, then a value. */
static void take_option(struct merge *m, char *line)
{
	size_t len = strlen(line), name;
	const char *value;

	while (len && strchr(" \t\r", line[len - 1]))
		line[--len] = '\0';
	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return;
	name = strcspn(line, "= \t");
	value = line + name;
	value += strspn(value, " \t");
	value += *value == '=';
	value += strspn(value, " \t");
	len = strlen(value);
	if (len >= 2 && strchr("\"'", *value) && value[len - 1] == *value) {
		line[value - line + (ptrdiff_t)len - 1] = '\0';
		value++;
	}

	cleanup_free char *option = xstrndup(line, name);

	if (strcmp(option, "path-exclude") == 0 || strcmp(option, "path-include") == 0)
		strv_addf(&m->filters, "%s=%s", option, value);
	else if (!is_harmless(option))
		m->odd = true;
}

static void read_options(struct merge *m, const char *path)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	int ret = unpack_read(m->look, path, &text, NULL);

	/* a link may lead to what is not read here */
	m->odd |= ret < 0 && ret != -ENOENT;
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		take_option(m, lines.v[i]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_configuration(struct merge *m)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	cleanup_strv struct strv names = STRV_INIT;
	const char *unused;
	int dir = share_parent(m->look, "etc/dpkg/dpkg.cfg.d/x", &unused, NULL);
	DIR *d = dir < 0 ? NULL : fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	const struct dirent *de;
	int ret = dir == -ENOENT || d ? 0 : -EIO;

	while (d && (de = dir_next(d, &ret)) != NULL)
		if (de->d_name[strspn(de->d_name, good)] == '\0')
			strv_add(&names, de->d_name);
	if (d)
		closedir(d);
	m->odd |= ret < 0;
	if (names.n)
		qsort(names.v, names.n, sizeof(*names.v), by_name);
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *path = xasprintf("etc/dpkg/dpkg.cfg.d/%s", names.v[i]);

		read_options(m, path);
	}
	read_options(m, "etc/dpkg/dpkg.cfg");
	read_options(m, "root/.dpkg.cfg");
}

/* /var/lib/dpkg/diversions: from, to, package; statoverride: user, group, mode, path. */
static void read_special(struct merge *m)
{
	cleanup_strbuf struct strbuf diversions = STRBUF_INIT, overrides = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	size_t n;

	(void)unpack_read(m->look, "var/lib/dpkg/diversions", &diversions, NULL);
	(void)unpack_read(m->look, "var/lib/dpkg/statoverride", &overrides, NULL);
	strv_split(&lines, sb_str(&diversions), "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (i % 3 != 2)
			strv_add(&m->special, lines.v[i]);
	n = lines.n;
	strv_split(&lines, sb_str(&overrides), "\n");
	for (size_t i = n; i < lines.n; i++) {
		const char *path = strchr(lines.v[i], '/');

		if (path)
			strv_add(&m->special, path);
	}
}

/* ---- what is there ---- */

enum there { NOTHING, DIRECTORY, OTHER, UNREACHABLE };

static enum there look(struct merge *m, const char *path)
{
	struct stat st;
	const char *name;
	int dir = share_parent(m->look, path + 1, &name, NULL);

	if (dir < 0)
		return dir == -ENOENT ? NOTHING : UNREACHABLE;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NOTHING : UNREACHABLE;
	return S_ISDIR(st.st_mode) ? DIRECTORY : OTHER;
}

static bool leads_to_dir(struct merge *m, const char *path)
{
	cleanup_free char *inside = xasprintf("%s/x", path + 1);
	const char *name;

	return share_parent(m->look, inside, &name, NULL) >= 0;
}

/* Is the link there the one that the package has, too? */
static bool same_link(struct merge *m, const struct claim *c, const char *path)
{
	char target[PATH_MAX];
	const char *name;
	int dir = share_parent(m->look, path + 1, &name, NULL);
	ssize_t len = dir < 0 ? -1 : readlinkat(dir, name, target, sizeof(target) - 1);

	if (len < 0)
		return false;
	target[len] = '\0';
	return str_eq(c->target, target);
}

/* Is the file in the stage where its name says? */
static bool is_staged(struct merge *m, const char *path)
{
	struct stat st;
	const char *name;
	int dir = share_parent(m->from, path + 1, &name, NULL);

	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct claim *claim_of(struct merge *m, const char *path)
{
	unpack_canonical(m->u, path, &m->canonical);
	return claims_find(&m->u->claims, m->canonical.s);
}

static bool left_out(struct merge *m, const struct claim *c, const char *path)
{
	return m->filters.n && unpack_filtered(&m->filters, path, c->kind != CLAIM_OTHER);
}

/* Can this package go in without dpkg? */
static bool fits(struct merge *m, const struct unpacked *p)
{
	if (m->odd)
		return false;
	for (size_t i = 0; i < p->list.n; i++) {
		const char *path = p->list.v[i];
		const struct claim *c = claim_of(m, path);
		enum there there;

		if (strcmp(path, "/.") == 0)
			continue;
		if (!c || strv_has(&m->special, path))
			return false;
		if (left_out(m, c, path))
			continue;
		there = look(m, path);
		if (there == UNREACHABLE)
			return false;
		if (c->kind == CLAIM_DIR) {
			if (there == OTHER && !leads_to_dir(m, path))
				return false;
		} else if (there == NOTHING) {
			if (!is_staged(m, path))
				return false;
		} else if (c->kind != CLAIM_LINK || !same_link(m, c, path)) {
			return false;
		}
	}
	return true;
}

/* ---- putting it in place ---- */

static int move(struct merge *m, const char *from, const char *to, struct error *e)
{
	const char *name, *new;
	int old = share_parent(m->from, from, &name, e), dir;

	if (old < 0)
		return old;
	dir = share_parent(m->to, to, &new, e);
	if (dir < 0)
		return dir;
	if (renameat(old, name, dir, new) < 0)
		return err_sys(e, errno, "cannot put '/%s' in place", to);
	return 0;
}

/* dpkg sums up only what it unpacks. */
static int filter_sums(struct merge *m, const struct unpacked *p, struct error *e)
{
	struct share_attr attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	cleanup_free char *path = xasprintf("var/lib/dpkg/info/%s.md5sums", p->spec);
	cleanup_strbuf struct strbuf text = STRBUF_INIT, kept = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	int ret;

	if (!p->summed || !m->filters.n)
		return 0;
	ret = unpack_read(m->to, path, &text, e);
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n && ret == 0; i++) {
		/* 32 digits and two blanks */
		cleanup_free char *file = xasprintf("/%s", lines.v[i] + 34);

		if (!unpack_filtered(&m->filters, file, false))
			sb_addf(&kept, "%s\n", lines.v[i]);
	}
	return ret ? ret : share_file(m->to, path, &attr, kept.s, kept.len, e);
}

static int put(struct merge *m, const struct unpacked *p, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; i < p->list.n && ret == 0; i++) {
		const char *path = p->list.v[i];
		const struct claim *c = claim_of(m, path);

		if (strcmp(path, "/.") == 0 || left_out(m, c, path) || look(m, path) != NOTHING)
			continue;
		if (c->kind == CLAIM_DIR) {
			ret = share_mkdir(m->to, path + 1, &c->attr, e);
			strv_add(&m->made, path);
		} else {
			ret = move(m, path + 1, path + 1, e);
		}
	}
	for (size_t i = 0; i < p->info.n && ret == 0; i++) {
		cleanup_free char *path = xasprintf("var/lib/dpkg/info/%s.%s", p->spec, p->info.v[i]);

		ret = move(m, path, path, e);
	}
	return ret ? ret : filter_sums(m, p, e);
}

/* Filling them has changed their times. */
static int set_directories(struct merge *m, struct error *e)
{
	int ret = 0;

	for (size_t i = m->made.n; i-- > 0 && ret == 0;)
		ret = share_setattr(m->to, m->made.v[i] + 1, &claim_of(m, m->made.v[i])->attr, e);
	return ret;
}

/* ---- triggers ---- */

static bool any_has(const struct unpacked *const *pkgs, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		/* the directories above a file are in the list, too */
		if (strv_has(&pkgs[i]->list, path))
			return true;
	return false;
}

/* What dpkg would have noted while it unpacked; who is not configured yet it passes over. */
static int note_triggers(struct merge *m, const struct unpacked *const *pkgs, size_t n,
			 struct error *e)
{
	struct share_attr attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
	cleanup_strbuf struct strbuf interests = STRBUF_INIT, text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT, done = STRV_INIT;
	static const char noted[] = "var/lib/dpkg/triggers/Unincorp";

	(void)unpack_read(m->look, "var/lib/dpkg/triggers/File", &interests, NULL);
	(void)unpack_read(m->look, noted, &text, NULL);
	strv_split(&lines, sb_str(&interests), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		lines.v[i][strcspn(lines.v[i], " ")] = '\0';
		if (strv_has(&done, lines.v[i]))
			continue;
		strv_add(&done, lines.v[i]);
		if (any_has(pkgs, n, lines.v[i]))
			sb_addf(&text, "%s -\n", lines.v[i]);
	}
	return text.len ? share_file(m->to, noted, &attr, text.s, text.len, e) : 0;
}

/* ---- all of it ---- */

static int merge(struct merge *m, const size_t *pkgs, size_t n, struct error *e)
{
	const struct unpacked **merged = xcalloc(n, sizeof(*merged));
	size_t count = 0;
	int ret = 0;

	read_configuration(m);
	read_special(m);
	(void)unpack_read(m->look, "etc/passwd", &m->passwd, NULL);
	(void)unpack_read(m->look, "etc/group", &m->group, NULL);
	for (size_t i = 0; i < n && ret == 0; i++) {
		struct unpacked *p = &m->u->pkgs[pkgs[i]];

		if (!p->native)
			continue;
		p->native = fits(m, p);
		if (!p->native)
			continue;
		merged[count++] = p;
		ret = unpack_name_owners(m->u, p, m->from, sb_str(&m->passwd), sb_str(&m->group), e);
		if (ret == 0)
			ret = put(m, p, e);
	}
	if (ret == 0)
		ret = set_directories(m, e);
	if (ret == 0 && count)
		ret = note_triggers(m, merged, count, e);
	if (ret == 0 && count)
		ret = dpkg_db_add(m->to, merged, count, e);
	free(merged);
	return ret;
}

int unpack_merge(struct unpack *u, int rootfd, const size_t *pkgs, size_t n, struct error *e)
{
	struct merge m = {
		.u = u,
		.from = share_tree_new(u->cfg.rootfd, 0),
		.look = share_tree_new(rootfd, 0),
		.to = share_tree_new(rootfd, SHARE_PARENTS | SHARE_REPLACE),
	};
	int ret = merge(&m, pkgs, n, e);

	share_tree_free(&m.from);
	share_tree_free(&m.look);
	share_tree_free(&m.to);
	strv_release(&m.filters);
	strv_release(&m.special);
	strv_release(&m.made);
	sb_release(&m.passwd);
	sb_release(&m.group);
	sb_release(&m.canonical);
	return ret;
}
