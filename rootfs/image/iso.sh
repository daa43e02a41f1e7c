# SPDX-License-Identifier: GPL-2.0-or-later
# A medium that boots a live system, in a cage: the tree as squashfs, its kernel, GRUB for both
# firmwares, as ISO 9660 that is a disk, too.  sh -e runs it with the tree as a tar file on standard
# input, and as arguments the command that makes the squashfs; disk.c has the variables.

ISO=$OUT/iso
rm -rf "$ISO"
mkdir -p "$ISO/live" "$ISO/boot/grub" "$ISO/.disk"

# the medium by a file of its own, wherever the firmware has it
loaders()
{
	cat >"$TMP/early.cfg" <<-EOF
	search --no-floppy --set=root --file /.disk/$DISK_UUID
	set prefix=(\$root)/boot/grub
	configfile (\$root)/boot/grub/grub.cfg
	EOF
	grub_image i386-pc-eltorito "$ISO/boot/grub/bios.img" /boot/grub "biosdisk iso9660" \
		--config="$TMP/early.cfg"
	uefi_grub /boot/grub iso9660 --config="$TMP/early.cfg"
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
grub_menu "Live system, Linux $KERNEL_VERSION" /live/vmlinuz /live/initrd.img boot=live \
	>"$ISO/boot/grub/grub.cfg"
loaders
dated "$ISO"
xorriso -as mkisofs -quiet -iso-level 3 -r -J -V "$LABEL" -o "$OUT/image" \
	-b boot/grub/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
	-c boot/grub/boot.cat --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img \
	-append_partition 2 0xef "$TMP/efi.img" -eltorito-alt-boot \
	-e --interval:appended_partition_2:all:: -no-emul-boot "$ISO"
