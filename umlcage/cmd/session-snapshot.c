// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage session snapshot, snapshots, restore: what the disk of a session was at a time, and back
 * to that.  Changes that are in a share or a COW file of the host are copied while the cage stands
 * still; those in the memory of the cage come out as a stream of tar.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/roots/roots.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/session.h"
#include "umlcage/snapshot/snapshot.h"
#include "umlcage/table/table.h"

/* ---- snapshot ---- */

struct snapshot_options {
	bool remove;
};

static const struct opt snapshot_opts[] = {
	{ OPT_FLAG, 0, "remove", NULL, OPT_BOOL(struct snapshot_options, remove),
	  "remove snapshots of the session instead" },
	OPT_END,
};

static const struct opt_spec snapshot_spec = {
	.usage = "umlcage session snapshot NAME [SNAPSHOT]\n"
		 "       umlcage session snapshot --remove NAME SNAPSHOT...",
	.summary = "Keeps what the disk of a session is now, while it works; prints the snapshot's name.",
	.groups = OPT_GROUPS({ NULL, snapshot_opts, 0 }),
	.epilogue =
		"Without SNAPSHOT it is called snap0, snap1, ...  It has the changes to the root, not\n"
		"processes, their memory or mounted folders.  With --keep, --scratch=disk or --cow\n"
		"everything is written back and the session stands still until that is copied: what is\n"
		"kept is what a cut of the power would leave.  Changes in memory are read by the 'tar' of\n"
		"the session while it goes on: what is being written meanwhile is kept as it happens to\n"
		"be.  Snapshots stay when the session has ended, until they are removed; as long as\n"
		"there is one, its root is neither removed nor written to.",
};

static int import_layer(int fd, void *arg, struct error *e)
{
	const struct share_import_opts opts = { 0 };

	return share_import(arg, fd, "the session's changes", &opts, &(struct share_totals){ 0 }, e);
}

/* The layer is of the session's root, which is not to be removed or written to any more. */
static int bind_layer(const struct share *layer, const struct snapshot *s, const struct strv *words,
		      struct error *e)
{
	cleanup_share struct share root = SHARE_INIT;
	int ret = share_open(&root, session_get(words, "share"), SHARE_PEEK, e);

	return ret < 0 ? ret : changes_bind(layer, s->name, &root, e);
}

/* Changes in the memory of the cage. */
static int take_memory(struct snapshot *s, const struct strv *words, struct error *e)
{
	char *tar[] = { "tar", "-c", "-f", "-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--acls",
			"--sparse", "--warning=no-file-ignored", "upper", NULL };
	cleanup_free char *path = path_join(s->path, "layer");
	cleanup_share struct share layer = SHARE_INIT;
	int ret = share_create(&layer, path, e);

	if (ret == 0)
		ret = bind_layer(&layer, s, words, e);
	if (ret == 0)
		ret = session_stream(s->session, tar, SESSION_STREAM_CHANGES, import_layer, &layer, e);
	if (ret == 0)
		ret = share_mark_clean(&layer, e);
	return ret;
}

/* What was copied of a layer on the host becomes one of its own. */
static int finish_layer(struct snapshot *s, const struct strv *words, struct error *e)
{
	cleanup_free char *path = path_join(s->path, "layer");
	cleanup_share struct share layer = SHARE_INIT;
	int ret = snapshot_mend_layer(s, e);

	if (ret == 0)
		ret = share_open(&layer, path, SHARE_PEEK, e);
	return ret < 0 ? ret : bind_layer(&layer, s, words, e);
}

/* Changes on the host, in a share or a COW file. */
static int take_disk(struct snapshot *s, const struct strv *words, struct error *e)
{
	cleanup_strv struct strv freeze = STRV_INIT, thaw = STRV_INIT, answer = STRV_INIT;
	cleanup_close int fd = session_connect(s->session, e);
	const char *path = session_get(words, "changes");
	bool cow = str_eq(session_get(words, "disk"), "cow");
	int ret = fd < 0 ? fd : 0;

	strv_add(&freeze, "freeze");
	strv_add(&thaw, "thaw");
	if (ret == 0)
		ret = session_ask(fd, &freeze, &answer, e);
	if (ret == 0)
		ret = cow ? snapshot_take_cow(s, path, e) : snapshot_take_layer(s, path, e);
	/* had it gone on before, the copy would be of several moments */
	if (ret == 0)
		ret = session_ask(fd, &thaw, &answer, e);
	close_fd(&fd);
	return ret == 0 && !cow ? finish_layer(s, words, e) : ret;
}

