/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share: the source, its dependencies, the log, the build. */
#ifndef ROOTFS_DEBBUILD_PRIVATE_H
#define ROOTFS_DEBBUILD_PRIVATE_H

#include "rootfs/debbuild/debbuild.h"
#include "rootfs/emulate/emulate.h"
#include "rootfs/fabricate/fabricate.h"

/* ---- source.c ---- */

enum debsource_kind { SOURCE_ARCHIVE, SOURCE_DSC, SOURCE_TREE };

struct debsource {
	enum debsource_kind kind;
	char *name, *version;		/* of the package */
	char *upstream;			/* the version without epoch and revision */
	char *file_version;		/* the version without epoch, as names of files have it */
	char *built_version;		/* the same of what is built: of a binNMU it is another one */
	char *distribution;		/* of a tree's changelog; NULL */
	char *architecture;		/* the field of a .dsc; NULL for a tree */
	struct deb822 control;		/* the stanza that has the build dependencies */
	char *dir;			/* a tree, or where a .dsc and its files are; absolute */
	char *dsc;			/* name of the .dsc file; NULL for a tree */
	struct debian_files files;	/* all of the source, the .dsc, too; of a tree: none */
};

#define SOURCE_INIT { .control = DEB822_INIT }

/*
 * Is @s a letter or digit, and more of these and of @more?  Only such become parts of paths and
 * arguments.  NULL is none.
 */
bool debsrc_is_word(const char *s, const char *more);
#define DEBSRC_NAME	"+-."		/* @more of a source's name */
#define DEBSRC_VERSION	"+-.~:"		/* and of its version */
/* What @what is, and all there is to know about it without the archive. */
int debsrc_open(struct debsource *s, const char *what, struct error *e);
/* Fetches what is of the archive into the cache, and reads its .dsc. */
int debsrc_fetch(struct debsource *s, struct debian_archive *a, struct error *e);
/*
 * Puts the files into the folder @dirfd, each verified while it is copied; of a tree those
 * beside it that its format needs (SOURCE_VERSION.orig*.tar.*).
 */
int debsrc_place(const struct debsource *s, const struct debian_archive *a, int dirfd,
		 struct error *e);
void debsrc_release(struct debsource *s);
/* debian_fetch() into the cache, with errors of the kind that a build ends with. */
int fetch_for_build(struct debian_archive *a, struct debian_item *items, size_t n, struct error *e);

/* ---- depends.c ---- */

struct depends_for {
	const char *arch;		/* "amd64" */
	const struct strv *profiles;
};

/*
 * Appends to @out what is left of the dependency field @field for that architecture and those
 * profiles, as Depends of a binary package; nothing where nothing is.  A usage error that begins
 * with @name for what dpkg would not read either, and for packages of another architecture.
 */
int depends_reduce(const char *field, const char *name, const struct depends_for *how,
		   struct strbuf *out, struct error *e);
/* Does the architecture wildcard @pattern ("any", "linux-any", "amd64") mean @arch? */
bool depends_arch_is(const char *arch, const char *pattern);

/* ---- buildinfo.c ---- */

struct buildinfo {
	char *path;			/* of the file; absolute */
	char *source, *source_version, *version;
	unsigned int types;		/* enum debbuild_type, without the source */
	char *arch;			/* that it was built on */
	char *build_path, *date;	/* NULL: not said, or not for use */
	char *depends;			/* what was installed, as a field of dependencies */
	char *entry;			/* of a binNMU: in front of the changelog; NULL */
	struct strv env;		/* NAME=VALUE */
	struct debian_files files;
};

#define BUILDINFO_INIT { NULL }

int buildinfo_read(struct buildinfo *i, const char *path, struct error *e);
/* The same of a text, whose path is set. */
int buildinfo_parse(struct buildinfo *i, const struct strbuf *text, struct error *e);
/* The .dsc beside it, or NAME=VERSION; malloc'ed. */
char *buildinfo_what(const struct buildinfo *i);
/* Are the packages the same?  Fills r->differ. */
int buildinfo_compare(const struct buildinfo *i, struct debbuild_result *r, struct error *e);
void buildinfo_release(struct buildinfo *i);
#define cleanup_buildinfo __attribute__((cleanup(buildinfo_release)))

