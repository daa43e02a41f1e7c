// SPDX-License-Identifier: GPL-2.0-or-later
/* Checking the host before a kernel build: see tools.h. */
#include "kernel-config/tools.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/* Program, and the package that has it in Debian. */
static const struct {
	const char *program, *package;
} needed[] = {
	{ "make", "make" },
	{ "ld", "binutils" },
	{ "as", "binutils" },
	{ "ar", "binutils" },
	{ "nm", "binutils" },
	{ "objcopy", "binutils" },
	{ "flex", "flex" },
	{ "bison", "bison" },
	{ "bc", "bc" },
	{ "patch", "patch" },
	{ "awk", "mawk" },
	{ "sed", "sed" },
	{ "grep", "grep" },
	{ "find", "findutils" },
	{ "xargs", "findutils" },
};

static const char *search_path(void)
{
	const char *path = getenv("PATH");

	return path && *path ? path : default_path;
}

static bool have(const char *program)
{
	cleanup_strv struct strv dirs = STRV_INIT;

	if (strchr(program, '/'))
		return access(program, X_OK) == 0;
	strv_split(&dirs, search_path(), ":");
	for (size_t i = 0; i < dirs.n; i++) {
		cleanup_free char *full = path_join(dirs.v[i], program);

		if (access(full, X_OK) == 0)
			return true;
	}
	return false;
}

static void miss(struct strv *names, struct strv *packages, const char *name, const char *package)
{
	strv_add(names, name);
	if (!strv_has(packages, package))
		strv_add(packages, package);
}

/* Compiles a program with a header of the C library, for host tools and os-Linux/. */
static bool compiles(const struct strv *cc)
{
	static const char *const args[] = {
		"-x", "c", "-include", "stdio.h", "-include", "linux/types.h", "-fsyntax-only",
		"/dev/null", NULL,
	};
	cleanup_strv struct strv argv = STRV_INIT;
	int status;

	for (size_t i = 0; i < cc->n; i++)
		strv_add(&argv, cc->v[i]);
	strv_addv(&argv, args);
	return proc_capture(strv_argv(&argv), 4096, NULL, NULL, &status, NULL) == 0 && status == 0;
}

static int version_of(const struct strv *cc, char **version, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int status, ret;

	for (size_t i = 0; i < cc->n; i++)
		strv_add(&argv, cc->v[i]);
	strv_add(&argv, "--version");
	ret = proc_capture(strv_argv(&argv), 65536, &out, NULL, &status, e);
	if (ret == 0 && status != 0)
		ret = err_set(e, ENOPKG, "'%s --version' failed", cc->v[0]);
	if (ret == 0)
		*version = xstrndup(sb_str(&out), strcspn(sb_str(&out), "\n"));
	return ret;
}

static int missing(const struct strv *names, const struct strv *packages, struct error *e)
{
	cleanup_free char *what = strv_join(names, ", "), *install = strv_join(packages, " ");

	return err_set(e, ENOPKG, "cannot build a kernel: missing %s; install %s with: "
		       "apt-get install %s", what, packages->n == 1 ? "it" : "them", install);
}

int tools_find(struct tools *t, struct error *e)
{
	cleanup_strv struct strv cc = STRV_INIT, names = STRV_INIT, packages = STRV_INIT;
	const char *named = getenv("UMLCAGE_CC");
	int ret;

	if (!named || !*named)
		named = getenv("CC");
	t->from_user = named && *named;
	t->cc = xstrdup(t->from_user ? named : "gcc");
	strv_split(&cc, t->cc, " \t");
	if (!cc.n)
		return err_usage(e, "the compiler that CC names is empty");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!have(needed[i].program))
			miss(&names, &packages, needed[i].program, needed[i].package);
	if (!have(cc.v[0]))
		miss(&names, &packages, cc.v[0], cc.v[0]);
	else if (!compiles(&cc))
		miss(&names, &packages, "the headers of the C library", "libc6-dev");
	if (names.n)
		return missing(&names, &packages, e);
	ret = version_of(&cc, &t->version, e);
	return ret;
}

void tools_release(struct tools *t)
{
	free_ptr(&t->cc);
	free_ptr(&t->version);
}

int tools_check_space(const char *dir, uint64_t bytes, struct error *e)
{
	uint64_t available;
	int ret = free_space(dir, &available, e);

	if (ret < 0 || available >= bytes)
		return ret;

	cleanup_free char *need = format_size(bytes), *has = format_size(available);

	return err_set(e, ENOSPC, "not enough room to build a kernel: it takes %s for a while, and "
		       "the filesystem of '%s' has %s free; make room there or set XDG_CACHE_HOME "
		       "to another filesystem", need, dir, has);
}

void tools_environment(const struct tools *t, const char *tmp, struct strv *env)
{
	const char *home = getenv("HOME");

	strv_addf(env, "PATH=%s", search_path());
	strv_add(env, "LC_ALL=C");
	strv_addf(env, "TMPDIR=%s", tmp);
	/* who built it and when is no part of a kernel that is named by its inputs */
	strv_add(env, "KBUILD_BUILD_USER=umlcage");
	strv_add(env, "KBUILD_BUILD_HOST=umlcage");
	strv_add(env, "KBUILD_BUILD_VERSION=1");
	strv_add(env, "KBUILD_BUILD_TIMESTAMP=Thu Jan  1 00:00:00 UTC 1970");
	if (!t->from_user)
		return;
	/* a compiler cache that the user put in front finds its own settings */
	if (home)
		strv_addf(env, "HOME=%s", home);
	for (char **v = environ; *v; v++)
		if (str_starts(*v, "CCACHE_") || str_starts(*v, "DISTCC_") || str_starts(*v, "XDG_"))
			strv_add(env, *v);
}
