// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a reader says of a package, as records in memory that both have: see private.h.  What is
 * in the second half is the border between it and the user's rights.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs/deb/private.h"

/* ---- the reader's side ---- */

static char *place(const struct deb_filler *f)
{
	return f->slots + (size_t)f->slot * DEB_SLOT_SIZE + f->at;
}

/* At least so much is to be left of the slot. */
static int make_room(struct deb_filler *f, size_t len)
{
	return DEB_SLOT_SIZE - f->at < len ? deb_put_flush(f) : 0;
}

int deb_put_flush(struct deb_filler *f)
{
	int ret = f->at ? f->full(f) : 0;

	f->at = 0;
	return ret;
}

static void add(struct deb_filler *f, const void *data, size_t len)
{
	memcpy(place(f), data, len);
	f->at += len;
}

static void add_record(struct deb_filler *f, uint32_t type, size_t len)
{
	const struct deb_record r = { type, (uint32_t)len };

	add(f, &r, sizeof(r));
}

int deb_put(struct deb_filler *f, uint32_t type, const void *data, size_t len)
{
	const char *rest = data;

	do {
		size_t room, part;
		int ret = make_room(f, sizeof(struct deb_record) + (len != 0));

		if (ret < 0)
			return ret;
		room = DEB_SLOT_SIZE - f->at - sizeof(struct deb_record);
		part = len < room ? len : room;
		add_record(f, type, part);
		if (part)
			add(f, rest, part);
		rest += part;
		len -= part;
	} while (len);
	return 0;
}

int deb_put_entry(struct deb_filler *f, uint32_t type, const struct deb_entry *entry)
{
	const char *const strings[DEB_STRINGS] = {
		entry->path, entry->hardlink, entry->symlink, entry->user, entry->group,
	};
	struct deb_fixed fixed = {
		.seconds = entry->mtime.tv_sec, .nanoseconds = (uint32_t)entry->mtime.tv_nsec,
		.mode = entry->mode, .uid = entry->uid, .gid = entry->gid,
		.major = entry->major, .minor = entry->minor,
	};
	size_t len = sizeof(fixed);
	int ret;

	for (size_t i = 0; i < DEB_STRINGS; i++) {
		size_t n = strings[i] ? strlen(strings[i]) + 1 : 0;

		if (n > DEB_NAME_MAX)
			return -EFBIG;
		fixed.strings[i] = (uint32_t)n;
		len += n;
	}
	ret = make_room(f, sizeof(struct deb_record) + len);
	if (ret < 0)
		return ret;
	add_record(f, type, len);
	add(f, &fixed, sizeof(fixed));
	for (size_t i = 0; i < DEB_STRINGS; i++)
		if (strings[i])
			add(f, strings[i], fixed.strings[i]);
	return 0;
}

int deb_put_error(struct deb_filler *f, const struct error *e)
{
	const struct deb_failed failed = { (uint32_t)e->errnum };
	const char *text = err_text(e);
	size_t len = strnlen(text, DEB_ERROR_MAX);
	int ret = make_room(f, sizeof(struct deb_record) + sizeof(failed) + len);

	if (ret < 0)
		return ret;
	add_record(f, DEB_ERROR, sizeof(failed) + len);
	add(f, &failed, sizeof(failed));
	add(f, text, len);
	return 0;
}

int deb_put_room(struct deb_filler *f, char **room, size_t *len)
{
	/* not for a few bytes */
	int ret = make_room(f, 4096);

	*room = place(f) + sizeof(struct deb_record);
	*len = DEB_SLOT_SIZE - f->at - sizeof(struct deb_record);
	return ret;
}

void deb_put_filled(struct deb_filler *f, size_t len)
{
	add_record(f, DEB_DATA, len);
	f->at += len;
}

/* ---- the other side ---- */

void deb_records_init(struct deb_records *r, const char *slots)
{
	*r = (struct deb_records){ .label = "", .slots = slots, .copy = xmalloc(DEB_SLOT_SIZE) };
	deb_records_restart(r);
}

void deb_records_release(struct deb_records *r)
{
	free_ptr(&r->copy);
}

void deb_records_restart(struct deb_records *r)
{
	r->slot = DEB_SLOTS - 1;
	r->at = r->len = 0;
	r->over = r->peeked = false;
}

static int lies(const struct deb_records *r, const char *what, struct error *e)
{
	return err_set(e, EBADMSG, "cannot read package '%s': the process for it did not answer as it "
		       "should (%s)", r->label, what);
}

/*
 * Takes what is in the slot now, once: the compiler is not to look there again for what it has
 * a copy of.
 */
static void fetch(struct deb_records *r, void *to, size_t len)
{
	memcpy(to, r->slots + (size_t)r->slot * DEB_SLOT_SIZE + r->at, len);
	__asm__ volatile("" ::: "memory");
	r->at += len;
}

/* The next record's type and length are in r->record then; what it says is not yet looked at. */
static int peek(struct deb_records *r, struct error *e)
{
	if (r->peeked)
		return 0;
	if (r->at == r->len) {
		size_t len = 0;
		int ret = r->next(r->arg, &len, e);

		if (ret < 0)
			return ret;
		if (!len || len > DEB_SLOT_SIZE)
			return lies(r, "the length of a slot", e);
		r->slot = (r->slot + 1) % DEB_SLOTS;
		r->at = 0;
		r->len = len;
	}
	if (r->len - r->at < sizeof(r->record))
		return lies(r, "half a record", e);
	fetch(r, &r->record, sizeof(r->record));
	if (r->record.len > r->len - r->at)
		return lies(r, "the length of a record", e);
	/* there would be no end to them */
	if (r->record.type == DEB_DATA && !r->record.len)
		return lies(r, "contents of nothing", e);
	r->peeked = true;
	return 0;
}

