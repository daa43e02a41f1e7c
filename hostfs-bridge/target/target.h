/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What comes out: a target is a name and a format, known and checked before any work, that
 * appears whole or not at all.
 *
 *	target_parse()	the name and the format, can it be written at all
 *	target_prepare()	what making it takes
 *	target_begin()	a place for it; now nothing but a full disk is in its way
 *	target_write()	the share becomes the target's bytes
 *	target_commit()	it takes its name
 *	target_abort()	at any time, and always in the end
 *
 * Nothing of the user's is overwritten unasked, by mmdebstrap's rule: a file of that name is
 * replaced by the new one in one step; a directory must be empty but for an empty lost+found;
 * a pipe or a device is written to.
 *
 * formats.c has the one table of formats.
 */
#ifndef HOSTFS_BRIDGE_TARGET_H
#define HOSTFS_BRIDGE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "hostfs-bridge/oci/oci.h"
#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/error.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/opts.h"
#include "umlcage/base/progress.h"

enum target_kind {
	TARGET_NOTHING,		/* the work is done, nothing is kept */
	TARGET_DIRECTORY,	/* a share */
	TARGET_ARCHIVE,		/* a stream of bytes, written by libarchive */
	TARGET_IMAGE,		/* a file that a program makes of the tree, as root in a cage */
	TARGET_OCI,		/* an image of containers in a tar file */
	TARGET_OCI_DIRECTORY,	/* the same as an ordinary directory */
};

/* A row of the table. */
struct target_format {
	const char *name;	/* as --format takes it */
	const char *also;	/* another word for it; NULL */
	const char *endings;	/* of names, ".img .raw"; NULL: by --format only */
	const char *help;
	enum target_kind kind;
	const struct share_format *archive;	/* TARGET_ARCHIVE */
	const char *compressed;	/* TARGET_ARCHIVE: how, if nothing else is asked for; NULL: not */
	const char *tool;	/* TARGET_IMAGE: the program */
	unsigned int max_level;	/* of its own compression; 0: it has none */
	bool sized;		/* a file system with room in it */
	bool labelled;
	bool boots;		/* a medium to boot from: the tree has to have a kernel */
	bool verity;		/* dm-verity can check it */
	const char *variant;	/* of what the tool makes, as it calls that */
	bool docker;		/* TARGET_OCI: as docker load takes it */
};

struct target_compression {
	const char *name;	/* libarchive's */
	const char *ending;	/* ".gz" */
	const char *tar;	/* endings that mean a tar so compressed, ".tgz .taz"; NULL */
	unsigned int shrinks;	/* at most to one in so many bytes: what is sure not to fit */
};

/* What is asked of images beside their format; zeroes are defaults. */
struct target_details {
	uint64_t size;		/* bytes of the file system; 0: as the tree needs */
	const char *label;
	const char *boot;	/* of a disk: both, bios, uefi, systemd-boot, uki; NULL: TARGET_BOOT */
	const char *boot_args;	/* for its kernel */
	const char *tools;	/* the suite whose programs make it; NULL: the format's own */
	bool verity;		/* with hashes for dm-verity beside it */
	struct oci_config oci;
};

#define TARGET_TOOLS "trixie"	/* but for formats whose row in rootfs/image has another */
#define TARGET_BOOT "both"
enum { TARGET_SIZE_MIN = 1 << 20, TARGET_LABEL_MAX = 15 };

/* Of struct target_details. */
extern const struct opt target_opts[];
void target_details_release(struct target_details *d);

/* What is asked for; zeroes are defaults. */
struct target_request {
	const char *name;	/* "-" for standard output */
	const char *format;	/* "tar", "cpio.gz", "directory"; NULL or "auto": by name */
	const char *level;	/* of the compression */
	unsigned int threads;	/* that compress; 0: as many as processors */
	bool sparse;		/* leave out the holes of files, where the format can */
	bool directories;	/* names that say nothing are directories, as with mmdebstrap */
	bool no_check;		/* only say what it would be: nothing is going to be written */
	const struct target_details *details;	/* may be NULL; has to live as long as the target */
};

