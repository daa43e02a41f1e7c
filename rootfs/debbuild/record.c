// SPDX-License-Identifier: GPL-2.0-or-later
/* What came of a build, as JSON. */
#include <json-c/json.h>
#include <stdlib.h>

#include "rootfs/debbuild/private.h"

static const char *const steps[DEBBUILD_STEPS] = {
	[DEBBUILD_SOURCE] = "source", [DEBBUILD_ROOT] = "root",
	[DEBBUILD_DEPENDENCIES] = "dependencies", [DEBBUILD_INSTALL] = "install",
	[DEBBUILD_UNPACK] = "unpack", [DEBBUILD_BUILD] = "build", [DEBBUILD_RESULTS] = "results",
	[DEBBUILD_DONE] = "done",
};

const char *debbuild_status(const struct debbuild_result *r)
{
	switch (r->step) {
	case DEBBUILD_DONE:
		return "successful";
	case DEBBUILD_BUILD:
		return "attempted";
	case DEBBUILD_DEPENDENCIES:
	case DEBBUILD_INSTALL:
		return "given-back";
	default:
		return "failed";
	}
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static struct json_object *times(const struct debbuild_result *r)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < DEBBUILD_STEPS; i++)
		json_object_object_add(o, i == DEBBUILD_DONE ? "all" : steps[i],
				       json_object_new_int64(r->milliseconds[i]));
	return o;
}

static struct json_object *files(const struct debian_files *f)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < f->n; i++) {
		struct json_object *o = json_object_new_object();

		add_text(o, "name", f->v[i].name);
		json_object_object_add(o, "bytes", json_object_new_int64((int64_t)f->v[i].size));
		add_text(o, "sha256", f->v[i].sum);
		json_object_array_add(list, o);
	}
	return list;
}

char *debbuild_json(const struct debbuild_result *r)
{
	struct json_object *o = json_object_new_object(), *installed = json_object_new_array();
	char *text;

	add_text(o, "status", debbuild_status(r));
	add_text(o, "step", steps[r->step]);
	add_text(o, "why", r->why);
	add_text(o, "source", r->source);
	add_text(o, "version", r->version);
	add_text(o, "built_version", r->built);
	add_text(o, "suite", r->suite);
	add_text(o, "distribution", r->distribution);
	add_text(o, "architecture", r->architecture);
	json_object_object_add(o, "began", json_object_new_int64(r->began));
	json_object_object_add(o, "milliseconds", times(r));
	add_text(o, "folder", r->folder);
	add_text(o, "log", r->log);
	json_object_object_add(o, "files", files(&r->files));
	for (size_t i = 0; i < r->installed.n; i++)
		json_object_array_add(installed, json_object_new_string(r->installed.v[i]));
	json_object_object_add(o, "installed", installed);
	if (r->compared) {
		struct json_object *differ = json_object_new_array();

		for (size_t i = 0; i < r->differ.n; i++)
			json_object_array_add(differ, json_object_new_string(r->differ.v[i]));
		json_object_object_add(o, "reproduced", json_object_new_boolean(!r->differ.n));
		json_object_object_add(o, "differ", differ);
	}
	text = xasprintf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_SPACED |
							      JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return text;
}

void debbuild_result_release(struct debbuild_result *r)
{
	free(r->why);
	free(r->source);
	free(r->version);
	free(r->built);
	free(r->suite);
	free(r->architecture);
	free(r->distribution);
	free(r->folder);
	free(r->log);
	free(r->record);
	debian_files_release(&r->files);
	strv_release(&r->installed);
	strv_release(&r->differ);
	*r = (struct debbuild_result){ 0 };
}
