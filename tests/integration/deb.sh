# SPDX-License-Identifier: GPL-2.0-or-later
# umlcage deb build: packages from their sources.  What needs more than seconds is in tests/deb.

deb_build()
{
	"$UMLCAGE" deb build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@"
}

# a native source package of shell scripts, which needs nothing but dpkg-dev
make_tree()
{
	mkdir -p "$1/debian/source"
	echo '3.0 (native)' >"$1/debian/source/format"
	printf '%s\n' "$1 (1.0) trixie; urgency=low" '' '  * A test.' '' \
		' -- Nobody <nobody@localhost>  Sat, 01 Jan 2022 00:00:00 +0000' >"$1/debian/changelog"
	printf '%s\n' "Source: $1" 'Section: misc' 'Priority: optional' \
		'Maintainer: Nobody <nobody@localhost>' 'Rules-Requires-Root: binary-targets' \
		"Build-Depends: ${2-bc <!nocheck>}" '' "Package: $1" 'Architecture: all' \
		'Description: a test' ' of builds.' >"$1/debian/control"
	cat >"$1/debian/rules" <<-'EOT'
		#!/usr/bin/make -f
		.RECIPEPREFIX = >
		name := $(shell dpkg-parsechangelog -S Source)
		clean:
		> rm -rf debian/$(name) debian/files
		build build-arch build-indep:
		> @echo "built by $$(id -un) in $$(pwd), home $$HOME"
		> @! getent hosts localhost.invalid
		> @ip link 2>/dev/null | grep eth >/dev/null && exit 1 || true
		> @case " $$DEB_BUILD_OPTIONS " in *" nocheck "*) ;; *) echo "6 * 7" | bc ;; esac
		> @test ! -e fail
		binary-arch:
		binary binary-indep: build
		> install -d debian/$(name)/DEBIAN debian/$(name)/usr/share/$(name)
		> install -m 640 debian/changelog debian/$(name)/usr/share/$(name)/changelog
		> chown 0:42 debian/$(name)/usr/share/$(name)/changelog
		> dpkg-gencontrol -Pdebian/$(name)
		> dpkg-deb --build debian/$(name) ..
	EOT
	chmod +x "$1/debian/rules"
}

test_build_of_a_tree()
{
	mirrored
	make_tree thing
	(cd thing && status 0 deb_build --suite trixie . >../names 2>../err) || { cat err; fail "see above"; }
	for f in thing_1.0.dsc thing_1.0.tar.xz thing_1.0_all.deb thing_1.0_amd64.buildinfo thing_1.0_amd64.changes; do
		[ -f "$f" ] || fail "there is no $f: $(ls)"
	done
	matches "*/thing_1.0_all.deb*/thing_1.0_amd64.changes" "$(cat names)"
	contains 'built by sbuild in /build/thing-1.0, home /sbuild-nonexistent' thing_1.0_amd64.build
	contains 'Status: successful' thing_1.0_amd64.build
	grep -q '^42' thing_1.0_amd64.build || fail "bc did not run"
	dpkg-deb -c thing_1.0_all.deb | grep '^-rw-r----- root/shadow .*changelog$\|^-rw-r----- 0/42 .*changelog$' >/dev/null ||
		fail "owners: $(dpkg-deb -c thing_1.0_all.deb)"
	contains '"status": "successful"' thing_1.0_amd64.json
	(cd . && sha256sum thing_1.0_all.deb) | cut -c1-64 | grep -Ff - thing_1.0_amd64.json >/dev/null ||
		fail "the record has another sum"

	# what is there is not built over unasked; the same source may lie there
	status 2 deb_build --suite trixie ./thing_1.0.dsc 2>err
	contains 'is there already' err
	status 0 deb_build --suite trixie --nocheck --overwrite -q ./thing_1.0.dsc
	! grep -q '^Get: bc ' thing_1.0_amd64.build || fail "bc was installed for nocheck"
	! grep -q '^42' thing_1.0_amd64.build || fail "bc ran"

	# a build that fails: status 7, a log and a record, and no packages
	touch thing/fail
	mkdir failed
	status 7 deb_build --suite trixie -o failed --json thing >json 2>err
	contains '"status": "attempted"' json
	contains '"step": "build"' json
	contains 'dpkg-buildpackage failed' json
	contains 'Fail-Stage: build' failed/thing_1.0_amd64.build
	contains '  | ' err
	[ -z "$(find failed -name '*.deb' -o -name '*.changes')" ] || fail "packages of a failed build"

	# dependencies that are not to be had: status 5, named
	make_tree other 'no-such-package (>= 2), bc'
	status 5 deb_build --suite trixie --json other >json 2>err
	contains '"status": "given-back"' json
	contains '"step": "dependencies"' json
	contains no-such-package err

	# one that is given by hand
	mkdir -p extra/DEBIAN
	printf '%s\n' 'Package: no-such-package' 'Version: 3' 'Architecture: all' \
		'Maintainer: Nobody <nobody@localhost>' 'Description: extra' >extra/DEBIAN/control
	dpkg-deb --root-owner-group -b extra extra.deb >/dev/null
	status 0 deb_build --suite trixie -q --indep --extra-package extra.deb other
	[ -f other_1.0_all.changes ] || fail "no changes of --indep: $(ls)"
}

