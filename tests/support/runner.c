// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Integration tests under check.  Each shell function test_NAME of the scripts it is
 * given is one test, called AREA.NAME, and runs in a bash of its own (set -euo pipefail,
 * after tests/support/lib.sh) as an ordinary user under a container's system call filter:
 *
 *  - started as root, as uid and gid 65534 without groups, capabilities or the means to
 *    gain any, with /dev/shm a 64 MB noexec tmpfs and without /dev/kvm and /dev/net/tun;
 *    otherwise as the user who runs it;
 *  - $T, its working directory, is its own and empty; so are HOME, TMPDIR and the XDG
 *    folders, except XDG_CACHE_HOME, which all tests share and which is kept (kernels are
 *    expensive); $UMLCAGE is the program, $TESTS_DIR has a copy of tests/;
 *  - it passes if it ends with status 0 and leaves nothing: no process, and no file in
 *    TMPDIR, XDG_RUNTIME_DIR and /dev/shm apart from lock files and empty directories.
 *
 * Comment lines right above a function say more:
 *
 *	# limit: SECONDS	time limit, 300 unless told; grows with UMLCAGE_TEST_SCALE
 *	# user: root		runs as the user of the runner, unfiltered; needs root
 *	# namespaces: yes	runs as an ordinary user, unfiltered: where the host lets him, he
 *				has namespaces
 *	# leaves: REASON	no look for leftovers
 *	# reports: REASON	no look for what the kernel reports
 *
 * A script whose tests need a kernel and a root has the line "# needs: build"; the tests of
 * build.sh, which make these, then run too, and first.
 *
 * UMLCAGE_TEST_LACKS pretends that the host lacks something, in all tests: what tests/support/lacks.c
 * knows ("landlock=N", "filter"), or "userns".  Without filters umlcage runs cages with --ptrace.
 * What a test then cannot show, it says in a comment line, and is left out for that reason:
 *
 *	# without filter: REASON
 *
 * A test skips with `host_cannot REASON` if the host truly cannot; status 77 in any other
 * way is a failure.  Output is shown of failed tests only.  Descriptor 3, where there is
 * one, gets a line per test as it ends, with what the test said to `remark`.
 *
 *	runner DIRECTORY CACHE SCRIPT...	(see tests/support/integration)
 *
 * With UMLCAGE_TEST_REPORTS, a test also fails if the kernel of one of its cages reports a
 * mistake of its own, and may take REPORTS_SLOWER times as long: for the debugging kernel.
 *
 * TESTS=PATTERN picks tests by a shell pattern for a part of their name; KEEP=1 keeps the
 * folders of failed tests.
 */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

enum { NOBODY = 65534, DEFAULT_LIMIT = 300, GRACE_MS = 3000, REPORTS_SLOWER = 6, OUTPUT_MAX = 64 << 10 };

struct test {
	char *script, *function, *name;
	unsigned int limit;
	bool as_root, leaves, reports;
	bool unfiltered;	/* may have namespaces if the host lets users */
	bool in_cage;	/* of a script that says "# needs: build" */
	char *lacks;	/* what the pretended host lacks for it, and why that is; NULL: nothing */
};

static struct test *tests;
static size_t ntests;
static const char *top, *cache;
static bool own_shm;

static bool want_reports(void)
{
	return getenv("UMLCAGE_TEST_REPORTS") != NULL;
}

/* What the host is to lack: NULL if nothing. */
static const char *pretended(void)
{
	const char *lacks = getenv("UMLCAGE_TEST_LACKS");

	return lacks && *lacks ? lacks : NULL;
}

static bool pretends(const char *what)
{
	const char *lacks = pretended();
	const char *at = lacks ? strstr(lacks, what) : NULL;

	return at && (!at[strlen(what)] || strchr(" =", at[strlen(what)]));
}

static bool as_nobody(const struct test *t)
{
	return geteuid() == 0 && !t->as_root;
}

/* "run.exit_status" from "…/run.sh" and "test_exit_status" */
static char *name_of(const char *script, const char *function)
{
	const char *base = strrchr(script, '/') ? strrchr(script, '/') + 1 : script;

	return xasprintf("%.*s.%s", (int)strcspn(base, "."), base, function + strlen("test_"));
}

static bool is_build(const struct test *t)
{
	return str_starts(t->name, "build.");
}

