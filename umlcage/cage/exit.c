// SPDX-License-Identifier: GPL-2.0-or-later
/* What a command ended with, for those that have no cage of their own: see cage.h. */
#include <stdlib.h>

#include "umlcage/base/str.h"
#include "umlcage/cage/cage.h"

void cage_exit_release(struct cage_exit *exit)
{
	free_ptr(&exit->reason);
}
