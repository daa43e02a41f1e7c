// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: the page cache.
 *
 * Reading fills it in large calls to the host.  write() puts the data on the
 * host before it returns, so that the host's ENOSPC is the writer's; and into
 * the cache, if that has something of the file.  Only what is stored through a
 * mapping becomes dirty and is written later.
 */
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/writeback.h>
#include "humfs_kern.h"

#define BATCH	64	/* folios in one call to the host */
#define PAST	(16 * PAGE_SIZE)	/* what is written past the cache in one call */

struct batch {
	unsigned int n;
	struct folio *folios[BATCH];
	struct humfs_vec vecs[BATCH];
};

static void add_folio(struct batch *b, struct folio *folio, size_t len)
{
	b->folios[b->n] = folio;
	b->vecs[b->n].base = folio_address(folio);
	b->vecs[b->n].len = len;
	b->n++;
}

static int read_whole_folio(struct inode *inode, struct folio *folio)
{
	struct humfs_vec vec = { folio_address(folio), folio_size(folio) };
	int fd = humfs_get_fd(inode, false);
	long got;

	if (fd < 0)
		return fd;
	got = humfs_host_readv(fd, &vec, 1, folio_pos(folio));
	humfs_put_fd(inode);
	if (got < 0)
		return got;
	folio_zero_segment(folio, got, folio_size(folio));
	return 0;
}

static int humfs_read_folio(struct file *file, struct folio *folio)
{
	int err = read_whole_folio(folio->mapping->host, folio);

	folio_end_read(folio, !err);
	return err;
}

/* One call to the host for neighbouring folios; what it did not reach is zeros. */
static void read_batch(int fd, struct batch *b)
{
	long got = humfs_host_readv(fd, b->vecs, b->n, folio_pos(b->folios[0]));
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		struct folio *folio = b->folios[i];
		long here = clamp(got, 0L, (long)folio_size(folio));

		if (got >= 0)
			folio_zero_segment(folio, here, folio_size(folio));
		folio_end_read(folio, got >= 0);
		if (got > 0)
			got -= here;
	}
	b->n = 0;
}

static void humfs_readahead(struct readahead_control *ractl)
{
	struct inode *inode = ractl->mapping->host;
	struct batch *b = kmalloc(sizeof(*b), GFP_NOFS | __GFP_NOWARN);
	struct folio *folio;
	int fd;

	if (!b)
		return;
	fd = humfs_get_fd(inode, false);
	if (fd < 0)
		goto out;
	b->n = 0;
	while ((folio = readahead_folio(ractl))) {
		add_folio(b, folio, folio_size(folio));
		if (b->n == BATCH)
			read_batch(fd, b);
	}
	if (b->n)
		read_batch(fd, b);
	humfs_put_fd(inode);
out:
	kfree(b);
}

/* Writes the whole batch or returns the host's error. */
static int write_batch(int fd, struct batch *b, loff_t pos)
{
	struct humfs_vec *vec = b->vecs;
	unsigned int n = b->n;
	long done;

	while (n) {
		done = humfs_host_writev(fd, vec, n, pos);
		if (done <= 0)
			return done ? done : -EIO;
		pos += done;
		while (n && done >= vec->len) {
			done -= vec->len;
			vec++;
			n--;
		}
		if (n) {
			vec->base += done;
			vec->len -= done;
		}
	}
	return 0;
}

/* Writes back what has been collected and lets go of it. */
static int flush_batch(struct address_space *mapping, int fd, struct batch *b)
{
	unsigned int i;
	int err;

	if (!b->n)
		return 0;
	err = fd < 0 ? fd : write_batch(fd, b, folio_pos(b->folios[0]));
	if (err)
		mapping_set_error(mapping, err);
	for (i = 0; i < b->n; i++)
		folio_end_writeback(b->folios[i]);
	b->n = 0;
	humfs_changed(mapping->host);
	mark_inode_dirty_sync(mapping->host);	/* its times are to stay as they were */
	return err;
}

