// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The builds of some files, in the order of what they build on: each in a process of its own,
 * which says through a socket how it ended, and asks there for its turn to make something.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "rootfs/cache/cache.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

#define MEMORY_EACH	((uint64_t)1500 << 20)	/* of the host, to be on the safe side */
#define STAGES_MAX	(16ull << 30)
/* Who only looks waits for mirrors, mostly; a turn is for those who make something. */
#define LOOK_MAX	16
#define ASKED		'!'	/* of a report, which is JSON, that is yet to come */

/* ---- order ---- */

static int visit(struct builds *all, struct build *b, struct build **out, size_t *n,
		 struct error *e)
{
	int ret = 0;

	if (b->visited)
		return 0;
	if (b->under_way)
		return err_usage(e, "%s: '%s' builds on itself", b->file, b->name);
	b->under_way = true;
	if (b->base) {
		b->on = builds_find(all, b->base);
		ret = visit(all, b->on, out, n, e);
	}
	b->under_way = false;
	b->visited = true;
	out[(*n)++] = b;
	return ret;
}

int builds_order(struct builds *all, struct error *e)
{
	struct build **out = xcalloc(all->n + 1, sizeof(*out));
	size_t n = 0;
	int ret = 0;

	for (size_t i = 0; i < all->n && ret == 0; i++)
		ret = visit(all, all->v[i], out, &n, e);
	if (ret == 0) {
		free(all->v);
		all->v = steal_ptr(&out);
	}
	free(out);
	return ret;
}

/* --only: those, and what they build on. */
static int choose(struct builds *all, const struct build_how *how, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;

	for (size_t i = 0; i < all->n; i++)
		strv_add(&names, all->v[i]->name);
	for (size_t i = 0; i < how->only.n; i++)
		if (!builds_find(all, how->only.v[i])) {
			const char *near = str_closest(how->only.v[i],
						       (const char *const *)strv_argv(&names));

			return err_usage(e, "there is no build '%s'%s%s%s", how->only.v[i],
					 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		}
	for (size_t i = all->n; i-- > 0;) {
		struct build *b = all->v[i];

		if (how->only.n)
			b->wanted = strv_has(&how->only, b->name);
		for (size_t j = i + 1; j < all->n; j++)
			b->wanted |= all->v[j]->on == b && all->v[j]->wanted;
	}
	return 0;
}

/* ---- in the process of a build ---- */

static void say(int fd, const struct build *b, const struct build_report *r, int kind)
{
	struct json_object *o = json_new();
	const char *text;

	json_add(o, "result", json_object_new_int(r->result));
	json_add(o, "kind", json_object_new_int(kind));
	json_add(o, "milliseconds", json_object_new_int64((int64_t)(r->seconds * 1000)));
	json_add(o, "bytes", json_object_new_int64((int64_t)r->bytes));
	json_add_text(o, "text", r->text ? r->text : "");
	json_add_text(o, "why", r->why ? r->why : "");
	json_add_text(o, "folder", r->folder ? r->folder : "");
	json_add_text(o, "tree", b->tree_key);
	json_add(o, "epoch", json_object_new_int64(b->epoch));
	text = json_print(o, JSON_C_TO_STRING_PLAIN);
	(void)write_full(fd, text, strlen(text));
	json_object_put(o);
}

static char *latest_path(const char *folder)
{
	cleanup_free char *latest = path_join(folder, "latest");

	return realpath(latest, NULL);
}

static int wait_for_turn(const struct build_env *env, struct error *e)
{
	const char asked = ASKED;
	char given;

	if (write_full(env->turn, &asked, 1) < 0 || read(env->turn, &given, 1) != 1)
		return interrupted() ? err_set(e, EINTR, "interrupted") :
				       err_set(e, EPIPE, "who started this build is gone");
	return 0;
}

static int look_and_make(struct build_env *env, struct build *b, struct build_report *r,
			 struct error *e)
{
	cleanup_free char *folder = build_folder(env->how, b);
	struct json_object *latest = build_latest(folder);
	struct build_keys k = { .epoch = -1 };
	int ret = chdir(b->dir) < 0 ? err_sys(e, errno, "cannot enter '%s'", b->dir) :
				      build_keys(env, b, &k, e);

	if (ret == 0) {
		r->why = build_difference(b, &k, latest);
		if (env->how->force && !r->why)
			r->why = xstrdup("--force\n");
		memcpy(b->tree_key, k.trees[b->nsteps], sizeof(b->tree_key));
		b->epoch = k.epoch >= 0 ? k.epoch : json_number(latest, "source_date_epoch");
	}
	if (ret == 0 && !r->why) {
		r->result = BUILD_UP_TO_DATE;
		r->folder = latest_path(folder);
		build_sweep(folder);
		if (!env->how->dry_run)
			build_record(folder, b->name, NULL);
	} else if (ret == 0 && env->how->dry_run) {
		r->result = BUILD_WOULD;
	} else if (ret == 0) {
		ret = wait_for_turn(env, e);
		if (ret == 0)
			ret = build_make(env, b, &k, r, e);
		r->result = BUILD_MADE;
	} else {
		/* a mirror that is away: yesterday's is kept */
		r->text = xasprintf("source: %s\n%s\nto try again: umlcage build --only=%s %s", err_text(e),
				    latest ? "what was made last is still there" : "there is no latest yet",
				    b->name, b->file);
		if (!env->how->dry_run && make_dirs(AT_FDCWD, folder, 0777, NULL) == 0) {
			const struct build_run run = { .when = (int64_t)time(NULL), .failed = true,
						       .text = r->text };

			build_record(folder, b->name, &run);
		}
	}
	build_keys_release(&k);
	if (latest)
		json_object_put(latest);
	return ret;
}

static void in_process(const struct build_env *given, struct build *b, int out)
{
	struct build_report r = { .name = b->name };
	struct error e = ERROR_INIT;
	struct build_env env = *given;
	struct progress progress;
	int ret;

	interrupt_begin();
	progress_init(&progress, STDERR_FILENO, 0);
	env.progress = &progress;
	env.turn = out;
	ret = look_and_make(&env, b, &r, &e);
	if (ret < 0)
		r.result = BUILD_FAILED;
	say(out, b, &r, ret < 0 ? (int)err_kind(&e) : 0);
	_exit(ret < 0);
}

static int start(const struct build_env *env, struct build *b, struct error *e)
{
	const pid_t parent = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_sys(e, errno, "cannot make a pair of sockets");
	fflush(NULL);
	b->started = clock_ms();
	b->pid = fork();
	if (b->pid == 0) {
		/* who is killed takes them along */
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != parent)
			_exit(1);
		close(ends[0]);
		in_process(env, b, ends[1]);
	}
	close(ends[1]);
	if (b->pid < 0) {
		close(ends[0]);
		return err_sys(e, errno, "cannot start a process");
	}
	b->pipe = ends[0];
	return 0;
}

