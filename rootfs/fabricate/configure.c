// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cage on the tree, what runs in it, and the first stage: its packages are unpacked and in
 * dpkg's database; what is left are their preinst scripts (which mmdebstrap, too, runs when all
 * contents are there) and configuration with its triggers.
 */
#include "rootfs/fabricate/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cage/cage.h"

#define TAIL_LINES 25
#define LINE_MAX_LEN 4096

struct guest {
	struct fabricate *f;
	struct cage *cage;
	int log;			/* -1: none */
	int out;			/* where standard output goes; -1: the log */
	int out_error;			/* errno of writing there */
	char hostname[65];
	struct strbuf line;		/* the one that is not complete */
	char *tail[TAIL_LINES];		/* a ring of the last lines */
	size_t lines;
	size_t configured, total;	/* packages, for the progress */
	char *culprit;			/* the package dpkg names in its errors */
	char *reason;			/* and what it says of it */
};

static void take_line(struct guest *g, const char *line)
{
	static const char setting[] = "Setting up ", error[] = "dpkg: error processing package ";
	char **slot = &g->tail[g->lines++ % TAIL_LINES];

	free(*slot);
	*slot = xstrdup(line);
	if (str_starts(line, setting)) {
		cleanup_free char *name = xstrndup(line + strlen(setting),
						   strcspn(line + strlen(setting), " "));

		g->configured++;
		progress_step(g->f->progress, g->configured, g->total, name);
	} else if (str_starts(line, error)) {
		const char *name = line + strlen(error);

		free(g->culprit);
		g->culprit = xstrndup(name, strcspn(name, " "));
		free_ptr(&g->reason);
	} else if (g->culprit && !g->reason && line[0] == ' ') {
		g->reason = xstrdup(line + strspn(line, " "));
	}
	progress_detail(g->f->progress, "%s", line);
}

static void output(int channel, const char *data, size_t len, void *arg)
{
	struct guest *g = arg;

	if (channel == 1 && g->out >= 0) {
		int ret = g->out_error ? 0 : write_full(g->out, data, len);

		if (ret < 0)
			g->out_error = -ret;
		return;
	}
	if (g->log >= 0)
		(void)write_full(g->log, data, len);
	for (size_t i = 0; i < len; i++) {
		if (data[i] != '\n' && data[i] != '\r' && g->line.len < LINE_MAX_LEN) {
			sb_addc(&g->line, data[i]);
			continue;
		}
		if (g->line.len)
			take_line(g, sb_str(&g->line));
		sb_reset(&g->line);
	}
}

static int open_log(struct guest *g, const char *path, struct error *e)
{
	g->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return g->log < 0 ? err_sys(e, errno, "cannot write the log '%s'", path) : 0;
}

/* Describes the cage of @g on @root. */
static void describe(struct guest *g, const struct share *root, const struct cage_mount *target,
		     bool online, struct cage_config *cfg)
{
	struct fabricate *f = g->f;

	cfg->kernel = f->kernel;
	cfg->memory = 2ULL << 30;
	machine_configure(f->machine, cfg);
	cfg->root.kind = CAGE_ROOT_SHARE;
	cfg->root.upper = target ? CAGE_UPPER_MEMORY : CAGE_UPPER_NONE;
	cfg->root.fd = root->fd;
	cfg->root.nosync = true;
	/* as scripts have it with every such tool; some do otherwise what a running system needs */
	cfg->root.chrooted = !target;
	cfg->mounts = target;
	cfg->nmounts = target ? 1 : 0;
	cfg->emulators = f->emulators.v;
	cfg->nemulators = f->emulators.n;
	/* ports and the host are for the command that the machine was described for */
	cfg->forwards = NULL;
	cfg->nforwards = 0;
	cfg->reach_host = false;
	cfg->net = online ? f->machine->net_mode : CAGE_NET_NONE;
	cfg->resolv_conf = cfg->net != CAGE_NET_NONE;
	cfg->progress = f->progress;
	if (gethostname(g->hostname, sizeof(g->hostname) - 1) == 0 && g->hostname[0])
		cfg->hostname = g->hostname;
}

