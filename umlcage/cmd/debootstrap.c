// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage debootstrap: the distribution's own debootstrap, run as the cage's root.
 *
 * Its options and operands pass through; only TARGET is ours, and files of the
 * host that options name are shown to the cage at a place of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/share/share.h"
#include "kernel-config/kernel.h"
#include "rootfs/debian/debian.h"
#include "rootfs/fabricate/fabricate.h"
#include "rootfs/options/options.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/progress.h"
#include "umlcage/cage/cage.h"
#include "umlcage/cmd/cmd.h"

#define GUEST_OUT "/out"
#define TOOLS "debootstrap,ca-certificates,gpgv,xz-utils,zstd,debian-archive-keyring"
#define MAX_MOUNTS 8

struct job {
	/* ours */
	const char *kernel, *tools_suite, *memory;
	bool help;
	/* debootstrap's */
	struct strv args;	/* options, those with host files rewritten */
	struct strv operands;	/* SUITE TARGET [MIRROR [SCRIPT]] */
	bool no_target;		/* --print-debs and its like: nothing is made */
	/* for the cage */
	struct cage_mount mounts[MAX_MOUNTS + 1];
	char *where[MAX_MOUNTS];
	size_t nmounts;
	struct fab_options target;	/* only the target's format and name */
};

static const char usage[] =
	"usage: umlcage debootstrap [options] SUITE TARGET [MIRROR [SCRIPT]]\n\n"
	"Runs the distribution's debootstrap as root in a cage; its options are its own.\n"
	"TARGET is a directory (a share), a .tar or .cpio with any compression, or - for a tar\n"
	"on standard output.  Without MIRROR, UMLCAGE_MIRROR or the host's own mirror is used.\n\n"
	"Further options:\n"
	"  --tools-suite=SUITE  whose debootstrap; default: the host's release, or stable\n"
	"  --kernel=FILE        of the cage; default: found or built\n"
	"  --memory=SIZE        of the cage; default: 1G\n"
	"  --help               this\n";

/* Options of debootstrap that take an argument, and what of the host it names. */
static const struct {
	const char *name;
	enum { NOTHING, A_FILE, A_DIR, A_NEW_FILE } host;
} with_arg[] = {
	{ "--second-stage-target", NOTHING }, { "--arch", NOTHING }, { "--extractor", NOTHING },
	{ "--include", NOTHING }, { "--exclude", NOTHING }, { "--extra-suites", NOTHING },
	{ "--components", NOTHING }, { "--variant", NOTHING }, { "--keyring", A_FILE },
	{ "--certificate", A_FILE }, { "--private-key", A_FILE }, { "--unpack-tarball", A_FILE },
	{ "--make-tarball", A_NEW_FILE }, { "--cache-dir", A_DIR },
};

/* Shows the directory @dir in the cage; returns where. */
static const char *add_mount(struct job *j, const char *dir, bool read_only, struct error *e)
{
	int fd;

	if (j->nmounts == MAX_MOUNTS) {
		err_usage(e, "too many options that name files");
		return NULL;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		err_sys(e, errno, "cannot open directory '%s'", dir);
		return NULL;
	}
	j->where[j->nmounts] = xasprintf("/host/%zu", j->nmounts);
	j->mounts[j->nmounts] = (struct cage_mount){
		.fd = fd, .where = j->where[j->nmounts], .plain = true, .read_only = read_only,
	};
	return j->where[j->nmounts++];
}

/* The cage's name of a host file; malloc'ed, NULL after an error. */
static char *host_file(struct job *j, const char *path, bool is_dir, bool read_only,
		       struct error *e)
{
	cleanup_free char *copy = xstrdup(path), *copy2 = xstrdup(path);
	const char *where = add_mount(j, is_dir ? path : dirname(copy), read_only, e);

	if (!where)
		return NULL;
	return is_dir ? xstrdup(where) : path_join(where, basename(copy2));
}

static int pass_on(struct job *j, size_t option, const char *value, struct error *e)
{
	cleanup_free char *inside = NULL;
	int host = with_arg[option].host;

	if (host == A_FILE && access(value, R_OK) < 0)
		return err_sys(e, errno, "cannot read '%s'", value);
	if (host != NOTHING) {
		inside = host_file(j, value, host == A_DIR, host == A_FILE, e);
		if (!inside)
			return -e->errnum;
	}
	strv_addf(&j->args, "%s=%s", with_arg[option].name, inside ? inside : value);
	return 0;
}

/* One of our own options: 1, with its value taken. */
static int own_option(struct job *j, const char *arg)
{
	const struct {
		const char *prefix;
		const char **value;
	} own[] = {
		{ "--kernel=", &j->kernel }, { "--tools-suite=", &j->tools_suite },
		{ "--memory=", &j->memory },
	};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_starts(arg, own[i].prefix)) {
			*own[i].value = arg + strlen(own[i].prefix);
			return 1;
		}
	j->help |= strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
	return j->help;
}

