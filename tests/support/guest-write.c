// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All that is in the root of some tests, so that a cage of it is up and gone again quickly:
 *
 *	guest-write FILE TEXT [MILLISECONDS]	writes TEXT to FILE, waits, ends with 0
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd;

	if (argc < 3)
		return 2;
	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, argv[2], strlen(argv[2])) != (ssize_t)strlen(argv[2]) || close(fd) < 0)
		return 1;
	usleep(argc > 3 ? (useconds_t)atoi(argv[3]) * 1000 : 0);
	return 0;
}
