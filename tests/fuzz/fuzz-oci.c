// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The JSON documents of an image of containers: records that end with the byte 0x1e, each the
 * name of a file, a newline, and what is in it.  The first byte of all says which kind.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hostfs-bridge/oci/private.h"
#include "tests/fuzz/fuzz.h"

struct image {
	const char *data, *end;
};

static int read_part(void *arg, const char *path, size_t max, struct strbuf *out, struct error *e)
{
	const struct image *im = arg;
	size_t len = strlen(path);

	for (const char *at = im->data, *next; at < im->end; at = next) {
		const char *stop = memchr(at, 0x1e, (size_t)(im->end - at));

		stop = stop ? stop : im->end;
		next = stop + 1;
		if ((size_t)(stop - at) <= len || memcmp(at, path, len) != 0 || at[len] != '\n')
			continue;
		if ((size_t)(stop - at) - len - 1 > max)
			return err_set(e, EFBIG, "'%s' is too large", path);
		sb_add(out, at + len + 1, (size_t)(stop - at) - len - 1);
		return 0;
	}
	return err_set(e, ENOENT, "there is no '%s'", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image im = { (const char *)data + 1, (const char *)data + size };
	const struct oci_files files = { .read = read_part, .arg = &im, .unchecked = true };
	struct oci_layers layers = { NULL, 0 };
	struct error e = ERROR_INIT;
	int ret;

	if (!size)
		return 0;
	ret = oci_find(&files, data[0] & 1, data[0] & 2 ? "app:1" : NULL, &layers, &e);
	/* what is found can be used, what is not has its reason */
	if (ret == 0)
		for (size_t i = 0; i < layers.n; i++)
			if (!layers.v[i].path)
				abort();
	if (ret < 0 && !*err_text(&e))
		abort();
	oci_layers_release(&layers);
	err_release(&e);
	return 0;
}
