/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the files of image/. */
#ifndef ROOTFS_IMAGE_PRIVATE_H
#define ROOTFS_IMAGE_PRIVATE_H

#include "rootfs/image/image.h"

#define IMAGE_BLOCK 4096u
#define MIB ((uint64_t)1 << 20)
/* Where the image is made, as the cage has it, and a file there. */
#define IMAGE_GUEST_OUT "/out"
#define IMAGE "image"
#define IMAGE_SCRIPT "script"
#define IMAGE_STILL "still.so"
#define IMAGE_MAKE "make"
#define IMAGE_BLOCKS "blocks"
#define IMAGE_BLOCKS_SO "blocks.so"
#define IMAGE_GATHER "gather.so"
#define IMAGE_GATHERED "env LD_PRELOAD=" IMAGE_GUEST_OUT "/" IMAGE_GATHER " "	/* before a command */
#define IMAGE_GUEST_TREE "/tree"

/* What a tree needs of a file system. */
struct image_needs {
	uint64_t inodes, blocks;	/* of IMAGE_BLOCK bytes, files and directories */
	uint64_t bytes;			/* in files */
	int64_t newest;			/* time, no later than the epoch */
	struct share_attr top;		/* of the root directory, without attributes */
	uint64_t acls;			/* files with POSIX ACLs */
	unsigned char hash[32];		/* of names, kinds, owners, sizes and times */
};

/* Machines that a disk can be for, told by the tree's kernel. */
struct image_arch {
	const char *name;	/* as messages and Debian have it */
	const char *root_type;	/* of the partition with the root */
	const char *efi;	/* in the names of the firmware's programs: "x64" */
	const char *grub;	/* GRUB's name of firmware and machine */
	const char *console;	/* the first serial line, with its speed */
	bool pc;		/* has a BIOS, and loaders among the tools; others' are in the tree */
};

/* The kernel that a tree has. */
struct image_kernel {
	const struct image_arch *arch;
	char *version;		/* "6.12.48+deb13-amd64": letters, digits and "+-.~_" */
	uint64_t size, initrd_size;
	bool links;		/* /vmlinuz and /initrd.img lead to one, and will to the next */
};

/* Where what is on a disk, in bytes. */
struct image_disk {
	uint64_t bios_at;	/* 0: no partition for the BIOS' loader */
	uint64_t system_at, system_bytes;
	uint64_t root_at;	/* 0: no disk */
};

struct image_tool;

struct image_job {
	struct image_maker *im;
	const struct target *t;
	const struct image_tool *tool;
	struct share *s;
	struct progress *progress;
	struct image_needs needs;
	struct image_kernel kernel;
	struct image_disk disk;
	int64_t epoch;		/* the image's own time */
	uint64_t size;		/* of a file system that has one */
	struct work work;	/* where the image is made */
	struct strbuf said;
	int status;
};

/* A tool gets the tree on standard input, and makes IMAGE in IMAGE_GUEST_OUT. */
struct image_tool {
	const char *name;
	const char *packages;	/* of the root that it is run in */
	const char *suite;	/* of that root; NULL: TARGET_TOOLS */
	uint64_t least;		/* bytes that an image has */
	unsigned int more;	/* percent beside what ext4 would take, unless the size is given */
	void (*command)(const struct image_job *j, struct strv *argv);
	void (*environment)(const struct image_job *j, struct strv *env);	/* may be NULL */
	const char *script, *script_end;	/* becomes IMAGE_MAKE; NULL: it is one program */
	bool rest;		/* image_ext4_rest() is made for it */
	bool no_epoch;		/* it is not to have SOURCE_DATE_EPOCH */
	bool blocks;		/* it can have what it compressed before: before.c */
	bool threads;		/* it makes the same bytes with as many as there are processors */
};

/* ---- commands.c ---- */

const struct image_tool *image_tool(const char *name);
/* Makes what is beside IMAGE for dm-verity, under its name with the endings of target_beside[]. */
void image_verity_command(const struct image_job *j, struct strv *argv);

/* ---- kernel.c ---- */

/*
 * The newest kernel in the tree's /boot that has an initramfs: -ENOENT for none, and what to do.
 * @label is the image's, for messages.
 */
int image_kernel_find(struct share *s, const char *label, struct image_kernel *k, struct error *e);
/*
 * Can the tree, whose kernel is @k, become this medium?  -EINVAL, as a usage error: not on that machine;
 * -ENOENT: what has to be installed.
 */
int image_loader_check(const struct target *t, struct share *s, const struct image_kernel *k,
		       struct error *e);

/* ---- disk.c ---- */

/* What boots a disk for this machine: --boot, but "uefi" for "both" where there is no BIOS. */
const char *image_disk_boot(const struct target *t, const struct image_arch *arch);
void image_disk_plan(struct image_job *j);
/* All that is on it but the root file system, in bytes. */
uint64_t image_disk_other(const struct image_job *j);
void image_iso_environment(const struct image_job *j, struct strv *env);
void image_disk_environment(const struct image_job *j, struct strv *env);

/* media.sh with disk.sh, and with iso.sh */
extern const char image_disk_script[], image_disk_script_end[];
extern const char image_iso_script[], image_iso_script_end[];
extern const char image_populate_script[], image_populate_script_end[];
/* still.c, for the loader of the tools' root */
extern const char image_still[], image_still_end[];

/* blocks.c and gather.c, the same */
extern const char image_blocks[], image_blocks_end[];
extern const char image_gather[], image_gather_end[];

/* ---- before.c ---- */

/*
 * What was compressed for an image, kept in the cache for the next one by that name and level:
 * $XDG_CACHE_HOME/umlcage/blocks/KEY, in blocks.c's form.  It spares time, and what is wrong with it costs
 * no more than that.
 */
void image_blocks_fetch(struct image_job *j);
void image_blocks_keep(struct image_job *j);

/* ---- measure.c and ext4.c ---- */

int image_measure(struct share *s, int64_t epoch, struct image_needs *needs, struct error *e);
/* Bytes of the smallest ext4 that surely takes it. */
uint64_t image_ext4_size(const struct image_needs *needs);
/*
 * What mke2fs does not take from a tar file, as a script for debugfs with its values, in the
 * directory @dirfd.
 */
int image_ext4_rest(struct share *s, int64_t epoch, int dirfd, struct progress *progress,
		    struct error *e);
/* Identifiers of an image. */
enum image_id {
	IMAGE_ID_ROOT, IMAGE_ID_SEED, IMAGE_ID_DISK, IMAGE_ID_BIOS_PART, IMAGE_ID_SYSTEM_PART,
	IMAGE_ID_ROOT_PART, IMAGE_ID_SYSTEM, IMAGE_ID_VERITY, IMAGE_ID_SALT,
};

/* A UUID (RFC 9562, version 8) out of the hash. */
void image_uuid(const struct image_needs *needs, enum image_id id, char uuid[37]);

#endif
