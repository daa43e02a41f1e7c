// SPDX-License-Identifier: GPL-2.0-or-later
/* Changes of roots, kept by name or in snapshots of sessions, and which root they are of: see roots.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/roots/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

/* of changes: the path of what they change, for people, and its id (share.h), which counts */
#define XATTR_PATH "user.containers.umlcage_base_path"
#define XATTR_BASE "user.containers.umlcage_base"
#define XATTR_OLD_PATH "user.umlcage.root"	/* where the path was, without an id */

static char *get_text(int fd, const char *name)
{
	cleanup_free char *text = xcalloc(1, PATH_MAX + 1);

	return fgetxattr(fd, name, text, PATH_MAX) > 0 ? steal_ptr(&text) : NULL;
}

static int set_base(const struct share *layer, const char *id, const char *path, struct error *e)
{
	if (fsetxattr(layer->fd, XATTR_PATH, path, strlen(path), 0) < 0 ||
	    (*id && fsetxattr(layer->fd, XATTR_BASE, id, strlen(id), 0) < 0))
		return share_xattr_error(e, errno, layer->path);
	return 0;
}

char *changes_root(int fd)
{
	char *path = get_text(fd, XATTR_PATH);

	return path ? path : get_text(fd, XATTR_OLD_PATH);
}

/* The id of a root; one of former times gets it now.  "" where it cannot be written. */
static void id_of(struct share *root, char id[SHARE_ID_MAX + 1])
{
	if (share_id(root, id) < 0 && share_set_id(root, NULL, NULL) == 0)
		(void)share_id(root, id);
}

static int other_base(const char *name, const char *of, const char *path, struct error *e)
{
	if (!str_eq(of, path))
		return err_set(e, EINVAL, "the changes kept as '%s' are of the root '%s', not of '%s'; "
			       "keep those of another root under another name, or remove these with "
			       "'umlcage root remove --changes %s'", name, of, path, name);
	return err_set(e, ESTALE, "the changes kept as '%s' do not fit the root '%s' any more: it was "
		       "written to, or made again, since they were made; keep new ones under another "
		       "name, or remove these with 'umlcage root remove --changes %s'", name, path, name);
}

int changes_bind(const struct share *layer, const char *name, struct share *root, struct error *e)
{
	cleanup_free char *path = realpath(root->path, NULL), *of = changes_root(layer->fd);
	cleanup_free char *base = get_text(layer->fd, XATTR_BASE);
	char id[SHARE_ID_MAX + 1];

	if (!path)
		return err_sys(e, errno, "cannot use '%s' as a root", root->path);
	id_of(root, id);
	/* one that knows no id is as old as the time when the path was all there was */
	if (of && (base ? !str_eq(base, id) : !str_eq(of, path)))
		return other_base(name, of, path, e);
	return set_base(layer, id, path, e);
}

/* ---- those of one root ---- */

/* Looks for changes of a root that has this id, and is or was at this path. */
struct search {
	const char *path;
	char id[SHARE_ID_MAX + 1];
	void (*found)(const char *name, const struct share *layer, void *arg);
	void *arg;
};

static void look_at(const struct search *s, const char *name, const char *where)
{
	cleanup_free char *of = NULL, *base = NULL;
	cleanup_share struct share layer = SHARE_INIT;

	if (share_open(&layer, where, SHARE_PEEK, NULL) < 0)
		return;
	of = changes_root(layer.fd);
	base = get_text(layer.fd, XATTR_BASE);
	if (str_eq(of, s->path) && (!base || str_eq(base, s->id)))
		s->found(name, &layer, s->arg);
}

static void look_at_kept(const struct search *s)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (root_names(STORE_CHANGES, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *where = NULL;

		if (root_path(STORE_CHANGES, names.v[i], &where, NULL) == 0)
			look_at(s, names.v[i], where);
	}
}

/* Names in a folder, sorted, without those that are hidden: of what is being made or removed. */
static void visible(const char *folder, struct strv *names)
{
	cleanup_close int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv all = STRV_INIT;

	if (dir < 0 || dir_names(dir, &all, NULL) < 0)
		return;
	for (size_t i = 0; i < all.n; i++)
		if (all.v[i][0] != '.')
			strv_add(names, all.v[i]);
	strv_sort(names);
}

static void look_at_snapshots(const struct search *s)
{
	cleanup_strv struct strv sessions = STRV_INIT;
	cleanup_free char *top = NULL;

	if (xdg_dir(XDG_STATE, ROOTS_SNAPSHOTS, &top, NULL) < 0)
		return;
	visible(top, &sessions);
	for (size_t i = 0; i < sessions.n; i++) {
		cleanup_free char *folder = path_join(top, sessions.v[i]);
		cleanup_strv struct strv names = STRV_INIT;

		visible(folder, &names);
		for (size_t j = 0; j < names.n; j++) {
			cleanup_free char *name = path_join(sessions.v[i], names.v[j]);
			cleanup_free char *where = xasprintf("%s/%s/layer", folder, names.v[j]);

			look_at(s, name, where);
		}
	}
}

static void search(const struct share *root, const char *path, struct search *s)
{
	if (!path)
		return;
	s->path = path;
	(void)share_id(root, s->id);
	look_at_kept(s);
	look_at_snapshots(s);
}

static void add_name(const char *name, const struct share *layer, void *arg)
{
	(void)layer;
	strv_add(arg, name);
}

void changes_of(const struct share *root, struct strv *names)
{
	cleanup_free char *path = realpath(root->path, NULL);

	search(root, path, &(struct search){ .found = add_name, .arg = names });
}

static int refuse_snapshots(const struct share *root, const char *what, const struct strv *names,
			    struct error *e)
{
	cleanup_free char *list = strv_join(names, "', '"), *one = xstrdup(names->v[0]);

	*strchr(one, '/') = ' ';
	return err_set(e, EBUSY, "the snapshots '%s' are of the root '%s', and %s would leave them "
		       "worthless; remove them first, each with 'umlcage session snapshot --remove %s'",
		       list, root->path, what, one);
}

int changes_refuse(const struct share *root, const char *what, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT, kept = STRV_INIT, snapshots = STRV_INIT;
	cleanup_free char *list = NULL, *args = NULL;

	changes_of(root, &names);
	for (size_t i = 0; i < names.n; i++)
		strv_add(strchr(names.v[i], '/') ? &snapshots : &kept, names.v[i]);
	if (!kept.n)
		return snapshots.n ? refuse_snapshots(root, what, &snapshots, e) : 0;
	list = strv_join(&kept, "', '");
	args = strv_join(&kept, " ");
	return err_set(e, EBUSY, "the changes kept as '%s' are of the root '%s', and %s would leave them "
		       "worthless; remove them first with 'umlcage root remove --changes %s'", list,
		       root->path, what, args);
}

static void set_path(const char *name, const struct share *layer, void *arg)
{
	(void)name;
	(void)fsetxattr(layer->fd, XATTR_PATH, arg, strlen(arg), 0);
}

void changes_moved(const struct share *root, const char *from, char *to)
{
	search(root, from, &(struct search){ .found = set_path, .arg = to });
}
