# SPDX-License-Identifier: GPL-2.0-or-later
# umlcage share and umlcage root: archives in and out, hostile ones, other readers of the
# records, full disks, repairs.

share()
{
	"$UMLCAGE" share "$@"
}

make_tar()
{
	command -v python3 >/dev/null || host_cannot "no python3, which makes archives for the test"
	"$TESTS_DIR/support/tar-make" "$@"
}

same_tar()
{
	"$TESTS_DIR/support/tar-compare" --times "$1" "$2" || fail "'$1' and '$2' differ"
}

# nothing of an import that failed
check_nothing_left()
{
	[ ! -e "$1" ] || fail "'$1' is there"
	[ -z "$(find "$(dirname "$1")" -name '.*.part')" ] || fail "a part is left"
}

test_round_trip()
{
	make_tar rich.tar rich
	share import -q rich.tar s
	share verify s
	equal 700 "$(stat -c %a s)" "mode of the share"
	[ -z "$(find s -perm /7000)" ] || fail "set-id or sticky bits on the host"
	[ -z "$(find s ! -type f ! -type d ! -type l)" ] || fail "special files on the host"
	[ -z "$(find s ! -uid "$(id -u)")" ] || fail "foreign owners on the host"
	share export -q s out.tar
	same_tar rich.tar out.tar
	share export -q s - | cmp - out.tar
	share import -q - again <out.tar
	share export -q again - | cmp - out.tar
}

test_every_compression()
{
	make_tar rich.tar rich
	share import -q rich.tar s
	share export -q s out.tar
	for suffix in gz bz2 xz zst lz4 lzma lz; do
		share export -q s "out.tar.$suffix"
		[ "$(stat -c %s "out.tar.$suffix")" -lt "$(stat -c %s out.tar)" ] ||
			fail ".$suffix is no smaller"
		share import -q "out.tar.$suffix" "s-$suffix"
		share export -q "s-$suffix" - | cmp - out.tar
		share export -q -f "tar.$suffix" s - | cmp - "out.tar.$suffix"
	done
	gzip -dc out.tar.gz | cmp - out.tar
	xz -dc out.tar.xz | cmp - out.tar
	share export -q -l 1 s fast.tgz
	gzip -dc fast.tgz | cmp - out.tar
	# more than one thread compresses, and what cannot be made smaller
	seq 1 400000 >s/numbers
	head -c 3000000 /dev/urandom >s/noise
	share export -q s large.tar
	for level in 0 1 9; do
		share export -q -l $level s large.tar.gz
		gzip -dc large.tar.gz | cmp - large.tar
		python3 -c 'import gzip, sys; sys.stdout.buffer.write(gzip.open("large.tar.gz").read())' |
			cmp - large.tar
		share import -q large.tar.gz "s-large-$level"
		share export -q "s-large-$level" - | cmp - large.tar
	done
	status 2 share export -q s out.zip 2>err
	contains "cannot tell a format from the name 'out.zip'" err
	status 2 share export -q -l 99 s out.tar.gz2 2>err
}

test_cpio()
{
	command -v cpio >/dev/null || host_cannot "no cpio"
	make_tar a.tar "dir . mode=755" "dir d mode=1777" "file d/f mode=4711 uid=5 gid=6 data=hello" \
		"link d/g target=d/f" "symlink l target=d/f uid=7" "char n mode=600 major=1 minor=3"
	share import -q a.tar s
	share export -q s s.cpio
	mkdir plain
	(cd plain && cpio -id --no-preserve-owner --quiet <../s.cpio 2>/dev/null || true)
	equal hello "$(cat plain/d/g)"
	equal "$(stat -c %i plain/d/f)" "$(stat -c %i plain/d/g)"
	share import -q s.cpio t
	share list s | sed 's/  */ /g' >s.list
	share list t | sed 's/  */ /g' >t.list
	diff s.list t.list
	# as GNU cpio writes it: the contents with the last name
	(cd plain && find d | LC_ALL=C sort | cpio -o -H newc --quiet) >last.cpio
	share import -q last.cpio u
	equal hello "$(cat u/d/f)"
	equal "$(stat -c %i u/d/f)" "$(stat -c %i u/d/g)"
}

