// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umlcage build timer: builds at a time of the day, by a unit of the user's systemd, or by a
 * line of the user's crontab where there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rootfs/build/build.h"
#include "umlcage/base/fd.h"
#include "umlcage/base/hash.h"
#include "umlcage/base/proc.h"
#include "umlcage/cmd/build.h"
#include "umlcage/cmd/units.h"

#define MARK	"# umlcage build "

/* ---- what is common ---- */

struct timer_options {
	const char *at, *how;
};

static const struct opt install_opts[] = {
	{ OPT_STRING, 0, "at", "HH:MM", OPT_STR(struct timer_options, at),
	  "every day at that time (default: 02:30)" },
	{ OPT_STRING, 0, "with", "WHAT", OPT_STR(struct timer_options, how),
	  "systemd or cron (default: systemd where the user has one)" },
	OPT_END,
};

static const struct opt with_opts[] = {
	{ OPT_STRING, 0, "with", "WHAT", OPT_STR(struct timer_options, how),
	  "only those of systemd or cron" },
	OPT_END,
};

static const struct opt_spec install_spec = {
	.usage = "umlcage build timer install [options] [FILE|DIR]",
	.summary = "Builds FILE, or all of DIR, every night.",
	.groups = OPT_GROUPS({ NULL, install_opts, 0 }),
}, list_spec = {
	.usage = "umlcage build timer list [options]",
	.summary = "Lists what is built every night.",
	.groups = OPT_GROUPS({ NULL, with_opts, 0 }),
}, remove_spec = {
	.usage = "umlcage build timer remove [options] [FILE|DIR]",
	.summary = "Builds it no more.",
	.groups = OPT_GROUPS({ NULL, with_opts, 0 }),
};

struct clock {
	unsigned int hour, minute;
};

static int parse_time(const char *text, struct clock *c, struct error *e)
{
	size_t len = strcspn(text, ":");
	cleanup_free char *hour = xstrndup(text, len);
	uint64_t h, m;

	if (!text[len] || parse_u64(hour, 10, 23, &h) < 0 || parse_u64(text + len + 1, 10, 59, &m) < 0)
		return err_usage(e, "--at: '%s' is not a time of the day, like 02:30", text);
	*c = (struct clock){ (unsigned int)h, (unsigned int)m };
	return 0;
}

/* Is there a systemd of this user that can be talked to? */
static int find_kind(const char *how, bool *systemd, struct error *e)
{
	char *const argv[] = { (char *)"systemctl", (char *)"--user", (char *)"show-environment", NULL };
	cleanup_strbuf struct strbuf out = STRBUF_INIT;
	int status = 1;

	if (how && !str_eq(how, "systemd") && !str_eq(how, "cron"))
		return err_usage(e, "--with: '%s' is neither 'systemd' nor 'cron'", how);
	*systemd = how ? str_eq(how, "systemd") :
		   proc_capture(argv, 4096, &out, NULL, &status, NULL) == 0 && status == 0;
	return 0;
}

/* ---- systemd ---- */

/* The same path has the same unit. */
static char *unit_name(const char *what)
{
	char hex[SHA256_HEX + 1];
	struct hash h = { NULL };

	hash_start(&h);
	hash_add_field(&h, what);
	hash_end(&h, hex);
	hash_release(&h);
	return xasprintf("umlcage-build-%.8s", hex);
}

static int install_units(const char *program, const char *what, struct clock at, struct error *e)
{
	cleanup_free char *name = unit_name(what), *timer = NULL, *unit = NULL;
	cleanup_strbuf struct strbuf service = STRBUF_INIT;

	sb_addf(&service, "[Unit]\nDescription=images of %s\n\n[Service]\nType=oneshot\nExecStart=", what);
	unit_add_word(&service, program);
	sb_adds(&service, " build");
	unit_add_word(&service, what);
	sb_addc(&service, '\n');
	timer = xasprintf("[Unit]\nDescription=images of %s\n\n[Timer]\nOnCalendar=*-*-* %02u:%02u:00\n"
			  "Persistent=true\n\n[Install]\nWantedBy=timers.target\n", what, at.hour, at.minute);
	if (unit_write(name, ".service", sb_str(&service), e) < 0 ||
	    unit_write(name, ".timer", timer, e) < 0)
		return -e->errnum;
	unit = xasprintf("%s.timer", name);
	if (unit_systemctl("daemon-reload", NULL, NULL) || unit_systemctl("enable", "--now", unit))
		return err_set(e, EIO, "systemctl --user does not take '%s'; 'systemctl --user status %s' "
			       "says why", unit, unit);
	return 0;
}

