# SPDX-License-Identifier: GPL-2.0-or-later
# Media to boot from: the same bytes twice in every format, the tree in them, and each booted in
# QEMU (software emulation) to a shell behind the login prompt of its serial console.

export SOURCE_DATE_EPOCH=1700000000
PATH=$PATH:/sbin:/usr/sbin
# shellcheck source=tests/support/machines.sh
. "$TESTS_DIR/support/machines.sh"

export_share()
{
	"$UMLCAGE" share export -q ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@"
}

# a share "s" with everything in it, and what looks like a kernel
rich_share()
{
	mirrored
	"$TESTS_DIR/support/tar-make" rich.tar rich
	"$UMLCAGE" share import -q rich.tar s
	mkdir -p s/boot
	{ head -c 514 /dev/zero; printf HdrS; head -c 70000 /dev/urandom; } >s/boot/vmlinuz-6.1-test
	head -c 50000 /dev/urandom >s/boot/initrd.img-6.1-test
	"$UMLCAGE" share export -q s want.tar
}

# limit: 7200
test_same_bytes_twice_in_every_format()
{
	rich_share
	export_share s disk.raw
	for format in raw qcow2 vmdk vhd; do
		export_share s "a.$format"
		sleep 1
		export_share s "b.$format"
		cmp "a.$format" "b.$format"
		qemu-img compare disk.raw "a.$format" >out || { cat out; fail "$format has other contents"; }
		! grep -i warn out || fail "$format"
		rm "a.$format" "b.$format"
	done
	for boot in bios uefi systemd-boot uki; do
		[ $boot != uki ] || continue	# which takes a real kernel
		export_share --boot=$boot s a.raw
		sleep 1
		export_share --boot=$boot s b.raw
		cmp a.raw b.raw
	done
	[ "$(stat -c %b disk.raw)" -lt $(($(stat -c %s disk.raw) / 512 / 4)) ] || fail "not sparse"
}

# Both clocks are moved: that of the programs here, and that of the cage that a tool runs in.
# limit: 7200
test_same_bytes_on_another_day_in_every_format()
{
	local format formats
	rich_share
	mkdir -p s/sbin s/usr/share/initramfs-tools/scripts
	touch s/sbin/init s/usr/share/initramfs-tools/scripts/live
	formats=$("$UMLCAGE" share export --help | tr -s ' \n' ' ' | sed 's/.* as in tar.zst: //; s/ -l, .*//; s/,//g')
	[ "$(wc -w <<<"$formats")" -ge 20 ] || fail "the formats: $formats"
	for format in $formats; do
		case $format in
		null) continue ;;
		# the tools' suite may not be there any more
		xfs) export_share --format=xfs s x 2>err || { cat err; continue; } ;;
		esac
		rm -rf a b
		export_share --format="$format" s a
		faulty clock 1 "$UMLCAGE" share export -q --clock=2031-05-06T07:08 --format="$format" \
			${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} s b
		case $format in
		directory)
			"$UMLCAGE" share export -q a a.tar
			"$UMLCAGE" share export -q b b.tar
			cmp a.tar b.tar ;;
		oci) diff -r a b ;;
		*) cmp a b ;;
		esac
		echo "$format: the same"
	done
}

# limit: 7200
test_disk_has_the_tree()
{
	rich_share
	export_share --size=1G --fs-label=night s disk.raw
	equal $((1 << 30)) "$(stat -c %s disk.raw)" size
	sfdisk --verify disk.raw >verify 2>&1 || { cat verify; fail "the table of partitions"; }
	sfdisk --dump disk.raw >dump
	for type in 21686148-6449-6E6F-744E-656564454649 C12A7328-F81F-11D2-BA4B-00A0C93EC93B \
		4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709; do
		contains "type=$type" dump
	done
	# shellcheck disable=SC2034
	sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\), type=C12A.*/\1 \2/p' dump >system
	read -r at size <system
	dd if=disk.raw of=system.img bs=512 skip="$at" count="$size" status=none
	fsck.vfat -n system.img || fail "fsck found something in the system partition"
	sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\), type=4F68.*/\1 \2/p' dump >root
	read -r at size <root
	dd if=disk.raw of=root.img bs=512 skip="$at" count="$size" status=none conv=sparse
	e2fsck -fn root.img || fail "fsck found something"
	equal night "$(e2label root.img)" label
	in_image root.img
	"$TESTS_DIR/support/tar-compare" --times want.tar got.tar || fail "the tree is another one"
}

