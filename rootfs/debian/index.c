// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Packages and Sources files: found in the Release file in the smallest form on offer, by hash
 * where the mirror has it, and kept decompressed under the sum of the
 * decompressed text, so that a solver reads it at once.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/debian/private.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/worker.h"

enum { CHUNK = 256 * 1024, MAX_FORMS = 6, KEEP_DAYS = 14, MAX_UNLISTED = 512 << 20 };
#define MAX_INDEX (4ULL << 30)

static const char *const suffixes[] = { "", ".zst", ".xz", ".lzma", ".bz2", ".gz" };

/* One form of an index on the mirror. */
struct form {
	const char *suffix;
	char sum[SUM_HEX + 1];
	uint64_t size;
};

/* One index on its way. */
struct wanted {
	struct debian_index index;	/* what it becomes */
	char *path;			/* in the suite, without suffix */
	struct form forms[MAX_FORMS];	/* smallest first */
	size_t nforms, form;
	struct error wrong;	/* a form that is there, but is not what the Release file says */
	bool optional, done;
};

#define SOURCE "source"	/* in the place of an architecture */

static void clear(struct debian_index **v, size_t *n)
{
	for (size_t i = 0; i < *n; i++) {
		struct debian_index *x = &(*v)[i];

		free(x->base);
		free(x->component);
		free(x->architecture);
		free(x->path);
		close_fd(&x->fd);
	}
	free_ptr(v);
	*n = 0;
}

void debian_indexes_clear(struct debian_archive *a)
{
	clear(&a->indexes, &a->nindexes);
	clear(&a->source_indexes, &a->nsource_indexes);
}

