// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A night once more: its build is made again in a hidden folder of the cache, of what its manifest
 * says, and every output compared with what it was.
 *
 *	stages/.again.XXXXXXXX/stages/		its trees
 *	stages/.again.XXXXXXXX/output/NAME/	as another night
 *
 * The folder is locked while it is in use; what a killed run leaves goes with the next build, as
 * parts of trees do (stage.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/remains.h"
#include "umlcage/base/xdg.h"

#define SHOWN_MAX	20	/* entries of an output, and packages */

struct again {
	struct build_again how;
	struct json_object *before, *after, *result;
	char *folder;		/* of the night; NULL: there is only its manifest */
	char *work, *output;
	int lock;
	char *failure;		/* what a build said that failed */
	int kind;
};

/* ---- what there was ---- */

static int read_night(struct again *a, const char *manifest, struct error *e)
{
	cleanup_free char *path = path_join(manifest, BUILD_MANIFEST);
	cleanup_close int fd = open(manifest, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int ret = fd < 0 || fstat(fd, &st) < 0 ? err_sys(e, errno, "cannot open '%s'", manifest) : 0;

	if (ret < 0)
		return err_mark(e, ERR_ABSENT);
	if (S_ISDIR(st.st_mode)) {
		a->folder = realpath(manifest, NULL);
		ret = build_sums_check(fd, e);
		if (ret < 0)
			return err_wrap(e, "'%s' is not what was made", manifest);
	}
	a->before = build_manifest_read(a->folder ? path : manifest, e);
	return a->before ? 0 : -e->errnum;
}

static int find_build(const struct builds *all, const struct again *a, struct build **out, struct error *e)
{
	const char *name = json_text(a->before, "name");

	*out = builds_find(all, name);
	if (!*out)
		return err_usage(e, "there is no build '%s', which this is of; name its build file, too",
				 name);
	return 0;
}

/* ---- once more ---- */

/* Where its trees can be: shares need extended attributes, which the cache has. */
static int make_place(struct again *a, struct error *e)
{
	cleanup_free char *top = NULL;
	int ret = xdg_dir(XDG_CACHE, "stages", &top, e);

	if (ret < 0)
		return ret;
	a->work = xasprintf("%s/.again.%08x", top, (unsigned int)random_u64());
	a->lock = build_begin_part(top, a->work, e);
	if (a->lock < 0)
		return a->lock;
	remains_add(a->work);
	a->how.stages = path_join(a->work, "stages");
	return 0;
}

/* All of them may build on each other: the packages of all are of one time. */
static void take_snapshot(struct builds *all, const struct again *a, const char *snapshot,
			  const char *snapshots)
{
	cleanup_free char *then = utc_text(json_number(a->before, "started"), "%Y%m%dT%H%M%SZ");

	for (size_t i = 0; snapshot && i < all->n; i++) {
		struct build *b = all->v[i];

		if (!b->suite)
			continue;
		strv_addf(&b->options, "--snapshot=%s", *snapshot ? snapshot : then);
		if (snapshots)
			strv_addf(&b->options, "--snapshots=%s", snapshots);
	}
}

static void heard(const struct build_report *r, void *arg)
{
	struct again *a = arg;

	if (r->result != BUILD_FAILED || a->failure)
		return;
	/* its log goes with the folder, unless that is to be kept */
	a->failure = xasprintf("%s: %.*s", r->name, (int)strcspn(r->text, "\n"), r->text);
	a->kind = r->status;
}

static int build_once_more(struct builds *all, struct again *a, const struct build *b,
			   const struct build_how *given, struct progress *progress, struct error *e)
{
	struct build_how how = *given;
	cleanup_free char *folder = NULL;
	int status, ret;

	a->how.epoch = json_number(a->before, "source_date_epoch");
	a->how.began = json_number(a->before, "started");
	a->output = given->output ? xstrdup(given->output) : path_join(a->work, "output");
	how.output = a->output;
	how.again = &a->how;
	how.force = true;
	how.only = (struct strv)STRV_INIT;
	strv_add(&how.only, b->name);
	ret = builds_run(all, &how, progress, heard, a, &status, e);
	strv_release(&how.only);
	if (ret < 0)
		return ret;
	if (a->failure) {
		err_set(e, EIO, "it cannot be made again: %s%s", a->failure,
			given->output ? "" : "; --output=DIR keeps the log");
		return err_mark(e, (enum error_kind)a->kind);
	}
	folder = build_folder(&how, b);
	a->after = build_latest(folder);
	if (!a->after)
		return err_set(e, EIO, "what was made in '%s' is gone", folder);
	free(a->output);
	a->output = path_join(folder, "latest");
	return 0;
}

/* ---- compared ---- */

static struct json_object *output_of(struct json_object *manifest, const char *file)
{
	struct json_object *list = json_list(manifest, "outputs");

	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (str_eq(json_text(o, "file"), file))
			return o;
	}
	return NULL;
}

/* The first byte at which two files differ, or the end of the shorter one. */
static off_t first_difference(int a, int b)
{
	cleanup_free char *one = xmalloc(1 << 16), *other = xmalloc(1 << 16);

	for (off_t at = 0;;) {
		ssize_t n = pread(a, one, 1 << 16, at), m = pread(b, other, 1 << 16, at);
		ssize_t i = 0;

		while (i < n && i < m && one[i] == other[i])
			i++;
		at += i;
		if (i < n || i < m || n <= 0)
			return at;
	}
}

/* What is otherwise in @file, a line each. */
static void compare_output(const struct again *a, const char *file, struct strv *out)
{
	cleanup_free char *before = a->folder ? path_join(a->folder, file) : NULL;
	cleanup_free char *after = path_join(a->output, file);
	cleanup_close int one = before ? open(before, O_RDONLY | O_CLOEXEC) : -1;
	cleanup_close int other = open(after, O_RDONLY | O_CLOEXEC);
	cleanup_error struct error e = ERROR_INIT;

	if (one < 0)
		strv_add(out, "what it was is not beside the manifest, to see in which entry");
	else if (other < 0)
		strv_add(out, "it is not made any more");
	else if (share_compare_archives(one, other, out, &e) < 0)
		strv_addf(out, "the first different byte is number %lld",
			  (long long)first_difference(one, other));
	else if (!out->n)
		strv_add(out, "no entry differs: it is the order or the compression");
}

/* A share has no bytes of its own: it is the same if every entry is, as a cage sees it. */
static bool compare_folder(const struct again *a, const char *file, struct strv *out)
{
	cleanup_free char *before = a->folder ? path_join(a->folder, file) : NULL;
	cleanup_free char *after = path_join(a->output, file);
	cleanup_share struct share one = SHARE_INIT, other = SHARE_INIT;
	cleanup_error struct error e = ERROR_INIT;

	if (!before)
		strv_add(out, "what it was is not beside the manifest, to compare it");
	else if (access(after, F_OK) < 0)
		strv_add(out, "it is not made any more");
	else if (share_open(&one, before, SHARE_READ, &e) < 0 ||
		 share_open(&other, after, SHARE_READ, &e) < 0 ||
		 share_compare(one.fd, other.fd, out, &e) < 0)
		strv_add(out, err_text(&e));
	return !out->n;
}

static void add_lines(struct strbuf *text, const char *before, const struct strv *lines)
{
	for (size_t i = 0; i < lines->n && i < SHOWN_MAX; i++)
		sb_addf(text, "%s%s\n", before, lines->v[i]);
	if (lines->n > SHOWN_MAX)
		sb_addf(text, "%s... and %zu more\n", before, lines->n - SHOWN_MAX);
}

static void compare_outputs(struct again *a, struct build_reproduction *r, struct strbuf *text)
{
	struct json_object *list = json_list(a->before, "outputs"), *results = json_new_list();

	r->same = json_length(list) > 0;
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *was = json_object_array_get_idx(list, i), *o = json_new();
		const char *file = json_text(was, "file"), *sum = json_text(was, "sha256");
		struct json_object *is = output_of(a->after, file);
		cleanup_strv struct strv lines = STRV_INIT;
		bool same = *sum ? is && str_eq(sum, json_text(is, "sha256")) :
				   compare_folder(a, file, &lines);

		if (!same && *sum)
			compare_output(a, file, &lines);
		json_add_text(o, "file", file);
		json_add(o, "same", json_object_new_boolean(same));
		json_add(o, "differences", json_of_list(&lines));
		json_push(results, o);
		sb_addf(text, "%s: %s\n", file, same ? *sum ? "the same bytes" : "the same entries" :
			*sum || a->folder ? "differs" : "unknown");
		add_lines(text, "  ", &lines);
		r->same &= same;
	}
	json_add(a->result, "outputs", results);
}

