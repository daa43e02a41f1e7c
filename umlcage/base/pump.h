/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One direction of a relay between two descriptors, with one buffer.  Used on
 * both sides of a cage's stdio.  Takes part in an event loop as a pollset does.
 */
#ifndef UMLCAGE_BASE_PUMP_H
#define UMLCAGE_BASE_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/pollset.h"

enum { PUMP_BUFFER = 65536, PUMP_ROOM = 16 };

struct pump {
	int from, to;		/* -1 when closed; the pump's */
	bool to_socket;		/* end with shutdown(SHUT_WR) before closing */
	bool job_control;	/* @from is the user's terminal: not read in the background */
	bool stays;		/* @from at its end parks it; @to that fails is closed alone */
	bool both_ways;		/* another pump reads @to: that nothing more comes is not its end */
	bool held;		/* not read for now, as its owner says */
	bool draining;		/* nothing to read now means the end */
	int64_t drain_until;	/* ... but only from then on, milliseconds of clock_ms() */
	size_t most;		/* bytes in one write; 0: all there is */
	int error;		/* positive errno of a write that failed, but for EPIPE; kept when closed */
	bool parked;		/* without @from for now, which is not its end */
	/* What was read, @len bytes and room for PUMP_ROOM more, becomes so many to pass on; or NULL. */
	size_t (*filter)(char *data, size_t len, void *arg);
	void *filter_arg;
	/* instead of @to: called with every piece */
	void (*sink)(const char *data, size_t len, void *arg);
	void *sink_arg;
	char *buf;
	size_t start, end;
	int from_index, to_index;	/* of the current turn */
};

#define PUMP_CLOSED { .from = -1, .to = -1 }

/* Relays from @from to @to, taking both and making both non-blocking. */
void pump_open(struct pump *p, int from, int to, bool to_socket);
void pump_open_sink(struct pump *p, int from, void (*sink)(const char *, size_t, void *),
		    void *arg);
/*
 * A descriptor of our own for the user's @fd, which other processes share and
 * which must therefore keep its flags.  Where it cannot be opened anew, a
 * duplicate, and *@shared is set: poll before each call, at most PIPE_BUF a write.
 * -errno on failure.
 */
int pump_own(int fd, bool for_writing, bool *shared);
/* The same relay where one end may be such a shared descriptor: no flags are touched. */
void pump_open_shared(struct pump *p, int from, int to, bool to_socket, bool shared_to);

/* Takes @from away, or gives another one, our own or shared; @to stays. */
void pump_park(struct pump *p);
void pump_unpark(struct pump *p, int from);
/* Gives it another @to for the sink that it had, with @len bytes, at most PUMP_BUFFER, in front. */
void pump_redirect(struct pump *p, int to, bool shared, const char *data, size_t len);
/* The other way: @to is closed, and what goes there is the sink's from now on. */
void pump_divert(struct pump *p, void (*sink)(const char *, size_t, void *), void *arg);

void pump_fill(struct pump *p, struct pollset *ps);
void pump_dispatch(struct pump *p, const struct pollset *ps);
/* True when both ends are closed. */
bool pump_done(const struct pump *p);
void pump_close(struct pump *p);

#endif
