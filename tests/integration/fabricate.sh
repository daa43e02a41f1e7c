# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Fabricated trees: what unpacking leaves, on a small archive made here; whole systems, from
# the mirror, alone and against mmdebstrap as root.

fixture()
{
	"$TESTS_DIR/support/make-archive" "$T/a" >made
}

# pen TARGET PACKAGES [OPTIONS...]: only unpacked
pen()
{
	local target=$1 packages=$2
	shift 2
	"$UMLCAGE" fabricate -q --no-cache --variant=extract --include="$packages" \
		--keyring="$T/a/key.gpg" "$@" pen "$target" "$T/a"
}

# The line of a path in a verbose listing, without its time: "-rw-r--r-- 0/0 6 ./path"
entry()
{
	tar --numeric-owner -tvf "$1" | sed -E 's/ +[0-9-]+ [0-9:]+ / /; s/ +/ /g' |
		grep -E " \./$2( |/?\$)" || fail "'$2' is not in '$1'"
}

test_modes_owners_devices_links()
{
	fixture
	pen x.tar pen-plain,pen-owners,pen-devices
	equal "-rwsr-xr-x 0/0 16 ./usr/bin/pen-setuid" "$(entry x.tar usr/bin/pen-setuid)"
	equal "-rwxr-sr-x 0/42 16 ./usr/bin/pen-setgid" "$(entry x.tar usr/bin/pen-setgid)"
	equal "---------- 0/0 2 ./usr/share/pen-plain/none" "$(entry x.tar usr/share/pen-plain/none)"
	equal "drwxrwsr-x 0/50 0 ./var/local/pen/" "$(entry x.tar var/local/pen)"
	equal "drwxrwxrwt 0/0 0 ./var/tmp/pen-sticky/" "$(entry x.tar var/tmp/pen-sticky)"
	equal "drwxr-x--- 1/1 0 ./var/lib/pen-owners/" "$(entry x.tar var/lib/pen-owners)"
	equal "lrwxrwxrwx 33/33 0 ./var/lib/pen-owners/link -> mail" \
		"$(entry x.tar var/lib/pen-owners/link)"
	matches "-rw-r--r-- 1500000000/1500000001 *" "$(entry x.tar var/lib/pen-owners/big)"
	equal "crw-rw-rw- 0/0 1,3 ./usr/lib/pen-devices/null" "$(entry x.tar usr/lib/pen-devices/null)"
	equal "brw-rw---- 0/6 7,300 ./usr/lib/pen-devices/loop" "$(entry x.tar usr/lib/pen-devices/loop)"
	matches "prw------- *" "$(entry x.tar usr/lib/pen-devices/pipe)"
	equal 2 "$(tar -tvf x.tar | grep -c "pen-plain/hello.* link to .*pen-plain/hello")" "hard links"
	# devices of every root, and nothing of the work in between
	equal "crw-rw-rw- 0/0 1,3 ./dev/null" "$(entry x.tar dev/null)"
	equal "" "$(find "$XDG_CACHE_HOME/umlcage/work" -mindepth 1 ! -name lock)" "left behind"
}

# With nothing to install only what mmdebstrap's setup makes is there.
test_nothing_of_its_own_is_added()
{
	fixture
	"$UMLCAGE" fabricate -q --no-cache --variant=custom --keyring="$T/a/key.gpg" pen x.tar "$T/a"
	! tar -tf x.tar | grep '^./usr' || fail "made by looking"
	pen y.tar pen-owners
	! tar -tf y.tar | grep '^./usr' || fail "made by looking"
}

test_every_form_of_a_package()
{
	fixture
	pen x.tar pen-gz,pen-zst,pen-bz2,pen-stored,pen-awkward
	for form in gz zst bz2 stored; do
		equal "1000 $form" "$(tar -xOf x.tar "./usr/share/pen-forms/$form" | sort | uniq -c |
			sed 's/^ *//')"
	done
	equal 10 "$(tar -tf x.tar 2>/dev/null | grep -c '^./usr/share/pen-awkward/[^d]')" "awkward names"
}

test_same_bytes_twice()
{
	fixture
	export SOURCE_DATE_EPOCH=1600000000
	pen one.tar pen-plain,pen-owners,pen-big
	rm -rf "$XDG_CACHE_HOME/umlcage/archives"
	pen two.tar pen-plain,pen-owners,pen-big -j1
	cmp one.tar two.tar
}

