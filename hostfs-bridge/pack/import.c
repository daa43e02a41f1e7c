// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Archives into shares: see pack.h.  The archive may come from anywhere, so nothing in it
 * is believed: names are the tree's business (tree.h), numbers are checked here.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostfs-bridge/meta/meta.h"
#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/pack/private.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/worker.h"

#define ENTRY_COST	4096	/* bytes of the limit that an entry without contents takes */
#define MAX_XATTRS	256	/* of one entry */
#define MAX_WARNINGS	20

struct importer {
	const struct share_import_opts *opts;
	const char *name;		/* of the archive */
	int fd;				/* it, to see how far we are */
	uint64_t input_size;		/* 0: unknown */
	struct stream *stream;
	struct archive *archive;
	struct share_tree *tree;
	struct share_totals totals;
	uint64_t spent;			/* of the limit */
	unsigned int warnings;
	bool absolute;			/* said so of absolute names */
	struct share_xattr xattrs[MAX_XATTRS];
	size_t nxattrs;
	struct strv names;		/* of xattrs, decoded */
	struct strbuf acls[2];
};

static void warn(struct importer *im, const char *path, const char *what, const char *detail)
{
	if (im->warnings++ < MAX_WARNINGS)
		progress_warn(im->opts->progress, "'%s': %s%s", path, what, detail);
}

static la_ssize_t feed(struct archive *a, void *arg, const void **buf)
{
	struct importer *im = arg;
	ssize_t n = stream_read(im->stream, buf);

	if (n >= 0)
		return n;
	archive_set_error(a, (int)-n, "%s", strerror((int)-n));
	return -1;
}

static int archive_failed(struct importer *im, const char *path, struct error *e)
{
	const char *text = archive_error_string(im->archive);
	int errnum = archive_errno(im->archive);

	/* libarchive's own: -1 misc, 84 (EILSEQ) format */
	if (errnum <= 0 || errnum == 84)
		errnum = EBADMSG;
	if (path && *path)
		return err_set(e, errnum, "cannot read '%s' at or after '%s': %s", im->name, path,
			       text ? text : "damaged");
	return err_set(e, errnum, "cannot read '%s': %s", im->name,
		       text ? text : "no tar or cpio archive");
}

static int spend(struct importer *im, const char *path, uint64_t bytes, struct error *e)
{
	uint64_t limit = im->opts->limit;

	if (limit && (bytes > limit || im->spent > limit - bytes))
		return err_set(e, EFBIG, "'%s' is larger than the limit: stopped at '%s'",
			       im->name, path);
	im->spent += bytes;
	return 0;
}

/* One xattr of the entry; those that a share does not keep are dropped with a warning. */
static int add_xattr(struct importer *im, const char *path, const char *name, const void *value,
		     size_t len, struct error *e)
{
	char host[HUMFS_XATTR_NAME_MAX + 1];

	if (humfs_xattr_to_host(name, host) < 0) {
		warn(im, path, "left out the extended attribute ", name);
		return 0;
	}
	if (im->nxattrs == MAX_XATTRS)
		return err_set(e, EINVAL, "'%s' has more than %d extended attributes", path,
			       MAX_XATTRS);
	im->xattrs[im->nxattrs++] = (struct share_xattr){ (char *)name, (void *)value, len };
	return 0;
}

/*
 * The names of xattrs are keywords of pax headers, in which GNU tar and libarchive write
 * '=' and '%' (and libarchive more) as %XX; libarchive does not take that back.  malloc'ed.
 */
static char *decode_name(const char *name)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	for (; *name; name++) {
		char hex[3] = { name[0] == '%' ? name[1] : '\0' };
		uint64_t byte;

		hex[1] = *hex ? name[2] : '\0';
		if (hex[1] && parse_u64(hex, 16, 0xff, &byte) == 0 && byte) {
			sb_addc(&out, (char)byte);
			name += 2;
		} else {
			sb_addc(&out, *name);
		}
	}
	return sb_steal(&out);
}

