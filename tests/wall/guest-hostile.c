// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hostile kernel: what a kernel that has been taken over may ask of the host, tried in a real
 * cage through /dev/hostcall (hostcall.c).  Each row says which walls refuse it, or why it is
 * harmless.  Behind none of its walls a row must succeed: one that would fail anyway shows nothing.
 *
 *	guest-hostile WALLS DIR VICTIM BAIT PORT
 *
 * WALLS: letters of those that stand (f filter, w warden, l Landlock, s its scopes, n
 * namespaces; "-" none).  On the host: DIR, the user's folder (hostile.sh says what is in it), with
 * two folders that the cage has been given as m1 and m2; VICTIM, a process of the user,
 * and BAIT, an address in it; PORT, where somebody listens.  Ends with the number of rows that
 * were not as they should be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hostcall.h"

static int device;
static char *arena;
static unsigned long arena_there;	/* where the host has it */
static size_t used;
static bool in_child;

static const char *dir;
static int share_fd, ro_fd;	/* the kernel's own */
static long victim;
static unsigned long bait;
static int port;

/* ---- making calls ---- */

static long host_call(unsigned long nr, bool forks, unsigned long a, unsigned long b, unsigned long c,
		      unsigned long d, unsigned long e, unsigned long f)
{
	struct hostcall call = { .nr = nr, .args = { a, b, c, d, e, f }, .forks = forks };

	if (ioctl(device, in_child ? HOSTCALL_CHILD : HOSTCALL_HERE, &call) < 0) {
		perror("/dev/hostcall");
		exit(200);
	}
	return call.ret;
}
#define ARG(x) ((unsigned long)(x))
#define CALL6(nr, a, b, c, d, e, f) host_call(nr, false, ARG(a), ARG(b), ARG(c), ARG(d), ARG(e), ARG(f))
#define CALL5(nr, a, b, c, d, e) CALL6(nr, a, b, c, d, e, 0)
#define CALL4(nr, a, b, c, d) CALL5(nr, a, b, c, d, 0)
#define CALL3(nr, a, b, c) CALL4(nr, a, b, c, 0)
#define CALL2(nr, a, b) CALL3(nr, a, b, 0)
#define CALL1(nr, a) CALL2(nr, a, 0)
#define CALL0(nr) CALL1(nr, 0)
/* the same in a child of the kernel's process */
#define CHILD(call) ({ long ret_; in_child = true; ret_ = (call); in_child = false; ret_; })

/* Room in the kernel's memory; T(p) is where the host has it. */
static void *room(size_t len)
{
	void *p = arena + used;

	used += (len + 15) & ~(size_t)15;
	if (used > HOSTCALL_ARENA - sizeof(struct hostcall)) {
		fprintf(stderr, "the arena is too small\n");
		exit(200);
	}
	memset(p, 0, len);
	return p;
}
static unsigned long T(const void *p) { return arena_there + (unsigned long)((const char *)p - arena); }
static unsigned long S(const char *text) { char *p = room(strlen(text) + 1); strcpy(p, text); return T(p); }
#define BUFFER 512
static unsigned long B(void) { return T(room(BUFFER)); }
static unsigned long at(const char *name)
{
	char *p = room(strlen(dir) + strlen(name) + 2);

	sprintf(p, "%s/%s", dir, name);
	return T(p);
}
static unsigned long of_process(const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "/proc/%ld/%s", victim, name);
	return S(text);
}

/* A descriptor is closed at once. */
static long opened(long fd)
{
	if (fd >= 0)
		CALL1(SYS_close, fd);
	return fd;
}

/* ---- rows ---- */

#define ROW(name) static long name(void)

