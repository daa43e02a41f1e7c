# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# The network of a cage: out through the host, published ports in, the host out of reach.
# The servers on the host are this file's own, in bash and perl, on ports the host gives.

# listen_on ADDRESS FILE: accepts on a free port, answers each line with "got LINE";
# the port goes into FILE
listen_on()
{
	perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => $ARGV[0], LocalPort => 0,
			ReuseAddr => 1) or die $@;
		open my $f, ">", "$ARGV[1].new" or die; print $f $s->sockport; close $f;
		rename "$ARGV[1].new", $ARGV[1] or die;
		$SIG{ALRM} = sub { exit }; alarm 100;
		while (my $c = $s->accept) { my $l = <$c>; print $c "got $l" if defined $l; close $c }
	' "$1" "$2" &
	within 10 test -s "$2"
}

# ask ADDRESS PORT TEXT: one line there, one line back; bash's own sockets
ask()
{
	timeout 10 bash -c 'exec 3<>/dev/tcp/$0/$1 && echo "$2" >&3 && head -n 1 <&3' "$@"
}

end_servers()
{
	# shellcheck disable=SC2046
	kill $(jobs -p) 2>/dev/null || true
	wait || true
}

guest_ask='exec 3<>/dev/tcp/$0/$1 && echo "$2" >&3 && head -n 1 <&3'

test_published_port_answers()
{
	local port
	port=$(free_port)
	run_exec -p "$port:7000" -- perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000) or die $@;
		$| = 1; print "listening\n";
		for (1..2) { my $c = $s->accept; my $l = <$c>; print $c "cage got $l"; close $c }' \
		>out 2>err &
	within 60 grep -q listening out
	equal "cage got one" "$(ask 127.0.0.1 "$port" one)"
	# loopback only, unless an address is given
	local address
	for address in $(hostname -I 2>/dev/null); do
		case $address in *:*) continue ;; esac
		! ask "$address" "$port" no >/dev/null 2>&1 || fail "reachable on $address"
		break
	done
	equal "cage got two" "$(ask 127.0.0.1 "$port" two)"
	wait
}

test_published_port_in_use_is_an_error()
{
	listen_on 127.0.0.1 port
	status 125 run -p "$(cat port):7000" -- true 2>err
	contains "$(cat port)" err
	end_servers
	status 2 run -p 80 -- true 2>err
	status 2 run -p 99999:80 -- true 2>err
	contains "99999" err
	status 2 run --net=none -p 8080:80 -- true 2>err
}

test_restricted_network_still_publishes()
{
	local port
	port=$(free_port)
	run_exec --net=restricted -p "$port:7000" -- perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(Listen => 5, LocalPort => 7000) or die $@;
		$| = 1; print "listening\n"; my $c = $s->accept; my $l = <$c>; print $c "cage got $l"' \
		>out 2>err &
	within 60 grep -q listening out
	equal "cage got one" "$(ask 127.0.0.1 "$port" one)"
	wait
}

test_host_loopback_is_out_of_reach()
{
	listen_on 127.0.0.1 port
	equal "got here" "$(ask 127.0.0.1 "$(cat port)" here)"
	local address
	for address in 127.0.0.1 10.0.2.2 $(hostname -I 2>/dev/null | tr ' ' '\n' | grep -v :); do
		! run -- timeout 5 bash -c "$guest_ask" "$address" "$(cat port)" in >out 2>&1 ||
			fail "the host's server was reached at $address: $(cat out)"
		! grep -q got out || fail "the host's server answered at $address"
	done
	end_servers
}

test_host_is_reached_when_asked_for()
{
	listen_on 127.0.0.1 port
	equal "got in" "$(run --reach-host -- timeout 20 bash -c "$guest_ask" 10.0.2.2 "$(cat port)" in)"
	end_servers
}

test_no_network_is_none()
{
	run --net=none -- sh -c 'cat /proc/net/dev; cat /proc/net/route' >out
	equal 1 "$(grep -c ': ' out)" "interfaces: $(cat out)"
	contains "lo:" out
	equal 1 "$(grep -c Iface out)"
	! grep -q '^vec' out || fail "an interface: $(cat out)"
	status 1 run --net=none -- timeout 5 bash -c 'exec 3<>/dev/tcp/10.0.2.2/1' 2>err
}

test_network_is_configured()
{
	run -- cat /proc/net/route >out
	grep -q '^vec0[[:space:]]00000000' out || fail "no default route: $(cat out)"
	run -- cat /etc/resolv.conf >out
	contains "nameserver" out
	run -- cat /proc/net/dev >out
	! grep -q vec1 out || fail "the control interface can be seen"
}

