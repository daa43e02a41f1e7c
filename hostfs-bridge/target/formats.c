// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of formats, the table of compressions, and what names and --format mean by them.
 *
 * A new format is a row.  What libarchive writes needs nothing else; an image names the
 * program that makes it, whose arguments are in rootfs/image.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "hostfs-bridge/target/private.h"
#include "umlcage/base/str.h"

/* the ones whose endings are longer come first */
static const struct target_format formats[] = {
	{ "directory", "dir", NULL, "a share", TARGET_DIRECTORY },
	{ "oci-archive", NULL, ".oci.tar", "an image of containers", TARGET_OCI, .max_level = 9 },
	{ "docker-archive", "docker", ".docker.tar", "as docker load takes it", TARGET_OCI,
	  .docker = true },
	{ "oci", NULL, ".oci", "the image as a directory", TARGET_OCI_DIRECTORY, .max_level = 9 },
	{ "tar", NULL, ".tar", "pax", TARGET_ARCHIVE, &share_tar },
	{ "cpio", NULL, ".cpio", "newc, as for an initramfs", TARGET_ARCHIVE, &share_cpio },
	{ "initramfs", NULL, ".initramfs", "cpio with a /init, compressed", TARGET_ARCHIVE,
	  &share_initramfs, .compressed = "zstd" },
	{ "null", "none", NULL, "nothing is kept", TARGET_NOTHING },
	{ "squashfs", "sqfs", ".squashfs .sqfs", "an image", TARGET_IMAGE, .tool = "mksquashfs",
	  .max_level = 22, .verity = true },
	{ "erofs", NULL, ".erofs", "an image", TARGET_IMAGE, .tool = "mkfs.erofs",
	  .max_level = 12, .labelled = true, .verity = true },
	{ "ext4", NULL, ".ext4 .img", "an image", TARGET_IMAGE, .tool = "mke2fs",
	  .sized = true, .labelled = true, .verity = true },
	{ "btrfs", NULL, ".btrfs", "an image", TARGET_IMAGE, .tool = "mkfs.btrfs",
	  .sized = true, .labelled = true },
	{ "xfs", NULL, ".xfs", "an image", TARGET_IMAGE, .tool = "mkfs.xfs",
	  .sized = true, .labelled = true },
	{ "disk", "raw", ".raw .disk", "a disk that boots", TARGET_IMAGE, .tool = "disk",
	  .sized = true, .labelled = true, .boots = true, .variant = "raw" },
	{ "qcow2", NULL, ".qcow2", "such a disk, for QEMU", TARGET_IMAGE, .tool = "disk",
	  .sized = true, .labelled = true, .boots = true, .variant = "qcow2" },
	{ "vmdk", NULL, ".vmdk", "such a disk, for VMware", TARGET_IMAGE, .tool = "disk",
	  .sized = true, .labelled = true, .boots = true, .variant = "vmdk" },
	{ "vhd", "vpc", ".vhd", "such a disk, for Hyper-V", TARGET_IMAGE, .tool = "disk",
	  .sized = true, .labelled = true, .boots = true, .variant = "vpc" },
	{ "iso", NULL, ".iso", "a medium that boots a live system", TARGET_IMAGE, .tool = "iso",
	  .max_level = 22, .labelled = true, .boots = true },
	{ "ext3", NULL, ".ext3", "an image", TARGET_IMAGE, .tool = "mke2fs",
	  .sized = true, .labelled = true },
	{ "ext2", NULL, ".ext2", "an image", TARGET_IMAGE, .tool = "mke2fs",
	  .sized = true, .labelled = true },
};

static const struct target_compression compressions[] = {
	{ "gzip", ".gz", ".tgz .taz", 12 },
	{ "bzip2", ".bz2", ".tbz .tbz2 .tz2", 16 },
	{ "xz", ".xz", ".txz", 20 },
	{ "zstd", ".zst", ".tzst", 16 },
	{ "lz4", ".lz4", NULL, 8 },
	{ "lzma", ".lzma", ".tlz", 20 },
	{ "lzip", ".lz", NULL, 20 },
	{ "lzop", ".lzo", NULL, 8 },
	{ "compress", ".Z", ".taZ", 8 },
};