/* All but contents: a copy. */
static void take(struct deb_records *r)
{
	r->peeked = false;
	fetch(r, r->copy, r->record.len);
}

/* Contents, as they are in the slot. */
static const char *take_piece(struct deb_records *r)
{
	const char *piece = r->slots + (size_t)r->slot * DEB_SLOT_SIZE + r->at;

	r->peeked = false;
	r->at += r->record.len;
	return piece;
}

/* What the reader says went wrong, in one printable line. */
static int take_error(struct deb_records *r, struct error *e)
{
	struct deb_failed failed;
	size_t len;

	take(r);
	if (r->record.len <= sizeof(failed) || r->record.len > sizeof(failed) + DEB_ERROR_MAX)
		return lies(r, "the length of an error", e);
	memcpy(&failed, r->copy, sizeof(failed));
	len = r->record.len - sizeof(failed);

	r->over = true;

	cleanup_free char *text = xstrndup(r->copy + sizeof(failed), len);

	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return err_set(e, failed.errnum == EFBIG || failed.errnum == ENOMEM ? (int)failed.errnum :
		       EBADMSG, "%s", text);
}

static bool known_type(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case 0:			/* of hard links; otherwise for the caller to refuse */
	case S_IFREG: case S_IFDIR: case S_IFLNK: case S_IFCHR: case S_IFBLK: case S_IFIFO:
	case S_IFSOCK:
		return true;
	default:
		return false;
	}
}

/* The strings are in the copy. */
static int take_entry(struct deb_records *r, struct deb_entry *entry, struct error *e)
{
	struct deb_fixed f;
	const char *strings[DEB_STRINGS] = { NULL };
	size_t at = sizeof(f);

	take(r);
	if (r->record.len < sizeof(f))
		return lies(r, "half an entry", e);
	memcpy(&f, r->copy, sizeof(f));
	for (size_t i = 0; i < DEB_STRINGS; i++) {
		size_t len = f.strings[i];

		if (!len)
			continue;
		if (len > DEB_NAME_MAX || len > r->record.len - at)
			return lies(r, "the length of a name", e);
		if (memchr(r->copy + at, '\0', len) != r->copy + at + len - 1)
			return lies(r, "the end of a name", e);
		strings[i] = r->copy + at;
		at += len;
	}
	if (at != r->record.len || !strings[0])
		return lies(r, "names", e);
	if (f.nanoseconds >= 1000000000 || f.mode & ~(uint32_t)(S_IFMT | 07777) ||
	    !known_type(f.mode))
		return lies(r, "a mode or a time", e);
	*entry = (struct deb_entry){
		.path = strings[0], .hardlink = strings[1], .symlink = strings[2],
		.user = strings[3], .group = strings[4], .mode = f.mode, .uid = f.uid,
		.gid = f.gid, .major = f.major, .minor = f.minor,
		.mtime = { f.seconds, f.nanoseconds },
	};
	return 0;
}

/* All has been said of the control files. */
static int take_ready(struct deb_records *r, struct deb *d, const struct strbuf *facts,
		      struct error *e)
{
	take(r);
	if (!deb_member(d, "control"))
		return lies(r, "its control file", e);
	d->facts = deb_facts_take(sb_str(facts), facts->len);
	if (!d->facts)
		return lies(r, "what its control files say", e);
	r->over = true;
	return 0;
}

int deb_records_control(struct deb_records *r, struct deb *d, struct error *e)
{
	cleanup_strbuf struct strbuf facts = STRBUF_INIT;
	struct strbuf *to = NULL;
	struct deb_member *m;
	struct deb_entry entry;
	size_t total = 0;

	for (;;) {
		int ret = peek(r, e);

		if (ret < 0)
			return ret;
		switch (r->record.type) {
		case DEB_MEMBER:
			ret = take_entry(r, &entry, e);
			if (ret < 0)
				return ret;
			m = deb_add_member(d, entry.path, entry.mode & 07777, entry.mtime);
			if (!m || to == &facts)
				return lies(r, "a control file", e);
			to = &m->data;
			break;
		case DEB_FACTS:
			take(r);
			to = &facts;
			break;
		case DEB_DATA:
			total += r->record.len;
			if (!to || facts.len + r->record.len > DEB_FACTS_MAX ||
			    (to != &facts && total > DEB_CONTROL_MAX))
				return lies(r, "control data", e);
			sb_add(to, take_piece(r), r->record.len);
			break;
		case DEB_READY:
			return take_ready(r, d, &facts, e);
		case DEB_ERROR:
			return take_error(r, e);
		default:
			return lies(r, "a record of another kind", e);
		}
	}
}

int deb_records_entry(struct deb_records *r, struct deb_entry *entry, struct error *e)
{
	for (;;) {
		int ret = peek(r, e);

		if (ret < 0)
			return ret;
		switch (r->record.type) {
		case DEB_ENTRY:
			ret = take_entry(r, entry, e);
			return ret < 0 ? ret : 1;
		case DEB_DATA:		/* that nobody wanted */
			(void)take_piece(r);
			break;
		case DEB_END:
			take(r);
			r->over = true;
			return 0;
		case DEB_ERROR:
			return take_error(r, e);
		default:
			return lies(r, "a record of another kind", e);
		}
	}
}

ssize_t deb_records_piece(struct deb_records *r, const char **piece, struct error *e)
{
	int ret = peek(r, e);

	if (ret < 0)
		return ret;
	if (r->record.type == DEB_ERROR)
		return take_error(r, e);
	if (r->record.type != DEB_DATA)
		return 0;
	*piece = take_piece(r);
	return (ssize_t)r->record.len;
}
