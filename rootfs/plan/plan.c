// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From options and indexes to a plan: mmdebstrap's two stages (run_download and
 * run_install there), each solved and ordered as apt does it.
 */
#include "rootfs/plan/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/plan/private.h"
#include "rootfs/solve/solve.h"

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
		.proxy = proxy_for,
		.proxy_arg = &o->apt,
	};
	int r = 0;

	for (size_t i = 0; i < o->nsources && !r; i++)
		r = debian_sources_parse(&sources, o->sources[i].content, o->sources[i].path, e);
	return r ? r : debian_archive_open(&config, &sources, a, e);
}

/* The value of a yes/no field in the text of a Release file. */
static bool release_says(const struct debian_release *r, const char *field)
{
	const char *p = r->text;
	size_t len = strlen(field);

	while (p && *p) {
		if (strncasecmp(p, field, len) == 0 && p[len] == ':') {
			p += len + 1;
			p += strspn(p, " \t");
			return strncasecmp(p, "yes", 3) == 0;
		}
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	return false;
}

/* apt's pin of a release that no preferences name; @target: APT::Default-Release or NULL. */
static int pin_of(const struct debian_release *r, const char *target)
{
	if (target && *target && (str_eq(r->name, target) || str_eq(r->codename, target) ||
				  str_eq(r->version, target)))
		return 990;
	if (!release_says(r, "NotAutomatic"))
		return 500;
	return release_says(r, "ButAutomaticUpgrades") ? 100 : 1;
}

static int add_indexes(struct solve *s, struct debian_archive *a, const char *target,
		       struct error *e)
{
	const struct debian_index *v;
	size_t n = debian_indexes(a, &v);
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		const struct debian_release *rel = v[i].release;

		r = solve_add_index(s, v[i].path, rel->uri, rel->suite, v[i].component,
				    rel->name, rel->codename, pin_of(rel, target), e);
	}
	return r;
}

/* What of --aptopt bears on the solver. */
static int read_aptopts(struct solve *s, const struct fab_options *o, struct error *e)
{
	static const char *const unknown[] = { "Dir::Etc::Preferences",
					       "Dir::Etc::PreferencesParts",
					       "APT::Solver", "APT::Architecture",
					       "APT::Architectures" };
	int flag = fab_aptconf_flag(&o->apt, "APT::Install-Recommends");

	if (flag >= 0)
		s->recommends = flag;
	flag = fab_aptconf_flag(&o->apt, "APT::Install-Suggests");
	if (flag >= 0)
		s->suggests = flag;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		if (fab_aptconf_has(&o->apt, unknown[i]))
			return err_usage(e, "--aptopt: '%s' would change what apt chooses in a "
					 "way that is not supported; name versions with "
					 "--include=PACKAGE=VERSION or PACKAGE/SUITE", unknown[i]);
	return 0;
}

/* ---- the plan's records ---- */

static char *field(const struct solve *s, Id v, const char *name, struct strbuf *buf)
{
	return xstrdup(solve_field(s, v, name, buf) ? sb_str(buf) : "");
}

static int fill_package(const struct solve *s, Id v, const struct debian_index *indexes,
			struct plan_package *p, struct error *e)
{
	cleanup_strbuf struct strbuf buf = STRBUF_INIT;
	const struct solve_ver *sv = solve_ver(s, v);
	const Solvable *so = pool_id2solvable(s->pool, v);

	p->name = xstrdup(solve_name_str(s, v));
	p->version = xstrdup(solve_version_str(s, v));
	p->arch = xstrdup(pool_id2str(s->pool, so->arch));
	p->essential = sv->pkg->essential;
	p->required = sv->priority == SOLVE_REQUIRED;
	p->auto_installed = sv->pkg->automatic;
	p->section = field(s, v, "Section", &buf);
	p->priority = field(s, v, "Priority", &buf);
	if (sv->local)
		return plan_fill_local(sv->local, p, e);
	p->uri = xstrdup(indexes[sv->index].base);
	p->path = field(s, v, "Filename", &buf);
	if (solve_field(s, v, "Installed-Size", &buf))
		parse_u64(buf.s, 10, UINT64_MAX, &p->installed_kb);
	if (!solve_field(s, v, "Size", &buf) || parse_u64(buf.s, 10, UINT64_MAX, &p->size) ||
	    !p->path[0])
		return err_set(e, EBADMSG, "the index has no size or name for package '%s'",
			       p->name);
	if (!solve_field(s, v, "SHA256", &buf) || buf.len != 64)
		return err_set(e, EBADMSG, "the index has no sha256 for package '%s'", p->name);
	memcpy(p->sha256, buf.s, 65);
	return 0;
}

static struct plan_step *add_step(struct plan *plan, enum plan_step_kind kind)
{
	struct plan_step *st;

	plan->steps = xreallocarray(plan->steps, plan->nsteps + 1, sizeof(*plan->steps));
	st = &plan->steps[plan->nsteps++];
	*st = (struct plan_step){ .kind = kind };
	return st;
}

static void step_add(struct plan_step *st, size_t pkg)
{
	st->pkgs = xreallocarray(st->pkgs, st->n + 1, sizeof(*st->pkgs));
	st->pkgs[st->n++] = pkg;
}

