# SPDX-License-Identifier: GPL-2.0-or-later
#
# A Debian package from its name to its .deb: the source fetched and verified, a throwaway root with
# its build dependencies, dpkg-buildpackage with the package's own tests.  Both have built before:
# umlcage has its cache, sbuild its tarball of the root.  sbuild gets what umlcage does without,
# a range of users for its own user, in a mount namespace of root's.
#
# aim: hello, against sbuild --chroot-mode=unshare: deb-hello-cage / deb-hello-sbuild <= 1.0
# aim: libarchive, against the same: deb-libarchive-cage / deb-libarchive-sbuild <= 1.0

deb_suite=bookworm
deb_sbuild=sbuild

setup_deb()
{
	local tarball
	tarball=$deb_sbuild/.cache/sbuild/$deb_suite-$(dpkg --print-architecture).tar
	umlcage kernel build >/dev/null
	deb_in_cage --nocheck hello
	deb_in_cage --nocheck libarchive
	[ "$(id -u)" -eq 0 ] && command -v sbuild >/dev/null || return 0
	[ -s "$tarball" ] && [ -n "$(find "$tarball" -mtime -1)" ] && return 0
	mkdir -p "${tarball%/*}"
	sources_of $deb_suite umlcage | sed 'p; s/^deb /deb-src /' |
		mmdebstrap --quiet --format=tar --variant=buildd --include=fakeroot $deb_suite "$tarball.new" -
	mv "$tarball.new" "$tarball"
}

deb_in_cage()
{
	rm -rf deb-cage
	"${as_user[@]}" mkdir deb-cage
	umlcage deb build -q --suite $deb_suite -o deb-cage "$@"
}

deb_by_sbuild()
{
	[ "$(id -u)" -eq 0 ] || host_cannot "to give sbuild a range of users needs root"
	command -v sbuild >/dev/null || host_cannot "sbuild is not installed"
	cat >$deb_sbuild/rc <<-'EOT'
		$run_lintian = 0;
		$nolog = 1;
		1;
	EOT
	# sbuild leaves the packages where it is started: HOME
	with_range $deb_sbuild env SBUILD_CONFIG="$PWD/$deb_sbuild/rc" \
		sbuild --chroot-mode=unshare --dist=$deb_suite --no-clean-source --nolog "$1"
	rm -f $deb_sbuild/*_*
}

bench_deb_hello_cage()
{
	timed deb-hello-cage deb_in_cage hello
}

bench_deb_hello_sbuild()
{
	timed deb-hello-sbuild deb_by_sbuild hello
}

bench_deb_libarchive_cage()
{
	timed deb-libarchive-cage deb_in_cage libarchive
}

bench_deb_libarchive_sbuild()
{
	timed deb-libarchive-sbuild deb_by_sbuild libarchive
}
