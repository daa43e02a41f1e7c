# SPDX-License-Identifier: GPL-2.0-or-later
# Packages of the archive, built in cages: C with autotools, C by hand, C with cmake, Perl, Python.
# tests/deb/against-native compares them with native builds, which takes root.

build_one()
{
	mkdir -p "$1-$2"
	"$UMLCAGE" deb build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --suite "$1" -o "$1-$2" -j 2 \
		"$2" >names 2>err || { cat err >&2; fail "$2 of $1 does not build"; }
	contains 'Status: successful' "$1-$2"/*_amd64.build
	[ -n "$(find "$1-$2" -name '*.deb')" ] || fail "no packages of $2"
	rm -rf "$1-$2"
}

# limit: 3600
test_bookworm()
{
	mirrored
	for p in hello zlib libyaml-perl python-semver libarchive; do build_one bookworm $p; done
}

# limit: 3600
test_trixie()
{
	mirrored
	for p in hello zlib libyaml-perl python-semver libarchive; do build_one trixie $p; done
}

# what is built is looked at by lintian, and tested by autopkgtest
# limit: 3600
test_checked_and_tested()
{
	mirrored
	command -v autopkgtest >/dev/null || host_cannot "there is no autopkgtest"
	mkdir out
	"$UMLCAGE" deb build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -q --suite trixie -o out hello
	status 0 "$UMLCAGE" deb check ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --suite trixie \
		out/*.changes
	status 0 "$UMLCAGE" deb test ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --suite trixie -o tested \
		out/*.changes
	grep -q PASS tested/summary || fail "$(cat tested/summary)"
}
