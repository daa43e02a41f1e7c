// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages read by confined processes: what these say, what becomes of one that dies, what one
 * can do, and what comes of one that was taken over: it is played here, by work of ours in its
 * place, with the same walls around it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "rootfs/deb/private.h"
#include "tests/support/deb-fixture.h"
#include "tests/support/refused-calls.h"
#include "umlcage/base/interrupt.h"

static struct error err = ERROR_INIT;
static struct deb_reader reader;
static struct deb d;

static void setup(void)
{
	reader = (struct deb_reader){ .peer = WORKER_PEER_INIT };
	d = (struct deb)DEB_INIT;
}

static void teardown(void)
{
	deb_close(&d);
	deb_reader_end(&reader);
	err_release(&err);
}

static void start(int (*work)(void *, struct strbuf *, struct error *))
{
	ck_ok(deb_reader_start(&reader, work, NULL, NULL, &err), &err);
	ck_ok(worker_ready(&reader.peer, &err), &err);
}

static int open_with(int fd, const char *label)
{
	deb_close(&d);
	d = (struct deb){ .label = xstrdup(label), .reader = &reader };
	return deb_reader_open(&reader, &d, fd, &err);
}

/* ---- what they say ---- */

#define LARGE (3u << 20)

static char *large(void)
{
	char *text = xmalloc(LARGE + 1);
	uint32_t state = 1;

	for (size_t i = 0; i < LARGE; i++) {
		state = state * 1664525u + 1013904223u;
		text[i] = (char)('a' + (state >> 24) % 26);
	}
	text[LARGE] = '\0';
	return text;
}

static void describe(struct deb *from, struct strbuf *out)
{
	struct deb_entry n;
	int ret;

	for (size_t i = 0; i < from->n; i++) {
		const struct deb_member *m = &from->members[i];

		sb_addf(out, "%s %o %lld.%ld %zu\n%s\n", m->name, m->mode, (long long)m->mtime.tv_sec,
			m->mtime.tv_nsec, m->data.len, sb_str(&m->data));
	}
	ck_ok(deb_data(from, &err), &err);
	deb_facts_put(from->facts, out);
	while ((ret = deb_next(from, &n, &err)) > 0) {
		const char *piece;
		ssize_t len;

		sb_addf(out, "%s > %s %s %o %u:%s %u:%s %u,%u %lld.%ld\n", n.path,
			n.hardlink ? n.hardlink : "-", n.symlink ? n.symlink : "-", n.mode, n.uid,
			n.user ? n.user : "-", n.gid, n.group ? n.group : "-", n.major, n.minor,
			(long long)n.mtime.tv_sec, n.mtime.tv_nsec);
		/* every third is not looked into */
		if (n.uid % 3 == 2 || !S_ISREG(n.mode) || n.hardlink)
			continue;
		while ((len = deb_piece(from, &piece, &err)) > 0)
			sb_add(out, piece, (size_t)len);
		ck_ok((int)len, &err);
	}
	ck_ok(ret, &err);
}

static void check_facts(const struct deb_facts *f)
{
	ck_assert_str_eq(f->name, "a");
	ck_assert(f->same && f->preinst);
	ck_assert_msg(str_starts(f->before, "Package: a\nStatus: install ok unpacked\n"), "%s", f->before);
	ck_assert_msg(strstr(f->behind, "\nX-Own: field\n"), "%s", f->behind);
	ck_assert_uint_eq(f->nconffiles, 3);
	ck_assert_str_eq(f->conffiles[1].path, "/etc/b");
	ck_assert(f->conffiles[1].remove_on_upgrade && !f->conffiles[2].remove_on_upgrade);
	ck_assert_str_eq(f->conffiles[2].path, "/etc/with blank");
	ck_assert_uint_eq(f->ninterests, 2);
	ck_assert_str_eq(f->interests[0].trigger, "/usr/share/x");
	ck_assert(f->interests[0].noawait && !f->interests[1].noawait);
	ck_assert_uint_eq(f->nreplaces, 3);
	ck_assert(f->replaces[0].relation == DEB_EARLIER && f->replaces[1].relation == DEB_ANY &&
		  f->replaces[2].relation == DEB_NOT_EARLIER);
	ck_assert_str_eq(f->replaces[2].version, "1:3-1~x");
}

