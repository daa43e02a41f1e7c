// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Archives from anywhere: whatever is imported makes a share without a fault, nothing
 * appears outside of it, and what is exported from it imports to the same again.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "hostfs-bridge/pack/private.h"
#include "hostfs-bridge/share/share.h"
#include "tests/fuzz/fuzz.h"
#include "umlcage/base/fd.h"

#define LIMIT	(1u << 20)

static char top[64];

static void remove_top(void)
{
	remove_tree(AT_FDCWD, top, NULL);
}

/* A directory with user xattrs, in memory if it can be. */
static void make_top(void)
{
	static const char *const places[] = { "/dev/shm", "/tmp", "." };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(top, sizeof(top), "%s/fuzz-import-XXXXXX", places[i]);
		if (!mkdtemp(top))
			continue;
		if (setxattr(top, "user.probe", "x", 1, 0) == 0) {
			atexit(remove_top);
			return;
		}
		rmdir(top);
	}
	fprintf(stderr, "no directory with user xattrs\n");
	exit(77);
}

static void fault(const struct share_problem *p, void *arg)
{
	(void)arg;
	fprintf(stderr, "'%s': %s\n", p->path, p->what);
	abort();
}

static int sum_sizes(const struct share_entry *ent, void *arg, struct error *e)
{
	uint64_t *sum = arg;

	(void)e;
	*sum += (uint64_t)ent->host.st_size;
	return 0;
}

static int import(const char *name, int fd, struct share *s)
{
	const struct share_import_opts opts = { .limit = LIMIT };
	cleanup_free char *path = path_join(top, name);
	struct error e = ERROR_INIT;

	if (share_create(s, path, &e) < 0) {
		fprintf(stderr, "%s\n", err_text(&e));
		abort();
	}

	int ret = import_in_place(s, fd, name, &opts, NULL, &e);

	/* an error without a word is a fault of ours */
	if (ret < 0 && !e.text)
		abort();
	err_release(&e);
	return ret;
}

static int export(struct share *s)
{
	const struct share_export_opts opts = SHARE_EXPORT_OPTS_INIT;
	struct error e = ERROR_INIT;
	int fd = memfd_create("out", MFD_CLOEXEC);

	if (fd < 0 || share_export(s, fd, "out", &opts, NULL, &e) < 0) {
		fprintf(stderr, "%s\n", err_text(&e));
		abort();
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void check_same(int a, int b)
{
	struct strbuf x = STRBUF_INIT, y = STRBUF_INIT;

	if (lseek(a, 0, SEEK_SET) < 0 || fd_read_all(a, SIZE_MAX, &x) < 0 ||
	    lseek(b, 0, SEEK_SET) < 0 || fd_read_all(b, SIZE_MAX, &y) < 0)
		abort();
	if (x.len != y.len || memcmp(x.s, y.s, x.len) != 0) {
		fprintf(stderr, "another archive after a round trip\n");
		abort();
	}
	sb_release(&x);
	sb_release(&y);
}

static void round_trip(struct share *s)
{
	struct share again = SHARE_INIT;
	int first = export(s), second;

	if (import("again", first, &again) < 0)
		abort();
	second = export(&again);
	check_same(first, second);
	close(first);
	close(second);
	share_close(&again);
}

/* Only what was asked for may be there. */
static void check_top(void)
{
	DIR *d = opendir(top);

	for (struct dirent *ent; (ent = readdir(d)) != NULL;)
		if (ent->d_name[0] != '.' && !str_eq(ent->d_name, "share") &&
		    !str_eq(ent->d_name, "again"))
			abort();
	closedir(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct share_report report;
	struct share s = SHARE_INIT;
	uint64_t sum = 0;
	int fd, ret;

	if (!*top)
		make_top();
	fd = memfd_with("archive", data, size, NULL);
	if (fd < 0)
		abort();
	lseek(fd, 0, SEEK_SET);
	ret = import("share", fd, &s);
	close(fd);

	cleanup_free char *path = xstrdup(s.path);

	/* a refused archive leaves half a tree, but a sane one */
	share_relock(&s, SHARE_PEEK, NULL);
	if (share_verify(path, false, false, fault, NULL, &report, NULL) < 0 || report.problems)
		abort();
	if (share_walk(s.fd, 0, sum_sizes, &sum, NULL) < 0)
		abort();
	if (ret == 0 && sum < LIMIT)
		round_trip(&s);
	share_close(&s);
	check_top();
	remove_tree(AT_FDCWD, path, NULL);

	cleanup_free char *again = path_join(top, "again");

	remove_tree(AT_FDCWD, again, NULL);
	return 0;
}
