// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a plan to a finished target: a crew of threads fetches and unpacks packages, the cage
 * configures them, and the share becomes the target: itself, as a directory, or an archive.
 */
#include "rootfs/fabricate/fabricate.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostfs-bridge/target/target.h"
#include "rootfs/cache/cache.h"
#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

int fabricate_tools(struct fabricate *f, struct error *e)
{
	struct plan base = *f->plan;
	struct fabricate t = { .o = f->o, .plan = &base, .archive = f->archive,
			       .progress = f->progress, .share = &f->tools.share };
	int ret;

	if (f->tools.path)
		return 0;
	ret = work_begin(&f->tools, e);
	base.n = base.nbase;
	if (ret == 0)
		ret = fabricate_setup(&t, e);
	if (ret == 0)
		ret = crew_begin(&t, true, e);
	if (ret == 0)
		ret = crew_base(&t, e);
	if (ret == 0)
		ret = crew_end(&t, e);
	crew_stop(&t);
	unpack_free(t.unpack);
	strv_release(&t.dirs);
	strv_release(&t.links);
	return ret < 0 ? err_wrap(e, "cannot make a root for hooks") : 0;
}

/* ---- in the cage ---- */

static bool any_hooks(const struct fab_options *o)
{
	for (size_t i = FAB_HOOK_EXTRACT; i < FAB_HOOK_WHEN_MAX; i++)
		if (o->hooks[i].n)
			return true;
	return false;
}

bool fabricate_needs_cage(const struct fab_options *o, const struct plan *plan)
{
	if (o->variant == FAB_EXTRACT)
		return o->hooks[FAB_HOOK_EXTRACT].n > 0;
	return plan->n > 0 || any_hooks(o);
}

static int in_cage(struct fabricate *f, struct fabricate_times *times, struct error *e)
{
	int64_t start = clock_ms();
	int ret;

	progress_stage(f->progress, "configuring", f->plan->n);
	ret = hooks_run(f, FAB_HOOK_EXTRACT, e);
	if (ret == 0 && f->o->variant != FAB_EXTRACT) {
		ret = configure_base(f, e);
		if (ret == 0)
			ret = hooks_run(f, FAB_HOOK_ESSENTIAL, e);
		if (ret == 0)
			ret = configure_rest(f, e);
		if (ret == 0)
			ret = hooks_run(f, FAB_HOOK_CUSTOMIZE, e);
	}
	if (ret == 0)
		ret = cage_leave(f, e);
	guest_free(&f->guest);
	guest_free(&f->next);
	times->boot = f->booting;
	times->configure = clock_ms() - start - times->boot;
	return ret;
}

/* The tree, from nothing to what is exported. */
static int make_tree(struct fabricate *f, struct fabricate_times *times, struct error *e)
{
	int64_t start = clock_ms();
	int ret = fabricate_setup(f, e);

	if (ret == 0)
		ret = hooks_run(f, FAB_HOOK_SETUP, e);
	if (ret == 0 && f->o->hooks[FAB_HOOK_SETUP].n)
		ret = fabricate_check_setup(f, e);
	if (ret == 0) {
		progress_stage(f->progress, "fetching and unpacking", f->plan->n);
		ret = crew_begin(f, f->o->variant == FAB_EXTRACT || f->reinstall, e);
	}
	if (ret == 0 && f->plan->nbase && f->o->variant != FAB_EXTRACT)
		cage_foresee(f, false);
	if (ret == 0)
		ret = crew_base(f, e);
	if (ret == 0)
		ret = fabricate_prepare(f, e);
	times->unpack = clock_ms() - start;
	if (ret == 0 && fabricate_needs_cage(f->o, f->plan))
		ret = in_cage(f, times, e);
	if (ret == 0)
		ret = crew_end(f, e);
	if (ret == 0 && interrupted())
		ret = err_set(e, EINTR, "interrupted");
	start = clock_ms();
	if (ret == 0)
		ret = fabricate_unprepare(f, e);
	if (ret == 0 && !fab_skips(f->o, "cleanup"))
		ret = fabricate_cleanup(f, e);
	times->cleanup = clock_ms() - start;
	return ret;
}

/* ---- the target ---- */

static void *remove_work(void *arg)
{
	work_end(arg);
	return NULL;
}

/* The disk has its time to take the archive while the tree, which is in it now, goes. */
static int commit_target(struct target *out, struct work *work, struct error *e)
{
	pthread_t thread;
	bool beside = work->path && pthread_create(&thread, NULL, remove_work, work) == 0;
	int ret = target_commit(out, e);

	if (beside)
		pthread_join(thread, NULL);
	return ret;
}

