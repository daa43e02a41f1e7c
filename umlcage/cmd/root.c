// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage root: the roots a user keeps by name, and changes of roots that were kept. */
#include <errno.h>
#include <fcntl.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "rootfs/emulate/emulate.h"
#include "rootfs/fabricate/fabricate.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/table/table.h"
#include "umlcage/machine/machine.h"

/* PRETTY_NAME of os-release(5), or "". */
static void read_system(int fd, struct strbuf *out)
{
	static const char *const paths[] = { "usr/lib/os-release", "etc/os-release" };
	cleanup_share_tree struct share_tree *t = share_tree_new(fd, 0);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(paths) && !text.len; i++) {
		const char *name;
		int dir = share_parent(t, paths[i], &name, NULL);
		cleanup_close int file = dir < 0 ? -1 :
			openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		if (file >= 0)
			(void)fd_read_all(file, 65536, &text);
	}

	const char *key = "PRETTY_NAME=";
	const char *line = text.s;

	while (line && !str_starts(line, key)) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (!line)
		return;
	line += strlen(key);
	line += *line == '"' || *line == '\'';
	/* it came out of an archive: no control characters onto the terminal */
	for (; *line && !strchr("\"'\n", *line); line++)
		sb_addc(out, (unsigned char)*line < ' ' || *line == 127 ? '?' : *line);
}

struct facts {
	struct strbuf about;	/* the system of a root, the root of changes */
	uint64_t changed;
	char *state;		/* NULL: nothing to say */
	char *path;		/* NULL: not made yet */
	pid_t pid;		/* who uses it; 0 */
};

static void release(struct facts *f)
{
	sb_release(&f->about);
	free_ptr(&f->path);
	free_ptr(&f->state);
}

/* The path of a root or of changes; a root that is made when it is asked for may have none. */
static int find(enum root_store store, const char *name, char **path, struct error *e)
{
	int ret = root_path(store, name, path, e);

	if (ret < 0 || access(*path, F_OK) == 0)
		return ret;
	free_ptr(path);
	for (const struct fabricate_root *r = fabricate_roots; r->name && store == STORE_ROOTS; r++)
		if (str_eq(r->name, name)) {
			*path = fabricate_root_find(r);
			return 0;
		}
	return root_absent(store, name, e);
}

static int read_facts(enum root_store store, const char *name, struct facts *f, struct error *e)
{
	cleanup_free char *of = NULL;
	cleanup_share struct share s = SHARE_INIT;
	struct stat st;
	int ret;

	*f = (struct facts){ .about = STRBUF_INIT };
	ret = find(store, name, &f->path, e);
	if (ret == 0 && !f->path)
		f->state = xstrdup("made when first used");
	if (ret < 0 || !f->path)
		return ret;
	ret = share_open(&s, f->path, SHARE_PEEK, e);
	if (ret < 0)
		return ret;
	f->pid = share_holder(&s);
	if (f->pid)
		f->state = xasprintf("in use by PID %d", (int)f->pid);
	else if (share_relock(&s, SHARE_WRITE, NULL) == -EBUSY)
		f->state = xstrdup("in use");
	else if (s.dirty)
		f->state = xstrdup("dirty");
	(void)share_relock(&s, SHARE_PEEK, NULL);
	if (store == STORE_ROOTS)
		read_system(s.fd, &f->about);
	else if ((of = changes_root(s.fd)) != NULL)
		sb_adds(&f->about, of);
	if (fstat(s.fd, &st) == 0)
		f->changed = (uint64_t)st.st_ctim.tv_sec;
	return 0;
}

/* What a list has, and what only one alone has, which takes longer. */
#define COLUMNS(title, key) \
	{ "NAME", "name", COLUMN_TEXT }, { "CHANGED", "changed", COLUMN_TIME }, \
	{ "STATE", "state", COLUMN_TEXT }, { title, key, COLUMN_TEXT }, \
	{ NULL, "pid", COLUMN_PID }
enum { LIST_COLUMNS = 6, SHOW_COLUMNS = 8 };

