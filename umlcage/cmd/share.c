// SPDX-License-Identifier: GPL-2.0-or-later
/* umlcage share: the table of its subcommands. */
#include "umlcage/cmd/cmd.h"
#include "umlcage/cmd/share.h"

static const struct subcommand commands[] = {
	{ "import", share_cmd_import, "makes a share of a tar or cpio archive" },
	{ "export", share_cmd_export, "writes a share as a tar or cpio archive" },
	{ "list", share_cmd_list, "lists a share as the guest sees it" },
	{ "chown", share_cmd_chown, "changes owners" },
	{ "chmod", share_cmd_chmod, "changes modes" },
	{ "mknod", share_cmd_mknod, "makes a device, fifo or socket" },
	{ "fakeroot", share_cmd_fakeroot, "writes a state for 'fakeroot -i'" },
	{ "verify", share_cmd_verify, "checks a share, and mends it" },
	{ NULL, NULL, NULL },
};

int cmd_share(int argc, char **argv)
{
	return cmd_dispatch("umlcage share", "Directories that hold a root filesystem with all its "
			    "owners, modes and devices,\nas files of an ordinary user.", commands,
			    argc, argv);
}
