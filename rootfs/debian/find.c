// SPDX-License-Identifier: GPL-2.0-or-later
/* Looking through indexes without a solver. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

void debian_package_release(struct debian_package *p)
{
	free(p->name);
	free(p->version);
	free(p->architecture);
	free(p->filename);
	*p = (struct debian_package)DEBIAN_PACKAGE_INIT;
}

int debian_package_read(struct debian_package *p, const struct deb822 *stanza,
		     const struct debian_index *index, struct error *e)
{
	const char *name = deb822_get(stanza, "Package"), *version = deb822_get(stanza, "Version");
	const char *arch = deb822_get(stanza, "Architecture");
	const char *filename = deb822_get(stanza, "Filename");
	const char *sum = deb822_get(stanza, "SHA256") ?: deb822_get(stanza, "SHA512");
	const char *size = deb822_get(stanza, "Size");
	uint64_t bytes;

	if (!name || !version || !arch || !filename || !fetch_path_is_below(filename) || !sum ||
	    !hash_valid_sum(sum) || !size || parse_u64(size, 10, INT64_MAX, &bytes) < 0)
		return err_set(e, EBADMSG, "%s:%u: package '%s' lacks a field, or one is damaged",
			       stanza->name, stanza->line, name ?: "?");
	debian_package_release(p);
	p->index = index;
	p->name = xstrdup(name);
	p->version = xstrdup(version);
	p->architecture = xstrdup(arch);
	p->filename = xstrdup(filename);
	p->size = bytes;
	strcpy(p->sum, sum);
	return 0;
}

int debian_index_each(const struct debian_index *index, debian_each_fn *each, void *arg, struct error *e)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	cleanup_free char *self = xasprintf("/proc/self/fd/%d", index->fd);
	/* an offset of its own */
	cleanup_close int fd = open(self, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", index->path);
	deb822_init_fd(&d, fd, index->path);
	while ((ret = deb822_next(&d, e)) > 0) {
		ret = each(&d, index, arg, e);
		if (ret)
			return ret;
	}
	return ret;
}

int debian_each(struct debian_archive *a, debian_each_fn *each, void *arg, struct error *e)
{
	int ret = 0;

	for (size_t i = 0; i < a->nindexes && ret == 0; i++)
		ret = debian_index_each(&a->indexes[i], each, arg, e);
	return ret;
}

struct newest {
	const char *pattern;
	struct debian_package *best;
};

static int take_newer(const struct deb822 *stanza, const struct debian_index *index, void *arg,
		      struct error *e)
{
	struct newest *n = arg;
	const char *name = deb822_get(stanza, "Package"), *version = deb822_get(stanza, "Version");

	if (!name || !version || fnmatch(n->pattern, name, 0) != 0)
		return 0;
	if (n->best->version && deb_version_cmp(version, n->best->version) <= 0)
		return 0;
	return debian_package_read(n->best, stanza, index, e);
}

int debian_find_newest(struct debian_archive *a, const char *pattern, struct debian_package *out,
		    struct error *e)
{
	struct newest n = { pattern, out };
	int ret;

	debian_package_release(out);
	ret = debian_each(a, take_newer, &n, e);
	if (ret == 0 && !out->version)
		ret = err_set(e, ENOENT, "no package '%s' in the archive", pattern);
	return ret;
}
