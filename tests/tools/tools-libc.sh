# SPDX-License-Identifier: GPL-2.0-or-later
# Programs of another libc than the host's, which nothing that is preloaded could reach.

# limit: 1800
test_another_libc()
{
	mirrored
	fabricate -q --variant=minbase --include=musl,musl-tools,gcc,libc6-dev trixie musl.tar
	run -q --root musl.tar -- sh -euc '
		printf "%s\n" "#include <stdio.h>" "#include <unistd.h>" \
			"int main(void) { printf(\"%u\\n\", getuid()); return chroot(\"/srv\"); }" >/m.c
		musl-gcc -o /m /m.c
		if grep -q GLIBC /m; then exit 9; fi
		[ "$(/m)" = 0 ]' || fail "a program of musl"
}
