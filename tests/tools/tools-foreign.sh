# SPDX-License-Identifier: GPL-2.0-or-later
# Roots of other architectures: made, and run, through the qemu of Debian's archive.

# Makes a minimal root of $1 and runs in it what it prints the machine's name with: $2.
foreign()
{
	mirrored
	fabricate -q --no-cache --architectures="$1" --variant=minbase trixie root.tar
	run -q --root root.tar -- sh -euc '
		uname -m
		dpkg --print-architecture
		perl -e "print 6 * 7, qq(\n)"
		apt-get --version | head -n 1 | cut -d" " -f1,3' >out
	printf '%s\n' "$2" "$1" 42 "apt ($1)" | diff - out
	# nothing of the emulator is in it
	tar -tf root.tar | grep -E 'qemu|binfmt' >left || true
	equal "" "$(cat left)" "what is left"
}

# limit: 3600
test_arm64()
{
	foreign arm64 aarch64
}

# limit: 3600
test_riscv64()
{
	foreign riscv64 riscv64
}

# limit: 3600
test_armhf()
{
	foreign armhf armv7l
}

# limit: 3600
test_i386()
{
	foreign i386 i686
}

# limit: 3600
test_ppc64el()
{
	foreign ppc64el ppc64le
}

# limit: 3600
test_s390x()
{
	foreign s390x s390x
}

# limit: 3600
test_i386_beside_amd64()
{
	mirrored
	fabricate -q --no-cache --architectures=amd64,i386 --include=libc6:i386,hello:i386 \
		--variant=minbase trixie root.tar
	run -q --root root.tar -- sh -euc '
		hello
		dpkg --print-architecture
		dpkg --print-foreign-architectures
		dpkg --verify libc6:i386' >out
	printf '%s\n' 'Hello, world!' amd64 i386 | diff - out
}
