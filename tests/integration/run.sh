# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# umlcage run: stdio to the byte, exit status, limits, environment.

test_root_of_its_own_kernel()
{
	run -- sh -c 'id -u; id -g; uname -s; uname -r' >out
	equal "0 0 Linux" "$(head -n 3 out | tr '\n' ' ' | sed 's/ $//')"
	local major minor
	IFS=. read -r major minor _ <<<"$(tail -n 1 out)"
	[ $((major * 100 + ${minor%%[!0-9]*})) -ge 702 ] || fail "kernel $major.$minor is too old"
	[ "$(uname -r)" != "$(tail -n 1 out)" ] || fail "this is the host's kernel"
}

test_nothing_is_said_when_all_is_well()
{
	run -- true >out 2>err
	[ ! -s out ] || fail "stdout: $(cat out)"
	equal "" "$(said err)" stderr
}

test_exit_status_is_the_commands()
{
	status 0 run -- true
	status 1 run -- false
	status 7 run -- sh -c 'exit 7'
	status 255 run -- sh -c 'exit 255'
	status 137 run -- sh -c 'kill -9 $$'
	status 143 run -- sh -c 'kill -TERM $$'
	status 134 run -- sh -c 'kill -ABRT $$'
}

test_command_that_cannot_start()
{
	status 127 run -- no-such-command 2>err
	contains "no-such-command" err
	equal 1 "$(said err | wc -l)" "lines on stderr"
	status 127 run -- /no/such/command 2>err
	contains "/no/such/command" err
	status 126 run -- /etc 2>err
	contains "/etc" err
	status 126 run -- /proc/version 2>err
	contains "/proc/version" err
}

test_time_limit()
{
	local began=$SECONDS
	status 124 run --timeout 1 -- sleep 100 2>err
	[ $((SECONDS - began)) -le 10 ] || fail "took $((SECONDS - began)) s"
	contains "time" err
	status 0 run --timeout 50 -- sleep 1
	status 3 run --timeout 50 -- sh -c 'exit 3'
}

test_time_limit_ends_one_that_ignores_signals()
{
	status 124 run --timeout 1 -- sh -c 'trap "" TERM INT HUP; while :; do sleep 1; done'
}

test_three_bytes_with_a_zero()
{
	equal "0000000   a  \0   b 0000003" \
		"$(printf 'a\0b' | run -- cat | od -c | tr '\n' ' ' | sed 's/ $//')"
}

test_every_byte_both_ways()
{
	head -c 3000000 /dev/urandom >in
	run -- cat <in >out
	cmp in out
	run -- sh -c 'cat >&2' <in 2>err >out
	said err | cmp in -
	[ ! -s out ] || fail "stdout has something"
}

test_hundred_mebibytes_through()
{
	head -c 104857600 /dev/urandom | tee >(sha256sum >want) | run -- cat | sha256sum >got
	within 5 test -s want
	equal "$(cat want)" "$(cat got)" sha256
}

test_streams_are_separate()
{
	run -- sh -c 'echo one; echo two >&2; echo three' >out 2>err
	equal "one three" "$(tr '\n' ' ' <out | sed 's/ $//')" stdout
	equal two "$(said err)" stderr
}

test_both_streams_at_once()
{
	run -- sh -c 'head -c 5000000 /dev/zero & head -c 5000000 /dev/zero >&2; wait' >out 2>err
	equal 5000000 "$(stat -c %s out)" "bytes on stdout"
	equal 5000000 "$(said err | wc -c)" "bytes on stderr"
}

test_input_that_ends_and_input_not_wanted()
{
	equal 0 "$(run -- wc -c </dev/null | tr -d ' ')" "bytes of /dev/null"
	status 0 run -- true < <(yes)
	equal "y" "$(yes 2>/dev/null | run -- head -n 1)"
	status 0 run -- cat <&- >out
	[ ! -s out ] || fail "a closed stdin gave something"
}

test_output_nobody_reads()
{
	(run -- yes || true) | head -n 3 >out
	equal 3 "$(wc -l <out)" lines
	status 0 run -- echo x >/dev/null
	run -- echo x >/dev/full 2>err && fail "a full device went unnoticed" || true
	[ -s err ] || fail "nothing was said about it"
}