static void add_test(const char *script, const char *line, const struct test *notes)
{
	const char *pattern = getenv("TESTS");
	cleanup_free char *glob = xasprintf("*%s*", pattern ? pattern : "");
	struct test t = *notes;

	t.script = xstrdup(script);
	t.function = xstrndup(line, strcspn(line, " ()"));
	t.name = name_of(script, t.function);
	if (fnmatch(glob, t.name, 0) == 0 || is_build(&t)) {
		tests = xreallocarray(tests, ntests + 1, sizeof(*tests));
		tests[ntests++] = t;
	}
}

/* Tests of build.sh that no other test is there for are dropped, unless they are meant. */
static void drop_idle_builds(void)
{
	const char *pattern = getenv("TESTS");
	bool needed = !pattern || !*pattern;
	size_t kept = 0;

	for (size_t i = 0; i < ntests; i++)
		needed |= tests[i].in_cage;
	for (size_t i = 0; i < ntests; i++)
		if (needed || !is_build(&tests[i]))
			tests[kept++] = tests[i];
	ntests = kept;
}

/* Those of build.sh come before whatever their kernel and root are for. */
static void builds_first(void)
{
	struct test *sorted = xcalloc(ntests + 1, sizeof(*sorted));
	size_t n = 0;

	for (int builds = 1; builds >= 0; builds--)
		for (size_t i = 0; i < ntests; i++)
			if (is_build(&tests[i]) == builds)
				sorted[n++] = tests[i];
	free(tests);
	tests = sorted;
}

/* @seconds for the rounds of a test, of which UMLCAGE_TEST_SCALE may ask for more than usual. */
static unsigned int scaled(unsigned int seconds)
{
	const char *percent = getenv("UMLCAGE_TEST_SCALE");
	unsigned int scale = percent ? (unsigned int)atoi(percent) : 0;

	if (scale > 100)
		seconds = seconds * scale / 100;
	return want_reports() ? seconds * REPORTS_SLOWER : seconds;
}

/* "filter: REASON" */
static void note_lack(struct test *notes, const char *text)
{
	cleanup_free char *what = xstrndup(text, strcspn(text, ":"));

	if (!notes->lacks && pretends(what))
		notes->lacks = xasprintf("without %s", text);
}

/* Lists the tests of a script, each with the comment lines right above it. */
static int read_script(const char *script)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_error struct error e = ERROR_INIT;
	bool in_cage;

	if (file_read(AT_FDCWD, script, 1 << 20, &text, &e) < 0) {
		fprintf(stderr, "runner: %s\n", err_text(&e));
		return -1;
	}
	in_cage = strstr(sb_str(&text), "\n# needs: build\n") != NULL;
	strv_split(&lines, sb_str(&text), "\n");

	struct test notes = { .limit = scaled(DEFAULT_LIMIT), .in_cage = in_cage };

	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i];

		if (str_starts(line, "# limit: "))
			notes.limit = scaled((unsigned int)atoi(line + strlen("# limit: ")));
		else if (str_starts(line, "# user: root"))
			notes.as_root = true;
		else if (str_starts(line, "# namespaces: "))
			notes.unfiltered = true;
		else if (str_starts(line, "# leaves: "))
			notes.leaves = true;
		else if (str_starts(line, "# reports: "))
			notes.reports = true;
		else if (str_starts(line, "# without "))
			note_lack(&notes, line + strlen("# without "));
		else if (str_starts(line, "test_") && strstr(line, "()"))
			add_test(script, line, &notes);
		if (line[0] == '#')
			continue;
		notes = (struct test){ .limit = scaled(DEFAULT_LIMIT), .in_cage = in_cage };
	}
	return 0;
}

static void mount_shm(void)
{
	own_shm = mount("shm", "/dev/shm", "tmpfs", MS_NOEXEC | MS_NOSUID | MS_NODEV,
			"size=64m,mode=1777") == 0;
}

/*
 * As root: continues in a child that is process 1 of a namespace of its own, so that with
 * the runner everything of the tests ends, whatever ends the runner.  Otherwise the shells
 * of the tests at least die with it.
 */
static void own_processes(void)
{
	pid_t pid;
	int status;

	if (geteuid() != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS) < 0)
		return;
	pid = fork();
	if (pid < 0)
		return;
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		fprintf(stderr, "runner: no process namespace of its own: %s\n", strerror(errno));
}

