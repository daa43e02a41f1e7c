// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Building a kernel: source, humfs, patches, configuration, make, and the result
 * put in place by one rename.  Everything happens in kernels/.build-KEY, which is
 * removed in the end whatever that is; what a killed run left is swept by the next.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel-config/assets.h"
#include "kernel-config/choose.h"
#include "kernel-config/config.h"
#include "kernel-config/kernel.h"
#include "kernel-config/make.h"
#include "kernel-config/manifest.h"
#include "kernel-config/recipe.h"
#include "kernel-config/needs.h"
#include "kernel-config/source.h"
#include "kernel-config/tools.h"
#include "kernel-config/tree.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"
#include "umlcage/base/xdg.h"

/* Measured with the default fragments: sources 270 MB, objects 90 MB, and a margin. */
#define SPACE_NEEDED (480ULL << 20)

/* One build, from the key on. */
struct build {
	const struct kernel_request *req;
	const struct source *source;
	const struct tools *tools;
	const struct exclude *exclude;
	struct kernel_info *k;
	struct strv extra_names, extra_texts;
	char *kernels;		/* the folder of the cache */
	char *key, *recipe;
	char *area;		/* kernels/.build-KEY */
	char *tree_path;	/* area/tree */
	int lock;
	struct tree tree;
	int tree_fd;
	struct config wanted;
	struct strv env;
	struct make make;
	uint64_t expected;
};

static int read_extra(struct build *b, struct error *e)
{
	for (size_t i = 0; b->req->fragments && i < b->req->fragments->n; i++) {
		const char *given = b->req->fragments->v[i];
		cleanup_free char *asset = xasprintf("%s.config", given), *text = asset_text(asset);
		cleanup_strbuf struct strbuf file = STRBUF_INIT;
		cleanup_config struct config check = CONFIG_INIT;
		const char *name = given ? strrchr(given, '/') : NULL;
		int ret = 0;

		if (!text) {
			ret = file_read(AT_FDCWD, given, 1 << 20, &file, e);
			text = sb_steal(&file);
		}
		if (ret == 0)
			ret = config_parse(&check, text, given, NULL, e);
		if (ret < 0)
			return ret;
		strv_add(&b->extra_names, name ? name + 1 : given);
		strv_take(&b->extra_texts, steal_ptr(&text));
	}
	return 0;
}

/* ---- the area, its lock, and what others left ---- */

static char *area_path(const char *kernels, const char *key)
{
	return xasprintf("%s/.build-%s", kernels, key);
}

static int take_lock(struct build *b, struct error *e)
{
	cleanup_free char *path = xasprintf("%s/.lock-%s", b->kernels, b->key);

	b->lock = lock_file(AT_FDCWD, path, true, false, e);
	if (b->lock == -EWOULDBLOCK || b->lock == -EAGAIN) {
		progress_note(b->req->progress, "waiting for another umlcage that builds this kernel");
		b->lock = lock_file(AT_FDCWD, path, true, true, e);
	}
	return b->lock < 0 ? b->lock : 0;
}

/* Removes the areas of runs that are no more: their locks are free. */
static void sweep(const char *kernels)
{
	DIR *dir = opendir(kernels);

	for (struct dirent *d; dir && (d = readdir(dir)) != NULL;) {
		if (!str_starts(d->d_name, ".build-"))
			continue;

		const char *key = d->d_name + strlen(".build-");
		cleanup_free char *path = xasprintf("%s/.lock-%s", kernels, key);
		cleanup_free char *area = area_path(kernels, key);
		cleanup_close int lock = lock_file(AT_FDCWD, path, true, false, NULL);

		if (lock >= 0)
			(void)remove_tree(AT_FDCWD, area, NULL);
	}
	if (dir)
		closedir(dir);
}

/* ---- the steps ---- */

static int prepare_area(struct build *b, struct error *e)
{
	cleanup_free char *tmp = path_join(b->area, "tmp"), *out = path_join(b->area, "out");
	int ret = remove_tree(AT_FDCWD, b->area, e);

	if (ret == 0)
		ret = tools_check_space(b->kernels, SPACE_NEEDED, e);
	if (ret == 0)
		ret = make_dirs(AT_FDCWD, b->tree_path, 0700, e);
	if (ret == 0)
		ret = make_dirs(AT_FDCWD, tmp, 0700, e);
	if (ret == 0)
		ret = make_dirs(AT_FDCWD, out, 0700, e);
	if (ret < 0)
		return ret;
	b->tree_fd = open(b->tree_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b->tree_fd < 0)
		return err_sys(e, errno, "cannot open '%s'", b->tree_path);
	b->tree.fd = b->tree_fd;
	b->tree.exclude = b->exclude;
	b->tree.progress = b->req->progress;
	tools_environment(b->tools, tmp, &b->env);

	cleanup_free char *log = path_join(out, "log");

	b->make.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (b->make.log < 0)
		return err_sys(e, errno, "cannot create '%s'", log);
	b->make.dir = b->tree_path;
	b->make.env = &b->env;
	b->make.lock = b->lock;
	b->make.progress = b->req->progress;
	return 0;
}

