// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The second stage: apt's calls of dpkg are gone through in their order.  Packages are put in
 * place from the stage at the moment when dpkg would have unpacked them, with the cage stopped,
 * so that they meet what scripts and hooks have made by then, and these have not met them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/fabricate/private.h"
#include "umlcage/base/fd.h"

struct step_op {
	enum plan_step_kind kind;
	size_t pkg;		/* of PLAN_UNPACK */
	const struct plan_step *step;
};

struct second {
	struct fabricate *f;
	struct step_op *ops;
	size_t n;
	size_t at;		/* what comes next; all before is in the tree or the script */
	struct strbuf script;	/* for the cage */
	bool unpacking;		/* its last line is a dpkg --unpack, still open */
};

/*
 * Can it be put in place from outside?  What is of a further architecture shares files with its
 * like of the first, which dpkg counts.
 */
static bool is_native(const struct fabricate *f, size_t pkg)
{
	return crew_package(f, pkg)->native && !fabricate_is_foreign(f, pkg);
}

static void close_line(struct second *s)
{
	if (s->unpacking)
		sb_adds(&s->script, " || exit\n");
	s->unpacking = false;
}

/* Its file for dpkg, from outside or, while a cage runs, through it. */
static int provide(struct second *s, size_t i, struct error *e)
{
	struct fabricate *f = s->f;
	const struct plan_package *p = &f->plan->packages[i];
	cleanup_free char *name = plan_deb_name(p);
	cleanup_free char *to = xasprintf("/var/cache/apt/archives/%s", name);
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"cat >\"$1\"", (char *)"sh", to, NULL };

	if (!f->guest)
		return fabricate_put_deb(f, i, e);

	cleanup_free char *from = p->uri ? debian_item_path(f->archive, p->sum) : xstrdup(p->path);
	cleanup_close int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, errno, "cannot read '%s'", from);
	return guest_run(f->guest, "copying a package", argv, NULL, fd, e);
}

/* dpkg itself unpacks it. */
static int let_dpkg(struct second *s, size_t i, struct error *e)
{
	cleanup_free char *name = plan_deb_name(&s->f->plan->packages[i]);

	if (!s->unpacking)
		sb_adds(&s->script, "dpkg --no-triggers --unpack --auto-deconfigure");
	s->unpacking = true;
	sb_addf(&s->script, " /var/cache/apt/archives/'%s'", name);
	return provide(s, i, e);
}

static void add_configure(struct second *s, const struct plan_step *step)
{
	close_line(s);
	sb_adds(&s->script, "dpkg --no-triggers --configure");
	for (size_t i = 0; i < step->n; i++)
		sb_addf(&s->script, " %s", fabricate_spec(s->f, step->pkgs[i]));
	sb_adds(&s->script, " || exit\n");
}

static void select_packages(struct second *s, const char *selection, const char *names)
{
	sb_addf(&s->script, "printf '%%s %s\\n'%s | dpkg --set-selections || exit\n", selection, names);
}

/* What is not to be installed is not pending; what is on hold would be. */
static void configure_pending(struct second *s)
{
	const struct fabricate *f = s->f;
	cleanup_strbuf struct strbuf held = STRBUF_INIT;
	cleanup_free bool *later = xcalloc(f->plan->n - f->plan->nbase + 1, sizeof(*later));

	later_find(f, later);
	for (size_t i = f->plan->nbase; i < f->plan->n; i++)
		if (later[i - f->plan->nbase])
			sb_addf(&held, " %s", fabricate_spec(f, i));
	if (held.len) {
		select_packages(s, "deinstall", held.s);
		sb_adds(&s->script, "dpkg --configure --pending || exit\n");
		select_packages(s, "install", held.s);
	}
	sb_adds(&s->script, "dpkg --configure --pending || exit\n");
}

/* Does configuring these change nothing that unpacking others could meet? */
static bool is_inert(const struct fabricate *f, const struct plan_step *step)
{
	for (size_t i = 0; i < step->n; i++)
		if (crew_package(f, step->pkgs[i])->postinst)
			return false;
	return true;
}

/* Can this be done together with unpacking what comes before and after it, natively? */
static bool goes_along(const struct second *s, const struct step_op *op)
{
	if (op->kind == PLAN_UNPACK)
		return is_native(s->f, op->pkg);
	return op->kind == PLAN_CONFIGURE && is_inert(s->f, op->step);
}

