/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files from mirrors: many downloads at a time on a thread of their own (libcurl), into
 * memory or into a cache folder that concurrent runs share, each checked by its hash before
 * it has a name there; and signatures, checked by gpgv.  Knows nothing of what the files are.
 *
 *	fetch_start(&config, &f, e);
 *	item = fetch_item_new("package 'x.deb'"); item->... = ...; fetch_add(f, item);
 *	while (fetch_next(f, progress, &item, e) > 0) ... fetch_item_free(item);
 *	fetch_end(f);
 */
#ifndef ROOTFS_FETCH_FETCH_H
#define ROOTFS_FETCH_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "umlcage/base/error.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

struct fetch_config {
	unsigned int parallel;		/* downloads at a time, at least 1 */
	unsigned int retries;		/* after a failure that may pass */
	unsigned int stall_seconds;	/* no data for so long ends an attempt */
	bool offline;			/* only what the cache has */
	/*
	 * The proxy for an address, malloc'ed: "" is none, NULL leaves it to http_proxy and its
	 * kin.  Called from the downloader's thread.  May be NULL.
	 */
	char *(*proxy)(const char *url, const void *arg);
	const void *proxy_arg;
};

/*
 * One download.  Into a cache folder under its sum, or, without one, into
 * memory (at most @max bytes).
 */
struct fetch_item {
	/* what; the strings are the download's own */
	struct strv urls;	/* tried in turn if one is absent or not as it should be */
	char *what;		/* for messages: "package 'x.deb'" */
	char *sum;		/* sha256 or sha512; NULL: into memory */
	uint64_t size;		/* of a file with a hash */
	uint64_t max;		/* of one in memory */
	time_t if_modified_since;	/* 0: fetch in any case */
	int dirfd;		/* the cache folder */
	char *name;		/* in it */
	void *user;

	/* what came of it */
	int fd;			/* the verified file, read only; -1: none */
	struct strbuf data;
	bool not_modified;
	time_t modified;	/* -1: the server did not say */
	struct error error;

	/* at work: the downloader's thread only */
	struct fetch_item *next;	/* in one of its lists */
	void *easy;
	int part_fd;
	struct hash hash;
	uint64_t got;		/* bytes in place */
	uint64_t attempt_from;	/* of them, those before this attempt */
	uint64_t resumed;	/* of them, those an earlier run left */
	size_t url;
	unsigned int attempts;
	unsigned int silent;	/* of them in a row, those that brought nothing in their time */
	int write_errno;
	int64_t not_before_ms;	/* next attempt */
	int64_t heard_ms;	/* when bytes came last; 0: not asked for at this address yet */
	bool started_body;
	char message[256];
};

struct fetch_item *fetch_item_new(const char *what);
void fetch_item_free(struct fetch_item *d);

/* A set of downloads and the thread that carries them out. */
struct fetch;

int fetch_start(const struct fetch_config *config, struct fetch **out, struct error *e);
/* Hands over @d; returned by fetch_next(), or freed by fetch_end(). */
void fetch_add(struct fetch *dl, struct fetch_item *d);
/*
 * The next finished download, good or bad (d->error), into *@d, now the caller's: 1; 0 when
 * none is under way; -EINTR if interrupted() says so.  Any thread; shows progress through @p
 * meanwhile (may be NULL).
 */
int fetch_next(struct fetch *dl, struct progress *p, struct fetch_item **d,
		    struct error *e);
/* Stops what still runs and frees everything. */
void fetch_end(struct fetch *dl);

/* ---- the cache: store.c ---- */

/*
 * Removes files called after a hash that nobody has used for @days: indexes are large, and
 * some suites have new ones several times a day.  What is open stays readable.
 */
void fetch_prune(int dirfd, unsigned int days);
/* Opens the cache folder of a kind, below @cache or the user's own. */
int fetch_open_dir(const char *cache, const char *kind, char **path, int *fd, struct error *e);

/* ---- addresses: url.c ---- */

/* @base/@path with what needs it in @path percent-encoded; malloc'ed. */
char *fetch_url_join(const char *base, const char *path);
/* Appends @path with what needs it percent-encoded. */
void fetch_url_encode(struct strbuf *sb, const char *path);
/* Whether @path is relative and stays below where it starts. */
bool fetch_path_is_below(const char *path);

/* ---- signatures: verify.c ---- */

/* By whose keys a signature counts; all are the caller's. */
struct fetch_keys {
	const char *key;			/* an armoured key itself; NULL: none */
	const struct strv *keyrings;		/* files and folders; empty: the host's keyring */
	const struct strv *fingerprints;	/* only these count; empty: all of the keyrings */
};

/*
 * Checks a clear-signed @text, or, if @signature is not NULL, a detached one.  On success
 * *@signed_text is what was signed, and nothing else, and *@signer the fingerprint; both
 * malloc'ed.  -EBADMSG: not what was signed; -ENOKEY: no key for it.
 */
int fetch_verify(const struct fetch_keys *keys, const char *what, const struct strbuf *text,
		     const struct strbuf *signature, char **signed_text, char **signer,
		     struct error *e);
/* What a clear-signed @text says, whoever signed it, or @text itself if it is none; malloc'ed. */
char *fetch_unsigned(const struct strbuf *text);

#endif
