// SPDX-License-Identifier: GPL-2.0-or-later
/* Subprocesses: see proc.h. */
#include "umlcage/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/progress.h"

enum { PROC_MAX_FDS = 256, CAPTURE_MAX_EXTRA = 16 };

/* What a child that could not exec tells its parent through the pipe. */
struct failure {
	int errnum;
	char what[120];
};

static void __attribute__((noreturn)) child_fail(int pipe_fd, int errnum, const char *what)
{
	struct failure f = { .errnum = errnum };

	strncpy(f.what, what, sizeof(f.what) - 1);
	(void)write_full(pipe_fd, &f, sizeof(f));
	_exit(127);
}

static int highest_target(const struct proc_opts *o)
{
	int top = 2;

	for (size_t i = 0; i < o->nfds; i++)
		if (o->fds[i].theirs > top)
			top = o->fds[i].theirs;
	return top;
}

/* Moves the wanted descriptors into place; everything else is close-on-exec. */
static int place_fds(const struct proc_opts *o, int *pipe_fd, int *exec_fd)
{
	int above = highest_target(o) + 1;
	int moved[PROC_MAX_FDS];
	bool have[3] = { false, false, false };

	if (o->nfds > PROC_MAX_FDS)
		return -E2BIG;
	*pipe_fd = fcntl(*pipe_fd, F_DUPFD_CLOEXEC, above);
	if (*pipe_fd < 0)
		return -errno;
	if (*exec_fd > 0) {
		*exec_fd = fcntl(*exec_fd, F_DUPFD_CLOEXEC, above);
		if (*exec_fd < 0)
			return -errno;
	}
	for (size_t i = 0; i < o->nfds; i++) {
		moved[i] = fcntl(o->fds[i].ours, F_DUPFD_CLOEXEC, above);
		if (moved[i] < 0)
			return -errno;
	}
	/* whatever the parent left open without close-on-exec */
	(void)syscall(SYS_close_range, 0, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
	for (size_t i = 0; i < o->nfds; i++) {
		if (dup2(moved[i], o->fds[i].theirs) < 0)
			return -errno;
		if (o->fds[i].theirs <= 2)
			have[o->fds[i].theirs] = true;
	}
	for (int fd = 0; fd <= 2; fd++) {
		int null;

		if (have[fd])
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null < 0)
			return -errno;
		if (null == fd)
			(void)fcntl(fd, F_SETFD, 0);
		else if (dup2(null, fd) < 0)
			return -errno;
	}
	return 0;
}

/*
 * With autogroups (sched(7)) the host divides its CPUs among sessions, and nice values count
 * within one.  The session takes over this process's, so that it counts as before.
 */
static void enter_own_session(void)
{
	enum { TRIES = 8, AGAIN_US = 25000 };	/* ten a second are allowed, by all users together */
	char text[16];
	int nice = getpriority(PRIO_PROCESS, 0);

	if (setsid() < 0 || nice == 0)
		return;

	cleanup_close int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;

	int len = snprintf(text, sizeof(text), "%d", nice);

	for (int i = 0; write(fd, text, (size_t)len) < 0 && errno == EAGAIN && i < TRIES; i++)
		usleep(AGAIN_US);
}

/* Whoever reads from the other end of @pipe_fd is gone. */
static bool reader_is_gone(int pipe_fd)
{
	struct pollfd pfd = { .fd = pipe_fd };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & POLLERR);
}

/*
 * Not fork(), which cannot do this.  The child calls nothing that would mind: no library
 * function that keeps state for fork() to renew.
 */
static pid_t fork_into(unsigned long namespaces)
{
	return namespaces ? (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, 0) :
			    fork();
}

static void __attribute__((noreturn)) child(const struct proc_opts *o, pid_t parent, int pipe_fd)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int exec_fd = o->exec_fd;
	sigset_t none;
	int ret;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (o->own_session)
		enter_own_session();
	else if (o->own_group)
		(void)setpgid(0, 0);
	if (o->enter_namespaces) {
		const char *what = "enter its namespaces";

		ret = o->enter_namespaces(o->enter_namespaces_arg, &what);
		if (ret < 0)
			child_fail(pipe_fd, -ret, what);
	}
	ret = place_fds(o, &pipe_fd, &exec_fd);
	if (ret < 0)
		child_fail(pipe_fd, -ret, "place descriptors");
	if (o->cwd && chdir(o->cwd) < 0)
		child_fail(pipe_fd, errno, "enter the working directory");
	if (o->before_exec) {
		const char *what = "prepare the process";

		ret = o->before_exec(o->before_exec_arg, &what);
		if (ret < 0)
			child_fail(pipe_fd, -ret, what);
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		child_fail(pipe_fd, errno, "tie its life to ours");
	/* from within another PID namespace there is no parent to see */
	if (o->namespaces & CLONE_NEWPID ? reader_is_gone(pipe_fd) : getppid() != parent)
		_exit(127);
	if (exec_fd > 0)
		fexecve(exec_fd, o->argv, o->env ? o->env : environ);
	else
		execvpe(o->argv[0], o->argv, o->env ? o->env : environ);
	child_fail(pipe_fd, errno, "execute");
}

