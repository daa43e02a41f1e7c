// SPDX-License-Identifier: GPL-2.0-or-later
/* Archives that become roots: see roots.h.  Apart from the rest, which needs no libarchive. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/oci/oci.h"
#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/roots/private.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

/*
 * An archive of a folder with a root filesystem in it, "rootfs/etc/...", is meant to be the
 * root filesystem: what is in the only folder there is moves up, if it looks like one.
 */
static int lift(struct share *s, const char *name, struct progress *progress, struct error *e)
{
	static const char *const signs[] = { "etc", "usr", "bin" };
	cleanup_share_tree struct share_tree *t = NULL;
	cleanup_strv struct strv names = STRV_INIT, inner = STRV_INIT;
	cleanup_close int fd = -1;
	struct share_attr a;
	size_t found = 0;
	int ret = dir_names(s->fd, &names, e);

	if (ret < 0 || names.n != 1)
		return ret;
	fd = openat(s->fd, names.v[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (size_t i = 0; fd >= 0 && i < ARRAY_SIZE(signs); i++)
		found += faccessat(fd, signs[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (found < 2 || faccessat(fd, names.v[0], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	progress_note(progress, "'%s': all of it is in the folder '%s', which is taken for the root",
		      name, names.v[0]);
	t = share_tree_new(s->fd, SHARE_REPLACE);
	ret = share_stat(t, names.v[0], &a, e);
	if (ret == 0)
		ret = dir_names(fd, &inner, e);
	for (size_t i = 0; ret == 0 && i < inner.n; i++)
		if (renameat2(fd, inner.v[i], s->fd, inner.v[i], RENAME_NOREPLACE) < 0)
			ret = err_sys(e, errno, "cannot move '%s/%s'", names.v[0], inner.v[i]);
	if (ret == 0 && unlinkat(s->fd, names.v[0], AT_REMOVEDIR) < 0)
		ret = err_sys(e, errno, "cannot remove '%s'", names.v[0]);
	if (ret == 0)
		ret = share_mkdir(t, ".", &a, e);
	return ret < 0 ? ret : share_tree_finish(t, e);
}

/* The archive or directory @fd into @stage, which is to become @dir. */
static int unpack(struct share_stage *stage, const char *dir, int fd, const char *name,
		  const struct share_import_opts *opts, const char *tag,
		  struct share_totals *totals, struct error *e)
{
	const struct oci_read_opts read = { .import = *opts, .tag = tag };
	struct share_stage image;
	int ret;

	if (oci_kind(fd) != OCI_NONE)
		return oci_read(fd, name, &read, &stage->share, totals, e);
	ret = share_import(&stage->share, fd, name, opts, totals, e);
	if (ret < 0 || oci_kind(stage->share.fd) == OCI_NONE)
		return ret == 0 && tag ?
		       err_usage(e, "--tag: '%s' is not an image of containers", name) : ret;
	/* the archive was of an image of containers: its layers take its place */
	image = *stage;
	*stage = (struct share_stage)SHARE_STAGE_INIT;
	ret = share_stage_begin(stage, dir, e);
	if (ret == 0)
		ret = oci_read(image.share.fd, name, &read, &stage->share, totals, e);
	share_stage_abort(&image);
	return ret;
}

/*
 * The archive, or the directory with an image of containers, @fd, called @name, as @dir: of
 * several images the one called @tag.  @id: of what is in it, NULL if that is not known; @seal:
 * nobody is to change it.
 */
static int import_to(const char *dir, int fd, const char *name,
		     const struct share_import_opts *opts, const char *tag, const char *id, bool seal,
		     struct share_totals *totals, struct error *e)
{
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	int ret = share_stage_begin(&stage, dir, e);

	if (ret == 0)
		ret = unpack(&stage, dir, fd, name, opts, tag, totals, e);
	if (ret == 0)
		ret = lift(&stage.share, name, opts->progress, e);
	if (ret == 0 && id)
		ret = share_set_id(&stage.share, id, e);
	if (ret == 0 && seal)
		ret = share_seal(&stage.share, e);
	return ret < 0 ? ret : share_stage_commit(&stage, e);
}

/* A copy of the share @from as @dir. */
static int import_share(const char *dir, const char *from, struct error *e)
{
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	cleanup_share struct share s = SHARE_INIT;
	int ret;

	if (!share_is_share(AT_FDCWD, from))
		return err_usage(e, "cannot import '%s': it is a directory, but not a share, and does not "
				 "tell its owners; pack it with tar where they are known", from);
	ret = share_open(&s, from, SHARE_READ, e);
	if (ret == 0)
		ret = share_stage_begin(&stage, dir, e);
	if (ret == 0)
		ret = share_copy(s.fd, stage.share.fd, e);
	return ret < 0 ? ret : share_stage_commit(&stage, e);
}

int root_import(const char *name, const char *archive, const struct share_import_opts *opts,
		const char *tag, struct share_totals *totals, struct error *e)
{
	bool is_stdin = str_eq(archive, "-");
	cleanup_free char *path = NULL, *cache = NULL;
	cleanup_close int fd = -1;
	char hex[SHA256_HEX + 1] = "";
	struct stat st;
	int ret = root_path(STORE_ROOTS, name, &path, e);

	if (ret < 0)
		return ret;
	if (access(path, F_OK) == 0)
		return err_set(e, EEXIST, "there is a root '%s' already", name);
	fd = is_stdin ? dup(0) : open(archive, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", archive);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (oci_kind(fd) != OCI_NONE)
			return import_to(path, fd, archive, opts, tag, NULL, false, totals, e);
		return tag ? err_usage(e, "--tag: '%s' is not an image of containers", archive) :
			     import_share(path, archive, e);
	}
	/* the same archive makes the same root, which kept changes fit */
	if (!is_stdin && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		ret = xdg_dir(XDG_CACHE, "roots", &cache, e);
		if (ret == 0)
			ret = roots_cached_hash(cache, fd, archive, opts->progress, hex, e);
		if (ret < 0)
			return ret;
	}
	return import_to(path, fd, is_stdin ? "standard input" : archive, opts, tag,
			 *hex ? hex : NULL, false, totals, e);
}

/* The cached share r->path of r->archive, which is @name; whoever asks first makes it. */
static int make(const struct root_spec *r, const char *name, struct progress *progress,
		struct error *e)
{
	struct share_import_opts opts = { .progress = progress };
	cleanup_free char *lock = xasprintf("%s.lock", r->path), *dir = NULL;
	cleanup_close int locked = lock_file(AT_FDCWD, lock, true, true, e);
	const char *hex = strrchr(r->path, '/') + 1;
	int ret;

	if (locked < 0)
		return locked;
	dir = xstrndup(r->path, (size_t)(hex - r->path - 1));
	share_stage_sweep(dir, NULL);
	ret = root_check_sealed(r->path);
	if (ret < 0 && ret != -ENOENT && ret != -ESTALE)
		return err_sys(e, -ret, "cannot check '%s'", r->path);
	if (ret == -ESTALE) {
		progress_note(progress, "'%s': its copy in the cache is not what it was, and is made "
			      "again", name);
		ret = share_discard(r->path, e);
		ret = ret < 0 ? ret : -ENOENT;
	}
	if (ret == -ENOENT)
		ret = import_to(r->path, r->archive, name, &opts, NULL, hex, true, NULL, e);
	return ret;
}

int root_resolve(struct root_spec *r, const char *arg, struct progress *progress,
		 struct error *e)
{
	int ret = root_find(r, arg, true, progress, e);

	return ret <= 0 ? ret : make(r, arg, progress, e);
}
