/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The initramfs with the agent in it, linked into the program (see initramfs.S). */
#ifndef UMLCAGE_CAGE_INITRAMFS_H
#define UMLCAGE_CAGE_INITRAMFS_H

#include <stddef.h>

extern const char initramfs_begin[], initramfs_end[];

static inline const void *initramfs_data(void)
{
	return initramfs_begin;
}

static inline size_t initramfs_size(void)
{
	/* cppcheck-suppress comparePointers ; two labels of one object */
	return (size_t)(initramfs_end - initramfs_begin);
}

#endif
