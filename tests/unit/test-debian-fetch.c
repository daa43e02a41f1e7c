// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fetching through every fault that can be cured, and the cache that runs share.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/debian-fixture.h"
#include "umlcage/base/interrupt.h"

/* ---- what works ---- */

static const char *const good_modes[] = {
	"plain", "norange", "nolength", "flaky", "redirect", "detached", "nohash", "cut", "stall",
};

START_TEST(packages_come_through_every_curable_fault)
{
	struct session s;
	const struct debian_index *indexes;

	session_web(&s, good_modes[_i]);
	ck_assert_uint_eq(debian_indexes(s.a, &indexes), 1);
	ck_assert_str_eq(indexes[0].component, "main");
	ck_assert_str_eq(indexes[0].architecture, debian_native_architecture());
	ck_assert_int_eq(hash_matches(indexes[0].fd, indexes[0].size, indexes[0].sum), 1);
	ck_assert_str_eq(debian_release_at(s.a, 0)->codename, "hutch");
	ck_assert_ptr_null(debian_release_at(s.a, 1));
	/* of the faults that recur, a megabyte would take too many turns */
	OK(fetch_one(&s, _i < 7 ? "pen-big" : "pen-gz"));
	OK(fetch_one(&s, "pen-versions"));
	ck_assert(in_cache(&s, "pen-versions"));
	session_close(&s);
}
END_TEST

START_TEST(a_directory_is_a_mirror)
{
	struct session s;

	session_start(&s, fixture);
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests(""), 0);
	session_close(&s);
}
END_TEST

START_TEST(the_second_time_only_asks_if_anything_changed)
{
	struct session s;

	session_web(&s, "plain");
	OK(fetch_one(&s, "pen-big"));
	session_close(&s);
	ck_assert_uint_eq(requests("GET"), 3);
	session_web(&s, "plain");
	OK(fetch_one(&s, "pen-big"));
	session_close(&s);
	ck_assert_uint_eq(requests("GET"), 4);
	ck_assert_uint_eq(requests("InRelease - 304"), 1);

	/* and without a network nothing at all */
	cleanup_free char *uri = web("plain");

	session_open(&s, uri);
	s.config.offline = true;
	OK(session_update(&s));
	OK(fetch_one(&s, "pen-big"));
	FAILS(fetch_one(&s, "pen-gz"), ENETDOWN, "not in the cache");
	session_close(&s);
	ck_assert_uint_eq(requests("GET"), 4);
}
END_TEST

START_TEST(many_packages_in_parallel)
{
	struct debian_item items[40];
	struct debian_package p = DEBIAN_PACKAGE_INIT;
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	const struct debian_index *index;
	unsigned int seen = 0;
	struct session s;
	size_t n = 0;

	session_web(&s, "plain");
	ck_assert_uint_eq(debian_indexes(s.a, &index), 1);
	deb822_init_fd(&d, index->fd, "index");
	while (n < ARRAY_SIZE(items) && deb822_next(&d, &err) > 0) {
		OK(debian_package_read(&p, &d, index, &err));
		items[n] = (struct debian_item){ .uri = index->base, .filename = p.filename,
					      .size = p.size };
		strv_take(&names, steal_ptr(&p.filename));
		memcpy(items[n++].sum, p.sum, sizeof(p.sum));
	}
	debian_package_release(&p);
	ck_assert_uint_eq(n, ARRAY_SIZE(items));
	OK(debian_fetch(s.a, items, n, check_fd, &seen, &err));
	ck_assert_uint_eq(seen, n);
	/* and from several threads' point of view: handed out once each */
	struct debian_transfer *t;
	struct debian_item *item;

	OK(debian_fetch_start(s.a, items, n, &t, &err));
	for (seen = 0; debian_fetch_next(t, &item, &err) > 0; seen++)
		close_fd(&item->fd);
	ck_assert_uint_eq(seen, n);
	ck_assert_int_eq(debian_fetch_next(t, &item, &err), 0);
	debian_fetch_end(t);
	session_close(&s);
}
END_TEST

static int refuse(struct debian_item *item, void *arg, struct error *e)
{
	(void)item;
	(void)arg;
	return err_set(e, EDOM, "no more, please");
}

START_TEST(the_caller_can_stop_it)
{
	struct debian_item items[2];
	struct session s;

	session_web(&s, "plain");
	items[0] = item_of(&s, "pen-big");
	items[1] = item_of(&s, "pen-gz");
	FAILS(debian_fetch(s.a, items, 2, refuse, NULL, &err), EDOM, "no more");
	session_close(&s);
}
END_TEST

START_TEST(the_newest_is_found)
{
	struct debian_package p = DEBIAN_PACKAGE_INIT;
	struct session s;

	session_start(&s, fixture);
	OK(debian_find_newest(s.a, "linux-source-[0-9]*", &p, &err));
	ck_assert_str_eq(p.name, "linux-source-9.1");
	ck_assert_str_eq(p.version, "9.1.2-1~bpo1+1");
	OK(debian_find_newest(s.a, "pen-versions", &p, &err));
	ck_assert_str_eq(p.version, "1:0.5-1");
	FAILS(debian_find_newest(s.a, "pen-nothing*", &p, &err), ENOENT, "pen-nothing*");
	debian_package_release(&p);
	session_close(&s);
}
END_TEST