static int parse_option(struct job *j, int argc, char **argv, int *i, struct error *e)
{
	const char *arg = argv[*i];

	if (own_option(j, arg))
		return 0;
	for (size_t k = 0; k < ARRAY_SIZE(with_arg); k++) {
		size_t len = strlen(with_arg[k].name);

		if (!str_starts(arg, with_arg[k].name))
			continue;
		if (arg[len] == '=')
			return pass_on(j, k, arg + len + 1, e);
		if (arg[len])
			continue;
		if (++*i >= argc)
			return err_usage(e, "option %s needs an argument", arg);
		return pass_on(j, k, argv[*i], e);
	}
	j->no_target |= strcmp(arg, "--print-debs") == 0 || strcmp(arg, "--version") == 0 ||
			str_starts(arg, "--make-tarball");
	if (strcmp(arg, "--second-stage") == 0)
		return err_usage(e, "the second stage runs inside the root it is for: use "
				 "umlcage run");
	strv_add(&j->args, arg);
	return 0;
}

static int parse(struct job *j, int argc, char **argv, struct error *e)
{
	bool options = true;
	int r = 0;

	for (int i = 1; i < argc && !r; i++) {
		if (options && strcmp(argv[i], "--") == 0)
			options = false;
		else if (options && argv[i][0] == '-' && argv[i][1])
			r = parse_option(j, argc, argv, &i, e);
		else
			strv_add(&j->operands, argv[i]);
	}
	for (size_t i = 0; i < j->args.n; i++)
		j->no_target |= str_starts(j->args.v[i], "--make-tarball");
	if (!r && !j->help && !strv_has(&j->args, "--version") &&
	    (j->operands.n < 2 || j->operands.n > 4))
		r = err_usage(e, "SUITE and TARGET are needed, MIRROR and SCRIPT may follow");
	return r;
}

/* The command in the cage. */
static int command(struct job *j, struct strv *argv, struct error *e)
{
	cleanup_free char *mirror = NULL, *script = NULL;
	const char *given = j->operands.n > 2 ? j->operands.v[2] : NULL;
	int r = 0;

	strv_add(argv, "debootstrap");
	strv_addv(argv, (const char *const *)strv_argv(&j->args));
	if (!j->operands.n)
		return 0;
	if (!given) {
		r = debian_mirror_find(NULL, &mirror, e);
		if (r)
			return r;
	} else if (str_starts(given, "file://") || given[0] == '/') {
		const char *path = given[0] == '/' ? given : given + strlen("file://");
		const char *where = add_mount(j, path, true, e);

		if (!where)
			return -e->errnum;
		mirror = xasprintf("file://%s", where);
	} else {
		mirror = xstrdup(given);
	}
	if (j->operands.n > 3 && strchr(j->operands.v[3], '/')) {
		script = host_file(j, j->operands.v[3], false, true, e);
		if (!script)
			return -e->errnum;
	} else if (j->operands.n > 3) {
		script = xstrdup(j->operands.v[3]);
	}
	strv_add(argv, j->operands.v[0]);
	strv_add(argv, GUEST_OUT);
	strv_add(argv, mirror);
	if (script)
		strv_add(argv, script);
	return r;
}

/* Boots the tools with @share as /out and runs debootstrap; *@status is its own. */
static int in_cage(struct job *j, const struct share *tools, const struct share *share,
		   const char *kernel, struct progress *progress, int *status, struct error *e)
{
	char env_epoch[64] = "SOURCE_DATE_EPOCH=";
	char *env[] = {
		(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)"HOME=/root", (char *)"LC_ALL=C.UTF-8", NULL, NULL,
	};
	struct cage_config cfg = CAGE_CONFIG_INIT;
	struct cage_exit ended = { 0 };
	cleanup_strv struct strv argv = STRV_INIT;
	struct cage_exec exec = { .cwd = "/", .stdin_fd = -1, .stdout_fd = STDOUT_FILENO,
				  .stderr_fd = STDERR_FILENO, .env = env,
				  .end_on_signal = true };
	struct cage *cage = NULL;
	uint64_t memory = 0;
	int r = command(j, &argv, e);

	if (r)
		return r;
	if (j->memory && parse_size(j->memory, &memory))
		return err_usage(e, "bad size '%s'", j->memory);
	if (getenv("SOURCE_DATE_EPOCH")) {
		snprintf(env_epoch, sizeof(env_epoch), "SOURCE_DATE_EPOCH=%s",
			 getenv("SOURCE_DATE_EPOCH"));
		env[3] = env_epoch;
	}
	/* what debootstrap says goes where the archive does not */
	if (strcmp(j->operands.n > 1 ? j->operands.v[1] : "", "-") == 0)
		exec.stdout_fd = STDERR_FILENO;
	if (share)
		j->mounts[j->nmounts++] = (struct cage_mount){ .fd = share->fd,
							       .where = GUEST_OUT, .nosync = true };
	cfg.kernel = kernel;
	cfg.memory = memory ? memory : cfg.memory;
	cfg.root.kind = CAGE_ROOT_SHARE;
	cfg.root.upper = CAGE_UPPER_MEMORY;
	cfg.root.fd = tools->fd;
	cfg.mounts = j->mounts;
	cfg.nmounts = j->nmounts;
	cfg.hostname = "debootstrap";
	cfg.progress = progress;
	exec.argv = strv_argv(&argv);
	r = cage_start(&cage, &cfg, e);
	if (!r)
		r = cage_exec(cage, &exec, &ended, e);
	if (!r)
		r = cage_stop(cage, e);
	if (!r)
		*status = ended.status;
	cage_exit_release(&ended);
	cage_free(cage);
	if (share)
		j->nmounts--;
	return r;
}