START_TEST(as_if_it_were_read_here)
{
	static const struct item none[] = { END };
	cleanup_free char *text = large();
	struct item some[] = {
		DIR("./"), FILE_("./empty", ""), FILE_("./large", text),
		{ .path = "./caf\xc3\xa9", .mode = S_IFREG | 04755, .data = "x", .uid = 7, .gid = 42,
		  .user = "games", .group = "shadow" },
		{ .path = "./skipped", .mode = S_IFREG | 0644, .data = text, .uid = 2 },
		{ .path = "./again", .mode = S_IFREG | 04755, .hard = "./large" },
		{ .path = "./tty", .mode = S_IFCHR | 0620, .major = 4, .minor = 70 },
		{ .path = "./fifo", .mode = S_IFIFO | 0600 }, LINK("./link", "../\xff/x"), END };
	const struct item control[] = {
		FILE_("./md5sums", ""), FILE_("./templates", text),
		FILE_("./conffiles", "/etc/a\nremove-on-upgrade /etc/b  \n\n/etc/with blank\n"),
		FILE_("./triggers", "interest-noawait /usr/share/x\ninterest name\nactivate b\ninterest ..\n"),
		{ .path = "./preinst", .mode = S_IFREG | 0755, .data = "#!/bin/sh\ntrue; rm -f /x\n" },
		{ .path = "./postinst", .mode = S_IFREG | 0755, .data = "#!/bin/sh\n" }, END };
	const char *fields = "Multi-Arch: same\nReplaces: b (<< 2), c, d (>= 1:3-1~x)\nX-Own: field\n";
	const struct item *const data[] = { some, none, some };
	struct deb_readers *readers;

	ck_ok(deb_readers_new(&readers, 2, NULL, &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		cleanup_strbuf struct strbuf here = STRBUF_INIT, there = STRBUF_INIT;
		cleanup_deb struct deb own = DEB_INIT, other = DEB_INIT;
		cleanup_close int fd = deb_of("a", fields, control, data[i]);

		ck_ok(deb_open_by(&other, readers, fd, "a", &err), &err);
		ck_ok(deb_open(&own, fd, "a", &err), &err);
		own.facts = xcalloc(1, sizeof(*own.facts));
		ck_ok(deb_facts_read(own.facts, &own, &err), &err);
		describe(&other, &there);
		describe(&own, &here);
		ck_assert_uint_gt(here.len, i == 1 ? LARGE : 2 * LARGE);
		ck_assert_uint_eq(here.len, there.len);
		ck_assert_int_eq(memcmp(here.s, there.s, here.len), 0);
		check_facts(other.facts);
	}
	deb_readers_free(readers);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_package_may_be_left)
{
	cleanup_free char *text = large();
	const struct item data[] = { FILE_("./a", text), FILE_("./b", text), END };
	cleanup_close int fd = deb_of("a", "", NULL, data), broken = memfd_with("x", "!<arch", 6, &err);
	struct deb_entry entry;

	start(deb_reader_work);
	for (int i = 0; i < 3; i++) {
		/* behind its control files, or broken: the reader goes on */
		ck_ok(open_with(fd, "one"), &err);
		ck_assert_str_eq(d.members[0].name, "control");
		ck_fails(open_with(broken, "other"), EBADMSG, "bad package 'other': no ar file", &err);
	}
	ck_ok(open_with(fd, "one"), &err);
	ck_ok(deb_data(&d, &err), &err);
	ck_assert_int_eq(deb_next(&d, &entry, &err), 1);
	/* in the midst of it: it ends */
	deb_close(&d);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_fails(open_with(fd, "two"), ESRCH, "has ended", &err);
}
END_TEST

struct turn {
	struct deb_readers *readers;
	int fd;
	atomic_int *count;
	int came;
};

static void *take_turn(void *arg)
{
	struct turn *t = arg;
	struct deb own = DEB_INIT;
	struct error e = ERROR_INIT;

	ck_ok(deb_open_by(&own, t->readers, t->fd, "a", &e), &e);
	t->came = atomic_fetch_add(t->count, 1);
	deb_close(&own);
	return NULL;
}

/* More want a reader than there are. */
START_TEST(a_reader_is_waited_for)
{
	const struct item data[] = { DIR("./"), END };
	cleanup_close int fd = deb_of("a", "", NULL, data);
	struct deb_readers *readers;
	atomic_int count = 0;
	struct turn turns[8];
	pthread_t threads[8];

	ck_ok(deb_readers_new(&readers, 1, NULL, &err), &err);
	ck_ok(deb_open_by(&d, readers, fd, "a", &err), &err);
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
		turns[i] = (struct turn){ readers, fd, &count, -1 };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_turn, &turns[i]), 0);
	}
	ck_assert_int_eq(atomic_load(&count), 0);
	deb_close(&d);
	for (size_t i = 0; i < ARRAY_SIZE(turns); i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_ge(turns[i].came, 0);
	}
	ck_assert_int_eq(atomic_load(&count), 8);
	deb_readers_free(readers);
}
END_TEST

START_TEST(a_broken_package_has_its_cause)
{
	cleanup_free char *text = large();
	const struct item data[] = { FILE_("./a", text), END };
	cleanup_close int fd = deb_of("a", "", NULL, data);
	off_t len = lseek(fd, 0, SEEK_END);
	const char *piece;
	struct deb_entry entry;
	ssize_t n;

	ck_assert_int_eq(ftruncate(fd, len - 1000), 0);
	start(deb_reader_work);
	ck_ok(open_with(fd, "cut off"), &err);
	ck_ok(deb_data(&d, &err), &err);
	ck_assert_int_eq(deb_next(&d, &entry, &err), 1);
	while ((n = deb_piece(&d, &piece, &err)) > 0)
		;
	ck_assert_int_eq(n, -EBADMSG);
	ck_assert_msg(str_starts(err_text(&err), "bad package 'cut off': its tar file cannot be read: "),
		      "%s", err_text(&err));
}
END_TEST

