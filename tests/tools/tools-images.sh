# SPDX-License-Identifier: GPL-2.0-or-later
# Tools that make images and roots as root (umlcage tool): each makes one, and what is in it is
# looked at.

# shellcheck source=tests/support/tools.sh
. "$TESTS_DIR/support/tools.sh"

# a root for them to put in, made natively
base()
{
	mirrored
	fabricate -q --variant=minbase bookworm base.tar.gz
}

# What the file $2 of the first partition of $1 has in it, with its owner.
look()
{
	run -q --bind "$PWD:/w:ro" -- sh -euc '
		loop=$(losetup -r -P -f --show "/w/$1")
		mount -o ro "${loop}p1" /mnt
		stat -c "%u:%g" "/mnt/$2"
		cat "/mnt/$2"' sh "$1" "$2"
}

# limit: 300
test_an_unknown_tool_is_named()
{
	status 2 "$UMLCAGE" tool vmdb 2>err
	contains "did you mean 'vmdb2'" err
	"$UMLCAGE" tool --list >out
	contains "debos" out
	cd /
	status 2 "$UMLCAGE" tool vmdb2 2>"$T/err"
	contains "go to the folder" "$T/err"
}

# limit: 3600
test_debos()
{
	base
	mkdir overlay && echo text >overlay/from-overlay
	cat >recipe.yaml <<-'END'
	architecture: amd64
	actions:
	  - action: unpack
	    file: base.tar.gz
	    compression: gz
	  - action: overlay
	    source: overlay
	  - action: run
	    chroot: true
	    command: cat /from-overlay >/etc/made && chown 5:6 /etc/made
	  - action: image-partition
	    imagename: out.img
	    imagesize: 600MB
	    partitiontype: gpt
	    mountpoints: [ { mountpoint: /, partition: root } ]
	    partitions: [ { name: root, fs: ext4, start: 1MiB, end: "100%" } ]
	  - action: filesystem-deploy
	END
	tool debos recipe.yaml
	look out.img etc/made >out
	printf '5:6\ntext\n' | diff - out
}

# recipe FILE: of vmdb2, for a disk with the root of base()
recipe()
{
	cat >"$1" <<-'END'
	steps:
	  - mkimg: "{{ output }}"
	    size: 700M
	  - mklabel: gpt
	    device: "{{ output }}"
	  - mkpart: primary
	    device: "{{ output }}"
	    start: 0%
	    end: 100%
	    tag: root
	  - kpartx: "{{ output }}"
	  - mkfs: ext4
	    partition: root
	  - mount: root
	  - unpack-rootfs: root
	  - chroot: root
	    shell: |
	      echo text >/etc/made
	      chown 5:6 /etc/made
	END
}

# limit: 3600
test_vmdb2()
{
	base
	recipe image.vmdb
	tool vmdb2 image.vmdb --output out.img --rootfs-tarball base.tar.gz --log /dev/stderr
	look out.img etc/made >out
	printf '5:6\ntext\n' | diff - out
}

# limit: 3600
test_vmdb2_is_a_source()
{
	base
	mkdir recipe
	recipe recipe/image.vmdb
	mv base.tar.gz recipe/
	cat >disk.build <<-'END'
	[Run]
	tool = vmdb2
	files = recipe
	run = vmdb2 image.vmdb --output "$TARGET/out.img" --rootfs-tarball base.tar.gz --log /dev/stderr
	[Output out.img]
	file = out.img
	[Verify partition]
	tool = vmdb2
	run = loop=$(losetup -r -P -f --show "$OUTPUTS/out.img")
	    mount -o ro "${loop}p1" /mnt
	    chroot /mnt dpkg -s bash | grep 'ok installed'
	    umount /mnt
	END
	"$UMLCAGE" build --kernel "$UMLCAGE_TEST_KERNEL" || { cat output/disk/failed.log >&2; fail "vmdb2: see above"; }
	cp --sparse=always output/disk/latest/out.img .
	look out.img etc/made >out
	printf '5:6\ntext\n' | diff - out
	"$UMLCAGE" build --kernel "$UMLCAGE_TEST_KERNEL" 2>err
	contains "disk: up to date" err
}

# limit: 3600
test_mmdebstrap()
{
	tool mmdebstrap --variant=essential bookworm out.tar.zst
	fabricate -q --variant=essential bookworm ours.tar
	tar -tf out.tar.zst | sort >theirs
	tar -tf ours.tar | sort | diff - theirs
}