static int remove_units(const char *what, bool *found, struct error *e)
{
	static const char *const endings[] = { ".timer", ".service" };
	cleanup_free char *name = unit_name(what), *unit = xasprintf("%s.timer", name);

	(void)unit_systemctl("disable", "--now", unit);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		cleanup_free char *full = xasprintf("%s%s", name, endings[i]), *path = NULL;

		int ret = unit_path(full, &path, e);

		if (ret < 0)
			return ret;
		*found |= path && unlink(path) == 0;
	}
	(void)unit_systemctl("daemon-reload", NULL, NULL);
	return 0;
}

static int list_units(void)
{
	cleanup_free char *path = NULL;
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_close int fd = -1;

	if (unit_path("", &path, NULL) < 0 || !path)
		return 0;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dir_names(fd, &names, NULL) < 0)
		return 0;
	strv_sort(&names);
	for (size_t i = 0; i < names.n; i++) {
		cleanup_strbuf struct strbuf text = STRBUF_INIT;
		const char *what, *at;

		if (!str_starts(names.v[i], "umlcage-build-") || !str_ends(names.v[i], ".timer") ||
		    file_read(fd, names.v[i], 1 << 16, &text, NULL) < 0)
			continue;
		what = strstr(sb_str(&text), "images of ");
		at = strstr(sb_str(&text), "OnCalendar=*-*-* ");
		if (what && at)
			printf("%.5s  systemd  %.*s\n", at + 17, (int)strcspn(what + 10, "\n"), what + 10);
	}
	return 0;
}

/* ---- cron ---- */

static int read_crontab(struct strbuf *out, struct error *e)
{
	char *const argv[] = { (char *)"crontab", (char *)"-l", NULL };
	cleanup_strbuf struct strbuf err = STRBUF_INIT;
	int status;

	if (proc_capture(argv, 1 << 20, out, &err, &status, e) < 0)
		return err_hint(e, "there is neither systemd nor cron here: run 'umlcage build' by "
				"whatever else starts programs at a time");
	/* a user without one is no error */
	if (status && !strstr(sb_str(&err), "no crontab"))
		return err_set(e, EIO, "crontab -l: %s", sb_str(&err));
	return 0;
}

static int write_crontab(const char *text, struct error *e)
{
	char *argv[] = { (char *)"crontab", (char *)"-", NULL };
	cleanup_close int in = memfd_with("crontab", text, strlen(text), e);
	const struct proc_fd fds[] = { { in, 0 }, { STDERR_FILENO, 2 } };
	struct proc_opts opts = { .argv = argv, .fds = fds, .nfds = 2 };
	int status = 0, ret;
	pid_t pid;

	if (in < 0)
		return in;
	ret = proc_start(&opts, &pid, NULL, e);
	if (ret == 0)
		ret = proc_wait(pid, &status, e);
	return ret == 0 && status ? err_set(e, EIO, "crontab does not take the new table") : ret;
}

/* The table without the line of @what; *@found: it had one. */
static void without(const char *table, const char *what, struct strbuf *out, bool *found)
{
	cleanup_free char *mark = xasprintf(MARK "%s", what);

	while (*table) {
		size_t len = strcspn(table, "\n");
		cleanup_free char *line = xstrndup(table, len);

		if (str_ends(line, mark))
			*found = true;
		else
			sb_addf(out, "%s\n", line);
		table += len + (table[len] == '\n');
	}
}

/* In single quotes for sh, where '%' is cron's end of a line. */
static void add_quoted(struct strbuf *sb, const char *word)
{
	sb_adds(sb, " '");
	for (; *word; word++) {
		if (*word == '\'')
			sb_adds(sb, "'\\'");
		if (*word == '%')
			sb_addc(sb, '\\');
		sb_addc(sb, *word);
	}
	sb_addc(sb, '\'');
}

static int change_crontab(const char *program, const char *what, const struct clock *at,
			  bool *found, struct error *e)
{
	cleanup_strbuf struct strbuf old = STRBUF_INIT, new = STRBUF_INIT;

	if (read_crontab(&old, e) < 0)
		return -e->errnum;
	without(sb_str(&old), what, &new, found);
	if (!at && !*found)
		return 0;
	if (at) {
		sb_addf(&new, "%u %u * * *", at->minute, at->hour);
		add_quoted(&new, program);
		sb_adds(&new, " build --quiet");
		add_quoted(&new, what);
		sb_addf(&new, " " MARK "%s\n", what);
	}
	return write_crontab(sb_str(&new), e);
}