/* Lets the kernel boot. */
static int launch(struct guest **out, struct fabricate *f, const struct share *root,
		  const struct cage_mount *target, bool online, struct error *e)
{
	struct guest *g = xcalloc(1, sizeof(*g));
	struct cage_config cfg = CAGE_CONFIG_INIT;
	int ret = 0;

	*out = g;
	g->f = f;
	g->log = g->out = -1;
	if (f->o->logfile)
		ret = open_log(g, f->o->logfile, e);
	if (ret < 0)
		return ret;
	describe(g, root, target, online, &cfg);
	return cage_launch(&g->cage, &cfg, e);
}

/* Lets it have the root. */
static int ready(struct guest *g, const struct share *root, const struct cage_mount *target,
		 bool online, struct error *e)
{
	struct cage_config cfg = CAGE_CONFIG_INIT;

	g->total = g->f->plan->n;
	describe(g, root, target, online, &cfg);
	return cage_ready(g->cage, &cfg, e);
}

int guest_start_tools(struct guest **out, struct fabricate *f, const struct share *tools,
		      struct error *e)
{
	struct cage_mount target = { .fd = f->share->fd, .where = GUEST_TARGET, .nosync = true };
	int ret = launch(out, f, tools, &target, true, e);

	return ret ? ret : ready(*out, tools, &target, true, e);
}

void guest_free(struct guest **gp)
{
	struct guest *g = *gp;

	if (!g)
		return;
	cage_free(g->cage);
	close_fd(&g->log);
	sb_release(&g->line);
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(g->tail[i]);
	free(g->culprit);
	free(g->reason);
	free(g);
	*gp = NULL;
}

int guest_stop(struct guest *g, struct error *e)
{
	return cage_stop(g->cage, e);
}

/* ---- the cage on the tree ---- */

int cage_leave(struct fabricate *f, struct error *e)
{
	int ret = f->guest ? guest_stop(f->guest, e) : 0;

	if (f->guest)
		f->configured = f->guest->configured;
	guest_free(&f->guest);
	f->held = false;
	return ret;
}

void cage_foresee(struct fabricate *f, bool online)
{
	online |= f->o->net;
	if (f->next && f->next_online != online)
		guest_free(&f->next);
	if (f->next)
		return;
	f->next_online = online;
	if (launch(&f->next, f, f->share, NULL, online, NULL) < 0)
		guest_free(&f->next);
}

int cage_enter(struct fabricate *f, bool online, struct error *e)
{
	int64_t begin = clock_ms();
	int ret = 0;

	online |= f->o->net;
	if (f->guest && (f->online == online || f->held))
		return 0;
	if (f->guest)
		ret = cage_leave(f, e);
	if (ret == 0 && f->next && f->next_online == online)
		f->guest = steal_ptr(&f->next);
	else if (ret == 0)
		ret = launch(&f->guest, f, f->share, NULL, online, e);
	if (ret == 0)
		ret = ready(f->guest, f->share, NULL, online, e);
	if (ret == 0) {
		f->online = online;
		f->guest->configured = f->configured;
	}
	f->booting += clock_ms() - begin;
	return ret;
}

/* Processes other than this and the agent, mounts other than the agent's, files in memory. */
static const char look_script[] =
	"for d in /proc/[1-9]*; do\n"
	"\tcase ${d#/proc/} in 1|$$) continue ;; esac\n"
	"\tif read -r c <$d/cmdline || [ -n \"$c\" ]; then echo \"process $d\"; fi\n"
	"done 2>/dev/null\n"
	"while read -r dev dir rest; do\n"
	"\tcase $dir in /|/proc|/sys|/dev|/dev/pts|/dev/shm|/dev/mqueue|/etc/resolv.conf) ;;\n"
	"\t*) echo \"mount $dir\" ;; esac\n"
	"done </proc/mounts\n"
	"for d in /dev/shm/*; do [ ! -e \"$d\" ] || echo \"file $d\"; done\n";

int cage_look(struct fabricate *f, struct error *e)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)look_script, NULL };
	cleanup_error struct error why = ERROR_INIT;
	cleanup_close int fd = memfd_with("look", "", 0, e);

	if (fd < 0)
		return fd;
	/* without a shell nobody knows */
	f->held = guest_run_to(f->guest, "looking around", argv, fd, &why) < 0 ||
		  lseek(fd, 0, SEEK_END) != 0;
	return 0;
}

