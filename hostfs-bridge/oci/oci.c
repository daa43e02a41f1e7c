// SPDX-License-Identifier: GPL-2.0-or-later
/* A share as an image of containers: see oci.h. */
#include "hostfs-bridge/oci/oci.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostfs-bridge/oci/private.h"
#include "umlcage/base/fd.h"

struct look {
	int64_t epoch, newest;
};

/* A layer cannot have names that mean "removed" to whoever unpacks it. */
static int look_at(const struct share_entry *ent, void *arg, struct error *e)
{
	struct look *l = arg;
	const char *base = strrchr(ent->path, '/');
	int64_t time = ent->attr.mtime.tv_sec;

	base = base ? base + 1 : ent->path;
	if (str_starts(base, ".wh."))
		return err_set(e, EINVAL, "'%s': names that begin with '.wh.' mean in a layer that "
			       "something is removed; take it out of the tree", ent->path);
	if (l->epoch >= 0 && time > l->epoch)
		time = l->epoch;
	l->newest = time > l->newest ? time : l->newest;
	return 0;
}

static int write_layer(struct share *s, int fd, const char *name, const struct oci_opts *o,
		       struct oci_blob *blob, char *plain, struct share_totals *totals,
		       struct error *e)
{
	struct hash hash = { NULL };
	const struct share_export_opts opts = {
		.format = &share_tar, .compression = o->docker ? NULL : "gzip", .level = o->level,
		.threads = o->threads, .epoch = o->epoch, .hash = &hash, .progress = o->progress,
	};
	struct stat st;
	int ret;

	hash_start(&hash);
	ret = share_export(s, fd, name, &opts, totals, e);
	hash_end(&hash, plain);
	hash_release(&hash);
	if (ret < 0)
		return ret;
	ret = hash_fd(fd, blob->sha256);
	if (ret < 0 || fstat(fd, &st) < 0)
		return err_sys(e, ret < 0 ? -ret : errno, "cannot read a layer again");
	blob->size = (uint64_t)st.st_size;
	return 0;
}

static int put_blob(struct layout *l, const char *text, struct oci_blob *blob, struct error *e)
{
	cleanup_free char *path = NULL;
	struct hash h = { NULL };

	blob->size = strlen(text);
	hash_start(&h);
	hash_add(&h, text, blob->size);
	hash_end(&h, blob->sha256);
	hash_release(&h);
	path = xasprintf("blobs/sha256/%s", blob->sha256);
	return layout_text(l, path, text, e);
}

static int put_rest(struct layout *l, const struct oci_opts *o, const struct oci_blob *layer,
		    const char *plain, int64_t created, struct error *e)
{
	cleanup_free char *config = oci_config_text(o, plain, created), *manifest = NULL;
	cleanup_free char *index = NULL, *docker = NULL;
	struct oci_blob config_blob, manifest_blob;
	int ret = put_blob(l, config, &config_blob, e);

	if (ret == 0) {
		manifest = oci_manifest_text(o, &config_blob, layer);
		ret = put_blob(l, manifest, &manifest_blob, e);
	}
	if (ret == 0) {
		index = oci_index_text(o, &manifest_blob);
		ret = layout_text(l, "index.json", index, e);
	}
	if (ret == 0 && o->docker) {
		docker = oci_docker_text(o, &config_blob, layer);
		ret = layout_text(l, "manifest.json", docker, e);
	}
	return ret;
}

static int put_all(struct share *s, struct layout *l, const char *name, const struct oci_opts *o,
		   int64_t created, struct share_totals *totals, struct error *e)
{
	char plain[SHA256_HEX + 1];
	struct oci_blob layer = { "", 0 };
	cleanup_free char *path = NULL;
	cleanup_close int fd = layout_scratch(l, e);
	int ret = fd < 0 ? fd : write_layer(s, fd, name, o, &layer, plain, totals, e);

	if (ret == 0)
		ret = layout_text(l, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}", e);
	if (ret == 0)
		ret = layout_folder(l, "blobs", e);
	if (ret == 0)
		ret = layout_folder(l, "blobs/sha256", e);
	path = xasprintf("blobs/sha256/%s", layer.sha256);
	if (ret == 0)
		ret = layout_file(l, path, fd, layer.size, e);
	if (ret == 0)
		ret = put_rest(l, o, &layer, plain, created, e);
	return ret < 0 ? ret : layout_finish(l, e);
}

/* How old the image is: as its newest file, no later than the epoch. */
static int look(struct share *s, const struct oci_opts *o, int64_t *created, struct error *e)
{
	struct look l = { .epoch = o->epoch };
	int ret = share_walk(s->fd, SHARE_WALK_NO_XATTRS, look_at, &l, e);

	*created = o->epoch >= 0 ? o->epoch : l.newest;
	return ret;
}

int oci_write_directory(struct share *s, int dirfd, const char *name, const struct oci_opts *o,
			struct share_totals *totals, struct error *e)
{
	cleanup_layout struct layout *l = layout_directory(dirfd, name);
	int64_t created;
	int ret = look(s, o, &created, e);

	return ret < 0 ? ret : put_all(s, l, name, o, created, totals, e);
}

int oci_write_archive(struct share *s, int fd, const char *name, const struct oci_opts *o,
		      struct share_totals *totals, struct error *e)
{
	cleanup_layout struct layout *l = NULL;
	int64_t created;
	int ret = look(s, o, &created, e);

	if (ret == 0)
		ret = layout_archive(&l, fd, name, created, e);
	return ret < 0 ? ret : put_all(s, l, name, o, created, totals, e);
}
