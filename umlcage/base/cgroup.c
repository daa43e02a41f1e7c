// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits of control groups: see cgroup.h. */
#include "umlcage/base/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

enum { TEXT_MAX = 1 << 20, DEPTH_MAX = 64 };

/* By version and kind; the first form of version 1 says "no limit" by a number near 2^63. */
static const struct names {
	const char *controller;
	struct { const char *limit, *events, *word; } v[2];
} names[] = {
	[CGROUP_MEMORY] = { "memory", { { "memory.limit_in_bytes", "memory.oom_control", "oom_kill " },
					{ "memory.max", "memory.events", "oom_kill " } } },
	[CGROUP_PIDS] = { "pids", { { "pids.max", "pids.events", "max " },
				    { "pids.max", "pids.events", "max " } } },
};

static const uint64_t unlimited = 1ULL << 62;

static char *text_of(const char *path)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	return file_read(AT_FDCWD, path, TEXT_MAX, &text, NULL) < 0 ? NULL : sb_steal(&text);
}

static bool has_word(const char *list, const char *word)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, list, ",");
	return strv_has(&words, word);
}

/*
 * This process's group in the hierarchy of version 2 (@controller NULL) or of a controller:
 * a line "ID:CONTROLLERS:PATH" of /proc/self/cgroup.
 */
static char *group_of(const char *cgroups, const char *controller)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, cgroups, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		char *list = strchr(lines.v[i], ':');
		char *path = list ? strchr(list + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		if (controller ? has_word(list + 1, controller) : !list[1])
			return xstrdup(path);
	}
	return NULL;
}

/*
 * The folder of group @path, and in *@top where its hierarchy is mounted: a line "ID PARENT DEV
 * ROOT POINT OPTIONS... - TYPE SOURCE SUPER" of /proc/self/mountinfo.  What of the path is
 * above the mount's root cannot be seen.
 */
static char *folder_of(const char *mounts, const char *controller, const char *path,
		       const char *root, char **top)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, mounts, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		cleanup_strv struct strv w = STRV_INIT;
		const char *end = strstr(lines.v[i], " - ");
		cleanup_strv struct strv fs = STRV_INIT;
		size_t len;

		strv_split(&w, lines.v[i], " ");
		strv_split(&fs, end ? end + 3 : "", " ");
		if (w.n < 5 || fs.n < 3 || !str_eq(fs.v[0], controller ? "cgroup" : "cgroup2") ||
		    (controller && !has_word(fs.v[2], controller)))
			continue;
		len = str_eq(w.v[3], "/") ? 0 : strlen(w.v[3]);
		*top = xasprintf("%s%s", root, w.v[4]);
		if (strncmp(path, w.v[3], len) != 0 || strstr(path, "/..") ||
		    str_eq(path + len, "/"))
			return xstrdup(*top);
		return xasprintf("%s%s", *top, path + len);
	}
	return NULL;
}

static uint64_t count_in(const char *folder, const char *file, const char *word)
{
	cleanup_free char *path = path_join(folder, file), *text = text_of(path);
	uint64_t n = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
		cleanup_free char *number = NULL;

		if (str_starts(line, word)) {
			line += strlen(word);
			number = xstrndup(line, strcspn(line, "\n"));
			(void)parse_u64(number, 10, UINT64_MAX, &n);
			return n;
		}
		if (!strchr(line, '\n'))
			break;
	}
	return n;
}

static void look_at(struct cgroup_limit *l, const char *folder, const char *file)
{
	cleanup_free char *path = path_join(folder, file), *text = text_of(path);
	uint64_t limit;

	if (!text)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (parse_u64(text, 10, UINT64_MAX, &limit) < 0 || limit >= unlimited || limit >= l->limit)
		return;
	l->limit = limit;
	free(l->file);
	l->file = steal_ptr(&path);
}

/* From the group's folder up to where the hierarchy is mounted. */
static void climb(struct cgroup_limit *l, enum cgroup_kind kind, int version, char *folder,
		  const char *top)
{
	for (int depth = 0; depth < DEPTH_MAX && strlen(folder) >= strlen(top); depth++) {
		look_at(l, folder, names[kind].v[version].limit);
		/* of memory, a group's own count has what was killed in it, whosever limit it was */
		if (kind == CGROUP_PIDS || depth == 0)
			l->events += count_in(folder, names[kind].v[version].events,
					      names[kind].v[version].word);
		if (!strrchr(folder, '/'))
			break;
		*strrchr(folder, '/') = '\0';
	}
}

void cgroup_read(struct cgroup *c, const char *root)
{
	cleanup_free char *own = xasprintf("%s/proc/self/cgroup", root);
	cleanup_free char *table = xasprintf("%s/proc/self/mountinfo", root);
	cleanup_free char *cgroups = text_of(own), *mounts = text_of(table);

	*c = (struct cgroup)CGROUP_INIT;
	for (int kind = 0; cgroups && mounts && kind < CGROUP_KINDS; kind++) {
		for (int version = 0; version < 2; version++) {
			const char *controller = version ? NULL : names[kind].controller;
			cleanup_free char *path = group_of(cgroups, controller), *top = NULL;
			cleanup_free char *folder = path ? folder_of(mounts, controller, path, root,
								     &top) : NULL;

			if (folder)
				climb(&c->v[kind], (enum cgroup_kind)kind, version, folder, top);
		}
	}
}

void cgroup_release(struct cgroup *c)
{
	for (int kind = 0; kind < CGROUP_KINDS; kind++)
		free(c->v[kind].file);
	*c = (struct cgroup)CGROUP_INIT;
}

char *cgroup_met(const struct cgroup *before, const char *root)
{
	struct cgroup now;
	char *text = NULL;

	cgroup_read(&now, root);

	const struct cgroup_limit *memory = &now.v[CGROUP_MEMORY], *pids = &now.v[CGROUP_PIDS];

	if (memory->events > before->v[CGROUP_MEMORY].events && memory->file) {
		cleanup_free char *size = format_size(memory->limit);

		text = xasprintf("the host killed a process of its control group for want of memory "
				 "(the limit is %s: '%s')", size, memory->file);
	} else if (memory->events > before->v[CGROUP_MEMORY].events) {
		text = xstrdup("the host killed a process of its control group for want of memory");
	} else if (pids->events > before->v[CGROUP_PIDS].events) {
		text = xasprintf("its control group may have no more processes (the limit is %llu: "
				 "'%s')", (unsigned long long)pids->limit,
				 pids->file ? pids->file : "?");
	}
	cgroup_release(&now);
	return text;
}
