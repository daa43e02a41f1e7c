// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page of the nights: one file without anything from elsewhere, readable on a telephone
 * and in the dark.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rootfs/build/private.h"

#define STALE	(36 * 3600)	/* seconds without a run, after which something is wrong */
#define SHOWN	30		/* runs in a trend */

static const char head[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<title>Images</title>\n<style>\n"
	":root{--bg:#fff;--fg:#1c1e21;--dim:#667;--line:#e3e5e8;--card:#f7f8f9;--ok:#2a7d46;"
	"--bad:#b3261e;--warn:#9a6700;--bar:#9db4d0}\n"
	"@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e6e7e9;--dim:#9aa0a8;"
	"--line:#2c3036;--card:#1d2024;--ok:#62c285;--bad:#ff8a80;--warn:#e0b050;--bar:#4b6687}}\n"
	"body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;margin:0 auto;"
	"padding:1.5rem;max-width:60rem}\n"
	"h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:0;display:flex;gap:.6rem;"
	"align-items:baseline;flex-wrap:wrap}\n"
	".sum{color:var(--dim);margin:.2rem 0 1.5rem}\n"
	"section{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--ok);"
	"border-radius:6px;padding:1rem 1.2rem;margin:0 0 1rem}\n"
	"section.bad{border-left-color:var(--bad)}section.warn{border-left-color:var(--warn)}\n"
	".state{font-size:.85rem;font-weight:600;color:var(--ok)}.bad .state{color:var(--bad)}"
	".warn .state{color:var(--warn)}\n"
	".meta{color:var(--dim);font-size:.9rem;margin:.2rem 0 .6rem}\n"
	"pre{background:var(--bg);border:1px solid var(--line);border-radius:4px;padding:.6rem;"
	"overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem;margin:.6rem 0}\n"
	".trends{display:flex;flex-wrap:wrap;gap:.4rem 2rem}"
	"figure{margin:.4rem 0;flex:1 1 16rem;max-width:26rem}"
	"figcaption{color:var(--dim);font-size:.8rem;border-top:1px solid var(--line)}\n"
	"svg{display:block;height:44px;width:100%}\n"
	".about{margin:.2rem 0 0}.look{margin:-1rem 0 1.5rem}.look a{margin-right:.8rem}\n"
	"a{color:inherit}summary{cursor:pointer;color:var(--dim)}\n"
	"table{border-collapse:collapse;font-size:.9rem;width:100%}td,th{text-align:left;"
	"padding:.15rem .8rem .15rem 0;white-space:nowrap}th{color:var(--dim);font-weight:normal}\n"
	".scroll{overflow-x:auto}\n</style></head><body>\n";

static void add_escaped(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			sb_adds(out, "&lt;");
		else if (*s == '>')
			sb_adds(out, "&gt;");
		else if (*s == '&')
			sb_adds(out, "&amp;");
		else if (*s == '"')
			sb_adds(out, "&quot;");
		else
			sb_addc(out, *s);
	}
}