test_background_process_does_not_hold_the_run()
{
	local began=$SECONDS
	status 5 run -- sh -c 'sleep 1000 >/dev/null 2>&1 </dev/null & exit 5'
	[ $((SECONDS - began)) -le 10 ] || fail "took $((SECONDS - began)) s"
}

test_environment()
{
	SECRET=x LD_PRELOAD='' run -- env >out
	! grep -q SECRET out || fail "the host's environment got in"
	grep -q '^PATH=.*/bin' out || fail "no PATH"
	equal "b c" "$(run --env A='b c' --env B=d -- sh -c 'echo "$A"')"
	equal "/tmp" "$(run --workdir /tmp -- pwd)"
	status 126 run --workdir /no/such -- pwd 2>err
	contains "/no/such" err
}

test_arguments_arrive_as_they_are()
{
	run -- sh -c 'for a; do echo "<$a>"; done' sh '' 'a b' '*' $'new\nline' '$HOME' '--x' >out
	printf '<%s>\n' '' 'a b' '*' $'new\nline' '$HOME' '--x' | cmp - out
}

test_another_user()
{
	equal "1000 1000" "$(run --user 1000:1000 -- sh -c 'echo $(id -u) $(id -g)')"
	status 126 run --user nobody-of-that-name -- true 2>err
	contains "nobody-of-that-name" err
}

test_changes_are_thrown_away()
{
	status 0 run -- sh -c 'echo x >/etc/kept && cat /etc/kept' >out
	equal x "$(cat out)"
	status 1 run -- test -e /etc/kept
}

