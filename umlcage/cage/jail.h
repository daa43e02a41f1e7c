/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wall around a cage.  Its guest is not trusted, and neither is its kernel: a
 * guest process can come to write the kernel's memory.  So the whole UML process
 * is confined before exec: no new privileges, Landlock (landlock(7)), a seccomp
 * allowlist (seccomp(2)), resource limits: the basic wall.  Where the host lets its
 * users have namespaces (user_namespaces(7)), it has those as well, with a root
 * that is empty but for what it needs: the full wall.  Elsewhere a warden (warden.h) answers
 * what the filter cannot judge.  What each of them keeps
 * from whom is in umlcage/doc/SECURITY.
 */
#ifndef UMLCAGE_CAGE_JAIL_H
#define UMLCAGE_CAGE_JAIL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "umlcage/base/error.h"
#include "umlcage/cage/namespaces.h"
#include "umlcage/cage/place.h"
#include "umlcage/cage/warden.h"

enum jail_require {
	JAIL_REQUIRE_NOTHING,	/* what the host lacks is noted */
	JAIL_REQUIRE_BASIC,	/* Landlock, signals kept in, the filter */
	JAIL_REQUIRE_FULL,	/* the namespaces, too */
};

/* A descriptor the kernel may open again or work beneath, and how. */
struct jail_path {
	int fd;
	bool directory;
	bool writable;
	bool executable;
	bool plain;		/* fifos and sockets may be made; a file is not to be opened again */
};

struct jail_config {
	const struct jail_path *paths;
	size_t npaths;
	enum jail_require require;
	bool no_namespaces;	/* as on a host that has none */
	bool no_warden;		/* as on a host where the kernel's calls cannot be answered by another */
	int max_abi;		/* as on a host with this ABI of Landlock; JAIL_ANY_ABI: the host's own */
	const struct place *place;
	uint64_t processes;	/* how many of the host's it may start; 0: as many as the user may */
	uint64_t file_size;	/* no file may become larger, in bytes; 0: no limit */
};

enum { JAIL_ANY_ABI = 1000, JAIL_LACKS = 2 };

struct jail {
	int ruleset;		/* Landlock; -1: the host has none */
	struct sock_fprog filter;	/* seccomp; .len 0: none */
	const struct place *place;
	struct namespaces ns;	/* .flags 0: none */
	struct warden warden;	/* .pid 0: none */
	uint64_t processes, file_size;	/* see struct jail_config, with the user's others */
	const char *lacks[JAIL_LACKS];	/* what the host does not have, and what comes of that */
	size_t nlacks;
};

#define JAIL_INIT { .ruleset = -1, .warden = WARDEN_INIT }

/*
 * Prepares everything that needs memory, before fork().  What the host lacks is noted, for
 * whoever asked to warn about once it stands, or, if required, an error.  Whether it has
 * namespaces shows when they are entered: if that fails, prepare again with .no_namespaces.
 */
int jail_prepare(struct jail *j, const struct jail_config *cfg, struct error *e);
/*
 * In the child, before exec, after namespaces_enter() of .ns if it has .flags; async-signal-safe.
 * For struct proc_opts.before_exec.
 */
int jail_enter(void *jail, const char **what);
/* How many descriptors a process may have once it is in there; 0 for any number. */
uint64_t jail_descriptors(void);

void jail_release(struct jail *j);

#endif
