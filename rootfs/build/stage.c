// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trees by what they were made from: after the source and after each step, so that a change
 * in a late step runs that step and what follows.
 *
 *	$XDG_CACHE_HOME/umlcage/stages/KEY/manifest	"what: NAME, step", "epoch: SECONDS",
 *							"packages: SHA256" of
 *	$XDG_CACHE_HOME/umlcage/stages/KEY/packages	the .debs of its source, of a suite
 *	$XDG_CACHE_HOME/umlcage/stages/KEY/share/	the tree, sealed
 *
 * The folder KEY is locked (flock) while its tree is read, as those of trees/ are.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/xdg.h"

#define PACKAGES	"packages"
#define LIST_MAX	((size_t)16 << 20)

/* ---- other programs ---- */

static enum error_kind kind_of(int status)
{
	static const enum error_kind kinds[] = {
		[0] = ERR_OTHER, [1] = ERR_OTHER, [2] = ERR_USAGE, [3] = ERR_ABSENT,
		[4] = ERR_NETWORK, [5] = ERR_PACKAGES, [6] = ERR_DISK,
	};

	return status >= 0 && (size_t)status < ARRAY_SIZE(kinds) ? kinds[status] : ERR_OTHER;
}

static int wait_for(pid_t pid, int *status, struct error *e)
{
	int passed = 0;

	while (waitpid(pid, status, 0) < 0) {
		if (errno != EINTR)
			return err_sys(e, errno, "cannot wait for umlcage");
		if (interrupted() && !passed++)
			(void)kill(pid, interrupted());
	}
	return interrupted() ? err_set(e, EINTR, "interrupted") : 0;
}

/* Why it failed, from the end of what it wrote: "umlcage: ...", or the last line. */
static char *last_line(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	off_t at = size > 4096 ? size - 4096 : 0;
	cleanup_strv struct strv lines = STRV_INIT;
	char buf[4097];
	ssize_t n = size > 0 ? pread(fd, buf, 4096, at) : 0;
	const char *text;

	buf[n > 0 ? n : 0] = '\0';
	strv_split(&lines, buf, "\r\n");
	for (size_t i = lines.n; i-- > 0;)
		if (str_starts(lines.v[i], "umlcage: "))
			return xstrdup(lines.v[i] + strlen("umlcage: "));
	text = lines.n ? lines.v[lines.n - 1] : "it said nothing";
	return xstrdup(text);
}

/*
 * One that was not named is found in the cache again, by what is said of it there: a named one is
 * run to learn what it is.
 */
void build_add_machine(const struct build_env *env, struct strv *argv)
{
	if (env->how->kernel)
		strv_addf(argv, "--kernel=%s", env->kernel);
	if (env->how->ptrace)
		strv_add(argv, "--ptrace");
}

int build_program(const struct build_env *env, const struct build *b, struct strv *argv,
		  int64_t epoch, struct strbuf *out, struct error *e)
{
	char name[] = "/tmp/umlcage-build-XXXXXX", number[32];
	cleanup_close int said = mkostemp(name, O_CLOEXEC), err = -1;
	struct proc_fd fds[3] = { { said, 1 }, { said, 2 } };
	struct proc_opts opts = { .argv = strv_argv(argv), .cwd = b->dir, .fds = fds, .nfds = 2 };
	cleanup_free char *program = xstrdup(env->how->program), *line = NULL;
	pid_t pid;
	int status = 0, ret;

	if (said < 0)
		return err_sys(e, errno, "cannot make a file in /tmp");
	unlink(name);
	/* what it says goes to the log, its result to the caller */
	err = env->log >= 0 ? fcntl(env->log, F_DUPFD_CLOEXEC, 3) : open("/dev/null", O_RDWR | O_CLOEXEC);
	if (!out && env->log >= 0)
		fds[0].ours = fds[1].ours = err;
	free(argv->v[0]);
	argv->v[0] = steal_ptr(&program);
	if (epoch >= 0) {
		snprintf(number, sizeof(number), "%lld", (long long)epoch);
		setenv("SOURCE_DATE_EPOCH", number, 1);
	}
	opts.nfds += cage_peers_pass(&fds[2]);
	ret = proc_start(&opts, &pid, NULL, e);
	if (ret == 0)
		ret = wait_for(pid, &status, e);
	if (ret < 0)
		return ret;
	if (status) {
		line = last_line(fds[1].ours);
		err_set(e, EIO, "%s", line);
		return err_mark(e, WIFEXITED(status) ? kind_of(WEXITSTATUS(status)) : ERR_OTHER);
	}
	if (out && lseek(said, 0, SEEK_SET) == 0)
		(void)fd_read_all(said, 1 << 20, out);
	return 0;
}

