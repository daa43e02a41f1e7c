/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scripts that make disks in a cage, as data. */
	.section .rodata
	.global image_disk_script, image_disk_script_end
image_disk_script:
	.incbin "rootfs/image/media.sh"
	.incbin "rootfs/image/disk.sh"
image_disk_script_end:
	.global image_iso_script, image_iso_script_end
image_iso_script:
	.incbin "rootfs/image/media.sh"
	.incbin "rootfs/image/iso.sh"
image_iso_script_end:
	.section .note.GNU-stack,"",%progbits