/* What a container looks like; needs root, and is what the tests get without it anyway. */
static void confine_mounts(void)
{
	static const char *const hidden[] = { "/dev/kvm", "/dev/net/tun", "/dev/fuse" };

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		fprintf(stderr, "runner: /dev/shm stays as it is: %s\n",
			geteuid() ? "not root" : strerror(errno));
		return;
	}
	mount_shm();
	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (access(hidden[i], F_OK) == 0 &&
		    mount("/dev/null", hidden[i], NULL, MS_BIND, NULL) < 0)
			fprintf(stderr, "runner: cannot hide '%s': %s\n", hidden[i], strerror(errno));
}

static char *own_dir(const char *parent, const char *name, const struct test *t)
{
	char *dir = path_join(parent, name);

	if (mkdir(dir, 0700) < 0 || (as_nobody(t) && chown(dir, NOBODY, NOBODY) < 0))
		ck_abort_msg("cannot make '%s': %s", dir, strerror(errno));
	return dir;
}

static void put_env(struct strv *env, const char *name)
{
	const char *value = getenv(name);

	if (value)
		strv_addf(env, "%s=%s", name, value);
}

static void fill_env(struct strv *env, const char *dir)
{
	static const char *const kept[] = {
		"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
		"UMLCAGE_MIRROR", "UMLCAGE_TEST_SCALE", "UMLCAGE_TEST_KERNEL", "UMLCAGE_TEST_ROOT",
		"UMLCAGE_TEST_REPORTS", "UMLCAGE_TEST_SEED", "SOURCE_DATE_EPOCH", "ASAN_OPTIONS",
	};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		put_env(env, kept[i]);
	strv_addf(env, "PATH=%s/inst/usr/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", top);
	strv_addf(env, "UMLCAGE=%s/inst/usr/bin/umlcage", top);
	strv_addf(env, "TESTS_DIR=%s/tests", top);
	strv_addf(env, "GUEST_PROGRAMS=%s/guest", top);
	strv_addf(env, "HOST_PROGRAMS=%s/host", top);
	strv_addf(env, "T=%s/work", dir);
	strv_addf(env, "HOME=%s/home", dir);
	strv_addf(env, "TMPDIR=%s/tmp", dir);
	strv_addf(env, "XDG_RUNTIME_DIR=%s/run", dir);
	strv_addf(env, "XDG_DATA_HOME=%s/home/data", dir);
	strv_addf(env, "XDG_STATE_HOME=%s/home/state", dir);
	strv_addf(env, "XDG_CACHE_HOME=%s", cache);
	if (own_shm)
		strv_add(env, "OWN_SHM=1");
	if (want_reports())
		strv_addf(env, "UMLCAGE_CONSOLE=%s/console", dir);
	if (pretends("filter"))
		strv_addf(env, "UMLCAGE_CONFIG=%s/tests/support/ptrace.conf", top);
	strv_add(env, "LC_ALL=C.UTF-8");
	strv_add(env, "TERM=xterm");
}

static void fill_argv(struct strv *argv, const struct test *t)
{
	if (as_nobody(t)) {
		strv_split(argv, "setpriv --reuid 65534 --regid 65534 --clear-groups "
			   "--no-new-privs --bounding-set=-all", " ");
	}
	if (!t->as_root && (!t->unfiltered || pretends("userns")))
		strv_addf(argv, "%s/container-filter", top);
	/* from here on, so that the filter above is real */
	if (pretended()) {
		strv_add(argv, "env");
		strv_addf(argv, "LD_PRELOAD=%s/host/lacks.so", top);
		strv_addf(argv, "UMLCAGE_TEST_LACKS=%s", pretended());
	}
	strv_split(argv, "bash -euo pipefail -c", " ");
	strv_add(argv, ". \"$1\"; . \"$2\"; \"$3\"");
	strv_add(argv, t->name);
	strv_addf(argv, "%s/tests/support/lib.sh", top);
	strv_add(argv, t->script);
	strv_add(argv, t->function);
}

static pid_t start(const struct test *t, const char *dir, int log)
{
	cleanup_free char *work = path_join(dir, "work");
	cleanup_strv struct strv argv = STRV_INIT, env = STRV_INIT;

	fill_argv(&argv, t);
	fill_env(&env, dir);

	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY);

		if (setsid() < 0 || chdir(work) < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 ||
		    dup2(log, 2) < 0)
			_exit(126);
		close_range(3, ~0U, 0);
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* tests send these, whatever nohup or a shell's & had ignored before */
		signal(SIGHUP, SIG_DFL);
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		execvpe(argv.v[0], strv_argv(&argv), strv_argv(&env));
		_exit(127);
	}
	return pid;
}