/* ---- in the one that starts them ---- */

struct crew {
	struct builds *all;
	const struct build_env *env;
	void (*tell)(const struct build_report *r, void *arg);
	void *arg;
	int *status;
	unsigned int jobs, making, running;
	bool stopped;
};

static void tell(struct crew *c, struct build *b, const struct build_report *r)
{
	b->done = true;
	b->result = r->result;
	if (r->result == BUILD_FAILED && !*c->status)
		*c->status = r->status;
	c->tell(r, c->arg);
}

/* It cannot clean up any more, nor say so: out of memory, or killed. */
static void clean_up_after(const struct crew *c, const struct build *b, char *text)
{
	cleanup_free char *folder = build_folder(c->env->how, b);
	const struct build_run run = { .when = (int64_t)time(NULL), .failed = true, .text = text,
				       .seconds = (double)(clock_ms() - b->started) / 1000 };

	build_sweep(folder);
	if (!c->env->how->dry_run && access(folder, F_OK) == 0)
		build_record(folder, b->name, &run);
}

/* Who runs now, or makes something as soon as it has looked. */
static void count(struct crew *c, int change)
{
	c->running += (unsigned int)change;
	cage_peers_set(c->running < c->jobs ? c->running : c->jobs);
}

/* Its last words, or that it had none. */
static void take_report(struct crew *c, struct build *b, int wait_status)
{
	struct json_object *o = b->heard.len ? json_tokener_parse(sb_str(&b->heard)) : NULL;
	struct build_report r = { .name = b->name, .description = b->description };
	const char *why = json_text(o, "why"), *text = json_text(o, "text");
	const char *folder = json_text(o, "folder");

	r.result = o ? (enum build_result)json_number(o, "result") : BUILD_FAILED;
	r.status = o ? (int)json_number(o, "kind") : ERR_OTHER;
	r.seconds = (double)(clock_ms() - b->started) / 1000;
	r.bytes = (uint64_t)json_number(o, "bytes");
	r.text = o ? xstrdup(text) : xasprintf("its process died (%s %d)",
					       WIFSIGNALED(wait_status) ? "signal" : "status",
					       WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) :
					       WEXITSTATUS(wait_status));
	if (!o)
		clean_up_after(c, b, r.text);
	r.why = *why ? xstrdup(why) : NULL;
	r.folder = *folder ? xstrdup(folder) : NULL;
	if (o && strlen(json_text(o, "tree")) == SHA256_HEX)
		memcpy(b->tree_key, json_text(o, "tree"), SHA256_HEX + 1);
	b->epoch = json_number(o, "epoch");
	tell(c, b, &r);
	free(r.text);
	free(r.why);
	free(r.folder);
	if (o)
		json_object_put(o);
}

