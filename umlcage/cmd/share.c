// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage share: the table of its subcommands. */
#include <stddef.h>

#include "umlcage/cmd/share.h"

static const struct command *const commands[] = {
	&command_share_import, &command_share_export, &command_share_list, &command_share_chown,
	&command_share_chmod, &command_share_mknod, &command_share_fakeroot, &command_share_verify,
	NULL,
};

const struct command command_share = {
	.name = "share",
	.help = "imports, exports, lists and checks shares",
	.run = cmd_dispatch,
	.sub = commands,
	.summary = "Directories that hold a root filesystem with all its owners, modes and devices,\n"
		   "as files of an ordinary user.",
};