static int find_kernel(const struct job *j, struct kernel_info *k, struct progress *progress,
		       struct error *e)
{
	struct kernel_request request = { .progress = progress };
	int r;

	if (j->kernel) {
		k->path = xstrdup(j->kernel);
		return 0;
	}
	r = kernel_ensure(&request, k, e);
	return r < 0 ? r : 0;
}

static int export(struct job *j, struct share *share, struct progress *progress,
		  struct error *e)
{
	struct share_export_opts opts = SHARE_EXPORT_OPTS_INIT;
	cleanup_outfile struct outfile out = OUTFILE_INIT;
	const char *target = j->target.target;
	struct share_totals totals;
	int r = 0;

	if (strcmp(target, "-") != 0)
		r = share_export_by_name(target, &opts, e);
	opts.format = j->target.format == FAB_FORMAT_CPIO ? SHARE_CPIO : SHARE_TAR;
	opts.progress = progress;
	if (!r)
		r = share_export_epoch(&opts, e);
	if (r)
		return r;
	if (strcmp(target, "-") == 0)
		return share_export(share, STDOUT_FILENO, target, &opts, &totals, e);
	r = outfile_open(&out, AT_FDCWD, target, 0666, e);
	if (!r)
		r = share_export(share, out.fd, target, &opts, &totals, e);
	return r ? r : outfile_commit(&out, e);
}

/* Into a directory that appears whole, or into a work share that becomes an archive. */
static int make(struct job *j, const struct share *tools, const char *kernel,
		struct progress *progress, int *status, struct error *e)
{
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	cleanup_work struct work work = WORK_INIT;
	bool directory = j->target.format == FAB_FORMAT_DIRECTORY;
	int r;

	if (j->no_target)
		return in_cage(j, tools, NULL, kernel, progress, status, e);
	r = directory ? share_stage_begin(&stage, j->target.target, e) : work_begin(&work, e);
	if (!r)
		r = in_cage(j, tools, directory ? &stage.share : &work.share, kernel, progress,
			    status, e);
	if (!r && interrupted())
		r = err_set(e, EINTR, "interrupted");
	if (r || *status)
		return r;
	if (directory)
		return share_stage_commit(&stage, e);
	return j->target.format == FAB_FORMAT_NULL ? 0 : export(j, &work.share, progress, e);
}

static int run(struct job *j, struct progress *progress, int *status, struct error *e)
{
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	cleanup_share struct share tools = SHARE_INIT;
	cleanup_free char *path = NULL;
	int r = find_kernel(j, &kernel, progress, e);

	if (!r)
		r = fabricate_tools_root(j->tools_suite, TOOLS, NULL, kernel.path, progress, &path,
					 e);
	if (!r)
		r = share_open(&tools, path, SHARE_READ, e);
	if (r)
		return r;
	interrupt_begin();
	r = make(j, &tools, kernel.path, progress, status, e);
	interrupt_end();
	return r;
}

int cmd_debootstrap(int argc, char **argv)
{
	struct job j = { 0 };
	struct progress progress;
	struct error e = ERROR_INIT;
	int status = 0, r;

	fab_options_init(&j.target);
	progress_init(&progress, STDERR_FILENO, 0);
	r = parse(&j, argc, argv, &e);
	if (!r && j.help) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (!r && j.operands.n > 1) {
		j.target.target = xstrdup(j.operands.v[1]);
		r = fab_options_format(&j.target, &e);
	}
	if (!r)
		r = run(&j, &progress, &status, &e);
	progress_end(&progress);
	for (size_t i = 0; i < j.nmounts; i++) {
		close_fd(&j.mounts[i].fd);
		free(j.where[i]);
	}
	strv_release(&j.args);
	strv_release(&j.operands);
	fab_options_release(&j.target);
	return r ? cmd_fail(&e) : status;
}