/* ---- log.c: in sbuild's shape ---- */

enum { LOG_TAIL = 25 };

struct buildlog {
	int fd;			/* -1: none yet */
	bool echo;		/* on standard error, too */
	char *path;
	struct strbuf line;	/* the one that is not complete */
	char *tail[LOG_TAIL];	/* a ring of the last lines */
	size_t lines;
};

#define BUILDLOG_INIT { .fd = -1, .line = STRBUF_INIT }

/* Begins the log @path, which must not be there. */
int buildlog_open(struct buildlog *l, const char *path, bool echo, struct error *e);
void buildlog_bytes(struct buildlog *l, const char *data, size_t len);
void buildlog_line(struct buildlog *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A title in a frame; of a package one with double lines, and the date at its end. */
void buildlog_title(struct buildlog *l, const char *title, bool package);
/* Forgets the last lines: those of the next command matter. */
void buildlog_forget(struct buildlog *l);
void buildlog_show_tail(struct buildlog *l, struct progress *progress);
void buildlog_close(struct buildlog *l);

/* ---- output.c: the folder that takes what was made ---- */

/* Refuses what would be overwritten, as far as names are known before the build. */
int output_check(const char *folder, const char *stem, bool overwrite, struct error *e);
/*
 * The .changes file in @fd, which the guest wrote, and all that it lists, verified, into
 * @files; with the source that was made, if @source.
 */
int output_read(int fd, const struct debsource *s, bool source, struct debian_files *files,
		struct error *e);
/*
 * Hands the files in @from over to @folder: each copied aside, verified and synced, then given
 * their names, the .changes last.  Equal ones that are there stay; for others -EEXIST unless
 * @overwrite.  After an error none of them is there that was not before.
 */
int output_hand_over(int from, const char *folder, const struct debian_files *files, bool overwrite,
		     struct error *e);
/* Points the link @name in @folder at @to, unless something else than a link has that name. */
void output_link(const char *folder, const char *name, const char *to);

/* ---- the files that know all of a build ---- */

struct job {
	struct debbuild *b;
	struct progress *progress;
	struct debbuild_result *r;
	struct debsource source;
	const struct buildinfo *info;	/* of a build that is done again; NULL */
	struct debian_archive *archive;
	struct kernel_info kernel;
	char *root;			/* a share */
	struct share root_share;
	struct plan plan;		/* of what is to be installed */
	struct buildlog log;
	struct work in, out, upper;
	struct cage *cage;
	struct strv env;		/* of the user without rights */
	struct emulators emulators;	/* that the root needs */
	char *entry;			/* what goes in front of the changelog; NULL */
	int64_t at;			/* when the step began */
	uint64_t space;			/* bytes that the build took on the disk */
};

/* options.c: checks what depends on each other, fills in what was not said. */
int debbuild_settle(struct debbuild *b, struct error *e);
/* "full", "source,any", ... */
const char *debbuild_type_name(const struct debbuild *b);

/* report.c: what names of files of this build begin with, NAME_VERSION_ARCH; malloc'ed. */
char *report_stem(const struct job *j);
/* The log up to where the build begins; after it; and the record beside it, for programs. */
int report_begin(struct job *j, struct error *e);
void report_end(struct job *j);
void report_record(struct job *j);

/* nmu.c: version and changelog of what is built, where they are not the source's. */
int nmu_prepare(struct job *j, struct error *e);

/* wish.c: chooses and fetches what the build needs and the root lacks. */
int wish_packages(struct job *j, struct error *e);

/* Ends the step that runs and begins another one. */
void job_step(struct job *j, enum debbuild_step step);
/* steps.c: boots, and goes through the steps from DEBBUILD_INSTALL on until there are files in j->out. */
int steps_run(struct job *j, struct error *e);

#endif