static int unpack(struct build *b, struct error *e)
{
	cleanup_strbuf struct strbuf makefile = STRBUF_INIT;
	cleanup_free char *stage = xasprintf("unpacking %s", b->source->name);
	int ret;

	progress_stage(b->req->progress, stage, 0);
	ret = source_extract(b->source, &b->tree, e);
	if (ret < 0)
		return ret;
	ret = file_read(b->tree_fd, "Makefile", 1 << 20, &makefile, NULL);
	b->k->version = ret == 0 ? source_version(sb_str(&makefile)) : NULL;
	if (!b->k->version)
		return err_set(e, EBADMSG, "'%s' is not a Linux source: it has no top Makefile with a "
			       "version", b->source->name);
	if (kernel_fit(b->k->version) == KERNEL_TOO_OLD)
		return err_set(e, EINVAL, "'%s' is Linux %s; umlcage needs " KERNEL_OLDEST
			       " or later", b->source->name, b->k->version);
	return 0;
}

/* humfs becomes a folder of fs/ like any other. */
static int add_humfs(struct build *b, struct error *e)
{
	int ret = make_dirs(b->tree_fd, "fs/humfs", 0755, e);

	for (const struct asset *a = kernel_assets; ret == 0 && a->name; a++) {
		cleanup_free char *path = xasprintf("fs/%s", a->name);

		if (str_starts(a->name, "humfs/"))
			ret = tree_write(&b->tree, path, a->start, (size_t)(a->end - a->start), e);
	}
	if (ret == 0)
		ret = tree_append(&b->tree, "fs/Makefile", "\nobj-$(CONFIG_HUMFS)\t+= humfs/\n", e);
	if (ret == 0)
		ret = tree_append(&b->tree, "fs/Kconfig", "\nsource \"fs/humfs/Kconfig\"\n", e);
	return ret;
}

static int apply_patch(struct build *b, const char *name, struct error *e)
{
	static const char *const argv[] = {
		/* a patch that fits only nearly may land in the wrong function */
		"patch", "-p1", "-F0", "--batch", "--forward", "--no-backup-if-mismatch", "-r", "-", NULL,
	};
	cleanup_free char *asset = xasprintf("patches/%s", name);
	const struct asset *a = asset_find(asset);

	if (!a)
		return err_set(e, ENOENT, "the series names a patch '%s' that is not there", name);

	cleanup_close int fd = memfd_with(name, a->start, (size_t)(a->end - a->start), e);

	if (fd < 0)
		return fd;
	if (make_run(&b->make, (char *const *)(uintptr_t)argv, fd, e) < 0) {
		int ret = err_wrap(e, "patch '%s' does not fit Linux %s", name, b->k->version);

		return ret == -ENOEXEC ? err_set(e, EINVAL, "%s", err_text(e)) : ret;
	}
	return 0;
}

/* The series: one name a line, # begins a comment. */
static int apply_patches(struct build *b, struct error *e)
{
	cleanup_free char *series = asset_text("patches/series");
	cleanup_strv struct strv lines = STRV_INIT;
	int ret = 0;

	if (series)
		strv_split(&lines, series, "\n");
	for (size_t i = 0; ret == 0 && i < lines.n; i++) {
		char *name = lines.v[i];

		name[strcspn(name, "#")] = '\0';
		name += strspn(name, " \t");
		name[strcspn(name, " \t")] = '\0';
		if (*name)
			ret = apply_patch(b, name, e);
	}
	return ret;
}

static int run_make(struct build *b, const char *target, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;
	unsigned int jobs = b->req->jobs ? b->req->jobs : proc_cpus();

	strv_add(&argv, "make");
	strv_addf(&argv, "-j%u", jobs);
	strv_add(&argv, "--no-print-directory");
	strv_add(&argv, "ARCH=um");
	strv_addf(&argv, "CC=%s", b->tools->cc);
	strv_addf(&argv, "HOSTCC=%s", b->tools->cc);
	strv_add(&argv, "KCONFIG_ALLCONFIG=wanted.config");
	strv_add(&argv, target);
	return make_run(&b->make, strv_argv(&argv), -1, e);
}

