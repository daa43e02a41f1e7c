// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Programs of other processors: the emulators that the supervisor gives are registered with the
 * kernel.  It opens them when they are registered (the fix-binary flag), so they may lie where
 * no root ever sees them: in the initramfs, beneath what becomes "/".
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"

/* Without a mount of it somewhere the kernel forgets what was registered. */
#define REGISTER "/binfmt_misc"
#define FOLDER "/emulators"

/* "TAG NAME MAGIC MASK".  The name ends as qemu wants it from a kernel that preserves argv[0]. */
static int register_one(const char *spec, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *path = NULL, *line = NULL;
	cleanup_close int fd = -1;

	strv_split(&words, spec, " ");
	if (words.n != 4 || strchr(words.v[1], '/') || strchr(spec, ':'))
		return err_set(e, EPROTO, "malformed emulator '%s'", spec);
	path = xasprintf(FOLDER "/%s-binfmt-P", words.v[1]);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0)
		return err_sys(e, errno, "cannot make '%s'", path);
	close_fd(&fd);
	if (mount(words.v[0], path, "humfs", MS_RDONLY, "plain,ro") < 0)
		return err_sys(e, errno, "cannot mount the emulator '%s'", words.v[1]);
	line = xasprintf(":qemu-%s:M::%s:%s:%s:OPF", words.v[1], words.v[2], words.v[3], path);
	fd = open(REGISTER "/register", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		return err_sys(e, errno, "cannot register the emulator '%s' with the kernel",
			       words.v[1]);
	return 0;
}

int emulators_register(const struct proto_msg *m, struct error *e)
{
	struct proto_field f;
	bool any = false;
	int ret = 0;

	for (size_t pos = 0; ret == 0 && proto_next(m, &pos, &f);) {
		cleanup_free char *spec = NULL;

		if (f.id != F_EMULATOR)
			continue;
		if (!any) {
			(void)mkdir(FOLDER, 0755);
			(void)mkdir(REGISTER, 0755);
			if (mount("binfmt_misc", REGISTER, "binfmt_misc", 0, "") < 0)
				return err_sys(e, errno, "the kernel has no way to run programs of other "
					       "processors (CONFIG_BINFMT_MISC)");
		}
		any = true;
		spec = xstrndup(f.data, f.len);
		ret = register_one(spec, e);
	}
	return ret;
}
