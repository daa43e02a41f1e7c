/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share: mounts.c. */
#ifndef UMLCAGE_PLACES_PRIVATE_H
#define UMLCAGE_PLACES_PRIVATE_H

#include "umlcage/places/places.h"

/* "HOSTDIR:GUESTDIR[:ro]" of --share, and "HOST:GUEST[:ro]" of --bind. */
int places_add_share(struct places *p, const char *text, bool nosync, struct error *e);
int places_add_bind(struct places *p, const char *text, struct error *e);
/* Are they written rightly, and is what they name there, unless it @may_be_made? */
int places_check_mounts(const char *option, const struct strv *mounts, bool may_be_made,
			struct error *e);

#endif
