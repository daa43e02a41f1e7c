// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kernel that is configured has its initramfs made at once, and the trigger that initramfs-tools
 * has for it makes the same once more at the end: with a kernel of Debian's that is a quarter of all
 * time.  So kernels, and what wants them, are left out until dpkg is done with all others and their
 * triggers, which find no kernel; the one made then sees all that the second would have seen.
 */
#include <stdlib.h>
#include <string.h>

#include "rootfs/deb822/deb822.h"
#include "rootfs/fabricate/private.h"

#define TRIGGER "update-initramfs"

static bool is_kernel(const struct plan_package *p)
{
	return str_starts(p->name, "linux-image-");
}

/* Is somebody there to be triggered? */
static bool is_awaited(const struct fabricate *f)
{
	for (size_t i = 0; i < f->plan->n; i++) {
		const struct deb_facts *facts = crew_package(f, i)->facts;

		for (size_t k = 0; facts && k < facts->ninterests; k++)
			if (str_eq(facts->interests[k].trigger, TRIGGER))
				return true;
	}
	return false;
}

/* The names in a field like Depends, without versions and architectures. */
static void add_names(const char *stanza, const char *field, struct strv *out)
{
	cleanup_strbuf struct strbuf value = STRBUF_INIT;
	cleanup_strv struct strv words = STRV_INIT;

	if (!deb822_find(stanza, stanza + strlen(stanza), field, &value))
		return;
	strv_split(&words, sb_str(&value), ",|");
	for (size_t i = 0; i < words.n; i++) {
		const char *name = words.v[i] + strspn(words.v[i], " \t");

		strv_addf(out, "%.*s", (int)strcspn(name, " \t(:[<"), name);
	}
}

struct later {
	struct strv wants, gives;
};

/* Does one want what the other gives? */
static bool is_wanted(const struct strv *wants, const struct strv *gives)
{
	for (size_t i = 0; i < gives->n; i++)
		if (strv_has(wants, gives->v[i]))
			return true;
	return false;
}

static void look_at(const struct fabricate *f, size_t i, struct later *l)
{
	const struct deb_facts *facts = crew_package(f, i)->facts;
	const char *stanza = facts ? facts->before : "";

	add_names(stanza, "Pre-Depends", &l->wants);
	add_names(stanza, "Depends", &l->wants);
	strv_add(&l->gives, f->plan->packages[i].name);
	add_names(stanza, "Provides", &l->gives);
}

void later_find(const struct fabricate *f, bool *held)
{
	size_t base = f->plan->nbase, n = f->plan->n - base;
	struct later *all;
	bool more = false;

	for (size_t i = 0; i < n; i++)
		more |= held[i] = is_kernel(&f->plan->packages[base + i]);
	if (!more || !is_awaited(f)) {
		memset(held, 0, n * sizeof(*held));
		return;
	}
	all = xcalloc(n, sizeof(*all));
	for (size_t i = 0; i < n; i++)
		look_at(f, base + i, &all[i]);
	/* whoever names one of them, as an alternative, too */
	while (more) {
		more = false;
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < n && !held[i]; k++)
				if (held[k] && is_wanted(&all[i].wants, &all[k].gives))
					more = held[i] = true;
	}
	for (size_t i = 0; i < n; i++) {
		strv_release(&all[i].wants);
		strv_release(&all[i].gives);
	}
	free(all);
}
