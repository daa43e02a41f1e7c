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

#define WISH		"sbuild-build-depends-main-dummy"	/* as sbuild calls it */
enum { MAX_STATUS = 256 << 20 };

/* ---- options ---- */

#define OWN(field, kind) OPT_##kind(struct debbuild, field)

static int opt_words(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct strv *out = value;

	strv_split(&words, arg, ", \t\n");
	for (size_t i = 0; i < words.n; i++) {
		if (words.v[i][strspn(words.v[i], "abcdefghijklmnopqrstuvwxyz0123456789-.+")])
			return err_usage(e, "--%s: '%s' is not the name of a profile", opt->name, words.v[i]);
		if (!strv_has(out, words.v[i]))
			strv_add(out, words.v[i]);
	}
	return 0;
}

static int opt_extra(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	cleanup_free char *path = realpath(arg, NULL);
	struct stat st;

	(void)opt;
	if (!path || stat(path, &st) < 0)
		return err_sys(e, errno, "--extra-package: cannot open '%s'", arg);
	if (!S_ISREG(st.st_mode))
		return err_usage(e, "--extra-package: '%s' is not a file", arg);
	strv_take(value, steal_ptr(&path));
	return 0;
}

const struct opt debbuild_opts[] = {
	{ OPT_STRING, 'o', "output", "DIR", OWN(output, STR),
	  "where it goes (default: here; from within a source tree, the folder it is in)" },
	{ OPT_FLAG, 0, "overwrite", NULL, OWN(overwrite, BOOL),
	  "replace files of another build that are in the way" },
	{ OPT_FLAG, 0, "arch-only", NULL, OWN(arch_only, BOOL),
	  "only packages for this architecture (dpkg-buildpackage -B)" },
	{ OPT_FLAG, 0, "indep", NULL, OWN(indep, BOOL),
	  "only packages for all architectures (dpkg-buildpackage -A)" },
	{ OPT_CALL, 'P', "profiles", "NAMES", OWN(profiles, STRV),
	  "build profiles: nodoc, nocheck, stage1, ...", opt_words },
	{ OPT_FLAG, 0, "nocheck", NULL, OWN(nocheck, BOOL),
	  "without the package's own tests: as profile and in DEB_BUILD_OPTIONS" },
	{ OPT_CALL, 0, "extra-package", "FILE.deb", OWN(extra, STRV),
	  "one more package that dependencies may be met by; again for more", opt_extra },
	{ OPT_UINT, 'j', "jobs", "N", OWN(jobs, UNSIGNED),
	  "jobs at a time, and processors of the cage (default: --cpus)" },
	{ OPT_STRING, 0, "root", "ROOT", OWN(root, STR),
	  "build in a copy of this one, which has build-essential and fakeroot\n"
	  "(default: one that is made of the suite and kept in the cache)" },
	{ OPT_FLAG, 0, "scratch-memory", NULL, OWN(memory_scratch, BOOL),
	  "keep what the build writes in the cage's memory, not on the disk" },
	OPT_END,
};

void debbuild_release(struct debbuild *b)
{
	fab_options_release(&b->fab);
	machine_release(&b->machine);
	strv_release(&b->profiles);
	strv_release(&b->extra);
}

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

/* What names of files of this build begin with: NAME_VERSION_ARCH. */
static char *stem_of(const struct job *j)
{
	return xasprintf("%s_%s_%s", j->source.name, j->source.file_version,
			 j->b->indep ? "all" : j->r->architecture);
}

static char *time_text(int64_t when)
{
	time_t t = (time_t)when;
	char text[64] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return xstrdup(text);
}

static const char *build_type(const struct debbuild *b)
{
	return b->arch_only ? "any" : b->indep ? "all" : "binary";
}

