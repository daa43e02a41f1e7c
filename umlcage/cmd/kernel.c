// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage kernel: build, list, show and remove kernels. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "kernel-config/kernel.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/progress.h"
#include "umlcage/base/str.h"
#include "umlcage/cmd/cmd.h"

static void json_field(struct strbuf *sb, const char *name, const char *value)
{
	sb_addf(sb, "\"%s\":", name);
	if (value)
		sb_json_str(sb, value, __builtin_strlen(value));
	else
		sb_adds(sb, "null");
	sb_addc(sb, ',');
}

static void json_kernel(struct strbuf *sb, const struct kernel_info *k)
{
	sb_addc(sb, '{');
	json_field(sb, "key", k->key);
	json_field(sb, "path", k->path);
	json_field(sb, "version", k->version);
	json_field(sb, "source", k->source);
	json_field(sb, "compiler", k->compiler);
	json_field(sb, "fragments", k->fragments);
	json_field(sb, "recipe", k->recipe);
	sb_addf(sb, "\"size\":%llu,\"built\":%llu,\"seconds\":%llu,\"units\":%llu,\"current\":%s}",
		(unsigned long long)k->size, (unsigned long long)k->built,
		(unsigned long long)k->seconds, (unsigned long long)k->units,
		k->current ? "true" : "false");
}

/* Prints @text; a full disk or closed pipe behind standard output is a failure. */
static int print(const char *text)
{
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
		perror("umlcage: cannot write the output");
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static char *when(uint64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[32];

	if (!localtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm))
		return xstrdup("?");
	return xstrdup(text);
}

/* Which source: of build and of source. */
struct source_options {
	const char *source, *mirror;
	struct strv keyrings;
	bool newer;
};

static const struct opt source_opts[] = {
	{ OPT_STRING, 0, "source", "DIR|TARBALL|SUITE|N.N", OPT_STR(struct source_options, source),
	  "a source tree, a tarball or linux-source .deb, a suite that has one, or which Linux" },
	{ OPT_FLAG, 0, "newer", NULL, OPT_BOOL(struct source_options, newer),
	  "also a newer Linux than was tested, if an archive has one" },
	{ OPT_STRING, 0, "mirror", "URI", OPT_STR(struct source_options, mirror),
	  "the mirror that has the suite (default: UMLCAGE_MIRROR, or the host's)" },
	{ OPT_LIST, 0, "keyring", "FILE", OPT_STRV(struct source_options, keyrings),
	  "the keys that its signature must be made with (default: the host's)" },
	OPT_END,
};

#define WITHOUT_SOURCE "Without --source: the newest linux-source package of trixie-backports, " \
		       "forky and sid\nthat is no newer than Linux " KERNEL_NEWEST "."

struct build_options {
	struct source_options from;
	struct strv fragments;
	unsigned int jobs;
	bool rebuild, json, quiet;
	int verbose;
};

static const struct opt build_opts[] = {
	{ OPT_LIST, 0, "config", "FRAGMENT", OPT_STRV(struct build_options, fragments),
	  "add a configuration fragment: a file, 'full' or 'debug'; may be repeated" },
	{ OPT_UINT, 'j', "jobs", "N", OPT_UNSIGNED(struct build_options, jobs),
	  "compilers to run at a time (default: one for each CPU)" },
	{ OPT_FLAG, 0, "rebuild", NULL, OPT_BOOL(struct build_options, rebuild),
	  "build it even if the cache has it" },
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct build_options, json),
	  "describe the kernel in JSON" },
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct build_options, quiet), "show no progress" },
	{ OPT_COUNT, 'v', "verbose", NULL, OPT_INT(struct build_options, verbose),
	  "show more of what happens" },
	OPT_END,
};

static const struct opt_spec build_spec = {
	.usage = "umlcage kernel build [options]",
	.summary = "Builds a kernel for cages, unless the cache has it, and prints its path.",
	.groups = OPT_GROUPS({ NULL, source_opts, offsetof(struct build_options, from) },
			     { NULL, build_opts, 0 }),
	.epilogue = WITHOUT_SOURCE "\nThe compiler is gcc, or what UMLCAGE_CC or CC name.",
};

static void take_source(struct kernel_request *req, const struct source_options *o,
			struct progress *progress)
{
	req->source = o->source;
	req->newer = o->newer;
	req->mirror = o->mirror;
	req->keyrings = &o->keyrings;
	req->progress = progress;
}

