# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Whatever of a session is killed at whatever moment: what is left is whole, and can be gone on with.

# shellcheck source=tests/support/sessions.sh
. "$TESTS_DIR/support/sessions.sh"

test_killed_at_random_moments()
{
	local i pid kernel client n
	n=$(scaled 12)
	for ((i = 0; i < n; i++)); do
		start s 2>note
		session_exec exec s -- sh -c 'while :; do echo x; done' >out 2>&1 &
		client=$!
		pid=$(pid_of)
		kernel=$(pgrep -P "$pid" | head -n 1)
		sleep 0.0$((RANDOM % 100))
		case $((i % 3)) in
		0) kill -9 $client ;;
		1) kill -9 "$pid" ;;
		2) kill -9 "$kernel" ;;
		esac
		if [ $((i % 3)) = 0 ]; then
			session exec s true
			session stop s
		else
			within 10 gone "$pid"
			matches "*lost*" "$(session list)"
		fi
		wait
	done
	session remove s 2>/dev/null || true
	nothing_left
}

# killed_after MILLISECONDS WORD...: a command of sessions, killed after a moment
killed_after()
{
	local after=$1 pid
	shift
	session_exec "$@" >killed 2>&1 &
	pid=$!
	sleep "0.$(printf %03d "$after")"
	kill -9 $pid 2>/dev/null || true
	wait $pid || true
}

is_over()
{
	session stop s 2>/dev/null || session remove s 2>/dev/null || no_sessions
}

# Whatever is killed at whatever moment: what is listed is whole, and a disk is one or the other.
test_snapshots_survive_kills()
{
	local i kind
	for kind in memory disk; do
		start s --scratch $kind
		session exec s -- sh -c 'mkdir /srv/many; for i in $(seq 300); do echo $i >/srv/many/$i; done'
		for ((i = $(scaled 4); i > 0; i--)); do
			killed_after $((RANDOM % 150)) snapshot s
			session exec s true
			for name in $(snapshots_left); do
				[[ $name == .* ]] || "$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
					${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} --snapshot "s/$name" -- \
					sh -c 'cat /srv/many/* | sha256sum' >>sums
				[[ $name == .* ]] || session snapshot --remove s "$name"
			done
		done
		session exec s -- sh -c 'cat /srv/many/* | sha256sum' >>sums
		equal 1 "$(sort -u sums | wc -l)" "states of the disk"
		session stop s
	done
	# what they left is swept up once it is old
	touch -d -2minutes "$XDG_STATE_HOME"/umlcage/snapshots/s/.*.part 2>/dev/null || true
	session snapshots s >list
	equal "" "$(snapshots_left)"
}

test_restores_survive_kills()
{
	local i names=(one two)
	start s --keep changes
	session exec s -- sh -c 'mkdir /srv/many; for i in $(seq 200); do echo one >/srv/many/$i; done'
	session snapshot s one
	session exec s -- sh -c 'for i in /srv/many/*; do echo two >$i; done'
	session snapshot s two
	for ((i = $(scaled 3); i > 0; i--)); do
		killed_after $((RANDOM % 400)) restore s ${names[i % 2]}
		within 20 is_over
		matches "200 @(one|two)" "$(run --keep changes -- sh -c 'cat /srv/many/* | sort | uniq -c' | xargs)" \
			"a disk of one moment"
	done
	session restore s one >name
	equal "200 one" "$(session exec s -- sh -c 'cat /srv/many/* | sort | uniq -c' | xargs)"
	session stop s
	session snapshot --remove s one two
	"$UMLCAGE" root remove --changes changes
	equal "" "$(ls -A "$XDG_STATE_HOME/umlcage/sessions")" "what is left of kept changes"
	nothing_left
}
