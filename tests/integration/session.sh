# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# Cages that outlive a terminal: umlcage session.

# shellcheck source=tests/support/sessions.sh
. "$TESTS_DIR/support/sessions.sh"

test_start_exec_stop()
{
	start web
	session exec web -- sh -c 'cat; echo err >&2; exit 7' >out 2>err <<<"in" && fail "no status"
	equal 7 $? status
	equal in "$(cat out)" stdout
	equal err "$(cat err)" stderr
	status 127 session exec web nosuch 2>err
	contains "cannot run 'nosuch': command not found in the root" err
	status 137 session exec web -- sh -c 'kill -9 $$'
	status 124 session exec --timeout 0.2 web sleep 10 2>err
	contains "the command timed out after 0.2 s" err
	equal "A=1 /usr 33" "$(session exec -e A=1 -C /usr -u 33 web -- sh -c 'echo A=$A $PWD $(id -u)')"
	# what one does the others see, and it stays
	session exec web -- sh -c 'echo there >/srv/file'
	equal there "$(session exec web cat /srv/file)"
	session list >list
	matches "NAME *web *running *" "$(tr '\n' ' ' <list)" list
	session stop web
	nothing_left
	status 3 session stop web 2>err
	contains "there is no session 'web'" err
}

test_init_of_the_root()
{
	# a script does for an init, and the small kernel for the script: by itself it takes the full one
	local kernel=()
	[ -n "${UMLCAGE_TEST_KERNEL-}" ] || kernel=(--kernel "$("$UMLCAGE" kernel build)")
	cat >init <<-'EOT'
		#!/bin/sh
		trap 'exit 0' TERM INT
		echo "$$ $container" >/run/init
		while :; do sleep 1 & wait $!; done
	EOT
	chmod 755 init
	start web --keep web
	(start no "${kernel[@]}" --init) 2>err && fail "it started without an init"
	contains "the root has no '/sbin/init'; install one in it: systemd-sysv" err
	session exec web -- sh -c 'cat >/sbin/init && chmod 755 /sbin/init' <init
	session stop web
	start web "${kernel[@]}" --keep web --init
	within 20 session exec web test -e /run/init
	equal "1 umlcage" "$(session exec web cat /run/init)" "what init sees"
	equal "init" "$(session exec web cat /proc/1/comm)" "the first process"
	equal "0000000000000000" "$(session exec web sed -n 's/^SigIgn:[[:space:]]*//p' /proc/1/status)" \
		"signals that init finds ignored"
	# commands are among its processes, and have terminals and ends of their own
	session exec web -- sh -c 'test -d /proc/$$ && test $$ -gt 1 && exit 7' && fail "no status"
	equal 7 $? status
	session exec web -- sh -c 'kill -9 1' && within 20 session exec web true
	# systemd takes the root's name for that of the machine
	session exec web -- sh -c 'getent hosts of-the-root' && fail "a name that nobody gave"
	session exec web -- sh -c 'printf "# a comment\\n\\nof-the-root\\n" >/etc/hostname'
	session stop web
	start web "${kernel[@]}" --keep web --init
	within 20 session exec web test -e /run/init
	equal "127.0.1.1 of-the-root" "$(session exec web getent hosts of-the-root | tr -s ' ')"
	# unless another one is asked for, which is not kept
	equal of-the-root "$(session exec web sed -n 3p /etc/hostname)"
	session stop web
	start web "${kernel[@]}" --keep web --init --hostname asked-for
	within 20 session exec web test -e /run/init
	equal "asked-for asked-for" "$(session exec web -- sh -c 'echo $(uname -n) $(cat /etc/hostname)')" "names"
	equal "127.0.1.1 asked-for" "$(session exec web getent hosts asked-for | tr -s ' ')"
	session exec web -- sh -c 'getent hosts of-the-root' && fail "a name that nobody has"
	session stop web
	equal of-the-root "$(run --keep web -- sed -n 3p /etc/hostname)" "what is kept"
	start web "${kernel[@]}" --keep web --init --hostname of-the-root
	within 20 session exec web test -e /run/init
	# init that ends takes the machine along, in order
	session exec web -- sh -c 'echo kept >/srv/kept; kill -TERM 1' || true
	session wait web 2>err || contains "there is no session" err
	no_sessions || fail "sessions are left: $(session list)"
	start web --keep web
	equal kept "$(session exec web cat /srv/kept)"
	session stop web
	no_sessions || fail "sessions are left: $(session list)"
}

