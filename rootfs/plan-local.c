// SPDX-License-Identifier: GPL-2.0-or-later
/* What the plan has to say about a local package file and apt's configuration. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "rootfs/plan-priv.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"

int plan_fill_local(const char *path, struct plan_package *p, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot open package '%s'", path);
	r = hash_fd(fd, p->sha256);
	if (r)
		return err_sys(e, -r, "cannot read package '%s'", path);
	p->path = xstrdup(path);
	p->size = (uint64_t)st.st_size;
	return 0;
}

char *plan_aptconf_value(const char *text, const char *option)
{
	size_t len = strlen(option);
	char *value = NULL;

	for (const char *p = text; (p = strcasestr(p, option)) != NULL;) {
		bool starts = p == text || isspace((unsigned char)p[-1]) || p[-1] == ';';

		p += len;
		if (!starts || !(isspace((unsigned char)*p) || *p == '"' || *p == '='))
			continue;
		p += strspn(p, " \t\n=\"");
		free(value);
		value = xstrndup(p, strcspn(p, " \t\n\";"));
	}
	return value;
}

int plan_aptconf_flag(const char *text, const char *option)
{
	static const char *const on[] = { "true", "yes", "on", "with", "enable", "1" };
	cleanup_free char *value = plan_aptconf_value(text, option);

	if (!value || !*value)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(on); i++)
		if (strcasecmp(value, on[i]) == 0)
			return 1;
	return 0;
}

char *plan_aptopts_text(const struct fab_options *o)
{
	struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < o->aptopts.n; i++) {
		/* the option may be the name of a file, as for mmdebstrap */
		if (file_read(AT_FDCWD, o->aptopts.v[i], 1 << 20, &text, NULL))
			sb_adds(&text, o->aptopts.v[i]);
		sb_addc(&text, '\n');
	}
	return text.s;
}