/* The descendants that came to us when their parents died, and our own children. */
static size_t children(pid_t *pids, size_t max, struct strbuf *names)
{
	cleanup_strbuf struct strbuf list = STRBUF_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *path = xasprintf("/proc/self/task/%d/children", (int)getpid());
	size_t n = 0;

	(void)file_read(AT_FDCWD, path, 1 << 20, &list, NULL);
	strv_split(&words, sb_str(&list), " ");
	for (; n < words.n && n < max; n++) {
		cleanup_free char *file = xasprintf("/proc/%s/cmdline", words.v[n]);
		cleanup_strbuf struct strbuf line = STRBUF_INIT;

		pids[n] = (pid_t)atoi(words.v[n]);
		if (!names)
			continue;
		(void)file_read(AT_FDCWD, file, 1 << 16, &line, NULL);
		for (size_t i = 0; i + 1 < line.len; i++)
			if (!line.s[i])
				line.s[i] = ' ';
		sb_addf(names, "%s%s (%.150s)", names->len ? ", " : "", words.v[n], sb_str(&line));
	}
	return n;
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Whatever still runs gets a moment to end by itself, is then named and killed. */
static void end_strays(struct strbuf *names, int grace_ms)
{
	int64_t until = clock_ms() + grace_ms;
	pid_t pids[64];
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (reap(); children(pids, 64, NULL) && clock_ms() < until; reap())
		(void)sigtimedwait(&chld, NULL, &(struct timespec){ 0, 50 * 1000 * 1000 });
	for (size_t n; (n = children(pids, 64, names)) != 0; names = NULL) {
		for (size_t i = 0; i < n; i++)
			kill(pids[i], SIGKILL);
		for (size_t i = 0; i < n; i++)
			waitpid(pids[i], NULL, 0);
	}
}

/* Names every file below @dir that is neither a directory nor a lock. */
static void find_leftovers(const char *dir, struct strbuf *names)
{
	DIR *d = opendir(dir);

	for (struct dirent *entry; d && (entry = readdir(d)) != NULL;) {
		cleanup_free char *path = path_join(dir, entry->d_name);
		struct stat st;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") || lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			find_leftovers(path, names);
		else if (!str_ends(entry->d_name, "lock"))
			sb_addf(names, "%s%s", names->len ? ", " : "", path);
	}
	if (d)
		closedir(d);
}

/* 0 ended, -ETIMEDOUT; @status as of waitpid() */
static int wait_for(pid_t pid, unsigned int limit, int *status)
{
	int64_t until = clock_ms() + (int64_t)limit * 1000;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		pid_t got;

		/* what a test leaves comes to us: it may be waiting for that to be gone */
		while ((got = waitpid(-1, status, WNOHANG)) > 0)
			if (got == pid)
				return 0;
		if (clock_ms() >= until)
			return -ETIMEDOUT;
		(void)sigtimedwait(&chld, NULL, &(struct timespec){ 0, 200 * 1000 * 1000 });
	}
}

