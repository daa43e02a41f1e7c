// SPDX-License-Identifier: GPL-2.0-or-later
/* How two archives, or two shares, differ, entry by entry: see pack.h. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostfs-bridge/pack/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/str.h"
#include "umlcage/base/worker.h"

enum { BLOCK = 1 << 16 };

/* What an entry is, a text each. */
enum what { KIND, MODE, OWNER, TIME, SIZE, LINK, DEVICE, CONTENT, NWHAT };

static const char *const words[] = {
	[KIND] = "kind", [MODE] = "mode", [OWNER] = "owner", [TIME] = "time", [SIZE] = "size",
	[LINK] = "link", [DEVICE] = "device", [CONTENT] = "content or attributes",
};

struct item {
	char *path;
	char *what[NWHAT];
};

struct items {
	struct item *v;
	size_t n, cap;
};

static void items_release(struct items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		free(items->v[i].path);
		for (int k = 0; k < NWHAT; k++)
			free(items->v[i].what[k]);
	}
	free(items->v);
}

static void add_xattr(struct hash *h, const char *name, const void *value, uint64_t len)
{
	hash_add_field(h, name);
	hash_add(h, &len, sizeof(len));
	hash_add(h, value, len);
}

static void add_xattrs(struct hash *h, struct archive_entry *entry)
{
	const char *name;
	const void *value;
	size_t len;

	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK)
		add_xattr(h, name, value, len);
	archive_entry_acl_reset(entry, ARCHIVE_ENTRY_ACL_TYPE_POSIX1E);
	if (archive_entry_acl_types(entry)) {
		char *text = archive_entry_acl_to_text(entry, NULL, 0);

		hash_add_field(h, text ? text : "");
		free(text);
	}
}

/* Contents, and what is beside them, as one hash. */
static int read_content(struct archive *a, struct archive_entry *entry, char sum[SHA256_HEX + 1])
{
	struct hash h = { NULL };
	const void *data;
	la_int64_t at;
	size_t len;
	int ret;

	hash_start(&h);
	add_xattrs(&h, entry);
	while ((ret = archive_read_data_block(a, &data, &len, &at)) == ARCHIVE_OK || ret == ARCHIVE_WARN)
		hash_add(&h, data, len);
	hash_end(&h, sum);
	hash_release(&h);
	return ret == ARCHIVE_EOF ? 0 : -EBADMSG;
}

static int read_item(struct archive *a, struct archive_entry *entry, struct item *item)
{
	const char *path = archive_entry_pathname(entry), *link = archive_entry_hardlink(entry);
	const char *target = archive_entry_symlink(entry);
	char sum[SHA256_HEX + 1];

	*item = (struct item){ .path = xstrdup(path ? path : "") };
	item->what[KIND] = xasprintf("%o", (unsigned int)archive_entry_filetype(entry));
	item->what[MODE] = xasprintf("%04o", (unsigned int)archive_entry_perm(entry));
	item->what[OWNER] = xasprintf("%lld:%lld", (long long)archive_entry_uid(entry),
				      (long long)archive_entry_gid(entry));
	item->what[TIME] = xasprintf("%lld.%09ld", (long long)archive_entry_mtime(entry),
				     archive_entry_mtime_nsec(entry));
	item->what[SIZE] = xasprintf("%lld", (long long)archive_entry_size(entry));
	item->what[LINK] = xasprintf("%s%s", link ? "to " : "", link ? link : target ? target : "");
	item->what[DEVICE] = xasprintf("%llu:%llu", (unsigned long long)archive_entry_rdevmajor(entry),
				       (unsigned long long)archive_entry_rdevminor(entry));
	if (read_content(a, entry, sum) < 0)
		return -EBADMSG;
	item->what[CONTENT] = xstrdup(sum);
	return 0;
}

static struct item *new_item(struct items *items)
{
	if (items->n == items->cap) {
		items->cap = items->cap ? items->cap * 2 : 256;
		items->v = xreallocarray(items->v, items->cap, sizeof(*items->v));
	}
	return &items->v[items->n++];
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

/* All of the archive at @fd; -EBADMSG if it is none. */
static int read_items(int fd, struct items *items, struct error *e)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int ret;

