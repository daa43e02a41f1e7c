// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage share list, fakeroot, verify: what is in a share. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "hostfs-bridge/share/share.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/share.h"

static int output_error(struct error *e)
{
	return err_sys(e, errno, "cannot write to standard output");
}

/* ---- list ---- */

struct lister {
	bool json;
	struct strv only;	/* paths without slashes around them; none: all */
	struct strv found;
	uint64_t count;
};

/* Is @path the same as @dir or below it? */
static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !len || (strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/'));
}

/* 1 to print, 0 to look further below, -1 to leave out with all below. */
static int wanted(struct lister *l, const char *path)
{
	int ret = l->only.n ? -1 : 1;

	for (size_t i = 0; i < l->only.n; i++) {
		if (is_below(path, l->only.v[i])) {
			if (str_eq(path, l->only.v[i]))
				strv_add(&l->found, path);
			return 1;
		}
		if (is_below(l->only.v[i], path))
			ret = 0;
	}
	return ret;
}

/* A name as it is, but for what would move the cursor or look like another line. */
static void add_name(struct strbuf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < ' ' || c == 127 || c == '\\')
			sb_addf(out, "\\%03o", c);
		else
			sb_addc(out, *s);
	}
}

static void add_text(struct strbuf *out, const struct share_entry *ent)
{
	const struct share_attr *a = &ent->attr;
	char mode[11], date[32] = "";
	struct tm tm;

	share_mode_text(a->mode, mode);
	if (gmtime_r(&a->mtime.tv_sec, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	sb_addf(out, "%s%c %2lu %5u %5u ", mode, a->nxattrs ? '+' : ' ',
		(unsigned long)ent->host.st_nlink, a->uid, a->gid);
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode))
		sb_addf(out, "%4u, %4u", a->major, a->minor);
	else
		sb_addf(out, "%10lld", S_ISREG(a->mode) ? (long long)ent->host.st_size : 0LL);
	sb_addf(out, " %s ", date);
	add_name(out, *ent->path ? ent->path : ".");
	if (ent->target) {
		sb_adds(out, " -> ");
		add_name(out, ent->target);
	}
	for (size_t i = 0; i < a->nxattrs; i++) {
		sb_adds(out, i ? ", " : "  [");
		add_name(out, a->xattrs[i].name);
	}
	sb_adds(out, a->nxattrs ? "]\n" : "\n");
}

static void add_json(struct strbuf *out, const struct share_entry *ent)
{
	static const char *const types[] = {
		[S_IFREG >> 12] = "file", [S_IFDIR >> 12] = "dir", [S_IFLNK >> 12] = "symlink",
		[S_IFIFO >> 12] = "pipe", [S_IFSOCK >> 12] = "socket", [S_IFBLK >> 12] = "block",
		[S_IFCHR >> 12] = "char",
	};
	const struct share_attr *a = &ent->attr;

	sb_adds(out, "{\"path\": ");
	sb_json_str(out, ent->path, strlen(ent->path));
	sb_addf(out, ", \"type\": \"%s\", \"mode\": \"%04o\", \"uid\": %u, \"gid\": %u, "
		"\"nlink\": %lu, \"inode\": %llu, \"mtime\": %lld.%09ld", types[a->mode >> 12],
		a->mode & 07777, a->uid, a->gid, (unsigned long)ent->host.st_nlink,
		(unsigned long long)ent->host.st_ino, (long long)a->mtime.tv_sec,
		(long)a->mtime.tv_nsec);
	if (S_ISREG(a->mode))
		sb_addf(out, ", \"size\": %lld", (long long)ent->host.st_size);
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode))
		sb_addf(out, ", \"major\": %u, \"minor\": %u", a->major, a->minor);
	if (ent->target) {
		sb_adds(out, ", \"target\": ");
		sb_json_str(out, ent->target, strlen(ent->target));
	}
	for (size_t i = 0; i < a->nxattrs; i++) {
		cleanup_free char *hex = xmalloc(2 * a->xattrs[i].len + 1);

		hex_encode(a->xattrs[i].value, a->xattrs[i].len, hex);
		sb_adds(out, i ? ", " : ", \"xattrs\": {");
		sb_json_str(out, a->xattrs[i].name, strlen(a->xattrs[i].name));
		sb_addf(out, ": \"%s\"", hex);
	}
	sb_adds(out, a->nxattrs ? "}}" : "}");
}