# by a signal to the first process, as an init is asked for it; what was said before is heard
test_switched_off_from_within()
{
	local i
	for ((i = 0; i < $(scaled 5); i++)); do
		start web --keep web
		status 125 session exec web -- sh -c "(echo written-$i >/srv/file; echo said-$i; kill -39 1; echo late >&2
			sleep 1000) | cat | cat | cat" >out 2>err
		equal "said-$i" "$(cat out)" "what came before the end"
		session wait web 2>err || contains "there is no session" err
		no_sessions || fail "sessions are left: $(session list)"
	done
	equal "written-$((i - 1))" "$(run --keep web -- cat /srv/file)" "what was written before the end"
	# those that are nobody's wish leave it alone
	start web
	session exec web -- sh -c 'kill -TERM 1; kill -INT 1; kill -HUP 1; kill -KILL 1; true'
	session exec web true
	session stop web
}

test_bytes_are_exact()
{
	head -c 3000000 /dev/urandom >bytes
	start s
	session exec s cat <bytes | cmp - bytes
	session exec s -- sh -c 'cat >&2' <bytes 2>&1 >/dev/null | cmp - bytes
	session exec s -- sh -c 'cat >/srv/bytes' <bytes
	session exec s -- sha256sum /srv/bytes >sum
	equal "$(sha256sum <bytes | cut -d' ' -f1)" "$(cut -d' ' -f1 <sum)"
	# closed, and not read to its end
	session exec s -- sh -c 'echo x; echo y >&2' <&- >&- 2>err
	equal y "$(cat err)"
	{ session exec s -- yes || true; } | head -n 1 >one
	equal y "$(cat one)"
	within 10 no_commands s
	session stop s
}

# A stream is opened with the first byte, or a little later for who is to learn of its end.
test_output_has_a_stream_when_there_is_any()
{
	local pid
	mkfifo fifo
	start s
	session exec s true >out 2>err
	equal "0 0" "$(stat -c %s out err | xargs)" "bytes of silence"
	session exec s printf x >out 2>err
	equal "x 0" "$(cat out) $(stat -c %s err)" "a byte on stdout"
	session exec s -- sh -c 'printf x >&2; exit 3' >out 2>err && fail "no status"
	equal "3 0 x" "$? $(stat -c %s out) $(cat err)" "a byte on stderr"
	session exec s -- sh -c 'sleep 0.3; printf x; sleep 0.3; printf y >&2' >out 2>err
	equal "x y" "$(cat out) $(cat err)" "late bytes"
	# who has not said anything learns that nobody reads: the agent lets go of its pipe
	session exec --timeout 60 s -- sh -c 'pipe=$(readlink /proc/$$/fd/1)
		while ls -l /proc/1/fd | grep -F "$pipe" >/dev/null; do sleep 0.05; done; exit 9' >fifo &
	pid=$!
	: <fifo
	status 9 wait $pid
	# what holds the pipe longer than the command holds nothing up
	status 4 session exec --timeout 60 s -- sh -c 'sleep 1000 & exit 4'
	session stop s
}

test_commands_begin_clean_or_say_why()
{
	local i
	start s
	equal "0000000000000000 0000000000000000" \
		"$(session exec s -- sed -n 's/^Sig\(Blk\|Ign\):[[:space:]]*//p' /proc/self/status | xargs)" \
		"signals that are blocked and ignored"
	# streams that came for these are nobody's; not one of the agent's own things is touched by them
	for i in 1 2 3 4; do
		status 127 session exec s nosuch <<<"in" 2>err
		status 126 session exec -C /nowhere s true <<<"in" 2>>err
		status 126 session exec s /srv <<<"in" 2>>err
	done
	contains "cannot run 'nosuch': command not found in the root" err
	contains "cannot enter the working directory '/nowhere': No such file or directory" err
	contains "cannot run '/srv': it is a directory" err
	session exec s -- sh -c 'printf "#!/no/interpreter\n" >/srv/a; echo "echo \$0" >/srv/b; chmod 755 /srv/?'
	status 126 session exec s /srv/a 2>err
	contains "cannot run '/srv/a': its interpreter is missing in the root" err
	equal /srv/b "$(session exec s /srv/b)" "a script of the shell"
	equal "33 /srv 22" "$(session exec -u 33 -C /srv s -- sh -c 'echo $(id -u) $PWD $(umask | tail -c 3)')"
	equal "0 / in" "$(session exec s -- sh -c 'echo $(id -u) $PWD $(cat)' <<<"in")"
	# a kill for lack of memory is the failure's that it belongs to, and no later one's
	status 137 session exec s tail /dev/zero 2>err
	contains "the cage ran out of memory" err
	session exec s -- sh -c 'tail /dev/zero; true' 2>err
	equal 0 "$(grep -c umlcage: err)" "lines about a command that went well"
	status 1 session exec s false 2>err
	equal "" "$(cat err)" "what a command is told that only failed"
	session stop s
}