test_sparse()
{
	truncate -s 30M hole
	printf end >>hole
	printf x | dd of=hole bs=1 seek=1000000 conv=notrunc status=none
	tar -cSf a.tar hole
	share import -q a.tar s
	cmp hole s/hole
	[ "$(stat -c %b s/hole)" -lt 100 ] || fail "$(stat -c %b s/hole) blocks after import"
	share export -q --sparse s b.tar
	[ "$(stat -c %s b.tar)" -lt 100000 ] || fail "the archive has $(stat -c %s b.tar) bytes"
	mkdir x && tar -xf b.tar -C x
	cmp hole x/hole
	# unless asked for as every tar understands it
	share export -q s c.tar
	python3 -c 'import sys, tarfile
for t in tarfile.open(sys.argv[1], "r:"):
	print(t.name, t.size, t.sparse, *sorted(t.pax_headers.keys() - {"mtime"}))' c.tar >listed
	contains "./hole $(stat -c %s hole) None" listed
	! grep -i gnu listed || fail "GNU's own way of writing holes"
}

test_reproducible()
{
	make_tar rich.tar rich
	share import -q rich.tar a
	share import -q rich.tar b
	for suffix in tar tar.gz tar.xz tar.zst cpio; do
		share export -q a "a.$suffix" 2>/dev/null
		share export -q b "b.$suffix" 2>/dev/null
		cmp "a.$suffix" "b.$suffix"
	done
	touch a/home/large
	touch -d 2020-01-01 b/home/large
	SOURCE_DATE_EPOCH=1400000000 share export -q a a.tar
	SOURCE_DATE_EPOCH=1400000000 share export -q b b.tar
	cmp a.tar b.tar
	make_tar want.tar "file early mode=644 mtime=0 data=x" "file late mode=644 mtime=1400000000 data=x"
	make_tar have.tar "file early mode=644 mtime=0 data=x" "file late mode=644 mtime=1500000000.25 data=x"
	share import -q have.tar c
	SOURCE_DATE_EPOCH=1400000000 share export -q c - | tar -tv --full-time >c.list
	matches "*2014-05-13 16:53:20*late" "$(TZ=UTC tail -n 1 c.list)"
	status 2 env SOURCE_DATE_EPOCH=soon "$UMLCAGE" share export -q c c.tar 2>err
	contains "bad SOURCE_DATE_EPOCH 'soon'" err
}

test_hostile_archives()
{
	mkdir outside
	local out
	out=$(pwd)/outside
	refused()
	{
		local named=$1
		shift
		make_tar bad.tar "$@"
		# by its cause: not there, no room, or just wrong
		share import -q bad.tar s 2>err && fail "'$*' was taken"
		contains "$named" err
		check_nothing_left s
	}
	refused "'../outside/f'" "file ../outside/f data=x"
	refused "'a/../../outside/f'" "dir a" "file a/../../outside/f data=x"
	refused "'h'" "link h target=../outside/f"
	refused "'h'" "link h target=/etc/passwd"
	refused "'l/f'" "symlink l target=$out" "file l/f data=x"
	refused "'l/f'" "symlink l target=../outside" "file l/f data=x"
	refused "'l/x'" "symlink l target=l" "file l/x data=x"
	refused "'f/x'" "file f data=x" "file f/x data=x"
	refused "'f'" "file f uid=-5 data=x pax.uid=4294967295"
	refused "File name too long" "file $(printf 'x%.0s' {1..300}) data=x"
	refused "Directory not empty" "dir d" "file d/f data=x" "file d data=x"
	[ -z "$(ls -A outside)" ] || fail "something got out: $(ls outside)"

	# confined: absolute names and links count from the share's root
	make_tar odd.tar "file /etc/f data=abs" "dir tmp" "symlink out target=/tmp" "file out/g data=in"
	share import -q odd.tar s 2>err
	contains "'/etc/f'" err
	equal abs "$(cat s/etc/f)"
	equal in "$(cat s/tmp/g)"

	# a record of ours in the archive is not taken for one
	make_tar rec.tar "file f mode=644 data=x pax.SCHILY.xattr.user.containers.override_stat=0:0:4755:file"
	share import -q rec.tar r 2>err
	contains "user.containers.override_stat" err
	equal "-rw-r--r--" "$(share list r f | cut -c 1-10)"
}

