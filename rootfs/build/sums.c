// SPDX-License-Identifier: GPL-2.0-or-later
/* SHA256SUMS, which names every file of a night's folder but itself and its signatures. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"

#define DEPTH_MAX 200
#define SUMS_MAX ((size_t)64 << 20)

/* As sha256sum writes names that would end a line. */
static void add_sum(struct strbuf *out, const char *sum, const char *name)
{
	static const char odd[] = "\\\n\r", written[] = "\\nr";

	if (strpbrk(name, odd))
		sb_addc(out, '\\');
	sb_addf(out, "%s  ", sum);
	for (; *name; name++) {
		const char *at = strchr(odd, *name);

		if (at)
			sb_addf(out, "\\%c", written[at - odd]);
		else
			sb_addc(out, *name);
	}
	sb_addc(out, '\n');
}

/* Hashed when the output was noted; NULL: it was not. */
static const char *known_sum(const struct night *n, const char *name)
{
	for (size_t i = 0; n && i < json_object_array_length(n->outputs); i++) {
		struct json_object *o = json_object_array_get_idx(n->outputs, i);

		if (str_eq(json_text(o, "file"), name) && hash_valid(json_text(o, "sha256")))
			return json_text(o, "sha256");
	}
	return NULL;
}

static int add_file(const struct night *n, struct strbuf *out, int fd, const char *name,
		    struct error *e)
{
	const char *known = known_sum(n, name);
	char sum[SHA256_HEX + 1];
	int ret = known ? 0 : hash_fd(fd, sum);

	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s'", name);
	add_sum(out, known ? known : sum, name);
	return 0;
}

/* Everything in the folder @dirfd, whose name is @prefix ("" or "dir/"); @n may be NULL. */
static int add_folder(const struct night *n, struct strbuf *out, int dirfd, const char *prefix,
		      int depth, struct error *e)
{
	cleanup_strv struct strv entries = STRV_INIT;
	int ret = depth > DEPTH_MAX ? err_set(e, ELOOP, "'%s' is too deep", prefix) :
				      dir_names(dirfd, &entries, e);

	strv_sort(&entries);
	for (size_t i = 0; i < entries.n && ret == 0; i++) {
		cleanup_free char *name = xasprintf("%s%s", prefix, entries.v[i]);
		cleanup_close int fd = -1;
		struct stat st;

		if (!depth && build_is_sums(name))
			continue;
		if (fstatat(dirfd, entries.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, errno, "cannot look at '%s'", name);
		if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
			continue;
		fd = openat(dirfd, entries.v[i], O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, errno, "cannot open '%s'", name);
		if (S_ISDIR(st.st_mode)) {
			cleanup_free char *inner = xasprintf("%s/", name);

			ret = add_folder(n, out, fd, inner, depth + 1, e);
		} else {
			ret = add_file(n, out, fd, name, e);
		}
	}
	return ret;
}

bool build_is_sums(const char *name)
{
	return str_eq(name, BUILD_SUMS) || str_starts(name, BUILD_SUMS ".");
}

int build_sums_write(const struct night *n, struct error *e)
{
	cleanup_close int fd = open(n->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int ret = fd < 0 ? err_sys(e, errno, "cannot open '%s'", n->part) :
			   add_folder(n, &out, fd, "", 0, e);

	return ret < 0 ? ret : file_replace(fd, BUILD_SUMS, sb_str(&out), out.len, 0644, e);
}

/* ---- is it so? ---- */

/* The name in a line. */
static const char *name_of(const char *line)
{
	size_t at = (line[0] == '\\') + SHA256_HEX + 2;

	return strlen(line) > at ? line + at : line;
}

static bool has_name(const struct strv *lines, const char *line)
{
	for (size_t i = 0; i < lines->n; i++)
		if (str_eq(name_of(lines->v[i]), name_of(line)))
			return true;
	return false;
}

int build_sums_check(int dirfd, struct error *e)
{
	cleanup_strbuf struct strbuf said = STRBUF_INIT, found = STRBUF_INIT;
	cleanup_strv struct strv want = STRV_INIT, have = STRV_INIT;
	int ret = file_read(dirfd, BUILD_SUMS, SUMS_MAX, &said, e);

	if (ret == 0)
		ret = add_folder(NULL, &found, dirfd, "", 0, e);
	if (ret < 0)
		return ret;
	strv_split(&want, sb_str(&said), "\n");
	strv_split(&have, sb_str(&found), "\n");
	if (!want.n)
		return err_set(e, EBADMSG, "'" BUILD_SUMS "' is empty");
	for (size_t i = 0; i < want.n; i++)
		if (!strv_has(&have, want.v[i]))
			return err_set(e, EBADMSG, has_name(&have, want.v[i]) ?
				       "'%s' is not what '" BUILD_SUMS "' says" :
				       "'%s' of '" BUILD_SUMS "' is missing", name_of(want.v[i]));
	for (size_t i = 0; i < have.n; i++)
		if (!strv_has(&want, have.v[i]))
			return err_set(e, EBADMSG, "'%s' is not in '" BUILD_SUMS "'", name_of(have.v[i]));
	return 0;
}
