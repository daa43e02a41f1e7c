# SPDX-License-Identifier: GPL-2.0-or-later
# The folder umlcage/doc/examples/nightly, as somebody without any privilege builds it every night.

# shellcheck source=tests/support/machines.sh
. "$TESTS_DIR/support/machines.sh"

# the folder, where the machines that its images start are given time
folder()
{
	cp -R "${UMLCAGE%/bin/umlcage}/share/doc/umlcage/examples/nightly" .
	sed -i "s/^size = 4G/&\nboot-args = $PATIENT/" nightly/disk.build nightly/arm64.build
}

build()
{
	"$UMLCAGE" build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -j2 -o images "$@" nightly
}

latests()
{
	for name in images/*/; do
		echo "$name $(readlink "$name/latest")"
	done
}

# All of it in one command, once more for nothing, and once more for what was changed.
# limit: 21600
test_folder_is_built_in_one_command_and_only_once()
{
	local names
	mirrored
	! unshare --user true 2>/dev/null || fail "user namespaces are not denied"
	folder
	names=$("$UMLCAGE" build --list --json nightly | python3 -c 'import json, sys
print(*[b["name"] for b in json.load(sys.stdin)], sep="\n")')
	[ "$(wc -l <<<"$names")" -ge 13 ] || fail "the builds: $names"
	build 2>err || { cat err images/*/failed.log; fail "the folder"; }
	cat err
	for name in $names; do
		contains "$name: built in" err
		(cd "images/$name/latest" && sha256sum --quiet -c SHA256SUMS)
	done
	latests >before
	UMLCAGE_CONSOLE=$PWD/consoles build 2>err
	grep "^nothing to do for $(wc -l <<<"$names") builds, found out in " err
	[ ! -e consoles ] || fail "a cage was started"
	equal "$names" "$(sed -n 's/: up to date.*//p' err | sort)" "up to date"
	latests | diff before -
	# the last of several steps
	sed -i 's/^run = test -f /run = test -s /' nightly/hooks.build
	build 2>err
	contains "hooks: built in" err
	equal "$(wc -l <<<"$names")" "$(grep -c "up to date\|: built" err)" "builds"
	equal 1 "$(grep -c ": built" err)" "builds that were made again"
	contains "step folder" images/hooks/latest/log
	! grep "step s\|configuring" images/hooks/latest/log || fail "what is before it ran again"
	latests | diff before - >changes || true
	equal hooks "$(sed -n 's,^> images/\(.*\)/ .*,\1,p' changes)" "changed"
	equal "" "$(find images -name '.*' ! -name lock)" "left behind"
}

# limit: 10800
test_disks_answer_over_ssh()
{
	emulated
	folder
	ssh-keygen -q -t ed25519 -N '' -f key
	build -q --only=disk
	answers bios -drive if=virtio,format=qcow2,snapshot=on,file=images/disk/latest/server.qcow2
	answers uefi -drive if=virtio,format=raw,snapshot=on,file=images/disk/latest/server.raw
}

# limit: 10800
test_disk_of_arm64_answers_over_ssh()
{
	emulated_arm64
	folder
	ssh-keygen -q -t ed25519 -N '' -f key
	build -q --only=arm64
	answers arm64 -drive if=virtio,format=qcow2,snapshot=on,file=images/arm64/latest/server-arm64.qcow2
	contains "login:" console.arm64
}

# limit: 14400
test_disk_of_vmdb2_boots()
{
	emulated
	folder
	build -q --only=appliance
	boots bios -drive if=virtio,format=raw,snapshot=on,file=images/appliance/latest/appliance.img
	contains "appliance login:" console.bios
}
