# SPDX-License-Identifier: GPL-2.0-or-later
# Programs of another libc than the host's, which nothing that is preloaded could reach.

# another libc than the host's, and than that of any library preloaded
test_another_libc()
{
	mirrored
	fabricate -q --variant=minbase --include=musl,musl-tools,gcc,libc6-dev trixie musl.tar 2>err || host_cannot "no root with musl: $(head -n 1 err)"
	run -q --root musl.tar -- sh -euc '
		printf "%s\n" "#include <stdio.h>" "#include <unistd.h>" "int main(void) { printf(\"%u\\n\", getuid()); return chroot(\"/srv\"); }" >/m.c
		musl-gcc -o /m /m.c
		! grep -q GLIBC /m
		[ "$(/m)" = 0 ]' || fail "a program of musl"
}
