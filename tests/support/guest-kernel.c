// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In the place of a kernel, which never comes up: it has a child that waits and does not mind its
 * death, as a kernel that looks whether it can trace has one for a moment.
 *
 *	PROGRAM --QUESTION	what a kernel says of itself: the file PROGRAM--QUESTION
 */
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

static int answer(char *program, const char *question)
{
	char path[4096];
	int fd;

	if (strlen(program) + strlen(question) >= sizeof(path))
		return 1;
	fd = open(strcat(strcpy(path, program), question), O_RDONLY);
	if (fd < 0)
		return 1;
	while (sendfile(STDOUT_FILENO, fd, NULL, 65536) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strncmp(argv[1], "--", 2) == 0)
		return answer(argv[0], argv[1]);
	if (fork() < 0)
		return 1;
	for (;;)
		pause();
}
