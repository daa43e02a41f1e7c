# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Fabrications that fail, are interrupted or killed: what is said, and what is left.

# The target is as it was, and nothing of the work remains; its shares are called after pids.
untouched()
{
	equal precious "$(cat x.tar)"
	equal "" "$(find . -maxdepth 1 -name '.x.tar*')" "beside the target"
	if [ -n "${1-}" ]; then
		equal "" "$(find "$XDG_CACHE_HOME/umlcage/work" -mindepth 1 -maxdepth 1 -name "$1.*")" \
			"left of the work"
	fi
}

# limit: 600
test_failing_postinst_is_named()
{
	mirrored
	echo precious >x.tar
	mkdir -p bad/DEBIAN
	printf '%s\n' 'Package: pen-bad' 'Version: 1' 'Architecture: all' 'Maintainer: nobody <n@x>' \
		'Description: fails' >bad/DEBIAN/control
	# (there is no network, as nothing asks for one)
	printf '%s\n' '#!/bin/sh' 'bash -c "exec 3<>/dev/udp/192.0.2.1/9" && echo a way out || echo no way out' \
		'echo the reason in its own words' 'exit 7' >bad/DEBIAN/postinst
	chmod 755 bad bad/DEBIAN bad/DEBIAN/postinst
	dpkg-deb --root-owner-group -b bad bad.deb >/dev/null
	status 5 fabricate --no-cache --variant=essential --include=./bad.deb trixie x.tar 2>err
	contains "package 'pen-bad' could not be installed" err
	contains "exit status 7" err
	contains "the reason in its own words" err
	contains "no way out" err
	untouched
}

# interrupt STAGE WHOM: as soon as the stage begins, the process or, as a terminal does, its group
interrupt()
{
	local pid got=0
	# jobs of their own have a group of their own, and do not ignore the signal
	set -m
	fabricate_exec --no-cache --variant=essential trixie x.tar 2>err &
	pid=$!
	set +m
	until grep -q "^$1" err; do
		kill -0 $pid 2>/dev/null || { cat err; fail "it ended before '$1'"; }
		sleep 0.02
	done
	case $2 in
	process) kill -INT $pid ;;
	group) kill -INT -- -$pid ;;
	esac
	wait $pid || got=$?
	equal 130 $got "status after an interrupt while $1"
	untouched $pid
}

# limit: 900
test_interrupt_at_every_stage()
{
	mirrored
	echo precious >x.tar
	interrupt "reading package lists" process
	interrupt planning group
	interrupt "fetching and unpacking" process
	interrupt configuring group
	interrupt configuring process
	interrupt exporting group
}

test_mirror_that_changed_since_its_index()
{
	"$TESTS_DIR/support/make-archive" "$T/a" >made
	serves "$T/a"
	echo precious >x.tar
	# of an earlier test the package may be there
	export XDG_CACHE_HOME=$T/cache
	set -- --variant=extract --include=pen-plain --keyring="$T/a/key.gpg" pen x.tar
	status 1 fabricate "$@" "http://127.0.0.1:$port/nopool" 2>err
	contains "pen-plain" err
	contains "the mirror may have changed" err
	untouched
	fabricate -q "$@" "http://127.0.0.1:$port/plain"
	tar -tf x.tar ./usr/share/pen-plain/none >list
}

# confined PID: into $readers those children of it that have a filter of system calls
confined()
{
	local child
	readers=
	for child in $(pgrep -P "$1"); do
		if grep -q '^Seccomp:.*2$' "/proc/$child/status" 2>/dev/null; then readers="$readers $child"; fi
	done
	[ -n "$readers" ]
}

