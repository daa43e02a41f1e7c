// SPDX-License-Identifier: GPL-2.0-or-later
/* Targets from the first check to the last rename: see target.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hostfs-bridge/target/private.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/str.h"

/* ---- before the work ---- */

static int take_epoch(struct target *t, struct error *e)
{
	const char *text = getenv("SOURCE_DATE_EPOCH");
	uint64_t value;

	if (!text || !*text)
		return 0;
	if (parse_u64(text, 10, INT64_MAX, &value) < 0)
		return err_usage(e, "bad SOURCE_DATE_EPOCH '%s': it is seconds since 1970", text);
	t->epoch = (int64_t)value;
	return 0;
}

/* What is there under the name decides where the name itself says nothing. */
static int guess(struct target *t, const struct target_request *r, const struct stat *st,
		 struct error *e)
{
	if (st && S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3)) {
		t->format = format_of_kind(TARGET_NOTHING);
		return 0;
	}
	if (st && S_ISDIR(st->st_mode) && r->directories) {
		t->format = format_of_kind(TARGET_DIRECTORY);
		return 0;
	}
	format_by_name(t->name, &t->format, &t->compression);
	if (t->format)
		return 0;
	if (t->is_stdout || (st && !S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)))
		t->format = format_find("tar");
	else if (r->directories && !format_meant(t->name))
		t->format = format_of_kind(TARGET_DIRECTORY);
	else
		return format_unknown(t->name, e);
	return 0;
}

static int find_format(struct target *t, const struct target_request *r, const struct stat *st,
		       struct error *e)
{
	bool named = r->format && !str_eq(r->format, "auto");
	int ret = named ? format_parse(r->format, &t->format, &t->compression, e) :
			  guess(t, r, st, e);

	/* --format=tar leaves the compression to the name */
	if (ret == 0 && named && !t->compression && !strchr(r->format, '.'))
		format_by_name(t->name, &t->format, &t->compression);
	if (ret == 0 && !t->compression && t->format->compressed)
		t->compression = compression_find(t->format->compressed);
	if (ret == 0 && t->compression && !share_compresses(t->compression->name))
		return err_usage(e, "cannot make '%s': this libarchive cannot compress with %s by itself; "
				 "take .zst, .xz or .gz", t->label, t->compression->name);
	return ret;
}

static int check_level(const struct target *t, const char *level, struct error *e)
{
	uint64_t value;

	if (!level)
		return 0;
	if (t->format->max_level)
		return parse_u64(level, 10, t->format->max_level, &value) < 0 ?
		       err_usage(e, "bad level '%s' for %s: it is a number from 0 to %u", level,
				 t->format->name, t->format->max_level) : 0;
	if (!t->compression)
		return err_usage(e, "'%s' is not compressed: a level has nothing to do", t->label);
	if (parse_u64(level, 10, 22, &value) < 0 ||
	    (value > 9 && !str_eq(t->compression->name, "zstd")))
		return err_usage(e, "bad level '%s' for %s: it is a number from 0 to %d", level,
				 t->compression->name,
				 str_eq(t->compression->name, "zstd") ? 22 : 9);
	return 0;
}

static bool is_oci(const struct target *t)
{
	return t->format->kind == TARGET_OCI || t->format->kind == TARGET_OCI_DIRECTORY;
}

