// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What somebody's .buildinfo says: whatever it is, nothing of it may lead a path or an argument
 * elsewhere, and a variable must be one.
 */
#include <stdint.h>
#include <string.h>

#include "rootfs/debbuild/private.h"
#include "tests/fuzz/fuzz.h"

static void check_word(const char *s)
{
	check(s && *s && *s != '-' && *s != '.' && !strpbrk(s, "/ \n"));
}

static void check_info(const struct buildinfo *i)
{
	cleanup_free char *what = buildinfo_what(i);

	check_word(i->source);
	check_word(i->source_version);
	check_word(i->version);
	check_word(i->arch);
	check(i->types && i->depends && *what);
	check(!i->build_path || (str_starts(i->build_path, "/build/") && !strstr(i->build_path, "..")));
	for (size_t k = 0; k < i->env.n; k++)
		check(strchr(i->env.v[k], '=') > i->env.v[k]);
	for (size_t k = 0; k < i->files.n; k++)
		check(i->files.v[k].name[0] && !strchr(i->files.v[k].name, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buildinfo info = { .path = xstrdup("/nonexistent/fuzz.buildinfo") };
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	sb_add(&text, (const char *)data, size);
	if (buildinfo_parse(&info, &text, NULL) == 0)
		check_info(&info);
	buildinfo_release(&info);
	return 0;
}
