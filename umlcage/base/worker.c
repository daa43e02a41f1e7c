// SPDX-License-Identifier: GPL-2.0-or-later
/* Confined work in a process of its own: see worker.h. */
#include "umlcage/base/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"

enum { MAX_FDS = 4096, MAX_TEXT = 4096, MAX_WORDS = 1 << 20 };

static const char warning[] = "umlcage: warning: ";	/* as progress_warn() begins */

/* What comes through the pipe first; the error's text and the result follow. */
struct header {
	uint64_t magic;
	int32_t ret;		/* of work() */
	uint32_t kind;
	uint32_t lacks;		/* of confine_enter() */
	uint32_t text_len;
	uint64_t result_len;
};

static const uint64_t magic = 0x726f776567616375;

/* ---- the worker ---- */

static int compare_fds(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x - *y;
}

/* Closes all but 0 to 2 and what it was given. */
static void close_others(const struct worker *w)
{
	size_t npaths = w->confine->npaths, n = 0;
	cleanup_free int *keep = xcalloc(w->nfds + npaths + 1, sizeof(int));
	unsigned int next = 3;

	for (size_t i = 0; i < w->nfds; i++)
		keep[n++] = w->fds[i];
	for (size_t i = 0; i < npaths; i++)
		keep[n++] = w->confine->paths[i].fd;
	qsort(keep, n, sizeof(int), compare_fds);
	for (size_t i = 0; i < n; i++) {
		unsigned int fd = (unsigned int)keep[i];

		if (fd > next)
			(void)syscall(SYS_close_range, next, fd - 1, 0);
		if (fd >= next)
			next = fd + 1;
	}
	(void)syscall(SYS_close_range, next, ~0U, 0);
}

static void default_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What ends programs from a terminal is for who started it: see worker_stop(). */
static void ignore_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaction(signals[i], &ignore, NULL);
}

/* Its input is empty, its output the result, its errors what a library says last. */
static int place_fds(int out, int err)
{
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		return -errno;
	return 0;
}

/* How it went, in one piece, with the result if there is one. */
static int say_result(int ret, int lacks, const struct strbuf *result, const struct error *e)
{
	cleanup_strbuf struct strbuf all = STRBUF_INIT;
	const char *text = e->errnum ? err_text(e) : "";
	struct header h = {
		.magic = magic, .ret = ret, .kind = (uint32_t)e->kind, .lacks = (uint32_t)lacks,
		.text_len = (uint32_t)strnlen(text, MAX_TEXT),
		.result_len = ret < 0 ? 0 : result->len,
	};

	sb_add(&all, &h, sizeof(h));
	sb_add(&all, text, h.text_len);
	if (h.result_len)
		sb_add(&all, result->s, result->len);
	return write_full(1, all.s, all.len);
}

static void __attribute__((noreturn)) child(const struct worker *w, bool stays, pid_t parent, int out,
					    int err)
{
	struct strbuf result = STRBUF_INIT;
	struct error e = ERROR_INIT;
	int ret;

	default_signals();
	if (stays)
		ignore_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || place_fds(out, err) < 0)
		_exit(1);
	close_others(w);
	if (w->progress)	/* only warnings, as progress_warn() writes them */
		*w->progress = (struct progress){ .fd = 2, .verbosity = -1 };
	if (w->prepare)
		w->prepare(w->arg);
	ret = confine_enter(w->confine, &e);

	int lacks = ret < 0 ? 0 : ret;

	if (ret < 0 || stays) {
		int said = say_result(ret < 0 ? ret : 0, lacks, &result, &e);

		if (ret < 0 || said < 0)
			_exit(said < 0);
	}
	ret = w->work(w->arg, &result, &e);
	_exit(!stays && say_result(ret, lacks, &result, &e) < 0);
}

/* ---- the one who asked ---- */

struct talk {
	pid_t pid;
	int out, err;
	struct strbuf said, words;
	size_t told;		/* of the words, those that have been looked at */
	bool too_much;
};

/* Reads what there is: false at the end. */
static bool read_some(int fd, struct strbuf *sb, size_t max, bool *too_much)
{
	ssize_t got = read(fd, sb_reserve(sb, 65536), 65536);

	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	sb->len += (size_t)got;
	sb->s[sb->len] = '\0';
	if (sb->len > max) {
		if (too_much)
			*too_much = true;
		sb->len = max;
		sb->s[max] = '\0';
	}
	return got > 0;
}