/* Inputs that are not what they were, which may be why. */
static void compare_inputs(struct again *a, bool same, struct strbuf *text)
{
	struct json_object *then = NULL, *packages = json_list(a->before, "packages");
	struct json_object *now = json_list(a->after, "packages"), *changes;
	cleanup_strv struct strv parts = STRV_INIT, lines = STRV_INIT;
	cleanup_free char *changed = NULL;

	if (!str_eq(json_text(a->before, "umlcage"), json_text(a->after, "umlcage")))
		strv_addf(&parts, "umlcage %s made it, this is %s", json_text(a->before, "umlcage"),
			  json_text(a->after, "umlcage"));
	if (!str_eq(json_text(a->before, "kernel"), json_text(a->after, "kernel")))
		strv_add(&parts, "the kernel is another one");
	if (json_object_object_get_ex(a->after, "parts", &then)) {
		json_object_object_foreach(then, name, key) {
			if (!str_eq(build_part(a->before, name), json_object_get_string(key)))
				strv_addf(&parts, "%s is another one%s", name, str_eq(name, "source") ?
					  " (packages, options, or umlcage itself)" : "");
		}
	}
	changes = build_package_changes(packages ? packages : now, now);
	changed = build_changes_text(changes);
	strv_split(&lines, changed, "\n");
	json_add(a->result, "inputs", json_of_list(&parts));
	json_add(a->result, "package_changes", changes);
	if (same)
		return;
	add_lines(text, "since then: ", &parts);
	add_lines(text, "since then: ", &lines);
	if (lines.n)
		sb_adds(text, "to have the packages of then: --snapshot\n");
}

