// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copying a source tree that the user has: it is never built in, and whatever an
 * earlier build left in it stays behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-config/tree.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/str.h"

/* What make leaves in a tree: its own folders, and files by their ending. */
static const char *const made_folders[] = {
	"include/generated", "include/config", "arch/um/include/generated",
	"arch/x86/include/generated",
};
static const char *const made_endings[] = { ".o", ".a", ".ko", ".mod", ".order", ".orig", ".rej" };

static bool made(const char *path, const char *name)
{
	if (*name == '.')
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(made_folders); i++)
		if (str_eq(path, made_folders[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(made_endings); i++)
		if (str_ends(name, made_endings[i]))
			return true;
	return str_eq(path, "vmlinux") || str_eq(path, "linux");
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Calls @each for every file and link worth having, in an order that is always the same. */
static int walk(const struct exclude *x, const char *from,
		int (*each)(const char *path, const FTSENT *f, void *arg, struct error *e),
		void *arg, struct error *e)
{
	cleanup_free char *top = realpath(from, NULL);
	int ret = 0;

	if (!top)
		return err_sys(e, errno, "cannot read '%s'", from);

	char *roots[] = { top, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	size_t skip = strlen(top) + 1;

	if (!fts)
		return err_sys(e, errno, "cannot read '%s'", from);
	for (FTSENT *f; ret == 0 && (errno = 0, f = fts_read(fts)) != NULL;) {
		const char *path = f->fts_level > 0 ? f->fts_path + skip : "";

		if (f->fts_level == 0 && f->fts_info != FTS_ERR && f->fts_info != FTS_DNR)
			continue;
		if (interrupted())
			ret = err_set(e, EINTR, "interrupted");
		else if (f->fts_info == FTS_ERR || f->fts_info == FTS_DNR || f->fts_info == FTS_NS)
			ret = err_sys(e, f->fts_errno, "cannot read '%s'", f->fts_path);
		else if (f->fts_info != FTS_DP && made(path, f->fts_name))
			(void)fts_set(fts, f, FTS_SKIP);
		else if ((f->fts_info == FTS_F || f->fts_info == FTS_SL ||
			  f->fts_info == FTS_SLNONE) && !exclude_match(x, path))
			ret = each(path, f, arg, e);
	}
	if (ret == 0 && errno)
		ret = err_sys(e, errno, "cannot read '%s'", from);
	(void)fts_close(fts);
	return ret;
}

static int copy_bytes(int from, int to)
{
	char buffer[65536];
	ssize_t got;

	do
		got = copy_file_range(from, NULL, to, NULL, 1 << 30, 0);
	while (got > 0);
	if (got == 0 || (errno != EXDEV && errno != EINVAL && errno != ENOSYS &&
			 errno != EOPNOTSUPP && errno != EPERM))
		return got == 0 ? 0 : -errno;
	while ((got = read(from, buffer, sizeof(buffer))) > 0) {
		int ret = write_full(to, buffer, (size_t)got);

		if (ret < 0)
			return ret;
	}
	return got < 0 ? -errno : 0;
}

static int copy_one(const char *path, const FTSENT *f, void *arg, struct error *e)
{
	struct tree *t = arg;

	if (f->fts_info != FTS_F) {
		char target[4096];
		ssize_t n = readlink(f->fts_accpath, target, sizeof(target) - 1);

		if (n < 0)
			return err_sys(e, errno, "cannot read link '%s'", f->fts_path);
		target[n] = '\0';
		return tree_symlink(t, path, target, e);
	}

	cleanup_close int from = open(f->fts_accpath, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (from < 0)
		return err_sys(e, errno, "cannot read '%s'", f->fts_path);

	cleanup_close int to = tree_create(t, path, f->fts_statp->st_mode, e);

	if (to < 0)
		return to;

	int ret = copy_bytes(from, to);

	t->bytes += (uint64_t)f->fts_statp->st_size;
	progress_step(t->progress, t->files, 0, path);
	return ret < 0 ? err_sys(e, -ret, "cannot copy '%s'", f->fts_path) : 0;
}

int tree_copy(struct tree *t, const char *from, struct error *e)
{
	return walk(t->exclude, from, copy_one, t, e);
}

static int identify_one(const char *path, const FTSENT *f, void *arg, struct error *e)
{
	struct hash *h = arg;
	int64_t v[3] = { f->fts_statp->st_size, f->fts_statp->st_mtim.tv_sec,
			 f->fts_statp->st_mtim.tv_nsec };

	(void)e;
	hash_add_field(h, path);
	hash_add(h, v, sizeof(v));
	return 0;
}

int tree_identity(const struct exclude *x, const char *from, char **id, struct error *e)
{
	struct hash h = { NULL };
	int ret;

	*id = xmalloc(SHA256_HEX + 1);
	hash_start(&h);
	ret = walk(x, from, identify_one, &h, e);
	hash_end(&h, *id);
	hash_release(&h);
	if (ret < 0)
		free_ptr(id);
	return ret;
}
