// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plans made by the confined process, and answers of one that has been taken over: it may
 * choose badly, but not what is not in the indexes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/plan/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char index_text[] =
	"Package: a\nVersion: 1\nArchitecture: amd64\nPriority: required\nEssential: yes\n"
	"Section: libs\nInstalled-Size: 10\nFilename: pool/a.deb\nSize: 100\nSHA256: " SUM "\n\n"
	"Package: b\r\nVersion: 2:3-4\r\nArchitecture: all\r\nDepends: c\r\nFilename: pool/b.deb\r\n"
	"Size: 7\r\nSHA512: " SUM SUM "\r\nSHA256: " SUM "\r\n\r\n"
	"Package: c\nVersion: 1\nArchitecture: all\nFilename: pool/c.deb\nSize: 9223372036854775807\n"
	"SHA256: " SUM "\n\n"
	"Package: apt\nVersion: 3\nArchitecture: amd64\nPriority: required\nDepends: c\n"
	"Filename: pool/apt.deb\nSize: 3\nSHA256: " SUM "\n\n"
	"Package: nosum\nVersion: 1\nArchitecture: all\nFilename: pool/n.deb\nSize: 1\n\n"
	"Package: ../x\nVersion: 1\nArchitecture: all\nFilename: pool/n.deb\nSize: 1\n"
	"SHA256: " SUM "\nDescription: x\n \n Package: hidden\n";

static char suite_name[] = "pen", base[] = "http://m", path[] = "Packages";
static struct error err = ERROR_INIT;
static struct fab_options o;
static struct debian_release release = { .suite = suite_name, .name = suite_name };
static struct debian_index ix;
static struct plan_request rq;
static struct plan plan;
static struct strbuf answer;

static void setup(void)
{
	o = (struct fab_options){ .suite = suite_name, .variant = FAB_ESSENTIAL };
	ix = (struct debian_index){
		.release = &release, .base = base, .path = path,
		.fd = memfd_with("index", index_text, sizeof(index_text) - 1, &err),
		.size = sizeof(index_text) - 1,
	};
	rq = (struct plan_request){ .o = &o, .indexes = &ix, .nindexes = 1 };
}

static void teardown(void)
{
	close_fd(&ix.fd);
	plan_release(&plan);
	sb_release(&answer);
	strv_release(&o.include);
	err_release(&err);
}

static uint64_t offset_of(const char *line)
{
	const char *at = strstr(index_text, line);

	ck_assert_ptr_nonnull(at);
	return (uint64_t)(at - index_text);
}

/* ---- what is chosen ---- */

START_TEST(choice_and_answer_agree)
{
	strv_add(&o.include, "b");
	ck_ok(plan_choose(&rq, &answer, &err), &err);
	ck_ok(plan_read_answer(&rq, &answer, &plan, &err), &err);
	ck_assert_uint_eq(plan.n, 3);
	ck_assert_uint_eq(plan.nbase, 1);

	const struct plan_package *a = &plan.packages[0], *b = &plan.packages[2];

	ck_assert_str_eq(a->name, "a");
	ck_assert_str_eq(a->section, "libs");
	ck_assert_str_eq(a->uri, "http://m");
	ck_assert_str_eq(a->sum, SUM);
	ck_assert(a->essential && a->required && a->base_stage && !a->auto_installed);
	ck_assert_uint_eq(a->installed_kb, 10);
	ck_assert_str_eq(b->name, "b");
	ck_assert_str_eq(b->version, "2:3-4");
	ck_assert_str_eq(b->path, "pool/b.deb");
	ck_assert_uint_eq(b->size, 7);
	ck_assert(!b->essential && !b->required && !b->auto_installed);
	ck_assert(plan.packages[1].auto_installed);
	ck_assert_uint_eq(plan.nsteps, 3);
	ck_assert_int_eq(plan.steps[0].kind, PLAN_INSTALL);
	ck_assert_int_eq(plan.steps[1].kind, PLAN_UNPACK);
	ck_assert_uint_eq(plan.steps[1].n, 2);
	ck_assert_int_eq(plan.steps[2].kind, PLAN_CONFIGURE_PENDING);
}
END_TEST

