// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tree before its first package and after the last script: what mmdebstrap's
 * run_setup(), setup_mounts() and run_cleanup() do, done natively in the share.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/fabricate/private.h"
#include "rootfs/unpack/unpack.h"
#include "umlcage/base/fd.h"

#define TEXT_MAX ((size_t)16 << 20)
enum { APT_UID = 42 };	/* of _apt, a name that base-passwd gives this number */

static const struct share_attr file_attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
static const struct share_attr dir_attr = { .mode = S_IFDIR | 0755, .mtime = { 0, UTIME_OMIT } };

static int put(struct share_tree *t, const char *path, const struct strbuf *text, struct error *e)
{
	return share_file(t, path, &file_attr, text->s, text->len, e);
}

static int puts_file(struct share_tree *t, const char *path, const char *text, struct error *e)
{
	return share_file(t, path, &file_attr, text, strlen(text), e);
}

int fabricate_filters(const struct fab_options *o, struct strv *filters, struct error *e)
{
	(void)e;
	fab_options_filters(o, filters);
	return 0;
}

/* A directory and those above it, each noted as being there before the packages. */
static int make_dir(struct fabricate *f, struct share_tree *t, const char *path, struct error *e)
{
	for (const char *end = path; *end;) {
		end += 1 + strcspn(end + 1, "/");

		cleanup_free char *part = xstrndup(path, (size_t)(end - path));

		if (strv_has(&f->dirs, part))
			continue;

		int ret = share_mkdir(t, part, &dir_attr, e);

		if (ret < 0)
			return ret;
		strv_add(&f->dirs, part);
	}
	return 0;
}

static const struct { const char *name; uint32_t major, minor; } nodes[] = {
	{ "console", 5, 1 }, { "full", 1, 7 }, { "null", 1, 3 }, { "ptmx", 5, 2 },
	{ "random", 1, 8 }, { "tty", 5, 0 }, { "urandom", 1, 9 }, { "zero", 1, 5 },
};

static const char *const links[][2] = {
	{ "fd", "/proc/self/fd" }, { "stderr", "/proc/self/fd/2" },
	{ "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
};

/* What --skip=output/dev and output/mknod leave out; a directory has them in any case. */
static int drop_devices(const struct fab_options *o, struct share_tree *t, struct error *e)
{
	bool all = fab_skips(o, "output/dev");
	int ret = 0;

	if (o->out.format->kind == TARGET_DIRECTORY || fab_skips(o, "cleanup/dev") ||
	    !(all || fab_skips(o, "output/mknod")))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(nodes) && ret == 0; i++) {
		cleanup_free char *path = xasprintf("dev/%s", nodes[i].name);

		ret = share_remove(t, path, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links) && all && ret == 0; i++) {
		cleanup_free char *path = xasprintf("dev/%s", links[i][0]);

		ret = share_remove(t, path, e);
	}
	if (ret == 0 && all)
		ret = share_remove(t, "dev/pts", e);
	return ret || !all ? ret : share_remove(t, "dev/shm", e);
}

static int make_devices(struct share_tree *t, struct error *e)
{
	int ret = share_mkdir(t, "dev", &dir_attr, e);

	for (size_t i = 0; i < ARRAY_SIZE(nodes) && ret == 0; i++) {
		cleanup_free char *path = xasprintf("dev/%s", nodes[i].name);
		struct share_attr a = { .mode = S_IFCHR | 0666, .major = nodes[i].major,
					.minor = nodes[i].minor, .mtime = { 0, UTIME_OMIT } };

		ret = share_node(t, path, &a, e);
	}
	for (size_t i = 0; i < ARRAY_SIZE(links) && ret == 0; i++) {
		cleanup_free char *path = xasprintf("dev/%s", links[i][0]);
		struct share_attr a = { .mode = S_IFLNK | 0777, .mtime = { 0, UTIME_OMIT } };

		ret = share_symlink(t, path, links[i][1], &a, e);
	}
	if (ret == 0)
		ret = share_mkdir(t, "dev/pts", &dir_attr, e);
	return ret ? ret : share_mkdir(t, "dev/shm", &dir_attr, e);
}

