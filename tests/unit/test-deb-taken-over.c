// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What comes of a reader of packages that was taken over: it is played here, by work of ours in its
 * place, with the same walls around it.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/support/reader-fixture.h"
#include "umlcage/base/fd.h"

static struct deb_fixed fixed(void)
{
	return (struct deb_fixed){ .mode = S_IFREG | 0644, .strings = { 4 } };
}

static int say(struct deb_filler *f, size_t len)
{
	uint32_t said = (uint32_t)len;
	int ret = worker_say(&said, sizeof(said));

	f->slot = (f->slot + 1) % DEB_SLOTS;
	f->at = 0;
	return ret;
}

static struct deb_facts good_facts(void)
{
	static struct deb_conffile conffile = { (char *)"/etc/x", false };
	static struct deb_interest interest = { (char *)"name", true };
	static struct deb_replaces replaces = { (char *)"b", (char *)"1", DEB_SAME };

	return (struct deb_facts){
		.name = (char *)"a", .version = (char *)"1", .arch = (char *)"all",
		.before = (char *)"Package: a\n", .behind = (char *)"X: y\n z\n",
		.conffiles = &conffile, .nconffiles = 1, .interests = &interest, .ninterests = 1,
		.replaces = &replaces, .nreplaces = 1,
	};
}

static void say_facts(struct deb_filler *f, const struct strbuf *facts)
{
	static const struct deb_entry control = { .path = "control" };

	(void)deb_put_entry(f, DEB_MEMBER, &control);
	(void)deb_put(f, DEB_FACTS, NULL, 0);
	(void)deb_put(f, DEB_DATA, facts->s, facts->len);
	(void)deb_put(f, DEB_READY, NULL, 0);
	(void)deb_put_flush(f);
}

static void say_good_facts(struct deb_filler *f)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct deb_facts facts = good_facts();

	deb_facts_put(&facts, &text);
	say_facts(f, &text);
}

static int all_said(struct deb_filler *f)
{
	return say(f, f->at);
}

/* A record of @said bytes that has @len. */
static void raw(struct deb_filler *f, uint32_t type, const void *data, size_t len, uint32_t said)
{
	char *to = f->slots + (size_t)f->slot * DEB_SLOT_SIZE + f->at;

	memcpy(to, &(struct deb_record){ type, said }, sizeof(struct deb_record));
	memcpy(to + sizeof(struct deb_record), data, len);
	f->at += sizeof(struct deb_record) + len;
}

static void entry(struct deb_filler *f, uint32_t type, const struct deb_fixed *head, const char *strings,
		  size_t len)
{
	char all[256];

	memcpy(all, head, sizeof(*head));
	memcpy(all + sizeof(*head), strings, len);
	raw(f, type, all, sizeof(*head) + len, (uint32_t)(sizeof(*head) + len));
}

#define LIE(name) static void name(struct deb_filler *f)

LIE(empty_slot) { say(f, 0); }
LIE(long_slot) { say(f, DEB_SLOT_SIZE + 1); }
LIE(huge_slot) { say(f, UINT32_MAX); }
LIE(half_record) { say(f, 4); }
LIE(long_record) { raw(f, DEB_DATA, "abcd", 4, 5); say(f, f->at); }
LIE(huge_record) { raw(f, DEB_DATA, "abcd", 4, UINT32_MAX); say(f, f->at); }
LIE(past_the_slot) { raw(f, DEB_ENTRY, "abcd", 4, DEB_SLOT_SIZE); say(f, DEB_SLOT_SIZE); }
LIE(no_contents) { raw(f, DEB_DATA, "", 0, 0); say(f, f->at); }
LIE(short_message) { worker_say("x", 1); (void)f; }
LIE(long_message) { worker_say("12345678", 8); (void)f; }
LIE(unknown_record) { raw(f, 99, "", 0, 0); say(f, f->at); }
LIE(wrong_record) { raw(f, 0, "", 0, 0); say(f, f->at); }
LIE(half_entry) { raw(f, DEB_ENTRY, "abcd", 4, 4); say(f, f->at); }
LIE(member_late) { struct deb_fixed x = fixed(); entry(f, DEB_MEMBER, &x, "abc", 4); say(f, f->at); }
LIE(ready_late) { raw(f, DEB_READY, "", 0, 0); say(f, f->at); }
LIE(end_early) { raw(f, DEB_END, "", 0, 0); say(f, f->at); }
LIE(entry_early) { struct deb_fixed x = fixed(); entry(f, DEB_ENTRY, &x, "abc", 4); say(f, f->at); }
LIE(data_early) { raw(f, DEB_DATA, "abcd", 4, 4); say(f, f->at); }
LIE(error_without_text) { raw(f, DEB_ERROR, "abcd", 4, 4); say(f, f->at); }
LIE(long_error) { memset(f->slots, 'x', 8192); raw(f, DEB_ERROR, "", 0, 8000); say(f, 8192); }
LIE(no_control) { raw(f, DEB_READY, "", 0, 0); say(f, f->at); }