	pack_filters(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_cpio(a);
	ret = lseek(fd, 0, SEEK_SET) < 0 ? -errno : archive_read_open_fd(a, fd, BLOCK);
	while (ret == ARCHIVE_OK) {
		ret = archive_read_next_header(a, &entry);
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			break;
		ret = read_item(a, entry, new_item(items));
	}
	if (ret != ARCHIVE_EOF)
		err_set(e, EBADMSG, "it is not a tar or cpio archive, or a damaged one");
	archive_read_free(a);
	if (items->n)
		qsort(items->v, items->n, sizeof(*items->v), compare_paths);
	return ret == ARCHIVE_EOF ? 0 : -EBADMSG;
}

/* With a NUL behind it, as names may have everything else. */
static void say(struct strbuf *out, const char *path, const char *what)
{
	sb_addf(out, "%s: %s", path, what);
	sb_add(out, "", 1);
}

static void compare_two(const struct item *one, const struct item *other, struct strbuf *out)
{
	cleanup_strbuf struct strbuf said = STRBUF_INIT;

	for (int k = 0; k < NWHAT; k++)
		if (!str_eq(one->what[k], other->what[k]))
			sb_addf(&said, k == CONTENT ? ", %s" : ", %s %s -> %s", words[k], one->what[k],
				other->what[k]);
	if (said.len)
		say(out, one->path, sb_str(&said) + 2);
}

/* Both are sorted. */
static void compare_all(const struct items *a, const struct items *b, struct strbuf *out)
{
	size_t i = 0, k = 0;

	while (i < a->n || k < b->n) {
		int which = i == a->n ? 1 : k == b->n ? -1 : strcmp(a->v[i].path, b->v[k].path);

		if (which < 0)
			say(out, a->v[i++].path, "is not there any more");
		else if (which > 0)
			say(out, b->v[k++].path, "was not there");
		else
			compare_two(&a->v[i++], &b->v[k++], out);
	}
}

/* ---- archives: in a process of its own ---- */

enum { DIFFERENCES_MAX = 64 << 20 };	/* bytes of what is said about them */

struct job {
	int before, after;
};

static int work(void *arg, struct strbuf *result, struct error *e)
{
	const struct job *j = arg;
	struct items a = { NULL, 0, 0 }, b = { NULL, 0, 0 };
	int ret = read_items(j->before, &a, e);

	if (ret == 0)
		ret = read_items(j->after, &b, e);
	if (ret == 0)
		compare_all(&a, &b, result);
	items_release(&a);
	items_release(&b);
	return ret;
}

/* It may say what it likes, but not to the terminal, and whatever reads it as JSON gets UTF-8. */
static void take_lines(const struct strbuf *result, struct strv *out)
{
	const char *at = sb_str(result), *end = at + result->len;

	while (at < end) {
		size_t len = strnlen(at, (size_t)(end - at));
		cleanup_free char *raw = xstrndup(at, len);
		char *line = str_utf8(raw);

		str_make_printable(line);
		strv_take(out, line);
		at += len + 1;
	}
}

int share_compare_archives(int before, int after, struct strv *out, struct error *e)
{
	cleanup_close int one = fcntl(before, F_DUPFD_CLOEXEC, 3);
	cleanup_close int other = fcntl(after, F_DUPFD_CLOEXEC, 3);
	const int fds[] = { one, other };
	struct job job = { one, other };
	const struct confine confine = { .memory = 3ULL << 30 };
	const struct worker worker = {
		.what = "compare the archives", .confine = &confine, .fds = fds, .nfds = ARRAY_SIZE(fds),
		.max_result = DIFFERENCES_MAX, .patience = WORKER_PATIENCE, .prepare = pack_prepare,
		.work = work, .arg = &job,
	};
	cleanup_strbuf struct strbuf result = STRBUF_INIT;
	int ret;

	if (one < 0 || other < 0)
		return err_sys(e, errno, "cannot compare the archives");
	ret = worker_run(&worker, &result, e);
	if (ret == 0)
		take_lines(&result, out);
	return ret;
}

/* ---- shares ---- */

struct reader {
	struct items items;
	struct share_links *links;
};

static int share_content(const struct share_entry *ent, char sum[SHA256_HEX + 1])
{
	struct hash h = { NULL };
	char contents[SHA256_HEX + 1];
	int ret = S_ISREG(ent->attr.mode) ? hash_fd(ent->fd, contents) : 0;

	if (ret < 0)
		return ret;
	hash_start(&h);
	if (S_ISREG(ent->attr.mode))
		hash_add_field(&h, contents);
	for (size_t i = 0; i < ent->attr.nxattrs; i++)
		add_xattr(&h, ent->attr.xattrs[i].name, ent->attr.xattrs[i].value, ent->attr.xattrs[i].len);
	hash_end(&h, sum);
	hash_release(&h);
	return 0;
}

static int add_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	struct reader *r = arg;
	const struct share_attr *a = &ent->attr;
	const char *first = S_ISDIR(a->mode) || ent->host.st_nlink < 2 ? NULL :
			    share_links_first(r->links, ent->host.st_dev, ent->host.st_ino, ent->path);
	struct item *item = new_item(&r->items);
	char sum[SHA256_HEX + 1];
	int ret;

	*item = (struct item){ .path = xasprintf("./%s", ent->path) };
	item->what[KIND] = xasprintf("%o", a->mode & S_IFMT);
	item->what[MODE] = xasprintf("%04o", a->mode & 07777);
	item->what[OWNER] = xasprintf("%u:%u", a->uid, a->gid);
	item->what[TIME] = xasprintf("%lld.%09ld", (long long)a->mtime.tv_sec, a->mtime.tv_nsec);
	item->what[SIZE] = xasprintf("%lld", S_ISREG(a->mode) ? (long long)ent->host.st_size : 0);
	item->what[LINK] = xasprintf("%s%s", first ? "to " : "",
				     first ? first : ent->target ? ent->target : "");
	item->what[DEVICE] = xasprintf("%u:%u", a->major, a->minor);
	ret = share_content(ent, sum);
	item->what[CONTENT] = xstrdup(ret < 0 ? "" : sum);
	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", ent->path) : 0;
}

static int read_share(int rootfd, struct items *items, struct error *e)
{
	struct reader r = { .links = share_links_new() };
	int ret = share_walk(rootfd, 0, add_entry, &r, e);

	share_links_free(&r.links);
	*items = r.items;
	if (items->n)
		qsort(items->v, items->n, sizeof(*items->v), compare_paths);
	return ret;
}

int share_compare(int before, int after, struct strv *out, struct error *e)
{
	struct items a = { NULL, 0, 0 }, b = { NULL, 0, 0 };
	cleanup_strbuf struct strbuf result = STRBUF_INIT;
	int ret = read_share(before, &a, e);

	if (ret == 0)
		ret = read_share(after, &b, e);
	if (ret == 0) {
		compare_all(&a, &b, &result);
		take_lines(&result, out);
	}
	items_release(&a);
	items_release(&b);
	return ret;
}
