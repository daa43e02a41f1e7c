// SPDX-License-Identifier: GPL-2.0-or-later
/* What of the network a cage may reach: see policy.h. */
#include "umlcage/net/policy.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "umlcage/base/str.h"

enum {
	LEARNT_MAX = 4096,
	DNS_HEADER = 12, DNS_FIXED = 10,	/* type, class, ttl, length of a record */
	DNS_A = 1, DNS_AAAA = 28, DNS_IN = 1,
};

struct net_learnt {
	int family;
	uint8_t address[16];
	char name[NET_NAME_MAX];
};

/* ---- rules as users write them ---- */

static bool valid_name(const char *s)
{
	size_t len = strlen(s);

	if (str_starts(s, "*."))
		s += 2;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			return false;
	/* what looks like an address and is none is a mistake */
	return *s && *s != '.' && len < NET_NAME_MAX && strspn(s, "0123456789.") != strlen(s);
}

static int bad(const char *text, const char *why, struct error *e)
{
	return err_usage(e, "'%s' is not a part of a network: %s; give a name or an address, perhaps "
			 "with /BITS and :PORT, for example mirror.example:80 or 192.0.2.0/24", text, why);
}

/* Cuts the port off @s. */
static bool cut_port(char *s, uint16_t *port)
{
	char *colon = strrchr(s, ':'), *bracket = strchr(s, ']');
	uint64_t n;

	*port = 0;
	/* several colons are an IPv6 address, unless in brackets */
	if (!colon || (strchr(s, ':') != colon && (!bracket || bracket > colon)))
		return true;
	if (parse_u64(colon + 1, 10, 65535, &n) < 0 || n == 0)
		return false;
	*colon = '\0';
	*port = (uint16_t)n;
	return true;
}

static bool parse_address(char *s, struct net_rule *r)
{
	char *slash = strchr(s, '/');
	size_t len;
	uint64_t bits;

	if (slash)
		*slash = '\0';
	len = strlen(s);
	if (len > 2 && s[0] == '[' && s[len - 1] == ']') {
		s[len - 1] = '\0';
		s++;
	}
	if (inet_pton(AF_INET, s, r->address) == 1)
		r->family = AF_INET;
	else if (inet_pton(AF_INET6, s, r->address) == 1)
		r->family = AF_INET6;
	else
		return false;
	r->prefix = r->family == AF_INET ? 32 : 128;
	if (slash && parse_u64(slash + 1, 10, r->prefix, &bits) < 0)
		return false;
	if (slash)
		r->prefix = (unsigned int)bits;
	return true;
}

int net_policy_add(struct net_policy *p, bool allow, const char *text, struct error *e)
{
	cleanup_free char *copy = xstrdup(text);
	struct net_rule r = { .allow = allow };

	/* [ADDRESS]/BITS:PORT and [ADDRESS/BITS]:PORT are both clear */
	if (!cut_port(copy, &r.port))
		return bad(text, "a port is a number from 1 to 65535", e);
	if (strchr(copy, '/') && copy[0] == '[' && copy[strlen(copy) - 1] == ']') {
		copy[strlen(copy) - 1] = '\0';
		memmove(copy, copy + 1, strlen(copy));
	}

	cleanup_free char *name = xstrdup(copy);

	if (!parse_address(copy, &r)) {
		if (!valid_name(name))
			return bad(text, "it is neither a name nor an address", e);
		for (size_t i = 0; name[i]; i++)
			r.name[i] = (char)tolower((unsigned char)name[i]);
		/* "example.org." is the same */
		if (r.name[strlen(r.name) - 1] == '.')
			r.name[strlen(r.name) - 1] = '\0';
	}
	p->rules = xreallocarray(p->rules, p->n + 1, sizeof(*p->rules));
	p->rules[p->n++] = r;
	return 0;
}

void net_policy_release(struct net_policy *p)
{
	free(p->rules);
	free(p->learnt);
	*p = (struct net_policy)NET_POLICY_INIT;
}

bool net_policy_any(const struct net_policy *p)
{
	return p->n || p->public || p->log_fd >= 0;
}

/* ---- decisions ---- */

static bool within(const uint8_t *a, const uint8_t *net, unsigned int bits)
{
	unsigned int bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, net, bytes) != 0)
		return false;
	return !rest || ((a[bytes] ^ net[bytes]) & (0xff00 >> rest & 0xff)) == 0;
}

/* IANA's registries of special-purpose addresses (RFC 6890): what is not global. */
static const struct { const char *net; unsigned int bits; } special4[] = {
	{ "0.0.0.0", 8 }, { "10.0.0.0", 8 }, { "100.64.0.0", 10 }, { "127.0.0.0", 8 },
	{ "169.254.0.0", 16 }, { "172.16.0.0", 12 }, { "192.0.0.0", 24 }, { "192.0.2.0", 24 },
	{ "192.168.0.0", 16 }, { "198.18.0.0", 15 }, { "198.51.100.0", 24 }, { "203.0.113.0", 24 },
	{ "224.0.0.0", 4 }, { "240.0.0.0", 4 },
	/* a cloud's services for its machines, at a global address (Azure) */
	{ "168.63.129.16", 32 },
};

static bool is_public4(const uint8_t *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(special4); i++) {
		uint8_t net[4];

		if (inet_pton(AF_INET, special4[i].net, net) == 1 && within(a, net, special4[i].bits))
			return false;
	}
	return true;
}