test_damaged_archives()
{
	make_tar rich.tar rich
	head -c 20000 rich.tar >cut.tar
	gzip <rich.tar | head -c 2000 >cut.tar.gz
	printf 'PK\3\4 something else entirely' >some.zip
	: >empty.tar
	for archive in cut.tar cut.tar.gz some.zip empty.tar missing.tar; do
		[ $archive = missing.tar ] && refused=3 || refused=1
		status $refused share import -q "$archive" s 2>err
		contains "'$archive'" err
		check_nothing_left s
	done
	head -c 20000 rich.tar | status 1 share import -q - s 2>err
	contains "standard input" err
}

test_limit()
{
	make_tar bomb.tar "file bomb size=200000000"
	gzip -1 bomb.tar
	status 6 share import -q --limit 10M bomb.tar.gz s 2>err
	contains "stopped at 'bomb'" err
	check_nothing_left s
	for i in $(seq 3000); do echo "char n$i major=1 minor=3"; done >lines
	mapfile -t lines <lines
	make_tar flood.tar "${lines[@]}"
	status 6 share import -q --limit 10M flood.tar s 2>err
	contains "stopped at 'n2561'" err
	check_nothing_left s
	share import -q --limit 20M flood.tar s
}

test_existing_targets_are_kept()
{
	make_tar a.tar "file f mode=644 data=new"
	mkdir full && echo old >full/f
	status 1 share import -q a.tar full 2>err
	contains "'full' exists and is not empty" err
	equal old "$(cat full/f)"
	mkdir empty
	share import -q a.tar empty
	share import -q a.tar with/ 2>err
	equal new "$(cat with/f)"
	echo precious >out.tar
	status 3 share export -q nothing out.tar 2>err
	status 1 share export -q full out.tar 2>err
	contains "'full' is not a share" err
	equal precious "$(cat out.tar)"
}

test_interrupted_import_leaves_nothing()
{
	make_tar a.tar "dir d" "file d/f mode=644 data=x" "file large size=3000000"
	mkfifo pipe
	for signal in TERM INT HUP; do
		# the archive never ends: the import waits for more
		{ head -c 1500000 a.tar; exec sleep 60; } >pipe 2>/dev/null &
		local feeder=$!
		env --default-signal "$UMLCAGE" share import -q - s <pipe 2>err &
		local importer=$! got=0
		within 10 sh -c 'ls .s.*.part/large >/dev/null 2>&1'
		kill -"$signal" $importer
		wait $importer || got=$?
		equal $((128 + $(kill -l $signal))) $got "status after SIG$signal"
		kill $feeder 2>/dev/null || true
		wait $feeder 2>/dev/null || true
		check_nothing_left s
	done
}

test_killed_import_is_cleaned_up_by_the_next()
{
	make_tar a.tar "dir d" "file d/f mode=644 data=x" "file large size=3000000"
	mkfifo pipe
	{ head -c 1500000 a.tar; exec sleep 60; } >pipe 2>/dev/null &
	local feeder=$!
	"$UMLCAGE" share import -q - s <pipe 2>err &
	local importer=$!
	within 10 sh -c 'ls .s.*.part/large >/dev/null 2>&1'
	# a running one is left alone
	share import -q a.tar s
	equal 1 "$(find . -maxdepth 1 -name '.s.*.part' | wc -l)" "parts"
	rm -r s
	kill -9 $importer
	wait $importer || true
	kill $feeder
	wait $feeder || true
	share import -q a.tar s
	equal 0 "$(find . -maxdepth 1 -name '.s.*.part' | wc -l)" "parts"
}

