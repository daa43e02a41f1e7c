# SPDX-License-Identifier: GPL-2.0-or-later
# Media to boot from: the same bytes twice in every format, the tree in them, and each booted in
# QEMU (software emulation) to a shell behind the login prompt of its serial console.

export SOURCE_DATE_EPOCH=1700000000
PATH=$PATH:/sbin:/usr/sbin

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

# limit: 900
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

# limit: 900
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

test_what_cannot_boot_is_refused_at_once()
{
	rich_share
	rm s/boot/initrd.img-6.1-test
	status 3 export_share s x.raw 2>err
	contains "no initramfs /boot/initrd.img-6.1-test" err
	rm s/boot/*
	status 3 export_share s x.raw 2>err
	contains "the tree has no kernel" err
	[ ! -e x.raw ] || fail "half a disk"
}

# ---- booted ----

# A share "system" with a kernel, an init, and root without a password.
system()
{
	mirrored
	command -v qemu-system-x86_64 >/dev/null || host_cannot "no qemu-system-x86_64"
	[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || host_cannot "no OVMF"
	fabricate -q --variant=minbase --include="init,udev,kmod,linux-image-cloud-amd64${1-}" \
		--customize-hook='chroot "$1" passwd -q -d root' --format=directory trixie system
}

# boots FIRMWARE ARGUMENTS-OF-QEMU...: to the prompt, where root says something, and off
boots()
{
	local firmware=$1 log=console.$1 pid
	shift
	if [ "$firmware" = uefi ]; then
		cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
		set -- -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
			-drive if=pflash,format=raw,file=vars.fd "$@"
	fi
	rm -f keys
	mkfifo keys
	qemu-system-x86_64 -machine q35 -accel tcg -cpu max -m 1024 -nographic -no-reboot -nic none \
		"$@" <keys >"$log" 2>&1 &
	pid=$!
	exec 9>keys
	within 600 grep -qa "login:" "$log"
	printf 'root\n' >&9
	within 120 grep -qa '[#$] *$' "$log"
	# shellcheck disable=SC2016
	printf 'echo it-is-$((6 * 7)) on $(uname -r); findmnt -n -o FSTYPE /; systemctl --force --force poweroff\n' >&9
	within 120 grep -qa "it-is-42 on 6" "$log"
	within 120 gone $pid
	exec 9>&-
}

gone()
{
	! kill -0 "$1" 2>/dev/null
}

# limit: 2400
test_grub_boots_with_both_firmwares()
{
	system
	export_share system disk.qcow2
	boots bios -drive if=virtio,format=qcow2,snapshot=on,file=disk.qcow2
	boots uefi -drive if=virtio,format=qcow2,snapshot=on,file=disk.qcow2
}

# limit: 3000
test_live_medium_boots_with_both_firmwares()
{
	system ,live-boot
	export_share --level=1 system live.iso
	export_share --level=1 system again.iso
	cmp live.iso again.iso
	boots bios -cdrom live.iso
	contains overlay console.bios
	# as a stick, too
	boots uefi -drive if=virtio,format=raw,snapshot=on,file=live.iso
}

# limit: 1800
test_initramfs_boots()
{
	system
	export_share system system.initramfs
	boots bios -m 2048 -append "console=ttyS0" -initrd system.initramfs -kernel system/boot/vmlinuz-*
}

# limit: 2400
test_systemd_boot_and_unified_image_boot()
{
	system
	for boot in systemd-boot uki; do
		export_share --boot=$boot system disk.raw
		export_share --boot=$boot system again.raw
		cmp disk.raw again.raw
		boots uefi -drive if=virtio,format=raw,snapshot=on,file=disk.raw
	done
}
