// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Passwords in addresses, which must not be in messages, logs and manifests: see str.h.  What
 * comes between "//" and "@" is RFC 3986's userinfo, and libcurl, too, takes the last "@".
 */
#include <ctype.h>
#include <string.h>

#include "umlcage/base/str.h"

/* "host:80x": the port of @authority is not a number, so that it ends elsewhere than it seems. */
static bool is_odd(const char *authority, size_t len)
{
	const char *colon = memrchr(authority, ':', len), *end = authority + len;

	if (!colon || memchr(colon, ']', (size_t)(end - colon)))
		return false;
	for (const char *p = colon + 1; p < end; p++)
		if (!isdigit((unsigned char)*p))
			return true;
	return false;
}

/* Where the host begins of what follows "://". */
static const char *find_host(const char *authority)
{
	size_t len = strcspn(authority, "/?# \t\r\n\"");
	const char *at = memrchr(authority, '@', len);

	/* a "/" of the password itself was not encoded */
	if (!at && is_odd(authority, len))
		at = memchr(authority, '@', strcspn(authority, " \t\r\n\""));
	return at ? at + 1 : authority;
}

void str_hide_passwords(char *text)
{
	char *to = text;
	const char *from = text;

	for (const char *next; (next = strstr(from, "://")); from = find_host(next)) {
		next += strlen("://");
		memmove(to, from, (size_t)(next - from));
		to += next - from;
	}
	memmove(to, from, strlen(from) + 1);
}
