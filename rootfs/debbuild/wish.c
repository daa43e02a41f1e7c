// SPDX-License-Identifier: GPL-2.0-or-later
/* Which packages a build needs beside what its root has: chosen, and fetched. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/debbuild/private.h"
#include "rootfs/plan/plan.h"
#include "umlcage/base/fd.h"

#define WISH		"sbuild-build-depends-main-dummy"	/* as sbuild calls it */
enum { MAX_STATUS = 256 << 20 };

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

/* What a build is to find that is done again: all that was there, as it was. */
static int repeat_wish(struct job *j, struct strbuf *control, struct error *e)
{
	const struct depends_for how = { j->r->architecture, &j->b->profiles };
	cleanup_strbuf struct strbuf depends = STRBUF_INIT;
	int ret = depends_reduce(j->info->depends, "Installed-Build-Depends", &how, &depends, e);

	if (ret < 0)
		return err_wrap(e, "'%s'", j->info->path);
	sb_addf(control, "Package: " WISH "\nVersion: 0.invalid.0\nArchitecture: %s\nDepends: %s\n",
		j->r->architecture, sb_str(&depends));
	return 0;
}

static int make_wish(struct job *j, struct strbuf *control, struct error *e)
{
	const char *wants[4] = { "Build-Depends" }, *minds[4] = { "Build-Conflicts" };
	cleanup_strbuf struct strbuf depends = STRBUF_INIT, conflicts = STRBUF_INIT;
	size_t n = 1;
	int ret;

	if (j->b->types & BUILD_ANY) {
		wants[n] = "Build-Depends-Arch";
		minds[n++] = "Build-Conflicts-Arch";
	}
	if (j->b->types & BUILD_ALL) {
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

/* ---- versions that are gone ---- */

/* The version of @name in the list @status of dpkg; malloc'ed, NULL. */
static char *version_in(const char *status, const char *name)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;

	deb822_init_mem(&d, status, strlen(status), "status");
	while (deb822_next(&d, NULL) > 0)
		if (str_eq(deb822_get(&d, "Package"), name) && deb822_get(&d, "Version"))
			return xstrdup(deb822_get(&d, "Version"));
	return NULL;
}

struct versions {
	const char *name, *version;
	char *newest;
	bool found;
};

static int look_for(const struct deb822 *stanza, const struct debian_index *index, void *arg,
		    struct error *e)
{
	struct versions *v = arg;
	const char *version = deb822_get(stanza, "Version");

	(void)index;
	(void)e;
	if (!version || !str_eq(deb822_get(stanza, "Package"), v->name))
		return 0;
	v->found |= str_eq(version, v->version);
	if (!v->newest || deb_version_cmp(version, v->newest) > 0) {
		free(v->newest);
		v->newest = xstrdup(version);
	}
	return v->found;
}

/* "NAME (= VERSION)": is it to be had?  What there is instead goes to @missing. */
static void check_version(const struct job *j, const char *status, const char *want,
			  struct strv *missing)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *there = NULL;
	struct versions v = { NULL };

	strv_split(&words, want, " ()=");
	if (words.n != 2)
		return;
	v.name = words.v[0];
	v.version = words.v[1];
	there = version_in(status, v.name);
	if (str_eq(there, v.version))
		return;
	(void)debian_each(j->archive, look_for, &v, NULL);
	if (!v.found)
		strv_addf(missing, "%s %s (there is %s)", v.name, v.version, v.newest ? v.newest : "none");
	else if (there)
		strv_addf(missing, "%s %s (the root has %s)", v.name, v.version, there);
	free(v.newest);
}

/* Why what was there cannot be there again. */
static void explain_versions(const struct job *j, const char *status, struct error *e)
{
	cleanup_strv struct strv wants = STRV_INIT, missing = STRV_INIT, some = STRV_INIT;
	cleanup_free char *list = NULL;

	strv_split(&wants, j->info->depends, ",\n");
	for (size_t i = 0; i < wants.n; i++)
		check_version(j, status, wants.v[i], &missing);
	if (!missing.n) {
		err_wrap(e, "what '%s' was built with cannot be installed together", j->source.name);
		return;
	}
	for (size_t i = 0; i < missing.n && i < 5; i++)
		strv_add(&some, missing.v[i]);
	list = strv_join(&some, ", ");
	err_release(e);
	err_set(e, EINVAL, "%zu packages that '%s' was built with cannot be had in the same version: %s%s",
		missing.n, j->source.name, list, missing.n > some.n ? ", ..." : "");
	err_hint(e, "name a mirror that still has them, such as the distribution's snapshot of %s, with "
		 "--mirror", j->info->date ? j->info->date : "that day");
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

int wish_packages(struct job *j, struct error *e)
{
	cleanup_strbuf struct strbuf control = STRBUF_INIT, status = STRBUF_INIT;
	struct plan_wish wish = { .name = WISH, .debs = &j->b->extra };
	int ret;

	buildlog_title(&j->log, "Choose package build dependencies", false);
	ret = j->info ? repeat_wish(j, &control, e) : make_wish(j, &control, e);
	if (ret == 0)
		ret = read_status(j, &status, e);
	if (ret < 0)
		return ret;
	wish.control = sb_str(&control);
	wish.status = sb_str(&status);
	ret = plan_dependencies(&wish, &j->b->fab, j->archive, j->progress, &j->plan, e);
	if (ret == -EINVAL) {
		if (j->info)
			explain_versions(j, sb_str(&status), e);
		else
			err_wrap(e, "the build dependencies of '%s' cannot be met", j->source.name);
		/* it is not this command line that is at fault */
		e->kind = ERR_PACKAGES;
		return ret;
	}
	return ret < 0 ? ret : fetch_packages(j, e);
}
