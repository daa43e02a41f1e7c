// SPDX-License-Identifier: GPL-2.0-or-later
/* Emulators from Debian's archive into the cache: see emulate.h. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/deb/deb.h"
#include "rootfs/debian/debian.h"
#include "rootfs/emulate/emulate.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/worker.h"
#include "umlcage/base/xdg.h"

/* Where it is: up to Debian 12 in the first, later in the second, which then is static, too. */
static const char *const packages[] = { "qemu-user-static", "qemu-user" };

enum { EMULATOR_MAX = 256 << 20 };

struct extraction {
	int fd;
	const char *label, *file;
};

static void load(void *arg)
{
	(void)arg;
	deb_load();
}

/* Confined: the file into @result; nothing where the package has no such file. */
static int extract(void *arg, struct strbuf *result, struct error *e)
{
	const struct extraction *x = arg;
	cleanup_strbuf struct strbuf path = STRBUF_INIT;
	cleanup_deb struct deb deb = DEB_INIT;
	struct deb_entry entry;
	int ret = deb_open(&deb, x->fd, x->label, e);

	if (ret == 0)
		ret = deb_data(&deb, e);
	if (ret < 0)
		return ret;
	while ((ret = deb_next(&deb, &entry, e)) > 0) {
		const char *piece;
		ssize_t n;

		if (deb_path(entry.path, &path) < 0 ||
		    strcmp(sb_str(&path), x->file) != 0 || !S_ISREG(entry.mode))
			continue;
		while ((n = deb_piece(&deb, &piece, e)) > 0)
			sb_add(result, piece, (size_t)n);
		return n < 0 ? (int)n : 0;
	}
	return ret;
}

/* A program for this machine that needs nothing of the root that it is used in? */
static bool is_static(const struct strbuf *program)
{
	Elf64_Ehdr h;

	if (program->len < sizeof(h))
		return false;
	memcpy(&h, program->s, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	for (size_t i = 0; i < h.e_phnum; i++) {
		Elf64_Phdr p;
		size_t at = h.e_phoff + i * sizeof(p);

		if (at > program->len || program->len - at < sizeof(p))
			return false;
		memcpy(&p, program->s + at, sizeof(p));
		if (p.p_type == PT_INTERP)
			return false;
	}
	return true;
}

static int take_fd(struct debian_item *item, void *arg, struct error *e)
{
	(void)e;
	*(int *)arg = steal_fd(&item->fd);
	return 0;
}

/* The file @file of the package into @program, empty if it has none. */
static int fetch_file(struct debian_archive *a, const struct debian_package *p, const char *file,
		      struct progress *progress, struct strbuf *program, struct error *e)
{
	static const struct confine confine = { .memory = 2ULL << 30, .cpu_seconds = 300 };
	struct debian_item item = {
		.uri = p->index->base, .filename = p->filename, .size = p->size, .fd = -1,
	};
	cleanup_close int fd = -1;
	struct extraction x = { .label = p->name, .file = file };
	struct worker w = {
		.what = "unpack the emulator", .confine = &confine, .nfds = 1,
		.max_result = EMULATOR_MAX, .patience = WORKER_PATIENCE, .progress = progress,
		.prepare = load, .work = extract, .arg = &x,
	};
	int ret;

	memcpy(item.sum, p->sum, sizeof(item.sum));
	ret = debian_fetch(a, &item, 1, take_fd, &fd, e);
	if (ret < 0)
		return ret;
	w.fds = &fd;
	x.fd = fd;
	return worker_run(&w, program, e);
}

static int keep(const struct emulate_kind *k, const struct strbuf *program, struct error *e)
{
	cleanup_free char *dir = NULL, *path = NULL;
	int ret = xdg_dir(XDG_CACHE, "emulators", &dir, e);

	if (ret < 0)
		return ret;
	path = xasprintf("%s/qemu-%s", dir, k->qemu);
	return file_replace(AT_FDCWD, path, program->s, program->len, 0755, e);
}

static int fetch(struct debian_archive *a, const struct emulate_kind *k, struct progress *progress,
		 struct error *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(packages); i++) {
		struct debian_package p = DEBIAN_PACKAGE_INIT;
		cleanup_strbuf struct strbuf program = STRBUF_INIT, file = STRBUF_INIT;
		int ret = debian_find_newest(a, packages[i], &p, e);

		if (ret == -ENOENT) {
			err_release(e);
			continue;
		}
		sb_addf(&file, i ? "/usr/bin/qemu-%s" : "/usr/bin/qemu-%s-static", k->qemu);
		if (ret == 0)
			ret = fetch_file(a, &p, sb_str(&file), progress, &program, e);
		if (ret == 0 && is_static(&program)) {
			progress_note(progress, "programs of %s run through qemu-%s of %s %s", k->arch,
				      k->qemu, p.name, p.version);
			ret = keep(k, &program, e);
			debian_package_release(&p);
			return ret;
		}
		debian_package_release(&p);
		if (ret < 0)
			return ret;
	}
	return err_set(e, ENOENT, "neither qemu-user-static nor qemu-user of the archive has a static "
		       "qemu-%s", k->qemu);
}

