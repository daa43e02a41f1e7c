# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bytes through the network of a cage, from and to a server on the host, and through
# slirp4netns, which uses the same library, with the size of packets it recommends.
#
# aim: download in a cage against slirp4netns: download-cage / download-slirp4netns >= 1
# aim: upload in a cage against slirp4netns: upload-cage / upload-slirp4netns >= 1.3
# ratio: download with two virtual CPUs against slirp4netns: download-cage-2-cpus / download-slirp4netns
# ratio: upload with two virtual CPUs against slirp4netns: upload-cage-2-cpus / upload-slirp4netns

transfer=$BENCH_PROGS/net-transfer
megabytes=300

# with_server COMMAND...: $port is that of a server on the host's loopback.  It ends with all
# else that was started, however this ends.
with_server()
{
	trap 'kill $(jobs -p)' EXIT
	coproc "$transfer" serve
	read -r port <&"${COPROC[0]}"
	"$@"
}

speeds()
{
	awk -v s="$1" 'NR == 1 { print "download-" s " MB/s " $1 } NR == 2 { print "upload-" s " MB/s " $1 }'
}

# in_cage RUN [OPTION...]: what runs a cage, as 'umlcage run' does
in_cage()
{
	# shellcheck disable=SC2016
	"$@" --net=nat --reach-host -- sh -c 'cat >/tmp/t && chmod 755 /tmp/t &&
		for way in down up; do /tmp/t $way 10.0.2.2 "$0" "$1"; done' "$port" $megabytes <"$transfer"
}

bench_net_cage()
{
	with_server in_cage umlcage run | speeds cage
}

bench_net_cage_with_two_cpus()
{
	with_server in_cage umlcage run --cpus 2 | speeds cage-2-cpus
}

in_namespace()
{
	local pid slirp way
	unshare "${unshare[@]}" sleep 60 &
	pid=$!
	# when it is another program it has its namespaces
	until [ "$(cat /proc/$pid/comm)" = sleep ]; do
		sleep 0.02
	done
	rm -f "$BENCH_HOME/ready"
	slirp4netns --configure --mtu=65520 --ready-fd=3 $pid tap0 3>"$BENCH_HOME/ready" >/dev/null 2>&1 &
	slirp=$!
	until [ -s "$BENCH_HOME/ready" ]; do
		kill -0 $slirp 2>/dev/null || host_cannot 'slirp4netns does not run here'
		sleep 0.02
	done
	for way in down up; do
		nsenter "${enter[@]}" -t $pid "$transfer" $way 10.0.2.2 "$port" $megabytes
	done
}

bench_net_slirp4netns()
{
	unshare=(-n) enter=(-n)
	[ "$(id -u)" -eq 0 ] || { unshare=(-rn) enter=(-U -n --preserve-credentials); }
	command -v slirp4netns >/dev/null || host_cannot 'slirp4netns is not installed'
	unshare "${unshare[@]}" true 2>/dev/null || host_cannot 'no network namespaces'
	with_server in_namespace | speeds slirp4netns
}