ROW(open_file) { return opened(CALL4(SYS_openat, AT_FDCWD, at("secret"), O_RDONLY, 0)); }
ROW(open_write) { return opened(CALL4(SYS_openat, AT_FDCWD, at("secret"), O_WRONLY, 0)); }
ROW(open_dir) { return opened(CALL4(SYS_openat, AT_FDCWD, at("dir"), O_RDONLY | O_DIRECTORY, 0)); }
ROW(open_create) { return opened(CALL4(SYS_openat, AT_FDCWD, at("made-open"), O_CREAT | O_RDWR, 0600)); }
ROW(open_tmpfile) { return opened(CALL4(SYS_openat, AT_FDCWD, at("dir"), O_TMPFILE | O_RDWR, 0600)); }
ROW(open_above) { return opened(CALL4(SYS_openat, share_fd, S("../secret"), O_RDONLY, 0)); }
ROW(open_path) { return opened(CALL4(SYS_openat, AT_FDCWD, at("secret"), O_PATH, 0)); }
ROW(open_shm) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/dev/shm/hostile"), O_CREAT | O_RDWR, 0600)); }
ROW(open_tmp) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/tmp"), O_RDONLY | O_DIRECTORY, 0)); }
ROW(open_passwd) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/etc/passwd"), O_RDONLY, 0)); }
ROW(open_memory) { return opened(CALL4(SYS_openat, AT_FDCWD, of_process("mem"), O_RDWR, 0)); }
ROW(open_maps) { return opened(CALL4(SYS_openat, AT_FDCWD, of_process("maps"), O_RDONLY, 0)); }
ROW(open_environ) { return opened(CALL4(SYS_openat, AT_FDCWD, of_process("environ"), O_RDONLY, 0)); }
ROW(open_root) { return opened(CALL4(SYS_openat, AT_FDCWD, of_process("root"), O_RDONLY | O_DIRECTORY, 0)); }
ROW(open_own_status) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/proc/self/oom_score_adj"), O_WRONLY, 0)); }
ROW(open_ptmx) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/dev/ptmx"), O_RDWR, 0)); }
ROW(open_kvm) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/dev/urandom"), O_RDONLY, 0)); }
ROW(old_open) { return opened(CALL3(SYS_open, at("secret"), O_RDONLY, 0)); }
ROW(do_creat) { return opened(CALL2(SYS_creat, at("made-creat"), 0600)); }
ROW(do_openat2)
{
	struct open_how *how = room(sizeof(*how));

	return opened(CALL4(SYS_openat2, AT_FDCWD, at("secret"), T(how), sizeof(*how)));
}
ROW(do_truncate) { return CALL2(SYS_truncate, at("secret"), 6); }
ROW(do_unlink) { return CALL3(SYS_unlinkat, AT_FDCWD, at("goes-1"), 0); }
ROW(unlink_above) { return CALL3(SYS_unlinkat, share_fd, S("../goes-2"), 0); }
ROW(do_mkdirat) { return CALL3(SYS_mkdirat, AT_FDCWD, at("made-dir"), 0700); }
ROW(do_mkdir) { return CALL2(SYS_mkdir, at("made-old-dir"), 0700); }
ROW(do_rmdir) { return CALL3(SYS_unlinkat, AT_FDCWD, at("empty"), AT_REMOVEDIR); }
ROW(do_symlink) { return CALL3(SYS_symlinkat, S("x"), AT_FDCWD, at("made-link")); }
ROW(link_in) { return CALL5(SYS_linkat, AT_FDCWD, at("secret"), share_fd, S("got"), 0); }
ROW(link_out) { CALL3(SYS_mkdirat, share_fd, S("f"), 0700); return CALL5(SYS_renameat2, share_fd, S("f"), AT_FDCWD, at("made-moved"), 0); }
ROW(rename_in) { return CALL4(SYS_renameat, AT_FDCWD, at("goes-3"), share_fd, S("got-too")); }
ROW(rename_exchange) { CALL3(SYS_mkdirat, share_fd, S("g"), 0700); return CALL5(SYS_renameat2, share_fd, S("g"), AT_FDCWD, at("dir"), 2); }
ROW(do_mknod) { return CALL4(SYS_mknodat, AT_FDCWD, at("made-fifo"), S_IFIFO | 0600, 0); }
/* the one that needs no privilege */
ROW(mknod_device) { return CALL4(SYS_mknodat, AT_FDCWD, at("made-device"), S_IFCHR, 0); }
ROW(do_chmod) { return CALL2(SYS_chmod, at("secret"), 0640); }
ROW(do_fchmodat) { return CALL3(SYS_fchmodat, AT_FDCWD, at("secret"), 0644); }
ROW(do_fchmodat2) { return CALL4(452, AT_FDCWD, at("secret"), 0604, 0); }
ROW(do_chown) { return CALL3(SYS_chown, at("secret"), -1, -1); }
ROW(do_setxattr) { return CALL5(SYS_setxattr, at("secret"), S("user.evil"), S("x"), 1, 0); }
ROW(do_lsetxattr) { return CALL5(SYS_lsetxattr, at("secret"), S("user.evil"), S("x"), 1, 0); }
ROW(do_getxattr) { return CALL4(SYS_getxattr, at("secret"), S("user.s"), B(), BUFFER); }
ROW(do_lgetxattr) { return CALL4(SYS_lgetxattr, at("secret"), S("user.s"), B(), BUFFER); }
ROW(do_listxattr) { return CALL3(SYS_listxattr, at("secret"), B(), BUFFER); }
ROW(do_removexattr) { return CALL2(SYS_removexattr, at("secret"), S("user.s")); }
ROW(do_utimensat) { return CALL4(SYS_utimensat, AT_FDCWD, at("secret"), 0, 0); }
ROW(utimensat_link) { return CALL4(SYS_utimensat, AT_FDCWD, at("link"), 0, AT_SYMLINK_NOFOLLOW); }
ROW(utimensat_above) { return CALL4(SYS_utimensat, share_fd, S("../secret"), 0, AT_SYMLINK_NOFOLLOW); }
ROW(utimensat_up) { return CALL4(SYS_utimensat, share_fd, S(".."), 0, AT_SYMLINK_NOFOLLOW); }
ROW(do_utime) { return CALL2(SYS_utime, at("secret"), 0); }
ROW(do_stat) { return CALL2(SYS_stat, at("secret"), B()); }
ROW(do_lstat) { return CALL2(SYS_lstat, at("secret"), B()); }
ROW(do_statx) { return CALL5(SYS_statx, AT_FDCWD, at("secret"), 0, STATX_BASIC_STATS, B()); }
ROW(statx_link) { return CALL5(SYS_statx, AT_FDCWD, at("link"), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, B()); }
ROW(statx_above) { return CALL5(SYS_statx, share_fd, S("../secret"), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, B()); }
ROW(statx_up) { return CALL5(SYS_statx, share_fd, S(".."), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, B()); }
ROW(stat_empty) { return CALL4(SYS_newfstatat, AT_FDCWD, at("secret"), B(), AT_EMPTY_PATH); }
ROW(do_readlinkat) { return CALL4(SYS_readlinkat, AT_FDCWD, at("link"), B(), BUFFER); }
ROW(readlinkat_above) { return CALL4(SYS_readlinkat, share_fd, S("../link"), B(), BUFFER); }
ROW(readlinkat_proc) { return CALL4(SYS_readlinkat, AT_FDCWD, of_process("exe"), B(), BUFFER); }
ROW(do_readlink) { return CALL3(SYS_readlink, at("link"), B(), BUFFER); }
ROW(do_access) { return CALL2(SYS_access, at("secret"), R_OK); }
ROW(do_faccessat) { return CALL3(SYS_faccessat, AT_FDCWD, at("secret"), R_OK); }
ROW(do_statfs) { return CALL2(SYS_statfs, at("dir"), B()); }
ROW(do_chdir) { return CHILD(CALL1(SYS_chdir, at("dir"))); }
ROW(do_getcwd) { return CALL2(SYS_getcwd, B(), BUFFER); }
ROW(do_fchdir) { return CHILD(CALL1(SYS_fchdir, share_fd)); }

