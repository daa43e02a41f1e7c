// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The networks' process: see helper.h.
 *
 * libslirp wants three things that this process may not do: it opens the host's resolv.conf,
 * connects to a Unix socket by its path, and binds ports.  These calls trap (seccomp(2)), and are
 * answered here: the first with a copy that the supervisor sends, the second with one end of
 * a pair, whose other end goes to the supervisor, the third with a socket that the supervisor
 * has bound.
 */
#include "umlcage/net/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <ucontext.h>
#include <unistd.h>

#include "umlcage/base/callfilter.h"
#include "umlcage/base/confine.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"

enum {
	DESCRIPTORS = 16384,	/* connections and what comes with them */
	STATUS_LOST = 3,	/* of exit(): could not be confined */
	LOOK_NS = 50000,	/* see pollset_wait_awake() */
	TALK = 8,		/* turns without a packet of the guest that end a conversation */
};

/* of address space: libslirp keeps a quarter of a MiB for each connection */
static const uint64_t memory = 4ULL << 30;

/* For the handler of SIGSYS. */
static int channel = -1, resolv = -1;
static bool trapping;
static int published = -1;	/* a socket that libslirp is about to bind its own way */

/* ---- what traps ---- */

/* Instead of a socket that would be connected by a path. */
static long make_stream(void)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ret = send_fd(channel, "", 1, pair[1]);
	close(pair[1]);
	if (ret == 0)
		return pair[0];
	close(pair[0]);
	return ret;
}

static long open_resolv(void)
{
	int fd;

	if (resolv < 0 || lseek(resolv, 0, SEEK_SET) < 0)
		return -ENOENT;
	fd = fcntl(resolv, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

/* What is published has been bound; the socket takes its place. */
static long take_published(int fd)
{
	if (published < 0)
		return -EACCES;
	return dup3(published, fd, O_CLOEXEC) < 0 ? -errno : 0;
}

static void on_trap(int sig, siginfo_t *si, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	int saved = errno;

	(void)sig;
	switch (si->si_syscall) {
	case SYS_socket:
		regs[REG_RAX] = make_stream();
		break;
	case SYS_bind:
		regs[REG_RAX] = take_published((int)regs[REG_RDI]);
		break;
	case SYS_listen:
	case SYS_connect:
		regs[REG_RAX] = 0;
		break;
	case SYS_open:
	case SYS_openat:
		regs[REG_RAX] = open_resolv();
		break;
	case SYS_newfstatat:
		regs[REG_RAX] = syscall(SYS_fstat, resolv, regs[REG_RDX]) < 0 ? -errno : 0;
		break;
	case SYS_stat:
		regs[REG_RAX] = syscall(SYS_fstat, resolv, regs[REG_RSI]) < 0 ? -errno : 0;
		break;
	default:
		regs[REG_RAX] = -ENOSYS;
	}
	errno = saved;
}

/* Of two filters' answers a trap goes before an error: confine_enter() comes after this. */
static int enter_traps(void)
{
	static const int always[] = { SYS_open, SYS_openat, SYS_stat, SYS_bind, SYS_listen };
	struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_RESTART };
	cleanup_strbuf struct strbuf code = STRBUF_INIT;
	struct callfilter f = CALLFILTER_INIT;

	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return -errno;
	callfilter_add1(&f, SECCOMP_RET_TRAP, SYS_socket, CALL_IS(0, AF_UNIX));
	/* of a path: what such a socket is here is connected already */
	callfilter_add1(&f, SECCOMP_RET_TRAP, SYS_connect, CALL_IS(2, sizeof(struct sockaddr_un)));
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		callfilter_add(&f, SECCOMP_RET_TRAP, always[i]);
	/* by name; of a descriptor it stays fstat() */
	callfilter_add1(&f, SECCOMP_RET_TRAP, SYS_newfstatat, CALL_IS(3, 0));
	callfilter_make(&f, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, &code);
	callfilter_release(&f);
	return callfilter_enter(&code);
}

/* ---- giving up the rest ---- */

static int compare(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* Closes all but what the networks wait for and the few of its own. */
static void keep_descriptors(const struct helper *h)
{
	struct pollset ps = POLLSET_INIT;
	unsigned int next = 3;
	int *keep;
	size_t n = 0;

	pollset_reset(&ps);
	nat_fill(h->control, &ps);
	if (h->user)
		nat_fill(h->user, &ps);
	keep = xcalloc(ps.n + 4, sizeof(*keep));
	keep[n++] = h->channel;
	keep[n++] = h->resolv_fd;
	keep[n++] = h->path_fd;
	keep[n++] = h->log_fd;
	for (size_t i = 0; i < ps.n; i++)
		keep[n++] = ps.fds[i].fd;
	qsort(keep, n, sizeof(*keep), compare);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)next)
			continue;
		if (keep[i] > (int)next)
			(void)syscall(SYS_close_range, next, (unsigned int)keep[i] - 1, 0);
		next = (unsigned int)keep[i] + 1;
	}
	(void)syscall(SYS_close_range, next, ~0U, 0);
	/* what libraries have to say would go into somebody's socket otherwise */
	for (int fd = 0; fd < 3; fd++)
		if (!bsearch(&fd, keep, n, sizeof(*keep), compare)) {
			close(fd);
			(void)open("/dev/null", O_RDWR);
		}
	free(keep);
	pollset_release(&ps);
}

