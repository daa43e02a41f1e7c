// SPDX-License-Identifier: GPL-2.0-or-later
/* What a cage boots on, and where changes go: see places.h. */
#include "umlcage/places/places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/remains.h"
#include "umlcage/base/xdg.h"
#include "umlcage/cage/cow.h"
#include "umlcage/places/private.h"
#include "umlcage/snapshot/snapshot.h"

#define PLACE(field, kind) OPT_##kind(struct places_options, field)

const struct opt places_opts[] = {
	{ OPT_STRING, 'r', "root", "ROOT", PLACE(root, STR),
	  "a share, a tarball, an image of containers (OCI, docker save), a disk "
	  "image (ext4, squashfs), or a name of 'umlcage root list'; not changed "
	  "unless asked for (default: 'default', a small Debian root that is made "
	  "on first use)" },
	{ OPT_FLAG, 'w', "writable", NULL, PLACE(writable, BOOL), "write to the root itself" },
	{ OPT_STRING, 0, "keep", "NAME", PLACE(keep, STR),
	  "keep the changes under NAME, and start from what it keeps" },
	{ OPT_STRING, 0, "commit", "NAME", PLACE(commit, STR),
	  "on success, store root and changes together as the new root NAME" },
	{ OPT_STRING, 0, "scratch", "WHERE", PLACE(scratch, STR),
	  "where changes go that are thrown away: memory (default) or disk" },
	{ OPT_STRING, 0, "snapshot", "SESSION/NAME", PLACE(snapshot, STR),
	  "begin with the changes that a snapshot of a session has of this root; "
	  "further ones go to the disk and are thrown away" },
	{ OPT_STRING, 0, "cow", "FILE", PLACE(cow, STR),
	  "disk image: keep the changes in the COW file FILE" },
	{ OPT_STRING, 0, "fstype", "TYPE", PLACE(fstype, STR),
	  "disk image: its file system (default: tried out)" },
	{ OPT_LIST, 's', "share", "HOSTDIR:GUESTDIR[:ro]", PLACE(shares, STRV),
	  "mount a share: a folder with recorded ownership, made if absent" },
	{ OPT_LIST, 'b', "bind", "HOST:GUEST[:ro]", PLACE(binds, STRV),
	  "mount an ordinary folder or a single file: what is yours appears as that "
	  "of the user the command runs as, and what is made there is yours" },
	{ OPT_STRING, 0, "bind-owner", "USER[:GROUP]", PLACE(owner, STR),
	  "whose that is in the cage instead, where several users run commands" },
	{ OPT_FLAG, 0, "sync", NULL, PLACE(sync, BOOL),
	  "obey fsync() on shares at once instead of once at the end" },
	OPT_END,
};

static int open_share_root(struct places *p, const struct places_options *o, const char *path,
			   struct cage_config *cfg, struct error *e)
{
	int ret = share_open(&p->root, path, o->writable ? SHARE_WRITE : SHARE_READ, e);

	if (ret == 0 && o->writable)
		ret = changes_refuse(&p->root, "writing to it", e);
	if (ret < 0)
		return ret;
	cfg->root.kind = CAGE_ROOT_SHARE;
	cfg->root.fd = p->root.fd;
	cfg->root.upper = o->writable ? CAGE_UPPER_NONE : CAGE_UPPER_MEMORY;
	p->root_written = o->writable;
	return o->writable ? share_mark_dirty(&p->root, e) : 0;
}

/* A copy of the root that is written and, if all goes well, becomes the root --commit names. */
static int open_commit(struct places *p, const struct places_options *o, const char *path,
		       struct cage_config *cfg, struct error *e)
{
	cleanup_free char *to = o->commit_path ? xstrdup(o->commit_path) : NULL;
	int ret = to ? 0 : root_check_name(o->commit, e);

	if (ret == 0 && !to)
		ret = root_path(STORE_ROOTS, o->commit, &to, e);
	if (ret == 0 && access(to, F_OK) == 0)
		ret = err_set(e, EEXIST, "there is a root '%s' already; choose another name, or remove "
			      "it with 'umlcage root remove'", o->commit);
	if (ret == 0)
		ret = share_open(&p->root, path, SHARE_READ, e);
	if (ret == 0)
		ret = share_stage_begin(&p->commit, to, e);
	if (ret == 0)
		ret = share_copy(p->root.fd, p->commit.share.fd, e);
	/* what is kept of the root is not of its copy, which is going to be another one */
	if (ret == 0)
		ret = share_set_id(&p->commit.share, NULL, e);
	if (ret < 0)
		return ret;
	cfg->root.kind = CAGE_ROOT_SHARE;
	cfg->root.fd = p->commit.share.fd;
	cfg->root.upper = CAGE_UPPER_NONE;
	return 0;
}

static int open_cow(struct places *p, const struct places_options *o, struct cage_config *cfg,
		    struct error *e)
{
	struct stat st;

	p->cow = open(o->cow, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->cow < 0 || fstat(p->cow, &st) < 0)
		return err_sys(e, errno, "cannot open the COW file '%s'", o->cow);

