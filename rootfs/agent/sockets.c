// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets of the host, as such of the guest: the agent listens where MSG_SETUP says, and joins
 * each connection with a stream to the supervisor.
 *
 * They are made in the initramfs and mounted where they are to be, so that they stay out of the
 * root and of folders of the user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/relay.h"

#define FOLDER "/sockets"

enum { BACKLOG = 128 };

static struct own_socket {
	char *where, *runtime;		/* of struct cage_socket; no @runtime: NULL */
	int listener, index;
	int name;			/* O_PATH */
} *sockets;
static size_t nsockets;
static struct relays relays;

static int make(struct own_socket *s, const char *spec, struct error *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *blank = strchr(spec, ' ');

	if (!blank || blank[1] != '/')
		return err_set(e, EPROTO, "malformed socket '%s'", spec);
	s->where = xstrdup(blank + 1);
	s->runtime = str_starts(spec, "- ") ? NULL : xstrndup(spec, (size_t)(blank - spec));
	snprintf(sun.sun_path, sizeof(sun.sun_path), FOLDER "/%zu", nsockets);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* whoever is in the cage may use what the cage may use */
	if (s->listener < 0 || bind(s->listener, (const void *)&sun, sizeof(sun)) < 0 ||
	    chmod(sun.sun_path, 0666) < 0 || listen(s->listener, BACKLOG) < 0)
		return err_sys(e, errno, "cannot make the socket '%s'", s->where);
	s->name = open(sun.sun_path, O_PATH | O_CLOEXEC);
	return s->name < 0 ? err_sys(e, errno, "cannot make the socket '%s'", s->where) : 0;
}

int sockets_make(const struct proto_msg *m, struct error *e)
{
	struct proto_field f;
	int ret = 0;

	(void)mkdir(FOLDER, 0755);
	for (size_t pos = 0; ret == 0 && proto_next(m, &pos, &f);) {
		if (f.id != F_SOCKET)
			continue;

		cleanup_free char *spec = xstrndup(f.data, f.len);

		sockets = xreallocarray(sockets, nsockets + 1, sizeof(*sockets));
		sockets[nsockets] = (struct own_socket){ NULL, NULL, -1, -1, -1 };
		ret = make(&sockets[nsockets], spec, e);
		nsockets++;
	}
	return ret;
}

/*
 * systemd mounts a file system of its own on /tmp, above what is there, unless something has been
 * mounted on it: then that is what it is.
 */
static int keep_tmp(struct error *e)
{
	bool used = false;
	int ret;

	for (size_t i = 0; i < nsockets; i++)
		used = used || str_starts(sockets[i].where, "/tmp/");
	if (!used)
		return 0;
	ret = root_mount_point("/tmp", false, e);
	if (ret == 0 && mount("/tmp", "/tmp", NULL, MS_BIND | MS_REC, NULL) < 0)
		ret = err_sys(e, errno, "cannot keep the root's init from mounting something on '/tmp'");
	return ret;
}

int sockets_place(bool init, struct error *e)
{
	char source[64];
	int ret = init ? keep_tmp(e) : 0;

	for (size_t i = 0; i < nsockets && ret == 0; i++) {
		const struct own_socket *s = &sockets[i];

		ret = root_mount_point(s->where, true, e);
		snprintf(source, sizeof(source), "/proc/self/fd/%d", s->name);
		if (ret == 0 && mount(source, s->where, NULL, MS_BIND, NULL) < 0)
			ret = err_sys(e, errno, "cannot mount it");
		if (ret < 0)
			return err_wrap(e, "cannot put a socket at '%s'", s->where);
	}
	return ret;
}

/* A folder of @user's own in @dir, which is there or is made; -1 if it is something else. */
static int enter(int dir, const char *name, mode_t mode, const struct user *user)
{
	int made = mkdirat(dir, name, mode);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (made == 0 && fd >= 0 && user)
		(void)fchown(fd, user->uid, user->gid);
	return fd;
}

void sockets_for_user(const struct user *user)
{
	for (size_t i = 0; i < nsockets; i++) {
		cleanup_strv struct strv parts = STRV_INIT;
		cleanup_close int at = -1;
		char uid[24];

		if (!sockets[i].runtime)
			continue;
		snprintf(uid, sizeof(uid), "%u", (unsigned int)user->uid);
		strv_split(&parts, sockets[i].runtime, "/");
		at = enter(AT_FDCWD, "/run/user", 0755, NULL);
		for (size_t j = 0; j < parts.n && at >= 0; j++) {
			int next = enter(at, j ? parts.v[j - 1] : uid, 0700, user);

			close_fd(&at);
			at = next;
		}
		/* one of the user's own stays */
		if (at >= 0)
			(void)symlinkat(sockets[i].where, at, parts.v[parts.n - 1]);
	}
}

void sockets_fill(struct pollset *ps)
{
	for (size_t i = 0; i < nsockets; i++)
		sockets[i].index = pollset_add(ps, relays.n < RELAYS_MAX ? sockets[i].listener : -1,
					       POLLIN);
	relays_fill(&relays, ps);
}

void sockets_dispatch(const struct pollset *ps)
{
	relays_dispatch(&relays, ps);
	for (size_t i = 0; i < nsockets; i++) {
		cleanup_close int client = -1, stream = -1;

		if (!pollset_revents(ps, sockets[i].index))
			continue;
		client = accept4(sockets[i].listener, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0)
			stream = network_connect(CHAN_SOCKET, (uint32_t)i, NULL);
		if (stream >= 0)
			(void)relays_add(&relays, steal_fd(&client), steal_fd(&stream));
	}
}
