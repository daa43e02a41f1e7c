// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the cache holds and how to make it smaller.  Files of archives/, indexes/, emulators/ and
 * blocks/ may go at any time: who has one open keeps it.  Entries of trees/ and roots/ are directories
 * that are locked while in use.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "rootfs/cache/cache.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

#define USAGE_XATTR "user.containers.umlcage_usage"	/* "MTIME BYTES" */

const char *const cache_kinds[] = { "trees", "stages", "tools", "roots", "archives", "indexes",
				    "emulators", "blocks", NULL };

static uint64_t disk_usage(int dirfd, const char *name, int depth, int64_t *used)
{
	struct stat st;
	uint64_t sum;
	const struct dirent *de;
	int fd, ret;
	DIR *d;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	/* the time of an entry is that of its manifest, or of itself */
	if (depth == 0 || (depth == 1 && strcmp(name, "manifest") == 0)) {
		*used = st.st_mtim.tv_sec > *used ? st.st_mtim.tv_sec : *used;
		/* an index's use leaves its time of modification alone */
		if (S_ISREG(st.st_mode) && st.st_atim.tv_sec > *used)
			*used = st.st_atim.tv_sec;
	}
	sum = (uint64_t)st.st_blocks * 512;
	if (!S_ISDIR(st.st_mode) || depth > 200)
		return S_ISDIR(st.st_mode) || st.st_nlink < 2 ? sum : sum / st.st_nlink;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return sum;
	while ((de = dir_next(d, &ret)))
		sum += disk_usage(fd, de->d_name, depth + 1, used);
	closedir(d);
	return sum;
}

/* Of what is never changed once it is there but for what is added at its top. */
static bool is_settled(const char *kind)
{
	return str_eq(kind, "trees") || str_eq(kind, "stages");
}

/*
 * The same, which a finished tree has noted since it was last looked through: its top directory
 * changes with what is put in there.
 */
static uint64_t noted_usage(int dirfd, const char *kind, const char *name, int64_t *used)
{
	cleanup_close int fd = is_settled(kind) ?
			       openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	char text[96] = "", want[64];
	struct stat st, manifest;
	uint64_t bytes;
	int len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return disk_usage(dirfd, name, 0, used);
	len = snprintf(want, sizeof(want), "%lld.%09ld ", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	if (fgetxattr(fd, USAGE_XATTR, text, sizeof(text) - 1) > len && str_starts(text, want) &&
	    parse_u64(text + len, 10, UINT64_MAX, &bytes) == 0) {
		*used = st.st_mtim.tv_sec;
		if (fstatat(fd, "manifest", &manifest, AT_SYMLINK_NOFOLLOW) == 0) {
			*used = manifest.st_mtim.tv_sec > *used ? manifest.st_mtim.tv_sec : *used;
			*used = manifest.st_atim.tv_sec > *used ? manifest.st_atim.tv_sec : *used;
		}
		return bytes;
	}
	bytes = disk_usage(dirfd, name, 0, used);
	snprintf(text, sizeof(text), "%s%llu", want, (unsigned long long)bytes);
	/* where it cannot be noted, it is looked through again */
	(void)fsetxattr(fd, USAGE_XATTR, text, strlen(text), 0);
	return bytes;
}

/* When a root with tools was made, which tells when it will be renewed. */
static char *made(int dirfd, const char *name)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char text[32] = "", date[32];
	uint64_t at;
	struct tm tm;

	if (fd < 0 || fgetxattr(fd, CACHE_MADE_XATTR, text, sizeof(text) - 1) < 0 ||
	    parse_u64(text, 10, INT64_MAX, &at) < 0 || !localtime_r(&(time_t){ (time_t)at }, &tm))
		return xstrdup("");
	strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	return xasprintf("made %s", date);
}

static char *described(int dirfd, const char *name)
{
	cleanup_free char *path = xasprintf("%s/manifest", name);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	if (file_read(dirfd, path, 1 << 16, &text, NULL) || !str_starts(sb_str(&text), "what: "))
		return made(dirfd, name);
	return xstrndup(text.s + 6, strcspn(text.s + 6, "\n"));
}

