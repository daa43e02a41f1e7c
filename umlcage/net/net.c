// SPDX-License-Identifier: GPL-2.0-or-later
/* The supervisor's side of a cage's networks: see net.h. */
#include "umlcage/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"
#include "umlcage/net/filter.h"
#include "umlcage/net/helper.h"
#include "umlcage/net/nat.h"
#include "umlcage/net/policy.h"

enum { LOOK_MS = 5000, RESOLV_MAX = 65536, FINISH_MS = 2000 };

static const char resolv_conf[] = "/etc/resolv.conf";

struct net {
	struct nat *control, *user;	/* until it starts */
	bool has_user, filtering;
	int log_fd;			/* the policy's */
	int path_fd;
	pid_t pid;
	int pidfd, pidfd_index;
	int channel, channel_index;
	bool readable;
	int64_t looked_ms;		/* when the host was last looked at for changes */
	struct stat resolv;
	struct net_filter host;		/* its addresses, as the helper knows them */
	struct net_published {
		struct sockaddr_storage host;
		bool udp;
	} *published;
	size_t npublished;
};

int net_open(struct net **out, int link_fd, const char *path, int path_fd, struct error *e)
{
	struct net *net = xcalloc(1, sizeof(*net));
	int ret = nat_open_control(&net->control, link_fd, path, e);

	net->pidfd = net->channel = -1;
	net->path_fd = path_fd;
	net->log_fd = -1;
	if (ret < 0) {
		free(net);
		return ret;
	}
	*out = net;
	return 0;
}

int net_open_user(struct net *net, int link_fd, const struct net_user_config *cfg, struct error *e)
{
	net->has_user = true;
	net->filtering = !cfg->reach_host;
	net->log_fd = cfg->policy ? cfg->policy->log_fd : -1;
	return nat_open_user(&net->user, link_fd, cfg, e);
}

/* ---- what the helper cannot see of the host ---- */

/* A copy of resolv.conf; an empty one if there is none. */
static int copy_resolv(struct net *net)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	memset(&net->resolv, 0, sizeof(net->resolv));
	(void)stat(resolv_conf, &net->resolv);
	(void)file_read(AT_FDCWD, resolv_conf, RESOLV_MAX, &text, NULL);
	return memfd_with("resolv.conf", sb_str(&text), text.len, NULL);
}

static bool resolv_changed(const struct net *net)
{
	struct stat st = { 0 };

	(void)stat(resolv_conf, &st);
	return st.st_ino != net->resolv.st_ino || st.st_dev != net->resolv.st_dev ||
	       st.st_mtim.tv_sec != net->resolv.st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != net->resolv.st_mtim.tv_nsec;
}

static void send_resolv(struct net *net)
{
	struct helper_message m = { .type = HELPER_RESOLV };
	cleanup_close int fd = copy_resolv(net);

	if (fd >= 0)
		(void)send_fd(net->channel, &m, sizeof(m), fd);
}

static bool same_addresses(const struct net_filter *a, const struct net_filter *b)
{
	return a->nv4 == b->nv4 && a->nv6 == b->nv6 &&
	       (!a->nv4 || memcmp(a->v4, b->v4, a->nv4 * sizeof(*a->v4)) == 0) &&
	       (!a->nv6 || memcmp(a->v6, b->v6, a->nv6 * sizeof(*a->v6)) == 0);
}

static void send_addresses(struct net *net)
{
	struct net_filter now = { 0 };
	cleanup_strbuf struct strbuf data = STRBUF_INIT;
	struct helper_message m = { .type = HELPER_ADDRESSES };

	net_filter_read_addresses(&now);
	if (same_addresses(&now, &net->host)) {
		net_filter_release(&now);
		return;
	}
	m.nv4 = (uint32_t)now.nv4;
	m.nv6 = (uint32_t)now.nv6;
	sb_add(&data, &m, sizeof(m));
	sb_add(&data, now.v6, now.nv6 * sizeof(*now.v6));
	sb_add(&data, now.v4, now.nv4 * sizeof(*now.v4));
	if (send_fd(net->channel, sb_str(&data), data.len, -1) == 0) {
		net_filter_release(&net->host);
		net->host = now;
	} else {
		net_filter_release(&now);
	}
}

/* ---- its life ---- */

int net_start(struct net *net, struct error *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot start the network's helper");
	if (net->filtering) {
		net_filter_read_addresses(&net->host);
		net_filter_set_addresses(nat_filter(net->user), net->host.v4, net->host.nv4,
					 net->host.v6, net->host.nv6);
	}
	net->looked_ms = clock_ms();

	struct helper h = { .control = net->control, .user = net->user, .channel = pair[1],
			    .path_fd = net->path_fd, .resolv_fd = copy_resolv(net),
			    .log_fd = net->log_fd, .parent = getpid() };
	pid_t pid = fork();
	int errnum = errno;

	if (pid == 0)
		helper_run(&h);
	close(pair[1]);
	close_fd(&h.resolv_fd);
	net->channel = pair[0];
	(void)fd_set_nonblock(net->channel, true);
	nat_close(net->control);
	nat_close(net->user);
	net->control = net->user = NULL;
	if (pid < 0)
		return err_sys(e, errnum, "cannot start the network's helper");
	net->pid = pid;
	net->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (net->pidfd < 0)
		return err_sys(e, errno, "cannot watch the network's helper");
	(void)fd_set_cloexec(net->pidfd, true);
	return 0;
}