/* What goes into the menu of a boot loader as it is. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text) || strchr("'\"\\$;{}&|<>`#", *text))
			return false;
	return true;
}

static int check_boot(const struct target *t, struct error *e)
{
	static const char *const words[] = { TARGET_BOOT, "bios", "uefi", "systemd-boot", "uki" };
	const struct target_details *d = t->details;
	bool known = !d->boot;

	if ((d->boot && !(t->format->boots && t->format->sized)) ||
	    (d->boot_args && !t->format->boots))
		return err_usage(e, "--%s is for disks that boot, and this is %s",
				 d->boot ? "boot" : "boot-args", t->format->name);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		known |= str_eq(d->boot, words[i]);
	if (!known)
		return err_usage(e, "--boot: there is no '%s'; there are both, bios, uefi, systemd-boot "
				 "and uki", d->boot);
	if (d->boot_args && !is_plain(d->boot_args))
		return err_usage(e, "--boot-args: no quotes, and none of \\ $ ; { } & | < > ` #");
	return 0;
}

/* Nothing is asked that the format has no place for. */
static int check_details(const struct target *t, struct error *e)
{
	const struct target_details *d = t->details;
	const char *name = t->format->name;

	if (d->size && !t->format->sized)
		return err_usage(e, "--size is for file systems with room in them, and %s is none", name);
	if (d->size && d->size < TARGET_SIZE_MIN)
		return err_usage(e, "--size: %llu bytes are too few for a file system; give 1M or more",
				 (unsigned long long)d->size);
	if (d->label && !t->format->labelled)
		return err_usage(e, "--fs-label: %s has no label", name);
	if (d->label && (!*d->label || strlen(d->label) > TARGET_LABEL_MAX))
		return err_usage(e, "--fs-label: a label has 1 to %d letters, and '%s' has %zu",
				 TARGET_LABEL_MAX, d->label, strlen(d->label));
	if (d->verity && !t->format->verity)
		return err_usage(e, "--verity is for squashfs, erofs and ext4, and this is %s", name);
	if (check_boot(t, e) < 0)
		return -e->errnum;
	if (!is_oci(t))
		return oci_config_given(&d->oci) ?
		       err_usage(e, "--oci-%s is for images of containers, and this is %s",
				 oci_config_given(&d->oci), name) : 0;
	return oci_config_check(&d->oci, e);
}

/* Its directory is there and takes new files. */
static int check_parent(const struct target *t, struct error *e)
{
	cleanup_free char *copy = xstrdup(t->name);
	const char *dir = dirname(copy);
	struct stat st;

	if (stat(dir, &st) < 0)
		return err_sys(e, errno, "cannot write '%s': its directory '%s'", t->name, dir);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "cannot write '%s': '%s' is not a directory", t->name, dir);
	if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, errno, "cannot write '%s': its directory '%s'", t->name, dir);
	return 0;
}

static int check_place(struct target *t, const struct stat *st, struct error *e)
{
	enum target_kind kind = t->format->kind;
	bool directory = kind == TARGET_DIRECTORY || kind == TARGET_OCI_DIRECTORY;

	if (kind == TARGET_NOTHING)
		return 0;
	if (t->is_stdout && directory)
		return err_usage(e, "a directory cannot be written to standard output");
	if (t->is_stdout)
		return isatty(STDOUT_FILENO) ? err_usage(e, "standard output is a terminal, and an "
							 "archive is not text; name a file") : 0;
	if (directory && str_eq(t->name, "/"))
		return err_usage(e, "refusing to use the root directory as target");
	if (directory)
		return st && !S_ISDIR(st->st_mode) ?
		       err_set(e, ENOTDIR, "cannot make the directory '%s': a file is there", t->name) :
		       share_stage_check(t->name, e);
	if (st && S_ISDIR(st->st_mode))
		return err_set(e, EISDIR, "cannot write '%s': it is a directory", t->name);
	if (st && S_ISSOCK(st->st_mode))
		return err_set(e, ENXIO, "cannot write '%s': it is a socket", t->name);
	t->is_device = st && !S_ISREG(st->st_mode);
	if (t->is_device)
		return faccessat(AT_FDCWD, t->name, W_OK, AT_EACCESS) < 0 ?
		       err_sys(e, errno, "cannot write '%s'", t->name) : 0;
	return check_parent(t, e);
}

int target_parse(struct target *t, const struct target_request *r, struct error *e)
{
	struct stat st;
	bool there;
	int ret;

	*t = (struct target)TARGET_INIT;
	if (!*r->name)
		return err_usage(e, "the target's name is empty");
	t->name = xstrdup(r->name);
	t->is_stdout = str_eq(t->name, "-");
	t->label = t->is_stdout ? "standard output" : t->name;
	t->level = r->level ? xstrdup(r->level) : NULL;
	t->threads = r->threads;
	t->sparse = r->sparse;
	if (r->details)
		t->details = r->details;
	there = t->is_stdout ? fstat(STDOUT_FILENO, &st) == 0 : stat(t->name, &st) == 0;
	if (!there && !t->is_stdout && errno != ENOENT)
		return err_sys(e, errno, "cannot write '%s'", t->name);
	ret = find_format(t, r, there ? &st : NULL, e);
	if (ret == 0)
		ret = check_level(t, r->level, e);
	if (ret == 0)
		ret = check_details(t, e);
	if (ret == 0)
		ret = take_epoch(t, e);
	if (ret == 0 && !r->no_check)
		ret = check_place(t, there ? &st : NULL, e);
	if (ret == 0 && !r->no_check)
		ret = beside_check(t, e);
	return ret;
}

