# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# The scripts for build services (umlcage/doc/ci), called as their services call them.

scripts=$(dirname "$UMLCAGE")/../share/doc/umlcage/examples/ci
machine=(${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --memory "$(little 96)")

# A root with a git; all that is asked of it here is to be there.
make_root()
{
	run --commit builder -- sh -c 'printf "#!/bin/sh\n" >/usr/bin/git && chmod 755 /usr/bin/git'
}

# as GitLab Runner's executors/custom does: its variables, the stage's own arguments, then its
gitlab()
{
	env CUSTOM_ENV_CI_RUNNER_ID=7 CUSTOM_ENV_CI_CONCURRENT_ID=0 CUSTOM_ENV_CI_JOB_ID=42 \
		BUILD_FAILURE_EXIT_CODE=11 SYSTEM_FAILURE_EXIT_CODE=12 BUILD_EXIT_CODE_FILE="$T/code" \
		CUSTOM_ENV_CI_JOB_IMAGE="${image-builder}" "$scripts/gitlab-executor" "$@"
}

no_sessions()
{
	[ "$("$UMLCAGE" session list --json | tr -d ' \n')" = "[]" ]
}

test_gitlab_job()
{
	make_root
	gitlab config >config.json
	python3 -c 'import json; c = json.load(open("config.json"))
assert c["builds_dir"] == "/builds" and c["builds_dir_is_shared"] is False, c
assert c["driver"]["name"] == "umlcage" and c["driver"]["version"], c'
	gitlab prepare "${machine[@]}" >out
	contains "in a cage on 'builder'" out
	# stages of one job share their cage
	printf 'echo source >/builds/file\n' >get_sources
	printf 'set -e\ncat /builds/file\nid -u\nread line || echo end\n' >step_script
	gitlab run get_sources get_sources
	equal "source 0 end" "$(gitlab run step_script step_script | tr '\n' ' ' | sed 's/ $//')"
	printf 'echo why >&2; exit 3\n' >bad
	status 11 gitlab run bad step_script 2>err
	equal why "$(said err)"
	equal 3 "$(cat code)" "the script's own status"
	# the script's 125 is the script's
	printf 'exit 125\n' >bad
	status 11 gitlab run bad step_script
	equal 125 "$(cat code)"
	# a cage that is gone is not the job's failure
	"$UMLCAGE" session kill gitlab-7-0-42
	status 12 gitlab run step_script after_script 2>err
	contains "the cage of this job is gone" err
	gitlab cleanup
	gitlab cleanup
	no_sessions || fail "a session is left"
}

test_gitlab_refuses_before_it_begins()
{
	local image
	for image in /etc ../x .hidden 'a b' 'registry.example/x'; do
		status 12 gitlab prepare "${machine[@]}" 2>err
		contains "is not the name of a root" err
	done
	image=nosuch
	status 12 gitlab prepare "${machine[@]}" 2>err
	contains "no cage on 'nosuch'" err
	status 12 gitlab dance 2>err
	contains usage err
}

test_step_of_actions()
{
	mkdir work
	cd work
	: >../output
	# shellcheck disable=SC2016
	printf 'id -u >who\npwd >where\necho built=yes >>"$GITHUB_OUTPUT"\necho $CI $SECRET\n' >../script
	equal yes "$(CI=yes SECRET=no GITHUB_OUTPUT=$T/output UMLCAGE=$UMLCAGE "$scripts/umlcage-step" ../script \
		"${machine[@]}" ${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"})"
	equal 0 "$(cat who)"
	equal "$PWD" "$(cat where)"
	equal "$(id -u)" "$(stat -c %u who)" "the owner outside"
	equal built=yes "$(cat ../output)"
	printf 'false\necho not here\n' >../script
	status 1 "$scripts/umlcage-step" ../script "${machine[@]}" \
		${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} >out
	equal "" "$(cat out)" "after a command that failed"
	status 2 "$scripts/umlcage-step" 2>err
	contains usage err
}

