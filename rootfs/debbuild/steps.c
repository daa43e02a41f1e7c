// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In the cage: its user and its dependencies, the source, the build, and what came of it.  As
 * root only what has to be: the build is the work of a user without rights.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debbuild/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cage/cage.h"

#define MEMORY		((uint64_t)4 << 30)
#define GUEST_IN	"/umlcage/in"
#define GUEST_OUT	"/umlcage/out"
#define GUEST_TREE	"/umlcage/source"
#define USER		"sbuild"
#define TITLE_RULE	"--------------------------------------------------------------------------------"

/* ---- one command ---- */

static void output(int channel, const char *data, size_t len, void *arg)
{
	(void)channel;
	buildlog_bytes(arg, data, len);
}

static const char *const root_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
	"DEBCONF_NONINTERACTIVE_SEEN=true", NULL,
};

/* Why a command failed that did not do so by itself; false: it did. */
static bool of_the_machine(const struct cage_exit *ended, const char *what, struct error *e)
{
	if (ended->oom)
		err_set(e, ENOMEM, "%s ran out of the cage's memory; give it more with --memory", what);
	else if (ended->full)
		err_set(e, ENOSPC, "%s filled the cage's memory with files; give it more with --memory, or "
			"leave out --scratch-memory", what);
	else
		return false;
	return true;
}

/* Runs the script @script as @user (NULL: root); a failure of its own is of kind @kind. */
static int run(struct job *j, const char *what, const char *user, const char *cwd,
	       const char *script, enum error_kind kind, struct error *e)
{
	const char *const argv[] = { "sh", "-c", script, "umlcage", NULL };
	struct cage_exec exec = {
		.argv = (char *const *)argv, .cwd = cwd, .user = user, .stdin_fd = -1, .stdout_fd = -1,
		.stderr_fd = -1, .output = output, .output_arg = &j->log, .end_on_signal = true,
		.env = user ? strv_argv(&j->env) : (char *const *)root_env,
	};
	struct cage_exit ended = { 0 };
	int ret;

	/* a signal that came between two commands */
	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	buildlog_forget(&j->log);
	ret = cage_exec(j->cage, &exec, &ended, e);
	if (ret == 0 && ended.status) {
		buildlog_show_tail(&j->log, j->progress);
		if (of_the_machine(&ended, what, e))
			ret = -e->errnum;
		else if (ended.signal)
			ret = err_set(e, EIO, "%s was ended by signal %d", what, ended.signal);
		else
			ret = err_set(e, EIO, "%s failed with exit status %d", what, ended.status);
		if (ret == -EIO)
			(void)err_mark(e, kind);
	}
	cage_exit_release(&ended);
	return ret;
}

/* ---- what the cage gets ---- */

static int subfolder(const struct work *w, const char *name, struct error *e)
{
	int fd;

	if (mkdirat(w->share.fd, name, 0755) < 0)
		return err_sys(e, errno, "cannot make '%s/%s'", w->path, name);
	fd = openat(w->share.fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, errno, "cannot open '%s/%s'", w->path, name) : fd;
}

/* A package under the name that apt gives it; a second name of the cache's file where that can be. */
static int place_package(const struct job *j, const struct plan_package *p, int dirfd,
			 struct error *e)
{
	cleanup_free char *path = p->uri ? debian_item_path(j->archive, p->sum) : xstrdup(p->path);
	cleanup_free char *name = plan_deb_name(p);
	cleanup_close int from = -1, to = -1;
	int ret;

	if (p->uri && linkat(AT_FDCWD, path, dirfd, name, 0) == 0)
		return 0;
	from = open(path, O_RDONLY | O_CLOEXEC);
	to = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (from < 0 || to < 0)
		return err_sys(e, errno, "cannot take package '%s' from '%s'", p->name, path);
	ret = share_copy_file(from, to, e);
	if (ret == 0 && hash_matches(to, p->size, p->sum) != 1)
		ret = err_set(e, EBADMSG, "package '%s' has changed meanwhile", path);
	return ret;
}

static int fill_in(struct job *j, struct error *e)
{
	cleanup_close int source = -1, debs = -1;
	int ret = work_begin(&j->in, e);

	if (ret < 0)
		return ret;
	source = subfolder(&j->in, "source", e);
	debs = source < 0 ? source : subfolder(&j->in, "debs", e);
	ret = debs < 0 ? debs : debsrc_place(&j->source, j->archive, source, e);
	for (size_t i = 0; i < j->plan.n && ret == 0; i++)
		ret = place_package(j, &j->plan.packages[i], debs, e);
	if (ret == 0 && j->entry)
		ret = file_replace(j->in.share.fd, "changelog", j->entry, strlen(j->entry), 0644, e);
	return ret;
}

