/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of a session's side of its socket share: serve.c has the loop, clients.c the
 * connections, commands.c and requests.c what may be asked for.
 */
#ifndef UMLCAGE_SESSION_SERVE_H
#define UMLCAGE_SESSION_SERVE_H

#include "umlcage/base/signals.h"
#include "umlcage/session/private.h"

struct server {
	struct session *s;
	struct cage *cage;
	const struct session_config *cfg;
	struct client *clients;
	struct signals signals;
	int listener_index;
	unsigned int nclients, started;
	bool stopping, paused;
	struct client *freezer;		/* who copies the disk; NULL */
	bool frozen;			/* ... and may do so now */
	int64_t idle_ms;		/* since when nobody has wanted anything */
	int64_t log_ms;			/* when the log's size was last looked at */
};

struct client {
	struct client *next;
	struct server *server;
	int fd, index;			/* -1: gone */
	struct wire wire;
	bool asked, waits;		/* for anything; for the session's end */
	struct cage_command *command;
	unsigned int number;		/* of the command */
	char *what;			/* the command, for people */
	bool detached;			/* the command waits for another client */
	bool console;			/* it is none, but the console of the root's init */
	int64_t kill_ms;		/* when a command without a client is killed; 0: not */
	bool finished;			/* nothing more is to be done for it */
};

/*
 * What a client may ask for.  0: it has been done, which is said unless .silent; 1: it was answered;
 * -errno: that is the answer.
 */
struct request {
	const char *verb;		/* NULL: the end of the table */
	int (*serve)(struct client *c, const struct strv *words, struct error *e);
	bool silent;
};

/* ---- clients.c ---- */

/* Lets in whoever waits, if it is the session's owner. */
void clients_accept(struct server *v);
/* The connection ends; its command does not, by that. */
void client_drop(struct client *c);
void client_free(struct client *c);
void client_reply(struct client *c, const struct strv *words);
void client_reply_ok(struct client *c);
/* Releases @e. */
void client_reply_error(struct client *c, struct error *e);

/* ---- commands.c: the command of a connection ---- */

extern const struct request command_requests[];
/* Begins to keep what is said on the console of the root's init, for who attaches it. */
int console_begin(struct server *v, struct error *e);
/* A command whose client is gone: nobody will ever know what it says. */
void client_hang_up(struct client *c);

/* ---- requests.c: the session as a whole ---- */

extern const struct request session_requests[];
/* All is written back: the machine stands still, and whoever copies its disk is told. */
void server_freeze(struct server *v);
void server_thaw(struct server *v);

#endif
