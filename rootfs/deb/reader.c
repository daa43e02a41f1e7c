// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readers: processes that have packages to read and nothing else, a few, each asked many times
 * (a process for each package would cost some milliseconds, most of them for its beginning and
 * its end).  See deb.h and private.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rootfs/deb/private.h"
#include "umlcage/base/fd.h"

enum { SHARED = DEB_SLOTS * DEB_SLOT_SIZE };

/* ---- the reader ---- */

static int slot_full(struct deb_filler *f)
{
	uint32_t len = (uint32_t)f->at;
	int ret = worker_say(&len, sizeof(len));

	f->slot = (f->slot + 1) % DEB_SLOTS;
	f->free--;
	while (ret == 0 && !f->free) {
		struct deb_ask ask;
		int fd;
		ssize_t n = worker_asked(&ask, sizeof(ask), &fd);

		close_fd(&fd);
		if (n <= 0 || ask.what != DEB_FREE)
			ret = -EPIPE;
		f->free++;
	}
	return ret;
}

/* All slots are free when it is asked for something new. */
static void begin(struct deb_filler *f)
{
	f->slot = 0;
	f->at = 0;
	f->free = DEB_SLOTS;
}

static int too_long(const struct deb *d, struct error *e)
{
	return err_set(e, EBADMSG, "bad package '%s': a name of more than %d bytes", d->label,
		       DEB_NAME_MAX - 1);
}

/*
 * What is said of a package is an error of its own, in @e; what these return otherwise is that
 * nobody listens.
 */
static int say_control(struct deb_filler *f, const struct deb *d, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; i < d->n && ret == 0; i++) {
		const struct deb_member *m = &d->members[i];
		const struct deb_entry entry = { .path = m->name, .mode = m->mode,
						 .mtime = m->mtime };

		ret = deb_put_entry(f, DEB_MEMBER, &entry);
		if (ret == -EFBIG)
			return too_long(d, e);
		if (ret == 0 && m->data.len)
			ret = deb_put(f, DEB_DATA, m->data.s, m->data.len);
	}
	return ret;
}

static int say_facts(struct deb_filler *f, const struct deb *d, struct error *e)
{
	cleanup_strbuf struct strbuf facts = STRBUF_INIT;
	struct deb_facts *own = xcalloc(1, sizeof(*own));
	int ret = deb_facts_read(own, d, e);

	if (ret == 0)
		deb_facts_put(own, &facts);
	deb_facts_free(&own);
	if (ret == 0)
		ret = deb_put(f, DEB_FACTS, NULL, 0);
	if (ret == 0)
		ret = deb_put(f, DEB_DATA, facts.s, facts.len);
	return ret < 0 ? ret : deb_put(f, DEB_READY, NULL, 0);
}

static int say_contents(struct deb_filler *f, struct deb *d, struct error *e)
{
	for (;;) {
		size_t room;
		char *to;
		int ret = deb_put_room(f, &to, &room);
		ssize_t got = ret < 0 ? ret : deb_read(d, to, room, e);

		if (got <= 0)
			return (int)got;
		deb_put_filled(f, (size_t)got);
	}
}

static int say_data(struct deb_filler *f, struct deb *d, struct error *e)
{
	int ret = deb_data(d, e);

	while (ret == 0) {
		struct deb_entry entry;

		ret = deb_next(d, &entry, e);
		if (ret == 0)
			return deb_put(f, DEB_END, NULL, 0);
		if (ret < 0)
			break;
		ret = deb_put_entry(f, DEB_ENTRY, &entry);
		if (ret == -EFBIG)
			return too_long(d, e);
		if (ret == 0 && S_ISREG(entry.mode) && !entry.hardlink)
			ret = say_contents(f, d, e);
	}
	return ret;
}

