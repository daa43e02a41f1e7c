// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The folder of a build and what a night puts there:
 *
 *	NAME/20261128T023000Z/	outputs, SHA256SUMS, manifest.json, bom.cdx.json, bom.spdx.json,
 *				provenance.json, log
 *	NAME/latest		leads to the newest whose checks passed
 *	NAME/failed.log		of the last run, if it failed
 *	NAME/notify.log		what notify = wrote, if anything
 *	NAME/status.json	what came of each run
 *	NAME/lock
 *
 * A night is made under a hidden name, which it loses when all is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "rootfs/image/image.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

#define LATEST		"latest"
#define FAILED_LOG	"failed.log"
#define NOTIFY_LOG	"notify.log"
#define PART		".new."
#define MANIFEST_MAX	((size_t)64 << 20)

char *build_folder(const struct build_how *how, const struct build *b)
{
	const char *dir = how && how->output ? how->output : b->publish.directory;
	cleanup_free char *top = !dir ? path_join(b->dir, "output") :
				 dir[0] == '/' || (how && how->output) ? xstrdup(dir) :
				 path_join(b->dir, dir);

	return path_join(top, b->name);
}

/* ---- the manifest ---- */

/* Every file that it names is there, as large as it was. */
static bool complete(struct json_object *manifest, const char *dir)
{
	struct json_object *list = json_list(manifest, "outputs");

	if (!list)
		return false;
	for (size_t i = 0; i < json_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		cleanup_free char *path = path_join(dir, json_text(o, "file"));
		cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		const char *sum = json_text(o, "sha256");

		if (fd < 0)
			return false;
		if (hash_valid(sum) && hash_matches_noted(fd, (uint64_t)json_number(o, "size"), sum) != 1)
			return false;
	}
	return true;
}

struct json_object *build_manifest_read(const char *path, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct json_object *manifest;

	if (file_read(AT_FDCWD, path, MANIFEST_MAX, &text, e) < 0)
		return NULL;
	manifest = json_tokener_parse(sb_str(&text));
	if (!manifest)
		err_set(e, EBADMSG, "'%s' is not a manifest of a build", path);
	return manifest;
}

struct json_object *build_latest(const char *folder)
{
	cleanup_free char *dir = path_join(folder, LATEST), *path = path_join(dir, BUILD_MANIFEST);
	struct json_object *manifest = build_manifest_read(path, NULL);

	if (manifest && !complete(manifest, dir)) {
		json_object_put(manifest);
		manifest = NULL;
	}
	return manifest;
}

const char *build_part(struct json_object *manifest, const char *name)
{
	struct json_object *parts = NULL;

	if (!manifest || !json_object_object_get_ex(manifest, "parts", &parts))
		return "";
	return json_text(parts, name);
}

char *build_difference(const struct build *b, const struct build_keys *k,
		       struct json_object *manifest)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	if (!manifest)
		return xstrdup("there is no latest that is whole\n");
	if (k->never)
		sb_adds(&out, "source: a hook or an input of it cannot be compared\n");
	for (size_t i = k->never; i < k->n; i++) {
		const char *old = build_part(manifest, k->parts[i].name);

		if (!*old)
			sb_addf(&out, "%s: new\n", k->parts[i].name);
		else if (!str_eq(old, k->parts[i].key))
			sb_addf(&out, "%s: %s\n", k->parts[i].name, i ? "changed" : b->suite ?
				"packages, options or umlcage changed" : "changed");
	}
	if (!out.len && !str_eq(json_text(manifest, "key"), k->all))
		sb_adds(&out, "something is gone, or in another order\n");
	return out.len ? sb_steal(&out) : NULL;
}

/* ---- a night ---- */

