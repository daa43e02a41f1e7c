// SPDX-License-Identifier: GPL-2.0-or-later
/* Units of the user's own systemd: see units.h. */
#include "umlcage/cmd/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"

#define UNITS	"systemd/user"

int unit_program(char **path, struct error *e)
{
	cleanup_free char *self = realpath("/proc/self/exe", NULL), *up = NULL, *bin = NULL;
	char *slash = self ? strstr(self, "/libexec/umlcage/") : NULL;

	if (!slash)
		return err_set(e, ENOENT, "cannot tell where umlcage is installed");
	*slash = '\0';
	up = path_join(self, "umlcage");
	bin = path_join(self, "bin/umlcage");
	*path = realpath(access(up, X_OK) == 0 ? up : bin, NULL);
	return *path ? 0 : err_sys(e, errno, "cannot use '%s'", bin);
}

int unit_path(const char *name, char **path, struct error *e)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	cleanup_free char *dir = NULL;
	int ret;

	if (!config && !home)
		return err_set(e, ENOENT, "cannot tell the home directory; set HOME");
	dir = config ? path_join(config, UNITS) : xasprintf("%s/.config/" UNITS, home);
	ret = make_dirs(AT_FDCWD, dir, 0777, e);
	if (ret == 0)
		*path = path_join(dir, name);
	return ret;
}

int unit_systemctl(const char *a, const char *b, const char *c)
{
	char *const argv[] = { (char *)"systemctl", (char *)"--user", (char *)a, (char *)b, (char *)c,
			       NULL };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int status = 1;

	return proc_capture(argv, 4096, &out, NULL, &status, NULL) < 0 ? -1 : status;
}

void unit_add_word(struct strbuf *sb, const char *word)
{
	sb_adds(sb, " \"");
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			sb_addc(sb, '\\');
		if (*word == '%' || *word == '$')
			sb_addc(sb, *word);
		sb_addc(sb, *word);
	}
	sb_addc(sb, '"');
}

int unit_write(const char *name, const char *ending, const char *text, struct error *e)
{
	cleanup_free char *full = xasprintf("%s%s", name, ending), *path = NULL;

	if (unit_path(full, &path, e) < 0)
		return -e->errnum;
	return file_replace(AT_FDCWD, path, text, strlen(text), 0644, e);
}
