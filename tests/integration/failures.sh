# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# What goes wrong in a cage or with it is named: its cause, the console where that helps.

# shellcheck source=tests/support/processes.sh
. "$TESTS_DIR/support/processes.sh"

# reports: the panic
test_panic_is_named_with_the_console()
{
	status 125 run -- sh -c 'echo c >/proc/sysrq-trigger; sleep 30' 2>err
	cat err
	grep -qi 'panic' err || fail "no word of a panic"
	contains "sysrq" err
}

test_killed_kernel_is_named()
{
	run_exec -- sh -c 'echo ready; sleep 1000' >out 2>err &
	local pid=$! got=0
	within 30 grep -q ready out
	kill -9 "$(kernel_of $pid)"
	wait $pid || got=$?
	cat err
	equal 125 $got status
	contains "signal 9" err
}

# reports: what was killed, and for whom
test_out_of_memory_inside_is_named()
{
	local got=0
	run --memory "$(little 96)" -- sh -c 'x=x; while :; do x=$x$x; done' 2>err || got=$?
	cat err
	equal 137 $got status
	grep -qi 'memory' err || fail "no word of memory"
}

test_too_little_memory_to_boot()
{
	status 2 run --memory 4M -- true 2>err
	contains "--memory" err
}

test_root_that_is_no_root()
{
	head -c 5000000 /dev/urandom >noise.img
	status 125 run --root noise.img -- true 2>err
	cat err
	contains "noise.img" err
	mkdir empty
	local got=0
	run --root empty -- true 2>err || got=$?
	cat err
	[ $got -ge 125 ] || fail "an empty root ran something"
}

test_descriptor_limit()
{
	(
		ulimit -n 64
		local got=0
		run -- true 2>err || got=$?
		[ $got -eq 0 ] || { equal 125 $got status; cat err; [ -s err ]; }
	)
}

# limits of the host that leave no room for the guest's memory
test_limits_of_memory_and_files()
{
	(
		ulimit -f 250000
		status 125 run -- true 2>err
		contains "ulimit -f" err
		contains "--memory" err
		# random places, where the host insists on them, may make it larger
		run --memory "$(little 64)" -- true 2>err || contains "ulimit -f" err
	)
	(
		ulimit -v 800000
		status 125 run -- true 2>err
		contains "ulimit -v" err
		contains "--memory" err
	)
	equal 1 "$(said err | wc -l)" "lines on stderr"
}

# Each guest process costs a descriptor of the host: the one too many is told to try again.
test_more_processes_than_descriptors()
{
	ulimit -n 512
	run -- perl -e 'while (defined($p = fork)) { sleep 1000, exit if !$p; $n++ }' \
		-e 'print "$n, then ", $!{EAGAIN} ? "EAGAIN" : "$!", "\n"; kill 9, -1' >out || true
	cat out
	contains "then EAGAIN" out
	[ "$(cut -d, -f1 out)" -gt 200 ] || fail "so few"
}

# A fork bomb ends at the limits of its cage, which stays one that can be stopped.
test_fork_bomb_is_stopped()
{
	ulimit -n 1024
	local got=0
	run --timeout 8 --memory 512M -- perl -e 'while (1) { fork }' || got=$?
	# by the time limit, or before it by the end of its memory
	[ $got -eq 124 ] || [ $got -eq 137 ] || fail "it ended with $got"
	status 0 run -- true
}

test_runtime_folder_that_cannot_be_used()
{
	touch file
	XDG_RUNTIME_DIR=$T/file TMPDIR=/no/such run -- true 2>err || true
	! grep -qi 'assert\|segmentation' err || fail "$(cat err)"
}