static void one_entry(struct deb_filler *f, const struct deb_fixed *x, const char *strings, size_t len)
{
	entry(f, DEB_ENTRY, x, strings, len);
	say(f, f->at);
}

#define BAD_ENTRY(name, what, strings, len) \
	LIE(name) { struct deb_fixed x = fixed(); what; one_entry(f, &x, strings, len); }

BAD_ENTRY(no_path, x.strings[0] = 0, "", 0)
BAD_ENTRY(empty_name, x.strings[0] = 0; x.strings[1] = 4, "abc", 4)
BAD_ENTRY(long_name, x.strings[0] = 5, "abc", 4)
BAD_ENTRY(huge_name, x.strings[0] = UINT32_MAX, "abc", 4)
BAD_ENTRY(huge_names, x.strings[1] = UINT32_MAX - 3; x.strings[2] = 4, "abc", 4)
BAD_ENTRY(more_than_names, x.strings[0] = 4, "abc\0def", 8)
BAD_ENTRY(nul_in_a_name, x.strings[0] = 8, "abc\0def", 8)
BAD_ENTRY(name_without_end, x.strings[0] = 4, "abcd", 4)
BAD_ENTRY(strange_type, x.mode = 0030644, "abc", 4)
BAD_ENTRY(strange_mode, x.mode = 1u << 20 | S_IFREG, "abc", 4)
BAD_ENTRY(strange_time, x.nanoseconds = 1000000000, "abc", 4)

#define BAD_MEMBER(name, text) \
	LIE(name) { struct deb_fixed x = fixed(); x.strings[0] = sizeof(text); \
		    entry(f, DEB_MEMBER, &x, text, sizeof(text)); say(f, f->at); }

BAD_MEMBER(member_without_name, "")
BAD_MEMBER(member_above, "..")
BAD_MEMBER(member_here, ".")
BAD_MEMBER(member_elsewhere, "../../etc/passwd")
BAD_MEMBER(member_at_root, "/etc/passwd")

#define BAD_FACTS(title, what) \
	LIE(title) { cleanup_strbuf struct strbuf text = STRBUF_INIT; struct deb_facts x = good_facts(); \
		     struct deb_conffile c = *x.conffiles; struct deb_interest i = *x.interests; \
		     struct deb_replaces r = *x.replaces; x.conffiles = &c; x.interests = &i; \
		     x.replaces = &r; f->full = all_said; what; deb_facts_put(&x, &text); \
		     say_facts(f, &text); }

BAD_FACTS(name_above, x.name = (char *)"..")
BAD_FACTS(name_elsewhere, x.name = (char *)"a/b")
BAD_FACTS(name_of_two, x.name = (char *)"a b")
BAD_FACTS(name_of_another, x.name = (char *)"b")
BAD_FACTS(name_of_part, x.name = (char *)"aa"; x.before = (char *)"Package: a\n")
BAD_FACTS(fact_without_name, x.name = (char *)"")
BAD_FACTS(strange_arch, x.arch = (char *)"all/../x")
BAD_FACTS(strange_version, x.version = (char *)"1 2")
BAD_FACTS(version_of_lines, x.version = (char *)"1\n2")
BAD_FACTS(two_stanzas, x.behind = (char *)"X: y\n\nPackage: b\n")
BAD_FACTS(stanza_before, x.before = (char *)"Package: a\n\nPackage: b\n")
BAD_FACTS(stanza_begins, x.behind = (char *)"\nPackage: b\n")
BAD_FACTS(stanza_without_end, x.behind = (char *)"X: y")
BAD_FACTS(no_stanza, x.before = (char *)"")
BAD_FACTS(conffile_elsewhere, c.path = (char *)"etc/x")
BAD_FACTS(conffile_of_lines, c.path = (char *)"/etc/x\nX: y")
BAD_FACTS(trigger_above, i.trigger = (char *)"..")
BAD_FACTS(trigger_elsewhere, i.trigger = (char *)"a/../../b")
BAD_FACTS(trigger_of_two, i.trigger = (char *)"a b")
BAD_FACTS(strange_relation, r.relation = (enum deb_relation)(DEB_LATER + 1))
BAD_FACTS(no_relation, r.version = NULL)

