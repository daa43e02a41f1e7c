# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# What root of a cage may try to get out, and what grsecurity keeps from a chroot: allowed inside,
# as on any machine of one's own, and without effect outside.

# write_escapes: ./escapes.pl, which tries everything and says what it reached of the host.
write_escapes()
{
	cat >escapes.pl <<'EOF'
use strict; use warnings; use POSIX; use Socket; use Fcntl;
$| = 1;
my ($host_pid, $host_port, $marker, $path) = @ARGV;
my %nr = (mount => 165, umount2 => 166, pivot_root => 155, unshare => 272, setns => 308, shmget => 29,
	  shmat => 30, init_module => 175, finit_module => 313, iopl => 172, kexec_load => 246,
	  ptrace => 101, mknod => 133, sethostname => 170, settimeofday => 164, swapon => 167,
	  name_to_handle_at => 303, open_by_handle_at => 304, bpf => 321, keyctl => 250);
sub out { print "out: @_\n" }
sub is_host { -e "$_[0]/$marker" || -e "$_[0]$path/$marker" }	# its folder, or its root

# the double chroot, without a kept descriptor and with one
for my $keep (0, 1) {
	my $pid = fork // die; if (!$pid) {
		mkdir "/tmp/jail$keep"; my $dir;
		opendir $dir, "/" if $keep;
		chroot "/tmp/jail$keep" or exit 1;
		if ($keep) { chdir $dir } else { mkdir "deeper"; chroot "deeper" }
		chdir ".." for 1 .. 64;
		chroot "." ; exit(is_host("") ? 2 : 0) }
	waitpid $pid, 0; out "chroot $keep" if $? >> 8 == 2;
}
# devices of the host's disk and memory
my $n = 0;
for my $dev ([254, 0], [8, 0], [259, 0], [1, 1], [1, 2], [1, 4], [10, 232], [10, 200], [10, 229], [98, 0], [98, 16]) {
	my ($major, $minor) = @$dev; my $path = "/tmp/dev" . $n++;
	for my $type (0060000, 0020000) {
		unlink $path; my $name = $path;
		syscall($nr{mknod}, $name, $type | 0666, $major << 8 | $minor);
		open my $f, '+<', $path or next;
		sysread $f, my $text, 1 << 16;
		out "device $major:$minor" if defined $text && index($text, $marker) >= 0;
	}
}
# processes and signals; the host's number may be somebody else's in here
for my $sig (qw(TERM KILL STOP USR1)) { kill $sig, $host_pid unless $host_pid <= 300 }
my $pid = $host_pid; syscall $nr{ptrace}, 16, $pid, 0, 0;
# mounts of anything
for my $what (["/dev/ubda", "ext4"], ["/dev/ubdb", "ext4"], ["proc", "proc"], ["sysfs", "sysfs"],
	      ["none", "hostfs"], ["/", "hostfs"], ["/$marker", "hostfs"], ["root", "humfs"], ["upper", "humfs"],
	      ["m0", "humfs"], ["../..", "humfs"], ["/", "humfs"], ["devtmpfs", "devtmpfs"], ["t", "tmpfs"]) {
	my ($source, $type) = @$what; my $where = "/tmp/m"; my $none = "";
	mkdir $where;
	next if syscall($nr{mount}, $source, $where, $type, 0, $none) != 0;
	out "mount $source $type" if is_host($where) || is_host("$where/..") || is_host("$where/../..");
	syscall $nr{umount2}, $where, 2;
}
# namespaces, modules, ports, kernels
{ my $pid = fork // die; if (!$pid) { syscall $nr{unshare}, 0x10000000; syscall $nr{unshare}, 0x00020000; exit 0 } waitpid $pid, 0 }
{ my $image = "x" x 64; my $none = ""; syscall $nr{init_module}, $image, 64, $none; syscall $nr{iopl}, 3; }
# /proc and /sys tricks
for my $at ("/proc/1/root", "/proc/self/root", "/proc/1/cwd", glob("/proc/*/root"), glob("/proc/self/fd/*")) {
	for my $up ("", "/..", "/../..", "/../../../../..") { out "$at$up" if is_host("$at$up") } }
for my $set (["/proc/sys/kernel/core_pattern", "|/tmp/evil"], ["/proc/sys/kernel/hostname", "owned"],
	     ["/proc/sysrq-trigger", "h"], ["/sys/kernel/uevent_helper", "/tmp/evil"],
	     ["/proc/sys/kernel/modprobe", "/tmp/evil"]) {
	open my $f, '>', $$set[0] or next; syswrite $f, $$set[1] }
# sockets: abstract, by path, of the host's loopback, raw, spoofed
for my $name ("\0$marker", "/tmp/$marker.sock", "/run/$marker.sock") {
	socket my $s, AF_UNIX, SOCK_STREAM, 0 or next;
	out "socket $name" if connect $s, pack_sockaddr_un($name) }
for my $address (qw(127.0.0.1 10.0.2.2 0.0.0.0 10.0.3.2 10.0.3.4)) {
	socket my $s, AF_INET, SOCK_STREAM, 0 or next;
	fcntl $s, F_SETFL, O_NONBLOCK; connect $s, pack_sockaddr_in($host_port, inet_aton($address));
	my $w = ""; vec($w, fileno $s, 1) = 1; my $e = $w;
	if (select undef, $w, $e, 0.5) { out "port at $address" if unpack("i", getsockopt $s, SOL_SOCKET, SO_ERROR) == 0 } }
if (socket my $raw, 17, 3, 0x0300) {	# AF_PACKET
	my $mac = pack "H12", "525500020202"; my $own = pack "H12", "020000000001";
	for my $source (qw(127.0.0.1 10.0.2.2 10.0.2.3 8.8.8.8)) {
		my $ip = pack("CCnnnCCna4a4", 0x45, 0, 40, 1, 0, 64, 6, 0, inet_aton($source), inet_aton("127.0.0.1"));
		my $sum = unpack "%32n*", $ip; $sum = ($sum & 0xffff) + ($sum >> 16); $sum = ~($sum + ($sum >> 16)) & 0xffff;
		substr $ip, 10, 2, pack "n", $sum;
		my $tcp = pack "nnNNnnnn", 4000, $host_port, 1, 0, 0x5002, 65535, 0, 0;
		my $frame = $mac . $own . pack("n", 0x0800) . $ip . $tcp;
		my $to = pack "Snicca8", 17, 0x0800, 2, 0, 0, 6, $mac;
		send $raw, $frame, 0, $to } }
# what grsecurity keeps from a chroot, for which one's own machine is the place
chmod 04755, "/tmp/escape" if open my $f, '>', "/tmp/escape";
print -u "/tmp/escape" ? "set-id works\n" : "no set-id\n";
print setpriority(0, 0, -5) && getpriority(0, 0) == -5 ? "nice works\n" : "no nice\n";
{ my $id = syscall $nr{shmget}, 0x1234, 4096, 01666; print $id >= 0 ? "shm works\n" : "no shm\n"; }
kill 0, -1;
print "done\n";
EOF
}

