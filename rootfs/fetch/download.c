// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The downloader: a thread that drives libcurl's multi interface over a queue
 * of downloads, retries what may pass, and hands finished ones to whoever asks.
 * What becomes of the bytes is store.c's.
 */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/fetch/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

enum { BUSY_MS = 100, FIRST_WAIT_MS = 500, MAX_WAIT_MS = 8000, IDLE_MS = 1000,
       ENOUGH = 65536 /* bytes an attempt must bring not to count as failed */ };

struct list {
	struct fetch_item *first, **last;
};

struct fetch {
	/* fixed */
	unsigned int parallel, retries, stall_seconds;
	bool offline;
	char *(*proxy)(const char *url, const void *arg);
	const void *proxy_arg;
	CURLM *multi;
	pthread_t thread;

	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t finished;
	struct list inbox, done;
	size_t unfinished;	/* added and not yet in done */
	bool stop;
	uint64_t total;		/* bytes expected of all */
	char *asked;		/* the host that is waited for; NULL: none is */
	int64_t heard_ms;	/* when something came last, or was first asked for */
	int64_t notice_ms;	/* how long nothing came when that is to be said next */

	atomic_uint_fast64_t got;	/* bytes of all, for the progress */

	/* the thread's */
	struct list waiting;
	struct list active;
	unsigned int nactive;
	uint64_t finished_bytes;
	int64_t last_heard_ms;
};

/* Silence is told after a third of what ends an attempt; two attempts that bring nothing at all
 * are the last. */
enum { NOTICE_PART = 3, SILENT_ATTEMPTS = 2 };

static void list_init(struct list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_add(struct list *l, struct fetch_item *d)
{
	d->next = NULL;
	*l->last = d;
	l->last = &d->next;
}

static void list_remove(struct list *l, struct fetch_item *d)
{
	struct fetch_item **at = &l->first;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	if (!*at)
		l->last = at;
}

static struct fetch_item *list_take(struct list *l)
{
	struct fetch_item *d = l->first;

	if (d)
		list_remove(l, d);
	return d;
}

struct fetch_item *fetch_item_new(const char *what)
{
	struct fetch_item *d = xcalloc(1, sizeof(*d));

	d->what = xstrdup(what);
	d->fd = d->part_fd = d->dirfd = -1;
	d->modified = -1;
	return d;
}

void fetch_item_free(struct fetch_item *d)
{
	if (!d)
		return;
	if (d->easy)
		curl_easy_cleanup(d->easy);
	fetch_store_close(d);
	close_fd(&d->fd);
	hash_release(&d->hash);
	strv_release(&d->urls);
	sb_release(&d->data);
	err_release(&d->error);
	free(d->what);
	free(d->sum);
	free(d->name);
	free(d);
}

/* ---- libcurl's side ---- */

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
	struct fetch_item *d = arg;
	int ret;

	(void)one;
	if (!d->started_body) {
		long code = 0;

		curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &code);
		d->started_body = true;
		/* 200 instead of 206: the whole file comes; 0: not HTTP, ranges work */
		if (code && code != 206 && d->got) {
			ret = fetch_store_restart(d);
			if (ret < 0) {
				d->write_errno = -ret;
				return 0;
			}
		}
	}
	d->heard_ms = clock_ms();
	ret = fetch_store_write(d, data, len);
	if (ret < 0) {
		d->write_errno = -ret;
		return 0;
	}
	return len;
}

static void set_common(const struct fetch *dl, const struct fetch_item *d, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,file");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "umlcage/" UMLCAGE_VERSION);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)dl->stall_seconds);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 10L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)dl->stall_seconds);
	curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, d);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, d->message);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, d);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
}

