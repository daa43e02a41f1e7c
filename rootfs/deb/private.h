/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the process that reads a package and the one that unpacks it.
 *
 * They share memory of DEB_SLOTS slots, which the reader fills one after the other, round and
 * round, with records; a record does not go beyond its slot.  Of a slot that is full it says the
 * length, and hears when it may be filled again.  A record is a struct deb_record and what it
 * says of bytes.
 *
 *	DEB_OPEN and a descriptor ->  (DEB_MEMBER DEB_DATA*)* DEB_FACTS DEB_DATA* DEB_READY,
 *	                              or DEB_ERROR
 *	DEB_GO ->                     (DEB_ENTRY DEB_DATA*)* DEB_END, or DEB_ERROR
 *
 * Whoever unpacks takes the reader for hostile, who may write to the slots at any time: what is
 * checked is copied first.
 */
#ifndef ROOTFS_DEB_PRIVATE_H
#define ROOTFS_DEB_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "rootfs/deb/deb.h"
#include "umlcage/base/worker.h"

enum { DEB_SLOTS = 4, DEB_SLOT_SIZE = 256 << 10, DEB_LABEL_MAX = 512, DEB_STRINGS = 5 };
/* Of the names in a record; together they fit into a slot. */
enum { DEB_NAME_MAX = 32 << 10, DEB_ERROR_MAX = 4096 };
/* All control files of one package, and how many. */
enum { DEB_CONTROL_MAX = 64 << 20, DEB_MEMBERS_MAX = 4096 };
/* What they say can have a length in front of each line. */
enum { DEB_FACTS_MAX = 4 * DEB_CONTROL_MAX };

enum { DEB_OPEN = 1, DEB_GO, DEB_FREE };

struct deb_ask {
	uint32_t what;
	char label[DEB_LABEL_MAX];	/* of DEB_OPEN */
};

enum { DEB_MEMBER = 1, DEB_READY, DEB_ENTRY, DEB_DATA, DEB_END, DEB_ERROR, DEB_FACTS };

struct deb_record {
	uint32_t type, len;
};

/* A DEB_MEMBER or DEB_ENTRY: this and the strings, each with its NUL. */
struct deb_fixed {
	int64_t seconds;
	uint32_t nanoseconds, mode, uid, gid, major, minor;
	/* path, hardlink, symlink, user, group: the length with the NUL; 0: NULL */
	uint32_t strings[DEB_STRINGS];
};

/* A DEB_ERROR: this and the text, without a NUL. */
struct deb_failed {
	uint32_t errnum;
};

/* ---- records.c ---- */

/* Who fills the slots. */
struct deb_filler {
	char *slots;
	unsigned int slot;		/* the one that is being filled */
	size_t at;			/* in it */
	/* says that the slot has @at bytes, and waits for the next: 0 or -errno */
	int (*full)(struct deb_filler *f);
	unsigned int free;		/* slots that may be filled, with this one */
};

int deb_put(struct deb_filler *f, uint32_t type, const void *data, size_t len);
/* -EFBIG for names that are too long. */
int deb_put_entry(struct deb_filler *f, uint32_t type, const struct deb_entry *entry);
int deb_put_error(struct deb_filler *f, const struct error *e);
/* Room for contents, and how many bytes of it there are then. */
int deb_put_room(struct deb_filler *f, char **room, size_t *len);
void deb_put_filled(struct deb_filler *f, size_t len);
/* Hands the slot over even if there is room in it. */
int deb_put_flush(struct deb_filler *f);

/* Who empties them, and believes nothing. */
struct deb_records {
	const char *label;		/* of the package, for messages */
	const char *slots;		/* may change at any time */
	/* waits for the next slot, and says its length; what is in the last is no longer needed */
	int (*next)(void *arg, size_t *len, struct error *e);
	void *arg;
	unsigned int slot;
	size_t at, len;			/* in the slot */
	bool over;			/* it has nothing more to say of its package */
	bool peeked;
	struct deb_record record;	/* if so */
	char *copy;			/* of a record, DEB_SLOT_SIZE */
};

void deb_records_init(struct deb_records *r, const char *slots);
void deb_records_release(struct deb_records *r);
/* From the first slot. */
void deb_records_restart(struct deb_records *r);
/*
 * The control files and what they say, up to DEB_READY.  -EBADMSG if these are lies, or what the
 * reader says.
 */
int deb_records_control(struct deb_records *r, struct deb *d, struct error *e);
/* As deb_next() and deb_piece(). */
int deb_records_entry(struct deb_records *r, struct deb_entry *entry, struct error *e);
ssize_t deb_records_piece(struct deb_records *r, const char **piece, struct error *e);

/* ---- facts.c ---- */

/* From the control files of @d; @f is to be released even after an error. */
int deb_facts_read(struct deb_facts *f, const struct deb *d, struct error *e);
void deb_facts_put(const struct deb_facts *f, struct strbuf *out);
/* What deb_facts_put() wrote, or NULL if it cannot have been that. */
struct deb_facts *deb_facts_take(const char *said, size_t len);

/* ---- deb.c ---- */

/* A control file of that name, a plain one; NULL: it may not be called so, or there are too many. */
struct deb_member *deb_add_member(struct deb *d, const char *name, uint32_t mode,
				  struct timespec mtime);
/* The next piece of an entry's contents: its length, 0 at the end, -EBADMSG. */
ssize_t deb_read(struct deb *d, void *buf, size_t len, struct error *e);

/* ---- reader.c ---- */

struct deb_reader {
	struct worker worker;
	struct worker_peer peer;
	char *slots;			/* shared */
	struct deb_records records;
	struct deb_readers *pool;
	struct deb_reader *idle;	/* the next in the list */
};

/* Starts one that does @work, for tests that play it; 0 or an error. */
int deb_reader_start(struct deb_reader *r, int (*work)(void *reader, struct strbuf *result,
						       struct error *e),
		     struct progress *progress, const atomic_bool *stop, struct error *e);
void deb_reader_end(struct deb_reader *r);
/* What one does: it answers until the socket is closed. */
int deb_reader_work(void *reader, struct strbuf *result, struct error *e);

/* What a package is that is open with a reader, in deb.h's words. */
int deb_reader_open(struct deb_reader *r, struct deb *d, int fd, struct error *e);
int deb_reader_data(struct deb_reader *r, struct error *e);
int deb_reader_next(struct deb_reader *r, struct deb_entry *entry, struct error *e);
ssize_t deb_reader_piece(struct deb_reader *r, const char **piece, struct error *e);
/* One that is not over is ended. */
void deb_reader_close(struct deb_reader *r);

#endif
