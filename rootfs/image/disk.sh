# SPDX-License-Identifier: GPL-2.0-or-later
# A disk that boots, in a cage: partitions, the root file system, boot loaders.  sh -e runs it with
# the tree as a tar file on standard input, and as arguments the command that makes the root file
# system at its place in the disk; disk.c has the variables.

DISK=$OUT/disk
MODULES_DISK="ext2 search_fs_uuid search_label"
rm -f "$DISK"

# le BYTES NUMBER: a number as the firmware has it, the lowest byte first
le()
{
	local n=$1 v=$2
	while [ "$n" -gt 0 ]; do
		printf "\\$(printf %03o $((v & 255)))"
		v=$((v >> 8))
		n=$((n - 1))
	done
}

# put FILE AT: standard input into the file, at this byte
put()
{
	dd of="$1" bs=4096 seek="$2" oflag=seek_bytes conv=notrunc status=none
}

partitions()
{
	truncate -s "$DISK_BYTES" "$DISK"
	sfdisk --quiet --wipe never --no-reread --no-tell-kernel "$DISK" <<-EOF
	label: gpt
	label-id: $DISK_UUID
	unit: sectors
	sector-size: 512
	$PARTITIONS
	EOF
}

root_file_system()
{
	"$@"
	if [ -s "$OUT/script" ]; then
		LD_PRELOAD="$OUT/gather.so" debugfs -w -f "$OUT/script" "$DISK?offset=$ROOT_AT" >"$TMP/said" 2>&1
		! grep -v '^debugfs' "$TMP/said" || exit 1
	fi
}

# The first sector loads what is in the partition behind it; see boot.S and diskboot.S of GRUB.
bios_loader()
{
	local at=$((BIOS_AT / 512))
	grub_image i386-pc "$TMP/core.img" "(,gpt$SYSTEM_NUMBER)/grub" "biosdisk $MODULES_DISK"
	cp /usr/lib/grub/i386-pc/boot.img "$TMP/boot.img"
	le 8 $at | put "$TMP/boot.img" 92
	# firmware that does not say which disk it loaded from
	printf '\220\220' | put "$TMP/boot.img" 102
	le 8 $((at + 1)) | put "$TMP/core.img" 500
	head -c 440 "$TMP/boot.img" | put "$DISK" 0
	put "$DISK" "$BIOS_AT" <"$TMP/core.img"
}

systemd_boot()
{
	local efi="$LOADERS/usr/lib/systemd/boot/efi/systemd-boot$EFI_ARCH.efi"
	mkdir -p "$TMP/esp/EFI/systemd" "$TMP/esp/loader/entries"
	cp "$efi" "$TMP/esp/EFI/systemd/"
	cp "$efi" "$(boot_program)"
	printf 'timeout 1\nconsole-mode keep\n' >"$TMP/esp/loader/loader.conf"
}

# An entry as the Boot Loader Specification has it.
loader_entry()
{
	local id="system-$KERNEL_VERSION"
	mkdir -p "$TMP/esp/system/$KERNEL_VERSION"
	cp "/tree$KERNEL_FILE" "$TMP/esp/system/$KERNEL_VERSION/linux"
	cp "/tree$INITRD_FILE" "$TMP/esp/system/$KERNEL_VERSION/initrd"
	cat >"$TMP/esp/loader/entries/$id.conf" <<-EOF
	title   Linux $KERNEL_VERSION
	version $KERNEL_VERSION
	linux   /system/$KERNEL_VERSION/linux
	initrd  /system/$KERNEL_VERSION/initrd
	options root=PARTUUID=$ROOT_PARTUUID rw $CONSOLE $BOOT_ARGS
	EOF
}

unified_image()
{
	mkdir -p "$TMP/esp/EFI/Linux"
	ukify build --stub="$LOADERS/usr/lib/systemd/boot/efi/linux$EFI_ARCH.efi.stub" --efi-arch="$EFI_ARCH" \
		--linux="/tree$KERNEL_FILE" --initrd="/tree$INITRD_FILE" --uname="$KERNEL_VERSION" \
		--cmdline="root=PARTUUID=$ROOT_PARTUUID rw $CONSOLE $BOOT_ARGS" \
		--output="$TMP/esp/EFI/Linux/system-$KERNEL_VERSION.efi" >/dev/null
}

system_partition()
{
	local image="$DISK@@$SYSTEM_AT"
	mkfs.vfat --invariant -F 32 -s 1 -i "$SYSTEM_ID" -n SYSTEM --offset=$((SYSTEM_AT / 512)) "$DISK" \
		$((SYSTEM_BYTES / 1024)) >/dev/null 2>&1
	case $BOOT in
	systemd-boot) systemd_boot; loader_entry ;;
	uki) systemd_boot; unified_image ;;
	*)
		mkdir "$TMP/esp/grub"
		grub_menu "Linux $KERNEL_VERSION" "$KERNEL_PATH" "$INITRD_PATH" \
			"root=PARTUUID=$ROOT_PARTUUID rw" \
			"search --no-floppy --fs-uuid --set=root $ROOT_UUID" >"$TMP/esp/grub/grub.cfg"
		[ "$BOOT" = bios ] || uefi_grub /grub "$MODULES_DISK" ;;
	esac
	dated "$TMP/esp"
	# in one order, whatever that of the directory is
	(cd "$TMP/esp" && find . -mindepth 1 -type d | LC_ALL=C sort | while read -r dir; do
		mmd -i "$image" "::${dir#.}"
	done
	find . -type f | LC_ALL=C sort | while read -r file; do
		mcopy -m -i "$image" "$file" "::${file#.}"
	done)
}

# Identifiers and dates that qemu-img makes up.
settle()
{
	perl - "$1" "$2" <<-'EOF'
	my ($format, $file) = @ARGV;
	open(my $f, "+<:raw", $file) or die "$file: $!\n";
	my $size = -s $f;
	if ($format eq "vmdk") {
		read($f, my $head, 65536);
		my $at = index($head, "\nCID=");
		die "no CID in the description of the disk\n" if $at < 0;
		seek($f, $at + 5, 0);
		print $f substr($ENV{DISK_UUID}, 0, 8);
	} elsif ($format eq "vpc") {
		for my $at (0, $size - 512) {
			seek($f, $at, 0);
			read($f, my $foot, 512);
			die "no footer\n" if substr($foot, 0, 8) ne "conectix";
			substr($foot, 24, 4) = pack("N", $ENV{SOURCE_DATE_EPOCH} - 946684800 & 0xffffffff);
			substr($foot, 64, 4) = pack("N", 0);
			substr($foot, 68, 16) = pack("H32", $ENV{DISK_UUID} =~ s/-//gr);
			my $sum = 0;
			$sum += ord for split //, $foot;
			substr($foot, 64, 4) = pack("N", ~$sum & 0xffffffff);
			seek($f, $at, 0);
			print $f $foot;
		}
	}
	close($f) or die "$file: $!\n";
	EOF
}

partitions
root_file_system "$@"
system_partition
case $BOOT in
bios | both) bios_loader ;;
esac
[ "$FORMAT" != vpc ] || VHD=1
if [ "$FORMAT" = raw ]; then
	mv "$DISK" "$OUT/image"
else
	# one at a time, so that they are always in the same order; a VHD without it is of the size of
	# some cylinders, heads and sectors
	qemu-img convert -m 1 -f raw -O "$FORMAT" ${VHD:+-o force_size=on} "$DISK" "$OUT/image"
	rm "$DISK"
	settle "$FORMAT" "$OUT/image"
fi
