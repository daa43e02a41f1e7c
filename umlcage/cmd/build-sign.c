// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage build sign: a signature for what was built before, where the key is. */
#include <stdlib.h>
#include <unistd.h>

#include "rootfs/build/build.h"
#include "umlcage/base/fd.h"
#include "umlcage/cmd/build.h"

struct sign_options {
	const char *command;
	uint64_t timeout;
};

static const struct opt sign_opts[] = {
	{ OPT_STRING, 0, "sign", "COMMAND", OPT_STR(struct sign_options, command),
	  "for sh, in the folder: makes SHA256SUMS.sig, .asc, ... of SHA256SUMS" },
	{ OPT_DURATION, 0, "timeout", "TIME", OPT_U64(struct sign_options, timeout),
	  "that it may take (default: 5m)" },
	OPT_END,
};

static const struct opt_spec sign_spec = {
	.usage = "umlcage build sign --sign=COMMAND FOLDER...",
	.summary = "Signs what was built, later or on another machine: has SHA256SUMS signed in each FOLDER\n"
		   "(output/NAME/latest, or a copy of it), if everything in there is what it says.",
	.groups = OPT_GROUPS({ NULL, sign_opts, 0 }),
	.epilogue = "The command may be gpg --batch -ab SHA256SUMS, ssh-keygen -Y sign ..., signify -S or\n"
		    "minisign -S.  It has no terminal; $UMLCAGE_BUILD_DIR is the current folder.",
};

static int cmd_sign(const struct command *self, int argc, char **argv)
{
	struct sign_options o = { .timeout = BUILD_COMMAND_TIMEOUT };
	struct error e = ERROR_INIT;
	int status = cmd_parse(self->spec, &o, &argc, &argv), ret = 0;
	cleanup_free char *here = NULL;

	if (status >= 0)
		return status;
	if (!o.command)
		ret = err_usage(&e, "what signs it? give --sign=COMMAND, such as --sign='gpg --batch -ab "
				"SHA256SUMS'");
	else if (!argc)
		ret = err_usage(&e, "which folder? give the one of a night, such as output/NAME/latest");
	here = getcwd(NULL, 0);
	if (here)
		setenv("UMLCAGE_BUILD_DIR", here, 1);
	for (int i = 0; i < argc && ret == 0; i++)
		ret = build_sign_folder(argv[i], o.command, o.timeout, &e);
	return ret < 0 ? cmd_fail(&e) : EXIT_OK;
}

const struct command command_build_sign = {
	.name = "sign", .help = "signs what was built, later or on another machine", .spec = &sign_spec,
	.run = cmd_sign,
};
