# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Build files: what is made, what is not made again, and what is left when something fails.

make_root()
{
	small_tree sh cat cp test sleep grep chown chmod mknod
	mv small.tar root.tar
}

# Two steps, an output, a check.
make_build()
{
	make_root
	cat >one.build <<-'END'
	[Source]
	root = root.tar
	[Step first]
	run = echo first >/etc/first
	[Step second]
	run = echo "${UMLCAGE_BUILD}" >/etc/second
	[Output root.tar]
	[Verify]
	run = grep -q one /etc/second
	    test -f /etc/first
	END
}

build()
{
	(exec "$UMLCAGE" build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@")
}

no_parts()
{
	equal "" "$(find output "$XDG_CACHE_HOME/umlcage/stages" -maxdepth 2 -name '.*' ! -name lock)" \
		"left behind"
}

test_is_made_once()
{
	make_build
	build 2>err
	contains "one: built in" err
	tar -xOf output/one/latest/root.tar ./etc/second | grep -x one >/dev/null || fail "the second step"
	(cd output/one/latest && sha256sum -c SHA256SUMS)
	python3 -m json.tool <output/one/latest/manifest.json >/dev/null
	local before
	before=$(readlink output/one/latest)
	build 2>err
	contains "one: up to date" err
	equal "$before" "$(readlink output/one/latest)" latest
	no_parts
	# by content: a new file with the same in it is no change
	touch one.build root.tar
	build --dry-run 2>err
	contains "one: up to date" err
}

test_only_what_changed_is_made_again()
{
	make_build
	mkdir files
	echo a >files/a
	printf '[Step files]\nfiles = files\n' >>one.build
	build -q
	echo b >files/a
	build --dry-run 2>err
	contains "step files: changed" err
	! grep -q "step second" err || fail "the second step did not change"
	build 2>err
	equal b "$(tar -xOf output/one/latest/root.tar ./a)"
	contains "step files" output/one/latest/log
	! grep -q "step second" output/one/latest/log || fail "the second step ran again"
	# an output more: nothing of the tree is made, and the other output is the same file
	printf '[Output again.cpio]\n' >>one.build
	build -q
	! grep -q "step " output/one/latest/log || fail "a step ran again"
	equal 2 "$(stat -c %h output/one/latest/root.tar)" "names of the output that did not change"
	no_parts
}

test_same_bytes_again()
{
	make_build
	build -q
	cp output/one/latest/root.tar first.tar
	rm -rf "$XDG_CACHE_HOME/umlcage/stages"
	build -q --force
	cmp first.tar output/one/latest/root.tar
	equal 2 "$(find output/one -name root.tar | wc -l)" nights
}

test_bills_of_materials()
{
	make_root
	mkdir -p tree/var/lib/dpkg tree/usr/lib tree/usr/share/doc/one
	cat >tree/usr/share/doc/one/copyright <<-'END'
	Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

	Files: *
	License: Expat
	 as is

	Files: a
	License: of its own
	END
	printf 'NAME="A"\nID=something\n' >tree/usr/lib/os-release
	cat >tree/var/lib/dpkg/status <<-'END'
	Package: one
	Status: install ok installed
	Architecture: amd64
	Source: many (2)
	Built-Using: three (= 3)
	Version: 1:2+deb13~1

	Package: gone
	Status: deinstall ok config-files
	Architecture: all
	Version: 1

	Package: two
	Status: install ok installed
	Architecture: all
	Version: 3
	END
	tar -C tree --owner=0 --group=0 --mtime=@1600000000 -cf root.tar .
	printf '[Source]\nroot = root.tar\n[Output x.tar]\n' >x.build
	build -q
	sums output/x/latest
	python3 -c 'import json; bom = json.load(open("output/x/latest/bom.cdx.json"))
assert bom["bomFormat"] == "CycloneDX" and bom["specVersion"] == "1.5", bom
one, two = bom["components"]
assert one["purl"] == "pkg:deb/something/one@1%3A2%2Bdeb13~1?arch=amd64", one
assert one["properties"] == [
    {"name": "umlcage:source", "value": "pkg:deb/something/many@2?arch=source"},
    {"name": "umlcage:built-using", "value": "pkg:deb/something/three@3?arch=source"}], one
assert one["licenses"] == [{"expression": "MIT AND LicenseRef-of-its-own"}], one
assert two["name"] == "two" and two["version"] == "3" and "licenses" not in two, two
bom = json.load(open("output/x/latest/bom.spdx.json"))
assert bom["spdxVersion"] == "SPDX-2.3" and bom["dataLicense"] == "CC0-1.0", bom
image, one, many, three, two, source = bom["packages"]
assert image["primaryPackagePurpose"] == "OPERATING_SYSTEM", image
assert one["externalRefs"][0]["referenceLocator"].startswith("pkg:deb/something/one@"), one
assert one["licenseDeclared"] == "MIT AND LicenseRef-of-its-own", one
assert two["licenseDeclared"] == "NOASSERTION" and source["primaryPackagePurpose"] == "SOURCE", two
assert [l["licenseId"] for l in bom["hasExtractedLicensingInfos"]] == ["LicenseRef-of-its-own"], bom
said = {(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in bom["relationships"]}
assert ("SPDXRef-DOCUMENT", "DESCRIBES", image["SPDXID"]) in said, said
for binary, sources in ((one, (many, three)), (two, (source,))):
    assert (image["SPDXID"], "CONTAINS", binary["SPDXID"]) in said, said
    for s in sources:
        assert (binary["SPDXID"], "GENERATED_FROM", s["SPDXID"]) in said, said
assert len(said) == 6, said'
	cp output/x/latest/bom.*.json .
	build -q --force
	cmp bom.cdx.json output/x/latest/bom.cdx.json
	cmp bom.spdx.json output/x/latest/bom.spdx.json
}

# pen_source MIRROR: of a build of pen-plain, unpacked, from the small archive made here
pen_source()
{
	printf '%s\n' '[Source]' 'suite = pen' "mirror = $1" 'variant = extract' 'include = pen-plain' \
		'keyring = a/key.gpg'
}

# The files of the packages that it was made of, also of what a step made, and who made what of it.
test_packages_have_their_sums()
{
	local version
	command -v python3 >/dev/null || host_cannot "no python3"
	"$TESTS_DIR/support/make-archive" a >made
	make_root
	pen_source "$PWD/a" >pen.build
	printf '%s\n' "setup-hook = tar-in $PWD/root.tar /" '[Output pen.tar]' >>pen.build
	printf '[Source]\nroot = root.tar\n[Step a]\nrun = :\n[Output pen.tar]\n' >one.build
	build -q
	cat >check.py <<-'END'
	import glob, hashlib, json, os, sys
	latest = "output/pen/latest/"
	sums, paths = {}, set()
	for path in glob.glob("a/pool/**/*.deb", recursive=True):
	    data = open(path, "rb").read()
	    paths.add(os.path.abspath(path))
	    sums[hashlib.sha256(data).hexdigest()] = len(data)
	def load(name):
	    return json.load(open(latest + name))
	packages = load("manifest.json")["packages"]
	assert [p["name"] for p in packages] == sys.argv[1:], packages
	packages = [p for p in packages if p["name"].startswith("pen-")]
	assert all(sums[p["sha256"]] == p["size"] for p in packages), packages
	assert all(p["url"].removeprefix("file://") in paths for p in packages), packages
	known = sorted(p["sha256"] for p in packages)
	cdx = load("bom.cdx.json")["components"]
	assert sorted(h["content"] for c in cdx for h in c.get("hashes", []) if h["alg"] == "SHA-256") == known
	spdx = load("bom.spdx.json")["packages"]
	assert sorted(c["checksumValue"] for p in spdx for c in p.get("checksums", [])) == known
	# in-toto, SLSA
	statement = load("provenance.json")
	assert statement["_type"] == "https://in-toto.io/Statement/v1", statement
	assert statement["predicateType"] == "https://slsa.dev/provenance/v1", statement
	for thing in statement["subject"] + statement["predicate"]["runDetails"]["byproducts"]:
	    data = open(latest + thing["name"], "rb").read()
	    assert thing["digest"]["sha256"] == hashlib.sha256(data).hexdigest(), thing
	assert [s["name"] for s in statement["subject"]] == ["pen.tar"], statement
	definition = statement["predicate"]["buildDefinition"]
	assert definition["buildType"] and definition["externalParameters"]["suite"] == "pen", definition
	used = {d["digest"]["sha256"] for d in definition["resolvedDependencies"]}
	assert used >= set(known) | {hashlib.sha256(open("pen.build", "rb").read()).hexdigest()}, used
	END
	python3 check.py pen-plain
	version=$(python3 -c 'import json; print(json.load(open("output/pen/latest/manifest.json"))["packages"][0]["version"])')
	# a step keeps what is known, and so does a build on it
	printf '[Step a]\nfiles = files\n' >>pen.build
	mkdir -p files/var/lib/dpkg
	printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nVersion: %s\n\n' \
		other all 1 pen-plain all "$version" >files/var/lib/dpkg/status
	build -q
	python3 check.py other pen-plain
	mv output/pen first
	mv pen.build base.build
	printf '[Source]\nbuild = base\n[Step b]\nfiles = files\n[Output pen.tar]\n' >pen.build
	build -q
	sed -i "/suite.*pen/d" check.py
	python3 check.py other pen-plain
	# what is not a package's has none
	python3 -c 'import json; [d] = [d for d in json.load(open("output/one/latest/provenance.json"))["predicate"][
    "buildDefinition"]["resolvedDependencies"] if d["name"] == "root.tar"]
assert len(d["digest"]["sha256"]) == 64, d'
}

