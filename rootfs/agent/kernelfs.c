// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel and memory provide in the root: /proc, /sys, /dev, and, for a machine that
 * people and their tools use, the rest as an init leaves it: an empty /run, cgroups, devices
 * with the modes that udev gives them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"

/* What is left to the kernel and processes when the files in memory have all they may have. */
enum { RESERVE = 48 << 20 };
enum { RUN_FOLDERS_MAX = 1000, RUN_DEPTH_MAX = 8 };

/* A file system at @where below the new root; a read-only root may lack the place. */
static int mount_in(const char *source, const char *where, const char *type, unsigned long flags,
		    const char *options, struct error *e)
{
	cleanup_free char *path = xasprintf(ROOT "%s", where);

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, errno, "the root has no '%s'", where);
	if (mount(source, path, type, flags, options) < 0)
		return err_sys(e, errno, "cannot mount '%s' in the root", where);
	return 0;
}

/* sysfs and cgroup2 show the network namespace of whoever mounts them. */
static int mount_sys(int user_net, struct error *e)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return err_sys(e, errno, "cannot mount '/sys' in the root");
	if (pid == 0) {
		if (setns(user_net, CLONE_NEWNET) < 0)
			_exit(1);
		_exit(mount_in("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "",
			       NULL) < 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot mount '/sys' in the root");
	return status ? err_set(e, EIO, "cannot mount '/sys' in the root") : 0;
}

int memory_mount(uint64_t most, struct error *e)
{
	struct sysinfo si;
	uint64_t total, size;

	if (sysinfo(&si) < 0)
		return err_sys(e, errno, "cannot see how much memory there is");
	total = (uint64_t)si.totalram * si.mem_unit;
	size = total / 10 > RESERVE ? total - total / 10 :
	       total > 2 * RESERVE ? total - RESERVE : total / 2;
	if (most && most < size)
		size = most;

	cleanup_free char *options = xasprintf("mode=755,size=%llu", (unsigned long long)size);

	(void)mkdir(MEMORY, 0755);
	if (mount("tmpfs", MEMORY, "tmpfs", 0, options) < 0)
		return err_sys(e, errno, "cannot mount guest memory for files");
	return 0;
}

/* Full to the last part in a hundred; looked at through what is mounted from it. */
bool memory_full(void)
{
	struct statvfs v;

	return statvfs("/dev/shm", &v) == 0 && v.f_blocks && v.f_bavail < v.f_blocks / 100;
}

/* A folder of the one file system in memory, so that together they cannot have more than all. */
static int mount_memory(const char *name, const char *where, mode_t mode, struct error *e)
{
	cleanup_free char *source = xasprintf(MEMORY "/%s", name), *target = xasprintf(ROOT "%s", where);

	if (mkdir(source, 0755) < 0 || chmod(source, mode) < 0)
		return err_sys(e, errno, "cannot make a folder in memory for '%s'", where);
	if (mount_in(source, where, NULL, MS_BIND, NULL, e) < 0)
		return -e->errnum;
	(void)mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV, NULL);
	return 0;
}

/* The folders of @from in @to, with owners and modes: services want theirs, files are stale. */
static void copy_folders(int from, int to, unsigned int depth, unsigned int *left)
{
	DIR *dir = fdopendir(dup(from));
	struct dirent *d;

	while (dir && *left && depth < RUN_DEPTH_MAX && (d = readdir(dir)) != NULL) {
		cleanup_close int below = -1, made = -1;
		struct stat st;

		if (d->d_name[0] == '.' || d->d_type != DT_DIR)
			continue;
		below = openat(from, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0 || fstat(below, &st) < 0 || mkdirat(to, d->d_name, 0755) < 0)
			continue;
		made = openat(to, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (made < 0)
			continue;
		--*left;
		(void)fchown(made, st.st_uid, st.st_gid);
		(void)fchmod(made, st.st_mode & 07777);
		copy_folders(below, made, depth + 1, left);
	}
	if (dir)
		closedir(dir);
}

static int mount_run(struct error *e)
{
	unsigned int left = RUN_FOLDERS_MAX;
	cleanup_close int old = -1, new = -1;
	struct stat st;
	int ret;

	/* a link is of a root that has it elsewhere */
	if (lstat(ROOT "/run", &st) == 0 && !S_ISDIR(st.st_mode))
		return 0;
	old = open(ROOT "/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = mount_memory("run", "/run", 0755, e);
	if (ret < 0)
		return ret;
	new = open(ROOT "/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (old >= 0 && new >= 0)
		copy_folders(old, new, 0, &left);
	(void)mkdir(ROOT "/run/lock", 0755);
	(void)chmod(ROOT "/run/lock", 01777);
	return 0;
}

/* As systemd mounts them, where the kernel has them and there is a place. */
static void mount_more(void)
{
	static const struct { const char *where, *type, *options; } more[] = {
		{ "/sys/fs/cgroup", "cgroup2", "nsdelegate" },
		{ "/sys/fs/bpf", "bpf", "mode=700" },
		{ "/sys/kernel/security", "securityfs", "" },
		{ "/sys/kernel/debug", "debugfs", "" },
		{ "/sys/kernel/tracing", "tracefs", "" },
		{ "/sys/kernel/config", "configfs", "" },
		{ "/proc/sys/fs/binfmt_misc", "binfmt_misc", "" },
	};
	static const char *const for_all[] = { ROOT "/dev/fuse", ROOT "/dev/net/tun" };

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		cleanup_free char *path = xasprintf(ROOT "%s", more[i].where);

		(void)mount(more[i].type, path, more[i].type, MS_NOSUID | MS_NODEV | MS_NOEXEC,
			    more[i].options);
	}
	for (size_t i = 0; i < ARRAY_SIZE(for_all); i++)
		(void)chmod(for_all[i], 0666);
}

static int mount_dev(bool booted, struct error *e)
{
	static const struct { const char *target, *path; } links[] = {
		{ "/proc/self/fd", ROOT "/dev/fd" },
		{ "/proc/self/fd/0", ROOT "/dev/stdin" },
		{ "/proc/self/fd/1", ROOT "/dev/stdout" },
		{ "/proc/self/fd/2", ROOT "/dev/stderr" },
	};
	int ret = mount_in("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755", e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		(void)symlink(links[i].target, links[i].path);
	ret = mount_in("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		       "gid=5,mode=620,ptmxmode=666", e);
	if (ret < 0)
		return ret;
	(void)unlink(ROOT "/dev/ptmx");
	(void)symlink("pts/ptmx", ROOT "/dev/ptmx");
	ret = booted ? mount_memory("shm", "/dev/shm", 01777, e) :
		       mount_in("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777", e);
	if (ret == 0)
		(void)mount_in("mqueue", "/dev/mqueue", "mqueue",
			       MS_NOSUID | MS_NODEV | MS_NOEXEC, "", NULL);
	return ret;
}

int kernelfs_mount(int user_net, bool booted, struct error *e)
{
	int ret = mount_in("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "", e);

	if (ret == 0)
		ret = mount_sys(user_net, e);
	if (ret == 0)
		ret = mount_dev(booted, e);
	if (ret == 0 && booted)
		ret = mount_run(e);
	if (ret == 0 && booted)
		mount_more();
	return ret;
}