/* Global unicast is 2000::/3, without the parts that carry an IPv4 address or are for examples. */
static bool is_public(int family, const uint8_t *a)
{
	static const uint8_t teredo[] = { 0x20, 0x01, 0, 0 }, example[] = { 0x20, 0x01, 0x0d, 0xb8 };
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b };

	if (family == AF_INET)
		return is_public4(a);
	if (memcmp(a, nat64, sizeof(nat64)) == 0)
		return is_public4(a + 12);
	if (a[0] == 0x20 && a[1] == 0x02)	/* 6to4 */
		return is_public4(a + 2);
	return (a[0] & 0xe0) == 0x20 && memcmp(a, teredo, 4) != 0 && memcmp(a, example, 4) != 0;
}

static bool name_matches(const char *rule, const char *name)
{
	size_t len = strlen(name), tail;

	if (!str_starts(rule, "*."))
		return strcmp(rule, name) == 0;
	tail = strlen(rule + 1);
	return len > tail && strcmp(name + len - tail, rule + 1) == 0;
}

static bool known_as(const struct net_policy *p, int family, const uint8_t *a, const char *rule)
{
	size_t size = family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < p->nlearnt; i++)
		if (p->learnt[i].family == family && memcmp(p->learnt[i].address, a, size) == 0 &&
		    name_matches(rule, p->learnt[i].name))
			return true;
	return false;
}

static bool rule_matches(const struct net_policy *p, const struct net_rule *r, int family,
			 const uint8_t *a, uint16_t port)
{
	if (r->port && r->port != port)
		return false;
	if (r->family)
		return r->family == family && within(a, r->address, r->prefix);
	/* whoever answers for a name does not open what is private by it */
	return known_as(p, family, a, r->name) && !(r->allow && p->public && !is_public(family, a));
}

bool net_policy_allows(const struct net_policy *p, int family, const uint8_t *a, uint16_t port)
{
	bool listed = false;

	for (size_t i = 0; i < p->n; i++)
		if (!p->rules[i].allow && rule_matches(p, &p->rules[i], family, a, port))
			return false;
	for (size_t i = 0; i < p->n; i++) {
		if (p->rules[i].allow && rule_matches(p, &p->rules[i], family, a, port))
			return true;
		listed |= p->rules[i].allow;
	}
	return !listed && (!p->public || is_public(family, a));
}

/* ---- names ---- */

static void learn(struct net_policy *p, int family, const uint8_t *a, const char *name)
{
	size_t size = family == AF_INET ? 4 : 16;
	struct net_learnt *l;

	for (size_t i = 0; i < p->nlearnt; i++)
		if (p->learnt[i].family == family && memcmp(p->learnt[i].address, a, size) == 0 &&
		    strcmp(p->learnt[i].name, name) == 0)
			return;
	if (!p->learnt)
		p->learnt = xcalloc(LEARNT_MAX, sizeof(*p->learnt));
	/* the oldest goes */
	l = &p->learnt[p->next_learnt];
	p->next_learnt = (p->next_learnt + 1) % LEARNT_MAX;
	if (p->nlearnt < LEARNT_MAX)
		p->nlearnt++;
	*l = (struct net_learnt){ .family = family };
	memcpy(l->address, a, size);
	strcpy(l->name, name);
}

/* Reads the name of the question, which nothing before it could abbreviate; its end, or 0. */
static size_t read_question(const uint8_t *dns, size_t len, char name[NET_NAME_MAX])
{
	size_t at = DNS_HEADER, n = 0;

	while (at < len && dns[at]) {
		size_t label = dns[at++];

		if (label > 63 || at + label > len || n + label + 1 >= NET_NAME_MAX)
			return 0;
		if (n)
			name[n++] = '.';
		for (size_t i = 0; i < label; i++) {
			int c = tolower(dns[at + i]);

			/* a dot or a zero within a label would make it another name */
			if (!isalnum(c) && c != '-' && c != '_')
				return 0;
			name[n++] = (char)c;
		}
		at += label;
	}
	name[n] = '\0';
	return at < len && n ? at + 1 : 0;
}

static size_t skip_name(const uint8_t *dns, size_t len, size_t at)
{
	while (at < len && dns[at]) {
		if ((dns[at] & 0xc0) == 0xc0)
			return at + 2 <= len ? at + 2 : 0;
		if (dns[at] & 0xc0)
			return 0;
		at += 1U + dns[at];
	}
	return at < len ? at + 1 : 0;
}

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

void net_policy_learn(struct net_policy *p, const uint8_t *dns, size_t len)
{
	char name[NET_NAME_MAX];
	size_t at;

	/* an answer without error to one question */
	if (len < DNS_HEADER || !(dns[2] & 0x80) || (dns[3] & 0x0f) || get16(dns + 4) != 1)
		return;
	at = read_question(dns, len, name);
	if (!at || at + 4 > len || get16(dns + at + 2) != DNS_IN)
		return;
	at += 4;
	for (unsigned int left = get16(dns + 6); left; left--) {
		unsigned int type, class, size;

		at = skip_name(dns, len, at);
		if (!at || at + DNS_FIXED > len)
			return;
		type = get16(dns + at);
		class = get16(dns + at + 2);
		size = get16(dns + at + 8);
		at += DNS_FIXED;
		if (at + size > len)
			return;
		if (class == DNS_IN && type == DNS_A && size == 4)
			learn(p, AF_INET, dns + at, name);
		if (class == DNS_IN && type == DNS_AAAA && size == 16)
			learn(p, AF_INET6, dns + at, name);
		at += size;
	}
}

const char *net_policy_name(const struct net_policy *p, int family, const uint8_t *a)
{
	size_t size = family == AF_INET ? 4 : 16;

	for (size_t k = 0; k < p->nlearnt; k++) {
		const struct net_learnt *l = &p->learnt[(p->next_learnt + LEARNT_MAX - 1 - k) % LEARNT_MAX];

		if (l->family == family && memcmp(l->address, a, size) == 0)
			return l->name;
	}
	return NULL;
}
