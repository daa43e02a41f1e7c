// SPDX-License-Identifier: GPL-2.0-or-later
/* status.json in the folder of a build: when it ran, and what came of it each time. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"

#define RECORDS "status.json"
#define RUNS_MAX 60

struct json_object *json_of_text(const char *value)
{
	/* trees have names and texts of all kinds, JSON is UTF-8 */
	cleanup_free char *text = str_utf8(value);

	return json_object_new_string(text);
}

void json_add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_of_text(value));
}

struct json_object *json_of_list(const struct strv *v)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < v->n; i++)
		json_object_array_add(list, json_of_text(v->v[i]));
	return list;
}

const char *json_text(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;
	const char *text = o && json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;

	return text ? text : "";
}

int64_t json_number(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return o && json_object_object_get_ex(o, key, &v) ? json_object_get_int64(v) : 0;
}

struct json_object *build_records(const char *folder)
{
	cleanup_free char *path = path_join(folder, RECORDS);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	return file_read(AT_FDCWD, path, 1 << 22, &text, NULL) < 0 ? NULL :
	       json_tokener_parse(sb_str(&text));
}

static struct json_object *run_object(const struct build_run *run)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "when", json_object_new_int64(run->when));
	json_object_object_add(o, "seconds", json_object_new_int64((int64_t)(run->seconds * 1000)));
	json_object_object_add(o, "failed", json_object_new_boolean(run->failed));
	json_object_object_add(o, "bytes", json_object_new_int64((int64_t)run->bytes));
	json_add_text(o, "folder", run->folder ? run->folder : "");
	json_add_text(o, "text", run->text ? run->text : "");
	json_add_text(o, "changes", run->changes ? run->changes : "");
	return o;
}

void build_record(const char *folder, const char *name, const struct build_run *run)
{
	struct json_object *old = build_records(folder), *list = NULL;
	struct json_object *o = json_object_new_object(), *runs = json_object_new_array();
	cleanup_free char *path = path_join(folder, RECORDS);
	const char *text;

	json_add_text(o, "name", name);
	json_object_object_add(o, "checked", json_object_new_int64((int64_t)time(NULL)));
	if (run)
		json_object_array_add(runs, run_object(run));
	if (old && json_object_object_get_ex(old, "runs", &list) &&
	    json_object_is_type(list, json_type_array))
		for (size_t i = 0; i < json_object_array_length(list) && i < RUNS_MAX; i++)
			json_object_array_add(runs, json_object_get(json_object_array_get_idx(list, i)));
	json_object_object_add(o, "runs", runs);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	(void)file_replace(AT_FDCWD, path, text, strlen(text), 0644, NULL);
	json_object_put(o);
	if (old)
		json_object_put(old);
}
