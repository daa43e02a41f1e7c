// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage doctor: what this host offers to a cage, and what that means. */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "umlcage/base/str.h"
#include "umlcage/base/xdg.h"
#include "umlcage/doctor/doctor.h"
#include "umlcage/cmd/cmd.h"

static bool have_kernel(void)
{
	cleanup_free char *dir = NULL;

	if (xdg_dir(XDG_CACHE, "kernels", &dir, NULL) < 0)
		return false;

	cleanup_free char *pattern = path_join(dir, "*/linux");
	glob_t found = { 0 };
	bool any = glob(pattern, 0, NULL, &found) == 0;

	globfree(&found);
	return any;
}

static void print_json(const struct doctor_report *r)
{
	cleanup_strbuf struct strbuf out = STRBUF_INIT;

	sb_addf(&out, "{\"usable\":%s,\"checks\":[", r->usable ? "true" : "false");
	for (size_t i = 0; i < r->n; i++) {
		const struct doctor_check *c = &r->v[i];

		sb_addf(&out, "%s{\"name\":\"%s\",\"state\":\"%s\",\"found\":", i ? "," : "",
			c->name, doctor_state_name(c->state));
		sb_json_str(&out, c->found, strlen(c->found));
		sb_adds(&out, ",\"meaning\":");
		sb_json_str(&out, c->meaning, strlen(c->meaning));
		sb_addc(&out, '}');
	}
	sb_adds(&out, "]}");
	puts(sb_str(&out));
}

static void print_text(const struct doctor_report *r, bool all)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct doctor_check *c = &r->v[i];

		printf("%-5s %-15s %s\n", doctor_state_name(c->state), c->name, c->found);
		if (all || c->state != DOCTOR_OK)
			printf("%-5s %-15s   %s\n", "", "", c->meaning);
	}
	puts(r->usable ? "cages can run here" : "cages cannot run here");
}

struct doctor_options {
	bool json, verbose;
};

static const struct opt opts[] = {
	{ OPT_FLAG, 0, "json", NULL, OPT_BOOL(struct doctor_options, json),
	  "one line of JSON: usable, checks[] of name, state, found, meaning" },
	{ OPT_FLAG, 'v', "verbose", NULL, OPT_BOOL(struct doctor_options, verbose),
	  "say what each finding means, also when all is well" },
	OPT_END,
};

static const struct opt_spec spec = {
	.usage = "umlcage doctor [options]",
	.summary = "Tries what a cage needs of this host, and says what the findings mean.\n"
		   "Ends with status 1 if a cage cannot run here.",
	.groups = OPT_GROUPS({ NULL, opts, 0 }),
};

static int run_doctor(const struct command *self, int argc, char **argv)
{
	struct doctor_report report = DOCTOR_REPORT_INIT;
	struct doctor_options o = { 0 };
	int status = cmd_parse(self->spec, &o, &argc, &argv);
	struct error e = ERROR_INIT;

	if (status >= 0)
		return status;
	if (argc) {
		err_usage(&e, "'umlcage doctor' takes no operand, but got '%s'", argv[0]);
		return cmd_fail(&e);
	}
	doctor_examine(&report, have_kernel());
	if (o.json)
		print_json(&report);
	else
		print_text(&report, o.verbose);
	status = report.usable ? EXIT_OK : EXIT_FAILED;
	doctor_release(&report);
	return status;
}

const struct command command_doctor = {
	"doctor", "says what this host offers, and whether a cage can run", &spec, run_doctor,
	NULL, NULL,
};
