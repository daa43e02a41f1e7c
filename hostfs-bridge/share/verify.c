// SPDX-License-Identifier: GPL-2.0-or-later
/* Checking and mending shares: see verify.h. */
#include "hostfs-bridge/share/share.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/share/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

#define SYMLINK_MAX 4095

struct verifier {
	bool repair;
	void (*fn)(const struct share_problem *p, void *arg);
	void *arg;
	struct share_report *report;
	struct share_tree *tree;
	struct share_links *links;
};

/* Reports; with @done the remedy was carried out. */
static void tell(struct verifier *v, const char *path, const char *what, const char *remedy,
		 bool done)
{
	struct share_problem p = { *path ? path : ".", what, remedy, done };

	v->report->problems++;
	v->report->repaired += done;
	v->fn(&p, v->arg);
}

/* A problem whose remedy is a call; @ok is what the call said when repairing. */
#define MEND(v, ent, what, remedy, call) \
	tell(v, (ent)->path, what, remedy, (v)->repair && (call) == 0)

static int set_host_mode(const struct share_entry *ent, mode_t mode)
{
	return ent->fd >= 0 ? fchmod(ent->fd, mode) : fchmodat(ent->dirfd, ent->name, mode, 0);
}

/* The host's bits of an entry whose record, if any, can be read. */
static void check_host_mode(struct verifier *v, const struct share_entry *ent)
{
	mode_t mode = ent->host.st_mode & 07777;
	mode_t need = S_ISDIR(ent->host.st_mode) ? 0700 : 0600;

	if (!*ent->path && mode != 0700)
		MEND(v, ent, "the share's directory is open to others, and it may hold a shadow file",
		     "its mode is set to 0700", set_host_mode(ent, 0700));
	else if (mode & 07000)
		MEND(v, ent, "a set-id or sticky bit on the host, where it means you",
		     "the bit is taken away", set_host_mode(ent, (mode & 0777) | need));
	else if ((mode & need) != need && ent->fd < 0 && S_ISDIR(ent->host.st_mode))
		MEND(v, ent, "you may not enter it on the host",
		     "it is made accessible; verify again for what is in it",
		     set_host_mode(ent, mode | need));
	else if ((mode & need) != need)
		/* the record keeps what the guest sees now */
		MEND(v, ent, "you may not read and write it on the host",
		     "the mode is recorded, and the host's gets read and write for you",
		     ent->bad || ent->fd < 0 ? set_host_mode(ent, mode | need) :
		     share_fsetattr(ent->fd, ent->path, &ent->attr, NULL));
}

/* Real devices and fifos: what is there becomes a file with a record. */
static int replace_special(struct verifier *v, const struct share_entry *ent)
{
	struct share_attr a = {
		.mode = ent->host.st_mode & (S_IFMT | 0777),
		.major = major(ent->host.st_rdev), .minor = minor(ent->host.st_rdev),
		.mtime = ent->host.st_mtim,
	};

	return share_node(v->tree, ent->path, &a, NULL);
}

