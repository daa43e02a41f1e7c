// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a plan to a finished target: threads take packages from the transfer as they
 * arrive and unpack them, the cage configures what they left, and the share becomes the
 * target: itself, as a directory, or an archive.
 */
#include "rootfs/fabricate/fabricate.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

/* ---- fetching and unpacking ---- */

struct crew {
	struct fabricate *f;
	struct debian_transfer *transfer;	/* NULL: nothing to fetch */
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t moved;
	size_t next_local;		/* the next package that is a local file */
	size_t done, running;
	uint64_t bytes;
	struct error error;		/* the first */
	int ret;
};

static int open_package(void *arg, size_t index, struct error *e)
{
	struct fabricate *f = arg;
	const struct plan_package *p = &f->plan->packages[index];
	cleanup_free char *path = p->uri ? debian_item_path(f->archive, p->sha256) : xstrdup(p->path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot open '%s'", path) : fd;
}

/* A package to unpack: 1 with its descriptor, 0 when there are no more. */
static int take_package(struct crew *c, size_t *index, int *fd, struct error *e)
{
	const struct plan *plan = c->f->plan;
	size_t local;

	pthread_mutex_lock(&c->lock);
	while (c->next_local < plan->n && plan->packages[c->next_local].uri)
		c->next_local++;
	local = c->next_local++;
	pthread_mutex_unlock(&c->lock);
	if (local < plan->n) {
		*index = local;
		*fd = open_package(c->f, local, e);
		return *fd < 0 ? *fd : 1;
	}
	if (!c->transfer)
		return 0;

	struct debian_item *item;
	int ret = debian_fetch_next(c->transfer, &item, e);

	if (ret > 0) {
		*index = (size_t)((const struct plan_package *)item->user - plan->packages);
		*fd = steal_fd(&item->fd);
	}
	return ret;
}

static void *worker(void *arg)
{
	struct crew *c = arg;
	struct error e = ERROR_INIT;
	int ret;

	for (;;) {
		cleanup_close int fd = -1;
		size_t index = 0;
		bool stop;

		pthread_mutex_lock(&c->lock);
		stop = c->ret < 0;
		pthread_mutex_unlock(&c->lock);
		ret = stop ? 0 : take_package(c, &index, &fd, &e);
		if (ret <= 0)
			break;

		const struct plan_package *p = &c->f->plan->packages[index];
		cleanup_free char *label = xasprintf("%s_%s_%s", p->name, p->version, p->arch);

		ret = unpack_package(c->f->unpack, index, fd, label, &e);
		if (ret < 0)
			break;
		pthread_mutex_lock(&c->lock);
		c->done++;
		c->bytes += p->size;
		pthread_cond_signal(&c->moved);
		pthread_mutex_unlock(&c->lock);
	}
	pthread_mutex_lock(&c->lock);
	if (ret < 0 && c->ret == 0) {
		c->ret = ret;
		c->error = e;
	} else {
		err_release(&e);
	}
	c->running--;
	pthread_cond_signal(&c->moved);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Shows how far the crew is until all have gone home. */
static void watch(struct crew *c)
{
	const struct plan *plan = c->f->plan;

	pthread_mutex_lock(&c->lock);
	while (c->running) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&c->moved, &c->lock, &until);

		cleanup_free char *bytes = format_size(c->bytes);

		progress_step(c->f->progress, c->done, plan->n, bytes);
		if (interrupted() && c->ret == 0)
			c->ret = err_set(&c->error, EINTR, "interrupted");
	}
	pthread_mutex_unlock(&c->lock);
}

static unsigned int workers(const struct fab_options *o)
{
	cpu_set_t set;

	if (o->jobs)
		return o->jobs < 64 ? o->jobs : 64;
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 2;

	int n = CPU_COUNT(&set);

	return n < 1 ? 1 : n > 16 ? 16 : (unsigned int)n;
}

