// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage session exec, a command in a session, session shell, a shell there, and session attach,
 * which comes back to one of these.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/keys.h"
#include "umlcage/cmd/session.h"

struct exec_options {
	struct guest_options command;
	struct machine machine;		/* its variables alone */
	const char *keys;
	unsigned int failure;
	bool quiet, detach;
};

#define DETACH_KEYS "ctrl-p,ctrl-q"

#define KEYS_OPTION \
	{ OPT_STRING, 0, "detach-keys", "KEYS", OPT_STR(struct exec_options, keys), \
	  "leave its terminal when these are typed, and let it go on: characters, or " \
	  "ctrl- and a character, with commas; empty: none (default: " DETACH_KEYS ")" }

static const struct opt own_opts[] = {
	KEYS_OPTION,
	{ OPT_FLAG, 'd', "detach", NULL, OPT_BOOL(struct exec_options, detach),
	  "start it on a terminal that nobody has, print its number, and wait no longer; "
	  "'session attach' comes back to it" },
	{ OPT_UINT, 0, "failure-status", "N", OPT_UNSIGNED(struct exec_options, failure),
	  "exit status when umlcage itself fails (default: 125)" },
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct exec_options, quiet),
	  "only errors and warnings" },
	OPT_END,
};

static const struct opt attach_opts[] = {
	KEYS_OPTION,
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct exec_options, quiet),
	  "only errors and warnings" },
	OPT_END,
};

static const struct opt_group groups[] = {
	{ "the command", guest_opts, offsetof(struct exec_options, command) },
	{ NULL, machine_env_opts, offsetof(struct exec_options, machine) },
	{ NULL, own_opts, 0 },
	{ NULL, NULL, 0 },
};

static const struct opt_spec exec_spec = {
	.usage = "umlcage session exec [options] NAME [--] COMMAND [ARG...]",
	.summary = "Runs a command in a session.  Its stdin, stdout and stderr are those given here,\n"
		   "without anything in between; any number may run at once.",
	.groups = groups,
	.epilogue = GUEST_EPILOGUE,
	.stop_at_operand = true,
}, shell_spec = {
	.usage = "umlcage session shell [options] NAME",
	.summary = "Opens a login shell in a session.",
	.groups = groups,
	.epilogue = GUEST_EPILOGUE,
}, console_spec = {
	.usage = "umlcage session console [options] NAME",
	.summary = "Opens the console of a session that was started with --init: what its init and the\n"
		   "login there have said, the end of it, and what they say from now on, until the detach\n"
		   "keys are typed.  One at a time has it.",
	.groups = OPT_GROUPS({ NULL, attach_opts, 0 }),
	.epilogue = "Who logs in there needs a password, or what console-getty.service was told instead.",
}, attach_spec = {
	.usage = "umlcage session attach [options] NAME [NUMBER]",
	.summary = "Comes back to a command with a terminal that was left with the detach keys, or begun\n"
		   "with --detach: shows the end of what it has said since, and is its terminal from now\n"
		   "on.  NUMBER is as in 'umlcage session ps'; one that has ended meanwhile has its exit\n"
		   "status here.",
	.groups = OPT_GROUPS({ NULL, attach_opts, 0 }),
	.epilogue = GUEST_EPILOGUE,
};

int session_operand(int argc, char **argv, const char **name)
{
	struct error e = ERROR_INIT;

	*name = argv[0];
	if (argc == 1)
		return -1;
	if (argc < 1)
		err_usage(&e, "there is no NAME of a session; see 'umlcage session list'");
	else
		err_usage(&e, "'%s' is one argument too many", argv[1]);
	return cmd_fail(&e);
}

/* How it ended, or that it goes on. */
static int report(const struct session_exec *what, const char *session, struct cage_exit *exit,
		  const struct guest_options *o, bool quiet)
{
	int status = EXIT_OK;

	if (!what->detached)
		status = guest_report(exit, o, 0, quiet);
	else if (what->begin_detached)
		status = printf("%u\n", what->detached) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_OK;
	else if (!quiet)
		fprintf(stderr, "\numlcage: command %u of '%s' goes on; 'umlcage session attach %s %u' comes "
			"back to it\n", what->detached, session, session, what->detached);
	cage_exit_release(exit);
	return status;
}

int session_command(int fd, const char *session, const struct guest_options *o, const struct machine *m,
		    char *const *argv, const char *keys, bool detach, int failure, bool quiet)
{
	cleanup_error struct error e = ERROR_INIT;
	cleanup_strv struct strv env = STRV_INIT;
	struct session_exec what = {
		.argv = argv, .cwd = o->workdir, .user = o->user, .timeout = o->timeout,
		.tty = detach || guest_wants_terminal(o), .begin_detached = detach,
		.fds = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO },
	};
	struct cage_exit exit;
	int status;

	if (detach)
		what.fds[0] = what.fds[1] = what.fds[2] = -1;
	else if (what.tty)
		what.keys = keys;
	machine_environment(m, what.tty, &env);
	what.env = strv_argv(&env);
	status = session_exec(fd, &what, &exit, &e);
	close(fd);
	if (status < 0) {
		(void)guest_fail(&e);
		return failure;
	}
	return report(&what, session, &exit, o, quiet);
}

