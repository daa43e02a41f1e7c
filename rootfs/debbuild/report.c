// SPDX-License-Identifier: GPL-2.0-or-later
/* The log of a build, from its head to its summary, and the record beside it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/debbuild/private.h"
#include "umlcage/base/fd.h"

/* What names of files of this build begin with: NAME_VERSION_ARCH. */
char *report_stem(const struct job *j)
{
	return xasprintf("%s_%s_%s", j->source.name, j->source.built_version,
			 j->b->types & BUILD_ANY ? j->r->architecture :
			 j->b->types & BUILD_ALL ? "all" : "source");
}

int report_begin(struct job *j, struct error *e)
{
	cleanup_free char *stem = report_stem(j), *title = NULL, *link = NULL;
	cleanup_free char *when = utc_text(j->r->began, UTC_RFC_3339);
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
	title = xasprintf("%s %s (%s)", j->source.name, j->r->built, arch);
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	buildlog_line(&j->log, "umlcage " UMLCAGE_VERSION " on %s", host);
	buildlog_title(&j->log, title, true);
	buildlog_line(&j->log, "Package: %s\nVersion: %s\nSource Version: %s\nDistribution: %s\n"
		 "Machine Architecture: %s\nHost Architecture: %s\nBuild Architecture: %s\nBuild Type: %s",
		 j->source.name, j->r->built, j->source.version, j->r->suite,
		 debian_native_architecture(), arch, arch,
		 debbuild_type_name(j->b));
	buildlog_title(&j->log, "Fetch source files", false);
	for (size_t i = 0; i < j->source.files.n; i++)
		buildlog_line(&j->log, "%s %llu %s", j->source.files.v[i].sum,
			 (unsigned long long)j->source.files.v[i].size, j->source.files.v[i].name);
	return 0;
}

void report_end(struct job *j)
{
	const struct debbuild_result *r = j->r;
	int64_t s = r->milliseconds[DEBBUILD_DONE] / 1000;
	cleanup_free char *when = utc_text(time(NULL), UTC_RFC_3339);

	buildlog_title(&j->log, "Summary", false);
	buildlog_line(&j->log, "Build Architecture: %s\nBuild Type: %s\nBuild-Space: %llu\nBuild-Time: %lld\n"
		 "Distribution: %s", r->architecture, debbuild_type_name(j->b),
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
		 debian_native_architecture(), r->source, (long long)s, r->version,
		 (unsigned long long)(j->space >> 10),
		 debbuild_status(r), r->built);
	buildlog_line(&j->log, "----------------------------------------------------------------------------"
		 "----\nFinished at %s\nBuild needed %02lld:%02lld:%02lld, %lluk disk space", when,
		 (long long)s / 3600, (long long)s / 60 % 60, (long long)s % 60,
		 (unsigned long long)(j->space >> 10));
}

void report_record(struct job *j)
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
	stem = report_stem(j);
	link = xasprintf("%s.json", stem);
	output_link(j->r->folder, link, strrchr(j->r->record, '/') + 1);
}
