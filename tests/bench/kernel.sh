# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the kernel of a cage costs: calls, faults and processes with one and two virtual CPUs
# against the host, how much two virtual CPUs do, what a resting cage takes, and what cages
# at work at once take from each other.
#
# promise: system call with one virtual CPU, microseconds: getppid-1-cpu <= 6
# promise: system call with two virtual CPUs, microseconds: getppid-2-cpus <= 6
# promise: system call on each of two virtual CPUs, microseconds: getppid-all-cpus-2-cpus <= 8
# promise: first touch of a page in sequence, microseconds: touch-sequential-1-cpu <= 4
# promise: fork, exit and wait against the host: fork-exit-wait-1-cpu / fork-exit-wait-native <= 2.5
# ratio: fork and exec against the host: vfork-exec-wait-1-cpu / vfork-exec-wait-native
# promise: random touch of 1 GB against 128 MB: touch-random-1g-1-cpu / touch-random-128m-1-cpu <= 3
# promise: xz -T2 with one virtual CPU against two: xz-1-cpu / xz-2-cpus >= 1.7
# promise: make -j2 with one virtual CPU against two: parallel-make-1-cpu / parallel-make-2-cpus >= 1.7
# promise: a resting cage, percent of a CPU: resting-cpu <= 0.2
# promise: a resting cage, MB: resting-memory <= 32
# ratio: work done beside a busy loop on each CPU, of that done alone: work-beside / work-alone
# ratio: the same natively: work-beside-native / work-alone-native
# ratio: the same with nice 10: work-nice / work-alone
# ratio: the same natively, with nice 10: work-nice-native / work-alone-native
# ratio: work done with one CPU of the host, of that with all: work-one-cpu / work-alone
# promise: CPU time of eight cages at once against in a row: eight-at-once / eight-in-a-row <= 1.1
# ratio: the same, against in a row with one processor each: eight-at-once / eight-in-a-row-bound
# ratio: the same with --no-fast-calls: eight-at-once-signals / eight-in-a-row-signals

calls="getppid getppid-all-cpus touch-sequential fork-exit-wait vfork-exec-wait pipe-ping-pong"

setup_kernel()
{
	local i
	umlcage run -- true
	mkdir -p work
	# something to compress, and something to compile
	(cd /usr/bin && tar cf - ./[a-m]*) 2>/dev/null | head -c 24000000 >work/data || true
	for i in 1 2 3 4 5 6 7 8; do
		seq 1 1500 | awk '{ printf "int f%d(int a) { int r = %d; while (a-- > r)" \
			" r += a * %d %% 7; return r; }\n", $1, $1, $1 }' >"work/part$i.c"
	done
	printf 'all: %s\n%%.o: /job/%%.c\n\tgcc -O2 -c -o $@ $<\n' \
		"$(echo part{1,2,3,4,5,6,7,8}.o)" >work/Makefile
	chmod -R a+rX work
}

# in_cage CPUS SUFFIX BENCHMARK...
in_cage()
{
	local cpus=$1 suffix=$2
	shift 2
	micro_in_cage --cpus "$cpus" --memory 2G -- "$@" | medians "$suffix"
}

bench_calls_native()
{
	# shellcheck disable=SC2086
	"$BENCH_PROGS/guest-micro" -n 3 $calls | medians native
}

bench_calls_one_cpu()
{
	# shellcheck disable=SC2086
	in_cage 1 1-cpu $calls
}

bench_calls_two_cpus()
{
	# shellcheck disable=SC2086
	in_cage 2 2-cpus $calls
}

bench_random_touch()
{
	in_cage 1 1-cpu touch-random-128m touch-random-1g
}

# job FIGURE CPUS COMMAND...: the host's tools, in a cage; the time is of the command alone
job()
{
	local figure=$1 cpus=$2
	shift 2
	umlcage run --cpus "$cpus" --memory 2G --bind /usr:/usr:ro --bind "$PWD/work:/job:ro" -- \
		sh -c 'cd /tmp && began=$(date +%s%N) && "$@" >/dev/null && echo $(($(date +%s%N) - began))' \
		sh "$@" | awk -v n="$figure" '{ printf "%s s %.3f\n", n, $1 / 1e9 }'
}

bench_xz()
{
	[ -x /usr/bin/xz ] && [ -L /lib ] || host_cannot "the host has no xz in a merged /usr"
	job xz-1-cpu 1 xz -3 -T2 --block-size=2MiB -c /job/data
	job xz-2-cpus 2 xz -3 -T2 --block-size=2MiB -c /job/data
}

