/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reader of packages, and a package that is opened by it, for each test anew. */
#ifndef TESTS_SUPPORT_READER_FIXTURE_H
#define TESTS_SUPPORT_READER_FIXTURE_H

#include "rootfs/deb/private.h"
#include "tests/support/unit.h"

static struct error err = ERROR_INIT;
static struct deb_reader reader;
static struct deb d;

static void setup(void)
{
	reader = (struct deb_reader){ .peer = WORKER_PEER_INIT };
	d = (struct deb)DEB_INIT;
}

static void teardown(void)
{
	deb_close(&d);
	deb_reader_end(&reader);
	err_release(&err);
}

static void start(int (*work)(void *, struct strbuf *, struct error *))
{
	ck_ok(deb_reader_start(&reader, work, NULL, NULL, &err), &err);
	ck_ok(worker_ready(&reader.peer, &err), &err);
}

static int open_with(int fd, const char *label)
{
	deb_close(&d);
	d = (struct deb){ .label = xstrdup(label), .reader = &reader };
	return deb_reader_open(&reader, &d, fd, &err);
}

#endif
