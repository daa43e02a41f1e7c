/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls of a UML kernel and its stub processes, as a seccomp filter. */
#ifndef UMLCAGE_CAGE_SYSCALLS_H
#define UMLCAGE_CAGE_SYSCALLS_H

#include <linux/filter.h>

#include "umlcage/base/error.h"

/* Builds the filter; @prog->filter is malloc'ed. */
int syscalls_filter(struct sock_fprog *prog, struct error *e);

#endif