/* Files beside an image, by what their names end with: target_beside[]. */
enum target_beside {
	TARGET_HASHES,		/* dm-verity's tree of hashes */
	TARGET_ROOT_HASH,	/* that of its top, as hexadecimal digits: who has it can check all */
	TARGET_BESIDE,
};
extern const char *const target_beside[];	/* ".verity", ".roothash", NULL */

struct target;

/* Who makes images, since that takes a cage: see rootfs/image. */
struct target_maker {
	/* Has the tree what the image takes?  Costs nothing; -ENOENT says what is missing. */
	int (*check)(struct target_maker *m, const struct target *t, struct share *s, struct error *e);
	/* Whatever it needs, before the work on the tree. */
	int (*prepare)(struct target_maker *m, const struct target *t, struct progress *progress,
		       struct error *e);
	/* The image of @s into the empty file @fd, or pipe; what is beside it into t->beside. */
	int (*make)(struct target_maker *m, const struct target *t, struct share *s, int fd,
		    struct progress *progress, struct share_totals *totals, struct error *e);
};

struct target {
	char *name;		/* NULL: none */
	const char *label;	/* the name in messages */
	const struct target_format *format;
	const struct target_compression *compression;	/* NULL: none */
	char *level;
	unsigned int threads;
	bool sparse;
	int64_t epoch;		/* SOURCE_DATE_EPOCH, no time is later; -1: unset */
	const struct target_details *details;	/* never NULL */
	struct target_maker *maker;	/* set by the caller after target_parse(); NULL: no images */
	bool is_stdout;
	bool is_device;		/* or a pipe: written to, not replaced */
	/* between begin and commit */
	struct share_stage stage;
	struct outfile out, beside[TARGET_BESIDE];
	char *part;		/* an ordinary directory under its hidden name... */
	int part_fd;		/* ... locked */
};

#define TARGET_INIT { .epoch = -1, .stage = SHARE_STAGE_INIT, .out = OUTFILE_INIT, \
		      .beside = { OUTFILE_INIT, OUTFILE_INIT }, \
		      .part_fd = -1, .details = &target_no_details }
extern const struct target_details target_no_details;

/*
 * Usage errors, with what there is and what may have been meant: unknown names and formats,
 * compressions this libarchive has not, bad levels, a directory on standard output, a terminal, a
 * bad SOURCE_DATE_EPOCH.  Other errors: a directory that is not empty, and whatever else is
 * in the way of writing (-EACCES, -ENOENT, -EROFS, ...).
 */
int target_parse(struct target *t, const struct target_request *r, struct error *e);
/* -ENOSPC if a tree of @bytes is sure not to fit. */
int target_room(const struct target *t, uint64_t bytes, struct error *e);

/* Before the tree is made: what an image takes, a kernel and the tools. */
int target_prepare(struct target *t, struct progress *progress, struct error *e);
/* As soon as there is a tree: what it cannot become is an error now, not when tools were called. */
int target_check(struct target *t, struct share *s, struct error *e);
int target_begin(struct target *t, struct error *e);
/* A directory's share between begin and commit, for making the tree in place; else NULL. */
struct share *target_share(struct target *t);
/* Makes the target of @s, which may be target_share(). */
int target_write(struct target *t, struct share *s, struct progress *progress,
		 struct share_totals *totals, struct error *e);
/*
 * The same, of a tar file that umlcage wrote, without a tree in between: -EOPNOTSUPP without an
 * error text where the format needs one.
 */
int target_write_archive(struct target *t, int from, struct progress *progress, struct error *e);
/* The same, of a file that has all of the target's bytes: not of one with files beside it. */
int target_write_file(struct target *t, int fd, struct error *e);
int target_commit(struct target *t, struct error *e);
void target_abort(struct target *t);
/* Aborts and frees. */
void target_release(struct target *t);
#define cleanup_target __attribute__((cleanup(target_release)))

/*
 * "tar.zst", "directory": one word for format, compression and, where any are given, details;
 * malloc'ed.
 */
char *target_form(const struct target *t);
/* Adds the names of all formats, for the help of options. */
void target_words(struct strv *words);
/* The formats and compressions for people, one line each group; malloc'ed. */
char *target_list(void);

#endif
