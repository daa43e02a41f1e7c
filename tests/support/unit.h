/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every unit test program shares: its main().  Forking, verbosity and time
 * limits follow check's own environment variables (CK_FORK, CK_VERBOSITY, ...).
 */
#ifndef TESTS_SUPPORT_UNIT_H
#define TESTS_SUPPORT_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "umlcage/base/error.h"

/* Runs @suite (takes it); the exit status of main(). */
static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A call that must succeed; a failure shows the error's text. */
#define ck_ok(call, e) do { \
	int ck_ok_ret_ = (call); \
	ck_assert_msg(ck_ok_ret_ >= 0, "%s: %d, %s", #call, ck_ok_ret_, err_text(e)); \
} while (0)

/* A call that must fail with -@errnum and a text that has @part in it; releases @e. */
#define ck_fails(call, err_num, part, e) do { \
	int ck_fails_ret_ = (call); \
	ck_assert_msg(ck_fails_ret_ == -(err_num), "%s: %d instead of %d, %s", #call, \
		      ck_fails_ret_, -(err_num), err_text(e)); \
	ck_assert_msg(strstr(err_text(e), (part)), "%s: '%s' does not mention '%s'", #call, \
		      err_text(e), (part)); \
	err_release(e); \
} while (0)

#endif
