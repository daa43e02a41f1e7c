// SPDX-License-Identifier: GPL-2.0-or-later
/* Finished results by recipe: see tree-cache.h. */
#include "rootfs/cache/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/share/share.h"
#include "hostfs-bridge/target/target.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/xdg.h"

static int open_trees(int *fd, struct error *e)
{
	cleanup_free char *dir = NULL;
	int r = xdg_dir(XDG_CACHE, "trees", &dir, e);

	if (r)
		return r;
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, errno, "cannot open '%s'", dir) : 0;
}

/* The value of "name: value" in a manifest; NULL. malloc'ed. */
static char *manifest_get(const struct strbuf *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = sb_str(text); *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strncmp(p, name, len) == 0 && p[len] == ':' && p[len + 1] == ' ')
			return xstrndup(p + len + 2, strcspn(p + len + 2, "\n"));
	return NULL;
}

/* The file of an output that is what the manifest says, open; -1. */
static int open_file(int entry, const struct strbuf *manifest, const char *form)
{
	cleanup_free char *name = xasprintf("file.%s", form), *sha256 = manifest_get(manifest, name);
	cleanup_close int fd = sha256 ? openat(entry, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 ||
	    hash_matches_noted(fd, (uint64_t)st.st_size, sha256) != 1)
		return -1;
	return steal_fd(&fd);
}

