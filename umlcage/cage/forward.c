// SPDX-License-Identifier: GPL-2.0-or-later
/* Published ports as users write them: see forward.h. */
#include "umlcage/cage/forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int bad(const char *text, const char *why, struct error *e)
{
	return err_usage(e, "cannot publish '%s': %s; write [ADDR:]HOSTPORT:GUESTPORT[/udp], for "
			 "example 8080:80", text, why);
}

static bool port(const char *s, uint16_t *out)
{
	uint64_t n;

	if (parse_u64(s, 10, 65535, &n) < 0 || n == 0)
		return false;
	*out = (uint16_t)n;
	return true;
}

static bool address(const char *s, uint16_t host_port, struct sockaddr_storage *out)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(host_port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(host_port) };
	size_t len = strlen(s);

	memset(out, 0, sizeof(*out));
	if (len > 2 && s[0] == '[' && s[len - 1] == ']') {
		cleanup_free char *inner = xstrndup(s + 1, len - 2);

		if (inet_pton(AF_INET6, inner, &sin6.sin6_addr) != 1)
			return false;
		memcpy(out, &sin6, sizeof(sin6));
		return true;
	}
	if (inet_pton(AF_INET, s, &sin.sin_addr) != 1)
		return false;
	memcpy(out, &sin, sizeof(sin));
	return true;
}

int forward_parse(const char *text, struct cage_forward *f, struct error *e)
{
	cleanup_free char *copy = xstrdup(text);
	char *slash = strrchr(copy, '/'), *guest, *host;
	const char *addr = "127.0.0.1";
	uint16_t host_port;

	*f = (struct cage_forward){ 0 };
	if (slash) {
		*slash = '\0';
		f->udp = strcmp(slash + 1, "udp") == 0;
		if (!f->udp && strcmp(slash + 1, "tcp") != 0)
			return bad(text, "the protocol is neither tcp nor udp", e);
	}
	guest = strrchr(copy, ':');
	if (!guest)
		return bad(text, "there is no guest port", e);
	*guest++ = '\0';
	host = strrchr(copy, ':');
	if (host) {
		*host++ = '\0';
		addr = copy;
	} else {
		host = copy;
	}
	if (!port(guest, &f->guest_port) || !port(host, &host_port))
		return bad(text, "a port is a number from 1 to 65535", e);
	if (!address(addr, host_port, &f->host))
		return bad(text, "the address is neither IPv4 nor IPv6 in brackets", e);
	return 0;
}