# what a command does to its own network does not cut its stdio
test_network_can_be_wrecked()
{
	run -- perl -e '
		# SIOCGIFFLAGS, SIOCSIFFLAGS: every interface down, as "ip link set down"
		socket my $s, 2, 2, 0 or die;
		for my $if ("lo", "vec0") {
			my $req = pack "a16 s x14", $if, 0;
			ioctl $s, 0x8913, $req or die "$if: $!";
			my (undef, $flags) = unpack "a16 s", $req;
			$req = pack "a16 s x14", $if, $flags & ~1;
			ioctl $s, 0x8914, $req or die "$if: $!";
		}
		print "down\n"; print STDERR "still here\n"; my $l = <STDIN>; print "read $l"; exit 4' \
		<<<hello >out 2>err || equal 4 $? status
	equal "down read hello" "$(tr '\n' ' ' <out | sed 's/ $//')"
	contains "still here" err
}

test_packages_are_fetched_over_the_network()
{
	command -v apt-get >/dev/null || true
	run --memory 1G -- sh -c 'test -x /usr/bin/apt-get' ||
		host_cannot "the default root has no apt"
	run -- apt-get -q update >out 2>&1 || fail "$(tail -n 5 out)"
	contains "Reading package lists" out
	! grep -qE '^(Err|W:|E:)' out || fail "$(cat out)"
}

# What parses the guest's packets has nothing but sockets, and its death has a cause.
# without filter: what it is kept from are calls
test_network_process_has_nothing_to_lose()
{
	mkfifo hold
	SECRET_TOKEN=sesame run_exec -- sh -c 'echo ready; read -r line' <hold >out 2>err &
	local pid=$! helper got=0
	exec 7>hold
	within 30 grep -q ready out
	helper=$(pgrep -P $pid umlcage-net)
	equal 2 "$(sed -n 's/^Seccomp:\t//p' /proc/$helper/status)" "seccomp mode"
	equal 1 "$(sed -n 's/^NoNewPrivs:\t//p' /proc/$helper/status)" no_new_privs
	equal "" "$(for fd in /proc/$helper/fd/*; do readlink $fd; done |
		grep -v '^socket:\|^/memfd:resolv.conf\|^/dev/null$\|/control-[0-9a-f]* (deleted)$')" "descriptors"
	! grep -q sesame /proc/$helper/environ || fail "it has the environment"
	kill -9 $helper
	wait $pid || got=$?
	cat err
	equal 125 $got status
	contains "helper process" err
	contains "signal 9" err
}

# What is not on the list is refused and written down: by address, another port, UDP, IPv6.
test_only_what_is_allowed_is_reached()
{
	run --net-allow 192.0.2.1:80 --net-allow one.example --net-log log -- perl -MIO::Socket::IP -e '
		sub try { my ($proto, $to, $port) = @_;
			my $s = IO::Socket::IP->new(PeerHost => $to, PeerPort => $port, Proto => $proto,
				Timeout => 2);
			if ($s && $proto eq "udp") { $s->send("x"); sleep 1; $s->send("x") or undef $s; }
			print "$proto $to $port ", $s ? "open" : "shut", "\n"; }
		try("tcp", "192.0.2.1", 81); try("tcp", "198.51.100.7", 80); try("udp", "198.51.100.7", 53);
		try("tcp", "2001:db8::7", 80); try("tcp", "169.254.169.254", 80)' >out
	equal 0 "$(grep -c open out)" "what is open: $(cat out)"
	for at in "tcp - 192.0.2.1 81" "tcp - 198.51.100.7 80" "udp - 198.51.100.7 53" \
		"tcp - 169.254.169.254 80" "tcp - 2001:db8::7 80"; do
		grep -q "^20[0-9TZ:-]* refused $at 0\|^20[0-9TZ:-]* refused $at 1" log ||
			fail "no word of '$at': $(cat log)"
	done
	# the host's own name in the cage
	run --net-log log2 -- perl -MIO::Socket::IP -e 'for my $proto ("udp", "tcp") {
		my $s = IO::Socket::IP->new(PeerHost => "10.0.2.2", PeerPort => 9, Proto => $proto, Timeout => 2);
		$s->send("x") if $s }'
	grep -q "refused udp - 10.0.2.2 9" log2 && grep -q "refused tcp - 10.0.2.2 9" log2 ||
		fail "what is said of the host: $(cat log2)"
	status 2 run --net-allow 'host:http' -- true 2>err
	contains "not a part of a network" err
	status 2 run --net=none --net-log log -- true 2>err
	contains "leads out" err
}

# the host that packages come from, as the cage's own sources name it
find_mirror()
{
	mirrored
	mirror=$(run -- sh -c "sed -n 's#^deb [^h]*http://\([^/]*\)/.*#\1#p' /etc/apt/sources.list" | head -n 1)
	[ -n "$mirror" ] || host_cannot "the mirror is not reached by HTTP"
	mirror=${mirror%:*}
}

