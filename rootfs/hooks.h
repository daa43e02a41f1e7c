/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks: commands of the user at four moments, and mmdebstrap's special ones that carry
 * files in and out (copy-in, copy-out, sync-in, sync-out, tar-in, tar-out, upload,
 * download).
 */
#ifndef ROOTFS_HOOKS_H
#define ROOTFS_HOOKS_H

#include "rootfs/options.h"
#include "umlcage/base/error.h"

struct fabricate;

/* All hooks of that moment, in order; stops at the first that fails. */
int hooks_run(struct fabricate *f, enum fab_hook_when when, struct error *e);
/* Splits as a shell would at blanks, with quotes and backslashes; -EINVAL if one stays open. */
int hooks_words(const char *text, struct strv *words);
/* Is it one of the special ones?  Then its name's length, else 0. */
size_t hooks_special(const char *script);

#endif
