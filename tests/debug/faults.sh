# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# humfs while the kernel's allocations fail on order; for the debugging kernel of `make
# check-debug`, whose console must stay silent.

# A model of the share beside the share: what a call reported as done must be there, what it
# refused must have changed nothing.
write_model()
{
	cat >model/model.pl <<'EOF'
use strict; use warnings; no warnings 'unopened';
my ($dir, $rounds) = @ARGV;
my $debug = '/sys/kernel/debug/failslab';
my (%have, %mode, $failed, $done) = ();
sub knob { open my $f, '>', "$_[0]" or die "$_[0]: $!"; print $f $_[1]; close $f or die "$_[0]: $!" }
sub put {
	my ($name, $text) = @_;
	my $new = "$dir/new";
	open(my $f, '>', $new) or return 0;
	my $n = syswrite $f, $text;
	my $closed = close $f;
	if (($n // -1) == length $text && $closed && rename $new, "$dir/$name") {
		$have{$name} = $text;
		delete $mode{$name};
		return 1;
	}
	return 0;
}
my @ops = (
	sub { put($_[0], "content $_[1] " x int rand 3000) },
	sub { my $to = "x$_[0]"; exists $have{$_[0]} && rename("$dir/$_[0]", "$dir/$to") or return 0;
	      $have{$to} = delete $have{$_[0]}; $mode{$to} = delete $mode{$_[0]};
	      delete $mode{$to} unless defined $mode{$to}; 1 },
	sub { exists $have{$_[0]} && unlink("$dir/$_[0]") or return 0; delete $have{$_[0]};
	      delete $mode{$_[0]}; 1 },
	sub { exists $have{$_[0]} && chmod(06711, "$dir/$_[0]") or return 0; $mode{$_[0]} = 06711 },
	sub { mkdir("$dir/d/$_[1]") or return 0; symlink("..", "$dir/d/$_[1]/l");
	      opendir(D, "$dir/d/$_[1]") and readdir D; unlink "$dir/d/$_[1]/l";
	      rmdir "$dir/d/$_[1]"; 1 },
	sub { exists $have{$_[0]} && link("$dir/$_[0]", "$dir/d/link") or return 0;
	      open(F, '<', "$dir/d/link") and read F, my $b, 100000;
	      chown 5, 6, "$dir/d/link"; unlink "$dir/d/link"; delete $mode{$_[0]}; 1 },
	sub { opendir(my $d, $dir) or return 0; my @names = readdir $d; stat "$dir/$_" for @names; 1 },
);
mkdir "$dir/d"; srand 4711;
knob "$debug/task-filter", 'Y'; knob "$debug/ignore-gfp-wait", 'N'; knob "$debug/verbose", 0;
knob "$debug/interval", 1; knob "$debug/times", -1; knob "$debug/probability", 4;
for my $i (1 .. $rounds) {
	my $op = $ops[rand @ops];
	my $name = "f" . int rand 40;
	knob '/proc/sys/vm/drop_caches', 2 if $i % 50 == 0;
	knob '/proc/self/make-it-fail', 1;
	my $ok = $op->($name, $i);
	# closing it fails, too
	until (open(F, '>', '/proc/self/make-it-fail') and print F 0 and close F) { }
	$ok ? $done++ : $failed++;
	next if $i % 100;
	for my $n (sort keys %have) {
		open my $f, '<', "$dir/$n" or die "$n is lost: $!\n";
		my $text = join '', <$f>;
		$text eq $have{$n} or die "$n has other contents\n";
		my $mode = (stat "$dir/$n")[2] & 07777;
		!$mode{$n} || $mode == $mode{$n} or die sprintf "%s has mode %o\n", $n, $mode;
	}
}
knob "$debug/probability", 0;
print "$done done, $failed failed\n";
$done > $rounds / 4 && $failed > $rounds / 20 or die "that was no test\n";
EOF
}

test_failing_allocations()
{
	mkdir model
	write_model
	run --bind model:/model:ro --share s:/mnt -- sh -euc '[ -e /sys/kernel/debug/kmemleak ] || mount -t debugfs d /sys/kernel/debug
		exec perl /model/model.pl /mnt '"$(scaled 2000)"
	"$UMLCAGE" share verify s
	run --bind model:/model:ro --share s:/s --share disk:/disk -- sh -euc '
		[ -e /sys/kernel/debug/kmemleak ] || mount -t debugfs d /sys/kernel/debug; mkdir /disk/up /disk/work /o
		mount -t overlay o -o lowerdir=/s,upperdir=/disk/up,workdir=/disk/work /o
		mkdir /o/new; exec perl /model/model.pl /o/new '"$(scaled 1000)"
	"$UMLCAGE" share verify disk
}

# What allocated memory nobody points at any more after humfs has been used and unmounted.
test_nothing_leaks()
{
	run --share s:/mnt -- sh -euc '[ -e /sys/kernel/debug/kmemleak ] || mount -t debugfs d /sys/kernel/debug
		cd /mnt; i=0; while [ $i -lt 300 ]; do i=$((i + 1))
			echo x >f$i; ln -s f$i l$i; chown -h 5:5 l$i; mknod n$i c 1 3; ln f$i h$i; done
		ls -lR >/dev/null; rm f*; cat h* >/dev/null; cd /; umount /mnt
		echo 3 >/proc/sys/vm/drop_caches; sleep 6
		echo scan >/sys/kernel/debug/kmemleak; sleep 6; echo scan >/sys/kernel/debug/kmemleak
		grep -A12 humfs /sys/kernel/debug/kmemleak >&2 && exit 1 || exit 0'
}
