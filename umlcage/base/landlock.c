// SPDX-License-Identifier: GPL-2.0-or-later
/* Landlock by its system calls, for it has no library: see landlock.h. */
#include "umlcage/base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NET_BIND_TCP	(1ULL << 0)	/* ABI 4 */
#define NET_CONNECT_TCP	(1ULL << 1)
#define SCOPE_ABSTRACT	(1ULL << 0)	/* ABI 6 */
#define SCOPE_SIGNAL	(1ULL << 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

int landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi > 0 ? (int)abi : 0;
}

uint64_t landlock_fs(int abi)
{
	uint64_t all = (1ULL << 13) - 1;

	if (abi >= 2)
		all |= LANDLOCK_FS_REFER;
	if (abi >= 3)
		all |= LANDLOCK_FS_TRUNCATE;
	if (abi >= 5)
		all |= LANDLOCK_FS_IOCTL_DEV;
	return all;
}

int landlock_new(bool network)
{
	return landlock_new_abi(landlock_abi(), network);
}

int landlock_new_abi(int abi, bool network)
{
	int fd;
	struct ruleset_attr attr = { .handled_access_fs = landlock_fs(abi) };
	size_t size = sizeof(attr.handled_access_fs);

	if (abi == 0)
		return -ENOSYS;
	if (abi >= 4) {
		attr.handled_access_net = network ? 0 : NET_BIND_TCP | NET_CONNECT_TCP;
		size += sizeof(attr.handled_access_net);
	}
	if (abi >= LANDLOCK_ABI_SCOPES) {
		attr.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
		size += sizeof(attr.scoped);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -errno;
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

int landlock_allow(int ruleset, int fd, uint64_t access)
{
	struct landlock_path_beneath_attr attr = {
		.allowed_access = access & landlock_fs(landlock_abi()), .parent_fd = fd,
	};

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) == 0)
		return 0;
	/* files without a place in any mounted file system are not restricted either */
	return errno == EBADFD ? 0 : -errno;
}

int landlock_enter(int ruleset)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}