# bytes that the process PID and those it has started and waited for have read
read_by()
{
	sed -n 's/^rchar: //p' "/proc/$1/io" 2>/dev/null || echo 0
}

# A folder in which nothing is to be done: there is no cage, and no package, list of packages, tree or
# output is read.
test_nothing_to_do_is_little_to_do()
{
	local before after this=$BASHPID big=$((64 << 20))
	"$TESTS_DIR/support/make-archive" a >made
	# read once, as it is compared by what is in it: its tree and the output would be as much again
	head -c $big /dev/urandom >big
	tar -cf big.tar big
	serves "$PWD/a"
	for name in one two three four five six; do
		pen_source "http://127.0.0.1:$port/plain" >$name.build
		printf '%s\n' "setup-hook = upload $PWD/made /$name" "[Output $name.tar]" >>$name.build
	done
	printf '[Source]\nbuild = one\n[Output again.tar]\n' >seven.build
	printf '[Source]\nroot = big.tar\n[Output big.tar]\n' >eight.build
	build 2>err || { cat err; fail "the folder"; }
	! grep "nothing to do" err || fail "there was something to do"
	equal 8 "$(grep -c ": built in" err)" "builds"
	: >"$T/requests"
	before=$(read_by "$this")
	UMLCAGE_CONSOLE=$PWD/consoles build 2>err
	after=$(read_by "$this")
	grep "^nothing to do for 8 builds, found out in [0-9.]* s$" err
	echo "$(((after - before) / 1024)) KB were read"
	[ $((after - before)) -lt $((big * 5 / 4)) ] || fail "$((after - before)) bytes were read"
	[ ! -e consoles ] || fail "a cage was started"
	equal 6 "$(grep -c "GET plain dists/pen/InRelease - 304 0" "$T/requests")" "questions whether there is something new"
	equal 6 "$(wc -l <"$T/requests")" "requests"
	build -q 2>err
	equal "" "$(cat err)" "what is said if that is not wanted"
	# and what is seen of one that is to be made
	echo more >>made
	build --only=one 2>err
	! grep "nothing to do" err || fail "there was something to do"
}

# Two of which it cannot be told what they are made of are not the same for that.
test_what_cannot_be_compared_is_its_own()
{
	"$TESTS_DIR/support/make-archive" a >made
	for name in one two; do
		echo $name >which
		tar -cf $name.of which
		pen_source "$PWD/a" >$name.build
		printf '%s\n' "setup-hook = tar-in $PWD/$name.of /" "[Output $name.tar]" >>$name.build
	done
	build -q -j1
	for name in one two; do
		equal $name "$(tar -xOf output/$name/latest/$name.tar ./which)" "the file of $name"
	done
}

# What umlcage cannot compare is made each time, and so is what is made of it.
test_what_cannot_be_compared_is_made_again()
{
	"$TESTS_DIR/support/make-archive" a >made
	pen_source "$PWD/a" >pen.build
	mkdir "a folder"
	echo one >"a folder/file"
	printf '%s\n' 'setup-hook = copy-in "'"$PWD"'/a folder/file" /' '[Output pen.tar]' >>pen.build
	printf '[Source]\nbuild = pen\n[Output x.tar]\n' >on.build
	build -q
	echo two >"a folder/file"
	build 2>err
	contains "pen: built in" err
	contains "on: built in" err
	equal two "$(tar -xOf output/pen/latest/pen.tar ./file)"
	equal two "$(tar -xOf output/on/latest/x.tar ./file)" "in what is made of it"
	build --dry-run 2>err
	contains "source: a hook or an input of it cannot be compared" err
	equal 1 "$(grep -c "source: a hook" err)"
	no_parts
}

# sums FOLDER: SHA256SUMS is right, and names all there is but itself and its signature.
sums()
{
	(cd "$1" && sha256sum --quiet -c SHA256SUMS &&
		equal "$(find . -type f ! -name 'SHA256SUMS*' | sed 's,^./,,' | sort)" \
			"$(cut -c67- SHA256SUMS | sort)" "files with a sum")
}

