// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes a tree like that of a program's source, the same one each time: "make-tree DIR N"
 * makes N files in folders of about twelve, sizes from nothing to 300 KB with half of them
 * below 3 KB, one of a hundred a symbolic link and one of fifty executable, a third of them
 * somebody else's if we are root, with times of the past.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_IN_FOLDER = 12, LARGEST = 300 << 10, LINE = 28, OLDEST = 1500000000 };

static uint64_t state = 88172645463325252ULL;

static unsigned int any(unsigned int below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)((state >> 11) % below);
}

static void die(const char *what, const char *name)
{
	fprintf(stderr, "make-tree: cannot %s '%s': %s\n", what, name, strerror(errno));
	exit(1);
}

/* The product of even chances is small most of the time. */
static size_t any_size(void)
{
	size_t size = 64;

	while (size < LARGEST && any(5) > 0)
		size += size / 4 + any(1024);
	return (size < LARGEST ? size : LARGEST) - any(64);
}

static void set_times(int dirfd, const char *name)
{
	struct timespec t = { .tv_sec = OLDEST + any(1 << 27) };
	struct timespec both[2] = { t, t };

	if (geteuid() == 0 && any(3) == 0 &&
	    fchownat(dirfd, name, 1000 + any(3), 1000, AT_SYMLINK_NOFOLLOW) < 0)
		die("change the owner of", name);
	if (utimensat(dirfd, name, both, AT_SYMLINK_NOFOLLOW) < 0)
		die("set the times of", name);
}

static void make_file(int dirfd, const char *name)
{
	static char text[LARGEST + 1024];
	size_t size = any_size();
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			any(50) ? 0644 : 0755);

	if (fd < 0)
		die("make", name);
	for (size_t i = 0; i < size; i += LINE)
		snprintf(text + i, LINE + 1, "\tx%05u = f(y%05u, %5u);\n", any(100000),
			 any(100000), any(100000));
	if (write(fd, text, size) != (ssize_t)size)
		die("write", name);
	close(fd);
}

/* Folders lie in one of those made before. */
static int make_folder(int top, char (*paths)[256], unsigned int n)
{
	char above[224] = "";
	int fd;

	if (n > 0 && any(4) > 0)
		snprintf(above, sizeof(above), "%.200s/", paths[any(n)]);
	snprintf(paths[n], sizeof(paths[n]), "%s%cdir%u", above, 'a' + any(26), n);
	if (mkdirat(top, paths[n], 0755) < 0)
		die("make", paths[n]);
	fd = openat(top, paths[n], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die("open", paths[n]);
	return fd;
}

int main(int argc, char **argv)
{
	unsigned int files = argc == 3 ? (unsigned int)atoi(argv[2]) : 0;
	unsigned int folders = files / FILES_IN_FOLDER + 1;
	char (*paths)[256] = calloc(folders, sizeof(*paths));
	int top, dirfd = -1;

	if (!files || !paths) {
		fprintf(stderr, "usage: make-tree DIRECTORY FILES\n");
		return 2;
	}
	umask(022);
	if (mkdir(argv[1], 0755) < 0)
		die("make", argv[1]);
	top = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		die("open", argv[1]);
	for (unsigned int i = 0; i < files; i++) {
		char name[32], last[32] = "";

		if (i % FILES_IN_FOLDER == 0) {
			if (dirfd >= 0)
				close(dirfd);
			dirfd = make_folder(top, paths, i / FILES_IN_FOLDER);
		}
		snprintf(last, sizeof(last), "file%u.c", i ? i - 1 : 0);
		snprintf(name, sizeof(name), "file%u.%c", i, any(100) ? "chc"[any(3)] : 'l');
		if (name[strlen(name) - 1] != 'l')
			make_file(dirfd, name);
		else if (symlinkat(last, dirfd, name) < 0)
			die("make", name);
		set_times(dirfd, name);
	}
	return 0;
}
