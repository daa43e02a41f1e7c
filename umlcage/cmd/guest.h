/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command in a cage, as options and as an exit status: of 'run', 'shell' and sessions. */
#ifndef UMLCAGE_CMD_GUEST_H
#define UMLCAGE_CMD_GUEST_H

#include "umlcage/base/opts.h"
#include "umlcage/cage/cage.h"

struct guest_options {
	const char *user, *workdir;
	uint64_t timeout;	/* milliseconds; 0: none */
	bool tty, no_tty, interactive;
};

extern const struct opt guest_opts[];

#define GUEST_EPILOGUE \
	"exit status: the command's; 128+N when signal N ended it; 124 time limit; 125 umlcage\n" \
	"failed; 126 cannot be run; 127 not found; 2 bad usage"

/* Prints and releases the error; the exit status of commands that run others. */
int guest_fail(struct error *e);
int guest_check(const struct guest_options *o, struct error *e);
bool guest_wants_terminal(const struct guest_options *o);
/*
 * Says on stderr what a command's exit status does not say, and returns the program's status.
 * @memory of its cage in bytes, 0 if unknown.
 */
int guest_report(const struct cage_exit *exit, const struct guest_options *o, uint64_t memory,
		   bool quiet);
struct boot_options;
/* Boots a cage and runs @argv in it, to its end; the exit status of the program. */
int guest_run_to_end(struct boot_options *boot, const struct guest_options *o, char *const *argv);
/* The words of a login shell of whoever runs it. */
char **guest_login_shell(void);
/* The words that have /bin/sh run @line. */
char **guest_shell_line(const char *line);

#endif
