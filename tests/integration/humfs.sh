# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# humfs: what the guest's root does on a share, what of it is on the host, and what is
# left if the kernel is killed.

# shellcheck source=tests/support/processes.sh
. "$TESTS_DIR/support/processes.sh"

recorded()
{
	getfattr --only-values -n user.containers.override_stat "$1" 2>/dev/null
}

test_ownership_is_recorded()
{
	command -v getfattr >/dev/null || host_cannot "no getfattr"
	run --share s:/mnt -- sh -euc 'cd /mnt
		echo hello >f; chown 1000:1001 f; chmod 4755 f
		mkdir d; chmod 1777 d
		mknod null c 1 3; mknod p p
		ln -s target l; ln -s other l2; chown -h 5:6 l2
		ln f hard'
	equal 1000:1001:4755:file "$(recorded s/f)"
	equal 0:0:1777:dir "$(recorded s/d)"
	matches '0:0:0*:char-1-3' "$(recorded s/null)"
	matches '0:0:0*:pipe' "$(recorded s/p)"
	equal target "$(readlink s/l)"
	equal 5:6:0777:symlink "$(recorded s/l2)"
	equal other "$(cat s/l2)"
	equal "$(stat -c %i s/f)" "$(stat -c %i s/hard)"
	equal 700 "$(stat -c %a s)" "mode of the share"
	[ -z "$(find s -perm /7000)" ] || fail "set-id or sticky bits on the host"
	[ -z "$(find s ! -type f ! -type d ! -type l)" ] || fail "special files on the host"

	run --share s:/mnt -- sh -euc 'cd /mnt; stat -c "%a %u:%g %h %n" f d hard
		[ -c null ]; [ -p p ]; readlink l2; cat hard' >out
	printf '4755 1000:1001 2 f\n1777 0:0 2 d\n4755 1000:1001 2 hard\nother\nhello\n' >want
	diff want out
}

test_roots_plain_file_needs_no_record()
{
	command -v getfattr >/dev/null || host_cannot "no getfattr"
	run --share s:/mnt -- sh -euc 'umask 022; echo x >/mnt/f; mkdir /mnt/d
		echo y >/mnt/g; chown 7 /mnt/g; chown 0 /mnt/g'
	for f in f d g; do
		equal "" "$(recorded s/$f)" "the record of '$f'"
	done
}

test_nothing_outside_is_reached()
{
	mkdir outer
	echo secret >outer/secret
	run --share outer/s:/mnt -- sh -c 'cd /mnt; ln -s ../secret up; ln -s / top
		cat up ../secret ../../secret /mnt/../secret top/secret 2>/dev/null
		mkdir -p a/b; cd a/b; mv /mnt/a/b /mnt/b; cat ../../secret 2>/dev/null
		echo overwritten >/mnt/up; :' >out
	[ ! -s out ] || fail "read: $(cat out)"
	equal secret "$(cat outer/secret)"
}

test_any_name()
{
	run --share s:/mnt -- sh -euc 'cd /mnt; i=0
		for n in ... "..x" " " "\\" "a
b" "$(printf "\377\376")" -rf "*" "$(printf %0255d 0)"; do
			i=$((i + 1)); echo $i >"./$n"; [ "$(cat "./$n")" = $i ]
		done
		! true >"$(printf %0256d 0)"'
	equal 9 "$(find s -type f -print0 | tr -dc '\0' | wc -c)" "files"
}

test_a_removed_file_stays_usable()
{
	run --share s:/mnt -- sh -euc 'cd /mnt; exec 5<>f; echo one >&5; rm f; echo two >&5
		cat /proc/self/fd/5; mkdir d; cd d; rmdir ../d; ! true >x' >out 2>/dev/null
	printf 'one\ntwo\n' | diff - out
	[ -z "$(ls -A s)" ] || fail "left: $(ls -A s)"
}

# What the guest's kernel has looked up, made, moved away and forgotten again: each name is
# there when it is, and is not when it is not.
# see tests/support/guest-files.c
test_all_ways_to_a_file_show_the_same()
{
	local option options=("--cpus 1" "--cpus 2" --ptrace)
	# a host without filters has --ptrace only, which has one
	[[ $(nproc) -gt 1 && ${UMLCAGE_TEST_LACKS-} != *filter* ]] || unset "options[1]"
	for option in "${options[@]}"; do
		# shellcheck disable=SC2086
		run $option --share s:/srv --bind "$GUEST_PROGRAMS:/mnt:ro" -- /mnt/guest-files /srv $RANDOM >out ||
			{ cat out; fail "files with $option"; }
		equal 2 "$(grep -c ' ok$' out)" "checks with $option"
	done
}

