# SPDX-License-Identifier: GPL-2.0-or-later
# The metadata codec of a share; hostfs-bridge/kernel compiles the same file into the kernel.
$(eval $(call module,meta,hostfs-bridge/meta,meta.c,,))

# Shares on the host: opening, making and walking their trees, archives in and out.
$(eval $(call module,share,hostfs-bridge/lib,acl.c attr.c entry.c export.c export-name.c import.c links.c modes.c rename.c ring.c roots.c share.c stage.c stream.c tree.c verify.c walk.c,libarchive libcrypto,meta base))
