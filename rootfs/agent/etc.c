// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files of /etc that only the machine can know: resolv.conf for its network, hosts for its name,
 * hostname for an init that is to take that name.  They are the cage's and never stay in a root, a share
 * or a folder of the user:
 *
 *  - over a root with an overlay they are in a layer of their own between root and changes,
 *    ordinary files there that may be changed, replaced and mounted over;
 *  - elsewhere they are bind mounts on what is there; where nothing is, on an empty file that
 *    goes again at the end.
 *
 * A bind mount's source stays linked, in the initramfs: who binds it again must find it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"
#include "umlcage/net/addresses.h"

enum { HOSTS_MAX = 1 << 20, HOSTNAME_FILE_MAX = 4096 };

enum { RESOLVER, HOSTS, HOSTNAME };

static struct own_file {
	const char *path;
	bool everywhere;	/* over the user's, too: no other would work */
	int fd;			/* O_PATH, of the file in ETC_LAYER; -1: there is none */
	bool placeholder;	/* an empty file of ours is below it */
	bool hidden;		/* by one among the changes, which lie above ETC_LAYER */
} files[] = {
	[RESOLVER] = { "/etc/resolv.conf", true, -1, false, false },
	[HOSTS] = { "/etc/hosts", false, -1, false, false },
	[HOSTNAME] = { "/etc/hostname", false, -1, false, false },
};

static int own(struct own_file *f, const char *text, struct error *e)
{
	cleanup_free char *path = xasprintf(ETC_LAYER "%s", f->path);
	int ret = file_replace(AT_FDCWD, path, text, strlen(text), 0644, e);

	if (ret < 0)
		return ret;
	f->fd = open(path, O_PATH | O_CLOEXEC);
	return f->fd < 0 ? err_sys(e, errno, "cannot open '%s'", path) : 0;
}

/* Does a line of hosts(5) give @name an address? */
static bool has_host(const char *hosts, const char *name)
{
	cleanup_strv struct strv lines = STRV_INIT;

	strv_split(&lines, hosts, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		cleanup_strv struct strv words = STRV_INIT;

		lines.v[i][strcspn(lines.v[i], "#")] = '\0';
		strv_split(&words, lines.v[i], " \t");
		for (size_t j = 1; j < words.n; j++)
			if (strcmp(words.v[j], name) == 0)
				return true;
	}
	return false;
}

static void add_host(struct strbuf *hosts, const char *name)
{
	if (!has_host(sb_str(hosts), name))
		sb_addf(hosts, "127.0.1.1\t%s\n", name);
}

/* A file of @root; nothing if it is none, or a link, which may lead anywhere. */
static void read_own(const char *root, const char *name, size_t max, struct strbuf *text)
{
	cleanup_free char *path = path_join(root, name);
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
		(void)file_read(AT_FDCWD, path, max, text, NULL);
}

/* The name of hostname(5), which an init gives the machine: systemd prefers it to what it finds. */
static char *name_in(const char *root)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;

	read_own(root, "etc/hostname", HOSTNAME_FILE_MAX, &text);
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		cleanup_strv struct strv words = STRV_INIT;

		strv_split(&words, lines.v[i], " \t\r");
		if (words.n && words.v[0][0] != '#')
			return str_is_hostname(words.v[0]) ? xstrdup(words.v[0]) : NULL;
	}
	return NULL;
}

