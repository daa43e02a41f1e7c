/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The agent: PID 1 of a cage.  It brings the control network up, connects to the
 * supervisor, and then does what it is told: mount the root, start commands and
 * relay their stdio, end everything.
 */
#ifndef ROOTFS_AGENT_AGENT_H
#define ROOTFS_AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "umlcage/base/error.h"
#include "umlcage/base/pollset.h"
#include "umlcage/base/pump.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/proto.h"

/* ---- network.c ---- */

/*
 * Moves the agent into a network namespace of its own, with vec1, so that nothing
 * a command does to its network can cut control; *@user_net becomes a descriptor
 * of the namespace that commands run in.
 */
int network_split(int *user_net, struct error *e);
/* A TCP connection to the supervisor that begins with the hello for @channel. */
int network_connect(enum proto_channel channel, uint32_t exec, struct error *e);
/* Begins some connections for later ones; does not wait. */
void network_prepare(void);
/* Configures lo and, with @have_link, vec0 in the namespace of commands. */
int network_configure(int user_net, bool have_link, bool ipv6_route, struct error *e);

/* Places in the initramfs. */
#define ROOT "/root"		/* where the new root is put together */
#define MEMORY "/memory"	/* the one file system in memory */
#define ETC_LAYER "/etc-layer"	/* see etc.c */

/* ---- kernelfs.c ---- */

/* Mounts MEMORY, which leaves the kernel and processes enough to say that it is full. */
int memory_mount(uint64_t most, struct error *e);
bool memory_full(void);
/* /proc, /sys and /dev in ROOT; with @booted all that an init would mount. */
int kernelfs_mount(int user_net, bool booted, struct error *e);

/* ---- etc.c ---- */

/*
 * Makes the files that MSG_SETUP asks for in ETC_LAYER, seeing what @root has, and for an init's name
 * of the machine the @changes (or NULL) that come over it: 1; 0: none.
 */
int etc_prepare(const char *root, const char *changes, const struct proto_msg *m, struct error *e);
/* In the finished root: mounts them where no overlay has them already. */
void etc_place(bool layered, bool booted);
/* Before the end: what was made in the root for their sake goes. */
void etc_remove(void);

/* ---- emulate.c ---- */

/* Registers the emulators of MSG_SETUP with the kernel; before the switch to the new root. */
int emulators_register(const struct proto_msg *m, struct error *e);

/* ---- root.c ---- */

/*
 * What follows uses the root's paths, and no more.  They do something only where commands are to
 * find themselves in a chroot, as ischroot(1) and scripts look at the root of PID 1 for that.
 */
void root_enter(void);
void root_leave(void);
/* Mounts what MSG_SETUP asks for and makes it the root of the agent and its children. */
int root_setup(const struct proto_msg *m, int user_net, struct error *e);
/* Where the layer of changes is, upper/ and work/, below what commands see; -1: nowhere. */
extern int root_changes;
/* Writes everything back and unmounts what can be; the first trouble goes into @e. */
int root_sync(struct error *e);

/* Makes what a folder or @file can be mounted on, unless it is there; what it makes goes at the end. */
int root_mount_point(const char *where, bool file, struct error *e);

/* ---- sockets.c ---- */

struct user;

/*
 * Makes the sockets of MSG_SETUP, before the switch to the new root; has them there, after it, and
 * so that an @init of the root does not hide them.
 */
int sockets_make(const struct proto_msg *m, struct error *e);
int sockets_place(bool init, struct error *e);
/* Those that programs look for below /run/user/UID, for a user who is about to run some. */
void sockets_for_user(const struct user *user);
void sockets_fill(struct pollset *ps);
void sockets_dispatch(const struct pollset *ps);

/* ---- init.c ---- */

/*
 * Starts the root's own init as PID 1 of a namespace that all later children of the agent are in;
 * *@pid is what the agent knows it by.
 */
int init_start(int user_net, pid_t *pid, struct error *e);
/* Its console, the caller's; -ENOENT: it has none.  Until it is asked for what is said there waits. */
int init_console(struct error *e);
/* Has it end what it started, and waits for its end, with patience that has one. */
void init_stop(pid_t pid);
/* After it has ended: the agent's own view of processes again. */
void init_gone(void);

/* ---- user.c ---- */

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[64];
	size_t ngroups;
	char *name;	/* NULL if the number has none */
	char *home;	/* never NULL */
	char *shell;	/* never NULL */
};

/* "NAME", "UID", "NAME:GROUP", "UID:GID", by the guest's /etc/passwd and /etc/group. */
int user_find(const char *spec, struct user *u, struct error *e);
void user_release(struct user *u);

/* ---- command.c ---- */

/* Of a child: the default answer to every signal, none of them blocked, and a session of its own. */
void command_fresh(void);

struct command {
	struct command *next;
	uint32_t id;
	pid_t pid;		/* 0 once reaped */
	int status;		/* of waitpid() */
	uint64_t oom_kills;	/* of the machine, as far as was known when it started */
	bool oom;
	bool told;		/* MSG_EXITED was sent */
	int pty;		/* master, or -1 */
	bool console;		/* no process of ours, but the console of init */
	struct pump in, out, err;
	struct lazy {
		int fd, index;	/* of what it says, until that has a stream; -1: none */
		bool silent;	/* nobody can say anything any more */
	} lazy[2];
	int64_t lazy_until;	/* milliseconds of clock_ms() */
	uint64_t streams;	/* F_STREAMS */
	int lost;		/* errno: what it said found no way to the supervisor; 0: all did */
};

/*
 * Starts what @m (MSG_EXEC) describes.  On failure *@status is 126 or 127 and
 * @e says why; *@c is NULL then.
 */
int command_start(struct command **c, const struct proto_msg *m, int user_net, int *status,
		  struct error *e);
/* The console of init as a command that nobody has and that does not end. */
int command_console(struct command **c, const struct proto_msg *m, struct error *e);
/* Opens a terminal; its other end into *@slave. */
int command_pty(int *slave, struct error *e);
/* Sends @sig: to the foreground group of its terminal, else to its process group. */
void command_signal(struct command *c, int sig);
void command_winsize(struct command *c, unsigned int rows, unsigned int cols);
/* The process is gone and its output has been handed over. */
bool command_done(const struct command *c);
void command_free(struct command *c);

/* ---- lazy.c ---- */

void lazy_init(struct command *c);
/* @fd is what the command says on @chan, CHAN_STDOUT or CHAN_STDERR; it is taken. */
void lazy_add(struct command *c, enum proto_channel chan, int fd);
void lazy_fill(struct command *c, struct pollset *ps);
void lazy_dispatch(struct command *c, const struct pollset *ps);
/* Its process is gone: what has said something gets its stream, the rest never will. */
void lazy_settle(struct command *c);
bool lazy_done(const struct command *c);
void lazy_close(struct command *c);

#endif
