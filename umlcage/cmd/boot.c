// SPDX-License-Identifier: GPL-2.0-or-later
/* A cage from options: see boot.h. */
#include "umlcage/cmd/boot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "rootfs/fabricate/fabricate.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/workshop.h"

#define BOOT(field, kind) OPT_##kind(struct boot_options, field)

const struct opt boot_cage_opts[] = {
	{ OPT_STRING, 0, "hostname", "NAME", BOOT(hostname, STR),
	  "its name (default: cage, or what an init finds in the root)" },
	{ OPT_STRING, 0, "mirror", "URL", BOOT(mirror, STR),
	  "where a missing kernel or root is fetched from" },
	OPT_END,
};

const struct opt boot_shown_opts[] = {
	{ OPT_FLAG, 'q', "quiet", NULL, BOOT(quiet, BOOL), "only errors and warnings" },
	{ OPT_COUNT, 'v', "verbose", NULL, BOOT(verbose, INT), "more" },
	OPT_END,
};

const struct opt boot_print_opts[] = {
	{ OPT_FLAG, 0, "print-command", NULL, BOOT(print_command, BOOL),
	  "print the kernel's command line and stop" },
	OPT_END,
};

void boot_options_release(struct boot_options *o)
{
	machine_release(&o->machine);
	places_options_release(&o->places);
}

static int check_hostname(const char *name, struct error *e)
{
	if (!name || str_is_hostname(name))
		return 0;
	return err_usage(e, "--hostname: '%s' is not a host name: letters, digits, '-' and '.', at most 64",
			 name);
}

/* 1: there is none and none can be built, and it was said why. */
static int find_kernel(const struct boot_options *o, const struct progress *progress,
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
static int resolve(struct root_spec *spec, const struct boot_options *o, bool check,
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

/*
 * Opens the emulators in @archs.  1: one is missing and cannot be had, and it was said why, unless
 * the cage is of use without (!@needed).
 */
static int open_emulators(struct boot *b, const struct strv *archs, bool needed, struct error *e)
{
	struct machine *m = &b->o->machine;
	int ret = 0;

	for (size_t i = 0; i < archs->n && ret == 0; i++) {
		ret = emulate_open(&b->emulators, archs->v[i], false, e);
		if (ret <= 0)
			continue;
		if (!strv_has(&m->emulate, archs->v[i]))
			strv_add(&m->emulate, archs->v[i]);
		progress_end(&b->progress);
		ret = workshop_root(b->o->places.root, b->o->mirror, m, b->progress.verbosity, e);
		if (ret == 0)
			ret = emulate_open(&b->emulators, archs->v[i], false, e);
		if (ret != 0 && ret != -EINTR && !needed) {
			err_release(e);
			progress_warn(&b->progress, "programs of %s in the root cannot be run",
				      archs->v[i]);
			ret = 0;
		}
	}
	return ret;
}

/* For programs of other processors: what was asked for, and what the root is made of. */
static int find_emulators(struct boot *b, struct error *e)
{
	cleanup_strv struct strv needed = STRV_INIT, useful = STRV_INIT;
	int ret;

	strv_addv(&needed, (const char *const *)strv_argv(&b->o->machine.emulate));
	if (b->spec.kind == ROOT_SHARE && b->places.root.fd >= 0)
		emulate_detect(b->places.root.fd, &needed, &useful);
	ret = open_emulators(b, &needed, true, e);
	if (ret == 0)
		ret = open_emulators(b, &useful, false, e);
	b->cfg.emulators = b->emulators.v;
	b->cfg.nemulators = b->emulators.n;
	return ret;
}

static void release_places(struct boot *b)
{
	emulate_close(&b->emulators);
	cage_free(b->cage);
	b->cage = NULL;
	places_close(&b->places);
	b->places = (struct places)PLACES_INIT;
	root_release(&b->spec);
	b->spec = (struct root_spec)ROOT_SPEC_INIT;
}

/* 0, 1: it cannot be had, and it was said why; -EUCLEAN: the root is damaged, check it first. */
static int open_and_start(struct boot *b, bool check, struct error *e)
{
	pid_t checker = 0;
	int ret = resolve(&b->spec, b->o, check, &b->progress, e);

	if (ret == 0)
		ret = places_open(&b->places, &b->o->places, &b->spec, &b->cfg, e);
	if (ret == 0)
		ret = find_emulators(b, e);
	if (ret != 0 || b->o->print_command)
		return ret;
	progress_end(&b->progress);
	if (!check)
		checker = check_begin(&b->spec);
	ret = cage_start(&b->cage, &b->cfg, e);
	if (ret == 0)
		places_up(&b->places);
	if (!check_end(&checker)) {
		if (ret < 0)
			err_release(e);
		ret = err_set(e, EUCLEAN, "the root '%s' in the cache is damaged", b->spec.path);
	}
	return ret;
}

int boot_check(struct boot *b, struct boot_options *o, struct error *e)
{
	b->o = o;
	progress_init(&b->progress, STDERR_FILENO, o->quiet ? -1 : o->verbose);
	b->cfg.progress = &b->progress;
	if (check_hostname(o->hostname, e) < 0 || machine_check(&o->machine, e) < 0)
		return -e->errnum;
	for (size_t i = 0; i < o->machine.emulate.n; i++)
		if (emulate_check(o->machine.emulate.v[i], e) < 0)
			return -e->errnum;
	if (o->init && !o->machine.kernel)
		o->machine.kernel = "full";
	machine_configure(&o->machine, &b->cfg);
	b->cfg.init = o->init;
	b->cfg.hostname = o->hostname;
	b->cfg.booted = true;
	b->cfg.owner = o->places.owner;
	return places_check(&o->places, is_made(o->places.root), e);
}

int boot_cage(struct boot *b, struct error *e)
{
	int ret = find_kernel(b->o, &b->progress, &b->kernel, e);

	if (ret != 0)
		return ret;
	b->cfg.kernel = b->kernel.path;
	ret = open_and_start(b, false, e);
	if (ret == -EUCLEAN) {
		progress_note(&b->progress, "%s: making it again", err_text(e));
		err_release(e);
		release_places(b);
		ret = open_and_start(b, true, e);
	}
	return ret;
}

int boot_finish(struct boot *b, bool succeeded, struct error *e)
{
	int ret = cage_stop(b->cage, e);

	return ret < 0 ? ret : places_finish(&b->places, succeeded, e);
}

void boot_close(struct boot *b)
{
	release_places(b);
	kernel_info_release(&b->kernel);
}
