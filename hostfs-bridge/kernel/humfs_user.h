/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A system call of the host, tried again when one of UML's signals interrupted
 * it: what it returned, or -errno.  Through syscall(), since some of the C
 * library's wrappers have namesakes in the kernel.
 */
#ifndef HUMFS_USER_H
#define HUMFS_USER_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOST_CALL(...)							\
({									\
	long ret_;							\
									\
	do {								\
		ret_ = syscall(__VA_ARGS__);				\
	} while (ret_ < 0 && errno == EINTR);				\
	ret_ < 0 ? -errno : ret_;					\
})

#endif
