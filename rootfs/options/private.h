/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of the options. */
#ifndef ROOTFS_OPTIONS_PRIVATE_H
#define ROOTFS_OPTIONS_PRIVATE_H

#include "rootfs/options/options.h"

/* apt_text, dpkg_text and apt from what was typed; what apt or dpkg would refuse is an error. */
int fab_resolve_texts(struct fab_options *o, struct error *e);

#endif