static void again_release(struct again *a)
{
	if (a->work) {
		(void)remove_tree(AT_FDCWD, a->work, NULL);
		remains_drop(a->work);
	}
	if (a->before)
		json_object_put(a->before);
	if (a->after)
		json_object_put(a->after);
	json_object_put(a->result);
	free(a->how.stages);
	free(a->folder);
	free(a->work);
	free(a->output);
	free(a->failure);
	close_fd(&a->lock);
}

int builds_reproduce(struct builds *all, const struct build_how *how, const char *manifest,
		     const char *snapshot, const char *snapshots, struct progress *progress,
		     struct build_reproduction *r, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct again a = { .lock = -1, .result = json_new() };
	struct build *b = NULL;
	int ret = read_night(&a, manifest, e);

	*r = (struct build_reproduction){ .json = NULL };
	if (ret == 0)
		ret = find_build(all, &a, &b, e);
	if (ret == 0)
		ret = make_place(&a, e);
	if (ret == 0) {
		take_snapshot(all, &a, snapshot, snapshots);
		ret = build_once_more(all, &a, b, how, progress, e);
	}
	if (ret == 0) {
		compare_outputs(&a, r, &text);
		compare_inputs(&a, r->same, &text);
		r->name = xstrdup(b->name);
		r->text = xstrdup(sb_str(&text));
		json_add_text(a.result, "name", b->name);
		json_add(a.result, "reproduced", json_object_new_boolean(r->same));
		r->json = xstrdup(json_print(a.result, JSON_C_TO_STRING_PRETTY |
					     JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	again_release(&a);
	return ret;
}

void build_reproduction_release(struct build_reproduction *r)
{
	free(r->json);
	free(r->name);
	free(r->text);
}