/* Name resolution and the name, as they are on the host. */
static int copy_from_host(struct share_tree *t, const char *from, const char *to, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct share_attr a = file_attr;
	struct stat st;

	if (stat(from, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, errno, "cannot read '%s'", from);
	/* what is not for everybody, or not a text, the host keeps to itself */
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > TEXT_MAX || access(from, R_OK) < 0)
		return 0;

	int ret = file_read(AT_FDCWD, from, TEXT_MAX, &text, e);

	if (ret < 0)
		return ret;
	a.mode = S_IFREG | (st.st_mode & 07777);
	return share_file(t, to, &a, text.s, text.len, e);
}

/* Where packages expect the links of a merged /usr; see unpack.h. */
static int make_links(struct fabricate *f, struct share_tree *t, struct error *e)
{
	static const char *const names[] = { "bin", "lib", "sbin", "lib64" };
	const char *arch = f->o->architectures.n ? f->o->architectures.v[0] : "";
	bool lib64 = !str_eq(arch, "i386") && !str_eq(arch, "arm64") && !str_eq(arch, "armhf") &&
		     !str_eq(arch, "armel") && !str_eq(arch, "riscv64");
	bool shipped = false;
	int ret = 0;

	if (f->o->variant == FAB_EXTRACT)
		return 0;
	for (size_t i = 0; i < f->plan->nbase; i++) {
		const struct plan_package *p = &f->plan->packages[i];

		f->usrmerge |= strcmp(p->name, "usrmerge") == 0;
		shipped |= strcmp(p->name, "base-files") == 0 &&
			   deb_version_cmp(p->version, "13.3~") >= 0;
	}
	/* where dpkg installs it, usrmerge converts the tree itself */
	if (f->reinstall)
		f->usrmerge = false;
	/* a setup hook may have made them itself, or directories in their place */
	for (size_t i = 0; i < (lib64 ? 4 : 3) && ret == 0; i++) {
		struct share_attr a = { .mode = S_IFLNK | 0777, .mtime = { 0, UTIME_OMIT } }, there;
		cleanup_free char *target = xasprintf("usr/%s", names[i]);

		if (share_stat(t, names[i], &there, NULL) == 0) {
			if (!S_ISLNK(there.mode)) {
				f->usrmerge = false;
				continue;
			}
		} else if (f->usrmerge || shipped) {
			ret = share_symlink(t, names[i], target, &a, e);
		} else {
			continue;
		}
		if (ret == 0)
			ret = share_mkdir(t, target, &dir_attr, e);
		if (ret == 0 && !strv_has(&f->links, names[i]))
			strv_add(&f->links, names[i]);
	}
	return ret;
}

static int write_apt(struct fabricate *f, struct share_tree *t, struct error *e)
{
	int ret = puts_file(t, "etc/apt/apt.conf.d/00mmdebstrap",
			    "Apt::Install-Recommends false;\nAcquire::Languages \"none\";\n", e);

	if (ret == 0 && f->o->apt_text)
		ret = puts_file(t, "etc/apt/apt.conf.d/99mmdebstrap", f->o->apt_text, e);
	if (ret == 0 && f->o->dpkg_text)
		ret = puts_file(t, "etc/dpkg/dpkg.cfg.d/99mmdebstrap", f->o->dpkg_text, e);
	for (size_t i = 0; i < f->o->nsources && ret == 0; i++)
		ret = puts_file(t, f->o->sources[i].path, f->o->sources[i].content, e);
	return ret;
}