/* One byte too many, or all but the last, or a number that is @n at @at. */
static void change_facts(struct deb_filler *f, ssize_t more, size_t at, uint64_t n)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct deb_facts facts = good_facts();

	deb_facts_put(&facts, &text);
	if (n)
		memcpy(text.s + at, &n, sizeof(n));
	sb_adds(&text, "x");
	text.len += (size_t)(more - 1);
	f->full = all_said;
	say_facts(f, &text);
}

/* name, version, arch: each behind its length; two flags; the length of the stanza's first part */
enum { AT_STANZA = 8 + 1 + 8 + 1 + 8 + 3 + 8 + 8, AT_CONFFILES = AT_STANZA + 8 + 11 + 8 + 8 };

LIE(more_facts) { change_facts(f, 1, 0, 0); }
LIE(less_facts) { change_facts(f, -1, 0, 0); }
LIE(long_fact) { change_facts(f, 0, 0, 1 << 20); }
LIE(huge_fact) { change_facts(f, 0, 0, UINT64_MAX); }
LIE(huge_stanza) { change_facts(f, 0, AT_STANZA, UINT64_MAX - 7); }
LIE(long_stanza) { change_facts(f, 0, AT_STANZA, 1 << 20); }
LIE(many_conffiles) { change_facts(f, 0, AT_CONFFILES, 1 << 20); }
LIE(countless_conffiles) { change_facts(f, 0, AT_CONFFILES, UINT64_MAX); }

LIE(no_facts)
{
	const struct deb_entry e = { .path = "control" };

	f->full = all_said;
	(void)deb_put_entry(f, DEB_MEMBER, &e);
	(void)deb_put(f, DEB_READY, NULL, 0);
	(void)deb_put_flush(f);
}

LIE(member_behind_facts)
{
	const struct deb_entry e = { .path = "x" };

	f->full = all_said;
	(void)deb_put(f, DEB_FACTS, NULL, 0);
	(void)deb_put_entry(f, DEB_MEMBER, &e);
	(void)deb_put_flush(f);
}

LIE(many_members)
{
	const struct deb_entry e = { .path = "x" };

	f->full = all_said;
	for (int i = 0; i <= DEB_MEMBERS_MAX; i++)
		(void)deb_put_entry(f, DEB_MEMBER, &e);
	(void)deb_put_flush(f);
}

LIE(much_control)
{
	const struct deb_entry e = { .path = "x" };
	struct deb_ask ask;
	int fd;

	f->full = all_said;
	(void)deb_put_entry(f, DEB_MEMBER, &e);
	(void)deb_put_flush(f);
	for (size_t said = 0; said <= DEB_CONTROL_MAX; said += DEB_SLOT_SIZE - 8) {
		raw(f, DEB_DATA, "", 0, DEB_SLOT_SIZE - 8);
		if (say(f, DEB_SLOT_SIZE) < 0 || worker_asked(&ask, sizeof(ask), &fd) <= 0)
			break;
	}
}

