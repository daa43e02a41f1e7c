/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of the disks of sessions, in STATE/umlcage/snapshots/SESSION/NAME:
 *
 *	about	how the session was started, and when the snapshot was taken: words "key=value", as
 *		in the record of a session (session.h), with a NUL after each
 *	layer	a share: the changes to the root, as an overlay has them (upper/, work/)
 *	cow	or a copy of the COW file of a disk image
 *
 * One appears whole or not at all, and is not changed any more.
 *
 *	snapshot_begin(&s, session, name, &e);
 *	... s.path is filled, snapshot_take_layer() or snapshot_take_cow() ...
 *	snapshot_commit(&s, &record->words, &e);
 *	snapshot_close(&s);		(removes what was not committed)
 */
#ifndef UMLCAGE_SNAPSHOT_SNAPSHOT_H
#define UMLCAGE_SNAPSHOT_SNAPSHOT_H

#include <stdbool.h>

#include "hostfs-bridge/share/share.h"
#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

struct snapshot {
	char *session, *name;
	char *path;		/* its folder */
	int fd;			/* that, locked: alone while it is made or removed */
	struct strv words;	/* of about */
	bool making;
};

#define SNAPSHOT_INIT { NULL, NULL, NULL, -1, STRV_INIT, false }

/* Begins one; @name NULL: the first of snap0, snap1, ... that is free.  -EEXIST. */
int snapshot_begin(struct snapshot *s, const char *session, const char *name, struct error *e);
/* Copies the layer @path, a share that a cage may use meanwhile; mended, as of a cage that is gone. */
int snapshot_take_layer(struct snapshot *s, const char *path, struct error *e);
int snapshot_mend_layer(struct snapshot *s, struct error *e);
/* Copies the COW file @path. */
int snapshot_take_cow(struct snapshot *s, const char *path, struct error *e);
/* Puts it in its place, on the disk, with these words and "taken=TIME". */
int snapshot_commit(struct snapshot *s, const struct strv *words, struct error *e);

/* Opens one to read; -ENOENT in words. */
int snapshot_open(struct snapshot *s, const char *session, const char *name, struct error *e);
/* The same for "SESSION/NAME". */
int snapshot_find(struct snapshot *s, const char *both, struct error *e);
/* The path of its layer or COW file, whichever there is, malloc'ed; NULL: the other one is. */
char *snapshot_layer(const struct snapshot *s);
char *snapshot_cow(const struct snapshot *s);

/* Sessions that have snapshots, and the snapshots of one; sorted. */
int snapshot_sessions(struct strv *names, struct error *e);
int snapshot_names(const char *session, struct strv *names, struct error *e);
/* -ENOENT; -EBUSY while it is used. */
int snapshot_remove(const char *session, const char *name, struct error *e);

void snapshot_close(struct snapshot *s);
#define cleanup_snapshot __attribute__((cleanup(snapshot_close)))

#endif