test_root_of_a_cage_stays_in_it()
{
	write_escapes
	local marker=marker-$RANDOM$RANDOM port helper host
	echo "$marker" >"$marker"
	sleep 1000 &
	local victim=$!
	perl -MIO::Socket -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 9)
		or die; $| = 1; print $s->sockport, "\n"; while (my $c = $s->accept) { print "reached\n" }' >ports &
	helper=$!
	within 10 test -s ports
	read -r port <ports
	host=$(uname -n)
	run --share s:/mnt -- perl - $victim "$port" "$marker" "$PWD" <escapes.pl >out 2>err ||
		{ cat out err; fail "it did not end well"; }
	kill -0 $victim || fail "a process of the host was killed"
	matches "[SR]*" "$(sed -n 's/^State:\t//p' /proc/$victim/status)" "state of a process of the host"
	kill $victim $helper
	equal "" "$(grep ^out: out || true)" "what it reached of the host"
	equal "" "$(grep reached ports || true)" "connections to the host's loopback"
	for word in "set-id works" "nice works" "shm works" done; do
		contains "$word" out
	done
	equal "$marker" "$(cat "$marker")"
	equal "$host" "$(uname -n)" "the host's name"
	"$UMLCAGE" share verify s
}

# Everybody it can see gets a signal: nobody of the host is among them.
test_signal_to_everybody()
{
	sleep 1000 &
	local victim=$!
	run -- perl -e 'fork or sleep 1000; kill "KILL", -1; sleep 1; print "alone\n"' >out
	equal alone "$(cat out)"
	kill $victim || fail "it reached the host"
}

