/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls that tests/unit/test-cage-wall.c tries behind each wall, on the world that it keeps in
 * w.  Each returns what the system call did.
 */
#ifndef TESTS_SUPPORT_WALL_CALLS_H
#define TESTS_SUPPORT_WALL_CALLS_H

#define CALL(name) static long name(void)

CALL(open_file) { return open(w.secret, O_RDONLY); }
CALL(open_write) { return open(w.secret, O_WRONLY); }
CALL(open_dir) { return open(w.dir, O_RDONLY | O_DIRECTORY); }
CALL(open_create) { return open(w.made, O_CREAT | O_RDWR, 0600); }
CALL(open_above) { return openat(w.share_fd, "../home/secret", O_RDONLY); }
CALL(open_shm) { return open("/dev/shm/test-wall", O_CREAT | O_RDWR, 0600); }
CALL(open_tmp) { return open("/tmp", O_RDONLY | O_DIRECTORY); }
CALL(open_passwd) { return open("/etc/passwd", O_RDONLY); }
CALL(open_process) { char p[64]; snprintf(p, sizeof(p), "/proc/%d/mem", w.victim); return open(p, O_RDWR); }
CALL(open_maps) { char p[64]; snprintf(p, sizeof(p), "/proc/%d/maps", w.victim); return open(p, O_RDONLY); }
CALL(open_ptmx) { return open("/dev/ptmx", O_RDWR); }
CALL(do_openat2)
{
	struct open_how how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, w.secret, &how, sizeof(how));
}
CALL(do_truncate) { return truncate(w.secret, 0); }
CALL(do_unlink) { return unlinkat(AT_FDCWD, w.secret, 0); }
CALL(unlink_above) { return unlinkat(w.share_fd, "../home/secret", 0); }
CALL(do_mkdir) { return mkdirat(AT_FDCWD, w.made, 0700); }
CALL(do_rmdir) { return unlinkat(AT_FDCWD, w.empty, AT_REMOVEDIR); }
CALL(do_symlink) { return symlinkat("x", AT_FDCWD, w.made); }
CALL(link_in) { return linkat(AT_FDCWD, w.secret, w.share_fd, "got", 0); }
CALL(rename_in) { return renameat(AT_FDCWD, w.secret, w.share_fd, "got"); }
CALL(rename_out) { mkdirat(w.share_fd, "d", 0700); return renameat(w.share_fd, "d", AT_FDCWD, w.made); }
CALL(do_mknod) { return syscall(SYS_mknod, w.made, S_IFIFO | 0600, 0); }
CALL(do_mknodat) { return mknodat(AT_FDCWD, w.made, S_IFIFO | 0600, 0); }
CALL(do_chmod) { return chmod(w.secret, 0777); }
CALL(do_fchmodat) { return syscall(SYS_fchmodat, AT_FDCWD, w.secret, 0666); }
CALL(do_fchmodat2) { return syscall(452, AT_FDCWD, w.secret, 0666, 0); }
CALL(do_chown) { return chown(w.secret, geteuid(), (gid_t)-1); }
CALL(do_setxattr) { return setxattr(w.secret, "user.evil", "x", 1, 0); }
CALL(do_lsetxattr) { return lsetxattr(w.secret, "user.evil", "x", 1, 0); }
CALL(do_getxattr) { char b[10]; return getxattr(w.secret, "user.s", b, sizeof(b)); }
CALL(do_lgetxattr) { char b[10]; return lgetxattr(w.secret, "user.s", b, sizeof(b)); }
CALL(do_listxattr) { char b[99]; return listxattr(w.secret, b, sizeof(b)); }
CALL(do_removexattr) { return removexattr(w.secret, "user.s"); }
CALL(do_lremovexattr) { return lremovexattr(w.secret, "user.s"); }
struct xattr_at { uint64_t value; uint32_t size, flags; };
CALL(do_setxattrat)
{
	struct xattr_at a = { (uintptr_t)"x", 1, 0 };

	return syscall(463, AT_FDCWD, w.secret, 0, "user.evil", &a, sizeof(a));
}
CALL(do_getxattrat)
{
	char b[10];
	struct xattr_at a = { (uintptr_t)b, sizeof(b), 0 };

	return syscall(464, AT_FDCWD, w.secret, 0, "user.s", &a, sizeof(a));
}
CALL(do_removexattrat) { return syscall(466, AT_FDCWD, w.secret, 0, "user.s"); }
CALL(do_utimensat) { return utimensat(AT_FDCWD, w.secret, NULL, 0); }
CALL(do_stat) { struct stat st; return stat(w.secret, &st); }
CALL(do_statx) { struct statx sx; return statx(AT_FDCWD, w.secret, 0, STATX_BASIC_STATS, &sx); }
CALL(statx_above) { struct statx sx; return statx(w.share_fd, "../home/secret", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx); }
CALL(statx_link) { struct statx sx; return statx(AT_FDCWD, w.link, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx); }
CALL(stat_empty) { struct stat st; return syscall(SYS_newfstatat, AT_FDCWD, w.secret, &st, AT_EMPTY_PATH); }
CALL(do_readlinkat) { char b[99]; return readlinkat(AT_FDCWD, w.link, b, sizeof(b)); }
CALL(utimensat_link) { return utimensat(AT_FDCWD, w.link, NULL, AT_SYMLINK_NOFOLLOW); }
CALL(do_access) { return access(w.secret, R_OK); }
CALL(do_readlink) { char b[99]; return readlink(w.link, b, sizeof(b)); }
CALL(do_statfs) { struct statfs s; return statfs(w.dir, &s); }
CALL(open_path) { return open(w.secret, O_PATH); }
CALL(do_chdir) { return chdir(w.dir); }
CALL(do_getcwd) { char b[999]; return getcwd(b, sizeof(b)) ? 0 : -1; }

