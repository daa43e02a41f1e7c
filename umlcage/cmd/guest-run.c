// SPDX-License-Identifier: GPL-2.0-or-later
/* A command in a cage of its own, to its end: see guest.h. */
#include <stdio.h>
#include <unistd.h>

#include "umlcage/cmd/boot.h"
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/guest.h"

static int run_in(struct cage *cage, const struct boot_options *boot, const struct guest_options *o,
		  char *const *argv, struct cage_exit *exit, struct error *e)
{
	cleanup_strv struct strv env = STRV_INIT;
	struct cage_exec what = {
		.argv = argv, .cwd = o->workdir, .user = o->user,
		.timeout = o->timeout, .tty = guest_wants_terminal(o),
		.stdin_fd = STDIN_FILENO, .stdout_fd = STDOUT_FILENO, .stderr_fd = STDERR_FILENO,
	};

	machine_environment(&boot->machine, what.tty, &env);
	machine_socket_environment(&boot->machine, &env);
	what.env = strv_argv(&env);
	return cage_exec(cage, &what, exit, e);
}

/* In the cage, to its end; the exit status of the program. */
static int run_to_end(struct boot *b, const struct guest_options *o, char *const *argv)
{
	cleanup_error struct error e = ERROR_INIT;
	struct cage_exit exit = { 0 };
	int status;

	if (run_in(b->cage, b->o, o, argv, &exit, &e) < 0)
		return guest_fail(&e);
	status = guest_report(&exit, o, b->cfg.memory, b->o->quiet);
	if (boot_finish(b, exit.status == 0, &e) < 0)
		status = guest_fail(&e);
	cage_exit_release(&exit);
	return status;
}

int guest_run_to_end(struct boot_options *boot, const struct guest_options *o, char *const *argv)
{
	struct boot b = BOOT_INIT;
	cleanup_error struct error e = ERROR_INIT;
	int status = EXIT_UMLCAGE, ret;

	if (guest_check(o, &e) < 0 || boot_check(&b, boot, &e) < 0)
		return guest_fail(&e);
	if (!b.cfg.owner)
		b.cfg.owner = o->user;
	ret = boot_cage(&b, &e);
	if (ret < 0) {
		status = guest_fail(&e);
	} else if (ret == 0 && boot->print_command) {
		cleanup_free char *text = cage_command_text(&b.cfg);

		puts(text);
		status = EXIT_OK;
	} else if (ret == 0) {
		status = run_to_end(&b, o, argv);
	}
	boot_close(&b);
	return status;
}
