// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reader of control files: see deb822.h.  The buffer holds the stanza being read
 * and what follows it; fields are offsets from the stanza's start, because the
 * buffer moves when more is read.
 */
#include "rootfs/deb822/deb822.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "umlcage/base/fd.h"

enum { CHUNK = 256 * 1024, MAX_STANZA = 64 * 1024 * 1024 };

void deb822_init_fd(struct deb822 *d, int fd, const char *name)
{
	*d = (struct deb822){ .fd = fd, .name = xstrdup(name) };
}

void deb822_init_mem(struct deb822 *d, const void *data, size_t len, const char *name)
{
	*d = (struct deb822){ .fd = -1, .name = xstrdup(name) };
	sb_add(&d->buf, data, len);
}

void deb822_release(struct deb822 *d)
{
	free_ptr(&d->name);
	free_ptr(&d->fields);
	sb_release(&d->buf);
	*d = (struct deb822)DEB822_INIT;
}

/* Reads more behind the stanza: 1, 0 at the end of the file, -errno. */
static int refill(struct deb822 *d, struct error *e)
{
	if (d->fd < 0)
		return 0;
	if (d->start) {
		memmove(d->buf.s, d->buf.s + d->start, d->buf.len - d->start);
		d->buf.len -= d->start;
		d->pos -= d->start;
		d->start = 0;
	}
	if (d->buf.len > MAX_STANZA)
		return err_set(e, EBADMSG, "%s:%u: a stanza of more than 64 MiB", d->name, d->line);

	ssize_t got = read_full(d->fd, sb_reserve(&d->buf, CHUNK), CHUNK);

	if (got < 0)
		return err_sys(e, (int)-got, "cannot read '%s'", d->name);
	if (got == 0)
		d->fd = -1;
	d->buf.len += (size_t)got;
	d->buf.s[d->buf.len] = '\0';
	return got > 0;
}

/* The next line without its end, as an offset from the stanza's start: 1, 0, -errno. */
static int next_line(struct deb822 *d, size_t *at, size_t *len, struct error *e)
{
	size_t seen = 0;
	char *end = NULL;

	for (;;) {
		if (d->pos + seen < d->buf.len)
			end = memchr(d->buf.s + d->pos + seen, '\n', d->buf.len - d->pos - seen);
		if (end)
			break;
		seen = d->buf.len - d->pos;

		int ret = refill(d, e);

		if (ret < 0)
			return ret;
		if (ret == 0) {
			if (!seen)
				return 0;
			end = d->buf.s + d->buf.len;
			break;
		}
	}
	d->line++;
	*at = d->pos - d->start;
	*len = (size_t)(end - d->buf.s) - d->pos;
	d->pos += *len + (d->pos + *len < d->buf.len);
	if (memchr(d->buf.s + d->start + *at, '\0', *len))
		return err_set(e, EBADMSG, "%s:%u: a NUL byte in a control file", d->name, d->line);
	while (*len && strchr(" \t\r", d->buf.s[d->start + *at + *len - 1]))
		(*len)--;
	return 1;
}

/* Takes a comment line out of the buffer, so that a value around it is in one piece. */
static void drop_line(struct deb822 *d, size_t at)
{
	size_t from = d->start + at;

	memmove(d->buf.s + from, d->buf.s + d->pos, d->buf.len - d->pos);
	d->buf.len -= d->pos - from;
	d->buf.s[d->buf.len] = '\0';
	d->pos = from;
}

static int add_field(struct deb822 *d, size_t at, size_t len, struct error *e)
{
	const char *line = d->buf.s + d->start + at;
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : 0, value = name_len + 1;

	for (size_t i = 0; i < name_len; i++)
		if (line[i] <= ' ' || line[i] > '~')
			name_len = 0;
	if (!name_len || line[0] == '-')
		return err_set(e, EBADMSG, "%s:%u: expected 'Field: value'", d->name, d->line);
	/* also past the blanks that end the line, up to its end or the buffer's NUL */
	while (line[value] && strchr(" \t\r", line[value]))
		value++;
	if (d->n == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 32;
		d->fields = xreallocarray(d->fields, d->cap, sizeof(*d->fields));
	}
	d->fields[d->n++] = (struct deb822_field){
		.name = at, .name_len = name_len, .value = at + value,
		.value_len = value < len ? len - value : 0,
	};
	return 0;
}