static int configure(struct build *b, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT, dotconfig = STRBUF_INIT;
	int ret = 0;

	for (size_t i = 0; ret == 0 && recipe_fragments[i]; i++) {
		cleanup_free char *fragment = asset_text(recipe_fragments[i]);

		ret = config_parse(&b->wanted, fragment, recipe_fragments[i], b->k->version, e);
	}
	for (size_t i = 0; ret == 0 && i < b->extra_texts.n; i++)
		ret = config_parse(&b->wanted, b->extra_texts.v[i], b->extra_names.v[i],
				   b->k->version, e);
	if (ret < 0)
		return ret;
	config_text(&b->wanted, &text);
	ret = tree_write(&b->tree, "wanted.config", sb_str(&text), text.len, e);
	if (ret < 0)
		return ret;
	ret = run_make(b, "allnoconfig", e);
	if (ret < 0)
		return err_wrap(e, "cannot configure Linux %s", b->k->version);
	ret = file_read(b->tree_fd, ".config", 4 << 20, &dotconfig, e);
	if (ret == 0)
		ret = config_check(&b->wanted, sb_str(&dotconfig), e);
	return ret < 0 ? ret : needs_check(b->tree_path, b->exclude, sb_str(&dotconfig), e);
}

static int compile(struct build *b, struct error *e)
{
	cleanup_free char *stage = xasprintf("compiling Linux %s", b->k->version);
	int ret;

	progress_stage(b->req->progress, stage, b->expected);
	b->make.expected = b->expected;
	ret = run_make(b, "linux", e);
	return ret < 0 ? err_wrap(e, "cannot compile Linux %s", b->k->version) : 0;
}

/* ---- the result ---- */

