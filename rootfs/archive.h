/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to Debian-style package archives, without root and without apt: find a
 * mirror, fetch and verify its indexes, fetch and verify packages, all through a
 * cache that concurrent runs share.
 *
 *	struct archive_sources sources = ARCHIVE_SOURCES_INIT;
 *	archive_mirror_find(option, &mirror, e);
 *	archive_sources_add(&sources, mirror, "bookworm", "main");
 *	archive_open(&config, &sources, &a, e);
 *	archive_update(a, e);			network: InRelease, Packages
 *	archive_find_newest(a, "linux-source-[0-9]*", &package, e);
 *	archive_fetch(a, &item, 1, done, arg, e);	network: packages
 *	archive_close(a);
 *
 * What is believed, and why: a Release file because gpgv accepts its signature
 * by the keyring, it is for the suite that was asked for, and it has not expired;
 * an index because its sha256 is in the Release file; a package because its
 * sha256 is in the index.  Nothing unverified ever has its final name in the
 * cache, and what is found there is hashed again before it is used.
 *
 * Formats: sources.list(5), deb822(5), the Debian repository format.
 */
#ifndef ROOTFS_ARCHIVE_H
#define ROOTFS_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "rootfs/deb822.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

/* ---- sources: archive-sources.c ---- */

/* One suite of one mirror. */
struct archive_source {
	char *uri;			/* http:, https: or file:, no slash at the end */
	char *suite;			/* "bookworm"; "./" (slash at the end): a flat archive */
	struct strv components;		/* empty for a flat archive */
	struct strv architectures;	/* empty: those of the session */
	struct strv keyrings;		/* Signed-By: absolute paths; empty: those of the session */
	struct strv fingerprints;	/* Signed-By: only keys with these count; empty: all */
	char *key;			/* Signed-By: an armoured key itself; NULL: none */
	bool trusted;			/* take it without a signature */
	bool optional;			/* a mirror without this suite is no error */
	bool no_valid_until;		/* do not mind an expired Release file */
};

struct archive_sources {
	struct archive_source *v;
	size_t n, cap;
};

#define ARCHIVE_SOURCES_INIT { NULL, 0, 0 }

/*
 * Adds one entry; @components is split at blanks and commas.  @mirror is a URI, or
 * the absolute path of a directory.  Returns the entry (valid until the next is
 * added) to set more in, or NULL with a usage error.
 */
struct archive_source *archive_sources_add(struct archive_sources *s, const char *mirror,
					   const char *suite, const char *components,
					   struct error *e);
/*
 * Adds what @text says: "deb [options] URI suite component..." lines or deb822
 * stanzas, told apart by their look.  Source-only and disabled entries are left
 * out.  @name is for messages: "name:line: ...".
 */
int archive_sources_parse(struct archive_sources *s, const char *text, const char *name,
			  struct error *e);
/* The same from a file; "-" is standard input. */
int archive_sources_read(struct archive_sources *s, const char *path, struct error *e);
/*
 * Adds the host's own: etc/apt/sources.list, sources.list.d/ *.list and *.sources
 * below @root (NULL: "/").  Absent files are no error; entries with a transport
 * other than http, https and file are left out.
 */
int archive_sources_host(struct archive_sources *s, const char *root, struct error *e);
void archive_sources_release(struct archive_sources *s);
#define cleanup_archive_sources __attribute__((cleanup(archive_sources_release)))

/*
 * The mirror: @option if not NULL, else UMLCAGE_MIRROR, else the one that the
 * host's own sources have for the host's release.  malloc'ed into *@mirror; -ENOENT says how to
 * name one.
 */
int archive_mirror_find(const char *option, char **mirror, struct error *e);
/*
 * The same for the security suites ("*-security") of the mirror that
 * archive_mirror_find() gave: only from the host's sources; -ENOENT if they have none.
 */
int archive_mirror_security(char **mirror, struct error *e);

/* ---- a session: archive.c ---- */

struct archive_config {
	const char *cache;		/* the folder for archives/ and indexes/; NULL: XDG */
	const struct strv *keyrings;	/* files or folders; NULL or empty: the host's keyring */
	const struct strv *architectures; /* NULL or empty: that of this program */
	struct progress *progress;	/* NULL: silent */
	unsigned int parallel;		/* downloads at a time; 0: 8 */
	unsigned int retries;		/* after a failure that may pass; 0: 3; UINT_MAX: none */
	unsigned int stall_seconds;	/* no data for so long is a failure; 0: 30 */
	bool offline;			/* only what the cache has */
	bool no_valid_until;		/* do not mind expired Release files */
	time_t now;			/* for tests; 0: the clock */
};

struct archive;