static long ro_file(void) { return CALL4(SYS_openat, ro_fd, S("file"), O_RDONLY, 0); }
ROW(ro_write) { return opened(CALL4(SYS_openat, ro_fd, S("file"), O_WRONLY, 0)); }
ROW(ro_create) { return opened(CALL4(SYS_openat, ro_fd, S("new"), O_CREAT | O_RDWR, 0600)); }
ROW(ro_unlink) { return CALL3(SYS_unlinkat, ro_fd, S("goes"), 0); }
ROW(ro_rename) { return CALL4(SYS_renameat, ro_fd, S("moves"), ro_fd, S("moved")); }
ROW(ro_fchmod) { return CALL2(SYS_fchmod, ro_file(), 0777); }
ROW(ro_fsetxattr) { return CALL5(SYS_fsetxattr, ro_file(), S("user.evil"), S("x"), 1, 0); }
ROW(ro_fremovexattr) { return CALL2(SYS_fremovexattr, ro_file(), S("user.s")); }
ROW(ro_futimens) { return CALL4(SYS_utimensat, ro_file(), 0, 0, 0); }
ROW(ro_utimens) { return CALL4(SYS_utimensat, ro_fd, S("link"), 0, AT_SYMLINK_NOFOLLOW); }
ROW(ro_ftruncate) { return CALL2(SYS_ftruncate, ro_file(), 0); }
ROW(ro_fallocate) { return CALL4(SYS_fallocate, ro_file(), 0, 0, 4096); }
ROW(ro_map) { return CALL6(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro_file(), 0); }
ROW(ro_lock) { return CALL2(SYS_flock, ro_file(), 6); }

