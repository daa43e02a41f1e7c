// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metadata codec of a share, see meta.h.  Freestanding: everything it reads
 * comes with a length or a NUL, and it never reads behind either.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#include "meta.h"
#else
#include <errno.h>
#include <string.h>

#include "hostfs-bridge/meta/meta.h"
#endif

#define PERM_BITS	00777u
#define MODE_BITS	07777u
#define TYPE_BITS	0170000u
#define ID_MAX		0xffffffffu

/* One row per enum humfs_type, in any order but by its index. */
static const struct {
	const char *word;
	uint32_t bits;
	bool device;
} types[] = {
	[HUMFS_FILE]	= { "file", 0100000, false },
	[HUMFS_DIR]	= { "dir", 0040000, false },
	[HUMFS_SYMLINK]	= { "symlink", 0120000, false },
	[HUMFS_PIPE]	= { "pipe", 0010000, false },
	[HUMFS_SOCKET]	= { "socket", 0140000, false },
	[HUMFS_BLOCK]	= { "block", 0060000, true },
	[HUMFS_CHAR]	= { "char", 0020000, true },
};

#define TYPE_COUNT	(sizeof(types) / sizeof(types[0]))

/* The rest of the text; s == end is its end. */
struct cursor {
	const char *s;
	const char *end;
};

/* An unsigned number of at most @max; needs one digit, takes all that follow. */
static bool take_number(struct cursor *c, unsigned int base, uint32_t max, uint32_t *out)
{
	uint64_t value = 0;
	const char *start = c->s;

	while (c->s < c->end && *c->s >= '0' && *c->s < (char)('0' + base)) {
		value = value * base + (unsigned int)(*c->s - '0');
		if (value > max)
			return false;
		c->s++;
	}
	if (c->s == start)
		return false;
	*out = (uint32_t)value;
	return true;
}

static bool take_char(struct cursor *c, char wanted)
{
	if (c->s == c->end || *c->s != wanted)
		return false;
	c->s++;
	return true;
}

static bool take_type(struct cursor *c, struct humfs_meta *m)
{
	for (size_t i = 0; i < TYPE_COUNT; i++) {
		size_t len = strlen(types[i].word);

		if ((size_t)(c->end - c->s) < len || memcmp(c->s, types[i].word, len) != 0)
			continue;
		c->s += len;
		m->type = (enum humfs_type)i;
		if (!types[i].device)
			return true;
		return take_char(c, '-') && take_number(c, 10, ID_MAX, &m->major) &&
		       take_char(c, '-') && take_number(c, 10, ID_MAX, &m->minor);
	}
	return false;
}

int humfs_meta_parse(const char *s, size_t len, enum humfs_type host, struct humfs_meta *m)
{
	struct humfs_meta got = { .type = host };
	struct cursor c = { s, s + len };

	if (len > HUMFS_META_READ_MAX)
		return -EINVAL;
	if (!take_number(&c, 10, ID_MAX, &got.uid) || !take_char(&c, ':') ||
	    !take_number(&c, 10, ID_MAX, &got.gid) || !take_char(&c, ':') ||
	    !take_number(&c, 8, TYPE_BITS | MODE_BITS, &got.mode))
		return -EINVAL;
	if (c.s != c.end && !(take_char(&c, ':') && take_type(&c, &got)))
		return -EINVAL;
	if (c.s != c.end)
		return -EINVAL;
	got.mode &= MODE_BITS;
	*m = got;
	return 0;
}

static char *put_number(char *out, unsigned int base, unsigned int digits, uint32_t value)
{
	char tmp[12];
	unsigned int n = 0;

	do {
		tmp[n++] = (char)('0' + value % base);
		value /= base;
	} while (value || n < digits);
	while (n)
		*out++ = tmp[--n];
	return out;
}

