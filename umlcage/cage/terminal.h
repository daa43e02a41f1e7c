/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's terminal while a terminal of the guest is shown on it. */
#ifndef UMLCAGE_CAGE_TERMINAL_H
#define UMLCAGE_CAGE_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>

struct terminal;

/* The user's terminal @fd, which stays the caller's; NULL if it is none. */
struct terminal *terminal_open(int fd);
/*
 * Raw while this process is in its foreground; in the background it belongs to others.  When
 * to look again, in milliseconds of clock_ms().
 */
int64_t terminal_follow(struct terminal *t);
/* As it was, if it is ours; NULL is fine. */
void terminal_close(struct terminal *t);
bool terminal_size(int fd, unsigned int *rows, unsigned int *cols);

#endif
