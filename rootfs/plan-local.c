// SPDX-License-Identifier: GPL-2.0-or-later
/* What the plan has to say about a local package file and apt's configuration. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
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

int plan_aptconf_flag(const char *text, const char *option)
{
	size_t len = strlen(option);
	int flag = -1;

	for (const char *p = text; (p = strcasestr(p, option)) != NULL;) {
		char word[16];
		size_t n = 0;
		bool starts = p == text || isspace((unsigned char)p[-1]) || p[-1] == ';';

		p += len;
		if (!starts || !(isspace((unsigned char)*p) || *p == '"' || *p == '='))
			continue;
		p += strspn(p, " \t\n=\"");
		while (n < sizeof(word) - 1 && isalnum((unsigned char)*p))
			word[n++] = *p++;
		word[n] = '\0';
		if (!strcasecmp(word, "true") || !strcasecmp(word, "yes") ||
		    !strcasecmp(word, "on") || !strcasecmp(word, "with") ||
		    !strcasecmp(word, "enable") || !strcmp(word, "1"))
			flag = 1;
		else if (n)
			flag = 0;
	}
	return flag;
}
