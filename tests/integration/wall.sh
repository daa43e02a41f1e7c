# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# The second wall: the kernel's process in namespaces of its own.

has_namespaces()
{
	unshare --user --mount --pid --ipc --net --uts --fork true 2>/dev/null ||
		host_cannot "no namespaces for users here"
}

kernel_of()
{
	pgrep -P "$1" -f '^linux mem='
}

# namespaces: yes
# without landlock=0: --require-jail=full wants Landlock, too
# without filter: and filters
test_full_wall_stands()
{
	has_namespaces
	mkdir share
	echo mine >share/file
	run_exec --require-jail=full --bind share:/mnt -- \
		sh -c 'echo theirs >/mnt/file; mkdir /mnt/d; echo ready; read -r line' <<<"" >out 2>err ||
		{ cat err; fail "it does not start"; }
	equal "" "$(cat err)" "what it says"
	equal theirs "$(cat share/file)"
	mkfifo hold
	run_exec --require-jail=full -- sh -c 'echo ready; read -r line' <hold >out &
	exec 7>hold
	within 30 grep -q ready out
	local kernel namespace
	kernel=$(kernel_of $!)
	for namespace in user mnt pid ipc net uts; do
		[ "$(readlink /proc/self/ns/$namespace)" != "$(readlink /proc/$kernel/ns/$namespace)" ] ||
			fail "the kernel is in the host's $namespace namespace"
	done
	equal 0000000000000000 "$(sed -n 's/^CapEff:\t//p' /proc/$kernel/status)" capabilities
	! grep -q " / /home\| / /tmp\| / / [^-]* - ext" /proc/$kernel/mountinfo ||
		fail "something of the host is mounted"
	echo >&7
	wait $!
}

# namespaces: yes
# without landlock=0: --require-jail=full wants Landlock, too
# without filter: and filters
test_panic_ends_it()
{
	has_namespaces
	status 125 run --require-jail=full -- sh -c 'echo c >/proc/sysrq-trigger; sleep 30' 2>err
	contains panic err
}

# namespaces: yes
# without landlock=0: --require-jail=full wants Landlock, too
# without filter: and filters
test_nothing_is_left_of_a_killed_supervisor()
{
	has_namespaces
	run_exec --require-jail=full -- sh -c 'sleep 1000 & sleep 1000 & echo ready; wait' >out &
	local pid=$! kernel
	within 30 grep -q ready out
	kernel=$(kernel_of $pid)
	kill -9 $pid
	wait $pid || true
	within 10 test ! -e /proc/$kernel
}

# What is not to be written cannot be, not even by a kernel that would: it is mounted so.
# namespaces: yes
# without landlock=0: --require-jail=full wants Landlock, too
# without filter: and filters
test_shares_to_be_read_are_mounted_so()
{
	has_namespaces
	mkdir ro rw
	mkfifo hold
	run_exec --require-jail=full --bind ro:/ro:ro --bind rw:/rw -- \
		sh -c 'echo ready; read -r line' <hold >out &
	exec 7>hold
	within 30 grep -q ready out
	local kernel
	kernel=$(kernel_of $!)
	equal 1 "$(grep -c '/work/ro /shares/[0-9]* ro,' /proc/$kernel/mountinfo)" "ro, read-only"
	equal 1 "$(grep -c '/work/rw /shares/[0-9]* rw,' /proc/$kernel/mountinfo)" "rw, to be written"
	echo >&7
	wait $!
}

test_host_without_namespaces()
{
	run --require-jail -- true 2>err || { cat err; host_cannot "Landlock is too old"; }
	equal "" "$(cat err)"
	status 125 run --require-jail=full -- true 2>err
	contains "namespaces" err
	status 2 run --require-jail=some -- true 2>err
	contains "neither basic nor full" err
}
