// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is to be built: a package of the archive, a .dsc with its files, or a tree.  Nothing of it
 * is run or unpacked here; what it says of itself is only read.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/share/share.h"
#include "rootfs/debbuild/private.h"
#include "rootfs/fetch/fetch.h"
#include "umlcage/base/fd.h"

enum { MAX_CONTROL = 4 << 20, MAX_CHANGELOG = 64 << 20 };

void debsrc_release(struct debsource *s)
{
	free(s->name);
	free(s->version);
	free(s->upstream);
	free(s->file_version);
	free(s->built_version);
	free(s->distribution);
	free(s->architecture);
	free(s->dir);
	free(s->dsc);
	deb822_release(&s->control);
	debian_files_release(&s->files);
	*s = (struct debsource)SOURCE_INIT;
}

bool debsrc_is_word(const char *s, const char *more)
{
	if (!s || !isalnum((unsigned char)s[0]) || strlen(s) > 200)
		return false;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(more, *p))
			return false;
	return true;
}

static int check_identity(const char *name, const char *version, const char *of, struct error *e)
{
	if (!debsrc_is_word(name, DEBSRC_NAME) || !debsrc_is_word(version, DEBSRC_VERSION))
		return err_usage(e, "'%s' has no source name and version that make sense: '%s', '%s'", of,
				 name ? name : "", version ? version : "");
	return 0;
}

static int set_identity(struct debsource *s, const char *name, const char *version, const char *of,
			struct error *e)
{
	const char *colon, *dash;
	int ret = check_identity(name, version, of, e);

	if (ret < 0)
		return ret;
	free(s->name);
	free(s->version);
	s->name = xstrdup(name);
	s->version = xstrdup(version);
	colon = strchr(version, ':');
	s->file_version = xstrdup(colon ? colon + 1 : version);
	dash = strrchr(s->file_version, '-');
	s->upstream = dash ? xstrndup(s->file_version, (size_t)(dash - s->file_version)) :
			     xstrdup(s->file_version);
	return 0;
}

int debbuild_source_of(const struct deb822 *d, const char *path, char **name, char **version,
		       struct error *e)
{
	const char *source = deb822_get(d, "Source"), *own = deb822_get(d, "Version");
	size_t len = source ? strcspn(source, " ") : 0, end = source ? strlen(source) : 0;
	bool said = end > len + 2 && source[len + 1] == '(' && source[end - 1] == ')';

	*name = source ? xstrndup(source, len) : NULL;
	*version = said ? xstrndup(source + len + 2, end - len - 3) : own ? xstrdup(own) : NULL;
	return check_identity(*name, *version, path, e);
}

char *debbuild_dsc_beside(const char *path, const char *name, const char *version)
{
	const char *colon = strchr(version, ':');
	cleanup_free char *copy = xstrdup(path);
	cleanup_free char *dsc = xasprintf("%s/%s_%s.dsc", dirname(copy), name,
					   colon ? colon + 1 : version);

	return access(dsc, F_OK) == 0 ? steal_ptr(&dsc) : NULL;
}

/* ---- a .dsc ---- */

/* Reads the .dsc open at @fd: whoever signed it, its sums say what the other files are. */
static int read_dsc(struct debsource *s, int fd, struct error *e)
{
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_free char *plain = NULL;
	const char *sums;
	int ret = fd_read_all(fd, MAX_CONTROL, &text);

	if (ret < 0)
		return err_sys(e, -ret, "cannot read '%s'", s->dsc);
	plain = fetch_unsigned(&text);
	deb822_init_mem(&s->control, plain, strlen(plain), s->dsc);
	ret = deb822_next(&s->control, e);
	if (ret < 0)
		return ret;
	sums = ret ? deb822_get(&s->control, "Checksums-Sha256") : NULL;
	if (!sums)
		return err_usage(e, "'%s' is not the description of a source package: it has no "
				 "Checksums-Sha256", s->dsc);
	if (deb822_get(&s->control, "Architecture"))
		s->architecture = xstrdup(deb822_get(&s->control, "Architecture"));
	ret = debian_files_parse(&s->files, sums, s->dsc, e);
	if (ret < 0)
		return ret;
	return set_identity(s, deb822_get(&s->control, "Source"), deb822_get(&s->control, "Version"),
			    s->dsc, e);
}

