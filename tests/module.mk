# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests.
#
# tests/unit/test-MODULE.c and tests/unit/test-MODULE-TOPIC.c are programs of their own,
# each linked with MODULE and what lies below it and nothing else, so that the linker
# checks the layering.
#
# tests/fuzz/fuzz-THING.c has LLVMFuzzerTestOneInput(); tests/fuzz/corpus/THING/ is its
# corpus.  `make check` replays the corpus, `make fuzz` looks for more with libFuzzer.
#
# tests/integration/AREA.sh: see tests/support/runner.c.

TEST_OUT := $(O)/tests
test_cflags = $(shell $(PKG_CONFIG) --cflags check)
test_ldlibs = $(shell $(PKG_CONFIG) --libs check)

UNIT_SRCS := $(sort $(wildcard tests/unit/test-*.c))
# those that wait for most of a minute begin first, and the others run beside them
UNIT_LONG := $(addprefix $(TEST_OUT)/unit/test-,debian-fetch base-confine)
UNIT_PROGS := $(UNIT_LONG) $(filter-out $(UNIT_LONG),$(UNIT_SRCS:tests/%.c=$(TEST_OUT)/%))
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

FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz-*.c))
FUZZ_THINGS := $(FUZZ_SRCS:tests/fuzz/fuzz-%.c=%)
FUZZ_REPLAY := $(FUZZ_THINGS:%=$(TEST_OUT)/fuzz/replay-%)
FUZZ_SECONDS ?= 60

# a fuzz target may use any module; the archives give it only what it refers to
$(TEST_OUT)/fuzz/replay-%: $(O)/obj/tests/fuzz/fuzz-%.o $(O)/obj/tests/support/fuzz-main.o \
		$(call layer_libs,$(modules))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(call layer_ldlibs,$(modules)) $(test_ldlibs) $(LDLIBS)

$(TEST_OUT)/fuzz/fuzz-%: $(O)/obj/tests/fuzz/fuzz-%.o $(call layer_libs,$(modules))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(call layer_ldlibs,$(modules)) $(LDLIBS)

.SECONDARY:
.PHONY: check-unit unit-programs check-asan fuzz fuzz-run
unit-programs: $(UNIT_PROGS) $(FUZZ_REPLAY)

UNIT_RUN = $(UNIT_PROGS:%=-- %) $(foreach t,$(FUZZ_THINGS),-- $(TEST_OUT)/fuzz/replay-$(t) tests/fuzz/corpus/$(t))

# the unit tests and corpora alone; TESTS=PATTERN (a shell pattern) picks some by name
check-unit: unit-programs
	@tests/support/run-tests -l $(TEST_OUT)/log -t '$(TESTS)' $(UNIT_RUN)

# the same with the address and undefined-behaviour sanitizers
check-asan:
	+@$(MAKE) $(ALL_JOBS) --no-print-directory O=$(O)/asan check-unit OPTIMIZE='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined'

# the tests of what has threads, with the thread sanitizer
TSAN_TESTS := test-deb test-deb-taken-over test-pack test-roots test-debian-fetch test-unpack test-unpack-merge test-fetch
check-tsan:
	+@$(MAKE) $(ALL_JOBS) --no-print-directory O=$(O)/tsan OPTIMIZE='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=thread' check-tsan-run

TSAN_PROGS = $(filter $(addprefix %/,$(TSAN_TESTS)),$(UNIT_PROGS))
check-tsan-run: $(TSAN_PROGS)
	@TSAN_OPTIONS='halt_on_error=1' CK_DEFAULT_TIMEOUT=300 \
		tests/support/run-tests -l $(TEST_OUT)/log -t '$(TESTS)' $(TSAN_PROGS:%=-- %)

# what the unit tests and corpora reach, a file a source in $(O)/coverage
.PHONY: check-tsan check-tsan-run coverage
coverage:
	+@$(MAKE) $(ALL_JOBS) --no-print-directory O=$(O)/cov check-unit OPTIMIZE='-O0 -g' SANITIZE=--coverage
	@rm -rf $(O)/coverage && mkdir -p $(O)/coverage
	@find $(O)/cov/obj -name '*.gcda' ! -path '*/tests/*' | sort | xargs gcov --no-output 2>/dev/null | \
		awk '/^File /{f=$$2} /^Lines executed/{if (f !~ /^.\//) print $$0, f}' | \
		sed "s/Lines executed:\([0-9.]*\)% of \([0-9]*\) '\(.*\)'/\1 \2 \3/" | sort -k3 -u | \
		awk '{printf "%6.1f %%  %5d  %s\n", $$1, $$2, $$3; n += $$2; hit += $$1 * $$2 / 100} \
		END {printf "%6.1f %%  %5d  in all\n", 100 * hit / n, n}' | tee $(O)/coverage/summary