/* ---- what is kept ---- */

/* One at a time makes a tree; the others wait, and find it. */
static int lock_tree(const char *top, const char *key, struct error *e)
{
	cleanup_free char *path = path_join(top, "lock"), *digits = xstrndup(key, 15);
	struct flock place = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1,
			       .l_start = (off_t)strtoull(digits, NULL, 16) };
	cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", path);
	while (fcntl(fd, F_OFD_SETLKW, &place) < 0)
		if (errno != EINTR || interrupted())
			return err_sys(e, errno, "cannot lock '%s'", path);
	return steal_fd(&fd);
}

char *build_debs_path(const char *tree)
{
	const char *slash = strrchr(tree, '/');

	return xasprintf("%.*s/" PACKAGES, (int)(slash ? slash - tree : 0), tree);
}

/* The sum of the list in the folder, "-" if there is none. */
static int sum_of_list(int dirfd, char sum[SHA256_HEX + 1])
{
	cleanup_close int fd = openat(dirfd, PACKAGES, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT) {
		strcpy(sum, "-");
		return 0;
	}
	return fd < 0 ? -errno : hash_fd(fd, sum);
}

static bool list_is_good(int dirfd, const char *manifest)
{
	char sum[SHA256_HEX + 1];
	cleanup_free char *line = NULL;

	if (sum_of_list(dirfd, sum) < 0)
		return false;
	line = xasprintf("\npackages: %s\n", sum);
	return strstr(manifest, line);
}

/* A tree that is what it was: the lock on its folder, with its share's path; -1. */
static int find_tree(const char *top, const char *key, char **path, int64_t *epoch)
{
	cleanup_free char *dir = path_join(top, key), *share = path_join(dir, "share");
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *at;

	if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) < 0 ||
	    file_read(fd, "manifest", 1 << 16, &text, NULL) < 0 || !list_is_good(fd, sb_str(&text)) ||
	    root_check_sealed(share) < 0)
		return -1;
	at = strstr(sb_str(&text), "epoch: ");
	if (*epoch < 0 && at)
		*epoch = strtoll(at + 7, NULL, 10);
	(void)utimensat(fd, "manifest", NULL, 0);
	*path = steal_ptr(&share);
	return steal_fd(&fd);
}

static int seal_tree(const char *part, int dirfd, const struct build *b, const char *what,
		     int64_t epoch, struct error *e)
{
	cleanup_free char *share = path_join(part, "share"), *text = NULL;
	cleanup_share struct share s = SHARE_INIT;
	char sum[SHA256_HEX + 1];
	int ret = share_open(&s, share, SHARE_WRITE, e);

	if (ret == 0)
		ret = share_seal(&s, e);
	if (ret < 0)
		return ret;
	ret = sum_of_list(dirfd, sum);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s/" PACKAGES "'", part);
	text = xasprintf("what: %s, %s\nepoch: %lld\npackages: %s\n", b->name, what, (long long)epoch, sum);
	return file_replace(dirfd, "manifest", text, strlen(text), 0600, e);
}

/* ---- making ---- */

struct newest {
	int64_t time;
};

static int look_at(const struct share_entry *ent, void *arg, struct error *e)
{
	struct newest *n = arg;

	(void)e;
	if (ent->attr.mtime.tv_sec > n->time)
		n->time = ent->attr.mtime.tv_sec;
	return 0;
}