static int humfs_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;
	struct folio *folio = NULL;
	struct batch *b;
	pgoff_t next = 0;
	int failed = 0;
	int err = 0;
	int fd;

	/* Most come for the sake of the inode alone. */
	if (!mapping_tagged(mapping, PAGECACHE_TAG_DIRTY))
		return 0;
	b = kmalloc(sizeof(*b), GFP_NOFS | __GFP_NOFAIL);
	fd = humfs_get_fd(inode, true);
	b->n = 0;
	while ((folio = writeback_iter(mapping, wbc, folio, &err))) {
		loff_t size = i_size_read(inode);
		loff_t pos = folio_pos(folio);

		if (pos >= size) {	/* a truncation is on its way to it */
			folio_unlock(folio);
			continue;
		}
		if (b->n == BATCH || (b->n && folio->index != next))
			failed = flush_batch(mapping, fd, b) ?: failed;
		if (size - pos < folio_size(folio))
			folio_zero_segment(folio, size - pos, folio_size(folio));
		add_folio(b, folio, min_t(loff_t, size - pos, folio_size(folio)));
		next = folio_next_index(folio);
		folio_start_writeback(folio);
		folio_unlock(folio);
	}
	failed = flush_batch(mapping, fd, b) ?: failed;
	if (fd >= 0)
		humfs_put_fd(inode);
	kfree(b);
	return err ?: failed;
}

/* Behind the end of a file that grows there must be zeros, also in a mapping's page. */
void humfs_zero_tail(struct inode *inode, loff_t size)
{
	size_t offset = offset_in_page(size);
	struct folio *folio;

	if (!offset)
		return;
	folio = filemap_lock_folio(inode->i_mapping, size >> PAGE_SHIFT);
	if (IS_ERR(folio))
		return;
	offset = offset_in_folio(folio, size);
	folio_zero_segment(folio, offset, folio_size(folio));
	folio_unlock(folio);
	folio_put(folio);
}

/* Locks the folio at @pos and makes sure that what a write leaves of it is there. */
static struct folio *begin_folio(struct address_space *mapping, loff_t pos, size_t len)
{
	struct inode *inode = mapping->host;
	struct folio *folio;
	int err = 0;

	folio = __filemap_get_folio(mapping, pos >> PAGE_SHIFT, FGP_WRITEBEGIN,
				    mapping_gfp_mask(mapping));
	if (IS_ERR(folio) || folio_test_uptodate(folio))
		return folio;
	if (!offset_in_folio(folio, pos) && len >= folio_size(folio))
		return folio;
	if (folio_pos(folio) >= i_size_read(inode))
		folio_zero_segment(folio, 0, folio_size(folio));
	else
		err = read_whole_folio(inode, folio);
	if (!err) {
		folio_mark_uptodate(folio);
		return folio;
	}
	folio_unlock(folio);
	folio_put(folio);
	return ERR_PTR(err);
}

/*
 * Copies up to a batch from the writer.  The folios stay locked, so the copy
 * must not fault: it stops short instead.
 */
static size_t collect(struct address_space *mapping, struct batch *b, loff_t pos,
		      struct iov_iter *from, int *err)
{
	size_t total = 0;

	b->n = 0;
	while (iov_iter_count(from) && b->n < BATCH) {
		size_t len = min(iov_iter_count(from), PAGE_SIZE - offset_in_page(pos));
		struct folio *folio = begin_folio(mapping, pos, len);
		size_t offset, copied;

		if (IS_ERR(folio)) {
			*err = PTR_ERR(folio);
			break;
		}
		offset = offset_in_folio(folio, pos);
		copied = copy_folio_from_iter_atomic(folio, offset, len, from);
		flush_dcache_folio(folio);
		/* Half of a folio that was never read is worth nothing. */
		if (copied < len && !folio_test_uptodate(folio)) {
			iov_iter_revert(from, copied);
			copied = 0;
		}
		add_folio(b, folio, copied);
		b->vecs[b->n - 1].base += offset;
		pos += copied;
		total += copied;
		if (copied < len)
			break;
	}
	return total;
}

/*
 * Lets go of a batch of which the host took @done bytes.  Where it took less
 * than was copied, the cache gets back what the host has.
 */
static void finish_batch(struct inode *inode, struct batch *b, size_t done)
{
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		struct folio *folio = b->folios[i];
		size_t len = b->vecs[i].len;

		if (done >= len) {
			if (len)
				folio_mark_uptodate(folio);
			done -= len;
		} else {
			if (folio_test_uptodate(folio) && read_whole_folio(inode, folio))
				folio_clear_uptodate(folio);
			done = 0;
		}
		folio_unlock(folio);
		folio_put(folio);
	}
}

