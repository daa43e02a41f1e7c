# SPDX-License-Identifier: GPL-2.0-or-later
# The metadata codec of a share; hostfs-bridge/kernel compiles the same file into the kernel.
$(eval $(call module,meta,hostfs-bridge/meta,meta.c,,))

# Shares on the host: opening, making and walking their trees, archives in and out.
$(eval $(call module,share,hostfs-bridge/lib,attr.c entry.c rename.c share.c tree.c,,meta base))