again()
{
	"$UMLCAGE" build reproduce ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$@" 2>err
}

# Made once more, out of nothing that is kept, and what differs is named by its entry.
test_reproduced()
{
	make_build
	printf '[Output root.cpio.gz]\n[Output tree]\nformat = directory\n[Publish]\n%s\n' \
		'notify = echo >>notified' >>one.build
	printf '[Step odd]\nrun = cd /etc; cat second >odd; chown 5:6 odd; chmod 4750 odd; mknod null c 1 3\n' >>one.build
	build -q
	again output/one/latest || fail "it is not the same: $(cat err)"
	contains "one: reproduced" err
	contains "root.tar: the same bytes" err
	contains "root.cpio.gz: the same bytes" err
	contains "tree: the same entries" err
	equal 1 "$(wc -l <notified)" "notifications"
	no_parts
	equal "" "$(find output -name '.*')" "left beside the night"
	# a step that goes by the clock and by chance
	printf '[Step when]\nrun = cat /proc/uptime /proc/sys/kernel/random/uuid >/etc/when\n' >>one.build
	printf '    cp -p /etc/first /etc/same; cat /etc/when >/etc/more\n' >>one.build
	build -q
	status 1 again --json output/one/latest >result
	contains "one: not reproduced" err
	contains "root.tar: differs" err
	contains "  ./etc/when: content" err
	contains "tree: differs" err
	equal 3 "$(grep -c "etc/when: content" err)" "outputs in which it differs"
	! grep -q "etc/same\|since then" err || fail "more than what differs: $(cat err)"
	python3 -c 'import json; r = json.load(open("result"))
assert r["name"] == "one" and not r["reproduced"] and not r["inputs"], r
assert [o["file"] for o in r["outputs"] if not o["same"]] == ["root.tar", "root.cpio.gz", "tree"], r
assert len(r["outputs"][0]["differences"]) == 2, r'
	no_parts
	# what it is made of is not what it was; the manifest alone does, too
	sed -i 's/echo first/echo other/' one.build
	cp output/one/latest/manifest.json .
	status 1 again manifest.json one.build
	contains "what it was is not beside the manifest" err
	contains "since then: step first is another one" err
	# what was made was changed since
	echo >>output/one/latest/root.tar
	status 1 again output/one/latest
	contains "'output/one/latest' is not what was made: 'root.tar' is not what 'SHA256SUMS' says" err
	# and what cannot be made again
	printf '[Step fails]\nrun = echo because >&2; exit 3\n' >>one.build
	status 5 again --output kept manifest.json
	contains "it cannot be made again: one: step fails: " err
	contains because kept/one/failed.log
	mv one.build two.build
	status 2 again manifest.json
	contains "there is no build 'one'" err
	no_parts
}

# The packages of then, of a service that keeps them.
test_reproduced_with_the_packages_of_then()
{
	"$TESTS_DIR/support/make-archive" a >made
	pen_source "$PWD/a" >pen.build
	printf '%s\n' 'include = pen-versions' '[Output pen.tar]' >>pen.build
	build -q
	again output/pen/latest || fail "it is not the same: $(cat err)"
	mkdir -p kept/a more/DEBIAN
	cp -r a "kept/a/$(readlink output/pen/latest)"
	printf '%s\n' 'Package: pen-versions' 'Version: 2:1' 'Architecture: all' \
		'Maintainer: Nobody <nobody@example.org>' 'Description: more' >more/DEBIAN/control
	dpkg-deb --root-owner-group -b more more.deb >/dev/null
	"$TESTS_DIR/support/make-archive" --date "$(date -d '+5 seconds' +%s)" a more.deb >made
	status 1 again output/pen/latest
	contains "since then: ~ pen-versions 1:0.5-1 -> 2:1" err
	contains "./usr/share/pen-versions: is not there any more" err
	contains "the packages of then: --snapshot" err
	UMLCAGE_SNAPSHOTS="file://$PWD/kept/@ARCHIVE@/@SNAPSHOTID@" again --snapshot output/pen/latest ||
		fail "it is not the same: $(cat err)"
	contains "pen: reproduced" err
	status 2 again --snapshot output/pen/latest
}

test_manifest_says_what_was_made_of_what()
{
	make_build
	cat >>one.build <<-'END'
	[Output folder]
	format = directory
	[Output one.oci]
	[Step packages]
	files = files
	[Publish]
	notify = echo told
	END
	mkdir -p files/var/lib/dpkg
	touch files/var/lib/dpkg/status
	build -q
	sums output/one/latest
	equal told "$(cat output/one/notify.log)" "what notify wrote"
	printf 'Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n' \
		>files/var/lib/dpkg/status
	build -q
	sums output/one/latest
	python3 - output/one/latest/manifest.json "$(sha256sum <root.tar | cut -d' ' -f1)" <<-'END'
	import json, sys
	m = json.load(open(sys.argv[1]))
	assert m["sources"] == ["root.tar " + sys.argv[2]], m["sources"]
	assert m["started"] <= m["ended"] < m["started"] + 3600, m
	assert m["package_changes"] == [{"name": "a", "architecture": "all", "after": "1"}], m
	assert m["tools"] == [], m["tools"]
	END
}

test_sums_are_signed()
{
	local before
	type -P ssh-keygen >/dev/null || host_cannot "no ssh-keygen"
	ssh-keygen -q -t ed25519 -N '' -C '' -f key
	echo "me $(cat key.pub)" >signers
	make_build
	build -q
	before=$(readlink output/one/latest)
	# one that fails, one that makes nothing, one that makes something else of the sums
	for sign in 'echo no key >&2; exit 7' ':' 'echo x >SHA256SUMS.sig; echo x >>SHA256SUMS'; do
		sed -i '/Publish/,$d' one.build
		printf '[Publish]\nsign = %s\n' "$sign" >>one.build
		status 1 build 2>err
		contains "signature: " err
		equal "$before" "$(readlink output/one/latest)" latest
		no_parts
	done
	sed -i '/Publish/,$d' one.build
	printf '[Publish]\nsign = %s\n' 'ssh-keygen -q -Y sign -n file -f "$UMLCAGE_BUILD_DIR/key" SHA256SUMS' >>one.build
	build --explain 2>err
	contains "signature: new" err
	equal 2 "$(stat -c %h output/one/latest/root.tar)" "names of the output that did not change"
	cd output/one/latest
	ssh-keygen -q -Y verify -f "$OLDPWD/signers" -I me -n file -s SHA256SUMS.sig <SHA256SUMS
	cd "$OLDPWD"
	sums output/one/latest
	build 2>err
	contains "one: up to date" err
}

