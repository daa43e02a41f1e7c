// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What was built, from the folder that the guest wrote into the user's.  All that is in there is
 * what a guest says: only regular files that the .changes lists are taken, by descriptor, and
 * only as the .changes says they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/debbuild/private.h"
#include "umlcage/base/fd.h"

enum { MAX_CHANGES = 4 << 20 };

int output_check(const char *folder, const char *stem, bool overwrite, struct error *e)
{
	cleanup_free char *name = xasprintf("%s.changes", stem);
	cleanup_free char *path = path_join(folder, name);
	struct stat st;

	if (overwrite || lstat(path, &st) < 0)
		return 0;
	err_set(e, EEXIST, "'%s' is there already, from another build", path);
	err_hint(e, "name another folder with --output, or say --overwrite");
	return err_mark(e, ERR_USAGE);
}

/* ---- what the guest wrote ---- */

static int open_regular(int dirfd, const char *name, struct error *e)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, errno, "the build lists '%s', which cannot be opened", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EBADMSG, "the build made '%s', which is not a file", name);
	return steal_fd(&fd);
}

/* The name of the .changes: there is one. */
static int find_changes(int dirfd, char **name, struct error *e)
{
	cleanup_strv struct strv names = STRV_INIT;
	int ret = dir_names(dirfd, &names, e);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < names.n; i++) {
		if (!str_ends(names.v[i], ".changes"))
			continue;
		if (*name)
			return err_set(e, EBADMSG, "the build made two files of changes: '%s' and '%s'",
				       *name, names.v[i]);
		*name = xstrdup(names.v[i]);
	}
	if (!*name)
		return err_set(e, EBADMSG, "the build ended well, but made no .changes file");
	return 0;
}

/* Adds one file as it is. */
static int add_as_is(struct debian_files *files, int dirfd, const char *name, struct error *e)
{
	cleanup_close int fd = open_regular(dirfd, name, e);
	char sum[SHA256_HEX + 1];
	cleanup_free char *line = NULL;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || hash_fd(fd, sum) < 0)
		return err_sys(e, errno, "cannot read '%s'", name);
	/* the parser of such lists is also who says what a name may be */
	line = xasprintf("%s %llu %s", sum, (unsigned long long)st.st_size, name);
	return debian_files_parse(files, line, "what the build made", e);
}

/* The source that was made, but for what the .changes lists of it. */
static int read_source(int fd, const struct debsource *s, struct debian_files *files, struct error *e)
{
	cleanup_free char *name = xasprintf("%s_%s.dsc", s->name, s->file_version);
	cleanup_close int dsc = open_regular(fd, name, e);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	cleanup_debian_files struct debian_files all = DEBIAN_FILES_INIT;
	const char *sums;
	int ret = dsc < 0 ? dsc : fd_read_all(dsc, MAX_CHANGES, &text);

	if (dsc < 0)
		return dsc;
	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s'", name);
	deb822_init_mem(&d, sb_str(&text), text.len, name);
	ret = deb822_next(&d, e);
	sums = ret > 0 ? deb822_get(&d, "Checksums-Sha256") : NULL;
	if (ret >= 0 && !sums)
		ret = err_set(e, EBADMSG, "'%s' lists no files", name);
	if (ret >= 0)
		ret = debian_files_parse(&all, sums, name, e);
	if (ret >= 0)
		ret = add_as_is(&all, fd, name, e);
	for (size_t i = 0; i < all.n && ret >= 0; i++)
		if (!debian_files_find(files, all.v[i].name))
			ret = add_as_is(files, fd, all.v[i].name, e);
	return ret;
}

/* "NAME", or "NAME (VERSION)" where what was built has another version than its source. */
static bool is_of(const char *field, const struct debsource *s)
{
	cleanup_free char *both = xasprintf("%s (%s)", s->name, s->version ? s->version : "");

	return str_eq(field, s->name) || str_eq(field, both);
}

int output_read(int fd, const struct debsource *s, bool source, struct debian_files *files,
		struct error *e)
{
	cleanup_free char *name = NULL;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_deb822 struct deb822 d = DEB822_INIT;
	cleanup_close int changes = -1;
	const char *sums;
	int ret = find_changes(fd, &name, e);

	if (ret < 0)
		return ret;
	changes = open_regular(fd, name, e);
	if (changes < 0)
		return changes;
	ret = fd_read_all(changes, MAX_CHANGES, &text);
	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s'", name);
	deb822_init_mem(&d, sb_str(&text), text.len, name);
	ret = deb822_next(&d, e);
	if (ret < 0)
		return ret;
	sums = ret ? deb822_get(&d, "Checksums-Sha256") : NULL;
	if (!sums || !is_of(deb822_get(&d, "Source"), s))
		return err_set(e, EBADMSG, "'%s' is not the .changes of a build of '%s'", name, s->name);
	ret = debian_files_parse(files, sums, name, e);
	if (ret >= 0 && source)
		ret = read_source(fd, s, files, e);
	return ret < 0 ? ret : add_as_is(files, fd, name, e);
}