static int publish_error(int errnum, const struct sockaddr *host, struct error *e)
{
	char text[INET6_ADDRSTRLEN] = "";
	const struct sockaddr_in *sin = (const void *)host;
	const struct sockaddr_in6 *sin6 = (const void *)host;
	bool is6 = host->sa_family == AF_INET6;

	inet_ntop(host->sa_family, is6 ? (const void *)&sin6->sin6_addr :
					 (const void *)&sin->sin_addr, text, sizeof(text));
	err_sys(e, errnum, "cannot publish port %u of %s", ntohs(is6 ? sin6->sin6_port : sin->sin_port),
		text);
	return err_hint(e, "choose another one");
}

/* A socket for the helper, which may not bind one. */
static int bind_published(bool udp, const struct sockaddr *host, struct error *e)
{
	bool is6 = host->sa_family == AF_INET6;
	cleanup_close int fd = socket(host->sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	socklen_t len = is6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	int on = 1;

	if (fd < 0)
		return publish_error(errno, host, e);
	if (!udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (is6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, host, len) < 0 || (!udp && listen(fd, 16) < 0))
		return publish_error(errno, host, e);
	return steal_fd(&fd);
}

int net_publish(struct net *net, bool udp, const struct sockaddr *host, uint16_t guest_port,
		struct error *e)
{
	struct helper_message m = { .type = HELPER_PUBLISH, .guest_port = guest_port, .udp = udp };
	cleanup_close int fd = -1;
	int ret;

	if (!net->has_user)
		return err_set(e, ENETDOWN, "cannot publish a port: the cage has no network");
	fd = bind_published(udp, host, e);
	if (fd < 0)
		return fd;
	memcpy(&m.host, host, host->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
							    sizeof(struct sockaddr_in));
	ret = send_fd(net->channel, &m, sizeof(m), fd);
	if (ret < 0)
		return err_sys(e, -ret, "cannot reach the network's helper");
	net->published = xreallocarray(net->published, net->npublished + 1, sizeof(*net->published));
	net->published[net->npublished++] = (struct net_published){ m.host, udp };
	return 0;
}

int net_unpublish(struct net *net, bool udp, const struct sockaddr *host, struct error *e)
{
	struct helper_message m = { .type = HELPER_UNPUBLISH, .udp = udp };
	size_t len = host->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						   sizeof(struct sockaddr_in);

	memcpy(&m.host, host, len);
	for (size_t i = 0; i < net->npublished; i++) {
		struct net_published *p = &net->published[i];
		int ret;

		if (p->udp != udp || memcmp(&p->host, host, len) != 0)
			continue;
		ret = send_fd(net->channel, &m, sizeof(m), -1);
		if (ret < 0)
			return err_sys(e, -ret, "cannot reach the network's helper");
		*p = net->published[--net->npublished];
		return 0;
	}
	return err_set(e, ENOENT, "that port is not published");
}

void net_fill(struct net *net, struct pollset *ps)
{
	net->channel_index = pollset_add(ps, net->channel, POLLIN);
	net->pidfd_index = pollset_add(ps, net->pidfd, POLLIN);
	if (net->has_user)
		pollset_until(ps, net->looked_ms + LOOK_MS);
}

int net_dispatch(struct net *net, const struct pollset *ps, struct error *e)
{
	int status;

	if (net->has_user && clock_ms() >= net->looked_ms + LOOK_MS) {
		net->looked_ms = clock_ms();
		if (resolv_changed(net))
			send_resolv(net);
		if (net->filtering)
			send_addresses(net);
	}
	net->readable = pollset_revents(ps, net->channel_index) != 0;
	if (!net->pid || !pollset_revents(ps, net->pidfd_index) || proc_wait(net->pid, &status, NULL) < 0)
		return 0;
	net->pid = 0;
	close_fd(&net->pidfd);

	cleanup_free char *how = proc_status_text(status);

	return err_set(e, EIO, "the helper process of the cage's network ended early (%s)", how);
}

int net_next_stream(struct net *net)
{
	char byte;
	int fd = -1;

	if (net->readable && receive_fd(net->channel, &byte, sizeof(byte), MSG_DONTWAIT, &fd) <= 0)
		net->readable = false;
	return fd;
}

void net_close(struct net *net)
{
	int status;

	if (!net)
		return;
	if (net->pid && net->log_fd >= 0) {
		struct pollfd over = { .fd = net->pidfd, .events = POLLIN };

		/* it writes down what connections there still are */
		(void)shutdown(net->channel, SHUT_WR);
		(void)poll(&over, 1, FINISH_MS);
	}
	if (net->pid) {
		(void)kill(net->pid, SIGKILL);
		(void)proc_wait(net->pid, &status, NULL);
	}
	nat_close(net->control);
	nat_close(net->user);
	net_filter_release(&net->host);
	free(net->published);
	close_fd(&net->pidfd);
	close_fd(&net->channel);
	free(net);
}

bool net_host_has_ipv6(void)
{
	/* documentation prefix (RFC 3849): connecting a datagram socket sends nothing */
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	cleanup_close int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return inet_pton(AF_INET6, "2001:db8::1", &any.sin6_addr) == 1 && fd >= 0 &&
	       connect(fd, (const void *)&any, sizeof(any)) == 0;
}