static int list_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	struct lister *l = arg;
	int want = wanted(l, ent->path);

	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	if (want <= 0)
		return want < 0;
	if (l->json) {
		sb_adds(&out, l->count ? ",\n " : "[\n ");
		add_json(&out, ent);
	} else {
		add_text(&out, ent);
	}
	l->count++;
	return fwrite(out.s, 1, out.len, stdout) == out.len ? 0 : output_error(e);
}

static int list(const char *dir, struct lister *l, struct error *e)
{
	cleanup_share struct share s = SHARE_INIT;
	int ret = share_open(&s, dir, SHARE_PEEK, e);

	if (ret == 0)
		ret = share_walk(s.fd, 0, list_entry, l, e);
	if (ret == 0 && l->json && fputs(l->count ? "\n]\n" : "[]\n", stdout) < 0)
		ret = output_error(e);
	if (ret == 0 && fflush(stdout) != 0)
		ret = output_error(e);
	for (size_t i = 0; ret == 0 && i < l->only.n; i++)
		if (!strv_has(&l->found, l->only.v[i]))
			ret = err_set(e, ENOENT, "there is no '%s' in '%s'", l->only.v[i], dir);
	return ret;
}

struct list_options {
	bool json;
};

static const struct opt list_opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct list_options, json),
	  "as a JSON array, extended attributes in hexadecimal" },
	OPT_END,
};

static const struct opt_spec list_spec = {
	.usage = "umlcage share list [--json] DIR [PATH...]",
	.summary = "Lists a share as the guest sees it: mode, links, owner, size or device, "
	   "time (UTC), name.",
	.groups = OPT_GROUPS({ NULL, list_opts, 0 }),
	.epilogue = "With PATHs, only these and what is in them.",
};

