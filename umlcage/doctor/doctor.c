// SPDX-License-Identifier: GPL-2.0-or-later
/* The report on a host, and the probes of folders and tools: see doctor.h. */
#include "umlcage/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"
#include "umlcage/base/xdg.h"

static const char *const state_names[] = {
	[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_FAIL] = "fail",
};
_Static_assert(ARRAY_SIZE(state_names) == DOCTOR_STATES, "a name for every state");

/* a kernel's source while it builds, its objects, and the result */
static const uint64_t build_space = 1500ULL * 1000 * 1000;
/* enough for a root of its own and the changes to it */
static const uint64_t some_space = 500ULL * 1000 * 1000;

const char *doctor_state_name(enum doctor_state state)
{
	return state_names[state];
}

void doctor_add(struct doctor_report *r, const char *name, enum doctor_state state, char *found,
		char *meaning)
{
	r->v = xreallocarray(r->v, r->n + 1, sizeof(*r->v));
	r->v[r->n++] = (struct doctor_check){ name, state, found, meaning };
	if (state == DOCTOR_FAIL)
		r->usable = false;
}

void doctor_release(struct doctor_report *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].found);
		free(r->v[i].meaning);
	}
	free(r->v);
	*r = (struct doctor_report)DOCTOR_REPORT_INIT;
}

/* 0, or -errno of what shares do with every file: a user xattr. */
static int try_xattr(const char *dir)
{
	static const char name[] = "user.containers.override_stat", value[] = "0:0:0644:file";
	cleanup_close int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	cleanup_free char *path = NULL;
	int ret = 0;

	if (fd < 0) {
		path = path_join(dir, ".doctor.XXXXXX");
		fd = mkostemp(path, O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	if (fsetxattr(fd, name, value, sizeof(value) - 1, 0) < 0)
		ret = -errno;
	if (path)
		(void)unlink(path);
	return ret;
}

static void probe_folder(struct doctor_report *r, const char *name, enum xdg_kind kind,
			 const char *variable, uint64_t space)
{
	cleanup_error struct error e = ERROR_INIT;
	cleanup_free char *dir = NULL;
	uint64_t bytes = 0;

	if (xdg_dir(kind, "", &dir, &e) < 0) {
		doctor_add(r, name, DOCTOR_FAIL, xstrdup("none"), xstrdup(err_text(&e)));
		return;
	}

	int ret = try_xattr(dir);

	if (ret < 0) {
		doctor_add(r, name, DOCTOR_FAIL,
			   xasprintf("%s: %s", dir, strerror(-ret)),
			   xasprintf("shares record ownership in user xattrs, which this folder cannot "
				     "hold; set %s to a folder on ext4, xfs, btrfs or a recent tmpfs",
				     variable));
		return;
	}
	if (free_space(dir, &bytes, &e) < 0) {
		doctor_add(r, name, DOCTOR_WARN, xstrdup(dir), xstrdup(err_text(&e)));
		return;
	}

	cleanup_free char *have = format_size(bytes), *need = format_size(space);

	if (bytes < space)
		doctor_add(r, name, DOCTOR_WARN, xasprintf("%s: %s free", dir, have),
			   xasprintf("%s are needed; make room, or set %s to a folder elsewhere",
				     need, variable));
	else
		doctor_add(r, name, DOCTOR_OK, xasprintf("%s: user xattrs, %s free", dir, have),
			   xstrdup("shares and what is downloaded and built fit here"));
}

void doctor_probe_folders(struct doctor_report *r, bool have_kernel)
{
	cleanup_error struct error e = ERROR_INIT;
	cleanup_free char *dir = NULL;

	probe_folder(r, "cache-folder", XDG_CACHE, "XDG_CACHE_HOME",
		     have_kernel ? some_space : build_space);
	probe_folder(r, "data-folder", XDG_DATA, "XDG_DATA_HOME", some_space);
	if (xdg_dir(XDG_RUNTIME, "", &dir, &e) < 0)
		doctor_add(r, "runtime-folder", DOCTOR_FAIL, xstrdup("none"), xstrdup(err_text(&e)));
	else if (strlen(dir) > 60)
		doctor_add(r, "runtime-folder", DOCTOR_WARN, xstrdup(dir),
			   xstrdup("its path is long for the sockets below it (107 bytes in all); set "
				   "XDG_RUNTIME_DIR to a shorter one if a cage does not start"));
	else
		doctor_add(r, "runtime-folder", DOCTOR_OK, xstrdup(dir),
			   xstrdup("sockets of running cages go here"));
}

static bool in_path(const char *name)
{
	cleanup_strv struct strv dirs = STRV_INIT;
	const char *path = getenv("PATH");

	strv_split(&dirs, path ? path : "/usr/local/bin:/usr/bin:/bin", ":");
	for (size_t i = 0; i < dirs.n; i++) {
		cleanup_free char *file = path_join(dirs.v[i], name);

		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

static void list_missing(struct strv *missing, const char *const *names)
{
	for (; *names; names++)
		if (!in_path(*names))
			strv_add(missing, *names);
}

void doctor_probe_tools(struct doctor_report *r, bool have_kernel)
{
	static const char *const build[] = { "cc", "ld", "make", "flex", "bison", "bc", "patch", NULL };
	static const char *const verify[] = { "gpgv", NULL };
	cleanup_strv struct strv missing = STRV_INIT;

	list_missing(&missing, build);
	if (missing.n) {
		cleanup_free char *list = strv_join(&missing, ", ");

		doctor_add(r, "compiler", have_kernel ? DOCTOR_WARN : DOCTOR_FAIL,
			   xasprintf("missing: %s", list),
			   xstrdup(have_kernel ?
				   "the kernel that is built already runs; another cannot be built" :
				   "no kernel is built yet, and none can be; install what is missing"));
	} else {
		doctor_add(r, "compiler", DOCTOR_OK, xstrdup("cc, ld, make, flex, bison, bc, patch"),
			   xstrdup("kernels can be built"));
	}
	strv_release(&missing);
	list_missing(&missing, verify);
	if (missing.n)
		doctor_add(r, "signatures", have_kernel ? DOCTOR_WARN : DOCTOR_FAIL,
			   xstrdup("missing: gpgv"),
			   xstrdup("nothing can be fetched from a mirror, since nothing can be "
				   "verified; install gpgv"));
	else
		doctor_add(r, "signatures", DOCTOR_OK, xstrdup("gpgv"),
			   xstrdup("what a mirror sends can be verified"));
	doctor_add(r, "kernel", have_kernel ? DOCTOR_OK : DOCTOR_WARN,
		   xstrdup(have_kernel ? "built" : "none yet"),
		   xstrdup(have_kernel ? "cages start at once" :
			   "the first run builds one, which takes minutes; "
			   "'umlcage kernel build' does it now"));
}

void doctor_examine(struct doctor_report *r, bool have_kernel)
{
	doctor_probe_system_calls(r);
	doctor_probe_limits(r);
	doctor_probe_folders(r, have_kernel);
	doctor_probe_tools(r, have_kernel);
}