# limit: 600
test_what_cannot_boot_is_refused_at_once()
{
	rich_share
	rm s/boot/initrd.img-6.1-test
	status 3 export_share s x.raw 2>err
	contains "no initramfs /boot/initrd.img-6.1-test" err
	rm s/boot/*
	status 3 export_share s x.raw 2>err
	contains "the tree has no kernel" err
	# one for arm64 by what it is for the firmware, with a loader of its own
	echo x >s/boot/initrd.img-6.2-test
	{ printf MZ; head -c 58 /dev/zero; printf '@\0\0\0PE\0\0\144\252'; } >s/boot/vmlinuz-6.2-test
	status 3 export_share s x.raw 2>err
	contains "kernel is for arm64, and the tree has no boot loader for that; install grub-efi-arm64-bin" err
	status 3 export_share --boot=uki s x.raw 2>err
	contains "install systemd-boot-efi" err
	status 2 export_share --boot=bios s x.raw 2>err
	contains "has no BIOS; leave --boot out" err
	status 3 export_share s x.iso 2>err
	contains "live media are made for x86 only" err
	[ ! -e x.raw ] || fail "half a disk"
}

# ---- booted ----

# A share "system" with a kernel, an init, and root without a password.
system()
{
	emulated
	fabricate -q --variant=minbase --include="init,udev,kmod,linux-image-cloud-amd64${1-}" \
		--customize-hook='chroot "$1" passwd -q -d root' --format=directory trixie system
}

# limit: 10800
test_grub_boots_with_both_firmwares()
{
	system
	export_share --boot-args="$PATIENT" system disk.qcow2
	boots bios -drive if=virtio,format=qcow2,snapshot=on,file=disk.qcow2
	boots uefi -drive if=virtio,format=qcow2,snapshot=on,file=disk.qcow2
}

# limit: 10800
test_live_medium_boots_with_both_firmwares()
{
	system ,live-boot
	export_share --level=1 --boot-args="$PATIENT" system live.iso
	export_share --level=1 --boot-args="$PATIENT" system again.iso
	cmp live.iso again.iso
	boots bios -cdrom live.iso
	contains overlay console.bios
	# as a stick, too
	boots uefi -drive if=virtio,format=raw,snapshot=on,file=live.iso
}

# limit: 7200
test_initramfs_boots()
{
	system
	export_share system system.initramfs
	boots bios -m 2048 -append "console=ttyS0 $PATIENT" -initrd system.initramfs -kernel system/boot/vmlinuz-*
}

# limit: 10800
test_systemd_boot_and_unified_image_boot()
{
	system
	for boot in systemd-boot uki; do
		export_share --boot=$boot --boot-args="$PATIENT" system disk.raw
		export_share --boot=$boot --boot-args="$PATIENT" system again.raw
		cmp disk.raw again.raw
		boots uefi -drive if=virtio,format=raw,snapshot=on,file=disk.raw
	done
}

# limit: 10800
test_arm64_boots()
{
	emulated_arm64
	fabricate -q --architectures=arm64 --variant=minbase \
		--include=init,udev,kmod,linux-image-arm64,grub-efi-arm64-bin,systemd-boot-efi \
		--customize-hook='chroot "$1" passwd -q -d root' --format=directory trixie system
	for boot in both systemd-boot uki; do
		export_share --boot=$boot --boot-args="$PATIENT" system disk.raw
		export_share --boot=$boot --boot-args="$PATIENT" system again.raw
		cmp disk.raw again.raw
		boots arm64 -drive if=virtio,format=raw,snapshot=on,file=disk.raw
	done
}
