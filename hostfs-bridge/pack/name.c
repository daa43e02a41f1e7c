// SPDX-License-Identifier: GPL-2.0-or-later
/* What an archive's name says about its format, and the environment about times. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hostfs-bridge/pack/pack.h"
#include "umlcage/base/str.h"

static const struct {
	const char *suffix;
	const char *filter;	/* libarchive's name; NULL: none */
} compressions[] = {
	{ "", NULL },
	{ ".gz", "gzip" },
	{ ".bz2", "bzip2" },
	{ ".xz", "xz" },
	{ ".zst", "zstd" },
	{ ".lz4", "lz4" },
	{ ".lzma", "lzma" },
	{ ".lz", "lzip" },
	{ ".Z", "compress" },
};

static const struct {
	const char *suffix;
	const char *full;
} shorts[] = {
	{ ".tgz", ".tar.gz" },
	{ ".tbz2", ".tar.bz2" },
	{ ".tbz", ".tar.bz2" },
	{ ".txz", ".tar.xz" },
	{ ".tzst", ".tar.zst" },
	{ ".tlz", ".tar.lzma" },
};

static bool match(const char *name, const char *format, struct share_export_opts *opts)
{
	for (size_t i = 0; i < ARRAY_SIZE(compressions); i++) {
		cleanup_free char *suffix = xasprintf("%s%s", format, compressions[i].suffix);

		if (str_ends(name, suffix)) {
			opts->compression = compressions[i].filter;
			return true;
		}
	}
	return false;
}

int share_export_by_name(const char *name, struct share_export_opts *opts, struct error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(shorts); i++)
		if (str_ends(name, shorts[i].suffix))
			name = shorts[i].full;
	if (match(name, ".tar", opts))
		opts->format = SHARE_TAR;
	else if (match(name, ".cpio", opts))
		opts->format = SHARE_CPIO;
	else
		return err_usage(e, "cannot tell a format from the name '%s'; known are .tar and "
				 ".cpio, with .gz, .bz2, .xz, .zst, .lz4, .lzma, .lz or .Z behind "
				 "them, and .tgz, .tbz2, .txz, .tzst", name);
	return 0;
}

int share_export_epoch(struct share_export_opts *opts, struct error *e)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t value;

	if (!text || !*text)
		return 0;
	if (parse_u64(text, 10, INT64_MAX, &value) < 0)
		return err_usage(e, "bad SOURCE_DATE_EPOCH '%s': it is seconds since 1970", text);
	opts->epoch = (int64_t)value;
	return 0;
}
