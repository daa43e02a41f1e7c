# SPDX-License-Identifier: GPL-2.0-or-later
# The supervisor: base helpers, the network and the command line.
$(eval $(call module,base,umlcage/base,error.c fd.c opts.c outfile.c pollset.c proc.c progress.c \
	str.c xdg.c,,))
$(eval $(call module,net,umlcage/net,filter.c net.c,slirp,base))
$(eval $(call module,doctor,umlcage/cage,doctor.c doctor-probes.c,,base))

# A command's file in the tree is a command in the program.
CMD_SRCS := umlcage/main.c umlcage/cmd.c $(wildcard umlcage/cmd-*.c)