START_TEST(a_proxy_from_the_environment_is_used)
{
	cleanup_free char *proxy = web("");
	struct session s;

	setenv("http_proxy", proxy, 1);
	session_start(&s, "http://mirror.invalid/plain");
	OK(fetch_one(&s, "pen-gz"));
	session_close(&s);
	ck_assert_uint_eq(requests("proxy GET plain"), 3);
	/* and left out where it is not wanted */
	setenv("no_proxy", "127.0.0.1", 1);
	session_web(&s, "plain");
	session_close(&s);
	ck_assert_uint_eq(requests("proxy GET"), 3);
}
END_TEST

/* Releases with binary-all apart, only zstd, without hash of the plain text listed. */
static const char *const shapes[][6] = {
	{ "--split-all", "--forms", ",.xz" },
	{ "--forms", ",.zst", "--hide-plain" },
	{ "--forms", ".gz" },
	{ "--forms", ".bz2,.xz", "--no-by-hash" },
	{ "--forms", "" },
};

START_TEST(indexes_in_every_shape)
{
	cleanup_free char *dir = xasprintf("%s/shape-%d", top, _i);
	cleanup_free char *keys = path_join(fixture, "gnupg"), *ours = path_join(dir, "gnupg");
	cleanup_strv struct strv argv = STRV_INIT;
	const struct debian_index *indexes;
	struct session s;

	OK(make_dirs(AT_FDCWD, dir, 0700, &err));
	RUN("cp", "-a", keys, ours);
	strv_addv(&argv, (const char *const[]){ MAKE_ARCHIVE, dir, NULL });
	strv_addv(&argv, shapes[_i]);
	run((const char *const *)strv_argv(&argv));
	session_start(&s, dir);
	ck_assert_uint_eq(debian_indexes(s.a, &indexes), _i == 0 ? 2 : 1);
	OK(fetch_one(&s, "pen-native"));
	OK(fetch_one(&s, "pen-gz"));
	session_close(&s);
}
END_TEST

/* ---- the cache ---- */

START_TEST(a_spoilt_cache_is_found_out)
{
	struct session s;
	struct debian_item item;

	session_web(&s, "plain");
	OK(fetch_one(&s, "pen-big"));
	item = item_of(&s, "pen-big");

	cleanup_free char *path = debian_item_path(s.a, item.sum);
	cleanup_close int fd = open(path, O_WRONLY);
	const struct debian_index *index;

	ck_assert_int_eq(pwrite(fd, "spoilt", 6, 1000), 6);
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb - 200"), 2);
	/* an index, too */
	ck_assert_uint_eq(debian_indexes(s.a, &index), 1);
	OK(truncate(index->path, 100));
	session_close(&s);
	session_web(&s, "plain");
	ck_assert_uint_eq(requests("by-hash"), 2);
	session_close(&s);
}
END_TEST

/* The mirror says that it is the newest; it is not what it was. */
START_TEST(a_spoilt_release_is_fetched_again)
{
	struct session s;

	session_web(&s, "plain");
	session_close(&s);
	cleanup_free char *spoil = xasprintf("cd %s/indexes && f=$(ls *_InRelease) && touch -r $f time && "
					     "sed -i 's/^Suite: pen/Suite: pan/' $f && touch -r time $f",
					     cache);

	ck_assert_int_eq(system(spoil), 0);
	session_web(&s, "plain");
	ck_assert_uint_eq(requests("InRelease - 304"), 1);
	ck_assert_uint_eq(requests("InRelease - 200"), 2);
	session_close(&s);
}
END_TEST

START_TEST(what_is_left_of_a_download_is_resumed)
{
	struct session s;
	struct debian_item item;

	session_web(&s, "plain");
	item = item_of(&s, "pen-big");

	cleanup_free char *deb = path_join(fixture, item.filename);
	cleanup_free char *part = xasprintf("%s/archives/partial/%s.deb", cache, item.sum);

	RUN("cp", deb, part);
	OK(truncate(part, 1000000));
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("bytes=1000000- 206"), 1);

	/* a part that is wrong costs a second try, not the download */
	cleanup_free char *done = debian_item_path(s.a, item.sum);

	OK(rename(done, part));
	OK(truncate(part, 1000000));
	cleanup_close int fd = open(part, O_WRONLY);

	ck_assert_int_eq(pwrite(fd, "spoilt", 6, 1000), 6);
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("bytes=1000000- 206"), 2);
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb - 200"), 1);

	/* one that has it all needs no network */
	OK(rename(done, part));
	OK(fetch_one(&s, "pen-big"));
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb"), 3);
	session_close(&s);
}
END_TEST

START_TEST(runs_at_the_same_time_share_one_download)
{
	enum { RUNS = 5 };
	pid_t pids[RUNS];
	int status;

	for (int i = 0; i < RUNS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct session s;

			session_web(&s, "slow");
			OK(fetch_one(&s, "pen-big"));
			session_close(&s);
			_exit(0);
		}
	}
	for (int i = 0; i < RUNS; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(requests("pen-big_1.0_all.deb"), 1);
}
END_TEST

