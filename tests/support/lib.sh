# SPDX-License-Identifier: GPL-2.0-or-later
#
# What integration tests start with; see tests/support/runner.c.  bash, set -euo pipefail.
#
#	fail TEXT...			ends the test
#	host_cannot REASON...		ends the test: this host cannot show it, for a reason
#					that is the host's and not ours
#	remark TEXT...			what the line of this test says if it passes: how many rounds
#	equal WANT GOT [WHAT]		compares two strings
#	matches PATTERN STRING [WHAT]	a shell pattern for the whole string
#	contains PART FILE		a file has a fixed string in it
#	status WANT COMMAND...		runs it, checks its exit status; output goes on
#	within SECONDS COMMAND...	repeats it until it succeeds; SECONDS is what a quiet machine
#					takes at most, a busy one gets a minute or more
#	said FILE			prints it, without the warning that a host of `make check-lacks` gets for
#					the kernel, and the one for who reads foreign files
#	scaled N			N times UMLCAGE_TEST_SCALE percent, at least 1
#	run ARGUMENT...			umlcage run, on the kernel and the root of the tests
#	fabricate ARGUMENT...		umlcage fabricate, on the kernel of the tests
#	test_kernel			prints where the kernel of the tests is
#	host_settings			prints what of [all] a configuration of the test's own needs here;
#					it has to unset UMLCAGE_CONFIG as well
#	little MB			a size for --memory; a debugging kernel needs more than any other
#	faulty KIND AT COMMAND...	calls to the C library fail from then on: fault-shim.c
#	in_image FILE			what the image has in it, as got.tar: a cage mounts and copies it
#	small_tree PROGRAM...		makes ./tree, a root of a few megabytes out of the host's own programs;
#					small.tar is an archive of it, the same each time
#	free_port			prints a TCP port of the loopback that nobody has
#	mirrored			ends the test where no mirror can be reached
#	mirror_of SUITE			the mirror that umlcage takes for it

# shellcheck source=tests/support/sources.sh
. "$TESTS_DIR/support/sources.sh"

# to the log itself, as what is tested may have its output in a file
fail()
{
	echo "FAILED: $*" >>"${T%/*}/log"
	exit 1
}

# what ends a test without a word (set -e) is named
set -E
trap '[[ $- != *e* ]] || echo "${BASH_SOURCE##*/}:$LINENO: status $?: $BASH_COMMAND" >>"${T%/*}/log"' ERR

host_cannot()
{
	echo "$*" >"$HOME/.host-cannot"
	exit 77
}

remark()
{
	echo "$*" | tee "$HOME/.remark"
}

equal()
{
	[ "$1" = "$2" ] || fail "${3-value}: wanted '$1', got '$2'"
}

matches()
{
	# shellcheck disable=SC2053
	[[ $2 == $1 ]] || fail "${3-value}: '$2' does not match '$1'"
}

contains()
{
	grep -qF -- "$1" "$2" && return
	sed 's/^/| /' "$2" >&2
	fail "'$2' does not have '$1' in it"
}

status()
{
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" -eq "$want" ] || fail "'$*' ended with $got instead of $want"
}

within()
{
	local until=$((SECONDS + ($1 > 60 ? $1 : 60)))
	shift
	until "$@"; do
		[ $SECONDS -lt $until ] || fail "not within the time given: $*"
		sleep 0.1
	done
}

said()
{
	case ${UMLCAGE_TEST_LACKS-} in
	*landlock=0*) set -- "$1" 'has (neither Landlock nor user namespaces|no Landlock)' ;;
	*filter*) set -- "$1" '(cannot filter system calls|has no system call filters)' ;;
	*) set -- "$1" '$.' ;;
	esac
	perl -pe 'BEGIN { $what = pop } $_ = "" if /^umlcage: warning: this host $what/ && !$gone{$1 // ""}++' "$@"
}

scaled()
{
	local n=$(($1 * ${UMLCAGE_TEST_SCALE:-100} / 100))
	echo $((n > 0 ? n : 1))
}

run()
{
	(run_exec "$@")
}

# serves FOLDER: by http-server on $port of the loopback, until the test ends; $T/requests is its log
serves()
{
	: >"$T/requests"
	mkfifo stop port
	"$TESTS_DIR/support/http-server" "$1" "$T/requests" <stop >port &
	exec 8>stop
	read -r port <port
	trap 'exec 8>&-; wait || :' EXIT
}

# for the background, so that $! is umlcage itself: run_exec ... &
run_exec()
{
	exec "$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} "$@"
}

fabricate()
{
	(fabricate_exec "$@")
}

# as run_exec is for run
fabricate_exec()
{
	exec "$UMLCAGE" fabricate ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@"
}

test_kernel()
{
	[ -z "${UMLCAGE_TEST_KERNEL-}" ] || { echo "$UMLCAGE_TEST_KERNEL"; return; }
	"$UMLCAGE" kernel show --json | sed 's/.*"path":"\([^"]*\)".*/\1/'
}

host_settings()
{
	[ -z "${UMLCAGE_CONFIG-}" ] || grep ' = ' "$UMLCAGE_CONFIG"
}

little()
{
	echo $(($1 ${UMLCAGE_TEST_REPORTS:+ + 320}))M
}

small_tree()
{
	local program library
	mkdir -p tree/bin tree/dev tree/proc tree/sys tree/tmp tree/run tree/etc tree/root
	echo root:x:0:0::/root:/bin/sh >tree/etc/passwd
	echo root:x:0: >tree/etc/group
	echo hosts: files dns >tree/etc/nsswitch.conf
	for program in "$@"; do
		cp "$(type -P "$program")" tree/bin/
		for library in $(ldd "$(type -P "$program")" | grep -o '/[^ ]*'); do
			mkdir -p "tree${library%/*}"
			cp -L "$library" "tree$library"
		done
	done
	tar -C tree --sort=name --owner=0 --group=0 --mtime=@1600000000 -cf small.tar .
}

free_port()
{
	perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1,
		LocalAddr => "127.0.0.1", LocalPort => 0)->sockport'
}

mirrored()
{
	"$UMLCAGE" fabricate --simulate --variant=essential trixie - >/dev/null 2>why ||
		host_cannot "no mirror: $(head -n 1 why)"
}

mirror_of()
{
	sources_of "$1" "$UMLCAGE" 2>/dev/null | awk 'NR == 1 { print $2 }'
}

faulty()
{
	local kind=$1 at=$2
	shift 2
	: >"$T/calls"
	truncate -s 4096 "$T/calls"
	FAULT=$kind FAULT_AT=$at FAULT_STATE=$T/calls LD_PRELOAD=$HOST_PROGRAMS/fault-shim.so "$@"
}

in_image()
{
	run --bind "$PWD:/host:ro" --share "$PWD/got:/got" -- sh -ec "
		mount -o loop,ro /host/$1 /mnt
		cp -a /mnt/. /got/
		if [ -d /got/lost+found ]; then rmdir /got/lost+found; touch -r /mnt /got; fi"
	"$UMLCAGE" share export -q got got.tar
}
