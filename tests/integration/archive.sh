# SPDX-License-Identifier: GPL-2.0-or-later
# Package archives that are not as they should be, through the commands that use them:
# `fabricate --simulate` reads and verifies indexes, `kernel build` also fetches a package
# (whose content here is no Linux, which it says once it has it).

fixture()
{
	# another archive within the same second would be taken for the one of before
	rm -rf "$T/cache/umlcage/indexes"
	"$TESTS_DIR/support/make-archive" "$T/a" "$@"
	export XDG_CACHE_HOME=$T/cache
}

plan()
{
	"$UMLCAGE" fabricate --simulate --variant=custom --include=pen-choice \
		--keyring="$T/a/key.gpg" "${@:2}" pen - "${1-$T/a}" >out 2>err
}

works()
{
	plan "$@" || { cat err; fail "the plan cannot be made"; }
	contains pen-provider out
}

# The source is fetched and verified, if not built.
source_fails()
{
	status "${3-1}" "$UMLCAGE" kernel build --source pen --newer --keyring "$T/a/key.gpg" \
		--mirror "${2-$T/a}" 2>err
	contains "$1" err
}

source_works()
{
	source_fails "'linux-source-9.1 9.1.2-1~bpo1+1' is not a Linux source" "$@"
}

nothing_kept()
{
	equal "" "$(find "$XDG_CACHE_HOME/umlcage/archives" -name '*.deb' -size +0)" "kept packages"
}

test_tampered_inrelease()
{
	fixture
	cp a/dists/pen/InRelease good
	sed -i 's/^Codename: hutch/Codename: butch/' a/dists/pen/InRelease
	status 1 plan
	contains "was changed after it was signed" err
	contains InRelease err
	equal "" "$(find cache/umlcage/indexes -type f)" "kept indexes"
	cp good a/dists/pen/InRelease
	works
	# and the other way round: a good one in the cache does not excuse a bad one
	sed -i 's/^Codename: hutch/Codename: butch/' a/dists/pen/InRelease
	touch -d '+1 minute' a/dists/pen/InRelease
	status 1 plan
	contains "was changed after it was signed" err
	cp good a/dists/pen/InRelease
	works
}

test_tampered_index()
{
	fixture --forms .gz
	printf X | dd of="$(echo a/dists/pen/main/binary-amd64/by-hash/SHA256/*)" bs=1 seek=100 \
		conv=notrunc status=none
	printf X | dd of=a/dists/pen/main/binary-amd64/Packages.gz bs=1 seek=100 conv=notrunc \
		status=none
	status 1 plan
	contains "is not what its index says" err
	fixture --forms .gz
	works
}

# What the Release file says is not there, another one is, and the other forms are not.
test_mirror_in_the_middle_of_an_update()
{
	fixture --forms .gz,
	rm -r a/dists/pen/main/binary-amd64/by-hash a/dists/pen/main/binary-amd64/Packages
	printf old | gzip >a/dists/pen/main/binary-amd64/Packages.gz
	serves "$T/a"
	status 1 plan "http://127.0.0.1:$port/plain"
	contains "the index 'http://127.0.0.1:$port/plain pen main/binary-amd64/Packages' is not what the Release file" err
	contains "it has 23 bytes instead of" err
	contains "try again later, or take another mirror" err
	rm a/dists/pen/main/binary-amd64/Packages.gz
	status 3 plan "http://127.0.0.1:$port/plain"
	contains "the mirror lacks the index 'http://127.0.0.1:$port/plain pen main/binary-amd64/Packages'" err
	contains "404 (not found); the mirror is being updated" err
}

