// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The agent's side of the two networks.  Interfaces are configured with the
 * classic ioctls (netdevice(7), ipv6(7)); only the move into another namespace
 * needs rtnetlink(7).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"
#include "umlcage/net/addresses.h"

#define USER_LINK "vec0"
#define CONTROL_LINK "vec1"

enum { CONNECT_MS = 2000 };

/* linux/ipv6.h and netinet/in.h cannot both be included */
struct in6_ifreq_ {
	struct in6_addr addr;
	uint32_t prefix_len;
	int ifindex;
};

static struct sockaddr_in inet4(const char *text, uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, text, &sin.sin_addr);
	return sin;
}

static int link_up(int s, const char *name)
{
	struct ifreq ifr = { 0 };

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	if (ioctl(s, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(s, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

static int link_address(int s, const char *name, const char *address, const char *mask)
{
	struct sockaddr_in sin = inet4(address, 0);
	struct ifreq ifr = { 0 };

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
	if (ioctl(s, SIOCSIFADDR, &ifr) < 0)
		return -errno;
	sin = inet4(mask, 0);
	memcpy(&ifr.ifr_netmask, &sin, sizeof(sin));
	return ioctl(s, SIOCSIFNETMASK, &ifr) < 0 ? -errno : 0;
}

/* RTM_NEWLINK with IFLA_NET_NS_PID over @nl, a socket of the link's namespace. */
static int link_move(int nl, const char *name, pid_t pid)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
		struct rtattr a;
		uint32_t pid;
	} req = {
		.h = { .nlmsg_len = sizeof(req), .nlmsg_type = RTM_NEWLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.i = { .ifi_family = AF_UNSPEC },
		.a = { .rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_NET_NS_PID },
		.pid = (uint32_t)pid,
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr err;
		char rest[512];
	} ack;
	struct ifreq ifr = { 0 };
	cleanup_close int s = -1;

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	/* before the split: this namespace is the link's */
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0 || ioctl(s, SIOCGIFINDEX, &ifr) < 0)
		return -errno;
	req.i.ifi_index = ifr.ifr_ifindex;
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	if (send(nl, &req, sizeof(req), 0) < 0)
		return -errno;
	if (recv(nl, &ack, sizeof(ack), 0) < (ssize_t)(sizeof(ack.h) + sizeof(ack.err.error)))
		return -EPROTO;
	return ack.h.nlmsg_type == NLMSG_ERROR ? ack.err.error : 0;
}

int network_split(int *user_net, struct error *e)
{
	cleanup_close int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	cleanup_close int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (nl < 0 || before < 0)
		return err_sys(e, errno, "cannot open the network namespace");

	int ret = link_move(nl, CONTROL_LINK, getpid());

	if (ret < 0)
		return err_sys(e, -ret, "cannot move %s into its own namespace", CONTROL_LINK);

	cleanup_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return err_sys(e, errno, "cannot configure %s", CONTROL_LINK);
	ret = link_up(s, CONTROL_LINK);
	if (ret == 0)
		ret = link_address(s, CONTROL_LINK, CONTROL_GUEST, CONTROL_MASK);
	if (ret < 0)
		return err_sys(e, -ret, "cannot configure %s", CONTROL_LINK);
	*user_net = steal_fd(&before);
	return 0;
}

/*
 * Connections that nobody uses yet, and that have said nothing.  A handshake takes the guest's
 * kernel, the network's process and the way between them several times; a command that finds its
 * streams connected starts without.
 */
static int spares[] = { -1, -1, -1 };

static int begin_connection(int flags)
{
	struct sockaddr_in to = inet4(CONTROL_SERVER, CONTROL_PORT);
	cleanup_close int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (s < 0)
		return -errno;
	while (connect(s, (const void *)&to, sizeof(to)) < 0) {
		if (errno == EINPROGRESS && (flags & SOCK_NONBLOCK))
			break;
		if (errno != EINTR)
			return -errno;
	}
	return steal_fd(&s);
}

void network_prepare(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(spares); i++)
		if (spares[i] < 0)
			spares[i] = begin_connection(SOCK_NONBLOCK);
}

/* One that is connected; -1: none is. */
static int take_spare(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(spares); i++) {
		cleanup_close int s = steal_fd(&spares[i]);
		struct pollfd ready = { .fd = s, .events = POLLOUT | POLLRDHUP };

		if (s >= 0 && poll(&ready, 1, CONNECT_MS) == 1 && ready.revents == POLLOUT &&
		    fd_set_nonblock(s, false) == 0)
			return steal_fd(&s);
	}
	return -1;
}