test_roots_that_are_not_made_for_it()
{
	run --commit plain -- true
	image=plain:latest
	status 12 gitlab prepare "${machine[@]}" 2>err
	contains "the root 'plain' has no git" err
	gitlab cleanup
	no_sessions || fail "a session is left"

	# Buildkite's hook takes any
	mkdir -p "$HOME/.config/umlcage"
	printf '[run]\nmemory = %s\n' "$(little 96)" >"$HOME/.config/umlcage/umlcage.conf"
	[ -z "${UMLCAGE_TEST_KERNEL-}" ] || echo "kernel = $UMLCAGE_TEST_KERNEL" >>"$HOME/.config/umlcage/umlcage.conf"
	# shellcheck disable=SC2016
	equal "0 7" "$(UMLCAGE_ROOT=plain BUILDKITE_BUILD_NUMBER=7 \
		BUILDKITE_COMMAND='echo $(id -u) $BUILDKITE_BUILD_NUMBER' "$scripts/buildkite-command")"
	status 5 env UMLCAGE_ROOT=plain BUILDKITE_COMMAND='exit 5' "$scripts/buildkite-command"
	status 2 env UMLCAGE_ROOT=/etc BUILDKITE_COMMAND='exit 5' "$scripts/buildkite-command" 2>err
	contains "not the name of a root" err
	# a step without a root is run as it was
	equal "$(id -u)" "$(BUILDKITE_COMMAND='id -u' "$scripts/buildkite-command")"
}

# Slurm's sbatch, as far as it is asked here: each task of an array, unless what it waits for failed.
stand_in_for_sbatch()
{
	mkdir -p bin jobs
	cat >bin/sbatch <<-'END'
	#!/bin/sh
	cd jobs
	job=$(($(cat last 2>/dev/null || echo 0) + 1))
	echo $job >last
	cat >$job.sh
	echo "$*" >$job.args
	after= i=0
	for a; do
		case $a in
		--array=0-*) last=${a#--array=0-} ;;
		--dependency=afterok:*) after=${a#*:} ;;
		esac
	done
	while [ $i -le "$last" ]; do
		if [ -z "$after" ] || [ -e "ok-$after" ]; then
			SLURM_ARRAY_TASK_ID=$i sh ./$job.sh >${job}_$i.log 2>&1 && : >ok-${job}_$i
		fi
		i=$((i + 1))
	done
	echo "$job;cluster"
	END
	# with the kernel of the tests
	cat >bin/umlcage <<-END
	#!/bin/sh
	case "\$*" in
	*--only*) exec "$UMLCAGE" "\$@" ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} ;;
	*) exec "$UMLCAGE" "\$@" ;;
	esac
	END
	chmod 755 bin/sbatch bin/umlcage
}

test_slurm()
{
	local name
	stand_in_for_sbatch
	mkdir -p "my builds" tree/etc
	tar -C tree -cf "my builds/root.tar" .
	printf '[Source]\nroot = root.tar\n[Output base.tar]\n' >"my builds/base.build"
	printf '[Source]\nroot = absent.tar\n[Output bad.tar]\n' >"my builds/bad.build"
	for name in one two; do
		printf '[Source]\nbuild = base\n[Output x.tar]\n' >"my builds/$name.build"
	done
	printf '[Source]\nbuild = two\n[Output x.tar]\n' >"my builds/three.build"
	printf '[Source]\nbuild = bad\n[Output x.tar]\n' >"my builds/four.build"
	PATH=$T/bin:$PATH UMLCAGE=umlcage "$scripts/slurm-submit" "my builds" --mem=2G >out
	printf '%s\n' "1 bad base" "2 four" "3 one two" "4 three" | diff - out
	contains "--array=0-1 --job-name=my builds --mem=2G" jobs/1.args
	contains "--dependency=afterok:1_1" jobs/3.args
	for name in base one two three; do
		[ -e "my builds/output/$name/latest/manifest.json" ] || fail "'$name' is not made"
	done
	[ ! -e jobs/2_0.log ] || fail "what builds on what failed was begun"
	# a folder that is none, and a service that says no, are told
	status 3 env PATH="$T/bin:$PATH" UMLCAGE=umlcage "$scripts/slurm-submit" absent
	printf '#!/bin/sh\nexit 7\n' >bin/sbatch
	status 7 env PATH="$T/bin:$PATH" UMLCAGE=umlcage "$scripts/slurm-submit" "my builds"
	status 1 "$scripts/slurm-submit" 2>err
	contains "slurm-submit FOLDER" err
}

