// SPDX-License-Identifier: GPL-2.0-or-later
/* Kept roots and what else --root may name: see roots.h. */
#include "hostfs-bridge/roots/private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/oci/oci.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/xdg.h"

#define NAME_LENGTH 64
static const struct {
	enum xdg_kind xdg;
	const char *dir;
	const char *thing;		/* in messages */
	const char *list;
} stores[] = {
	[STORE_ROOTS] = { XDG_DATA, "roots", "root", "umlcage root list" },
	[STORE_CHANGES] = { XDG_STATE, "sessions", "kept change", "umlcage root list --changes" },
};

int root_check_name(const char *name, struct error *e)
{
	size_t len = strlen(name);
	bool good = len > 0 && len <= NAME_LENGTH && isalnum((unsigned char)*name);

	for (const char *s = name; good && *s; s++)
		good = isalnum((unsigned char)*s) || strchr("._-", *s);
	if (good)
		return 0;
	return err_usage(e, "bad name: '%s'; it is made of letters, digits, '.', '_' and "
			 "'-', %d at most, and begins with a letter or digit", name, NAME_LENGTH);
}

int root_path(enum root_store store, const char *name, char **path, struct error *e)
{
	cleanup_free char *dir = NULL;
	int ret = root_check_name(name, e);

	if (ret < 0)
		return ret;
	ret = xdg_dir(stores[store].xdg, stores[store].dir, &dir, e);
	if (ret < 0)
		return ret;
	*path = path_join(dir, name);
	return 0;
}

int root_names(enum root_store store, struct strv *names, struct error *e)
{
	cleanup_free char *dir = NULL;
	int ret = xdg_dir(stores[store].xdg, stores[store].dir, &dir, e);
	DIR *d;

	if (ret < 0)
		return ret;
	share_stage_sweep(dir, NULL);
	d = opendir(dir);
	if (!d)
		return err_sys(e, errno, "cannot read '%s'", dir);
	for (struct dirent *ent; (ent = dir_next(d, &ret)) != NULL;)
		if (root_check_name(ent->d_name, NULL) == 0 &&
		    share_is_share(dirfd(d), ent->d_name))
			strv_add(names, ent->d_name);
	closedir(d);
	strv_sort(names);
	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", dir) : 0;
}

/* SHA-256 of all of @fd, in hexadecimal; back at its beginning afterwards. */
static int hash_file(int fd, const char *path, struct progress *progress, char hex[65],
		     struct error *e)
{
	cleanup_free char *buf = xmalloc(1 << 20);
	struct hash h = { NULL };
	uint64_t done = 0;
	ssize_t n = 0;
	int ret = 0;

	hash_start(&h);
	while (ret == 0 && (n = pread_full(fd, buf, 1 << 20, (off_t)done)) > 0) {
		hash_add(&h, buf, (size_t)n);
		done += (uint64_t)n;
		progress_step(progress, done, 0, NULL);
		if (interrupted())
			ret = err_set(e, EINTR, "interrupted");
	}
	if (ret == 0 && n < 0)
		ret = err_sys(e, (int)-n, "cannot read '%s'", path);
	hash_end(&h, hex);
	hash_release(&h);
	return ret;
}

/*
 * The hash of an archive, remembered by what stat() says of it, so that a cage does not
 * wait for hundreds of megabytes to be read again.
 */