# a package for one architecture and one for all
make_pair()
{
	make_tree "$1" ''
	printf '%s\n' "Source: $1" 'Section: misc' 'Priority: optional' 'Maintainer: Nobody <nobody@localhost>' \
		'Build-Depends-Indep: bc' '' "Package: $1" 'Architecture: any' 'Description: a test' ' of builds.' \
		'' "Package: $1-common" 'Architecture: all' 'Description: a test' ' of builds.' >"$1/debian/control"
	cat >"$1/debian/rules" <<-'EOT'
		#!/usr/bin/make -f
		.RECIPEPREFIX = >
		name := $(shell dpkg-parsechangelog -S Source)
		clean:
		> rm -rf debian/$(name) debian/$(name)-common debian/files
		build build-arch build-indep:
		> mkdir -p debian/$(name)/DEBIAN debian/$(name)-common/DEBIAN
		binary-arch: build
		> dpkg-gencontrol -p$(name) -Pdebian/$(name)
		> dpkg-deb --build debian/$(name) ..
		binary-indep: build
		> echo "6 * 7" | bc
		> dpkg-gencontrol -p$(name)-common -Pdebian/$(name)-common
		> dpkg-deb --build debian/$(name)-common ..
		binary: binary-arch binary-indep
	EOT
}

names()
{
	(cd "$1" && find . -type f ! -name '*-20*Z.*' | sort | cut -c3- | paste -sd' ')
}