test_list_and_changes()
{
	make_tar a.tar "dir . mode=755" "dir d mode=755" "file d/f mode=4755 data=x" \
		"symlink d/l target=f" "dir d/e mode=700" "file d/e/g mode=640 data=y" \
		"file cap mode=755 data=x pax.SCHILY.xattr.security.capability=\\x01\\x00\\x00\\x02\\x00\\x20$(printf '\\x00%.0s' {1..14})"
	share import -q a.tar s
	seen()
	{
		share list s "$1" | head -n 1 | awk '{ print $1, $3, $4 }'
	}
	equal "-rwsr-xr-x 0 0" "$(seen d/f)"
	share chown 5:6 s d/f
	equal "-rwxr-xr-x 5 6" "$(seen d/f)"
	share chmod u+s,go-rx s d/f
	equal "-rws------ 5 6" "$(seen d/f)"
	share chown -R :9 s d
	equal "drwxr-xr-x 0 9" "$(seen d)"
	equal "drwx------ 0 9" "$(seen d/e)"
	equal "-rw-r----- 0 9" "$(seen d/e/g)"
	equal "lrwxrwxrwx 0 9" "$(seen d/l)"
	equal "-rwx------ 5 9" "$(seen d/f)"
	share chmod -R a=rX s /d/
	equal "-r-xr-xr-x 5 9" "$(seen d/f)"
	equal "-r--r--r-- 0 9" "$(seen d/e/g)"
	equal "dr-xr-xr-x 0 9" "$(seen d/e)"
	share list s cap | grep security.capability >/dev/null
	share chown 1 s cap
	! share list s cap | grep security.capability >/dev/null || fail "the capability is still there"
	share mknod s d/null c 1 3
	share mknod -m 600 -o 3:4 s d/pipe p
	equal "crw-rw-rw- 0 0" "$(seen d/null)"
	equal "prw------- 3 4" "$(seen d/pipe)"
	share verify s
	status 2 share chmod rubbish s d/f 2>err
	contains "bad mode 'rubbish'" err
	status 2 share chown root s d/f
	status 3 share chown 1 s d/none 2>err
	contains "'d/none'" err
	status 1 share chown 1 s ../s/d 2>err
	share list --json s d/null | grep '"type": "char".*"major": 1, "minor": 3' >/dev/null
	! command -v python3 >/dev/null || share list --json s | python3 -c 'import json, sys; json.load(sys.stdin)'
}

test_fakeroot_sees_the_same()
{
	command -v fakeroot >/dev/null || host_cannot "no fakeroot"
	make_tar rich.tar rich
	share import -q rich.tar s
	share fakeroot s >state
	fakeroot -i state find s -mindepth 1 -printf '%P %M %U %G\n' | LC_ALL=C sort >theirs
	share list --json s | python3 -c '
import json, stat, sys
types = dict(file=stat.S_IFREG, dir=stat.S_IFDIR, symlink=stat.S_IFLNK, pipe=stat.S_IFIFO,
             block=stat.S_IFBLK, char=stat.S_IFCHR)
for e in json.load(sys.stdin):
    if e["path"] and "\n" not in e["path"] and "latin" not in e["path"]:
        print(e["path"], stat.filemode(types[e["type"]] | int(e["mode"], 8)), e["uid"], e["gid"])
' | LC_ALL=C sort >ours
	grep -v -e latin -e 'home/blank and$' -e ^newline theirs >theirs.printable
	diff ours theirs.printable
	equal "1:3" "$(fakeroot -i state stat -c %t:%T s/dev/null)"
}

test_records_read_as_containers_do()
{
	command -v getfattr >/dev/null || host_cannot "no getfattr"
	make_tar rich.tar rich
	share import -q rich.tar s
	record()
	{
		getfattr --only-values -n user.containers.override_stat "s/$1" 2>/dev/null
	}
	equal 0:0:0755:dir "$(record .)"
	equal 0:0:4755:file "$(record bin/su)"
	equal 0:0:1777:dir "$(record tmp)"
	equal 0:5:0620:char-5-1 "$(record dev/console)"
	equal 0:6:0660:block-8-0 "$(record dev/sda)"
	equal 0:0:0600:pipe "$(record dev/initctl)"
	equal 1000:1001:0777:symlink "$(record owned)"
	equal bin/su "$(cat s/owned)"
	equal "" "$(record home/large)"
}

test_every_file_recorded_if_asked()
{
	command -v getfattr >/dev/null || host_cannot "no getfattr"
	make_tar a.tar "file made/parent/f mode=644 data=x" "dir d mode=755" "file d/su mode=4755 data=x"
	share import -q --record-all a.tar s
	for path in . made made/parent made/parent/f d d/su; do
		getfattr --only-values -n user.containers.override_stat "s/$path" >/dev/null ||
			fail "no record on $path"
	done
	share import -q a.tar t
	touch -r s t
	share export -q s - | tar -tv --full-time | sed 's/  */ /g' | cut -d ' ' -f 1-3,6 >s.list
	share export -q t - | tar -tv --full-time | sed 's/  */ /g' | cut -d ' ' -f 1-3,6 >t.list
	diff s.list t.list
	share verify s
}

