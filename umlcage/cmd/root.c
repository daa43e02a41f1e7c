// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage root: the roots a user keeps by name, and changes of roots that were kept. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hostfs-bridge/roots/roots.h"
#include "hostfs-bridge/share/share.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/cmd.h"

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
	enum root_store store;
	struct strbuf about;	/* the system of a root, the root of changes */
	char date[32];
	const char *state;
	char *path;
};

static void release(struct facts *f)
{
	sb_release(&f->about);
	free_ptr(&f->path);
}

static int read_facts(enum root_store store, const char *name, struct facts *f, struct error *e)
{
	cleanup_free char *of = NULL;
	cleanup_share struct share s = SHARE_INIT;
	struct stat st;
	struct tm tm;
	int ret;

	*f = (struct facts){ .store = store, .about = STRBUF_INIT };
	ret = root_path(store, name, &f->path, e);
	if (ret == 0 && access(f->path, F_OK) < 0)
		ret = root_absent(store, name, e);
	if (ret == 0)
		ret = share_open(&s, f->path, SHARE_PEEK, e);
	if (ret < 0)
		return ret;
	f->state = share_relock(&s, SHARE_WRITE, NULL) == -EBUSY ? "in use" :
		   s.dirty ? "dirty" : "";
	(void)share_relock(&s, SHARE_PEEK, NULL);
	if (store == STORE_ROOTS)
		read_system(s.fd, &f->about);
	else if ((of = changes_root(s.fd)) != NULL)
		sb_adds(&f->about, of);
	if (fstat(s.fd, &st) == 0 && localtime_r(&st.st_ctim.tv_sec, &tm))
		strftime(f->date, sizeof(f->date), "%Y-%m-%d %H:%M", &tm);
	return 0;
}

static const char *about(const struct facts *f)
{
	return f->store == STORE_ROOTS ? "system" : "root";
}

static void add_json(struct strbuf *out, const char *name, const struct facts *f)
{
	const struct {
		const char *key, *value;
	} fields[] = {
		{ "name", name }, { "path", f->path }, { about(f), sb_str(&f->about) },
		{ "changed", f->date }, { "state", f->state },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		sb_addf(out, "%s\"%s\": ", i ? ", " : "{", fields[i].key);
		sb_json_str(out, fields[i].value, strlen(fields[i].value));
	}
	sb_addc(out, '}');
}

static int list(enum root_store store, bool json, struct strbuf *out, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	int ret = root_names(store, &names, e);

	if (json)
		sb_addc(out, '[');
	for (size_t i = 0; ret == 0 && i < names.n; i++) {
		struct facts f;

		ret = read_facts(store, names.v[i], &f, e);
		if (ret == 0 && json) {
			sb_adds(out, i ? ",\n " : "\n ");
			add_json(out, names.v[i], &f);
		} else if (ret == 0) {
			sb_addf(out, "%-20s %-16s %-7s %s\n", names.v[i], f.date, f.state,
				sb_str(&f.about));
		} else if (ret == -ENOENT) {
			/* removed meanwhile */
			err_release(e);
			ret = 0;
		}
		release(&f);
	}
	if (json)
		sb_adds(out, "\n]\n");
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
	  "also if changes of them are kept, which then fit nothing" },
	OPT_END,
};

static const struct opt_spec list_spec = {
	.usage = "umlcage root list [--json] [--changes]",
	.summary = "Lists the kept roots: name, last change, state, system (of changes: their root).",
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
	cleanup_share struct share s = SHARE_INIT;
	struct share_totals totals = { 0 };
	struct facts f;
	int ret = read_facts(store, name, &f, e);

	if (ret == 0)
		ret = share_open(&s, f.path, SHARE_PEEK, e);
	if (ret == 0)
		ret = share_walk(s.fd, SHARE_WALK_NO_XATTRS | SHARE_WALK_RAW, add_size, &totals, e);
	if (ret == 0 && json) {
		add_json(out, name, &f);
		out->len--;
		sb_addf(out, ", \"entries\": %llu, \"bytes\": %llu}\n",
			(unsigned long long)totals.entries, (unsigned long long)totals.bytes);
	} else if (ret == 0) {
		cleanup_free char *size = format_size(totals.bytes);

		sb_addf(out, "name:     %s\npath:     %s\n%-9s %s\nchanged:  %s\nstate:    %s\n"
			"entries:  %llu\non disk:  %s\n", name, f.path,
			store == STORE_ROOTS ? "system:" : "root:", sb_str(&f.about), f.date,
			*f.state ? f.state : "clean", (unsigned long long)totals.entries, size);
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
	bool quiet;
};

static const struct opt import_opts[] = {
	{ OPT_SIZE, 0, "limit", "SIZE", OPT_U64(struct import_options, limit),
	  "refuse an archive that takes more space than this (default: no limit)" },
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct import_options, quiet),
	  "only warnings and errors" },
	OPT_END,
};

static const struct opt_spec import_spec = {
	.usage = "umlcage root import [options] NAME ARCHIVE|-",
	.summary = "Keeps the root filesystem in a tar or cpio archive as NAME.",
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
	      root_import(argv[0], argv[1], &opts, &totals, &e);
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

static const struct command command_list = {
	"list", "lists the kept roots", &list_spec, run_list, NULL, NULL,
}, command_import = {
	"import", "keeps an archive as a root", &import_spec, run_import, NULL, NULL,
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
		&command_list, &command_import, &command_show, &command_rename, &command_remove, NULL,
	},
	.summary = "Roots kept by name, for --root.",
};
