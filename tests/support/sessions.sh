# SPDX-License-Identifier: GPL-2.0-or-later
# What tests of sessions have in common.

session()
{
	(session_exec "$@")
}

# for the background, so that $! is umlcage itself
session_exec()
{
	exec "$UMLCAGE" session "$@"
}

no_sessions()
{
	[ "$(session list --json | tr -d ' \n')" = "[]" ]
}

pid_of()
{
	session list --json | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'
}

# start NAME OPTION...
start()
{
	local name=$1
	shift
	(exec "$UMLCAGE" session start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} --memory "$(little 96)" "$@" "$name") >"name.$name"
	equal "$name" "$(cat "name.$name")" "the name it prints"
}

# nothing but locks is left on the host
nothing_left()
{
	equal "" "$(find "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME" -type f ! -name '*.lock' -o -type s)" "left files"
	no_sessions || fail "sessions are left: $(session list)"
}

no_commands()
{
	[ "$(session ps --json "$1" | tr -d ' \n')" = "[]" ]
}

more_than()
{
	[ "$(wc -l <out)" -gt "$1" ]
}

gone()
{
	! kill -0 "$1" 2>/dev/null
}

session_is_lost()
{
	session list | grep lost >/dev/null
}

# what is left of a snapshot, or of one that was not made
snapshots_left()
{
	find "$XDG_STATE_HOME/umlcage/snapshots" -mindepth 2 -maxdepth 2 2>/dev/null | sed 's|.*/||' | sort | xargs
}

commands()
{
	! no_commands "$1"
}
