// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The signature of SHA256SUMS, by a command of the user's: gpg, signify, minisign, ssh-keygen -Y.
 * It runs where the key is, in the folder of a night: on the host that built it, before that is
 * public, or later on another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

#define SAID_MAX ((size_t)1 << 16)

/* The signatures that are there, with what tells one from another. */
static void signatures(int dirfd, struct strv *out)
{
	cleanup_strv struct strv names = STRV_INIT;
	struct stat st;

	if (dir_names(dirfd, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (build_is_sums(names.v[i]) && !str_eq(names.v[i], BUILD_SUMS) &&
		    fstatat(dirfd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_size > 0)
			strv_addf(out, "%s %llu %lld.%09ld", names.v[i], (unsigned long long)st.st_ino,
				  (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* One that was not there before. */
static bool is_signed(int dirfd, const struct strv *before)
{
	cleanup_strv struct strv now = STRV_INIT;
	bool found = false;

	signatures(dirfd, &now);
	for (size_t i = 0; i < now.n; i++)
		found |= !strv_has(before, now.v[i]);
	return found;
}

static int sums_of(int dirfd, char hex[SHA256_HEX + 1], struct error *e)
{
	cleanup_close int fd = openat(dirfd, BUILD_SUMS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int ret = fd < 0 ? -errno : hash_fd(fd, hex);

	return ret < 0 ? err_sys(e, -ret, "cannot read '" BUILD_SUMS "'") : 0;
}

/* Why it failed: the last line of what it wrote. */
static int explain(int said, int status, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *ended = proc_status_text(status);
	cleanup_strv struct strv lines = STRV_INIT;
	off_t size = lseek(said, 0, SEEK_END);

	if (lseek(said, size > (off_t)SAID_MAX ? size - (off_t)SAID_MAX : 0, SEEK_SET) >= 0)
		(void)fd_read_all(said, SAID_MAX, &text);
	strv_split(&lines, sb_str(&text), "\r\n");
	return err_set(e, EPERM, "%s%s%s", ended, lines.n ? ": " : "",
		       lines.n ? lines.v[lines.n - 1] : "");
}

/* What it starts besides may live on with its output, which is why that is not a pipe. */
static int run(const char *command, const char *folder, uint64_t timeout, struct error *e)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)command, NULL };
	cleanup_close int said = memfd_create("signer", MFD_CLOEXEC), pidfd = -1;
	const struct proc_fd fds[] = { { said, 1 }, { said, 2 } };
	/* a session without a terminal: there is nobody to answer a question */
	const struct proc_opts opts = { .argv = argv, .cwd = folder, .fds = fds, .nfds = 2,
					.own_session = true };
	int status = 0, ret = said < 0 ? err_sys(e, errno, "cannot make a file in memory") : 0;
	pid_t pid;

	if (ret == 0)
		ret = proc_start(&opts, &pid, &pidfd, e);
	if (ret == 0)
		ret = proc_wait_group(pid, pidfd, timeout, &status, e);
	return ret == 0 && status ? explain(said, status, e) : ret;
}

static int sign_in(int dirfd, const char *folder, const char *command, uint64_t timeout,
		   struct error *e)
{
	char before[SHA256_HEX + 1], after[SHA256_HEX + 1];
	cleanup_strv struct strv old = STRV_INIT;
	int ret = sums_of(dirfd, before, e);

	signatures(dirfd, &old);
	if (ret == 0)
		ret = run(command, folder, timeout, e);
	if (ret == 0)
		ret = sums_of(dirfd, after, e);
	if (ret == 0 && !str_eq(before, after))
		ret = err_set(e, EPERM, "the command changed '" BUILD_SUMS "'");
	if (ret == 0 && !is_signed(dirfd, &old))
		ret = err_set(e, ENOENT, "the command made no signature; it is to be a file "
			      "'" BUILD_SUMS ".sig', or with another ending, in the folder that it "
			      "runs in");
	return ret < 0 ? err_mark(e, ERR_OTHER) : 0;
}

int build_sign(const struct night *n, struct error *e)
{
	cleanup_close int fd = open(n->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", n->part);
	/* this process is the build's own */
	setenv("UMLCAGE_BUILD_DIR", n->b->dir, 1);
	return sign_in(fd, n->part, n->b->publish.sign, n->b->limits.command_timeout, e);
}

int build_sign_folder(const char *folder, const char *command, uint64_t timeout, struct error *e)
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", folder);
	interrupt_begin();
	ret = build_sums_check(fd, e);
	if (ret == 0)
		ret = sign_in(fd, folder, command, timeout, e);
	interrupt_end();
	return ret < 0 ? err_wrap(e, "'%s' is not signed", folder) : 0;
}
