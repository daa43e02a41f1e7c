// SPDX-License-Identifier: GPL-2.0-or-later
/* A whole fabrication: see request.h. */
#include "rootfs/fabricate/fabricate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "kernel-config/kernel.h"
#include "rootfs/cache/cache.h"
#include "rootfs/debian/debian.h"
#include "rootfs/plan/plan.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/xdg.h"

static void summary(struct progress *progress, const struct plan *plan, int64_t planning,
		    const struct fabricate_times *t)
{
	progress_note(progress, "%zu packages in %.1f s: planning %.1f, fetching and unpacking %.1f, "
		      "boot %.1f, configuring %.1f, cleaning up %.1f, exporting %.1f", plan->n,
		      (double)(planning + t->total) / 1000, (double)planning / 1000,
		      (double)t->unpack / 1000, (double)t->boot / 1000,
		      (double)t->configure / 1000, (double)t->cleanup / 1000,
		      (double)t->export / 1000);
}

/* Plans and makes it; the recipe is completed if the kernel had to be built. */
static int make(struct fab_options *o, const struct machine *machine,
		struct debian_archive *a, struct kernel_info *kernel,
		struct recipe *recipe, struct progress *progress, int64_t start, struct error *e)
{
	struct fabricate_times times;
	struct plan plan = PLAN_INIT;
	int64_t planning;
	int r;

	progress_stage(progress, "planning", 0);
	r = plan_make(o, a, progress, &plan, e);
	progress_end(progress);
	planning = clock_ms() - start;
	if (!r && !kernel->path && fabricate_needs_cage(o, &plan)) {
		r = machine_kernel(machine, NULL, true, progress, kernel, e);
		if (r >= 0)
			r = recipe_make(o, a, kernel->key, recipe, e);
	}
	if (!r)
		r = target_room(&o->out, plan.installed_kb * 1024, e);
	if (!r)
		r = fabricate_run(o, &plan, a, machine, kernel->path, progress, &times, e);
	if (!r)
		summary(progress, &plan, planning, &times);
	plan_release(&plan);
	return r;
}

/* The log is this request's, whatever comes of it; what runs in cages appends to it. */
static int begin_log(const struct fab_options *o, struct error *e)
{
	cleanup_close int fd = -1;

	if (!o->logfile)
		return 0;
	fd = open(o->logfile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? err_sys(e, errno, "cannot write the log '%s'", o->logfile) : 0;
}

static void log_line(const struct fab_options *o, const char *line)
{
	cleanup_close int fd = o->logfile ? open(o->logfile, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	if (fd >= 0)
		(void)write_full(fd, line, strlen(line));
}

static int fabricate(struct fab_options *o, const struct machine *machine,
		     struct debian_archive *a, struct progress *progress, int64_t start,
		     struct error *e)
{
	cleanup_kernel_info struct kernel_info kernel = KERNEL_INFO_INIT;
	cleanup_error struct error kept = ERROR_INIT;
	struct recipe recipe = { "" };
	int r = machine_kernel(machine, NULL, false, progress, &kernel, e);

	if (!r)
		r = recipe_make(o, a, kernel.key, &recipe, e);
	if (r)
		return r;
	if (!o->no_cache) {
		r = tree_cache_deliver(&recipe, o, e);
		if (r > 0)
			progress_note(progress, "unchanged since it was last made: copied from the "
				      "cache in %.1f s", (double)(clock_ms() - start) / 1000);
		if (r > 0)
			log_line(o, "unchanged since it was last made: copied from the cache\n");
		if (r)
			return r < 0 ? r : 0;
	}
	r = make(o, machine, a, &kernel, &recipe, progress, start, e);
	if (r == -ESTALE) {
		/* the mirror moved on between its index and a package */
		progress_note(progress, "%s; planning again", err_text(e));
		err_release(e);
		r = debian_archive_update(a, e);
		if (!r)
			r = recipe_make(o, a, kernel.key, &recipe, e);
		if (!r)
			r = make(o, machine, a, &kernel, &recipe, progress, start, e);
	}
	if (!r && !o->no_cache && tree_cache_store(&recipe, o, &kept))
		progress_warn(progress, "the result is not kept in the cache: %s", err_text(&kept));
	return r;
}

int fabricate_request(struct fab_options *o, const struct machine *machine,
		      struct progress *progress, struct error *e)
{
	cleanup_debian_archive struct debian_archive *a = NULL;
	int64_t start = clock_ms();
	int r = begin_log(o, e);

	if (!r)
		r = plan_open_archive(o, progress, &a, e);
	if (!r)
		r = debian_archive_update(a, e);
	progress_end(progress);
	return r ? r : fabricate(o, machine, a, progress, start, e);
}

/* ---- tools ---- */

/* VERSION_CODENAME of a Debian host: its mirror has that suite. */
static char *host_suite(void)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;
	char *suite = NULL;
	bool debian = false;

	if (file_read(AT_FDCWD, "/etc/os-release", 1 << 16, &text, NULL))
		return xstrdup("stable");
	strv_split(&lines, sb_str(&text), "\n\"");
	for (size_t i = 0; i < lines.n; i++) {
		debian |= strcmp(lines.v[i], "ID=debian") == 0;
		if (!suite && str_starts(lines.v[i], "VERSION_CODENAME="))
			suite = xstrdup(lines.v[i] + strlen("VERSION_CODENAME="));
	}
	if (debian && suite)
		return suite;
	free(suite);
	return xstrdup("stable");
}

static int make_tools(const char *suite, const char *include, const char *mirror,
		      const struct machine *machine, const char *path, struct progress *progress,
		      struct error *e)
{
	struct fab_options o;
	int r;

	fab_options_init(&o);
	o.suite = xstrdup(suite);
	o.target = xstrdup(path);
	o.variant = FAB_REQUIRED;
	o.format = xstrdup("directory");
	o.no_cache = true;	/* it is one of its own */
	if (mirror)
		strv_add(&o.mirrors, mirror);
	r = fab_options_include(&o, include, e);
	if (!r)
		r = fab_options_resolve(&o, e);
	if (!r)
		r = fabricate_request(&o, machine, progress, e);
	fab_options_release(&o);
	return r;
}

int fabricate_tools_root(const char *suite, const char *include, const char *mirror,
			 const struct machine *machine, struct progress *progress, char **path,
			 struct error *e)
{
	cleanup_free char *own = suite ? xstrdup(suite) : host_suite(), *dir = NULL;
	cleanup_free char *name = xasprintf("%s-%s", own, include);
	cleanup_free char *full = NULL, *lock_path = NULL;
	cleanup_close int lock = -1;
	int r = xdg_dir(XDG_CACHE, "tools", &dir, e);

	if (r)
		return r;
	for (char *p = name; *p; p++)
		if (*p == '/' || *p == ',')
			*p = *p == '/' ? '_' : '+';
	full = path_join(dir, name);
	lock_path = path_join(dir, "lock");
	/* one makes it, the others wait */
	lock = lock_file(AT_FDCWD, lock_path, true, true, e);
	if (lock < 0)
		return lock;
	if (!share_is_share(AT_FDCWD, full)) {
		progress_note(progress, "making a root with the tools (%s, %s); this is done once",
			      own, include);
		r = make_tools(own, include, mirror, machine, full, progress, e);
		if (r)
			return err_wrap(e, "cannot make the root with the tools");
	}
	*path = steal_ptr(&full);
	return 0;
}