static int put_apt_config(const struct fabricate *f, struct share_tree *t, const char *path,
			  const char *root, struct error *e)
{
	const struct strv *arches = &f->o->architectures;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	if (arches->n)
		sb_addf(&text, "Apt::Architecture \"%s\";\nApt::Architectures {", arches->v[0]);
	for (size_t i = 0; i < arches->n; i++)
		sb_addf(&text, " \"%s\";%s", arches->v[i], i + 1 == arches->n ? " };\n" : "");
	sb_addf(&text, "Dir \"%s\";\nDPkg::Chroot-Directory \"%s\";\n", root, root);
	/* the keys of who runs apt, as mmdebstrap has it; the new root need not have any */
	if (strcmp(root, "/") != 0)
		sb_adds(&text, "Dir::Etc::Trusted \"/etc/apt/trusted.gpg\";\n"
			"Dir::Etc::TrustedParts \"/etc/apt/trusted.gpg.d/\";\n");
	return put(t, path, &text, e);
}

static int put_apt_configs(const struct fabricate *f, struct share_tree *t, struct error *e)
{
	int ret = 0;

	if (f->hooks || f->o->hooks[FAB_HOOK_SETUP].n)
		ret = put_apt_config(f, t, FABRICATE_ASIDE_APT_CONFIG, GUEST_TARGET "/", e);
	if (ret == 0 && f->hooks)
		ret = put_apt_config(f, t, FABRICATE_APT_CONFIG, "/", e);
	return ret;
}

int fabricate_setup_for_plan(struct fabricate *f, struct share_tree *t, struct error *e)
{
	static const char archives[] = "var/cache/apt/archives/partial";
	struct share_attr private = dir_attr;
	int ret = 0;

	private.mode = S_IFDIR | 0700;
	private.uid = APT_UID;
	/* apt's downloads, if there are any */
	if (f->plan->n && !fab_skips(f->o, "setup")) {
		ret = make_dir(f, t, archives, e);
		if (ret == 0)
			ret = share_setattr(t, archives, &private, e);
	}
	return ret || f->late_links ? ret : make_links(f, t, e);
}

int fabricate_setup(struct fabricate *f, struct error *e)
{
	static const char *const dirs[] = {
		"etc/apt/apt.conf.d", "etc/apt/sources.list.d", "etc/apt/preferences.d",
		"var/cache/apt", "var/lib/apt/lists/partial", "tmp", "var/lib/dpkg",
		"etc/dpkg/dpkg.cfg.d", "var/log/apt", "var/lib/dpkg/triggers",
		"var/lib/dpkg/info", "var/lib/dpkg/alternatives", "var/lib/dpkg/updates",
	};
	cleanup_share_tree struct share_tree *t = share_tree_new(f->share->fd, SHARE_PARENTS |
								 SHARE_REPLACE | SHARE_KEEP_DIRS);
	struct share_attr sticky = dir_attr, private = dir_attr;
	cleanup_strbuf struct strbuf arch = STRBUF_INIT;
	int ret = 0;

	sticky.mode = S_IFDIR | 01777;
	private.mode = S_IFDIR | 0700;
	private.uid = APT_UID;
	if (fab_skips(f->o, "setup"))
		return fabricate_setup_for_plan(f, t, e);
	for (size_t i = 0; i < ARRAY_SIZE(dirs) && ret == 0; i++)
		ret = make_dir(f, t, dirs[i], e);
	if (ret == 0)
		ret = share_setattr(t, "tmp", &sticky, e);
	if (ret == 0)
		ret = share_setattr(t, "var/lib/apt/lists/partial", &private, e);
	if (ret == 0)
		ret = write_apt(f, t, e);
	if (ret == 0)
		ret = puts_file(t, "var/lib/dpkg/status", "", e);
	for (size_t i = 0; i < f->o->architectures.n; i++)
		sb_addf(&arch, "%s\n", f->o->architectures.v[i]);
	if (ret == 0)
		ret = put(t, "var/lib/dpkg/arch", &arch, e);
	if (ret == 0)
		ret = puts_file(t, "etc/fstab", "# UNCONFIGURED FSTAB FOR BASE SYSTEM\n", e);
	if (ret == 0)
		ret = copy_from_host(t, "/etc/resolv.conf", "etc/resolv.conf", e);
	if (ret == 0)
		ret = copy_from_host(t, "/etc/hostname", "etc/hostname", e);
	if (ret == 0)
		ret = make_devices(t, e);
	if (ret == 0)
		ret = put_apt_configs(f, t, e);
	return ret ? ret : fabricate_setup_for_plan(f, t, e);
}

