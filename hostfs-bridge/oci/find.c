// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which layers an image of containers is made of: index.json and what it leads to (OCI image-spec
 * 1.1, "image-layout", "image-index", "manifest"), or docker's manifest.json.  What is read here
 * was written by others.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "hostfs-bridge/oci/private.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/str.h"

enum {
	TEXT_MAX = 4 << 20,	/* bytes of a JSON document; the specification says 4 MB */
	DEPTH_MAX = 32,		/* of its nesting */
	INDEX_DEPTH = 4,	/* of indexes in indexes */
	LAYERS_MAX = 1000,
	REF_MAX = 256,
};

#define REF_NAME "org.opencontainers.image.ref.name"

static void put(json_object **o)
{
	json_object_put(*o);
}
#define cleanup_json __attribute__((cleanup(put)))

struct finder {
	const struct oci_files *files;
	const char *tag;
	struct strv tags;	/* of all images that would do */
	struct strv platforms;	/* of those that would not */
	json_object *found;	/* a descriptor of the image; owned */
	size_t nfound;
	struct strv seen;	/* digests of found ones */
};

static const char *text_of(json_object *o, const char *key)
{
	json_object *v;

	return o && json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) &&
	       json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

static json_object *object_of(json_object *o, const char *key)
{
	json_object *v;

	return o && json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) &&
	       json_object_is_type(v, json_type_object) ? v : NULL;
}

/* An array, NULL if there is none. */
static json_object *array_of(json_object *o, const char *key)
{
	json_object *v;

	return o && json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) &&
	       json_object_is_type(v, json_type_array) ? v : NULL;
}

static int parse(const char *path, const struct strbuf *text, json_object **out, struct error *e)
{
	struct json_tokener *t = json_tokener_new_ex(DEPTH_MAX);

	if (!t)
		return err_set(e, ENOMEM, "cannot parse '%s'", path);
	*out = json_tokener_parse_ex(t, sb_str(text), (int)text->len);

	enum json_tokener_error bad = json_tokener_get_error(t);

	json_tokener_free(t);
	if (*out && bad == json_tokener_success)
		return 0;
	put(out);
	*out = NULL;
	return err_set(e, EBADMSG, "'%s' is not JSON: %s", path, json_tokener_error_desc(bad));
}

static int read_json(struct finder *f, const char *path, json_object **out, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret = f->files->read(f->files->arg, path, TEXT_MAX, &text, e);

	return ret < 0 ? ret : parse(path, &text, out, e);
}

/* Of a descriptor: the path of its blob; malloc'ed.  -EBADMSG, -ENOTSUP for other sums. */
static int blob_of(json_object *descriptor, char **path, struct oci_layer *l, struct error *e)
{
	static const char kind[] = "sha256:";
	const char *digest = text_of(descriptor, "digest");
	json_object *size;

	if (!digest || !json_object_object_get_ex(descriptor, "size", &size) ||
	    !json_object_is_type(size, json_type_int) || json_object_get_int64(size) < 0)
		return err_set(e, EBADMSG, "a descriptor has no digest or no size");
	if (!str_starts(digest, kind))
		return err_set(e, ENOTSUP, "the digest '%.80s' is not a sha256", digest);
	digest += strlen(kind);
	if (!hash_valid(digest))
		return err_set(e, EBADMSG, "the digest 'sha256:%.80s' is not one", digest);
	*path = xasprintf("blobs/sha256/%s", digest);
	memcpy(l->sha256, digest, SHA256_HEX + 1);
	l->size = (uint64_t)json_object_get_int64(size);
	return 0;
}

static int read_blob(struct finder *f, json_object *descriptor, json_object **out, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *path = NULL;
	struct oci_layer l = { .path = NULL };
	char hex[SHA256_HEX + 1];
	struct hash h = { NULL };
	int ret = blob_of(descriptor, &path, &l, e);

	if (ret == 0)
		ret = f->files->read(f->files->arg, path, TEXT_MAX, &text, e);
	if (ret < 0)
		return ret;
	hash_start(&h);
	hash_add(&h, sb_str(&text), text.len);
	hash_end(&h, hex);
	hash_release(&h);
	if (!f->files->unchecked && (text.len != l.size || !str_eq(hex, l.sha256)))
		return err_set(e, EBADMSG, "'%s' is damaged: its size or sha256 is another", path);
	return parse(path, &text, out, e);
}

