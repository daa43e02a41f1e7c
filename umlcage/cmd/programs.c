// SPDX-License-Identifier: GPL-2.0-or-later
/* The programs of umlcage: see programs.h. */
#include "umlcage/cmd/programs.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "umlcage/base/str.h"
#include "umlcage/cmd/cmd.h"

/* How many of the arguments are @words, with a blank between them; 0: they are others. */
static int words_of(int argc, char **argv, const char *words)
{
	for (int n = 1; n < argc; n++) {
		size_t len = strcspn(words, " ");

		if (strlen(argv[n]) != len || memcmp(argv[n], words, len) != 0)
			return 0;
		if (!words[len])
			return n;
		words += len + 1;
	}
	return 0;
}

bool program_named(int argc, char **argv, const char *words)
{
	return words_of(argc, argv, words) > 0;
}

int program_run(const struct program_command *commands, int argc, char **argv)
{
	static char full_name[64];

	for (const struct program_command *p = commands; p->words; p++) {
		int n = words_of(argc, argv, p->words);

		if (!n)
			continue;
		/* a closed pipe is an error of the write, reported where it happens */
		signal(SIGPIPE, SIG_IGN);
		snprintf(full_name, sizeof(full_name), "umlcage %s", p->words);
		argv[n] = full_name;
		return p->command->run(p->command, argc - n, argv + n);
	}
	return -1;
}

int program_find(const char *name, char **path, struct error *e)
{
	/* from where it was built, from where it is installed, from beside the other */
	static const char *const folders[] = { "/libexec/umlcage", "", "/../libexec/umlcage" };
	cleanup_free char *self = realpath("/proc/self/exe", NULL);
	char *slash = self ? strrchr(self, '/') : NULL;

	if (!slash)
		return err_sys(e, errno, "cannot tell where umlcage is");
	*slash = '\0';
	*path = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		free(*path);
		*path = xasprintf("%s%s/%s", self, folders[i], name);
		if (access(*path, X_OK) == 0)
			return 0;
	}
	err_sys(e, errno, "cannot use '%s', a part of umlcage", *path);
	free_ptr(path);
	return err_hint(e, "install umlcage with 'make install'");
}

int program_become(const char *name, char **argv, struct error *e)
{
	cleanup_free char *path = NULL;
	int ret = program_find(name, &path, e);

	if (ret < 0)
		return ret;
	execv(path, argv);
	return err_sys(e, errno, "cannot run '%s'", path);
}
