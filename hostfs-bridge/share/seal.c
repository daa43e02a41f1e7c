// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tells whether a share is what it was: see share.h.  Two hashes over all entries: of
 * what stat() says, which whoever changes something cannot leave as it was (the time of
 * change is the kernel's), and of what matters of an entry, contents included.  The first is
 * checked each time; only where it differs, as it does after a copy or a restored backup,
 * the second one decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/str.h"

#define SEAL_XATTR "user.containers.umlcage_seal"
#define SEAL_FORMAT "1"
#define OWN_XATTRS "user.containers.umlcage_"	/* of the top: marks, not contents */
#define DEPTH_MAX 1000
#define XATTR_VALUE_MAX 65536

struct sealer {
	struct hash hash;
	bool contents;
	struct share_links *links;
	struct strbuf path;
	struct strbuf value;
};

static void add_numbers(struct sealer *s, const uint64_t *v, size_t n)
{
	hash_add(&s->hash, v, n * sizeof(*v));
}

#define ADD_NUMBERS(s, ...) \
	add_numbers(s, (const uint64_t[]){ __VA_ARGS__ }, \
		    sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static int add_xattrs(struct sealer *s, int fd)
{
	char names[XATTR_LIST_MAX];
	cleanup_strv struct strv sorted = STRV_INIT;
	ssize_t n = flistxattr(fd, names, sizeof(names));

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *p = names; p < names + n; p += strlen(p) + 1)
		if (str_starts(p, "user.") && !str_starts(p, OWN_XATTRS))
			strv_add(&sorted, p);
	strv_sort(&sorted);
	ADD_NUMBERS(s, sorted.n);
	for (size_t i = 0; i < sorted.n; i++) {
		ssize_t len;

		sb_reset(&s->value);
		len = fgetxattr(fd, sorted.v[i], sb_reserve(&s->value, XATTR_VALUE_MAX),
				XATTR_VALUE_MAX);
		if (len < 0)
			return -errno;
		hash_add_field(&s->hash, sorted.v[i]);
		ADD_NUMBERS(s, (uint64_t)len);
		hash_add(&s->hash, s->value.s, (size_t)len);
	}
	return 0;
}

/* Contents, xattrs, the target of a link; @fd -1: a link. */
static int add_contents(struct sealer *s, int dirfd, const char *name, int fd, const struct stat *st)
{
	char target[PATH_MAX];
	const char *first;
	ssize_t n;

	hash_add_field(&s->hash, sb_str(&s->path));
	ADD_NUMBERS(s, st->st_mode, (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec);
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(dirfd, name, target, sizeof(target));
		if (n >= 0)
			hash_add(&s->hash, target, (size_t)n);
		return n < 0 ? -errno : 0;
	}
	if (S_ISREG(st->st_mode) && st->st_nlink > 1) {
		first = share_links_first(s->links, st->st_dev, st->st_ino, sb_str(&s->path));
		hash_add_field(&s->hash, first ? first : "");
		if (first)
			return 0;
	}
	n = add_xattrs(s, fd);
	if (n == 0 && S_ISREG(st->st_mode)) {
		ADD_NUMBERS(s, (uint64_t)st->st_size);
		n = hash_add_fd(&s->hash, fd, (uint64_t)st->st_size);
	}
	return (int)n;
}

static void add_stat(struct sealer *s, const char *name, const struct stat *st)
{
	hash_add_field(&s->hash, name);
	ADD_NUMBERS(s, st->st_mode, st->st_ino, st->st_nlink, (uint64_t)st->st_size, st->st_uid,
		    (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		    (uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec);
}

static int add_dir(struct sealer *s, int fd, int depth);

static int add_entry(struct sealer *s, int dirfd, const char *name, int depth)
{
	cleanup_close int fd = -1;
	struct stat st;
	int ret = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!s->contents)
		add_stat(s, name, &st);
	if (S_ISDIR(st.st_mode) || (s->contents && S_ISREG(st.st_mode))) {
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	if (s->contents)
		ret = add_contents(s, dirfd, name, fd, &st);
	return ret == 0 && S_ISDIR(st.st_mode) ? add_dir(s, fd, depth + 1) : ret;
}

static int add_dir(struct sealer *s, int fd, int depth)
{
	cleanup_strv struct strv names = STRV_INIT;
	size_t len = s->path.len;
	int ret = depth > DEPTH_MAX ? -ELOOP : dir_names(fd, &names, NULL);

	if (ret < 0)
		return ret;
	if (interrupted())
		return -EINTR;
	strv_sort(&names);
	ADD_NUMBERS(s, names.n);
	for (size_t i = 0; ret == 0 && i < names.n; i++) {
		if (s->contents) {
			sb_adds(&s->path, "/");
			sb_adds(&s->path, names.v[i]);
		}
		ret = add_entry(s, fd, names.v[i], depth);
		s->path.len = len;
		if (s->path.s)
			s->path.s[len] = '\0';
	}
	return ret;
}

/* One of the two hashes; 0 or -errno. */
static int digest(int fd, bool contents, char hex[SHA256_HEX + 1])
{
	struct sealer s = { .contents = contents, .links = share_links_new() };
	cleanup_close int top = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = top < 0 ? -errno : 0;

	hash_start(&s.hash);
	if (ret == 0 && contents)
		ret = add_xattrs(&s, top);
	if (ret == 0)
		ret = add_dir(&s, top, 0);
	hash_end(&s.hash, hex);
	hash_release(&s.hash);
	share_links_free(&s.links);
	sb_release(&s.path);
	sb_release(&s.value);
	return ret;
}

static int put_seal(const struct share *s, const char *quick, const char *whole, struct error *e)
{
	cleanup_free char *text = xasprintf("%s %s %s", SEAL_FORMAT, quick, whole);

	return fsetxattr(s->fd, SEAL_XATTR, text, strlen(text), 0) < 0 ?
	       share_xattr_error(e, errno, s->path) : 0;
}

int share_seal(struct share *s, struct error *e)
{
	char quick[SHA256_HEX + 1], whole[SHA256_HEX + 1];
	int ret = digest(s->fd, true, whole);

	if (ret == 0)
		ret = digest(s->fd, false, quick);
	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", s->path) : put_seal(s, quick, whole, e);
}

int share_seal_check(struct share *s)
{
	char text[3 * SHA256_HEX] = "", quick[SHA256_HEX + 1], whole[SHA256_HEX + 1];
	const size_t length = strlen(SEAL_FORMAT " ") + SHA256_HEX + 1 + SHA256_HEX;
	ssize_t len = fgetxattr(s->fd, SEAL_XATTR, text, sizeof(text) - 1);
	const char *noted = text + strlen(SEAL_FORMAT " ");
	int ret;

	if (len < 0)
		return errno == ENODATA ? -ENODATA : -ESTALE;
	if (len != (ssize_t)length || !str_starts(text, SEAL_FORMAT " "))
		return -ESTALE;
	ret = digest(s->fd, false, quick);
	if (ret == 0 && memcmp(noted, quick, SHA256_HEX) == 0)
		return 0;
	if (ret == 0)
		ret = digest(s->fd, true, whole);
	if (ret == 0 && memcmp(noted + SHA256_HEX + 1, whole, SHA256_HEX) == 0) {
		(void)put_seal(s, quick, whole, NULL);
		return 0;
	}
	return ret == -EINTR ? ret : -ESTALE;
}
