// SPDX-License-Identifier: GPL-2.0-or-later
/* What of the network a cage may reach: rules, names by DNS, and what is written down. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"
#include "umlcage/net/flows.h"
#include "umlcage/net/policy.h"

static struct net_policy policy;
static struct error e;

static void setup(void)
{
	policy = (struct net_policy)NET_POLICY_INIT;
	e = (struct error)ERROR_INIT;
}

static void teardown(void)
{
	net_policy_release(&policy);
	err_release(&e);
}

static bool allows(const char *address, uint16_t port)
{
	uint8_t a[16] = { 0 };
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;

	ck_assert_int_eq(inet_pton(family, address, a), 1);
	return net_policy_allows(&policy, family, a, port);
}

static void answer(const char *name, const char *address)
{
	uint8_t dns[512] = { 0, 1, 0x81, 0x80, 0, 1, 0, 1 };
	bool v6 = strchr(address, ':') != NULL;
	size_t at = 12;

	for (const char *p = name; *p;) {
		size_t label = strcspn(p, ".");

		dns[at++] = (uint8_t)label;
		memcpy(dns + at, p, label);
		at += label;
		p += label + (p[label] == '.');
	}
	at++;
	memcpy(dns + at, (uint8_t[]){ 0, v6 ? 28 : 1, 0, 1, 0xc0, 12, 0, v6 ? 28 : 1, 0, 1, 0, 0, 0, 60,
				      0, v6 ? 16 : 4 }, 16);
	at += 16;
	ck_assert_int_eq(inet_pton(v6 ? AF_INET6 : AF_INET, address, dns + at), 1);
	at += v6 ? 16 : 4;
	/* whatever is cut off teaches nothing and is not read past its end */
	for (size_t len = 0; len < at; len++) {
		uint8_t *exact = xmalloc(len ? len : 1);
		size_t before = policy.nlearnt;

		memcpy(exact, dns, len);
		net_policy_learn(&policy, exact, len);
		ck_assert_uint_eq(policy.nlearnt, before);
		free(exact);
	}
	net_policy_learn(&policy, dns, at);
}

static const struct {
	const char *text, *address;
	uint16_t port;
	bool matches;
} rules[] = {
	{ "192.0.2.1", "192.0.2.1", 80, true }, { "192.0.2.1", "192.0.2.2", 80, false },
	{ "192.0.2.1:80", "192.0.2.1", 80, true }, { "192.0.2.1:80", "192.0.2.1", 81, false },
	{ "192.0.2.1:80", "192.0.2.1", 0, false }, { "192.0.2.0/24", "192.0.2.255", 1, true },
	{ "192.0.2.0/25", "192.0.2.128", 1, false }, { "192.0.2.128/25:53", "192.0.2.200", 53, true },
	{ "0.0.0.0/0", "198.51.100.9", 1, true }, { "0.0.0.0/0", "2001:db8::1", 1, false },
	{ "2001:db8::1", "2001:db8::1", 9, true }, { "2001:db8::/32", "2001:db8:ffff::1", 9, true },
	{ "2001:db8::/33", "2001:db8:ffff::1", 9, false },
	{ "[2001:db8::1]:443", "2001:db8::1", 443, true },
	{ "[2001:db8::1]:443", "2001:db8::1", 444, false },
	{ "[2001:db8::]/32:443", "2001:db8::9", 443, true },
	{ "[2001:db8::/32]:443", "2001:db8::9", 443, true },
	{ "::/0", "::1", 1, true },
};

START_TEST(rule_of_an_address)
{
	ck_ok(net_policy_add(&policy, true, rules[_i].text, &e), &e);
	ck_assert_msg(allows(rules[_i].address, rules[_i].port) == rules[_i].matches, "%s, %s port %u",
		      rules[_i].text, rules[_i].address, rules[_i].port);
	policy.rules[0].allow = false;
	ck_assert_msg(allows(rules[_i].address, rules[_i].port) != rules[_i].matches, "not %s",
		      rules[_i].text);
}
END_TEST

static const char *const nonsense[] = {
	"", ":80", "host:0", "host:65536", "host:http", "192.0.2.1/33", "192.0.2.300", "10.1", "a b",
	"2001:db8::/129", "http://host/", "*", "*.", ".", "-/8", "[::1", "host/24",
};

START_TEST(no_part_of_a_network)
{
	ck_assert_int_lt(net_policy_add(&policy, true, nonsense[_i], &e), 0);
	ck_assert_uint_eq(policy.n, 0);
}
END_TEST

START_TEST(names_are_what_dns_says)
{
	ck_ok(net_policy_add(&policy, true, "Mirror.Example.org:80", &e), &e);
	ck_ok(net_policy_add(&policy, true, "*.cdn.example", &e), &e);
	ck_assert(!allows("198.51.100.1", 80));
	answer("MIRROR.example.org", "198.51.100.1");
	answer("other.example.org", "198.51.100.2");
	answer("a.b.cdn.example", "2001:db8::7");
	answer("cdn.example", "198.51.100.3");
	answer("evilcdn.example", "198.51.100.4");
	ck_assert(allows("198.51.100.1", 80));
	ck_assert(!allows("198.51.100.1", 443));
	ck_assert(!allows("198.51.100.2", 80));
	ck_assert(allows("2001:db8::7", 443));
	ck_assert(!allows("198.51.100.3", 80));
	ck_assert(!allows("198.51.100.4", 80));
}
END_TEST

START_TEST(a_label_with_a_dot_in_it_is_no_name)
{
	uint8_t dns[64] = { 0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 10, 'g', 'o', 'o', 'd', '.', 't', 'e',
			    's', 't', 'x', 0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 8, 8, 8, 8 };

	net_policy_learn(&policy, dns, 44);
	ck_assert_uint_eq(policy.nlearnt, 0);
}
END_TEST

