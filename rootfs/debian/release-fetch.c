// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Release files from their mirrors: as InRelease, or as Release with Release.gpg; without a
 * signature that counts, or none at all, only where the sources allow it.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

enum { MAX_RELEASE = 32 * 1024 * 1024 };

/* The files a Release text comes in. */
enum part { INRELEASE, RELEASE, RELEASE_GPG, NPARTS };
static const char *const part_names[] = {
	[INRELEASE] = "InRelease", [RELEASE] = "Release", [RELEASE_GPG] = "Release.gpg",
};

struct pending {
	struct debian_release *release;
	struct fetch_item *got[NPARTS];
	bool optional;
};

static char *release_path(const struct debian_release *r, enum part part)
{
	return str_ends(r->suite, "/") ? xasprintf("%s%s", r->suite, part_names[part]) :
					 xasprintf("dists/%s/%s", r->suite, part_names[part]);
}

/* Its name in the cache: readable, and as long as a name may be. */
static char *cache_name(const struct debian_archive *a, const struct debian_release *r, enum part part)
{
	cleanup_free char *path = release_path(r, part), *url = debian_address(a, r->uri, path);
	struct hash h = { NULL };
	const char *rest;
	char hex[SHA256_HEX + 1];
	char *name;

	hash_start(&h);
	hash_add(&h, url, strlen(url));
	hash_end(&h, hex);
	hash_release(&h);
	str_hide_passwords(url);
	rest = strstr(url, "://");
	rest = rest ? rest + 3 : url;
	rest += strlen(rest) > 150 ? strlen(rest) - 150 : 0;
	name = xasprintf("%.12s_%s", hex, rest);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-.+", *c))
			*c = '_';
	return name;
}

static struct fetch_item *new_part(struct debian_archive *a, struct pending *p, enum part part,
				 bool refresh)
{
	cleanup_free char *name = cache_name(a, p->release, part);
	cleanup_free char *path = release_path(p->release, part);
	struct fetch_item *d = fetch_item_new(part_names[part]);
	struct stat st;

	debian_add_urls(a, d, p->release->uri, path);
	d->max = MAX_RELEASE;
	d->user = p;
	d->dirfd = a->indexes_fd;
	d->name = steal_ptr(&name);
	if (part == INRELEASE && !refresh && fstatat(d->dirfd, d->name, &st, 0) == 0)
		d->if_modified_since = st.st_mtime;
	p->got[part] = NULL;
	return d;
}

static int part_of(const struct fetch_item *d)
{
	for (int i = 0; i < NPARTS; i++)
		if (str_eq(d->what, part_names[i]))
			return i;
	return INRELEASE;
}

/* Without a network: what the cache has. */
static void read_cached(struct fetch_item *d)
{
	struct error why = ERROR_INIT;

	sb_reset(&d->data);
	if (file_read(d->dirfd, d->name, MAX_RELEASE, &d->data, &why) < 0) {
		err_set(&d->error, ENOENT, "it is not in the cache, and the network is not to be "
			"used");
		err_release(&why);
	}
}

/* Adds @d to its pending entry; false when the mirror has no such file. */
static int take_part(const struct debian_archive *a, struct fetch_item *d, struct error *e)
{
	struct pending *p = d->user;

	if (d->error.errnum == ENETDOWN && a->fetch.offline) {
		err_release(&d->error);
		read_cached(d);
	} else if (!d->error.errnum && d->not_modified) {
		read_cached(d);
	}
	if (d->error.errnum && d->error.errnum != ENOENT && d->error.errnum != EACCES) {
		int ret = err_move(e, &d->error);

		fetch_item_free(d);
		return ret;
	}
	p->got[part_of(d)] = d;
	return 0;
}

/* Fetches @parts of those for whom @wanted says so. */
static int fetch_parts(struct debian_archive *a, struct pending *pending, size_t n, bool refresh,
		       bool inrelease, struct error *e)
{
	struct fetch *dl;
	struct fetch_item *d;
	int ret = fetch_start(&a->fetch, &dl, e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &pending[i];

		if (inrelease) {
			fetch_add(dl, new_part(a, p, INRELEASE, refresh));
		} else if (p->got[INRELEASE]->error.errnum) {
			fetch_add(dl, new_part(a, p, RELEASE, refresh));
			fetch_add(dl, new_part(a, p, RELEASE_GPG, refresh));
		}
	}
	while (ret == 0 && (ret = fetch_next(dl, a->progress, &d, e)) > 0)
		ret = take_part(a, d, e);
	fetch_end(dl);
	return ret;
}

static int keep(struct fetch_item *d, struct error *e)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = d->modified } };
	int ret;

	if (d->not_modified)
		return 0;
	ret = file_replace(d->dirfd, d->name, sb_str(&d->data), d->data.len, 0600, e);
	if (ret == 0 && d->modified >= 0)
		(void)utimensat(d->dirfd, d->name, times, 0);
	return ret;
}

/*
 * What is not signed, or not by a key that counts, because of @why: an error, unless the
 * source is to be trusted, or apt's two options allow it.
 */
static int put_up_with(const struct debian_archive *a, const struct debian_release *r,
		       struct error *why, struct error *e)
{
	bool allowed = r->source->allow_insecure || a->allow_insecure;

