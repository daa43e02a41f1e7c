// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage share import, umlcage share export. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hostfs-bridge/pack/pack.h"
#include "hostfs-bridge/target/target.h"
#include "rootfs/image/image.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/share.h"

static void report(struct progress *p, const char *done, const struct share_totals *t)
{
	cleanup_free char *size = format_size(t->bytes);

	progress_detail(p, "%s %llu entries, %s of contents", done,
			(unsigned long long)t->entries, size);
}

static int import(const char *archive, const char *dir, const struct share_import_opts *opts,
		  struct error *e)
{
	bool is_stdin = str_eq(archive, "-");
	cleanup_share_stage struct share_stage stage = SHARE_STAGE_INIT;
	cleanup_close int fd = is_stdin ? dup(0) : open(archive, O_RDONLY | O_CLOEXEC);
	struct share_totals totals;
	int ret;

	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", archive);
	ret = share_stage_begin(&stage, dir, e);
	if (ret == 0)
		ret = share_import(&stage.share, fd, is_stdin ? "standard input" : archive, opts,
				   &totals, e);
	if (ret == 0)
		ret = share_stage_commit(&stage, e);
	if (ret == 0)
		report(opts->progress, "imported", &totals);
	return ret;
}

struct import_options {
	uint64_t limit;
	bool record_all, quiet;
	int verbose;
};

static const struct opt import_opts[] = {
	{ OPT_SIZE, 0, "limit", "SIZE", OPT_U64(struct import_options, limit),
	  "refuse an archive that takes more space than this, counting 4K for every "
	  "entry (default: no limit)" },
	{ OPT_FLAG, 0, "record-all", NULL, OPT_BOOL(struct import_options, record_all),
	  "record owner and mode of every file, not only where they are not plain: "
	  "fuse-overlayfs with xattr_permissions=2 wants that" },
	{ OPT_COUNT, 'v', "verbose", NULL, OPT_INT(struct import_options, verbose),
	  "say what was done" },
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct import_options, quiet),
	  "only warnings and errors" },
	OPT_END,
};

static const struct opt_spec import_spec = {
	.usage = "umlcage share import [options] ARCHIVE|- DIR",
	.summary = "Makes the share DIR of a tar or cpio archive in any compression, with all "
	   "owners, modes, devices, links, extended attributes and capabilities.",
	.groups = OPT_GROUPS({ NULL, import_opts, 0 }),
	.epilogue = "DIR must not exist or be empty, and appears only when all is there. Names "
	    "with '..' are refused; absolute ones are taken as relative.",
};

static int run_import(const struct command *self, int argc, char **argv)
{
	struct import_options o = { 0 };
	struct error e = ERROR_INIT;
	struct progress progress;
	struct share_import_opts opts = { .progress = &progress };
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	if (argc != 2) {
		err_usage(&e, "import takes an archive and a directory; see '%s --help'",
			  "umlcage share import");
		return cmd_fail(&e);
	}
	opts.limit = o.limit;
	opts.record_all = o.record_all;
	progress_init(&progress, 2, o.quiet ? -1 : o.verbose);
	interrupt_begin();
	ret = import(argv[0], argv[1], &opts, &e);
	interrupt_end();
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

static int export(const char *dir, struct target *out, struct progress *progress,
		  struct error *e)
{
	cleanup_share struct share share = SHARE_INIT;
	struct share_totals totals = { 0 };
	int ret = share_open(&share, dir, SHARE_READ, e);

	if (ret < 0)
		return ret;
	if (share.dirty)
		progress_warn(progress, "the last cage that wrote to '%s' was killed; see "
			      "'umlcage share verify'", dir);
	ret = target_check(out, &share, e);
	if (ret == 0)
		ret = target_prepare(out, progress, e);
	if (ret == 0)
		ret = target_begin(out, e);
	if (ret == 0)
		ret = target_write(out, &share, progress, &totals, e);
	if (ret == 0)
		ret = target_commit(out, e);
	if (ret == 0 && totals.entries)
		report(progress, "exported", &totals);
	return ret;
}

struct export_options {
	struct target_details details;
	struct machine machine;
	const char *mirror;
	const char *format, *level;
	unsigned int jobs;
	bool quiet, sparse;
	int verbose;
};

static const struct opt export_opts[] = {
	{ OPT_STRING, 'f', "format", "NAME", OPT_STR(struct export_options, format),
	  "by default what the archive's name says, tar for '-'; one of these, of which "
	  "tar and cpio may have a compression, as in tar.zst:",
	  .words = target_words },
	{ OPT_STRING, 'l', "level", "N", OPT_STR(struct export_options, level),
	  "level of the compression (default: the compressor's own)" },
	{ OPT_UINT, 'j', "jobs", "N", OPT_UNSIGNED(struct export_options, jobs),
	  "threads that compress .xz and .zst (default: one a processor); the bytes "
	  "are the same for any number" },
	{ OPT_FLAG, 'S', "sparse", NULL, OPT_BOOL(struct export_options, sparse),
	  "leave out the holes of files; not every reader of tar files understands it" },
	{ OPT_STRING, 0, "mirror", "URL", OPT_STR(struct export_options, mirror),
	  "where the tools for an image are fetched from" },
	{ OPT_COUNT, 'v', "verbose", NULL, OPT_INT(struct export_options, verbose),
	  "say what was done" },
	{ OPT_FLAG, 'q', "quiet", NULL, OPT_BOOL(struct export_options, quiet),
	  "only warnings and errors" },
	OPT_END,
};

static const struct opt_spec export_spec = {
	.usage = "umlcage share export [options] DIR ARCHIVE|-",
	.summary = "Writes the share DIR as a tar (pax) or cpio (newc) archive, as the guest's "
	   "root would, or as an image.",
	.groups = OPT_GROUPS({ NULL, export_opts, 0 },
			     { "the image", target_opts, offsetof(struct export_options, details) },
			     { "the cage that makes it", machine_opts,
			       offsetof(struct export_options, machine) }),
	.epilogue = "Entries are sorted and owners are numbers, so that the same share makes the "
	    "same bytes; with SOURCE_DATE_EPOCH set, no time is later than that.",
};

static int run_export(const struct command *self, int argc, char **argv)
{
	struct export_options o = { .machine = MACHINE_INIT };
	struct image_maker im = IMAGE_MAKER_INIT(&o.machine);
	struct error e = ERROR_INIT;
	struct progress progress;
	struct target_request request = { 0 };
	struct target target = TARGET_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	progress_init(&progress, 2, o.quiet ? -1 : o.verbose);
	request = (struct target_request){ .name = argc == 2 ? argv[1] : NULL, .format = o.format,
					   .level = o.level, .threads = o.jobs,
					   .sparse = o.sparse, .details = &o.details };
	im.mirror = o.mirror;
	ret = argc != 2 ? err_usage(&e, "export takes a share and an archive; see '%s --help'",
				    "umlcage share export") : target_parse(&target, &request, &e);
	target.maker = &im.maker;
	if (ret == 0)
		ret = machine_check(&o.machine, &e);
	if (ret == 0) {
		interrupt_begin();
		ret = export(argv[0], &target, &progress, &e);
		interrupt_end();
	}
	target_release(&target);
	target_details_release(&o.details);
	image_maker_release(&im);
	machine_release(&o.machine);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

const struct command command_share_import = {
	"import", "makes a share of a tar or cpio archive", &import_spec, run_import, NULL, NULL,
}, command_share_export = {
	"export", "writes a share as an archive or image", &export_spec, run_export, NULL, NULL,
};
