// SPDX-License-Identifier: GPL-2.0-or-later
/* From a cage's configuration to its kernel's command line: see launch.h. */
#include "umlcage/cage/launch.h"

#include <stdlib.h>

#include "umlcage/net/addresses.h"

/*
 * The vector driver: its queues hold this many packets of up to NET_MTU bytes, each in a
 * buffer of its own all the time.
 */
#define VECTOR "transport=fd,fd=%d,depth=32,mtu=%d"

/* Loops of a delay in a clock tick, more than any processor does: measuring it takes 40 ms. */
#define LOOPS "lpj=50000000"

/* Of this much memory the kernel allows itself one task. */
enum { TASK_MEMORY = 128 << 10 };
/* Those of its own, with the agent, which cost no descriptor. */
enum { KERNEL_TASKS = 32 };

static int map_fd(struct launch *l, int ours)
{
	int theirs = LAUNCH_FIRST_FD;

	for (size_t i = 0; i < l->nfds; i++)
		if (l->fds[i].theirs >= theirs)
			theirs = l->fds[i].theirs + 1;
	l->fds = xreallocarray(l->fds, l->nfds + 1, sizeof(*l->fds));
	l->fds[l->nfds++] = (struct proc_fd){ ours, theirs };
	return theirs;
}

static void map_console(struct launch *l, int console)
{
	l->fds = xreallocarray(l->fds, 2, sizeof(*l->fds));
	l->fds[0] = (struct proc_fd){ console, 1 };
	l->fds[1] = (struct proc_fd){ console, 2 };
	l->nfds = 2;
}

static void add_root(struct launch *l, const struct cage_config *cfg, const struct launch_fds *fds)
{
	if (cfg->root.kind == CAGE_ROOT_SHARE) {
		strv_addf(&l->argv, "humfs=root:%d", map_fd(l, fds->root));
		if (cfg->root.upper == CAGE_UPPER_SHARE)
			strv_addf(&l->argv, "humfs=upper:%d", map_fd(l, fds->upper));
	} else if (fds->upper >= 0) {
		int cow = map_fd(l, fds->upper);

		strv_addf(&l->argv, "ubd0=/proc/self/fd/%d,/proc/self/fd/%d", cow,
			  map_fd(l, fds->root));
	} else {
		strv_addf(&l->argv, "ubd0=/proc/self/fd/%d", map_fd(l, fds->root));
	}
}

/*
 * Each process costs the kernel a descriptor, and files of shares need some, too. One process
 * more than that must be refused for a reason that programs know, EAGAIN.
 */
static void limit_tasks(struct launch *l, const struct cage_config *cfg, uint64_t descriptors)
{
	uint64_t most = descriptors / 5 * 3 + KERNEL_TASKS;

	if (cfg->pids && (!descriptors || cfg->pids + KERNEL_TASKS < most))
		descriptors = most = cfg->pids + KERNEL_TASKS;
	if (descriptors && most < cfg->memory / TASK_MEMORY)
		strv_addf(&l->argv, "sysctl.kernel.threads-max=%llu", (unsigned long long)most);
}

/*
 * What a virtual CPU keeps of freed pages for itself grows to an eighth of all memory while
 * processes come and go, and is neither put together again nor used for anything larger: the
 * host would have to provide other pages all the while.
 */
#define FREED_PAGES	"sysctl.vm.percpu_pagelist_high_fraction=512"

/*
 * System calls without a signal, and a process that makes many of them beside its virtual
 * CPU while there is a host CPU for it. A kernel that knows neither ignores both.
 */
static void add_fast_calls(struct launch *l, const char *cpus)
{
	strv_add(&l->argv, "trampoline=24");
	if (cpus)
		strv_addf(&l->argv, "spare=%s", cpus);
}

/*
 * What drivers make by themselves, before anybody asks for it, costs each cage time and memory.
 * None of networks that one adds (as systemd's modprobe.d has it), tunnels that nobody named in
 * the first namespace only, some block devices of a kind instead of sixteen, pages for f2fs that
 * are sixteen clusters of the size compressed ones have unless a mount asks for another. A kernel
 * without a driver ignores these.
 */
static void add_drivers(struct launch *l)
{
	strv_add(&l->argv, "dummy.numdummies=0");
	strv_add(&l->argv, "bonding.max_bonds=0");
	strv_add(&l->argv, "ifb.numifbs=0");
	strv_add(&l->argv, "fb_tunnels=initns");
	strv_add(&l->argv, "nbd.nbds_max=4");
	strv_add(&l->argv, "brd.rd_nr=4");
	strv_add(&l->argv, "f2fs.num_compress_pages=64");
}

void launch_plan(struct launch *l, const struct cage_config *cfg, const struct launch_fds *fds)
{
	*l = (struct launch){ .argv = STRV_INIT };
	map_console(l, fds->console);
	strv_add(&l->argv, "linux");
	strv_addf(&l->argv, "mem=%lluM", (unsigned long long)(cfg->memory >> 20));
	if (cfg->cpus > 1) {
		strv_addf(&l->argv, "ncpus=%u", cfg->cpus);
		/* each virtual CPU and what it runs on one of ours; a kernel without it ignores it */
		strv_add(&l->argv, "place=auto");
	}
	strv_add(&l->argv, cfg->ptrace_mode ? "seccomp=off" : "seccomp=on");
	if (!cfg->ptrace_mode && !cfg->no_fast_calls)
		add_fast_calls(l, fds->cpus);
	/* no directory for a management console that is not built in: this one cannot be made */
	strv_add(&l->argv, "uml_dir=/proc/self/");
	strv_add(&l->argv, "umid=umlcage");
	strv_add(&l->argv, "con0=null,fd:1");
	strv_add(&l->argv, "con=null");
	strv_add(&l->argv, "console=tty0");
	add_drivers(l);
	strv_add(&l->argv, LOOPS);
	strv_add(&l->argv, FREED_PAGES);
	limit_tasks(l, cfg, fds->limit);
	strv_add(&l->argv, cfg->console_fd >= 0 ? "loglevel=7" : "quiet");
	strv_addf(&l->argv, "initrd=/proc/self/fd/%d", map_fd(l, fds->initramfs));
	strv_addf(&l->argv, "vec1:" VECTOR, map_fd(l, fds->control), NET_MTU);
	if (fds->net >= 0)
		strv_addf(&l->argv, "vec0:" VECTOR, map_fd(l, fds->net), NET_MTU);
	if (fds->stats > 0)
		strv_addf(&l->argv, "stats=%d", map_fd(l, fds->stats));
	add_root(l, cfg, fds);
	if (cfg->disk)
		strv_addf(&l->argv, "humfs_room=%llu", (unsigned long long)cfg->disk);
	for (size_t i = 0; i < cfg->nmounts; i++)
		strv_addf(&l->argv, "humfs=" LAUNCH_MOUNT_TAG ":%d", i,
			  map_fd(l, cfg->mounts[i].fd));
	for (size_t i = 0; i < cfg->nemulators; i++)
		strv_addf(&l->argv, "humfs=" LAUNCH_EMULATOR_TAG ":%d", i,
			  map_fd(l, cfg->emulators[i].fd));
}

void launch_release(struct launch *l)
{
	strv_release(&l->argv);
	free(l->fds);
	*l = (struct launch){ .argv = STRV_INIT };
}
