// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage run, a command as root in a cage, and umlcage shell, a shell there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "kernel-config/kernel.h"
#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/workshop.h"
#include "umlcage/machine/machine.h"
#include "umlcage/places/places.h"

struct run_options {
	struct machine machine;
	struct places_options places;
	const char *user, *workdir, *hostname, *mirror;
	uint64_t timeout;
	bool tty, no_tty, interactive, rm, quiet, print_command;
	int verbose;
};

#define RUN(field, kind) OPT_##kind(struct run_options, field)

static const struct opt command_opts[] = {
	{ OPT_STRING, 'C', "workdir", "DIR", RUN(workdir, STR), "where it starts (default: /)" },
	{ OPT_STRING, 'u', "user", "USER[:GROUP]", RUN(user, STR),
	  "names of the root or numbers (default: root)" },
	{ OPT_DURATION, 0, "timeout", "TIME", RUN(timeout, U64),
	  "end it after TIME (90, 1.5m, 2h); exit status 124" },
	{ OPT_FLAG, 't', "tty", NULL, RUN(tty, BOOL),
	  "give it a terminal (default when stdin and stdout are one)" },
	{ OPT_FLAG, 'T', "no-tty", NULL, RUN(no_tty, BOOL), "never give it a terminal" },
	{ OPT_FLAG, 'i', "interactive", NULL, RUN(interactive, BOOL),
	  "pass stdin on; always done, for those used to asking for it" },
	OPT_END,
};

static const struct opt cage_opts[] = {
	{ OPT_STRING, 0, "hostname", "NAME", RUN(hostname, STR), "default: cage" },
	{ OPT_STRING, 0, "mirror", "URL", RUN(mirror, STR),
	  "where a missing kernel or root is fetched from" },
	OPT_END,
};

static const struct opt shown_opts[] = {
	{ OPT_FLAG, 'q', "quiet", NULL, RUN(quiet, BOOL), "only errors and warnings" },
	{ OPT_COUNT, 'v', "verbose", NULL, RUN(verbose, INT), "more" },
	{ OPT_FLAG, 0, "print-command", NULL, RUN(print_command, BOOL),
	  "print the kernel's command line and stop" },
	OPT_END,
};

