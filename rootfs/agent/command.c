// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting a command as a user of the guest, with its stdio relayed. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Descriptors a process may have: what systemd, as a distribution's own init, allows. */
enum { FILES_SOFT = 1024, FILES_HARD = 1 << 20 };

/* What the child needs; made before vfork(). */
struct launch {
	struct strv argv, env;
	struct user user;
	char *cwd;
	bool tty, changes;
	int stdio[3];	/* the child's ends */
	int user_net;
	struct rlimit files;
	/* of the child, which writes it here: it shares memory until exec */
	volatile int errnum;		/* 0: none */
	volatile bool cwd_failed;	/* it was the working directory */
};

static void __attribute__((noreturn)) child_fail(struct launch *l, int errnum)
{
	l->errnum = errnum;
	_exit(127);
}

void command_fresh(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* the one that the agent ignores */
	(void)sigaction(SIGPIPE, &dfl, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
}

/*
 * After vfork(): nothing is copied, and the agent sleeps until exec; so nothing is changed here that
 * it has in memory.
 */
static void __attribute__((noreturn)) child(struct launch *l, char *const *argv, char *const *env)
{
	command_fresh();
	(void)setrlimit(RLIMIT_NOFILE, &l->files);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(l->stdio[fd], fd) < 0)
			child_fail(l, errno);
	if (l->tty)
		(void)ioctl(0, TIOCSCTTY, 0);
	if (setns(l->user_net, CLONE_NEWNET) < 0)
		child_fail(l, errno);
	root_enter();
	if (setgroups(l->user.ngroups, l->user.groups) < 0 || setgid(l->user.gid) < 0 ||
	    setuid(l->user.uid) < 0)
		child_fail(l, errno);
	umask(022);
	if ((l->changes ? fchdir(root_changes) : chdir(l->cwd)) < 0) {
		l->cwd_failed = true;
		child_fail(l, errno);
	}
	execvpe(argv[0], argv, env);
	child_fail(l, errno);
}

static void env_default(struct strv *env, const char *name, const char *value)
{
	if (!env_get(strv_argv(env), name))
		strv_addf(env, "%s=%s", name, value);
}

static int read_launch(struct launch *l, const struct proto_msg *m, struct error *e)
{
	cleanup_free char *user = proto_get_string(m, F_USER);
	struct proto_field f;

	for (size_t pos = 0; proto_next(m, &pos, &f);) {
		if (f.id == F_ARG)
			strv_take(&l->argv, xstrndup(f.data, f.len));
		else if (f.id == F_ENV)
			strv_take(&l->env, xstrndup(f.data, f.len));
	}
	if (!l->argv.n)
		return err_set(e, EINVAL, "no command");

	int ret = user_find(user ? user : "0", &l->user, e);

	if (ret < 0)
		return ret;
	sockets_for_user(&l->user);
	env_default(&l->env, "PATH", DEFAULT_PATH);
	env_default(&l->env, "HOME", *l->user.home ? l->user.home : "/");
	env_default(&l->env, "SHELL", l->user.shell);
	if (l->user.name) {
		env_default(&l->env, "USER", l->user.name);
		env_default(&l->env, "LOGNAME", l->user.name);
	}
	/* the agent's own environment decides where execvpe() looks */
	for (size_t i = 0; i < l->env.n; i++)
		if (str_starts(l->env.v[i], "PATH="))
			setenv("PATH", l->env.v[i] + 5, 1);
	l->tty = proto_get_number(m, F_TTY, 0) != 0;
	l->changes = proto_get_number(m, F_CHANGES, 0) != 0;
	l->cwd = proto_get_string(m, F_CWD);
	if (!l->cwd)
		l->cwd = xstrdup("/");
	return 0;
}

static void launch_release(struct launch *l)
{
	strv_release(&l->argv);
	strv_release(&l->env);
	user_release(&l->user);
	free_ptr(&l->cwd);
	for (int i = 0; i < 3; i++) {
		/* a terminal is one descriptor three times */
		int fd = l->stdio[i];

		for (int j = i; j < 3; j++)
			if (l->stdio[j] == fd)
				l->stdio[j] = -1;
		close_fd(&fd);
	}
}

/* A pipe to the command from a new stream of the supervisor. */
static int open_input(struct launch *l, struct command *c, struct error *e)
{
	cleanup_close int s = network_connect(CHAN_STDIN, c->id, e);
	int pipes[2];

	if (s < 0)
		return s;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	l->stdio[0] = pipes[0];
	pump_open(&c->in, steal_fd(&s), pipes[1], false);
	return 0;
}

/* A pipe from the command, to a stream once there is something for it. */
static int open_output(struct launch *l, struct command *c, enum proto_channel chan, struct error *e)
{
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	l->stdio[chan - CHAN_STDIN] = pipes[1];
	lazy_add(c, chan, pipes[0]);
	return 0;
}

int command_pty(int *slave, struct error *e)
{
	cleanup_close int pty = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	if (pty < 0 || grantpt(pty) < 0 || unlockpt(pty) < 0 ||
	    ptsname_r(pty, name, sizeof(name)) != 0)
		return err_sys(e, errno, "cannot open a terminal");
	*slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *slave < 0 ? err_sys(e, errno, "cannot open the terminal '%s'", name) : steal_fd(&pty);
}

