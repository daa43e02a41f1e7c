// SPDX-License-Identifier: GPL-2.0-or-later
/* Of machine.h, sockets of the host in the cage, by flatpak's words where it has some. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "umlcage/base/proc.h"
#include "umlcage/machine/machine.h"

enum { PATH_MOST = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1 };

const struct opt machine_socket_opts[] = {
	{ OPT_LIST, 0, "socket", "WHICH|HOST:GUEST", OPT_STRV(struct machine, sockets),
	  "let the cage connect to a Unix socket of the host: ssh-auth (ssh-agent), gpg-agent, "
	  "x11, or a path and where it shall be; may be repeated.  Who is in the cage can do "
	  "what the socket lets you do" },
	OPT_END,
};

/* ---- those with a name ---- */

static int find_ssh(char **host, struct error *e)
{
	const char *path = getenv("SSH_AUTH_SOCK");

	if (!path || !*path)
		return err_set(e, ENOENT, "SSH_AUTH_SOCK is not set, so no ssh-agent is known; start "
			       "one with 'eval $(ssh-agent)'");
	*host = xstrdup(path);
	return 0;
}

/* The agent's socket for those elsewhere, which gives no secret key away. */
static int find_gpg(char **host, struct error *e)
{
	static char *const argv[] = { (char *)"gpgconf", (char *)"--list-dirs",
				      (char *)"agent-extra-socket", NULL };
	static char *const launch[] = { (char *)"gpgconf", (char *)"--launch", (char *)"gpg-agent", NULL };
	cleanup_strbuf struct strbuf out = STRBUF_INIT, why = STRBUF_INIT;
	int status, ret = proc_capture(launch, 4096, NULL, &why, &status, e);

	if (ret == 0)
		ret = proc_capture(argv, 4096, &out, &why, &status, e);
	if (ret < 0)
		return err_wrap(e, "cannot ask gpgconf where gpg-agent is");
	if (status || *sb_str(&out) != '/')
		return err_set(e, ENOENT, "gpgconf does not say where the agent's extra socket is: %s",
			       sb_str(&why));
	*host = xstrndup(sb_str(&out), strcspn(sb_str(&out), "\n"));
	return 0;
}

/* "unix/:N", ":N.S" and the like are on this host; the rest are not sockets of it. */
static int find_x11(char **host, struct error *e)
{
	const char *display = getenv("DISPLAY"), *number = display ? strrchr(display, ':') : NULL;
	uint64_t n;

	if (!number)
		return err_set(e, ENOENT, "DISPLAY is not set, so no X server is known");
	if (number != display && !str_starts(display, "unix"))
		return err_set(e, ENOENT, "DISPLAY is '%s', which is not a socket of this host", display);

	cleanup_free char *digits = xstrndup(number + 1, strcspn(number + 1, "."));

	if (parse_u64(digits, 10, UINT32_MAX, &n) < 0)
		return err_set(e, ENOENT, "DISPLAY is '%s', which has no number", display);
	*host = xasprintf("/tmp/.X11-unix/X%llu", (unsigned long long)n);
	return 0;
}

static const struct known {
	const char *name;
	int (*find)(char **host, struct error *e);
	const char *guest, *runtime, *variable;
} known[] = {
	{ "ssh-auth", find_ssh, "/run/umlcage/ssh-auth", NULL, "SSH_AUTH_SOCK=/run/umlcage/ssh-auth" },
	{ "gpg-agent", find_gpg, "/run/umlcage/gpg-agent", "gnupg/S.gpg-agent", NULL },
	{ "x11", find_x11, "/tmp/.X11-unix/X0", NULL, "DISPLAY=:0" },
};

static const struct known *find_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return &known[i];
	return NULL;
}

void machine_socket_environment(const struct machine *m, struct strv *env)
{
	for (size_t i = 0; i < m->sockets.n; i++) {
		const struct known *k = find_known(m->sockets.v[i]);

		if (k && k->variable && !env_get(strv_argv(env), k->variable))
			strv_add(env, k->variable);
	}
}

/* ---- all of them ---- */

static int not_known(const char *text, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *all = NULL;
	const char *near;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		strv_add(&names, known[i].name);
	all = strv_join(&names, ", ");
	err_usage(e, "--socket: '%s' is not one of %s, and not HOST:GUEST", text, all);
	near = str_closest(text, (const char *const *)strv_argv(&names));
	return near ? err_hint(e, "did you mean '%s'?", near) : -EINVAL;
}

static int split(const char *text, char **host, struct cage_socket *s, struct error *e)
{
	const char *colon = strrchr(text, ':');

	if (strcmp(text, "wayland") == 0)
		return err_usage(e, "--socket: wayland's clients and server hand descriptors to each other, "
				 "which cannot leave a kernel; run waypipe on both sides of a socket");
	if (!colon)
		return not_known(text, e);
	if (colon == text || colon[1] != '/')
		return err_usage(e, "--socket: '%s' is not HOST:GUEST with an absolute GUEST", text);
	*host = xstrndup(text, (size_t)(colon - text));
	s->guest = colon + 1;
	return 0;
}

static int check_host(const char *name, char **host, struct error *e)
{
	cleanup_free char *given = *host;
	struct stat st;

	/* a session has another working directory */
	*host = realpath(given, NULL);
	if (!*host)
		return err_sys(e, errno, "--socket %s: cannot use '%s'", name, given);
	if (stat(*host, &st) < 0 || !S_ISSOCK(st.st_mode))
		return err_set(e, ENOTSOCK, "--socket %s: '%s' is not a socket", name, given);
	if (strlen(*host) > PATH_MOST)
		return err_set(e, ENAMETOOLONG, "--socket %s: '%s' is longer than the %d bytes that a "
			       "socket can be reached by; link to it from elsewhere", name, *host, PATH_MOST);
	return 0;
}

int machine_check_sockets(struct machine *m, struct error *e)
{
	int ret = 0;

	free(m->cage_sockets);
	strv_release(&m->socket_paths);
	m->cage_sockets = xcalloc(m->sockets.n + 1, sizeof(*m->cage_sockets));
	for (size_t i = 0; i < m->sockets.n && ret == 0; i++) {
		const char *text = m->sockets.v[i];
		const struct known *k = find_known(text);
		struct cage_socket *s = &m->cage_sockets[i];
		char *host = NULL;

		if (k) {
			ret = k->find(&host, e);
			if (ret < 0)
				err_wrap(e, "--socket %s", text);
			s->guest = k->guest;
			s->runtime = k->runtime;
		} else {
			ret = split(text, &host, s, e);
		}
		if (ret == 0)
			ret = check_host(text, &host, e);
		if (ret == 0 && strlen(s->guest) > PATH_MOST)
			ret = err_usage(e, "--socket: '%s' is longer than the %d bytes that a socket can be "
					"reached by", s->guest, PATH_MOST);
		if (host)
			strv_take(&m->socket_paths, host);
		s->host = host;
	}
	return ret;
}