/* A file that is only to be read: its attributes are the user's. */
static int ro_file(void) { return openat(w.ro_fd, "file", O_RDONLY); }
CALL(ro_write) { return openat(w.ro_fd, "file", O_WRONLY); }
CALL(ro_create) { return openat(w.ro_fd, "new", O_CREAT | O_RDWR, 0600); }
CALL(ro_unlink) { return unlinkat(w.ro_fd, "file", 0); }
CALL(ro_fchmod) { return fchmod(ro_file(), 0777); }
CALL(ro_fsetxattr) { return fsetxattr(ro_file(), "user.evil", "x", 1, 0); }
CALL(ro_futimens) { return syscall(SYS_utimensat, ro_file(), NULL, NULL, 0); }

/* A single file is the cage's by its descriptor: not by a name, not in another way, no sibling. */
static long again(int fd, int flags)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, flags);
}
CALL(file_write) { return pwrite(w.file_fd, "x", 1, 0); }
CALL(file_truncate) { return ftruncate(w.file_fd, 3); }
CALL(file_above) { return openat(w.file_fd, "..", O_RDONLY) < 0 ? open(w.dir, O_RDONLY) : 0; }
CALL(file_sibling) { cleanup_free char *name = path_join(w.dir, "ro-single"); return open(name, O_RDONLY); }
CALL(ro_file_again) { return again(w.ro_file_fd, O_RDWR); }
CALL(ro_file_truncate) { return again(w.ro_file_fd, O_RDWR | O_TRUNC); }
CALL(ro_file_fchmod) { return fchmod(w.ro_file_fd, 0777); }
/* Nodes are for ordinary folders. */
CALL(bound_fifo) { return mknodat(w.bound_fd, "fifo", S_IFIFO | 0600, 0); }
CALL(bound_socket) { return mknodat(w.bound_fd, "sock", S_IFSOCK | 0600, 0); }
CALL(share_fifo) { return mknodat(w.share_fd, "fifo", S_IFIFO | 0600, 0); }
CALL(share_socket) { return mknodat(w.share_fd, "sock", S_IFSOCK | 0600, 0); }
/* (root's alone otherwise, but for this one) */
CALL(bound_whiteout) { return mknodat(w.bound_fd, "char", S_IFCHR | 0600, 0); }
CALL(bound_fchown) { return fchown(w.file_fd, (uid_t)-1, getegid()); }
/* What the kernel does all the time, and has to be able to. */
CALL(in_statx)
{
	struct statx sx = { 0 };
	int ret = statx(w.share_fd, "link", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx);

	return ret < 0 ? ret : S_ISLNK(sx.stx_mode) && sx.stx_size == 6 ? 0 : -1;
}
CALL(in_readlink)
{
	char b[9] = "";

	return readlinkat(w.share_fd, "link", b, sizeof(b)) == 6 && strcmp(b, "secret") == 0 ? 0 : -1;
}
CALL(in_utimensat)
{
	struct timespec ts[2] = { { .tv_sec = 1000000 }, { .tv_sec = 2000000 } };
	struct statx sx = { 0 };
	int ret = utimensat(w.share_fd, "link", ts, AT_SYMLINK_NOFOLLOW);

	if (ret < 0)
		return ret;
	ret = statx(w.share_fd, "link", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &sx);
	return ret < 0 ? ret : sx.stx_mtime.tv_sec == 2000000 ? 0 : -1;
}
static int share_file(void) { return openat(w.share_fd, "file", O_RDWR); }
CALL(in_futimens) { return syscall(SYS_utimensat, share_file(), NULL, NULL, 0); }
CALL(in_fchmod)
{
	int fd = share_file();
	struct stat st;

	if (fchmod(fd, 0700) < 0 || syscall(SYS_fstat, fd, &st) < 0)
		return -1;
	return (st.st_mode & 0777) == 0700 ? 0 : -1;
}
CALL(in_fsetxattr)
{
	char b[9] = "";
	int fd = share_file();

	if (fsetxattr(fd, "user.t", "value", 5, 0) < 0)
		return -1;
	return fgetxattr(fd, "user.t", b, sizeof(b)) == 5 && strcmp(b, "value") == 0 ? 0 : -1;
}
CALL(in_fremovexattr) { return fremovexattr(share_file(), "user.s"); }
CALL(in_fstat)
{
	struct stat st = { 0 };
	int ret = (int)syscall(SYS_newfstatat, share_file(), "", &st, AT_EMPTY_PATH);

	return ret < 0 ? ret : st.st_size == 4 ? 0 : -1;
}
static pid_t child_of_ours(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}
CALL(kill_child)
{
	pid_t pid = child_of_ours();

	if (kill(pid, SIGKILL) < 0)
		return -1;
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}
CALL(place_child)
{
	pid_t pid = child_of_ours();
	cpu_set_t s;
	int ret;

	sched_getaffinity(0, sizeof(s), &s);
	ret = sched_setaffinity(pid, sizeof(s), &s);
	kill(pid, SIGKILL);
	return ret;
}