/* ---- what goes wrong ---- */

START_TEST(one_that_dies)
{
	cleanup_free char *text = large();
	const struct item data[] = { FILE_("./a", text), END };
	cleanup_close int fd = deb_of("a", "", NULL, data);
	struct deb_entry entry;
	const char *piece;
	ssize_t n;

	start(deb_reader_work);
	ck_ok(open_with(fd, "the package"), &err);
	ck_ok(deb_data(&d, &err), &err);
	ck_assert_int_eq(deb_next(&d, &entry, &err), 1);
	ck_assert_int_eq(kill(reader.peer.pid, SIGKILL), 0);
	while ((n = deb_piece(&d, &piece, &err)) > 0)
		;
	ck_assert_int_eq(n, -EBADMSG);
	ck_assert_str_eq(err_text(&err), "cannot read packages: the process for it ended early "
			 "(killed by signal 9 (Killed)); it was at 'the package'");
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

static int sleep_on(void *arg, struct strbuf *out, struct error *e)
{
	char c;
	int fd;

	(void)arg;
	(void)out;
	(void)e;
	while (worker_asked(&c, 1, &fd) > 0)
		;
	return 0;
}

START_TEST(one_that_sleeps)
{
	cleanup_close int fd = memfd_with("a", "", 0, &err);
	atomic_bool stop = false;

	ck_ok(deb_reader_start(&reader, sleep_on, NULL, &stop, &err), &err);
	ck_ok(worker_ready(&reader.peer, &err), &err);
	atomic_store(&stop, true);
	ck_fails(open_with(fd, "a"), ECANCELED, "given up", &err);
	deb_close(&d);
	deb_reader_end(&reader);
	start(sleep_on);
	interrupt_begin();
	raise(SIGINT);
	ck_fails(open_with(fd, "a"), EINTR, "interrupted", &err);
}
END_TEST

START_TEST(one_that_sleeps_too_long)
{
	cleanup_close int fd = memfd_with("a", "", 0, &err);

	start(sleep_on);
	ck_assert_uint_gt(reader.worker.patience, 60);
	reader.worker.patience = 1;
	ck_fails(open_with(fd, "the package"), EBADMSG, "cannot read packages: the process for it "
		 "slept for 1 s instead of answering; it was at 'the package'", &err);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

/* ---- what they can do ---- */

static int try_all(void *arg, struct strbuf *out, struct error *e)
{
	struct deb_reader *r = arg;
	struct deb_filler f = { .slots = r->slots };
	char text[600];
	struct msghdr m = { 0 };
	int fd;

	(void)e;
	if (worker_asked(text, sizeof(text), &fd) <= 0)
		return 0;
	refused_try(out);
	if (write(fd, "x", 1) >= 0)
		sb_adds(out, "write to the package ");
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED)
		sb_adds(out, "memory of the package ");
	if (ftruncate(fd, 0) == 0)
		sb_adds(out, "cut the package off ");
	if (recvmsg(0, &m, 0) >= 0 || errno != ENOSYS)
		sb_adds(out, "receive ");
	if (sendmsg(WORKER_SOCKET, &m, 0) >= 0 || errno != ENOSYS)
		sb_adds(out, "send ");
	if (read(fd, text, 1) != 1)
		sb_adds(out, "not to read ");
	(void)deb_put_error(&f, &(struct error){ .errnum = EFBIG,
						 .text = out->len ? out->s : (char[]){ "none" } });
	return worker_say(&(uint32_t){ (uint32_t)f.at }, sizeof(uint32_t));
}

START_TEST(nothing_is_in_reach_but_the_package)
{
	cleanup_close int fd = memfd_with("a", "package", 7, &err);

	refused_begin();
	/* before: not closed, as it is for others to see */
	ck_ok(deb_reader_start(&reader, try_all, NULL, NULL, &err), &err);
	ck_ok(worker_ready(&reader.peer, &err), &err);
	ck_assert_int_eq(open_with(fd, "a"), -EFBIG);
	ck_assert_str_eq(err_text(&err), "none");
	refused_end();
}
END_TEST

/* ---- what one says that was taken over ---- */

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
	Suite *suite = suite_create("deb");
	TCase *t = tcase_create("readers");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, as_if_it_were_read_here);
	tcase_add_test(t, a_package_may_be_left);
	tcase_add_test(t, a_reader_is_waited_for);
	tcase_add_test(t, a_broken_package_has_its_cause);
	tcase_add_test(t, one_that_dies);
	tcase_add_test(t, one_that_sleeps);
	tcase_add_test(t, one_that_sleeps_too_long);
	tcase_add_test(t, nothing_is_in_reach_but_the_package);
	suite_add_tcase(suite, t);
	t = tcase_create("taken over");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, lies_are_found, 0, (int)ARRAY_SIZE(lies));
	tcase_add_loop_test(t, lies_are_told_apart, 0, (int)ARRAY_SIZE(lies));
	tcase_add_test(t, errors_are_one_line);
	tcase_add_test(t, it_may_change_its_mind);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