# KiB in the places of this test, not of the whole disk, on which others write as well
on_disk()
{
	du -sck "$T" "$XDG_CACHE_HOME" "${TMPDIR:-$T}" | tail -n 1 | cut -f1
}

test_bombs_stay_inside()
{
	local before after
	before=$(on_disk)
	run --memory "$(little 128)" -- perl -e 'fork // last for 1 .. 2000; exit' >/dev/null 2>&1 || true
	run --memory "$(little 128)" -- perl -e 'my @x; push @x, "x" x 1e6 for 1 .. 4000' >/dev/null 2>&1 || true
	run --memory "$(little 128)" -- sh -c 'dd if=/dev/zero of=/fill bs=1M 2>/dev/null; true' || true
	after=$(on_disk)
	[ $((after - before)) -lt 200000 ] || fail "$((after - before)) KiB are left on the disk"
	equal alive "$(run -- echo alive)"
}

# write_restrictions: ./restrictions.pl, what grsecurity keeps from a chroot, one by one: each says
# whether it works inside, and what of the host it reached.
write_restrictions()
{
	cat >restrictions.pl <<'EOF'
use strict; use warnings; use POSIX; use Socket; use Fcntl;
$| = 1;
my ($marker, $path, $key, $task) = @ARGV;
my %nr = (mount => 165, pivot_root => 155, unshare => 272, mknod => 133, fchdir => 81, capget => 125);
sub is_host { grep { -e "$_$marker" || -e "$_$path/$marker" } "/", map { "../" x $_ } 0 .. 40 }
# apart NAME, CODE: in a process of its own, which ends with 1 if it works, 2 if it got to the host
sub apart {
	my ($name, $code) = @_;
	my $pid = fork // die; if (!$pid) { my $ok = $code->(); POSIX::_exit(is_host() ? 2 : $ok ? 1 : 0) }
	waitpid $pid, 0; my $how = $? >> 8;
	print $how == 2 ? "out: $name\n" : $how == 1 ? "works: $name\n" : "fails: $name ($?: $!)\n";
}
sub mount { my ($source, $where, $type, $flags) = @_; my $none = "";
	syscall($nr{mount}, $source, $where, $type, $flags, $none) == 0 }
mkdir "/tmp/$_" for qw(m jail jail/deeper new);
apart "mount", sub { mount("t", "/tmp/m", "tmpfs", 0) && chdir "/tmp/m" };
apart "double chroot", sub { chroot "/tmp/jail" and chdir "/" and chroot "deeper" };
apart "pivot_root", sub { my ($new, $old) = (".", ".");
	syscall($nr{unshare}, 0x00020000) == 0 && mount("none", "/", "none", 0x44000) &&
	mount("t", "/tmp/new", "tmpfs", 0) && chdir "/tmp/new" and syscall($nr{pivot_root}, $new, $old) == 0 };
apart "chdir after chroot", sub { chdir "/usr" and chroot "/tmp/jail" and chdir ".." };
apart "fchdir out", sub { opendir my $d, "/usr"; chroot "/tmp/jail" and chdir "/" and
	syscall($nr{fchdir}, fileno $d) == 0 };
apart "chmod +s", sub { open my $f, '>', "/mnt/suid" or return; chmod 06755, "/mnt/suid" and -u "/mnt/suid" };
apart "mknod", sub { my ($b, $c) = ("/mnt/disk", "/mnt/mem");
	syscall($nr{mknod}, $b, 0060666, 8 << 8) == 0 && syscall($nr{mknod}, $c, 0020666, 1 << 8 | 1) == 0 &&
	-b $b && -c $c };
apart "shmat", sub { my $id = shmget($key, 4096, 0); print "out: a segment of the host\n" if defined $id;
	$id = shmget($key, 4096, 01600) // return;
	my $text; shmwrite($id, "guest", 0, 5) && shmread($id, $text, 0, 5) && $text eq "guest" };
apart "abstract socket", sub { my $name = pack_sockaddr_un("\0$marker");
	socket my $s, AF_UNIX, SOCK_STREAM, 0; print "out: a socket of the host\n" if connect $s, $name;
	socket my $l, AF_UNIX, SOCK_STREAM, 0; bind $l, $name and listen $l, 1 and connect $s, $name };
apart "socket in a share", sub { socket my $s, AF_UNIX, SOCK_STREAM, 0;
	!connect $s, pack_sockaddr_un("/mnt1/sock") };
apart "find task", sub { for (glob "/proc/[0-9]*/cmdline") { open my $f, '<', $_ or next;
		my $line = <$f> // ""; print "out: a task of the host\n" if $line =~ /^sleep\x00$task/ }
	my @own = glob "/proc/[0-9]*"; @own > 1 };
apart "nice", sub { setpriority(0, 0, -7) && setpriority(2, 0, 9) && getpriority(2, 0) };
apart "sysctl", sub { for (["kernel/hostname", "owned-$marker"], ["vm/swappiness", 13], ["fs/file-max", 54321]) {
		open my $f, '>', "/proc/sys/$$_[0]" or return; syswrite $f, $$_[1] or return; close $f or return;
		open $f, '<', "/proc/sys/$$_[0]"; return unless <$f> eq "$$_[1]\n" } 1 };
apart "capabilities", sub { open my $f, '<', "/proc/self/status"; my ($cap) = grep /^CapEff/, <$f>;
	$cap =~ /0[0-9a-f]{6}[1-9a-f][0-9a-f]{6}/ && chown 5, 6, "/tmp/jail" };
EOF
}

# who reaches the host in it says so, and what is the host's is as it was
test_restrictions_of_a_chroot_one_by_one()
{
	write_restrictions
	local marker=marker-$RANDOM$RANDOM task=98$RANDOM key=$((0x51000000 + RANDOM))
	mkdir with
	mkfifo hold
	touch "$marker"
	sleep "$task" &
	local victim=$! nice
	nice=$(ps -o ni= -p $victim)
	perl -MSocket -e '$| = 1; my ($marker, $key) = @ARGV;
		my $id = shmget($key, 4096, 01600) // die "shmget: $!"; shmwrite($id, "host", 0, 4) or die;
		for my $name ("\0$marker", "with/sock") {
			socket my $s, AF_UNIX, SOCK_STREAM, 0; bind $s, pack_sockaddr_un($name) or die; listen $s, 9; push @l, $s }
		print "ready\n"; <STDIN>; shmread($id, my $text, 0, 4); print "segment $text\n"; shmctl($id, 0, 0);
		my $r = ""; vec($r, fileno $_, 1) = 1 for @l; print "connections ", scalar(select $r, undef, undef, 0), "\n"' \
		"$marker" "$key" <>hold >served 2>&1 &
	within 10 grep -q ready served
	cat /proc/sys/vm/swappiness /proc/sys/fs/file-max /proc/sys/kernel/hostname >before
	run --share s:/mnt --bind with:/mnt1 -- perl - "$marker" "$PWD" "$key" "$task" <restrictions.pl >out 2>err ||
		{ cat out err; fail "it did not end well"; }
	echo >hold
	within 10 grep -q connections served
	equal "" "$(grep -v '^works' out || true)" "what does not work inside, or reached the host"
	equal 14 "$(grep -c '^works' out)"
	cat /proc/sys/vm/swappiness /proc/sys/fs/file-max /proc/sys/kernel/hostname >after
	cmp before after || fail "settings of the host"
	equal "segment host" "$(grep segment served)"
	equal "connections 0" "$(grep connections served)"
	equal "$nice" "$(ps -o ni= -p $victim)" "the host's niceness"
	kill $victim || fail "the host's process is gone"
	equal "" "$(find s -type b -o -type c -o -perm /6000)" "devices and set-id files of a share on the host"
}

# Whatever is written to a disk goes to memory: the image was not given to be changed.
test_disk_of_an_image_is_not_written()
{
	mkdir -p t/bin t/dev t/proc t/sys t/tmp t/etc
	cp "$GUEST_PROGRAMS/guest-write" t/bin/write
	PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -d t image.ext4 16M
	sha256sum image.ext4 >sums
	run -r image.ext4 -- /bin/write /dev/ubda evil 100
	sha256sum -c --quiet sums
}