# limit: 900
test_what_is_built()
{
	mirrored
	make_pair pair
	status 0 deb_build --suite trixie -q -o full --build=full pair
	equal "pair-common_1.0_all.deb pair_1.0.dsc pair_1.0.tar.xz pair_1.0_amd64.buildinfo pair_1.0_amd64.changes \
pair_1.0_amd64.deb" "$(names full)"
	contains ' pair_1.0.dsc' full/pair_1.0_amd64.changes
	mkdir dsc
	cp full/pair_1.0.dsc full/pair_1.0.tar.xz dsc/
	status 0 deb_build --suite trixie -q -o source --build=source dsc/pair_1.0.dsc
	equal "pair_1.0.dsc pair_1.0.tar.xz pair_1.0_source.buildinfo pair_1.0_source.changes" "$(names source)"
	status 0 deb_build --suite trixie -q -o any --build=any dsc/pair_1.0.dsc
	equal "pair_1.0.dsc pair_1.0.tar.xz pair_1.0_amd64.buildinfo pair_1.0_amd64.changes pair_1.0_amd64.deb" \
		"$(names any)"
	! grep -q '^Get: bc ' any/pair_1.0_amd64.build || fail "dependencies of what is not built"
	contains 'Build Type: any' any/pair_1.0_amd64.build

	# another version than the source's
	status 0 env -u DEBEMAIL "$UMLCAGE" deb build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		--suite trixie -q -o nmu --binNMU 3 --make-binNMU 'Rebuild for a test' \
		--maintainer 'A Builder <builder@example.org>' dsc/pair_1.0.dsc
	equal "pair_1.0+b3_amd64.buildinfo pair_1.0+b3_amd64.changes pair_1.0+b3_amd64.deb pair_1.0.dsc pair_1.0.tar.xz" \
		"$(names nmu)"
	equal "pair (1.0)" "$(dpkg-deb -f nmu/*.deb Source)"
	contains 'Rebuild for a test' nmu/*.changes
	contains 'Changed-By: A Builder <builder@example.org>' nmu/*.changes
	contains 'Binary-Only: yes' nmu/*.changes
	contains '"built_version": "1.0+b3"' nmu/*_amd64.json
	status 0 env DEBFULLNAME=B DEBEMAIL=b@example.org "$UMLCAGE" deb build --suite trixie -q -o local \
		${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --append-to-version +local1 pair
	[ -f local/pair-common_1.0+local1_all.deb ] || fail "$(names local)"
}

deb_rebuild()
{
	"$UMLCAGE" deb rebuild ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@"
}

# limit: 900
test_rebuild()
{
	mirrored
	make_pair pair
	status 0 env DEBFULLNAME=B DEBEMAIL=b@example.org "$UMLCAGE" deb build --suite trixie -q -o one \
		${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -j 2 --append-to-version +local1 pair
	status 0 deb_rebuild --suite trixie one/*.buildinfo 2>err >names
	contains 'the same, byte for byte' err
	cmp one/pair_1.0+local1_amd64.deb rebuilt/pair_1.0+local1_amd64.deb
	contains 'DEB_BUILD_OPTIONS=parallel=2' rebuilt/pair_1.0+local1_amd64.build
	contains '"reproduced": true' rebuilt/pair_1.0+local1_amd64.json

	# one that is another now
	sed 's/^ [0-9a-f]\{64\}\( .* pair_1.0+local1_amd64.deb\)/ 0123456789012345678901234567890123456789012345678901234567890123\1/' \
		one/*.buildinfo >one/other.buildinfo
	status 1 deb_rebuild --suite trixie -o other --json one/other.buildinfo >json 2>err
	contains "1 of 2 packages are not what '" err
	contains 'pair_1.0+local1_amd64.deb' err
	contains '"reproduced": false' json

	# versions that are gone
	sed -i 's/^ dpkg (= [^)]*)/ dpkg (= 0.1)/; s/^ make (= [^)]*)/ make (= 0.2)/' one/other.buildinfo
	status 5 deb_rebuild --suite trixie -o gone one/other.buildinfo 2>err
	contains "2 packages that 'pair' was built with cannot be had in the same version: dpkg 0.1 (there is 1." err
	contains 'make 0.2 (there is ' err
	contains 'a mirror that still has them' err
	status 2 deb_rebuild one/*.dsc 2>err
	contains 'is not a .buildinfo' err
}

test_build_of_what_is_not_there()
{
	mirrored
	status 3 deb_build --suite trixie no-such-source-package 2>err
	contains "no source package 'no-such-source-package'" err
	status 3 deb_build --suite trixie libc6-dev 2>err
	contains "is made from 'glibc'" err
	status 3 deb_build --suite trixie hello=0.1 2>err
	contains "no version '0.1' of source package 'hello'; there is " err
	status 3 deb_build ./nothing.dsc 2>err
	contains "nothing.dsc" err
	[ -z "$(find . -name '*.build')" ] || fail "a log of nothing"
}

# with lintian and autopkgtest themselves: tests/deb
# what needs an emulator for minutes is in tests/deb
test_what_is_not_for_an_architecture()
{
	mirrored
	make_pair pair
	sed -i 's/^Architecture: any/Architecture: amd64 riscv64/' pair/debian/control
	status 2 deb_build --suite trixie --arch arm64 --arch-only -o . pair 2>err
	contains "'pair' has no packages for arm64 (" err
	matches '*(*amd64*riscv64*)*' "$(cat err)"
	[ -z "$(find . -name '*.deb' -o -name '*.changes')" ] || fail "something was built"
}

test_checks_and_tests()
{
	status 2 "$UMLCAGE" deb check 2>err
	contains 'name a .changes' err
	status 3 "$UMLCAGE" deb check not-there.deb 2>err
	contains "'not-there.deb'" err
	mkdir a b
	touch a/one.deb b/two.deb
	status 2 "$UMLCAGE" deb check a/one.deb b/two.deb 2>err
	contains 'not in the same folder' err
	status 2 "$UMLCAGE" deb check a 2>err
	contains "'a' is not a file" err
	status 2 "$UMLCAGE" deb check --piuparts a/one.deb b/two.dsc 2>err
	contains "--piuparts: 'b/two.dsc' is neither a .changes nor a .deb file" err
	status 2 "$UMLCAGE" deb check --net-allow example.org a/one.deb 2>err
	contains 'need a network that leads out' err
	status 2 "$UMLCAGE" deb test 2>err
	contains 'name a package' err

	mkdir bin
	printf '#!/bin/sh\nprintf "%%s\\n" "$@" >said\nexit 4\n' >bin/autopkgtest
	chmod 755 bin/autopkgtest
	PATH=$PWD/bin:$PATH status 4 "$UMLCAGE" deb test --root testbed --init -m 512M -o results a/one.deb hello
	equal "--output-dir=results a/one.deb hello -- SERVER UMLCAGE testbed --init --memory=512M" \
		"$(sed "s|^/.*/autopkgtest-virt-umlcage$|SERVER|; s|^--umlcage=/.*/umlcage$|UMLCAGE|" said | paste -sd' ')"
	# a .changes stands for its packages and their source
	printf '%s\n' 'Source: one (1:2-3)' 'Version: 1:2-3+b1' 'Checksums-Sha256:' \
		" $(sha256sum a/one.deb | cut -c1-64) 0 one.deb" >a/one.changes
	PATH=$PWD/bin:$PATH status 4 "$UMLCAGE" deb test --root testbed a/one.changes
	equal "a/one.deb one --" "$(head -n 3 said | paste -sd' ')"
	touch a/one_2-3.dsc
	PATH=$PWD/bin:$PATH status 4 "$UMLCAGE" deb test --root testbed a/one.changes
	equal "a/one.deb a/one_2-3.dsc --" "$(head -n 3 said | paste -sd' ')"
	[ -x "$(sed -n 's/^--umlcage=//p' said)" ] || fail "$(cat said)"
	# also one that is signed; what it says is no option and no path
	{
		printf '%s\n' '-----BEGIN PGP SIGNED MESSAGE-----' 'Hash: SHA512' ''
		cat a/one.changes
		printf '%s\n' '' '-----BEGIN PGP SIGNATURE-----' '' 'x' '-----END PGP SIGNATURE-----'
	} >a/signed.changes
	PATH=$PWD/bin:$PATH status 4 "$UMLCAGE" deb test --root testbed a/signed.changes
	equal "a/one.deb a/one_2-3.dsc --" "$(head -n 3 said | paste -sd' ')"
	for source in --copy=/etc:/x ../one 'one (../2)'; do
		sed "s|^Source: .*|Source: $source|" a/one.changes >a/other.changes
		PATH=$PWD/bin:$PATH status 2 "$UMLCAGE" deb test --root testbed a/other.changes 2>err
		contains 'that make sense' err
	done
}

test_usage()
{
	status 2 deb_build 2>err
	contains 'name a package' err
	status 2 deb_build a b 2>err
	status 2 deb_build --arch-only --indep hello 2>err
	contains 'exclude each other' err
	status 2 deb_build --build binary,some hello 2>err
	contains "'some' is not one of full, source" err
	status 2 deb_build --binNMU 1 hello 2>err
	contains '--make-binNMU' err
	status 2 deb_build --make-binNMU x hello 2>err
	contains '--binNMU N' err
	status 2 deb_build --binNMU 1 --make-binNMU x --build full hello 2>err
	contains 'for one architecture alone' err
	status 2 deb_build --append-to-version 'a b' hello 2>err
	contains 'cannot be a part of a version' err
	status 2 deb_build --arch nonsense hello 2>err
	contains "nonsense" err
	status 2 deb_build --arch arm64 --root somewhere hello 2>err
	contains 'has an architecture of its own' err
	status 2 deb_build --profiles 'no$' hello 2>err
	contains 'not the name of a profile' err
	status 2 deb_build 'he llo' 2>err
	contains 'not a .dsc file, a folder' err
	mkdir empty
	status 3 deb_build ./empty 2>err
	contains 'not a tree with a Debian package' err
}