static void add_time(struct strbuf *out, int64_t when)
{
	time_t t = (time_t)when;
	char text[64] = "";
	struct tm tm;

	if (when && localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%a %d %b, %H:%M", &tm);
	sb_adds(out, when ? text : "never");
}

static void add_link(struct strbuf *out, const struct build_status *s, const char *below,
		     const char *text)
{
	sb_adds(out, "<a href=\"file://");
	add_escaped(out, s->folder);
	sb_addc(out, '/');
	add_escaped(out, below);
	sb_adds(out, "\">");
	add_escaped(out, text);
	sb_adds(out, "</a>");
}

static double took(const struct build_run *r)
{
	return r->seconds;
}

/* "4.2 s", "7 min 34 s", "2 h 3 min"; malloc'ed. */
static char *duration(double seconds)
{
	unsigned long all = (unsigned long)(seconds + 0.5);

	if (seconds < 60)
		return xasprintf("%.1f s", seconds);
	if (all < 3600)
		return xasprintf("%lu min %lu s", all / 60, all % 60);
	return xasprintf("%lu h %lu min", all / 3600, all % 3600 / 60);
}

/* What failed left nothing. */
static double weighed(const struct build_run *r)
{
	return r->failed ? 0 : (double)r->bytes;
}

/* One value of each run, oldest first: a bar each, the ones that failed in another colour. */
static void add_trend(struct strbuf *out, const struct build_status *s, const char *what,
		      double (*value)(const struct build_run *), const char *most_text)
{
	size_t n = s->nruns < SHOWN ? s->nruns : SHOWN;
	double most = 0;

	for (size_t i = 0; i < n; i++)
		most = value(&s->runs[i]) > most ? value(&s->runs[i]) : most;
	sb_addf(out, "<figure><svg viewBox=\"0 0 %d 44\" preserveAspectRatio=\"none\" role=\"img\" "
		"aria-label=\"%s of the last %zu runs\">", SHOWN * 10, what, n);
	for (size_t i = 0; i < n; i++) {
		const struct build_run *r = &s->runs[n - 1 - i];
		double high = most > 0 ? 2 + 42 * value(r) / most : 2;
		cleanup_free char *size = format_size(r->bytes), *time_taken = duration(r->seconds);

		sb_addf(out, "<rect x=\"%zu\" y=\"%.1f\" width=\"8\" height=\"%.1f\" fill=\"var(%s)\">"
			"<title>", i * 10, 44 - high, high, r->failed ? "--bad" : "--bar");
		add_time(out, r->when);
		sb_addf(out, ": %s, %s</title></rect>", time_taken, r->failed ? "failed" : size);
	}
	sb_addf(out, "</svg><figcaption>%s, at most %s</figcaption></figure>\n", what, most_text);
}

static void add_trends(struct strbuf *out, const struct build_status *s)
{
	size_t n = s->nruns < SHOWN ? s->nruns : SHOWN;
	double longest = 0;
	uint64_t largest = 0;

	if (n < 2)
		return;
	for (size_t i = 0; i < n; i++) {
		const struct build_run *r = &s->runs[i];

		longest = r->seconds > longest ? r->seconds : longest;
		largest = !r->failed && r->bytes > largest ? r->bytes : largest;
	}

	cleanup_free char *seconds = duration(longest), *size = format_size(largest);

	sb_adds(out, "<div class=\"trends\">");
	add_trend(out, s, "time", took, seconds);
	if (largest)
		add_trend(out, s, "size", weighed, size);
	sb_adds(out, "</div>\n");
}

static void add_runs(struct strbuf *out, const struct build_status *s)
{
	sb_adds(out, "<details><summary>last runs</summary><div class=\"scroll\"><table>"
		"<tr><th>when<th>took<th>size<th>result</tr>\n");
	for (size_t i = 0; i < s->nruns && i < SHOWN; i++) {
		const struct build_run *r = &s->runs[i];
		cleanup_free char *size = format_size(r->bytes);
		cleanup_free char *first = xstrndup(r->text, strcspn(r->text, "\n"));
		cleanup_free char *time_taken = duration(r->seconds);

		sb_adds(out, "<tr><td>");
		add_time(out, r->when);
		sb_addf(out, "<td>%s<td>%s<td>", time_taken, r->failed ? "" : size);
		add_escaped(out, first);
		sb_adds(out, "</tr>\n");
	}
	sb_adds(out, "</table></div></details>\n");
}

static const struct build_run *last_made(const struct build_status *s)
{
	for (size_t i = 0; i < s->nruns; i++)
		if (!s->runs[i].failed)
			return &s->runs[i];
	return NULL;
}

/* "bad", "warn", "". */
static const char *state(const struct build_status *s, int64_t now, const char **word)
{
	if (s->nruns && s->runs[0].failed) {
		*word = "failed";
		return "bad";
	}
	if (!s->checked || now - s->checked > STALE) {
		*word = s->checked ? "has not run lately" : "has never run";
		return "warn";
	}
	*word = "good";
	return "";
}

/* Lines, each of a package that is another one. */
static void add_changes(struct strbuf *out, const char *changes)
{
	size_t n = 0;

	for (const char *c = changes; *c; c++)
		n += *c == '\n' || !c[1];
	sb_addf(out, "<details><summary>%zu package%s changed</summary><pre>", n, n == 1 ? "" : "s");
	add_escaped(out, changes);
	sb_adds(out, "</pre></details>\n");
}

static void add_build(struct strbuf *out, const struct build_status *s, int64_t now)
{
	const struct build_run *made = last_made(s);
	const char *word, *kind = state(s, now, &word);

	sb_addf(out, "<section class=\"%s\" id=\"", kind);
	add_escaped(out, s->name);
	sb_adds(out, "\"><h2>");
	add_escaped(out, s->name);
	sb_addf(out, " <span class=\"state\">%s</span></h2>\n", word);
	if (s->description) {
		sb_adds(out, "<p class=\"about\">");
		add_escaped(out, s->description);
		sb_adds(out, "</p>\n");
	}
	sb_adds(out, "<p class=\"meta\">last run ");
	add_time(out, s->checked);
	if (s->latest && made) {
		cleanup_free char *size = format_size(made->bytes);

		sb_adds(out, " &middot; latest from ");
		add_time(out, made->when);
		sb_addf(out, ", %s &middot; ", size);
		add_link(out, s, "latest/", "files");
		sb_adds(out, " &middot; ");
		add_link(out, s, "latest/log", "log");
	}
	sb_adds(out, "</p>\n");
	if (s->nruns && s->runs[0].failed) {
		sb_adds(out, "<pre>");
		add_escaped(out, s->runs[0].text);
		sb_adds(out, "</pre>\n<p class=\"meta\">");
		add_link(out, s, "failed.log", "log of what failed");
		sb_adds(out, "</p>\n");
	}
	if (made && made->changes && *made->changes)
		add_changes(out, made->changes);
	add_trends(out, s);
	if (s->nruns)
		add_runs(out, s);
	sb_adds(out, "</section>\n");
}

/* What wants looking at, by its name. */
static void add_links(struct strbuf *out, const struct build_statuses *s, int64_t now, const char *kind)
{
	const char *word;

	for (size_t i = 0; i < s->n; i++) {
		if (!str_eq(state(&s->v[i], now, &word), kind))
			continue;
		sb_adds(out, "<a href=\"#");
		add_escaped(out, s->v[i].name);
		sb_adds(out, "\">");
		add_escaped(out, s->v[i].name);
		sb_adds(out, "</a> ");
	}
}

/* In a sentence what there is to say of them all. */
static void add_sum(struct strbuf *out, const struct build_statuses *s, int64_t now)
{
	size_t bad = 0, warn = 0;
	const char *word;

	for (size_t i = 0; i < s->n; i++) {
		const char *kind = state(&s->v[i], now, &word);

		bad += str_eq(kind, "bad");
		warn += str_eq(kind, "warn");
	}
	sb_adds(out, "<h1>Images</h1>\n<p class=\"sum\">");
	if (bad)
		sb_addf(out, "%zu of %zu failed", bad, s->n);
	if (warn)
		sb_addf(out, "%s%zu of %zu did not run", bad ? ", " : "", warn, s->n);
	if (!bad && !warn)
		sb_addf(out, "all %zu are good", s->n);
	sb_adds(out, " &middot; ");
	add_time(out, now);
	sb_adds(out, "</p>\n");
	if ((!bad && !warn) || s->n < 2)
		return;
	sb_adds(out, "<p class=\"look\">");
	add_links(out, s, now, "bad");
	add_links(out, s, now, "warn");
	sb_adds(out, "</p>\n");
}

char *builds_page(const struct build_statuses *s, int64_t now)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	const char *word;

	sb_adds(&out, head);
	add_sum(&out, s, now);
	/* what wants looking at comes first */
	for (int pass = 0; pass < 3; pass++)
		for (size_t i = 0; i < s->n; i++) {
			const char *kind = state(&s->v[i], now, &word);

			if ((pass == 0) == str_eq(kind, "bad") && (pass == 1) == str_eq(kind, "warn"))
				add_build(&out, &s->v[i], now);
		}
	sb_adds(&out, "</body></html>\n");
	return sb_steal(&out);
}
