// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root of a cage: mounted from a share or a block device, with an overlay where changes
 * are to go elsewhere, and the user's folders in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/agent/agent.h"
#include "umlcage/base/fd.h"

#define LOWER "/lower"
#define UPPER "/upper"
#define HUMFS_MAGIC 0x68756d66	/* HUMFS_SUPER_MAGIC */

int root_changes = -1;

static int mount_humfs(const char *tag, const char *where, const char *options, bool read_only,
		       struct error *e)
{
	if (mount(tag, where, "humfs", read_only ? MS_RDONLY : 0, options) < 0)
		return err_sys(e, errno, "cannot mount the share '%s'", tag);
	return 0;
}

static int mount_device(const char *device, const char *fstype, bool *read_only, struct error *e)
{
	static const char *const known[] = { "ext4", "squashfs", NULL };
	const char *one[] = { fstype, NULL };
	const char *const *types = fstype ? one : known;

	/* the initramfs has no device nodes but the console's */
	if (mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "") < 0)
		return err_sys(e, errno, "cannot mount '/dev' to find the root image");
	for (; *types; types++) {
		*read_only = strcmp(*types, "squashfs") == 0;
		if (mount(device, LOWER, *types, *read_only ? MS_RDONLY : 0, "") == 0)
			return 0;
		if (errno != EINVAL && errno != ENODEV)
			break;
	}
	if (errno == EINVAL || errno == ENODEV)
		return err_set(e, errno, "cannot mount the root image: it has no file system that "
			       "this kernel knows (ext4, squashfs)");
	return err_sys(e, errno, "cannot mount the root image");
}

/*
 * After a mount with "volatile" overlayfs refuses the upper layer, which may lack what was not
 * synced.  Here it lacks nothing: humfs hands every write to the host at once, and the share
 * is marked if its cage was killed before the end.
 */
static void accept_volatile(void)
{
	static const char dirty[] = UPPER "/work/work/incompat/volatile/dirty";
	cleanup_free char *path = xstrdup(dirty);

	/* one that did not get so far, for want of room or time, has the folders alone */
	(void)unlink(path);
	/* volatile, incompat */
	for (int i = 0; i < 2; i++) {
		*strrchr(path, '/') = '\0';
		(void)rmdir(path);
	}
}

/*
 * Without xino a file's device number is not that of its directory, and df does not find what
 * it is on.  With it, inode numbers have their top bit set, which is too much for cpio archives
 * and for programs of 32 bits.
 */
