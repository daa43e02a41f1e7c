# SPDX-License-Identifier: GPL-2.0-or-later
#
# Images of one package set on the same disk from the same mirror: umlcage as an ordinary user, the
# others as root, natively.  Nobody has packages in a cache; umlcage has its kernel and the tools
# that make images as they have theirs.  Then builds of a folder: after a change in the last step,
# several at a time, and with nothing to do.
#
# promise: ext4 against mmdebstrap --format=ext2 as root: image-ext4 / mmdebstrap-ext2 <= 1.2
# aim: ext4 against mmdebstrap --format=ext2 as root: image-ext4 / mmdebstrap-ext2 <= 0.5
# promise: squashfs against mmdebstrap --format=squashfs as root: image-squashfs / mmdebstrap-squashfs <= 1
# aim: squashfs against mmdebstrap --format=squashfs as root: image-squashfs / mmdebstrap-squashfs <= 0.5
# aim: squashfs against mkosi as root: image-squashfs / mkosi-squashfs <= 0.5
# promise: a disk that boots against vmdb2 as root: image-disk / vmdb2-disk <= 1
# aim: a disk that boots against vmdb2 as root: image-disk / vmdb2-disk <= 0.5
# aim: a build after a change in its last step against the first: build-late / build-cold <= 0.15
# aim: six builds, two at a time, against one after another: builds-j2 / builds-j1 <= 0.6
# promise: a folder of six in which nothing is to be done, seconds: builds-again <= 1

suite=bookworm
# what starts, on every machine that has a BIOS
include=init,udev,kmod,linux-image-cloud-amd64

# shellcheck source=tests/bench/fabricate.sh
. "$(dirname "${BASH_SOURCE[0]}")/fabricate.sh"

# of_images COMMAND...: umlcage with a cache of its own, which has kernels and tools only
of_images()
{
	"${as_user[@]}" XDG_CACHE_HOME="$PWD/images-cache" bin/umlcage "$@"
}

# without FOLDER...: of that cache
without()
{
	local folder
	for folder in "$@"; do
		rm -rf "images-cache/umlcage/$folder"
	done
}

forget_all()
{
	without archives indexes roots stages trees scratch work
}

setup_images()
{
	local n words=(less nano file bc ed time)
	rm -rf images images-cache
	"${as_user[@]}" mkdir -p images/six images/one images-cache/umlcage
	umlcage kernel build >/dev/null
	"${as_user[@]}" cp -R .cache/umlcage/kernels images-cache/umlcage/
	echo tools >images/one/tools
	"${as_user[@]}" tar -C images/one -cf images/tools.tar tools
	for n in ext4 squashfs; do
		of_images share import -q images/tools.tar images/tools
		of_images share export -q images/tools "images/tools.$n"
		rm -rf images/tools "images/tools.$n"
	done
	# of a disk they are made before the tree is looked at, which has no kernel
	of_images fabricate -q --variant=extract --include=linux-image-cloud-amd64 "$suite" images/tools.raw \
		>/dev/null 2>&1 || true
	for n in "${words[@]}"; do
		printf '%s\n' '[Source]' "suite = $suite" 'variant = minbase' "include = init,$n" \
			"[Step a]" "run = echo $n >/etc/what" "[Output $n.tar]" >"images/six/$n.build"
	done
	printf '%s\n' '[Source]' "suite = $suite" 'variant = minbase' "include = $include" \
		'[Step first]' 'run = echo first >/etc/first' '[Step last]' 'run = echo last >/etc/last' \
		'[Output one.squashfs]' >images/one/one.build
}

image_of()
{
	forget_all
	timed "image-$1" of_images fabricate --variant=minbase --include="$include" --format="$2" "${@:3}" \
		"$suite" images/out
	rm -f images/out
}

bench_images_ext4()
{
	image_of ext4 ext4
}

bench_images_squashfs()
{
	image_of squashfs squashfs
}

bench_images_disk()
{
	image_of disk raw --boot=bios
}

