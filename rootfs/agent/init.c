// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root's own init, as the first process of a namespace of processes that everything else in
 * the cage is in, too: for it and for all commands it is PID 1, while the agent stays outside,
 * where nothing that init does reaches it.  See pid_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"

#define INIT "/sbin/init"
enum { INIT_STOP_MS = 60000 };	/* units have their own limits; a supervisor waits for two minutes */

/*
 * /dev/console is a terminal of its own, as in other containers: what is said there is for who
 * looks at it, and can be answered.  The kernel's keeps what the kernel says.
 */
static int console = -1, console_slave = -1;

static int make_console(struct error *e)
{
	char path[64];

	console = command_pty(&console_slave, e);
	if (console < 0)
		return console;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", console_slave);
	return mount(path, "/dev/console", NULL, MS_BIND, NULL) < 0 ?
	       err_sys(e, errno, "cannot make a console of its own") : 0;
}

int init_console(struct error *e)
{
	int fd = console < 0 ? -1 : fcntl(console, F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? err_set(e, ENOENT, "there is no init that has a console") : fd;
}

/* On the way down nobody else takes it. */
static void drain_console(void)
{
	char buf[4096];
	ssize_t n;

	if (console < 0 || fd_set_nonblock(console, true) < 0)
		return;
	while ((n = read(console, buf, sizeof(buf))) > 0)
		(void)write_full(STDERR_FILENO, buf, (size_t)n);
}

/* In the new namespace: what an init is given.  *@fd takes the errno of what failed. */
static void __attribute__((noreturn)) become_init(int user_net, int fd)
{
	/*
	 * "container": that devices are not its to look for, and the clock not its to set; its own
	 * messages are for a log, too.
	 */
	static char *const env[] = {
		(char *)"container=umlcage", (char *)"TERM=vt220", (char *)"SYSTEMD_COLORS=0",
		(char *)"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL,
	};
	static char *const argv[] = { (char *)INIT, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), why;

	command_fresh();
	if (null >= 0)
		(void)dup2(null, 0);
	for (int i = 1; i < 3; i++)
		(void)dup2(console_slave, i);
	umask(022);
	/* no modules can be loaded in a cage: without the capability nobody tries */
	(void)prctl(PR_CAPBSET_DROP, CAP_SYS_MODULE, 0, 0, 0);
	/* what /proc shows is of the namespace of who mounted it */
	if (setns(user_net, CLONE_NEWNET) == 0 && umount2("/proc", MNT_DETACH) == 0 &&
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "") == 0 && chdir("/") == 0)
		execve(INIT, argv, env);
	why = errno;
	(void)write_full(fd, &why, sizeof(why));
	_exit(127);
}

int init_start(int user_net, pid_t *pid, struct error *e)
{
	int report[2], why = 0;

	if (access(INIT, X_OK) < 0)
		return err_set(e, errno, "the root has no '" INIT "'; install one in it: systemd-sysv");
	if (make_console(e) < 0)
		return -e->errnum;
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	/* from now on every child is in it, the first as its PID 1 */
	if (unshare(CLONE_NEWPID) < 0)
		return err_sys(e, errno, "cannot start '" INIT "': this kernel has no namespaces of "
			       "processes; take --kernel=full");
	*pid = fork();
	if (*pid == 0)
		become_init(user_net, report[1]);
	close(report[1]);
	if (*pid < 0 || read_full(report[0], &why, sizeof(why)) == (ssize_t)sizeof(why)) {
		close(report[0]);
		return err_sys(e, *pid < 0 ? errno : why, "cannot start '" INIT "'");
	}
	close(report[0]);
	return 0;
}

/* Is it systemd?  Others end as all processes do. */
static bool is_systemd(void)
{
	char target[PATH_MAX];
	ssize_t n = readlink(INIT, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strstr(target, "systemd") != NULL;
}

void init_stop(pid_t pid)
{
	int64_t until = clock_ms() + INIT_STOP_MS;
	pid_t gone;

	/* systemd(1): starts poweroff.target */
	if (!is_systemd() || kill(pid, SIGRTMIN + 4) < 0)
		return;
	while (clock_ms() < until) {
		drain_console();
		while ((gone = waitpid(-1, NULL, WNOHANG)) > 0)
			if (gone == pid)
				return;
		usleep(20000);
	}
}

void init_gone(void)
{
	/* its /proc knows nothing of who is outside of it */
	(void)umount2("/proc", MNT_DETACH);
	(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "");
}
