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

/* The types are those of the Discoverable Partitions Specification. */
static const struct image_arch pc = {
	.name = "amd64", .root_type = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709", .efi = "x64",
	.grub = "x86_64-efi", .console = "ttyS0,115200n8", .pc = true,
};
static const struct image_arch arm64 = {
	.name = "arm64", .root_type = "B921B045-1DF0-41C3-AF44-4C6F280D3FAE", .efi = "aa64",
	.grub = "arm64-efi", .console = "ttyAMA0,115200",
};

/* Has it these bytes at @at? */
static bool has(int fd, uint64_t at, const void *want, size_t n)
{
	char found[8];

	return n <= sizeof(found) && pread(fd, found, n, (off_t)at) == (ssize_t)n &&
	       memcmp(found, want, n) == 0;
}

/*
 * What the kernel is for; NULL: none of these.  "HdrS" where one for x86 has it, and the machine that
 * one for arm64 has as a program of the firmware (Documentation/arch/x86/boot.rst, admin-guide/efi-stub.rst).
 */
static const struct image_arch *arch_of(int dirfd, const char *version)
{
	cleanup_free char *name = xasprintf(KERNEL "%s", version);
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	unsigned char at[4];

	if (fd < 0)
		return NULL;
	if (has(fd, 0x202, "HdrS", 4))
		return &pc;
	if (has(fd, 0, "MZ", 2) && pread(fd, at, sizeof(at), 0x3c) == (ssize_t)sizeof(at) &&
	    has(fd, at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24,
		"PE\0\0\x64\xaa", 6))
		return &arm64;
	return NULL;
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
			       "neither one for x86 nor for arm64", label, newest);
	if (newest)
		return err_set(e, ENOENT, "cannot make '%s': the tree has the kernel /boot/" KERNEL "%s, but "
			       "no initramfs /boot/" INITRD "%s; install initramfs-tools or dracut",
			       label, newest, newest);
	return err_set(e, ENOENT, "cannot make '%s': the tree has no kernel (/boot/" KERNEL "*); install "
		       "one, such as linux-image-amd64", label);
}

static bool tree_has(struct share *s, const char *path)
{
	cleanup_share_tree struct share_tree *tree = share_tree_new(s->fd, 0);
	struct share_attr a;

	return share_stat(tree, path, &a, NULL) == 0;
}

static int live_check(struct share *s, const char *label, const struct image_arch *arch, struct error *e)
{
	if (!arch->pc)
		return err_set(e, ENOENT, "cannot make '%s': live media are made for x86 only, and the "
			       "tree's kernel is for %s", label, arch->name);
	if (tree_has(s, "usr/share/initramfs-tools/scripts/live"))
		return 0;
	return err_set(e, ENOENT, "cannot make '%s': the tree has no live-boot, whose initramfs boots live "
		       "systems; install it", label);
}

int image_loader_check(const struct target *t, struct share *s, const struct image_kernel *k,
		       struct error *e)
{
	const char *boot = image_disk_boot(t, k->arch), *package = NULL;
	cleanup_free char *path = NULL;

	if (!t->format->sized)
		return live_check(s, t->label, k->arch, e);
	if (k->arch->pc)
		return 0;
	if (str_eq(boot, "bios"))
		return err_usage(e, "cannot make '%s': --boot=bios, and the tree's kernel is for %s, "
				 "which has no BIOS; leave --boot out", t->label, k->arch->name);
	if (str_eq(boot, "uefi")) {
		package = "grub-efi-arm64-bin";
		path = xasprintf("usr/lib/grub/%s/linux.mod", k->arch->grub);
	} else {
		package = "systemd-boot-efi";
		path = xasprintf("usr/lib/systemd/boot/efi/systemd-boot%s.efi", k->arch->efi);
	}
	if (tree_has(s, path))
		return 0;
	return err_set(e, ENOENT, "cannot make '%s': the tree's kernel is for %s, and the tree has no boot "
		       "loader for that; install %s", t->label, k->arch->name, package);
}

int image_kernel_find(struct share *s, const char *label, struct image_kernel *k, struct error *e)
{
	cleanup_share_tree struct share_tree *tree = share_tree_new(s->fd, 0);
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *without = NULL;
	cleanup_close int boot = -1;
	bool foreign = false;
	const char *last;
	const struct image_arch *arch;
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
		arch = arch_of(boot, version);
		if (!arch || size_of(boot, INITRD, version, &initrd) < 0) {
			foreign = !arch;
			free(without);
			without = xstrdup(version);
			continue;
		}
		free(k->version);
		*k = (struct image_kernel){ arch, xstrdup(version), size, initrd, false };
	}
	if (!k->version)
		return none(label, without, foreign, e);
	k->links = leads(tree, "vmlinuz", KERNEL) && leads(tree, "initrd.img", INITRD);
	return 0;
}
