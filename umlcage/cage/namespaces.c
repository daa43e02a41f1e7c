// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Namespaces of a cage's own: see namespaces.h.
 *
 * Everything is made from descriptors of mounts (open_tree(2), move_mount(2)), before the old
 * root goes: a path is looked up once, and what it led to is compared with what was meant.
 */
#include "umlcage/cage/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* What of the host is there, each in the place where it is on the host. */
static const struct {
	const char *path;	/* a link is there as a link */
	bool directory;
	unsigned long attributes;
} places[] = {
	{ "/usr/lib", true, MOUNT_ATTR_NODEV },
	{ "/usr/lib64", true, MOUNT_ATTR_NODEV },
	{ "/lib", true, MOUNT_ATTR_NODEV },
	{ "/lib64", true, MOUNT_ATTR_NODEV },
	{ "/etc/ld.so.cache", false, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC },
	{ "/proc/cpuinfo", false, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC },
	{ "/proc/self", true, MOUNT_ATTR_NODEV },
	{ "/dev/null", false, MOUNT_ATTR_NOEXEC },
};

static const char *const folders[] = { "usr", "etc", "proc", "dev", "shares" };

void namespaces_prepare(struct namespaces *ns)
{
	uid_t uid = geteuid();

	*ns = (struct namespaces){ 0 };
	/* root of the host has files of all its users, which a namespace with one would hide */
	if (uid == 0)
		return;
	ns->flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET |
		    CLONE_NEWUTS;
	snprintf(ns->uid_map, sizeof(ns->uid_map), "%u %u 1", uid, uid);
	snprintf(ns->gid_map, sizeof(ns->gid_map), "%u %u 1", getegid(), getegid());
}

int namespaces_add(struct namespaces *ns, int fd, bool read_only, struct error *e)
{
	char name[64], path[4096];
	struct stat st;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot find the path of a share");
	path[n] = '\0';
	ns->dirs = xreallocarray(ns->dirs, ns->ndirs + 1, sizeof(*ns->dirs));
	ns->dirs[ns->ndirs++] = (struct namespaces_dir){ fd, xstrdup(path), st.st_dev, st.st_ino,
							 !S_ISDIR(st.st_mode), read_only };
	return 0;
}

static int write_file(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* A detached clone of the mount of @path, and what is mounted beneath. */
static int clone_mount(const char *path, unsigned long attributes)
{
	struct mount_attr attr = { .attr_set = attributes | MOUNT_ATTR_NOSUID };
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path,
			      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_NO_AUTOMOUNT);

	if (fd < 0)
		return -errno;
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0) {
		int errnum = errno;

		close(fd);
		return -errnum;
	}
	return fd;
}

static int attach(int mount, const char *name)
{
	return syscall(SYS_move_mount, mount, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0 ?
	       -errno : 0;
}

/* Clones what the new root gets; -1: it is not there, or a link, whose text goes into @links. */
static int clone_places(int mounts[ARRAY_SIZE(places)], char links[ARRAY_SIZE(places)][64])
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *path = places[i].path;
		/* this one leads to the process, by its number outside */
		ssize_t n = strcmp(path, "/proc/self") == 0 ? -1 :
			    readlink(path, links[i], sizeof(links[i]) - 1);

		mounts[i] = -1;
		if (n >= 0) {
			links[i][n] = '\0';
			continue;
		}
		mounts[i] = clone_mount(path, places[i].attributes |
					(strcmp(path, "/dev/null") == 0 ? 0 : MOUNT_ATTR_RDONLY));
		if (mounts[i] < 0 && mounts[i] != -ENOENT)
			return mounts[i];
	}
	return 0;
}

/* In the new root, which is the working directory. */
static int fill_root(int mounts[ARRAY_SIZE(places)], char links[ARRAY_SIZE(places)][64])
{
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdir(folders[i], 0755) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *name = places[i].path + 1;
		int ret;

		if (*links[i] && symlink(links[i], name) < 0)
			return -errno;
		if (mounts[i] < 0)
			continue;
		if (places[i].directory ? mkdir(name, 0755) < 0 : mknod(name, S_IFREG | 0644, 0) < 0)
			return -errno;
		ret = attach(mounts[i], name);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The descriptor, from now on, of the same directory, or file, in a mount that ends there. */
static int take_along(const struct namespaces_dir *d, int mount, size_t number)
{
	cleanup_close int fd = -1;
	char name[32];
	struct stat st;
	int ret;

	if (fstat(mount, &st) < 0)
		return -errno;
	if (st.st_dev != d->dev || st.st_ino != d->ino)
		return -ESTALE;
	snprintf(name, sizeof(name), "shares/%zu", number);
	if (d->file ? mknod(name, S_IFREG | 0644, 0) < 0 : mkdir(name, 0755) < 0)
		return -errno;
	ret = attach(mount, name);
	if (ret < 0)
		return ret;
	if (d->file)
		fd = open(name, (d->read_only ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC);
	else
		fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && !d->file)
		fd = openat(mount, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return dup3(fd, d->fd, O_CLOEXEC) < 0 ? -errno : 0;
}

/* With "." as the new root: the old one ends up on top of it and goes. */
static int change_root(void)
{
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

enum { DIRS_MAX = 128 };

int namespaces_enter(void *arg, const char **what)
{
	const struct namespaces *ns = arg;
	int mounts[ARRAY_SIZE(places)], shares[DIRS_MAX] = { 0 }, ret;
	char links[ARRAY_SIZE(places)][64] = { "" };

	*what = "have a user namespace of its own";
	if (ns->ndirs > DIRS_MAX)
		return -E2BIG;
	ret = write_file("/proc/self/setgroups", "deny");
	if (ret == 0 || ret == -ENOENT)
		ret = write_file("/proc/self/uid_map", ns->uid_map);
	if (ret == 0)
		ret = write_file("/proc/self/gid_map", ns->gid_map);
	*what = "take its shares along into a mount namespace";
	for (size_t i = 0; ret == 0 && i < ns->ndirs; i++) {
		shares[i] = clone_mount(ns->dirs[i].path, MOUNT_ATTR_NODEV |
					(ns->dirs[i].read_only ? MOUNT_ATTR_RDONLY : 0));
		ret = shares[i] < 0 ? shares[i] : 0;
	}
	if (ret == 0)
		ret = clone_places(mounts, links);
	if (ret < 0)
		return ret;
	*what = "have a root directory of its own";
	/* on a directory that every host has and that is of no use any more */
	if (mount("umlcage", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=755,size=64k,nr_inodes=256") < 0 || chdir("/proc") < 0)
		return -errno;
	ret = fill_root(mounts, links);
	for (size_t i = 0; ret == 0 && i < ns->ndirs; i++)
		ret = take_along(&ns->dirs[i], shares[i], i);
	if (ret == 0)
		ret = change_root();
	/* nothing more is written there; what is mounted is not concerned */
	if (ret == 0 && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV |
			      MS_NOEXEC, NULL) < 0)
		ret = -errno;
	return ret;
}

void namespaces_release(struct namespaces *ns)
{
	for (size_t i = 0; i < ns->ndirs; i++)
		free(ns->dirs[i].path);
	free(ns->dirs);
	*ns = (struct namespaces){ 0 };
}
