// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Keys that packages made for one tree alone: see cache.h.  They are told by what is in
 * them, or, where that says nothing, by their names; packages come without any.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/cache/cache.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

#define DEPTH_MAX	8
#define SIZE_MAX_KEY	(64 << 10)

static const char *const places[] = { "etc", "root", "var/lib" };
/* thousands of files, and no keys */
static const char *const passed[] = { "var/lib/dpkg", "var/lib/apt", "etc/ssl/certs" };

static bool named(const char *name)
{
	return str_eq(name, "random-seed") || str_eq(name, "credential.secret") ||
	       (str_starts(name, "dropbear_") && str_ends(name, "_host_key"));
}

/* "-----BEGIN ... PRIVATE KEY-----", a machine-id(5), a key of rndc or tsig. */
static bool is_key(int fd, const char *name)
{
	char head[2048 + 1];
	ssize_t n = pread_full(fd, head, sizeof(head) - 1, 0);
	const char *begin, *line;

	if (n <= 0)
		return false;
	head[n] = '\0';
	if (named(name))
		return true;
	if (str_eq(name, "machine-id"))
		return strspn(head, "0123456789abcdef") == 32;
	begin = strstr(head, "-----BEGIN ");
	line = begin ? strstr(begin, "PRIVATE KEY-----") : NULL;
	if (line && !memchr(begin, '\n', (size_t)(line - begin)))
		return true;
	return str_ends(name, ".key") && strstr(head, "secret \"") != NULL;
}

static void look(int dirfd, const char *path, int depth, struct strv *found)
{
	cleanup_close int fd = openat(dirfd, strrchr(path, '/') && depth ? strrchr(path, '/') + 1 : path,
				      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_strv struct strv inner = STRV_INIT;
	const char *base = strrchr(path, '/');
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || depth > DEPTH_MAX)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		if (str_eq(path, passed[i]))
			return;
	if (S_ISREG(st.st_mode) && st.st_size <= SIZE_MAX_KEY && is_key(fd, base ? base + 1 : path))
		strv_add(found, path);
	if (!S_ISDIR(st.st_mode) || dir_names(fd, &inner, NULL) < 0)
		return;
	strv_sort(&inner);
	for (size_t i = 0; i < inner.n; i++) {
		cleanup_free char *full = path_join(path, inner.v[i]);

		look(fd, full, depth + 1, found);
	}
}

void tree_secrets(int rootfd, struct strv *found)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		look(rootfd, places[i], 0, found);
}
