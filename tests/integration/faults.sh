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
kills()
{
	"$TESTS_DIR/support/faults" "$@" "$HOST_PROGRAMS/fault-shim.so" "$T/w" | tee out
	remark "$(tail -n 2 out | xargs)"
}

# limit: 600
test_kills_of_builds()
{
	kills --only build --kills "$(scaled 10)" --seed "${UMLCAGE_TEST_SEED:-0}"
}

# limit: 600
test_kills()
{
	kills --kills "$(scaled 20)" --seed "${UMLCAGE_TEST_SEED:-0}"
}

# changes that are kept, in whatever state they are left
# limit: 600
test_kills_of_kept_changes()
{
	kills --only run-keep --kills "$(scaled 20)" --seed "${UMLCAGE_TEST_SEED:-3}"
}
