// SPDX-License-Identifier: GPL-2.0-or-later
/* Build files into records, every key checked against the table that it is from: build.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/build/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/proc.h"

#define ENDING	".build"
#define INCLUDES_MAX 16

enum section { S_BUILD, S_SOURCE, S_RUN, S_STEP, S_OUTPUT, S_VERIFY, S_PUBLISH, S_LIMITS, S_MATRIX,
	       S_NONE };

static const char *const section_names[] = {
	[S_BUILD] = "build", [S_SOURCE] = "source", [S_RUN] = "run", [S_STEP] = "step",
	[S_OUTPUT] = "output", [S_VERIFY] = "verify", [S_PUBLISH] = "publish", [S_LIMITS] = "limits",
	[S_MATRIX] = "matrix", [S_NONE] = NULL,
};

struct reader {
	struct builds *all;
	struct build *b;
	struct ini *ini;	/* the one at hand */
	enum section section;
	unsigned int depth;	/* of includes */
};

/* ---- variables ---- */

static char *git_version(const struct build *b)
{
	char *const argv[] = { (char *)"git", (char *)"-C", b->dir, (char *)"describe",
			       (char *)"--always", (char *)"--dirty", NULL };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup_strbuf struct strbuf err = STRBUF_INIT;
	int status;

	if (proc_capture(argv, 4096, &out, &err, &status, NULL) < 0 || status)
		return xstrdup("unknown");
	return xstrndup(sb_str(&out), strcspn(sb_str(&out), "\n"));
}

