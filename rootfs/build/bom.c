// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bill of materials: the packages of a tree as CycloneDX 1.5 (ECMA-424) has them, with package
 * URLs (purl-spec, type deb).  The same tree makes the same bytes.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "rootfs/build/private.h"

/* A part of a package URL: what is not unreserved becomes %XX. */
static void add_encoded(struct strbuf *out, const char *s)
{
	for (; *s; s++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", *s))
			sb_addc(out, *s);
		else
			sb_addf(out, "%%%02X", (unsigned char)*s);
}

/* ID= of the tree's os-release, which is not trusted; malloc'ed. */
static char *vendor_of(const char *root)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;

	if (build_read(root, "usr/lib/os-release", 64 << 10, &text) == 0)
		strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *id = str_starts(lines.v[i], "ID=") ? lines.v[i] + 3 : "";
		size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-");

		if (len && !id[len] && len < 40)
			return xstrdup(id);
	}
	return xstrdup("debian");
}

static struct json_object *component(struct json_object *package, const char *vendor)
{
	struct json_object *o = json_object_new_object();
	cleanup_strbuf struct strbuf purl = STRBUF_INIT;
	const char *source = json_text(package, "source");

	sb_addf(&purl, "pkg:deb/%s/", vendor);
	add_encoded(&purl, json_text(package, "name"));
	sb_addc(&purl, '@');
	add_encoded(&purl, json_text(package, "version"));
	sb_adds(&purl, "?arch=");
	add_encoded(&purl, json_text(package, "architecture"));
	json_add_text(o, "type", "library");
	json_add_text(o, "bom-ref", sb_str(&purl));
	json_add_text(o, "name", json_text(package, "name"));
	json_add_text(o, "version", json_text(package, "version"));
	json_add_text(o, "purl", sb_str(&purl));
	if (*source) {
		struct json_object *list = json_object_new_array(), *p = json_object_new_object();

		json_add_text(p, "name", "umlcage:source");
		json_add_text(p, "value", source);
		json_object_array_add(list, p);
		json_object_object_add(o, "properties", list);
	}
	return o;
}

struct json_object *build_bom(const struct build *b, const char *root, struct json_object *packages)
{
	struct json_object *bom = json_object_new_object(), *meta = json_object_new_object();
	struct json_object *self = json_object_new_object(), *list = json_object_new_array();
	cleanup_free char *vendor = vendor_of(root);
	time_t when = (time_t)b->epoch;
	char stamp[32] = "";
	struct tm tm;

	if (b->epoch >= 0 && gmtime_r(&when, &tm))
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (*stamp)
		json_add_text(meta, "timestamp", stamp);
	json_add_text(self, "type", "operating-system");
	json_add_text(self, "name", b->name);
	json_add_text(self, "version", b->tree_key);
	if (b->description)
		json_add_text(self, "description", b->description);
	json_object_object_add(meta, "component", self);
	for (size_t i = 0; i < json_object_array_length(packages); i++)
		json_object_array_add(list, component(json_object_array_get_idx(packages, i), vendor));
	json_add_text(bom, "bomFormat", "CycloneDX");
	json_add_text(bom, "specVersion", "1.5");
	json_object_object_add(bom, "version", json_object_new_int(1));
	json_object_object_add(bom, "metadata", meta);
	json_object_object_add(bom, "components", list);
	return bom;
}
