// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache on disk.  A file is called after its sum (partial/NAME until it is
 * complete and hashed), so whatever has its final name is right, and is hashed
 * once more when found there, in case the disk lost it.  The partial file is
 * locked by the run that fills it; others wait for it and then find the file.
 * The lock goes with the process, the partial file stays and is resumed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/fetch/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

#define PARTIAL "partial"

int fetch_open_dir(const char *cache, const char *kind, char **path, int *fd, struct error *e)
{
	cleanup_free char *dir = NULL;
	int ret;

	if (cache) {
		dir = path_join(cache, kind);
		ret = make_dirs(AT_FDCWD, dir, 0700, e);
	} else {
		ret = xdg_dir(XDG_CACHE, kind, &dir, e);
	}
	if (ret < 0)
		return ret;

	cleanup_free char *partial = path_join(dir, PARTIAL);

	ret = make_dirs(AT_FDCWD, partial, 0700, e);
	if (ret < 0)
		return ret;
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return err_sys(e, errno, "cannot open '%s'", dir);
	*path = steal_ptr(&dir);
	return 0;
}

static char *partial_name(const struct fetch_item *d)
{
	return path_join(PARTIAL, d->name);
}

/* A file of the final name: 1 with d->fd, 0 if absent or wrong (then removed). */
static int open_final(struct fetch_item *d, struct error *e)
{
	cleanup_close int fd = openat(d->dirfd, d->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int ret;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return 0;
	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s' in the cache", d->name);
	ret = hash_matches(fd, d->size, d->sum);
	if (ret == 0 || ret == -EIO) {
		(void)unlinkat(d->dirfd, d->name, 0);
		return 0;
	}
	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s' in the cache", d->name);
	(void)futimens(fd, (const struct timespec[]){ { .tv_nsec = UTIME_NOW },
						      { .tv_nsec = UTIME_NOW } });
	d->fd = steal_fd(&fd);
	return 1;
}

/* Opens and locks the partial file: 0, -EWOULDBLOCK, -errno. */
static int lock_partial(struct fetch_item *d, struct error *e)
{
	cleanup_free char *name = partial_name(d);

	for (;;) {
		cleanup_close int fd = openat(d->dirfd, name,
					      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat ours, there;

		if (fd < 0)
			return err_sys(e, errno, "cannot create '%s' in the cache", name);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EWOULDBLOCK)
				return -EWOULDBLOCK;
			return err_sys(e, errno, "cannot lock '%s' in the cache", name);
		}
		/* it may have been completed, and renamed, before the lock was ours */
		if (fstat(fd, &ours) < 0)
			return err_sys(e, errno, "cannot read '%s' in the cache", name);
		if (fstatat(d->dirfd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
		    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
			d->part_fd = steal_fd(&fd);
			d->got = (uint64_t)ours.st_size;
			return 0;
		}
	}
}

int fetch_store_restart(struct fetch_item *d)
{
	d->got = d->resumed = 0;
	if (!d->sum) {
		sb_reset(&d->data);
		return 0;
	}
	if (d->part_fd < 0)
		return 0;
	hash_start_like(&d->hash, d->sum);
	return ftruncate(d->part_fd, 0) < 0 ? -errno : 0;
}

/* Names the hashed partial file and opens it for reading. */
static int publish(struct fetch_item *d, struct error *e)
{
	cleanup_free char *name = partial_name(d);

	d->fd = openat(d->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (d->fd < 0 || renameat(d->dirfd, name, d->dirfd, d->name) < 0)
		return err_sys(e, errno, "cannot keep '%s' in the cache", d->name);
	close_fd(&d->part_fd);
	return 0;
}

int fetch_store_begin(struct fetch_item *d, struct error *e)
{
	int ret;

	if (!d->sum || d->part_fd >= 0)
		return 0;
	ret = open_final(d, e);
	if (ret)
		return ret;
	ret = lock_partial(d, e);
	if (ret < 0)
		return ret;
	/* completed by another run in between? */
	ret = open_final(d, e);
	if (ret) {
		cleanup_free char *name = partial_name(d);

		(void)unlinkat(d->dirfd, name, 0);
		close_fd(&d->part_fd);
		d->got = 0;
		return ret;
	}
	hash_start_like(&d->hash, d->sum);
	if (d->got > d->size || hash_add_fd(&d->hash, d->part_fd, d->got) < 0) {
		ret = fetch_store_restart(d);
		return ret < 0 ? err_sys(e, -ret, "cannot truncate '%s' in the cache", d->name) : 0;
	}
	d->resumed = d->got;
	if (d->got < d->size)
		return 0;
	ret = fetch_store_complete(d, "the cache", true, NULL);
	if (ret == 0)
		return 1;
	return ret == -EBADMSG ? 0 : err_sys(e, -ret, "cannot keep '%s' in the cache", d->name);
}

int fetch_store_write(struct fetch_item *d, const void *data, size_t len)
{
	int ret;

	if (!d->sum) {
		if (len > d->max - d->data.len)
			return -EOVERFLOW;
		sb_add(&d->data, data, len);
		return 0;
	}
	if (len > d->size - d->got)
		return -EOVERFLOW;
	ret = pwrite_full(d->part_fd, data, len, (off_t)d->got);
	if (ret < 0)
		return ret;
	hash_add(&d->hash, data, len);
	d->got += len;
	return 0;
}

void fetch_store_explain(const struct fetch_item *d, const char *url, int errnum, struct error *e)
{
	cleanup_free char *size = format_size(d->sum ? d->size : d->max);

	if (errnum == EOVERFLOW && d->sum)
		err_set(e, EBADMSG, "'%s' is larger than the %s its index says", url, size);
	else if (errnum == EOVERFLOW)
		err_set(e, EBADMSG, "'%s' is larger than %s", url, size);
	else if (errnum == ENOSPC || errnum == EDQUOT)
		err_sys(e, errnum, "cannot store %s (%s) in the cache; make room, or set "
			"XDG_CACHE_HOME to another disk", d->what, size);
	else
		err_sys(e, errnum, "cannot store %s in the cache", d->what);
}

int fetch_store_complete(struct fetch_item *d, const char *url, bool whole, struct error *e)
{
	char hex[SUM_HEX + 1];
	int ret;

	if (!d->sum)
		return 0;
	if (d->got < d->size && whole) {
		uint64_t got = d->got;

		(void)fetch_store_restart(d);
		return err_set(e, EBADMSG, "'%s' is not what its index says: it has %llu bytes "
			       "instead of %llu", url, (unsigned long long)got,
			       (unsigned long long)d->size);
	}
	if (d->got < d->size) {
		err_set(e, EIO, "cannot download '%s': it ends after %llu of %llu bytes", url,
			(unsigned long long)d->got, (unsigned long long)d->size);
		return -EAGAIN;
	}
	hash_end(&d->hash, hex);
	if (str_eq(hex, d->sum))
		return publish(d, e);
	ret = fetch_store_restart(d);
	if (ret < 0)
		return err_sys(e, -ret, "cannot truncate '%s' in the cache", d->name);
	return err_set(e, EBADMSG, "'%s' is not what its index says: its sum is %s instead of "
		       "%s", url, hex, d->sum);
}

void fetch_store_close(struct fetch_item *d)
{
	/* an empty partial file is of no use to anybody */
	if (d->part_fd >= 0 && d->got == 0) {
		cleanup_free char *name = partial_name(d);

		(void)unlinkat(d->dirfd, name, 0);
	}
	close_fd(&d->part_fd);
}

void fetch_prune(int dirfd, unsigned int days)
{
	static const char *const folders[] = { ".", PARTIAL };
	time_t oldest = time(NULL) - (time_t)days * 24 * 60 * 60;

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		int fd = openat(dirfd, folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		DIR *dir = fd < 0 ? NULL : fdopendir(fd);

		for (const struct dirent *entry; dir && (entry = readdir(dir));) {
			/* the first half of a sha512 will do */
			cleanup_free char *hash = xstrndup(entry->d_name, SHA256_HEX);
			struct stat st;

			/* a use sets a time, see open_final() and take_cached() */
			if (hash_valid(hash) && fstatat(fd, entry->d_name, &st, 0) == 0 &&
			    st.st_mtime < oldest && st.st_atime < oldest)
				(void)unlinkat(fd, entry->d_name, 0);
		}
		if (dir)
			closedir(dir);
		else
			close_fd(&fd);
	}
}
