// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes through one TCP connection.
 *
 *	net-transfer serve				prints the port, serves 127.0.0.1 until killed
 *	net-transfer down|up ADDRESS PORT MEGABYTES	prints MB/s (10^6 bytes), as the client
 *
 * The time ends when the receiver has everything: the server answers with one byte.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <sys/socket.h>

#include "guest.h"

enum { CHUNK = 256 << 10 };

static char buf[CHUNK];

struct request {
	uint64_t bytes;
	char way;	/* 'd' or 'u' */
};

static int full(ssize_t (*one)(int, void *, size_t, int), int fd, void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = one(fd, (char *)data + done, len - done, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static ssize_t put(int fd, void *data, size_t len, int flags)
{
	return send(fd, data, len, flags);
}

static int move(ssize_t (*one)(int, void *, size_t, int), int fd, uint64_t bytes)
{
	while (bytes) {
		size_t len = bytes < CHUNK ? (size_t)bytes : CHUNK;

		if (full(one, fd, buf, len) < 0)
			return -1;
		bytes -= len;
	}
	return 0;
}

static void answer(int fd)
{
	struct request r;
	char done = 1;

	if (full(recv, fd, &r, sizeof(r)) < 0)
		return;
	if (r.way == 'd')
		(void)move(put, fd, r.bytes);
	else if (move(recv, fd, r.bytes) == 0)
		(void)full(put, fd, &done, 1);
}

static int serve(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s < 0 || bind(s, (void *)&a, sizeof(a)) < 0 || listen(s, 4) < 0 ||
	    getsockname(s, (void *)&a, &len) < 0)
		fail("cannot serve");
	printf("%d\n", ntohs(a.sin_port));
	fclose(stdout);
	for (;;) {
		int fd = accept(s, NULL, NULL);

		if (fd >= 0) {
			answer(fd);
			close(fd);
		}
	}
}

static int client(char way, const char *address, const char *port, const char *megabytes)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)strtoul(port, NULL, 10)) };
	struct request r = { strtoull(megabytes, NULL, 10) * 1000000, way };
	int s = socket(AF_INET, SOCK_STREAM, 0), ret;
	double began;
	char done;

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1 || s < 0 ||
	    connect(s, (void *)&a, sizeof(a)) < 0)
		fail("cannot connect");
	began = now_us();
	ret = full(put, s, &r, sizeof(r));
	if (ret == 0 && way == 'd')
		ret = move(recv, s, r.bytes);
	else if (ret == 0)
		ret = move(put, s, r.bytes) < 0 ? -1 : full(recv, s, &done, 1);
	if (ret < 0)
		fail("cannot transfer");
	printf("%.1f\n", (double)r.bytes / (now_us() - began));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return serve();
	if (argc == 5 && (strcmp(argv[1], "down") == 0 || strcmp(argv[1], "up") == 0))
		return client(argv[1][0], argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: net-transfer serve | down|up ADDRESS PORT MEGABYTES\n");
	return 2;
}
