// SPDX-License-Identifier: GPL-2.0-or-later
/* Images of containers laid out as a root: see oci.h. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostfs-bridge/oci/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/worker.h"

enum { RESULT_MAX = 8 << 20, PATH_LENGTH_MAX = 4096 };

/* ---- its documents, read in a process of its own ---- */

struct job {
	int dirfd;
	bool docker;
	const char *tag;
};

static int read_file(void *arg, const char *path, size_t max, struct strbuf *out, struct error *e)
{
	const struct job *j = arg;
	cleanup_close int fd = oci_open(j->dirfd, path, e);
	int ret = fd < 0 ? fd : fd_read_all(fd, max, out);

	return fd >= 0 && ret < 0 ? err_sys(e, -ret, "cannot read '%s' of the image", path) : ret;
}

static int work(void *arg, struct strbuf *result, struct error *e)
{
	const struct job *j = arg;
	const struct oci_files files = { .read = read_file, .arg = arg };
	struct oci_layers l = { NULL, 0 };
	int ret = oci_find(&files, j->docker, j->tag, &l, e);

	put_u64(result, l.n);
	for (size_t i = 0; i < l.n; i++) {
		put_str(result, l.v[i].path);
		put_str(result, l.v[i].sha256);
		put_u64(result, l.v[i].size);
	}
	oci_layers_release(&l);
	return ret;
}

/* The library is loaded before the process is confined. */
static void prepare(void *arg)
{
	(void)arg;
	json_object_put(json_tokener_parse("{}"));
}

static int take_layers(const struct strbuf *result, struct oci_layers *out, struct error *e)
{
	struct taker t = { .at = sb_str(result), .end = sb_str(result) + result->len };
	uint64_t n = 0;

	take_u64(&t, RESULT_MAX, &n);
	for (uint64_t i = 0; i < n && !t.bad; i++) {
		cleanup_free char *sum = NULL;
		struct oci_layer l = { .path = NULL };

		if (take_str(&t, PATH_LENGTH_MAX, true, &l.path) &&
		    take_str(&t, SHA256_HEX, true, &sum) && take_u64(&t, INT64_MAX, &l.size))
			memcpy(l.sha256, hash_valid(sum) ? sum : "", hash_valid(sum) ? SHA256_HEX + 1 : 1);
		out->v = xreallocarray(out->v, out->n + 1, sizeof(*out->v));
		out->v[out->n++] = l;
	}
	if (t.bad || t.at != t.end)
		return err_set(e, EBADMSG, "the process that reads the image did not answer as it should");
	return 0;
}

static int find_layers(int dirfd, const struct oci_read_opts *o, enum oci_kind kind,
		       struct oci_layers *out, struct error *e)
{
	static const struct confine_call calls[] = {
		{ SYS_openat, CONFINE_ANY, 0 }, { SYS_newfstatat, CONFINE_ANY, 0 },
	};
	struct job job = { dirfd, kind == OCI_DOCKER, o->tag };
	const struct confine_path path = { .fd = dirfd, .directory = true };
	const struct confine confine = {
		.paths = &path, .npaths = 1, .calls = calls, .ncalls = ARRAY_SIZE(calls),
		.memory = 256 << 20, .cpu_seconds = 60, .descriptors = 16,
	};
	cleanup_close int dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	const struct worker worker = {
		.what = "read what the image is made of", .confine = &confine, .fds = &dir, .nfds = 1,
		.max_result = RESULT_MAX, .patience = WORKER_PATIENCE,
		.progress = o->import.progress, .prepare = prepare, .work = work, .arg = &job,
	};
	cleanup_strbuf struct strbuf result = STRBUF_INIT;
	int ret;

	if (dir < 0)
		return err_sys(e, errno, "cannot read the image");
	job.dirfd = dir;
	ret = worker_run(&worker, &result, e);
	return ret < 0 ? ret : take_layers(&result, out, e);
}

/* ---- its layers ---- */

