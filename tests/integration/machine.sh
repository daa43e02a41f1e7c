# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# What a cage looks like to who uses it, and that nothing of that stays on the host.

# shellcheck source=tests/support/processes.sh
. "$TESTS_DIR/support/processes.sh"

# its_file PATH: what of that file a root "base" has
its_file()
{
	cat "$XDG_DATA_HOME/umlcage/roots/base/$1" 2>/dev/null || echo none
}

# COMMAND: makes the root "base", out of a small one and what COMMAND does
based()
{
	small_tree sh cat cp mv rm ln ls chown mkdir touch stat printf readlink grep getent mount umount
	UMLCAGE_TEST_ROOT=small.tar run --commit base -- sh -c "$1"
}

# umlcage run, on the root "base"
on_base()
{
	(unset UMLCAGE_TEST_ROOT; run_exec --root base "$@")
}

test_folder_for_etc_stays_as_it_is()
{
	mkdir cfg
	echo 'nameserver 192.0.2.1' >cfg/resolv.conf
	echo '192.0.2.2 mine' >cfg/hosts
	run --bind cfg:/etc -- sh -c 'cat /etc/resolv.conf /etc/hosts; ls /etc' >out
	equal 'nameserver 192.0.2.1' "$(cat cfg/resolv.conf)"
	equal '192.0.2.2 mine' "$(cat cfg/hosts)"
	contains 10.0.2.3 out
	contains mine out
	# a link stays one, and nothing is made
	rm cfg/*
	ln -s /no/such/file cfg/resolv.conf
	run --bind cfg:/etc -- true
	equal /no/such/file "$(readlink cfg/resolv.conf)"
	equal resolv.conf "$(ls cfg)"
}

test_share_for_etc_stays_as_it_is()
{
	run --share cfg:/etc -- sh -c 'ls -A /etc' >out
	[ ! -s out ] || fail "there is $(cat out)"
	[ -z "$(ls -A cfg)" ] || fail "left behind: $(ls -A cfg)"
}

test_names_of_the_machine()
{
	run --hostname box -- sh -c 'getent ahostsv4 localhost | head -n 1; getent hosts box' >out
	contains '127.0.0.1 ' out
	contains '127.0.1.1 ' out
	status 0 run --net none -- getent hosts localhost
}

test_names_that_the_root_has_stay()
{
	based 'printf "192.0.2.7 other\n127.0.0.1 localhost\n" >/tmp/h && cp /tmp/h /etc/hosts.new &&
		umount /etc/hosts && mv /etc/hosts.new /etc/hosts'
	equal "192.0.2.7 other 127.0.0.1 localhost" "$(its_file etc/hosts | tr '\n' ' ' | sed 's/ $//')"
	on_base -- getent hosts other cage localhost >out
	contains 192.0.2.7 out
	contains 127.0.1.1 out
	equal 1 "$(on_base -- grep -c 'localhost' /etc/hosts)" "lines with localhost"
}

test_files_of_etc_do_not_stay()
{
	run --keep kept -- sh -c 'getent hosts cage && grep -q nameserver /etc/resolv.conf'
	run --keep kept --hostname other -- sh -c 'getent hosts other && ! getent hosts cage'
	[ -z "$(find "$XDG_DATA_HOME" -name hosts)" ] || fail "kept: $(find "$XDG_DATA_HOME" -name hosts)"
	based 'rm -f /etc/resolv.conf 2>/dev/null; getent hosts cage'
	equal none "$(its_file etc/hosts)" "committed"
	on_base -w -- getent hosts cage
	equal none "$(its_file etc/hosts)" "written"
	# what the user makes of them does
	run --keep kept -- sh -c 'echo 192.0.2.9 nine >>/etc/hosts'
	run --keep kept -- getent hosts nine
}

test_resolv_conf_can_be_replaced_and_mounted()
{
	local script='touch /tmp/f && mkdir -p /mnt/r && touch /mnt/r/f &&
		mount --bind /etc/resolv.conf /mnt/r/f && grep -q nameserver /mnt/r/f && umount /mnt/r/f &&
		mount --bind /tmp/f /etc/resolv.conf && [ ! -s /etc/resolv.conf ] && umount /etc/resolv.conf'
	status 0 run -- sh -c "$script && ln -sf /run/x /etc/resolv.conf && readlink /etc/resolv.conf"
	status 0 run --keep kept -- sh -c "$script && ln -sf /run/x /etc/resolv.conf"
	equal /run/x "$(run --keep kept -- readlink /etc/resolv.conf)"
	based "$script"
}

test_resolv_conf_that_is_a_link_into_run()
{
	based 'umount /etc/resolv.conf; ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf'
	status 0 on_base -- grep -q nameserver /etc/resolv.conf
	status 0 on_base -w -- grep -q nameserver /etc/resolv.conf
	equal ../run/systemd/resolve/stub-resolv.conf "$(on_base -w -- readlink /etc/resolv.conf)"
}

test_run_is_new_each_time()
{
	run --keep kept -- sh -c 'echo 1 >/run/state; mkdir /run/service; touch /run/lock/l'
	equal lock "$(run --keep kept -- ls /run)"
	equal 1777 "$(run --keep kept -- stat -c %a /run/lock)"
	# folders that a root has are there, as services expect, and no file
	based 'umount /run && mkdir -m 2750 /run/svc /run/svc/in && chown 33:34 /run/svc && touch /run/svc/pid'
	equal "2750 33 34" "$(on_base -- stat -c '%a %u %g' /run/svc)"
	equal in "$(on_base -- ls /run/svc)"
}

test_full_memory_is_said()
{
	status 1 run --memory 128M -- dd if=/dev/zero of=/dev/shm/big bs=64k 2>err
	contains "No space left on device" err
	contains "more with --memory" err
	# all that is in memory counts together
	status 1 run --memory 128M -- sh -c 'for f in /run/a /dev/shm/a /a; do
		dd if=/dev/zero of=$f bs=64k; done; dd if=/dev/zero of=/b bs=64k' 2>err
	contains "more with --memory" err
	status 0 run --memory 128M -- sh -c 'dd if=/dev/zero of=/a bs=64k 2>/dev/null; rm /a; true' 2>err
	[ -z "$(said err)" ] || fail "$(cat err)"
}

# takes_at_rest MEMORY: kilobytes of the host for a cage that has this much and does nothing
takes_at_rest()
{
	local cage
	rm -f up
	run_exec -m "$1" -- sh -c 'echo up; exec sleep 600' >up &
	cage=$!
	within 60 test -s up
	# shellcheck disable=SC2046
	pss $cage $(below $cage)
	kill $cage
	wait $cage || true
}

test_memory_that_is_never_used()
{
	local less more
	less=$(takes_at_rest 512M)
	more=$(takes_at_rest 4G)
	[ "$less" -gt 10000 ] || fail "$less kB are not all"
	# tables that are made for its size, some 14 MB, and more on a busy host that has large pages to
	# give; but no struct page for each of its pages, which made it 59
	[ $((more - less)) -lt 40000 ] || fail "$less kB with 512 MB, $more with 4 GB"
}

test_what_tools_look_for()
{
	run -- cat /proc/self/mountinfo >mounts
	grep -q '^[0-9]* [0-9]* [0-9:]* / / [^ ]* shared:' mounts || fail "the root is not shared"
	run -- cat /proc/filesystems >types
	local type where
	for where in cgroup2:/sys/fs/cgroup binfmt_misc:/proc/sys/fs/binfmt_misc \
			securityfs:/sys/kernel/security configfs:/sys/kernel/config; do
		type=${where%%:*}
		! grep -qw "$type" types || grep -q " / ${where#*:} .* - $type " mounts ||
			fail "no $type at ${where#*:}"
	done
	run -- sh -c 'for d in /dev/fuse /dev/net/tun; do [ ! -e $d ] || stat -c "%a $d" $d; done' >out
	! grep -v '^666 ' out || fail "not for everybody"
}
