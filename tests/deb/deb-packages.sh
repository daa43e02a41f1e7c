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

# compiled, tested and packed on another processor, which is emulated
# limit: 3600
test_for_another_architecture()
{
	mirrored
	mkdir -p thing/debian/source
	echo '3.0 (native)' >thing/debian/source/format
	printf '%s\n' 'thing (1.0) trixie; urgency=low' '' '  * A test.' '' \
		' -- Nobody <nobody@localhost>  Sat, 01 Jan 2022 00:00:00 +0000' >thing/debian/changelog
	printf '%s\n' 'Source: thing' 'Section: misc' 'Priority: optional' \
		'Maintainer: Nobody <nobody@localhost>' 'Rules-Requires-Root: no' '' 'Package: thing' \
		'Architecture: arm64 amd64' 'Description: a test' ' of builds.' >thing/debian/control
	cat >thing/debian/rules <<-'EOT'
		#!/usr/bin/make -f
		.RECIPEPREFIX = >
		clean:
		> rm -rf debian/thing debian/files thing
		build build-arch build-indep:
		> echo 'int main(void) { return sizeof(void *) == 8 ? 42 : 1; }' >thing.c
		> gcc -o thing thing.c
		> ./thing; test $$? = 42
		> @echo "on $$(uname -m), for $$(dpkg-architecture -qDEB_HOST_ARCH)"
		binary binary-arch binary-indep: build
		> install -D thing debian/thing/usr/bin/thing
		> install -d debian/thing/DEBIAN
		> dpkg-gencontrol -Pdebian/thing
		> dpkg-deb --root-owner-group --build debian/thing ..
	EOT
	chmod +x thing/debian/rules
	mkdir out
	status 0 "$UMLCAGE" deb build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --suite trixie --arch arm64 \
		--json -o out thing >json
	contains '"architecture": "arm64"' json
	contains 'on aarch64, for arm64' out/thing_1.0_arm64.build
	equal arm64 "$(dpkg-deb -f out/thing_1.0_arm64.deb Architecture)"
	contains 'Build-Architecture: arm64' out/thing_1.0_arm64.buildinfo
	contains 'Architecture: arm64' out/thing_1.0_arm64.changes
	# e_machine of elf(5): 183 is EM_AARCH64
	equal 183 "$(dpkg-deb --fsys-tarfile out/thing_1.0_arm64.deb | tar -xO ./usr/bin/thing |
		od -An -tu2 -j18 -N2 | tr -d ' ')" "the machine of the program"
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

# one that cleans up after itself, and one that does not
# limit: 3600
test_piuparts()
{
	mirrored
	mkdir -p good/DEBIAN good/usr/share/good bad
	printf '%s\n' 'Package: good' 'Version: 1' 'Architecture: all' 'Depends: bc' \
		'Maintainer: Nobody <nobody@localhost>' 'Description: a test' >good/DEBIAN/control
	echo text >good/usr/share/good/file
	cp -R good/. bad/
	sed -i 's/good/bad/' bad/DEBIAN/control
	printf '#!/bin/sh\necho left >/var/lib/left-behind\n' >bad/DEBIAN/postinst
	chmod 755 bad/DEBIAN/postinst
	for p in good bad; do dpkg-deb --root-owner-group -b $p $p.deb >/dev/null; done
	check=("$UMLCAGE" deb check -q ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --suite bookworm --piuparts)
	status 0 "${check[@]}" good.deb >log 2>&1
	contains 'PASS: All tests' log
	status 1 "${check[@]}" bad.deb >log 2>&1
	contains 'FAIL: Package purging left files on system' log
	contains /var/lib/left-behind log
}
