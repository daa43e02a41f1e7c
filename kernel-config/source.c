// SPDX-License-Identifier: GPL-2.0-or-later
/* Finding a kernel's source: see source.h. */
#include "kernel-config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-config/assets.h"
#include "kernel-config/choose.h"
#include "kernel-config/config.h"
#include "kernel-config/manifest.h"
#include "rootfs/debian/debian.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"

char *source_version(const char *makefile)
{
	static const char *const keys[] = { "VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION" };
	cleanup_free char *v[ARRAY_SIZE(keys)] = { NULL };
	char *version = NULL;

	for (const char *p = makefile; p && *p; p = strchr(p, '\n'), p += p ? 1 : 0) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			size_t n = strlen(keys[i]);
			const char *q = p + n;

			if (strncmp(p, keys[i], n) != 0 || v[i])
				continue;
			q += strspn(q, " \t");
			if (*q++ != '=')
				continue;
			q += strspn(q, " \t");
			v[i] = xstrndup(q, strcspn(q, " \t\n#"));
		}
	}
	if (v[0] && v[1] && *v[0] && *v[1])
		version = xasprintf("%s.%s.%s%s", v[0], v[1], v[2] && *v[2] ? v[2] : "0",
				    v[3] ? v[3] : "");
	for (size_t i = 1; i < ARRAY_SIZE(keys); i++)
		free(v[i]);
	return version;
}

static int open_path(struct source *s, const char *path, const struct exclude *x, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *full = realpath(path, NULL);
	struct stat st;

	if (fd < 0 || !full || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read kernel source '%s'", path);
	s->name = xstrdup(full);
	if (S_ISDIR(st.st_mode)) {
		cleanup_free char *makefile = path_join(full, "Makefile");

		if (access(makefile, R_OK) < 0)
			return err_sys(e, errno, "'%s' is not a Linux source: cannot read its Makefile",
				       path);
		s->dir = steal_ptr(&full);
		return tree_identity(x, s->dir, &s->id, e);
	}
	if (!S_ISREG(st.st_mode))
		return err_usage(e, "kernel source '%s' is neither a directory nor a file", path);
	s->fd = steal_fd(&fd);
	s->id = xmalloc(SHA256_HEX + 1);

	int ret = hash_fd(s->fd, s->id);

	if (ret == 0)
		return 0;
	free_ptr(&s->id);
	return err_sys(e, -ret, "cannot read '%s'", path);
}

static int take_fd(struct debian_item *item, void *arg, struct error *e)
{
	struct source *s = arg;

	(void)e;
	s->fd = steal_fd(&item->fd);
	return 0;
}

/* ---- from the archive ---- */

struct search {
	struct choice choice;
	struct debian_package package;
};

static int look_at(const struct deb822 *stanza, const struct debian_index *index, void *arg,
		   struct error *e)
{
	struct search *search = arg;
	const char *name = deb822_get(stanza, "Package"), *version = deb822_get(stanza, "Version");

	/* "linux-source" alone is there too, and only names another */
	if (!name || !version || fnmatch("linux-source-[0-9]*", name, 0) != 0 ||
	    !choose(&search->choice, version))
		return 0;
	return debian_package_read(&search->package, stanza, index, e);
}

/* Why there is none to take. */
static int nothing_fits(const struct choice *c, const char *where, struct error *e)
{
	if (c->series)
		return err_set(e, ENOENT, "no linux-source-%s in %s", c->series, where);
	if (!c->newest)
		return err_set(e, ENOENT, "no linux-source package in %s; name a source of Linux "
			       KERNEL_OLDEST " to " KERNEL_NEWEST " with --source", where);
	if (kernel_fit(c->newest) == KERNEL_TOO_OLD)
		return err_set(e, ENOENT, "the newest Linux source in %s is %s, older than "
			       KERNEL_OLDEST "; name another suite or a source with --source",
			       where, c->newest);
	return err_set(e, ENOENT, "the Linux sources in %s are not of " KERNEL_OLDEST " to "
		       KERNEL_NEWEST ", which this umlcage was tested with; --newer takes %s, or "
		       "name a source with --source", where, c->newest);
}

static int find_package(struct debian_archive *a, const struct kernel_request *req,
			const char *series, const char *where, struct debian_package *p,
			struct error *e)
{
	struct search search = {
		.choice = { .series = series, .newer = req->newer }, .package = DEBIAN_PACKAGE_INIT,
	};
	int ret = debian_each(a, look_at, &search, e);

	if (ret == 0 && !search.choice.best)
		ret = nothing_fits(&search.choice, where, e);
	if (ret == 0 && !series && !req->newer && kernel_fit(search.choice.newest) == KERNEL_UNTESTED)
		progress_note(req->progress, "there is Linux %s, which this umlcage was not tested "
			      "with; --newer builds it", search.choice.newest);
	if (ret == 0)
		*p = search.package;
	else
		debian_package_release(&search.package);
	choice_release(&search.choice);
	return ret;
}

static int fetch(struct source *s, struct debian_archive *a, const struct debian_package *p,
		 struct error *e)
{
	struct debian_item item = {
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): find_package() took it from one */
		.uri = p->index->base, .filename = p->filename, .size = p->size, .fd = -1,
	};

	memcpy(item.sum, p->sum, sizeof(item.sum));
	s->name = xasprintf("%s %s", p->name, p->version);
	s->id = xstrdup(p->sum);
	return debian_fetch(a, &item, 1, take_fd, s, e);
}

