# SPDX-License-Identifier: GPL-2.0-or-later
# umlcage doctor, as the user that all tests are.

# without filter: it looks for them
test_this_host_will_do()
{
	status 0 "$UMLCAGE" doctor >out
	cat out
	contains "cages can run here" out
	matches "ok *seccomp*" "$(grep seccomp out)"
}

test_json_is_one_line_with_every_check()
{
	status 0 "$UMLCAGE" doctor --json >out
	equal 1 "$(wc -l <out)" lines
	contains '{"usable":true,"checks":[{"name":"machine","state":"ok",' out
	contains '{"name":"landlock","state":"' out
}

test_nothing_to_build_with_is_status_1()
{
	mkdir empty
	XDG_CACHE_HOME=$T/cache PATH=$T/empty status 1 "$UMLCAGE" doctor >out
	contains "cages cannot run here" out
	contains "flex" out
}

test_folder_in_the_way()
{
	touch file
	XDG_DATA_HOME=$T/file status 1 "$UMLCAGE" doctor >out
	contains "XDG_DATA_HOME" out
}

test_bad_option_is_status_2()
{
	status 2 "$UMLCAGE" doctor --nonsense 2>err
	contains "unknown option '--nonsense'" err
	status 2 "$UMLCAGE" doctor extra 2>err
	contains "takes no operand, but got 'extra'" err
}
