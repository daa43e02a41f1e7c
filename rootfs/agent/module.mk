# SPDX-License-Identifier: GPL-2.0-or-later
# The agent: a static program, packed into an initramfs that is linked into umlcage.
AGENT_SRCS := $(addprefix rootfs/agent/,command.c emulate.c etc.c init.c kernelfs.c lazy.c main.c network.c root.c sockets.c user.c)
AGENT_OBJS := $(AGENT_SRCS:%.c=$(O)/agent/%.o)
AGENT_LIB_SRCS := umlcage/base/error.c umlcage/base/fd.c umlcage/base/hide.c umlcage/base/interrupt.c umlcage/base/outfile.c \
	umlcage/base/pollset.c umlcage/base/progress.c umlcage/base/pump.c umlcage/base/relay.c umlcage/base/str.c umlcage/cage/proto.c
AGENT_LIB_OBJS := $(AGENT_LIB_SRCS:%.c=$(O)/agent/%.o)

# never with a sanitizer: it runs alone in the cage
$(O)/agent/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) -std=gnu11 -Os -g $(WARNINGS) -ffunction-sections \
		-fdata-sections -MMD -MP -c -o $@ $<

$(O)/agent/agent: $(AGENT_OBJS) $(AGENT_LIB_OBJS)
	$(call say,LD,$@)$(CC) -static -Wl,--gc-sections -s -o $@ $^

$(O)/agent/pack: rootfs/agent/pack.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CPPFLAGS) -std=gnu11 -O1 $(WARNINGS) -o $@ $< \
		$$($(PKG_CONFIG) --cflags --libs libarchive)

$(O)/agent/initramfs.cpio: $(O)/agent/agent $(O)/agent/pack
	$(call say,PACK,$@)$(O)/agent/pack $< $@

-include $(AGENT_OBJS:.o=.d) $(AGENT_LIB_OBJS:.o=.d)