test_signed_later_elsewhere()
{
	type -P ssh-keygen >/dev/null || host_cannot "no ssh-keygen"
	ssh-keygen -q -t ed25519 -N '' -C '' -f key
	echo "me $(cat key.pub)" >signers
	make_build
	printf '[Output one.oci]\n' >>one.build
	build -q
	cp -RL output/one/latest elsewhere
	local sign='ssh-keygen -q -Y sign -n file -f "$UMLCAGE_BUILD_DIR/key" SHA256SUMS' pid
	"$UMLCAGE" build sign --sign="$sign" elsewhere
	ssh-keygen -q -Y verify -f signers -I me -n file -s elsewhere/SHA256SUMS.sig <elsewhere/SHA256SUMS
	sums elsewhere
	# a command that only finds what is there has not signed it
	status 1 "$UMLCAGE" build sign --sign=: elsewhere 2>err
	contains "the command made no signature" err
	# what is not what was built
	echo x >elsewhere/more
	status 1 "$UMLCAGE" build sign --sign=": >ran" elsewhere 2>err
	contains "'elsewhere' is not signed: 'more' is not in 'SHA256SUMS'" err
	rm elsewhere/more
	echo x >>elsewhere/manifest.json
	status 1 "$UMLCAGE" build sign --sign=": >ran" elsewhere 2>err
	contains "'manifest.json' is not what 'SHA256SUMS' says" err
	rm elsewhere/manifest.json
	status 1 "$UMLCAGE" build sign --sign=": >ran" elsewhere 2>err
	contains "'manifest.json' of 'SHA256SUMS' is missing" err
	cp output/one/latest/manifest.json elsewhere
	: >elsewhere/SHA256SUMS
	status 1 "$UMLCAGE" build sign --sign=": >ran" elsewhere 2>err
	contains "'SHA256SUMS' is empty" err
	[ ! -e elsewhere/ran ] || fail "it was called"
	cp output/one/latest/SHA256SUMS elsewhere
	# one that asks, or hangs, with all that it has started
	status 1 "$UMLCAGE" build sign --timeout=1s --sign='sleep 300 & echo $! >../pid; wait' elsewhere 2>err
	contains "it took longer than 1 s" err
	within 20 gone "$(cat pid)"
	status 1 "$UMLCAGE" build sign --sign='read x </dev/tty || { echo no terminal; exit 4; }' elsewhere 2>err
	contains "exit status 4: no terminal" err
	"$UMLCAGE" build sign --sign='sleep 300 & echo $! >../pid2; wait' elsewhere 2>err &
	pid=$!
	within 20 test -s pid2
	kill -TERM $pid
	wait $pid || true
	within 20 gone "$(cat pid2)"
	status 2 "$UMLCAGE" build sign elsewhere 2>err
	contains "give --sign=COMMAND" err
	# the same limit where it is built
	printf '[Publish]\nsign = sleep 300\nnotify = cat; sleep 300\n[Limits]\ncommand-timeout = 1s\n' >>one.build
	status 1 build 2>err
	contains "signature: it took longer than 1 s" err
	contains "notify: it took longer than 1 s" output/one/notify.log
	no_parts
}

# An image whose hashes are beside it: they are outputs like it, in all that is said of it.
# A tool makes the tree as root, owners and devices and all, in a root of its own.
test_tool_is_a_source()
{
	small_tree sh cat cp mkdir chown chmod mknod ln dd grep sleep test
	mv small.tar tools.tar
	mkdir recipe
	echo one >recipe/names
	cat >make.build <<-'END'
	[Run]
	root = tools.tar
	files = recipe
	run = cd "$TARGET"; mkdir etc bin dev; cp /bin/sh /bin/cat /bin/grep bin/; cp -R /lib* .
	    test ! -d /usr || cp -R /usr .
	    cat /work/names >etc/names; chown 5:6 etc/names; chmod 4750 etc/names
	    mknod dev/null c 1 3
	    dd if=/dev/zero of=disk.img bs=1 count=0 seek=8000000; echo made >>disk.img
	[Step more]
	run = echo more >/etc/more
	[Output root.tar]
	[Output machine.img]
	file = /disk.img
	[Verify tree]
	run = grep -q one /etc/names
	[Verify image]
	root = tools.tar
	run = grep -q made "$OUTPUTS/machine.img"
	    ! test -e /etc/names
	END
	build 2>err || fail "it is not made: $(cat err output/make/failed.log)"
	tar --numeric-owner -tvf output/make/latest/root.tar >list
	grep -q -- "-rwsr-x--- 5/6 .* ./etc/names" list || fail "the owner: $(cat list)"
	grep -q "crw.* 1,3 .* ./dev/null" list || fail "the device"
	contains ./etc/more list
	equal made "$(tail -c 5 output/make/latest/machine.img)"
	equal 8000005 "$(stat -c %s output/make/latest/machine.img)" "the size of the image"
	[ "$(stat -c %b output/make/latest/machine.img)" -lt 100 ] || fail "its holes are filled"
	sums output/make/latest
	no_parts
	build 2>err
	contains "make: up to date" err
	# a step changes what it made, not what it is made of
	sed -i 's/echo more/echo others/' make.build
	build -q
	! grep -q "mknod" output/make/latest/log || fail "the tool ran again"
	# what it fetched may be another one after a day
	printf '[Run]\nrenew = 1s\n' >>make.build
	build -q
	contains mknod output/make/latest/log
	sleep 1.1
	build --dry-run --explain 2>err
	contains "source: changed" err
	sed -i 's/renew = 1s/net = none/' make.build
	build -q
	build --dry-run 2>err
	contains "make: up to date" err
	echo two >recipe/names
	build --dry-run 2>err
	contains "make: would be built" err
}

# A guest may leave anything under the name of an output.
test_files_of_a_tool_are_only_that()
{
	small_tree sh ln mkdir mknod
	mv small.tar tools.tar
	echo secret >secret
	local left
	for left in 'ln -s '"$PWD"'/secret $TARGET/disk.img' 'ln -s .. $TARGET/up; ln -s up/up/'"$PWD"'/secret $TARGET/disk.img' \
		'mkdir $TARGET/disk.img' 'mknod $TARGET/disk.img b 7 0' 'mknod $TARGET/disk.img p' ':'; do
		printf '[Run]\nroot = tools.tar\nrun = %s\n[Output disk.img]\nfile = disk.img\n' "$left" >x.build
		! build 2>err || fail "$left: it is made"
		contains "output disk.img: file = disk.img: cannot" err
		[ ! -e output/x/latest ] || fail "something was published"
		no_parts
		rm -rf output
	done
	printf '[Run]\nroot = tools.tar\nrun = mkdir $TARGET/a; ln -s %s $TARGET/a/b\n[Output x]\nfile = a/b/secret\n' \
		"$PWD" >x.build
	status 3 build 2>err
	contains "file = a/b/secret: cannot" err
	# one that fails is told as any step, and leaves nothing
	printf '[Run]\nroot = tools.tar\nrun = echo some >$TARGET/some; false\n[Output x.tar]\n' >x.build
	status 5 build 2>err
	contains "source: exit status 1: false" err
	no_parts
}