static int begin_log(struct job *j, struct error *e)
{
	cleanup_free char *stem = stem_of(j), *when = time_text(j->r->began), *title = NULL, *link = NULL;
	cleanup_free char *name = xasprintf("%s-%s.build", stem, when);
	cleanup_free char *path = path_join(j->r->folder, name);
	const char *arch = j->r->architecture;
	char host[65] = "";
	int ret = buildlog_open(&j->log, path, j->progress->verbosity > 0, e);

	/* two in one second */
	for (int i = 2; ret == -EEXIST && i < 100; i++) {
		err_release(e);
		free(path);
		free(name);
		name = xasprintf("%s-%s.%d.build", stem, when, i);
		path = path_join(j->r->folder, name);
		ret = buildlog_open(&j->log, path, j->progress->verbosity > 0, e);
	}
	if (ret < 0)
		return ret;
	j->r->log = xstrdup(path);
	link = xasprintf("%s.build", stem);
	output_link(j->r->folder, link, name);
	title = xasprintf("%s %s (%s)", j->source.name, j->source.version, arch);
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	buildlog_line(&j->log, "umlcage " UMLCAGE_VERSION " on %s", host);
	buildlog_title(&j->log, title, true);
	buildlog_line(&j->log, "Package: %s\nVersion: %s\nSource Version: %s\nDistribution: %s\n"
		 "Machine Architecture: %s\nHost Architecture: %s\nBuild Architecture: %s\nBuild Type: %s",
		 j->source.name, j->source.version, j->source.version, j->r->suite, arch, arch, arch,
		 build_type(j->b));
	buildlog_title(&j->log, "Fetch source files", false);
	for (size_t i = 0; i < j->source.files.n; i++)
		buildlog_line(&j->log, "%s %llu %s", j->source.files.v[i].sum,
			 (unsigned long long)j->source.files.v[i].size, j->source.files.v[i].name);
	return 0;
}

static void summary(struct job *j)
{
	const struct debbuild_result *r = j->r;
	int64_t s = r->milliseconds[DEBBUILD_DONE] / 1000;
	cleanup_free char *when = time_text((int64_t)time(NULL));

	buildlog_title(&j->log, "Summary", false);
	buildlog_line(&j->log, "Build Architecture: %s\nBuild Type: %s\nBuild-Space: %llu\nBuild-Time: %lld\n"
		 "Distribution: %s", r->architecture, build_type(j->b),
		 (unsigned long long)(j->space >> 10), (long long)r->milliseconds[DEBBUILD_BUILD] / 1000,
		 r->suite);
	if (r->step != DEBBUILD_DONE)
		buildlog_line(&j->log, "Fail-Stage: %s\nReason: %s", r->step == DEBBUILD_BUILD ? "build" :
			 r->step == DEBBUILD_DEPENDENCIES || r->step == DEBBUILD_INSTALL ? "install-deps" :
			 r->step == DEBBUILD_UNPACK ? "unpack" : "post-build", r->why ? r->why : "");
	buildlog_line(&j->log, "Host Architecture: %s\nInstall-Time: %lld\nJob: %s_%s\n"
		 "Machine Architecture: %s\n"
		 "Package: %s\nPackage-Time: %lld\nSource-Version: %s\nSpace: %llu\nStatus: %s\nVersion: %s",
		 r->architecture, (long long)r->milliseconds[DEBBUILD_INSTALL] / 1000, r->source, r->version,
		 r->architecture, r->source, (long long)s, r->version, (unsigned long long)(j->space >> 10),
		 debbuild_status(r), r->version);
	buildlog_line(&j->log, "----------------------------------------------------------------------------"
		 "----\nFinished at %s\nBuild needed %02lld:%02lld:%02lld, %lluk disk space", when,
		 (long long)s / 3600, (long long)s / 60 % 60, (long long)s % 60,
		 (unsigned long long)(j->space >> 10));
}