/* What killed runs left, for who holds the lock: nobody else is at work here then. */
static void sweep(const char *folder)
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv names = STRV_INIT;

	if (fd < 0 || dir_names(fd, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (str_starts(names.v[i], PART))
			(void)remove_tree(fd, names.v[i], NULL);
}

void build_sweep(const char *folder)
{
	cleanup_free char *path = path_join(folder, "lock");
	cleanup_close int lock = access(path, F_OK) < 0 ? -1 :
				 lock_file(AT_FDCWD, path, true, false, NULL);

	if (lock >= 0)
		sweep(folder);
}

static int busy(struct error *e)
{
	err_release(e);
	return err_set(e, EBUSY, "somebody else is building it now");
}

static int begin(struct night *n, struct error *e)
{
	cleanup_free char *lock = path_join(n->folder, "lock");
	int ret = make_dirs(AT_FDCWD, n->folder, 0777, e);

	if (ret < 0)
		return ret;
	n->lock = lock_file(AT_FDCWD, lock, true, false, e);
	if (n->lock < 0)
		return n->lock == -EWOULDBLOCK ? busy(e) : n->lock;
	sweep(n->folder);
	n->part = xasprintf("%s/" PART "%08x", n->folder, (unsigned int)random_u64());
	if (mkdir(n->part, 0777) < 0)
		return err_sys(e, errno, "cannot make '%s'", n->part);
	n->log_path = path_join(n->part, "log");
	n->env->log = open(n->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (n->env->log < 0)
		return err_sys(e, errno, "cannot write '%s'", n->log_path);
	n->env->progress->fd = n->env->log;
	n->env->progress->tty = false;
	return 0;
}

/* ---- outputs ---- */

static bool link_latest(const struct night *n, const struct build_output *o, const char *ending)
{
	cleanup_free char *old = xasprintf("%s/" LATEST "/%s%s", n->folder, o->name, ending);
	cleanup_free char *new = xasprintf("%s/%s%s", n->part, o->name, ending);

	return link(old, new) == 0;
}

/* The same of the same tree is there since last time: another name for it. */
static bool reuse(struct night *n, const struct build_output *o, const char *part_key)
{
	cleanup_free char *name = xasprintf("output %s", o->name);

	if (!n->former || n->env->how->force || !str_eq(build_part(n->former, name), part_key) ||
	    !str_eq(json_text(n->former, "tree"), n->b->tree_key))
		return false;
	/* what failed half-way is replaced when it is made */
	if (!link_latest(n, o, ""))
		return false;
	for (size_t i = 0; i < TARGET_BESIDE && o->details.verity; i++)
		if (!link_latest(n, o, target_beside[i]))
			return false;
	build_keep_tools(n, o->name);
	return true;
}

static int write_output(struct night *n, const struct build_output *o, const char *path,
			struct share *tree, struct error *e)
{
	const struct target_request request = {
		.name = path, .format = o->format, .level = o->level, .threads = o->jobs,
		.sparse = o->sparse, .details = &o->details,
	};
	struct machine machine = MACHINE_INIT;
	struct image_maker im = IMAGE_MAKER_INIT(&machine);
	cleanup_target struct target t = TARGET_INIT;
	int ret;

	build_machine(n->env, &machine);
	ret = target_parse(&t, &request, e);
	t.maker = &im.maker;
	if (ret == 0)
		ret = machine_check(&machine, e);
	if (ret == 0)
		ret = target_check(&t, tree, e);
	if (ret == 0)
		ret = target_prepare(&t, n->env->progress, e);
	if (ret == 0)
		ret = target_begin(&t, e);
	if (ret == 0)
		ret = target_write(&t, tree, n->env->progress, NULL, e);
	if (ret == 0)
		ret = target_commit(&t, e);
	if (ret == 0 && im.tools)
		build_note_tools(n, o->name, im.tools);
	image_maker_release(&im);
	machine_release(&machine);
	return ret;
}

/* A file of the tree as it is: a tool may have made it, which nobody trusts with more than its bytes. */
static int take_file(const struct build_output *o, const char *path, struct share *tree, struct error *e)
{
	cleanup_share_tree struct share_tree *files = share_tree_new(tree->fd, 0);
	cleanup_close int from = share_open_file(files, o->file, e), to = -1;

	if (from < 0)
		return err_wrap(e, "file = %s", o->file);
	to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (to < 0)
		return err_sys(e, errno, "cannot write '%s'", path);
	return share_copy_file(from, to, e) < 0 ? err_wrap(e, "cannot write '%s'", path) : 0;
}

/* A file of the night, into the manifest. */
static int note_file(struct night *n, const char *name, struct error *e)
{
	cleanup_free char *path = path_join(n->part, name);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct json_object *entry;
	char sum[SHA256_HEX + 1];
	struct stat st = { 0 };
	int ret = fd < 0 || fstat(fd, &st) < 0 ? -errno : hash_fd(fd, sum);

	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s'", path);
	entry = json_new();
	hash_note(fd, sum);
	n->bytes += (uint64_t)st.st_blocks * 512;
	json_add_text(entry, "file", name);
	json_add(entry, "size", json_object_new_int64((int64_t)st.st_size));
	json_add_text(entry, "sha256", sum);
	json_push(n->outputs, entry);
	return 0;
}

/* An output, a folder by its index. */
static int note_output(struct night *n, const struct build_output *o, struct error *e)
{
	cleanup_free char *path = path_join(n->part, o->name), *index = path_join(path, "index.json");
	cleanup_free char *name = path_join(o->name, "index.json");
	struct stat st;
	int ret;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		struct json_object *entry;

		if (access(index, R_OK) == 0)
			return note_file(n, name, e);
		/* a share is told by its tree */
		entry = json_new();
		json_add_text(entry, "file", o->name);
		json_push(n->outputs, entry);
		return 0;
	}
	ret = note_file(n, o->name, e);
	for (size_t i = 0; i < TARGET_BESIDE && o->details.verity && ret == 0; i++) {
		cleanup_free char *beside = xasprintf("%s%s", o->name, target_beside[i]);

		ret = note_file(n, beside, e);
	}
	return ret;
}

static int make_outputs(struct night *n, struct error *e)
{
	cleanup_share struct share tree = SHARE_INIT;
	cleanup_free char *epoch = xasprintf("%lld", (long long)n->b->epoch);
	int ret = share_open(&tree, n->tree, SHARE_READ, e);

	/* this process is the build's own */
	setenv("SOURCE_DATE_EPOCH", epoch, 1);
	for (size_t i = 0; i < n->b->noutputs && ret == 0; i++) {
		const struct build_output *o = &n->b->outputs[i];
		cleanup_free char *path = path_join(n->part, o->name);

		free(n->what);
		n->what = xasprintf("output %s", o->name);
		progress_note(n->env->progress, "%s", n->what);
		if (interrupted())
			return err_set(e, EINTR, "interrupted");
		if (!reuse(n, o, n->k->parts[1 + n->b->nsteps + i].key))
			ret = o->file ? take_file(o, path, &tree, e) : write_output(n, o, path, &tree, e);
		if (ret == 0)
			ret = note_output(n, o, e);
	}
	return ret;
}

/* ---- checks ---- */

/* The first output that a cage can boot on, else the tree itself. */
static char *checked_root(const struct night *n)
{
	for (size_t i = 0; i < n->b->noutputs; i++) {
		const char *name = n->b->outputs[i].name;
		const char *format = n->b->outputs[i].format;

		/* what a tool calls disk.img has partitions, more often than not */
		if (str_ends(name, ".ext4") || str_ends(name, ".squashfs") ||
		    (str_ends(name, ".img") && !n->b->outputs[i].file) ||
		    str_eq(format, "ext4") || str_eq(format, "squashfs"))
			return path_join(n->part, name);
	}
	return xstrdup(n->tree);
}

static int run_checks(struct night *n, struct error *e)
{
	cleanup_free char *root = checked_root(n);
	int ret = 0;

	for (size_t i = 0; i < n->b->nchecks && ret == 0; i++) {
		free(n->what);
		n->what = xasprintf("check %s", n->b->checks[i].name);
		progress_note(n->env->progress, "%s", n->what);
		ret = build_check(n->env, n->b, &n->b->checks[i], root, n->part, n->b->epoch, e);
	}
	return ret;
}

/* ---- the end ---- */

/* The time it began, and a letter more if that is taken. */
static char *night_name(const struct night *n)
{
	cleanup_free char *stamp = utc_text(n->started, "%Y%m%dT%H%M%SZ");

	for (unsigned int i = 0;; i++) {
		char *name = i ? xasprintf("%s-%u", stamp, i) : xstrdup(stamp);
		cleanup_free char *path = path_join(n->folder, name);

		if (access(path, F_OK) < 0)
			return name;
		free(name);
	}
}

static int switch_latest(const struct night *n, const char *name, struct error *e)
{
	cleanup_free char *hidden = xasprintf("%s/" PART "%08x", n->folder, (unsigned int)random_u64());
	cleanup_free char *latest = path_join(n->folder, LATEST);

	if (symlink(name, hidden) < 0)
		return err_sys(e, errno, "cannot make '%s'", hidden);
	if (rename(hidden, latest) == 0)
		return 0;
	err_sys(e, errno, "cannot replace '%s'", latest);
	(void)unlink(hidden);
	return -e->errnum;
}

static bool is_night(const char *name)
{
	return strlen(name) >= 16 && name[8] == 'T' && strspn(name, "0123456789") == 8;
}

/*
 * Nights in the order in which they were made, the newest first: of what is recorded, since their
 * names tell only what the clock said, then of the rest by name.
 */
static void in_order(const struct night *n, struct strv *names, struct strv *out)
{
	struct json_object *records = build_records(n->folder), *runs = json_list(records, "runs");

	for (size_t i = 0; i < json_length(runs); i++) {
		const char *name = json_text(json_object_array_get_idx(runs, i), "folder");

		if (strv_has(names, name) && !strv_has(out, name))
			strv_add(out, name);
	}
	strv_sort(names);
	for (size_t i = names->n; i-- > 0;)
		if (!strv_has(out, names->v[i]))
			strv_add(out, names->v[i]);
	if (records)
		json_object_put(records);
}

/* The newest stay, and whatever `latest` leads to. */
static void retire(const struct night *n, const char *newest)
{
	cleanup_close int fd = open(n->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv names = STRV_INIT, order = STRV_INIT;
	size_t kept = 0;

	if (fd < 0 || dir_names(fd, &names, NULL) < 0)
		return;
	in_order(n, &names, &order);
	for (size_t i = 0; i < order.n; i++) {
		if (!is_night(order.v[i]) || str_eq(order.v[i], newest))
			continue;
		if (++kept >= (n->b->publish.keep ? n->b->publish.keep : 1))
			(void)remove_tree(fd, order.v[i], NULL);
	}
}

static int finish(struct night *n, struct build_report *r, struct build_run *run, struct error *e)
{
	cleanup_free char *name = NULL, *path = NULL, *failed = path_join(n->folder, FAILED_LOG);
	int ret;

	free(n->what);
	n->what = xstrdup("manifest");
	ret = build_manifest(n, &run->changes, e);
	if (ret == 0 && n->b->publish.sign && !n->env->how->again) {
		free(n->what);
		n->what = xstrdup("signature");
		ret = build_sign(n, e);
	}
	if (ret < 0)
		return ret;
	name = night_name(n);
	path = path_join(n->folder, name);
	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	if (rename(n->part, path) < 0)
		return err_sys(e, errno, "cannot make '%s'", path);
	ret = switch_latest(n, name, e);
	/* nobody is to find what `latest` never led to */
	if (ret < 0 && rename(path, n->part) == 0)
		return ret;
	free_ptr(&n->part);
	if (ret < 0)
		return ret;
	(void)unlink(failed);
	retire(n, name);
	run->folder = steal_ptr(&name);
	r->folder = steal_ptr(&path);
	return 0;
}

/* What failed, where to look, what to do. */
static void explain_failure(const struct night *n, struct build_report *r, const struct error *e)
{
	cleanup_free char *latest = path_join(n->folder, LATEST), *log = path_join(n->folder, FAILED_LOG);
	char to[256];
	ssize_t len = readlink(latest, to, sizeof(to) - 1);

	to[len < 0 ? 0 : len] = '\0';
	if (n->log_path && (build_hide_passwords(n->log_path, NULL) < 0 || rename(n->log_path, log) < 0))
		free_ptr(&log);
	r->text = xasprintf("%s%s%s\n%s%s\n%s%s; to try again: umlcage build --only=%s %s",
			    n->what ? n->what : "", n->what ? ": " : "", err_text(e),
			    log ? "log: " : "there is no log", log ? log : "",
			    len > 0 ? "latest is still " : "there is no latest yet", to, n->b->name,
			    n->b->file);
}

/* What the command writes is kept beside the nights: theirs are complete. */
static void notify(const struct night *n, const char *text)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)n->b->publish.notify, NULL };
	cleanup_free char *message = xasprintf("%s: %s\n", n->b->name, text);
	cleanup_free char *log = path_join(n->folder, NOTIFY_LOG);
	cleanup_close int in = memfd_with("summary", message, strlen(message), NULL);
	cleanup_close int out = -1;
	struct proc_fd fds[] = { { in, 0 }, { -1, 1 }, { -1, 2 } };
	struct proc_opts opts = { .argv = argv, .cwd = n->b->dir, .fds = fds, .nfds = 3,
				  .own_session = true };
	cleanup_close int pidfd = -1;
	cleanup_error struct error e = ERROR_INIT;
	struct stat st;
	int status;
	pid_t pid;

	if (!n->b->publish.notify || n->env->how->again || in < 0)
		return;
	out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
	if (out < 0)
		return;
	fds[1].ours = fds[2].ours = out;
	if (proc_start(&opts, &pid, &pidfd, &e) == 0)
		(void)proc_wait_group(pid, pidfd, n->b->limits.command_timeout, &status, &e);
	if (e.errnum)
		dprintf(out, "umlcage: notify: %s\n", err_text(&e));
	if (fstat(out, &st) == 0 && !st.st_size)
		(void)unlink(log);
	else
		(void)build_hide_passwords(log, NULL);
}

