# SPDX-License-Identifier: GPL-2.0-or-later
# Planning and the cache of finished trees, on a small archive; no cage is needed.

fixture()
{
	"$TESTS_DIR/support/make-archive" "$T/a" >made
	export XDG_CACHE_HOME=$T/cache
}

fabricate()
{
	"$UMLCAGE" fabricate --keyring="$T/a/key.gpg" "$@"
}

packages()
{
	cut -d' ' -f1 out | sort | tr '\n' ' '
}

# The packages of a request: WANTED [options...]
plans()
{
	local want=$1
	shift
	fabricate --simulate "$@" pen - "$T/a" >out 2>err || { cat err; fail "cannot plan $*"; }
	equal "${want:+$want }" "$(packages)" "packages of $*"
}

refuses()
{
	local why=$1
	shift
	status 2 fabricate --simulate "$@" pen - "$T/a" >out 2>err
	contains "$why" err
	equal "" "$(cat out)" "output"
}

test_variants_and_choices()
{
	fixture
	plans "" --variant=extract
	plans "pen-choice pen-essential pen-provider" --variant=custom --include=pen-choice
	plans "pen-choice pen-essential pen-gz pen-provider" --variant=custom \
		--include=pen-choice --aptopt='APT::Install-Recommends "true"'
	plans "pen-essential" --variant=essential
	plans "pen-data pen-essential pen-interest" --variant=essential --include=pen-data
	plans "pen-loop-a pen-loop-b" --variant=custom --include=pen-loop-a
	plans "pen-essential" --variant=custom --include='?essential'
	plans "pen-versions" --variant=custom --include='pen-versions=1.9-1'
	contains "pen-versions 1.9-1 " out
	fabricate --simulate --variant=essential --include=pen-data pen - "$T/a" >out 2>err
	contains "pen-essential 1.0 all base essential" out
	contains "pen-data 1.0 all manual" out
	contains "pen-interest 1.0 all automatic" out
}

test_reasons()
{
	fixture
	refuses "there is no package 'pen-absent'" --variant=custom --include=pen-absent
	refuses "nothing provides pen-does-not-exist" --variant=custom --include=pen-never
	refuses "conflicts with" --variant=custom --include=pen-rival,pen-plain
	refuses "no version '7' of package 'pen-versions'" --variant=custom --include=pen-versions=7
	refuses "there is no variant 'huge'" --variant=huge
	refuses "did you mean 'minbase'" --variant=minbsae
	refuses "did you mean 'unshare'" --mode=unshrae
	refuses "did you mean 'cleanup/apt'" --skip=cleanup/atp
	refuses "line 1: 'garbage' has no value" --aptopt=garbage
	refuses "'path-exclude' has no pattern" --dpkgopt=path-exclude
	refuses "emulators for arm64" --architectures=hurd-i386
	refuses "unknown pattern" --variant=custom --include='?nonsense'
}

test_options_of_mmdebstrap_that_change_nothing()
{
	fixture
	plans "pen-essential" --variant=essential --mode=chrootless --resolve-deps --merged-usr \
		--no-merged-usr --force-check-gpg --skip=check/qemu
	for quiet in -q -s --quiet --silent; do
		plans "pen-essential" --variant=essential -v $quiet
		equal "" "$(cat err)" "standard error with $quiet"
	done
	plans "pen-essential" --variant=essential -q --debug
	[ -s err ] || fail "nothing on standard error with --debug"
	fabricate --man >out
	contains "--customize-hook=CMD" out
}

test_any_suite()
{
	fixture
	fabricate --simulate --variant=essential '' - "deb file://$T/a pen main" >out 2>err
	equal "pen-essential " "$(packages)" "packages of an empty suite"
}

test_a_proxy_of_apts()
{
	fixture
	serves "$T/a"
	fabricate --simulate --variant=essential \
		--aptopt="Acquire::http { Proxy \"http://127.0.0.1:$port\"; };" \
		pen - http://mirror.invalid/plain >out 2>err || { cat err; fail "the proxy is not asked"; }
	equal "pen-essential " "$(packages)" "packages by a proxy"
	contains "proxy GET plain dists/pen/InRelease" requests
}

test_sources_in_every_form()
{
	fixture
	local line="deb [signed-by=$T/a/key.gpg] file://$T/a pen main"

	printf '%s\n' "$line" >lines.list
	printf 'Types: deb\nURIs: file://%s\nSuites: pen\nComponents: main\nSigned-By: %s\n' \
		"$T/a" "$T/a/key.gpg" >new.sources
	for m in "$line" lines.list new.sources "file://$T/a" "$T/a"; do
		fabricate --simulate --variant=essential pen - "$m" >out 2>err || { cat err; fail "$m"; }
		equal "pen-essential " "$(packages)" "packages from '$m'"
	done
	for f in lines.list new.sources; do
		fabricate --simulate --variant=essential pen - - <"$f" >out 2>err
		equal "pen-essential " "$(packages)" "packages from standard input"
		fabricate --simulate --variant=essential <"$f" >out 2>err
		equal "pen-essential " "$(packages)" "packages without a suite"
	done
}

