// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a fuzz target without libFuzzer: every file of its corpus is one check test, in
 * a process of its own, first as it is, then cut at every length (up to a limit), then
 * with a fixed series of random changes.  So each `make check` replays what fuzzing has
 * found, and a little more, the same everywhere.
 *
 *	fuzz-THING [FILE|DIRECTORY]...
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

enum { MAX_CUTS = 512, CHANGES = 500 };

static struct strv files;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* An exact allocation, so that the address sanitizer sees one byte too far. */
static void feed(const char *data, size_t len)
{
	uint8_t *copy = xmemdup(data, len);

	ck_assert_int_eq(LLVMFuzzerTestOneInput(copy, len), 0);
	free(copy);
}

static void change(char *data, size_t len, uint32_t *state)
{
	static const char interesting[] = { 0, 1, 0x7f, (char)0x80, (char)0xff, '\n', ' ', '/' };

	for (uint32_t n = 1 + next_random(state) % 4; n; n--) {
		size_t at = next_random(state) % len;

		switch (next_random(state) % 4) {
		case 0: data[at] ^= (char)(1u << next_random(state) % 8); break;
		case 1: data[at] = interesting[next_random(state) % sizeof(interesting)]; break;
		case 2: data[at] = (char)next_random(state); break;
		case 3: data[at] = data[next_random(state) % len]; break;
		}
	}
}

START_TEST(replay)
{
	cleanup_strbuf struct strbuf in = STRBUF_INIT;
	cleanup_error struct error e = ERROR_INIT;
	uint32_t state = 1;
	int ret = file_read(AT_FDCWD, files.v[_i], 16 << 20, &in, &e);

	ck_assert_msg(ret == 0, "%s", err_text(&e));
	printf("%s\n", files.v[_i]);
	fflush(stdout);
	feed(sb_str(&in), in.len);

	size_t step = in.len / MAX_CUTS + 1;

	for (size_t len = 0; len < in.len; len += step)
		feed(in.s, len);
	for (int i = 0; in.len && i < CHANGES; i++) {
		char *copy = xmemdup(in.s, in.len);

		change(copy, in.len, &state);
		feed(copy, in.len);
		free(copy);
	}
}
END_TEST

static void collect(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir) {
		strv_add(&files, path);
		return;
	}
	for (struct dirent *d; (d = readdir(dir)) != NULL;)
		if (d->d_name[0] != '.')
			strv_take(&files, path_join(path, d->d_name));
	closedir(dir);
}

int main(int argc, char **argv)
{
	Suite *s = suite_create(argv[0]);
	TCase *tc = tcase_create("corpus");

	for (int i = 1; i < argc; i++)
		collect(argv[i]);
	strv_sort(&files);
	if (!files.n) {
		fprintf(stderr, "%s: the corpus is empty\n", argv[0]);
		return 1;
	}
	tcase_add_loop_test(tc, replay, 0, (int)files.n);
	suite_add_tcase(s, tc);

	SRunner *runner = srunner_create(s);

	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	strv_release(&files);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