/* The suites to look in: @only, or those of the data file. */
static void list_suites(const char *only, struct strv *suites)
{
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_free char *text = asset_text("suites");

	if (only) {
		strv_add(suites, only);
		return;
	}
	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (lines.v[i][0] != '#')
			strv_add(suites, lines.v[i]);
}

/* In @suite, or NULL: the listed ones; @series "7.2", or NULL: any. */
static int open_suite(struct source *s, const struct kernel_request *req, const char *suite,
		      const char *series, struct error *e)
{
	cleanup_debian_sources struct debian_sources sources = DEBIAN_SOURCES_INIT;
	cleanup_debian_archive struct debian_archive *a = NULL;
	cleanup_strv struct strv suites = STRV_INIT;
	cleanup_free char *mirror = NULL, *names = NULL, *where = NULL;
	cleanup_error struct error first = ERROR_INIT;
	struct debian_config config = { .keyrings = req->keyrings, .progress = req->progress };
	struct debian_package p = DEBIAN_PACKAGE_INIT;
	int ret = debian_mirror_find(req->mirror, &mirror, req->progress, e);

	if (ret < 0)
		return ret;
	list_suites(suite, &suites);
	for (size_t i = 0; i < suites.n; i++) {
		struct debian_source *as = debian_sources_add(&sources, mirror, suites.v[i], "main", e);

		if (!as)
			return -EINVAL;
		as->optional = !suite;
	}
	names = strv_join(&suites, ", ");
	where = xasprintf("%s of %s", names, mirror);
	progress_stage(req->progress, "looking for a kernel source", 0);
	ret = debian_archive_open(&config, &sources, &a, e);
	if (ret < 0)
		return ret;
	ret = debian_archive_update(a, &first);
	if (ret < 0) {
		/* what was fetched before is as good as ever without the network */
		debian_archive_closep(&a);
		a = NULL;
		config.offline = true;
		if (debian_archive_open(&config, &sources, &a, NULL) < 0 ||
		    debian_archive_update(a, NULL) < 0) {
			err_move(e, &first);
			return err_wrap(e, "cannot look for a kernel source");
		}
		progress_warn(req->progress, "%s; using the source lists of an earlier run",
			      err_text(&first));
	}
	ret = find_package(a, req, series, where, &p, e);
	if (ret < 0)
		return ret;
	progress_stage(req->progress, "downloading the kernel source", 0);
	ret = fetch(s, a, &p, e);
	debian_package_release(&p);
	return ret;
}

static bool suite_ok(const char *name)
{
	return *name && *name != '-' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789"
					       "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") == strlen(name);
}

int source_open(struct source *s, const struct kernel_request *req, const struct exclude *x,
		struct error *e)
{
	struct stat st;

	if (!req->source)
		return open_suite(s, req, NULL, NULL, e);
	if (stat(req->source, &st) == 0)
		return open_path(s, req->source, x, e);
	if (is_linux_series(req->source))
		return open_suite(s, req, NULL, req->source, e);
	if (!suite_ok(req->source))
		return err_sys(e, errno, "cannot read kernel source '%s'", req->source);
	return open_suite(s, req, req->source, NULL, e);
}

int source_extract(const struct source *s, struct tree *t, struct error *e)
{
	if (s->dir)
		return tree_copy(t, s->dir, e);
	if (lseek(s->fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "cannot read '%s'", s->name);
	return tree_unpack(t, s->fd, s->name, e);
}

void source_release(struct source *s)
{
	free_ptr(&s->name);
	free_ptr(&s->id);
	free_ptr(&s->dir);
	close_fd(&s->fd);
}

int kernel_source(const struct kernel_request *req, char **path, struct error *e)
{
	cleanup_source struct source source = SOURCE_INIT;
	cleanup_exclude struct exclude exclude = EXCLUDE_INIT;
	cleanup_free char *excluded = asset_text("exclude"), *self = NULL;
	char target[4096];
	ssize_t n;
	int ret = exclude_parse(&exclude, excluded, "exclude", e);

	if (ret == 0)
		ret = source_open(&source, req, &exclude, e);
	progress_end(req->progress);
	if (ret < 0)
		return ret;
	if (source.dir) {
		*path = steal_ptr(&source.dir);
		return 0;
	}
	self = xasprintf("/proc/self/fd/%d", source.fd);
	n = readlink(self, target, sizeof(target));
	if (n < 0 || (size_t)n == sizeof(target))
		return err_sys(e, n < 0 ? errno : ENAMETOOLONG, "cannot find '%s'", source.name);
	*path = xstrndup(target, (size_t)n);
	return 0;
}