ROW(kill_kill) { return CALL2(SYS_kill, victim, SIGKILL); }
ROW(kill_cont) { return CALL2(SYS_kill, victim, SIGCONT); }
ROW(kill_probe) { return CALL2(SYS_kill, victim, 0); }
ROW(kill_group) { return CALL2(SYS_kill, -victim, SIGCONT); }
ROW(do_tgkill) { return CALL3(SYS_tgkill, victim, victim, SIGCONT); }
ROW(do_tkill) { return CALL2(SYS_tkill, victim, SIGCONT); }
ROW(do_sigqueue) { siginfo_t *si = room(sizeof(*si)); si->si_code = SI_QUEUE; return CALL3(SYS_rt_sigqueueinfo, victim, SIGCONT, T(si)); }
ROW(do_pidfd) { return opened(CALL2(SYS_pidfd_open, victim, 0)); }
static int *pipe_of_host(void) { int *p = room(8); return CALL2(SYS_pipe2, T(p), 0) < 0 ? NULL : p; }
ROW(fcntl_owner) { int *p = pipe_of_host(); return p ? CALL3(SYS_fcntl, p[0], F_SETOWN, victim) : -EMFILE; }
ROW(fcntl_owner_ex)
{
	int *p = pipe_of_host();
	struct f_owner_ex *o = room(sizeof(*o));

	o->type = F_OWNER_PID;
	o->pid = (pid_t)victim;
	return p ? CALL3(SYS_fcntl, p[0], F_SETOWN_EX, T(o)) : -EMFILE;
}
ROW(timer_at)
{
	struct sigevent *ev = room(sizeof(*ev));

	ev->sigev_notify = SIGEV_THREAD_ID;
	ev->sigev_signo = SIGKILL;
	((int *)ev)[4] = (int)victim;
	return CALL3(SYS_timer_create, CLOCK_MONOTONIC, T(ev), B());
}
ROW(do_attach) { return CALL4(SYS_ptrace, PTRACE_ATTACH, victim, 0, 0); }
ROW(do_seize) { return CALL4(SYS_ptrace, PTRACE_SEIZE, victim, 0, 0); }
static long peek(void) { return CALL4(SYS_ptrace, PTRACE_PEEKDATA, victim, bait, B()); }
/* it stops a moment after it was attached to */
ROW(do_peek)
{
	long ret = -1;

	for (int i = 0; ret < 0 && i < 50; i++) {
		usleep(i * 1000);
		ret = peek();
	}
	return ret;
}
ROW(vm_readv)
{
	struct iovec *v = room(2 * sizeof(*v));

	v[0] = (struct iovec){ (void *)B(), 8 };
	v[1] = (struct iovec){ (void *)bait, 8 };
	return CALL6(SYS_process_vm_readv, victim, T(v), 1, T(v + 1), 1, 0);
}
ROW(vm_writev)
{
	struct iovec *v = room(2 * sizeof(*v));

	v[0] = (struct iovec){ (void *)B(), 8 };
	v[1] = (struct iovec){ (void *)bait, 8 };
	return CALL6(SYS_process_vm_writev, victim, T(v), 1, T(v + 1), 1, 0);
}
ROW(do_prlimit) { return CALL4(SYS_prlimit64, victim, RLIMIT_NOFILE, 0, B()); }
ROW(do_setaffinity) { unsigned long *m = room(8); *m = 1; return CALL3(SYS_sched_setaffinity, victim, 8, T(m)); }
ROW(do_getaffinity) { return CALL3(SYS_sched_getaffinity, victim, 128, B()); }
ROW(do_robust_list) { return CALL3(SYS_get_robust_list, victim, B(), B()); }
ROW(do_scheduler) { return CALL3(SYS_sched_setscheduler, victim, SCHED_BATCH, T(room(8))); }
ROW(do_priority) { return CALL3(SYS_setpriority, PRIO_PROCESS, victim, 10); }
ROW(do_ioprio) { return CALL3(251, 1, victim, 2 << 13 | 7); }
ROW(do_getpgid) { return CALL1(SYS_getpgid, victim); }
ROW(do_getsid) { return CALL1(SYS_getsid, victim); }
ROW(do_setsid) { return CHILD(CALL0(SYS_setsid)); }
ROW(do_setpgid) { return CHILD(CALL2(SYS_setpgid, 0, 0)); }
ROW(no_death_signal) { return CHILD(CALL2(SYS_prctl, PR_SET_PDEATHSIG, 0)); }
ROW(do_kcmp) { return CALL5(SYS_kcmp, victim, victim, 0, 0, 0); }
ROW(do_wait) { return CALL4(SYS_wait4, victim, 0, WNOHANG, 0); }