test_three_at_once_with_ten_commands_each()
{
	local s i jobs=()
	for s in one two three; do
		start $s &
		jobs+=($!)
		mkdir d.$s
	done
	wait "${jobs[@]}"
	jobs=()
	for s in one two three; do
		for i in 1 2 3 4 5 6 7 8 9 10; do
			{
				got=0
				session exec $s -- sh -c "cat; echo $s $i; echo e$i >&2; exit $i" <<<"in $i" \
					>d.$s/out.$i 2>d.$s/err.$i || got=$?
				echo $got >d.$s/status.$i
			} &
			jobs+=($!)
		done
	done
	wait "${jobs[@]}"
	for s in one two three; do
		for i in 1 2 3 4 5 6 7 8 9 10; do
			equal "$i" "$(cat d.$s/status.$i)" "status of $s $i"
			equal "in $i $s $i" "$(tr '\n' ' ' <d.$s/out.$i | sed 's/ $//')" "output of $s $i"
			equal "e$i" "$(cat d.$s/err.$i)" "errors of $s $i"
		done
	done
	session stop one two three
	nothing_left
}

test_many_in_a_row_leave_nothing()
{
	local i pid before n
	n=$(scaled 1000)
	start s
	pid=$(pid_of)
	session exec s true
	# what is kept ready for the next command is there
	session exec s sleep 0.2
	read -ra before <<<"$(in_use "$pid")"
	for ((i = 0; i < n; i++)); do
		session exec s true
	done
	within 15 not_much_more "$pid" "${before[@]}"
	session stop s
	nothing_left
}

# descriptors of the session's process, processes in its cage; the kernel's own come and go
in_use()
{
	echo "$(ls "/proc/$1/fd" | wc -l)" \
		"$(session exec s -- sh -c 'grep -l . /proc/[0-9]*/cmdline 2>/dev/null | wc -l')"
}

# what is kept ready may not have been all there before
not_much_more()
{
	local now
	read -ra now <<<"$(in_use "$1")"
	[ "${now[0]}" -le $(($2 + 5)) ] && [ "${now[1]}" -le $(($3 + 5)) ]
}

test_signals_reach_the_command()
{
	local pid
	start s
	session_exec exec s -- sh -c 'trap "echo got; exit 9" TERM; echo up; while :; do sleep 0.05; done' >out &
	pid=$!
	within 10 grep -q up out
	kill -TERM $pid
	status 9 wait $pid
	contains got out
	session stop s
}

# Nobody waits for its output any more.
test_command_of_a_killed_client_ends()
{
	local pid
	start s
	session_exec exec s -- sh -c 'echo up; exec sleep 1000' >out &
	pid=$!
	within 10 grep -q up out
	kill -9 $pid
	wait $pid || true
	within 10 no_commands s
	status 1 session exec s -- sh -c 'grep -l "slee[p].1000" /proc/[0-9]*/cmdline | grep -v self'
	session stop s
}

# --detach: nobody waits for it, and whoever comes back to it finds it on a terminal.
test_commands_that_begin_detached()
{
	local i
	start s
	equal 1 "$(session exec -d -e A=b s -- sh -c 'test -t 0 && echo up $A; read word; echo got-$word; exit 5')"
	session ps --json s | tr -d ' \n' | grep -F '"number":1,"state":"detached"' >/dev/null || fail "$(session ps s)"
	echo word >typed
	status 5 session attach s 1 <typed >out
	contains "up b" out
	contains got-word out
	# what it cannot be is said at once
	status 127 session exec --detach s nosuch 2>err
	contains "cannot run 'nosuch': command not found in the root" err
	status 2 session exec -d -T s true 2>err
	contains "--detach gives it a terminal" err
	no_commands s || fail "$(session ps s)"
	equal 3 "$(session exec -d --timeout 0.2 s sleep 1000)"
	within 20 ended 3
	status 124 session attach s 3 </dev/null >out 2>err
	# a command goes on although nobody ever comes back, and those that have ended are not kept for ever
	session exec -d s -- sh -c 'while ! test -e /srv/go; do sleep 0.1; done; echo done >/srv/done' >number
	for ((i = 0; i < 80; i++)); do session exec -d s true; done >numbers
	equal 84 "$(tail -n 1 numbers)" "number of the last one"
	within 20 ended 84
	session exec -d s true >number
	[ "$(session ps --json s | grep -c '"number"')" -le 68 ] || fail "all are kept: $(session ps s)"
	session exec s touch /srv/go
	within 20 session exec s test -e /srv/done
	session stop s
	nothing_left
}

