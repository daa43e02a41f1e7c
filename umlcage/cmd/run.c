// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage run, a command as root in a cage, and umlcage shell, a shell there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/session.h"

struct run_options {
	struct boot_options boot;
	struct guest_options command;
	const char *line, *session;
	bool rm;
};

#define RUN(field, kind) OPT_##kind(struct run_options, field)

/* What docker, podman and systemd-nspawn call it. */
static const struct opt foreign_opts[] = {
	{ OPT_FLAG, 0, "rm", NULL, RUN(rm, BOOL), "always done, for those used to asking for it" },
	{ OPT_FOREIGN, 0, "volume", "SPEC", 0,
	  "use --bind=HOSTDIR:GUESTDIR, or --share for a folder with recorded owners" },
	{ OPT_FOREIGN, 0, "mount", "SPEC", 0,
	  "use --bind=HOSTDIR:GUESTDIR, or --share for a folder with recorded owners" },
	{ OPT_FOREIGN, 0, "read-only", NULL, 0,
	  "a root is never changed without --writable, --keep or --commit" },
	{ OPT_FOREIGN, 0, "network", "MODE", 0, "use --net=nat, --net=restricted or --net=none" },
	{ OPT_FOREIGN, 0, "device", "DEVICE", 0,
	  "the host's devices cannot be had in a cage, only those that its own kernel makes" },
	{ OPT_FOREIGN, 0, "privileged", NULL, 0,
	  "not needed: the root user of a cage has every capability inside, and none outside" },
	{ OPT_FOREIGN, 0, "cap-add", "CAP", 0,
	  "not needed: the root user of a cage has every capability inside, and none outside" },
	{ OPT_FOREIGN, 0, "cap-drop", "CAP", 0,
	  "let the command drop it: setpriv --bounding-set=-CAP COMMAND, or choose a --user" },
	{ OPT_FOREIGN, 0, "entrypoint", "PROGRAM", 0, "write the program as the command's first word" },
	OPT_END,
};

static const struct opt line_opts[] = {
	{ OPT_STRING, 0, "command", "LINE", RUN(line, STR),
	  "a line for /bin/sh, run if there is no COMMAND" },
	{ OPT_STRING, 0, "session", "NAME", RUN(session, STR),
	  "run it in the session NAME, started with these options if there is none" },
	OPT_END,
};

static const struct opt_group shell_groups[] = {
	{ "the root", places_opts, offsetof(struct run_options, boot.places) },
	{ "the command", guest_opts, offsetof(struct run_options, command) },
	{ NULL, machine_env_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, machine_socket_opts, offsetof(struct run_options, boot.machine) },
	{ "the network", machine_net_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, machine_port_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, machine_policy_opts, offsetof(struct run_options, boot.machine) },
	{ "the cage", machine_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, boot_cage_opts, offsetof(struct run_options, boot) },
	{ "what is shown", boot_shown_opts, offsetof(struct run_options, boot) },
	{ NULL, boot_print_opts, offsetof(struct run_options, boot) },
	{ NULL, foreign_opts, 0 },
	{ NULL, NULL, 0 },
};

static const struct opt_group run_groups[] = {
	{ "the root", places_opts, offsetof(struct run_options, boot.places) },
	{ "the command", guest_opts, offsetof(struct run_options, command) },
	{ NULL, line_opts, 0 },
	{ NULL, machine_env_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, machine_socket_opts, offsetof(struct run_options, boot.machine) },
	{ "the network", machine_net_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, machine_port_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, machine_policy_opts, offsetof(struct run_options, boot.machine) },
	{ "the cage", machine_opts, offsetof(struct run_options, boot.machine) },
	{ NULL, boot_cage_opts, offsetof(struct run_options, boot) },
	{ "what is shown", boot_shown_opts, offsetof(struct run_options, boot) },
	{ NULL, boot_print_opts, offsetof(struct run_options, boot) },
	{ NULL, foreign_opts, 0 },
	{ NULL, NULL, 0 },
};

