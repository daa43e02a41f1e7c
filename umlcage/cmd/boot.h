/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cage from the options of a command line: its kernel found or built, its root found or made,
 * booted.  What 'run', 'shell' and 'session start' have in common.
 */
#ifndef UMLCAGE_CMD_BOOT_H
#define UMLCAGE_CMD_BOOT_H

#include "kernel-config/kernel.h"
#include "rootfs/emulate/emulate.h"
#include "umlcage/base/opts.h"
#include "umlcage/base/progress.h"
#include "umlcage/cage/cage.h"
#include "umlcage/machine/machine.h"
#include "umlcage/places/places.h"

struct boot_options {
	struct machine machine;
	struct places_options places;
	const char *hostname, *mirror;
	bool quiet, print_command;
	bool init;		/* the root's own, as PID 1; with --kernel=full unless another is named */
	int verbose;
};

#define BOOT_OPTIONS_INIT { .machine = MACHINE_INIT, .places = PLACES_OPTIONS_INIT }

/* --hostname, --mirror; what is shown.  Machine and places have tables of their own. */
extern const struct opt boot_cage_opts[], boot_shown_opts[];
/* --print-command, where there is a command. */
extern const struct opt boot_print_opts[];

void boot_options_release(struct boot_options *o);

struct boot {
	struct boot_options *o;
	struct progress progress;
	struct cage_config cfg;
	struct kernel_info kernel;
	struct root_spec spec;
	struct places places;
	struct emulators emulators;
	struct cage *cage;
};

#define BOOT_INIT { .cfg = CAGE_CONFIG_INIT, .kernel = KERNEL_INFO_INIT, .spec = ROOT_SPEC_INIT, \
		    .places = PLACES_INIT, .emulators = EMULATORS_INIT }

/* Refuses what cannot work before anything is built, made or opened. */
int boot_check(struct boot *b, struct boot_options *o, struct error *e);
/*
 * Boots; with o->print_command only b->cfg is made.  0; 1: kernel or root cannot be had, and it
 * was said why; -errno.
 */
int boot_cage(struct boot *b, struct error *e);
/* The end of a cage that has served its purpose: written back, changes kept if @succeeded. */
int boot_finish(struct boot *b, bool succeeded, struct error *e);
/* Ends the cage if it still runs, and releases everything. */
void boot_close(struct boot *b);

#endif
