// SPDX-License-Identifier: GPL-2.0-or-later
/* A script in a cage, on a copy of a tree that becomes the next one, or to try a tree out. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "rootfs/build/private.h"
#include "rootfs/emulate/emulate.h"
#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"

#define FILES	"/run/umlcage-files"
#define MEMORY	((uint64_t)2 << 30)
#define COPY	"cp -dR --preserve=mode,timestamps,links " FILES "/. "
#define WORK	"/work"
#define LINE_MAX_LEN 400

struct listener {
	int log;
	struct strbuf line;	/* the one that is not complete */
	char *command;		/* the one that runs, as the shell's trace has it */
	char *said;		/* its last line that was not empty */
};

/* "+ COMMAND", of a subshell "++ COMMAND"; exit only says what went before. */
static void take_line(struct listener *l)
{
	cleanup_free char *line = sb_steal(&l->line);
	size_t plus = strspn(line, "+");

	if (!plus || line[plus] != ' ') {
		free(l->said);
		l->said = steal_ptr(&line);
	} else if (strncmp(line + plus, " exit", 5) != 0) {
		free(l->command);
		l->command = xstrdup(line + plus + 1);
		free(l->said);
		l->said = NULL;
	}
}

static void hear(int channel, const char *data, size_t len, void *arg)
{
	struct listener *l = arg;

	(void)channel;
	if (l->log >= 0)
		(void)write_full(l->log, data, len);
	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n' && data[i] != '\r' && l->line.len < LINE_MAX_LEN) {
			sb_addc(&l->line, data[i]);
		} else if (l->line.len) {
			take_line(l);
		}
	}
}

static void environment(const struct build *b, const struct build_step *s, int64_t epoch,
			struct strv *env)
{
	strv_add(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strv_add(env, "LC_ALL=C.UTF-8");
	strv_add(env, "DEBIAN_FRONTEND=noninteractive");
	if (!s->user)
		strv_add(env, "HOME=/root");
	strv_addf(env, "UMLCAGE_BUILD=%s", b->name);
	if (build_has_tool(s))
		build_tool_environment(s, s == b->run, env);
	if (epoch >= 0)
		strv_addf(env, "SOURCE_DATE_EPOCH=%lld", (long long)epoch);
	machine_environment(&s->machine, false, env);
}

static int ended_badly(const struct build *b, const struct cage_exit *ended, struct listener *l,
		       struct error *e)
{
	const char *last;

	if (!ended->status)
		return 0;
	if (l->line.len)
		take_line(l);
	last = l->said ? l->said : l->command;
	if (ended->timed_out)
		err_set(e, ETIMEDOUT, "it took longer than %g s", (double)b->limits.timeout / 1000);
	else if (ended->oom || ended->full)
		err_set(e, EIO, "the cage ran out of memory; give it more with memory = in its section");
	else
		err_set(e, EIO, "exit status %d%s%s", ended->status, last ? ": " : "", last ? last : "");
	return err_mark(e, ERR_PACKAGES);
}

/*
 * Each command is in the log before it runs: one that fails without a word is named by it.  A tool
 * works in a folder that is its own, in a root that has been made ready for it.
 */
static char *script_of(const struct build *b, const struct build_step *s)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	bool source = s == b->run;

	if (s->tool)
		sb_addf(&text, "%s%s", fabricate_tool_before, s->tool->before ? s->tool->before : "");
	sb_adds(&text, "set -e\n");
	if (source && !s->workdir)
		sb_adds(&text, "mkdir -p " WORK "; cd " WORK "\n");
	sb_adds(&text, "set -x\n");
	if (s->files)
		sb_addf(&text, COPY "%s\n", source ? "." : "/");
	sb_addf(&text, "%s\n", s->script ? s->script : "");
	return sb_steal(&text);
}

static int run_script(const struct build_env *env, const struct build *b,
		      const struct build_step *s, struct cage *cage, int64_t epoch,
		      struct error *e)
{
	cleanup_free char *script = script_of(b, s);
	char *argv[] = { (char *)"/bin/sh", (char *)"-c", script, NULL };
	cleanup_strv struct strv vars = STRV_INIT;
	struct listener l = { .log = env->log };
	struct cage_exec exec = {
		.argv = argv, .cwd = s->workdir ? s->workdir : "/", .user = s->user,
		.timeout = b->limits.timeout, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1,
		.output = hear, .output_arg = &l, .end_on_signal = true,
	};
	struct cage_exit ended = { 0 };
	int ret;

