// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where packages meet: dpkg's path filters, files of two packages, links in the place of
 * directories, and the end of unpacking.  The rules are those of tarobject() in dpkg's
 * archives.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/deb822/deb822.h"
#include "rootfs/unpack/private.h"
#include "rootfs/unpack/unpack.h"
#include "umlcage/base/fd.h"

bool unpack_filtered(const struct strv *filters, const char *path, bool dir_or_link)
{
	static const char exclude[] = "path-exclude=", include[] = "path-include=";
	bool skip = false;

	/* the last match wins */
	for (size_t i = 0; i < filters->n; i++) {
		const char *f = filters->v[i];

		if (str_starts(f, exclude) && fnmatch(f + sizeof(exclude) - 1, path, 0) == 0)
			skip = true;
		else if (str_starts(f, include) && fnmatch(f + sizeof(include) - 1, path, 0) == 0)
			skip = false;
	}
	if (!skip || !dir_or_link)
		return skip;
	/* what leads to a file that is included again stays */
	for (size_t i = 0; i < filters->n; i++) {
		const char *f = filters->v[i];

		if (!str_starts(f, include))
			continue;
		f += sizeof(include) - 1;

		size_t len = strcspn(f, "*?[\\");

		while (len && f[len - 1] == '/')
			len--;
		if (strncmp(path, f, len) == 0)
			return false;
	}
	return true;
}

static bool is_version(const char *version, enum deb_relation relation, const char *than)
{
	int c = relation == DEB_ANY ? 0 : deb_version_cmp(version, than);

	switch (relation) {
	case DEB_ANY: return true;
	case DEB_EARLIER: return c < 0;
	case DEB_NOT_LATER: return c <= 0;
	case DEB_SAME: return c == 0;
	case DEB_NOT_EARLIER: return c >= 0;
	case DEB_LATER: return c > 0;
	}
	return false;
}

/* Does @p's control file say that it replaces @other's files? */
static bool replaces(const struct unpacked *p, const struct unpacked *other)
{
	for (size_t i = 0; i < p->facts->nreplaces; i++) {
		const struct deb_replaces *r = &p->facts->replaces[i];

		if (strcmp(r->name, other->facts->name) == 0 &&
		    is_version(other->facts->version, r->relation, r->version))
			return true;
	}
	return false;
}

static void drop_from_list(struct unpacked *p, const char *path)
{
	struct strv kept = STRV_INIT;

	for (size_t i = 0; i < p->list.n; i++)
		if (strcmp(p->list.v[i], path) != 0)
			strv_add(&kept, p->list.v[i]);
	strv_release(&p->list);
	p->list = kept;
}

static bool leads_to_dir(struct share_tree *tree, const char *path)
{
	cleanup_free char *inside = xasprintf("%s/x", path + 1);
	const char *name;

	return share_parent(tree, inside, &name, NULL) >= 0;
}

int unpack_settle(struct job *j, const char *path, const char *target, bool dir,
		  struct error *e)
{
	struct unpack *u = j->u;

	if (!u->ordered) {
		atomic_store(&u->clash, true);
		return 0;
	}

	struct claim *claim = claims_find(&u->claims, j->canonical.s);
	struct unpacked *old = claim->owner >= 0 ? &u->pkgs[claim->owner] : NULL;
	enum claim_kind kind = dir ? CLAIM_DIR : target ? CLAIM_LINK : CLAIM_OTHER;

	/* a directory where a link to one is, a link where a directory is: left alone */
	if (dir && claim->kind == CLAIM_LINK && leads_to_dir(j->tree, path))
		return 0;
	if (target && claim->kind == CLAIM_DIR)
		return 0;
	if (old && old != j->pkg) {
		if (replaces(j->pkg, old)) {
			drop_from_list(old, path);
		} else if (replaces(old, j->pkg)) {
			drop_from_list(j->pkg, path);
			return 0;
		} else if (!u->cfg.plain) {
			err_set(e, EEXIST, "cannot unpack '%s': trying to overwrite '%s', "
				"which is also in package %s %s", j->deb->label, path,
				old->facts->name, old->facts->version);
			return err_mark(e, ERR_PACKAGES);
		}
	}
	if (kind == CLAIM_DIR || claim->kind == CLAIM_DIR) {
		int ret = share_remove(j->tree, path + 1, e);

		if (ret < 0)
			return ret;
	}
	claims_set(&u->claims, j->canonical.s, (int)j->index, kind, target);
	return 1;
}