bench_make()
{
	[ -x /usr/bin/gcc ] && [ -L /lib ] || host_cannot "the host has no gcc in a merged /usr"
	job parallel-make-1-cpu 1 make -s -j2 -f /job/Makefile
	job parallel-make-2-cpus 2 make -s -j2 -f /job/Makefile
}

ticks()
{
	local pid
	for pid in "$@"; do
		cat "/proc/$pid/stat" 2>/dev/null
	done | sed 's/.*) //' | awk '{ t += $12 + $13 } END { print t + 0 }'
}

bench_resting()
{
	local pids before after
	umlcage run -- sh -c 'echo up; exec sleep 1000' >up &
	while [ ! -s up ]; do
		sleep 0.1
	done
	sleep 3
	# without this shell's own copy, which waits for it
	pids=$(below $!)
	# shellcheck disable=SC2086
	before=$(ticks $pids)
	sleep 20
	# shellcheck disable=SC2086
	after=$(ticks $pids)
	awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" \
		'BEGIN { printf "resting-cpu %% %.3f\n", t / hz / 20 * 100 }'
	# shellcheck disable=SC2086
	awk -v kb="$(pss $pids)" 'BEGIN { printf "resting-memory MB %.1f\n", kb / 1024 }'
	# the shell's own copy does not take what it started with it
	# shellcheck disable=SC2086
	kill $pids 2>/dev/null || true
	wait || true
}

# what gets done in 4 seconds, with many processes and calls
# shellcheck disable=SC2016
count_work='
	n=0 end=$(($(date +%s) + 4))
	while [ "$(date +%s)" -lt $end ]; do
		head -c 1000000 /dev/zero | sha256sum >/dev/null
		n=$((n + 1))
	done
	echo "$0 times $n"'

bench_work_done()
{
	local i
	sh -c "$count_work" work-alone-native
	umlcage run -- sh -c "$count_work" work-alone
	(stay_on_one_processor && umlcage run -- sh -c "$count_work" work-one-cpu)
	# in sessions of their own, as those of others would be; they end whatever fails here
	loops=()
	trap 'kill "${loops[@]}"' EXIT
	for i in $(seq "$(nproc)"); do
		setsid sh -c 'while :; do :; done' &
		loops+=($!)
	done
	setsid -w sh -c "$count_work" work-beside-native
	umlcage run -- sh -c "$count_work" work-beside
	setsid -w sh -c 'echo 10 >/proc/self/autogroup || true; exec nice -n 10 sh -c "$0" work-nice-native' \
		"$count_work"
	(renice -n 10 $BASHPID >/dev/null && umlcage run -- sh -c "$count_work" work-nice)
}

# work_in_cage OPTION...
work_in_cage()
{
	umlcage run --memory 256M "$@" -- sh -c \
		'i=0; while [ $i -lt 150 ]; do /bin/true; i=$((i + 1)); done; sha256sum /usr/bin/* >/dev/null'
}

# CPU time of the children of process PID so far, seconds
spent()
{
	sed 's/.*) //' "/proc/$1/stat" | awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }'
}

eight_in_a_row()
{
	local i
	for i in 1 2 3 4 5 6 7 8; do
		work_in_cage "$@"
	done
}

eight_at_once()
{
	local i
	for i in 1 2 3 4 5 6 7 8; do
		work_in_cage "$@" &
	done
	wait
}

# eight SUFFIX OPTION...
eight()
{
	local suffix=$1 me=$BASHPID before between after
	shift
	before=$(spent "$me")
	eight_in_a_row "$@"
	between=$(spent "$me")
	eight_at_once "$@"
	after=$(spent "$me")
	awk -v s="$suffix" -v a="$before" -v b="$between" -v c="$after" \
		'BEGIN { printf "eight-in-a-row%s s %.2f\neight-at-once%s s %.2f\n", s, b - a, s, c - b }'
}

bench_eight()
{
	local me=$BASHPID before
	eight ''
	# with no second processor to keep busy while a process runs
	before=$(spent "$me")
	(stay_on_one_processor; eight_in_a_row)
	awk -v a="$before" -v b="$(spent "$me")" \
		'BEGIN { printf "eight-in-a-row-bound s %.2f\n", b - a }'
}

bench_eight_without_fast_calls()
{
	eight -signals --no-fast-calls
}
