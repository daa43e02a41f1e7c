/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: cages that outlive the terminal they were started from, by name.
 *
 * A session is a process that has a cage, and serves a Unix socket.  Its traces on the host:
 *
 *	STATE/umlcage/sockets/NAME.socket	where clients come; only its owner is let in
 *	STATE/umlcage/sockets/NAME.lock		held while it lives, by any means of dying let go
 *	STATE/umlcage/running/NAME/record	how it was started, until it has ended well
 *	STATE/umlcage/running/NAME/log		the kernel's console and what the session had to say
 *
 * A record that nobody holds the lock of is of a session that was lost.
 *
 *	session_claim(&s, name, &e);		in the process that will serve
 *	... a cage is started ...
 *	session_serve(&s, cage, &cfg, &e);	until it is to end
 *	... the cage is stopped ...
 *	session_end(&s, why);
 *
 * Clients connect (session_connect()), and hand over the descriptors that a command shall have
 * for its stdio: nothing comes between these and the cage.
 */
#ifndef UMLCAGE_SESSION_SESSION_H
#define UMLCAGE_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "umlcage/base/error.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"

/* Names: letters, digits, '.', '_', '-', the first a letter or a digit; at most 64. */
int session_check_name(const char *name, struct error *e);
/* The first of s1, s2, ... that is free just now; malloc'ed. */
int session_new_name(char **name, struct error *e);

/* ---- what is known of one ---- */

/* How a session was started, in words "key=value"; see session_get(). */
struct session_record {
	struct strv words;
};

#define SESSION_RECORD_INIT { STRV_INIT }

/* The value of the first word of that key, NULL if there is none. */
const char *session_get(const struct strv *words, const char *key);
/* All values of the key, as a vector for a command line. */
void session_get_all(const struct strv *words, const char *key, struct strv *values);
/* -ENOENT: there is none, which means the session has ended, or never was. */
int session_read_record(const char *name, struct session_record *r, struct error *e);
void session_record_release(struct session_record *r);
#define cleanup_session_record __attribute__((cleanup(session_record_release)))
/* Names of all sessions, those that were lost too, sorted. */
int session_names(struct strv *names, struct error *e);
/* The path of its log; malloc'ed. */
int session_log_path(const char *name, char **path, struct error *e);
/* Removes the traces of a session that was lost; -EBUSY if it lives. */
int session_forget(const char *name, struct error *e);
/* -ENOENT in words, with the name that may have been meant. */
int session_absent(const char *name, struct error *e);

/* ---- serving ---- */

struct session {
	char *name;
	int lock, listener, log;
	bool lost;		/* of session_claim(): one of that name was lost before */
};

#define SESSION_INIT { NULL, -1, -1, -1, false }

/*
 * Takes the name and begins to listen; clients wait until it is served.  -EEXIST if a session of
 * that name lives.  @record is kept until the session has ended well.
 */
int session_claim(struct session *s, const char *name, const struct session_record *record,
		  struct error *e);

/* Writes the record anew, with what was found out since. */
int session_note(const struct session *s, const struct session_record *record, struct error *e);

struct session_config {
	const struct strv *env;		/* of commands that do not say otherwise, "NAME=VALUE" */
	uint64_t idle_timeout;		/* milliseconds without a command or a client; 0: none */
	bool init;			/* there is one, whose console may be attached */
	struct progress *progress;	/* goes to its log */
};

/* Until somebody or something ends it (0) or the cage is lost (-errno). */
int session_serve(struct session *s, struct cage *cage, const struct session_config *cfg,
		  struct error *e);
/*
 * The end: clients that wait learn of it.  @why is NULL if it ended well, and all traces go;
 * otherwise its record stays and says so.  Closes @s in any case.
 */
void session_end(struct session *s, const char *why);

/* ---- clients ---- */

/*
 * Connects to the session.  A descriptor, -ENOENT when there is none of that name, -ESRCH when
 * it was lost.
 */
int session_connect(const char *name, struct error *e);
/* The process that serves it; 0 or -errno. */
int session_pid(int fd, pid_t *pid);

/*
 * One request and its answer: @words begins with a verb.  0 with the answer's words, or the
 * error that the session has answered; -EINTR after a signal, see interrupt.h.
 */
int session_ask(int fd, const struct strv *words, struct strv *answer, struct error *e);

/* From now on @fd is for nothing but to be closed by the session when it ends. */
void session_watch(int fd);

struct session_exec {
	char *const *argv;
	char *const *env;		/* as of struct cage_exec */
	const char *cwd, *user;
	bool changes;			/* of struct cage_exec */
	bool tty;
	uint64_t timeout;		/* milliseconds; 0: none */
	int fds[3];			/* its stdio; -1: none */
	const char *keys;		/* as detach_keys of struct cage_exec; for a terminal alone */
	bool begin_detached;		/* with a terminal that nobody has, and no descriptors */
	unsigned int detached;		/* afterwards: it goes on under that number; 0: it does not */
};

/*
 * Runs a command in the session to its end, with this process's signals and terminal as
 * cage_exec() has them.  -EPIPE when the session ended first.
 */
int session_exec(int fd, struct session_exec *what, struct cage_exit *exit, struct error *e);
/* What session_attach() takes for a number: what the root's init has for a console. */
#define SESSION_CONSOLE "console"

/*
 * The same with a command that was detached: of @what the descriptors and keys count.  @number
 * NULL: the only one.
 */
int session_attach(int fd, const char *number, struct session_exec *what, struct cage_exit *exit,
		   struct error *e);

#endif
