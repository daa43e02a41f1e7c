// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a share's host files may carry as metadata or as attribute names: it is read to the
 * same thing that is written back, and never to a host file with a set-id bit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hostfs-bridge/meta/meta.h"
#include "tests/fuzz/fuzz.h"

static void fuzz_record(const char *text, size_t size, enum humfs_type host)
{
	char again[HUMFS_META_MAX];
	struct humfs_meta m, n;
	int len;

	if (humfs_meta_parse(text, size, host, &m) != 0)
		return;
	len = humfs_meta_format(&m, again);
	check(len > 0 && len < HUMFS_META_MAX && again[len] == '\0');
	check(humfs_meta_parse(again, (size_t)len, host, &n) == 0);
	check(m.uid == n.uid && m.gid == n.gid && m.mode == n.mode && m.type == n.type &&
	      m.major == n.major && m.minor == n.minor);
	check((humfs_host_mode(&m) & ~0777u) == 0 && (humfs_host_mode(&m) & 0600) == 0600);
	check(humfs_meta_fits(&m, humfs_host_type(&m)));
}

static void fuzz_name(const char *name)
{
	char host[HUMFS_XATTR_NAME_MAX + 1];
	const char *guest;
	int len = humfs_xattr_to_host(name, host);

	if (len >= 0) {
		check(strlen(host) == (size_t)len && len <= HUMFS_XATTR_NAME_MAX);
		guest = humfs_xattr_to_guest(host);
		check(guest && strcmp(guest, name) == 0);
		check(strcmp(host, HUMFS_META_XATTR) != 0);
	}
	guest = humfs_xattr_to_guest(name);
	if (guest && strlen(name) <= HUMFS_XATTR_NAME_MAX)
		check(humfs_xattr_to_host(guest, host) >= 0 && strcmp(host, name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* exactly as many bytes as there are, for the address sanitizer */
	char *text = malloc(size ? size : 1);
	char *name = malloc(size + 1);

	if (!text || !name)
		abort();
	memcpy(text, data, size);
	memcpy(name, data, size);
	name[size] = '\0';
	for (enum humfs_type host = HUMFS_FILE; host <= HUMFS_SYMLINK; host++)
		fuzz_record(text, size, host);
	fuzz_name(name);
	free(text);
	free(name);
	return 0;
}
