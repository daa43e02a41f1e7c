// SPDX-License-Identifier: GPL-2.0-or-later
/* What umlcage-make is called for: see workshop.h. */
#include "umlcage/cmd/workshop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "umlcage/base/interrupt.h"
#include "umlcage/base/proc.h"
#include "umlcage/cmd/programs.h"

/* To its end; a signal that ends this program is its, too, and it cleans up. */
static int wait_for(pid_t pid, struct error *e)
{
	int passed = 0, status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_sys(e, errno, "cannot wait for umlcage-make");
		if (interrupted() && !passed++)
			(void)kill(pid, interrupted());
	}
	if (interrupted())
		return err_set(e, EINTR, "interrupted");
	return status ? 1 : 0;
}

static int run(struct strv *argv, int verbosity, struct error *e)
{
	const struct proc_fd fds[] = { { STDERR_FILENO, STDERR_FILENO } };
	struct proc_opts opts = { .fds = fds, .nfds = 1 };
	cleanup_free char *path = NULL;
	pid_t pid;
	int ret = program_find("umlcage-make", &path, e);

	if (ret < 0)
		return ret;
	if (verbosity < 0)
		strv_add(argv, "--quiet");
	for (int i = 0; i < verbosity; i++)
		strv_add(argv, "--verbose");
	free(argv->v[0]);
	argv->v[0] = steal_ptr(&path);
	opts.argv = strv_argv(argv);
	interrupt_begin();
	ret = proc_start(&opts, &pid, NULL, e);
	if (ret == 0)
		ret = wait_for(pid, e);
	interrupt_end();
	return ret;
}

int workshop_kernel(const struct machine *m, const char *mirror, int verbosity, struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;

	strv_add(&argv, "");
	strv_add(&argv, "kernel");
	strv_add(&argv, "build");
	if (m->kernel)
		strv_addf(&argv, "--config=%s", m->kernel);
	if (mirror)
		strv_addf(&argv, "--mirror=%s", mirror);
	return run(&argv, verbosity, e);
}

int workshop_root(const char *root, const char *mirror, const struct machine *m, int verbosity,
		  struct error *e)
{
	cleanup_strv struct strv argv = STRV_INIT;

	strv_add(&argv, "");
	strv_add(&argv, "root");
	strv_add(&argv, "prepare");
	if (mirror)
		strv_addf(&argv, "--mirror=%s", mirror);
	if (m->kernel)
		strv_addf(&argv, "--kernel=%s", m->kernel);
	if (m->require_jail)
		strv_addf(&argv, "--require-jail=%s",
			  m->require_jail == CAGE_REQUIRE_FULL ? "full" : "basic");
	for (size_t i = 0; i < m->emulate.n; i++)
		strv_addf(&argv, "--emulate=%s", m->emulate.v[i]);
	if (m->no_namespaces)
		strv_add(&argv, "--no-namespaces");
	if (m->ptrace_mode)
		strv_add(&argv, "--ptrace");
	strv_addf(&argv, "%s%s", root[0] == '-' ? "./" : "", root);
	return run(&argv, verbosity, e);
}