by_mmdebstrap()
{
	need_root "mmdebstrap --mode=root"
	timed "mmdebstrap-$1" mmdebstrap --mode=root --format="$1" --variant=minbase --include="$include" \
		"$suite" images/other "$(mirror)"
	rm -f images/other
}

bench_images_mmdebstrap_ext2()
{
	command -v genext2fs >/dev/null || host_cannot "mmdebstrap makes ext2 with genext2fs"
	by_mmdebstrap ext2
}

bench_images_mmdebstrap_squashfs()
{
	command -v tar2sqfs >/dev/null || host_cannot "mmdebstrap makes squashfs with tar2sqfs"
	by_mmdebstrap squashfs
}

bench_images_mkosi()
{
	local packages
	need_root mkosi
	command -v mkosi >/dev/null || host_cannot "no mkosi"
	packages=(-p "${include//,/ -p }")
	# without a manager of machines; its places are not to be on a disk
	# shellcheck disable=SC2016,SC2068
	timed mkosi-squashfs unshare -m sh -ec 'mount -t tmpfs tmpfs /run && exec mkosi "$@"' mkosi \
		--nspawn-keep-unit=yes --distribution debian --release "$suite" --mirror "$(mirror)" \
		--format plain_squashfs ${packages[@]} --force --output images/mkosi build
	rm -rf images/mkosi*
}

# kpartx wants device-mapper, which a kernel may lack: partitions of the loop device are the same.
fake_kpartx()
{
	mkdir -p images/bin /dev/mapper
	cat >images/bin/kpartx <<-'END'
	#!/bin/sh
	# kpartx -asv FILE, kpartx -dsv FILE
	case $1 in
	-a*)
		loop=$(losetup -f --show "$2")
		partx -a "$loop"
		for part in /sys/class/block/"${loop##*/}"p*; do
			name=${part##*/}
			[ -b "/dev/$name" ] || mknod "/dev/$name" b $(tr : ' ' <"$part/dev")
			ln -sf "/dev/$name" "/dev/mapper/$name"
			echo "add map $name (0:0): 0 $(cat "$part/size") linear $loop $(cat "$part/start")"
		done ;;
	*)
		for loop in $(losetup -n -O NAME -j "$2"); do
			rm -f /dev/mapper/"${loop##*/}"p*
			partx -d "$loop"
			losetup -d "$loop"
		done ;;
	esac
	END
	chmod 755 images/bin/kpartx
}

bench_images_vmdb2()
{
	need_root vmdb2
	command -v vmdb2 >/dev/null || host_cannot "no vmdb2"
	grep -q device-mapper /proc/misc || fake_kpartx
	cat >images/disk.vmdb <<-END
	steps:
	  - mkimg: "{{ output }}"
	    size: 2G
	  - mklabel: msdos
	    device: "{{ output }}"
	  - mkpart: primary
	    device: "{{ output }}"
	    start: 1M
	    end: 100%
	    tag: root
	  - kpartx: "{{ output }}"
	  - mkfs: ext4
	    partition: root
	  - mount: root
	  - debootstrap: $suite
	    mirror: "$(mirror)"
	    target: root
	    variant: minbase
	  - apt: install
	    packages: [ ${include//,/, } ]
	    tag: root
	  - fstab: root
	  - grub: bios
	    tag: root
	    console: serial
	END
	timed vmdb2-disk env PATH="$PWD/images/bin:$PATH" vmdb2 images/disk.vmdb --output images/vmdb2.raw
	rm -f images/vmdb2.raw
}

folder()
{
	of_images build -o images/output "$@"
}

bench_images_late()
{
	forget_all
	rm -rf images/output
	timed build-cold folder images/one
	sed -i "s/echo last.* >/echo last-$RANDOM >/" images/one/one.build
	timed build-late folder images/one
}

bench_images_six()
{
	local jobs
	for jobs in 1 2; do
		without roots stages trees
		rm -rf images/output
		timed builds-j$jobs folder -j$jobs images/six
	done
	timed builds-again folder images/six
}