static int by_size(const void *a, const void *b)
{
	const struct form *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

/* ---- decompression ---- */

/* What the process that decompresses is told. */
struct unzip {
	int in, out;
	const char *what;
	off_t at;
	char *buf;
};

static la_ssize_t read_compressed(struct archive *la, void *arg, const void **data)
{
	struct unzip *z = arg;
	ssize_t got = pread_full(z->in, z->buf, CHUNK, z->at);

	(void)la;
	*data = z->buf;
	if (got > 0)
		z->at += got;
	return got < 0 ? ARCHIVE_FATAL : got;
}

/* Copies what @la holds to the output. */
static int copy_out(struct archive *la, const struct unzip *z, struct error *e)
{
	cleanup_free char *buf = xmalloc(CHUNK);
	uint64_t size = 0;
	la_ssize_t got;

	for (; (got = archive_read_data(la, buf, CHUNK)) > 0; size += (uint64_t)got) {
		int ret = size + (uint64_t)got > MAX_INDEX ? -EFBIG :
			  write_full(z->out, buf, (size_t)got);

		if (ret < 0)
			return err_sys(e, -ret, "cannot store %s in the cache", z->what);
	}
	if (got < 0)
		return err_set(e, EBADMSG, "cannot decompress %s: %s", z->what,
			       archive_error_string(la) ?: "damaged");
	return 0;
}

/* Confined: bytes of a mirror, which nobody has vouched for if there was no Release file. */
static int unzip(void *arg, struct strbuf *result, struct error *e)
{
	struct unzip *z = arg;
	cleanup_free char *buf = xmalloc(CHUNK);
	struct archive *la = archive_read_new();
	struct archive_entry *entry;
	int ret;

	(void)result;
	z->buf = buf;
	archive_read_support_filter_xz(la);
	archive_read_support_filter_gzip(la);
	archive_read_support_filter_zstd(la);
	archive_read_support_filter_bzip2(la);
	archive_read_support_filter_lzma(la);
	archive_read_support_format_raw(la);
	archive_read_support_format_empty(la);
	ret = archive_read_open(la, z, NULL, read_compressed, NULL);
	if (ret == ARCHIVE_OK)
		ret = archive_read_next_header(la, &entry);
	if (ret == ARCHIVE_OK)
		ret = copy_out(la, z, e);
	else if (ret != ARCHIVE_EOF)
		ret = err_set(e, EBADMSG, "cannot decompress %s: %s", z->what,
			      archive_error_string(la) ?: "damaged");
	else
		ret = 0;
	archive_read_free(la);
	return ret;
}

/* The sum of @fd, of the kind that @like is of, and its size. */
static int sum_up(int fd, const char *like, char sum[SUM_HEX + 1], uint64_t *size, const char *what,
		  struct error *e)
{
	struct hash h = { NULL };
	struct stat st;
	int ret;

	if (fstat(fd, &st) < 0)
		return err_sys(e, errno, "cannot read %s in the cache", what);
	*size = (uint64_t)st.st_size;
	hash_start_like(&h, like);
	ret = hash_add_fd(&h, fd, *size);
	hash_end(&h, sum);
	hash_release(&h);
	return ret < 0 ? err_sys(e, -ret, "cannot read %s in the cache", what) : 0;
}

/*
 * In a process of its own, which has both descriptors and nothing else.  It is not asked for
 * the sum: by that name others will find the file.
 */
static int decompress(const struct debian_archive *a, int in, int out, const char *like,
		      char sum[SUM_HEX + 1], uint64_t *size, const char *what, struct error *e)
{
	static const struct confine confine = {
		.files = true, .memory = 1ULL << 30, .cpu_seconds = 600,
	};
	cleanup_free char *task = xasprintf("decompress %s", what);
	cleanup_strbuf struct strbuf result = STRBUF_INIT;
	struct unzip z = { .in = in, .out = out, .what = what };
	const int fds[] = { in, out };
	const struct worker worker = {
		.what = task, .confine = &confine, .fds = fds, .nfds = ARRAY_SIZE(fds),
		.patience = WORKER_PATIENCE, .progress = a->progress, .work = unzip, .arg = &z,
	};
	int ret = worker_run(&worker, &result, e);

	return ret < 0 ? ret : sum_up(out, like, sum, size, what, e);
}

/* ---- one index ---- */

static char *what_of(const struct wanted *w)
{
	return xasprintf("'%s %s %s'", w->index.release->uri, w->index.release->suite, w->path);
}

static const char *plain_hash(const struct wanted *w)
{
	for (size_t i = 0; i < w->nforms; i++)
		if (!*w->forms[i].suffix)
			return w->forms[i].sum;
	return NULL;
}

/* Takes the decompressed file that is in the cache, if it is there and right. */
static bool take_cached(const struct debian_archive *a, struct wanted *w, const char *sum,
			uint64_t size)
{
	cleanup_close int fd = openat(a->indexes_fd, sum, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || hash_matches_noted(fd, size, sum) != 1)
		return false;
	/* the time of modification belongs to the note that it was hashed */
	(void)futimens(fd, (const struct timespec[]){ { .tv_nsec = UTIME_NOW },
						      { .tv_nsec = UTIME_OMIT } });
	w->index.fd = steal_fd(&fd);
	w->index.size = size;
	memcpy(w->index.sum, sum, sizeof(w->index.sum));
	w->index.path = path_join(a->indexes_dir, sum);
	w->done = true;
	return true;
}

static bool take_any_cached(const struct debian_archive *a, struct wanted *w)
{
	for (size_t i = 0; i < w->nforms && !w->index.release->absent; i++)
		if (!*w->forms[i].suffix)
			return take_cached(a, w, w->forms[i].sum, w->forms[i].size);
	return false;
}

/* Where in the archive the form is: below dists/SUITE, or the flat archive's path. */
static char *suite_path(const struct wanted *w, const char *rest)
{
	const char *suite = w->index.release->suite;

	return str_ends(suite, "/") ? xasprintf("%s%s", suite, rest) :
				      xasprintf("dists/%s/%s", suite, rest);
}

static void add_url(const struct debian_archive *a, struct fetch_item *d, const struct wanted *w,
		    const char *rest)
{
	cleanup_free char *path = suite_path(w, rest);

	debian_add_urls(a, d, w->index.release->uri, path);
}

/* The download of the form that is w's turn. */
static struct fetch_item *new_index_download(const struct debian_archive *a, struct wanted *w)
{
	const struct form *f = &w->forms[w->form];
	cleanup_free char *what = what_of(w);
	cleanup_free char *plain = xasprintf("%s%s", w->path, f->suffix);
	struct fetch_item *d = fetch_item_new(what);

	if (debian_release_says(w->index.release, "Acquire-By-Hash", "yes")) {
		const char *slash = strrchr(w->path, '/');
		int dir = slash ? (int)(slash + 1 - w->path) : 0;
		cleanup_free char *by_hash = xasprintf("%.*sby-hash/%s/%s", dir, w->path,
						       strlen(f->sum) == SUM_HEX ? "SHA512" :
						       "SHA256", f->sum);

		add_url(a, d, w, by_hash);
	}
	add_url(a, d, w, plain);
	d->user = w;
	if (w->index.release->absent) {
		d->max = MAX_UNLISTED;
		return d;
	}
	d->sum = xstrdup(f->sum);
	d->size = f->size;
	d->dirfd = a->indexes_fd;
	/* the decompressed one has the bare hash as its name */
	d->name = xasprintf("%s%s", f->sum, f->suffix);
	return d;
}

/* Makes the decompressed file of what is open at @in. */
static int unpack_fd(const struct debian_archive *a, struct wanted *w, int in, struct error *e)
{
	cleanup_outfile struct outfile of = OUTFILE_INIT;
	cleanup_free char *what = what_of(w);
	const char *expected = plain_hash(w), *like = expected ?: w->forms[w->form].sum;
	char sum[SUM_HEX + 1];
	uint64_t size = 0;
	int ret;

	/* its name is its hash, which may be known only afterwards */
	ret = outfile_open(&of, a->indexes_fd, *like ? like : "unlisted", 0600, e);
	if (ret < 0)
		return err_wrap(e, "cannot store %s in the cache", what);
	ret = decompress(a, in, of.fd, like, sum, &size, what, e);
	if (ret < 0)
		return ret;
	if (expected && *expected && !str_eq(expected, sum))
		return err_set(e, EBADMSG, "%s is not what its Release file says when decompressed",
			       what);
	hash_note(of.fd, sum);
	free(of.name);
	of.name = xstrdup(sum);
	ret = outfile_commit(&of, e);
	if (ret < 0)
		return err_wrap(e, "cannot store %s in the cache", what);
	if (!take_cached(a, w, sum, size))
		return err_set(e, EIO, "%s vanished from the cache", what);
	return 0;
}

/* Takes a finished download: verified, or without a Release file to verify it by. */
static int unpack_index(const struct debian_archive *a, struct wanted *w, struct fetch_item *d,
			struct error *e)
{
	cleanup_free char *what = what_of(w);
	cleanup_close int fd = -1;
	int ret;

	if (!d->sum) {
		fd = memfd_with("index", sb_str(&d->data), d->data.len, e);
		return fd < 0 ? fd : unpack_fd(a, w, fd, e);
	}
	if (!*w->forms[w->form].suffix) {	/* came as it is */
		if (take_any_cached(a, w))
			return 0;
		return err_set(e, EIO, "%s vanished from the cache", what);
	}
	ret = unpack_fd(a, w, d->fd, e);
	if (ret == 0)
		(void)unlinkat(a->indexes_fd, d->name, 0);
	return ret;
}

/* ---- which indexes ---- */

/* Fills in the forms on offer: 1; 0 if the Release file has none of them. */
static int find_forms(struct wanted *w, struct error *e)
{
	/* as apt asks for them */
	static const char *const unlisted[] = { ".xz", ".zst", ".gz", ".bz2", ".lzma", "" };

	if (w->index.release->absent) {
		for (; w->nforms < ARRAY_SIZE(unlisted); w->nforms++)
			w->forms[w->nforms].suffix = unlisted[w->nforms];
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		cleanup_free char *path = xasprintf("%s%s", w->path, suffixes[i]);
		struct form *f = &w->forms[w->nforms];
		int ret = debian_release_find(w->index.release, path, f->sum, &f->size, e);

		if (ret < 0)
			return ret;
		f->suffix = suffixes[i];
		w->nforms += (size_t)ret;
	}
	qsort(w->forms, w->nforms, sizeof(*w->forms), by_size);
	return w->nforms > 0;
}

struct list_of_wanted {
	struct wanted **v;
	size_t n;
};

static void free_wanted(struct wanted *w)
{
	free(w->index.base);
	free(w->index.component);
	free(w->index.architecture);
	free(w->index.path);
	close_fd(&w->index.fd);
	err_release(&w->wrong);
	free(w->path);
	free(w);
}

static void list_release(struct list_of_wanted *l)
{
	for (size_t i = 0; i < l->n; i++)
		free_wanted(l->v[i]);
	free_ptr(&l->v);
}

static char *path_of(const char *component, const char *arch)
{
	bool source = str_eq(arch, SOURCE);

	if (!*component)
		return xstrdup(source ? "Sources" : "Packages");
	return source ? xasprintf("%s/source/Sources", component) :
			xasprintf("%s/binary-%s/Packages", component, arch);
}

/* Adds one index to the list: 1, or 0 if the archive has none. */
static int want(struct list_of_wanted *l, const struct debian_release *r, const char *component,
		const char *arch, bool optional, struct error *e)
{
	struct wanted *w = xcalloc(1, sizeof(*w));
	int ret;

	w->index.release = r;
	w->optional = optional;
	w->index.fd = -1;
	w->index.base = str_ends(r->suite, "/") ? xasprintf("%s/%s", r->uri, r->suite) :
						  xstrdup(r->uri);
	w->index.component = xstrdup(component);
	w->index.architecture = xstrdup(arch);
	w->path = path_of(component, arch);
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i]->index.release == r && str_eq(l->v[i]->path, w->path)) {
			free_wanted(w);
			return 1;
		}
	}
	ret = find_forms(w, e);
	if (ret <= 0) {
		free_wanted(w);
		return ret;
	}
	l->v = xreallocarray(l->v, l->n + 1, sizeof(struct wanted *));
	l->v[l->n++] = w;
	return 1;
}

