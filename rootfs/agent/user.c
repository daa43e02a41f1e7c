// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Users of the guest, by its own files: the agent is static and must not load
 * the guest's name service modules into PID 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"

enum { DATABASE_MAX = 16 << 20, FIELDS = 8 };

/* Splits @line at colons in place; returns the number of fields. */
static size_t fields_of(char *line, char *out[FIELDS])
{
	size_t n = 0;

	for (char *p = line; n < FIELDS; p++) {
		out[n++] = p;
		p = strchr(p, ':');
		if (!p)
			break;
		*p = '\0';
	}
	return n;
}

static bool number(const char *s, uint32_t *out)
{
	uint64_t value;

	if (parse_u64(s, 10, UINT32_MAX - 1, &value) < 0)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* The line of @path whose first field is @name or whose third is @id; copied. */
static char *find_line(const char *path, const char *name, uint32_t id)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	char *save = NULL;

	if (file_read(AT_FDCWD, path, DATABASE_MAX, &text, NULL) < 0 || !text.s)
		return NULL;
	for (char *line = strtok_r(text.s, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cleanup_free char *copy = xstrdup(line);
		char *f[FIELDS];
		uint32_t n;

		if (fields_of(copy, f) < 3)
			continue;
		if (name ? strcmp(f[0], name) == 0 : number(f[2], &n) && n == id)
			return xstrdup(line);
	}
	return NULL;
}

static void add_groups(struct user *u)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	char *save = NULL;

	if (!u->name || file_read(AT_FDCWD, "/etc/group", DATABASE_MAX, &text, NULL) < 0 || !text.s)
		return;
	for (char *line = strtok_r(text.s, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		cleanup_strv struct strv members = STRV_INIT;
		char *f[FIELDS];
		uint32_t gid;

		if (fields_of(line, f) < 4 || !number(f[2], &gid) || gid == u->gid)
			continue;
		strv_split(&members, f[3], ",");
		if (strv_has(&members, u->name) && u->ngroups < ARRAY_SIZE(u->groups))
			u->groups[u->ngroups++] = gid;
	}
}

static int find_group(const char *group, gid_t *gid, struct error *e)
{
	char *f[FIELDS];
	uint32_t n;

	if (number(group, &n)) {
		*gid = n;
		return 0;
	}

	cleanup_free char *line = find_line("/etc/group", group, 0);

	if (!line || fields_of(line, f) < 3 || !number(f[2], &n))
		return err_set(e, ENOENT, "the root has no group '%s' in its /etc/group", group);
	*gid = n;
	return 0;
}

int user_find(const char *spec, struct user *u, struct error *e)
{
	cleanup_free char *copy = xstrdup(spec);
	char *colon = strchr(copy, ':');
	char *f[FIELDS];
	uint32_t id = 0;

	*u = (struct user){ 0 };
	if (colon)
		*colon = '\0';

	bool by_number = number(copy, &id);
	cleanup_free char *line = find_line("/etc/passwd", by_number ? NULL : copy, id);

	if (line && fields_of(line, f) >= 7 && number(f[2], &id)) {
		uint32_t gid = 0;

		number(f[3], &gid);
		u->uid = id;
		u->gid = gid;
		u->name = xstrdup(f[0]);
		u->home = xstrdup(f[5]);
		u->shell = xstrdup(*f[6] ? f[6] : "/bin/sh");
	} else if (by_number) {
		u->uid = id;
		u->gid = id;
		u->home = xstrdup(id ? "/" : "/root");
		u->shell = xstrdup("/bin/sh");
	} else if (strcmp(copy, "root") == 0) {
		/* a root file system may lack /etc/passwd; root is root */
		u->name = xstrdup("root");
		u->home = xstrdup("/root");
		u->shell = xstrdup("/bin/sh");
	} else {
		return err_set(e, ENOENT, "the root has no user '%s' in its /etc/passwd", copy);
	}
	u->groups[u->ngroups++] = u->gid;
	if (colon) {
		int ret = find_group(colon + 1, &u->gid, e);

		if (ret < 0) {
			user_release(u);
			return ret;
		}
		u->groups[0] = u->gid;
	}
	add_groups(u);
	return 0;
}

void user_release(struct user *u)
{
	free_ptr(&u->name);
	free_ptr(&u->home);
	free_ptr(&u->shell);
}
