// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage session start --at-login: sessions that the user's systemd starts, and their end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/cmd/session.h"
#include "umlcage/cmd/units.h"

/* A path as systemd takes it, without quotes. */
static void add_path(struct strbuf *sb, const char *path)
{
	for (; *path; path++) {
		if (*path == '%')
			sb_addc(sb, '%');
		sb_addc(sb, *path);
	}
}

static int unit_text(const char *name, const struct strv *words, struct strbuf *out, struct error *e)
{
	cleanup_free char *program = NULL, *folder = getcwd(NULL, 0);
	int ret = unit_program(&program, e);

	if (ret < 0)
		return ret;
	/* what has been started stays with the unit, which ends it */
	sb_addf(out, "[Unit]\nDescription=umlcage session %s\n\n", name);
	sb_adds(out, "[Service]\nType=oneshot\nRemainAfterExit=yes\nWorkingDirectory=");
	add_path(out, folder ? folder : "/");
	sb_adds(out, "\nExecStart=");
	unit_add_word(out, program);
	sb_adds(out, " session start");
	for (size_t i = 0; i < words->n; i++) {
		if (strchr(words->v[i], '\n'))
			return err_usage(e, "--at-login: a newline in an argument is too much for systemd");
		if (!str_eq(words->v[i], "--at-login"))
			unit_add_word(out, words->v[i]);
	}
	sb_adds(out, "\nExecStop=");
	unit_add_word(out, program);
	sb_addf(out, " session stop %s\n\n[Install]\nWantedBy=default.target\n", name);
	return 0;
}

int session_at_login(const char *name, const struct strv *words, struct error *e)
{
	cleanup_free char *unit = xasprintf("umlcage-session-%s.service", name), *path = NULL;
	cleanup_strbuf struct strbuf text = STRBUF_INIT;
	cleanup_close int lives = -1;
	int ret = session_check_name(name, e);

	/* in a file of settings it would have the unit write itself */
	if (ret == 0 && !strv_has(words, "--at-login"))
		ret = err_usage(e, "--at-login is for the command line, in full");
	if (ret == 0)
		ret = unit_text(name, words, &text, e);
	if (ret == 0)
		ret = unit_path(unit, &path, e);
	if (ret == 0)
		ret = unit_write(unit, "", sb_str(&text), e);
	if (ret < 0 || !path)
		return ret;
	lives = session_connect(name, NULL);
	if (unit_systemctl("daemon-reload", NULL, NULL) == 0 &&
	    (lives < 0 ? unit_systemctl("enable", "--now", unit) :
			 unit_systemctl("enable", unit, NULL)) == 0) {
		fprintf(stderr, "umlcage: the session '%s' is started at login; 'loginctl enable-linger' "
			"starts it with the machine\n", name);
		return 0;
	}
	(void)unit_systemctl("disable", unit, NULL);
	(void)unlink(path);
	(void)unit_systemctl("daemon-reload", NULL, NULL);
	err_set(e, EIO, "systemd does not take the unit '%s'", unit);
	/* of no disk */
	(void)err_mark(e, ERR_OTHER);
	return err_hint(e, "'journalctl --user -u %s' says why, unless this user has no systemd", unit);
}

int session_not_at_login(const char *name, struct error *e)
{
	cleanup_free char *unit = xasprintf("umlcage-session-%s.service", name), *path = NULL;
	int ret = session_check_name(name, e);

	if (ret == 0)
		ret = unit_path(unit, &path, e);
	if (ret < 0 || !path)
		return ret;
	if (access(path, F_OK) < 0)
		return err_set(e, ENOENT, "the session '%s' is not started at login", name);
	(void)unit_systemctl("disable", "--now", unit);
	if (unlink(path) < 0)
		return err_sys(e, errno, "cannot remove '%s'", path);
	(void)unit_systemctl("daemon-reload", NULL, NULL);
	return 0;
}
