# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# fabricate's hooks: each moment, each special one, and what becomes of what they carry.

# hook FILE LINES...: a program
hook()
{
	local file=$1
	shift
	{
		echo '#!/bin/sh'
		echo 'set -e'
		printf '%s\n' "$@"
	} >"$file"
	chmod 755 "$file"
}

content()
{
	tar -xOf "$1" "./$2" || fail "'$2' is not in '$1'"
}

# limit: 900
test_every_hook()
{
	mirrored
	mkdir -p hooks in/sub
	# shellcheck disable=SC2016
	{
		hook hooks/setup01 'echo setup $MMDEBSTRAP_HOOK $(ls /target/usr/bin 2>/dev/null | wc -l) >>"$1/etc/moments"'
		hook hooks/extract01 'echo extract $MMDEBSTRAP_HOOK $(id -u) $1 >>"$1/etc/moments"' \
			'[ ! -s "$1/etc/passwd" ] || exit 1' 'echo $MMDEBSTRAP_ESSENTIAL | grep -q /dpkg_'
		hook hooks/essential01 'echo essential $(dpkg -s bash | grep -c "install ok installed") >>"$1/etc/moments"'
		hook hooks/customize01 'echo customize $MMDEBSTRAP_INCLUDE >>"$1/etc/moments"'
		hook hooks/unrelated 'exit 1'
		hook hooks/customize99 'exit 1'
	}
	chmod 644 hooks/customize99
	echo copied >in/sub/file
	ln -s file in/sub/link
	mkdir in/sub/empty
	echo named >"in/a name"
	echo uploaded >upload
	tar -C in --owner=1234 --group=4321 -cf in.tar sub
	# shellcheck disable=SC2016
	fabricate -q --no-cache --variant=essential --include=ncal --hook-directory=hooks \
		--setup-hook='upload upload /etc/early' \
		--extract-hook='echo again >>"$1/etc/moments"' \
		--chrooted-essential-hook='echo chrooted "$#" "$PWD" >>/etc/moments' \
		--customize-hook='mkdir -p "$1/srv/copy" "$1/srv/sync" "$1/srv/tar"; echo old >"$1/srv/sync/old"' \
		--customize-hook='copy-in in/sub "in/a name" /srv/copy' \
		--customize-hook='sync-in in/sub /srv/sync' \
		--customize-hook='tar-in in.tar /srv/tar' \
		--customize-hook='upload upload /srv/uploaded' \
		--customize-hook='chown 33:33 "$1/srv/copy/a name"' \
		--customize-hook='copy-out /srv/copy /etc/moments out' \
		--customize-hook='sync-out /srv/sync synced' \
		--customize-hook='tar-out /srv/tar out.tar' \
		--customize-hook='download /etc/moments moments' \
		trixie x.tar
	cat >wanted <<-EOT
		setup setup 0
		extract extract 0 /target/
		again
		essential 1
		chrooted 0 /
		customize ncal
	EOT
	diff wanted moments
	diff wanted out/moments
	diff wanted <(content x.tar etc/moments)
	equal uploaded "$(content x.tar etc/early)"
	equal uploaded "$(content x.tar srv/uploaded)"
	equal copied "$(content x.tar srv/copy/sub/file)"
	equal copied "$(content x.tar srv/sync/file)"
	equal old "$(content x.tar srv/sync/old)"
	equal copied "$(content x.tar srv/tar/sub/file)"
	equal named "$(cat "out/copy/a name")"
	equal file "$(readlink out/copy/sub/link)"
	[ -d out/copy/sub/empty ] || fail "an empty directory got lost"
	equal copied "$(cat synced/file)"
	tar -tf out.tar >list
	contains tar/sub/file list
	tar --numeric-owner -tvf x.tar >list
	grep -q ' 33/33 .* \./srv/copy/a name$' list || fail "$(grep srv/copy list)"
	grep -q ' 1234/4321 .* \./srv/tar/sub/file$' list || fail "$(grep srv/tar list)"
	grep -q ' 0/0 .* \./srv/uploaded$' list || fail "$(grep srv/uploaded list)"
	! grep umlcage-hook list || fail "a hook was left behind"
}

# limit: 600
test_sources_of_a_setup_hook_are_where_packages_come_from()
{
	"$TESTS_DIR/support/make-archive" "$T/a" >made
	# shellcheck disable=SC2016
	fabricate -q --variant=extract --include=pen-plain --keyring="$T/a/key.gpg" \
		--setup-hook='mkdir -p "$1/etc/apt/sources.list.d"' \
		--setup-hook='echo "deb file://'"$T/a"' pen main" >"$1/etc/apt/sources.list.d/pen.list"' \
		'' x.tar || fail "sources of a setup hook"
	tar -tf x.tar >list
	contains ./usr/share/pen-plain/hello list
	contains ./etc/apt/sources.list.d/pen.list list
	# the next one's may be others
	# shellcheck disable=SC2016
	status 1 fabricate -q --variant=extract --include=pen-plain --keyring="$T/a/other.gpg" \
		--setup-hook='echo "deb file://'"$T/a"' pen main" >"$1/etc/apt/sources.list"' '' y.tar
	[ ! -e y.tar ] || fail "a target of what failed"
	status 2 fabricate -q --variant=extract --include=pen-plain --setup-hook=true '' y.tar 2>err
	contains "there are no sources of packages" err
}

