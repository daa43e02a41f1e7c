// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The JSON of an image: its configuration, manifest and index, after the OCI image
 * specification, and docker's manifest.json.
 */
#include <glib.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/utsname.h>

#include "hostfs-bridge/oci/private.h"

#define MEDIA "application/vnd.oci.image."
#define SEARCH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- what is given ---- */

const char *oci_config_given(const struct oci_config *c)
{
	return c->entrypoint ? "entrypoint" : c->cmd ? "cmd" : c->user ? "user" :
	       c->workdir ? "workdir" : c->tag ? "tag" : c->env.n ? "env" : c->labels.n ? "label" :
	       c->ports.n ? "port" : NULL;
}

static int check_words(const char *name, const char *text, struct error *e)
{
	g_auto(GStrv) words = NULL;
	g_autoptr(GError) problem = NULL;

	if (!text || !*text || g_shell_parse_argv(text, NULL, &words, &problem))
		return 0;
	return err_usage(e, "--oci-%s: cannot split '%s' into words: %s", name, text,
			 problem->message);
}

static int check_pairs(const char *name, const struct strv *v, struct error *e)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strchr(v->v[i], '=') || v->v[i][0] == '=')
			return err_usage(e, "--oci-%s: '%s' is not NAME=VALUE", name, v->v[i]);
	return 0;
}

static int check_ports(const struct strv *v, struct error *e)
{
	for (size_t i = 0; i < v->n; i++) {
		size_t digits = strcspn(v->v[i], "/");
		cleanup_free char *number = xstrndup(v->v[i], digits);
		const char *kind = v->v[i] + digits;
		uint64_t port;

		if (parse_u64(number, 10, 65535, &port) < 0 || !port ||
		    (*kind && strcmp(kind, "/tcp") != 0 && strcmp(kind, "/udp") != 0))
			return err_usage(e, "--oci-port: '%s' is not a port: 80, 53/udp", v->v[i]);
	}
	return 0;
}

static int check_tag(const char *tag, struct error *e)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-/";
	const char *slash, *colon;

	if (!tag)
		return 0;
	slash = strrchr(tag, '/');
	colon = strchr(slash ? slash : tag, ':');
	if (!*tag || (colon && (!colon[1] || strspn(colon + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"abcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(colon + 1))))
		return err_usage(e, "--oci-tag: '%s' is not NAME[:TAG]", tag);
	/* a registry in front may have a port */
	for (const char *p = tag; *p && p != colon; p++)
		if (!strchr(allowed, *p) && *p != ':')
			return err_usage(e, "--oci-tag: the name in '%s' may have small letters, digits "
					 "and '.', '_', '-', '/' in it", tag);
	return 0;
}

int oci_config_check(const struct oci_config *c, struct error *e)
{
	int ret = check_words("entrypoint", c->entrypoint, e);

	if (ret == 0)
		ret = check_words("cmd", c->cmd, e);
	if (ret == 0)
		ret = check_pairs("env", &c->env, e);
	if (ret == 0)
		ret = check_pairs("label", &c->labels, e);
	if (ret == 0)
		ret = check_ports(&c->ports, e);
	if (ret == 0)
		ret = check_tag(c->tag, e);
	if (ret == 0 && c->workdir && c->workdir[0] != '/')
		ret = err_usage(e, "--oci-workdir: '%s' does not begin with '/'", c->workdir);
	return ret;
}

/* ---- texts ---- */

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *words(const char *text)
{
	struct json_object *list = json_object_new_array();
	g_auto(GStrv) v = NULL;

	if (*text)
		(void)g_shell_parse_argv(text, NULL, &v, NULL);
	for (size_t i = 0; v && v[i]; i++)
		json_object_array_add(list, json_object_new_string(v[i]));
	return list;
}

/* "@prefix" and the part of @v up to '='. */
static bool has_name(const struct strv *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (str_starts(v->v[i], name) && v->v[i][strlen(name)] == '=')
			return true;
	return false;
}

static struct json_object *run_config(const struct oci_config *c)
{
	struct json_object *o = json_object_new_object(), *env = json_object_new_array(), *map;

	if (c->user)
		add_text(o, "User", c->user);
	if (c->ports.n) {
		map = json_object_new_object();
		for (size_t i = 0; i < c->ports.n; i++) {
			cleanup_free char *port = xasprintf("%s%s", c->ports.v[i],
							    strchr(c->ports.v[i], '/') ? "" : "/tcp");

			json_object_object_add(map, port, json_object_new_object());
		}
		json_object_object_add(o, "ExposedPorts", map);
	}
	if (!has_name(&c->env, "PATH"))
		json_object_array_add(env, json_object_new_string(SEARCH));
	for (size_t i = 0; i < c->env.n; i++)
		json_object_array_add(env, json_object_new_string(c->env.v[i]));
	json_object_object_add(o, "Env", env);
	if (c->entrypoint)
		json_object_object_add(o, "Entrypoint", words(c->entrypoint));
	if (c->cmd || !c->entrypoint)
		json_object_object_add(o, "Cmd", words(c->cmd ? c->cmd : "/bin/sh"));
	if (c->workdir)
		add_text(o, "WorkingDir", c->workdir);
	if (c->labels.n) {
		map = json_object_new_object();
		for (size_t i = 0; i < c->labels.n; i++) {
			const char *value = strchr(c->labels.v[i], '=');
			cleanup_free char *key = xstrndup(c->labels.v[i],
							  (size_t)(value - c->labels.v[i]));

			add_text(map, key, value + 1);
		}
		json_object_object_add(o, "Labels", map);
	}
	return o;
}

static char *finish(struct json_object *o)
{
	char *text = xstrdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(o);
	return text;
}

/* As GOARCH has it, which the specification takes its names from. */
static const char *architecture(void)
{
	static const char *const names[][2] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "i686", "386" }, { "i586", "386" },
		{ "armv7l", "arm" },
	};
	static struct utsname host;

	uname(&host);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(host.machine, names[i][0]))
			return names[i][1];
	return host.machine;
}

