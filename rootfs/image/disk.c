// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where what is on a disk, and what disk.sh has to know of it.
 *
 *	0	the first sector of GRUB, the table of partitions
 *	1 MiB	GRUB, for the BIOS			boot: bios, both
 *	2 MiB	EFI system partition (FAT): GRUB, systemd-boot or a unified kernel image
 *		root file system, to the last MiB but one
 *
 * The types are those of the UAPI group's Discoverable Partitions Specification.
 */
#include <stdio.h>
#include <string.h>

#include "rootfs/image/private.h"
#include "umlcage/base/str.h"

#define SECTOR		512
#define TYPE_BIOS	"21686148-6449-6E6F-744E-656564454649"
#define TYPE_SYSTEM	"C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
/* FAT32 begins at 65525 clusters; GRUB takes little of that */
#define SYSTEM_SMALL	(64 * MIB)

const char *image_disk_boot(const struct target *t, const struct image_arch *arch)
{
	const char *asked = t->details->boot ? t->details->boot : TARGET_BOOT;

	return !arch->pc && str_eq(asked, "both") ? "uefi" : asked;
}

static const char *boot_of(const struct image_job *j)
{
	return image_disk_boot(j->t, j->kernel.arch);
}

/* Are kernels there, for firmware to read? */
static bool kernels_in_system(const struct image_job *j)
{
	return str_eq(boot_of(j), "systemd-boot") || str_eq(boot_of(j), "uki");
}

void image_disk_plan(struct image_job *j)
{
	struct image_disk *d = &j->disk;
	bool bios = str_eq(boot_of(j), "bios") || str_eq(boot_of(j), "both");

	d->bios_at = bios ? MIB : 0;
	d->system_at = bios ? 2 * MIB : MIB;
	d->system_bytes = SYSTEM_SMALL;
	/* the next two kernels find room, too */
	if (kernels_in_system(j))
		d->system_bytes += 3 * ((j->kernel.size + j->kernel.initrd_size) / MIB + 1) * MIB;
	d->root_at = d->system_at + d->system_bytes;
}

uint64_t image_disk_other(const struct image_job *j)
{
	return j->disk.root_at ? j->disk.root_at + MIB : 0;
}

static void add_partition(const struct image_job *j, struct strbuf *out, enum image_id id, const char *type,
			  const char *name, uint64_t at, uint64_t size)
{
	char uuid[37];

	image_uuid(&j->needs, id, uuid);
	sb_addf(out, "start=%llu, size=%llu, type=%s, uuid=%s, name=%s\n",
		(unsigned long long)(at / SECTOR), (unsigned long long)(size / SECTOR), type, uuid, name);
}

static void add_uuid(const struct image_job *j, struct strv *env, const char *name, enum image_id id)
{
	char uuid[37];

	image_uuid(&j->needs, id, uuid);
	strv_addf(env, "%s=%s", name, uuid);
}

static void add_bytes(struct strv *env, const char *name, uint64_t n)
{
	strv_addf(env, "%s=%llu", name, (unsigned long long)n);
}

/* The kernel, and what loads it. */
static void add_kernel(const struct image_kernel *k, struct strv *env)
{
	strv_addf(env, "KERNEL_VERSION=%s", k->version);
	strv_addf(env, "KERNEL_FILE=/boot/vmlinuz-%s", k->version);
	strv_addf(env, "INITRD_FILE=/boot/initrd.img-%s", k->version);
	if (k->links) {
		strv_add(env, "KERNEL_PATH=/vmlinuz");
		strv_add(env, "INITRD_PATH=/initrd.img");
	} else {
		strv_addf(env, "KERNEL_PATH=/boot/vmlinuz-%s", k->version);
		strv_addf(env, "INITRD_PATH=/boot/initrd.img-%s", k->version);
	}
	strv_addf(env, "CONSOLE=console=tty0 console=%s", k->arch->console);
	strv_addf(env, "EFI_ARCH=%s", k->arch->efi);
	strv_addf(env, "GRUB_EFI=%s", k->arch->grub);
	strv_addf(env, "LOADERS=%s", k->arch->pc ? "" : IMAGE_GUEST_TREE);
}

void image_iso_environment(const struct image_job *j, struct strv *env)
{
	const struct target_details *details = j->t->details;
	char id[37];

	strv_addf(env, "BOOT_ARGS=%s", details->boot_args ? details->boot_args : "");
	strv_addf(env, "LABEL=%s", details->label ? details->label : "live");
	add_uuid(j, env, "DISK_UUID", IMAGE_ID_DISK);
	image_uuid(&j->needs, IMAGE_ID_SYSTEM, id);
	strv_addf(env, "SYSTEM_ID=%.8s", id);
	add_kernel(&j->kernel, env);
}

void image_disk_environment(const struct image_job *j, struct strv *env)
{
	const struct target_details *details = j->t->details;
	const struct image_disk *d = &j->disk;
	cleanup_strbuf struct strbuf parts = STRBUF_INIT;
	char id[37];

	if (d->bios_at)
		add_partition(j, &parts, IMAGE_ID_BIOS_PART, TYPE_BIOS, "bios", d->bios_at, MIB);
	add_partition(j, &parts, IMAGE_ID_SYSTEM_PART, TYPE_SYSTEM, "system", d->system_at, d->system_bytes);
	add_partition(j, &parts, IMAGE_ID_ROOT_PART, j->kernel.arch->root_type, "root", d->root_at, j->size);
	strv_addf(env, "PARTITIONS=%s", sb_str(&parts));
	strv_addf(env, "BOOT=%s", boot_of(j));
	strv_addf(env, "BOOT_ARGS=%s", details->boot_args ? details->boot_args : "");
	strv_addf(env, "FORMAT=%s", j->t->format->variant);
	add_bytes(env, "DISK_BYTES", d->root_at + j->size + MIB);
	add_bytes(env, "BIOS_AT", d->bios_at);
	add_bytes(env, "BIOS_BYTES", MIB);
	add_bytes(env, "SYSTEM_AT", d->system_at);
	add_bytes(env, "SYSTEM_BYTES", d->system_bytes);
	add_bytes(env, "SYSTEM_NUMBER", d->bios_at ? 2 : 1);
	add_bytes(env, "ROOT_AT", d->root_at);
	add_uuid(j, env, "DISK_UUID", IMAGE_ID_DISK);
	add_uuid(j, env, "ROOT_UUID", IMAGE_ID_ROOT);
	add_uuid(j, env, "ROOT_PARTUUID", IMAGE_ID_ROOT_PART);
	image_uuid(&j->needs, IMAGE_ID_SYSTEM, id);
	strv_addf(env, "SYSTEM_ID=%.8s", id);
	add_kernel(&j->kernel, env);
}
