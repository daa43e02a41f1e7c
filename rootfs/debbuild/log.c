// SPDX-License-Identifier: GPL-2.0-or-later
/* The log of a build, in the shape that readers of sbuild's logs know. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/debbuild/private.h"
#include "umlcage/base/fd.h"

enum { WIDTH = 78, MAX_LINE = 4096 };

int buildlog_open(struct buildlog *l, const char *path, bool echo, struct error *e)
{
	l->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (l->fd < 0)
		return err_sys(e, errno, "cannot write the log '%s'", path);
	l->echo = echo;
	l->path = xstrdup(path);
	return 0;
}

static void end_line(struct buildlog *l)
{
	char **slot = &l->tail[l->lines++ % LOG_TAIL];

	free(*slot);
	*slot = xstrdup(sb_str(&l->line));
	sb_reset(&l->line);
}

void buildlog_bytes(struct buildlog *l, const char *data, size_t len)
{
	if (l->fd >= 0)
		(void)write_full(l->fd, data, len);
	if (l->echo)
		(void)write_full(STDERR_FILENO, data, len);
	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n' && data[i] != '\r' && l->line.len < MAX_LINE)
			sb_addc(&l->line, data[i]);
		else if (l->line.len)
			end_line(l);
	}
}

void buildlog_line(struct buildlog *l, const char *fmt, ...)
{
	cleanup_free char *text = NULL, *line = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	line = xasprintf("%s\n", text);
	buildlog_bytes(l, line, strlen(line));
}

void buildlog_title(struct buildlog *l, const char *title, bool package)
{
	const char sign = package ? '=' : '-';
	cleanup_free char *date = package ? utc_text(time(NULL), UTC_RFC_5322) : xstrdup("");
	char rule[WIDTH + 1];

	memset(rule, sign, WIDTH);
	rule[WIDTH] = '\0';
	buildlog_line(l, "\n+%s+\n| %-*s%s |\n+%s+\n", rule,
		      WIDTH - 2 - (int)strlen(date), title, date, rule);
}

void buildlog_forget(struct buildlog *l)
{
	l->lines = 0;
	sb_reset(&l->line);
}

void buildlog_show_tail(struct buildlog *l, struct progress *progress)
{
	size_t first = l->lines > LOG_TAIL ? l->lines - LOG_TAIL : 0;

	/* all of it has been shown as it came */
	if (l->echo)
		return;
	for (size_t i = first; i < l->lines; i++)
		progress_show(progress, "  | %s", l->tail[i % LOG_TAIL]);
}

void buildlog_close(struct buildlog *l)
{
	if (l->fd >= 0)
		(void)fsync(l->fd);
	close_fd(&l->fd);
	free_ptr(&l->path);
	sb_release(&l->line);
	for (size_t i = 0; i < LOG_TAIL; i++)
		free_ptr(&l->tail[i]);
}
