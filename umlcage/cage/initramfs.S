/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packed initramfs as data; INITRAMFS is its file name. */
	.section .rodata
	.global initramfs_begin, initramfs_end
	.balign 16
initramfs_begin:
	.incbin INITRAMFS
initramfs_end:
	.section .note.GNU-stack,"",%progbits
