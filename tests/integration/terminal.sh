# SPDX-License-Identifier: GPL-2.0-or-later
# needs: build
# umlcage run -t in a real terminal, which tmux is for a test.

# shellcheck source=tests/support/terminals.sh
. "$TESTS_DIR/support/terminals.sh"

# The host's prompt, after the one at which the cage was started.  Not always at the start of a
# line: a terminal may lose the echo of the newline with which a shell was ended.
prompt_again()
{
	[ "$(tm capture-pane -pt cage | grep -o 'host>' | wc -l)" -ge 2 ]
}

enter_cage()
{
	# in two pieces, so that what is typed is not taken for the prompt
	type_line "\$UMLCAGE run ${UMLCAGE_TEST_KERNEL:+--kernel $UMLCAGE_TEST_KERNEL} ${UMLCAGE_TEST_ROOT:+--root $UMLCAGE_TEST_ROOT} -t --env PS1='in-''cage# ' -- sh"
	within 60 screen_has "in-cage#"
}

no_run()
{
	! pgrep -u "$(id -u)" -f "^$UMLCAGE run " >/dev/null
}

test_prompt_editing_and_status()
{
	open_terminal
	enter_cage
	tm send-keys -t cage -l 'echo helloX'
	tm send-keys -t cage BSpace
	tm send-keys -t cage -l -- '-$((6*7))'
	tm send-keys -t cage Enter
	within 10 screen_has "hello-42"
	type_line 'test -t 0 && test -t 1 && test -t 2 && echo three-$((1+2))'
	within 10 screen_has "three-3"
	type_line 'exit 5'
	within 20 prompt_again
	type_line 'echo status-$?'
	within 10 screen_has "status-5"
}

test_interrupt_reaches_the_foreground_job()
{
	open_terminal
	enter_cage
	type_line 'echo begun-$((2+2)); sleep 1000; echo ended-$?'
	within 10 screen_has begun-4
	sleep 0.5
	tm send-keys -t cage C-c
	within 10 screen_has "in-cage#"
	type_line 'echo alive-$((40+2))'
	within 10 screen_has "alive-42"
	type_line 'sleep 1000 & jobs; kill %1; echo jobs-$((1+1))'
	within 10 screen_has "jobs-2"
	tm send-keys -t cage C-d
	within 10 screen_has "host>"
}

test_shell_is_a_login_shell_of_the_root()
{
	open_terminal
	type_line "\$UMLCAGE shell ${UMLCAGE_TEST_KERNEL:+--kernel $UMLCAGE_TEST_KERNEL} ${UMLCAGE_TEST_ROOT-}"
	within 60 screen_has "root@cage:"
	type_line 'shopt -q login_shell && echo login-$((40+2))-$(id -u)'
	within 10 screen_has "login-42-0"
	type_line 'exit 5'
	within 20 prompt_again
	type_line 'echo status-$?'
	within 10 screen_has "status-5"
}

test_shell_refuses_a_command()
{
	status 2 "$UMLCAGE" shell root ls 2>err
	contains "one argument too many" err
}

test_window_size_follows()
{
	open_terminal 80 24
	enter_cage
	type_line 'stty size'
	within 10 screen_has "24 80"
	tm resize-window -t cage -x 101 -y 33
	within 10 size_is "33 101"
}

size_is()
{
	type_line 'clear; stty size'
	sleep 0.3
	screen_has "$1"
}

test_terminal_is_restored_after_a_crash()
{
	open_terminal
	type_line 'stty -a >before'
	enter_cage
	local supervisor
	supervisor=$(pgrep -u "$(id -u)" -f "^$UMLCAGE run " | head -n 1)
	kill -9 "$(tr ' ' '\n' <"/proc/$supervisor/task/$supervisor/children" | head -n 1)"
	within 20 test ! -d "/proc/$supervisor"
	within 20 prompt_again
	type_line 'echo "status-$?"; stty -a >after; echo done-$((1+1))'
	within 10 screen_has "done-2"
	screen_has "status-125"
	diff before after
}

