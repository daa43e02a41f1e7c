/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of umlcage deb. */
#ifndef UMLCAGE_CMD_DEB_H
#define UMLCAGE_CMD_DEB_H

#include "umlcage/cmd/cmd.h"

extern const struct command command_deb_check, command_deb_test;

#endif
