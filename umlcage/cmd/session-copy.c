// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage session cp, files in and out of a session, and session commit, all of it as a root.
 * Both are streams of tar between a process here and the tar of the session's root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/roots/roots.h"
#include "umlcage/base/fd.h"
#include "umlcage/cmd/session.h"
#include "umlcage/copy/copy.h"

enum { ETC_MAX = 1 << 20 };

/* Runs @words in the session with @in, @out as its stdio; the command's status, or -errno. */
static int run_inside(const char *session, char *const *words, bool changes, int in, int out,
		      struct error *e)
{
	cleanup_close int fd = session_connect(session, e);
	struct session_exec what = { .argv = words, .changes = changes, .fds = { in, out, STDERR_FILENO } };
	struct cage_exit exit = { 0 };
	int ret;

	if (fd < 0)
		return fd;
	ret = session_exec(fd, &what, &exit, e);
	if (ret == 0 && exit.reason)
		ret = err_set(e, ENOENT, "%s; copying needs 'tar' in the session's root", exit.reason);
	if (ret == 0)
		ret = exit.status;
	cage_exit_release(&exit);
	return ret;
}

static pid_t begin_end(int (*end)(int fd, void *arg, struct error *e), int fd, int other, void *arg,
		       struct error *e)
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid < 0)
		return err_sys(e, errno, "cannot start a process");
	if (pid == 0) {
		struct error own = ERROR_INIT;

		close(other);
		_exit(end(fd, arg, &own) < 0 ? cmd_fail(&own) : 0);
	}
	return pid;
}

int session_stream(const char *session, char *const *words, enum session_stream_kind kind,
		   int (*end)(int fd, void *arg, struct error *e), void *arg, struct error *e)
{
	bool into = kind == SESSION_STREAM_IN;
	int pipes[2], status = 0, ret;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot make a pipe");
	pid = begin_end(end, pipes[into ? 1 : 0], pipes[into ? 0 : 1], arg, e);
	close_fd(&pipes[into ? 1 : 0]);
	ret = pid < 0 ? pid : run_inside(session, words, kind == SESSION_STREAM_CHANGES,
				    into ? pipes[0] : -1, into ? -1 : pipes[1], e);
	close_fd(&pipes[into ? 0 : 1]);
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (ret < 0)
		return ret;
	return ret || status ? 1 : 0;
}

static bool is_folder_inside(const char *session, const char *path)
{
	char *words[] = { "test", "-d", (char *)(uintptr_t)path, NULL };

	return run_inside(session, words, false, -1, -1, NULL) == 0;
}

/* The folder and the last component of a path, "." for that of a folder like "/". */
static void split(const char *path, char **folder, char **last)
{
	cleanup_free char *copy = xstrdup(path);
	size_t len = strlen(copy);
	char *slash;

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	*last = xstrdup(slash ? slash + 1 : copy);
	*folder = !slash ? xstrdup(".") : slash == copy ? xstrdup("/") :
		  xstrndup(copy, (size_t)(slash - copy));
	if (!**last || str_eq(*last, ".") || str_eq(*last, "..")) {
		free_ptr(last);
		free_ptr(folder);
		*last = xstrdup(".");
		*folder = xstrdup(copy);
	}
}

/* ---- cp ---- */

struct copy_options {
	const char *owner;
	bool share;
};

static const struct opt copy_opts[] = {
	{ OPT_STRING, 0, "owner", "UID[:GID]", OPT_STR(struct copy_options, owner),
	  "whose the files are in the session (default: root's)" },
	{ OPT_FLAG, 0, "share", NULL, OPT_BOOL(struct copy_options, share),
	  "the folder here is a share: it records owners and devices, as it is told or tells" },
	OPT_END,
};

static const struct opt_spec copy_spec = {
	.usage = "umlcage session cp [options] FILE... NAME:PATH\n"
		 "       umlcage session cp [options] NAME:PATH... FILE",
	.summary = "Copies files and folders into a session, or out of it.",
	.groups = OPT_GROUPS({ NULL, copy_opts, 0 }),
	.epilogue = "What is copied into a folder that is there keeps its name, otherwise it gets the new\n"
		    "one.  Files that come out are yours, without set-id bits; --share keeps owners.",
};

struct copy {
	const struct copy_options *o;
	const char *session, *here;
	char *name;		/* what it is called where it goes */
	uint32_t uid, gid;
	int dirfd;		/* here, where it goes */
};

