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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/xdg.h"
#include "umlcage/cage/cow.h"
#include "umlcage/cage/initramfs.h"
#include "umlcage/cage/internal.h"
#include "umlcage/cage/jail.h"
#include "umlcage/cage/launch.h"
#include "umlcage/cage/namespaces.h"
#include "umlcage/cage/syscalls.h"
#include "umlcage/cage/stats.h"

enum { BOOT_TIMEOUT_MS = 60000, STOP_TIMEOUT_MS = 120000, PAUSE_TIMEOUT_MS = 2000 };
enum { LINK_BUFFER = 4 << 20, TAIL_LINES = 8 };

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

static int link_pair(int pair[2], struct error *e)
{
	int size = LINK_BUFFER;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot make a network link");
	for (int i = 0; i < 2; i++)
		(void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

struct start {
	const struct cage_config *cfg;
	struct launch_fds fds;	/* all ours but root and a given upper */
	bool own_upper;
	int kernel;
	struct launch launch;
	struct jail jail;
};

static void start_release(struct start *s)
{
	close_fd(&s->fds.console);
	close_fd(&s->fds.control);
	close_fd(&s->fds.net);
	close_fd(&s->fds.initramfs);
	if (s->own_upper)
		close_fd(&s->fds.upper);
	close_fd(&s->kernel);
	free(s->fds.cpus);
	launch_release(&s->launch);
	jail_release(&s->jail);
}

static int open_networks(struct cage *c, struct start *s, struct error *e)
{
	const struct cage_config *cfg = s->cfg;
	struct net_user_config user = { .restricted = cfg->net == CAGE_NET_RESTRICTED,
					.reach_host = cfg->reach_host, .policy = cfg->net_policy };
	char path[108];
	int pair[2];
	int ret = control_open(&c->control, path, e);

	if (ret < 0)
		return ret;
	ret = link_pair(pair, e);
	if (ret < 0)
		return ret;
	s->fds.control = pair[1];
	ret = net_open(&c->net, pair[0], path, c->control.name_fd, e);
	if (ret < 0)
		return ret;
	if (cfg->net == CAGE_NET_NONE)
		return net_start(c->net, e);
	ret = link_pair(pair, e);
	if (ret < 0)
		return ret;
	s->fds.net = pair[1];
	ret = net_open_user(c->net, pair[0], &user, e);
	if (ret == 0)
		ret = net_start(c->net, e);
	for (size_t i = 0; ret == 0 && i < cfg->nforwards; i++) {
		const struct cage_forward *f = &cfg->forwards[i];

		ret = net_publish(c->net, f->udp, (const void *)&f->host, f->guest_port, e);
	}
	return ret;
}

/* A COW file of the image that nobody ever sees. */
static int open_scratch_cow(struct start *s, struct error *e)
{
	cleanup_free char *dir = NULL;
	cleanup_close int fd = -1;
	int ret = xdg_dir(XDG_CACHE, "", &dir, e);

	if (ret < 0)
		return ret;
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, errno, "cannot make a copy-on-write file in '%s'", dir);

	/* as the kernel is told it: /proc/self/fd/N is the same file for whoever has it open */
	cleanup_free char *path = s->cfg->root.image_path ? realpath(s->cfg->root.image_path, NULL) :
							    NULL;

	ret = cow_create(fd, s->fds.root, path ? path : "/proc/self/fd/0", e);
	if (ret < 0)
		return ret;
	s->fds.upper = steal_fd(&fd);
	s->own_upper = true;
	return 0;
}

/* Which wall to try. */
enum wall { WALL_FULL, WALL_WARDEN, WALL_BARE };

static int prepare_jail(struct start *s, struct place *place, enum wall wall, struct error *e)
{
	const struct cage_config *cfg = s->cfg;
	size_t n = 0;
	cleanup_free struct jail_path *paths = xcalloc(4 + cfg->nmounts + cfg->nemulators,
						       sizeof(*paths));
	bool share = cfg->root.kind == CAGE_ROOT_SHARE;
	bool written = share ? cfg->root.upper == CAGE_UPPER_NONE : s->fds.upper < 0;

	paths[n++] = (struct jail_path){ .fd = s->kernel, .executable = true };
	paths[n++] = (struct jail_path){ .fd = s->fds.initramfs };
	paths[n++] = (struct jail_path){ .fd = s->fds.root, .directory = share, .writable = written };
	if (s->fds.upper >= 0)
		paths[n++] = (struct jail_path){ .fd = s->fds.upper, .directory = share,
						 .writable = true };
	for (size_t i = 0; i < cfg->nmounts; i++) {
		const struct cage_mount *m = &cfg->mounts[i];

		paths[n++] = (struct jail_path){ .fd = m->fd, .directory = !m->file, .plain = m->plain,
						 .writable = !m->read_only };
	}
	for (size_t i = 0; i < cfg->nemulators; i++)
		paths[n++] = (struct jail_path){ .fd = cfg->emulators[i].fd, .plain = true };

	/* kept for the next address spaces, and those beside them of the kernel's own */
	enum { OWN_PROCESSES = 96 };

	struct jail_config jail = {
		.paths = paths, .npaths = n, .require = (enum jail_require)cfg->require_jail,
		.no_namespaces = wall != WALL_FULL, .no_warden = wall == WALL_BARE,
		.max_abi = JAIL_ANY_ABI, .place = place, .progress = cfg->progress,
		.processes = cfg->pids ? cfg->pids + OWN_PROCESSES : 0,
		.file_size = cfg->disk ? limits_file_size(cfg) : 0,
	};

	return jail_prepare(&s->jail, &jail, e);
}

static int start_confined(struct cage *c, struct start *s, enum wall wall, struct error *e)
{
	/*
	 * Nothing, at an address: the highest one among these is what the kernel takes for the
	 * end of its address space, see get_top_address() in arch/um.  Without, that may be
	 * amid the stack of each process it starts.
	 */
	static char *const no_env[] = { "", NULL };
	int ret = prepare_jail(s, &c->place, wall, e);

	if (ret < 0)
		return ret;

	struct proc_opts opts = {
		.argv = strv_argv(&s->launch.argv), .env = no_env, .exec_fd = s->kernel, .cwd = "/",
		.fds = s->launch.fds, .nfds = s->launch.nfds, .own_session = true,
		.before_exec = jail_enter, .before_exec_arg = &s->jail,
	};

	if (s->jail.ns.flags) {
		opts.namespaces = s->jail.ns.flags;
		opts.enter_namespaces = namespaces_enter;
		opts.enter_namespaces_arg = &s->jail.ns;
	}
	ret = proc_start(&opts, &c->pid, &c->pidfd, e);
	if (ret == 0 && s->jail.warden.pid)
		ret = warden_check(c->pid, e);
	if (ret == 0) {
		c->warden = s->jail.warden;
		s->jail.warden = (struct warden)WARDEN_INIT;
	} else if (c->pid) {
		(void)kill(c->pid, SIGKILL);
		(void)cage_reap(c, true);
		close_fd(&c->pidfd);
	}
	return ret;
}

/* The first wall: with somebody who answers what a filter cannot judge, or without. */
static int start_without_namespaces(struct cage *c, struct start *s, struct error *e)
{
	const struct cage_config *cfg = s->cfg;
	cleanup_error struct error why = ERROR_INIT;
	int ret = start_confined(c, s, WALL_WARDEN, &why);

	if (ret == 0)
		return 0;
	if (cfg->require_jail != CAGE_REQUIRE_NOTHING)
		return err_move(e, &why);
	jail_release(&s->jail);
	progress_warn(cfg->progress, "the cage's kernel could see names, sizes and times of your files, "
		      "and change the times of links: %s", err_text(&why));
	return start_confined(c, s, WALL_BARE, e);
}

/* With namespaces if the host lets us have them. */
static int start_in_jail(struct cage *c, struct start *s, struct error *e)
{
	const struct cage_config *cfg = s->cfg;
	cleanup_error struct error why = ERROR_INIT;
	int ret = cfg->no_namespaces ? -ENOSYS : start_confined(c, s, WALL_FULL, &why);

	c->full_wall = ret == 0 && s->jail.ns.flags;
	if (ret == 0 && (c->full_wall || cfg->require_jail != CAGE_REQUIRE_FULL))
		return 0;
	if (cfg->require_jail == CAGE_REQUIRE_FULL)
		return err_set(e, ENOSYS, "the cage's kernel cannot have namespaces of its own, and "
			       "--require-jail=full was given: %s", ret == 0 ? "this is root" :
			       cfg->no_namespaces ? "they were not wanted" : err_text(&why));
	jail_release(&s->jail);
	if (!cfg->no_namespaces)
		progress_detail(cfg->progress, "no namespaces for the cage's kernel: %s", err_text(&why));
	return start_without_namespaces(c, s, e);
}

static int start_kernel(struct cage *c, struct start *s, struct error *e)
{
	int pipes[2];
	int ret;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	c->console.fd = pipes[0];
	s->fds.console = pipes[1];
	(void)fd_set_nonblock(c->console.fd, true);
	(void)fcntl(c->console.fd, F_SETPIPE_SZ, 1 << 18);
	s->fds.initramfs = memfd_with("initramfs", initramfs_data(), initramfs_size(), e);
	if (s->fds.initramfs < 0)
		return s->fds.initramfs;
	if (c->stats_out >= 0) {
		c->stats = s->fds.stats = stats_open(e);
		if (c->stats < 0)
			return c->stats;
	}
	s->fds.limit = jail_descriptors();
	launch_plan(&s->launch, s->cfg, &s->fds);
	ret = start_in_jail(c, s, e);
	if (ret < 0)
		return err_wrap(e, "cannot start the kernel '%s'", s->cfg->kernel);
	c->place.pid = c->pid;
	return 0;
}

static void send_setup(struct cage *c, const struct cage_config *cfg)
{
	static const char *const uppers[] = {
		[CAGE_UPPER_MEMORY] = "memory", [CAGE_UPPER_SHARE] = "share upper",
		[CAGE_UPPER_COW] = "none", [CAGE_UPPER_NONE] = "none",
	};
	struct proto_msg m = PROTO_MSG_INIT;

	proto_begin(&m, MSG_SETUP);
	proto_string(&m, F_HOSTNAME, cfg->hostname ? cfg->hostname : "cage");
	proto_string(&m, F_ROOT, cfg->root.kind == CAGE_ROOT_SHARE ? "humfs root" : "/dev/ubda");
	if (cfg->root.fstype)
		proto_string(&m, F_FSTYPE, cfg->root.fstype);
	proto_string(&m, F_UPPER, uppers[cfg->root.upper]);
	proto_number(&m, F_NOSYNC, cfg->root.nosync);
	proto_number(&m, F_CHROOTED, cfg->root.chrooted);
	proto_number(&m, F_DISK, cfg->disk);
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
	struct start s = { .cfg = cfg, .kernel = -1, .launch = { .argv = STRV_INIT },
			   .fds = { .console = -1, .control = -1, .net = -1, .initramfs = -1,
				    .root = cfg->root.fd, .upper = cfg->root.upper_fd },
			   .jail = JAIL_INIT };
	int ret = 0;

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
	place_init(&c->place, cfg->cpus);
	s.fds.cpus = place_list(&c->place);
	/* what the kernel leaves behind comes to us, not to init */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	s.kernel = open(cfg->kernel, O_RDONLY | O_CLOEXEC);
	if (s.kernel < 0)
		ret = err_sys(e, errno, "cannot open the kernel '%s'", cfg->kernel);
	if (ret == 0)
		ret = limits_check(cfg, e);
	if (ret == 0 && !cfg->ptrace_mode && !syscalls_can_filter())
		ret = err_set(e, ENOSYS, "this host cannot filter system calls (seccomp), which the "
			      "processes of a cage are run with; --ptrace runs them without");
	if (ret == 0)
		ret = open_networks(c, &s, e);
	if (ret == 0 && cfg->root.upper == CAGE_UPPER_COW && cfg->root.upper_fd < 0)
		ret = open_scratch_cow(&s, e);
	if (ret == 0)
		ret = start_kernel(c, &s, e);
	start_release(&s);
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
	int ret = cage_launch(&c, cfg, e);

	if (ret == 0)
		ret = cage_ready(c, cfg, e);
	if (ret < 0)
		cage_free(c);
	else
		*out = c;
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
	while (pause && !place_stopped(c->pid) && clock_ms() < until)
		(void)usleep(500);
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
