# SPDX-License-Identifier: GPL-2.0-or-later
# The supervisor: base helpers, the network and the command line.
# base is a set of leaf helpers with a header each.
$(eval $(call module,base,umlcage/base,callfilter.c cgroup.c confine.c error.c fd.c hash.c hide.c ini.c interrupt.c keys.c landlock.c opts.c outfile.c parent.c patience.c pollset.c proc.c \
	progress.c pump.c relay.c remains.c signals.c str.c worker.c xdg.c,libcrypto,))
MOD_base_public := *
$(eval $(call module,net,umlcage/net,filter.c flows.c helper.c nat.c net.c policy.c,slirp,base))
MOD_net_public := net.h addresses.h policy.h
$(eval $(call module,doctor,umlcage/doctor,doctor.c probes.c,,base))

$(eval $(call module,cage,umlcage/cage,cage.c command.c console.c control.c cow.c detach.c exec.c exit.c forward.c jail.c launch.c limits.c loop.c namespaces.c peers.c place.c \
	proto.c sockets.c start.c stats.c syscalls.c terminal.c warden.c,,net base))
MOD_cage_public := cage.h cow.h forward.h terminal.h

# a machine: kernel, memory, processors, wall, network, as options and as a cage's configuration
$(eval $(call module,machine,umlcage/machine,environment.c kernel.c machine.c sockets.c,,kernel cage net base))

# the places of the host that a cage works on: its root, where changes go, folders
$(eval $(call module,places,umlcage/places,mounts.c places.c,,snapshot roots share cage base))

# cages that outlive a terminal, by name
$(eval $(call module,session,umlcage/session,claim.c client.c clients.c commands.c names.c requests.c serve.c wire.c,,cage base))

# what their disks were at a time
$(eval $(call module,snapshot,umlcage/snapshot,snapshot.c,,session roots share base))

# files of the host from and to streams of tar
$(eval $(call module,copy,umlcage/copy,copy.c,libarchive,base))

# the agent's initramfs, as data in the library of cages
$(MOD_cage_lib): $(O)/obj/umlcage/cage/initramfs.o
$(O)/obj/umlcage/cage/initramfs.o: umlcage/cage/initramfs.S $(O)/agent/initramfs.cpio
	@mkdir -p $(@D)
	$(call say,AS,$<)$(CC) -DINITRAMFS='"$(O)/agent/initramfs.cpio"' -c -o $@ $<

# lists for people and programs
$(eval $(call module,table,umlcage/table,table.c,json-c,base))

# umlcage/cmd/NAME.c is the command NAME.  There are three programs, each with what it needs in it
# and no more: umlcage itself, the door, asks sessions; umlcage-cage runs cages; umlcage-make has
# all commands, and fetches, unpacks, solves and builds.
cmd_files = $(patsubst %,umlcage/cmd/%.c,$(1))
CMD_SRCS := $(wildcard umlcage/cmd/*.c)
CMD_DOOR_SRCS := $(call cmd_files,cmd door-main guest programs session-run settings)
CMD_CAGE_SRCS := $(call cmd_files,boot cage-main cmd guest guest-run programs run session-login session-run session-start \
	settings units workshop)
CMD_MAKE_SRCS := $(filter-out %-main.c,$(CMD_SRCS))

# what the file of settings may have in it, known to the programs that have some commands only
KNOWN := $(O)/gen/settings-known
$(KNOWN).c: $(O)/libexec/umlcage/umlcage-make umlcage/module.mk
	@mkdir -p $(@D)
	$(call say,GEN,$@)UMLCAGE_CONFIG= $< help umlcage.conf | sed -n '/^sections and keys:/,$$p' | \
		awk 'BEGIN { print "#include \"umlcage/cmd/settings.h\"\nstatic const char *const known[] = {" } \
		/^\[/ { print "\"" $$0 "\"," } \
		/^  / { gsub(/ /, ""); gsub(/,/, "\", \""); print "\"" $$0 "\"," } \
		END { print "NULL };\nconst char *const *settings_known(void)\n{\n\treturn known;\n}" }' >$@.new
	@mv $@.new $@
$(KNOWN).o: $(KNOWN).c
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<
