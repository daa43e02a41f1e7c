/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The supervisor's end of control: a private Unix socket on which the streams of
 * the agent arrive (through libslirp), the control connection among them, and the
 * frames on that.
 */
#ifndef UMLCAGE_CAGE_CONTROL_H
#define UMLCAGE_CAGE_CONTROL_H

#include <stdint.h>

#include "umlcage/base/error.h"
#include "umlcage/base/pollset.h"
#include "umlcage/cage/proto.h"

struct control_stream {
	struct control_stream *next;
	int fd;
	unsigned char hello[PROTO_HELLO_SIZE];
	size_t have;		/* bytes of hello */
	uint32_t exec;
	enum proto_channel channel;
	int index;
};

struct control {
	int listener, listener_index;
	int name_fd;		/* O_PATH descriptor of the socket: its name is gone at once */
	int fd, index;		/* the control connection; -1 before and after */
	bool lost;		/* it was there and is closed, or broke the protocol */
	struct strbuf in, out;
	struct control_stream *streams;	/* greeted or not, waiting to be claimed */
	unsigned int nstreams, streams_max;
};

/* Opens the socket; *@path (108 bytes) is what libslirp shall connect to. */
int control_open(struct control *c, char path[108], struct error *e);
/* Takes a stream that came in another way. */
void control_add(struct control *c, int fd);
void control_fill(struct control *c, struct pollset *ps);
void control_dispatch(struct control *c, const struct pollset *ps);
/* Queues a frame; sent as soon as there is a connection.  -EMSGSIZE if too large. */
int control_send(struct control *c, const struct proto_msg *m);
/* The next frame received: 1, 0 or -EPROTO. */
int control_next(struct control *c, struct proto_msg *m);
/* Closes the greeted streams that nobody has claimed: they are of no command that runs. */
void control_drop_unclaimed(struct control *c);
/* The stream for @channel of @exec, the caller's from now on; -1 if not (yet) there. */
int control_claim(struct control *c, uint32_t exec, enum proto_channel channel);
void control_close(struct control *c);

#endif