int fabricate_list_dir(struct share_tree *t, const char *dir, struct strv *names, struct error *e)
{
	cleanup_free char *inside = path_join(dir, "x");
	const char *unused;
	int fd = share_parent(t, inside, &unused, NULL);

	if (fd < 0)
		return 0;
	fd = dir_names(fd, names, e);
	return fd < 0 ? err_wrap(e, "'/%s' in the root", dir) : 0;
}

int fabricate_check_setup(struct fabricate *f, struct error *e)
{
	cleanup_share_tree struct share_tree *t =
		share_tree_new(f->share->fd, SHARE_PARENTS | SHARE_REPLACE | SHARE_KEEP_DIRS);
	cleanup_strv struct strv names = STRV_INIT;
	struct share_attr there;
	int ret = fabricate_replan(f, t, e);

	f->late_links = false;
	if (ret == 0)
		ret = fabricate_setup_for_plan(f, t, e);

	if (ret < 0)
		return ret;
	if (share_stat(t, "etc/apt/preferences", &there, NULL) == 0)
		strv_add(&names, "preferences");
	else
		ret = fabricate_list_dir(t, "etc/apt/preferences.d", &names, e);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < names.n; i++)
		if (names.v[i][0] != '.')
			return err_set(e, EOPNOTSUPP, "a setup hook made '/etc/apt/%s%s', which is not "
				       "supported: name versions with --include=PACKAGE=VERSION, and "
				       "make the file in an essential or customize hook",
				       str_eq(names.v[i], "preferences") ? "" : "preferences.d/",
				       names.v[i]);
	return 0;
}

/* ---- before the cage ---- */

int fabricate_put_deb(struct fabricate *f, size_t i, struct error *e)
{
	cleanup_share_tree struct share_tree *t =
		share_tree_new(f->share->fd, SHARE_PARENTS | SHARE_REPLACE | SHARE_KEEP_DIRS);
	const struct plan_package *p = &f->plan->packages[i];
	cleanup_free char *name = plan_deb_name(p);
	cleanup_free char *to = xasprintf("var/cache/apt/archives/%s", name);
	cleanup_free char *from = p->uri ? debian_item_path(f->archive, p->sum) : xstrdup(p->path);
	cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
	int out;

	if (in < 0)
		return err_sys(e, errno, "cannot read '%s'", from);
	out = share_file_begin(t, to, &file_attr, e);
	if (out < 0)
		return out;
	if (share_copy_file(in, out, e) < 0) {
		share_file_abort(t, to, out);
		return err_wrap(e, "'%s', which goes into the new root", from);
	}
	return share_file_end(t, to, out, &file_attr, e);
}

#define STARTER "usr/sbin/start-stop-daemon"

/* Nothing is to be started: dpkg's program for it gives way to one that only says so. */
static int fake_daemons(struct share_tree *look, struct share_tree *t, struct error *e)
{
	static const char fake[] = "#!/bin/sh\n"
		"echo \"Warning: Fake start-stop-daemon called, doing nothing\">&2\n";
	struct share_attr program = file_attr, there;
	int ret;

	if (share_stat(look, STARTER, &there, NULL) < 0 || !S_ISREG(there.mode))
		return 0;
	ret = share_rename(t, STARTER, STARTER ".REAL", e);
	program.mode = S_IFREG | 0755;
	return ret ? ret : share_file(t, STARTER, &program, fake, strlen(fake), e);
}

/* The real one again, even if a hook removed the other. */
static int real_daemons(struct share_tree *t, struct error *e)
{
	struct share_attr there;

	if (share_stat(t, STARTER ".REAL", &there, NULL) < 0)
		return 0;
	return share_rename(t, STARTER ".REAL", STARTER, e);
}

