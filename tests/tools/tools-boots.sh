# SPDX-License-Identifier: GPL-2.0-or-later
# Disks and media that people's tools make as root (umlcage tool), each booted in QEMU (software emulation)
# to a shell behind the login prompt of its serial console.

# shellcheck source=tests/support/machines.sh
. "$TESTS_DIR/support/machines.sh"
# shellcheck source=tests/support/tools.sh
. "$TESTS_DIR/support/tools.sh"

# what a shell in the system does so that root needs no password, and nothing gives up on a slow machine
patience()
{
	cat <<-'END'
	passwd -q -d root
	mkdir -p /etc/systemd/system.conf.d
	printf '[Manager]\nDefaultTimeoutStartSec=1800\nDefaultDeviceTimeoutSec=1800\n' >/etc/systemd/system.conf.d/slow.conf
	END
}

# a disk for both firmwares
boots_disk()
{
	local firmware
	for firmware in "${@:2}"; do
		boots "$firmware" -drive "if=virtio,format=raw,snapshot=on,file=$1"
	done
}

# Partitions, a kernel and GRUB, as debos's own recipes have them.
# limit: 10800
test_debos()
{
	emulated
	mkdir -p overlay/etc/default scripts
	cat >overlay/etc/default/grub <<-'END'
	GRUB_TIMEOUT=0
	GRUB_CMDLINE_LINUX="console=ttyS0"
	GRUB_TERMINAL=serial
	END
	{ echo '#!/bin/sh -e'; patience; } >scripts/patience
	chmod +x scripts/patience
	cat >recipe.yaml <<-'END'
	{{- $suite := or .suite "bookworm" -}}
	architecture: amd64
	actions:
	  - action: debootstrap
	    suite: {{ $suite }}
	    components: [ main ]
	    mirror: {{ .mirror }}
	    variant: minbase
	  - action: apt
	    recommends: false
	    packages: [ systemd-sysv, udev, kmod, login ]
	  - action: overlay
	    source: overlay
	  - action: image-partition
	    imagename: out.img
	    imagesize: 2GB
	    partitiontype: gpt
	    mountpoints:
	      - mountpoint: /
	        partition: root
	      - mountpoint: /boot/efi
	        partition: efi
	    partitions:
	      - name: bios
	        fs: none
	        start: 1MiB
	        end: 2MiB
	        flags: [ bios_grub ]
	      - name: efi
	        fs: vfat
	        start: 2MiB
	        end: 66MiB
	        flags: [ boot ]
	      - name: root
	        fs: ext4
	        start: 66MiB
	        end: 100%
	  - action: filesystem-deploy
	  - action: apt
	    recommends: false
	    packages: [ initramfs-tools, linux-image-cloud-amd64, grub-pc-bin, grub-efi-amd64-bin, grub2-common ]
	  - action: run
	    chroot: true
	    command: grub-install --target=i386-pc ${IMAGE} && update-grub
	  - action: run
	    chroot: true
	    command: grub-install --target=x86_64-efi --removable --no-nvram
	  - action: run
	    chroot: true
	    script: scripts/patience
	END
	tool debos -t mirror:"$(mirror_of bookworm)" recipe.yaml
	boots_disk out.img bios uefi
}

# limit: 10800
test_mkosi_with_a_unified_kernel_image()
{
	emulated
	cat >mkosi.conf <<-END
	[Distribution]
	Distribution=debian
	Release=trixie
	LocalMirror=$(mirror_of trixie)
	[Output]
	Format=disk
	Output=out
	[Content]
	Bootable=yes
	Bootloader=systemd-boot
	UnifiedKernelImages=yes
	KernelCommandLine=console=ttyS0 systemd.firstboot=off $PATIENT
	Packages=systemd,systemd-sysv,systemd-boot,systemd-boot-efi,udev,kmod,login,passwd,linux-image-cloud-amd64
	END
	{ echo '#!/bin/sh -e'; patience; } >mkosi.postinst.chroot
	chmod +x mkosi.postinst.chroot
	tool mkosi build
	boots_disk out.raw uefi
	# one file with the kernel, its arguments and its initrd ('out' is a link to the disk)
	run -q --bind "$PWD:/w:ro" -- sh -euc '
		loop=$(losetup -r -P -f --show /w/out.raw)
		mount -o ro "${loop}p1" /mnt
		ls /mnt/EFI/Linux | grep -c "\.efi\$"' >found
	equal 1 "$(cat found)" "unified images"
}

