# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# The tests themselves run without privilege: what every other result here rests on.  And a
# guest's root does not leave the share it is given.

test_user_is_unprivileged()
{
	[ "$(id -u)" -ne 0 ] || fail "running as root"
	equal 1 "$(sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" no_new_privs
	equal 0000000000000000 "$(sed -n 's/^CapEff:\t//p' /proc/self/status)" "effective capabilities"
	equal 0000000000000000 "$(sed -n 's/^CapPrm:\t//p' /proc/self/status)" "permitted capabilities"
	[ "$(id -u)" -ne 65534 ] ||
		equal 0000000000000000 "$(sed -n 's/^CapBnd:\t//p' /proc/self/status)" "bounding set"
}

test_namespaces_are_refused()
{
	equal 2 "$(sed -n 's/^Seccomp:\t//p' /proc/self/status)" "seccomp mode"
	status 1 unshare --user true 2>err
	contains "Operation not permitted" err
	status 1 unshare --mount true
	status 1 nsenter --mount=/proc/self/ns/mnt true
}

test_devices_are_absent()
{
	for device in /dev/kvm /dev/net/tun /dev/fuse; do
		! { : <>"$device"; } 2>/dev/null || [ "$(stat -Lc %t:%T "$device")" = 1:3 ] ||
			if [ -n "${OWN_SHM-}" ]; then
				fail "$device can be opened"
			else
				host_cannot "everybody may open $device here, and only root can hide it"
			fi
	done
}

test_shm_is_small_and_noexec()
{
	[ -n "${OWN_SHM-}" ] || host_cannot "only root can mount the /dev/shm of a container"
	cp /bin/true /dev/shm/true
	status 126 /dev/shm/true
	rm /dev/shm/true
	equal 67108864 "$(($(stat -fc '%S * %b' /dev/shm)))" "size of /dev/shm"
}

# A guest's root who has many processes move folders, links and mounts while others walk
# through them, upwards and by handle: nothing of outside is read, and nothing is put there.
write_races()
{
	cat >races/races.pl <<'EOF'
use strict; use warnings;
my ($dir, $seconds) = @ARGV;
my ($renameat2, $name_to_handle_at, $open_by_handle_at, $cwd) = (316, 303, 304, -100);
my $end = time + $seconds;
chdir $dir or die; mkdir $_ for qw(a a/b a/b/c deep deep/1 deep/1/2 deep/1/2/3 real out);
symlink "../../../../..", "link"; symlink "/", "top"; symlink "../..", "real/up";
for my $at ("real/own", "a/b/c/own") { open my $f, '>', $at or die; print $f "own\n" }
sub seen {
	my ($path) = @_;
	open my $f, '<', $path or return;
	my $text = <$f>;
	die "read '$path': $text" if ($text // '') =~ /secret/;
}
sub swap { syscall $renameat2, $cwd, my $from = $_[0], $cwd, my $to = $_[1], 2 }
my @racers = (
	sub { swap("real", "link") },
	sub { rename "a/b", "deep/1/2/3/b"; rename "deep/1/2/3/b", "a/b" },
	sub { rename "a/b/c", "c"; swap("c", "deep"); swap("c", "deep"); rename "c", "a/b/c" },
	sub { seen("link/$_"), seen("real/$_"), seen("real/up/$_"), seen("top/$_")
		for qw(secret ../secret outer/secret) },
	sub { for my $at (qw(a/b/c deep/1/2/3 deep/1/2/3/b/c c)) {
		chdir "$dir/$at" or next;
		seen("../" x $_ . "secret"), seen("../" x $_ . "outer/secret") for 1 .. 8;
		open F, ">", "../" x 5 . "planted" and close F;
		chdir $dir } },
	sub { for my $at (qw(real/planted link/planted real/up/planted top/planted)) {
		open F, ">", $at and close F; unlink $at; mkdir $at; rmdir $at } },
	sub { system "mount --bind a/b out 2>/dev/null && { cat out/../../secret out/../../../secret;
		cat out/c/../../../secret; umount -l out; } 2>/dev/null | grep secret >/dev/null" and return;
		die "read it through a bind mount" },
	sub { my $handle = pack "IiQQQQ", 32, 0, 0, 0, 0, 0; my $id = pack "i", 0;
		syscall $name_to_handle_at, $cwd, my $name = "a/b", $handle, $id, 0;
		opendir my $d, $dir or die;
		for my $number (2, 1 + int rand 100000) {
			substr $handle, 0, 16, pack "IiQ", 12, 1, $number;
			my $fd = syscall $open_by_handle_at, fileno $d, $handle, 0;
			next if $fd < 0;
			seen("/proc/self/fd/$fd/$_") for qw(secret outer/secret);
			die "a handle of another's opened" } },
);
my @pids;
for my $racer (@racers) {
	my $pid = fork // die "fork: $!";
	if (!$pid) { srand; while (time < $end) { $racer->() for 1 .. 20 } exit 0 }
	push @pids, $pid;
}
my $bad = 0;
for (@pids) { waitpid $_, 0; $bad = 1 if $? }
print $bad ? "out\n" : "confined\n";
EOF
}

test_races_do_not_leave_the_share()
{
	mkdir races outer outer/beside
	write_races
	for at in secret outer/secret outer/beside/secret; do
		echo "secret $at" >$at
	done
	run --bind races:/races:ro --share outer/s:/mnt --share outer/other:/mnt2 -- \
		sh -c 'echo "secret other" >/mnt2/secret; exec perl /races/races.pl /mnt '"$(scaled 6)" >out
	equal confined "$(tail -n 1 out)" "$(head -n 5 out)"
	for at in secret outer/secret outer/beside/secret; do
		equal "secret $at" "$(cat $at)"
	done
	equal "beside beside/secret other other/secret s secret" \
		"$(cd outer && echo $(find . -mindepth 1 -path ./s -prune -printf '%P\n' -o \
			-mindepth 1 -printf '%P\n' | LC_ALL=C sort))" "what is beside the share"
	equal "0" "$(find outer/s -name secret | wc -l)" "what got in"
	"$UMLCAGE" share verify outer/s
}