test_names_are_found_and_forgotten()
{
	run --share s:/mnt -- sh -euc 'cd /mnt
		forget() { echo 2 >/proc/sys/vm/drop_caches; }
		there() { for n; do [ -e "$n" ] || { echo "$n is not there"; exit 1; }; done; }
		gone() { for n; do [ ! -e "$n" ] || { echo "$n is there"; exit 1; }; done; }
		mkdir d d/sub; gone d/x d/sub/x; echo 1 >d/a; ln d/a d/b; ln -s a d/l; mknod d/c c 1 3
		forget; there d/a d/b d/l d/c; gone d/x
		ls -l d >/dev/null; gone d/x; : >d/x; there d/x; rm d/a; gone d/a; there d/b
		forget; gone d/a; there d/b d/x; mv d/b d/sub/moved; gone d/b; there d/sub/moved
		find . >/dev/null; forget; gone d/b d/sub/b; there d/sub/moved
		for i in $(seq 300); do echo $i >d/f$i; done; forget; ls d >/dev/null
		for i in $(seq 1 2 300); do rm d/f$i; done; forget; gone d/f1 d/f299; there d/f2 d/f300
		rm -r d/sub; mkdir d/sub; gone d/sub/moved; there d/sub
		mkdir low up work low/dir; echo l >low/f; echo l >low/dir/g; mkdir merged
		mount -t overlay -o lowerdir=low,upperdir=up,workdir=work,redirect_dir=on o merged
		cd merged; ls -lR >/dev/null; mv f f2; mv dir dir2; gone f dir; there f2 dir2/g; rm dir2/g
		forget; gone f dir dir2/g; there f2 dir2; ls | tr "\n" " "; cd ..; umount merged
		forget; ls -l up | sed -n "/^total/d; s/^\(.\).* /\1 /p" | tr "\n" " "' >out
	equal "dir2 f2 c dir d dir2 c f - f2 " "$(cat out)"
	equal 150 "$(find s/d -name 'f*' | wc -l)" "files left"
	"$UMLCAGE" share verify s >out || fail "$(cat out)"
}

