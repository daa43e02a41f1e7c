/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control protocol between supervisor and agent: the codec, used by both.
 *
 * The agent opens every TCP connection (see net.h for where to) and begins each
 * with a struct proto_hello that says what it is for.  Stdio channels then carry
 * plain bytes.  The control connection carries frames:
 *
 *	u32 type, u32 length, then fields: u32 id, u32 length, bytes
 *
 * all little endian, lengths bounded by PROTO_MAX_FRAME.  Neither side trusts the
 * other: an unknown type or field, a length beyond its frame, a number that is
 * not 8 bytes are -EPROTO.
 */
#ifndef UMLCAGE_CAGE_PROTO_H
#define UMLCAGE_CAGE_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "umlcage/base/str.h"

enum {
	PROTO_VERSION = 1,
	PROTO_MAX_FRAME = 1 << 20,	/* bytes of fields in one frame */
	PROTO_HEADER = 8,
	PROTO_HELLO_MAGIC = 0x47434c55,	/* "ULCG" */
};

enum proto_channel { CHAN_CONTROL, CHAN_STDIN, CHAN_STDOUT, CHAN_STDERR,
		     CHAN_SOCKET,	/* of the hello's exec as its number, see F_SOCKET */
		     CHAN_LAST = CHAN_SOCKET };

struct proto_hello {
	uint32_t magic, channel, exec, version;
};
enum { PROTO_HELLO_SIZE = 16 };

enum proto_type {
	/* supervisor to agent */
	MSG_SETUP = 1,	/* mount the root, configure the network */
	MSG_EXEC,	/* start a command */
	MSG_SIGNAL,	/* signal it */
	MSG_WINSIZE,	/* its terminal changed size */
	MSG_SYNC,	/* write everything back */
	MSG_SHUTDOWN,	/* end everything; power off */
	/* agent to supervisor */
	MSG_READY,	/* answer to MSG_SETUP */
	MSG_FAILED,	/* answer to MSG_SETUP: F_TEXT, F_ERRNO */
	MSG_REFUSED,	/* answer to MSG_EXEC: F_TEXT, F_STATUS (126 or 127) */
	MSG_EXITED,	/* F_STATUS as of waitpid(), F_STREAMS, F_ERRNO of lost output, F_OOM, F_FULL */
	MSG_SYNCED,	/* answer to MSG_SYNC */
	MSG_STOPPED,	/* synced and unmounted; power-off follows; F_TEXT on trouble */
	MSG_WARNING,	/* F_TEXT for the user */
	MSG_STARTED,	/* answer to MSG_EXEC with F_DETACHED */
	MSG_LAST = MSG_STARTED,
};

enum proto_field_id {
	F_EXEC = 1,	/* number: which command */
	F_TEXT,		/* string */
	F_ERRNO,	/* number */
	F_STATUS,	/* number */
	F_OOM,		/* number, 0 or 1 */
	F_ARG,		/* string, repeated: argv */
	F_ENV,		/* string, repeated */
	F_CWD,		/* string */
	F_USER,		/* string */
	F_TTY,		/* number, 0 or 1 */
	F_STDIN,	/* number: 1 if there is a stdin channel */
	F_ROWS, F_COLS,	/* numbers */
	F_SIGNAL,	/* number */
	F_HOSTNAME,	/* string */
	F_ROOT,		/* string: "humfs TAG" or "DEVICE" */
	F_FSTYPE,	/* string */
	F_UPPER,	/* string: "memory", "share TAG", "none" */
	F_NOSYNC,	/* number: the root and upper obey no fsync */
	F_CHROOTED,	/* number: the agent's own root is another one than that of commands */
	F_MOUNT,	/* string, repeated: "TAG OPTIONS WHERE", see mount_share() of the agent */
	F_NET,		/* number: 1 if the command has vec0 */
	F_DNS,		/* number: 1 to write resolv.conf */
	F_IPV6,		/* number: 1 for a default route over IPv6 */
	F_BOOTED,	/* number: 1 for what an init would set up, see struct cage_config */
	F_FULL,		/* number: 1 if no file in guest memory can grow */
	F_OWNER,	/* string: of struct cage_config */
	F_DISK,		/* number: bytes that files in guest memory may take; 0: nearly all of it */
	F_EMULATOR,	/* string, repeated: "TAG NAME MAGIC MASK", see struct cage_emulator */
	F_INIT,		/* number: 1 to start the root's own init */
	F_STREAMS,	/* number: bit 1 << channel for each stream that was opened; see lazy.c */
	F_CHANGES,	/* number: 1 to run it in the place of changes, not in F_CWD */
	F_DETACHED,	/* number: 1 if nobody waits for its end, but for its start */
	F_CLOCK,	/* number: seconds since 1970 that it is; 0: as the kernel has it */
	F_SOCKET,	/* string, repeated: "RUNTIME WHERE" of struct cage_socket, "-" for none */
	F_CONSOLE,	/* number: 1 for the console of the root's init, not a command; detached */
	F_NAMED,	/* number: 1 if F_HOSTNAME is the user's wish, before the root's own hostname(5) */
	F_LAST = F_NAMED,
};

/* A frame under construction or received: its type and its encoded fields. */
struct proto_msg {
	uint32_t type;
	struct strbuf body;
};

#define PROTO_MSG_INIT { 0, STRBUF_INIT }

void proto_begin(struct proto_msg *m, enum proto_type type);
void proto_number(struct proto_msg *m, enum proto_field_id id, uint64_t value);
void proto_string(struct proto_msg *m, enum proto_field_id id, const char *s);
/* The whole frame as bytes appended to @out; -EMSGSIZE if it is too large. */
int proto_encode(const struct proto_msg *m, struct strbuf *out);
void proto_release(struct proto_msg *m);

/*
 * Takes one whole frame off the front of @in.  1: *@m has it; 0: more bytes are
 * needed; -EPROTO: these bytes are no frame of this protocol.
 */
int proto_decode(struct strbuf *in, struct proto_msg *m);

/* Fields in order.  proto_decode() has checked the structure. */
struct proto_field {
	enum proto_field_id id;
	const char *data;	/* NUL-terminated copy-free view is not given: use len */
	size_t len;
	uint64_t number;	/* for number fields */
};

/* *@pos starts at 0; false after the last one. */
bool proto_next(const struct proto_msg *m, size_t *pos, struct proto_field *f);
/* The first field @id: number, or @otherwise. */
uint64_t proto_get_number(const struct proto_msg *m, enum proto_field_id id, uint64_t otherwise);
/* The first field @id as a malloc'ed string, or NULL. */
char *proto_get_string(const struct proto_msg *m, enum proto_field_id id);

void proto_hello_encode(const struct proto_hello *h, unsigned char out[PROTO_HELLO_SIZE]);
/* 0 or -EPROTO. */
int proto_hello_decode(const unsigned char in[PROTO_HELLO_SIZE], struct proto_hello *h);

#endif
