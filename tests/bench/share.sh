# SPDX-License-Identifier: GPL-2.0-or-later
#
# A root filesystem into a share and out of it, against tar as root; and configuring the
# packages of one, all of them once more, on a share against in memory.
# umlcage brings to the disk what it made, which tar leaves for later: tar is timed both
# without a sync of the filesystem (for the promises) and with one.
#
# promise: import against tar x as root: import / tar-x <= 1.5
# promise: export against tar c as root: export / tar-c <= 1.2
# ratio: import against tar x and sync: import / tar-x-sync
# ratio: export against tar c and sync: export / tar-c-sync
# promise: dpkg --configure -a on humfs against guest tmpfs: configure-humfs / configure-tmpfs <= 1.25
# promise: dpkg --configure -a in a cage against the host's own, as root: configure-humfs / configure-native <= 1.4
# aim: dpkg --configure -a in a cage against the host's own, as root: configure-humfs / configure-native <= 1.2

# the packages of share.tar as dpkg --unpack leaves them, all to be configured
as_unpacked()
{
	rm -rf new
	umlcage share import -q share.tar new
	umlcage run --root new --writable -- \
		sed -i 's/^Status: install ok installed$/Status: install ok unpacked/' /var/lib/dpkg/status
	umlcage share export -q new unpacked.tar
	rm -rf new
}

setup_share()
{
	[ -s share.tar ] || umlcage fabricate --variant=minbase bookworm share.tar >/dev/null 2>&1
	rm -rf share
	umlcage share import -q share.tar share
	[ -s unpacked.tar ] || as_unpacked
}

bench_import()
{
	rm -rf imported
	timed import umlcage share import -q share.tar imported
	rm -rf imported
}

bench_export()
{
	# in the host's memory, as what tar -c reads is
	umlcage share export -q share exported.tar
	timed export umlcage share export -q share exported.tar
	rm -f exported.tar
}

bench_tar()
{
	[ "$(id -u)" -eq 0 ] || host_cannot "tar with owners needs root"
	mkdir -p plain
	timed tar-x tar --xattrs --numeric-owner -C plain -xf share.tar
	sync -f plain
	timed tar-c tar --xattrs --numeric-owner -C plain -cf plain.tar .
	rm -rf plain plain.tar
	mkdir -p plain
	sync -f plain
	timed tar-x-sync sh -c 'tar --xattrs --numeric-owner -C plain -xf share.tar && sync -f plain'
	timed tar-c-sync sh -c 'tar --xattrs --numeric-owner -C plain -cf plain.tar . && sync plain.tar'
	rm -rf plain plain.tar
}

# configures what is unpacked in "$1"; "$2" is the figure, in seconds by the clock of whoever runs it
configure_script='
	for fs in proc sys dev; do mount --rbind /$fs "$1/$fs"; done
	export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
	began=$(date +%s%N)
	# it makes the names that other scripts use without depending on it
	chroot "$1" dpkg --force-depends --configure base-passwd >/dev/null
	chroot "$1" dpkg --configure -a >/dev/null
	ended=$(date +%s%N)
	! grep -q "^Status:.*unpacked" "$1/var/lib/dpkg/status"
	echo "$2" s $(((ended - began) / 1000000)) | sed "s/...$/.&/"'

# configure FIGURE WHAT-MAKES-/mnt/new OPTION-OF-RUN...
configure()
{
	umlcage run --memory 1536M --root share --bind .:/media:ro "${@:3}" -- \
		sh -euc "mkdir -p /mnt/new; $2; $configure_script" sh /mnt/new "$1"
}

bench_configure()
{
	rm -rf new
	umlcage share import -q unpacked.tar new
	configure configure-humfs : --share new:/mnt/new
	rm -rf new
	configure configure-tmpfs 'mount -t tmpfs -o size=1g tmpfs /mnt/new
		tar -C /mnt/new --numeric-owner -xpf /media/unpacked.tar'
}

# on the host's disk, by the host's kernel
bench_configure_natively()
{
	[ "$(id -u)" -eq 0 ] || host_cannot "dpkg needs root"
	rm -rf plain
	mkdir plain
	tar --numeric-owner -C plain -xpf unpacked.tar
	unshare --mount sh -euc "$configure_script" sh "$PWD/plain" configure-native
	rm -rf plain
}
