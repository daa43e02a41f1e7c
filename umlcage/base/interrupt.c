// SPDX-License-Identifier: GPL-2.0-or-later
/* Deferred fatal signals: see interrupt.h. */
#include "umlcage/base/interrupt.h"

#include <signal.h>
#include <stddef.h>

#include "umlcage/base/str.h"

static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
static struct sigaction former[ARRAY_SIZE(signals)];
static volatile sig_atomic_t caught;
static int depth;

static void mark(int sig)
{
	caught = sig;
}

void interrupt_begin(void)
{
	struct sigaction sa = { .sa_handler = mark };

	if (depth++ > 0)
		return;
	caught = 0;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		(void)sigaction(signals[i], NULL, &former[i]);
		if (former[i].sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &sa, NULL);
	}
}

int interrupted(void)
{
	return caught;
}

void interrupt_note(int sig)
{
	caught = sig;
}

void interrupt_reset(void)
{
	if (depth > 0)
		for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
			(void)sigaction(signals[i], &former[i], NULL);
	depth = 0;
}

void interrupt_end(void)
{
	if (depth > 1) {
		depth--;
		return;
	}
	interrupt_reset();
	if (caught)
		(void)raise(caught);
}
