// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the processes of a cage may send to its supervisor: connections, greetings on them,
 * frames and output, in any order and in any pieces.  Each piece is a byte for the connection
 * (opened when it is first named; the high bit closes it afterwards), two for the length, and
 * the bytes.  Two commands wait for answers meanwhile; whatever comes, each keeps its exit
 * status in range, ends once, and every descriptor is closed in the end.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/support/cage-turn.h"
#include "umlcage/base/fd.h"
#include "umlcage/cage/internal.h"

enum { CONNECTIONS = 16, COMMANDS = 2, STREAMS = 8, PIECES_MAX = 128 };

struct peer {
	int fds[CONNECTIONS];
	bool used[CONNECTIONS];
};

static unsigned int ended[COMMANDS];

static void on_output(int channel, const char *data, size_t len, void *arg)
{
	(void)arg;
	check((channel == 1 || channel == 2) && data && len);
}

static void on_end(struct cage_command *x, void *arg)
{
	const struct cage_exit *exit = cage_command_exit(x);

	check(exit && exit->status >= 0 && exit->status <= 255 && exit->signal >= 0);
	++*(unsigned int *)arg;
}

static void start_commands(struct cage *c, struct cage_command *commands[COMMANDS])
{
	static char name[] = "true", *const argv[] = { name, NULL };

	for (int i = 0; i < COMMANDS; i++) {
		struct cage_exec what = { .argv = argv, .stdin_fd = -1, .stdout_fd = -1,
					  .stderr_fd = -1, .tty = i == 1, .output = on_output,
					  .ended = on_end, .ended_arg = &ended[i] };

		ended[i] = 0;
		check(cage_command_start(&commands[i], c, &what, NULL) == 0);
	}
}

static void turn(struct cage *c)
{
	turn_without_guest(c);
	check(c->control.nstreams <= STREAMS);
}

/* The other end of connection @i, which is there from the first piece for it on. */
static int connection(struct cage *c, struct peer *p, unsigned int i)
{
	int pair[2];

	if (p->used[i])
		return p->fds[i];
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	p->used[i] = true;
	p->fds[i] = pair[1];
	control_add(&c->control, pair[0]);
	return p->fds[i];
}

static size_t piece(struct cage *c, struct peer *p, const uint8_t *data, size_t size)
{
	unsigned int i = data[0] % CONNECTIONS;
	size_t len = (size_t)data[1] << 8 | data[2];
	int fd = connection(c, p, i);

	len = len > size - 3 ? size - 3 : len;
	if (fd >= 0 && len)
		(void)send(fd, data + 3, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (data[0] & 0x80)
		close_fd(&p->fds[i]);
	turn(c);
	return 3 + len;
}

static size_t descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	check(d != NULL);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cage cage = { .pid = getpid(), .pidfd = -1, .console = { .fd = -1 },
			     .control = { .listener = -1, .name_fd = -1, .fd = -1, .index = -1,
					  .listener_index = -1, .streams_max = STREAMS } };
	struct cage_command *commands[COMMANDS];
	struct peer peer;
	static size_t before;
	size_t at = 0;

	if (!before)
		before = descriptors();
	memset(&peer, 0, sizeof(peer));
	memset(peer.fds, -1, sizeof(peer.fds));
	start_commands(&cage, commands);
	for (int i = 0; i < PIECES_MAX && size - at > 3; i++)
		at += piece(&cage, &peer, data + at, size - at);
	turn(&cage);
	for (int i = 0; i < COMMANDS; i++) {
		check(ended[i] == (cage_command_exit(commands[i]) ? 1 : 0));
		cage_command_free(commands[i]);
	}
	loop_release(&cage);
	control_close(&cage.control);
	for (int i = 0; i < CONNECTIONS; i++)
		close_fd(&peer.fds[i]);
	check(descriptors() == before);
	return 0;
}