int roots_cached_hash(const char *dir, int fd, const char *path, struct progress *progress,
		       char hex[65], struct error *e)
{
	cleanup_strbuf struct strbuf known = STRBUF_INIT;
	cleanup_free char *name = NULL, *note = NULL;
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot stat '%s'", path);
	name = xasprintf("stat-%llx-%llx-%llx-%llx.%09lx-%llx.%09lx", (unsigned long long)st.st_dev,
			 (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
			 (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec,
			 (unsigned long long)st.st_ctim.tv_sec, (unsigned long)st.st_ctim.tv_nsec);
	note = path_join(dir, name);
	if (file_read(AT_FDCWD, note, 64, &known, NULL) == 0 && known.len == 64) {
		memcpy(hex, known.s, 65);
		return 0;
	}
	progress_stage(progress, "reading the archive", (uint64_t)st.st_size);
	ret = hash_file(fd, path, progress, hex, e);
	progress_end(progress);
	/* a file changed within the last seconds may change again within the same tick */
	if (ret == 0 && st.st_ctim.tv_sec + 2 < time(NULL))
		(void)file_replace(AT_FDCWD, note, hex, 64, 0600, NULL);
	return ret;
}

int root_absent(enum root_store store, const char *name, struct error *e)
{
	return err_set(e, ENOENT, "there is no %s '%s'; see '%s'", stores[store].thing, name,
		       stores[store].list);
}

/* ---- removing and renaming ---- */

int root_remove(enum root_store store, const char *name, bool force, struct error *e)
{
	cleanup_share struct share s = SHARE_INIT;
	cleanup_strv struct strv changes = STRV_INIT;
	cleanup_free char *path = NULL, *aside = NULL;
	int ret = root_path(store, name, &path, e);

	if (ret < 0)
		return ret;
	if (access(path, F_OK) < 0)
		return root_absent(store, name, e);
	ret = share_open(&s, path, SHARE_WRITE, e);
	if (ret == 0 && store == STORE_ROOTS && !force)
		ret = changes_refuse(&s, "removing it", e);
	if (ret < 0)
		return ret;
	/* under a hidden name first: half a root is not to be found */
	aside = xasprintf("%.*s.%s.00000000.part", (int)(strlen(path) - strlen(name)), path, name);
	remove_tree(AT_FDCWD, aside, NULL);
	if (rename(path, aside) < 0)
		return err_sys(e, errno, "cannot remove the %s '%s'", stores[store].thing, name);
	return remove_tree(AT_FDCWD, aside, e);
}

int root_rename(enum root_store store, const char *from, const char *to, struct error *e)
{
	cleanup_share struct share s = SHARE_INIT;
	cleanup_free char *old = NULL, *new = NULL, *was = NULL, *is = NULL;
	int ret = root_path(store, from, &old, e);

	if (ret < 0)
		return ret;
	ret = root_path(store, to, &new, e);
	if (ret < 0)
		return ret;
	if (access(old, F_OK) < 0)
		return root_absent(store, from, e);
	ret = share_open(&s, old, SHARE_WRITE, e);
	if (ret < 0)
		return ret;
	was = realpath(old, NULL);
	if (renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) < 0)
		return errno == EEXIST ?
		       err_set(e, EEXIST, "there is a %s '%s' already", stores[store].thing, to) :
		       err_sys(e, errno, "cannot rename the %s '%s'", stores[store].thing, from);
	is = realpath(new, NULL);
	if (store == STORE_ROOTS && is)
		changes_moved(&s, was, is);
	return 0;
}

/* ---- --root ---- */

void root_release(struct root_spec *r)
{
	free_ptr(&r->path);
	free_ptr(&r->name);
	close_fd(&r->archive);
}

bool root_read_only(const char *fstype)
{
	return str_eq(fstype, "squashfs") || str_eq(fstype, "erofs") || str_eq(fstype, "iso9660") ||
	       str_eq(fstype, "cramfs") || str_eq(fstype, "romfs");
}

int root_sniff_image(int fd, const char *path, const char **fstype, struct error *e)
{
	static const struct {
		const char *fstype;
		off_t at;
		const char *magic;
		size_t len;
	} kinds[] = {
		{ "ext4", 1024 + 56, "\x53\xef", 2 },
		{ "xfs", 0, "XFSB", 4 },
		{ "btrfs", 65536 + 64, "_BHRfS_M", 8 },
		{ "squashfs", 0, "hsqs", 4 },
		{ "erofs", 1024, "\xe2\xe1\xf5\xe0", 4 },
		{ "iso9660", 32769, "CD001", 5 },
	};
	unsigned char boot[2];
	char buf[8];

	*fstype = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (pread_full(fd, buf, kinds[i].len, kinds[i].at) == (ssize_t)kinds[i].len &&
		    memcmp(buf, kinds[i].magic, kinds[i].len) == 0) {
			*fstype = kinds[i].fstype;
			return 0;
		}
	if (pread_full(fd, buf, 8, 512) == 8 && memcmp(buf, "EFI PART", 8) == 0)
		boot[0] = 0x55, boot[1] = 0xaa;
	else if (pread_full(fd, boot, 2, 510) != 2)
		return 0;
	if (boot[0] == 0x55 && boot[1] == 0xaa)
		return err_set(e, ENOMEDIUM, "'%s' is a disk with partitions; give the image of one "
			       "filesystem", path);
	return 0;
}

int root_check_sealed(const char *path)
{
	cleanup_share struct share s = SHARE_INIT;
	int ret;

	if (access(path, F_OK) < 0)
		return -ENOENT;
	if (share_open(&s, path, SHARE_PEEK, NULL) < 0)
		return -ESTALE;
	ret = share_seal_check(&s);
	return ret == -ENODATA ? -ESTALE : ret;
}

/* What a directory with an image of containers is known by: its index names all else by sums. */
static int hash_image(int dirfd, const char *path, char hex[SHA256_HEX + 1], struct error *e)
{
	const char *index = oci_kind(dirfd) == OCI_LAYOUT ? "index.json" : "manifest.json";
	cleanup_close int fd = openat(dirfd, index, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int ret = fd < 0 ? -errno : hash_fd(fd, hex);

	return ret < 0 ? err_sys(e, -ret, "cannot read '%s/%s'", path, index) : 0;
}

/*
 * The share in the cache of an archive or a directory with an image of containers; 1 if it must
 * be made first, and what it is made of stays open.
 */
static int find_archive(struct root_spec *r, int *fd, const char *path, bool check,
			struct progress *progress, struct error *e)
{
	cleanup_free char *dir = NULL;
	char hex[SHA256_HEX + 1];
	struct stat st;
	int ret = xdg_dir(XDG_CACHE, "roots", &dir, e);

	if (ret == 0)
		ret = fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode) ? hash_image(*fd, path, hex, e) :
		      roots_cached_hash(dir, *fd, path, progress, hex, e);
	if (ret < 0)
		return ret;
	r->kind = ROOT_SHARE;
	r->path = path_join(dir, hex);
	r->cached = true;
	ret = check ? root_check_sealed(r->path) : share_is_share(AT_FDCWD, r->path) ? 0 : -ENOENT;
	if (ret == 0)
		return 0;
	if (ret != -ENOENT && ret != -ESTALE)
		return err_sys(e, -ret, "cannot check '%s'", r->path);
	r->archive = steal_fd(fd);
	return 1;
}

static int find_file(struct root_spec *r, const char *path, bool check,
		     struct progress *progress, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	const char *fstype;
	int ret;

	if (fd < 0)
		return err_sys(e, errno, "cannot open the root '%s'", path);
	ret = root_sniff_image(fd, path, &fstype, e);
	if (ret < 0)
		return ret;
	if (!fstype)
		return find_archive(r, &fd, path, check, progress, e);
	*r = (struct root_spec){ .kind = ROOT_IMAGE, .path = xstrdup(path), .fstype = fstype,
				 .archive = -1 };
	return 0;
}

static int find_directory(struct root_spec *r, const char *path, bool check,
			  struct progress *progress, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || access(path, X_OK) < 0)
		return err_sys(e, errno, "cannot use '%s' as a root", path);
	if (!share_is_share(fd, ".") && oci_kind(fd) != OCI_NONE)
		return find_archive(r, &fd, path, check, progress, e);
	if (!share_is_share(fd, "."))
		return err_set(e, EINVAL, "cannot use '%s' as a root: it is not a share, nor an image of "
			       "containers; make one of an archive with 'umlcage share import'", path);
	*r = (struct root_spec){ .kind = ROOT_SHARE, .path = xstrdup(path), .archive = -1 };
	return 0;
}

int root_find(struct root_spec *r, const char *arg, bool check, struct progress *progress,
	      struct error *e)
{
	cleanup_free char *kept = NULL;
	struct stat st;

	*r = (struct root_spec)ROOT_SPEC_INIT;
	if (!strchr(arg, '/') && root_check_name(arg, NULL) == 0) {
		int ret = root_path(STORE_ROOTS, arg, &kept, e);

		if (ret < 0)
			return ret;
		if (share_is_share(AT_FDCWD, kept)) {
			*r = (struct root_spec){ .kind = ROOT_SHARE, .path = steal_ptr(&kept),
						 .name = xstrdup(arg), .archive = -1 };
			return 0;
		}
	}
	if (stat(arg, &st) < 0 && errno == ENOENT && !strchr(arg, '/'))
		return root_absent(STORE_ROOTS, arg, e);
	if (stat(arg, &st) < 0)
		return err_sys(e, errno, "cannot use '%s' as a root", arg);
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return find_file(r, arg, check, progress, e);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, EINVAL, "cannot use '%s' as a root: it is neither a directory nor a "
			       "file", arg);
	return find_directory(r, arg, check, progress, e);
}