ROW(socket_unix) { return opened(CALL3(SYS_socket, AF_UNIX, SOCK_STREAM, 0)); }
ROW(socket_tcp) { return opened(CALL3(SYS_socket, AF_INET, SOCK_STREAM, 0)); }
ROW(socket_udp) { return opened(CALL3(SYS_socket, AF_INET, SOCK_DGRAM, 0)); }
ROW(socket_tcp6) { return opened(CALL3(SYS_socket, AF_INET6, SOCK_STREAM, 0)); }
ROW(socket_netlink) { return opened(CALL3(SYS_socket, AF_NETLINK, SOCK_RAW, 0)); }
ROW(socket_vsock) { return opened(CALL3(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0)); }
ROW(pair_datagram) { return CALL4(SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, B()); }
ROW(connect_port)
{
	struct sockaddr_in *sin = room(sizeof(*sin));
	long fd = CALL3(SYS_socket, AF_INET, SOCK_STREAM, 0), ret;

	if (fd < 0)
		return fd;
	*sin = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	ret = CALL3(SYS_connect, fd, T(sin), sizeof(*sin));
	opened(fd);
	return ret;
}
ROW(send_path)
{
	struct sockaddr_un *sun = room(sizeof(*sun));
	int *p = room(8);
	long fd = CALL3(SYS_socket, AF_UNIX, SOCK_DGRAM, 0), ret;

	sun->sun_family = AF_UNIX;
	snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/sock", dir);
	if (fd < 0 && (ret = CALL4(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, T(p))) < 0)
		return ret;
	return CALL6(SYS_sendto, fd < 0 ? p[0] : fd, S("hi"), 2, 0, T(sun), sizeof(*sun));
}
/* The address is in a structure, which no filter sees: the kinds of sockets make it useless. */
ROW(sendmsg_path)
{
	struct sockaddr_un *sun = room(sizeof(*sun));
	struct iovec *iov = room(sizeof(*iov));
	struct msghdr *m = room(sizeof(*m));
	int *p = room(8);
	long fd = CALL3(SYS_socket, AF_UNIX, SOCK_DGRAM, 0), ret;

	sun->sun_family = AF_UNIX;
	snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/sock", dir);
	*iov = (struct iovec){ (void *)S("hi"), 2 };
	*m = (struct msghdr){ .msg_name = (void *)T(sun), .msg_namelen = sizeof(*sun), .msg_iov = (void *)T(iov), .msg_iovlen = 1 };
	if (fd < 0 && (ret = CALL4(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, T(p))) < 0)
		return ret;
	return CALL3(SYS_sendmsg, fd < 0 ? p[0] : fd, T(m), 0);
}
static long clone_with(unsigned long flags) { return host_call(SYS_clone, true, flags | SIGCHLD, 0, 0, 0, 0, 0); }
ROW(clone_user) { return clone_with(CLONE_NEWUSER); }
ROW(clone_net) { return clone_with(CLONE_NEWUSER | CLONE_NEWNET); }
ROW(clone_mount) { return clone_with(CLONE_NEWUSER | CLONE_NEWNS); }
ROW(clone_pid) { return clone_with(CLONE_NEWUSER | CLONE_NEWPID); }
ROW(clone_parent) { return clone_with(CLONE_PARENT); }
ROW(clone_files) { return clone_with(0); }
ROW(do_clone3)
{
	unsigned long *a = room(64);

	a[0] = CLONE_NEWUSER;
	a[4] = SIGCHLD;
	return host_call(SYS_clone3, true, T(a), 64, 0, 0, 0, 0);
}
/* (a namespace takes a process that shares no memory) */
ROW(do_unshare) { return CHILD(CALL1(SYS_unshare, CLONE_FILES)); }
ROW(do_setns) { return CALL2(SYS_setns, share_fd, 0) == -EINVAL ? 0 : CALL2(SYS_setns, share_fd, 0); }
static unsigned long argv_of(const char *text)
{
	unsigned long *v = room(16);

	v[0] = S(text);
	return T(v);
}
ROW(do_execve) { return CHILD(CALL3(SYS_execve, S("/bin/true"), argv_of("true"), 0)); }
/* a program of the system's, through the loader that the kernel's own library folders have */
ROW(exec_loader)
{
	unsigned long *v = room(24);

	v[0] = S("ld");
	v[1] = S("/bin/true");
	return CHILD(CALL3(SYS_execve, S("/lib64/ld-linux-x86-64.so.2"), T(v), 0));
}
ROW(exec_at) { return CHILD(CALL5(SYS_execveat, AT_FDCWD, S("/bin/true"), argv_of("true"), 0, 0)); }
ROW(exec_at_empty) { return CHILD(CALL5(SYS_execveat, AT_FDCWD, S("/bin/true"), argv_of("true"), 0, AT_EMPTY_PATH)); }

