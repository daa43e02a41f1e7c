/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernels of umlcage: found in the user's cache, or built from verified
 * source when there is none.
 *
 *	$XDG_CACHE_HOME/umlcage/kernels/KEY/{linux,config,log,manifest}
 *
 * KEY is the sha256 of everything the binary depends on: the source, the
 * fragments, the patches, humfs, the compiler.  A folder of that name appears
 * complete, by one rename, or not at all.
 */
#ifndef KERNEL_CONFIG_KERNEL_H
#define KERNEL_CONFIG_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

/*
 * The oldest Linux that is built, for lack of seccomp= and of SMP before it, and the newest
 * that the patches were tested with (with any third number); see patches/README.
 */
#define KERNEL_OLDEST "7.2"
#define KERNEL_NEWEST "7.3"

struct kernel_info {
	char *key;		/* 64 hexadecimal digits; NULL for a file from elsewhere */
	char *path;		/* of the binary, absolute */
	char *dir;		/* its folder in the cache; NULL for a file from elsewhere */
	char *version;		/* kernel release, "7.3.4" */
	char *source;		/* "linux-source-7.3 7.3.4-1~bpo13+1", or a path */
	char *compiler;		/* the first line of its --version */
	char *fragments;	/* asked for with --config, blank-separated; "" */
	char *recipe;		/* sha256 of the program's fragments, patches and humfs */
	uint64_t size;		/* of the binary, bytes */
	uint64_t built;		/* seconds since the epoch */
	uint64_t seconds;	/* that building it took */
	uint64_t units;		/* files that were compiled */
	bool current;		/* made from this program's recipe */
};

#define KERNEL_INFO_INIT { NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, false }

void kernel_info_release(struct kernel_info *k);
#define cleanup_kernel_info __attribute__((cleanup(kernel_info_release)))

struct kernel_list {
	struct kernel_info *v;	/* the one kernel_find() would take first, the rest newest first */
	size_t n;
};

void kernel_list_release(struct kernel_list *l);
#define cleanup_kernel_list __attribute__((cleanup(kernel_list_release)))

/* Every complete kernel of the cache. */
int kernel_list(struct kernel_list *l, struct error *e);
/*
 * The kernel to use when no file is named: of those made from this program's recipe with
 * the fragment @kind ("full", "debug"; "": without further ones) the one with the highest
 * version that the patches were tested with, if there is one, the newest of these.
 * -ENOENT, without a hint, when there is none.  Needs no compiler and no network.
 */
int kernel_find(const char *kind, struct kernel_info *k, struct error *e);
/* Is there a fragment of that name in this program, to be added to the default ones? */
bool kernel_is_kind(const char *name);
/* The one kernel of the cache whose key begins with @prefix; -ENOENT, or -ENOTUNIQ. */
int kernel_lookup(const char *prefix, struct kernel_info *k, struct error *e);
/* Removes it; a cage that runs on it goes on. */
int kernel_remove(const struct kernel_info *k, struct error *e);
/*
 * Looks at a kernel binary from anywhere: runs it with --version and --showconfig.
 * -ENOEXEC if it is not a UML kernel, -EINVAL with every reason if it is one that a cage
 * cannot use.  Fills path, version and size.
 */
int kernel_inspect(const char *path, struct kernel_info *k, struct error *e);

struct kernel_request {
	/* A directory, a tarball or linux-source .deb, a suite, or "7.2" of the listed
	 * suites; NULL: what the cache has, else their newest that was tested. */
	const char *source;
	bool newer;			/* also one newer than KERNEL_NEWEST */
	const struct strv *fragments;	/* files, or kinds; NULL: none */
	const char *mirror;		/* NULL: see debian_mirror_find() */
	const struct strv *keyrings;	/* NULL: the host's */
	bool rebuild;			/* even if the cache has it */
	unsigned int jobs;		/* 0: one for every CPU this process may use */
	struct progress *progress;	/* NULL: silent */
};

/*
 * Finds or builds the kernel that is asked for; @k is filled.  0 if it was there,
 * 1 if it was built.  While it builds, SIGINT and its like end it cleanly and then
 * the program.  Errors leave no trace but the log, which the text names:
 * -ENOSPC, -ENOPKG for missing tools (with the command that installs them), -EINVAL
 * for lost symbols and patches that do not fit, -ENOEXEC for a failed compilation.
 */
int kernel_ensure(const struct kernel_request *req, struct kernel_info *k, struct error *e);

/*
 * The source that would be built, downloaded if need be: its path, malloc'ed into *@path, a
 * folder, a tarball or a package in the cache.  Only source, newer, mirror, keyrings and
 * progress of @req count.
 */
int kernel_source(const struct kernel_request *req, char **path, struct error *e);

#endif