/* ---- which one ---- */

static bool is_ours(json_object *platform)
{
	const char *os = text_of(platform, "os"), *arch = text_of(platform, "architecture");

	return !platform || (str_eq(os, "linux") && str_eq(arch, "amd64"));
}

static void note_platform(struct finder *f, json_object *platform)
{
	const char *os = text_of(platform, "os"), *arch = text_of(platform, "architecture");
	cleanup_free char *name = xasprintf("%.32s/%.32s", os ? os : "?", arch ? arch : "?");

	/* attestations are "unknown" */
	if (!str_eq(os, "unknown") && !strv_has(&f->platforms, name) && f->platforms.n < 32)
		strv_add(&f->platforms, name);
}

/* "1.0" and "name:1.0" are both what people call "registry/name:1.0". */
static bool is_tag(const char *ref, const char *tag)
{
	size_t ref_len = strlen(ref), len = strlen(tag);

	return str_eq(ref, tag) || (ref_len > len && str_ends(ref, tag) &&
				    strchr("/:", ref[ref_len - len - 1]));
}

static void take(struct finder *f, json_object *descriptor, const char *ref)
{
	const char *digest = text_of(descriptor, "digest");

	if (ref && f->tags.n < 32 && !strv_has(&f->tags, ref))
		strv_add(&f->tags, ref);
	if (f->tag && !(ref && is_tag(ref, f->tag)))
		return;
	/* one image may have several names */
	if (digest && strv_has(&f->seen, digest))
		return;
	strv_add(&f->seen, digest ? digest : "");
	if (f->nfound++ == 0)
		f->found = json_object_get(descriptor);
}

static int walk(struct finder *f, json_object *index, const char *ref, int depth, struct error *e)
{
	json_object *list = array_of(index, "manifests");
	int ret = 0;

	if (!list)
		return err_set(e, EBADMSG, "an index has no list of manifests");
	for (size_t i = 0; ret == 0 && i < json_object_array_length(list); i++) {
		json_object *d = json_object_array_get_idx(list, i), *platform = object_of(d, "platform");
		const char *name = text_of(object_of(d, "annotations"), REF_NAME);
		const char *type = text_of(d, "mediaType");
		cleanup_json json_object *inner = NULL;

		name = name && strlen(name) <= REF_MAX ? name : ref;
		if (!is_ours(platform)) {
			note_platform(f, platform);
		} else if (type && (strstr(type, "image.index") || strstr(type, "manifest.list"))) {
			if (depth == INDEX_DEPTH)
				return err_set(e, EBADMSG, "indexes are nested too deeply");
			ret = read_blob(f, d, &inner, e);
			if (ret == 0)
				ret = walk(f, inner, name, depth + 1, e);
		} else {
			take(f, d, name);
		}
	}
	return ret;
}

static int check_found(struct finder *f, struct error *e)
{
	cleanup_free char *tags = strv_join(&f->tags, ", "), *others = strv_join(&f->platforms, ", ");

	if (f->nfound == 1)
		return 0;
	if (f->nfound > 1) {
		err_set(e, ENOTUNIQ, "it has several images%s%s", *tags ? ": " : "", tags);
		return err_hint(e, "choose one with --tag");
	}
	if (f->tag && f->tags.n)
		return err_set(e, ENOENT, "it has no image '%s', but %s", f->tag, tags);
	return err_set(e, ENOENT, "it has no image for linux/amd64%s%s", *others ? ", but for " : "",
		       others);
}

/* ---- its layers ---- */

static struct oci_layer *add(struct oci_layers *out)
{
	out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
	out->v[out->n] = (struct oci_layer){ .path = NULL };
	return &out->v[out->n++];
}

static int count(json_object *list, struct error *e)
{
	if (!list)
		return err_set(e, EBADMSG, "the image has no list of layers");
	if (json_object_array_length(list) > LAYERS_MAX)
		return err_set(e, E2BIG, "the image has more than %d layers", LAYERS_MAX);
	return 0;
}