static int check_disk(const char *session, const char *disk, struct error *e)
{
	if (str_eq(disk, "written"))
		return err_usage(e, "the session '%s' writes to its root itself (--writable, --commit): its "
				 "changes are nowhere apart from that; 'umlcage session commit' makes a root "
				 "of it", session);
	if (str_eq(disk, "thrown"))
		return err_usage(e, "the changes of '%s' to its disk image are thrown away; start it with "
				 "--cow FILE to have snapshots", session);
	return disk ? 0 : err_usage(e, "the session '%s' was started by another version; start it again",
				    session);
}

/* 1: it was said what is wrong. */
static int take(const char *session, const char *name, struct error *e)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	cleanup_snapshot struct snapshot s = SNAPSHOT_INIT;
	cleanup_close int fd = session_connect(session, e);
	const char *disk;
	int ret;

	if (fd < 0)
		return fd;
	close_fd(&fd);
	if (session_read_record(session, &r, NULL) < 0)
		return session_absent(session, e);
	disk = session_get(&r.words, "disk");
	ret = check_disk(session, disk, e);
	if (ret == 0)
		ret = snapshot_begin(&s, session, name, e);
	if (ret == 0)
		ret = str_eq(disk, "memory") ? take_memory(&s, &r.words, e) : take_disk(&s, &r.words, e);
	if (ret == 0)
		ret = snapshot_commit(&s, &r.words, e);
	if (ret == 0 && (puts(s.name) < 0 || fflush(stdout) != 0))
		ret = err_sys(e, errno, "cannot write to standard output");
	return ret;
}

static int run_snapshot(const struct command *self, int argc, char **argv)
{
	struct snapshot_options o = { false };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret = 0;

	if (status >= 0)
		return status;
	if (argc < (o.remove ? 2 : 1) || (!o.remove && argc > 2)) {
		err_usage(&e, "give the NAME of a session and %s; see 'umlcage session snapshot --help'",
			  o.remove ? "those of SNAPSHOTs" : "at most that of a SNAPSHOT");
		return cmd_fail(&e);
	}
	interrupt_begin();
	status = EXIT_OK;
	if (!o.remove) {
		ret = take(argv[0], argc > 1 ? argv[1] : NULL, &e);
		status = ret < 0 ? cmd_fail(&e) : ret ? EXIT_FAILED : EXIT_OK;
	}
	for (int i = 1; o.remove && i < argc; i++)
		if (snapshot_remove(argv[0], argv[i], &e) < 0)
			status = cmd_fail(&e);
	interrupt_end();
	return status;
}

/* ---- snapshots ---- */

struct list_options {
	bool json;
};

static const struct opt list_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct list_options, json), "as a JSON array" },
	OPT_END,
};

static const struct opt_spec list_spec = {
	.usage = "umlcage session snapshots [--json] [NAME]",
	.summary = "Lists snapshots of sessions, also of those that have ended.",
	.groups = OPT_GROUPS({ NULL, list_opts, 0 }),
};

static const struct column columns[] = {
	{ "SESSION", "session", COLUMN_TEXT }, { "SNAPSHOT", "snapshot", COLUMN_TEXT },
	{ "TAKEN", "taken", COLUMN_TIME }, { "ON DISK", "bytes", COLUMN_SIZE },
	{ "ROOT", "root", COLUMN_TEXT }, { "KEPT AS", "kept", COLUMN_TEXT },
	{ NULL, "path", COLUMN_TEXT },
};

static int add_size(const struct share_entry *ent, void *arg, struct error *e)
{
	(void)e;
	*(uint64_t *)arg += (uint64_t)ent->host.st_blocks * 512;
	return 0;
}

