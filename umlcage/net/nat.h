/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One libslirp (>= 4.7): a network behind one end of a SOCK_SEQPACKET pair whose other end is
 * a vecN interface of the guest.  It takes part in its process's event loop: nat_fill()
 * before poll(), nat_dispatch() after it.  Private to this folder: what it parses is written by
 * the guest, so it runs in the helper (helper.h).
 */
#ifndef UMLCAGE_NET_NAT_H
#define UMLCAGE_NET_NAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "umlcage/base/error.h"
#include "umlcage/base/pollset.h"
#include "umlcage/net/filter.h"
#include "umlcage/net/net.h"

struct nat;

/* Both take @link_fd, also on failure; see net_open() and net_open_user(). */
int nat_open_user(struct nat **nat, int link_fd, const struct net_user_config *cfg,
		  struct error *e);
int nat_open_control(struct nat **nat, int link_fd, const char *path, struct error *e);
int nat_publish(struct nat *nat, bool udp, const struct sockaddr *host, uint16_t guest_port,
		struct error *e);
void nat_unpublish(struct nat *nat, bool udp, const struct sockaddr *host);

void nat_fill(struct nat *nat, struct pollset *ps);
/*
 * @wait_failed: pollset_wait() returned an error.  Returns false when the guest's
 * end of the link is closed.
 */
bool nat_dispatch(struct nat *nat, const struct pollset *ps, bool wait_failed);
/* Did its guest send something, or have something to be sent, in the last turn? */
bool nat_was_told(const struct nat *nat, const struct pollset *ps);
/* Its filter; NULL if everything passes. */
struct net_filter *nat_filter(struct nat *nat);
/* Writes down what connections there are. */
void nat_finish(struct nat *nat);
void nat_close(struct nat *nat);

#endif