# Whoever reads a directory sees each name that stays exactly once, and no order of positions
# but its own, whether the kernel has the names in memory, forgets them meanwhile or never had.
test_directories_are_read_while_they_change()
{
	run --share s:/mnt -- perl -e '
		sub forget { open my $f, ">", "/proc/sys/vm/drop_caches" or die; print $f "2\n"; close $f }
		sub names { map { "f$_" } 1 .. 700 }
		for my $known (1, 0) { for my $forgets (0, 1) {
			mkdir "/mnt/d" or die; chdir "/mnt/d" or die;
			for (names()) { open my $f, ">", $_ or die }
			forget() unless $known;
			opendir my $d, "." or die;
			my %seen; my @first = map { scalar readdir $d } 1 .. 200;
			my $there = telldir $d; my $next = readdir $d; my $after = telldir $d;
			forget() if $forgets;
			my %old = map { $_ => 1 } @first, $next;
			my @gone = grep { !$old{$_} && /^f/ } (names())[0 .. 699]; @gone = @gone[0 .. 49];
			unlink $_ or die "unlink $_" for @gone, $first[100];
			rename $first[110], "g1" or die; open my $f, ">", "new" or die;
			$seen{$_}++ for @first, $next; $seen{$_}++ while defined($_ = readdir $d);
			seekdir $d, $there; my $again = readdir $d; $again eq $next or die "$again, not $next";
			seekdir $d, $after; my %rest; $rest{$_}++ while defined($_ = readdir $d);
			my %gone = map { $_ => 1 } @gone, $first[100], $first[110];
			for (grep { !$gone{$_} } names(), ".", "..") {
				$seen{$_} == 1 or die "$known $forgets: $_ was there $seen{$_} times";
				($old{$_} ? 0 : 1) == ($rest{$_} // 0) or die "$known $forgets: rest, $_";
			}
			rewinddir $d; my %now; $now{$_}++ while defined($_ = readdir $d);
			my @want = sort grep { !$gone{$_} } names(), ".", "..", "new", "g1";
			"@want" eq join(" ", sort keys %now) && 652 == grep { $_ == 1 } values %now or
				die "$known $forgets: " . keys %now;
			unlink $_ for keys %now; closedir $d; chdir "/"; rmdir "/mnt/d" or die "rmdir: $!";
		} }
		print "all is well\n"' >out 2>err || fail "$(cat err)"
	equal "all is well" "$(cat out)"
	[ -z "$(ls -A s)" ] || fail "left: $(ls -A s)"
}

# What times the guest's kernel shows at the end is what the host has then.
test_times_reach_the_host()
{
	run --share s:/mnt -- sh -euc 'cd /mnt; mkdir d later
		t() { n=$1; shift; touch -d "2001-02-03 04:05:06.$n" "$@"; }
		echo 1 >both; t 1 both; echo 2 >mtime; t 2 -m mtime; echo 3 >atime; t 3 -a atime
		echo 4 >none; echo 5 >after; t 5 after; echo 6 >>after
		echo 7 >open; exec 5>>open; t 7 open; echo 8 >&5; t 8 -m open; exec 5>&-
		t 9 d; t 10 later; : >later/x; ln -s x l; t 11 -h l; ln -s x own; t 12 -h own; chown -h 3:4 own
		echo 13 >short; t 13 short; sync; truncate -s 1 short; chmod 4755 both; cp -a both copy
		t 14 .; find . -type d -exec stat -c "%n %.Y" {} + -o -exec stat -c "%n %.X %.Y" {} + |
			sort' >want
	(cd s && find . -type d -exec stat -c "%n %.Y" {} + -o -exec stat -c "%n %.X %.Y" {} + | sort) >got
	equal 14 "$(wc -l <want)" "files"
	diff want got
}

# What the writers said is done is there, with the owner and mode they gave it.
check_reported()
{
	local kind i last=0
	while read -r kind i; do
		case $kind in
		[1-3])
			equal "content $i of $kind" "$(cat "s/e/$kind.$i")"
			equal "$i:$kind:4711:file" "$(recorded "s/e/$kind.$i")" ;;
		link)
			equal "target $i" "$(cat "s/l$i")"
			equal "5:$i:0777:symlink" "$(recorded "s/l$i")" ;;
		log) last=$i ;;
		esac
	done
	[ "$last" -gt 0 ] || return 0
	[ "$(grep -c '^line [0-9]*$' s/log)" -ge "$last" ] || fail "the log has lost lines before $last"
	equal "$last" "$(sed -n "${last}s/^line //p" s/log)" "line $last of the log"
}

# Whatever was reported as done before the kernel was killed is there, wherever in its work
# that was; the rest is named as what it is and can be mended.
test_killed_while_writing()
{
	command -v getfattr >/dev/null || host_cannot "no getfattr"
	local round rounds pid
	rounds=$(scaled 2)
	mkdir outside
	echo secret >outside/secret
	for ((round = 1; round <= rounds; round++)); do
		rm -rf s
		mkdir s && setfattr -n user.containers.override_stat -v 0:0:0755:dir s && chmod 700 s
		run_exec --share s:/mnt -- sh -c 'cd /mnt; mkdir d e; ln -s ../outside/secret out
			w() { i=0; while :; do i=$((i + 1))
				echo "content $i of $1" >d/$1.$i && chown $i:$1 d/$1.$i &&
				chmod 4711 d/$1.$i && mv d/$1.$i e/$1.$i && echo $1 $i; done; }
			w 1 & w 2 & w 3 &
			(i=0; while :; do i=$((i + 1)); echo "line $i" >>log && echo log $i; done) &
			(i=0; while :; do i=$((i + 1)); ln -s "target $i" l$i && chown -h 5:$i l$i &&
				echo link $i; done) &
			while :; do head -c 1500000 /dev/urandom >big; ln -f big big2; mv big big3; done' \
			>done 2>/dev/null &
		pid=$!
		within 60 grep -q ^3 done
		sleep "0.$((RANDOM % 10))"
		kill -9 "$(kernel_of $pid)"
		wait "$pid" || true
		sed '$d' done >whole	# the last line may be cut
		for kind in 1 2 3 link log; do grep "^$kind " whole || true; done | check_reported
		status 1 "$UMLCAGE" share verify s >problems
		contains ".: the cage that last wrote" problems
		"$UMLCAGE" share verify --repair s >mended || true
		"$UMLCAGE" share verify s >clean
		contains " 0 problems" clean
		[ -z "$(find s -name '.humfs-*')" ] || fail "left: $(find s -name '.humfs-*')"
		[ -z "$(find s -perm /7000)" ] || fail "set-id bits on the host"
		equal secret "$(cat outside/secret)"
		equal "clean done mended outside problems s whole" "$(echo $(ls -A))" "files beside the share"
	done
}