static int move_out(struct build *b, const char *from, const char *to, struct error *e)
{
	cleanup_free char *source = path_join(b->tree_path, from);
	cleanup_free char *target = xasprintf("%s/out/%s", b->area, to);

	if (rename(source, target) < 0)
		return err_sys(e, errno, "cannot keep '%s'", from);

	cleanup_close int fd = open(target, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? err_sys(e, errno, "cannot write '%s'", to) : 0;
}

static int write_manifest(struct build *b, const char *dir, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *manifest = path_join(dir, "manifest"), *binary = path_join(dir, "linux");
	struct kernel_info *k = b->k;
	struct stat st;

	if (stat(binary, &st) < 0)
		return err_sys(e, errno, "cannot read '%s'", binary);
	k->key = xstrdup(b->key);
	k->recipe = xstrdup(b->recipe);
	k->source = xstrdup(b->source->name);
	k->compiler = xstrdup(b->tools->version);
	k->fragments = strv_join(&b->extra_names, " ");
	k->size = (uint64_t)st.st_size;
	k->built = (uint64_t)time(NULL);
	k->units = b->make.units;
	k->current = true;
	manifest_format(k, &text);
	return file_replace(AT_FDCWD, manifest, sb_str(&text), text.len, 0600, e);
}

static int install(struct build *b, struct error *e)
{
	cleanup_free char *out = path_join(b->area, "out"), *dir = path_join(b->kernels, b->key);
	cleanup_free char *failed = xasprintf("%s/%s.log", b->kernels, b->key);
	struct kernel_info probe = KERNEL_INFO_INIT;
	int ret = move_out(b, "linux", "linux", e);

	if (ret == 0)
		ret = move_out(b, ".config", "config", e);
	if (ret == 0) {
		cleanup_free char *binary = path_join(out, "linux");

		ret = kernel_inspect(binary, &probe, e);
		kernel_info_release(&probe);
	}
	if (ret == 0)
		ret = write_manifest(b, out, e);
	if (ret < 0)
		return ret;
	/* a damaged or outdated one of the same key makes room */
	ret = remove_tree(AT_FDCWD, dir, e);
	if (ret == 0 && rename(out, dir) < 0)
		ret = err_sys(e, errno, "cannot put the kernel in place as '%s'", dir);
	if (ret < 0)
		return ret;
	(void)unlink(failed);
	b->k->dir = steal_ptr(&dir);
	b->k->path = path_join(b->k->dir, "linux");
	return 0;
}

/* Keeps the log of a failed build beside the kernels and names it. */
static void keep_log(struct build *b, struct error *e)
{
	cleanup_free char *log = xasprintf("%s/out/log", b->area);
	cleanup_free char *kept = xasprintf("%s/%s.log", b->kernels, b->key);
	struct stat st;

	if (stat(log, &st) == 0 && st.st_size > 0 && rename(log, kept) == 0)
		err_hint(e, "the log is '%s'", kept);
}

static int steps(struct build *b, struct error *e)
{
	int64_t start = clock_ms();
	int ret = prepare_area(b, e);

	if (ret == 0)
		ret = unpack(b, e);
	if (ret == 0)
		ret = add_humfs(b, e);
	if (ret == 0)
		ret = apply_patches(b, e);
	if (ret == 0)
		ret = configure(b, e);
	if (ret == 0)
		ret = compile(b, e);
	b->k->seconds = (uint64_t)(clock_ms() - start + 500) / 1000;
	if (ret == 0)
		ret = install(b, e);
	if (ret < 0 && ret != -EINTR)
		keep_log(b, e);
	return ret;
}

/* With the lock held. */
static int build_locked(struct build *b, struct error *e)
{
	int ret;

	interrupt_begin();
	sweep(b->kernels);
	b->area = area_path(b->kernels, b->key);
	b->tree_path = path_join(b->area, "tree");
	ret = steps(b, e);
	progress_end(b->req->progress);
	if (ret < 0)
		kernel_info_release(b->k);
	if (ret == -ENOSPC)
		err_hint(e, "building takes %u MB for a while; make room there or set "
			 "XDG_CACHE_HOME to another filesystem", (unsigned int)(SPACE_NEEDED >> 20));
	(void)remove_tree(AT_FDCWD, b->area, NULL);
	interrupt_end();
	return ret;
}

static void build_release(struct build *b)
{
	strv_release(&b->extra_names);
	strv_release(&b->extra_texts);
	free(b->kernels);
	free(b->key);
	free(b->recipe);
	free(b->area);
	free(b->tree_path);
	tree_release(&b->tree);
	close_fd(&b->tree_fd);
	close_fd(&b->make.log);
	close_fd(&b->lock);
	config_release(&b->wanted);
	strv_release(&b->env);
	make_release(&b->make);
}

/*
 * How many files will be compiled: as many as the last time, if there was one, else about as many as
 * when this was written.  Only the progress line depends on it.
 */
static uint64_t expect(const struct build *b)
{
	static const struct {
		const char *fragments;
		uint64_t units;
	} measured[] = { { "full", 1979 }, { "debug", 1059 }, { "", 992 } };
	cleanup_kernel_list struct kernel_list l = { NULL, 0 };
	cleanup_free char *names = strv_join(&b->extra_names, " ");

	if (kernel_list(&l, NULL) == 0)
		for (size_t i = 0; i < l.n; i++)
			if (str_eq(l.v[i].fragments, names) && l.v[i].units)
				return l.v[i].units;
	for (size_t i = 0; i < ARRAY_SIZE(measured); i++)
		if (str_eq(measured[i].fragments, names))
			return measured[i].units;
	/* fragments of one's own are on top of the default */
	return measured[ARRAY_SIZE(measured) - 1].units;
}

/* The key is known: is it there, or must it be made? */
static int find_or_build(struct build *b, struct error *e)
{
	int ret;

	if (!b->req->rebuild && kernel_lookup(b->key, b->k, NULL) == 0)
		return 0;
	b->expected = expect(b);
	ret = take_lock(b, e);
	if (ret < 0)
		return ret;
	if (!b->req->rebuild && kernel_lookup(b->key, b->k, NULL) == 0)
		return 0;
	ret = build_locked(b, e);
	return ret < 0 ? ret : 1;
}

/* What kernel_find() calls what is asked for; NULL: it has no name. */
static const char *kind(const struct kernel_request *req)
{
	const struct strv *f = req->fragments;

	if (!f || !f->n)
		return "";
	return f->n == 1 && kernel_is_kind(f->v[0]) ? f->v[0] : NULL;
}

int kernel_ensure(const struct kernel_request *req, struct kernel_info *k, struct error *e)
{
	cleanup_tools struct tools tools = TOOLS_INIT;
	cleanup_source struct source source = SOURCE_INIT;
	cleanup_exclude struct exclude exclude = EXCLUDE_INIT;
	cleanup_free char *excluded = asset_text("exclude"), *extra = NULL;
	struct build b = {
		.req = req, .source = &source, .tools = &tools, .exclude = &exclude, .k = k,
		.lock = -1, .tree_fd = -1, .tree = TREE_INIT, .make.log = -1,
	};
	int ret;

	if (!req->source && !req->newer && !req->rebuild && kind(req) &&
	    kernel_find(kind(req), k, NULL) == 0)
		return 0;
	ret = read_extra(&b, e);
	if (ret == 0)
		ret = xdg_dir(XDG_CACHE, "kernels", &b.kernels, e);
	if (ret == 0)
		ret = exclude_parse(&exclude, excluded, "exclude", e);
	if (ret == 0)
		ret = tools_find(&tools, e);
	if (ret == 0)
		ret = source_open(&source, req, &exclude, e);
	if (ret == 0) {
		extra = strv_join(&b.extra_texts, "\n");
		b.recipe = xstrdup(recipe_of_kind(kind(req) ? kind(req) : ""));
		b.key = recipe_key(b.recipe, source.id, tools.version, extra);
		ret = find_or_build(&b, e);
	}
	progress_end(req->progress);
	build_release(&b);
	return ret;
}
