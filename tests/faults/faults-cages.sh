# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
#
# What tests/integration/faults.sh does, for the commands that make roots and boot cages; only in
# `make check-faults`, as it takes its time.

faults()
{
	"$TESTS_DIR/support/faults" --points "$(scaled 2)" --seed "${UMLCAGE_TEST_SEED:-0}" \
		"$HOST_PROGRAMS/fault-shim.so" "$T/w" "$@"
}

test_fabricate()
{
	faults --only fabricate-tar --only fabricate-share --only fabricate-again
}

test_build()
{
	faults --only build
}

test_cages()
{
	faults --only run --only run-share --only run-keep --only run-commit
}
