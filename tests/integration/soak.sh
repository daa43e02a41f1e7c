# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
#
# Many cages, one after the other, at once, and killed at random: nothing may be left, which
# the runner checks after each test (processes, files in the runtime folder, TMPDIR and
# /dev/shm), and this file in between (memory files, sockets).  UMLCAGE_TEST_SCALE scales the
# rounds: 100 is what `make check` does, 2500 the 1,000 runs and 200 kills that are promised.

# shellcheck source=tests/support/processes.sh
. "$TESTS_DIR/support/processes.sh"

# Processes of this user, besides this shell and what counts.
processes()
{
	ps -u "$(id -u)" -o pid=,ppid=,comm= | awk '$3 != "ps" && $3 != "awk" && $3 != "bash"' | wc -l
}

unix_sockets()
{
	grep -c "umlcage" /proc/net/unix || true
}

# limit: 900
test_runs_in_a_row()
{
	local before i
	run -- true
	before=$(processes)
	for ((i = 0; i < $(scaled 40); i++)); do
		run -- true || fail "run $i ended with $?"
	done
	equal "$before" "$(processes)" "processes afterwards"
	equal 0 "$(unix_sockets)" "sockets afterwards"
	[ -z "$(find "$XDG_RUNTIME_DIR" "$TMPDIR" ! -type d ! -name '*lock')" ] || fail "files stay"
}

# limit: 900
test_eight_at_a_time()
{
	local round i pids failed=0
	for ((round = 0; round < $(scaled 3); round++)); do
		pids=()
		for i in 1 2 3 4 5 6 7 8; do
			run_exec --memory "$(little 128)" -- sh -c 'cat >/dev/null; exit 3' </etc/passwd 2>"err$i" &
			pids+=($!)
		done
		for i in "${pids[@]}"; do
			local got=0
			wait "$i" || got=$?
			[ $got -eq 3 ] || { failed=1; cat err*; echo "one ended with $got"; }
		done
	done
	[ $failed -eq 0 ]
}

# No process of ours has one of these for a parent, or is one, any more.
gone()
{
	local pid
	for pid in "$@"; do
		[ ! -d "/proc/$pid" ] || grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null || return 1
	done
}

# kill_storm WHO ROUNDS: supervisor, kernel or any process of a cage, at a random moment
kill_storm()
{
	local i pid victims below_it
	for ((i = 0; i < $2; i++)); do
		run_exec -- sh -c 'while :; do sleep 0.01; /bin/true; done' >/dev/null 2>&1 &
		pid=$!
		sleep "0.$(printf %03d $((RANDOM % 500)))"
		below_it=$(below $pid)
		case $1 in
		supervisor) victims=$pid ;;
		kernel) victims=$(echo "$below_it" | head -n 1) ;;
		any) victims=$(echo "$pid $below_it" | tr ' ' '\n' | shuf -n 1) ;;
		esac
		# shellcheck disable=SC2086
		[ -z "$victims" ] || kill -9 $victims 2>/dev/null || true
		if [ "$1" != supervisor ] && [ "$victims" != $pid ]; then
			# a stub killed alone ends one guest process, not the cage
			sleep 0.2
			kill -9 $pid 2>/dev/null || true
		fi
		wait $pid 2>/dev/null || true
		# shellcheck disable=SC2086
		within 10 gone $pid $below_it
	done
	equal 0 "$(unix_sockets)" "sockets afterwards"
	status 0 run -- true
}

# limit: 900
test_supervisor_killed()
{
	kill_storm supervisor "$(scaled 3)"
}

# limit: 900
test_kernel_killed()
{
	kill_storm kernel "$(scaled 3)"
}

# limit: 900
test_anything_killed()
{
	kill_storm any "$(scaled 3)"
}