/* Operations that go along with each other, at @ops: how many; *@unpacks of them unpack. */
static size_t run_of(const struct second *s, const struct step_op *ops, size_t n, size_t *unpacks)
{
	size_t len = 0;

	for (*unpacks = 0; len < n && goes_along(s, &ops[len]); len++)
		*unpacks += ops[len].kind == PLAN_UNPACK;
	return len;
}

/* Will the cage be left once more? */
static bool more_to_place(const struct second *s)
{
	size_t unpacks;

	for (size_t at = s->at, len; at < s->n; at += len ? len : 1) {
		len = run_of(s, s->ops + at, s->n - at, &unpacks);
		if (unpacks >= WORTH_A_BOOT)
			return true;
	}
	return false;
}

static int flush(struct second *s, struct error *e)
{
	int ret;

	close_line(s);
	if (!s->script.len)
		return 0;
	ret = cage_enter(s->f, false, e);
	if (more_to_place(s))
		cage_foresee(s->f, false);
	else if (s->f->o->hooks[FAB_HOOK_CUSTOMIZE].n)
		cage_foresee(s->f, true);
	if (ret == 0)
		ret = guest_script(s->f->guest, "dpkg --configure", s->script.s, e);
	sb_reset(&s->script);
	return ret;
}

/* From the stage into the tree; what dpkg must do after all stays out. */
static int put_in_place(struct second *s, const struct step_op *ops, size_t n, struct error *e)
{
	struct fabricate *f = s->f;
	size_t *pkgs = xcalloc(n, sizeof(*pkgs)), count = 0;
	int ret = flush(s, e);

	if (ret == 0)
		ret = cage_leave(f, e);
	for (size_t i = 0; i < n; i++)
		if (ops[i].kind == PLAN_UNPACK)
			pkgs[count++] = ops[i].pkg - f->plan->nbase;
	if (ret == 0)
		ret = unpack_merge(f->rest, f->share->fd, pkgs, count, e);
	free(pkgs);
	return ret;
}

static int carry_out(struct second *s, const struct step_op *op, bool merged, struct error *e)
{
	switch (op->kind) {
	case PLAN_UNPACK:
		return merged && is_native(s->f, op->pkg) ? 0 : let_dpkg(s, op->pkg, e);
	case PLAN_CONFIGURE:
		add_configure(s, op->step);
		return 0;
	default:
		close_line(s);
		configure_pending(s);
		return 0;
	}
}

static int second_stage(struct second *s, struct error *e)
{
	int ret = 0;

	while (s->at < s->n && ret == 0) {
		size_t unpacks, len = run_of(s, s->ops + s->at, s->n - s->at, &unpacks);
		bool native = unpacks >= WORTH_A_BOOT && !s->f->held;

		if (native)
			ret = put_in_place(s, s->ops + s->at, len, e);
		for (len = len ? len : 1; len && ret == 0; len--, s->at++)
			ret = carry_out(s, &s->ops[s->at], native, e);
	}
	return ret ? ret : flush(s, e);
}

static void list_ops(struct second *s)
{
	const struct plan *plan = s->f->plan;
	size_t max = plan->n + plan->nsteps;

	s->ops = xcalloc(max, sizeof(*s->ops));
	for (size_t i = 0; i < plan->nsteps; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (step->kind == PLAN_INSTALL)
			continue;
		if (step->kind != PLAN_UNPACK) {
			s->ops[s->n++] = (struct step_op){ step->kind, 0, step };
			continue;
		}
		for (size_t k = 0; k < step->n; k++)
			s->ops[s->n++] = (struct step_op){ PLAN_UNPACK, step->pkgs[k], step };
	}
}

int configure_rest(struct fabricate *f, struct error *e)
{
	struct second s = { .f = f };
	int ret;

	if (f->plan->nbase == f->plan->n)
		return 0;
	ret = crew_end(f, e);
	/* not before: apt would forget what is not installed when a hook calls it */
	if (ret == 0)
		ret = fabricate_put_states(f, e);
	if (ret == 0) {
		if (f->progress && !str_eq(f->progress->stage, "configuring"))
			progress_stage(f->progress, "configuring", f->plan->n);
		list_ops(&s);
		ret = second_stage(&s, e);
	}
	free(s.ops);
	sb_release(&s.script);
	return ret;
}
