// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages files as the planner reads them: the filter and libsolv's reader must agree on which
 * stanza is which package, and solving and ordering must hold out whatever the relations say.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/solve/private.h"
#include "tests/fuzz/fuzz.h"
#include "umlcage/base/fd.h"

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
		check(strcmp(sb_str(&value), solve_name_str(s, v)) == 0);
		check(solve_field(s, v, "Version", &value));
		check(strcmp(sb_str(&value), solve_version_str(s, v)) == 0);
		(void)solve_deps(s, v, &n);
	}
}

static void install_all(struct solve *s)
{
	struct solve_set set = SOLVE_SET_INIT;
	struct solve_action *actions = NULL;
	size_t n = 0, unpacked = 0;

	solve_select_essential(s, "pen", &set);
	if (solve_install(s, &set, NULL) == 0 && solve_order(s, &actions, &n, NULL) == 0) {
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
	const struct solve_config config = { .arch = "amd64" };
	const struct solve_source source = { .fd = fd, .path = "fuzz", .suite = "pen",
					     .name = "pen", .codename = "pen", .pin = 500 };
	struct solve *s = solve_new(&config);

	check(fd >= 0);
	if (solve_add_index(s, &source, NULL) == 0 && solve_finish(s, NULL) == 0) {
		check_versions(s);
		install_all(s);
	}
	solve_free(s);
	return 0;
}