/* The first report of a kernel on the consoles of the test, or NULL; adds them to its log. */
static char *find_report(const char *dir)
{
	static const char *const signs[] = {
		"BUG: ", "WARNING: ", "INFO: possible", "INFO: task ", "INFO: trying", "KASAN",
		"Oops", "kmemleak", "suspicious RCU", "Call Trace", "possible recursive",
		"scheduling while atomic", "MAX_LOCKDEP", "list_add corruption", "list_del corruption",
	};
	cleanup_free char *path = path_join(dir, "console"), *log = path_join(dir, "log");
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	if (file_read(AT_FDCWD, path, 64 << 20, &text, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		const char *at = strstr(sb_str(&text), signs[i]);
		cleanup_close int fd = at ? open(log, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

		if (!at)
			continue;
		(void)write_full(fd, at, strlen(at));
		return xasprintf("the kernel reports '%.*s'", (int)strcspn(at, "\r\n"), at);
	}
	return NULL;
}

static void show_output(const char *log)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	(void)file_read(AT_FDCWD, log, 64 << 20, &text, NULL);

	size_t from = text.len > OUTPUT_MAX ? text.len - OUTPUT_MAX : 0;

	printf("%s", from ? "[...]" : "");
	fwrite(sb_str(&text) + from, 1, text.len - from, stdout);
	if (text.len && text.s[text.len - 1] != '\n')
		putchar('\n');
}

static void say(const char *verdict, const struct test *t, int64_t began, const char *why)
{
	dprintf(3, "  %-7s %-44s %6.1f s%s%s\n", verdict, t->name,
		(double)(clock_ms() - began) / 1000, why ? "  " : "", why ? why : "");
}

/* Why the test failed, or NULL; *@skipped says why the host cannot. */
static char *verdict(const struct test *t, const char *dir, int ret, int status, char **skipped)
{
	cleanup_strbuf struct strbuf strays = STRBUF_INIT, files = STRBUF_INIT, reason = STRBUF_INIT;
	cleanup_free char *run = path_join(dir, "run"), *tmp = path_join(dir, "tmp");
	cleanup_free char *cannot = path_join(dir, "home/.host-cannot");

	if (t->leaves && ret == 0) {
		end_strays(NULL, 0);
	} else {
		end_strays(&strays, ret == 0 ? GRACE_MS : 0);
		find_leftovers(run, &files);
		find_leftovers(tmp, &files);
		if (own_shm)
			find_leftovers("/dev/shm", &files);
	}
	if (own_shm && umount("/dev/shm") == 0)
		mount_shm();
	if (ret == -ETIMEDOUT)
		return xasprintf("not done within its %u seconds; running: %s", t->limit,
				 sb_str(&strays));
	if (WIFSIGNALED(status))
		return xasprintf("killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == 77 && file_read(AT_FDCWD, cannot, 4096, &reason, NULL) == 0) {
		reason.s[strcspn(reason.s, "\n")] = '\0';
		*skipped = sb_steal(&reason);
		return NULL;
	}
	if (WEXITSTATUS(status) == 77)
		return xstrdup("skipped without saying what the host cannot do");
	if (WEXITSTATUS(status))
		return xasprintf("exit status %d", WEXITSTATUS(status));
	if (strays.len)
		return xasprintf("left processes behind: %s", sb_str(&strays));
	if (files.len)
		return xasprintf("left files behind: %s", sb_str(&files));
	return want_reports() && !t->reports ? find_report(dir) : NULL;
}

/* What the test told remark, or NULL. */
static char *remark(const char *dir)
{
	cleanup_free char *path = path_join(dir, "home/.remark");
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return NULL;
	text.s[strcspn(text.s, "\n")] = '\0';
	return sb_steal(&text);
}

START_TEST(run_test)
{
	const struct test *t = &tests[_i];
	cleanup_free char *number = xasprintf("%d", _i);
	cleanup_free char *dir = own_dir(top, number, t);
	cleanup_free char *log = path_join(dir, "log");
	int64_t began = clock_ms();
	char *skipped = NULL;
	int status = 0, ret;
	sigset_t chld;

	if (t->as_root && geteuid() != 0) {
		say("skipped", t, began, "needs root");
		return;
	}
	if (t->lacks) {
		say("skipped", t, began, t->lacks);
		return;
	}
	free(own_dir(dir, "work", t));
	free(own_dir(dir, "home", t));
	free(own_dir(dir, "tmp", t));
	free(own_dir(dir, "run", t));

	cleanup_close int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	if (as_nobody(t))
		ck_assert_int_eq(fchown(fd, NOBODY, NOBODY), 0);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	ret = wait_for(start(t, dir, fd), t->limit, &status);

	cleanup_free char *why = verdict(t, dir, ret, status, &skipped);
	cleanup_free char *more = remark(dir);

	say(why ? "FAILED" : skipped ? "skipped" : "ok", t, began, why ? why : skipped ? skipped : more);
	if (why) {
		printf("--- %s\n", t->name);
		show_output(log);
		fflush(stdout);
	}
	free(skipped);
	if (!why || !getenv("KEEP"))
		(void)remove_tree(AT_FDCWD, dir, NULL);
	ck_assert_msg(!why, "%s: %s", t->name, why);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: runner DIRECTORY CACHE SCRIPT...\n");
		return 2;
	}
	top = argv[1];
	cache = argv[2];
	for (int i = 3; i < argc; i++)
		if (read_script(argv[i]) < 0)
			return 2;
	drop_idle_builds();
	builds_first();
	own_processes();
	confine_mounts();

	Suite *s = suite_create("integration");

	for (size_t i = 0; i < ntests; i++) {
		TCase *tc = tcase_create(tests[i].name);

		tcase_set_timeout(tc, tests[i].limit + 30);
		tcase_add_loop_test(tc, run_test, (int)i, (int)i + 1);
		suite_add_tcase(s, tc);
	}

	SRunner *runner = srunner_create(s);

	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_ENV);

	int failed = srunner_ntests_failed(runner);

	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