/* Passwords for proxies and the like are of no use here. */
static void forget_environment(void)
{
	for (char **v = environ; v && *v; v++)
		memset(*v, 0, strlen(*v));
	(void)clearenv();
}

static const struct confine_call calls[] = {
	{ SYS_socket, 0, AF_INET }, { SYS_socket, 0, AF_INET6 },
	{ SYS_socketpair, 0, AF_UNIX },
	{ SYS_connect, CONFINE_ANY, 0 }, { SYS_accept, CONFINE_ANY, 0 }, { SYS_accept4, CONFINE_ANY, 0 },
	{ SYS_sendto, CONFINE_ANY, 0 }, { SYS_recvfrom, CONFINE_ANY, 0 },
	{ SYS_sendmsg, CONFINE_ANY, 0 }, { SYS_recvmsg, CONFINE_ANY, 0 },
	{ SYS_shutdown, CONFINE_ANY, 0 }, { SYS_getsockname, CONFINE_ANY, 0 },
	{ SYS_getpeername, CONFINE_ANY, 0 },
	{ SYS_getsockopt, CONFINE_ANY, 0 }, { SYS_setsockopt, 1, SOL_SOCKET },
	{ SYS_setsockopt, 1, IPPROTO_TCP }, { SYS_setsockopt, 1, IPPROTO_IP },
	{ SYS_setsockopt, 1, IPPROTO_IPV6 },
	{ SYS_poll, CONFINE_ANY, 0 }, { SYS_ppoll, CONFINE_ANY, 0 },
	{ SYS_dup3, CONFINE_ANY, 0 }, { SYS_fcntl, 1, F_SETFL }, { SYS_fcntl, 1, F_DUPFD_CLOEXEC },
	{ SYS_ioctl, 1, FIONREAD }, { SYS_ioctl, 1, FIONBIO },
};

static int confine(const struct helper *h)
{
	struct confine c = {
		.calls = calls, .ncalls = ARRAY_SIZE(calls), .network = h->user != NULL,
		.memory = memory, .descriptors = DESCRIPTORS,
		.files = h->log_fd >= 0,
	};
	int ret;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	ret = enter_traps();
	/* without filters: libslirp does what it does, and finds what it looks for */
	if (ret < 0)
		return 0;
	trapping = true;
	ret = confine_enter(&c, NULL);
	return ret < 0 ? ret : 0;
}

/* ---- its work ---- */

static void take_addresses(struct helper *h, const struct helper_message *m, const char *data,
			   size_t len)
{
	struct net_filter *f = h->user ? nat_filter(h->user) : NULL;

	if (f && m->nv4 <= HELPER_ADDRESSES_MAX && m->nv6 <= HELPER_ADDRESSES_MAX &&
	    len >= m->nv6 * sizeof(*f->v6) + m->nv4 * sizeof(*f->v4))
		net_filter_set_addresses(f, data + m->nv6 * sizeof(*f->v6), m->nv4, data, m->nv6);
}

static void take_message(struct helper *h)
{
	static char text[HELPER_MESSAGE_MAX];
	struct helper_message m;
	int fd;
	ssize_t n = receive_fd(h->channel, text, sizeof(text), MSG_DONTWAIT, &fd);

	/* the supervisor is gone */
	if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) {
		if (h->user)
			nat_finish(h->user);
		_exit(0);
	}
	if (n >= (ssize_t)sizeof(m)) {
		memcpy(&m, text, sizeof(m));
		if (m.type == HELPER_ADDRESSES)
			take_addresses(h, &m, text + sizeof(m), (size_t)n - sizeof(m));
		if (m.type == HELPER_PUBLISH && fd >= 0 && h->user) {
			if (!trapping)
				close_fd(&fd);	/* libslirp binds it itself */
			published = fd;
			(void)nat_publish(h->user, m.udp, (const void *)&m.host, m.guest_port, NULL);
			published = -1;
		}
		if (m.type == HELPER_UNPUBLISH && h->user)
			nat_unpublish(h->user, m.udp, (const void *)&m.host);
		if (m.type == HELPER_RESOLV && fd >= 0) {
			close_fd(&resolv);
			resolv = steal_fd(&fd);
		}
	}
	close_fd(&fd);
}

void helper_run(struct helper *h)
{
	struct pollset ps = POLLSET_INIT;
	unsigned int talks = 0;
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, sig == SIGPIPE ? SIG_IGN : SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_NAME, "umlcage-net");
	/* keys pressed at a terminal are not for this process */
	(void)setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != h->parent)
		_exit(STATUS_LOST);
	keep_descriptors(h);
	forget_environment();
	channel = h->channel;
	resolv = h->resolv_fd;
	if (confine(h) < 0)
		_exit(STATUS_LOST);
	for (;;) {
		pollset_reset(&ps);
		int index = pollset_add(&ps, h->channel, POLLIN);

		nat_fill(h->control, &ps);
		if (h->user)
			nat_fill(h->user, &ps);

		/* what goes through the control network has the guest and the supervisor to do, too */
		bool failed = (talks ? pollset_wait_awake(&ps, LOOK_NS) : pollset_wait(&ps)) < 0;

		if (h->user)
			talks = nat_was_told(h->user, &ps) ? TALK : talks - (talks > 0);

		if (pollset_revents(&ps, index))
			take_message(h);
		(void)nat_dispatch(h->control, &ps, failed);
		if (h->user)
			(void)nat_dispatch(h->user, &ps, failed);
	}
}
