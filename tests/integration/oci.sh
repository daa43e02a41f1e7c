# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Images of containers as roots: layers, what they remove, which image, what is damaged.

tar_make()
{
	"$TESTS_DIR/support/tar-make" "$@"
}

oci_make()
{
	"$TESTS_DIR/support/oci-make" "$@"
}

# three layers with something of each kind that a layer can do to those below it
layers()
{
	tar_make 1.tar "dir etc mode=755" "file etc/a mode=644 data=1" "file etc/b mode=4755 uid=7 data=1" \
		"dir d mode=755" "file d/x mode=644 data=1" "dir d/y mode=755" "file d/y/z mode=644 data=1" \
		"dir usr mode=755" "dir usr/lib mode=755" "symlink lib target=usr/lib" \
		"file lib/one mode=644 data=1" "dir was-dir mode=755" "file was-dir/x mode=644 data=1" \
		"file was-file mode=644 data=1" "char null mode=666 major=1 minor=3" \
		"file .wh.. mode=644 data=" "file gone mode=644 data=1"
	tar_make 2.tar "file etc/.wh.a mode=644 data=" "file d/new mode=600 gid=5 data=2" \
		"file d/.wh..wh..opq mode=644 data=" "file lib/two mode=644 data=2" \
		"file was-dir mode=644 data=2" "dir was-file mode=711" "file was-file/in mode=644 data=2" \
		"file .wh.gone mode=644 data=" "file no/such/.wh.place mode=644 data="
	tar_make 3.tar "dir d/y mode=755" "file gone mode=640 data=3"
	gzip -k 2.tar
}

want()
{
	cat <<-END
	755 0 0 d .
	755 0 0 d d
	600 0 5 f d/new 2
	755 0 0 d d/y
	755 0 0 d etc
	4755 7 0 f etc/b 1
	640 0 0 f gone 3
	777 0 0 l lib
	666 0 0 c null
	755 0 0 d usr
	755 0 0 d usr/lib
	644 0 0 f usr/lib/one 1
	644 0 0 f usr/lib/two 2
	644 0 0 f was-dir 2
	711 0 0 d was-file
	644 0 0 f was-file/in 2
	END
}

# what the root $1 has in it, as its cage's tar says
tree()
{
	"$UMLCAGE" share export "$("$UMLCAGE" root show "$1" | sed -n 's/^path: *//p')" - | python3 -c '
import sys, tarfile
tar = tarfile.open(fileobj=sys.stdin.buffer, mode="r|")
rows = []
for m in tar:
    kind = {b"5": "d", b"2": "l", b"3": "c"}.get(m.type, "f")
    text = " " + tar.extractfile(m).read().decode() if kind == "f" else ""
    name = m.name.removeprefix("./") or "."
    rows.append((name, f"{m.mode:o} {m.uid} {m.gid} {kind} {name}{text}"))
print("\n".join(row for _, row in sorted(rows)))'
}

test_layers_lie_one_over_the_other()
{
	layers
	oci_make oci layout one 1.tar 2.tar.gz 3.tar
	tar -C layout -cf layout.tar .
	gzip -k layout.tar
	oci_make docker saved app:1 1.tar 2.tar 3.tar
	tar -C saved -cf saved.tar .
	want >want
	for image in layout layout.tar layout.tar.gz saved saved.tar; do
		"$UMLCAGE" root import -q "$image" "$image"
		tree "$image" >got
		diff want got || fail "$image: see above"
	done
	"$UMLCAGE" root import -q piped - <layout.tar
	tree piped | diff want -
}