static int list_crontab(struct error *e)
{
	cleanup_strbuf struct strbuf old = STRBUF_INIT;
	cleanup_strv struct strv lines = STRV_INIT;

	if (read_crontab(&old, e) < 0)
		return -e->errnum;
	strv_split(&lines, sb_str(&old), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *mark = strstr(lines.v[i], MARK);
		unsigned int minute, hour;

		if (mark && sscanf(lines.v[i], "%u %u", &minute, &hour) == 2)
			printf("%02u:%02u  cron     %s\n", hour, minute, mark + strlen(MARK));
	}
	return 0;
}

/* ---- the commands ---- */

static int take_what(int argc, char **argv, char **what, struct error *e)
{
	if (argc > 1)
		return err_usage(e, "'%s' is one argument too many: one FILE or DIR is taken", argv[1]);
	*what = realpath(argc ? argv[0] : ".", NULL);
	if (!*what)
		return err_sys(e, errno, "cannot use '%s'", argc ? argv[0] : ".");
	return strchr(*what, '\n') ? err_usage(e, "a newline in a name is too much for timers") : 0;
}

static int install(const struct timer_options *o, const char *what, struct error *e)
{
	char *const paths[] = { (char *)what };
	cleanup_builds struct builds b = BUILDS_INIT;
	cleanup_free char *program = NULL;
	struct clock at;
	bool systemd = false, found = false;

	if (parse_time(o->at ? o->at : "02:30", &at, e) < 0 || find_kind(o->how, &systemd, e) < 0 ||
	    builds_read(&b, cmd_build_tools(), paths, 1, e) < 0 || builds_order(&b, e) < 0 ||
	    unit_program(&program, e) < 0)
		return -e->errnum;
	if (systemd ? install_units(program, what, at, e) < 0 :
		      change_crontab(program, what, &at, &found, e) < 0)
		return -e->errnum;
	fprintf(stderr, "%s: every day at %02u:%02u, by %s\n", what, at.hour, at.minute,
		systemd ? "systemd; 'loginctl enable-linger' lets it run while you are not logged in" :
		"cron");
	return 0;
}

static int uninstall(const struct timer_options *o, const char *what, struct error *e)
{
	bool systemd = false, found = false;

	if (find_kind(o->how, &systemd, e) < 0)
		return -e->errnum;
	if (systemd ? remove_units(what, &found, e) < 0 :
		      change_crontab(NULL, what, NULL, &found, e) < 0)
		return -e->errnum;
	return found ? 0 : err_set(e, ENOENT, "'%s' has no timer; 'umlcage build timer list' lists them",
				   what);
}

static int run(const struct command *self, int argc, char **argv,
	       int (*act)(const struct timer_options *o, const char *what, struct error *e))
{
	struct timer_options o = { 0 };
	cleanup_free char *what = NULL;
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	return take_what(argc, argv, &what, &e) < 0 || act(&o, what, &e) < 0 ? cmd_fail(&e) : EXIT_OK;
}

static int run_install(const struct command *self, int argc, char **argv)
{
	return run(self, argc, argv, install);
}

static int run_remove(const struct command *self, int argc, char **argv)
{
	return run(self, argc, argv, uninstall);
}

static int run_list(const struct command *self, int argc, char **argv)
{
	struct timer_options o = { 0 };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv);

	if (status >= 0)
		return status;
	if (!str_eq(o.how, "cron"))
		(void)list_units();
	/* who has no cron has no lines in it */
	if (!str_eq(o.how, "systemd") && list_crontab(&e) < 0 && o.how)
		return cmd_fail(&e);
	err_release(&e);
	return EXIT_OK;
}

static const struct command install_command = {
	.name = "install", .help = "builds every night", .spec = &install_spec, .run = run_install,
}, list_command = {
	.name = "list", .help = "lists what is built every night", .spec = &list_spec, .run = run_list,
}, remove_command = {
	.name = "remove", .help = "builds no more", .spec = &remove_spec, .run = run_remove,
};

static const struct command *const commands[] = {
	&install_command, &list_command, &remove_command, NULL,
};

const struct command command_build_timer = {
	.name = "timer", .help = "builds every night, by systemd or cron", .run = cmd_dispatch,
	.sub = commands,
	.summary = "Lets build files be built at a time of the day.",
};