static int start(struct job *j, struct error *e)
{
	cleanup_close int tree = -1;
	struct cage_mount mounts[3] = {
		{ .where = GUEST_IN, .plain = true, .read_only = true },
		{ .where = GUEST_OUT, .plain = true, .nosync = true },
		{ .where = GUEST_TREE, .plain = true, .read_only = true },
	};
	struct cage_config cfg = CAGE_CONFIG_INIT;
	int ret = fill_in(j, e);

	if (ret == 0)
		ret = work_begin(&j->out, e);
	if (ret == 0 && !j->b->memory_scratch)
		ret = work_begin(&j->upper, e);
	if (ret < 0)
		return ret;
	mounts[0].fd = j->in.share.fd;
	mounts[1].fd = j->out.share.fd;
	cfg.nmounts = 2;
	if (j->source.kind == SOURCE_TREE) {
		tree = mounts[2].fd = open(j->source.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (tree < 0)
			return err_sys(e, errno, "cannot open '%s'", j->source.dir);
		cfg.nmounts = 3;
	}
	cfg.mounts = mounts;
	cfg.kernel = j->kernel.path;
	cfg.emulators = j->emulators.v;
	cfg.nemulators = j->emulators.n;
	cfg.memory = MEMORY;
	machine_configure(&j->b->machine, &cfg);
	cfg.root.kind = CAGE_ROOT_SHARE;
	cfg.root.fd = j->root_share.fd;
	cfg.root.upper = j->b->memory_scratch ? CAGE_UPPER_MEMORY : CAGE_UPPER_SHARE;
	cfg.root.upper_fd = j->b->memory_scratch ? -1 : j->upper.share.fd;
	cfg.root.nosync = true;
	cfg.booted = true;
	/* what else the machine is described with is for other commands */
	cfg.forwards = NULL;
	cfg.nforwards = 0;
	cfg.net = j->b->net ? j->b->machine.net_mode : CAGE_NET_NONE;
	cfg.resolv_conf = cfg.net != CAGE_NET_NONE;
	cfg.hostname = "umlcage";
	cfg.progress = j->progress;
	return cage_start(&j->cage, &cfg, e);
}

/* ---- the environment of the build ---- */

static void add_options(const struct debbuild *b, struct strv *env)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_free char *text = NULL;

	if (b->jobs > 1)
		strv_addf(&words, "parallel=%u", b->jobs);
	if (b->nocheck)
		strv_add(&words, "nocheck");
	text = strv_join(&words, " ");
	if (words.n)
		strv_addf(env, "DEB_BUILD_OPTIONS=%s", text);
}

/* NAME=VALUE, in the place of another one. */
static void set_variable(struct strv *env, const char *text)
{
	size_t len = strcspn(text, "=") + 1;

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], text, len) == 0) {
			free(env->v[i]);
			env->v[i] = xstrdup(text);
			return;
		}
	strv_add(env, text);
}

static void make_environment(struct job *j)
{
	cleanup_free char *profiles = strv_join(&j->b->profiles, " ");

	strv_add(&j->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:"
		 "/usr/local/games:/usr/games");
	/* as sbuild: what looks for a home is told that there is none */
	strv_add(&j->env, "HOME=/sbuild-nonexistent");
	strv_add(&j->env, "LC_ALL=C.UTF-8");
	strv_add(&j->env, "LOGNAME=" USER);
	strv_add(&j->env, "USER=" USER);
	strv_add(&j->env, "SHELL=/bin/sh");
	strv_add(&j->env, "SCHROOT_USER=" USER);
	if (!j->info)
		add_options(j->b, &j->env);
	if (j->b->profiles.n)
		strv_addf(&j->env, "DEB_BUILD_PROFILES=%s", profiles);
	for (size_t i = 0; j->info && i < j->info->env.n; i++)
		set_variable(&j->env, j->info->env.v[i]);
}

/* ---- installing ---- */

