# SPDX-License-Identifier: GPL-2.0-or-later
# What every other test with a cage in it needs; runs first, and takes long only once.

# limit: 1800
test_kernel()
{
	if [ -n "${UMLCAGE_TEST_KERNEL-}" ]; then
		"$UMLCAGE_TEST_KERNEL" --version
		return
	fi
	status 0 "$UMLCAGE" kernel build
	"$UMLCAGE" kernel list >list
	cat list
	[ -s list ] || fail "no kernel is listed"
}

# limit: 600
test_first_cage()
{
	equal 0 "$(run -- id -u)" "uid in the cage"
}