static uint64_t size_of(const struct snapshot *s)
{
	cleanup_free char *layer = snapshot_layer(s), *cow = snapshot_cow(s);
	cleanup_close int fd = layer ? open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	uint64_t bytes = 0;
	struct stat st;

	if (fd >= 0)
		(void)share_walk(fd, SHARE_WALK_NO_XATTRS | SHARE_WALK_RAW, add_size, &bytes, NULL);
	if (cow && stat(cow, &st) == 0)
		bytes = (uint64_t)st.st_blocks * 512;
	return bytes;
}

static uint64_t taken_at(const struct snapshot *s)
{
	const char *text = session_get(&s->words, "taken");
	uint64_t at;

	return text && parse_u64(text, 10, UINT64_MAX, &at) == 0 ? at : 0;
}

static int list_one(struct table *t, const char *session, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	int ret = snapshot_names(session, &names, e);

	for (size_t i = 0; ret == 0 && i < names.n; i++) {
		cleanup_snapshot struct snapshot s = SNAPSHOT_INIT;

		/* it may have been removed since its name was read */
		if (snapshot_open(&s, session, names.v[i], NULL) < 0)
			continue;
		table_add(t, (const struct cell[ARRAY_SIZE(columns)]){
			{ .text = session }, { .text = s.name }, { .number = taken_at(&s) },
			{ .number = size_of(&s) }, { .text = session_get(&s.words, "root") },
			{ .text = session_get(&s.words, "keep") }, { .text = s.path },
		});
	}
	return ret;
}

static int run_list(const struct command *self, int argc, char **argv)
{
	cleanup_table struct table *t = table_new(columns, ARRAY_SIZE(columns));
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup_strv struct strv sessions = STRV_INIT;
	struct list_options o = { false };
	struct error e = ERROR_INIT;
	const char *name = NULL;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret = 0;

	if (status < 0 && argc > 0)
		status = session_operand(argc, argv, &name);
	if (status >= 0)
		return status;
	if (name)
		strv_add(&sessions, name);
	else
		ret = snapshot_sessions(&sessions, &e);
	for (size_t i = 0; ret == 0 && i < sessions.n; i++)
		ret = list_one(t, sessions.v[i], &e);
	if (ret < 0)
		return cmd_fail(&e);
	table_text(t, o.json, &out);
	return fputs(sb_str(&out), stdout) < 0 || fflush(stdout) != 0 ? EXIT_FAILED : EXIT_OK;
}

/* ---- restore ---- */

static const struct opt_spec restore_spec = {
	.usage = "umlcage session restore NAME SNAPSHOT",
	.summary = "Ends a session, if it runs, with all its processes, and starts it again with the disk\n"
		   "that it had when the snapshot was taken.  Changes made since are lost.",
	.epilogue = "It is started as it was when the snapshot was taken, with the same options, also if it "
		    "has ended.\nThe snapshot stays.  What --keep or --cow name has from then on what the "
		    "snapshot has; other\nchanges go to the disk, as with --snapshot, and are thrown away "
		    "at the end.",
};

/* What takes the place of the kept changes, or of the COW file, made while the session still works. */
struct replacement {
	struct share_stage layer;
	struct outfile cow;
	bool is_layer, is_cow;
};

#define REPLACEMENT_INIT { SHARE_STAGE_INIT, OUTFILE_INIT, false, false }

static void replacement_release(struct replacement *r)
{
	share_stage_abort(&r->layer);
	outfile_abort(&r->cow);
}

static int prepare_layer(struct replacement *r, const char *keep, const char *layer, struct error *e)
{
	cleanup_share struct share from = SHARE_INIT;
	cleanup_free char *to = NULL;
	int ret = root_path(STORE_CHANGES, keep, &to, e);

	if (ret == 0)
		ret = share_open(&from, layer, SHARE_PEEK, e);
	if (ret == 0)
		ret = share_stage_begin_over(&r->layer, to, e);
	if (ret == 0)
		ret = share_copy(from.fd, r->layer.share.fd, e);
	r->is_layer = ret == 0;
	return ret;
}

