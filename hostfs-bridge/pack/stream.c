// SPDX-License-Identifier: GPL-2.0-or-later
/* Compressing and decompressing beside the work on files: see stream.h. */
#include "hostfs-bridge/pack/private.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zlib.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

/* written, before the disk is asked to begin with it */
#define THREADS_MAX	256u
#define WRITE_BEHIND	((off_t)8 << 20)

struct stream {
	struct ring *ring;
	pthread_t thread;
	bool writer;
	int fd;
	char *name;
	struct archive *archive;	/* NULL: a writer that does not compress, or ... */
	struct gzip *gzip;		/* ... with this */
	char *in;			/* a reader's input... */
	int stop;			/* ... and the eventfd that ends its waiting */
	char *room;			/* the producer's piece at hand */
	size_t filled;
	off_t written, begun;		/* a writer's bytes, and those on their way to the disk */
	int ret;			/* of the thread, with... */
	struct error error;		/* ... its reason */
};

static int archive_failed(struct stream *st, const char *what)
{
	int errnum = archive_errno(st->archive);
	const char *text = archive_error_string(st->archive);

	/* libarchive's own numbers (ARCHIVE_ERRNO_MISC = -1, ...) are not errnos */
	if (errnum <= 0 || errnum == 84)
		errnum = EBADMSG;
	return err_set(&st->error, errnum, "cannot %s '%s': %s", what, st->name,
		       text ? text : strerror(errnum));
}

/* ---- reading ---- */

static int put(struct stream *st, const char *data, size_t len)
{
	while (len) {
		char *room;
		size_t n = len < RING_CHUNK ? len : RING_CHUNK;
		int ret = ring_room(st->ring, &room);

		if (ret < 0)
			return ret;
		memcpy(room, data, n);
		ring_filled(st->ring, n);
		data += n;
		len -= n;
	}
	return 0;
}

static int read_all(struct stream *st)
{
	struct archive_entry *entry;
	int ret = archive_read_next_header(st->archive, &entry);

	if (ret == ARCHIVE_EOF)
		return 0;
	if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
		return archive_failed(st, "read");
	for (;;) {
		const void *buf;
		size_t len;
		la_int64_t offset;

		ret = archive_read_data_block(st->archive, &buf, &len, &offset);
		if (ret == ARCHIVE_EOF)
			return 0;
		if (ret == ARCHIVE_RETRY)
			continue;
		if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN)
			return archive_failed(st, "read");
		ret = put(st, buf, len);
		if (ret < 0)
			return ret;
	}
}

static void *reader(void *arg)
{
	struct stream *st = arg;

	st->ret = read_all(st);
	ring_end(st->ring, st->ret);
	return NULL;
}

/* Waits for input, or to be told that nobody wants it any more. */
static la_ssize_t read_fd(struct archive *a, void *arg, const void **buf)
{
	struct stream *st = arg;
	struct pollfd wait[2] = { { st->fd, POLLIN, 0 }, { st->stop, POLLIN, 0 } };
	ssize_t n;

	*buf = st->in;
	do {
		n = poll(wait, 2, -1);
		if (n > 0 && wait[1].revents) {
			archive_set_error(a, ECANCELED, "stopped");
			return -1;
		}
		if (n > 0)
			n = read(st->fd, st->in, RING_CHUNK);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN) && !interrupted());
	if (n < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	return n;
}

/* A thread that gets none of the program's signals. */
static int start(struct stream **out, struct stream *st, void *(*run)(void *), struct error *e)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&st->thread, NULL, run, st);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret != 0)
		return err_sys(e, ret, "cannot start a thread");
	*out = st;
	return 0;
}

static void stream_free(struct stream *st)
{
	archive_free(st->archive);
	gzip_free(st->gzip);
	ring_free(&st->ring);
	err_release(&st->error);
	close_fd(&st->stop);
	free(st->in);
	free(st->name);
	free(st);
}

static struct stream *stream_new(int fd, const char *name)
{
	struct stream *st = xcalloc(1, sizeof(*st));

	st->ring = ring_new();
	st->fd = fd;
	st->stop = -1;
	st->name = xstrdup(name);
	return st;
}

void pack_filters(struct archive *a)
{
	static int (*const filters[])(struct archive *) = {
		archive_read_support_filter_gzip, archive_read_support_filter_bzip2,
		archive_read_support_filter_xz, archive_read_support_filter_lzma,
		archive_read_support_filter_lzip, archive_read_support_filter_zstd,
		archive_read_support_filter_lz4, archive_read_support_filter_compress,
	};

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++)
		filters[i](a);
}

