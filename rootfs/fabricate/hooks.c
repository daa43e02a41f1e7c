// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hooks run as the cage's root.  The new root is the root of the cage ($1 is "/"), but
 * for setup and extract hooks, for which nothing is there yet or it may be turned around, and
 * where what is installed has no shell, or not the apt that a hook calls: they run in a cage
 * of their own, with the new root at /target.
 *
 * mmdebstrap's special hooks are words of its own, split as a shell would; files go
 * through tar in the guest, as they do there.
 */
#include "rootfs/fabricate/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/fd.h"

static const char *const moments[FAB_HOOK_WHEN_MAX] = {
	[FAB_HOOK_SETUP] = "setup",
	[FAB_HOOK_EXTRACT] = "extract",
	[FAB_HOOK_ESSENTIAL] = "essential",
	[FAB_HOOK_CUSTOMIZE] = "customize",
};

/* ---- the special ones ---- */

struct carrier {
	struct fabricate *f;
	struct guest *guest;
	const char *prefix;	/* of the new root in the guest: "" or "/target" */
	const char *name;	/* "copy-in" */
};

/* A path of the new root as the guest has it; malloc'ed. */
static char *inside(const struct carrier *c, const char *path)
{
	return xasprintf("%s%s%s", c->prefix, path[0] == '/' ? "" : "/", path);
}

static int temporary(struct error *e)
{
	int fd = memfd_create("hook", MFD_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot make a temporary file") : fd;
}

static int open_host(const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot open '%s'", path) : fd;
}

static int check_dir(const struct carrier *c, const char *dir, const char *shown, struct error *e)
{
	char *argv[] = { (char *)"test", (char *)"-d", (char *)dir, NULL };
	cleanup_error struct error why = ERROR_INIT;

	if (guest_run(c->guest, "test", argv, NULL, -1, &why) < 0)
		return err_set(e, ENOTDIR, "%s: '%s' is not a directory of the new root", c->name, shown);
	return 0;
}

static int unpack_in(const struct carrier *c, const char *dir, int tar, struct error *e)
{
	char *argv[] = { (char *)"tar", (char *)"--numeric-owner", (char *)"--xattrs",
			 (char *)"--xattrs-include=*", (char *)"--directory", (char *)dir,
			 (char *)"--extract", (char *)"--file", (char *)"-", NULL };

	return guest_run(c->guest, c->name, argv, NULL, tar, e);
}

static int carry_in(const struct carrier *c, const char *from, const char *to, struct error *e)
{
	cleanup_free char *path = inside(c, to);
	bool upload = strcmp(c->name, "upload") == 0;
	cleanup_close int fd = -1;
	int ret = 0;

	if (upload) {
		char *argv[] = { (char *)"sh", (char *)"-c", (char *)"cat > \"$1\"", (char *)"exec",
				 path, NULL };

		fd = open_host(from, e);
		return fd < 0 ? fd : guest_run(c->guest, c->name, argv, NULL, fd, e);
	}
	ret = check_dir(c, path, to, e);
	if (ret < 0)
		return ret;
	if (strcmp(c->name, "tar-in") == 0) {
		fd = open_host(from, e);
	} else {
		fd = temporary(e);
		if (fd >= 0)
			ret = hooks_pack(from, strcmp(c->name, "sync-in") == 0, fd, e);
	}
	if (fd < 0 || ret < 0)
		return fd < 0 ? fd : ret;
	return unpack_in(c, path, fd, e);
}

static int carry_out(const struct carrier *c, const char *from, const char *to, struct error *e)
{
	cleanup_free char *path = inside(c, from);
	bool download = strcmp(c->name, "download") == 0, sync = strcmp(c->name, "sync-out") == 0;
	char *cat[] = { (char *)"cat", path, NULL };
	char *argv[] = { (char *)"tar", (char *)"--numeric-owner", (char *)"--xattrs",
			 (char *)"--format=pax",
			 (char *)"--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
			 (char *)"--directory", NULL, (char *)"--create", (char *)"--file",
			 (char *)"-", NULL, NULL };
	/* as dirname and basename would split it */
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';

	char *slash = strrchr(path, '/');
	cleanup_free char *dir = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));

	argv[6] = sync ? path : dir;
	argv[10] = sync ? (char *)"." : slash[1] ? slash + 1 : (char *)".";
	if (download || strcmp(c->name, "tar-out") == 0) {
		cleanup_outfile struct outfile out = OUTFILE_INIT;
		int ret = hooks_parents(to, e);

		if (ret == 0)
			ret = outfile_open(&out, AT_FDCWD, to, 0666, e);
		if (ret == 0)
			ret = guest_run_to(c->guest, c->name, download ? cat : argv, out.fd, e);
		return ret ? ret : outfile_commit(&out, e);
	}

	cleanup_close int fd = temporary(e);
	int ret = fd < 0 ? fd : guest_run_to(c->guest, c->name, argv, fd, e);

	if (ret == 0 && lseek(fd, 0, SEEK_SET) < 0)
		ret = err_sys(e, errno, "cannot read what %s brought", c->name);
	return ret ? ret : hooks_unpack(fd, to, e);
}