/* Starts one attempt; the data in place so far is not asked for again. */
static int start_attempt(struct fetch *dl, struct fetch_item *d)
{
	if (!d->easy)
		d->easy = curl_easy_init();
	else
		curl_easy_reset(d->easy);
	if (!d->easy)
		return err_set(&d->error, ENOMEM, "cannot start libcurl");
	set_common(dl, d, d->easy);
	curl_easy_setopt(d->easy, CURLOPT_URL, d->urls.v[d->url]);
	if (dl->proxy) {
		cleanup_free char *proxy = dl->proxy(d->urls.v[d->url], dl->proxy_arg);

		/* for libcurl, too, an empty one is none at all, and copied */
		if (proxy)
			curl_easy_setopt(d->easy, CURLOPT_PROXY, proxy);
	}
	if (d->got) {
		cleanup_free char *range = xasprintf("%llu-", (unsigned long long)d->got);

		curl_easy_setopt(d->easy, CURLOPT_RANGE, range);
	}
	if (d->if_modified_since) {
		curl_off_t since = d->if_modified_since;

		curl_easy_setopt(d->easy, CURLOPT_TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE);
		curl_easy_setopt(d->easy, CURLOPT_TIMEVALUE_LARGE, since);
	}
	if (!d->heard_ms)
		d->heard_ms = clock_ms();
	d->attempt_from = d->got;
	d->started_body = false;
	d->write_errno = 0;
	d->message[0] = '\0';
	curl_multi_add_handle(dl->multi, d->easy);
	list_add(&dl->active, d);
	dl->nactive++;
	return 0;
}

/* ---- what came of an attempt ---- */

static void finish(struct fetch *dl, struct fetch_item *d)
{
	if (d->error.errnum)
		fetch_store_close(d);
	else
		dl->finished_bytes += d->sum ? d->size : 0;
	pthread_mutex_lock(&dl->lock);
	list_add(&dl->done, d);
	dl->unfinished--;
	pthread_cond_broadcast(&dl->finished);
	pthread_mutex_unlock(&dl->lock);
}

static void wait_until(struct fetch *dl, struct fetch_item *d, int64_t delay_ms)
{
	d->not_before_ms = clock_ms() + delay_ms;
	list_add(&dl->waiting, d);
}

/* The next address, if there is one, from its beginning. */
static bool next_url(struct fetch *dl, struct fetch_item *d)
{
	if (d->url + 1 >= d->urls.n)
		return false;
	d->url++;
	d->attempts = 0;
	d->heard_ms = 0;
	d->silent = 0;
	wait_until(dl, d, 0);
	return true;
}

/* How long nothing has come of it. */
static int64_t silent_ms(const struct fetch_item *d)
{
	return d->heard_ms ? clock_ms() - d->heard_ms : 0;
}

/* Once more after a failure that may pass; otherwise the end.  What gets on may go on; what
 * stays silent is not asked as often as what fails at once. */
static void retry_or_fail(struct fetch *dl, struct fetch_item *d, struct error *why)
{
	int64_t delay;

	if (d->got >= d->attempt_from + ENOUGH)
		d->attempts = 0;
	delay = FIRST_WAIT_MS << (d->attempts < 4 ? d->attempts : 4);
	if (d->attempts++ < dl->retries && d->silent < SILENT_ATTEMPTS) {
		err_release(why);
		wait_until(dl, d, delay < MAX_WAIT_MS ? delay : MAX_WAIT_MS);
		return;
	}
	if (next_url(dl, d)) {
		err_release(why);
		return;
	}
	err_move(&d->error, why);
	finish(dl, d);
}

/* No use in asking again: another address, or the end. */
static void fail(struct fetch *dl, struct fetch_item *d, struct error *why)
{
	if (next_url(dl, d)) {
		err_release(why);
		return;
	}
	err_move(&d->error, why);
	finish(dl, d);
}