int humfs_meta_format(const struct humfs_meta *m, char *buf)
{
	char *out = buf;
	size_t len;

	if (m->mode > MODE_BITS || (size_t)m->type >= TYPE_COUNT)
		return -EINVAL;
	out = put_number(out, 10, 1, m->uid);
	*out++ = ':';
	out = put_number(out, 10, 1, m->gid);
	*out++ = ':';
	out = put_number(out, 8, 4, m->mode);
	*out++ = ':';
	len = strlen(types[m->type].word);
	memcpy(out, types[m->type].word, len);
	out += len;
	if (types[m->type].device) {
		*out++ = '-';
		out = put_number(out, 10, 1, m->major);
		*out++ = '-';
		out = put_number(out, 10, 1, m->minor);
	}
	*out = '\0';
	return (int)(out - buf);
}

void humfs_meta_default(enum humfs_type host, uint32_t host_mode, struct humfs_meta *m)
{
	*m = (struct humfs_meta){ .mode = host_mode & PERM_BITS, .type = host };
}

int humfs_type_of_mode(uint32_t st_mode)
{
	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (types[i].bits == (st_mode & TYPE_BITS))
			return (int)i;
	return -EINVAL;
}

uint32_t humfs_type_bits(enum humfs_type type)
{
	return types[type].bits;
}

enum humfs_type humfs_host_type(const struct humfs_meta *m)
{
	if (m->type == HUMFS_DIR)
		return HUMFS_DIR;
	if (m->type == HUMFS_SYMLINK && m->uid == 0 && m->gid == 0)
		return HUMFS_SYMLINK;
	return HUMFS_FILE;
}

uint32_t humfs_host_mode(const struct humfs_meta *m)
{
	switch (m->type) {
	case HUMFS_FILE:
		return (m->mode & PERM_BITS) | 0600;
	case HUMFS_DIR:
		return (m->mode & PERM_BITS) | 0700;
	case HUMFS_SYMLINK:
		return humfs_host_type(m) == HUMFS_SYMLINK ? 0777 : 0600;
	default:
		return 0600;
	}
}

bool humfs_meta_needed(const struct humfs_meta *m)
{
	if (humfs_host_type(m) != m->type)
		return true;
	if (m->type == HUMFS_SYMLINK)
		return false;
	return m->uid || m->gid || m->mode != humfs_host_mode(m);
}

bool humfs_meta_fits(const struct humfs_meta *m, enum humfs_type host)
{
	if (m->type == host)
		return true;
	return host == HUMFS_FILE && m->type != HUMFS_DIR;
}

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* A namespace that goes behind the prefix: the name without it must not be empty. */
static bool is_kept_name(const char *guest)
{
	if (starts(guest, "security."))
		return guest[strlen("security.")] != '\0';
	if (starts(guest, "trusted."))
		return guest[strlen("trusted.")] != '\0';
	return strcmp(guest, "system.posix_acl_access") == 0 ||
	       strcmp(guest, "system.posix_acl_default") == 0;
}

int humfs_xattr_to_host(const char *guest, char *host)
{
	size_t prefix = 0;
	size_t len = strlen(guest);

	if (starts(guest, HUMFS_HIDDEN_PREFIX))
		return -EPERM;
	if (is_kept_name(guest))
		prefix = strlen(HUMFS_XATTR_PREFIX);
	else if (!starts(guest, "user.") || guest[strlen("user.")] == '\0')
		return -EOPNOTSUPP;
	if (prefix + len > HUMFS_XATTR_NAME_MAX)
		return -ERANGE;
	memcpy(host, HUMFS_XATTR_PREFIX, prefix);
	memcpy(host + prefix, guest, len + 1);
	return (int)(prefix + len);
}

const char *humfs_xattr_to_guest(const char *host)
{
	size_t prefix = strlen(HUMFS_XATTR_PREFIX);

	if (strncmp(host, HUMFS_XATTR_PREFIX, prefix) == 0)
		return is_kept_name(host + prefix) ? host + prefix : NULL;
	if (starts(host, HUMFS_HIDDEN_PREFIX))
		return NULL;
	return starts(host, "user.") && host[strlen("user.")] ? host : NULL;
}
