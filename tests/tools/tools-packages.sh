# SPDX-License-Identifier: GPL-2.0-or-later
# What makes and checks packages of Debian as root, as it is: pbuilder, schroot, sbuild, piuparts,
# lintian.
#
# Roots that they unpack and put overlays on are on a tmpfs, as those of container engines.

# shellcheck source=tests/support/tools.sh
. "$TESTS_DIR/support/tools.sh"

# A source package that has everything to be built and nothing to be fetched but debhelper.
thing()
{
	mkdir -p thing/debian/source
	echo '3.0 (native)' >thing/debian/source/format
	printf '%s\n' 'thing (1.0) trixie; urgency=low' '' '  * A test.' '' \
		' -- Nobody <nobody@localhost>  Sat, 01 Jan 2022 00:00:00 +0000' >thing/debian/changelog
	printf '%s\n' 'Source: thing' 'Section: misc' 'Priority: optional' 'Maintainer: Nobody <nobody@localhost>' \
		'Build-Depends: debhelper-compat (= 13)' 'Standards-Version: 4.7.0' '' 'Package: thing' \
		'Architecture: any' 'Depends: ${shlibs:Depends}, ${misc:Depends}' 'Description: a test of builds' \
		' It says something.' >thing/debian/control
	printf '%s\n' '#!/usr/bin/make -f' '%:' '	dh $@' >thing/debian/rules
	chmod +x thing/debian/rules
	printf '%s\n' '#include <stdio.h>' '#include <unistd.h>' \
		'int main(void) { return printf("thing %d\n", (int)sizeof(void *)) < 0; }' >thing/thing.c
	printf '%s\n' 'thing: thing.c' '	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<' 'install: thing' \
		'	install -D thing $(DESTDIR)/usr/bin/thing' 'clean:' '	rm -f thing' >thing/Makefile
}

# what was built: its program runs, and knows what it needs
built()
{
	dpkg-deb -x "$1" tree
	equal "thing 8" "$(tree/usr/bin/thing)"
	matches "libc6 (>= *" "$(dpkg-deb -f "$1" Depends)"
	equal amd64 "$(dpkg-deb -f "$1" Architecture)"
	rm -r tree
}

# limit: 7200
test_pbuilder()
{
	tools pbuilder,dpkg-dev,debian-archive-keyring,ca-certificates
	thing
	mkdir out
	run -m 3G -q --root tools.tar --bind "$PWD:/here" -C /here -e MIRROR="$(mirror_of trixie)" -- sh -euc '
		mount -t tmpfs -o size=2g none /var/cache/pbuilder
		mkdir -p /var/cache/pbuilder/build /var/cache/pbuilder/aptcache
		pbuilder create --distribution trixie --mirror "$MIRROR" --basetgz /var/cache/pbuilder/base.tgz \
			--debootstrapopts --variant=buildd --aptcache ""
		cp -r thing /src
		cd /
		dpkg-source -b src
		pbuilder build --basetgz /var/cache/pbuilder/base.tgz --buildresult /here/out --aptcache "" thing_1.0.dsc
		# nothing of the build is left in it
		pbuilder execute --basetgz /var/cache/pbuilder/base.tgz -- /bin/sh -c "dpkg -s debhelper" &&
			exit 9
		echo "as it was" >&2
	' >log 2>&1 || { cat log >&2; fail "pbuilder: see above"; }
	contains "as it was" log
	built out/thing_1.0_amd64.deb
	contains "thing_1.0_amd64.deb" out/thing_1.0_amd64.changes
}

