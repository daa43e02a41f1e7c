# SPDX-License-Identifier: GPL-2.0-or-later
# The tests themselves run without privilege: what every other result here rests on.

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
			fail "$device can be opened"
	done
}

test_shm_is_small_and_noexec()
{
	[ "$(id -u)" -eq 65534 ] || host_cannot "only root can mount the /dev/shm of a container"
	cp /bin/true /dev/shm/true
	status 126 /dev/shm/true
	rm /dev/shm/true
	equal 67108864 "$(($(stat -fc '%S * %b' /dev/shm)))" "size of /dev/shm"
}
