# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tree of 30,000 files, as of a program's source: unpacked, copied, looked through and
# removed in a cage, on a share and on the overlay over one, and natively, each on an ext4 of
# its own: after a great many files were removed, ext4 looks for minutes at each of their inodes
# before it makes a new one, which takes longer than all that is measured here.  "again" is a
# second cage on the same files: what the host has in its cache, the guest has not.  The first
# cage's end, when everything has to be on the share, is timed, too: "all" is from its start to its
# end, natively the sum of the same.
#
# The host would begin at once to write to a device that is new to it, on one of the two processors.
# A share of the memory for what is still to be written is promised to the device, so that neither
# side is measured beside that.
#
# promise: tar -x onto a share: tar-x-share / tar-x-native <= 2
# promise: cp -a on a share: cp-a-share / cp-a-native <= 2
# promise: find on a share: find-share / find-native <= 2
# promise: du on a share: du-share / du-native <= 2
# promise: tar -c of a share: tar-c-share / tar-c-native <= 2
# promise: rm -r on a share: rm-r-share / rm-r-native <= 2
# promise: tar -x onto the overlay: tar-x-overlay / tar-x-native <= 2.75
# aim: tar -x onto the overlay: tar-x-overlay / tar-x-native <= 2
# promise: cp -a on the overlay: cp-a-overlay / cp-a-native <= 2.75
# aim: cp -a on the overlay: cp-a-overlay / cp-a-native <= 2
# promise: find on the overlay: find-overlay / find-native <= 2
# promise: du on the overlay: du-overlay / du-native <= 2
# promise: tar -c of the overlay: tar-c-overlay / tar-c-native <= 2
# promise: rm -r on the overlay: rm-r-overlay / rm-r-native <= 2
# ratio: find, du and tar -c in a second cage, share: again-share / again-native
# ratio: find, du and tar -c in a second cage, overlay: again-overlay / again-native
# ratio: all of the first cage, share: all-share / all-native
# ratio: all of the first cage, overlay: all-overlay / all-native

setup_files()
{
	[ -s share.tar ] || umlcage fabricate --variant=minbase bookworm share.tar >/dev/null 2>&1
	[ -d share ] || umlcage share import -q share.tar share
	if [ ! -s tree.tar ]; then
		rm -rf tree
		"$BENCH_PROGS/make-tree" tree 30000
		tar --numeric-owner -cf tree.tar tree
		rm -rf tree
	fi
}

# an empty ext4 where umlcage keeps changes, until the function ends
fresh_ext4()
{
	[ "$(id -u)" -eq 0 ] || host_cannot "a file system of its own needs root"
	truncate -s 6G "$BENCH_HOME/ext4"
	mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$BENCH_HOME/ext4"
	mkdir -p "$BENCH_HOME/.local/state"
	chown 65534:65534 "$BENCH_HOME/.local" "$BENCH_HOME/.local/state"
	mount -o loop "$BENCH_HOME/ext4" "$BENCH_HOME/.local/state"
	bdi=/sys/class/bdi/$(mountpoint -d "$BENCH_HOME/.local/state")
	trap 'echo 0 >"$bdi/min_ratio"; umount "$BENCH_HOME/.local/state"; rm "$BENCH_HOME/ext4"' EXIT
	echo 50 >"$bdi/min_ratio"
	chown 65534:65534 "$BENCH_HOME/.local/state"
}

# step FIGURE COMMAND...: seconds by the clock of whoever runs it
files_step='
step()
{
	figure=$1
	shift
	began=$(date +%s%N)
	"$@" >/dev/null
	ended=$(date +%s%N)
	ms=$(((ended - began) / 1000000))
	printf "%s s %d.%03d\n" "$figure" $((ms / 1000)) $((ms % 1000))
}
look()
{
	step find$1 find tree ! -name "*.c"
	step du$1 du -s tree
	step tar-c$1 sh -c "tar -cf - tree | cat"
}
'
# (tar does not read what it writes to /dev/null)
files_first="$files_step"'
cat "$2/tree.tar" >/dev/null
step tar-x$1 tar --numeric-owner -xpf "$2/tree.tar"
step cp-a$1 cp -a tree copy
look $1
step rm-r$1 rm -r copy'
files_second="$files_step"'
look -again$1'

# in_cages SUFFIX DIRECTORY OPTION-OF-RUN...
in_cages()
{
	local suffix=$1 dir=$2 began ended
	shift 2
	began=$(date +%s%N)
	umlcage run --root share --bind .:/media:ro "$@" -- \
		sh -euc "mkdir -p $dir; cd $dir; $files_first" sh "-$suffix" /media
	ended=$(date +%s%N)
	awk -v f="all-$suffix" -v ns=$((ended - began)) 'BEGIN { print f, "s", ns / 1e9 }'
	umlcage run --root share "$@" -- sh -euc "cd $dir; $files_second" sh "-$suffix" >again
	awk -v f="again-$suffix" '{ sum += $3; print } END { print f, "s", sum }' again
	rm again
}

bench_files_on_share()
{
	fresh_ext4
	in_cages share /mnt/files --share .local/state/files:/mnt/files
}

bench_files_on_overlay()
{
	fresh_ext4
	in_cages overlay /srv/files --keep files
}

bench_files_natively()
{
	fresh_ext4
	(cd .local/state && sh -euc "$files_first" sh -native ../..) >one
	awk '{ sum += $3; print } $1 ~ /^(find|du|tar-c)-/ { again += $3 }
		END { print "all-native s", sum; print "again-native s", again }' one
	rm one
}
