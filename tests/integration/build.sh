# SPDX-License-Identifier: GPL-2.0-or-later
# What every other test with a cage in it needs; runs first, and takes long only once.

# limit: 1800
test_kernel()
{
	status 0 "$UMLCAGE" kernel build
	"$UMLCAGE" kernel list >list
	cat list
	[ -s list ] || fail "no kernel is listed"
}

# limit: 300
test_first_cage()
{
	equal 0 "$("$UMLCAGE" run -- id -u)" "uid in the cage"
}
