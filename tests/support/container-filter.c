// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a command under a system call filter such as container runtimes install: no new
 * namespaces, no mounts, no switching off of address randomization, none of the
 * interfaces they keep from containers.  Refused calls fail with EPERM, clone3 with
 * ENOSYS so that libc falls back to clone, whose flags a filter can read.
 *
 *	container-filter COMMAND [ARGUMENT...]
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <unistd.h>

static const char *const refused[] = {
	"unshare", "setns", "mount", "umount2", "pivot_root", "fsopen", "fsconfig", "fsmount",
	"fspick", "move_mount", "open_tree", "mount_setattr", "bpf", "perf_event_open",
	"userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl",
	"add_key", "request_key", "open_by_handle_at", "init_module", "finit_module",
	"kexec_load", "swapon", "reboot", "quotactl", "acct", "syslog",
};

static int add_rules(scmp_filter_ctx ctx)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < sizeof(refused) / sizeof(refused[0]); i++) {
		int nr = seccomp_syscall_resolve_name(refused[i]);

		if (nr >= 0)
			ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), nr, 0);
	}
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (ret == 0)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(personality), 1,
				       SCMP_A0(SCMP_CMP_EQ, ADDR_NO_RANDOMIZE));
	return ret;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: container-filter COMMAND [ARGUMENT...]\n");
		return 2;
	}

	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int ret = ctx ? add_rules(ctx) : -ENOMEM;

	/* profiles of containers let 32-bit calls pass, too */
	if (ret == 0)
		ret = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
	if (ret == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		ret = -errno;
	if (ret == 0)
		ret = seccomp_load(ctx);
	if (ret < 0) {
		fprintf(stderr, "container-filter: %s\n", strerror(-ret));
		return 125;
	}
	seccomp_release(ctx);
	execvp(argv[1], argv + 1);
	fprintf(stderr, "container-filter: cannot run '%s': %s\n", argv[1], strerror(errno));
	return 127;
}