/* What mmdebstrap's own environment has for everything that it runs. */
static void environment(struct strv *env, char *const *more)
{
	strv_add(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strv_add(env, "HOME=/root");
	strv_add(env, "DEBIAN_FRONTEND=noninteractive");
	strv_add(env, "DEBCONF_NONINTERACTIVE_SEEN=true");
	strv_add(env, "LC_ALL=C.UTF-8");
	strv_add(env, "LANGUAGE=C.UTF-8");
	strv_add(env, "LANG=C.UTF-8");
	if (getenv("SOURCE_DATE_EPOCH"))
		strv_addf(env, "SOURCE_DATE_EPOCH=%s", getenv("SOURCE_DATE_EPOCH"));
	for (; more && *more; more++)
		strv_add(env, *more);
}

static void show_tail(struct guest *g)
{
	size_t first = g->lines > TAIL_LINES ? g->lines - TAIL_LINES : 0;

	if (g->line.len)
		take_line(g, sb_str(&g->line));
	/* all of it has been shown as it came */
	if (g->f->progress && g->f->progress->verbosity > 0)
		return;
	for (size_t i = first; i < g->lines; i++)
		progress_show(g->f->progress, "  | %s", g->tail[i % TAIL_LINES]);
}

static int package_failed(struct guest *g, struct error *e)
{
	int ret = err_set(e, EIO, "package '%s' could not be installed: %s", g->culprit,
			  g->reason ? g->reason : "see the lines above");

	if (!g->f->online)
		err_hint(e, "if its scripts want the network, give it to them with --net");
	return ret;
}

static int run(struct guest *g, const char *what, char *const *argv, char *const *more,
	       int stdin_fd, int stdout_fd, struct error *e)
{
	cleanup_strv struct strv env = STRV_INIT;
	struct cage_exit exit = { 0 };
	struct cage_exec exec = {
		.argv = argv, .cwd = "/", .stdin_fd = stdin_fd,
		.stdout_fd = -1, .stderr_fd = -1,
		.output = output, .output_arg = g, .end_on_signal = true,
	};
	int ret;

	/* a signal that came between two commands */
	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	environment(&env, more);
	exec.env = strv_argv(&env);
	g->lines = 0;
	sb_reset(&g->line);
	free_ptr(&g->culprit);
	free_ptr(&g->reason);
	g->out = stdout_fd;
	g->out_error = 0;
	ret = cage_exec(g->cage, &exec, &exit, e);
	g->out = -1;
	if (ret == 0 && g->out_error)
		ret = err_sys(e, g->out_error, "cannot write what %s gave", what);
	if (ret == 0 && exit.status != 0) {
		show_tail(g);
		if (g->culprit)
			(void)package_failed(g, e);
		else if (exit.reason)
			(void)err_set(e, EIO, "%s failed: %s", what, exit.reason);
		else if (exit.oom)
			(void)err_set(e, ENOMEM, "%s failed: the cage's memory was full; "
				      "give it more with --memory", what);
		else if (exit.signal)
			(void)err_set(e, EIO, "%s was ended by signal %d", what, exit.signal);
		else
			(void)err_set(e, EIO, "%s failed with exit status %d", what, exit.status);
		ret = err_mark(e, ERR_PACKAGES);
	}
	cage_exit_release(&exit);
	return ret;
}

int guest_run(struct guest *g, const char *what, char *const *argv, char *const *env,
	      int stdin_fd, struct error *e)
{
	return run(g, what, argv, env, stdin_fd, -1, e);
}

int guest_run_to(struct guest *g, const char *what, char *const *argv, int stdout_fd,
		 struct error *e)
{
	return run(g, what, argv, NULL, -1, stdout_fd, e);
}

int guest_script(struct guest *g, const char *what, const char *script, struct error *e)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)script, (char *)"umlcage", NULL };

	return run(g, what, argv, NULL, -1, -1, e);
}

/* ---- the first stage ---- */

static const char *version_of(const struct fabricate *f, const char *package)
{
	for (size_t i = 0; i < f->plan->n; i++)
		if (strcmp(f->plan->packages[i].name, package) == 0)
			return f->plan->packages[i].version;
	return "1.21";
}

/*
 * The preinst scripts, each in the place and the environment where dpkg runs it
 * (its control files are in tmp.ci; debconf looks there for the package's name).
 */
