/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader of a binary package, deb(5): its control files, then its contents as a stream, in one
 * pass over the file and without a temporary copy.
 *
 * What is in a package was written by others.  Who has rights of its own lets a process without
 * any read it (deb_open_by()); who has given them up already reads it itself (deb_open()).
 */
#ifndef ROOTFS_DEB_H
#define ROOTFS_DEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

/* A file of control.tar: "postinst", its permission bits, its time, its contents. */
struct deb_member {
	char *name;
	unsigned int mode;
	struct timespec mtime;
	struct strbuf data;
};

/* What a control file says of versions of another package. */
enum deb_relation { DEB_ANY, DEB_EARLIER, DEB_NOT_LATER, DEB_SAME, DEB_NOT_EARLIER, DEB_LATER };

struct deb_conffile {
	char *path;			/* "/etc/bash.bashrc" */
	bool remove_on_upgrade;
};

struct deb_interest {
	char *trigger;			/* a path, or a name without "/" */
	bool noawait;
};

struct deb_replaces {
	char *name, *version;		/* NULL: any */
	enum deb_relation relation;
};

/* What the control files say. */
struct deb_facts {
	char *name, *version, *arch;	/* good as a part of a file's name; the version: one word */
	bool same;			/* Multi-Arch: same */
	bool preinst;			/* its preinst does something on a new system */
	/* its stanza of dpkg's status up to where "Conffiles" is, and from there */
	char *before, *behind;
	struct deb_conffile *conffiles;
	struct deb_interest *interests;
	struct deb_replaces *replaces;
	size_t nconffiles, ninterests, nreplaces;
};

void deb_facts_free(struct deb_facts **facts);

/* An entry of data.tar.  The strings are valid until the next. */
struct deb_entry {
	const char *path;		/* as the tar file has it */
	const char *hardlink, *symlink;	/* what it leads to; NULL: it is none */
	const char *user, *group;	/* NULL or "": the number alone */
	uint32_t mode;			/* with its type, which a hard link may lack */
	uint32_t uid, gid;
	uint32_t major, minor;
	struct timespec mtime;
};

struct archive;

struct deb {
	char *label;			/* for messages */
	struct archive *outer, *inner;	/* the ar file; control.tar, later data.tar */
	struct deb_member *members;	/* in the order of control.tar */
	size_t n, cap;
	char *buf;			/* what the inner archive reads from */
	char *piece;			/* of deb_piece() */
	struct deb_reader *reader;	/* the process that reads it; NULL: this one */
	struct deb_facts *facts;	/* of deb_open_by() */
};

/* Loads what would be loaded later, before a process is confined. */
void deb_load(void);
/*
 * Reads the control files of the package open at @fd (the caller's, at offset 0).
 * -EBADMSG with the name in the text for what is no such package; -EFBIG for more
 * control data than any package has.
 */
int deb_open(struct deb *d, int fd, const char *label, struct error *e);

/*
 * Processes that read packages, each confined (confine.h) to the one that it was sent the
 * descriptor of.  They end with the thread that made them, which must have been the process's
 * only one at that time.
 */
struct deb_readers;

/* Starts @n of them; *@readers is to be freed even after an error. */
int deb_readers_new(struct deb_readers **readers, size_t n, struct progress *progress,
		    struct error *e);
/* Whoever waits for one gets -ECANCELED.  Any thread; NULL is fine. */
void deb_readers_stop(struct deb_readers *readers);
/* No package may be open with them. */
void deb_readers_free(struct deb_readers *readers);

/*
 * As deb_open(), in one of @readers, which is waited for, and kept until deb_close().  Any
 * thread.  Whatever it says is checked as if it had been taken over: -EBADMSG, too, if it makes
 * no sense, or the process has died.
 */
int deb_open_by(struct deb *d, struct deb_readers *readers, int fd, const char *label,
		struct error *e);
/* Goes to data.tar: call deb_next(). */
int deb_data(struct deb *d, struct error *e);
/* The next entry of data.tar: 1, 0 at the end, -EBADMSG. */
int deb_next(struct deb *d, struct deb_entry *entry, struct error *e);
/*
 * The next piece of the entry's contents, valid until the next call: its length, 0 at the end,
 * -EBADMSG.  A reader that was taken over can change it at any time: what is looked at and then
 * used must be copied.
 */
ssize_t deb_piece(struct deb *d, const char **piece, struct error *e);
/* A control file, NULL if the package has none of that name. */
const struct deb_member *deb_member(const struct deb *d, const char *name);
void deb_close(struct deb *d);
#define cleanup_deb __attribute__((cleanup(deb_close)))
#define DEB_INIT { .label = NULL }

/*
 * Does a preinst script with the argument "install" and nothing else leave everything as
 * it is?  True only when its text shows it.
 */
bool deb_preinst_is_idle(const char *script);

/*
 * The name dpkg has for a path of a tar file: "./usr/bin/" is "/usr/bin", "./" is "/.".
 * 0, or -EBADMSG for one with a newline, a NUL or a ".." in it.
 */
int deb_path(const char *name, struct strbuf *out);

#endif