# user: root
# leaves: a mount point until its trap has run
test_fuse_overlayfs_reads_the_records()
{
	command -v fuse-overlayfs >/dev/null || host_cannot "no fuse-overlayfs"
	[ -c /dev/fuse ] || host_cannot "no /dev/fuse"
	make_tar rich.tar rich
	share import -q --record-all rich.tar s
	mkdir m
	fuse-overlayfs -o lowerdir="$PWD/s",xattr_permissions=2 m 2>err ||
		host_cannot "fuse-overlayfs cannot mount here: $(tail -n 1 err)"
	trap 'umount -l m' EXIT
	equal "4755 0 0" "$(stat -c '%a %u %g' m/bin/su)"
	equal "2755 0 5" "$(stat -c '%a %u %g' m/bin/wall)"
	equal "1777 0 0" "$(stat -c '%a %u %g' m/tmp)"
	equal "2775 0 50" "$(stat -c '%a %u %g' m/var)"
	equal "400 1 0" "$(stat -c '%a %u %g' m/sealed/inside)"
	equal "644 4294967294" "$(stat -c '%a %u' m/home/nobody)"
}

test_verify_and_repair()
{
	make_tar a.tar "dir . mode=755" "dir d mode=755" "file d/f mode=644 data=x" \
		"file d/g mode=600 data=x" "char n major=1 minor=3" "file h mode=640 data=x"
	share import -q a.tar s
	share verify s
	chmod u+s s/d/f
	chmod g-w,o-r,u-w s/d/g
	setfattr -n user.containers.override_stat -v "not a record" s/h
	mkfifo s/fifo
	echo junk >s/n
	chmod 755 s
	ln s/d/f outside
	setfattr -n user.containers.umlcage_dirty -v 1 s
	: >s/d/.humfs-0123456789abcdef
	cp -a s before
	status 1 share verify s >out
	for what in "d/f: a set-id" "d/g: you may not" "h: a malformed" "fifo: a real device" \
		    "n: contents behind" ".: the share's directory is open" "d/f: names outside" \
		    ".: the cage that last wrote" "d/.humfs-0123456789abcdef: left over"; do
		contains "$what" out
	done
	equal "" "$(diff <(cd before && find . -printf '%p %m %s\n' | sort) \
			<(cd s && find . -printf '%p %m %s\n' | sort))" "what verify changed"
	status 1 share verify --repair s >out
	contains "9 problems, 8 repaired" out
	rm outside
	share verify s >out
	contains " 0 problems" out
	equal "-r--------" "$(share list s d/g | cut -c 1-10)"
	equal "prw-r--r--" "$(share list s fifo | cut -c 1-10)"
	equal "crw-r--r--" "$(share list s n | cut -c 1-10)"
	mkdir none
	status 1 share verify none 2>err
	contains "'none' is not a share" err
	share verify --adopt --repair none
	share verify none
	# a copy without extended attributes is no share any more, which is said
	make_tar owners.tar "dir etc mode=755" "file etc/a mode=4755 uid=5 data=x" "file etc/b"
	share import -q owners.tar owned
	cp -r owned lost
	status 1 share verify --adopt lost >out
	contains "no entry has a record of its owner and mode" out
	cp -a owned same
	share verify same
}

test_shares_in_use()
{
	make_tar a.tar "file f mode=644 data=x"
	share import -q a.tar s
	exec 9<s
	flock -s 9
	share export -q s out.tar
	status 1 share chown 1 s f 2>err
	contains "'s' is in use" err
	status 1 share verify s
	flock -u 9
	flock 9
	status 1 share export -q s out.tar 2>err
	contains "in use" err
	share list s >/dev/null
	exec 9<&-
	share chown 1 s f
}

