// SPDX-License-Identifier: GPL-2.0-or-later
/* A share into the image of a file system, by a tool in a cage: see image.h. */
#include "rootfs/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/image/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"
#include "umlcage/cage/cage.h"

#define MEMORY		((uint64_t)1 << 30)
#define ROOM		(512 * MIB)	/* on a disk, beside the tree */
#define SAID_MAX	((size_t)1 << 20)	/* of what a tool said */
#define ATTEMPTS	3		/* each an eighth larger */
#define CPUS_MAX	8

/* ---- the tree on its way ---- */

struct feeder {
	struct image_job *j;
	int fd;
	struct error error;
	int ret;
};

static void *feed(void *arg)
{
	struct feeder *f = arg;
	const struct share_export_opts opts = {
		.format = &share_tar_bare, .epoch = f->j->t->epoch, .progress = f->j->progress,
	};

	f->ret = share_export(f->j->s, f->fd, "the tool's input", &opts, NULL, &f->error);
	close_fd(&f->fd);
	return NULL;
}

static void hear(int channel, const char *data, size_t len, void *arg)
{
	struct image_job *j = arg;

	(void)channel;
	if (j->said.len < SAID_MAX)
		sb_add(&j->said, data, len < SAID_MAX - j->said.len ? len : SAID_MAX - j->said.len);
}

/* A command in the cage to its end; its status is the job's. */
static int run(struct image_job *j, struct cage *cage, const struct strv *argv, int in, struct error *e)
{
	cleanup_strv struct strv env = STRV_INIT;
	struct cage_exec exec = { .argv = strv_argv(argv), .cwd = "/", .stdin_fd = in,
				  .stdout_fd = -1, .stderr_fd = -1, .output = hear, .output_arg = j,
				  .end_on_signal = true };
	struct cage_exit ended = { 0 };
	int ret;

	strv_add(&env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	strv_add(&env, "LC_ALL=C.UTF-8");
	if (!j->tool->no_epoch)
		strv_addf(&env, "SOURCE_DATE_EPOCH=%lld", (long long)j->epoch);
	if (j->tool->environment)
		j->tool->environment(j, &env);
	exec.env = strv_argv(&env);
	ret = cage_exec(cage, &exec, &ended, e);
	j->status = ended.status;
	cage_exit_release(&ended);
	return ret;
}

/* The tool runs, and is fed; what it did not want to read is no error of its own. */
static int run_tool(struct image_job *j, struct cage *cage, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;
	struct feeder f = { .j = j, .fd = -1, .error = ERROR_INIT };
	pthread_t thread;
	int ends[2], ret;

	j->tool->command(j, &argv);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	f.fd = ends[1];
	ret = pthread_create(&thread, NULL, feed, &f);
	if (ret) {
		close(ends[0]);
		close(ends[1]);
		return err_sys(e, ret, "cannot start a thread");
	}
	ret = run(j, cage, &argv, ends[0], e);
	close(ends[0]);
	pthread_join(thread, NULL);
	if (ret == 0 && j->status == 0 && f.ret < 0)
		ret = err_move(e, &f.error);
	err_release(&f.error);
	return ret;
}

/* debugfs repeats each command, and says what is wrong on a line of its own. */
static int run_rest(struct image_job *j, struct cage *cage, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT, lines = STRV_INIT;
	int ret;

	strv_split(&argv, IMAGE_GATHERED "debugfs -w -f " IMAGE_GUEST_OUT "/" IMAGE_SCRIPT " "
		   IMAGE_GUEST_OUT "/" IMAGE, " ");
	sb_reset(&j->said);
	ret = run(j, cage, &argv, -1, e);
	if (ret < 0 || j->status)
		return ret;
	strv_split(&lines, sb_str(&j->said), "\r\n");
	for (size_t i = 0; i < lines.n; i++)
		if (!str_starts(lines.v[i], "debugfs"))
			return err_set(e, strstr(lines.v[i], "No free space") ||
				       strstr(lines.v[i], "no free") ? ENOSPC : EIO,
				       "cannot make '%s': debugfs: %s", j->t->label, lines.v[i]);
	return 0;
}

static int run_verity(struct image_job *j, struct cage *cage, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;

	image_verity_command(j, &argv);
	sb_reset(&j->said);
	return run(j, cage, &argv, -1, e);
}

/* Virtual CPUs: those that were asked for, or the host's for who makes use of them. */
static unsigned int cpus_of(const struct image_job *j)
{
	if (!j->tool->threads || j->im->machine->cpus > 1 || j->im->machine->ptrace_mode)
		return j->im->machine->cpus;

	unsigned int n = proc_cpus();

	return n > CPUS_MAX ? CPUS_MAX : n;
}

static int in_cage(struct image_job *j, struct error *e)
{
	const struct cage_mount mounts[] = {
		{ .fd = j->work.share.fd, .where = IMAGE_GUEST_OUT, .plain = true, .nosync = true },
		{ .fd = j->s->fd, .where = IMAGE_GUEST_TREE, .read_only = true },
	};
	cleanup_share struct share tools_share = SHARE_INIT;
	struct cage_config cfg = CAGE_CONFIG_INIT;
	struct cage *cage = NULL;
	int ret = share_open(&tools_share, j->im->tools, SHARE_READ, e);

	if (ret < 0)
		return ret;
	cfg.kernel = j->im->kernel.path;
	cfg.memory = MEMORY;
	machine_configure(j->im->machine, &cfg);
	cfg.cpus = cpus_of(j);
	cfg.root.kind = CAGE_ROOT_SHARE;
	cfg.root.upper = CAGE_UPPER_MEMORY;
	cfg.root.fd = tools_share.fd;
	cfg.mounts = mounts;
	cfg.nmounts = j->tool->script ? 2 : 1;
	/* what else the machine is described with is for other commands */
	cfg.forwards = NULL;
	cfg.nforwards = 0;
	cfg.net = CAGE_NET_NONE;
	cfg.resolv_conf = false;
	cfg.hostname = "image";
	cfg.progress = j->progress;
	ret = cage_start(&cage, &cfg, e);
	if (ret == 0)
		ret = run_tool(j, cage, e);
	if (ret == 0 && j->status == 0 && j->tool->rest && !j->tool->script)
		ret = run_rest(j, cage, e);
	if (ret == 0 && j->status == 0 && j->t->details->verity)
		ret = run_verity(j, cage, e);
	if (ret == 0)
		ret = cage_stop(cage, e);
	cage_free(cage);
	return ret;
}

/* The last line that says something. */
static char *last_words(struct strbuf *said)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, sb_str(said), "\r\n");
	return xstrdup(lines.n ? lines.v[lines.n - 1] : "it said nothing");
}

