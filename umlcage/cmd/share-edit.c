// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage share chown, chmod, mknod: changes to a share without a cage, for scripts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "hostfs-bridge/share/share.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/share.h"

/* One change, applied to every path named and, if asked, to what is below. */
struct edit {
	const char *text;	/* the owner or mode as given */
	int (*change)(struct edit *ed, const char *path, struct share_attr *a, struct error *e);
	struct share_tree *tree;
	bool recursive;
	const char *path;	/* of the operand at hand, without slashes around it */
};

static int apply(struct edit *ed, const char *path, const struct share_attr *now,
		 struct error *e)
{
	struct share_attr a = *now;
	int ret;

	a.xattrs = NULL;
	a.nxattrs = 0;
	a.mtime.tv_nsec = UTIME_OMIT;
	ret = ed->change(ed, path, &a, e);
	return ret < 0 ? ret : share_setattr(ed->tree, path, &a, e);
}

/* chown(2): the set-id bits go, and with them a file's capabilities, but for directories. */
static int change_owner(struct edit *ed, const char *path, struct share_attr *a, struct error *e)
{
	int ret = share_owner_parse(ed->text, &a->uid, &a->gid, e);

	if (ret < 0 || !S_ISREG(a->mode))
		return ret;
	a->mode &= ~(uint32_t)S_ISUID;
	if (a->mode & S_IXGRP)
		a->mode &= ~(uint32_t)S_ISGID;
	ret = share_setxattr(ed->tree, path, "security.capability", NULL, 0, e);
	if (ret == -ENODATA) {
		err_release(e);
		ret = 0;
	}
	return ret;
}

static int change_mode(struct edit *ed, const char *path, struct share_attr *a, struct error *e)
{
	uint32_t mode;
	int ret = share_mode_apply(ed->text, a->mode, &mode, e);

	(void)path;
	if (ret == 0)
		a->mode = (a->mode & S_IFMT) | mode;
	return ret;
}

static int edit_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	struct edit *ed = arg;
	size_t len = strlen(ed->path), have = strlen(ent->path);
	bool inside = !len || (strncmp(ent->path, ed->path, len) == 0 &&
			       (!ent->path[len] || ent->path[len] == '/'));
	bool above = !have || (strncmp(ed->path, ent->path, have) == 0 && ed->path[have] == '/');

	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	if (!inside)
		return !above;
	/* as chmod -R: a link's own mode means nothing */
	if (S_ISLNK(ent->attr.mode) && ed->change == change_mode)
		return 0;
	return apply(ed, ent->path, &ent->attr, e);
}

static int edit_path(struct edit *ed, struct share *s, const char *operand, struct error *e)
{
	struct share_attr a;
	size_t len;
	int ret = share_stat(ed->tree, operand, &a, e);

	if (ret < 0)
		return ret;
	if (!ed->recursive || !S_ISDIR(a.mode))
		return S_ISLNK(a.mode) && ed->change == change_mode ?
		       err_set(e, EOPNOTSUPP, "'%s' is a symbolic link, which has no mode", operand) :
		       apply(ed, operand, &a, e);
	while (*operand == '/' || str_starts(operand, "./"))
		operand += *operand == '/' ? 1 : 2;
	len = strlen(operand);
	while (len && operand[len - 1] == '/')
		len--;

	cleanup_free char *path = str_eq(operand, ".") ? xstrdup("") : xstrndup(operand, len);

	ed->path = path;
	return share_walk(s->fd, SHARE_WALK_NO_XATTRS, edit_entry, ed, e);
}

static int edit_all(struct edit *ed, const char *dir, char **paths, int n, struct error *e)
{
	cleanup_share struct share s = SHARE_INIT;
	int ret = share_open(&s, dir, SHARE_WRITE, e);

	if (ret == 0)
		ret = share_set_id(&s, NULL, e);
	if (ret < 0)
		return ret;
	ed->tree = share_tree_new(s.fd, 0);
	for (int i = 0; ret == 0 && i < n; i++)
		ret = edit_path(ed, &s, paths[i], e);
	share_tree_free(&ed->tree);
	return ret;
}

struct edit_options {
	bool recursive;
};

static const struct opt edit_opts[] = {
	{ OPT_FLAG, 'R', "recursive", NULL, OPT_BOOL(struct edit_options, recursive),
	  "also all that is below a directory" },
	OPT_END,
};

#define EDIT_EPILOGUE \
	"Symbolic links in the directory part are followed as in a chroot, the last one is not."

static const struct opt_spec chown_spec = {
	.usage = "umlcage share chown [-R] UID[:GID]|:GID DIR PATH...",
	.summary = "Changes the owner that the guest sees, as the guest's root would: set-id "
		   "bits and capabilities of files go.",
	.groups = OPT_GROUPS({ NULL, edit_opts, 0 }),
	.epilogue = EDIT_EPILOGUE,
}, chmod_spec = {
	.usage = "umlcage share chmod [-R] MODE DIR PATH...",
	.summary = "Changes the mode that the guest sees: octal, or like u+s,go-w.",
	.groups = OPT_GROUPS({ NULL, edit_opts, 0 }),
	.epilogue = EDIT_EPILOGUE,
};