ROW(io_uring) { return opened(CALL2(425, 8, T(room(128)))); }
ROW(do_bpf) { return opened(CALL3(SYS_bpf, 0, B(), 0)) == -EINVAL ? 0 : CALL3(SYS_bpf, 0, B(), 0); }
ROW(do_userfault) { return opened(CALL1(SYS_userfaultfd, 1)); }
ROW(do_keyctl) { return CALL2(SYS_keyctl, 0, -3); }
ROW(do_addkey) { return CALL5(SYS_add_key, S("user"), S("hostile"), S("x"), 1, -3); }
ROW(do_perf) { unsigned int *a = room(128); a[0] = 1; a[1] = 128; a[10] = 0x60; return opened(CALL5(SYS_perf_event_open, T(a), 0, -1, -1, 0)); }
ROW(do_mount) { return CALL5(SYS_mount, S("t"), at("dir"), S("tmpfs"), 0, 0); }
ROW(do_inotify) { return opened(CALL1(SYS_inotify_init1, 0)); }
ROW(do_fanotify) { return opened(CALL2(SYS_fanotify_init, 0x200, 0)); }
ROW(do_handle) { unsigned int *h = room(256); h[0] = 128; return CALL5(SYS_name_to_handle_at, AT_FDCWD, at("secret"), T(h), B(), 0); }
ROW(do_personality) { return CALL1(SYS_personality, 0xffffffff); }
ROW(do_shmget) { long id = CALL3(SYS_shmget, 0, 4096, 01600); if (id >= 0) CALL3(SYS_shmctl, id, 0, 0); return id; }
ROW(do_msgget) { long id = CALL2(SYS_msgget, 0, 01600); if (id >= 0) CALL3(SYS_msgctl, id, 0, 0); return id; }
ROW(do_mqopen) { long fd = opened(CALL4(SYS_mq_open, S("hostile"), O_CREAT | O_RDWR, 0600, 0)); if (fd >= 0) CALL1(SYS_mq_unlink, S("hostile")); return fd; }
ROW(do_ioctl) { int *p = pipe_of_host(); return p ? CALL3(SYS_ioctl, p[0], FIONREAD, B()) : -EMFILE; }
ROW(do_push) { return CALL3(SYS_ioctl, 0, TIOCSTI, S("x")) == -ENOTTY ? 0 : CALL3(SYS_ioctl, 0, TIOCSTI, S("x")); }
ROW(do_dumpable) { return CHILD(CALL2(SYS_prctl, PR_SET_DUMPABLE, 1)); }
ROW(do_subreaper) { return CALL2(SYS_prctl, PR_SET_CHILD_SUBREAPER, 0); }
ROW(do_umask) { return CHILD(CALL1(SYS_umask, 0)); }
ROW(do_setuid) { return CHILD(CALL1(SYS_setfsuid, 0)); }
ROW(do_syslog) { return CALL3(SYS_syslog, 10, 0, 0); }
ROW(do_getgroups) { return CALL2(SYS_getgroups, 0, 0); }
ROW(do_landlock) { return opened(CALL3(444, 0, 0, 1)); }
ROW(do_mseal) { return CALL3(SYS_mincore, arena_there & ~4095UL, 4096, B()); }
ROW(x32_call) { long ret = CALL0(0x40000000 | 39); return ret; }

