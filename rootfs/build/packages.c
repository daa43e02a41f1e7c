// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packages of a tree, from dpkg's own database and from what was noted when it was made, and
 * how two lists differ.
 */
#include <fcntl.h>
#include <string.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/build/private.h"
#include "rootfs/deb822/deb822.h"
#include "umlcage/base/fd.h"

#define STATUS		"var/lib/dpkg/status"
#define STATUS_MAX	((size_t)64 << 20)
#define DEBS_MAX	((size_t)16 << 20)

/* A field, of several lines or not, as one. */
static void take(struct json_object *o, const struct deb822 *d, const char *field, const char *key)
{
	cleanup_free char *value = xstrdup(deb822_get(d, field) ? deb822_get(d, field) : "");
	char *to = value;

	for (const char *from = value; *from; from++)
		if (*from != '\n')
			*to++ = *from;
	*to = '\0';
	if (*value)
		json_add_text(o, key, value);
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

/* What is unpacked or configured in part only is not in the list. */
static bool is_installed(const struct deb822 *d)
{
	const char *status = deb822_get(d, "Status");

	return status && str_ends(status, " ok installed");
}

struct json_object *build_packages(const char *path)
{
	struct json_object *list = json_new_list();
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_deb822 struct deb822 d = DEB822_INIT;

	if (build_read(path, STATUS, STATUS_MAX, &text) < 0)
		return list;
	deb822_init_mem(&d, sb_str(&text), text.len, STATUS);
	while (deb822_next(&d, NULL) == 1) {
		struct json_object *o;

		if (!is_installed(&d))
			continue;
		o = json_new();
		take(o, &d, "Package", "name");
		take(o, &d, "Version", "version");
		take(o, &d, "Architecture", "architecture");
		take(o, &d, "Source", "source");
		take(o, &d, "Built-Using", "built_using");
		take(o, &d, "Static-Built-Using", "static_built_using");
		json_push(list, o);
	}
	return list;
}

/* ---- their files ---- */

/* "SUM SIZE NAME VERSION ARCH ADDRESS", as of fabricate --package-list. */
enum { D_SUM, D_SIZE, D_NAME, D_VERSION, D_ARCH, D_WORDS };

static void note_file(struct json_object *o, char *const words[D_WORDS], uint64_t size, const char *address)
{
	json_add_text(o, strlen(words[D_SUM]) == SHA256_HEX ? "sha256" : "sha512", words[D_SUM]);
	json_add(o, "size", json_object_new_int64((int64_t)size));
	if (!str_starts(address, "/"))
		json_add_text(o, "url", address);
}

/* To the package of the list that is of it; with @all it becomes one itself. */
static void note_deb(struct json_object *packages, char *line, bool all)
{
	char *rest = NULL, *words[D_WORDS];
	struct json_object *o;
	uint64_t size;

	for (size_t i = 0; i < D_WORDS; i++) {
		words[i] = strtok_r(i ? NULL : line, " ", &rest);
		if (!words[i])
			return;
	}
	if (parse_u64(words[D_SIZE], 10, INT64_MAX, &size) < 0)
		return;
	for (size_t i = 0; i < json_object_array_length(packages); i++) {
		o = json_object_array_get_idx(packages, i);
		if (str_eq(json_text(o, "name"), words[D_NAME]) &&
		    str_eq(json_text(o, "version"), words[D_VERSION]) &&
		    str_eq(json_text(o, "architecture"), words[D_ARCH]))
			note_file(o, words, size, rest);
	}
	if (!all)
		return;
	o = json_new();
	json_add_text(o, "name", words[D_NAME]);
	json_add_text(o, "version", words[D_VERSION]);
	json_add_text(o, "architecture", words[D_ARCH]);
	note_file(o, words, size, rest);
	json_push(packages, o);
}

void build_note_debs(struct json_object *packages, const char *tree)
{
	cleanup_free char *path = build_debs_path(tree);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	/* those that were only unpacked dpkg knows nothing of */
	bool all = json_object_array_length(packages) == 0;

	if (file_read(AT_FDCWD, path, DEBS_MAX, &text, NULL) == 0)
		strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		note_deb(packages, lines.v[i], all);
}

/* ---- how two lists differ ---- */

static const char *version_of(struct json_object *list, const char *name, const char *arch)
{
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (str_eq(json_text(o, "name"), name) && str_eq(json_text(o, "architecture"), arch))
			return json_text(o, "version");
	}
	return NULL;
}

static void add_change(struct json_object *list, struct json_object *package, const char *before,
		       const char *after)
{
	struct json_object *o = json_new();

	json_add_text(o, "name", json_text(package, "name"));
	json_add_text(o, "architecture", json_text(package, "architecture"));
	if (before)
		json_add_text(o, "before", before);
	if (after)
		json_add_text(o, "after", after);
	json_push(list, o);
}

struct json_object *build_package_changes(struct json_object *before, struct json_object *after)
{
	struct json_object *list = json_new_list();
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