test_terminal_is_restored_after_a_signal()
{
	open_terminal
	type_line 'stty -a >before'
	enter_cage
	pkill -TERM -u "$(id -u)" -f "^$UMLCAGE run "
	sleep 0.5
	pkill -TERM -u "$(id -u)" -f "^$UMLCAGE run " || true
	sleep 0.5
	pkill -TERM -u "$(id -u)" -f "^$UMLCAGE run " || true
	within 20 no_run
	within 20 prompt_again
	type_line 'clear; stty -a >after; echo done-$((1+1))'
	within 10 screen_has "done-2"
	diff before after
}

# A shell with job control would stop it for reading from the terminal or setting it.
test_in_the_background_it_goes_on()
{
	open_terminal 100 24
	local cage="\$UMLCAGE run ${UMLCAGE_TEST_KERNEL:+--kernel $UMLCAGE_TEST_KERNEL} ${UMLCAGE_TEST_ROOT:+--root $UMLCAGE_TEST_ROOT}"
	type_line 'stty -a >before; set -b'
	type_line "$cage -- sh -c 'sleep 2; echo en''ded >/dev/tty; exit 6' & wait \$!; echo background-\$?"
	# typed for the shell, not for it
	sleep 1
	tm send-keys -t cage Enter
	within 30 screen_has "background-6"
	type_line "$cage -- sh -c 'sleep 2; exit 7' >out & wait \$!; echo redirected-\$?"
	sleep 1
	tm send-keys -t cage Enter
	within 30 screen_has "redirected-7"
	type_line 'clear; stty -a >after; echo done-$((1+1))'
	within 10 screen_has "done-2"
	diff before after
}

test_from_the_background_into_the_foreground()
{
	open_terminal 100 24
	local cage="\$UMLCAGE run ${UMLCAGE_TEST_KERNEL:+--kernel $UMLCAGE_TEST_KERNEL} ${UMLCAGE_TEST_ROOT:+--root $UMLCAGE_TEST_ROOT}"
	type_line "$cage -- sh -c 'read x; echo got-\$x-\$(stty size | tr \" \" x)' &"
	sleep 2
	type_line 'fg'
	sleep 1
	type_line 'word'
	within 20 screen_has "got-word-24x100"
	type_line 'stty -a | grep -o -w -e "-*echo" -e "-*icanon" | tr "\n" " "'
	within 10 screen_has "icanon echo"
}

# detached NUMBER STATE
detached()
{
	"$UMLCAGE" session ps --json s | tr -d ' \n' | grep -F "\"number\":$1,\"state\":\"$2\"" >/dev/null
}


# A terminal that is left and come back to: nothing of what runs there notices, nothing said is lost.
test_detach_and_attach()
{
	open_terminal 100 40
	"$UMLCAGE" session start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} --memory "$(little 96)" s >name
	type_line 'stty -a >before'
	type_line "\$UMLCAGE session exec --env PS1='in-''cage# ' s -- sh"
	within 60 screen_has "in-cage#"
	type_line 'x=kept-$((40+2)); while ! test -e /srv/go; do sleep 0.1; done; echo late-$((3+4)); read word'
	tm send-keys -t cage C-p C-q
	within 20 screen_has "command 1 of 's' goes on; 'umlcage session attach s 1' comes back to it"
	within 20 detached 1 detached
	type_line 'clear; stty -a >after; echo status-$?'
	within 20 screen_has status-0
	diff before after
	"$UMLCAGE" session exec s touch /srv/go
	sleep 0.3
	type_line '$UMLCAGE session attach s'
	within 20 screen_has late-7
	within 20 detached 1 attached
	status 125 "$UMLCAGE" session attach s 1 </dev/null 2>err
	contains "the command 1 of 's' has a terminal; detach it there first" err
	# the first of the keys alone is for who is there
	tm send-keys -t cage C-p
	type_line word
	type_line 'printf %s "$word" | od -An -c; echo $x'
	within 20 screen_has "020   w   o   r   d"
	within 20 screen_has kept-42
	# another size, seen after the return
	tm send-keys -t cage C-p C-q
	within 20 detached 1 detached
	tm resize-window -t cage -x 90 -y 30
	type_line '$UMLCAGE session attach --detach-keys=ctrl-a,d s 1'
	within 20 detached 1 attached
	type_line 'clear; echo size-$(stty size | tr " " x)'
	within 20 screen_has size-30x90
	# it ends while nobody is there
	type_line 'while ! test -e /srv/end; do sleep 0.1; done; echo end-$((5+5)); exit 7'
	tm send-keys -t cage C-a d
	within 20 detached 1 detached
	"$UMLCAGE" session exec s touch /srv/end
	within 20 detached 1 ended
	status 7 "$UMLCAGE" session attach s 1 </dev/null >out
	contains end-10 out
	status 125 "$UMLCAGE" session attach s </dev/null 2>err
	contains "no command of 's' is detached" err
	status 2 "$UMLCAGE" session attach --detach-keys=ctrl-1 s 2>err
	contains "--detach-keys: 'ctrl-1' is not a sequence of keys" err
	"$UMLCAGE" session stop s
}

