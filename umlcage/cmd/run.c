// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage run, a command as root in a cage, and umlcage shell, a shell there. */
#include "umlcage/cmd/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel-config/kernel.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/cage/forward.h"
#include "umlcage/cmd/cmd.h"

enum { MEMORY_MIN = 64 << 20 };

static int add_verbose(const char *arg, void *value, struct error *e)
{
	(void)arg;
	(void)e;
	++*(int *)value;
	return 0;
}

static int parse(struct run_options *o, int *argc, char ***argv)
{
	const struct opt opts[] = {
		{ OPT_HEADING, .help = "the root" },
		{ OPT_STRING, 'r', "root", "ROOT", .value = &o->root,
		  .help = "a share, a tarball, a disk image (ext4, squashfs), or a name of\n"
			  "'umlcage root list'; not changed unless asked for (default: 'default',\n"
			  "a small Debian root that is made on first use)" },
		{ OPT_FLAG, 'w', "writable", .value = &o->writable,
		  .help = "write to the root itself" },
		{ OPT_STRING, 0, "keep", "NAME", .value = &o->keep,
		  .help = "keep the changes under NAME, and start from what it keeps" },
		{ OPT_STRING, 0, "commit", "NAME", .value = &o->commit,
		  .help = "on success, store root and changes together as the new root NAME" },
		{ OPT_STRING, 0, "scratch", "WHERE", .value = &o->scratch,
		  .help = "where changes go that are thrown away: memory (default) or disk" },
		{ OPT_STRING, 0, "cow", "FILE", .value = &o->cow,
		  .help = "disk image: keep the changes in the COW file FILE" },
		{ OPT_STRING, 0, "fstype", "TYPE", .value = &o->fstype,
		  .help = "disk image: its file system (default: tried out)" },
		{ OPT_LIST, 's', "share", "HOSTDIR:GUESTDIR[:ro]", .value = &o->shares,
		  .help = "mount a share: a folder with recorded ownership, made if absent" },
		{ OPT_LIST, 'b', "bind", "HOSTDIR:GUESTDIR[:ro]", .value = &o->binds,
		  .help = "mount an ordinary folder: files appear root's, are created as yours" },
		{ OPT_FLAG, 0, "sync", .value = &o->sync,
		  .help = "obey fsync() on shares at once instead of once at the end" },
		{ OPT_HEADING, .help = "the command" },
		{ OPT_LIST, 'e', "env", "NAME[=VALUE]", .value = &o->env,
		  .help = "set a variable; without a value, pass on the host's" },
		{ OPT_STRING, 'C', "workdir", "DIR", .value = &o->workdir,
		  .help = "where it starts (default: /)" },
		{ OPT_STRING, 'u', "user", "USER[:GROUP]", .value = &o->user,
		  .help = "names of the root or numbers (default: root)" },
		{ OPT_DURATION, 0, "timeout", "TIME", .value = &o->timeout,
		  .help = "end it after TIME (90, 1.5m, 2h); exit status 124" },
		{ OPT_FLAG, 't', "tty", .value = &o->tty,
		  .help = "give it a terminal (default when stdin and stdout are one)" },
		{ OPT_FLAG, 'T', "no-tty", .value = &o->no_tty, .help = "never give it a terminal" },
		{ OPT_FLAG, 'i', "interactive", .value = &o->interactive,
		  .help = "pass stdin on; always done, for those used to asking for it" },
		{ OPT_HEADING, .help = "the network" },
		{ OPT_STRING, 'n', "net", "MODE", .value = &o->net,
		  .help = "nat (default), restricted (published ports only) or none" },
		{ OPT_LIST, 'p', "publish", "[ADDR:]HOSTPORT:GUESTPORT[/udp]", .value = &o->publish,
		  .help = "let the host reach a port of the cage (default ADDR: 127.0.0.1)" },
		{ OPT_FLAG, 0, "reach-host", .value = &o->reach_host,
		  .help = "let the cage reach the host's own addresses and loopback (10.0.2.2)" },
		{ OPT_HEADING, .help = "the cage" },
		{ OPT_SIZE, 'm', "memory", "SIZE", .value = &o->memory,
		  .help = "guest memory, used as needed (default: 1G)" },
		{ OPT_UINT, 'c', "cpus", "N", .value = &o->cpus,
		  .help = "virtual CPUs (default: 1, the fastest for one thread)" },
		{ OPT_STRING, 0, "hostname", "NAME", .value = &o->hostname, .help = "default: cage" },
		{ OPT_STRING, 'k', "kernel", "FILE", .value = &o->kernel,
		  .help = "a kernel of your own (default: 'umlcage kernel', built on first use)" },
		{ OPT_STRING, 0, "mirror", "URL", .value = &o->mirror,
		  .help = "where a missing kernel or root is fetched from" },
		{ OPT_CALL, 0, "require-jail", .arg = "basic|full", .optional_arg = true,
		  .value = &o->require_jail, .call = cage_parse_require,
		  .help = "fail if this host cannot confine the kernel (full: with namespaces, too)" },
		{ OPT_FLAG, 0, "no-namespaces", .value = &o->no_namespaces,
		  .help = "confine the kernel without namespaces" },
		{ OPT_FLAG, 0, "ptrace", .value = &o->ptrace_mode,
		  .help = "run guest processes under ptrace instead of seccomp (slower)" },
		{ OPT_FLAG, 0, "no-fast-calls", .value = &o->no_fast_calls,
		  .help = "leave the system call instructions of processes as they are (slower)" },
		{ OPT_HEADING, .help = "what is shown" },
		{ OPT_FLAG, 'q', "quiet", .value = &o->quiet, .help = "only errors and warnings" },
		{ OPT_CALL, 'v', "verbose", .value = &o->verbose, .call = add_verbose,
		  .help = "more" },
		{ OPT_FLAG, 0, "console", .value = &o->console,
		  .help = "the kernel's console on stderr (otherwise its end, on failure)" },
		{ OPT_FLAG, 0, "print-command", .value = &o->print_command,
		  .help = "print the kernel's command line and stop" },
		OPT_END,
	};
	const struct opt_spec spec = {
		.usage = o->shell ? "umlcage shell [options] [ROOT]" :
				    "umlcage run [options] [--] COMMAND [ARG...]",
		.summary = o->shell ? "Opens a login shell as root in ROOT, in a cage." :
				      "Runs a command as root in a cage: a Linux kernel of your own, "
				      "as an ordinary process.",
		.opts = opts,
		.epilogue = "exit status: the command's; 128+N when signal N ended it; 124 time "
			    "limit; 125 umlcage\nfailed; 126 cannot be run; 127 not found; 2 bad "
			    "usage",
		.stop_at_operand = !o->shell,
	};

	return cmd_parse(&spec, argc, argv);
}