	if (r->source->trusted || (allowed && a->allow_unauthenticated)) {
		progress_warn(a->progress, "%s; it is taken all the same, as %s", err_text(why),
			      r->source->trusted ? "its source is to be trusted" :
			      "APT::Get::AllowUnauthenticated says");
		err_release(why);
		return 0;
	}
	if (allowed)
		err_hint(why, "apt would not install from there either without "
			 "APT::Get::AllowUnauthenticated");
	return err_move(e, why);
}

/* The text of @main_part, verified as far as it has to be, into r->text. */
static int verify(const struct debian_archive *a, struct debian_release *r,
		  const struct fetch_item *main_part, const struct fetch_item *signature,
		  struct error *e)
{
	/* an entry's own keys go before those of the session */
	const struct fetch_keys keys = {
		.key = r->source->key, .fingerprints = &r->source->fingerprints,
		.keyrings = r->source->keyrings.n ? &r->source->keyrings : &a->keyrings,
	};
	const char *url = main_part->urls.v[0];
	struct error why = ERROR_INIT;
	int ret;

	if (signature && signature->error.errnum)
		ret = err_set(&why, EBADMSG, "'%s' is not signed: there is no Release.gpg", url);
	else
		ret = fetch_verify(&keys, url, &main_part->data,
				   signature ? &signature->data : NULL, &r->text, &r->signer, &why);
	if (ret == 0)
		return 0;
	ret = put_up_with(a, r, &why, e);
	if (ret == 0)
		r->text = fetch_unsigned(&main_part->data);
	return ret;
}

/* No Release file of any kind: 1 if the suite is optional, 0 if it is to be done without. */
static int settle_absent(const struct debian_archive *a, struct pending *p, struct error *e)
{
	struct debian_release *r = p->release;
	struct error why = ERROR_INIT;
	int ret;

	if (p->optional)
		return 1;
	err_move(&why, &p->got[INRELEASE]->error);
	err_wrap(&why, "no suite '%s' at '%s'", r->suite, r->uri);
	if (why.errnum != ENOENT)
		return err_move(e, &why);
	ret = put_up_with(a, r, &why, e);
	if (ret == 0) {
		r->text = xstrdup("");
		r->absent = true;
	}
	return ret;
}

/* Verifies one and keeps it; 1: an optional suite that is not there, or has expired. */
static int settle(struct debian_archive *a, struct pending *p, struct error *e)
{
	struct debian_release *r = p->release;
	struct fetch_item *in = p->got[INRELEASE], *text = p->got[RELEASE];
	struct fetch_item *sig = p->got[RELEASE_GPG];
	bool detached = in->error.errnum != 0;
	struct fetch_item *main_part = detached ? text : in;
	cleanup_error struct error stale = ERROR_INIT;
	int ret;

	if (detached && text->error.errnum)
		return settle_absent(a, p, e);
	ret = verify(a, r, main_part, detached ? sig : NULL, e);
	if (ret < 0)
		return ret;
	ret = debian_release_read(a, r, &stale);
	if (ret == -ESTALE && p->optional) {
		progress_warn(a->progress, "left out: %s", err_text(&stale));
		return 1;
	}
	if (ret < 0)
		return err_move(e, &stale);
	ret = keep(main_part, e);
	if (ret == 0 && detached && !sig->error.errnum)
		ret = keep(sig, e);
	return ret;
}

static size_t collect(const struct debian_archive *a, struct pending *pending)
{
	size_t n = 0;

	for (size_t i = 0; i < a->sources.n; i++) {
		const struct debian_source *s = &a->sources.v[i];
		size_t k = 0;

		while (k < n && !(str_eq(pending[k].release->uri, s->uri) &&
				  str_eq(pending[k].release->suite, s->suite)))
			k++;
		if (k < n) {
			pending[k].optional &= s->optional;
			continue;
		}
		pending[n].release = xcalloc(1, sizeof(struct debian_release));
		pending[n].release->source = s;
		pending[n].release->uri = xstrdup(s->uri);
		pending[n].release->suite = xstrdup(s->suite);
		pending[n++].optional = s->optional;
	}
	return n;
}

int debian_releases_update(struct debian_archive *a, bool refresh, struct error *e)
{
	cleanup_free struct pending *pending = xcalloc(a->sources.n + 1, sizeof(*pending));
	size_t n = collect(a, pending), missing = 0;
	int ret = fetch_parts(a, pending, n, refresh, true, e);
	bool kept = false;

	for (size_t i = 0; i < n && ret == 0; i++) {
		missing += pending[i].got[INRELEASE]->error.errnum != 0;
		kept |= pending[i].got[INRELEASE]->not_modified;
	}
	if (ret == 0 && missing)
		ret = fetch_parts(a, pending, n, refresh, false, e);

	for (size_t i = 0; i < a->nreleases; i++)
		debian_release_free(a->releases[i]);
	a->nreleases = 0;
	a->releases = xreallocarray(a->releases, n + 1, sizeof(struct debian_release *));
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &pending[i];
		int settled = ret == 0 ? settle(a, p, e) : ret;

		if (settled == 0)
			a->releases[a->nreleases++] = p->release;
		else
			debian_release_free(p->release);
		if (settled < 0)
			ret = settled;
		for (int k = 0; k < NPARTS; k++)
			fetch_item_free(p->got[k]);
	}
	/* what the cache kept may be to blame, not the mirror */
	if ((ret == -EBADMSG || ret == -ENOKEY) && kept) {
		err_release(e);
		return debian_releases_update(a, true, e);
	}
	return ret;
}
