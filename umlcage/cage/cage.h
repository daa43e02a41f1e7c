/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A cage: one UML kernel as an ordinary process, its agent (PID 1), its root and
 * its network.
 *
 *	struct cage_config cfg = CAGE_CONFIG_INIT;
 *	cfg.kernel = path; cfg.root.kind = CAGE_ROOT_SHARE; cfg.root.fd = dirfd; ...
 *	cage_start(&cage, &cfg, &e);
 *	cage_exec(cage, &what, &exit, &e);	(one command to its end)
 *	cage_stop(cage, &e);			(clean: synced and unmounted)
 *	cage_free(cage);			(kills what still runs)
 *
 * For many commands at once, and whoever else wants to take part, a cage has an event loop:
 *
 *	cage_member_add(cage, fill, dispatch, arg);	(a socket that clients come to, say)
 *	cage_command_start(&command, cage, &what, &e);
 *	while (cage_turn(cage, deadline, &e) == 0)
 *		...
 *
 * A cage never outlives the process that started it, and is of one thread.  SIGPIPE must be
 * ignored.  No call here prints.
 */
#ifndef UMLCAGE_CAGE_CAGE_H
#define UMLCAGE_CAGE_CAGE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "umlcage/base/error.h"
#include "umlcage/base/pollset.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"

enum cage_root_kind {
	CAGE_ROOT_SHARE,	/* a directory descriptor of a share, mounted by humfs */
	CAGE_ROOT_IMAGE,	/* a disk image, through the UML block driver */
};

/* Where changes to the root go. */
enum cage_upper {
	CAGE_UPPER_MEMORY,	/* overlayfs on guest memory: gone with the cage */
	CAGE_UPPER_SHARE,	/* overlayfs on the share root.upper_fd */
	CAGE_UPPER_COW,		/* image only: UML's COW file root.upper_fd (-1: thrown away) */
	CAGE_UPPER_NONE,	/* the root itself is written */
};

struct cage_root {
	enum cage_root_kind kind;
	enum cage_upper upper;
	int fd;			/* share: O_DIRECTORY|O_RDONLY (or O_PATH) descriptor; image: the file */
	int upper_fd;		/* see enum cage_upper; -1: none */
	const char *image_path;	/* image: its path, recorded in a kept COW file */
	const char *fstype;	/* image: NULL to try what the kernel knows */
	bool nosync;		/* shares: fsync is counted, not obeyed, until cage_stop() */
	bool chrooted;		/* PID 1 has another root, so that commands find themselves in a chroot */
};

/* A further directory, or a single file, of the host in the cage. */
struct cage_mount {
	int fd;			/* its descriptor; a file's is O_RDWR, or O_RDONLY if read_only */
	const char *where;	/* absolute path in the guest; made if it is not there */
	bool plain;		/* no recorded ownership: a folder that goes on being used */
	bool file;		/* a regular file, which is plain */
	bool read_only;
	bool nosync;
};

/* A Unix stream socket of the host that the guest may connect to. */
struct cage_socket {
	const char *host;	/* its path, absolute; each connection of the guest makes one to it */
	const char *guest;	/* where it is in the guest, an absolute path; made if it is not there */
	const char *runtime;	/* and below /run/user/UID of who runs a command; NULL: nowhere */
};

/* A program of this machine that runs those of another processor in the cage, see binfmt_misc. */
struct cage_emulator {
	int fd;			/* open for reading; it must be linked statically */
	const char *name;	/* a word */
	const char *magic, *mask;	/* as /proc/sys/fs/binfmt_misc/register takes them */
	const char *variable;	/* "NAME=VALUE" for commands, if this is the only one; or NULL */
};

enum cage_net {
	CAGE_NET_NAT,		/* out through the host, published ports in */
	CAGE_NET_RESTRICTED,	/* published ports only */
	CAGE_NET_NONE,		/* no interface but loopback */
};