/* The tree as a share that is what it was, open for reading: true. */
static bool open_share(int entry, struct share *s)
{
	cleanup_free char *path = xasprintf("/proc/self/fd/%d/share", entry);

	return faccessat(entry, "share", F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	       share_open(s, path, SHARE_READ, NULL) == 0 && share_seal_check(s) == 0;
}

/* ---- delivering ---- */

static int deliver_file(int fd, struct target *out, struct error *e)
{
	int r = target_begin(out, e);

	if (!r)
		r = target_write_file(out, fd, e);
	if (!r)
		r = target_commit(out, e);
	target_abort(out);
	return r;
}

static int deliver_share(struct share *s, struct target *out, struct progress *progress,
			 struct error *e)
{
	int r = target_begin(out, e);

	if (!r)
		r = target_write(out, s, progress, NULL, e);
	if (!r)
		r = target_commit(out, e);
	target_abort(out);
	return r;
}

/* The names of outputs that say all of the tree: tar files, uncompressed ones first. */
static int open_tar(int entry, const struct strbuf *manifest)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, sb_str(manifest), "\n");
	strv_sort(&lines);
	for (size_t i = 0; i < lines.n; i++) {
		cleanup_free char *form = NULL;
		int fd;

		if (!str_starts(lines.v[i], "file.tar"))
			continue;
		form = xstrndup(lines.v[i] + 5, strcspn(lines.v[i] + 5, ":"));
		fd = open_file(entry, manifest, form);
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* From a tar file of the tree: as it is, or by way of a share. */
static int convert(int tar, const char *key, struct target *out, struct progress *progress,
		   struct error *e)
{
	const struct share_import_opts opts = { .progress = progress };
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	cleanup_free char *dir = NULL, *place = NULL;
	int r = target_begin(out, e);

	if (!r)
		r = target_write_archive(out, tar, progress, e);
	if (!r)
		r = target_commit(out, e);
	target_abort(out);
	if (r != -EOPNOTSUPP)
		return r;
	r = xdg_dir(XDG_CACHE, "trees", &dir, e);
	if (r)
		return r;
	place = xasprintf("%s/%.16s-tree", dir, key);
	r = share_stage_begin(&stage, place, e);
	if (!r)
		r = share_import(&stage.share, tar, "a finished tree", &opts, NULL, e);
	return r ? r : deliver_share(&stage.share, out, progress, e);
}

int tree_cache_deliver(const struct recipe *recipe, struct fab_options *o,
		       struct progress *progress, bool *converted, struct error *e)
{
	cleanup_close int trees = -1, entry = -1, fd = -1;
	cleanup_strbuf struct strbuf manifest = STRBUF_INIT;
	cleanup_share struct share share = SHARE_INIT;
	cleanup_free char *form = target_form(&o->out);
	int r;

	*converted = false;
	if (!recipe->key[0])
		return 0;
	r = open_trees(&trees, e);
	if (r)
		return r;
	entry = openat(trees, recipe->key, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (entry < 0 || flock(entry, LOCK_SH | LOCK_NB) < 0 ||
	    file_read(entry, "manifest", 1 << 20, &manifest, NULL))
		return 0;
	/* an output is one file here */
	fd = o->out.details->verity ? -1 : open_file(entry, &manifest, form);
	interrupt_begin();
	if (fd >= 0) {
		r = deliver_file(fd, &o->out, e);
	} else if (open_share(entry, &share)) {
		*converted = o->out.format->kind != TARGET_DIRECTORY;
		r = deliver_share(&share, &o->out, progress, e);
	} else if ((fd = open_tar(entry, &manifest)) >= 0) {
		*converted = true;
		r = convert(fd, recipe->key, &o->out, progress, e);
	} else {
		interrupt_end();
		return 0;
	}
	interrupt_end();
	if (r == 0)
		utimensat(entry, "manifest", NULL, 0);
	return r ? r : 1;
}

/* ---- storing ---- */

static int store_file(int entry, const struct fab_options *o, const char *form,
		      struct strbuf *manifest, struct error *e)
{
	cleanup_free char *name = xasprintf("file.%s", form);
	cleanup_close int in = open(o->target, O_RDONLY | O_CLOEXEC), out = -1;
	char sha256[SHA256_HEX + 1];
	int r;

	(void)unlinkat(entry, name, 0);
	out = openat(entry, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		return err_sys(e, errno, "cannot copy '%s'", o->target);
	r = share_copy_file(in, out, e);
	if (!r && (r = hash_fd(out, sha256)))
		r = err_sys(e, -r, "cannot read the copy");
	if (r)
		return r;
	hash_note(out, sha256);
	sb_addf(manifest, "%s: %s\n", name, sha256);
	return 0;
}

static int store_share(int entry, const struct fab_options *o, struct error *e)
{
	cleanup_share struct share from = SHARE_INIT, to = SHARE_INIT;
	int r = share_open(&from, o->target, SHARE_READ, e);

	if (r)
		return r;
	if (mkdirat(entry, "share", 0700) < 0 ||
	    (to.fd = openat(entry, "share", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(e, errno, "cannot make a directory");
	to.path = xstrdup("share");
	r = share_copy(from.fd, to.fd, e);
	/* a filesystem's own folder was in the target before, and is nothing of the tree */
	if (!r)
		(void)unlinkat(to.fd, "lost+found", AT_REMOVEDIR);
	/* it has to be on the disk before its manifest */
	if (!r)
		r = share_sync(&to, e);
	return r ? r : share_seal(&to, e);
}

static char *describe(const struct fab_options *o)
{
	cleanup_free char *include = strv_join(&o->include, ",");

	return xasprintf("%s %s%s%s", o->suite ? o->suite : "-", fab_variant_name(o->variant),
			 include[0] ? "+" : "", include);
}

/* The output into the directory of the entry, and into its manifest. */
static int add_output(int entry, const struct fab_options *o, struct strbuf *manifest,
		      struct error *e)
{
	cleanup_free char *form = target_form(&o->out);
	int r = o->out.format->kind == TARGET_DIRECTORY ? store_share(entry, o, e) :
		store_file(entry, o, form, manifest, e);

	return r ? r : file_replace(entry, "manifest", sb_str(manifest), manifest->len, 0600, e);
}

/* A further output of a tree that is there: 1, 0 if it is not there or cannot be used. */
static int store_beside(int trees, const struct recipe *recipe, const struct fab_options *o,
			struct error *e)
{
	cleanup_close int entry = openat(trees, recipe->key,
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_strbuf struct strbuf manifest = STRBUF_INIT;
	int r;

	if (entry < 0 || flock(entry, LOCK_EX | LOCK_NB) < 0 ||
	    file_read(entry, "manifest", 1 << 20, &manifest, NULL))
		return 0;
	if (o->out.format->kind == TARGET_DIRECTORY) {
		cleanup_free char *path = xasprintf("/proc/self/fd/%d/share", entry);

		if (share_discard(path, e) < 0)
			return -e->errnum;
	}
	r = add_output(entry, o, &manifest, e);
	return r ? r : 1;
}

/*
 * An entry that is being made, locked.  What is not is of a run that was killed or could not
 * remove it; the folder of all is locked in between, so that none is taken for that.
 */
static int begin_entry(int trees, const char *part, struct error *e)
{
	int entry = -1, ret = 0;

	(void)flock(trees, LOCK_EX);
	if (mkdirat(trees, part, 0700) < 0)
		ret = err_sys(e, errno, "cannot make '%s'", part);
	if (ret == 0) {
		entry = openat(trees, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (entry < 0 || flock(entry, LOCK_EX | LOCK_NB) < 0)
			ret = err_sys(e, errno, "cannot open '%s'", part);
	}
	(void)flock(trees, LOCK_UN);
	if (ret < 0)
		close_fd(&entry);
	return ret < 0 ? ret : entry;
}

static void sweep_entries(int trees)
{
	cleanup_strv struct strv names = STRV_INIT;

	(void)flock(trees, LOCK_EX);
	(void)dir_names(trees, &names, NULL);
	for (size_t i = 0; i < names.n; i++) {
		cleanup_close int entry = -1;

		if (names.v[i][0] != '.' || !str_ends(names.v[i], ".part"))
			continue;
		entry = openat(trees, names.v[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (entry >= 0 && flock(entry, LOCK_EX | LOCK_NB) == 0)
			remove_tree(trees, names.v[i], NULL);
	}
	(void)flock(trees, LOCK_UN);
}

static int store_new(int trees, const struct recipe *recipe, const struct fab_options *o,
		     struct error *e)
{
	cleanup_free char *part = xasprintf(".%s.%08x.part", recipe->key, (unsigned int)random_u64());
	cleanup_strbuf struct strbuf manifest = STRBUF_INIT;
	cleanup_free char *what = describe(o);
	cleanup_close int entry = -1;
	int r;

	entry = begin_entry(trees, part, e);
	if (entry < 0)
		return entry;
	sb_addf(&manifest, "what: %s\n", what);
	r = add_output(entry, o, &manifest, e);
	if (!r && renameat(trees, part, trees, recipe->key) < 0) {
		/* somebody else has it by now, or a damaged one is in the way */
		remove_tree(trees, recipe->key, NULL);
		if (renameat(trees, part, trees, recipe->key) < 0)
			r = err_sys(e, errno, "cannot rename '%s'", part);
	}
	if (r)
		remove_tree(trees, part, NULL);
	return r;
}

int tree_cache_store(const struct recipe *recipe, const struct fab_options *o, bool converted,
		     struct error *e)
{
	cleanup_close int trees = -1;
	struct stat st;
	uint64_t bytes;
	size_t count, held;
	int r;

	if (!recipe->key[0] || o->out.is_stdout || o->out.is_device || stat(o->target, &st) < 0)
		return 0;
	/* several files; the tree is not in there as one */
	if (o->out.format->kind == TARGET_OCI_DIRECTORY || o->out.details->verity)
		return 0;
	r = open_trees(&trees, e);
	if (r)
		return r;
	sweep_entries(trees);
	interrupt_begin();
	r = converted ? store_beside(trees, recipe, o, e) : 0;
	if (!r)
		r = store_new(trees, recipe, o, e);
	interrupt_end();
	return r < 0 ? r : cache_prune("trees", TREE_CACHE_MAX, 0, &bytes, &count, &held, e);
}