/* One round: returns bytes that are in the cache and on the host, or -errno. */
static ssize_t write_round(struct inode *inode, int fd, struct batch *b, loff_t pos,
			   struct iov_iter *from)
{
	loff_t size = i_size_read(inode);
	int err = 0;
	size_t copied = collect(inode->i_mapping, b, pos, from, &err);
	ssize_t done = 0;

	if (copied) {
		done = humfs_host_writev(fd, b->vecs, b->n, pos);
		if (done > 0 && pos + done > size) {
			i_size_write(inode, pos + done);
			pagecache_isize_extended(inode, size, pos + done);
		}
		if (done < 0)
			err = done;
		done = max(done, 0L);
		iov_iter_revert(from, copied - done);
	}
	finish_batch(inode, b, done);
	return done ?: err;
}

/*
 * Writes a file of which nothing is cached past the cache.  Most of what is
 * unpacked or built is read once more or never, and the host still has it then;
 * pages that it would have to provide for a copy cost more than that.  Returns
 * bytes that are on the host, 0 if they have to go through the cache, or -errno.
 */
static ssize_t write_past(struct inode *inode, int fd, void *buf, loff_t pos,
			  struct iov_iter *from)
{
	struct address_space *mapping = inode->i_mapping;
	struct humfs_vec vec = { buf };
	ssize_t done = 0;

	if (!buf || mapping->nrpages)
		return 0;
	vec.len = copy_from_iter(buf, min_t(size_t, iov_iter_count(from), PAST), from);
	if (!vec.len)
		return -EFAULT;
	/* Who reads meanwhile cannot fill a page with what was there before. */
	filemap_invalidate_lock(mapping);
	if (!mapping->nrpages) {
		done = humfs_host_writev(fd, &vec, 1, pos);
		if (done > 0 && pos + done > i_size_read(inode))
			i_size_write(inode, pos + done);
	}
	filemap_invalidate_unlock(mapping);
	iov_iter_revert(from, vec.len - max(done, 0L));
	return done;
}

/* Where the file may end, having the room for that; or -ENOSPC, if there is none for a byte. */
static loff_t take_room(struct inode *inode, loff_t pos, struct iov_iter *from)
{
	loff_t size = i_size_read(inode);
	loff_t end = pos + iov_iter_count(from);

	if (end <= size)
		return size;
	end = size + humfs_take_room(end - size);
	if (end > pos) {
		iov_iter_truncate(from, end - pos);
		return end;
	}
	humfs_room_of_size(end, size);
	return -ENOSPC;
}

ssize_t humfs_write_pages(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	loff_t promised = take_room(inode, iocb->ki_pos, from);
	struct batch *b;
	void *past = NULL;
	ssize_t written = 0;
	ssize_t ret = 0;
	int fd;

	if (promised < 0)
		return promised;
	b = kmalloc(sizeof(*b), GFP_KERNEL);
	if (!inode->i_mapping->nrpages)
		past = kmalloc(min_t(size_t, iov_iter_count(from), PAST),
			       GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	ret = b ? 0 : -ENOMEM;
	if (ret)
		goto out_free;
	fd = humfs_get_fd(inode, true);
	if (fd < 0) {
		ret = fd;
		goto out_free;
	}
	if (iocb->ki_pos > i_size_read(inode))
		humfs_zero_tail(inode, i_size_read(inode));
	while (iov_iter_count(from)) {
		size_t want = min_t(size_t, iov_iter_count(from), BATCH * PAGE_SIZE);

		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		if (fault_in_iov_iter_readable(from, want) == want) {
			ret = -EFAULT;
			break;
		}
		ret = write_past(inode, fd, past, iocb->ki_pos, from);
		if (!ret)
			ret = write_round(inode, fd, b, iocb->ki_pos, from);
		if (ret < 0)
			break;
		iocb->ki_pos += ret;
		written += ret;
		cond_resched();
	}
	humfs_put_fd(inode);
	humfs_changed(inode);
out_free:
	kfree(past);
	kfree(b);
	humfs_room_of_size(promised, i_size_read(inode));
	return written ?: ret;
}

const struct address_space_operations humfs_aops = {
	.read_folio	= humfs_read_folio,
	.readahead	= humfs_readahead,
	.writepages	= humfs_writepages,
	.dirty_folio	= filemap_dirty_folio,
	.migrate_folio	= filemap_migrate_folio,
};
