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
	printf '%s\n' '#!/bin/sh' 'echo the reason in its own words' 'exit 7' >bad/DEBIAN/postinst
	chmod 755 bad bad/DEBIAN bad/DEBIAN/postinst
	dpkg-deb --root-owner-group -b bad bad.deb >/dev/null
	status 1 fabricate --no-cache --variant=essential --include=./bad.deb trixie x.tar 2>err
	contains "package 'pen-bad' could not be installed" err
	contains "exit status 7" err
	contains "the reason in its own words" err
	untouched
}

# interrupt STAGE: as soon as the stage begins
interrupt()
{
	local pid got=0
	fabricate_exec --no-cache --variant=essential trixie x.tar 2>err &
	pid=$!
	until grep -q "^$1" err; do
		kill -0 $pid 2>/dev/null || { cat err; fail "it ended before '$1'"; }
		sleep 0.02
	done
	# what a shell starts in the background ignores SIGINT, and that is left alone
	kill -TERM $pid
	wait $pid || got=$?
	equal 143 $got "status after an interrupt while $1"
	untouched $pid
}

# limit: 900
test_interrupt_at_every_stage()
{
	mirrored
	echo precious >x.tar
	for stage in "reading package lists" planning "fetching and unpacking" configuring exporting; do
		interrupt "$stage"
	done
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
