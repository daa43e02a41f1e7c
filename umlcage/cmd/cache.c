// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage cache: what the cache of fabricate holds, and making it smaller. */
#include <stdio.h>
#include <string.h>

#include "rootfs/cache/cache.h"
#include "umlcage/base/str.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/table/table.h"

static const struct column columns[] = {
	{ "KIND", "kind", COLUMN_TEXT }, { "NAME", "name", COLUMN_TEXT },
	{ "SIZE", "bytes", COLUMN_SIZE }, { "LAST USED", "used", COLUMN_TIME },
	{ "WHAT", "what", COLUMN_TEXT }, { NULL, "files", COLUMN_COUNT },
	{ NULL, "id", COLUMN_TEXT },
};

static void add_item(struct table *t, const struct cache_item *it, size_t files)
{
	/* a key is known by its beginning */
	cleanup_free char *name = str_eq(it->kind, "trees") || str_eq(it->kind, "roots") ?
				  xstrndup(it->name, 12) : xstrdup(it->name);

	table_add(t, (struct cell[]){ { it->kind, 0 }, { name, 0 }, { NULL, it->bytes },
				      { NULL, (uint64_t)it->used }, { it->what, 0 }, { NULL, files },
				      { it->name, 0 } });
}

static bool is_summed(const char *kind)
{
	return str_eq(kind, "archives") || str_eq(kind, "indexes");
}

/* Packages and indexes are many: one row for all, unless each is asked for. */
static void add_sums(struct table *t, const struct cache_items *items)
{
	static const char *const kinds[] = { "archives", "indexes" };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct cache_item sum = { .kind = kinds[k], .name = (char *)"" };
		cleanup_free char *what = NULL;
		size_t n = 0;

		for (size_t i = 0; i < items->n; i++) {
			const struct cache_item *it = &items->v[i];

			if (!str_eq(it->kind, kinds[k]))
				continue;
			sum.bytes += it->bytes;
			sum.used = it->used > sum.used ? it->used : sum.used;
			n++;
		}
		if (!n)
			continue;
		what = xasprintf("%zu files", n);
		sum.what = what;
		add_item(t, &sum, n);
	}
}

static void print_items(const struct cache_items *items, bool all, bool json)
{
	cleanup_table struct table *t = table_new(columns, ARRAY_SIZE(columns));
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	cleanup_free char *text = NULL;
	uint64_t total = 0;

	for (size_t i = 0; i < items->n; i++) {
		total += items->v[i].bytes;
		if (all || !is_summed(items->v[i].kind))
			add_item(t, &items->v[i], 1);
	}
	if (!all)
		add_sums(t, items);
	text = format_size(total);
	table_text(t, json, &out);
	fputs(sb_str(&out), stdout);
	if (!json)
		printf("%s in all\n", text);
}

struct list_options {
	bool all, json;
};

static const struct opt list_opts[] = {
	{ OPT_FLAG, 'a', "all", NULL, OPT_BOOL(struct list_options, all), "each package and index, too" },
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct list_options, json), "the same for programs" },
	OPT_END,
};

static const struct opt_spec list_spec = {
	.usage = "umlcage cache list [options]",
	.summary = "Lists finished trees, imported roots, packages and indexes, the least "
		   "recently used first.",
	.groups = OPT_GROUPS({ NULL, list_opts, 0 }),
};

static int run_list(const struct command *self, int argc, char **argv)
{
	struct list_options o = { 0 };
	struct cache_items items;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc) {
		err_usage(&e, "'umlcage cache list' takes no operand, but got '%s'", argv[0]);
		return cmd_fail(&e);
	}
	if (cache_list(&items, &e))
		return cmd_fail(&e);
	print_items(&items, o.all, o.json);
	cache_items_release(&items);
	return EXIT_OK;
}

struct prune_options {
	uint64_t size, age;
	bool everything;
	const char *kind;
};

static const struct opt prune_opts[] = {
	{ OPT_SIZE, 0, "max-size", "SIZE", OPT_U64(struct prune_options, size),
	  "remove the least recently used until this much is left" },
	{ OPT_DURATION, 0, "max-age", "TIME", OPT_U64(struct prune_options, age),
	  "remove what was not used for so long (30d, 12h)" },
	{ OPT_STRING, 0, "kind", "KIND", OPT_STR(struct prune_options, kind),
	  "only what 'umlcage cache list' says is of that kind" },
	{ OPT_FLAG, 0, "everything", NULL, OPT_BOOL(struct prune_options, everything),
	  "remove all of it" },
	OPT_END,
};

static const struct opt_spec prune_spec = {
	.usage = "umlcage cache prune [options]",
	.summary = "Removes what can be made or fetched again; what is in use stays.",
	.groups = OPT_GROUPS({ NULL, prune_opts, 0 }),
};

static int check_prune(const struct prune_options *o, struct error *e)
{
	const char *const *k = cache_kinds;

	while (o->kind && *k && !str_eq(*k, o->kind))
		k++;
	if (!*k) {
		const char *near = str_closest(o->kind, cache_kinds);
		cleanup_strv struct strv all = STRV_INIT;
		cleanup_free char *names = NULL;

		strv_addv(&all, cache_kinds);
		names = strv_join(&all, ", ");
		err_usage(e, "unknown kind '%s'; there are %s", o->kind, names);
		return near ? err_hint(e, "did you mean '%s'?", near) : -e->errnum;
	}
	if (o->size == UINT64_MAX && !o->age && !o->everything)
		return err_usage(e, "nothing says what to remove: give --max-size, --max-age or "
				 "--everything");
	return 0;
}

static int run_prune(const struct command *self, int argc, char **argv)
{
	struct prune_options o = { .size = UINT64_MAX };
	struct error e = ERROR_INIT;
	uint64_t bytes;
	size_t count, held = 0;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc)
		err_usage(&e, "'umlcage cache prune' takes no operand, but got '%s'", argv[0]);
	if (e.errnum || check_prune(&o, &e) < 0 ||
	    cache_prune(o.kind, o.everything ? 0 : o.size, (int64_t)(o.age / 1000), &bytes, &count,
			&held, &e))
		return cmd_fail(&e);

	cleanup_free char *text = format_size(bytes);

	printf("%zu removed, %s\n", count, text);
	if (held)
		printf("%zu held by changes that are kept; see 'umlcage root list --changes' and "
		       "'umlcage session snapshots'\n", held);
	return EXIT_OK;
}

static const struct command command_list = {
	"list", "lists what is there", &list_spec, run_list, NULL, NULL,
}, command_prune = {
	"prune", "makes it smaller", &prune_spec, run_prune, NULL, NULL,
};

const struct command command_cache = {
	.name = "cache",
	.help = "lists and prunes the cache of packages and finished trees",
	.run = cmd_dispatch,
	.sub = (const struct command *const[]){ &command_list, &command_prune, NULL },
	.summary = "Looks after the cache of packages, indexes and finished trees.",
};