# The write() that finds the host's disk full says so, and nothing else suffers.
# user: root
# leaves: a mount point until its trap has run
test_full_host_disk()
{
	mkdir small
	mount -t tmpfs -o size=6m,mode=777 none small
	trap 'umount -l small' EXIT
	: >small/probe
	setfattr -n user.probe -v x small/probe || host_cannot "this kernel's tmpfs has no user xattrs"
	rm small/probe
	run --share "$PWD/small/s:/mnt" -- sh -uc 'cd /mnt
		echo before >keep; chown 3:4 keep; head -c 100000 /dev/urandom >data; cp data /tmp/data
		dd if=/dev/zero of=big bs=64k 2>/tmp/err; echo "dd $?"; grep -o "No space left.*" /tmp/err
		echo "told $(sed -n "s/ bytes.*//p" /tmp/err), has $(stat -c %s big)"
		head -c 50000 /dev/zero >more 2>/dev/null; echo "more $?"
		echo x 2>/tmp/err >>keep || grep -o "No space left.*" /tmp/err; cmp data /tmp/data
		rm big more; cp /tmp/data after; cmp after data; stat -c "%u:%g" keep; head -n 1 keep' >out 2>err ||
		fail "$(cat out err)"
	matches "dd 1*No space left on device*more 1*3:4*before" "$(cat out)"
	equal "$(sed -n 's/^told \([0-9]*\),.*/\1/p' out)" "$(sed -n 's/^told.*has //p' out)" \
		"what dd was told it wrote, and the size of the file"
	cmp small/s/data small/s/after
	"$UMLCAGE" share verify small/s
}

refused='refused() { if "$@" 2>/dev/null; then echo "allowed: $*"; exit 1; fi; }
'

# An ordinary folder: what is ours there is that of the user the command runs as, who can do
# with it what we can; what is made there is ours.
test_bind_belongs_to_the_user_of_the_command()
{
	mkdir b b/d
	echo one >b/f
	run -u 1000 --bind b:/mnt --bind /etc:/media:ro -- sh -euc "$refused"'cd /mnt
		[ "$(stat -c %u:%g . f d)" = "$(printf "1000:1000\n%.0s" 1 2 3)" ]
		echo two >>f; echo x >d/g; mkdir e; mv d/g e/g; chmod 600 f; ln -s f l; rm -r d
		chown 1000:1000 e f; touch -d @1000000000 f; refused chown 1001 f; refused chgrp 1001 e
		[ ! -w /media/passwd ]' >out || fail "$(cat out)"
	equal "e e/g f l" "$(cd b && find . -mindepth 1 | sed 's,^./,,' | LC_ALL=C sort | xargs)"
	equal "one two" "$(xargs <b/f)"
	equal "600 1000000000" "$(stat -c '%a %Y' b/f)"
	[ -z "$(find b ! -user "$(id -u)")" ] || fail "$(ls -lR b)"
	run --bind b:/mnt -- sh -euc "$refused"'cd /mnt; [ "$(stat -c %u:%g f)" = 0:0 ]; chown 0:0 f
		chown -R root .; refused chown 1000 f; refused su -s /bin/sh nobody -c "touch f"' >out ||
		fail "$(cat out)"
	run -u nobody --bind b:/mnt -- sh -euc '[ -O /mnt/f ] && [ -G /mnt/f ] && cat /mnt/f' >out
	printf 'one\ntwo\n' | diff - out
	run --bind b:/mnt --bind-owner daemon -- su -s /bin/sh daemon -c 'echo three >>/mnt/f'
	equal "one two three" "$(xargs <b/f)"
	status 125 run --bind b:/mnt --bind-owner nobody-here -- true 2>err
	contains "nobody-here" err
}

