# SPDX-License-Identifier: GPL-2.0-or-later
# A file system whose tool copies a directory, in a cage.  The tree comes as a tar file on standard
# input and becomes an ext4 by the command in the arguments, mounted for the tool: there it has the
# owners and attributes, and no time and no order of names that is this machine's.  MAKE is the
# tool; commands.c has the variables.

# mkfs.btrfs leaves out which device a node is.  What is known of them is in the leaves of its tree
# of files: names and inodes, each leaf with its sum.  (Documentation: btrfs' on-disk format.)
btrfs_devices()
{
	perl - "$1" /mnt <<-'EOF'
	my ($file, $top) = @ARGV;
	my $NODE = 16384;
	my @table = map { my $c = $_; $c = $c & 1 ? $c >> 1 ^ 0x82f63b78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;
	my (%place, @leaves);

	sub crc32c { my $c = ~0 & 0xffffffff; $c = $c >> 8 ^ $table[($c ^ $_) & 255] for unpack("C*", $_[0]); ~$c & 0xffffffff }
	sub path { my ($ino) = @_; $ino == 256 ? $top : path($place{$ino}[0]) . "/$place{$ino}[1]" }

	open(my $f, "+<:raw", $file) or die "$file: $!\n";
	seek($f, 65536 + 32, 0) and read($f, my $fsid, 16) == 16 or die "no superblock\n";
	for (my $at = 0; $at < -s $f; $at += $NODE) {
		seek($f, $at, 0);
		read($f, my $node, 101) == 101 or last;
		# of the tree of files, without others below it
		next if substr($node, 32, 16) ne $fsid || unpack("Q<", substr($node, 88, 8)) != 5 || ord(substr($node, 100));
		read($f, $node, $NODE - 101, 101);
		my @devices;
		for my $i (0 .. unpack("L<", substr($node, 96, 4)) - 1) {
			my ($ino, $type, $parent, $offset) = unpack("Q<CQ<L<", substr($node, 101 + 25 * $i, 25));
			my $data = 101 + $offset;
			if ($type == 12) {
				$place{$ino} = [$parent, substr($node, $data + 10, unpack("S<", substr($node, $data + 8, 2)))];
			} elsif ($type == 1) {
				my $kind = unpack("L<", substr($node, $data + 52, 4)) & 0170000;
				push @devices, [$ino, $data + 56] if $kind == 0020000 || $kind == 0060000;
			}
		}
		push @leaves, [$at, $node, @devices] if @devices;
	}
	for (@leaves) {
		my ($at, $node, @devices) = @$_;
		for (@devices) {
			my ($ino, $where) = @$_;
			my $dev = (lstat(path($ino)))[6];
			my ($major, $minor) = ($dev >> 8 & 0xfff | $dev >> 32 & ~0xfff, $dev & 0xff | $dev >> 12 & 0xfff00);
			substr($node, $where, 8) = pack("Q<", $major << 20 | $minor);
		}
		substr($node, 0, 4) = pack("L<", crc32c(substr($node, 32)));
		seek($f, $at, 0);
		print $f $node;
	}
	close($f) or die "$file: $!\n";
	EOF
}

TREE=$OUT/tree.ext4
rm -f "$TREE" "$OUT/image"
"$@"
(
	echo 'rmdir lost+found'
	cat "$OUT/script"
) >"$OUT/changes"
LD_PRELOAD="$OUT/gather.so" debugfs -w -f "$OUT/changes" "$TREE" >"$OUT/said" 2>&1
! grep -v -e '^debugfs' -e '^$' "$OUT/said" || exit 1
mount -o loop,ro,noatime "$TREE" /mnt
truncate -s "$IMAGE_BYTES" "$OUT/image"
export LD_PRELOAD="$OUT/still.so"
case $MAKE in
btrfs)
	mkfs.btrfs -q --uuid "$ROOT_UUID" ${LABEL:+--label "$LABEL"} --rootdir /mnt "$OUT/image"
	btrfs_devices "$OUT/image" ;;
xfs)
	DETERMINISTIC_SEED=1 mkfs.xfs -q -m "uuid=$ROOT_UUID" ${LABEL:+-L "$LABEL"} -p /mnt "$OUT/image" ;;
esac
unset LD_PRELOAD
# mkfs.btrfs makes it larger, where there is too little
if [ "$FIXED" = 1 ] && [ "$(stat -c %s "$OUT/image")" != "$IMAGE_BYTES" ]; then
	echo "No space left in an image of that size"
	exit 1
fi
umount /mnt
rm "$TREE"