static void hear(struct crew *c, struct build *b)
{
	char buf[4096];
	ssize_t n = read(b->pipe, buf, sizeof(buf));
	int status = 0;

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0) {
		bool asked = !b->heard.len && buf[0] == ASKED;

		b->waits |= asked;
		sb_add(&b->heard, buf + asked, (size_t)n - asked);
		return;
	}
	close_fd(&b->pipe);
	while (waitpid(b->pid, &status, 0) < 0 && errno == EINTR)
		;
	count(c, -1);
	c->making -= b->making;
	b->waits = b->making = false;
	b->pid = 0;
	take_report(c, b, status);
}

static void stop_all(struct crew *c)
{
	for (size_t i = 0; i < c->all->n; i++)
		if (c->all->v[i]->pid > 0)
			(void)kill(c->all->v[i]->pid, interrupted());
	c->stopped = true;
}

static void skip(struct crew *c, struct build *b)
{
	struct build_report r = { .name = b->name, .result = BUILD_SKIPPED };

	r.text = xasprintf("'%s', which it builds on, failed", b->base);
	tell(c, b, &r);
	free(r.text);
}

/* What it builds on has been made: first come those that others wait for. */
static void give_turns(struct crew *c)
{
	for (size_t i = 0; i < c->all->n && c->making < c->jobs && !c->stopped; i++) {
		struct build *b = c->all->v[i];

		if (!b->waits || write_full(b->pipe, "", 1) < 0)
			continue;
		b->waits = false;
		b->making = true;
		b->started = clock_ms();
		c->making++;
	}
}

/* Starts what can be, and says whether there is anything left to wait for. */
static int start_some(struct crew *c, struct error *e)
{
	for (size_t i = 0; i < c->all->n; i++) {
		struct build *b = c->all->v[i];
		int ret;

		if (b->done || b->pid || !b->wanted || c->stopped || (b->on && !b->on->done))
			continue;
		if (b->on && (b->on->result == BUILD_FAILED || b->on->result == BUILD_SKIPPED)) {
			skip(c, b);
			continue;
		}
		if (c->running >= LOOK_MAX)
			continue;
		count(c, 1);
		ret = start(c->env, b, e);
		if (ret < 0)
			return ret;
	}
	give_turns(c);
	return 0;
}

static int wait_some(struct crew *c)
{
	struct pollfd *fds = xcalloc(c->all->n, sizeof(*fds));
	int ret;

	for (size_t i = 0; i < c->all->n; i++)
		fds[i] = (struct pollfd){ .fd = c->all->v[i]->pipe, .events = POLLIN };
	ret = poll(fds, c->all->n, -1);
	if (interrupted() && !c->stopped)
		stop_all(c);
	for (size_t i = 0; i < c->all->n && ret > 0; i++)
		if (fds[i].revents)
			hear(c, c->all->v[i]);
	free(fds);
	return 0;
}

/* As many as there are processors, and as have memory. */
static unsigned int default_jobs(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	unsigned long long kb = 0;
	const char *at;
	unsigned int jobs = proc_cpus();

	if (file_read(AT_FDCWD, "/proc/meminfo", 1 << 16, &text, NULL) == 0 &&
	    (at = strstr(sb_str(&text), "MemAvailable:")))
		kb = strtoull(at + strlen("MemAvailable:"), NULL, 10);
	if (kb && kb * 1024 / MEMORY_EACH < jobs)
		jobs = (unsigned int)(kb * 1024 / MEMORY_EACH);
	return jobs ? jobs : 1;
}

static int run_all(struct crew *c, struct error *e)
{
	int ret = start_some(c, e);

	while (ret == 0 && c->running) {
		ret = wait_some(c);
		if (ret == 0)
			ret = start_some(c, e);
	}
	return ret == 0 && c->stopped ? err_set(e, EINTR, "interrupted") : ret;
}

int builds_run(struct builds *all, const struct build_how *how, struct progress *progress,
	       void (*tell_one)(const struct build_report *r, void *arg), void *arg, int *status,
	       struct error *e)
{
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	struct machine machine = MACHINE_INIT;
	struct build_env env = { .how = how, .builds = all, .progress = progress, .log = -1,
				 .turn = -1 };
	struct crew c = { .all = all, .env = &env, .tell = tell_one, .arg = arg, .status = status,
			  .jobs = how->jobs ? how->jobs : default_jobs() };
	uint64_t bytes;
	size_t count, held;
	int ret = choose(all, how, e);

	*status = 0;
	snprintf(env.run, sizeof(env.run), "%016llx", (unsigned long long)random_u64());
	machine.kernel = how->kernel;
	if (ret == 0)
		ret = machine_check(&machine, e);
	if (ret == 0)
		ret = machine_kernel(&machine, NULL, true, progress, &kernel, e);
	progress_end(progress);
	if (ret >= 0)
		ret = cage_peers_begin(e);
	if (ret >= 0) {
		env.kernel = kernel.path;
		env.kernel_key = kernel.key;
		interrupt_begin();
		ret = run_all(&c, e);
		if (ret == 0 && !how->dry_run)
			(void)cache_prune("stages", STAGES_MAX, 0, &bytes, &count, &held, NULL);
		interrupt_end();
	}
	machine_release(&machine);
	return ret < 0 ? ret : 0;
}
