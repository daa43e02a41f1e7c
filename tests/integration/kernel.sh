# SPDX-License-Identifier: GPL-2.0-or-later
#
# umlcage kernel, from end to end but for Linux itself: the source is a tree of four files
# that answers make as Linux does, so that every way in which a build can go wrong is
# tried in seconds.  Linux is built by build.sh.

# A source tree "linux" whose build runs the shell script ./hook, if there is one, before
# it compiles; and a patch(1) to go with it, since ours are for files it does not have.
source_tree()
{
	export XDG_CACHE_HOME=$T/cache
	kernels=$XDG_CACHE_HOME/umlcage/kernels
	mkdir -p "$XDG_CACHE_HOME" linux/fs linux/drivers/gpu bin
	echo 'obj-y := open.o' >linux/fs/Makefile
	: >linux/fs/Kconfig
	echo huge >linux/drivers/gpu/table.c
	cat >linux/Makefile <<-'END'
	.RECIPEPREFIX = >
	VERSION = 7
	PATCHLEVEL = 3
	SUBLEVEL = 99
	EXTRAVERSION =
	allnoconfig:
	>[ ! -e drivers/gpu/table.c ]
	>grep -v CONFIG_LOST $(KCONFIG_ALLCONFIG) >.config
	linux:
	>@echo "  CC      fs/open.o"
	>@if [ -e hook ]; then sh -e ./hook; fi
	>@sed 's/["\\]/\\&/g; s/.*/"&\\n"/' .config >config.inc
	>@echo "  CC      main.o"
	>@env | sort >../../build-env
	>$(CC) -o linux main.c
	END
	cat >linux/main.c <<-'END'
	#include <stdio.h>
	#include <string.h>
	static const char config[] =
	#include "config.inc"
	;
	int main(int argc, char **argv)
	{
		if (argc == 2 && !strcmp(argv[1], "--version"))
			puts("7.3.99");
		else if (argc == 2 && !strcmp(argv[1], "--showconfig"))
			printf("CONFIG_UML=y\n%s", config);
		else
			return 1;
		return 0;
	}
	END
	printf '#!/bin/sh\nexec cat >/dev/null\n' >bin/patch
	chmod +x bin/patch
	PATH=$T/bin:$PATH
}

build()
{
	"$UMLCAGE" kernel build "$@" 2>err
}

# no half-built tree, no half-made folder
clean()
{
	local left
	left=$(find "$kernels" -mindepth 1 -maxdepth 1 -name '.build-*')
	[ -z "$left" ] || fail "left behind: $left"
}

test_build_list_show_remove()
{
	source_tree
	local path key file
	path=$(build --source linux)
	equal 7.3.99 "$("$path" --version)"
	clean
	for file in linux .config; do
		[ ! -e linux/$file ] || fail "it built in the user's tree"
	done
	key=$(basename "$(dirname "$path")")

	# the same inputs: nothing is built
	echo 'exit 1' >hook-unused
	equal "$path" "$(build --source linux)" "path of the second build"
	! grep -q compiling err || fail "it was compiled again"
	# without a source: what is there, and no network
	equal "$path" "$(UMLCAGE_MIRROR=/nonexistent build)" "path without a source"

	"$UMLCAGE" kernel list >list
	contains "* ${key:0:12}  7.3.99" list
	"$UMLCAGE" kernel show "${key:0:8}" >show
	contains "2 files compiled" show
	"$UMLCAGE" kernel show --config >config
	contains CONFIG_HUMFS=y config
	"$UMLCAGE" kernel show --log >log
	contains '  CC      main.o' log
	"$UMLCAGE" kernel list --json | python3 -c '
import json, sys
(k,) = json.load(sys.stdin)
assert k["version"] == "7.3.99" and k["current"] and k["units"] == 2, k'
	status 3 "$UMLCAGE" kernel remove ffff
	status 0 "$UMLCAGE" kernel remove "${key:0:8}"
	[ ! -e "$path" ] || fail "it is still there"
	status 3 "$UMLCAGE" kernel show 2>err
	contains "umlcage kernel build" err
}

