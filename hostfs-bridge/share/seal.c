// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tells whether a share is what it was: see share.h.  Two hashes over all entries: of
 * what stat() says, which whoever changes something cannot leave as it was (the time of
 * change is the kernel's), and of what matters of an entry, contents included.  The first is
 * checked each time; only where it differs, as it does after a copy or a restored backup,
 * the second one decides.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/str.h"

#define SEAL_XATTR "user.containers.umlcage_seal"
#define SEAL_FORMAT "2"
#define OWN_XATTRS "user.containers.umlcage_"	/* of the top: marks, not contents */
#define QUICK_HEX 32
#define JOBS_MAX 64	/* open directories */
#define HELPERS_MAX 3u
#define DEPTH_MAX 1000
#define XATTR_VALUE_MAX 65536

struct sealer {
	struct hash hash;
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

static int add_dir(struct sealer *s, int fd, int depth);

static int add_entry(struct sealer *s, int dirfd, const char *name, int depth)
{
	cleanup_close int fd = -1;
	struct stat st;
	int ret = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
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
		sb_adds(&s->path, "/");
		sb_adds(&s->path, names.v[i]);
		ret = add_entry(s, fd, names.v[i], depth);
		s->path.len = len;
		s->path.s[len] = '\0';
	}
	return ret;
}

static int whole_digest(int fd, char hex[SHA256_HEX + 1])
{
	struct sealer s = { .links = share_links_new() };
	cleanup_close int top = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = top < 0 ? -errno : 0;

	hash_start(&s.hash);
	if (ret == 0)
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

/*
 * The quick hash is made for each start of a cage: two times 64 bits, which are added up over
 * the entries, so that they need no order.  It is for accidents; who wants to deceive himself
 * in his own cache has easier ways.
 */
struct quick {
	uint64_t sum[2];
};

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	return h ^ (h >> 29);
}

static void quick_add(struct quick *q, uint64_t parent, const char *name, const struct stat *st)
{
	const uint64_t words[] = {
		parent, st->st_mode, st->st_ino, st->st_nlink, (uint64_t)st->st_size, st->st_uid,
		(uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec,
	};

	for (unsigned int lane = 0; lane < 2; lane++) {
		uint64_t h = lane + 1;

		for (const char *p = name; *p; p++)
			h = mix(h, (unsigned char)*p);
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			h = mix(h, words[i]);
		q->sum[lane] += h;
	}
}

/* A directory still to be looked into. */
struct quick_job {
	int fd;
	uint64_t ino;
};

/* Directories of the third level, as many as may be open, are shared among threads, which are waited for. */
struct quick_walk {
	struct quick_job *jobs;
	size_t n;
	atomic_size_t next;
	atomic_int ret;
};

static int quick_dir(struct quick_walk *w, struct quick *q, int fd, uint64_t ino, int depth);

static int quick_entry(struct quick_walk *w, struct quick *q, int dirfd, const char *name,
		       uint64_t parent, int depth)
{
	struct stat st;
	int sub;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	quick_add(q, parent, name, &st);
	if (!S_ISDIR(st.st_mode))
		return 0;
	sub = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return -errno;
	if (depth != 2 || w->n == JOBS_MAX)
		return quick_dir(w, q, sub, st.st_ino, depth + 1);
	w->jobs[w->n++] = (struct quick_job){ sub, st.st_ino };
	return 0;
}

/* All in the directory @fd, which is closed; its inode is @ino, for the top 0. */
static int quick_dir(struct quick_walk *w, struct quick *q, int fd, uint64_t ino, int depth)
{
	DIR *d = fdopendir(fd);
	int ret = 0, last = 0;

	if (!d) {
		ret = errno == ENOMEM ? -ENOMEM : -EIO;
		close(fd);
		return ret;
	}
	if (interrupted() || depth > DEPTH_MAX)
		ret = interrupted() ? -EINTR : -ELOOP;
	for (struct dirent *ent; ret == 0 && (ent = dir_next(d, &last)) != NULL;)
		ret = quick_entry(w, q, dirfd(d), ent->d_name, ino, depth);
	closedir(d);
	return ret < 0 ? ret : last;
}

/* Takes jobs until there are no more; its sum, malloc'ed. */
static void *quick_work(void *arg)
{
	struct quick_walk *w = arg;
	struct quick *q = xcalloc(1, sizeof(*q));

	for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < w->n;) {
		int ret = quick_dir(w, q, w->jobs[i].fd, w->jobs[i].ino, 3);

		if (ret < 0)
			atomic_store(&w->ret, ret);
	}
	return q;
}

static void add_sum(struct quick *q, struct quick *part)
{
	for (unsigned int lane = 0; part && lane < 2; lane++)
		q->sum[lane] += part->sum[lane];
	free(part);
}

static unsigned int helpers(void)
{
	unsigned int n = proc_cpus() - 1;

	return n < HELPERS_MAX ? n : HELPERS_MAX;
}

static int quick_digest(int fd, char hex[QUICK_HEX + 1])
{
	struct quick_walk w = { .jobs = xcalloc(JOBS_MAX, sizeof(*w.jobs)) };
	int top = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned int wanted = helpers(), started = 0;
	pthread_t threads[HELPERS_MAX];
	struct quick q = { { 0, 0 } };
	int ret = top < 0 ? -errno : quick_dir(&w, &q, top, 0, 0);
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (ret == 0 && started < wanted &&
	       pthread_create(&threads[started], NULL, quick_work, &w) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* also after an error: they close the directories */
	add_sum(&q, quick_work(&w));
	while (started) {
		void *part = NULL;

		pthread_join(threads[--started], &part);
		add_sum(&q, part);
	}
	free(w.jobs);
	snprintf(hex, QUICK_HEX + 1, "%016llx%016llx", (unsigned long long)q.sum[0],
		 (unsigned long long)q.sum[1]);
	return ret < 0 ? ret : atomic_load(&w.ret);
}

static int put_seal(const struct share *s, const char *quick, const char *whole, struct error *e)
{
	cleanup_free char *text = xasprintf("%s %s %s", SEAL_FORMAT, quick, whole);

	return fsetxattr(s->fd, SEAL_XATTR, text, strlen(text), 0) < 0 ?
	       share_xattr_error(e, errno, s->path) : 0;
}

int share_seal(struct share *s, struct error *e)
{
	char quick[QUICK_HEX + 1], whole[SHA256_HEX + 1];
	int ret = whole_digest(s->fd, whole);

	if (ret == 0)
		ret = quick_digest(s->fd, quick);
	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", s->path) : put_seal(s, quick, whole, e);
}

int share_seal_check(struct share *s)
{
	char text[3 * SHA256_HEX] = "", quick[QUICK_HEX + 1], whole[SHA256_HEX + 1];
	const size_t at = strlen(SEAL_FORMAT " "), length = at + QUICK_HEX + 1 + SHA256_HEX;
	ssize_t len = fgetxattr(s->fd, SEAL_XATTR, text, sizeof(text) - 1);
	int ret;

	if (len < 0)
		return errno == ENODATA ? -ENODATA : -ESTALE;
	/* of another version */
	if (len != (ssize_t)length || !str_starts(text, SEAL_FORMAT " "))
		return -ENODATA;
	ret = quick_digest(s->fd, quick);
	if (ret == 0 && memcmp(text + at, quick, QUICK_HEX) == 0)
		return 0;
	if (ret == 0)
		ret = whole_digest(s->fd, whole);
	if (ret == 0 && memcmp(text + at + QUICK_HEX + 1, whole, SHA256_HEX) == 0) {
		(void)put_seal(s, quick, whole, NULL);
		return 0;
	}
	/* limits say nothing of the share */
	return ret == -EINTR || ret == -EMFILE || ret == -ENFILE || ret == -ENOMEM ? ret : -ESTALE;
}