answered()
{
	grep -q 'unchanged since it was last made' err
}

test_unchanged_requests_are_copies()
{
	fixture
	local make="--variant=extract --include=pen-plain,pen-devices,pen-owners"

	export SOURCE_DATE_EPOCH=1700000000
	# one tree, several outputs: only the first one is made, the others are the same as if they were
	for target in x.tar x.tar.gz x.cpio dir; do
		# shellcheck disable=SC2086
		fabricate $make --no-cache pen "$target" "$T/a" 2>err || { cat err; fail "$target"; }
		answered && fail "--no-cache came from the cache"
		rm -rf first
		mv "$target" first
		for again in 1 2; do
			# shellcheck disable=SC2086
			fabricate $make pen "$target" "$T/a" 2>err || { cat err; fail "$target"; }
			if [ "$target$again" = x.tar1 ]; then
				answered && fail "the first $target came from the cache"
			else
				answered || fail "$target, $again, did not come from the cache"
			fi
			if [ "$target" = dir ]; then
				"$UMLCAGE" share export first first.tar
				"$UMLCAGE" share export dir second.tar
				cmp first.tar second.tar
			else
				cmp first "$target"
			fi
			rm -rf "$target"
		done
	done
	# shellcheck disable=SC2086
	fabricate $make --no-cache pen x.tar "$T/a" 2>err
	answered && fail "--no-cache came from the cache"
	# what differs makes a difference
	fabricate --variant=extract --include=pen-plain pen x.tar "$T/a" 2>err
	answered && fail "another include came from the cache"
	# shellcheck disable=SC2086
	SOURCE_DATE_EPOCH=1700000001 fabricate $make pen x.tar "$T/a" 2>err
	answered && fail "another epoch came from the cache"
	# a damaged entry is not believed
	for f in "$XDG_CACHE_HOME"/umlcage/trees/*/file.*; do
		echo >>"$f"
	done
	rm -r "$XDG_CACHE_HOME"/umlcage/trees/*/share/usr
	# shellcheck disable=SC2086
	fabricate $make pen x.tar "$T/a" 2>err
	answered && fail "a damaged entry was used"
	tar tf x.tar >/dev/null
	# nor a byte of a tree that changed, whatever its times say
	rm -rf dir
	# shellcheck disable=SC2086
	fabricate $make pen dir "$T/a" 2>err
	f=$(find "$XDG_CACHE_HOME"/umlcage/trees/*/share -type f -size +0 | head -n 1)
	rm -f "$XDG_CACHE_HOME"/umlcage/trees/*/file.*
	touch -r "$f" then
	printf X | dd of="$f" bs=1 conv=notrunc status=none
	touch -r then "$f"
	# shellcheck disable=SC2086
	fabricate $make pen dir2 "$T/a" 2>err
	answered && fail "a changed tree was used"
	"$UMLCAGE" share export -q dir2 second.tar
	cmp first.tar second.tar
}

# What another build of the program has made may not be what this one makes.
test_results_of_another_build_are_not_delivered()
{
	fixture
	local make="--variant=extract --include=pen-plain" prefix=${UMLCAGE%/bin/*} at
	local name=libexec/umlcage/umlcage-make mine=$UMLCAGE

	# shellcheck disable=SC2086
	made()
	{
		echo stale >log
		fabricate $make --logfile=log pen x.tar "$T/a" 2>err || { cat err; fail "$UMLCAGE"; }
	}
	made
	answered && fail "the first one came from the cache"
	! grep stale log || fail "the log of another request"
	made
	answered || fail "the second one did not come from the cache"
	equal "unchanged since it was last made: copied from the cache" "$(cat log)" "the log"
	cp -a "$prefix" other
	# behind the note's head of 16 bytes
	at=$(readelf -SW "other/$name" |
		sed -n 's/.*\.note\.gnu\.build-id *NOTE *[0-9a-f]* \([0-9a-f]*\) .*/0x\1/p')
	printf other | dd of="other/$name" bs=1 seek=$((at + 16)) conv=notrunc status=none
	UMLCAGE=$PWD/other/bin/umlcage
	made
	answered && fail "what another build has made was delivered"
	made
	answered || fail "the other build did not find its own"
	UMLCAGE=$mine
	made
	answered || fail "this one's result is gone"
}

# Two trees from the cache must not have one key; whoever asks for it gets that.
test_what_holds_keys_is_not_kept()
{
	fixture
	mkdir -p key/etc/ssh
	echo "-----BEGIN OPENSSH PRIVATE KEY-----" >key/etc/ssh/ssh_host_rsa_key
	printf 'Package: pen-key\nVersion: 1\nArchitecture: all\nMaintainer: a\nDescription: a\n' >control
	echo 2.0 >debian-binary
	tar -czf control.tar.gz ./control
	tar -C key -czf data.tar.gz ./etc
	ar rc key.deb debian-binary control.tar.gz data.tar.gz
	for kept in "" --cache-keys; do
		for again in 1 2; do
			# shellcheck disable=SC2086
			fabricate $kept --variant=extract --include="$PWD/key.deb" pen x.tar "$T/a" 2>err ||
				{ cat err; fail "making it, $kept"; }
			case $kept$again in
			[12])
				answered && fail "a key came from the cache"
				contains "keys that were made for it alone ('etc/ssh/ssh_host_rsa_key')" err ;;
			*1) answered && fail "the first one came from the cache" ;;
			*) answered || { cat err; fail "it was not kept"; } ;;
			esac
		done
	done
}