static int build(const struct build_options *o, struct kernel_info *k, struct error *e)
{
	struct progress progress;
	struct kernel_request req = {
		.fragments = &o->fragments, .jobs = o->jobs, .rebuild = o->rebuild,
	};
	int ret;

	take_source(&req, &o->from, &progress);
	progress_init(&progress, STDERR_FILENO, o->quiet ? -1 : o->verbose);
	ret = kernel_ensure(&req, k, e);
	progress_end(&progress);
	if (ret > 0)
		progress_note(&progress, "Linux %s built in %llu s", k->version,
			      (unsigned long long)k->seconds);
	return ret;
}

static int run_build(const struct command *self, int argc, char **argv)
{
	struct build_options o = { .from.source = NULL };
	cleanup_kernel_info struct kernel_info k = KERNEL_INFO_INIT;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status < 0 && argc > 0) {
		err_usage(&e, "'umlcage kernel build' takes no operand, but got '%s'", argv[0]);
		status = cmd_fail(&e);
	} else if (status < 0 && build(&o, &k, &e) < 0) {
		status = cmd_fail(&e);
	}
	strv_release(&o.fragments);
	strv_release(&o.from.keyrings);
	if (status >= 0)
		return status;
	if (o.json)
		json_kernel(&out, &k);
	else
		sb_adds(&out, k.path);
	sb_addc(&out, '\n');
	return print(sb_str(&out));
}

struct list_options {
	bool json;
};

static const struct opt list_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct list_options, json), "print a JSON array" },
	OPT_END,
};

static const struct opt_spec list_spec = {
	.usage = "umlcage kernel list [--json]",
	.summary = "Lists the kernels of the cache, first the one that cages use by default (*).",
	.groups = OPT_GROUPS({ NULL, list_opts, 0 }),
};

static int run_list(const struct command *self, int argc, char **argv)
{
	struct list_options o = { 0 };
	cleanup_kernel_list struct kernel_list l = { NULL, 0 };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (kernel_list(&l, &e) < 0)
		return cmd_fail(&e);
	if (o.json)
		sb_addc(&out, '[');
	else if (l.n)
		sb_adds(&out, "  KEY           VERSION     SIZE     BUILT             SOURCE\n");
	for (size_t i = 0; i < l.n; i++) {
		const struct kernel_info *k = &l.v[i];

		if (o.json) {
			sb_adds(&out, i ? ",\n " : "");
			json_kernel(&out, k);
			continue;
		}

		cleanup_free char *size = format_size(k->size), *built = when(k->built);

		sb_addf(&out, "%c %.12s  %-10s  %-7s  %s  %s%s%s%s\n",
			i == 0 && k->current && !*k->fragments ? '*' : ' ', k->key, k->version, size,
			built, k->source, *k->fragments ? " + " : "", k->fragments,
			k->current ? "" : " (of another umlcage)");
	}
	if (o.json)
		sb_adds(&out, "]\n");
	return print(sb_str(&out));
}

/* The kernel that an operand means: a key's beginning, or none for the default. */
static int chosen(const char *key, struct kernel_info *k, struct error *e)
{
	int ret = key ? kernel_lookup(key, k, e) : kernel_find("", k, e);

	if (ret == -ENOENT && !key)
		err_hint(e, "'umlcage kernel build' makes one");
	return ret;
}

static int show_file(const struct kernel_info *k, const char *name)
{
	cleanup_free char *path = path_join(k->dir, name);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	struct error e = ERROR_INIT;

	if (file_read(AT_FDCWD, path, 64 << 20, &text, &e) < 0)
		return cmd_fail(&e);
	return print(sb_str(&text));
}

struct show_options {
	bool json, config, log;
};

static const struct opt show_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct show_options, json), "print a JSON object" },
	{ OPT_FLAG, 0, "config", NULL, OPT_BOOL(struct show_options, config),
	  "print its configuration" },
	{ OPT_FLAG, 0, "log", NULL, OPT_BOOL(struct show_options, log),
	  "print the log of its build" },
	OPT_END,
};

static const struct opt_spec show_spec = {
	.usage = "umlcage kernel show [options] [KEY]",
	.summary = "Describes a kernel of the cache; KEY may be shortened.",
	.groups = OPT_GROUPS({ NULL, show_opts, 0 }),
};

