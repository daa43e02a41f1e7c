// SPDX-License-Identifier: GPL-2.0-or-later
/* A bounded queue between two threads: see ring.h. */
#include "hostfs-bridge/pack/private.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "umlcage/base/interrupt.h"
#include "umlcage/base/str.h"

#define CHUNKS 16

struct ring {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *buf[CHUNKS];
	size_t len[CHUNKS];
	size_t head, tail;	/* produced, consumed: counts, not indexes */
	bool taken;		/* the consumer still looks at the piece at tail */
	bool ended, refused;
	int end_error, refuse_error;
};

struct ring *ring_new(void)
{
	struct ring *r = xcalloc(1, sizeof(*r));

	pthread_condattr_t attr;

	/* none of these can fail */
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
	for (size_t i = 0; i < CHUNKS; i++)
		r->buf[i] = xmalloc(RING_CHUNK);
	return r;
}

void ring_free(struct ring **rp)
{
	struct ring *r = *rp;

	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->changed);
	for (size_t i = 0; i < CHUNKS; i++)
		free(r->buf[i]);
	free_ptr(rp);
}

/*
 * Waits for a change; -EINTR after a signal to the program, which does not wake a thread
 * that waits for another one, hence the look around five times a second.
 */
static int wait_change(struct ring *r)
{
	struct timespec until;

	if (interrupted())
		return -EINTR;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 200 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&r->changed, &r->lock, &until);
	return 0;
}

int ring_room(struct ring *r, char **buf)
{
	int ret = 0;

	pthread_mutex_lock(&r->lock);
	while (ret == 0 && !r->refused && r->head - r->tail == CHUNKS)
		ret = wait_change(r);
	if (r->refused)
		ret = r->refuse_error;
	*buf = r->buf[r->head % CHUNKS];
	pthread_mutex_unlock(&r->lock);
	return ret;
}

void ring_filled(struct ring *r, size_t len)
{
	pthread_mutex_lock(&r->lock);
	r->len[r->head++ % CHUNKS] = len;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

void ring_end(struct ring *r, int error)
{
	pthread_mutex_lock(&r->lock);
	r->ended = true;
	r->end_error = error;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

ssize_t ring_next(struct ring *r, const char **buf)
{
	ssize_t ret = 0;

	pthread_mutex_lock(&r->lock);
	if (r->taken) {
		r->taken = false;
		r->tail++;
		pthread_cond_signal(&r->changed);
	}
	while (ret == 0 && !r->ended && r->head == r->tail)
		ret = wait_change(r);
	if (r->head != r->tail) {
		*buf = r->buf[r->tail % CHUNKS];
		ret = (ssize_t)r->len[r->tail % CHUNKS];
		r->taken = true;
	} else if (r->ended) {
		ret = r->end_error;
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

void ring_refuse(struct ring *r, int error)
{
	pthread_mutex_lock(&r->lock);
	r->refused = true;
	r->refuse_error = error;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
}