/* ---- into the user's folder ---- */

/* Is it there already, and the same?  1, 0: not there, -EEXIST: another. */
static int there_already(int dirfd, const struct debian_file *f)
{
	cleanup_close int fd = openat(dirfd, f->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -EEXIST;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || hash_matches(fd, f->size, f->sum) != 1)
		return -EEXIST;
	return 1;
}

static int copy_aside(int from, int to, const char *part, const struct debian_file *f,
		      struct error *e)
{
	cleanup_close int in = open_regular(from, f->name, e), out = -1;
	int ret;

	if (in < 0)
		return in;
	out = openat(to, part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (out < 0)
		return err_sys(e, errno, "cannot write '%s'", f->name);
	ret = share_copy_file(in, out, e);
	if (ret < 0)
		return err_wrap(e, "cannot write '%s'", f->name);
	/* of the copy: the guest is gone, but who knows what its disk does */
	if (hash_matches(out, f->size, f->sum) != 1)
		return err_set(e, EBADMSG, "'%s' is not what the .changes says: its size or sha256 is "
			       "another one", f->name);
	return fsync(out) < 0 ? err_sys(e, errno, "cannot write '%s'", f->name) : 0;
}

static int give_name(int to, const char *part, const char *name, bool overwrite, struct error *e)
{
	if (renameat2(to, part, to, name, overwrite ? 0 : RENAME_NOREPLACE) == 0)
		return 0;
	/* a file system without that: a second name is not given over another file either */
	if (errno == EINVAL && !overwrite && linkat(to, part, to, name, 0) == 0) {
		(void)unlinkat(to, part, 0);
		return 0;
	}
	return err_sys(e, errno, "cannot make '%s'", name);
}

static char *part_name(uint64_t mark, size_t i)
{
	return xasprintf(".umlcage-%016llx.%zu", (unsigned long long)mark, i);
}

/* The states of a file on its way. */
enum { NOT_YET, THERE, ASIDE, NAMED };

static int hand_over(int from, int to, const char *folder, const struct debian_files *files,
		     bool overwrite, uint64_t mark, unsigned char *state, struct error *e)
{
	for (size_t i = 0; i < files->n; i++) {
		cleanup_free char *part = part_name(mark, i);
		int ret = there_already(to, &files->v[i]);

		if (ret == -EEXIST && !overwrite) {
			err_set(e, EEXIST, "'%s/%s' is there already, and another file", folder,
				files->v[i].name);
			err_hint(e, "name another folder with --output, or say --overwrite");
			return err_mark(e, ERR_USAGE);
		}
		state[i] = ret == 1 ? THERE : ASIDE;
		if (ret != 1)
			ret = copy_aside(from, to, part, &files->v[i], e);
		if (ret < 0)
			return ret;
	}
	/* the .changes is the last of the list */
	for (size_t i = 0; i < files->n; i++) {
		cleanup_free char *part = part_name(mark, i);
		int ret = state[i] == ASIDE ? give_name(to, part, files->v[i].name, overwrite, e) : 0;

		if (ret < 0)
			return ret;
		state[i] = state[i] == ASIDE ? NAMED : state[i];
	}
	return fsync(to) < 0 && errno != EINVAL ? err_sys(e, errno, "cannot write '%s'", folder) : 0;
}

int output_hand_over(int from, const char *folder, const struct debian_files *files, bool overwrite,
		     struct error *e)
{
	cleanup_close int to = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free unsigned char *state = xcalloc(files->n + 1, 1);
	uint64_t mark = random_u64();
	int ret;

	if (to < 0)
		return err_sys(e, errno, "cannot open '%s'", folder);
	ret = hand_over(from, to, folder, files, overwrite, mark, state, e);
	for (size_t i = 0; i < files->n && ret < 0; i++) {
		cleanup_free char *part = part_name(mark, i);

		if (state[i] == ASIDE)
			(void)unlinkat(to, part, 0);
		else if (state[i] == NAMED && !overwrite)
			(void)unlinkat(to, files->v[i].name, 0);
	}
	return ret;
}

void output_link(const char *folder, const char *name, const char *to)
{
	cleanup_free char *path = path_join(folder, name), *aside = NULL;
	struct stat st;

	if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode))
		return;
	aside = xasprintf("%s/.umlcage-%016llx", folder, (unsigned long long)random_u64());
	if (symlink(to, aside) == 0 && rename(aside, path) < 0)
		(void)unlink(aside);
}
