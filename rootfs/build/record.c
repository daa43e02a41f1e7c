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

struct json_object *build_records(const char *folder)
{
	cleanup_free char *path = path_join(folder, RECORDS);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	return file_read(AT_FDCWD, path, 1 << 22, &text, NULL) < 0 ? NULL :
	       json_tokener_parse(sb_str(&text));
}

static struct json_object *run_object(const struct build_run *run)
{
	struct json_object *o = json_new();

	json_add(o, "when", json_object_new_int64(run->when));
	json_add(o, "seconds", json_object_new_int64((int64_t)(run->seconds * 1000)));
	json_add(o, "failed", json_object_new_boolean(run->failed));
	json_add(o, "bytes", json_object_new_int64((int64_t)run->bytes));
	json_add_text(o, "folder", run->folder ? run->folder : "");
	json_add_text(o, "text", run->text ? run->text : "");
	json_add_text(o, "changes", run->changes ? run->changes : "");
	return o;
}

void build_record(const char *folder, const char *name, const struct build_run *run)
{
	struct json_object *old = build_records(folder), *list = json_list(old, "runs");
	struct json_object *o = json_new(), *runs = json_new_list();
	cleanup_free char *path = path_join(folder, RECORDS);
	const char *text;

	json_add_text(o, "name", name);
	json_add(o, "checked", json_object_new_int64((int64_t)time(NULL)));
	if (run)
		json_push(runs, run_object(run));
	for (size_t i = 0; i < json_length(list) && i < RUNS_MAX; i++) {
		struct json_object *former = json_object_array_get_idx(list, i);

		if (former)
			json_push(runs, json_object_get(former));
	}
	json_add(o, "runs", runs);
	text = json_print(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	(void)file_replace(AT_FDCWD, path, text, strlen(text), 0644, NULL);
	json_object_put(o);
	if (old)
		json_object_put(old);
}
