// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PID 1 of a cage: connects to the supervisor and obeys it; reaps orphans; ends
 * the cage when the supervisor is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"

enum { GRACE_MS = 2000, TERMINAL_MS = 200, LAST_WORDS_MS = 5000, QUIET_MS = 100 };

struct agent {
	int control;
	int user_net;
	int signals;
	struct strbuf in;
	struct command *commands;
	uint64_t oom_kills;
	bool set_up, booted;
	bool count;			/* kills are to be counted anew */
	pid_t init;			/* the root's own; 0: none, or no more */
	pid_t syncer;			/* writes everything back for MSG_SYNC; 0: none */
	bool sync_again;		/* it was asked for once more meanwhile */
	bool contained;			/* there was one */
	bool off;			/* somebody inside wants the machine's end */
};

static void __attribute__((noreturn)) power_off(void)
{
	for (;;) {
		reboot(RB_POWER_OFF);
		pause();
	}
}

static void __attribute__((noreturn)) die(const struct error *e)
{
	/* the console is the kernel's, and the supervisor keeps its last lines */
	fprintf(stderr, "agent: %s\n", err_text(e));
	power_off();
}

static void send_msg(struct agent *a, const struct proto_msg *m)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	/* the supervisor gone is seen when reading; nothing else can be done about it here */
	if (proto_encode(m, &out) == 0)
		(void)write_full(a->control, out.s, out.len);
}

static void send_simple(struct agent *a, enum proto_type type, uint32_t exec, const char *text,
			int64_t status)
{
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, type);
	if (exec)
		proto_number(&m, F_EXEC, exec);
	if (text)
		proto_string(&m, F_TEXT, text);
	if (status >= 0)
		proto_number(&m, F_STATUS, (uint64_t)status);
	send_msg(a, &m);
	proto_release(&m);
}

static uint64_t count_oom_kills(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	const char *at;

	if (file_read(AT_FDCWD, "/proc/vmstat", 1 << 16, &text, NULL) < 0)
		return 0;
	at = strstr(sb_str(&text), "oom_kill ");
	return at ? strtoull(at + 9, NULL, 10) : 0;
}

static void handle_setup(struct agent *a, const struct proto_msg *m)
{
	cleanup_error struct error e = ERROR_INIT;
	int ret = network_configure(a->user_net, proto_get_number(m, F_NET, 0) != 0,
				    proto_get_number(m, F_IPV6, 0) != 0, &e);

	if (ret == 0)
		ret = root_setup(m, a->user_net, &e);
	if (ret == 0 && proto_get_number(m, F_INIT, 0))
		ret = init_start(a->user_net, &a->init, &e);
	a->contained = a->init > 0;
	root_leave();
	if (ret < 0) {
		send_simple(a, MSG_FAILED, 0, err_text(&e), -1);
		return;
	}
	a->set_up = true;
	a->booted = proto_get_number(m, F_BOOTED, 0) != 0;
	a->oom_kills = count_oom_kills();
	send_simple(a, MSG_READY, 0, NULL, -1);
}

static void handle_exec(struct agent *a, const struct proto_msg *m)
{
	cleanup_error struct error e = ERROR_INIT;
	uint32_t id = (uint32_t)proto_get_number(m, F_EXEC, 0);
	struct command *c;
	int status, ret;

	if (proto_get_number(m, F_CONSOLE, 0)) {
		status = 126;
		ret = command_console(&c, m, &e);
	} else {
		root_enter();
		ret = command_start(&c, m, a->user_net, &status, &e);
		root_leave();
	}
	if (ret < 0) {
		send_simple(a, MSG_REFUSED, id, err_text(&e), status);
		return;
	}
	c->oom_kills = a->oom_kills;
	c->next = a->commands;
	a->commands = c;
	if (proto_get_number(m, F_DETACHED, 0))
		send_simple(a, MSG_STARTED, id, NULL, -1);
}

/* A process of its own waits for what may take long. */
static void handle_sync(struct agent *a)
{
	a->sync_again = a->syncer != 0;
	if (a->sync_again)
		return;
	a->syncer = fork();
	if (a->syncer == 0) {
		sync();
		_exit(0);
	}
	if (a->syncer > 0)
		return;
	a->syncer = 0;
	sync();
	send_simple(a, MSG_SYNCED, 0, NULL, -1);
}

