// SPDX-License-Identifier: GPL-2.0-or-later
/* The machine that a cage is: see machine.h. */
#include "umlcage/machine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/parent.h"
#include "umlcage/cage/forward.h"

enum { CPUS_MAX = 64, PIDS_MIN = 4, DISK_MIN = 1 << 20 };

static int opt_require(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	return cage_parse_require(arg, value, e);
}

static int opt_stats(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	const char **stats = value;

	if (arg && !*arg)
		return err_usage(e, "--%s: give the name of a file, or none", opt->name);
	*stats = arg ? arg : "";
	return 0;
}

const struct opt machine_opts[] = {
	{ OPT_SIZE, 'm', "memory", "SIZE", OPT_U64(struct machine, memory),
	  "guest memory, used as needed (default: 1G, to fabricate 2G)" },
	{ OPT_UINT, 'c', "cpus", "N", OPT_UNSIGNED(struct machine, cpus),
	  "virtual CPUs (default: 1, the fastest for one thread)" },
	{ OPT_UINT, 0, "pids", "N", OPT_UNSIGNED(struct machine, pids),
	  "processes and threads at a time (default: as many as memory allows)" },
	{ OPT_SIZE, 0, "disk", "SIZE", OPT_U64(struct machine, disk),
	  "how much files may grow: those in guest memory together, and those of the host "
	  "together (default: nine tenths of --memory, and no limit)" },
	{ OPT_STRING, 'k', "kernel", "KERNEL", OPT_STR(struct machine, kernel),
	  "'full', which has what container engines, image tools and systemd want, or a "
	  "file (default: a small one; those of umlcage are built on first use)" },
	{ OPT_LIST, 0, "emulate", "ARCH", OPT_STRV(struct machine, emulate),
	  "run programs of that architecture, too (arm64, armhf, i386, ppc64el, riscv64, s390x, ...; "
	  "default: those that the root is made of); may be repeated" },
	{ OPT_STRING, 0, "clock", "TIME", OPT_STR(struct machine, clock),
	  "what time it is in the cage when it starts: YYYY-MM-DD[THH:MM[:SS]] in UTC, or "
	  "@SECONDS since 1970 (default: the host's)" },
	{ OPT_CALL, 0, "require-jail", "basic|full",
	  OPT_FIELD(enum cage_require, struct machine, require_jail),
	  "fail if this host cannot confine the kernel (full: with namespaces, too)", opt_require,
	  true },
	{ OPT_FLAG, 0, "no-namespaces", NULL, OPT_BOOL(struct machine, no_namespaces),
	  "confine the kernel without namespaces" },
	{ OPT_FLAG, 0, "ptrace", NULL, OPT_BOOL(struct machine, ptrace_mode),
	  "run guest processes under ptrace instead of seccomp (slower)" },
	{ OPT_FLAG, 0, "no-fast-calls", NULL, OPT_BOOL(struct machine, no_fast_calls),
	  "leave the system call instructions of processes as they are (slower)" },
	{ OPT_FLAG, 0, "die-with-parent", NULL, OPT_BOOL(struct machine, die_with_parent),
	  "end, as of SIGTERM, when the process that started this one ends, however; "
	  "of timeout, flock, sudo and the like what called these counts, too" },
	{ OPT_FLAG, 0, "console", NULL, OPT_BOOL(struct machine, console),
	  "the kernel's console on stderr (otherwise its end, on failure)" },
	{ OPT_CALL, 0, "stats", "FILE", OPT_FIELD(const char *, struct machine, stats),
	  "what processes cost, counted by the kernel: on stderr, or as JSON into FILE", opt_stats,
	  true },
	OPT_END,
};

const struct opt machine_time_opts[] = {
	{ OPT_DURATION, 0, "timeout", "TIME", OPT_U64(struct machine, lifetime),
	  "give up after TIME (90, 1.5m, 2h)" },
	OPT_END,
};

const struct opt machine_net_opts[] = {
	{ OPT_STRING, 'n', "net", "MODE", OPT_STR(struct machine, net),
	  "nat (default), public (no private addresses), restricted (published ports only) or none" },
	OPT_END,
};

const struct opt machine_port_opts[] = {
	{ OPT_LIST, 'p', "publish", "[ADDR:]HOSTPORT:GUESTPORT[/udp]",
	  OPT_STRV(struct machine, publish),
	  "let the host reach a port of the cage (default ADDR: 127.0.0.1)" },
	{ OPT_FLAG, 0, "reach-host", NULL, OPT_BOOL(struct machine, reach_host),
	  "let the cage reach the host's own addresses and loopback (10.0.2.2)" },
	OPT_END,
};

