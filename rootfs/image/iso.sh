# SPDX-License-Identifier: GPL-2.0-or-later
# A medium that boots a live system, in a cage: the tree as squashfs, its kernel, GRUB for both
# firmwares, as ISO 9660 that is a disk, too.  sh -e runs it with the tree as a tar file on standard
# input, and as arguments the command that makes the squashfs; disk.c has the variables.

OUT=/out
ISO=$OUT/iso
TMP=$OUT/tmp
CONSOLE="console=tty0 console=ttyS0,115200n8"
MODULES="part_gpt part_msdos fat iso9660 normal configfile linux search search_fs_file serial terminal echo test
	all_video gzio boot chain reboot halt ls cat sleep minicmd"
rm -rf "$TMP" "$ISO"
mkdir -p "$TMP/esp/EFI/BOOT" "$ISO/live" "$ISO/boot/grub" "$ISO/.disk"
export TZ=UTC MTOOLS_SKIP_CHECK=1

dated()
{
	local date=$SOURCE_DATE_EPOCH
	# FAT knows of nothing before 1980
	[ "$date" -ge 315532800 ] || date=315532800
	find "$@" -exec touch -h -d "@$date" {} +
}

menu()
{
	cat <<-EOF
	serial --unit=0 --speed=115200
	terminal_input console serial
	terminal_output console serial
	set timeout=1
	menuentry 'Live system, Linux $KERNEL_VERSION' {
		linux /live/vmlinuz boot=live $CONSOLE $BOOT_ARGS
		initrd /live/initrd.img
	}
	EOF
}

# the medium by a file of its own, wherever the firmware has it
loaders()
{
	cat >"$TMP/early.cfg" <<-EOF
	search --no-floppy --set=root --file /.disk/$DISK_UUID
	set prefix=(\$root)/boot/grub
	configfile (\$root)/boot/grub/grub.cfg
	EOF
	# shellcheck disable=SC2086
	grub-mkimage --format=i386-pc-eltorito --output="$ISO/boot/grub/bios.img" --prefix=/boot/grub \
		--config="$TMP/early.cfg" $MODULES biosdisk
	# shellcheck disable=SC2086
	grub-mkimage --format=x86_64-efi --output="$TMP/esp/EFI/BOOT/BOOTX64.EFI" --prefix=/boot/grub \
		--config="$TMP/early.cfg" $MODULES efi_gop efi_uga
	dated "$TMP/esp"
	mkfs.vfat --invariant -i "$SYSTEM_ID" -n SYSTEM -C "$TMP/efi.img" 4096 >/dev/null
	mmd -i "$TMP/efi.img" ::/EFI ::/EFI/BOOT
	mcopy -m -i "$TMP/efi.img" "$TMP/esp/EFI/BOOT/BOOTX64.EFI" ::/EFI/BOOT/
}

# the tool knows of the date by options alone
(unset SOURCE_DATE_EPOCH; "$@")
cp "/tree$KERNEL_FILE" "$ISO/live/vmlinuz"
cp "/tree$INITRD_FILE" "$ISO/live/initrd.img"
: >"$ISO/.disk/$DISK_UUID"
menu >"$ISO/boot/grub/grub.cfg"
loaders
dated "$ISO"
xorriso -as mkisofs -quiet -iso-level 3 -r -J -V "$LABEL" -o "$OUT/image" \
	-b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
	-c boot/grub/boot.cat --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img \
	-append_partition 2 0xef "$TMP/efi.img" -eltorito-alt-boot \
	-e --interval:appended_partition_2:all:: -no-emul-boot "$ISO"