# How far it is where no such kernel has been built before: on a terminal, in the middle of 2,000 files.
test_progress_of_the_full_kernel()
{
	command -v script >/dev/null || host_cannot "there is no script(1)"
	source_tree
	cat >linux/hook <<-'END'
	i=0
	while [ $i -lt 1100 ]; do
		echo "  CC      many/$i.o"
		i=$((i + 1))
	done
	sleep 0.5
	echo "  CC      half/way.o"
	sleep 0.5
	END
	script -qec "'$UMLCAGE' kernel build --source linux --config full" typescript </dev/null >screen ||
		{ cat screen; fail "it is not built"; }
	tr '\r' '\n' <screen | grep -F half/way.o >line
	grep ' 5[0-9] %' line || fail "this is the half: $(cat line)"
}

test_tarball()
{
	source_tree
	local path
	mv linux linux-source-7.3
	tar -cJf linux.tar.xz linux-source-7.3
	path=$(build --source linux.tar.xz)
	equal 7.3.99 "$("$path" --version)"
	head -c $(($(stat -c %s linux.tar.xz) / 2)) linux.tar.xz >cut.tar.xz
	status 1 build --source cut.tar.xz
	contains "cut.tar.xz" err
	clean
	status 3 build --source ./nothing-here
	contains "nothing-here" err
	mkdir empty
	status 3 build --source empty
	contains "is not a Linux source" err
	equal 1 "$("$UMLCAGE" kernel list | grep -c 7.3.99)" "kernels listed"
}

test_environment_does_not_leak()
{
	source_tree
	local path
	# MAKEFLAGS=-n would build nothing and report success
	path=$(MAKEFLAGS=-n KCFLAGS=-O0 ARCH=arm LOCALVERSION=-mine build --source linux)
	equal 7.3.99 "$("$path" --version)"
	! grep -E '^(KCFLAGS|LOCALVERSION|HOME|USER)=' "$kernels/build-env" || fail "leaked"
	matches "*/kernels/.build-*/tmp" "$(sed -n 's/^TMPDIR=//p' "$kernels/build-env")" TMPDIR
}

test_extra_fragments()
{
	source_tree
	local default extra
	default=$(build --source linux)
	echo 'CONFIG_NFS_FS=y' >nfs.config
	extra=$(build --source linux --config nfs.config)
	[ "$extra" != "$default" ] || fail "the fragment made no difference"
	contains CONFIG_NFS_FS=y "$(dirname "$extra")/config"
	# the default stays the default
	equal "$default" "$(build)" "default kernel"

	echo 'CONFIG_LOST=y' >lost.config
	status 1 build --source linux --config lost.config
	contains "CONFIG_LOST=y (lost.config:1) became unknown or unavailable" err
	clean
	echo 'CONFIG LOST' >bad.config
	status 2 build --source linux --config bad.config
	contains "bad.config:1:" err
	status 3 build --source linux --config none.config
	contains "none.config" err
}

test_failure_keeps_the_log()
{
	source_tree
	local log
	echo 'echo "fs/open.c:7:1: error: no such luck"; exit 2' >linux/hook
	status 1 build --source linux
	contains "cannot compile Linux 7.3.99" err
	contains "error: no such luck" err
	log=$(sed -n "s/.*the log is '\(.*\)'.*/\1/p" err)
	contains "  CC      fs/open.o" "$log"
	clean
	status 3 "$UMLCAGE" kernel show 2>err
	# once it works the log of the failure goes
	rm linux/hook
	build --source linux >path
	clean
}

test_old_source_and_foreign_patch()
{
	source_tree
	sed -i 's/^VERSION = 7/VERSION = 6/' linux/Makefile
	status 1 build --source linux
	contains "is Linux 6.3.99; umlcage needs 7.2 or later" err
	sed -i 's/^VERSION = 6/VERSION = 7/' linux/Makefile
	rm bin/patch
	status 1 build --source linux
	contains "does not fit Linux 7.3.99" err
	clean
}

