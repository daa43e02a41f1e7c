// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages into a share: see unpack.h.  Each call of unpack_package() works on a tree of
 * its own; what the threads have in common is the table of claims.
 */
#include "rootfs/unpack/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"

#define BUF_SIZE	((size_t)256 << 10)

struct unpack *unpack_new(const struct unpack_config *cfg)
{
	struct unpack *u = xcalloc(1, sizeof(*u));

	u->cfg = *cfg;
	u->pkgs = xcalloc(cfg->n, sizeof(*u->pkgs));
	claims_init(&u->claims);
	unpack_claim_before(u);
	return u;
}

void unpack_claim_before(struct unpack *u)
{
	struct share_attr attr = { .mode = S_IFDIR | 0755, .mtime = { 0, UTIME_OMIT } };

	for (size_t i = 0; u->cfg.dirs && i < u->cfg.dirs->n; i++) {
		cleanup_free char *path = xasprintf("/%s", u->cfg.dirs->v[i]);

		claims_dir(&u->claims, path, CLAIM_BEFORE, (int)u->cfg.n, &attr);
	}
	for (size_t i = 0; u->cfg.links && i < u->cfg.links->n; i++) {
		cleanup_free char *path = xasprintf("/%s", u->cfg.links->v[i]);
		cleanup_free char *target = xasprintf("usr/%s", u->cfg.links->v[i]);

		claims_set(&u->claims, path, CLAIM_BEFORE, CLAIM_LINK, target);
	}
}

static void release_package(struct unpacked *p)
{
	deb_facts_free(&p->facts);
	free(p->sums);
	free(p->spec);
	free(p->full);
	strv_release(&p->list);
	strv_release(&p->info);
	for (size_t i = 0; i < p->nowners; i++) {
		free(p->owners[i].path);
		free(p->owners[i].user);
		free(p->owners[i].group);
	}
	free(p->owners);
	*p = (struct unpacked){ 0 };
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->cfg.n; i++)
		release_package(&u->pkgs[i]);
	free(u->pkgs);
	claims_release(&u->claims);
	free(u);
}

const struct unpacked *unpack_get(const struct unpack *u, size_t index)
{
	return &u->pkgs[index];
}

bool unpack_was_repeated(const struct unpack *u)
{
	return u->ordered;
}

/* ---- control ---- */

/* What the reader of the package says of it, checked. */
static void take_facts(struct unpacked *p, struct deb *d)
{
	const struct deb_facts *f = d->facts;

	p->facts = steal_ptr(&d->facts);
	p->full = xasprintf("%s:%s", f->name, f->arch);
	p->spec = xstrdup(f->same ? p->full : f->name);
	p->sums = xcalloc(f->nconffiles + 1, sizeof(*p->sums));
	p->postinst = deb_member(d, "postinst") != NULL;
	p->read = true;
}

/* ---- contents ---- */

void unpack_canonical(const struct unpack *u, const char *path, struct strbuf *out)
{
	const struct strv *links = u->cfg.links;

	sb_reset(out);
	for (size_t i = 0; links && i < links->n; i++) {
		size_t len = strlen(links->v[i]);

		if (strncmp(path + 1, links->v[i], len) == 0 && path[len + 1] == '/') {
			sb_adds(out, "/usr");
			break;
		}
	}
	sb_adds(out, path);
}

int unpack_rank(const struct unpack *u, int index)
{
	int n = (int)u->cfg.n;

	/* tar overwrites what directories there are, dpkg leaves them */
	return index < (int)u->cfg.nbase ? n + 1 + index : n - 1 - index;
}

/* Where the hash of a conffile goes; NULL for any other file. */
static char *conffile_sum(struct unpacked *p, const char *path)
{
	for (size_t i = 0; i < p->facts->nconffiles; i++) {
		const struct deb_conffile *c = &p->facts->conffiles[i];

		if (!c->remove_on_upgrade && strcmp(c->path, path) == 0)
			return p->sums[i];
	}
	return NULL;
}

/* Records a file's hash where dpkg wants one. */
static void record_md5(struct job *j, const char *path, const char md5[33])
{
	char *sum = conffile_sum(j->pkg, path);

	if (sum)
		memcpy(sum, md5, 33);
	if (j->sums)
		sb_addf(j->sums, "%s  %s\n", md5, path + 1);
}

static int write_contents(struct job *j, const char *path, const struct share_attr *attr,
			  struct error *e)
{
	/* a reader that was taken over could have the sum of something else noted: it might as well
	 * give other contents */
	bool hash = j->sums || conffile_sum(j->pkg, path);
	int fd = share_file_begin(j->tree, path + 1, attr, e);

