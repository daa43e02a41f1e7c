# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Where changes of a root go: thrown away, kept, stored as a new root, into the root itself.

test_kept_changes_are_there_again()
{
	run --keep a -- sh -euc 'echo one >/file; rm -r /media; mkdir /more; mknod /more/n c 1 3; chown 5:6 /more'
	equal "one 5:6 1:3" "$(run --keep a -- sh -c \
		'[ ! -e /media ] && echo $(cat /file; stat -c %u:%g /more; stat -c %Hr:%Lr /more/n)')"
	# a third time, and with the other way to sync
	run --keep a --sync -- sh -euc 'echo two >/file; mkdir /media'
	equal "two" "$(run --keep a -- sh -c 'cat /file; ls /media')"
	# another name, and none: the root as it was
	run --keep b -- sh -c '[ ! -e /file ] && [ -d /media ]'
	run -- [ ! -e /file ]

	equal "NAME a b" "$("$UMLCAGE" root list --changes | awk '{ print $1 }' | paste -sd' ')"
	"$UMLCAGE" root show --changes a | grep "^root: *.*/" >/dev/null
	"$UMLCAGE" root rename --changes a c
	equal two "$(run --keep c -- cat /file)"
	"$UMLCAGE" root remove --changes c
	status 3 "$UMLCAGE" root remove --changes c 2>err
	contains "there is no kept change 'c'" err
	run --keep c -- [ ! -e /file ]
}

test_kept_changes_survive_a_kill()
{
	local pid
	run_exec --keep a -- sh -c 'echo written >/file; echo done; exec sleep 1000' >out &
	pid=$!
	within 60 grep -q done out
	"$UMLCAGE" root list --changes | grep "^a .* in use by PID $pid  " >/dev/null || fail "$("$UMLCAGE" root list --changes)"
	kill -KILL $pid
	wait $pid || :
	within 10 run -q --keep a -- true 2>err
	equal written "$(run --keep a -- cat /file)"
}

# What a run leaves that never had a cage, or was killed or ran out of room before it had one.
test_kept_changes_that_are_not_whole()
{
	local kept=$XDG_STATE_HOME/umlcage/sessions
	mkdir bad
	echo "a file" >bad/proc
	tar -cf bad.tar --owner 0 --group 0 -C bad .
	status 125 run --root bad.tar --keep a -- true 2>err
	contains "'/proc'" err
	equal "" "$(ls -A "$kept")" "what is left of changes that there were none of"
	# killed when the folder was made, and nothing else
	mkdir "$kept/a"
	run --keep a -- sh -c 'echo one >/file'
	# what is kept stays, if there is no cage then
	status 125 run --kernel /bin/true --keep a -- true 2>err
	equal one "$(run --keep a -- cat /file)"
	# out of room in the midst of preparing the overlay
	mkdir -m 700 -p "$kept/a/work/work/incompat/volatile"
	equal one "$(run --keep a -- cat /file)"
	# scratch that was not yet a share
	mkdir -p "$XDG_CACHE_HOME/umlcage/scratch/"{old,new}
	touch -d '2 minutes ago' "$XDG_CACHE_HOME/umlcage/scratch/old"
	run --scratch disk -- true
	equal new "$(ls "$XDG_CACHE_HOME/umlcage/scratch")" "scratch that is left"
}

test_commit_stores_a_new_root()
{
	run --commit new -- sh -euc 'echo two >/file; chown 7:8 /file; rm -r /media'
	"$UMLCAGE" root list | grep '^new ' >/dev/null
	run -- [ ! -e /file ]
	unset UMLCAGE_TEST_ROOT
	equal "two 7:8" "$(run --root new -- sh -c '[ ! -e /media ] && echo $(cat /file; stat -c %u:%g /file)')"
	# on success only, and never over another
	status 3 run --root new --commit other -- sh -c 'echo x >/file; exit 3'
	status 3 "$UMLCAGE" root show other 2>err
	status 125 run --root new --commit new -- true 2>err
	contains "'new'" err
	equal two "$(run --root new -- cat /file)"
	# what was changed of it goes with it, and is nothing for another, nor once it is written to
	run --root new --keep a -- sh -c 'echo three >/file'
	"$UMLCAGE" root rename new old
	run --root old --commit new -- true
	status 125 run --root new --keep a -- true 2>err
	contains "root remove --changes a" err
	equal three "$(run --root old --keep a -- cat /file)"
	status 125 run --root old -w -- touch /written 2>err
	contains "the changes kept as 'a'" err
	status 1 "$UMLCAGE" root remove old 2>err
	contains "root remove --changes a" err
	"$UMLCAGE" share chown 5 "$XDG_DATA_HOME/umlcage/roots/old" etc/hostname
	status 125 run --root old --keep a -- true 2>err
	contains "was written to, or made again" err
}

test_root_of_ones_own()
{
	run --share root:/new -- sh -euc 'cd /; mkdir /new/usr /new/dev /new/proc /new/sys /new/tmp
		cp -a bin etc lib* sbin /new/; cp -a usr/bin usr/lib* /new/usr/; chown 33:34 /new/etc/hostname'
	unset UMLCAGE_TEST_ROOT
	run --root root -- sh -euc 'echo lost >/etc/hostname'
	run --root root --scratch disk -- sh -euc 'echo lost >/etc/hostname; head -c 5000000 /dev/zero >/big'
	[ ! -e root/big ]
	run --root root --writable -- sh -euc '[ "$(stat -c %u:%g /etc/hostname)" = 33:34 ]
		echo stays >/etc/hostname; chown 9:9 /etc/hostname'
	equal stays "$(cat root/etc/hostname)"
	equal "9:9" "$(run --root root -- stat -c %u:%g /etc/hostname)"
	"$UMLCAGE" share verify root

	"$UMLCAGE" share export -q root root.tar
	equal stays "$(run --root root.tar -- cat /etc/hostname 2>first)"
	contains importing first
	equal stays "$(run --root root.tar -- cat /etc/hostname 2>second)"
	equal "" "$(grep importing second || :)" "of a second import"
	echo no archive >bad.tar
	status 125 run --root bad.tar -- true 2>err
	contains bad.tar err
}

test_read_only_images_are_not_written_to()
{
	printf hsqs >image
	truncate -s 100000 image
	unset UMLCAGE_TEST_ROOT
	status 2 run --root ./image -w -- true 2>err
	contains "is a squashfs image, which cannot be written to" err
}

# A root that was unpacked into the cache and then lost something is not run on.
test_damaged_root_of_the_cache_is_made_again()
{
	run -- sh -c 'cd /etc && tar -cf - hostname passwd group' >small.tar
	share=$XDG_CACHE_HOME/umlcage/roots/$(sha256sum small.tar | cut -d' ' -f1)
	# nothing in it can be executed, so a cage that boots ends with 127
	status 127 run --root small.tar -- true 2>err
	[ -f "$share/passwd" ] || fail "the archive is not in the cache"
	status 127 run --root small.tar -- true 2>err
	cp -p "$share/passwd" "$share/passwd.was"
	printf X | dd of="$share/passwd" conv=notrunc status=none
	touch -r "$share/passwd.was" "$share/passwd"
	rm "$share/passwd.was"
	status 127 run --root small.tar -- true 2>err
	contains "is damaged: making it again" err
	[ "$(head -c 1 "$share/passwd")" = r ] || fail "it still is"
	status 127 run --root small.tar -- true 2>err
	[ "$(grep -c damaged err)" -eq 0 ] || fail "damaged still"
}
