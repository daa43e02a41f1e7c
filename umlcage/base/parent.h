/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ending with who started this program.
 *
 * A program that only waits for the one that it was given, like timeout, does not end when the
 * script that called it is killed.  Where such ones are between, what called the first of them
 * is followed, too.
 */
#ifndef UMLCAGE_BASE_PARENT_H
#define UMLCAGE_BASE_PARENT_H

#include <stdbool.h>

/*
 * From now on SIGTERM comes when the parent ends, however it does; it stays so over execve()
 * as far as the parent itself is followed.  Best effort: what /proc does not show, or the
 * kernel has no pidfd for, is not followed.
 */
void parent_follow(void);
/* Has one that is followed ended, by this program's wish or its caller's (PR_SET_PDEATHSIG)? */
bool parent_gone(void);

#endif