/* Which of the blank-separated @endings @name has: its length, 0 for none. */
static size_t has_ending(const char *name, const char *endings)
{
	size_t total = strlen(name);

	while (endings && *endings) {
		size_t len = strcspn(endings, " ");

		/* an ending alone is the name of a hidden directory */
		if (total > len && name[total - len - 1] != '/' &&
		    strncmp(name + total - len, endings, len) == 0)
			return len;
		endings += len + (endings[len] == ' ');
	}
	return 0;
}

const struct target_format *format_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (str_eq(formats[i].name, name) || str_eq(formats[i].also, name))
			return &formats[i];
	return NULL;
}

const struct target_format *format_of_kind(enum target_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].kind == kind)
			return &formats[i];
	return NULL;
}

/* The compression that @name's ending tells; *@rest is how long the name is without it. */
static const struct target_compression *compression_of(const char *name, size_t *rest)
{
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		size_t len = has_ending(name, compressions[i].ending);

		if (len) {
			*rest = strlen(name) - len;
			return &compressions[i];
		}
	}
	*rest = strlen(name);
	return NULL;
}

static const struct target_compression *short_tar(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++)
		if (has_ending(name, compressions[i].tar))
			return &compressions[i];
	return NULL;
}

void format_by_name(const char *name, const struct target_format **format,
		    const struct target_compression **compression)
{
	size_t rest;
	const struct target_compression *c = compression_of(name, &rest);
	cleanup_free char *bare = xstrndup(name, rest);

	*compression = NULL;
	if (*format && (*format)->kind != TARGET_ARCHIVE)
		return;
	if (short_tar(name)) {
		*format = *format ? *format : format_find("tar");
		*compression = short_tar(name);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(formats) && !*format; i++)
		if (has_ending(bare, formats[i].endings) &&
		    (!c || formats[i].kind == TARGET_ARCHIVE))
			*format = &formats[i];
	if (*format)
		*compression = c;
}

const struct target_compression *compression_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++)
		if (str_eq(compressions[i].name, name))
			return &compressions[i];
	return NULL;
}

/* ---- what was meant ---- */

/* Insertions, deletions, changes and swaps of neighbours that make @b of @a; words of < 32. */
static unsigned int distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned int d[33][33];

	if (la > 32 || lb > 32)
		return UINT_MAX;
	for (size_t i = 0; i <= la; i++)
		for (size_t j = 0; j <= lb; j++) {
			unsigned int best;

			if (!i || !j) {
				d[i][j] = (unsigned int)(i + j);
				continue;
			}
			best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
			best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[la][lb];
}

/* Calls @fn with every ending an archive may have: ".tar", ".tar.gz", ".tgz", ... */
static void each_ending(void (*fn)(const char *ending, void *arg), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (formats[i].kind != TARGET_ARCHIVE)
			continue;
		fn(formats[i].endings, arg);
		for (size_t k = 0; k < ARRAY_SIZE(compressions); k++) {
			cleanup_free char *full = xasprintf("%s%s", formats[i].endings,
							    compressions[k].ending);

			fn(full, arg);
		}
	}
	for (size_t k = 0; k < ARRAY_SIZE(compressions); k++) {
		cleanup_strv struct strv words = STRV_INIT;

		strv_split(&words, compressions[k].tar ? compressions[k].tar : "", " ");
		for (size_t i = 0; i < words.n; i++)
			fn(words.v[i], arg);
	}
}

struct nearest {
	const char *ending;
	char *best;
	unsigned int distance;
};

static void nearer(const char *ending, void *arg)
{
	struct nearest *n = arg;
	unsigned int d = distance(n->ending, ending);

	if (d >= n->distance || d * 3 > strlen(ending))
		return;
	n->distance = d;
	free_ptr(&n->best);
	n->best = xstrdup(ending);
}

