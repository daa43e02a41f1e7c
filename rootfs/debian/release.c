// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Release files: fetched as InRelease, or as Release with Release.gpg from a mirror
 * without it, believed only when signed, for the suite asked for, and not expired.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"

enum { MAX_RELEASE = 32 * 1024 * 1024, FUTURE_SECONDS = 600 };

time_t debian_release_date(const char *s)
{
	/* strptime's %a and %b would depend on the locale */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int day, year, hour, minute, second = 0, end = 0;
	char month[4] = "", zone[8] = "";
	const char *m, *comma = strchr(s, ',');
	struct tm tm = { 0 };

	s = comma ? comma + 1 : s;
	if (sscanf(s, " %2d %3s %4d %2d:%2d:%2d %7s%n", &day, month, &year, &hour, &minute, &second,
		   zone, &end) != 7 || s[end + (int)strspn(s + end, " \t")])
		return -1;
	m = strstr(months, month);
	if (!m || strlen(month) != 3 || (m - months) % 3 || year < 1970 || day < 1 || day > 31 ||
	    hour > 23 || minute > 59 || second > 60 || hour < 0 || minute < 0 || second < 0)
		return -1;
	if (!str_eq(zone, "UTC") && !str_eq(zone, "GMT") && !str_eq(zone, "Z") &&
	    !str_eq(zone, "+0000"))
		return -1;
	tm = (struct tm){ .tm_mday = day, .tm_mon = (int)(m - months) / 3, .tm_year = year - 1900,
			  .tm_hour = hour, .tm_min = minute, .tm_sec = second };
	return timegm(&tm);
}

static char *copy_field(const struct deb822 *d, const char *name)
{
	const char *v = deb822_get(d, name);

	return v ? xstrdup(v) : NULL;
}

static bool says_yes(const struct deb822 *d, const char *name)
{
	const char *v = deb822_get(d, name);

	return v && strcasecmp(v, "yes") == 0;
}

static char *describe(const struct debian_release *r)
{
	return xasprintf("%s %s", r->uri, r->suite);
}

static char *format_date(time_t t)
{
	char text[64];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	return xstrdup(text);
}

static int check_suite(const struct debian_release *r, struct error *e)
{
	cleanup_free char *base = xstrdup(r->suite);
	char *slash = strchr(base, '/');

	if (slash)	/* "buster/updates" calls itself "buster" */
		*slash = '\0';
	if (str_ends(r->suite, "/") || str_eq(r->suite, r->name) || str_eq(r->suite, r->codename))
		return 0;
	if (str_eq(base, r->codename) || str_eq(base, r->name))
		return 0;
	return err_set(e, EBADMSG, "the Release file of '%s %s' is another suite's: it says '%s' "
		       "and '%s'", r->uri, r->suite, r->name ?: "", r->codename ?: "");
}

static int check_dates(const struct debian_archive *a, const struct debian_release *r, struct error *e)
{
	cleanup_free char *what = describe(r), *date = format_date(r->date);
	cleanup_free char *until = format_date(r->valid_until);
	time_t now = debian_archive_now(a);

	if (r->date > now + FUTURE_SECONDS)
		return err_set(e, ESTALE, "the Release file of '%s' is from the future (%s); is "
			       "this host's clock right?", what, date);
	if (a->no_valid_until || r->source->no_valid_until)
		return 0;
	if (r->valid_until && r->valid_until < now)
		return err_set(e, ESTALE, "the Release file of '%s' has expired: it was valid "
			       "until %s; the mirror is out of date, or this host's clock is "
			       "wrong", what, until);
	return 0;
}

int debian_release_read(const struct debian_archive *a, struct debian_release *r, struct error *e)
{
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	cleanup_free char *what = describe(r);
	const char *v;
	int ret;

	deb822_init_mem(&d, r->text, strlen(r->text), "Release");
	ret = deb822_next(&d, e);
	if (ret < 0)
		return err_wrap(e, "'%s'", what);
	if (ret == 0 || !deb822_get(&d, "SHA256"))
		return err_set(e, EBADMSG, "the Release file of '%s' lists no SHA256 sums", what);
	r->origin = copy_field(&d, "Origin");
	r->label = copy_field(&d, "Label");
	r->name = copy_field(&d, "Suite");
	r->codename = copy_field(&d, "Codename");
	r->version = copy_field(&d, "Version");
	r->not_automatic = says_yes(&d, "NotAutomatic");
	r->but_automatic_upgrades = says_yes(&d, "ButAutomaticUpgrades");
	v = deb822_get(&d, "Date");
	r->date = v ? debian_release_date(v) : 0;
	v = deb822_get(&d, "Valid-Until");
	r->valid_until = v ? debian_release_date(v) : 0;
	if (r->date < 0 || r->valid_until < 0)
		return err_set(e, EBADMSG, "the Release file of '%s' has a damaged date", what);
	if (!r->source->trusted) {
		ret = check_suite(r, e);
		if (ret < 0)
			return ret;
	}
	return check_dates(a, r, e);
}

