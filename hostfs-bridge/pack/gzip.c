// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gzip with several threads, one member as of one (RFC 1952): pieces of a fixed length are
 * deflated apart, each with the end of the one before as its dictionary, and end at a byte
 * (Z_SYNC_FLUSH), so that they can be put in a row.  As the pieces are the same for any number
 * of threads, so is the result.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "hostfs-bridge/pack/private.h"

enum { DICTIONARY = 32 << 10, MEMORY_LEVEL = 8 };

struct piece {
	char *in;		/* DICTIONARY bytes for the dictionary, RING_CHUNK of its own */
	size_t dictionary, len;
	unsigned char *out;
	size_t size, outlen;
	uLong crc;
	bool last, done;
	int ret;
};

struct gzip {
	gzip_sink *sink;
	void *arg;
	int level;
	pthread_mutex_t lock;	/* of what follows */
	pthread_cond_t changed;
	bool end;		/* the threads may go */
	size_t filled, taken, written;	/* counts of pieces, not indexes */
	size_t n;		/* room for pieces */
	struct piece *pieces;
	pthread_t *threads;
	size_t nthreads;
	bool begun;		/* the header is written */
	uLong crc, total;	/* of what is written; modulo 2^32 */
};

static int deflate_piece(struct piece *p, int level)
{
	z_stream z = { .next_in = (Bytef *)p->in + DICTIONARY, .avail_in = (uInt)p->len,
		       .next_out = p->out, .avail_out = (uInt)p->size };
	int ret = deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, MEMORY_LEVEL,
			       Z_DEFAULT_STRATEGY);

	if (ret != Z_OK)
		return -ENOMEM;
	if (p->dictionary)
		deflateSetDictionary(&z, (Bytef *)p->in + DICTIONARY - p->dictionary,
				     (uInt)p->dictionary);
	ret = deflate(&z, p->last ? Z_FINISH : Z_SYNC_FLUSH);
	p->outlen = z.total_out;
	p->crc = crc32(0, (Bytef *)p->in + DICTIONARY, (uInt)p->len);
	deflateEnd(&z);
	return ret == (p->last ? Z_STREAM_END : Z_OK) && !z.avail_in ? 0 : -EIO;
}

/* One that nobody works on, if there is one; the lock is held, but not meanwhile. */
static bool work(struct gzip *g)
{
	struct piece *p;

	if (g->taken == g->filled)
		return false;
	p = &g->pieces[g->taken++ % g->n];
	pthread_mutex_unlock(&g->lock);
	p->ret = deflate_piece(p, g->level);
	pthread_mutex_lock(&g->lock);
	p->done = true;
	pthread_cond_broadcast(&g->changed);
	return true;
}

static void *worker(void *arg)
{
	struct gzip *g = arg;

	pthread_mutex_lock(&g->lock);
	while (!g->end)
		if (!work(g))
			pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

/* Writes the oldest, once it is done. */
static int drain(struct gzip *g)
{
	static const unsigned char header[10] = { 0x1f, 0x8b, Z_DEFLATED, [9] = 3 /* Unix */ };
	struct piece *p = &g->pieces[g->written % g->n];
	int ret;

	pthread_mutex_lock(&g->lock);
	while (!p->done)
		if (!work(g))
			pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
	ret = p->ret;
	if (ret == 0 && !g->begun)
		ret = g->sink(g->arg, header, sizeof(header));
	g->begun = true;
	if (ret == 0)
		ret = g->sink(g->arg, p->out, p->outlen);
	g->crc = crc32_combine(g->crc, p->crc, (z_off_t)p->len);
	g->total += p->len;
	p->done = false;
	g->written++;
	return ret;
}

/* The piece at hand is complete: the next one begins with its end as dictionary. */
static void submit(struct gzip *g, bool last)
{
	struct piece *p = &g->pieces[g->filled % g->n], *next = &g->pieces[(g->filled + 1) % g->n];

	p->last = last;
	if (!last) {
		next->dictionary = p->len < DICTIONARY ? p->len : DICTIONARY;
		memcpy(next->in + DICTIONARY - next->dictionary,
		       p->in + DICTIONARY + p->len - next->dictionary, next->dictionary);
		next->len = 0;
	}
	pthread_mutex_lock(&g->lock);
	g->filled++;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

int gzip_write(struct gzip *g, const char *data, size_t len)
{
	while (len) {
		struct piece *p = &g->pieces[g->filled % g->n];
		size_t n = RING_CHUNK - p->len < len ? RING_CHUNK - p->len : len;

		memcpy(p->in + DICTIONARY + p->len, data, n);
		p->len += n;
		data += n;
		len -= n;
		if (p->len < RING_CHUNK)
			continue;
		/* the next one must be free */
		if (g->filled + 1 - g->written == g->n) {
			int ret = drain(g);

			if (ret < 0)
				return ret;
		}
		submit(g, false);
	}
	return 0;
}

int gzip_end(struct gzip *g)
{
	unsigned char trailer[8];
	int ret = 0;

	submit(g, true);
	while (ret == 0 && g->written < g->filled)
		ret = drain(g);
	for (int i = 0; i < 4; i++) {
		trailer[i] = (unsigned char)(g->crc >> 8 * i);
		trailer[4 + i] = (unsigned char)(g->total >> 8 * i);
	}
	return ret ? ret : g->sink(g->arg, trailer, sizeof(trailer));
}

struct gzip *gzip_new(unsigned int threads, int level, gzip_sink *sink, void *arg)
{
	struct gzip *g = xcalloc(1, sizeof(*g));

	*g = (struct gzip){ .sink = sink, .arg = arg, .level = level, .crc = crc32(0, NULL, 0) };
	g->n = 2 * (size_t)threads + 1;
	g->pieces = xcalloc(g->n, sizeof(*g->pieces));
	for (size_t i = 0; i < g->n; i++) {
		struct piece *p = &g->pieces[i];

		p->in = xmalloc(DICTIONARY + RING_CHUNK);
		/* what cannot be compressed grows by 5 bytes in 16 KiB, and the flush adds some */
		p->size = RING_CHUNK + RING_CHUNK / 1024 + 64;
		p->out = xmalloc(p->size);
	}
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	/* whoever writes works, too, and alone if there are no others */
	g->threads = xcalloc(threads, sizeof(*g->threads));
	while (g->nthreads + 1 < threads &&
	       pthread_create(&g->threads[g->nthreads], NULL, worker, g) == 0)
		g->nthreads++;
	return g;
}

void gzip_free(struct gzip *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->end = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
	for (size_t i = 0; i < g->nthreads; i++)
		pthread_join(g->threads[i], NULL);
	for (size_t i = 0; i < g->n; i++) {
		free(g->pieces[i].in);
		free(g->pieces[i].out);
	}
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	free(g->pieces);
	free(g->threads);
	free(g);
}
