// SPDX-License-Identifier: GPL-2.0-or-later
/* A session with package archives: see debian.h. */
#include "rootfs/debian/debian.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

enum { PARALLEL = 8 };

const char *debian_native_architecture(void)
{
#if defined(__x86_64__)
	return "amd64";
#elif defined(__aarch64__)
	return "arm64";
#elif defined(__i386__)
	return "i386";
#elif defined(__riscv) && __riscv_xlen == 64
	return "riscv64";
#else
#error "name this architecture as Debian does"
#endif
}

time_t debian_archive_now(const struct debian_archive *a)
{
	return a->now ? a->now : time(NULL);
}

bool debian_stage(const struct debian_archive *a, const char *stage)
{
	if (!a->progress || a->progress->stage)
		return false;
	progress_stage(a->progress, stage, 0);
	return true;
}

/* What @base is of: the mirror's address itself, or that of a flat archive there. */
static const struct debian_source *source_of(const struct debian_archive *a, const char *base)
{
	for (size_t i = 0; i < a->sources.n; i++) {
		const struct debian_source *s = &a->sources.v[i];
		size_t len = strlen(s->uri);

		if (strncmp(base, s->uri, len) == 0 && (!base[len] || base[len] == '/'))
			return s;
	}
	return NULL;
}

/* Where the service has what the mirror @uri was. */
static char *snapshot_of(const struct debian_archive *a, const char *uri)
{
	static const char id[] = "@SNAPSHOTID@", archive[] = "@ARCHIVE@";
	const char *slash = strrchr(uri, '/');
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	for (const char *p = a->snapshots; *p;) {
		if (str_starts(p, id)) {
			sb_adds(&out, a->snapshot);
			p += strlen(id);
		} else if (str_starts(p, archive)) {
			sb_adds(&out, slash ? slash + 1 : uri);
			p += strlen(archive);
		} else {
			sb_addc(&out, *p++);
		}
	}
	return sb_steal(&out);
}

char *debian_address(const struct debian_archive *a, const char *base, const char *path)
{
	const struct debian_source *s = a->snapshot ? source_of(a, base) : NULL;
	cleanup_free char *kept = s ? snapshot_of(a, s->uri) : NULL;
	cleanup_free char *there = s ? xasprintf("%s%s", kept, base + strlen(s->uri)) : NULL;

	return fetch_url_join(there ? there : base, path);
}

void debian_add_urls(const struct debian_archive *a, struct fetch_item *d, const char *base,
		     const char *path)
{
	const struct debian_source *s = a->snapshot ? NULL : source_of(a, base);

	strv_take(&d->urls, debian_address(a, base, path));
	for (size_t k = 0; s && k < s->alternates.n; k++) {
		cleanup_free char *other = xasprintf("%s%s", s->alternates.v[k], base + strlen(s->uri));

		strv_take(&d->urls, fetch_url_join(other, path));
	}
}

static void copy_strv(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; from && i < from->n; i++)
		strv_add(to, from->v[i]);
}

static void copy_sources(struct debian_sources *to, const struct debian_sources *from)
{
	to->v = xcalloc(from->n + 1, sizeof(*to->v));
	to->n = to->cap = from->n;
	for (size_t i = 0; i < from->n; i++) {
		const struct debian_source *f = &from->v[i];
		struct debian_source *t = &to->v[i];

		*t = (struct debian_source){
			.uri = xstrdup(f->uri), .suite = xstrdup(f->suite),
			.key = f->key ? xstrdup(f->key) : NULL, .trusted = f->trusted,
			.allow_insecure = f->allow_insecure, .optional = f->optional,
			.no_valid_until = f->no_valid_until, .no_date = f->no_date,
		};
		copy_strv(&t->alternates, &f->alternates);
		copy_strv(&t->components, &f->components);
		copy_strv(&t->architectures, &f->architectures);
		copy_strv(&t->more_architectures, &f->more_architectures);
		copy_strv(&t->less_architectures, &f->less_architectures);
		copy_strv(&t->keyrings, &f->keyrings);
		copy_strv(&t->fingerprints, &f->fingerprints);
	}
}

