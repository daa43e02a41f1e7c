// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host's kernel lets this user do, tried out: whatever could change this
 * process (filters, tracing, affinity) is tried in a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/cgroup.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"
#include "umlcage/doctor/doctor.h"

/* Runs @probe in a child; 0 or the -errno it returned (-EIO: it died). */
static int in_child(int (*probe)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int ret = probe();

		_exit(ret < 0 && ret > -255 ? -ret : ret ? 255 : 0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status))
		return -EIO;
	return WEXITSTATUS(status) ? -WEXITSTATUS(status) : 0;
}

static volatile sig_atomic_t trapped;

static void on_sigsys(int sig)
{
	(void)sig;
	trapped = 1;
}

/* UML's way: a filter that turns system calls into SIGSYS. */
static int probe_seccomp(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)__builtin_offsetof(
			 struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(code), .filter = code };

	if (signal(SIGSYS, on_sigsys) == SIG_ERR)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return -errno;
	(void)syscall(SYS_getppid);
	return trapped ? 0 : -EOPNOTSUPP;
}

static int probe_ptrace(void)
{
	pid_t pid = fork();
	int status, ret = 0;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(errno);
		raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid)
		return -errno;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? -WEXITSTATUS(status) : -EIO;
	if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
		ret = -errno;
	kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return ret;
}

static void probe_modes(struct doctor_report *r)
{
	int seccomp = in_child(probe_seccomp), trace = in_child(probe_ptrace);

	if (seccomp == 0)
		doctor_add(r, "seccomp", DOCTOR_OK, xstrdup("filters and traps"),
			   xstrdup("guest processes run the fast way, and the jail can filter calls"));
	else
		doctor_add(r, "seccomp", trace == 0 ? DOCTOR_WARN : DOCTOR_FAIL,
			   xstrdup(strerror(-seccomp)),
			   xstrdup("guest processes must run under ptrace, which is slower, and the "
				   "kernel is not confined by a filter"));
	if (trace == 0)
		doctor_add(r, "ptrace", DOCTOR_OK, xstrdup("tracing children"),
			   xstrdup("not needed while seccomp works"));
	else
		doctor_add(r, "ptrace", seccomp == 0 ? DOCTOR_OK : DOCTOR_FAIL,
			   xstrdup(strerror(-trace)),
			   xstrdup(seccomp == 0 ? "not needed while seccomp works" :
				   "without seccomp and ptrace no guest process can run"));
}

static void probe_landlock(struct doctor_report *r)
{
	static const char *const lacking[] = {
		"nothing confines the kernel's file access", "no limit on truncation and TCP",
		"no limit on truncation and TCP", "no limit on TCP", "no limit on device ioctls",
		"no limit on signals and abstract sockets",
	};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		doctor_add(r, "landlock", DOCTOR_WARN, xstrdup(strerror(errno)),
			   xstrdup("the jail lacks its file system part; --require-jail will refuse"));
	else if (abi < (long)ARRAY_SIZE(lacking))
		doctor_add(r, "landlock", DOCTOR_WARN, xasprintf("ABI %ld", abi),
			   xasprintf("the jail is weaker than it could be: %s", lacking[abi]));
	else
		doctor_add(r, "landlock", DOCTOR_OK, xasprintf("ABI %ld", abi),
			   xstrdup("files, TCP, signals and abstract sockets are out of a cage's reach"));
}

