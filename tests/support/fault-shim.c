// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes calls to the C library fail on order: a library to preload, driven by tests/support/faults.
 *
 *	FAULT=KIND	which calls are counted and what becomes of them (the table below)
 *	FAULT_AT=N	the Nth of them fails; N+ that one and all after it; N%M one in M from the Nth
 *			on, without a rhythm; 0 counts only
 *	FAULT_STATE=FILE	where the count is kept, for all processes of a run, and what was hit:
 *			struct state below
 *
 * Only programs of this project are hit: those whose name begins with "umlcage".  What they
 * start keeps the variables, and is left alone.  Calls that the C library makes itself count
 * where they go through its own symbols: malloc() in strdup(), but not open() in fopen().
 *
 * This file must not call what it replaces in between, and allocates nothing.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default"), used))

enum { FRAMES = 24 };

/* As tests/support/faults reads it. */
struct state {
	atomic_uint_fast64_t calls, hits;
	uint64_t nframes;
	char function[24];
	uint64_t offset[FRAMES];
	char object[FRAMES][40];
	atomic_uint_fast64_t begins;	/* programs that the first process has begun, libraries and all */
};

/* Bits, so that a function can belong to several. */
enum kind {
	ALLOC = 1 << 0,		/* ENOMEM of the allocator */
	MAP = 1 << 1,		/* ENOMEM of mmap and the like */
	FILES = 1 << 2,		/* EMFILE of what makes a descriptor */
	SPACE = 1 << 3,		/* ENOSPC of what writes or makes a name */
	IO = 1 << 4,		/* EIO of what reads or writes */
	SHORT = 1 << 5,		/* a read or write of one byte */
	INTR = 1 << 6,		/* EINTR of what may block */
	FORK = 1 << 7,		/* EAGAIN of a new process or thread */
	CLOCK = 1 << 8,		/* the time of day is two days later, from here on */
	BACK = 1 << 9,		/* ... or an hour earlier */
	QUOTA = 1 << 10,	/* EDQUOT, as SPACE */
};

static const struct { const char *name; enum kind kind; int errnum; } kinds[] = {
	{ "alloc", ALLOC, ENOMEM }, { "map", MAP, ENOMEM }, { "emfile", FILES, EMFILE },
	{ "enospc", SPACE, ENOSPC }, { "edquot", QUOTA, EDQUOT }, { "eio", IO, EIO },
	{ "short", SHORT, 0 }, { "eintr", INTR, EINTR }, { "fork", FORK, EAGAIN },
	{ "clock", CLOCK, 0 }, { "back", BACK, 0 },
};

static struct state *state;
static enum kind active;
static int active_errno;
static uint64_t at, every;	/* every: 0 once, 1 all from @at on, M one in M */

/* ---- whether ---- */

static void note(const char *function)
{
	void *frames[FRAMES];
	int n = backtrace(frames, FRAMES);

	strncpy(state->function, function, sizeof(state->function) - 1);
	for (int i = 0; i < n; i++) {
		Dl_info info;
		const char *base = "?";

		if (dladdr(frames[i], &info) && info.dli_fname) {
			base = strrchr(info.dli_fname, '/');
			base = base ? base + 1 : info.dli_fname;
			state->offset[i] = (uint64_t)((char *)frames[i] - (char *)info.dli_fbase);
		}
		strncpy(state->object[i], base, sizeof(state->object[i]) - 1);
	}
	state->nframes = (uint64_t)n;
}

/* Is this call, of the kinds @of, to fail?  errno is set for it then. */
static bool fails(unsigned int of, const char *function)
{
	static _Thread_local bool busy;
	uint64_t n;
	bool hit;

	if (!state || !(of & (unsigned int)active) || busy)
		return false;
	n = atomic_fetch_add(&state->calls, 1) + 1;
	hit = at && (n == at || (every && n > at && (n * 0x9e3779b97f4a7c15ULL >> 32) % every == 0));
	if (!hit)
		return false;
	busy = true;
	if (atomic_fetch_add(&state->hits, 1) == 0)
		note(function);
	busy = false;
	if (active_errno)
		errno = active_errno;
	return true;
}

