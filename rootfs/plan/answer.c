// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The answer of the process that chose, checked as if it came from whoever wrote the indexes:
 * it may name any packages in them, and nothing else.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "rootfs/deb822/deb822.h"
#include "rootfs/plan/private.h"
#include "umlcage/base/hash.h"

enum { MAX_WORD = 1024 };

struct reader {
	const struct plan_request *rq;
	struct taker t;
	const char **texts;	/* the indexes, mapped; NULL: not yet */
	struct plan *plan;
};

static int nonsense(struct error *e)
{
	return err_set(e, EBADMSG, "the process that chose the packages answered with what "
		       "cannot be");
}

/* ---- one package ---- */

static const char *text_of(struct reader *rd, size_t i, struct error *e)
{
	const struct debian_index *ix = &rd->rq->indexes[i];
	void *map;

	if (!rd->texts[i] && ix->size) {
		map = mmap(NULL, ix->size, PROT_READ, MAP_PRIVATE, ix->fd, 0);
		if (map == MAP_FAILED) {
			err_sys(e, errno, "cannot read index '%s'", ix->path);
			return NULL;
		}
		rd->texts[i] = map;
	}
	if (!rd->texts[i])
		nonsense(e);
	return rd->texts[i];
}

/* Is there the beginning of a stanza at @offset? */
static bool stanza_begins(const char *text, uint64_t offset)
{
	const char *p = text + offset;

	if (p == text)
		return true;
	if (*--p != '\n')
		return false;
	while (p > text && p[-1] == '\r')
		p--;
	return p == text || p[-1] == '\n';
}

static char *field(const char *stanza, const char *end, const char *name, struct strbuf *buf)
{
	return xstrdup(deb822_find(stanza, end, name, buf) ? sb_str(buf) : "");
}

/* Letters, digits and what names, versions and architectures have in between, as filter.c of
 * the solver wants them: they become names of files and arguments. */
static bool is_word(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= '0' && *p <= '9') || (p > s && strchr("+-._~:", *p))))
			return false;
	return *s && strlen(s) <= MAX_WORD;
}

static bool has_words(const struct plan_package *p)
{
	return is_word(p->name) && is_word(p->version) && is_word(p->arch);
}

static int fill_from_index(struct plan_package *p, const struct debian_index *ix,
			   const char *stanza, const char *end, struct error *e)
{
	cleanup_strbuf struct strbuf buf = STRBUF_INIT;

	p->name = field(stanza, end, "Package", &buf);
	p->version = field(stanza, end, "Version", &buf);
	p->arch = field(stanza, end, "Architecture", &buf);
	p->section = field(stanza, end, "Section", &buf);
	p->priority = field(stanza, end, "Priority", &buf);
	p->uri = xstrdup(ix->base);
	p->path = field(stanza, end, "Filename", &buf);
	if (!has_words(p))
		return nonsense(e);
	if (deb822_find(stanza, end, "Installed-Size", &buf))
		parse_u64(buf.s, 10, UINT64_MAX / 1024, &p->installed_kb);
	if (!deb822_find(stanza, end, "Size", &buf) ||
	    parse_u64(buf.s, 10, INT64_MAX, &p->size) || !p->path[0])
		return err_set(e, EBADMSG, "the index has no size or name for package '%s'",
			       p->name);
	if ((!deb822_find(stanza, end, "SHA256", &buf) &&
	     !deb822_find(stanza, end, "SHA512", &buf)) || !hash_valid_sum(sb_str(&buf)))
		return err_set(e, EBADMSG, "the index has no sha256 or sha512 for package '%s'",
			       p->name);
	memcpy(p->sum, buf.s, buf.len + 1);
	return 0;
}

static int read_indexed(struct reader *rd, uint64_t source, uint64_t offset,
			struct plan_package *p, struct error *e)
{
	const struct debian_index *ix;
	const char *text;

	if (source >= rd->rq->nindexes)
		return nonsense(e);
	ix = &rd->rq->indexes[source];
	if (offset >= ix->size)
		return nonsense(e);
	text = text_of(rd, source, e);
	if (!text)
		return -EBADMSG;
	if (!stanza_begins(text, offset))
		return nonsense(e);
	return fill_from_index(p, ix, text + offset, text + ix->size, e);
}

static int read_local(struct reader *rd, uint64_t source, struct plan_package *p,
		      struct error *e)
{
	if (source >= rd->rq->ndebs || !take_str(&rd->t, MAX_WORD, true, &p->name) ||
	    !take_str(&rd->t, MAX_WORD, true, &p->version) ||
	    !take_str(&rd->t, MAX_WORD, true, &p->arch) || !has_words(p))
		return nonsense(e);
	p->section = xstrdup("");
	p->priority = xstrdup("");
	return plan_fill_local(rd->rq->debs[source], rd->rq->deb_paths[source], p, e);
}