static int fail(struct error *e)
{
	return cmd_fail(e) == EXIT_USAGE ? EXIT_USAGE : EXIT_UMLCAGE;
}

static int parse_net(const struct run_options *o, struct cage_config *cfg, struct error *e)
{
	if (strcmp(o->net, "nat") == 0)
		cfg->net = CAGE_NET_NAT;
	else if (strcmp(o->net, "restricted") == 0)
		cfg->net = CAGE_NET_RESTRICTED;
	else if (strcmp(o->net, "none") == 0)
		cfg->net = CAGE_NET_NONE;
	else
		return err_usage(e, "--net: '%s' is none of nat, restricted, none", o->net);
	if (cfg->net == CAGE_NET_NONE && o->publish.n)
		return err_usage(e, "--publish needs a network, and --net=none leaves none");
	return 0;
}

static int check_options(const struct run_options *o, struct cage_config *cfg, struct error *e)
{
	if (o->memory < MEMORY_MIN || o->memory > 1ULL << 40)
		return err_usage(e, "--memory: from 64M to 1T");
	if (o->cpus < 1 || o->cpus > 64)
		return err_usage(e, "--cpus: from 1 to 64");
	if (o->ptrace_mode && o->cpus > 1)
		return err_usage(e, "--ptrace allows one virtual CPU only");
	if (o->tty && o->no_tty)
		return err_usage(e, "--tty and --no-tty exclude each other");
	if (o->cow && (o->keep || o->commit))
		return err_usage(e, "--cow is for disk images, --keep and --commit are for shares");
	if (o->writable && (o->keep || o->commit || o->cow))
		return err_usage(e, "--writable writes to the root itself: --keep, --commit and --cow "
				 "have nothing to do");
	cfg->memory = o->memory;
	cfg->cpus = o->cpus;
	cfg->hostname = o->hostname;
	cfg->reach_host = o->reach_host;
	cfg->require_jail = o->require_jail;
	cfg->no_namespaces = o->no_namespaces;
	if (o->no_namespaces && o->require_jail == CAGE_REQUIRE_FULL)
		return err_usage(e, "--no-namespaces and --require-jail=full exclude each other");
	cfg->ptrace_mode = o->ptrace_mode;
	cfg->no_fast_calls = o->no_fast_calls;
	cfg->console_fd = o->console ? STDERR_FILENO : -1;
	return parse_net(o, cfg, e);
}

static void add_environment(struct strv *env, const struct run_options *o, bool tty, bool net)
{
	static const char *const proxies[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
					       "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY" };
	const char *term = getenv("TERM");

	for (size_t i = 0; i < o->env.n; i++) {
		const char *value = strchr(o->env.v[i], '=') ? NULL : getenv(o->env.v[i]);

		if (strchr(o->env.v[i], '='))
			strv_add(env, o->env.v[i]);
		else if (value)
			strv_addf(env, "%s=%s", o->env.v[i], value);
	}
	if (tty && term)
		strv_addf(env, "TERM=%s", term);
	if (!net)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		if (getenv(proxies[i]))
			strv_addf(env, "%s=%s", proxies[i], getenv(proxies[i]));
}

static int find_kernel(const struct run_options *o, struct progress *progress,
		       struct kernel_info *k, struct error *e)
{
	struct kernel_request req = { .mirror = o->mirror, .progress = progress };

	if (o->kernel) {
		if (access(o->kernel, X_OK) < 0)
			return err_sys(e, errno, "cannot use the kernel '%s'", o->kernel);
		return kernel_inspect(o->kernel, k, e);
	}
	return kernel_ensure(&req, k, e);
}

