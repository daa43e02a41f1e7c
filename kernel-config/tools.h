/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel build needs of the host.
 */
#ifndef KERNEL_CONFIG_TOOLS_H
#define KERNEL_CONFIG_TOOLS_H

#include <stdint.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

struct tools {
	char *cc;		/* "gcc", or what UMLCAGE_CC or CC say: may have words in front */
	char *version;		/* the first line of its --version */
	bool from_user;		/* the environment named it */
};

#define TOOLS_INIT { NULL, NULL, false }

/*
 * Looks for every program and header of the build.  -ENOPKG names all that is
 * missing in one message, with the command that installs it.
 */
int tools_find(struct tools *t, struct error *e);
void tools_release(struct tools *t);
#define cleanup_tools __attribute__((cleanup(tools_release)))

/* -ENOSPC, with how much is needed and where, if the filesystem of @dir lacks @bytes. */
int tools_check_space(const char *dir, uint64_t bytes, struct error *e);

/*
 * The environment of the build, made from nothing: what the caller's shell exports
 * must not change a kernel.  @tmp is where compilers put their files.
 */
void tools_environment(const struct tools *t, const char *tmp, struct strv *env);

#endif
