/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the plan module share. */
#ifndef ROOTFS_PLAN_PRIV_H
#define ROOTFS_PLAN_PRIV_H

#include "rootfs/plan.h"

/* ---- plan-local.c ---- */

/* Size, sha256 and path of a package file. */
int plan_fill_local(const char *path, struct plan_package *p, struct error *e);

/*
 * The value of @option ("APT::Install-Recommends") in apt.conf text: 1, 0, or -1
 * where the text does not set it.  Only the flat form is read, not nested blocks.
 */
int plan_aptconf_flag(const char *text, const char *option);
/* The same as text; malloc'ed, NULL where it is not set. */
char *plan_aptconf_value(const char *text, const char *option);
/* All of --aptopt, files read; malloc'ed, NULL where there is none. */
char *plan_aptopts_text(const struct fab_options *o);

/* ---- plan-sources.c ---- */

/* Fills o->sources from the mirrors, or where there are none, from the host's. */
int plan_resolve_sources(struct fab_options *o, struct error *e);

#endif