# limit: 3600
test_debootstrap()
{
	mirrored
	"$UMLCAGE" tool debootstrap --variant=minbase bookworm out.tar >log 2>&1 ||
		{ cat log >&2; fail "debootstrap: see above"; }
	tar --numeric-owner -tvf out.tar ./etc/shadow | awk '{ print $1, $2 }' >out
	echo "-rw-r----- 0/42" | diff - out
}

# limit: 5400
test_mkosi()
{
	mirrored
	tool mkosi --distribution debian --release trixie --format tar --package bash --output img \
		--local-mirror "$(mirror_of trixie)" build
	run -q --root img.tar.zst -- bash -c '. /etc/os-release && echo "$ID $VERSION_CODENAME"' >out
	echo "debian trixie" | diff - out
}

# limit: 3600
test_images_of_file_systems_have_the_tree()
{
	local fs
	mirrored
	"$TESTS_DIR/support/tar-make" rich.tar rich
	"$UMLCAGE" share import -q rich.tar s
	# XFS has no room for a minor number like that
	rm s/dev/large
	SOURCE_DATE_EPOCH=1700000000 "$UMLCAGE" share export -q s want.tar
	for fs in btrfs erofs xfs; do
		SOURCE_DATE_EPOCH=1700000000 "$UMLCAGE" share export -q s x.$fs 2>err ||
			{ grep -q expired err && host_cannot "$(cat err)"; cat err; fail "no $fs"; }
		rm -rf got
		in_image x.$fs
		SOURCE_DATE_EPOCH=1700000000 "$UMLCAGE" share export -q got got.tar
		"$TESTS_DIR/support/tar-compare" --times want.tar got.tar >differences || true
		# what their tools are known to leave out
		case $fs in
		btrfs) sed -i '/^home\/fraction: time/d' differences ;;
		xfs) sed -i '/^\.: time/d; /^\.: xattr trusted.xfs:autofsck/d; /^home\/d*acl: xattr/d' differences
			contains "2 files have ACLs, which mkfs.xfs leaves out" err ;;
		esac
		! grep -v ' differences$' differences || fail "the tree in $fs is another one"
	done
}

# The image x.FORMAT of $PWD mounted through its hashes, and copied into the share got; "changed" if it
# cannot be read.
through_verity()
{
	run --root "$PWD/tools" --bind "$PWD:/host:ro" --share "$PWD/got:/got" -e DM_DISABLE_UDEV=1 -- sh -ec '
		image=$(losetup -r -f --show "/host/x.$1") hashes=$(losetup -r -f --show "/host/x.$1.verity")
		veritysetup open "$image" checked "$hashes" "$(cat "/host/x.$1.roothash")"
		mount -o ro /dev/mapper/checked /mnt && cp -a /mnt/. /got/ 2>err || echo changed
		if [ -d /got/lost+found ]; then rmdir /got/lost+found; touch -r /mnt /got; fi
		! mountpoint -q /mnt || umount /mnt
		veritysetup close checked' sh "$1"
}

# limit: 3600
test_images_are_mounted_through_verity()
{
	local format at
	mirrored
	fabricate -q --variant=required --include=cryptsetup-bin trixie tools
	"$TESTS_DIR/support/tar-make" rich.tar rich
	"$UMLCAGE" share import -q rich.tar s
	{ head -c 1500000 /dev/urandom; printf needle-in-it; head -c 1500000 /dev/urandom; } >s/data
	"$UMLCAGE" share export -q s want.tar
	for format in squashfs erofs ext4; do
		"$UMLCAGE" share export -q --verity s x.$format
		rm -rf got
		equal "" "$(through_verity $format)" "what $format says"
		"$UMLCAGE" share export -q got got.tar
		"$TESTS_DIR/support/tar-compare" want.tar got.tar >differences || true
		# which squashfs has no place for
		[ $format != squashfs ] || sed -i '/^home\/d*acl: xattr system.posix_acl/d' differences
		! grep -v ' differences$' differences || fail "the tree in $format is another one"
		# a byte of the contents, which nobody looks at but the kernel as it reads
		at=$(LC_ALL=C grep -abo needle-in-it x.$format | head -n 1 | cut -d: -f1)
		printf x | dd of=x.$format bs=1 seek="$at" conv=notrunc status=none
		rm -rf got
		equal changed "$(through_verity $format 2>/dev/null)" "another byte in $format"
	done
}