# FUZZ_SECONDS of libFuzzer for each target; what it finds stays in $(O)/fuzz/tests/found.  Archives
# may make libarchive ask for 4 GB at once, which a confined import does not get (nor use)
fuzz:
	+@$(MAKE) $(ALL_JOBS) --no-print-directory O=$(O)/fuzz CC=clang fuzz-run OPTIMIZE='-O1 -g -fno-omit-frame-pointer' \
		SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined'

fuzz-run: $(FUZZ_THINGS:%=$(TEST_OUT)/fuzz/fuzz-%)
	@for thing in $(FUZZ_THINGS); do \
		mkdir -p $(TEST_OUT)/found/$$thing $(TEST_OUT)/crash; \
		echo "fuzzing $$thing for $(FUZZ_SECONDS) s"; \
		$(TEST_OUT)/fuzz/fuzz-$$thing -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-artifact_prefix=$(TEST_OUT)/crash/$$thing- -timeout=10 -verbosity=0 \
			-malloc_limit_mb=8192 \
			$(TEST_OUT)/found/$$thing tests/fuzz/corpus/$$thing || exit 1; \
	done

RUNNER := $(TEST_OUT)/runner
FILTER := $(TEST_OUT)/container-filter
GUEST_PROGS := $(patsubst tests/support/%.c,$(TEST_OUT)/guest/%,$(wildcard tests/support/guest-*.c))

$(RUNNER): $(O)/obj/tests/support/runner.o $(call layer_libs,base)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(test_ldlibs) $(LDLIBS)

$(FILTER): $(O)/obj/tests/support/container-filter.o $(call layer_libs,base)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(call layer_ldlibs,base) $(LDLIBS)

# programs that tests run on the host, against the libraries
HOST_PROGS := $(patsubst tests/support/%.c,$(TEST_OUT)/host/%,$(wildcard tests/support/host-*.c)) \
	$(TEST_OUT)/host/lacks.so $(TEST_OUT)/host/nameserver.so

$(TEST_OUT)/host/%: $(O)/obj/tests/support/%.o $(call layer_libs,cage)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(call layer_ldlibs,cage) $(LDLIBS)

# preloaded into programs on the host
HOST_PROGS += $(TEST_OUT)/host/fault-shim.so
$(TEST_OUT)/host/%.so: tests/support/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -shared -fPIC -O1 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra \
		-fvisibility=hidden -o $@ $< -ldl

# what pretends that a host lacks something, and what another DNS server is
$(TEST_OUT)/host/lacks.so $(TEST_OUT)/host/nameserver.so: $(TEST_OUT)/host/%.so: tests/support/%.c
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -D_GNU_SOURCE -shared -fPIC -O2 -std=gnu11 -Wall -Wextra -o $@ $< -ldl

# static programs for the guest
$(TEST_OUT)/guest/%: tests/support/%.c tests/support/guest-call.h tests/bench/guest.h
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -I. -static -O2 -std=gnu11 -Wall -Wextra -o $@ $< -lpthread

$(TEST_OUT)/guest/guest-stamina: $(TEST_OUT)/bench/guest-stamina
	@mkdir -p $(@D)
	@cp $< $@

INTEGRATION_RUN = -- tests/support/integration $(RUNNER) $(FILTER) $(TEST_OUT)/guest $(TEST_OUT)/host $(O)

.PHONY: check check-run check-integration prepare demo
# installs what is missing or says how, builds, shows what it does on a real system
demo: prepare-demo
	+@$(MAKE) $(ALL_JOBS) --no-print-directory demo-run

demo-run: all
	@tests/support/demo $(O)/umlcage

prepare-demo:
	@tests/support/prepare demo

# installs or names what is missing, then builds and runs everything
check: prepare
	+@$(MAKE) $(ALL_JOBS) --no-print-directory check-run

prepare:
	@tests/support/prepare check

check-run: all unit-programs $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS)
	+@MAKE='$(MAKE)' tests/support/run-tests -l $(TEST_OUT)/log -t '$(TESTS)' $(SERIES_RUN) \
		$(UNIT_RUN) $(INTEGRATION_RUN)

# everything but the kernel's series, on a host that pretends to lack what walls are made of (each of
# LACKS in turn): Landlock, namespaces for users, filters of system calls (cages run with --ptrace)
LACKS := landlock=0 userns filter

