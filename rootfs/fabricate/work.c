// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shares for the time of a fabrication: see fabricate-work.h.  Who works in one holds the
 * lock that share_create() takes; a share whose lock is free belongs to nobody any more.
 */
#include "rootfs/fabricate/fabricate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/remains.h"
#include "umlcage/base/str.h"
#include "umlcage/base/xdg.h"

static void remove_orphans(const char *top)
{
	DIR *d = opendir(top);
	struct dirent *de;

	if (!d)
		return;
	while ((de = readdir(d)) != NULL) {
		if (de->d_name[0] == '.' || strcmp(de->d_name, "lock") == 0)
			continue;

		cleanup_close int fd = openat(dirfd(d), de->d_name,
					      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)remove_tree(dirfd(d), de->d_name, NULL);
	}
	closedir(d);
}

/*
 * Asks ext4 to put each tree into another region of the disk.  Without a journal ext4 steps
 * over the inodes that were deleted a minute ago one by one whenever it looks for a free one,
 * which took a quarter of the time of a fabrication that followed another.
 */
static void spread(const char *top)
{
	cleanup_close int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int flags = 0;

	if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_TOPDIR_FL)) {
		flags |= FS_TOPDIR_FL;
		(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

int work_begin(struct work *w, struct error *e)
{
	cleanup_free char *top = NULL;
	int ret = xdg_dir(XDG_CACHE, "work", &top, e);

	if (ret < 0)
		return ret;

	/* nobody looks for orphans between the making of a share and its lock */
	cleanup_free char *lock_path = path_join(top, "lock");
	cleanup_close int lock = lock_file(AT_FDCWD, lock_path, true, true, e);

	if (lock < 0)
		return lock;
	spread(top);
	remove_orphans(top);
	for (unsigned int n = 0; ; n++) {
		w->path = xasprintf("%s/%d.%u", top, (int)getpid(), n);
		ret = share_create(&w->share, w->path, e);
		if (ret == 0) {
			remains_add(w->path);
			return 0;
		}
		free_ptr(&w->path);
		if ((ret != -EEXIST && ret != -ENOTEMPTY && ret != -EBUSY) || n == 1000)
			return ret;
		err_release(e);
	}
}

void work_end(struct work *w)
{
	if (!w->path)
		return;
	share_close(&w->share);
	(void)remove_tree(AT_FDCWD, w->path, NULL);
	remains_drop(w->path);
	free_ptr(&w->path);
}