ROW(raise_limit)
{
	struct rlimit *l = room(sizeof(*l));

	CALL4(SYS_prlimit64, 0, RLIMIT_CORE, 0, T(l));
	if (l->rlim_max == RLIM_INFINITY)
		return 0;
	l->rlim_max = RLIM_INFINITY;
	return CALL4(SYS_prlimit64, 0, RLIMIT_CORE, T(l), 0);
}
ROW(do_memfd) { return opened(CALL2(SYS_memfd_create, S("x"), 0)); }
ROW(do_traceme) { return CHILD(CALL4(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0)); }
ROW(read_cpuinfo) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/proc/cpuinfo"), O_RDONLY, 0)); }
ROW(read_library) { return opened(CALL4(SYS_openat, AT_FDCWD, S("/usr/lib/os-release"), O_RDONLY, 0)); }
ROW(do_syncfs) { return CALL1(SYS_syncfs, share_fd); }
ROW(do_fstatfs) { return CALL2(SYS_fstatfs, share_fd, B()); }
ROW(do_times) { return CALL2(SYS_getrusage, 0, B()); }
ROW(do_sysinfo) { return CALL1(SYS_sysinfo, B()); }
ROW(do_uname) { return CALL1(SYS_uname, B()); }
ROW(do_membarrier) { return CALL3(SYS_membarrier, 0, 0, 0); }

