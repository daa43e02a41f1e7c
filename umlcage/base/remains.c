// SPDX-License-Identifier: GPL-2.0-or-later
/* Folders to remove before an early end: see remains.h. */
#include "umlcage/base/remains.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

enum {
	RESERVE = 4 << 20,	/* bytes of addresses, for the removal where there are none left */
	TRIES = 4,		/* other threads may go on making files meanwhile */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct strv paths, given;	/* absolute, and as given */
static void *reserve;
static pid_t owner, working;

static void remove_all(void)
{
	if (getpid() != owner)
		return;
	/* held: by a thread that may not come to give it back, or by this one */
	if (pthread_mutex_trylock(&lock) != 0)
		return;
	owner = 0;
	free_ptr(&reserve);
	for (size_t i = 0; i < paths.n; i++)
		for (int n = 0; n < TRIES && remove_tree(AT_FDCWD, paths.v[i], NULL) < 0; n++)
			;
	(void)pthread_mutex_unlock(&lock);
}

/* Something calls exit() amid the work.  It says something itself, at best. */
static void at_exit(void)
{
	static const char words[] = "umlcage: a library gave up, most likely for want of memory; "
				    "nothing was kept\n";

	if (getpid() == working && write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		working = 0;
	remove_all();
}

void remains_begin(void)
{
	working = getpid();
	if (atexit(at_exit) == 0)
		memory_last_act(remove_all);
}

void remains_end(void)
{
	working = 0;
}

void remains_add(const char *path)
{
	cleanup_free char *cwd = *path == '/' ? NULL : getcwd(NULL, 0);

	(void)pthread_mutex_lock(&lock);
	if (owner != getpid()) {
		strv_release(&paths);
		strv_release(&given);
		owner = getpid();
	}
	if (!reserve)
		reserve = malloc(RESERVE);
	strv_take(&paths, cwd ? path_join(cwd, path) : xstrdup(path));
	strv_add(&given, path);
	(void)pthread_mutex_unlock(&lock);
}

void remains_drop(const char *path)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < given.n; i++) {
		if (!str_eq(given.v[i], path))
			continue;
		free(given.v[i]);
		free(paths.v[i]);
		given.v[i] = given.v[--given.n];
		paths.v[i] = paths.v[--paths.n];
		given.v[given.n] = paths.v[paths.n] = NULL;
		break;
	}
	(void)pthread_mutex_unlock(&lock);
}