# a session with an init that runs a shell on its console
console_session()
{
	# the small kernel is enough for a script
	local kernel=${UMLCAGE_TEST_KERNEL-}
	[ -n "$kernel" ] || kernel=$("$UMLCAGE" kernel build)
	cat >init <<-'EOT'
		#!/bin/sh
		trap 'exit 0' TERM INT
		echo "init-$((40+2)) is up"
		while :; do PS1='console# ' setsid -c sh -i </dev/console >/dev/console 2>&1; done
	EOT
	chmod 755 init
	run --keep web --bind "$PWD:/host:ro" -- cp /host/init /sbin/init
	"$UMLCAGE" session start --kernel "$kernel" ${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} \
		--memory "$(little 96)" --keep web --init s >name
}

test_console_of_a_session()
{
	open_terminal 100 40
	console_session
	type_line 'stty -a >before'
	# what was said before anybody looked
	type_line '$UMLCAGE session console s'
	within 20 screen_has "init-42 is up"
	within 20 screen_has "console#"
	type_line 'x=kept-$((40+3)); tty; cat /proc/1/comm'
	within 20 screen_has /dev/console
	within 20 screen_has init
	# it is one's at a time, and no command of the session
	tm new-window -d -t cage:9 -n other "'$UMLCAGE' session console s 2>other; echo \$? >status"
	within 20 grep -qF "somebody has the console of 's'" other
	equal "[]" "$("$UMLCAGE" session ps --json s | tr -d ' \n')" commands
	tm send-keys -t cage C-p C-q
	within 20 screen_has "left the console of 's'; 'umlcage session console s' comes back to it"
	type_line 'clear; stty -a >after; echo status-$?'
	within 20 screen_has status-0
	diff before after
	# whose terminal goes away leaves it, too; and what was said meanwhile is in the log as well
	tm new-window -t cage:8 -n gone "'$UMLCAGE' session console s"
	within 20 taken
	tm kill-window -t cage:8
	"$UMLCAGE" session exec s -- sh -c 'echo said-$((4+4)) >/dev/console'
	within 20 logged said-8
	type_line '$UMLCAGE session console --detach-keys=ctrl-a,d s'
	within 20 screen_has said-8
	type_line 'echo $x; stty size | tr " " x'
	within 20 screen_has kept-43
	within 20 screen_has 40x100
	tm send-keys -t cage C-a d
	within 20 screen_has "left the console of 's'"
	# the machine's end is one
	type_line 'clear; $UMLCAGE session console s; echo status-$?'
	within 20 taken
	"$UMLCAGE" session stop s
	within 60 screen_has "the session 's' has ended"
	within 20 screen_has status-0
}

taken()
{
	"$UMLCAGE" session list --json | tr -d ' \n' | grep -F '"commands":1' >/dev/null
}

logged()
{
	"$UMLCAGE" session logs s | grep -F -- "$1" >/dev/null
}

test_no_console()
{
	status 2 "$UMLCAGE" session console s </dev/null 2>err
	contains "stdin and stdout are not a terminal" err
	open_terminal 100 40
	"$UMLCAGE" session start ${UMLCAGE_TEST_KERNEL:+--kernel "$UMLCAGE_TEST_KERNEL"} \
		${UMLCAGE_TEST_ROOT:+--root "$UMLCAGE_TEST_ROOT"} --memory "$(little 96)" s >name
	type_line '$UMLCAGE session console s; echo status-$?'
	within 20 screen_has "has no init that would use a console"
	within 20 screen_has status-125
	"$UMLCAGE" session stop s
}
