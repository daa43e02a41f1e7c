// SPDX-License-Identifier: GPL-2.0-or-later
/* The beginning and the end of a session: its name, its socket, its record.  See session.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/session/private.h"

enum { BACKLOG = 128 };

static int listen_at(struct session *s, struct error *e)
{
	struct sockaddr_un sun;
	cleanup_close int dir = -1;
	int ret = session_address(s->name, &sun, &dir, e);

	if (ret < 0)
		return ret;
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0)
		return err_sys(e, errno, "cannot make the session's socket");
	/* whose socket is there is dead: we have the lock */
	(void)unlink(sun.sun_path);
	if (bind(s->listener, (const void *)&sun, sizeof(sun)) < 0 || listen(s->listener, BACKLOG) < 0)
		return err_sys(e, errno, "cannot listen on the session's socket");
	return 0;
}

static int take_lock(struct session *s, struct error *e)
{
	s->lock = session_lock(s->name, e);
	if (s->lock != -EWOULDBLOCK)
		return s->lock < 0 ? s->lock : 0;
	err_release(e);
	return err_set(e, EEXIST, "there is a session '%s' already; choose another name, or end it with "
		       "'umlcage session stop %s'", s->name, s->name);
}

int session_claim(struct session *s, const char *name, const struct session_record *record,
		  struct error *e)
{
	cleanup_session_record struct session_record old = SESSION_RECORD_INIT;
	cleanup_free char *log = NULL;
	int ret = session_check_name(name, e);

	*s = (struct session){ .name = xstrdup(name), .lock = -1, .listener = -1, .log = -1 };
	if (ret == 0)
		ret = take_lock(s, e);
	if (ret < 0)
		return ret;
	s->lost = session_read_record(name, &old, NULL) == 0;
	session_remove(name);
	/* first what says that there is one, for whoever finds the rest */
	ret = session_write_record(name, &record->words, e);
	if (ret == 0)
		ret = listen_at(s, e);
	if (ret == 0)
		ret = session_log_path(name, &log, e);
	if (ret < 0 || !log)
		return ret;
	s->log = open(log, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	return s->log < 0 ? err_sys(e, errno, "cannot make the log '%s'", log) : 0;
}

int session_note(const struct session *s, const struct session_record *record, struct error *e)
{
	return session_write_record(s->name, &record->words, e);
}

void session_end(struct session *s, const char *why)
{
	cleanup_session_record struct session_record r = SESSION_RECORD_INIT;

	if (s->name && s->lock >= 0 && !why) {
		session_remove(s->name);
		session_unlock(s->name, &s->lock);
	} else if (s->name && s->lock >= 0 && session_read_record(s->name, &r, NULL) == 0) {
		strv_addf(&r.words, "end=%s", why);
		(void)session_write_record(s->name, &r.words, NULL);
	}
	close_fd(&s->listener);
	close_fd(&s->log);
	close_fd(&s->lock);
	free_ptr(&s->name);
}