test_hashes_of_verity_are_outputs()
{
	local file
	mirrored
	make_build
	printf '[Output x.squashfs]\nverity = yes\n' >>one.build
	build -q
	sums output/one/latest
	python3 - <<-'END'
	import json
	m = json.load(open("output/one/latest/manifest.json"))
	names = ["root.tar", "x.squashfs", "x.squashfs.verity", "x.squashfs.roothash"]
	assert [o["file"] for o in m["outputs"]] == names, m["outputs"]
	p = json.load(open("output/one/latest/provenance.json"))
	assert sorted(s["name"] for s in p["subject"]) == sorted(names), p["subject"]
	END
	# kept with the image
	printf '[Output d.cpio]\n' >>one.build
	build -q
	for file in x.squashfs x.squashfs.verity x.squashfs.roothash; do
		equal 2 "$(stat -c %h output/one/latest/$file)" "names of $file, which did not change"
	done
	# and missed without it
	rm -f output/one/*/x.squashfs.roothash
	build --explain --dry-run 2>err
	contains "there is no latest that is whole" err
}

gone()
{
	! kill -0 "$1" 2>/dev/null
}

test_manifest_has_the_tools()
{
	mirrored
	make_build
	printf '[Output a.ext4]\n[Output b.ext4]\nsize = 64M\n[Output c.squashfs]\n' >>one.build
	build -q
	cat >check.py <<-'END'
	import json
	m = json.load(open("output/one/latest/manifest.json"))
	tools = {o: [p["name"] for p in t["packages"]] for t in m["tools"] for o in t["outputs"]}
	assert "e2fsprogs" in tools["a.ext4"] and tools["a.ext4"] == tools["b.ext4"], tools
	assert "squashfs-tools" in tools["c.squashfs"] and len(tools) == 3, tools
	assert all(p["version"] for t in m["tools"] for p in t["packages"])
	END
	python3 check.py
	# those of an output that is kept are
	printf '[Output d.cpio]\n' >>one.build
	build -q
	equal 2 "$(stat -c %h output/one/latest/a.ext4)" "names of the output that did not change"
	python3 check.py
	sums output/one/latest
}

test_every_cage_under_ptrace()
{
	make_root
	cat >one.build <<-'END'
	[Source]
	root = root.tar
	[Step first]
	cpus = 2
	run = grep -c ^processor /proc/cpuinfo >/etc/first
	[Output root.tar]
	[Verify]
	cpus = 2
	run = test $(grep -c ^processor /proc/cpuinfo) = $(cat /etc/first)
	END
	build --ptrace 2>err || fail "$(cat err)"
	equal 1 "$(tar -xOf output/one/latest/root.tar ./etc/first)" "there is one under ptrace"
	contains "one: built in" err
	# the same is made either way
	build 2>err
	contains "one: up to date" err
}

test_failing_step_keeps_the_latest()
{
	make_build
	build -q
	local before
	before=$(readlink output/one/latest)
	sed -i 's/echo first/echo wrong here >\&2; exit 3; echo/' one.build
	status 5 build 2>err
	contains "step first: exit status 3: wrong here" err
	contains "log: $PWD/output/one/failed.log" err
	contains "latest is still $before" err
	contains "umlcage build --only=one one.build" err
	equal 4 "$(wc -l <err)" "lines"
	contains "wrong here" output/one/failed.log
	equal "$before" "$(readlink output/one/latest)" latest
	no_parts
	status 1 "$UMLCAGE" build status >list
	contains failed list
	sed -i 's/exit 3; //' one.build
	build 2>err
	contains "one: built" err
	[ ! -e output/one/failed.log ] || fail "the log of the failure is still there"
	"$UMLCAGE" build status >list
	contains good list
}

test_failing_check_keeps_the_latest()
{
	make_build
	build -q
	local before
	before=$(readlink output/one/latest)
	sed -i 's/grep -q one/grep -q two/' one.build
	status 5 build -q 2>err
	contains "check 1: exit status 1: grep -q two" err
	equal "$before" "$(readlink output/one/latest)" latest
	equal 1 "$(find output/one -name root.tar | wc -l)" outputs
	no_parts
}

test_checks_run_on_the_image()
{
	mirrored
	make_build
	sed -i 's/root.tar\]/root.ext4]/' one.build
	printf '[Verify disk]\nrun = grep -q " / " /proc/mounts\n  grep -q ubd /proc/mounts\n' >>one.build
	build -q
}

test_builds_on_another()
{
	make_build
	printf '[Source]\nbuild = one\n[Step x]\nrun = echo x >/etc/x\n[Output x.tar]\n' >top.build
	printf '[Source]\nbuild = top\n[Output y.tar]\n' >last.build
	build -j2 --only=last 2>err
	equal "one x" "$(tar -xOf output/last/latest/y.tar ./etc/second ./etc/x | paste -sd ' ')"
	build 2>err
	equal 3 "$(grep -c 'up to date' err)" "up to date"
	# what it builds on has left the cache
	rm -rf "$XDG_CACHE_HOME/umlcage/stages"
	sed -i 's/echo x/echo z/' top.build
	build --only=top 2>err
	contains "top: built" err
	equal z "$(tar -xOf output/top/latest/x.tar ./etc/x)"
	sed -i 's/echo first/false; echo/' one.build
	status 5 build 2>err
	contains "top: left out" err
	contains "last: left out" err
}

test_circles_and_slips_are_refused()
{
	make_root
	printf '[Source]\nbuild = b\n[Output a.tar]\n' >a.build
	printf '[Source]\nbuild = a\n[Output b.tar]\n' >b.build
	status 2 build --check 2>err
	contains "builds on itself" err
	rm a.build b.build
	refused "there is no key 'includ' in [Source]; did you mean 'include'" 2 \
		"[Source]\ninclud = x\nsuite = trixie\n"
	refused "x.build:1: there is no section '[Sorce]'; did you mean 'source'" 2 "[Sorce]\n"
	refused "x.build:2: there is no key 'siz' in [Output a.ext4]; did you mean 'size'" 2 \
		"[Output a.ext4]\nsiz = 1G\n"
	refused "x.build:2: size: 'much' is not a size" 2 "[Output a.ext4]\nsize = much\n"
	refused "no variable '\${nam}'; did you mean '\${name}'" 2 "[Output \${nam}.tar]\n"
	refused "variant" 2 "[Source]\nsuite = trixie\nvariant = minbas\n"
	refused "cannot tell a format" 2 "[Source]\nroot = root.tar\n[Output a.zip]\n"
	refused "one of suite, root and build" 2 "[Source]\n"
	refused "or there is a [Run]" 2 "[Source]\n"
	refused "has nothing to do" 2 "[Source]\nroot = root.tar\n[Step a]\n"
	refused "--size is for file systems" 2 "[Source]\nroot = root.tar\n[Output a.tar]\nsize = 1G\n"
	refused "x.build:2: there is no key 'tols' in [Run]; did you mean 'tool'" 2 "[Run]\ntols = vmdb2\n"
	refused "[Run]: tool: there is no tool 'vmdb'; did you mean 'vmdb2'" 2 \
		"[Run]\ntool = vmdb\nrun = x\n[Output a.tar]\n"
	refused "x.build: [Run]: where does it run?" 2 "[Run]\nrun = x\n[Output a.tar]\n"
	refused "x.build: [Run] has nothing to do" 2 "[Run]\ntool = vmdb2\n[Output a.tar]\n"
	refused "three ways to say what it runs in" 2 "[Run]\ntool = vmdb2\npackages = a\nrun = x\n[Output a.tar]\n"
	refused "[Run] is the source, and [Source] names another one" 2 \
		"[Source]\nsuite = trixie\n[Run]\ntool = vmdb2\nrun = x\n[Output a.tar]\n"
	refused "taken as it is: no other key has a meaning" 2 \
		"[Source]\nroot = root.tar\n[Output a.tar]\nfile = a\nlevel = 3\n"
	refused "x.build:2: there is no key 'tool' in [Step a]" 2 "[Step a]\ntool = vmdb2\n"
	refused "x.build:2: there is no key 'include' in [Step a]" 2 "[Step a]\ninclude = vmdb2\n"
	refused "included too deep" 2 "include = x.build\n"
	printf '[Source]\nroot = root.tar\n[Output a.tar]\n' >x.build
	status 2 build --only=y 2>err
	contains "there is no build 'y'" err
	[ ! -e output ] || fail "something was begun"
}

# refused TEXT STATUS CONTENTS
refused()
{
	printf "$3" >x.build
	status "$2" build --check x.build 2>err
	contains "$1" err
}

test_includes_and_variables()
{
	make_build
	printf '[Publish]\nkeep = 1\n[Output ${name}-${date}.tar]\n' >common.inc
	sed -i '1i include = common.inc' one.build
	build -q
	local day
	day=$(date +%F)
	[ -f "output/one/latest/one-$day.tar" ] || fail "the name"
	build -q --force
	equal 1 "$(find output/one -name root.tar | wc -l)" "nights that are kept"
}

test_matrix_makes_several_of_one_file()
{
	make_root
	cat >many.build <<-'END'
	[Matrix]
	word = red blue
	size = small large
	[Source]
	root = root.tar
	[Step one]
	run = echo "${word} ${size} ${HOME}" >/etc/what
	[Output ${word}.tar]
	[Verify]
	run = grep -qx "${word} ${size} /root" /etc/what
	END
	printf '[Matrix]\nword = red blue\n[Source]\nbuild = many-${word}-small\n[Output ${name}.tar]\n' >top.build
	"$UMLCAGE" build --list >list
	for name in many-red-small many-red-large many-blue-small many-blue-large top-red top-blue; do
		contains $name list
	done
	# what it builds on is found by its words
	build --only=top-blue top.build 2>err
	equal "blue small /root" "$(tar -xOf output/top-blue/latest/top-blue.tar ./etc/what)"
	[ ! -e output/top-red ] || fail "more than was asked for"
	build 2>err
	equal "red large /root" "$(tar -xOf output/many-red-large/latest/red.tar ./etc/what)"
	refused "x.build:2: 'name' cannot be a variable" 2 "[Matrix]\nname = a b\n"
	refused "'a/b' cannot be part of a name" 2 "[Matrix]\nsuite = a/b\n"
	refused "there is no build 'many-green-small'" 2 "[Source]\nbuild = many-green-small\n[Output a.tar]\n"
	printf '[Matrix]\nword = a\n' >x.inc
	refused "belongs into the build file itself" 2 "include = x.inc\n[Source]\nroot = root.tar\n"
}

# What is up to date is known by what is said of it: that takes no kernel, and no look into an image.
test_second_run_starts_no_kernel_and_reads_no_image()
{
	local kernel size
	[ -z "${UMLCAGE_TEST_KERNEL-}" ] || host_cannot "a kernel that is named is looked at"
	command -v python3 >/dev/null || host_cannot "no python3"
	mkdir -p cache/umlcage
	cp -RL "$XDG_CACHE_HOME/umlcage/kernels" cache/umlcage/
	export XDG_CACHE_HOME=$PWD/cache
	"$TESTS_DIR/support/make-archive" a >made
	make_build
	printf '[Output x.oci]\n[Output y.cpio.zst]\n' >>one.build
	pen_source "$PWD/a" >pen.build
	echo '[Output pen.tar]' >>pen.build
	build -q
	for kernel in cache/umlcage/kernels/*/linux; do
		size=$(stat -c %s "$kernel")
		printf '#!/bin/sh\necho "$@" >>"%s"\nexit 1\n' "$PWD/started" >"$kernel"
		truncate -s "$size" "$kernel"
	done
	# reading changes a time of access that is before that of the contents
	echo x >control
	find output control -type f -exec touch -a -d @1 {} +
	cat control
	[ "$(stat -c %X control)" -gt 1 ] || host_cannot "this file system does not note who reads"
	build 2>err
	equal 2 "$(grep -c 'up to date' err)" "up to date"
	[ ! -e started ] || fail "the kernel was started: $(cat started)"
	equal "" "$(find output -type f ! -name '*.json' -size +0 -newerat @2)" "files that were read"
}