const struct opt machine_policy_opts[] = {
	{ OPT_LIST, 0, "net-allow", "HOST|ADDR[/BITS][:PORT]", OPT_STRV(struct machine, net_allow),
	  "let the cage reach this and nothing else; may be repeated" },
	{ OPT_LIST, 0, "net-deny", "HOST|ADDR[/BITS][:PORT]", OPT_STRV(struct machine, net_deny),
	  "keep the cage from this; may be repeated" },
	{ OPT_STRING, 0, "net-log", "FILE", OPT_STR(struct machine, net_log),
	  "append every connection of the cage to FILE, refused ones too" },
	OPT_END,
};

/* Its own description of memory costs a machine 1.6 % of it at once, used or not. */
static int check_memory(const struct machine *m, struct error *e)
{
	cleanup_free char *given = format_size(m->memory), *there = NULL;
	struct sysinfo host;
	uint64_t all;

	if (!m->memory)
		return 0;
	if (m->memory < MACHINE_MEMORY_MIN)
		return err_usage(e, "--memory: %s is too little for a kernel; give at least 64M", given);
	if (sysinfo(&host) < 0)
		return 0;
	all = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
	there = format_size(all);
	if (m->memory > all)
		return err_usage(e, "--memory: %s is more than this host has (%s)", given, there);
	return 0;
}

static int check_policy(struct machine *m, struct error *e)
{
	int ret = 0;

	close_fd(&m->policy.log_fd);
	net_policy_release(&m->policy);
	m->policy.public = strcmp(m->net, "public") == 0;
	for (size_t i = 0; i < m->net_deny.n && ret == 0; i++)
		ret = net_policy_add(&m->policy, false, m->net_deny.v[i], e);
	for (size_t i = 0; i < m->net_allow.n && ret == 0; i++)
		ret = net_policy_add(&m->policy, true, m->net_allow.v[i], e);
	if (ret < 0)
		return ret;
	if (m->net_mode != CAGE_NET_NAT && (m->policy.n || m->net_log))
		return err_usage(e, "--net-allow, --net-deny and --net-log need a network that leads "
				 "out, and --net=%s leaves none", m->net);
	if (!m->net_log)
		return 0;
	m->policy.log_fd = open(m->net_log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	return m->policy.log_fd < 0 ? err_sys(e, errno, "--net-log: cannot write to '%s'", m->net_log) : 0;
}

static int check_net(struct machine *m, struct error *e)
{
	static const char *const names[] = { "nat", "public", "restricted", "none", NULL };
	static const enum cage_net modes[] = { CAGE_NET_NAT, CAGE_NET_NAT, CAGE_NET_RESTRICTED,
					       CAGE_NET_NONE };
	const char *near;

	for (size_t i = 0; names[i]; i++)
		if (strcmp(m->net, names[i]) == 0) {
			m->net_mode = modes[i];
			if (m->net_mode == CAGE_NET_NONE && m->publish.n)
				return err_usage(e, "--publish needs a network, and --net=none "
						 "leaves none");
			return check_policy(m, e);
		}
	near = str_closest(m->net, names);
	err_usage(e, "--net: '%s' is not one of nat, public, restricted, none", m->net);
	return near ? err_hint(e, "did you mean '%s'?", near) : -EINVAL;
}

static int check_forwards(struct machine *m, struct error *e)
{
	int ret = 0;

	free(m->forwards);
	m->forwards = xcalloc(m->publish.n + 1, sizeof(*m->forwards));
	for (size_t i = 0; i < m->publish.n && ret == 0; i++)
		ret = forward_parse(m->publish.v[i], &m->forwards[i], e);
	return ret;
}

static int check_stats(struct machine *m, struct error *e)
{
	if (m->stats_fd > STDERR_FILENO)
		close_fd(&m->stats_fd);
	m->stats_fd = -1;
	if (!m->stats)
		return 0;
	m->stats_fd = *m->stats ? open(m->stats, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0644) :
				  STDERR_FILENO;
	return m->stats_fd < 0 ? err_sys(e, errno, "--stats: cannot write to '%s'", m->stats) : 0;
}

static int check_clock(struct machine *m, struct error *e)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	uint64_t at = 0;

	m->clock_at = 0;
	if (!m->clock)
		return 0;
	if (m->clock[0] == '@' && parse_u64(m->clock + 1, 10, UINT32_MAX, &at) < 0)
		at = 0;
	for (size_t i = 0; i < ARRAY_SIZE(forms) && !at; i++) {
		struct tm tm = { 0 };
		const char *end = strptime(m->clock, forms[i], &tm);
		time_t t = end && !*end ? timegm(&tm) : 0;

		at = t > 0 && t <= UINT32_MAX ? (uint64_t)t : 0;
	}
	m->clock_at = (int64_t)at;
	return at ? 0 : err_usage(e, "--clock: '%s' is not a time after 1970; give 2027-01-31, "
				  "2027-01-31T02:30 or @1801362600", m->clock);
}

