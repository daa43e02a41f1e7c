// SPDX-License-Identifier: GPL-2.0-or-later
/* A whole fabrication: see request.h. */
#include "rootfs/fabricate/fabricate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "kernel-config/kernel.h"
#include "rootfs/cache/cache.h"
#include "rootfs/debian/debian.h"
#include "rootfs/fabricate/private.h"
#include "rootfs/plan/plan.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

static void summary(struct progress *progress, int64_t planning,
		    const struct fabricate_times *t)
{
	progress_note(progress, "%zu packages in %.1f s: planning %.1f, fetching and unpacking %.1f, "
		      "boot %.1f, configuring %.1f, cleaning up %.1f, exporting %.1f", t->packages,
		      (double)(planning + t->total) / 1000, (double)planning / 1000,
		      (double)t->unpack / 1000, (double)t->boot / 1000,
		      (double)t->configure / 1000, (double)t->cleanup / 1000,
		      (double)t->export / 1000);
}

/* One tree's keys are for no other: it is not kept, unless that is what is wanted. */
static void forget_secrets(const struct fab_options *o, const struct strv *secrets,
			   struct recipe *recipe, struct progress *progress)
{
	if (!secrets->n || o->cache_keys || !recipe->key[0])
		return;
	recipe->key[0] = '\0';
	progress_note(progress, "not kept in the cache, since it holds keys that were made for it alone "
		      "('%s'%s); --cache-keys keeps it all the same", secrets->v[0],
		      secrets->n > 1 ? ", ..." : "");
}

static int cook(const struct fab_options *o, const struct machine *machine,
		const struct debian_archive *a, const struct kernel_info *kernel, struct recipe *recipe,
		struct error *e)
{
	cleanup_free char *network = machine_network(machine);

	return recipe_make(o, a, kernel->key, network, recipe, e);
}

/* Plans and makes it; the recipe is completed if the kernel had to be built. */
static int make(struct fab_options *o, const struct machine *machine,
		struct debian_archive *a, struct kernel_info *kernel,
		struct recipe *recipe, struct progress *progress, int64_t start, struct error *e)
{
	struct fabricate_times times = { 0 };
	struct plan plan = PLAN_INIT;
	int64_t planning;
	int r;

	progress_stage(progress, "planning", 0);
	/* setup hooks may bring the sources */
	r = o->nsources ? plan_make(o, a, progress, &plan, e) :
	    o->hooks[FAB_HOOK_SETUP].n ? 0 : fabricate_need_sources(o, e);
	progress_end(progress);
	planning = clock_ms() - start;
	if (!r && !kernel->path &&
	    (fabricate_needs_cage(o, &plan) || o->hooks[FAB_HOOK_SETUP].n)) {
		r = machine_kernel(machine, NULL, true, progress, kernel, e);
		if (r >= 0)
			r = cook(o, machine, a, kernel, recipe, e);
	}
	if (!r)
		r = target_room(&o->out, plan.installed_kb * 1024, e);
	if (!r)
		r = target_prepare(&o->out, progress, e);
	if (!r)
		r = fabricate_run(o, &plan, a, machine, kernel->path, progress, &times, e);
	if (!r && times.replanned)
		recipe->key[0] = '\0';
	if (!r)
		summary(progress, planning, &times);
	if (!r)
		forget_secrets(o, &times.secrets, recipe, progress);
	strv_release(&times.secrets);
	plan_release(&plan);
	return r;
}

