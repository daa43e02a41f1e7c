/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that must be cleaned up before a signal ends the program.
 *
 * Between interrupt_begin() and interrupt_end() SIGHUP, SIGINT, SIGQUIT and
 * SIGTERM only set a mark (and end a blocking call with EINTR); the work looks at
 * interrupted() at every step, fails with -EINTR and cleans up, and
 * interrupt_end() then raises the signal again with its former disposition, so
 * that the program dies of it as its parent expects.  A signal that was ignored
 * stays ignored.  Not nestable across threads; nested calls of one thread count.
 */
#ifndef UMLCAGE_BASE_INTERRUPT_H
#define UMLCAGE_BASE_INTERRUPT_H

void interrupt_begin(void);
void interrupt_end(void);
/* Of a child that is to be ended by signals as any: as before the first interrupt_begin(). */
void interrupt_reset(void);
/* The signal that came since the first interrupt_begin(), 0 if none. */
int interrupted(void);
/* For who took the signal @sig another way, from a signalfd: as if it had come here. */
void interrupt_note(int sig);

#endif
