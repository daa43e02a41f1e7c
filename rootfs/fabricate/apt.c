// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apt's own state in the new root: which packages nobody asked for by name, and, where
 * hooks or the user shall find them, the indexes as `apt-get update` leaves them in
 * /var/lib/apt/lists.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"

#define STATES "var/lib/apt/extended_states"

static const struct share_attr file_attr = { .mode = S_IFREG | 0644, .mtime = { 0, UTIME_OMIT } };

/* apt's URItoFileName(): without scheme, user and password, odd bytes in hex, "/" as "_". */
static void add_file_name(const char *uri, struct strbuf *out)
{
	const char *at = strstr(uri, "://");

	at = at ? at + 3 : str_starts(uri, "file:") ? uri + 5 : uri;
	for (; *at; at++) {
		unsigned char c = (unsigned char)*at;

		if (strchr("\\|{}[]<>\"^~_=!@#$%^&*", c) || c <= 0x20 || c >= 0x7f)
			sb_addf(out, "%%%02x", c);
		else
			sb_addc(out, c == '/' ? '_' : (char)c);
	}
}

static char *list_path(const struct debian_release *r, const char *rest)
{
	struct strbuf name = STRBUF_INIT;
	bool flat = str_ends(r->suite, "/");
	cleanup_free char *uri = flat ? xasprintf("%s/%s", r->uri, r->suite)
				      : xasprintf("%s/dists/%s/", r->uri, r->suite);

	str_hide_passwords(uri);
	sb_adds(&name, "var/lib/apt/lists/");
	add_file_name(uri, &name);
	sb_adds(&name, rest);
	return sb_steal(&name);
}

static int copy_index(struct share_tree *t, const struct debian_index *index, struct error *e)
{
	bool flat = str_ends(index->release->suite, "/");
	cleanup_free char *rest = flat ? xstrdup("Packages")
				       : xasprintf("%s_binary-%s_Packages", index->component,
						   index->architecture);
	cleanup_free char *path = list_path(index->release, rest);
	int out = share_file_begin(t, path, &file_attr, e);

	if (out < 0)
		return out;
	if (share_copy_file(index->fd, out, e) < 0) {
		share_file_abort(t, path, out);
		return err_wrap(e, "the index '%s'", index->path);
	}
	return share_file_end(t, path, out, &file_attr, e);
}

int fabricate_put_lists(struct fabricate *f, struct share_tree *t, struct error *e)
{
	const struct debian_index *indexes;
	const struct debian_release *r;
	size_t nindexes = debian_indexes(f->archive, &indexes);
	int ret = 0;

	for (size_t i = 0; ret == 0 && (r = debian_release_at(f->archive, i)) != NULL; i++) {
		cleanup_free char *path = list_path(r, r->signer ? "InRelease" : "Release");

		ret = share_file(t, path, &file_attr, r->text, strlen(r->text), e);
	}
	for (size_t i = 0; i < nindexes && ret == 0; i++)
		ret = copy_index(t, &indexes[i], e);
	return ret;
}

static void add_states(const struct fabricate *f, struct strbuf *text)
{
	const char *native = f->o->architectures.n ? f->o->architectures.v[0] : "";

	for (size_t i = f->plan->nbase; i < f->plan->n; i++) {
		const struct plan_package *p = &f->plan->packages[i];

		if (p->auto_installed)
			sb_addf(text, "Package: %s\nArchitecture: %s\nAuto-Installed: 1\n\n", p->name,
				strcmp(p->arch, "all") == 0 ? native : p->arch);
	}
}

/* What apt has noted already, called by a hook. */
static int read_states(const struct fabricate *f, struct strbuf *text)
{
	cleanup_share_tree struct share_tree *look = share_tree_new(f->share->fd, 0);

	return share_read(look, STATES, (size_t)64 << 20, text, NULL);
}

int fabricate_put_states(struct fabricate *f, struct error *e)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"cat >>/" STATES, NULL };
	cleanup_share_tree struct share_tree *t = share_tree_new(f->share->fd, SHARE_PARENTS |
								 SHARE_REPLACE | SHARE_KEEP_DIRS);
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_close int fd = -1;

	/* apt writes one, if an empty one, whenever it installs something */
	if (f->plan->n == f->plan->nbase)
		return 0;
	if (!f->guest) {
		(void)read_states(f, &text);
		add_states(f, &text);
		return share_file(t, STATES, &file_attr, text.s, text.len, e);
	}
	add_states(f, &text);
	fd = memfd_with("states", sb_str(&text), text.len, e);
	return fd < 0 ? fd : guest_run(f->guest, "noting what is automatic", argv, NULL, fd, e);
}