# What a name server did not answer is asked again soon: told to a program that is called meanwhile.
test_lost_answers_of_name_servers_do_not_hold_it_up()
{
	command -v python3 >/dev/null || host_cannot "no python3"
	"$TESTS_DIR/support/make-archive" a >made
	pen_source "$PWD/a" >pen.build
	echo '[Output pen.tar]' >>pen.build
	mkdir fake
	printf '#!/bin/sh\necho "$RES_OPTIONS" >>"%s"\nexec "%s" "$@"\n' "$PWD/options" "$(type -P gpgv)" >fake/gpgv
	chmod +x fake/gpgv
	PATH=$PWD/fake:$PATH build --dry-run
	equal "timeout:1 attempts:5" "$(sort -u options)"
	rm options
	PATH=$PWD/fake:$PATH RES_OPTIONS=timeout:7 build --dry-run
	equal timeout:7 "$(sort -u options)"
}

# Whether there is something to do is found out for many at a time, made are as many as is said.
test_looks_are_not_queued()
{
	local port n
	served_archive
	mkdir folder
	for n in 1 2 3 4; do
		pen_source "http://127.0.0.1:$port/together" >$n.build
		echo "[Output $n.tar]" >>$n.build
	done
	build -q
	echo 4 >a/together
	build -j1 2>err
	equal 4 "$(grep -c 'up to date' err)" "up to date"
	rm ./*.build
	make_root
	for n in 1 2 3; do
		printf '[Source]\nroot = root.tar\n[Step one]\nbind = folder:/tmp\n' >$n.build
		printf 'run = test ! -s /tmp/busy\n  echo %s >/tmp/busy\n  sleep 1\n  : >/tmp/busy\n' $n >>$n.build
		printf '[Output %s.tar]\n' $n >>$n.build
	done
	build -j1 2>err
	equal 3 "$(grep -c ': built' err)" built
}

test_two_builders_at_once()
{
	make_build
	sed -i 's/echo first/sleep 3; echo first/' one.build
	build 2>first &
	within 20 test -e output/one/lock
	within 20 in_step
	local got=0
	build 2>second || got=$?
	wait $!
	contains "one: built" first
	[ $got -eq 0 ] || contains "somebody else is building it now" second
	no_parts
}

in_step()
{
	cat output/one/.new.*/log 2>/dev/null | grep "step first" >/dev/null
}

