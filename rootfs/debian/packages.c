// SPDX-License-Identifier: GPL-2.0-or-later
/* Packages through the cache: many at a time, each handed on when it is verified. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

struct debian_transfer {
	struct fetch *dl;
	struct progress *progress;
	pthread_mutex_t lock;
	int failed;		/* -errno of the first failure, under the lock */
};

char *debian_item_path(const struct debian_archive *a, const char *sum)
{
	return xasprintf("%s/%s.deb", a->packages_dir, sum);
}

static int check_item(const struct debian_item *item, struct error *e)
{
	if (!hash_valid_sum(item->sum))
		return err_set(e, EBADMSG, "'%s' has no sha256 or sha512 in its index", item->filename);
	if (!fetch_path_is_below(item->filename))
		return err_set(e, EBADMSG, "'%s' is not a path in an archive", item->filename);
	return 0;
}

static struct fetch_item *new_package(const struct debian_archive *a, struct debian_item *item)
{
	const char *slash = strrchr(item->filename, '/');
	cleanup_free char *what = xasprintf("'%s'", slash ? slash + 1 : item->filename);
	struct fetch_item *d = fetch_item_new(what);

	debian_add_urls(a, d, item->uri, item->filename);
	d->sum = xstrdup(item->sum);
	d->size = item->size;
	d->dirfd = a->packages_fd;
	d->name = xasprintf("%s.deb", item->sum);
	d->user = item;
	return d;
}

int debian_fetch_start(struct debian_archive *a, struct debian_item *items, size_t n,
		    struct debian_transfer **out, struct error *e)
{
	struct debian_transfer *t;
	int ret;

	*out = NULL;
	for (size_t i = 0; i < n; i++) {
		items[i].fd = -1;
		ret = check_item(&items[i], e);
		if (ret < 0)
			return ret;
	}
	t = xcalloc(1, sizeof(*t));
	ret = fetch_start(&a->fetch, &t->dl, e);
	if (ret < 0) {
		free(t);
		return ret;
	}
	pthread_mutex_init(&t->lock, NULL);
	for (size_t i = 0; i < n; i++)
		fetch_add(t->dl, new_package(a, &items[i]));
	*out = t;
	return 0;
}

/* The first failure is told, with what to do about it. */
static int fail(struct debian_transfer *t, struct fetch_item *d, struct error *e)
{
	int ret = -d->error.errnum;

	pthread_mutex_lock(&t->lock);
	if (t->failed) {
		ret = t->failed;
	} else {
		if (ret == -ENOENT || ret == -EBADMSG) {
			err_hint(&d->error, "the mirror may have changed since its index was read; "
				 "try again, and another mirror if it stays");
			ret = -ESTALE;
			d->error.errnum = ESTALE;
		}
		t->failed = ret;
		(void)err_move(e, &d->error);
	}
	pthread_mutex_unlock(&t->lock);
	return ret;
}

int debian_fetch_next(struct debian_transfer *t, struct debian_item **item, struct error *e)
{
	struct fetch_item *d = NULL;
	int ret = fetch_next(t->dl, t->progress, &d, e);

	if (ret <= 0)
		return ret;
	pthread_mutex_lock(&t->lock);
	if (t->failed)
		ret = t->failed;
	pthread_mutex_unlock(&t->lock);
	if (ret < 0) {
		fetch_item_free(d);
		return ret;
	}
	if (d->error.errnum) {
		ret = fail(t, d, e);
	} else {
		*item = d->user;
		(*item)->fd = steal_fd(&d->fd);
	}
	fetch_item_free(d);
	return ret;
}

void debian_fetch_end(struct debian_transfer *t)
{
	if (!t)
		return;
	fetch_end(t->dl);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

int debian_fetch(struct debian_archive *a, struct debian_item *items, size_t n,
	      int (*done)(struct debian_item *item, void *arg, struct error *e), void *arg,
	      struct error *e)
{
	struct debian_transfer *t;
	struct debian_item *item = NULL;
	int ret = debian_fetch_start(a, items, n, &t, e);
	bool own_stage;

	if (ret < 0)
		return ret;
	/* several threads have the caller show how far they are */
	t->progress = a->progress;
	own_stage = debian_stage(a, "downloading");
	while ((ret = debian_fetch_next(t, &item, e)) > 0) {
		ret = done ? done(item, arg, e) : 0;
		close_fd(&item->fd);
		if (ret < 0)
			break;
	}
	debian_fetch_end(t);
	if (own_stage)
		progress_end(a->progress);
	return ret;
}
