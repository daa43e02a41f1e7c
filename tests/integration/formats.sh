# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Images: each format made of a share that has everything in it, the same bytes twice, mounted
# again in a cage and compared entry by entry.

export SOURCE_DATE_EPOCH=1700000000

export_share()
{
	"$UMLCAGE" share export -q ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@"
}

rich_share()
{
	command -v python3 >/dev/null || host_cannot "no python3, which makes archives for the test"
	"$TESTS_DIR/support/tar-make" rich.tar rich
	"$UMLCAGE" share import -q rich.tar s
	# names of about the length that a field of a tar file has
	local length folder=usr/a-folder-that-has-a-name-of-some-length
	mkdir -p s/$folder
	for length in 97 98 99 100 101 102; do
		echo $length >"s/$folder/$(printf "%0$((length - ${#folder} - 1))d" 0)"
	done
	"$UMLCAGE" share export -q s want.tar
}

tools()
{
	mirrored
	rich_share
}

# How many blocks an image had from the one before, by what it left for the next.
taken()
{
	od -A n -t u8 -j 16 -N 8 "$1" | tr -d ' '
}

# same_tree WANT GOT [BEGINNING-OF-A-DIFFERENCE-THAT-MAY-BE...]
same_tree()
{
	local want=$1 got=$2
	shift 2
	"$TESTS_DIR/support/tar-compare" --times "$want" "$got" >differences || true
	! grep -v -e ' differences$' "${@/#/-e^}" differences || fail "'$want' and '$got' differ"
}

# limit: 600
test_ext4_has_the_tree()
{
	tools
	export_share s x.ext4
	PATH=$PATH:/sbin:/usr/sbin e2fsck -fn x.ext4 || fail "fsck found something"
	in_image x.ext4
	same_tree want.tar got.tar
	export_share s again.ext4
	cmp x.ext4 again.ext4
	[ "$(stat -c %b x.ext4)" -lt $(($(stat -c %s x.ext4) / 512)) ] || fail "not sparse"
}

# What a squashfs is made of is kept for the next one of that name, in a file that may be damaged.
# limit: 600
test_squashfs_takes_what_was_compressed_before()
{
	local kept
	tools
	head -c 3000000 /dev/urandom | base64 >s/usr/much
	mkdir -p cache/umlcage
	for kept in kernels tools archives indexes; do
		mkdir -p "$XDG_CACHE_HOME/umlcage/$kept"
		ln -s "$XDG_CACHE_HOME/umlcage/$kept" "cache/umlcage/$kept"
	done
	export XDG_CACHE_HOME=$T/cache
	export_share s x.squashfs
	kept=$(echo cache/umlcage/blocks/*)
	equal 0 "$(taken "$kept")" "blocks of the first"
	echo other >s/usr/other
	export_share s x.squashfs
	[ "$(taken "$kept")" -gt 30 ] || fail "only $(taken "$kept") blocks were taken"
	mv x.squashfs second.squashfs
	# a byte of each 20,000 is another one
	python3 - "$kept" <<-'END'
	import sys
	with open(sys.argv[1], "r+b") as f:
	    size = f.seek(0, 2)
	    for at in range(40, size, 20000):
	        f.seek(at)
	        byte = f.read(1)
	        f.seek(at)
	        f.write(bytes([byte[0] ^ 1]))
	END
	export_share s x.squashfs
	cmp x.squashfs second.squashfs
	head -c 5000 "$kept" >half && cat half >"$kept"
	export_share s x.squashfs
	cmp x.squashfs second.squashfs
	rm "$kept"
	export_share s x.squashfs
	cmp x.squashfs second.squashfs
	"$UMLCAGE" cache prune --kind=blocks --everything
	equal "" "$(ls cache/umlcage/blocks)"
}

# limit: 600
test_squashfs_has_the_tree()
{
	tools
	export_share s x.squashfs 2>err
	contains "2 files have ACLs" err
	in_image x.squashfs
	# it knows whole seconds only, and no attributes of the system's
	same_tree want.tar got.tar "home/fraction: time" "home/d\?acl: xattr system.posix_acl"
	export_share s again.squashfs
	cmp x.squashfs again.squashfs
}

# limit: 600
test_erofs_has_the_tree()
{
	tools
	export_share s x.erofs
	fabricate -q --variant=required --include=erofs-utils trixie tools
	run --root "$PWD/tools" --bind "$PWD:/host:ro" --share "$PWD/got:/got" -- \
		fsck.erofs --extract=/got --overwrite --preserve --xattrs /host/x.erofs
	"$UMLCAGE" share export -q got got.tar
	# fsck.erofs sets the owner last, and a capability is gone with that; and it makes a file of
	# a symbolic link with two names, which is one in the image
	same_tree want.tar got.tar "bin/ping: xattr security.capability" "dev/fd\(-again\)\?:"
	run --root "$PWD/tools" --bind "$PWD:/host:ro" -- dump.erofs --path=/dev/fd-again \
		/host/x.erofs >dump
	contains "symlink file" dump
	run --root "$PWD/tools" --bind "$PWD:/host:ro" --share "$PWD/got2:/got" -- \
		fsck.erofs --extract=/got --overwrite --no-preserve-owner --xattrs /host/x.erofs
	"$UMLCAGE" share export -q got2 got.tar
	"$TESTS_DIR/support/tar-compare" want.tar got.tar >differences || true
	! grep security.capability differences || fail "capabilities"
	export_share s again.erofs
	cmp x.erofs again.erofs
}

# verified FORMAT: the image x.FORMAT of $PWD by its hashes, in a cage with the tools
verified()
{
	run --root "$PWD/tools" --bind "$PWD:/host:ro" -- veritysetup verify "/host/x.$1" "/host/x.$1.verity" \
		"$(cat "x.$1.roothash")"
}

# limit: 600
test_verity_checks_an_image()
{
	local format
	tools
	fabricate -q --variant=required --include=cryptsetup-bin trixie tools
	head -c 3000000 /dev/urandom >s/data
	for format in squashfs erofs ext4; do
		export_share --verity s x.$format
		verified $format
		export_share --verity s again.$format
		for file in "" .verity .roothash; do
			cmp x.$format$file again.$format$file
		done
		export_share s plain.$format
		cmp x.$format plain.$format
		[ ! -e plain.$format.verity ] || fail "hashes that nobody asked for"
		printf x | dd of=x.$format bs=1 seek=1500000 conv=notrunc status=none
		! verified $format 2>err || fail "another byte in $format was not found"
	done
	equal 64 "$(tr -dc 0-9a-f <x.ext4.roothash | wc -c)" "digits of the hash"
	status 2 export_share --verity s - --format=squashfs >out 2>err
	contains "has no place beside it" err
	status 2 export_share --verity s y.tar 2>err
	contains "--verity is for squashfs, erofs and ext4" err
	mkdir y.ext4.roothash
	status 1 export_share --verity s y.ext4 2>err
	contains "y.ext4.roothash': something is there that is not a file" err
	[ ! -e y.ext4 ] || fail "half an image"
}

# limit: 600
test_btrfs_is_whole_and_the_same_twice()
{
	tools
	export_share --fs-label=night s x.btrfs
	export_share --fs-label=night s again.btrfs
	cmp x.btrfs again.btrfs
	fabricate -q --variant=required --include=btrfs-progs trixie tools
	run --root "$PWD/tools" --bind "$PWD:/host:ro" -- sh -ec '
		btrfs check --readonly /host/x.btrfs >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }
		btrfs filesystem label /host/x.btrfs
		btrfs inspect-internal dump-tree -t fs /host/x.btrfs' >out || { cat out; fail "btrfs check"; }
	equal night "$(head -n 1 out)" label
	for entry in "mode 104755 links 3 uid 0 gid 0" "mode 42775 links 1 uid 0 gid 50" \
		"rdev 8388608" "rdev 4294967295" "rdev 1048579" "security.capability" "system.posix_acl_default" "links 2 uid 0 gid 0"; do
		contains "$entry" out
	done
	status 6 export_share --size=32M s y.btrfs 2>err
	contains "btrfs has at least 1" err
	[ ! -e y.btrfs ] || fail "half an image"
}

# limit: 600
test_size_and_label_are_what_is_asked_for()
{
	tools
	export_share --size=32M --fs-label=night s x.ext4
	equal $((32 << 20)) "$(stat -c %s x.ext4)" size
	equal night "$(PATH=$PATH:/sbin:/usr/sbin e2label x.ext4)" label
	head -c 40000000 /dev/urandom >big
	cp big s/big
	status 6 export_share --size=32M s y.ext4 2>err
	contains "does not fit in" err
	[ ! -e y.ext4 ] || fail "half an image"
	export_share s y.ext4
	PATH=$PATH:/sbin:/usr/sbin e2fsck -fn y.ext4
}

test_initramfs_has_an_init()
{
	rich_share
	status 3 export_share s x.initramfs 2>err
	contains "neither /init nor /sbin/init" err
	mkdir -p s/sbin
	echo '#!/bin/sh' >s/sbin/init
	export_share -q s x.initramfs 2>err
	zstd -qdc x.initramfs | cpio -tv 2>/dev/null >list
	grep -q ' init -> sbin/init$' list || fail "a link"
	export_share -q s y.initramfs 2>err
	cmp x.initramfs y.initramfs
	echo '#!/bin/sh' >s/init
	export_share -q s x.initramfs.gz 2>err
	gzip -dc x.initramfs.gz | cpio -tv 2>/dev/null >list
	! grep -q -e '-> sbin/init' list || fail "it had one"
	equal 1 "$(grep -c ' init$' list)" "/init"
}

test_what_cannot_be_is_refused_at_once()
{
	rich_share
	status 2 export_share --size=1G s x.squashfs 2>err
	contains "--size is for file systems" err
	status 2 export_share --oci-cmd=sh s x.ext4 2>err
	contains "--oci-cmd is for images of containers" err
	status 2 export_share --fs-label=much-too-long-a-label s x.ext4 2>err
	contains "1 to 15 letters" err
	status 2 export_share --level=99 s x.erofs 2>err
	contains "a number from 0 to 12" err
	status 2 export_share s x.ext4.gz 2>err
	status 2 export_share --boot=grub s x.raw 2>err
	contains "there are both, bios, uefi, systemd-boot and uki" err
	status 2 export_share --boot=bios s x.ext4 2>err
	contains "--boot is for disks that boot, and this is ext4" err
	status 2 export_share --boot-args='a"b' s x.raw 2>err
	contains "no quotes" err
	status 3 export_share s x.raw 2>err
	contains "the tree has no kernel (/boot/vmlinuz-*)" err
	status 3 export_share s x.iso 2>err
	status 2 export_share --boot=uefi s x.iso 2>err
	contains "--boot is for disks" err
	status 2 export_share --format=ext5 s x 2>err
	contains "did you mean 'ext" err
	status 2 export_share --oci-entrypoint="a 'b" s x.oci.tar 2>err
	contains "into words" err
	status 2 export_share --oci-port=0 s x.oci.tar 2>err
	status 2 export_share --oci-env=A s x.oci.tar 2>err
	status 2 export_share --oci-workdir=a s x.oci.tar 2>err
	equal "" "$(find . -name 'x*')" "left behind"
}

test_oci_image_says_how_it_runs()
{
	rich_share
	export_share --oci-entrypoint='/bin/echo "two words"' --oci-cmd=more --oci-env=A=b --oci-user=1:2 \
		--oci-workdir=/srv --oci-label=who=me --oci-port=80 --oci-port=53/udp --oci-tag=night:7 \
		s x.oci.tar
	export_share --format=oci --oci-entrypoint='/bin/echo "two words"' --oci-cmd=more --oci-env=A=b \
		--oci-user=1:2 --oci-workdir=/srv --oci-label=who=me --oci-port=80 --oci-port=53/udp \
		--oci-tag=night:7 s x
	mkdir from-tar
	tar -xf x.oci.tar -C from-tar
	diff -r from-tar x
	python3 - x <<-'END'
	import hashlib, json, gzip, os, sys
	top = sys.argv[1]
	def blob(d):
	    data = open(f"{top}/blobs/" + d["digest"].replace(":", "/"), "rb").read()
	    assert len(data) == d["size"], d
	    assert "sha256:" + hashlib.sha256(data).hexdigest() == d["digest"], d
	    return data
	index = json.load(open(f"{top}/index.json"))
	[entry] = index["manifests"]
	assert entry["annotations"]["org.opencontainers.image.ref.name"] == "7"
	manifest = json.loads(blob(entry))
	config = json.loads(blob(manifest["config"]))
	[layer] = manifest["layers"]
	plain = gzip.decompress(blob(layer))
	assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(plain).hexdigest()]
	open("layer.tar", "wb").write(plain)
	assert config["created"] == "2023-11-14T22:13:20Z", config["created"]
	run = config["config"]
	assert run["Entrypoint"] == ["/bin/echo", "two words"] and run["Cmd"] == ["more"], run
	assert run["User"] == "1:2" and run["WorkingDir"] == "/srv" and run["Labels"] == {"who": "me"}
	assert "A=b" in run["Env"] and any(v.startswith("PATH=") for v in run["Env"]), run
	assert set(run["ExposedPorts"]) == {"80/tcp", "53/udp"}, run
	END
	same_tree want.tar layer.tar
}

test_container_tools_take_the_images()
{
	rich_share
	command -v skopeo >/dev/null || host_cannot "no skopeo"
	command -v umoci >/dev/null || host_cannot "no umoci"
	export_share s x.oci.tar
	export_share --oci-tag=night:7 s x.docker.tar
	export_share --format=oci s layout
	skopeo --insecure-policy copy -q oci-archive:x.oci.tar dir:a
	skopeo --insecure-policy copy -q docker-archive:x.docker.tar:night:7 dir:b
	umoci stat --image layout:latest >stat
	contains umlcage stat
	export_share s again.docker.tar --oci-tag=night:7
	cmp x.docker.tar again.docker.tar
}

# limit: 600
test_fabricate_makes_images()
{
	mirrored
	"$TESTS_DIR/support/make-archive" a >made
	fabricate -q --variant=extract --include=pen-plain,pen-owners,pen-devices \
		--keyring="$PWD/a/key.gpg" pen x.tar a
	fabricate -q --variant=extract --include=pen-plain,pen-owners,pen-devices \
		--keyring="$PWD/a/key.gpg" pen x.ext4 a 2>err || { cat err; fail "no image"; }
	in_image x.ext4
	same_tree x.tar got.tar
}