static int check_detach(const struct exec_options *o, struct error *e)
{
	return o->detach && o->command.no_tty ?
	       err_usage(e, "--detach gives it a terminal; --no-tty excludes that") : 0;
}

static int keys_of(const char *text, struct keys *keys, struct error *e)
{
	return keys_parse(keys, text, e) < 0 ? err_wrap(e, "--detach-keys") : 0;
}

static int run(const struct command *self, int argc, char **argv, bool shell)
{
	struct exec_options o = { .machine = MACHINE_INIT, .failure = EXIT_UMLCAGE, .keys = DETACH_KEYS };
	struct keys keys;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), fd = -1;
	char **words = argv + 1;
	const char *name;

	if (status >= 0)
		return status;
	name = argv[0];
	if (argc > 1 && !shell && strcmp(argv[1], "--") == 0)
		words++;
	if (shell) {
		status = session_operand(argc, argv, &name);
		words = guest_login_shell();
	} else if (argc < 1 || !*words) {
		err_usage(&e, argc < 1 ? "there is no NAME of a session; see 'umlcage session list'" :
					 "there is no command to run; see 'umlcage session exec --help'");
		status = cmd_fail(&e);
	}
	if (status < 0 && (guest_check(&o.command, &e) < 0 || check_detach(&o, &e) < 0 ||
			   keys_of(o.keys, &keys, &e) < 0 || (fd = session_connect(argv[0], &e)) < 0))
		status = guest_fail(&e) == EXIT_USAGE ? EXIT_USAGE : (int)o.failure;
	if (status < 0)
		status = session_command(fd, name, &o.command, &o.machine, words, keys.seq, o.detach,
					 (int)o.failure, o.quiet);
	machine_release(&o.machine);
	return status;
}

static int run_attach(const struct command *self, int argc, char **argv)
{
	struct exec_options o = { .keys = DETACH_KEYS };
	struct session_exec what = { .fds = { STDIN_FILENO, STDOUT_FILENO, -1 } };
	struct error e = ERROR_INIT;
	struct cage_exit exit;
	struct keys keys;
	int status = cmd_parse(self->spec, &o, &argc, &argv), fd;

	if (status >= 0)
		return status;
	if (argc < 1 || argc > 2) {
		err_usage(&e, "give the NAME of a session and at most a NUMBER; see 'umlcage session ps'");
		return guest_fail(&e);
	}
	if (keys_of(o.keys, &keys, &e) < 0 || (fd = session_connect(argv[0], &e)) < 0)
		return guest_fail(&e);
	what.keys = keys.seq;
	status = session_attach(fd, argc > 1 ? argv[1] : NULL, &what, &exit, &e);
	close(fd);
	return status < 0 ? guest_fail(&e) : report(&what, argv[0], &exit, &o.command, o.quiet);
}

/* Its own end is the machine's. */
static int leave_console(const struct session_exec *what, const char *name, int ret, bool quiet,
			 struct error *e)
{
	if (ret == -EPIPE)
		err_release(e);
	else if (ret < 0)
		return guest_fail(e);
	if (!quiet)
		fprintf(stderr, what->detached ? "\numlcage: left the console of '%s'; 'umlcage session "
			"console %s' comes back to it\n" : "\numlcage: the session '%s' has ended\n",
			name, name);
	return EXIT_OK;
}

static int run_console(const struct command *self, int argc, char **argv)
{
	struct exec_options o = { .keys = DETACH_KEYS };
	struct session_exec what = { .fds = { STDIN_FILENO, STDOUT_FILENO, -1 } };
	struct error e = ERROR_INIT;
	struct cage_exit exit;
	const char *name;
	struct keys keys;
	int status = cmd_parse(self->spec, &o, &argc, &argv), fd, ret;

	if (status < 0)
		status = session_operand(argc, argv, &name);
	if (status >= 0)
		return status;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		err_usage(&e, "stdin and stdout are not a terminal; 'umlcage session logs %s' has what was "
			  "said on the console", name);
		return guest_fail(&e);
	}
	if (keys_of(o.keys, &keys, &e) < 0 || (fd = session_connect(name, &e)) < 0)
		return guest_fail(&e);
	what.keys = keys.seq;
	ret = session_attach(fd, SESSION_CONSOLE, &what, &exit, &e);
	close(fd);
	if (ret == 0)
		cage_exit_release(&exit);
	return leave_console(&what, name, ret, o.quiet, &e);
}

static int run_exec(const struct command *self, int argc, char **argv)
{
	return run(self, argc, argv, false);
}

static int run_shell(const struct command *self, int argc, char **argv)
{
	return run(self, argc, argv, true);
}

const struct command command_session_exec = {
	"exec", "runs a command in a session", &exec_spec, run_exec, NULL, NULL,
}, command_session_shell = {
	"shell", "opens a shell in a session", &shell_spec, run_shell, NULL, NULL,
}, command_session_console = {
	"console", "opens the console of a session with an init", &console_spec, run_console, NULL, NULL,
}, command_session_attach = {
	"attach", "comes back to a command that was left", &attach_spec, run_attach, NULL, NULL,
};
