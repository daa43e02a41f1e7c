// SPDX-License-Identifier: GPL-2.0-or-later
/* A build from the source to the folder that takes it: see debbuild.h. */
#include "rootfs/debbuild/debbuild.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "rootfs/debbuild/private.h"
#include "rootfs/plan/plan.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cage/cage.h"

/* ---- steps ---- */

void job_step(struct job *j, enum debbuild_step step)
{
	static const char *const shown[DEBBUILD_STEPS] = {
		[DEBBUILD_SOURCE] = "reading package lists",
		[DEBBUILD_INSTALL] = "installing build dependencies",
		[DEBBUILD_UNPACK] = "unpacking the source", [DEBBUILD_BUILD] = "building",
		[DEBBUILD_RESULTS] = "taking what was built",
	};
	int64_t now = clock_ms();

	progress_end(j->progress);
	j->r->milliseconds[j->r->step] += now - j->at;
	j->at = now;
	j->r->step = step;
	if (shown[step])
		progress_stage(j->progress, shown[step], 0);
}

/* ---- the output folder ---- */

/* Where the results go, absolute; in a source tree they would be part of the next source. */
static int find_folder(struct job *j, struct error *e)
{
	cleanup_free char *here = getcwd(NULL, 0), *wanted = NULL;
	int ret;

	if (!here)
		return err_sys(e, errno, "cannot tell the current folder");
	if (j->b->output)
		wanted = j->b->output[0] == '/' ? xstrdup(j->b->output) : path_join(here, j->b->output);
	else if (j->info)
		wanted = path_join(here, "rebuilt");
	else if (j->source.kind == SOURCE_TREE && str_eq(here, j->source.dir))
		wanted = path_join(here, "..");
	else
		wanted = xstrdup(here);
	ret = make_dirs(AT_FDCWD, wanted, 0777, e);
	if (ret < 0)
		return ret;
	j->r->folder = realpath(wanted, NULL);
	if (!j->r->folder || access(j->r->folder, W_OK | X_OK) < 0)
		return err_sys(e, errno, "cannot write to '%s'", wanted);
	return 0;
}

/* ---- the source and its archive ---- */

/* Only the name of a package needs the lists of sources, which are large. */
static int open_archive(struct job *j, struct error *e)
{
	int ret = j->source.kind == SOURCE_ARCHIVE ?
		  plan_open_sources(&j->b->fab, j->progress, &j->archive, e) :
		  plan_open_archive(&j->b->fab, j->progress, &j->archive, e);

	return ret < 0 ? ret : debian_archive_update(j->archive, e);
}

static int check_kinds(const struct job *j, struct error *e)
{
	cleanup_strv struct strv archs = STRV_INIT;
	bool any = false;

	strv_split(&archs, j->source.architecture ? j->source.architecture : "", " \t\n");
	if (!archs.n)
		return 0;
	if (j->b->types == BUILD_ALL && !strv_has(&archs, "all"))
		return err_usage(e, "--indep: '%s' has no packages for all architectures (%s)",
				 j->source.name, j->source.architecture);
	for (size_t i = 0; i < archs.n; i++)
		any |= !str_eq(archs.v[i], "all") && depends_arch_is(j->r->architecture, archs.v[i]);
	if (!any && j->b->types & BUILD_BINARY && (!(j->b->types & BUILD_ALL) || !strv_has(&archs, "all")))
		return err_usage(e, "'%s' has no packages for %s (%s)", j->source.name, j->r->architecture,
				 j->source.architecture);
	return 0;
}

static int get_source(struct job *j, struct error *e)
{
	cleanup_free char *stem = NULL;
	int ret = open_archive(j, e);

	if (ret == 0)
		ret = debsrc_fetch(&j->source, j->archive, e);
	if (ret < 0)
		return ret;
	if (!j->r->source)
		j->r->source = xstrdup(j->source.name);
	free(j->r->version);
	j->r->version = xstrdup(j->source.version);
	ret = check_kinds(j, e);
	if (ret == 0)
		ret = nmu_prepare(j, e);
	if (ret < 0)
		return ret;
	stem = report_stem(j);
	ret = output_check(j->r->folder, stem, j->b->overwrite, e);
	return ret < 0 ? ret : report_begin(j, e);
}

/* ---- the root ---- */

static int named_root(struct job *j, struct error *e)
{
	cleanup_root_spec struct root_spec spec = ROOT_SPEC_INIT;
	int ret = root_resolve(&spec, j->b->root, j->progress, e);

	if (ret < 0)
		return ret;
	if (spec.kind != ROOT_SHARE)
		return err_usage(e, "--root: '%s' is an image of a disk; packages are built in roots with "
				 "recorded owners: an archive, or 'umlcage root import'", j->b->root);
	j->root = steal_ptr(&spec.path);
	return 0;
}

static int get_root(struct job *j, struct error *e)
{
	int ret = machine_kernel(&j->b->machine, NULL, true, j->progress, &j->kernel, e);

	if (ret < 0)
		return ret;
	ret = j->b->root ? named_root(j, e) :
	      fabricate_kept_root(&j->b->fab, "buildd", &j->b->machine, &j->kernel, j->archive,
				  j->progress, &j->root, e);
	if (ret == 0)
		ret = share_open(&j->root_share, j->root, SHARE_READ, e);
	return ret < 0 ? ret : emulate_ensure_root(&j->emulators, j->root_share.fd, &j->b->machine.emulate,
						   j->r->suite, NULL, j->progress, e);
}