# The rules of Kubernetes' security level "restricted" (Pod Security Standards), each by its field, and
# that there is nothing else in the pod than what was looked at.
restricted()
{
	cat >restricted.py <<-'END'
	import json, sys
	job = json.load(open(sys.argv[1]))
	assert job["apiVersion"] == "batch/v1" and job["kind"] == "Job", job
	spec = job["spec"]
	assert spec["completionMode"] == "Indexed" and spec["completions"] == int(sys.argv[2]), spec
	pod = spec["template"]["spec"]
	known = {"restartPolicy", "automountServiceAccountToken", "enableServiceLinks", "securityContext",
	         "terminationGracePeriodSeconds", "containers", "volumes"}
	# no hostNetwork, hostPID, hostIPC, hostUsers, initContainers, ephemeralContainers
	assert set(pod) == known, set(pod) ^ known
	assert pod["restartPolicy"] == "Never" and pod["automountServiceAccountToken"] is False, pod
	allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
	           "projected", "secret"}
	for volume in pod["volumes"]:
	    assert set(volume) - {"name"} <= allowed and len(volume) == 2, volume
	whole = pod["securityContext"]
	assert set(whole) == {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy",
	                      "seccompProfile"}, whole	# no sysctls, no options of SELinux or AppArmor
	assert whole["runAsNonRoot"] is True and whole["runAsUser"] > 0, whole
	assert whole["seccompProfile"] == {"type": "RuntimeDefault"}, whole
	[c] = pod["containers"]
	assert set(c) == {"name", "image", "command", "env", "resources", "securityContext", "volumeMounts"}, c
	assert c["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]},
	    "readOnlyRootFilesystem": True, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}, c
	mounted = {m["name"]: m["mountPath"] for m in c["volumeMounts"]}
	assert set(mounted) == {v["name"] for v in pod["volumes"]}, mounted
	# no device is asked for
	assert set(c["resources"]["requests"]) | set(c["resources"]["limits"]) == {"memory", "cpu"}, c
	# what the pod runs, with its variables and nothing else, its volumes being folders here
	def here(text):
	    for path in mounted.values():
	        text = text.replace(path, sys.argv[3] + path) if path != "/tmp" else text
	    return text
	open("command", "w").write(here(c["command"][2]))
	assert c["command"][:2] == ["/bin/sh", "-c"], c
	open("env", "w").write("".join(here(f"{v['name']}={v['value']}\n") for v in c["env"]))
	END
	python3 restricted.py "$@"
}

test_kubernetes()
{
	local index name vars
	stand_in_for_sbatch
	mkdir -p pod/work pod/images tree/etc
	tar -C tree -cf pod/images/root.tar .
	printf '[Source]\nroot = root.tar\n[Output base.tar]\n' >pod/images/base.build
	for name in one two; do
		printf '[Source]\nbuild = base\n[Output x.tar]\n' >pod/images/$name.build
	done
	# the image has the kernel; here it is in the cache
	mkdir -p pod/work/cache/umlcage
	ln -s "$XDG_CACHE_HOME/umlcage/kernels" pod/work/cache/umlcage/
	printf '[Source]\nbuild = two\n[Output x.tar]\n' >pod/images/three.build
	printf '[Source]\nroot = root.tar\n[Output x.tar]\n' >pod/images/alone.build
	printf '[Source]\nroot = root.tar\n[Output x.tar]\n[Verify]\nrun = false\n' >pod/images/bad.build
	UMLCAGE=$UMLCAGE "$scripts/kubernetes-job" pod/images --image=registry.example/umlcage --claim=images >job.json
	restricted job.json 3 "$PWD/pod"
	mapfile -t vars <env
	for index in 0 1 2; do
		# a failed index is not another one's; the volumes are all that may be written to
		env -i PATH="$PWD/bin:$PATH" JOB_COMPLETION_INDEX=$index "${vars[@]}" sh -c "$(cat command)" \
			>$index.log 2>&1 || echo "$index" >>failed
	done
	[ "$(grep -c . failed)" -eq 1 ] || { cat ./*.log >&2; fail "more than the one failed"; }
	equal 3 "$(grep -l "base: built\|three: built\|alone: built\|bad: failed" ./*.log | grep -c .)" "builds of an index"
	for name in base one two three alone; do
		[ -e pod/images/output/$name/latest/manifest.json ] || { cat ./*.log >&2; fail "'$name' is not made"; }
	done
	[ ! -e pod/images/output/bad/latest ] || fail "what failed its check is published"
	[ -d pod/work/cache/umlcage/stages ] || fail "the cache is not where there is room for it"
	# at another place of the volume
	UMLCAGE=$UMLCAGE "$scripts/kubernetes-job" pod/images --image=x --claim=y --at=nightly/all >job.json
	restricted job.json 3 "$PWD/pod"
	contains "\"\$@\" $PWD/pod/images/nightly/all" command
	status 1 env UMLCAGE="$UMLCAGE" "$scripts/kubernetes-job" pod/images --image=x --claim=y --at=../etc 2>err
	contains "not below the volume" err
	status 2 env UMLCAGE="$UMLCAGE" "$scripts/kubernetes-job" pod/images --image=x --claim=y --uid=0 2>err
	contains "do not run as root" err
	status 3 env UMLCAGE="$UMLCAGE" "$scripts/kubernetes-job" absent --image=x --claim=y
	status 2 "$scripts/kubernetes-job" pod/images 2>err
	contains "kubernetes-job FOLDER --image=IMAGE" err
}
