# SPDX-License-Identifier: GPL-2.0-or-later
# Fabrication, from the mirror to the target.  A line is a folder and what it builds on.

# files from mirrors: downloads, their cache, signatures
$(eval $(call module,fetch,rootfs/fetch,download.c store.c url.c verify.c,libcrypto libcurl,base))

# control files of Debian: paragraphs, versions
$(eval $(call module,deb822,rootfs/deb822,deb822.c line.c,,base))

# package files
$(eval $(call module,deb,rootfs/deb,deb.c facts.c preinst.c reader.c records.c,libarchive,deb822 base))

# package archives: sources, Release files, indexes, packages
$(eval $(call module,debian,rootfs/debian,archive.c find.c index.c mirror.c packages.c release.c release-fetch.c source.c sources.c,\
	libarchive libcrypto,fetch deb822 base))

# programs of other processors: qemu-user, and the roots that need it
$(eval $(call module,emulate,rootfs/emulate,emulate.c fetch.c,libarchive,deb debian cage base))

# which packages, by apt's rules
$(eval $(call module,solve,rootfs/solve,filter.c foreign.c index.c mark.c order.c packages.c pattern.c sat.c select.c,\
	libsolv libsolvext,deb deb822 base))

# what fabricate was asked for
$(eval $(call module,options,rootfs/options,aptconf.c environment.c options.c sources.c texts.c words.c,,\
	emulate debian target base))

# the plan: packages and the steps by which dpkg would install them
$(eval $(call module,plan,rootfs/plan,answer.c choose.c local.c plan.c,libcrypto,solve options debian base))

# packages into a share, and dpkg's database
$(eval $(call module,unpack,rootfs/unpack,claims.c database.c merge.c owners.c \
	settle.c unpack.c,\
	libarchive libcrypto,deb deb822 share base))

# finished trees by what they were made from, and the cache as a whole
$(eval $(call module,cache,rootfs/cache,list.c recipe.c secrets.c trees.c,libcrypto,\
	options debian roots target pack share base))

# from a plan to a target
$(eval $(call module,fabricate,rootfs/fabricate,apt.c configure.c crew.c fabricate.c hooks.c hooks-pack.c \
	hooks-text.c kept.c later.c replan.c request.c second.c setup.c table.c tools.c work.c,libarchive,machine cache plan unpack emulate cage roots target share debian))

# images of file systems by tools in a cage
$(eval $(call module,image,rootfs/image,before.c commands.c disk.c ext4.c image.c kernel.c measure.c,,fabricate machine cage cache target share base))
$(MOD_image_lib): $(O)/obj/rootfs/image/scripts.o
image_preload := $(patsubst %,$(O)/obj/rootfs/image/%.so,still blocks gather)
$(O)/obj/rootfs/image/scripts.o: rootfs/image/scripts.S $(image_preload) $(wildcard rootfs/image/*.sh)
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) -DSTILL='"$(word 1,$(image_preload))"' -DBLOCKS='"$(word 2,$(image_preload))"' \
		-DGATHER='"$(word 3,$(image_preload))"' -c -o $@ $<
# for another C library than the host's: still.c needs none, the others what each has
$(O)/obj/rootfs/image/%.so: rootfs/image/%.c rootfs/image/preload.h
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra $(if $(DEVELOPER),-Werror) -ffreestanding -fno-stack-protector \
		-I. -fPIC -shared -nostdlib -s -Wl,-z,lazy -Wl,-soname,$*.so -o $@ $<

# build files
$(eval $(call module,build,rootfs/build,again.c bom.c file.c json.c keys.c licences.c manifest.c matrix.c packages.c page.c provenance.c publish.c record.c run.c sections.c sign.c spdx.c stage.c status.c step.c sums.c tool.c,\
	json-c,image fabricate debian emulate machine places cage cache roots target pack share deb822 base))

# packages from their sources
$(eval $(call module,debbuild,rootfs/debbuild,buildinfo.c debbuild.c depends.c log.c nmu.c options.c output.c record.c report.c\
	source.c steps.c wish.c,json-c,fabricate emulate plan options debian fetch deb822 machine cage roots share base))
