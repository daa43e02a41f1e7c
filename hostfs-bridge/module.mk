# SPDX-License-Identifier: GPL-2.0-or-later
# The metadata codec of a share; hostfs-bridge/kernel compiles the same file into the kernel.
$(eval $(call module,meta,hostfs-bridge/meta,meta.c,,))
