// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's console: see console.h. */
#include "umlcage/cage/console.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"

void console_read(struct console *c)
{
	char buf[4096];
	ssize_t n;

	while (c->fd >= 0 && (n = read(c->fd, buf, sizeof(buf))) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				close_fd(&c->fd);
			return;
		}
		if (c->copy_fd >= 0)
			(void)write_full(c->copy_fd, buf, (size_t)n);
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != '\r' && buf[i] != '\0')
				sb_addc(&c->text, buf[i]);
		if (c->text.len > 2 * CONSOLE_KEEP) {
			size_t cut = c->text.len - CONSOLE_KEEP;

			memmove(c->text.s, c->text.s + cut, CONSOLE_KEEP + 1);
			c->text.len = CONSOLE_KEEP;
		}
	}
	close_fd(&c->fd);
}

void console_release(struct console *c)
{
	close_fd(&c->fd);
	if (c->own_copy)
		close_fd(&c->copy_fd);
	sb_release(&c->text);
}

/* The rest of the line after @prefix where it is first found, with @what before it. */
static char *line_after(const char *text, const char *prefix, const char *what)
{
	const char *at = strstr(text, prefix);

	if (!at)
		return NULL;
	at += strlen(prefix);
	at += strspn(at, " :");
	return xasprintf("%s%.*s", what, (int)strcspn(at, "\n"), at);
}

char *console_diagnose(const char *text)
{
	static const struct { const char *prefix, *what; } signs[] = {
		{ "agent: ", "the agent in the cage gave up: " },
		{ "Kernel panic - not syncing", "kernel panic: " },
		{ "Out of memory and no killable processes", "the cage is out of memory: " },
		{ "Failed to get registers from stub", "kernel panic: " },
		{ "UML ran out of memory on the host side", "the host refused memory: " },
		{ "fatal: ", "" },
		{ "BUG: ", "kernel bug: " },
		{ "Oops: ", "kernel oops: " },
		{ "create_tmp_file", "no place for the guest's memory: " },
		{ "mmap: ", "no place for the guest's memory: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		char *line = line_after(text, signs[i].prefix, signs[i].what);

		if (line)
			return line;
	}
	return NULL;
}

/*
 * What every kernel says that runs as these do, and what explains nothing: no directory
 * for a management console it does not have, /dev/null for input, no new pseudoterminals.
 */
static bool usual(const char *line, size_t len)
{
	static const char *const signs[] = { "make_umid", "remove_umid_dir", "initialize umid",
					     "epollctl add err", "check_one_sigio failed" };

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (memmem(line, len, signs[i], strlen(signs[i])))
			return true;
	return false;
}

static char *without_usual(const char *text)
{
	struct strbuf out = STRBUF_INIT;

	for (; *text; text += *text != '\0') {
		size_t len = strcspn(text, "\n");

		if (len && !usual(text, len)) {
			sb_add(&out, text, len);
			sb_addc(&out, '\n');
		}
		text += len;
	}
	return sb_steal(&out);
}

char *console_tail(const char *all, unsigned int lines)
{
	cleanup_free char *text = without_usual(all);
	struct strbuf out = STRBUF_INIT;
	size_t len = strlen(text), start;

	while (len && text[len - 1] == '\n')
		len--;
	for (start = len; start > 0; start--)
		if (text[start - 1] == '\n' && lines-- <= 1)
			break;
	while (start < len) {
		size_t n = strcspn(text + start, "\n");

		if (start + n > len)
			n = len - start;
		if (out.len)
			sb_addc(&out, '\n');
		sb_adds(&out, "  ");
		sb_add(&out, text + start, n);
		start += n + 1;
	}
	return sb_steal(&out);
}