static int special(struct carrier *c, const char *script, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	int ret = 0;

	if (hooks_words(script, &words) < 0)
		return err_usage(e, "hook '%s': a quote is not closed", script);
	if (words.n < 3)
		return err_usage(e, "hook '%s': it needs at least one source and a target", script);
	c->name = words.v[0];
	for (size_t i = 1; i + 1 < words.n && ret == 0; i++) {
		const char *to = words.v[words.n - 1];

		if (str_ends(c->name, "-in") || strcmp(c->name, "upload") == 0)
			ret = carry_in(c, words.v[i], to, e);
		else
			ret = carry_out(c, words.v[i], to, e);
	}
	return ret < 0 ? err_wrap(e, "hook '%s'", script) : 0;
}

/* ---- the others ---- */

/* --include as hooks get it: with commas between, and those within as in an address. */
static char *included(const struct fab_options *o)
{
	struct strbuf out = STRBUF_INIT;

	sb_adds(&out, "");
	for (size_t i = 0; i < o->include.n; i++) {
		if (i)
			sb_addc(&out, ',');
		for (const char *s = o->include.v[i]; *s; s++) {
			if (*s == '%')
				sb_adds(&out, "%25");
			else if (*s == ',')
				sb_adds(&out, "%2C");
			else
				sb_addc(&out, *s);
		}
	}
	return sb_steal(&out);
}

/* The first stage's packages, as paths in the new root, where they are now. */
static char *essential(const struct plan *plan)
{
	struct strbuf out = STRBUF_INIT;

	for (size_t i = 0; i < plan->nbase; i++) {
		cleanup_free char *name = plan_deb_name(&plan->packages[i]);

		sb_addf(&out, "%s/var/cache/apt/archives/%s", i ? " " : "", name);
	}
	return sb_steal(&out);
}

static void hook_environment(const struct carrier *c, enum fab_hook_when when, struct strv *env)
{
	const struct fab_options *o = c->f->o;
	cleanup_free char *include = included(o), *debs = essential(c->f->plan);
	cleanup_free char *config = inside(c, *c->prefix ? FABRICATE_ASIDE_APT_CONFIG
							 : FABRICATE_APT_CONFIG);

	fab_hook_environment(env);
	strv_add(env, "MMDEBSTRAP_ARGV0=mmdebstrap");
	strv_add(env, "MMDEBSTRAP_MODE=root");
	if (o->suite && *o->suite)
		strv_addf(env, "MMDEBSTRAP_SUITE=%s", o->suite);
	strv_addf(env, "MMDEBSTRAP_FORMAT=%s", o->out.format->name);
	strv_addf(env, "MMDEBSTRAP_HOOK=%s", moments[when]);
	strv_addf(env, "MMDEBSTRAP_VERBOSITY=%d", c->f->progress ? c->f->progress->verbosity + 1 : 1);
	strv_addf(env, "MMDEBSTRAP_INCLUDE=%s", include);
	strv_addf(env, "MMDEBSTRAP_APT_CONFIG=%s", config);
	if (when == FAB_HOOK_EXTRACT && c->f->plan->nbase)
		strv_addf(env, "MMDEBSTRAP_ESSENTIAL=%s", debs);
}

