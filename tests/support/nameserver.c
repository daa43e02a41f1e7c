// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A DNS server of the test's own, at a port that a user may have, for a program that is preloaded
 * with this: datagrams to port 53 of anywhere go to 127.0.0.1:UMLCAGE_TEST_NAMESERVER, and
 * what comes from there is from port 53.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { DNS_PORT = 53 };

static ssize_t (*real_sendto)(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
			      socklen_t size);
static ssize_t (*real_recvfrom)(int fd, void *buf, size_t len, int flags, struct sockaddr *from,
				socklen_t *size);
static in_port_t port;

/* The environment may be gone when it counts. */
__attribute__((constructor)) static void look(void)
{
	const char *text = getenv("UMLCAGE_TEST_NAMESERVER");

	port = htons((in_port_t)(text ? atoi(text) : 0));
	*(void **)&real_sendto = dlsym(RTLD_NEXT, "sendto");
	*(void **)&real_recvfrom = dlsym(RTLD_NEXT, "recvfrom");
}

ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to, socklen_t size)
{
	struct sockaddr_in sin;

	if (port && to && to->sa_family == AF_INET && size == sizeof(sin)) {
		memcpy(&sin, to, sizeof(sin));
		if (sin.sin_port == htons(DNS_PORT)) {
			sin.sin_port = port;
			sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			return real_sendto(fd, buf, len, flags, (void *)&sin, sizeof(sin));
		}
	}
	return real_sendto(fd, buf, len, flags, to, size);
}

ssize_t recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *from, socklen_t *size)
{
	ssize_t n = real_recvfrom(fd, buf, len, flags, from, size);
	struct sockaddr_in *sin = (void *)from;

	if (port && n >= 0 && from && from->sa_family == AF_INET && sin->sin_port == port)
		sin->sin_port = htons(DNS_PORT);
	return n;
}
