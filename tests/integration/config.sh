# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# What programs expect of a kernel without asking for it: see kernel-config/defaults.config.

# The device of an image that is mounted may be opened for writing, as mount itself, losetup
# and every partitioning tool do.
test_disk_image_is_mounted_and_written()
{
	mkdir tree
	echo there >tree/file
	PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -d tree disk.img 8M
	run --bind "$T:/mnt:ro" -- sh -euc 'PATH=$PATH:/sbin:/usr/sbin
		cp /mnt/disk.img /tmp/disk; mkdir /tmp/a /tmp/b
		mount -o loop /tmp/disk /tmp/a
		cat /tmp/a/file; echo new >/tmp/a/new
		first=$(losetup -n -O NAME -j /tmp/disk); test -b "$first"
		: >>"$first"
		second=$(losetup -f --show /tmp/disk); test "$second" != "$first"
		umount /tmp/a
		mount -o ro "$second" /tmp/b; cat /tmp/b/new; umount /tmp/b
		losetup -d "$second"; test -z "$(losetup -n -O NAME -j /tmp/disk)"' >out
	equal "there new" "$(tr '\n' ' ' <out | sed 's/ $//')" "files of the image"
}

test_configuration_is_readable()
{
	run -- zcat /proc/config.gz >config
	contains CONFIG_HUMFS=y config
	contains CONFIG_BLK_DEV_WRITE_MOUNTED=y config
}

# mksquashfs of live images compresses code with a filter of its own
test_filtered_squashfs()
{
	type -P mksquashfs >/dev/null || host_cannot "there is no mksquashfs"
	mkdir tree
	cp /bin/bash tree
	mksquashfs tree fs.squashfs -quiet -no-progress -comp xz -Xbcj x86 >/dev/null
	run --bind "$T:/mnt:ro" -- sh -euc 'mkdir /tmp/fs; mount -o loop /mnt/fs.squashfs /tmp/fs
		cmp /tmp/fs/bash /mnt/tree/bash'
}