static bool is_ours(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *base;

	if (n <= 0)
		return false;
	path[n] = '\0';
	base = strrchr(path, '/');
	return base && strncmp(base + 1, "umlcage", 7) == 0;
}

static void __attribute__((constructor)) begin(void)
{
	const char *name = getenv("FAULT"), *when = getenv("FAULT_AT"), *file = getenv("FAULT_STATE");
	void *unused[2];
	char *rest;
	long fd;
	void *map;

	if (!name || !when || !file || !is_ours())
		return;
	/* loads what it needs now */
	(void)backtrace(unused, 2);
	fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	map = (void *)syscall(SYS_mmap, (void *)0, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED,
			      fd, 0);
	(void)syscall(SYS_close, fd);
	if (map == MAP_FAILED)
		return;
	at = strtoull(when, &rest, 10);
	every = *rest == '+' ? 1 : *rest == '%' ? strtoull(rest + 1, NULL, 10) : 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0) {
			active = kinds[i].kind;
			active_errno = kinds[i].errnum;
		}
	state = map;
	if (getsid(0) == getpid())
		atomic_fetch_add(&state->begins, 1);
}

/* ---- calls ---- */

/* NOLINTBEGIN(bugprone-macro-parentheses): types, names and whole lists of arguments */

/*
 * REPLACE(returned, fails with, name, kinds, (parameters), (arguments)): the call as it is but
 * for the ones that fail.
 */
#define NEXT(name) ({							\
	static __typeof__(&name) next;					\
	if (!next)							\
		next = (__typeof__(&name))dlsym(RTLD_NEXT, #name);	\
	next; })

#define REPLACE(type, failed, name, of, params, args)			\
	EXPORT type name params						\
	{								\
		if (fails(of, #name))					\
			return failed;					\
		return NEXT(name) args;					\
	}

/* Allocation: dlsym() itself may allocate, so the C library's own names are used. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t align, size_t size);

EXPORT void *malloc(size_t size)
{
	return fails(ALLOC, "malloc") ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
	return fails(ALLOC, "calloc") ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return fails(ALLOC, "realloc") ? NULL : __libc_realloc(p, size);
}

EXPORT void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return fails(ALLOC, "reallocarray") ? NULL : __libc_realloc(p, bytes);
}

EXPORT void *memalign(size_t align, size_t size)
{
	return fails(ALLOC, "memalign") ? NULL : __libc_memalign(align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return fails(ALLOC, "aligned_alloc") ? NULL : __libc_memalign(align, size);
}

EXPORT int posix_memalign(void **out, size_t align, size_t size)
{
	void *p = fails(ALLOC, "posix_memalign") ? NULL : __libc_memalign(align, size);

	if (p)
		*out = p;
	return p ? 0 : ENOMEM;
}

REPLACE(void *, MAP_FAILED, mmap, MAP, (void *a, size_t l, int p, int f, int fd, off_t o),
	(a, l, p, f, fd, o))
REPLACE(void *, MAP_FAILED, mmap64, MAP, (void *a, size_t l, int p, int f, int fd, off64_t o),
	(a, l, p, f, fd, o))

/* Reading and writing; one byte instead of all. */
#define READS (IO | INTR)
#define WRITES (SPACE | QUOTA | IO | INTR)

static size_t cut(size_t len, const char *function)
{
	return len > 1 && fails(SHORT, function) ? 1 : len;
}

/* A datagram cut short is lost, so these are left to streams and files. */
static bool is_stream(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type == SOCK_STREAM;
}

/* Pipes, sockets and /proc/PID/mem are on no disk that could be full. */
static int writes_to(int fd)
{
	struct statfs fs;
	struct stat st;
	bool full = fstat(fd, &st) < 0 || S_ISBLK(st.st_mode) ||
		    (S_ISREG(st.st_mode) && (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC));

	return full ? WRITES : WRITES & ~(SPACE | QUOTA);
}

EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	if (fails(READS, "read"))
		return -1;
	/* of an eventfd or a signalfd there is all or nothing */
	return NEXT(read)(fd, buf, len == 8 || len == 128 || (active == SHORT && !is_stream(fd)) ?
				   len : cut(len, "read"));
}

EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	/* of its last words it cannot do anything about */
	if (fd != STDERR_FILENO && fails(writes_to(fd), "write"))
		return -1;
	return NEXT(write)(fd, buf, len == 8 || (active == SHORT && !is_stream(fd)) ?
				    len : cut(len, "write"));
}