.PHONY: check-lacks
check-lacks: all unit-programs $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS)
	+@failed=; for lack in $(LACKS); do \
		echo "on a host that lacks $$lack"; \
		wrap="env LD_PRELOAD=$(abspath $(TEST_OUT)/host/lacks.so)"; \
		[ $$lack != userns ] || wrap="$(FILTER) $$wrap"; \
		MAKE='$(MAKE)' UNIT_WRAP="$$wrap" UMLCAGE_TEST_LACKS=$$lack tests/support/run-tests \
			-l $(TEST_OUT)/log-$$lack -t '$(TESTS)' $(UNIT_RUN) $(INTEGRATION_RUN) || failed="$$failed $$lack"; \
	done; [ -z "$$failed" ] || { echo "failed without:$$failed"; exit 1; }

# every patch of the kernel's series, on the oldest and the newest source that it is for, or
# on SOURCES="FILE..."; COMPILE=1 compiles after each
SERIES_RUN = -- tests/support/check-series $(O)/umlcage $(SOURCES)

.PHONY: check-series
check-series: all
	+@COMPILE='$(COMPILE)' tests/support/check-series $(O)/umlcage $(SOURCES)

check-integration: all $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS)
	+@MAKE='$(MAKE)' tests/support/run-tests -l $(TEST_OUT)/log -t '$(TESTS)' $(INTEGRATION_RUN)

# the tests of cages on a kernel that looks for its own mistakes (address sanitizer, lock
# dependencies, leaks) and can be made to fail; a report on a console fails the test
DEBUG_KERNEL = $(or $(UMLCAGE_TEST_KERNEL),$$($(O)/umlcage kernel build --config debug))

.PHONY: check-debug
check-debug: all $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS) $(TEST_OUT)/guest/guest-stamina
	+@kernel="$(DEBUG_KERNEL)" && MAKE='$(MAKE)' UMLCAGE_TEST_KERNEL="$$kernel" \
		UMLCAGE_TEST_REPORTS=1 tests/support/run-tests -l $(TEST_OUT)/log -t '$(TESTS)' \
		$(INTEGRATION_RUN) tests/debug

# 50 times as many faults as `make check` injects, some hours, and 500 rounds in which something
# is killed; UMLCAGE_TEST_SEED=N for others
.PHONY: check-faults check-kills
check-faults: all $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS)
	+@MAKE='$(MAKE)' UMLCAGE_TEST_SCALE=5000 tests/support/run-tests -l $(TEST_OUT)/log \
		-t '$(or $(TESTS),faults*.[!k])' $(INTEGRATION_RUN) tests/faults

check-kills:
	+@UMLCAGE_TEST_SCALE=2500 $(MAKE) --no-print-directory check-integration TESTS=kills

# the walls around a cage against a kernel that makes any call of the host (tests/wall); the kernel
# is a build of its own
$(TEST_OUT)/guest/guest-hostile: tests/wall/guest-hostile.c tests/wall/hostcall.h tests/wall/rows.h
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -D_GNU_SOURCE -static -O2 -std=gnu11 -Wall -Wextra -o $@ $<

.PHONY: check-wall
check-wall: all $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS) $(TEST_OUT)/guest/guest-hostile
	+@kernel=$$(tests/wall/build-kernel $(O)/umlcage $(O)/wall) && MAKE='$(MAKE)' \
		UMLCAGE_TEST_KERNEL="$$kernel" tests/support/run-tests -l $(TEST_OUT)/log \
		-t 'hostile.$(TESTS)' $(INTEGRATION_RUN) tests/wall

# what people run as root, unmodified, on the full kernel: container engines, image tools,
# systemd.  Needs a mirror, and takes long.
.PHONY: check-tools
check-tools: all $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS)
	+@kernel="$${UMLCAGE_TEST_KERNEL:-$$($(O)/umlcage kernel build --config=full)}" && MAKE='$(MAKE)' \
		UMLCAGE_TEST_KERNEL="$$kernel" tests/support/run-tests -l $(TEST_OUT)/log \
		-t '$(or $(TESTS),tools-*)' $(INTEGRATION_RUN) tests/tools

# packages of the archive built in cages, and as root compared with native builds.  Needs a
# mirror, and takes long.
.PHONY: check-deb
DEB_NATIVE = hello zlib libarchive libyaml-perl python-semver golang-github-google-uuid
check-deb: all $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS)
	+@kernel="$${UMLCAGE_TEST_KERNEL:-$$($(O)/umlcage kernel build)}" && MAKE='$(MAKE)' \
		UMLCAGE_TEST_KERNEL="$$kernel" tests/support/run-tests -l $(TEST_OUT)/log \
		-t '$(or $(TESTS),deb-*)' $(INTEGRATION_RUN) tests/deb
	@if [ -z '$(TESTS)' ] && [ "$$(id -u)" = 0 ]; then \
		status=0; for suite in bookworm trixie; do \
		tests/deb/against-native $(O)/umlcage $$suite $(DEB_NATIVE) || status=1; done; exit $$status; fi