test_equal_requests_at_once()
{
	local i
	fixture
	export SOURCE_DATE_EPOCH=1600000000
	for i in 1 2 3; do
		"$UMLCAGE" fabricate --logfile=log$i --variant=extract --include=pen-big,pen-late \
			--keyring="$T/a/key.gpg" pen $i.tar "$T/a" 2>err$i &
	done
	wait
	cmp 1.tar 2.tar
	cmp 1.tar 3.tar
	equal 2 "$(cat err? | grep -c "^unchanged since")" "answered from the cache"
	equal 1 "$(cat err? | grep -c "packages in .* s: planning")" "built"
	equal 2 "$(cat log? | grep -c "^unchanged since")" "logs that say so"
}

# limit: 900
test_tools_are_renewed()
{
	local made
	mirrored
	tools() { "$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --root default -- true; }
	tools 2>err
	"$UMLCAGE" cache list >list
	# maybe yesterday: what an earlier run of the tests has made is kept
	made=$(getfattr --only-values -n user.containers.umlcage_made "$XDG_CACHE_HOME"/umlcage/tools/*-)
	grep "tools.*made $(date -d "@$made" +%Y-%m-%d)" list || { cat list; fail "no age in the list"; }
	setfattr -n user.containers.umlcage_made -v 1000000000 "$XDG_CACHE_HOME"/umlcage/tools/*-
	UMLCAGE_MIRROR=http://127.0.0.1:1/debian tools 2>err
	contains "could not be renewed" err
	tools 2>err
	contains "renewing a root with the tools (" err
	! grep ', )' err || fail "an empty list of packages"
	tools 2>err
	! grep renewing err || fail "renewed twice"
}

test_filtered_paths()
{
	fixture
	pen x.tar pen-plain --dpkgopt='path-exclude=/usr/share/pen-plain/*' \
		--dpkgopt='path-include=/usr/share/pen-plain/hello'
	entry x.tar usr/share/pen-plain/hello >/dev/null
	! tar -tf x.tar | grep pen-plain/secret || fail "an excluded path is there"
	contains path-exclude <(tar -xOf x.tar ./etc/dpkg/dpkg.cfg.d/99mmdebstrap)
}

test_failure_keeps_the_target()
{
	fixture
	echo precious >x.tar
	find a/pool -name 'pen-plain_*' -exec sh -c 'echo junk >>"$1"' sh {} \;
	# a cache of its own: an earlier test's has the package as it was
	XDG_CACHE_HOME=$T/cache status 1 pen x.tar pen-plain 2>err
	contains pen-plain err
	equal precious "$(cat x.tar)"
	equal "" "$(find . -maxdepth 1 -name '.x.tar*')" "left behind"
}

test_full_disk()
{
	fixture
	[ -w /dev/full ] || host_cannot "there is no /dev/full"
	status 6 pen - pen-big --format=tar >/dev/full 2>err
	contains "No space left" err
}

# limit: 600
test_minbase_boots_and_is_whole()
{
	local hooks=() i
	mirrored
	# one each, as what counts is how it is when a command begins
	for i in {1..20}; do
		hooks+=("--chrooted-customize-hook=ischroot; echo \$? >>/etc/chrooted")
	done
	fabricate -q --no-cache --variant=minbase \
		--customize-hook='upload /etc/os-release etc/uploaded' \
		--customize-hook='echo hook ran as $(id -u) >"$1/etc/hooked"' \
		--customize-hook='download /etc/debian_version version' \
		"${hooks[@]}" \
		--chrooted-customize-hook='[ "$(stat -c %i /)" != "$(stat -Lc %i /proc/1/root)" ]' trixie root
	matches '13*' "$(cat version)"
	run --root root -- sh -c 'dpkg --audit && cat /etc/hooked && sort -u /etc/chrooted; ischroot; echo $?' >out
	# scripts are in a chroot, what runs in a cage is not
	equal "hook ran as 0 0 1" "$(tr '\n' ' ' <out | sed 's/ $//')"
}

# What scripts and hooks have made by the time when dpkg would unpack counts: links of
# base-files, directories, files in the way, accounts, diversions, overrides and filters.
# limit: 600
test_second_stage_meets_what_is_there()
{
	mirrored
	fixture
	for name in late plain owners gz bz2; do
		find a/pool -name "pen-${name}_*.deb" -exec cp {} . \;
	done
	# shellcheck disable=SC2016
	fabricate -q --no-cache --variant=essential $(printf ' --include=%s' ./pen-*.deb) \
		--setup-hook='echo path-exclude=/usr/share/pen-late/left-out >"$1/etc/dpkg/dpkg.cfg.d/hooked"' \
		--essential-hook='ls "$1/usr/share" >"$1/seen"' \
		--essential-hook='echo hooked:x:1234:1234::/:/bin/sh >>"$1/etc/passwd"' \
		--essential-hook='echo hooked:x:1235: >>"$1/etc/group"' \
		--essential-hook='cd "$1/usr/share" && mkdir pen-late && echo hook >pen-late/made' \
		--chrooted-essential-hook='dpkg-divert --local --no-rename --add /usr/share/pen-late/diverted' \
		--chrooted-essential-hook='dpkg-statoverride --add mail mail 2700 /usr/share/pen-late/overridden' \
		bookworm x.tar
	! tar -xOf x.tar ./seen | grep pen- || fail "unpacked before the hook"
	matches "lrwxrwxrwx * ./var/run -> /run" "$(entry x.tar var/run)"
	matches "lrwxrwxrwx * ./var/lock -> /run/lock" "$(entry x.tar var/lock)"
	equal "drwxrwsr-x 0/8 0 ./var/mail/" "$(entry x.tar var/mail)"
	equal "-rw-rw---- 8/8 5 ./var/mail/late" "$(entry x.tar var/mail/late)"
	equal "-rw-r--r-- 0/0 5 ./run/lock/late" "$(entry x.tar run/lock/late)"
	equal "-rwsr-xr-x 1234/1235 5 ./srv/by-name" "$(entry x.tar srv/by-name)"
	equal late "$(tar -xOf x.tar ./usr/share/pen-late/made)"
	! tar -tf x.tar | grep left-out || fail "an excluded path is there"
	entry x.tar usr/share/pen-late/diverted.distrib >/dev/null
	! tar -tf x.tar | grep 'diverted$' || fail "the diversion was not heeded"
	equal "-rwx--S--- 8/8 5 ./usr/share/pen-late/overridden" "$(entry x.tar usr/share/pen-late/overridden)"
}

# Whoever makes initramfs is not triggered once more after a kernel that had its own made.
# limit: 600
test_kernels_come_after_triggers()
{
	mirrored
	fixture
	for name in pen-initramfs linux-image-0-pen pen-module pen-other; do
		find a/pool -name "${name}_*.deb" -exec cp {} . \;
	done
	fabricate -q --no-cache --variant=essential $(printf ' --include=%s' ./*.deb) bookworm x.tar
	tar -xOf x.tar ./order >order
	equal "initramfs configure,initramfs triggered,kernel configure,module configure" \
		"$(grep -v other order | paste -sd,)"
	sed -n '/^initramfs triggered/,$p' order >late
	! grep other late || fail "all others are to be there by then"
	equal "" "$(tar -xOf x.tar ./var/lib/dpkg/status | grep ^Status: | grep -v 'install ok installed')"
}

# limit: 600
test_failing_hook_is_named()
{
	mirrored
	echo precious >x.tar
	status 5 fabricate --no-cache --variant=essential \
		--essential-hook='echo out of order; exit 3' trixie x.tar 2>err
	contains "out of order" err
	contains "failed with exit status 3" err
	equal precious "$(cat x.tar)"
}

# limit: 1200
# user: root
test_same_as_mmdebstrap()
{
	[ -n "$(command -v mmdebstrap)" ] || host_cannot "mmdebstrap is not installed"
	mirrored
	for suite in bookworm trixie; do
		mmdebstrap -q --mode=root --variant=minbase "$suite" theirs.tar
		fabricate -q --no-cache --variant=minbase "$suite" ours.tar
		"$TESTS_DIR/support/tar-compare" ours.tar theirs.tar >differences || :
		# logs, caches, and what comes from the clock or from the mirror's choice
		grep -vE '\<(var/log/|var/cache/(apt|ldconfig)/|var/lib/apt/|etc/shadow|etc/.*-:)|-old\>|'`
			`'dpkg/lock|triggers/Lock|etc/apt/sources.list|entries, [0-9]+ differences$' differences >remain || :
		[ ! -s remain ] || { cat remain; fail "$suite differs"; }
	done
}
