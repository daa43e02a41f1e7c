# SPDX-License-Identifier: GPL-2.0-or-later
# The metadata codec of a share; hostfs-bridge/kernel compiles the same file into the kernel.
$(eval $(call module,meta,hostfs-bridge/meta,meta.c,,))

# Shares on the host: opening, making, changing, walking, checking, copying.
$(eval $(call module,share,hostfs-bridge/share,attr.c copy.c entry.c links.c modes.c rename.c seal.c share.c stage.c \
	tree.c verify.c walk.c,,meta base))

# Shares from and to archives, the only user of libarchive for them.
$(eval $(call module,pack,hostfs-bridge/pack,acl.c compare.c export.c gzip.c import.c ring.c stream.c,libarchive zlib,share meta base))

# Images of containers.
$(eval $(call module,oci,hostfs-bridge/oci,config.c find.c kind.c layout.c oci.c read.c,\
	json-c libarchive glib-2.0 libcrypto,pack share base))

# Targets: the formats there are, and files that appear whole.
$(eval $(call module,target,hostfs-bridge/target,beside.c details.c formats.c target.c,,oci pack share base))

# Roots: what may follow --root, and what is kept by name.
$(eval $(call module,roots,hostfs-bridge/roots,changes.c import.c roots.c,libcrypto,oci pack share base))
