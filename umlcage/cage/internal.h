/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share about a running cage. */
#ifndef UMLCAGE_CAGE_INTERNAL_H
#define UMLCAGE_CAGE_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "umlcage/base/cgroup.h"
#include "umlcage/base/keys.h"
#include "umlcage/base/pollset.h"
#include "umlcage/base/pump.h"
#include "umlcage/base/relay.h"
#include "umlcage/cage/cage.h"
#include "umlcage/cage/console.h"
#include "umlcage/cage/control.h"
#include "umlcage/cage/place.h"
#include "umlcage/cage/terminal.h"
#include "umlcage/cage/warden.h"
#include "umlcage/net/net.h"

struct cage {
	pid_t pid;		/* the kernel, leader of the cage's process group; 0: reaped */
	int pidfd, pidfd_index;
	int status;		/* of waitpid() once reaped */
	bool persistent;	/* something of it outlives it: it must be stopped cleanly */
	bool up;		/* the agent has set everything up */
	bool failed, stopped;	/* ... or could not; has written everything back */
	bool stopping;
	bool synced;		/* since cage_sync() */
	struct warden warden;
	bool full_wall;		/* its kernel has namespaces of its own */
	char *failure;		/* what it said about either; NULL: nothing */
	char *what;		/* "cannot boot the kernel '...'", for errors until it is up */
	struct console console;
	int stats, stats_out;	/* what the kernel counts in, where it goes; -1: nothing */
	bool stats_json;
	char *variable;		/* of its emulator; NULL: none */
	int console_index;
	struct control control;
	int64_t ends_ms;	/* when it is to be over; INT64_MAX: never */
	uint64_t lifetime;	/* ... after so many milliseconds */
	int64_t lost_ms;	/* until when a lost agent may be explained; 0: it is not lost */
	struct net *net;
	struct place place;
	struct cgroup groups;	/* the host's limits, as its start found them */
	struct pollset ps;
	struct progress *progress;
	struct strv sockets;	/* of the host, by number */
	bool *unreachable;	/* which of them were not, as it was said */
	struct relays relays;
	struct cage_command *commands;
	struct cage_member *members;
	uint32_t last_exec;
};

/* ---- cage.c ---- */

/* Takes the kernel's end, if it has ended or once it has; true when it is gone. */
bool cage_reap(struct cage *c, bool wait);
/* Says why the kernel ended or cannot go on, with the end of its console. */
int cage_explain(struct cage *c, struct error *e, const char *what);

/* ---- start.c ---- */

/* Starts the kernel of @c, which has its place, console and such; what it opens goes into @c. */
int start_kernel(struct cage *c, const struct cage_config *cfg, struct error *e);

/* ---- limits.c ---- */

/* -ENOMEM: a limit of this process leaves too little, in words. */
int limits_check(const struct cage_config *cfg, struct error *e);
/* How large a file of the kernel's process may become, its memory among them. */
uint64_t limits_file_size(const struct cage_config *cfg);

/* ---- loop.c ---- */

/* Ends memberships; commands stay their owners', of no cage any more. */
void loop_release(struct cage *c);

/* ---- sockets.c ---- */

/* Sockets of the host, as of @cfg; what the guest opens to them is joined with them. */
void sockets_init(struct cage *c, const struct cage_config *cfg);
/* Adds them to MSG_SETUP. */
void sockets_announce(const struct cage_config *cfg, struct proto_msg *m);
void sockets_dispatch(struct cage *c);
void sockets_release(struct cage *c);

/* ---- command.c ---- */

/* One of the streams of a command: ours, until the agent's end arrives and both are joined. */
struct command_stream {
	int fd;			/* a descriptor of our own, see pump_own(); -1: none */
	bool shared;
	bool open;		/* it has been claimed, or is not wanted */
	struct pump pump;
};

struct cage_command {
	struct cage_command *next;
	struct cage *cage;	/* NULL: it is gone */
	uint32_t id;
	struct command_stream in, out, err;
	bool hold;		/* its stdin is left alone */
	struct keys keys;	/* that leave it */
	bool leave;		/* they were typed, or it has begun without anybody */
	bool detached;		/* nobody has its terminal */
	bool console;		/* it is no command, but the console of init */
	struct strbuf kept;	/* what it has said since, the end of it */
	int terminal;		/* the caller's, duplicated, for its size; -1: none */
	struct command_calls {
		void (*output)(int channel, const char *data, size_t len, void *arg);
		void *output_arg;
		void (*ended)(struct cage_command *command, void *arg);
		void *ended_arg;
		void (*left)(struct cage_command *command, void *arg);
	} call;
	bool exited;		/* the process is gone, or was refused */
	bool ended;		/* ... and its output has been handed over */
	bool told;		/* call.ended has been called */
	int64_t deadline_ms;	/* of the time limit, then of the signals sent; INT64_MAX: none */
	unsigned int warnings;	/* signals sent because of the time limit */
	struct cage_exit exit;
};

void command_fill(struct cage_command *x, struct pollset *ps);
void command_dispatch(struct cage_command *x, const struct pollset *ps);
void command_message(struct cage_command *x, const struct proto_msg *m);
/* Looks at time limits, and whether it has ended. */
void command_check(struct cage_command *x);
/* Of a detached one: joins a stream that has arrived with what is kept for who attaches it. */
void detach_open(struct cage_command *x, struct command_stream *s, int fd);
/* The console, left by who had it without a word: it is detached. */
void detach_lost(struct cage_command *x);
/* Has its input watched for the keys that leave it, if there are any; detach.c. */
void detach_watch(struct cage_command *x);
/* Calls back if it is to be left; and if it has ended and nobody was told; true if so: @x may be freed. */
bool command_tell(struct cage_command *x);

#endif
