// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages files as the planner reads them: libsolv's reader and the second scan of the
 * same bytes must agree on which stanza is which package, and solving and ordering must hold
 * out whatever the relations say.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/solve/solve.h"
#include "umlcage/base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_versions(struct solve *s)
{
	cleanup_strbuf struct strbuf value = STRBUF_INIT;

	for (Id v = 2; v < s->nvers; v++) {
		const struct solve_ver *sv = solve_ver(s, v);
		size_t n;

		if (!sv->pkg)
			continue;
		check(sv->index < s->nindexes && sv->offset < s->indexes[sv->index].size);
		check(solve_field(s, v, "Package", &value));
		check(strcmp(sb_str(&value), solve_name_str(s, v)) == 0 ||
		      memchr(sb_str(&value), '\0', value.len));
		(void)solve_deps(s, v, &n);
	}
}

static void install_all(struct solve *s)
{
	struct solve_set set = { NULL, 0, 0 };
	struct solve_action *actions = NULL;
	size_t n = 0, unpacked = 0;

	if (solve_select_essential(s, "pen", &set) == 0 &&
	    solve_install(s, set.v, set.n, NULL) == 0 && solve_order(s, &actions, &n, NULL) == 0) {
		for (size_t i = 0; i < n; i++)
			unpacked += actions[i].op == SOLVE_UNPACK;
		check(unpacked >= set.n);
	}
	free(actions);
	solve_set_release(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_close int fd = memfd_with("fuzz", data, size, NULL);
	cleanup_free char *path = xasprintf("/proc/self/fd/%d", fd);
	struct solve s;

	check(fd >= 0);
	solve_init(&s, "amd64");
	if (solve_add_index(&s, path, "http://x", "pen", "main", "pen", "pen", 500, NULL) == 0 &&
	    solve_finish(&s, NULL) == 0) {
		check_versions(&s);
		install_all(&s);
	}
	solve_release(&s);
	return 0;
}
