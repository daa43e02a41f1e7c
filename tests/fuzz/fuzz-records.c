// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a process that reads a package says, as if it had been taken over: whatever it is, what
 * becomes control files and entries is whole, and contents are from where the process may write.
 * The input is slots, each behind its length in two bytes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "rootfs/deb/private.h"
#include "tests/fuzz/fuzz.h"

struct input {
	const uint8_t *at, *end;
	char *slots;
	unsigned int slot;
};

static int next(void *arg, size_t *len, struct error *e)
{
	struct input *in = arg;
	size_t left = (size_t)(in->end - in->at), there;

	if (left < 2)
		return err_set(e, EBADMSG, "the end");
	*len = in->at[0] | (size_t)in->at[1] << 8;
	there = *len < left - 2 ? *len : left - 2;
	memcpy(in->slots + (size_t)in->slot * DEB_SLOT_SIZE, in->at + 2, there);
	in->at += 2 + there;
	in->slot = (in->slot + 1) % DEB_SLOTS;
	return 0;
}

static void check_string(const char *s)
{
	check(!s || strnlen(s, DEB_NAME_MAX) < DEB_NAME_MAX);
}

static void check_control(const struct deb *d)
{
	size_t total = 0;

	check(deb_member(d, "control") && d->n <= DEB_MEMBERS_MAX);
	for (size_t i = 0; i < d->n; i++) {
		const struct deb_member *m = &d->members[i];

		check(*m->name && !strchr(m->name, '/') && strcmp(m->name, "..") != 0 &&
		      strcmp(m->name, ".") != 0 && !(m->mode & ~07777U));
		check(!m->data.s || m->data.s[m->data.len] == '\0');
		total += m->data.len;
	}
	check(total <= DEB_CONTROL_MAX);
}

static void check_word(const char *s)
{
	check(*s && !strpbrk(s, " \t\r\n"));
}

/* Names stay where they are put, and the stanza is one, of this package. */
static void check_facts(const struct deb_facts *f)
{
	check_word(f->name);
	check_word(f->version);
	check_word(f->arch);
	check(f->name[0] != '.' && !strchr(f->name, '/') && !strchr(f->arch, '/'));
	check(str_starts(f->before, "Package: ") && str_starts(f->before + 9, f->name) &&
	      f->before[9 + strlen(f->name)] == '\n');
	check(!strstr(f->before, "\n\n") && !strstr(f->behind, "\n\n") && f->behind[0] != '\n' &&
	      str_ends(f->before, "\n") && (!*f->behind || str_ends(f->behind, "\n")));
	for (size_t i = 0; i < f->nconffiles; i++)
		check(f->conffiles[i].path[0] == '/' && !strchr(f->conffiles[i].path, '\n'));
	for (size_t i = 0; i < f->ninterests; i++) {
		const char *trigger = f->interests[i].trigger;

		check_word(trigger);
		check(trigger[0] == '/' || (!strchr(trigger, '/') && trigger[0] != '.'));
	}
	for (size_t i = 0; i < f->nreplaces; i++) {
		check(f->replaces[i].relation <= DEB_LATER);
		check_word(f->replaces[i].name);
		if (f->replaces[i].relation != DEB_ANY || f->replaces[i].version)
			check_word(f->replaces[i].version);
	}
}

static void check_entry(const struct deb_entry *n)
{
	mode_t type = n->mode & S_IFMT;

	check(n->path && n->mtime.tv_nsec < 1000000000 && n->mtime.tv_nsec >= 0);
	check(!(n->mode & ~(uint32_t)(S_IFMT | 07777)));
	check(!type || S_ISREG(type) || S_ISDIR(type) || S_ISLNK(type) || S_ISCHR(type) ||
	      S_ISBLK(type) || S_ISFIFO(type) || S_ISSOCK(type));
	check_string(n->path);
	check_string(n->hardlink);
	check_string(n->symlink);
	check_string(n->user);
	check_string(n->group);
}

static int contents(struct deb_records *r, struct input *in, struct error *e)
{
	struct deb_entry n;
	int ret;

	deb_records_restart(r);
	in->slot = 0;
	while ((ret = deb_records_entry(r, &n, e)) > 0) {
		const char *piece;
		ssize_t len = 0;

		check_entry(&n);
		while (!(n.uid & 1) && (len = deb_records_piece(r, &piece, e)) > 0) {
			size_t at = (size_t)(piece - in->slots) % DEB_SLOT_SIZE;

			check(piece >= in->slots && piece < in->slots + DEB_SLOTS * DEB_SLOT_SIZE);
			check((size_t)len <= DEB_SLOT_SIZE - at);
		}
		check_entry(&n);
		if (len < 0)
			return (int)len;
	}
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *slots;
	struct input in = { .at = data, .end = data + size };
	cleanup_error struct error e = ERROR_INIT;
	struct deb_records r;
	struct deb d = DEB_INIT;
	int ret;

	if (!slots)
		slots = xcalloc(DEB_SLOTS, DEB_SLOT_SIZE);
	in.slots = slots;
	deb_records_init(&r, slots);
	r.next = next;
	r.arg = &in;
	ret = deb_records_control(&r, &d, &e);
	if (ret == 0) {
		check_control(&d);
		check_facts(d.facts);
		ret = contents(&r, &in, &e);
	}
	/* what it says is a line that a terminal does not obey */
	for (const char *c = ret < 0 ? err_text(&e) : ""; *c; c++)
		check((unsigned char)*c >= ' ' && *c != 0x7f);
	check(ret == 0 || e.errnum == EBADMSG || e.errnum == EFBIG || e.errnum == ENOMEM);
	deb_close(&d);
	deb_records_release(&r);
	return 0;
}