	int ret = st.st_size == 0 ? cow_create(p->cow, p->image, p->image_path, e) :
				    cow_check(p->cow, p->image, o->cow, e);

	if (ret == 0)
		cfg->root.upper_fd = p->cow;
	return ret;
}

static int open_image_root(struct places *p, const struct places_options *o,
			   const struct root_spec *spec, struct cage_config *cfg, struct error *e)
{
	const char *path = spec->path;

	if (o->writable && root_read_only(o->fstype ? o->fstype : spec->fstype))
		return err_usage(e, "--writable: '%s' is a %s image, which cannot be written to; keep "
				 "changes with --cow, or make a root of it", path,
				 o->fstype ? o->fstype : spec->fstype);
	p->image = open(path, (o->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (p->image < 0)
		return err_sys(e, errno, "cannot open the image '%s'", path);
	p->image_path = realpath(path, NULL);
	if (!p->image_path)
		return err_sys(e, errno, "cannot resolve '%s'", path);
	cfg->root.kind = CAGE_ROOT_IMAGE;
	cfg->root.fd = p->image;
	cfg->root.image_path = p->image_path;
	cfg->root.fstype = o->fstype ? o->fstype : spec->fstype;
	cfg->root.upper = o->writable ? CAGE_UPPER_NONE : CAGE_UPPER_COW;
	return o->cow ? open_cow(p, o, cfg, e) : 0;
}

/* A share below @dir under a random name, for changes that are thrown away. */
static int make_scratch(struct places *p, struct error *e)
{
	cleanup_free char *dir = NULL;
	int ret = xdg_dir(XDG_CACHE, "scratch", &dir, e);

	if (ret < 0)
		return ret;
	p->scratch_dir = xasprintf("%s/%016llx", dir, (unsigned long long)random_u64());
	return share_create(&p->upper, p->scratch_dir, e);
}

/* The same, with what a snapshot has of the root. */
static int make_scratch_of(struct places *p, const char *snapshot, struct error *e)
{
	cleanup_snapshot struct snapshot s = SNAPSHOT_INIT;
	cleanup_share struct share from = SHARE_INIT;
	cleanup_free char *layer = NULL;
	int ret = snapshot_find(&s, snapshot, e);

	if (ret < 0)
		return ret;
	layer = snapshot_layer(&s);
	if (!layer)
		return err_usage(e, "--snapshot: '%s' is of a disk image; 'umlcage session restore' brings "
				 "it back", snapshot);
	ret = make_scratch(p, e);
	if (ret == 0)
		ret = share_open(&from, layer, SHARE_PEEK, e);
	if (ret == 0)
		ret = share_copy(from.fd, p->upper.fd, e);
	if (ret == 0 && changes_bind(&p->upper, snapshot, &p->root, NULL) < 0)
		ret = err_set(e, ESTALE, "the snapshot '%s' does not fit '%s': it is of another root, or "
			      "that was written to, or made again, since", snapshot, p->root.path);
	return ret;
}

/* What killed runs left. */
static void sweep_scratch(void)
{
	cleanup_free char *dir = NULL;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_close int fd = -1;

	if (xdg_dir(XDG_CACHE, "scratch", &dir, NULL) < 0)
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dir_names(fd, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_close int s = openat(fd, names.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (s >= 0 && share_is_abandoned(s))
			(void)remove_tree(fd, names.v[i], NULL);
	}
}

/*
 * The changes kept as @name, if they are of this root.  An empty folder without a record is of a
 * run that was killed when it had just made it.
 */
static int open_kept(struct places *p, const char *name, struct error *e)
{
	cleanup_free char *path = NULL;
	int ret = root_path(STORE_CHANGES, name, &path, e);

	if (ret < 0)
		return ret;
	if (share_is_share(AT_FDCWD, path)) {
		ret = share_open(&p->upper, path, SHARE_WRITE, e);
	} else {
		ret = share_create(&p->upper, path, e);
		if (ret == 0) {
			remains_add(path);
			p->made = xstrdup(path);
		}
	}
	if (ret == 0)
		ret = changes_bind(&p->upper, name, &p->root, e);
	return ret < 0 ? ret : share_mark_dirty(&p->upper, e);
}

static int open_upper(struct places *p, const struct places_options *o,
		      struct cage_config *cfg, struct error *e)
{
	bool disk = o->scratch && strcmp(o->scratch, "disk") == 0;
	int ret;

	if (cfg->root.kind != CAGE_ROOT_SHARE || o->writable || o->commit || o->commit_path)
		return o->keep ? err_usage(e, "--keep goes with a root that is neither written nor "
					   "committed nor a disk image; for an image use --cow") :
		       o->snapshot ? err_usage(e, "--snapshot goes with a root that is a share") : 0;
	if (!o->keep && !o->snapshot && !disk)
		return 0;
	sweep_scratch();
	ret = o->keep ? open_kept(p, o->keep, e) :
	      o->snapshot ? make_scratch_of(p, o->snapshot, e) : make_scratch(p, e);
	if (ret < 0)
		return ret;
	cfg->root.upper = CAGE_UPPER_SHARE;
	cfg->root.upper_fd = p->upper.fd;
	return 0;
}

int places_check(const struct places_options *o, bool made, struct error *e)
{
	cleanup_strv struct strv kept = STRV_INIT;
	struct stat st;
	int ret = 0;

	if (o->cow && (o->keep || o->commit))
		return err_usage(e, "--cow is for disk images, --keep and --commit are for shares");
	if (o->writable && (o->keep || o->commit || o->cow))
		return err_usage(e, "--writable writes to the root itself: --keep, --commit and --cow "
				 "have nothing to do");
	if (o->snapshot && (o->keep || o->cow || o->writable || o->commit))
		return err_usage(e, "--snapshot begins with changes that are thrown away at the end: it "
				 "does not go with --keep, --commit, --cow or --writable");
	if (o->scratch && strcmp(o->scratch, "disk") != 0 && strcmp(o->scratch, "memory") != 0)
		return err_usage(e, "--scratch: '%s' is neither 'memory' nor 'disk'", o->scratch);
	if (o->keep && root_check_name(o->keep, e) < 0)
		return err_wrap(e, "--keep");
	if (o->commit && root_check_name(o->commit, e) < 0)
		return err_wrap(e, "--commit");
	ret = places_check_mounts("--share", &o->shares, true, e);
	if (ret == 0)
		ret = places_check_mounts("--bind", &o->binds, false, e);
	if (ret < 0)
		return ret;
	if (!made && root_names(STORE_ROOTS, &kept, NULL) == 0 &&
	    !strv_has(&kept, o->root) && stat(o->root, &st) < 0)
		return root_absent(STORE_ROOTS, o->root, e);
	if (o->cow && (made || strv_has(&kept, o->root) ||
		       (stat(o->root, &st) == 0 && S_ISDIR(st.st_mode))))
		return err_usage(e, "--cow is for disk images, and '%s' is a share; use --keep", o->root);
	return 0;
}

int places_open(struct places *p, const struct places_options *o, const struct root_spec *spec,
		struct cage_config *cfg, struct error *e)
{
	int ret;

	if (spec->cached && o->writable)
		return err_usage(e, "--writable: '%s' is kept unpacked in the cache and stays as it "
				 "is; import it with 'umlcage root import' first", o->root);
	if (spec->kind != ROOT_IMAGE && o->cow)
		return err_usage(e, "--cow is for disk images, and '%s' is not one; use --keep", o->root);
	if (spec->kind == ROOT_IMAGE && o->commit)
		return err_usage(e, "--commit needs a root that is a share; for an image use --cow");
	if (spec->kind == ROOT_IMAGE)
		ret = open_image_root(p, o, spec, cfg, e);
	else if (o->commit || o->commit_path)
		ret = open_commit(p, o, spec->path, cfg, e);
	else
		ret = open_share_root(p, o, spec->path, cfg, e);
	if (ret == 0)
		ret = open_upper(p, o, cfg, e);
	for (size_t i = 0; ret == 0 && i < o->shares.n; i++)
		ret = places_add_share(p, o->shares.v[i], !o->sync, e);
	for (size_t i = 0; ret == 0 && i < o->binds.n; i++)
		ret = places_add_bind(p, o->binds.v[i], e);
	cfg->root.nosync = !o->sync;
	cfg->mounts = p->mounts;
	cfg->nmounts = p->nmounts;
	return ret;
}

void places_up(struct places *p)
{
	if (p->made)
		remains_drop(p->made);
	free_ptr(&p->made);
}

int places_finish(struct places *p, bool succeeded, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < p->nmounts; i++)
		for (size_t j = 0; ret == 0 && j < p->nshares; j++)
			if (p->mounts[i].fd == p->shares[j].fd && !p->mounts[i].read_only)
				ret = share_mark_clean(&p->shares[j], e);
	if (ret == 0 && p->upper.fd >= 0 && !p->scratch_dir)
		ret = share_mark_clean(&p->upper, e);
	if (ret == 0 && p->commit.dir && succeeded)
		ret = share_stage_commit(&p->commit, e);
	if (ret == 0 && p->root_written)
		ret = share_mark_clean(&p->root, e);
	return ret;
}

void places_close(struct places *p)
{
	for (size_t i = 0; i < p->nmounts; i++) {
		if (p->mounts[i].plain)
			close_fd(&p->mounts[i].fd);
		free(p->wheres[i]);
	}
	for (size_t i = 0; i < p->nshares; i++)
		share_close(&p->shares[i]);
	if (p->scratch_dir)
		(void)remove_tree(AT_FDCWD, p->scratch_dir, NULL);
	share_stage_abort(&p->commit);
	share_close(&p->upper);
	/* nobody has written anything to it */
	if (p->made)
		(void)share_discard(p->made, NULL);
	places_up(p);
	share_close(&p->root);
	close_fd(&p->image);
	close_fd(&p->cow);
	free(p->shares);
	free(p->mounts);
	free(p->wheres);
	free_ptr(&p->image_path);
	free_ptr(&p->scratch_dir);
}

void places_options_release(struct places_options *o)
{
	strv_release(&o->shares);
	strv_release(&o->binds);
}
