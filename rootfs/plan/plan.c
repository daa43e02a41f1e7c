// SPDX-License-Identifier: GPL-2.0-or-later
/* From options and indexes to a plan, by way of a confined process: see private.h. */
#include "rootfs/plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/plan/private.h"

static char *proxy_for(const char *url, const void *arg)
{
	return fab_aptconf_proxy(arg, url);
}

int plan_open_archive(const struct fab_options *o, struct progress *progress,
		      struct debian_archive **a, struct error *e)
{
	cleanup_debian_sources struct debian_sources sources = DEBIAN_SOURCES_INIT;
	struct debian_config config = {
		.keyrings = &o->keyrings,
		.architectures = &o->architectures,
		.progress = progress,
		.no_valid_until = o->no_valid_until,
		.no_date = fab_aptconf_flag(&o->apt, "Acquire::Check-Date") == 0,
		.allow_insecure =
			fab_aptconf_flag(&o->apt, "Acquire::AllowInsecureRepositories") == 1,
		.allow_unauthenticated =
			fab_aptconf_flag(&o->apt, "APT::Get::AllowUnauthenticated") == 1,
		.proxy = proxy_for,
		.proxy_arg = &o->apt,
	};
	int r = 0;

	for (size_t i = 0; i < o->nsources && !r; i++)
		r = debian_sources_parse(&sources, o->sources[i].content, o->sources[i].path, e);
	return r ? r : debian_archive_open(&config, &sources, a, e);
}

/* What of --aptopt bears on the choice. */
static int read_aptopts(struct plan_request *rq, struct error *e)
{
	const struct fab_options *o = rq->o;
	static const char *const unknown[] = { "Dir::Etc::Preferences",
					       "Dir::Etc::PreferencesParts",
					       "APT::Solver", "APT::Architecture",
					       "APT::Architectures" };
	int flag = fab_aptconf_flag(&o->apt, "APT::Install-Recommends");

	if (flag >= 0)
		rq->recommends = flag;
	flag = fab_aptconf_flag(&o->apt, "APT::Install-Suggests");
	if (flag >= 0)
		rq->suggests = flag;
	rq->target = fab_aptconf_value(&o->apt, "APT::Default-Release");
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		if (fab_aptconf_has(&o->apt, unknown[i]))
			return err_usage(e, "--aptopt: '%s' would change what apt chooses in a "
					 "way that is not supported; name versions with "
					 "--include=PACKAGE=VERSION or PACKAGE/SUITE", unknown[i]);
	return 0;
}

/* Opens the package files that are asked for by path. */
static int open_debs(struct plan_request *rq, int *fds, const char **paths, struct error *e)
{
	const struct strv *include = &rq->o->include;

	rq->debs = fds;
	rq->deb_paths = paths;
	for (size_t i = 0; i < include->n; i++) {
		int fd;

		if (include->v[i][0] != '/')
			continue;
		fd = open(include->v[i], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(e, errno, "cannot open package '%s'", include->v[i]);
		paths[rq->ndebs] = include->v[i];
		fds[rq->ndebs++] = fd;
	}
	return 0;
}

/* Has it chosen in a process that can do nothing else, and reads the answer. */
static int choose(struct plan_request *rq, struct progress *progress, struct plan *plan,
		  struct error *e)
{
	static const struct confine confine = { .memory = 4ULL << 30, .cpu_seconds = 300 };
	cleanup_strbuf struct strbuf answer = STRBUF_INIT;
	cleanup_free int *fds = xcalloc(rq->nindexes + rq->ndebs + 1, sizeof(int));
	size_t nfds = rq->nindexes + rq->ndebs;
	struct worker w = {
		.what = "choose packages from the package lists", .confine = &confine,
		.fds = fds, .max_result = 256 << 20,
		.progress = progress, .prepare = plan_prepare, .work = plan_choose, .arg = rq,
	};
	int r;

	for (size_t i = 0; i < rq->nindexes; i++)
		fds[i] = rq->indexes[i].fd;
	for (size_t i = 0; i < rq->ndebs; i++)
		fds[rq->nindexes + i] = rq->debs[i];
	if (rq->installed >= 0)
		fds[nfds++] = rq->installed;
	w.nfds = nfds;
	r = worker_run(&w, &answer, e);
	return r ? r : plan_read_answer(rq, &answer, plan, e);
}

int plan_make(const struct fab_options *o, struct debian_archive *a, struct progress *progress,
	      struct plan *plan, struct error *e)
{
	struct plan_request rq = { .o = o, .installed = -1 };
	cleanup_free int *fds = xcalloc(o->include.n + 1, sizeof(int));
	cleanup_free const char **paths = xcalloc(o->include.n + 1, sizeof(*paths));
	int r;

	memset(plan, 0, sizeof(*plan));
	rq.nindexes = debian_indexes(a, &rq.indexes);
	r = read_aptopts(&rq, e);
	if (!r && o->installed) {
		rq.installed = memfd_with("status", o->installed, strlen(o->installed), e);
		r = rq.installed < 0 ? rq.installed : 0;
	}
	if (!r)
		r = open_debs(&rq, fds, paths, e);
	if (!r)
		r = choose(&rq, progress, plan, e);
	for (size_t i = 0; i < rq.ndebs; i++)
		close(fds[i]);
	close_fd(&rq.installed);
	if (r)
		plan_release(plan);
	return r;
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct plan_package *p = &plan->packages[i];

		free(p->name);
		free(p->version);
		free(p->arch);
		free(p->section);
		free(p->priority);
		free(p->uri);
		free(p->path);
	}
	for (size_t i = 0; i < plan->nsteps; i++)
		free(plan->steps[i].pkgs);
	free(plan->packages);
	free(plan->steps);
	memset(plan, 0, sizeof(*plan));
}

char *plan_deb_name(const struct plan_package *p)
{
	struct strbuf s = STRBUF_INIT;

	sb_addf(&s, "%s_", p->name);
	for (const char *c = p->version; *c; c++)
		if (*c == ':')
			sb_adds(&s, "%3a");
		else
			sb_addc(&s, *c);
	sb_addf(&s, "_%s.deb", p->arch);
	return sb_steal(&s);
}

char *plan_text(const struct plan *plan)
{
	struct strbuf s = STRBUF_INIT;

	for (size_t i = 0; i < plan->n; i++) {
		const struct plan_package *p = &plan->packages[i];

		sb_addf(&s, "%s %s %s %s%s\n", p->name, p->version, p->arch,
			p->base_stage ? "base" : p->auto_installed ? "automatic" : "manual",
			p->essential ? " essential" : "");
	}
	return sb_steal(&s);
}