/* Passes its warnings on. */
static void relay(const struct worker *w, struct talk *t)
{
	const char *end;

	while (t->words.len > t->told &&
	       (end = memchr(t->words.s + t->told, '\n', t->words.len - t->told))) {
		const char *start = t->words.s + t->told;
		cleanup_free char *line = xstrndup(start, (size_t)(end - start));

		t->told = (size_t)(end + 1 - t->words.s);
		str_make_printable(line);
		if (str_starts(line, warning))
			progress_warn(w->progress, "%s", line + sizeof(warning) - 1);
	}
}

/* Until it has closed both. */
static int listen_to(const struct worker *w, struct talk *t, size_t max)
{
	struct pollfd p[2] = { { t->out, POLLIN, 0 }, { t->err, POLLIN, 0 } };
	struct patience patience = { 0 };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (interrupted())
			return -EINTR;
		if (patience_look(&patience, t->pid, w->patience) == PATIENCE_SLEPT)
			return -ETIMEDOUT;
		if (t->too_much)
			return 0;
		/* a signal that came just before is seen a little later */
		if (poll(p, 2, 200) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents && !read_some(p[0].fd, &t->said, max, &t->too_much))
			p[0].fd = -1;
		if (p[1].revents && !read_some(p[1].fd, &t->words, MAX_WORDS, NULL))
			p[1].fd = -1;
		relay(w, t);
		if (w->tick)
			w->tick(w->arg);
		p[0].revents = p[1].revents = 0;
	}
	return 0;
}

/* Printable, one line, the last that says something. */
static char *last_words(const struct strbuf *words)
{
	cleanup_strv struct strv lines = STRV_INIT;
	char *last;

	strv_split(&lines, sb_str(words), "\r\n");
	while (lines.n && str_starts(lines.v[lines.n - 1], warning))
		free_ptr(&lines.v[--lines.n]);
	last = xstrdup(lines.n ? lines.v[lines.n - 1] : "");
	str_make_printable(last);
	last[strnlen(last, 200)] = '\0';
	return last;
}

static int died(const struct worker *w, const struct strbuf *words, int status, struct error *e)
{
	cleanup_free char *last = last_words(words), *how = proc_status_text(status);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		err_set(e, EBADMSG, "cannot %s: it took more than %u s of computing", w->what,
			w->confine->cpu_seconds);
	else
		err_set(e, EBADMSG, "cannot %s: the process for it ended early (%s)%s%s", w->what,
			how, *last ? ", saying: " : "", last);
	return -EBADMSG;
}

static int too_slow(const struct worker *w, enum patience_end end, struct error *e)
{
	return end == PATIENCE_COMPUTED ?
		err_set(e, EBADMSG, "cannot %s: it took more than %u s of computing", w->what,
			w->patience) :
		err_set(e, EBADMSG, "cannot %s: the process for it slept for %u s instead of "
			"answering", w->what, w->patience);
}

static void warn_of(const struct worker *w, uint32_t lacks)
{
	/* either is enough for one that may open nothing by name */
	if (lacks & CONFINE_NO_FILTER)
		progress_warn(w->progress, "this host has no system call filters: what is to %s "
			      "could do more than that", w->what);
	else if ((lacks & CONFINE_NO_LANDLOCK) && w->confine->npaths)
		progress_warn(w->progress, "this host has no Landlock: what is to %s could open "
			      "other files that you can", w->what);
}

/* Its header, a text and the result: 0, or the error that it had. */
static int take_result(const struct worker *w, const char *said, size_t len, struct strbuf *result,
		       struct error *e)
{
	struct header h = { 0 };

	if (len >= sizeof(h))
		memcpy(&h, said, sizeof(h));
	if (h.magic != magic || h.text_len > MAX_TEXT || h.text_len > len - sizeof(h) ||
	    h.result_len != len - sizeof(h) - h.text_len || h.ret > 0 || h.kind > ERR_OTHER)
		return err_set(e, EBADMSG, "cannot %s: the process for it did not answer as it "
			       "should", w->what);
	warn_of(w, h.lacks);
	if (h.ret < 0) {
		cleanup_free char *text = xstrndup(said + sizeof(h), h.text_len);

		err_set(e, -h.ret, "%s", text);
		if (e)
			e->kind = (enum error_kind)h.kind;
	} else if (result) {
		sb_add(result, said + sizeof(h) + h.text_len, h.result_len);
	}
	return h.ret;
}

