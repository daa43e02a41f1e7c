# SPDX-License-Identifier: GPL-2.0-or-later
# Machines in QEMU's software emulation for tests: started, typed to, reached over ssh.

emulated()
{
	mirrored
	command -v qemu-system-x86_64 >/dev/null || host_cannot "no qemu-system-x86_64"
	[ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || host_cannot "no OVMF"
}

emulated_arm64()
{
	mirrored
	command -v qemu-system-aarch64 >/dev/null || host_cannot "no qemu-system-aarch64"
	[ -e /usr/share/AAVMF/AAVMF_CODE.fd ] || host_cannot "no firmware for arm64"
}

# Nothing in the system gives up on a machine that is slow.
PATIENT="systemd.default_timeout_start_sec=1800 systemd.default_device_timeout_sec=1800"

# with_flash CODE VARIABLES: the firmware, and its settings
with_flash()
{
	cp "$2" vars.fd
	flash=(-drive "if=pflash,format=raw,readonly=on,file=$1" -drive "if=pflash,format=raw,file=vars.fd")
}

# starts FIRMWARE ARGUMENTS-OF-QEMU...: a $machine with bios, uefi, or arm64's uefi; $console is what it
# says on its serial line, descriptor 9 its keyboard
starts()
{
	local firmware=$1 qemu=qemu-system-x86_64 model=q35,accel=tcg processor=max
	console=console.$1
	shift
	case $firmware in
	uefi) with_flash /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/OVMF/OVMF_VARS_4M.fd ;;
	arm64)
		with_flash /usr/share/AAVMF/AAVMF_CODE.fd /usr/share/AAVMF/AAVMF_VARS.fd
		qemu=qemu-system-aarch64 model=virt,accel=tcg processor=cortex-a72 ;;
	*) flash=() ;;
	esac
	rm -f keys
	mkfifo keys
	# for both directions: who writes when the machine has just ended is not to die of it
	exec 9<>keys
	$qemu -machine $model -cpu $processor -m 1024 -nographic -no-reboot "${flash[@]}" "$@" \
		<keys >"$console" 2>&1 9>&- &
	machine=$!
}

gone()
{
	! kill -0 "$machine" 2>/dev/null
}

# runs_until COMMAND...: repeats it for as long as the machine runs, and an hour
runs_until()
{
	local until=$((SECONDS + 3600))
	until "$@"; do
		if gone || [ $SECONDS -ge $until ]; then
			tail -n 30 "$console" >&2
			fail "the machine $(gone && echo "ended" || echo "ran for an hour") without: $*"
		fi
		sleep 0.5
	done
}

# typed LINE WANTED: types it, for whoever reads it by then, and looks for what it is to lead to
typed()
{
	printf '%s\n' "$1" >&9
	sleep 3
	grep -qa "$2" "$console"
}

# logged_in LINE WANTED: without a password; once more does no harm
logged_in()
{
	printf 'root\n' >&9
	sleep 2
	typed "$@"
}

off()
{
	gone || typed "systemctl --force --force poweroff" "Power down" || gone
}

# boots FIRMWARE ARGUMENTS-OF-QEMU...: to the prompt, where root says something, and off
boots()
{
	starts "$1" -nic none "${@:2}"
	runs_until grep -qa "login:" "$console"
	# shellcheck disable=SC2016
	runs_until logged_in 'echo it-is-$((6 * 7)) on $(uname -r); findmnt -n -o FSTYPE /' "it-is-42 on 6"
	within 3600 off
	within 3600 gone
	exec 9>&-
}

reached()
{
	ssh -p "$port" -i key -o StrictHostKeyChecking=no -o UserKnownHostsFile=known \
		-o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=120 -o LogLevel=ERROR root@127.0.0.1 "$@"
}

reached_as_is()
{
	reached true 2>>ssh.err
}

# answers FIRMWARE ARGUMENTS-OF-QEMU...: ssh, with a key that the machine was given and its image has not
answers()
{
	local port
	port=$(free_port)
	rm -f known
	starts "$1" -nic "user,model=virtio,hostfwd=tcp:127.0.0.1:$port-:22" -smbios \
		"type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root=$(base64 -w 0 key.pub)" "${@:2}"
	runs_until reached_as_is
	reached 'hostname; findmnt -n -o FSTYPE /; systemctl is-active ssh; ls /etc/ssh/ssh_host_ed25519_key' >out
	printf '%s\n' server ext4 active /etc/ssh/ssh_host_ed25519_key | diff - out
	reached systemctl --force --force poweroff || true
	within 3600 gone
	exec 9>&-
}
