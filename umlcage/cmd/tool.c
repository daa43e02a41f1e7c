// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage tool: what people run as root to make images and roots, run as the root of a cage.
 *
 * A row of fabricate_tool_table[] says all there is to know of a tool.  Its packages are those of a root
 * that is fabricated on first use and kept; the current folder is in the cage at its own path, so
 * that files named in arguments are where they are, and what the tool leaves there is the result.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/guest.h"
#include "umlcage/cmd/tool.h"

struct tool_options {
	struct boot_options boot;
	struct guest_options command;
	const char *suite;
	bool list;
};

#define TOOL(field, kind) OPT_##kind(struct tool_options, field)

static const struct opt own_opts[] = {
	{ OPT_FLAG, 0, "list", NULL, TOOL(list, BOOL), "list the tools" },
	{ OPT_STRING, 0, "tools-suite", "SUITE", TOOL(suite, STR),
	  "whose packages the tool is of (default: the host's release, or what it needs)" },
	{ OPT_LIST, 'b', "bind", "HOST:GUEST[:ro]", TOOL(boot.places.binds, STRV),
	  "mount another folder, or a file" },
	{ OPT_LIST, 's', "share", "HOSTDIR:GUESTDIR[:ro]", TOOL(boot.places.shares, STRV),
	  "mount a share: a folder with recorded ownership, made if absent" },
	{ OPT_STRING, 0, "scratch", "WHERE", TOOL(boot.places.scratch, STR),
	  "where the tool works: memory or disk (default: what it needs)" },
	OPT_END,
};

static const struct opt_spec spec = {
	.usage = "umlcage tool [options] NAME [ARG...]",
	.summary = "Runs a tool that wants root, with the current folder, in a cage.",
	.groups = OPT_GROUPS({ NULL, own_opts, 0 },
			     { "the command", guest_opts, offsetof(struct tool_options, command) },
			     { NULL, machine_env_opts, offsetof(struct tool_options, boot.machine) },
			     { "the network", machine_net_opts,
			       offsetof(struct tool_options, boot.machine) },
			     { NULL, machine_port_opts, offsetof(struct tool_options, boot.machine) },
			     { NULL, machine_policy_opts, offsetof(struct tool_options, boot.machine) },
			     { "the cage", machine_opts, offsetof(struct tool_options, boot.machine) },
			     { NULL, boot_cage_opts, offsetof(struct tool_options, boot) },
			     { "what is shown", boot_shown_opts, offsetof(struct tool_options, boot) }),
	.epilogue = "The options of a tool follow its name.  " GUEST_EPILOGUE,
	.stop_at_operand = true,
};

static int list(void)
{
	for (const struct fabricate_tool *t = fabricate_tool_table; t->name; t++)
		printf("%-16s%s\n", t->name, t->what);
	return fflush(stdout) < 0 ? EXIT_FAILED : EXIT_OK;
}

/* The current folder, at its own path, unless the tool's root has one of its own there. */
static int give_folder(struct tool_options *o, struct error *e)
{
	static const char *const taken[] = { "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64",
					     "/proc", "/root", "/run", "/sbin", "/sys", "/tmp", "/usr",
					     "/var", "/var/lib", "/var/tmp", "/var/cache" };
	char *cwd = getcwd(NULL, 0);

	if (!cwd)
		return err_sys(e, errno, "cannot tell what the current folder is");
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (str_eq(cwd, taken[i])) {
			err_usage(e, "the current folder is '%s', which the tool has one of its own of; go "
				  "to the folder that it is to work in", cwd);
			free(cwd);
			return -EINVAL;
		}
	strv_addf(&o->boot.places.binds, "%s:%s", cwd, cwd);
	if (o->command.workdir)
		free(cwd);
	else
		o->command.workdir = cwd;	/* until the end of the program */
	return 0;
}

/* The row's needs, where no option says otherwise. */
static void apply(const struct fabricate_tool *t, struct tool_options *o)
{
	struct machine *m = &o->boot.machine;

	if (!m->kernel && t->full)
		m->kernel = "full";
	if (!m->memory)
		m->memory = t->memory;
	if (!o->boot.places.scratch && t->disk)
		o->boot.places.scratch = "disk";
	if (!o->boot.hostname)
		o->boot.hostname = t->name;
}

int tool_root(const struct boot_options *o, const char *suite, const char *packages, char **path,
	      struct error *e)
{
	struct progress progress;
	int ret;

	progress_init(&progress, STDERR_FILENO, o->quiet ? -1 : o->verbose);
	interrupt_begin();
	ret = fabricate_tools_root(suite, packages, o->mirror, &o->machine, &progress, path, e);
	interrupt_end();
	progress_end(&progress);
	return ret;
}

static int run_tool(const struct fabricate_tool *t, struct tool_options *o, char **argv)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_error struct error e = ERROR_INIT;
	cleanup_free char *root = NULL;

	apply(t, o);
	if (guest_check(&o->command, &e) < 0 || machine_check(&o->boot.machine, &e) < 0 ||
	    give_folder(o, &e) < 0 ||
	    tool_root(&o->boot, o->suite ? o->suite : t->suite, t->packages, &root, &e) < 0)
		return guest_fail(&e);
	o->boot.places.root = root;
	strv_add(&words, "/bin/sh");
	strv_add(&words, "-c");
	strv_addf(&words, "%s%s%s", fabricate_tool_before, t->before ? t->before : "", t->script);
	strv_addv(&words, (const char *const *)argv);
	return guest_run_to_end(&o->boot, &o->command, strv_argv(&words));
}

/* That a command of umlcage does, of the same name. */
static int run_own(const struct fabricate_tool *t, int argc, char **argv)
{
	const struct command *c = cmd_find(&command_umlcage, t->name);
	struct error e = ERROR_INIT;

	if (c)
		return c->run(c, argc, argv);
	err_set(&e, ENOENT, "umlcage has no command '%s' for the tool", t->name);
	return cmd_fail(&e);
}

static int cmd_tool(const struct command *self, int argc, char **argv)
{
	struct tool_options o = { .boot = BOOT_OPTIONS_INIT };
	const struct fabricate_tool *t = NULL;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		goto out;
	if (o.list) {
		status = list();
	} else if (argc < 1) {
		err_usage(&e, "which tool? 'umlcage tool --list' lists them");
		status = cmd_fail(&e);
	} else {
		t = fabricate_tool_find(argv[0], &e);
		if (!t)
			status = cmd_fail(&e);
		else if (t->own)
			status = run_own(t, argc, argv);
		else
			status = run_tool(t, &o, argv);
	}
out:
	boot_options_release(&o.boot);
	return status;
}

const struct command command_tool = {
	"tool", "runs a tool that wants root in a cage", &spec, cmd_tool, NULL, NULL,
};
