/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The subcommands of "umlcage share". */
#ifndef UMLCAGE_CMD_SHARE_H
#define UMLCAGE_CMD_SHARE_H

int share_cmd_import(int argc, char **argv);
int share_cmd_export(int argc, char **argv);
int share_cmd_list(int argc, char **argv);
int share_cmd_fakeroot(int argc, char **argv);
int share_cmd_verify(int argc, char **argv);
int share_cmd_chown(int argc, char **argv);
int share_cmd_chmod(int argc, char **argv);
int share_cmd_mknod(int argc, char **argv);

#endif
