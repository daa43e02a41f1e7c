# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Sockets of the host in a cage: --socket.  The programs that use them there are the host's.

# shellcheck source=tests/support/sessions.sh
. "$TESTS_DIR/support/sessions.sh"

wanted()
{
	local program
	for program; do
		[ -x "/usr/bin/$program" ] || host_cannot "there is no $program"
	done
}

with_programs()
{
	run --bind /usr:/usr:ro "$@"
}

# an ssh-agent with a key, until the test ends
ssh_agent()
{
	wanted ssh-agent ssh-add ssh-keygen
	export SSH_AUTH_SOCK=$T/agent
	ssh-agent -D -a "$SSH_AUTH_SOCK" >/dev/null &
	trap 'kill $!' EXIT
	within 10 [ -S "$SSH_AUTH_SOCK" ]
	ssh-keygen -q -t ed25519 -N '' -C 'of the host' -f key
	ssh-add -q key
}

# serves PATH, until the test ends: answers what came, once all has come, backwards
backwards()
{
	# shellcheck disable=SC2016
	perl -MIO::Socket::UNIX -e '
		$SIG{CHLD} = "IGNORE";
		my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 128) or die "$ARGV[0]: $!";
		while (my $c = $l->accept) {
			next if fork;
			local $/;
			my $all = <$c>;
			print $c scalar reverse $all;
			exit 0;
		}' "$1" &
	trap 'kill $!' EXIT
	within 10 [ -S "$1" ]
}

# for the cage: sends its stdin to the socket in $1, ends that way, prints what comes back
# shellcheck disable=SC2016
client='my $s = IO::Socket::UNIX->new(Peer => shift) or die "connect: $!\n"; local $/;
	print $s <STDIN>; $s->flush; shutdown($s, 1); print <$s>'

test_ssh_agent()
{
	ssh_agent
	with_programs --socket ssh-auth -- ssh-add -l >out
	contains "of the host (ED25519)" out
	# another user of the cage, too, who signs with it
	echo text >file
	with_programs --socket ssh-auth --bind "$PWD:/work" -u 33 -C /work -- ssh-keygen -q -Y sign -f key.pub \
		-n test file
	ssh-keygen -Y check-novalidate -n test -s file.sig <file >/dev/null
	# not unless it is asked for
	equal "no, no" "$(run -- sh -c 'echo "${SSH_AUTH_SOCK-no}, $(ls /run/umlcage 2>/dev/null || echo no)"')"
	# what is said with -e counts
	equal /other "$(run --socket ssh-auth -e SSH_AUTH_SOCK=/other -- sh -c 'echo $SSH_AUTH_SOCK')"
}

test_ssh_agent_in_a_session()
{
	ssh_agent
	start web --socket ssh-auth --bind /usr:/usr:ro
	# several at once
	session exec web -- sh -c 'for i in 1 2 3 4 5 6 7 8; do ssh-add -l & done; wait' >out
	equal 8 "$(grep -c 'of the host (ED25519)' out)"
	equal /run/umlcage/ssh-auth "$(session exec -u 33 web -- sh -c 'echo $SSH_AUTH_SOCK')"
	# nobody is there any more: an error there, a line in the log here, and the session goes on
	ssh-add -q -D
	status 1 session exec web -- ssh-add -l >out
	contains "no identities" out
	kill $!
	within 10 [ ! -S "$SSH_AUTH_SOCK" ]
	trap - EXIT
	# by the answer that does not come, or by SIGPIPE if its end comes first
	session exec web -- ssh-add -l >out 2>&1 && fail "there is an answer: $(cat out)"
	session logs web >log
	contains "a connection of the cage does not get through to '$SSH_AUTH_SOCK'" log
	session exec web true
	session stop web
	nothing_left
}

test_gpg_agent()
{
	wanted gpg gpgconf gpg-agent
	export GNUPGHOME=$T/g
	mkdir -m 700 "$GNUPGHOME"
	gpg --batch -q --passphrase '' --quick-gen-key me@example.org ed25519 sign never 2>err ||
		fail "$(cat err)"
	trap 'gpgconf --kill all' EXIT
	gpg -q --export me@example.org >public
	echo text >file
	local user
	for user in 0 33; do
		mkdir -p "home$user"
		with_programs --socket gpg-agent --bind "$PWD:/work" -C /work -u $user -e HOME="/work/home$user" -- \
			sh -ec 'mkdir -p -m 700 ~/.gnupg; gpg -q --import public
				gpg -q -u me@example.org --yes -o file.sig --detach-sign file' 2>err || fail "$(cat err)"
		gpg -q --verify file.sig file 2>err || fail "$(cat err)"
	done
	# by the socket for others, which does not say which keys there are
	with_programs --socket gpg-agent -- gpg-connect-agent 'keyinfo --list' /bye >out 2>&1
	contains Forbidden out
}