# ended NUMBER
ended()
{
	session ps --json s | tr -d ' \n' | grep -F "\"number\":$1,\"state\":\"ended\"" >/dev/null
}

test_pause_and_resume()
{
	local ticks
	start s
	session_exec exec s -- sh -c 'while :; do echo x; sleep 0.05; done' >out &
	within 10 grep -q x out
	session pause s
	matches "*paused*" "$(session list)"
	sleep 0.2
	ticks=$(wc -l <out)
	sleep 0.5
	equal "$ticks" "$(wc -l <out)" "output while it is paused"
	status 125 session exec s true 2>err
	contains "is paused; let it go on with 'umlcage session resume s'" err
	session resume s
	session exec s true
	within 10 more_than "$ticks"
	session pause s
	session stop s
	wait
	nothing_left
}

# ticks of the processors that the cage's processes have had
ticks()
{
	local cage
	cage=$(pgrep -P "$(pid_of s)" -x linux)
	sed 's/.*) //' /proc/[0-9]*/stat 2>/dev/null | awk -v group="$cage" '$3 == group { n += $12 + $13 } END { print n + 0 }'
}

# who is traced stops for its tracer, and must not for anything else
test_pause_under_ptrace()
{
	local before i
	start s --ptrace
	session_exec exec s -- sh -c 'while :; do :; done' &
	session_exec exec s -- sh -c 'while :; do /bin/true; echo x; done' >out &
	for i in 1 2 3 4 5; do
		within 10 more_than $((i * 10))
		session pause s
		before=$(ticks)
		sleep 0.3
		equal "$before" "$(ticks)" "what it takes while it is paused"
		session resume s
	done
	[ "$before" -gt 0 ] || fail "the cage's processes were not found"
	session exec s true
	session pause s
	session stop s
	wait
	nothing_left
}

# a batch system stops and continues all processes of a job
test_suspended_by_others()
{
	local cage i
	start s --ptrace
	session_exec exec s -- sh -c 'while :; do /bin/true; echo x; done' >out &
	cage=$(pgrep -P "$(pid_of s)" -x linux)
	for i in 1 2 3 4 5; do
		within 10 more_than $((i * 10))
		kill -STOP -- "-$cage"
		sleep 0.2
		kill -CONT -- "-$cage"
		session exec s true
	done
	session stop s
	wait
	nothing_left
}

# what only one line of `session top` has
top_of()
{
	session top "$1" | grep -F -- "$2" || true
}

busy_before_idle()
{
	session top web >top
	[ "$(sed -n '/ sh -c i=0/=' top)" -lt "$(sed -n '/ sleep 1000$/=' top)" ]
}

test_top()
{
	start web
	start other
	session exec -u 33 web sleep 1000 &
	session exec web -- sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; sleep 999' "two
words: 1/stat:" &
	within 20 busy_before_idle
	matches "web *www-data *[SR] *[1-9]* [kM]B *:??.??  sleep 1000" \
		"$(top_of web 'sleep 1000')" "a process"
	contains "done; sleep 999 two words: 1/stat:" top
	equal 0 "$(grep -c "kthreadd\|grep" top)" "threads of the kernel, and who asks"
	session top >top
	equal "other web" "$(awk 'NR > 1 { print $1 }' top | sort -u | xargs)" "sessions"
	session top --json web | tr -d ' \n' >json
	matches '*"user":"www-data","uid":33,"state":"[SR]","memory":[1-9]*,"time":"*","cpu_ms":*,"command":"sleep1000"*' \
		"$(cat json)" json
	status 3 session top nobody 2>err
	contains "there is no session 'nobody'" err
	session pause other
	status 1 session top >top 2>err
	contains "the session 'other' is paused" err
	contains "sleep 1000" top
	session resume other
	# what a guest says is not believed, and not for ever
	session exec other -- sh -c 'printf "#!/bin/sh\nexec yes 1/stat:\n" >/usr/bin/grep'
	status 1 session top other 2>err
	contains "the session 'other' says more than 16 MiB about its processes" err
	session exec other -- sh -c 'printf "#!/bin/sh\necho 7/cmdline:x\n" >/usr/bin/grep'
	status 1 session top other 2>err
	contains "it needs 'sh', 'grep' and /proc in its root" err
	session kill web other
	wait
	nothing_left
}

