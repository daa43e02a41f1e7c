// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages read by confined processes: what these say, what becomes of one that dies, and what one
 * can do.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tests/support/deb-fixture.h"
#include "tests/support/reader-fixture.h"
#include "tests/support/refused-calls.h"
#include "umlcage/base/interrupt.h"

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

	if (unit_without("filter", "nothing_is_in_reach_but_the_package"))
		return;
	refused_begin();
	/* before: not closed, as it is for others to see */
	ck_ok(deb_reader_start(&reader, try_all, NULL, NULL, &err), &err);
	ck_ok(worker_ready(&reader.peer, &err), &err);
	ck_assert_int_eq(open_with(fd, "a"), -EFBIG);
	ck_assert_str_eq(err_text(&err), "none");
	refused_end();
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
	return unit_run(suite);
}