/* What the root has, and the names it lacks. */
static int own_hosts(const char *root, const char *hostname, const char *given, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	size_t had;

	read_own(root, "etc/hosts", HOSTS_MAX, &text);
	if (text.len && text.s[text.len - 1] != '\n')
		sb_addc(&text, '\n');
	had = text.len;
	if (!has_host(sb_str(&text), "localhost"))
		sb_addf(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	add_host(&text, hostname);
	if (given)
		add_host(&text, given);
	return text.len > had ? own(&files[HOSTS], sb_str(&text), e) : 0;
}

/* For an init the name that was asked for; *@given: the one that it takes from the root otherwise. */
static int own_hostname(const char *root, const char *changes, const char *hostname, bool named,
			char **given, struct error *e)
{
	cleanup_free char *line = named ? xasprintf("%s\n", hostname) : NULL;
	char *kept = changes ? name_in(changes) : NULL;

	if (!named) {
		*given = kept ? kept : name_in(root);
		return 0;
	}
	files[HOSTNAME].hidden = kept && strcmp(kept, hostname) != 0;
	free(kept);
	return own(&files[HOSTNAME], line, e);
}

/* The layer's /etc hides the root's own: it must look like it. */
static int make_folder(const char *root, struct error *e)
{
	cleanup_free char *etc = xasprintf("%s/etc", root);
	struct stat st = { .st_mode = 0755 };

	if (lstat(etc, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "the root's '/etc' is not a directory");
	if (mkdir(ETC_LAYER, 0755) < 0 || mkdir(ETC_LAYER "/etc", 0755) < 0 ||
	    chmod(ETC_LAYER "/etc", st.st_mode & 07777) < 0 ||
	    chown(ETC_LAYER "/etc", st.st_uid, st.st_gid) < 0)
		return err_sys(e, errno, "cannot prepare '/etc'");
	return 0;
}

static void copy_times(const char *root)
{
	cleanup_free char *etc = xasprintf("%s/etc", root);
	struct stat st;

	if (lstat(etc, &st) == 0)
		(void)utimensat(AT_FDCWD, ETC_LAYER "/etc",
				(struct timespec[]){ st.st_atim, st.st_mtim }, 0);
}

/*
 * An answer that was lost on the host's way costs a second: the usual five are long for who looks a
 * name up for each of a hundred packages.
 */
#define RESOLVER_OPTIONS "options timeout:1 attempts:5\n"

int etc_prepare(const char *root, const char *changes, const struct proto_msg *m, struct error *e)
{
	cleanup_free char *hostname = proto_get_string(m, F_HOSTNAME), *given = NULL;
	bool dns = proto_get_number(m, F_DNS, 0) != 0, booted = proto_get_number(m, F_BOOTED, 0) != 0;
	int ret = 0;

	if (!dns && !booted)
		return 0;
	ret = make_folder(root, e);
	if (ret == 0 && dns)
		ret = own(&files[RESOLVER], proto_get_number(m, F_IPV6, 0) ?
			  "nameserver " NET_DNS "\nnameserver " NET6_DNS "\n" RESOLVER_OPTIONS :
			  "nameserver " NET_DNS "\n" RESOLVER_OPTIONS, e);
	if (ret == 0 && hostname && proto_get_number(m, F_INIT, 0))
		ret = own_hostname(root, changes, hostname, proto_get_number(m, F_NAMED, 0) != 0, &given, e);
	if (ret == 0 && booted && hostname)
		ret = own_hosts(root, hostname, given, e);
	copy_times(root);
	return ret < 0 ? ret : 1;
}

/* Is something mounted on exactly this? */
static bool is_mount(const char *path)
{
	struct statx sx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &sx) == 0 &&
	       (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static void lay(const struct own_file *f)
{
	char source[64];

	snprintf(source, sizeof(source), "/proc/self/fd/%d", f->fd);
	(void)mount(source, f->path, NULL, MS_BIND, NULL);
}

/* A link into /run, as systemd's resolver has it, is answered there: that is the cage's own. */
static bool put_into_run(const struct own_file *f)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	char target[PATH_MAX], source[64];
	const char *path = target;
	ssize_t n = readlink(f->path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	if (str_starts(target, "../run/"))
		path += 2;
	if (!str_starts(path, "/run/") || strstr(path, "/../"))
		return false;

	cleanup_free char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	snprintf(source, sizeof(source), "/proc/self/fd/%d", f->fd);
	if (file_read(AT_FDCWD, source, HOSTS_MAX, &text, NULL) < 0 ||
	    make_dirs(AT_FDCWD, dir, 0755, NULL) < 0)
		return false;
	return file_replace(AT_FDCWD, path, text.s, text.len, 0644, NULL) == 0;
}

static void place(struct own_file *f, bool layered, bool booted)
{
	struct stat root, etc, st;

	if (f->fd < 0 || stat("/", &root) < 0 || stat("/etc", &etc) < 0)
		return;
	/* a folder of the user in the place of /etc has another device */
	if (root.st_dev == etc.st_dev ? layered && !f->hidden : !f->everywhere)
		return;
	if (lstat(f->path, &st) < 0) {
		cleanup_close int fd = -1;

		if (!booted || root.st_dev != etc.st_dev)
			return;
		fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		f->placeholder = fd >= 0;
		if (f->placeholder)
			lay(f);
	} else if (S_ISREG(st.st_mode) && !is_mount(f->path)) {
		lay(f);
	} else if (S_ISLNK(st.st_mode)) {
		if (booted && is_mount("/run") && put_into_run(f))
			return;
		if (stat(f->path, &st) == 0 && S_ISREG(st.st_mode))
			lay(f);
	}
}

void etc_place(bool layered, bool booted)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		place(&files[i], layered, booted);
}

void etc_remove(void)
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (!files[i].placeholder)
			continue;
		(void)umount2(files[i].path, MNT_DETACH);
		if (lstat(files[i].path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
			(void)unlink(files[i].path);
	}
}