int machine_check(struct machine *m, struct error *e)
{
	int ret = check_memory(m, e);

	if (m->die_with_parent)
		parent_follow();

	if (ret == 0 && (m->cpus < 1 || m->cpus > CPUS_MAX))
		ret = err_usage(e, "--cpus: %u is not from 1 to %d", m->cpus, CPUS_MAX);
	if (ret == 0 && m->pids && m->pids < PIDS_MIN)
		ret = err_usage(e, "--pids: %u is too few to run anything; give at least %d", m->pids,
				PIDS_MIN);
	if (ret == 0 && m->disk && m->disk < DISK_MIN)
		ret = err_usage(e, "--disk: give at least 1M");
	if (ret == 0 && m->ptrace_mode && m->cpus > 1)
		ret = err_usage(e, "--ptrace allows one virtual CPU only");
	if (ret == 0 && m->no_namespaces && m->require_jail == CAGE_REQUIRE_FULL)
		ret = err_usage(e, "--no-namespaces and --require-jail=full exclude each other");
	if (ret == 0 && m->kernel && !kernel_is_kind(m->kernel) && access(m->kernel, X_OK) < 0)
		ret = err_sys(e, errno, "--kernel: cannot use '%s'", m->kernel);
	if (ret == 0)
		ret = check_clock(m, e);
	if (ret == 0)
		ret = check_net(m, e);
	if (ret == 0)
		ret = check_forwards(m, e);
	if (ret == 0)
		ret = machine_check_sockets(m, e);
	if (ret == 0)
		ret = check_stats(m, e);
	return ret;
}

void machine_cpus_for(struct machine *m, unsigned int jobs)
{
	unsigned int most = m->ptrace_mode ? 1 : CPUS_MAX;

	if (m->cpus < jobs)
		m->cpus = jobs < most ? jobs : most;
}

int machine_find_kernel(const struct machine *m, struct kernel_info *k, struct error *e)
{
	struct stat st;
	int ret;

	if (!m->kernel)
		return kernel_find("", k, NULL) < 0;
	if (kernel_is_kind(m->kernel))
		return kernel_find(m->kernel, k, NULL) < 0;
	ret = kernel_inspect(m->kernel, k, e);
	if (ret == 0 && stat(k->path, &st) < 0)
		ret = err_sys(e, errno, "cannot use the kernel '%s'", m->kernel);
	if (ret == 0 && !k->key)
		k->key = xasprintf("%s %lld %lld", k->path, (long long)st.st_size,
				   (long long)st.st_mtim.tv_sec);
	return ret;
}

char *machine_network(const struct machine *m)
{
	struct strbuf text = STRBUF_INIT;

	if (m->net_mode != CAGE_NET_NAT || m->policy.public)
		sb_addf(&text, "%s\n", m->net);
	for (size_t i = 0; i < m->net_allow.n; i++)
		sb_addf(&text, "allow %s\n", m->net_allow.v[i]);
	for (size_t i = 0; i < m->net_deny.n; i++)
		sb_addf(&text, "deny %s\n", m->net_deny.v[i]);
	return sb_steal(&text);
}

void machine_configure(const struct machine *m, struct cage_config *cfg)
{
	if (m->memory)
		cfg->memory = m->memory;
	cfg->cpus = m->cpus;
	cfg->pids = m->pids;
	cfg->disk = m->disk;
	cfg->clock = m->clock_at;
	cfg->lifetime = m->lifetime;
	cfg->require_jail = m->require_jail;
	cfg->no_namespaces = m->no_namespaces;
	cfg->ptrace_mode = m->ptrace_mode;
	cfg->no_fast_calls = m->no_fast_calls;
	cfg->stats_fd = m->stats_fd;
	cfg->stats_json = m->stats && *m->stats;
	cfg->console_fd = m->console ? STDERR_FILENO : -1;
	cfg->net = m->net_mode;
	cfg->reach_host = m->reach_host;
	cfg->net_policy = (struct net_policy *)(uintptr_t)&m->policy;
	cfg->forwards = m->forwards;
	cfg->nforwards = m->publish.n;
	cfg->sockets = m->cage_sockets;
	cfg->nsockets = m->sockets.n;
}