test_publish_while_it_runs()
{
	local port
	port=$(free_port)
	start s
	session publish s $port:80
	session exec s -- sh -c 'echo hello | perl -MSocket -e "
		socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
		bind(S, sockaddr_in(80, INADDR_ANY)) or die; listen(S, 5); print qq(up\n); \$| = 1; print q();
		while (accept(C, S)) { send(C, qq(hello\n), 0); close C }"' >up 2>&1 &
	within 20 grep -q up up
	equal hello "$(cat </dev/tcp/127.0.0.1/$port)" "what the published port says"
	session unpublish s $port:80
	within 5 refused $port
	status 3 session unpublish s $port:80 2>err
	contains "that port is not published" err
	session stop s
	wait
}

refused()
{
	! (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null
}

test_names()
{
	start s
	status 1 session start s 2>err
	contains "there is a session 's' already" err
	status 2 session start a/b 2>err
	contains "'a/b' is not the name of a session" err
	status 125 session exec t true 2>err
	contains "there is no session 't'" err
	session stop s
}

test_nobody_else_gets_in()
{
	start s
	equal 700 "$(stat -c %a "$XDG_STATE_HOME/umlcage/sockets")" "mode of the folder of sockets"
	chmod 755 "$XDG_STATE_HOME/umlcage/sockets"
	status 125 session exec s true 2>err
	contains "others can reach it" err
	chmod 700 "$XDG_STATE_HOME/umlcage/sockets"
	session exec s true
	session stop s
}

# Logging out takes the runtime folder away, and not everybody has one: cron, sbuild's commands.
test_sessions_do_not_need_the_runtime_folder()
{
	start s
	rm -r "${XDG_RUNTIME_DIR:?}"
	session exec s true
	matches "*running*" "$(session list)"
	(unset XDG_RUNTIME_DIR; session exec s true)
	mkdir -m 700 "$XDG_RUNTIME_DIR"
	(exec "$UMLCAGE" session start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} s) 2>err && fail "there are two sessions 's'"
	contains "there is a session 's' already" err
	session stop s
	status 3 session remove s 2>err
	equal "" "$(ls -A "$XDG_STATE_HOME/umlcage/sockets")" "what is left in the folder of sockets"
	nothing_left
}

test_idle_session_ends()
{
	start s --idle-timeout 2
	session exec s sleep 2.5
	session exec s true
	within 10 no_sessions
	nothing_left
}