# a system of the host's own programs, in two layers
test_a_cage_boots_on_one()
{
	local n=0 program library layer
	mkdir -p 1/bin 1/dev 1/proc 1/sys 1/tmp 1/etc 2/bin
	for program in sh cat; do
		cp "$(command -v $program)" $((++n))/bin/
		for library in $(ldd "$(command -v $program)" | grep -o '/[^ ]*'); do
			mkdir -p "1${library%/*}"
			cp -L "$library" "1$library"
		done
	done
	echo root:x:0:0::/:/bin/sh >1/etc/passwd
	echo "of the second layer" >2/text
	for layer in 1 2; do
		tar -C $layer --owner=0 --group=0 -czf $layer.tar.gz .
	done
	oci_make oci layout app 1.tar.gz 2.tar.gz
	equal "of the second layer" "$(run --root layout -- cat /text)"
	find "$XDG_CACHE_HOME/umlcage/roots" -maxdepth 1 >before
	equal "of the second layer" "$(run --root layout -- cat /text)"
	find "$XDG_CACHE_HOME/umlcage/roots" -maxdepth 1 | diff before -
	tar -C layout -cf layout.tar .
	equal "of the second layer" "$(run --root layout.tar -- cat /text)"
}

test_what_is_exported_comes_back()
{
	tar_make rich.tar rich
	"$UMLCAGE" share import -q rich.tar rich
	"$UMLCAGE" share export -q rich rich-out.tar
	for image in rich.oci.tar rich.docker.tar; do
		"$UMLCAGE" share export -q rich "$image"
		"$UMLCAGE" root import -q "$image" "$image"
		"$UMLCAGE" share export -q "$XDG_DATA_HOME/umlcage/roots/$image" back.tar
		"$TESTS_DIR/support/tar-compare" rich-out.tar back.tar
		rm back.tar
	done
}

test_the_image_is_chosen()
{
	layers
	oci_make oci layout registry/app:1,arm64 1.tar
	status 3 "$UMLCAGE" root import a layout 2>err
	contains "no image for linux/amd64, but for linux/arm64" err
	oci_make oci layout registry/app:1 1.tar
	"$UMLCAGE" root import -q a layout
	oci_make oci layout registry/app:2 1.tar 2.tar
	status 1 "$UMLCAGE" root import b layout 2>err
	contains "several images: registry/app:1, registry/app:2" err
	contains "--tag" err
	status 3 "$UMLCAGE" root import --tag 3 b layout 2>err
	contains "no image '3'" err
	"$UMLCAGE" root import -q --tag app:2 b layout
	tree b | grep "was-dir 2" >/dev/null
	status 2 "$UMLCAGE" root import --tag x c 1.tar 2>err
	contains "not an image of containers" err
	equal "a b" "$("$UMLCAGE" root list --json | python3 -c '
import json, sys
print(*(r["name"] for r in json.load(sys.stdin) if len(r["name"]) == 1))')"
}

test_damaged_images_leave_nothing()
{
	layers
	mkdir -p outside && echo '{"manifests":[]}' >outside/index.json
	oci_make docker twice app:1 1.tar 1.tar
	"$UMLCAGE" root import -q twice twice
	for damage in layer manifest link index size up; do
		rm -rf layout
		oci_make oci layout one 1.tar 2.tar
		blob=$(grep -l diff_ids layout/blobs/sha256/*)
		layer=$(find layout/blobs -size +9k | head -n 1)
		case $damage in
		layer) printf x | dd of="$layer" bs=1 seek=600 conv=notrunc 2>/dev/null ;;
		manifest) sed -i 's/schemaVersion": 2/schemaVersion": 3/' $(grep -l '"layers"' layout/blobs/sha256/*) ;;
		link) mv "$layer" elsewhere && ln -s ../../../elsewhere "$layer" ;;
		index) printf '[[[[' >layout/index.json ;;
		size) truncate -s +512 "$layer" ;;
		up) sed -i 's/sha256:....../sha256:..\/..\//' layout/index.json ;;
		esac
		status 1 "$UMLCAGE" root import bad layout 2>err
		contains "cannot use the image 'layout'" err
		[ -n "$blob" ]
	done
	rm -rf saved
	oci_make docker saved app:1 1.tar 2.tar
	sed -i 's,"Layers": \["[^"]*",&\, "../outside/index.json",' saved/manifest.json
	status 1 "$UMLCAGE" root import bad saved 2>err
	status 3 "$UMLCAGE" root show bad 2>err
	equal "" "$(find "$HOME" -name '*.part' | head -n 3)"
}