	environment(b, s, epoch, &vars);
	exec.env = strv_argv(&vars);
	ret = cage_exec(cage, &exec, &ended, e);
	if (ret == 0)
		ret = ended_badly(b, &ended, &l, e);
	cage_exit_release(&ended);
	sb_release(&l.line);
	free(l.command);
	free(l.said);
	return ret;
}

/* Where it runs: on @root, whose copy becomes @into, or, of [Run], which has @into in it. */
static void place(const struct build *b, const struct build_step *s, const char *root, const char *into,
		  struct places_options *where)
{
	strv_addv(&where->binds, (const char *const *)strv_argv(&s->places.binds));
	strv_addv(&where->shares, (const char *const *)strv_argv(&s->places.shares));
	where->root = root;
	where->owner = s->places.owner;
	where->scratch = s->places.scratch;
	if (s->files)
		strv_addf(&where->binds, "%s:" FILES ":ro", s->files);
	if (s == b->run)
		strv_addf(&where->shares, "%s:" BUILD_TARGET, into);
	else
		where->commit_path = into;
}

static int in_cage(const struct build_env *env, const struct build *b, const struct build_step *s,
		   const struct places_options *where, const char *kernel, int64_t epoch, struct error *e)
{
	cleanup_root_spec struct root_spec spec = ROOT_SPEC_INIT;
	cleanup_free char *suite = fabricate_host_suite();
	cleanup_emulators struct emulators emulators = EMULATORS_INIT;
	struct places places = PLACES_INIT;
	struct cage_config cfg = CAGE_CONFIG_INIT;
	struct cage *cage = NULL;
	int ret = root_resolve(&spec, where->root, env->progress, e);

	if (ret < 0)
		return ret;
	cfg.memory = s->tool && s->tool->memory ? s->tool->memory : MEMORY;
	machine_configure(&s->machine, &cfg);
	if (env->how->ptrace) {
		cfg.ptrace_mode = true;
		cfg.cpus = 1;
	}
	cfg.kernel = kernel;
	cfg.hostname = "build";
	cfg.booted = true;
	cfg.progress = env->progress;
	ret = places_open(&places, where, &spec, &cfg, e);
	if (ret == 0)
		ret = emulate_ensure_root(&emulators, spec.kind == ROOT_SHARE ? places.root.fd : -1,
					  &s->machine.emulate, suite, NULL, env->progress, e);
	cfg.emulators = emulators.v;
	cfg.nemulators = emulators.n;
	if (ret == 0)
		ret = cage_start(&cage, &cfg, e);
	if (ret == 0)
		ret = run_script(env, b, s, cage, epoch, e);
	if (ret == 0)
		ret = cage_stop(cage, e);
	cage_free(cage);
	if (ret == 0)
		ret = places_finish(&places, true, e);
	places_close(&places);
	return ret;
}

static int run_on(const struct build_env *env, const struct build *b, const struct build_step *s,
		  const char *root, const char *into, const char *outputs, int64_t epoch, struct error *e)
{
	cleanup_kernel_info struct kernel_info own = KERNEL_INFO_INIT;
	struct places_options where = PLACES_OPTIONS_INIT;
	const char *kernel;
	int ret = build_kernel(env, s, &own, &kernel, e);

	place(b, s, root, into, &where);
	if (outputs)
		strv_addf(&where.binds, "%s:" BUILD_OUTPUTS ":ro", outputs);
	if (ret == 0)
		ret = in_cage(env, b, s, &where, kernel, epoch, e);
	places_options_release(&where);
	return ret;
}

int build_step(const struct build_env *env, const struct build *b, const struct build_step *s,
	       const char *root, const char *into, int64_t epoch, struct error *e)
{
	return run_on(env, b, s, root, into, NULL, epoch, e);
}

int build_check(const struct build_env *env, const struct build *b, const struct build_step *s,
		const char *root, const char *outputs, int64_t epoch, struct error *e)
{
	cleanup_free char *tools = NULL;
	int ret = build_has_tool(s) ? build_tool_root(env, s, &tools, e) : 0;

	if (ret < 0)
		return ret;
	return run_on(env, b, s, tools ? tools : root, NULL, tools ? outputs : NULL, epoch, e);
}
