// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What mke2fs leaves out of a tar file: extended attributes but for security.capability,
 * fractions of seconds, and the time of the top.  debugfs(8) puts them in, by a script that is made here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/image/private.h"
#include "umlcage/base/fd.h"

struct rest {
	int dirfd;
	int64_t epoch;
	struct progress *progress;
	struct strbuf script;
	unsigned int values;
};

/* As libss reads it: in quotes, with quotes in it twice. */
static void add_path(struct strbuf *out, const char *path)
{
	sb_adds(out, "\"/");
	for (const char *p = path; *p; p++) {
		if (*p == '"')
			sb_addc(out, '"');
		sb_addc(out, *p);
	}
	sb_addc(out, '"');
}

static int add_value(struct rest *r, const struct share_entry *ent, const struct share_xattr *x,
		     struct error *e)
{
	cleanup_free char *name = xasprintf("v%u", r->values++);
	cleanup_close int fd = openat(r->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int ret = fd < 0 ? -errno : write_full(fd, x->value, x->len);

	if (ret < 0)
		return err_sys(e, -ret, "cannot write '%s'", name);
	sb_addf(&r->script, "ea_set -f %s/%s ", IMAGE_GUEST_OUT, name);
	add_path(&r->script, ent->path);
	sb_addf(&r->script, " %s\n", x->name);
	return 0;
}

/* The top's time is that of lost+found, which is made in it. */
static void add_top(struct rest *r, int64_t sec)
{
	sb_addf(&r->script, "set_inode_field / mtime @%lld\n",
		(long long)(r->epoch >= 0 && sec > r->epoch ? r->epoch : sec));
}

static int add_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	struct rest *r = arg;
	const struct share_attr *a = &ent->attr;
	int64_t sec = a->mtime.tv_sec;
	bool fraction = a->mtime.tv_nsec && (r->epoch < 0 || sec < r->epoch);
	int ret = 0;

	if ((fraction || a->nxattrs) && strchr(ent->path, '\n')) {
		progress_warn(r->progress, "'%s': debugfs cannot be told its attributes", ent->path);
		return 0;
	}
	if (!*ent->path)
		add_top(r, sec);
	for (size_t i = 0; i < a->nxattrs && ret == 0; i++)
		if (!str_eq(a->xattrs[i].name, "security.capability"))
			ret = add_value(r, ent, &a->xattrs[i], e);
	if (ret == 0 && fraction) {
		/* two bits of the seconds are in the lower end, see ext4's i_mtime_extra */
		uint32_t extra = (uint32_t)(((sec - (int32_t)sec) >> 32) & 3) |
				 (uint32_t)a->mtime.tv_nsec << 2;

		sb_adds(&r->script, "set_inode_field ");
		add_path(&r->script, ent->path);
		sb_addf(&r->script, " mtime_extra %u\n", extra);
	}
	return ret;
}

int image_ext4_rest(struct share *s, int64_t epoch, int dirfd, struct progress *progress,
		    struct error *e)
{
	struct rest r = { .dirfd = dirfd, .epoch = epoch, .progress = progress };
	int ret = share_walk(s->fd, 0, add_entry, &r, e);

	if (ret == 0)
		ret = file_replace(dirfd, IMAGE_SCRIPT, sb_str(&r.script), r.script.len, 0600, e);
	sb_release(&r.script);
	return ret;
}