static const struct opt_spec run_spec = {
	.usage = "umlcage run [options] [@PROFILE] [--] COMMAND [ARG...]",
	.summary = "Runs a command as root in a cage: a Linux kernel of your own, as an ordinary "
		   "process.",
	.groups = run_groups,
	.epilogue = GUEST_EPILOGUE,
	.stop_at_operand = true,
	.profiles = true,
}, shell_spec = {
	.usage = "umlcage shell [options] [@PROFILE] [ROOT]",
	.profiles = true,
	.summary = "Opens a login shell as root in ROOT, in a cage.",
	.groups = shell_groups,
	.epilogue = GUEST_EPILOGUE,
};

/* In a session, which is there or is started; two that start it at once share it. */
static int run_in_session(struct run_options *o, char **argv, const struct strv *words)
{
	struct session_options session = { .boot = o->boot };
	struct error e = ERROR_INIT;
	int fd, ret = guest_check(&o->command, &e);

	if (ret < 0)
		return guest_fail(&e);
	fd = session_connect(o->session, &e);
	if (fd == -ENOENT || fd == -ESRCH) {
		err_release(&e);
		ret = session_launch(o->session, &session, "run", words, &e);
		if (ret == -EEXIST)
			err_release(&e);
		else if (ret != 0)
			return ret < 0 ? guest_fail(&e) : EXIT_UMLCAGE;
		fd = session_connect(o->session, &e);
	}
	return fd < 0 ? guest_fail(&e) : session_command(fd, o->session, &o->command, &o->boot.machine, argv,
						        NULL, false, EXIT_UMLCAGE, o->boot.quiet);
}

static int run_command(struct run_options *o, char **argv)
{
	bool makes_root = o->boot.places.commit != NULL;
	int status;

	/* the new root is there as a whole or not at all, and its copy does not stay */
	if (makes_root)
		interrupt_begin();
	status = guest_run_to_end(&o->boot, &o->command, argv);
	if (makes_root)
		interrupt_end();
	return status;
}

#define RUN_OPTIONS_INIT { .boot = BOOT_OPTIONS_INIT }

/* docker's "-v HOSTDIR:GUESTDIR", whose -v is the count of --verbose here. */
static int check_words(const struct run_options *o, const char *word, struct error *e)
{
	if (o->boot.verbose && strchr("/.", word[0]) && strstr(word, ":/") && access(word, F_OK) < 0)
		return err_usage(e, "-v: it is --verbose here; to mount a folder use --bind=%s", word);
	return 0;
}

static int cmd_run(const struct command *self, int argc, char **argv)
{
	struct run_options o = RUN_OPTIONS_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	struct error e = ERROR_INIT;
	int status;

	strv_addv(&words, (const char *const *)argv + 1);
	status = cmd_parse(self->spec, &o, &argc, &argv);
	/* without the command, which the first operand begins */
	for (int i = 0; status < 0 && i < argc; i++)
		free_ptr(&words.v[--words.n]);
	if (words.n && str_eq(words.v[words.n - 1], "--"))
		free_ptr(&words.v[--words.n]);
	if (status < 0 && argc < 1 && !o.line && !o.boot.print_command) {
		err_usage(&e, "there is no command to run; see 'umlcage run --help'");
		status = cmd_fail(&e);
	}
	if (status < 0 && argc && check_words(&o, argv[0], &e) < 0)
		status = cmd_fail(&e);
	if (status < 0 && argc < 1 && o.line)
		argv = guest_shell_line(o.line);
	if (status < 0)
		status = o.session ? run_in_session(&o, argv, &words) : run_command(&o, argv);
	boot_options_release(&o.boot);
	return status;
}

static int cmd_shell(const struct command *self, int argc, char **argv)
{
	struct run_options o = RUN_OPTIONS_INIT;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status < 0 && argc > 1) {
		err_usage(&e, "'%s' is one argument too many: a shell takes a ROOT only; "
			  "'umlcage run' runs commands", argv[1]);
		status = cmd_fail(&e);
	}
	if (status < 0) {
		o.boot.places.root = argc ? argv[0] : o.boot.places.root;
		status = run_command(&o, guest_login_shell());
	}
	boot_options_release(&o.boot);
	return status;
}

const struct command command_run = {
	"run", "runs a command as root in a cage", &run_spec, cmd_run, NULL, NULL,
}, command_shell = {
	"shell", "opens a shell as root in a root filesystem", &shell_spec, cmd_shell, NULL, NULL,
};