static int run_in(struct cage *cage, const struct run_options *o, char **argv, bool net,
		  struct cage_exit *exit, struct error *e)
{
	cleanup_strv struct strv env = STRV_INIT;
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	struct cage_exec what = {
		.argv = argv, .cwd = o->workdir, .user = o->user, .timeout = o->timeout,
		.tty = o->tty || (terminal && !o->no_tty),
		.stdin_fd = STDIN_FILENO, .stdout_fd = STDOUT_FILENO, .stderr_fd = STDERR_FILENO,
	};

	add_environment(&env, o, what.tty, net);
	what.env = strv_argv(&env);
	return cage_exec(cage, &what, exit, e);
}

static void report(const struct cage_exit *exit, const struct run_options *o)
{
	if (exit->reason)
		fprintf(stderr, "umlcage: %s\n", exit->reason);
	else if (exit->oom && exit->status)
		fprintf(stderr, "umlcage: the cage ran out of memory (%llu MiB) and killed a process; "
			"give it more with --memory\n", (unsigned long long)(o->memory >> 20));
	else if (exit->timed_out && !o->quiet)
		fprintf(stderr, "umlcage: the command was ended: its time limit is over\n");
}

static int run_command(const struct run_options *o, char **argv)
{
	struct cage_config cfg = CAGE_CONFIG_INIT;
	cleanup_error struct error e = ERROR_INIT;
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	cleanup_free struct cage_forward *forwards = xcalloc(o->publish.n, sizeof(*forwards));
	struct cage_exit exit = { 0 };
	struct run_places places = { .root = SHARE_INIT, .upper = SHARE_INIT, .image = -1, .cow = -1,
				     .commit = SHARE_STAGE_INIT };
	struct progress progress;
	struct cage *cage = NULL;
	int status = EXIT_UMLCAGE;

	progress_init(&progress, STDERR_FILENO, o->quiet ? -1 : o->verbose);
	cfg.progress = &progress;
	cfg.forwards = forwards;
	cfg.nforwards = o->publish.n;
	if (check_options(o, &cfg, &e) < 0)
		return fail(&e);
	for (size_t i = 0; i < o->publish.n; i++)
		if (forward_parse(o->publish.v[i], &forwards[i], &e) < 0)
			return fail(&e);
	if (find_kernel(o, &progress, &kernel, &e) < 0)
		return fail(&e);
	cfg.kernel = kernel.path;
	if (run_places_open(&places, o, &cfg, &progress, &e) < 0) {
		status = fail(&e);
		goto out_close;
	}
	progress_end(&progress);
	if (o->print_command) {
		cleanup_free char *text = cage_command_text(&cfg);

		puts(text);
		status = EXIT_OK;
		goto out_close;
	}
	if (cage_start(&cage, &cfg, &e) < 0 ||
	    run_in(cage, o, argv, cfg.net != CAGE_NET_NONE, &exit, &e) < 0) {
		status = fail(&e);
		goto out_close;
	}
	report(&exit, o);
	status = exit.status;
	if (exit.output_error) {
		fprintf(stderr, "umlcage: cannot write the command's output: %s\n",
			strerror(exit.output_error));
		status = status ? status : EXIT_UMLCAGE;
	}
	if (cage_stop(cage, &e) < 0 || run_places_finish(&places, exit.status == 0, &e) < 0)
		status = fail(&e);
out_close:
	cage_free(cage);
	cage_exit_release(&exit);
	run_places_close(&places);
	return status;
}

#define RUN_OPTIONS_INIT { .root = "default", .net = "nat", .memory = 1ULL << 30, .cpus = 1 }

static void release(struct run_options *o)
{
	strv_release(&o->shares);
	strv_release(&o->binds);
	strv_release(&o->publish);
	strv_release(&o->env);
}

int cmd_run(int argc, char **argv)
{
	struct run_options o = RUN_OPTIONS_INIT;
	struct error e = ERROR_INIT;
	int status = parse(&o, &argc, &argv);

	if (status < 0 && argc < 1 && !o.print_command) {
		err_usage(&e, "there is no command to run; see 'umlcage run --help'");
		status = cmd_fail(&e);
	}
	if (status < 0)
		status = run_command(&o, argv);
	release(&o);
	return status;
}

int cmd_shell(int argc, char **argv)
{
	/* the agent sets SHELL to what the root's passwd says of the user */
	char *command[] = { "/bin/sh", "-c", "exec \"$SHELL\" -l", NULL };
	struct run_options o = RUN_OPTIONS_INIT;
	struct error e = ERROR_INIT;
	int status;

	o.shell = true;
	status = parse(&o, &argc, &argv);
	if (status < 0 && argc > 1) {
		err_usage(&e, "'%s' is one argument too many: a shell takes a ROOT only; "
			  "'umlcage run' runs commands", argv[1]);
		status = cmd_fail(&e);
	}
	if (status < 0) {
		o.root = argc ? argv[0] : o.root;
		status = run_command(&o, command);
	}
	release(&o);
	return status;
}
