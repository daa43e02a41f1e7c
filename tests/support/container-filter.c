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
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/callfilter.h"

static const int refused[] = {
	SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_fsopen, SYS_fsconfig, SYS_fsmount,
	SYS_fspick, SYS_move_mount, SYS_open_tree, SYS_mount_setattr, SYS_bpf, SYS_perf_event_open,
	SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_keyctl,
	SYS_add_key, SYS_request_key, SYS_open_by_handle_at, SYS_init_module, SYS_finit_module,
	SYS_kexec_load, SYS_swapon, SYS_reboot, SYS_quotactl, SYS_acct, SYS_syslog,
};

static void make_filter(struct strbuf *code)
{
	struct callfilter f = CALLFILTER_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		callfilter_add(&f, SECCOMP_RET_ERRNO | EPERM, refused[i]);
	callfilter_add1(&f, SECCOMP_RET_ERRNO | EPERM, SYS_clone, CALL_MASKED(0, CLONE_NEWUSER, CLONE_NEWUSER));
	callfilter_add(&f, SECCOMP_RET_ERRNO | ENOSYS, SYS_clone3);
	callfilter_add1(&f, SECCOMP_RET_ERRNO | EPERM, SYS_personality, CALL_IS(0, ADDR_NO_RANDOMIZE));
	/* profiles of containers let 32-bit calls pass, too */
	callfilter_make(&f, SECCOMP_RET_ALLOW, SECCOMP_RET_ALLOW, code);
	callfilter_release(&f);
}

int main(int argc, char **argv)
{
	struct strbuf code = STRBUF_INIT;
	int ret = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: container-filter COMMAND [ARGUMENT...]\n");
		return 2;
	}
	make_filter(&code);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		ret = -errno;
	if (ret == 0)
		ret = callfilter_enter(&code);
	sb_release(&code);
	if (ret < 0) {
		fprintf(stderr, "container-filter: %s\n", strerror(-ret));
		return 125;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "container-filter: cannot run '%s': %s\n", argv[1], strerror(errno));
	return 127;
}
