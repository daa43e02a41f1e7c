/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share: the session, Release files, indexes. */
#ifndef ROOTFS_ARCHIVE_PRIVATE_H
#define ROOTFS_ARCHIVE_PRIVATE_H

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
	bool no_valid_until;
	time_t now;
	char *packages_dir, *indexes_dir;	/* absolute paths, for messages too */
	int packages_fd, indexes_fd;		/* the same, open */
	struct debian_release **releases;
	size_t nreleases;
	struct debian_index *indexes;
	size_t nindexes;
};

time_t debian_archive_now(const struct debian_archive *a);
/* Begins a stage of the progress, unless the caller has begun one: whether to end it. */
bool debian_stage(const struct debian_archive *a, const char *stage);

/* ---- Release files: release.c ---- */

/* One line of the SHA256 field. */
struct debian_release_file {
	const char *path, *sha256;
	uint64_t size;
};

/* Fills the fields of @r from r->text and checks suite, Date, Valid-Until. */
int debian_release_read(const struct debian_archive *a, struct debian_release *r, struct error *e);
/* Looks @path up: 1 or 0, -EBADMSG. Strings are malloc'ed into @sha256. */
int debian_release_find(const struct debian_release *r, const char *path, char sha256[SHA256_HEX + 1],
		 uint64_t *size, struct error *e);
/* Whether @word is among those of a field of one line. */
bool debian_release_says(const struct debian_release *r, const char *field, const char *word);
void debian_release_free(struct debian_release *r);
/* The time of an RFC 5322 date in UTC as Release files have it; -1: no such thing. */
time_t debian_release_date(const char *s);
/* Fetches and verifies the Release files of all sources into a->releases. */
int debian_releases_update(struct debian_archive *a, bool refresh, struct error *e);

/* ---- indexes: index.c ---- */

/* Fetches, verifies and decompresses into a->indexes. */
int debian_indexes_update(struct debian_archive *a, struct error *e);
void debian_indexes_clear(struct debian_archive *a);

#endif