static const char set_up[] =
	"umask 022\n"
	"printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d || exit\n"
	"if ! grep -q '^" USER ":' /etc/passwd; then\n"
	"\tid=1000\n"
	"\twhile grep -q \"^[^:]*:[^:]*:$id:\" /etc/passwd /etc/group; do id=$((id + 1)); done\n"
	"\techo \"" USER ":x:$id:\" >>/etc/group\n"
	"\techo \"" USER ":x:$id:$id:Debian source builder,,,:/sbuild-nonexistent:/bin/sh\" >>/etc/passwd\n"
	"\t[ ! -e /etc/shadow ] || echo '" USER ":*:19000:0:99999:7:::' >>/etc/shadow\n"
	"fi\n"
	"mkdir -p /build && chown " USER ":" USER " /build && chmod 755 /build || exit\n";

static void add_step(const struct job *j, const struct plan_step *st, struct strbuf *script)
{
	static const char *const words[] = {
		[PLAN_INSTALL] = "--install", [PLAN_UNPACK] = "--auto-deconfigure --unpack",
		[PLAN_CONFIGURE] = "--configure", [PLAN_CONFIGURE_PENDING] = "--configure --pending",
	};

	sb_addf(script, "dpkg --force-unsafe-io %s", words[st->kind]);
	for (size_t i = 0; i < st->n; i++) {
		const struct plan_package *p = &j->plan.packages[st->pkgs[i]];
		cleanup_free char *file = plan_deb_name(p);

		/* of letters, digits and what is in between: see plan/answer.c */
		sb_addf(script, " %s", st->kind == PLAN_CONFIGURE ? p->name : file);
	}
	sb_adds(script, " || exit\n");
}

static int install(struct job *j, struct error *e)
{
	cleanup_strbuf struct strbuf script = STRBUF_INIT;
	int ret = run(j, "setting up the cage", NULL, "/", set_up, ERR_OTHER, e);

	if (ret < 0 || !j->plan.n)
		return ret;
	sb_addf(&script, "cd " GUEST_IN "/debs || exit\n");
	for (size_t i = 0; i < j->plan.nsteps; i++)
		add_step(j, &j->plan.steps[i], &script);
	ret = run(j, "installing the build dependencies", NULL, "/", sb_str(&script), ERR_PACKAGES, e);
	if (ret < 0)
		return ret;
	buildlog_title(&j->log, "Build environment", false);
	return run(j, "listing the packages", NULL, "/",
		   "echo \"Kernel: $(uname -srm)\"\n"
		   "dpkg-query -W -f 'binutils gcc libc6-dev dpkg-dev make' >/dev/null 2>&1\n"
		   "printf 'Package versions:'\n"
		   "dpkg-query -W -f ' ${binary:Package}_${Version}' && echo", ERR_OTHER, e);
}

/* ---- the source ---- */

/* A tree becomes a source package first, by a user who can change nothing else. */
static int pack_tree(struct job *j, const char *top, struct error *e)
{
	cleanup_free char *as_root = xasprintf(
		"umask 022\n"
		"cp " GUEST_IN "/source/* /build/ 2>/dev/null\n"
		"mkdir %s && cd " GUEST_TREE " &&\n"
		"tar -c --exclude-vcs -f - . | tar -x --no-same-owner -C %s -f - &&\n"
		"chown -R " USER ":" USER " /build", top, top);
	cleanup_free char *as_user = xasprintf(
		"dpkg-buildpackage --sanitize-env -us -uc -S -d -rfakeroot -I -i && cd /build &&\n"
		"rm -rf %s *_source.changes *_source.buildinfo", top);
	int ret = run(j, "copying the tree", NULL, "/", as_root, ERR_OTHER, e);

	return ret < 0 ? ret : run(j, "making the source package (dpkg-source)", USER, top, as_user,
				   ERR_BUILD, e);
}

static int change_version(struct job *j, const char *top, struct error *e)
{
	static const char as_root[] = "install -o " USER " -g " USER " -m 644 " GUEST_IN "/changelog /build/";
	static const char as_user[] = "cat debian/changelog >>/build/changelog &&\n"
				      "cat /build/changelog >debian/changelog && rm /build/changelog";
	int ret;

	buildlog_line(&j->log, "\nHack binNMU version\n-------------------\n\n%s", j->entry);
	ret = run(j, "copying the entry of the changelog", NULL, "/", as_root, ERR_OTHER, e);
	return ret < 0 ? ret : run(j, "changing debian/changelog", USER, top, as_user, ERR_BUILD, e);
}