# limit: 600
test_sources_of_a_setup_hook_bring_both_stages()
{
	local line
	mirrored
	line=$(run -- sed -n '/^deb /{p;q}' /etc/apt/sources.list)
	# shellcheck disable=SC2016
	fabricate -q --no-cache --variant=apt --setup-hook='echo "'"$line"'" >"$1/etc/apt/sources.list"' '' x.tar
	tar -xOf x.tar ./var/lib/dpkg/status >status
	equal 1 "$(grep -cx 'Package: apt' status)" "apt in the status"
}

# limit: 600
test_what_a_setup_hook_installs_is_there()
{
	mirrored
	# shellcheck disable=SC2016
	hook install 'mkdir -p "$1/tmp/p/DEBIAN"' \
		'printf "%s\n" "Package: bsdextrautils" "Version: 0" "Architecture: all" \
			"Maintainer: x <x@y>" "Description: own" >"$1/tmp/p/DEBIAN/control"' \
		'dpkg-deb --build "$1/tmp/p" "$1/tmp/p.deb"' \
		'dpkg --root="$1" --log="$1/var/log/dpkg.log" --install "$1/tmp/p.deb"' \
		'rm -r "$1/tmp/p" "$1/tmp/p.deb"'
	# the tree has no apt, which a hook may call all the same
	# shellcheck disable=SC2016
	fabricate -q --no-cache --variant=essential --include=ncal --setup-hook="$T/install" \
		--essential-hook='apt-get --version >"$1/etc/apt-version"' \
		--essential-hook='echo "$1" >"$1/etc/target"' \
		--essential-hook='apt-config dump Dir | head -n 1 >"$1/etc/apt-dir"' trixie x.tar
	content x.tar var/lib/dpkg/status >status
	grep -A 9 '^Package: bsdextrautils$' status | grep '^Version: 0$' >/dev/null || fail "it was replaced"
	grep -q '^Package: ncal$' status || fail "what was asked for is not there"
	contains "$(printf 'Package: ncal\nStatus: install ok installed')" status
	equal /target/ "$(content x.tar etc/target)"
	content x.tar etc/apt-version | grep '^apt ' >/dev/null
	# what is there of it counts, not its words in apt's notes
	content x.tar var/lib/apt/extended_states >states
	! grep -q bsdextrautils states || fail "it is marked"
}

# limit: 600
test_preferences_of_a_setup_hook_are_refused()
{
	mirrored
	echo precious >x.tar
	# shellcheck disable=SC2016
	status 1 fabricate -q --no-cache --variant=essential \
		--setup-hook='echo "Package: *" >"$1/etc/apt/preferences.d/mine"' trixie x.tar 2>err
	contains "/etc/apt/preferences.d/mine" err
	equal precious "$(cat x.tar)"
}

# limit: 600
test_no_daemon_is_started()
{
	mirrored
	# shellcheck disable=SC2016
	fabricate -q --no-cache --variant=essential --skip=cleanup \
		--essential-hook='test -x "$1/usr/sbin/policy-rc.d"' \
		--customize-hook='start-stop-daemon --start --exec /bin/sh 2>&1 | grep -q Fake' \
		--customize-hook='rm "$1/usr/sbin/start-stop-daemon"' trixie x.tar
	content x.tar usr/sbin/start-stop-daemon >program
	head -c 4 program | grep ELF >/dev/null || fail "it stayed a fake"
	tar -tf x.tar >list
	! grep -E 'REAL|sbin/policy-rc.d' list || fail "what is for the cage alone was left behind"
}

# limit: 600
test_quiet_shows_what_a_failing_hook_said()
{
	mirrored
	status 5 fabricate -q --no-cache --variant=essential \
		--essential-hook='echo the reason; false' trixie x.tar 2>err
	contains "the reason" err
}

