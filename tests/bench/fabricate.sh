# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian root filesystems as tarballs on the same disk from the same mirror: umlcage as an
# ordinary user, the others as they want to run.  "cold" is without a cache of packages, as
# the others always are; "warm" with one, but without an answer from finished trees.
#
# promise: minbase, cold, against mmdebstrap --mode=unshare: minbase-cold / mmdebstrap-unshare <= 0.6
# promise: minbase, cold, against mmdebstrap --mode=root: minbase-cold / mmdebstrap-root <= 0.75
# aim: minbase, cold, against mmdebstrap --mode=root: minbase-cold / mmdebstrap-root <= 0.18
# promise: minbase, cold, against debootstrap as root: minbase-cold / debootstrap-root <= 0.4
# promise: the same request again, seconds: minbase-again <= 1
# ratio: minbase, warm, against mmdebstrap --mode=root: minbase-warm / mmdebstrap-root
# promise: umlcage debootstrap against debootstrap as root: debootstrap-in-cage / debootstrap-root <= 1.6
# aim: umlcage debootstrap against debootstrap as root: debootstrap-in-cage / debootstrap-root <= 1.1

suite=bookworm
options="--variant=minbase"

# the mirror that umlcage takes, for the others to use the same
mirror()
{
	if [ -n "${UMLCAGE_MIRROR-}" ]; then
		echo "$UMLCAGE_MIRROR"
	else
		cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
			/etc/apt/sources.list.d/*.sources 2>/dev/null |
			sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb  *\(\[[^]]*\] *\)\?\([^ ]*\) .*/\2/p' |
			grep debian | head -n 1
	fi
}

need_root()
{
	[ "$(id -u)" -eq 0 ] || host_cannot "$1 needs root"
}

setup_fabricate()
{
	umlcage kernel build >/dev/null
	umlcage fabricate $options "$suite" again.tar >/dev/null 2>&1
}

bench_minbase_cold()
{
	mkdir -p cold
	rm -rf cold/umlcage
	chown --reference=. cold
	"${as_user[@]}" cp -R .cache/umlcage/kernels cold/ && "${as_user[@]}" mkdir cold/umlcage
	"${as_user[@]}" mv cold/kernels cold/umlcage/
	timed minbase-cold "${as_user[@]}" XDG_CACHE_HOME="$PWD/cold" bin/umlcage \
		fabricate --no-cache $options "$suite" cold.tar
	rm -f cold.tar
}

bench_minbase_warm()
{
	timed minbase-warm umlcage fabricate --no-cache $options "$suite" warm.tar
	rm -f warm.tar
}

bench_minbase_again()
{
	timed minbase-again umlcage fabricate $options "$suite" again.tar
}

bench_mmdebstrap_root()
{
	need_root "mmdebstrap --mode=root"
	timed mmdebstrap-root mmdebstrap --mode=root $options "$suite" other.tar "$(mirror)"
	rm -f other.tar
}

bench_mmdebstrap_unshare()
{
	unshare --user true 2>/dev/null || host_cannot "user namespaces are refused"
	if [ "$(id -u)" -eq 0 ]; then
		mkdir -p range
		timed mmdebstrap-unshare with_range range \
			mmdebstrap --mode=unshare $options "$suite" other.tar "$(mirror)"
		rm -f range/other.tar
	else
		timed mmdebstrap-unshare mmdebstrap --mode=unshare $options "$suite" other.tar "$(mirror)"
		rm -f other.tar
	fi
}

bench_debootstrap_root()
{
	need_root debootstrap
	timed debootstrap-root debootstrap_to_tar
	rm -rf other other.tar
}

debootstrap_to_tar()
{
	debootstrap $options "$suite" other "$(mirror)" && tar -C other --one-file-system -cf other.tar .
}

bench_debootstrap_in_cage()
{
	umlcage debootstrap --help >/dev/null 2>&1 || host_cannot "there is no umlcage debootstrap"
	timed debootstrap-in-cage umlcage debootstrap $options "$suite" deb.tar
	rm -f deb.tar
}