/* The .dsc is one of the files, too. */
static int add_itself(struct debsource *s, int fd, struct error *e)
{
	struct debian_file *f;
	struct stat st;
	int ret;

	if (debian_files_find(&s->files, s->dsc))
		return 0;
	s->files.v = xreallocarray(s->files.v, s->files.n + 1, sizeof(*f));
	f = &s->files.v[s->files.n++];
	*f = (struct debian_file){ .name = xstrdup(s->dsc) };
	ret = fstat(fd, &st) < 0 ? -errno : hash_fd(fd, f->sum);
	f->size = ret < 0 ? 0 : (uint64_t)st.st_size;
	return ret < 0 ? err_sys(e, -ret, "cannot read '%s'", s->dsc) : 0;
}

static int open_dsc(struct debsource *s, const char *path, struct error *e)
{
	cleanup_free char *real = realpath(path, NULL);
	cleanup_close int fd = real ? open(real, O_RDONLY | O_CLOEXEC) : -1;
	char *slash = real ? strrchr(real, '/') : NULL;
	int ret;

	if (fd < 0 || !slash)
		return err_sys(e, errno, "cannot open '%s'", path);
	s->kind = SOURCE_DSC;
	s->dir = slash == real ? xstrdup("/") : xstrndup(real, (size_t)(slash - real));
	s->dsc = xstrdup(slash + 1);
	ret = read_dsc(s, fd, e);
	return ret < 0 ? ret : add_itself(s, fd, e);
}

/* ---- a tree ---- */

/* "name (version) distribution; urgency=...", the first line that is not empty. */
static int read_changelog(struct debsource *s, struct error *e)
{
	cleanup_free char *path = path_join(s->dir, "debian/changelog"), *line = NULL, *version = NULL;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	const char *start;
	size_t len;
	int ret = file_read(AT_FDCWD, path, MAX_CHANGELOG, &text, e);

	if (ret < 0)
		return err_hint(e, "'%s' is not a tree with a Debian package", s->dir);
	start = sb_str(&text) + strspn(sb_str(&text), " \t\r\n");
	line = xstrndup(start, strcspn(start, ";\n"));
	strv_split(&words, line, " \t");
	len = words.n > 1 ? strlen(words.v[1]) : 0;
	if (words.n < 3 || len < 3 || words.v[1][0] != '(' || words.v[1][len - 1] != ')')
		return err_usage(e, "'%s' does not begin with 'NAME (VERSION) DISTRIBUTION; ...'", path);
	version = xstrndup(words.v[1] + 1, len - 2);
	s->distribution = xstrdup(words.v[2]);
	return set_identity(s, words.v[0], version, path, e);
}

/* What its packages are for, together, as dpkg-source will say it of them. */
static int read_architectures(struct debsource *s, const struct strbuf *control, const char *path,
			      struct error *e)
{
	cleanup_deb822 struct deb822 d = { 0 };
	cleanup_strv struct strv all = STRV_INIT;
	int ret;

	deb822_init_mem(&d, sb_str(control), control->len, path);
	while ((ret = deb822_next(&d, e)) > 0) {
		cleanup_strv struct strv own = STRV_INIT;
		const char *text = deb822_get(&d, "Architecture");

		if (!deb822_get(&d, "Package") || !text)
			continue;
		strv_split(&own, text, " \t\n");
		for (size_t i = 0; i < own.n; i++)
			if (!strv_has(&all, own.v[i]))
				strv_add(&all, own.v[i]);
	}
	if (ret == 0 && all.n)
		s->architecture = strv_join(&all, " ");
	return ret;
}

