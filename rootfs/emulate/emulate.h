/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs of other processors in a cage, through qemu's user mode emulation: which emulator an
 * architecture of Debian takes, where it is kept, what a root needs.  The emulator comes from
 * Debian's archive (qemu-user-static, qemu-user), and is a program of this machine, linked
 * statically: the agent registers it with the cage's kernel (binfmt_misc, with the fix-binary
 * flag), and the root never sees it.
 *
 * Magic numbers and masks: those of qemu's scripts/qemu-binfmt-conf.sh; see
 * Documentation/admin-guide/binfmt-misc.rst of Linux.
 */
#ifndef ROOTFS_EMULATE_H
#define ROOTFS_EMULATE_H

#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"

struct emulate_kind {
	const char *arch;	/* Debian's name: "arm64" */
	const char *qemu;	/* qemu's: "aarch64" */
	const char *magic, *mask;	/* of an ELF file's first 20 bytes, as binfmt_misc takes them */
	const char *variable;	/* for its commands; NULL: none */
	unsigned char class, data;	/* EI_CLASS, EI_DATA */
	unsigned int machine;		/* e_machine */
};

/* NULL: there is none for that architecture (or it is this machine's own). */
const struct emulate_kind *emulate_kind(const char *arch);
/* -EINVAL, as a usage error, unless there is one. */
int emulate_check(const char *arch, struct error *e);

/* What a cage is given: cage_config.emulators. */
struct emulators {
	struct cage_emulator *v;
	size_t n;
};

#define EMULATORS_INIT { NULL, 0 }

/* Seconds after which a kept one is fetched again. */
#define EMULATE_AGE (30 * 24 * 3600)

/*
 * Adds the kept emulator of @arch, once per emulator.  1: there is none, or with @renew, it is
 * older than EMULATE_AGE; -EINVAL as emulate_check().
 */
int emulate_open(struct emulators *em, const char *arch, bool renew, struct error *e);
void emulate_close(struct emulators *em);
#define cleanup_emulators __attribute__((cleanup(emulate_close)))

/*
 * What the root in the directory @rootfd has programs of: @needed, that of its shell, without
 * which nothing runs; @useful, those that its dpkg knows besides.  Neither has this machine's
 * own, or one that there is no emulator for.
 */
void emulate_detect(int rootfd, struct strv *needed, struct strv *useful);

/* ---- fetch.c: apart, for the program that fetches ---- */

/* Fetches the emulator of @arch from the suite @suite of @mirror (NULL: found) and keeps it. */
int emulate_fetch(const char *arch, const char *suite, const char *mirror,
		  struct progress *progress, struct error *e);
/* emulate_open(), and emulate_fetch() where that is needed; an old one does if that fails. */
int emulate_ensure(struct emulators *em, const char *arch, const char *suite, const char *mirror,
		   struct progress *progress, struct error *e);
/*
 * Ensures those of @archs and what the root in @rootfd (-1: unknown) needs; without those that
 * would be useful to it there is a warning.
 */
int emulate_ensure_root(struct emulators *em, int rootfd, const struct strv *archs,
			const char *suite, const char *mirror, struct progress *progress,
			struct error *e);

#endif