static int understand(const struct worker *w, struct talk *t, int status, struct strbuf *result,
		      struct error *e)
{
	if (t->too_much)
		return err_set(e, EBADMSG, "cannot %s: the result is larger than %zu bytes", w->what,
			       w->max_result);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return died(w, &t->words, status, e);
	return take_result(w, t->said.s, t->said.len, result, e);
}

/* Starts it, with @out and @err on this side. */
static int start(const struct worker *w, bool stays, pid_t *pid, int *out, int *err, struct error *e)
{
	int o[2], r[2], errnum;
	pid_t parent = getpid();

	if ((stays ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, o) :
		     pipe2(o, O_CLOEXEC)) < 0)
		return err_sys(e, errno, "cannot %s: pipe", w->what);
	if (pipe2(r, O_CLOEXEC) < 0) {
		errnum = errno;
		close(o[0]);
		close(o[1]);
		return err_sys(e, errnum, "cannot %s: pipe", w->what);
	}
	*pid = fork();
	if (*pid == 0)
		child(w, stays, parent, o[1], r[1]);
	errnum = errno;
	close(o[1]);
	close(r[1]);
	*out = o[0];
	*err = r[0];
	return *pid < 0 ? err_sys(e, errnum, "cannot %s: fork", w->what) : 0;
}

int worker_run(const struct worker *w, struct strbuf *result, struct error *e)
{
	struct talk t = { .pid = -1, .out = -1, .err = -1 };
	int status = 0, ret;

	if (w->nfds > MAX_FDS)
		return err_set(e, E2BIG, "cannot %s: more than %d files", w->what, MAX_FDS);
	ret = start(w, false, &t.pid, &t.out, &t.err, e);
	if (ret == 0) {
		ret = listen_to(w, &t, sizeof(struct header) + MAX_TEXT + w->max_result);
		if (ret < 0 || t.too_much)
			(void)kill(t.pid, SIGKILL);
		if (ret == -EINTR)
			err_set(e, EINTR, "interrupted");
		else if (ret == -ETIMEDOUT)
			ret = too_slow(w, PATIENCE_SLEPT, e);
		else if (ret < 0)
			err_sys(e, -ret, "cannot %s", w->what);
		if (proc_wait(t.pid, &status, ret == 0 ? e : NULL) < 0 && ret == 0)
			ret = -ECHILD;
	}
	if (ret == 0)
		ret = understand(w, &t, status, result, e);
	close_fd(&t.out);
	close_fd(&t.err);
	sb_release(&t.said);
	sb_release(&t.words);
	return ret;
}

/* ---- one that stays ---- */

int worker_start(const struct worker *w, struct worker_peer *p, struct error *e)
{
	/* a signal that came just before is seen a little later */
	const struct timeval often = { .tv_usec = 200000 };
	int ret;

	*p = (struct worker_peer)WORKER_PEER_INIT;
	p->w = w;
	if (w->nfds > MAX_FDS)
		return err_set(e, E2BIG, "cannot %s: more than %d files", w->what, MAX_FDS);
	ret = start(w, true, &p->pid, &p->fd, &p->words, e);
	if (ret == 0 && (setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &often, sizeof(often)) < 0 ||
			 setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &often, sizeof(often)) < 0)) {
		ret = err_sys(e, errno, "cannot %s: socket", w->what);
		worker_stop(p);
	}
	if (ret < 0) {
		close_fd(&p->fd);
		close_fd(&p->words);
	}
	return ret;
}

void worker_stop(struct worker_peer *p)
{
	int status;

	close_fd(&p->fd);
	close_fd(&p->words);
	if (p->pid <= 0)
		return;
	(void)kill(p->pid, SIGKILL);
	(void)proc_wait(p->pid, &status, NULL);
	p->pid = -1;
}

/* It has gone, or closed its end, which is as much. */
static int bury(struct worker_peer *p, struct error *e)
{
	cleanup_strbuf struct strbuf words = STRBUF_INIT;
	int status = 0;

	close_fd(&p->fd);
	/* it may be about to end, and to say why */
	for (int tries = 0; tries < 100; tries++) {
		struct pollfd end = { p->words, POLLIN, 0 };

		if (poll(&end, 1, 100) > 0 && !read_some(p->words, &words, MAX_WORDS, NULL))
			break;
	}
	(void)kill(p->pid, SIGKILL);
	(void)proc_wait(p->pid, &status, NULL);
	p->pid = -1;
	close_fd(&p->words);
	return died(p->w, &words, status, e);
}

