// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fetching and unpacking: threads take packages from the transfer as they arrive.  The
 * first stage's are unpacked into the tree; the second's, which dpkg would only unpack
 * when the first is configured, into the stage, while the cage is at work on the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

#define THREADS_MAX 64

struct crew {
	struct fabricate *f;
	struct debian_item *items;
	struct debian_transfer *transfer;	/* NULL: nothing to fetch */
	struct deb_readers *readers;
	struct strv filters;		/* of the first stage */
	pthread_t threads[THREADS_MAX];
	unsigned int started;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t moved;
	size_t next_local;		/* the next package that is a local file */
	size_t done, base_done, running;
	uint64_t bytes;
	struct error error;		/* the first */
	int ret;
};

static int open_package(void *arg, size_t index, struct error *e)
{
	struct fabricate *f = arg;
	const struct plan_package *p = &f->plan->packages[index];
	cleanup_free char *path = p->uri ? debian_item_path(f->archive, p->sum) : xstrdup(p->path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot open '%s'", path) : fd;
}

static int open_rest(void *arg, size_t index, struct error *e)
{
	struct fabricate *f = arg;

	return open_package(f, f->plan->nbase + index, e);
}

const struct unpacked *crew_package(const struct fabricate *f, size_t index)
{
	return index < f->plan->nbase ? unpack_get(f->unpack, index)
				      : unpack_get(f->rest, index - f->plan->nbase);
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

static int unpack_one(struct fabricate *f, size_t index, int fd, struct error *e)
{
	const struct plan_package *p = &f->plan->packages[index];
	cleanup_free char *label = xasprintf("%s_%s_%s", p->name, p->version, p->arch);

	return index < f->plan->nbase ?
		unpack_package(f->unpack, index, fd, label, e) :
		unpack_package(f->rest, index - f->plan->nbase, fd, label, e);
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
		if (ret > 0)
			ret = unpack_one(c->f, index, fd, &e);
		else
			break;
		if (ret < 0)
			break;
		pthread_mutex_lock(&c->lock);
		c->done++;
		c->base_done += index < c->f->plan->nbase;
		c->bytes += c->f->plan->packages[index].size;
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

/* Shows how far the crew is until @enough packages of the base are there, or all went home. */
static void watch(struct crew *c, size_t enough)
{
	const struct plan *plan = c->f->plan;

	pthread_mutex_lock(&c->lock);
	while (c->running && (c->base_done < enough || c->ret < 0)) {
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
	if (o->jobs)
		return o->jobs < THREADS_MAX ? o->jobs : THREADS_MAX;

	unsigned int n = proc_cpus();

	return n > 16 ? 16 : n;
}

static int start(struct crew *c, unsigned int n, struct error *e)
{
	c->running = n;
	for (; c->started < n; c->started++) {
		int err = pthread_create(&c->threads[c->started], NULL, worker, c);

		if (!err)
			continue;
		pthread_mutex_lock(&c->lock);
		c->running -= n - c->started;
		pthread_mutex_unlock(&c->lock);
		return c->started ? 0 : err_sys(e, err, "cannot start a thread");
	}
	return 0;
}

/* The stage has the links at the top that the tree has, and what they lead to. */
static int make_stage(struct fabricate *f, struct error *e)
{
	cleanup_share_tree struct share_tree *t = share_tree_new(f->stage->fd, SHARE_PARENTS);
	struct share_attr dir = { .mode = S_IFDIR | 0755, .mtime = { 0, UTIME_OMIT } };
	struct share_attr link = { .mode = S_IFLNK | 0777, .mtime = { 0, UTIME_OMIT } };
	int ret = 0;

	for (size_t i = 0; i < f->links.n && ret == 0; i++) {
		cleanup_free char *target = xasprintf("usr/%s", f->links.v[i]);

		ret = share_mkdir(t, target, &dir, e);
		if (ret == 0)
			ret = share_symlink(t, f->links.v[i], target, &link, e);
	}
	return ret;
}

static int begin_rest(struct fabricate *f, struct error *e)
{
	struct unpack_config cfg = {
		.readers = f->crew->readers, .rootfd = f->stage->fd,
		.n = f->plan->n - f->plan->nbase, .links = &f->links,
		.staged = true, .reopen = open_rest, .reopen_arg = f,
	};

	f->rest = unpack_new(&cfg);
	return make_stage(f, e);
}

static void list_items(struct crew *c, size_t *n)
{
	const struct plan *plan = c->f->plan;

	c->items = xcalloc(plan->n, sizeof(*c->items));
	for (size_t i = 0; i < plan->n; i++) {
		struct plan_package *p = &plan->packages[i];

		if (!p->uri)
			continue;
		c->items[*n] = (struct debian_item){ .uri = p->uri, .filename = p->path,
						     .size = p->size, .user = p, .fd = -1 };
		memcpy(c->items[(*n)++].sum, p->sum, sizeof(p->sum));
	}
}

int crew_begin(struct fabricate *f, bool plain, struct error *e)
{
	struct crew *c = xcalloc(1, sizeof(*c));
	unsigned int threads = workers(f->o);
	size_t nitems = 0;
	int ret;

	*c = (struct crew){ .f = f, .error = ERROR_INIT };
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->moved, NULL);
	f->crew = c;
	ret = fabricate_filters(f->o, &c->filters, e);
	/* before there are threads */
	if (ret == 0)
		ret = deb_readers_new(&c->readers, threads < f->plan->n ? threads : f->plan->n,
				      f->progress, e);

	struct unpack_config cfg = {
		.readers = c->readers, .rootfd = f->share->fd, .n = f->plan->nbase,
		.nbase = f->plan->nbase,
		.filters = c->filters.n ? &c->filters : NULL, .dirs = &f->dirs,
		.links = &f->links, .usrmerge = f->usrmerge, .plain = plain,
		.reopen = open_package, .reopen_arg = f,
	};

	f->unpack = unpack_new(&cfg);
	if (ret == 0 && f->plan->n > f->plan->nbase)
		ret = begin_rest(f, e);
	list_items(c, &nitems);
	if (ret == 0 && nitems)
		ret = debian_fetch_start(f->archive, c->items, nitems, &c->transfer, e);
	return ret ? ret : start(c, threads, e);
}

static void dismiss(struct crew *c)
{
	for (unsigned int i = 0; i < c->started; i++)
		pthread_join(c->threads[i], NULL);
	c->started = 0;
}

int crew_base(struct fabricate *f, struct error *e)
{
	struct crew *c = f->crew;
	int ret;

	watch(c, f->plan->nbase);
	pthread_mutex_lock(&c->lock);
	ret = c->ret;
	pthread_mutex_unlock(&c->lock);
	if (ret < 0) {
		dismiss(c);
		return err_move(e, &c->error);
	}
	return unpack_finish(f->unpack, e);
}

int crew_end(struct fabricate *f, struct error *e)
{
	struct crew *c = f->crew;
	int ret;

	if (!c)
		return 0;
	pthread_mutex_lock(&c->lock);
	if (c->running)
		progress_stage(f->progress, "fetching and unpacking", f->plan->n);
	pthread_mutex_unlock(&c->lock);
	watch(c, SIZE_MAX);
	dismiss(c);
	ret = c->ret < 0 ? err_move(e, &c->error) : 0;
	if (ret == 0 && f->rest)
		ret = unpack_finish(f->rest, e);
	crew_stop(f);
	return ret;
}

void crew_stop(struct fabricate *f)
{
	struct crew *c = f->crew;

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	if (c->ret == 0)
		c->ret = -ECANCELED;
	pthread_mutex_unlock(&c->lock);
	deb_readers_stop(c->readers);
	dismiss(c);
	deb_readers_free(c->readers);
	debian_fetch_end(c->transfer);
	free(c->items);
	strv_release(&c->filters);
	err_release(&c->error);
	pthread_cond_destroy(&c->moved);
	pthread_mutex_destroy(&c->lock);
	free(c);
	f->crew = NULL;
}

bool fabricate_is_foreign(const struct fabricate *f, size_t index)
{
	const struct strv *arches = &f->o->architectures;
	const char *arch = f->plan->packages[index].arch;

	return arches->n > 1 && !str_eq(arch, "all") && !str_eq(arch, arches->v[0]);
}

const char *fabricate_spec(const struct fabricate *f, size_t index)
{
	const struct unpacked *p = crew_package(f, index);

	return fabricate_is_foreign(f, index) ? p->full : p->spec;
}