static void describe(const struct night *n, const struct build_run *run, struct build_report *r)
{
	cleanup_free char *size = format_size(n->bytes), *packages = NULL;
	size_t changes = 0;

	for (const char *p = run->changes ? run->changes : ""; *p; p++)
		changes += *p == '\n';
	packages = !n->former ? xstrdup("") : !changes ? xstrdup(", no package changed") :
		   xasprintf(", %zu package%s changed", changes, changes == 1 ? "" : "s");
	r->text = xasprintf("%zu output%s, %s%s", n->b->noutputs, n->b->noutputs == 1 ? "" : "s", size,
			    packages);
}

/* Which packages made the tree: of the root that was used now, or of the one of then. */
static void note_tool(struct night *n)
{
	if (n->b->tools)
		build_note_tools(n, "source", n->b->tools);
	else
		build_keep_tools(n, "source");
}

int build_make(struct build_env *env, struct build *b, const struct build_keys *k,
	       struct build_report *r, struct error *e)
{
	struct night n = { .env = env, .b = b, .k = k, .lock = -1, .started = (int64_t)time(NULL),
			   .folder = build_folder(env->how, b), .outputs = json_new_list(),
			   .tools = json_new_list() };
	struct build_run run = { .when = n.started };
	int64_t start = clock_ms();
	int ret = begin(&n, e);