static int tool_failed(struct image_job *j, struct error *e)
{
	cleanup_free char *words = last_words(&j->said);
	bool full = strstr(sb_str(&j->said), "Could not allocate") ||
		    strstr(sb_str(&j->said), "No space") || strstr(sb_str(&j->said), "too small");

	err_set(e, full ? ENOSPC : EIO, "cannot make '%s': %s failed (status %d): %s", j->t->label,
		j->tool->script ? "a tool" : j->tool->name, j->status, words);
	if (full && j->t->details->size)
		err_hint(e, "give it more with --size");
	return -e->errnum;
}

/* Once more with more room, where it was our own idea of it that was too small. */
static int make_file(struct image_job *j, struct error *e)
{
	bool ours = j->t->format->sized && !j->t->details->size;
	int ret = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		if (ret < 0)
			err_release(e);
		(void)unlinkat(j->work.share.fd, IMAGE, 0);
		sb_reset(&j->said);
		ret = in_cage(j, e);
		if (ret == 0 && j->status)
			ret = tool_failed(j, e);
		if (ret != -ENOSPC || !ours || !j->status)
			break;
		j->size += j->size / 8;
	}
	return ret;
}

/* IMAGE with that ending, which a tool made. */
static int hand_over_file(const struct image_job *j, const char *ending, int fd, struct error *e)
{
	cleanup_free char *name = xasprintf(IMAGE "%s", ending);
	cleanup_close int made = openat(j->work.share.fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (made < 0)
		return err_sys(e, errno, "cannot open the image that %s made", j->t->format->tool);
	return share_copy_file(made, fd, e) < 0 ? err_wrap(e, "cannot write '%s%s'", j->t->label, ending) : 0;
}

static int hand_over(const struct image_job *j, int fd, struct error *e)
{
	int ret = hand_over_file(j, "", fd, e);

	for (size_t i = 0; i < TARGET_BESIDE && ret == 0 && j->t->details->verity; i++)
		ret = hand_over_file(j, target_beside[i], j->t->beside[i].fd, e);
	return ret;
}

/* An image that is as large as it was asked to be has to take the tree. */
static int find_size(struct image_job *j, struct error *e)
{
	cleanup_free char *asked = NULL, *needed = NULL;
	uint64_t least = (j->needs.blocks + j->needs.inodes / 16) * IMAGE_BLOCK;
	uint64_t other = image_disk_other(j), all = j->t->details->size;

	if (!all) {
		/* a system writes where it runs */
		j->size = image_ext4_size(&j->needs) + (j->disk.root_at ? ROOM : 0);
		j->size = (j->size + j->size / 100 * j->tool->more) & ~(MIB - 1);
		if (j->size < j->tool->least)
			j->size = j->tool->least;
		return 0;
	}
	if (all < j->tool->least) {
		needed = format_size(j->tool->least);
		return err_set(e, ENOSPC, "cannot make '%s': %s has at least %s; give --size more, or leave "
			       "it out", j->t->label, j->t->format->name, needed);
	}
	if (all >= least + other) {
		j->size = (all - other) & ~(uint64_t)(IMAGE_BLOCK - 1);
		return 0;
	}
	asked = format_size(all);
	needed = format_size(image_ext4_size(&j->needs) + other);
	return err_set(e, ENOSPC, "cannot make '%s': the tree does not fit in %s; give --size about %s, "
		       "or leave it out", j->t->label, asked, needed);
}

/* What a medium boots. */
static int find_system(const struct target *t, struct share *s, struct image_kernel *k, struct error *e)
{
	int ret = image_kernel_find(s, t->label, k, e);

	return ret == 0 ? image_loader_check(t, s, k, e) : ret;
}

/* What is planned before the tools are called. */
static int plan(struct image_job *j, struct error *e)
{
	int ret = 0;

	if (j->t->format->boots)
		ret = find_system(j->t, j->s, &j->kernel, e);
	if (ret == 0)
		ret = image_measure(j->s, j->t->epoch, &j->needs, e);
	if (ret < 0)
		return ret;
	j->epoch = j->t->epoch >= 0 ? j->t->epoch : j->needs.newest;
	if (j->needs.acls && (str_eq(j->tool->name, "mksquashfs") || str_eq(j->tool->name, "iso")))
		progress_warn(j->progress, "%llu files have ACLs, which squashfs has no place for",
			      (unsigned long long)j->needs.acls);
	if (j->needs.acls && str_eq(j->tool->name, "mkfs.xfs"))
		progress_warn(j->progress, "%llu files have ACLs, which mkfs.xfs leaves out",
			      (unsigned long long)j->needs.acls);
	if (j->t->format->boots && j->t->format->sized)
		image_disk_plan(j);
	return j->t->format->sized ? find_size(j, e) : 0;
}

/* One of what is preloaded there, which is between two labels of one object. */
static int put_preload(struct image_job *j, const char *name, const char *start, const char *end,
		       struct error *e)
{
	return file_replace(j->work.share.fd, name, start, (size_t)(end - start), 0700, e);
}

/* What the cage reads beside the tree. */
static int put_scripts(struct image_job *j, struct error *e)
{
	const struct image_tool *tool = j->tool;
	int ret = 0;

	if (tool->rest)
		ret = image_ext4_rest(j->s, j->t->epoch, j->work.share.fd, j->progress, e);
	if (ret == 0 && tool->script)
		ret = file_replace(j->work.share.fd, IMAGE_MAKE, tool->script,
				   (size_t)(tool->script_end - tool->script), 0600, e);
	if (ret == 0 && tool->script == image_populate_script)
		ret = put_preload(j, IMAGE_STILL, image_still, image_still_end, e);
	if (ret == 0 && tool->blocks)
		ret = put_preload(j, IMAGE_BLOCKS_SO, image_blocks, image_blocks_end, e);
	if (ret == 0 && tool->rest)
		ret = put_preload(j, IMAGE_GATHER, image_gather, image_gather_end, e);
	if (ret == 0 && tool->blocks)
		image_blocks_fetch(j);
	return ret;
}

int image_make(struct target_maker *m, const struct target *t, struct share *s, int fd,
	       struct progress *progress, struct share_totals *totals, struct error *e)
{
	struct image_job j = { .im = (struct image_maker *)m, .t = t, .s = s, .progress = progress,
			       .tool = image_tool(t->format->tool), .work = WORK_INIT };
	int ret = plan(&j, e);

	if (ret == 0)
		ret = work_begin(&j.work, e);
	if (ret == 0)
		ret = put_scripts(&j, e);
	if (ret == 0)
		ret = make_file(&j, e);
	if (ret == 0 && interrupted())
		ret = err_set(e, EINTR, "interrupted");
	if (ret == 0)
		ret = hand_over(&j, fd, e);
	if (ret == 0 && j.tool->blocks)
		image_blocks_keep(&j);
	if (ret == 0 && totals)
		*totals = (struct share_totals){ j.needs.inodes, j.needs.bytes };
	work_end(&j.work);
	sb_release(&j.said);
	free(j.kernel.version);
	progress_end(progress);
	return ret;
}

int image_check(struct target_maker *m, const struct target *t, struct share *s, struct error *e)
{
	struct image_kernel kernel = { NULL };
	int ret = t->format->boots ? find_system(t, s, &kernel, e) : 0;

	(void)m;
	free(kernel.version);
	return ret;
}

int image_prepare(struct target_maker *m, const struct target *t, struct progress *progress,
		  struct error *e)
{
	struct image_maker *im = (struct image_maker *)m;
	const struct image_tool *tool = image_tool(t->format->tool);
	const char *suite = t->details->tools ? t->details->tools :
			    tool && tool->suite ? tool->suite : TARGET_TOOLS;
	int ret = 0;

	if (!tool)
		return err_set(e, EOPNOTSUPP, "cannot make '%s': nobody knows how %s is called",
			       t->label, t->format->tool);
	if (im->tools && str_eq(im->packages, tool->packages))
		return 0;
	if (!im->kernel.path)
		ret = machine_kernel(im->machine, im->mirror, true, progress, &im->kernel, e);
	if (ret < 0)
		return ret;
	free_ptr(&im->tools);
	im->packages = tool->packages;
	return fabricate_tools_root(suite, tool->packages, im->mirror, im->machine, progress,
				    &im->tools, e);
}

void image_maker_release(struct image_maker *im)
{
	free_ptr(&im->tools);
	kernel_info_release(&im->kernel);
}