static int unpack_source(struct job *j, const char *top, struct error *e)
{
	cleanup_free char *script = xasprintf("dpkg-source -x %s_%s.dsc %s", j->source.name,
					      j->source.file_version, top);
	int ret;

	buildlog_title(&j->log, "Build", false);
	buildlog_line(&j->log, "Unpack source\n-------------\n");
	if (j->source.kind == SOURCE_TREE)
		ret = pack_tree(j, top, e);
	else
		ret = run(j, "copying the source", NULL, "/",
			  "cp " GUEST_IN "/source/* /build/ && chown -R " USER ":" USER " /build",
			  ERR_OTHER, e);
	if (ret < 0)
		return ret;
	if (j->source.dsc) {
		free(script);
		script = xasprintf("dpkg-source -x %s %s", j->source.dsc, top);
	}
	ret = run(j, "unpacking the source (dpkg-source)", USER, "/build", script, ERR_BUILD, e);
	return ret == 0 && j->entry ? change_version(j, top, e) : ret;
}

/* ---- the build ---- */

static char *build_command(const struct debbuild *b)
{
	cleanup_free char *type = b->types == BUILD_BINARY ? xstrdup("-b") :
				  xasprintf("--build=%s", debbuild_type_name(b));
	cleanup_free char *profiles = strv_join(&b->profiles, ",");

	return xasprintf("dpkg-buildpackage --sanitize-env -us -uc %s -rfakeroot%s%s -j%u",
			 type, b->profiles.n ? " -P" : "", profiles, b->jobs);
}

static int build(struct job *j, const char *top, struct error *e)
{
	cleanup_free char *command = build_command(j->b);
	int ret;

	buildlog_line(&j->log, "\nUser Environment\n----------------\n");
	for (size_t i = 0; i < j->env.n; i++)
		buildlog_line(&j->log, "%s", j->env.v[i]);
	buildlog_line(&j->log, "\ndpkg-buildpackage\n-----------------\n\nCommand: %s", command);
	ret = run(j, "dpkg-buildpackage", USER, top, command, ERR_BUILD, e);
	if (ret == 0)
		buildlog_line(&j->log, TITLE_RULE);
	return ret;
}

/* ---- what it made ---- */

static int collect(struct job *j, struct error *e)
{
	/* links are not followed: what they lead to is of no use out here */
	static const char script[] =
		"cd /build || exit\n"
		"take()\n{\n\tfor f; do\n\t\t[ -f \"$f\" ] && [ ! -L \"$f\" ] || continue\n"
		"\t\tcp -- \"$f\" " GUEST_OUT "/ || exit\n\tdone\n}\n"
		"take *.deb *.udeb *.ddeb *.changes *.buildinfo\n"
		"[ \"$1\" = 0 ] || take *.dsc *.tar.* *.diff.gz *.asc\n"
		"du -sk /build | cut -f1 >" GUEST_OUT "/.space\n"
		"cat *.changes\n"
		"for f in *.deb; do\n\t[ -f \"$f\" ] || continue\n"
		"\tprintf '\\n%s\\n\\n' \"$f\"; dpkg-deb -I \"$f\"; dpkg-deb -c \"$f\"\ndone\n"
		"exit 0\n";
	bool sources = j->source.kind == SOURCE_TREE || j->b->types & BUILD_SOURCE;
	cleanup_free char *whole = xasprintf("set -- %d\n%s", sources, script);
	cleanup_strbuf struct strbuf space = STRBUF_INIT;
	int ret;

	buildlog_title(&j->log, "Changes and package contents", false);
	ret = run(j, "taking what was built", NULL, "/", whole, ERR_OTHER, e);
	if (ret == 0 && file_read(j->out.share.fd, ".space", 64, &space, NULL) == 0)
		j->space = strtoull(sb_str(&space), NULL, 10) << 10;
	return ret;
}

int steps_run(struct job *j, struct error *e)
{
	cleanup_free char *top = j->info && j->info->build_path ? xstrdup(j->info->build_path) :
				 xasprintf("/build/%s-%s", j->source.name, j->source.upstream);
	int ret;

	job_step(j, DEBBUILD_INSTALL);
	buildlog_title(&j->log, "Install package build dependencies", false);
	make_environment(j);
	ret = start(j, e);
	if (ret == 0)
		ret = install(j, e);
	if (ret == 0) {
		job_step(j, DEBBUILD_UNPACK);
		ret = unpack_source(j, top, e);
	}
	if (ret == 0) {
		job_step(j, DEBBUILD_BUILD);
		ret = build(j, top, e);
	}
	if (ret == 0) {
		job_step(j, DEBBUILD_RESULTS);
		ret = collect(j, e);
	}
	/* its disk is thrown away: there is nothing to write back */
	if (ret == 0)
		ret = cage_stop(j->cage, e);
	return ret;
}
