// SPDX-License-Identifier: GPL-2.0-or-later
/* The tools that make images, and what each is called with. */
#include <stdio.h>
#include <string.h>

#include "rootfs/image/private.h"
#include "umlcage/base/str.h"

/* The library is what mke2fs reads tar files with, opened when it does. */
#define FILE_SYSTEMS "e2fsprogs,libarchive13t64,squashfs-tools,erofs-utils,cryptsetup-bin"
#define DISKS "e2fsprogs,libarchive13t64,fdisk,dosfstools,mtools,grub-common,grub-pc-bin," \
	      "grub-efi-amd64-bin,systemd-boot-efi,systemd-ukify,qemu-utils,xorriso,squashfs-tools"

/* mke2fs but for the label, the file and its size; with as many @inodes, or its own idea of them for 0. */
static void add_mke2fs(const struct image_job *j, const char *type, uint64_t inodes, struct strv *argv)
{
	char uuid[37], seed[37];

	image_uuid(&j->needs, IMAGE_ID_ROOT, uuid);
	image_uuid(&j->needs, IMAGE_ID_SEED, seed);
	strv_split(argv, IMAGE_GATHERED "mke2fs -qF", " ");
	strv_addf(argv, "-t%s", type);
	strv_addf(argv, "-b%u", IMAGE_BLOCK);
	/* nothing is kept back for root */
	strv_add(argv, "-m0");
	if (inodes)
		strv_addf(argv, "-N%llu", (unsigned long long)inodes);
	strv_addf(argv, "-U%s", uuid);
	strv_addf(argv, "-Ehash_seed=%s,root_owner=%u:%u,offset=%llu%s", seed, j->needs.top.uid,
		  j->needs.top.gid, (unsigned long long)j->disk.root_at,
		  j->disk.root_at ? ",nodiscard" : "");
	strv_add(argv, "-d-");
}

/* Directories that grow find inodes. */
static uint64_t inodes_of(const struct image_job *j)
{
	return j->needs.inodes * 9 / 8 + 64;
}

static void mke2fs_command(const struct image_job *j, struct strv *argv)
{
	add_mke2fs(j, j->disk.root_at ? "ext4" : j->t->format->name,
		   j->t->details->size ? 0 : inodes_of(j), argv);
	if (j->t->details->label)
		strv_addf(argv, "-L%s", j->t->details->label);
	strv_add(argv, j->disk.root_at ? IMAGE_GUEST_OUT "/disk" : IMAGE_GUEST_OUT "/" IMAGE);
	strv_addf(argv, "%lluk", (unsigned long long)(j->size >> 10));
}

static void mksquashfs_command(const struct image_job *j, struct strv *argv)
{
	const struct share_attr *top = &j->needs.top;

	strv_split(argv, "env BLOCKS=" IMAGE_GUEST_OUT "/" IMAGE_BLOCKS " LD_PRELOAD=" IMAGE_GUEST_OUT
		   "/" IMAGE_BLOCKS_SO " mksquashfs -", " ");
	strv_add(argv, j->tool->script ? IMAGE_GUEST_OUT "/iso/live/filesystem.squashfs" :
					 IMAGE_GUEST_OUT "/" IMAGE);
	strv_split(argv, "-tar -quiet -no-progress -comp zstd", " ");
	if (j->t->level) {
		strv_add(argv, "-Xcompression-level");
		strv_add(argv, j->t->level);
	}
	strv_add(argv, "-mkfs-time");
	strv_addf(argv, "%lld", (long long)j->epoch);
	/* it does not look at what a tar file says of the top */
	strv_add(argv, "-root-mode");
	strv_addf(argv, "%o", top->mode & 07777);
	strv_add(argv, "-root-uid");
	strv_addf(argv, "%u", top->uid);
	strv_add(argv, "-root-gid");
	strv_addf(argv, "%u", top->gid);
	strv_add(argv, "-root-time");
	strv_addf(argv, "%lld", (long long)(top->mtime.tv_sec > j->epoch ? j->epoch :
					    top->mtime.tv_sec));
}

static void erofs_command(const struct image_job *j, struct strv *argv)
{
	char uuid[37];

	image_uuid(&j->needs, IMAGE_ID_ROOT, uuid);
	strv_add(argv, "mkfs.erofs");
	strv_add(argv, "--quiet");
	strv_add(argv, "--mkfs-time");
	strv_addf(argv, "-T%lld", (long long)j->epoch);
	strv_addf(argv, "-U%s", uuid);
	strv_addf(argv, "-zlz4hc%s%s", j->t->level ? "," : "", j->t->level ? j->t->level : "");
	if (j->t->details->label)
		strv_addf(argv, "-L%s", j->t->details->label);
	strv_add(argv, "--tar=f");
	strv_add(argv, IMAGE_GUEST_OUT "/" IMAGE);
}