static const struct column columns[][SHOW_COLUMNS] = {
	[STORE_ROOTS] = { COLUMNS("SYSTEM", "system"), { NULL, "path", COLUMN_TEXT },
			  { "ENTRIES", "entries", COLUMN_COUNT }, { "ON DISK", "bytes", COLUMN_SIZE } },
	[STORE_CHANGES] = { COLUMNS("ROOT", "root"), { NULL, "path", COLUMN_TEXT },
			    { "ENTRIES", "entries", COLUMN_COUNT }, { "ON DISK", "bytes", COLUMN_SIZE } },
};

/* The same with the path for people, too. */
static const struct column one[][SHOW_COLUMNS] = {
	[STORE_ROOTS] = { COLUMNS("SYSTEM", "system"), { "PATH", "path", COLUMN_TEXT },
			  { "ENTRIES", "entries", COLUMN_COUNT }, { "ON DISK", "bytes", COLUMN_SIZE } },
	[STORE_CHANGES] = { COLUMNS("ROOT", "root"), { "PATH", "path", COLUMN_TEXT },
			    { "ENTRIES", "entries", COLUMN_COUNT }, { "ON DISK", "bytes", COLUMN_SIZE } },
};

static void add_row(struct table *t, const char *name, const struct facts *f,
		    const struct share_totals *totals)
{
	table_add(t, (struct cell[SHOW_COLUMNS]){
		{ name, 0 }, { NULL, f->changed }, { f->state ? f->state : "clean", 0 },
		{ sb_str(&f->about), 0 }, { NULL, (uint64_t)f->pid }, { f->path, 0 },
		{ NULL, totals->entries }, { NULL, totals->bytes },
	});
}

static int list(enum root_store store, bool json, struct strbuf *out, struct error *e)
{
	cleanup_table struct table *t = table_new(columns[store], LIST_COLUMNS);
	const struct share_totals none = { 0 };
	cleanup_strv struct strv names = STRV_INIT;
	int ret = root_names(store, &names, e);

	for (const struct fabricate_root *r = fabricate_roots; r->name && store == STORE_ROOTS; r++)
		if (!strv_has(&names, r->name))
			strv_add(&names, r->name);
	strv_sort(&names);
	for (size_t i = 0; ret == 0 && i < names.n; i++) {
		struct facts f;

		ret = read_facts(store, names.v[i], &f, e);
		if (ret == 0)
			add_row(t, names.v[i], &f, &none);
		if (ret == -ENOENT) {
			/* removed meanwhile */
			err_release(e);
			ret = 0;
		}
		release(&f);
	}
	table_text(t, json, out);
	return ret;
}

static int print(int ret, struct strbuf *out, struct error *e)
{
	if (ret == 0 && (fputs(sb_str(out), stdout) < 0 || fflush(stdout) < 0))
		ret = err_sys(e, errno, "cannot write to standard output");
	sb_release(out);
	return ret < 0 ? cmd_fail(e) : EXIT_OK;
}

struct root_options {
	bool json, changes, force;
};

#define CHANGES_OPTION \
	{ OPT_FLAG, 0, "changes", NULL, OPT_BOOL(struct root_options, changes), \
	  "those that 'umlcage run --keep' keeps, not roots" }

static const struct opt show_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct root_options, json), "as JSON" },
	CHANGES_OPTION,
	OPT_END,
};

static const struct opt change_opts[] = { CHANGES_OPTION, OPT_END };

static const struct opt remove_opts[] = {
	{ OPT_FLAG, 0, "force", NULL, OPT_BOOL(struct root_options, force),
	  "also if changes of them are kept, or snapshots, which then fit nothing" },
	OPT_END,
};

static const struct opt_spec list_spec = {
	.usage = "umlcage root list [--json] [--changes]",
	.summary = "Lists the kept roots, and those that are made when they are first used.",
	.groups = OPT_GROUPS({ NULL, show_opts, 0 }),
};

static int run_list(const struct command *self, int argc, char **argv)
{
	struct root_options o = { 0 };
	struct error e = ERROR_INIT;
	struct strbuf out = STRBUF_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	return print(argc ? err_usage(&e, "'umlcage root list' takes no operand") :
		     list(o.changes ? STORE_CHANGES : STORE_ROOTS, o.json, &out, &e), &out, &e);
}