static bool preinst_script(const struct fabricate *f, struct strbuf *out)
{
	bool any = false;

	sb_adds(out, "cd / || exit\nd=/var/lib/dpkg/tmp.ci\n");
	sb_addf(out, "export DPKG_ROOT= DPKG_ADMINDIR=/var/lib/dpkg DPKG_MAINTSCRIPT_NAME=preinst "
		"DPKG_MAINTSCRIPT_DEBUG=0 DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 "
		"DPKG_RUNNING_VERSION=%s\n", version_of(f, "dpkg"));
	sb_adds(out, "p() {\n\tmv $d.$1 $d || exit\n"
		"\tDPKG_MAINTSCRIPT_PACKAGE=$2 DPKG_MAINTSCRIPT_ARCH=$3 $d/preinst install\n"
		"\ts=$?\n\tif [ $s != 0 ]; then\n"
		"\t\techo \"dpkg: error processing package $2 (--unpack):\"\n"
		"\t\techo \" new $2 package pre-installation script subprocess returned error "
		"exit status $s\"\n\t\texit 1\n\tfi\n\trm -rf $d\n}\n");
	for (size_t i = 0; i < f->plan->nbase; i++) {
		const struct unpacked *p = unpack_get(f->unpack, i);

		if (!p->facts->preinst)
			continue;
		any = true;
		sb_addf(out, "p %zu %s %s\n", i, p->facts->name, p->facts->arch);
	}
	return any;
}

/*
 * usrmerge converts a system in its postinst.  Here the system is converted from the
 * beginning, and what is left of the conversion is its order of /etc/shells: first the
 * old names, then those below /usr.
 */
static const char shells_script[] =
	"[ -e /etc/shells ] || exit 0\n"
	"awk '{ l[NR] = $0; have[$0] = 1 }\n"
	"END { for (i = 1; i <= NR; i++)\n"
	"\tif (!(l[i] ~ \"^/usr/s?bin/\" && (substr(l[i], 5) in have))) print l[i]\n"
	"for (i = 1; i <= NR; i++) if (l[i] ~ \"^/s?bin/\") print \"/usr\" l[i] }' \\\n"
	"\t/etc/shells > /etc/shells.tmp && mv /etc/shells.tmp /etc/shells\n";

/* As mmdebstrap does it: once more all of it, this time by dpkg. */
static int reinstall_base(struct fabricate *f, struct error *e)
{
	cleanup_strbuf struct strbuf script = STRBUF_INIT, files = STRBUF_INIT;

	for (size_t i = 0; i < f->plan->nbase; i++) {
		cleanup_free char *name = plan_deb_name(&f->plan->packages[i]);

		sb_addf(&files, " /var/cache/apt/archives/'%s'", name);
	}
	sb_addf(&script, "dpkg --install --force-depends%s || exit\n", files.s);
	if (!fab_skips(f->o, "essential/unlink"))
		sb_addf(&script, "rm -f%s\n", files.s);
	return guest_script(f->guest, "dpkg --install", script.s, e);
}

int configure_base(struct fabricate *f, struct error *e)
{
	cleanup_strbuf struct strbuf script = STRBUF_INIT;
	cleanup_strv struct strv argv = STRV_INIT;
	int ret = 0;

	if (!f->plan->nbase)
		return 0;
	ret = cage_enter(f, false, e);
	if (f->plan->n - f->plan->nbase >= WORTH_A_BOOT)
		cage_foresee(f, false);
	if (ret == 0 && f->reinstall)
		return reinstall_base(f, e);
	if (ret == 0 && preinst_script(f, &script))
		ret = guest_script(f->guest, "the preinst scripts", script.s, e);
	if (ret < 0)
		return ret;
	strv_add(&argv, "dpkg");
	strv_add(&argv, "--force-depends");
	strv_add(&argv, "--configure");
	for (size_t i = 0; i < f->plan->nbase; i++)
		strv_add(&argv, fabricate_spec(f, i));
	ret = guest_run(f->guest, "dpkg --configure", strv_argv(&argv), NULL, -1, e);
	if (ret == 0 && f->usrmerge)
		ret = guest_script(f->guest, "setting up /etc/shells", shells_script, e);
	return ret;
}
