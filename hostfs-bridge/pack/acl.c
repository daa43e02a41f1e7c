// SPDX-License-Identifier: GPL-2.0-or-later
/* POSIX ACLs out of archives: see acl.h. */
#include "hostfs-bridge/pack/private.h"

#include <archive.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#define ACL_VERSION	2
#define ACL_NO_ID	UINT32_MAX

enum { USER_OBJ = 0x01, USER = 0x02, GROUP_OBJ = 0x04, GROUP = 0x08, MASK = 0x10, OTHER = 0x20 };

struct ace {
	uint16_t tag;
	uint16_t perm;
	uint32_t id;
};

static int tag_of(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return USER_OBJ;
	case ARCHIVE_ENTRY_ACL_USER:
		return USER;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return GROUP_OBJ;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return GROUP;
	case ARCHIVE_ENTRY_ACL_MASK:
		return MASK;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return OTHER;
	default:
		return -EINVAL;
	}
}

/* The order the kernel insists on: by tag, then by id. */
static int compare_aces(const void *pa, const void *pb)
{
	const struct ace *a = pa, *b = pb;

	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int read_ace(struct archive_entry *entry, int type, struct ace *ace)
{
	int got_type, permset, tag, qual;
	const char *name;
	uint64_t id;
	int ret = archive_entry_acl_next(entry, type, &got_type, &permset, &tag, &qual, &name);

	if (ret == ARCHIVE_EOF)
		return 0;
	if (ret != ARCHIVE_OK)
		return -EINVAL;
	tag = tag_of(tag);
	if (tag < 0)
		return tag;
	*ace = (struct ace){ (uint16_t)tag, (uint16_t)(permset & 7), ACL_NO_ID };
	if (tag == USER || tag == GROUP) {
		if (qual >= 0)
			ace->id = (uint32_t)qual;
		else if (name && parse_u64(name, 10, UINT32_MAX - 1, &id) == 0)
			ace->id = (uint32_t)id;
		else
			return -EINVAL;
	}
	return 1;
}

int acl_from_entry(struct archive_entry *entry, int type, struct strbuf *out, int *mask)
{
	int count = archive_entry_acl_reset(entry, type);
	cleanup_free struct ace *aces = NULL;
	size_t n = 0;
	int ret = 0;

	*mask = -1;
	if (count <= 0)
		return 0;
	aces = xcalloc((size_t)count, sizeof(*aces));
	while (n < (size_t)count && (ret = read_ace(entry, type, &aces[n])) > 0) {
		if (aces[n].tag == MASK)
			*mask = aces[n].perm << 3;
		n++;
	}
	if (ret < 0)
		return ret;
	if (n == 0)
		return 0;
	qsort(aces, n, sizeof(*aces), compare_aces);

	uint32_t version = htole32(ACL_VERSION);

	sb_add(out, &version, sizeof(version));
	for (size_t i = 0; i < n; i++) {
		struct ace le = { htole16(aces[i].tag), htole16(aces[i].perm), htole32(aces[i].id) };

		sb_add(out, &le, sizeof(le));
	}
	return 0;
}
