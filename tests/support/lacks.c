// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A host that lacks something, for a program that is preloaded with this: what it asks the kernel
 * is answered as such a host would answer.
 *
 *	UMLCAGE_TEST_LACKS="landlock=N filter walls"
 *
 *  - landlock=N: Landlock has the ABI N at most, 0 is none
 *  - filter: seccomp filters
 *  - walls: whatever is asked for is promised, and not done: neither Landlock nor any
 *    filter.  So that a test of the walls can fail.
 *
 * What a filter can refuse is refused by tests/support/container-filter instead: namespaces.
 * `make check-lacks` runs all tests so: see tests/support/runner.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long (*real)(long nr, ...);
static char *all;

/* Some programs forget their environment before they confine themselves. */
__attribute__((constructor)) static void look(void)
{
	const char *text = getenv("UMLCAGE_TEST_LACKS");

	all = text ? strdup(text) : NULL;
	*(void **)&real = dlsym(RTLD_NEXT, "syscall");
}

static const char *lacks(const char *what)
{
	return all ? strstr(all, what) : NULL;
}

/* -1: as many as it has. */
static int landlock_max(void)
{
	const char *at = lacks("landlock=");

	return at ? atoi(at + strlen("landlock=")) : -1;
}

static long landlock(long a, long b, long c)
{
	int most = landlock_max();
	long ret;

	if (most == 0) {
		errno = ENOSYS;
		return -1;
	}
	ret = real(SYS_landlock_create_ruleset, a, b, c);
	if ((c & LANDLOCK_CREATE_RULESET_VERSION) && most > 0 && ret > most)
		return most;
	return ret;
}

long syscall(long nr, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_landlock_create_ruleset)
		return landlock(a[0], a[1], a[2]);
	if (nr == SYS_seccomp && lacks("filter")) {
		errno = ENOSYS;
		return -1;
	}
	if (lacks("walls") && (nr == SYS_landlock_restrict_self ||
			       (nr == SYS_seccomp && a[0] == SECCOMP_SET_MODE_FILTER)))
		return nr == SYS_seccomp && (a[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER) ?
		       dup(STDERR_FILENO) : 0;
	return real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