static int take_manifest(struct finder *f, struct oci_layers *out, struct error *e)
{
	cleanup_json json_object *manifest = NULL;
	int ret = read_blob(f, f->found, &manifest, e);
	json_object *list = array_of(manifest, "layers");

	if (ret == 0)
		ret = count(list, e);
	for (size_t i = 0; ret == 0 && i < json_object_array_length(list); i++) {
		struct oci_layer *l = add(out);

		ret = blob_of(json_object_array_get_idx(list, i), &l->path, l, e);
	}
	return ret;
}

static int find_in_layout(struct finder *f, struct oci_layers *out, struct error *e)
{
	cleanup_json json_object *index = NULL;
	int ret = read_json(f, "index.json", &index, e);

	if (ret == 0)
		ret = walk(f, index, NULL, 0, e);
	if (ret == 0)
		ret = check_found(f, e);
	return ret < 0 ? ret : take_manifest(f, out, e);
}

/* The image of docker's manifest.json that is asked for. */
static int find_in_list(struct finder *f, json_object *list, json_object **image, struct error *e)
{
	*image = NULL;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *one = json_object_array_get_idx(list, i), *tags = array_of(one, "RepoTags");
		bool wanted = !f->tag;

		for (size_t j = 0; tags && j < json_object_array_length(tags); j++) {
			json_object *t = json_object_array_get_idx(tags, j);
			const char *tag = json_object_is_type(t, json_type_string) ?
					  json_object_get_string(t) : "";

			wanted = wanted || is_tag(tag, f->tag);
			if (strlen(tag) <= REF_MAX && f->tags.n < 32)
				strv_add(&f->tags, tag);
		}
		f->nfound += wanted;
		*image = wanted ? one : *image;
	}
	return check_found(f, e);
}

/* docker wrote layers as they are, uncompressed, and their sums into the configuration. */
static void take_sums(struct finder *f, const char *config, struct oci_layers *out)
{
	cleanup_json json_object *o = NULL;
	json_object *ids;

	if (!config || read_json(f, config, &o, NULL) < 0)
		return;
	ids = array_of(object_of(o, "rootfs"), "diff_ids");
	for (size_t i = 0; ids && i < out->n && json_object_array_length(ids) == out->n; i++) {
		json_object *id = json_object_array_get_idx(ids, i);
		const char *text = json_object_is_type(id, json_type_string) ?
				   json_object_get_string(id) : "";

		if (str_starts(text, "sha256:") && hash_valid(text + 7))
			memcpy(out->v[i].sha256, text + 7, SHA256_HEX + 1);
	}
}

static int find_in_docker(struct finder *f, struct oci_layers *out, struct error *e)
{
	cleanup_json json_object *list = NULL;
	json_object *image, *layers;
	int ret = read_json(f, "manifest.json", &list, e);

	if (ret < 0)
		return ret;
	if (!json_object_is_type(list, json_type_array))
		return err_set(e, EBADMSG, "'manifest.json' is not a list of images");
	ret = find_in_list(f, list, &image, e);
	if (ret < 0)
		return ret;
	layers = array_of(image, "Layers");
	ret = count(layers, e);
	for (size_t i = 0; ret == 0 && i < json_object_array_length(layers); i++) {
		json_object *o = json_object_array_get_idx(layers, i);

		if (!json_object_is_type(o, json_type_string))
			return err_set(e, EBADMSG, "a layer of 'manifest.json' is not a name");
		add(out)->path = xstrdup(json_object_get_string(o));
	}
	if (ret == 0)
		take_sums(f, text_of(image, "Config"), out);
	return ret;
}

int oci_find(const struct oci_files *files, bool docker, const char *tag, struct oci_layers *out,
	     struct error *e)
{
	struct finder f = { .files = files, .tag = tag };
	int ret = docker ? find_in_docker(&f, out, e) : find_in_layout(&f, out, e);

	put(&f.found);
	strv_release(&f.tags);
	strv_release(&f.platforms);
	strv_release(&f.seen);
	return ret;
}

void oci_layers_release(struct oci_layers *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].path);
	free(l->v);
	*l = (struct oci_layers){ NULL, 0 };
}