static const struct debian_release *release_of(const struct debian_archive *a, const struct debian_source *s)
{
	for (size_t i = 0; i < a->nreleases; i++)
		if (str_eq(a->releases[i]->uri, s->uri) && str_eq(a->releases[i]->suite, s->suite))
			return a->releases[i];
	return NULL;
}

/* Those of the entry, or of the session; with what is added, without what is taken away. */
static void architectures_of(const struct debian_archive *a, const struct debian_source *s,
			     struct strv *out)
{
	const struct strv *from[] = { s->architectures.n ? &s->architectures : &a->architectures,
				      &s->more_architectures };

	for (size_t k = 0; k < ARRAY_SIZE(from); k++)
		for (size_t i = 0; i < from[k]->n; i++)
			if (!strv_has(&s->less_architectures, from[k]->v[i]) &&
			    !strv_has(out, from[k]->v[i]))
				strv_add(out, from[k]->v[i]);
}

static int want_component(const struct debian_archive *a, struct list_of_wanted *l,
			  const struct debian_source *s, const struct debian_release *r,
			  const char *component, struct error *e)
{
	cleanup_strv struct strv archs = STRV_INIT;
	int found = 0, ret = a->with_sources ? want(l, r, component, SOURCE, true, e) : 0;

	if (ret < 0)
		return ret;
	architectures_of(a, s, &archs);
	for (size_t i = 0; i < archs.n; i++) {
		ret = want(l, r, component, archs.v[i], false, e);
		if (ret < 0)
			return ret;
		found |= ret;
	}
	/* as apt understands it: "all" is apart if named, and not said to be in the others */
	if (r->absent || !archs.n || (debian_release_says(r, "Architectures", "all") &&
	    !debian_release_says(r, "No-Support-for-Architecture-all", "Packages"))) {
		ret = want(l, r, component, "all", r->absent, e);
		if (ret < 0)
			return ret;
		found |= ret;
	}
	if (found || s->optional || !archs.n)
		return 0;

	cleanup_free char *names = strv_join(&archs, ", ");

	return err_set(e, ENOENT, "'%s %s' has no component '%s' for architecture %s", r->uri,
		       r->suite, component, names);
}

