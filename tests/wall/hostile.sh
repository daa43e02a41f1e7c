# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# A kernel that has been taken over, against the user's files, processes, sockets and network:
# see guest-hostile.c for the table, lacks.c for hosts that this one is not.

# home: what is the user's ("home") and, in it, what is the cage's ("share", "ro").
make_home()
{
	mkdir -p home/dir home/empty home/share home/ro
	echo secret >home/secret
	ln -s secret home/link
	for name in goes-1 goes-2 goes-3 ro/file ro/goes ro/moves; do
		echo kept >home/$name
	done
	ln -s file home/ro/link
	for name in secret ro/file; do
		perl -e 'syscall(188, my $path = $ARGV[0], my $name = "user.s", my $value = "x", 1, 0) and die $!' home/$name
	done
	perl -MSocket -MIO::Socket -e '$| = 1;
		socket my $s, AF_UNIX, SOCK_DGRAM, 0; bind $s, pack_sockaddr_un("home/sock") or die;
		my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 9) or die;
		print $l->sockport, "\n"; my $r = ""; vec($r, fileno $_, 1) = 1 for $s, $l;
		select my $got = $r, undef, undef, undef; print "reached\n"; sleep 1000' >ports &
	listener=$!
	setsid sleep 1000 &
	victim=$!
	within 10 test -s ports
	read -r port <ports
	within 10 grep -q '^Name:.sleep' /proc/$victim/status
	bait=$(sed -n 's/^\([0-9a-f]*\)-.*\[stack\]$/0x\1/p' /proc/$victim/maps)
}

# What of the user's is there and how it is, to be compared.
look()
{
	find home -path home/share -prune -o -printf '%p %y %m %s %T@ %l\n' | sort
	cat home/secret home/ro/file
	cat /proc/$victim/limits | grep 'open files'
	taskset -p $victim | sed 's/.*://'
	ps -o ni= -p $victim
}

# hostile WALLS LACKS OPTION...: runs the table; WALLS are what stands.
hostile()
{
	local walls=$1 lacks=$2 status=0
	shift 2
	[ "${UMLCAGE_TEST_KERNEL-}" ] || fail "this needs the kernel of tests/wall: make check-wall"
	make_home
	look >before
	(export LD_PRELOAD=$HOST_PROGRAMS/lacks.so UMLCAGE_TEST_LACKS=$lacks
	 run "$@" --bind "$GUEST_PROGRAMS:/mnt:ro" --bind home/share:/mnt1 --bind home/ro:/mnt2:ro -- \
		/mnt/guest-hostile "$walls" "$PWD/home" $victim "$bait" "$port") >out 2>err || status=$?
	rm -f /dev/shm/hostile
	look >after 2>/dev/null || true
	kill -0 $victim 2>/dev/null && echo alive >>after
	kill $listener $victim 2>/dev/null || true
	[ $status -eq 0 ] || { grep -v '^ok' out || tail -n 1 out; cat err; fail "it ended with $status"; }
	grep -q '^1[0-9][0-9] rows, 0 bad' out || { cat out err; fail "it did not come to its end"; }
}

# Nothing of the user's has changed.
untouched()
{
	echo alive >>before
	diff -u before after || fail "something of the user's was changed"
	! grep -q reached ports || fail "a socket of the user's was reached"
}

abi()
{
	python3 - <<'END' 2>/dev/null || perl -e 'print syscall(444, 0, 0, 1)'
import ctypes; print(ctypes.CDLL(None).syscall(444, 0, 0, 1))
END
}

# The walls of this host without its namespaces.
first_wall()
{
	local abi
	abi=$(abi)
	[ "$abi" -gt 0 ] && printf l
	[ "$abi" -ge 6 ] && printf s
	printf fw
}

# namespaces: yes
test_without_walls_all_of_it_is_done()
{
	hostile - walls --no-namespaces
	grep -q reached ports || fail "no socket was reached"
	! grep -q alive after || fail "a process is alive"
	! cmp -s before after || fail "nothing was changed"
	[ "$(grep -c 'as nothing refuses it here' out)" -gt 100 ] || fail "few rows succeed: $(cat out)"
}

test_first_wall()
{
	hostile "$(first_wall)" ""
	untouched
}

test_first_wall_of_an_older_host()
{
	[ "$(abi)" -ge 2 ] || host_cannot "no Landlock"
	hostile fwl landlock=2
	untouched
}

# files can be opened there, of which a warning tells
test_first_wall_without_landlock()
{
	hostile fw landlock=0
	contains "neither Landlock nor user namespaces" err
	grep -q alive after || fail "a process was killed"
	! grep -q reached ports || fail "a socket of the user's was reached"
}

# full_wall LACKS
full_wall()
{
	unshare --user --mount --pid --ipc --net --uts --fork true 2>/dev/null ||
		host_cannot "no namespaces for users here"
	hostile "$1" "$2"
	untouched
}

# namespaces: yes
test_full_wall()
{
	full_wall "fn$(first_wall | tr -d fw)" ""
}

# namespaces: yes
test_full_wall_of_an_older_host()
{
	full_wall fnl landlock=2
}

# namespaces: yes
test_full_wall_without_landlock()
{
	full_wall fn landlock=0
}