int target_room(const struct target *t, uint64_t bytes, struct error *e)
{
	cleanup_free char *copy = xstrdup(t->name), *need = NULL, *have = NULL;
	uint64_t room;

	if (t->is_stdout || t->is_device || t->format->kind == TARGET_NOTHING)
		return 0;
	if (t->compression)
		bytes /= t->compression->shrinks;
	if (free_space(dirname(copy), &room, NULL) < 0 || room >= bytes)
		return 0;
	need = format_size(bytes);
	have = format_size(room);
	return err_set(e, ENOSPC, "not enough room for '%s': it needs about %s, and there is %s",
		       t->name, need, have);
}

/* ---- the work ---- */

int target_prepare(struct target *t, struct progress *progress, struct error *e)
{
	if (t->format->kind != TARGET_IMAGE)
		return 0;
	if (!t->maker)
		return err_set(e, EOPNOTSUPP, "cannot make '%s': for %s images there is no cage here",
			       t->label, t->format->name);
	return t->maker->prepare(t->maker, t, progress, e);
}

/* What a kernel starts. */
static int check_init(const struct target *t, struct share *s, struct error *e)
{
	cleanup_share_tree struct share_tree *tree = share_tree_new(s->fd, 0);
	struct share_attr a;

	if (share_stat(tree, "init", &a, NULL) == 0 || share_stat(tree, "sbin/init", &a, NULL) == 0)
		return 0;
	return err_set(e, ENOENT, "cannot make '%s': the tree has neither /init nor /sbin/init, for a kernel "
		       "to start; install init, or make one", t->label);
}

int target_check(struct target *t, struct share *s, struct error *e)
{
	if (t->format->archive && t->format->archive->init)
		return check_init(t, s, e);
	return t->format->kind == TARGET_IMAGE && t->maker ? t->maker->check(t->maker, t, s, e) : 0;
}

