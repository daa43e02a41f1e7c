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

#include "hostfs-bridge/pack/pack.h"
#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

int fabricate_tools(struct fabricate *f, struct work *tools, struct error *e)
{
	struct plan base = *f->plan;
	struct fabricate t = { .o = f->o, .plan = &base, .archive = f->archive,
			       .progress = f->progress, .share = &tools->share };
	int ret = work_begin(tools, e);

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
	return ret < 0 ? err_wrap(e, "cannot make a root for the setup hooks") : 0;
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
	if (ret == 0 && !fab_skips(f->o, "cleanup"))
		ret = fabricate_cleanup(f, e);
	times->cleanup = clock_ms() - start;
	return ret;
}

/* ---- the target ---- */

static int export_to(struct fabricate *f, int fd, const char *name, struct error *e)
{
	struct share_export_opts opts = SHARE_EXPORT_OPTS_INIT;
	struct share_totals totals;
	int ret = 0;

	if (strcmp(name, "-") != 0)
		ret = share_export_by_name(name, &opts, e);
	opts.format = f->o->format == FAB_FORMAT_CPIO ? SHARE_CPIO : SHARE_TAR;
	opts.epoch = f->o->source_date_epoch;
	opts.progress = f->progress;
	return ret ? ret : share_export(f->share, fd, name, &opts, &totals, e);
}

static void *remove_work(void *arg)
{
	work_end(arg);
	return NULL;
}

/* The disk has its time to take the archive while the tree, which is in it now, goes. */
static int commit_target(struct outfile *out, struct work *work, struct error *e)
{
	pthread_t thread;
	bool beside = pthread_create(&thread, NULL, remove_work, work) == 0;
	int ret = outfile_commit(out, e);

	if (beside)
		pthread_join(thread, NULL);
	return ret;
}

static int export_target(struct fabricate *f, struct work *work, struct error *e)
{
	const char *target = f->o->target;
	cleanup_outfile struct outfile out = OUTFILE_INIT;
	struct stat st;
	int ret;

	if (f->o->format == FAB_FORMAT_NULL)
		return 0;
	if (strcmp(target, "-") == 0)
		return export_to(f, STDOUT_FILENO, "-", e);
	/* a pipe or a device is written to, not replaced */
	if (stat(target, &st) == 0 && !S_ISREG(st.st_mode)) {
		cleanup_close int fd = open(target, O_WRONLY | O_CLOEXEC);

		return fd < 0 ? err_sys(e, errno, "cannot write '%s'", target)
			      : export_to(f, fd, target, e);
	}
	ret = outfile_open(&out, AT_FDCWD, target, 0666, e);
	if (ret == 0)
		ret = export_to(f, out.fd, target, e);
	return ret ? ret : commit_target(&out, work, e);
}

static int into_directory(struct fabricate *f, struct fabricate_times *times, struct error *e)
{
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT, rest = SHARE_STAGE_INIT;
	int64_t start;
	int ret = share_stage_begin(&stage, f->o->target, e);

	if (ret == 0 && f->plan->n > f->plan->nbase)
		ret = share_stage_begin(&rest, f->o->target, e);
	if (ret < 0)
		return ret;
	f->share = &stage.share;
	f->stage = &rest.share;
	ret = make_tree(f, times, e);
	start = clock_ms();
	if (ret == 0)
		ret = share_stage_commit(&stage, e);
	f->share = NULL;
	crew_stop(f);
	times->export = clock_ms() - start;
	return ret;
}

static int into_archive(struct fabricate *f, struct fabricate_times *times, struct error *e)
{
	cleanup_work struct work work = WORK_INIT, rest = WORK_INIT;
	int64_t start;
	int ret = work_begin(&work, e);

	if (ret == 0 && f->plan->n > f->plan->nbase)
		ret = work_begin(&rest, e);
	if (ret < 0)
		return ret;
	f->share = &work.share;
	f->stage = &rest.share;
	ret = make_tree(f, times, e);
	start = clock_ms();
	if (ret == 0)
		ret = export_target(f, &work, e);
	f->share = NULL;
	crew_stop(f);
	times->export = clock_ms() - start;
	return ret;
}

int fabricate_run(const struct fab_options *o, const struct plan *plan, struct debian_archive *a,
		  const struct machine *machine, const char *kernel, struct progress *progress,
		  struct fabricate_times *times,
		  struct error *e)
{
	struct fabricate f = { .o = o, .plan = plan, .archive = a,
			       .machine = machine, .kernel = kernel,
			       .progress = progress, .hooks = any_hooks(o) };
	int64_t start = clock_ms();
	int ret;

	/* what these hooks change of the packages' contents dpkg may put back */
	f.reinstall = o->variant != FAB_EXTRACT && o->hooks[FAB_HOOK_EXTRACT].n;
	*times = (struct fabricate_times){ 0 };
	interrupt_begin();
	ret = o->format == FAB_FORMAT_DIRECTORY ? into_directory(&f, times, e)
						: into_archive(&f, times, e);
	guest_free(&f.guest);
	crew_stop(&f);
	unpack_free(f.unpack);
	unpack_free(f.rest);
	strv_release(&f.dirs);
	strv_release(&f.links);
	progress_end(progress);
	times->total = clock_ms() - start;
	interrupt_end();
	return ret;
}