static int answer(struct deb_filler *f, struct deb *d, int *package, const struct deb_ask *ask,
		  int *fd)
{
	struct error e = ERROR_INIT;
	int ret = 0;

	if (ask->what == DEB_OPEN) {
		deb_close(d);
		close_fd(package);
		*package = steal_fd(fd);
		begin(f);
		ret = deb_open(d, *package, ask->label, &e);
		if (ret == 0)
			ret = say_control(f, d, &e);
		if (ret == 0)
			ret = say_facts(f, d, &e);
	} else if (ask->what == DEB_GO && d->outer) {
		begin(f);
		ret = say_data(f, d, &e);
	}
	if (ret < 0 && e.errnum)
		ret = deb_put_error(f, &e);
	err_release(&e);
	return ret < 0 ? ret : deb_put_flush(f);
}

int deb_reader_work(void *reader, struct strbuf *result, struct error *e)
{
	const struct deb_reader *r = reader;
	struct deb_filler f = { .slots = r->slots, .full = slot_full };
	struct deb d = DEB_INIT;
	int package = -1, ret = 0;

	(void)result;
	(void)e;
	while (ret == 0) {
		struct deb_ask ask = { 0 };
		int fd;
		ssize_t n = worker_asked(&ask, sizeof(ask), &fd);

		if (n <= 0)
			break;
		ask.label[sizeof(ask.label) - 1] = '\0';
		ret = answer(&f, &d, &package, &ask, &fd);
		close_fd(&fd);
	}
	deb_close(&d);
	return ret;
}

/* ---- the one who asks ---- */

static void load(void *reader)
{
	(void)reader;
	deb_load();
}

int deb_reader_start(struct deb_reader *r, int (*work)(void *reader, struct strbuf *result,
						       struct error *e),
		     struct progress *progress, const atomic_bool *stop, struct error *e)
{
	static const struct confine_call calls[] = { { SYS_recvmsg, 0, WORKER_SOCKET } };
	/*
	 * The largest dictionary of xz takes 1.5 GiB.  The seconds are those of all packages
	 * together.  There may be two descriptors: of one package, and of the next.
	 */
	static const struct confine confine = {
		.calls = calls, .ncalls = ARRAY_SIZE(calls), .memory = 2ULL << 30,
		.cpu_seconds = 24 * 3600, .descriptors = 2,
	};
	int ret;

	*r = (struct deb_reader){ .peer = WORKER_PEER_INIT };
	r->slots = mmap(NULL, SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->slots == MAP_FAILED) {
		r->slots = NULL;
		return err_sys(e, errno, "cannot read packages: memory");
	}
	deb_records_init(&r->records, r->slots);
	r->worker = (struct worker){
		.what = "read packages", .confine = &confine, .progress = progress,
		.prepare = load, .work = work, .arg = r, .stop = stop, .patience = WORKER_PATIENCE,
	};
	ret = worker_start(&r->worker, &r->peer, e);
	/* other processes have no part in it */
	if (ret == 0)
		(void)madvise(r->slots, SHARED, MADV_DONTFORK);
	return ret;
}

void deb_reader_end(struct deb_reader *r)
{
	worker_stop(&r->peer);
	deb_records_release(&r->records);
	if (r->slots)
		munmap(r->slots, SHARED);
	r->slots = NULL;
}

static int ask(struct deb_reader *r, uint32_t what, const char *label, int fd, struct error *e)
{
	struct deb_ask message = { .what = what };
	size_t len = label ? sizeof(message) : sizeof(message.what);

	if (label)
		(void)snprintf(message.label, sizeof(message.label), "%s", label);
	return worker_tell(&r->peer, &message, len, fd, e);
}

/* What it does not need any more it may fill again. */
static int next_slot(void *arg, size_t *len, struct error *e)
{
	struct deb_reader *r = arg;
	uint32_t said = 0;
	ssize_t n = r->records.len ? ask(r, DEB_FREE, NULL, -1, e) : 0;

	if (n == 0)
		n = worker_hear(&r->peer, &said, sizeof(said), e);
	/* no slot has a length of 0 */
	*len = n == (ssize_t)sizeof(said) ? said : 0;
	return n < 0 ? (int)n : 0;
}

/* It may change what is behind a descriptor that can be written to: *@own is one that cannot. */
static int only_to_read(int fd, int *own, struct error *e)
{
	char name[32];
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
		return 0;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	*own = open(name, O_RDONLY | O_CLOEXEC);
	return *own < 0 ? err_sys(e, errno, "cannot open a package again, only to read it") : 0;
}

