/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What runs in the cage of a fabrication: preinst scripts, dpkg, hooks.  Output goes to
 * the log file; when a command fails its last lines are shown.
 */
#ifndef ROOTFS_CONFIGURE_H
#define ROOTFS_CONFIGURE_H

#include <stdbool.h>
#include <stddef.h>

#include "rootfs/fabricate.h"
#include "umlcage/base/error.h"

struct guest;
struct fabricate;
struct share;

/* Boots a cage on the share in the making. */
int guest_start(struct guest **g, struct fabricate *f, struct error *e);
#define GUEST_TARGET "/target"
/* Boots one on the share @tools, which it does not change, with the other at GUEST_TARGET. */
int guest_start_tools(struct guest **g, struct fabricate *f, const struct share *tools,
		      struct error *e);
/*
 * Runs @argv with @env added to the usual variables (may be NULL) and @stdin_fd (-1: none).
 * Fails, after showing the end of the output, if it ends with other than 0; @what says in
 * the text what could not be done.
 */
int guest_run(struct guest *g, const char *what, char *const *argv, char *const *env,
	      int stdin_fd, struct error *e);
/* The same, standard output to @stdout_fd instead of the log. */
int guest_run_to(struct guest *g, const char *what, char *const *argv, int stdout_fd,
		 struct error *e);
/* "sh -c SCRIPT NAME". */
int guest_script(struct guest *g, const char *what, const char *script, struct error *e);
/* Clean end: everything written is in the share. */
int guest_stop(struct guest *g, struct error *e);
void guest_free(struct guest **g);

/* The first stage: dpkg --install of what is unpacked; the second: what apt would do. */
int configure_base(struct fabricate *f, struct error *e);
int configure_rest(struct fabricate *f, struct error *e);

#endif