static int want_source(const struct debian_archive *a, struct list_of_wanted *l,
		       const struct debian_source *s, struct error *e)
{
	const struct debian_release *r = release_of(a, s);
	int ret = 0;

	if (!r)
		return 0;	/* optional and absent */
	if (!s->components.n) {
		if (a->with_sources)
			ret = want(l, r, "", SOURCE, true, e);
		if (ret >= 0)
			ret = want(l, r, "", "any", false, e);
		return ret ? (ret < 0 ? ret : 0) :
			err_set(e, ENOENT, "'%s %s' lists no Packages file", r->uri, r->suite);
	}
	for (size_t i = 0; i < s->components.n && ret == 0; i++)
		ret = want_component(a, l, s, r, s->components.v[i], e);
	return ret;
}

/* ---- all of them ---- */

/*
 * Why an index that its Release file lists cannot be had in any form.  Where one of them is
 * there, but another than it should be, that says more than that the others are not.
 */
static int explain_index(struct wanted *w, struct error *why, struct error *e)
{
	cleanup_free char *what = what_of(w);
	bool wrong = w->wrong.errnum || why->errnum == EBADMSG;

	if (w->wrong.errnum)
		why = &w->wrong;
	if (w->index.release->absent || (!wrong && why->errnum != ENOENT))
		return err_move(e, why);
	(void)err_wrap(why, wrong ? "the index %s is not what the Release file beside it says" :
		       "the mirror lacks the index %s, which the Release file beside it lists", what);
	(void)err_hint(why, "the mirror is being updated, or was not updated as a whole: try again "
		       "later, or take another mirror");
	return err_move(e, why);
}