static int prepare_cow(struct replacement *r, const char *path, const char *cow, struct error *e)
{
	cleanup_close int from = open(cow, O_RDONLY | O_CLOEXEC);
	int ret = from < 0 ? err_sys(e, errno, "cannot open '%s'", cow) :
			     outfile_open(&r->cow, AT_FDCWD, path, 0600, e);

	if (ret == 0)
		ret = share_copy_file(from, r->cow.fd, e);
	r->is_cow = ret == 0;
	return ret;
}

/* Does the snapshot fit the root that is there? */
static int check_root(const struct snapshot *s, const char *layer, struct error *e)
{
	cleanup_share struct share root = SHARE_INIT, changes = SHARE_INIT;
	const char *path = session_get(&s->words, "share");
	int ret = share_open(&changes, layer, SHARE_PEEK, e);

	if (ret == 0)
		ret = share_open(&root, path ? path : "", SHARE_PEEK, e);
	if (ret == 0 && changes_bind(&changes, s->name, &root, NULL) < 0)
		ret = err_set(e, ESTALE, "the root '%s' was written to, or made again, since", path);
	return ret < 0 ? err_wrap(e, "the snapshot '%s' cannot be restored", s->name) : 0;
}

static int prepare(struct replacement *r, const struct snapshot *s, struct error *e)
{
	cleanup_free char *layer = snapshot_layer(s), *cow = snapshot_cow(s);
	const char *keep = session_get(&s->words, "keep"), *path = session_get(&s->words, "changes");
	int ret;

	if (cow && path)
		return prepare_cow(r, path, cow, e);
	if (!layer)
		return err_set(e, EBADMSG, "the snapshot '%s' is damaged", s->path);
	ret = check_root(s, layer, e);
	return ret == 0 && keep ? prepare_layer(r, keep, layer, e) : ret;
}

/* Ends the session, or forgets it if it was lost; it may be gone already. */
static int end(const char *session, struct error *e)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;
	int ret;

	if (session_read_record(session, &r, NULL) < 0)
		return 0;
	ret = session_until_end(session, "stop", e);
	if (ret == 0)
		return 0;
	/* how it ended does not matter any more: what it changed is to be lost */
	if (ret != -EIO && ret != -ESRCH && ret != -ENOENT)
		return ret;
	err_release(e);
	ret = session_forget(session, e);
	if (ret == -ENOENT)
		err_release(e);
	return ret == -ENOENT ? 0 : ret;
}

static int restore(const char *session, const char *name, struct error *e)
{
	cleanup_snapshot struct snapshot s = SNAPSHOT_INIT;
	cleanup_free char *both = xasprintf("%s/%s", session, name);
	struct replacement r = REPLACEMENT_INIT;
	struct session_record record;
	int ret = snapshot_open(&s, session, name, e);

	if (ret == 0)
		ret = prepare(&r, &s, e);
	if (ret == 0 && interrupted())
		ret = err_set(e, EINTR, "interrupted");
	if (ret == 0)
		ret = end(session, e);
	if (ret == 0 && r.is_layer)
		ret = share_stage_commit(&r.layer, e);
	if (ret == 0 && r.is_cow)
		ret = outfile_commit(&r.cow, e);
	/* lets go of the lock on it, which the session wants */
	share_close(&r.layer.share);
	if (ret == 0) {
		record.words = s.words;
		ret = session_again(&record, r.is_layer || r.is_cow ? NULL : both, e);
	}
	replacement_release(&r);
	return ret;
}

static int run_restore(const struct command *self, int argc, char **argv)
{
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, NULL, &argc, &argv), ret;

	if (status >= 0)
		return status;
	if (argc != 2) {
		err_usage(&e, "give the NAME of a session and that of a SNAPSHOT; see 'umlcage session "
			  "snapshots'");
		return cmd_fail(&e);
	}
	interrupt_begin();
	ret = restore(argv[0], argv[1], &e);
	interrupt_end();
	return ret < 0 ? cmd_fail(&e) : ret;
}

const struct command command_session_snapshot = {
	"snapshot", "keeps what the disk of a session is now", &snapshot_spec, run_snapshot, NULL, NULL,
}, command_session_snapshots = {
	"snapshots", "lists snapshots of sessions", &list_spec, run_list, NULL, NULL,
}, command_session_restore = {
	"restore", "starts a session again from a snapshot", &restore_spec, run_restore, NULL, NULL,
};
