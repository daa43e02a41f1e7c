// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage session start: a cage in a process of its own, without a terminal.  It is made by
 * fork(), boots while this process waits and shows what it says, and goes on alone once it
 * serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/session.h"

enum { FILES = 16384 };		/* descriptors: several for each command, and the network's */

#define START(field, kind) OPT_##kind(struct session_options, field)

static const struct opt session_opts[] = {
	{ OPT_FLAG, 0, "init", NULL, OPT_BOOL(struct session_options, boot.init),
	  "start the root's own init (systemd), as PID 1 of all commands; on the kernel "
	  "'full' unless --kernel names another" },
	{ OPT_DURATION, 0, "idle-timeout", "TIME", START(idle_timeout, U64),
	  "end it when nobody has wanted anything for TIME (90, 1.5m, 2h)" },
	{ OPT_FLAG, 0, "at-login", NULL, START(at_login, BOOL),
	  "have the systemd of this user start it, now and at each login, by the unit "
	  "umlcage-session-NAME; 'session stop --at-login' takes that back" },
	OPT_END,
};

static const struct opt_group groups[] = {
	{ "the session", session_opts, 0 },
	{ "the root", places_opts, offsetof(struct session_options, boot.places) },
	{ "its commands", machine_env_opts, offsetof(struct session_options, boot.machine) },
	{ NULL, machine_socket_opts, offsetof(struct session_options, boot.machine) },
	{ "the network", machine_net_opts, offsetof(struct session_options, boot.machine) },
	{ NULL, machine_port_opts, offsetof(struct session_options, boot.machine) },
	{ NULL, machine_policy_opts, offsetof(struct session_options, boot.machine) },
	{ "the cage", machine_opts, offsetof(struct session_options, boot.machine) },
	{ NULL, boot_cage_opts, offsetof(struct session_options, boot) },
	{ "what is shown", boot_shown_opts, offsetof(struct session_options, boot) },
	{ NULL, NULL, 0 },
};

static const struct opt_spec spec = {
	.usage = "umlcage session start [options] [@PROFILE] [NAME]",
	.profiles = true,
	.summary = "Boots a cage that goes on when this command has ended, and prints its name.",
	.groups = groups,
	.epilogue = "Without NAME it is called s1, s2, ... Changes to its root are kept in memory, or as "
		    "--keep,\n--scratch and --commit say; 'umlcage session commit' makes a root of them "
		    "at any time.",
};

/* ---- the session's process ---- */

/* What the process says to the one that waits for it. */
struct verdict {
	int ret;		/* 0: it serves; 1: it was said why it does not; -errno */
	int kind;		/* enum error_kind */
	char text[4000];	/* all of it less than PIPE_BUF */
};

static int tell(int fd, int ret, const struct error *e)
{
	int sent;

	struct verdict v = { .ret = ret, .kind = e ? (int)err_kind(e) : 0 };

	if (e)
		snprintf(v.text, sizeof(v.text), "%s", err_text(e));
	sent = write_full(fd, &v, sizeof(v));
	close(fd);
	return sent;
}

static void to_log(struct boot *b, int log)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)dup2(null, STDIN_FILENO);
	(void)dup2(log, STDOUT_FILENO);
	(void)dup2(log, STDERR_FILENO);
	close_fd(&null);
	(void)chdir("/");
	progress_init(&b->progress, STDERR_FILENO, 0);
}

static void more_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur >= FILES)
		return;
	l.rlim_cur = l.rlim_max < FILES ? l.rlim_max : FILES;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

