// SPDX-License-Identifier: GPL-2.0-or-later
/* The codec of the control protocol: see proto.h. */
#include "umlcage/cage/proto.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Which fields are numbers; the rest are strings without NUL. */
static const bool is_number[F_LAST + 1] = {
	[F_EXEC] = true, [F_ERRNO] = true, [F_STATUS] = true, [F_OOM] = true, [F_TTY] = true,
	[F_STDIN] = true, [F_ROWS] = true, [F_COLS] = true, [F_SIGNAL] = true, [F_NOSYNC] = true,
	[F_CHROOTED] = true,
	[F_NET] = true, [F_DNS] = true, [F_IPV6] = true,
	[F_BOOTED] = true, [F_FULL] = true, [F_DISK] = true, [F_CLOCK] = true, [F_INIT] = true,
	[F_STREAMS] = true, [F_CHANGES] = true, [F_DETACHED] = true,
	[F_CONSOLE] = true, [F_NAMED] = true,
};

static void put32(struct strbuf *sb, uint32_t value)
{
	value = htole32(value);
	sb_add(sb, &value, sizeof(value));
}

static uint32_t get32(const char *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return le32toh(value);
}

void proto_begin(struct proto_msg *m, enum proto_type type)
{
	m->type = type;
	sb_reset(&m->body);
}

void proto_number(struct proto_msg *m, enum proto_field_id id, uint64_t value)
{
	value = htole64(value);
	put32(&m->body, id);
	put32(&m->body, sizeof(value));
	sb_add(&m->body, &value, sizeof(value));
}

void proto_string(struct proto_msg *m, enum proto_field_id id, const char *s)
{
	size_t len = strlen(s);

	put32(&m->body, id);
	put32(&m->body, (uint32_t)len);
	sb_add(&m->body, s, len);
}

int proto_encode(const struct proto_msg *m, struct strbuf *out)
{
	if (m->body.len > PROTO_MAX_FRAME)
		return -EMSGSIZE;
	put32(out, m->type);
	put32(out, (uint32_t)m->body.len);
	sb_add(out, m->body.s, m->body.len);
	return 0;
}

void proto_release(struct proto_msg *m)
{
	sb_release(&m->body);
}

static bool fields_valid(const char *p, size_t len)
{
	while (len) {
		uint32_t id, size;

		if (len < 8)
			return false;
		id = get32(p);
		size = get32(p + 4);
		p += 8;
		len -= 8;
		if (size > len || id == 0 || id > F_LAST)
			return false;
		if (is_number[id] ? size != 8 : memchr(p, '\0', size) != NULL)
			return false;
		p += size;
		len -= size;
	}
	return true;
}

int proto_decode(struct strbuf *in, struct proto_msg *m)
{
	uint32_t type, len;

	if (in->len < PROTO_HEADER)
		return 0;
	type = get32(in->s);
	len = get32(in->s + 4);
	if (type == 0 || type > MSG_LAST || len > PROTO_MAX_FRAME)
		return -EPROTO;
	if (in->len - PROTO_HEADER < len)
		return 0;
	if (!fields_valid(in->s + PROTO_HEADER, len))
		return -EPROTO;
	m->type = type;
	sb_reset(&m->body);
	sb_add(&m->body, in->s + PROTO_HEADER, len);
	in->len -= PROTO_HEADER + len;
	memmove(in->s, in->s + PROTO_HEADER + len, in->len + 1);
	return 1;
}

bool proto_next(const struct proto_msg *m, size_t *pos, struct proto_field *f)
{
	const char *p = m->body.s + *pos;

	if (*pos + 8 > m->body.len)
		return false;
	f->id = get32(p);
	f->len = get32(p + 4);
	f->data = p + 8;
	f->number = 0;
	if (f->len > m->body.len - *pos - 8)
		return false;
	if (is_number[f->id]) {
		memcpy(&f->number, f->data, 8);
		f->number = le64toh(f->number);
	}
	*pos += 8 + f->len;
	return true;
}

static bool find(const struct proto_msg *m, enum proto_field_id id, struct proto_field *f)
{
	for (size_t pos = 0; proto_next(m, &pos, f);)
		if (f->id == id)
			return true;
	return false;
}

uint64_t proto_get_number(const struct proto_msg *m, enum proto_field_id id, uint64_t otherwise)
{
	struct proto_field f;

	return find(m, id, &f) ? f.number : otherwise;
}

char *proto_get_string(const struct proto_msg *m, enum proto_field_id id)
{
	struct proto_field f;

	return find(m, id, &f) ? xstrndup(f.data, f.len) : NULL;
}

void proto_hello_encode(const struct proto_hello *h, unsigned char out[PROTO_HELLO_SIZE])
{
	uint32_t words[4] = { htole32(h->magic), htole32(h->channel), htole32(h->exec),
			      htole32(h->version) };

	memcpy(out, words, sizeof(words));
}

int proto_hello_decode(const unsigned char in[PROTO_HELLO_SIZE], struct proto_hello *h)
{
	uint32_t words[4];

	memcpy(words, in, sizeof(words));
	h->magic = le32toh(words[0]);
	h->channel = le32toh(words[1]);
	h->exec = le32toh(words[2]);
	h->version = le32toh(words[3]);
	return h->magic == PROTO_HELLO_MAGIC && h->channel <= CHAN_LAST &&
	       h->version == PROTO_VERSION ? 0 : -EPROTO;
}