static int mount_overlay(const char *upper, const struct proto_msg *m, bool nosync, struct error *e)
{
	int ret = 0;

	if (strcmp(upper, "memory") == 0) {
		if (mount(MEMORY, UPPER, NULL, MS_BIND, NULL) < 0)
			return err_sys(e, errno, "cannot use guest memory for changes");
	} else {
		ret = mount_humfs(upper, UPPER, nosync ? "nosync" : "", false, e);
	}
	if (ret == 0)
		ret = etc_prepare(LOWER, UPPER "/upper", m, e);
	if (ret < 0)
		return ret;

	cleanup_free char *full = xasprintf("lowerdir=%s" LOWER ",upperdir=" UPPER "/upper,workdir="
					    UPPER "/work,xino=off%s", ret ? ETC_LAYER ":" : "",
					    nosync ? ",volatile" : "");

	if ((mkdir(UPPER "/upper", 0755) < 0 && errno != EEXIST) ||
	    (mkdir(UPPER "/work", 0755) < 0 && errno != EEXIST))
		return err_sys(e, errno, "cannot prepare the place for changes");

	accept_volatile();

	struct stat st;

	/* the overlay's top is upper's: it must look like the root's */
	if (stat(LOWER, &st) == 0) {
		(void)chmod(UPPER "/upper", st.st_mode & 07777);
		(void)chown(UPPER "/upper", st.st_uid, st.st_gid);
	}
	if (mount("overlay", ROOT, "overlay", 0, full) < 0)
		return err_sys(e, errno, "cannot lay the place for changes over the root");
	root_changes = open(UPPER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

/* *@layered: there is an overlay. */
static int mount_root(const struct proto_msg *m, bool *layered, struct error *e)
{
	cleanup_free char *root = proto_get_string(m, F_ROOT);
	cleanup_free char *upper = proto_get_string(m, F_UPPER);
	cleanup_free char *fstype = proto_get_string(m, F_FSTYPE);
	bool nosync = proto_get_number(m, F_NOSYNC, 0) != 0;
	bool none = !upper || strcmp(upper, "none") == 0;
	bool read_only = false;
	int ret;

	*layered = true;
	if (!root)
		return err_set(e, EPROTO, "no root was named");
	if (str_starts(root, "humfs ")) {
		ret = mount_humfs(root + 6, LOWER, none && nosync ? "nosync" : "", !none, e);
	} else {
		ret = mount_device(root, fstype, &read_only, e);
		/* a block device with its own copy-on-write needs no overlay if it is writable */
		if (ret == 0 && read_only && none)
			return mount_overlay("memory", m, false, e);
	}
	if (ret < 0)
		return ret;
	if (!none)
		return mount_overlay(str_starts(upper, "share ") ? upper + 6 : upper, m, nosync, e);
	*layered = false;
	ret = etc_prepare(LOWER, NULL, m, e);
	if (ret < 0)
		return ret;
	if (mount(LOWER, ROOT, NULL, MS_MOVE, NULL) < 0)
		return err_sys(e, errno, "cannot move the root into place");
	return 0;
}

/* The initramfs and the root over it, where commands are to find themselves in a chroot; or -1. */
static int outside = -1, inside = -1;

void root_enter(void)
{
	if (inside >= 0 && fchdir(inside) == 0)
		(void)chroot(".");
}

void root_leave(void)
{
	if (outside >= 0 && fchdir(outside) == 0)
		(void)chroot(".");
}

static int switch_root(bool chrooted, struct error *e)
{
	if (chrooted)
		outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (chdir(ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return err_sys(e, errno, "cannot switch to the root");
	if (outside >= 0)
		inside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

/* Empty files of ours, that a single file is mounted on. */
static struct strv placeholders = STRV_INIT;

/* What is the user's own, and not the root, is not to get files or folders of ours. */
static int check_mount_point(const char *where, struct error *e)
{
	cleanup_free char *above = xstrdup(where);
	struct stat root, st;
	struct statfs fs;

	do {
		char *slash = strrchr(above, '/');

		slash[slash == above] = '\0';
	} while (lstat(above, &st) < 0 && strcmp(above, "/") != 0);
	if (stat("/", &root) < 0 || stat(above, &st) < 0 || statfs(above, &fs) < 0)
		return err_sys(e, errno, "cannot look at '%s'", above);
	if (st.st_dev == root.st_dev || fs.f_type != HUMFS_MAGIC)
		return 0;
	return err_set(e, ENOENT, "it is not there, and '%s' is in a folder of yours, where nothing is "
		       "made unasked; make it yourself", above);
}

int root_mount_point(const char *where, bool file, struct error *e)
{
	cleanup_close int fd = -1;
	struct stat st;
	int ret;

	if (stat(where, &st) == 0 && S_ISDIR(st.st_mode) != file)
		return 0;
	if (lstat(where, &st) == 0)
		return err_set(e, file ? EISDIR : ENOTDIR, "'%s' is %s in the root", where,
			       S_ISDIR(st.st_mode) ? "a folder" :
			       S_ISLNK(st.st_mode) ? "a link that leads to nothing of that kind" :
			       "not a folder");
	ret = check_mount_point(where, e);
	if (ret < 0)
		return ret;
	if (!file)
		return make_dirs(AT_FDCWD, where, 0755, e);

	cleanup_free char *dir = xstrndup(where, (size_t)(strrchr(where, '/') - where));

	ret = *dir ? make_dirs(AT_FDCWD, dir, 0755, e) : 0;
	if (ret < 0)
		return ret;
	fd = open(where, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, errno, "cannot make '%s'", where);
	strv_add(&placeholders, where);
	return 0;
}

static void remove_placeholders(void)
{
	struct stat st;

	for (size_t i = 0; i < placeholders.n; i++)
		if (lstat(placeholders.v[i], &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
			(void)unlink(placeholders.v[i]);
	strv_release(&placeholders);
}

/*
 * "TAG OPTIONS WHERE", in the new root.  OPTIONS are humfs', and "file" for one; what is plain
 * is @owner's.
 */
static int mount_share(const char *spec, const char *owner, struct error *e)
{
	cleanup_free char *copy = xstrdup(spec);
	cleanup_strv struct strv words = STRV_INIT, options = STRV_INIT;
	char *list = strchr(copy, ' ');
	char *where = list ? strchr(list + 1, ' ') : NULL;
	int ret = 0;

	if (!where || where[1] != '/')
		return err_set(e, EPROTO, "malformed mount '%s'", spec);
	*list++ = '\0';
	*where++ = '\0';
	strv_split(&words, list, ",");
	for (size_t i = 0; i < words.n; i++)
		if (strcmp(words.v[i], "-") != 0 && strcmp(words.v[i], "file") != 0)
			strv_add(&options, words.v[i]);
	if (owner && strv_has(&words, "plain")) {
		struct user u;

		ret = user_find(owner, &u, e);
		if (ret == 0)
			strv_addf(&options, "uid=%u,gid=%u", u.uid, u.gid);
		user_release(&u);
	}

	cleanup_free char *joined = strv_join(&options, ",");

	if (ret == 0)
		ret = root_mount_point(where, strv_has(&words, "file"), e);
	if (ret == 0)
		ret = mount_humfs(copy, where, joined, strv_has(&words, "ro"), e);
	return ret < 0 ? err_wrap(e, "cannot mount at '%s'", where) : 0;
}

static int mount_shares(const struct proto_msg *m, struct error *e)
{
	cleanup_free char *owner = proto_get_string(m, F_OWNER);
	struct proto_field f;
	int ret = 0;

	for (size_t pos = 0; ret == 0 && proto_next(m, &pos, &f);) {
		if (f.id == F_MOUNT) {
			cleanup_free char *spec = xstrndup(f.data, f.len);

			ret = mount_share(spec, owner, e);
		}
	}
	return ret;
}

static int set_clock(int64_t at, struct error *e)
{
	const struct timespec ts = { .tv_sec = at };

	return at && clock_settime(CLOCK_REALTIME, &ts) < 0 ? err_sys(e, errno, "cannot set the clock") : 0;
}

int root_setup(const struct proto_msg *m, int user_net, struct error *e)
{
	cleanup_free char *hostname = proto_get_string(m, F_HOSTNAME);
	bool booted = proto_get_number(m, F_BOOTED, 0) != 0, layered = false;
	int ret;

	ret = set_clock((int64_t)proto_get_number(m, F_CLOCK, 0), e);
	if (ret < 0)
		return ret;
	(void)mkdir(LOWER, 0755);
	(void)mkdir(UPPER, 0755);
	(void)mkdir(ROOT, 0755);
	ret = memory_mount(proto_get_number(m, F_DISK, 0), e);
	if (ret == 0)
		ret = mount_root(m, &layered, e);
	if (ret == 0)
		ret = emulators_register(m, e);
	if (ret == 0)
		ret = sockets_make(m, e);
	if (ret == 0)
		ret = kernelfs_mount(user_net, booted, e);
	if (ret == 0)
		ret = switch_root(proto_get_number(m, F_CHROOTED, 0) != 0, e);
	if (ret == 0)
		ret = mount_shares(m, e);
	if (ret == 0)
		ret = sockets_place(proto_get_number(m, F_INIT, 0) != 0, e);
	if (ret < 0)
		return ret;
	if (hostname)
		(void)sethostname(hostname, strlen(hostname));
	etc_place(layered, booted);
	/* as systemd has it; who wants a namespace of mounts to itself asks for one */
	if (booted)
		(void)mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL);
	return 0;
}

/* Mount points in /proc/mounts have blanks and backslashes as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static int sync_one(const char *path, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && syncfs(fd) < 0)
		return err_sys(e, errno, "cannot write back '%s'", path);
	return 0;
}

int root_sync(struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	int ret = 0;

	close_fd(&root_changes);
	etc_remove();
	if (file_read(AT_FDCWD, "/proc/self/mounts", 1 << 20, &text, NULL) < 0)
		return err_set(e, EIO, "cannot read the list of mounts");
	strv_split(&lines, sb_str(&text), "\n");
	for (size_t i = lines.n; i-- > 0;) {
		cleanup_strv struct strv f = STRV_INIT;

		strv_split(&f, lines.v[i], " ");
		if (f.n < 3)
			continue;
		unescape(f.v[1]);

		bool storage = strcmp(f.v[2], "humfs") == 0 || strcmp(f.v[2], "ext4") == 0 ||
			       strcmp(f.v[2], "overlay") == 0;

		if (storage && ret == 0)
			ret = sync_one(f.v[1], e);
		else if (storage)
			(void)sync_one(f.v[1], NULL);
		if (strcmp(f.v[1], "/") != 0)
			(void)umount2(f.v[1], MNT_DETACH);
	}
	remove_placeholders();
	(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	sync();
	return ret;
}
