/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cage lacks, made by umlcage-make, which fetches, solves, unpacks and builds: the program
 * that runs cages has no code for any of that, being what supervises code that nobody trusts.
 */
#ifndef UMLCAGE_CMD_WORKSHOP_H
#define UMLCAGE_CMD_WORKSHOP_H

#include "umlcage/machine/machine.h"

/*
 * Has it build a kernel, or make what --root names ready, with the emulators of m->emulate.
 * @verbosity as of struct progress.
 * 0; 1: it failed and has said why; -errno; -EINTR after a signal that interrupt.h knows of.
 */
int workshop_kernel(const struct machine *m, const char *mirror, int verbosity, struct error *e);
int workshop_root(const char *root, const char *mirror, const struct machine *m, int verbosity,
		  struct error *e);

#endif