/* What is done in several steps is a script, which calls the tool for the root file system. */
static void disk_command(const struct image_job *j, struct strv *argv)
{
	strv_split(argv, "sh -e " IMAGE_GUEST_OUT "/" IMAGE_MAKE, " ");
	mke2fs_command(j, argv);
}

static void iso_command(const struct image_job *j, struct strv *argv)
{
	strv_split(argv, "sh -e " IMAGE_GUEST_OUT "/" IMAGE_MAKE, " ");
	mksquashfs_command(j, argv);
}

/* The tree on its way, with some room: what is not used is not written. */
static void populate_command(const struct image_job *j, struct strv *argv)
{
	strv_split(argv, "sh -e " IMAGE_GUEST_OUT "/" IMAGE_MAKE, " ");
	add_mke2fs(j, "ext4", inodes_of(j), argv);
	strv_add(argv, IMAGE_GUEST_OUT "/tree.ext4");
	strv_addf(argv, "%lluk", (unsigned long long)(image_ext4_size(&j->needs) * 5 / 4 >> 10));
}

static void populate_environment(const struct image_job *j, struct strv *env)
{
	const struct target_details *details = j->t->details;
	char uuid[37], seed[37];

	image_uuid(&j->needs, IMAGE_ID_ROOT, uuid);
	image_uuid(&j->needs, IMAGE_ID_SEED, seed);
	strv_add(env, "OUT=" IMAGE_GUEST_OUT);
	strv_addf(env, "MAKE=%s", j->t->format->name);
	strv_addf(env, "IMAGE_BYTES=%llu", (unsigned long long)j->size);
	strv_addf(env, "FIXED=%d", details->size != 0);
	strv_addf(env, "IMAGE_SEED=%s", seed);
	strv_addf(env, "ROOT_UUID=%s", uuid);
	strv_addf(env, "LABEL=%s", details->label ? details->label : "");
}

void image_verity_command(const struct image_job *j, struct strv *argv)
{
	char uuid[37], salt[37];

	image_uuid(&j->needs, IMAGE_ID_VERITY, uuid);
	image_uuid(&j->needs, IMAGE_ID_SALT, salt);
	strv_add(argv, "veritysetup");
	strv_add(argv, "format");
	strv_addf(argv, "--uuid=%s", uuid);
	strv_addf(argv, "--salt=%.8s%.4s%.4s%.4s%.12s", salt, salt + 9, salt + 14, salt + 19, salt + 24);
	strv_addf(argv, "--root-hash-file=" IMAGE_GUEST_OUT "/" IMAGE "%s", target_beside[TARGET_ROOT_HASH]);
	strv_add(argv, IMAGE_GUEST_OUT "/" IMAGE);
	strv_addf(argv, IMAGE_GUEST_OUT "/" IMAGE "%s", target_beside[TARGET_HASHES]);
}

#define POPULATED .command = populate_command, .environment = populate_environment, \
	.script = image_populate_script, .script_end = image_populate_script_end, .rest = true

static const struct image_tool tools[] = {
	{ .name = "mke2fs", .packages = FILE_SYSTEMS, .command = mke2fs_command, .rest = true },
	/* it is told by options, and takes either */
	{ .name = "mksquashfs", .packages = FILE_SYSTEMS, .command = mksquashfs_command,
	  .no_epoch = true, .threads = true, .blocks = true },
	{ .name = "mkfs.erofs", .packages = FILE_SYSTEMS, .command = erofs_command },
	{ .name = "disk", .packages = DISKS, .command = disk_command,
	  .environment = image_disk_environment, .script = image_disk_script,
	  .script_end = image_disk_script_end, .rest = true },
	{ .name = "iso", .packages = DISKS, .command = iso_command,
	  .environment = image_iso_environment, .script = image_iso_script,
	  .script_end = image_iso_script_end, .threads = true, .blocks = true },
	/* makes it larger by itself, as it has metadata twice, and chunks */
	{ .name = "mkfs.btrfs", .packages = "e2fsprogs,libarchive13t64,btrfs-progs", .least = 128 * MIB,
	  .more = 25, POPULATED },
	/* those of trixie copy no directory */
	{ .name = "mkfs.xfs", .packages = "e2fsprogs,libarchive13t64,xfsprogs", .suite = "forky",
	  .least = 300 * MIB, .more = 15, POPULATED },
};

const struct image_tool *image_tool(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		if (str_eq(tools[i].name, name))
			return &tools[i];
	return NULL;
}
