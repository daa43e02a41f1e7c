# SPDX-License-Identifier: GPL-2.0-or-later
#
# What people build with: thousands of short processes, natively as root with chroot, and in a
# cage with one and two virtual CPUs, all on copies of one root.  The time is of the work alone,
# by the clock of whoever does it.  Every job of this kind takes the processors that there are:
# with one virtual CPU a job for two has half of what it has natively.
#
# aim: dpkg-buildpackage -b of hello, one virtual CPU: hello-1-cpu / hello-native <= 1.3
# aim: dpkg-buildpackage -b of hello, two: hello-2-cpus / hello-native <= 1.3
# aim: make -j2 of 100 files, two virtual CPUs: make-2-cpus / make-native <= 1.15
# ratio: the same, one virtual CPU: make-1-cpu / make-native
# aim: true from a shell, one virtual CPU: true-1-cpu / true-native <= 1.25
# aim: true from a shell, two: true-2-cpus / true-native <= 1.4
# ratio: echo into sed, one virtual CPU: sed-1-cpu / sed-native
# ratio: echo into sed, two: sed-2-cpus / sed-native
# ratio: perl -e 1, one virtual CPU: perl-1-cpu / perl-native
# ratio: perl -e 1, two: perl-2-cpus / perl-native
# aim: gcc -c of nothing, one virtual CPU: gcc-1-cpu / gcc-native <= 1.25
# aim: gcc -c of nothing, two: gcc-2-cpus / gcc-native <= 1.25
# aim: git clone, one virtual CPU: git-clone-1-cpu / git-clone-native <= 1.3
# ratio: git clone, two: git-clone-2-cpus / git-clone-native
# aim: git status, one virtual CPU: git-status-1-cpu / git-status-native <= 1.3
# ratio: git status, two: git-status-2-cpus / git-status-native
# aim: git gc, one virtual CPU: git-gc-1-cpu / git-gc-native <= 1.3
# ratio: git gc, two: git-gc-2-cpus / git-gc-native

# A compiler, and in /srv the source of hello, 100 files in C, and a repository of them.
# shellcheck disable=SC2016
build_make_root='
cd /srv
sed "s/^deb /deb-src /" /etc/apt/sources.list >/etc/apt/sources.list.d/source.list
apt-get -q update
apt-get -q source hello
mkdir project
cd project
for i in $(seq 100); do
	{
		echo "#include <stdio.h>"
		echo "#include <stdlib.h>"
		echo "#include <string.h>"
		seq 20 | awk -v i=$i "{ printf \"int f%d_%d(char *s, int a) { int r = strlen(s); \" \
			\"while (a-- > r) r += a * %d %% 7; if (r > 9) printf(\\\"%%d\\\", r); return r; }\\n\", \
			i, \$1, \$1 }"
	} >part$i.c
done
printf "all: %s\n%%.o: %%.c\n\tgcc -O1 -c -o \$@ \$<\n" "$(echo $(seq -f part%g.o 100))" >Makefile
git init -q .
git config user.name bench
git config user.email bench@localhost
for i in $(seq 20); do
	echo "int more$i;" >>part$i.c
	git add -A
	git commit -q -m "change $i"
done'

setup_build()
{
	if [ ! -s build.tar ]; then
		umlcage fabricate --include=build-essential,debhelper,fakeroot,git,help2man,perl,texinfo \
			--chrooted-customize-hook="set -e; $build_make_root" bookworm build.tar
	fi
	[ -d build ] || umlcage share import -q build.tar build
}

# shellcheck disable=SC2016
build_jobs='
suffix=$1
export LC_ALL=C HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin

# step FIGURE TIMES COMMAND...
step()
{
	figure=$1 times=$2
	shift 2
	began=$(date +%s%N)
	i=0
	while [ $i -lt $times ]; do
		"$@" >/dev/null 2>&1
		i=$((i + 1))
	done
	ended=$(date +%s%N)
	awk -v f="$figure$suffix" -v ns=$((ended - began)) -v n=$times \
		"BEGIN { printf \"%s ms %.3f\n\", f, ns / n / 1e6 }"
}
echo_into_sed()
{
	x=$(echo a | sed s/a/b/)
}
package()
{
	(cd hello-*/ && DEB_BUILD_OPTIONS="nocheck parallel=2" dpkg-buildpackage -b -uc -us)
}

rm -rf /tmp/work
mkdir /tmp/work
cp -a /srv/. /tmp/work
cd /tmp/work
: >empty.c
step true 500 /bin/true
step sed 200 echo_into_sed
step perl 200 perl -e 1
step gcc 30 gcc -c -o empty.o empty.c
step make 1 make -s -C project -j2
step hello 1 package
step git-clone 1 git clone -q --no-local project clone
step git-status 20 git -C clone status
step git-gc 1 git -C clone gc --aggressive
'

bench_build_natively()
{
	[ "$(id -u)" -eq 0 ] || host_cannot "chroot needs root"
	[ -d native ] || { mkdir native.new && tar -C native.new --numeric-owner -xpf build.tar &&
		mv native.new native; }
	[ -c native/dev/null ] || mknod -m 666 native/dev/null c 1 3
	unshare -m sh -euc 'mount -t proc proc native/proc; mount -t tmpfs tmpfs native/tmp
		exec chroot native sh -euc "$0" sh -native' "$build_jobs"
}

# build_in_cage SUFFIX OPTION...
build_in_cage()
{
	local suffix=$1
	shift
	umlcage run --root build --memory 3G "$@" -- \
		sh -euc "mount -t tmpfs tmpfs /tmp; $build_jobs" sh "$suffix"
}

bench_build_one_cpu()
{
	build_in_cage -1-cpu
}

bench_build_two_cpus()
{
	build_in_cage -2-cpus --cpus 2
}
