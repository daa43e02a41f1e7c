// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening, making, locking and marking a share as a whole: see share.h. */
#include "hostfs-bridge/share/share.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/meta/meta.h"
#include "umlcage/base/fd.h"

static bool has_xattr(int fd, const char *name)
{
	return fgetxattr(fd, name, NULL, 0) >= 0;
}

bool share_is_share(int dirfd, const char *path)
{
	cleanup_close int fd = openat(dirfd, *path ? path : ".",
				      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && has_xattr(fd, HUMFS_META_XATTR);
}

int share_relock(struct share *s, enum share_access access, struct error *e)
{
	static const int how[] = {
		[SHARE_READ] = LOCK_SH, [SHARE_WRITE] = LOCK_EX, [SHARE_PEEK] = LOCK_UN,
	};

	while (flock(s->fd, how[access] | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(e, EBUSY, "the share '%s' is in use%s", s->path,
				       access == SHARE_WRITE ? "" : " by somebody who writes to it");
		if (errno != EINTR)
			return err_sys(e, errno, "cannot lock the share '%s'", s->path);
	}
	return 0;
}

pid_t share_holder(const struct share *s)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_close int fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fd_read_all(fd, 1 << 20, &text) < 0 || fstat(s->fd, &st) < 0)
		return 0;
	/* "1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF", see proc_locks(5) */
	for (const char *line = sb_str(&text); *line; line += strcspn(line, "\n"), line += *line == '\n') {
		unsigned int high, low;
		unsigned long long ino;
		int pid;

		if (sscanf(line, "%*u: FLOCK ADVISORY %*s %d %x:%x:%llu", &pid, &high, &low, &ino) == 4 &&
		    ino == st.st_ino && makedev(high, low) == st.st_dev && pid > 0 &&
		    pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM))
			return pid;
	}
	return 0;
}

static int no_share(struct error *e, const char *path)
{
	return err_set(e, EINVAL, "'%s' is not a share: it has no recorded owner; 'umlcage share "
		       "import' makes one", path);
}

int share_open(struct share *s, const char *path, enum share_access access, struct error *e)
{
	struct stat st;
	int ret = 0;

	*s = (struct share){ .fd = -1, .path = xstrdup(path) };
	s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st) < 0) {
		ret = err_sys(e, errno, "cannot open the share '%s'", path);
	} else if (fgetxattr(s->fd, HUMFS_META_XATTR, NULL, 0) < 0) {
		ret = errno == EOPNOTSUPP ? share_xattr_error(e, errno, path) : no_share(e, path);
	} else if (access == SHARE_WRITE && st.st_uid != geteuid()) {
		ret = err_set(e, EPERM, "the share '%s' belongs to uid %u", path,
			      (unsigned int)st.st_uid);
	} else {
		ret = access == SHARE_PEEK ? 0 : share_relock(s, access, e);
		s->dirty = has_xattr(s->fd, SHARE_DIRTY_XATTR);
	}
	if (ret < 0)
		share_close(s);
	return ret;
}

/* 0, or -ENOTEMPTY; reads from a descriptor of its own. */
static int check_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int ret = 0;

	if (!dir) {
		ret = -errno;
		close_fd(&fd);
		return ret;
	}
	if (dir_next(dir, &ret))
		ret = -ENOTEMPTY;
	closedir(dir);
	return ret;
}

static int init_root(struct share *s, struct error *e)
{
	struct stat st;
	int ret;

	if (fstat(s->fd, &st) < 0)
		return err_sys(e, errno, "cannot stat '%s'", s->path);
	if (st.st_uid != geteuid())
		return err_set(e, EPERM, "cannot make '%s' a share: it belongs to uid %u", s->path,
			       (unsigned int)st.st_uid);
	ret = check_empty(s->fd);
	if (ret == -ENOTEMPTY)
		return err_set(e, ENOTEMPTY, "cannot make '%s' a share: it is not empty", s->path);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s'", s->path);
	/* before it is one: without a lock it would be taken for one that was left */
	ret = share_relock(s, SHARE_WRITE, e);
	if (ret < 0)
		return ret;
	/* also takes away a set-group-id bit inherited from above */
	if (fchmod(s->fd, 0700) < 0)
		return err_sys(e, errno, "cannot set the mode of '%s'", s->path);
	if (fsetxattr(s->fd, HUMFS_META_XATTR, "0:0:0755:dir", 12, 0) < 0)
		return share_xattr_error(e, errno, s->path);
	return share_set_id(s, NULL, e);
}

int share_create(struct share *s, const char *path, struct error *e)
{
	bool made = mkdir(path, 0700) == 0;
	int ret;

	*s = (struct share){ .fd = -1, .path = xstrdup(path) };
	if (!made && errno != EEXIST) {
		ret = err_sys(e, errno, "cannot create the share '%s'", path);
	} else {
		s->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = s->fd < 0 ? err_sys(e, errno, "cannot open '%s'", path) : init_root(s, e);
	}
	if (ret < 0) {
		share_close(s);
		/* somebody else may have taken it */
		if (made && ret != -EBUSY)
			rmdir(path);
	}
	return ret;
}

int share_id(const struct share *s, char id[SHARE_ID_MAX + 1])
{
	ssize_t len = fgetxattr(s->fd, SHARE_ID_XATTR, id, SHARE_ID_MAX);

	id[len < 0 ? 0 : len] = '\0';
	return len > 0 ? 0 : len == 0 ? -ENODATA : -errno;
}

int share_set_id(struct share *s, const char *id, struct error *e)
{
	cleanup_free char *made = id ? NULL : xasprintf("%016llx%016llx",
							(unsigned long long)random_u64(),
							(unsigned long long)random_u64());

	id = id ? id : made;
	return fsetxattr(s->fd, SHARE_ID_XATTR, id, strlen(id), 0) < 0 ?
	       share_xattr_error(e, errno, s->path) : 0;
}

int share_mark_dirty(struct share *s, struct error *e)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%lld pid %d", (long long)time(NULL), (int)getpid());
	int ret;

	if (fsetxattr(s->fd, SHARE_DIRTY_XATTR, text, (size_t)len, 0) < 0)
		return share_xattr_error(e, errno, s->path);
	ret = share_set_id(s, NULL, e);
	if (ret < 0)
		return ret;
	if (fsync(s->fd) < 0)
		return err_sys(e, errno, "cannot write to the share '%s'", s->path);
	s->dirty = true;
	return 0;
}

int share_sync(struct share *s, struct error *e)
{
	return syncfs(s->fd) < 0 ? err_sys(e, errno, "cannot write the share '%s'", s->path) : 0;
}

int share_mark_clean(struct share *s, struct error *e)
{
	int ret = share_sync(s, e);

	if (ret < 0)
		return ret;
	if (fremovexattr(s->fd, SHARE_DIRTY_XATTR) < 0 && errno != ENODATA)
		return share_xattr_error(e, errno, s->path);
	s->dirty = false;
	return 0;
}

void share_close(struct share *s)
{
	close_fd(&s->fd);
	free_ptr(&s->path);
}