/* Says whose package it was that a reader did not survive. */
static int blame(const struct deb_reader *r, int ret, struct error *e)
{
	if (ret < 0 && r->peer.pid < 0 && e)
		(void)err_hint(e, "it was at '%s'", r->records.label);
	return ret;
}

int deb_reader_open(struct deb_reader *r, struct deb *d, int fd, struct error *e)
{
	cleanup_close int own = -1;
	int ret = only_to_read(fd, &own, e);

	r->records.label = d->label;
	r->records.next = next_slot;
	r->records.arg = r;
	if (ret < 0)
		return ret;
	deb_records_restart(&r->records);
	ret = ask(r, DEB_OPEN, d->label, own >= 0 ? own : fd, e);
	/* then it waits for DEB_GO, or for another package */
	if (ret == 0)
		ret = deb_records_control(&r->records, d, e);
	return blame(r, ret, e);
}

int deb_reader_data(struct deb_reader *r, struct error *e)
{
	deb_records_restart(&r->records);
	return blame(r, ask(r, DEB_GO, NULL, -1, e), e);
}

int deb_reader_next(struct deb_reader *r, struct deb_entry *entry, struct error *e)
{
	return blame(r, deb_records_entry(&r->records, entry, e), e);
}

ssize_t deb_reader_piece(struct deb_reader *r, const char **piece, struct error *e)
{
	return blame(r, (int)deb_records_piece(&r->records, piece, e), e);
}

/* ---- all of them ---- */

struct deb_readers {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct deb_reader *idle;
	/* first come, first served: those who take one package after the other leave none idle */
	unsigned int last, turn;
	atomic_bool stop;
	size_t n;
	struct deb_reader all[];
};

static struct deb_reader *take_reader(struct deb_readers *pool)
{
	struct deb_reader *r;
	unsigned int mine;

	pthread_mutex_lock(&pool->lock);
	mine = pool->last++;
	while (!pool->idle || pool->turn != mine)
		pthread_cond_wait(&pool->given, &pool->lock);
	pool->turn++;
	r = pool->idle;
	pool->idle = r->idle;
	pthread_cond_broadcast(&pool->given);
	pthread_mutex_unlock(&pool->lock);
	return r;
}

void deb_reader_close(struct deb_reader *r)
{
	struct deb_readers *pool = r->pool;

	if (!r->records.over)
		worker_stop(&r->peer);
	r->records.label = "";
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	r->idle = pool->idle;
	pool->idle = r;
	pthread_cond_broadcast(&pool->given);
	pthread_mutex_unlock(&pool->lock);
}

int deb_readers_new(struct deb_readers **readers, size_t n, struct progress *progress,
		    struct error *e)
{
	struct deb_readers *pool = xcalloc(1, sizeof(*pool) + n * sizeof(*pool->all));
	int ret = 0;

	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->given, NULL);
	*readers = pool;
	/* one warns for all of them */
	for (; pool->n < n && ret == 0; pool->n++)
		ret = deb_reader_start(&pool->all[pool->n], deb_reader_work,
				       pool->n ? NULL : progress, &pool->stop, e);
	for (size_t i = 0; i < n && ret == 0; i++) {
		struct deb_reader *r = &pool->all[i];

		ret = worker_ready(&r->peer, e);
		r->pool = pool;
		r->idle = pool->idle;
		pool->idle = r;
	}
	return ret;
}

void deb_readers_stop(struct deb_readers *pool)
{
	if (pool)
		atomic_store(&pool->stop, true);
}

void deb_readers_free(struct deb_readers *pool)
{
	if (!pool)
		return;
	for (size_t i = 0; i < pool->n; i++)
		deb_reader_end(&pool->all[i]);
	pthread_cond_destroy(&pool->given);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

int deb_open_by(struct deb *d, struct deb_readers *pool, int fd, const char *label, struct error *e)
{
	*d = (struct deb){ .label = xstrdup(label), .reader = take_reader(pool) };
	return deb_reader_open(d->reader, d, fd, e);
}