/* Where its changes are, for who copies them. */
static void note_disk(const struct boot *b, struct strv *words)
{
	static const char *const kinds[] = {
		[CAGE_UPPER_MEMORY] = "memory", [CAGE_UPPER_SHARE] = "layer", [CAGE_UPPER_COW] = "cow",
		[CAGE_UPPER_NONE] = "written",
	};
	enum cage_upper upper = b->cfg.root.upper;
	bool thrown = upper == CAGE_UPPER_COW && b->cfg.root.upper_fd < 0;
	const char *path = upper == CAGE_UPPER_SHARE ? b->places.upper.path :
			   upper == CAGE_UPPER_COW ? b->o->places.cow : NULL;
	cleanup_free char *whole = path ? realpath(path, NULL) : NULL;

	strv_addf(words, "disk=%s", thrown ? "thrown" : kinds[upper]);
	if (whole)
		strv_addf(words, "changes=%s", whole);
}

static int boot(struct boot *b, struct session *s, const char *name, struct session_options *o,
		struct session_record *record, struct error *e)
{
	int ret = boot_check(b, &o->boot, e);

	if (ret == 0)
		ret = session_claim(s, name, record, e);
	if (ret < 0)
		return ret;
	if (s->lost)
		progress_note(&b->progress, "a session '%s' was lost before; what it had only in memory is "
			      "gone", name);
	b->cfg.console_fd = s->log;
	ret = boot_cage(b, e);
	if (ret != 0)
		return ret;
	strv_addf(&record->words, "kind=%s", b->spec.kind == ROOT_IMAGE ? "image" : "share");
	strv_addf(&record->words, "share=%s", b->spec.path);
	note_disk(b, &record->words);
	return session_note(s, record, e);
}

/* Serves until the end; NULL, or why it did not end well. */
static char *serve(struct boot *b, struct session *s, const struct session_options *o)
{
	cleanup_error struct error e = ERROR_INIT;
	cleanup_strv struct strv env = STRV_INIT;
	struct session_config cfg = { .env = &env, .idle_timeout = o->idle_timeout,
				      .init = o->boot.init, .progress = &b->progress };

	machine_environment(&o->boot.machine, false, &env);
	machine_socket_environment(&o->boot.machine, &env);
	if (session_serve(s, b->cage, &cfg, &e) == 0 && boot_finish(b, true, &e) == 0)
		return NULL;
	progress_warn(&b->progress, "%s", err_text(&e));
	return xstrdup(err_text(&e));
}

static void __attribute__((noreturn)) live(int fd, const char *name, struct session_options *o,
					   struct session_record *record)
{
	struct boot b = BOOT_INIT;
	struct session s = SESSION_INIT;
	struct error e = ERROR_INIT;
	cleanup_free char *why = NULL;
	int ret;

	(void)setsid();
	more_files();
	ret = boot(&b, &s, name, o, record, &e);
	/* with nobody there to hear it, a session that nobody knows of would go on */
	if (ret != 0 || tell(fd, 0, NULL) < 0) {
		boot_close(&b);
		session_end(&s, NULL);
		if (ret != 0)
			(void)tell(fd, ret, ret < 0 ? &e : NULL);
		_exit(EXIT_UMLCAGE);
	}
	to_log(&b, s.log);
	why = serve(&b, &s, o);
	boot_close(&b);
	session_end(&s, why);
	_exit(why ? EXIT_UMLCAGE : EXIT_OK);
}

/* ---- the process that starts it ---- */

static int hear(int fd, pid_t pid, const char *name, struct error *e)
{
	struct verdict v;
	ssize_t n;

	/* it comes in one piece, being smaller than PIPE_BUF; a signal wakes */
	while ((n = read(fd, &v, sizeof(v))) < 0 && errno == EINTR)
		if (interrupted())
			(void)kill(pid, SIGTERM);
	if (n == (ssize_t)sizeof(v) && v.ret == 0 && interrupted()) {
		/* too late for it to have noticed */
		(void)kill(pid, SIGTERM);
	} else if (n == (ssize_t)sizeof(v)) {
		v.text[sizeof(v.text) - 1] = '\0';
		if (v.ret < 0) {
			err_set(e, -v.ret, "%s", v.text);
			e->kind = (enum error_kind)v.kind;
		}
		return v.ret;
	}
	/* nobody knows that it served, if it did: what it left is of no use to anybody */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)session_forget(name, NULL);
	return interrupted() ? err_set(e, EINTR, "interrupted") :
			       err_set(e, EIO, "the session's process ended before it was up");
}