/* All that a cage's kernel gets, and what it takes to be somebody in there. */
static int probe_own_namespaces(void)
{
	static const unsigned long flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC |
					   CLONE_NEWNET | CLONE_NEWUTS;
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		/* some hosts let anybody have them, without any right in there */
		_exit(mount("none", "/proc", "tmpfs", 0, NULL) < 0 ? errno : 0);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static void probe_namespaces(struct doctor_report *r)
{
	int ret = probe_own_namespaces();

	if (ret == 0 && geteuid() != 0)
		doctor_add(r, "namespaces", DOCTOR_OK, xstrdup("user, mount, PID, IPC, network, UTS"),
			   xstrdup("a cage's kernel sees no name, process or network of this host"));
	else
		doctor_add(r, "namespaces", DOCTOR_WARN,
			   xstrdup(ret ? strerror(-ret) : "not for root"),
			   xstrdup("a cage's kernel is confined by the rest of the jail: it cannot open "
				   "your files, but see that they are there and change attributes; "
				   "--require-jail=full will refuse"));
}

static void probe_memfd(struct doctor_report *r)
{
	cleanup_close int fd = memfd_create("doctor", MFD_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, 4096) == 0)
		map = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		doctor_add(r, "memory-file", DOCTOR_FAIL, xstrdup(strerror(errno)),
			   xstrdup("a guest's memory must be mapped executable from a memory file; see "
				   "the sysctl vm.memfd_noexec and the security module of this host"));
		return;
	}
	munmap(map, 4096);
	doctor_add(r, "memory-file", DOCTOR_OK, xstrdup("executable mapping"),
		   xstrdup("guest memory needs neither /dev/shm nor a file in /tmp"));
}

/* What the supervisor itself calls and an old kernel or a filter may refuse. */
static void probe_newer_calls(struct doctor_report *r)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	cleanup_close int beneath = (int)syscall(SYS_openat2, root, ".", &how, sizeof(how));
	cleanup_strv struct strv missing = STRV_INIT;

	if (pidfd < 0)
		strv_addf(&missing, "pidfd_open (%s)", strerror(errno));
	if (beneath < 0)
		strv_add(&missing, "openat2");
	/* a range without descriptors */
	if (syscall(SYS_close_range, 1U << 30, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) < 0)
		strv_addf(&missing, "close_range (%s)", strerror(errno));
	if (missing.n) {
		cleanup_free char *list = strv_join(&missing, ", ");

		doctor_add(r, "system-calls", DOCTOR_FAIL, xasprintf("missing: %s", list),
			   xstrdup("Linux 5.11 or newer is needed, with no filter on these calls"));
		return;
	}
	doctor_add(r, "system-calls", DOCTOR_OK, xstrdup("pidfd_open, openat2, close_range"),
		   xstrdup("all that the supervisor needs"));
}

static void probe_machine(struct doctor_report *r)
{
	struct utsname u;

	uname(&u);
	if (strcmp(u.machine, "x86_64") == 0)
		doctor_add(r, "machine", DOCTOR_OK, xasprintf("%s, Linux %s", u.machine, u.release),
			   xstrdup("user-mode Linux runs here"));
	else
		doctor_add(r, "machine", DOCTOR_FAIL, xasprintf("%s, Linux %s", u.machine, u.release),
			   xstrdup("this program makes cages for x86_64 only"));
}

void doctor_probe_system_calls(struct doctor_report *r)
{
	probe_machine(r);
	probe_newer_calls(r);
	probe_modes(r);
	probe_landlock(r);
	probe_namespaces(r);
	probe_memfd(r);
}

static int probe_pinning(void)
{
	cpu_set_t set, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -errno;
	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) < 0 ? -errno : 0;
}

static void probe_cpus(struct doctor_report *r)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	int pin = in_child(probe_pinning), allowed = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		allowed = CPU_COUNT(&set);
	if (pin < 0)
		doctor_add(r, "processors", DOCTOR_WARN,
			   xasprintf("%d of %ld, pinning: %s", allowed, online, strerror(-pin)),
			   xstrdup("a cage cannot keep to one processor: system calls in it take "
				   "about ten times as long"));
	else
		doctor_add(r, "processors", DOCTOR_OK, xasprintf("%d of %ld, pinning works", allowed,
								 online),
			   xstrdup("each virtual CPU keeps to a processor of its own"));
}

/* The number in @file, or 0. */
static uint64_t number_in(const char *file)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	uint64_t n = 0;

	if (file_read(AT_FDCWD, file, 4096, &text, NULL) == 0) {
		text.s[strcspn(text.s, "\n")] = '\0';
		(void)parse_u64(text.s, 10, UINT64_MAX, &n);
	}
	return n;
}