static int list_kind(const char *kind, struct cache_items *items, struct error *e)
{
	cleanup_free char *dir = NULL;
	const struct dirent *de;
	DIR *d;
	int r = xdg_dir(XDG_CACHE, kind, &dir, e);

	if (r)
		return r;
	d = opendir(dir);
	if (!d)
		return err_sys(e, errno, "cannot read '%s'", dir);
	while ((de = dir_next(d, &r))) {
		struct cache_item it = { .kind = kind };

		/* unfinished ones belong to whoever is at work on them */
		if (de->d_name[0] == '.' || strcmp(de->d_name, "partial") == 0 ||
		    strcmp(de->d_name, "lock") == 0 || str_ends(de->d_name, ".lock") ||
		    str_starts(de->d_name, "stat-"))
			continue;
		it.bytes = noted_usage(dirfd(d), kind, de->d_name, &it.used);
		it.name = xstrdup(de->d_name);
		it.what = described(dirfd(d), de->d_name);
		items->v = xreallocarray(items->v, items->n + 1, sizeof(*items->v));
		items->v[items->n++] = it;
	}
	closedir(d);
	return r < 0 ? err_sys(e, -r, "cannot read '%s'", dir) : 0;
}

static int by_use(const void *a, const void *b)
{
	const struct cache_item *ia = a, *ib = b;

	return (ia->used > ib->used) - (ia->used < ib->used);
}

static int list(const char *kind, struct cache_items *items, struct error *e)
{
	int r = 0;

	*items = (struct cache_items){ NULL, 0 };
	for (const char *const *k = cache_kinds; *k && !r; k++)
		if (!kind || strcmp(kind, *k) == 0)
			r = list_kind(*k, items, e);
	if (items->n)
		qsort(items->v, items->n, sizeof(*items->v), by_use);
	if (r)
		cache_items_release(items);
	return r;
}

int cache_list(struct cache_items *items, struct error *e)
{
	return list(NULL, items, e);
}

void cache_items_release(struct cache_items *items)
{
	for (size_t i = 0; i < items->n; i++) {
		free(items->v[i].name);
		free(items->v[i].what);
	}
	free(items->v);
	*items = (struct cache_items){ NULL, 0 };
}

/* Are changes kept of this root? */
static bool is_base(const struct cache_item *it, const char *dir)
{
	cleanup_free char *path = path_join(dir, it->name);
	cleanup_share struct share s = SHARE_INIT;
	cleanup_strv struct strv names = STRV_INIT;

	if (!str_eq(it->kind, "tools") && !str_eq(it->kind, "roots"))
		return false;
	if (share_open(&s, path, SHARE_PEEK, NULL) == 0)
		changes_of(&s, &names);
	return names.n > 0;
}

/* Removes one: 1, or 0 if it is in use; *@held counts those that changes are kept of. */
static int drop(const struct cache_item *it, size_t *held, struct error *e)
{
	cleanup_free char *dir = NULL;
	cleanup_close int top = -1, fd = -1;
	int r = xdg_dir(XDG_CACHE, it->kind, &dir, e);

	if (r)
		return r;
	if (is_base(it, dir)) {
		++*held;
		return 0;
	}
	top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return err_sys(e, errno, "cannot open '%s'", dir);
	fd = openat(top, it->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	r = remove_tree(top, it->name, e);
	return r ? r : 1;
}

int cache_prune(const char *kind, uint64_t max_bytes, int64_t max_age, uint64_t *bytes,
		size_t *count, size_t *held, struct error *e)
{
	int64_t now = (int64_t)time(NULL);
	struct cache_items items;
	uint64_t left = 0;
	int r = list(kind, &items, e);

	*bytes = 0;
	*count = 0;
	*held = 0;
	if (r)
		return r;
	for (size_t i = 0; i < items.n; i++)
		left += items.v[i].bytes;
	for (size_t i = 0; i < items.n && r >= 0; i++) {
		bool old = max_age > 0 && now - items.v[i].used > max_age;

		if (!old && left <= max_bytes)
			continue;
		r = drop(&items.v[i], held, e);
		if (r <= 0)
			continue;
		left -= items.v[i].bytes;
		*bytes += items.v[i].bytes;
		++*count;
	}
	cache_items_release(&items);
	return r < 0 ? r : 0;
}
