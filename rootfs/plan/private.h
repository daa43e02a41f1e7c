/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the plan module share.  Choosing, which reads foreign indexes with
 * libraries of others, happens in a confined process; its answer says where in the verified
 * indexes the chosen packages are, and in which order dpkg is to be called for them.  All that
 * is believed of a package, its hash above all, is then read from the index itself.
 */
#ifndef ROOTFS_PLAN_PRIVATE_H
#define ROOTFS_PLAN_PRIVATE_H

#include "rootfs/plan/plan.h"
#include "umlcage/base/worker.h"

/* What is asked for: the same on both sides. */
struct plan_request {
	const struct fab_options *o;
	const struct debian_index *indexes;
	size_t nindexes;
	const char *wanted;	/* a package to install on top of what is there; NULL: all of @o */
	const int *debs;	/* package files, open: those named in o->include, in their order */
	const char **deb_paths;
	size_t ndebs;
	int installed;		/* dpkg's status of what is there already; -1: nothing is */
	const char *target;	/* APT::Default-Release; NULL */
	bool recommends, suggests;
};

/* ---- choose.c: the confined process's side ---- */

void plan_prepare(void *request);
/* For struct worker: appends the answer, as answer.c reads it. */
int plan_choose(void *request, struct strbuf *answer, struct error *e);

/* ---- answer.c ---- */

enum { PLAN_AUTO = 1, PLAN_ESSENTIAL = 2, PLAN_REQUIRED = 4, PLAN_ALL_FLAGS = 7 };

/* Reads the answer into @plan; -EBADMSG if anything in it cannot be. */
int plan_read_answer(const struct plan_request *rq, const struct strbuf *answer,
		     struct plan *plan, struct error *e);

/* ---- local.c ---- */

/* Size, sha256 and path of the package file open at @fd. */
int plan_fill_local(int fd, const char *path, struct plan_package *p, struct error *e);

#endif