static int open_tree(struct debsource *s, const char *path, struct error *e)
{
	cleanup_free char *control = NULL;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	int ret;

	s->kind = SOURCE_TREE;
	s->dir = realpath(path, NULL);
	if (!s->dir)
		return err_sys(e, errno, "cannot open '%s'", path);
	ret = read_changelog(s, e);
	if (ret < 0)
		return ret;
	control = path_join(s->dir, "debian/control");
	ret = file_read(AT_FDCWD, control, MAX_CONTROL, &text, e);
	if (ret < 0)
		return ret;
	deb822_init_mem(&s->control, sb_str(&text), text.len, control);
	ret = deb822_next(&s->control, e);
	if (ret == 0)
		return err_usage(e, "'%s' is empty", control);
	return ret < 0 ? ret : read_architectures(s, &text, control, e);
}

/* ---- which it is ---- */

int debsrc_open(struct debsource *s, const char *what, struct error *e)
{
	cleanup_free char *name = xstrndup(what, strcspn(what, "="));
	const char *version = strchr(what, '=');
	struct stat st;

	if (str_ends(what, ".dsc"))
		return open_dsc(s, what, e);
	if (strchr(what, '/') || str_eq(what, ".") || str_eq(what, "..") ||
	    (stat(what, &st) == 0 && S_ISDIR(st.st_mode)))
		return open_tree(s, what, e);
	s->kind = SOURCE_ARCHIVE;
	if (!debsrc_is_word(name, DEBSRC_NAME) || (version && !debsrc_is_word(version + 1, DEBSRC_VERSION)))
		return err_usage(e, "'%s' is not a .dsc file, a folder, or NAME or NAME=VERSION of a "
				 "source package", what);
	s->name = steal_ptr(&name);
	s->version = version ? xstrdup(version + 1) : NULL;
	return 0;
}

/* ---- from the archive ---- */

static struct debian_item *items_of(const struct debian_source_package *p, char ***names)
{
	struct debian_item *items = xcalloc(p->files.n + 1, sizeof(*items));

	*names = xcalloc(p->files.n + 1, sizeof(char *));
	for (size_t i = 0; i < p->files.n; i++) {
		(*names)[i] = path_join(p->directory, p->files.v[i].name);
		items[i] = (struct debian_item){ .uri = p->index->base, .filename = (*names)[i],
						 .size = p->files.v[i].size, .fd = -1 };
		memcpy(items[i].sum, p->files.v[i].sum, SHA256_HEX + 1);
	}
	return items;
}

int fetch_for_build(struct debian_archive *a, struct debian_item *items, size_t n, struct error *e)
{
	int ret = debian_fetch(a, items, n, NULL, NULL, e);

	/* a mirror that lacks what its index lists: worth another try, later or elsewhere */
	return ret == -ESTALE ? err_mark(e, ERR_NETWORK) : ret;
}

static int fetch_files(struct debian_archive *a, const struct debian_source_package *p,
		       struct error *e)
{
	char **names;
	struct debian_item *items = items_of(p, &names);
	int ret = fetch_for_build(a, items, p->files.n, e);

	for (size_t i = 0; i < p->files.n; i++)
		free(names[i]);
	free(names);
	free(items);
	return ret;
}

static const struct debian_file *dsc_of(const struct debian_source_package *p)
{
	for (size_t i = 0; i < p->files.n; i++)
		if (str_ends(p->files.v[i].name, ".dsc"))
			return &p->files.v[i];
	return NULL;
}

/* The file in the cache, verified; -errno. */
static int open_cached(const struct debian_archive *a, const struct debian_file *f, struct error *e)
{
	cleanup_free char *path = debian_item_path(a, f->sum);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || hash_matches(fd, f->size, f->sum) != 1)
		return err_set(e, EIO, "'%s' vanished from the cache", f->name);
	return steal_fd(&fd);
}

/* The .dsc has to be of the package that was asked for, and list what the index lists. */
static int check_dsc(const struct debsource *s, const struct debian_source_package *p, struct error *e)
{
	if (!str_eq(s->name, p->name) || !str_eq(s->version, p->version))
		return err_set(e, EBADMSG, "'%s' is of '%s %s', and not of '%s %s' as the archive's index "
			       "has it",
			       s->dsc, s->name, s->version, p->name, p->version);
	for (size_t i = 0; i < s->files.n; i++) {
		const struct debian_file *f = debian_files_find(&p->files, s->files.v[i].name);

		if (!f || !str_eq(f->sum, s->files.v[i].sum))
			return err_set(e, EBADMSG, "'%s' of '%s' is not what the archive's index lists",
				       s->files.v[i].name, s->dsc);
	}
	return 0;
}