enum cage_require {
	CAGE_REQUIRE_NOTHING,	/* what the host lacks is warned about */
	CAGE_REQUIRE_BASIC,	/* Landlock, signals kept in, and the filter of system calls */
	CAGE_REQUIRE_FULL,	/* namespaces of its own, too */
};

struct cage_forward {
	bool udp;
	struct sockaddr_storage host;	/* address and port on the host */
	uint16_t guest_port;
};

struct net_policy;

struct cage_config {
	const char *kernel;		/* path of the linux binary */
	uint64_t memory;		/* bytes of guest memory */
	unsigned int cpus;		/* virtual CPUs, at least 1 */
	unsigned int pids;		/* most processes and threads; 0: as many as memory allows */
	uint64_t disk;			/* bytes of files in guest memory; 0: nearly all of it */
	int64_t clock;			/* what time it is at the start, since 1970; 0: the host's */
	uint64_t lifetime;		/* milliseconds until it is ended, -ETIMEDOUT; 0: any time */
	struct cage_root root;
	const struct cage_mount *mounts;
	size_t nmounts;
	const struct cage_emulator *emulators;
	size_t nemulators;
	const struct cage_socket *sockets;
	size_t nsockets;
	const char *owner;		/* USER[:GROUP] of the guest, whose in plain mounts is what
					   belongs to this user; NULL: root */
	enum cage_net net;
	const struct cage_forward *forwards;
	size_t nforwards;
	bool reach_host;		/* the host's own addresses may be reached */
	struct net_policy *net_policy;	/* what else may be, see policy.h; NULL: everything */
	bool resolv_conf;		/* give the guest an /etc/resolv.conf for its network */
	/*
	 * As an init leaves a machine: /run empty but for its folders, /etc/hosts with the names
	 * of the machine, cgroups and other file systems of the kernel, mounts shared.
	 */
	bool booted;
	bool init;			/* and have the root's own init run, as PID 1 of all commands */
	const char *hostname;		/* NULL: "cage", or the name that an init takes from the root */
	int console_fd;			/* the kernel's console goes here too; -1: kept only */
	enum cage_require require_jail;	/* what of the jail must not be missing; see jail.h */
	bool no_namespaces;		/* do without them, as on a host that has none */
	bool ptrace_mode;		/* run processes under ptrace instead of seccomp */
	int stats_fd;			/* what the kernel counted goes here at its end; -1: nothing */
	bool stats_json;		/* as a JSON object, not as columns */
	bool no_fast_calls;		/* every system call of a process is a signal on the host */
	uint64_t boot_timeout;		/* milliseconds; 0: 60 s */
	struct progress *progress;	/* for warnings; may be NULL */
};

#define CAGE_CONFIG_INIT { .memory = 1ULL << 30, .cpus = 1, .console_fd = -1, \
			   .stats_fd = -1, .resolv_conf = true, .root = { .fd = -1, .upper_fd = -1 } }

struct cage_command;

/* A command in the cage. */
struct cage_exec {
	char *const *argv;		/* argv[0] is looked up in PATH of env */
	char *const *env;		/* NULL-terminated NAME=VALUE; NULL: a small default */
	const char *cwd;		/* NULL: "/" or the user's home */
	const char *user;		/* NAME or UID[:GID], in the guest; NULL: root */
	bool changes;			/* in the layer of changes, upper/ and work/, not in cwd */
	bool tty;			/* a guest terminal; stdin_fd should be one, too */
	int stdin_fd;			/* -1: /dev/null */
	int stdout_fd, stderr_fd;	/* -1: dropped; the caller's */
	/* Instead of stdout_fd/stderr_fd: called with every piece (2: stderr). */
	void (*output)(int channel, const char *data, size_t len, void *arg);
	void *output_arg;
	uint64_t timeout;		/* milliseconds; 0: none */
	/* Called once it has ended and its output has been handed over; may be NULL. */
	void (*ended)(struct cage_command *command, void *arg);
	void *ended_arg;
	/*
	 * With a terminal: characters that, typed on stdin, are not its own: @left is called, with
	 * @ended_arg, which may detach it.  NULL: none.
	 */
	const char *detach_keys;
	void (*left)(struct cage_command *command, void *arg);
	/*
	 * With a terminal and without descriptors: it begins as one that was detached, and @left is
	 * called as soon as it runs.
	 */
	bool detached;
	/*
	 * Instead of a command, with what @detached needs: the console of the root's own init.  It does
	 * not end before the cage, and who attaches it can always leave it.
	 */
	bool console;
	/*
	 * cage_exec() only: a signal that ends programs ends it with -EINTR, the command still
	 * running, and is noted (interrupt.h).  Otherwise the command gets it.
	 */
	bool end_on_signal;
};

