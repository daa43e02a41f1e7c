# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# What a cage may use: --pids, --disk, --timeout; and that bombs leave the host as it was.

# Prints how many processes could be had at a time.
write_forks()
{
	cat >forks.pl <<'EOF'
$| = 1; my $n = 0; my $why = "";
while ($n < 4000) { my $pid = fork; if (!defined $pid) { $why = $!{EAGAIN} ? "EAGAIN" : $!; last }
	if (!$pid) { sleep 1000; exit } $n++ }
print "$n $why\n"; kill "KILL", -1;
EOF
}

test_processes()
{
	write_forks
	local n why
	run --pids 60 -- perl - <forks.pl >out || true
	read -r n why <out
	equal EAGAIN "$why" "reason"
	[ "$n" -ge 40 ] && [ "$n" -le 64 ] || fail "--pids 60 leaves $n processes"
	equal alive "$(run --pids 60 -- echo alive)"
	status 2 run --pids 1 -- true 2>err
	contains "--pids" err
}

# What its kernel could start on the host is limited for all that it is.
# namespaces: yes
test_processes_of_the_host()
{
	local limit options kernel
	for options in "" --no-namespaces; do
		mkfifo "hold$options"
		# shellcheck disable=SC2086
		run_exec $options --pids 60 --disk 4G -- sh -c 'echo ready; read -r line' <"hold$options" >out &
		exec 7>"hold$options"
		within 30 grep -q ready out
		kernel=$(pgrep -P $! -f '^linux mem=')
		limit=$(sed -n 's/^Max processes *[0-9]* *\([0-9]*\) .*/\1/p' "/proc/$kernel/limits")
		[ "$limit" -ge 60 ] && [ "$limit" -lt 2000 ] || fail "$limit processes on the host"
		equal 4294967296 "$(sed -n 's/^Max file size *[0-9]* *\([0-9]*\) .*/\1/p' "/proc/$kernel/limits")" \
			"size of a file"
		echo >&7
		wait $!
		>out
	done
}

test_disk()
{
	status 1 run --disk 16M -- dd if=/dev/zero of=/fill bs=1M 2>err
	contains "No space left on device" err
	run --disk 16M -- sh -c 'dd if=/dev/zero of=/fill bs=1M 2>/dev/null; stat -c %s /fill' >out
	[ "$(cat out)" -le 16777216 ] && [ "$(cat out)" -gt 12582912 ] || fail "$(cat out) bytes could be had"
	run --disk 16M -- sh -c 'dd if=/dev/zero of=/dev/shm/fill bs=1M 2>/dev/null
		dd if=/dev/zero of=/fill bs=1M count=4 2>&1' >out || true
	contains "No space left on device" out
	status 2 run --disk 1K -- true 2>err
	contains "--disk" err
}

# What is on the host: a share, kept changes and a folder, together; what goes gives room.
test_disk_of_the_host()
{
	mkdir folder
	mkdir e && tar -C e -cf empty.tar .
	"$UMLCAGE" share import -q empty.tar s
	run --disk 16M --share s:/mnt -b "$PWD/folder:/srv" --keep k -- sh -ec '
		dd if=/dev/zero of=/mnt/a bs=1M count=8 2>/dev/null
		# a write that does not fit is short, as with any disk
		! dd if=/dev/zero of=/srv/b bs=1M count=9 2>/dev/shm/err
		grep -q "No space left" /dev/shm/err
		size=$(stat -c %s /srv/b); [ "$size" -gt 7000000 ] && [ "$size" -le 8388608 ]
		! dd if=/dev/zero of=/kept bs=64k count=1 2>/dev/null
		! truncate -s 16M /mnt/a 2>/dev/null
		! fallocate -l 16M /mnt/a 2>/dev/null
		[ "$(df --output=avail -k /mnt | tail -n 1)" -lt 2048 ]
		[ "$(df --output=size -k /mnt | tail -n 1)" -eq 16384 ]
		# what is overwritten needs none
		dd if=/dev/zero of=/mnt/a bs=1M count=8 conv=notrunc 2>/dev/null
		truncate -s 4M /mnt/a
		dd if=/dev/zero of=/kept bs=1M count=3 2>/dev/null
		rm /kept /mnt/a /srv/b
		dd if=/dev/zero of=/mnt/c bs=1M count=15 2>/dev/null
		cp /mnt/c /mnt/d 2>/dev/null && exit 9
		rm /mnt/c /mnt/d
		# many small ones, too
		i=0
		while [ $i -lt 5000 ] && printf "" 2>/dev/null >/mnt/$i; do i=$((i + 1)); done
		[ $i -gt 3000 ] && [ $i -lt 4200 ]
		rm -f /mnt/*
		mkdir /mnt/again'
	equal again "$(ls s)"
	# without a limit there is none
	run --share s:/mnt -- dd if=/dev/zero of=/mnt/a bs=1M count=40 2>/dev/null
	equal 41943040 "$(stat -c %s s/a)"
}

test_time()
{
	status 124 run --timeout 2 -- sleep 1000
	status 1 fabricate --timeout 2 --variant=custom --setup-hook='sleep 1000' trixie - >/dev/null 2>err
	contains "--timeout" err
}

# Forks and memory without end, at once: the host goes on, and so do the user's other processes.
test_bombs()
{
	sleep 1000 &
	local other=$! bomb began
	run_exec --memory "$(little 256)" --timeout 20 -- perl -e '
		fork or do { fork while 1 } for 1 .. 4; my @x; push @x, "x" x 1e6 while 1' >/dev/null 2>&1 &
	bomb=$!
	sleep 5
	began=$(date +%s%N)
	for _ in $(seq 50); do
		/bin/true
	done
	[ $((($(date +%s%N) - began) / 1000000)) -lt 10000 ] || fail "50 processes of the host take more than 10 s"
	kill -0 $other || fail "another process of the user is gone"
	kill $bomb 2>/dev/null || true
	wait $bomb || true
	kill $other
	equal alive "$(run -- echo alive)"
}
