// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage cache: what the cache of fabricate holds, and making it smaller. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rootfs/cache/cache.h"
#include "umlcage/base/str.h"
#include "umlcage/cmd/cmd.h"

static void print_json(const struct cache_items *items)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	sb_addc(&out, '[');
	for (size_t i = 0; i < items->n; i++) {
		const struct cache_item *it = &items->v[i];

		sb_addf(&out, "%s\n{\"kind\": \"%s\", \"name\": ", i ? "," : "", it->kind);
		sb_json_str(&out, it->name, strlen(it->name));
		sb_adds(&out, ", \"what\": ");
		sb_json_str(&out, it->what, strlen(it->what));
		sb_addf(&out, ", \"bytes\": %" PRIu64 ", \"used\": %" PRId64 "}", it->bytes,
			it->used);
	}
	sb_adds(&out, "\n]\n");
	fputs(out.s, stdout);
}

static void print_item(const struct cache_item *it)
{
	cleanup_free char *size = format_size(it->bytes);
	time_t used = (time_t)it->used;
	char when[32] = "";
	struct tm tm;

	if (localtime_r(&used, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%-8s  %.12s  %9s  %s  %s\n", it->kind, it->name, size, when, it->what);
}

/* Packages and indexes are many: one line for all, unless each is asked for. */
static void print_items(const struct cache_items *items, bool all)
{
	static const char *const summed[] = { "archives", "indexes" };
	uint64_t total = 0;
	cleanup_free char *text = NULL;

	for (size_t i = 0; i < items->n; i++) {
		const char *kind = items->v[i].kind;

		total += items->v[i].bytes;
		if (all || (!str_eq(kind, summed[0]) && !str_eq(kind, summed[1])))
			print_item(&items->v[i]);
	}
	for (size_t k = 0; k < ARRAY_SIZE(summed) && !all; k++) {
		cleanup_free char *size = NULL;
		uint64_t bytes = 0;
		size_t n = 0;

		for (size_t i = 0; i < items->n; i++)
			if (strcmp(items->v[i].kind, summed[k]) == 0) {
				bytes += items->v[i].bytes;
				n++;
			}
		size = format_size(bytes);
		printf("%-8s  %7zu files  %9s\n", summed[k], n, size);
	}
	text = format_size(total);
	printf("%s in all\n", text);
}

static int cmd_list(int argc, char **argv)
{
	bool all = false, json = false;
	const struct opt opts[] = {
		{ OPT_FLAG, 'a', "all", .value = &all, .help = "each package and index, too" },
		{ OPT_FLAG, 0, "json", .value = &json, .help = "everything, for programs" },
		OPT_END,
	};
	const struct opt_spec spec = {
		.usage = "umlcage cache list [options]",
		.summary = "Lists finished trees, imported roots, packages and indexes, the least "
			   "recently used first.",
		.opts = opts,
	};
	struct cache_items items;
	struct error e = ERROR_INIT;
	int status = cmd_parse(&spec, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc) {
		err_usage(&e, "too many arguments");
		return cmd_fail(&e);
	}
	if (cache_list(&items, &e))
		return cmd_fail(&e);
	if (json)
		print_json(&items);
	else
		print_items(&items, all);
	cache_items_release(&items);
	return EXIT_OK;
}

static int cmd_prune(int argc, char **argv)
{
	uint64_t size = UINT64_MAX, age = 0, bytes;
	bool everything = false;
	const char *kind = NULL;
	const struct opt opts[] = {
		{ OPT_SIZE, 0, "max-size", "SIZE", .value = &size,
		  .help = "remove the least recently used until this much is left" },
		{ OPT_DURATION, 0, "max-age", "TIME", .value = &age,
		  .help = "remove what was not used for so long (30d, 12h)" },
		{ OPT_STRING, 0, "kind", "KIND", .value = &kind,
		  .help = "only trees, tools, roots, archives or indexes" },
		{ OPT_FLAG, 0, "everything", .value = &everything, .help = "remove all of it" },
		OPT_END,
	};
	const struct opt_spec spec = {
		.usage = "umlcage cache prune [options]",
		.summary = "Removes what can be made or fetched again; what is in use stays.",
		.opts = opts,
	};
	struct error e = ERROR_INIT;
	size_t count;
	int status = cmd_parse(&spec, &argc, &argv);

	if (status >= 0)
		return status;
	if (argc)
		err_usage(&e, "too many arguments");
	else if (kind && !str_eq(kind, "trees") && !str_eq(kind, "tools") &&
		 !str_eq(kind, "roots") && !str_eq(kind, "archives") && !str_eq(kind, "indexes"))
		err_usage(&e, "unknown kind '%s'; there are trees, tools, roots, archives, "
			  "indexes", kind);
	else if (size == UINT64_MAX && !age && !everything)
		err_usage(&e, "say what may go: --max-size, --max-age or --everything");
	if (e.errnum || cache_prune(kind, everything ? 0 : size, (int64_t)(age / 1000), &bytes,
				    &count, &e))
		return cmd_fail(&e);

	cleanup_free char *text = format_size(bytes);

	printf("%zu removed, %s\n", count, text);
	return EXIT_OK;
}

int cmd_cache(int argc, char **argv)
{
	static const struct subcommand table[] = {
		{ "list", cmd_list, "lists what is there" },
		{ "prune", cmd_prune, "makes it smaller" },
		{ NULL, NULL, NULL },
	};

	return cmd_dispatch("umlcage cache", "Looks after the cache of packages, indexes and "
			    "finished trees.", table, argc, argv);
}
