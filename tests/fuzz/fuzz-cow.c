// SPDX-License-Identifier: GPL-2.0-or-later
/* COW headers from anywhere: what is accepted is sane and encodes to itself. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "umlcage/cage/cow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char bytes[COW_EXACT_SIZE];
	uint64_t bitmap, start, total;
	struct cow_header h, again;

	if (cow_decode(data, size, &h) != 0)
		return 0;
	cow_layout(&h, &bitmap, &start, &total);
	if (bitmap < (h.exact ? COW_EXACT_SIZE : COW_HEADER_SIZE) || start < bitmap || total < start || total - start != h.size)
		abort();
	cow_encode(&h, bytes);
	if (cow_decode(bytes, sizeof(bytes), &again) != 0 || again.size != h.size ||
	    again.mtime != h.mtime || again.exact != h.exact || again.mtime_nsec != h.mtime_nsec || again.alignment != h.alignment ||
	    strcmp(again.backing_file, h.backing_file) != 0)
		abort();
	return 0;
}
