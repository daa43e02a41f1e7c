# SPDX-License-Identifier: GPL-2.0-or-later
# Processes of the host that belong together, for tests and benchmarks.

# the pids of what a process has started, and of what that has
below()
{
	local child
	for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
		echo "$child"
		below "$child"
	done
}

# of a supervisor, the first that it started
kernel_of()
{
	local child
	for child in $(cat "/proc/$1/task/$1/children"); do
		echo "$child"
		return
	done
	return 1
}

# kilobytes of memory that the processes have together, each its part of what it shares
pss()
{
	local pid
	for pid in "$@"; do
		cat "/proc/$pid/smaps_rollup" 2>/dev/null
	done | awk '$1 == "Pss:" { kb += $2 } END { print kb }'
}