test_a_list_with_the_mirror_only()
{
	find_mirror
	run --net-allow "$mirror" --net-log log -- sh -c 'apt-get update >/dev/null && apt-get download hello'
	grep -q " allowed tcp $mirror " log || fail "no word of the mirror: $(cat log)"
	! grep -q refused log || fail "refused: $(cat log)"
}

# a DNS server that knows private.test, which is 10.9.8.7, and what the host does, and that does not
# answer the first NUMBER times; cages that are started from now on ask it (support/nameserver.c)
# private_names [NUMBER]
private_names()
{
	perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(Proto => "udp", LocalAddr => "127.0.0.1", LocalPort => 0) or die $@;
		open my $f, ">", "dns.new" or die; print $f $s->sockport; close $f; rename "dns.new", "dns" or die;
		$SIG{ALRM} = sub { exit }; alarm 600;
		while (defined $s->recv(my $q, 512)) {
			next if $ARGV[0]-- > 0;
			my ($at, @name) = 12;
			while (my $n = ord substr $q, $at, 1) { push @name, substr $q, $at + 1, $n; $at += 1 + $n }
			my ($type, $name) = (unpack("n", substr $q, $at + 1, 2), lc join ".", @name);
			my $a = $name eq "private.test" ? pack("C4", 10, 9, 8, 7) : gethostbyname $name;
			my $answer = $type == 1 && $a ? "\xc0\x0c" . pack("nnNn", 1, 1, 60, 4) . $a : "";
			$s->send(substr($q, 0, 2) . pack("n5", $a ? 0x8180 : 0x8183, 1, length $answer ? 1 : 0, 0, 0) .
				substr($q, 12, $at + 5 - 12) . $answer);
		}' "${1:-0}" &
	within 10 test -s dns
	export LD_PRELOAD=${LD_PRELOAD-}:$HOST_PROGRAMS/nameserver.so UMLCAGE_TEST_NAMESERVER
	UMLCAGE_TEST_NAMESERVER=$(cat dns)
}

# tries PROTO:ADDRESS:PORT...: perl that says what of these is open
tries()
{
	echo 'use IO::Socket::IP;
	for (@ARGV) { my ($proto, $to, $port) = split /;/;
		my $s = IO::Socket::IP->new(PeerHost => $to, PeerPort => $port, Proto => $proto, Timeout => 5);
		if ($s && $proto eq "udp") { $s->send("x"); sleep 1; $s->send("x") or undef $s; }
		print "$proto $to $port ", $s ? "open" : "shut", "\n"; }'
}

# Two addresses, asked of two servers, twice: what a resolver sends by itself before it gives up.
test_answers_that_are_lost()
{
	private_names 8
	run -- getent ahosts private.test >out || fail "nothing: $(cat out)"
	contains "10.9.8.7" out
	end_servers
}

# A name that is answered with a private address opens nothing, whoever wrote it on the list.
test_a_name_does_not_open_what_is_private()
{
	private_names
	tries >tries
	run --net=public --net-allow private.test --net-log log -- perl - 'tcp;private.test;80' \
		'udp;private.test;80' <tries >out
	equal "tcp private.test 80 shut udp private.test 80 shut " "$(tr '\n' ' ' <out)"
	grep -q " refused tcp private.test 10.9.8.7 80 " log && grep -q " refused udp private.test 10.9.8.7 80 " log ||
		fail "what is said of it: $(cat log)"
	end_servers
}

# limit: 900
test_fabrication_reaches_the_mirror_only()
{
	find_mirror
	private_names
	tries >tries
	fabricate -q --no-cache --net --net-allow "$mirror" --net-log log --variant=apt \
		--customize-hook='upload tries /tries' \
		--customize-hook='chroot "$1" apt-get update >/dev/null' \
		--customize-hook='chroot "$1" perl /tries "tcp;198.51.100.7;80" "tcp;2001:db8::7;80" "udp;198.51.100.7;5353" "tcp;169.254.169.254;80" "tcp;private.test;80" >"$1/found"' \
		--customize-hook='download /found found' trixie made
	equal 5 "$(grep -c shut found)" "what is shut: $(cat found)"
	grep -q " allowed tcp $mirror " log || fail "no word of the mirror: $(cat log)"
	for at in "tcp - 198.51.100.7 80" "tcp - 2001:db8::7 80" "udp - 198.51.100.7 5353" \
		"tcp - 169.254.169.254 80" "tcp private.test 10.9.8.7 80"; do
		grep -q "^20[0-9TZ:-]* refused $at " log || fail "no word of '$at': $(cat log)"
	done
	# with none there is nothing for hooks either
	fabricate -q --no-cache --net=none --variant=custom --setup-hook='ls /sys/class/net >"$1/nets"' \
		--setup-hook='download /nets nets' trixie none
	equal lo "$(grep -v '^vec1$' nets)" "interfaces"
	end_servers
}