int fabricate_prepare(struct fabricate *f, struct error *e)
{
	cleanup_share_tree struct share_tree *t =
		share_tree_new(f->share->fd, SHARE_PARENTS | SHARE_REPLACE | SHARE_KEEP_DIRS);
	/* the other one makes the directories that it looks into */
	cleanup_share_tree struct share_tree *look = share_tree_new(f->share->fd, 0);
	static const char deny[] = "#!/bin/sh\nexit 101\n";
	struct share_attr program = file_attr, there;
	int ret = 0;

	program.mode = S_IFREG | 0755;
	if (!fab_skips(f->o, "chroot/start-stop-daemon"))
		ret = fake_daemons(look, t, e);
	if (ret == 0 && !fab_skips(f->o, "chroot/policy-rc.d") &&
	    share_stat(look, "usr/sbin", &there, NULL) == 0)
		ret = share_file(t, "usr/sbin/policy-rc.d", &program, deny, strlen(deny), e);
	for (size_t i = 0; f->o->hooks[FAB_HOOK_EXTRACT].n && i < f->plan->nbase && ret == 0; i++)
		ret = fabricate_put_deb(f, i, e);
	/* in the end mmdebstrap, too, leaves none */
	if (ret == 0 && (f->hooks || fab_skips(f->o, "cleanup/apt/lists")))
		ret = fabricate_put_lists(f, t, e);
	return ret;
}

/* ---- after it ---- */

/* Everything in the directory @dir but @except. */
static int empty_dir(struct share_tree *t, const char *dir, const char *except, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	int ret = fabricate_list_dir(t, dir, &names, e);

	for (size_t i = 0; i < names.n && ret == 0; i++) {
		cleanup_free char *path = path_join(dir, names.v[i]);

		if (!except || !str_eq(names.v[i], except))
			ret = share_remove(t, path, e);
	}
	return ret;
}

static int empty_apt(struct fabricate *f, struct error *e)
{
	cleanup_share_tree struct share_tree *t =
		share_tree_new(f->share->fd, SHARE_PARENTS | SHARE_REPLACE | SHARE_KEEP_DIRS);
	static const char *const partial[] = { "var/lib/apt/lists/partial",
					       "var/cache/apt/archives/partial" };
	size_t npartial = f->plan->n ? 2 : 1;	/* without packages apt makes no archives */
	struct share_attr lock = file_attr, private = dir_attr;
	int ret = 0;

	lock.mode = S_IFREG | 0640;
	private.mode = S_IFDIR | 0700;
	private.uid = 42;
	if (!fab_skips(f->o, "cleanup/apt/lists")) {
		ret = empty_dir(t, "var/lib/apt/lists", "partial", e);
		if (ret == 0)
			ret = share_file(t, "var/lib/apt/lists/lock", &lock, NULL, 0, e);
	}
	if (ret == 0 && npartial == 2 && !fab_skips(f->o, "cleanup/apt/cache")) {
		ret = empty_dir(t, "var/cache/apt/archives", "partial", e);
		/* apt-get clean goes into it, too: a hook may have left something there */
		if (ret == 0)
			ret = empty_dir(t, "var/cache/apt/archives/partial", NULL, e);
		if (ret == 0)
			ret = share_remove(t, "var/cache/apt/pkgcache.bin", e);
		if (ret == 0)
			ret = share_remove(t, "var/cache/apt/srcpkgcache.bin", e);
		if (ret == 0)
			ret = share_file(t, "var/cache/apt/archives/lock", &lock, NULL, 0, e);
	}
	/* apt's update in the end makes them, and private, whatever the package has */
	for (size_t i = 0; i < npartial && ret == 0; i++) {
		ret = share_mkdir(t, partial[i], &private, e);
		if (ret == 0)
			ret = share_setattr(t, partial[i], &private, e);
	}
	return ret;
}

/* As if all had been unpacked in their order. */
static int sort_triggers(struct fabricate *f, struct share_tree *t, struct error *e)
{
	const struct unpacked **v = xcalloc(f->plan->n, sizeof(*v));
	int ret;

	for (size_t i = 0; i < f->plan->n; i++)
		v[i] = crew_package(f, i);
	ret = dpkg_db_sort_triggers(t, v, f->plan->n, e);
	free(v);
	return ret;
}

