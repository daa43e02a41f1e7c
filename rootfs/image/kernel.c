// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel that a tree has for machines that boot it.  The tree is not trusted. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/image/private.h"
#include "umlcage/base/fd.h"

#define KERNEL "vmlinuz-"
#define INITRD "initrd.img-"

/* It becomes part of what boot loaders and scripts read. */
static bool is_version(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789+-.~_");

	return n > 0 && n < 128 && !text[n];
}

static int size_of(int dirfd, const char *prefix, const char *version, uint64_t *size)
{
	cleanup_free char *name = xasprintf("%s%s", prefix, version);
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || !st.st_size)
		return -ENOENT;
	*size = (uint64_t)st.st_size;
	return 0;
}

/* "HdrS" where a kernel for x86 has it (Documentation/arch/x86/boot.rst). */
static bool is_for_pc(int dirfd, const char *version)
{
	cleanup_free char *name = xasprintf(KERNEL "%s", version);
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	char magic[4];

	return fd >= 0 && pread(fd, magic, sizeof(magic), 0x202) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, "HdrS", sizeof(magic)) == 0;
}

/* Is @name at the top a link to such a file in /boot, as linux-image-* makes them? */
static bool leads(struct share_tree *tree, const char *name, const char *prefix)
{
	cleanup_free char *with = xasprintf("boot/%s", prefix);
	const char *last;
	char target[256];
	int dir = share_parent(tree, name, &last, NULL);
	ssize_t n = dir < 0 ? -1 : readlinkat(dir, last, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	return n > 0 && str_starts(target + (target[0] == '/'), with);
}

static int none(const char *label, const char *newest, bool foreign, struct error *e)
{
	if (foreign)
		return err_set(e, ENOENT, "cannot make '%s': the kernel of the tree, /boot/" KERNEL "%s, is "
			       "not one for x86", label, newest);
	if (newest)
		return err_set(e, ENOENT, "cannot make '%s': the tree has the kernel /boot/" KERNEL "%s, but "
			       "no initramfs /boot/" INITRD "%s; install initramfs-tools or dracut",
			       label, newest, newest);
	return err_set(e, ENOENT, "cannot make '%s': the tree has no kernel (/boot/" KERNEL "*); install "
		       "one, such as linux-image-amd64", label);
}

int image_live_check(struct share *s, const char *label, struct error *e)
{
	cleanup_share_tree struct share_tree *tree = share_tree_new(s->fd, 0);
	struct share_attr a;

	if (share_stat(tree, "usr/share/initramfs-tools/scripts/live", &a, NULL) == 0)
		return 0;
	return err_set(e, ENOENT, "cannot make '%s': the tree has no live-boot, whose initramfs boots live "
		       "systems; install it", label);
}

int image_kernel_find(struct share *s, const char *label, struct image_kernel *k, struct error *e)
{
	cleanup_share_tree struct share_tree *tree = share_tree_new(s->fd, 0);
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *without = NULL;
	cleanup_close int boot = -1;
	bool foreign = false;
	const char *last;
	int dir = share_parent(tree, "boot/" KERNEL, &last, NULL);

	*k = (struct image_kernel){ NULL };
	if (dir >= 0)
		boot = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (boot >= 0 && dir_names(boot, &names, NULL) < 0)
		return err_sys(e, errno, "cannot read /boot of '%s'", s->path);
	for (size_t i = 0; i < names.n; i++) {
		const char *version = names.v[i] + strlen(KERNEL);
		uint64_t size, initrd;

		if (!str_starts(names.v[i], KERNEL) || !is_version(version) ||
		    size_of(boot, KERNEL, version, &size) < 0 ||
		    (k->version && strverscmp(version, k->version) < 0))
			continue;
		if (!is_for_pc(boot, version) || size_of(boot, INITRD, version, &initrd) < 0) {
			foreign = !is_for_pc(boot, version);
			free(without);
			without = xstrdup(version);
			continue;
		}
		free(k->version);
		*k = (struct image_kernel){ xstrdup(version), size, initrd, false };
	}
	if (!k->version)
		return none(label, without, foreign, e);
	k->links = leads(tree, "vmlinuz", KERNEL) && leads(tree, "initrd.img", INITRD);
	return 0;
}
