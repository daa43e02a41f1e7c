// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a cage: launch and end.  See cage.h.
 */
#include "umlcage/cage/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"
#include "umlcage/cage/internal.h"
#include "umlcage/cage/jail.h"
#include "umlcage/cage/launch.h"
#include "umlcage/cage/stats.h"

enum { BOOT_TIMEOUT_MS = 60000, STOP_TIMEOUT_MS = 120000, PAUSE_TIMEOUT_MS = 2000 };
enum { TAIL_LINES = 8 };

const char *cage_console(const struct cage *c)
{
	return sb_str(&c->console.text);
}

int cage_parse_require(const char *arg, void *require, struct error *e)
{
	enum cage_require *r = require;

	if (!arg || strcmp(arg, "basic") == 0)
		*r = CAGE_REQUIRE_BASIC;
	else if (strcmp(arg, "full") == 0)
		*r = CAGE_REQUIRE_FULL;
	else
		return err_usage(e, "--require-jail: '%s' is neither basic nor full", arg);
	return 0;
}

/* ---- the kernel's end ---- */

static void write_stats(struct cage *c)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	if (c->stats < 0)
		return;
	stats_text(c->stats, c->stats_json, &text);
	(void)write_full(c->stats_out, sb_str(&text), text.len);
	close_fd(&c->stats);
}

bool cage_reap(struct cage *c, bool wait)
{
	if (c->pid == 0)
		return true;

	pid_t got;

	do
		got = waitpid(c->pid, &c->status, wait ? 0 : WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got != c->pid)
		return false;
	/* stub processes are adopted by us when their parent ends, and die with it */
	(void)kill(-c->pid, SIGKILL);
	while (waitpid(-c->pid, NULL, 0) > 0 || errno == EINTR)
		;
	c->pid = 0;
	console_read(&c->console);
	write_stats(c);
	return true;
}

int cage_explain(struct cage *c, struct error *e, const char *what)
{
	cleanup_free char *diagnosis = console_diagnose(cage_console(c));
	cleanup_free char *tail = console_tail(cage_console(c), TAIL_LINES);
	cleanup_free char *end = c->pid ? NULL : proc_status_text(c->status);
	cleanup_free char *met = cgroup_met(&c->groups, "");

	if (met)
		err_set(e, ENOMEM, "%s: %s; raise that, or give the cage less with --memory", what, met);
	else if (diagnosis)
		err_set(e, EIO, "%s: %s", what, diagnosis);
	else if (!end)
		err_set(e, EIO, "%s: its agent is gone", what);
	else if (WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGXFSZ)
		err_set(e, EFBIG, "%s: the guest's memory is a file larger than the limit of files "
			"(ulimit -f); raise that, or give the cage less with --memory", what);
	else if (!c->up)
		err_set(e, EIO, "%s: it ended (%s) before it was up; is it a UML kernel made for "
			"cages?", what, end);
	else if (WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0)
		err_set(e, EIO, "%s: it was powered off from inside", what);
	else
		err_set(e, EIO, "%s: its kernel ended (%s)", what, end);
	if (*tail && e) {
		cleanup_free char *text = xasprintf("%s\nthe last lines of its console:\n%s",
						    err_text(e), tail);

		err_set(e, EIO, "%s", text);
	}
	return -EIO;
}

/* ---- starting ---- */

