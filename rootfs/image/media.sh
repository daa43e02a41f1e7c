# SPDX-License-Identifier: GPL-2.0-or-later
# What disk.sh and iso.sh begin with (scripts.S puts it before each): places, the one date, and GRUB
# with its menu.  disk.c has the variables.

OUT=/out
TMP=$OUT/tmp
# what GRUB takes from either medium; each adds the file system that it has
MODULES="part_gpt part_msdos fat normal configfile linux search search_fs_file serial terminal echo test
	all_video gzio boot chain reboot halt ls cat sleep minicmd"
MODULES_EFI="efi_gop efi_uga"
export TZ=UTC MTOOLS_SKIP_CHECK=1
# what an attempt with too little room left
rm -rf "$TMP"
mkdir -p "$TMP/esp/EFI/BOOT"

# the one date of all files in the folders given
dated()
{
	local date=$SOURCE_DATE_EPOCH
	# FAT knows of nothing before 1980
	[ "$date" -ge 315532800 ] || date=315532800
	find "$@" -exec touch -h -d "@$date" {} +
}

# grub_menu NAME KERNEL INITRAMFS ARGUMENTS [FIRST-LINE]: one entry, on the screen and the serial
# line, whichever firmware has loaded what reads it
grub_menu()
{
	# elsewhere the firmware's console has the serial line
	[ "$EFI_ARCH" != x64 ] || cat <<-EOF
	serial --unit=0 --speed=115200
	terminal_input console serial
	terminal_output console serial
	EOF
	cat <<-EOF
	set timeout=1
	${5-}
	menuentry '$1' {
		linux $2 $4 $CONSOLE $BOOT_ARGS
		initrd $3
	}
	EOF
}

# grub_image FORMAT FILE PREFIX MODULES [OPTION]: with what of the modules there is for the machine
grub_image()
{
	local dir="$LOADERS/usr/lib/grub/${1%-eltorito}" module there=
	for module in $MODULES $4; do
		[ ! -e "$dir/$module.mod" ] || there="$there $module"
	done
	# it compresses what it makes, in a directory that it is not to keep
	# shellcheck disable=SC2086
	grub-mkimage --directory="$dir" --format="$1" --output="$2" --prefix="$3" ${5+"$5"} $there
}

# boot_program: where firmware looks for one by itself
boot_program()
{
	echo "$TMP/esp/EFI/BOOT/BOOT$(echo "$EFI_ARCH" | tr a-z A-Z).EFI"
}

# uefi_grub PREFIX MODULES [OPTION]: as that
uefi_grub()
{
	grub_image "$GRUB_EFI" "$(boot_program)" "$1" "$MODULES_EFI $2" ${3+"$3"}
}
