/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole fabrication, from options to target: indexes, cache of finished trees,
 * plan, kernel, fabricate_run().  What `umlcage fabricate` does, for other commands too.
 */
#ifndef ROOTFS_REQUEST_H
#define ROOTFS_REQUEST_H

#include "rootfs/options.h"
#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"

/*
 * Makes o->target; @o must be resolved.  -EINVAL with a usage error for what cannot be
 * had, -EINTR after a signal (which then is raised again).
 */
int fabricate_request(const struct fab_options *o, struct progress *progress, struct error *e);

/*
 * A root with tools in it: minbase of @suite (NULL: the host's own release if its mirror
 * has one, else stable) and @include, kept in the cache under those words until pruned.
 * @mirror as of `umlcage fabricate`, may be NULL; @kernel too.  *@path is malloc'ed: a share.
 */
int fabricate_tools_root(const char *suite, const char *include, const char *mirror,
			 const char *kernel, struct progress *progress, char **path,
			 struct error *e);

#endif
