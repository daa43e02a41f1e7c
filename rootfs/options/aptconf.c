// SPDX-License-Identifier: GPL-2.0-or-later
/* What apt's configuration, as --aptopt gives it, says: see options.h. */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rootfs/options/options.h"
#include "umlcage/base/fd.h"

char *fab_aptconf_value(const char *text, const char *option)
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

int fab_aptconf_flag(const char *text, const char *option)
{
	static const char *const on[] = { "true", "yes", "on", "with", "enable", "1" };
	cleanup_free char *value = fab_aptconf_value(text, option);

	if (!value || !*value)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(on); i++)
		if (strcasecmp(value, on[i]) == 0)
			return 1;
	return 0;
}

char *fab_aptopts_text(const struct fab_options *o)
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
