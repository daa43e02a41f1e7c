// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of machine.h, what is about the variables of commands: apart from the rest, since a client
 * of a session has no use for that, nor for the libraries that come with it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/machine/machine.h"

static int opt_env(const struct opt *opt, const char *arg, void *value, struct error *e)
{
	(void)opt;
	if (!*arg || *arg == '=')
		return err_usage(e, "'%s' has no name; give NAME or NAME=VALUE", arg);
	strv_add(value, arg);
	return 0;
}

const struct opt machine_env_opts[] = {
	{ OPT_CALL, 'e', "env", "NAME[=VALUE]", OPT_STRV(struct machine, env),
	  "set a variable; without a value, pass on the host's", opt_env },
	OPT_END,
};

void machine_environment(const struct machine *m, bool terminal, struct strv *env)
{
	static const char *const proxies[] = { "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
					       "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY" };
	const char *term = getenv("TERM");

	for (size_t i = 0; i < m->env.n; i++) {
		const char *value = strchr(m->env.v[i], '=') ? NULL : getenv(m->env.v[i]);

		if (strchr(m->env.v[i], '='))
			strv_add(env, m->env.v[i]);
		else if (value)
			strv_addf(env, "%s=%s", m->env.v[i], value);
	}
	if (terminal && term)
		strv_addf(env, "TERM=%s", term);
	for (size_t i = 0; m->net_mode != CAGE_NET_NONE && i < ARRAY_SIZE(proxies); i++)
		if (getenv(proxies[i]))
			strv_addf(env, "%s=%s", proxies[i], getenv(proxies[i]));
}

void machine_release(struct machine *m)
{
	strv_release(&m->publish);
	strv_release(&m->env);
	strv_release(&m->emulate);
	strv_release(&m->net_allow);
	strv_release(&m->net_deny);
	close_fd(&m->policy.log_fd);
	if (m->stats_fd > STDERR_FILENO)
		close_fd(&m->stats_fd);
	net_policy_release(&m->policy);
	free_ptr(&m->forwards);
	strv_release(&m->sockets);
	strv_release(&m->socket_paths);
	free_ptr(&m->cage_sockets);
}