int stream_reader(struct stream **out, int fd, const char *name, struct error *e)
{
	struct stream *st = stream_new(fd, name);
	int ret;

	st->archive = archive_read_new();
	archive_read_support_format_raw(st->archive);
	archive_read_support_format_empty(st->archive);
	pack_filters(st->archive);
	st->in = xmalloc(RING_CHUNK);
	st->stop = eventfd(0, EFD_CLOEXEC);
	ret = archive_read_open(st->archive, st, NULL, read_fd, NULL);
	if (ret != ARCHIVE_OK) {
		archive_failed(st, "read");
		ret = err_move(e, &st->error);
	} else {
		ret = start(out, st, reader, e);
	}
	if (ret < 0)
		stream_free(st);
	return ret;
}

ssize_t stream_read(struct stream *st, const void **buf)
{
	const char *piece = NULL;
	ssize_t len = ring_next(st->ring, &piece);

	*buf = piece;
	return len;
}

/* ---- writing ---- */

/*
 * What is to survive a loss of power is synced in the end.  The disk may as well begin at
 * once, while the rest is still being made.  It is a hint: a pipe knows nothing of it.
 */
static int write_out(struct stream *st, const void *buf, size_t len)
{
	int ret = write_full(st->fd, buf, len);

	st->written += (off_t)len;
	if (ret == 0 && st->written - st->begun >= WRITE_BEHIND) {
		(void)sync_file_range(st->fd, st->begun, st->written - st->begun,
				      SYNC_FILE_RANGE_WRITE);
		st->begun = st->written;
	}
	return ret;
}

static int write_piece(struct stream *st, const char *buf, size_t len)
{
	int ret;

	if (st->archive)
		return archive_write_data(st->archive, buf, len) < 0 ?
		       archive_failed(st, "write") : 0;
	ret = st->gzip ? gzip_write(st->gzip, buf, len) : write_out(st, buf, len);
	return ret < 0 ? err_sys(&st->error, -ret, "cannot write '%s'", st->name) : 0;
}

static int write_end(struct stream *st)
{
	int ret;

	if (st->archive)
		return archive_write_close(st->archive) == ARCHIVE_OK ? 0 : archive_failed(st, "write");
	ret = st->gzip ? gzip_end(st->gzip) : 0;
	return ret < 0 ? err_sys(&st->error, -ret, "cannot write '%s'", st->name) : 0;
}

static void *writer(void *arg)
{
	struct stream *st = arg;
	const char *buf = NULL;
	ssize_t len = 0;
	int ret = 0;

	while (ret == 0 && (len = ring_next(st->ring, &buf)) > 0)
		ret = write_piece(st, buf, (size_t)len);
	if (ret == 0 && len == 0)
		ret = write_end(st);
	st->ret = ret;
	if (ret < 0)
		ring_refuse(st->ring, ret);
	return NULL;
}

static la_ssize_t write_fd(struct archive *a, void *arg, const void *buf, size_t len)
{
	struct stream *st = arg;
	int ret = write_out(st, buf, len);

	if (ret == 0)
		return (la_ssize_t)len;
	archive_set_error(a, -ret, "%s", strerror(-ret));
	return -1;
}

bool share_compresses(const char *compression)
{
	struct archive *a = archive_write_new();
	/* others than ARCHIVE_OK say that a program would have to do it */
	bool can = archive_write_add_filter_by_name(a, compression) == ARCHIVE_OK;

	archive_write_free(a);
	return can;
}

bool share_compresses_in_threads(const char *compression)
{
	return strcmp(compression, "xz") == 0 || strcmp(compression, "zstd") == 0 ||
	       strcmp(compression, "gzip") == 0;
}

/* How many threads to ask for, at least @least. */
static unsigned int threads(const struct share_export_opts *opts, unsigned int least)
{
	unsigned int n = opts->threads ? opts->threads : proc_cpus();

	n = n < THREADS_MAX ? n : THREADS_MAX;
	return n > least ? n : least;
}

static int setup_filter(struct stream *st, const struct share_export_opts *opts)
{
	const char *compression = opts->compression;
	struct archive *a = st->archive;
	char text[24];

	if (archive_write_add_filter_by_name(a, compression) != ARCHIVE_OK)
		return -EINVAL;
	/*
	 * Of one thread xz makes one block, of more it makes several, the same ones for any
	 * number: the result shall not depend on the machine, and two are the fewest.
	 */
	snprintf(text, sizeof(text), "%u", threads(opts, strcmp(compression, "xz") == 0 ? 2 : 1));
	if (share_compresses_in_threads(compression) &&
	    archive_write_set_filter_option(a, compression, "threads", text) != ARCHIVE_OK)
		return -EINVAL;
	if (opts->level && archive_write_set_filter_option(a, compression, "compression-level",
							   opts->level) != ARCHIVE_OK)
		return -ERANGE;
	return 0;
}