/* How it ended, in the terms of a shell: status is what $? would be. */
struct cage_exit {
	int status;		/* command's; 128+N; 124 time limit; 126, 127 not started */
	int signal;		/* N, or 0 */
	bool timed_out;
	/* both only of one that failed */
	bool oom;		/* the guest kernel killed it, or a process of it, for lack of memory */
	bool full;		/* files in guest memory can grow no more */
	/* of writing to stdout_fd or stderr_fd, or of output that did not leave the guest; 0: none, EPIPE */
	int output_error;
	/* 126, 127: why; otherwise which limit of the host was met meanwhile; malloc'ed, NULL */
	char *reason;
};

struct cage;

/*
 * Boots.  Descriptors in @cfg stay the caller's and are not needed afterwards.
 * Errors: -ENOENT no kernel; -ETIMEDOUT did not come up; -EIO the kernel died or
 * could not set up the root, with its last console lines in the text.
 */
int cage_start(struct cage **cage, const struct cage_config *cfg, struct error *e);

/*
 * The same in two steps, for who knows that a cage will be needed: cage_launch() returns while
 * the kernel boots; nothing looks into root and mounts, so that others may still change them,
 * until cage_ready() with the same @cfg has them set up.
 */
int cage_launch(struct cage **cage, const struct cage_config *cfg, struct error *e);
int cage_ready(struct cage *cage, const struct cage_config *cfg, struct error *e);

/*
 * Runs one command to its end.  Returns 0 with *@exit filled (the command may have failed);
 * -errno if the cage died on the way.  Others of the cage go on meanwhile.  Signals that reach
 * this process go to the command, a third SIGINT or SIGTERM ends the cage (-EINTR), and a
 * terminal on its stdin follows while this process is in the foreground.
 */
int cage_exec(struct cage *cage, const struct cage_exec *what, struct cage_exit *exit,
	      struct error *e);

/* ---- many at once ---- */

/*
 * Starts a command; it goes on while the loop turns.  What @what points to and its
 * descriptors are not needed afterwards.  Signals and the terminal's mode are the caller's.
 * -EMSGSIZE: more than 1 MiB of arguments; -EIO: the cage is gone.
 */
int cage_command_start(struct cage_command **command, struct cage *cage,
		       const struct cage_exec *what, struct error *e);
/* To its process group, or to the foreground of its terminal; nothing once it has ended. */
void cage_command_signal(struct cage_command *command, int sig);
/* The terminal that is its stdin has another size. */
void cage_command_resized(struct cage_command *command);
/* Whether its stdin is left alone for now, as a terminal that is others' at the moment. */
void cage_command_hold(struct cage_command *command, bool hold);
/*
 * Lets go of its descriptors; it goes on, on its terminal in the guest, and does not end before it
 * is attached again, or freed.  False: it cannot, having no terminal, or not all of it yet.
 */