/* What docker, podman and systemd-nspawn call it. */
static const struct opt foreign_opts[] = {
	{ OPT_FLAG, 0, "rm", NULL, RUN(rm, BOOL), NULL },	/* always done */
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

static const struct opt_group groups[] = {
	{ "the root", places_opts, offsetof(struct run_options, places) },
	{ "the command", command_opts, 0 },
	{ NULL, machine_env_opts, offsetof(struct run_options, machine) },
	{ "the network", machine_net_opts, offsetof(struct run_options, machine) },
	{ "the cage", machine_opts, offsetof(struct run_options, machine) },
	{ NULL, cage_opts, 0 },
	{ "what is shown", shown_opts, 0 },
	{ NULL, foreign_opts, 0 },
	{ NULL, NULL, 0 },
};

#define EPILOGUE \
	"exit status: the command's; 128+N when signal N ended it; 124 time limit; 125 umlcage\n" \
	"failed; 126 cannot be run; 127 not found; 2 bad usage"

static const struct opt_spec run_spec = {
	.usage = "umlcage run [options] [--] COMMAND [ARG...]",
	.summary = "Runs a command as root in a cage: a Linux kernel of your own, as an ordinary "
		   "process.",
	.groups = groups,
	.epilogue = EPILOGUE,
	.stop_at_operand = true,
}, shell_spec = {
	.usage = "umlcage shell [options] [ROOT]",
	.summary = "Opens a login shell as root in ROOT, in a cage.",
	.groups = groups,
	.epilogue = EPILOGUE,
};

static int fail(struct error *e)
{
	return cmd_fail(e) == EXIT_USAGE ? EXIT_USAGE : EXIT_UMLCAGE;
}

/* As sethostname(2) and hostname(7) have it. */
static int check_hostname(const char *name, struct error *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	if (!name)
		return 0;
	if (!*name || strlen(name) > 64 || name[0] == '-' || name[0] == '.' ||
	    name[strspn(name, allowed)])
		return err_usage(e, "--hostname: '%s' is not a host name: letters, digits, '-' and '.', "
				 "at most 64", name);
	return 0;
}

static int check_options(struct run_options *o, struct cage_config *cfg, struct error *e)
{
	if (o->tty && o->no_tty)
		return err_usage(e, "--tty and --no-tty exclude each other");
	if (check_hostname(o->hostname, e) < 0 || machine_check(&o->machine, e) < 0)
		return -e->errnum;
	machine_configure(&o->machine, cfg);
	cfg->hostname = o->hostname;
	cfg->booted = true;
	return 0;
}

static int run_in(struct cage *cage, const struct run_options *o, char **argv,
		  struct cage_exit *exit, struct error *e)
{
	cleanup_strv struct strv env = STRV_INIT;
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct cage_exec what = {
		.argv = argv, .cwd = o->workdir, .user = o->user, .timeout = o->timeout,
		.tty = o->tty || (terminal && !o->no_tty),
		.stdin_fd = STDIN_FILENO, .stdout_fd = STDOUT_FILENO, .stderr_fd = STDERR_FILENO,
	};

	machine_environment(&o->machine, what.tty, &env);
	what.env = strv_argv(&env);
	return cage_exec(cage, &what, exit, e);
}

static void report(const struct cage_exit *exit, const struct run_options *o, uint64_t memory)
{
	if (exit->reason)
		fprintf(stderr, "umlcage: %s\n", exit->reason);
	else if (exit->oom && exit->status)
		fprintf(stderr, "umlcage: the cage ran out of memory (%llu MiB) and killed a process; "
			"give it more with --memory\n", (unsigned long long)(memory >> 20));
	else if (exit->full && exit->status)
		fprintf(stderr, "umlcage: files in the cage's memory (%llu MiB) can grow no more; give "
			"it more with --memory, or let changes go to the disk with --scratch=disk\n",
			(unsigned long long)(memory >> 20));
	else if (exit->timed_out && !o->quiet)
		fprintf(stderr, "umlcage: the command timed out after %g s\n",
			(double)o->timeout / 1000);
}

/* 1: there is none and none can be built, and it was said why. */
static int find_kernel(const struct run_options *o, const struct progress *progress,
		       struct kernel_info *k, struct error *e)
{
	int ret = machine_find_kernel(&o->machine, k, e);

	if (ret <= 0)
		return ret;
	ret = workshop_kernel(&o->machine, o->mirror, progress->verbosity, e);
	return ret ? ret : kernel_find(o->machine.kernel ? o->machine.kernel : "", k, e);
}

static bool is_made(const char *root)
{
	return fabricate_tools_named(root) != NULL;
}

/* What --root means, made if need be.  1: it cannot be had, and it was said why. */
static int resolve(struct root_spec *spec, const struct run_options *o, bool check,
		   struct progress *progress, struct error *e)
{
	const char *root = o->places.root;
	cleanup_strv struct strv kept = STRV_INIT;
	int ret;

	if (is_made(root) && root_names(STORE_ROOTS, &kept, NULL) == 0 && !strv_has(&kept, root)) {
		spec->kind = ROOT_SHARE;
		spec->cached = true;
		ret = fabricate_tools_find(NULL, fabricate_tools_named(root), check,
					   &spec->path, e);
	} else {
		ret = root_find(spec, root, check, progress, e);
	}
	if (ret <= 0)
		return ret;
	progress_end(progress);
	return workshop_root(root, o->mirror, &o->machine, progress->verbosity, e);
}

/* Whether a root of the cache is as it was made, found out by a process beside the boot. */
static pid_t check_begin(const struct root_spec *spec)
{
	pid_t pid = spec->cached ? fork() : 0;

	if (pid != 0 || !spec->cached)
		return pid;
	_exit(root_check_sealed(spec->path) == 0 ? 0 : 1);
}

static bool check_end(pid_t *pid)
{
	int status = 0;

	if (*pid > 0)
		while (waitpid(*pid, &status, 0) < 0 && errno == EINTR)
			;
	*pid = 0;
	return status == 0;
}

/* What a run of a command is made of. */
struct run {
	struct run_options *o;
	struct progress progress;
	struct cage_config cfg;
	struct root_spec spec;
	struct places places;
	struct cage *cage;
};

static void run_close(struct run *r)
{
	cage_free(r->cage);
	r->cage = NULL;
	places_close(&r->places);
	r->places = (struct places)PLACES_INIT;
	root_release(&r->spec);
	r->spec = (struct root_spec)ROOT_SPEC_INIT;
}

/* 0, 1: it cannot be had, and it was said why; -EUCLEAN: the root is damaged, check it first. */
static int run_open(struct run *r, bool check, struct error *e)
{
	pid_t checker = 0;
	int ret = resolve(&r->spec, r->o, check, &r->progress, e);

	if (ret == 0)
		ret = places_open(&r->places, &r->o->places, &r->spec, &r->cfg, e);
	if (ret != 0 || r->o->print_command)
		return ret;
	progress_end(&r->progress);
	if (!check)
		checker = check_begin(&r->spec);
	ret = cage_start(&r->cage, &r->cfg, e);
	if (!check_end(&checker)) {
		if (ret < 0)
			err_release(e);
		ret = err_set(e, EUCLEAN, "the root '%s' in the cache is damaged", r->spec.path);
	}
	return ret;
}

/* In the cage, to its end; the exit status of the program. */
static int run_to_end(struct run *r, char **argv)
{
	cleanup_error struct error e = ERROR_INIT;
	struct cage_exit exit = { 0 };
	int status;

	if (run_in(r->cage, r->o, argv, &exit, &e) < 0)
		return fail(&e);
	report(&exit, r->o, r->cfg.memory);
	status = exit.status;
	if (exit.output_error) {
		fprintf(stderr, "umlcage: cannot write the command's output: %s\n",
			strerror(exit.output_error));
		status = status ? status : EXIT_UMLCAGE;
	}
	if (cage_stop(r->cage, &e) < 0 || places_finish(&r->places, exit.status == 0, &e) < 0)
		status = fail(&e);
	cage_exit_release(&exit);
	return status;
}

static int run_command(struct run_options *o, char **argv)
{
	struct run r = { .o = o, .cfg = CAGE_CONFIG_INIT, .spec = ROOT_SPEC_INIT,
			 .places = PLACES_INIT };
	cleanup_error struct error e = ERROR_INIT;
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	int status = EXIT_UMLCAGE, ret;

	progress_init(&r.progress, STDERR_FILENO, o->quiet ? -1 : o->verbose);
	r.cfg.progress = &r.progress;
	if (check_options(o, &r.cfg, &e) < 0 ||
	    places_check(&o->places, is_made(o->places.root), &e) < 0)
		return fail(&e);
	ret = find_kernel(o, &r.progress, &kernel, &e);
	if (ret != 0)
		return ret < 0 ? fail(&e) : EXIT_UMLCAGE;
	r.cfg.kernel = kernel.path;
	ret = run_open(&r, false, &e);
	if (ret == -EUCLEAN) {
		progress_note(&r.progress, "%s: making it again", err_text(&e));
		err_release(&e);
		run_close(&r);
		ret = run_open(&r, true, &e);
	}
	if (ret < 0) {
		status = fail(&e);
	} else if (ret == 0 && o->print_command) {
		cleanup_free char *text = cage_command_text(&r.cfg);

		puts(text);
		status = EXIT_OK;
	} else if (ret == 0) {
		status = run_to_end(&r, argv);
	}
	run_close(&r);
	return status;
}

#define RUN_OPTIONS_INIT { .machine = MACHINE_INIT, .places = PLACES_OPTIONS_INIT }

static void release(struct run_options *o)
{
	machine_release(&o->machine);
	places_options_release(&o->places);
}

/* docker's "-v HOSTDIR:GUESTDIR", whose -v is the count of --verbose here. */
static int check_words(const struct run_options *o, const char *word, struct error *e)
{
	if (o->verbose && strchr("/.", word[0]) && strstr(word, ":/") && access(word, F_OK) < 0)
		return err_usage(e, "-v: it is --verbose here; to mount a folder use --bind=%s", word);
	return 0;
}

static int cmd_run(const struct command *self, int argc, char **argv)
{
	struct run_options o = RUN_OPTIONS_INIT;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status < 0 && argc < 1 && !o.print_command) {
		err_usage(&e, "there is no command to run; see 'umlcage run --help'");
		status = cmd_fail(&e);
	}
	if (status < 0 && argc && check_words(&o, argv[0], &e) < 0)
		status = cmd_fail(&e);
	if (status < 0)
		status = run_command(&o, argv);
	release(&o);
	return status;
}

static int cmd_shell(const struct command *self, int argc, char **argv)
{
	/* the agent sets SHELL to what the root's passwd says of the user */
	char *command[] = { "/bin/sh", "-c", "exec \"$SHELL\" -l", NULL };
	struct run_options o = RUN_OPTIONS_INIT;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status < 0 && argc > 1) {
		err_usage(&e, "'%s' is one argument too many: a shell takes a ROOT only; "
			  "'umlcage run' runs commands", argv[1]);
		status = cmd_fail(&e);
	}
	if (status < 0) {
		o.places.root = argc ? argv[0] : o.places.root;
		status = run_command(&o, command);
	}
	release(&o);
	return status;
}

const struct command command_run = {
	"run", "runs a command as root in a cage", &run_spec, cmd_run, NULL, NULL,
}, command_shell = {
	"shell", "opens a shell as root in a root filesystem", &shell_spec, cmd_shell, NULL, NULL,
};