static char *variable(const struct build *b, const char *name)
{
	const char *word = build_matrix_value(&b->matrix, name);
	time_t now = time(NULL);
	char date[32] = "";
	struct tm tm;

	if (word)
		return xstrdup(word);
	if (str_eq(name, "name"))
		return xstrdup(b->name);
	if (str_eq(name, "git"))
		return git_version(b);
	if (!str_eq(name, "date"))
		return NULL;
	if (localtime_r(&now, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	return xstrdup(date);
}

/* ${name} and its like; a script has others of its own, which stay. */
static int expand(const struct reader *r, const struct ini_entry *entry, const char *text,
		  bool script, char **out, struct error *e)
{
	static const char *const names[] = { "date", "name", "git", NULL };
	cleanup_strbuf struct strbuf sb = STRBUF_INIT;

	for (const char *p = text; *p;) {
		size_t len = p[0] == '$' && p[1] == '{' ? strcspn(p + 2, "}") : 0;
		cleanup_free char *name = len ? xstrndup(p + 2, len) : NULL;
		cleanup_free char *value = len && p[2 + len] ? variable(r->b, name) : NULL;

		if (value) {
			sb_adds(&sb, value);
			p += len + 3;
			continue;
		}
		if (len && !script) {
			const char *near = str_closest(name, names);

			(void)ini_error(r->ini, entry, e, "there is no variable '${%s}'%s%s%s; there are "
					"${date}, ${name}, ${git} and those of [Matrix]", name,
					near ? "; did you mean '${" : "", near ? near : "",
					near ? "}'?" : "");
			return -EINVAL;
		}
		sb_addc(&sb, *p++);
	}
	*out = sb_steal(&sb);
	return 0;
}

/* ---- sections ---- */

static char *lower(const char *s, size_t len)
{
	char *out = xstrndup(s, len);

	for (char *p = out; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out;
}

static struct build_step *add_step(struct build_step **v, size_t *n, const char *name)
{
	struct build_step *s;

	*v = xreallocarray(*v, *n + 1, sizeof(**v));
	s = &(*v)[(*n)++];
	*s = (struct build_step){ .machine = MACHINE_INIT, .places = PLACES_OPTIONS_INIT,
				  .renew = BUILD_RENEW_UNSET };
	s->name = *name ? xstrdup(name) : xasprintf("%zu", *n);
	return s;
}

static int begin_output(struct reader *r, const struct ini_entry *entry, const char *name,
			struct error *e)
{
	static const char *const ours[] = { BUILD_MANIFEST, BUILD_BOM, BUILD_SPDX, BUILD_PROVENANCE, "log" };
	struct build *b = r->b;
	cleanup_free char *full = NULL;
	bool taken = false;

	if (!*name)
		return ini_error(r->ini, entry, e, "an output needs the name of its file: "
				 "[Output root.tar.zst]");
	if (expand(r, entry, name, false, &full, e) < 0)
		return -e->errnum;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		taken |= str_eq(full, ours[i]);
	/* beside the sums are their signatures */
	if (taken || strchr(full, '/') || full[0] == '.' || str_starts(full, BUILD_SUMS))
		return ini_error(r->ini, entry, e, "an output cannot be called '%s'", full);
	for (size_t i = 0; i < b->noutputs; i++)
		if (str_eq(b->outputs[i].name, full))
			return ini_error(r->ini, entry, e, "there is an output '%s' already", full);
	b->outputs = xreallocarray(b->outputs, b->noutputs + 1, sizeof(*b->outputs));
	b->outputs[b->noutputs++] = (struct build_output){ .name = steal_ptr(&full) };
	return 0;
}

static int begin_section(struct reader *r, const struct ini_entry *entry, struct error *e)
{
	size_t len = strcspn(entry->section, " \t");
	cleanup_free char *kind = lower(entry->section, len);
	const char *name = entry->section + len;

	name += strspn(name, " \t");
	for (r->section = 0; section_names[r->section]; r->section++)
		if (str_eq(section_names[r->section], kind))
			break;
	switch (r->section) {
	case S_RUN:
		if (!r->b->run)
			add_step(&r->b->run, &(size_t){ 0 }, name);
		return 0;
	case S_STEP:
		add_step(&r->b->steps, &r->b->nsteps, name);
		return 0;
	case S_VERIFY:
		add_step(&r->b->checks, &r->b->nchecks, name);
		return 0;
	case S_OUTPUT:
		return begin_output(r, entry, name, e);
	case S_MATRIX:
		return !r->depth ? 0 : ini_error(r->ini, entry, e, "[Matrix] belongs into the build file "
						 "itself, not into what it includes");
	case S_NONE: {
		const char *near = str_closest(kind, section_names);

		return ini_error(r->ini, entry, e, "there is no section '[%s]'%s%s%s; there are Build, "
				 "Source, Run, Step, Output, Verify, Publish, Limits and Matrix",
				 entry->section, near ? "; did you mean '" : "", near ? near : "",
				 near ? "'?" : "");
	}
	default:
		return 0;
	}
}

/* ---- keys ---- */

static int unknown_key(const struct reader *r, const struct ini_entry *entry, const char *key,
		       const struct opt_spec *spec, const struct opt_spec *also, struct error *e)
{
	const char *near = opts_nearest(spec, key);

	if (!near && also)
		near = opts_nearest(also, key);
	return ini_error(r->ini, entry, e, "there is no key '%s' in [%s]%s%s%s; 'umlcage build --keys' "
			 "lists them", key, entry->section, near ? "; did you mean '" : "",
			 near ? near : "", near ? "'?" : "");
}

static int set(const struct reader *r, const struct ini_entry *entry, const struct opt_spec *spec,
	       void *values, const char *key, const char *value, struct error *e)
{
	struct error inner = ERROR_INIT;
	int ret = opts_set(spec, values, key, value, &inner);

	if (ret == -ENOENT && !inner.errnum)
		return unknown_key(r, entry, key, spec, NULL, e);
	if (ret < 0) {
		ret = ini_error(r->ini, entry, e, "%s", err_text(&inner));
		err_release(&inner);
	}
	return ret < 0 ? ret : 0;
}

/* An option of fabricate becomes an argument, after a look whether it is one. */
static int set_source(const struct reader *r, const struct ini_entry *entry, const char *key,
		      const char *value, struct error *e)
{
	static const char *const ours[] = { "quiet", "silent", "verbose", "debug", "logfile", "help",
					    "man", "version", "simulate", "dry-run", "no-cache",
					    "print-recipe", "package-list" };
	const struct opt_spec *spec = r->all->tools->fabricate;
	const struct opt *o = opts_find(spec, key);
	bool on, is_bool = ini_bool(value, &on) == 0;

	if (opts_find(&build_source_spec, key))
		return set(r, entry, &build_source_spec, r->b, key, value, e);
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (str_eq(ours[i], key))
			return ini_error(r->ini, entry, e, "'%s' is what the build itself decides", key);
	if (!o)
		return unknown_key(r, entry, key, spec, &build_source_spec, e);
	if (o->arg && !(o->optional_arg && is_bool))
		strv_addf(&r->b->options, "--%s=%s", key, value);
	else if (!is_bool)
		return ini_error(r->ini, entry, e, "%s: '%s' is neither yes nor no", key, value);
	else if (on)
		strv_addf(&r->b->options, "--%s", key);
	return 0;
}

static int include(struct reader *r, const struct ini_entry *entry, const char *value,
		   struct error *e);

static int set_key(struct reader *r, const struct ini_entry *entry, struct error *e)
{
	struct build *b = r->b;
	cleanup_free char *key = lower(entry->key, strlen(entry->key));
	bool script = str_eq(key, "run") || str_ends(key, "-hook") || str_eq(key, "notify") ||
		      str_eq(key, "sign");
	char *value = NULL;
	struct build_step *s;
	struct build_output *o;
	int ret;

	/* it has been read */
	if (r->section == S_MATRIX)
		return 0;
	ret = expand(r, entry, entry->value, script, &value, e);

	if (ret < 0 || !value)
		return ret;
	/* options point to it */
	strv_take(&b->values, value);
	if (str_eq(key, "include") && (entry->section[0] == '\0' || r->section == S_BUILD))
		return include(r, entry, value, e);
	switch (r->section) {
	case S_BUILD:
		return set(r, entry, &build_build_spec, b, key, value, e);
	case S_SOURCE:
		return set_source(r, entry, key, value, e);
	case S_RUN:
		strv_addf(&b->run->given, "%s=%s", key, value);
		return set(r, entry, &build_run_spec, b->run, key, value, e);
	case S_STEP:
	case S_VERIFY:
		s = r->section == S_STEP ? &b->steps[b->nsteps - 1] : &b->checks[b->nchecks - 1];
		strv_addf(&s->given, "%s=%s", key, value);
		return set(r, entry, r->section == S_STEP ? &build_step_spec : &build_check_spec, s, key,
			   value, e);
	case S_OUTPUT:
		o = &b->outputs[b->noutputs - 1];
		strv_addf(&o->given, "%s=%s", key, value);
		return set(r, entry, &build_output_spec, o, key, value, e);
	case S_PUBLISH:
		return set(r, entry, &build_publish_spec, &b->publish, key, value, e);
	case S_LIMITS:
		return set(r, entry, &build_limits_spec, &b->limits, key, value, e);
	case S_MATRIX:
	case S_NONE:
		break;
	}
	return ini_error(r->ini, entry, e, "'%s' is in no section: begin with [Source]", key);
}

static int read_file(struct reader *r, int dirfd, const char *path, struct error *e)
{
	struct builds *all = r->all;
	struct ini ini = INI_INIT, *former = r->ini;
	enum section section = r->section;
	int ret = ini_read(&ini, dirfd, path, e);

	if (ret < 0)
		return ret;
	r->ini = &ini;
	r->section = S_NONE;
	for (size_t i = 0; i < ini.n && ret == 0; i++)
		ret = ini.v[i].key ? set_key(r, &ini.v[i], e) : begin_section(r, &ini.v[i], e);
	r->ini = former;
	r->section = section;
	all->inis = xreallocarray(all->inis, all->ninis + 1, sizeof(*all->inis));
	all->inis[all->ninis++] = ini;
	return ret;
}

static int include(struct reader *r, const struct ini_entry *entry, const char *value,
		   struct error *e)
{
	cleanup_free char *path = value[0] == '/' ? xstrdup(value) : path_join(r->b->dir, value);
	struct error inner = ERROR_INIT;
	int ret;

	if (r->depth == INCLUDES_MAX)
		return ini_error(r->ini, entry, e, "'%s' is included too deep: does it include itself?",
				 value);
	r->depth++;
	ret = read_file(r, AT_FDCWD, path, &inner);
	r->depth--;
	if (ret < 0 && inner.kind != ERR_USAGE)
		ret = ini_error(r->ini, entry, e, "include: %s", err_text(&inner));
	else if (ret < 0)
		return err_move(e, &inner);
	err_release(&inner);
	return ret;
}

/* ---- a whole file ---- */

static int check_source(struct builds *all, struct build *b, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;
	size_t sources = !!b->suite + !!b->root + !!b->base + !!b->run;

	if (sources > 1 && b->run)
		return err_usage(e, "%s: [Run] is the source, and [Source] names another one", b->file);
	if (sources != 1)
		return err_usage(e, "%s: [Source] needs one of suite, root and build, and has %s", b->file,
				 sources ? "more" : "none; or there is a [Run]");
	if (!b->suite && (b->options.n || b->mirrors.n))
		return err_usage(e, "%s: [Source]: '%s' is for a suite", b->file,
				 b->options.n ? b->options.v[0] : "mirror");
	if (!b->suite)
		return 0;
	strv_add(&argv, "fabricate");
	strv_addv(&argv, (const char *const *)strv_argv(&b->options));
	if (all->tools->check_fabricate((int)argv.n, argv.v, e) < 0)
		return err_wrap(e, "%s: [Source]", b->file);
	return 0;
}

static int check_step(const struct build *b, const char *kind, struct build_step *s,
		      struct error *e)
{
	bool source = s == b->run;
	cleanup_free char *where = source ? xasprintf("%s: [%s]", b->file, kind) :
				   xasprintf("%s: [%s %s]", b->file, kind, s->name);

	if (!s->script && (source || !s->files))
		return err_usage(e, "%s has nothing to do: give it run = ...%s", where,
				 source ? "" : " or files = ...");
	if (source && !build_has_tool(s))
		return err_usage(e, "%s: where does it run? Give it tool = ..., packages = ... or root = ...",
				 where);
	if (machine_check(&s->machine, e) < 0 || places_check(&s->places, true, e) < 0 ||
	    build_tool_check(s, e) < 0)
		return err_wrap(e, "%s", where);
	if (s->files && access(s->files, R_OK | X_OK) < 0) {
		err_sys(e, errno, "%s: files: cannot read '%s'", where, s->files);
		return err_mark(e, ERR_ABSENT);
	}
	return 0;
}

/* A file of the tree is not made: nothing can be asked of how. */
static int check_taken(const struct build *b, const struct build_output *o, struct error *e)
{
	if (o->given.n > 1)
		return err_usage(e, "%s: [Output %s]: '%s' is taken as it is: no other key has a meaning",
				 b->file, o->name, o->file);
	if (!o->file[strspn(o->file, "/")])
		return err_usage(e, "%s: [Output %s]: file: '%s' is not the name of a file", b->file, o->name,
				 o->file);
	return 0;
}

/* From the folder of the file, which all its paths are relative to. */
static int check_rest(struct build *b, struct error *e)
{
	int ret = b->run ? check_step(b, "Run", b->run, e) : 0;

	for (size_t i = 0; i < b->nsteps && ret == 0; i++)
		ret = check_step(b, "Step", &b->steps[i], e);
	for (size_t i = 0; i < b->nchecks && ret == 0; i++)
		ret = check_step(b, "Verify", &b->checks[i], e);
	for (size_t i = 0; i < b->noutputs && ret == 0; i++) {
		const struct build_output *o = &b->outputs[i];
		const struct target_request request = {
			.name = o->name, .format = o->format, .level = o->level,
			.threads = o->jobs, .sparse = o->sparse, .no_check = true,
			.details = &o->details,
		};
		cleanup_target struct target t = TARGET_INIT;

		if (o->file) {
			ret = check_taken(b, o, e);
			continue;
		}
		ret = target_parse(&t, &request, e);
		if (ret == 0 && t.format->kind == TARGET_NOTHING)
			ret = err_usage(e, "nothing would be made");
		if (ret < 0)
			err_wrap(e, "%s: [Output %s]", b->file, o->name);
	}
	return ret;
}

static int check(struct builds *all, struct build *b, struct error *e)
{
	cleanup_close int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret;

	if (here < 0 || chdir(b->dir) < 0)
		return err_sys(e, errno, "cannot enter '%s'", b->dir);
	ret = check_source(all, b, e);
	if (ret == 0)
		ret = check_rest(b, e);
	if (fchdir(here) < 0 && ret == 0)
		ret = err_sys(e, errno, "cannot go back to the current folder");
	return ret;
}

struct build_info builds_info(const struct builds *all, size_t i)
{
	const struct build *b = all->v[i];

	return (struct build_info){
		.name = b->name, .file = b->file, .outputs = b->noutputs,
		.source = b->suite ? xasprintf("suite %s", b->suite) :
			  b->root ? xasprintf("root %s", b->root) :
			  b->base ? xasprintf("build %s", b->base) :
			  b->run->tool_name ? xasprintf("tool %s", b->run->tool_name) : xstrdup("run"),
	};
}

struct build *builds_find(const struct builds *b, const char *name)
{
	for (size_t i = 0; i < b->n; i++)
		if (str_eq(b->v[i]->name, name))
			return b->v[i];
	return NULL;
}

/* One of a file's combinations, which are one for most; @name becomes the build's. */
static int add_one(struct builds *all, const char *path, const char *dir, char *name,
		   struct strv *combination, struct error *e)
{
	struct reader r = { .all = all, .section = S_NONE };
	struct build *same = builds_find(all, name), *b;

	if (same) {
		cleanup_free char *one = realpath(same->file, NULL), *other = realpath(path, NULL);
		bool again = one && other && str_eq(one, other);

		free(name);
		return again ? 0 :
		       err_usage(e, "'%s' and '%s' have one name; give one of them another",
				 same->file, path);
	}
	b = xcalloc(1, sizeof(*b));
	b->name = name;
	b->file = xstrdup(path);
	b->dir = xstrdup(dir);
	b->publish.keep = 7;
	b->limits.command_timeout = BUILD_COMMAND_TIMEOUT;
	b->pipe = -1;
	b->epoch = -1;
	b->matrix = *combination;
	*combination = (struct strv)STRV_INIT;
	r.b = b;
	all->v = xreallocarray(all->v, all->n + 1, sizeof(*all->v));
	all->v[all->n++] = b;
	if (read_file(&r, AT_FDCWD, path, e) < 0)
		return -e->errnum;
	return check(all, b, e);
}

static int add_file(struct builds *all, const char *path, struct error *e)
{
	cleanup_free char *full = realpath(path, NULL), *copy = NULL, *name = NULL;
	struct build_matrix m = { NULL, 0 };
	const char *base;
	size_t len;
	int ret;

	if (!full)
		return err_sys(e, errno, "cannot read '%s'", path);
	copy = xstrdup(full);
	base = strrchr(full, '/') + 1;
	len = strlen(base) - (str_ends(base, ENDING) ? strlen(ENDING) : 0);
	if (!len || base[len] != '.')
		return err_usage(e, "'%s' is not called NAME" ENDING, path);
	name = xstrndup(base, len);
	(void)dirname(copy);
	ret = build_matrix_read(path, AT_FDCWD, &m, e);
	for (size_t i = 0; i < m.n && ret == 0; i++)
		ret = add_one(all, path, copy, build_matrix_name(name, &m.v[i]), &m.v[i], e);
	build_matrix_release(&m);
	return ret;
}

/* The file that makes the build @name: its own, or one whose [Matrix] has its words; malloc'ed. */
static char *file_of(const char *dir, const char *name)
{
	cleanup_free char *stem = xstrdup(name);

	for (char *dash = NULL;; *dash = '\0') {
		cleanup_free char *file = xasprintf("%s/%s" ENDING, dir, stem);

		if (access(file, F_OK) == 0)
			return steal_ptr(&file);
		dash = strrchr(stem, '-');
		if (!dash)
			return NULL;
	}
}

static int add_folder(struct builds *all, const char *dir, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t found = 0;
	int ret;

	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", dir);
	ret = dir_names(fd, &names, e);
	strv_sort(&names);
	for (size_t i = 0; i < names.n && ret == 0; i++) {
		cleanup_free char *path = str_eq(dir, ".") ? xstrdup(names.v[i]) :
					  path_join(dir, names.v[i]);

		if (names.v[i][0] == '.' || !str_ends(names.v[i], ENDING))
			continue;
		ret = add_file(all, path, e);
		found++;
	}
	if (ret == 0 && !found)
		ret = err_set(e, ENOENT, "there is no build file (NAME" ENDING ") in '%s'", dir);
	return ret;
}

/* What the named ones build on is beside them. */
static int add_bases(struct builds *all, struct error *e)
{
	for (size_t i = 0; i < all->n; i++) {
		struct build *b = all->v[i];
		cleanup_free char *path = NULL;

		if (!b->base || builds_find(all, b->base))
			continue;
		path = file_of(b->dir, b->base);
		if (path && add_file(all, path, e) < 0)
			return -e->errnum;
		if (!builds_find(all, b->base))
			return err_usage(e, "%s: [Source]: there is no build '%s': no file '%s/%s" ENDING "'",
					 b->file, b->base, b->dir, b->base);
	}
	return 0;
}

int builds_read(struct builds *all, const struct build_tools *tools, char *const *paths, size_t n,
		struct error *e)
{
	char *const here[] = { (char *)"." };
	size_t named;
	int ret = 0;

	all->tools = tools;
	if (!n) {
		paths = here;
		n = 1;
	}
	for (size_t i = 0; i < n && ret == 0; i++) {
		struct stat st;

		if (stat(paths[i], &st) < 0)
			return err_sys(e, errno, "cannot read '%s'", paths[i]);
		ret = S_ISDIR(st.st_mode) ? add_folder(all, paths[i], e) :
					    add_file(all, paths[i], e);
	}
	named = all->n;
	for (size_t i = 0; i < named; i++)
		all->v[i]->wanted = true;
	return ret < 0 ? ret : add_bases(all, e);
}

static void step_release(struct build_step *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].name);
		machine_release(&v[i].machine);
		places_options_release(&v[i].places);
		strv_release(&v[i].given);
	}
	free(v);
}

static void build_free(struct build *b)
{
	step_release(b->run, !!b->run);
	step_release(b->steps, b->nsteps);
	step_release(b->checks, b->nchecks);
	for (size_t i = 0; i < b->noutputs; i++) {
		free(b->outputs[i].name);
		target_details_release(&b->outputs[i].details);
		strv_release(&b->outputs[i].given);
	}
	free(b->outputs);
	strv_release(&b->mirrors);
	strv_release(&b->options);
	strv_release(&b->values);
	strv_release(&b->matrix);
	sb_release(&b->heard);
	free(b->name);
	free(b->file);
	free(b->dir);
	free(b->tools);
	free(b);
}

void builds_release(struct builds *b)
{
	for (size_t i = 0; i < b->n; i++)
		build_free(b->v[i]);
	for (size_t i = 0; i < b->ninis; i++)
		ini_release(&b->inis[i]);
	free(b->v);
	free(b->inis);
	*b = (struct builds)BUILDS_INIT;
}