/* The ending that may have been meant, malloc'ed; NULL. */
static char *meant(const char *name)
{
	const char *base = strrchr(name, '/');
	struct nearest n = { .distance = 3 };

	/* "a.b.tra.gz" may mean any of its endings */
	for (n.ending = strchr(base ? base : name, '.'); n.ending;
	     n.ending = strchr(n.ending + 1, '.'))
		each_ending(nearer, &n);
	return n.best;
}

bool format_meant(const char *name)
{
	const char *base = strrchr(name, '/');
	cleanup_free char *best = NULL, *bare = NULL;
	const struct target_format *format = NULL;
	const struct target_compression *none;
	size_t rest;

	base = base ? base + 1 : name;
	/* a slash at its end, a hidden directory, a directory of configuration or the like */
	if (!*base || !strchr(base + 1, '.') || str_ends(base, ".d"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		cleanup_free char *inner = NULL;
		const char *found;

		if (formats[i].kind != TARGET_ARCHIVE)
			continue;
		/* ".tar." and then something unknown, unless it is the ".d" of a directory */
		inner = xasprintf("%s.", formats[i].endings);
		found = strstr(base, inner);
		if (found)
			return true;
	}
	/* an image, compressed */
	if (compression_of(base, &rest)) {
		bare = xstrndup(base, rest);
		format_by_name(bare, &format, &none);
		if (format)
			return true;
	}
	/* one slip in an ending that is long enough for it to be one */
	best = meant(name);
	return best && strlen(best) >= 4;
}

int format_unknown(const char *name, struct error *e)
{
	cleanup_free char *list = target_list(), *best = meant(name);

	return err_usage(e, "cannot tell a format from the name '%s'%s%s%s; there are %s, and "
			 "--format to say it", name, best ? "; did you mean '" : "", best ? best : "",
			 best ? "'?" : "", list);
}

void target_words(struct strv *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		strv_add(words, formats[i].name);
}

char *target_list(void)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	for (size_t i = 0, n = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].kind == TARGET_ARCHIVE)
			sb_addf(&out, "%s%s", n++ ? ", " : "", formats[i].endings);
	for (size_t k = 0; k < ARRAY_SIZE(compressions); k++)
		if (share_compresses(compressions[k].name))
			sb_addf(&out, "%s%s", k ? ", " : " (each also with ", compressions[k].ending);
	sb_addc(&out, ')');
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].kind != TARGET_ARCHIVE && formats[i].endings)
			sb_addf(&out, ", %.*s", (int)strcspn(formats[i].endings, " "),
				formats[i].endings);
	for (size_t k = 0; k < ARRAY_SIZE(compressions); k++) {
		cleanup_strv struct strv words = STRV_INIT;

		if (!compressions[k].tar || !share_compresses(compressions[k].name))
			continue;
		strv_split(&words, compressions[k].tar, " ");
		sb_addf(&out, ", %s", words.v[0]);
	}
	return sb_steal(&out);
}

static int unknown_format(const char *text, struct error *e)
{
	cleanup_strbuf struct strbuf names = STRBUF_INIT;
	const char *best = NULL;
	unsigned int least = 3;

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		unsigned int d = distance(text, formats[i].name);

		if (d < least) {
			least = d;
			best = formats[i].name;
		}
		sb_addf(&names, ", %s", formats[i].name);
	}
	return err_usage(e, "unknown format '%s'%s%s%s; there are auto%s, and with a compression "
			 "tar.zst, cpio.gz and their like", text, best ? "; did you mean '" : "",
			 best ? best : "", best ? "'?" : "", sb_str(&names));
}

int format_parse(const char *text, const struct target_format **format,
		 const struct target_compression **compression, struct error *e)
{
	cleanup_free char *dotted = xasprintf("x.%s", text);

	*compression = NULL;
	*format = format_find(text);
	if (!*format)
		format_by_name(dotted, format, compression);
	return *format ? 0 : unknown_format(text, e);
}
