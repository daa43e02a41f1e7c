// SPDX-License-Identifier: GPL-2.0-only
/*
 * humfs: directories out of the dentry cache.
 *
 * A complete directory has a dentry for each of its names, so it can be read
 * without the host.  A list is made when reading begins and kept until it ends or
 * begins anew: positions are numbers in it, and what POSIX promises during changes
 * holds.  The oldest name comes first.
 */
#include <linux/dcache.h>
#include <linux/slab.h>
#include "humfs_kern.h"

#define LIST_NAMES_MAX	16384	/* of a directory that is held still while it is listed */

struct name {
	u64 ino;
	u16 size;	/* of all this */
	u8 type;
	u8 len;
	char text[];
};

struct humfs_list {
	char *at;	/* of the next name, which has the number pos */
	loff_t pos;
	char *begin;
	char *end;
	char space[] __aligned(8);
};

static size_t name_size(const struct dentry *dentry)
{
	return ALIGN(sizeof(struct name) + dentry->d_name.len, 8);
}

/* How much room the names take, 0 if there are too many of them. */
static size_t measure(struct dentry *dir)
{
	unsigned int n = 0;
	struct dentry *child;
	size_t size = 8;

	spin_lock(&dir->d_lock);
	hlist_for_each_entry(child, &dir->d_children, d_sib) {
		size += name_size(child);
		n++;
	}
	spin_unlock(&dir->d_lock);
	return n <= LIST_NAMES_MAX ? size : 0;
}

/* The caller has locked the directory: no name comes, goes or changes but for lack of memory. */
static bool fill(struct humfs_list *list, struct dentry *dir)
{
	struct dentry *child;
	struct name *name;
	bool fits = true;

	list->begin = list->end;
	spin_lock(&dir->d_lock);
	hlist_for_each_entry(child, &dir->d_children, d_sib) {
		spin_lock_nested(&child->d_lock, DENTRY_D_LOCK_NESTED);
		if (simple_positive(child)) {
			size_t size = name_size(child);

			fits = list->begin - list->space >= size;
			if (fits) {
				list->begin -= size;
				name = (struct name *)list->begin;
				name->ino = d_inode(child)->i_ino;
				name->type = S_DT(d_inode(child)->i_mode);
				name->size = size;
				name->len = child->d_name.len;
				memcpy(name->text, child->d_name.name, name->len);
			}
		}
		spin_unlock(&child->d_lock);
		if (!fits)
			break;
	}
	spin_unlock(&dir->d_lock);
	return fits;
}

static bool is_complete(struct humfs_inode *hi, unsigned int *forgotten)
{
	bool complete;

	spin_lock(&hi->complete_lock);
	complete = test_bit(HUMFS_COMPLETE, &hi->flags);
	*forgotten = hi->forgotten;
	spin_unlock(&hi->complete_lock);
	return complete;
}

struct humfs_list *humfs_list_names(struct dentry *dir)
{
	struct humfs_inode *hi = HUMFS_I(d_inode(dir));
	unsigned int before, after;
	struct humfs_list *list;
	size_t size;

	if (!is_complete(hi, &before))
		return NULL;
	size = measure(dir);
	list = size ? kvmalloc(struct_size(list, space, size), GFP_KERNEL) : NULL;
	if (!list)
		return NULL;
	list->end = list->space + ALIGN_DOWN(size, 8);
	/* A dentry that went meanwhile was said to go before that. */
	if (!fill(list, dir) || !is_complete(hi, &after) || before != after) {
		kvfree(list);
		return NULL;
	}
	list->at = list->begin;
	list->pos = 2;
	return list;
}

static void move_to(struct humfs_list *list, loff_t pos)
{
	if (pos < list->pos) {
		list->at = list->begin;
		list->pos = 2;
	}
	for (; list->pos < pos && list->at < list->end; list->pos++)
		list->at += ((struct name *)list->at)->size;
}

int humfs_list_emit(struct humfs_list *list, struct file *file, struct dir_context *ctx)
{
	struct name *name;

	if (!dir_emit_dots(file, ctx))
		return 0;
	move_to(list, ctx->pos);
	while (list->at < list->end) {
		name = (struct name *)list->at;
		if (!dir_emit(ctx, name->text, name->len, name->ino, name->type))
			return 0;
		list->at += name->size;
		ctx->pos = ++list->pos;
	}
	return 0;
}

void humfs_list_free(struct humfs_list *list)
{
	kvfree(list);
}