static const struct {
	void (*tell)(struct deb_filler *f);
	bool late;		/* of the contents */
	const char *about;
} lies[] = {
	{ empty_slot, true, "slot" }, { long_slot, true, "slot" }, { huge_slot, true, "slot" },
	{ short_message, true, "slot" }, { long_message, true, "did not answer" },
	{ half_record, true, "half a record" }, { long_record, true, "of a record" },
	{ huge_record, true, "of a record" }, { past_the_slot, true, "of a record" },
	{ no_contents, true, "of nothing" }, { unknown_record, true, "another kind" },
	{ wrong_record, true, "another kind" }, { half_entry, true, "half an entry" },
	{ member_late, true, "another kind" }, { ready_late, true, "another kind" },
	{ error_without_text, true, "of an error" }, { long_error, true, "of an error" },
	{ no_path, true, "names" }, { empty_name, true, "names" },
	{ long_name, true, "of a name" }, { huge_name, true, "of a name" },
	{ huge_names, true, "of a name" }, { more_than_names, true, "names" },
	{ nul_in_a_name, true, "end of a name" }, { name_without_end, true, "end of a name" },
	{ strange_type, true, "a mode" }, { strange_mode, true, "a mode" },
	{ strange_time, true, "a time" },
	{ empty_slot, false, "slot" }, { huge_record, false, "of a record" },
	{ no_contents, false, "of nothing" }, { unknown_record, false, "another kind" },
	{ end_early, false, "another kind" }, { entry_early, false, "another kind" },
	{ data_early, false, "control data" }, { no_control, false, "its control file" },
	{ member_without_name, false, "a control file" }, { member_above, false, "a control file" },
	{ member_here, false, "a control file" }, { member_elsewhere, false, "a control file" },
	{ member_at_root, false, "a control file" }, { many_members, false, "a control file" },
	{ much_control, false, "control data" },
	{ no_facts, false, "control files say" }, { member_behind_facts, false, "a control file" },
#define FALSE_FACTS(what) { what, false, "control files say" }
	FALSE_FACTS(name_above), FALSE_FACTS(name_elsewhere), FALSE_FACTS(name_of_two),
	FALSE_FACTS(name_of_another), FALSE_FACTS(name_of_part), FALSE_FACTS(fact_without_name),
	FALSE_FACTS(strange_arch), FALSE_FACTS(strange_version), FALSE_FACTS(version_of_lines),
	FALSE_FACTS(two_stanzas), FALSE_FACTS(stanza_before), FALSE_FACTS(stanza_begins),
	FALSE_FACTS(stanza_without_end), FALSE_FACTS(no_stanza), FALSE_FACTS(conffile_elsewhere),
	FALSE_FACTS(conffile_of_lines), FALSE_FACTS(trigger_above), FALSE_FACTS(trigger_elsewhere),
	FALSE_FACTS(trigger_of_two), FALSE_FACTS(strange_relation), FALSE_FACTS(no_relation),
	FALSE_FACTS(more_facts), FALSE_FACTS(less_facts), FALSE_FACTS(long_fact), FALSE_FACTS(huge_fact),
	FALSE_FACTS(huge_stanza), FALSE_FACTS(long_stanza), FALSE_FACTS(many_conffiles),
	FALSE_FACTS(countless_conffiles),
};

static int lie;

static int liar(void *arg, struct strbuf *out, struct error *e)
{
	struct deb_reader *r = arg;
	struct deb_ask ask;
	int fd;

	(void)out;
	(void)e;
	while (worker_asked(&ask, sizeof(ask), &fd) > 0) {
		struct deb_filler f = { .slots = r->slots, .full = all_said };

		if (ask.what == DEB_FREE)
			continue;
		if (ask.what == DEB_GO || !lies[lie].late) {
			lies[lie].tell(&f);
			continue;
		}
		say_good_facts(&f);
	}
	return 0;
}

