# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests.  tests/unit/test-MODULE.c and tests/unit/test-MODULE-TOPIC.c are programs of
# their own, each linked with MODULE and what lies below it and nothing else, so that
# the linker checks the layering.

TEST_OUT := $(O)/tests
TEST_PKGS := check
test_cflags = $(shell $(PKG_CONFIG) --cflags $(TEST_PKGS))
test_ldlibs = $(shell $(PKG_CONFIG) --libs $(TEST_PKGS))

UNIT_SRCS := $(sort $(wildcard tests/unit/test-*.c))
UNIT_PROGS := $(UNIT_SRCS:tests/%.c=$(TEST_OUT)/%)
# test-meta-codec tests the module meta
unit_module = $(firstword $(filter $(modules),$(patsubst test-%,%,$(1)) \
		$(firstword $(subst -, ,$(patsubst test-%,%,$(1))))))

define unit_program
$(if $(call unit_module,$(1)),,$(error tests/unit/$(1).c: there is no module of that name))
$(TEST_OUT)/unit/$(1): $(O)/obj/tests/unit/$(1).o $(call layer_libs,$(call unit_module,$(1)))
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(call layer_ldlibs,$(call unit_module,$(1))) \
		$$(test_ldlibs) $$(LDLIBS)
endef
$(foreach t,$(UNIT_SRCS:tests/unit/%.c=%),$(eval $(call unit_program,$(t))))

.PHONY: check-unit unit-programs
unit-programs: $(UNIT_PROGS)

# every unit test, or those that TESTS=PATTERN (a shell pattern) names
check-unit: $(UNIT_PROGS)
	@tests/support/run-tests -l $(TEST_OUT)/log -t '$(TESTS)' $(UNIT_PROGS)
