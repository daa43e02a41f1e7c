// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * json-c, where running out of memory is the end of the process as everywhere: a member that could
 * not be added would only be absent, and a manifest without it believed.
 */
#include <stdlib.h>

#include "rootfs/build/private.h"

static void *must(void *p)
{
	if (!p)
		memory_end("umlcage: out of memory\n");
	return p;
}

struct json_object *json_new(void)
{
	return must(json_object_new_object());
}

struct json_object *json_new_list(void)
{
	return must(json_object_new_array());
}

void json_add(struct json_object *o, const char *key, struct json_object *value)
{
	if (json_object_object_add(o, key, must(value)) < 0)
		(void)must(NULL);
}

void json_push(struct json_object *list, struct json_object *value)
{
	if (json_object_array_add(list, must(value)) < 0)
		(void)must(NULL);
}

const char *json_print(struct json_object *o, int flags)
{
	const char *text = json_object_to_json_string_ext(o, flags);

	if (!text)
		(void)must(NULL);
	return text;
}

struct json_object *json_of_text(const char *value)
{
	/* trees have names and texts of all kinds, JSON is UTF-8 */
	cleanup_free char *text = str_utf8(value);

	return must(json_object_new_string(text));
}

void json_add_text(struct json_object *o, const char *key, const char *value)
{
	json_add(o, key, json_of_text(value));
}

struct json_object *json_of_list(const struct strv *v)
{
	struct json_object *list = json_new_list();

	for (size_t i = 0; i < v->n; i++)
		json_push(list, json_of_text(v->v[i]));
	return list;
}

struct json_object *json_list(struct json_object *o, const char *key)
{
	struct json_object *list = NULL;

	return o && json_object_object_get_ex(o, key, &list) && json_object_is_type(list, json_type_array) ?
	       list : NULL;
}

size_t json_length(struct json_object *list)
{
	return list ? json_object_array_length(list) : 0;
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
