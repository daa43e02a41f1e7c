// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packs the agent into an initramfs (cpio "newc", uncompressed: the kernel only
 * copies it).  Runs at build time: pack AGENT OUTPUT.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int fail(struct archive *a, const char *what)
{
	fprintf(stderr, "pack: %s: %s\n", what, a ? archive_error_string(a) : "failed");
	return 1;
}

static int add(struct archive *a, const char *path, mode_t mode, dev_t rdev, const void *data,
	       size_t len)
{
	struct archive_entry *ae = archive_entry_new();

	archive_entry_set_pathname(ae, path);
	archive_entry_set_mode(ae, mode);
	archive_entry_set_rdev(ae, rdev);
	archive_entry_set_nlink(ae, 1);
	archive_entry_set_mtime(ae, 0, 0);
	archive_entry_set_size(ae, (int64_t)len);

	int bad = archive_write_header(a, ae) != ARCHIVE_OK ||
		  (len && archive_write_data(a, data, len) != (la_ssize_t)len);

	archive_entry_free(ae);
	return bad ? fail(a, path) : 0;
}

int main(int argc, char **argv)
{
	FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
	struct archive *a = archive_write_new();
	struct stat st;
	char *agent;

	if (!in || fstat(fileno(in), &st) < 0)
		return fail(NULL, "usage: pack AGENT OUTPUT");
	agent = malloc((size_t)st.st_size);
	if (!agent || fread(agent, 1, (size_t)st.st_size, in) != (size_t)st.st_size)
		return fail(NULL, argv[1]);
	fclose(in);
	if (!a || archive_write_set_format_cpio_newc(a) != ARCHIVE_OK ||
	    archive_write_open_filename(a, argv[2]) != ARCHIVE_OK)
		return fail(a, argv[2]);
	if (add(a, "dev", S_IFDIR | 0755, 0, NULL, 0) ||
	    add(a, "dev/console", S_IFCHR | 0600, makedev(5, 1), NULL, 0) ||
	    add(a, "dev/null", S_IFCHR | 0666, makedev(1, 3), NULL, 0) ||
	    add(a, "init", S_IFREG | 0755, 0, agent, (size_t)st.st_size))
		return 1;
	free(agent);
	if (archive_write_close(a) != ARCHIVE_OK)
		return fail(a, argv[2]);
	archive_write_free(a);
	return 0;
}
