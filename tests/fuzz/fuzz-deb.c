// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a mirror may call a package: read its control files and all of its contents,
 * and judge its preinst.  Nothing is written.  What is said of its control files by an honest
 * reader is believed.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/deb/private.h"
#include "tests/fuzz/fuzz.h"
#include "umlcage/base/fd.h"

static void contents(struct deb *d, struct error *e)
{
	struct strbuf path = STRBUF_INIT;
	size_t total = 0;
	int ret = deb_data(d, e);

	while (ret == 0) {
		struct deb_entry entry;
		const char *piece;
		ssize_t len;

		ret = deb_next(d, &entry, e);
		if (ret <= 0)
			break;
		ret = deb_path(entry.path, &path);
		/* what is accepted stays inside and makes one line */
		check(ret < 0 || (path.s[0] == '/' && !strchr(path.s, '\n') &&
				  !strstr(path.s, "/../") && !strstr(path.s, "//")));
		do {
			len = deb_piece(d, &piece, e);
			total += len > 0 ? (size_t)len : 0;
		} while (len > 0 && total < 1 << 20);
		ret = len < 0 ? (int)len : total < 1 << 20 ? 0 : 1;
	}
	check(ret >= 0 || err_text(e)[0] || ret == -EBADMSG);
	sb_release(&path);
}

static void facts(const struct deb *d, struct error *e)
{
	struct deb_facts *said = xcalloc(1, sizeof(*said)), *taken;
	cleanup_strbuf struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
	int ret = deb_facts_read(said, d, e);

	check(ret == 0 || (ret == -EBADMSG && err_text(e)[0]));
	if (ret == 0) {
		deb_facts_put(said, &text);
		taken = deb_facts_take(text.s, text.len);
		check(taken != NULL && text.len <= DEB_FACTS_MAX);
		deb_facts_put(taken, &again);
		check(again.len == text.len && memcmp(again.s, text.s, text.len) == 0);
		deb_facts_free(&taken);
	}
	deb_facts_free(&said);
	err_release(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e = ERROR_INIT;
	struct deb d = DEB_INIT;
	int fd = memfd_with("fuzz", data, size, &e);

	check(fd >= 0);

	int ret = deb_open(&d, fd, "fuzz.deb", &e);

	check(ret == 0 || (ret < 0 && e.text));
	if (ret == 0) {
		check(deb_member(&d, "control") != NULL);
		facts(&d, &e);
		contents(&d, &e);
	}
	deb_close(&d);
	err_release(&e);
	close(fd);

	/* a script alone is found sooner than one inside a package */
	char *text = xstrndup((const char *)data, size);

	(void)deb_preinst_is_idle(text);
	free(text);
	return 0;
}
