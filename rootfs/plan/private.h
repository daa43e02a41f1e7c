/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the plan module share. */
#ifndef ROOTFS_PLAN_PRIVATE_H
#define ROOTFS_PLAN_PRIVATE_H

#include "rootfs/plan/plan.h"

/* Size, sha256 and path of a package file. */
int plan_fill_local(const char *path, struct plan_package *p, struct error *e);

#endif