static int read_acls(struct importer *im, struct archive_entry *entry, const char *path,
		     struct share_attr *a, struct error *e)
{
	static const struct {
		int type;
		const char *name;
	} kinds[] = {
		{ ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access" },
		{ ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default" },
	};

	if (!archive_entry_acl_types(entry))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct strbuf *out = &im->acls[i];
		int mask, ret;

		sb_reset(out);
		if (acl_from_entry(entry, kinds[i].type, out, &mask) < 0) {
			warn(im, path, "left out an access control list with names that are not "
			     "numbers", "");
			continue;
		}
		if (!out->len)
			continue;
		ret = add_xattr(im, path, kinds[i].name, out->s, out->len, e);
		if (ret < 0)
			return ret;
		/* stat() shows the mask where the owning group's bits would be */
		if (i == 0 && mask >= 0)
			a->mode = (a->mode & ~0070u) | (uint32_t)mask;
	}
	return 0;
}

static int read_xattrs(struct importer *im, struct archive_entry *entry, const char *path,
		       struct share_attr *a, struct error *e)
{
	const char *name;
	const void *value;
	size_t len;
	int ret = 0;

	im->nxattrs = 0;
	strv_release(&im->names);
	archive_entry_xattr_reset(entry);
	while (ret == 0 && archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		strv_take(&im->names, decode_name(name));
		ret = add_xattr(im, path, im->names.v[im->names.n - 1], value, len, e);
	}
	if (ret == 0)
		ret = read_acls(im, entry, path, a, e);
	a->xattrs = im->xattrs;
	a->nxattrs = im->nxattrs;
	return ret;
}

static int read_attr(struct importer *im, struct archive_entry *entry, const char *path,
		     struct share_attr *a, struct error *e)
{
	la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	/* the last number is no owner: the kernel takes it for "unchanged" */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_set(e, EINVAL, "'%s' in '%s' has the impossible owner %lld:%lld", path,
			       im->name, (long long)uid, (long long)gid);
	*a = (struct share_attr){
		.mode = archive_entry_mode(entry),
		.uid = (uint32_t)uid, .gid = (uint32_t)gid,
		.mtime = { 0, UTIME_OMIT },
	};
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode)) {
		a->major = (uint32_t)archive_entry_rdevmajor(entry);
		a->minor = (uint32_t)archive_entry_rdevminor(entry);
	}
	if (archive_entry_mtime_is_set(entry)) {
		a->mtime.tv_sec = archive_entry_mtime(entry);
		a->mtime.tv_nsec = archive_entry_mtime_nsec(entry);
		if (a->mtime.tv_nsec < 0 || a->mtime.tv_nsec > 999999999)
			a->mtime.tv_nsec = 0;
	}
	return read_xattrs(im, entry, path, a, e);
}

/* The entry's contents into @fd, holes left out. */
static int copy_data(struct importer *im, struct archive_entry *entry, const char *path, int fd,
		     struct error *e)
{
	la_int64_t offset, size = archive_entry_size(entry), end = 0;
	const void *buf;
	size_t len;

	for (;;) {
		int ret = archive_read_data_block(im->archive, &buf, &len, &offset);

		if (ret == ARCHIVE_EOF)
			break;
		if (ret == ARCHIVE_RETRY)
			continue;
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return archive_failed(im, path, e);
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		if (!len)
			continue;
		ret = spend(im, path, len, e);
		if (ret < 0)
			return ret;
		ret = pwrite_full(fd, buf, len, offset);
		if (ret < 0)
			return err_sys(e, -ret, "cannot write '%s'", path);
		end = offset + (la_int64_t)len;
		im->totals.bytes += len;
	}
	/* a hole at the end */
	if (archive_entry_size_is_set(entry) && size > end && ftruncate(fd, size) < 0)
		return err_sys(e, errno, "cannot write '%s'", path);
	return 0;
}

static int import_file(struct importer *im, struct archive_entry *entry, const char *path,
		       const struct share_attr *a, struct error *e)
{
	int fd = share_file_begin(im->tree, path, a, e);
	int ret;

	if (fd < 0)
		return fd;
	ret = copy_data(im, entry, path, fd, e);
	if (ret < 0) {
		share_file_abort(im->tree, path, fd);
		return ret;
	}
	return share_file_end(im->tree, path, fd, a, e);
}

