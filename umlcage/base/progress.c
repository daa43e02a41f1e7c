// SPDX-License-Identifier: GPL-2.0-or-later
/* Progress for people: see progress.h. */
#include "umlcage/base/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

enum { REDRAW_MS = 100, PLAIN_MS = 10000 };

int64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

void progress_init(struct progress *p, int fd, int verbosity)
{
	const char *term = getenv("TERM");

	*p = (struct progress){ .fd = fd, .verbosity = verbosity };
	p->tty = isatty(fd) && (!term || strcmp(term, "dumb") != 0);
}

static unsigned int width_of(const struct progress *p)
{
	struct winsize ws;

	return ioctl(p->fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
}

static void erase(struct progress *p)
{
	static const char clear[] = "\r\033[K";

	if (p->columns)
		(void)write_full(p->fd, clear, sizeof(clear) - 1);
	p->columns = 0;
}

static void draw(struct progress *p, const char *detail)
{
	cleanup_strbuf struct strbuf line = STRBUF_INIT;
	unsigned int width = width_of(p);

	sb_adds(&line, p->stage);
	if (p->total)
		sb_addf(&line, " %3u %%", (unsigned int)(p->done >= p->total ? 100 :
			(double)p->done * 100 / (double)p->total));
	if (detail && *detail)
		sb_addf(&line, "  %s", detail);

	int64_t seconds = (clock_ms() - p->started_ms) / 1000;

	if (seconds >= 2)
		sb_addf(&line, "  %lld s", (long long)seconds);
	if (line.len >= width)
		line.s[line.len = width - 1] = '\0';
	erase(p);
	(void)write_full(p->fd, line.s, line.len);
	p->columns = (unsigned int)line.len;
}

void progress_stage(struct progress *p, const char *stage, uint64_t total)
{
	if (!p)
		return;
	progress_end(p);
	if (p->verbosity < 0)
		return;
	p->stage = xstrdup(stage);
	p->total = total;
	p->done = 0;
	p->started_ms = clock_ms();
	p->shown_ms = p->started_ms;
	if (p->tty) {
		draw(p, NULL);
	} else {
		cleanup_free char *line = xasprintf("%s\n", stage);

		(void)write_full(p->fd, line, strlen(line));
	}
}

void progress_step(struct progress *p, uint64_t done, uint64_t total, const char *detail)
{
	if (!p || !p->stage)
		return;
	p->done = done;
	p->total = total;

	int64_t now = clock_ms();

	if (now - p->shown_ms < (p->tty ? REDRAW_MS : PLAIN_MS))
		return;
	p->shown_ms = now;
	if (p->tty) {
		draw(p, detail);
		return;
	}

	cleanup_strbuf struct strbuf line = STRBUF_INIT;

	sb_adds(&line, p->stage);
	if (total)
		sb_addf(&line, ": %u %%", (unsigned int)((double)done * 100 / (double)total));
	if (detail && *detail)
		sb_addf(&line, ", %s", detail);
	sb_addc(&line, '\n');
	(void)write_full(p->fd, line.s, line.len);
}

static void print_line(struct progress *p, const char *prefix, const char *fmt, va_list ap)
{
	cleanup_free char *text = xvasprintf(fmt, ap);
	cleanup_free char *line = xasprintf("%s%s\n", prefix, text);

	str_hide_passwords(line);
	erase(p);
	(void)write_full(p->fd, line, strlen(line));
	if (p->tty && p->stage)
		draw(p, NULL);
}

void progress_note(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p || p->verbosity < 0)
		return;
	va_start(ap, fmt);
	print_line(p, "", fmt, ap);
	va_end(ap);
}

void progress_show(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p)
		return;
	va_start(ap, fmt);
	print_line(p, "", fmt, ap);
	va_end(ap);
}

void progress_warn(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p)
		return;
	va_start(ap, fmt);
	print_line(p, "umlcage: warning: ", fmt, ap);
	va_end(ap);
}

void progress_detail(struct progress *p, const char *fmt, ...)
{
	va_list ap;

	if (!p || p->verbosity < 1)
		return;
	va_start(ap, fmt);
	print_line(p, "", fmt, ap);
	va_end(ap);
}

void progress_end(struct progress *p)
{
	if (!p)
		return;
	erase(p);
	free_ptr(&p->stage);
	p->done = p->total = 0;
}