test_what_was_in_the_target_is_not_cached()
{
	fixture
	mkdir -p dir/lost+found
	fabricate --variant=extract --include=pen-plain pen dir "$T/a" 2>err || { cat err; fail dir; }
	[ -d dir/lost+found ] || fail "lost+found is gone"
	fabricate --variant=extract --include=pen-plain pen x.tar "$T/a" 2>err
	answered || fail "the tar did not come from the cache"
	tar -tf x.tar >list
	contains ./usr/share/pen-plain/hello list
	! grep lost+found list || fail "what was in the directory before came with it"
}

test_the_cache_is_listed_and_pruned()
{
	fixture
	fabricate --variant=extract --include=pen-big pen x.tar "$T/a" 2>err
	"$UMLCAGE" cache list >list
	contains "pen extract+pen-big" list
	"$UMLCAGE" cache list --json | python3 -c 'import json, sys
kinds = {i["kind"] for i in json.load(sys.stdin)}
assert kinds == {"trees", "archives", "indexes"}, kinds'
	status 2 "$UMLCAGE" cache prune 2>err
	contains "nothing says what to remove" err
	"$UMLCAGE" cache prune --max-age 30d >out
	contains "0 removed" out
	"$UMLCAGE" cache prune --kind stages --everything >out
	contains "0 removed" out
	"$UMLCAGE" cache prune --kind trees --max-size 0 >out
	contains "1 removed" out
	"$UMLCAGE" cache prune --everything >out
	"$UMLCAGE" cache list >list
	contains "0 bytes in all" list
	fabricate --variant=extract --include=pen-big pen x.tar "$T/a" 2>err
	answered && fail "pruned, but there"
	tar tf x.tar >list
	contains usr/share/pen-big/noise list
}

test_the_old_target_survives_failures()
{
	fixture
	echo old >x.tar
	status 2 fabricate --variant=extract --include=pen-never pen x.tar "$T/a" 2>err
	equal old "$(cat x.tar)" "target after an impossible request"
	rm a/pool/main/p/*/pen-big_* 2>/dev/null || find a/pool -name 'pen-big*' -delete
	status 1 fabricate --variant=extract --include=pen-big pen x.tar "$T/a" 2>err
	contains "pen-big" err
	equal old "$(cat x.tar)" "target after a missing package"
}

# An empty name stands for no suite, so that sources decide alone.
test_empty_suite()
{
	fixture
	"$UMLCAGE" fabricate --simulate --variant=essential --keyring="$T/a/key.gpg" '' - \
		"deb file://$T/a pen main" >out
	contains "pen-essential " out
}

# What a mirror was at a time, of a service that keeps it: what has expired since is taken, and
# what is made says nothing of the service.
test_snapshots()
{
	local snapshots="$T/kept/@ARCHIVE@/@SNAPSHOTID@"
	"$TESTS_DIR/support/make-archive" --date 1600000000 --valid-for 60 "$T/a" >made
	export XDG_CACHE_HOME=$T/cache
	mkdir -p kept/a more/DEBIAN
	cp -r a kept/a/20200914
	printf '%s\n' 'Package: pen-versions' 'Version: 2:1' 'Architecture: all' \
		'Maintainer: Nobody <nobody@example.org>' 'Description: more' >more/DEBIAN/control
	dpkg-deb -b more more.deb >/dev/null
	"$TESTS_DIR/support/make-archive" "$T/a" more.deb >made
	plans "pen-versions" --variant=custom --include=pen-versions
	contains "pen-versions 2:1 " out
	plans "pen-versions" --variant=custom --include=pen-versions --snapshot=20200914 \
		--snapshots="file://$snapshots"
	contains "pen-versions 1:0.5-1 " out
	UMLCAGE_SNAPSHOTS="file://$snapshots" fabricate -q --variant=extract --snapshot=20200914 \
		--include=pen-plain --package-list=list pen old.tar "$T/a"
	contains "file://$T/kept/a/20200914/pool/" list
	tar -xOf old.tar ./etc/apt/sources.list >sources
	contains "$T/a " sources
	! grep -q kept sources || fail "the service is in the sources"
	# what it has not is its fault, and not the mirror's
	status 3 fabricate --simulate --variant=custom --snapshot=20200101 \
		--snapshots="file://$snapshots" pen - "$T/a" >out 2>err
	contains "kept/a/20200101" err
	refuses "not a time such as" --snapshot=yesterday --snapshots="file://$snapshots"
	refuses "name the service" --snapshot=20200914
	refuses "has no @SNAPSHOTID@" --snapshot=20200914 --snapshots=file:///x
	refuses "give that, too" --snapshots="file://$snapshots"
}