static void probe_descriptors(struct doctor_report *r)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return;
	doctor_add(r, "open-files", lim.rlim_max < 4096 ? DOCTOR_WARN : DOCTOR_OK,
		   xasprintf("%llu, can be raised to %llu", (unsigned long long)lim.rlim_cur,
			     (unsigned long long)lim.rlim_max),
		   xasprintf("a cage can have about %llu processes and open files of shares at a time%s",
			     (unsigned long long)lim.rlim_max,
			     lim.rlim_max < 4096 ? "; have the hard limit raised" : ""));
}

static void probe_processes(struct doctor_report *r, const struct cgroup_limit *group)
{
	uint64_t limit = group->limit;
	struct rlimit lim;
	bool own = false;

	if (getrlimit(RLIMIT_NPROC, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY && lim.rlim_cur <= limit) {
		limit = lim.rlim_cur;
		own = true;
	}
	if (limit == CGROUP_NO_LIMIT)
		doctor_add(r, "processes", DOCTOR_OK, xstrdup("no limit"),
			   xstrdup("every process of a guest is one of the host"));
	else
		doctor_add(r, "processes", limit < 256 ? DOCTOR_WARN : DOCTOR_OK,
			   xasprintf("%llu (%s)", (unsigned long long)limit, own ? "ulimit -u" :
				     group->file),
			   xstrdup("every process of a guest is one of the host and counts"));
}

static void probe_mappings(struct doctor_report *r)
{
	uint64_t n = number_in("/proc/sys/vm/max_map_count");

	if (n)
		doctor_add(r, "mappings", n < 65530 ? DOCTOR_WARN : DOCTOR_OK,
			   xasprintf("vm.max_map_count %llu", (unsigned long long)n),
			   xstrdup("mappings beyond that are dropped and made again when touched: "
				   "scattered memory larger than this many pages is slower"));
}

static void probe_memory(struct doctor_report *r, const struct cgroup_limit *group)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	const char *line, *file = NULL;
	uint64_t bytes = 0;

	if (file_read(AT_FDCWD, "/proc/meminfo", 1 << 20, &text, NULL) == 0 &&
	    (line = strstr(text.s, "MemAvailable:")) != NULL)
		bytes = strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024;
	if (group->limit != CGROUP_NO_LIMIT && (!bytes || group->limit < bytes)) {
		bytes = group->limit;
		file = group->file;
	}
	if (!bytes)
		return;

	cleanup_free char *size = format_size(bytes);

	doctor_add(r, "memory", bytes < (512ULL << 20) ? DOCTOR_WARN : DOCTOR_OK,
		   xasprintf("%s %s%s%s", size, file ? "allowed (" : "available", file ? file : "",
			     file ? ")" : ""),
		   xstrdup(bytes < (512ULL << 20) ? "a cage takes what its guest touches; give it less "
			   "with --memory" : "a cage takes what its guest touches, up to --memory"));
}

/* ulimit -v and -f, which stand in the way of the guest's memory: limits.c of cages. */
static void probe_ulimits(struct doctor_report *r)
{
	static const struct { int which; const char *name, *option, *what; } limits[] = {
		{ RLIMIT_AS, "address-space", "-v", "memory of a process" },
		{ RLIMIT_FSIZE, "file-size", "-f", "size of a file" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit lim;

		if (getrlimit((__rlimit_resource_t)limits[i].which, &lim) < 0)
			continue;
		if (lim.rlim_cur == RLIM_INFINITY) {
			doctor_add(r, limits[i].name, DOCTOR_OK, xstrdup("no limit"),
				   xstrdup("a guest may have as much memory as there is"));
			continue;
		}

		cleanup_free char *size = format_size(lim.rlim_cur);

		doctor_add(r, limits[i].name, DOCTOR_WARN,
			   xasprintf("%s (ulimit %s)", size, limits[i].option),
			   xasprintf("the %s is limited, and the guest's memory and more must fit; "
				     "raise that, or give cages less with --memory", limits[i].what));
	}
}

void doctor_probe_limits(struct doctor_report *r)
{
	struct cgroup groups;

	cgroup_read(&groups, "");
	probe_cpus(r);
	probe_memory(r, &groups.v[CGROUP_MEMORY]);
	probe_processes(r, &groups.v[CGROUP_PIDS]);
	probe_ulimits(r);
	cgroup_release(&groups);
	probe_descriptors(r);
	probe_mappings(r);
}
