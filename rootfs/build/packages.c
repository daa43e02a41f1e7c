// SPDX-License-Identifier: GPL-2.0-or-later
/* The packages of a tree, from dpkg's own database, and how two lists differ. */
#include <string.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/build/private.h"

#define STATUS_MAX ((size_t)64 << 20)

static void take_field(struct json_object *o, const char *line, const char *field, const char *key)
{
	size_t len = strlen(field);

	if (strncmp(line, field, len) == 0)
		json_add_text(o, key, line + len);
}

int build_read(const char *root, const char *path, size_t max, struct strbuf *text)
{
	cleanup_share struct share s = SHARE_INIT;
	int ret = share_open(&s, root, SHARE_PEEK, NULL);

	if (ret < 0)
		return ret;

	cleanup_share_tree struct share_tree *tree = share_tree_new(s.fd, 0);

	return share_read(tree, path, max, text, NULL);
}

struct json_object *build_packages(const char *path)
{
	struct json_object *list = json_object_new_array(), *o = NULL;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	bool installed = false;

	if (build_read(path, "var/lib/dpkg/status", STATUS_MAX, &text) < 0)
		return list;
	for (char *line = text.s, *next; line && *line; line = next) {
		size_t len = strcspn(line, "\n");

		next = line[len] ? line + len + 1 : line + len;
		line[len] = '\0';
		if (!o)
			o = json_object_new_object();
		take_field(o, line, "Package: ", "name");
		take_field(o, line, "Version: ", "version");
		take_field(o, line, "Architecture: ", "architecture");
		take_field(o, line, "Source: ", "source");
		installed |= str_eq(line, "Status: install ok installed") ||
			     str_eq(line, "Status: hold ok installed");
		if (len && *next)
			continue;
		if (installed)
			json_object_array_add(list, o);
		else
			json_object_put(o);
		o = NULL;
		installed = false;
	}
	return list;
}

static const char *version_of(struct json_object *list, const char *name, const char *arch)
{
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (str_eq(json_text(o, "name"), name) && str_eq(json_text(o, "architecture"), arch))
			return json_text(o, "version");
	}
	return NULL;
}

static void add_change(struct json_object *list, struct json_object *package, const char *before,
		       const char *after)
{
	struct json_object *o = json_object_new_object();

	json_add_text(o, "name", json_text(package, "name"));
	json_add_text(o, "architecture", json_text(package, "architecture"));
	if (before)
		json_add_text(o, "before", before);
	if (after)
		json_add_text(o, "after", after);
	json_object_array_add(list, o);
}

struct json_object *build_package_changes(struct json_object *before, struct json_object *after)
{
	struct json_object *list = json_object_new_array();
	size_t nb = json_object_array_length(before), na = json_object_array_length(after);

	for (size_t i = 0; i < na; i++) {
		struct json_object *o = json_object_array_get_idx(after, i);
		const char *version = json_text(o, "version");
		const char *old = version_of(before, json_text(o, "name"), json_text(o, "architecture"));

		if (!old || !str_eq(old, version))
			add_change(list, o, old, version);
	}
	for (size_t i = 0; i < nb; i++) {
		struct json_object *o = json_object_array_get_idx(before, i);

		if (!version_of(after, json_text(o, "name"), json_text(o, "architecture")))
			add_change(list, o, json_text(o, "version"), NULL);
	}
	return list;
}

char *build_changes_text(struct json_object *changes)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < json_object_array_length(changes); i++) {
		struct json_object *o = json_object_array_get_idx(changes, i);
		const char *name = json_text(o, "name"), *before = json_text(o, "before");
		const char *after = json_text(o, "after");

		if (!*before)
			sb_addf(&out, "+ %s %s\n", name, after);
		else if (!*after)
			sb_addf(&out, "- %s %s\n", name, before);
		else
			sb_addf(&out, "~ %s %s -> %s\n", name, before, after);
	}
	return sb_steal(&out);
}
