// SPDX-License-Identifier: GPL-2.0-or-later
/* UML's copy-on-write file: see cow.h. */
#include "umlcage/cage/cow.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "umlcage/base/fd.h"

enum { MAGIC = 0x4f4f4f4d, VERSION = 3 };

/* Offsets of the packed header. */
enum { AT_MAGIC = 0, AT_VERSION = 4, AT_MTIME = 8, AT_SIZE = 12, AT_SECTOR = 20,
       AT_ALIGNMENT = 24, AT_FORMAT = 28, AT_PATH = 32,
       AT_TAG = COW_HEADER_SIZE, AT_NSEC = AT_TAG + 8 };

/* Before the nanoseconds: a file without it was not made here. */
static const unsigned char TAG[8] = "umlcage";

static void put32(unsigned char *at, uint32_t value)
{
	value = htobe32(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return be32toh(value);
}

void cow_encode(const struct cow_header *h, unsigned char out[COW_EXACT_SIZE])
{
	uint64_t size = htobe64(h->size);

	memset(out, 0, COW_EXACT_SIZE);
	put32(out + AT_MAGIC, MAGIC);
	put32(out + AT_VERSION, VERSION);
	put32(out + AT_MTIME, h->mtime);
	memcpy(out + AT_SIZE, &size, sizeof(size));
	put32(out + AT_SECTOR, h->sector_size);
	put32(out + AT_ALIGNMENT, h->alignment);
	/* AT_FORMAT: 0, a bitmap */
	memcpy(out + AT_PATH, h->backing_file, strnlen(h->backing_file, COW_PATH_MAX - 1));
	if (!h->exact)
		return;
	memcpy(out + AT_TAG, TAG, sizeof(TAG));
	put32(out + AT_NSEC, h->mtime_nsec);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

int cow_decode(const unsigned char *in, size_t len, struct cow_header *h)
{
	if (len < 8 || get32(in + AT_MAGIC) != MAGIC)
		return -EINVAL;
	if (get32(in + AT_VERSION) != VERSION)
		return -ENOTSUP;
	if (len < COW_HEADER_SIZE)
		return -EBADMSG;
	if (get32(in + AT_FORMAT) != 0)
		return -ENOTSUP;
	memcpy(&h->size, in + AT_SIZE, sizeof(h->size));
	h->size = be64toh(h->size);
	h->mtime = get32(in + AT_MTIME);
	h->sector_size = get32(in + AT_SECTOR);
	h->alignment = get32(in + AT_ALIGNMENT);
	memcpy(h->backing_file, in + AT_PATH, COW_PATH_MAX);
	if (!power_of_two(h->sector_size) || h->sector_size < 512 || h->sector_size > 65536 ||
	    !power_of_two(h->alignment) || h->size > INT64_MAX / 2 ||
	    !memchr(h->backing_file, '\0', COW_PATH_MAX))
		return -EBADMSG;
	h->exact = len >= COW_EXACT_SIZE && round_up(COW_HEADER_SIZE, h->alignment) >= COW_EXACT_SIZE &&
		   memcmp(in + AT_TAG, TAG, sizeof(TAG)) == 0;
	h->mtime_nsec = h->exact ? get32(in + AT_NSEC) : 0;
	return 0;
}

void cow_layout(const struct cow_header *h, uint64_t *bitmap, uint64_t *data, uint64_t *total)
{
	uint64_t bits = (h->size + h->sector_size - 1) / h->sector_size;

	*bitmap = round_up(COW_HEADER_SIZE, h->alignment);
	*data = round_up(*bitmap + (bits + 7) / 8, h->alignment);
	*total = *data + h->size;
}

int cow_create(int fd, int backing, const char *path, struct error *e)
{
	struct cow_header h = { .sector_size = COW_SECTOR, .alignment = COW_ALIGNMENT };
	unsigned char bytes[COW_EXACT_SIZE];
	uint64_t bitmap, data, total;
	struct stat st;

	if (fstat(backing, &st) < 0)
		return err_sys(e, errno, "cannot use the image '%s'", path);
	if (strlen(path) >= COW_PATH_MAX)
		return err_set(e, ENAMETOOLONG, "cannot use the image '%s': its path is too long "
			       "for a COW file", path);
	h.mtime = (uint32_t)st.st_mtim.tv_sec;
	h.exact = true;
	h.mtime_nsec = (uint32_t)st.st_mtim.tv_nsec;
	h.size = (uint64_t)st.st_size;
	memcpy(h.backing_file, path, strlen(path));
	cow_encode(&h, bytes);
	cow_layout(&h, &bitmap, &data, &total);

	int ret = pwrite_full(fd, bytes, sizeof(bytes), 0);

	if (ret == 0 && ftruncate(fd, (off_t)total) < 0)
		ret = -errno;
	return ret < 0 ? err_sys(e, -ret, "cannot write the COW file for '%s'", path) : 0;
}

static bool unchanged(const struct cow_header *h, const struct stat *st)
{
	return (uint64_t)st->st_size == h->size && (uint32_t)st->st_mtim.tv_sec == h->mtime &&
	       (!h->exact || (uint32_t)st->st_mtim.tv_nsec == h->mtime_nsec);
}

int cow_check(int fd, int backing, const char *name, struct error *e)
{
	unsigned char bytes[COW_EXACT_SIZE];
	ssize_t len = pread_full(fd, bytes, sizeof(bytes), 0);
	struct cow_header h;
	struct stat st;
	int ret;

	if (len < 0)
		return err_sys(e, (int)-len, "cannot read the COW file '%s'", name);
	ret = cow_decode(bytes, (size_t)len, &h);
	if (ret == -EINVAL)
		return err_set(e, EINVAL, "cannot use '%s': it is not a COW file", name);
	if (ret == -ENOTSUP)
		return err_set(e, ENOTSUP, "cannot use '%s': its COW format is not version 3 with a "
			       "bitmap; merge it with uml_moo", name);
	if (ret < 0)
		return err_set(e, EBADMSG, "cannot use '%s': its COW header is damaged", name);
	if (fstat(backing, &st) < 0)
		return err_sys(e, errno, "cannot use the image '%s'", h.backing_file);
	if (!unchanged(&h, &st))
		return err_set(e, ESTALE, "cannot use '%s': the image '%s' changed after this COW "
			       "file was made from it; start a new COW file", name, h.backing_file);
	return 0;
}