	if (fd < 0)
		return fd;
	if (hash)
		EVP_DigestInit_ex(j->md, EVP_md5(), NULL);
	for (;;) {
		const char *piece;
		ssize_t len = deb_piece(j->deb, &piece, e);
		int ret = len < 0 ? (int)len : 0;

		if (len == 0)
			break;
		if (len > 0) {
			if (hash)
				EVP_DigestUpdate(j->md, piece, (size_t)len);
			ret = write_full(fd, piece, (size_t)len);
			if (ret < 0)
				err_sys(e, -ret, "cannot write '%s'", path);
		}
		if (ret < 0) {
			share_file_abort(j->tree, path + 1, fd);
			return ret;
		}
	}
	if (hash) {
		unsigned char sum[EVP_MAX_MD_SIZE];
		char md5[33];

		EVP_DigestFinal_ex(j->md, sum, NULL);
		hex_encode(sum, 16, md5);
		record_md5(j, path, md5);
	}
	return share_file_end(j->tree, path + 1, fd, attr, e);
}

/* dpkg gives a hard link the hash of the file. */
static void link_md5(struct job *j, const char *path, const char *target)
{
	cleanup_free char *line = xasprintf("  %s\n", target + 1);
	const char *found;

	if (!j->sums || !j->sums->len)
		return;
	found = strstr(sb_str(j->sums), line);
	if (found && found - j->sums->s >= 32) {
		char md5[33];

		memcpy(md5, found - 32, 32);
		md5[32] = '\0';
		sb_addf(j->sums, "%s  %s\n", md5, path + 1);
	}
}

/* Is it "/bin/name", "/bin" being one of the links at the top? */
static bool at_top(const struct unpack *u, const char *path)
{
	for (size_t i = 0; u->cfg.links && i < u->cfg.links->n; i++) {
		size_t len = strlen(u->cfg.links->v[i]);

		if (strncmp(path + 1, u->cfg.links->v[i], len) == 0 && path[len + 1] == '/')
			return !strchr(path + len + 2, '/');
	}
	return false;
}

/* usrmerge copies files one by one: what were hard links are files of their own then. */
static int copy_file(struct job *j, const char *path, const char *from, struct error *e)
{
	struct share_attr attr;
	const char *name;
	int ret = share_stat(j->tree, from + 1, &attr, e);
	int dir = ret < 0 ? ret : share_parent(j->tree, from + 1, &name, e);

	if (dir < 0)
		return dir;

	cleanup_close int in = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (in < 0)
		return err_sys(e, errno, "cannot read '%s'", from);

	int out = share_file_begin(j->tree, path + 1, &attr, e);

	while (out >= 0) {
		ssize_t len = read_full(in, j->buf, BUF_SIZE);

		ret = len < 0 ? (int)len : write_full(out, j->buf, (size_t)len);
		if (ret < 0) {
			share_file_abort(j->tree, path + 1, out);
			return err_sys(e, -ret, "cannot copy '%s' to '%s'", from, path);
		}
		if (len == 0)
			return share_file_end(j->tree, path + 1, out, &attr, e);
	}
	return out;
}

static int make_entry(struct job *j, const struct deb_entry *entry, const char *path,
		      const struct share_attr *attr, struct error *e)
{
	if (entry->hardlink) {
		struct strbuf target = STRBUF_INIT;
		int ret = deb_path(entry->hardlink, &target);

		if (ret < 0)
			ret = err_set(e, EBADMSG, "bad package '%s': link '%s' to '%s'",
				      j->deb->label, path, entry->hardlink);
		else if (j->u->cfg.usrmerge && j->index < j->u->cfg.nbase && at_top(j->u, path))
			ret = copy_file(j, path, target.s, e);
		else
			ret = share_hardlink(j->tree, path + 1, target.s + 1, e);
		if (ret == 0)
			link_md5(j, path, target.s);
		sb_release(&target);
		return ret;
	}
	switch (attr->mode & S_IFMT) {
	case S_IFREG:
		return write_contents(j, path, attr, e);
	case S_IFLNK:
		return share_symlink(j->tree, path + 1, entry->symlink, attr, e);
	case S_IFDIR:
		return share_mkdir(j->tree, path + 1, attr, e);
	default:
		return share_node(j->tree, path + 1, attr, e);
	}
}

/* A name of somebody other than root, whose number here may be another than there. */
static char *foreign(const char *name, uint32_t id)
{
	return name && *name && !(id == 0 && strcmp(name, "root") == 0) ? xstrdup(name) : NULL;
}

static void note_owner(struct unpacked *p, const struct deb_entry *entry, const char *path,
		       const struct share_attr *attr)
{
	struct unpack_owner owner = {
		.user = foreign(entry->user, attr->uid),
		.group = foreign(entry->group, attr->gid),
		.uid = attr->uid, .gid = attr->gid,
	};

	if (!owner.user && !owner.group)
		return;
	owner.path = xstrdup(path);
	p->owners = xreallocarray(p->owners, p->nowners + 1, sizeof(*p->owners));
	p->owners[p->nowners++] = owner;
}

