// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses: joining and encoding, see fetch.h. */
#include <ctype.h>
#include <string.h>

#include "rootfs/fetch/fetch.h"

bool fetch_path_is_below(const char *path)
{
	if (!*path || *path == '/')
		return false;
	for (const char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/'))
			return false;
	}
	return true;
}

void fetch_url_encode(struct strbuf *sb, const char *path)
{
	for (; *path; path++) {
		if (isalnum((unsigned char)*path) || strchr("-._~/+:@!$&'()*,;=", *path))
			sb_addc(sb, *path);
		else
			sb_addf(sb, "%%%02X", (unsigned char)*path);
	}
}

char *fetch_url_join(const char *base, const char *path)
{
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	sb_adds(&sb, base);
	if (!str_ends(base, "/"))
		sb_addc(&sb, '/');
	fetch_url_encode(&sb, path);
	return sb_steal(&sb);
}
