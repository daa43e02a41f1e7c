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

/* ---- delivering ---- */

/* 1 done, 0 the entry is not what it says, -errno the target cannot be written. */
static int deliver_file(int entry, const char *sha256, struct target *out, struct error *e)
{
	cleanup_close int in = openat(entry, "file", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int r;

	if (in < 0 || fstat(in, &st) < 0 ||
	    hash_matches_noted(in, (uint64_t)st.st_size, sha256) != 1)
		return 0;
	r = target_begin(out, e);
	if (!r)
		r = target_write_file(out, in, e);
	if (!r)
		r = target_commit(out, e);
	target_abort(out);
	return r ? r : 1;
}

static int deliver_share(int entry, struct target *out, struct error *e)
{
	cleanup_share struct share in = SHARE_INIT;
	int r;

	in.fd = openat(entry, "share", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in.fd < 0 || !share_is_share(entry, "share"))
		return 0;
	r = target_begin(out, e);
	if (!r)
		r = target_write(out, &in, NULL, NULL, e);
	if (!r)
		r = target_commit(out, e);
	target_abort(out);
	return r ? r : 1;
}

int tree_cache_deliver(const struct recipe *recipe, struct fab_options *o, struct error *e)
{
	cleanup_close int trees = -1, entry = -1;
	cleanup_strbuf struct strbuf manifest = STRBUF_INIT;
	cleanup_free char *sha256 = NULL;
	int r;

	if (!recipe->key[0])
		return 0;
	r = open_trees(&trees, e);
	if (r)
		return r;
	entry = openat(trees, recipe->key, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (entry < 0 || flock(entry, LOCK_SH | LOCK_NB) < 0 ||
	    file_read(entry, "manifest", 1 << 20, &manifest, NULL))
		return 0;
	interrupt_begin();
	sha256 = manifest_get(&manifest, "sha256");
	r = sha256 ? deliver_file(entry, sha256, &o->out, e) :
		     deliver_share(entry, &o->out, e);
	interrupt_end();
	if (r > 0)
		utimensat(entry, "manifest", NULL, 0);
	return r;
}

/* ---- storing ---- */

static int store_file(int entry, const struct fab_options *o, struct strbuf *manifest,
		      struct error *e)
{
	cleanup_close int in = open(o->target, O_RDONLY | O_CLOEXEC);
	cleanup_close int out = openat(entry, "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	char sha256[SHA256_HEX + 1];
	int r;

	if (in < 0 || out < 0)
		return err_sys(e, errno, "cannot copy '%s'", o->target);
	r = share_copy_file(in, out, e);
	if (!r && (r = hash_fd(out, sha256)))
		r = err_sys(e, -r, "cannot read the copy");
	if (r)
		return r;
	hash_note(out, sha256);
	sb_addf(manifest, "sha256: %s\n", sha256);
	return 0;
}

static int store_share(int entry, const struct fab_options *o, struct error *e)
{
	cleanup_share struct share from = SHARE_INIT;
	cleanup_close int to = -1;
	int r = share_open(&from, o->target, SHARE_READ, e);

	if (r)
		return r;
	if (mkdirat(entry, "share", 0700) < 0 ||
	    (to = openat(entry, "share", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(e, errno, "cannot make a directory");
	r = share_copy(from.fd, to, e);
	/* a tree has no checksum: it has to be on the disk before its manifest */
	if (!r && syncfs(to) < 0)
		r = err_sys(e, errno, "cannot sync");
	return r;
}

static char *describe(const struct fab_options *o)
{
	cleanup_free char *include = strv_join(&o->include, ",");
	cleanup_free char *form = target_form(&o->out);

	return xasprintf("%s %s%s%s, %s", o->suite ? o->suite : "-",
			 fab_variant_name(o->variant), include[0] ? "+" : "", include,
			 form);
}

static int fill(int entry, const struct fab_options *o, struct error *e)
{
	cleanup_strbuf struct strbuf manifest = STRBUF_INIT;
	cleanup_free char *what = describe(o);
	int r;

	sb_addf(&manifest, "what: %s\n", what);
	r = o->out.format->kind == TARGET_DIRECTORY ? store_share(entry, o, e) :
	    store_file(entry, o, &manifest, e);
	return r ? r : file_replace(entry, "manifest", sb_str(&manifest), manifest.len, 0600, e);
}

int tree_cache_store(const struct recipe *recipe, const struct fab_options *o,
		     struct error *e)
{
	cleanup_close int trees = -1, entry = -1;
	cleanup_free char *part = NULL;
	struct stat st;
	uint64_t bytes;
	size_t count;
	int r;

	if (!recipe->key[0] || stat(o->target, &st) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return 0;
	r = open_trees(&trees, e);
	if (r)
		return r;
	part = xasprintf(".%s.%d.part", recipe->key, (int)getpid());
	if (mkdirat(trees, part, 0700) < 0)
		return err_sys(e, errno, "cannot make '%s'", part);
	entry = openat(trees, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (entry < 0 || flock(entry, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, errno, "cannot open '%s'", part);
	interrupt_begin();
	r = fill(entry, o, e);
	if (!r && renameat(trees, part, trees, recipe->key) < 0) {
		/* somebody else has it by now, or a damaged one is in the way */
		remove_tree(trees, recipe->key, NULL);
		if (renameat(trees, part, trees, recipe->key) < 0)
			r = err_sys(e, errno, "cannot rename '%s'", part);
	}
	if (r)
		remove_tree(trees, part, NULL);
	interrupt_end();
	if (!r)
		r = cache_prune("trees", TREE_CACHE_MAX, 0, &bytes, &count, e);
	return r;
}
