// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The signature of SHA256SUMS, by a command of the user's: gpg, signify, minisign, ssh-keygen -Y.
 * It runs on the host, where the key is, in the folder of the night that is not yet public.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"

#define SAID_MAX ((size_t)1 << 16)

/* A file SHA256SUMS.SOMETHING with something in it. */
static bool is_signed(int dirfd)
{
	cleanup_strv struct strv names = STRV_INIT;
	struct stat st;
	bool found = false;

	if (dir_names(dirfd, &names, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.n && !found; i++)
		found = str_starts(names.v[i], BUILD_SUMS ".") &&
			fstatat(dirfd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(st.st_mode) && st.st_size > 0;
	return found;
}

static int sums_of(int dirfd, char hex[SHA256_HEX + 1], struct error *e)
{
	cleanup_close int fd = openat(dirfd, BUILD_SUMS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int ret = fd < 0 ? -errno : hash_fd(fd, hex);

	return ret < 0 ? err_sys(e, -ret, "cannot read '" BUILD_SUMS "'") : 0;
}

/* Why it failed: the last line of what it wrote. */
static int explain(const struct strbuf *said, int status, struct error *e)
{
	cleanup_free char *ended = proc_status_text(status);
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, sb_str(said), "\r\n");
	return err_set(e, EPERM, "%s%s%s", ended, lines.n ? ": " : "",
		       lines.n ? lines.v[lines.n - 1] : "");
}

int build_sign(const struct night *n, struct error *e)
{
	cleanup_free char *script = xasprintf("cd \"$1\" && shift || exit\n%s\n", n->b->publish.sign);
	char *argv[] = { (char *)"sh", (char *)"-c", script, (char *)"sh", n->part, NULL };
	cleanup_close int fd = open(n->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strbuf struct strbuf said = STRBUF_INIT;
	char before[SHA256_HEX + 1], after[SHA256_HEX + 1];
	int status = 0, ret;

	/* this process is the build's own */
	setenv("UMLCAGE_BUILD_DIR", n->b->dir, 1);
	ret = fd < 0 ? err_sys(e, errno, "cannot open '%s'", n->part) : sums_of(fd, before, e);
	if (ret == 0)
		ret = proc_capture(argv, SAID_MAX, &said, NULL, &status, e);
	if (ret == 0 && status)
		ret = explain(&said, status, e);
	if (ret == 0)
		ret = sums_of(fd, after, e);
	if (ret == 0 && !str_eq(before, after))
		ret = err_set(e, EPERM, "the command changed '" BUILD_SUMS "'");
	if (ret == 0 && !is_signed(fd))
		ret = err_set(e, ENOENT, "the command made no signature; it is to be a file "
			      "'" BUILD_SUMS ".sig', or with another ending, in the folder that it "
			      "runs in");
	return ret < 0 ? err_mark(e, ERR_OTHER) : 0;
}