static int take_package(struct debsource *s, struct debian_archive *a,
			const struct debian_source_package *p, struct error *e)
{
	const struct debian_file *dsc = dsc_of(p);
	cleanup_close int fd = -1;
	int ret;

	if (!dsc)
		return err_set(e, EBADMSG, "the archive lists no .dsc for source package '%s'", p->name);
	ret = fetch_files(a, p, e);
	fd = ret < 0 ? ret : open_cached(a, dsc, e);
	if (fd < 0)
		return fd;
	s->dsc = xstrdup(dsc->name);
	ret = read_dsc(s, fd, e);
	if (ret == 0)
		ret = add_itself(s, fd, e);
	return ret < 0 ? ret : check_dsc(s, p, e);
}

int debsrc_fetch(struct debsource *s, struct debian_archive *a, struct error *e)
{
	struct debian_source_package p = DEBIAN_SOURCE_PACKAGE_INIT;
	int ret;

	if (s->kind != SOURCE_ARCHIVE)
		return 0;
	ret = debian_find_source(a, s->name, s->version, &p, e);
	if (ret == 0)
		ret = take_package(s, a, &p, e);
	debian_source_package_release(&p);
	return ret;
}

/* ---- into the cage's folder ---- */

/* One file, at @from or below it; @f says what it has to be, or NULL. */
static int place(int from, const char *name, const struct debian_file *f, int dirfd, struct error *e)
{
	cleanup_close int to = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int ret = to < 0 ? -errno : 0;

	if (ret < 0)
		return err_sys(e, -ret, "cannot make '%s' in the cache", name);
	/* umask or not, the user in the cage reads it */
	(void)fchmod(to, 0644);
	ret = share_copy_file(from, to, e);
	if (ret < 0)
		return err_wrap(e, "cannot copy '%s'", name);
	if (f && hash_matches(to, f->size, f->sum) != 1)
		return err_set(e, EBADMSG, "'%s' is not the file that the .dsc lists: its size or sha256 "
			       "is another one", name);
	return 0;
}

/* SOURCE_VERSION.orig*.tar.* and their signatures. */
static int place_origs(const struct debsource *s, int dirfd, struct error *e)
{
	cleanup_free char *parent = path_join(s->dir, "..");
	cleanup_free char *stem = xasprintf("%s_%s.orig", s->name, s->upstream);
	cleanup_close int dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_strv struct strv names = STRV_INIT;
	int ret = dir < 0 ? 0 : dir_names(dir, &names, e);

	for (size_t i = 0; i < names.n && ret == 0; i++) {
		const char *rest = names.v[i] + strlen(stem);
		cleanup_close int fd = -1;
		struct stat st;

		if (!str_starts(names.v[i], stem) || !strstr(rest, ".tar.") ||
		    (rest[0] != '.' && rest[0] != '-'))
			continue;
		fd = openat(dir, names.v[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_sys(e, errno, "cannot open '%s/%s'", parent, names.v[i]);
		if (S_ISREG(st.st_mode))
			ret = place(fd, names.v[i], NULL, dirfd, e);
	}
	return ret;
}

int debsrc_place(const struct debsource *s, const struct debian_archive *a, int dirfd,
		 struct error *e)
{
	int ret = 0;

	if (s->kind == SOURCE_TREE)
		return place_origs(s, dirfd, e);
	for (size_t i = 0; i < s->files.n && ret == 0; i++) {
		const struct debian_file *f = &s->files.v[i];
		cleanup_free char *path = path_join(s->dir ? s->dir : "", f->name);
		cleanup_close int fd = s->kind == SOURCE_ARCHIVE ? open_cached(a, f, e) :
								   open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return s->kind == SOURCE_ARCHIVE ? fd : err_sys(e, errno, "cannot open '%s'", path);
		ret = place(fd, f->name, f, dirfd, e);
	}
	return ret;
}
