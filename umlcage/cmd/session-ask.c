// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage session pause, resume, publish, unpublish: requests whose answer is that it is done. */
#include <stdio.h>

#include "umlcage/base/fd.h"
#include "umlcage/cmd/session.h"

int session_request(const char *name, const char *verb, const char *word, struct strv *answer,
		    struct error *e)
{
	cleanup_strv struct strv words = STRV_INIT;
	cleanup_close int fd = session_connect(name, e);

	strv_add(&words, verb);
	if (word)
		strv_add(&words, word);
	return fd < 0 ? fd : session_ask(fd, &words, answer, e);
}

static const struct opt_spec pause_spec = {
	.usage = "umlcage session pause NAME",
	.summary = "Stops every process of a session where it is, until 'session resume'.",
}, resume_spec = {
	.usage = "umlcage session resume NAME",
	.summary = "Lets a paused session go on.",
}, publish_spec = {
	.usage = "umlcage session publish NAME [ADDR:]HOSTPORT:GUESTPORT[/udp]",
	.summary = "Lets the host reach a port of the session from now on.",
}, unpublish_spec = {
	.usage = "umlcage session unpublish NAME [ADDR:]HOSTPORT:GUESTPORT[/udp]",
	.summary = "Takes a published port back; connections that there are go on.",
};

static int run_plain(const struct command *self, int argc, char **argv)
{
	cleanup_strv struct strv answer = STRV_INIT;
	struct error e = ERROR_INIT;
	const char *name;
	int status = cmd_parse(self->spec, NULL, &argc, &argv);

	if (status < 0)
		status = session_operand(argc, argv, &name);
	if (status < 0)
		status = session_request(name, self->name, NULL, &answer, &e) < 0 ? cmd_fail(&e) : EXIT_OK;
	return status;
}

static int run_publish(const struct command *self, int argc, char **argv)
{
	cleanup_strv struct strv answer = STRV_INIT;
	cleanup_free char *word = NULL;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, NULL, &argc, &argv), ret;

	if (status >= 0)
		return status;
	if (argc != 2) {
		err_usage(&e, "give the NAME of a session and a port; see 'umlcage session %s --help'",
			  self->name);
		return cmd_fail(&e);
	}
	word = xasprintf("port=%s", argv[1]);
	ret = session_request(argv[0], self->name, word, &answer, &e);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

const struct command command_session_pause = {
	"pause", "stops a session where it is", &pause_spec, run_plain, NULL, NULL,
}, command_session_resume = {
	"resume", "lets a paused session go on", &resume_spec, run_plain, NULL, NULL,
}, command_session_publish = {
	"publish", "lets the host reach a port of a session", &publish_spec, run_publish, NULL, NULL,
}, command_session_unpublish = {
	"unpublish", "takes a published port back", &unpublish_spec, run_publish, NULL, NULL,
};