has_a_socket()
{
	readlink "/proc/$1"/fd/* | grep socket: >/dev/null
}

test_wait_and_stop_by_signal()
{
	local pid waiter
	start s
	session_exec wait s &
	waiter=$!
	pid=$(pid_of)
	within 10 has_a_socket $waiter
	sleep 0.3
	kill -TERM "$pid"
	wait $waiter
	nothing_left
}

test_kept_changes_and_recovery()
{
	local pid
	start s --keep changes
	session exec s -- sh -c 'echo kept >/srv/kept; sync'
	pid=$(pid_of)
	kill -9 "$pid"
	within 10 session_is_lost
	status 125 session exec s true 2>err
	contains "the session 's' was lost" err
	contains "umlcage session recover s" err
	session recover s 2>err >name
	contains "the changes kept as 'changes' are restored" err
	equal s "$(cat name)"
	equal kept "$(session exec s cat /srv/kept)"
	session stop s
	start s
	session kill s
	no_sessions || fail "a killed session is listed"
	start s
	kill -9 "$(pid_of)"
	session wait s 2>/dev/null || true
	status 3 session remove t 2>/dev/null
	within 10 session remove s
	"$UMLCAGE" root remove --changes changes
	nothing_left
}

test_log()
{
	start s
	session logs s >log
	contains "Linux version" log
	session_exec logs --follow s >followed &
	session exec s -- sh -c 'echo a word >/dev/kmsg'
	within 10 grep -q "a word" followed
	session stop s
	wait
}

test_interrupted_start_leaves_nothing()
{
	local i pid
	for ((i = $(scaled 8); i > 0; i--)); do
		"$UMLCAGE" session start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
			${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} s >out 2>err &
		pid=$!
		sleep "0.$(printf %03d $((RANDOM % 150)))"
		# it may have done its work by now
		kill -TERM $pid 2>/dev/null || true
		wait $pid || true
		[ ! -s out ] || session stop s
		nothing_left
	done
}

test_copies_in_and_out()
{
	mkdir -p tree/sub out
	echo one >tree/file
	echo two >tree/sub/other
	ln -s file tree/link
	chmod 750 tree/sub
	head -c 1000000 /dev/urandom >bytes
	start s
	session cp tree bytes s:/srv
	equal "0:0 640 1000000" "$(session exec s -- stat -c '%u:%g %a %s' /srv/bytes | sed 's/644/640/')"
	session exec s sha256sum /srv/bytes | cut -d' ' -f1 >sum
	equal "$(sha256sum <bytes | cut -d' ' -f1)" "$(cat sum)"
	equal "750 two file" "$(session exec s -- sh -c 'cd /srv/tree; echo $(stat -c %a sub) $(cat sub/other) $(readlink link)')"
	# a new name; somebody's
	session cp --owner 33:34 tree/file s:/srv/renamed
	equal "33:34 one" "$(session exec s -- sh -c 'echo $(stat -c %u:%g /srv/renamed) $(cat /srv/renamed)')"
	# out: into a folder, under a new name
	session exec s -- sh -c 'chown -R 12:13 /srv/tree; chmod u+s /srv/tree/file; mkfifo /srv/tree/pipe; mknod /srv/tree/null c 1 3'
	status 1 session cp s:/srv/tree out 2>err
	contains "is a device, which only root can make here" err
	equal "one two file" "$(cat out/tree/file out/tree/sub/other | tr '\n' ' ')$(readlink out/tree/link)"
	[ -p out/tree/pipe ] || fail "the pipe is not there"
	equal 644 "$(stat -c %a out/tree/file)" "mode of a set-user-id file"
	session cp s:/srv/bytes here
	cmp bytes here
	# owners and devices are recorded in a share
	session cp --share s:/srv/tree kept
	"$UMLCAGE" share list kept >list
	matches "*12*13*1,*3*null*" "$(tr '\n' ' ' <list)" "a share"
	session cp --share kept s:/mnt
	equal "12:13 1:3" "$(session exec s -- stat -c '%u:%g' /mnt/file) $(session exec s -- stat -c %t:%T /mnt/null)"
	status 1 session cp s:/nonexistent/file out 2>err
	status 3 session cp nonexistent s:/srv 2>err
	contains "cannot copy 'nonexistent'" err
	status 2 session cp bytes tree 2>err
	contains "one side must be in a session" err
	session stop s
	nothing_left
}

# The tar of the session's root says what it likes.
test_hostile_copy_stays_in_its_place()
{
	mkdir out
	echo safe >victim
	start s
	session exec s -- sh -c 'printf "%s\n" "#!/usr/bin/perl" \
		"open(STDOUT, q(|-), q(/bin/real-tar -cf - -P -C /srv ../evil/victim /evil/victim top)); " >/dev/null
		mkdir -p /evil /srv/top; echo evil >/evil/victim
		mv /bin/tar /bin/real-tar 2>/dev/null || mv /usr/bin/tar /bin/real-tar
		{ echo "#!/bin/sh"; echo "exec /bin/real-tar -cf - -P -C /srv/top ../../evil/victim"; } >/bin/tar
		chmod 755 /bin/tar'
	status 1 session cp s:/srv/top out 2>err
	contains "a name that leads elsewhere" err
	session exec s -- sh -c '{ echo "#!/bin/sh"
		echo "cd /srv; ln -sfn .. top/up; real-tar -cf /tmp/a top/up; rm top/up; mkdir top/up"
		echo "echo evil >top/up/victim; real-tar -rf /tmp/a top/up/victim; cat /tmp/a"; } >/bin/tar'
	session cp s:/srv/top out 2>err || true
	equal safe "$(cat victim)"
	[ ! -e out/victim ] || fail "a link was followed"
	session stop s
}

test_commit()
{
	start s
	session exec s -- sh -c 'echo new >/srv/new; chown 5:6 /srv/new; rm /etc/issue; mknod /srv/zero c 1 5
		printf "#!/bin/sh\n" >/srv/exe; chmod 4755 /srv/exe'
	session commit s made
	session exec s true
	status 1 session commit s made 2>err
	contains "there is a root 'made' already" err
	session stop s
	(exec "$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --root made -- \
		sh -c 'stat -c "%n %u:%g %a %t" /srv/new /srv/zero /srv/exe; test ! -e /etc/issue') >out
	equal "/srv/new 5:6 644 0 /srv/zero 0:0 644 1 /srv/exe 0:0 4755 0" "$(tr '\n' ' ' <out | sed 's/ $//')"
	# what belongs to the cage does not stay in it
	status 1 grep -q "10\.0\.2" "$XDG_DATA_HOME"/umlcage/roots/made/etc/resolv.conf
	"$UMLCAGE" root remove made
}

# root, folder, command: all one types is the profile's name
test_profiles()
{
	export XDG_CONFIG_HOME=$T/config
	mkdir -p "$XDG_CONFIG_HOME/umlcage" src
	echo content >src/file
	cat >"$XDG_CONFIG_HOME/umlcage/umlcage.conf" <<-END
		[all]
		${UMLCAGE_TEST_KERNEL:+kernel = $UMLCAGE_TEST_KERNEL}
		memory = $(little 96)
		$(host_settings)

		[@builder]
		${UMLCAGE_TEST_ROOT:+root = $UMLCAGE_TEST_ROOT}
		bind = $T/src:/src
		workdir = /src
		command = cat file; echo "\$A"
		env = A=1
		idle-timeout = 1h
	END
	unset UMLCAGE_CONFIG
	equal "content 1" "$("$UMLCAGE" run @builder | tr '\n' ' ' | sed 's/ $//')"
	equal "2 /src" "$("$UMLCAGE" run @builder -e A=2 -- sh -c 'echo $A $PWD')" || true
	equal s "$("$UMLCAGE" session start @builder s)"
	equal "content 1" "$(session exec s -- sh -c 'echo $(cat /src/file) $A')"
	session stop s
}

# The first use starts it.
test_run_in_a_session()
{
	run --session s --memory "$(little 96)" --keep changes -- sh -c 'echo first >/srv/file; exit 3' && fail "no status"
	equal 3 $? status
	equal first "$(run --session s cat /srv/file)"
	session list >list
	contains changes list
	kill -9 "$(pid_of)"
	within 10 session_is_lost
	session recover s 2>err
	session exec s test -d /srv
	session stop s
	status 2 run --session s --die-with-parent true 2>err
	contains "a session outlives what started it" err
	run --session s --memory "$(little 96)" echo one >one &
	run --session s --memory "$(little 96)" echo two >two
	wait
	equal "one two" "$(cat one two | tr '\n' ' ' | sed 's/ $//')"
	session stop s
	"$UMLCAGE" root remove --changes changes
	nothing_left
}

# In the memory of the cage: what is new, gone, replaced as a whole, and not ordinary.
test_snapshot_and_restore()
{
	start s
	session exec s -- sh -c 'echo one >/srv/file; chown 5:6 /srv/file; rm /etc/issue; mknod /srv/zero c 1 5
		rm -r /etc/skel; mkdir -p /etc/skel; echo new >/etc/skel/new; ln -s file /srv/link'
	equal snap0 "$(session snapshot s)" "the name it prints"
	session exec s -- sh -c 'echo two >/srv/file; echo >/etc/issue; rm /srv/zero; touch /etc/skel/newer'
	equal late "$(session snapshot s late)"
	status 1 session snapshot s late 2>err
	contains "the session 's' has a snapshot 'late' already" err
	status 2 session snapshot s ../x 2>err
	contains "'../x' is not the name of a snapshot" err
	session_exec exec s sleep 1000 2>err &
	within 10 commands s
	equal s "$(session restore s snap0)" "the name it prints"
	wait $! && fail "a command outlived the restore"
	equal "one 5:6 1:5 new file" "$(session exec s -- sh -c 'test ! -e /etc/issue &&
		echo $(cat /srv/file) $(stat -c %u:%g /srv/file) $(stat -c %t:%T /srv/zero) $(ls /etc/skel) $(readlink /srv/link)')"
	# from its disk now; its snapshots are as good as those before
	session exec s -- sh -c 'echo three >/srv/file'
	session snapshot s three
	session restore s late >name
	equal "two newer" "$(session exec s -- sh -c 'echo $(cat /srv/file) $(ls /etc/skel | tail -n 1)')"
	session stop s
	equal "late snap0 three" "$(session snapshots --json s | sed -n 's/.*"snapshot": *"\(.*\)".*/\1/p' | xargs)"
	session restore s three >name
	equal three "$(session exec s cat /srv/file)"
	session stop s
	# a run on one leaves it alone
	run --snapshot s/snap0 -- sh -c 'cat /srv/file; echo x >/srv/file' >out
	equal one "$(cat out)"
	equal one "$(run --snapshot s/snap0 -- cat /srv/file)"
	status 125 run --snapshot s/nap0 -- true 2>err
	contains "the session 's' has no snapshot 'nap0'; did you mean 'snap0'?" err
	status 3 session restore s nosuch 2>err
	session snapshot --remove s late three
	equal snap0 "$(snapshots_left)"
	session snapshot --remove s snap0
	equal "" "$(snapshots_left)"
	no_sessions || fail "sessions are left: $(session list)"
}

