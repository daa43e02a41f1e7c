# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the walls around a cage cost: the same behind none (tests/support/lacks.c), behind the first,
# with its warden, and in namespaces, where the host lets users have these.
#
# ratio: start to end of 'run -- true', first wall against none: wall-run-true-first / wall-run-true-none
# ratio: start to end of 'run -- true', namespaces against none: wall-run-true-full / wall-run-true-none
# ratio: system call, first wall against none: getppid-wall-first / getppid-wall-none
# ratio: system call, namespaces against none: getppid-wall-full / getppid-wall-none
# ratio: fork, exit and wait, first wall against none: fork-exit-wait-wall-first / fork-exit-wait-wall-none
# ratio: fork, exit and wait, namespaces against none: fork-exit-wait-wall-full / fork-exit-wait-wall-none
# ratio: 2,000 files with owners and 2,000 links in a share, first wall against none: wall-files-first / wall-files-none
# ratio: 2,000 files with owners and 2,000 links in a share, namespaces against none: wall-files-full / wall-files-none
# ratio: dpkg --configure of 40 packages, first wall against none: wall-configure-first / wall-configure-none
# ratio: dpkg --configure of 40 packages, namespaces against none: wall-configure-full / wall-configure-none
# aim: download, first wall against none: download-wall-first / download-wall-none >= 0.97
# aim: download, namespaces against none: download-wall-full / download-wall-none >= 0.97
# aim: upload, first wall against none: upload-wall-first / upload-wall-none >= 0.97
# aim: upload, namespaces against none: upload-wall-full / upload-wall-none >= 0.97

setup_wall()
{
	install -m 644 "$BENCH_PROGS/../host/lacks.so" "$BENCH_HOME/bin/lacks.so"
	umlcage run -- true
}

# behind WALL SUBCOMMAND ARGUMENT...
behind()
{
	local wall=$1 options=()
	shift
	case $wall in
	none) export LD_PRELOAD=$BENCH_HOME/bin/lacks.so UMLCAGE_TEST_LACKS=walls; options=(--no-namespaces) ;;
	first) options=(--no-namespaces) ;;
	full) options=(--require-jail=full) ;;
	esac
	umlcage run "${options[@]}" "$@"
}

has_namespaces()
{
	behind full -- true 2>/dev/null || host_cannot 'users have no namespaces here'
}

# in a share to be written beside a root that is to be read: what the warden is asked most
files()
{
	rm -rf "$BENCH_HOME/wall-share"
	behind "$1" --share "$BENCH_HOME/wall-share:/mnt" -- perl -e '
		for (1 .. 2000) { open my $f, ">", "/mnt/$_"; print $f "x"; close $f; chown 5, 5, "/mnt/$_";
			symlink "x", "/mnt/l$_"; readlink "/mnt/l$_" }'
}

configure()
{
	behind "$1" -- sh -c 'dpkg-query -Wf "\${Package}\n" | head -n 40 | xargs -n 1 dpkg-reconfigure -fnoninteractive'
}

all_of()
{
	timed "wall-run-true-$1" behind "$1" -- true
	timed "wall-files-$1" files "$1"
	timed "wall-configure-$1" configure "$1"
	behind "$1" -- sh -c 'cat >/tmp/micro && chmod 755 /tmp/micro && /tmp/micro -n 3 getppid fork-exit-wait' \
		<"$BENCH_PROGS/guest-micro" | medians "wall-$1"
}

bench_without_walls()
{
	all_of none
}

bench_first_wall()
{
	all_of first
}

bench_full_wall()
{
	has_namespaces
	all_of full
}

# as net.sh has it
transfers()
{
	# shellcheck source=tests/bench/net.sh
	. "${BASH_SOURCE[0]%/*}/net.sh"
	with_server in_cage behind "$1" | speeds "wall-$1"
}

bench_net_without_walls()
{
	transfers none
}

bench_net_first_wall()
{
	transfers first
}

bench_net_full_wall()
{
	has_namespaces
	transfers full
}