test_kept_roots()
{
	make_tar a.tar "dir usr/lib mode=755" "file usr/lib/os-release data=PRETTY_NAME=\"Test\\x20OS\\x1b1\""
	root()
	{
		"$UMLCAGE" root "$@"
	}
	matches "NAME*CHANGED*STATE*SYSTEM*default*made when first used*" "$(root list | tr '\n' ' ')"
	root import -q one a.tar
	root import -q two - <a.tar
	matches "*one*Test OS?1*tools*two*" "$(root list | tr '\n' ' ')"
	status 1 root import -q one a.tar 2>err
	contains "there is a root 'one' already" err
	status 2 root import -q ../three a.tar 2>err
	status 2 root import -q .three a.tar 2>err
	root rename one three
	status 1 root rename two three 2>err
	status 3 root show one 2>err
	contains "there is no root 'one'" err
	root show three | grep "entries:  4" >/dev/null
	exec 9<"$XDG_DATA_HOME/umlcage/roots/two"
	flock -s 9
	matches "*in use*" "$(root list | grep two)"
	status 1 root remove two 2>err
	contains "in use" err
	exec 9<&-
	root remove two three
	equal "default tools" "$(root list --json | python3 -c 'import json, sys
print(*[r["name"] for r in json.load(sys.stdin)])')"
	status 3 root remove two
}

# user: root
# leaves: a mount point until its trap has run
test_full_disk()
{
	mkdir small
	mount -t tmpfs -o size=3m,mode=777 none small
	trap 'umount -l small' EXIT
	chmod 755 .
	setpriv --reuid 65534 --regid 65534 --clear-groups sh -c '
		: >small/probe; setfattr -n user.probe -v x small/probe; status=$?
		rm small/probe; exit $status' || host_cannot "this kernel's tmpfs has no user xattrs"
	make_tar big.tar "file one mode=4755 size=1000000" "file two size=4000000"
	chmod 644 big.tar
	status 6 setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$UMLCAGE" share import -q big.tar small/s 2>err
	contains "'two': No space left on device" err
	check_nothing_left small/s
	make_tar fits.tar "file one mode=4755 size=1800000"
	"$UMLCAGE" share import -q fits.tar small/s
	status 6 "$UMLCAGE" share export -q small/s small/out.tar 2>err
	contains "No space left on device" err
	equal s "$(ls -A small)" "what is on the disk"
	"$UMLCAGE" share verify small/s
}

# user: root
# leaves: a mount point until its trap has run
test_filesystem_without_xattrs_is_refused()
{
	mkdir plain
	mount -t ramfs none plain
	trap 'umount -l plain' EXIT
	make_tar a.tar "file f data=x"
	status 1 "$UMLCAGE" share import -q a.tar plain/s 2>err
	contains "has no user extended attributes" err
	equal "" "$(ls -A plain)"
}

# A real system, made by the real tool, with what it does not have by itself added.
# user: root
# limit: 900
# leaves: mmdebstrap's own temporary folder
test_debian_round_trip()
{
	local mirror suite
	command -v mmdebstrap >/dev/null || host_cannot "no mmdebstrap"
	mirror=${UMLCAGE_MIRROR:-}
	suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME:-}")
	mmdebstrap --mode=root --variant=essential --include=libcap2-bin \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--customize-hook='chroot "$1" setcap cap_net_raw,cap_net_admin+ep /usr/bin/expr' \
		--customize-hook='chroot "$1" chmod 6755 /usr/bin/yes' \
		--customize-hook='chroot "$1" mknod -m 640 /dev/sda b 8 0' \
		--customize-hook='chroot "$1" ln /usr/bin/yes /usr/bin/yes2' \
		"${suite:-stable}" debian.tar $mirror >mmdebstrap.log 2>&1 || {
		tail -n 5 mmdebstrap.log
		host_cannot "mmdebstrap did not get a system from the mirror"
	}
	mkdir own && chown 65534:65534 own && chmod 644 debian.tar && chmod 755 .
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$UMLCAGE" share import -q debian.tar own/s
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$UMLCAGE" share verify own/s
	setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
		"$UMLCAGE" share export -q own/s own/out.tar
	same_tar debian.tar own/out.tar
	"$TESTS_DIR/support/tar-compare" debian.tar own/out.tar
	# and through a real extraction by root
	mkdir x && tar -xpf own/out.tar --xattrs --xattrs-include='*' -C x
	matches "*cap_net_admin,cap_net_raw=ep" "$(getcap x/usr/bin/expr)"
	equal "6755 2" "$(stat -c '%a %h' x/usr/bin/yes)"
	tar -cf again.tar --xattrs --xattrs-include='*' --numeric-owner --format=pax -C x .
	"$TESTS_DIR/support/tar-compare" debian.tar again.tar
}