static void send_setup(struct cage *c, const struct cage_config *cfg)
{
	static const char *const uppers[] = {
		[CAGE_UPPER_MEMORY] = "memory", [CAGE_UPPER_SHARE] = "share upper",
		[CAGE_UPPER_COW] = "none", [CAGE_UPPER_NONE] = "none",
	};
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, MSG_SETUP);
	proto_string(&m, F_HOSTNAME, cfg->hostname ? cfg->hostname : "cage");
	proto_number(&m, F_NAMED, cfg->hostname != NULL);
	proto_string(&m, F_ROOT, cfg->root.kind == CAGE_ROOT_SHARE ? "humfs root" : "/dev/ubda");
	if (cfg->root.fstype)
		proto_string(&m, F_FSTYPE, cfg->root.fstype);
	proto_string(&m, F_UPPER, uppers[cfg->root.upper]);
	proto_number(&m, F_NOSYNC, cfg->root.nosync);
	proto_number(&m, F_CHROOTED, cfg->root.chrooted);
	proto_number(&m, F_DISK, cfg->disk);
	proto_number(&m, F_CLOCK, (uint64_t)cfg->clock);
	if (cfg->owner)
		proto_string(&m, F_OWNER, cfg->owner);
	for (size_t i = 0; i < cfg->nmounts; i++) {
		const struct cage_mount *mt = &cfg->mounts[i];
		cleanup_strv struct strv options = STRV_INIT;

		if (mt->plain)
			strv_add(&options, "plain");
		if (mt->file)
			strv_add(&options, "file");
		if (mt->read_only)
			strv_add(&options, "ro");
		if (mt->nosync)
			strv_add(&options, "nosync");
		if (!options.n)
			strv_add(&options, "-");

		cleanup_free char *joined = strv_join(&options, ",");
		cleanup_free char *spec = xasprintf(LAUNCH_MOUNT_TAG " %s %s", i, joined, mt->where);

		proto_string(&m, F_MOUNT, spec);
	}
	for (size_t i = 0; i < cfg->nemulators; i++) {
		const struct cage_emulator *em = &cfg->emulators[i];
		cleanup_free char *spec = xasprintf(LAUNCH_EMULATOR_TAG " %s %s %s", i, em->name,
						    em->magic, em->mask);

		proto_string(&m, F_EMULATOR, spec);
	}
	sockets_announce(cfg, &m);
	proto_number(&m, F_NET, cfg->net != CAGE_NET_NONE);
	proto_number(&m, F_DNS, cfg->resolv_conf && cfg->net == CAGE_NET_NAT);
	proto_number(&m, F_IPV6, cfg->net == CAGE_NET_NAT && net_host_has_ipv6());
	proto_number(&m, F_BOOTED, cfg->booted);
	proto_number(&m, F_INIT, cfg->init);
	(void)control_send(&c->control, &m);
	proto_release(&m);
}

static int wait_ready(struct cage *c, const struct cage_config *cfg, struct error *e)
{
	uint64_t limit = cfg->boot_timeout ? cfg->boot_timeout : BOOT_TIMEOUT_MS;
	int64_t deadline = clock_ms() + (int64_t)limit;

	while (!c->up) {
		int ret = cage_turn(c, deadline, e);

		if (interrupted()) {
			if (e)
				err_release(e);
			return err_set(e, EINTR, "interrupted");
		}
		if (c->failed) {
			if (e)
				err_release(e);
			err_set(e, EIO, "cannot set up the cage: %s", c->failure ? c->failure : "?");
			/* it may be about disks, or not */
			(void)err_mark(e, ERR_OTHER);
			return -EIO;
		}
		if (ret < 0)
			return ret;
		if (!c->up && clock_ms() >= deadline) {
			cleanup_free char *tail = console_tail(cage_console(c), TAIL_LINES);

			return err_set(e, ETIMEDOUT, "the cage did not come up within %llu s; the "
				       "last lines of its console:\n%s",
				       (unsigned long long)limit / 1000, tail);
		}
	}
	return 0;
}

/*
 * UMLCAGE_CONSOLE: the consoles of all cages, appended to a file.  For kernels that look for
 * their own mistakes, whichever command starts them.
 */
static void copy_console(struct console *c, int fd)
{
	const char *path = getenv("UMLCAGE_CONSOLE");

	c->copy_fd = fd;
	if (fd >= 0 || !path || !*path)
		return;
	c->copy_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	c->own_copy = c->copy_fd >= 0;
}

int cage_launch(struct cage **out, const struct cage_config *cfg, struct error *e)
{
	struct cage *c = xcalloc(1, sizeof(*c));
	int ret;

	c->pidfd = c->console.fd = c->stats = -1;
	c->stats_out = cfg->stats_fd;
	c->stats_json = cfg->stats_json;
	if (cfg->nemulators == 1 && cfg->emulators[0].variable)
		c->variable = xstrdup(cfg->emulators[0].variable);
	c->warden = (struct warden)WARDEN_INIT;
	cgroup_read(&c->groups, "");
	copy_console(&c->console, cfg->console_fd);
	c->control = (struct control){ .listener = -1, .name_fd = -1, .fd = -1 };
	c->progress = cfg->progress;
	c->lifetime = cfg->lifetime;
	c->ends_ms = cfg->lifetime ? clock_ms() + (int64_t)cfg->lifetime : INT64_MAX;
	c->what = xasprintf("cannot boot the kernel '%s'", cfg->kernel);
	c->persistent = cfg->root.upper == CAGE_UPPER_NONE || cfg->root.upper_fd >= 0;
	for (size_t i = 0; i < cfg->nmounts; i++)
		c->persistent |= !cfg->mounts[i].read_only;
	sockets_init(c, cfg);
	place_init(&c->place, cfg->cpus);
	/* what the kernel leaves behind comes to us, not to init */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	ret = start_kernel(c, cfg, e);
	if (ret < 0) {
		cage_free(c);
		return ret;
	}
	*out = c;
	return 0;
}

int cage_ready(struct cage *c, const struct cage_config *cfg, struct error *e)
{
	/* the agent waits for it before it mounts anything */
	send_setup(c, cfg);
	return wait_ready(c, cfg, e);
}

