# SPDX-License-Identifier: GPL-2.0-or-later
# Disks and media that people's tools make as root (umlcage tool), each booted in QEMU (software emulation)
# to a shell behind the login prompt of its serial console.

# shellcheck source=tests/support/machines.sh
. "$TESTS_DIR/support/machines.sh"

tool()
{
	"$UMLCAGE" tool ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@" >log 2>&1 ||
		{ tail -n 200 log >&2; fail "the tool: see above"; }
}

# what a shell in the system does so that root needs no password, and nothing gives up on a slow machine
patience()
{
	cat <<-'END'
	passwd -q -d root
	mkdir -p /etc/systemd/system.conf.d
	printf '[Manager]\nDefaultTimeoutStartSec=1800\nDefaultDeviceTimeoutSec=1800\n' >/etc/systemd/system.conf.d/slow.conf
	END
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
	boots uefi -drive if=virtio,format=raw,snapshot=on,file=out.raw
	# the image with the kernel, its arguments and its initrd, which is in the disk, too
	[ -s out.efi ]
}
