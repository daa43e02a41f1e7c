// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --aptopt and --dpkgopt: read once, as mmdebstrap writes them to 99mmdebstrap, so that what
 * is heeded here and what the new root is given cannot differ.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/options/private.h"
#include "umlcage/base/fd.h"

#define MAX_TEXT ((size_t)16 << 20)

/* Each a readable file's contents as they are, or itself as a line that ends with @end. */
static int join(const struct strv *opts, const char *name, const char *end, char **text,
		struct error *e)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < opts->n; i++) {
		const char *opt = opts->v[i];
		struct stat st;

		if (access(opt, R_OK) == 0 && stat(opt, &st) == 0 && !S_ISDIR(st.st_mode)) {
			int ret = file_read(AT_FDCWD, opt, MAX_TEXT, &out, e);

			if (ret < 0)
				return err_wrap(e, "%s", name);
			continue;
		}
		sb_adds(&out, opt);
		if (!str_ends(opt, end))
			sb_adds(&out, end);
		if (!str_ends(opt, "\n"))
			sb_addc(&out, '\n');
	}
	free(*text);
	*text = opts->n ? sb_steal(&out) : NULL;
	return 0;
}

/*
 * What dpkg's loadcfgfile() makes of a line: a name of letters, digits and hyphens, one byte
 * of any kind with "=" or blanks after it, a value that may be in quotes.
 */
static char *dpkg_value(const char *line, const char *name)
{
	size_t len = strlen(name);
	char *value;

	if (strncmp(line, name, len) != 0 || !line[len] || isalnum((unsigned char)line[len]) ||
	    line[len] == '-')
		return NULL;
	line += len + 1;
	line += *line == '=';
	line += strspn(line, " \t");
	len = strlen(line);
	while (len && isspace((unsigned char)line[len - 1]))
		len--;
	if (len > 1 && strchr("\"'", *line) && line[len - 1] == *line) {
		line++;
		len -= 2;
	}
	value = xstrndup(line, len);
	return value;
}

void fab_options_filters(const struct fab_options *o, struct strv *filters)
{
	static const char *const names[] = { "path-exclude", "path-include" };
	cleanup_strv struct strv lines = STRV_INIT;

	if (o->dpkg_text)
		strv_split(&lines, o->dpkg_text, "\n");
	for (size_t i = 0; i < lines.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			cleanup_free char *value = dpkg_value(lines.v[i], names[k]);

			if (value)
				strv_addf(filters, "%s=%s", names[k], value);
		}
}

/* A line that dpkg would refuse once everything is unpacked. */
static int check_dpkg(const char *text, struct error *e)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i];

		if (*line == '#' || !line[strspn(line, " \t\r")])
			continue;
		if (*line == '-')
			return err_usage(e, "--dpkgopt: '%s' is not an option of dpkg.cfg(5): leave out "
					 "the hyphens before it", line);
		if (!isalnum((unsigned char)*line))
			return err_usage(e, "--dpkgopt: '%s' is not an option of dpkg.cfg(5)", line);
		for (size_t k = 0; k < 2; k++) {
			const char *name = k ? "path-include" : "path-exclude";
			cleanup_free char *value = dpkg_value(line, name);

			if (str_eq(line, name) || (value && !*value))
				return err_usage(e, "--dpkgopt: '%s' has no pattern; write it as "
						 "%s=PATTERN", line, name);
		}
	}
	return 0;
}

int fab_resolve_texts(struct fab_options *o, struct error *e)
{
	int ret = join(&o->aptopts, "--aptopt", ";", &o->apt_text, e);

	if (ret == 0)
		ret = join(&o->dpkgopts, "--dpkgopt", "", &o->dpkg_text, e);
	if (ret == 0 && o->dpkg_text)
		ret = check_dpkg(o->dpkg_text, e);
	fab_aptconf_release(&o->apt);
	if (ret == 0 && o->apt_text)
		ret = fab_aptconf_parse(&o->apt, "--aptopt", o->apt_text, e);
	if (ret == 0 && fab_aptconf_flag(&o->apt, "Acquire::Check-Valid-Until") == 0)
		o->no_valid_until = true;
	return ret;
}