/* One verified Release file. */
struct archive_release {
	const struct archive_source *source;	/* the first of the sources that share it */
	char *uri, *suite;		/* as in the sources */
	char *origin, *label, *name;	/* fields; name: Suite; NULL if absent */
	char *codename, *version;
	time_t date, valid_until;	/* 0: absent */
	char *text;			/* the signed text */
	char *signer;			/* fingerprint; NULL if trusted without */
};

/* One verified Packages file, decompressed in the cache. */
struct archive_index {
	const struct archive_release *release;
	char *base;			/* what Filename fields are relative to */
	char *component;		/* "main"; "" in a flat archive */
	char *architecture;
	char *path;			/* of the decompressed file */
	int fd;				/* the same, open: use pread, fd_dup or /proc/self/fd */
	uint64_t size;
	char sha256[65];		/* of the decompressed file */
};

/*
 * Begins a session; copies what it needs of both.  A usage error or failure to make
 * the cache leaves *@a NULL.  No network yet.
 */
int archive_open(const struct archive_config *config, const struct archive_sources *sources,
		 struct archive **a, struct error *e);
/*
 * Fetches (asks if changed) and verifies the Release file and the Packages files
 * of every source.  May be called again; indexes then are those of the new call.
 * Errors: -ENOENT no such suite or component, -EBADMSG a signature, hash or name that does not
 * fit, -ESTALE expired, -ENOKEY no keyring, -ETIMEDOUT and others from the network,
 * -ENOSPC.  The cache is as good as before after any of them.
 */
int archive_update(struct archive *a, struct error *e);
size_t archive_releases(const struct archive *a, const struct archive_release **v);
/* In the order of the sources, components, architectures.  Valid until the next
 * archive_update() or archive_close(). */
size_t archive_indexes(const struct archive *a, const struct archive_index **v);
void archive_close(struct archive *a);		/* NULL is fine */
void archive_closep(struct archive **a);
#define cleanup_archive __attribute__((cleanup(archive_closep)))

/* "amd64" for the machine this program was built for. */
const char *archive_native_architecture(void);

/* ---- looking through indexes without a solver: archive-find.c ---- */

struct archive_package {
	const struct archive_index *index;
	char *name, *version, *architecture, *filename;
	uint64_t size;
	char sha256[65];
};

#define ARCHIVE_PACKAGE_INIT { NULL, NULL, NULL, NULL, NULL, 0, "" }

void archive_package_release(struct archive_package *p);
/* Fills @p from the stanza; -EBADMSG if a field is missing or no such thing. */
int archive_package_read(struct archive_package *p, const struct deb822 *stanza,
			 const struct archive_index *index, struct error *e);
/*
 * Calls @each for every stanza of every index until it returns other than 0, which
 * is then returned.
 */
int archive_each(struct archive *a,
		 int (*each)(const struct deb822 *stanza, const struct archive_index *index,
			     void *arg, struct error *e),
		 void *arg, struct error *e);
/*
 * The package with the highest version among those whose name matches @pattern
 * (fnmatch(3)), in any index; -ENOENT if there is none.
 */
int archive_find_newest(struct archive *a, const char *pattern, struct archive_package *out,
			struct error *e);

/* ---- packages: archive-fetch.c ---- */

struct archive_item {
	const struct archive_index *index;	/* where it was found */
	const char *filename;			/* its Filename field */
	uint64_t size;
	char sha256[65];
	void *user;				/* the caller's */
	int fd;		/* out: the verified file at offset 0, read only */
};

/*
 * Fetches @items, each through the cache, several at a time in a thread of its own, and
 * calls @done in the caller's thread for each as soon as it is verified, in the
 * order in which they arrive; downloads go on meanwhile.  item->fd is closed
 * after the call unless @done took it (steal_fd).  A negative result of @done stops
 * everything and is returned.
 * Errors as of archive_update(); -ESTALE also if the mirror no longer has the file as the index
 * says: archive_update() and plan anew.
 */
int archive_fetch(struct archive *a, struct archive_item *items, size_t n,
		  int (*done)(struct archive_item *item, void *arg, struct error *e), void *arg,
		  struct error *e);

/*
 * The same in three steps, for several consuming threads: archive_fetch_next() waits for the
 * next verified item and may be called by any number of threads; item->fd then is
 * theirs to close.  1 with *@item, 0 when all have been handed out, -errno (then also for every
 * other thread, the text only once).  @items must live until archive_fetch_end(), which stops what
 * still runs; partial files stay in the cache and are resumed.
 */
struct archive_transfer;
int archive_fetch_start(struct archive *a, struct archive_item *items, size_t n,
			struct archive_transfer **t, struct error *e);
int archive_fetch_next(struct archive_transfer *t, struct archive_item **item, struct error *e);
void archive_fetch_end(struct archive_transfer *t);	/* NULL is fine */

/* Where the cache keeps (or would keep) a package; malloc'ed. */
char *archive_item_path(const struct archive *a, const char *sha256);

#endif