/* Joins its terminal with streams of the supervisor. */
static int join_terminal(struct command *c, const struct proto_msg *m, struct error *e)
{
	cleanup_close int in = -1, out = -1;

	command_winsize(c, (unsigned int)proto_get_number(m, F_ROWS, 24),
			(unsigned int)proto_get_number(m, F_COLS, 80));
	out = network_connect(CHAN_STDOUT, c->id, e);
	if (out < 0)
		return out;
	pump_open(&c->out, fcntl(c->pty, F_DUPFD_CLOEXEC, 3), steal_fd(&out), true);
	c->streams = 1 << CHAN_STDOUT;
	if (proto_get_number(m, F_STDIN, 0)) {
		in = network_connect(CHAN_STDIN, c->id, e);
		if (in < 0)
			return in;
		pump_open(&c->in, steal_fd(&in), fcntl(c->pty, F_DUPFD_CLOEXEC, 3), false);
	}
	return 0;
}

static int open_terminal(struct launch *l, struct command *c, const struct proto_msg *m,
			 struct error *e)
{
	cleanup_close int slave = -1;
	int ret;

	c->pty = command_pty(&slave, e);
	if (c->pty < 0)
		return c->pty;
	(void)fchown(slave, l->user.uid, (gid_t)-1);
	ret = join_terminal(c, m, e);
	if (ret < 0)
		return ret;
	l->stdio[0] = l->stdio[1] = l->stdio[2] = steal_fd(&slave);
	return 0;
}

static int open_stdio(struct launch *l, struct command *c, const struct proto_msg *m,
		      struct error *e)
{
	int ret = 0;

	if (l->tty)
		return open_terminal(l, c, m, e);
	if (proto_get_number(m, F_STDIN, 0)) {
		ret = open_input(l, c, e);
	} else {
		l->stdio[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (l->stdio[0] < 0)
			ret = err_sys(e, errno, "cannot open '/dev/null' in the root");
	}
	if (ret == 0)
		ret = open_output(l, c, CHAN_STDOUT, e);
	if (ret == 0)
		ret = open_output(l, c, CHAN_STDERR, e);
	return ret;
}

static int explain(const struct launch *l, int *status, struct error *e)
{
	const char *name = l->argv.v[0];
	int errnum = l->errnum;
	struct stat st;

	if (l->cwd_failed)
		return err_sys(e, errnum, "cannot enter the working directory '%s'", l->cwd);
	if (errnum == ENOENT && strchr(name, '/') && stat(name, &st) == 0)
		return err_set(e, ENOENT, "cannot run '%s': its interpreter is missing in the root",
			       name);
	if (errnum == ENOENT) {
		*status = 127;
		return err_set(e, ENOENT, "cannot run '%s': command not found in the root", name);
	}
	if (strchr(name, '/') && stat(name, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "cannot run '%s': it is a directory", name);
	return err_sys(e, errnum, "cannot run '%s'", name);
}

static int spawn(struct launch *l, struct command *c, int *status, struct error *e)
{
	char *const *argv = strv_argv(&l->argv), *const *env = strv_argv(&l->env);
	pid_t pid;

	/* what it runs may look at once where this process is */
	root_leave();
	pid = vfork();
	if (pid == 0)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Vfork): all it writes is its own, or for us */
		child(l, argv, env);
	if (pid < 0)
		return err_sys(e, errno, "cannot fork in the cage");
	if (!l->errnum) {
		c->pid = pid;
		return 0;
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	root_enter();
	return explain(l, status, e);
}

static struct command *new_command(const struct proto_msg *m)
{
	struct command *c = xcalloc(1, sizeof(*c));

	c->pty = -1;
	c->id = (uint32_t)proto_get_number(m, F_EXEC, 0);
	c->in = c->out = c->err = (struct pump)PUMP_CLOSED;
	lazy_init(c);
	return c;
}

int command_console(struct command **out, const struct proto_msg *m, struct error *e)
{
	struct command *c = new_command(m);
	int ret;

	*out = NULL;
	c->console = true;
	ret = c->pty = init_console(e);
	if (ret >= 0)
		ret = join_terminal(c, m, e);
	if (ret < 0)
		command_free(c);
	else
		*out = c;
	return ret;
}

int command_start(struct command **out, const struct proto_msg *m, int user_net, int *status,
		  struct error *e)
{
	struct command *c = new_command(m);
	struct launch l = { .stdio = { -1, -1, -1 }, .user_net = user_net,
			    .files = { FILES_SOFT, FILES_HARD } };
	int ret;

	*out = NULL;
	*status = 126;
	ret = read_launch(&l, m, e);
	if (ret == 0)
		ret = open_stdio(&l, c, m, e);
	if (ret < 0)
		goto out_release;
	ret = spawn(&l, c, status, e);
	if (ret < 0)
		goto out_release;
	*out = c;
	c = NULL;
out_release:
	launch_release(&l);
	if (c)
		command_free(c);
	return ret;
}

void command_signal(struct command *c, int sig)
{
	pid_t group = 0;

	if (!c->pid && !c->console)
		return;
	if (c->pty >= 0 && ioctl(c->pty, TIOCGPGRP, &group) == 0 && group > 0 &&
	    kill(-group, sig) == 0)
		return;
	if (c->console)
		return;
	if (kill(-c->pid, sig) < 0)
		(void)kill(c->pid, sig);
}

void command_winsize(struct command *c, unsigned int rows, unsigned int cols)
{
	struct winsize ws = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };

	if (c->pty >= 0)
		(void)ioctl(c->pty, TIOCSWINSZ, &ws);
}

bool command_done(const struct command *c)
{
	return !c->pid && lazy_done(c) && pump_done(&c->out) && pump_done(&c->err);
}

void command_free(struct command *c)
{
	pump_close(&c->in);
	pump_close(&c->out);
	pump_close(&c->err);
	lazy_close(c);
	close_fd(&c->pty);
	free(c);
}
