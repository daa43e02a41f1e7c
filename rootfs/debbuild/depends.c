// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Build dependencies for one architecture and some profiles: what Dpkg::Deps makes of them with
 * reduce_arch and reduce_profiles.  Policy 7.1, deb-src-control(5).
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/debbuild/private.h"

/* ---- architectures ---- */

/* An architecture as dpkg's tuple: ABI, libc, system, processor.  All that Debian builds for. */
static void tuple_of(const char *arch, const char *t[4], char *buf, size_t len)
{
	char *dash;

	t[0] = "base";
	t[1] = "gnu";
	t[2] = "linux";
	snprintf(buf, len, "%s", arch);
	t[3] = buf;
	if (str_eq(arch, "armhf") || str_eq(arch, "armel")) {
		t[0] = str_eq(arch, "armhf") ? "eabihf" : "eabi";
		t[3] = "arm";
	} else if (str_eq(arch, "x32")) {
		t[0] = "x32";
		t[3] = "amd64";
	} else if (str_starts(arch, "musl-linux-")) {
		t[1] = "musl";
		t[3] = buf + strlen("musl-linux-");
	} else if ((dash = strchr(buf, '-'))) {
		*dash = '\0';
		t[2] = buf;
		t[3] = dash + 1;
	}
}

bool depends_arch_is(const char *arch, const char *pattern)
{
	cleanup_strv struct strv parts = STRV_INIT;
	const char *t[4];
	char buf[64];

	if (str_eq(arch, pattern) || str_eq(pattern, "any"))
		return true;
	strv_split(&parts, pattern, "-");
	if (!strv_has(&parts, "any") || parts.n > 4)
		return false;
	tuple_of(arch, t, buf, sizeof(buf));
	/* what is left out in front is any */
	for (size_t i = 0; i < parts.n; i++) {
		const char *mine = t[4 - parts.n + i];

		if (!str_eq(parts.v[i], "any") && !str_eq(parts.v[i], mine))
			return false;
	}
	return true;
}

/* "[a b]", "[!a !b]": the first that decides. */
static bool concerns_arch(const struct strv *list, const char *arch)
{
	bool concerned = false;

	for (size_t i = 0; i < list->n; i++) {
		const char *a = list->v[i];

		if (a[0] == '!') {
			if (depends_arch_is(arch, a + 1))
				return false;
			concerned = true;
		} else if (depends_arch_is(arch, a)) {
			return true;
		}
	}
	return concerned;
}

/* ---- one alternative ---- */

struct reader {
	const char *p, *field;		/* where it is; the name of the field */
	const struct depends_for *how;
};

static int bad(const struct reader *r, const char *what, struct error *e)
{
	return err_usage(e, "%s: %s at '%.40s'", r->field, what, *r->p ? r->p : "its end");
}

static void skip_blanks(struct reader *r)
{
	while (isspace((unsigned char)*r->p))
		r->p++;
}

/* What is between the sign that @r is at and @close, in words. */
static int bracket(struct reader *r, char close, struct strv *words, struct error *e)
{
	const char *end = strchr(r->p, close);
	cleanup_free char *inside = NULL;

	if (!end)
		return bad(r, "a bracket that is not closed", e);
	inside = xstrndup(r->p + 1, (size_t)(end - r->p - 1));
	strv_split(words, inside, " \t\n");
	r->p = end + 1;
	return words->n ? 0 : bad(r, "an empty bracket before what is", e);
}