/* As mmdebstrap since 1.4: --variant=apt, too, is the essential packages and apt on top. */
START_TEST(apt_is_asked_for_in_the_second_stage)
{
	for (enum fab_variant v = FAB_APT; v <= FAB_REQUIRED; v++) {
		o.variant = v;
		ck_ok(plan_choose(&rq, &answer, &err), &err);
		ck_ok(plan_read_answer(&rq, &answer, &plan, &err), &err);
		ck_assert_uint_eq(plan.nbase, 1);
		ck_assert_uint_eq(plan.n, 3);
		ck_assert_str_eq(plan.packages[0].name, "a");
		ck_assert_str_eq(plan.packages[1].name, "c");
		ck_assert(plan.packages[1].auto_installed);
		ck_assert_str_eq(plan.packages[2].name, "apt");
		ck_assert(!plan.packages[2].auto_installed && !plan.packages[2].essential);
		plan_release(&plan);
		sb_reset(&answer);
	}
}
END_TEST

START_TEST(a_package_without_a_sum_is_refused)
{
	strv_add(&o.include, "nosum");
	ck_ok(plan_choose(&rq, &answer, &err), &err);
	ck_fails(plan_read_answer(&rq, &answer, &plan, &err), EBADMSG, "no sha256 or sha512", &err);
}
END_TEST

/* ---- answers ---- */

static void put_indexed(uint64_t source, uint64_t offset, uint64_t flags)
{
	put_u64(&answer, 0);
	put_u64(&answer, source);
	put_u64(&answer, offset);
	put_u64(&answer, flags);
}

static void put_step(uint64_t kind, size_t n, const uint64_t *pkgs)
{
	put_u64(&answer, kind);
	put_u64(&answer, n);
	for (size_t i = 0; i < n; i++)
		put_u64(&answer, pkgs[i]);
}

#define STEP(kind, ...) put_step(kind, sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), \
				 (uint64_t[]){ __VA_ARGS__ })

static void begin(uint64_t n, uint64_t nbase)
{
	sb_reset(&answer);
	put_u64(&answer, n);
	put_u64(&answer, nbase);
}

/* Packages a and b, and @steps to come. */
static void begin_two(uint64_t nbase, uint64_t nsteps)
{
	begin(2, nbase);
	put_indexed(0, 0, 0);
	put_indexed(0, offset_of("Package: b"), 0);
	put_u64(&answer, nsteps);
}

static void refused(void)
{
	ck_fails(plan_read_answer(&rq, &answer, &plan, &err), EBADMSG, "", &err);
	plan_release(&plan);
}

static void accepted(void)
{
	ck_ok(plan_read_answer(&rq, &answer, &plan, &err), &err);
	plan_release(&plan);
}

START_TEST(only_stanzas_of_the_indexes_are_packages)
{
	static const char *const bad[] = { "Version: 1", "ackage: a", "\nPackage: b",
					   " Package: hidden", "Package: hidden", "Package: ../x",
					   "\n Package: hidden" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		begin(1, 0);
		put_indexed(0, offset_of(bad[i]), 0);
		put_u64(&answer, 1);
		STEP(PLAN_UNPACK, 0);
		refused();
	}
	for (uint64_t source = 0; source < 3; source++)
		for (int k = 0; k < 3; k++) {
			uint64_t offset = k == 0 ? 0 : k == 1 ? ix.size : UINT64_MAX;

			begin(1, 0);
			put_indexed(source, offset, 0);
			put_u64(&answer, 1);
			STEP(PLAN_UNPACK, 0);
			if (source || offset)
				refused();
			else
				accepted();
		}
	begin(1, 0);
	put_indexed(0, 0, PLAN_ALL_FLAGS + 1);
	put_u64(&answer, 0);
	refused();
}
END_TEST