int debian_archive_open(const struct debian_config *config, const struct debian_sources *sources,
		     struct debian_archive **out, struct error *e)
{
	struct debian_archive *a = xcalloc(1, sizeof(*a));
	int ret;

	*out = NULL;
	a->packages_fd = a->indexes_fd = -1;
	copy_strv(&a->keyrings, config->keyrings);
	copy_strv(&a->architectures, config->architectures);
	if (!a->architectures.n)
		strv_add(&a->architectures, debian_native_architecture());
	if (sources)
		copy_sources(&a->sources, sources);
	a->progress = config->progress;
	a->fetch.parallel = config->parallel ? config->parallel : PARALLEL;
	a->fetch.retries = config->retries == UINT_MAX ? 0 :
			   config->retries ? config->retries : DEBIAN_RETRIES;
	a->fetch.stall_seconds = config->stall_seconds ? config->stall_seconds : DEBIAN_STALL_SECONDS;
	a->fetch.offline = config->offline;
	a->fetch.proxy = config->proxy;
	a->fetch.proxy_arg = config->proxy_arg;
	if (config->snapshot) {
		a->snapshot = xstrdup(config->snapshot);
		a->snapshots = xstrdup(config->snapshots);
	}
	/* what it was at some time has expired at some time */
	a->no_valid_until = config->no_valid_until || config->snapshot;
	a->no_date = config->no_date;
	a->allow_insecure = config->allow_insecure;
	a->allow_unauthenticated = config->allow_unauthenticated;
	a->with_sources = config->with_sources;
	a->now = config->now;
	ret = fetch_open_dir(config->cache, "archives", &a->packages_dir, &a->packages_fd, e);
	if (ret == 0)
		ret = fetch_open_dir(config->cache, "indexes", &a->indexes_dir, &a->indexes_fd, e);
	if (ret < 0) {
		debian_archive_close(a);
		return ret;
	}
	*out = a;
	return 0;
}

/*
 * A mirror that was being updated between the two steps gives indexes that do not
 * fit the Release file; asking for both once more helps then.
 */
int debian_archive_update(struct debian_archive *a, struct error *e)
{
	struct error first = ERROR_INIT;
	int ret;

	bool own_stage = debian_stage(a, "reading package lists");

	debian_indexes_clear(a);
	ret = debian_releases_update(a, false, e);
	if (ret == 0) {
		ret = debian_indexes_update(a, &first);
		if ((ret == -EBADMSG || ret == -ENOENT) && !a->fetch.offline) {
			err_release(&first);
			ret = debian_releases_update(a, true, e);
			if (ret == 0)
				ret = debian_indexes_update(a, e);
		} else if (ret < 0) {
			ret = err_move(e, &first);
		}
	}
	if (own_stage)
		progress_end(a->progress);
	return ret;
}

const struct debian_release *debian_release_at(const struct debian_archive *a, size_t i)
{
	return i < a->nreleases ? a->releases[i] : NULL;
}

size_t debian_indexes(const struct debian_archive *a, const struct debian_index **v)
{
	*v = a->indexes;
	return a->nindexes;
}

size_t debian_source_indexes(const struct debian_archive *a, const struct debian_index **v)
{
	*v = a->source_indexes;
	return a->nsource_indexes;
}

void debian_archive_close(struct debian_archive *a)
{
	if (!a)
		return;
	debian_indexes_clear(a);
	for (size_t i = 0; i < a->nreleases; i++)
		debian_release_free(a->releases[i]);
	free(a->releases);
	debian_sources_release(&a->sources);
	strv_release(&a->keyrings);
	strv_release(&a->architectures);
	free(a->snapshot);
	free(a->snapshots);
	free(a->packages_dir);
	free(a->indexes_dir);
	close_fd(&a->packages_fd);
	close_fd(&a->indexes_fd);
	free(a);
}

void debian_archive_closep(struct debian_archive **a)
{
	debian_archive_close(*a);
	*a = NULL;
}