test_tampered_deb()
{
	fixture
	deb=$(echo a/pool/main/l/linux-source-9.1/*.deb)
	cp "$deb" good
	printf X | dd of="$deb" bs=1 seek=100000 conv=notrunc status=none
	source_fails "is not what its index says"
	nothing_kept
	cp good "$deb"
	source_works
}

test_expired_release()
{
	fixture --date "$(($(date +%s) - 10 * 86400))"
	status 1 plan
	contains "has expired" err
	fixture --resign
	works
}

test_release_of_another_suite()
{
	fixture --says barn --codename loft
	status 1 plan
	contains "another suite's" err
}

test_key_that_is_not_in_the_keyring()
{
	fixture --signer other
	status 1 plan
	contains "has no such key" err
	fixture --resign
	works
}

test_truncated_download()
{
	fixture
	serves "$T/a"
	source_works "http://127.0.0.1:$port/nolength"
	equal 1 "$(grep -c 'linux-source-9.1.*bytes=[0-9]*- 206' requests)" "resumed downloads"
}

test_retries_and_timeout_of_apt()
{
	fixture
	serves "$T/a"
	local flaky="http://127.0.0.1:$port/flaky"	# refuses each file twice
	status 1 plan "$flaky" --aptopt='Acquire::Retries "1"'
	contains 503 err
	works "$flaky" --aptopt='Acquire::Retries "2"'
	fixture
	status 4 plan "http://127.0.0.1:$port/stall" \
		--aptopt='Acquire { Retries "0"; http::Timeout "1"; }'
	[ "$(sed -n 's/.*the mirror stalled, no data for \([0-9]*\) s.*/\1/p' err)" -lt 30 ] ||
		fail "the timeout was not heeded"
}

# each file once, halfway
test_mirror_that_stalls()
{
	fixture
	serves "$T/a"
	"$UMLCAGE" fabricate --variant=extract --include=linux-source-9.1 --keyring="$T/a/key.gpg" \
		--aptopt='Acquire::http::Timeout "1"' pen out.tar "http://127.0.0.1:$port/stallonce" ||
		fail "a stalled download was not tried again"
	equal 1 "$(grep -c 'linux-source-9.1.*bytes=[0-9]*- 206' requests)" "resumed downloads"
}

test_mirror_without_the_package()
{
	fixture
	serves "$T/a"
	source_fails "404 (not found); the mirror may have changed" "http://127.0.0.1:$port/nopool"
	source_works "http://127.0.0.1:$port/plain"
}

test_page_of_a_captive_portal()
{
	fixture
	serves "$T/a"
	status 1 plan "http://127.0.0.1:$port/login"
	contains "login page" err
	works "http://127.0.0.1:$port/plain"
}

test_full_disk()
{
	[ "$(df --output=size /dev/shm | tail -1)" -le 100000 ] ||
		host_cannot "/dev/shm is not small here"
	fixture
	export XDG_CACHE_HOME=/dev/shm/cache.$$
	trap 'rm -rf "$XDG_CACHE_HOME" /dev/shm/filler.$$' EXIT
	works
	head -c "$(($(df --output=avail -B1 /dev/shm | tail -1) - 1000000))" /dev/zero >/dev/shm/filler.$$
	source_fails "No space left on device" "$T/a" 6
	nothing_kept
	rm /dev/shm/filler.$$
	# now it fits, if not what is then unpacked of it
	source_fails "not enough room to build a kernel" "$T/a" 6
	equal 1 "$(find "$XDG_CACHE_HOME/umlcage/archives" -name '*.deb' -size +0 | wc -l)" kept
}

test_runs_at_the_same_time_download_once()
{
	fixture
	serves "$T/a"
	for i in 1 2 3 4; do
		"$UMLCAGE" kernel build --source pen --newer --keyring "$T/a/key.gpg" \
			--mirror "http://127.0.0.1:$port/slow" 2>err.$i &
		pids="${pids-} $!"
	done
	for pid in $pids; do
		status 1 wait "$pid"
	done
	for i in 1 2 3 4; do
		contains "is not a Linux source" err.$i
	done
	equal 1 "$(grep -c linux-source-9.1 requests)" "downloads of the package"
}

test_mirror_from_the_environment()
{
	fixture
	UMLCAGE_MIRROR=$T/a "$UMLCAGE" fabricate --simulate --variant=custom \
		--include=pen-choice --keyring="$T/a/key.gpg" pen >out
	contains pen-provider out
	UMLCAGE_MIRROR=ftp://x status 2 "$UMLCAGE" fabricate --simulate pen 2>err
	contains "is not a mirror" err
}

# What its packages are said to be by sums that the reader of indexes has no room for.
test_sums_of_every_kind()
{
	for sums in sha512 sha512,sha256 sha512,md5,sha1,sha256 sha256,sha512; do
		fixture --sums "$sums"
		works
		source_works
	done
	fixture --sums md5,sha1
	status 1 plan
	contains "no sha256 or sha512 for package" err
}

test_lines_of_another_system()
{
	fixture --crlf
	works
	source_works
}

# A Release file with sums of another kind only, without a suite, with dates of a zone.
test_release_files_of_every_kind()
{
	fixture --release-sums sha512 --sums sha512
	works
	source_works
	fixture --release-sums md5,sha256,sha512
	works
	fixture --without Suite,Codename
	works
	contains "does not say what suite it is of" err
	for zone in GMT Z +0200 -0530; do
		fixture --zone "$zone"
		works
	done
	fixture --zone CEST
	status 1 plan
	contains "is in no zone known here" err
	fixture --release-sums md5,sha1
	status 1 plan
	contains "lists no SHA256 or SHA512 sums" err
}

# plan_lines LINE...: sources.list lines instead of a mirror, and no keyring
plan_lines()
{
	"$UMLCAGE" fabricate --simulate --variant=custom --include=pen-choice pen - "$@" >out 2>err
}

# What apt takes without a signature that counts: nothing, but from a trusted source, or with
# both of its options.
test_sources_that_are_not_signed()
{
	insecure="--aptopt=Acquire::AllowInsecureRepositories true"
	unauthenticated="--aptopt=APT::Get::AllowUnauthenticated true"
	for case in unknown tampered unsigned absent; do
		refused=1
		case $case in
		unknown) fixture --signer other ;;
		tampered) fixture
			sed -i 's/^Label: Cage/Label: Gage/' a/dists/pen/InRelease ;;
		unsigned) fixture; rm a/dists/pen/InRelease a/dists/pen/Release.gpg ;;
		absent) fixture
			refused=3
			rm a/dists/pen/InRelease a/dists/pen/Release.gpg a/dists/pen/Release ;;
		esac
		signed="deb [signed-by=$T/a/key.gpg] file:$T/a pen main"
		status $refused plan_lines "$signed"
		status $refused plan_lines "$insecure" "$signed"
		contains "APT::Get::AllowUnauthenticated" err
		plan_lines "$insecure" "$unauthenticated" "$signed" || fail "$case: $(cat err)"
		contains "taken all the same" err
		contains pen-provider out
		plan_lines "deb [trusted=yes signed-by=$T/a/key.gpg] file:$T/a pen main" ||
			fail "$case: $(cat err)"
		contains "its source is to be trusted" err
		contains pen-provider out
	done
}

