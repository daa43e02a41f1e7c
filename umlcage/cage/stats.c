// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel of a cage counts: see stats.h. */
#include "umlcage/cage/stats.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"

/* As os-Linux/stats.c of the kernel has it. */
struct record {
	char name[24];
	uint64_t value;
};

enum { STATS_SIZE = 4096, RECORDS = STATS_SIZE / sizeof(struct record) };

int stats_open(struct error *e)
{
	static const char nothing[STATS_SIZE];

	return memfd_with("stats", nothing, sizeof(nothing), e);
}

static bool is_name(const struct record *r)
{
	size_t len = strnlen(r->name, sizeof(r->name));

	return len > 0 && len < sizeof(r->name) &&
	       strspn(r->name, "abcdefghijklmnopqrstuvwxyz_0123456789") == len;
}

void stats_text(int fd, bool json, struct strbuf *out)
{
	struct record records[RECORDS];
	size_t n = 0;

	if (pread(fd, records, sizeof(records), 0) == sizeof(records))
		while (n < RECORDS && is_name(&records[n]))
			n++;
	if (json)
		sb_addc(out, '{');
	else if (n == 0)
		sb_adds(out, "the kernel has counted nothing: it is one that cannot\n");
	for (size_t i = 0; i < n; i++)
		sb_addf(out, json ? "%s\"%s\":%" PRIu64 : "%s%-20s %15" PRIu64 "\n",
			json && i ? "," : "", records[i].name, records[i].value);
	if (json)
		sb_adds(out, "}\n");
}
