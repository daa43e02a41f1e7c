/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share: the session, Release files, indexes. */
#ifndef ROOTFS_DEBIAN_PRIVATE_H
#define ROOTFS_DEBIAN_PRIVATE_H

#include <pthread.h>

#include "rootfs/debian/debian.h"
#include "rootfs/fetch/fetch.h"
#include "umlcage/base/hash.h"

/* ---- the session: archive.c ---- */

struct debian_archive {
	struct debian_sources sources;
	struct strv keyrings, architectures;
	struct progress *progress;
	struct fetch_config fetch;
	bool no_valid_until, no_date, allow_insecure, allow_unauthenticated;
	char *snapshot, *snapshots;		/* as in the configuration */
	time_t now;
	char *packages_dir, *indexes_dir;	/* absolute paths, for messages too */
	int packages_fd, indexes_fd;		/* the same, open */
	struct debian_release **releases;
	size_t nreleases;
	bool with_sources;
	struct debian_index *indexes, *source_indexes;
	size_t nindexes, nsource_indexes;
};

time_t debian_archive_now(const struct debian_archive *a);
/* Adds the addresses of @path below @base (a source's, or of its suite) to @d: those of all its
 * mirrors. */
void debian_add_urls(const struct debian_archive *a, struct fetch_item *d, const char *base,
		     const char *path);
/* Begins a stage of the progress, unless the caller has begun one: whether to end it. */
bool debian_stage(const struct debian_archive *a, const char *stage);

/* ---- Release files: release.c, release-fetch.c ---- */

/* Fills the fields of @r from r->text and checks suite, Date, Valid-Until. */
int debian_release_read(const struct debian_archive *a, struct debian_release *r, struct error *e);
/* Looks @path up: 1 with its sha256, or else its sha512, or 0, or -EBADMSG. */
int debian_release_find(const struct debian_release *r, const char *path, char sum[SUM_HEX + 1],
		 uint64_t *size, struct error *e);
/* Whether @word is among those of a field of one line. */
bool debian_release_says(const struct debian_release *r, const char *field, const char *word);
void debian_release_free(struct debian_release *r);
/* The time of an RFC 5322 date as Release files have it, in UTC or with an offset; -1: no such
 * thing. */
time_t debian_release_date(const char *s);
/* Fetches and verifies the Release files of all sources into a->releases. */
int debian_releases_update(struct debian_archive *a, bool refresh, struct error *e);

/* ---- indexes: index.c, find.c ---- */

/* The stanzas of one index, as debian_each() has those of all. */
int debian_index_each(const struct debian_index *index, debian_each_fn *each, void *arg, struct error *e);

/* Fetches, verifies and decompresses into a->indexes. */
int debian_indexes_update(struct debian_archive *a, struct error *e);
void debian_indexes_clear(struct debian_archive *a);

#endif