EXPORT ssize_t pread(int fd, void *buf, size_t len, off_t o)
{
	return fails(READS, "pread") ? -1 : NEXT(pread)(fd, buf, cut(len, "pread"), o);
}

EXPORT ssize_t pread64(int fd, void *buf, size_t len, off64_t o)
{
	return fails(READS, "pread64") ? -1 : NEXT(pread64)(fd, buf, cut(len, "pread64"), o);
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t len, off_t o)
{
	return fails(writes_to(fd), "pwrite") ? -1 : NEXT(pwrite)(fd, buf, cut(len, "pwrite"), o);
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t o)
{
	return fails(writes_to(fd), "pwrite64") ? -1 : NEXT(pwrite64)(fd, buf, cut(len, "pwrite64"), o);
}

EXPORT ssize_t copy_file_range(int in, off64_t *ino, int out, off64_t *outo, size_t len, unsigned int f)
{
	return fails(WRITES, "copy_file_range") ? -1 :
	       NEXT(copy_file_range)(in, ino, out, outo, cut(len, "copy_file_range"), f);
}

REPLACE(ssize_t, -1, readv, READS, (int fd, const struct iovec *v, int n), (fd, v, n))
REPLACE(ssize_t, -1, writev, WRITES, (int fd, const struct iovec *v, int n), (fd, v, n))
REPLACE(ssize_t, -1, recv, INTR, (int fd, void *b, size_t l, int f), (fd, b, l, f))
REPLACE(ssize_t, -1, send, INTR, (int fd, const void *b, size_t l, int f), (fd, b, l, f))
REPLACE(int, -1, fsync, SPACE | QUOTA | IO, (int fd), (fd))
REPLACE(int, -1, fdatasync, SPACE | QUOTA | IO, (int fd), (fd))
REPLACE(int, -1, syncfs, SPACE | QUOTA | IO, (int fd), (fd))
REPLACE(int, -1, ftruncate, SPACE | QUOTA | IO, (int fd, off_t l), (fd, l))
REPLACE(int, -1, ftruncate64, SPACE | QUOTA | IO, (int fd, off64_t l), (fd, l))
REPLACE(int, -1, fallocate, SPACE | QUOTA, (int fd, int m, off_t o, off_t l), (fd, m, o, l))
REPLACE(int, -1, fallocate64, SPACE | QUOTA, (int fd, int m, off64_t o, off64_t l), (fd, m, o, l))
REPLACE(struct dirent *, NULL, readdir, IO, (DIR *d), (d))
REPLACE(struct dirent64 *, NULL, readdir64, IO, (DIR *d), (d))

/* Names. */
#define NAMES (SPACE | QUOTA | IO)

REPLACE(int, -1, mkdir, NAMES, (const char *p, mode_t m), (p, m))
REPLACE(int, -1, mkdirat, NAMES, (int d, const char *p, mode_t m), (d, p, m))
REPLACE(int, -1, symlinkat, NAMES, (const char *t, int d, const char *p), (t, d, p))
REPLACE(int, -1, linkat, NAMES, (int d, const char *p, int e, const char *q, int f), (d, p, e, q, f))
REPLACE(int, -1, rename, NAMES, (const char *p, const char *q), (p, q))
REPLACE(int, -1, renameat, NAMES, (int d, const char *p, int e, const char *q), (d, p, e, q))
REPLACE(int, -1, renameat2, NAMES, (int d, const char *p, int e, const char *q, unsigned int f),
	(d, p, e, q, f))
REPLACE(int, -1, unlinkat, IO, (int d, const char *p, int f), (d, p, f))
REPLACE(int, -1, fsetxattr, NAMES, (int fd, const char *n, const void *v, size_t l, int f),
	(fd, n, v, l, f))
