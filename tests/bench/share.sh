# SPDX-License-Identifier: GPL-2.0-or-later
#
# A root filesystem into a share and out of it, against tar as root.
#
# promise: import against tar x as root: import / tar-x <= 1.5
# promise: export against tar c as root: export / tar-c <= 1.2

setup_share()
{
	[ -s share.tar ] || umlcage fabricate --variant=minbase bookworm share.tar >/dev/null 2>&1
	rm -rf share
	umlcage share import -q share.tar share
}

bench_import()
{
	rm -rf imported
	timed import umlcage share import -q share.tar imported
	rm -rf imported
}

bench_export()
{
	timed export umlcage share export -q share exported.tar
	rm -f exported.tar
}

bench_tar()
{
	[ "$(id -u)" -eq 0 ] || host_cannot "tar with owners needs root"
	mkdir -p plain
	timed tar-x tar --xattrs --numeric-owner -C plain -xf share.tar
	timed tar-c tar --xattrs --numeric-owner -C plain -cf plain.tar .
	rm -rf plain plain.tar
}
