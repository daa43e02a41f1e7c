# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Disk images as roots, through the kernel's block driver: thrown away, kept, written.

make_tree()
{
	small_tree sh cat id sync dd
	head -c 1000000 /dev/urandom >tree/data
}

make_ext4()
{
	make_tree
	PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -d tree root.img 64M
}

test_ext4_is_a_root_and_stays_as_it_was()
{
	make_ext4
	local before
	before=$(sha256sum <root.img)
	run --root root.img -- cat /data | cmp - tree/data
	status 0 run --root root.img -- sh -c 'echo changed >/data && cat /data' >out
	equal changed "$(cat out)"
	equal "$before" "$(sha256sum <root.img)" "sha256 of the image"
	chmod 444 root.img
	run --root root.img -- cat /data | cmp - tree/data
}

test_changes_are_kept_in_a_cow_file()
{
	make_ext4
	local before
	before=$(sha256sum <root.img)
	run --root root.img --cow changes.cow -- sh -c 'echo one >/data; echo two >/new; sync'
	equal "one two" "$(run --root root.img --cow changes.cow -- sh -c 'cat /data /new' |
		tr '\n' ' ' | sed 's/ $//')"
	equal "$before" "$(sha256sum <root.img)" "sha256 of the image"
	run --root root.img -- cat /data | cmp - tree/data
	# another image behind the same changes would be corruption: refused
	cp root.img other.img
	touch -r root.img other.img
	status 0 run --root other.img --cow changes.cow -- cat /new >out
	equal two "$(cat out)" "a copy of the same time is the same image"
	# made within the same second
	touch -d "@$(stat -c %Y root.img).5" other.img
	local got=0
	run --root other.img --cow changes.cow -- true 2>err || got=$?
	equal 125 $got "status with another image"
	contains "changes.cow" err
}

# A session's changes to an image, back to what they were.
test_snapshot_of_a_cow_file()
{
	local session=(env --chdir="$PWD" "$UMLCAGE" session)
	make_ext4
	"${session[@]}" start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --root root.img \
		--cow changes.cow s >name
	"${session[@]}" exec s -- sh -c 'echo one >/data'
	equal snap0 "$("${session[@]}" snapshot s)"
	"${session[@]}" exec s -- sh -c 'echo two >/data; echo >/bin/id'
	"${session[@]}" restore s snap0 >name
	equal one "$("${session[@]}" exec s cat /data)"
	"${session[@]}" stop s
	equal one "$(run --root root.img --cow changes.cow -- cat /data)"
	"${session[@]}" snapshot --remove s snap0
	"${session[@]}" start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --root root.img s >name
	status 2 "${session[@]}" snapshot s 2>err
	contains "the changes of 's' to its disk image are thrown away; start it with --cow FILE" err
	"${session[@]}" stop s
}

test_image_is_written_when_asked()
{
	make_ext4
	run --root root.img --writable -- sh -c 'echo written >/data; sync'
	equal written "$(run --root root.img -- cat /data)"
	PATH=$PATH:/sbin:/usr/sbin e2fsck -fn root.img
}

test_squashfs_is_a_root()
{
	make_tree
	PATH=$PATH:/sbin:/usr/sbin mksquashfs tree root.sqfs -all-root -quiet -no-progress >/dev/null
	run --root root.sqfs -- cat /data | cmp - tree/data
	equal 0 "$(run --root root.sqfs -- id -u)"
}

test_full_image_is_told_to_the_command()
{
	make_ext4
	local got=0
	run --root root.img -- sh -c 'dd if=/dev/zero of=/big bs=1000000 count=200' 2>err || got=$?
	equal 1 $got status
	contains "No space left" err
}
