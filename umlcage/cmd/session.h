/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of sessions share: see umlcage/session/session.h for what one is. */
#ifndef UMLCAGE_CMD_SESSION_H
#define UMLCAGE_CMD_SESSION_H

#include "umlcage/cmd/boot.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/guest.h"
#include "umlcage/session/session.h"

struct session_options {
	struct boot_options boot;
	uint64_t idle_timeout;	/* milliseconds; 0: none */
	bool at_login;
};

#define SESSION_OPTIONS_INIT { .boot = BOOT_OPTIONS_INIT }

/*
 * Starts the session @name in a process of its own, which this one does not wait for once it
 * serves.  @verb ("session start" or "run") and @words: the command line that does the same again.
 * 0; 1: it cannot be had, and it was said why; -errno.
 */
int session_launch(const char *name, const struct session_options *o, const char *verb,
		   const struct strv *words, struct error *e);
/*
 * The command @argv in the session behind @fd (closed), with this process's stdio; the exit status
 * of the program, @failure when umlcage fails.  @m: the variables of its environment.  @keys: that
 * leave it, characters; NULL: none do.  @detach: begin without any, print
 * its number, and wait no longer.
 */
int session_command(int fd, const char *session, const struct guest_options *o, const struct machine *m,
		    char *const *argv, const char *keys, bool detach, int failure, bool quiet);
/*
 * What is common to commands that take the NAME of a session and nothing else: the status to
 * return, or -1 with *@name.
 */
int session_operand(int argc, char **argv, const char **name);

/* One request, "VERB" and at most one word more, and its answer. */
int session_request(const char *name, const char *verb, const char *word, struct strv *answer,
		    struct error *e);

/* Asks for the end ("stop"), or waits for it ("wait"); -EIO if it did not end well. */
int session_until_end(const char *name, const char *verb, struct error *e);
/*
 * Starts a session again as its record says; with the disk of @snapshot ("SESSION/NAME") if that is
 * not NULL.  An exit status, or -errno.
 */
int session_again(const struct session_record *r, const char *snapshot, struct error *e);

/* Has the user's systemd start it with these words, now and at login; or no more, ending it. */
int session_at_login(const char *name, const struct strv *words, struct error *e);
int session_not_at_login(const char *name, struct error *e);

enum session_stream_kind {
	SESSION_STREAM_IN, SESSION_STREAM_OUT,	/* @end writes to the command, or reads from it */
	SESSION_STREAM_CHANGES,			/* out, and it runs in the layer of changes */
};
/*
 * Joins a command in the session with @end here, a process of its own, which returns 0 or -errno.
 * 0; 1: one of them failed and has said why; -errno.
 */
int session_stream(const char *session, char *const *words, enum session_stream_kind kind,
		   int (*end)(int fd, void *arg, struct error *e), void *arg, struct error *e);

extern const struct command command_session_start, command_session_exec, command_session_shell,
	command_session_copy, command_session_commit, command_session_logs, command_session_stop,
	command_session_kill, command_session_wait, command_session_pause, command_session_resume,
	command_session_publish, command_session_unpublish, command_session_recover,
	command_session_remove, command_session_top, command_session_snapshot,
	command_session_snapshots, command_session_restore, command_session_attach,
	command_session_console;

#endif