/* What apt and mmdebstrap leave in apt's archives where nobody cleans them. */
static int keep_debs(struct fabricate *f, struct error *e)
{
	bool base = f->o->variant == FAB_EXTRACT || fab_skips(f->o, "essential/unlink");
	int ret = 0;

	if (!fab_skips(f->o, "cleanup/apt/cache"))
		return 0;
	for (size_t i = base ? 0 : f->plan->nbase; i < f->plan->n && ret == 0; i++)
		/* apt does not copy what is a file already */
		if (f->plan->packages[i].uri)
			ret = fabricate_put_deb(f, i, e);
	return ret;
}

int fabricate_unprepare(struct fabricate *f, struct error *e)
{
	cleanup_share_tree struct share_tree *t =
		share_tree_new(f->share->fd, SHARE_REPLACE | SHARE_KEEP_DIRS);
	int ret = 0;

	if (!fab_skips(f->o, "chroot/start-stop-daemon"))
		ret = real_daemons(t, e);
	if (ret == 0 && !fab_skips(f->o, "chroot/policy-rc.d"))
		ret = share_remove(t, "usr/sbin/policy-rc.d", e);
	return ret ? ret : keep_debs(f, e);
}

int fabricate_cleanup(struct fabricate *f, struct error *e)
{
	static const char *const logs[] = {
		"var/log/dpkg.log", "var/log/apt/history.log", "var/log/apt/term.log",
		"var/log/alternatives.log", "var/cache/ldconfig/aux-cache",
		"var/log/apt/eipp.log.xz", "var/lib/dbus/machine-id",
	};
	cleanup_share_tree struct share_tree *t =
		share_tree_new(f->share->fd, SHARE_REPLACE | SHARE_KEEP_DIRS);
	struct share_attr there;
	int ret = 0;

	for (size_t i = f->plan->nbase; f->unpack && i < f->plan->n && ret == 0; i++) {
		cleanup_free char *deb = plan_deb_name(&f->plan->packages[i]);
		cleanup_free char *path = xasprintf("var/cache/apt/archives/%s", deb);

		if (!fab_skips(f->o, "cleanup/apt/cache"))
			ret = share_remove(t, path, e);
	}
	if (ret == 0 && f->unpack && f->o->variant != FAB_EXTRACT)
		ret = sort_triggers(f, t, e);
	if (ret == 0 && !fab_skips(f->o, "cleanup/apt"))
		ret = empty_apt(f, e);
	if (ret == 0 && !fab_skips(f->o, "cleanup/mmdebstrap"))
		ret = share_remove(t, "etc/apt/apt.conf.d/00mmdebstrap", e);
	if (ret == 0 && !fab_skips(f->o, "cleanup/mmdebstrap"))
		ret = share_remove(t, FABRICATE_ASIDE_APT_CONFIG, e);
	if (ret == 0 && !fab_skips(f->o, "cleanup/mmdebstrap"))
		ret = share_remove(t, FABRICATE_APT_CONFIG, e);
	if (!fab_skips(f->o, "cleanup/reproducible")) {
		for (size_t i = 0; i < ARRAY_SIZE(logs) && ret == 0; i++)
			ret = share_remove(t, logs[i], e);
		if (ret == 0 && !fab_skips(f->o, "cleanup/reproducible/machine-id") &&
		    share_stat(t, "etc/machine-id", &there, NULL) == 0)
			ret = puts_file(t, "etc/machine-id", "", e);
	}
	if (ret == 0 && !fab_skips(f->o, "cleanup/run"))
		ret = empty_dir(t, "run", "lock", e);
	if (ret == 0 && !fab_skips(f->o, "cleanup/tmp"))
		ret = empty_dir(t, "tmp", NULL, e);
	return ret ? ret : drop_devices(f->o, t, e);
}
