/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the user's files live, after the XDG Base Directory Specification:
 *
 *   cache    kernels/ archives/ indexes/	can be thrown away
 *   data     roots/				the user's
 *   state    sessions/ logs
 *   runtime  sockets, run directories		0700, short-lived
 */
#ifndef UMLCAGE_BASE_XDG_H
#define UMLCAGE_BASE_XDG_H

#include "umlcage/base/error.h"

enum xdg_kind { XDG_CACHE, XDG_DATA, XDG_STATE, XDG_RUNTIME };

/*
 * The absolute path of @rel ("" for the top) below umlcage's directory of that
 * kind, all directories of it made; malloc'ed into *@path.
 * XDG_RUNTIME falls back to a directory of the user's own in /tmp that nobody
 * else can have prepared.
 */
int xdg_dir(enum xdg_kind kind, const char *rel, char **path, struct error *e);

/* Where the user's own settings called @name are or would be; nothing is made.  NULL: nowhere. */
char *xdg_config_path(const char *name);

#endif