static int copy_root(const char *root, const char *into, int64_t *epoch, struct error *e)
{
	cleanup_root_spec struct root_spec spec = ROOT_SPEC_INIT;
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	cleanup_share struct share from = SHARE_INIT;
	struct newest newest = { 0 };
	int ret = root_resolve(&spec, root, NULL, e);

	if (ret == 0)
		ret = share_open(&from, spec.path, SHARE_READ, e);
	if (ret == 0)
		ret = share_walk(from.fd, SHARE_WALK_NO_XATTRS, look_at, &newest, e);
	if (ret == 0)
		ret = share_stage_begin(&stage, into, e);
	if (ret == 0)
		ret = share_copy(from.fd, stage.share.fd, e);
	if (ret == 0)
		ret = share_set_id(&stage.share, NULL, e);
	if (ret == 0)
		ret = share_stage_commit(&stage, e);
	if (*epoch < 0)
		*epoch = newest.time;
	return ret;
}

static int fabricate(const struct build_env *env, struct build *b, const char *into,
		     int64_t epoch, struct error *e)
{
	cleanup_free char *list = build_debs_path(into);
	cleanup_strv struct strv argv = STRV_INIT;

	strv_add(&argv, "umlcage");
	strv_add(&argv, "fabricate");
	strv_add(&argv, "--verbose");
	strv_addf(&argv, "--package-list=%s", list);
	strv_add(&argv, "--no-cache");
	strv_add(&argv, "--format=directory");
	build_add_machine(env, &argv);
	strv_addv(&argv, (const char *const *)strv_argv(&b->options));
	strv_add(&argv, b->suite);
	strv_add(&argv, into);
	strv_addv(&argv, (const char *const *)strv_argv(&b->mirrors));
	return build_program(env, b, &argv, epoch, NULL, e);
}

/* Nothing that it makes is newer than when it began, or than the time that its cage is told. */
static int run_tool(const struct build_env *env, struct build *b, const char *into, int64_t *epoch,
		    struct error *e)
{
	int ret;

	free_ptr(&b->tools);
	ret = build_tool_root(env, b->run, &b->tools, e);
	if (*epoch < 0)
		*epoch = b->run->machine.clock_at ? b->run->machine.clock_at : (int64_t)time(NULL);
	return ret < 0 ? ret : build_step(env, b, b->run, b->tools, into, *epoch, e);
}

/* What a tree was made of, what was made of it is made of, too. */
static int copy_list(const char *before, const char *into, struct error *e)
{
	cleanup_free char *from = build_debs_path(before), *to = build_debs_path(into);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret = access(from, F_OK) < 0 ? 0 : file_read(AT_FDCWD, from, LIST_MAX, &text, e);

	return ret < 0 || !text.len ? ret : file_replace(AT_FDCWD, to, sb_str(&text), text.len, 0644, e);
}

/* The tree number @i, into the folder of a part. */
static int fill_part(const struct build_env *env, struct build *b, const char *part, size_t i,
		     const char *before, int64_t *epoch, struct error *e)
{
	cleanup_free char *into = path_join(part, "share");

	if (i && copy_list(before, into, e) < 0)
		return -e->errnum;
	if (i)
		return build_step(env, b, &b->steps[i - 1], before, into, *epoch, e);
	if (b->run)
		return run_tool(env, b, into, epoch, e);
	return b->suite ? fabricate(env, b, into, *epoch, e) : copy_root(b->root, into, epoch, e);
}

int build_begin_part(const char *top, const char *part, struct error *e)
{
	/* its lock, which ends with it: nobody sweeps meanwhile */
	cleanup_close int all = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;

	if (all < 0 || flock(all, LOCK_EX) < 0)
		return err_sys(e, errno, "cannot lock '%s'", top);
	if (mkdir(part, 0700) < 0)
		return err_sys(e, errno, "cannot make '%s'", part);
	fd = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, errno, "cannot open '%s'", part);
	return steal_fd(&fd);
}