/* The line of @field (" HASH SIZE PATH") for @path. */
int debian_release_find(const struct debian_release *r, const char *path, char sha256[SHA256_HEX + 1],
		 uint64_t *size, struct error *e)
{
	const char *at = strstr(r->text, "\nSHA256:");
	size_t path_len = strlen(path);

	if (!at && str_starts(r->text, "SHA256:"))
		at = r->text;
	for (at = at ? strchr(at + 1, '\n') : NULL; at && at[1] == ' '; at = strchr(at + 1, '\n')) {
		const char *hash = at + 1 + strspn(at + 1, " ");
		const char *num = hash + strcspn(hash, " \n");
		const char *name;
		char *end;

		if (*num != ' ')
			continue;
		errno = 0;
		*size = strtoull(num, &end, 10);
		name = end + strspn(end, " ");
		if (strncmp(name, path, path_len) != 0 || !strchr(" \r\n", name[path_len]))
			continue;
		snprintf(sha256, SHA256_HEX + 1, "%.*s", (int)(num - hash), hash);
		if (errno || end == num || num - hash != SHA256_HEX || !hash_valid(sha256))
			return err_set(e, EBADMSG, "the Release file of '%s %s' has a bad line for "
				       "'%s'", r->uri, r->suite, path);
		return 1;
	}
	return 0;
}

bool debian_release_says(const struct debian_release *r, const char *field, const char *word)
{
	cleanup_free char *start = xasprintf("\n%s:", field);
	cleanup_strv struct strv words = STRV_INIT;
	const char *at = strstr(r->text, start);

	if (!at)
		return false;
	at += strlen(start);

	cleanup_free char *line = xstrndup(at, strcspn(at, "\n"));

	strv_split(&words, line, " \t\r");
	return strv_has(&words, word);
}

void debian_release_free(struct debian_release *r)
{
	if (!r)
		return;
	free(r->uri);
	free(r->suite);
	free(r->origin);
	free(r->label);
	free(r->name);
	free(r->codename);
	free(r->version);
	free(r->text);
	free(r->signer);
	free(r);
}

/* ---- fetching ---- */

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

static char *release_url(const struct debian_release *r, enum part part)
{
	cleanup_free char *path = str_ends(r->suite, "/") ?
		xasprintf("%s%s", r->suite, part_names[part]) :
		xasprintf("dists/%s/%s", r->suite, part_names[part]);

	return fetch_url_join(r->uri, path);
}

/* Its name in the cache: readable, and as long as a name may be. */
static char *cache_name(const struct debian_release *r, enum part part)
{
	cleanup_free char *url = release_url(r, part);
	const char *rest = strstr(url, "://");
	struct hash h = { NULL };
	char hex[SHA256_HEX + 1];
	char *name;

	hash_start(&h);
	hash_add(&h, url, strlen(url));
	hash_end(&h, hex);
	hash_release(&h);
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
	cleanup_free char *name = cache_name(p->release, part);
	struct fetch_item *d = fetch_item_new(part_names[part]);
	struct stat st;

	strv_take(&d->urls, release_url(p->release, part));
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

/* Verifies one and keeps it; 1: an optional suite that is not there, or has expired. */
static int settle(struct debian_archive *a, struct pending *p, struct error *e)
{
	struct debian_release *r = p->release;
	struct fetch_item *in = p->got[INRELEASE], *text = p->got[RELEASE];
	struct fetch_item *sig = p->got[RELEASE_GPG];
	bool detached = in->error.errnum != 0;
	cleanup_error struct error stale = ERROR_INIT;
	int ret;

	if (detached && text->error.errnum) {
		if (p->optional)
			return 1;
		err_move(e, &in->error);
		return err_wrap(e, "no suite '%s' at '%s'", r->suite, r->uri);
	}

	struct fetch_item *main_part = detached ? text : in;
	const char *url = main_part->urls.v[0];

	if (r->source->trusted && detached) {
		r->text = xstrdup(sb_str(&text->data));
	} else if (detached && sig->error.errnum) {
		return err_set(e, EBADMSG, "'%s' is not signed: there is no Release.gpg", url);
	} else {
		/* an entry's own keys go before those of the session */
		const struct fetch_keys keys = {
			.key = r->source->key, .fingerprints = &r->source->fingerprints,
			.keyrings = r->source->keyrings.n ? &r->source->keyrings : &a->keyrings,
		};

		ret = fetch_verify(&keys, url, &main_part->data,
				       detached ? &sig->data : NULL, &r->text, &r->signer, e);
		if (ret < 0)
			return ret;
	}
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

	for (size_t i = 0; i < n && ret == 0; i++)
		missing += pending[i].got[INRELEASE]->error.errnum != 0;
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
	return ret;
}