/* The mirror stalls halfway, so it is killed in the middle of the download. */
START_TEST(a_killed_run_is_carried_on_by_another)
{
	struct session s;
	uint64_t half;
	pid_t pid;
	int status;

	session_web(&s, "plain");
	half = item_of(&s, "pen-big").size / 2;
	pid = fork();
	if (pid == 0) {
		cleanup_free char *uri = web("stall");
		struct session own;

		session_open(&own, uri);
		own.config.stall_seconds = 600;
		OK(session_update(&own));
		_exit(fetch_one(&own, "pen-big") < 0);
	}
	while (partial_bytes(&s, "pen-big") < half)
		usleep(10000);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	OK(fetch_one(&s, "pen-big"));

	cleanup_free char *range = xasprintf("plain %s bytes=%llu- 206",
					     item_of(&s, "pen-big").filename,
					     (unsigned long long)half);

	ck_assert_uint_eq(requests(range), 1);
	session_close(&s);
}
END_TEST

/* The mirror stalls for good, so only the interrupt can end it. */
START_TEST(an_interrupt_ends_it)
{
	cleanup_free char *uri = web("stall");
	struct session s;

	session_web(&s, "plain");
	session_close(&s);
	session_open(&s, uri);
	s.config.stall_seconds = 600;
	OK(session_update(&s));
	interrupt_begin();
	ck_assert_int_eq(raise(SIGTERM), 0);
	FAILS(fetch_one(&s, "pen-big"), EINTR, "interrupted");
	session_close(&s);
	/* interrupt_end() would end this process, as it should */
}
END_TEST

START_TEST(silence_is_told_and_ends_soon)
{
	cleanup_free char *uri = web("silent");
	cleanup_free char *line = xasprintf("waiting for 127.0.0.1:%u, nothing received for 1 s\n",
					    port);
	cleanup_strbuf struct strbuf said = STRBUF_INIT;
	struct progress progress;
	int64_t start = clock_ms();
	struct session s;
	int fd = memfd_with("progress", "", 0, &err);

	progress_init(&progress, fd, 0);
	session_open(&s, uri);
	s.config.progress = &progress;
	s.config.stall_seconds = 3;	/* told after one, given up after twice three */
	s.config.retries = 20;
	FAILS(session_update(&s), ETIMEDOUT, "the mirror stalled, no data for");
	session_close(&s);
	ck_assert_int_ge(clock_ms() - start, 6000);
	ck_assert_uint_eq(requests("silent"), 2);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	OK(fd_read_all(fd, 65536, &said));
	ck_assert_msg(strstr(sb_str(&said), line) != NULL, "%s", sb_str(&said));
	/* less and less often */
	ck_assert_ptr_nonnull(strstr(sb_str(&said), "nothing received for 2 s\n"));
	ck_assert_ptr_nonnull(strstr(sb_str(&said), "nothing received for 4 s\n"));
	ck_assert_ptr_null(strstr(sb_str(&said), "nothing received for 3 s\n"));
	progress_end(&progress);
	close(fd);
}
END_TEST

/* A limit on the size of files stands in for a full disk. */
START_TEST(no_room_is_told_and_passes)
{
	struct rlimit old, small;
	struct session s;

	session_web(&s, "plain");
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 100000, old.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	FAILS(fetch_one(&s, "pen-big"), EFBIG, "cannot store 'pen-big_1.0_all.deb' in the cache");
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_uint_eq(partial_bytes(&s, "pen-big"), 0);
	OK(fetch_one(&s, "pen-big"));
	session_close(&s);
}
END_TEST

static void add_tests(Suite *suite)
{
	TCase *t = cases("works");

	tcase_add_loop_test(t, packages_come_through_every_curable_fault, 0,
			    ARRAY_SIZE(good_modes));
	tcase_add_test(t, a_directory_is_a_mirror);
	tcase_add_test(t, the_second_time_only_asks_if_anything_changed);
	tcase_add_test(t, many_packages_in_parallel);
	tcase_add_test(t, the_caller_can_stop_it);
	tcase_add_test(t, the_newest_is_found);
	tcase_add_test(t, a_proxy_from_the_environment_is_used);
	tcase_add_loop_test(t, indexes_in_every_shape, 0, ARRAY_SIZE(shapes));
	suite_add_tcase(suite, t);

	t = cases("cache");
	tcase_add_test(t, a_spoilt_cache_is_found_out);
	tcase_add_test(t, a_spoilt_release_is_fetched_again);
	tcase_add_test(t, what_is_left_of_a_download_is_resumed);
	tcase_add_test(t, runs_at_the_same_time_share_one_download);
	tcase_add_test(t, a_killed_run_is_carried_on_by_another);
	tcase_add_test(t, an_interrupt_ends_it);
	tcase_add_test(t, silence_is_told_and_ends_soon);
	tcase_add_test(t, no_room_is_told_and_passes);
	suite_add_tcase(suite, t);
}

int main(void)
{
	return fixture_main("archive-fetch", add_tests);
}