# On the host: it stands still for the copy, and nothing that was written is missing.
test_snapshot_of_kept_changes()
{
	local last
	start s --keep changes
	session exec s -- sh -c 'echo one >/srv/file'
	session_exec exec s -- sh -c 'i=0; while :; do i=$((i + 1)); echo $i >/srv/n.new; mv /srv/n.new /srv/n; echo $i; done' \
		>out 2>/dev/null &
	within 20 more_than 10
	last=$(tail -n 1 out)
	session snapshot s while
	last=$(($(wc -l <out) - last))
	within 20 more_than "$(($(wc -l <out) + 10))"
	session exec s -- sh -c 'echo two >/srv/file; rm /srv/n'
	session restore s while >name
	wait $! || true
	equal one "$(session exec s cat /srv/file)"
	[ "$(session exec s cat /srv/n)" -ge 10 ] || fail "what was written before is missing"
	session stop s
	equal one "$(run --keep changes -- cat /srv/file)"
	# somebody else has them
	start other --keep changes
	status 1 session restore s while 2>err
	contains "is in use" err
	session stop other
	session snapshot --remove s while
	"$UMLCAGE" root remove --changes changes
	nothing_left
}

# The root of a snapshot stays: nothing else would fit.
test_root_of_a_snapshot_stays()
{
	local how
	run --commit base -- true
	for how in --scratch=memory --scratch=disk --keep=changes; do
		UMLCAGE_TEST_ROOT=base start s $how
		session exec s -- sh -c 'echo one >/x'
		session snapshot s "of${how//[-=]/_}"
		session stop s
	done
	"$UMLCAGE" root remove --changes changes
	status 1 "$UMLCAGE" root remove base 2>err
	for how in of__scratch_memory of__scratch_disk of__keep_changes; do
		contains "'s/$how'" err
	done
	contains "remove them first, each with 'umlcage session snapshot --remove s of__keep_changes'" err
	status 125 "$UMLCAGE" run ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} --root base --writable -- \
		touch /x 2>err
	contains "and writing to it would leave them worthless" err
	# wherever it goes
	"$UMLCAGE" root rename base moved
	status 1 "$UMLCAGE" root remove moved 2>err
	session snapshot --remove s of__scratch_memory of__scratch_disk
	status 1 "$UMLCAGE" root remove moved 2>err
	"$UMLCAGE" root remove --force moved
	session snapshot --remove s of__keep_changes
	nothing_left
}

