/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors and files: every descriptor is close-on-exec, every path is
 * relative to a directory descriptor where it matters, every output file
 * appears whole or not at all.
 */
#ifndef UMLCAGE_BASE_FD_H
#define UMLCAGE_BASE_FD_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "umlcage/base/error.h"
#include "umlcage/base/str.h"

/* Closes *@fd if it is >= 0 and sets it to -1; errno is kept. */
void close_fd(int *fd);
#define cleanup_close __attribute__((cleanup(close_fd)))
static inline int steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* Whole transfers, restarted after EINTR.  Bytes moved or -errno; a read that
 * ends early (end of file) returns what there was. */
ssize_t read_full(int fd, void *buf, size_t len);
ssize_t pread_full(int fd, void *buf, size_t len, off_t offset);
int write_full(int fd, const void *buf, size_t len);	/* 0 or -errno */
int pwrite_full(int fd, const void *buf, size_t len, off_t offset);

/* A message with a descriptor (-1: none), to a Unix socket; 0 or -errno. */
int send_fd(int to, const void *data, size_t len, int fd);
/* @flags of recvmsg(2).  Bytes (0: the other end is closed) or -errno; *@fd is -1 if none came. */
ssize_t receive_fd(int from, void *data, size_t len, int flags, int *fd);

/* @fd is a terminal of ours whose foreground are others: see tcgetpgrp(3). */
bool in_background(int fd);

int fd_set_nonblock(int fd, bool on);	/* 0 or -errno */
int fd_set_cloexec(int fd, bool on);	/* 0 or -errno */
/*
 * The same descriptor at a number that no child is given one at (proc.h), where there is room;
 * -1 stays -1.  For what is used in a child, before exec.
 */
int fd_move_up(int fd);

/* Reads all of @path below @dirfd, at most @max bytes (-EFBIG beyond). */
int file_read(int dirfd, const char *path, size_t max, struct strbuf *out, struct error *e);
/* Reads an open descriptor to its end. */
int fd_read_all(int fd, size_t max, struct strbuf *out);

/* mkdir -p below @dirfd, every new directory with @mode. */
int make_dirs(int dirfd, const char *path, mode_t mode, struct error *e);
/* rm -rf below @dirfd; makes unreadable directories of our own removable;
 * never follows a symbolic link; absent is success. */
int remove_tree(int dirfd, const char *path, struct error *e);

/* The names in the open directory @dirfd but "." and "..", unsorted. */
int dir_names(int dirfd, struct strv *names, struct error *e);
/* The next entry but "." and ".."; NULL at the end, and where it cannot be read: then *@ret is
 * -errno, otherwise 0. */
struct dirent *dir_next(DIR *dir, int *ret);

/*
 * An output file that replaces @path in one step.
 *
 * outfile_open() makes an unnamed (or, where the filesystem has no O_TMPFILE,
 * a hidden) file in the same directory; outfile_commit() syncs it and renames
 * it over @path; outfile_abort(), also of an already committed one, leaves
 * @path as it was.
 */
struct outfile {
	int fd;		/* write here; -1 when closed */
	int dirfd;
	char *name;	/* final name in dirfd */
	char *tmp;	/* name until the commit */
};

#define OUTFILE_INIT { -1, -1, NULL, NULL }

int outfile_open(struct outfile *of, int dirfd, const char *path, mode_t mode, struct error *e);
int outfile_commit(struct outfile *of, struct error *e);
void outfile_abort(struct outfile *of);
#define cleanup_outfile __attribute__((cleanup(outfile_abort)))

/* Writes @len bytes as @path through an outfile. */
int file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		 struct error *e);

/*
 * An exclusive (or shared) advisory lock on @path, created if absent (flock:
 * released with the last descriptor, so by any death).  Returns the descriptor.
 * With @wait false a held lock is -EWOULDBLOCK.  The file is left behind on
 * purpose: removing a lock file races with its next user.
 */
int lock_file(int dirfd, const char *path, bool exclusive, bool wait, struct error *e);

/* Free bytes for an unprivileged user on the filesystem of @path. */
int free_space(const char *path, uint64_t *bytes, struct error *e);

/* An anonymous in-memory file with @data in it, at offset 0. */
int memfd_with(const char *name, const void *data, size_t len, struct error *e);

#endif