# The processes that read packages have no rights, and if they die the reason is told.
# without filter: it knows them by theirs
test_readers_that_are_killed()
{
	local readers child pid got=0
	"$TESTS_DIR/support/make-archive" "$T/a" >made
	serves "$T/a"
	echo precious >x.tar
	export XDG_CACHE_HOME=$T/cache
	fabricate_exec --variant=extract --include=pen-plain --keyring="$T/a/key.gpg" pen x.tar \
		"http://127.0.0.1:$port/waits" 2>err &
	pid=$!
	within 60 grep -q '^fetching and unpacking' err
	within 60 confined $pid
	for child in $readers; do
		equal "0 1 2" "$(ls "/proc/$child/fd" | xargs)" "what a reader has open"
		contains "NoNewPrivs:	1" "/proc/$child/status"
		kill -9 "$child"
	done
	: >"$T/a/go"
	wait $pid || got=$?
	equal 1 $got "status"
	contains "cannot read packages: the process for it ended early (killed by signal 9 (Killed))" err
	contains "it was at 'pen-plain_" err
	untouched $pid
}

# As an ordinary user, on a disk of the size given as root; too small first for the packages,
# then for what a hook adds to them.
# user: root
# leaves: a mount point until its trap has run
test_full_disk_at_every_stage()
{
	local user
	mirrored
	mkdir small
	mount -t tmpfs -o size=70m,mode=1777 none small || host_cannot "cannot mount a tmpfs"
	trap 'umount -l small' EXIT
	: >small/probe
	setfattr -n user.probe -v x small/probe || host_cannot "this kernel's tmpfs has no user xattrs"
	user="setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --bounding-set=-all"
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$user" "$UMLCAGE" >nobody
	chmod 755 nobody
	# the kernel is in the cache that this one takes the place of
	UMLCAGE_TEST_KERNEL=$(test_kernel)
	UMLCAGE=$PWD/nobody
	export XDG_CACHE_HOME=$PWD/small/cache HOME=$PWD/small
	chmod 711 ..
	chmod 1777 .
	echo precious >x.tar
	status 6 fabricate --no-cache --variant=essential trixie x.tar 2>err
	contains "No space left on device" err
	untouched
	equal "" "$(find small/cache/umlcage/work -mindepth 1 ! -name lock)" "left of the work"

	mount -o remount,size=400m small
	status 5 fabricate --no-cache --variant=essential trixie x.tar \
		--essential-hook='head -c 600M /dev/zero >"$1/filling"' 2>err
	contains "No space left on device" err
	untouched
	equal "" "$(find small/cache/umlcage/work -mindepth 1 ! -name lock)" "left of the work"

	# the target's own disk: said before any work
	mkdir tiny
	mount -t tmpfs -o size=20m,mode=1777 none tiny
	trap 'umount -l small tiny' EXIT
	echo precious >tiny/x.tar
	chown 65534 tiny/x.tar
	status 6 fabricate --no-cache --variant=essential trixie tiny/x.tar 2>err
	contains "not enough room for" err
	equal precious "$(cat tiny/x.tar)"
	equal "" "$(find tiny -maxdepth 1 -name '.x.tar*')" "beside the target"
	fabricate --no-cache -q --variant=essential trixie x2.tar
	tar -tf x2.tar ./usr/bin/dpkg >list
}

# limit: 900
test_killed_at_any_moment()
{
	local pid i
	mirrored
	export SOURCE_DATE_EPOCH=1700000000
	fabricate --no-cache -q --variant=essential trixie whole.tar
	echo precious >x.tar
	for ((i = 0; i < $(scaled 4); i++)); do
		fabricate_exec --no-cache -q --variant=essential trixie x.tar 2>err &
		pid=$!
		sleep $((RANDOM % 5)).$((RANDOM % 10))
		kill -KILL $pid 2>/dev/null || :
		wait $pid || :
		[ "$(head -c 8 x.tar | tr -d '\0')" = precious ] || cmp x.tar whole.tar
		equal "" "$(find . -maxdepth 1 -name '.x.tar*')" "beside the target"
	done
	# the next run is right, to the byte, and removes what the killed ones left
	fabricate --no-cache -q --variant=essential trixie x.tar
	cmp x.tar whole.tar
	equal "" "$(find "$XDG_CACHE_HOME/umlcage/work" -mindepth 1 -maxdepth 1 -name "$pid.*")" \
		"left of a killed one"
}
