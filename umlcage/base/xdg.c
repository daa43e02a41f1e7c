// SPDX-License-Identifier: GPL-2.0-or-later
/* The user's directories: see xdg.h. */
#include "umlcage/base/xdg.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

static const struct {
	const char *variable, *below_home;
} places[] = {
	[XDG_CACHE] = { "XDG_CACHE_HOME", ".cache" },
	[XDG_DATA] = { "XDG_DATA_HOME", ".local/share" },
	[XDG_STATE] = { "XDG_STATE_HOME", ".local/state" },
	[XDG_RUNTIME] = { "XDG_RUNTIME_DIR", NULL },
};

static int home(char **path, struct error *e)
{
	const char *dir = getenv("HOME");

	if (!dir || dir[0] != '/') {
		const struct passwd *pw = getpwuid(geteuid());

		dir = pw ? pw->pw_dir : NULL;
	}
	if (!dir || dir[0] != '/')
		return err_set(e, ENOENT, "cannot tell the home directory of user %u; set HOME",
			       geteuid());
	*path = xstrdup(dir);
	return 0;
}

/* /tmp/umlcage-UID: ours, a real directory, closed to others. */
static int runtime_fallback(char **path, struct error *e)
{
	cleanup_free char *dir = xasprintf("/tmp/umlcage-%u", geteuid());
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, "cannot create '%s'; set XDG_RUNTIME_DIR", dir);
	if (lstat(dir, &st) < 0)
		return err_sys(e, errno, "cannot use '%s'; set XDG_RUNTIME_DIR", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
		return err_set(e, EPERM, "cannot use '%s': somebody else made it or can write to "
			       "it; set XDG_RUNTIME_DIR", dir);
	*path = steal_ptr(&dir);
	return 0;
}

static bool usable_runtime(const char *dir)
{
	struct stat st;

	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       access(dir, W_OK | X_OK) == 0;
}

int xdg_dir(enum xdg_kind kind, const char *rel, char **path, struct error *e)
{
	const char *set = getenv(places[kind].variable);
	cleanup_free char *top = NULL, *base = NULL;
	int ret = 0;

	if (set && set[0] == '/' && (kind != XDG_RUNTIME || usable_runtime(set))) {
		base = path_join(set, "umlcage");
	} else if (kind == XDG_RUNTIME) {
		ret = runtime_fallback(&base, e);
	} else {
		ret = home(&top, e);
		if (ret == 0)
			base = xasprintf("%s/%s/umlcage", top, places[kind].below_home);
	}
	if (ret < 0)
		return ret;

	char *full = *rel ? path_join(base, rel) : xstrdup(base);

	ret = make_dirs(AT_FDCWD, full, 0700, e);
	if (ret < 0) {
		err_hint(e, "set %s to a folder you can write to", places[kind].variable);
		free(full);
		return ret;
	}
	*path = full;
	return 0;
}

char *xdg_config_path(const char *name)
{
	const char *set = getenv("XDG_CONFIG_HOME");
	cleanup_free char *top = NULL;

	if (set && set[0] == '/')
		return xasprintf("%s/umlcage/%s", set, name);
	return home(&top, NULL) < 0 ? NULL : xasprintf("%s/.config/umlcage/%s", top, name);
}
