// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan's records. */
#include "rootfs/plan/plan.h"
#include "tests/support/unit.h"

START_TEST(files_are_called_as_apt_calls_them)
{
	struct plan_package p = { .name = (char *)"libc6", .version = (char *)"1:2.3-1~x",
				  .arch = (char *)"amd64" };
	cleanup_free char *name = plan_deb_name(&p);

	ck_assert_str_eq(name, "libc6_1%3a2.3-1~x_amd64.deb");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan");
	TCase *t = tcase_create("records");

	tcase_add_test(t, files_are_called_as_apt_calls_them);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