static int pack_here(int fd, void *arg, struct error *e)
{
	struct share_export_opts opts = SHARE_EXPORT_OPTS_INIT;
	cleanup_share struct share s = SHARE_INIT;
	const struct copy *c = arg;
	int ret;

	if (!c->o->share)
		return copy_pack(c->here, c->name, c->uid, c->gid, fd, e);
	ret = share_open(&s, c->here, SHARE_READ, e);
	return ret < 0 ? ret : share_export(&s, fd, c->session, &opts, &(struct share_totals){ 0 }, e);
}

static int unpack_here(int fd, void *arg, struct error *e)
{
	const struct share_import_opts opts = { 0 };
	cleanup_share struct share s = SHARE_INIT;
	const struct copy *c = arg;
	int ret;

	if (!c->o->share)
		return copy_unpack(fd, c->dirfd, c->name, e);
	ret = access(c->here, F_OK) == 0 ? share_open(&s, c->here, SHARE_WRITE, e) :
					   share_create(&s, c->here, e);
	return ret < 0 ? ret : share_import(&s, fd, c->session, &opts, &(struct share_totals){ 0 }, e);
}

static int copy_in(struct copy *c, const char *path, struct error *e)
{
	cleanup_free char *folder = NULL, *last = NULL, *from = NULL, *name = NULL;
	char *words[] = { "tar", "-x", "-p", "-f", "-", "-C", NULL, NULL };
	struct stat st;

	if (lstat(c->here, &st) < 0)
		return err_sys(e, errno, "cannot copy '%s'", c->here);
	split(c->here, &from, &name);
	if (c->o->share || is_folder_inside(c->session, path)) {
		folder = xstrdup(path);
		last = xstrdup(name);
	} else if (str_ends(path, "/")) {
		return err_set(e, ENOENT, "there is no folder '%s' in the session", path);
	} else {
		split(path, &folder, &last);
	}
	c->name = last;
	words[6] = folder;
	return session_stream(c->session, words, SESSION_STREAM_IN, pack_here, c, e);
}

static int copy_out(struct copy *c, const char *path, struct error *e)
{
	cleanup_free char *from = NULL, *last = NULL, *folder = NULL, *name = NULL;
	char *words[] = { "tar", "-c", "-f", "-", "-C", NULL, "--", NULL, NULL };
	struct stat st;
	int ret;

	split(path, &from, &last);
	if (c->o->share && is_folder_inside(c->session, path)) {
		words[5] = (char *)(uintptr_t)path;
		words[7] = ".";
	} else {
		words[5] = from;
		words[7] = last;
	}
	if (stat(c->here, &st) == 0 && S_ISDIR(st.st_mode)) {
		folder = xstrdup(c->here);
		name = xstrdup(last);
	} else {
		split(c->here, &folder, &name);
	}
	c->name = name;
	if (!c->o->share) {
		c->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (c->dirfd < 0)
			return err_sys(e, errno, "cannot copy to '%s'", folder);
	}
	ret = session_stream(c->session, words, SESSION_STREAM_OUT, unpack_here, c, e);
	close_fd(&c->dirfd);
	return ret;
}

/* "NAME:PATH"; false for a path of the host. */
static bool is_inside(const char *arg, char **session, const char **path)
{
	const char *colon = strchr(arg, ':');

	if (!colon || strcspn(arg, "/") < (size_t)(colon - arg))
		return false;
	*session = xstrndup(arg, (size_t)(colon - arg));
	*path = colon[1] ? colon + 1 : "/";
	return true;
}

static int copy_one(const struct copy_options *o, const char *from, const char *to, struct error *e)
{
	struct copy c = { .o = o, .dirfd = -1 };
	cleanup_free char *source = NULL, *target = NULL;
	const char *inside;
	bool out = is_inside(from, &source, &inside), in = is_inside(to, &target, &inside);

	if (in == out)
		return err_usage(e, "one side must be in a session, NAME:PATH, the other one on the host");
	if (o->owner && share_owner_parse(o->owner, &c.uid, &c.gid, e) < 0)
		return err_wrap(e, "--owner");
	if (out)
		(void)is_inside(from, &source, &inside);
	c.session = in ? target : source;
	c.here = in ? from : to;
	return in ? copy_in(&c, inside, e) : copy_out(&c, inside, e);
}

