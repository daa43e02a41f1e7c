/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests that fetch: a signed archive made for the occasion (make-archive), on a
 * disk and on a web server of the loopback whose faults are part of the address
 * (http-server), and sessions with it, each test with a cache of its own.  For one
 * program each, hence all static.
 */
#ifndef TESTS_SUPPORT_ARCHIVE_FIXTURE_H
#define TESTS_SUPPORT_ARCHIVE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

static struct error err = ERROR_INIT;
static char top[UNIT_PATH];	/* everything is below */
static char *fixture, *server_log;	/* the archive on disk; the requests so far */
static unsigned int port;
static char *cache;	/* each test's own */
static struct strv key = STRV_INIT;

#define OK(call) ck_ok(call, &err)
#define FAILS(call, errnum, part) ck_fails(call, errnum, part, &err)

/* ---- tools ---- */

static void run(const char *const *words)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int status;

	strv_addv(&argv, words);
	OK(proc_capture(strv_argv(&argv), 65536, &out, NULL, &status, &err));
	ck_assert_msg(status == 0, "%s: %s", words[0], sb_str(&out));
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })
#define MAKE_ARCHIVE "tests/support/make-archive"

static char *web(const char *mode)
{
	return xasprintf("http://127.0.0.1:%u/%s", port, mode);
}

/* How many requests of the log so far have @part in them. */
static unsigned int requests(const char *part)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	unsigned int n = 0;

	(void)file_read(AT_FDCWD, server_log, 1 << 24, &text, NULL);
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		n += strstr(lines.v[i], part) != NULL;
	return n;
}

struct session {
	struct debian_config config;
	struct debian_sources sources;
	struct debian_archive *a;
};

static void session_open(struct session *s, const char *uri)
{
	*s = (struct session){ .config = { .cache = cache, .keyrings = &key, .stall_seconds = 1 } };
	ck_assert_ptr_nonnull(debian_sources_add(&s->sources, uri, "pen", "main", &err));
}

static int session_update(struct session *s)
{
	int ret;

	if (!s->a) {
		ret = debian_archive_open(&s->config, &s->sources, &s->a, &err);
		if (ret < 0)
			return ret;
	}
	return debian_archive_update(s->a, &err);
}

static void session_close(struct session *s)
{
	debian_archive_close(s->a);
	debian_sources_release(&s->sources);
}

/* A session at @uri that is up to date. */
static void session_start(struct session *s, const char *uri)
{
	session_open(s, uri);
	OK(session_update(s));
}

static void session_web(struct session *s, const char *mode)
{
	cleanup_free char *uri = web(mode);

	session_start(s, uri);
}

/* Updating at @mode fails so; nothing is left that counts. */
static void update_fails(const char *mode, int errnum, const char *part)
{
	cleanup_free char *uri = web(mode);
	struct session s;

	session_open(&s, uri);
	s.config.retries = 1;
	FAILS(session_update(&s), errnum, part);
	session_close(&s);
}

static struct strv names;	/* filenames of items, until the end */

static struct debian_item item_of(struct session *s, const char *pattern)
{
	struct debian_package p = DEBIAN_PACKAGE_INIT;
	struct debian_item item;

	OK(debian_find_newest(s->a, pattern, &p, &err));
	item = (struct debian_item){ .uri = p.index->base, .filename = p.filename, .size = p.size,
				  .fd = -1 };
	memcpy(item.sum, p.sum, sizeof(item.sum));
	strv_take(&names, steal_ptr(&p.filename));
	debian_package_release(&p);
	return item;
}

static int check_fd(struct debian_item *item, void *arg, struct error *e)
{
	unsigned int *seen = arg;

	(void)e;
	ck_assert_int_eq(hash_matches(item->fd, item->size, item->sum), 1);
	ck_assert_int_eq(lseek(item->fd, 0, SEEK_CUR), 0);
	++*seen;
	return 0;
}

