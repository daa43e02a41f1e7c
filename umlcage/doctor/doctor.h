/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host offers to a cage: every feature is tried, not looked up, since what
 * counts is what this user may do here, under whatever filter or limit he is.
 */
#ifndef UMLCAGE_DOCTOR_DOCTOR_H
#define UMLCAGE_DOCTOR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum doctor_state {
	DOCTOR_OK,
	DOCTOR_WARN,	/* works, with the limit that the meaning names */
	DOCTOR_FAIL,	/* a cage cannot run, or the kernel it needs cannot be built */
	DOCTOR_STATES,
};

struct doctor_check {
	const char *name;	/* one word, stable: part of the JSON output */
	enum doctor_state state;
	char *found;		/* what was found, short */
	char *meaning;		/* what that means for the user, and what to do about it */
};

struct doctor_report {
	struct doctor_check *v;
	size_t n;
	bool usable;		/* no check failed */
};

#define DOCTOR_REPORT_INIT { NULL, 0, true }

/*
 * Tries everything (some ten milliseconds; a few short-lived children).  With
 * @have_kernel a kernel is built already and what builds one is only recommended.
 */
void doctor_examine(struct doctor_report *report, bool have_kernel);
void doctor_release(struct doctor_report *report);

/* "ok", "warn", "fail" */
const char *doctor_state_name(enum doctor_state state);

/* For the probes: adds a finding; takes both malloc'ed texts. */
void doctor_add(struct doctor_report *report, const char *name, enum doctor_state state,
		char *found, char *meaning);
/* The probes, by what they look at. */
void doctor_probe_system_calls(struct doctor_report *report);
void doctor_probe_limits(struct doctor_report *report);
void doctor_probe_folders(struct doctor_report *report, bool have_kernel);
void doctor_probe_tools(struct doctor_report *report, bool have_kernel);

#endif