/* Old versions of docker wrote a layer that two images have as a link to the first. */
static int open_layer(int dirfd, const struct oci_layer *l, struct error *e)
{
	const char *slash = strrchr(l->path, '/');
	cleanup_free char *target = xcalloc(1, PATH_LENGTH_MAX), *dir = NULL, *path = NULL;
	cleanup_close int parent = -1;
	ssize_t n = -1;

	if (slash) {
		dir = xstrndup(l->path, (size_t)(slash - l->path));
		parent = oci_open_plain(dirfd, dir);
		n = parent < 0 ? -1 : readlinkat(parent, slash + 1, target, PATH_LENGTH_MAX - 1);
	}
	if (n <= 0 || !str_starts(target, "../"))
		return oci_open(dirfd, l->path, e);
	path = xstrdup(target + 3);
	return oci_open(dirfd, path, e);
}

static bool is_compressed(int fd)
{
	unsigned char magic[4] = { 0 };

	return pread_full(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       (memcmp(magic, "\x1f\x8b", 2) == 0 || memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0);
}

static int check_layer(int fd, const struct oci_layer *l, struct error *e)
{
	char hex[SHA256_HEX + 1];
	struct stat st;
	int ret = 0;

	/* docker's sum is of the layer as it is unpacked */
	if (!*l->sha256 || (!l->size && is_compressed(fd)))
		return 0;
	if (fstat(fd, &st) < 0 || (ret = hash_fd(fd, hex)) < 0)
		return err_sys(e, ret < 0 ? -ret : errno, "cannot read '%s' of the image", l->path);
	if ((l->size && (uint64_t)st.st_size != l->size) || !str_eq(hex, l->sha256))
		return err_set(e, EBADMSG, "'%s' of the image is damaged: its size or sha256 is another",
			       l->path);
	return 0;
}

/* What a layer removes of those below it goes first, wherever in it that is said. */
static int apply(int fd, const char *name, const struct oci_read_opts *o, struct share *s,
		 struct share_totals *totals, struct error *e)
{
	struct share_import_opts opts = o->import;
	struct share_totals one = { 0 };
	int ret = 0;

	opts.whiteouts = SHARE_WHITEOUTS_ONLY;
	for (int pass = 0; ret == 0 && pass < 2; pass++) {
		if (lseek(fd, 0, SEEK_SET) < 0)
			return err_sys(e, errno, "cannot read '%s'", name);
		ret = share_import(s, fd, name, &opts, &one, e);
		opts.whiteouts = SHARE_WHITEOUTS_SKIP;
	}
	if (opts.limit && ret == 0 && totals->bytes + one.bytes > opts.limit)
		ret = err_set(e, EFBIG, "the image takes more than the limit");
	totals->entries += one.entries;
	totals->bytes += one.bytes;
	return ret;
}

int oci_read(int dirfd, const char *name, const struct oci_read_opts *o, struct share *s,
	     struct share_totals *totals, struct error *e)
{
	struct oci_layers layers = { NULL, 0 };
	struct share_totals all = { 0 };
	enum oci_kind kind = oci_kind(dirfd);
	int ret = kind == OCI_NONE ? err_set(e, EBADMSG, "it is not an image of containers") :
		  find_layers(dirfd, o, kind, &layers, e);

	for (size_t i = 0; ret == 0 && i < layers.n; i++) {
		cleanup_free char *what = xasprintf("%s, layer %zu of %zu", name, i + 1, layers.n);
		cleanup_close int fd = open_layer(dirfd, &layers.v[i], e);

		ret = fd < 0 ? fd : check_layer(fd, &layers.v[i], e);
		if (ret == 0)
			ret = apply(fd, what, o, s, &all, e);
	}
	if (ret == 0 && !layers.n)
		ret = err_set(e, EBADMSG, "the image has no layers");
	oci_layers_release(&layers);
	if (totals)
		*totals = all;
	return ret < 0 ? err_wrap(e, "cannot use the image '%s'", name) : 0;
}
