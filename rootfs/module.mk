# SPDX-License-Identifier: GPL-2.0-or-later
# Fabrication.  archive: packages and their indexes, fetched and verified.
$(eval $(call module,archive,rootfs,archive.c archive-download.c archive-fetch.c archive-find.c \
	archive-index.c archive-mirror.c archive-release.c archive-sources.c \
	archive-store.c archive-verify.c deb822.c,libarchive libcrypto libcurl,base))

# unpack: packages into a share, and dpkg's database.
$(eval $(call module,unpack,rootfs,dpkg-db.c unpack.c unpack-claims.c unpack-deb.c unpack-preinst.c \
	unpack-settle.c,libarchive libcrypto,archive share))

# plan: fabricate's options, the solver, the order of installation.
$(eval $(call module,plan,rootfs,plan.c plan-local.c plan-options.c plan-sources.c solve-index.c \
	solve-mark.c solve-order.c solve-sat.c solve-select.c,libsolv libsolvext libcrypto,archive))

# fabricate: from a plan to a target.
$(eval $(call module,fabricate,rootfs,configure.c fabricate.c fabricate-apt.c fabricate-setup.c fabricate-work.c \
	hooks.c hooks-pack.c,libarchive,plan unpack cage share archive))

# request: whole fabrications, finished results by recipe, and the cache as a whole.
$(eval $(call module,request,rootfs,cache-list.c recipe.c request.c tree-cache.c tree-copy.c,\
	libcrypto,fabricate plan kernel share archive))
