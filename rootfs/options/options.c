// SPDX-License-Identifier: GPL-2.0-or-later
/* fabricate's options: parsing of single arguments, defaults, the format of the target. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debian/debian.h"
#include "rootfs/emulate/emulate.h"
#include "rootfs/options/private.h"

void fab_options_init(struct fab_options *o)
{
	memset(o, 0, sizeof(*o));
	o->variant = FAB_IMPORTANT;
	o->out = (struct target)TARGET_INIT;
	o->source_date_epoch = -1;
}

void fab_options_release(struct fab_options *o)
{
	struct strv *lists[] = { &o->include, &o->components, &o->architectures, &o->mirrors,
				 &o->aptopts, &o->dpkgopts, &o->keyrings, &o->skip,
				 &o->warnings };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		strv_release(lists[i]);
	for (int w = 0; w < FAB_HOOK_WHEN_MAX; w++) {
		for (size_t i = 0; i < o->hooks[w].n; i++)
			free(o->hooks[w].v[i].script);
		free(o->hooks[w].v);
	}
	for (size_t i = 0; i < o->nsources; i++) {
		free(o->sources[i].path);
		free(o->sources[i].content);
	}
	free(o->sources);
	free(o->suite);
	free(o->target);
	free(o->format);
	target_release(&o->out);
	target_details_release(&o->details);
	free(o->apt_text);
	free(o->dpkg_text);
	fab_aptconf_release(&o->apt);
	free(o->logfile);
	free(o->package_list);
	memset(o, 0, sizeof(*o));
}

bool fab_skips(const struct fab_options *o, const char *what)
{
	for (size_t i = 0; i < o->skip.n; i++) {
		size_t len = strlen(o->skip.v[i]);

		if (strncmp(what, o->skip.v[i], len) == 0 && (!what[len] || what[len] == '/'))
			return true;
	}
	return false;
}

void fab_options_add_hook(struct fab_options *o, enum fab_hook_when when, bool chrooted,
			  const char *script)
{
	struct fab_hooks *h = &o->hooks[when];

	h->v = xreallocarray(h->v, h->n + 1, sizeof(*h->v));
	h->v[h->n++] = (struct fab_hook){ xstrdup(script), chrooted };
}

int fab_options_keyring(struct fab_options *o, const char *arg, struct error *e)
{
	char *real = realpath(arg, NULL);

	if (!real)
		return err_usage(e, "cannot use keyring '%s': %s", arg, strerror(errno));
	strv_take(&o->keyrings, real);
	return 0;
}

/* ---- --include ---- */

static bool is_path(const char *s)
{
	return s[0] == '/' || str_starts(s, "./") || str_starts(s, "../");
}

static int include_path(struct fab_options *o, const char *path, struct error *e)
{
	char *real = realpath(path, NULL);
	struct stat st;

	if (!real)
		return err_usage(e, "cannot include '%s': %s", path, strerror(errno));
	if (stat(real, &st) < 0 || !S_ISREG(st.st_mode)) {
		free(real);
		return err_usage(e, "cannot include '%s': not a file", path);
	}
	strv_take(&o->include, real);
	return 0;
}

int fab_options_include(struct fab_options *o, const char *arg, struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	int r = 0;

	if (arg[0] && strchr("?~!(", arg[0])) {
		strv_add(&o->include, arg);
		return 0;
	}
	if (is_path(arg))
		return include_path(o, arg, e);
	strv_split(&words, arg, ", \t\n");
	for (size_t i = 0; i < words.n && !r; i++)
		if (is_path(words.v[i]))
			r = include_path(o, words.v[i], e);
		else
			strv_add(&o->include, words.v[i]);
	return r;
}

/* ---- --hook-directory ---- */

