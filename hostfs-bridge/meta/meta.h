/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata codec of a share, freestanding: the humfs filesystem in the
 * kernel and the tools on the host compile the same file.  It knows the text of
 * the extended attribute that records what the guest sees, what the host object
 * under it looks like, and which attribute names of the guest go where.
 *
 *	UID:GID:MODE[:TYPE]	in user.containers.override_stat
 *
 * Nothing here allocates, locks or calls the system.
 */
#ifndef UMLCAGE_HUMFS_META_H
#define UMLCAGE_HUMFS_META_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define HUMFS_META_XATTR	"user.containers.override_stat"
/* Guest names outside user.* are stored as this plus the whole guest name. */
#define HUMFS_XATTR_PREFIX	"user.containers.override_"
/* What begins like this on the host is never shown to the guest under its own name. */
#define HUMFS_HIDDEN_PREFIX	"user.containers."

/* Longest value humfs_meta_format() makes, with its NUL, rounded up. */
#define HUMFS_META_MAX		64
/* Longest value humfs_meta_parse() looks at; a longer one is -EINVAL. */
#define HUMFS_META_READ_MAX	128
/* Longest attribute name a host takes, without the NUL. */
#define HUMFS_XATTR_NAME_MAX	255

enum humfs_type {
	HUMFS_FILE,
	HUMFS_DIR,
	HUMFS_SYMLINK,
	HUMFS_PIPE,
	HUMFS_SOCKET,
	HUMFS_BLOCK,
	HUMFS_CHAR,
};

struct humfs_meta {
	uint32_t uid;
	uint32_t gid;
	uint32_t mode;		/* permission bits, 0 to 07777 */
	enum humfs_type type;
	uint32_t major;		/* both 0 but for HUMFS_BLOCK and HUMFS_CHAR */
	uint32_t minor;
};

/*
 * Reads the attribute's @len bytes (no NUL needed).  @host is the type of the
 * host object, which a missing TYPE field means.  A mode may carry the type bits of a
 * stat; they are dropped.  0, or -EINVAL and *@m is not touched.
 */
int humfs_meta_parse(const char *s, size_t len, enum humfs_type host, struct humfs_meta *m);

/*
 * Writes the four-field form and a NUL into @buf of HUMFS_META_MAX bytes and
 * returns the length without it, or -EINVAL for a mode above 07777 or an
 * unknown type.  humfs_meta_parse() reads back exactly *@m.
 */
int humfs_meta_format(const struct humfs_meta *m, char *buf);

/* What an object without the attribute is: 0:0 and the host's permission bits. */
void humfs_meta_default(enum humfs_type host, uint32_t host_mode, struct humfs_meta *m);

/* The type of a stat's st_mode, or -EINVAL for one no filesystem has. */
int humfs_type_of_mode(uint32_t st_mode);
/* The S_IFMT bits of @type. */
uint32_t humfs_type_bits(enum humfs_type type);

/* The type of the host object that holds *@m: file, directory or real symlink. */
enum humfs_type humfs_host_type(const struct humfs_meta *m);

/*
 * The permission bits of the host object that holds *@m: the guest's, plus
 * owner rw (rwx for a directory), never set-id or sticky; 0600 for what is no
 * file or directory in the guest; 0777 for a real symlink.
 */
uint32_t humfs_host_mode(const struct humfs_meta *m);

/*
 * Does *@m need the attribute, or does the host object made as humfs_host_type()
 * and humfs_host_mode() say it all?  (The root of a share carries one anyway.)
 */
bool humfs_meta_needed(const struct humfs_meta *m);

/*
 * Can the recorded type stand on a host object of that type?  A directory only
 * on a directory and the reverse, everything else on a regular file, and what
 * the host object is by itself always.
 */
bool humfs_meta_fits(const struct humfs_meta *m, enum humfs_type host);

/*
 * The host's name for the guest's attribute @guest, into @host of
 * HUMFS_XATTR_NAME_MAX + 1 bytes.  Returns its length, -ERANGE if it is too
 * long, -EPERM for user.containers.*, -EOPNOTSUPP for a namespace that a share
 * does not keep (system.* but the two ACLs).
 */
int humfs_xattr_to_host(const char *guest, char *host);

/*
 * The guest's name for the host's attribute @host: a pointer into @host, or
 * NULL for one that the guest does not see.
 */
const char *humfs_xattr_to_guest(const char *host);

#endif