/* Folders of killed runs: what a part is locked by is gone with who made it. */
static void sweep(const char *top)
{
	cleanup_close int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv names = STRV_INIT;

	if (fd < 0 || flock(fd, LOCK_EX) < 0 || dir_names(fd, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_close int part = -1;

		if (names.v[i][0] != '.')
			continue;
		part = openat(fd, names.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (part >= 0 && flock(part, LOCK_EX | LOCK_NB) == 0)
			(void)remove_tree(fd, names.v[i], NULL);
	}
}

static int make_tree(const struct build_env *env, struct build *b, const struct build_keys *k,
		     const char *top, size_t i, const char *before, const char *what,
		     int64_t *epoch, struct error *e)
{
	cleanup_free char *part = xasprintf("%s/.%.16s.%08x.part", top, k->trees[i],
					    (unsigned int)random_u64());
	cleanup_free char *dir = path_join(top, k->trees[i]);
	cleanup_close int fd = -1;
	int ret;

	fd = build_begin_part(top, part, e);
	if (fd < 0)
		return fd;
	ret = fill_part(env, b, part, i, before, epoch, e);
	if (ret == 0)
		ret = seal_tree(part, fd, b, what, *epoch, e);
	/* a damaged one may be in the way */
	if (ret == 0)
		ret = remove_tree(AT_FDCWD, dir, e);
	if (ret == 0 && rename(part, dir) < 0)
		ret = err_sys(e, errno, "cannot rename '%s'", part);
	if (ret < 0)
		(void)remove_tree(AT_FDCWD, part, NULL);
	return ret;
}

/* The tree of what it builds on, which has been made before but may have left the cache. */
static int base_tree(const struct build_env *env, struct build *b, char **path, char **what,
		     struct error *e)
{
	struct build_keys k = { .epoch = -1 };
	int ret = chdir(b->on->dir) < 0 ? err_sys(e, errno, "cannot enter '%s'", b->on->dir) :
					  build_keys(env, b->on, &k, e);

	if (ret == 0)
		ret = build_tree(env, b->on, &k, path, what, e);
	build_keys_release(&k);
	if (chdir(b->dir) < 0 && ret == 0)
		ret = err_sys(e, errno, "cannot enter '%s'", b->dir);
	return ret;
}

static char *tree_name(const struct build *b, size_t i)
{
	return i ? xasprintf("step %s", b->steps[i - 1].name) : xstrdup("source");
}

int build_tree(const struct build_env *env, struct build *b, const struct build_keys *k,
	       char **path, char **what, struct error *e)
{
	cleanup_free char *top = NULL;
	int64_t epoch = k->epoch;
	const struct build_again *again = env->how->again;
	int held = -1, ret = again ? make_dirs(AT_FDCWD, again->stages, 0700, e) :
				     xdg_dir(XDG_CACHE, "stages", &top, e);
	size_t i = b->nsteps + 1;

	if (ret < 0)
		return ret;
	if (again)
		top = xstrdup(again->stages);
	sweep(top);
	*path = NULL;
	while (held < 0 && i > 0) {
		i--;
		held = find_tree(top, k->trees[i], path, &epoch);
	}
	if (held < 0)
		i = 0;
	else
		i++;
	for (; i <= b->nsteps && ret == 0; i++) {
		cleanup_free char *before = steal_ptr(path);
		cleanup_close int lock = -1, former = held;

		(void)former;
		free_ptr(what);
		*what = tree_name(b, i);
		if (i == 0 && b->base) {
			ret = base_tree(env, b, path, what, e);
			epoch = b->on->epoch;
			held = -1;
			continue;
		}
		progress_note(env->progress, "%s", *what);
		lock = lock_tree(top, k->trees[i], e);
		if (lock < 0)
			return lock;
		/* somebody else may have made it meanwhile */
		held = find_tree(top, k->trees[i], path, &epoch);
		if (held >= 0)
			continue;
		ret = make_tree(env, b, k, top, i, before, *what, &epoch, e);
		if (ret == 0)
			held = find_tree(top, k->trees[i], path, &epoch);
		if (ret == 0 && held < 0)
			ret = err_set(e, EIO, "the tree after '%s' is not what it was when it was made",
				      *what);
	}
	/* the lock on the last one stays until this process ends */
	memcpy(b->tree_key, k->trees[b->nsteps], sizeof(b->tree_key));
	b->epoch = epoch;
	return ret;
}
