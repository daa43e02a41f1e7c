/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to Debian-style package archives, without root and without apt: find a
 * mirror, fetch and verify its indexes, fetch and verify packages, all through a
 * cache that concurrent runs share.
 *
 *	struct debian_sources sources = DEBIAN_SOURCES_INIT;
 *	debian_mirror_find(option, &mirror, e);
 *	debian_sources_add(&sources, mirror, "bookworm", "main");
 *	debian_archive_open(&config, &sources, &a, e);
 *	debian_archive_update(a, e);			network: InRelease, Packages
 *	debian_find_newest(a, "linux-source-[0-9]*", &package, e);
 *	debian_fetch(a, &item, 1, done, arg, e);	network: packages
 *	debian_archive_close(a);
 *
 * What is believed, and why: a Release file because gpgv accepts its signature
 * by the keyring, it is for the suite that was asked for, and it has not expired;
 * an index because its sha256 (or sha512) is in the Release file; a package because its
 * own is in the index.  Nothing unverified ever has its final name in the
 * cache, and what is found there is hashed again before it is used.
 *
 * Formats: sources.list(5), deb822(5), the Debian repository format.
 */
#ifndef ROOTFS_DEBIAN_H
#define ROOTFS_DEBIAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "rootfs/deb822/deb822.h"
#include "umlcage/base/error.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

/* ---- sources: sources.c ---- */

/* One suite of one mirror. */
struct debian_source {
	char *uri;			/* http:, https: or file:, no slash at the end */
	struct strv alternates;		/* of a list of mirrors: the others, in their order */
	char *suite;			/* "bookworm"; "./" (slash at the end): a flat archive */
	struct strv components;		/* empty for a flat archive */
	struct strv architectures;	/* empty: those of the session */
	struct strv more_architectures, less_architectures;	/* on top, taken away */
	struct strv keyrings;		/* Signed-By: absolute paths; empty: those of the session */
	struct strv fingerprints;	/* Signed-By: only keys with these count; empty: all */
	char *key;			/* Signed-By: an armoured key itself; NULL: none */
	bool trusted;			/* whatever its signature says, and without one */
	bool allow_insecure;		/* without a signature, if the session allows that, too */
	bool optional;			/* absent: no error; expired: a warning */
	bool no_valid_until;		/* do not mind an expired Release file */
	bool no_date;			/* nor one from the future */
};

struct debian_sources {
	struct debian_source *v;
	size_t n, cap;
	struct strv skipped;	/* of the host's own: what could not be used, and why */
};

#define DEBIAN_SOURCES_INIT { NULL, 0, 0, STRV_INIT }

/*
 * Adds one entry; @components is split at blanks and commas.  @mirror is a URI (copy: is file:,
 * mirror+file: a list of them), or the absolute path of a directory; @suite "/" is "./".
 * Returns the entry (valid until the next is added) to set more in, or NULL with a usage error.
 */
struct debian_source *debian_sources_add(struct debian_sources *s, const char *mirror,
					   const char *suite, const char *components,
					   struct error *e);
/*
 * Adds what @text says: "deb [options] URI suite component..." lines or deb822
 * stanzas, told apart by their look, as apt reads them.  Source-only and disabled entries are
 * left out.  @name is for messages: "name:line: ...".
 */
int debian_sources_parse(struct debian_sources *s, const char *text, const char *name,
			  struct error *e);
/* The same from a file; "-" is standard input. */
int debian_sources_read(struct debian_sources *s, const char *path, struct error *e);
/*
 * Adds the host's own: etc/apt/sources.list, sources.list.d/ *.list and *.sources
 * below @root (NULL: "/").  Absent files are no error; entries that make no sense, or have a
 * transport that is not known here, go to s->skipped.
 */
void debian_sources_host(struct debian_sources *s, const char *root);
void debian_sources_release(struct debian_sources *s);
#define cleanup_debian_sources __attribute__((cleanup(debian_sources_release)))

/*
 * The mirror: @option if not NULL, else UMLCAGE_MIRROR, else the one that the
 * host's own sources have for the host's release; what of these is no use is warned about.
 * malloc'ed into *@mirror; -ENOENT says how to name one.
 */
int debian_mirror_find(const char *option, char **mirror, struct progress *progress,
		       struct error *e);
/*
 * The same for the security suites ("*-security") of the mirror that
 * debian_mirror_find() gave: only from the host's sources; -ENOENT if they have none.
 */
int debian_mirror_security(char **mirror, struct error *e);

/* ---- a session: archive.c ---- */

