// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernels of the cache, and kernels from elsewhere: see kernel.h.  Building is in build.c. */
#include "kernel-config/kernel.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel-config/choose.h"
#include "kernel-config/config.h"
#include "kernel-config/manifest.h"
#include "kernel-config/recipe.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/xdg.h"

void kernel_info_release(struct kernel_info *k)
{
	free(k->key);
	free(k->path);
	free(k->dir);
	free(k->version);
	free(k->source);
	free(k->compiler);
	free(k->fragments);
	free(k->recipe);
	*k = (struct kernel_info)KERNEL_INFO_INIT;
}

void kernel_list_release(struct kernel_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		kernel_info_release(&l->v[i]);
	free(l->v);
	*l = (struct kernel_list){ NULL, 0 };
}

/* Is it what this program would make with the same further fragments? */
static bool is_current(const struct kernel_info *k)
{
	return str_eq(k->recipe, recipe_of_kind(k->fragments));
}

/* Fills @k from the folder @name; not complete, not ours, damaged: -ENOENT. */
static int load(const char *kernels, const char *name, struct kernel_info *k)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *manifest = xasprintf("%s/%s/manifest", kernels, name);
	struct stat st;

	k->dir = path_join(kernels, name);
	k->path = path_join(k->dir, "linux");
	if (file_read(AT_FDCWD, manifest, 65536, &text, NULL) < 0 ||
	    manifest_parse(sb_str(&text), k, NULL) < 0 || !str_eq(k->key, name) ||
	    stat(k->path, &st) < 0 || (uint64_t)st.st_size != k->size) {
		kernel_info_release(k);
		return -ENOENT;
	}
	k->current = is_current(k);
	return 0;
}

static int by_age(const struct kernel_info *a, const struct kernel_info *b)
{
	return a->built > b->built ? -1 : a->built < b->built;
}

/* Tested ones first, then by version, then by age. */
static int by_version(const struct kernel_info *a, const struct kernel_info *b)
{
	bool a_tested = kernel_fit(a->version) == KERNEL_TESTED;
	bool b_tested = kernel_fit(b->version) == KERNEL_TESTED;
	int order = version_compare(b->version, a->version);

	if (a_tested != b_tested)
		return a_tested ? -1 : 1;
	return order ? order : by_age(a, b);
}

/* Usable by default before others. */
static int by_preference(const void *va, const void *vb)
{
	const struct kernel_info *a = va, *b = vb;
	bool a_first = a->current && !*a->fragments, b_first = b->current && !*b->fragments;

	if (a_first != b_first)
		return a_first ? -1 : 1;
	return a_first ? by_version(a, b) : by_age(a, b);
}

int kernel_list(struct kernel_list *l, struct error *e)
{
	cleanup_free char *kernels = NULL;
	size_t cap = 0;
	int ret = xdg_dir(XDG_CACHE, "kernels", &kernels, e);

	*l = (struct kernel_list){ NULL, 0 };
	if (ret < 0)
		return ret;

	DIR *dir = opendir(kernels);

	if (!dir)
		return err_sys(e, errno, "cannot read '%s'", kernels);
	for (struct dirent *d; (d = dir_next(dir, &ret)) != NULL;) {
		if (l->n == cap) {
			cap = cap ? 2 * cap : 8;
			l->v = xreallocarray(l->v, cap, sizeof(*l->v));
		}
		l->v[l->n] = (struct kernel_info)KERNEL_INFO_INIT;
		if (d->d_name[0] != '.' && load(kernels, d->d_name, &l->v[l->n]) == 0)
			l->n++;
	}
	closedir(dir);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_preference);
	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", kernels) : 0;
}

int kernel_find(const char *kind, struct kernel_info *k, struct error *e)
{
	cleanup_kernel_list struct kernel_list l = { NULL, 0 };
	struct kernel_info *best = NULL;
	int ret = kernel_list(&l, e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < l.n; i++)
		if (l.v[i].current && str_eq(l.v[i].fragments, kind) &&
		    (!best || by_version(&l.v[i], best) < 0))
			best = &l.v[i];
	if (!best)
		return err_set(e, ENOENT, "there is no %s%skernel of this version of umlcage in the "
			       "cache", kind, *kind ? " " : "");
	*k = *best;
	*best = (struct kernel_info)KERNEL_INFO_INIT;
	return 0;
}