# systemctl that writes down what it is told, and does what the unit says
fake_systemctl()
{
	mkdir fake
	cat >fake/systemctl <<-'EOT'
		#!/bin/bash
		echo "$@" >>"$FAKE/log"
		unit=$XDG_CONFIG_HOME/systemd/user/${!#}
		case "$2 $3" in
		"enable --now") what=ExecStart ;;
		"disable --now") what=ExecStop ;;
		*) exit 0 ;;
		esac
		cd "$(sed -n 's/^WorkingDirectory=//p' "$unit")" && eval "$(sed -n "s/^$what=//p" "$unit")" >>"$FAKE/out" 2>&1
	EOT
	chmod 755 fake/systemctl
	export FAKE=$PWD/fake PATH=$PWD/fake:$PATH XDG_CONFIG_HOME=$PWD/config
}

test_start_at_login()
{
	local unit
	fake_systemctl
	unit=$XDG_CONFIG_HOME/systemd/user/umlcage-session-s.service
	mkdir src
	echo content >src/file
	status 2 session start --at-login 2>err
	contains "--at-login: give the session a NAME" err
	status 2 session start --at-login --scratch=nowhere s 2>err
	[ ! -e "$unit" ] || fail "there is a unit of what cannot be started"
	session start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} --memory "$(little 96)" --at-login --bind src:/src \
		-e "A=a b" s 2>err || { cat err fake/* >&2; fail "it is not started"; }
	contains "the session 's' is started at login" err
	equal "content a b" "$(session exec s -- sh -c 'echo $(cat /src/file) $A')"
	equal "WantedBy=default.target" "$(grep WantedBy "$unit")"
	! command -v systemd-analyze >/dev/null || systemd-analyze verify --user --man=no "$unit" 2>verify ||
		! grep -F umlcage-session-s verify || fail "systemd does not like the unit"
	session stop --at-login s
	no_sessions || fail "sessions are left: $(session list)"
	[ ! -e "$unit" ] || fail "the unit is left"
	equal "--user daemon-reload,--user enable --now umlcage-session-s.service,$(:
		)--user disable --now umlcage-session-s.service,--user daemon-reload," "$(tr '\n' , <fake/log)" "what systemd was told"
	status 3 session stop --at-login s 2>err
	contains "the session 's' is not started at login" err
	# what systemd does not take leaves nothing
	printf '#!/bin/sh\nexit 1\n' >fake/systemctl
	status 1 session start --at-login s 2>err
	contains "systemd does not take the unit 'umlcage-session-s.service'" err
	[ ! -e "$unit" ] || fail "the unit is left"
}