# limit: 7200
test_schroot_and_sbuild()
{
	tools schroot,sbuild,dpkg-dev,ca-certificates
	fabricate -q --variant=buildd trixie chroot.tar
	thing
	mkdir out
	run -m 3G -q --root tools.tar --bind "$PWD:/here" -C /here -- sh -euc '
		mount -t tmpfs -o size=2g none /srv
		mkdir -p /srv/chroot /srv/overlay /srv/unpack
		mount --bind /srv/overlay /var/lib/schroot/union/overlay
		mount --bind /srv/unpack /var/lib/schroot/unpack
		tar -C /srv/chroot -xpf chroot.tar
		printf "%s\n" "[dir]" type=directory directory=/srv/chroot union-type=overlay groups=root,sbuild \
			root-groups=root,sbuild profile=sbuild "[file]" type=file file=/here/chroot.tar groups=root \
			profile=minimal >/etc/schroot/chroot.d/test
		schroot -l
		schroot -c dir -d / -- sh -c "echo text >/made; id -u; ls /made"
		[ ! -e /srv/chroot/made ]
		session=$(schroot -b -c dir)
		schroot -r -c "$session" -d / -- sh -c "echo kept >/made"
		schroot -r -c "$session" -d / -- cat /made
		schroot -e -c "$session"
		schroot -c file -d / -- sh -c ". /etc/os-release; echo \$VERSION_CODENAME; exit 5" || echo "status $?"
	' >out.schroot 2>log || { cat out.schroot log >&2; fail "schroot: see above"; }
	sed -i '/^\(chroot\|source\):/d' out.schroot
	printf '%s\n' 0 /made kept trixie 'status 5' | diff - out.schroot
	run -m 3G -q --root tools.tar --bind "$PWD:/here" -C /here -- sh -euc '
		mount -t tmpfs -o size=2g none /srv
		mkdir -p /srv/chroot /srv/overlay /srv/build
		mount --bind /srv/overlay /var/lib/schroot/union/overlay
		tar -C /srv/chroot -xpf chroot.tar
		printf "%s\n" "[trixie-amd64-sbuild]" type=directory directory=/srv/chroot union-type=overlay \
			groups=root,sbuild root-groups=root,sbuild profile=sbuild >/etc/schroot/chroot.d/test
		useradd -m -G sbuild builder
		cp -r thing ~builder/thing
		chown -R builder ~builder
		su builder -c "cd && dpkg-source -b thing && sbuild --chroot-mode=schroot -d trixie --no-run-lintian \
			--no-run-autopkgtest thing_1.0.dsc"
		cp ~builder/*.deb ~builder/*.build out/
	' >log 2>&1 || { cat log >&2; fail "sbuild: see above"; }
	contains 'Status: successful' out/thing_1.0_amd64.build
	built out/thing_1.0_amd64.deb
}

# limit: 7200
test_piuparts()
{
	tools piuparts,debootstrap,debian-archive-keyring,ca-certificates
	fabricate -q --variant=minbase trixie base.tar.gz
	thing
	good_and_bad
	run -m 3G -q --root tools.tar --bind "$PWD:/here" -C /here -e MIRROR="$(mirror_of trixie)" -- sh -euc '
		mount -t tmpfs -o size=2g none /tmp
		for which in good bad; do
			piuparts -d trixie -m "$MIRROR main" -b base.tar.gz --no-upgrade-test --do-not-verify-signatures \
				$which.deb >$which.log 2>&1 && echo "$which passed" || echo "$which failed"
		done' >out 2>log || { cat log >&2; fail "piuparts: see above"; }
	printf 'good passed\nbad failed\n' | diff - out || { tail -n 40 good.log bad.log >&2; fail "piuparts"; }
	contains "PASS: All tests" good.log
	# what it left is named
	contains "/etc/left" bad.log
}

# two packages: one leaves nothing when it is purged, and one a file
good_and_bad()
{
	for which in good bad; do
		mkdir -p "p/DEBIAN" p/usr/share/doc
		printf '%s\n' "Package: $which" "Version: 1" "Architecture: all" \
			"Maintainer: Nobody <nobody@localhost>" "Description: a test" >p/DEBIAN/control
		echo text >p/usr/share/doc/$which
		if [ $which = bad ]; then
			printf '#!/bin/sh\necho text >/etc/left\n' >p/DEBIAN/postinst
			chmod 755 p/DEBIAN/postinst
		fi
		dpkg-deb --root-owner-group -b p $which.deb >/dev/null
		rm -r p
	done
}

# limit: 3600
test_lintian()
{
	tools lintian,ca-certificates
	thing
	good_and_bad
	run -m 1G -q --root tools.tar --bind "$PWD:/here" -C /here -- \
		lintian --allow-root --tag-display-limit 0 bad.deb >out 2>log || true
	contains "E: bad: no-copyright-file" out
	contains "maintainer-script" out
}