/*
 * A folder for each hook to start in, as the caller's is for mmdebstrap's.  What it writes there
 * by a relative name is not for the new root; it goes with the cage.
 */
#define OWN_FOLDER "/dev/shm/.hook"

/* They are brought in, too: no more than what is a script's, mmdebstrap's are some KB each. */
static int bring_neighbours(struct carrier *c, const char *path, const char *top, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *up = NULL;
	int ret = 0;

	if (file_read(AT_FDCWD, path, HOOK_SCRIPT_MAX, &text, NULL) < 0)
		return 0;
	up = hooks_neighbours(path, sb_str(&text), &names);
	for (size_t i = 0; i < names.n && ret == 0; i++) {
		cleanup_free char *from = path_join(up, names.v[i]);
		cleanup_close int fd = temporary(e);

		ret = fd < 0 ? fd : hooks_pack(from, false, fd, e);
		if (ret == 0)
			ret = unpack_in(c, top, fd, e);
	}
	return ret;
}

/* A program of the host: its contents go in, it runs from a folder in /tmp and is removed again. */
static int run_file(struct carrier *c, const char *path, char *const *env, struct error *e)
{
	cleanup_free char *root = inside(c, "/");
	cleanup_free char *top = xasprintf("/tmp/umlcage-hook.%08x", (unsigned int)random_u64());
	char *make[] = { (char *)"mkdir", (char *)"-p", top, NULL };
	char *clear[] = { (char *)"rm", (char *)"-rf", top, NULL };
	const char *base = strrchr(path, '/');
	char *argv[] = { (char *)"sh", (char *)"-c",
			 (char *)"t=$2/.own/$3; mkdir -p $2/.own && cat > \"$t\" &&\n"
			 "chmod 755 \"$t\" || exit 125\n"
			 "mkdir -p " OWN_FOLDER " && cd " OWN_FOLDER " || exit 125\n"
			 "\"$t\" \"$1\" < /dev/null", (char *)"exec", root, top,
			 (char *)(base ? base + 1 : path), NULL };
	cleanup_error struct error why = ERROR_INIT;
	cleanup_close int fd = open_host(path, e);
	int ret;

	if (fd < 0)
		return fd;
	ret = guest_run(c->guest, path, make, NULL, -1, e);
	if (ret == 0)
		ret = bring_neighbours(c, path, top, e);
	if (ret == 0)
		ret = guest_run(c->guest, path, argv, env, fd, e);
	(void)guest_run(c->guest, path, clear, NULL, -1, &why);
	return ret;
}

/*
 * Files of the host that a hook names and that are not in the cage: why it failed, probably.
 */
static void hint_at_files(const struct carrier *c, const char *script, struct error *e)
{
	cleanup_share_tree struct share_tree *t = share_tree_new(c->f->share->fd, 0);
	cleanup_strv struct strv words = STRV_INIT;

	strv_split(&words, script, " \t\n\"'`;|&<>()$={}");
	for (size_t i = 0; i < words.n; i++) {
		const char *word = words.v[i];
		struct share_attr attr;

		/* where it is in both it is hardly what is missed */
		if (!strchr(word, '/') && !strchr(word, '.'))
			continue;
		if (str_starts(word, "/dev/") || str_starts(word, "/proc/") || access(word, F_OK) < 0 ||
		    share_stat(t, word + strspn(word, "/"), &attr, NULL) == 0)
			continue;
		err_hint(e, "hooks run in the cage, where '%s' of this host is not: "
			 "bring it in with a hook 'copy-in %s /DIRECTORY' or 'upload' before", word,
			 word);
		return;
	}
}

