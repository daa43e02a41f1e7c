// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a hostile guest may send into its network: frames, each after its length in two bytes.
 * They go the whole way that they would in the network process, into a libslirp that lets
 * nothing out, so that no fuzzer talks to anybody.  The same bytes are read as DNS answers.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "umlcage/base/str.h"
#include "umlcage/net/nat.h"
#include "umlcage/net/policy.h"

enum { FRAMES_MAX = 64 };

static void turn(struct nat *nat)
{
	struct pollset ps = POLLSET_INIT;

	pollset_reset(&ps);
	nat_fill(nat, &ps);
	ps.deadline_ms = 0;
	(void)pollset_wait(&ps);
	(void)nat_dispatch(nat, &ps, false);
	pollset_release(&ps);
}

/* Takes back what came for the guest. */
static void drain(int link)
{
	static char frame[65536];

	while (recv(link, frame, sizeof(frame), MSG_DONTWAIT) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct net_policy policy = NET_POLICY_INIT;
	struct net_user_config cfg = { .restricted = true, .policy = &policy };
	struct nat *nat = NULL;
	size_t at = 0;
	int pair[2];

	policy.public = true;
	policy.log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (net_policy_add(&policy, true, "*.example.org:80", NULL) < 0 ||
	    net_policy_add(&policy, false, "198.51.100.0/24", NULL) < 0)
		abort();
	net_policy_learn(&policy, data, size);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	if (nat_open_user(&nat, pair[0], &cfg, NULL) < 0)
		abort();
	for (int i = 0; i < FRAMES_MAX && at + 2 < size; i++) {
		size_t len = (size_t)data[at] << 8 | data[at + 1];

		at += 2;
		if (len > size - at)
			len = size - at;
		if (len && send(pair[1], data + at, len, MSG_DONTWAIT) < 0)
			break;
		at += len;
		turn(nat);
		drain(pair[1]);
	}
	nat_finish(nat);
	nat_close(nat);
	close(pair[1]);
	close(policy.log_fd);
	policy.log_fd = -1;
	net_policy_release(&policy);
	return 0;
}