# Other ways to say where packages are.
test_sources_of_every_form()
{
	fixture
	key="signed-by=\"$T/a/key.gpg\""
	printf 'http://127.0.0.1:1/\tpriority:1\nfile:%s/a\n' "$T" >mirrors
	for line in "deb [$key] copy:$T/a pen main" "deb [$key] copy://$T/a pen main" \
		"deb [$key arch=i386 arch+=amd64 arch-=i386] file:$T/a pen main" \
		"deb [$key] mirror+file:$T/mirrors pen main"; do
		plan_lines "$line" || fail "$line: $(cat err)"
		contains pen-provider out
	done
	mkdir flat
	cp a/dists/pen/main/binary-amd64/Packages flat
	for line in "deb [trusted=yes] file:$T/flat /" "deb [trusted=yes] file:$T flat/" \
		"deb [trusted=yes] file:$T /flat/"; do
		plan_lines "$line" || fail "$line: $(cat err)"
		contains pen-provider out
	done
	printf 'Types: deb\r\nURIs: file:%s/flat\r\nSuites: /\r\nTrusted: yes\r\n' "$T" >x.sources
	plan_lines "$T/x.sources" || fail "$(cat err)"
	contains pen-provider out
	status 2 plan_lines "deb ftp://mirror.example/debian pen main"
	contains "is not a mirror" err
}

# Of the sources there are 7.3, which is tested, and 9.0 and 9.1, which are not.
test_untested_linux_is_left_alone()
{
	fixture
	status 1 "$UMLCAGE" kernel build --source pen --keyring "$T/a/key.gpg" --mirror "$T/a" 2>err
	contains "'linux-source-7.3 7.3.99-1'" err
	contains "there is Linux 9.1.2-1~bpo1+1, which this umlcage was not tested with" err
	equal 1 "$(grep -c 'not tested' err)" "notes"
	source_works
	! grep -q 'not tested' err || fail "a note about what was asked for"

	# of the listed suites, by number
	mv a/dists/pen a/dists/sid
	"$TESTS_DIR/support/make-archive" --suite sid "$T/a"
	status 1 "$UMLCAGE" kernel build --source 9.0 --keyring "$T/a/key.gpg" --mirror "$T/a" 2>err
	contains "'linux-source-9.0 9.0.12-1'" err
	status 3 "$UMLCAGE" kernel build --source 9.7 --keyring "$T/a/key.gpg" --mirror "$T/a" 2>err
	contains "no linux-source-9.7 in trixie-backports, forky, sid of" err
}
