# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Builds side by side: each cage has a processor, and a second one only while there is nobody else.

# binds this shell, and what it starts, to the first two processors it may use
two_processors()
{
	local two
	two=$(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[:2], sep=",")')
	case $two in
	*,*) taskset -pc "$two" $BASHPID >/dev/null ;;
	*) host_cannot "one processor only" ;;
	esac
}

# command lines of the kernels that PROCESS and those that it has started run
kernels_of()
{
	local child
	pgrep -a -P "$1" -f '^linux mem=' || true
	for child in $(pgrep -P "$1"); do
		kernels_of "$child"
	done
}

# how many kernels of PROCESS there are, and how many of them know of a second processor
counted()
{
	kernels_of "$1" >kernels
	echo "$(wc -l <kernels) $(grep -c ' spare=' kernels || true)"
}

# the build NAME, from SOURCE lines: its step says that it runs, and waits until it may end
build_of()
{
	local name=$1
	shift
	printf '%s\n' '[Source]' "$@" "[Step one]" 'bind = go:/srv' \
		"run = touch /srv/$name; until test -e /srv/may-$name; do sleep 0.1; done" \
		"[Output $name.tar]" >"$name.build"
}

# without filter: who has no fast calls has no use for a second processor
test_builds_side_by_side_have_a_processor_each()
{
	local pid
	command -v python3 >/dev/null || host_cannot "no python3"
	two_processors
	"$TESTS_DIR/support/make-archive" a >made
	small_tree sh sleep touch test
	mkdir go
	# fabricate has its cage before the steps do, and both builds are there until the steps end
	for name in first second; do
		build_of $name 'suite = pen' "mirror = $PWD/a" 'variant = extract' 'include = pen-plain' \
			'keyring = a/key.gpg' "setup-hook = tar-in $PWD/small.tar /" \
			"setup-hook = echo $name >\"\$1\"/name"
	done
	build_of third 'build = first'
	printf '[Step two]\nbind = go:/srv\nrun = touch /srv/two; until test -e /srv/may-two; do sleep 0.1; done\n' \
		>>third.build
	"$UMLCAGE" build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -j2 2>err &
	pid=$!
	trap 'cat err' EXIT
	within 60 test -e go/first -a -e go/second
	equal "2 0" "$(counted $pid)" "cages of two builds, those with a second processor"
	touch go/may-first
	within 60 test -e go/third
	equal "2 0" "$(counted $pid)" "cages of the two that are left, those with a second processor"
	touch go/may-second
	within 60 grep -q "second: built" err
	touch go/may-third
	within 60 test -e go/two
	equal "1 1" "$(counted $pid)" "cages of the last one, those with a second processor"
	touch go/may-two
	wait $pid
	for name in first second; do
		contains "keeps to one processor, as one of 2" output/$name/latest/log
	done
	# and fabricate of one alone
	build_of fourth "$(sed -n '/^suite/,/name$/p' first.build)"
	touch go/may-fourth
	"$UMLCAGE" build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} -q -j2 fourth.build
	! grep "keeps to one" output/fourth/latest/log || fail "a single build"
}
