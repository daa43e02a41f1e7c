// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage deb check and test: what others have to say of packages: lintian, piuparts, autopkgtest. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/deb822/deb822.h"
#include "rootfs/debbuild/debbuild.h"
#include "rootfs/debian/debian.h"
#include "rootfs/fabricate/fabricate.h"
#include "rootfs/fetch/fetch.h"
#include "umlcage/base/fd.h"
#include "umlcage/cmd/boot.h"
#include "umlcage/cmd/deb.h"
#include "umlcage/cmd/guest.h"
#include "umlcage/cmd/tool.h"

#define GUEST_FOLDER "/umlcage/packages"
#define GUEST_BASE "/umlcage/base"
#define SERVER "autopkgtest-virt-umlcage"
#define TESTBED "dpkg-dev,apt-utils"	/* what autopkgtest would install in each */
enum { MEMORY = 2 /* GB */, MAX_CHANGES = 4 << 20 };

struct check_options {
	struct boot_options boot;
	struct strv start;	/* options of 'session start' */
	const char *suite, *root, *output;
	bool piuparts;
};

#define CHECK(field, kind) OPT_##kind(struct check_options, field)

static int check_file(const char *path, struct error *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, errno, "cannot open '%s'", path);
	return S_ISREG(st.st_mode) ? 0 : err_usage(e, "'%s' is not a file", path);
}

/* ---- check ---- */

static const struct opt check_opts[] = {
	{ OPT_STRING, 0, "suite", "SUITE", CHECK(suite, STR),
	  "whose lintian or piuparts it is, and of piuparts what packages are installed in "
	  "(default: this machine's own, else stable)" },
	{ OPT_FLAG, 0, "piuparts", NULL, CHECK(piuparts, BOOL),
	  "have piuparts install, upgrade, remove and purge them, instead of lintian: .changes "
	  "and .deb files, with a network" },
	OPT_END,
};

static const struct opt_spec check_spec = {
	.usage = "umlcage deb check [options] FILE.changes | FILE.dsc | FILE.deb ...",
	.summary = "Has lintian look at packages, in a cage without a network; or piuparts, in one with.",
	.groups = OPT_GROUPS({ NULL, check_opts, 0 },
			     { NULL, machine_policy_opts, offsetof(struct check_options, boot.machine) },
			     { "the cage", machine_opts, offsetof(struct check_options, boot.machine) },
			     { NULL, machine_time_opts, offsetof(struct check_options, boot.machine) },
			     { NULL, boot_cage_opts, offsetof(struct check_options, boot) },
			     { "what is shown", boot_shown_opts, offsetof(struct check_options, boot) }),
	.epilogue = "The files are in one folder, with what they list.  Exit status: lintian's: 0; 2 it "
		    "found errors;\n1 it failed; or piuparts': 0; 1 a package failed; and those of "
		    "'umlcage run'.",
};

/* All files are in one folder, which the cage sees; what they are called there. */
static int give_files(struct check_options *o, char **files, int n, struct strv *words, struct error *e)
{
	cleanup_free char *folder = NULL;
	struct stat first, other;

	for (int i = 0; i < n; i++) {
		cleanup_free char *a = xstrdup(files[i]), *b = xstrdup(files[i]);
		const char *dir = dirname(a);
		int ret = check_file(files[i], e);

		if (ret < 0)
			return ret;
		if (stat(dir, &other) < 0)
			return err_sys(e, errno, "cannot open '%s'", dir);
		if (i == 0) {
			first = other;
			folder = realpath(dir, NULL);
		} else if (other.st_ino != first.st_ino || other.st_dev != first.st_dev) {
			return err_usage(e, "'%s' and '%s' are not in the same folder", files[0], files[i]);
		}
		strv_addf(words, GUEST_FOLDER "/%s", basename(b));
	}
	if (!folder)
		return err_sys(e, errno, "cannot open the folder of '%s'", files[0]);
	strv_addf(&o->boot.places.binds, "%s:" GUEST_FOLDER ":ro", folder);
	return 0;
}

static void use_lintian(struct check_options *o, struct strv *words)
{
	strv_add(words, "lintian");
	strv_add(words, "--allow-root");
	o->boot.machine.net = "none";
	if (!o->boot.machine.memory)
		o->boot.machine.memory = (uint64_t)MEMORY << 30;
}

static int check_kinds(char **files, int n, struct error *e)
{
	for (int i = 0; i < n; i++)
		if (!str_ends(files[i], ".deb") && !str_ends(files[i], ".changes"))
			return err_usage(e, "--piuparts: '%s' is neither a .changes nor a .deb file",
					 files[i]);
	return 0;
}

