# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Whatever of a session is killed at whatever moment: what is left is whole, and can be gone on with.

# shellcheck source=tests/support/sessions.sh
. "$TESTS_DIR/support/sessions.sh"

# limit: 3600
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
	remark "$n rounds"
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

# limit: 3600
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
	remark "$(($(scaled 4) * 2)) rounds"
}

# limit: 3600
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
	remark "$(scaled 3) rounds"
}

# all_of DIRECTORY of the guest: the states of what is in it, and how often; and the counter beside it
readonly LOOK='echo $(cat /srv/many/* | sort | uniq -c) $(cat /srv/count 2>/dev/null || echo none)'

# ended, going on, or lost; not about to be one of these
settled()
{
	! session list | grep -E ' (stopping|paused) ' >/dev/null
}

# One round: a session that counts, SNAPSHOT taken or restored meanwhile, and WHOM killed then.
# Afterwards it is gone on with, and ended.
kill_during()
{
	local what=$1 whom=$2 which=$3 pid kernel counter client got least many count
	start s --keep changes 2>note
	pid=$(pid_of)
	kernel=$(pgrep -P "$pid" | head -n 1)
	: >out	# of the round before
	# what it has said has been written back
	session_exec exec s -- sh -c 'i=$(cat /srv/count 2>/dev/null || echo 0); while :; do i=$((i + 1))
		echo $i >/srv/count.new; mv /srv/count.new /srv/count; sync; echo $i; done' >out 2>/dev/null &
	counter=$! client=$!
	within 20 more_than 0
	: >name
	case $what in
	snapshot) session_exec snapshot s >name 2>said & client=$! ;;
	restore) session_exec restore s "$which" >name 2>said & client=$! ;;
	esac
	sleep "0.$(printf %03d $((RANDOM % 300)))"
	least=$(tail -n 1 out)
	case $whom in
	client) kill -9 $client 2>/dev/null || true ;;
	session) kill -9 "$pid" 2>/dev/null || true ;;
	kernel) kill -9 "$kernel" 2>/dev/null || true ;;
	esac
	wait $client || true
	[ "$whom" = client ] || within 10 gone "$pid"
	within 20 settled
	if [ "$whom:$what" = client:work ] || [ "$whom:$what" = client:snapshot ]; then
		session exec s true || fail "the session did not survive its client"
	elif [ "$what" != restore ] || session_is_lost; then
		session_is_lost || fail "it was not lost: $(session list)"
		status 125 session exec s true 2>err
		contains "the session 's' was lost" err
		session recover s >/dev/null 2>err
		contains "the changes kept as 'changes' are restored" err
		session exec s true
	fi
	within 20 is_over
	wait $counter || true
	got=$(run --keep changes -- sh -c "$LOOK")
	read -r many state count <<<"$got"
	matches "100 @(one|two) *" "$many $state x" "the disk"
	if [ "$count" = none ]; then
		[ "$what:$state" = "restore:$which" ] || fail "the counter is lost: '$got', it was at $least"
	else
		[ "$count" -ge "$least" ] || fail "what was written back is lost: $count of $least"
	fi
	# what there is of a snapshot is whole; one that was announced is there
	[ "$what" = snapshot ] || return 0
	[ ! -s name ] || contains "$(cat name)" <(snapshots_left)
	for name in $(snapshots_left); do
		[[ $name != snap* ]] || {
			matches "100 $state +([0-9])" "$(run --snapshot "s/$name" -- sh -c "$LOOK")" "the disk of a snapshot"
			session snapshot --remove s "$name"
		}
	done
}

# UMLCAGE_TEST_SEED=N for other moments
# limit: 3600
test_killed_at_any_moment_and_recovered()
{
	local i whats=(work snapshot restore) whom=(client session kernel) names=(one two)
	RANDOM=${UMLCAGE_TEST_SEED:-$RANDOM}
	start s --keep changes
	session exec s -- sh -c 'mkdir /srv/many; for i in $(seq 100); do echo one >/srv/many/$i; done'
	session snapshot s one
	session exec s -- sh -c 'for i in /srv/many/*; do echo two >$i; done'
	session snapshot s two
	session stop s
	for ((i = 0; i < $(scaled 9); i++)); do
		echo "round $i: ${whom[i / 3 % 3]} during ${whats[i % 3]}"
		kill_during "${whats[i % 3]}" "${whom[i / 3 % 3]}" "${names[i % 2]}"
	done
	session snapshot --remove s one two
	"$UMLCAGE" root remove --changes changes
	# what was not finished is swept up once it is old
	touch -d -2minutes "$XDG_STATE_HOME"/umlcage/snapshots/s/.*.part 2>/dev/null || true
	session snapshots s >list
	equal "" "$(snapshots_left)" "snapshots"
	nothing_left
	remark "$i rounds"
}
