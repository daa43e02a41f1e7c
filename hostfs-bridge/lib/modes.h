/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Modes and owners as chmod(1), chown(1) and ls(1) write them. */
#ifndef UMLCAGE_SHARE_MODES_H
#define UMLCAGE_SHARE_MODES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "umlcage/base/error.h"

/*
 * The permission bits that "0755", "u+s,go-w" or "a=rX" make of @mode (with its type
 * bits, which X looks at); -EINVAL.  Without letters in front, all are meant: there is no
 * umask here.
 */
int mode_apply(const char *text, uint32_t mode, uint32_t *out, struct error *e);

/* "UID", "UID:GID", ":GID"; what is not named is left alone. */
int owner_parse(const char *text, uint32_t *uid, uint32_t *gid, struct error *e);

/* "drwxr-sr-t", ten characters and a NUL. */
void mode_text(uint32_t mode, char out[11]);

#endif