/* ---- the results ---- */

static int hand_over(struct job *j, struct error *e)
{
	struct debian_files made = DEBIAN_FILES_INIT;
	cleanup_close int source = -1;
	bool again = j->b->types & BUILD_SOURCE, tree = j->source.kind == SOURCE_TREE;
	int ret = output_read(j->out.share.fd, &j->source, again || tree, &made, e);

	/* a source that was made again is as good as the one it was made of */
	if (ret == 0 && !tree && !again) {
		source = openat(j->in.share.fd, "source", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = source < 0 ? err_sys(e, errno, "cannot open the source in the cache") :
		      output_hand_over(source, j->r->folder, &j->source.files, j->b->overwrite, e);
	}
	if (ret == 0)
		ret = output_hand_over(j->out.share.fd, j->r->folder, &made, j->b->overwrite, e);
	if (ret == 0)
		j->r->files = made;
	else
		debian_files_release(&made);
	return ret;
}

/* ---- all of it ---- */

static int prepare(struct job *j, const char *what, struct error *e)
{
	struct debbuild *b = j->b;
	int ret;

	ret = debbuild_settle(b, e);
	if (ret < 0)
		return ret;
	machine_cpus_for(&b->machine, b->jobs);
	if (!b->jobs)
		b->jobs = b->machine.cpus;
	if (b->nocheck && !strv_has(&b->profiles, "nocheck"))
		strv_add(&b->profiles, "nocheck");
	ret = debsrc_open(&j->source, what, e);
	if (ret < 0)
		return ret;
	j->r->source = xstrdup(j->source.name);
	j->r->version = j->source.version ? xstrdup(j->source.version) : NULL;
	j->r->distribution = j->source.distribution ? xstrdup(j->source.distribution) : NULL;
	ret = find_folder(j, e);
	if (ret < 0)
		return ret;
	if (!b->fab.suite)
		b->fab.suite = fabricate_host_suite();
	j->r->suite = xstrdup(b->fab.suite);
	b->fab.variant = FAB_BUILDD;
	ret = fab_options_include(&b->fab, "fakeroot", e);
	if (ret == 0)
		ret = fabricate_kept_prepare(&b->fab, e);
	return ret < 0 ? ret : fab_options_resolve(&b->fab, j->progress, e);
}

static int go(struct job *j, const char *what, struct error *e)
{
	int ret = prepare(j, what, e);

	if (ret == 0)
		ret = get_source(j, e);
	if (ret == 0) {
		job_step(j, DEBBUILD_ROOT);
		ret = get_root(j, e);
	}
	if (ret == 0) {
		job_step(j, DEBBUILD_DEPENDENCIES);
		ret = wish_packages(j, e);
	}
	if (ret == 0)
		ret = steps_run(j, e);
	if (ret == 0)
		ret = hand_over(j, e);
	if (ret == 0 && j->info)
		ret = buildinfo_compare(j->info, j->r, e);
	if (ret == 0)
		job_step(j, DEBBUILD_DONE);
	return ret;
}

static void job_end(struct job *j)
{
	cage_free(j->cage);
	work_end(&j->in);
	work_end(&j->out);
	work_end(&j->upper);
	buildlog_close(&j->log);
	emulate_close(&j->emulators);
	free(j->entry);
	plan_release(&j->plan);
	share_close(&j->root_share);
	free(j->root);
	kernel_info_release(&j->kernel);
	debian_archive_close(j->archive);
	debsrc_release(&j->source);
	strv_release(&j->env);
}

static int run_job(struct debbuild *b, const char *what, const struct buildinfo *info,
		   struct progress *progress, struct debbuild_result *result, struct error *e)
{
	struct job j = { .b = b, .info = info, .progress = progress, .r = result, .source = SOURCE_INIT,
			 .kernel = KERNEL_INFO_INIT, .root_share = SHARE_INIT, .log = BUILDLOG_INIT,
			 .in = WORK_INIT, .out = WORK_INIT, .upper = WORK_INIT, .at = clock_ms(),
			 .emulators = EMULATORS_INIT };
	int64_t start = j.at;
	int ret;

	*result = (struct debbuild_result){ .architecture = xstrdup(b->arch ? b->arch :
								    debian_native_architecture()),
					    .began = (int64_t)time(NULL) };
	interrupt_begin();
	ret = go(&j, what, e);
	progress_end(progress);
	result->milliseconds[result->step] += clock_ms() - j.at;
	result->milliseconds[DEBBUILD_DONE] = clock_ms() - start;
	if (ret < 0)
		result->why = xstrdup(err_text(e));
	if (j.log.fd >= 0)
		report_end(&j);
	report_record(&j);
	job_end(&j);
	interrupt_end();
	return ret;
}

int debbuild_run(struct debbuild *b, const char *what, struct progress *progress,
		 struct debbuild_result *result, struct error *e)
{
	return run_job(b, what, NULL, progress, result, e);
}

int debbuild_again(struct debbuild *b, const char *path, struct progress *progress,
		   struct debbuild_result *result, struct error *e)
{
	cleanup_buildinfo struct buildinfo info = BUILDINFO_INIT;
	cleanup_free char *what = NULL;
	int ret;

	*result = (struct debbuild_result){ 0 };
	ret = buildinfo_read(&info, path, e);
	if (ret < 0)
		return ret;
	b->types = info.types;
	b->arch = info.arch;
	what = buildinfo_what(&info);
	ret = run_job(b, what, &info, progress, result, e);
	b->arch = NULL;
	return ret;
}
