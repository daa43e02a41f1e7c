# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Many commands in one cage, through the library: see tests/support/host-commands.c.

# commands TEST [NUMBER]
commands()
{
	local kernel root
	kernel=$(run --print-command -- true | awk '{ print $3 }')
	root=${UMLCAGE_TEST_ROOT:-$(echo "$XDG_CACHE_HOME"/umlcage/tools/*- | awk '{ print $1 }')}
	[ -d "$root" ] || host_cannot "'$root' is not a share"
	"$HOST_PROGRAMS/host-commands" "$kernel" "$root" "$@"
}

test_two_at_once()
{
	commands two-at-once
}

test_one_is_killed_and_the_other_goes_on()
{
	commands one-killed
}

test_each_has_its_own_time_limit()
{
	commands own-time-limits
}

test_many_in_a_row_leave_nothing()
{
	commands in-a-row "$(scaled 150)"
}

# the agent, too, needs descriptors for each
test_many_at_once()
{
	commands all-at-once 200
}

test_nothing_stays_of_one_that_is_not_waited_for()
{
	commands freed-while-it-runs
}

test_clients_hand_over_their_descriptors()
{
	commands clients 20
}

test_a_kernel_boots_before_its_folders_are_there()
{
	commands launched-before
}