/* What a configuration has unless it says otherwise; apt's own values, too. */
enum { DEBIAN_RETRIES = 3, DEBIAN_STALL_SECONDS = 30 };

struct debian_config {
	const char *cache;		/* the folder for archives/ and indexes/; NULL: XDG */
	const struct strv *keyrings;	/* files or folders; NULL or empty: the host's keyring */
	const struct strv *architectures; /* NULL or empty: that of this program */
	struct progress *progress;	/* NULL: silent; a stage that runs is kept */
	unsigned int parallel;		/* downloads at a time; 0: 8 */
	unsigned int retries;		/* after a failure that may pass; 0: DEBIAN_RETRIES; UINT_MAX: none */
	unsigned int stall_seconds;	/* no data for so long is a failure; 0: DEBIAN_STALL_SECONDS */
	bool offline;			/* only what the cache has */
	bool no_valid_until;		/* do not mind expired Release files */
	bool no_date;			/* nor those from the future */
	/*
	 * Not from the mirrors but from what a service kept of them: at @snapshots, an address with
	 * @SNAPSHOTID@, for which @snapshot stands, and @ARCHIVE@, for which the last word of a
	 * mirror's path does.  NULL: from the mirrors.
	 */
	const char *snapshot, *snapshots;
	bool allow_insecure;		/* sources without a signature, as apt's */
	bool allow_unauthenticated;	/* AllowInsecureRepositories, AllowUnauthenticated: both */
	bool with_sources;		/* the Sources files, too, where there are some */
	char *(*proxy)(const char *url, const void *arg);	/* as in struct fetch_config */
	const void *proxy_arg;
	time_t now;			/* for tests; 0: the clock */
};

struct debian_archive;

/* One verified Release file. */
struct debian_release {
	const struct debian_source *source;	/* the first of the sources that share it */
	char *uri, *suite;		/* as in the sources */
	char *origin, *label, *name;	/* fields; name: Suite; NULL if absent */
	char *codename, *version;
	time_t date, valid_until;	/* 0: absent */
	bool not_automatic, but_automatic_upgrades;	/* for apt's priorities */
	char *text;			/* the signed text */
	char *signer;			/* fingerprint; NULL if trusted without */
	bool absent;			/* there is no Release file, and that is allowed */
};

/* One verified Packages or Sources file, decompressed in the cache. */
struct debian_index {
	const struct debian_release *release;
	char *base;			/* what Filename fields are relative to */
	char *component;		/* "main"; "" in a flat archive */
	char *architecture;		/* "source" of a Sources file */
	char *path;			/* of the decompressed file */
	int fd;				/* the same, open: use pread, fd_dup or /proc/self/fd */
	uint64_t size;
	char sum[SUM_HEX + 1];		/* of the decompressed file */
};

/*
 * Begins a session; copies what it needs of both (@sources may be NULL or empty where only
 * debian_fetch() is wanted).  A usage error or failure to make
 * the cache leaves *@a NULL.  No network yet.
 */
int debian_archive_open(const struct debian_config *config, const struct debian_sources *sources,
		 struct debian_archive **a, struct error *e);
/*
 * Fetches (asks if changed) and verifies the Release file and the Packages files
 * of every source.  May be called again; indexes then are those of the new call.
 * Errors: -ENOENT no such suite or component, -EBADMSG a signature, hash or name that does not
 * fit, -ESTALE expired, -ENOKEY no keyring, -ETIMEDOUT and others from the network,
 * -ENOSPC, -EINTR (umlcage/base/interrupt.h).  The cache is as good as before after any.
 */
int debian_archive_update(struct debian_archive *a, struct error *e);
/* The verified Release files, in the order of the sources; NULL beyond the last. */
const struct debian_release *debian_release_at(const struct debian_archive *a, size_t i);
/* In the order of the sources, components, architectures.  Valid until the next
 * debian_archive_update() or debian_archive_close(). */
size_t debian_indexes(const struct debian_archive *a, const struct debian_index **v);
/* The same of the Sources files: none without config.with_sources. */
size_t debian_source_indexes(const struct debian_archive *a, const struct debian_index **v);
void debian_archive_close(struct debian_archive *a);		/* NULL is fine */
void debian_archive_closep(struct debian_archive **a);
#define cleanup_debian_archive __attribute__((cleanup(debian_archive_closep)))

/* Where @path below @base, an index's, is fetched from; malloc'ed. */
char *debian_address(const struct debian_archive *a, const char *base, const char *path);

/* "amd64" for the machine this program was built for. */
const char *debian_native_architecture(void);

