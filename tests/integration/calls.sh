# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# System calls however they are handed over: see tests/support/guest-calls.c and
# guest-sites.c.

# checks NUMBER PROGRAM WHAT OPTION...
checks()
{
	local number=$1 program=$2 what=$3
	shift 3
	run "$@" --bind "$GUEST_PROGRAMS:/mnt:ro" -- "/mnt/$program" "$what" >out ||
		{ cat out; fail "something was not kept"; }
	equal "$number" "$(grep -c ' ok$' out)" "checks"
}

# calls WHAT-OF-THE-INSTRUCTIONS OPTION...
calls()
{
	checks 13 guest-calls "$@"
	checks 1 guest-sites mappings "${@:2}"
}

# without filter: instructions of traced processes are not replaced
test_replaced_instructions()
{
	calls replaced
}

# without filter: --ptrace allows one virtual CPU
test_two_processors()
{
	calls replaced --cpus 2
}

# where there is no other processor to wait on
# without filter: instructions of traced processes are not replaced
test_one_host_processor()
{
	local first
	first=$(taskset -pc $BASHPID | sed 's/.*: *//; s/[,-].*//')
	taskset -pc "$first" $BASHPID >/dev/null
	run --print-command -- true >command
	! grep -q 'spare=' command || fail "a spare processor: $(cat command)"
	calls replaced
}

test_untouched_instructions()
{
	calls untouched --no-fast-calls
}

test_ptrace_mode()
{
	calls untouched --ptrace
}

# a signal for each would be 20,000
# counted NAME: of what --stats=stats has written
counted()
{
	sed "s/.*\"$1\":\([0-9]*\),.*/\1/" stats
}

# without filter: --ptrace allows one virtual CPU
test_mappings_without_a_signal()
{
	checks 1 guest-sites mappings --stats=stats
	[ "$(counted call_signals)" -lt 5000 ] ||
		fail "$(counted call_signals) system calls took a signal"
	checks 1 guest-sites mappings --cpus 2
}

# each of many that the kernel counts in one place is replaced at last
# without filter: --ptrace allows one virtual CPU
test_instructions_that_take_turns()
{
	checks 1 guest-sites turns --stats=stats
	[ "$(counted call_signals)" -lt 3000 ] ||
		fail "$(counted call_signals) system calls took a signal"
	checks 1 guest-sites turns --cpus 2
}

# where no jump of two bytes leads to padding, the instruction before is replaced
# without filter: instructions of traced processes are not replaced
test_instructions_without_padding()
{
	checks 3 guest-sites narrow --stats=stats
	# 2,000 are of the check of what must not be replaced
	[ "$(counted call_signals)" -lt 5000 ] ||
		fail "$(counted call_signals) system calls took a signal"
	checks 3 guest-sites narrow --cpus 2
}

# the root is an overlay, which closes the file below later than its own
# without filter: --ptrace allows one virtual CPU
test_a_file_closed_without_a_signal()
{
	checks 1 guest-sites closed --stats=stats
	[ "$(counted registers_fetched)" -lt 500 ] ||
		fail "registers were fetched $(counted registers_fetched) times"
	checks 1 guest-sites closed --cpus 2
}

# see tests/support/guest-memory.c; what is only protected is one call of the host for many pages
# without filter: --ptrace allows one virtual CPU
test_protections()
{
	local option
	for option in "--cpus 2" --ptrace "--stats=stats"; do
		# shellcheck disable=SC2086
		run $option --bind "$GUEST_PROGRAMS:/mnt:ro" -- /mnt/guest-memory >out ||
			{ cat out; fail "memory with $option"; }
		equal 3 "$(grep -c ' ok$' out)" "checks with $option"
	done
	[ "$(counted host_protects)" -gt 1000 ] ||
		fail "the host was told of $(counted host_protects) protections"
}

# without filter: instructions of traced processes are not replaced
test_calls_of_other_kinds()
{
	checks 2 guest-sites foreign
	checks 2 guest-sites foreign --no-fast-calls
}

# see tests/support/guest-threads.c
# without filter: --ptrace allows one virtual CPU
test_threads_at_once()
{
	[ "$(nproc)" -gt 1 ] || host_cannot "one processor runs one thread at a time"
	run --cpus 2 --bind "$GUEST_PROGRAMS:/mnt:ro" -- /mnt/guest-threads >out || {
		cat out
		fail "threads do not have one memory"
	}
	equal 7 "$(grep -c ' ok$' out)" "checks"
}

# most of what costs between two calls is the kernel's own code: see patches/smp, patches/calls
test_code_of_the_kernel()
{
	local kernel
	kernel=$(test_kernel)
	objdump -d --no-show-raw-insn "$kernel" >code
	awk '$2 == "mfence" || $2 == "lfence" { fences++ }
		$2 == "call" { calls++; indirect += $3 ~ /^\*%/ }
		END { print fences + 0, calls + 0, int(100 * indirect / calls) }' code >counts
	read -r fences calls indirect <counts
	[ "$calls" -gt 10000 ] || fail "only $calls calls found in '$kernel'"
	[ "$fences" -lt 500 ] || fail "the kernel has $fences fences"
	[ "$indirect" -lt 20 ] || fail "$indirect % of the kernel's calls go by a register"
}
