// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage share: the table of its subcommands. */
#include "umlcage/cmd-share.h"
#include "umlcage/cmd.h"

static const struct subcommand commands[] = {
	{ "import", share_cmd_import, "makes a share of a tar or cpio archive" },
	{ "export", share_cmd_export, "writes a share as a tar or cpio archive" },
	{ NULL, NULL, NULL },
};

int cmd_share(int argc, char **argv)
{
	return cmd_dispatch("umlcage share", "Directories that hold a root filesystem with all its "
			    "owners, modes and devices,\nas files of an ordinary user.", commands,
			    argc, argv);
}