static int empty(const struct share_entry *ent)
{
	cleanup_close int fd = openat(ent->dirfd, ent->name,
				      O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static void check_record(struct verifier *v, const struct share_entry *ent)
{
	bool file = S_ISREG(ent->host.st_mode);

	if (ent->bad == -EINVAL && !file && !S_ISDIR(ent->host.st_mode)) {
		MEND(v, ent, "a real device, fifo or socket on the host",
		     "an empty file with a record takes its place", replace_special(v, ent));
		return;
	}
	if (ent->bad == -EINVAL || ent->bad == -EAGAIN) {
		MEND(v, ent, "a malformed record of owner and mode, or one that does not fit",
		     "it is removed, and the entry is root's with the host's mode",
		     fremovexattr(ent->fd, HUMFS_META_XATTR));
		return;
	}
	if (ent->bad == -EACCES)
		return;		/* told already: the host's mode */
	if (ent->bad < 0) {
		tell(v, ent->path, strerror(-ent->bad), NULL, false);
		return;
	}
	if (S_ISLNK(ent->attr.mode) && ent->fd >= 0 &&
	    (ent->host.st_size == 0 || ent->host.st_size > SYMLINK_MAX ||
	     memchr(ent->target, 0, (size_t)ent->host.st_size)))
		MEND(v, ent, "a recorded symbolic link without a possible target",
		     "the record is removed, and it is a file",
		     fremovexattr(ent->fd, HUMFS_META_XATTR));
	else if (file && !S_ISREG(ent->attr.mode) && !S_ISLNK(ent->attr.mode) && ent->host.st_size)
		MEND(v, ent, "contents behind a device, fifo or socket",
		     "they are removed", empty(ent));
}

/* What a kernel makes beside a name before it takes that name (humfs, rename.c). */
static bool is_aside(const char *name)
{
	return str_starts(name, ".humfs-") && strlen(name) == 7 + 16 &&
	       strspn(name + 7, "0123456789abcdef") == 16;
}

static int check_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	struct verifier *v = arg;

	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	/* nothing of the share's: whether it is sound stays open */
	if (ent->bad == -EMFILE || ent->bad == -ENFILE || ent->bad == -ENOMEM)
		return err_sys(e, -ent->bad, "cannot check '%s'", *ent->path ? ent->path : ".");
	v->report->entries++;
	if (ent->host.st_uid != geteuid()) {
		tell(v, ent->path, "it belongs to another user of the host", NULL, false);
		return 0;
	}
	if (v->report->dirty && S_ISREG(ent->host.st_mode) && is_aside(ent->name)) {
		MEND(v, ent, "left over from an unfinished change", "it is removed",
		     unlinkat(ent->dirfd, ent->name, 0));
		return 0;
	}
	if (ent->host.st_nlink > 1 && !S_ISDIR(ent->host.st_mode))
		share_links_count(v->links, ent->host.st_dev, ent->host.st_ino, ent->path,
			    (uint64_t)ent->host.st_nlink);
	if (S_ISREG(ent->host.st_mode) || S_ISDIR(ent->host.st_mode))
		check_host_mode(v, ent);
	if (*ent->path && ent->fd >= 0)
		v->report->recorded += fgetxattr(ent->fd, HUMFS_META_XATTR, NULL, 0) >= 0;
	check_record(v, ent);
	return 0;
}

static void tell_link(const char *path, void *arg)
{
	tell(arg, path, "names outside of the share lead to it, too", NULL, false);
}

/* share_open() that also takes a top without a record. */
static int open_top(struct share *s, const char *path, bool adopt, bool *adopted, struct error *e)
{
	int ret = share_open(s, path, SHARE_WRITE, e);

	if (ret != -EINVAL || !adopt)
		return ret;

	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	err_release(e);
	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", path);
	if (fsetxattr(fd, HUMFS_META_XATTR, "0:0:0755:dir", 12, XATTR_CREATE) < 0)
		return share_xattr_error(e, errno, path);
	*adopted = true;
	return share_open(s, path, SHARE_WRITE, e);
}

int share_verify(const char *path, bool repair, bool adopt,
		 void (*fn)(const struct share_problem *p, void *arg), void *arg,
		 struct share_report *report, struct error *e)
{
	bool adopted = false;
	struct verifier v = { .repair = repair, .fn = fn, .arg = arg, .report = report };
	cleanup_share struct share s = SHARE_INIT;
	int ret;

	*report = (struct share_report){ 0 };
	ret = open_top(&s, path, adopt, &adopted, e);
	if (ret < 0)
		return ret;
	report->dirty = s.dirty;
	/* whatever it mends, what was kept of it is of what it was */
	if (repair && share_set_id(&s, NULL, e) < 0)
		return -e->errnum;
	v.tree = share_tree_new(s.fd, SHARE_REPLACE);
	v.links = share_links_new();
	ret = share_walk(s.fd, SHARE_WALK_RAW, check_entry, &v, e);
	if (ret == 0)
		share_links_incomplete(v.links, tell_link, &v);
	if (ret == 0 && adopted && report->entries > 1 && !report->recorded)
		tell(&v, "", "no entry has a record of its owner and mode: if this is the copy of a share, "
		     "it was made without extended attributes, and all owners, set-id bits and devices "
		     "are lost; copy with 'cp -a', 'rsync -X' or 'umlcage share export'", NULL, false);
	share_tree_free(&v.tree);
	share_links_free(&v.links);
	if (ret == 0 && s.dirty) {
		bool done = repair && share_mark_clean(&s, e) == 0;

		if (repair && !done)
			return -e->errnum;
		tell(&v, ".", "the cage that last wrote to it was killed: what its programs had not "
		     "written yet is missing", "the mark is taken away", done);
	} else if (ret == 0 && report->repaired) {
		ret = share_sync(&s, e);
	}
	return ret;
}