int network_connect(enum proto_channel channel, uint32_t exec, struct error *e)
{
	struct proto_hello hello = { .magic = PROTO_HELLO_MAGIC, .channel = channel,
				     .exec = exec, .version = PROTO_VERSION };
	unsigned char bytes[PROTO_HELLO_SIZE];
	cleanup_close int s = take_spare();
	int one = 1, ret;

	if (s < 0)
		s = begin_connection(0);
	if (s < 0)
		return err_sys(e, -s, "cannot reach the supervisor");
	(void)setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	proto_hello_encode(&hello, bytes);
	ret = write_full(s, bytes, sizeof(bytes));
	return ret < 0 ? err_sys(e, -ret, "cannot greet the supervisor") : steal_fd(&s);
}

static void write_sysctl(const char *path, const char *value)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* a kernel without IPv6 has no such file, and needs no such setting */
	if (fd >= 0)
		(void)write_full(fd, value, strlen(value));
}

static int configure_ipv6(bool route)
{
	cleanup_close int s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct in6_ifreq_ req = { .prefix_len = NET6_PREFIX_LEN };
	struct in6_rtmsg rt = { .rtmsg_flags = RTF_UP | RTF_GATEWAY, .rtmsg_metric = 1024 };

	if (s < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	req.ifindex = (int)if_nametoindex(USER_LINK);
	inet_pton(AF_INET6, NET6_GUEST, &req.addr);
	if (ioctl(s, SIOCSIFADDR, &req) < 0 && errno != EEXIST)
		return -errno;
	if (!route)
		return 0;
	rt.rtmsg_ifindex = req.ifindex;
	inet_pton(AF_INET6, NET6_ROUTER, &rt.rtmsg_gateway);
	return ioctl(s, SIOCADDRT, &rt) < 0 ? -errno : 0;
}

static int configure(bool have_link, bool ipv6_route)
{
	cleanup_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct sockaddr_in gateway = inet4(NET_ROUTER, 0), any = inet4("0.0.0.0", 0);
	int ret;

	if (s < 0)
		return -errno;
	ret = link_up(s, "lo");
	if (ret < 0 || !have_link)
		return ret;
	/* addresses are given, nobody else can have them: no detection, no solicitation */
	write_sysctl("/proc/sys/net/ipv6/conf/" USER_LINK "/accept_dad", "0");
	write_sysctl("/proc/sys/net/ipv6/conf/" USER_LINK "/accept_ra", "0");
	ret = link_up(s, USER_LINK);
	if (ret == 0)
		ret = link_address(s, USER_LINK, NET_GUEST, NET_MASK);
	if (ret < 0)
		return ret;
	memcpy(&route.rt_gateway, &gateway, sizeof(gateway));
	memcpy(&route.rt_dst, &any, sizeof(any));
	memcpy(&route.rt_genmask, &any, sizeof(any));
	if (ioctl(s, SIOCADDRT, &route) < 0)
		return -errno;
	return configure_ipv6(ipv6_route);
}

int network_configure(int user_net, bool have_link, bool ipv6_route, struct error *e)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return err_sys(e, errno, "cannot configure the network");
	if (pid == 0)
		_exit(setns(user_net, CLONE_NEWNET) < 0 ? errno : -configure(have_link, ipv6_route));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, errno, "cannot configure the network");
	if (status)
		return err_sys(e, WIFEXITED(status) ? WEXITSTATUS(status) : EIO,
			       "cannot configure %s", have_link ? USER_LINK : "lo");
	return 0;
}
