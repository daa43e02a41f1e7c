/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POSIX ACLs of an archive entry in the form Linux keeps them in system.posix_acl_access
 * and _default (include/uapi/linux/posix_acl_xattr.h).
 */
#ifndef UMLCAGE_SHARE_ACL_H
#define UMLCAGE_SHARE_ACL_H

#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>

#include "umlcage/base/str.h"

/*
 * The ACL of that type (ARCHIVE_ENTRY_ACL_TYPE_ACCESS or _DEFAULT) into @out, which is
 * left empty if the entry has none.  *@mask gets the group bits of the mode if there
 * is a mask entry, -1 otherwise.  0, or -EINVAL for a user or group known by name only.
 */
int acl_from_entry(struct archive_entry *entry, int type, struct strbuf *out, int *mask);

#endif