/* A further name; in cpio and pax the contents may come with the last one. */
static int import_link(struct importer *im, struct archive_entry *entry, const char *path,
		       const char *old, const struct share_attr *a, struct error *e)
{
	struct share_attr there;
	const char *name;
	int ret = share_hardlink(im->tree, path, old, e);

	if (ret < 0 || !archive_entry_size_is_set(entry) || archive_entry_size(entry) <= 0)
		return ret;
	ret = share_stat(im->tree, path, &there, e);
	if (ret < 0)
		return ret;
	if (!S_ISREG(there.mode))
		return err_set(e, EBADMSG, "'%s' in '%s' has contents, and is another name of '%s', "
			       "which is not a file", path, im->name, old);

	int dir = share_parent(im->tree, path, &name, e);

	if (dir < 0)
		return dir;

	int fd = openat(dir, name, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "cannot write '%s'", path);
	ret = copy_data(im, entry, path, fd, e);

	int end = share_file_end(im->tree, path, fd, a, ret < 0 ? NULL : e);

	return ret < 0 ? ret : end;
}

/* All that is in the directory @path, which stays. */
static int empty(struct importer *im, const char *path, struct error *e)
{
	cleanup_free char *below = xasprintf("%s/-", path);
	cleanup_strv struct strv names = STRV_INIT;
	const char *last;
	int fd = share_parent(im->tree, below, &last, NULL), ret;

	ret = fd < 0 ? 0 : dir_names(fd, &names, e);
	for (size_t i = 0; ret == 0 && i < names.n; i++) {
		cleanup_free char *one = path_join(path, names.v[i]);

		ret = share_remove(im->tree, one, e);
	}
	return ret;
}

/* 1: @path is a whiteout and done with, or not wanted. */
static int whiteout(struct importer *im, const char *path, struct error *e)
{
	static const char mark[] = ".wh.", opaque[] = ".wh..wh..opq";
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cleanup_free char *dir = xstrndup(path, (size_t)(name - path)), *gone = NULL;
	int ret;

	if (!str_starts(name, mark))
		return im->opts->whiteouts == SHARE_WHITEOUTS_ONLY;
	if (im->opts->whiteouts == SHARE_WHITEOUTS_SKIP)
		return 1;
	if (str_eq(name, opaque)) {
		ret = empty(im, *dir ? dir : ".", e);
		return ret < 0 ? ret : 1;
	}
	name += strlen(mark);
	/* what is left begins with the mark again only in names of old that mean nothing here */
	if (!*name || str_eq(name, ".") || str_eq(name, "..") || str_starts(name, mark))
		return 1;
	gone = xasprintf("%s%s", dir, name);
	ret = share_remove(im->tree, gone, e);
	return ret < 0 && ret != -ENOENT && ret != -ENOTDIR ? ret : 1;
}

/* A file over a directory of a layer below takes its place with all that is in it. */
static int make_way(struct importer *im, struct archive_entry *entry, const char *path,
		    struct error *e)
{
	struct share_attr a;

	if (archive_entry_filetype(entry) == AE_IFDIR || share_stat(im->tree, path, &a, NULL) < 0 ||
	    !S_ISDIR(a.mode))
		return 0;
	return share_remove(im->tree, path, e);
}

