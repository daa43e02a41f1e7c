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
#include <sys/syscall.h>
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

/* Its input is empty, its output the result, its errors what a library says last. */
static int place_fds(int out, int err)
{
	cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		return -errno;
	return 0;
}

static void __attribute__((noreturn)) answer(int ret, int lacks, const struct strbuf *result,
					     const struct error *e)
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
	ret = write_full(1, all.s, all.len);
	_exit(ret < 0);
}

static void __attribute__((noreturn)) child(const struct worker *w, pid_t parent, int out, int err)
{
	struct strbuf result = STRBUF_INIT;
	struct error e = ERROR_INIT;
	int ret;

	default_signals();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || place_fds(out, err) < 0)
		_exit(1);
	close_others(w);
	if (w->progress)	/* only warnings, as progress_warn() writes them */
		*w->progress = (struct progress){ .fd = 2, .verbosity = -1 };
	if (w->prepare)
		w->prepare(w->arg);
	ret = confine_enter(w->confine, &e);
	if (ret < 0)
		answer(ret, 0, &result, &e);

	int lacks = ret;

	ret = w->work(w->arg, &result, &e);
	answer(ret, lacks, &result, &e);
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

/* Nothing that a terminal would obey. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
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
		make_printable(line);
		if (str_starts(line, warning))
			progress_warn(w->progress, "%s", line + sizeof(warning) - 1);
	}
}

/* Until it has closed both. */
static int listen_to(const struct worker *w, struct talk *t, size_t max)
{
	struct pollfd p[2] = { { t->out, POLLIN, 0 }, { t->err, POLLIN, 0 } };

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (interrupted())
			return -EINTR;
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
	make_printable(last);
	last[strnlen(last, 200)] = '\0';
	return last;
}

static int died(const struct worker *w, const struct talk *t, int status, struct error *e)
{
	cleanup_free char *words = last_words(&t->words), *how = proc_status_text(status);

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		err_set(e, EBADMSG, "cannot %s: it took more than %u s of computing", w->what,
			w->confine->cpu_seconds);
	else
		err_set(e, EBADMSG, "cannot %s: the process for it ended early (%s)%s%s", w->what,
			how, *words ? ", saying: " : "", words);
	return -EBADMSG;
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

static int understand(const struct worker *w, struct talk *t, int status, struct strbuf *result,
		      struct error *e)
{
	const struct header *h = (const void *)t->said.s;

	if (t->too_much)
		return err_set(e, EBADMSG, "cannot %s: the result is larger than %zu bytes", w->what,
			       w->max_result);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return died(w, t, status, e);
	if (t->said.len < sizeof(*h) || h->magic != magic || h->text_len > MAX_TEXT ||
	    h->result_len != t->said.len - sizeof(*h) - h->text_len || h->ret > 0 || h->kind > ERR_OTHER)
		return err_set(e, EBADMSG, "cannot %s: the process for it did not answer as it "
			       "should", w->what);
	warn_of(w, h->lacks);
	if (h->ret < 0) {
		cleanup_free char *text = xstrndup(t->said.s + sizeof(*h), h->text_len);

		err_set(e, -h->ret, "%s", text);
		if (e)
			e->kind = (enum error_kind)h->kind;
		return h->ret;
	}
	sb_add(result, t->said.s + sizeof(*h) + h->text_len, h->result_len);
	return 0;
}

static int start(const struct worker *w, struct talk *t, struct error *e)
{
	int out[2], err[2];
	pid_t parent = getpid();

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, errno, "cannot %s: pipe", w->what);
	if (pipe2(err, O_CLOEXEC) < 0) {
		int errnum = errno;

		close(out[0]);
		close(out[1]);
		return err_sys(e, errnum, "cannot %s: pipe", w->what);
	}
	t->pid = fork();
	if (t->pid == 0)
		child(w, parent, out[1], err[1]);

	int errnum = errno;

	close(out[1]);
	close(err[1]);
	t->out = out[0];
	t->err = err[0];
	return t->pid < 0 ? err_sys(e, errnum, "cannot %s: fork", w->what) : 0;
}

int worker_run(const struct worker *w, struct strbuf *result, struct error *e)
{
	struct talk t = { .pid = -1, .out = -1, .err = -1 };
	int status = 0, ret;

	if (w->nfds > MAX_FDS)
		return err_set(e, E2BIG, "cannot %s: more than %d files", w->what, MAX_FDS);
	ret = start(w, &t, e);
	if (ret == 0) {
		ret = listen_to(w, &t, sizeof(struct header) + MAX_TEXT + w->max_result);
		if (ret < 0 || t.too_much)
			(void)kill(t.pid, SIGKILL);
		if (ret == -EINTR)
			err_set(e, EINTR, "interrupted");
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