static int read_package(struct reader *rd, bool base, struct error *e)
{
	struct plan_package *p = &rd->plan->packages[rd->plan->n++];
	uint64_t local, source, offset, flags;
	int r;

	*p = (struct plan_package){ .base_stage = base };
	if (!take_u64(&rd->t, 1, &local) || !take_u64(&rd->t, SIZE_MAX, &source) ||
	    !take_u64(&rd->t, UINT64_MAX, &offset) || !take_u64(&rd->t, PLAN_ALL_FLAGS, &flags))
		return nonsense(e);
	p->auto_installed = (flags & PLAN_AUTO) && !base;
	p->essential = flags & PLAN_ESSENTIAL;
	p->required = flags & PLAN_REQUIRED;
	r = local ? read_local(rd, source, p, e) : read_indexed(rd, source, offset, p, e);
	if (r)
		return r;
	if (p->uri && __builtin_add_overflow(rd->plan->download_bytes, p->size,
					     &rd->plan->download_bytes))
		return nonsense(e);
	if (__builtin_add_overflow(rd->plan->installed_kb, p->installed_kb,
				   &rd->plan->installed_kb))
		return nonsense(e);
	return 0;
}

/* ---- the steps ---- */

static int read_step(struct reader *rd, struct error *e)
{
	struct plan *plan = rd->plan;
	struct plan_step *st = &plan->steps[plan->nsteps++];
	uint64_t kind, n, pkg;

	*st = (struct plan_step){ .kind = PLAN_INSTALL };
	if (!take_u64(&rd->t, PLAN_CONFIGURE_PENDING, &kind) ||
	    !take_u64(&rd->t, (size_t)(rd->t.end - rd->t.at) / sizeof(pkg), &n))
		return nonsense(e);
	st->kind = (enum plan_step_kind)kind;
	st->pkgs = xcalloc(n + 1, sizeof(*st->pkgs));
	while (st->n < n) {
		if (!take_u64(&rd->t, plan->n - 1, &pkg))
			return nonsense(e);
		st->pkgs[st->n++] = pkg;
	}
	return 0;
}

/* Each package is unpacked once, in the order of the packages, and configured after that at most
 * once; the base stage is one call. */
static bool steps_make_sense(const struct plan *plan)
{
	cleanup_free unsigned char *configured = xcalloc(plan->n + 1, 1);
	size_t unpacked = 0;

	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct plan_step *st = &plan->steps[i];

		if ((st->kind == PLAN_INSTALL) != (i == 0 && plan->nbase > 0) ||
		    (st->kind == PLAN_INSTALL && st->n != plan->nbase) ||
		    (st->kind == PLAN_CONFIGURE_PENDING) != (st->n == 0))
			return false;
		for (size_t k = 0; k < st->n; k++)
			if (st->kind == PLAN_CONFIGURE) {
				if (st->pkgs[k] >= unpacked || st->pkgs[k] < plan->nbase ||
				    configured[st->pkgs[k]]++)
					return false;
			} else if (st->pkgs[k] != unpacked++) {
				return false;
			}
	}
	return unpacked == plan->n;
}

static int read_all(struct reader *rd, struct error *e)
{
	struct plan *plan = rd->plan;
	uint64_t n, nbase, nsteps, most = (size_t)(rd->t.end - rd->t.at) / sizeof(n);
	int r = 0;

	if (!take_u64(&rd->t, most, &n) || !take_u64(&rd->t, n, &nbase))
		return nonsense(e);
	plan->packages = xcalloc(n + 1, sizeof(*plan->packages));
	while (plan->n < n && !r)
		r = read_package(rd, plan->n < nbase, e);
	if (r)
		return r;
	plan->nbase = nbase;
	if (!take_u64(&rd->t, most, &nsteps))
		return nonsense(e);
	plan->steps = xcalloc(nsteps + 1, sizeof(*plan->steps));
	while (plan->nsteps < nsteps && !r)
		r = read_step(rd, e);
	if (!r && (rd->t.at != rd->t.end || !steps_make_sense(plan)))
		r = nonsense(e);
	return r;
}

int plan_read_answer(const struct plan_request *rq, const struct strbuf *answer,
		     struct plan *plan, struct error *e)
{
	cleanup_free const char **texts = xcalloc(rq->nindexes + 1, sizeof(*texts));
	struct reader rd = {
		.rq = rq, .t = { sb_str(answer), sb_str(answer) + answer->len, false },
		.texts = texts, .plan = plan,
	};
	int r = read_all(&rd, e);

	for (size_t i = 0; i < rq->nindexes; i++)
		if (texts[i])
			munmap((void *)(uintptr_t)texts[i], rq->indexes[i].size);
	return r;
}
