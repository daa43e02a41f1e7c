/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls of what is preloaded to tools, without their C library's function of that name. */
#ifndef ROOTFS_IMAGE_PRELOAD_H
#define ROOTFS_IMAGE_PRELOAD_H

#include <sys/syscall.h>

/* Returns what the kernel does: a negative errno for an error. */
static inline long preload_call(long nr, long a, long b, long c, long d, long e)
{
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
			 : "rcx", "r11", "memory");
	return ret;
}

#endif
