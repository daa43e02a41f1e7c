# SPDX-License-Identifier: GPL-2.0-or-later
# Container engines, unmodified, on the full kernel.
#
# What they store is on a tmpfs: they want an overlay of their own, which cannot lie on another.

# shellcheck source=tests/support/tools.sh
. "$TESTS_DIR/support/tools.sh"

# an image's file system of the same kind as people push: busybox and nothing else
base()
{
	mirrored
	fabricate -q --variant=extract --include=busybox-static trixie tree.tar
	mkdir base
	tar -xf tree.tar -C base --no-same-owner ./usr/bin/busybox
	mkdir -p base/bin base/etc base/tmp
	for applet in sh cat echo ls id wc sleep; do
		ln -s ../usr/bin/busybox "base/bin/$applet"
	done
	tar -C base -cf base.tar .
}

containerfile()
{
	cat >Containerfile <<-'END'
	FROM base AS build
	ARG WHAT
	RUN echo "made of $WHAT" >/made; id -u >>/made
	FROM base
	COPY --from=build /made /etc/made
	RUN wc -l </etc/made >/etc/lines
	CMD ["cat", "/etc/made", "/etc/lines"]
	END
}

# For sh in a cage: docker_begins SIZE starts dockerd on a tmpfs of that size, and waits for it.
docker='docker_begins()
	{
		mkdir -p /var/lib/docker
		mount -t tmpfs -o "size=$1" none /var/lib/docker
		dockerd >/run/dockerd.log 2>&1 &
		n=0
		until docker version >/dev/null 2>&1; do
			n=$((n + 1))
			[ $n -lt 3000 ] || { cat /run/dockerd.log >&2; exit 9; }
			sleep 0.2
		done
	}'

# limit: 1800
test_docker_builds_and_runs()
{
	tools docker.io,docker-cli,docker-buildx,iptables,ca-certificates
	base
	containerfile
	run -m 2G -q --root tools.tar --bind "$PWD:/src:ro" -C /src -- sh -euc "$docker"'
		docker_begins 1g
		docker import base.tar base >/dev/null
		mkdir /ctx && cp Containerfile /ctx/Dockerfile
		docker build -q --build-arg WHAT=parts -t result /ctx >/dev/null
		docker run --rm result
		docker run --rm --memory 64m --cpus 0.5 base sh -c "cat /sys/fs/cgroup/memory.max"
		docker build --progress=plain --build-arg WHAT=parts -t again /ctx 2>&1 | grep -c CACHED
		docker run --rm base sh -c "echo out; echo err >&2; exit 7" || echo "status $?"
	' >out 2>err || { cat err >&2; fail "docker: see above"; }
	printf 'made of parts\n0\n2\n67108864\n3\nout\nstatus 7\n' >want
	diff want out
}

# limit: 1800
test_podman_builds_runs_and_publishes()
{
	tools podman,buildah,crun,netavark,aardvark-dns,nftables,ca-certificates
	base
	containerfile
	run -m 2G -q --root tools.tar --bind "$PWD:/src:ro" -C /src -- sh -euc '
		mkdir -p /var/lib/containers
		mount -t tmpfs -o size=1g none /var/lib/containers
		podman import -q base.tar localhost/base >/dev/null
		mkdir /ctx && sed "s,FROM base,FROM localhost/base," Containerfile >/ctx/Containerfile
		buildah bud -q --build-arg WHAT=parts -t result /ctx >/dev/null
		podman run --rm result
		podman run -d --name web -p 8080:80 localhost/base \
			sh -c "while :; do echo hello | /usr/bin/busybox nc -l -p 80; done" >/dev/null
		podman exec web echo inside
		n=0
		until bash -c "exec 3<>/dev/tcp/127.0.0.1/8080 && cat <&3" 2>/dev/null; do
			n=$((n + 1))
			[ $n -lt 1500 ]
			sleep 0.2
		done
		podman rm -f -t 0 web >/dev/null
	' >out 2>err || { cat err >&2; fail "podman: see above"; }
	printf 'made of parts\n0\n2\ninside\nhello\n' >want
	diff want out
}

# The base is an image that umlcage made, from a registry of one's own; on a host that denies namespaces.
# limit: 3600
test_docker_builds_on_an_image_of_a_registry()
{
	tools docker.io,docker-cli,docker-buildx,docker-registry,skopeo,iptables,ca-certificates
	fabricate -q --variant=essential trixie base.oci.tar
	containerfile
	sed -i 's,FROM base$,FROM localhost:5000/base:1,; s,FROM base AS,FROM localhost:5000/base:1 AS,' Containerfile
	run --no-namespaces -m 3G -q --root tools.tar --bind "$PWD:/src:ro" -C /src -- sh -euc "$docker"'
		mkdir -p /var/lib/docker-registry
		mount -t tmpfs -o size=1g none /var/lib/docker-registry
		# the one of the package wants a password
		printf "%s\n" "version: 0.1" "storage: { filesystem: { rootdirectory: /var/lib/docker-registry } }" \
			"http: { addr: 127.0.0.1:5000 }" >/run/registry.yml
		docker-registry serve /run/registry.yml >/run/registry.log 2>&1 &
		docker_begins 2g
		skopeo copy -q --insecure-policy --dest-tls-verify=false oci-archive:base.oci.tar \
			docker://localhost:5000/base:1 || { cat /run/registry.log >&2; exit 9; }
		mkdir /ctx && cp Containerfile /ctx/Dockerfile
		docker build -q --build-arg WHAT=parts -t localhost:5000/result /ctx >/dev/null
		docker run --rm localhost:5000/result
		docker build --progress=plain --build-arg WHAT=parts -t again /ctx 2>&1 | grep -c CACHED
		docker push -q localhost:5000/result >/dev/null
		docker rmi -f localhost:5000/result again >/dev/null
		docker run --rm localhost:5000/result sh -c ". /etc/os-release; echo \$VERSION_CODENAME" 2>/dev/null
	' >out 2>err || { cat out err >&2; fail "docker and its registry: see above"; }
	printf 'made of parts\n0\n2\n3\ntrixie\n' | diff - out
}

# limit: 1800
test_lxc_and_firejail()
{
	tools lxc,lxc-templates,busybox-static,firejail,procps
	run -m 1G -q --root tools.tar -- sh -euc '
		useradd -m somebody
		printf "lxc.net.0.type = empty\nlxc.apparmor.profile = unconfined\n" >/etc/lxc/default.conf
		lxc-create -n box -t busybox >/run/log 2>&1 || { cat /run/log >&2; exit 9; }
		lxc-start -n box -o /run/log -l info || { cat /run/log >&2; exit 9; }
		lxc-wait -n box -s RUNNING -t 60
		lxc-attach -n box -- sh -c "echo lxc \$(hostname) \$(cat /proc/1/comm)"
		lxc-attach -n box -- sh -c "exit 6" || echo "status $?"
		lxc-stop -n box -k
		lxc-info -n box -s
		su somebody -c "firejail --quiet --noprofile --private --net=none sh -c \"
			touch ~/here; ls ~; sed 1d /proc/net/route; exit 4\"" || echo "status $?"
		ls /home/somebody
	' >out 2>err || { cat out err >&2; fail "lxc and firejail: see above"; }
	printf 'lxc box init\nstatus 6\nState:          STOPPED\nhere\nstatus 4\n' | diff - out
}
