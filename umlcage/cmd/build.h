/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands below umlcage build, which takes files and folders itself. */
#ifndef UMLCAGE_CMD_BUILD_H
#define UMLCAGE_CMD_BUILD_H

#include "umlcage/cmd/cmd.h"

struct build_tools;

extern const struct command command_build_reproduce, command_build_sign, command_build_status,
	command_build_timer;

const struct build_tools *cmd_build_tools(void);

struct build_how;

/* The builds change the current folder: where they go is said in full, by @full if it was not. */
void cmd_build_output(struct build_how *how, char **full);

#endif