static void __attribute__((noreturn)) shut_down(struct agent *a);

static void reap(struct agent *a)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* it has switched the machine off, or failed: either way nothing can be run any more */
		if (pid == a->init) {
			a->init = 0;
			shut_down(a);
		}
		if (pid == a->syncer) {
			a->syncer = 0;
			if (a->sync_again)
				handle_sync(a);
			else
				send_simple(a, MSG_SYNCED, 0, NULL, -1);
		}
		for (struct command *c = a->commands; c; c = c->next) {
			if (c->pid != pid)
				continue;
			c->pid = 0;
			c->status = status;
			lazy_settle(c);
			c->out.draining = c->err.draining = true;
			/* what a terminal still has to echo; it says when its last user is gone */
			if (c->pty >= 0)
				c->out.drain_until = clock_ms() + TERMINAL_MS;
			pump_close(&c->in);
			/* it, or something it had started; of what went well nobody asks now */
			if (status) {
				a->oom_kills = count_oom_kills();
				c->oom = a->oom_kills > c->oom_kills;
			}
			a->count = !status;
		}
	}
}

static void __attribute__((noreturn)) shut_down(struct agent *a)
{
	cleanup_error struct error e = ERROR_INIT;
	int64_t until;

	root_enter();
	if (a->init)
		init_stop(a->init);
	until = clock_ms() + GRACE_MS;
	kill(-1, SIGTERM);
	while (clock_ms() < until) {
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			break;
		usleep(5000);
	}
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	for (struct command *c; (c = a->commands) != NULL;) {
		a->commands = c->next;
		command_free(c);
	}

	if (a->contained)
		init_gone();

	int ret = root_sync(&e);

	send_simple(a, MSG_STOPPED, 0, ret < 0 ? err_text(&e) : NULL, -1);
	/* it may still be on its way; the supervisor ends the cage when it has it */
	(void)poll(&(struct pollfd){ .fd = a->control, .events = POLLIN }, 1, LAST_WORDS_MS);
	power_off();
}

static struct command *find_command(struct agent *a, const struct proto_msg *m)
{
	uint32_t id = (uint32_t)proto_get_number(m, F_EXEC, 0);

