// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Answers of the process that chooses packages, as if it had been taken over: whatever it says,
 * what becomes a plan has only packages of the index, each whole, and steps that dpkg can carry
 * out.
 */
#include <stdint.h>
#include <string.h>

#include "rootfs/plan/private.h"
#include "tests/fuzz/fuzz.h"
#include "umlcage/base/fd.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char text[] =
	"Package: a\nVersion: 1\nArchitecture: amd64\nFilename: pool/a.deb\nSize: 1\n"
	"SHA256: " SUM "\n\n"
	"Package: b\nVersion: 1\nArchitecture: all\nFilename: pool/b.deb\nSize: 1\n"
	"SHA512: " SUM SUM "\nDescription: x\n Package: c\n .\n\n"
	"Package: ../c\nVersion: 1\nArchitecture: all\nFilename: pool/c.deb\nSize: 1\n"
	"SHA256: " SUM "\n\nPackage: d\nVersion: 1\n";

static void check_plan(const struct plan *plan)
{
	size_t unpacked = 0;

	check(plan->nbase <= plan->n);
	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_package *p = &plan->packages[i];

		check(str_eq(p->name, "a") || str_eq(p->name, "b"));
		check(hash_valid_sum(p->sum) && p->size == 1 && str_eq(p->uri, "http://m"));
		check(p->base_stage == (i < plan->nbase));
	}
	for (size_t i = 0; i < plan->nsteps; i++)
		for (size_t k = 0; k < plan->steps[i].n; k++) {
			check(plan->steps[i].pkgs[k] < plan->n);
			unpacked += plan->steps[i].kind <= PLAN_UNPACK;
		}
	check(unpacked == plan->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char base[] = "http://m", path[] = "Packages";
	struct debian_index ix = { .base = base, .path = path, .size = sizeof(text) - 1 };
	struct fab_options o = { .variant = FAB_REQUIRED };
	struct plan_request rq = { .o = &o, .indexes = &ix, .nindexes = 1 };
	cleanup_strbuf struct strbuf answer = STRBUF_INIT;
	struct plan plan = PLAN_INIT;

	ix.fd = memfd_with("index", text, ix.size, NULL);
	check(ix.fd >= 0);
	sb_add(&answer, data, size);
	if (plan_read_answer(&rq, &answer, &plan, NULL) == 0)
		check_plan(&plan);
	plan_release(&plan);
	close_fd(&ix.fd);
	return 0;
}
