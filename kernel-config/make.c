// SPDX-License-Identifier: GPL-2.0-or-later
/* Running the build: see make.h. */
#include "kernel-config/make.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

/* How much of what went wrong fits a message, and how long a killed build may take. */
enum { COMPLAINT_MAX = 600, GRACE_MS = 3000 };

bool make_is_unit(const char *line, const char **what)
{
	if (!str_starts(line, "  CC  ") && !str_starts(line, "  AS  "))
		return false;
	line += 6;
	*what = line + strspn(line, " ");
	return **what != '\0';
}

bool make_is_complaint(const char *line)
{
	static const char *const marks[] = {
		"error:", " Error ", "*** ", "FAILED", "undefined reference", "No space left",
		"not found", "cannot find", "can't open",
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (strstr(line, marks[i]))
			return true;
	return false;
}

static void look_at(struct make *m, const char *line)
{
	const char *what;

	if (make_is_unit(line, &what)) {
		m->units++;
		if (m->expected) {
			uint64_t total = m->units < m->expected ? m->expected : m->units + 1;

			progress_step(m->progress, m->units, total, what);
		}
	} else if (make_is_complaint(line) && m->complaint.len < COMPLAINT_MAX) {
		sb_addf(&m->complaint, "%s%.300s", m->complaint.len ? " | " : "", line);
	}
}

/* Whole lines of @pending are looked at and dropped. */
static void take_lines(struct make *m, struct strbuf *pending)
{
	char *p = pending->s, *nl;

	while (p && (nl = strchr(p, '\n'))) {
		*nl = '\0';
		look_at(m, p);
		p = nl + 1;
	}
	if (p && p != pending->s) {
		pending->len -= (size_t)(p - pending->s);
		memmove(pending->s, p, pending->len + 1);
	}
}

/*
 * Reads until every writer is gone.  After a signal the group is asked to end, and
 * made to when it has not after a while: its files must stop changing.
 */
static int follow(struct make *m, int out, pid_t pid)
{
	cleanup_strbuf struct strbuf pending = STRBUF_INIT;
	int64_t deadline = -1;
	int ret = 0;

	for (;;) {
		struct pollfd p = { out, POLLIN, 0 };

		if (interrupted() && deadline < 0) {
			kill(-pid, SIGTERM);
			deadline = clock_ms() + GRACE_MS;
		} else if (deadline >= 0 && clock_ms() >= deadline) {
			kill(-pid, SIGKILL);
			deadline = INT64_MAX;
		}
		if (poll(&p, 1, 200) <= 0)
			continue;

		ssize_t got = read(out, sb_reserve(&pending, 65536), 65536);

		if (got == 0)
			break;
		if (got < 0)
			continue;
		if (ret == 0)
			ret = write_full(m->log, pending.s + pending.len, (size_t)got);
		pending.len += (size_t)got;
		pending.s[pending.len] = '\0';
		take_lines(m, &pending);
		if (pending.len > 1 << 16)
			sb_reset(&pending);
	}
	return ret;
}

static bool disk_full(const struct make *m)
{
	uint64_t available;

	if (strstr(sb_str(&m->complaint), "No space left"))
		return true;
	return free_space(m->dir, &available, NULL) == 0 && available < 1 << 20;
}

int make_run(struct make *m, char *const *argv, int input, struct error *e)
{
	int pipes[2], status, ret;
	pid_t pid;

	sb_reset(&m->complaint);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot run '%s': pipe", argv[0]);

	struct proc_fd fds[4] = {
		{ pipes[1], 1 }, { pipes[1], 2 }, { m->lock, 9 }, { input, 0 },
	};
	struct proc_opts opts = {
		.argv = argv, .env = strv_argv(m->env), .cwd = m->dir, .fds = fds,
		.nfds = input >= 0 ? 4 : 3, .own_group = true,
	};

	ret = proc_start(&opts, &pid, NULL, e);
	close(pipes[1]);
	if (ret == 0) {
		int logged = follow(m, pipes[0], pid);

		ret = proc_wait(pid, &status, e);
		if (ret == 0 && interrupted())
			ret = err_set(e, EINTR, "interrupted");
		else if (ret == 0 && (status != 0 || logged < 0) && (disk_full(m) || logged == -ENOSPC))
			ret = err_set(e, ENOSPC, "no space left on the filesystem of '%s'", m->dir);
		else if (ret == 0 && logged < 0)
			ret = err_sys(e, -logged, "cannot write the log of the build");
		else if (ret == 0 && status != 0)
			ret = err_set(e, ENOEXEC, "%s", m->complaint.len ? sb_str(&m->complaint) :
				      "failed without a message");
	}
	close(pipes[0]);
	return ret;
}

void make_release(struct make *m)
{
	sb_release(&m->complaint);
}