/* It copies a root of the suite for itself, which goes to the disk. */
static int use_piuparts(struct check_options *o, struct strv *words, struct error *e)
{
	cleanup_free char *suite = o->suite ? xstrdup(o->suite) : fabricate_host_suite(), *base = NULL;
	int ret = tool_root(&o->boot, suite, "", &base, e);

	if (ret < 0)
		return ret;
	strv_add(words, "piuparts");
	strv_add(words, "--existing-chroot=" GUEST_BASE);
	strv_addf(words, "--distribution=%s", suite);
	strv_addf(&o->boot.places.shares, "%s:" GUEST_BASE ":ro", base);
	o->boot.places.scratch = "disk";
	return 0;
}

static int check(struct check_options *o, char **files, int n)
{
	cleanup_strv struct strv words = STRV_INIT, names = STRV_INIT;
	cleanup_error struct error e = ERROR_INIT;
	cleanup_free char *root = NULL;
	struct guest_options command = { 0 };

	if (!o->piuparts)
		use_lintian(o, &words);
	if ((o->piuparts && check_kinds(files, n, &e) < 0) || give_files(o, files, n, &names, &e) < 0 ||
	    machine_check(&o->boot.machine, &e) < 0 || (o->piuparts && use_piuparts(o, &words, &e) < 0) ||
	    tool_root(&o->boot, o->suite, o->piuparts ? "piuparts" : "lintian", &root, &e) < 0)
		return cmd_fail(&e);
	strv_addv(&words, (const char *const *)strv_argv(&names));
	o->boot.places.root = root;
	return guest_run_to_end(&o->boot, &command, strv_argv(&words));
}

/* ---- test ---- */

#define PASS CHECK(start, STRV)

static const struct opt test_opts[] = {
	{ OPT_STRING, 0, "suite", "SUITE", CHECK(suite, STR),
	  "of the testbed (default: this machine's own, else stable)" },
	{ OPT_STRING, 0, "root", "ROOT", CHECK(root, STR),
	  "the testbed: a root with dpkg-dev (default: one of the suite, made on first use)" },
	{ OPT_STRING, 'o', "output", "DIR", CHECK(output, STR), "autopkgtest's results and logs go there" },
	{ OPT_PASS, 0, "init", NULL, PASS, "with the root's own init (systemd) as PID 1" },
	{ OPT_PASS, 'm', "memory", "SIZE", PASS, "memory of the testbed" },
	{ OPT_PASS, 'c', "cpus", "N", PASS, "virtual CPUs of the testbed" },
	{ OPT_PASS, 'k', "kernel", "KERNEL", PASS, "its kernel: 'full' or a file" },
	OPT_END,
};

static const struct opt mirror_opts[] = {
	{ OPT_STRING, 0, "mirror", "MIRROR", OPT_STR(struct boot_options, mirror),
	  "that the testbed is made of" },
	OPT_END,
};

static const struct opt_spec test_spec = {
	.usage = "umlcage deb test [options] FILE.changes | FILE.dsc | FILE.deb | FOLDER | NAME ...",
	.summary = "Runs the tests of packages by autopkgtest, in cages that are machines of their own.",
	.groups = OPT_GROUPS({ "the testbed", test_opts, 0 },
			     { NULL, mirror_opts, offsetof(struct check_options, boot) },
			     { "what is shown", boot_shown_opts, offsetof(struct check_options, boot) }),
	.epilogue = "It is autopkgtest that runs, and has to be installed; the operands are its own: a "
		    ".changes is\ntested as it was built.  Exit status: autopkgtest's: 0 all passed, 2 some "
		    "were skipped, 4 some failed,\n8 there are none, 12 and 14 the package is bad, 16 the "
		    "testbed failed.",
};

/* A program of umlcage's that people call, from its libexec: installed, or built. */
static int find_program(const char *name, char **path, struct error *e)
{
	static const char *const folders[] = { "/../../bin", "/../..", "", "/../../../umlcage/autopkgtest" };
	cleanup_free char *self = realpath("/proc/self/exe", NULL);
	char *slash = self ? strrchr(self, '/') : NULL;

	if (!slash)
		return err_sys(e, errno, "cannot tell where umlcage is");
	*slash = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		cleanup_free char *there = xasprintf("%s%s/%s", self, folders[i], name);

		if (access(there, X_OK) == 0) {
			*path = realpath(there, NULL);
			return *path ? 0 : err_sys(e, errno, "cannot use '%s'", there);
		}
	}
	return err_set(e, ENOENT, "there is no '%s', a part of umlcage; install it with 'make install'",
		       name);
}