/* Orders what is marked and appends it to the plan as one stage. */
static int add_stage(struct solve *s, const struct debian_index *indexes, bool base,
		     struct plan *plan, struct error *e)
{
	struct solve_action *actions = NULL;
	struct plan_step *st = NULL;
	size_t n = 0, *at;
	int r;

	r = solve_order(s, &actions, &n, e);
	if (r)
		return r;
	at = xcalloc((size_t)s->nvers, sizeof(*at));
	for (size_t i = 0; i < n && !r; i++) {
		enum plan_step_kind kind = base ? PLAN_INSTALL :
			actions[i].op == SOLVE_UNPACK ? PLAN_UNPACK : PLAN_CONFIGURE;
		struct plan_package *p;

		if (actions[i].op == SOLVE_UNPACK) {
			at[actions[i].ver] = plan->n;
			plan->packages = xreallocarray(plan->packages, plan->n + 1,
						       sizeof(*plan->packages));
			p = &plan->packages[plan->n++];
			*p = (struct plan_package){ .base_stage = base };
			r = fill_package(s, actions[i].ver, indexes, p, e);
			if (base)
				p->auto_installed = false;
			if (p->uri)
				plan->download_bytes += p->size;
			plan->installed_kb += p->installed_kb;
		} else if (base) {
			continue;	/* dpkg --install does both */
		}
		if (!st || st->kind != kind)
			st = add_step(plan, kind);
		step_add(st, at[actions[i].ver]);
	}
	if (n && !base && !r)
		add_step(plan, PLAN_CONFIGURE_PENDING);
	if (base)
		plan->nbase = plan->n;
	free(at);
	free(actions);
	return r;
}

/* ---- the two stages ---- */

static int select_includes(struct solve *s, const struct fab_options *o, struct solve_set *set,
			   struct error *e)
{
	int r = 0;

	/* apt deals with files after everything that has a name */
	for (int files = 0; files <= 1; files++)
		for (size_t i = 0; i < o->include.n && !r; i++)
			if ((o->include.v[i][0] == '/') == files)
				r = solve_select(s, o->include.v[i], set, e);
	return r;
}

/* An empty SUITE is that of no package and any. */
static const char *any_or(const char *suite)
{
	return suite && *suite ? suite : NULL;
}

static int first_stage(struct solve *s, const struct fab_options *o, struct error *e)
{
	struct solve_set set = { NULL, 0, 0 };
	int r;

	if (o->variant == FAB_APT)
		return solve_install_essential(s, e);
	if (o->variant == FAB_EXTRACT || o->variant == FAB_CUSTOM)
		r = select_includes(s, o, &set, e);
	else
		r = solve_select_essential(s, any_or(o->suite), &set);
	if (!r)
		r = solve_install(s, set.v, set.n, e);
	solve_set_release(&set);
	return r;
}

static int second_stage(struct solve *s, const struct fab_options *o, struct error *e)
{
	static const enum solve_priority least[] = {
		[FAB_REQUIRED] = SOLVE_REQUIRED, [FAB_BUILDD] = SOLVE_REQUIRED,
		[FAB_IMPORTANT] = SOLVE_IMPORTANT, [FAB_STANDARD] = SOLVE_STANDARD,
	};
	struct solve_set set = { NULL, 0, 0 };
	int r;

	r = select_includes(s, o, &set, e);
	if (!r && o->variant == FAB_BUILDD)
		r = solve_select(s, "build-essential", &set, e);
	if (!r && o->variant >= FAB_REQUIRED)
		r = solve_select_priority(s, any_or(o->suite), least[o->variant], &set);
	if (!r)
		r = solve_install(s, set.v, set.n, e);
	solve_set_release(&set);
	return r;
}

static int make(struct solve *s, const struct fab_options *o, struct debian_archive *a,
		struct plan *plan, struct error *e)
{
	const char *target = fab_aptconf_value(&o->apt, "APT::Default-Release");
	const struct debian_index *indexes;
	int r;

	debian_indexes(a, &indexes);
	r = read_aptopts(s, o, e);
	s->force_apt = o->variant == FAB_APT;
	if (!r)
		r = add_indexes(s, a, target, e);
	for (size_t i = 0; i < o->include.n && !r; i++)
		if (o->include.v[i][0] == '/')
			r = solve_add_deb(s, o->include.v[i], e);
	if (!r)
		r = solve_finish(s, e);
	if (!r)
		r = first_stage(s, o, e);
	if (!r)
		r = add_stage(s, indexes, true, plan, e);
	if (r || o->variant == FAB_EXTRACT || o->variant == FAB_CUSTOM)
		return r;
	solve_commit(s);
	r = second_stage(s, o, e);
	return r ? r : add_stage(s, indexes, false, plan, e);
}

int plan_make(const struct fab_options *o, struct debian_archive *a, struct plan *plan, struct error *e)
{
	struct solve s;
	int r;

	memset(plan, 0, sizeof(*plan));
	solve_init(&s, o->architectures.n ? o->architectures.v[0] : debian_native_architecture());
	r = make(&s, o, a, plan, e);
	solve_release(&s);
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