static void leave_folder(const struct carrier *c, const char *script)
{
	char *argv[] = { (char *)"sh", (char *)"-c",
			 (char *)"cd " OWN_FOLDER " && for f in * .[!.]*; do\n"
			 "[ ! -e \"$f\" ] || echo \"$f\"\ndone; cd / && rm -rf " OWN_FOLDER, NULL };
	cleanup_error struct error why = ERROR_INIT;
	cleanup_close int fd = memfd_with("left", "", 0, &why);
	char names[256] = "";

	if (fd < 0 || guest_run_to(c->guest, "cleaning up after a hook", argv, fd, &why) < 0 ||
	    pread(fd, names, sizeof(names) - 1, 0) <= 0)
		return;
	names[strcspn(names, "\n")] = '\0';
	progress_warn(c->f->progress, "hook '%s' wrote '%s' in the cage, in a folder that is gone now; "
		      "write to \"$1/tmp\" and fetch it with a hook 'download'", script, names);
}

static int run_hook(struct carrier *c, const struct fab_hook *hook, char *const *env,
		    struct error *e)
{
	cleanup_free char *root = inside(c, "/");
	cleanup_free char *what = xasprintf("hook '%s'", hook->script);
	char *chrooted[] = { (char *)"chroot", root, (char *)"sh", (char *)"-c", hook->script, NULL };
	char *shell[] = { (char *)"sh", (char *)"-c",
			  (char *)"mkdir -p " OWN_FOLDER " && cd " OWN_FOLDER " && s=$2 && "
			  "exec sh -c \"$s\" exec \"$1\"", (char *)"sh", root, hook->script, NULL };
	char *direct[] = { hook->script, root, NULL };
	int ret;

	if (hook->chrooted)
		return guest_run(c->guest, what, *c->prefix ? chrooted : chrooted + 2, env, -1, e);
	if (hooks_special(hook->script))
		return special(c, hook->script, e);
	if (hooks_is_program(hook->script))
		ret = run_file(c, hook->script, env, e);
	else if (!hooks_need_shell(hook->script))
		return guest_run(c->guest, what, direct, env, -1, e);
	else if ((ret = guest_run(c->guest, what, shell, env, -1, e)) < 0 && ret != -EINTR)
		hint_at_files(c, hook->script, e);
	if (ret == 0)
		leave_folder(c, hook->script);
	return ret;
}

/* Can a shell run on what the first stage unpacks, before any of it is configured? */
static bool has_shell(const struct plan *plan)
{
	static const char *const needed[] = { "base-files", "coreutils", "dash", "tar" };
	size_t found = 0;

	for (size_t i = 0; i < plan->nbase; i++)
		for (size_t k = 0; k < ARRAY_SIZE(needed); k++)
			found += strcmp(plan->packages[i].name, needed[k]) == 0;
	return found >= ARRAY_SIZE(needed);
}

static bool has_apt(const struct fabricate *f, enum fab_hook_when when)
{
	size_t n = when == FAB_HOOK_CUSTOMIZE ? f->plan->n : f->plan->nbase;

	for (size_t i = 0; i < n; i++)
		if (strcmp(f->plan->packages[i].name, "apt") == 0)
			return true;
	return false;
}

static const char *const dev_programs[] = { "dpkg-architecture", NULL };

/*
 * mmdebstrap's hooks have the host's apt from the beginning.  Those that call it while the tree
 * has none, or want what no tree has, run beside it.
 */