static int crew_work(struct crew *c, struct error *e)
{
	unsigned int n = workers(c->f->o);
	pthread_t threads[64];
	unsigned int started = 0;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->moved, NULL);
	c->running = n;
	for (; started < n; started++) {
		int err = pthread_create(&threads[started], NULL, worker, c);

		if (err) {
			pthread_mutex_lock(&c->lock);
			if (started == 0)
				c->ret = err_sys(&c->error, err, "cannot start a thread");
			c->running -= n - started;
			pthread_mutex_unlock(&c->lock);
			break;
		}
	}
	watch(c);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&c->moved);
	pthread_mutex_destroy(&c->lock);
	if (c->ret < 0)
		return err_move(e, &c->error);
	return 0;
}

static int unpack_all(struct fabricate *f, bool plain, struct error *e)
{
	cleanup_strv struct strv filters = STRV_INIT;
	struct debian_item *items = xcalloc(f->plan->n, sizeof(*items));
	struct crew crew = { .f = f, .error = ERROR_INIT };
	size_t nitems = 0;
	int ret = fabricate_filters(f->o, &filters, e);

	if (ret == 0) {
		struct unpack_config cfg = {
			.rootfd = f->share->fd, .n = f->plan->n, .nbase = f->plan->nbase,
			.filters = filters.n ? &filters : NULL, .dirs = &f->dirs,
			.links = &f->links, .usrmerge = f->usrmerge,
			.plain = plain,
			.reopen = open_package, .reopen_arg = f,
		};

		f->unpack = unpack_new(&cfg);
	}
	for (size_t i = 0; i < f->plan->n; i++) {
		struct plan_package *p = &f->plan->packages[i];

		if (!p->uri)
			continue;
		items[nitems] = (struct debian_item){ .uri = p->uri, .filename = p->path,
						   .size = p->size, .user = p, .fd = -1 };
		memcpy(items[nitems++].sha256, p->sha256, sizeof(p->sha256));
	}
	if (ret == 0 && nitems)
		ret = debian_fetch_start(f->archive, items, nitems, &crew.transfer, e);
	if (ret == 0)
		ret = crew_work(&crew, e);
	debian_fetch_end(crew.transfer);
	free(items);
	return ret ? ret : unpack_finish(f->unpack, e);
}

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
		ret = unpack_all(&t, true, e);
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
	int64_t start = clock_ms(), booted;
	int ret;

	progress_stage(f->progress, "configuring", f->plan->n);
	ret = guest_start(&f->guest, f, e);
	booted = clock_ms();
	times->boot = booted - start;
	if (ret == 0)
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
		ret = guest_stop(f->guest, e);
	guest_free(&f->guest);
	times->configure = clock_ms() - booted;
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
		ret = unpack_all(f, f->o->variant == FAB_EXTRACT, e);
	}
	if (ret == 0)
		ret = fabricate_prepare(f, e);
	times->unpack = clock_ms() - start;
	if (ret == 0 && fabricate_needs_cage(f->o, f->plan))
		ret = in_cage(f, times, e);
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
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	int64_t start;
	int ret = share_stage_begin(&stage, f->o->target, e);

	if (ret < 0)
		return ret;
	f->share = &stage.share;
	ret = make_tree(f, times, e);
	start = clock_ms();
	if (ret == 0)
		ret = share_stage_commit(&stage, e);
	f->share = NULL;
	times->export = clock_ms() - start;
	return ret;
}

static int into_archive(struct fabricate *f, struct fabricate_times *times, struct error *e)
{
	cleanup_work struct work work = WORK_INIT;
	int64_t start;
	int ret = work_begin(&work, e);

	if (ret < 0)
		return ret;
	f->share = &work.share;
	ret = make_tree(f, times, e);
	start = clock_ms();
	if (ret == 0) {
		progress_stage(f->progress, "exporting", 0);
		ret = export_target(f, &work, e);
	}
	f->share = NULL;
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

	*times = (struct fabricate_times){ 0 };
	interrupt_begin();
	ret = o->format == FAB_FORMAT_DIRECTORY ? into_directory(&f, times, e)
						: into_archive(&f, times, e);
	guest_free(&f.guest);
	unpack_free(f.unpack);
	strv_release(&f.dirs);
	strv_release(&f.links);
	progress_end(progress);
	times->total = clock_ms() - start;
	interrupt_end();
	return ret;
}