static int run_list(const struct command *self, int argc, char **argv)
{
	struct list_options o = { 0 };
	struct error e = ERROR_INIT;
	struct lister l = { .only = STRV_INIT, .found = STRV_INIT };
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	l.json = o.json;
	for (int i = 1; i < argc; i++) {
		const char *path = argv[i];
		size_t len;

		while (*path == '/' || str_starts(path, "./"))
			path += *path == '/' ? 1 : 2;
		len = strlen(path);
		while (len && path[len - 1] == '/')
			len--;
		strv_take(&l.only, str_eq(path, ".") ? xstrdup("") : xstrndup(path, len));
	}
	interrupt_begin();
	ret = argc < 1 ? err_usage(&e, "'umlcage share list' takes a share") : list(argv[0], &l, &e);
	interrupt_end();
	strv_release(&l.only);
	strv_release(&l.found);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

/* ---- fakeroot ---- */

static int fakeroot_entry(const struct share_entry *ent, void *arg, struct error *e)
{
	const struct share_attr *a = &ent->attr;
	unsigned long long device = 0;

	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	/* one line for an inode, however many names it has */
	if (ent->host.st_nlink > 1 && !S_ISDIR(ent->host.st_mode) &&
	    share_links_first(arg, ent->host.st_dev, ent->host.st_ino, ent->path))
		return 0;
	if (S_ISCHR(a->mode) || S_ISBLK(a->mode))
		device = (unsigned long long)makedev(a->major, a->minor);
	if (printf("dev=%llx,ino=%llu,mode=%o,uid=%u,gid=%u,nlink=%lu,rdev=%llu\n",
		   (unsigned long long)ent->host.st_dev, (unsigned long long)ent->host.st_ino,
		   a->mode, a->uid, a->gid, (unsigned long)ent->host.st_nlink, device) < 0)
		return output_error(e);
	return 0;
}

static const struct opt_spec fakeroot_spec = {
	.usage = "umlcage share fakeroot DIR > STATE",
	.summary = "Writes the owners, modes and devices of a share in the form that "
	   "'fakeroot -i STATE' loads.",
	.groups = NULL,
	.epilogue = "The lines name inodes: they are good for DIR where it is, not for a copy.",
};

static int run_fakeroot(const struct command *self, int argc, char **argv)
{
	struct error e = ERROR_INIT;
	cleanup_share struct share s = SHARE_INIT;
	cleanup_links struct share_links *links = share_links_new();
	int status = cmd_parse(self->spec, NULL, &argc, &argv), ret;

	if (status >= 0)
		return status;
	interrupt_begin();
	ret = argc != 1 ? err_usage(&e, "'umlcage share fakeroot' takes one share") :
	      share_open(&s, argv[0], SHARE_PEEK, &e);
	if (ret == 0)
		ret = share_walk(s.fd, SHARE_WALK_NO_XATTRS, fakeroot_entry, links, &e);
	if (ret == 0 && fflush(stdout) != 0)
		ret = output_error(&e);
	interrupt_end();
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

/* ---- verify ---- */

static void show_problem(const struct share_problem *p, void *arg)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	bool repair = *(bool *)arg;

	add_name(&out, p->path);
	sb_addf(&out, ": %s", p->what);
	if (p->remedy && p->repaired)
		sb_addf(&out, "; repaired: %s", p->remedy);
	else if (p->remedy && repair)
		sb_addf(&out, "; could not be repaired (%s)", p->remedy);
	else if (p->remedy)
		sb_addf(&out, "; with --repair %s", p->remedy);
	sb_addc(&out, '\n');
	fwrite(out.s, 1, out.len, stdout);
}

struct verify_options {
	bool repair, adopt;
};

static const struct opt verify_opts[] = {
	{ OPT_FLAG, 0, "repair", NULL, OPT_BOOL(struct verify_options, repair),
	  "mend what can be mended" },
	{ OPT_FLAG, 0, "adopt", NULL, OPT_BOOL(struct verify_options, adopt),
	  "take DIR for a share even if its own record is lost, and make a new one" },
	OPT_END,
};

static const struct opt_spec verify_spec = {
	.usage = "umlcage share verify [--repair] DIR",
	.summary = "Checks that every entry of a share is as shares are, and says what is "
	   "not, why, and whether it can be mended.",
	.groups = OPT_GROUPS({ NULL, verify_opts, 0 }),
	.epilogue = "exit status: 0 if nothing is wrong (any more), 1 otherwise",
};

static int run_verify(const struct command *self, int argc, char **argv)
{
	struct verify_options o = { 0 };
	struct error e = ERROR_INIT;
	struct share_report report = { 0 };
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret;

	if (status >= 0)
		return status;
	interrupt_begin();
	ret = argc != 1 ? err_usage(&e, "'umlcage share verify' takes one share") :
	      share_verify(argv[0], o.repair, o.adopt, show_problem, &o.repair, &report, &e);
	interrupt_end();
	if (ret < 0)
		return cmd_fail(&e);
	printf("%llu entries, %llu problems, %llu repaired\n", (unsigned long long)report.entries,
	       (unsigned long long)report.problems, (unsigned long long)report.repaired);
	return report.problems == report.repaired ? EXIT_OK : EXIT_FAILED;
}

const struct command command_share_list = {
	"list", "lists a share as the guest sees it", &list_spec, run_list, NULL, NULL,
}, command_share_fakeroot = {
	"fakeroot", "writes a state for 'fakeroot -i'", &fakeroot_spec, run_fakeroot, NULL, NULL,
}, command_share_verify = {
	"verify", "checks a share, and mends it", &verify_spec, run_verify, NULL, NULL,
};
