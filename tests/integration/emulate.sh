# SPDX-License-Identifier: GPL-2.0-or-later
# Programs of other processors: registered with the cage's kernel, invisible in the root.  What
# qemu itself does is seen by tests/tools/tools-foreign.sh.

# The first 64 bytes of a program for arm64, in a root that has no other.
fixture()
{
	mkdir -p cache/umlcage/emulators root/usr/bin
	for kept in kernels tools; do
		mkdir -p "$XDG_CACHE_HOME/umlcage/$kept"
		ln -s "$XDG_CACHE_HOME/umlcage/$kept" "cache/umlcage/$kept"
	done
	export XDG_CACHE_HOME=$T/cache
	cp "$GUEST_PROGRAMS/guest-emulator" cache/umlcage/emulators/qemu-aarch64
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\3\0\267\0' >root/usr/bin/sh
	head -c 44 /dev/zero >>root/usr/bin/sh
	chmod 755 root/usr/bin/sh
	ln -s usr/bin root/bin
	tar -C root -cf root.tar .
}

test_a_root_of_another_architecture_gets_its_emulator()
{
	fixture
	status 7 "$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		--root root.tar -- sh -c 'one two' >out
	# 1: argv[0] is kept
	equal "flags 1 /usr/bin/sh sh -c one two" "$(cat out)" "what the emulator got"
}

test_an_emulator_that_is_asked_for_is_not_seen_in_the_root()
{
	fixture
	run --emulate=arm64 --bind "$T/root/usr/bin:/mnt:ro" -- sh -c '
		/mnt/sh given
		echo "status $?"
		grep -c emulators /proc/mounts || true
		ls -d /emulators /binfmt_misc /usr/bin/qemu-* 2>/dev/null | wc -l
		echo "$QEMU_CPU"
		head -n 1 /proc/sys/fs/binfmt_misc/qemu-aarch64' >out || true
	printf '%s\n' "flags 1 /mnt/sh /mnt/sh given" "status 7" 0 0 \
		max,pauth-impdef=on enabled | diff - out
	equal mine "$(QEMU_CPU=mine run --emulate=arm64 -e QEMU_CPU -- sh -c 'echo "$QEMU_CPU"')" variable
	# without one it is no program
	status 127 run --bind "$T/root/usr/bin:/mnt:ro" -- /mnt/sh 2>/dev/null
}

test_what_has_no_emulator_is_refused_at_once()
{
	fixture
	status 2 run --emulate=arm46 -- true 2>err
	contains "did you mean 'arm64'" err
}

test_an_emulator_that_cannot_be_had_is_named()
{
	fixture
	rm cache/umlcage/emulators/qemu-aarch64
	status 125 "$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		--mirror "file://$T/none" --root root.tar -- sh >out 2>err
	contains "emulator of arm64" err
}