/* The socket was not ready in time, or something else than that: 0 to try again. */
static int again(struct worker_peer *p, int errnum, struct error *e)
{
	enum patience_end end;

	if (errnum == EPIPE || errnum == ECONNRESET)
		return bury(p, e);
	if (errnum != EINTR && errnum != EAGAIN)
		return err_sys(e, errnum, "cannot %s", p->w->what);
	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	if (p->w->stop && atomic_load(p->w->stop))
		return err_set(e, ECANCELED, "cannot %s: given up", p->w->what);
	end = patience_look(&p->patience, p->pid, p->w->patience);
	if (end == PATIENCE_LEFT)
		return 0;
	worker_stop(p);
	return too_slow(p->w, end, e);
}

static int gone(const struct worker_peer *p, struct error *e)
{
	return err_set(e, ESRCH, "cannot %s: the process for it has ended", p->w->what);
}

int worker_tell(struct worker_peer *p, const void *data, size_t len, int fd, struct error *e)
{
	int ret;

	if (p->fd < 0)
		return gone(p, e);
	while ((ret = send_fd(p->fd, data, len, fd)) < 0) {
		ret = again(p, -ret, e);
		if (ret < 0)
			return ret;
	}
	return 0;
}

ssize_t worker_hear(struct worker_peer *p, void *buf, size_t len, struct error *e)
{
	if (p->fd < 0)
		return gone(p, e);
	for (;;) {
		ssize_t got = recv(p->fd, buf, len, MSG_TRUNC);
		int ret;

		if (got > 0 && (size_t)got <= len) {
			p->patience = (struct patience){ 0 };
			return got;
		}
		if (got > 0)
			return err_set(e, EBADMSG, "cannot %s: the process for it did not answer "
				       "as it should", p->w->what);
		ret = got == 0 ? bury(p, e) : again(p, errno, e);
		if (ret < 0)
			return ret;
	}
}

int worker_ready(struct worker_peer *p, struct error *e)
{
	char said[sizeof(struct header) + MAX_TEXT];
	ssize_t got = worker_hear(p, said, sizeof(said), e);

	return got < 0 ? (int)got : take_result(p->w, said, (size_t)got, NULL, e);
}

ssize_t worker_asked(void *buf, size_t len, int *fd)
{
	ssize_t n;

	do
		n = receive_fd(WORKER_SOCKET, buf, len, 0, fd);
	while (n == -EINTR);
	return n;
}

int worker_say(const void *data, size_t len)
{
	return write_full(WORKER_SOCKET, data, len);
}

/* ---- records ---- */

enum { NO_STRING = 0xffffffff };

void put_u64(struct strbuf *sb, uint64_t v)
{
	sb_add(sb, &v, sizeof(v));
}

void put_str(struct strbuf *sb, const char *s)
{
	uint64_t len = s ? strlen(s) : NO_STRING;

	put_u64(sb, len);
	if (s)
		sb_add(sb, s, len);
}

bool take_u64(struct taker *t, uint64_t max, uint64_t *v)
{
	*v = 0;
	if (t->bad || (size_t)(t->end - t->at) < sizeof(*v)) {
		t->bad = true;
		return false;
	}
	memcpy(v, t->at, sizeof(*v));
	t->at += sizeof(*v);
	if (*v > max)
		t->bad = true;
	if (t->bad)
		*v = 0;
	return !t->bad;
}

bool take_str(struct taker *t, size_t max, bool needed, char **s)
{
	uint64_t len;

	*s = NULL;
	if (!take_u64(t, NO_STRING, &len))
		return false;
	if (len == NO_STRING && !needed)
		return true;
	if (len > max || len > (uint64_t)(t->end - t->at) || memchr(t->at, '\0', len) ||
	    memchr(t->at, '\n', len) ||
	    (len && (strchr(" \t\r", t->at[0]) || strchr(" \t\r", t->at[len - 1])))) {
		t->bad = true;
		return false;
	}
	*s = xstrndup(t->at, len);
	t->at += len;
	return true;
}
