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
	[ ! -e x.raw ] || fail "half a disk"
}

# ---- booted ----

emulated()
{
	mirrored
	command -v qemu-system-x86_64 >/dev/null || host_cannot "no qemu-system-x86_64"
	[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || host_cannot "no OVMF"
}

# A share "system" with a kernel, an init, and root without a password.
system()
{
	emulated
	fabricate -q --variant=minbase --include="init,udev,kmod,linux-image-cloud-amd64${1-}" \
		--customize-hook='chroot "$1" passwd -q -d root' --format=directory trixie system
}

# Nothing in the system gives up on a machine that is slow.
PATIENT="systemd.default_timeout_start_sec=1800 systemd.default_device_timeout_sec=1800"

# starts FIRMWARE ARGUMENTS-OF-QEMU...: a $machine, with its $console; descriptor 9 is its keyboard
starts()
{
	local firmware=$1
	console=console.$1
	shift
	if [ "$firmware" = uefi ]; then
		cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd
		set -- -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \
			-drive if=pflash,format=raw,file=vars.fd "$@"
	fi
	rm -f keys
	mkfifo keys
	# for both directions: who writes when the machine has just ended is not to die of it
	exec 9<>keys
	qemu-system-x86_64 -machine q35 -accel tcg -cpu max -m 1024 -nographic -no-reboot "$@" \
		<keys >"$console" 2>&1 9>&- &
	machine=$!
}

gone()
{
	! kill -0 "$machine" 2>/dev/null
}

# runs_until COMMAND...: repeats it for as long as the machine runs, and an hour
runs_until()
{
	local until=$((SECONDS + 3600))
	until "$@"; do
		if gone || [ $SECONDS -ge $until ]; then
			tail -n 30 "$console" >&2
			fail "the machine $(gone && echo "ended" || echo "ran for an hour") without: $*"
		fi
		sleep 0.5
	done
}

# typed LINE WANTED: types it, for whoever reads it by then, and looks for what it is to lead to
typed()
{
	printf '%s\n' "$1" >&9
	sleep 3
	grep -qa "$2" "$console"
}

# logged_in LINE WANTED: without a password; once more does no harm
logged_in()
{
	printf 'root\n' >&9
	sleep 2
	typed "$@"
}

off()
{
	gone || typed "systemctl --force --force poweroff" "Power down" || gone
}

# boots FIRMWARE ARGUMENTS-OF-QEMU...: to the prompt, where root says something, and off
boots()
{
	starts "$1" -nic none "${@:2}"
	runs_until grep -qa "login:" "$console"
	# shellcheck disable=SC2016
	runs_until logged_in 'echo it-is-$((6 * 7)) on $(uname -r); findmnt -n -o FSTYPE /' "it-is-42 on 6"
	within 3600 off
	within 3600 gone
	exec 9>&-
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

# ---- the example ----

reached()
{
	ssh -p "$port" -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=known \
		-o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=120 -o LogLevel=ERROR root@127.0.0.1 "$@"
}

reached_as_is()
{
	reached true 2>>ssh.err
}

# answers FIRMWARE ARGUMENTS-OF-QEMU...: ssh, with a key that the machine was given and its image has not
answers()
{
	local port
	port=$(free_port)
	rm -f known
	starts "$1" -nic "user,model=virtio,hostfwd=tcp:127.0.0.1:$port-:22" -smbios \
		"type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root=$(base64 -w 0 key.pub)" "${@:2}"
	runs_until reached_as_is
	reached 'hostname; findmnt -n -o FSTYPE /; systemctl is-active ssh; ls /etc/ssh/ssh_host_ed25519_key' >out
	printf '%s\n' server ext4 active /etc/ssh/ssh_host_ed25519_key | diff - out
	reached systemctl --force --force poweroff || true
	within 3600 gone
	exec 9>&-
}

# limit: 10800
test_disks_of_the_example_answer_over_ssh()
{
	emulated
	ssh-keygen -q -t ed25519 -N '' -f key
	cp -R "${UMLCAGE%/bin/umlcage}/share/doc/umlcage/examples/nightly" .
	sed -i "s/^size = 4G/&\nboot-args = $PATIENT/" nightly/disk.build
	"$UMLCAGE" build -q ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --only=disk -o images nightly
	answers bios -drive if=virtio,format=qcow2,snapshot=on,file=images/disk/latest/server.qcow2
	answers uefi -drive if=virtio,format=raw,snapshot=on,file=images/disk/latest/server.raw
}