test_killed_one_leaves_nothing()
{
	make_build
	build -q
	local before
	before=$(readlink output/one/latest)
	sed -i 's/echo first/sleep 60; echo first/' one.build
	"$UMLCAGE" build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} 2>err &
	local pid=$!
	within 20 in_step
	kill -9 $pid
	wait $pid || true
	within 30 flock -n output/one/lock true
	equal "$before" "$(readlink output/one/latest)" latest
	sed -i 's/sleep 60; echo first/echo other/' one.build
	build -q
	no_parts
	# also where nothing is to be done
	mkdir output/one/.new.dead
	build -q
	no_parts
}

# Another value of a byte in the middle of a file.
flip()
{
	local at=$(($(stat -c %s "$1") / 2)) byte
	byte=$(od -An -tu1 -j$at -N1 "$1")
	# shellcheck disable=SC2059
	printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek=$at conv=notrunc status=none
}

# In all that the cache keeps, and in what was published.
test_flipped_bytes_are_found()
{
	local file
	command -v python3 >/dev/null || host_cannot "no python3"
	mkdir -p cache/umlcage
	ln -s "$XDG_CACHE_HOME/umlcage/kernels" cache/umlcage/kernels
	export XDG_CACHE_HOME=$PWD/cache
	"$TESTS_DIR/support/make-archive" a >made
	make_build
	pen_source "$PWD/a" >pen.build
	echo '[Output pen.tar]' >>pen.build
	build -q
	cp output/one/latest/root.tar one.tar
	cp output/pen/latest/pen.tar .
	find cache/umlcage/ -type f -size +0 ! -name lock ! -path '*/kernels/*' >files
	for file in stages/ roots/ indexes/ archives/; do
		contains "cache/umlcage/$file" files
	done
	while read -r file; do
		flip "$file"
	done <files
	flip output/one/latest/root.tar
	build --explain one.build 2>err
	contains "there is no latest that is whole" err
	cmp one.tar output/one/latest/root.tar
	build -q --force pen.build
	cmp pen.tar output/pen/latest/pen.tar
	build 2>err
	equal 2 "$(grep -c 'up to date' err)" "up to date"
}

# Two days on and an hour back, at some moment of a build.
test_clock_that_jumps()
{
	local first second
	make_build
	printf '[Publish]\nkeep = 2\n' >>one.build
	build -q
	sed -i "s/echo first/echo second/" one.build
	faulty clock 1 build -q
	first=$(readlink output/one/latest)
	sed -i "s/echo second/echo third/" one.build
	faulty back 2 build -q
	second=$(readlink output/one/latest)
	[[ $second < $first ]] || fail "the clock was not put back"
	equal third "$(tar -xOf output/one/latest/root.tar ./etc/first)"
	equal "$second $first" "$(nights)" "nights that are kept"
	# those from the future are not newer than what came after them
	sed -i "s/echo third/echo fourth/" one.build
	build -q
	equal fourth "$(tar -xOf output/one/latest/root.tar ./etc/first)"
	equal "$second $(readlink output/one/latest)" "$(nights)" "nights that are kept"
	build 2>err
	contains "one: up to date" err
}

nights()
{
	find output/one -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | paste -sd ' '
}

# From some moment on nothing can be written any more.
test_full_disk()
{
	local calls at round before got nights
	make_build
	build -q
	sed -i "s/echo first/echo $RANDOM/" one.build
	faulty enospc 0 build -q
	calls=$(od -An -tu8 -N8 "$T/calls")
	[ "$calls" -gt 50 ] || fail "only $calls calls were counted"
	before=$(readlink output/one/latest)
	for round in $(seq "$(scaled 4)"); do
		sed -i "s/echo .* >.etc.first/echo $RANDOM >\/etc\/first/" one.build
		at=$(((RANDOM * 32768 + RANDOM) % calls + 1))
		got=0
		nights=$(nights)
		faulty enospc "$at+" build 2>err || got=$?
		echo "$at of $calls: $got $(sed -n 2p err)"
		if [ $got -eq 0 ]; then
			before=$(readlink output/one/latest)
		else
			contains "No space left" err
			equal 6 $got "exit status"
			equal "$nights" "$(nights)" "nights after call $at"
		fi
		equal "$before" "$(readlink output/one/latest)" "latest after call $at"
		sums output/one/latest
		no_parts
	done
	build -q
	sums output/one/latest
}

# At some moment of the time that a whole one takes; `make check-kills` does it some hundred times.
test_kills_at_any_moment()
{
	make_build
	build -q
	local round pid began took at killed=0
	sed -i "s/echo .* >.etc.first/echo 0 >\/etc\/first/" one.build
	began=$(date +%s%N)
	build -q
	took=$((($(date +%s%N) - began) / 1000000))
	for round in $(seq "$(scaled 12)"); do
		sed -i "s/echo .* >.etc.first/echo $round >\/etc\/first/" one.build
		build -q 2>>err &
		pid=$!
		at=$((RANDOM * took / 32768))
		sleep "$((at / 1000)).$(printf %03d $((at % 1000)))"
		kill -9 $pid 2>/dev/null && killed=$((killed + 1)) || true
		wait $pid || true
		(cd output/one/latest && sha256sum --quiet -c SHA256SUMS)
	done
	remark "$killed of $round killed, within $took ms"
	within 30 build -q
	equal "$round" "$(tar -xOf output/one/latest/root.tar ./etc/first)"
	no_parts
}

test_interrupted_one_leaves_nothing()
{
	make_build
	sed -i 's/echo first/sleep 60; echo first/' one.build
	"$UMLCAGE" build ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} 2>err &
	local pid=$! got=0
	within 20 in_step
	kill -TERM $pid
	wait $pid || got=$?
	equal 143 $got "exit status"
	no_parts
	[ ! -e output/one/latest ] || fail "there is a latest"
}