static int open_filter(struct stream *st, const struct share_export_opts *opts, struct error *e)
{
	struct archive_entry *entry;
	int ret;

	st->archive = archive_write_new();
	archive_write_set_format_raw(st->archive);
	ret = setup_filter(st, opts);
	if (ret < 0)
		return err_usage(e, ret == -ERANGE ? "bad level for the compression '%s'" :
				 "this libarchive cannot compress with '%s'", opts->compression);
	archive_write_set_bytes_per_block(st->archive, (int)RING_CHUNK);
	archive_write_set_bytes_in_last_block(st->archive, 1);
	if (archive_write_open2(st->archive, st, NULL, write_fd, NULL, NULL) != ARCHIVE_OK) {
		archive_failed(st, "write");
		return err_move(e, &st->error);
	}
	entry = archive_entry_new();
	archive_entry_set_pathname(entry, "stream");
	archive_entry_set_filetype(entry, AE_IFREG);
	ret = archive_write_header(st->archive, entry) == ARCHIVE_OK ? 0 :
	      archive_failed(st, "write");
	archive_entry_free(entry);
	return ret < 0 ? err_move(e, &st->error) : 0;
}

static int gzip_out(void *arg, const void *buf, size_t len)
{
	return write_out(arg, buf, len);
}

/* libarchive's has one thread. */
static int open_gzip(struct stream *st, const struct share_export_opts *opts, struct error *e)
{
	const char *level = opts->level;

	if (level && (level[0] < '0' || level[0] > '9' || level[1]))
		return err_usage(e, "bad level for the compression '%s'", opts->compression);
	st->gzip = gzip_new(threads(opts, 1), level ? level[0] - '0' : Z_DEFAULT_COMPRESSION,
			    gzip_out, st);
	return 0;
}

int stream_writer(struct stream **out, int fd, const char *name,
		  const struct share_export_opts *opts, struct error *e)
{
	struct stream *st = stream_new(fd, name);
	bool gzip = opts->compression && strcmp(opts->compression, "gzip") == 0;
	int ret = gzip ? open_gzip(st, opts, e) : opts->compression ? open_filter(st, opts, e) : 0;

	st->writer = true;
	if (ret == 0)
		ret = start(out, st, writer, e);
	if (ret < 0)
		stream_free(st);
	return ret;
}

int stream_write(struct stream *st, const void *data, size_t len)
{
	while (len) {
		size_t n;
		int ret = st->room ? 0 : ring_room(st->ring, &st->room);

		if (ret < 0)
			return ret;
		n = RING_CHUNK - st->filled < len ? RING_CHUNK - st->filled : len;
		memcpy(st->room + st->filled, data, n);
		st->filled += n;
		data = (const char *)data + n;
		len -= n;
		if (st->filled == RING_CHUNK) {
			ring_filled(st->ring, st->filled);
			st->room = NULL;
			st->filled = 0;
		}
	}
	return 0;
}

/* ---- both ---- */

int stream_end(struct stream **stp, int error, struct error *e)
{
	struct stream *st = steal_ptr(stp);
	int ret;

	if (!st)
		return 0;
	if (st->writer) {
		if (error == 0 && st->filled)
			ring_filled(st->ring, st->filled);
		ring_end(st->ring, error);
	} else {
		ring_refuse(st->ring, error < 0 ? error : -ECANCELED);
		eventfd_write(st->stop, 1);
	}
	pthread_join(st->thread, NULL);
	/* a reader that was told to stop did what it was told */
	ret = st->error.text && st->ret != -ECANCELED ? st->ret : 0;
	if (ret < 0)
		ret = err_move(e, &st->error);
	stream_free(st);
	return ret;
}

int share_recompress(int from, int fd, const char *name, const struct share_export_opts *opts,
		     struct error *e)
{
	struct stream *in = NULL, *out = NULL;
	struct error other = ERROR_INIT;
	const void *buf;
	ssize_t n = 0;
	int ret = stream_reader(&in, from, name, e), over = 0;

	if (ret == 0)
		ret = stream_writer(&out, fd, name, opts, e);
	while (ret == 0 && over == 0 && (n = stream_read(in, &buf)) > 0)
		over = interrupted() ? -EINTR : stream_write(out, buf, (size_t)n);
	if (ret == 0 && n < 0)
		over = (int)n;
	/* whichever side knows why */
	if (stream_end(&in, over, &other) < 0 && ret == 0)
		ret = err_move(e, &other);
	if (stream_end(&out, ret < 0 ? ret : over, &other) < 0 && ret == 0)
		ret = err_move(e, &other);
	err_release(&other);
	return ret < 0 || over == 0 ? ret : err_sys(e, -over, "cannot write '%s'", name);
}
