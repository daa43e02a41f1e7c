// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * For tools that make file systems and cannot be told what time it is and how to call things:
 * preloaded, it stops their clock at SOURCE_DATE_EPOCH, and their random numbers are the same
 * each time for the same IMAGE_SEED.  It calls next to nothing of the C library, since it meets
 * that of the tools' root, and not the one that it was built beside.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>

#include "rootfs/image/preload.h"

extern char **environ;

static uint64_t state;

static const char *variable(const char *name)
{
	for (char **v = environ; v && *v; v++) {
		size_t i = 0;

		while (name[i] && (*v)[i] == name[i])
			i++;
		if (!name[i] && (*v)[i] == '=')
			return *v + i + 1;
	}
	return "";
}

static time_t epoch(void)
{
	time_t t = 0;

	for (const char *s = variable("SOURCE_DATE_EPOCH"); *s >= '0' && *s <= '9'; s++)
		t = t * 10 + (*s - '0');
	return t;
}

/* FNV-1a of the seed, then splitmix64: what is wanted are other values, not secret ones. */
static uint64_t next(void)
{
	uint64_t z;

	if (!state) {
		state = 0xcbf29ce484222325;
		for (const char *s = variable("IMAGE_SEED"); *s; s++)
			state = (state ^ (unsigned char)*s) * 0x100000001b3;
	}
	z = state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void fill(unsigned char *p, size_t len)
{
	uint64_t z = 0;

	for (size_t i = 0; i < len; i++, z >>= 8) {
		if (i % 8 == 0)
			z = next();
		p[i] = (unsigned char)z;
	}
}

time_t time(time_t *t)
{
	if (t)
		*t = epoch();
	return epoch();
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	(void)zone;
	*tv = (struct timeval){ .tv_sec = epoch() };
	return 0;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec){ .tv_sec = epoch() };
	return 0;
}

ssize_t getrandom(void *buf, size_t len, unsigned int flags)
{
	(void)flags;
	fill(buf, len);
	return (ssize_t)len;
}

/* libuuid's; RFC 9562, version 4 */
void uuid_generate(unsigned char uuid[16])
{
	fill(uuid, 16);
	uuid[6] = (unsigned char)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (unsigned char)((uuid[8] & 0x3f) | 0x80);
}

long jrand48(unsigned short seed[3])
{
	(void)seed;
	return (int32_t)next();
}

pid_t getpid(void)
{
	return 1;
}

static int is_special(int dirfd, const char *path)
{
	struct stat st = { 0 };

	return preload_call(SYS_newfstatat, dirfd, (long)path, (long)&st, AT_SYMLINK_NOFOLLOW, 0) == 0 &&
	       (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) || S_ISSOCK(st.st_mode));
}

/*
 * mkfs.xfs looks for attributes of device nodes and sockets through descriptors of them, which are
 * not to be had of devices that there are not, and may do something where there are: it gets those of
 * something else, which has none.
 */
int openat64(int dirfd, const char *path, int flags, ...)
{
	const int how = O_ACCMODE | O_CREAT | O_PATH | O_DIRECTORY;
	mode_t mode = 0;
	va_list more;
	long ret;

	va_start(more, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(more, mode_t);
	va_end(more);
	if (!(flags & how) && is_special(dirfd, path))
		ret = preload_call(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDONLY | O_CLOEXEC, 0, 0);
	else
		ret = preload_call(SYS_openat, dirfd, (long)path, flags, mode, 0);
	if (ret >= 0)
		return (int)ret;
	errno = (int)-ret;
	return -1;
}