CALL(kill_term) { return kill(w.victim, SIGTERM); }
CALL(kill_kill) { return kill(w.victim, SIGKILL); }
CALL(kill_probe) { return kill(w.victim, 0); }
CALL(kill_group) { return kill(-w.victim, SIGKILL); }
CALL(do_tgkill) { return syscall(SYS_tgkill, w.victim, w.victim, SIGKILL); }
CALL(do_tkill) { return syscall(SYS_tkill, w.victim, SIGKILL); }
CALL(do_sigqueue) { siginfo_t si = { .si_code = SI_QUEUE }; return syscall(SYS_rt_sigqueueinfo, w.victim, SIGUSR1, &si); }
CALL(do_pidfd) { return syscall(SYS_pidfd_open, w.victim, 0); }
/* The kernel sends it when the pipe can be read: with F_SETSIG, any signal. */
CALL(fcntl_owner) { int p[2]; return pipe(p) < 0 ? -1 : fcntl(p[0], F_SETOWN, w.victim); }
CALL(fcntl_owner_group) { int p[2]; return pipe(p) < 0 ? -1 : fcntl(p[0], F_SETOWN, -w.victim); }
CALL(do_ptrace) { return ptrace(PTRACE_ATTACH, w.victim, NULL, NULL); }
CALL(do_seize) { return ptrace(PTRACE_SEIZE, w.victim, NULL, NULL); }
CALL(vm_readv)
{
	long got;
	struct iovec here = { &got, sizeof(got) }, there = { &w.bait, sizeof(got) };

	return process_vm_readv(w.victim, &here, 1, &there, 1, 0);
}
CALL(vm_writev)
{
	long put_there = 1;
	struct iovec here = { &put_there, sizeof(put_there) }, there = { &w.bait, sizeof(put_there) };

	return process_vm_writev(w.victim, &here, 1, &there, 1, 0);
}
CALL(do_prlimit) { struct rlimit l; return prlimit(w.victim, RLIMIT_NOFILE, NULL, &l); }
CALL(do_affinity) { cpu_set_t s; sched_getaffinity(0, sizeof(s), &s); return sched_setaffinity(w.victim, sizeof(s), &s); }
CALL(do_scheduler) { struct sched_param p = { 0 }; return sched_setscheduler(w.victim, SCHED_BATCH, &p); }
CALL(do_priority) { return setpriority(PRIO_PROCESS, (id_t)w.victim, 10); }
CALL(do_getpgid) { return getpgid(w.victim); }
CALL(do_getaffinity) { cpu_set_t s; return sched_getaffinity(w.victim, sizeof(s), &s); }
CALL(do_robust_list) { void *head; size_t len; return syscall(SYS_get_robust_list, w.victim, &head, &len); }
CALL(do_setsid) { return setsid(); }
CALL(no_death_signal) { return prctl(PR_SET_PDEATHSIG, 0); }
CALL(do_setpgid) { return setpgid(0, 0); }

