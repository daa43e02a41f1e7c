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

/* Seconds east of UTC that @zone is; apt knows UTC only, and refuses the rest. */
static bool read_zone(const char *zone, int *seconds)
{
	int hours, minutes;
	char sign;

	*seconds = 0;
	if (strcasecmp(zone, "UTC") == 0 || strcasecmp(zone, "GMT") == 0 ||
	    strcasecmp(zone, "Z") == 0)
		return true;
	if (strlen(zone) != 5 || sscanf(zone, "%c%2d%2d", &sign, &hours, &minutes) != 3 ||
	    !strchr("+-", sign) || hours < 0 || hours > 14 || minutes < 0 || minutes > 59)
		return false;
	*seconds = (sign == '-' ? -60 : 60) * (hours * 60 + minutes);
	return true;
}

time_t debian_release_date(const char *s)
{
	/* strptime's %a and %b would depend on the locale */
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int day, year, hour, minute, second = 0, end = 0, east;
	char month[4] = "", zone[8] = "";
	const char *m, *comma = strchr(s, ',');
	struct tm tm = { 0 };

	s = comma ? comma + 1 : s;
	if (sscanf(s, " %2d %3s %4d %2d:%2d:%2d %7s%n", &day, month, &year, &hour, &minute, &second,
		   zone, &end) != 7 || s[end + (int)strspn(s + end, " \t")])
		return -1;
	m = strstr(months, month);
	if (!m || strlen(month) != 3 || (m - months) % 3 || year < 1970 || day < 1 ||
	    day > 31 || hour > 23 || minute > 59 || second > 60 || hour < 0 ||
	    minute < 0 || second < 0 || !read_zone(zone, &east))
		return -1;
	tm = (struct tm){ .tm_mday = day, .tm_mon = (int)(m - months) / 3, .tm_year = year - 1900,
			  .tm_hour = hour, .tm_min = minute, .tm_sec = second };
	return timegm(&tm) < east ? -1 : timegm(&tm) - east;
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

static int check_suite(const struct debian_archive *a, const struct debian_release *r,
		       struct error *e)
{
	cleanup_free char *base = xstrdup(r->suite);
	char *slash = strchr(base, '/');

	if (slash)	/* "buster/updates" calls itself "buster" */
		*slash = '\0';
	if (str_ends(r->suite, "/") || str_eq(r->suite, r->name) || str_eq(r->suite, r->codename))
		return 0;
	if (str_eq(base, r->codename) || str_eq(base, r->name))
		return 0;
	if (!r->name && !r->codename) {
		progress_warn(a->progress, "the Release file of '%s %s' does not say what suite it "
			      "is of", r->uri, r->suite);
		return 0;
	}
	return err_set(e, EBADMSG, "the Release file of '%s %s' is another suite's: it says '%s' "
		       "and '%s'", r->uri, r->suite, r->name ?: "", r->codename ?: "");
}

static int check_dates(const struct debian_archive *a, const struct debian_release *r, struct error *e)
{
	cleanup_free char *what = describe(r), *date = utc_text(r->date, "%Y-%m-%d %H:%M:%S UTC");
	cleanup_free char *until = utc_text(r->valid_until, "%Y-%m-%d %H:%M:%S UTC");
	time_t now = debian_archive_now(a);

	if (r->date > now + FUTURE_SECONDS && !a->no_date && !r->source->no_date)
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
	if (ret == 0 || (!deb822_get(&d, "SHA256") && !deb822_get(&d, "SHA512")))
		return err_set(e, EBADMSG, "the Release file of '%s' lists no SHA256 or SHA512 sums",
			       what);
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
		return err_set(e, EBADMSG, "the Release file of '%s' has a date that makes no "
			       "sense, or is in no zone known here", what);
	if (!r->source->trusted) {
		ret = check_suite(a, r, e);
		if (ret < 0)
			return ret;
	}
	return check_dates(a, r, e);
}

/* The line of @field (" HASH SIZE PATH") for @path: 1, 0, -EBADMSG. */
static int find_sum(const struct debian_release *r, const char *field, size_t digits,
		    const char *path, char *sum, uint64_t *size, struct error *e)
{
	const char *p = r->text, *end = p + strlen(p);
	struct deb822_line l, sums = { .value = NULL };
	size_t path_len = strlen(path);

	while (deb822_line(&p, end, &l))
		if (deb822_line_is(&l, field))
			sums = l;
	end = sums.value ? sums.value + sums.value_len : NULL;
	for (p = sums.value; p && p < end; p += strcspn(p, "\n"), p += p < end) {
		const char *hash = p + strspn(p, " "), *num = hash + strcspn(hash, " \n");
		const char *name;
		char *after;

		if (*num != ' ')
			continue;
		errno = 0;
		*size = strtoull(num, &after, 10);
		name = after + strspn(after, " ");
		if (strncmp(name, path, path_len) != 0 || !strchr(" \r\n", name[path_len]))
			continue;
		snprintf(sum, SUM_HEX + 1, "%.*s", (int)(num - hash), hash);
		if (errno || after == num || (size_t)(num - hash) != digits || !hash_valid_sum(sum))
			return err_set(e, EBADMSG, "the Release file of '%s %s' has a bad line for "
				       "'%s'", r->uri, r->suite, path);
		return 1;
	}
	return 0;
}

int debian_release_find(const struct debian_release *r, const char *path, char sum[SUM_HEX + 1],
			uint64_t *size, struct error *e)
{
	int ret = find_sum(r, "SHA256", SHA256_HEX, path, sum, size, e);

	return ret ? ret : find_sum(r, "SHA512", SUM_HEX, path, sum, size, e);
}

bool debian_release_says(const struct debian_release *r, const char *field, const char *word)
{
	cleanup_strbuf struct strbuf value = STRBUF_INIT;
	cleanup_strv struct strv words = STRV_INIT;

	if (!deb822_find(r->text, r->text + strlen(r->text), field, &value))
		return false;
	strv_split(&words, sb_str(&value), " ");
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
