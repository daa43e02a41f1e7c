// SPDX-License-Identifier: GPL-2.0-or-later
/* Tools that people run as root to make images and roots: a row says all there is to know of one. */
#include "rootfs/fabricate/fabricate.h"

#define GB(n) ((uint64_t)(n) << 30)

/* udevd makes the names of partitions and volumes, and tools wait for it. */
#define UDEV "/usr/lib/systemd/systemd-udevd --daemon 2>/dev/null; udevadm trigger; udevadm settle\n"

/*
 * For tools that work in the current folder, with owners and devices: that is one of the cage's
 * own, and files of the user's that arguments name are found where they are.
 */
#define ASIDE \
	"here=$PWD\n" \
	"for a; do\n" \
	"\tshift\n" \
	"\tcase $a in -* | /*) ;; *) [ ! -e \"$a\" ] || a=$here/$a ;; esac\n" \
	"\tset -- \"$@\" \"$a\"\n" \
	"done\n" \
	"mkdir -p /work && cd /work || exit\n"

/*
 * live-build works in the current folder, too, but has its whole configuration in it: that goes in, and what
 * is made beside it comes out.
 */
#define LIVE_BUILD \
	"here=$PWD\n" \
	"mkdir -p /work/.build && cd /work || exit\n" \
	"for i in auto config local .build/config; do\n" \
	"\t[ ! -e \"$here/$i\" ] || cp -RTp \"$here/$i\" \"$i\" || exit\n" \
	"done\n" \
	"lb \"$@\"\n" \
	"status=$?\n" \
	"rm -rf binary cache chroot\n" \
	"find .build ! -type d ! -name config -delete\n" \
	"cp -RT --preserve=mode,timestamps . \"$here\" || exit\n" \
	"exit $status\n"

/* The configuration is the current folder, unless -s says another; no server wants the logs. */
#define FAI \
	"sed -i '/^LOGUSER=/d' /etc/fai/fai.conf || exit\n" \
	"[ ! -d class ] || { mkdir -p /srv/fai && ln -sT \"$PWD\" /srv/fai/config; } || exit\n" \
	"exec fai-diskimage \"$@\"\n"

/* What an init would have done: systemd-nspawn and kernel-install ask for the machine's number. */
const char fabricate_tool_before[] =
	"[ -s /etc/machine-id ] || od -An -N16 -tx1 /dev/urandom | tr -d ' \\n' >/etc/machine-id\n";

const struct fabricate_tool fabricate_tool_table[] = {
	{ .name = "debootstrap", .what = "a Debian root, by debootstrap(8)", .own = true,
	  .packages = "debootstrap,ca-certificates,gpgv,xz-utils,zstd,debian-archive-keyring" },
	{ .name = "mmdebstrap", .what = "a Debian root, by mmdebstrap(1)",
	  .packages = "mmdebstrap,debian-archive-keyring,ca-certificates,zstd,xz-utils,arch-test,"
		      "squashfs-tools-ng,genext2fs,dpkg-dev",
	  .script = "exec mmdebstrap \"$@\"", .memory = GB(2) },
	{ .name = "vmdb2", .what = "a disk image from a .vmdb file, by vmdb2(1)",
	  .packages = "vmdb2,debootstrap,kpartx,parted,fdisk,gdisk,dosfstools,e2fsprogs,btrfs-progs,"
		      "xfsprogs,udev,qemu-utils,zerofree,psmisc,ca-certificates",
	  .before = UDEV, .script = "exec vmdb2 \"$@\"", .memory = GB(2), .full = true, .disk = true },
	{ .name = "debos", .what = "a disk image from a recipe, by debos(1)",
	  .packages = "debos,debootstrap,mmdebstrap,parted,fdisk,dosfstools,e2fsprogs,btrfs-progs,"
		      "xfsprogs,f2fs-tools,udev,systemd-container,bmap-tools,qemu-utils,git,zip,unzip,"
		      "pigz,ca-certificates",
	  .before = UDEV,
	  .script = ASIDE "exec debos --disable-fakemachine --artifactdir=\"$here\" \"$@\"",
	  .memory = GB(2), .full = true, .disk = true },
	{ .name = "mkosi", .what = "an image of an operating system, by mkosi(1)", .suite = "trixie",
	  .packages = "mkosi,systemd-repart,systemd-container,systemd-ukify,systemd-boot,udev,kmod,cpio,"
		      "zstd,xz-utils,dosfstools,mtools,e2fsprogs,btrfs-progs,squashfs-tools,erofs-utils,"
		      "debian-archive-keyring,ca-certificates,bubblewrap",
	  .before = UDEV, .script = "exec mkosi \"$@\"", .memory = GB(3), .full = true, .disk = true },
	{ .name = "live-build", .what = "a live medium, by lb(1): live-build config, live-build build",
	  .packages = "live-build,debootstrap,xorriso,squashfs-tools,dosfstools,mtools,e2fsprogs,parted,"
		      "fdisk,isolinux,syslinux-common,grub-pc-bin,grub-efi-amd64-bin,cpio,file,"
		      "librsvg2-bin,gpgv,wget,xz-utils,zstd,debian-archive-keyring,ca-certificates",
	  .script = LIVE_BUILD, .memory = GB(3), .full = true, .disk = true },
	{ .name = "fai-diskimage", .what = "a disk image from classes, by fai-diskimage(8)",
	  .packages = "fai-server,fai-client,fai-setup-storage,debootstrap,parted,fdisk,dosfstools,"
		      "e2fsprogs,btrfs-progs,xfsprogs,lvm2,udev,qemu-utils,zerofree,procps,iproute2,"
		      "xz-utils,zstd,bzip2,debian-archive-keyring,ca-certificates",
	  .before = UDEV, .script = FAI, .memory = GB(2), .full = true, .disk = true },
	{ .name = NULL },
};

const struct fabricate_tool *fabricate_tool_find(const char *name, struct error *e)
{
	cleanup_strv struct strv all = STRV_INIT;
	cleanup_free char *text = NULL;
	const char *meant;

	for (const struct fabricate_tool *t = fabricate_tool_table; t->name; t++) {
		if (str_eq(t->name, name))
			return t;
		strv_add(&all, t->name);
	}
	meant = str_closest(name, (const char *const *)strv_argv(&all));
	text = strv_join(&all, ", ");
	if (meant)
		err_usage(e, "there is no tool '%s'; did you mean '%s'?", name, meant);
	else
		err_usage(e, "there is no tool '%s'; there are %s", name, text);
	return NULL;
}