static const struct { const char *address; bool public; } places[] = {
	{ "8.8.8.8", true }, { "10.1.2.3", false }, { "172.31.0.1", false }, { "172.32.0.1", true },
	{ "192.168.0.1", false }, { "169.254.169.254", false }, { "100.64.0.1", false },
	{ "100.128.0.1", true }, { "127.0.0.1", false }, { "224.0.0.251", false },
	{ "255.255.255.255", false }, { "168.63.129.16", false }, { "2606:4700::1", true },
	{ "fd00:ec2::254", false }, { "fe80::1", false }, { "::1", false }, { "ff02::fb", false },
	{ "::ffff:10.0.0.1", false }, { "64:ff9b::10.0.0.1", false }, { "64:ff9b::8.8.8.8", true },
	{ "2002:a00:1::1", false }, { "2001::1", false }, { "2001:db8::1", false },
};

START_TEST(public_addresses)
{
	policy.public = true;
	ck_assert_msg(allows(places[_i].address, 80) == places[_i].public, "%s", places[_i].address);
}
END_TEST

START_TEST(a_name_does_not_open_what_is_private)
{
	policy.public = true;
	ck_ok(net_policy_add(&policy, true, "mirror.example", &e), &e);
	ck_ok(net_policy_add(&policy, true, "10.9.0.0/16", &e), &e);
	answer("mirror.example", "10.1.1.1");
	answer("mirror.example", "8.8.4.4");
	ck_assert(!allows("10.1.1.1", 80));
	ck_assert(allows("8.8.4.4", 80));
	ck_assert(allows("10.9.3.3", 80));
	ck_assert(!allows("8.8.8.8", 80));
}
END_TEST

START_TEST(denied_goes_before_allowed)
{
	ck_ok(net_policy_add(&policy, true, "10.0.0.0/8", &e), &e);
	ck_ok(net_policy_add(&policy, false, "10.1.0.0/16", &e), &e);
	ck_assert(allows("10.2.0.1", 1));
	ck_assert(!allows("10.1.0.1", 1));
	ck_assert(!allows("11.0.0.1", 1));
}
END_TEST

static void packet(struct flows *f, uint16_t port, unsigned int flags, size_t payload, bool from_guest,
		   bool allowed)
{
	struct packet_info p = { .family = AF_INET, .protocol = IPPROTO_TCP, .remote = { 198, 51, 100, 1 },
				 .remote_port = port, .guest_port = 4000, .payload = payload,
				 .begins = flags & 2, .ends = flags & 5, .broken = flags & 4 };

	flows_count(f, &policy, &p, from_guest, allowed);
}

START_TEST(connections_are_written_down)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct flows f = { 0 };

	policy.log_fd = memfd_with("log", "", 0, &e);
	answer("site.example", "198.51.100.1");
	packet(&f, 80, 2, 0, true, true);
	packet(&f, 80, 0, 100, true, true);
	packet(&f, 80, 0, 2000, false, true);
	packet(&f, 80, 1, 0, true, true);
	packet(&f, 80, 1, 50, false, true);
	packet(&f, 80, 0, 0, true, true);
	packet(&f, 81, 2, 0, true, false);
	packet(&f, 81, 2, 0, true, false);
	packet(&f, 82, 2, 0, true, true);
	flows_release(&f, &policy);
	ck_assert_int_eq(lseek(policy.log_fd, 0, SEEK_SET), 0);
	ck_assert_int_ge(fd_read_all(policy.log_fd, 4096, &text), 0);
	ck_assert_ptr_nonnull(strstr(sb_str(&text), " allowed tcp site.example 198.51.100.1 80 100 2050\n"));
	ck_assert_ptr_nonnull(strstr(sb_str(&text), " refused tcp site.example 198.51.100.1 81 0 0\n"));
	ck_assert_ptr_nonnull(strstr(sb_str(&text), " allowed tcp site.example 198.51.100.1 82 0 0\n"));
	size_t lines = 0;

	for (const char *p = sb_str(&text); *p; p++)
		lines += *p == '\n';
	ck_assert_uint_eq(lines, 3);
	close_fd(&policy.log_fd);
}
END_TEST

START_TEST(ports_are_those_of_the_first_fragment)
{
	uint8_t frame[64] = { [12] = 8, [14] = 0x46, [17] = 48, [23] = IPPROTO_UDP, [30] = 192, [33] = 1,
			      [38] = 0x10, [40] = 0, [41] = 53 };
	struct packet_info p;

	ck_assert(packet_read(&p, frame, sizeof(frame), true));
	ck_assert_uint_eq(p.remote_port, 53);
	frame[21] = 1;
	ck_assert(packet_read(&p, frame, sizeof(frame), true));
	ck_assert_uint_eq(p.remote_port, 0);
	for (size_t len = 0; len < 34; len++)
		ck_assert(!packet_read(&p, frame, len, true));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("net-policy");
	TCase *tc = tcase_create("policy");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, rule_of_an_address, 0, ARRAY_SIZE(rules));
	tcase_add_loop_test(tc, no_part_of_a_network, 0, ARRAY_SIZE(nonsense));
	tcase_add_test(tc, names_are_what_dns_says);
	tcase_add_test(tc, a_label_with_a_dot_in_it_is_no_name);
	tcase_add_loop_test(tc, public_addresses, 0, ARRAY_SIZE(places));
	tcase_add_test(tc, a_name_does_not_open_what_is_private);
	tcase_add_test(tc, denied_goes_before_allowed);
	tcase_add_test(tc, connections_are_written_down);
	tcase_add_test(tc, ports_are_those_of_the_first_fragment);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
