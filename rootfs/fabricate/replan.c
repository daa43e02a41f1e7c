// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sources that setup hooks make.  mmdebstrap runs apt-get update after these hooks, so what
 * they leave in etc/apt is what packages come from.  Here packages are chosen before; where
 * the hooks changed the sources, they are chosen once more, and the tree in the making goes
 * on with the new plan.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"

#define MAX_SOURCES ((size_t)1 << 20)
#define MAX_STATUS ((size_t)64 << 20)

static int read_source(struct share_tree *t, const char *path, struct fab_sources_file *out,
		       struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret = share_read(t, path, MAX_SOURCES, &text, e);

	if (ret == 0)
		*out = (struct fab_sources_file){ xstrdup(path), sb_steal(&text),
						  str_ends(path, ".sources") };
	return ret;
}

/* What apt reads as sources in the tree, in its order. */
static int read_sources(struct share_tree *t, struct fab_options *o, struct error *e)
{
	cleanup_strv struct strv paths = STRV_INIT, names = STRV_INIT;
	struct share_attr there;
	int ret = fabricate_list_dir(t, "etc/apt/sources.list.d", &names, e);

	if (ret < 0)
		return ret;
	strv_sort(&names);
	if (share_stat(t, "etc/apt/sources.list", &there, NULL) == 0)
		strv_add(&paths, "etc/apt/sources.list");
	for (size_t i = 0; i < names.n; i++)
		if (names.v[i][0] != '.' &&
		    (str_ends(names.v[i], ".list") || str_ends(names.v[i], ".sources")))
			strv_take(&paths, path_join("etc/apt/sources.list.d", names.v[i]));
	o->sources = xcalloc(paths.n + 1, sizeof(*o->sources));
	o->nsources = 0;
	for (size_t i = 0; i < paths.n && ret == 0; i++) {
		ret = read_source(t, paths.v[i], &o->sources[o->nsources], e);
		o->nsources += ret == 0;
	}
	return ret;
}

static bool same_sources(const struct fab_options *a, const struct fab_options *b)
{
	if (a->nsources != b->nsources)
		return false;
	for (size_t i = 0; i < a->nsources; i++) {
		size_t k = 0;

		while (k < b->nsources && !(str_eq(a->sources[i].path, b->sources[k].path) &&
					    str_eq(a->sources[i].content, b->sources[k].content)))
			k++;
		if (k == b->nsources)
			return false;
	}
	return true;
}

/* What is installed in the tree, of dpkg's status. */
static char *read_installed(struct share_tree *t)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;

	if (share_read(t, "var/lib/dpkg/status", MAX_STATUS, &text, NULL) < 0)
		return NULL;
	for (const char *p = sb_str(&text), *end; *p; p = end) {
		cleanup_free char *stanza = NULL;

		end = strstr(p, "\n\n");
		end = end ? end + 2 : p + strlen(p);
		stanza = xstrndup(p, (size_t)(end - p));
		if (strstr(stanza, "\nStatus: install ok installed\n"))
			sb_adds(&out, stanza);
	}
	return out.len ? sb_steal(&out) : NULL;
}

struct replan {
	struct fab_options o;	/* the request's, but for the sources, and what is installed */
	bool own_sources;	/* they are not the request's */
	char *installed;
	struct debian_archive *archive;
	struct plan plan;
};

void fabricate_replan_end(struct fabricate *f)
{
	struct replan *r = f->replan;

	if (!r)
		return;
	for (size_t i = 0; r->own_sources && i < r->o.nsources; i++) {
		free(r->o.sources[i].path);
		free(r->o.sources[i].content);
	}
	if (r->own_sources)
		free(r->o.sources);
	free(r->installed);
	plan_release(&r->plan);
	debian_archive_close(r->archive);
	free_ptr(&f->replan);
}

int fabricate_need_sources(const struct fab_options *o, struct error *e)
{
	if (o->nsources || (o->variant <= FAB_CUSTOM && !o->include.n))
		return 0;
	return err_usage(e, "there are no sources of packages: give a MIRROR, or make "
			 "etc/apt/sources.list in a setup hook");
}

int fabricate_replan(struct fabricate *f, struct share_tree *t, struct error *e)
{
	struct replan *r;
	bool update = !fab_skips(f->o, "update");
	int ret = 0;

	r = xcalloc(1, sizeof(*r));
	f->replan = r;
	r->o = *f->o;
	if (update)
		ret = read_sources(t, &r->o, e);
	r->own_sources = update;
	if (ret == 0 && update)
		ret = fabricate_need_sources(&r->o, e);
	r->installed = read_installed(t);
	r->o.installed = r->installed;
	if (ret < 0 || (!r->installed && (!update || same_sources(f->o, &r->o))))
		return ret;
	progress_stage(f->progress, "planning with what setup hooks left", 0);
	ret = plan_open_archive(&r->o, f->progress, &r->archive, e);
	if (ret == 0)
		ret = debian_archive_update(r->archive, e);
	if (ret == 0)
		ret = plan_make(&r->o, r->archive, f->progress, &r->plan, e);
	if (ret < 0)
		return ret;
	f->o = &r->o;
	f->plan = &r->plan;
	f->archive = r->archive;
	f->replanned = true;
	return 0;
}
