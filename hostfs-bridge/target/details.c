// SPDX-License-Identifier: GPL-2.0-or-later
/* What is asked of images beside their format, as options: see target.h. */
#include <stdio.h>

#include "hostfs-bridge/target/private.h"
#include "umlcage/base/hash.h"

const struct target_details target_no_details;

#define DETAIL(field, kind) OPT_##kind(struct target_details, field)

const struct opt target_opts[] = {
	{ OPT_SIZE, 0, "size", "SIZE", DETAIL(size, U64),
	  "ext4 and the like: of the file system (default: what the tree needs, and some "
	  "more); of a disk (default: 512M more than that takes)" },
	{ OPT_STRING, 0, "fs-label", "NAME", DETAIL(label, STR),
	  "file systems with room in them, also on a disk; erofs" },
	{ OPT_FLAG, 0, "verity", NULL, DETAIL(verity, BOOL),
	  "squashfs, erofs and ext4: with hashes for dm-verity in NAME.verity, and the root "
	  "hash in NAME.roothash; such an image is mounted read-only" },
	{ OPT_STRING, 0, "boot", "HOW", DETAIL(boot, STR),
	  "disks: both (GRUB for BIOS and UEFI; the default), bios, uefi (GRUB), or for "
	  "UEFI systemd-boot or uki (a unified kernel image)" },
	{ OPT_STRING, 0, "boot-args", "WORDS", DETAIL(boot_args, STR),
	  "disks: for the kernel that boots, beside root= and console=" },
	{ OPT_STRING, 0, "image-tools", "SUITE", DETAIL(tools, STR),
	  "whose programs make file systems (default: " TARGET_TOOLS "; xfs: forky)" },
	{ OPT_STRING, 0, "oci-entrypoint", "COMMAND", DETAIL(oci.entrypoint, STR),
	  "what a container of the image runs, split into words as by a shell" },
	{ OPT_STRING, 0, "oci-cmd", "WORDS", DETAIL(oci.cmd, STR),
	  "what it runs or, after an entrypoint, its arguments unless others are given" },
	{ OPT_LIST, 0, "oci-env", "NAME=VALUE", DETAIL(oci.env, STRV), "variables" },
	{ OPT_STRING, 0, "oci-user", "USER[:GROUP]", DETAIL(oci.user, STR), "names or numbers" },
	{ OPT_STRING, 0, "oci-workdir", "DIR", DETAIL(oci.workdir, STR), "where it starts" },
	{ OPT_LIST, 0, "oci-port", "PORT[/udp]", DETAIL(oci.ports, STRV), "ports that it serves" },
	{ OPT_LIST, 0, "oci-label", "NAME=VALUE", DETAIL(oci.labels, STRV), "notes on the image" },
	{ OPT_STRING, 0, "oci-tag", "NAME[:TAG]", DETAIL(oci.tag, STR),
	  "what it is called (default: latest)" },
	OPT_END,
};

void target_details_release(struct target_details *d)
{
	strv_release(&d->oci.env);
	strv_release(&d->oci.ports);
	strv_release(&d->oci.labels);
}

static void add_list(struct hash *h, const struct strv *v)
{
	char count[24];

	snprintf(count, sizeof(count), "%zu", v->n);
	hash_add_field(h, count);
	for (size_t i = 0; i < v->n; i++)
		hash_add_field(h, v->v[i]);
}

static void add(struct hash *h, const char *s)
{
	hash_add_field(h, s ? "1" : "0");
	hash_add_field(h, s ? s : "");
}

char *details_key(const struct target_details *d, const char *level)
{
	char size[24], hex[SHA256_HEX + 1];
	struct hash h = { NULL };

	if (!d->size && !d->label && !d->boot && !d->boot_args && !d->tools && !d->verity && !level &&
	    !oci_config_given(&d->oci))
		return xstrdup("");
	hash_start(&h);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)d->size);
	add(&h, size);
	add(&h, d->label);
	add(&h, d->boot);
	add(&h, d->boot_args);
	add(&h, d->tools);
	if (d->verity)
		hash_add_field(&h, "verity");
	add(&h, level);
	add(&h, d->oci.entrypoint);
	add(&h, d->oci.cmd);
	add(&h, d->oci.user);
	add(&h, d->oci.workdir);
	add(&h, d->oci.tag);
	add_list(&h, &d->oci.env);
	add_list(&h, &d->oci.labels);
	add_list(&h, &d->oci.ports);
	hash_end(&h, hex);
	hash_release(&h);
	return xasprintf("-%.16s", hex);
}