/* The record beside the log: what a program reads. */
static void write_record(struct job *j)
{
	cleanup_free char *text = debbuild_json(j->r), *stem = NULL, *link = NULL;

	if (!j->r->log)
		return;
	stem = xstrndup(j->r->log, strlen(j->r->log) - strlen(".build"));
	j->r->record = xasprintf("%s.json", stem);
	if (file_replace(AT_FDCWD, j->r->record, text, strlen(text), 0644, NULL) < 0) {
		free_ptr(&j->r->record);
		return;
	}
	free(stem);
	stem = stem_of(j);
	link = xasprintf("%s.json", stem);
	output_link(j->r->folder, link, strrchr(j->r->record, '/') + 1);
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
	if (j->b->indep && !strv_has(&archs, "all"))
		return err_usage(e, "--indep: '%s' has no packages for all architectures (%s)",
				 j->source.name, j->source.architecture);
	for (size_t i = 0; i < archs.n; i++)
		any |= !str_eq(archs.v[i], "all") && depends_arch_is(j->r->architecture, archs.v[i]);
	if (!any && (j->b->arch_only || !strv_has(&archs, "all")))
		return err_usage(e, "'%s' has no packages for %s (%s)", j->source.name, j->r->architecture,
				 j->source.architecture);
	return 0;
}

static int get_source(struct job *j, struct error *e)
{
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
		ret = output_check(j->r->folder, &j->source, j->b->indep ? "all" : j->r->architecture,
				   j->b->overwrite, e);
	return ret < 0 ? ret : begin_log(j, e);
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
	return ret < 0 ? ret : share_open(&j->root_share, j->root, SHARE_READ, e);
}

/* ---- dependencies ---- */

static int reduce(const struct job *j, const char *const *fields, struct strbuf *out,
		  struct error *e)
{
	const struct depends_for how = { j->r->architecture, &j->b->profiles };
	int ret = 0;

	for (; *fields && ret == 0; fields++) {
		const char *value = deb822_get(&j->source.control, *fields);

		if (value)
			ret = depends_reduce(value, *fields, &how, out, e);
	}
	return ret;
}

static int make_wish(struct job *j, struct strbuf *control, struct error *e)
{
	const char *wants[4] = { "Build-Depends" }, *minds[4] = { "Build-Conflicts" };
	cleanup_strbuf struct strbuf depends = STRBUF_INIT, conflicts = STRBUF_INIT;
	size_t n = 1;
	int ret;

	if (!j->b->indep) {
		wants[n] = "Build-Depends-Arch";
		minds[n++] = "Build-Conflicts-Arch";
	}
	if (!j->b->arch_only) {
		wants[n] = "Build-Depends-Indep";
		minds[n] = "Build-Conflicts-Indep";
	}
	sb_adds(&depends, "build-essential, fakeroot");
	ret = reduce(j, wants, &depends, e);
	if (ret == 0)
		ret = reduce(j, minds, &conflicts, e);
	if (ret < 0)
		return err_wrap(e, "the dependencies of '%s'", j->source.name);
	buildlog_line(&j->log, "Filtered Build-Depends: %s", sb_str(&depends));
	if (conflicts.len)
		buildlog_line(&j->log, "Filtered Build-Conflicts: %s", sb_str(&conflicts));
	sb_addf(control, "Package: " WISH "\nVersion: 0.invalid.0\nArchitecture: %s\nDepends: %s\n",
		j->r->architecture, sb_str(&depends));
	if (conflicts.len)
		sb_addf(control, "Conflicts: %s\n", sb_str(&conflicts));
	return 0;
}

/* dpkg's list of what the root has. */
static int read_status(const struct job *j, struct strbuf *text, struct error *e)
{
	cleanup_share_tree struct share_tree *t = share_tree_new(j->root_share.fd, 0);

	if (share_read(t, "var/lib/dpkg/status", MAX_STATUS, text, NULL) == 0)
		return 0;
	return err_usage(e, "the root '%s' has no list of packages (var/lib/dpkg/status)", j->root);
}