static bool wants_tools(const struct fabricate *f, enum fab_hook_when when)
{
	static const char *const apt_programs[] = { "apt-get", "apt-cache", "apt-config",
						    "apt-helper", NULL };

	return hooks_call_any(&f->o->hooks[when], dev_programs) ||
	       ((when == FAB_HOOK_SETUP || !has_apt(f, when)) &&
		hooks_call_any(&f->o->hooks[when], apt_programs));
}

/*
 * The root that hooks run in beside the new one: the packages themselves, or where there are
 * no such (with --variant=custom, or as the hooks are to say where packages are), or they lack
 * what a hook calls, one with the host's release.
 */
static int start_aside(struct carrier *c, enum fab_hook_when when, struct error *e)
{
	bool dev = hooks_call_any(&c->f->o->hooks[when], dev_programs);
	const char *include = dev ? "dpkg-dev,mount" : "mount";
	cleanup_share struct share made = SHARE_INIT;
	cleanup_free char *path = NULL;
	int ret;

	if (has_shell(c->f->plan) && !wants_tools(c->f, when)) {
		ret = fabricate_tools(c->f, e);
		return ret ? ret : guest_start_tools(&c->guest, c->f, &c->f->tools.share, e);
	}
	ret = fabricate_tools_root(NULL, include, NULL, c->f->machine, c->f->progress, &path, e);
	if (ret == 0)
		ret = share_open(&made, path, SHARE_READ, e);
	return ret ? ret : guest_start_tools(&c->guest, c->f, &made, e);
}

/* What mmdebstrap's setup_mounts() has in the new root; mount itself is not essential. */
static const char mounts_script[] =
	"for d in proc sys dev; do\n"
	"\t[ ! -d \"$1/$d\" ] || perl -e 'my ($from, $to) = @ARGV; my $type = \"none\";\n"
	"\t\tsyscall(165, $from, $to, $type, 20480, 0) == 0 or die \"cannot mount $to: $!\\n\"' \\\n"
	"\t\t/$d \"$1/$d\" || exit\n"
	"done\n";

static int run_all(struct carrier *c, enum fab_hook_when when, struct error *e)
{
	const struct fab_hooks *hooks = &c->f->o->hooks[when];
	cleanup_strv struct strv env = STRV_INIT;
	int ret = 0;

	hook_environment(c, when, &env);
	for (size_t i = 0; i < hooks->n && ret == 0; i++) {
		progress_detail(c->f->progress, "%s hook: %s", moments[when], hooks->v[i].script);
		ret = run_hook(c, &hooks->v[i], strv_argv(&env), e);
	}
	return ret;
}

/* In a cage beside the new root. */
static int run_aside(struct fabricate *f, enum fab_hook_when when, struct error *e)
{
	struct carrier c = { .f = f, .prefix = GUEST_TARGET };
	char *mounts[] = { (char *)"sh", (char *)"-c", (char *)mounts_script, (char *)"sh",
			   (char *)GUEST_TARGET, NULL };
	int ret = cage_leave(f, e);

	if (ret == 0)
		ret = start_aside(&c, when, e);
	if (ret == 0 && when != FAB_HOOK_SETUP)
		ret = guest_run(c.guest, "mounting in the new root", mounts, NULL, -1, e);
	if (ret == 0)
		ret = run_all(&c, when, e);
	if (ret == 0)
		ret = guest_stop(c.guest, e);
	guest_free(&c.guest);
	return ret;
}

int hooks_run(struct fabricate *f, enum fab_hook_when when, struct error *e)
{
	struct carrier c = { .f = f, .prefix = "" };
	int ret;

	if (!f->o->hooks[when].n)
		return 0;
	/* nothing is there yet, or nothing is configured, and hooks may turn it all around */
	if (when <= FAB_HOOK_EXTRACT || !has_shell(f->plan) || wants_tools(f, when))
		return run_aside(f, when, e);
	ret = cage_enter(f, true, e);
	c.guest = f->guest;
	if (ret == 0)
		ret = run_all(&c, when, e);
	return ret ? ret : cage_look(f, e);
}
