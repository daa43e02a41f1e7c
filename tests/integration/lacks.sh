# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Hosts that lack what walls are made of: see tests/support/lacks.c.  On each, a cage does what it
# does elsewhere, or says what it cannot; the walls themselves are `make check-wall`'s.

# on WHAT OPTION... -- COMMAND...: run on a host that lacks it
on()
{
	local lacks=$1
	shift
	(export LD_PRELOAD=$HOST_PROGRAMS/lacks.so UMLCAGE_TEST_LACKS=$lacks
	 run_exec "$@")
}

# works WHAT OPTION...: the root, a share, links in it, its owners, the network helper
works()
{
	local lacks=$1
	shift
	rm -rf share bound
	mkdir bound
	on "$lacks" "$@" --share share:/mnt --bind bound:/bound -- sh -ec '
		echo text >/mnt/file; chown 1000:1001 /mnt/file; chmod 4751 /mnt/file
		ln -s file /mnt/link; touch -h -d @1000000 /mnt/link; ln -s link /bound/link
		readlink /mnt/link /bound/link; stat -c "%u:%g %a %Y" /mnt/file /mnt/link | head -n 1
		stat -c %Y /mnt/link; (sleep 100 & kill $!; wait $!) 2>/dev/null || true; cat /sys/class/net/vec0/mtu' >out 2>err ||
		{ cat out err; fail "it does not work without $lacks"; }
	equal "file link 1000:1001 4751 1000000" \
		"$(sed -n '1,2p' out | tr '\n' ' ')$(sed -n '3s/ [0-9]*$//p' out) $(sed -n 4p out)" "what it says"
	equal link "$(readlink bound/link)"
	"$UMLCAGE" share verify share
}

test_all_there()
{
	works ""
	equal "" "$(cat err)" "what it says"
}

test_old_landlock()
{
	on landlock=2 --require-jail -- true || host_cannot "no Landlock at all"
	works landlock=2
	equal "" "$(cat err)" "what it says"
}

test_no_landlock()
{
	works landlock=0
	equal 1 "$(grep -c "neither Landlock nor user namespaces" err)" "warnings"
	status 125 on landlock=0 --require-jail -- true 2>err
	contains "Landlock" err
}

# namespaces: yes
test_no_landlock_but_namespaces()
{
	unshare --user --mount --pid --ipc --net --uts --fork true 2>/dev/null ||
		host_cannot "no namespaces for users here"
	works landlock=0
	status 125 on landlock=0 --require-jail -- true 2>err
	contains "Landlock" err
}

test_no_filters()
{
	unset UMLCAGE_CONFIG	# that of `make check-lacks` has --ptrace
	status 125 on filter -- true 2>err
	contains "--ptrace" err
	works filter --ptrace
	equal 1 "$(grep -c "cannot filter system calls" err)" "warnings"
	status 125 on filter --ptrace --require-jail -- true 2>err
	contains "cannot filter system calls" err
}

# what reads foreign files works where it cannot be confined as well as elsewhere, and says so
test_foreign_files_are_read()
{
	local lacks
	"$TESTS_DIR/support/make-archive" "$T/a" >made
	for lacks in landlock=0 filter "landlock=0 filter"; do
		rm -rf tree x.tar
		LD_PRELOAD=$HOST_PROGRAMS/lacks.so UMLCAGE_TEST_LACKS=$lacks \
			"$UMLCAGE" fabricate -q --no-cache --variant=extract --include=pen-plain,pen-owners \
			--keyring="$T/a/key.gpg" pen x.tar "$T/a" 2>err || { cat err; fail "without $lacks"; }
		tar -tf x.tar >/dev/null
		LD_PRELOAD=$HOST_PROGRAMS/lacks.so UMLCAGE_TEST_LACKS=$lacks \
			"$UMLCAGE" share import x.tar tree 2>err || { cat err; fail "without $lacks"; }
		case $lacks in
		*filter*) contains "this host has no system call filters: what is to read" err ;;
		*) contains "this host has no Landlock: what is to read" err ;;
		esac
	done
}

# Of a kernel that boots, its supervisor ends more than the kernel, where nothing else would.
test_interrupted_boot_leaves_nothing()
{
	local pid signal command kernel
	kernel=$(test_kernel)
	cp "$GUEST_PROGRAMS/guest-kernel" linux
	"$kernel" --version >linux--version
	"$kernel" --showconfig >linux--showconfig
	for signal in TERM HUP; do
		for command in "run -q" "session start"; do
			# true: what is to be run, or the name of the session
			# shellcheck disable=SC2086
			(export LD_PRELOAD=$HOST_PROGRAMS/lacks.so UMLCAGE_TEST_LACKS=filter
			 exec "$UMLCAGE" $command --ptrace --no-namespaces --kernel "$T/linux" --memory 77M \
				${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} -- true >out 2>err) &
			pid=$!
			within 10 booting 2
			kill -$signal $pid
			wait $pid || true
			within 10 booting 0
		done
	done
}

# A kernel that looks whether it can trace has a child stop for that.
test_killed_boot_leaves_nothing()
{
	local i pid
	for i in $(seq 40); do
		(export LD_PRELOAD=$HOST_PROGRAMS/lacks.so UMLCAGE_TEST_LACKS=filter
		 exec "$UMLCAGE" run -q --ptrace --no-namespaces --memory 77M \
			${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} \
			${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -- sleep 100 >out 2>err) &
		pid=$!
		until booting 1 || booting 2; do
			sleep 0.002
		done
		sleep "0.0$((i % 20 + 10))"
		kill -KILL $pid
		wait $pid || true
		within 10 booting 0
	done
}

booting()
{
	[ "$(pgrep -c -f '^linux mem=77M seccomp=off' || true)" = "$1" ]
}