int fab_options_hook_directory(struct fab_options *o, const char *dir, struct error *e)
{
	static const char *const names[] = {
		[FAB_HOOK_SETUP] = "setup", [FAB_HOOK_EXTRACT] = "extract",
		[FAB_HOOK_ESSENTIAL] = "essential", [FAB_HOOK_CUSTOMIZE] = "customize",
	};
	cleanup_strv struct strv files = STRV_INIT;
	cleanup_free char *real = realpath(dir, NULL);
	DIR *d = real ? opendir(real) : NULL;
	const struct dirent *de;
	size_t found = 0;
	int ret;
	struct stat st;

	if (!d)
		return err_usage(e, "cannot read hook directory '%s': %s", dir, strerror(errno));
	while ((de = dir_next(d, &ret)))
		strv_add(&files, de->d_name);
	closedir(d);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read hook directory '%s'", dir);
	strv_sort(&files);
	for (size_t i = 0; i < files.n; i++) {
		cleanup_free char *path = path_join(real, files.v[i]);
		int w = 0;

		while (w < FAB_HOOK_WHEN_MAX && !str_starts(files.v[i], names[w]))
			w++;
		if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		if (access(path, X_OK) == 0 && w < FAB_HOOK_WHEN_MAX)
			fab_options_add_hook(o, w, false, path);
		else if (access(path, X_OK) == 0)
			strv_addf(&o->warnings, "'%s' can be run, but is not called setup*, extract*, "
				  "essential* or customize*: it is not a hook", path);
		else if (w < FAB_HOOK_WHEN_MAX)
			strv_addf(&o->warnings, "'%s' is called like a hook, but cannot be run: chmod "
				  "+x it", path);
		found += access(path, X_OK) == 0 && w < FAB_HOOK_WHEN_MAX;
	}
	if (!found)
		strv_addf(&o->warnings, "there is no hook in '%s'", dir);
	return 0;
}

/* ---- completing ---- */

static int resolve_target(struct fab_options *o, struct error *e)
{
	const struct target_request request = {
		.name = o->target, .format = o->format, .threads = o->jobs, .directories = true,
		.no_check = o->simulate, .details = &o->details,
	};
	int r;

	target_release(&o->out);
	r = target_parse(&o->out, &request, e);
	o->source_date_epoch = o->out.epoch;
	return r;
}

/* 20261101, or 20261101T023000Z. */
static bool is_snapshot(const char *s)
{
	static const char form[] = "00000000T000000Z";
	size_t n = 0;

	while (s[n] && form[n] && (form[n] == '0' ? isdigit((unsigned char)s[n]) : s[n] == form[n]))
		n++;
	return !s[n] && (n == 8 || n == sizeof(form) - 1);
}

static int resolve_snapshot(struct fab_options *o, struct error *e)
{
	if (o->snapshot && !is_snapshot(o->snapshot))
		return err_usage(e, "--snapshot: '%s' is not a time such as 20261101 or 20261101T023000Z",
				 o->snapshot);
	if (o->snapshots && !o->snapshot)
		return err_usage(e, "--snapshots is where those of --snapshot=TIME are: give that, too");
	if (o->snapshot && !o->snapshots)
		o->snapshots = getenv("UMLCAGE_SNAPSHOTS");
	if (o->snapshot && !o->snapshots)
		return err_usage(e, "--snapshot: who keeps what mirrors were? name the service by "
				 "--snapshots or UMLCAGE_SNAPSHOTS, such as "
				 "https://HOST/archive/@ARCHIVE@/@SNAPSHOTID@");
	if (o->snapshots && !strstr(o->snapshots, "@SNAPSHOTID@"))
		return err_usage(e, "--snapshots: '%s' has no @SNAPSHOTID@ where the time belongs",
				 o->snapshots);
	return 0;
}

int fab_options_resolve(struct fab_options *o, struct progress *progress, struct error *e)
{
	int r;

	if (!o->target)
		o->target = xstrdup("-");
	if (!o->components.n)
		strv_add(&o->components, "main");
	if (!o->architectures.n)
		strv_add(&o->architectures, debian_native_architecture());
	for (size_t i = 0; i < o->architectures.n; i++)
		if (!str_eq(o->architectures.v[i], debian_native_architecture()) &&
		    emulate_check(o->architectures.v[i], e) < 0)
			return -EINVAL;
	r = resolve_snapshot(o, e);
	if (!r)
		r = fab_resolve_texts(o, e);
	if (!r)
		r = resolve_target(o, e);
	return r ? r : fab_resolve_sources(o, progress, e);
}