test_any_socket()
{
	backwards "$T/socket"
	head -c 3000000 /dev/urandom >data
	with_programs --socket "$T/socket:/srv/here/socket" -i -- perl -MIO::Socket::UNIX -e "$client" \
		/srv/here/socket <data >out
	perl -0777 -ne 'print scalar reverse' data >want
	cmp want out
	# more at once than are joined at a time
	# shellcheck disable=SC2016
	with_programs --socket socket:/run/it -e CLIENT="$client" -- sh -c 'for i in $(seq 100); do
		echo $i | perl -MIO::Socket::UNIX -e "$CLIENT" /run/it & done; wait' >out
	equal "$(seq 100 | sort)" "$(grep -v '^$' out | rev | sort)"
}

test_x11()
{
	backwards "$T/X"
	export DISPLAY=:77
	# only that of a display can be named so: its folder is not ours to make here
	status 125 run --socket x11 true 2>err
	contains "--socket x11: cannot use '/tmp/.X11-unix/X77': No such file" err
	equal olleh "$(printf hello | with_programs --socket "$T/X:/tmp/.X11-unix/X0" -i -- \
		perl -MIO::Socket::UNIX -e "$client" /tmp/.X11-unix/X0)"
	DISPLAY=elsewhere:0 status 125 run --socket x11 true 2>err
	contains "DISPLAY is 'elsewhere:0', which is not a socket of this host" err
}

test_x11_beside_an_init()
{
	backwards "$T/X"
	local kernel=()
	[ -n "${UMLCAGE_TEST_KERNEL-}" ] || kernel=(--kernel "$("$UMLCAGE" kernel build)")
	# which takes /tmp for itself, as systemd does
	cat >init <<-'EOT'
		#!/bin/sh
		trap 'exit 0' TERM INT
		mountpoint -q /tmp || mount -t tmpfs tmpfs /tmp
		echo up >/run/init
		while :; do sleep 1 & wait $!; done
	EOT
	run --keep web --bind "$PWD:/mnt:ro" -- install -m 755 /mnt/init /sbin/init
	start web "${kernel[@]}" --keep web --init --socket "$T/X:/tmp/.X11-unix/X0"
	within 20 session exec web test -e /run/init
	session exec web test -S /tmp/.X11-unix/X0 || fail "there is no socket"
	session stop web
	# where nothing of the host is there, /tmp is what the init makes of it
	start web "${kernel[@]}" --keep web --init
	within 20 session exec web test -e /run/init
	session exec web mountpoint -q /tmp
	session stop web
}

test_nothing_stays_in_the_root()
{
	backwards "$T/socket"
	run --keep changed --socket "$T/socket:/srv/socket" -- sh -c '[ -S /srv/socket ]; touch /srv/mine'
	equal mine "$(run --keep changed -- ls -A /srv)"
	mkdir folder
	status 125 run --bind "$PWD/folder:/work" --socket "$T/socket:/work/socket" true 2>err
	contains "nothing is made unasked" err
	touch folder/socket
	run --bind "$PWD/folder:/work" --socket "$T/socket:/work/socket" -- sh -c '[ -S /work/socket ]'
	[ -f folder/socket ] || fail "the user's file has gone"
}

test_what_cannot_be()
{
	touch file
	(unset SSH_AUTH_SOCK; status 125 run --socket ssh-auth true 2>err)
	contains "SSH_AUTH_SOCK is not set" err
	SSH_AUTH_SOCK=/nowhere status 125 run --socket ssh-auth true 2>err
	contains "--socket ssh-auth: cannot use '/nowhere': No such file" err
	status 2 run --socket ssh-aut true 2>err
	contains "'ssh-aut' is not one of ssh-auth, gpg-agent, x11" err
	contains "did you mean 'ssh-auth'?" err
	status 2 run --socket wayland true 2>err
	contains "run waypipe on both sides" err
	status 2 run --socket file:relative true 2>err
	contains "is not HOST:GUEST with an absolute GUEST" err
	status 125 run --socket "$PWD/file:/run/file" true 2>err
	contains "is not a socket" err
	backwards "$T/socket"
	status 2 run --bind "$T/socket:/run/socket" true 2>err
	contains "is a socket; give it with --socket" err
}