/* The log is this request's, whatever comes of it; what runs in cages appends to it. */
static int begin_log(const struct fab_options *o, struct error *e)
{
	cleanup_close int fd = -1;

	if (!o->logfile)
		return 0;
	fd = open(o->logfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? err_sys(e, errno, "cannot write the log '%s'", o->logfile) : 0;
}

static void log_line(const struct fab_options *o, const char *line)
{
	cleanup_close int fd = o->logfile ? open(o->logfile, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (fd >= 0)
		(void)write_full(fd, line, strlen(line));
}

/*
 * Of equal requests one is carried out at a time; the others wait, and then the cache has the
 * answer.  One file does for all: a request's place in it follows from its recipe.  Returns a
 * descriptor, which holds the lock; *@waited says whether it was somebody else's.
 */
static int enter_request(const struct recipe *recipe, struct progress *progress, bool *waited,
			 struct error *e)
{
	cleanup_free char *dir = NULL, *path = NULL, *digits = xstrndup(recipe->key, 15);
	struct flock place = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
			       .l_start = (off_t)strtoull(digits, NULL, 16) };
	int r = xdg_dir(XDG_CACHE, "work", &dir, e);
	cleanup_close int fd = -1;

	if (r)
		return r;
	path = path_join(dir, "lock");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", path);
	if (fcntl(fd, F_OFD_SETLK, &place) == 0)
		return steal_fd(&fd);
	*waited = true;
	progress_note(progress, "the same is being made already; waiting for it");
	while (fcntl(fd, F_OFD_SETLKW, &place) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot lock '%s'", path);
	return steal_fd(&fd);
}

/* From the cache: 1, and 0 if it has nothing. */
static int deliver(struct fab_options *o, const struct recipe *recipe,
		   struct progress *progress, int64_t start, struct error *e)
{
	cleanup_error struct error kept = ERROR_INIT;
	bool converted;
	int r = o->no_cache ? 0 : tree_cache_deliver(recipe, o, progress, &converted, e);

	if (r > 0) {
		progress_note(progress, "unchanged since it was last made: %s in %.1f s",
			      converted ? "converted from the tree in the cache" :
			      "copied from the cache", (double)(clock_ms() - start) / 1000);
		if (converted && tree_cache_store(recipe, o, true, &kept))
			progress_warn(progress, "the result is not kept in the cache: %s",
				      err_text(&kept));
		log_line(o, "unchanged since it was last made: copied from the cache\n");
	}
	return r;
}

static int fabricate(struct fab_options *o, const struct machine *machine,
		     struct debian_archive *a, struct progress *progress, int64_t start,
		     struct error *e)
{
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	cleanup_error struct error kept = ERROR_INIT;
	cleanup_close int lock = -1;
	struct recipe recipe = { "" };
	bool waited = false;
	int r = machine_kernel(machine, NULL, false, progress, &kernel, e);

	if (!r)
		r = cook(o, machine, a, &kernel, &recipe, e);
	if (!r)
		r = deliver(o, &recipe, progress, start, e);
	if (r)
		return r < 0 ? r : 0;
	if (!o->no_cache && recipe.key[0]) {
		lock = enter_request(&recipe, progress, &waited, e);
		if (lock < 0)
			return lock;
		r = waited ? deliver(o, &recipe, progress, start, e) : 0;
		if (r)
			return r < 0 ? r : 0;
	}
	r = make(o, machine, a, &kernel, &recipe, progress, start, e);
	if (r == -ESTALE) {
		/* the mirror moved on between its index and a package */
		progress_note(progress, "%s; planning again", err_text(e));
		err_release(e);
		r = debian_archive_update(a, e);
		if (!r)
			r = cook(o, machine, a, &kernel, &recipe, e);
		if (!r)
			r = make(o, machine, a, &kernel, &recipe, progress, start, e);
	}
	if (!r && !o->no_cache && tree_cache_store(&recipe, o, false, &kept))
		progress_warn(progress, "the result is not kept in the cache: %s", err_text(&kept));
	return r;
}

int fabricate_request(struct fab_options *o, const struct machine *machine,
		      struct progress *progress, struct error *e)
{
	cleanup_debian_archive struct debian_archive *a = NULL;
	int64_t start = clock_ms();
	int r = begin_log(o, e);

	if (!r)
		r = plan_open_archive(o, progress, &a, e);
	if (!r)
		r = debian_archive_update(a, e);
	progress_end(progress);
	return r ? r : fabricate(o, machine, a, progress, start, e);
}

/* ---- tools ---- */

static int make_tools(const char *suite, const char *include, const char *mirror,
		      const struct machine *machine, const char *path, struct progress *progress,
		      struct error *e)
{
	struct fab_options o;
	int r;

	fab_options_init(&o);
	o.suite = xstrdup(suite);
	o.target = xstrdup(path);
	o.variant = FAB_REQUIRED;
	o.format = xstrdup("directory");
	o.no_cache = true;	/* it is one of its own */
	if (mirror)
		strv_add(&o.mirrors, mirror);
	r = fab_options_include(&o, include, e);
	if (!r)
		r = fab_options_resolve(&o, progress, e);
	if (!r)
		r = fabricate_request(&o, machine, progress, e);
	fab_options_release(&o);
	return r;
}

int fabricate_note_time(const char *path, struct error *e)
{
	cleanup_free char *text = xasprintf("%lld", (long long)time(NULL));

	return setxattr(path, FABRICATE_MADE_XATTR, text, strlen(text), 0) < 0 ?
		err_sys(e, errno, "cannot note the age of '%s'", path) : 0;
}

/* Unless a cage runs on it; then the next renewal does it. */
static void remove_unused(const char *path)
{
	struct share s = SHARE_INIT;

	if (!share_is_share(AT_FDCWD, path)) {
		(void)remove_tree(AT_FDCWD, path, NULL);
		return;
	}
	if (share_open(&s, path, SHARE_WRITE, NULL) < 0)
		return;
	(void)remove_tree(AT_FDCWD, path, NULL);
	share_close(&s);
}

/*
 * Whether it is there as it was made: 1, 0.  One of former times, without a seal, is sealed
 * now; one that was changed is put away.
 */
static int find_tools(const char *path, struct progress *progress, struct error *e)
{
	cleanup_share struct share s = SHARE_INIT;
	int r;

	if (!share_is_share(AT_FDCWD, path))
		return 0;
	r = share_open(&s, path, SHARE_PEEK, e);
	if (r)
		return r;
	r = share_seal_check(&s);
	if (r == -ENODATA)
		r = share_seal(&s, e);
	if (r == 0)
		return 1;
	if (r != -ESTALE)
		return e->errnum ? r : err_sys(e, -r, "cannot check '%s'", path);
	progress_note(progress, "the root with the tools in the cache is not what it was");
	share_close(&s);
	return share_discard(path, e);
}

static int seal_tools(const char *path, struct error *e)
{
	cleanup_share struct share s = SHARE_INIT;
	int r = share_open(&s, path, SHARE_READ, e);

	return r ? r : share_seal(&s, e);
}

/* Makes it anew beside what there is, and lets the two change places. */
static int renew_tools(const char *suite, const char *include, const char *mirror,
		       const struct machine *machine, const char *dir, const char *name,
		       struct progress *progress, struct error *e)
{
	cleanup_free char *full = path_join(dir, name);
	/* of one that was in use at the time of the last renewal */
	cleanup_free char *old = xasprintf("%s/.%s.old", dir, name);
	cleanup_free char *next = xasprintf("%s/.%s.new", dir, name);
	int r;

	remove_unused(old);
	remove_unused(next);
	r = make_tools(suite, include, mirror, machine, next, progress, e);
	if (!r)
		r = fabricate_note_time(next, e);
	if (!r)
		r = seal_tools(next, e);
	if (!r && rename(full, old) < 0 && errno != ENOENT)
		r = err_sys(e, errno, "cannot replace '%s'", full);
	if (!r && rename(next, full) < 0)
		r = err_sys(e, errno, "cannot replace '%s'", full);
	remove_unused(old);
	return r;
}

int fabricate_tools_root(const char *suite, const char *include, const char *mirror,
			 const struct machine *machine, struct progress *progress, char **path,
			 struct error *e)
{
	cleanup_free char *own = suite ? xstrdup(suite) : fabricate_host_suite();
	cleanup_free char *full = NULL, *lock_path = NULL;
	cleanup_close int lock = -1;
	cleanup_free char *dir = NULL;
	const char *name;
	bool there;
	int r = fabricate_tools_find(suite, include, true, &full, e);

	if (r < 0)
		return r;
	name = strrchr(full, '/') + 1;
	dir = xstrndup(full, (size_t)(name - full - 1));
	lock_path = path_join(dir, "lock");
	/* one makes it, the others wait */
	lock = lock_file(AT_FDCWD, lock_path, true, true, e);
	if (lock < 0)
		return lock;
	r = find_tools(full, progress, e);
	if (r < 0)
		return r;
	there = r > 0;
	r = 0;
	if (!there || fabricate_tools_old(full)) {
		progress_note(progress, "%s a root with the tools (%s%s%s); this is done %s",
			      there ? "renewing" : "making", own, *include ? ", " : "", include,
			      there ? "once a week" : "once");
		r = renew_tools(own, include, mirror, machine, dir, name, progress, e);
	}
	if (r && there && r != -EINTR) {
		progress_warn(progress, "the root with the tools is old and could not be renewed: %s",
			      err_text(e));
		err_release(e);
		r = 0;
	}
	if (r)
		return err_wrap(e, "cannot make the root with the tools");
	*path = steal_ptr(&full);
	return 0;
}