static int fetch_packages(struct job *j, struct error *e)
{
	struct debian_item *items = xcalloc(j->plan.n + 1, sizeof(*items));
	size_t n = 0;
	int ret;

	for (size_t i = 0; i < j->plan.n; i++) {
		const struct plan_package *p = &j->plan.packages[i];

		strv_addf(&j->r->installed, "%s %s %s", p->name, p->version, p->arch);
		buildlog_line(&j->log, "Get: %s %s %s", p->name, p->version, p->arch);
		if (!p->uri)
			continue;
		items[n] = (struct debian_item){ .uri = p->uri, .filename = p->path, .size = p->size,
						 .fd = -1 };
		memcpy(items[n++].sum, p->sum, sizeof(p->sum));
	}
	ret = fetch_for_build(j->archive, items, n, e);
	free(items);
	return ret;
}

static int get_dependencies(struct job *j, struct error *e)
{
	cleanup_strbuf struct strbuf control = STRBUF_INIT, status = STRBUF_INIT;
	struct plan_wish wish = { .name = WISH, .debs = &j->b->extra };
	int ret;

	buildlog_title(&j->log, "Choose package build dependencies", false);
	ret = make_wish(j, &control, e);
	if (ret == 0)
		ret = read_status(j, &status, e);
	if (ret < 0)
		return ret;
	wish.control = sb_str(&control);
	wish.status = sb_str(&status);
	ret = plan_dependencies(&wish, &j->b->fab, j->archive, j->progress, &j->plan, e);
	if (ret == -EINVAL) {
		err_wrap(e, "the build dependencies of '%s' cannot be met", j->source.name);
		/* it is not this command line that is at fault */
		e->kind = ERR_PACKAGES;
		return ret;
	}
	return ret < 0 ? ret : fetch_packages(j, e);
}

/* ---- the results ---- */

static int hand_over(struct job *j, struct error *e)
{
	struct debian_files made = DEBIAN_FILES_INIT;
	cleanup_close int source = -1;
	int ret = output_read(j->out.share.fd, &j->source, &made, e);

	if (ret == 0 && j->source.kind != SOURCE_TREE) {
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

	if (b->arch_only && b->indep)
		return err_usage(e, "--arch-only and --indep exclude each other");
	if (b->jobs > b->machine.cpus)
		b->machine.cpus = b->jobs;
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
		ret = get_dependencies(j, e);
	}
	if (ret == 0)
		ret = steps_run(j, e);
	if (ret == 0)
		ret = hand_over(j, e);
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
	plan_release(&j->plan);
	share_close(&j->root_share);
	free(j->root);
	kernel_info_release(&j->kernel);
	debian_archive_close(j->archive);
	debsrc_release(&j->source);
	strv_release(&j->env);
}

int debbuild_run(struct debbuild *b, const char *what, struct progress *progress,
		 struct debbuild_result *result, struct error *e)
{
	struct job j = { .b = b, .progress = progress, .r = result, .source = SOURCE_INIT,
			 .kernel = KERNEL_INFO_INIT, .root_share = SHARE_INIT, .log = BUILDLOG_INIT,
			 .in = WORK_INIT, .out = WORK_INIT, .upper = WORK_INIT, .at = clock_ms() };
	int64_t start = j.at;
	int ret;

	*result = (struct debbuild_result){ .architecture = debian_native_architecture(),
					    .began = (int64_t)time(NULL) };
	interrupt_begin();
	ret = go(&j, what, e);
	progress_end(progress);
	result->milliseconds[result->step] += clock_ms() - j.at;
	result->milliseconds[DEBBUILD_DONE] = clock_ms() - start;
	if (ret < 0)
		result->why = xstrdup(err_text(e));
	if (j.log.fd >= 0)
		summary(&j);
	write_record(&j);
	job_end(&j);
	interrupt_end();
	return ret;
}