static int run_copy(const struct command *self, int argc, char **argv)
{
	struct copy_options o = { 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	if (argc < 2) {
		err_usage(&e, "give what to copy and where to; see 'umlcage session cp --help'");
		return cmd_fail(&e);
	}
	status = EXIT_OK;
	for (int i = 0; i + 1 < argc; i++) {
		ret = copy_one(&o, argv[i], argv[argc - 1], &e);
		if (ret != 0)
			status = ret < 0 ? cmd_fail(&e) : EXIT_FAILED;
	}
	return status;
}

/* ---- commit ---- */

static const struct opt_spec commit_spec = {
	.usage = "umlcage session commit NAME ROOT",
	.summary = "Stores what a session's root is now as the new root ROOT, while the session goes on.",
	.epilogue = "The tar of the session reads it while it goes on: what is being written meanwhile is\n"
		    "stored as it happens to be.",
};

static int import_here(int fd, void *arg, struct error *e)
{
	const struct share_import_opts opts = { 0 };

	return share_import(arg, fd, "the session's root", &opts, &(struct share_totals){ 0 }, e);
}

/* Is it what a cage puts in the place of the root's own: see the agent's etc.c. */
static bool is_cages(const char *path, const char *now, const char *before)
{
	static const char *const lines[] = { "nameserver ", "options timeout:", "127.0.0.1\tlocalhost",
					     "::1\tlocalhost ip6-localhost", "127.0.1.1\t" };
	size_t had = strlen(before);

	if (str_ends(path, "hosts")) {
		if (!str_starts(now, before))
			return false;
		now += had;
	}
	while (*now) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
			known |= str_starts(now, lines[i]);
		if (!known)
			return false;
		now += strcspn(now, "\n");
		now += *now == '\n';
	}
	return true;
}

/* The cage's own resolv.conf and hosts are not the root's: those come from where it began. */
static void restore(int stage, int root, const char *path)
{
	cleanup_strbuf struct strbuf now = STRBUF_INIT, before = STRBUF_INIT;
	char target[4096];
	struct stat st = { 0 };
	bool had = fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	ssize_t n;

	if (had && S_ISREG(st.st_mode))
		(void)file_read(root, path, ETC_MAX, &before, NULL);
	if (file_read(stage, path, ETC_MAX, &now, NULL) < 0 ||
	    !is_cages(path, sb_str(&now), sb_str(&before)))
		return;
	if (had && S_ISREG(st.st_mode)) {
		cleanup_close int fd = openat(stage, path, O_WRONLY | O_TRUNC | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0 && write_full(fd, sb_str(&before), before.len) == 0)
			(void)futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim });
		return;
	}
	(void)unlinkat(stage, path, 0);
	n = had && S_ISLNK(st.st_mode) ? readlinkat(root, path, target, sizeof(target) - 1) : -1;
	if (n > 0) {
		target[n] = '\0';
		(void)symlinkat(target, stage, path);
	}
}

static int commit(const char *session, const char *name, struct error *e)
{
	char *words[] = { "tar", "-c", "-f", "-", "-C", "/", "--one-file-system", "--numeric-owner",
			  "--xattrs", "--xattrs-include=*", "--acls", "--sparse", "--warning=no-file-ignored",
			  ".", NULL };
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	cleanup_root_spec struct root_spec spec = ROOT_SPEC_INIT;
	cleanup_close int root = -1;
	cleanup_free char *to = NULL;
	int ret = root_check_name(name, e);

	if (ret == 0)
		ret = root_path(STORE_ROOTS, name, &to, e);
	if (ret == 0 && access(to, F_OK) == 0)
		ret = err_set(e, EEXIST, "there is a root '%s' already; choose another name, or remove "
			      "it with 'umlcage root remove'", name);
	if (ret == 0 && session_read_record(session, &r, NULL) < 0)
		ret = session_absent(session, e);
	if (ret == 0 && str_eq(session_get(&r.words, "kind"), "image"))
		ret = err_usage(e, "the root of '%s' is a disk image, of which no root can be made", session);
	if (ret == 0)
		ret = share_stage_begin(&stage, to, e);
	if (ret == 0)
		ret = session_stream(session, words, SESSION_STREAM_OUT, import_here, &stage.share, e);
	if (ret != 0)
		return ret;
	root = open(session_get(&r.words, "share") ? session_get(&r.words, "share") : "/dev/null",
		    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0) {
		restore(stage.share.fd, root, "etc/resolv.conf");
		restore(stage.share.fd, root, "etc/hosts");
	}
	return share_stage_commit(&stage, e);
}

static int run_commit(const struct command *self, int argc, char **argv)
{
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, NULL, &argc, &argv), ret;

	if (status >= 0)
		return status;
	if (argc != 2) {
		err_usage(&e, "give the NAME of a session and that of the new ROOT; see 'umlcage session "
			  "commit --help'");
		return cmd_fail(&e);
	}
	ret = commit(argv[0], argv[1], &e);
	return ret < 0 ? cmd_fail(&e) : ret ? EXIT_FAILED : EXIT_OK;
}

const struct command command_session_copy = {
	"cp", "copies files into a session or out of it", &copy_spec, run_copy, NULL, NULL,
}, command_session_commit = {
	"commit", "makes a root of what a session's root is now", &commit_spec, run_commit, NULL, NULL,
};