static int edit_command(const struct command *self, struct edit *ed, int argc, char **argv)
{
	struct error e = ERROR_INIT;
	struct edit_options o = { 0 };
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;
	struct share_attr probe = { 0 };
	uint32_t mode;

	if (status >= 0)
		return status;
	ed->recursive = o.recursive;
	ed->text = argv[0];
	if (argc < 3)
		ret = err_usage(&e, "usage: %s", self->spec->usage);
	else if (ed->change == change_mode)
		ret = share_mode_apply(ed->text, 0, &mode, &e);
	else
		ret = share_owner_parse(ed->text, &probe.uid, &probe.gid, &e);
	interrupt_begin();
	if (ret == 0)
		ret = edit_all(ed, argv[1], argv + 2, argc - 2, &e);
	interrupt_end();
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

static int run_chown(const struct command *self, int argc, char **argv)
{
	struct edit ed = { .change = change_owner };

	return edit_command(self, &ed, argc, argv);
}

static int run_chmod(const struct command *self, int argc, char **argv)
{
	struct edit ed = { .change = change_mode };

	return edit_command(self, &ed, argc, argv);
}

static int parse_type(const char *type, char **numbers, int n, struct share_attr *a,
		      struct error *e)
{
	static const struct {
		char letter;
		uint32_t mode;
		int numbers;
	} types[] = {
		{ 'b', S_IFBLK, 2 }, { 'c', S_IFCHR, 2 }, { 'u', S_IFCHR, 2 },
		{ 'p', S_IFIFO, 0 }, { 's', S_IFSOCK, 0 },
	};
	uint64_t value[2] = { 0, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strlen(type) != 1 || *type != types[i].letter)
			continue;
		if (n != types[i].numbers)
			return err_usage(e, types[i].numbers ? "'%s' takes a major and a minor number" :
					 "'%s' takes no numbers", type);
		for (int j = 0; j < n; j++)
			/* what Linux packs into 32 bits: 12 of major, 20 of minor */
			if (parse_u64(numbers[j], 10, j ? 0xfffff : 0xfff, &value[j]) < 0)
				return err_usage(e, "bad device number '%s'", numbers[j]);
		a->mode |= types[i].mode;
		a->major = (uint32_t)value[0];
		a->minor = (uint32_t)value[1];
		return 0;
	}
	return err_usage(e, "bad type '%s': it is b, c, p or s", type);
}

static int make_node(const char *dir, const char *path, const struct share_attr *a,
		     struct error *e)
{
	cleanup_share struct share s = SHARE_INIT;
	cleanup_share_tree struct share_tree *t = NULL;
	int ret = share_open(&s, dir, SHARE_WRITE, e);

	if (ret == 0)
		ret = share_set_id(&s, NULL, e);
	if (ret < 0)
		return ret;
	t = share_tree_new(s.fd, 0);
	return share_node(t, path, a, e);
}

struct mknod_options {
	const char *mode, *owner;
};

static const struct opt mknod_opts[] = {
	{ OPT_STRING, 'm', "mode", "MODE", OPT_STR(struct mknod_options, mode),
	  "permissions (default: 0666)" },
	{ OPT_STRING, 'o', "owner", "UID:GID", OPT_STR(struct mknod_options, owner),
	  "owner (default: 0:0)" },
	OPT_END,
};

static const struct opt_spec mknod_spec = {
	.usage = "umlcage share mknod [options] DIR PATH b|c|p|s [MAJOR MINOR]",
	.summary = "Makes a device, a fifo (p) or a socket (s) in a share.",
	.groups = OPT_GROUPS({ NULL, mknod_opts, 0 }),
};

static int run_mknod(const struct command *self, int argc, char **argv)
{
	struct mknod_options o = { .mode = "0666", .owner = "0:0" };
	struct error e = ERROR_INIT;
	struct share_attr a = { .mtime = { 0, UTIME_OMIT } };
	uint32_t bits = 0;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	ret = argc < 3 ? err_usage(&e, "usage: %s", self->spec->usage) :
	      share_mode_apply(o.mode, 0, &bits, &e);
	a.mode = bits;
	if (ret == 0)
		ret = share_owner_parse(o.owner, &a.uid, &a.gid, &e);
	if (ret == 0)
		ret = parse_type(argv[2], argv + 3, argc - 3, &a, &e);
	if (ret == 0)
		ret = make_node(argv[0], argv[1], &a, &e);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

const struct command command_share_chown = {
	"chown", "changes owners", &chown_spec, run_chown, NULL, NULL,
}, command_share_chmod = {
	"chmod", "changes modes", &chmod_spec, run_chmod, NULL, NULL,
}, command_share_mknod = {
	"mknod", "makes a device, fifo or socket", &mknod_spec, run_mknod, NULL, NULL,
};
