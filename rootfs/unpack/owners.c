// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Owners by name.  A package's tar file has names and numbers of its owners; dpkg takes the
 * number that the target's passwd and group give to the name, and that of the tar file only
 * where they do not know it (tar_entry_update_from_system() in dpkg's tarfn.c).
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs/unpack/private.h"

#define FILE_MAX ((size_t)64 << 20)

int unpack_read(struct share_tree *tree, const char *path, struct strbuf *out, struct error *e)
{
	return share_read(tree, path, FILE_MAX, out, e);
}

/* The third field of the line of passwd(5) or group(5) that begins with @name. */
static uint32_t number_of(const char *text, const char *name, uint32_t otherwise)
{
	size_t len = name ? strlen(name) : 0;

	for (const char *line = text; len && *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *id;
		char *end;
		unsigned long value;

		if (strncmp(line, name, len) != 0 || line[len] != ':')
			continue;
		id = line + len + 1 + strcspn(line + len + 1, ":\n");
		if (*id != ':')
			continue;
		value = strtoul(id + 1, &end, 10);
		if (end != id + 1 && *end == ':' && value < UINT32_MAX)
			return (uint32_t)value;
	}
	return otherwise;
}

int unpack_name_owners(struct unpack *u, struct unpacked *p, struct share_tree *tree,
		       const char *passwd, const char *group, struct error *e)
{
	cleanup_strbuf struct strbuf canonical = STRBUF_INIT;
	int index = (int)(p - u->pkgs), ret = 0;

	for (size_t i = 0; i < p->nowners && ret == 0; i++) {
		const struct unpack_owner *o = &p->owners[i];
		uint32_t uid = number_of(passwd, o->user, o->uid);
		uint32_t gid = number_of(group, o->group, o->gid);
		struct share_attr attr;
		struct claim *c;

		if (uid == o->uid && gid == o->gid)
			continue;
		unpack_canonical(u, o->path, &canonical);
		c = claims_find(&u->claims, canonical.s);
		if (!c)
			continue;
		if (c->kind == CLAIM_DIR) {
			/* whose attributes it has; they are set when all is there */
			if (c->rank == unpack_rank(u, index)) {
				c->attr.uid = uid;
				c->attr.gid = gid;
			}
			continue;
		}
		if (c->owner != index)
			continue;
		ret = share_stat(tree, o->path + 1, &attr, e);
		attr.uid = uid;
		attr.gid = gid;
		if (ret == 0)
			ret = share_setattr(tree, o->path + 1, &attr, e);
	}
	return ret;
}
