// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For mksquashfs, which compresses a whole tree again when one file of it is another: preloaded, it
 * takes blocks that were compressed before from the file BLOCKS and writes those of this image to
 * BLOCKS.new.  A block is taken only if it has its sum, and what it unpacks to is what is to be
 * compressed, so that a damaged file costs time alone.  Like still.c it meets the C library of the
 * tools' root, and libzstd's, and is linked with none.
 *
 * The file is a struct top, and for each block a struct head with what it was compressed to.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK_MAX	(1u << 20)	/* squashfs has no larger ones */
#define NO_ROOM		70		/* libzstd's error: it becomes larger than it may be */

struct top {
	char magic[8];
	uint32_t version, reserved;	/* of libzstd */
	uint64_t taken, made;		/* how many blocks */
};

struct head {
	uint64_t hash;			/* of what was compressed */
	uint64_t sum;			/* of what follows */
	uint32_t level, room, size;
	uint32_t len;			/* of what follows; 0: it has no room, and follows as it was */
};

struct place {
	uint64_t hash;
	off_t at;			/* of the head */
};

/* libzstd's */
unsigned int ZSTD_versionNumber(void);
unsigned int ZSTD_isError(size_t code);
unsigned int ZSTD_getErrorCode(size_t code);
size_t ZSTD_decompress(void *dst, size_t room, const void *src, size_t len);
size_t ZSTD_compress_usingDict(void *cctx, void *dst, size_t room, const void *src, size_t size,
			       const void *dict, size_t dict_size, int level);

static struct top top = { .magic = "blocks1" };
static struct place *places;
static size_t nplaces;
static int known = -1, made = -1;
static uint64_t end = sizeof(struct top);

/* Whether two are the same is looked at in any case. */
static uint64_t hash_of(const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t h = 0x9e3779b97f4a7c15 ^ len, word;

	for (; len >= 8; len -= 8, p += 8) {
		__builtin_memcpy(&word, p, 8);
		h = (h ^ word) * 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	for (word = 1; len; len--, p++)
		word = word << 8 | *p;
	h = (h ^ word) * 0xbf58476d1ce4e5b9;
	h ^= h >> 29;
	return h;
}

static int by_hash(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->hash > y->hash) - (x->hash < y->hash);
}

static size_t length(const struct head *h)
{
	return h->len ? h->len : h->size;
}

/* Up to what is no head: whoever wrote it may have been stopped. */
static void look(void)
{
	struct top was;
	struct head h;
	size_t room = 0;

	if (pread(known, &was, sizeof(was), 0) != sizeof(was) || was.version != top.version ||
	    memcmp(was.magic, top.magic, sizeof(was.magic)) != 0)
		return;
	for (off_t at = sizeof(was); pread(known, &h, sizeof(h), at) == sizeof(h); nplaces++) {
		if (nplaces == room) {
			struct place *more = realloc(places, (room + 4096) * sizeof(*more));

			if (!more)
				break;
			places = more;
			room += 4096;
		}
		if (!h.size || h.size > BLOCK_MAX || h.len > h.room)
			break;
		places[nplaces] = (struct place){ h.hash, at };
		at += (off_t)(sizeof(h) + length(&h));
	}
	qsort(places, nplaces, sizeof(*places), by_hash);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("BLOCKS");
	char name[64];

	if (!path || strlen(path) > sizeof(name) - 5)
		return;
	strcpy(name, path);
	strcat(name, ".new");
	top.version = ZSTD_versionNumber();
	known = open(path, O_RDONLY | O_CLOEXEC);
	made = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (known >= 0)
		look();
}

/* Without its beginning nobody takes anything from it. */
__attribute__((destructor)) static void finish(void)
{
	if (made >= 0 && pwrite(made, &top, sizeof(top), 0) != sizeof(top))
		made = -1;
}

/* Is it what is at @at?  Then it is in @dst, unless it has no room there, and *len is its length. */
static int is_block(const struct head *want, off_t at, void *dst, const void *src, void *again, size_t *len)
{
	struct head h;
	void *to;

	if (pread(known, &h, sizeof(h), at) != sizeof(h) || h.hash != want->hash || h.level != want->level ||
	    h.room != want->room || h.size != want->size || h.len > h.room)
		return 0;
	to = h.len ? dst : again;
	*len = h.len;
	if (pread(known, to, length(&h), at + (off_t)sizeof(h)) != (ssize_t)length(&h) ||
	    hash_of(to, length(&h)) != h.sum)
		return 0;
	return (!h.len || ZSTD_decompress(again, h.size, dst, h.len) == h.size) &&
	       memcmp(again, src, h.size) == 0;
}

static int take(const struct head *want, void *dst, const void *src, size_t *len)
{
	size_t low = 0, high = nplaces;
	void *again;
	int found = 0;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (places[mid].hash < want->hash)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == nplaces || places[low].hash != want->hash)
		return 0;
	again = malloc(want->size);
	for (; again && !found && low < nplaces && places[low].hash == want->hash; low++)
		found = is_block(want, places[low].at, dst, src, again, len);
	free(again);
	return found;
}

/* A hole, where it could not be written, is no head. */
static void keep(struct head *h, const void *dst, const void *src, size_t len)
{
	struct iovec parts[2] = { { h, sizeof(*h) } };
	off_t at;

	h->len = (uint32_t)len;
	parts[1].iov_base = (void *)(uintptr_t)(len ? dst : src);
	parts[1].iov_len = length(h);
	h->sum = hash_of(parts[1].iov_base, length(h));
	at = (off_t)__atomic_fetch_add(&end, sizeof(*h) + length(h), __ATOMIC_RELAXED);
	(void)!pwritev(made, parts, 2, at);
}

/* libzstd's own is this call without a dictionary. */
size_t ZSTD_compressCCtx(void *cctx, void *dst, size_t room, const void *src, size_t size, int level)
{
	struct head h = { .level = (uint32_t)level, .room = (uint32_t)room, .size = (uint32_t)size };
	size_t len, ret;

	if (made < 0 || !size || size > BLOCK_MAX || room > 2 * BLOCK_MAX)
		return ZSTD_compress_usingDict(cctx, dst, room, src, size, NULL, 0, level);
	h.hash = hash_of(src, size);
	if (nplaces && take(&h, dst, src, &len)) {
		__atomic_fetch_add(&top.taken, 1, __ATOMIC_RELAXED);
		ret = len ? len : (size_t)-NO_ROOM;
	} else {
		ret = ZSTD_compress_usingDict(cctx, dst, room, src, size, NULL, 0, level);
		__atomic_fetch_add(&top.made, 1, __ATOMIC_RELAXED);
		len = ZSTD_isError(ret) ? 0 : ret;
	}
	if (len || ZSTD_getErrorCode(ret) == NO_ROOM)
		keep(&h, dst, src, len);
	return ret;
}