/* An ordinary directory beside the name that it will have; what killed runs left goes. */
static int part_begin(struct target *t, struct error *e)
{
	cleanup_free char *a = xstrdup(t->name), *b = xstrdup(t->name);
	const char *dir = dirname(a), *name = basename(b);

	share_stage_sweep(dir, name);
	t->part = xasprintf("%s/.%.200s.%08x.part", dir, name, (unsigned int)random_u64());
	if (mkdir(t->part, 0777) < 0) {
		int errnum = errno;

		free_ptr(&t->part);
		return err_sys(e, errnum, "cannot create '%s'", t->name);
	}
	t->part_fd = open(t->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->part_fd < 0 || flock(t->part_fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, errno, "cannot open '%s'", t->part);
	return 0;
}

static int part_commit(struct target *t, struct error *e)
{
	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	if (syncfs(t->part_fd) < 0 || rename(t->part, t->name) < 0)
		return err_sys(e, errno, "cannot write '%s'", t->name);
	free_ptr(&t->part);
	close_fd(&t->part_fd);
	return 0;
}

int target_begin(struct target *t, struct error *e)
{
	switch (t->format->kind) {
	case TARGET_DIRECTORY:
		return share_stage_begin(&t->stage, t->name, e);
	case TARGET_OCI_DIRECTORY:
		return part_begin(t, e);
	case TARGET_ARCHIVE:
	case TARGET_IMAGE:
	case TARGET_OCI:
		if (t->is_stdout || t->is_device)
			return 0;
		return outfile_open(&t->out, AT_FDCWD, t->name, 0666, e) < 0 ? -e->errnum :
		       beside_begin(t, e);
	case TARGET_NOTHING:
		break;
	}
	return 0;
}

struct share *target_share(struct target *t)
{
	return t->stage.dir ? &t->stage.share : NULL;
}

/* Where the bytes go; a pipe or device is opened only now, since it may wait for a reader. */
static int open_output(struct target *t, int *opened, struct error *e)
{
	*opened = -1;
	if (t->is_stdout)
		return STDOUT_FILENO;
	if (!t->is_device)
		return t->out.fd;
	*opened = open(t->name, O_WRONLY | O_CLOEXEC);
	return *opened < 0 ? err_sys(e, errno, "cannot write '%s'", t->name) : *opened;
}

static struct share_export_opts export_opts(const struct target *t, struct progress *progress)
{
	return (struct share_export_opts){
		.format = t->format->archive, .level = t->level, .threads = t->threads,
		.compression = t->compression ? t->compression->name : NULL,
		.sparse = t->sparse, .epoch = t->epoch, .progress = progress,
	};
}

static int write_image(struct target *t, struct share *s, int fd, struct progress *progress,
		       struct share_totals *totals, struct error *e)
{
	int ret = target_prepare(t, progress, e);

	return ret < 0 ? ret : t->maker->make(t->maker, t, s, fd, progress, totals, e);
}

static int write_oci(struct target *t, struct share *s, int fd, struct progress *progress,
		     struct share_totals *totals, struct error *e)
{
	const struct oci_opts opts = {
		.config = &t->details->oci, .docker = t->format->docker, .level = t->level,
		.threads = t->threads, .epoch = t->epoch, .progress = progress,
	};

	return t->part ? oci_write_directory(s, t->part_fd, t->label, &opts, totals, e) :
			 oci_write_archive(s, fd, t->label, &opts, totals, e);
}

static int copy_share(const struct target *t, const struct share *s, struct error *e)
{
	int ret = share_copy(s->fd, t->stage.share.fd, e);

	return ret == 0 && t->epoch >= 0 ? share_clamp_times(t->stage.share.fd, t->epoch, e) : ret;
}

int target_write(struct target *t, struct share *s, struct progress *progress,
		 struct share_totals *totals, struct error *e)
{
	struct share_export_opts opts;
	cleanup_close int opened = -1;
	int fd;

	if (t->format->kind == TARGET_NOTHING)
		return 0;
	if (t->format->kind == TARGET_DIRECTORY)
		return s == target_share(t) ? 0 : copy_share(t, s, e);
	if (t->part)
		return write_oci(t, s, -1, progress, totals, e);
	fd = open_output(t, &opened, e);
	if (fd < 0)
		return fd;
	if (t->format->kind == TARGET_IMAGE)
		return write_image(t, s, fd, progress, totals, e);
	if (t->format->kind == TARGET_OCI)
		return write_oci(t, s, fd, progress, totals, e);
	opts = export_opts(t, progress);
	return share_export(s, fd, t->label, &opts, totals, e);
}

int target_write_archive(struct target *t, int from, struct progress *progress, struct error *e)
{
	const struct share_import_opts import = { .progress = progress };
	const struct share_export_opts export = export_opts(t, progress);
	cleanup_close int opened = -1;
	int fd;

	if (target_share(t))
		return share_import(target_share(t), from, "a tree in the cache", &import, NULL, e);
	if (t->format->archive != &share_tar)
		return -EOPNOTSUPP;
	fd = open_output(t, &opened, e);
	return fd < 0 ? fd : share_recompress(from, fd, t->label, &export, e);
}

int target_write_file(struct target *t, int from, struct error *e)
{
	cleanup_close int opened = -1;
	int fd = open_output(t, &opened, e);

	if (fd < 0)
		return fd;
	return share_copy_file(from, fd, e) < 0 ? err_wrap(e, "cannot write '%s'", t->label) : 0;
}

int target_commit(struct target *t, struct error *e)
{
	if (t->stage.dir)
		return share_stage_commit(&t->stage, e);
	if (t->part)
		return part_commit(t, e);
	/* who finds the image finds what checks it */
	if (t->out.fd >= 0)
		return beside_commit(t, e) < 0 ? -e->errnum : outfile_commit(&t->out, e);
	return interrupted() ? err_set(e, EINTR, "interrupted") : 0;
}

void target_abort(struct target *t)
{
	share_stage_abort(&t->stage);
	outfile_abort(&t->out);
	beside_abort(t);
	if (t->part)
		(void)remove_tree(AT_FDCWD, t->part, NULL);
	free_ptr(&t->part);
	close_fd(&t->part_fd);
}

void target_release(struct target *t)
{
	target_abort(t);
	free_ptr(&t->name);
	free_ptr(&t->level);
	t->label = NULL;
}

char *target_form(const struct target *t)
{
	cleanup_free char *details = details_key(t->details, t->level);

	return xasprintf("%s%s%s", t->format->name, t->compression ? t->compression->ending : "",
			 t->format->kind == TARGET_IMAGE || is_oci(t) ? details : "");
}
