// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage session top: the processes in sessions, as their own /proc has them (proc(5)).  What is
 * read there is the guest's, which may say anything, for ever: it gets so much room and time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/cmd/session.h"
#include "umlcage/table/table.h"

enum {
	SAID_MAX = 16 << 20,		/* bytes; some 300 for a process */
	PROCESSES_MAX = 32768,		/* pid_max of a kernel with few processors */
	TIMEOUT_MS = 60000,
	GUEST_PAGE = 4096, GUEST_HZ = 100,
	KERNEL_THREAD = 0x00200000,	/* PF_KTHREAD of linux/sched.h, in the flags of stat */
};

/* The first line is the number of what asks; its children are those that ask, too. */
static const char script[] =
	"cd /proc && echo $$ && grep -asH '' [0-9]*/stat [0-9]*/cmdline /etc/passwd; "
	"grep -as '^Uid:' [0-9]*/status /dev/null";

struct top_options {
	bool json;
};

static const struct opt top_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct top_options, json), "as a JSON array" },
	OPT_END,
};

static const struct opt_spec spec = {
	.usage = "umlcage session top [--json] [NAME]",
	.summary = "Lists the processes in sessions, those that have had most of the processor first.",
	.groups = OPT_GROUPS({ NULL, top_opts, 0 }),
	.epilogue = "It needs 'sh' and 'grep' in the session's root.  'umlcage session ps' lists what was "
		    "started\nfrom outside, without asking anything of the session's processes.",
};

/* ---- what was said ---- */

struct process {
	uint64_t pid, parent, uid, ticks, memory;
	char state[2];
	bool known, kernel;		/* it has had its stat; a thread of the kernel */
	char *name;
	struct strbuf words;
};

struct said {
	uint64_t asker;			/* the number of the process that asked */
	struct process *all;
	size_t n, last;
	struct strv users;		/* lines of passwd */
};

static void said_release(struct said *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->all[i].name);
		sb_release(&s->all[i].words);
	}
	free(s->all);
	strv_release(&s->users);
}

/* Lines about one come together. */
static struct process *find(struct said *s, uint64_t pid)
{
	if (s->last < s->n && s->all[s->last].pid == pid)
		return &s->all[s->last];
	for (s->last = 0; s->last < s->n; s->last++)
		if (s->all[s->last].pid == pid)
			return &s->all[s->last];
	if (s->n == PROCESSES_MAX)
		return NULL;
	s->all = xreallocarray(s->all, s->n + 1, sizeof(*s->all));
	s->all[s->n] = (struct process){ .pid = pid, .state = "?", .words = STRBUF_INIT };
	s->last = s->n;
	return &s->all[s->n++];
}

/* "PID (NAME) STATE PARENT ...": the name may have any character in it. */
static void take_stat(struct process *p, const char *line)
{
	const char *open = strchr(line, '('), *end = strrchr(line, ')');
	unsigned long long parent, flags, user, system, pages;
	char state;

	if (p->known || !open || !end || end < open ||
	    sscanf(end + 1, " %c %llu %*s %*s %*s %*s %llu %*s %*s %*s %*s %llu %llu %*s %*s %*s %*s "
		   "%*s %*s %*s %*s %llu", &state, &parent, &flags, &user, &system, &pages) != 6)
		return;
	p->known = true;
	p->kernel = flags & KERNEL_THREAD;
	p->parent = parent;
	p->ticks = user + system;
	p->memory = pages * GUEST_PAGE;
	p->state[0] = state;
	p->name = xstrndup(open + 1, (size_t)(end - open) - 1);
}

/* A NUL after each word; a newline in one has begun another line. */
static void take_words(struct process *p, const char *line, size_t len)
{
	if (p->words.len)
		sb_addc(&p->words, ' ');
	for (size_t i = 0; i < len; i++)
		sb_addc(&p->words, line[i] ? line[i] : ' ');
	while (p->words.len && p->words.s[p->words.len - 1] == ' ')
		p->words.s[--p->words.len] = '\0';
}

/* "NUMBER/FILE:LINE", @len bytes and a NUL. */
static void take_line(struct said *s, const char *line, size_t len)
{
	const char *colon = strchr(line, ':');
	char *end;
	uint64_t pid = strtoull(line, &end, 10);
	struct process *p;

	if (str_starts(line, "/etc/passwd:")) {
		strv_add(&s->users, colon + 1);
		return;
	}
	if (!colon || *end != '/')
		return;
	p = find(s, pid);
	if (!p)
		return;
	if (str_starts(end, "/stat:"))
		take_stat(p, colon + 1);
	else if (str_starts(end, "/status:Uid:"))
		p->uid = strtoull(end + strlen("/status:Uid:"), NULL, 10);
	else if (str_starts(end, "/cmdline:"))
		take_words(p, colon + 1, len - (size_t)(colon + 1 - line));
}

static void take_all(struct said *s, struct strbuf *text)
{
	char *at = text->s, *end = text->s + text->len, *stop;

	s->asker = text->len ? strtoull(at, NULL, 10) : 0;
	for (; at < end; at = stop + 1) {
		stop = memchr(at, '\n', (size_t)(end - at));
		/* the last line may be cut */
		if (!stop)
			return;
		*stop = '\0';
		take_line(s, at, (size_t)(stop - at));
	}
}

/* ---- asking ---- */

/* A file that takes SAID_MAX bytes and no more. */
static int open_room(struct error *e)
{
	cleanup_close int fd = memfd_create("processes", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, SAID_MAX) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
		return err_sys(e, errno, "cannot make room for an answer");
	return steal_fd(&fd);
}

