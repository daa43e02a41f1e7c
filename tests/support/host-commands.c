// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many commands in one cage, through the library of cages: see tests/integration/commands.sh.
 *
 *	host-commands KERNEL ROOT TEST [NUMBER]
 *
 * Ends with 0 if TEST holds, otherwise with 1 and the line that does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/fd.h"
#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"

#define must(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

static struct error error = ERROR_INIT;
static struct cage_config config = CAGE_CONFIG_INIT;
static struct cage *cage;
static int number = 100;
static size_t at_start;		/* descriptors of this process, before the first command */

enum { SPARE_STREAMS = 3, SETTLE_MS = 15000 };

static void __attribute__((noreturn)) fail(int line, const char *what)
{
	fprintf(stderr, "line %d: %s does not hold; %s\n", line, what, err_text(&error));
	cage_free(cage);
	exit(1);
}

/* ---- a shell script as a command, its output kept ---- */

struct script {
	struct cage_command *command;
	struct strbuf out, err;
	unsigned int ended;	/* how often it was told */
};

static void keep(int channel, const char *data, size_t len, void *arg)
{
	struct script *s = arg;

	sb_add(channel == 2 ? &s->err : &s->out, data, len);
}

static void count_end(struct cage_command *command, void *arg)
{
	struct script *s = arg;

	must(command == s->command && cage_command_exit(command));
	s->ended++;
}

static void start_limited(struct script *s, uint64_t timeout, const char *text, const char *arg)
{
	const char *argv[] = { "sh", "-c", text, "sh", arg, NULL };
	struct cage_exec what = { .argv = (char *const *)argv, .stdin_fd = -1, .output = keep,
				  .output_arg = s, .timeout = timeout, .ended = count_end,
				  .ended_arg = s };

	*s = (struct script){ 0 };
	must(cage_command_start(&s->command, cage, &what, &error) == 0);
}

static void start(struct script *s, const char *text, const char *arg)
{
	start_limited(s, 0, text, arg);
}

static int status(const struct script *s)
{
	const struct cage_exit *x = cage_command_exit(s->command);

	return x ? x->status : -1;
}

static void release(struct script *s)
{
	cage_command_free(s->command);
	sb_release(&s->out);
	sb_release(&s->err);
}

/* @len bytes, all of them @c */
static bool all(const struct strbuf *sb, size_t len, char c)
{
	size_t i = 0;

	while (i < sb->len && sb->s[i] == c)
		i++;
	return sb->len == len && i == len;
}

static size_t descriptors(void)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_close int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	must(dir_names(fd, &names, &error) == 0);
	return names.n;
}

/* The network stack keeps what this side closed first for 10 s. */
/* As before, but for the streams that the agent keeps connected for the next command. */
static bool as_before(void)
{
	return descriptors() >= at_start && descriptors() <= at_start + SPARE_STREAMS;
}

static bool nothing_left(void)
{
	int64_t until = clock_ms() + SETTLE_MS;

	while (!as_before() && clock_ms() < until)
		must(cage_turn(cage, clock_ms() + 50, &error) == 0);
	if (!as_before())
		fprintf(stderr, "%zu descriptors, %zu before\n", descriptors(), at_start);
	return as_before();
}

/* Descriptors of the agent and processes, as the cage itself counts them. */
static int inside(void)
{
	struct script s;
	int count;

	start(&s, "set -- /proc/1/fd/*; echo $(($# + $(ls -l /proc/[0-9]*/exe 2>/dev/null | "
	      "grep -c -e '->')))", "");
	must(cage_wait(cage, s.command, &error) == 0);
	count = atoi(sb_str(&s.out));
	release(&s);
	return count;
}

/* What has just ended is there for a moment. */
static bool inside_again(int before)
{
	int now = inside();

	for (int64_t until = clock_ms() + SETTLE_MS; now != before && clock_ms() < until;)
		now = inside();
	if (now != before)
		fprintf(stderr, "%d inside, %d before\n", now, before);
	return now == before;
}

/* ---- the tests ---- */

/* Each waits for the other, and both write more than any buffer holds. */
static void two_at_once(void)
{
	static const char text[] =
		"touch /tmp/$1; while [ ! -e /tmp/a ] || [ ! -e /tmp/b ]; do sleep 0.02; done\n"
		"head -c 3000000 /dev/zero | tr '\\0' $1\n"
		"head -c 2000000 /dev/zero | tr '\\0' $1 >&2; [ $1 = a ]";
	struct script a, b;

	start(&a, text, "a");
	start(&b, text, "b");
	must(cage_wait(cage, NULL, &error) == 0);
	must(a.ended == 1 && b.ended == 1);
	must(status(&a) == 0 && status(&b) == 1);
	must(all(&a.out, 3000000, 'a') && all(&a.err, 2000000, 'a'));
	must(all(&b.out, 3000000, 'b') && all(&b.err, 2000000, 'b'));
	release(&a);
	release(&b);
}

