# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a cage costs: starting one, a system call in it, bytes through its stdio and its
# network.  "plainly" is the same kernel started without umlcage: no placement, its memory
# where it wants it, guest-micro as its only process.
#
# promise: start to end of 'run -- true', seconds, median of 21: run-true <= 0.12
# ratio: a command in a session, median of 200, against starting a program on the host: session-exec / true-host
# promise: system call in a cage, microseconds: getppid-cage <= 6
# promise: system call, kernel started plainly against a cage: getppid-plainly / getppid-cage >= 10
# promise: the same with two virtual CPUs: getppid-plainly-2-cpus / getppid-cage-2-cpus >= 10
# ratio: system call, ptrace mode started plainly against a cage: getppid-ptrace / getppid-cage
# ratio: system call, kernel started plainly against a cage with one processor of the host: getppid-plainly / getppid-one-processor
# ratio: system call, kernel started plainly against a cage with --no-fast-calls: getppid-plainly / getppid-signals
# ratio: system call in a cage with --no-fast-calls against the signal and the hand-over alone: getppid-signals / trap-and-hand-over-host
# promise: fork, exit and wait in a cage against the host: fork-exit-wait-cage / fork-exit-wait-host <= 2.5
# ratio: fork and exec in a cage against the host: vfork-exec-wait-cage / vfork-exec-wait-host
# promise: first touch of a page, microseconds: touch-sequential-cage <= 4
# ratio: first touch of a page in a cage against the host: touch-sequential-cage / touch-sequential-host

micro=$BENCH_PROGS/guest-micro
some="getppid fork-exit-wait vfork-exec-wait touch-sequential"

setup_cage()
{
	umlcage run -- true
	"$BENCH_PACK" "$micro" "$BENCH_PROGS/micro.cpio"
}

# each_takes FIGURE N COMMAND...: the median of N in a row, as the user, by a shell that does nothing else
each_takes()
{
	# shellcheck disable=SC2016
	"${as_user[@]}" bash -c '
		figure=$1 n=$2
		shift 2
		for ((i = 0; i < n; i++)); do
			began=${EPOCHREALTIME/./}
			"$@" || exit 1
			echo $((${EPOCHREALTIME/./} - began))
		done | sort -n | awk -v f="$figure" -v n="$n" "NR == int((n + 1) / 2) { printf \"%s s %.6f\\n\", f, \$1 / 1e6 }"' \
		bash "$@"
}

# the first one after other work finds nothing of it in the host's caches
bench_run_true()
{
	each_takes run-true 21 "$BENCH_HOME/bin/umlcage" run -- true
}

bench_session_exec()
{
	umlcage session stop bench >/dev/null 2>&1 || true
	umlcage session start -q bench >/dev/null
	each_takes session-exec 200 "$BENCH_HOME/bin/umlcage" session exec bench -- true
	umlcage session stop bench
	each_takes true-host 200 /bin/true
}

bench_native()
{
	# shellcheck disable=SC2086
	"$micro" -n 3 $some | medians host
}

bench_hand_over()
{
	"$BENCH_PROGS/host-handover" -n 3 | medians host
}

bench_in_cage()
{
	# shellcheck disable=SC2086
	micro_in_cage -- $some | medians cage
}

bench_in_cage_with_two_cpus()
{
	micro_in_cage --cpus 2 -- getppid | medians cage-2-cpus
}

# where no other processor can be waited on
bench_on_one_processor()
{
	(stay_on_one_processor && micro_in_cage -- getppid) | medians one-processor
}

bench_without_fast_calls()
{
	micro_in_cage --no-fast-calls -- getppid | medians signals
}

# plainly SUFFIX PARAMETER...
plainly()
{
	local suffix=$1 kernel
	shift
	kernel=$(umlcage kernel show --json | sed 's/.*"path":"\([^"]*\)".*/\1/')
	(cd "$BENCH_PROGS" && "$kernel" mem=512M initrd=micro.cpio con=null con0=null,fd:1 quiet \
		"$@" -- -n 1 getppid) </dev/null 2>&1 | tr -d '\r' | medians "$suffix"
}

bench_started_plainly()
{
	plainly plainly seccomp=on
}

bench_started_plainly_with_two_cpus()
{
	plainly plainly-2-cpus seccomp=on ncpus=2
}

bench_started_plainly_with_ptrace()
{
	plainly ptrace seccomp=off
}

bench_stdio()
{
	timed 100-MB-to-and-from through_cat
}

through_cat()
{
	head -c 100000000 /dev/zero | umlcage run -- cat
}
