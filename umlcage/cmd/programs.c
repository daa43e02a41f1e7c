// SPDX-License-Identifier: GPL-2.0-or-later
/* The programs of umlcage: see programs.h. */
#include "umlcage/cmd/programs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/str.h"

int program_find(const char *name, char **path, struct error *e)
{
	/* from where it was built, from where it is installed, from beside the other */
	static const char *const folders[] = { "/libexec/umlcage", "", "/../libexec/umlcage" };
	cleanup_free char *self = realpath("/proc/self/exe", NULL);
	char *slash = self ? strrchr(self, '/') : NULL;

	if (!slash)
		return err_sys(e, errno, "cannot tell where umlcage is");
	*slash = '\0';
	*path = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		free(*path);
		*path = xasprintf("%s%s/%s", self, folders[i], name);
		if (access(*path, X_OK) == 0)
			return 0;
	}
	err_sys(e, errno, "cannot use '%s', a part of umlcage", *path);
	free_ptr(path);
	return err_hint(e, "install umlcage with 'make install'");
}

int program_become(const char *name, char **argv, struct error *e)
{
	cleanup_free char *path = NULL;
	int ret = program_find(name, &path, e);

	if (ret < 0)
		return ret;
	execv(path, argv);
	return err_sys(e, errno, "cannot run '%s'", path);
}