/* Ends every name and value with a NUL, which the colon and the line's end leave room for. */
static void terminate(struct deb822 *d)
{
	char *stanza = d->buf.s + d->start;

	for (size_t i = 0; i < d->n; i++) {
		stanza[d->fields[i].name + d->fields[i].name_len] = '\0';
		stanza[d->fields[i].value + d->fields[i].value_len] = '\0';
	}
}

int deb822_next(struct deb822 *d, struct error *e)
{
	size_t at = 0, len = 0;
	int ret;

	d->start = d->pos;
	d->n = 0;
	while ((ret = next_line(d, &at, &len, e)) > 0) {
		char first = len ? d->buf.s[d->start + at] : '\0';

		if (first == '#') {
			drop_line(d, at);
		} else if (!len && d->n && strchr(" \t", d->buf.s[d->start + at]) &&
			   d->buf.s[d->start + at]) {
			continue;	/* to apt a line of blanks ends no stanza */
		} else if (!len && d->n) {
			break;
		} else if (!len) {
			d->start = d->pos;
		} else if (first != ' ' && first != '\t') {
			ret = add_field(d, at, len, e);
			if (ret < 0)
				return ret;
		} else if (d->n) {
			struct deb822_field *f = &d->fields[d->n - 1];

			f->value_len = at + len - f->value;
		} else {
			return err_set(e, EBADMSG, "%s:%u: a continuation line without a field",
				       d->name, d->line);
		}
		if (d->pos - d->start > MAX_STANZA)
			return err_set(e, EBADMSG, "%s:%u: a stanza of more than 64 MiB", d->name,
				       d->line);
	}
	if (ret < 0)
		return ret;
	if (!d->n)
		return 0;
	terminate(d);
	return 1;
}

const char *deb822_get(const struct deb822 *d, const char *field)
{
	const char *stanza = d->buf.s + d->start;
	size_t len = strlen(field);

	for (size_t i = d->n; i-- > 0;)
		if (d->fields[i].name_len == len &&
		    strncasecmp(stanza + d->fields[i].name, field, len) == 0)
			return stanza + d->fields[i].value;
	return NULL;
}

/* The weight of a byte in the non-digit part: '~' before the end, letters before the rest. */
static int weight(char c)
{
	if (c == '~')
		return -1;
	if (!c || isdigit((unsigned char)c))
		return 0;
	return isalpha((unsigned char)c) ? c : (unsigned char)c + 256;
}

static int part_cmp(const char *a, const char *a_end, const char *b, const char *b_end)
{
	while (a < a_end || b < b_end) {
		int diff = 0;

		while ((a < a_end && !isdigit((unsigned char)*a)) ||
		       (b < b_end && !isdigit((unsigned char)*b))) {
			int wa = a < a_end ? weight(*a) : 0, wb = b < b_end ? weight(*b) : 0;

			if (wa != wb)
				return wa - wb;
			a += a < a_end;
			b += b < b_end;
		}
		while (a < a_end && *a == '0')
			a++;
		while (b < b_end && *b == '0')
			b++;
		for (; a < a_end && b < b_end && isdigit((unsigned char)*a) &&
		       isdigit((unsigned char)*b); a++, b++)
			if (!diff)
				diff = *a - *b;
		if (a < a_end && isdigit((unsigned char)*a))
			return 1;
		if (b < b_end && isdigit((unsigned char)*b))
			return -1;
		if (diff)
			return diff;
	}
	return 0;
}

struct version {
	unsigned long epoch;
	const char *upstream, *upstream_end, *revision, *end;
};

static struct version split_version(const char *s)
{
	struct version v = { .upstream = s, .end = s + strlen(s) };
	const char *colon = strchr(s, ':'), *dash;

	if (colon) {
		v.epoch = strtoul(s, NULL, 10);
		v.upstream = colon + 1;
	}
	dash = strrchr(v.upstream, '-');
	v.upstream_end = dash ? dash : v.end;
	v.revision = dash ? dash + 1 : v.end;
	return v;
}

int deb_version_cmp(const char *a, const char *b)
{
	struct version va = split_version(a), vb = split_version(b);
	int ret;

	if (va.epoch != vb.epoch)
		return va.epoch < vb.epoch ? -1 : 1;
	ret = part_cmp(va.upstream, va.upstream_end, vb.upstream, vb.upstream_end);
	return ret ? ret : part_cmp(va.revision, va.end, vb.revision, vb.end);
}
