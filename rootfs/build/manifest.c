// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is said of a night beside its outputs: manifest.json, the bills of materials,
 * how it came about, and SHA256SUMS, which names every other file of the night's folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"

/* Passwords in addresses of mirrors, proxies or hooks are not for those who get the image. */
static int write_json(const struct night *n, const char *name, struct json_object *o, struct error *e)
{
	cleanup_free char *path = path_join(n->part, name);
	const int how = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE;
	cleanup_free char *text = xstrdup(json_print(o, how));

	str_hide_passwords(text);
	return file_replace(AT_FDCWD, path, text, strlen(text), 0644, e);
}

/* ---- tools ---- */

/* Into the entry of the tools with those packages, or a new one. */
static void add_tools(struct night *n, const char *output, struct json_object *packages)
{
	struct json_object *entry = NULL, *list = NULL;

	for (size_t i = 0; i < json_object_array_length(n->tools) && !entry; i++) {
		struct json_object *o = json_object_array_get_idx(n->tools, i), *have = NULL;

		if (json_object_object_get_ex(o, "packages", &have) && json_object_equal(have, packages))
			entry = o;
	}
	if (!entry) {
		entry = json_new();
		json_add(entry, "outputs", json_new_list());
		json_add(entry, "packages", json_object_get(packages));
		json_push(n->tools, entry);
	}
	if (json_object_object_get_ex(entry, "outputs", &list))
		json_push(list, json_of_text(output));
}

void build_note_tools(struct night *n, const char *output, const char *root)
{
	struct json_object *packages = build_packages(root);

	add_tools(n, output, packages);
	json_object_put(packages);
}

static bool names(struct json_object *entry, const char *output)
{
	struct json_object *list = json_list(entry, "outputs");

	for (size_t i = 0; i < json_length(list); i++)
		if (str_eq(json_object_get_string(json_object_array_get_idx(list, i)), output))
			return true;
	return false;
}

void build_keep_tools(struct night *n, const char *output)
{
	struct json_object *list = json_list(n->former, "tools"), *packages = NULL;

	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (names(o, output) && json_object_object_get_ex(o, "packages", &packages) && packages)
			add_tools(n, output, packages);
	}
}

/* ---- the log ---- */

/* What is written never overtakes what is read. */
static bool rewrite(FILE *in, FILE *out)
{
	cleanup_free char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool good = true;

	while (good && (len = getline(&line, &size, in)) >= 0) {
		/* programs write what they like: a NUL ends a string, not the line */
		for (ssize_t at = 0; at < len && good;) {
			size_t part = strlen(line + at);

			str_hide_passwords(line + at);
			good = fputs(line + at, out) >= 0;
			at += (ssize_t)part + 1;
			if (at <= len && good)
				good = fputc('\0', out) >= 0;
		}
	}
	return good && !ferror(in) && fflush(out) == 0 && ftruncate(fileno(out), ftello(out)) == 0;
}

int build_hide_passwords(const char *path, struct error *e)
{
	FILE *in = fopen(path, "re"), *out = fopen(path, "r+e");
	bool good = in && out && rewrite(in, out);
	int ret = good ? 0 : err_sys(e, errno, "cannot rewrite '%s'", path);

	if (in)
		fclose(in);
	if (out)
		fclose(out);
	return ret;
}

/* ---- the manifest ---- */

static void add_inputs(const struct night *n, struct json_object *m)
{
	struct json_object *parts = json_new();

	json_add_text(m, "umlcage", UMLCAGE_VERSION);
	json_add_text(m, "key", n->k->all);
	json_add_text(m, "tree", n->b->tree_key);
	if (n->env->kernel_key)
		json_add_text(m, "kernel", n->env->kernel_key);
	if (n->b->suite)
		json_add_text(m, "suite", n->b->suite);
	json_add(m, "sources", json_of_list(&n->k->sources));
	json_add(m, "options", json_of_list(&n->b->options));
	for (size_t i = 0; i < n->k->n; i++)
		json_add_text(parts, n->k->parts[i].name, n->k->parts[i].key);
	json_add(m, "parts", parts);
}

/* Against the last success; the text is for people. */
static char *add_changes(const struct night *n, struct json_object *m, struct json_object *packages)
{
	struct json_object *old = NULL, *changes;

	if (!n->former || !json_object_object_get_ex(n->former, "packages", &old))
		return xstrdup("");
	changes = build_package_changes(old, packages);
	json_add(m, "package_changes", changes);
	return build_changes_text(changes);
}

static struct json_object *manifest_of(const struct night *n, int64_t ended, char **changes)
{
	struct json_object *m = json_new();

	json_add_text(m, "name", n->b->name);
	if (n->b->description)
		json_add_text(m, "description", n->b->description);
	json_add(m, "started", json_object_new_int64(n->started));
	json_add(m, "ended", json_object_new_int64(ended));
	json_add(m, "source_date_epoch", json_object_new_int64(n->b->epoch));
	add_inputs(n, m);
	json_add(m, "outputs", json_object_get(n->outputs));
	json_add(m, "tools", json_object_get(n->tools));
	*changes = add_changes(n, m, n->packages);
	json_add(m, "packages", json_object_get(n->packages));
	return m;
}

/* Writes what @o is, and frees it. */
static int put(const struct night *n, const char *name, struct json_object *o, int ret, struct error *e)
{
	if (ret == 0)
		ret = write_json(n, name, o, e);
	json_object_put(o);
	return ret;
}

int build_manifest(struct night *n, char **changes, struct error *e)
{
	const int64_t ended = (int64_t)time(NULL);
	int ret = build_hide_passwords(n->log_path, e);

	n->packages = build_packages(n->tree);
	build_note_debs(n->packages, n->tree);
	build_note_licences(n->packages, n->tree);
	ret = put(n, BUILD_BOM, build_bom(n->b, n->tree, n->packages), ret, e);
	ret = put(n, BUILD_SPDX, build_spdx(n->b, n->tree, n->packages), ret, e);
	ret = put(n, BUILD_MANIFEST, manifest_of(n, ended, changes), ret, e);
	/* this one has the sums of the others */
	ret = put(n, BUILD_PROVENANCE, build_provenance(n, ended), ret, e);
	return ret < 0 ? ret : build_sums_write(n, e);
}