test_interrupted()
{
	source_tree
	local signal pid got
	echo 'echo $$ >"$(cd ../.. && pwd)/hook-pid"; sleep 1000' >linux/hook
	for signal in INT TERM HUP; do
		rm -f "$kernels/hook-pid"
		# a job in the background ignores SIGINT unless told, one of nohup's SIGHUP
		env --default-signal=INT,TERM,HUP "$UMLCAGE" kernel build --source linux >/dev/null 2>err &
		pid=$!
		within 20 test -s "$kernels/hook-pid"
		kill -$signal $pid
		got=0
		wait $pid || got=$?
		equal $((128 + $(kill -l $signal))) $got "status after SIG$signal"
		# gone already, but for its new parent that has to reap it
		within 30 eval '! kill -0 "$(cat "$kernels/hook-pid")" 2>/dev/null'
		clean
	done
	rm linux/hook
	build --source linux >path
}

test_killed_and_swept()
{
	source_tree
	local pid
	cat >linux/hook <<-'END'
	echo $$ >"$(cd ../.. && pwd)/hook-pid"
	for i in $(seq 600); do echo "  CC x$i"; sleep 0.1; done
	END
	"$UMLCAGE" kernel build --source linux >/dev/null 2>err &
	pid=$!
	within 20 test -s "$kernels/hook-pid"
	kill -KILL $pid
	wait $pid || true
	[ -n "$(find "$kernels" -maxdepth 1 -name ".build-*")" ] || fail "there is nothing to sweep"
	# what make had started notices and ends
	within 20 eval '! kill -0 "$(cat "$kernels/hook-pid")" 2>/dev/null'
	# another kernel's build sweeps it
	mkdir other
	cp -r linux/. other
	rm other/hook
	build --source other >path
	clean
	equal 1 "$("$UMLCAGE" kernel list | grep -c 7.3.99)" "kernels listed"
}

test_two_at_once()
{
	source_tree
	echo 'echo x >>../../built; until [ -e ../../go ]; do sleep 0.1; done' >linux/hook
	local first
	"$UMLCAGE" kernel build --source linux >path1 2>err1 &
	first=$!
	"$UMLCAGE" kernel build --source linux >path2 2>err2 &
	within 20 grep -q "waiting for another umlcage" err1 err2
	touch "$kernels/go"
	wait $!
	wait $first
	equal "$(cat path1)" "$(cat path2)" "paths"
	equal 1 "$(wc -l <"$kernels/built")" "builds"
}

test_missing_tools()
{
	source_tree
	local tool
	for tool in make ld as ar nm objcopy bc awk sed grep find xargs gcc sh; do
		ln -sf "$(type -P $tool)" "bin/$tool.link"
		mv "bin/$tool.link" "bin/$tool"
	done
	PATH=$T/bin status 1 build --source linux
	contains "missing flex, bison; install them with: apt-get install flex bison" err
	CC=/nonexistent/cc status 1 build --source linux
	contains "/nonexistent/cc" err
}

# The disk fills up while compiling.
# user: root
test_full_disk()
{
	source_tree
	mkdir small
	mount -t tmpfs -o size=560m,mode=1777 small small || host_cannot "cannot mount a tmpfs"
	# shellcheck disable=SC2064
	trap "umount '$T/small'" EXIT
	export XDG_CACHE_HOME=$T/small
	kernels=$XDG_CACHE_HOME/umlcage/kernels
	echo 'head -c 700M /dev/zero >fill' >linux/hook
	status 6 build --source linux
	contains "no space left on the filesystem of '$kernels" err
	contains "building takes" err
	clean
	echo true >linux/hook
	build --source linux >path
	clean

	# too little from the start is said before anything is done
	head -c 200M /dev/zero >small/ballast
	status 6 build --rebuild --source linux
	contains "not enough room to build a kernel" err
	contains "XDG_CACHE_HOME" err
	rm small/ballast
	build --rebuild --source linux >path2
	equal "$(cat path)" "$(cat path2)" "path of the rebuilt kernel"
}