# without filter: --ptrace allows one virtual CPU
test_memory_and_processors()
{
	local kb least=240000
	# a debugging kernel has much to write down
	[ -z "${UMLCAGE_TEST_REPORTS-}" ] || least=180000
	kb=$(run --memory 300M -- sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
	[ "$kb" -gt $least ] && [ "$kb" -le 307200 ] || fail "300M gave $kb kB"
	equal 2 "$(run --cpus 2 -- grep -c '^processor' /proc/cpuinfo)" processors
}

# what the kernel takes for memory, and describes page by page, is no more than was asked for,
# unless the host insists on random places, as containers do
test_memory_is_all_there()
{
	local memory
	memory=$(run --memory 512M -- dmesg | sed -n 's|.* Memory: [0-9]*K/\([0-9]*\)K available.*|\1|p')
	if setarch -R true; then
		equal $((512 * 1024)) "$memory" "kilobytes"
	else
		[ "$memory" -ge $((512 * 1024)) ] || fail "512M gave $memory kB"
	fi
}

# what supervises a cage has no code that fetches, unpacks or solves, in memory or on disk; what
# a session's client is needs no library but libc
test_supervisor_is_small()
{
	run_exec -- sh -c 'echo up; exec sleep 1000' >up &
	within 60 [ -s up ]
	cat /proc/$!/maps >maps
	kill $!
	wait || true
	contains umlcage-cage maps
	contains libslirp maps
	! grep -E 'lib(curl|archive|solv|rpm|ssl)' maps || fail "libraries that a cage does not need"
	! strings -a "${UMLCAGE%/bin/umlcage}/libexec/umlcage/umlcage-cage" |
		grep -E '^(curl_easy_|archive_read_|solver_)' || fail "code that a cage does not need"
	equal libc.so.6 "$(objdump -p "$UMLCAGE" | sed -n 's/^ *NEEDED *//p')" "libraries of a client"
}

# the programs are one to who uses them, wherever they are
test_programs_find_each_other()
{
	ln -s "$UMLCAGE" here
	matches "umlcage *" "$(./here version)"
	status 2 ./here rnu 2>err
	contains "did you mean 'run'?" err
	cp "$UMLCAGE" alone
	status 1 ./alone version 2>err
	contains "umlcage-make" err
	contains "make install" err
	status 125 ./alone run true 2>err
	contains "umlcage-cage" err
	./alone session exec --help >out
	contains 'usage: umlcage session exec' out
	"$UMLCAGE" help run >out
	contains 'umlcage run' out
}

# what is missing is made by the other, with nothing on stdout, and its failure is told once
test_what_is_missing_is_made_first()
{
	mkdir -p tree/bin
	tar -C tree -cf tree.tar .
	status 127 run --root tree.tar -- nothing-there >out 2>err
	[ ! -s out ] || fail "on stdout: $(cat out)"
	head -c 10000 tree.tar | gzip | head -c 100 >broken.tgz
	status 125 run --root broken.tgz -- true >out 2>err
	equal 1 "$(said err | grep -c '^umlcage: ')" "messages"
	contains broken.tgz err
	matches '*/umlcage/roots/*' "$("$UMLCAGE" root prepare tree.tar)"
}

test_signals_reach_the_command()
{
	run_exec -- sh -c 'trap "echo got; exit 9" TERM; echo ready; while :; do sleep 0.1; done' >out &
	local pid=$! got=0
	within 30 grep -q ready out
	kill -TERM $pid
	wait $pid || got=$?
	equal 9 $got status
	contains got out
}

test_second_interrupt_ends_the_stubborn()
{
	run_exec -- sh -c 'trap "" INT TERM; echo ready; while :; do sleep 0.1; done' >out 2>err &
	local pid=$! got=0
	within 30 grep -q ready out
	for _ in 1 2 3; do
		kill -TERM $pid 2>/dev/null || true
		sleep 0.3
	done
	wait $pid || got=$?
	[ $got -ne 0 ] || fail "ended with 0"
}

# follow OPTIONS -- COMMAND: in the background, called by a timeout that is killed, from a script
# that holds a lock
follow()
{
	rm -f out	# of the one before, which was ready
	(
		exec 9>lock
		flock -n 9
		export -f run_exec
		timeout --foreground 600 "$BASH" -c 'run_exec "$@"' bash "$@" >out 2>err &
		echo $! >timeout.pid
	)
	within 120 grep -q ready out
	! flock -n lock true || fail "nobody has the lock"
	kill -KILL "$(cat timeout.pid)"
}

# limit: 600
test_ends_with_its_parent()
{
	follow --die-with-parent -- sh -c 'trap "echo asked; exit" TERM; echo ready; while :; do sleep 0.1; done'
	within 120 flock -n lock true
	contains asked out
	contains 'as what started umlcage has ended' err
	follow --die-with-parent -- sh -c 'trap "" TERM HUP; echo ready; while :; do sleep 0.1; done'
	within 120 flock -n lock true
	# a script that waits for timeout, which does not end with it
	cat >script <<-'END'
		exec 9>lock
		flock -n 9
		timeout 600 "$BASH" -c 'run_exec "$@"' bash "$@" >out 2>err
		echo "$?" >went-on
	END
	export -f run_exec
	for trap in 'echo asked; exit' ''; do
		rm -f out
		"$BASH" script --die-with-parent -- \
			sh -c "trap '$trap' TERM HUP; echo ready; while :; do sleep 0.1; done" &
		within 120 grep -q ready out
		! flock -n lock true || fail "nobody has the lock"
		kill -TERM $!
		within 120 flock -n lock true
		[ -z "$trap" ] || contains asked out
		[ ! -e went-on ] || fail "the script went on"
		wait $! || :
	done
}

# as a run leaves it that is killed before the folder is a share
test_share_in_an_empty_folder()
{
	mkdir empty full
	touch full/file
	run --share empty:/mnt -- touch /mnt/made
	[ -e empty/made ] || fail "nothing was made in the share"
	status 125 run --share full:/mnt -- true 2>err
	contains "'full' is not a share" err
	contains "'umlcage share import' makes one" err
	equal file "$(ls full)" "what is in the folder"
}

# without filter: it looks for them
test_print_command_starts_nothing()
{
	run --print-command -- no-such-thing >out
	contains "mem=" out
	contains "seccomp=on" out
}

test_bad_use_is_told_from_failure()
{
	status 2 run --nonsense -- true 2>err
	contains "--nonsense" err
	status 2 run --memory=lots -- true 2>err
	contains "lots" err
	status 2 run 2>err
	status 125 run --kernel /no/such/kernel -- true 2>err
	contains "/no/such/kernel" err
	status 125 run --kernel /bin/true -- true 2>err
	contains "/bin/true" err
	status 125 run --root /no/such/root -- true 2>err
	contains "/no/such/root" err
}

# counted NAME: what the kernel counted under that name
counted()
{
	sed 's/[{},]/\n/g' counted.json | sed -n "s/^\"$1\"://p"
}

# without filter: calls of traced processes are not counted
test_what_processes_cost()
{
	# shellcheck disable=SC2016
	run --stats=counted.json -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true; done; sleep 1'
	[ "$(($(counted call_signals) + $(counted call_jumps)))" -ge 300 ] || fail "few system calls"
	[ "$(counted host_maps)" -ge 100 ] || fail "few mappings"
	[ "$(counted stubs_reused)" -ge 10 ] || fail "few processes"
	[ "$(counted ns_idle)" -ge 500000000 ] || fail "it has not slept: $(cat counted.json)"
	# on stderr, and also of who ends badly
	status 3 run --stats -- sh -c 'exit 3' 2>err
	matches '*[1-9]*' "$(grep '^call_signals ' err)"
	status 125 run --stats=/no/such/folder/file -- true 2>err
	contains /no/such/folder/file err
}

# Memory is taken from the host in large pages, which it may have none of.
# without filter: none are counted with --ptrace
test_memory_in_large_pages()
{
	printf '6.1\n%s\n' "$(uname -r)" | sort -CV && grep -q '^ShmemHugePages' /proc/meminfo ||
		host_cannot "it has no large pages for files in memory, or not on demand (Linux 6.1)"
	run --stats=counted.json -- sh -c 'head -c 100M /dev/zero >/tmp/file && cksum </tmp/file' >out
	echo "$(head -c 100M /dev/zero | cksum)" | cmp - out || fail "it is not what was written: $(cat out)"
	[ "$(counted large_pages)" -ge 20 ] || fail "$(counted large_pages) large pages for 100 MB"
}

# A program that was just written, as a compiler does, is in as few pieces as one that was read.
test_written_programs()
{
	local read
	# shellcheck disable=SC2016
	local work='cat /bin/bash | cat >/tmp/written && chmod 755 /tmp/written &&
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do $0 -c :; done'
	run --stats=counted.json -- sh -c "$work" /bin/bash
	read=$(counted host_maps)
	run --stats=counted.json -- sh -c "$work" /tmp/written
	[ "$(counted host_maps)" -le $((read * 3 / 2)) ] ||
		fail "$read mappings of a program that was read, $(counted host_maps) of one that was written"
}

test_console_is_shown_when_wanted()
{
	run --console -- true 2>err
	contains "Linux version" err
}

# each NAME COMMAND [FIRST]: how often the kernel counted NAME for twenty COMMANDs, after FIRST
each()
{
	local times few
	for times in 2 22; do
		run --stats=counted.json -- sh -c "${3-:}
			i=0; while [ \$i -lt $times ]; do $2; i=\$((i + 1)); done"
		[ "$times" -gt 2 ] || few=$(counted "$1")
	done
	echo $(($(counted "$1") - few))
}

# A mapping of the host for each segment: 22 each, however the file came into memory
test_programs_in_one_piece()
{
	local maps
	# shellcheck disable=SC2016
	maps=$(each host_maps '/bin/bash -c :' 'echo 3 >/proc/sys/vm/drop_caches; i=300
		while [ $i -gt 0 ]; do dd if=/bin/bash of=/dev/null bs=4096 count=1 skip=$i status=none
			i=$((i - 1)); done')
	[ "$maps" -le $((20 * 35)) ] || fail "$maps mappings for 20 programs"
}

# What the last child faulted on is there: 13 faults each; 62 where each has to find out
test_children_of_a_shell()
{
	local faults
	# shellcheck disable=SC2016
	faults=$(each fault_signals 'x=$(echo a | sed s/a/b/)')
	[ "$faults" -le $((20 * 35)) ] || fail "$faults faults of 20 pipes"
}

test_clock_of_its_own()
{
	local now time
	equal "2031-05-06 07:08" "$(run --clock=2031-05-06T07:08 -- date -u '+%F %R')"
	equal 2001-09-09 "$(run --clock=@1000000000 -- date -u +%F)"
	now=$(run -- date +%s)
	[ $(($(date +%s) - now)) -lt 600 ] || fail "the host's clock: $now"
	for time in tomorrow 2031-13-01 @ @x 1960-01-01 2031-05-06T; do
		status 2 run --clock=$time -- true 2>err
		contains "'$time' is not a time after 1970" err
	done
}