	n.former = build_latest(n.folder);
	if (ret == 0)
		ret = build_tree(env, b, k, &n.tree, &n.what, e);
	if (ret == 0 && b->run && !b->run->root)
		note_tool(&n);
	if (ret == 0)
		ret = make_outputs(&n, e);
	if (ret == 0 && !env->how->again)
		ret = run_checks(&n, e);
	if (ret == 0)
		ret = finish(&n, r, &run, e);
	if (ret == 0)
		describe(&n, &run, r);
	else
		explain_failure(&n, r, e);
	run.seconds = r->seconds = (double)(clock_ms() - start) / 1000;
	run.bytes = r->bytes = n.bytes;
	run.failed = ret < 0;
	run.text = r->text;
	if (n.lock >= 0) {
		build_record(n.folder, b->name, &run);
		notify(&n, r->text);
	}
	if (n.part)
		(void)remove_tree(AT_FDCWD, n.part, NULL);
	free(run.folder);
	free(run.changes);
	json_object_put(n.tools);
	json_object_put(n.outputs);
	if (n.packages)
		json_object_put(n.packages);
	if (n.former)
		json_object_put(n.former);
	free(n.folder);
	free(n.part);
	free(n.log_path);
	free(n.what);
	free(n.tree);
	close_fd(&n.lock);
	return ret;
}
