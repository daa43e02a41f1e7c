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

#include "hostfs-bridge/share/share.h"
#include "hostfs-bridge/target/target.h"
#include "rootfs/debian/debian.h"
#include "rootfs/fabricate/fabricate.h"
#include "rootfs/image/image.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/progress.h"
#include "umlcage/cage/cage.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/machine/machine.h"

#define GUEST_OUT "/out"
#define MAX_MOUNTS 8

struct job {
	/* ours */
	struct machine machine;
	const char *tools_suite;
	/* debootstrap's */
	struct strv args;	/* options, those with host files rewritten */
	char **operands;	/* SUITE TARGET [MIRROR [SCRIPT]] */
	int noperands;
	bool no_target;		/* --print-debs and its like: nothing is made */
	bool version;
	/* for the cage */
	struct cage_mount mounts[MAX_MOUNTS + 1];
	char *where[MAX_MOUNTS];
	size_t nmounts;
	struct target_details details;
	struct target target;
	struct image_maker im;
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

/* Options that name something of the host. */
enum { A_FILE, A_DIR, A_NEW_FILE };

static int opt_host(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	cleanup_free char *inside = NULL;
	struct job *j = value;

	if (opt->number == A_FILE && access(arg, R_OK) < 0)
		return err_sys(e, errno, "cannot read '%s'", arg);
	inside = host_file(j, arg, opt->number == A_DIR, opt->number == A_FILE, e);
	if (!inside)
		return -e->errnum;
	strv_addf(&j->args, "--%s=%s", opt->name, inside);
	j->no_target |= opt->number == A_NEW_FILE;
	return 0;
}

/* Options after which debootstrap makes no root. */
static int opt_no_target(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	struct job *j = value;

	(void)arg;
	(void)e;
	strv_addf(&j->args, "--%s", opt->name);
	j->no_target = true;
	j->version |= str_eq(opt->name, "version");
	return 0;
}

static int opt_second_stage(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	(void)arg;
	(void)value;
	return err_usage(e, "the second stage runs inside the root it is for: use 'umlcage run'");
}

#define PASS OPT_STRV(struct job, args)

/* The options of debootstrap(8), in its order. */
static const struct opt passed_opts[] = {
	{ OPT_PASS, 0, "arch", "ARCH", PASS, "the architecture to install" },
	{ OPT_PASS, 0, "include", "PACKAGES", PASS, "packages to add" },
	{ OPT_PASS, 0, "exclude", "PACKAGES", PASS, "packages to leave out" },
	{ OPT_PASS, 0, "components", "NAMES", PASS, "components of the archive" },
	{ OPT_PASS, 0, "extra-suites", "SUITES", PASS, "further suites of the archive" },
	{ OPT_PASS, 0, "no-resolve-deps", NULL, PASS, "do not resolve dependencies" },
	{ OPT_PASS, 0, "log-extra-deps", NULL, PASS, "log packages that dependencies add" },
	{ OPT_PASS, 0, "variant", "NAME", PASS, "minbase, buildd, fakechroot" },
	{ OPT_PASS, 0, "merged-usr", NULL, PASS, "make /{bin,sbin,lib} links" },
	{ OPT_PASS, 0, "no-merged-usr", NULL, PASS, "do not" },
	{ OPT_CALL, 0, "keyring", "FILE", 0, "the keys to check the Release file with", opt_host,
	  .number = A_FILE },
	{ OPT_PASS, 0, "no-check-gpg", NULL, PASS, "do not check its signature" },
	{ OPT_PASS, 0, "force-check-gpg", NULL, PASS, "check it also where that is not the rule" },
	{ OPT_PASS, 0, "no-check-certificate", NULL, PASS, "do not check the server's certificate" },
	{ OPT_CALL, 0, "certificate", "FILE", 0, "the client's certificate", opt_host,
	  .number = A_FILE },
	{ OPT_CALL, 0, "private-key", "FILE", 0, "its key", opt_host, .number = A_FILE },
	{ OPT_CALL, 0, "cache-dir", "DIR", 0, "a folder to keep packages in", opt_host,
	  .number = A_DIR },
	{ OPT_CALL, 0, "unpack-tarball", "FILE", 0, "take the packages from FILE", opt_host,
	  .number = A_FILE },
	{ OPT_CALL, 0, "make-tarball", "FILE", 0, "only collect the packages in FILE", opt_host,
	  .number = A_NEW_FILE },
	{ OPT_PASS, 0, "extractor", "NAME", PASS, "what unpacks packages: dpkg-deb, ar" },
	{ OPT_CALL, 0, "print-debs", NULL, 0, "only print the packages", opt_no_target },
	{ OPT_PASS, 0, "download-only", NULL, PASS, "only download them" },
	{ OPT_PASS, 0, "foreign", NULL, PASS, "only the first stage" },
	{ OPT_CALL, 0, "second-stage", NULL, 0,
	  "not here: it is done in the root, by 'umlcage run'", opt_second_stage },
	{ OPT_PASS, 0, "second-stage-target", "DIR", PASS, "of --second-stage" },
	{ OPT_PASS, 0, "keep-debootstrap-dir", NULL, PASS, "leave /debootstrap in the root" },
	{ OPT_PASS, 0, "allow-expired", NULL, PASS, "take an expired Release file" },
	{ OPT_PASS, 0, "inrelease-path", "PATH", PASS, "where the mirror has its InRelease file" },
	{ OPT_PASS, 0, "debian-installer", NULL, PASS, "as the installer calls it" },
	{ OPT_PASS, 0, "verbose", NULL, PASS, "let downloads show their progress" },
	{ OPT_CALL, 0, "version", NULL, 0, "print debootstrap's version", opt_no_target },
	OPT_END,
};

static const struct opt own_opts[] = {
	{ OPT_STRING, 0, "tools-suite", "SUITE", OPT_STR(struct job, tools_suite),
	  "whose debootstrap; default: the host's release, or stable" },
	OPT_END,
};

static const struct opt_spec spec = {
	.usage = "umlcage debootstrap [options] SUITE TARGET [MIRROR [SCRIPT]]",
	.summary = "Runs the distribution's debootstrap as root in a cage.",
	.groups = OPT_GROUPS({ "options of debootstrap", passed_opts, 0 },
			     { "the image", target_opts, offsetof(struct job, details) },
			     { "the cage", own_opts, 0 },
			     { NULL, machine_net_opts, offsetof(struct job, machine) },
			     { NULL, machine_policy_opts, offsetof(struct job, machine) },
			     { NULL, machine_opts, offsetof(struct job, machine) },
			     { NULL, machine_time_opts, offsetof(struct job, machine) }),
	.epilogue = "TARGET is a directory (a share), a .tar or .cpio with any compression, an image "
		    "(.ext4,\n.squashfs, .erofs, .oci.tar, ...), or - for a tar on standard output.  "
		    "Without MIRROR,\nUMLCAGE_MIRROR or the host's own mirror is used.",
};

/* The command in the cage. */
static int command(struct job *j, struct strv *argv, struct error *e)
{
	cleanup_free char *mirror = NULL, *script = NULL;
	const char *given = j->noperands > 2 ? j->operands[2] : NULL;
	int r = 0;

	strv_add(argv, "debootstrap");
	strv_addv(argv, (const char *const *)strv_argv(&j->args));
	if (!j->noperands)
		return 0;
	if (!given) {
		r = debian_mirror_find(NULL, &mirror, NULL, e);
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
	if (j->noperands > 3 && strchr(j->operands[3], '/')) {
		script = host_file(j, j->operands[3], false, true, e);
		if (!script)
			return -e->errnum;
	} else if (j->noperands > 3) {
		script = xstrdup(j->operands[3]);
	}
	strv_add(argv, j->operands[0]);
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
	int r = command(j, &argv, e);

	if (r)
		return r;
	if (getenv("SOURCE_DATE_EPOCH")) {
		snprintf(env_epoch, sizeof(env_epoch), "SOURCE_DATE_EPOCH=%s",
			 getenv("SOURCE_DATE_EPOCH"));
		env[3] = env_epoch;
	}
	/* what debootstrap says goes where the archive does not */
	if (strcmp(j->noperands > 1 ? j->operands[1] : "", "-") == 0)
		exec.stdout_fd = STDERR_FILENO;
	if (share)
		j->mounts[j->nmounts++] = (struct cage_mount){ .fd = share->fd,
							       .where = GUEST_OUT, .nosync = true };
	cfg.kernel = kernel;
	machine_configure(&j->machine, &cfg);
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

/* Into a directory that appears whole, or into a work share that becomes an archive. */
static int make(struct job *j, const struct share *tools, const char *kernel,
		struct progress *progress, int *status, struct error *e)
{
	cleanup_work struct work work = WORK_INIT;
	struct target *out = &j->target;
	struct share *share;
	int r;

	if (j->no_target)
		return in_cage(j, tools, NULL, kernel, progress, status, e);
	r = target_begin(out, e);
	share = target_share(out);
	if (!r && !share) {
		r = work_begin(&work, e);
		share = &work.share;
	}
	if (!r)
		r = in_cage(j, tools, share, kernel, progress, status, e);
	if (!r && interrupted())
		r = err_set(e, EINTR, "interrupted");
	if (r || *status)
		return r;
	r = target_write(out, share, progress, NULL, e);
	return r ? r : target_commit(out, e);
}

static int run(struct job *j, struct progress *progress, int *status, struct error *e)
{
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	cleanup_share struct share tools = SHARE_INIT;
	cleanup_free char *path = NULL;
	int r = machine_kernel(&j->machine, NULL, true, progress, &kernel, e);

	if (r >= 0 && !j->no_target)
		r = target_prepare(&j->target, progress, e);
	if (r >= 0)
		r = fabricate_tools_root(j->tools_suite, fabricate_tool_find("debootstrap", e)->packages,
					 NULL, &j->machine, progress, &path, e);
	if (!r)
		r = share_open(&tools, path, SHARE_READ, e);
	if (r)
		return r;
	interrupt_begin();
	r = make(j, &tools, kernel.path, progress, status, e);
	interrupt_end();
	return r;
}

static int debootstrap(struct job *j, int argc, char **argv, int *status, struct error *e)
{
	struct progress progress;
	int r = machine_check(&j->machine, e);

	j->operands = argv;
	j->noperands = argc;
	if (!r && !j->version && (argc < 2 || argc > 4))
		r = err_usage(e, "SUITE and TARGET are needed, MIRROR and SCRIPT may follow; see "
			      "'umlcage debootstrap --help'");
	if (!r && argc > 1) {
		const struct target_request request = {
			.name = argv[1], .directories = true, .no_check = j->no_target,
			.details = &j->details,
		};

		r = target_parse(&j->target, &request, e);
		j->target.maker = &j->im.maker;
	}
	if (r)
		return r;
	progress_init(&progress, STDERR_FILENO, 0);
	r = run(j, &progress, status, e);
	progress_end(&progress);
	return r;
}

static int cmd_debootstrap(const struct command *self, int argc, char **argv)
{
	struct job j = { .machine = MACHINE_INIT, .target = TARGET_INIT,
			 .im = IMAGE_MAKER_INIT(&j.machine) };
	struct error e = ERROR_INIT;
	int status, ended = 0;

	status = cmd_parse(self->spec, &j, &argc, &argv);
	if (status < 0)
		status = debootstrap(&j, argc, argv, &ended, &e) < 0 ? cmd_fail(&e) : ended;
	for (size_t i = 0; i < j.nmounts; i++) {
		close_fd(&j.mounts[i].fd);
		free(j.where[i]);
	}
	strv_release(&j.args);
	target_release(&j.target);
	target_details_release(&j.details);
	image_maker_release(&j.im);
	machine_release(&j.machine);
	return status;
}

const struct command command_debootstrap = {
	"debootstrap", "runs the distribution's debootstrap in a cage", &spec, cmd_debootstrap, NULL, NULL,
};