# Fifos, sockets, set-id and sticky bits are what they are; what the host cannot hold is refused.
test_bind_holds_what_the_host_can()
{
	mkdir b
	mkfifo b/theirs
	run --bind b:/mnt -- sh -euc "$refused"'umask 0; cd /mnt; mkfifo p; mkfifo -m 640 q; chmod 604 q
		echo x >f; chmod 6755 f; mkdir d; chmod 3777 d; mkdir d/e; [ -u f ] && [ -g f ] && [ -k d ]
		: >d/g; chmod u+s d/g; echo y >>d/g
		(echo through >p &); [ "$(cat p)" = through ]
		perl -MIO::Socket::UNIX -e "
			\$s = IO::Socket::UNIX->new(Local => q(s), Listen => 1) or die;
			chmod 0660, q(s) or die qq(\$!);
			\$c = IO::Socket::UNIX->new(Peer => q(s)) or die qq(connect: \$!)"
		refused chmod 600 theirs; refused mknod null c 1 3; refused mknod sda b 8 0
		mv p p2; ln q q2' >out 2>&1 || fail "$(cat out)"
	equal "666 fifo p2
604 fifo q
604 fifo q2
660 socket s
6755 regular file f
3777 directory d
2777 directory d/e
666 regular file d/g" "$(cd b && stat -c '%a %F %n' p2 q q2 s f d d/e d/g)"
	equal "d f p2 q q2 s theirs" "$(cd b && echo *)"
	[ -p b/theirs ] && [ "$(stat -c %h b/q)" = 2 ]
	run --bind b:/mnt -- sh -euc 'cd /mnt; stat -c "%a %n" q s f d; rm -r p2 q q2 s d' >out
	printf '604 q\n660 s\n6755 f\n3777 d\n' | diff - out
	equal "f theirs" "$(cd b && echo *)"
}

# A single file: that one, whatever is beside it, as long as it is the same one.
test_bind_of_a_single_file()
{
	local option
	mkdir dir
	for option in "" --no-namespaces; do
		printf 'first line\nsecond\n' >dir/conf
		echo secret >dir/secret
		echo kept >dir/ro
		mkfifo hold
		# shellcheck disable=SC2086
		run_exec $option -u 1000 --bind dir/conf:/etc/x.conf --bind dir/ro:/etc/hostname:ro \
			--bind dir/conf:/srv/new/place -- sh -uc 'echo ready; read -r line
			cat /etc/x.conf; echo added >>/etc/x.conf; tail -n 1 /srv/new/place
			[ "$(stat -c %u:%a /etc/x.conf)" = 1000:644 ] || stat /etc/x.conf
			cat /etc/hostname; echo no 2>/dev/null >>/etc/hostname || echo refused
			rm /etc/hostname 2>/dev/null || echo stays; ls /srv/new
			printf short >/etc/x.conf; chmod 600 /etc/x.conf; chmod 777 /etc/hostname 2>/dev/null && echo changed' <hold >out 2>err &
		exec 7>hold
		within 30 grep -q ready out
		printf 'changed\nmeanwhile\n' >dir/conf
		echo >&7
		status 1 wait $! || fail "$(cat out err)"
		exec 7>&-
		printf 'ready\nchanged\nmeanwhile\nadded\nkept\nrefused\nstays\nplace\n' | diff - out
		equal short "$(cat dir/conf)"
		equal 600 "$(stat -c %a dir/conf)"
		equal "kept 644" "$(cat dir/ro) $(stat -c %a dir/ro)"
		equal "conf ro secret" "$(cd dir && echo *)"
		chmod 644 dir/conf
		rm hold
	done
	chmod 444 dir/ro
	status 125 run --bind dir/ro:/etc/x -- true 2>err
	contains "dir/ro" err
	contains ":ro" err
	status 2 run --bind /dev/null:/etc/x -- true 2>err
	contains "nor a regular file" err
	status 125 run --bind dir/conf:/etc -- true 2>err
	contains "'/etc' is a folder" err
}

# Where there is nothing to mount on, it is made in the cage, not in a folder of ours.
test_nothing_is_made_in_a_bind()
{
	mkdir b s
	: >f
	status 125 run --bind b:/mnt --bind f:/mnt/sub/f -- true 2>err
	contains "/mnt/sub/f" err
	contains "make it yourself" err
	status 125 run --bind b:/mnt --bind s:/mnt/sub -- true 2>err
	status 125 run --share s2:/mnt --bind s:/mnt/sub -- true 2>err
	equal "" "$(ls -A b)$(ls -A s2)"
	run --bind b:/srv/one --bind f:/srv/two/three --bind s:/tmp/x --bind f:/run/y -- \
		sh -euc 'ls -A /srv/one; [ -f /srv/two/three ]; [ -d /tmp/x ]; [ -f /run/y ]'
	mkdir b/sub
	: >b/file
	run --bind b:/mnt --bind s:/mnt/sub --bind f:/mnt/file -- sh -euc 'echo x >/mnt/file; echo y >/mnt/sub/z'
	equal "x y" "$(cat f s/z | xargs)"
	equal "file sub" "$(cd b && echo *)"
	[ ! -s b/file ] && [ -z "$(ls -A b/sub)" ]
}
