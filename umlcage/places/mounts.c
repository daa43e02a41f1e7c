// SPDX-License-Identifier: GPL-2.0-or-later
/* Folders and files of the host within a cage, --share and --bind: see places.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/places/private.h"

static struct cage_mount *add_mount(struct places *p, const char *where)
{
	p->mounts = xreallocarray(p->mounts, p->nmounts + 1, sizeof(*p->mounts));
	p->wheres = xreallocarray(p->wheres, p->nmounts + 1, sizeof(*p->wheres));
	p->wheres[p->nmounts] = xstrdup(where);
	p->mounts[p->nmounts] = (struct cage_mount){ .fd = -1, .where = p->wheres[p->nmounts] };
	return &p->mounts[p->nmounts++];
}

/* Where the cage has its own mounts, nothing of the host can be. */
static int check_guest_path(const char *option, const char *guest, struct error *e)
{
	static const char *const own[] = { "/proc", "/sys", "/dev" };
	cleanup_strv struct strv parts = STRV_INIT;

	strv_split(&parts, guest, "/");
	if (!parts.n)
		return err_usage(e, "%s: '%s' is the root of the cage; --root says what that is", option,
				 guest);
	for (size_t i = 0; i < parts.n; i++)
		if (str_eq(parts.v[i], "..") || str_eq(parts.v[i], "."))
			return err_usage(e, "%s: '%s' has a '%s' in it", option, guest, parts.v[i]);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_eq(parts.v[0], own[i] + 1))
			return err_usage(e, "%s: '%s' is below %s, which is the cage's own", option,
					 guest, own[i]);
	return 0;
}

/* "HOSTDIR:GUESTDIR[:ro]", or "HOST:GUEST[:ro]" where files may be */
static int split_mount(const char *option, const char *text, char **host, char **guest,
		       bool *read_only, struct error *e)
{
	cleanup_free char *copy = xstrdup(text);
	char *colon;

	*read_only = str_ends(copy, ":ro");
	if (*read_only)
		copy[strlen(copy) - 3] = '\0';
	colon = strrchr(copy, ':');
	if (!colon || colon == copy || colon[1] != '/')
		return err_usage(e, "%s: '%s' is not HOSTDIR:GUESTDIR with an absolute GUESTDIR",
				 option, text);
	*colon = '\0';
	*host = xstrdup(copy);
	*guest = xstrdup(colon + 1);
	return check_guest_path(option, *guest, e);
}

int places_add_share(struct places *p, const char *text, bool nosync, struct error *e)
{
	cleanup_free char *host = NULL, *guest = NULL;
	struct cage_mount *m;
	struct share *s;
	bool read_only;
	int ret = split_mount("--share", text, &host, &guest, &read_only, e);

	if (ret < 0)
		return ret;
	p->shares = xreallocarray(p->shares, p->nshares + 1, sizeof(*p->shares));
	s = &p->shares[p->nshares];
	*s = (struct share)SHARE_INIT;
	/* an empty folder will do, such as one that was left by a run killed right then */
	ret = read_only || share_is_share(AT_FDCWD, host) ? -ENOTEMPTY : share_create(s, host, e);
	if (ret == -ENOTEMPTY) {
		err_release(e);
		ret = share_open(s, host, read_only ? SHARE_READ : SHARE_WRITE, e);
	}
	if (ret < 0)
		return ret;
	p->nshares++;
	if (!read_only) {
		ret = share_mark_dirty(s, e);
		if (ret < 0)
			return ret;
	}
	m = add_mount(p, guest);
	m->fd = s->fd;
	m->read_only = read_only;
	m->nosync = nosync;
	return 0;
}

/* A descriptor of what is to be bound, a folder or a regular file; nothing else is opened. */
static int open_bind(const char *host, bool read_only, bool *file, struct error *e)
{
	cleanup_close int fd = -1;
	struct stat st;

	if (stat(host, &st) < 0)
		return err_sys(e, errno, "cannot open '%s'", host);
	*file = S_ISREG(st.st_mode);
	fd = open(host, O_CLOEXEC | O_NONBLOCK |
		  (*file ? read_only ? O_RDONLY : O_RDWR : O_RDONLY | O_DIRECTORY));
	if (fd < 0 && *file && !read_only && access(host, R_OK) == 0)
		return err_sys(e, errno, "cannot write to '%s' (':ro' binds it to be read)", host);
	if (fd < 0)
		return err_sys(e, errno, "cannot open '%s'", host);
	if (fstat(fd, &st) < 0 || *file != S_ISREG(st.st_mode))
		return err_set(e, ESTALE, "'%s' is another file all of a sudden", host);
	return steal_fd(&fd);
}

int places_add_bind(struct places *p, const char *text, struct error *e)
{
	cleanup_free char *host = NULL, *guest = NULL;
	bool read_only, file = false;
	int ret = split_mount("--bind", text, &host, &guest, &read_only, e);

	if (ret < 0)
		return ret;
	ret = open_bind(host, read_only, &file, e);
	if (ret < 0)
		return ret;

	struct cage_mount *m = add_mount(p, guest);

	m->fd = ret;
	m->plain = true;
	m->file = file;
	m->read_only = read_only;
	return 0;
}

int places_check_mounts(const char *option, const struct strv *mounts, bool may_be_made,
			struct error *e)
{
	struct stat st;

	for (size_t i = 0; i < mounts->n; i++) {
		cleanup_free char *host = NULL, *guest = NULL;
		bool read_only, there;
		int ret = split_mount(option, mounts->v[i], &host, &guest, &read_only, e);

		if (ret < 0)
			return ret;
		there = stat(host, &st) == 0;
		if (!there && !(errno == ENOENT && may_be_made && !read_only))
			return err_sys(e, errno, "%s: cannot use '%s'", option, host);
		if (there && S_ISSOCK(st.st_mode))
			return err_usage(e, "%s: '%s' is a socket; give it with --socket", option, host);
		if (there && !S_ISDIR(st.st_mode) &&
		    !(S_ISREG(st.st_mode) && str_eq(option, "--bind")))
			return err_usage(e, "%s: '%s' is not a folder%s", option, host,
					 str_eq(option, "--bind") ? ", nor a regular file" : "");
	}
	return 0;
}
