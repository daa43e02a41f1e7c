// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a mirror or a user may feed to the readers of control files: stanzas from
 * memory and from a file must be the same, values must be whole strings, and what is
 * built on them (sources, packages, Release files, versions) must hold out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "tests/fuzz/fuzz.h"
#include "umlcage/base/fd.h"

static void check_fields(const struct deb822 *d)
{
	const char *stanza = d->buf.s + d->start;

	check(d->n > 0);
	for (size_t i = 0; i < d->n; i++) {
		const struct deb822_field *f = &d->fields[i];

		check(d->start + f->value + f->value_len <= d->buf.len);
		check(strlen(stanza + f->name) == f->name_len);
		check(strlen(stanza + f->value) == f->value_len);
		check(deb822_get(d, stanza + f->name) != NULL);
	}
}

static void read_stanzas(const uint8_t *data, size_t size)
{
	cleanup_deb822 struct deb822 memory = DEB822_INIT, file = DEB822_INIT;
	cleanup_close int fd = memfd_with("fuzz", data, size, NULL);
	struct debian_package package = DEBIAN_PACKAGE_INIT;
	int one, other;

	check(fd >= 0);
	deb822_init_mem(&memory, data, size, "fuzz");
	deb822_init_fd(&file, fd, "fuzz");
	do {
		one = deb822_next(&memory, NULL);
		other = deb822_next(&file, NULL);
		check(one == other && memory.n == file.n && memory.line == file.line);
		if (one <= 0)
			break;
		check_fields(&memory);
		check_fields(&file);
		if (debian_package_read(&package, &memory, NULL, NULL) == 0) {
			check(fetch_path_is_below(package.filename) && hash_valid_sum(package.sum));
			check(deb_version_cmp(package.version, package.version) == 0);
		}
	} while (one > 0);
	debian_package_release(&package);
}

static void read_release(const char *text)
{
	struct debian_source source = { .uri = (char[]){ "http://x" }, .suite = (char[]){ "pen" } };
	struct debian_archive archive = { .now = 1795227046 };
	struct debian_release *r = xcalloc(1, sizeof(*r));
	char hex[SUM_HEX + 1];
	uint64_t bytes;

	r->source = &source;
	r->uri = xstrdup(source.uri);
	r->suite = xstrdup(source.suite);
	r->text = xstrdup(text);
	if (debian_release_read(&archive, r, NULL) == 0)
		check(r->date >= 0 && r->date <= archive.now + 600);
	if (debian_release_find(r, "main/binary-amd64/Packages.xz", hex, &bytes, NULL) == 1)
		check(hash_valid_sum(hex));
	debian_release_says(r, "Architectures", "all");
	debian_release_free(r);
}

static void read_sources(const char *text)
{
	cleanup_debian_sources struct debian_sources sources = DEBIAN_SOURCES_INIT;

	(void)debian_sources_parse(&sources, text, "fuzz", NULL);
	for (size_t i = 0; i < sources.n; i++)
		check(fetch_path_is_below(sources.v[i].suite) && sources.v[i].uri[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	char *space = strchr(text, ' ');

	read_stanzas(data, size);
	read_release(text);
	read_sources(text);
	if (space) {
		const char *other = space + 1;

		*space = '\0';
		/* greater one way is less the other */
		check((deb_version_cmp(text, other) > 0) == (deb_version_cmp(other, text) < 0));
	}
	return 0;
}
