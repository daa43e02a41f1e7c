// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * [Run]: a tree that a tool makes, as root in a cage, and checks that run with a tool.  Which root
 * it runs in, on which kernel, and what its being made again depends on.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rootfs/build/private.h"
#include "rootfs/debian/debian.h"

#define DAY ((uint64_t)24 * 3600 * 1000)

/* ---- before anything is begun ---- */

bool build_has_tool(const struct build_step *s)
{
	return s->tool_name || s->packages || s->root;
}

int build_tool_check(struct build_step *s, struct error *e)
{
	int roots = !!s->tool_name + !!s->packages + !!s->root;

	if (roots > 1)
		return err_usage(e, "tool, packages and root are three ways to say what it runs in: one "
				 "will do");
	if (s->tools_suite && s->root)
		return err_usage(e, "tools-suite: the tools are those of root = %s", s->root);
	if (s->tool_name) {
		s->tool = fabricate_tool_find(s->tool_name, e);
		if (!s->tool)
			return err_wrap(e, "tool");
	}
	if (s->tool && s->tool->disk && !s->places.scratch)
		s->places.scratch = "disk";
	return 0;
}

/* ---- what it depends on ---- */

/*
 * What a tool fetches nobody knows but itself: by default it is another tree each day, of this host's
 * zone, if it has a network.
 */
static long long period(const struct build_env *env, const struct build_step *s)
{
	uint64_t length = s->renew != BUILD_RENEW_UNSET ? s->renew :
			  s->machine.net_mode == CAGE_NET_NONE ? 0 : DAY;
	time_t now = env->how->again ? (time_t)env->how->again->began : time(NULL);
	struct tm tm;

	if (length < 1000)
		return -1;
	if (localtime_r(&now, &tm))
		now += tm.tm_gmtoff;
	return (long long)now / (long long)(length / 1000);
}

void build_tool_key(const struct build_env *env, const struct build_step *s, struct strv *out)
{
	if (s->tool) {
		strv_add(out, s->tool->packages);
		strv_add(out, s->tool->before ? s->tool->before : "");
	}
	strv_addf(out, "%lld", period(env, s));
}

/* ---- where it runs ---- */

void build_tool_environment(const struct build_step *s, bool source, struct strv *out)
{
	cleanup_free char *mirror = NULL;

	strv_add(out, source ? "TARGET=" BUILD_TARGET : "OUTPUTS=" BUILD_OUTPUTS);
	if (s->machine.net_mode != CAGE_NET_NONE && debian_mirror_find(NULL, &mirror, NULL, NULL) == 0)
		strv_addf(out, "MIRROR=%s", mirror);
}

void build_machine(const struct build_env *env, struct machine *m)
{
	m->kernel = env->kernel;
	m->ptrace_mode = env->how->ptrace;
}

int build_tool_root(const struct build_env *env, const struct build_step *s, char **path, struct error *e)
{
	struct machine machine = MACHINE_INIT;
	const char *suite = s->tools_suite ? s->tools_suite : s->tool ? s->tool->suite : NULL;
	int ret;

	if (s->root) {
		*path = xstrdup(s->root);
		return 0;
	}
	build_machine(env, &machine);
	ret = machine_check(&machine, e);
	if (ret == 0)
		ret = fabricate_tools_root(suite, s->tool ? s->tool->packages : s->packages, NULL, &machine,
					   env->progress, path, e);
	machine_release(&machine);
	return ret;
}

int build_kernel(const struct build_env *env, const struct build_step *s, struct kernel_info *k,
		 const char **path, struct error *e)
{
	struct machine machine = MACHINE_INIT;
	int ret;

	*path = env->kernel;
	machine.kernel = s->machine.kernel ? s->machine.kernel : s->tool && s->tool->full ? "full" : NULL;
	/* who names one for all of them has tried it */
	if (env->how->kernel || !machine.kernel)
		return 0;
	ret = machine_kernel(&machine, NULL, true, env->progress, k, e);
	progress_end(env->progress);
	if (ret < 0)
		return ret;
	*path = k->path;
	return 0;
}
