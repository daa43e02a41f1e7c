// SPDX-License-Identifier: GPL-2.0-or-later
/* What a directory has in it that may be an image of containers; apart from json-c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/oci/private.h"
#include "umlcage/base/fd.h"

/* Where nothing above counts and no link leads elsewhere. */
int oci_open_plain(int dirfd, const char *path)
{
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_close int fd = -1;

	strv_split(&parts, path, "/");
	for (size_t i = 0; i < parts.n; i++) {
		int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (i + 1 < parts.n ? O_DIRECTORY : O_NONBLOCK);
		int next = str_eq(parts.v[i], "..") ? -1 : openat(i ? fd : dirfd, parts.v[i], flags);

		if (next < 0)
			return str_eq(parts.v[i], "..") ? -EINVAL : -errno;
		close_fd(&fd);
		fd = next;
	}
	return steal_fd(&fd);
}

int oci_open(int dirfd, const char *path, struct error *e)
{
	struct stat st;
	int fd = oci_open_plain(dirfd, path);

	if (fd < 0)
		return err_sys(e, -fd, "cannot open '%s' of the image", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, EBADMSG, "'%s' of the image is not a file", path);
}

static bool has(int dirfd, const char *path)
{
	cleanup_close int fd = oci_open(dirfd, path, NULL);

	return fd >= 0;
}

enum oci_kind oci_kind(int dirfd)
{
	if (has(dirfd, "oci-layout") && has(dirfd, "index.json"))
		return OCI_LAYOUT;
	/* a root that has a file of that name has other things, too */
	if (has(dirfd, "manifest.json") && faccessat(dirfd, "usr", F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    faccessat(dirfd, "etc", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return OCI_DOCKER;
	return OCI_NONE;
}
