// SPDX-License-Identifier: GPL-2.0-or-later
/* The network's filter: which frames pass, and what the answer to the others is. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/support/unit.h"
#include "umlcage/base/str.h"
#include "umlcage/net/filter.h"

static size_t frame4(uint8_t *out, const char *dst)
{
	memset(out, 0, 60);
	out[12] = 0x08;
	out[14] = 0x45;
	out[17] = 40;
	out[23] = IPPROTO_TCP;
	inet_pton(AF_INET, "10.0.2.15", out + 26);
	inet_pton(AF_INET, dst, out + 30);
	return 60;
}

static size_t frame6(uint8_t *out, const char *dst)
{
	memset(out, 0, 74);
	out[12] = 0x86;
	out[13] = 0xdd;
	out[14] = 0x60;
	out[20] = IPPROTO_TCP;
	inet_pton(AF_INET6, "fd75:6d6c:6361:6765::15", out + 22);
	inet_pton(AF_INET6, dst, out + 38);
	return 74;
}

static const struct {
	const char *dst;
	bool passes;
} destinations[] = {
	{ "127.0.0.1", false }, { "127.255.255.254", false }, { "0.0.0.0", false },
	{ "0.1.2.3", false }, { "192.0.2.7", false }, { "10.0.2.2", true }, { "10.0.2.3", true },
	{ "192.0.2.8", true }, { "198.51.100.1", true },
	{ "::1", false }, { "::", false }, { "::ffff:127.0.0.1", false }, { "::ffff:192.0.2.8", false },
	{ "2001:db8::7", false }, { "2001:db8::8", true }, { "fd75:6d6c:6361:6765::2", true },
};

/* One's complement sum over @len bytes, as a receiver checks it: 0xffff is right. */
static uint32_t check_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

START_TEST(host_addresses_are_kept_out_of_reach)
{
	struct in_addr host4;
	struct in6_addr host6;
	struct net_filter f = { .v4 = &host4, .nv4 = 1, .v6 = &host6, .nv6 = 1 };
	const char *dst = destinations[_i].dst;
	uint8_t frame[128], reply[NET_FILTER_REPLY_MAX];
	bool v6 = strchr(dst, ':') != NULL;
	size_t len, n;

	inet_pton(AF_INET, "192.0.2.7", &host4);
	inet_pton(AF_INET6, "2001:db8::7", &host6);
	len = v6 ? frame6(frame, dst) : frame4(frame, dst);
	ck_assert_msg(net_filter_pass(&f, frame, len, reply, &n) == destinations[_i].passes, "%s", dst);
	if (destinations[_i].passes) {
		ck_assert_uint_eq(n, 0);
		return;
	}
	ck_assert_uint_gt(n, 14);
	if (v6) {
		ck_assert_uint_eq(reply[54], 1);
		ck_assert_uint_eq(reply[55], 1);
		ck_assert_mem_eq(reply + 38, frame + 22, 16);
		ck_assert_uint_eq(check_sum(reply + 22, n - 22, (uint32_t)(n - 54) + IPPROTO_ICMPV6),
				  0xffff);
	} else {
		ck_assert_uint_eq(reply[34], 3);
		ck_assert_uint_eq(reply[35], 13);
		ck_assert_mem_eq(reply + 30, frame + 26, 4);
		ck_assert_uint_eq(check_sum(reply + 14, 20, 0), 0xffff);
		ck_assert_uint_eq(check_sum(reply + 34, n - 34, 0), 0xffff);
	}
}
END_TEST

START_TEST(truncated_frames_are_dropped)
{
	struct net_filter f = { 0 };
	uint8_t frame[128], reply[NET_FILTER_REPLY_MAX];
	size_t n;

	frame4(frame, "198.51.100.1");
	for (size_t len = 0; len < 34; len++)
		ck_assert(!net_filter_pass(&f, frame, len, reply, &n) && n == 0);
	ck_assert(net_filter_pass(&f, frame, 34, reply, &n));
	frame6(frame, "2001:db8::8");
	for (size_t len = 0; len < 54; len++)
		ck_assert(!net_filter_pass(&f, frame, len, reply, &n) && n == 0);
	ck_assert(net_filter_pass(&f, frame, 54, reply, &n));
}
END_TEST

START_TEST(the_host_s_own_addresses_are_found)
{
	struct net_filter f = { 0 };
	struct in_addr loopback = { htonl(INADDR_LOOPBACK) };
	bool found = false;

	net_filter_read_addresses(&f);
	for (size_t i = 0; i < f.nv4; i++)
		found |= f.v4[i].s_addr == loopback.s_addr;
	ck_assert(found);
	net_filter_release(&f);
}
END_TEST

START_TEST(fragments_are_told)
{
	static const struct { uint8_t high, low; bool fragment; } fields[] = {
		{ 0x00, 0, false }, { 0x40, 0, false }, { 0x20, 0, true }, { 0x00, 1, true },
		{ 0x1f, 0xff, true }, { 0x60, 0, true },
	};
	uint8_t frame[128];

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		frame4(frame, "198.51.100.1");
		frame[20] = fields[i].high;
		frame[21] = fields[i].low;
		ck_assert(net_filter_is_fragment(frame, 34) == fields[i].fragment);
		ck_assert(!net_filter_is_fragment(frame, 33));
	}
	frame6(frame, "2001:db8::8");
	frame[20] = 0x20;
	ck_assert(!net_filter_is_fragment(frame, 74));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net");
	TCase *tc = tcase_create("filter");

	tcase_add_loop_test(tc, host_addresses_are_kept_out_of_reach, 0, ARRAY_SIZE(destinations));
	tcase_add_test(tc, truncated_frames_are_dropped);
	tcase_add_test(tc, the_host_s_own_addresses_are_found);
	tcase_add_test(tc, fragments_are_told);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
