# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# What fakechroot(1) says it cannot do, one by one, in a cage: a kernel of its own has no such limits.
# Another libc takes a compiler for it: tests/tools/tools-libc.sh.

test_static_binaries()
{
	# what is linked statically knows nothing of a preloaded library
	if command -v cc >/dev/null && printf '%s\n' '#include <stdio.h>' '#include <sys/stat.h>' '#include <unistd.h>' \
		'int main(void) { struct stat st; if (chown("/srv/f", 5, 6) < 0 || stat("/srv/f", &st) < 0) return 1;' \
		'printf("%u %u %u\n", getuid(), st.st_uid, st.st_gid); return chroot("/srv") || access("/f", F_OK); }' >s.c &&
		cc -static -o s s.c 2>err; then
		mkdir bin && mv s bin/
		equal "0 5 6" "$(run -q --bind "$PWD/bin:/b:ro" -- sh -c 'touch /srv/f && /b/s')" "a static program"
	else
		host_cannot "no compiler that links statically: $(cat err 2>/dev/null)"
	fi
}

test_ldconfig_and_ldd()
{
	run -q -- sh -euc '
		mkdir -p /opt/lib && cp /usr/lib/x86_64-linux-gnu/libz.so.1* /opt/lib/ 2>/dev/null || cp /lib/x86_64-linux-gnu/libc.so.6 /opt/lib/libown.so.1
		echo /opt/lib >/etc/ld.so.conf.d/own.conf
		ldconfig
		ldconfig -p | grep "=> /opt/lib/" >/dev/null
		ldd /bin/true | grep "libc.so.6 => /" >/dev/null
		ldd /bin/ls >/dev/null' || fail "ldconfig or ldd"
}

test_su_with_permissions_enforced()
{
	run -q -- sh -euc '
		useradd -m -s /bin/sh one && useradd -m -s /bin/sh two
		echo secret >/home/one/file && chown one:one /home/one/file && chmod 600 /home/one/file
		[ "$(su one -c "cat /home/one/file; id -un")" = "secret
one" ]
		! su two -c "cat /home/one/file" 2>/tmp/err
		grep -q "Permission denied" /tmp/err
		! su two -c "chown two /home/one/file" 2>/dev/null
		# set-id counts: passwd changes what only root may
		su two -c "test -u /usr/bin/passwd && ! test -w /etc/shadow"
		cp /usr/bin/id /usr/local/bin/rootid && chmod 4755 /usr/local/bin/rootid
		[ "$(su two -c "/usr/local/bin/rootid -u")" = 0 ]' || fail "su, or permissions"
}

# fakechroot forbids it, grsecurity does, too
test_chroot_in_chroot_in_chroot()
{
	run -q -- sh -euc '
		root=
		for i in 1 2 3; do
			root=$root/a
			mkdir -p $root
			for d in bin lib lib64 usr; do [ ! -e /$d ] || mkdir -p $root/$d; done
		done
		copy() { mkdir -p "$2$(dirname "$1")" && cp -L "$1" "$2$1"; }
		for root in /a /a/a /a/a/a; do
			for f in /bin/sh $(ldd /bin/sh | grep -o "/[^ ]*") $(command -v chroot) $(ldd $(command -v chroot) | grep -o "/[^ ]*"); do
				copy $f $root
			done
		done
		[ "$(chroot /a chroot /a chroot /a sh -c "echo deep")" = deep ]
		echo x >/outside
		! chroot /a sh -c ". /outside" 2>/dev/null' || fail "chroot in chroot"
}

test_proc_and_sys()
{
	run -q -- sh -euc '
		mkdir /c && mount -t tmpfs none /c && mkdir /c/proc /c/sys
		mount -t proc none /c/proc && mount -t sysfs none /c/sys
		[ "$(readlink /c/proc/self/exe)" != "" ]
		test -d /c/sys/kernel
		readlink -e /proc/self/root >/dev/null
		echo 1 >/proc/sys/net/ipv4/ip_forward && [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
		umount /c/sys /c/proc /c' || fail "/proc or /sys"
}

test_mknod()
{
	run -q -- sh -euc '
		mknod /srv/null c 1 3 && mknod /srv/zero c 1 5 && mknod /srv/fifo p && mknod /srv/disk b 7 0
		echo gone >/srv/null && [ "$(head -c 4 /srv/zero | od -An -tx1 | tr -d " ")" = 00000000 ]
		[ "$(stat -c "%F %t %T" /srv/disk)" = "block special file 7 0" ]
		(echo through >/srv/fifo &) && [ "$(cat /srv/fifo)" = through ]
		chmod 600 /srv/zero && useradd one
		! su one -c "head -c 1 /srv/zero" 2>/dev/null' || fail "mknod"
}