CALL(socket_unix) { return socket(AF_UNIX, SOCK_DGRAM, 0); }
CALL(socket_inet) { return socket(AF_INET, SOCK_STREAM, 0); }
CALL(socket_udp) { return socket(AF_INET, SOCK_DGRAM, 0); }
CALL(socket_netlink) { return socket(AF_NETLINK, SOCK_RAW, 0); }
CALL(pair_datagram) { int p[2]; return socketpair(AF_UNIX, SOCK_DGRAM, 0, p); }
/* A stream pair is always to be had; nothing can be addressed through it. */
CALL(send_path)
{
	struct sockaddr_un sun = address(w.sock);
	int p[2] = { socket(AF_UNIX, SOCK_DGRAM, 0), -1 };

	if (p[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return -1;
	return sendto(p[0], "hi", 2, 0, (void *)&sun, sizeof(sun));
}
CALL(sendmsg_path)
{
	struct sockaddr_un sun = address(w.sock);
	struct iovec iov = { "hi", 2 };
	struct msghdr m = { .msg_name = &sun, .msg_namelen = sizeof(sun), .msg_iov = &iov, .msg_iovlen = 1 };
	int p[2] = { socket(AF_UNIX, SOCK_DGRAM, 0), -1 };

	if (p[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return -1;
	return sendmsg(p[0], &m, 0);
}
CALL(connect_abstract)
{
	struct sockaddr_un sun;
	socklen_t len = abstract_address(&sun);
	int p[2] = { socket(AF_UNIX, SOCK_STREAM, 0), -1 };

	if (p[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0)
		return -1;
	return connect(p[0], (void *)&sun, len);
}

static long clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}
CALL(clone_user) { return clone_with(CLONE_NEWUSER); }
CALL(clone_user_net) { return clone_with(CLONE_NEWUSER | CLONE_NEWNET); }
CALL(clone_user_mount) { return clone_with(CLONE_NEWUSER | CLONE_NEWNS); }
CALL(clone_parent) { return clone_with(CLONE_PARENT); }
CALL(do_clone3)
{
	struct { uint64_t flags, pidfd, child, parent, signal, stack, size, tls; } a = {
		.flags = CLONE_NEWUSER, .signal = SIGCHLD };
	long pid = syscall(SYS_clone3, &a, sizeof(a));

	if (pid == 0)
		_exit(0);
	return pid;
}
CALL(do_unshare) { return unshare(CLONE_NEWUSER); }
/* Something of the system that is not a library: /bin and not /usr/lib. */
CALL(do_execve)
{
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	if (pid < 0)
		return -1;
	waitpid(pid, &status, 0);
	errno = EACCES;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
CALL(do_ioctl_push) { char c = 'x'; int p[2]; return pipe(p) < 0 ? -1 : ioctl(p[0], FIONREAD, &c) < 0 ? -1 : 0; }
CALL(do_prctl_dumpable) { return prctl(PR_SET_DUMPABLE, 1); }
CALL(do_inotify) { return syscall(SYS_inotify_init1, 0); }
CALL(do_personality) { return syscall(SYS_personality, 0xffffffff); }
CALL(do_shmget) { return syscall(SYS_shmget, 0, 4096, 01600); }
CALL(do_msgget) { return syscall(SYS_msgget, 0, 01600); }

#endif