static int take_name(struct reader *r, struct strbuf *out, struct error *e)
{
	size_t len = strspn(r->p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
	const char *qualifier;
	size_t qlen;

	if (!len || !isalnum((unsigned char)*r->p))
		return bad(r, "not the name of a package", e);
	sb_add(out, r->p, len);
	r->p += len;
	if (*r->p != ':')
		return 0;
	qualifier = ++r->p;
	qlen = strspn(qualifier, "abcdefghijklmnopqrstuvwxyz0123456789-");
	r->p += qlen;
	/* the machine that builds is the one that is built for */
	if ((qlen == 3 && strncmp(qualifier, "any", 3) == 0) ||
	    (qlen == 6 && strncmp(qualifier, "native", 6) == 0) ||
	    (qlen == strlen(r->how->arch) && strncmp(qualifier, r->how->arch, qlen) == 0))
		return 0;
	return bad(r, "a package of another architecture before what is", e);
}

static int take_version(struct reader *r, struct strbuf *out, struct error *e)
{
	static const char *const relations[] = { "<<", "<=", "=", ">=", ">>" };
	const char *end = strchr(r->p, ')');
	cleanup_free char *inside = NULL;
	char *version;
	size_t len;

	if (!end)
		return bad(r, "a bracket that is not closed", e);
	inside = xstrndup(r->p + 1, (size_t)(end - r->p - 1));
	version = inside + strspn(inside, " \t\n");
	len = strspn(version, "<=>");
	for (size_t i = 0; i < ARRAY_SIZE(relations); i++) {
		char *v = version + len, *stop;

		if (len != strlen(relations[i]) || strncmp(version, relations[i], len) != 0)
			continue;
		v += strspn(v, " \t\n");
		stop = v + strspn(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.~:");
		if (stop == v || stop[strspn(stop, " \t\n")])
			break;
		*stop = '\0';
		sb_addf(out, " (%s %s)", relations[i], v);
		r->p = end + 1;
		return 0;
	}
	return bad(r, "not a version", e);
}

/* One list "<a !b>" holds if all of it does. */
static bool profiles_hold(const struct strv *terms, const struct strv *active)
{
	for (size_t i = 0; i < terms->n; i++) {
		const char *t = terms->v[i];

		if (t[0] == '!' ? strv_has(active, t + 1) : !strv_has(active, t))
			return false;
	}
	return true;
}

/* Appends it if it counts here; *@counts says so. */
static int alternative(struct reader *r, struct strbuf *out, bool *counts, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	bool any_list = false, holds = false;
	int ret;

	*counts = true;
	skip_blanks(r);
	ret = take_name(r, &text, e);
	skip_blanks(r);
	if (ret == 0 && *r->p == '(')
		ret = take_version(r, &text, e);
	skip_blanks(r);
	if (ret == 0 && *r->p == '[') {
		cleanup_strv struct strv list = STRV_INIT;

		ret = bracket(r, ']', &list, e);
		*counts = concerns_arch(&list, r->how->arch);
		skip_blanks(r);
	}
	while (ret == 0 && *r->p == '<') {
		cleanup_strv struct strv terms = STRV_INIT;

		ret = bracket(r, '>', &terms, e);
		any_list = true;
		holds |= profiles_hold(&terms, r->how->profiles);
		skip_blanks(r);
	}
	*counts &= !any_list || holds;
	if (ret == 0 && *counts)
		sb_adds(out, sb_str(&text));
	return ret;
}

/* "a | b | c" up to the next comma. */
static int clause(struct reader *r, struct strbuf *out, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	bool counts;
	int ret;

	for (;;) {
		cleanup_strbuf struct strbuf one = STRBUF_INIT;

		ret = alternative(r, &one, &counts, e);
		if (ret < 0)
			return ret;
		if (counts)
			sb_addf(&text, "%s%s", text.len ? " | " : "", sb_str(&one));
		if (*r->p != '|')
			break;
		r->p++;
	}
	if (*r->p && *r->p != ',')
		return bad(r, "a comma is missing", e);
	if (text.len)
		sb_addf(out, "%s%s", out->len ? ", " : "", sb_str(&text));
	return 0;
}

int depends_reduce(const char *field, const char *name, const struct depends_for *how,
		   struct strbuf *out, struct error *e)
{
	struct reader r = { field, name, how };
	int ret = 0;

	/* empty places between commas are fine, as for dpkg */
	while (ret == 0) {
		r.p += strspn(r.p, " \t\r\n,");
		if (!*r.p)
			break;
		ret = clause(&r, out, e);
	}
	return ret;
}
