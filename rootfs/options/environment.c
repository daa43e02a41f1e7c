// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The variables that hooks get of the caller's: all but those that mean something on the
 * host only (paths, the terminal, the session, the user), and those that are set for
 * everything that runs in a cage.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/options/options.h"

static bool stays(const char *variable)
{
	static const char *const names[] = {
		"_", "APT_CONFIG", "COLORTERM", "COLUMNS", "DISPLAY", "HOME", "HOSTNAME",
		"INVOCATION_ID", "JOURNAL_STREAM", "LINES", "LOGNAME", "LS_COLORS", "MAIL", "OLDPWD",
		"PATH", "PWD", "SHELL", "SHLVL", "STY", "SYSTEMD_EXEC_PID", "TERM", "TMPDIR", "TMUX",
		"TMUX_PANE", "USER", "WAYLAND_DISPLAY", "WINDOWID", "XAUTHORITY",
		/* set for all */
		"DEBCONF_NONINTERACTIVE_SEEN", "DEBIAN_FRONTEND", "LANG", "LANGUAGE", "LC_ALL",
		"SOURCE_DATE_EPOCH",
	};
	static const char *const prefixes[] = { "BASH_FUNC_", "DBUS_", "FAKECHROOT", "FAKEROOT",
						"LD_", "MMDEBSTRAP_", "SSH_", "SUDO_", "TERM_",
						"UMLCAGE_", "XDG_" };
	size_t len = strcspn(variable, "=");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && strncmp(variable, names[i], len) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts(variable, prefixes[i]))
			return true;
	return !variable[len];
}

void fab_hook_environment(struct strv *env)
{
	for (char **v = environ; v && *v; v++)
		if (!stays(*v))
			strv_add(env, *v);
	strv_sort(env);
}