# disks and other media, booted in QEMU.  Needs a mirror, QEMU and OVMF; a minute or two a boot.
.PHONY: check-images prepare-images
check-images: prepare-images
	+@$(MAKE) $(ALL_JOBS) --no-print-directory check-images-run

prepare-images:
	@tests/support/prepare images

check-images-run: all $(RUNNER) $(FILTER) $(GUEST_PROGS) $(HOST_PROGS)
	+@MAKE='$(MAKE)' tests/support/run-tests -l $(TEST_OUT)/log -t '$(or $(TESTS),images-*)' \
		$(INTEGRATION_RUN) tests/images

# mmdebstrap's own tests, of Debian's source package; about half an hour (see the file)
.PHONY: check-mmdebstrap
check-mmdebstrap: all
	@tests/mmdebstrap/suite $(O)/umlcage $(TESTS)

# autopkgtest's own tests of virtualisation servers, of Debian's source package; INIT=no for the small
# kernel and no init.  Needs a mirror, and most of an hour
.PHONY: check-autopkgtest
check-autopkgtest: all
	@tests/autopkgtest/suite $(if $(filter no,$(INIT)),--no-init) $(O)/umlcage $(TESTS)

# every C file that is ours and runs on the host
LINT_SRCS = $(sort $(foreach m,$(modules),$(MOD_$(m)_srcs)) $(CMD_SRCS) \
	$(filter-out tests/wall/hostcall.c,$(wildcard tests/*/*.c)))
# (with quotes for the shell below)
LINT_FLAGS = $(filter-out -DUMLCAGE_VERSION=%,$(CPPFLAGS)) -DUMLCAGE_VERSION=\"$(VERSION)\" \
	$(PKG_CFLAGS) -std=gnu11 -Wall -Wextra

.PHONY: lint lint-tidy lint-cppcheck lint-sh lint-layers lint-style lint-docs
lint: lint-prepare
	+@$(MAKE) $(ALL_JOBS) --no-print-directory lint-layers lint-style lint-sh lint-docs lint-tidy lint-cppcheck

# what there is is documented, and the other way round
lint-docs: all
	@tests/support/check-docs $(O)/umlcage

# includes keep to what the module.mk files say of the modules
lint-layers:
	@tests/support/check-layers-test
	@$(MAKE) -s --no-print-directory list-modules | tests/support/check-layers

lint-style:
	@git ls-files | grep -v '^tests/fuzz/corpus/' | xargs tests/support/check-style

lint-sh:
	@shellcheck --severity=warning $$(git ls-files | grep -v /corpus/ | xargs grep -lE '^#!/bin/(ba)?sh')

lint-prepare:
	@tests/support/prepare lint

lint-tidy:
	@tests/support/tidy-test
	@printf '%s\n' $(or $(LINT_FILES),$(LINT_SRCS)) | xargs -P $$(nproc) -n 4 sh -c \
		'exec tests/support/tidy "$$@" -- $(LINT_FLAGS)' sh

lint-cppcheck:
	@cppcheck --quiet --enable=warning,performance,portability --inline-suppr -j $$(nproc) \
		--suppress=missingIncludeSystem --suppress=checkersReport --error-exitcode=1 \
		--std=c11 -D_GNU_SOURCE -D__x86_64__ -I. $(LINT_SRCS)

# benchmarks: static programs for the guest, and the scripts of tests/bench
BENCH_PROGS := $(patsubst tests/bench/%.c,$(TEST_OUT)/bench/%,$(wildcard tests/bench/*.c))

$(TEST_OUT)/bench/%: tests/bench/%.c $(wildcard tests/bench/*.h)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) -static -O2 -std=gnu11 -Wall -Wextra -o $@ $< -lpthread

.PHONY: bench bench-run bench-prepare
# BENCH=PATTERN some of them, BENCH_RUNS=N how often
bench: bench-prepare
	+@$(MAKE) $(ALL_JOBS) --no-print-directory bench-run

bench-prepare:
	@tests/support/prepare bench

bench-run: all $(BENCH_PROGS) $(O)/agent/pack $(TEST_OUT)/host/lacks.so
	@UMLCAGE=$(abspath $(O))/umlcage BENCH_PROGS=$(abspath $(TEST_OUT))/bench \
		BENCH_PACK=$(abspath $(O))/agent/pack \
		tests/support/bench $(O)/bench $(sort $(wildcard tests/bench/*.sh))