# limit: 14400
test_live_build()
{
	local mirror
	mirrored
	mirror=$(mirror_of trixie)
	tool --tools-suite trixie live-build config --distribution trixie --archive-areas main --security false \
		--updates false --debian-installer none --apt-recommends false --apt-indices false --memtest none \
		--firmware-binary false --firmware-chroot false --linux-flavours cloud-amd64 \
		--mirror-bootstrap "$mirror" --mirror-chroot "$mirror" --mirror-binary "$mirror" \
		--chroot-squashfs-compression-type zstd --chroot-squashfs-compression-level 1 \
		--bootappend-live "boot=live console=ttyS0 $PATIENT"
	[ -d config/package-lists ] || fail "no configuration comes out"
	echo systemd-sysv udev live-boot login passwd >config/package-lists/live.list.chroot
	mkdir -p config/hooks/normal
	{ echo '#!/bin/sh -e'; patience; } >config/hooks/normal/1000-patience.hook.chroot
	# its menus wait for somebody
	cat >config/hooks/normal/1000-menus.hook.binary <<-'END'
	#!/bin/sh -e
	sed -i 's/^timeout 0/timeout 1/' isolinux/isolinux.cfg
	sed -i '1i set timeout=0' boot/grub/grub.cfg
	END
	chmod +x config/hooks/normal/1000-patience.hook.chroot config/hooks/normal/1000-menus.hook.binary
	tool --tools-suite trixie live-build build
	mv ./*.iso out.iso
	[ ! -e chroot ] && [ ! -e binary ] || fail "what it works with comes out"
	run -q --bind "$PWD:/w:ro" -- sh -euc '
		mount -o loop,ro /w/out.iso /mnt
		ls /mnt/live/vmlinuz* /mnt/live/initrd* /mnt/EFI/boot/boot*.efi /mnt/isolinux/isolinux.bin >/dev/null
		mkdir /tree
		mount -o loop,ro /mnt/live/filesystem.squashfs /tree
		chroot /tree dpkg -s live-boot systemd-sysv | grep "^Status"
		stat -c "%u:%g %a" /tree/etc/shadow' >out
	printf '%s\n' "Status: install ok installed" "Status: install ok installed" "0:42 640" | diff - out
	emulated
	boots bios -m 2048 -cdrom out.iso
	contains overlay console.bios
	# as a stick, too
	boots uefi -m 2048 -drive if=virtio,format=raw,snapshot=on,file=out.iso
	contains overlay console.uefi
}

# The example of its own documentation, with a class that gives it a serial console.
# limit: 14400
test_fai_diskimage()
{
	local mirror
	emulated
	mirror=$(mirror_of bookworm)
	fabricate -q --variant=extract --include=fai-doc bookworm doc.tar
	tar -xf doc.tar --strip-components=7 ./usr/share/doc/fai-doc/examples/simple
	sed -i "s|^FAI_DEBOOTSTRAP=.*|FAI_DEBOOTSTRAP=\"bookworm $mirror\"|" class/FAIBASE.var
	mkdir scripts/SERIAL
	{
		echo '#!/bin/bash'
		echo "\$ROOTCMD sh -e <<'PATIENCE'"
		patience
		echo 'mkdir -p /etc/default/grub.d'
		echo 'printf "GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX=console=ttyS0\nGRUB_TERMINAL=serial\n" >/etc/default/grub.d/serial.cfg'
		echo update-grub
		echo PATIENCE
	} >scripts/SERIAL/20-console
	chmod +x scripts/SERIAL/20-console
	tool fai-diskimage -v -u machine -S 3G -c DEBIAN,AMD64,FAIBASE,CLOUD,GRUB_PC,SERIAL out.raw
	boots_disk out.raw bios
	contains "machine login:" console.bios
}