bool cage_command_detach(struct cage_command *command);
/* The process of one that is detached is gone. */
bool cage_command_exited(const struct cage_command *command);
/* Gives a detached one other descriptors (@in -1: none), after what it has said meanwhile. */
int cage_command_attach(struct cage_command *command, int in, int out, const char *detach_keys,
			struct error *e);
/* How it ended, its until it is freed; NULL while it runs. */
const struct cage_exit *cage_command_exit(const struct cage_command *command);
/*
 * Closes its streams and frees it; NULL is fine, also after its cage.  One that still runs is
 * not signalled.  Not within its own output().
 */
void cage_command_free(struct cage_command *command);

/*
 * Whoever else takes part in the loop: @fill adds descriptors and a deadline before each wait,
 * @dispatch looks at them after it.  From @dispatch and a command's ended() anything may be
 * started, freed, joined and left; a failure of @dispatch (-errno, with its error) ends the
 * turn with it, so it is for what concerns the whole cage.
 */
struct cage_member;
struct cage_member *cage_member_add(struct cage *cage,
				    void (*fill)(struct pollset *ps, void *arg),
				    int (*dispatch)(const struct pollset *ps, void *arg,
						    struct error *e),
				    void *arg);
/* No call of it comes any more; the handle is not valid afterwards.  NULL is fine. */
void cage_member_remove(struct cage_member *member);

/* Publishes one more port, for as long as the cage lives.  -ENETDOWN: it has no network. */
int cage_publish(struct cage *cage, const struct cage_forward *forward, struct error *e);
/* Takes a published port back; connections that there are go on.  -ENOENT: it is not published. */
int cage_unpublish(struct cage *cage, const struct cage_forward *forward, struct error *e);

/*
 * Stops every process of the cage, its kernel too, or lets them go on.  A paused cage must not be
 * asked for anything; its clock stands still to itself.  All have stopped when it returns.
 */
int cage_pause(struct cage *cage, bool pause, struct error *e);

/* Has what was written so far written back to the host; cage_synced() says when that is done. */
void cage_sync(struct cage *cage);
bool cage_synced(const struct cage *cage);

/*
 * One turn of the loop: waits until something happens, no later than @deadline_ms of
 * clock_ms() (INT64_MAX: any time), and deals with it.  -errno when the cage is lost, with the
 * reason, or as a member says; -ESHUTDOWN when its init has switched it off: cage_stop() it.
 */
int cage_turn(struct cage *cage, int64_t deadline_ms, struct error *e);
/* Turns until @command has ended, which must not free itself; NULL: until none runs. */
int cage_wait(struct cage *cage, const struct cage_command *command, struct error *e);

/* ---- cages side by side ---- */

/*
 * A cage makes use of a second processor while it has nothing else to do.  Where several processes run a
 * cage each, that is another one's, and to hand over across processors costs more than it gains.  So who
 * starts such processes tells them how many there are, and they look when they start a cage.
 */
int cage_peers_begin(struct error *e);	/* in this process and in those that it forks from now on */
void cage_peers_set(unsigned int n);	/* 1 at the beginning */
/* For a program that is to have *@fd and this process' environment; false: there is nothing to tell. */
struct proc_fd;
bool cage_peers_pass(struct proc_fd *fd);
/* In that program, before it has threads. */
void cage_peers_join(void);

/* ---- its end ---- */

/* Ends the cage: guest processes ended, file systems synced and unmounted. */
int cage_stop(struct cage *cage, struct error *e);

/* The kernel's console so far (its newest 64 KiB); valid until the next call. */
const char *cage_console(const struct cage *cage);

/* Kills whatever still runs, frees; NULL is fine. */
void cage_free(struct cage *cage);

/* The kernel's command line for @cfg as one line a shell could run; malloc'ed. */
char *cage_command_text(const struct cage_config *cfg);

void cage_exit_release(struct cage_exit *exit);

/* The argument of --require-jail (NULL: none, which is "basic") into an enum cage_require. */
int cage_parse_require(const char *arg, void *require, struct error *e);

#endif