int cage_start(struct cage **out, const struct cage_config *cfg, struct error *e)
{
	struct cage *c = NULL;
	int ret;

	/* a kernel that still boots has children that its death would leave behind */
	interrupt_begin();
	ret = cage_launch(&c, cfg, e);
	if (ret == 0)
		ret = cage_ready(c, cfg, e);
	if (ret < 0)
		cage_free(c);
	else
		*out = c;
	interrupt_end();
	return ret;
}

/* ---- ending ---- */

/* Until the agent has written everything back. */
static int wait_stopped(struct cage *c, struct error *e)
{
	int64_t deadline = clock_ms() + STOP_TIMEOUT_MS;

	while (!c->stopped) {
		/* its last words may come with its end */
		int ret = cage_turn(c, deadline, NULL);

		if (c->stopped)
			break;
		if (ret < 0)
			return cage_explain(c, e, "the cage died while it was stopped");
		if (clock_ms() >= deadline)
			return err_set(e, ETIMEDOUT, "the cage did not stop within %d s",
				       STOP_TIMEOUT_MS / 1000);
	}
	return c->failure ? err_set(e, EIO, "the cage could not write everything back: %s",
				    c->failure) : 0;
}

int cage_stop(struct cage *c, struct error *e)
{
	int ret = 0;

	if (c->persistent && c->pid) {
		struct proto_msg m = PROTO_MSG_INIT;

		proto_begin(&m, MSG_SHUTDOWN);
		(void)control_send(&c->control, &m);
		proto_release(&m);
		c->stopping = true;
		ret = wait_stopped(c, e);
	}
	/* everything is on its way to the disk: power-off has nothing left to do */
	if (c->pid)
		(void)kill(-c->pid, SIGKILL);
	(void)cage_reap(c, true);
	return ret;
}

void cage_free(struct cage *c)
{
	if (!c)
		return;
	if (c->pid) {
		(void)kill(-c->pid, SIGKILL);
		(void)kill(c->pid, SIGKILL);
		(void)cage_reap(c, true);
	}
	warden_release(&c->warden);
	net_close(c->net);
	sockets_release(c);
	control_close(&c->control);
	console_release(&c->console);
	close_fd(&c->stats);
	close_fd(&c->pidfd);
	loop_release(c);
	cgroup_release(&c->groups);
	free(c->failure);
	free(c->variable);
	free(c->what);
	free(c);
}

int cage_publish(struct cage *c, const struct cage_forward *f, struct error *e)
{
	return net_publish(c->net, f->udp, (const void *)&f->host, f->guest_port, e);
}

int cage_unpublish(struct cage *c, const struct cage_forward *f, struct error *e)
{
	return net_unpublish(c->net, f->udp, (const void *)&f->host, e);
}

int cage_pause(struct cage *c, bool pause, struct error *e)
{
	const int64_t until = clock_ms() + PAUSE_TIMEOUT_MS;

	if (!c->pid || kill(-c->pid, pause ? SIGSTOP : SIGCONT) < 0)
		return err_sys(e, c->pid ? errno : ESRCH, "cannot %s the cage", pause ? "pause" : "resume");
	while (pause && !place_stopped(c->pid) && clock_ms() < until) {
		(void)usleep(500);
		/* what its kernel traces may have been let go by it before it stopped */
		(void)kill(-c->pid, SIGSTOP);
	}
	return 0;
}

void cage_sync(struct cage *c)
{
	struct proto_msg m = PROTO_MSG_INIT;

	c->synced = false;
	proto_begin(&m, MSG_SYNC);
	(void)control_send(&c->control, &m);
	proto_release(&m);
}

bool cage_synced(const struct cage *c)
{
	return c->synced;
}

char *cage_command_text(const struct cage_config *cfg)
{
	struct launch_fds fds = { .console = 1, .control = 0, .initramfs = 0, .root = 0,
				  .net = cfg->net == CAGE_NET_NONE ? -1 : 0,
				  .upper = cfg->root.upper == CAGE_UPPER_SHARE ||
					   cfg->root.upper == CAGE_UPPER_COW ? 0 : -1,
				  .limit = jail_descriptors() };
	struct strbuf out = STRBUF_INIT;
	struct launch l;
	struct place place;

	place_init(&place, cfg->cpus);
	fds.cpus = place_list(&place);
	launch_plan(&l, cfg, &fds);
	sb_addf(&out, "env -i %s", cfg->kernel);
	for (size_t i = 1; i < l.argv.n; i++)
		sb_addf(&out, " %s", l.argv.v[i]);
	launch_release(&l);
	free(fds.cpus);
	return sb_steal(&out);
}
