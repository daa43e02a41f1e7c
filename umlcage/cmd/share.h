/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of "umlcage share". */
#ifndef UMLCAGE_CMD_SHARE_H
#define UMLCAGE_CMD_SHARE_H

#include "umlcage/cmd/cmd.h"

extern const struct command command_share_import, command_share_export, command_share_list,
	command_share_chown, command_share_chmod, command_share_mknod, command_share_fakeroot,
	command_share_verify;

#endif
