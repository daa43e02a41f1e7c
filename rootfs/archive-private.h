/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the archive module share: the downloader with its cache
 * (archive-download.c), signatures (archive-verify.c), Release files
 * (archive-release.c), indexes (archive-index.c).
 */
#ifndef ROOTFS_ARCHIVE_PRIVATE_H
#define ROOTFS_ARCHIVE_PRIVATE_H

#include <pthread.h>

#include "rootfs/archive.h"
#include "umlcage/base/hash.h"

/* ---- the session: archive.c ---- */

struct pkg_archive {
	struct pkg_sources sources;
	struct strv keyrings, architectures;
	struct progress *progress;
	unsigned int parallel, retries, stall_seconds;
	bool offline, no_valid_until;
	time_t now;
	char *packages_dir, *indexes_dir;	/* absolute paths, for messages too */
	int packages_fd, indexes_fd;		/* the same, open */
	struct pkg_release **releases;
	size_t nreleases;
	struct pkg_index *indexes;
	size_t nindexes;
};

time_t pkg_archive_now(const struct pkg_archive *a);
/* Begins a stage of the progress, unless the caller has begun one: whether to end it. */
bool archive_stage(const struct pkg_archive *a, const char *stage);

/* ---- downloads: archive-download.c ---- */

/*
 * One download.  Into a cache folder under its sha256, or, without one, into
 * memory (at most @max bytes).
 */
struct download {
	/* what; the strings are the download's own */
	struct strv urls;	/* tried in turn if one is absent or not as it should be */
	char *what;		/* for messages: "package 'x.deb'" */
	char *sha256;		/* NULL: into memory */
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
	struct download *next;	/* in one of its lists */
	void *easy;
	int part_fd;
	struct hash hash;
	uint64_t got;		/* bytes in place */
	uint64_t attempt_from;	/* of them, those before this attempt */
	uint64_t resumed;	/* of them, those an earlier run left */
	size_t url;
	unsigned int attempts;
	int write_errno;
	int64_t not_before_ms;	/* next attempt */
	bool started_body;
	char message[256];
};

struct download *download_new(const char *what);
void download_free(struct download *d);

/* A set of downloads and the thread that carries them out. */
struct downloader;

int downloader_start(const struct pkg_archive *a, struct downloader **out, struct error *e);
/* Hands over @d; returned by downloader_next(), or freed by downloader_end(). */
void downloader_add(struct downloader *dl, struct download *d);
/*
 * The next finished download, good or bad (d->error), into *@d, now the caller's: 1; 0 when
 * none is under way; -EINTR if interrupted() says so.  Any thread; shows progress through @p
 * meanwhile (may be NULL).
 */
int downloader_next(struct downloader *dl, struct progress *p, struct download **d,
		    struct error *e);
/* Stops what still runs and frees everything. */
void downloader_end(struct downloader *dl);

/* ---- where the bytes go: archive-store.c ---- */

/*
 * Makes the place for @d's bytes.  1: the file was in the cache and is d->fd; 0:
 * fetch from d->got on; -EWOULDBLOCK: another run is fetching this file.
 */
int store_begin(struct download *d, struct error *e);
int store_write(struct download *d, const void *data, size_t len);	/* 0 or -errno */
/* Forgets what there is so far. */
int store_restart(struct download *d);
/* Explains what store_write() returned. */
void store_explain(const struct download *d, const char *url, int errnum, struct error *e);
/*
 * All has come from @url; @whole if the server said how much that is.  0 if it is right,
 * and then the file has its final name and is d->fd; -EAGAIN if it was cut short; -EBADMSG
 * if it is wrong, the place is empty again then.
 */
int store_complete(struct download *d, const char *url, bool whole, struct error *e);
/* Lets go of an unfinished file; it is resumed later. */
void store_close(struct download *d);
/*
 * Removes files called after a hash that nobody has used for @days: indexes are large, and
 * some suites have new ones several times a day.  What is open stays readable.
 */
void store_prune(int dirfd, unsigned int days);
/* Opens the cache folder of a kind, below @cache or the user's own. */
int store_open_dir(const char *cache, const char *kind, char **path, int *fd, struct error *e);

/* ---- addresses: archive-sources.c ---- */

/* @base/@path with what needs it in @path percent-encoded; malloc'ed. */
char *url_join(const char *base, const char *path);
/* Whether @path is relative and stays below where it starts. */
bool path_is_below(const char *path);

/* ---- signatures: archive-verify.c ---- */

/*
 * Checks a clear-signed @text, or, if @signature is not NULL, a detached one, by
 * the keys of @source, or of the session.  On success *@signed_text is what was
 * signed, and nothing else, and *@signer the fingerprint; both malloc'ed.
 */
int verify_signature(const struct pkg_archive *a, const struct pkg_source *source,
		     const char *what, const struct strbuf *text, const struct strbuf *signature,
		     char **signed_text, char **signer, struct error *e);

/* ---- Release files: archive-release.c ---- */

/* One line of the SHA256 field. */
struct release_file {
	const char *path, *sha256;
	uint64_t size;
};

/* Fills the fields of @r from r->text and checks suite, Date, Valid-Until. */
int release_read(const struct pkg_archive *a, struct pkg_release *r, struct error *e);
/* Looks @path up: 1 or 0, -EBADMSG. Strings are malloc'ed into @sha256. */
int release_find(const struct pkg_release *r, const char *path, char sha256[SHA256_HEX + 1],
		 uint64_t *size, struct error *e);
/* Whether @word is among those of a field of one line. */
bool release_says(const struct pkg_release *r, const char *field, const char *word);
void release_free(struct pkg_release *r);
/* The time of an RFC 5322 date in UTC as Release files have it; -1: no such thing. */
time_t release_date(const char *s);
/* Fetches and verifies the Release files of all sources into a->releases. */
int releases_update(struct pkg_archive *a, bool refresh, struct error *e);

/* ---- indexes: archive-index.c ---- */

/* Fetches, verifies and decompresses into a->indexes. */
int indexes_update(struct pkg_archive *a, struct error *e);
void indexes_clear(struct pkg_archive *a);

#endif
