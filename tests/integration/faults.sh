# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
#
# Commands while calls to the C library fail on order, one kind of fault and one point at a time:
# see tests/support/faults.  UMLCAGE_TEST_SCALE scales how many points of each kind are tried,
# and UMLCAGE_TEST_SEED picks others; `make check-faults` takes 50 times as many as `make check`,
# and more commands (tests/faults).

faults()
{
	"$TESTS_DIR/support/faults" --points "$(scaled 2)" --seed "${UMLCAGE_TEST_SEED:-0}" \
		"$HOST_PROGRAMS/fault-shim.so" "$T/w" "$@"
}

test_shares()
{
	faults --only help --only share-import --only share-export --only share-verify --only share-chown
}

test_stores()
{
	faults --only kernel-list --only root-import --only cache-list --only cache-prune
}

# Processes ended, stopped and starved at random; a round is a command and what comes after it.
# limit: 600
test_kills_of_builds()
{
	"$TESTS_DIR/support/faults" --only build --kills "$(scaled 10)" --seed "${UMLCAGE_TEST_SEED:-0}" \
		"$HOST_PROGRAMS/fault-shim.so" "$T/w"
}

# limit: 600
test_kills()
{
	"$TESTS_DIR/support/faults" --kills "$(scaled 20)" --seed "${UMLCAGE_TEST_SEED:-0}" \
		"$HOST_PROGRAMS/fault-shim.so" "$T/w"
}

# changes that are kept, in whatever state they are left
# limit: 600
test_kills_of_kept_changes()
{
	"$TESTS_DIR/support/faults" --only run-keep --kills "$(scaled 20)" --seed "${UMLCAGE_TEST_SEED:-3}" \
		"$HOST_PROGRAMS/fault-shim.so" "$T/w"
}
