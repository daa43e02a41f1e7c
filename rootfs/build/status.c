// SPDX-License-Identifier: GPL-2.0-or-later
/* What has become of the builds, from their folders. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/build/private.h"

static void take_run(struct build_status *s, struct json_object *o)
{
	struct build_run *r;

	s->runs = xreallocarray(s->runs, s->nruns + 1, sizeof(*s->runs));
	r = &s->runs[s->nruns++];
	*r = (struct build_run){
		.when = json_number(o, "when"), .seconds = (double)json_number(o, "seconds") / 1000,
		.failed = json_number(o, "failed") != 0, .bytes = (uint64_t)json_number(o, "bytes"),
		.text = xstrdup(json_text(o, "text")), .changes = xstrdup(json_text(o, "changes")),
	};
	if (*json_text(o, "folder"))
		r->folder = xstrdup(json_text(o, "folder"));
}

static void take_status(struct build_status *s, const struct build *b, const char *output)
{
	const struct build_how how = { .output = output };
	struct json_object *o, *list = NULL;
	cleanup_free char *latest = NULL;
	char to[256];
	ssize_t len;

	*s = (struct build_status){ .name = xstrdup(b->name), .folder = build_folder(&how, b),
				    .description = b->description ? xstrdup(b->description) : NULL };
	latest = path_join(s->folder, "latest");
	len = readlink(latest, to, sizeof(to));
	s->latest = len > 0 && len < (ssize_t)sizeof(to) ? xstrndup(to, (size_t)len) : NULL;
	o = build_records(s->folder);
	if (!o)
		return;
	s->checked = json_number(o, "checked");
	if (json_object_object_get_ex(o, "runs", &list) && json_object_is_type(list, json_type_array))
		for (size_t i = 0; i < json_object_array_length(list); i++)
			take_run(s, json_object_array_get_idx(list, i));
	json_object_put(o);
}

int builds_status(const struct builds *b, const char *output, struct build_statuses *s,
		  struct error *e)
{
	(void)e;
	s->v = xcalloc(b->n + 1, sizeof(*s->v));
	s->n = 0;
	for (size_t i = 0; i < b->n; i++)
		take_status(&s->v[s->n++], b->v[i], output);
	return 0;
}

void build_statuses_release(struct build_statuses *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct build_status *b = &s->v[i];

		for (size_t k = 0; k < b->nruns; k++) {
			free(b->runs[k].folder);
			free(b->runs[k].text);
			free(b->runs[k].changes);
		}
		free(b->runs);
		free(b->name);
		free(b->folder);
		free(b->description);
		free(b->latest);
	}
	free(s->v);
	s->v = NULL;
	s->n = 0;
}