/* All bytes came, says libcurl. */
static void complete(struct fetch *dl, struct fetch_item *d)
{
	struct error why = ERROR_INIT;
	bool had_resumed = d->resumed > 0;
	curl_off_t announced = -1;
	int ret;

	curl_easy_getinfo(d->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	ret = fetch_store_complete(d, d->urls.v[d->url], announced >= 0, &why);

	if (ret == 0) {
		finish(dl, d);
	} else if (ret == -EAGAIN) {	/* short: go on where it ended */
		retry_or_fail(dl, d, &why);
	} else if (ret == -EBADMSG && had_resumed) {	/* the old part may be to blame */
		err_release(&why);
		wait_until(dl, d, 0);
	} else {
		fail(dl, d, &why);
	}
}

static bool may_pass(CURLcode result, long code)
{
	switch (result) {
	case CURLE_HTTP_RETURNED_ERROR:
		return code == 408 || code == 425 || code == 429 || code >= 500;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_WEIRD_SERVER_REPLY:
		return true;
	default:
		return false;
	}
}

static int errno_of(CURLcode result, long code)
{
	switch (result) {
	case CURLE_HTTP_RETURNED_ERROR:
		if (code == 404 || code == 410)
			return ENOENT;
		return code == 401 || code == 403 ? EACCES : EREMOTEIO;
	case CURLE_FILE_COULDNT_READ_FILE:
		return ENOENT;
	case CURLE_OPERATION_TIMEDOUT:
		return ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return EHOSTUNREACH;
	case CURLE_PEER_FAILED_VERIFICATION:
		return EKEYREJECTED;
	default:
		return EIO;
	}
}

static void explain(struct fetch_item *d, CURLcode result, long code,
		    struct error *why)
{
	const char *url = d->urls.v[d->url];

	if (result == CURLE_HTTP_RETURNED_ERROR)
		err_set(why, errno_of(result, code),
			"cannot download '%s': the server answered %ld%s", url, code,
			code == 404 ? " (not found)" :
			code == 407 ? " (the proxy wants a password)" : "");
	else if (result == CURLE_OPERATION_TIMEDOUT && str_starts(d->message, "Operation too slow"))
		err_set(why, ETIMEDOUT,
			"cannot download '%s': the mirror stalled, no data for %lld s", url,
			(long long)(silent_ms(d) + 500) / 1000);
	else
		err_set(why, errno_of(result, code), "cannot download '%s': %s", url,
			d->message[0] ? d->message : curl_easy_strerror(result));
}

static void attempt_ended(struct fetch *dl, struct fetch_item *d, CURLcode result)
{
	struct error why = ERROR_INIT;
	long code = 0, unmet = 0;
	curl_off_t modified = -1;

	curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_getinfo(d->easy, CURLINFO_FILETIME_T, &modified);
	curl_easy_getinfo(d->easy, CURLINFO_CONDITION_UNMET, &unmet);
	curl_multi_remove_handle(dl->multi, d->easy);
	list_remove(&dl->active, d);
	dl->nactive--;
	d->modified = (time_t)modified;

	if (d->write_errno) {
		fetch_store_explain(d, d->urls.v[d->url], d->write_errno, &why);
		(void)fetch_store_restart(d);		/* too long: wrong; a full disk: make room */
		if (d->write_errno == EOVERFLOW) {
			fail(dl, d, &why);
		} else {
			err_move(&d->error, &why);
			finish(dl, d);
		}
	} else if (result == CURLE_OK && unmet) {
		d->not_modified = true;
		finish(dl, d);
	} else if (result == CURLE_OK) {
		complete(dl, d);
	} else if (code == 416 || (result == CURLE_RANGE_ERROR && d->got)) {
		/* the file is shorter than what we have of it */
		explain(d, result, code, &why);
		(void)fetch_store_restart(d);
		retry_or_fail(dl, d, &why);
	} else {
		explain(d, result, code, &why);
		d->silent = result == CURLE_OPERATION_TIMEDOUT && !d->started_body ?
			    d->silent + 1 : 0;
		if (!d->sum)
			(void)fetch_store_restart(d);
		if (may_pass(result, code))
			retry_or_fail(dl, d, &why);
		else
			fail(dl, d, &why);
	}
}

/* ---- the thread ---- */

/* Begins @d: from the cache, behind another run, or from the network. */
static void begin(struct fetch *dl, struct fetch_item *d)
{
	int ret = fetch_store_begin(d, &d->error);

	if (ret == -EWOULDBLOCK) {
		err_release(&d->error);
		wait_until(dl, d, BUSY_MS);
		return;
	}
	if (ret == 0 && dl->offline && !str_starts(d->urls.v[d->url], "file:"))
		ret = err_set(&d->error, ENETDOWN, "%s is not in the cache, and the network is not "
			      "to be used", d->what);
	if (ret == 0)
		ret = start_attempt(dl, d);
	if (ret != 0)
		finish(dl, d);
}

/* Starts what may start; returns how long the rest waits, at most IDLE_MS. */
static int start_some(struct fetch *dl)
{
	int64_t now = clock_ms(), first = now + IDLE_MS;
	struct list all;
	struct fetch_item *d;

	list_init(&all);
	while ((d = list_take(&dl->waiting)))
		list_add(&all, d);
	while ((d = list_take(&all))) {
		if (dl->nactive < dl->parallel && d->not_before_ms <= now)
			begin(dl, d);	/* may put it back */
		else
			list_add(&dl->waiting, d);
	}
	for (d = dl->waiting.first; d; d = d->next)
		if (d->not_before_ms < first && dl->nactive < dl->parallel)
			first = d->not_before_ms;
	return first > now ? (int)(first - now) : 0;
}

static void take_finished(struct fetch *dl)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(dl->multi, &left))) {
		CURLcode result = m->data.result;
		char *d = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &d);
		attempt_ended(dl, (struct fetch_item *)(void *)d, result);
	}
}

