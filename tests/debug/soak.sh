# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
#
# Calls, threads, processes, forks, programs that were just written and more memory than there
# is, again and again for two minutes (UMLCAGE_TEST_SCALE=500 for ten); for the debugging kernel
# of `make check-debug`, whose console must stay silent.  Also of use on any other kernel.

# soak CPUS
soak()
{
	run --cpus "$1" --memory "$(little 704)" --bind "$GUEST_PROGRAMS:/g:ro" \
		--env CPUS="$1" --env SECONDS_LEFT="$(scaled 120)" -- sh -euc '
		try() { "$@" >/tmp/out 2>&1 || { echo "failed: $*"; tail -n 5 /tmp/out; exit 1; }; }
		end=$(($(date +%s) + SECONDS_LEFT)) rounds=0
		until [ $rounds -gt 0 ] && [ "$(date +%s)" -ge $end ]; do
			try /g/guest-calls replaced
			try /g/guest-sites mappings
			try /g/guest-memory $((rounds + 1))
			[ "$CPUS" -eq 1 ] || try /g/guest-threads
			try /g/guest-stamina one 16
			try /g/guest-stamina threads 3 16
			try /g/guest-stamina procs 3 16
			try /g/guest-stamina forks 2
			i=0
			while [ $((i += 1)) -le 25 ]; do
				cat /bin/bash | cat >/tmp/bash
				chmod 755 /tmp/bash
				try /tmp/bash -c "echo | cat | /bin/true"
				try cmp /bin/bash /tmp/bash
				rm /tmp/bash
			done
			! head -c 2G /dev/zero >/tmp/full 2>/dev/null || { echo "2 GB fit"; exit 1; }
			rm /tmp/full
			cat /usr/bin/[a-d]* >/tmp/many
			sha256sum /tmp/many >/tmp/sum
			try sha256sum -c --quiet /tmp/sum
			rm /tmp/many
			rounds=$((rounds + 1))
		done
		echo "rounds: $rounds"' >out || { cat out; fail "with $1 virtual CPU(s)"; }
	cat out
	grep -Eqx 'rounds: [1-9][0-9]*' out || fail "it did not say how many rounds"
}

# limit: 600
test_one_virtual_cpu()
{
	soak 1
}

# limit: 600
test_two_virtual_cpus()
{
	[ "$(nproc)" -gt 1 ] || host_cannot "one processor runs one thread at a time"
	soak 2
}