int kernel_lookup(const char *prefix, struct kernel_info *k, struct error *e)
{
	cleanup_kernel_list struct kernel_list l = { NULL, 0 };
	struct kernel_info *found = NULL;
	int ret = kernel_list(&l, e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; *prefix && i < l.n; i++) {
		if (!str_starts(l.v[i].key, prefix))
			continue;
		if (found)
			return err_set(e, ENOTUNIQ, "'%s' is the beginning of several kernels' keys; "
				       "give more of it", prefix);
		found = &l.v[i];
	}
	if (!found)
		return err_set(e, ENOENT, "no kernel in the cache has a key that begins with '%s'; "
			       "'umlcage kernel list' shows them", prefix);
	*k = *found;
	*found = (struct kernel_info)KERNEL_INFO_INIT;
	return 0;
}

int kernel_remove(const struct kernel_info *k, struct error *e)
{
	cleanup_free char *manifest = path_join(k->dir, "manifest");

	/* without a manifest it is no kernel any more, however far the removal gets */
	if (unlink(manifest) < 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove '%s'", manifest);
	return remove_tree(AT_FDCWD, k->dir, e);
}

/* A 64-bit ELF program for the machine this one runs on. */
static int check_elf(const char *path, struct kernel_info *k, struct error *e)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr own, h;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot open kernel '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ENOEXEC, "'%s' is not a kernel: it is not a file", path);
	if (pread_full(fd, &h, sizeof(h), 0) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
		return err_set(e, ENOEXEC, "'%s' is not a UML kernel: it is not a program", path);

	cleanup_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (self >= 0 && pread_full(self, &own, sizeof(own), 0) == sizeof(own) &&
	    own.e_machine != h.e_machine)
		return err_set(e, ENOEXEC, "'%s' is a program for another machine", path);
	if (access(path, X_OK) < 0)
		return err_sys(e, errno, "cannot execute kernel '%s'", path);
	k->size = (uint64_t)st.st_size;
	return 0;
}

static int ask(const char *path, const char *option, struct strbuf *out, struct error *e)
{
	char *const argv[] = { (char *)path, (char *)option, NULL };
	int status, ret = proc_capture(argv, 1 << 20, out, NULL, &status, e);

	if (ret < 0)
		return ret;
	if (status != 0) {
		cleanup_free char *how = proc_status_text(status);

		return err_set(e, ENOEXEC, "'%s' is not a UML kernel: with '%s' it failed (%s)", path,
			       option, how);
	}
	return 0;
}

/* Without these no cage starts; the kernel would say so only after a while, or never. */
static const char required[] =
	"CONFIG_UML=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_UML_NET_VECTOR=y\nCONFIG_TMPFS=y\n"
	"CONFIG_DEVTMPFS=y\nCONFIG_OVERLAY_FS=y\nCONFIG_NET_NS=y\nCONFIG_HUMFS=y\n";

int kernel_inspect(const char *path, struct kernel_info *k, struct error *e)
{
	cleanup_strbuf struct strbuf version = STRBUF_INIT, dotconfig = STRBUF_INIT;
	cleanup_config struct config wanted = CONFIG_INIT;
	cleanup_free char *full = realpath(path, NULL);
	int ret;

	if (!full)
		return err_sys(e, errno, "cannot open kernel '%s'", path);
	ret = check_elf(full, k, e);
	if (ret == 0)
		ret = ask(full, "--version", &version, e);
	if (ret == 0)
		ret = ask(full, "--showconfig", &dotconfig, e);
	if (ret < 0)
		return ret;
	free(k->version);
	k->version = xstrndup(sb_str(&version), strcspn(sb_str(&version), " \n"));
	if (!strstr(sb_str(&dotconfig), "CONFIG_UML=y"))
		return err_set(e, ENOEXEC, "'%s' is not a UML kernel", path);
	if (kernel_fit(k->version) == KERNEL_TOO_OLD)
		return err_set(e, EINVAL, "kernel '%s' is Linux %s; umlcage needs " KERNEL_OLDEST
			       " or later", path, k->version);
	ret = config_parse(&wanted, required, "needed by umlcage", NULL, e);
	if (ret == 0)
		ret = config_check(&wanted, sb_str(&dotconfig), e);
	if (ret < 0)
		return err_wrap(e, "kernel '%s' cannot run a cage", path);
	free(k->path);
	k->path = steal_ptr(&full);
	return 0;
}
