# SPDX-License-Identifier: GPL-2.0-or-later
# sbuild as Debian has it, whose chroots are cages.

# limit: 3600
test_sbuild_builds_in_a_cage()
{
	local suite url
	command -v sbuild >/dev/null && command -v autopkgtest >/dev/null ||
		host_cannot "sbuild or autopkgtest is not installed"
	mirrored
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	[ -n "$suite" ] || host_cannot "not a Debian release, whose hello could be built"
	url=$(mirror_of "$suite")
	# who runs it is a user of the chroot, made for it in the group sbuild unless there is one
	fabricate -q --variant=buildd --include=fakeroot "$suite" base.tar \
		--customize-hook="chroot \"\$1\" sh -c 'groupadd --system sbuild && usermod -aG sbuild $(id -un)'" \
		"deb $url $suite main" \
		"deb-src $url $suite main"
	cat >sbuildrc <<-'EOT'
		$path = "$ENV{PATH}";
		$run_lintian = 0;
		$nolog = 1;
		1;
	EOT
	export SBUILD_CONFIG=$PWD/sbuildrc PATH=$PATH:${UMLCAGE%/*}
	unset TMPDIR
	mkdir out
	sbuild --chroot-mode=autopkgtest --autopkgtest-virt-server=umlcage \
		--autopkgtest-virt-server-opt="$PWD/base.tar" \
		${UMLCAGE_TEST_KERNEL:+--autopkgtest-virt-server-opt=--kernel --autopkgtest-virt-server-opt="$UMLCAGE_TEST_KERNEL"} \
		--build-dir=out --no-clean-source -d "$suite" hello >log 2>&1 </dev/null ||
		{ tail -n 60 log; fail "sbuild: see above"; }
	contains 'Status: successful' log
	dpkg-deb -c out/hello_*_amd64.deb >list
	contains ./usr/bin/hello list
	equal '[]' "$("$UMLCAGE" session list --json | tr -d ' \n')" "sessions that are left"
}
