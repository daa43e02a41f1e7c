// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How a night's outputs were made: an in-toto statement (attestation framework 1.0) with SLSA's
 * provenance 1.0 as its predicate.  Its signature is that of SHA256SUMS, which names it.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"

#define BUILD_TYPE	"urn:umlcage:build:1"
#define BUILDER		"urn:umlcage:builder"

static struct json_object *digest(const char *algorithm, const char *sum)
{
	struct json_object *o = json_new();

	json_add_text(o, algorithm, sum);
	return o;
}

/* What there is no name or address for is left out; @sum of a length that tells what it is. */
static void add_thing(struct json_object *list, const char *name, const char *uri, const char *sum)
{
	struct json_object *o = json_new();

	if (name)
		json_add_text(o, "name", name);
	if (uri)
		json_add_text(o, "uri", uri);
	if (sum && *sum)
		json_add(o, "digest", digest(strlen(sum) == SHA256_HEX ? "sha256" : "sha512",
							   sum));
	json_push(list, o);
}

static void add_file(struct json_object *list, const char *dir, const char *path, const char *name)
{
	cleanup_free char *full = dir ? path_join(dir, path) : xstrdup(path);
	cleanup_close int fd = open(full, O_RDONLY | O_CLOEXEC);
	char sum[SHA256_HEX + 1];

	if (fd >= 0 && hash_fd(fd, sum) == 0)
		add_thing(list, name, NULL, sum);
}

/* What was made; a folder that is a share has no sum of its own. */
static struct json_object *subjects(const struct night *n)
{
	struct json_object *list = json_new_list();

	for (size_t i = 0; i < json_object_array_length(n->outputs); i++) {
		struct json_object *o = json_object_array_get_idx(n->outputs, i);

		if (*json_text(o, "sha256"))
			add_thing(list, json_text(o, "file"), NULL, json_text(o, "sha256"));
	}
	return list;
}

/* What whoever asked for it has said. */
static struct json_object *external(const struct night *n)
{
	struct json_object *o = json_new();
	const struct build *b = n->b;
	struct strv names = STRV_INIT;

	json_add_text(o, "file", basename(b->file));
	json_add_text(o, "name", b->name);
	if (b->suite)
		json_add_text(o, "suite", b->suite);
	if (b->root)
		json_add_text(o, "root", b->root);
	if (b->base)
		json_add_text(o, "build", b->base);
	if (b->run)
		json_add(o, "run", json_of_list(&b->run->given));
	json_add(o, "mirrors", json_of_list(&b->mirrors));
	json_add(o, "options", json_of_list(&b->options));
	for (size_t i = 0; i < b->nsteps; i++)
		strv_add(&names, b->steps[i].name);
	json_add(o, "steps", json_of_list(&names));
	strv_release(&names);
	return o;
}

static struct json_object *internal(const struct night *n)
{
	struct json_object *o = json_new(), *parts = json_new();

	json_add(o, "SOURCE_DATE_EPOCH", json_object_new_int64(n->b->epoch));
	if (n->env->kernel_key)
		json_add_text(o, "kernel", n->env->kernel_key);
	for (size_t i = 0; i < n->k->n; i++)
		json_add_text(parts, n->k->parts[i].name, n->k->parts[i].key);
	json_add(o, "parts", parts);
	return o;
}

/* "URL SUITE COMPONENT ARCH SUM" is an index, "ROOT SUM" or "build NAME KEY" a tree. */
static void add_sources(const struct night *n, struct json_object *list)
{
	for (size_t i = 0; i < n->k->sources.n; i++) {
		const char *text = n->k->sources.v[i], *last = strrchr(text, ' ');
		cleanup_free char *name = xstrndup(text, last ? (size_t)(last - text) : strlen(text));
		cleanup_free char *uri = n->b->suite ? xstrndup(text, strcspn(text, " ")) : NULL;
		size_t len = last ? strlen(last + 1) : 0;

		add_thing(list, name, uri, len == SHA256_HEX || len == 2 * SHA256_HEX ? last + 1 : NULL);
	}
}

static struct json_object *dependencies(const struct night *n)
{
	struct json_object *list = json_new_list();
	cleanup_free char *vendor = build_vendor(n->tree);

	add_file(list, NULL, n->b->file, basename(n->b->file));
	add_sources(n, list);
	for (size_t i = 0; i < json_object_array_length(n->packages); i++) {
		struct json_object *o = json_object_array_get_idx(n->packages, i);
		const char *sha256 = json_text(o, "sha256"), *sum = *sha256 ? sha256 : json_text(o, "sha512");
		cleanup_free char *purl = build_purl(vendor, json_text(o, "name"), json_text(o, "version"),
						     json_text(o, "architecture"));

		if (*sum)
			add_thing(list, NULL, purl, sum);
	}
	return list;
}

static struct json_object *details(const struct night *n, int64_t ended)
{
	static const char *const files[] = { BUILD_MANIFEST, BUILD_BOM, BUILD_SPDX, "log" };
	struct json_object *o = json_new(), *builder = json_new();
	struct json_object *version = json_new(), *meta = json_new();
	struct json_object *list = json_new_list();
	cleanup_free char *began = utc_text(n->started, UTC_RFC_3339), *end = utc_text(ended, UTC_RFC_3339);
	cleanup_free char *id = xasprintf("%s %s", n->b->name, began);

	json_add_text(builder, "id", BUILDER);
	json_add_text(version, "umlcage", UMLCAGE_VERSION);
	json_add(builder, "version", version);
	json_add(o, "builder", builder);
	json_add_text(meta, "invocationId", id);
	json_add_text(meta, "startedOn", began);
	json_add_text(meta, "finishedOn", end);
	json_add(o, "metadata", meta);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		add_file(list, n->part, files[i], files[i]);
	json_add(o, "byproducts", list);
	return o;
}

struct json_object *build_provenance(const struct night *n, int64_t ended)
{
	struct json_object *o = json_new(), *predicate = json_new();
	struct json_object *definition = json_new();

	json_add_text(o, "_type", "https://in-toto.io/Statement/v1");
	json_add(o, "subject", subjects(n));
	json_add_text(o, "predicateType", "https://slsa.dev/provenance/v1");
	json_add_text(definition, "buildType", BUILD_TYPE);
	json_add(definition, "externalParameters", external(n));
	json_add(definition, "internalParameters", internal(n));
	json_add(definition, "resolvedDependencies", dependencies(n));
	json_add(predicate, "buildDefinition", definition);
	json_add(predicate, "runDetails", details(n, ended));
	json_add(o, "predicate", predicate);
	return o;
}