char *oci_config_text(const struct oci_opts *opts, const char *layer_sha256, int64_t created)
{
	struct json_object *o = json_object_new_object(), *rootfs = json_object_new_object();
	struct json_object *ids = json_object_new_array(), *history = json_object_new_array();
	struct json_object *step = json_object_new_object();
	cleanup_free char *id = xasprintf("sha256:%s", layer_sha256);
	cleanup_free char *date = utc_text(created, UTC_RFC_3339);

	add_text(o, "created", date);
	add_text(o, "architecture", architecture());
	add_text(o, "os", "linux");
	json_object_object_add(o, "config", run_config(opts->config));
	add_text(rootfs, "type", "layers");
	json_object_array_add(ids, json_object_new_string(id));
	json_object_object_add(rootfs, "diff_ids", ids);
	json_object_object_add(o, "rootfs", rootfs);
	add_text(step, "created", date);
	add_text(step, "created_by", "umlcage");
	json_object_array_add(history, step);
	json_object_object_add(o, "history", history);
	return finish(o);
}

static struct json_object *descriptor(const char *type, const struct oci_blob *b)
{
	struct json_object *o = json_object_new_object();
	cleanup_free char *digest = xasprintf("sha256:%s", b->sha256);

	add_text(o, "mediaType", type);
	add_text(o, "digest", digest);
	json_object_object_add(o, "size", json_object_new_int64((int64_t)b->size));
	return o;
}

char *oci_manifest_text(const struct oci_opts *opts, const struct oci_blob *config,
			const struct oci_blob *layer)
{
	struct json_object *o = json_object_new_object(), *layers = json_object_new_array();

	json_object_object_add(o, "schemaVersion", json_object_new_int(2));
	add_text(o, "mediaType", MEDIA "manifest.v1+json");
	json_object_object_add(o, "config", descriptor(MEDIA "config.v1+json", config));
	json_object_array_add(layers, descriptor(opts->docker ? MEDIA "layer.v1.tar" :
						 MEDIA "layer.v1.tar+gzip", layer));
	json_object_object_add(o, "layers", layers);
	return finish(o);
}

/* "NAME:TAG" of what is given. */
static char *full_tag(const struct oci_config *c)
{
	const char *tag = c->tag ? c->tag : "latest", *slash = strrchr(tag, '/');

	if (!c->tag)
		return xstrdup("umlcage:latest");
	return strchr(slash ? slash : tag, ':') ? xstrdup(tag) : xasprintf("%s:latest", tag);
}

char *oci_index_text(const struct oci_opts *opts, const struct oci_blob *manifest)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	struct json_object *m = descriptor(MEDIA "manifest.v1+json", manifest);
	struct json_object *notes = json_object_new_object();
	cleanup_free char *tag = full_tag(opts->config);

	/* the tag alone, as umoci and skopeo look for it */
	add_text(notes, "org.opencontainers.image.ref.name", strrchr(tag, ':') + 1);
	json_object_object_add(m, "annotations", notes);
	json_object_object_add(o, "schemaVersion", json_object_new_int(2));
	add_text(o, "mediaType", MEDIA "index.v1+json");
	json_object_array_add(list, m);
	json_object_object_add(o, "manifests", list);
	return finish(o);
}

char *oci_docker_text(const struct oci_opts *opts, const struct oci_blob *config,
		      const struct oci_blob *layer)
{
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();
	struct json_object *tags = json_object_new_array(), *layers = json_object_new_array();
	cleanup_free char *config_path = xasprintf("blobs/sha256/%s", config->sha256);
	cleanup_free char *layer_path = xasprintf("blobs/sha256/%s", layer->sha256);
	cleanup_free char *tag = full_tag(opts->config);

	add_text(o, "Config", config_path);
	json_object_array_add(tags, json_object_new_string(tag));
	json_object_object_add(o, "RepoTags", tags);
	json_object_array_add(layers, json_object_new_string(layer_path));
	json_object_object_add(o, "Layers", layers);
	json_object_array_add(list, o);
	return finish(list);
}
