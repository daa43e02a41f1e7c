/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every unit test program shares: its main().  Forking, verbosity and time
 * limits follow check's own environment variables (CK_FORK, CK_VERBOSITY, ...).
 */
#ifndef TESTS_SUPPORT_UNIT_H
#define TESTS_SUPPORT_UNIT_H

#include <check.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/error.h"

/*
 * Folders of tests are in one that is removed at the end: a test that fails or is killed does
 * not come to its teardown.  tests/support/run-tests makes it, and removes it if it is stopped.
 */
#define UNIT_TMP "/var/tmp/umlcage-unit.XXXXXX"
enum { UNIT_PATH = 64 };

static inline int unit_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	/* a folder that was closed to us, on the way down */
	if (type == FTW_DNR && chmod(path, 0700) == 0)
		(void)nftw(path, unit_remove, 16, FTW_DEPTH | FTW_PHYS);
	return remove(path) < 0;
}

/* Makes a folder for tests, called after @name; its path into @path.  Outside of a test, too. */
static inline bool unit_make_dir(char path[UNIT_PATH], const char *name)
{
	return snprintf(path, UNIT_PATH, "%s/%s.XXXXXX", getenv("UNIT_TMP"), name) < UNIT_PATH &&
	       mkdtemp(path);
}

static inline void unit_dir(char path[UNIT_PATH], const char *name)
{
	ck_assert(unit_make_dir(path, name));
}

/* Is this a host of `make check-lacks` that lacks @what, which @test is about?  Says so, then. */
static inline bool unit_without(const char *what, const char *test)
{
	const char *lacks = getenv("UMLCAGE_TEST_LACKS");

	if (!lacks || !strstr(lacks, what))
		return false;
	dprintf(3, "  skipped %s: without %s\n", test, what);
	return true;
}

static inline char *unit_begin(void)
{
	char *tmp;

	if (getenv("UNIT_TMP"))
		return NULL;
	tmp = strdup(UNIT_TMP);
	/* some tests become another user */
	if (!tmp || !mkdtemp(tmp) || chmod(tmp, 01777) < 0 || setenv("UNIT_TMP", tmp, 1) < 0) {
		perror(UNIT_TMP);
		exit(EXIT_FAILURE);
	}
	return tmp;
}

static inline void unit_end(char *tmp)
{
	if (tmp)
		(void)nftw(tmp, unit_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(tmp);
}

/* Runs @suite (takes it); the exit status of main(). */
static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	char *tmp = unit_begin();

	srunner_run_all(runner, CK_ENV);
	unit_end(tmp);

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