	for (struct command *c = a->commands; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

static void handle(struct agent *a, const struct proto_msg *m)
{
	struct command *c;

	switch ((enum proto_type)m->type) {
	case MSG_SETUP:
		if (!a->set_up)
			handle_setup(a, m);
		break;
	case MSG_EXEC:
		if (a->set_up)
			handle_exec(a, m);
		break;
	case MSG_SIGNAL:
		c = find_command(a, m);
		if (c)
			command_signal(c, (int)proto_get_number(m, F_SIGNAL, SIGTERM));
		break;
	case MSG_WINSIZE:
		c = find_command(a, m);
		if (c)
			command_winsize(c, (unsigned int)proto_get_number(m, F_ROWS, 24),
					(unsigned int)proto_get_number(m, F_COLS, 80));
		break;
	case MSG_SYNC:
		if (a->set_up)
			handle_sync(a);
		break;
	case MSG_SHUTDOWN:
		shut_down(a);
	default:
		break;
	}
}

static void read_control(struct agent *a)
{
	struct proto_msg m = PROTO_MSG_INIT;
	ssize_t n = read(a->control, sb_reserve(&a->in, 65536), 65536);
	int ret;

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		power_off();
	a->in.len += (size_t)n;
	a->in.s[a->in.len] = '\0';
	while ((ret = proto_decode(&a->in, &m)) > 0)
		handle(a, &m);
	proto_release(&m);
	if (ret < 0)
		power_off();
}

/* Tells of ended commands, and frees those whose output is handed over. */
static void finish_commands(struct agent *a)
{
	for (struct command **at = &a->commands; *at;) {
		struct command *c = *at;

		if (!c->pid && !c->told && !c->console) {
			struct proto_msg m = PROTO_MSG_INIT;

			proto_begin(&m, MSG_EXITED);
			proto_number(&m, F_EXEC, c->id);
			proto_number(&m, F_STATUS, (uint64_t)(unsigned int)c->status);
			proto_number(&m, F_STREAMS, c->streams);
			proto_number(&m, F_ERRNO, (uint64_t)(unsigned int)c->lost);
			proto_number(&m, F_OOM, c->oom);
			proto_number(&m, F_FULL, c->status && a->booted && memory_full());
			send_msg(a, &m);
			proto_release(&m);
			c->told = true;
		}
		if (command_done(c)) {
			*at = c->next;
			command_free(c);
			/* where one has ended another one may follow, as in a session */
			network_prepare();
		} else {
			at = &c->next;
		}
	}
}

static void take_signals(struct agent *a)
{
	struct signalfd_siginfo si;

	while (read(a->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		a->off |= si.ssi_signo != SIGCHLD;
	reap(a);
}

/* Waits until something happens, no later than @until, and deals with it; false: nothing did. */
static bool turn(struct agent *a, struct pollset *ps, int64_t until)
{
	bool any = false;

	pollset_reset(ps);
	pollset_until(ps, until);

	int control = pollset_add(ps, a->control, POLLIN);
	int signals = pollset_add(ps, a->signals, POLLIN);

	sockets_fill(ps);
	for (struct command *c = a->commands; c; c = c->next) {
		struct pump *pumps[] = { &c->in, &c->out, &c->err };

		lazy_fill(c, ps);
		for (size_t i = 0; i < ARRAY_SIZE(pumps); i++) {
			pump_fill(pumps[i], ps);
			if (pumps[i]->draining && pumps[i]->from >= 0)
				pollset_until(ps, pumps[i]->drain_until);
		}
	}
	if (pollset_wait(ps) < 0)
		return true;
	for (size_t i = 0; i < ps->n; i++)
		any |= ps->fds[i].revents != 0;
	/* output before exit: what was written is read before the end is told */
	for (struct command *c = a->commands; c; c = c->next) {
		pump_dispatch(&c->in, ps);
		pump_dispatch(&c->out, ps);
		pump_dispatch(&c->err, ps);
		lazy_dispatch(c, ps);
	}
	sockets_dispatch(ps);
	if (pollset_revents(ps, signals))
		take_signals(a);
	finish_commands(a);
	if (a->count)
		a->oom_kills = count_oom_kills();
	a->count = false;
	if (pollset_revents(ps, control))
		read_control(a);
	return any;
}

static void __attribute__((noreturn)) serve(struct agent *a)
{
	struct pollset ps = POLLSET_INIT;
	int64_t end, quiet;

	while (!a->off)
		(void)turn(a, &ps, INT64_MAX);
	/* what was said before is on its way through others, as it is where machines take their time */
	end = clock_ms() + GRACE_MS;
	quiet = clock_ms() + QUIET_MS;
	while (clock_ms() < quiet && clock_ms() < end)
		if (turn(a, &ps, quiet))
			quiet = clock_ms() + QUIET_MS;
	shut_down(a);
}

static int open_signals(struct error *e)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;
	int fd;

	sigaction(SIGPIPE, &ignore, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	/* by which systemd(1) is asked for the machine's end: halt, poweroff, reboot, kexec */
	for (int i = 3; i <= 6; i++)
		sigaddset(&set, SIGRTMIN + i);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_sys(e, errno, "cannot watch children") : fd;
}

int main(void)
{
	struct agent a = { .control = -1, .user_net = -1, .signals = -1, .in = STRBUF_INIT };
	struct rlimit files = { 1 << 20, 1 << 20 };
	struct error e = ERROR_INIT;

	if (getpid() != 1) {
		fprintf(stderr, "agent: runs only as the first process of a cage\n");
		return 1;
	}
	umask(0);
	(void)mkdir("/proc", 0755);
	if (mount("proc", "/proc", "proc", 0, "") < 0) {
		err_sys(&e, errno, "cannot mount /proc");
		die(&e);
	}
	/* some for each command; these get what a distribution's own init gives */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	a.signals = open_signals(&e);
	if (a.signals < 0 || network_split(&a.user_net, &e) < 0)
		die(&e);
	a.control = network_connect(CHAN_CONTROL, 0, &e);
	if (a.control < 0)
		die(&e);
	serve(&a);
}