static int add_size(const struct share_entry *ent, void *arg, struct error *e)
{
	struct share_totals *t = arg;

	t->entries++;
	t->bytes += (uint64_t)ent->host.st_blocks * 512;
	return interrupted() ? err_set(e, EINTR, "interrupted") : 0;
}

static int show(enum root_store store, const char *name, bool json, struct strbuf *out, struct error *e)
{
	cleanup_table struct table *t = table_new(one[store], SHOW_COLUMNS);
	cleanup_share struct share s = SHARE_INIT;
	struct share_totals totals = { 0 };
	struct facts f;
	int ret = read_facts(store, name, &f, e);

	if (ret == 0 && f.path)
		ret = share_open(&s, f.path, SHARE_PEEK, e);
	if (ret == 0 && f.path)
		ret = share_walk(s.fd, SHARE_WALK_NO_XATTRS | SHARE_WALK_RAW, add_size, &totals, e);
	if (ret == 0) {
		add_row(t, name, &f, &totals);
		table_text_one(t, json, out);
	}
	release(&f);
	return ret;
}

static const struct opt_spec show_spec = {
	.usage = "umlcage root show [--json] [--changes] NAME",
	.summary = "Shows where a kept root is, what is in it, and how large it is.",
	.groups = OPT_GROUPS({ NULL, show_opts, 0 }),
};

static int run_show(const struct command *self, int argc, char **argv)
{
	struct root_options o = { 0 };
	struct error e = ERROR_INIT;
	struct strbuf out = STRBUF_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	return print(argc != 1 ? err_usage(&e, "'umlcage root show' takes one name") :
		     show(o.changes ? STORE_CHANGES : STORE_ROOTS, argv[0], o.json, &out, &e), &out, &e);
}

struct import_options {
	uint64_t limit;
	const char *tag;
	bool quiet;
};

static const struct opt import_opts[] = {
	{ OPT_SIZE, 0, "limit", "SIZE", OPT_U64(struct import_options, limit),
	  "refuse an archive that takes more space than this (default: no limit)" },
	{ OPT_STRING, 0, "tag", "NAME", OPT_STR(struct import_options, tag),
	  "which of several images of containers to take" },
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct import_options, quiet),
	  "only warnings and errors" },
	OPT_END,
};

static const struct opt_spec import_spec = {
	.usage = "umlcage root import [options] NAME ARCHIVE|DIR|-",
	.summary = "Keeps a root filesystem as NAME: one in a tar or cpio archive, an image of containers\n"
		   "(an OCI layout, or an archive of one, or what 'docker save' writes), or a share.",
	.groups = OPT_GROUPS({ NULL, import_opts, 0 }),
};