/*
 * autopkgtest wants packages first, and their source last.  A .changes of packages alone stands for
 * them and the .dsc that they were made of: beside it, else of that name in the archive.
 */
static int add_changes(const char *path, struct strv *words, struct error *e)
{
	cleanup_free char *copy = xstrdup(path), *plain = NULL, *dsc = NULL, *name = NULL, *version = NULL;
	cleanup_debian_files struct debian_files files = DEBIAN_FILES_INIT;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	const char *dir = dirname(copy), *sums;
	int ret = file_read(AT_FDCWD, path, MAX_CHANGES, &text, e);

	if (ret < 0)
		return ret;
	plain = fetch_unsigned(&text);
	deb822_init_mem(&d, plain, strlen(plain), path);
	ret = deb822_next(&d, e);
	sums = ret > 0 ? deb822_get(&d, "Checksums-Sha256") : NULL;
	if (ret >= 0 && (!sums || !deb822_get(&d, "Source") || !deb822_get(&d, "Version")))
		return err_usage(e, "'%s' is not a .changes file", path);
	if (ret >= 0)
		ret = debbuild_source_of(&d, path, &name, &version, e);
	if (ret >= 0)
		ret = debian_files_parse(&files, sums, path, e);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < files.n; i++)
		if (str_ends(files.v[i].name, ".deb"))
			strv_addf(words, "%s/%s", dir, files.v[i].name);
	dsc = debbuild_dsc_beside(path, name, version);
	strv_add(words, dsc ? dsc : name);
	return 0;
}

static int add_operands(char **what, int n, struct strv *words, struct error *e)
{
	int ret = 0;

	for (int i = 0; i < n && ret == 0; i++) {
		if (str_ends(what[i], ".changes"))
			ret = add_changes(what[i], words, e);
		else
			strv_add(words, what[i]);
	}
	return ret;
}

static int test(struct check_options *o, char **what, int n, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *root = o->root ? xstrdup(o->root) : NULL;
	cleanup_free char *server = NULL, *umlcage = NULL;
	int ret;

	strv_add(&words, "autopkgtest");
	if (o->output)
		strv_addf(&words, "--output-dir=%s", o->output);
	/* a root of the cache is without the lists of packages */
	if (!root)
		strv_add(&words, "--setup-commands=apt-get -q update");
	ret = add_operands(what, n, &words, e);
	if (ret == 0)
		ret = find_program(SERVER, &server, e);
	if (ret == 0)
		ret = find_program("umlcage", &umlcage, e);
	if (ret == 0 && !root)
		ret = tool_root(&o->boot, o->suite, TESTBED, &root, e);
	if (ret < 0)
		return ret;
	strv_add(&words, "--");
	strv_add(&words, server);
	strv_addf(&words, "--umlcage=%s", umlcage);
	strv_add(&words, root);
	strv_addv(&words, (const char *const *)strv_argv(&o->start));
	execvp("autopkgtest", strv_argv(&words));
	if (errno == ENOENT)
		return err_set(e, ENOENT, "there is no 'autopkgtest' in PATH; install it: 'apt install "
			       "autopkgtest'");
	return err_sys(e, errno, "cannot run 'autopkgtest'");
}

/* ---- both ---- */

static int cmd_deb_check(const struct command *self, int argc, char **argv)
{
	struct check_options o = { .boot = BOOT_OPTIONS_INIT };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status < 0 && argc)
		status = check(&o, argv, argc);
	else if (status < 0 && err_usage(&e, "name a .changes, .dsc or .deb file"))
		status = cmd_fail(&e);
	boot_options_release(&o.boot);
	return status;
}

static int cmd_deb_test(const struct command *self, int argc, char **argv)
{
	struct check_options o = { .boot = BOOT_OPTIONS_INIT };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status < 0) {
		(void)(argc ? test(&o, argv, argc, &e) :
			      err_usage(&e, "name a package: a .changes, .dsc or .deb file, a folder or a "
					"name"));
		status = cmd_fail(&e);
	}
	boot_options_release(&o.boot);
	strv_release(&o.start);
	return status;
}

const struct command command_deb_check = {
	.name = "check", .help = "has lintian or piuparts look at packages", .spec = &check_spec,
	.run = cmd_deb_check,
};

const struct command command_deb_test = {
	.name = "test", .help = "runs the tests of packages (autopkgtest)", .spec = &test_spec,
	.run = cmd_deb_test,
};