enum {
	FILTER = 1,	/* the filter refuses it */
	WARDEN = 2,	/* the warden, which the filter asks */
	LANDLOCK = 4,	/* of any age */
	SCOPES = 8,	/* from ABI 6 on */
	NAMES = 16,	/* namespaces */
	ANY = 31,
	HOST = 32,	/* any host, walls or not */
};

static const struct row {
	const char *name;
	long (*call)(void);
	int walls;		/* each of which refuses it; 0: none does, because it is */
	const char *harmless;	/* ... */
} rows[] = {
#include "rows.h"
};

/* The kernel's descriptor of the share @tag: "humfs=TAG:N" of its command line. */
static int fd_of(const char *tag)
{
	static char line[8192];
	FILE *f = fopen("/proc/cmdline", "re");
	char want[64];

	if (!f || !fgets(line, sizeof(line), f))
		exit(200);
	fclose(f);
	snprintf(want, sizeof(want), " humfs=%s:", tag);
	if (!strstr(line, want)) {
		fprintf(stderr, "no share %s\n", tag);
		exit(200);
	}
	return atoi(strstr(line, want) + strlen(want));
}

static int standing(const char *letters)
{
	return (strchr(letters, 'f') ? FILTER : 0) | (strchr(letters, 'w') ? WARDEN : 0) |
	       (strchr(letters, 'l') ? LANDLOCK : 0) | (strchr(letters, 's') ? SCOPES : 0) |
	       (strchr(letters, 'n') ? NAMES : 0) | HOST;
}

static bool try_row(const struct row *r, int walls)
{
	const char *verdict;
	bool good = true;
	long ret;

	used = 0;
	ret = r->call();
	if (r->walls & walls) {
		good = ret < 0;
		verdict = good ? "refused" : "ALLOWED";
	} else if (ret >= 0) {
		verdict = r->harmless ? r->harmless : "allowed, as nothing refuses it here";
	/* what the host's kernel does not have, or not for this user, shows nothing */
	} else if (ret == -ENOSYS || ret == -EPERM || ret == -EOPNOTSUPP || ret == -EAFNOSUPPORT ||
		   ret == -ENOKEY) {
		verdict = "the host has none of it";
	} else {
		verdict = "FAILED, though nothing should refuse it";
		good = false;
	}
	printf("%-4s %-34s %-20s %s\n", good ? "ok" : "BAD", r->name,
	       ret < 0 ? strerrorname_np((int)-ret) ? strerrorname_np((int)-ret) : "?" : "0", verdict);
	fflush(stdout);
	return good;
}

int main(int argc, char **argv)
{
	int bad = 0, walls;

	if (argc != 6) {
		fprintf(stderr, "usage: guest-hostile WALLS DIR VICTIM BAIT PORT\n");
		return 200;
	}
	walls = standing(argv[1]);
	dir = argv[2];
	victim = atol(argv[3]);
	bait = strtoul(argv[4], NULL, 0);
	port = atoi(argv[5]);
	share_fd = fd_of("m1");
	ro_fd = fd_of("m2");
	device = open("/dev/hostcall", O_RDWR | O_CLOEXEC);
	arena = device < 0 ? MAP_FAILED : mmap(NULL, HOSTCALL_ARENA, PROT_READ | PROT_WRITE, MAP_SHARED,
					       device, 0);
	if (arena == MAP_FAILED || ioctl(device, HOSTCALL_BASE, &arena_there) < 0) {
		perror("/dev/hostcall");
		return 200;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bad += !try_row(&rows[i], walls);
	/* as the last row: whoever comes after it would find nobody */
	printf("%zu rows, %d bad\n", sizeof(rows) / sizeof(rows[0]), bad);
	return bad > 100 ? 100 : bad;
}