/* ---- the end ---- */

static int remove_all(struct unpack *u, struct share_tree *tree, struct error *e)
{
	struct claim **v = claims_sorted(&u->claims);
	int ret = 0;

	/* from the deepest up */
	for (size_t i = u->claims.n; i-- && ret == 0;) {
		const char *path = v[i]->path + 1, *name;

		if (v[i]->owner == CLAIM_BEFORE || strcmp(v[i]->path, "/.") == 0)
			continue;
		if (v[i]->kind == CLAIM_DIR) {
			int dir = share_parent(tree, path, &name, NULL);

			if (dir >= 0)
				(void)unlinkat(dir, name, AT_REMOVEDIR);
			share_tree_forget(tree);
		} else {
			ret = share_remove(tree, path, e);
			if (ret == -ENOENT || ret == -ENOTDIR) {
				ret = 0;
				if (e)
					err_release(e);
			}
		}
	}
	free(v);
	return ret;
}

static int repeat(struct unpack *u, struct share_tree *tree, struct error *e)
{
	int ret = remove_all(u, tree, e);

	claims_release(&u->claims);
	claims_init(&u->claims);
	unpack_claim_before(u);
	u->ordered = true;
	for (size_t i = 0; u->cfg.links && i < u->cfg.links->n && ret == 0; i++) {
		struct share_attr attr = { .mode = S_IFDIR | 0755, .mtime = { 0, UTIME_OMIT } };
		cleanup_free char *dir = xasprintf("usr/%s", u->cfg.links->v[i]);

		ret = share_mkdir(tree, dir, &attr, e);
	}
	for (size_t i = 0; i < u->cfg.n && ret == 0; i++) {
		cleanup_close int fd = u->cfg.reopen(u->cfg.reopen_arg, i, e);
		cleanup_free char *label = u->pkgs[i].read ? xstrdup(u->pkgs[i].facts->name)
							   : xstrdup("package");

		ret = fd < 0 ? fd : unpack_package(u, i, fd, label, e);
	}
	return ret;
}

static int set_directories(struct unpack *u, struct share_tree *tree, struct error *e)
{
	struct claim **v = claims_sorted(&u->claims);
	int ret = 0;

	for (size_t i = 0; i < u->claims.n && ret == 0; i++)
		/* one that was there and that no package may change */
		if (v[i]->kind == CLAIM_DIR && v[i]->rank != (int)u->cfg.n)
			ret = share_setattr(tree, v[i]->path + 1, &v[i]->attr, e);
	free(v);
	return ret;
}

/*
 * While dpkg installs the first stage the accounts are those that a hook made, or else those
 * that base-passwd's preinst makes of its masters.
 */
static int name_owners(struct unpack *u, struct share_tree *tree, struct error *e)
{
	cleanup_strbuf struct strbuf passwd = STRBUF_INIT, group = STRBUF_INIT;
	const struct { const char *own, *master; struct strbuf *text; } files[] = {
		{ "etc/passwd", "usr/share/base-passwd/passwd.master", &passwd },
		{ "etc/group", "usr/share/base-passwd/group.master", &group },
	};
	/* the other one makes the directories that it looks into */
	cleanup_share_tree struct share_tree *look = share_tree_new(u->cfg.rootfd, 0);
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (unpack_read(look, files[i].own, files[i].text, NULL) == -ENOENT)
			(void)unpack_read(look, files[i].master, files[i].text, NULL);
	for (size_t i = 0; i < u->cfg.n && ret == 0; i++)
		ret = unpack_name_owners(u, &u->pkgs[i], tree, sb_str(&passwd), sb_str(&group), e);
	return ret;
}

int unpack_finish(struct unpack *u, struct error *e)
{
	struct share_tree *tree = share_tree_new(u->cfg.rootfd, SHARE_PARENTS | SHARE_REPLACE);
	int ret = 0;

	if (atomic_load(&u->clash))
		ret = repeat(u, tree, e);
	if (ret == 0 && !u->cfg.plain && !u->cfg.staged)
		ret = name_owners(u, tree, e);
	if (ret == 0)
		ret = set_directories(u, tree, e);
	/* where nothing is installed dpkg was never called */
	if (ret == 0 && !u->cfg.plain && !u->cfg.staged && u->cfg.n)
		ret = dpkg_db_write(tree, u->pkgs, u->cfg.n, e);
	share_tree_free(&tree);
	return ret;
}
