// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many processes run cages side by side, for one who started them all: see cage.h.  The number is
 * in a file in memory, which changes for all at once and is gone with the last of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"
#include "umlcage/cage/place.h"

#define VARIABLE "UMLCAGE_PEERS"
#define THEIRS	 3

static int peers_fd = -1;

int cage_peers_begin(struct error *e)
{
	const unsigned int one = 1;

	close_fd(&peers_fd);
	peers_fd = memfd_with("umlcage-peers", &one, sizeof(one), e);
	return peers_fd < 0 ? peers_fd : 0;
}

void cage_peers_set(unsigned int n)
{
	if (peers_fd >= 0)
		(void)!pwrite(peers_fd, &n, sizeof(n), 0);
}

bool cage_peers_pass(struct proc_fd *fd)
{
	char number[16];

	if (peers_fd < 0)
		return false;
	*fd = (struct proc_fd){ peers_fd, THEIRS };
	snprintf(number, sizeof(number), "%d", THEIRS);
	return setenv(VARIABLE, number, 1) == 0;
}

void cage_peers_join(void)
{
	const char *text = getenv(VARIABLE);
	uint64_t fd;

	if (!text)
		return;
	/* of all files only those in memory have seals, if none that are set */
	if (parse_u64(text, 10, INT32_MAX, &fd) == 0 && fcntl((int)fd, F_GET_SEALS) >= 0)
		peers_fd = fcntl((int)fd, F_DUPFD_CLOEXEC, 3);
	/* what this program starts does not have the descriptor */
	(void)unsetenv(VARIABLE);
}

unsigned int peers_number(void)
{
	unsigned int n;

	return peers_fd >= 0 && pread(peers_fd, &n, sizeof(n), 0) == (ssize_t)sizeof(n) && n ? n : 1;
}
