/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Build files: NAME.build says of what an image is made, which steps change it, which files
 * come out, how they are tried out and where they go.  umlcage/doc/build is its manual.
 *
 *	builds_read(&b, &tools, paths, n, e);	all files, and what they build on
 *	builds_order(&b, e);			dependencies first; an error for a circle
 *	builds_run(&b, &how, progress, e);	in parallel, each in a process of its own
 *	builds_release(&b);
 *
 * Whether something is to be done is found out by content: everything that a build depends on
 * goes into a hash (keys.c), stages of trees are kept by it in the cache (stage.c), and the
 * manifest beside the outputs has it.  What a night made has its own folder, and `latest` leads
 * to the newest that passed its checks (publish.c).
 */
#ifndef ROOTFS_BUILD_H
#define ROOTFS_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "umlcage/base/error.h"
#include "umlcage/base/opts.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

/* The command that makes roots: its options are the keys of [Source]. */
struct build_tools {
	const struct opt_spec *fabricate;
	/* Parses its arguments, argv[0] first, without effect. */
	int (*check_fabricate)(int argc, char **argv, struct error *e);
};

struct build;

struct builds {
	struct build **v;	/* by name, after builds_order() dependencies first */
	size_t n;
	const struct build_tools *tools;
	struct ini *inis;	/* what the strings of options point into */
	size_t ninis;
};

#define BUILDS_INIT { NULL, 0, NULL, NULL, 0 }

/*
 * Reads the files @paths, *.build of those that are folders (the current one if @n is 0), and
 * the files beside them that they build on.  Usage errors have file and line.
 */
int builds_read(struct builds *b, const struct build_tools *tools, char *const *paths, size_t n,
		struct error *e);
int builds_order(struct builds *b, struct error *e);
void builds_release(struct builds *b);
#define cleanup_builds __attribute__((cleanup(builds_release)))

/* For lists. */
struct build_info {
	const char *name, *file;
	char *source;		/* "suite trixie", malloc'ed */
	size_t outputs;
};

struct build_info builds_info(const struct builds *b, size_t i);

struct build_how {
	const char *output;	/* instead of the build files' own places; NULL */
	struct strv only;	/* names; what they build on is theirs */
	unsigned int jobs;	/* 0: as many as processors and memory allow */
	bool force;		/* also what is up to date */
	bool dry_run;		/* only say what would be done */
	bool explain;		/* say why */
	bool check;		/* only whether the files are right */
	const char *kernel;	/* a file; NULL: found or built */
	bool ptrace;		/* all cages under ptrace, as a host without filters wants */
	const char *program;	/* umlcage-make itself, for making roots */
	const struct build_again *again;	/* builds_reproduce()'s own; NULL */
};

enum build_result {
	BUILD_UP_TO_DATE,
	BUILD_MADE,
	BUILD_WOULD,		/* dry run */
	BUILD_FAILED,
	BUILD_SKIPPED,		/* what it builds on failed */
};

/* How one ended. */
struct build_report {
	const char *name, *description;
	enum build_result result;
	int status;		/* failed: its enum error_kind */
	double seconds;
	uint64_t bytes;		/* of its outputs on the disk */
	char *text;		/* made: a summary; failed: what, where and what to do, three lines */
	char *why;		/* lines that say why it is to be made; NULL */
	char *folder;		/* where the newest outputs are; NULL: none */
};

/*
 * Runs what is wanted; @tell is called once for each build, as it ends.  0 also if some failed:
 * *@status is the kind of error (enum error_kind) of the first that did, or 0.
 */
int builds_run(struct builds *b, const struct build_how *how, struct progress *progress,
	       void (*tell)(const struct build_report *r, void *arg), void *arg, int *status,
	       struct error *e);

/* Prints the keys of each section, from the tables. */
void builds_keys(const struct build_tools *tools, FILE *out);

/*
 * Has SHA256SUMS of a finished night's folder signed by a command for sh, as [Publish] sign does it:
 * later, on the machine that has the key.  The folder has to be what SHA256SUMS says, no less and no
 * more; -EBADMSG.  The command ends within @timeout milliseconds (0: whenever it likes).
 */
#define BUILD_COMMAND_TIMEOUT 300000
int build_sign_folder(const char *folder, const char *command, uint64_t timeout, struct error *e);

/* ---- once more, and compared: again.c ---- */

struct build_reproduction {
	bool same;		/* every output has the bytes that it had */
	char *name, *text;	/* of the build; what differs, lines */
	char *json;		/* all of it, for programs */
};

/*
 * Makes what @manifest, a night's folder or the manifest.json of it, says once more: out of nothing
 * that is kept but packages, with the times of then, and compares.  With @snapshot the packages are
 * those of that time ("": when the night began), see fabricate; @snapshots may be NULL.  @how->output
 * gets what is made; NULL: it is thrown away.
 */
int builds_reproduce(struct builds *b, const struct build_how *how, const char *manifest,
		     const char *snapshot, const char *snapshots, struct progress *progress,
		     struct build_reproduction *r, struct error *e);
void build_reproduction_release(struct build_reproduction *r);

/* ---- what has been: status.c ---- */

/* One run that built something, or failed to. */
struct build_run {
	int64_t when;
	double seconds;
	bool failed;
	uint64_t bytes;
	char *folder;		/* name of the outputs' folder, NULL: gone or none */
	char *text;		/* as in the report */
	char *changes;		/* packages that came, went or changed, a line each */
};

struct build_status {
	char *name, *folder;
	char *description;	/* of the build file; NULL */
	int64_t checked;	/* when it last ran at all; 0: never */
	char *latest;		/* name of the folder that `latest` leads to; NULL */
	struct build_run *runs;	/* newest first */
	size_t nruns;
};

struct build_statuses {
	struct build_status *v;
	size_t n;
};

int builds_status(const struct builds *b, const char *output, struct build_statuses *s,
		  struct error *e);
void build_statuses_release(struct build_statuses *s);
/* One self-contained page. */
char *builds_page(const struct build_statuses *s, int64_t now);

#endif
