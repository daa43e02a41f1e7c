# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# autopkgtest's own program, with autopkgtest-virt-umlcage as the testbed.

# it is installed beside umlcage, and finds it there
server=$(dirname "$UMLCAGE")/autopkgtest-virt-umlcage

need_autopkgtest()
{
	command -v autopkgtest >/dev/null || host_cannot "there is no autopkgtest"
}

# a root that satisfies autopkgtest, which wants dpkg-dev in every testbed
make_root()
{
	mkdir -p deb/DEBIAN
	printf 'Package: dpkg-dev\nVersion: 99\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n' \
		>deb/DEBIAN/control
	dpkg-deb --root-owner-group -b deb dpkg-dev.deb >/dev/null
	run --bind "$T:/mnt:ro" --commit testbed -- dpkg -i /mnt/dpkg-dev.deb >/dev/null
}

machine=(${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --memory "$(little 192)")

nothing_left()
{
	equal "[]" "$("$UMLCAGE" session list --json | tr -d ' \n')" "sessions that are left"
	"$UMLCAGE" root list --changes >changes
	equal 1 "$(wc -l <changes)" "lines of changes that are left"
}

# test NAME RESTRICTIONS SCRIPT
one_test()
{
	printf 'Tests: %s\nDepends:\n%s\n' "$1" "${2:+Restrictions: $2
}" >>package/debian/tests/control
	printf '#!/bin/sh -e\n%s\n' "$3" >package/debian/tests/"$1"
	chmod 755 package/debian/tests/"$1"
}

test_every_restriction()
{
	need_autopkgtest
	make_root
	mkdir -p package/debian/tests
	printf 'Source: sample\nMaintainer: x <x@example.org>\n\nPackage: sample\nArchitecture: all\nDescription: x\n' \
		>package/debian/control
	printf 'sample (1) unstable; urgency=low\n\n  * x\n\n -- x <x@example.org>  %s\n' \
		"Thu, 01 Jan 2026 00:00:00 +0000" >package/debian/changelog
	# shellcheck disable=SC2016
	one_test root needs-root,isolation-machine \
		'test "$(id -u)" = 0; mount -t tmpfs x /mnt; echo made >"$AUTOPKGTEST_ARTIFACTS/made"'
	# shellcheck disable=SC2016
	one_test user "" 'test "$(id -u)" != 0; id -un'
	# shellcheck disable=SC2016
	one_test reboots needs-root,isolation-machine,needs-reboot '
		id=/proc/sys/kernel/random/boot_id
		case $AUTOPKGTEST_REBOOT_MARK in
		"") echo kept >/srv/kept; cat $id >/srv/id; /tmp/autopkgtest-reboot one ;;
		one) cat /srv/kept; test "$(cat $id)" != "$(cat /srv/id)" ;;
		esac'
	# shellcheck disable=SC2016
	one_test reboots-itself needs-root,isolation-machine,needs-reboot '
		id=/proc/sys/kernel/random/boot_id
		case $AUTOPKGTEST_REBOOT_MARK in
		"") cat $id >/srv/own; /tmp/autopkgtest-reboot-prepare one; reboot ;;
		one) test "$(cat $id)" != "$(cat /srv/own)"; echo after ;;
		esac'
	one_test noisy allow-stderr 'echo to stderr >&2'
	one_test breaks needs-root,breaks-testbed 'rm /usr/bin/id; touch /usr/bin/broken'
	one_test after "" 'test ! -e /usr/bin/broken; id'
	one_test fails "" 'exit 3'
	one_test fails-as-a-server "" 'exit 255'
	status 4 autopkgtest -B "$T/package" -o out -- "$server" testbed "${machine[@]}" >log 2>&1 </dev/null
	for t in root user reboots reboots-itself noisy breaks after; do
		grep -qE "^$t +PASS" out/summary || {
			cat log
			fail "$t did not pass"
		}
	done
	grep -qE "^fails +FAIL non-zero exit status 3" out/summary || fail "$(cat out/summary)"
	grep -qE "^fails-as-a-server +FAIL non-zero exit status 253" out/summary || fail "$(cat out/summary)"
	equal made "$(cat out/artifacts/made)" "an artifact"
	equal tester "$(cat out/user-stdout)" "the ordinary user"
	equal kept "$(cat out/reboots-stdout)" "a file after a reboot"
	equal after "$(cat out/reboots-itself-stdout)" "what ran after a reboot of its own"
	nothing_left
}

# An init that takes its time, and clears /tmp before it says that it is up, is waited for, at a reboot too.
test_an_init_is_waited_for()
{
	need_autopkgtest
	local kernel=()
	[ -n "${UMLCAGE_TEST_KERNEL-}" ] || kernel=(--kernel "$("$UMLCAGE" kernel build)")
	cat >init <<-'EOT'
		#!/bin/sh
		trap 'exit 0' TERM INT
		sleep 2
		rm -rf /tmp/*
		echo running >/run/state
		while :; do sleep 1 & wait $!; done
	EOT
	cat >systemctl <<-'EOT'
		#!/bin/sh
		[ -e /run/state ] && cat /run/state || echo starting
	EOT
	run --bind "$T:/mnt:ro" --commit slow -- install -m 755 /mnt/init /mnt/systemctl /sbin
	{
		printf 'open\n'
		sleep 4
		printf 'reboot\nrevert\n'
	} | "$server" slow "${machine[@]}" "${kernel[@]}" --init >answers 2>err || fail "$(cat err)"
	# the first is its greeting
	equal 4 "$(grep -cx 'ok\( /tmp/autopkgtest\..*\)\?' answers)" "answers: $(cat answers err)"
	nothing_left
}

test_ends_with_its_caller()
{
	need_autopkgtest
	local pid
	printf 'capabilities\nopen\nprint-execute-command\n' |
		"$server" "${UMLCAGE_TEST_ROOT:-default}" "${machine[@]}" >answers
	contains "ok revert revert-full-system root-on-testbed isolation-machine reboot" answers
	grep -q '^ok /tmp/autopkgtest\.' answers || fail "no answer to open: $(cat answers)"
	nothing_left
	mkfifo commands
	"$server" "${UMLCAGE_TEST_ROOT:-default}" "${machine[@]}" <commands >answers &
	pid=$!
	exec 8>commands
	echo open >&8
	within 30 grep -q '^ok /tmp' answers
	# its commands find the session in whatever environment they are called
	echo print-execute-command >&8
	within 30 grep -q '^ok env,' answers
	mapfile -t command < <(sed -n 's/^ok \(env,.*\)/\1/p' answers | python3 -c "
import urllib.parse
for word in input().split(','): print(urllib.parse.unquote(word))")
	equal "a, b" "$(env -i PATH="$PATH" "${command[@]}" echo "a, b")" "output of a command"
	status 253 env -i PATH="$PATH" "${command[@]}" sh -c 'exit 255'
	# the backend's own failure has a status of its own
	"$UMLCAGE" session list --json | sed -n 's/.*"name": "\(.*\)".*/\1/p' >name
	status 255 "$UMLCAGE" session exec --failure-status 255 not-there true 2>/dev/null
	status 125 "$UMLCAGE" session exec --failure-status 255 "$(cat name)" -- sh -c 'exit 125'
	kill -TERM $pid
	status 143 wait $pid
	exec 8>&-
	nothing_left
}
