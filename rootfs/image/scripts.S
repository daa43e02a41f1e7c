/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scripts that make disks and file systems in a cage, and what their programs are told, as data. */
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
	.global image_populate_script, image_populate_script_end
image_populate_script:
	.incbin "rootfs/image/populate.sh"
image_populate_script_end:
	.global image_still, image_still_end
image_still:
	.incbin STILL
image_still_end:
	.global image_blocks, image_blocks_end
image_blocks:
	.incbin BLOCKS
image_blocks_end:
	.global image_gather, image_gather_end
image_gather:
	.incbin GATHER
image_gather_end:
	.section .note.GNU-stack,"",%progbits