/* The tree is made where it shall be, or in a share of its own and then written. */
static int make_target(struct fabricate *f, struct target *out, struct fabricate_times *times,
		       struct error *e)
{
	cleanup_work struct work work = WORK_INIT, rest_work = WORK_INIT;
	cleanup_share_stage struct share_stage rest_stage = SHARE_STAGE_INIT;
	int64_t start;
	int ret = target_begin(out, e);

	if (ret == 0 && !target_share(out))
		ret = work_begin(&work, e);
	/* the second stage waits beside the tree, on the same filesystem; setup hooks may make one */
	if (ret == 0 && (f->plan->n > f->plan->nbase || f->o->hooks[FAB_HOOK_SETUP].n))
		ret = target_share(out) ? share_stage_begin(&rest_stage, f->o->target, e) :
					  work_begin(&rest_work, e);
	if (ret < 0)
		return ret;
	f->share = target_share(out) ? target_share(out) : &work.share;
	f->stage = target_share(out) ? &rest_stage.share : &rest_work.share;
	ret = make_tree(f, times, e);
	start = clock_ms();
	if (ret == 0 && !f->o->no_cache)
		tree_secrets(f->share->fd, &times->secrets);
	if (ret == 0)
		ret = target_write(out, f->share, f->progress, NULL, e);
	if (ret == 0)
		ret = commit_target(out, &work, e);
	f->share = NULL;
	crew_stop(f);
	target_abort(out);
	times->export = clock_ms() - start;
	return ret;
}

/* Those of the tree's architectures, and those that are asked for besides. */
static int get_emulators(struct fabricate *f, struct error *e)
{
	const struct strv *lists[] = { &f->o->architectures, &f->machine->emulate };
	cleanup_free char *suite = fabricate_host_suite();
	int ret = 0;

	if (!fabricate_needs_cage(f->o, f->plan) && !f->o->hooks[FAB_HOOK_SETUP].n)
		return 0;
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		for (size_t i = 0; i < lists[k]->n && ret == 0; i++)
			if (!str_eq(lists[k]->v[i], debian_native_architecture()))
				ret = emulate_ensure(&f->emulators, lists[k]->v[i], suite, NULL,
						     f->progress, e);
	return ret;
}

/* Which packages it was made of. */
static int write_list(const struct fabricate *f, struct error *e)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < f->plan->n; i++) {
		const struct plan_package *p = &f->plan->packages[i];
		cleanup_free char *address = p->uri ? debian_address(f->archive, p->uri, p->path) :
						      xstrdup(p->path);

		str_hide_passwords(address);
		sb_addf(&out, "%s %llu %s %s %s %s\n", p->sum, (unsigned long long)p->size, p->name,
			p->version, p->arch, address);
	}
	return file_replace(AT_FDCWD, f->o->package_list, sb_str(&out), out.len, 0644, e);
}

int fabricate_run(struct fab_options *o, const struct plan *plan, struct debian_archive *a,
		  const struct machine *machine, const char *kernel, struct progress *progress,
		  struct fabricate_times *times,
		  struct error *e)
{
	struct fabricate f = { .o = o, .plan = plan, .archive = a,
			       .machine = machine, .kernel = kernel,
			       .progress = progress, .hooks = any_hooks(o) };
	int64_t start = clock_ms();
	int ret;

	f.late_links = o->hooks[FAB_HOOK_SETUP].n > 0;
	/* what these hooks change of the packages' contents dpkg may put back */
	f.reinstall = o->variant != FAB_EXTRACT && o->hooks[FAB_HOOK_EXTRACT].n;
	*times = (struct fabricate_times){ 0 };
	interrupt_begin();
	ret = get_emulators(&f, e);
	if (ret == 0)
		ret = make_target(&f, &o->out, times, e);
	if (ret == 0 && o->package_list)
		ret = write_list(&f, e);
	guest_free(&f.guest);
	guest_free(&f.next);
	crew_stop(&f);
	unpack_free(f.unpack);
	unpack_free(f.rest);
	times->packages = f.plan->n;
	times->replanned = f.replanned;
	fabricate_replan_end(&f);
	work_end(&f.tools);
	emulate_close(&f.emulators);
	strv_release(&f.dirs);
	strv_release(&f.links);
	progress_end(progress);
	times->total = clock_ms() - start;
	interrupt_end();
	return ret;
}
