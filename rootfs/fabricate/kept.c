// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roots of the cache that many cages use in place, under overlays, and never write to: kept
 * under what they were made from, so that one is as new as the archive's indexes and is made
 * again only when these change.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/cache/cache.h"
#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

enum { KEY_DIGITS = 16 };	/* of the recipe's key, in the name */

static int folder(char **dir, struct error *e)
{
	return xdg_dir(XDG_CACHE, "tools", dir, e);
}

int fabricate_kept_prepare(struct fab_options *o, struct error *e)
{
	cleanup_free char *dir = NULL;
	int ret = folder(&dir, e);

	if (ret < 0)
		return ret;
	free(o->target);
	free(o->format);
	o->format = xstrdup("directory");
	o->target = xasprintf("%s/.%d.%08x.new", dir, (int)getpid(), (unsigned int)random_u64());
	o->no_cache = true;	/* it is one of its own */
	return 0;
}

/* What a former run made of other indexes is of no use to anybody, once it is a week old. */
static void remove_old(const char *dir, const char *prefix, const char *but)
{
	cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv names = STRV_INIT;

	if (fd < 0 || dir_names(fd, &names, NULL) < 0)
		return;
	share_stage_sweep(dir, NULL);
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *path = path_join(dir, names.v[i]);

		if (str_starts(names.v[i], prefix) && !str_eq(names.v[i], but) &&
		    fabricate_tools_old(path))
			(void)share_discard(path, NULL);
	}
}

/* Whether it is there as it was made: 1, 0; a damaged one is put away. */
static int find(const char *path, struct progress *progress, struct error *e)
{
	struct share s = SHARE_INIT;
	int ret;

	if (!share_is_share(AT_FDCWD, path))
		return 0;
	ret = share_open(&s, path, SHARE_PEEK, e);
	if (ret < 0)
		return ret;
	ret = share_seal_check(&s);
	share_close(&s);
	if (ret == 0)
		return 1;
	if (ret != -ESTALE && ret != -ENODATA)
		return err_sys(e, -ret, "cannot check '%s'", path);
	progress_note(progress, "the root '%s' in the cache is not what it was: making it again", path);
	return share_discard(path, e);
}

static int finish(const char *made, const char *path, struct error *e)
{
	struct share s = SHARE_INIT;
	int ret = fabricate_note_time(made, e);

	if (ret == 0)
		ret = share_open(&s, made, SHARE_READ, e);
	if (ret == 0)
		ret = share_seal(&s, e);
	share_close(&s);
	if (ret == 0 && rename(made, path) < 0)
		ret = err_sys(e, errno, "cannot rename '%s'", made);
	return ret;
}

static int make(struct fab_options *o, const struct machine *machine, const char *kernel,
		struct debian_archive *a, struct progress *progress, const char *path, struct error *e)
{
	struct fabricate_times times = { 0 };
	struct plan plan = PLAN_INIT;
	int ret = plan_make(o, a, progress, &plan, e);

	if (ret == 0)
		ret = fabricate_run(o, &plan, a, machine, kernel, progress, &times, e);
	progress_end(progress);
	strv_release(&times.secrets);
	plan_release(&plan);
	if (ret == 0)
		ret = finish(o->target, path, e);
	if (ret < 0)
		(void)share_discard(o->target, NULL);
	return ret;
}

int fabricate_kept_root(struct fab_options *o, const char *what, const struct machine *machine,
			const struct kernel_info *kernel, struct debian_archive *a,
			struct progress *progress, char **path, struct error *e)
{
	cleanup_free char *dir = NULL, *prefix = NULL, *name = NULL, *full = NULL, *lock_path = NULL;
	cleanup_close int lock = -1;
	struct recipe recipe = { "" };
	int ret = folder(&dir, e);

	if (ret == 0)
		ret = recipe_make(o, a, kernel->key, "", &recipe, e);
	if (ret < 0)
		return ret;
	/* a program that cannot tell whether it has changed makes one each time */
	prefix = xasprintf("%s-%s-", what, o->suite && *o->suite ? o->suite : "any");
	for (char *p = prefix; *p; p++)
		*p = *p == '/' ? '_' : *p;
	name = recipe.key[0] ? xasprintf("%s%.*s", prefix, KEY_DIGITS, recipe.key) :
			       xasprintf("%s%016llx", prefix, (unsigned long long)random_u64());
	full = path_join(dir, name);
	lock_path = xasprintf("%s/.%slock", dir, prefix);
	/* one makes it, the others wait */
	lock = lock_file(AT_FDCWD, lock_path, true, true, e);
	if (lock < 0)
		return lock;
	ret = find(full, progress, e);
	if (ret == 0) {
		progress_note(progress, "making the root '%s'; this is done once, until the archive changes",
			      name);
		ret = make(o, machine, kernel->path, a, progress, full, e);
		remove_old(dir, prefix, name);
	}
	if (ret < 0)
		return err_wrap(e, "cannot make the root '%s'", name);
	*path = steal_ptr(&full);
	return 0;
}