static void one_killed(void)
{
	struct script a, b;

	start(&a, "echo up; exec sleep 1000", "");
	start(&b, "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; exit 7", "");
	while (!a.out.len)
		must(cage_turn(cage, INT64_MAX, &error) == 0);
	cage_command_signal(a.command, SIGKILL);
	must(cage_wait(cage, a.command, &error) == 0);
	must(status(&a) == 137 && cage_command_exit(a.command)->signal == SIGKILL);
	must(status(&b) == -1);
	must(cage_wait(cage, b.command, &error) == 0);
	must(status(&b) == 7 && strcmp(sb_str(&b.out), "1\n2\n3\n4\n5\n") == 0);
	release(&a);
	release(&b);
}

static void own_time_limits(void)
{
	struct script a, b, c;

	start_limited(&a, 300, "exec sleep 1000", "");
	start(&b, "sleep 1; echo done", "");
	start(&c, "no-such-command", "");
	must(cage_wait(cage, NULL, &error) == 0);
	must(status(&a) == 124 && cage_command_exit(a.command)->timed_out);
	must(status(&b) == 0 && strcmp(sb_str(&b.out), "done\n") == 0);
	must(status(&c) == 127 && strstr(sb_str(&c.err), "no-such-command"));
	release(&a);
	release(&b);
	release(&c);
}

static void start_numbered(struct script *s, int i)
{
	cleanup_free char *n = xasprintf("%d", i);

	start(s, "echo $1; echo $1 >&2; exit $(($1 % 100))", n);
}

static void end_numbered(struct script *s, int i)
{
	cleanup_free char *want = xasprintf("%d\n", i);

	must(s->ended == 1 && status(s) == i % 100);
	must(strcmp(sb_str(&s->out), want) == 0 && strcmp(sb_str(&s->err), want) == 0);
	release(s);
}

/* Two at a time. */
static void in_a_row(void)
{
	struct script one, two;
	int before_inside, i;
	int64_t began;

	(void)inside();
	before_inside = inside();
	began = clock_ms();
	for (i = 0; i < number; i += 2) {
		start_numbered(&one, i);
		start_numbered(&two, i + 1);
		must(cage_wait(cage, two.command, &error) == 0);
		must(cage_wait(cage, one.command, &error) == 0);
		end_numbered(&one, i);
		end_numbered(&two, i + 1);
	}
	printf("%d commands, %.2f ms each\n", number, (double)(clock_ms() - began) / number);
	must(inside_again(before_inside));
	must(nothing_left());
}

static void all_at_once(void)
{
	struct script *s = xcalloc((size_t)number, sizeof(*s));

	for (int i = 0; i < number; i++) {
		cleanup_free char *n = xasprintf("%d", i);

		start(&s[i], "head -c 20000 /dev/zero; echo $1 >&2; exit $(($1 % 100))", n);
	}
	must(cage_wait(cage, NULL, &error) == 0);
	for (int i = 0; i < number; i++) {
		cleanup_free char *want = xasprintf("%d\n", i);

		must(s[i].ended == 1 && status(&s[i]) == i % 100);
		must(all(&s[i].out, 20000, '\0') && strcmp(sb_str(&s[i].err), want) == 0);
		release(&s[i]);
	}
	free(s);
	must(nothing_left());
}

/* Nothing of a command that nobody wants any more stays, and it learns of it. */
static void freed_while_it_runs(void)
{
	int before_inside;
	struct script s;

	(void)inside();
	before_inside = inside();
	start(&s, "while echo x; do :; done", "");
	while (s.out.len < 100000)
		must(cage_turn(cage, INT64_MAX, &error) == 0);
	release(&s);
	/* before its streams have even arrived */
	start(&s, "while echo x; do :; done", "");
	release(&s);
	must(nothing_left());
	must(inside_again(before_inside));
}

/* ---- a client that hands its descriptors over, as a session's will ---- */

struct client {
	int fd, index;
	struct cage_member *member;
	struct cage_command *command;
	unsigned int served;
};

static void reply(struct cage_command *command, void *arg)
{
	struct client *c = arg;
	int result = cage_command_exit(command)->status;

	must(write_full(c->fd, &result, sizeof(result)) == 0);
	cage_command_free(command);
	c->command = NULL;
	c->served++;
}

