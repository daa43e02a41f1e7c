/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest process and the taken-over kernel share: see hostcall.c. */
#ifndef HOSTCALL_H
#define HOSTCALL_H

struct hostcall {
	unsigned long nr;	/* of the host's system call */
	unsigned long args[6];
	long ret;		/* what it returned: a negative errno is one */
	int forks;		/* it may return 0 in another process, which is to end */
};

#define HOSTCALL_ARENA	(64 << 10)
#define HOSTCALL_BASE	_IOR('H', 0, unsigned long)
#define HOSTCALL_HERE	_IOWR('H', 1, struct hostcall)
#define HOSTCALL_CHILD	_IOWR('H', 2, struct hostcall)

#endif