/* ---- looking through indexes without a solver: find.c ---- */

struct debian_package {
	const struct debian_index *index;
	char *name, *version, *architecture, *filename;
	uint64_t size;
	char sum[SUM_HEX + 1];
};

#define DEBIAN_PACKAGE_INIT { NULL, NULL, NULL, NULL, NULL, 0, "" }

void debian_package_release(struct debian_package *p);
/* Fills @p from the stanza; -EBADMSG if a field is missing or no such thing. */
int debian_package_read(struct debian_package *p, const struct deb822 *stanza,
			 const struct debian_index *index, struct error *e);
typedef int debian_each_fn(const struct deb822 *stanza, const struct debian_index *index, void *arg,
			   struct error *e);
/*
 * Calls @each for every stanza of every index until it returns other than 0, which
 * is then returned.
 */
int debian_each(struct debian_archive *a, debian_each_fn *each, void *arg, struct error *e);
/*
 * The package with the highest version among those whose name matches @pattern
 * (fnmatch(3)), in any index; -ENOENT if there is none.
 */
int debian_find_newest(struct debian_archive *a, const char *pattern, struct debian_package *out,
			struct error *e);

/* ---- source packages: source.c ---- */

/* A file that a .dsc, a .changes or a stanza of a Sources file lists. */
struct debian_file {
	char *name;		/* of a file, never a path */
	uint64_t size;
	char sum[SHA256_HEX + 1];
};

struct debian_files {
	struct debian_file *v;
	size_t n;
};

#define DEBIAN_FILES_INIT { NULL, 0 }

/*
 * Adds the files of a Checksums-Sha256 field.  -EBADMSG with @what in front for anything that is
 * not a list of such: names are of letters, digits and what names of packages have in between.
 */
int debian_files_parse(struct debian_files *f, const char *field, const char *what,
		       struct error *e);
const struct debian_file *debian_files_find(const struct debian_files *f, const char *name);
void debian_files_release(struct debian_files *f);
#define cleanup_debian_files __attribute__((cleanup(debian_files_release)))

struct debian_source_package {
	const struct debian_index *index;
	char *name, *version;
	char *directory;	/* of its files, relative to index->base */
	struct debian_files files;
};

#define DEBIAN_SOURCE_PACKAGE_INIT { NULL, NULL, NULL, NULL, DEBIAN_FILES_INIT }

/*
 * The source package @name, of @version or, if that is NULL, the highest that the Sources files
 * have.  -ENOENT says what there is instead: other versions, or the source of a binary package of
 * that name.
 */
int debian_find_source(struct debian_archive *a, const char *name, const char *version,
		       struct debian_source_package *out, struct error *e);
void debian_source_package_release(struct debian_source_package *p);

/* ---- packages: packages.c ---- */

struct debian_item {
	const char *uri;	/* what filename is relative to: debian_index.base */
	const char *filename;	/* the Filename field */
	uint64_t size;
	char sum[SUM_HEX + 1];
	void *user;		/* the caller's */
	int fd;			/* out: the verified file at offset 0, read only */
};

/*
 * Fetches @items, each through the cache, several at a time in a thread of its own, and
 * calls @done in the caller's thread for each as soon as it is verified, in the
 * order in which they arrive; downloads go on meanwhile.  item->fd is closed
 * after the call unless @done took it (steal_fd).  A negative result of @done stops
 * everything and is returned.
 * Errors as of debian_archive_update(); -ESTALE also if the mirror no longer has the file as the index
 * says: debian_archive_update() and plan anew.
 */
int debian_fetch(struct debian_archive *a, struct debian_item *items, size_t n,
		  int (*done)(struct debian_item *item, void *arg, struct error *e), void *arg,
		  struct error *e);

/*
 * The same in three steps, for several consuming threads: debian_fetch_next() waits for the
 * next verified item and may be called by any number of threads; item->fd then is
 * theirs to close.  1 with *@item, 0 when all have been handed out, -errno (then also for every
 * other thread, the text only once).  @items must live until debian_fetch_end(), which stops what
 * still runs; partial files stay in the cache and are resumed.
 */
struct debian_transfer;
int debian_fetch_start(struct debian_archive *a, struct debian_item *items, size_t n,
			struct debian_transfer **t, struct error *e);
int debian_fetch_next(struct debian_transfer *t, struct debian_item **item, struct error *e);
void debian_fetch_end(struct debian_transfer *t);	/* NULL is fine */

/* Where the cache keeps (or would keep) a package; malloc'ed. */
char *debian_item_path(const struct debian_archive *a, const char *sum);

#endif