/* A command's text with stdin, stdout and stderr. */
static void serve(struct client *c)
{
	char text[256] = "", control[CMSG_SPACE(3 * sizeof(int))];
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	const char *argv[] = { "sh", "-c", text, NULL };
	struct cage_exec what = { .argv = (char *const *)argv, .ended = reply, .ended_arg = c };
	int fds[3];

	if (recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC) <= 0 || !CMSG_FIRSTHDR(&m)) {
		cage_member_remove(c->member);
		close_fd(&c->fd);
		return;
	}
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fds));
	what.stdin_fd = fds[0];
	what.stdout_fd = fds[1];
	what.stderr_fd = fds[2];
	must(cage_command_start(&c->command, cage, &what, &error) == 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void client_fill(struct pollset *ps, void *arg)
{
	struct client *c = arg;

	c->index = pollset_add(ps, c->fd, POLLIN);
}

static int client_dispatch(const struct pollset *ps, void *arg, struct error *e)
{
	struct client *c = arg;

	(void)e;
	if (pollset_revents(ps, c->index))
		serve(c);
	return 0;
}

static int ask(int server, const char *text, const int fds[3])
{
	char control[CMSG_SPACE(3 * sizeof(int))] = "";
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	int result = -1;

	*cm = (struct cmsghdr){ CMSG_LEN(3 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(cm), fds, 3 * sizeof(int));
	if (sendmsg(server, &m, MSG_NOSIGNAL) < 0 ||
	    read_full(server, &result, sizeof(result)) != sizeof(result))
		return -1;
	return result;
}

static void __attribute__((noreturn)) be_client(int server)
{
	int in[2], out[2], none = open("/dev/null", O_RDWR | O_CLOEXEC);
	int nothing[3] = { none, none, none };
	char got[8] = "";
	int64_t began;
	bool good;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		_exit(2);
	good = write(in[1], "abc\n", 4) == 4 &&
	       ask(server, "head -c 4 | tr a-c x-z; exit 9", (int[]){ in[0], out[1], none }) == 9 &&
	       read(out[0], got, sizeof(got)) == 4 && memcmp(got, "xyz\n", 4) == 0;
	began = clock_ms();
	for (int i = 0; good && i < number; i++)
		good = ask(server, "exec true", nothing) == 0;
	printf("%d commands of a client, %.2f ms each\n", number,
	       (double)(clock_ms() - began) / number);
	fflush(stdout);
	_exit(good ? 0 : 3);
}

static void clients(void)
{
	struct client c[2] = { 0 };
	pid_t pids[2];
	int result;

	for (int i = 0; i < 2; i++) {
		int pair[2];

		must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
		pids[i] = fork();
		must(pids[i] >= 0);
		if (pids[i] == 0) {
			close(pair[0]);
			be_client(pair[1]);
		}
		close(pair[1]);
		c[i].fd = pair[0];
		c[i].member = cage_member_add(cage, client_fill, client_dispatch, &c[i]);
	}
	while (c[0].fd >= 0 || c[1].fd >= 0)
		must(cage_turn(cage, INT64_MAX, &error) == 0);
	for (int i = 0; i < 2; i++) {
		must(waitpid(pids[i], &result, 0) == pids[i] && result == 0);
		must(c[i].served == (unsigned int)number + 1 && !c[i].command);
	}
	must(nothing_left());
}

/* A kernel boots beside the cage and is given its folders later, or never. */
static void launched_before(void)
{
	char dir[] = "/tmp/umlcage-launch.XXXXXX";
	struct cage_mount late = { .fd = -1, .where = "/mnt" };
	struct cage_config second = config;
	struct cage *first = cage;
	struct script s;

	must(mkdtemp(dir));
	late.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	second.mounts = &late;
	second.nmounts = 1;
	must(late.fd >= 0);
	for (int again = 0; again < 2; again++) {
		cage = NULL;
		must(cage_launch(&cage, &second, &error) == 0);
		usleep(again ? 1000000 : 100000);
		if (!again) {
			cage_free(cage);
			continue;
		}
		/* once it is mounted the guest knows it as it was */
		must(fchmod(late.fd, 0751) == 0);
		must(cage_ready(cage, &second, &error) == 0);
		start(&s, "stat -c %a /mnt", NULL);
		must(cage_wait(cage, s.command, &error) == 0 && status(&s) == 0);
		must(strcmp(sb_str(&s.out), "751\n") == 0);
		release(&s);
		must(cage_stop(cage, &error) == 0);
		cage_free(cage);
	}
	must(rmdir(dir) == 0);
	close(late.fd);
	cage = first;
	must(nothing_left());
}

static const struct { const char *name; void (*run)(void); } tests[] = {
	{ "two-at-once", two_at_once }, { "one-killed", one_killed },
	{ "own-time-limits", own_time_limits }, { "in-a-row", in_a_row },
	{ "all-at-once", all_at_once }, { "freed-while-it-runs", freed_while_it_runs },
	{ "clients", clients }, { "launched-before", launched_before },
};

int main(int argc, char **argv)
{
	const char *lacks = getenv("UMLCAGE_TEST_LACKS");
	size_t i = 0;

	if (argc < 4)
		return 2;
	while (i < ARRAY_SIZE(tests) && strcmp(tests[i].name, argv[3]) != 0)
		i++;
	if (i == ARRAY_SIZE(tests))
		return 2;
	if (argc > 4)
		number = atoi(argv[4]);
	signal(SIGPIPE, SIG_IGN);
	config.kernel = argv[1];
	config.ptrace_mode = lacks && strstr(lacks, "filter");
	config.root.fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(cage_start(&cage, &config, &error) == 0);
	at_start = descriptors();
	tests[i].run();
	must(cage_stop(cage, &error) == 0);
	cage_free(cage);
	return 0;
}