/* One finished download; asks for the next form where the mirror lacks this one. */
static int take_index(const struct debian_archive *a, struct fetch *dl, struct fetch_item *d,
		      struct error *e)
{
	struct wanted *w = d->user;
	int ret;

	if (!d->error.errnum) {
		ret = unpack_index(a, w, d, e);
	} else if ((d->error.errnum == ENOENT || d->error.errnum == EBADMSG) &&
		   w->form + 1 < w->nforms) {
		if (d->error.errnum == EBADMSG && !w->wrong.errnum)
			(void)err_move(&w->wrong, &d->error);
		w->form++;
		fetch_add(dl, new_index_download(a, w));
		ret = 0;
	} else if (d->error.errnum == ENOENT && w->optional) {
		ret = 0;
	} else {
		ret = explain_index(w, &d->error, e);
	}
	fetch_item_free(d);
	return ret;
}

static int fetch_all(const struct debian_archive *a, struct list_of_wanted *l, struct error *e)
{
	struct fetch *dl = NULL;
	struct fetch_item *d;
	int ret = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (take_any_cached(a, l->v[i]))
			continue;
		if (!dl) {
			ret = fetch_start(&a->fetch, &dl, e);
			if (ret < 0)
				return ret;
		}
		fetch_add(dl, new_index_download(a, l->v[i]));
	}
	while (dl && ret == 0 && (ret = fetch_next(dl, a->progress, &d, e)) > 0)
		ret = take_index(a, dl, d, e);
	fetch_end(dl);
	if (dl && ret == 0)
		fetch_prune(a->indexes_fd, KEEP_DAYS);
	return ret;
}

int debian_indexes_update(struct debian_archive *a, struct error *e)
{
	__attribute__((cleanup(list_release))) struct list_of_wanted l = { NULL, 0 };
	int ret = 0;

	debian_indexes_clear(a);
	for (size_t i = 0; i < a->sources.n && ret == 0; i++)
		ret = want_source(a, &l, &a->sources.v[i], e);
	if (ret == 0)
		ret = fetch_all(a, &l, e);
	if (ret < 0)
		return ret;
	a->indexes = xcalloc(l.n + 1, sizeof(*a->indexes));
	a->source_indexes = xcalloc(l.n + 1, sizeof(*a->source_indexes));
	for (size_t i = 0; i < l.n; i++) {
		if (!l.v[i]->done)	/* optional */
			continue;
		if (str_eq(l.v[i]->index.architecture, SOURCE))
			a->source_indexes[a->nsource_indexes++] = l.v[i]->index;
		else
			a->indexes[a->nindexes++] = l.v[i]->index;
		l.v[i]->index = (struct debian_index){ .fd = -1 };
	}
	return 0;
}