START_TEST(lies_are_found)
{
	cleanup_close int fd = memfd_with("a", "", 0, &err);
	struct deb_entry found;
	int ret;

	lie = _i;
	start(liar);
	ret = open_with(fd, "a");
	if (lies[lie].late) {
		ck_ok(ret, &err);
		ck_ok(deb_data(&d, &err), &err);
		do
			ret = deb_next(&d, &found, &err);
		while (ret > 0);
	}
	ck_fails(ret, EBADMSG, "did not answer as it should", &err);
	/* whoever lied is not asked again */
	deb_close(&d);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(lies_are_told_apart)
{
	cleanup_close int fd = memfd_with("a", "", 0, &err);
	struct deb_entry found;

	lie = _i;
	start(liar);
	if (open_with(fd, "a") == 0 && deb_data(&d, &err) == 0)
		while (deb_next(&d, &found, &err) > 0)
			;
	ck_assert_msg(strstr(err_text(&err), lies[lie].about), "%d: %s", _i, err_text(&err));
}
END_TEST

static int complain(void *arg, struct strbuf *out, struct error *e)
{
	static char text[] = "bad\x1b[2Jpackage\nnever mind";
	struct deb_reader *r = arg;
	struct deb_filler f = { .slots = r->slots, .full = all_said };
	struct deb_ask ask;
	int fd;

	(void)out;
	(void)e;
	if (worker_asked(&ask, sizeof(ask), &fd) > 0) {
		(void)deb_put_error(&f, &(struct error){ .errnum = -7, .text = text });
		(void)deb_put_flush(&f);
	}
	return 0;
}

START_TEST(errors_are_one_line)
{
	cleanup_close int fd = memfd_with("a", "", 0, &err);

	start(complain);
	ck_assert_int_eq(open_with(fd, "a"), -EBADMSG);
	ck_assert_str_eq(err_text(&err), "bad?[2Jpackage?never mind");
}
END_TEST

/* Says many entries, and changes them for ever. */
static int change(void *arg, struct strbuf *out, struct error *e)
{
	static const struct deb_entry one = { .path = "./a/path", .symlink = "target", .user = "me",
					      .mode = S_IFLNK | 0777 };
	struct deb_reader *r = arg;
	struct deb_filler f = { .slots = r->slots, .full = all_said };
	struct deb_ask ask = { 0 };
	volatile uint32_t *words = (void *)r->slots;
	uint32_t before;
	int fd;

	(void)out;
	(void)e;
	(void)worker_asked(&ask, sizeof(ask), &fd);
	say_good_facts(&f);
	(void)worker_asked(&ask, sizeof(ask), &fd);
	f.slot = 0;
	for (int i = 0; i < 2000; i++)
		(void)deb_put_entry(&f, DEB_ENTRY, &one);
	(void)deb_put(&f, DEB_END, NULL, 0);
	before = words[1];
	(void)deb_put_flush(&f);
	/* the length of a record, and that of its path and what is in there, one after the other */
	before += sizeof(struct deb_record);
	for (size_t i = 0; i < DEB_SLOT_SIZE; i = (i + before) % (DEB_SLOT_SIZE - 256)) {
		volatile char *at = r->slots + i;
		char was[64];

		for (size_t k = 4; k < sizeof(was); k++) {
			was[k] = at[k];
			at[k] = (char)0xff;
		}
		for (size_t k = 4; k < sizeof(was); k++)
			at[k] = was[k];
	}
	return 0;
}

/* What was found good stays so. */
START_TEST(it_may_change_its_mind)
{
	cleanup_close int fd = memfd_with("a", "", 0, &err);
	unsigned int good = 0;

	for (int round = 0; round < 20; round++) {
		struct deb_entry n;

		start(change);
		ck_ok(open_with(fd, "a"), &err);
		ck_ok(deb_data(&d, &err), &err);
		while (deb_next(&d, &n, &err) > 0) {
			cleanup_free char *path = xstrdup(n.path);
			cleanup_free char *target = n.symlink ? xstrdup(n.symlink) : NULL;

			ck_assert_uint_lt(strlen(path), DEB_NAME_MAX);
			ck_assert_int_lt(n.mtime.tv_nsec, 1000000000);
			if (good % 16 == 0)
				sched_yield();
			ck_assert_str_eq(path, n.path);
			ck_assert(str_eq(target, n.symlink));
			good++;
		}
		deb_close(&d);
		deb_reader_end(&reader);
		err_release(&err);
	}
	ck_assert_uint_gt(good, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deb, taken over");
	TCase *t = tcase_create("taken over");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, lies_are_found, 0, (int)ARRAY_SIZE(lies));
	tcase_add_loop_test(t, lies_are_told_apart, 0, (int)ARRAY_SIZE(lies));
	tcase_add_test(t, errors_are_one_line);
	tcase_add_test(t, it_may_change_its_mind);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
