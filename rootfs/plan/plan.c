// SPDX-License-Identifier: GPL-2.0-or-later
/* From options and indexes to a plan, by way of a confined process: see private.h. */
#include "rootfs/plan/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/plan/private.h"

static char *proxy_for(const char *url, const void *arg)
{
	return fab_aptconf_proxy(arg, url);
}

enum { NO_TIMEOUT = 86400 };	/* apt's 0, which waits for ever */

/* What apt's configuration says of failures. */
static void heed_failures(struct debian_config *config, const struct fab_aptconf *apt)
{
	unsigned int retries = fab_aptconf_number(apt, "Acquire::Retries", DEBIAN_RETRIES);
	unsigned int seconds = fab_aptconf_number(apt, "Acquire::http::Timeout",
						  DEBIAN_STALL_SECONDS);

	seconds = fab_aptconf_number(apt, "Acquire::https::Timeout", seconds);
	config->retries = retries ? retries : UINT_MAX;
	config->stall_seconds = seconds ? seconds : NO_TIMEOUT;
}

static int open_archive(const struct fab_options *o, bool with_sources,
			struct progress *progress, struct debian_archive **a, struct error *e)
{
	cleanup_debian_sources struct debian_sources sources = DEBIAN_SOURCES_INIT;
	struct debian_config config = {
		.keyrings = &o->keyrings,
		.architectures = &o->architectures,
		.progress = progress,
		.no_valid_until = o->no_valid_until,
		.snapshot = o->snapshot,
		.snapshots = o->snapshots,
		.no_date = fab_aptconf_flag(&o->apt, "Acquire::Check-Date") == 0,
		.allow_insecure =
			fab_aptconf_flag(&o->apt, "Acquire::AllowInsecureRepositories") == 1,
		.allow_unauthenticated =
			fab_aptconf_flag(&o->apt, "APT::Get::AllowUnauthenticated") == 1,
		.proxy = proxy_for,
		.proxy_arg = &o->apt,
		.with_sources = with_sources,
	};
	int r = 0;

	heed_failures(&config, &o->apt);
	for (size_t i = 0; i < o->nsources && !r; i++)
		r = debian_sources_parse(&sources, o->sources[i].content, o->sources[i].path, e);
	return r ? r : debian_archive_open(&config, &sources, a, e);
}

int plan_open_archive(const struct fab_options *o, struct progress *progress,
		      struct debian_archive **a, struct error *e)
{
	return open_archive(o, false, progress, a, e);
}

int plan_open_sources(const struct fab_options *o, struct progress *progress,
		      struct debian_archive **a, struct error *e)
{
	return open_archive(o, true, progress, a, e);
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

/* Opens the package files among @include: those that are paths. */
static int open_debs(struct plan_request *rq, const struct strv *include, int *fds,
		     const char **paths, struct error *e)
{
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
		.fds = fds, .max_result = 256 << 20, .patience = WORKER_PATIENCE,
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
		r = open_debs(&rq, &o->include, fds, paths, e);
	if (!r)
		r = choose(&rq, progress, plan, e);
	for (size_t i = 0; i < rq.ndebs; i++)
		close(fds[i]);
	close_fd(&rq.installed);
	if (r)
		plan_release(plan);
	return r;
}

static void package_release(struct plan_package *p)
{
	free(p->name);
	free(p->version);
	free(p->arch);
	free(p->section);
	free(p->priority);
	free(p->uri);
	free(p->path);
}

/* ---- on top of what is there ---- */

/* Takes the package @name, which is none, out of the plan and its steps. */
static void leave_out(struct plan *plan, const char *name)
{
	size_t at = 0, kept = 0;

	while (at < plan->n && strcmp(plan->packages[at].name, name) != 0)
		at++;
	if (at == plan->n)
		return;
	package_release(&plan->packages[at]);
	memmove(&plan->packages[at], &plan->packages[at + 1],
		(--plan->n - at) * sizeof(*plan->packages));
	for (size_t i = 0; i < plan->nsteps; i++) {
		struct plan_step st = plan->steps[i];
		size_t n = 0;

		for (size_t k = 0; k < st.n; k++)
			if (st.pkgs[k] != at)
				st.pkgs[n++] = st.pkgs[k] - (st.pkgs[k] > at);
		st.n = n;
		if (n || st.kind == PLAN_CONFIGURE_PENDING)
			plan->steps[kept++] = st;
		else
			free(st.pkgs);
	}
	plan->nsteps = kept;
}

/* The wish as an index of its own, in the form in which all are. */
static int wish_index(const struct plan_wish *wish, struct debian_index *index, struct error *e)
{
	cleanup_free char *text = xasprintf("%sFilename: %s.deb\nSize: 0\nSHA256: %064d\n\n",
					    wish->control, wish->name, 0);
	static const struct debian_release release = { .suite = (char *)"" };
	int fd = memfd_with("wish", text, strlen(text), e);

	*index = (struct debian_index){ .release = &release, .base = (char *)"", .fd = fd,
					.path = (char *)"build dependencies", .size = strlen(text) };
	return fd < 0 ? fd : 0;
}

int plan_dependencies(const struct plan_wish *wish, const struct fab_options *o,
		      struct debian_archive *a, struct progress *progress, struct plan *plan,
		      struct error *e)
{
	struct plan_request rq = { .o = o, .installed = -1, .wanted = wish->name };
	static const struct strv none = STRV_INIT;
	const struct strv *debs = wish->debs ? wish->debs : &none;
	cleanup_free int *fds = xcalloc(debs->n + 1, sizeof(int));
	cleanup_free const char **paths = xcalloc(debs->n + 1, sizeof(*paths));
	cleanup_free struct debian_index *indexes = NULL;
	const struct debian_index *theirs;
	size_t n = debian_indexes(a, &theirs);
	struct debian_index own;
	int r;

	memset(plan, 0, sizeof(*plan));
	r = wish_index(wish, &own, e);
	if (r)
		return r;
	indexes = xcalloc(n + 1, sizeof(*indexes));
	if (n)
		memcpy(indexes, theirs, n * sizeof(*indexes));
	indexes[n] = own;
	rq.indexes = indexes;
	rq.nindexes = n + 1;
	rq.installed = memfd_with("status", wish->status, strlen(wish->status), e);
	r = rq.installed < 0 ? rq.installed : open_debs(&rq, debs, fds, paths, e);
	if (!r)
		r = choose(&rq, progress, plan, e);
	for (size_t i = 0; i < rq.ndebs; i++)
		close(fds[i]);
	close_fd(&rq.installed);
	close(own.fd);
	if (r)
		plan_release(plan);
	else
		leave_out(plan, wish->name);
	return r;
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		package_release(&plan->packages[i]);
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