static int fetch_one(struct session *s, const char *pattern)
{
	struct debian_item item = item_of(s, pattern);
	unsigned int seen = 0;
	int ret = debian_fetch(s->a, &item, 1, check_fd, &seen, &err);

	ck_assert_uint_eq(seen, ret == 0);
	return ret;
}

static bool in_cache(struct session *s, const char *pattern)
{
	struct debian_item item = item_of(s, pattern);
	cleanup_free char *path = debian_item_path(s->a, item.sum);

	return access(path, F_OK) == 0;
}

static uint64_t partial_bytes(struct session *s, const char *pattern)
{
	struct debian_item item = item_of(s, pattern);
	cleanup_free char *path = xasprintf("%s/archives/partial/%s.deb", cache, item.sum);
	struct stat st;

	return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* A copy of the archive to spoil. */
static char *copy_fixture(const char *name)
{
	char *dir = path_join(top, name);

	RUN("cp", "-a", fixture, dir);
	return dir;
}

static void setup(void)
{
	static char template[UNIT_PATH + 16];

	snprintf(template, sizeof(template), "%s/cache-XXXXXX", top);
	cache = mkdtemp(template);
	ck_assert_ptr_nonnull(cache);
	OK(truncate(server_log, 0));
}

static TCase *cases(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 180);	/* make-archive takes its time on a busy machine */
	return t;
}

/* Starts the server; *@stop ends it when closed. */
static int start_server(pid_t *pid, int *stop)
{
	char *argv[] = { (char[]){ "tests/support/http-server" }, fixture, server_log, NULL };
	int in[2], out[2];
	char line[32] = "";

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return err_sys(&err, errno, "pipe");

	struct proc_fd fds[] = { { in[0], 0 }, { out[1], 1 }, { 2, 2 } };
	struct proc_opts opts = { .argv = argv, .fds = fds, .nfds = 3 };
	int ret = proc_start(&opts, pid, NULL, &err);

	close(in[0]);
	close(out[1]);
	*stop = in[1];
	for (size_t n = 0; ret == 0 && n < sizeof(line) - 1 && !strchr(line, '\n'); n++)
		if (read(out[0], line + n, 1) != 1)
			ret = err_set(&err, EIO, "the server says nothing");
	close(out[0]);
	port = (unsigned int)atoi(line);
	return ret;
}

static int make_fixture(void)
{
	char *argv[] = { (char[]){ MAKE_ARCHIVE }, fixture, NULL };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int status, ret = proc_capture(argv, 65536, &out, NULL, &status, &err);

	if (ret == 0 && status != 0)
		ret = err_set(&err, EIO, "make-archive: %s", sb_str(&out));
	return ret;
}

/* Makes all that, runs the tests that @add_tests adds, removes it. */
static int fixture_main(const char *name, void (*add_tests)(Suite *suite))
{
	Suite *suite = suite_create(name);
	int stop = -1, status, ret;
	pid_t pid = -1;
	char *tmp;

	(void)unsetenv("http_proxy");
	(void)unsetenv("no_proxy");
	tmp = unit_begin();
	if (!unit_make_dir(top, "archive"))
		return EXIT_FAILURE;
	fixture = path_join(top, "fixture");
	server_log = path_join(top, "log");
	strv_take(&key, path_join(fixture, "key.gpg"));
	ret = make_fixture();
	if (ret == 0)
		ret = file_replace(AT_FDCWD, server_log, "", 0, 0600, &err);
	if (ret == 0)
		ret = start_server(&pid, &stop);
	if (ret < 0) {
		fprintf(stderr, "%s\n", err_text(&err));
		unit_end(tmp);
		return EXIT_FAILURE;
	}
	add_tests(suite);
	ret = unit_run(suite);
	close(stop);
	(void)proc_wait(pid, &status, NULL);
	unit_end(tmp);
	return ret;
}

#pragma GCC diagnostic pop

#endif
