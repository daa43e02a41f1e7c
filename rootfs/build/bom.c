// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bill of materials: the packages of a tree as CycloneDX 1.5 (ECMA-424) has them, with package
 * URLs (purl-spec, type deb), and what spdx.c shares of that.  The same tree makes the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

char *build_purl(const char *vendor, const char *name, const char *version, const char *arch)
{
	struct strbuf purl = STRBUF_INIT;

	sb_addf(&purl, "pkg:deb/%s/", vendor);
	add_encoded(&purl, name);
	sb_addc(&purl, '@');
	add_encoded(&purl, version);
	sb_adds(&purl, "?arch=");
	add_encoded(&purl, arch);
	return sb_steal(&purl);
}

char *build_vendor(const char *tree)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;

	/* the tree is not trusted */
	if (build_read(tree, "usr/lib/os-release", 64 << 10, &text) == 0)
		strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *id = str_starts(lines.v[i], "ID=") ? lines.v[i] + 3 : "";
		size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-");

		if (len && !id[len] && len < 40)
			return xstrdup(id);
	}
	return xstrdup("debian");
}

/* ---- sources ---- */

static void add_source(struct build_sources *s, const char *text, const char *own, const char *how)
{
	size_t name = strcspn(text, " ("), at = name + strspn(text + name, " (=");
	size_t version = strcspn(text + at, " )");

	if (!name)
		return;
	s->v = xreallocarray(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = (struct build_source){
		.name = xstrndup(text, name), .how = how,
		.version = version ? xstrndup(text + at, version) : xstrdup(own),
	};
}

void build_sources(struct json_object *package, struct build_sources *s)
{
	static const struct {
		const char *key, *how;
	} more[] = { { "built_using", "built-using" }, { "static_built_using", "static-built-using" } };
	const char *own = json_text(package, "source");

	*s = (struct build_sources){ NULL, 0 };
	add_source(s, *own ? own : json_text(package, "name"), json_text(package, "version"), "source");
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		cleanup_strv struct strv list = STRV_INIT;

		strv_split(&list, json_text(package, more[i].key), ",");
		for (size_t k = 0; k < list.n; k++)
			add_source(s, list.v[k] + strspn(list.v[k], " \t"), "", more[i].how);
	}
}

void build_sources_release(struct build_sources *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].version);
	}
	free(s->v);
}

/* ---- CycloneDX ---- */

static struct json_object *property(const char *name, char *value)
{
	struct json_object *o = json_new();
	cleanup_free char *text = value;

	json_add_text(o, "name", name);
	json_add_text(o, "value", text);
	return o;
}

/* {"KEY": [{"A": "B", "C": "D"}]}, as several things here are. */
static void add_one(struct json_object *o, const char *key, const char *a, const char *b, const char *c,
		    const char *d)
{
	struct json_object *list = json_new_list(), *item = json_new();

	json_add_text(item, a, b);
	if (c)
		json_add_text(item, c, d);
	json_push(list, item);
	json_add(o, key, list);
}

static void add_hashes(struct json_object *o, struct json_object *package)
{
	const char *sha256 = json_text(package, "sha256"), *sha512 = json_text(package, "sha512");
	const char *license = json_text(package, "license"), *url = json_text(package, "url");

	if (*sha256 || *sha512)
		add_one(o, "hashes", "alg", *sha256 ? "SHA-256" : "SHA-512", "content",
			*sha256 ? sha256 : sha512);
	if (*license)
		add_one(o, "licenses", "expression", license, NULL, NULL);
	if (*url)
		add_one(o, "externalReferences", "type", "distribution", "url", url);
}

static struct json_object *component(struct json_object *package, const char *vendor)
{
	struct json_object *o = json_new(), *properties = json_new_list();
	const char *name = json_text(package, "name"), *version = json_text(package, "version");
	cleanup_free char *purl = build_purl(vendor, name, version, json_text(package, "architecture"));
	struct build_sources sources;

	json_add_text(o, "type", "library");
	json_add_text(o, "bom-ref", purl);
	json_add_text(o, "name", name);
	json_add_text(o, "version", version);
	add_hashes(o, package);
	json_add_text(o, "purl", purl);
	build_sources(package, &sources);
	for (size_t i = 0; i < sources.n; i++) {
		const struct build_source *s = &sources.v[i];
		cleanup_free char *key = xasprintf("umlcage:%s", s->how);

		json_push(properties, property(key, build_purl(vendor, s->name, s->version,
									   "source")));
	}
	build_sources_release(&sources);
	json_add(o, "properties", properties);
	return o;
}

struct json_object *build_bom(const struct build *b, const char *tree, struct json_object *packages)
{
	struct json_object *bom = json_new(), *meta = json_new();
	struct json_object *self = json_new(), *list = json_new_list();
	cleanup_free char *vendor = build_vendor(tree);
	cleanup_free char *stamp = utc_text(b->epoch, UTC_RFC_3339);

	if (b->epoch >= 0 && *stamp)
		json_add_text(meta, "timestamp", stamp);
	json_add_text(self, "type", "operating-system");
	json_add_text(self, "bom-ref", "image");
	json_add_text(self, "name", b->name);
	json_add_text(self, "version", b->tree_key);
	if (b->description)
		json_add_text(self, "description", b->description);
	json_add(meta, "component", self);
	for (size_t i = 0; i < json_object_array_length(packages); i++)
		json_push(list, component(json_object_array_get_idx(packages, i), vendor));
	json_add_text(bom, "bomFormat", "CycloneDX");
	json_add_text(bom, "specVersion", "1.5");
	json_add(bom, "version", json_object_new_int(1));
	json_add(bom, "metadata", meta);
	json_add(bom, "components", list);
	return bom;
}