test_mirror_that_is_gone()
{
	command -v python3 >/dev/null || host_cannot "no python3"
	"$TESTS_DIR/support/make-archive" a >made
	pen_source "$PWD/a" >pen.build
	echo '[Output pen.tar]' >>pen.build
	build 2>err
	contains "pen: built" err
	build 2>err
	contains "pen: up to date" err
	python3 -c 'import json; m = json.load(open("output/pen/latest/manifest.json"))
assert m["sources"] and m["suite"] == "pen", m'
	mv a/dists away
	local before got=0
	before=$(readlink output/pen/latest)
	build 2>err || got=$?
	[ $got -ne 0 ] || fail "no failure"
	contains "what was made last is still there" err
	equal "$before" "$(readlink output/pen/latest)" latest
	mv away a/dists
	build 2>err
	contains "pen: up to date" err
}

test_from_an_empty_environment()
{
	make_build
	env -i XDG_CACHE_HOME="$XDG_CACHE_HOME" HOME="$HOME" "$UMLCAGE" build \
		${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} "$PWD" </dev/null >out 2>&1
	contains "one: built" out
}

test_summary_for_people_and_programs()
{
	make_build
	printf '[Publish]\nnotify = cat >>notified\n' >>one.build
	build --json >result.json 2>/dev/null
	python3 -c 'import json; [r] = json.load(open("result.json"))
assert r["result"] == "built" and r["name"] == "one" and r["bytes"] > 0, r'
	contains "one: 1 output" notified
	"$UMLCAGE" build status --json >status.json
	python3 -c 'import json; [r] = json.load(open("status.json"))
assert r["result"] == "good" and r["latest"], r'
	"$UMLCAGE" build status --html page.html
	python3 - page.html <<-'END'
	import html.parser, sys
	page = open(sys.argv[1]).read()
	class Links(html.parser.HTMLParser):
	    def handle_starttag(self, tag, attrs):
	        for key, value in attrs:
	            assert not (value or "").startswith(("http", "//")), value
	Links().feed(page)
	assert "all 1 are good" in page and "<h2>one" in page
	END
}

# crontab and systemctl that only write down what they are told
fake_host()
{
	mkdir -p fake
	cat >fake/crontab <<-'END'
	#!/bin/sh
	if [ "$1" = -l ]; then cat "$FAKE/table" 2>/dev/null || { echo "no crontab for you" >&2; exit 1; }
	else cat >"$FAKE/table"; fi
	END
	printf '#!/bin/sh\necho "$@" >>"$FAKE/systemctl.log"\n' >fake/systemctl
	chmod +x fake/*
	export FAKE=$PWD/fake PATH="$PWD/fake:$PATH" XDG_CONFIG_HOME=$PWD/config
}

test_timer_in_a_crontab()
{
	make_build
	fake_host
	echo "5 4 * * * mine" >fake/table
	"$UMLCAGE" build timer install --with=cron --at 03:07 .
	contains "7 3 * * * '" fake/table
	contains "5 4 * * * mine" fake/table
	"$UMLCAGE" build timer install --with=cron --at 04:08 .
	equal 2 "$(wc -l <fake/table)" "lines of the table"
	"$UMLCAGE" build timer list --with=cron >list
	contains "04:08  cron     $PWD" list
	# what cron would run does run
	if [ -z "${UMLCAGE_TEST_KERNEL-}" ]; then
		env -i XDG_CACHE_HOME="$XDG_CACHE_HOME" HOME="$HOME" \
			sh -c "$(grep umlcage fake/table | cut -d' ' -f6-)"
		[ -f output/one/latest/root.tar ] || fail "nothing was built"
	fi
	"$UMLCAGE" build timer remove --with=cron .
	equal "5 4 * * * mine" "$(cat fake/table)" "the table"
	status 3 "$UMLCAGE" build timer remove --with=cron .
}

test_timer_in_systemd()
{
	make_build
	fake_host
	"$UMLCAGE" build timer install --at 23:59 one.build
	contains "enable --now umlcage-build-" fake/systemctl.log
	grep -h OnCalendar config/systemd/user/umlcage-build-*.timer | grep '23:59:00' >/dev/null
	grep -h ExecStart config/systemd/user/umlcage-build-*.service | grep "\"$PWD/one.build\"" >/dev/null
	if type -P systemd-analyze >/dev/null; then
		systemd-analyze verify --user config/systemd/user/umlcage-build-*.timer
	fi
	"$UMLCAGE" build timer list --with=systemd >list
	contains "23:59  systemd  $PWD/one.build" list
	"$UMLCAGE" build timer remove --with=systemd one.build
	equal "" "$(ls config/systemd/user)" "units"
	status 2 "$UMLCAGE" build timer install --at 25:00 .
}

# The archive, by a server that takes any password: its port is $port.
served_archive()
{
	command -v python3 >/dev/null || host_cannot "no python3"
	"$TESTS_DIR/support/make-archive" "$T/a" >made
	serves "$T/a"
}

no_secret()
{
	! grep -r --exclude=pen.tar pass-w0rd "$@" >found || { cat found; fail "there is a password in $*"; }
}

test_passwords_of_mirrors_are_not_shown()
{
	local port mode
	served_archive
	pen_source "http://me:pass-w0rd@127.0.0.1:$port/plain" >pen.build
	cat >>pen.build <<-END
	aptopt = Acquire::http::Proxy::mirror.invalid "http://me:pass-w0rd@proxy.invalid:3128"
	skip = cleanup/apt/lists
	[Output pen.tar]
	[Publish]
	notify = cat >notified
	END
	make_build
	sed -i "s,echo first,: http://me:pass-w0rd@host.invalid:$port/; &," one.build
	build --explain >out 2>err
	contains "source http://127.0.0.1:$port/plain pen" <(
		"$UMLCAGE" fabricate --print-recipe --variant=extract --keyring=a/key.gpg \
			${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
			pen x "http://me:pass-w0rd@127.0.0.1:$port/plain" | tee recipe)
	contains "http://127.0.0.1:$port/plain pen main" output/pen/latest/manifest.json
	contains "http://host.invalid:$port/" output/one/latest/log
	no_secret output recipe out err notified
	equal "" "$(find "$XDG_CACHE_HOME/umlcage/indexes" -name "*pass-w0rd*_${port}_*")" "names in the cache"
	# the root has what it was given, and apt finds its lists by their names
	contains "me:pass-w0rd@127.0.0.1:$port/plain" <(tar -xOf output/pen/latest/pen.tar ./etc/apt/sources.list)
	tar -tf output/pen/latest/pen.tar >list
	contains "apt/lists/127.0.0.1:${port}_plain_dists_pen_InRelease" list
	no_secret list
	# nor when it fails, early or late
	for mode in nopool away; do
		sed -i "s,/[a-z]*\$,/$mode,;t;s/Plain/x/" pen.build
		! build --only=pen 2>err || fail "it was built"
		no_secret output err notified
	done
	"$UMLCAGE" build status --html page.html || true
	no_secret page.html
}
