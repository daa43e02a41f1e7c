// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a hostile agent may send the supervisor, or the reverse: a stream of frames
 * either decodes and encodes to the same bytes, or is refused.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "umlcage/cage/proto.h"

static void encode_again(const struct proto_msg *m, struct strbuf *out)
{
	struct proto_msg copy = PROTO_MSG_INIT;
	struct proto_field f;

	proto_begin(&copy, m->type);
	for (size_t pos = 0; proto_next(m, &pos, &f);) {
		char *s = xstrndup(f.data, f.len);

		/* a number field is 8 bytes, which as a string may hold a NUL */
		if (strlen(s) == f.len &&
		    (f.len != 8 || proto_get_number(m, f.id, UINT64_MAX) == UINT64_MAX))
			proto_string(&copy, f.id, s);
		else
			proto_number(&copy, f.id, f.number);
		free(s);
	}
	if (copy.body.len != m->body.len)
		abort();
	if (proto_encode(&copy, out) != 0)
		abort();
	proto_release(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proto_msg m = PROTO_MSG_INIT;
	struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;
	struct proto_hello h;

	if (size >= PROTO_HELLO_SIZE && proto_hello_decode(data, &h) == 0) {
		unsigned char bytes[PROTO_HELLO_SIZE];

		proto_hello_encode(&h, bytes);
		if (memcmp(bytes, data, sizeof(bytes)) != 0)
			abort();
	}
	sb_add(&in, data, size);
	while (proto_decode(&in, &m) > 0)
		encode_again(&m, &out);
	if (out.len > size)
		abort();
	proto_release(&m);
	sb_release(&in);
	sb_release(&out);
	return 0;
}