REPLACE(ssize_t, -1, fgetxattr, IO, (int fd, const char *n, void *v, size_t l), (fd, n, v, l))
REPLACE(int, -1, fchmod, IO, (int fd, mode_t m), (fd, m))
REPLACE(int, -1, fstat, IO, (int fd, struct stat *st), (fd, st))
REPLACE(int, -1, fstat64, IO, (int fd, struct stat64 *st), (fd, st))
REPLACE(int, -1, fstatat, IO, (int d, const char *p, struct stat *st, int f), (d, p, st, f))
REPLACE(int, -1, fstatat64, IO, (int d, const char *p, struct stat64 *st, int f), (d, p, st, f))
REPLACE(int, -1, utimensat, IO, (int d, const char *p, const struct timespec t[2], int f),
	(d, p, t, f))

/* Descriptors. */
static unsigned int opening(int flags)
{
	return FILES | (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? SPACE | QUOTA : 0) | IO;
}

#define OPENS(name, params, args)					\
	EXPORT int name params						\
	{								\
		va_list ap;						\
		mode_t mode;						\
									\
		va_start(ap, flags);					\
		mode = va_arg(ap, mode_t);				\
		va_end(ap);						\
		return fails(opening(flags), #name) ? -1 : NEXT(name) args; \
	}

/* NOLINTEND(bugprone-macro-parentheses) */

OPENS(open, (const char *p, int flags, ...), (p, flags, mode))
OPENS(open64, (const char *p, int flags, ...), (p, flags, mode))
OPENS(openat, (int d, const char *p, int flags, ...), (d, p, flags, mode))
OPENS(openat64, (int d, const char *p, int flags, ...), (d, p, flags, mode))
REPLACE(int, -1, socket, FILES, (int d, int t, int p), (d, t, p))
REPLACE(int, -1, socketpair, FILES, (int d, int t, int p, int v[2]), (d, t, p, v))
REPLACE(int, -1, pipe, FILES, (int v[2]), (v))
REPLACE(int, -1, pipe2, FILES, (int v[2], int f), (v, f))
REPLACE(int, -1, dup, FILES, (int fd), (fd))
REPLACE(int, -1, memfd_create, FILES, (const char *n, unsigned int f), (n, f))
REPLACE(int, -1, eventfd, FILES, (unsigned int v, int f), (v, f))
REPLACE(DIR *, NULL, opendir, FILES | IO, (const char *p), (p))

EXPORT int fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if ((cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC) && fails(FILES, "fcntl"))
		return -1;
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

EXPORT int fcntl(int fd, int cmd, ...) __attribute__((alias("fcntl64")));

EXPORT long syscall(long nr, ...)
{
	static long (*next)(long, ...);
	va_list ap;
	long a[6];

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if ((nr == SYS_openat2 || nr == SYS_pidfd_open) && fails(FILES | IO, "openat2"))
		return -1;
	if (nr == SYS_clone && fails(FORK, "clone"))
		return -1;
	return next(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Waiting. */
REPLACE(int, -1, poll, INTR, (struct pollfd *p, nfds_t n, int t), (p, n, t))
REPLACE(int, -1, ppoll, INTR, (struct pollfd *p, nfds_t n, const struct timespec *t,
	const sigset_t *s), (p, n, t, s))
REPLACE(pid_t, -1, waitpid, INTR, (pid_t p, int *s, int o), (p, s, o))
REPLACE(int, -1, flock, o & LOCK_NB ? 0 : INTR, (int fd, int o), (fd, o))
REPLACE(int, -1, connect, INTR, (int fd, const struct sockaddr *a, socklen_t l), (fd, a, l))

/* Processes and threads. */
REPLACE(pid_t, -1, fork, FORK, (void), ())

EXPORT int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
	return fails(FORK, "pthread_create") ? EAGAIN : NEXT(pthread_create)(t, a, f, arg);
}

/* The time of day. */
EXPORT int clock_gettime(clockid_t id, struct timespec *ts)
{
	int ret = NEXT(clock_gettime)(id, ts);
	static atomic_int jumped;

	if (ret || id != CLOCK_REALTIME || !state || !(active & (CLOCK | BACK)))
		return ret;
	if (fails(CLOCK | BACK, "clock_gettime"))
		jumped = 1;
	if (jumped || (at && state->hits))
		ts->tv_sec += active == CLOCK ? 2 * 86400 : -3600;
	return 0;
}

EXPORT time_t time(time_t *out)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