int proc_start(const struct proc_opts *o, pid_t *pid, int *pidfd, struct error *e)
{
	int pipes[2];
	pid_t parent = getpid();

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot run '%s': pipe", o->argv[0]);

	pid_t p = fork_into(o->namespaces);

	if (p < 0) {
		int errnum = errno;

		close(pipes[0]);
		close(pipes[1]);
		return err_sys(e, errnum, "cannot run '%s': %s", o->argv[0],
			       o->namespaces ? "have namespaces of its own" : "fork");
	}
	if (p == 0) {
		close(pipes[0]);
		child(o, parent, pipes[1]);
	}
	close(pipes[1]);

	struct failure f;
	ssize_t got = read_full(pipes[0], &f, sizeof(f));

	close(pipes[0]);
	if (got == (ssize_t)sizeof(f)) {
		int status;

		f.what[sizeof(f.what) - 1] = '\0';
		(void)proc_wait(p, &status, NULL);
		if (strcmp(f.what, "execute") == 0)
			return err_sys(e, f.errnum, "cannot run '%s'", o->argv[0]);
		return err_sys(e, f.errnum, "cannot run '%s': %s", o->argv[0], f.what);
	}
	if (pidfd) {
		*pidfd = (int)syscall(SYS_pidfd_open, p, 0);
		if (*pidfd < 0) {
			int errnum = errno, status;

			kill(p, SIGKILL);
			(void)proc_wait(p, &status, NULL);
			return err_sys(e, errnum, "cannot watch '%s'", o->argv[0]);
		}
	}
	*pid = p;
	return 0;
}

int proc_wait(pid_t pid, int *status, struct error *e)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot wait for process %d", (int)pid);
	return 0;
}

/* Has it ended by @end?  0; -ETIMEDOUT; -EINTR after a signal that was not there before. */
static int wait_until(int pidfd, int64_t end)
{
	enum { LOOK_MS = 250 };		/* a signal may come just before poll() */
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	const int before = interrupted();

	for (;;) {
		int64_t left = end - clock_ms();
		int n;

		if (interrupted() != before)
			return -EINTR;
		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&pfd, 1, left < LOOK_MS ? (int)left : LOOK_MS);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

int proc_wait_group(pid_t pid, int pidfd, uint64_t timeout, int *status, struct error *e)
{
	int why = wait_until(pidfd, timeout ? clock_ms() + (int64_t)timeout : INT64_MAX), ret;

	if (why < 0)
		(void)kill(-pid, SIGKILL);
	ret = proc_wait(pid, status, e);
	if (ret < 0 || why == 0)
		return ret;
	if (why == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, "it took longer than %g s", (double)timeout / 1000);
	return why == -EINTR ? err_set(e, EINTR, "interrupted") : err_sys(e, -why, "cannot wait for it");
}

unsigned int proc_cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

	return n < 1 ? 1 : (unsigned int)n;
}

char *proc_status_text(int status)
{
	if (WIFSIGNALED(status))
		return xasprintf("killed by signal %d (%s)", WTERMSIG(status),
				 strsignal(WTERMSIG(status)));
	return xasprintf("exit status %d", WEXITSTATUS(status));
}

static void keep_newest(struct strbuf *sb, size_t max)
{
	if (sb->len > max) {
		memmove(sb->s, sb->s + sb->len - max, max + 1);
		sb->len = max;
	}
}

int proc_capture(char *const *argv, size_t max, struct strbuf *out, struct strbuf *err,
		 int *status, struct error *e)
{
	return proc_capture_fds(argv, NULL, 0, max, out, err, status, e);
}

int proc_capture_fds(char *const *argv, const struct proc_fd *extra, size_t nextra, size_t max,
		     struct strbuf *out, struct strbuf *err, int *status, struct error *e)
{
	struct strbuf *into[2] = { out, err };
	int pipes[2][2] = { { -1, -1 }, { -1, -1 } };
	size_t n = err ? 2 : 1;
	pid_t pid;
	int ret = 0;

	if (nextra > CAPTURE_MAX_EXTRA)
		return err_set(e, E2BIG, "cannot run '%s': too many descriptors", argv[0]);
	for (size_t i = 0; i < n; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			ret = err_sys(e, errno, "cannot run '%s': pipe", argv[0]);

	struct proc_fd fds[2 + CAPTURE_MAX_EXTRA] = { { pipes[0][1], 1 },
						      { pipes[err ? 1 : 0][1], 2 } };
	struct proc_opts opts = { .argv = argv, .fds = fds, .nfds = 2 + nextra };

	if (nextra)
		memcpy(fds + 2, extra, nextra * sizeof(*extra));

	if (ret == 0)
		ret = proc_start(&opts, &pid, NULL, e);
	for (size_t i = 0; i < n; i++)
		close_fd(&pipes[i][1]);
	for (size_t open = ret == 0 ? n : 0; open;) {
		struct pollfd pfd[2] = { { pipes[0][0], POLLIN, 0 }, { pipes[1][0], POLLIN, 0 } };

		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < n; i++) {
			struct strbuf sink = STRBUF_INIT, *to = into[i] ? into[i] : &sink;

			if (pipes[i][0] < 0 || !pfd[i].revents)
				continue;

			ssize_t got = read(pipes[i][0], sb_reserve(to, 65536), 65536);

			if (got > 0) {
				to->len += (size_t)got;
				to->s[to->len] = '\0';
				keep_newest(to, max);
			} else if (got == 0 || errno != EINTR) {
				close_fd(&pipes[i][0]);
				open--;
			}
			sb_release(&sink);
		}
	}
	for (size_t i = 0; i < n; i++)
		close_fd(&pipes[i][0]);
	return ret < 0 ? ret : proc_wait(pid, status, e);
}
