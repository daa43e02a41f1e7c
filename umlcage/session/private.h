/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this module share: places on the host, and messages. */
#ifndef UMLCAGE_SESSION_PRIVATE_H
#define UMLCAGE_SESSION_PRIVATE_H

#include <sys/un.h>

#include "umlcage/session/session.h"

/* ---- names.c ---- */

/*
 * The address of the socket of @name, through *@dirfd, which is to be closed once it was used:
 * a path of any length.
 */
int session_address(const char *name, struct sockaddr_un *sun, int *dirfd, struct error *e);
/* The lock of @name, unless a session has it that lives: its descriptor, or -EWOULDBLOCK. */
int session_lock(const char *name, struct error *e);
/* Lets go of it, and removes its file. */
void session_unlock(const char *name, int *lock);
/* Writes the record; with "end=..." after it if @why is not NULL. */
int session_write_record(const char *name, const struct strv *words, struct error *e);
/* Removes record, log and socket. */
void session_remove(const char *name);

/* ---- wire.c ---- */

/*
 * A message is a number of bytes (u32, of this host), then as many: words, each with a NUL after
 * it.  Descriptors come with the first byte.
 */
enum { WIRE_MAX = 2 << 20, WIRE_FDS = 3 };

struct wire {
	struct strbuf in;
	int fds[WIRE_FDS];
	size_t nfds;
};

#define WIRE_INIT { STRBUF_INIT, { -1, -1, -1 }, 0 }

/* Sends one message whole, unless the socket would block: then -EAGAIN, and it is of no more use. */
int wire_send(int fd, const struct strv *words, const int *fds, size_t nfds);
/* Reads what there is: 1; 0: the other end is closed; -EAGAIN or another -errno. */
int wire_receive(int fd, struct wire *w);
/* The next whole message: 1, 0 (not yet) or -EPROTO. */
int wire_next(struct wire *w, struct strv *words);
void wire_release(struct wire *w);

#endif