static int run_show(const struct command *self, int argc, char **argv)
{
	struct show_options o = { 0 };
	cleanup_kernel_info struct kernel_info k = KERNEL_INFO_INIT;
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc > 1) {
		err_usage(&e, "'umlcage kernel show' takes one KEY");
		return cmd_fail(&e);
	}
	if (chosen(argc ? argv[0] : NULL, &k, &e) < 0)
		return cmd_fail(&e);
	if (o.config || o.log)
		return show_file(&k, o.config ? "config" : "log");
	if (o.json) {
		json_kernel(&out, &k);
		sb_addc(&out, '\n');
		return print(sb_str(&out));
	}

	cleanup_free char *size = format_size(k.size), *built = when(k.built);

	sb_addf(&out, "key        %s\npath       %s\nversion    %s\nsource     %s\ncompiler   %s\n",
		k.key, k.path, k.version, k.source, k.compiler);
	if (*k.fragments)
		sb_addf(&out, "fragments  %s\n", k.fragments);
	sb_addf(&out, "size       %s\nbuilt      %s, in %llu s, %llu files compiled\ncurrent    %s\n",
		size, built, (unsigned long long)k.seconds, (unsigned long long)k.units,
		k.current ? "yes" : "no, made by another version of umlcage");
	return print(sb_str(&out));
}

struct remove_options {
	bool all, outdated;
};

static const struct opt remove_opts[] = {
	{ OPT_FLAG, 0, "all", NULL, OPT_BOOL(struct remove_options, all),
	  "every kernel of the cache" },
	{ OPT_FLAG, 0, "outdated", NULL, OPT_BOOL(struct remove_options, outdated),
	  "those that another version of umlcage made" },
	OPT_END,
};

static const struct opt_spec remove_spec = {
	.usage = "umlcage kernel remove [--all | --outdated | KEY...]",
	.summary = "Removes kernels from the cache; cages that run on them go on.",
	.groups = OPT_GROUPS({ NULL, remove_opts, 0 }),
};

static int run_remove(const struct command *self, int argc, char **argv)
{
	struct remove_options o = { 0 };
	cleanup_kernel_list struct kernel_list l = { NULL, 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if ((o.all || o.outdated) == (argc > 0)) {
		err_usage(&e, "'umlcage kernel remove' takes either keys, --all or --outdated");
		return cmd_fail(&e);
	}
	for (int i = 0; i < argc; i++) {
		cleanup_kernel_info struct kernel_info k = KERNEL_INFO_INIT;

		if (kernel_lookup(argv[i], &k, &e) < 0 || kernel_remove(&k, &e) < 0)
			return cmd_fail(&e);
	}
	if (argc == 0 && kernel_list(&l, &e) < 0)
		return cmd_fail(&e);
	for (size_t i = 0; i < l.n; i++)
		if ((o.all || !l.v[i].current) && kernel_remove(&l.v[i], &e) < 0)
			return cmd_fail(&e);
	return EXIT_OK;
}

static const struct opt_spec source_spec = {
	.usage = "umlcage kernel source [options]",
	.summary = "Downloads the source that a kernel would be built of, and prints its path.",
	.groups = OPT_GROUPS({ NULL, source_opts, 0 }),
	.epilogue = WITHOUT_SOURCE,
};

static int run_source(const struct command *self, int argc, char **argv)
{
	struct source_options o = { .source = NULL };
	struct kernel_request req = { .source = NULL };
	cleanup_free char *path = NULL;
	struct progress progress;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	progress_init(&progress, STDERR_FILENO, 0);
	take_source(&req, &o, &progress);
	if (status < 0 && argc > 0) {
		err_usage(&e, "'umlcage kernel source' takes no operand, but got '%s'", argv[0]);
		status = cmd_fail(&e);
	} else if (status < 0) {
		status = kernel_source(&req, &path, &e) < 0 ? cmd_fail(&e) : -1;
	}
	strv_release(&o.keyrings);
	if (status >= 0)
		return status;

	cleanup_free char *line = xasprintf("%s\n", path);

	return print(line);
}

static const struct command command_kernel_build = {
	"build", "builds one, or finds it in the cache", &build_spec, run_build, NULL, NULL,
}, command_source = {
	"source", "downloads a source", &source_spec, run_source, NULL, NULL,
}, command_list = {
	"list", "lists those of the cache", &list_spec, run_list, NULL, NULL,
}, command_show = {
	"show", "describes one", &show_spec, run_show, NULL, NULL,
}, command_remove = {
	"remove", "removes some", &remove_spec, run_remove, NULL, NULL,
};

const struct command command_kernel = {
	.name = "kernel",
	.help = "builds, lists and removes the kernels that cages run on",
	.run = cmd_dispatch,
	.sub = (const struct command *const[]){
		&command_kernel_build, &command_source, &command_list, &command_show, &command_remove, NULL,
	},
	.summary = "Kernels for cages: User-Mode Linux, built from verified source and kept in the "
		   "cache.",
};
