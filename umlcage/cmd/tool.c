// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage tool: what people run as root to make images and roots, run as the root of a cage.
 *
 * A row of the table says all there is to know of a tool.  Its packages are those of a root that
 * is fabricated on first use and kept; the current folder is in the cage at its own path, so that
 * files named in arguments are where they are, and what the tool leaves there is the result.
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

#define GB(n) ((uint64_t)(n) << 30)

struct tool {
	const char *name, *what;
	const struct command *command;	/* one of umlcage's own, which does it all; else: */
	const char *packages;
	const char *suite;		/* that its packages are of; NULL: the host's release */
	const char *script;		/* of a shell, with the arguments as its own */
	uint64_t memory;		/* bytes */
	bool full;			/* needs the full kernel */
	bool disk;			/* works on more than memory holds: on a disk thrown away */
};

/* What an init would have done: systemd-nspawn and kernel-install ask for the machine's number. */
static const char machine_id[] =
	"[ -s /etc/machine-id ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \\n' >/etc/machine-id\n";

/* udevd makes the names of partitions and volumes, and tools wait for it. */
#define UDEV "/usr/lib/systemd/systemd-udevd --daemon 2>/dev/null; udevadm trigger; udevadm settle\n"

/*
 * For tools that work in the current folder, with owners and devices: that is one of the cage's
 * own, and files of the user's that arguments name are found where they are.
 */
#define ASIDE \
	"here=$PWD\n" \
	"for a; do\n" \
	"\tshift\n" \
	"\tcase $a in -* | /*) ;; *) [ ! -e \"$a\" ] || a=$here/$a ;; esac\n" \
	"\tset -- \"$@\" \"$a\"\n" \
	"done\n" \
	"mkdir -p /work && cd /work || exit\n"

static const struct tool tools[] = {
	{ .name = "debootstrap", .what = "a Debian root, by debootstrap(8)",
	  .command = &command_debootstrap },
	{ .name = "mmdebstrap", .what = "a Debian root, by mmdebstrap(1)",
	  .packages = "mmdebstrap,debian-archive-keyring,ca-certificates,zstd,xz-utils,arch-test,"
		      "squashfs-tools-ng,genext2fs,dpkg-dev",
	  .script = "exec mmdebstrap \"$@\"", .memory = GB(2) },
	{ .name = "vmdb2", .what = "a disk image from a .vmdb file, by vmdb2(1)",
	  .packages = "vmdb2,debootstrap,kpartx,parted,fdisk,gdisk,dosfstools,e2fsprogs,btrfs-progs,"
		      "xfsprogs,udev,qemu-utils,zerofree,psmisc,ca-certificates",
	  .script = UDEV "exec vmdb2 \"$@\"", .memory = GB(2), .full = true, .disk = true },
	{ .name = "debos", .what = "a disk image from a recipe, by debos(1)",
	  .packages = "debos,debootstrap,mmdebstrap,parted,fdisk,dosfstools,e2fsprogs,btrfs-progs,"
		      "xfsprogs,f2fs-tools,udev,systemd-container,bmap-tools,qemu-utils,git,zip,unzip,"
		      "pigz,ca-certificates",
	  .script = UDEV ASIDE "exec debos --disable-fakemachine --artifactdir=\"$here\" \"$@\"",
	  .memory = GB(2), .full = true, .disk = true },
	{ .name = "mkosi", .what = "an image of an operating system, by mkosi(1)", .suite = "trixie",
	  .packages = "mkosi,systemd-repart,systemd-container,systemd-ukify,systemd-boot,udev,kmod,cpio,"
		      "zstd,xz-utils,dosfstools,mtools,e2fsprogs,btrfs-progs,squashfs-tools,erofs-utils,"
		      "debian-archive-keyring,ca-certificates,bubblewrap",
	  .script = UDEV "exec mkosi \"$@\"", .memory = GB(3), .full = true, .disk = true },
};

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
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		printf("%-16s%s\n", tools[i].name, tools[i].what);
	return fflush(stdout) < 0 ? EXIT_FAILED : EXIT_OK;
}

static const struct tool *find(const char *name, struct error *e)
{
	const char *names[ARRAY_SIZE(tools) + 1] = { NULL };
	cleanup_strv struct strv all = STRV_INIT;
	cleanup_free char *text = NULL;
	const char *meant;

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		if (str_eq(tools[i].name, name))
			return &tools[i];
		names[i] = tools[i].name;
		strv_add(&all, names[i]);
	}
	meant = str_closest(name, names);
	text = strv_join(&all, ", ");
	if (meant)
		err_usage(e, "there is no tool '%s'; did you mean '%s'?", name, meant);
	else
		err_usage(e, "there is no tool '%s'; there are %s", name, text);
	return NULL;
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
static void apply(const struct tool *t, struct tool_options *o)
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

static int run_tool(const struct tool *t, struct tool_options *o, char **argv)
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
	strv_addf(&words, "%s%s", machine_id, t->script);
	strv_addv(&words, (const char *const *)argv);
	return guest_run_to_end(&o->boot, &o->command, strv_argv(&words));
}

static int cmd_tool(const struct command *self, int argc, char **argv)
{
	struct tool_options o = { .boot = BOOT_OPTIONS_INIT };
	const struct tool *t = NULL;
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
		t = find(argv[0], &e);
		if (!t)
			status = cmd_fail(&e);
		else if (t->command)
			status = t->command->run(t->command, argc, argv);
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