static int run_import(const struct command *self, int argc, char **argv)
{
	struct import_options o = { 0 };
	struct error e = ERROR_INIT;
	struct progress progress;
	struct share_totals totals;
	struct share_import_opts opts = { .progress = &progress };
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	progress_init(&progress, 2, o.quiet ? -1 : 0);
	opts.limit = o.limit;
	interrupt_begin();
	ret = argc != 2 ? err_usage(&e, "'umlcage root import' takes a name and an archive") :
	      root_import(argv[0], argv[1], &opts, o.tag, &totals, &e);
	interrupt_end();
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

static const struct opt_spec remove_spec = {
	.usage = "umlcage root remove [--changes | --force] NAME...",
	.summary = "Removes kept roots that no cage uses.",
	.groups = OPT_GROUPS({ NULL, change_opts, 0 }, { NULL, remove_opts, 0 }),
};

static int run_remove(const struct command *self, int argc, char **argv)
{
	struct root_options o = { 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret = 0;

	if (status >= 0)
		return status;
	if (argc == 0)
		ret = err_usage(&e, "'umlcage root remove' takes names");
	for (int i = 0; ret == 0 && i < argc; i++)
		ret = root_remove(o.changes ? STORE_CHANGES : STORE_ROOTS, argv[i], o.force, &e);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

static const struct opt_spec rename_spec = {
	.usage = "umlcage root rename [--changes] OLD NEW",
	.summary = "Gives a kept root that no cage uses another name.",
	.groups = OPT_GROUPS({ NULL, change_opts, 0 }),
};

static int run_rename(const struct command *self, int argc, char **argv)
{
	struct root_options o = { 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	ret = argc != 2 ? err_usage(&e, "'umlcage root rename' takes two names") :
	      root_rename(o.changes ? STORE_CHANGES : STORE_ROOTS, argv[0], argv[1], &e);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

/* ---- prepare ---- */

struct prepare_options {
	struct machine machine;
	const char *mirror;
	int verbose;
	bool quiet;
};

static const struct opt prepare_opts[] = {
	{ OPT_STRING, 0, "mirror", "URL", OPT_STR(struct prepare_options, mirror),
	  "where a missing root is fetched from" },
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct prepare_options, quiet),
	  "only warnings and errors" },
	{ OPT_COUNT, 'v', "verbose", NULL, OPT_INT(struct prepare_options, verbose), "more" },
	OPT_END,
};

static const struct opt_spec prepare_spec = {
	.usage = "umlcage root prepare [options] ROOT",
	.summary = "Makes ready what may follow --root, as the first 'umlcage run' would: unpacks an "
		   "archive,\nfabricates 'default' or 'tools', fetches the emulators that it needs. "
		   "Prints where it is.",
	.groups = OPT_GROUPS({ NULL, prepare_opts, 0 },
			     { "the cage", machine_opts, offsetof(struct prepare_options, machine) }),
};

/* Emulators for what was asked for, and what the root is made of. */
static int prepare_emulators(const struct prepare_options *o, const struct root_spec *spec,
			     struct progress *progress, struct error *e)
{
	cleanup_emulators struct emulators em = EMULATORS_INIT;
	cleanup_free char *suite = fabricate_host_suite();
	cleanup_close int fd = -1;

	if (spec->kind == ROOT_SHARE)
		fd = open(spec->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return emulate_ensure_root(&em, fd, &o->machine.emulate, suite, o->mirror, progress, e);
}

static int prepare(const struct prepare_options *o, const char *root, struct error *e)
{
	cleanup_root_spec struct root_spec spec = ROOT_SPEC_INIT;
	cleanup_strv struct strv kept = STRV_INIT;
	const char *include = fabricate_tools_named(root);
	struct progress progress;
	int ret;

	progress_init(&progress, STDERR_FILENO, o->quiet ? -1 : o->verbose);
	if (include && root_names(STORE_ROOTS, &kept, NULL) == 0 && !strv_has(&kept, root))
		ret = fabricate_tools_root(NULL, include, o->mirror, &o->machine, &progress,
					   &spec.path, e);
	else
		ret = root_resolve(&spec, root, &progress, e);
	if (ret == 0)
		ret = prepare_emulators(o, &spec, &progress, e);
	progress_end(&progress);
	if (ret == 0)
		puts(spec.path);
	return ret;
}

static int run_prepare(const struct command *self, int argc, char **argv)
{
	struct prepare_options o = { .machine = MACHINE_INIT };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	ret = argc != 1 ? err_usage(&e, "'umlcage root prepare' takes one root") :
	      machine_check(&o.machine, &e);
	if (ret == 0)
		ret = prepare(&o, argv[0], &e);
	machine_release(&o.machine);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

static const struct command command_list = {
	"list", "lists the kept roots", &list_spec, run_list, NULL, NULL,
}, command_import = {
	"import", "keeps an archive as a root", &import_spec, run_import, NULL, NULL,
}, command_prepare = {
	"prepare", "makes a root ready to boot", &prepare_spec, run_prepare, NULL, NULL,
}, command_show = {
	"show", "shows one root", &show_spec, run_show, NULL, NULL,
}, command_rename = {
	"rename", "gives a root another name", &rename_spec, run_rename, NULL, NULL,
}, command_remove = {
	"remove", "removes roots", &remove_spec, run_remove, NULL, NULL,
};

const struct command command_root = {
	.name = "root",
	.help = "roots kept by name",
	.run = cmd_dispatch,
	.sub = (const struct command *const[]){
		&command_list, &command_import, &command_prepare, &command_show, &command_rename,
		&command_remove, NULL,
	},
	.summary = "Roots kept by name, for --root.",
};