static int one_entry(struct job *j, const struct deb_entry *entry, struct error *e)
{
	struct unpack *u = j->u;
	struct share_attr attr = {
		.mode = entry->mode, .uid = entry->uid, .gid = entry->gid,
		.major = entry->major, .minor = entry->minor, .mtime = entry->mtime,
	};
	bool link = entry->hardlink != NULL;
	bool dir = !link && S_ISDIR(attr.mode), symlink = !link && S_ISLNK(attr.mode);
	const char *path;
	enum claim_answer answer;

	if (deb_path(entry->path, &j->path) < 0 ||
	    (!link && !(attr.mode & S_IFMT)) || (symlink && !entry->symlink))
		return err_set(e, EBADMSG, "bad package '%s': bad entry '%s'", j->deb->label,
			       entry->path);
	path = j->path.s;
	strv_add(&j->pkg->list, path);
	note_owner(j->pkg, entry, path, &attr);
	if (u->cfg.filters && unpack_filtered(u->cfg.filters, path, dir || symlink))
		return 0;
	unpack_canonical(u, path, &j->canonical);
	if (dir) {
		answer = claims_dir(&u->claims, j->canonical.s, (int)j->index,
				    unpack_rank(u, (int)j->index), &attr);
	} else {
		answer = claims_file(&u->claims, j->canonical.s, (int)j->index,
				     symlink ? CLAIM_LINK : CLAIM_OTHER,
				     symlink ? entry->symlink : NULL);
	}
	if (answer == CLAIM_CLASH) {
		int ret = unpack_settle(j, path, symlink ? entry->symlink : NULL,
					dir, e);

		if (ret <= 0)
			return ret;
		answer = CLAIM_MAKE;
	}
	if (answer == CLAIM_THERE || strcmp(path, "/.") == 0)
		return 0;
	return make_entry(j, entry, path, &attr, e);
}

static int contents(struct job *j, struct error *e)
{
	int ret = deb_data(j->deb, e);

	while (ret == 0) {
		struct deb_entry entry;

		ret = deb_next(j->deb, &entry, e);
		if (ret <= 0)
			return ret;
		ret = one_entry(j, &entry, e);
	}
	return ret;
}

/* The control files where a preinst finds them while it runs; see configure.c. */
static int write_for_preinst(struct job *j, struct error *e)
{
	struct share_attr attr = { .mtime = { 0, UTIME_OMIT } };
	int ret = 0;

	for (size_t i = 0; i < j->deb->n && ret == 0; i++) {
		const struct deb_member *m = &j->deb->members[i];
		cleanup_free char *path = xasprintf("var/lib/dpkg/tmp.ci.%zu/%s", j->index, m->name);

		attr.mode = S_IFREG | m->mode;
		ret = share_file(j->tree, path, &attr, m->data.s, m->data.len, e);
	}
	return ret;
}

/* The control files as dpkg keeps them; the list of contents comes at the end. */
static int write_info(struct job *j, struct error *e)
{
	struct unpacked *p = j->pkg;
	struct share_attr attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };

	for (size_t i = 0; i < j->deb->n; i++) {
		const struct deb_member *m = &j->deb->members[i];

		if (strcmp(m->name, "control") == 0 || strcmp(m->name, "list") == 0 ||
		    strchr(m->name, '.'))
			continue;

		cleanup_free char *path = xasprintf("var/lib/dpkg/info/%s.%s", p->spec, m->name);

		strv_add(&p->info, m->name);

		attr.mode = S_IFREG | m->mode;
		attr.mtime = m->mtime;

		int ret = share_file(j->tree, path, &attr, m->data.s, m->data.len, e);

		if (ret < 0)
			return ret;
	}
	if (p->facts->preinst) {
		int ret = write_for_preinst(j, e);

		if (ret < 0)
			return ret;
	}
	if (j->sums) {
		cleanup_free char *path = xasprintf("var/lib/dpkg/info/%s.md5sums", p->spec);

		strv_add(&p->info, "md5sums");
		p->summed = true;
		attr = (struct share_attr){ .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };
		return share_file(j->tree, path, &attr, j->sums->s, j->sums->len, e);
	}
	return 0;
}

int unpack_package(struct unpack *u, size_t index, int fd, const char *label, struct error *e)
{
	cleanup_deb struct deb deb = DEB_INIT;
	cleanup_strbuf struct strbuf sums = STRBUF_INIT;
	struct unpacked *p = &u->pkgs[index];
	struct job j = { .u = u, .index = index, .pkg = p, .deb = &deb };
	int ret;

	release_package(p);
	ret = deb_open_by(&deb, u->cfg.readers, fd, label, e);
	if (ret < 0)
		return ret;
	take_facts(p, &deb);
	if (!u->cfg.plain && index >= u->cfg.nbase && p->facts->preinst)
		return 0;
	if (!u->cfg.plain && !deb_member(&deb, "md5sums"))
		j.sums = &sums;
	j.tree = share_tree_new(u->cfg.rootfd, SHARE_PARENTS | SHARE_REPLACE | SHARE_KEEP_DIRS);
	j.buf = xmalloc(BUF_SIZE);
	j.md = EVP_MD_CTX_new();
	ret = contents(&j, e);
	if (ret == 0 && !u->cfg.plain)
		ret = write_info(&j, e);
	p->native = ret == 0;
	share_tree_free(&j.tree);
	EVP_MD_CTX_free(j.md);
	free(j.buf);
	sb_release(&j.path);
	sb_release(&j.canonical);
	return ret;
}