START_TEST(steps_are_a_sequence_of_dpkgs)
{
	begin_two(1, 3);
	STEP(PLAN_INSTALL, 0);
	STEP(PLAN_UNPACK, 1);
	STEP(PLAN_CONFIGURE, 1);
	accepted();
	begin_two(1, 1);			/* one is never unpacked */
	STEP(PLAN_INSTALL, 0);
	refused();
	begin_two(0, 2);			/* one twice */
	STEP(PLAN_UNPACK, 0, 1);
	STEP(PLAN_UNPACK, 1);
	refused();
	begin_two(0, 2);			/* configured before it is there */
	STEP(PLAN_CONFIGURE, 0);
	STEP(PLAN_UNPACK, 0, 1);
	refused();
	begin_two(0, 2);			/* and twice */
	STEP(PLAN_UNPACK, 0, 1);
	STEP(PLAN_CONFIGURE, 0, 0);
	refused();
	begin_two(0, 1);			/* one there is not */
	STEP(PLAN_UNPACK, 0, 2);
	refused();
	begin_two(0, 1);			/* no such step */
	STEP(PLAN_CONFIGURE_PENDING + 1, 0, 1);
	refused();
	begin_two(0, 1);			/* the base stage where there is none */
	STEP(PLAN_INSTALL, 0, 1);
	refused();
	begin_two(0, 2);
	STEP(PLAN_UNPACK, 0, 1);
	STEP(PLAN_CONFIGURE_PENDING, 0);
	refused();
	begin_two(0, 1);			/* more than was said */
	STEP(PLAN_UNPACK, 0, 1);
	put_u64(&answer, 0);
	refused();
	begin_two(3, 0);
	refused();
}
END_TEST

START_TEST(numbers_beyond_the_answer_are_refused)
{
	static const uint64_t many[] = { 1000, 1ULL << 32, 1ULL << 61, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		begin(many[i], 0);
		refused();
		begin_two(0, many[i]);
		refused();
		begin_two(0, 1);
		put_u64(&answer, PLAN_UNPACK);
		put_u64(&answer, many[i]);
		refused();
	}
	begin(3, 0);				/* together more bytes than there can be */
	for (int k = 0; k < 3; k++)
		put_indexed(0, offset_of("Package: c"), 0);
	put_u64(&answer, 1);
	STEP(PLAN_UNPACK, 0, 1, 2);
	refused();
}
END_TEST

START_TEST(package_files_are_those_asked_for)
{
	static const struct { const char *name, *version, *arch; bool good; } words[] = {
		{ "x", "1", "all", true }, { "../x", "1", "all", false },
		{ "x", "1/2", "all", false }, { "x", "1", "a b", false },
		{ "", "1", "all", false }, { "-x", "1", "all", false },
	};
	int fd = memfd_with("deb", "x", 1, &err);
	const char *deb = "/x.deb";

	rq.debs = &fd;
	rq.deb_paths = &deb;
	rq.ndebs = 1;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (uint64_t source = 0; source < 2; source++) {
			begin(1, 0);
			put_u64(&answer, 1);
			put_u64(&answer, source);
			put_u64(&answer, 0);
			put_u64(&answer, 0);
			put_str(&answer, words[i].name);
			put_str(&answer, words[i].version);
			put_str(&answer, words[i].arch);
			put_u64(&answer, 1);
			STEP(PLAN_UNPACK, 0);
			if (words[i].good && !source)
				accepted();
			else
				refused();
		}
	close(fd);
}
END_TEST

START_TEST(any_part_of_an_answer_is_refused)
{
	size_t len;

	begin_two(1, 2);
	STEP(PLAN_INSTALL, 0);
	STEP(PLAN_UNPACK, 1);
	for (len = answer.len - 1; len; len--) {
		answer.len = len;
		refused();
	}
	answer.len = 0;
	refused();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plan-answer");
	TCase *t = tcase_create("answers");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, choice_and_answer_agree);
	tcase_add_test(t, apt_is_asked_for_in_the_second_stage);
	tcase_add_test(t, a_package_without_a_sum_is_refused);
	tcase_add_test(t, only_stanzas_of_the_indexes_are_packages);
	tcase_add_test(t, steps_are_a_sequence_of_dpkgs);
	tcase_add_test(t, numbers_beyond_the_answer_are_refused);
	tcase_add_test(t, package_files_are_those_asked_for);
	tcase_add_test(t, any_part_of_an_answer_is_refused);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