int emulate_fetch(const char *arch, const char *suite, const char *mirror, struct progress *progress,
		  struct error *e)
{
	cleanup_debian_sources struct debian_sources sources = DEBIAN_SOURCES_INIT;
	cleanup_debian_archive struct debian_archive *a = NULL;
	cleanup_free char *found = NULL;
	struct debian_config config = { .progress = progress };
	int ret = emulate_check(arch, e);

	if (ret == 0)
		ret = debian_mirror_find(mirror, &found, progress, e);
	if (ret == 0 && !debian_sources_add(&sources, found, suite, "main", e))
		ret = -EINVAL;
	if (ret == 0)
		ret = debian_archive_open(&config, &sources, &a, e);
	if (ret == 0)
		ret = debian_archive_update(a, e);
	if (ret == 0)
		ret = fetch(a, emulate_kind(arch), progress, e);
	progress_end(progress);
	return ret < 0 ? err_wrap(e, "cannot get an emulator of %s from '%s'", arch, suite) : 0;
}

int emulate_ensure(struct emulators *em, const char *arch, const char *suite, const char *mirror,
		   struct progress *progress, struct error *e)
{
	cleanup_error struct error why = ERROR_INIT;
	int ret = emulate_open(em, arch, true, e);

	if (ret <= 0)
		return ret;
	ret = emulate_fetch(arch, suite, mirror, progress, &why);
	/* an old one is better than none */
	if (emulate_open(em, arch, false, e) == 0) {
		if (ret < 0)
			progress_warn(progress, "%s; the one that is kept is used", err_text(&why));
		return 0;
	}
	return ret < 0 ? err_move(e, &why) : err_set(e, ENOENT, "the emulator of %s is gone", arch);
}

int emulate_ensure_root(struct emulators *em, int rootfd, const struct strv *archs,
			const char *suite, const char *mirror, struct progress *progress,
			struct error *e)
{
	cleanup_strv struct strv needed = STRV_INIT, useful = STRV_INIT;
	cleanup_error struct error why = ERROR_INIT;
	int ret = 0;

	strv_addv(&needed, (const char *const *)strv_argv(archs));
	if (rootfd >= 0)
		emulate_detect(rootfd, &needed, &useful);
	for (size_t i = 0; i < needed.n && ret == 0; i++)
		ret = emulate_ensure(em, needed.v[i], suite, mirror, progress, e);
	for (size_t i = 0; i < useful.n && ret == 0; i++) {
		if (emulate_ensure(em, useful.v[i], suite, mirror, progress, &why) == 0)
			continue;
		progress_warn(progress, "programs of %s in the root cannot be run: %s", useful.v[i],
			      err_text(&why));
		err_release(&why);
	}
	return ret;
}
