/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Folders that are of no use unless the work on them gets to its end, and are removed should
 * this process end before: for want of memory (str.h), or because a library calls exit().
 * (Signals are interrupt.h's; what kills at once leaves them to the next run.)
 *
 * A child of fork() has none.
 */
#ifndef UMLCAGE_BASE_REMAINS_H
#define UMLCAGE_BASE_REMAINS_H

/* main() calls these: an exit() in between is not ours, and is told. */
void remains_begin(void);
void remains_end(void);

/* @path, relative to the working folder of now. */
void remains_add(const char *path);
/* It is what it should be by now, or has been removed.  One that was not added is fine. */
void remains_drop(const char *path);

#endif
