/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that a cage is: kernel, memory, processors, wall, network, environment.  One
 * struct and one table of options for every command that boots a cage, with one set of
 * bounds and messages.  What the machine boots on and what comes out of it are not its
 * business.
 *
 *	struct machine m = MACHINE_INIT;
 *	... the options fill it (machine_opts and the others) ...
 *	machine_check(&m, e);			before any work
 *	machine_kernel(&m, mirror, true, progress, &kernel, e);
 *	machine_configure(&m, &cfg);
 *	machine_release(&m);
 */
#ifndef UMLCAGE_MACHINE_MACHINE_H
#define UMLCAGE_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel-config/kernel.h"
#include "umlcage/base/error.h"
#include "umlcage/base/opts.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"
#include "umlcage/net/policy.h"

struct machine {
	/* machine_opts */
	const char *kernel;	/* a kind or a file; NULL: the default kind */
	uint64_t memory;	/* bytes; 0: what the command takes by default */
	unsigned int cpus;	/* virtual CPUs */
	unsigned int pids;	/* most processes; 0: no limit but memory's */
	uint64_t disk;		/* bytes of files in guest memory; 0: nearly all of it */
	enum cage_require require_jail;	/* fail where the host offers less */
	bool no_namespaces;	/* only the first wall */
	bool ptrace_mode, no_fast_calls;
	const char *clock;	/* "@SECONDS" or a date; NULL: the host's */
	bool console;		/* the kernel's console on stderr */
	bool die_with_parent;	/* SIGTERM when what started it ends: parent.h */
	const char *stats;	/* a file for what the kernel counted, "": stderr; NULL: none */
	struct strv emulate;	/* architectures whose programs it runs, besides those of its root */
	/* machine_time_opts */
	uint64_t lifetime;	/* milliseconds; 0: any time */
	/* machine_net_opts */
	const char *net;	/* "nat", "public", "restricted", "none" */
	/* machine_port_opts */
	struct strv publish;
	bool reach_host;
	/* machine_policy_opts */
	struct strv net_allow, net_deny;	/* HOST|CIDR[:PORT] */
	const char *net_log;	/* a file; NULL: none */
	/* machine_env_opts */
	struct strv env;	/* "NAME" or "NAME=VALUE" */
	/* machine_socket_opts */
	struct strv sockets;	/* names, or HOST:GUEST */
	/* made by machine_check() */
	enum cage_net net_mode;
	int64_t clock_at;	/* seconds since 1970; 0: the host's */
	int stats_fd;
	struct cage_forward *forwards;
	struct cage_socket *cage_sockets;
	struct strv socket_paths;	/* on the host */
	struct net_policy policy;
};

#define MACHINE_INIT { .cpus = 1, .net = "nat", .stats_fd = -1, .policy = NET_POLICY_INIT }

/* Kernel, memory, processors, wall. */
extern const struct opt machine_opts[];
/* How long it may take, for commands that make something. */
extern const struct opt machine_time_opts[];
/* Whether there is a network. */
extern const struct opt machine_net_opts[];
/* Published ports, and the host. */
extern const struct opt machine_port_opts[];
/* What of a network may be reached, and who writes that down: for whatever runs in the cage. */
extern const struct opt machine_policy_opts[];
/* Variables of the command. */
extern const struct opt machine_env_opts[];

/* Sockets of the host. */
extern const struct opt machine_socket_opts[];

/* Least memory that a kernel comes up with and can tell what it lacks. */
#define MACHINE_MEMORY_MIN (64ULL << 20)

/*
 * Are the values ones that a machine can have?  Usage errors, and -ENOENT for a kernel.  From
 * then on this process follows its parent, if it is to.
 */
int machine_check(struct machine *m, struct error *e);
/* At least @jobs virtual CPUs, as far as there can be that many: under ptrace there is one. */
void machine_cpus_for(struct machine *m, unsigned int jobs);
/*
 * The kernel: the one that is named, or the newest of the cache, or, if @build, one that is
 * built now from @mirror (NULL: found).  Without one and without @build k->path is NULL.  A
 * named kernel gets a key that tells it from others.  0, 1 if one was built, or -errno.
 */
int machine_kernel(const struct machine *m, const char *mirror, bool build,
		   struct progress *progress, struct kernel_info *k, struct error *e);
/* The same without building: 1 if there is none. */
int machine_find_kernel(const struct machine *m, struct kernel_info *k, struct error *e);
/* Fills what the machine decides in @cfg; it stays valid as long as @m. */
void machine_configure(const struct machine *m, struct cage_config *cfg);
/* What of the network its commands may reach, as text: "" if all of it; malloc'ed. */
char *machine_network(const struct machine *m);
/*
 * The variables for a command: the ones of -e, TERM where there is a terminal, and with a
 * network the host's proxies.
 */
void machine_environment(const struct machine *m, bool terminal, struct strv *env);
/* Adds where programs find the sockets of machine_socket_opts, unless @env says it already. */
void machine_socket_environment(const struct machine *m, struct strv *env);
/* Of machine_check(). */
int machine_check_sockets(struct machine *m, struct error *e);
void machine_release(struct machine *m);

#endif
