/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests that unpack: packages, a share to unpack them into, and a stage.  For one program
 * each, hence all static.
 */
#ifndef TESTS_SUPPORT_UNPACK_FIXTURE_H
#define TESTS_SUPPORT_UNPACK_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/unpack/unpack.h"
#include "tests/support/deb-fixture.h"
#include "umlcage/base/fd.h"

#define MAX 8

static char top[UNIT_PATH];
static struct share share, stage = SHARE_INIT;
static struct share_tree *tree;
static struct deb_readers *readers;
static struct unpack *u;
static struct error err = ERROR_INIT;
static int debs[MAX];
static size_t ndebs;

/* The next package, as a file in memory. */
static void deb(const char *name, const char *fields, const struct item *control,
		const struct item *data)
{
	debs[ndebs++] = deb_of(name, fields, control, data);
}

/* ---- unpacking them ---- */

static int reopen(void *arg, size_t index, struct error *e)
{
	(void)arg;
	if (lseek(debs[index], 0, SEEK_SET) < 0)
		return err_sys(e, errno, "seek");
	return fcntl(debs[index], F_DUPFD_CLOEXEC, 3);
}

static struct unpack_config config(size_t nbase)
{
	return (struct unpack_config){ .rootfd = share.fd, .n = ndebs, .nbase = nbase,
				       .readers = readers, .reopen = reopen };
}

/* Unpacks all, the last first if @backwards. */
static int unpack_all(const struct unpack_config *cfg, bool backwards)
{
	u = unpack_new(cfg);
	for (size_t i = 0; i < ndebs; i++) {
		size_t index = backwards ? ndebs - 1 - i : i;
		cleanup_close int fd = reopen(NULL, index, &err);
		int ret = unpack_package(u, index, fd, "test", &err);

		if (ret < 0)
			return ret;
	}
	return unpack_finish(u, &err);
}

static const char *text_of(const char *path)
{
	static struct strbuf text = STRBUF_INIT;

	sb_reset(&text);
	ck_ok(file_read(share.fd, path, 1 << 20, &text, &err), &err);
	return sb_str(&text);
}

static struct share_attr look(const char *path)
{
	struct share_attr a;

	ck_ok(share_stat(tree, path, &a, &err), &err);
	return a;
}

static void setup(void)
{
	cleanup_free char *path = NULL;

	ck_ok(deb_readers_new(&readers, 1, NULL, &err), &err);
	unit_dir(top, "unpack-test");
	path = path_join(top, "s");
	ck_ok(share_create(&share, path, &err), &err);
	tree = share_tree_new(share.fd, 0);
	ndebs = 0;
}

static void teardown(void)
{
	unpack_free(u);
	u = NULL;
	deb_readers_free(readers);
	readers = NULL;
	share_tree_free(&tree);
	share_close(&share);
	share_close(&stage);
	for (size_t i = 0; i < ndebs; i++)
		close(debs[i]);
	remove_tree(AT_FDCWD, top, NULL);
	err_release(&err);
}

#endif
