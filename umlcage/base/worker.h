/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on bytes from others, in a process of its own that gives up everything first
 * (confine.h) and hands its result back through a pipe.  Whatever becomes of it, a crash, a
 * limit, a signal, is an error with its cause here.
 */
#ifndef UMLCAGE_BASE_WORKER_H
#define UMLCAGE_BASE_WORKER_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/types.h>

#include "umlcage/base/confine.h"
#include "umlcage/base/error.h"
#include "umlcage/base/patience.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

enum { WORKER_PATIENCE = 120 };

struct worker {
	const char *what;		/* for messages: "read the package lists" */
	const struct confine *confine;
	const int *fds;			/* all it has but those of paths, none of them below 3 */
	size_t nfds;			/* at most 4096 */
	size_t max_result;		/* bytes */
	/*
	 * Seconds: one that sleeps so long instead of answering is ended, one that stays also if it
	 * computes so long (patience.h).  0: never, for what waits for its input.
	 */
	unsigned int patience;		/* WORKER_PATIENCE */
	/*
	 * Warned where the host cannot confine it, and told the warnings that work() gives to the
	 * same address over there; may be NULL.
	 */
	struct progress *progress;
	void (*tick)(void *arg);	/* here, a few times a second meanwhile; may be NULL */
	/* before it is confined: loads what it would load later; may be NULL */
	void (*prepare)(void *arg);
	/* confined; fills @result, or @e and returns -errno */
	int (*work)(void *arg, struct strbuf *result, struct error *e);
	void *arg;
	const atomic_bool *stop;	/* of one that stays: give up what waits for it; may be NULL */
};

/*
 * Runs it and waits for it.  0 with what it said in @result, which is as little to be
 * trusted as what it read; what its work() returned, with its error; -EBADMSG if it died, ran
 * into a limit or slept, or said something else than a result; -EINTR if interrupted() says so.
 */
int worker_run(const struct worker *w, struct strbuf *result, struct error *e);

/*
 * A worker that stays and is asked many times.  Its work() has a socket at WORKER_SOCKET whose
 * other end is here, and ends when that is closed; its @result and what it returns are not
 * looked at, and @max_result, @tick are not used.  Signals that end programs from a terminal do
 * not end it.
 */
enum { WORKER_SOCKET = 1 };

struct worker_peer {
	const struct worker *w;	/* must stay */
	pid_t pid;		/* -1: it is not there, or no more */
	int fd;			/* messages (SOCK_SEQPACKET) */
	int words;		/* what it says on standard error */
	struct patience patience;
};

#define WORKER_PEER_INIT { .pid = -1, .fd = -1, .words = -1 }

/* Only from a thread that outlives it: it ends with the thread that started it. */
int worker_start(const struct worker *w, struct worker_peer *p, struct error *e);
/* Waits until it is confined; call this once before all that follows. */
int worker_ready(struct worker_peer *p, struct error *e);
/*
 * Sends one message, with @fd (-1: none), which stays the caller's.  -EBADMSG with the cause if
 * the worker died or was ended, -ESRCH if that was known, -EINTR if interrupted() says so,
 * -ECANCELED by @stop.
 */
int worker_tell(struct worker_peer *p, const void *data, size_t len, int fd, struct error *e);
/* Waits for a message, not longer than @len: its length, or as worker_tell(). */
ssize_t worker_hear(struct worker_peer *p, void *buf, size_t len, struct error *e);
/* Ends it; no harm if it is not there. */
void worker_stop(struct worker_peer *p);

/* In work(): the next message, with the descriptor that came along in *@fd or -1.  0: the end. */
ssize_t worker_asked(void *buf, size_t len, int *fd);
/* 0 or -errno. */
int worker_say(const void *data, size_t len);

/*
 * Results as records.  put_* append; take_* move on behind what they took and return false,
 * then and ever after, where it is not there or not as it should be.
 */
struct taker {
	const char *at, *end;
	bool bad;
};

void put_u64(struct strbuf *sb, uint64_t v);
void put_str(struct strbuf *sb, const char *s);		/* NULL is kept apart from "" */
bool take_u64(struct taker *t, uint64_t max, uint64_t *v);
/* malloc'ed into *@s; never NULL if @needed; without a NUL, a newline or a blank at an end. */
bool take_str(struct taker *t, size_t max, bool needed, char **s);

#endif