static int ask(const char *name, struct strbuf *text, struct error *e)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	cleanup_close int fd = session_connect(name, e), room = fd < 0 ? -1 : open_room(e);
	struct session_exec what = { .argv = (char *const *)argv, .timeout = TIMEOUT_MS,
				     .fds = { -1, room, -1 } };
	struct cage_exit exit = { 0 };
	off_t len;
	int ret;

	if (fd < 0 || room < 0)
		return -e->errnum;
	ret = session_exec(fd, &what, &exit, e);
	if (ret == 0 && exit.reason)
		ret = err_set(e, EPROTO, "%s", exit.reason);
	else if (ret == 0 && exit.timed_out)
		ret = err_set(e, ETIMEDOUT, "the session '%s' does not answer within %d s", name,
			      TIMEOUT_MS / 1000);
	else if (ret == 0 && exit.output_error)
		ret = err_set(e, EPROTO, "the session '%s' says more than %d MiB about its processes", name,
			      SAID_MAX >> 20);
	cage_exit_release(&exit);
	len = lseek(room, 0, SEEK_CUR);
	if (ret == 0 && (len < 0 || pread_full(room, sb_reserve(text, (size_t)len), (size_t)len, 0) != len))
		ret = err_sys(e, EIO, "cannot read the answer");
	if (ret == 0) {
		text->len = (size_t)len;
		text->s[len] = '\0';
	}
	return ret;
}

/* ---- the table ---- */

static const struct column columns[] = {
	{ "SESSION", "session", COLUMN_TEXT }, { "PID", "pid", COLUMN_PID },
	{ NULL, "parent", COLUMN_PID }, { "USER", "user", COLUMN_TEXT }, { NULL, "uid", COLUMN_COUNT },
	{ "STATE", "state", COLUMN_TEXT }, { "MEMORY", "memory", COLUMN_SIZE },
	{ "TIME", "time", COLUMN_TEXT }, { NULL, "cpu_ms", COLUMN_COUNT },
	{ "COMMAND", "command", COLUMN_TEXT },
};

/* The name that the guest's passwd has for the number, or the number; malloc'ed. */
static char *user_name(const struct said *s, uint64_t uid)
{
	for (size_t i = 0; i < s->users.n; i++) {
		const char *line = s->users.v[i], *at = strchr(line, ':');
		char *end;

		at = at ? strchr(at + 1, ':') : NULL;
		if (at && at[1] != ':' && strtoull(at + 1, &end, 10) == uid && *end == ':')
			return xstrndup(line, strcspn(line, ":"));
	}
	return xasprintf("%llu", (unsigned long long)uid);
}

static void add_process(struct table *t, const char *name, const struct said *s,
			const struct process *p)
{
	cleanup_free char *user = user_name(s, p->uid), *time = NULL;
	/* as ps has it, without words: one that has ended, or has hidden them */
	cleanup_free char *command = p->words.len ? xstrdup(p->words.s) : xasprintf("[%s]", p->name);
	uint64_t seconds = p->ticks / GUEST_HZ;

	time = xasprintf("%llu:%02llu.%02llu", (unsigned long long)seconds / 60,
			 (unsigned long long)seconds % 60, (unsigned long long)(p->ticks % GUEST_HZ));
	table_add(t, (const struct cell[ARRAY_SIZE(columns)]){
		{ .text = name }, { .number = p->pid }, { .number = p->parent }, { .text = user },
		{ .number = p->uid }, { .text = p->state }, { .number = p->memory }, { .text = time },
		{ .number = p->ticks * (1000 / GUEST_HZ) }, { .text = command },
	});
}

static int busier(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? 1 : -1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static int add_session(struct table *t, const char *name, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct said s = { .users = STRV_INIT };
	size_t rows = 0;
	int ret = ask(name, &text, e);

	if (ret < 0)
		return ret;
	take_all(&s, &text);
	if (s.n)
		qsort(s.all, s.n, sizeof(*s.all), busier);
	for (size_t i = 0; i < s.n; i++) {
		const struct process *p = &s.all[i];

		if (!p->known || p->kernel)
			continue;
		rows++;
		if (p->pid != s.asker && p->parent != s.asker)
			add_process(t, name, &s, p);
	}
	said_release(&s);
	return rows ? 0 : err_set(e, EPROTO, "the session '%s' says nothing about its processes; it needs "
				  "'sh', 'grep' and /proc in its root", name);
}

static int run_top(const struct command *self, int argc, char **argv)
{
	cleanup_table struct table *t = table_new(columns, ARRAY_SIZE(columns));
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	struct top_options o = { false };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), failed = EXIT_OK;
	const char *name = NULL;

	if (status < 0 && argc > 0)
		status = session_operand(argc, argv, &name);
	if (status >= 0)
		return status;
	if (name)
		strv_add(&names, name);
	else if (session_names(&names, &e) < 0)
		return cmd_fail(&e);
	for (size_t i = 0; i < names.n; i++) {
		int ret = add_session(t, names.v[i], &e);

		/* of all, those that live: one may have ended, or been lost */
		if (ret < 0 && (name || (ret != -ESRCH && ret != -ENOENT && ret != -EPIPE)))
			failed = cmd_fail(&e);
		err_release(&e);
	}
	if (name && failed != EXIT_OK)
		return failed;
	table_text(t, o.json, &out);
	return fputs(sb_str(&out), stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : failed;
}

const struct command command_session_top = {
	"top", "lists the processes in sessions", &spec, run_top, NULL, NULL,
};