/* New work; false: stop. */
static bool take_inbox(struct fetch *dl)
{
	struct fetch_item *d;
	bool go_on;

	pthread_mutex_lock(&dl->lock);
	while ((d = list_take(&dl->inbox)))
		list_add(&dl->waiting, d);
	go_on = !dl->stop;
	pthread_mutex_unlock(&dl->lock);
	return go_on;
}

/* "mirror.example:8080" of an address; malloc'ed. */
static char *host_of(const char *url)
{
	const char *host = strstr(url, "://"), *at;
	size_t len;

	host = host ? host + 3 : url;
	len = strcspn(host, "/?#");
	at = memrchr(host, '@', len);	/* a password is not to be shown */
	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	return xstrndup(host, len);
}

/* Notes, for who waits, when something came last and whom it is waited for. */
static void note_silence(struct fetch *dl)
{
	const struct fetch_item *d = dl->active.first ?: dl->waiting.first;
	int64_t last = 0;
	bool heard;

	for (const struct fetch_item *x = dl->active.first; x; x = x->next)
		last = x->heard_ms > last ? x->heard_ms : last;
	for (const struct fetch_item *x = dl->waiting.first; x; x = x->next)
		last = x->heard_ms > last ? x->heard_ms : last;
	if (d && !d->heard_ms)
		d = NULL;	/* not asked yet: another run may be fetching it */
	heard = !d || last != dl->last_heard_ms;
	dl->last_heard_ms = last;
	pthread_mutex_lock(&dl->lock);
	if (heard || !dl->asked) {
		dl->heard_ms = clock_ms();
		dl->notice_ms = (int64_t)dl->stall_seconds * 1000 / NOTICE_PART;
	}
	if (!d != !dl->asked || heard) {
		free(dl->asked);
		dl->asked = d ? host_of(d->urls.v[d->url]) : NULL;
	}
	pthread_mutex_unlock(&dl->lock);
}

static void count_bytes(struct fetch *dl)
{
	uint64_t got = dl->finished_bytes;

	for (const struct fetch_item *d = dl->active.first; d; d = d->next)
		got += d->got;
	for (const struct fetch_item *d = dl->waiting.first; d; d = d->next)
		got += d->got;
	atomic_store(&dl->got, got);
	note_silence(dl);
}

static void *work(void *arg)
{
	struct fetch *dl = arg;

	while (take_inbox(dl)) {
		int running = 0, wait;

		curl_multi_perform(dl->multi, &running);
		take_finished(dl);
		wait = start_some(dl);
		count_bytes(dl);
		curl_multi_poll(dl->multi, NULL, 0, wait, NULL);
	}
	return NULL;
}