static int import_entry(struct importer *im, struct archive_entry *entry, struct error *e)
{
	const char *path = archive_entry_pathname(entry);
	const char *old = archive_entry_hardlink(entry);
	struct share_attr a;
	int ret;

	if (!path || !*path)
		return err_set(e, EINVAL, "entry %llu of '%s' has no usable name",
			       (unsigned long long)im->totals.entries, im->name);
	if ((*path == '/' || (old && *old == '/')) && !im->absolute) {
		im->absolute = true;
		warn(im, path, "absolute names are taken as relative to the root", "");
	}
	if (im->opts->whiteouts) {
		ret = whiteout(im, path, e);
		if (ret == 0)
			ret = make_way(im, entry, path, e);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	ret = spend(im, path, ENTRY_COST, e);
	if (ret < 0)
		return ret;
	ret = read_attr(im, entry, path, &a, e);
	if (ret < 0)
		return ret;
	if (old)
		return import_link(im, entry, path, old, &a, e);
	switch (a.mode & S_IFMT) {
	case S_IFREG:
		return import_file(im, entry, path, &a, e);
	case S_IFLNK: {
		const char *target = archive_entry_symlink(entry);

		if (!target)
			return err_set(e, EINVAL, "'%s' in '%s' is a link without a target", path,
				       im->name);
		return share_symlink(im->tree, path, target, &a, e);
	}
	default:
		return share_make(im->tree, path, NULL, &a, e);
	}
}

static int import_all(struct importer *im, struct error *e)
{
	struct archive_entry *entry;
	cleanup_free char *last = NULL;

	for (;;) {
		int ret = archive_read_next_header(im->archive, &entry);

		if (ret == ARCHIVE_EOF)
			break;
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		if (ret == ARCHIVE_RETRY)
			continue;
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return archive_failed(im, last, e);
		im->totals.entries++;
		ret = import_entry(im, entry, e);
		if (ret < 0)
			return ret;
		if (im->totals.entries % 64 == 0) {
			off_t at = im->input_size ? lseek(im->fd, 0, SEEK_CUR) : 0;

			progress_step(im->opts->progress, at > 0 ? (uint64_t)at : im->totals.bytes,
				      im->input_size, archive_entry_pathname(entry));
		}
		/* for the message, should the next header be damaged */
		if (archive_entry_pathname(entry)) {
			free_ptr(&last);
			last = xstrdup(archive_entry_pathname(entry));
		}
	}
	if (im->totals.entries == 0 && !im->opts->whiteouts)
		return err_set(e, EBADMSG, "'%s' is empty", im->name);
	if (im->warnings > MAX_WARNINGS)
		progress_warn(im->opts->progress, "and %u more like these",
			      im->warnings - MAX_WARNINGS);
	return share_tree_finish(im->tree, e);
}

/* Names in pax headers are UTF-8, and libarchive converts them to the locale. */
static locale_t import_locale(void)
{
	return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static int import_stream(struct importer *im, struct error *e)
{
	int ret;

	im->archive = archive_read_new();
	archive_read_support_format_tar(im->archive);
	archive_read_support_format_gnutar(im->archive);
	archive_read_support_format_cpio(im->archive);
	archive_read_support_format_empty(im->archive);
	if (archive_read_open(im->archive, im, NULL, feed, NULL) != ARCHIVE_OK)
		ret = archive_failed(im, NULL, e);
	else
		ret = import_all(im, e);
	archive_read_free(im->archive);
	return ret;
}

int import_in_place(struct share *s, int fd, const char *name,
		    const struct share_import_opts *opts, struct share_totals *totals,
		    struct error *e)
{
	struct importer im = { .opts = opts, .name = name, .fd = fd };
	struct error stream_error = ERROR_INIT;
	struct stat st;
	int ret = stream_reader(&im.stream, fd, name, e);

	if (ret < 0)
		return ret;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		im.input_size = (uint64_t)st.st_size;

	locale_t utf8 = import_locale();
	locale_t old = uselocale(utf8 ? utf8 : (locale_t)0);

	im.tree = share_tree_new(s->fd, SHARE_REPLACE |
				 (opts->whiteouts == SHARE_WHITEOUTS_ONLY ? 0 : SHARE_PARENTS) |
				 (opts->record_all ? SHARE_RECORD_ALL : 0));
	progress_stage(opts->progress, "importing", im.input_size);
	ret = import_stream(&im, e);
	progress_end(opts->progress);
	/* what the decompressor has to say explains more than the end of its output */
	if (stream_end(&im.stream, ret, &stream_error) < 0)
		ret = err_move(e, &stream_error);
	/* what a link in the archive leads to, not what the user named */
	if (ret == -ENOENT)
		(void)err_mark(e, ERR_OTHER);
	share_tree_free(&im.tree);
	strv_release(&im.names);
	sb_release(&im.acls[0]);
	sb_release(&im.acls[1]);
	uselocale(old);
	if (utf8)
		freelocale(utf8);
	if (totals)
		*totals = im.totals;
	return ret;
}

/* ---- in a process of its own ---- */

/* What writing a tree takes, beyond what confine.c allows anyway; all of it ends at Landlock's
 * one folder, or at descriptors. */
static const struct confine_call calls[] = {
	{ SYS_openat, CONFINE_ANY, 0 }, { SYS_openat2, CONFINE_ANY, 0 }, { SYS_mkdirat, CONFINE_ANY, 0 },
	{ SYS_unlinkat, CONFINE_ANY, 0 }, { SYS_linkat, CONFINE_ANY, 0 }, { SYS_symlinkat, CONFINE_ANY, 0 },
	{ SYS_renameat, CONFINE_ANY, 0 }, { SYS_renameat2, CONFINE_ANY, 0 },
	{ SYS_readlinkat, CONFINE_ANY, 0 }, { SYS_newfstatat, CONFINE_ANY, 0 },
	{ SYS_getdents64, CONFINE_ANY, 0 }, { SYS_pwrite64, CONFINE_ANY, 0 },
	{ SYS_ftruncate, CONFINE_ANY, 0 }, { SYS_fallocate, CONFINE_ANY, 0 },
	{ SYS_fchmod, CONFINE_ANY, 0 }, { SYS_utimensat, CONFINE_ANY, 0 },
	{ SYS_fsetxattr, CONFINE_ANY, 0 }, { SYS_fgetxattr, CONFINE_ANY, 0 },
	{ SYS_flistxattr, CONFINE_ANY, 0 }, { SYS_fremovexattr, CONFINE_ANY, 0 },
	{ SYS_dup, CONFINE_ANY, 0 }, { SYS_fcntl, 1, F_DUPFD_CLOEXEC },
	/* the decompressor is a thread, and has to be woken */
	{ SYS_eventfd2, CONFINE_ANY, 0 }, { SYS_poll, CONFINE_ANY, 0 }, { SYS_ppoll, CONFINE_ANY, 0 },
	{ SYS_clone, CONFINE_ANY, 0 }, { SYS_clone3, CONFINE_ANY, 0 },
	{ SYS_set_tid_address, CONFINE_ANY, 0 }, { SYS_sched_getaffinity, CONFINE_ANY, 0 },
	{ SYS_prlimit64, 0, 0 },
};

struct job {
	struct share *s;
	int fd;
	const char *name;
	const struct share_import_opts *opts;
	uint64_t size;		/* of the archive; 0: unknown */
};

void pack_prepare(void *arg)
{
	locale_t utf8 = import_locale();

	(void)arg;
	archive_read_free(archive_read_new());
	if (utf8)
		freelocale(utf8);
}

static int work(void *arg, struct strbuf *result, struct error *e)
{
	const struct job *j = arg;
	struct share_totals totals = { 0 };
	int ret = import_in_place(j->s, j->fd, j->name, j->opts, &totals, e);

	sb_add(result, &totals, sizeof(totals));
	return ret;
}

/* The descriptors of both processes have one position. */
static void show(void *arg)
{
	const struct job *j = arg;
	off_t at = j->size ? lseek(j->fd, 0, SEEK_CUR) : 0;

	progress_step(j->opts->progress, at > 0 ? (uint64_t)at : 0, j->size, NULL);
}

int share_import(struct share *s, int fd, const char *name,
		 const struct share_import_opts *opts, struct share_totals *totals,
		 struct error *e)
{
	cleanup_free char *what = xasprintf("read '%s'", name);
	cleanup_close int in = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	cleanup_strbuf struct strbuf result = STRBUF_INIT;
	struct job job = { s, in, name, opts, 0 };
	const struct confine_path path = { .fd = s->fd, .directory = true, .writable = true };
	const struct confine confine = {
		.paths = &path, .npaths = 1, .calls = calls, .ncalls = ARRAY_SIZE(calls),
		.files = true, .memory = 3ULL << 30, .descriptors = 256,
	};
	const struct worker worker = {
		.what = what, .confine = &confine, .fds = &in, .nfds = 1,
		.max_result = sizeof(*totals), .progress = opts->progress, .tick = show,
		.prepare = pack_prepare, .work = work, .arg = &job,
	};
	struct stat st;
	int ret;

	if (in < 0)
		return err_sys(e, errno, "cannot read '%s'", name);
	if (fstat(in, &st) == 0 && S_ISREG(st.st_mode))
		job.size = (uint64_t)st.st_size;
	progress_stage(opts->progress, "importing", job.size);
	ret = worker_run(&worker, &result, e);
	progress_end(opts->progress);
	if (ret == 0 && result.len != sizeof(*totals))
		ret = err_set(e, EBADMSG, "cannot read '%s': the process for it did not answer as "
			      "it should", name);
	if (ret == 0 && totals)
		memcpy(totals, result.s, sizeof(*totals));
	return ret;
}
