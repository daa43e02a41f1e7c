/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A turn of a cage's loop where there is no guest: for who plays the agent. */
#ifndef TESTS_SUPPORT_CAGE_TURN_H
#define TESTS_SUPPORT_CAGE_TURN_H

#include "umlcage/cage/internal.h"

/* As cage_turn() does, but for the kernel's process and the networks, which are not there. */
static inline void turn_without_guest(struct cage *c)
{
	struct proto_msg m = PROTO_MSG_INIT;
	struct pollset *ps = &c->ps;

	pollset_reset(ps);
	for (struct cage_command *x = c->commands; x; x = x->next)
		command_fill(x, ps);
	control_fill(&c->control, ps);
	ps->deadline_ms = 0;
	(void)pollset_wait(ps);
	control_dispatch(&c->control, ps);
	for (struct cage_command *x = c->commands; x; x = x->next)
		command_dispatch(x, ps);
	while (control_next(&c->control, &m) > 0)
		for (struct cage_command *x = c->commands; x; x = x->next)
			if (x->id == (uint32_t)proto_get_number(&m, F_EXEC, 0))
				command_message(x, &m);
	proto_release(&m);
	control_drop_unclaimed(&c->control);
	for (struct cage_command *x = c->commands; x; x = x->next) {
		command_check(x);
		(void)command_tell(x);
	}
}

#endif
