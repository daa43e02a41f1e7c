// SPDX-License-Identifier: GPL-2.0-or-later
/* How large an image has to be, and what it is called: from a look at every entry. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs/image/private.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/interrupt.h"

struct measure {
	struct image_needs *needs;
	struct share_links *links;
	struct hash hash;
	int64_t epoch;
};

static uint64_t div_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

/* Blocks beside the inode; names are counted where they are, in their directory. */
static uint64_t blocks_of(const struct share_entry *ent)
{
	if (S_ISREG(ent->attr.mode)) {
		uint64_t n = div_up((uint64_t)ent->host.st_size, IMAGE_BLOCK);

		/* a tree of extents, where they cannot be many to an inode */
		return n + n / 1024;
	}
	if (S_ISLNK(ent->attr.mode))
		return strlen(ent->target) >= 60;
	return S_ISDIR(ent->attr.mode);
}

static int add_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	struct measure *m = arg;
	struct image_needs *n = m->needs;
	const struct share_attr *a = &ent->attr;
	int64_t time = m->epoch >= 0 && a->mtime.tv_sec > m->epoch ? m->epoch : a->mtime.tv_sec;
	char text[160];

	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	snprintf(text, sizeof(text), "%o %u %u %lld %lld", a->mode, a->uid, a->gid,
		 S_ISREG(a->mode) ? (long long)ent->host.st_size : 0, (long long)time);
	hash_add_field(&m->hash, ent->path);
	hash_add_field(&m->hash, text);
	if (!*ent->path)
		n->top = *a;
	n->newest = time > n->newest ? time : n->newest;
	if (ent->host.st_nlink > 1 && !S_ISDIR(a->mode) &&
	    share_links_first(m->links, ent->host.st_dev, ent->host.st_ino, ent->path))
		return 0;
	n->inodes++;
	n->blocks += blocks_of(ent);
	/* attributes that do not fit in the inode, and long directories */
	for (size_t i = 0; i < a->nxattrs; i++) {
		n->blocks += a->xattrs[i].len > 60;
		n->acls += str_starts(a->xattrs[i].name, "system.posix_acl");
	}
	if (S_ISDIR(a->mode) && ent->host.st_size > IMAGE_BLOCK)
		n->blocks += 2 * div_up((uint64_t)ent->host.st_size, IMAGE_BLOCK);
	if (S_ISREG(a->mode))
		n->bytes += (uint64_t)ent->host.st_size;
	return 0;
}

static void take_hex(unsigned char hash[32], const char *hex)
{
	for (size_t i = 0; i < 32; i++) {
		unsigned int byte = 0;

		(void)sscanf(hex + 2 * i, "%2x", &byte);
		hash[i] = (unsigned char)byte;
	}
}

int image_measure(struct share *s, int64_t epoch, struct image_needs *needs, struct error *e)
{
	struct measure m = { .needs = needs, .epoch = epoch };
	char hex[SHA256_HEX + 1], epoch_text[32];
	int ret;

	*needs = (struct image_needs){ 0 };
	m.links = share_links_new();
	hash_start(&m.hash);
	snprintf(epoch_text, sizeof(epoch_text), "%lld", (long long)epoch);
	hash_add_field(&m.hash, epoch_text);
	ret = share_walk(s->fd, 0, add_entry, &m, e);
	hash_end(&m.hash, hex);
	hash_release(&m.hash);
	share_links_free(&m.links);
	needs->top.xattrs = NULL;
	needs->top.nxattrs = 0;
	take_hex(needs->hash, hex);
	return ret;
}

void image_uuid(const struct image_needs *needs, enum image_id id, char uuid[37])
{
	unsigned char more[32];
	const unsigned char *h = needs->hash + 16 * (id & 1);
	char hex[SHA256_HEX + 1];

	/* the first two are the hash itself */
	if (id > IMAGE_ID_SEED) {
		struct hash hash = { NULL };
		const unsigned char n = (unsigned char)id;

		hash_start(&hash);
		hash_add(&hash, needs->hash, sizeof(needs->hash));
		hash_add(&hash, &n, 1);
		hash_end(&hash, hex);
		hash_release(&hash);
		take_hex(more, hex);
		h = more;
	}
	hex_encode(h, 16, hex);
	hex[12] = '8';
	hex[16] = "89ab"[h[8] & 3];
	snprintf(uuid, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* Blocks of the journal that mke2fs makes by default, as ext2fs_default_journal_size(). */
static uint64_t journal_blocks(uint64_t blocks)
{
	return blocks < 32768 ? 1024 : blocks < 262144 ? 4096 : blocks < 524288 ? 8192 :
	       blocks < 4194304 ? 16384 : 65536;
}

static bool is_power_of(uint64_t n, uint64_t base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

/* What is not for files in a file system of so many blocks, with mke2fs's defaults. */
static uint64_t overhead(uint64_t blocks, uint64_t inodes)
{
	uint64_t groups = div_up(blocks, 32768), copies = 0;
	uint64_t table = div_up(div_up(inodes, groups), 16) + 1;
	/* descriptors, and room for those of a file system a thousand times as large */
	uint64_t descriptors = div_up(groups * 64, IMAGE_BLOCK);
	uint64_t reserved = div_up(groups * 1024 * 64, IMAGE_BLOCK);

	for (uint64_t g = 0; g < groups; g++)
		copies += g < 2 || is_power_of(g, 3) || is_power_of(g, 5) || is_power_of(g, 7);
	if (reserved > 1024)
		reserved = 1024;
	return groups * (table + 2) + copies * (1 + descriptors + reserved) + journal_blocks(blocks);
}

uint64_t image_ext4_size(const struct image_needs *needs)
{
	/* lost+found, the journal's and the resizer's inode, what mke2fs keeps back */
	uint64_t files = needs->blocks + 16, blocks = files;

	for (int i = 0; i < 8; i++)
		blocks = files + overhead(blocks, needs->inodes + 64);
	/* some air, and a whole number of MiB */
	blocks += blocks / 20;
	return div_up(blocks, 256) << 20;
}