/* ---- the caller's side ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int fetch_start(const struct fetch_config *config, struct fetch **out, struct error *e)
{
	struct fetch *dl = xcalloc(1, sizeof(*dl));
	sigset_t all, old;
	int ret;

	pthread_once(&curl_once, init_curl);
	dl->parallel = config->parallel;
	dl->retries = config->retries;
	dl->stall_seconds = config->stall_seconds;
	dl->offline = config->offline;
	dl->proxy = config->proxy;
	dl->proxy_arg = config->proxy_arg;
	dl->multi = curl_multi_init();
	if (!dl->multi) {
		free(dl);
		return err_set(e, ENOMEM, "cannot start libcurl");
	}
	curl_multi_setopt(dl->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)dl->parallel);
	pthread_mutex_init(&dl->lock, NULL);
	pthread_cond_init(&dl->finished, NULL);
	list_init(&dl->inbox);
	list_init(&dl->done);
	list_init(&dl->waiting);
	list_init(&dl->active);

	/* signals are for the threads that were there before */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&dl->thread, NULL, work, dl);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		curl_multi_cleanup(dl->multi);
		free(dl);
		return err_sys(e, ret, "cannot start the downloader");
	}
	*out = dl;
	return 0;
}

void fetch_add(struct fetch *dl, struct fetch_item *d)
{
	pthread_mutex_lock(&dl->lock);
	list_add(&dl->inbox, d);
	dl->unfinished++;
	dl->total += d->sum ? d->size : 0;
	pthread_mutex_unlock(&dl->lock);
	curl_multi_wakeup(dl->multi);
}

static void show(struct fetch *dl, struct progress *p)
{
	uint64_t got = atomic_load(&dl->got);
	cleanup_free char *have = format_size(got), *all = format_size(dl->total);
	cleanup_free char *text = xasprintf("%s of %s", have, all);

	progress_step(p, got, dl->total, dl->total ? text : NULL);
}

/* Says that nothing comes: after a while, and less and less often.  With the lock. */
static void tell_silence(struct fetch *dl, struct progress *p)
{
	int64_t silent = clock_ms() - dl->heard_ms;

	if (!dl->asked || silent < dl->notice_ms)
		return;
	progress_note(p, "waiting for %s, nothing received for %lld s", dl->asked,
		      (long long)silent / 1000);
	dl->notice_ms = silent * 2;
}

int fetch_next(struct fetch *dl, struct progress *p, struct fetch_item **d,
		    struct error *e)
{
	pthread_mutex_lock(&dl->lock);
	while (!(*d = list_take(&dl->done)) && dl->unfinished && !interrupted()) {
		struct timespec until;

		if (p) {
			show(dl, p);
			tell_silence(dl, p);
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100 * 1000 * 1000;
		if (until.tv_nsec >= 1000 * 1000 * 1000) {
			until.tv_nsec -= 1000 * 1000 * 1000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&dl->finished, &dl->lock, &until);
	}
	pthread_mutex_unlock(&dl->lock);
	if (!*d && interrupted())
		return err_set(e, EINTR, "interrupted while downloading");
	return *d != NULL;
}

static void free_list(struct list *l)
{
	struct fetch_item *d;

	while ((d = list_take(l)))
		fetch_item_free(d);
}

void fetch_end(struct fetch *dl)
{
	if (!dl)
		return;
	pthread_mutex_lock(&dl->lock);
	dl->stop = true;
	pthread_mutex_unlock(&dl->lock);
	curl_multi_wakeup(dl->multi);
	pthread_join(dl->thread, NULL);
	for (struct fetch_item *d = dl->active.first; d; d = d->next)
		curl_multi_remove_handle(dl->multi, d->easy);
	free_list(&dl->active);
	free_list(&dl->waiting);
	free_list(&dl->inbox);
	free_list(&dl->done);
	curl_multi_cleanup(dl->multi);
	pthread_cond_destroy(&dl->finished);
	pthread_mutex_destroy(&dl->lock);
	free(dl->asked);
	free(dl);
}
