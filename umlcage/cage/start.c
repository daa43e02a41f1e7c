// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting the kernel of a cage: what it is handed over, its walls, its process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/xdg.h"
#include "umlcage/cage/cow.h"
#include "umlcage/cage/initramfs.h"
#include "umlcage/cage/internal.h"
#include "umlcage/cage/jail.h"
#include "umlcage/cage/launch.h"
#include "umlcage/cage/namespaces.h"
#include "umlcage/cage/stats.h"
#include "umlcage/cage/syscalls.h"

enum { LINK_BUFFER = 4 << 20 };

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
		.max_abi = JAIL_ANY_ABI, .place = place,
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
		/* once, and not of walls that were tried in vain */
		for (size_t i = 0; i < s->jail.nlacks; i++)
			progress_warn(s->cfg->progress, "%s", s->jail.lacks[i]);
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
		return err_set(e, ENOSYS, "the cage's kernel cannot be confined in full, with "
			       "namespaces of its own, and --require-jail=full was given: %s",
			       ret == 0 ? "this is root" : cfg->no_namespaces ?
			       "they were not wanted" : err_text(&why));
	jail_release(&s->jail);
	if (!cfg->no_namespaces)
		progress_detail(cfg->progress, "no namespaces for the cage's kernel: %s", err_text(&why));
	return start_without_namespaces(c, s, e);
}

static int start_process(struct cage *c, struct start *s, struct error *e)
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

int start_kernel(struct cage *c, const struct cage_config *cfg, struct error *e)
{
	struct start s = { .cfg = cfg, .kernel = -1, .launch = { .argv = STRV_INIT },
			   .fds = { .console = -1, .control = -1, .net = -1, .initramfs = -1,
				    .root = cfg->root.fd, .upper = cfg->root.upper_fd },
			   .jail = JAIL_INIT };
	int ret = 0;

	s.fds.cpus = place_list(&c->place);
	if (!s.fds.cpus && peers_number() > 1)
		progress_detail(cfg->progress, "the cage keeps to one processor, as one of %u side by side",
				peers_number());
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
		ret = start_process(c, &s, e);
	start_release(&s);
	return ret;
}