static void make_record(struct session_record *r, const char *name, const struct session_options *o,
			const char *verb, const struct strv *words)
{
	cleanup_free char *folder = getcwd(NULL, 0);

	strv_addf(&r->words, "name=%s", name);
	strv_addf(&r->words, "root=%s", o->boot.places.root);
	if (o->boot.places.keep)
		strv_addf(&r->words, "keep=%s", o->boot.places.keep);
	strv_addf(&r->words, "started=%lld", (long long)time(NULL));
	strv_addf(&r->words, "folder=%s", folder ? folder : "/");
	strv_addf(&r->words, "verb=%s", verb);
	for (size_t i = 0; i < words->n; i++)
		strv_addf(&r->words, "word=%s", words->v[i]);
}

int session_launch(const char *name, const struct session_options *o, const char *verb,
		   const struct strv *words, struct error *e)
{
	cleanup_session_record struct session_record record = SESSION_RECORD_INIT;
	struct session_options own = *o;
	int pipes[2], ret = session_check_name(name, e);
	pid_t pid;

	if (ret == 0 && o->boot.machine.die_with_parent)
		ret = err_usage(e, "--die-with-parent: a session outlives what started it");
	if (ret < 0)
		return ret;
	make_record(&record, name, o, verb, words);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	(void)fflush(NULL);
	interrupt_begin();
	pid = fork();
	if (pid == 0) {
		interrupt_reset();
		/* nothing of what the caller has open stays open with the session */
		if (pipes[1] != 3)
			(void)dup3(pipes[1], 3, O_CLOEXEC);
		(void)close_range(4, ~0U, 0);
		live(3, name, &own, &record);
	}
	close(pipes[1]);
	ret = pid < 0 ? err_sys(e, errno, "cannot start a process") : hear(pipes[0], pid, name, e);
	close(pipes[0]);
	interrupt_end();
	return ret;
}

static int start_at_login(struct session_options *o, const char *name, const struct strv *words,
			  struct error *e)
{
	struct boot b = BOOT_INIT;
	int ret = boot_check(&b, &o->boot, e);

	return ret < 0 ? ret : session_at_login(name, words, e);
}

static int run_start(const struct command *self, int argc, char **argv)
{
	struct session_options o = SESSION_OPTIONS_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *made = NULL;
	struct error e = ERROR_INIT;
	const char *name = NULL;
	int status, ret = 0;

	for (int i = 1; i < argc; i++)
		strv_add(&words, argv[i]);
	status = cmd_parse(self->spec, &o, &argc, &argv);
	if (status < 0 && argc > 0)
		status = session_operand(argc, argv, &name);
	if (status < 0 && o.at_login) {
		ret = name ? start_at_login(&o, name, &words, &e) :
			     err_usage(&e, "--at-login: give the session a NAME");
		status = ret < 0 ? cmd_fail(&e) : EXIT_OK;
	}
	if (status < 0 && !name) {
		ret = session_new_name(&made, &e);
		name = made;
		if (ret == 0)
			strv_add(&words, name);
	}
	/* either it has gone, or its name has been printed */
	interrupt_begin();
	if (status < 0 && ret == 0)
		ret = session_launch(name, &o, "session start", &words, &e);
	if (status < 0 && ret == 0)
		status = puts(name) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_OK;
	interrupt_end();
	if (status < 0)
		status = ret < 0 ? cmd_fail(&e) : EXIT_FAILED;
	boot_options_release(&o.boot);
	return status;
}

const struct command command_session_start = {
	"start", "boots a cage that outlives this command", &spec, run_start, NULL, NULL,
};