# limit: 600
test_what_hooks_see()
{
	mirrored
	export CALLERS="a  value" ftp_proxy=http://proxy.invalid:3128 XDG_SEAT=seat0
	# shellcheck disable=SC2016
	fabricate --no-cache --variant=essential \
		--extract-hook='for deb in $MMDEBSTRAP_ESSENTIAL; do [ -s "$1/$deb" ] || exit 9; done' \
		--essential-hook='env >"$1/seen"; cat "$MMDEBSTRAP_APT_CONFIG" >"$1/seen-apt"' \
		--essential-hook='chroot "$1" cat /etc/debian_version >mine' \
		--chrooted-customize-hook='echo "$PWD" >>/seen' \
		trixie x.tar 2>err
	contains "wrote 'mine' in the cage" err
	tar -tf x.tar >list
	! grep 'mine$\|apt.conf$\|archives/.*deb' list || fail "left in the image"
	content x.tar seen >seen
	for line in "CALLERS=a  value" ftp_proxy=http://proxy.invalid:3128 MMDEBSTRAP_HOOK=essential \
		MMDEBSTRAP_MODE=root MMDEBSTRAP_SUITE=trixie MMDEBSTRAP_FORMAT=tar \
		MMDEBSTRAP_VERBOSITY=1 MMDEBSTRAP_INCLUDE= HOME=/root; do
		grep -qxF "$line" seen || { cat seen; fail "no '$line'"; }
	done
	! grep -E '^(TMPDIR|XDG_SEAT)=' seen || fail "of the host alone"
	content x.tar seen-apt | grep -F 'Dir "/";'
	equal / "$(tail -n 1 seen)"
	echo x >here.txt
	# shellcheck disable=SC2016
	status 5 fabricate -q --no-cache --variant=essential \
		--essential-hook='cp ./here.txt "$1/etc"' trixie x.tar 2>err
	contains "'./here.txt' of this host is not" err
}

# Neither a shell nor a tar is among the packages; setup hooks have those of the essential ones.
# limit: 600
test_setup_hook_of_a_root_without_a_shell()
{
	mirrored
	echo uploaded >upload
	# shellcheck disable=SC2016
	fabricate -q --no-cache --variant=extract --include=ncal \
		--setup-hook='echo hooked >"$1/etc/hooked"' --setup-hook='copy-in upload /etc' trixie x.tar
	equal hooked "$(content x.tar etc/hooked)"
	equal uploaded "$(content x.tar etc/upload)"
}

# As mmdebstrap's hooks for busybox do it: the new root has no shell before they have run.
# limit: 600
test_hooks_that_make_the_shell()
{
	mirrored
	# shellcheck disable=SC2016
	fabricate -q --no-cache --variant=custom \
		--include=dpkg,busybox,libc-bin,base-files,base-passwd,debianutils \
		--setup-hook='mkdir -p "$1/bin"; echo root:x:0:0:root:/root:/bin/sh >"$1/etc/passwd"' \
		--setup-hook='printf "root:x:0:\nmail:x:8:\nutmp:x:43:\n" >"$1/etc/group"' \
		--extract-hook='[ ! -e "$1/bin/sh" ] && chroot "$1" /bin/busybox --install -s' \
		--essential-hook='grep -q "install ok installed" "$1/var/lib/dpkg/status"' \
		--chrooted-customize-hook='{ id -u; grep -c . /proc/mounts; echo "$PWD"; } >/seen' \
		bookworm x.tar
	content x.tar seen >seen
	equal 0 "$(sed -n 1p seen)"
	equal / "$(sed -n 3p seen)"
	tar -tvf x.tar | grep 'bin/sh -> .*busybox'
	! tar -tf x.tar | grep -E '^./(proc|sys)/.' || fail "mounts in the image"
}

# As mmdebstrap's maybe-merged-usr and its like: a script calls what is in a folder beside its own,
# which may want apt before the tree has it.
# limit: 900
test_hooks_beside_a_hook()
{
	mirrored
	mkdir -p hooks/maybe hooks/real hooks/other
	# shellcheck disable=SC2016
	hook hooks/real/essential00.sh 'apt-get --version | grep -q "^apt "' \
		'echo "$(basename "$0") $1" >"$1/seen"'
	# shellcheck disable=SC2016
	hook hooks/maybe/essential00.sh 'p=$(dirname -- "$0")/..; [ ! -e "$p/other" ]' \
		'[ -x "$p/real/essential00.sh" ] && "$p/real/essential00.sh" "$1"'
	# shellcheck disable=SC2016
	hook hooks/real/customize00.sh '[ ! -e /usr/bin/apt ]' \
		'echo "$(basename "$0") $1 $VALUE" >>"$1/seen"'
	# shellcheck disable=SC2016
	hook hooks/maybe/customize00.sh 'VALUE=${VALUE-0} "$(dirname "$0")/../real/customize00.sh" "$1"'
	fabricate -q --no-cache --variant=essential --hook-directory=hooks/maybe trixie x.tar
	content x.tar seen >seen
	equal "essential00.sh /target/" "$(sed -n 1p seen)"
	equal "customize00.sh / 0" "$(sed -n 2p seen)"
	! tar -tf x.tar | grep umlcage-hook || fail "left in the image"
}
